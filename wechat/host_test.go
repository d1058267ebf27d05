package wechat_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// door is a listener that speaks for the platform: what it does with the n-th
// connection's request is the handler's.
func door(tb testing.TB, handler http.HandlerFunc) (address string, calls *atomic.Int32) {
	tb.Helper()
	calls = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cgi-bin/stable_token" {
			_, _ = io.WriteString(w, `{"access_token":"TESTING-ACCESS-TOKEN","expires_in":7200}`)
			return
		}
		calls.Add(1)
		handler(w, r)
	}))
	tb.Cleanup(server.Close)
	return server.URL, calls
}

// shut is the address of a real listener that has just gone: connections to it
// are refused.
func shut(tb testing.TB) string {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	address := "http://" + listener.Addr().String()
	require.NoError(tb, listener.Close())
	return address
}

func fine(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
}

func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// witness keeps what Observe is told.
type witness struct {
	mu  sync.Mutex
	all []wechat.Exchange
}

func (w *witness) observe(e wechat.Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, e)
}

// of returns what was told of one path, without the times.
func (w *witness) of(path string) (found []wechat.Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.all {
		if e.Path == path {
			e.Took = 0
			found = append(found, e)
		}
	}
	return found
}

func TestAHostThatCannotBeReachedIsReplacedByTheNext(t *testing.T) {
	t.Parallel()
	const deleteMenu = "/cgi-bin/menu/delete"
	text := func(ctx context.Context, c *wechat.Client) error { return c.SendText(ctx, testOpenID, "您好") }
	remove := func(ctx context.Context, c *wechat.Client) error { return c.DeleteMenu(ctx) }
	read := func(ctx context.Context, c *wechat.Client) error { _, err := c.CallbackIPs(ctx); return err }
	for name, test := range map[string]struct {
		first, second http.HandlerFunc // nil refuses connections
		do            func(context.Context, *wechat.Client) error
		want          error // nil for success
		calls         []int32
	}{
		"a refused connection":                         {nil, fine, text, nil, []int32{0, 1}},
		"two refused connections are an end":           {nil, nil, text, &hospital.Error{Kind: hospital.Unavailable, Code: "unreachable"}, []int32{0, 0}},
		"a lost answer to a text stays lost":           {cut, fine, text, &hospital.Error{Kind: hospital.Indeterminate, Code: "connection_lost"}, []int32{1, 0}},
		"a lost answer to what may be repeated is too": {cut, fine, remove, &hospital.Error{Kind: hospital.Indeterminate, Code: "connection_lost"}, []int32{3, 0}},
		"so is one to a question":                      {cut, fine, read, &hospital.Error{Kind: hospital.Unavailable, Code: "connection_lost"}, []int32{3, 0}},
		"a gateway's error":                            {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, fine, text, &hospital.Error{Kind: hospital.Indeterminate, Code: "http_502"}, []int32{1, 0}},
		"half an answer": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"errcode"`) },
			fine, text, &hospital.Error{Kind: hospital.Indeterminate, Code: "bad_answer"},
			[]int32{1, 0},
		},
		"a refusal": {
			func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"errcode":45015,"errmsg":"x"}`)
			},
			fine, text, wechat.ErrOutOfTime,
			[]int32{1, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var addresses []string
			var counts []*atomic.Int32
			for _, handler := range []http.HandlerFunc{test.first, test.second} {
				address, count := shut(t), &atomic.Int32{}
				if handler != nil {
					address, count = door(t, handler)
				}
				addresses, counts = append(addresses, address), append(counts, count)
			}
			// The token is there before, so that only the call itself is looked at.
			tokens := &wechat.MemoryTokens{}
			leased, err := tokens.Lease(t.Context(), testAppID+"/access_token", "test", time.Minute)
			require.NoError(t, err)
			require.True(t, leased)
			require.NoError(t, tokens.Save(t.Context(), testAppID+"/access_token", "test", wechat.Token{
				Value: "TESTING-ACCESS-TOKEN", Expires: time.Now().Add(time.Hour), Renew: time.Now().Add(time.Hour),
			}))
			client, err := wechat.New(wechat.Config{
				AppID: testAppID, Secret: "TESTING-SECRET", BaseURL: addresses[0], Standby: addresses[1:], TripAfter: -1, Tokens: tokens,
			})
			require.NoError(t, err)
			t.Cleanup(client.CloseIdle)
			err = test.do(t.Context(), client)
			if test.want == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, test.want)
			}
			for i, count := range counts {
				require.Equal(t, test.calls[i], count.Load(), "calls at host %d", i+1)
			}
		})
	}
	t.Run("a name that does not resolve", func(t *testing.T) {
		t.Parallel()
		address, calls := door(t, fine)
		var seen witness
		client, err := wechat.New(wechat.Config{
			AppID: testAppID, Secret: "TESTING-SECRET", BaseURL: "http://api.weixin.invalid", Standby: []string{address}, Observe: seen.observe,
			DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
				if strings.HasPrefix(to, "api.weixin.invalid") { // as a resolver says it, without asking one
					return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: to, IsNotFound: true}}
				}
				return (&net.Dialer{}).DialContext(ctx, network, to)
			},
		})
		require.NoError(t, err)
		t.Cleanup(client.CloseIdle)
		require.NoError(t, client.DeleteMenu(t.Context()))
		require.EqualValues(t, 1, calls.Load())
		require.Equal(t, []wechat.Exchange{
			{Op: "wechat.DeleteMenu", Path: deleteMenu, Host: "api.weixin.invalid", Outcome: wechat.OutcomeUnsent, Attempts: 1},
			{Op: "wechat.DeleteMenu", Path: deleteMenu, Host: strings.TrimPrefix(address, "http://"), Outcome: wechat.OutcomeOK, Attempts: 1},
		}, seen.of(deleteMenu))
	})
	t.Run("an open breaker", func(t *testing.T) {
		t.Parallel()
		address, _ := door(t, fine)
		var seen witness
		client, err := wechat.New(wechat.Config{
			AppID: testAppID, Secret: "TESTING-SECRET", BaseURL: shut(t), Standby: []string{address}, Observe: seen.observe, TripAfter: 2,
		})
		require.NoError(t, err)
		t.Cleanup(client.CloseIdle)
		for range 3 { // the token call is the first failure of the first host
			require.NoError(t, client.DeleteMenu(t.Context()))
		}
		all := seen.of(deleteMenu)
		require.Len(t, all, 6)
		require.Equal(t, 1, all[0].Attempts)
		require.Zero(t, all[4].Attempts, "the open breaker asks nobody")
		require.Equal(t, wechat.OutcomeUnsent, all[4].Outcome)
		require.Equal(t, wechat.OutcomeOK, all[5].Outcome)
	})
}

func TestASilentHostKeepsTheNextWaitingTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dials := map[string]int{}
		client, err := wechat.New(wechat.Config{
			AppID: testAppID, Secret: "TESTING-SECRET", BaseURL: "http://first.test", Standby: []string{"http://second.test"}, TripAfter: -1,
			DialContext: func(ctx context.Context, _, to string) (net.Conn, error) {
				dials[to]++
				if to == "second.test:80" {
					return nil, &net.OpError{Op: "dial", Err: io.ErrClosedPipe}
				}
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		require.NoError(t, err)
		begun := time.Now()
		require.Equal(t, hospital.Unavailable, hospital.KindOf(client.DeleteMenu(t.Context())))
		require.Less(t, time.Since(begun), 3*time.Second)
		require.Equal(t, map[string]int{"first.test:80": 1, "second.test:80": 3}, dials, "one token call, repeated only where there is no further host")
	})
}

func TestTheDocumentedHostsStandByForTheDocumentedOne(t *testing.T) {
	t.Parallel()
	asked := func(edit func(*wechat.Config)) (hosts []string) {
		config := wechat.Config{
			AppID: testAppID, Secret: "TESTING-SECRET",
			DialContext: func(_ context.Context, network, to string) (net.Conn, error) {
				hosts = append(hosts, to)
				return nil, &net.OpError{Op: "dial", Net: network, Err: io.ErrClosedPipe}
			},
		}
		edit(&config)
		client, err := wechat.New(config)
		require.NoError(t, err)
		require.Equal(t, hospital.Unavailable, hospital.KindOf(client.DeleteMenu(t.Context())))
		return slices.Compact(hosts) // the last one is asked again
	}
	require.Equal(t, []string{"api.weixin.qq.com:443", "api2.weixin.qq.com:443", "sh.api.weixin.qq.com:443", "sz.api.weixin.qq.com:443", "hk.api.weixin.qq.com:443"},
		asked(func(*wechat.Config) {}))
	require.Equal(t, []string{"api.weixin.qq.com:443"}, asked(func(c *wechat.Config) { c.Standby = []string{} }))
	require.Equal(t, []string{"proxy.test:80"}, asked(func(c *wechat.Config) { c.BaseURL = "http://proxy.test" }))
}

// TestObserversSeeNoSecret plants a canary in every position of a request and
// of an answer and looks for them in what the hook is told.
func TestObserversSeeNoSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen witness
		s := newSite(t, func(c *wechattest.Config) { c.Secret = "canarysecret0123456789abcdef0123" })
		client := s.client(t, func(c *wechat.Config) {
			c.Observe = seen.observe
			c.BaseURL = "http://canaryuser:canarypass@api.test?canary=canaryquery"
		})
		f := s.follower(t, "金丝雀")
		login, err := wechat.NewLogin(wechat.LoginConfig{Client: client, RedirectURL: "https://h.example.com/login", Key: []byte("TESTING KEY canary login")})
		require.NoError(t, err)
		for _, kind := range []wechattest.FaultKind{0, wechattest.Dead, wechattest.ServerError, wechattest.Busy, wechattest.AnswerLost, wechattest.Truncated, wechattest.Page} {
			if kind != 0 {
				require.NoError(t, s.Break(wechattest.Fault{Kind: kind}))
			}
			notice := booked(f.OpenID())
			notice.Data["thing1"] = "金丝雀 canary"
			_, _ = client.Notify(t.Context(), notice)
			_ = client.SendText(t.Context(), "oCANARY0000000000000000000000", "canary text")
			_, _ = client.FindUser(t.Context(), "oCANARY0000000000000000000000")
			link, err := login.Begin("canary-session")
			require.NoError(t, err)
			_, _ = login.Finish(t.Context(), "canary-session", queryOf(t, link, "CANARY-CODE"))
			s.Mend()
		}
		// What a platform repeats, in every field of its answer.
		hostile := scripted(t, []string{
			`{"errcode":47003,"errmsg":"canary oCANARY0000000000000000000000 TESTING-ACCESS-TOKEN-1 rid: canary00-canary00-canary00","openid":"canary"}`,
		})
		_ = hostile.DeleteMenu(t.Context())
		seen.mu.Lock()
		defer seen.mu.Unlock()
		require.Greater(t, len(seen.all), 30)
		outcomes := map[wechat.Outcome]bool{}
		ops := map[string]bool{}
		for _, e := range seen.all {
			outcomes[e.Outcome] = true
			ops[e.Op] = true
			require.Equal(t, "api.test", e.Host)
			require.Regexp(t, `^wechat\.[A-Za-z_.]+$`, e.Op)
			require.Regexp(t, `^/[a-z0-9/_-]+$`, e.Path)
			for _, text := range []string{e.Op, e.Path, e.Host, string(e.Outcome), e.Class.String()} {
				require.NotContains(t, strings.ToLower(text), "canary")
				require.NotContains(t, text, "金丝雀")
				require.NotContains(t, text, f.OpenID())
			}
		}
		require.Equal(t, map[wechat.Outcome]bool{
			wechat.OutcomeOK: true, wechat.OutcomeRefused: true, wechat.OutcomeLost: true, wechat.OutcomeUnreadable: true,
		}, outcomes)
		require.True(t, ops["wechat.token"] && ops["wechat.Notify"] && ops["wechat.Login.Finish"])
	})
}
