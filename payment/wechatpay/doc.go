// Package wechatpay is 微信支付, WeChat Pay APIv3 for a direct merchant, as a
// channel of package payment: JSAPI prepay, query, close, refund, and the
// notifications of payments and refunds.
//
// # A tour
//
// A [Config] names the merchant; [Files] reads its keys from the PEM files of
// the merchant platform. [New] makes a [Channel], which package payment calls:
// [Channel.Prepay] returns a pay sheet whose params go to WeixinJSBridge as
// they are. [Channel.Notifications] serves the notify_url and hands what it
// could verify to a [Notifier], the cashier.
//
//	channel, err := wechatpay.New(cfg)
//	cashier, err := payment.New(payment.Config{
//		Channels: map[string]payment.Channel{"wechatpay": channel}, …
//	})
//	mux.Handle("POST /pay/notify", channel.Notifications(cashier))
//
// # What is believed
//
// A 2xx answer and a notification are believed when the signature fits the
// body, the key is named by Wechatpay-Serial and is WeChat Pay's, and the time
// is within five minutes of the host's. The keys are the WeChat Pay public key
// (微信支付公钥), platform certificates (平台证书), or both while a merchant moves
// from one to the other. Certificates are downloaded by themselves, also when
// an unknown serial shows up; the first download rests on the APIv3 key that
// sealed it. Every request names the key that its answer can be verified with.
// A probe, signed badly on purpose (WECHATPAY/SIGNTEST/…), is a bad signature:
// an answer is asked for again, a notification comes again.
//
// An answer is then compared with the question: mchid, appid, the numbers, and
// the total of a refund. Sums of payments are compared by package payment,
// which knows what is owed and shows a person what differs.
//
// # What a failure means
//
// An answer that was lost, cannot be read or cannot be verified is
// Indeterminate when the call may have changed something, and Unavailable when
// it only asked. The same holds for a 5xx and for a page without a code of
// WeChat Pay's, whatever its status. Every call may be repeated, because what
// it names has a number: prepay resends the bytes that [Channel.Compose] made
// and package payment stored, a refund keeps its number. A code of WeChat Pay
// stands in the error as it came; [AdviceOn] says what to do about it.
//
// # For other code
//
// What the protocol is made of is exported, for whoever plays the far side or
// needs a call that is not here: [RequestMessage], [AnswerMessage],
// [PayMessage], [Sign], [Verify], [Authorization], [Signature], [Cipher].
// Package wechatpaytest is a WeChat Pay to test against.
package wechatpay
