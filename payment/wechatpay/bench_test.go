package wechatpay_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// BenchmarkReadNotice verifies, opens and decodes a notification of payment.
func BenchmarkReadNotice(b *testing.B) {
	at := time.Date(2026, 11, 21, 7, 30, 0, 0, hospital.CST)
	cfg := config()
	cfg.Wall = func() time.Time { return at }
	c, err := wechatpay.New(cfg)
	require.NoError(b, err)
	r := letterOfTrade(tradeNo).request(b, at)
	body, err := io.ReadAll(r.Body)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.ReadNotice(b.Context(), r.Header, body); err != nil {
			b.Fatal(err)
		}
	}
}
