package wechatpay_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

const (
	appID      = "wx8888888888888888"
	merchantID = "1900000109"
	serial     = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
	apiV3Key   = "TESTING KEY 0123456789abcdefghij"
	publicID   = "PUB_KEY_ID_0119000001092026112100000000000000"
	openID     = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	notifyURL  = "https://hospital.example.com/pay/notify"

	merchantsKey, platformKey, strangersKey, nextKey = 0, 1, 2, 3 // of keyOf
)

// reply is one answer of the far side. The zero key signs with platformKey
// under publicID.
type reply struct {
	status int
	body   string
	key    int
	serial string
	spoil  func(http.Header) // after the signature
	lost   bool              // the answer never arrives
}

// sent is one request that reached the far side.
type sent struct {
	method, target string
	header         http.Header
	body           string
}

// far is a WeChat Pay that answers what the test put in its mouth, signed, and
// checks the signature of what it is asked.
type far struct {
	t     *testing.T
	clock *testclock.Clock

	mu      sync.Mutex
	replies []reply
	asked   []sent
	gate    chan struct{} // when set, every answer waits for it
}

func (f *far) says(replies ...reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replies = append(f.replies, replies...)
}

func (f *far) requests() []sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *far) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	a, err := wechatpay.ParseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	message := wechatpay.RequestMessage(r.Method, r.URL.RequestURI(), a.Stamp, body)
	if err := wechatpay.Verify(&keyOf(merchantsKey).PublicKey, message, a.Signature); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.asked = append(f.asked, sent{r.Method, r.URL.RequestURI(), r.Header.Clone(), string(body)})
	answer := reply{status: http.StatusInternalServerError}
	if len(f.replies) > 0 {
		answer, f.replies = f.replies[0], f.replies[1:]
	}
	gate := f.gate
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if answer.lost {
		return nil, errors.New("the line broke")
	}
	h := http.Header{}
	f.sign(h, answer)
	if answer.spoil != nil {
		answer.spoil(h)
	}
	return &http.Response{
		StatusCode: answer.status, ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: r,
		Body: io.NopCloser(strings.NewReader(answer.body)), ContentLength: int64(len(answer.body)),
	}, nil
}

func (f *far) sign(h http.Header, answer reply) {
	key, id := answer.key, answer.serial
	if key == 0 {
		key = platformKey
	}
	if id == "" {
		id = publicID
	}
	s := wechatpay.Signature{Stamp: wechatpay.Stamp{Unix: f.clock.Now().Unix(), Nonce: "nonce1"}, Serial: id}
	value, err := wechatpay.Sign(keyOf(key), wechatpay.AnswerMessage(s.Stamp, []byte(answer.body)))
	if err != nil {
		panic(err)
	}
	s.Value = value
	s.Write(h)
}

// merchant is a channel, its far side and its clock.
type merchant struct {
	*wechatpay.Channel
	far   *far
	clock *testclock.Clock
	logs  *bytes.Buffer
}

func newMerchant(t *testing.T, change ...func(*wechatpay.Config)) *merchant {
	t.Helper()
	m := &merchant{clock: testclock.At(time.Date(2026, 11, 21, 7, 30, 0, 0, hospital.CST)), logs: &bytes.Buffer{}}
	m.far = &far{t: t, clock: m.clock}
	cfg := config()
	cfg.HTTPClient = &http.Client{Transport: m.far}
	cfg.Now, cfg.Wall = m.clock.Now, m.clock.Now
	cfg.Logger = slog.New(slog.NewTextHandler(&lockedBuffer{to: m.logs}, nil))
	for _, f := range change {
		f(&cfg)
	}
	channel, err := wechatpay.New(cfg)
	require.NoError(t, err)
	m.Channel = channel
	return m
}

// lockedBuffer is written to by more than one goroutine.
type lockedBuffer struct {
	mu sync.Mutex
	to *bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.to.Write(p)
}

func config() wechatpay.Config {
	return wechatpay.Config{
		AppID: appID, MerchantID: merchantID, MerchantKey: keyOf(merchantsKey), MerchantSerial: serial,
		APIv3Key: []byte(apiV3Key), PublicKey: &keyOf(platformKey).PublicKey, PublicKeyID: publicID, NotifyURL: notifyURL,
	}
}

// byCertificate makes a merchant that has no public key.
func byCertificate(cfg *wechatpay.Config) { cfg.PublicKey, cfg.PublicKeyID = nil, "" }

func (m *merchant) attempt(t *testing.T) payment.Attempt {
	t.Helper()
	a := payment.Attempt{
		TradeNo: payment.TradeNo(hospital.NewID("o", m.clock.Now()) + "-1"), Channel: "wechatpay", Payer: openID, Amount: 1250,
		Description: "挂号费", Expires: m.clock.Now().Add(30 * time.Minute), State: payment.AttemptOpen,
	}
	request, err := m.Compose(a)
	require.NoError(t, err)
	a.Request = request
	return a
}

// certificate makes a platform certificate as of the clock's time.
func certificate(t *testing.T, n int, number int64, from time.Time) (*x509.Certificate, string) {
	t.Helper()
	template := x509.Certificate{
		SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "TESTING KEY"},
		NotBefore: from, NotAfter: from.AddDate(5, 0, 0),
	}
	key := keyOf(n)
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// listed is the body of a list of certificates.
func listed(t *testing.T, key string, certs ...string) string {
	t.Helper()
	c, err := wechatpay.NewCipher([]byte(key))
	require.NoError(t, err)
	var data []map[string]any
	for _, text := range certs {
		cert, err := wechatpay.ParseCertificate([]byte(text))
		require.NoError(t, err)
		data = append(data, map[string]any{
			"serial_no": wechatpay.CertificateSerial(cert), "effective_time": cert.NotBefore, "expire_time": cert.NotAfter,
			"encrypt_certificate": c.Seal("certificate", []byte(text)),
		})
	}
	body, err := json.Marshal(map[string]any{"data": data})
	require.NoError(t, err)
	return string(body)
}
