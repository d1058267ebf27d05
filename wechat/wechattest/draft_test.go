package wechattest_test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

const (
	addDraft     = "/cgi-bin/draft/add"
	getDraft     = "/cgi-bin/draft/get"
	updateDraft  = "/cgi-bin/draft/update"
	deleteDraft  = "/cgi-bin/draft/delete"
	listDrafts   = "/cgi-bin/draft/batchget"
	submitDraft  = "/cgi-bin/freepublish/submit"
	getPublished = "/cgi-bin/freepublish/get"
)

// bodyOf writes JSON as a careful client does.
func bodyOf(tb testing.TB, v any) string {
	tb.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	require.NoError(tb, encoder.Encode(v))
	return b.String()
}

func news(thumb string) object {
	return object{"title": "冬病夏治", "content": "<p>三伏贴</p>", "thumb_media_id": thumb}
}

func TestAnArticleIsCheckedAgainstEachLimit(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	thumb := a.upload(addMaterial, "image", jpg).MediaID
	temporary := a.upload(uploadPath, "image", jpg).MediaID
	voice := a.upload(addMaterial, "voice", mp3).MediaID
	with := func(key string, value any) []object {
		one := news(thumb)
		one[key] = value
		return []object{one}
	}
	pictures := func(n int, id string) []object {
		var list []object
		for range n {
			list = append(list, object{"image_media_id": id})
		}
		return []object{{"article_type": "newspic", "title": "图", "content": "字", "image_info": object{"image_list": list}}}
	}
	many := func(n int) (all []object) {
		for range n {
			all = append(all, news(thumb))
		}
		return all
	}
	for name, test := range map[string]struct {
		articles []object
		code     int
	}{
		"an article":                    {many(1), 0},
		"no article":                    {nil, 44003},
		"eight articles":                {many(8), 0},
		"nine articles":                 {many(9), 45008},
		"an unknown kind":               {with("article_type", "letter"), 40008},
		"without a title":               {with("title", ""), 45003},
		"a title of 32 characters":      {with("title", strings.Repeat("字", 32)), 0},
		"a title of 33 characters":      {with("title", strings.Repeat("字", 33)), 45003},
		"an author of 17 characters":    {with("author", strings.Repeat("字", 17)), 45110},
		"a digest of 128 characters":    {with("digest", strings.Repeat("字", 128)), 0},
		"a digest of 129 characters":    {with("digest", strings.Repeat("字", 129)), 45004},
		"without content":               {with("content", ""), 44003},
		"19999 characters":              {with("content", strings.Repeat("字", 19_999)), 0},
		"20000 characters":              {with("content", strings.Repeat("字", 20_000)), 45002},
		"a source of 1025 bytes":        {with("content_source_url", strings.Repeat("a", 1025)), 45005},
		"a cover that is temporary":     {with("thumb_media_id", temporary), 40007},
		"a cover that is a voice":       {with("thumb_media_id", voice), 40007},
		"without a cover":               {with("thumb_media_id", ""), 40007},
		"comments 2":                    {with("need_open_comment", 2), 40035},
		"comments true":                 {with("need_open_comment", true), 47001},
		"a field that does not exist":   {with("cover", "x"), 47001},
		"a title of the wrong type":     {with("title", 1), 47001},
		"twenty pictures":               {pictures(20, thumb), 0},
		"no picture":                    {pictures(0, thumb), 40007},
		"21 pictures":                   {pictures(21, thumb), 40007},
		"a picture that does not exist": {pictures(1, "x"), 40007},
		"pictures of news are not looked at": {func() []object {
			one := pictures(1, thumb)
			one[0]["article_type"] = "news"
			return one
		}(), 40007},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := a.post(addDraft, bodyOf(t, object{"articles": test.articles}))
			require.Equal(t, test.code, got.Code, got.raw)
		})
	}
}

func TestTheDraftBoxKeepsChangesAndForgets(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	thumb := a.upload(addMaterial, "image", jpg).MediaID
	ours := a.upload(uploadImage, "", png).URL
	one := news(thumb)
	one["content"] = `<p>三伏贴</p><script>alert(1)</script><img src="` + ours + `"><img src="http://elsewhere.example/a.png">`
	first := a.post(addDraft, bodyOf(t, object{"articles": []object{one}}))
	require.Len(t, first.MediaID, 64)
	a.clock.Pass(time.Minute)
	second := a.post(addDraft, bodyOf(t, object{"articles": []object{news(thumb), news(thumb)}}))
	id := func(of answer) string { return `{"media_id":"` + of.MediaID + `"}` }

	var kept struct {
		Items []struct {
			Content, Digest string
		} `json:"news_item"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.post(getDraft, id(first)).raw), &kept))
	require.Equal(t, `<p>三伏贴</p><img src="`+ours+`">`, kept.Items[0].Content, "scripts and foreign images are taken out")
	require.Equal(t, "三伏贴", kept.Items[0].Digest)
	require.JSONEq(t, `{"total_count":2}`, a.get("/cgi-bin/draft/count").raw)
	list := a.post(listDrafts, `{"offset":0,"count":20,"no_content":1}`).raw
	require.Contains(t, list, `{"total_count":2,"item_count":2,"item":[{"media_id":"`+second.MediaID)
	require.NotContains(t, list, "三伏贴</p>")
	require.Contains(t, a.post(listDrafts, `{"offset":1,"count":1}`).raw, "三伏贴")
	refusals(t, a, listDrafts, map[string]int{`{"offset":0,"count":21}`: 40097, `{"offset":0,"count":0}`: 40097, `{"offset":0,"count":1,"nocontent":1}`: 47001})

	changed := news(thumb)
	changed["title"] = "膏方"
	change := func(media string, index int, article any) string {
		return bodyOf(t, object{"media_id": media, "index": index, "articles": article})
	}
	require.Zero(t, a.post(updateDraft, change(second.MediaID, 1, changed)).Code)
	require.Contains(t, a.post(getDraft, id(second)).raw, "膏方")
	refusals(t, a, updateDraft, map[string]int{
		change(second.MediaID, 2, changed):            40114,
		change(second.MediaID, -1, changed):           40114,
		change("x", 0, changed):                       40007,
		change(second.MediaID, 0, object{}):           45003,
		change(second.MediaID, 0, []object{changed}):  47001,
		change(second.MediaID, 0, object{"title": 1}): 47001,
	})
	for _, path := range []string{getDraft, deleteDraft, submitDraft} {
		refusals(t, a, path, map[string]int{`{"media_id":"x"}`: 40007, `{}`: 41006, `{"media_id":7}`: 47001})
	}
	require.Zero(t, a.post(deleteDraft, id(first)).Code)
	require.Equal(t, 40007, a.post(getDraft, id(first)).Code)
}

// publishPush is PUBLISHJOBFINISH.
type publishPush struct {
	From, Event string
	Info        struct {
		ID      string   `xml:"publish_id"`
		Status  int      `xml:"publish_status"`
		Article string   `xml:"article_id"`
		URLs    []string `xml:"article_detail>item>article_url"`
		Failed  []int    `xml:"fail_idx"`
	} `xml:"PublishEventInfo"`
}

// publisher is an account with one draft, and the pushes that came.
func publisher(t *testing.T) (a *account, pushed *[]publishPush, draft string) {
	t.Helper()
	pushed = &[]publishPush{}
	a = open(t, wechattest.Config{
		Mode: wechat.Plain, Callback: "http://hospital.example/wechat",
		HTTPClient: inProcess(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			var push publishPush
			if err != nil || xml.Unmarshal(body, &push) != nil {
				t.Error("an unreadable push")
			}
			*pushed = append(*pushed, push)
		})),
	})
	thumb := a.upload(addMaterial, "image", jpg).MediaID
	draft = a.post(addDraft, bodyOf(t, object{"articles": []object{news(thumb), news(thumb)}})).MediaID
	return a, pushed, draft
}

func TestAPublicationEndsInAnEventAndLeavesTheDraftBox(t *testing.T) {
	t.Parallel()
	a, pushed, draft := publisher(t)
	sent := a.post(submitDraft, `{"media_id":"`+draft+`"}`)
	require.NotEmpty(t, sent.Publish)
	require.Equal(t, 53503, a.post(submitDraft, `{"media_id":"`+draft+`"}`).Code, "it is under way")
	require.JSONEq(t, `{"publish_id":"`+sent.Publish+`","publish_status":1,"fail_idx":[]}`, a.post(getPublished, `{"publish_id":"`+sent.Publish+`"}`).raw)
	a.clock.Pass(time.Second)
	_, err := a.Advance(t.Context())
	require.NoError(t, err)

	require.Len(t, *pushed, 1)
	info := (*pushed)[0].Info
	require.Equal(t, sent.Publish, info.ID)
	require.Zero(t, info.Status)
	require.Len(t, info.URLs, 2)
	require.Contains(t, a.post(getPublished, `{"publish_id":`+sent.Publish+`}`).raw, `"publish_status":0,"article_id":"`+info.Article+`","article_detail":{"count":2,"item":[{"idx":1,"article_url":"`+info.URLs[0], "a bare number is taken too")
	require.Equal(t, 40007, a.post(getDraft, `{"media_id":"`+draft+`"}`).Code)
	require.Equal(t, 40035, a.post(getPublished, `{"publish_id":"7"}`).Code)

	const article, remove, list = "/cgi-bin/freepublish/getarticle", "/cgi-bin/freepublish/delete", "/cgi-bin/freepublish/batchget"
	require.Contains(t, a.post(list, `{"offset":0,"count":1,"no_content":1}`).raw, `"article_id":"`+info.Article)
	refusals(t, a, list, map[string]int{`{"offset":0,"count":21}`: 40097})
	refusals(t, a, article, map[string]int{`{"article_id":"x"}`: 53600, `{}`: 53600, `{"id":"x"}`: 47001})
	refusals(t, a, remove, map[string]int{
		`{"article_id":"x"}`:                                53600,
		`{"article_id":"` + info.Article + `","index":3}`:   40114,
		`{"article_id":"` + info.Article + `","index":-1}`:  40114,
		`{"article_id":"` + info.Article + `","index":"1"}`: 47001,
	})
	require.Zero(t, a.post(remove, `{"article_id":"`+info.Article+`","index":2}`).Code)
	shown := a.post(article, `{"article_id":"`+info.Article+`"}`).raw
	require.Equal(t, 1, strings.Count(shown, `"is_deleted":true`))
	require.Equal(t, 1, strings.Count(shown, `"is_deleted":false`))
	require.Zero(t, a.post(remove, `{"article_id":"`+info.Article+`"}`).Code)
	require.Contains(t, a.post(getPublished, `{"publish_id":"`+sent.Publish+`"}`).raw, `"publish_status":5`)
	require.Contains(t, a.post(list, `{"offset":0,"count":1}`).raw, `"total_count":0`)
}

func TestAPublicationThatIsRefusedKeepsItsDraft(t *testing.T) {
	t.Parallel()
	a, pushed, draft := publisher(t)
	require.ErrorIs(t, a.RefusePublishing(1), &hospital.Error{Kind: hospital.Invalid, Code: "bad_status"})
	require.NoError(t, a.RefusePublishing(2))
	sent := a.post(submitDraft, `{"media_id":"`+draft+`"}`)
	a.clock.Pass(time.Second)
	_, err := a.Advance(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, (*pushed)[0].Info.Failed)
	require.JSONEq(t, `{"publish_id":"`+sent.Publish+`","publish_status":2,"fail_idx":[1,2]}`, a.post(getPublished, `{"publish_id":"`+sent.Publish+`"}`).raw)
	require.NoError(t, a.RefusePublishing(0))
	require.Zero(t, a.post(submitDraft, `{"media_id":"`+draft+`"}`).Code, "it may be tried again")

	require.Zero(t, a.post(deleteDraft, `{"media_id":"`+draft+`"}`).Code)
	a.clock.Pass(time.Second)
	_, err = a.Advance(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, (*pushed)[1].Info.Status, "the draft was deleted while it was under way")
}

// FuzzDraft asks the draft box anything; each answer is whole JSON.
func FuzzDraft(f *testing.F) {
	a := open(f, wechattest.Config{Quotas: map[string]wechattest.Quota{addDraft: {}}})
	token, thumb := a.token(), a.upload(addMaterial, "image", jpg).MediaID
	one := news(thumb)
	one["content"] = `<img src=x><script>x</script><img src='http://example.com/_media/x'>`
	f.Add(bodyOf(f, object{"articles": []object{one}}))
	f.Add(`{"articles":[{"image_info":{"image_list":[{}]},"cover_info":{"crop_percent_list":[{"ratio":"1_1"}]}}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) <= 2<<20 {
			read(t, a.ask(http.MethodPost, addDraft, body, "access_token", token))
		}
	})
}
