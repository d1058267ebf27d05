package wechatpaytest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// over makes a call over a socket, where a connection can be cut.
func (m *merchant) over(ctx context.Context, base, method, target, body string) (reply, error) {
	m.t.Helper()
	r := m.request(method, target, body) //nolint:contextcheck // it is signed in the test's context and sent in the caller's
	out, err := http.NewRequestWithContext(ctx, method, base+target, r.Body)
	require.NoError(m.t, err)
	out.Header = r.Header
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(out)
	if err != nil {
		return reply{}, err
	}
	text, err := io.ReadAll(response.Body)
	if closed := response.Body.Close(); err != nil || closed != nil {
		return reply{Status: response.StatusCode}, errors.Join(err, closed)
	}
	return reply{Status: response.StatusCode, Header: response.Header, Body: text}, nil
}

// TestWhatMayGoWrongWithACall tells for each fault whether the prepay happened,
// what the merchant saw, and that the next call is well again.
func TestWhatMayGoWrongWithACall(t *testing.T) {
	t.Parallel()
	for fault, want := range map[wechatpaytest.Fault]struct {
		happened bool
		status   int // 0: the connection was cut
		code     string
	}{
		wechatpaytest.Dead:          {false, 0, ""},
		wechatpaytest.RequestLost:   {false, 0, ""},
		wechatpaytest.AnswerLost:    {true, 0, ""},
		wechatpaytest.Truncated:     {true, 0, ""},
		wechatpaytest.ErrorBefore:   {false, 500, "SYSTEM_ERROR"},
		wechatpaytest.ErrorAfter:    {true, 500, "SYSTEM_ERROR"},
		wechatpaytest.BadGateway:    {true, 502, ""},
		wechatpaytest.TooMany:       {false, 429, "FREQUENCY_LIMITED"},
		wechatpaytest.TooManyAfter:  {true, 429, "FREQUENCY_LIMITED"},
		wechatpaytest.Slow:          {true, 200, ""},
		wechatpaytest.Probe:         {true, 200, "bad_signature"},
		wechatpaytest.Forged:        {true, 200, "bad_signature"},
		wechatpaytest.WrongTime:     {true, 200, "stale"},
		wechatpaytest.UnknownSerial: {true, 200, "unknown_serial"},
		wechatpaytest.Unsigned:      {true, 200, "bad_header"},
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			m := trading(t, wechatpaytest.Config{})
			server := httptest.NewServer(m.p)
			t.Cleanup(server.Close)
			require.NoError(t, m.p.Fail(wechatpaytest.PrepayCall, wechatpaytest.Switch{Fault: fault, Times: 1}))
			const target = "/v3/pay/transactions/jsapi"
			got, err := m.over(t.Context(), server.URL, http.MethodPost, target, m.order("FAULT_1"))
			if want.status == 0 {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				require.Equal(t, want.status, got.Status)
				require.Equal(t, want.code, m.belief(got))
			}
			require.Len(t, m.ledger().Trades, map[bool]int{true: 1}[want.happened])
			got, err = m.over(t.Context(), server.URL, http.MethodPost, target, m.order("FAULT_1"))
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, got.Status)
			require.Empty(t, m.belief(got))
		})
	}
}

// belief is the refusal's code, or why the merchant must not believe an answer.
func (m *merchant) belief(got reply) string {
	m.t.Helper()
	if got.Status == http.StatusBadGateway {
		return ""
	}
	if got.Status != http.StatusOK {
		return m.read(got.Status, http.Header{}, got.Body).Code
	}
	s, err := wechatpay.ReadSignature(got.Header)
	if err != nil {
		return hospital.CodeOf(err)
	}
	if time.Since(time.Unix(s.Unix, 0)) > wechatpay.Window {
		return "stale"
	}
	if s.Serial != m.c.PublicKeyID {
		return "unknown_serial"
	}
	return hospital.CodeOf(wechatpay.Verify(m.c.PublicKey, wechatpay.AnswerMessage(s.Stamp, got.Body), s.Value))
}

func TestASlowAnswerWaits(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	server := httptest.NewServer(m.p)
	t.Cleanup(server.Close)
	gate, reached := make(chan struct{}), make(chan struct{})
	require.NoError(t, m.p.Fail(wechatpaytest.PrepayCall, wechatpaytest.Switch{Fault: wechatpaytest.Slow, Times: 1, Until: gate, Reached: reached}))
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := m.over(ctx, server.URL, http.MethodPost, "/v3/pay/transactions/jsapi", m.order("SLOW_1"))
		gone <- err
	}()
	<-reached
	require.Len(t, m.ledger().Trades, 1, "it has happened")
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	close(gate)
	got, err := m.over(t.Context(), server.URL, http.MethodPost, "/v3/pay/transactions/jsapi", m.order("SLOW_1"))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.Status)
}

func TestASlowAnswerComesAfterItsDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		set, err := keys()
		require.NoError(t, err)
		p, err := wechatpaytest.New(wechatpaytest.Config{Keys: set})
		require.NoError(t, err)
		m := &merchant{t: t, p: p, c: p.Credentials()}
		require.NoError(t, p.Fail(wechatpaytest.Any, wechatpaytest.Switch{Fault: wechatpaytest.Slow, Times: 1, Delay: time.Minute}))
		began := time.Now()
		require.Equal(t, http.StatusOK, m.prepay("SLOW_1").Status)
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, http.StatusOK, m.prepay("SLOW_1").Status)
		require.Equal(t, time.Minute, time.Since(began))
	})
}

func TestAnAnswerThatTellsAnotherStory(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.paid("STORY_1")
	m.refund("STORY_1", "R1", 500)
	for call, ask := range map[wechatpaytest.Call]func() map[string]any{
		wechatpaytest.Query:       func() map[string]any { return m.query("STORY_1").JSON },
		wechatpaytest.QueryRefund: func() map[string]any { return m.queryRefund("R1").JSON },
	} {
		number, sum := "out_trade_no", "total"
		if call == wechatpaytest.QueryRefund {
			number, sum = "out_refund_no", "refund"
		}
		truth := ask()
		for fault, lies := range map[wechatpaytest.Fault]func(map[string]any) bool{
			wechatpaytest.OneFenMore: func(got map[string]any) bool {
				return fen(got, "amount."+sum) == fen(truth, "amount."+sum)+1
			},
			wechatpaytest.OtherTrade: func(got map[string]any) bool { return text(got, number) == text(truth, number)+"x" },
		} {
			require.NoError(t, m.p.Fail(call, wechatpaytest.Switch{Fault: fault, Times: 2}))
			require.True(t, lies(ask()), "%s %s", call, fault)
			require.True(t, lies(ask()), "%s %s", call, fault)
			require.Equal(t, truth, ask())
		}
	}
}

// TestThePayerIsQuickerThanTheClose is the race that ends in a payment.
func TestThePayerIsQuickerThanTheClose(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.prepay("RACE_01")
	require.NoError(t, m.p.Fail(wechatpaytest.CloseCall, wechatpaytest.Switch{Fault: wechatpaytest.PaidFirst, Times: 1}))
	require.Equal(t, "NOTPAY", m.query("RACE_01").JSON["trade_state"])
	require.Equal(t, "ORDER_PAID", m.close("RACE_01").Code)
	require.Equal(t, "SUCCESS", m.query("RACE_01").JSON["trade_state"])
	require.Len(t, m.ledger().Notices, 1)
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	for _, bad := range []struct {
		call  wechatpaytest.Call
		fault wechatpaytest.Switch
	}{
		{"prepey", wechatpaytest.Switch{Fault: wechatpaytest.Dead}},
		{wechatpaytest.Query, wechatpaytest.Switch{Fault: "ded"}},
		{wechatpaytest.Query, wechatpaytest.Switch{}},
		{wechatpaytest.Query, wechatpaytest.Switch{Fault: wechatpaytest.Dead, Times: -1}},
	} {
		require.Equal(t, hospital.Invalid, hospital.KindOf(m.p.Fail(bad.call, bad.fault)))
	}
	require.NoError(t, m.p.Fail(wechatpaytest.Any, wechatpaytest.Switch{Fault: wechatpaytest.TooMany}))
	require.NoError(t, m.p.Fail(wechatpaytest.Query, wechatpaytest.Switch{Fault: wechatpaytest.ErrorBefore, Times: 1}))
	require.Equal(t, "SYSTEM_ERROR", m.query("SWITCH_1").Code, "its own switch comes first")
	require.Equal(t, "FREQUENCY_LIMITED", m.query("SWITCH_1").Code)
	require.Equal(t, "FREQUENCY_LIMITED", m.prepay("SWITCH_1").Code, "until cleared")
	require.NoError(t, m.p.Mail(wechatpaytest.Mail{Fault: wechatpaytest.MailLost}))
	require.NoError(t, m.p.NextRefunds("CLOSED"))
	m.p.Heal()
	m.paid("SWITCH_1")
	m.refund("SWITCH_1", "R1", 1250)
	m.clock.Pass(time.Minute)
	l := m.ledger()
	require.Equal(t, wechatpaytest.Waiting, l.Notices[0].State)
	require.Equal(t, "SUCCESS", l.Refunds[0].Status)
}

// TestTheLogOfTheWire names no person and tells what acted.
func TestTheLogOfTheWire(t *testing.T) {
	t.Parallel()
	var log []wechatpaytest.Exchange
	mat := &doormat{}
	m := trading(t, wechatpaytest.Config{HTTPClient: mat.client(), Log: func(e wechatpaytest.Exchange) {
		e.At, e.Took, e.RequestID = time.Time{}, 0, ""
		log = append(log, e)
	}})
	m.prepay("LOG_01", "appid", "wx0000000000000000")
	m.paid("LOG_01")
	m.advance()
	require.NoError(t, m.p.Fail(wechatpaytest.Query, wechatpaytest.Switch{Fault: wechatpaytest.TooMany, Times: 1}))
	m.query("LOG_01")
	require.Equal(t, []wechatpaytest.Exchange{
		{Call: wechatpaytest.PrepayCall, Subject: "LOG_01", Status: 400, Code: "APPID_MCHID_NOT_MATCH"},
		{Call: wechatpaytest.PrepayCall, Subject: "LOG_01", Status: 200},
		{Call: wechatpaytest.Notify, Subject: "LOG_01", Status: 204, Code: "TRANSACTION.SUCCESS"},
		{Call: wechatpaytest.Query, Subject: "LOG_01", Status: 429, Code: "FREQUENCY_LIMITED", Fault: "too_many"},
	}, log)
}
