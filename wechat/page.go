package wechat

import (
	"context"
	"crypto/rand"
	"strconv"

	"github.com/wxhospital/hospital"
)

// PageConfig is what a page hands to wx.config of the JS-SDK.
type PageConfig struct {
	AppID     string `json:"appId"`
	Timestamp string `json:"timestamp"` // Unix seconds
	Nonce     string `json:"nonceStr"`
	Signature string `json:"signature"`
}

// ConfigurePage signs the JS-SDK configuration of the page at the address: the
// whole address as the page's script sees it, query included. The fragment
// (#…) is not part of what is signed. It returns Invalid with code bad_url for
// anything but an http or https address.
// API: 附录1-JS-SDK使用权限签名算法.
func (c *Client) ConfigurePage(ctx context.Context, address string) (PageConfig, error) {
	if !webAddress(address) {
		return PageConfig{}, &hospital.Error{Kind: hospital.Invalid, Op: "wechat.ConfigurePage", Code: "bad_url", Detail: "want http:// or https:// and a host"}
	}
	ticket, err := c.tickets.token(ctx, "")
	if err != nil {
		return PageConfig{}, unasked("wechat.ConfigurePage", err)
	}
	config := PageConfig{AppID: c.appID, Timestamp: strconv.FormatInt(c.now().Unix(), 10), Nonce: rand.Text()[:16]}
	config.Signature = SignPage(ticket, config.Nonce, config.Timestamp, address)
	return config, nil
}
