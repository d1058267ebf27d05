package wechatpay_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

const tradeNo = payment.TradeNo("o0123456789-1")

// told is a transaction as WeChat Pay tells it.
func told(state string, change ...string) string {
	text := `{"appid":"` + appID + `","mchid":"` + merchantID + `","out_trade_no":"` + string(tradeNo) + `","transaction_id":"4200002026112101",` +
		`"trade_type":"JSAPI","trade_state":"` + state + `","trade_state_desc":"支付成功","bank_type":"CMB_DEBIT","attach":"",` +
		`"success_time":"2026-11-21T07:31:00+08:00","payer":{"openid":"` + openID + `"},` +
		`"amount":{"total":1250,"payer_total":1000,"currency":"CNY","payer_currency":"CNY"}}`
	return strings.NewReplacer(change...).Replace(text)
}

func TestTradeStatesAreTold(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]payment.TradeState{
		"NOTPAY": payment.TradeNotPaid, "USERPAYING": payment.TradePaying, "ACCEPT": payment.TradePaying, "SUCCESS": payment.TradePaid,
		"REFUND": payment.TradeRefunded, "CLOSED": payment.TradeClosed, "REVOKED": payment.TradeClosed, "PAYERROR": payment.TradeClosed,
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t)
			m.far.says(reply{status: 200, body: told(state)})
			trade, err := m.Query(t.Context(), tradeNo)
			require.NoError(t, err)
			require.Equal(t, want, trade.State)
			require.Equal(t, hospital.Fen(1250), trade.Amount, "the order's total, not what the payer gave")
			require.Equal(t, "CNY", trade.Currency)
			require.Equal(t, "4200002026112101", trade.TransactionID)
			if want.Paid() {
				require.True(t, time.Date(2026, 11, 21, 7, 31, 0, 0, hospital.CST).Equal(trade.PaidAt))
			}
			asked := m.far.requests()[0]
			require.Equal(t, "GET", asked.method)
			require.Equal(t, "/v3/pay/transactions/out-trade-no/o0123456789-1?mchid="+merchantID, asked.target)
			require.Empty(t, asked.header.Get("Content-Type"))
		})
	}
}

func TestBeforeAPaymentThereIsLittleToTell(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.far.says(reply{status: 200, body: `{"appid":"` + appID + `","mchid":"` + merchantID + `","out_trade_no":"` + string(tradeNo) +
		`","trade_state":"NOTPAY","trade_state_desc":"订单未支付","amount":{"total":1250}}`})
	trade, err := m.Query(t.Context(), tradeNo)
	require.NoError(t, err)
	require.Equal(t, payment.Trade{TradeNo: tradeNo, State: payment.TradeNotPaid, Amount: 1250, Currency: "CNY"}, trade)
}

func TestATransactionThatCannotBeOursIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"another merchant's":       {merchantID, "1900000110"},
		"another account's":        {appID, "wx9999999999999999"},
		"another number's":         {string(tradeNo), "o9999999999-1"},
		"an unknown state":         {"SUCCESS", "SUCCEEDED"},
		"paid without a number":    {"4200002026112101", ""},
		"paid at no time":          {"2026-11-21T07:31:00+08:00", "yesterday"},
		"paid nothing":             {`"total":1250`, `"total":0`},
		"a fraction of a fen":      {`"total":1250`, `"total":12.5`},
		"a sum in words":           {`"total":1250`, `"total":"1250"`},
		"more than there is":       {`"total":1250`, `"total":99999999999999999999`},
		"a line in the number":     {"4200002026112101", `42\n00`},
		"something behind the end": {`"payer_currency":"CNY"}}`, `"payer_currency":"CNY"}} {}`},
		"cut":                      {`"payer_currency":"CNY"}}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t)
			m.far.says(reply{status: 200, body: told("SUCCESS", change...)})
			_, err := m.Query(t.Context(), tradeNo)
			require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
			require.Equal(t, "bad_answer", hospital.CodeOf(err))
			require.NotContains(t, err.Error(), openID)
		})
	}
}

func TestClosingIsAnsweredWithoutABody(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.far.says(reply{status: 204}, reply{status: 400, body: `{"code":"ORDER_CLOSED","message":"订单已关闭"}`})
	require.NoError(t, m.Close(t.Context(), tradeNo))
	require.NoError(t, m.Close(t.Context(), tradeNo), "what is closed is closed")
	asked := m.far.requests()[0]
	require.Equal(t, "/v3/pay/transactions/out-trade-no/o0123456789-1/close", asked.target)
	require.JSONEq(t, `{"mchid":"`+merchantID+`"}`, asked.body)
}

func TestNumbersThatCannotBeOursAreNotAskedFor(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	for _, no := range []string{"", "a", "../../v3/certificates", "o123456?x=y", strings.Repeat("a", 65)} {
		_, err := m.Query(t.Context(), payment.TradeNo(no))
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), no)
		require.Equal(t, hospital.Invalid, hospital.KindOf(m.Close(t.Context(), payment.TradeNo(no))), no)
		if no == "a" {
			continue // a refund's number may be as short
		}
		_, err = m.QueryRefund(t.Context(), payment.RefundNo(no))
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), no)
	}
	require.Empty(t, m.far.requests())
}

// calls are the calls of a channel, by name.
func calls(t *testing.T, m *merchant) map[string]func() error {
	t.Helper()
	a := m.attempt(t)
	return map[string]func() error{
		"prepay": func() error { _, err := m.Prepay(t.Context(), a); return err },
		"query":  func() error { _, err := m.Query(t.Context(), tradeNo); return err },
		"close":  func() error { return m.Close(t.Context(), tradeNo) },
		"refund": func() error { _, err := m.Refund(t.Context(), aRefund()); return err },
		"query_refund": func() error {
			_, err := m.QueryRefund(t.Context(), "o0123456789-1-r1")
			return err
		},
	}
}

func TestEveryCodeSaysWhatToDo(t *testing.T) {
	t.Parallel()
	const (
		inv, den, nof, con = hospital.Invalid, hospital.Denied, hospital.NotFound, hospital.Conflict
		rej, una, ind      = hospital.Rejected, hospital.Unavailable, hospital.Indeterminate
	)
	type kinds map[string]hospital.Kind
	for _, c := range []struct {
		status int
		code   string
		kinds  kinds
	}{
		{400, "PARAM_ERROR", kinds{"prepay": inv, "query": inv, "close": inv, "refund": inv, "query_refund": inv}},
		{400, "INVALID_REQUEST", kinds{"prepay": rej, "query": rej, "close": rej, "refund": rej, "query_refund": rej}},
		{400, "APPID_MCHID_NOT_MATCH", kinds{"prepay": den}},
		{403, "NO_AUTH", kinds{"prepay": den, "refund": den}},
		{401, "SIGN_ERROR", kinds{"prepay": una, "query": una, "close": una, "refund": den, "query_refund": una}},
		{403, "OUT_TRADE_NO_USED", kinds{"prepay": con}},
		{400, "ORDER_CLOSED", kinds{"prepay": con, "refund": rej}},
		{400, "ORDER_PAID", kinds{"prepay": con, "close": con}},
		{403, "TRADE_ERROR", kinds{"prepay": con, "close": con, "refund": rej}},
		{400, "RULE_LIMIT", kinds{"prepay": con, "close": con}},
		{404, "ORDER_NOT_EXIST", kinds{"query": nof, "close": nof, "refund": rej}},
		{404, "RESOURCE_NOT_EXISTS", kinds{"query_refund": nof, "refund": rej}},
		{403, "NOT_ENOUGH", kinds{"refund": rej}},
		{403, "NOTENOUGH", kinds{"refund": rej}},
		{404, "ORDERNOTEXIST", kinds{"query": nof, "close": nof, "refund": rej}},
		{400, "ORDERPAID", kinds{"prepay": con, "close": con}},
		{400, "ORDERCLOSED", kinds{"prepay": con}},
		{403, "USER_ACCOUNT_ABNORMAL", kinds{"refund": rej}},
		{403, "REQUEST_BLOCKED", kinds{"refund": rej}},
		{400, "A_NEW_ONE", kinds{"prepay": rej, "query": rej, "close": rej, "refund": rej}},
		{400, "SYSTEM_ERROR", kinds{"prepay": ind, "query": una, "close": ind, "refund": ind, "query_refund": una}},
	} {
		for call, want := range c.kinds {
			t.Run(c.code+" to "+call, func(t *testing.T) {
				t.Parallel()
				m := newMerchant(t)
				m.far.says(reply{
					status: c.status, body: `{"code":"` + c.code + `","message":"说明","detail":{"field":"/payer/openid","value":"` + openID + `","issue":"` + openID + `坏"}}`,
					spoil: func(h http.Header) { h.Set("Request-ID", "08F78BB5AF0610D302-268435461") },
				})
				err := calls(t, m)[call]()
				require.Equal(t, want, hospital.KindOf(err), "%v", err)
				require.Equal(t, c.code, hospital.CodeOf(err), "verbatim")
				require.ErrorContains(t, err, "HTTP "+fmt.Sprint(c.status))
				require.ErrorContains(t, err, "说明")
				require.ErrorContains(t, err, "/payer/openid")
				require.NotContains(t, err.Error(), openID)
				advice, known := wechatpay.AdviceOn(err)
				require.Equal(t, c.code != "A_NEW_ONE", known)
				if known {
					require.NotEmpty(t, advice.Next)
					require.ErrorContains(t, err, advice.Next)
				}
				require.Len(t, m.far.requests(), 1, "a definite answer is not asked for again")
			})
		}
	}
}

func TestASubCodeIsShownToTheOperator(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.far.says(reply{status: 400, body: `{"code":"PARAM_ERROR"}`, spoil: func(h http.Header) { h["Request-Id"] = []string{"08F7-268435461"} }})
	require.ErrorContains(t, m.Close(t.Context(), tradeNo), "sub-code 268435461")
}

func TestABreakdownLeavesOpenWhatHappened(t *testing.T) {
	t.Parallel()
	breakdowns := map[string]struct {
		reply reply
		code  string
	}{
		"500 with a code":          {reply{status: 500, body: `{"code":"SYSTEM_ERROR","message":"系统异常"}`}, "SYSTEM_ERROR"},
		"503 without":              {reply{status: 503, body: `<html>`}, "http_503"},
		"a lost answer":            {reply{lost: true}, "connection_lost"},
		"a page of a gateway":      {reply{status: 403, body: `<html>forbidden</html>`}, "http_403"},
		"a 404 that is none":       {reply{status: 404, body: `{"error":"no route"}`}, "http_404"},
		"a code that is a sermon":  {reply{status: 404, body: `{"code":"` + strings.Repeat("X", 65) + `"}`}, "http_404"},
		"an answer above the cap":  {reply{status: 200, body: strings.Repeat(" ", 300<<10)}, "too_large"},
		"a forged refusal":         {reply{status: 404, body: `{"code":"ORDER_NOT_EXIST"}`, key: strangersKey}, "unverified_answer"},
		"a success not by WeChat":  {reply{status: 200, body: told("SUCCESS"), key: strangersKey}, "unverified_answer"},
		"a success without a sign": {reply{status: 200, body: told("SUCCESS"), spoil: func(h http.Header) { clear(h) }}, "unverified_answer"},
		"a 204 not by WeChat":      {reply{status: 204, key: strangersKey}, "unverified_answer"},
	}
	for name, c := range breakdowns {
		for _, call := range []string{"prepay", "query", "close", "refund", "query_refund"} {
			t.Run(name+" to "+call, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := newMerchant(t)
					m.far.says(c.reply, c.reply, c.reply, c.reply, c.reply, c.reply)
					err := calls(t, m)[call]()
					want := hospital.Indeterminate
					if call == "query" || call == "query_refund" {
						want = hospital.Unavailable
					}
					require.Equal(t, want, hospital.KindOf(err), "%v", err)
					require.Equal(t, c.code, hospital.CodeOf(err), "%v", err)
				})
			})
		}
	}
}

func TestTooManyCallsAreNoRefusal(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"prepay", "query", "close", "refund"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMerchant(t)
				busy := reply{status: 429, body: `{"code":"FREQUENCY_LIMITED","message":"频率超限"}`}
				m.far.says(busy, busy, busy)
				err := calls(t, m)[call]()
				want := hospital.Unavailable
				if call == "refund" { // merchants have seen it after the effect
					want = hospital.Indeterminate
				}
				require.Equal(t, want, hospital.KindOf(err), "%v", err)
				require.Equal(t, "FREQUENCY_LIMITED", hospital.CodeOf(err))
				require.Len(t, m.far.requests(), 3, "WeChat Pay asks to back off: two repetitions")
			})
		})
	}
}

func TestARefusalAfterALostAttemptIsNoProof(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMerchant(t)
		m.far.says(reply{lost: true}, reply{status: 403, body: `{"code":"NOT_ENOUGH"}`})
		_, err := m.Refund(t.Context(), aRefund())
		require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "the first one may have been accepted: %v", err)

		m.far.says(reply{lost: true}, reply{status: 400, body: `{"code":"ORDER_PAID"}`})
		require.Equal(t, hospital.Conflict, hospital.KindOf(m.Close(t.Context(), tradeNo)), "this one speaks of the order, not of the attempt")
	})
}

func TestAProbeIsAskedAgain(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	probe := func(h http.Header) {
		h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+h.Get("Wechatpay-Signature")[:100])
	}
	m.far.says(reply{status: 200, body: told("SUCCESS"), spoil: probe}, reply{status: 200, body: told("SUCCESS")})
	trade, err := m.Query(t.Context(), tradeNo)
	require.NoError(t, err)
	require.Equal(t, payment.TradePaid, trade.State)
	require.Len(t, m.far.requests(), 2)

	m.far.says(reply{status: 200, body: told("SUCCESS"), spoil: probe}, reply{status: 200, body: told("SUCCESS"), spoil: probe})
	_, err = m.Query(t.Context(), tradeNo)
	require.ErrorIs(t, err, wechatpay.ErrBadSignature)
	require.Len(t, m.far.requests(), 4, "once")
}

func TestARefusalAfterAProbeIsNoProof(t *testing.T) {
	t.Parallel()
	probe := func(h http.Header) { h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/AAAA") }
	for name, second := range map[string]reply{
		"blocked":            {status: 403, body: `{"code":"REQUEST_BLOCKED"}`},
		"a bad signature":    {status: 401, body: `{"code":"SIGN_ERROR"}`},
		"a bad parameter":    {status: 400, body: `{"code":"PARAM_ERROR"}`},
		"a code we know not": {status: 400, body: `{"code":"SOMETHING_NEW"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t)
			m.far.says(reply{status: 200, body: "{}", spoil: probe}, second)
			_, err := m.Refund(t.Context(), aRefund())
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "the first one may have been accepted: %v", err)
			_, known := wechatpay.AdviceOn(err)
			require.Equal(t, second.body != `{"code":"SOMETHING_NEW"}`, known)

			m.far.says(reply{status: 200, body: "{}", spoil: probe}, second)
			_, err = m.Prepay(t.Context(), m.attempt(t))
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "%v", err)
		})
	}
	m := newMerchant(t)
	m.far.says(reply{status: 200, body: "{}", spoil: probe}, reply{status: 400, body: `{"code":"ORDER_PAID"}`})
	require.Equal(t, hospital.Conflict, hospital.KindOf(m.Close(t.Context(), tradeNo)), "this one speaks of the order, not of the attempt")
}

func TestAnAnswerFromAnotherTimeIsNotBelieved(t *testing.T) {
	t.Parallel()
	for off, good := range map[time.Duration]bool{
		0: true, 299 * time.Second: true, -299 * time.Second: true, 300 * time.Second: false, -300 * time.Second: false,
	} {
		m := newMerchant(t)
		body := told("SUCCESS")
		s := wechatpay.Signature{Stamp: wechatpay.Stamp{Unix: m.clock.Now().Add(off).Unix(), Nonce: "n"}, Serial: publicID}
		value, err := wechatpay.Sign(keyOf(platformKey), wechatpay.AnswerMessage(s.Stamp, []byte(body)))
		require.NoError(t, err)
		s.Value = value
		m.far.says(reply{status: 200, body: body, spoil: func(h http.Header) { s.Write(h) }})
		_, err = m.Query(t.Context(), tradeNo)
		if good {
			require.NoError(t, err, off)
		} else {
			require.ErrorIs(t, err, wechatpay.ErrStale, off)
		}
	}
}
