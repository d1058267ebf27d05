// Package wechatpaytest is a local WeChat Pay (APIv3, direct merchant) for
// tests: a [Platform] is an [net/http.Handler] that keeps trades, refunds and
// notifications as WeChat Pay does, checks every signature, signs every answer
// and refuses what WeChat Pay refuses, with its codes. It has no path prefix,
// because the path is signed.
//
// Anybody's WeChat Pay code can be tested against it, in any language: serve
// it, point the code's base URL at it and give the code [Platform.Credentials].
// What a test does on the far side (the payer pays, a notification is lost, a
// key rotates) are methods, and the same as POST /_sim/… for a test in another
// process; see [Platform.ServeHTTP].
//
// # What it does not do
//
// H5, Native and APP payment, bills, abnormal refunds and service providers
// are not there yet. Fields that the checks do not name are ignored, as WeChat
// Pay ignores them, but count when a prepay is repeated. Rate limits are
// faults that a test sets, not counters. Coupons are paid by WeChat Pay, so
// the merchant receives the whole total.
package wechatpaytest
