package wechattest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// Site is a platform on loopback that belongs to one test.
type Site struct {
	*Platform
	// URL is api.weixin.qq.com, OpenURL open.weixin.qq.com: base addresses
	// without a slash at the end.
	URL, OpenURL string

	tb testing.TB
}

// Start runs a platform on loopback until the test ends. What the platform does
// by itself – a notice reaches the phone a second after it was taken, then its
// result event is pushed – it does when the test calls [Platform.Advance] after
// that second of Config.Now, so nothing moves behind the test's back.
func Start(tb testing.TB, config Config) *Site {
	tb.Helper()
	p, err := New(config)
	if err != nil {
		tb.Fatal(err)
	}
	api, open := httptest.NewServer(p.Handler()), httptest.NewServer(p.Open())
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
		api.Close()
		open.Close()
	})
	return &Site{Platform: p, URL: api.URL, OpenURL: open.URL, tb: tb}
}

// CallbackTo makes the handler the account's server, on loopback, and returns
// its address. Web logins may return to it.
func (s *Site) CallbackTo(handler http.Handler) string {
	s.tb.Helper()
	server := httptest.NewServer(handler)
	s.tb.Cleanup(server.Close)
	if err := s.SetCallback(server.URL); err != nil {
		s.tb.Fatal(err)
	}
	u, err := url.Parse(server.URL)
	if err == nil {
		err = s.AddDomain(u.Host)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	return server.URL
}

// Follower lets a new person follow the account.
func (s *Site) Follower(ctx context.Context, nickname string) *Follower {
	s.tb.Helper()
	f, err := s.Join(nickname)
	if err == nil {
		err = f.Follow(ctx)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	return f
}
