package wechatpaytest_test

import (
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// keys are made once: three RSA keys take a while.
var keys = sync.OnceValues(func() (*wechatpaytest.Keys, error) { return wechatpaytest.NewKeys("", time.Now()) })

// open makes a platform with the shared keys.
func open(t *testing.T, config wechatpaytest.Config) *wechatpaytest.Platform {
	t.Helper()
	var err error
	config.Keys, err = keys()
	require.NoError(t, err)
	p, err := wechatpaytest.New(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// TestOurChannelConforms runs our own client against the simulator in each mode.
func TestOurChannelConforms(t *testing.T) {
	t.Parallel()
	for _, mode := range []wechatpaytest.Mode{wechatpaytest.PublicKeyMode, wechatpaytest.CertificateMode, wechatpaytest.MixedMode} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			paymenttest.ConformChannel(t, func(t *testing.T) paymenttest.Subject {
				t.Helper()
				p := open(t, wechatpaytest.Config{Mode: mode})
				server := httptest.NewServer(p)
				t.Cleanup(server.Close)
				c := p.Credentials()
				channel, err := wechatpay.New(wechatpay.Config{
					AppID: c.AppID, MerchantID: c.MerchantID, MerchantKey: c.MerchantKey, MerchantSerial: c.MerchantSerial,
					APIv3Key: []byte(c.APIv3Key), PublicKey: c.PublicKey, PublicKeyID: c.PublicKeyID,
					NotifyURL: "https://hospital.example/notify", BaseURL: server.URL,
				})
				require.NoError(t, err)
				return paymenttest.Subject{
					Channel: channel, Name: "wechatpay", Payer: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
					Pay: func(no payment.TradeNo) error {
						_, err := p.Pay(wechatpaytest.Payment{OutTradeNo: string(no)})
						return err
					},
					Expires: time.Now().Add(10 * time.Minute),
				}
			})
		})
	}
}
