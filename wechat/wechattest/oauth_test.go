package wechattest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// link is an authorize link in the order WeChat wants.
func link(appID, scope, state string) string {
	return "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + appID +
		"&redirect_uri=" + url.QueryEscape("https://hospital.example/in?a=1") + "&response_type=code&scope=" + scope + "&state=" + state + "#wechat_redirect"
}

// login is what /sns answers.
type login struct {
	Code     int    `json:"errcode"`
	Access   string `json:"access_token"`
	Refresh  string `json:"refresh_token"`
	OpenID   string `json:"openid"`
	Scope    string `json:"scope"`
	UnionID  string `json:"unionid"`
	Snapshot int    `json:"is_snapshotuser"`
	Nickname string `json:"nickname"`
	Expires  int    `json:"expires_in"`
}

func (a *account) sns(path string, pairs ...string) login {
	a.tb.Helper()
	var got login
	require.NoError(a.tb, json.Unmarshal([]byte(read(a.tb, a.ask(http.MethodGet, path, "", pairs...)).raw), &got))
	return got
}

func (a *account) exchange(code string) login {
	a.tb.Helper()
	return a.sns("/sns/oauth2/access_token", "appid", a.Account().AppID, "secret", a.Account().Secret, "code", code, "grant_type", "authorization_code")
}

// authorize lets the person follow the link and returns the code.
func (a *account) authorize(f *wechattest.Follower, scope string) string {
	a.tb.Helper()
	address, err := f.Authorize(link(a.Account().AppID, scope, "s1"), true)
	require.NoError(a.tb, err)
	u, err := url.Parse(address)
	require.NoError(a.tb, err)
	require.Equal(a.tb, "s1", u.Query().Get("state"))
	require.Equal(a.tb, "1", u.Query().Get("a"))
	return u.Query().Get("code")
}

func webAccount(t *testing.T) *account {
	t.Helper()
	return open(t, wechattest.Config{Domains: []string{"hospital.example"}, UnionIDs: true})
}

func TestACodeIsGoodOnceAndForFiveMinutes(t *testing.T) {
	t.Parallel()
	a := webAccount(t)
	f := a.follower("陈素心")
	code := a.authorize(f, "snsapi_base")
	got := a.exchange(code)
	require.Equal(t, f.OpenID(), got.OpenID)
	require.Equal(t, "snsapi_base", got.Scope)
	require.Empty(t, got.UnionID, "only snsapi_userinfo tells it")
	require.Equal(t, 7200, got.Expires)
	require.Equal(t, 40163, a.exchange(code).Code)
	require.Equal(t, 40029, a.exchange("guessed").Code)
	late := a.authorize(f, "snsapi_base")
	a.clock.Pass(5 * time.Minute)
	require.Equal(t, 42003, a.exchange(late).Code)
}

func TestAWebLoginIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	a := webAccount(t)
	code := a.authorize(a.follower("陈素心"), "snsapi_base")
	for name, test := range map[string]struct {
		field, value string
		code         int
	}{
		"without an app id":  {"appid", "", 41002},
		"without a secret":   {"secret", "", 41004},
		"without a code":     {"code", "", 41008},
		"a foreign app id":   {"appid", "wx0", 40013},
		"a wrong secret":     {"secret", "x", 40125},
		"another grant type": {"grant_type", "client_credential", 40002},
	} {
		pairs := []string{"appid", a.Account().AppID, "secret", a.Account().Secret, "code", code, "grant_type", "authorization_code", test.field, test.value}
		require.Equal(t, test.code, a.sns("/sns/oauth2/access_token", pairs...).Code, name)
	}
	require.Zero(t, a.exchange(code).Code, "none of them spent the code")
	require.Equal(t, 43001, read(t, a.ask(http.MethodPost, "/sns/oauth2/access_token", "{}")).Code)
}

func TestUserInfoNeedsItsScopeAndItsOpenID(t *testing.T) {
	t.Parallel()
	a := webAccount(t)
	f := a.follower("陈素心")
	base := a.exchange(a.authorize(f, "snsapi_base"))
	full := a.exchange(a.authorize(f, "snsapi_userinfo"))
	require.Len(t, full.UnionID, 28)
	info := func(token, openID string) login {
		return a.sns("/sns/userinfo", "access_token", token, "openid", openID, "lang", "zh_CN")
	}
	require.Equal(t, 48001, info(base.Access, base.OpenID).Code)
	require.Equal(t, "陈素心", info(full.Access, full.OpenID).Nickname)
	require.Equal(t, 40003, info(full.Access, "o0").Code)
	require.Equal(t, 41009, info(full.Access, "").Code)
	require.Equal(t, 40001, info("guessed", full.OpenID).Code)
	require.Equal(t, 40001, info(a.token(), full.OpenID).Code, "the account's token is another thing")
	require.Equal(t, 41001, info("", full.OpenID).Code)
	require.Zero(t, a.sns("/sns/auth", "access_token", base.Access, "openid", base.OpenID).Code)
	require.Equal(t, 40003, a.sns("/sns/auth", "access_token", base.Access, "openid", "o0").Code)
	require.Equal(t, 40001, a.works(base.Access), "and the other way")
}

func TestARefreshProlongsAndThenReplaces(t *testing.T) {
	t.Parallel()
	a := webAccount(t)
	first := a.exchange(a.authorize(a.follower("陈素心"), "snsapi_base"))
	refresh := func(appID, token string) login {
		return a.sns("/sns/oauth2/refresh_token", "appid", appID, "grant_type", "refresh_token", "refresh_token", token)
	}
	a.clock.Pass(time.Hour)
	again := refresh(a.Account().AppID, first.Refresh)
	require.Equal(t, first.Access, again.Access)
	require.Equal(t, 7200, again.Expires)
	a.clock.Pass(2 * time.Hour)
	require.Equal(t, 42001, a.sns("/sns/auth", "access_token", first.Access, "openid", first.OpenID).Code)
	replaced := refresh(a.Account().AppID, first.Refresh)
	require.NotEqual(t, first.Access, replaced.Access)
	require.Zero(t, a.sns("/sns/auth", "access_token", replaced.Access, "openid", first.OpenID).Code)
	require.Equal(t, 40030, refresh(a.Account().AppID, "guessed").Code)
	require.Equal(t, 41003, refresh(a.Account().AppID, "").Code)
	require.Equal(t, 40013, refresh("wx0", first.Refresh).Code)
	a.clock.Pass(30 * 24 * time.Hour)
	require.Equal(t, 42002, refresh(a.Account().AppID, first.Refresh).Code)
}

func TestASnapshotPageGivesAVirtualUser(t *testing.T) {
	t.Parallel()
	a := webAccount(t)
	f := a.follower("陈素心")
	require.NoError(t, a.Snapshot(true))
	got := a.exchange(a.authorize(f, "snsapi_userinfo"))
	require.Equal(t, 1, got.Snapshot)
	require.NotEqual(t, f.OpenID(), got.OpenID)
	require.Regexp(t, "^o.{27}$", got.OpenID)
	require.Empty(t, got.UnionID)
	require.NotEqual(t, "陈素心", a.sns("/sns/userinfo", "access_token", got.Access, "openid", got.OpenID).Nickname)
	require.NoError(t, a.Snapshot(false))
	real := a.exchange(a.authorize(f, "snsapi_userinfo"))
	require.Zero(t, real.Snapshot)
	require.Equal(t, f.OpenID(), real.OpenID)
}

func TestTheAuthorizePageChecksTheLink(t *testing.T) {
	t.Parallel()
	a := webAccount(t)
	f := a.follower("陈素心")
	good := link(a.Account().AppID, "snsapi_base", "s1")
	for name, test := range map[string]struct {
		link string
		code string
	}{
		"another order":            {strings.Replace(good, "appid="+a.Account().AppID+"&redirect_uri="+url.QueryEscape("https://hospital.example/in?a=1"), "redirect_uri="+url.QueryEscape("https://hospital.example/in?a=1")+"&appid="+a.Account().AppID, 1), "0"},
		"scope before the type":    {strings.Replace(good, "response_type=code&scope=snsapi_base", "scope=snsapi_base&response_type=code", 1), "0"},
		"a parameter twice":        {strings.Replace(good, "&state", "&scope=snsapi_base&state", 1), "0"},
		"a foreign app id":         {strings.Replace(good, a.Account().AppID, "wx0", 1), "0"},
		"no app id":                {strings.Replace(good, a.Account().AppID, "", 1), "10012"},
		"a foreign host":           {strings.Replace(good, "hospital.example", "evil.example", 1), "10003"},
		"a host below":             {strings.Replace(good, "hospital.example", "a.hospital.example", 1), "10003"},
		"a host that begins so":    {strings.Replace(good, "hospital.example", "hospital.example.evil.example", 1), "10003"},
		"a host behind a name":     {strings.Replace(good, "hospital.example", "hospital.example%40evil.example", 1), "10003"},
		"another port":             {strings.Replace(good, "hospital.example", "hospital.example%3A8443", 1), "10003"},
		"a script":                 {strings.Replace(good, "https%3A%2F%2F", "javascript%3A%2F%2F", 1), "10003"},
		"no address":               {strings.Replace(good, url.QueryEscape("https://hospital.example/in?a=1"), "", 1), "10011"},
		"no scope":                 {link(a.Account().AppID, "", "s1"), "10010"},
		"an unknown scope":         {link(a.Account().AppID, "snsapi_login", "s1"), "10005"},
		"another response type":    {strings.Replace(good, "response_type=code", "response_type=token", 1), "0"},
		"a state of 129 bytes":     {link(a.Account().AppID, "snsapi_base", strings.Repeat("s", 129)), "0"},
		"without #wechat_redirect": {strings.TrimSuffix(good, "#wechat_redirect"), "0"},
	} {
		_, err := f.Authorize(test.link, true)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: test.code}, name)
	}
	_, err := f.Authorize("https://open.weixin.qq.com/connect/qrconnect?appid=1", true)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_link"})
	_, err = f.Authorize(link(a.Account().AppID, "snsapi_base", strings.Repeat("s", 128)), true)
	require.NoError(t, err)
	address, err := f.Authorize(link(a.Account().AppID, "snsapi_userinfo", "s1"), false)
	require.NoError(t, err)
	require.Equal(t, "https://hospital.example/in?a=1&state=s1", address, "who refuses comes back without a code")
}

func TestThePageMayTakeAnyOrder(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{Domains: []string{"hospital.example"}, AnyOrder: true})
	f := a.follower("陈素心")
	swapped := strings.Replace(link(a.Account().AppID, "snsapi_base", "s1"), "response_type=code&scope=snsapi_base", "scope=snsapi_base&response_type=code", 1)
	_, err := f.Authorize(swapped, true)
	require.NoError(t, err)
	_, err = f.Authorize(strings.Replace(swapped, "&state", "&scope=snsapi_base&state", 1), true)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "0"}, "twice is never right")
}

// browse is what a browser does at the page.
func (a *account) browse(method, link, openID, form string) *httptest.ResponseRecorder {
	link, _, _ = strings.Cut(link, "#") // a browser keeps the fragment to itself
	r := httptest.NewRequest(method, link, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if openID != "" {
		r.AddCookie(&http.Cookie{Name: "wechattest_openid", Value: openID})
	}
	w := httptest.NewRecorder()
	a.Open().ServeHTTP(w, r)
	return w
}

func TestABrowserGoesThroughTheAuthorizePage(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{Domains: []string{"hospital.example"}, AskConsent: true})
	f := a.follower("陈素心")
	base, full := link(a.Account().AppID, "snsapi_base", "s1"), link(a.Account().AppID, "snsapi_userinfo", "s1")
	stranger := a.browse(http.MethodGet, base, "", "")
	require.Contains(t, stranger.Body.String(), "请在微信客户端打开链接")
	require.Equal(t, http.StatusOK, stranger.Code)

	silent := a.browse(http.MethodGet, base, f.OpenID(), "")
	require.Equal(t, http.StatusFound, silent.Code)
	require.Regexp(t, `^https://hospital\.example/in\?a=1&code=[0-9A-Za-z]{32}&state=s1$`, silent.Header().Get("Location"))

	page := a.browse(http.MethodGet, full, f.OpenID(), "")
	require.Equal(t, http.StatusOK, page.Code)
	require.Contains(t, page.Body.String(), "允许")
	require.Empty(t, page.Header().Get("Location"))
	require.Equal(t, "https://hospital.example/in?a=1&state=s1", a.browse(http.MethodPost, full, f.OpenID(), "answer=refuse").Header().Get("Location"))
	require.Contains(t, a.browse(http.MethodPost, full, f.OpenID(), "answer=allow").Header().Get("Location"), "code=")

	wrong := a.browse(http.MethodGet, strings.Replace(base, "hospital.example", "evil.example", 1), f.OpenID(), "")
	require.Equal(t, http.StatusOK, wrong.Code)
	require.Contains(t, wrong.Body.String(), "redirect_uri域名与后台配置不一致，错误码:10003")
	require.Equal(t, http.StatusMethodNotAllowed, a.browse(http.MethodPut, base, f.OpenID(), "").Code)
}

// FuzzAuthorize opens any link; nobody is ever sent to a foreign host.
func FuzzAuthorize(f *testing.F) {
	a := open(f, wechattest.Config{Domains: []string{"hospital.example"}, AppID: "wx0000000000000001"})
	person := a.follower("陈素心")
	for _, scope := range []string{"snsapi_base", "snsapi_userinfo"} {
		_, query, _ := strings.Cut(link("wx0000000000000001", scope, "s1"), "?")
		f.Add(strings.TrimSuffix(query, "#wechat_redirect"))
	}
	f.Fuzz(func(t *testing.T, query string) {
		address, err := person.Authorize("https://open.weixin.qq.com/connect/oauth2/authorize?"+query+"#wechat_redirect", true)
		if err != nil {
			return
		}
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, "hospital.example", u.Host)
		require.Contains(t, []string{"http", "https"}, u.Scheme)
	})
}
