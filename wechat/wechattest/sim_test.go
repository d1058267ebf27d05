package wechattest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// steer calls the control surface and returns status and body.
func steer(t *testing.T, site *wechattest.Site, method, path string, pairs ...string) (int, string) {
	t.Helper()
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(t.Context(), method, site.URL+path+"?"+query.Encode(), nil)
	require.NoError(t, err)
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, string(body)
}

func TestTheControlSurfaceDrivesAPhone(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	site := wechattest.Start(t, wechattest.Config{Mode: wechat.Plain, Templates: templates()})
	site.CallbackTo(inbox)
	a := &account{Platform: site.Platform, tb: t}
	must := func(method, path string, pairs ...string) string {
		t.Helper()
		status, body := steer(t, site, method, path, pairs...)
		require.Equal(t, http.StatusOK, status, body)
		return body
	}
	var joined struct{ OpenID string }
	require.NoError(t, json.Unmarshal([]byte(must("POST", "/_sim/join", "name", "陈素心")), &joined))
	id := joined.OpenID
	must("POST", "/_sim/follow", "openid", id)
	must("POST", "/_sim/say", "openid", id, "text", "在吗")
	require.Contains(t, inbox.last(), "在吗")
	must("POST", "/_sim/scan", "openid", id, "scene", "desk")
	require.Zero(t, a.post("/cgi-bin/menu/create", `{"button":[{"type":"view","name":"主页","url":"http://a.cn/"}]}`).Code)
	require.JSONEq(t, `{"url":"http://a.cn/"}`, must("POST", "/_sim/tap", "openid", id, "button", "主页"))
	must("POST", "/_sim/accept", "openid", id, "template", "queue")
	require.Zero(t, a.post(subscribePath, send(id, "queue", `"data":{"number1":{"value":"12"}}`)).Code)
	must("POST", "/_sim/reject", "openid", id, "template", "queue")
	require.Contains(t, must("POST", "/_sim/advance"), "next")
	must("POST", "/_sim/block", "openid", id, "on", "true")
	must("POST", "/_sim/fail", "on", "true")
	must("POST", "/_sim/snapshot", "on", "false")
	held := a.token()
	must("POST", "/_sim/revoke", "kind", "stable")
	require.Equal(t, 40001, a.works(held))
	must("POST", "/_sim/spoil", "kind", "stable")
	require.Equal(t, 40001, a.works(a.token()))
	must("POST", "/_sim/break", "kind", "busy", "path", "/cgi-bin/token", "times", "1", "wait", "1s")
	require.Equal(t, -1, a.classic().Code)
	must("POST", "/_sim/mend")
	var chat []wechattest.Bubble
	require.NoError(t, json.Unmarshal([]byte(must("GET", "/_sim/chat", "openid", id)), &chat))
	require.Equal(t, wechattest.Patient, chat[0].From)
	require.Equal(t, "在吗", chat[0].Text)
	require.Contains(t, must("GET", "/_sim/users"), `"nickname":"陈素心","following":true`)
	require.NoError(t, site.AddDomain("hospital.example"))
	require.Contains(t, must("POST", "/_sim/authorize", "openid", id, "link", link(site.Account().AppID, "snsapi_base", "s1")), "code=")
	must("POST", "/_sim/unfollow", "openid", id)
	must("POST", "/_sim/callback", "url", "")
	must("POST", "/_sim/domain", "host", "127.0.0.1:8080")
	require.Contains(t, must("GET", "/_sim/templates"), `"title":`)

	for _, wrong := range []struct {
		path   string
		pairs  []string
		status int
		code   string
	}{
		{"/_sim/say", []string{"openid", "o0", "text", "x"}, http.StatusNotFound, "no_user"},
		{"/_sim/say", []string{"openid", id, "text", "x"}, http.StatusConflict, "not_following"},
		{"/_sim/block", []string{"openid", id, "on", "maybe"}, http.StatusBadRequest, "bad_switch"},
		{"/_sim/break", []string{"kind", "lightning"}, http.StatusBadRequest, "bad_fault"},
		{"/_sim/break", []string{"kind", "busy", "times", "x"}, http.StatusBadRequest, "bad_times"},
		{"/_sim/break", []string{"kind", "busy", "wait", "x"}, http.StatusBadRequest, "bad_wait"},
		{"/_sim/revoke", []string{"kind", "other"}, http.StatusBadRequest, "bad_kind"},
		{"/_sim/callback", []string{"url", "x"}, http.StatusBadRequest, "bad_config"},
		{"/_sim/domain", nil, http.StatusBadRequest, "bad_config"},
		{"/_sim/break", []string{"kind", "busy", "tims", "1"}, http.StatusBadRequest, "bad_order"},
		{"/_sim/verify", nil, http.StatusBadRequest, "no_callback"},
	} {
		status, body := steer(t, site, "POST", wrong.path, wrong.pairs...)
		require.Equal(t, wrong.status, status, wrong.path)
		require.Contains(t, body, `"code":"`+wrong.code+`"`)
	}
	status, _ := steer(t, site, "GET", "/_sim/say", "openid", id, "text", "x")
	require.Equal(t, http.StatusNotFound, status, "an image in a page must not make a phone talk")
}

func TestTheControlSurfaceIsForThisMachine(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	for name, test := range map[string]struct {
		peer, host, site string
		status           int
	}{
		"from here":                {"127.0.0.1:1", "127.0.0.1:8080", "", http.StatusOK},
		"from here by IPv6":        {"[::1]:1", "[::1]:8080", "", http.StatusOK},
		"by the name localhost":    {"127.0.0.1:1", "localhost:8080", "same-origin", http.StatusOK},
		"from elsewhere":           {"192.0.2.1:1", "127.0.0.1:8080", "", http.StatusForbidden},
		"under a name that points": {"127.0.0.1:1", "evil.example:8080", "", http.StatusForbidden},
		"from a page elsewhere":    {"127.0.0.1:1", "127.0.0.1:8080", "cross-site", http.StatusForbidden},
	} {
		r := httptest.NewRequest(http.MethodPost, "/_sim/mend", nil)
		r.RemoteAddr, r.Host = test.peer, test.host
		r.Header.Set("Sec-Fetch-Site", test.site)
		for _, handler := range []http.Handler{a.Handler(), a.Open()} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			require.Equal(t, test.status, w.Code, name)
		}
	}
}

func TestABrowserBecomesAPhone(t *testing.T) {
	t.Parallel()
	site := wechattest.Start(t, wechattest.Config{Domains: []string{"hospital.example"}})
	f, err := site.Join("陈素心")
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.OpenURL+"/_sim/login?openid="+f.OpenID(), nil)
	require.NoError(t, err)
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	cookies := response.Cookies()
	require.Len(t, cookies, 1)
	here := strings.Replace(link(site.Account().AppID, "snsapi_base", "s1"), "https://open.weixin.qq.com", site.OpenURL, 1)
	r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, here, nil)
	require.NoError(t, err)
	r.AddCookie(cookies[0])
	response, err = http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Contains(t, response.Header.Get("Location"), "https://hospital.example/in?a=1&code=")
}

func TestTheLogCarriesNoSecret(t *testing.T) {
	t.Parallel()
	var lines []wechattest.Exchange
	a := open(t, wechattest.Config{Callback: "http://hospital.example", HTTPClient: inProcess(&inbox{}), Log: func(e wechattest.Exchange) { lines = append(lines, e) }})
	f := a.follower("陈素心")
	require.NoError(t, f.Say(t.Context(), "在吗"))
	token := a.token()
	a.works("guessed")
	text, err := json.Marshal(lines)
	require.NoError(t, err)
	for _, secret := range []string{token, f.OpenID(), "在吗", "陈素心", "guessed", a.Account().Secret} {
		require.NotContains(t, string(text), secret)
	}
	require.Contains(t, string(text), `"Push":true,"Path":"text","Outcome":"ok"`)
	require.Contains(t, string(text), `"Path":"/cgi-bin/getcallbackip","Outcome":"40001"`)
}
