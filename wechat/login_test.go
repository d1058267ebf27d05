package wechat_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

const redirect = "https://h.example.com/login?from=wechat"

func newLogin(tb testing.TB, client *wechat.Client, edit func(*wechat.LoginConfig)) *wechat.Login {
	tb.Helper()
	config := wechat.LoginConfig{Client: client, RedirectURL: redirect, Key: []byte("TESTING KEY login")}
	if edit != nil {
		edit(&config)
	}
	login, err := wechat.NewLogin(config)
	require.NoError(tb, err)
	return login
}

// queryOf is the query of a browser that comes back from the link with a code.
func queryOf(tb testing.TB, link, code string) url.Values {
	tb.Helper()
	u, err := url.Parse(link)
	require.NoError(tb, err)
	return url.Values{"state": {u.Query().Get("state")}, "code": {code}}
}

// through sends the user through the link and returns the query they come back with.
func through(tb testing.TB, f *wechattest.Follower, link string, agree bool) url.Values {
	tb.Helper()
	address, err := f.Authorize(link, agree)
	require.NoError(tb, err)
	require.True(tb, strings.HasPrefix(address, redirect+"&"), address)
	u, err := url.Parse(address)
	require.NoError(tb, err)
	return u.Query()
}

func newLoginSite(tb testing.TB) (*site, *wechattest.Follower) {
	tb.Helper()
	s := newSite(tb, func(c *wechattest.Config) { c.Domains = []string{"h.example.com"} })
	return s, s.follower(tb, "陈素心")
}

func TestALoginSaysWhoItIs(t *testing.T) {
	t.Parallel()
	s, f := newLoginSite(t)
	client := s.client(t, nil)
	login := newLogin(t, client, nil)
	link, err := login.Begin("session-a")
	require.NoError(t, err)
	require.Regexp(t, `^http://open\.test/connect/oauth2/authorize\?appid=`+s.Account().AppID+
		`&redirect_uri=https%3A%2F%2Fh\.example\.com%2Flogin%3Ffrom%3Dwechat&response_type=code&scope=snsapi_base&state=[0-9a-f]{62}#wechat_redirect$`, link)
	identity, err := login.Finish(t.Context(), "session-a", through(t, f, link, true))
	require.NoError(t, err)
	require.Equal(t, wechat.OpenID(f.OpenID()), identity.OpenID)
	require.Equal(t, []wechat.Scope{wechat.ScopeBase}, identity.Scopes)
	require.Empty(t, identity.UnionID)
	_, err = login.Profile(t.Context(), identity)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Denied, Code: "scope"})
	require.Zero(t, s.count("/sns/userinfo"), "nobody was asked")

	login = newLogin(t, client, func(c *wechat.LoginConfig) { c.Scope = wechat.ScopeUserInfo })
	link, err = login.Begin("session-a")
	require.NoError(t, err)
	identity, err = login.Finish(t.Context(), "session-a", through(t, f, link, true))
	require.NoError(t, err)
	require.NotEmpty(t, identity.UnionID)
	profile, err := login.Profile(t.Context(), identity)
	require.NoError(t, err)
	require.Equal(t, "陈素心", profile.Nickname)
	require.Equal(t, identity.OpenID, profile.OpenID)
	require.NotEmpty(t, profile.PictureURL)
}

func TestLoginsThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, f := newLoginSite(t)
		login := newLogin(t, s.client(t, nil), func(c *wechat.LoginConfig) { c.Scope = wechat.ScopeUserInfo })
		other := newLogin(t, s.client(t, nil), func(c *wechat.LoginConfig) { c.Key = []byte("TESTING KEY other") })
		begin := func(l *wechat.Login, session string) string {
			link, err := l.Begin(session)
			require.NoError(t, err)
			return link
		}
		finish := func(session string, query url.Values, code string) {
			t.Helper()
			before := s.count("/sns/oauth2/access_token")
			_, err := login.Finish(t.Context(), session, query)
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Denied, Code: code})
			require.NotEqual(t, hospital.MessageFor(&hospital.Error{Kind: hospital.Denied}), hospital.MessageFor(err), "the user reads what to do")
			if code == "bad_state" || code == "bad_code" || code == "login_refused" {
				require.Equal(t, before, s.count("/sns/oauth2/access_token"), "no code is spent")
			}
		}
		good := through(t, f, begin(login, "session-a"), true)
		with := func(name, value string) url.Values {
			query := url.Values{"code": good["code"], "state": good["state"]}
			query.Set(name, value)
			return query
		}
		state, flipped := good.Get("state"), "0"
		if strings.HasPrefix(state, flipped) {
			flipped = "1"
		}
		finish("session-b", good, "bad_state")                             // somebody else's browser
		finish("", good, "bad_state")                                      // no session
		finish("session-a", with("state", ""), "bad_state")                // no state
		finish("session-a", with("state", state[:60]), "bad_state")        // cut
		finish("session-a", with("state", flipped+state[1:]), "bad_state") // changed
		finish("session-a", with("state", "g"+state[1:]), "bad_state")     // no hex
		finish("session-a", url.Values{"code": {"x"}}, "bad_state")        // no state at all
		finish("session-a", url.Values{"code": {"x"}, "state": {state, state}}, "bad_state")
		finish("session-a", through(t, f, begin(other, "session-a"), true), "bad_state") // another key

		_, err := login.Finish(t.Context(), "session-a", good)
		require.NoError(t, err, "none of that has spent the honest one")
		finish("session-a", good, "bad_state") // a second time

		finish("session-a", through(t, f, begin(login, "session-a"), false), "login_refused")
		finish("session-a", queryOf(t, begin(login, "session-a"), ""), "bad_code")
		finish("session-a", queryOf(t, begin(login, "session-a"), strings.Repeat("x", 200)), "bad_code")
		finish("session-a", queryOf(t, begin(login, "session-a"), "made-up"), "40029")
		finish("session-a", queryOf(t, begin(login, "session-a"), good.Get("code")), "40163")

		slow := through(t, f, begin(login, "session-a"), true)
		<-time.After(10 * time.Minute)
		finish("session-a", slow, "bad_state")

		require.NoError(t, s.Snapshot(true))
		finish("session-a", through(t, f, begin(login, "session-a"), true), "snapshot_user")
	})
}

func TestALostAnswerToALoginLeavesNoDoubtForTheUser(t *testing.T) {
	t.Parallel()
	s, f := newLoginSite(t)
	login := newLogin(t, s.client(t, nil), nil)
	require.NoError(t, s.Break(wechattest.Fault{Kind: wechattest.AnswerLost, Path: "/sns/oauth2/access_token"}))
	link, err := login.Begin("session-a")
	require.NoError(t, err)
	_, err = login.Finish(t.Context(), "session-a", through(t, f, link, true))
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	require.Equal(t, "登录没有完成，请返回重新进入。", hospital.MessageFor(err))
	require.Equal(t, 1, s.count("/sns/oauth2/access_token"), "a code serves once, so it is not asked again")
}

// Who the platform does not let in would come round in a circle when told to
// enter again.
func TestAUserWhomThePlatformDoesNotLetInIsToldWhereToGo(t *testing.T) {
	t.Parallel()
	login := newLogin(t, scripted(t, []string{`{"errcode":40226,"errmsg":"code blocked"}`}), nil)
	link, err := login.Begin("session-a")
	require.NoError(t, err)
	_, err = login.Finish(t.Context(), "session-a", queryOf(t, link, "code"))
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "40226"})
	require.Equal(t, wechat.AdviceOtherWay, wechat.AdviceOf(err))
	require.Equal(t, blockedWords, hospital.MessageFor(err))
}

// brokenSpent is a memory that is down.
type brokenSpent struct{}

func (brokenSpent) Spend(context.Context, string, time.Time) (bool, error) {
	return false, errors.New("down")
}

func TestALoginFailsClosedWhenTheMemoryOfStatesIsDown(t *testing.T) {
	t.Parallel()
	s, f := newLoginSite(t)
	login := newLogin(t, s.client(t, nil), func(c *wechat.LoginConfig) { c.Spent = brokenSpent{} })
	link, err := login.Begin("session-a")
	require.NoError(t, err)
	_, err = login.Finish(t.Context(), "session-a", through(t, f, link, true))
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "spent_states"})
	require.Zero(t, s.count("/sns/oauth2/access_token"))
}

func TestNewLoginNamesTheBadField(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	for name, test := range map[string]struct {
		field string
		edit  func(*wechat.LoginConfig)
	}{
		"no client":               {"Client", func(c *wechat.LoginConfig) { c.Client = nil }},
		"no address":              {"RedirectURL", func(c *wechat.LoginConfig) { c.RedirectURL = "" }},
		"a code in the clear":     {"RedirectURL", func(c *wechat.LoginConfig) { c.RedirectURL = "http://h.example.com/login" }},
		"a host that looks local": {"RedirectURL", func(c *wechat.LoginConfig) { c.RedirectURL = "http://127.0.0.1.example.com/" }},
		"a fragment":              {"RedirectURL", func(c *wechat.LoginConfig) { c.RedirectURL = "https://h.example.com/#login" }},
		"a state of its own":      {"RedirectURL", func(c *wechat.LoginConfig) { c.RedirectURL = "https://h.example.com/?state=1" }},
		"an unknown scope":        {"Scope", func(c *wechat.LoginConfig) { c.Scope = "snsapi_all" }},
		"a short key":             {"Key", func(c *wechat.LoginConfig) { c.Key = []byte("TESTING KEY") }},
		"a negative age":          {"MaxAge", func(c *wechat.LoginConfig) { c.MaxAge = -1 }},
	} {
		config := wechat.LoginConfig{Client: client, RedirectURL: redirect, Key: []byte("TESTING KEY login")}
		test.edit(&config)
		_, err := wechat.NewLogin(config)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), name)
		require.ErrorContains(t, err, test.field, name)
	}
	_, err := newLogin(t, client, func(c *wechat.LoginConfig) { c.RedirectURL = "http://127.0.0.1:8080/login" }).Begin("")
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
}
