package remote_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

// impatient is a lent transport that sends again by itself.
type impatient struct{ next http.RoundTripper }

func (i impatient) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := i.next.RoundTrip(r)
	if err == nil {
		return response, nil
	}
	if r.Body, err = r.GetBody(); err != nil {
		return nil, err
	}
	return i.next.RoundTrip(r)
}

// TestWhatWasWrittenOnceIsNeverCalledNotSent lets somebody below us repeat a
// request that the far side had served, and fail to connect the second time.
func TestWhatWasWrittenOnceIsNeverCalledNotSent(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]http.Header{
		"a lent transport repeats":                nil,
		"net/http repeats, allowed by the header": {"Idempotency-Key": {"k1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var applied atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					applied.Add(1)
					panic(http.ErrAbortHandler)
				}
			}))
			t.Cleanup(server.Close)
			var dials atomic.Int64
			once := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials.Add(1) > 1 {
					return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
				}
				return new(net.Dialer).DialContext(ctx, network, address)
			}}
			t.Cleanup(once.CloseIdleConnections)
			var transport http.RoundTripper = once
			if header == nil {
				transport = impatient{once}
			}
			client, err := remote.New(remote.Config{BaseURL: server.URL, HTTPClient: &http.Client{Transport: transport}, Retries: -1})
			require.NoError(t, err)
			if header != nil { // on a kept connection, as net/http wants it
				_, err = client.Do(t.Context(), remote.Call{Op: "warm", ReadOnly: true})
				require.NoError(t, err)
			}
			_, err = client.Do(t.Context(), remote.Call{Op: "change", Body: []byte("b"), Header: header})
			require.Positive(t, applied.Load())
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "%v", err)
		})
	}
}
