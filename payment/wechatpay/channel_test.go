package wechatpay_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

func TestABadConfigurationNamesItsField(t *testing.T) {
	t.Parallel()
	_, err := wechatpay.New(config())
	require.NoError(t, err)
	small := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: big.NewInt(35), E: 5}}
	for name, c := range map[string]struct {
		field string
		spoil func(*wechatpay.Config)
	}{
		"no account":                 {"AppID", func(c *wechatpay.Config) { c.AppID = "" }},
		"an account with a line":     {"AppID", func(c *wechatpay.Config) { c.AppID = "wx\n1" }},
		"no merchant":                {"MerchantID", func(c *wechatpay.Config) { c.MerchantID = "" }},
		"a merchant with a quote":    {"MerchantID", func(c *wechatpay.Config) { c.MerchantID = `1"` }},
		"no key":                     {"MerchantKey", func(c *wechatpay.Config) { c.MerchantKey = nil }},
		"a small key":                {"MerchantKey", func(c *wechatpay.Config) { c.MerchantKey = small }},
		"no serial":                  {"MerchantSerial", func(c *wechatpay.Config) { c.MerchantSerial = "" }},
		"a serial in lower case":     {"MerchantSerial", func(c *wechatpay.Config) { c.MerchantSerial = strings.ToLower(serial) }},
		"a short APIv3 key":          {"APIv3Key", func(c *wechatpay.Config) { c.APIv3Key = c.APIv3Key[1:] }},
		"a public key without id":    {"PublicKey", func(c *wechatpay.Config) { c.PublicKeyID = "" }},
		"an id without public key":   {"PublicKey", func(c *wechatpay.Config) { c.PublicKey = nil }},
		"an id of another kind":      {"PublicKeyID", func(c *wechatpay.Config) { c.PublicKeyID = "4D2" }},
		"a small public key":         {"PublicKey", func(c *wechatpay.Config) { c.PublicKey = &small.PublicKey }},
		"an empty certificate":       {"PlatformCertificates", func(c *wechatpay.Config) { c.PlatformCertificates = []*x509.Certificate{nil} }},
		"a certificate without RSA":  {"PlatformCertificates", func(c *wechatpay.Config) { c.PlatformCertificates = []*x509.Certificate{{SerialNumber: big.NewInt(1)}} }},
		"nowhere to notify":          {"NotifyURL", func(c *wechatpay.Config) { c.NotifyURL = "" }},
		"a path to notify":           {"NotifyURL", func(c *wechatpay.Config) { c.NotifyURL = "/pay" }},
		"another scheme to notify":   {"NotifyURL", func(c *wechatpay.Config) { c.NotifyURL = "ftp://h.example.com/pay" }},
		"a query to notify":          {"NotifyURL", func(c *wechatpay.Config) { c.NotifyURL += "?a=b" }},
		"a bare query to notify":     {"NotifyURL", func(c *wechatpay.Config) { c.NotifyURL += "?" }},
		"a fragment to notify":       {"NotifyURL", func(c *wechatpay.Config) { c.NotifyURL += "#" }},
		"a login to notify":          {"NotifyURL", func(c *wechatpay.Config) { c.NotifyURL = "https://a:b@h.example.com/pay" }},
		"a long address to notify":   {"NotifyURL", func(c *wechatpay.Config) { c.NotifyURL += strings.Repeat("x", 255) }},
		"Chinese to notify":          {"NotifyURL", func(c *wechatpay.Config) { c.NotifyURL += "/支付" }},
		"a query to tell of refunds": {"RefundNotifyURL", func(c *wechatpay.Config) { c.RefundNotifyURL = notifyURL + "?a=b" }},
		"a path before the path":     {"BaseURL", func(c *wechatpay.Config) { c.BaseURL = "http://localhost/pay" }},
		"no host":                    {"BaseURL", func(c *wechatpay.Config) { c.BaseURL = "http://" }},
		"another scheme":             {"BaseURL", func(c *wechatpay.Config) { c.BaseURL = "ftp://localhost" }},
		"less than no time":          {"Timeout", func(c *wechatpay.Config) { c.Timeout = -time.Second }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			c.spoil(&cfg)
			_, err := wechatpay.New(cfg)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err), "%v", err)
			require.ErrorContains(t, err, "Config."+c.field)
			require.NotContains(t, err.Error(), apiV3Key)
		})
	}
}

func TestAConfigurationIsLoggedWithoutItsKeys(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).InfoContext(t.Context(), "configured", slog.Any("config", config()))
	require.Contains(t, b.String(), "config.merchant_id="+merchantID)
	require.NotContains(t, b.String(), apiV3Key)
	require.NotContains(t, b.String(), keyOf(merchantsKey).D.String())
}

func TestAnotherNameIsAnotherChannel(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, func(c *wechatpay.Config) { c.Name = "wechatpay-east" })
	r := letterOfTrade(tradeNo).request(t, m.clock.Now())
	body := readAll(t, r)
	n, err := m.ReadNotice(t.Context(), r.Header, body)
	require.NoError(t, err)
	require.Equal(t, "wechatpay-east", n.Channel)
}

func TestWeChatPayIsAskedAtItsOwnAddress(t *testing.T) {
	t.Parallel()
	var host string
	m := newMerchant(t, func(c *wechatpay.Config) {
		next := c.HTTPClient.Transport
		c.HTTPClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			host = r.URL.Scheme + "://" + r.URL.Host
			return next.RoundTrip(r)
		})}
	})
	m.far.says(reply{status: 200, body: told("NOTPAY")})
	_, err := m.Query(t.Context(), tradeNo)
	require.NoError(t, err)
	require.Equal(t, wechatpay.MainURL, host)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
