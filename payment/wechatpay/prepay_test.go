package wechatpay_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

func TestThePrepayRequestIsMadeOnceAndResentByteForByte(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMerchant(t)
		a := m.attempt(t)
		require.Equal(t, `{"appid":"`+appID+`","mchid":"`+merchantID+`","description":"挂号费","out_trade_no":"`+string(a.TradeNo)+
			`","time_expire":"2026-11-21T08:00:00+08:00","notify_url":"`+notifyURL+
			`","amount":{"total":1250,"currency":"CNY"},"payer":{"openid":"`+openID+`"}}`, string(a.Request))

		m.far.says(reply{lost: true}, reply{status: 500, body: `{"code":"SYSTEM_ERROR"}`}, reply{status: 200, body: `{"prepay_id":"wx2016"}`})
		_, err := m.Prepay(t.Context(), a)
		require.NoError(t, err)
		m.clock.Pass(time.Minute)
		m.far.says(reply{status: 200, body: `{"prepay_id":"wx2017"}`})
		_, err = m.Prepay(t.Context(), a)
		require.NoError(t, err)

		asked := m.far.requests()
		require.Len(t, asked, 4)
		for _, one := range asked {
			require.Equal(t, "POST", one.method)
			require.Equal(t, "/v3/pay/transactions/jsapi", one.target)
			require.Equal(t, string(a.Request), one.body)
			require.Equal(t, publicID, one.header.Get("Wechatpay-Serial"))
			require.Equal(t, "application/json", one.header.Get("Accept"))
			require.Equal(t, "application/json", one.header.Get("Content-Type"))
			require.NotEmpty(t, one.header.Get("User-Agent"))
		}
		require.NotEqual(t, asked[0].header.Get("Authorization"), asked[1].header.Get("Authorization"), "each attempt is signed anew")
	})
}

func TestThePaySheetIsSignedForThePhone(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	a := m.attempt(t)
	m.far.says(reply{status: 200, body: `{"prepay_id":"wx201410272009395522657a690389285100"}`})
	sheet, err := m.Prepay(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, a.TradeNo, sheet.TradeNo)
	require.Equal(t, wechatpay.SheetKind, sheet.Kind)
	require.Equal(t, a.Expires, sheet.Expires, "the order ends before the prepay_id")
	p := sheet.Params
	require.Len(t, p, 6)
	require.Equal(t, appID, p["appId"])
	require.Equal(t, strconv.FormatInt(m.clock.Now().Unix(), 10), p["timeStamp"])
	require.Equal(t, "prepay_id=wx201410272009395522657a690389285100", p["package"])
	require.Equal(t, "RSA", p["signType"])
	require.Len(t, p["nonceStr"], 32)
	message := p["appId"] + "\n" + p["timeStamp"] + "\n" + p["nonceStr"] + "\n" + p["package"] + "\n"
	require.NoError(t, wechatpay.Verify(&keyOf(merchantsKey).PublicKey, []byte(message), p["paySign"]))

	a.Expires = m.clock.Now().Add(24 * time.Hour)
	m.far.says(reply{status: 200, body: `{"prepay_id":"wx2"}`})
	sheet, err = m.Prepay(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, m.clock.Now().Add(2*time.Hour), sheet.Expires, "a prepay_id lives two hours")
}

func TestADescriptionIsMadeToFit(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	for name, c := range map[string]struct{ given, sent string }{
		"a short one stays":                      {"挂号费 <内科> & 诊查", `挂号费 \u003c内科\u003e \u0026 诊查`},
		"a rare character is replaced":           {"𠮷医生 挂号费", "□医生 挂号费"},
		"an emoji is replaced":                   {"挂号费🙂", "挂号费□"},
		"a line break is a blank":                {"挂号\n费", "挂号 费"},
		"a long one is cut between characters":   {strings.Repeat("费", 50), strings.Repeat("费", 42)},
		"what is not UTF-8 is replaced":          {"费\xff", "费□"},
		"blanks around it go":                    {"  挂号费\t", "挂号费"},
		"127 bytes stay":                         {strings.Repeat("a", 127), strings.Repeat("a", 127)},
		"the 128th byte goes":                    {strings.Repeat("a", 128), strings.Repeat("a", 127)},
		"a character that straddles the end too": {strings.Repeat("a", 126) + "费", strings.Repeat("a", 126)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := payment.Attempt{
				TradeNo: "o123456-1", Channel: "wechatpay", Payer: openID, Amount: 1, Description: c.given,
				Expires: m.clock.Now().Add(time.Hour),
			}
			body, err := m.Compose(a)
			require.NoError(t, err)
			require.Contains(t, string(body), `"description":"`+c.sent+`"`)
			require.True(t, utf8.Valid(body))
		})
	}
}

func TestAnAttemptThatWeChatPayWouldRefuseIsNotComposed(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	for name, c := range map[string]struct {
		spoil func(*payment.Attempt)
		kind  hospital.Kind
		says  string
	}{
		"another channel":        {func(a *payment.Attempt) { a.Channel = "alipay" }, hospital.Invalid, "Channel"},
		"a short number":         {func(a *payment.Attempt) { a.TradeNo = "o1" }, hospital.Invalid, "TradeNo"},
		"nothing to pay":         {func(a *payment.Attempt) { a.Amount = 0 }, hospital.Invalid, "Amount"},
		"more than ever":         {func(a *payment.Attempt) { a.Amount = 1_000_000_001 }, hospital.Invalid, "Amount"},
		"nobody pays":            {func(a *payment.Attempt) { a.Payer = "" }, hospital.Invalid, "Payer"},
		"a payer with a blank":   {func(a *payment.Attempt) { a.Payer = "o 1" }, hospital.Invalid, "Payer"},
		"no description":         {func(a *payment.Attempt) { a.Description = " \n" }, hospital.Invalid, "Description"},
		"59 seconds left to pay": {func(a *payment.Attempt) { a.Expires = m.clock.Now().Add(59 * time.Second) }, hospital.Conflict, "minute"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := m.attempt(t)
			c.spoil(&a)
			_, err := m.Compose(a)
			require.Equal(t, c.kind, hospital.KindOf(err))
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), openID)
		})
	}
	require.Empty(t, m.far.requests())
}

func TestARequestThatIsNotTheAttemptsIsNotSent(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	for name, spoil := range map[string]func(*payment.Attempt){
		"missing":  func(a *payment.Attempt) { a.Request = nil },
		"not JSON": func(a *payment.Attempt) { a.Request = []byte("x") },
		"with a stranger": func(a *payment.Attempt) {
			a.Request = []byte(strings.Replace(string(a.Request), "{", `{"attach":"x",`, 1))
		},
		"another number's": func(a *payment.Attempt) { a.TradeNo += "1" },
		"another sum's":    func(a *payment.Attempt) { a.Amount++ },
		"another payer's":  func(a *payment.Attempt) { a.Payer += "x" },
		"another merchant's": func(a *payment.Attempt) {
			a.Request = []byte(strings.Replace(string(a.Request), merchantID, "1900000110", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := m.attempt(t)
			spoil(&a)
			_, err := m.Prepay(t.Context(), a)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err), "%v", err)
		})
	}
	require.Empty(t, m.far.requests())
}

func TestAPrepayIDThatIsNoneIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"none": `{}`, "empty": `{"prepay_id":""}`, "a number": `{"prepay_id":1}`, "a page": `<html>`, "nothing": ``,
		"with a line": `{"prepay_id":"wx\n1"}`, "endless": `{"prepay_id":"` + strings.Repeat("w", 65) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t)
			m.far.says(reply{status: 200, body: body})
			_, err := m.Prepay(t.Context(), m.attempt(t))
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "%v", err)
			require.Equal(t, "bad_answer", hospital.CodeOf(err))
		})
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.far.says(reply{status: 307, spoil: func(h http.Header) { h.Set("Location", "https://evil.example.com/") }})
	_, err := m.Prepay(t.Context(), m.attempt(t))
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	require.Len(t, m.far.requests(), 1)
}
