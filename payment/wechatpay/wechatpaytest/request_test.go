package wechatpaytest_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// TestARequestThatIsNotTheMerchants breaks one thing at a time about a request
// that is otherwise good.
func TestARequestThatIsNotTheMerchants(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	authorization := func(change func(*wechatpay.Authorization)) func(*http.Request) {
		return func(r *http.Request) {
			a, err := wechatpay.ParseAuthorization(r.Header.Get("Authorization"))
			require.NoError(t, err)
			change(&a)
			r.Header.Set("Authorization", a.String())
		}
	}
	// signedAt signs well, at another time.
	signedAt := func(off time.Duration) func(*http.Request) {
		return authorization(func(a *wechatpay.Authorization) {
			a.Unix += int64(off.Seconds())
			var err error
			a.Signature, err = wechatpay.Sign(m.c.MerchantKey, wechatpay.RequestMessage(http.MethodPost, "/v3/pay/transactions/jsapi", a.Stamp, []byte(m.order("REQUEST_1"))))
			require.NoError(t, err)
		})
	}
	for name, test := range map[string]struct {
		edit    func(*http.Request)
		status  int
		code    string
		message string
	}{
		"without Authorization": {func(r *http.Request) { r.Header.Del("Authorization") }, 401, "SIGN_ERROR", "值格式错误"},
		"with another scheme":   {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401, "SIGN_ERROR", "值格式错误"},
		"with two Authorizations": {
			func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, 401, "SIGN_ERROR", "值格式错误",
		},
		"without a part": {
			func(r *http.Request) {
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "nonce_str=", "nonce=", 1))
			}, 401, "SIGN_ERROR", "值格式错误",
		},
		"of another merchant":    {authorization(func(a *wechatpay.Authorization) { a.MerchantID = "1900000110" }), 401, "SIGN_ERROR", "证书序列号"},
		"with an unknown serial": {authorization(func(a *wechatpay.Authorization) { a.Serial = "0" + a.Serial[1:] }), 401, "SIGN_ERROR", "证书序列号"},
		"signed for another nonce": {
			authorization(func(a *wechatpay.Authorization) { a.Nonce = wechatpay.NewNonce() }), 401, "SIGN_ERROR", "签名错误",
		},
		"signed with another key": {
			authorization(func(a *wechatpay.Authorization) { a.Signature = strings.Repeat("A", 342) + "==" }), 401, "SIGN_ERROR", "签名错误",
		},
		"signed 301 seconds ago":   {signedAt(-302 * time.Second), 401, "SIGN_ERROR", "5分钟"},
		"signed 301 seconds ahead": {signedAt(302 * time.Second), 401, "SIGN_ERROR", "5分钟"},
		"signed 298 seconds ago":   {signedAt(-298 * time.Second), 200, "", ""},
		"for another query":        {func(r *http.Request) { r.RequestURI += "?a=b" }, 401, "SIGN_ERROR", "签名错误"},
		"with another body":        {func(r *http.Request) { r.Body = http.NoBody }, 401, "SIGN_ERROR", "签名错误"},
		"without Accept":           {func(r *http.Request) { r.Header.Del("Accept") }, 400, "INVALID_REQUEST", "Accept"},
		"that takes no JSON":       {func(r *http.Request) { r.Header.Set("Accept", "text/html") }, 400, "INVALID_REQUEST", "Accept"},
		"that takes anything":      {func(r *http.Request) { r.Header.Set("Accept", "*/*") }, 200, "", ""},
		"without User-Agent":       {func(r *http.Request) { r.Header.Del("User-Agent") }, 400, "INVALID_REQUEST", "User-Agent"},
		"without Content-Type":     {func(r *http.Request) { r.Header.Del("Content-Type") }, 400, "INVALID_REQUEST", "Content-Type"},
		"that says it is a form": {
			func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 400, "INVALID_REQUEST", "Content-Type",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := *m
			one.t, one.edit = t, test.edit
			got := one.prepay("REQUEST_1")
			require.Equal(t, test.status, got.Status, "%s", got.Body)
			require.Equal(t, test.code, got.Code)
			require.Contains(t, got.Message, test.message)
			if test.status == http.StatusUnauthorized {
				require.Empty(t, got.Signer, "WeChat Pay does not sign for a stranger")
				require.Regexp(t, `-268443699$`, got.Header.Get("Request-ID"))
			}
		})
	}
}

func TestABodyBeyondTheLimit(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	got := m.do(http.MethodPost, "/v3/pay/transactions/jsapi", m.order("REQUEST_1", "detail", strings.Repeat("x", 64<<10)))
	require.Equal(t, http.StatusBadRequest, got.Status)
	require.Equal(t, "PARAM_ERROR", got.Code)
}

// TestAnAnswer has what merchants have seen on the wire.
func TestAnAnswer(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	got := m.prepay("ANSWER_1")
	require.Equal(t, "application/json; charset=utf-8", got.Header.Get("Content-Type"))
	require.Equal(t, "no-cache, must-revalidate", got.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "zh-CN", got.Header.Get("Content-Language"))
	require.Equal(t, "nginx", got.Header.Get("Server"))
	require.Equal(t, wechatpay.Scheme, got.Header.Get(wechatpay.HeaderType))
	require.Regexp(t, `^08[0-9A-F]+-0$`, got.Header.Get("Request-ID"))
	require.Equal(t, m.c.PublicKeyID, got.Signer)
	unix, err := strconv.ParseInt(got.Header.Get(wechatpay.HeaderTimestamp), 10, 64)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), time.Unix(unix, 0), 10*time.Second)
	closed := m.close("ANSWER_1")
	require.Equal(t, http.StatusNoContent, closed.Status)
	require.Empty(t, closed.Body)
	require.Equal(t, m.c.PublicKeyID, closed.Signer, "an answer without a body is signed too")
}

func TestAPathThatIsNotThere(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{})
	for target, status := range map[string]int{
		"GET /v3/pay/transactions/no-such-endpoint": 404,
		"GET /":                                404,
		"GET /prefix/v3/certificates":          404,
		"GET /v3/pay/transactions/jsapi":       405,
		"POST /v3/certificates":                405,
		"DELETE /v3/refund/domestic/refunds/R": 405,
		"GET " + byTradeNo + "A/B":             404,
		"GET /v3/pay/transactions/id/":         404,
	} {
		method, path, _ := strings.Cut(target, " ")
		w := httptest.NewRecorder()
		m.p.ServeHTTP(w, m.request(method, path, ""))
		require.Equal(t, status, w.Code, target)
		require.Empty(t, w.Body.Bytes(), target)
	}
}
