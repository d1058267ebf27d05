package wechattest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestACallIsReadStrictly(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	token := a.token()
	const menu, send = "/cgi-bin/menu/create", "/cgi-bin/message/template/send"
	for name, test := range map[string]struct {
		method, path, body string
		code               int
	}{
		"an unknown path":              {http.MethodGet, "/cgi-bin/nothing", "", 40066},
		"GET where POST is wanted":     {http.MethodGet, menu, "", 43002},
		"POST where GET is wanted":     {http.MethodPost, "/cgi-bin/menu/get", "{}", 43001},
		"PUT":                          {http.MethodPut, menu, "{}", 43002},
		"an empty body":                {http.MethodPost, menu, "", 44002},
		"a body of spaces":             {http.MethodPost, menu, " \n", 44002},
		"a form":                       {http.MethodPost, send, "touser=o1", 47001},
		"half a JSON":                  {http.MethodPost, send, `{"touser":"o1"`, 47001},
		"a JSON list":                  {http.MethodPost, send, `[]`, 47001},
		"null":                         {http.MethodPost, send, `null`, 47001},
		"two values":                   {http.MethodPost, send, `{} {}`, 47001},
		"a number for a text":          {http.MethodPost, send, `{"touser":1}`, 47001},
		"a text for an object":         {http.MethodPost, send, `{"data":"x"}`, 47001},
		"bytes that are no UTF-8":      {http.MethodPost, send, "{\"touser\":\"\xff\"}", 47001},
		"a name in another case":       {http.MethodPost, menu, `{"Button":[{"type":"click","name":"a","key":"k"}]}`, 40016},
		"an inner name likewise":       {http.MethodPost, menu, `{"button":[{"type":"click","Name":"a","key":"k"}]}`, 40018},
		"a menu spelled with escapes":  {http.MethodPost, menu, `{"button":[{"type":"click","name":"\u6302\u53f7","key":"k"}]}`, 40033},
		"an address with &, HTML-safe": {http.MethodPost, menu, `{"button":[{"type":"view","name":"a","url":"http://a.cn/?a=1\u0026b=2"}]}`, 40033},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := read(t, a.ask(test.method, test.path, test.body, "access_token", token))
			require.Equal(t, test.code, got.Code, got.raw)
		})
	}
	t.Run("a body above the limit", func(t *testing.T) {
		t.Parallel()
		w := a.ask(http.MethodPost, menu, strings.Repeat("x", 128<<10+1), "access_token", token)
		require.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
	})
	t.Run("a broken query", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/cgi-bin/menu/get?a=%zz", nil))
		require.Equal(t, 40097, read(t, w).Code)
	})
}

func TestWhatLibrariesSendInVainIsPassedOver(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{Templates: []wechattest.Template{{ID: "booked", Title: "预约成功通知", Content: "{{thing1.DATA}}"}}})
	id := a.follower("陈素心").OpenID()
	thumb := a.upload(addMaterial, "image", jpg).MediaID
	for path, body := range map[string]object{
		"/cgi-bin/message/template/send": {"touser": id, "template_id": "booked", "color": "#173177", "data": object{"thing1": object{"value": "x"}}},
		"/cgi-bin/tags/getidlist":        {"openid": id, "tagid": 0},
		"/cgi-bin/user/info/batchget":    {"user_list": []object{{"openid": id, "language": "zh-CN"}}},
		addDraft:                         {"articles": []object{{"title": "冬病夏治", "content": "x", "thumb_media_id": thumb, "show_cover_pic": 1}}},
	} {
		got := a.post(path, bodyOf(t, body))
		require.Zero(t, got.Code, "%s: %s", path, got.raw)
	}
}

func TestEscapedTextReachesThePhoneAsItIsWritten(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	f := a.follower("陈素心")
	got := a.post("/cgi-bin/message/custom/send", `{"touser":"`+f.OpenID()+`","msgtype":"text","text":{"content":"\u60a8\u597d & \u003c\n\"好\" \\u597d"}}`)
	require.Zero(t, got.Code)
	require.Equal(t, `\u60a8\u597d & \u003c`+"\n\"好\" \\u597d", f.Chat()[0].Text)
}

func TestQuotasAreADayAndAMinute(t *testing.T) {
	t.Parallel()
	const path = "/cgi-bin/ticket/getticket"
	a := open(t, wechattest.Config{Quotas: map[string]wechattest.Quota{path: {Day: 3, Minute: 2}}})
	ask := func() int { return a.get(path, "type", "jsapi").Code }
	require.Zero(t, ask())
	require.Zero(t, ask())
	require.Equal(t, 45011, ask())
	a.clock.Pass(time.Minute)
	require.Zero(t, ask())
	require.Equal(t, 45009, ask())
	require.Zero(t, a.get("/cgi-bin/getcallbackip").Code, "another path has its own")

	clear := func(appID string) int { return a.post("/cgi-bin/clear_quota", `{"appid":"`+appID+`"}`).Code }
	require.Equal(t, 40013, clear("wx0"))
	require.Equal(t, 45009, ask())
	require.Zero(t, clear(a.Account().AppID))
	require.Zero(t, ask())
	for range 9 {
		require.Zero(t, clear(a.Account().AppID))
	}
	require.Equal(t, 48006, clear(a.Account().AppID), "the eleventh of the month")
	a.clock.Pass(24 * time.Hour)
	require.Zero(t, ask(), "a new day")
	require.Equal(t, 48006, clear(a.Account().AppID))
	a.clock.Pass(31 * 24 * time.Hour)
	require.Zero(t, clear(a.Account().AppID))
}

func TestACallWithoutATokenSpendsNoQuota(t *testing.T) {
	t.Parallel()
	const path = "/cgi-bin/getcallbackip"
	a := open(t, wechattest.Config{Quotas: map[string]wechattest.Quota{path: {Day: 1}}})
	require.Equal(t, 40001, a.works("stranger"))
	require.Zero(t, a.get(path).Code)
	require.Equal(t, 45009, a.get(path).Code)
	a.clock.Pass(24 * time.Hour)
	require.Zero(t, a.get(path).Code, "a new day")
}

func TestTheTicketStaysForItsLife(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	const path = "/cgi-bin/ticket/getticket"
	require.Equal(t, 40097, a.get(path, "type", "card").Code)
	first := a.get(path, "type", "jsapi")
	require.Equal(t, "ok", first.Text)
	require.Equal(t, 7200, first.Expires)
	require.Equal(t, first.raw, a.get(path, "type", "jsapi").raw)
	a.clock.Pass(2 * time.Hour)
	require.NotEqual(t, first.raw, a.get(path, "type", "jsapi").raw)
}

// FuzzCall asks every endpoint anything; each answer is whole JSON.
func FuzzCall(f *testing.F) {
	a := open(f, wechattest.Config{Quotas: map[string]wechattest.Quota{}})
	person := a.follower("陈素心")
	token := a.token()
	paths := []string{
		"/cgi-bin/stable_token", "/cgi-bin/clear_quota", "/cgi-bin/menu/create", templatePath, subscribePath, "/cgi-bin/message/custom/send",
	}
	f.Add(0, `{"grant_type":"client_credential","appid":"wx","secret":"s","force_refresh":true}`)
	f.Add(2, menuBody)
	f.Add(3, send(person.OpenID(), "booked", bookedData))
	f.Add(4, send(person.OpenID(), "queue", bookedData))
	f.Add(5, `{"touser":"`+person.OpenID()+`","msgtype":"text","text":{"content":"\u60a8"}}`)
	f.Fuzz(func(t *testing.T, path int, body string) {
		w := a.ask(http.MethodPost, paths[max(path, 0)%len(paths)], body, "access_token", token)
		if len(body) <= 128<<10 {
			read(t, w)
		}
	})
}

func TestWhatARowRefusesBeforeItsRuleIsReached(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	f, gone := a.follower("陈素心"), a.follower("赵又新")
	require.NoError(t, gone.Unfollow(t.Context()))
	require.Equal(t, 45015, a.post("/cgi-bin/message/custom/typing", `{"touser":"`+gone.OpenID()+`","command":"Typing"}`).Code, "who left is not written to")
	require.Equal(t, 40003, a.post("/cgi-bin/tags/members/batchblacklist", `{"openid_list":["`+gone.OpenID()+`"]}`).Code, "who left cannot be barred")
	require.Equal(t, 47001, a.post("/cgi-bin/message/custom/send", `{"touser":"`+f.OpenID()+`","msgtype"`).Code, "half a body")
	refresh := func(appID, grant string) int {
		return a.sns("/sns/oauth2/refresh_token", "appid", appID, "grant_type", grant, "refresh_token", "R").Code
	}
	require.Equal(t, 41002, refresh("", "refresh_token"))
	require.Equal(t, 40013, refresh("wx0", "refresh_token"))
	require.Equal(t, 40002, refresh(a.Account().AppID, "authorization_code"))
	require.Equal(t, 40030, refresh(a.Account().AppID, "refresh_token"))
}
