package wechat_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

// The answers are those of the platform's pages, with every field of theirs that
// is read here.
func TestEveryFieldOfAnAnswerIsReadUnderItsName(t *testing.T) {
	t.Parallel()
	const user = `{"subscribe":1,"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","language":"zh_CN","subscribe_time":1382694957,
		"unionid":"o6_bmasdasdsad6_2sgVt7hMZOPfL","remark":"三病区","groupid":0,"tagid_list":[128,2],
		"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":98765,"qr_scene_str":""}`
	want := wechat.User{
		OpenID: testUser, Subscribed: true, SubscribedAt: time.Unix(1382694957, 0).In(hospital.CST), UnionID: "o6_bmasdasdsad6_2sgVt7hMZOPfL",
		Language: "zh_CN", Remark: "三病区", Tags: []int64{128, 2}, Source: "ADD_SCENE_QR_CODE", Scene: "98765",
	}
	one, err := scripted(t, []string{user}).FindUser(t.Context(), testUser)
	require.NoError(t, err)
	require.Equal(t, want, one)
	all, err := scripted(t, []string{`{"user_info_list":[` + user + `]}`}).FindUsers(t.Context(), []wechat.OpenID{testUser})
	require.NoError(t, err)
	require.Equal(t, []wechat.User{want}, all)

	const news = `[{"article_type":"news","title":"T","author":"A","digest":"D","content":"C","content_source_url":"https://h.example.com/s","thumb_media_id":"M",
		"need_open_comment":1,"only_fans_can_comment":1,"url":"https://mp.weixin.qq.com/s/1","is_deleted":true},
		{"article_type":"newspic","title":"P","content":"C","image_info":{"image_list":[{"image_media_id":"I1"},{"image_media_id":"I2"}]}}]`
	articles := []wechat.DraftArticle{
		{
			Kind: wechat.NewsArticle, Title: "T", Author: "A", Digest: "D", Content: "C", SourceURL: "https://h.example.com/s", ThumbID: "M",
			Comments: true, FollowersOnly: true, URL: "https://mp.weixin.qq.com/s/1", Deleted: true,
		},
		{Kind: wechat.PictureArticle, Title: "P", Content: "C", ImageIDs: []string{"I1", "I2"}},
	}
	got, err := scripted(t, []string{`{"news_item":` + news + `}`}).FetchPublished(t.Context(), "a1")
	require.NoError(t, err)
	require.Equal(t, articles, got)
	material, err := scripted(t, []string{`{"news_item":` + news + `}`}).FetchMaterial(t.Context(), "m1")
	require.NoError(t, err)
	require.Equal(t, articles, material.Articles)

	menu, err := scripted(t, []string{`{"button":[{"name":"就诊","sub_button":[{"type":"miniprogram","name":"导航","url":"https://h.example.com/old",
		"appid":"wx286b93c14bbf93aa","pagepath":"pages/way"},{"type":"click","name":"叫号","key":"CALL"}]}]}`}).MatchMenu(t.Context(), testUser)
	require.NoError(t, err)
	require.Equal(t, wechat.Menu{Buttons: []wechat.Button{{Name: "就诊", Sub: []wechat.Button{
		{Type: "miniprogram", Name: "导航", URL: "https://h.example.com/old", AppID: "wx286b93c14bbf93aa", Page: "pages/way"},
		{Type: "click", Name: "叫号", Key: "CALL"},
	}}}}, menu)
}

const testUser = wechat.OpenID("o6_bmjrPTlm6_2sgVt7hMZOPfL2M")

// A number of 64 bits is more than a floating-point number holds.
func TestANumberKeepsItsLastDigit(t *testing.T) {
	t.Parallel()
	id, err := scripted(t, []string{`{"errcode":0,"publish_id":9007199254740993,"msg_data_id":1}`}).PublishDraft(t.Context(), "m1")
	require.NoError(t, err)
	require.Equal(t, "9007199254740993", id)
	mass, err := scripted(t, []string{`{"errcode":0,"msg_id":9007199254740993,"msg_data_id":"9007199254740995"}`}).
		SendMass(t.Context(), wechat.Mass{All: true, Content: wechat.TextMessage{Content: "明日停诊"}})
	require.NoError(t, err)
	require.Equal(t, wechat.MassReceipt{MsgID: 9007199254740993, DataID: 9007199254740995}, mass)
	_, err = scripted(t, []string{`{"errcode":0,"msg_id":99999999999999999999}`}).
		SendMass(t.Context(), wechat.Mass{All: true, Content: wechat.TextMessage{Content: "明日停诊"}})
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Indeterminate, Code: "bad_answer"}, "more than 64 bits")
}
