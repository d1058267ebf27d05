package wechatpaytest_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

const (
	openID    = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	refunds   = "/v3/refund/domestic/refunds"
	byTradeNo = "/v3/pay/transactions/out-trade-no/"
)

// merchant signs requests by hand, so that a test can break each rule alone.
type merchant struct {
	t     *testing.T
	p     *wechatpaytest.Platform
	c     wechatpaytest.Credentials
	clock *testclock.Clock
	edit  func(*http.Request) // spoils the next requests after they were signed
}

// trade opens a platform for a merchant. Notifications go to config.HTTPClient.
func trading(t *testing.T, config wechatpaytest.Config) *merchant {
	t.Helper()
	m := &merchant{t: t, clock: testclock.At(time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC))}
	config.Now = m.clock.Now
	m.p = open(t, config)
	m.c = m.p.Credentials()
	return m
}

// reply is an answer whose signature was checked, if it has one.
type reply struct {
	Status  int
	Code    string // of a refusal
	Field   string
	Message string
	Header  http.Header
	Body    []byte
	Signer  string
	JSON    map[string]any
}

func (m *merchant) request(method, target, body string) *http.Request {
	m.t.Helper()
	r := httptest.NewRequestWithContext(m.t.Context(), method, target, strings.NewReader(body))
	stamp := wechatpay.Stamp{Unix: time.Now().Unix(), Nonce: wechatpay.NewNonce()}
	signature, err := wechatpay.Sign(m.c.MerchantKey, wechatpay.RequestMessage(method, target, stamp, []byte(body)))
	require.NoError(m.t, err)
	r.Header.Set("Authorization", wechatpay.Authorization{
		Stamp: stamp, MerchantID: m.c.MerchantID, Serial: m.c.MerchantSerial, Signature: signature,
	}.String())
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "test")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if m.edit != nil {
		m.edit(r)
	}
	return r
}

// do makes a call in process.
func (m *merchant) do(method, target, body string) reply {
	m.t.Helper()
	w := httptest.NewRecorder()
	m.p.ServeHTTP(w, m.request(method, target, body))
	return m.read(w.Code, w.Header(), w.Body.Bytes())
}

func (m *merchant) read(status int, header http.Header, body []byte) reply {
	m.t.Helper()
	got := reply{Status: status, Header: header, Body: body}
	if header.Get(wechatpay.HeaderSignature) != "" {
		s, err := wechatpay.ReadSignature(header)
		require.NoError(m.t, err)
		require.NoError(m.t, wechatpay.Verify(m.key(s.Serial), wechatpay.AnswerMessage(s.Stamp, body), s.Value))
		got.Signer = s.Serial
	}
	if len(body) > 0 {
		require.NoError(m.t, json.Unmarshal(body, &got.JSON), "%s", body)
		got.Code, _ = got.JSON["code"].(string)
		got.Message, _ = got.JSON["message"].(string)
		if detail, ok := got.JSON["detail"].(map[string]any); ok {
			got.Field, _ = detail["field"].(string)
		}
	}
	return got
}

// key is WeChat Pay's public key of an identifier, as the merchant holds it.
func (m *merchant) key(id string) *rsa.PublicKey {
	m.t.Helper()
	c := m.p.Credentials()
	if id == c.PublicKeyID {
		return c.PublicKey
	}
	for _, certificate := range c.Certificates {
		if wechatpay.CertificateSerial(certificate) == id {
			public, ok := certificate.PublicKey.(*rsa.PublicKey)
			require.True(m.t, ok)
			return public
		}
	}
	require.FailNow(m.t, "no such key", id)
	return nil
}

// with returns JSON with fields set by name; a nil value takes one away. Names
// are paths: "amount.total".
func with(base map[string]any, changes ...any) string {
	for i := 0; i < len(changes); i += 2 {
		at := base
		path := strings.Split(fmt.Sprint(changes[i]), ".")
		for _, name := range path[:len(path)-1] {
			at, _ = at[name].(map[string]any)
		}
		if last := path[len(path)-1]; changes[i+1] == nil {
			delete(at, last)
		} else {
			at[last] = changes[i+1]
		}
	}
	text, err := json.Marshal(base)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// order is the body of a prepay.
func (m *merchant) order(no string, changes ...any) string {
	return with(map[string]any{
		"appid": m.c.AppID, "mchid": m.c.MerchantID, "description": "挂号费", "out_trade_no": no,
		"notify_url": "https://hospital.example/notify", "amount": map[string]any{"total": 1250, "currency": "CNY"},
		"payer": map[string]any{"openid": openID},
	}, changes...)
}

func (m *merchant) prepay(no string, changes ...any) reply {
	m.t.Helper()
	return m.do(http.MethodPost, "/v3/pay/transactions/jsapi", m.order(no, changes...))
}

func (m *merchant) query(no string) reply {
	m.t.Helper()
	return m.do(http.MethodGet, byTradeNo+no+"?mchid="+m.c.MerchantID, "")
}

func (m *merchant) close(no string) reply {
	m.t.Helper()
	return m.do(http.MethodPost, byTradeNo+no+"/close", `{"mchid":"`+m.c.MerchantID+`"}`)
}

// paid prepays a trade and has it paid.
func (m *merchant) paid(no string, changes ...any) wechatpaytest.Trade {
	m.t.Helper()
	require.Equal(m.t, http.StatusOK, m.prepay(no, changes...).Status)
	trade, err := m.p.Pay(wechatpaytest.Payment{OutTradeNo: no})
	require.NoError(m.t, err)
	return trade
}

// back is the body of a refund.
func (m *merchant) back(tradeNo, refundNo string, fen int, changes ...any) string {
	return with(map[string]any{
		"out_trade_no": tradeNo, "out_refund_no": refundNo, "notify_url": "https://hospital.example/refunds",
		"amount": map[string]any{"refund": fen, "total": 1250, "currency": "CNY"},
	}, changes...)
}

func (m *merchant) refund(tradeNo, refundNo string, fen int, changes ...any) reply {
	m.t.Helper()
	return m.do(http.MethodPost, refunds, m.back(tradeNo, refundNo, fen, changes...))
}

func (m *merchant) queryRefund(no string) reply {
	m.t.Helper()
	return m.do(http.MethodGet, refunds+"/"+no, "")
}

func (m *merchant) ledger() wechatpaytest.Ledger {
	m.t.Helper()
	l, err := m.p.Ledger()
	require.NoError(m.t, err)
	return l
}

func (m *merchant) advance() time.Time {
	m.t.Helper()
	next, err := m.p.Advance(m.t.Context())
	require.NoError(m.t, err)
	return next
}

// doormat is the merchant's notify_url: it keeps what comes and answers as it
// is told, 204 when nothing is told.
type doormat struct {
	mu       sync.Mutex
	came     []pushed
	statuses []int
	answer   func(*http.Request) // runs before the answer, for a merchant that calls back
}

type pushed struct {
	Header http.Header
	Body   []byte
	URL    string
}

func (d *doormat) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if d.answer != nil {
		d.answer(r)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.came = append(d.came, pushed{Header: r.Header.Clone(), Body: body, URL: r.URL.String()})
	status := http.StatusNoContent
	if len(d.statuses) > 0 {
		status, d.statuses = d.statuses[0], d.statuses[1:]
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil)), Request: r}, nil
}

func (d *doormat) client() *http.Client { return &http.Client{Transport: d} }

func (d *doormat) all() []pushed {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]pushed(nil), d.came...)
}

// opened is a notification that was believed.
type opened struct {
	ID    string `json:"id"`
	Event string `json:"event_type"`
	Plain map[string]any
}

// open verifies and opens a notification as a merchant must.
func (m *merchant) open(n pushed) (opened, error) {
	m.t.Helper()
	s, err := wechatpay.ReadSignature(n.Header)
	if err != nil {
		return opened{}, err
	}
	if off := time.Since(time.Unix(s.Unix, 0)); off > wechatpay.Window || off < -wechatpay.Window {
		return opened{}, wechatpay.ErrStale
	}
	known := s.Serial == m.p.Credentials().PublicKeyID
	for _, certificate := range m.p.Credentials().Certificates {
		known = known || wechatpay.CertificateSerial(certificate) == s.Serial
	}
	if !known {
		return opened{}, wechatpay.ErrUnknownKey
	}
	if err := wechatpay.Verify(m.key(s.Serial), wechatpay.AnswerMessage(s.Stamp, n.Body), s.Value); err != nil {
		return opened{}, err
	}
	var o opened
	var sealed struct{ Resource wechatpay.Sealed }
	require.NoError(m.t, json.Unmarshal(n.Body, &o))
	require.NoError(m.t, json.Unmarshal(n.Body, &sealed))
	cipher, err := wechatpay.NewCipher([]byte(m.c.APIv3Key))
	require.NoError(m.t, err)
	plain, err := cipher.Open(sealed.Resource)
	if err != nil {
		return opened{}, err
	}
	require.NoError(m.t, json.Unmarshal(plain, &o.Plain))
	return o, nil
}

// dig returns what stands at a path such as "amount.total", nil for nothing.
func dig(from map[string]any, path string) any {
	at := any(from)
	for name := range strings.SplitSeq(path, ".") {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	return at
}

// fen returns the sum at a path; one that is missing or not whole is -1.
func fen(from map[string]any, path string) int {
	n, err := strconv.Atoi(fmt.Sprint(dig(from, path)))
	if err != nil {
		return -1
	}
	return n
}

// text returns the text at a path, "" for none.
func text(from map[string]any, path string) string {
	s, _ := dig(from, path).(string)
	return s
}
