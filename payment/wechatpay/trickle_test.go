package wechatpay_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestABodyThatTricklesInHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"announced":     "Content-Length: 1000\r\n\r\n{",
		"not announced": "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMerchant(t)
				p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
				server := &http.Server{Handler: m.Notifications(slow{}), ReadHeaderTimeout: time.Minute}
				ended := make(chan error, 1)
				go func() { ended <- server.Serve(p) }()
				conn, err := p.dial(t.Context(), "", "")
				require.NoError(t, err)
				_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\n"+head)
				require.NoError(t, err)
				start := time.Now()
				require.NoError(t, conn.SetReadDeadline(start.Add(time.Minute)))
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				require.NoError(t, err)
				require.Equal(t, http.StatusBadRequest, answer.StatusCode)
				require.NoError(t, answer.Body.Close())
				require.LessOrEqual(t, time.Since(start), 5*time.Second)
				require.NoError(t, conn.Close())
				require.NoError(t, server.Close())
				require.ErrorIs(t, <-ended, http.ErrServerClosed)
			})
		})
	}
}
