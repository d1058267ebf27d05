package leaktest_test

import (
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/refserver/internal/leaktest"
)

// TestWhatIsSaidIsSeen plants a leak in each place where one can be.
func TestWhatIsSaidIsSeen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		say  func(http.ResponseWriter, *http.Request)
		want string
	}{
		"nothing": {func(w http.ResponseWriter, _ *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "session-secret"})
			_, _ = io.WriteString(w, "王*芳 138****8000 2026112307300012345678")
		}, ""},
		"an openid in the page": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<p>oOPENID</p>")
		}, "GET /: the body holds a openid"},
		"an openid in a compressed page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, "oOPENID")
			_ = z.Close()
		}, "GET /: the body holds a openid"},
		"an openid in an address": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/x?o=oOPENID", http.StatusSeeOther)
		}, "GET /: Location holds a openid"},
		"an openid in a cookie": {func(w http.ResponseWriter, _ *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "said", Value: base64.RawURLEncoding.EncodeToString([]byte("oOPENID")) + ".x"})
		}, "GET /: the cookie said, decoded holds a openid"},
		"somebody's phone": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "13800138000")
		}, "GET /: the body holds a phone number"},
		"an identity number of nobody known": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<b>11010519491231002X</b>")
		}, "GET /: the body holds an identity number"},
		"a stack": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "goroutine 7 [running]")
		}, "GET /: the body holds a piece of a stack: goroutine "},
		"a page that may be kept": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
		}, "GET /: a page that may be kept"},
		"a page that lets scripts in": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'unsafe-inline'")
		}, "GET /: a page without a strict policy of content"},
		"a page with a script in it": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
			_, _ = io.WriteString(w, `<p><a href="/" onclick="x()">x</a>`)
		}, `GET /: a page with something inline: <a href="/" onclick=`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w leaktest.Watch
			w.Secret("openid", "oOPENID")
			w.People([]hospital.Patient{{Phone: "13800138000"}})
			w.Handler(http.HandlerFunc(c.say)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			found, seen := w.Found()
			require.Positive(t, seen)
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.Contains(t, found, c.want)
		})
	}
}

// TestWhatIsLearnedIsSecretFromThenOn: a session's secret, a token, a number that
// was typed.
func TestWhatIsLearnedIsSecretFromThenOn(t *testing.T) {
	t.Parallel()
	var w leaktest.Watch
	say := ""
	server := w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.SetCookie(rw, &http.Cookie{Name: "sid", Value: "session-secret"})
		_, _ = io.WriteString(rw, say+r.PostFormValue("name"))
	}))
	w.Tokens(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"access_token":"TOKEN-1"}`)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	for _, text := range []string{"", "session-secret", "TOKEN-1", "13912345678"} {
		say = text
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(url.Values{"phone": {"13912345678"}, "name": {"n"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		server.ServeHTTP(answer, r)
		require.Equal(t, text+"n", answer.Body.String(), "the form came through")
	}
	w.Logger().Info("made", "path", "/x", "who", "TOKEN-1")
	found, _ := w.Found()
	require.Equal(t, []string{
		"POST /: the body holds a secret of a session", "POST /: the body holds a access token", "POST /: the body holds a phone number that was typed",
		"a log line holds a access token",
	}, found)
}
