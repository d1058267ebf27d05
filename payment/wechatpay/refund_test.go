package wechatpay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

func aRefund() payment.Refund {
	return payment.Refund{
		No: "o0123456789-1-r1", TradeNo: tradeNo, TransactionID: "4200002026112101", Channel: "wechatpay", Amount: 1250, Total: 1250,
		Cause: "cancelled", State: payment.RefundIsSent,
	}
}

func toldRefund(status string, change ...string) string {
	text := `{"refund_id":"5030002026112101","out_refund_no":"o0123456789-1-r1","transaction_id":"4200002026112101","out_trade_no":"` +
		string(tradeNo) + `","channel":"ORIGINAL","user_received_account":"招商银行信用卡0403","success_time":"2026-11-21T09:00:00+08:00",` +
		`"create_time":"2026-11-21T08:00:00+08:00","status":"` + status + `","funds_account":"AVAILABLE",` +
		`"amount":{"total":1250,"refund":1250,"payer_total":1250,"payer_refund":1250,"settlement_refund":1250,"settlement_total":1250,"discount_refund":0,"currency":"CNY"}}`
	return strings.NewReplacer(change...).Replace(text)
}

func TestARefundIsAskedForUnderItsNumber(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, func(c *wechatpay.Config) { c.RefundNotifyURL = "https://hospital.example.com/pay/refunds" })
	m.far.says(reply{status: 200, body: toldRefund("PROCESSING")})
	status, err := m.Refund(t.Context(), aRefund())
	require.NoError(t, err)
	require.Equal(t, payment.RefundStatus{
		No: "o0123456789-1-r1", TradeNo: tradeNo, State: payment.RefundProcessing, Amount: 1250, Currency: "CNY",
		RefundID: "5030002026112101", Detail: "PROCESSING",
	}, status)
	asked := m.far.requests()[0]
	require.Equal(t, "POST /v3/refund/domestic/refunds", asked.method+" "+asked.target)
	require.JSONEq(t, `{"transaction_id":"4200002026112101","out_refund_no":"o0123456789-1-r1","notify_url":"https://hospital.example.com/pay/refunds",`+
		`"amount":{"refund":1250,"total":1250,"currency":"CNY"}}`, asked.body)

	r := aRefund()
	r.TransactionID = ""
	m.far.says(reply{status: 200, body: toldRefund("PROCESSING")})
	_, err = m.Refund(t.Context(), r)
	require.NoError(t, err)
	require.Contains(t, m.far.requests()[1].body, `{"out_trade_no":"`+string(tradeNo)+`","out_refund_no"`)
}

func TestRefundStatesAreTold(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]payment.RefundProgress{
		"SUCCESS": payment.RefundSucceeded, "PROCESSING": payment.RefundProcessing, "ABNORMAL": payment.RefundAbnormal,
		"CLOSED": payment.RefundClosed, "CLOSE": payment.RefundClosed,
	} {
		t.Run(said, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t)
			m.far.says(reply{status: 200, body: toldRefund(said)})
			status, err := m.QueryRefund(t.Context(), "o0123456789-1-r1")
			require.NoError(t, err)
			require.Equal(t, want, status.State)
			require.Equal(t, hospital.Fen(1250), status.Amount)
			require.Equal(t, said, status.Detail, "WeChat Pay's word, and not the payer's account")
			if want == payment.RefundSucceeded {
				require.True(t, time.Date(2026, 11, 21, 9, 0, 0, 0, hospital.CST).Equal(status.At))
			}
			require.Equal(t, "/v3/refund/domestic/refunds/o0123456789-1-r1", m.far.requests()[0].target)
		})
	}
}

func TestARefundThatCannotBeOursIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"an unknown state":       {"PROCESSING", "PENDING"},
		"another number":         {"o0123456789-1-r1", "o0123456789-1-r2"},
		"another payment":        {"4200002026112101", "4200002026112102"},
		"another total":          {`"total":1250`, `"total":1251`},
		"no number of WeChat's":  {"5030002026112101", ""},
		"nothing goes back":      {`"refund":1250`, `"refund":0`},
		"more than there was":    {`"refund":1250`, `"refund":1251`},
		"no trade":               {`"out_trade_no":"` + string(tradeNo) + `"`, `"out_trade_no":""`},
		"done at no time":        {"PROCESSING", "SUCCESS", "2026-11-21T09:00:00+08:00", ""},
		"not the JSON it claims": {`"amount":{`, `"amount":"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t)
			m.far.says(reply{status: 200, body: toldRefund("PROCESSING", change...)})
			_, err := m.Refund(t.Context(), aRefund())
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "%v", err)
			require.Equal(t, "bad_answer", hospital.CodeOf(err))
		})
	}
	t.Run("another sum is passed on, for the cashier opens a case", func(t *testing.T) {
		t.Parallel()
		m := newMerchant(t)
		m.far.says(reply{status: 200, body: toldRefund("PROCESSING", `"refund":1250`, `"refund":1249`)})
		status, err := m.Refund(t.Context(), aRefund())
		require.NoError(t, err)
		require.Equal(t, hospital.Fen(1249), status.Amount)
	})
}

func TestARefundThatCannotBeIsNotSent(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	for name, spoil := range map[string]func(*payment.Refund){
		"no number":              func(r *payment.Refund) { r.No = "" },
		"a number with a path":   func(r *payment.Refund) { r.No = "a/../b" },
		"no trade":               func(r *payment.Refund) { r.TradeNo = "" },
		"nothing":                func(r *payment.Refund) { r.Amount = 0 },
		"less than nothing":      func(r *payment.Refund) { r.Amount = -1 },
		"more than was paid":     func(r *payment.Refund) { r.Amount = r.Total + 1 },
		"a line in their number": func(r *payment.Refund) { r.TransactionID = "42\n" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := aRefund()
			spoil(&r)
			_, err := m.Refund(t.Context(), r)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err), "%v", err)
		})
	}
	require.Empty(t, m.far.requests())
}
