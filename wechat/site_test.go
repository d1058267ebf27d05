package wechat_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// site is the simulated platform in this process, so that a test can run on
// the virtual clock of a synctest bubble.
type site struct {
	*wechattest.Platform

	mu    sync.Mutex
	calls map[string]int
	asked []*url.URL
	log   bytes.Buffer // what all clients of the site logged
}

func newSite(tb testing.TB, edit func(*wechattest.Config)) *site {
	tb.Helper()
	s := &site{calls: map[string]int{}}
	config := wechattest.Config{
		UnionIDs: true,
		Templates: []wechattest.Template{
			{ID: "T-booked", Title: "预约成功", Content: "就诊人:{{thing1.DATA}}\n时间:{{time2.DATA}}"},
			{ID: "S-report", Title: "报告已出", Content: "项目:{{thing1.DATA}}", Kind: wechattest.OneTime},
		},
		Log: func(e wechattest.Exchange) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.calls[e.Path]++
		},
	}
	if edit != nil {
		edit(&config)
	}
	var err error
	s.Platform, err = wechattest.New(config)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// RoundTrip lets the platform answer without a network. An aborted handler is
// a connection that broke.
func (s *site) RoundTrip(r *http.Request) (response *http.Response, err error) {
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	s.asked = append(s.asked, r.URL)
	s.mu.Unlock()
	defer func() {
		if cause := recover(); cause != nil {
			if aborted, ok := cause.(error); !ok || !errors.Is(aborted, http.ErrAbortHandler) {
				panic(cause)
			}
			response, err = nil, io.ErrUnexpectedEOF
		}
	}()
	inner := httptest.NewRequest(r.Method, r.URL.RequestURI(), bytes.NewReader(body)).WithContext(r.Context())
	inner.Header = r.Header
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, inner)
	if err := r.Context().Err(); err != nil {
		return nil, err // nobody reads what comes too late
	}
	return w.Result(), nil
}

// client returns a client of the site's account; every call returns another
// replica.
func (s *site) client(tb testing.TB, edit func(*wechat.Config)) *wechat.Client {
	tb.Helper()
	account := s.Account()
	config := wechat.Config{
		AppID: account.AppID, Secret: account.Secret, BaseURL: "http://api.test", OpenURL: "http://open.test",
		HTTPClient: &http.Client{Transport: s}, TripAfter: -1,
		Logger: slog.New(slog.NewTextHandler(&lockedWriter{s}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if edit != nil {
		edit(&config)
	}
	client, err := wechat.New(config)
	require.NoError(tb, err)
	return client
}

type lockedWriter struct{ site *site }

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.site.mu.Lock()
	defer w.site.mu.Unlock()
	return w.site.log.Write(p)
}

func (s *site) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

// tokenCalls is how often anybody asked for a token.
func (s *site) tokenCalls() int { return s.count("/cgi-bin/stable_token") + s.count("/cgi-bin/token") }
