// Package wechatpay is WeChat Pay (微信支付, APIv3, direct merchant) as a
// channel of package payment.
package wechatpay
