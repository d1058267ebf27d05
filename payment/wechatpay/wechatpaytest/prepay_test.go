package wechatpaytest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

func TestAPrepayWithABadField(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{Knows: func(appID, id string) bool { return appID != "" && id != "oStranger" }})
	for name, test := range map[string]struct {
		changes []any
		code    string
		field   string
		sub     string
	}{
		"no appid":                        {[]any{"appid", nil}, "PARAM_ERROR", "/appid", "268435461"},
		"an appid of somebody else":       {[]any{"appid", "wx0000000000000000"}, "APPID_MCHID_NOT_MATCH", "", "268445527"},
		"no mchid":                        {[]any{"mchid", nil}, "PARAM_ERROR", "/mchid", "268435461"},
		"another mchid than the signer's": {[]any{"mchid", "1900000110"}, "PARAM_ERROR", "/mchid", "268435461"},
		"no description":                  {[]any{"description", nil}, "PARAM_ERROR", "/description", "268435461"},
		"a description of 128 characters": {[]any{"description", strings.Repeat("费", 128)}, "PARAM_ERROR", "/description", "268435461"},
		"an emoji in the description":     {[]any{"description", "挂号费🏥"}, "PARAM_ERROR", "/description", "268435461"},
		"an attach of 129 characters":     {[]any{"attach", strings.Repeat("a", 129)}, "PARAM_ERROR", "/attach", "268435461"},
		"an emoji in the attach":          {[]any{"attach", "🏥"}, "PARAM_ERROR", "/attach", "268435461"},
		"a number of 5 characters":        {[]any{"out_trade_no", "12345"}, "PARAM_ERROR", "/out_trade_no", "268435461"},
		"a number of 33 characters":       {[]any{"out_trade_no", strings.Repeat("1", 33)}, "PARAM_ERROR", "/out_trade_no", "268435461"},
		"a number with a full stop":       {[]any{"out_trade_no", "PREPAY.1"}, "PARAM_ERROR", "/out_trade_no", "268435461"},
		"a number that is no text":        {[]any{"out_trade_no", 123456}, "PARAM_ERROR", "/out_trade_no", "268435461"},
		"a notify_url with a query":       {[]any{"notify_url", "https://h.example/n?a=b"}, "PARAM_ERROR", "/notify_url", "268435461"},
		"a notify_url with a login":       {[]any{"notify_url", "https://u:p@h.example/n"}, "PARAM_ERROR", "/notify_url", "268435461"},
		"a relative notify_url":           {[]any{"notify_url", "/notify"}, "PARAM_ERROR", "/notify_url", "268435461"},
		"a notify_url for mail":           {[]any{"notify_url", "mailto:a@h.example"}, "PARAM_ERROR", "/notify_url", "268435461"},
		"a notify_url of 256 characters":  {[]any{"notify_url", "https://h.example/" + strings.Repeat("n", 238)}, "PARAM_ERROR", "/notify_url", "268435461"},
		"no amount":                       {[]any{"amount", nil}, "PARAM_ERROR", "/amount/total", "268435461"},
		"an amount that is no object":     {[]any{"amount", 1250}, "PARAM_ERROR", "/amount/total", "268435461"},
		"nothing to pay":                  {[]any{"amount.total", 0}, "PARAM_ERROR", "/amount/total", "268435461"},
		"less than nothing":               {[]any{"amount.total", -1}, "PARAM_ERROR", "/amount/total", "268435461"},
		"a part of a fen":                 {[]any{"amount.total", 12.5}, "PARAM_ERROR", "/amount/total", "268435461"},
		"a total in quotes":               {[]any{"amount.total", "1250"}, "PARAM_ERROR", "/amount/total", "268435461"},
		"another currency":                {[]any{"amount.currency", "USD"}, "PARAM_ERROR", "/amount/currency", "268435461"},
		"no payer":                        {[]any{"payer", nil}, "PARAM_ERROR", "/payer/openid", "268501013"},
		"a payer of another account":      {[]any{"payer.openid", "oStranger"}, "PARAM_ERROR", "/payer/openid", "268435461"},
		"a time_expire that is no time":   {[]any{"time_expire", "2026-11-22 15:40:00"}, "PARAM_ERROR", "/time_expire", "268435461"},
		"a time_expire 59 seconds ahead":  {[]any{"time_expire", "2026-11-22T15:30:59+08:00"}, "PARAM_ERROR", "/time_expire", "268435461"},
		"a goods_tag of 33 characters":    {[]any{"goods_tag", strings.Repeat("g", 33)}, "PARAM_ERROR", "/goods_tag", "268435461"},
		"a fapiao that is no truth value": {[]any{"support_fapiao", "yes"}, "PARAM_ERROR", "/support_fapiao", "268435461"},
		"a limit that is no list":         {[]any{"limit_pay", "no_credit"}, "PARAM_ERROR", "/limit_pay", "268435461"},
		"a limit that is no text":         {[]any{"limit_pay", []any{1}}, "PARAM_ERROR", "/limit_pay/0", "268435461"},
		"a detail that is no object":      {[]any{"detail", "goods"}, "PARAM_ERROR", "/detail", "268435461"},
		"goods without a number": {
			[]any{"detail", map[string]any{"goods_detail": []any{map[string]any{"quantity": 1, "unit_price": 1}}}},
			"PARAM_ERROR", "/detail/goods_detail/0/merchant_goods_id", "268435461",
		},
		"goods that are none": {
			[]any{"detail", map[string]any{"goods_detail": []any{map[string]any{"merchant_goods_id": "G1", "quantity": 0, "unit_price": 1}}}},
			"PARAM_ERROR", "/detail/goods_detail/0/quantity", "268435461",
		},
		"a price with a part of a fen": {
			[]any{"detail", map[string]any{"cost_price": 0.5}}, "PARAM_ERROR", "/detail/cost_price", "268435461",
		},
		"a scene without an address":     {[]any{"scene_info", map[string]any{}}, "PARAM_ERROR", "/scene_info/payer_client_ip", "268435461"},
		"a scene whose address is no IP": {[]any{"scene_info", map[string]any{"payer_client_ip": "localhost"}}, "PARAM_ERROR", "/scene_info/payer_client_ip", "268435461"},
		"a store without a number": {
			[]any{"scene_info", map[string]any{"payer_client_ip": "192.0.2.1", "store_info": map[string]any{}}},
			"PARAM_ERROR", "/scene_info/store_info/id", "268435461",
		},
		"a settlement that is no truth value": {
			[]any{"settle_info", map[string]any{"profit_sharing": 1}}, "PARAM_ERROR", "/settle_info/profit_sharing", "268435461",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := *m
			one.t = t
			got := one.prepay("PREPAY_1", test.changes...)
			require.Equal(t, http.StatusBadRequest, got.Status, "%s", got.Body)
			require.Equal(t, test.code, got.Code)
			require.Equal(t, test.field, got.Field)
			require.True(t, strings.HasSuffix(got.Header.Get("Request-ID"), "-"+test.sub), got.Header.Get("Request-ID"))
			require.NotEmpty(t, got.Message)
		})
	}
	t.Cleanup(func() { require.Empty(t, m.ledger().Trades, "nothing was made") })
}

func TestABodyThatIsNoJSONObject(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	for _, body := range []string{"[]", "null", "{", `{"a":1}{"b":2}`, "\"a\"", "{\"a\":\"\xff\"}"} {
		got := m.do(http.MethodPost, "/v3/pay/transactions/jsapi", body)
		require.Equal(t, http.StatusBadRequest, got.Status, body)
		require.Equal(t, "PARAM_ERROR", got.Code, body)
	}
}

func TestTheLongestFieldsAreTaken(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	got := m.prepay("A_-|*z", "description", strings.Repeat("费", 127), "attach", strings.Repeat("附", 128),
		"notify_url", "https://h.example/"+strings.Repeat("n", 237), "time_expire", "2026-11-22T15:31:00+08:00", "amount.total", 1,
		"support_fapiao", true, "limit_pay", []any{"no_credit"}, "settle_info", map[string]any{"profit_sharing": false},
		"detail", map[string]any{"cost_price": 1, "invoice_id": "I1", "goods_detail": []any{map[string]any{"merchant_goods_id": "G1", "quantity": 1, "unit_price": 1}}},
		"scene_info", map[string]any{"payer_client_ip": "2001:db8::1", "store_info": map[string]any{"id": "0001", "name": "门诊"}})
	require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
}

func TestAPrepayIsRepeated(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	expires := []any{"time_expire", "2026-11-22T15:45:00+08:00"}
	first := m.prepay("REPEAT_1", expires...)
	m.clock.Pass(14*time.Minute + 30*time.Second)
	second := m.prepay("REPEAT_1", expires...)
	require.Equal(t, http.StatusOK, second.Status, "a repetition is not refused for the time that has gone by")
	require.NotEqual(t, first.JSON["prepay_id"], second.JSON["prepay_id"])
	require.Len(t, m.ledger().Trades, 1)

	for name, changes := range map[string][]any{
		"another sum": {"amount.total", 1251}, "another payer": {"payer.openid", "oOther"}, "another notify_url": {"notify_url", "https://h.example/2"},
		"a field more": {"attach", "x"}, "another time_expire": {"time_expire", "2026-11-22T15:50:00+08:00"}, "another text": {"description", "检查费"},
	} {
		got := m.prepay("REPEAT_1", append(append([]any{}, expires...), changes...)...)
		require.Equal(t, http.StatusBadRequest, got.Status, name)
		require.Equal(t, "INVALID_REQUEST", got.Code, name)
		require.Contains(t, got.Message, "请求重入", name)
		require.True(t, strings.HasSuffix(got.Header.Get("Request-ID"), "-268498688"), name)
	}
	m.clock.Pass(time.Minute)
	got := m.prepay("REPEAT_1", expires...)
	require.Equal(t, "INVALID_REQUEST", got.Code, "time_expire is over")
	require.True(t, strings.HasSuffix(got.Header.Get("Request-ID"), "-268447914"))
}

func TestAPrepayForANumberThatIsUsed(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.paid("USED_1")
	got := m.prepay("USED_1")
	require.Equal(t, "ORDER_PAID", got.Code)
	got = m.prepay("USED_1", "amount.total", 1251)
	require.Equal(t, http.StatusForbidden, got.Status)
	require.Equal(t, "OUT_TRADE_NO_USED", got.Code)
	m.prepay("USED_2")
	m.close("USED_2")
	require.Equal(t, "ORDER_CLOSED", m.prepay("USED_2").Code)
	require.Equal(t, "OUT_TRADE_NO_USED", m.prepay("USED_2", "amount.total", 1251).Code)
}

func TestATradeLivesSevenDays(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	m.prepay("SEVEN_1")
	m.clock.Pass(7*24*time.Hour - time.Second)
	require.Equal(t, "NOTPAY", m.query("SEVEN_1").JSON["trade_state"])
	require.Equal(t, m.clock.Now().Add(time.Second), m.advance())
	m.clock.Pass(time.Second)
	require.True(t, m.advance().IsZero())
	require.Equal(t, "CLOSED", m.query("SEVEN_1").JSON["trade_state"])
}

func TestAQuery(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	require.Equal(t, http.StatusNotFound, m.query("QUERY_1").Status)
	require.Equal(t, "ORDER_NOT_EXIST", m.query("QUERY_1").Code)
	require.True(t, strings.HasSuffix(m.query("QUERY_1").Header.Get("Request-ID"), "-268512771"))
	m.prepay("QUERY_1", "attach", "a")
	unpaid := m.query("QUERY_1").JSON
	require.Equal(t, "NOTPAY", unpaid["trade_state"])
	require.Equal(t, map[string]any{"total": 1250.0, "currency": "CNY"}, unpaid["amount"])
	for _, name := range []string{"transaction_id", "success_time", "bank_type", "trade_type"} {
		require.NotContains(t, unpaid, name, "before payment")
	}
	trade, err := m.p.Pay(wechatpaytest.Payment{OutTradeNo: "QUERY_1", Coupon: 50})
	require.NoError(t, err)
	paid := m.query("QUERY_1").JSON
	require.Equal(t, m.do(http.MethodGet, "/v3/pay/transactions/id/"+trade.TransactionID+"?mchid="+m.c.MerchantID, "").JSON, paid)
	require.Equal(t, "SUCCESS", paid["trade_state"])
	require.Equal(t, "2026-11-22T15:30:00+08:00", paid["success_time"])
	require.Equal(t, "a", paid["attach"])
	require.Equal(t, 1200, fen(paid, "amount.payer_total"))
	require.Contains(t, fmt.Sprint(paid["promotion_detail"]), "amount:50 ")

	for target, code := range map[string]string{
		byTradeNo + "QUERY_1":                                           "PARAM_ERROR",
		byTradeNo + "QUERY_1?mchid=1900000110":                          "PARAM_ERROR",
		"/v3/pay/transactions/id/4200000000000?mchid=" + m.c.MerchantID: "ORDER_NOT_EXIST",
		"/v3/pay/transactions/id/QUERY_1?mchid=" + m.c.MerchantID:       "ORDER_NOT_EXIST",
		byTradeNo + trade.TransactionID + "?mchid=" + m.c.MerchantID:    "ORDER_NOT_EXIST",
	} {
		require.Equal(t, code, m.do(http.MethodGet, target, "").Code, target)
	}
}

func TestAClose(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	require.Equal(t, "ORDER_NOT_EXIST", m.close("CLOSE_1").Code)
	require.Equal(t, http.StatusOK, m.prepay("CLOSE_1").Status, "the number is still good")
	for range 2 {
		require.Equal(t, http.StatusNoContent, m.close("CLOSE_1").Status)
	}
	_, err := m.p.Pay(wechatpaytest.Payment{OutTradeNo: "CLOSE_1"})
	require.Equal(t, "ORDER_CLOSED", hospital.CodeOf(err))
	m.paid("CLOSE_2")
	got := m.close("CLOSE_2")
	require.Equal(t, http.StatusBadRequest, got.Status)
	require.Equal(t, "ORDER_PAID", got.Code)
	got = m.do(http.MethodPost, byTradeNo+"CLOSE_1/close", `{"mchid":"1900000110"}`)
	require.Equal(t, "PARAM_ERROR", got.Code)
	got = m.do(http.MethodPost, byTradeNo+"CLOSE_1/close", `{}`)
	require.Equal(t, "/mchid", got.Field)
}

// TestTheCloseOfANumberNobodyUsed burns it, as merchants have seen.
func TestTheCloseOfANumberNobodyUsed(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{CloseUnseen: true})
	require.Equal(t, http.StatusNoContent, m.close("UNSEEN_1").Status)
	require.Equal(t, "INVALID_REQUEST", m.prepay("UNSEEN_1").Code)
	require.Equal(t, "CLOSED", m.query("UNSEEN_1").JSON["trade_state"])
}

// TestThePaySheet checks what the merchant's page hands to the payer's phone.
func TestThePaySheet(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{AppIDs: []string{wechatpaytest.DefaultAppID, "wx1111111111111111"}})
	sheet := func(change func(*wechatpaytest.Sheet)) *wechatpaytest.Sheet {
		prepayID := text(m.prepay("SHEET_1").JSON, "prepay_id")
		stamp := wechatpay.Stamp{Unix: time.Now().Unix(), Nonce: wechatpay.NewNonce()}
		sign, err := wechatpay.Sign(m.c.MerchantKey, wechatpay.PayMessage(m.c.AppID, stamp, "prepay_id="+prepayID))
		require.NoError(t, err)
		s := &wechatpaytest.Sheet{
			AppID: m.c.AppID, Timestamp: strconv.FormatInt(stamp.Unix, 10), Nonce: stamp.Nonce,
			Package: "prepay_id=" + prepayID, SignType: "RSA", PaySign: sign,
		}
		change(s)
		return s
	}
	other := text(m.prepay("SHEET_2").JSON, "prepay_id")
	for name, test := range map[string]struct {
		change func(*wechatpaytest.Sheet)
		code   string
	}{
		"another appId":               {func(s *wechatpaytest.Sheet) { s.AppID = "wx0000000000000000" }, "bad_pay_sign"},
		"another time":                {func(s *wechatpaytest.Sheet) { s.Timestamp = "1554208460" }, "bad_pay_sign"},
		"a time in words":             {func(s *wechatpaytest.Sheet) { s.Timestamp = "now" }, "bad_pay_sign"},
		"another nonce":               {func(s *wechatpaytest.Sheet) { s.Nonce += "x" }, "bad_pay_sign"},
		"MD5":                         {func(s *wechatpaytest.Sheet) { s.SignType = "MD5" }, "bad_pay_sign"},
		"no signature":                {func(s *wechatpaytest.Sheet) { s.PaySign = "" }, "bad_pay_sign"},
		"a bare prepay_id":            {func(s *wechatpaytest.Sheet) { s.Package = s.Package[len("prepay_id="):] }, "no_sheet"},
		"a prepay_id that nobody has": {func(s *wechatpaytest.Sheet) { s.Package += "x" }, "no_sheet"},
		"another trade's prepay_id":   {func(s *wechatpaytest.Sheet) { s.Package = "prepay_id=" + other }, "bad_pay_sign"},
	} {
		_, err := m.p.Pay(wechatpaytest.Payment{Sheet: sheet(test.change)})
		require.Equal(t, test.code, hospital.CodeOf(err), "%s: %v", name, err)
	}
	_, err := m.p.Pay(wechatpaytest.Payment{Sheet: sheet(func(s *wechatpaytest.Sheet) {
		s.AppID = "wx1111111111111111"
		unix, err := strconv.ParseInt(s.Timestamp, 10, 64)
		require.NoError(t, err)
		s.PaySign, err = wechatpay.Sign(m.c.MerchantKey, wechatpay.PayMessage(s.AppID, wechatpay.Stamp{Unix: unix, Nonce: s.Nonce}, s.Package))
		require.NoError(t, err)
	})})
	require.Equal(t, "bad_pay_sign", hospital.CodeOf(err), "well signed, for another account of the merchant")
	good := sheet(func(*wechatpaytest.Sheet) {})
	_, err = m.p.Pay(wechatpaytest.Payment{Sheet: good, OutTradeNo: "SHEET_2"})
	require.Equal(t, "no_sheet", hospital.CodeOf(err), "of another trade than the test says")
	_, err = m.p.Pay(wechatpaytest.Payment{Sheet: good, OpenID: "oSomebodyElse"})
	require.Equal(t, "other_payer", hospital.CodeOf(err))
	trade, err := m.p.Pay(wechatpaytest.Payment{Sheet: good, OpenID: openID})
	require.NoError(t, err)
	require.Equal(t, "SHEET_1", trade.OutTradeNo)
}

func TestThePayer(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	_, err := m.p.Pay(wechatpaytest.Payment{OutTradeNo: "PAYER_1"})
	require.Equal(t, hospital.NotFound, hospital.KindOf(err))
	m.prepay("PAYER_1")
	for _, outcome := range []wechatpaytest.Outcome{wechatpaytest.Hesitates, wechatpaytest.Fails} {
		_, err = m.p.Pay(wechatpaytest.Payment{OutTradeNo: "PAYER_1", Outcome: outcome})
		require.NoError(t, err)
		require.Equal(t, map[wechatpaytest.Outcome]string{wechatpaytest.Hesitates: "USERPAYING", wechatpaytest.Fails: "NOTPAY"}[outcome], m.query("PAYER_1").JSON["trade_state"])
	}
	require.Empty(t, m.ledger().Notices, "of payments only successes are told")
	for _, coupon := range []hospital.Fen{-1, 1250, 2000} {
		_, err = m.p.Pay(wechatpaytest.Payment{OutTradeNo: "PAYER_1", Coupon: coupon})
		require.Equal(t, "bad_coupon", hospital.CodeOf(err))
	}
	_, err = m.p.Pay(wechatpaytest.Payment{OutTradeNo: "PAYER_1", Outcome: "maybe"})
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
	_, err = m.p.Pay(wechatpaytest.Payment{OutTradeNo: "PAYER_1"})
	require.NoError(t, err)
	_, err = m.p.Pay(wechatpaytest.Payment{OutTradeNo: "PAYER_1"})
	require.Equal(t, "ORDER_PAID", hospital.CodeOf(err), "nobody pays twice")
	require.Len(t, m.ledger().Notices, 1)

	m.prepay("PAYER_2")
	m.clock.Pass(2 * time.Hour)
	_, err = m.p.Pay(wechatpaytest.Payment{OutTradeNo: "PAYER_2"})
	require.Equal(t, "expired", hospital.CodeOf(err), "a prepay_id lives two hours")
	m.prepay("PAYER_2")
	_, err = m.p.Pay(wechatpaytest.Payment{OutTradeNo: "PAYER_2"})
	require.NoError(t, err)

	m.prepay("PAYER_3", "time_expire", m.clock.Now().Add(5*time.Minute).Format(time.RFC3339))
	m.clock.Pass(5 * time.Minute)
	_, err = m.p.Pay(wechatpaytest.Payment{OutTradeNo: "PAYER_3"})
	require.Equal(t, "expired", hospital.CodeOf(err), "time_expire ends paying")
	require.Equal(t, "NOTPAY", m.query("PAYER_3").JSON["trade_state"], "and does not close")
}
