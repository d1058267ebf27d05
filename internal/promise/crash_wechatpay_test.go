package promise_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// crashMerchant is what a child needs to take money through WeChat Pay.
type crashMerchant struct {
	URL, NotifyURL string
	Files          string // the folder of the keys

	AppID       string `json:"appid"`
	MerchantID  string `json:"mchid"`
	APIv3Key    string `json:"api_v3_key"`
	PublicKeyID string `json:"public_key_id"`
}

// crashComposer is a crashChannel whose channel keeps its request's bytes.
type crashComposer struct {
	crashChannel
	payment.Composer
}

// wechatPay is the merchant's channel. Signatures run by the wall, everything
// else by the scenario's time.
func (c *crashChild) wechatPay(m crashMerchant) payment.Channel {
	config, err := wechatpay.Files{
		MerchantKey:         filepath.Join(m.Files, "merchant_key.pem"),
		MerchantCertificate: filepath.Join(m.Files, "merchant_cert.pem"),
		PublicKey:           filepath.Join(m.Files, "wechatpay_public_key.pem"),
	}.Fill(wechatpay.Config{
		Name: crashTill, AppID: m.AppID, MerchantID: m.MerchantID, APIv3Key: []byte(m.APIv3Key), PublicKeyID: m.PublicKeyID,
		BaseURL: m.URL, NotifyURL: m.NotifyURL, Now: c.now,
	})
	require.NoError(c, err)
	channel, err := wechatpay.New(config)
	require.NoError(c, err)
	c.notices = channel.Notifications(crashNotifier{c})
	return crashComposer{crashChannel{channel, c.saga}, channel}
}

// crashNotifier takes notices for a cashier that is made after the channel.
type crashNotifier struct{ child *crashChild }

func (n crashNotifier) Notify(ctx context.Context, notice payment.Notice) error {
	return n.child.cashier.Notify(ctx, notice)
}

// receive takes a notification as it crossed the wire, signature and all.
func (c *crashChild) receive(m crashMail) {
	r := httptest.NewRequestWithContext(c.Context(), http.MethodPost, "/notice", bytes.NewReader(m.Body))
	r.Header = m.Header
	w := httptest.NewRecorder()
	c.notices.ServeHTTP(w, r)
	require.Equal(c, http.StatusNoContent, w.Code, w.Body.String())
}
