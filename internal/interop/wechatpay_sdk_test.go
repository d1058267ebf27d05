package interop_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/downloader"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/jsapi"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// wechatPayKeys are made once: three RSA keys take a while.
var wechatPayKeys = sync.OnceValues(func() (*wechatpaytest.Keys, error) { return wechatpaytest.NewKeys("", time.Now()) })

// wechatPayModes are the modes in which a merchant may be.
var wechatPayModes = []wechatpaytest.Mode{wechatpaytest.PublicKeyMode, wechatpaytest.CertificateMode, wechatpaytest.MixedMode}

// wechatPay serves a platform on a socket.
func wechatPay(tb testing.TB, mode wechatpaytest.Mode) (*wechatpaytest.Platform, *url.URL) {
	tb.Helper()
	keys, err := wechatPayKeys()
	require.NoError(tb, err)
	platform, err := wechatpaytest.New(wechatpaytest.Config{Mode: mode, Keys: keys})
	require.NoError(tb, err)
	server := httptest.NewServer(platform)
	tb.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	require.NoError(tb, err)
	return platform, base
}

// redirect sends what is meant for api.mch.weixin.qq.com to the platform. It
// is all that is replaced of the SDK, and it is its public option.
type redirect struct{ base *url.URL }

func (r redirect) RoundTrip(request *http.Request) (*http.Response, error) {
	there := request.Clone(request.Context())
	there.URL.Scheme, there.URL.Host, there.Host = r.base.Scheme, r.base.Host, r.base.Host
	return http.DefaultTransport.RoundTrip(there)
}

// officialSDK is the SDK, set up as its README says for the mode.
func officialSDK(t *testing.T, platform *wechatpaytest.Platform, base *url.URL) (*core.Client, auth.Verifier) {
	t.Helper()
	c := platform.Credentials()
	through := option.WithHTTPClient(&http.Client{Transport: redirect{base}, Timeout: 10 * time.Second})
	if len(c.Certificates) == 0 {
		client, err := core.NewClient(t.Context(), through,
			option.WithWechatPayPublicKeyAuthCipher(c.MerchantID, c.MerchantSerial, c.MerchantKey, c.PublicKeyID, c.PublicKey))
		require.NoError(t, err)
		return client, verifiers.NewSHA256WithRSAPubkeyVerifier(c.PublicKeyID, *c.PublicKey)
	}
	// The first download is what the certificates are for, so nothing can verify it yet.
	blind, err := core.NewClient(t.Context(), through, option.WithMerchantCredential(c.MerchantID, c.MerchantSerial, c.MerchantKey),
		option.WithoutValidator())
	require.NoError(t, err)
	one, err := downloader.NewCertificateDownloaderWithClient(t.Context(), blind, c.APIv3Key)
	require.NoError(t, err)
	require.NoError(t, one.DownloadCertificates(t.Context()), "the second download is verified with the first")
	downloads := downloader.NewCertificateDownloaderMgr(t.Context())
	t.Cleanup(downloads.Stop)
	require.NoError(t, downloads.RegisterDownloaderWithClient(t.Context(), blind, c.MerchantID, c.APIv3Key))
	require.Len(t, downloads.ExportCertificateMap(t.Context(), c.MerchantID), len(c.Certificates))
	visitor := downloads.GetCertificateVisitor(c.MerchantID)
	if c.PublicKey == nil {
		client, err := core.NewClient(t.Context(), through,
			option.WithWechatPayAutoAuthCipherUsingDownloaderMgr(c.MerchantID, c.MerchantSerial, c.MerchantKey, downloads))
		require.NoError(t, err)
		return client, verifiers.NewSHA256WithRSAVerifier(visitor)
	}
	verifier := verifiers.NewSHA256WithRSACombinedVerifier(visitor, c.PublicKeyID, *c.PublicKey)
	client, err := core.NewClient(t.Context(), through, option.WithMerchantCredential(c.MerchantID, c.MerchantSerial, c.MerchantKey),
		option.WithVerifier(verifier))
	require.NoError(t, err)
	return client, verifier
}

// noticed is what the SDK's notify handler read.
type noticed struct {
	request *notify.Request
	trade   payments.Transaction
	refund  map[string]any
}

// notifyURL serves a page that reads notifications with the SDK.
func notifyURL(t *testing.T, verifier auth.Verifier, apiV3Key string) (address string, came chan noticed) {
	t.Helper()
	handler, err := notify.NewRSANotifyHandler(apiV3Key, verifier)
	require.NoError(t, err)
	came = make(chan noticed, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n noticed
		content := any(&n.trade)
		if r.URL.Path == "/refund" {
			content = &n.refund
		}
		if n.request, err = handler.ParseNotifyRequest(r.Context(), r, content); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		came <- n
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	return server.URL, came
}

func prepayRequest(c wechatpaytest.Credentials, no, notifyURL string) jsapi.PrepayRequest {
	return jsapi.PrepayRequest{
		Appid: new(c.AppID), Mchid: new(c.MerchantID), Description: new("挂号费"),
		OutTradeNo: new(no), NotifyUrl: new(notifyURL + "/pay"), Attach: new("a"),
		Amount: &jsapi.Amount{Total: core.Int64(1250), Currency: new("CNY")},
		Payer:  &jsapi.Payer{Openid: new("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")},
	}
}

// TestOfficialSDK drives the simulator with Tencent's SDK, which decides
// whether what comes back is WeChat Pay.
func TestOfficialSDK(t *testing.T) {
	t.Parallel()
	for _, mode := range wechatPayModes {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			platform, base := wechatPay(t, mode)
			client, verifier := officialSDK(t, platform, base)
			c := platform.Credentials()
			address, came := notifyURL(t, verifier, c.APIv3Key)
			sdk := jsapi.JsapiApiService{Client: client}
			ctx := t.Context()

			// Prepay, the same again, and changed.
			prepay := prepayRequest(c, "HOSPITAL_1*|-", address)
			sheet, _, err := sdk.PrepayWithRequestPayment(ctx, prepay)
			require.NoError(t, err)
			again, _, err := sdk.PrepayWithRequestPayment(ctx, prepay)
			require.NoError(t, err)
			require.NotEqual(t, *sheet.PrepayId, *again.PrepayId)
			changed := prepay
			changed.Amount = &jsapi.Amount{Total: core.Int64(1251), Currency: new("CNY")}
			_, _, err = sdk.PrepayWithRequestPayment(ctx, changed)
			require.True(t, core.IsAPIError(err, "INVALID_REQUEST"), "%v", err)

			// Query, unpaid and paid; the payer's phone checks the SDK's paySign.
			byNo := jsapi.QueryOrderByOutTradeNoRequest{OutTradeNo: prepay.OutTradeNo, Mchid: prepay.Mchid}
			trade, _, err := sdk.QueryOrderByOutTradeNo(ctx, byNo)
			require.NoError(t, err)
			require.Equal(t, "NOTPAY", *trade.TradeState)
			_, err = platform.Pay(wechatpaytest.Payment{Coupon: 50, Sheet: &wechatpaytest.Sheet{
				AppID: *sheet.Appid, Timestamp: *sheet.TimeStamp, Nonce: *sheet.NonceStr, Package: *sheet.Package,
				SignType: *sheet.SignType, PaySign: *sheet.PaySign,
			}})
			require.NoError(t, err)
			advance(t, platform)
			n := <-came
			require.Equal(t, "TRANSACTION.SUCCESS", n.request.EventType)
			require.Equal(t, "SUCCESS", *n.trade.TradeState)
			require.Equal(t, int64(1250), *n.trade.Amount.Total)
			require.Equal(t, int64(1200), *n.trade.Amount.PayerTotal)
			trade, _, err = sdk.QueryOrderById(ctx, jsapi.QueryOrderByIdRequest{TransactionId: n.trade.TransactionId, Mchid: prepay.Mchid})
			require.NoError(t, err)
			require.Equal(t, n.trade.String(), trade.String(), "the notification tells what the query tells")

			// Close: a paid one, an unpaid one twice, one nobody made.
			_, err = sdk.CloseOrder(ctx, jsapi.CloseOrderRequest{OutTradeNo: prepay.OutTradeNo, Mchid: prepay.Mchid})
			require.True(t, core.IsAPIError(err, "ORDER_PAID"), "%v", err)
			other := prepayRequest(c, "HOSPITAL_2", address)
			_, _, err = sdk.Prepay(ctx, other)
			require.NoError(t, err)
			for range 2 {
				result, err := sdk.CloseOrder(ctx, jsapi.CloseOrderRequest{OutTradeNo: other.OutTradeNo, Mchid: other.Mchid})
				require.NoError(t, err)
				require.Equal(t, http.StatusNoContent, result.Response.StatusCode)
			}
			_, _, err = sdk.Prepay(ctx, other)
			require.True(t, core.IsAPIError(err, "ORDER_CLOSED"), "%v", err)
			_, err = sdk.CloseOrder(ctx, jsapi.CloseOrderRequest{OutTradeNo: new("HOSPITAL_3"), Mchid: other.Mchid})
			require.True(t, core.IsAPIError(err, "ORDER_NOT_EXIST"), "%v", err)

			refundWithSDK(t, platform, client, *prepay.OutTradeNo, address)
			advance(t, platform)
			n = <-came
			require.Equal(t, "REFUND.SUCCESS", n.request.EventType)
			require.Equal(t, "SUCCESS", n.refund["refund_status"])
			require.Equal(t, "HOSPITAL_1@R1", n.refund["out_refund_no"])
		})
	}
}

func refundWithSDK(t *testing.T, platform *wechatpaytest.Platform, client *core.Client, outTradeNo, address string) {
	t.Helper()
	ctx := t.Context()
	refunds := refunddomestic.RefundsApiService{Client: client}
	ask := refunddomestic.CreateRequest{
		OutTradeNo: new(outTradeNo), OutRefundNo: new("HOSPITAL_1@R1"), Reason: new("退号"),
		NotifyUrl: new(address + "/refund"),
		Amount:    &refunddomestic.AmountReq{Refund: core.Int64(1000), Total: core.Int64(1250), Currency: new("CNY")},
	}
	query := refunddomestic.QueryByOutRefundNoRequest{OutRefundNo: ask.OutRefundNo}
	_, _, err := refunds.QueryByOutRefundNo(ctx, query)
	require.True(t, core.IsAPIError(err, "RESOURCE_NOT_EXISTS"), "%v", err)
	var ids []string
	for range 2 { // the same number again refunds once
		refund, _, err := refunds.Create(ctx, ask)
		require.NoError(t, err)
		require.Equal(t, refunddomestic.STATUS_PROCESSING, *refund.Status)
		require.Equal(t, int64(1000), *refund.Amount.Refund)
		require.Equal(t, int64(960), *refund.Amount.PayerRefund, "the coupon takes its share")
		ids = append(ids, *refund.RefundId)
	}
	require.Equal(t, ids[0], ids[1])
	more := ask
	more.Amount = &refunddomestic.AmountReq{Refund: core.Int64(1001), Total: core.Int64(1250), Currency: new("CNY")}
	_, _, err = refunds.Create(ctx, more)
	require.True(t, core.IsAPIError(err, "INVALID_REQUEST"), "%v", err)
	require.NoError(t, platform.Shift(wechatpaytest.DefaultRefundAfter))
	refund, _, err := refunds.QueryByOutRefundNo(ctx, query)
	require.NoError(t, err)
	require.Equal(t, refunddomestic.STATUS_SUCCESS, *refund.Status)
	ledger, err := platform.Ledger()
	require.NoError(t, err)
	require.EqualValues(t, 1000, ledger.Refunded)
}

func advance(t *testing.T, platform *wechatpaytest.Platform) {
	t.Helper()
	_, err := platform.Advance(t.Context())
	require.NoError(t, err)
}

// TestOfficialSDKFollowsARotation changes the key that signs under a running
// SDK, which knows both.
func TestOfficialSDKFollowsARotation(t *testing.T) {
	t.Parallel()
	platform, base := wechatPay(t, wechatpaytest.MixedMode)
	_, err := platform.NewCertificate()
	require.NoError(t, err)
	client, verifier := officialSDK(t, platform, base)
	c := platform.Credentials()
	require.Len(t, c.Certificates, 2)
	address, came := notifyURL(t, verifier, c.APIv3Key)
	sdk := jsapi.JsapiApiService{Client: client}
	keys := append([]string{c.PublicKeyID}, serials(c.Certificates)...)
	for i, key := range keys {
		require.NoError(t, platform.SignWith(key))
		prepay := prepayRequest(c, "ROTATION_"+string(rune('a'+i)), address)
		_, _, err := sdk.Prepay(t.Context(), prepay)
		require.NoError(t, err)
		_, err = platform.Pay(wechatpaytest.Payment{OutTradeNo: *prepay.OutTradeNo})
		require.NoError(t, err)
		advance(t, platform)
		n := <-came
		require.Equal(t, *prepay.OutTradeNo, *n.trade.OutTradeNo, key)
	}
}

func serials(certificates []*x509.Certificate) (all []string) {
	for serial := range *certificateMap(certificates) {
		all = append(all, serial)
	}
	return all
}

func certificateMap(certificates []*x509.Certificate) *map[string]*x509.Certificate {
	all := core.NewCertificateMapWithList(certificates).GetAll(context.Background())
	return &all
}

// TestOfficialSDKRefusesWhatIsSpoilt shows that the faults are what they say:
// the SDK, which believes the rest, believes none of these.
func TestOfficialSDKRefusesWhatIsSpoilt(t *testing.T) {
	t.Parallel()
	platform, base := wechatPay(t, wechatpaytest.PublicKeyMode)
	client, verifier := officialSDK(t, platform, base)
	c := platform.Credentials()
	address, came := notifyURL(t, verifier, c.APIv3Key)
	sdk := jsapi.JsapiApiService{Client: client}
	prepay := prepayRequest(c, "SPOILT_1", address)
	for fault, says := range map[wechatpaytest.Fault]string{
		wechatpaytest.Probe: "verify", wechatpaytest.Forged: "verify", wechatpaytest.WrongTime: "expires",
		wechatpaytest.UnknownSerial: "serial", wechatpaytest.Unsigned: "empty", wechatpaytest.TooMany: "FREQUENCY_LIMITED",
		wechatpaytest.ErrorAfter: "SYSTEM_ERROR", wechatpaytest.AnswerLost: "EOF", wechatpaytest.BadGateway: "502",
	} {
		require.NoError(t, platform.Fail(wechatpaytest.PrepayCall, wechatpaytest.Switch{Fault: fault, Times: 1}))
		_, _, err := sdk.Prepay(t.Context(), prepay)
		require.ErrorContains(t, err, says, string(fault))
	}
	_, _, err := sdk.Prepay(t.Context(), prepay)
	require.NoError(t, err)
	faults := []wechatpaytest.MailFault{
		wechatpaytest.MailProbe, wechatpaytest.MailForged, wechatpaytest.MailWrongTime, wechatpaytest.MailUnknownSerial,
	}
	for i, fault := range faults {
		require.NoError(t, platform.Mail(wechatpaytest.Mail{Fault: fault}))
		one := prepayRequest(c, "SPOILT_N"+string(rune('a'+i)), address)
		_, _, err := sdk.Prepay(t.Context(), one)
		require.NoError(t, err)
		_, err = platform.Pay(wechatpaytest.Payment{OutTradeNo: *one.OutTradeNo})
		require.NoError(t, err)
		advance(t, platform)
		require.Empty(t, came, string(fault))
		require.NoError(t, platform.Shift(15*time.Second))
		advance(t, platform)
		require.Equal(t, *one.OutTradeNo, *(<-came).trade.OutTradeNo, "the good one follows")
	}
}
