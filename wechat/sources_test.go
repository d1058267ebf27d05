package wechat_test

import (
	"context"
	"net/http"
	"net/netip"
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
	s := newSite(t, func(c *wechattest.Config) { c.CallbackIPs = []string{"101.226.103.0/25", "192.0.2.1"} }) // a test's peer
	sources := wechat.NewSources(s.client(t, nil))
	callback := newCallback(t, func(c *wechat.CallbackConfig) { c.Sources = sources })
	w := safely(t, now, "n", textPush(1, "a")).send(callback)
	require.Equal(t, "refused: source\n", w.Body.String(), "before the list is there nobody may")
	require.Equal(t, http.StatusForbidden, w.Code)
	_, err := sources.Advance(t.Context())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, safely(t, now, "n", textPush(1, "a")).send(callback).Code)

	behind := newCallback(t, func(c *wechat.CallbackConfig) {
		c.Sources = sources
		c.Peer = func(r *http.Request) netip.Addr { // a proxy of the hospital tells
			addr, err := netip.ParseAddr(r.Header.Get("X-Real-IP"))
			if err != nil {
				return netip.Addr{}
			}
			return addr
		}
	})
	require.Equal(t, http.StatusForbidden, safely(t, now, "n", textPush(1, "a")).send(behind).Code)

	for addr, want := range map[string]bool{
		"101.226.103.127": true, "101.226.103.128": false, "192.0.2.1": true, "::ffff:192.0.2.1": true, "192.0.2.2": false, "::1": false,
	} {
		require.Equal(t, want, sources.Contains(netip.MustParseAddr(addr)), addr)
	}
	require.False(t, sources.Contains(netip.Addr{}))
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
