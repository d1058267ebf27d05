package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func booked(to string) wechat.Notice {
	return wechat.Notice{
		Kind: wechat.TemplateMessage, To: wechat.OpenID(to), Template: "T-booked", URL: "https://h.example.com/a/1",
		Data: map[string]string{"thing1": "陈素心", "time2": "2026年11月26日 08:30"}, Key: "notice-000001",
	}
}

func report(to string) wechat.Notice {
	return wechat.Notice{Kind: wechat.SubscriptionNotice, To: wechat.OpenID(to), Template: "S-report", Data: map[string]string{"thing1": "血常规 <&>"}}
}

// follower lets somebody follow the account of the site.
func (s *site) follower(tb testing.TB, name string) *wechattest.Follower {
	tb.Helper()
	f, err := s.Join(name)
	require.NoError(tb, err)
	require.NoError(tb, f.Follow(tb.Context()))
	return f
}

// cards are the notices on the phone.
func cards(f *wechattest.Follower) (lines []string) {
	for _, bubble := range f.Chat() {
		for _, card := range bubble.Cards {
			line := card.Title
			for _, l := range card.Lines {
				line += "|" + l.Name + "=" + l.Value
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func (s *site) settle(tb testing.TB) {
	tb.Helper()
	for range 4 {
		_, err := s.Advance(tb.Context())
		require.NoError(tb, err)
		<-time.After(time.Minute)
	}
}

func TestNoticesReachThePhone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		client := s.client(t, nil)
		f := s.follower(t, "陈素心")
		sent, err := client.Notify(t.Context(), booked(f.OpenID()))
		require.NoError(t, err)
		require.Positive(t, sent.MsgID)
		require.NoError(t, f.Subscribe(t.Context(), true, "S-report"))
		_, err = client.Notify(t.Context(), report(f.OpenID()))
		require.NoError(t, err)
		s.settle(t)
		require.ElementsMatch(t, []string{"预约成功|就诊人=陈素心|时间=2026年11月26日 08:30", "报告已出|项目=血常规 <&>"}, cards(f))

		_, err = client.Notify(t.Context(), report(f.OpenID()))
		require.ErrorIs(t, err, wechat.ErrNoConsent, "one acceptance is one message")
		require.True(t, wechat.Unreachable(err))

		require.NoError(t, f.Unfollow(t.Context()))
		_, err = client.Notify(t.Context(), booked(f.OpenID()))
		require.ErrorIs(t, err, wechat.ErrNotFollowing)
		require.True(t, wechat.Unreachable(err))
	})
}

func TestWhatBecomesOfALostAnswer(t *testing.T) {
	t.Parallel()
	keyless := func(to string) wechat.Notice { n := booked(to); n.Key = ""; return n }
	for name, test := range map[string]struct {
		notice func(to string) wechat.Notice
		fault  wechattest.Fault
		kind   hospital.Kind // 0 for success
		code   string
		calls  int
		shown  int
	}{
		"a template message with a key is repeated and shown once":    {booked, wechattest.Fault{Kind: wechattest.AnswerLost, Times: 2}, 0, "", 3, 1},
		"so it is when the platform is busy":                          {booked, wechattest.Fault{Kind: wechattest.Busy, Times: 2}, 0, "", 3, 1},
		"so it is when a gateway fails":                               {booked, wechattest.Fault{Kind: wechattest.ServerError, Times: 2}, 0, "", 3, 1},
		"a platform that stays busy leaves it open":                   {booked, wechattest.Fault{Kind: wechattest.Busy}, hospital.Indeterminate, "-1", 3, 0},
		"a template message without a key is sent once":               {keyless, wechattest.Fault{Kind: wechattest.AnswerLost}, hospital.Indeterminate, "connection_lost", 1, 1},
		"a subscription notice is sent once":                          {report, wechattest.Fault{Kind: wechattest.AnswerLost}, hospital.Indeterminate, "connection_lost", 1, 1},
		"a busy platform may have sent a subscription notice":         {report, wechattest.Fault{Kind: wechattest.Busy}, hospital.Indeterminate, "-1", 1, 0},
		"half an answer leaves it open":                               {report, wechattest.Fault{Kind: wechattest.Truncated}, hospital.Indeterminate, "bad_answer", 1, 1},
		"a platform that is too slow leaves it open":                  {keyless, wechattest.Fault{Kind: wechattest.Slow, Wait: time.Minute}, hospital.Indeterminate, "timeout", 1, 1},
		"a gateway's error leaves what has no key open":               {keyless, wechattest.Fault{Kind: wechattest.ServerError}, hospital.Indeterminate, "http_502", 1, 0},
		"a page in place of an answer leaves it open":                 {booked, wechattest.Fault{Kind: wechattest.Page}, hospital.Indeterminate, "bad_answer", 1, 1},
		"a line that is dead before the platform may have carried it": {report, wechattest.Fault{Kind: wechattest.Dead}, hospital.Indeterminate, "connection_lost", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				client := s.client(t, nil)
				f := s.follower(t, "陈素心")
				require.NoError(t, f.Subscribe(t.Context(), true, "S-report"))
				require.Empty(t, ask(t, 1, client))
				notice := test.notice(f.OpenID())
				test.fault.Path = "/cgi-bin/message/template/send"
				if notice.Kind == wechat.SubscriptionNotice {
					test.fault.Path = "/cgi-bin/message/subscribe/bizsend"
				}
				require.NoError(t, s.Break(test.fault))
				_, err := client.Notify(t.Context(), notice)
				if test.kind == 0 {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, &hospital.Error{Kind: test.kind, Code: test.code})
				}
				require.Equal(t, test.calls, s.count(test.fault.Path))
				s.settle(t)
				require.Len(t, cards(f), test.shown)
			})
		})
	}
}

func TestADoubtIsNotLiftedByALaterRefusal(t *testing.T) {
	t.Parallel()
	const busy, dead, over = `{"errcode":-1,"errmsg":"system error"}`, `{"errcode":40001,"errmsg":"invalid credential"}`, `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`
	for name, test := range map[string]struct {
		answers []string
		kind    hospital.Kind
	}{
		"a quota that is used up":                    {[]string{over}, hospital.Unavailable},
		"a quota, after the platform was busy":       {[]string{busy, over}, hospital.Indeterminate},
		"a quota, after a token was refused":         {[]string{dead, over}, hospital.Unavailable},
		"a quota, after it was busy and refused one": {[]string{busy, dead, over}, hospital.Indeterminate},
		"two tokens, after the platform was busy":    {[]string{busy, dead, dead}, hospital.Indeterminate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, err := scripted(t, test.answers).Notify(t.Context(), booked(testOpenID))
				require.Equal(t, test.kind, hospital.KindOf(err), "%v", err)
			})
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// scripted is a client whose platform gives a token and then these answers.
func scripted(tb testing.TB, answers []string) *wechat.Client {
	tb.Helper()
	tokens := 0
	client, err := wechat.New(wechat.Config{
		AppID: testAppID, Secret: "TESTING-SECRET", TripAfter: -1,
		HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			if r.URL.Path == "/cgi-bin/stable_token" {
				tokens++
				_, _ = fmt.Fprintf(w, `{"access_token":"TESTING-ACCESS-TOKEN-%d","expires_in":7200}`, tokens)
				return w.Result(), nil
			}
			if len(answers) == 0 {
				return nil, errors.New("nothing left to say")
			}
			_, _ = io.WriteString(w, answers[0])
			answers = answers[1:]
			return w.Result(), nil
		})},
	})
	require.NoError(tb, err)
	return client
}

func TestAPlatformThatRepeatsWhatItWasToldIsNotPrinted(t *testing.T) {
	t.Parallel()
	_, err := scripted(t, []string{`{"errcode":47003,"errmsg":"argument invalid! 血常规 <&> of TESTING-ACCESS-TOKEN-1 by TESTING-SECRET"}`}).
		Notify(t.Context(), report(testOpenID))
	require.ErrorContains(t, err, "argument invalid! *** of *** by ***")
}

func TestAnAnswerThatIsNoneIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing": "", "a list": "[]", "half": `{"errcode":0`, "a word": `"ok"`, "a code that is no number": `{"errcode":"x"}`,
	} {
		err := scripted(t, []string{body}).DeleteMenu(t.Context())
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Indeterminate, Code: "bad_answer"}, name)
		_, err = scripted(t, []string{body}).Menu(t.Context())
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "bad_answer"}, name)
	}
	require.NoError(t, scripted(t, []string{`{"errcode":"0"}`}).DeleteMenu(t.Context()), "a number in quotes")
}

// TestNothingSecretIsPrinted fails calls in every way the platform knows and
// looks for what must not stand in errors and log lines.
func TestNothingSecretIsPrinted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		client := s.client(t, nil)
		f := s.follower(t, "陈素心")
		login, err := wechat.NewLogin(wechat.LoginConfig{Client: client, RedirectURL: "https://h.example.com/login", Key: []byte("TESTING KEY login")})
		require.NoError(t, err)
		var printed strings.Builder
		try := func(err error) {
			if err != nil {
				fmt.Fprintf(&printed, "%v %+v\n", err, err)
			}
		}
		for _, kind := range []wechattest.FaultKind{0, wechattest.Dead, wechattest.ServerError, wechattest.Busy, wechattest.AnswerLost, wechattest.Truncated, wechattest.Page} {
			if kind != 0 {
				require.NoError(t, s.Break(wechattest.Fault{Kind: kind}))
			}
			_, err := client.Notify(t.Context(), booked(f.OpenID()))
			try(err)
			_, err = client.Notify(t.Context(), report(f.OpenID()))
			try(err)
			try(client.SendText(t.Context(), "o0000000000000000000000000000", "给陈素心"))
			_, err = client.FindUser(t.Context(), "o0000000000000000000000000000")
			try(err)
			_, err = client.ConfigurePage(t.Context(), "https://h.example.com/p?patient=P1")
			try(err)
			link, err := login.Begin("session-secret")
			require.NoError(t, err)
			_, err = login.Finish(t.Context(), "session-secret", queryOf(t, link, "WRONG-CODE"))
			try(err)
			s.Mend()
		}
		try(s.Spoil(wechattest.Stable))
		try(client.DeleteMenu(t.Context()))
		s.mu.Lock()
		defer s.mu.Unlock()
		everything := printed.String() + s.log.String()
		require.Greater(t, strings.Count(everything, "\n"), 60)
		secrets := []string{s.Account().Secret, f.OpenID(), "o0000000000000000000000000000", "陈素心", "WRONG-CODE", "session-secret", "P1", "TESTING KEY login"}
		for _, asked := range s.asked {
			if token := asked.Query().Get("access_token"); token != "" {
				secrets = append(secrets, token)
			}
		}
		require.Greater(t, len(secrets), 12)
		for _, secret := range secrets {
			require.NotContains(t, everything, secret)
		}
		require.NotContains(t, everything, "access_token=")
		require.NotContains(t, everything, "secret=")
	})
}

func TestAnAddressThatIsNotListedIsTheOperatorsBusiness(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *wechattest.Config) { c.AllowIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	err := s.client(t, nil).DeleteMenu(t.Context())
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Internal, Code: "40164"})
	require.ErrorContains(t, err, "192.0.2.1", "the operator has to enter it in the console")
}

func TestASecretThatIsRefusedIsTheOperatorsBusiness(t *testing.T) {
	t.Parallel()
	var calls int
	client, err := wechat.New(wechat.Config{
		AppID: testAppID, Secret: "TESTING-SECRET", HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			calls++
			w := httptest.NewRecorder()
			_, _ = io.WriteString(w, `{"errcode":40001,"errmsg":"AppSecret error rid: 6743d0a1-0a1b2c3d-4e5f6071"}`)
			return w.Result(), nil
		})},
	})
	require.NoError(t, err)
	err = client.DeleteMenu(t.Context())
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Internal, Code: "40001"})
	require.Equal(t, wechat.ClassConfig, wechat.ClassOf(err))
	require.Equal(t, 1, calls, "nothing is forced for it")
}

func TestTextIsSentAsItIsWritten(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	f := s.follower(t, "陈素心")
	const text = "您好 <b>&\"\\\u2028 \\u2028 😀\n第二行"
	require.NoError(t, client.SendText(t.Context(), wechat.OpenID(f.OpenID()), text+"\x00"))
	chat := f.Chat()
	require.Equal(t, text+"\ufffd", chat[len(chat)-1].Text)

	for name, test := range map[string]struct {
		to   wechat.OpenID
		text string
	}{
		"nobody": {"", "a"}, "nothing": {testOpenID, ""}, "too much": {testOpenID, strings.Repeat("字", 683)},
	} {
		require.Equal(t, hospital.Invalid, hospital.KindOf(client.SendText(t.Context(), test.to, test.text)), name)
	}
	require.NoError(t, client.SendText(t.Context(), wechat.OpenID(f.OpenID()), "2"))
	require.NoError(t, client.SendText(t.Context(), wechat.OpenID(f.OpenID()), "3"))
	err := client.SendText(t.Context(), wechat.OpenID(f.OpenID()), "4")
	require.True(t, wechat.Unreachable(err), "%v", err)
}

func TestUsersAreFound(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	f, err := s.Join("陈素心")
	require.NoError(t, err)
	require.NoError(t, f.Scan(t.Context(), "bed12"))
	user, err := client.FindUser(t.Context(), wechat.OpenID(f.OpenID()))
	require.NoError(t, err)
	require.True(t, user.Subscribed)
	require.NotEmpty(t, user.UnionID)
	require.Equal(t, "bed12", user.Scene)
	require.WithinDuration(t, time.Now(), user.SubscribedAt, time.Minute)
	require.NoError(t, f.Unfollow(t.Context()))
	user, err = client.FindUser(t.Context(), wechat.OpenID(f.OpenID()))
	require.NoError(t, err)
	require.Equal(t, wechat.User{OpenID: wechat.OpenID(f.OpenID())}, user)
	_, err = client.FindUser(t.Context(), testOpenID)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "40003"})
	_, err = scripted(t, []string{`{"subscribe":1,"openid":"o-somebody-else"}`}).FindUser(t.Context(), testOpenID)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "bad_answer"})
}

func TestPagesAreConfigured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		client := s.client(t, nil)
		token := ""
		for range 3 {
			config, err := client.ConfigurePage(t.Context(), "https://h.example.com/p?a=1&b=2#top")
			require.NoError(t, err)
			require.Equal(t, s.Account().AppID, config.AppID)
			if token == "" {
				token = s.asked[len(s.asked)-1].Query().Get("access_token")
			}
			ticket := s.ticket(t, token)
			require.Equal(t, wechat.SignPage(ticket, config.Nonce, config.Timestamp, "https://h.example.com/p?a=1&b=2"), config.Signature)
			require.Len(t, config.Nonce, 16)
		}
		require.Equal(t, 1+3, s.count("/cgi-bin/ticket/getticket"), "one of ours, three of the test's")
		<-time.After(2 * time.Hour)
		_, err := client.ConfigurePage(t.Context(), "https://h.example.com/p")
		require.NoError(t, err)
		for _, address := range []string{"", "h.example.com", "ftp://h.example.com", "/p", "https://"} {
			_, err := client.ConfigurePage(t.Context(), address)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err), address)
		}
	})
}

// ticket asks the platform behind the client's back.
func (s *site) ticket(tb testing.TB, token string) string {
	tb.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/cgi-bin/ticket/getticket?type=jsapi&access_token="+token, nil))
	_, after, found := strings.Cut(w.Body.String(), `"ticket":"`)
	require.True(tb, found, w.Body)
	ticket, _, _ := strings.Cut(after, `"`)
	return ticket
}

func TestNewNamesTheBadField(t *testing.T) {
	t.Parallel()
	for field, edit := range map[string]func(*wechat.Config){
		"AppID":   func(c *wechat.Config) { c.AppID = "" },
		"Secret":  func(c *wechat.Config) { c.Secret = "" },
		"BaseURL": func(c *wechat.Config) { c.BaseURL = "api.weixin.qq.com" },
		"OpenURL": func(c *wechat.Config) { c.OpenURL = "open.weixin.qq.com" },
		"Timeout": func(c *wechat.Config) { c.Timeout = -1 },
	} {
		config := wechat.Config{AppID: testAppID, Secret: "TESTING-SECRET"}
		edit(&config)
		_, err := wechat.New(config)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), field)
		require.ErrorContains(t, err, field)
		require.NotContains(t, err.Error(), "TESTING-SECRET")
	}
}

func TestAnOpenIDMasksItself(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).InfoContext(context.WithoutCancel(t.Context()), "x", "a", wechat.OpenID(testOpenID), "b", wechat.OpenID("short"))
	require.Contains(t, log.String(), "a=***3bGY b=***")
}
