package wechat

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
)

const (
	maxSources   = 10_000          // entries; the real list has about a hundred
	sourcesEvery = time.Hour       // the list changes a few times a year
	sourcesAgain = time.Minute     // after a failure
	firstSources = 3 * time.Second // of the five that a push waits
	firstApart   = time.Second     // so that strangers do not make us ask at their pace
	minPrefix4   = 8               // a wider entry would let half the world in
	minPrefix6   = 16              // likewise
)

// CallbackIPs asks from which addresses the platform pushes.
// API: GET /cgi-bin/getcallbackip.
func (c *Client) CallbackIPs(ctx context.Context) ([]netip.Prefix, error) {
	return c.prefixes(ctx, call{op: "wechat.CallbackIPs", path: "/cgi-bin/getcallbackip"})
}

// APIIPs asks to which addresses calls go, for a firewall's allow list. The
// platform asks to be called by name all the same: addresses are retired.
// API: GET /cgi-bin/get_api_domain_ip.
func (c *Client) APIIPs(ctx context.Context) ([]netip.Prefix, error) {
	return c.prefixes(ctx, call{op: "wechat.APIIPs", path: "/cgi-bin/get_api_domain_ip"})
}

func (c *Client) prefixes(ctx context.Context, ask call) ([]netip.Prefix, error) {
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
// from the platform itself. It is a second lock beside the signature: put
// [Sources.Guard] around a [Callback]. While the platform does not answer, the
// last good list stays.
type Sources struct {
	client *Client
	first  chan struct{} // held by whoever fetches the first list for a push

	mu    sync.RWMutex
	list  []netip.Prefix
	known bool
	tried time.Time // when a push last had the first list fetched
}

// NewSources returns a list that is not known yet. [Sources.Run] keeps it.
func NewSources(client *Client) *Sources {
	return &Sources{client: client, first: make(chan struct{}, 1)}
}

// Advance fetches the list and returns when to fetch it again. On an error, of
// the kinds of [Client], the list stays as it was.
func (s *Sources) Advance(ctx context.Context) (next time.Time, err error) {
	list, err := s.client.CallbackIPs(ctx)
	if err != nil {
		return s.client.now().Add(sourcesAgain), err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list, s.known = list, true
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

// Guard lets through to next what the platform's addresses send and refuses
// everybody else with 403. proxies are our own in front of this server: only
// they are believed when X-Forwarded-For says who came before them. Name their
// addresses and nothing wider, for whoever is in proxies can claim to be
// anybody.
//
// Before there is a list nobody is let in, because a lock that opens while it
// does not know is none. The first push then has the list fetched; while that
// fails the answer is 503, which makes the platform deliver again.
func (s *Sources) Guard(next http.Handler, proxies ...netip.Prefix) http.Handler {
	proxies = slices.Clone(proxies)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.ready(r.Context()) {
			s.client.logger.WarnContext(r.Context(), "wechat push refused", "code", "source_unknown")
			w.Header().Set("Retry-After", "5") // the platform comes again after five seconds
			http.Error(w, "refused: source_unknown", http.StatusServiceUnavailable)
			return
		}
		peer := peerBehind(r, proxies)
		if !s.Contains(peer) {
			// Our own address in place of a stranger's means that a proxy is not named.
			s.client.logger.WarnContext(r.Context(), "wechat push refused", "code", "source", "from_inside", peer.IsPrivate() || peer.IsLoopback())
			http.Error(w, "refused: source", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ready reports whether there is a list, and fetches the first, once for all
// who wait.
func (s *Sources) ready(ctx context.Context) bool {
	if s.have() {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, firstSources)
	defer cancel()
	select {
	case s.first <- struct{}{}:
		defer func() { <-s.first }()
	case <-ctx.Done():
		return s.have()
	}
	now := s.client.now()
	if s.have() || now.Sub(s.tried) < firstApart {
		return s.have()
	}
	s.tried = now
	_, err := s.Advance(ctx)
	if err != nil {
		s.client.logger.WarnContext(ctx, "wechat source addresses not fetched", "error", err)
	}
	return err == nil
}

func (s *Sources) have() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.known
}

// peerBehind is whose request it is: the other end of the connection, or whom
// the proxies in front of us name. Entries are read from the right, each
// believed because the one after it is ours. The zero address is nobody's.
func peerBehind(r *http.Request, proxies []netip.Prefix) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	peer := at.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(peer) }) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return netip.Addr{} // our proxy says something else than we expect: nobody's
		}
		peer = before.Unmap()
	}
	return peer
}
