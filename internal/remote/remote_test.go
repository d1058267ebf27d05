package remote_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

// farSide is a network of one host over net.Pipe. Each connection is handed to
// the next of its scripts; the last one repeats.
type farSide struct {
	dials   atomic.Int32
	scripts []func(net.Conn)
}

func (f *farSide) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n := int(f.dials.Add(1)) - 1
	script := f.scripts[min(n, len(f.scripts)-1)]
	if script == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused by the test")}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	go func() {
		defer func() { _ = far.Close() }()
		script(far)
	}()
	return near, nil
}

func readRequest(conn net.Conn) ([]byte, http.Header) {
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return nil, nil
	}
	body, _ := io.ReadAll(request.Body)
	return body, request.Header
}

// says reads the request, sends the raw text and closes.
func says(raw string) func(net.Conn) {
	return func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, raw)
	}
}

func silent(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

func status(code string) string {
	return "HTTP/1.1 " + code + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
}

func newClient(t *testing.T, far *farSide, edit func(*remote.Config)) *remote.Client {
	t.Helper()
	config := remote.Config{BaseURL: "http://his.test/ws", DialContext: far.dial, RetryWait: time.Millisecond}
	if edit != nil {
		edit(&config)
	}
	client, err := remote.New(config)
	require.NoError(t, err)
	return client
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	post := remote.Call{Op: "his.Hold", Path: "/hold", Body: []byte("<Hold/>")}
	again, read := post, post
	again.Idempotent = true
	read.ReadOnly = true

	tests := []struct {
		name    string
		call    remote.Call
		scripts []func(net.Conn)
		kind    hospital.Kind
		code    string
		dials   int32
	}{
		{"a refused connection applied nothing", post, []func(net.Conn){nil}, hospital.Unavailable, "unreachable", 1},
		{"a silent far side may have acted", post, []func(net.Conn){silent}, hospital.Indeterminate, "timeout", 1},
		{"a connection closed after the request may have acted", post, []func(net.Conn){says("")}, hospital.Indeterminate, "connection_lost", 1},
		{
			"a body cut short may have acted", post,
			[]func(net.Conn){says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")},
			hospital.Indeterminate, "connection_lost", 1,
		},
		{"a server error may have acted", post, []func(net.Conn){says(status("502 Bad Gateway"))}, hospital.Indeterminate, "http_502", 1},
		{"a redirect is not followed", post, []func(net.Conn){says("HTTP/1.1 307 X\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n")}, hospital.Indeterminate, "http_307", 1},
		{"a read cannot have acted", read, []func(net.Conn){says("")}, hospital.Unavailable, "connection_lost", 3},
		{"a repetition that cannot connect does not undo the doubt", again, []func(net.Conn){says(""), nil}, hospital.Indeterminate, "unreachable", 3},
		{"too many requests says nothing of the attempt before", again, []func(net.Conn){says(""), says(status("429 Slow"))}, hospital.Indeterminate, "http_429", 3},
		{"repeated refusals applied nothing", again, []func(net.Conn){nil}, hospital.Unavailable, "unreachable", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				far := &farSide{scripts: test.scripts}
				_, err := newClient(t, far, nil).Do(t.Context(), test.call)
				require.Error(t, err)
				require.Equal(t, test.kind, hospital.KindOf(err), "%v", err)
				require.Equal(t, test.code, hospital.CodeOf(err))
				require.Equal(t, test.dials, far.dials.Load())
			})
		})
	}
}

func TestWhatWasSentIsToldBesideTheError(t *testing.T) {
	t.Parallel()
	read := remote.Call{Op: "his.Find", Path: "/find", ReadOnly: true}
	for name, test := range map[string]struct {
		scripts   []func(net.Conn)
		elsewhere bool
		attempts  int
		sent      bool
	}{
		"nothing, on a line that is refused":                    {[]func(net.Conn){nil}, false, 3, false},
		"nothing, and it is not repeated where another line is": {[]func(net.Conn){nil}, true, 1, false},
		"something, on a line that is cut":                      {[]func(net.Conn){says("")}, true, 3, true},
		"something, on a line that is cut and then refused":     {[]func(net.Conn){says(""), nil}, true, 2, true},
		"something, where there was an answer":                  {[]func(net.Conn){says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}, true, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				answer, err := newClient(t, &farSide{scripts: test.scripts}, func(c *remote.Config) { c.Elsewhere = test.elsewhere }).Do(t.Context(), read)
				require.Equal(t, answer.Status == 0, err != nil)
				require.Equal(t, test.attempts, answer.Attempts)
				require.Equal(t, test.sent, answer.Sent)
			})
		})
	}
	t.Run("nothing, where the way to a connection takes too long", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			client, err := remote.New(remote.Config{BaseURL: "http://his.test", DialTimeout: time.Second, Elsewhere: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}})
			require.NoError(t, err)
			begun := time.Now()
			answer, err := client.Do(t.Context(), read)
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "timeout"})
			require.False(t, answer.Sent)
			require.Equal(t, time.Second, time.Since(begun))
		})
	})
}

func TestAnswer(t *testing.T) {
	t.Parallel()

	t.Run("a later answer settles an earlier doubt", func(t *testing.T) {
		t.Parallel()
		far := &farSide{scripts: []func(net.Conn){says(""), says(ok)}}
		answer, err := newClient(t, far, nil).Do(t.Context(), remote.Call{Op: "x", Body: []byte("b"), Idempotent: true})
		require.NoError(t, err)
		require.Equal(t, "ok", string(answer.Body))
		require.Equal(t, 1, answer.Lost)
	})

	t.Run("a client error is an answer", func(t *testing.T) {
		t.Parallel()
		far := &farSide{scripts: []func(net.Conn){says(status("404 No"))}}
		answer, err := newClient(t, far, nil).Do(t.Context(), remote.Call{Op: "x", Body: []byte("b")})
		require.NoError(t, err)
		require.Equal(t, 404, answer.Status)
	})

	t.Run("the caller decides what a server error is", func(t *testing.T) {
		t.Parallel()
		far := &farSide{scripts: []func(net.Conn){says(status("500 Fault"))}}
		answer, err := newClient(t, far, nil).Do(t.Context(), remote.Call{
			Op: "x", Body: []byte("b"), Answered: func(a remote.Answer) bool { return a.Status == 500 },
		})
		require.NoError(t, err)
		require.Equal(t, 500, answer.Status)
	})
}

func TestEveryAttemptIsSignedAnewOverTheSameBytes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var bodies, signatures []string
	take := func(raw string) func(net.Conn) {
		return func(conn net.Conn) {
			body, header := readRequest(conn)
			mu.Lock()
			bodies, signatures = append(bodies, string(body)), append(signatures, header.Get("Authorization"))
			mu.Unlock()
			_, _ = io.WriteString(conn, raw)
		}
	}
	far := &farSide{scripts: []func(net.Conn){take(""), take(status("503 Busy")), take(ok)}}
	n := 0
	client := newClient(t, far, func(c *remote.Config) {
		c.Sign = func(r *http.Request, body []byte) error {
			n++
			r.Header.Set("Authorization", string(body)+strings.Repeat("!", n))
			return nil
		}
	})
	_, err := client.Do(t.Context(), remote.Call{Op: "x", Body: []byte("pay"), Idempotent: true})
	require.NoError(t, err)
	require.Equal(t, []string{"pay", "pay", "pay"}, bodies)
	require.Equal(t, []string{"pay!", "pay!!", "pay!!!"}, signatures)
}

func TestAFailedSignatureSendsNothing(t *testing.T) {
	t.Parallel()
	far := &farSide{scripts: []func(net.Conn){says(ok)}}
	client := newClient(t, far, func(c *remote.Config) {
		c.Sign = func(*http.Request, []byte) error { return errors.New("no key") }
	})
	_, err := client.Do(t.Context(), remote.Call{Op: "x", Body: []byte("b"), Idempotent: true})
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "sign_failed"})
	require.Zero(t, far.dials.Load())
}

func TestSizeCap(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, err := zip.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	require.Less(t, bomb.Len(), 2048)

	answer := func(header http.Header, body []byte) remote.Config {
		mock := httpmock.NewMockTransport()
		mock.RegisterResponder(http.MethodPost, "http://his.test/ws", func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: -1}, nil
		})
		return remote.Config{BaseURL: "http://his.test/ws", HTTPClient: &http.Client{Transport: mock}, MaxResponse: 1000}
	}
	zipped := http.Header{"Content-Encoding": {"gzip"}}
	tests := []struct {
		name   string
		config remote.Config
		code   string
	}{
		{"a body of exactly the cap passes", answer(http.Header{}, make([]byte, 1000)), ""},
		{"one byte more does not", answer(http.Header{}, make([]byte, 1001)), "too_large"},
		{"a small bomb is measured unpacked", answer(zipped, bomb.Bytes()), "too_large"},
		{"damaged gzip is no answer", answer(zipped, []byte("not gzip")), "bad_encoding"},
		{"an unknown compression is no answer", answer(http.Header{"Content-Encoding": {"br"}}, []byte("x")), "bad_encoding"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, err := remote.New(test.config)
			require.NoError(t, err)
			_, err = client.Do(t.Context(), remote.Call{Op: "x", Body: []byte("b")})
			if test.code == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Indeterminate, Code: test.code})
		})
	}
}

func TestAnUntracedTransportIsNeverTrustedToHaveSentNothing(t *testing.T) {
	t.Parallel()
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder(http.MethodPost, "http://his.test/ws", httpmock.NewErrorResponder(errors.New("who knows")))
	client, err := remote.New(remote.Config{BaseURL: "http://his.test/ws", HTTPClient: &http.Client{Transport: mock}})
	require.NoError(t, err)
	_, err = client.Do(t.Context(), remote.Call{Op: "x", Body: []byte("b")})
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		far := &farSide{scripts: []func(net.Conn){silent}}
		client := newClient(t, far, func(c *remote.Config) { c.MaxConcurrent = 1 })
		first := make(chan error)
		go func() {
			_, err := client.Do(t.Context(), remote.Call{Op: "x", Body: []byte("b")})
			first <- err
		}()
		synctest.Wait()
		_, err := client.Do(t.Context(), remote.Call{Op: "x", Body: []byte("b"), Timeout: time.Second})
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "busy"})
		require.EqualValues(t, 1, far.dials.Load(), "the second call must not have been sent")
		require.Equal(t, hospital.Indeterminate, hospital.KindOf(<-first))
	})
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		far := &farSide{scripts: []func(net.Conn){nil, nil, says(ok)}}
		client := newClient(t, far, func(c *remote.Config) { c.TripAfter = 2; c.OpenFor = time.Minute })
		call := remote.Call{Op: "x", Body: []byte("b")}
		for range 2 {
			_, err := client.Do(t.Context(), call)
			require.Equal(t, "unreachable", hospital.CodeOf(err))
		}
		_, err := client.Do(t.Context(), call)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "breaker_open"})
		require.EqualValues(t, 2, far.dials.Load())

		<-time.After(time.Minute + time.Second)
		_, err = client.Do(t.Context(), call)
		require.NoError(t, err, "after its pause the breaker lets one call through to look")
	})
}

func TestACallerWhoGaveUpDoesNotTripTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		far := &farSide{scripts: []func(net.Conn){silent, says(ok)}}
		client := newClient(t, far, func(c *remote.Config) { c.TripAfter = 1 })
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-time.After(time.Second)
			cancel()
		}()
		_, err := client.Do(ctx, remote.Call{Op: "x", Body: []byte("b")})
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Indeterminate, Code: "cancelled"})
		_, err = client.Do(t.Context(), remote.Call{Op: "x", Body: []byte("b")})
		require.NoError(t, err)
	})
}

func TestACallerWhoGaveUpDoesNotWedgeTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		far := &farSide{scripts: []func(net.Conn){nil, silent, says(ok)}}
		client := newClient(t, far, func(c *remote.Config) { c.TripAfter = 1; c.OpenFor = time.Minute })
		call := remote.Call{Op: "x", Body: []byte("b")}
		_, err := client.Do(t.Context(), call)
		require.Equal(t, "unreachable", hospital.CodeOf(err))
		<-time.After(time.Minute + time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-time.After(time.Second)
			cancel()
		}()
		_, err = client.Do(ctx, call)
		require.Equal(t, "cancelled", hospital.CodeOf(err), "the call that looked was given up")
		_, err = client.Do(t.Context(), call)
		require.NoError(t, err, "so the next one looks")
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for name, base := range map[string]string{
		"an untrusted certificate applied nothing":      server.URL,
		"a far side without TLS applied nothing":        strings.Replace(plain.URL, "http:", "https:", 1),
		"a port that nobody listens on applied nothing": "http://127.0.0.1:1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := remote.New(remote.Config{BaseURL: base})
			require.NoError(t, err)
			_, err = client.Do(t.Context(), remote.Call{Op: "x", Body: []byte("b")})
			require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
		})
	}
}

func TestAKeptConnectionThatDiedIsReplacedWithoutASecondEffect(t *testing.T) {
	t.Parallel()
	var effects atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { effects.Add(1) }))
	t.Cleanup(server.Close)
	client, err := remote.New(remote.Config{BaseURL: server.URL})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdle)
	want := int32(0)
	for range 3 {
		_, err := client.Do(t.Context(), remote.Call{Op: "x", Body: []byte("b")})
		if err == nil {
			want++
		} else {
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
		}
		require.Equal(t, want, effects.Load())
		server.CloseClientConnections()
	}
	require.Positive(t, want)
}

func TestAddress(t *testing.T) {
	t.Parallel()
	mock := httpmock.NewMockTransport()
	var asked string
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		asked = r.URL.String()
		return httpmock.NewStringResponse(200, ""), nil
	})
	client, err := remote.New(remote.Config{
		BaseURL: "http://his.test/a%2Fb/?user=u", HTTPClient: &http.Client{Transport: mock},
	})
	require.NoError(t, err)
	_, err = client.Do(t.Context(), remote.Call{Op: "x", Path: "/c%2Fd", Query: map[string][]string{"q": {"1 2"}}})
	require.NoError(t, err)
	require.Equal(t, "http://his.test/a%2Fb/c%2Fd?user=u&q=1+2", asked)
}

func TestNewNamesTheBadField(t *testing.T) {
	t.Parallel()
	for field, config := range map[string]remote.Config{
		"BaseURL":     {BaseURL: "his.test"},
		"DialContext": {BaseURL: "http://his.test", HTTPClient: &http.Client{}, DialContext: (&farSide{}).dial},
		"Timeout":     {BaseURL: "http://his.test", Timeout: -1},
		"MaxResponse": {BaseURL: "http://his.test", MaxResponse: -1},
		"Retries":     {BaseURL: "http://his.test", Retries: 100},
		"at most":     {BaseURL: "http://his.test", MaxResponse: math.MaxInt64}, // the cap must not wrap around to none of the answer
	} {
		_, err := remote.New(config)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err))
		require.ErrorContains(t, err, field)
	}
}
