package wechatpay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// letter is a notification in the making. Each of its parts may be spoilt.
type letter struct {
	content      string // the plaintext
	event        string
	original     string
	apiV3Key     string
	key          int // signs
	serial       string
	off          time.Duration // of the signature, from the clock
	spoilSealed  func(*wechatpay.Sealed)
	spoilBody    func(string) string // before it is signed
	spoilHeader  func(http.Header)   // after it is signed
	spoilSent    func([]byte) []byte // after it is signed
	method       string
	dropResource bool
}

// body makes the body of the letter.
func (l letter) body(tb testing.TB, at time.Time) []byte {
	tb.Helper()
	c, err := wechatpay.NewCipher([]byte(l.apiV3Key))
	require.NoError(tb, err)
	sealed := c.Seal(l.original, []byte(l.content))
	if l.spoilSealed != nil {
		l.spoilSealed(&sealed)
	}
	fields := map[string]any{
		"id": "EV-2026112107310001", "create_time": at.Format(time.RFC3339), "resource_type": "encrypt-resource",
		"event_type": l.event, "summary": "支付成功", "resource": struct {
			wechatpay.Sealed
			OriginalType string `json:"original_type"`
		}{sealed, l.original},
	}
	if l.dropResource {
		delete(fields, "resource")
	}
	body, err := json.Marshal(fields)
	require.NoError(tb, err)
	if l.spoilBody != nil {
		body = []byte(l.spoilBody(string(body)))
	}
	return body
}

// request makes the request that carries the letter.
func (l letter) request(tb testing.TB, at time.Time) *http.Request {
	tb.Helper()
	body := l.body(tb, at)
	s := wechatpay.Signature{Stamp: wechatpay.Stamp{Unix: at.Add(l.off).Unix(), Nonce: "nonce1"}, Serial: l.serial}
	value, err := wechatpay.Sign(keyOf(l.key), wechatpay.AnswerMessage(s.Stamp, body))
	require.NoError(tb, err)
	s.Value = value
	if l.spoilSent != nil {
		body = l.spoilSent(body)
	}
	r := httptest.NewRequestWithContext(tb.Context(), l.method, "/pay/notify", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	s.Write(r.Header)
	if l.spoilHeader != nil {
		l.spoilHeader(r.Header)
	}
	return r
}

func letterOfTrade(no payment.TradeNo) letter {
	return letter{
		content: told("SUCCESS", string(tradeNo), string(no)), event: "TRANSACTION.SUCCESS", original: "transaction",
		apiV3Key: apiV3Key, key: platformKey, serial: publicID, method: http.MethodPost,
	}
}

func letterOfRefund(status string, change ...string) letter {
	content := strings.Replace(toldRefund(status), `"status":`, `"mchid":"`+merchantID+`","refund_status":`, 1)
	return letter{
		content: strings.NewReplacer(change...).Replace(content), event: "REFUND." + status, original: "refund",
		apiV3Key: apiV3Key, key: platformKey, serial: publicID, method: http.MethodPost,
	}
}

// register is what was delivered.
type register struct {
	mu   sync.Mutex
	rows []hospital.Delivery
}

func (r *register) Deliver(_ context.Context, d hospital.Delivery) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, d)
	return nil
}

func (r *register) Withdraw(context.Context, hospital.Key) error { return nil }

// office is a cashier whose channel is a merchant at WeChat Pay.
type office struct {
	*merchant
	t         *testing.T
	store     *paymenttest.Memory
	cashier   *payment.Cashier
	delivered *register
	handler   http.Handler
	key       hospital.Key
	no        payment.TradeNo
}

// newOffice opens a charge of 12.50 yuan and shows its pay sheet.
func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{merchant: newMerchant(t), t: t, delivered: &register{}, key: "charge-1"}
	o.store = paymenttest.NewMemory(o.clock.Now)
	cashier, err := payment.New(payment.Config{
		Store: o.store, Channels: map[string]payment.Channel{"wechatpay": o.Channel},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: o.delivered},
		Now:        o.clock.Now, Wall: o.clock.Now,
	})
	require.NoError(t, err)
	o.cashier = cashier
	o.handler = o.Notifications(cashier)
	require.NoError(t, cashier.Open(t.Context(), hospital.Charge{
		Key: o.key, Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: "B1"}, Patient: "P1", Amount: 1250, Description: "门诊缴费",
		Expires: o.clock.Now().Add(time.Hour),
	}))
	o.far.says(reply{status: 200, body: `{"prepay_id":"wx1"}`})
	sheet, err := cashier.Pay(t.Context(), payment.PayRequest{Charge: o.key, Channel: "wechatpay", Payer: openID})
	require.NoError(t, err)
	o.no = sheet.TradeNo
	return o
}

// post sends a letter and returns the status of the answer.
func (o *office) post(l letter) int {
	o.t.Helper()
	w := httptest.NewRecorder()
	o.handler.ServeHTTP(w, l.request(o.t, o.clock.Now()))
	if w.Code == http.StatusNoContent {
		require.Empty(o.t, w.Body.String())
	} else {
		require.JSONEq(o.t, `{"code":"FAIL","message":"失败"}`, w.Body.String())
		require.Contains(o.t, w.Header().Get("Content-Type"), "application/json")
	}
	return w.Code
}

// taken is what the ledger says WeChat Pay took for us.
func (o *office) taken() hospital.Fen {
	o.t.Helper()
	balances, err := o.cashier.Balances(o.t.Context())
	require.NoError(o.t, err)
	for _, b := range balances {
		if b.Account == payment.Receivable("wechatpay") {
			return b.Amount
		}
	}
	return 0
}

func (o *office) state() payment.State {
	o.t.Helper()
	order, err := o.cashier.Find(o.t.Context(), o.key)
	require.NoError(o.t, err)
	return order.State
}

func TestAPaymentNoticeMovesMoneyOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for range 3 {
		require.Equal(t, http.StatusNoContent, o.post(letterOfTrade(o.no)))
	}
	require.Equal(t, hospital.Fen(1250), o.taken())
	_, err := o.cashier.Advance(t.Context())
	require.NoError(t, err)
	require.Equal(t, payment.Delivered, o.state())
	require.Len(t, o.delivered.rows, 1)
	require.Len(t, o.far.requests(), 1, "nothing had to be asked")
}

// attacks are what must not move money: what is wrong with the letter, the
// status of the answer and the reason in the log.
var attacks = map[string]struct {
	spoil  func(*letter)
	status int
	reason string
}{
	"signed by a stranger": {func(l *letter) { l.key = strangersKey }, 401, "bad_signature"},
	"changed after it was signed": {func(l *letter) {
		l.spoilSent = func(b []byte) []byte { return bytes.Replace(b, []byte("EV-"), []byte("EW-"), 1) }
	}, 401, "bad_signature"},
	"the signature of another letter": {func(l *letter) {
		l.spoilHeader = func(h http.Header) { h.Set("Wechatpay-Nonce", "nonce2") }
	}, 401, "bad_signature"},
	"a probe": {func(l *letter) {
		l.spoilHeader = func(h http.Header) { h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+h.Get("Wechatpay-Signature")) }
	}, 401, "bad_signature"},
	"no signature": {func(l *letter) {
		l.spoilHeader = func(h http.Header) { h.Del("Wechatpay-Signature") }
	}, 401, "bad_header"},
	"two signatures": {func(l *letter) {
		l.spoilHeader = func(h http.Header) { h.Add("Wechatpay-Signature", h.Get("Wechatpay-Signature")) }
	}, 401, "bad_header"},
	"a signature of a megabyte": {func(l *letter) {
		l.spoilHeader = func(h http.Header) { h.Set("Wechatpay-Signature", strings.Repeat("A", 1<<20)) }
	}, 401, "bad_header"},
	"five minutes old": {func(l *letter) { l.off = -5 * time.Minute }, 401, "stale"},
	"from the future":  {func(l *letter) { l.off = 5 * time.Minute }, 401, "stale"},
	"from the end of all time": {func(l *letter) {
		l.spoilHeader = func(h http.Header) { h.Set("Wechatpay-Timestamp", "9223372036854775807") }
	}, 401, "stale"},
	"a serial that nobody has":         {func(l *letter) { l.serial = "PUB_KEY_ID_0119999999" }, 401, "unknown_serial"},
	"a serial that no certificate has": {func(l *letter) { l.serial = "7777" }, 401, "unknown_serial"},
	"sealed under another key":         {func(l *letter) { l.apiV3Key = strings.Repeat("x", 32) }, 400, "not_opened"},
	"a nonce of 11 bytes":              {func(l *letter) { l.spoilSealed = func(s *wechatpay.Sealed) { s.Nonce = s.Nonce[1:] } }, 400, "not_opened"},
	"a nonce of 13 bytes":              {func(l *letter) { l.spoilSealed = func(s *wechatpay.Sealed) { s.Nonce += "x" } }, 400, "not_opened"},
	"no nonce":                         {func(l *letter) { l.spoilSealed = func(s *wechatpay.Sealed) { s.Nonce = "" } }, 400, "not_opened"},
	"no ciphertext":                    {func(l *letter) { l.spoilSealed = func(s *wechatpay.Sealed) { s.Ciphertext = "" } }, 400, "not_opened"},
	"another cipher":                   {func(l *letter) { l.spoilSealed = func(s *wechatpay.Sealed) { s.Algorithm = "AEAD_SM4_GCM" } }, 400, "not_opened"},
	"other data beside":                {func(l *letter) { l.spoilSealed = func(s *wechatpay.Sealed) { s.AssociatedData = "refund" } }, 400, "not_opened"},
	"no resource":                      {func(l *letter) { l.dropResource = true }, 400, "malformed"},
	"a resource that is null": {func(l *letter) {
		l.dropResource = true
		l.spoilBody = func(s string) string { return strings.Replace(s, "{", `{"resource":null,`, 1) }
	}, 400, "malformed"},
	"signed, and not JSON": {func(l *letter) { l.spoilBody = func(string) string { return "<xml/>" } }, 400, "malformed"},
	"signed, and empty":    {func(l *letter) { l.spoilBody = func(string) string { return "" } }, 400, "malformed"},
	"signed, and null":     {func(l *letter) { l.spoilBody = func(string) string { return "null" } }, 400, "malformed"},
	"signed, and cut":      {func(l *letter) { l.spoilBody = func(s string) string { return s[:len(s)-1] } }, 400, "malformed"},
	"signed, and two":      {func(l *letter) { l.spoilBody = func(s string) string { return s + s } }, 400, "malformed"},
	"cut on the way":       {func(l *letter) { l.spoilSent = func(b []byte) []byte { return b[:len(b)/2] } }, 401, "bad_signature"},
	"without an id": {func(l *letter) {
		l.spoilBody = func(s string) string { return strings.Replace(s, "EV-2026112107310001", "", 1) }
	}, 400, "malformed"},
	"with an endless id": {func(l *letter) {
		l.spoilBody = func(s string) string { return strings.Replace(s, "EV-", strings.Repeat("E", 200), 1) }
	}, 400, "malformed"},
	"not encrypted": {func(l *letter) {
		l.spoilBody = func(s string) string { return strings.Replace(s, "encrypt-resource", "plain", 1) }
	}, 400, "malformed"},
	"an event that is not ours": {func(l *letter) { l.event = "PAYSCORE.USER_OPEN_SERVICE" }, 400, "unknown_event"},
	"an event of another kind":  {func(l *letter) { l.event = "REFUND.SUCCESS" }, 400, "malformed"},
	"huge":                      {func(l *letter) { l.spoilBody = func(s string) string { return s + strings.Repeat(" ", 64<<10) } }, 413, "malformed"},
	"not posted":                {func(l *letter) { l.method = http.MethodGet }, 405, "malformed"},
	"another merchant's":        {func(l *letter) { l.content = strings.Replace(l.content, merchantID, "1900000110", 1) }, 400, "foreign"},
	"another account's":         {func(l *letter) { l.content = strings.Replace(l.content, appID, "wx9999999999999999", 1) }, 400, "foreign"},
	"nobody's":                  {func(l *letter) { l.content = "{}" }, 400, "foreign"},
	"content that is no JSON":   {func(l *letter) { l.content = "x" }, 400, "malformed"},
	"an order that is unpaid":   {func(l *letter) { l.content = strings.Replace(l.content, "SUCCESS", "NOTPAY", 1) }, 400, "malformed"},
	"a state that nobody knows": {func(l *letter) { l.content = strings.Replace(l.content, "SUCCESS", "GREAT", 1) }, 400, "malformed"},
	"a sum with a fraction":     {func(l *letter) { l.content = strings.Replace(l.content, `"total":1250`, `"total":1250.5`, 1) }, 400, "malformed"},
	"a sum below nothing":       {func(l *letter) { l.content = strings.Replace(l.content, `"total":1250`, `"total":-1250`, 1) }, 400, "malformed"},
	"no time":                   {func(l *letter) { l.content = strings.Replace(l.content, "2026-11-21T07:31:00+08:00", "", 1) }, 400, "malformed"},
	"no number of WeChat's":     {func(l *letter) { l.content = strings.Replace(l.content, "4200002026112101", "", 1) }, 400, "malformed"},
}

func TestAnAttackMovesNoMoney(t *testing.T) {
	t.Parallel()
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			l := letterOfTrade(o.no)
			attack.spoil(&l)
			require.Equal(t, attack.status, o.post(l))
			require.Zero(t, o.taken())
			require.Equal(t, payment.Payable, o.state())
			require.Contains(t, o.logs.String(), "code="+attack.reason)
			for _, secret := range []string{openID, apiV3Key, "4200002026112101", "ciphertext\":"} {
				require.NotContains(t, o.logs.String(), secret)
			}

			require.Equal(t, http.StatusNoContent, o.post(letterOfTrade(o.no)), "the honest twin is taken")
			require.Equal(t, hospital.Fen(1250), o.taken())
			require.Equal(t, payment.Paid, o.state())
		})
	}
}

func TestAWrongSumIsStoredAndMovesNoMoney(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"one fen more":     {`"total":1250`, `"total":1251`},
		"one fen less":     {`"total":1250`, `"total":1249`},
		"another currency": {`"currency":"CNY"`, `"currency":"USD"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			l := letterOfTrade(o.no)
			l.content = strings.Replace(l.content, change[0], change[1], 1)
			require.Equal(t, http.StatusNoContent, o.post(l), "it is WeChat Pay's, and it is kept")
			require.Zero(t, o.taken())
			require.Empty(t, o.delivered.rows)
			cases, err := o.cashier.Manual(t.Context())
			require.NoError(t, err)
			require.Len(t, cases, 1)
			require.Equal(t, payment.CaseAmountMismatch, cases[0].Reason)
		})
	}
}

func TestAPaymentThatIsNotOursIsShownToAPerson(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	require.Equal(t, http.StatusNoContent, o.post(letterOfTrade("o9999999999-1")))
	require.Zero(t, o.taken())
	cases, err := o.cashier.Manual(t.Context())
	require.NoError(t, err)
	require.Equal(t, payment.CaseUnknownTrade, cases[0].Reason)
}

func TestAReplayMovesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first := letterOfTrade(o.no).request(t, o.clock.Now())
	body, err := io.ReadAll(first.Body)
	require.NoError(t, err)
	replay := func() int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/pay/notify", bytes.NewReader(body))
		r.Header = first.Header.Clone()
		w := httptest.NewRecorder()
		o.handler.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, 204, replay())
	require.Equal(t, 204, replay(), "within five minutes it is known already")
	require.Equal(t, hospital.Fen(1250), o.taken())
	require.NoError(t, o.cashier.Refund(t.Context(), o.key, "cancelled"))
	o.far.says(reply{status: 200, body: toldRefund("SUCCESS", string(tradeNo), string(o.no))})
	_, err = o.cashier.Advance(t.Context())
	require.NoError(t, err)
	require.Equal(t, payment.Refunded, o.state())
	require.Zero(t, o.taken())
	require.Equal(t, 204, replay())
	require.Zero(t, o.taken(), "what was refunded is not paid again")
	o.clock.Pass(5 * time.Minute)
	require.Equal(t, 401, replay())
	require.Contains(t, o.logs.String(), "code=stale")
}

func TestARefundNoticeTellsHowItEnded(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]payment.RefundProgress{
		"SUCCESS": payment.RefundSucceeded, "ABNORMAL": payment.RefundAbnormal, "CLOSED": payment.RefundClosed,
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t)
			// A real one names neither the currency nor the channel.
			r := letterOfRefund(status, `,"currency":"CNY"`, "").request(t, m.clock.Now())
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			n, err := m.ReadNotice(t.Context(), r.Header, body)
			require.NoError(t, err)
			require.Equal(t, "wechatpay", n.Channel)
			require.Equal(t, "EV-2026112107310001", n.ID)
			require.Nil(t, n.Trade)
			require.Equal(t, want, n.Refund.State)
			require.Equal(t, payment.RefundNo("o0123456789-1-r1"), n.Refund.No)
			require.Equal(t, tradeNo, n.Refund.TradeNo)
			require.Equal(t, hospital.Fen(1250), n.Refund.Amount)
			require.Equal(t, "CNY", n.Refund.Currency)
			require.Equal(t, status, n.Refund.Detail)
		})
	}
}

func TestARefundNoticeThatDeniesItselfIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		letter letter
		reason *hospital.Error
	}{
		"another merchant's":     {letterOfRefund("SUCCESS", merchantID, "1900000110"), wechatpay.ErrForeign},
		"a status of its own":    {letterOfRefund("SUCCESS", `"refund_status":"SUCCESS"`, `"refund_status":"CLOSED"`), wechatpay.ErrMalformed},
		"the answer's status":    {letterOfRefund("SUCCESS", `"refund_status"`, `"status"`), wechatpay.ErrMalformed},
		"PROCESSING is no event": {letterOfRefund("PROCESSING"), wechatpay.ErrUnknownEvent},
		"no number":              {letterOfRefund("SUCCESS", "o0123456789-1-r1", ""), wechatpay.ErrMalformed},
		"no sum":                 {letterOfRefund("SUCCESS", `"refund":1250`, `"refund":0`), wechatpay.ErrMalformed},
		"not JSON":               {letterOfRefund("SUCCESS", `"amount":{`, `"amount":`), wechatpay.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t)
			r := c.letter.request(t, m.clock.Now())
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			n, err := m.ReadNotice(t.Context(), r.Header, body)
			require.ErrorIs(t, err, c.reason)
			require.Equal(t, payment.Notice{}, n)
		})
	}
}

func TestANoticeThatCannotBeStoredIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.store.FailWith(func(command string) error {
		if command == "Receive" {
			return errors.New("the disk is full")
		}
		return nil
	})
	require.Equal(t, http.StatusInternalServerError, o.post(letterOfTrade(o.no)))
	require.Contains(t, o.logs.String(), "not_stored")
	o.store.FailWith(nil)
	require.Zero(t, o.taken())
	require.Equal(t, http.StatusNoContent, o.post(letterOfTrade(o.no)), "WeChat Pay comes again")
	require.Equal(t, hospital.Fen(1250), o.taken())
}

// slow is a store that answers when the caller gives up.
type slow struct{}

func (slow) Notify(ctx context.Context, _ payment.Notice) error {
	deadline, ok := ctx.Deadline()
	if !ok || time.Until(deadline) > 5*time.Second {
		return errors.New("no deadline within WeChat Pay's five seconds")
	}
	return context.DeadlineExceeded
}

func TestTheStoreHasLessThanFiveSeconds(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	w := httptest.NewRecorder()
	m.Notifications(slow{}).ServeHTTP(w, letterOfTrade(tradeNo).request(t, m.clock.Now()))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Contains(t, m.logs.String(), "deadline exceeded")
}

func TestABodyIsReadUpToItsBound(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	handler := m.Notifications(slow{})
	for name, c := range map[string]struct {
		body   io.Reader
		length int64
		status int
	}{
		"announced too large":      {strings.NewReader("x"), 64<<10 + 1, 413},
		"too large, not announced": {strings.NewReader(strings.Repeat(" ", 64<<10+1)), -1, 413},
		"shorter than announced":   {strings.NewReader("x"), 10, 400},
		"broken off":               {iotest.ErrReader(io.ErrUnexpectedEOF), -1, 400},
		"nothing":                  {http.NoBody, 0, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", c.body)
			r.ContentLength = c.length
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			require.Equal(t, c.status, w.Code, strconv.FormatInt(c.length, 10))
		})
	}
}

func TestAHugeNoticeIsNotReadInAnotherHandlerEither(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	l := letterOfTrade(tradeNo)
	l.spoilBody = func(s string) string { return s + strings.Repeat(" ", 64<<10) }
	r := l.request(t, m.clock.Now())
	_, err := m.ReadNotice(t.Context(), r.Header, readAll(t, r))
	require.ErrorIs(t, err, wechatpay.ErrMalformed)
}

func TestThePublishedNotificationIsVerifiedAndIsNotOurs(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	n := v.Notify[0]
	cert, err := wechatpay.ParseCertificate([]byte(v.Keys[n.Cert]))
	require.NoError(t, err)
	m := newMerchant(t, byCertificate, func(c *wechatpay.Config) { c.PlatformCertificates = append(c.PlatformCertificates, cert) })
	m.clock.Pass(time.Unix(n.stamp(t).Unix, 0).Sub(m.clock.Now()))
	h := http.Header{}
	wechatpay.Signature{Stamp: n.stamp(t), Serial: n.Serial, Value: n.Signature}.Write(h)
	_, err = m.ReadNotice(t.Context(), h, []byte(n.Body))
	require.ErrorIs(t, err, wechatpay.ErrUnknownEvent, "a contract of PayScore, signed well")
	_, err = m.ReadNotice(t.Context(), h, []byte(n.Body+" "))
	require.ErrorIs(t, err, wechatpay.ErrBadSignature)
}
