// Package wechat speaks with the WeChat Official Account platform (微信公众平台)
// for one account: it takes what the platform pushes and calls its interfaces.
// It stands alone: a hospital may import nothing else of this module.
//
// # What the platform pushes
//
// [NewCallback] makes the [http.Handler] for the server address in the account's
// console. The [Mode] is declared, never guessed from what arrives; each push is
// checked for signature, age, repetition, app id and original id before a
// handler sees it, and a refusal names the step that failed and nothing more;
// [Sources] adds the platform's own addresses as a second lock. A [Push] carries
// a typed [Content]: a message ([Text], [Image] …) or an event ([Subscribe],
// [Scan], [TemplateSent] …); what is not known here is [Unknown] and never an
// error. The handler answers with a [Reply].
//
// The platform waits five seconds and delivers three times. A second delivery
// gets the answer of the first. When a handler takes longer, the platform is
// told "success", and the reply goes to the Late hook, which can send it with
// [Client.SendText].
//
// # What we ask of the platform
//
// [New] makes a [Client]. It needs no care for tokens: fifty goroutines, five
// replicas on one [TokenStore] or another system that revokes the token cost one
// token call, and the old token serves while it lives, whatever else is down.
// Replicas share a store of package wechatsql; one process needs none.
//
//	[Client.Notify]         a [Notice]: template message or subscription notice
//	[Client.SendText]       a customer-service text
//	[Client.PublishMenu]    the menu; [Client.Menu], [Client.DeleteMenu]
//	[Client.FindUser]       who follows
//	[Client.ConfigurePage]  the signature that the JS-SDK wants
//	[NewLogin]              who stands before a page: [Login.Begin], [Login.Finish]
//
// What the platform would refuse is refused before it is sent where the rule is
// known: [Notice.Validate], [Menu.Validate].
//
// # What can go wrong
//
// Errors are [*hospital.Error]. A refusal of the platform keeps its errcode as
// the code, and its words, [Class] and rid as a [*Refusal] in the chain.
// [Unreachable] tells that this user cannot be reached this way. A lost answer
// to a send is Indeterminate; only a template message with a key is repeated,
// under its client_msg_id. No token, secret, openid or address stands in an
// error or a log line.
//
// # The cryptography by itself
//
// [Sign], [Signed], [SignPage] and [Cipher] are the platform's signatures and
// frames, for simulators and for tests of other code. Package wechattest is a
// whole platform for tests.
package wechat
