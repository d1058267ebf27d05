package wechattest_test

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

// TestThePlatformRefusesInItsOwnWords provokes each refusal for which the words
// are known from the field, because programs compare them.
func TestThePlatformRefusesInItsOwnWords(t *testing.T) {
	t.Parallel()
	const send = "/cgi-bin/message/template/send"
	for name, test := range map[string]struct {
		code int
		text string
		ask  func(*testing.T, *account) answer
	}{
		"a token that was replaced": {
			40001, "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
			func(t *testing.T, a *account) answer {
				t.Helper()
				token := a.token()
				require.NoError(t, a.Revoke(wechattest.Stable))
				return read(t, a.ask(http.MethodGet, "/cgi-bin/getcallbackip", "", "access_token", token))
			},
		},
		"a token that has ended": {42001, "access_token expired", func(t *testing.T, a *account) answer {
			t.Helper()
			token := a.token()
			a.clock.Pass(3 * time.Hour)
			return read(t, a.ask(http.MethodGet, "/cgi-bin/getcallbackip", "", "access_token", token))
		}},
		"no token": {41001, "access_token missing", func(t *testing.T, a *account) answer {
			t.Helper()
			return read(t, a.ask(http.MethodGet, "/cgi-bin/getcallbackip", ""))
		}},
		"an app id of nobody's": {40013, "invalid appid", func(t *testing.T, a *account) answer {
			t.Helper()
			return read(t, a.ask(http.MethodGet, "/cgi-bin/token", "", "grant_type", "client_credential", "appid", "wx0", "secret", a.Account().Secret))
		}},
		"a user of nobody's": {40003, "invalid openid", func(t *testing.T, a *account) answer {
			t.Helper()
			return a.post(send, `{"touser":"o0","template_id":"booked","data":{"thing1":{"value":"a"},"time2":{"value":"15:01"},"thing22":{"value":"b"}}}`)
		}},
		"a profile that nobody agreed to": {48001, "api unauthorized", func(t *testing.T, a *account) answer {
			t.Helper()
			f := a.follower("陈素心")
			require.NoError(t, a.AddDomain("hospital.example"))
			login := a.exchange(a.authorize(f, "snsapi_base"))
			return read(t, a.ask(http.MethodGet, "/sns/userinfo", "", "access_token", login.Access, "openid", login.OpenID, "lang", "zh_CN"))
		}},
		"a question where something is told": {43002, "require POST method", func(t *testing.T, a *account) answer {
			t.Helper()
			return a.get(send)
		}},
		"nothing told": {44002, "empty post data", func(t *testing.T, a *account) answer {
			t.Helper()
			return a.post(send, "")
		}},
		"half of it told": {47001, "data format error", func(t *testing.T, a *account) answer {
			t.Helper()
			return a.post(send, `{"touser":`)
		}},
		"one call too many a day": {45009, "reach max api daily quota limit", func(t *testing.T, a *account) answer {
			t.Helper()
			require.Zero(t, a.get("/cgi-bin/user/get").Code)
			return a.get("/cgi-bin/user/get")
		}},
		"one call too many a minute": {45011, "api minute-quota reach limit must slower retry next minute", func(t *testing.T, a *account) answer {
			t.Helper()
			require.Zero(t, a.get("/cgi-bin/ticket/getticket", "type", "jsapi").Code)
			return a.get("/cgi-bin/ticket/getticket", "type", "jsapi")
		}},
		"busy": {-1, "system error", func(t *testing.T, a *account) answer {
			t.Helper()
			token := a.token()
			require.NoError(t, a.Break(wechattest.Fault{Kind: wechattest.Busy}))
			return read(t, a.ask(http.MethodGet, "/cgi-bin/getcallbackip", "", "access_token", token))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := open(t, wechattest.Config{Quotas: map[string]wechattest.Quota{"/cgi-bin/user/get": {Day: 1}, "/cgi-bin/ticket/getticket": {Minute: 1}}})
			got := test.ask(t, a)
			require.Equal(t, test.code, got.Code, got.Text)
			require.Regexp(t, "^"+regexp.QuoteMeta(test.text)+" rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$", got.Text)
		})
	}
}
