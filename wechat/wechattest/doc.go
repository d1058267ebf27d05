// Package wechattest is the far side of package wechat for tests and for the
// demo: a WeChat Official Account platform (微信公众平台) with its followers, their
// phones and its rules.
//
// # In a test
//
// [Start] runs a platform on loopback for one test. Point any WeChat code at
// its URL, hand it the callback handler, and let a user tap:
//
//	site := wechattest.Start(t, wechattest.Config{})
//	site.CallbackTo(myHandler)
//	err := site.Follower(ctx, "陈素心").Say(ctx, "在吗")
//
// Everywhere else [New] makes a [Platform]: [Platform.Handler] is
// api.weixin.qq.com, [Platform.Open] is open.weixin.qq.com, and [Platform.Run]
// pushes what is due. A test that owns the clock calls [Platform.Advance]
// instead and never sleeps.
//
// # What it enforces
//
// The platform keeps state and refuses as WeChat does, with WeChat's code and
// words: token epochs, the IP allow list, quotas a day and a minute, the limits
// of a menu, the fields of a template, credits for customer-service messages
// and subscriptions, seats and sessions of the desk, four messages to many a
// month, one-use codes of web logins. Calls that send refuse a field that they do
// not know, which the real platform passes over in silence. Its pushes are signed, sealed
// and repeated as the account's mode says, and it reads replies as strictly as
// a phone would show them. What the documentation leaves open is decided for the
// stricter side and said so in the comment.
//
// # What it pushes
//
// Whatever a person does on the phone is a verb of [Follower]: follow, say, scan,
// tap, send a picture, choose a place. [Follower.Push] and [Platform.Push] carry
// any other [Event], and functions such as [KfCreateSession] or [VerifyExpired]
// make those that the platform is known to send.
//
// # What goes wrong
//
// [Platform.Break] sets switches: busy, a server error, a dead or slow line, an
// answer lost after the effect, half an answer, a web page. [Platform.Revoke]
// and [Platform.Spoil] are what another system does to the token,
// [Platform.Rotate] is what a person does to the secrets in the console.
//
// # Over HTTP
//
// Paths below /_sim/ are the control surface for a demo page or a test in
// another process: POST /_sim/say?openid=…&text=…, GET /_sim/chat?openid=… and
// the rest of the table in sim.go. They answer the loopback interface only.
package wechattest
