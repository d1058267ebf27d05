package wechattest_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	picture "image/png"
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

const createQR = "/cgi-bin/qrcode/create"

func TestAQRCodeIsCheckedByItsAction(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	for body, code := range map[string]int{
		`"expire_seconds":2592000,"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":4294967295}}`:          0,
		`"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":1}}`:                                            0,
		`"expire_seconds":2592001,"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":1}}`:                   40053,
		`"expire_seconds":0,"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":1}}`:                         40053,
		`"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":4294967296}}`:                                   40053,
		`"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":0}}`:                                            40053,
		`"action_name":"QR_SCENE","action_info":{"scene":{"scene_str":"a"}}`:                                         40053,
		`"action_name":"QR_SCENE","action_info":{"scene_id":1}`:                                                      47001,
		`"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":"1"}}`:                                          47001,
		`"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":"desk"}}`:                                  0,
		`"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":""}}`:                                      40053,
		`"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_id":1}}`:                                        40053,
		`"action_name":"QR_LIMIT_SCENE","action_info":{"scene":{"scene_id":100000}}`:                                 0,
		`"action_name":"QR_LIMIT_SCENE","action_info":{"scene":{"scene_id":100001}}`:                                 40053,
		`"expire_seconds":60,"action_name":"QR_LIMIT_SCENE","action_info":{"scene":{"scene_id":1}}`:                  40053,
		`"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"` + strings.Repeat("a", 64) + `"}}`: 0,
		`"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"` + strings.Repeat("a", 65) + `"}}`: 40053,
		`"action_name":"QR","action_info":{"scene":{"scene_id":1}}`:                                                  40052,
		`"action_info":{"scene":{"scene_id":1}}`:                                                                     40052,
		`"action":"QR_SCENE","action_info":{"scene":{"scene_id":1}}`:                                                 47001,
	} {
		require.Equal(t, code, a.post(createQR, "{"+body+"}").Code, body)
	}
}

// scanned is what an account is told about a scan.
type scanned struct{ Event, EventKey, Ticket string }

func TestAScanTellsTheSceneToAStrangersAndAFollowersAccount(t *testing.T) {
	t.Parallel()
	var pushed []scanned
	a := open(t, wechattest.Config{
		Mode: wechat.Plain, Callback: "http://hospital.example/wechat",
		HTTPClient: inProcess(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			var push scanned
			if err != nil || xml.Unmarshal(body, &push) != nil {
				t.Error("an unreadable push")
			}
			pushed = append(pushed, push)
		})),
	})
	made := a.post(createQR, `{"expire_seconds":60,"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":12}}}`)
	require.Contains(t, made.raw, `"expire_seconds":60`)
	named := a.post(createQR, `{"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"ward-3"}}}`)
	require.NotContains(t, named.raw, "expire_seconds")
	again := a.post(createQR, `{"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"ward-3"}}}`)
	require.Equal(t, named.Ticket, again.Ticket, "a permanent scene has one code")

	stranger, err := a.Join("陈素心")
	require.NoError(t, err)
	require.NoError(t, stranger.ScanCode(t.Context(), made.URL))
	require.NoError(t, stranger.ScanCode(t.Context(), named.Ticket))
	require.NoError(t, stranger.ScanCode(t.Context(), "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket="+named.Ticket))
	require.Equal(t, []scanned{
		{"subscribe", "qrscene_12", made.Ticket}, {"SCAN", "ward-3", named.Ticket}, {"SCAN", "ward-3", named.Ticket},
	}, pushed)
	info := a.get("/cgi-bin/user/info", "openid", stranger.OpenID()).raw
	require.Contains(t, info, `"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":12,"qr_scene_str":""`)

	got := a.ask(http.MethodGet, "/cgi-bin/showqrcode", "", "ticket", made.Ticket)
	require.Equal(t, "image/png", got.Header().Get("Content-Type"))
	shown, err := picture.Decode(bytes.NewReader(got.Body.Bytes()))
	require.NoError(t, err)
	require.Greater(t, shown.Bounds().Dx(), 200)
	require.Equal(t, http.StatusNotFound, a.ask(http.MethodGet, "/cgi-bin/showqrcode", "", "ticket", "x").Code)

	a.clock.Pass(time.Minute)
	require.Equal(t, http.StatusNotFound, a.ask(http.MethodGet, "/cgi-bin/showqrcode", "", "ticket", made.Ticket).Code)
	require.ErrorIs(t, stranger.ScanCode(t.Context(), made.URL), &hospital.Error{Kind: hospital.NotFound, Code: "no_code"})
}

func TestTheControlSurfaceScansACodeAndChangesThePhone(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	site := wechattest.Start(t, wechattest.Config{Mode: wechat.Plain, Templates: templates()})
	site.CallbackTo(inbox)
	a := &account{Platform: site.Platform, tb: t}
	stranger, err := site.Join("陈素心")
	require.NoError(t, err)
	code := a.post(createQR, `{"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"ward-3"}}}`)
	status, body := steer(t, site, http.MethodPost, "/_sim/scancode", "openid", stranger.OpenID(), "code", code.URL)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, inbox.last(), "qrscene_ward-3")
	status, _ = steer(t, site, http.MethodPost, "/_sim/scancode", "openid", stranger.OpenID(), "code", "x")
	require.Equal(t, http.StatusNotFound, status)
	status, _ = steer(t, site, http.MethodPost, "/_sim/phone", "openid", stranger.OpenID(), "phone", "ios")
	require.Equal(t, http.StatusOK, status)
	status, _ = steer(t, site, http.MethodPost, "/_sim/phone", "openid", stranger.OpenID(), "phone", "fax")
	require.Equal(t, http.StatusBadRequest, status)
}

func TestAShortKeyGivesItsTextBack(t *testing.T) {
	t.Parallel()
	const gen, fetch = "/cgi-bin/shorten/gen", "/cgi-bin/shorten/fetch"
	a := open(t, wechattest.Config{})
	long := func(n int) string { return fmt.Sprintf(`{"long_data":%q,"expire_seconds":60}`, strings.Repeat("a", n)) }
	refusals(t, a, gen, map[string]int{
		long(0):    47003,
		long(4097): 9410010,
		`{"long_data":"a","expire_seconds":2592001}`: 9410011,
		`{"long_data":"a","expire_seconds":0}`:       9410011,
		`{"long_data":"a","expire_seconds":"60"}`:    47001,
		`{"data":"a"}`: 47001,
	})
	key := a.post(gen, long(4096)).Key
	require.Regexp(t, "^[0-9a-zA-Z]{15}$", key)
	a.clock.Pass(10 * time.Second)
	require.Contains(t, a.post(fetch, `{"short_key":"`+key+`"}`).raw, fmt.Sprintf(`"create_time":%d,"expire_seconds":50`, opening.Unix()))
	refusals(t, a, fetch, map[string]int{`{"short_key":""}`: 47003, `{"short_key":"x"}`: 9410012, `{"key":"x"}`: 47001})
	a.clock.Pass(50 * time.Second)
	require.Equal(t, 9410012, a.post(fetch, `{"short_key":"`+key+`"}`).Code)
}

func TestAMiniProgramsCodeServesOnce(t *testing.T) {
	t.Parallel()
	const path = "/sns/jscode2session"
	a := open(t, wechattest.Config{MiniPrograms: []string{"wx1", "wx2"}, UnionIDs: true})
	f := a.follower("陈素心")
	secret, err := a.MiniSecret("wx1")
	require.NoError(t, err)
	_, err = a.MiniSecret("wx3")
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.NotFound, Code: "no_mini_program"})
	_, err = f.MiniLogin("wx3")
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.NotFound, Code: "no_mini_program"})
	login := func(appID string) string {
		code, err := f.MiniLogin(appID)
		require.NoError(t, err)
		return code
	}
	ask := func(appID, secret, code, grant string) answer {
		return read(t, a.ask(http.MethodGet, path, "", "appid", appID, "secret", secret, "js_code", code, "grant_type", grant))
	}
	const grant = "authorization_code"
	code := login("wx1")
	require.Equal(t, 41002, ask("", secret, code, grant).Code)
	require.Equal(t, 41004, ask("wx1", "", code, grant).Code)
	require.Equal(t, 41008, ask("wx1", secret, "", grant).Code)
	require.Equal(t, 40002, ask("wx1", secret, code, "code").Code)
	require.Equal(t, 40013, ask("wx3", secret, code, grant).Code)
	require.Equal(t, 40125, ask("wx1", a.Account().Secret, code, grant).Code)
	require.Equal(t, 40029, ask("wx1", secret, "x", grant).Code)
	require.Equal(t, 40029, ask("wx1", secret, login("wx2"), grant).Code, "the code of another mini program")
	got := ask("wx1", secret, code, grant)
	require.Regexp(t, `^\{"session_key":"[A-Za-z0-9+/]{22}==","openid":"o[A-Za-z0-9_-]{27}","unionid":"`, got.raw)
	require.NotContains(t, got.raw, f.OpenID(), "a mini program knows the user under another openid")
	require.Equal(t, 40163, ask("wx1", secret, code, grant).Code)
	late := login("wx1")
	a.clock.Pass(5 * time.Minute)
	require.Equal(t, 40029, ask("wx1", secret, late, grant).Code)
	require.NoError(t, f.Suspect(true))
	require.Equal(t, 40226, ask("wx1", secret, login("wx1"), grant).Code)
}
