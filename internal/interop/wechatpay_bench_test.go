package interop_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// mailbox keeps the last notification and takes it.
type mailbox struct {
	header http.Header
	body   []byte
}

func (m *mailbox) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m.header, m.body = r.Header.Clone(), body
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
}

// readers are the two ways from one request to what it tells: verified,
// opened, decoded.
type readers struct {
	ours, official func() error
}

// newReaders has the simulator push one notification and reads it both ways.
func newReaders(tb testing.TB) readers {
	tb.Helper()
	keys, err := wechatPayKeys()
	require.NoError(tb, err)
	box := &mailbox{}
	platform, err := wechatpaytest.New(wechatpaytest.Config{Keys: keys, HTTPClient: &http.Client{Transport: box}})
	require.NoError(tb, err)
	c := platform.Credentials()
	channel, err := wechatpay.New(wechatpay.Config{
		AppID: c.AppID, MerchantID: c.MerchantID, MerchantKey: c.MerchantKey, MerchantSerial: c.MerchantSerial, APIv3Key: []byte(c.APIv3Key),
		PublicKey: c.PublicKey, PublicKeyID: c.PublicKeyID, NotifyURL: "https://hospital.example/notify",
		HTTPClient: &http.Client{Transport: inProcess{platform}},
	})
	require.NoError(tb, err)
	attempt := payment.Attempt{
		TradeNo: "BENCH-1", Channel: "wechatpay", Payer: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", Amount: 1250, Description: "挂号费",
		Expires: time.Now().Add(10 * time.Minute),
	}
	attempt.Request, err = channel.Compose(attempt)
	require.NoError(tb, err)
	_, err = channel.Prepay(tb.Context(), attempt)
	require.NoError(tb, err)
	_, err = platform.Pay(wechatpaytest.Payment{OutTradeNo: string(attempt.TradeNo)})
	require.NoError(tb, err)
	_, err = platform.Advance(tb.Context())
	require.NoError(tb, err)
	handler, err := notify.NewRSANotifyHandler(c.APIv3Key, verifiers.NewSHA256WithRSAPubkeyVerifier(c.PublicKeyID, *c.PublicKey))
	require.NoError(tb, err)
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, "https://hospital.example/notify", nil)
	require.NoError(tb, err)
	request.Header = box.header
	body := bytes.NewReader(nil)
	arrive := func() {
		body.Reset(box.body)
		request.Body = io.NopCloser(body)
	}
	r := readers{
		ours: func() error {
			arrive()
			raw, err := io.ReadAll(request.Body)
			if err != nil {
				return err
			}
			_, err = channel.ReadNotice(request.Context(), request.Header, raw)
			return err
		},
		official: func() error {
			arrive()
			_, err := handler.ParseNotifyRequest(request.Context(), request, new(payments.Transaction))
			return err
		},
	}
	require.NoError(tb, r.ours())
	require.NoError(tb, r.official())
	return r
}

// inProcess carries a request to the platform without a socket.
type inProcess struct{ platform http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &written{header: http.Header{}}
	p.platform.ServeHTTP(w, in)
	return &http.Response{
		StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r, ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

type written struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *written) Header() http.Header            { return w.header }
func (w *written) WriteHeader(status int)         { w.status = status }
func (w *written) Write(text []byte) (int, error) { return w.body.Write(text) }

// TestANotificationCostsLess counts allocations, which no other load on the
// machine can change.
func TestANotificationCostsLess(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	r := newReaders(t)
	count := func(read func() error) float64 {
		return testing.AllocsPerRun(100, func() {
			if err := read(); err != nil {
				t.Error(err)
			}
		})
	}
	ours, official := count(r.ours), count(r.official)
	t.Logf("allocations: ours %v, official SDK %v", ours, official)
	require.Less(t, ours, official)
}

// BenchmarkNotification reads one notification with package wechatpay and with
// the official SDK in turns, so that both see the same machine, and reports
// each and their ratio.
func BenchmarkNotification(b *testing.B) {
	r := newReaders(b)
	for name, read := range map[string]func() error{"ours": r.ours, "official": r.official} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("ratio", func(b *testing.B) {
		var ours, official []time.Duration
		for b.Loop() {
			start := time.Now()
			err := r.ours()
			middle := time.Now()
			if err == nil {
				err = r.official()
			}
			if err != nil {
				b.Fatal(err)
			}
			ours = append(ours, middle.Sub(start))
			official = append(official, time.Since(middle))
		}
		slices.Sort(ours)
		slices.Sort(official)
		half := len(ours) / 2 // medians: other load on the machine hits single readings
		b.ReportMetric(float64(official[half])/float64(ours[half]), "official/ours")
		b.ReportMetric(0, "ns/op")
	})
}
