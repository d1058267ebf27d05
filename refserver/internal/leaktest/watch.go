// Package leaktest looks at everything that a server says in a test, answers
// and log lines, for what must stand in none of them: openids, tokens, the
// secrets of sessions, whole identity and phone numbers, stacks.
package leaktest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wxhospital/hospital"
)

// Watch knows what must not be said and keeps what was. The zero value is
// ready; any number of goroutines may use it.
type Watch struct {
	mu      sync.Mutex
	secrets map[string]string // what it is, by value
	found   []string
	seen    int
}

// Secret names a value that must not be said from now on.
func (w *Watch) Secret(what, value string) {
	if value == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.secrets == nil {
		w.secrets = map[string]string{}
	}
	w.secrets[value] = what
}

// People are patients whose numbers must not be said in full.
func (w *Watch) People(all []hospital.Patient) {
	for _, p := range all {
		w.Secret("phone number", string(p.Phone))
		w.Secret("identity number", string(p.IDNumber))
		if p.Guardian != nil {
			w.Secret("phone number", string(p.Guardian.Phone))
			w.Secret("identity number", string(p.Guardian.IDNumber))
		}
	}
}

// sessions are the cookies that carry a secret, and therefore may.
func sessions() []string {
	return []string{"sid", "login", "__Host-sid", "__Host-login", "hospital_staff"}
}

// Handler looks at every answer of the handler. What a session's cookie is set
// to is a secret from then on, and so is a phone number that was typed.
func (w *Watch) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if typed := w.read(r); typed != "" {
			for _, phone := range mobile.FindAllString(typed, -1) {
				w.Secret("phone number that was typed", phone)
			}
		}
		said := &answer{ResponseWriter: rw}
		next.ServeHTTP(said, r)
		w.look(r.Method+" "+r.URL.Path, rw.Header(), said.body.Bytes())
	})
}

// read takes the form of a request and puts it back.
func (w *Watch) read(r *http.Request) string {
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return ""
	}
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(r.Body, most))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	if err != nil {
		return "" // the server meets the same end
	}
	return string(body)
}

var (
	mobile = regexp.MustCompile(`\b1[3-9][0-9]{9}\b`)
	number = regexp.MustCompile(`\b[0-9]{17}[0-9X]\b`)
	token  = regexp.MustCompile(`"access_token"\s*:\s*"([^"]+)"`)
)

// answer keeps what is written.
type answer struct {
	http.ResponseWriter

	body bytes.Buffer
}

func (a *answer) Write(text []byte) (int, error) {
	a.body.Write(text)
	return a.ResponseWriter.Write(text)
}

// Unwrap lets http.ResponseController and http.MaxBytesReader through.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Tokens makes secrets of the access tokens that a platform gives out.
func (w *Watch) Tokens(platform http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		said := &answer{ResponseWriter: rw}
		platform.ServeHTTP(said, r)
		for _, found := range token.FindAllStringSubmatch(said.body.String(), -1) {
			w.Secret("access token", found[1])
		}
	})
}

// look checks one answer.
func (w *Watch) look(where string, header http.Header, body []byte) {
	if header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = io.ReadAll(z)
		}
		if err != nil {
			w.report(where + ": the compressed body is torn")
			return
		}
	}
	for _, line := range header.Values("Set-Cookie") { // first: they teach what is secret
		w.cookie(where, line)
	}
	for name, values := range header {
		if name != "Set-Cookie" {
			w.check(where+": "+name, strings.Join(values, "\n"))
		}
	}
	w.check(where+": the body", string(body))
	if strings.HasPrefix(header.Get("Content-Type"), "text/html") {
		w.guarded(where, header, body)
	}
}

var inline = regexp.MustCompile(`(?i)<script(?:\s+(?:defer|async))*\s*>|<[a-z][^>]*\s(?:on[a-z]+|style)\s*=|javascript:`)

// guarded checks what stands around every page: nobody keeps it, and no script
// or style that came with somebody's words can act.
func (w *Watch) guarded(where string, header http.Header, body []byte) {
	if !strings.Contains(header.Get("Cache-Control"), "no-store") {
		w.report(where + ": a page that may be kept")
	}
	policy := header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'self'") && !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		w.report(where + ": a page without a strict policy of content")
	}
	if found := inline.Find(body); found != nil {
		w.report(where + ": a page with something inline: " + string(found))
	}
}

func (w *Watch) cookie(where, line string) {
	c, err := http.ParseSetCookie(line)
	if err != nil {
		w.report(where + ": a cookie that is none")
		return
	}
	if slices.Contains(sessions(), c.Name) {
		w.Secret("secret of a session", c.Value)
		return
	}
	w.check(where+": the cookie "+c.Name, c.Value)
	for part := range strings.SplitSeq(c.Value, ".") {
		if plain, err := base64.RawURLEncoding.DecodeString(part); err == nil {
			w.check(where+": the cookie "+c.Name+", decoded", string(plain))
		}
	}
}

// check looks for what must not stand in the text.
func (w *Watch) check(where, text string) {
	w.mu.Lock()
	w.seen++
	for value, what := range w.secrets {
		if strings.Contains(text, value) {
			w.found = append(w.found, where+" holds a "+what)
		}
	}
	w.mu.Unlock()
	for _, digits := range number.FindAllString(text, -1) {
		if _, err := hospital.ParseIDNumber(digits); err == nil {
			w.report(where + " holds an identity number")
		}
	}
	for _, mark := range []string{"goroutine ", ".go:", "runtime error"} {
		if strings.Contains(text, mark) {
			w.report(where + " holds a piece of a stack: " + mark)
		}
	}
}

func (w *Watch) report(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, what)
}

// Write looks at a line of a log.
func (w *Watch) Write(line []byte) (int, error) {
	w.check("a log line", string(line))
	return len(line), nil
}

// Logger is a log that is looked at, and kept nowhere.
func (w *Watch) Logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Found is what was said and should not have been, and how many texts were
// looked at.
func (w *Watch) Found() (found []string, seen int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.found), w.seen
}

// Report fails the test for what was found. Call it when all has been said.
func (w *Watch) Report(tb testing.TB) {
	tb.Helper()
	found, _ := w.Found()
	slices.Sort(found)
	for _, what := range slices.Compact(found) {
		tb.Errorf("said to the outside: %s", what)
	}
}
