package wechattest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

const ticketPath = "/cgi-bin/ticket/getticket"

func TestAQuotaIsAskedAboutAndClearedByPath(t *testing.T) {
	t.Parallel()
	const get, clear = "/cgi-bin/openapi/quota/get", "/cgi-bin/openapi/quota/clear"
	a := open(t, wechattest.Config{Quotas: map[string]wechattest.Quota{ticketPath: {Day: 3, Minute: 9}}})
	path := func(p string) string { return bodyOf(t, object{"cgi_path": p}) }
	require.Zero(t, a.get(ticketPath, "type", "jsapi").Code)
	require.Zero(t, a.get("/cgi-bin/menu/delete").Code)
	require.JSONEq(t, `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":3,"used":1,"remain":2},"rate_limit":{"call_count":9,"refresh_second":60}}`, a.post(get, path(ticketPath)).raw)
	for _, call := range []string{get, clear} {
		refusals(t, a, call, map[string]int{
			path("cgi-bin/ticket/getticket"):                           76003,
			path("https://api.weixin.qq.com/cgi-bin/ticket/getticket"): 76003,
			path(""):                         76003,
			path("/cgi-bin/nothing"):         76021,
			path("/sns/oauth2/access_token"): 76022,
			`{"path":"/cgi-bin/token"}`:      47001,
		})
	}
	require.Zero(t, a.post(clear, path(ticketPath)).Code)
	require.Contains(t, a.post(get, path(ticketPath)).raw, `"used":0,"remain":3`)
	require.Contains(t, a.post(get, path("/cgi-bin/menu/delete")).raw, `"used":1`, "another path keeps its own")
	a.clock.Pass(24 * time.Hour)
	require.Contains(t, a.post(get, path("/cgi-bin/menu/delete")).raw, `"used":0`)
}

func TestQuotasAreClearedBySecretWhenNoTokenIsLeft(t *testing.T) {
	t.Parallel()
	const path = "/cgi-bin/clear_quota/v2"
	a := open(t, wechattest.Config{Quotas: map[string]wechattest.Quota{ticketPath: {Day: 1}}})
	ours := a.Account()
	ask := func(v any) int { return read(t, a.ask(http.MethodPost, path, bodyOf(t, v))).Code }
	require.Zero(t, a.get(ticketPath, "type", "jsapi").Code)
	require.Equal(t, 45009, a.get(ticketPath, "type", "jsapi").Code)
	require.Equal(t, 41002, ask(object{"appsecret": ours.Secret}))
	require.Equal(t, 41004, ask(object{"appid": ours.AppID}))
	require.Equal(t, 40013, ask(object{"appid": "wx0", "appsecret": ours.Secret}))
	require.Equal(t, 40125, ask(object{"appid": ours.AppID, "appsecret": "x"}))
	require.Equal(t, 47001, ask(object{"appid": ours.AppID, "secret": ours.Secret}))
	require.Zero(t, ask(object{"appid": ours.AppID, "appsecret": ours.Secret}))
	require.Zero(t, a.get(ticketPath, "type", "jsapi").Code)
	for range 9 {
		require.Zero(t, ask(object{"appid": ours.AppID, "appsecret": ours.Secret}))
	}
	require.Equal(t, 48006, ask(object{"appid": ours.AppID, "appsecret": ours.Secret}), "ten a month, whichever call")
	require.Equal(t, 48006, a.post("/cgi-bin/clear_quota", `{"appid":"`+ours.AppID+`"}`).Code)
}

// ridOf returns the rid of a refusal.
func ridOf(t *testing.T, got answer) string {
	t.Helper()
	_, rid, found := strings.Cut(got.Text, " rid: ")
	require.True(t, found, got.raw)
	return rid
}

func TestARefusedCallIsFoundByItsRIDWithoutWhatOpensADoor(t *testing.T) {
	t.Parallel()
	const path = "/cgi-bin/openapi/rid/get"
	a := open(t, wechattest.Config{})
	token := a.token()
	refused := a.post("/cgi-bin/tags/create", `{"tag":{"name":""}}`)
	var found struct {
		Request struct {
			Time     int64  `json:"invoke_time"`
			Query    string `json:"request_url"`
			Body     string `json:"request_body"`
			Response string `json:"response_body"`
			IP       string `json:"client_ip"`
		} `json:"request"`
	}
	got := a.post(path, `{"rid":"`+ridOf(t, refused)+`"}`)
	require.NoError(t, json.Unmarshal([]byte(got.raw), &found))
	require.Equal(t, opening.Unix(), found.Request.Time)
	require.Equal(t, "access_token="+token[:6]+"xxxx", found.Request.Query)
	require.JSONEq(t, `{"tag":{"name":""}}`, found.Request.Body)
	require.Equal(t, refused.raw, found.Request.Response)
	require.Equal(t, "192.0.2.1", found.Request.IP)

	secret := a.Account().Secret
	wrong := read(t, a.ask(http.MethodPost, "/cgi-bin/stable_token", bodyOf(t, object{"grant_type": "x", "appid": "wx0", "secret": secret})))
	got = a.post(path, `{"rid":"`+ridOf(t, wrong)+`"}`)
	require.Zero(t, got.Code)
	require.NotContains(t, got.raw, secret)
	web := read(t, a.ask(http.MethodGet, "/sns/auth", ""))
	refusals(t, a, path, map[string]int{
		`{"rid":"` + ridOf(t, web) + `"}`:      76022,
		`{"rid":"61725984-6126f6f9-040f19c4"}`: 76001,
		`{"rid":"61725984"}`:                   76002,
		`{"rid":""}`:                           76002,
		`{"id":"61725984"}`:                    47001,
	})
	a.clock.Pass(7*24*time.Hour + time.Second)
	require.Equal(t, 76001, a.post(path, `{"rid":"`+ridOf(t, refused)+`"}`).Code)
}

func TestOnlyTheLastThousandRefusalsAreKept(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	first := a.get("/cgi-bin/nothing")
	a.clock.Pass(time.Second)
	for range 1000 {
		a.ask(http.MethodGet, "/cgi-bin/nothing", "")
	}
	require.Equal(t, 76001, a.post("/cgi-bin/openapi/rid/get", `{"rid":"`+ridOf(t, first)+`"}`).Code)
}

func TestThePlatformLooksForTheCallback(t *testing.T) {
	t.Parallel()
	const path = "/cgi-bin/callback/check"
	a := open(t, wechattest.Config{APIIPs: []string{"101.226.212.27"}})
	require.JSONEq(t, `{"ip_list":["101.226.212.27"]}`, a.get("/cgi-bin/get_api_domain_ip").raw)
	refusals(t, a, path, map[string]int{`{"action":"all","check_operator":"DEFAULT"}`: 40201})
	require.NoError(t, a.SetCallback("http://10.0.0.7:8080/wechat"))
	refusals(t, a, path, map[string]int{
		`{"action":"look","check_operator":"DEFAULT"}`: 40202,
		`{"check_operator":"DEFAULT"}`:                 40202,
		`{"action":"all","check_operator":"CMCC"}`:     40203,
		`{"action":"all"}`:                             40203,
		`{"action":"all","operator":"CAP"}`:            47001,
	})
	require.JSONEq(t, `{"dns":[{"ip":"10.0.0.7","real_operator":"CAP"}],"ping":[{"ip":"10.0.0.7","from_operator":"UNICOM","package_loss":"0%","time":"0.021ms"}]}`,
		a.post(path, `{"action":"all","check_operator":"UNICOM"}`).raw)
	require.NotContains(t, a.post(path, `{"action":"dns","check_operator":"CAP"}`).raw, "ping")
	require.NotContains(t, a.post(path, `{"action":"ping","check_operator":"CAP"}`).raw, "dns")
}
