package wechattest_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestAClassicCallReplacesTheTokenBeforeWithFiveMinutesOverlap(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	first, second := a.classic(), a.classic()
	require.Equal(t, 7200, first.Expires)
	require.NotEqual(t, first.Token, second.Token)
	a.clock.Pass(5*time.Minute - time.Second)
	require.Zero(t, a.works(first.Token))
	a.clock.Pass(time.Second)
	require.Equal(t, 40001, a.works(first.Token))
	require.Zero(t, a.works(second.Token))
	a.clock.Pass(2*time.Hour - 5*time.Minute)
	require.Equal(t, 42001, a.works(second.Token))
	require.EqualValues(t, 2, a.Tokens(wechattest.Classic))
}

func TestTheStableTokenStaysUntilFiveMinutesBeforeItsEnd(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	first := a.stable(false)
	a.clock.Pass(time.Hour)
	again := a.stable(false)
	require.Equal(t, first.Token, again.Token)
	require.Equal(t, 3600, again.Expires)
	a.clock.Pass(time.Hour - 5*time.Minute)
	renewed := a.stable(false)
	require.NotEqual(t, first.Token, renewed.Token)
	require.Equal(t, 7200, renewed.Expires)
	a.clock.Pass(5*time.Minute - time.Second)
	require.Zero(t, a.works(first.Token), "both hold until the old one's end")
	a.clock.Pass(time.Second)
	require.NotZero(t, a.works(first.Token))
	require.Zero(t, a.works(renewed.Token))
}

func TestTheTwoKindsOfTokenAreIsolated(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	stable := a.stable(false).Token
	a.classic()
	a.classic()
	a.clock.Pass(10 * time.Minute)
	require.Zero(t, a.works(stable))
	require.Equal(t, stable, a.stable(false).Token)
	classic := a.classic().Token
	require.NotEqual(t, stable, a.stable(true).Token)
	require.Zero(t, a.works(classic))
}

func TestForceRefreshIsBounded(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	first := a.stable(false).Token
	second := a.stable(true).Token
	require.NotEqual(t, first, second)
	require.Equal(t, 40001, a.works(first), "a token that leaked ends at once")
	a.clock.Pass(29 * time.Second)
	require.Equal(t, second, a.stable(true).Token, "sooner than 30 s nothing is refreshed")
	for range 19 {
		a.clock.Pass(30 * time.Second)
		require.NotEqual(t, second, a.stable(true).Token)
	}
	a.clock.Pass(30 * time.Second)
	require.Equal(t, 45009, a.stable(true).Code, "the 21st of the day")
	require.Zero(t, a.stable(false).Code)
	a.clock.Pass(24 * time.Hour)
	a.stable(false)
	require.Zero(t, a.stable(true).Code)
}

func TestFiftyAtOnceGetOneStableToken(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	body := fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q}`, a.Account().AppID, a.Account().Secret)
	tokens := make(chan string, 50)
	for range cap(tokens) {
		go func() { tokens <- a.ask(http.MethodPost, "/cgi-bin/stable_token", body).Body.String() }()
	}
	first := <-tokens
	for range cap(tokens) - 1 {
		require.Equal(t, first, <-tokens)
	}
	require.EqualValues(t, 1, a.Tokens(wechattest.Stable))
}

func TestAnotherSystemRevokesTheToken(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	held := a.stable(false).Token
	require.NoError(t, a.Revoke(wechattest.Stable))
	require.Equal(t, 40001, a.works(held))
	fresh := a.stable(false).Token
	require.NotEqual(t, held, fresh)
	require.Zero(t, a.works(fresh))

	require.NoError(t, a.Spoil(wechattest.Stable))
	require.Equal(t, 40001, a.works(fresh))
	require.Equal(t, fresh, a.stable(false).Token, "the platform still gives it out")
	require.Zero(t, a.works(a.stable(true).Token))
}

func TestATokenIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	good := map[string]string{"grant_type": "client_credential", "appid": a.Account().AppID, "secret": a.Account().Secret}
	for name, test := range map[string]struct {
		field, value string
		code         int
		text         string
	}{
		"without an app id":    {"appid", "", 41002, "appid missing"},
		"without a secret":     {"secret", "", 41004, "appsecret missing"},
		"a foreign app id":     {"appid", "wx0", 40013, "invalid appid"},
		"a wrong secret":       {"secret", "0", 40125, "invalid appsecret"},
		"another grant type":   {"grant_type", "password", 40002, "invalid grant_type"},
		"without a grant type": {"grant_type", "", 40002, "invalid grant_type"},
	} {
		pairs := []string{}
		body := "{"
		for key, value := range good {
			if key == test.field {
				value = test.value
			}
			pairs = append(pairs, key, value)
			body += fmt.Sprintf("%q:%q,", key, value)
		}
		for _, got := range []answer{
			read(t, a.ask(http.MethodGet, "/cgi-bin/token", "", pairs...)),
			read(t, a.ask(http.MethodPost, "/cgi-bin/stable_token", body[:len(body)-1]+"}")),
		} {
			require.Equal(t, test.code, got.Code, name)
			require.Regexp(t, "^"+regexp.QuoteMeta(test.text)+" rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$", got.Text, name)
			require.Contains(t, got.Text, " rid: "+strconv.FormatInt(opening.Unix(), 16)+"-", "the first group is the time")
		}
	}
	require.Equal(t, 41001, a.works(""))
	require.Equal(t, 40001, a.works("guessed"))
	got := read(t, a.ask(http.MethodGet, "/cgi-bin/getcallbackip", "", "access_token", a.token()))
	require.JSONEq(t, `{"ip_list":["127.0.0.1"]}`, got.raw)
}

func TestOnlyListedAddressesFetchAToken(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{AllowIPs: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}})
	got := a.classic() // httptest asks from 192.0.2.1
	require.Equal(t, 40164, got.Code)
	require.Contains(t, got.Text, "invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist rid: ")
	require.Equal(t, 40164, a.stable(false).Code)
	a.AllowIPs(netip.MustParsePrefix("192.0.2.0/24"))
	require.Zero(t, a.classic().Code)
	require.Zero(t, a.stable(false).Code)
}
