package wechatpaytest_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

func TestARefundWithABadField(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.paid("REFUND_1")
	for name, test := range map[string]struct {
		changes []any
		status  int
		code    string
		field   string
	}{
		"no trade":                         {[]any{"out_trade_no", nil}, 400, "PARAM_ERROR", "/transaction_id"},
		"no number":                        {[]any{"out_refund_no", nil}, 400, "PARAM_ERROR", "/out_refund_no"},
		"a number with a full stop":        {[]any{"out_refund_no", "R.1"}, 400, "PARAM_ERROR", "/out_refund_no"},
		"a number of 65 characters":        {[]any{"out_refund_no", strings.Repeat("R", 65)}, 400, "PARAM_ERROR", "/out_refund_no"},
		"no sum":                           {[]any{"amount.refund", nil}, 400, "PARAM_ERROR", "/amount/refund"},
		"a sum of nothing":                 {[]any{"amount.refund", 0}, 400, "PARAM_ERROR", "/amount/refund"},
		"a sum with a part of a fen":       {[]any{"amount.refund", 0.5}, 400, "PARAM_ERROR", "/amount/refund"},
		"no total":                         {[]any{"amount.total", nil}, 400, "PARAM_ERROR", "/amount/total"},
		"no currency":                      {[]any{"amount.currency", nil}, 400, "PARAM_ERROR", "/amount/currency"},
		"another currency":                 {[]any{"amount.currency", "USD"}, 400, "PARAM_ERROR", "/amount/currency"},
		"a reason of 81 characters":        {[]any{"reason", strings.Repeat("因", 81)}, 400, "PARAM_ERROR", "/reason"},
		"a notify_url with a query":        {[]any{"notify_url", "https://h.example/n?a=b"}, 400, "PARAM_ERROR", "/notify_url"},
		"another total than was paid":      {[]any{"amount.total", 1251}, 400, "INVALID_REQUEST", ""},
		"more than was paid":               {[]any{"amount.refund", 1251}, 400, "INVALID_REQUEST", ""},
		"a trade that nobody made":         {[]any{"out_trade_no", "REFUND_9"}, 404, "RESOURCE_NOT_EXISTS", ""},
		"a payment that nobody made":       {[]any{"transaction_id", "4200"}, 404, "RESOURCE_NOT_EXISTS", ""},
		"a payment that is of other trade": {[]any{"out_trade_no", "REFUND_2", "transaction_id", "4200"}, 404, "RESOURCE_NOT_EXISTS", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := *m
			one.t = t
			got := one.refund("REFUND_1", "R1", 1000, test.changes...)
			require.Equal(t, test.status, got.Status, "%s", got.Body)
			require.Equal(t, test.code, got.Code)
			require.Equal(t, test.field, got.Field)
		})
	}
	t.Cleanup(func() { require.Empty(t, m.ledger().Refunds, "nothing was given back") })
}

func TestARefundOfATradeThatIsNotPaid(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.prepay("REFUND_1")
	require.Equal(t, "RESOURCE_NOT_EXISTS", m.refund("REFUND_1", "R1", 1250).Code)
	m.close("REFUND_1")
	require.Equal(t, "RESOURCE_NOT_EXISTS", m.refund("REFUND_1", "R1", 1250).Code)
}

func TestARefundNumberRefundsOnce(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	trade := m.paid("REFUND_1")
	m.paid("REFUND_2")
	require.Equal(t, "RESOURCE_NOT_EXISTS", m.queryRefund("R@1").Code)
	first := m.refund("REFUND_1", "R@1", 500)
	require.Equal(t, http.StatusOK, first.Status, "%s", first.Body)
	require.Equal(t, "PROCESSING", first.JSON["status"])
	require.Equal(t, "REFUND", m.query("REFUND_1").JSON["trade_state"])
	require.Equal(t, first.JSON, m.refund("REFUND_1", "R@1", 500).JSON)
	require.Equal(t, first.JSON, m.refund("", "R@1", 500, "out_trade_no", nil, "transaction_id", trade.TransactionID).JSON, "under either number of the trade")
	require.Equal(t, first.JSON, m.queryRefund("R@1").JSON)
	for name, got := range map[string]reply{
		"another sum":   m.refund("REFUND_1", "R@1", 501),
		"another trade": m.refund("REFUND_2", "R@1", 500),
		"another total": m.refund("REFUND_1", "R@1", 500, "amount.total", 1251),
	} {
		require.Equal(t, http.StatusBadRequest, got.Status, name)
		require.Equal(t, "INVALID_REQUEST", got.Code, name)
	}
	torn := m.refund("REFUND_2", "R@2", 500, "transaction_id", trade.TransactionID)
	require.Equal(t, "RESOURCE_NOT_EXISTS", torn.Code, "one trade under both numbers")
	require.EqualValues(t, 500, m.ledger().Refunded)
}

func TestNoMoreGoesBackThanCameIn(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.paid("REFUND_1")
	m.paid("REFUND_2") // so that the funds would do
	require.Equal(t, http.StatusOK, m.refund("REFUND_1", "R1", 1000).Status)
	got := m.refund("REFUND_1", "R2", 250)
	require.Equal(t, http.StatusTooManyRequests, got.Status, "refunds of one trade are a minute apart")
	require.Equal(t, "FREQUENCY_LIMITED", got.Code)
	require.Equal(t, "RESOURCE_NOT_EXISTS", m.queryRefund("R2").Code, "and what was refused so was not accepted")
	m.clock.Pass(time.Minute)
	require.Equal(t, "INVALID_REQUEST", m.refund("REFUND_1", "R2", 251).Code)
	require.Equal(t, http.StatusOK, m.refund("REFUND_1", "R2", 250).Status)
	m.clock.Pass(time.Minute)
	require.Equal(t, "INVALID_REQUEST", m.refund("REFUND_1", "R3", 1).Code)
	l := m.ledger()
	require.EqualValues(t, 2500, l.Paid)
	require.EqualValues(t, 1250, l.Refunded)
	require.EqualValues(t, 1250, l.Funds)
}

func TestRefundsHaveTheirLimits(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.paid("REFUND_1")
	for i := range 50 {
		got := m.refund("REFUND_1", fmt.Sprintf("R%d", i), 1)
		require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
		m.clock.Pass(time.Minute)
	}
	got := m.refund("REFUND_1", "R50", 1)
	require.Equal(t, "INVALID_REQUEST", got.Code)
	require.Contains(t, got.Message, "50")
	require.Equal(t, http.StatusOK, m.refund("REFUND_1", "R49", 1).Status, "a repetition is none")

	m.paid("REFUND_2")
	m.clock.Pass(365 * 24 * time.Hour)
	m.paid("REFUND_3")
	require.Equal(t, http.StatusOK, m.refund("REFUND_2", "S1", 1).Status)
	m.clock.Pass(time.Minute)
	got = m.refund("REFUND_2", "S2", 1)
	require.Equal(t, "INVALID_REQUEST", got.Code)
	require.Contains(t, got.Message, "期限")
}

func TestTheMerchantHasNotEnough(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.paid("REFUND_1")
	require.NoError(t, m.p.MoveFunds(-1))
	got := m.refund("REFUND_1", "R1", 1250)
	require.Equal(t, http.StatusForbidden, got.Status)
	require.Equal(t, "NOT_ENOUGH", got.Code)
	require.Equal(t, hospital.Rejected, hospital.KindOf(m.p.MoveFunds(-1250)), "nor can it take out what is not there")
	require.NoError(t, m.p.MoveFunds(1))
	require.Equal(t, http.StatusOK, m.refund("REFUND_1", "R1", 1250).Status, "topped up, the same number goes through")
	require.Zero(t, m.ledger().Funds)
}

func TestARefundEndsByTheClock(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{RefundAfter: time.Hour, HTTPClient: (&doormat{}).client()})
	m.paid("REFUND_1")
	require.NoError(t, m.p.NextRefunds("ABNORMAL", "CLOSED", "PROCESSING"))
	require.Equal(t, hospital.Invalid, hospital.KindOf(m.p.NextRefunds("DONE")))
	for _, no := range []string{"R1", "R2", "R3", "R4"} {
		require.Equal(t, http.StatusOK, m.refund("REFUND_1", no, 300).Status)
		m.clock.Pass(time.Minute)
	}
	status := func() (all []any) {
		for _, no := range []string{"R1", "R2", "R3", "R4"} {
			all = append(all, m.queryRefund(no).JSON["status"])
		}
		return all
	}
	m.clock.Pass(56 * time.Minute)
	require.Equal(t, []any{"ABNORMAL", "PROCESSING", "PROCESSING", "PROCESSING"}, status())
	m.clock.Pass(3 * time.Minute)
	require.Equal(t, []any{"ABNORMAL", "CLOSED", "PROCESSING", "SUCCESS"}, status())
	require.EqualValues(t, 900, m.ledger().Refunded, "a closed refund took nothing")
	require.Equal(t, "CLOSED", m.refund("REFUND_1", "R2", 300).JSON["status"], "its number is used up")
	require.Equal(t, http.StatusOK, m.refund("REFUND_1", "R5", 350).Status, "a new one may take the money")

	require.Equal(t, hospital.NotFound, hospital.KindOf(m.p.SettleRefund("R9", "SUCCESS")))
	require.Equal(t, hospital.Invalid, hospital.KindOf(m.p.SettleRefund("R3", "PROCESSING")))
	require.Equal(t, hospital.Conflict, hospital.KindOf(m.p.SettleRefund("R4", "CLOSED")))
	require.NoError(t, m.p.SettleRefund("R3", "SUCCESS"))
	require.NoError(t, m.p.SettleRefund("R1", "SUCCESS"), "staff has paid it to another card")
	require.Equal(t, []any{"SUCCESS", "CLOSED", "SUCCESS", "SUCCESS"}, status())
	var events []string
	for _, n := range m.ledger().Notices {
		events = append(events, n.OutRefundNo+" "+n.Event)
	}
	require.Equal(t, []string{
		" TRANSACTION.SUCCESS", "R1 REFUND.ABNORMAL", "R2 REFUND.CLOSED", "R4 REFUND.SUCCESS", "R3 REFUND.SUCCESS", "R1 REFUND.SUCCESS",
	}, events)
}

// TestACouponIsSharedOut refunds in parts that do not divide evenly: what the
// payer gets adds up to what the payer paid.
func TestACouponIsSharedOut(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.prepay("REFUND_1")
	_, err := m.p.Pay(wechatpaytest.Payment{OutTradeNo: "REFUND_1", Coupon: 333})
	require.NoError(t, err)
	payer := 0
	for i, sum := range []int{417, 417, 416} {
		got := m.refund("REFUND_1", fmt.Sprintf("R%d", i), sum)
		require.Equal(t, http.StatusOK, got.Status)
		require.Equal(t, sum, fen(got.JSON, "amount.payer_refund")+fen(got.JSON, "amount.discount_refund"))
		payer += fen(got.JSON, "amount.payer_refund")
		m.clock.Pass(time.Minute)
	}
	require.Equal(t, 917, payer)
}

// TestOneNumberFromManySides sends everything that moves money at once.
func TestOneNumberFromManySides(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.prepay("RACE_1")
	var all sync.WaitGroup
	var mu sync.Mutex
	paid, refunded := 0, map[string]bool{}
	for i := range 40 {
		all.Go(func() {
			if _, err := m.p.Pay(wechatpaytest.Payment{OutTradeNo: "RACE_1"}); err == nil {
				mu.Lock()
				paid++
				mu.Unlock()
			}
			got := m.refund("RACE_1", fmt.Sprintf("R%d", i%4), 700)
			if got.Status == http.StatusOK {
				mu.Lock()
				refunded[text(got.JSON, "refund_id")] = true
				mu.Unlock()
			}
			_, _ = m.p.Advance(t.Context())
			m.query("RACE_1")
		})
	}
	all.Wait()
	require.Equal(t, 1, paid)
	require.Len(t, refunded, 1, "only one of 700 goes into 1250")
	l := m.ledger()
	require.EqualValues(t, 1250, l.Paid)
	require.EqualValues(t, 700, l.Refunded)
}
