package wechattest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

const (
	addConditional = "/cgi-bin/menu/addconditional"
	delConditional = "/cgi-bin/menu/delconditional"
	tryMatch       = "/cgi-bin/menu/trymatch"
)

func menuFor(name, rule string) string {
	return `{"button":[{"type":"click","name":"` + name + `","key":"k"}],"matchrule":` + rule + `}`
}

func TestAConditionalMenuNeedsADefaultARuleAndNothingPrivate(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	tag := a.tag("孕产")
	good := fmt.Sprintf(`{"tag_id":"%d"}`, tag)
	require.Equal(t, 65303, a.post(addConditional, menuFor("产检", good)).Code)
	require.Zero(t, a.post("/cgi-bin/menu/create", `{"button":[{"type":"click","name":"挂号","key":"k"}]}`).Code)
	for rule, code := range map[string]int{
		good:                              0,
		fmt.Sprintf(`{"tag_id":%d}`, tag): 0,
		`{"client_platform_type":"1"}`:    0,
		`{"client_platform_type":3}`:      0,
		`{}`:                              65304,
		`{"tag_id":"","client_platform_type":""}`: 65304,
		`{"tag_id":"99"}`:                         45159,
		`{"client_platform_type":"4"}`:            40035,
		`{"tag_id":"100","sex":"1"}`:              65320,
		`{"tag_id":"100","country":"中国"}`:         65320,
		`{"tag_id":"100","province":"江苏"}`:        65320,
		`{"tag_id":"100","city":"无锡"}`:            65320,
		`{"tag_id":"100","language":"zh_CN"}`:     65320,
		`{"group_id":"2"}`:                        47001,
		`{"tag_id":true}`:                         47001,
	} {
		require.Equal(t, code, a.post(addConditional, menuFor("产检", rule)).Code, rule)
	}
	require.Equal(t, 40018, a.post(addConditional, menuFor("", good)).Code, "the buttons are checked as ever")
	require.Equal(t, 40016, a.post(addConditional, `{"matchrule":`+good+`}`).Code)
	require.Equal(t, 40033, a.post(addConditional, menuFor(`\u4ea7`, good)).Code)
	view := func(host string) string {
		return `{"button":[{"type":"view","name":"主页","url":"https://` + host + `/a"}],"matchrule":` + good + `}`
	}
	for _, host := range []string{"a.cn", "b.cn", "c.cn", "A.cn"} {
		require.Zero(t, a.post(addConditional, view(host)).Code)
	}
	require.Equal(t, 65316, a.post(addConditional, view("d.cn")).Code)
}

func TestEachFollowerSeesTheNewestMenuThatFits(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	expectant, children := a.tag("孕产"), a.tag("儿科")
	f := a.follower("陈素心")
	seen := func() string { return f.Menu()[0].Name }
	match := func() string { return a.post(tryMatch, `{"user_id":"`+f.OpenID()+`"}`).raw }
	require.Equal(t, 46003, a.post(tryMatch, `{"user_id":"`+f.OpenID()+`"}`).Code)
	require.Zero(t, a.post("/cgi-bin/menu/create", `{"button":[{"type":"click","name":"挂号","key":"k"}]}`).Code)
	require.NotContains(t, a.get("/cgi-bin/menu/get").raw, "menuid")
	require.Equal(t, "挂号", seen())
	phone := a.post(addConditional, menuFor("苹果", `{"client_platform_type":"1"}`)).Menu
	both := a.post(addConditional, menuFor("产检", fmt.Sprintf(`{"tag_id":"%d","client_platform_type":"2"}`, expectant))).Menu
	require.Equal(t, "挂号", seen(), "no rule fits")
	require.Contains(t, match(), "挂号")

	give := func(tag int) {
		require.Zero(t, a.post("/cgi-bin/tags/members/batchtagging", bodyOf(t, object{"tagid": tag, "openid_list": []string{f.OpenID()}})).Code)
	}
	give(expectant)
	require.Equal(t, "产检", seen())
	_, err := f.Tap(t.Context(), "产检")
	require.NoError(t, err)
	_, err = f.Tap(t.Context(), "挂号")
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.NotFound, Code: "no_button"})
	require.Contains(t, match(), "产检")
	require.NoError(t, f.Use(wechattest.IOS))
	require.Equal(t, "苹果", seen(), "both conditions must fit")
	require.NoError(t, f.Use(wechattest.Android))
	give(children)
	require.Equal(t, "挂号", seen(), "the tag given last counts")
	require.ErrorIs(t, f.Use("fax"), &hospital.Error{Kind: hospital.Invalid, Code: "bad_phone"})

	all := a.get("/cgi-bin/menu/get").raw
	require.Less(t, strings.Index(all, both), strings.Index(all, phone), "the newest first")
	require.Contains(t, all, `"matchrule":{"tag_id":"100","client_platform_type":"2"},"menuid":`+both)
	stranger, err := a.Join("路人")
	require.NoError(t, err)
	refusals(t, a, tryMatch, map[string]int{`{"user_id":"x"}`: 65302, `{"user_id":"` + stranger.OpenID() + `"}`: 65302, `{"openid":"x"}`: 47001})
	refusals(t, a, delConditional, map[string]int{`{"menuid":"7"}`: 65301, `{"menuid":""}`: 65301, `{}`: 65301, `{"menu_id":"7"}`: 47001})
	require.Zero(t, a.post(delConditional, `{"menuid":`+both+`}`).Code, "a bare number is taken too")
	require.NotContains(t, a.get("/cgi-bin/menu/get").raw, both)
	require.Zero(t, a.get("/cgi-bin/menu/delete").Code)
	require.Zero(t, a.post("/cgi-bin/menu/create", `{"button":[{"type":"click","name":"挂号","key":"k"}]}`).Code)
	require.NotContains(t, a.get("/cgi-bin/menu/get").raw, phone, "deleting the menu deletes the conditional ones")
}

func TestAButtonSendsMaterialAndArticlesOfTheAccount(t *testing.T) {
	t.Parallel()
	a, _, draft := publisher(t)
	image := a.upload(addMaterial, "image", png).MediaID
	temporary := a.upload(uploadPath, "image", png).MediaID
	require.Zero(t, a.post(submitDraft, `{"media_id":"`+draft+`"}`).Code)
	a.clock.Pass(2e9)
	_, err := a.Advance(t.Context())
	require.NoError(t, err)
	list := a.post("/cgi-bin/freepublish/batchget", `{"offset":0,"count":1,"no_content":1}`).raw
	_, rest, _ := strings.Cut(list, `"article_id":"`)
	article, _, _ := strings.Cut(rest, `"`)
	button := func(kind, field, id string) string {
		return `{"button":[{"type":"` + kind + `","name":"看","` + field + `":"` + id + `"}]}`
	}
	refusals(t, a, "/cgi-bin/menu/create", map[string]int{
		button("media_id", "media_id", temporary):         40007,
		button("view_limited", "media_id", image):         40007,
		button("article_id", "article_id", "x"):           53600,
		button("article_view_limited", "article_id", "x"): 53600,
	})
	f := a.follower("陈素心")
	tap := func(body string) string {
		require.Zero(t, a.post("/cgi-bin/menu/create", body).Code)
		address, err := f.Tap(t.Context(), "看")
		require.NoError(t, err)
		return address
	}
	require.Empty(t, tap(button("media_id", "media_id", image)))
	require.Equal(t, image, f.Chat()[0].Text)
	require.Contains(t, a.get("/cgi-bin/get_current_selfmenu_info").raw, `"value":"`+image+`"`)
	require.Empty(t, tap(button("article_id", "article_id", article)))
	require.Equal(t, "冬病夏治", f.Chat()[1].Cards[0].Title)
	require.Contains(t, tap(button("article_view_limited", "article_id", article)), article)
}
