package wechat

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
)

const (
	maxSources   = 10_000      // entries; the real list has about a hundred
	sourcesEvery = time.Hour   // the list changes a few times a year
	sourcesAgain = time.Minute // after a failure
	minPrefix4   = 8           // a wider entry would let half the world in
	minPrefix6   = 16          // likewise
)

// CallbackIPs asks from which addresses the platform pushes.
// API: GET /cgi-bin/getcallbackip.
func (c *Client) CallbackIPs(ctx context.Context) ([]netip.Prefix, error) {
	ask := call{op: "wechat.CallbackIPs", path: "/cgi-bin/getcallbackip"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	var list []netip.Prefix
	whole := true
	answer.Get("ip_list").ForEach(func(_, entry gjson.Result) bool {
		prefix, err := readPrefix(entry.String())
		list = append(list, prefix)
		whole = err == nil && len(list) <= maxSources
		return whole
	})
	if !whole || len(list) == 0 {
		return nil, ask.bad("ip_list")
	}
	return list, nil
}

// readPrefix reads an address, or a network such as 101.226.103.0/25.
func readPrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err == nil && (prefix.Addr().Is4() && prefix.Bits() < minPrefix4 || prefix.Addr().Is6() && prefix.Bits() < minPrefix6) {
		err = &hospital.Error{Kind: hospital.Invalid, Op: "wechat.CallbackIPs", Code: "bad_answer", Detail: "a network too wide"}
	}
	return prefix.Masked(), err
}

// Sources is a list of the addresses that the platform pushes from, kept fresh
// from the platform itself. It is a second lock beside the signature, for
// [CallbackConfig.Sources]. While the platform does not answer, the last good
// list stays.
type Sources struct {
	client *Client

	mu   sync.RWMutex
	list []netip.Prefix
}

// NewSources returns an empty list, which lets nobody in; call
// [Sources.Advance] once before pushes are served, then [Sources.Run].
func NewSources(client *Client) *Sources { return &Sources{client: client} }

// Advance fetches the list and returns when to fetch it again. On an error, of
// the kinds of [Client], the list stays as it was.
func (s *Sources) Advance(ctx context.Context) (next time.Time, err error) {
	list, err := s.client.CallbackIPs(ctx)
	if err != nil {
		return s.client.now().Add(sourcesAgain), err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = list
	return s.client.now().Add(sourcesEvery), nil
}

// Run advances until the context is done and returns its error. What fails is
// logged and tried again.
func (s *Sources) Run(ctx context.Context) error {
	for {
		next, err := s.Advance(ctx)
		if err != nil {
			s.client.logger.WarnContext(ctx, "wechat source addresses not refreshed", "error", err)
		}
		wait := time.NewTimer(next.Sub(s.client.now()))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}

// Contains reports whether the platform pushes from the address.
func (s *Sources) Contains(addr netip.Addr) bool {
	addr = addr.Unmap()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.ContainsFunc(s.list, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// peerOf is the address at the other end of the connection.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr()
}
