package wechatpay_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

func readAll(tb testing.TB, r *http.Request) []byte {
	tb.Helper()
	body, err := io.ReadAll(r.Body)
	require.NoError(tb, err)
	return body
}

// theTime stands still while a target is fuzzed.
func theTime() time.Time { return time.Date(2026, 11, 21, 7, 30, 0, 0, hospital.CST) }

// FuzzNotification reads a body that is signed well, whatever stands in it.
func FuzzNotification(f *testing.F) {
	for _, l := range []letter{letterOfTrade(tradeNo), letterOfRefund("SUCCESS"), letterOfRefund("CLOSED")} {
		f.Add(string(readAll(f, l.request(f, theTime()))))
	}
	for _, text := range []string{
		`{}`, `null`, `[]`, `{"resource":null}`, `{"resource":{"nonce":"x"}}`,
		`{"id":"EV-1","event_type":"TRANSACTION.SUCCESS","resource_type":"encrypt-resource","resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":"AAAA","nonce":""}}`,
	} {
		f.Add(text)
	}
	c, err := wechatpay.New(config())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, body string) {
		n, err := c.OpenNotice([]byte(body))
		whole(t, n, err)
	})
}

// whole checks that a notice says something whole, or nothing and why.
func whole(t *testing.T, n payment.Notice, err error) {
	t.Helper()
	if err != nil {
		require.Equal(t, hospital.Denied, hospital.KindOf(err))
		require.Equal(t, payment.Notice{}, n)
		return
	}
	require.NotEmpty(t, n.ID)
	require.NotEqual(t, n.Trade == nil, n.Refund == nil)
	if n.Trade != nil {
		require.Positive(t, n.Trade.Amount)
		require.Equal(t, payment.TradePaid, n.Trade.State)
		require.NotEmpty(t, n.Trade.TransactionID)
	} else {
		require.Positive(t, n.Refund.Amount)
		require.NotEmpty(t, n.Refund.No)
	}
}

// FuzzContent reads what a notification holds, sealed and signed well.
func FuzzContent(f *testing.F) {
	f.Add("TRANSACTION.SUCCESS", letterOfTrade(tradeNo).content)
	f.Add("REFUND.SUCCESS", letterOfRefund("SUCCESS").content)
	f.Add("REFUND.ABNORMAL", letterOfRefund("ABNORMAL").content)
	f.Add("TRANSACTION.SUCCESS", `{"amount":null}`)
	c, err := wechatpay.New(config())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, event, content string) {
		l := letterOfTrade(tradeNo)
		l.event, l.content = event, content
		if strings.HasPrefix(event, "REFUND.") {
			l.original = "refund"
		}
		n, err := c.OpenNotice(l.body(t, theTime()))
		whole(t, n, err)
	})
}

// FuzzOpen opens what was never sealed.
func FuzzOpen(f *testing.F) {
	c, err := wechatpay.NewCipher([]byte(apiV3Key))
	require.NoError(f, err)
	s := c.Seal("transaction", []byte("{}"))
	f.Add(s.Algorithm, s.Ciphertext, s.AssociatedData, s.Nonce)
	f.Add(s.Algorithm, "", "", "")
	f.Add(s.Algorithm, "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", "123456789012")
	f.Fuzz(func(t *testing.T, algorithm, ciphertext, associated, nonce string) {
		plain, err := c.Open(wechatpay.Sealed{Algorithm: algorithm, Ciphertext: ciphertext, AssociatedData: associated, Nonce: nonce})
		if err != nil {
			require.ErrorIs(t, err, wechatpay.ErrNotOpened)
			return
		}
		require.Equal(t, "{}", string(plain), "nobody else has the key")
	})
}

// FuzzAnswer reads answers that are signed well, one call for each input.
func FuzzAnswer(f *testing.F) {
	f.Add(uint(0), uint(200), `{"prepay_id":"wx1"}`)
	f.Add(uint(1), uint(200), told("SUCCESS"))
	f.Add(uint(1), uint(404), `{"code":"ORDER_NOT_EXIST","message":"x","detail":{"field":"a"}}`)
	f.Add(uint(2), uint(204), "")
	f.Add(uint(2), uint(400), `{"code":"PARAM_ERROR","detail":[]}`)
	f.Add(uint(3), uint(200), toldRefund("PROCESSING"))
	f.Add(uint(4), uint(200), toldRefund("SUCCESS"))
	f.Fuzz(func(t *testing.T, call, status uint, body string) {
		if status < 200 || status > 499 || status == 429 {
			return // these are repeated, with pauses
		}
		m := newMerchant(t)
		m.far.says(reply{status: int(status), body: body})
		switch call % 5 {
		case 0:
			sheet, err := m.Prepay(t.Context(), m.attempt(t))
			require.Equal(t, err == nil, sheet.Params["paySign"] != "")
		case 1:
			trade, err := m.Query(t.Context(), tradeNo)
			if err == nil {
				require.Equal(t, tradeNo, trade.TradeNo)
				require.Equal(t, trade.State.Paid(), !trade.PaidAt.IsZero())
			}
		case 2:
			if m.Close(t.Context(), tradeNo) == nil {
				require.True(t, status < 300 || strings.Contains(body, "ORDER_CLOSED"))
			}
		case 3:
			refund, err := m.Refund(t.Context(), aRefund())
			require.Equal(t, err == nil, refund.RefundID != "")
		case 4:
			refund, err := m.QueryRefund(t.Context(), aRefund().No)
			require.Equal(t, err == nil, refund.No == aRefund().No)
		}
	})
}

// FuzzAuthorization reads headers that nobody built.
func FuzzAuthorization(f *testing.F) {
	f.Add(wechatpay.Authorization{
		Stamp: wechatpay.Stamp{Unix: 1554208460, Nonce: "n"}, MerchantID: merchantID, Serial: serial, Signature: "AA==",
	}.String())
	f.Fuzz(func(t *testing.T, header string) {
		a, err := wechatpay.ParseAuthorization(header)
		if err != nil {
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
			return
		}
		again, err := wechatpay.ParseAuthorization(a.String())
		require.NoError(t, err)
		require.Equal(t, a, again)
	})
}
