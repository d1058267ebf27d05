package wechat_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestOnlyThePlatformsAddressesPush(t *testing.T) {
	t.Parallel()
	const proxy, outer, platform, stranger = "10.0.0.7", "10.0.0.8", "101.226.103.5", "203.0.113.9"
	s := newSite(t, func(c *wechattest.Config) { c.CallbackIPs = []string{"101.226.103.0/25", "192.0.2.1"} })
	sources := wechat.NewSources(s.client(t, nil))
	_, err := sources.Advance(t.Context())
	require.NoError(t, err)
	guarded := sources.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), netip.MustParsePrefix(proxy+"/32"), netip.MustParsePrefix(outer+"/32"))
	for name, test := range map[string]struct {
		peer      string
		forwarded []string
		status    int
	}{
		"the platform itself":                            {platform + ":4000", nil, http.StatusOK},
		"the platform by IPv6":                           {"[::ffff:" + platform + "]:4000", nil, http.StatusOK},
		"a stranger":                                     {stranger + ":4000", nil, http.StatusForbidden},
		"a stranger who names the platform":              {stranger + ":4000", []string{platform}, http.StatusForbidden},
		"the platform behind our proxy":                  {proxy + ":4000", []string{platform}, http.StatusOK},
		"the platform behind two":                        {proxy + ":4000", []string{platform + ", " + outer}, http.StatusOK},
		"the platform behind two, in two headers":        {proxy + ":4000", []string{platform, outer}, http.StatusOK},
		"a stranger behind our proxy":                    {proxy + ":4000", []string{stranger}, http.StatusForbidden},
		"a stranger behind it who named the platform":    {proxy + ":4000", []string{platform + ", " + stranger}, http.StatusForbidden},
		"a stranger who named the platform and ours":     {proxy + ":4000", []string{platform + ", " + outer + ", " + stranger}, http.StatusForbidden},
		"our proxy, which names nobody":                  {proxy + ":4000", nil, http.StatusForbidden},
		"our proxy, which names something else":          {proxy + ":4000", []string{"unknown"}, http.StatusForbidden},
		"a proxy that is not named, before the platform": {"10.0.0.9:4000", []string{platform}, http.StatusForbidden},
		"somebody without an address":                    {"pipe", nil, http.StatusForbidden},
	} {
		r := httptest.NewRequest(http.MethodPost, "/wechat", nil)
		r.RemoteAddr = test.peer
		for _, value := range test.forwarded {
			r.Header.Add("X-Forwarded-For", value)
		}
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, r)
		require.Equal(t, test.status, w.Code, name)
		require.NotContains(t, w.Body.String(), "203.0", name)
	}
	require.Contains(t, s.log.String(), "code=source from_inside=true", "an operator sees that a proxy is not named")
	for addr, want := range map[string]bool{
		"101.226.103.127": true, "101.226.103.128": false, "192.0.2.1": true, "::ffff:192.0.2.1": true, "192.0.2.2": false, "::1": false,
	} {
		require.Equal(t, want, sources.Contains(netip.MustParseAddr(addr)), addr)
	}
	require.False(t, sources.Contains(netip.Addr{}))
}

// TestNobodyIsLetInBeforeTheFirstList: a push that comes first has the list
// fetched, once for all, and while that fails the platform is asked to come
// again.
func TestNobodyIsLetInBeforeTheFirstList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const path = "/cgi-bin/getcallbackip"
		s := newSite(t, func(c *wechattest.Config) { c.CallbackIPs = []string{"192.0.2.1"} }) // a recorder's peer
		require.NoError(t, s.Break(wechattest.Fault{Kind: wechattest.Page, Path: path}))
		sources := wechat.NewSources(s.client(t, nil))
		callback := newCallback(t, nil)
		guarded := sources.Guard(callback)
		push := func() *httptest.ResponseRecorder { return safely(t, now, "n", textPush(1, "a")).send(guarded) }
		w := push()
		require.Equal(t, http.StatusServiceUnavailable, w.Code, "not a refusal: the platform delivers again")
		require.Equal(t, "5", w.Header().Get("Retry-After"))
		require.Equal(t, 1, s.count(path))
		for range 50 {
			require.Equal(t, http.StatusServiceUnavailable, push().Code)
		}
		require.Equal(t, 1, s.count(path), "strangers do not set the pace")
		s.Mend()
		<-time.After(5 * time.Second)
		var crowd sync.WaitGroup
		for i := range 20 {
			crowd.Go(func() {
				if code := safely(t, now, strconv.Itoa(i), textPush(i+1, "a")).send(guarded).Code; code != http.StatusOK {
					t.Errorf("push %d: %d", i, code)
				}
			})
		}
		crowd.Wait()
		require.Equal(t, 2, s.count(path), "one question for all who wait")

		silent := wechat.NewSources(s.client(t, nil))
		gate := make(chan struct{})
		require.NoError(t, s.Break(wechattest.Fault{Kind: wechattest.Slow, Path: path, Until: gate}))
		begun := time.Now()
		require.Equal(t, http.StatusServiceUnavailable, safely(t, now, "late", textPush(99, "a")).send(silent.Guard(callback)).Code)
		require.Equal(t, 3*time.Second, time.Since(begun), "within the five seconds of a push")
		close(gate)
	})
}

func TestTheLastGoodListOfAddressesStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		sources := wechat.NewSources(s.client(t, nil))
		loopback := netip.MustParseAddr("127.0.0.1")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- sources.Run(ctx) }()
		synctest.Wait()
		require.True(t, sources.Contains(loopback))
		require.NoError(t, s.Break(wechattest.Fault{Kind: wechattest.Page, Path: "/cgi-bin/getcallbackip"}))
		<-time.After(90 * time.Minute)
		require.True(t, sources.Contains(loopback))
		require.Greater(t, s.count("/cgi-bin/getcallbackip"), 20, "tried again each minute")
		require.Contains(t, s.log.String(), "wechat source addresses not refreshed")
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
	for name, body := range map[string]string{
		"nothing": `{}`, "an empty list": `{"ip_list":[]}`, "a word": `{"ip_list":["everybody"]}`,
		"the whole world": `{"ip_list":["0.0.0.0/0"]}`, "half of it": `{"ip_list":["127.0.0.1","128.0.0.0/1"]}`, "all of IPv6": `{"ip_list":["::/0"]}`,
	} {
		_, err := scripted(t, []string{body}).CallbackIPs(t.Context())
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "bad_answer"}, name)
	}
}
