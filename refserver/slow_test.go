package refserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/refserver"
)

// How many slow connections come at once, how many of them have to be gone, and
// when; and how long a patient may wait for a page meanwhile.
const (
	slowConnections = 300
	slowClosed      = 250
	slowWithin      = 6 * time.Second
	slowDrip        = 200 * time.Millisecond
	patientsWait    = time.Second
)

// TestSlowConnectionsAreClosedWhileAPatientReads runs by the wall's clock, which
// is what the limits of the listener run by. Each connection sends a byte of its
// request now and then and never ends it.
func TestSlowConnectionsAreClosedWhileAPatientReads(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"a header that drips": "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ",
		"nothing at all":      "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed, slowest := besieged(newWorld(t, sqldb.SQLite, "", 1), begin)
			t.Logf("%d of %d closed within %v; the slowest page took %v", closed, slowConnections, slowWithin, slowest)
			require.GreaterOrEqual(t, closed, int64(slowClosed))
			require.Less(t, slowest, patientsWait)
		})
	}
}

// TestAFormThatDripsIsCutOff: the head was whole, so the limit of the whole
// request cuts it, and a patient is served meanwhile.
func TestAFormThatDripsIsCutOff(t *testing.T) {
	t.Parallel()
	address := listening(t, newWorld(t, sqldb.SQLite, "", 1).servers[0].Handler())
	c := dial(t, address)
	say(t, c, "POST /me/mode HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000\r\n\r\ncare=")
	began := time.Now()
	require.NoError(t, c.SetDeadline(began.Add(20*time.Second)))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, c) // until the server ends it, or the deadline
	}()
	drip(c, "1", ended)
	require.Less(t, time.Since(began), 15*time.Second, "cut off by the limit and not by our own deadline")
}

// TestWhoNeverReadsIsCutOff: an answer that nobody takes holds a connection for
// as long as the limit of writing says, shortened here.
func TestWhoNeverReadsIsCutOff(t *testing.T) {
	t.Parallel()
	server := refserver.HTTPServer(nil)
	require.Positive(t, server.WriteTimeout)
	require.LessOrEqual(t, server.WriteTimeout, 30*time.Second)
	server.WriteTimeout = time.Second
	failed := make(chan error, 1)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for range 1 << 12 { // 256 MB: more than the sockets of loopback hold
			if _, err = w.Write(make([]byte, 1<<16)); err != nil {
				break
			}
		}
		failed <- err
	})
	c := dial(t, serveOn(t, server))
	say(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	select {
	case err := <-failed:
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	case <-time.After(10 * time.Second):
		t.Fatal("still writing to somebody who does not read")
	}
}

// TestALongHeaderIsRefused: 16 KiB of headers, and the margin that net/http adds.
func TestALongHeaderIsRefused(t *testing.T) {
	t.Parallel()
	address := listening(t, newWorld(t, sqldb.SQLite, "", 1).servers[0].Handler())
	for size, want := range map[int]int{8 << 10: http.StatusNoContent, 32 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		c := dial(t, address)
		require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
		say(t, c, "GET /healthz HTTP/1.1\r\nHost: h\r\nX-Long: "+strings.Repeat("x", size)+"\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, want, answer.StatusCode, "%d bytes", size)
	}
}

// listening serves a handler with the limits of the patient's side.
func listening(t *testing.T, handler http.Handler) string {
	t.Helper()
	return serveOn(t, refserver.HTTPServer(handler))
}

func serveOn(t *testing.T, server *http.Server) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return c
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

// drip sends a byte now and then until it is told to end or cannot.
func drip(c net.Conn, text string, until <-chan struct{}) {
	tick := time.NewTicker(slowDrip)
	defer tick.Stop()
	for {
		select {
		case <-until:
			return
		case <-tick.C:
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// besieged opens the slow connections, reads pages for as long as they may last,
// and returns how many were closed by then and how long the slowest page took.
func besieged(w *world, begin string) (closed int64, slowest time.Duration) {
	w.Helper()
	t, address := w.T, listening(w.T, w.servers[0].Handler())
	deadline := time.Now().Add(slowWithin)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	var gone atomic.Int64
	var group sync.WaitGroup
	for range slowConnections {
		c := dial(t, address)
		require.NoError(t, c.SetReadDeadline(deadline))
		say(t, c, begin)
		ended := make(chan struct{})
		group.Go(func() {
			defer close(ended)
			if _, err := io.Copy(io.Discard, c); !errors.Is(err, os.ErrDeadlineExceeded) {
				gone.Add(1) // by the server: an end, or a reset
			}
		})
		if begin != "" {
			group.Go(func() { drip(c, "s", ended) })
		}
	}
	pages, tick := 0, time.NewTicker(slowDrip)
	defer tick.Stop()
	for range tick.C {
		w.later(slowDrip)
		began := time.Now()
		status, err := fetch(ctx, address)
		if ctx.Err() != nil {
			break
		}
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		slowest = max(slowest, time.Since(began))
		pages++
	}
	group.Wait()
	require.Greater(t, pages, 10, "pages were read meanwhile")
	return gone.Load(), slowest
}

func fetch(ctx context.Context, address string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/help", address), http.NoBody)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, errors.Join(err, answer.Body.Close())
}
