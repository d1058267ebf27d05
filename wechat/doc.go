// Package wechat speaks with the WeChat Official Account platform (微信公众平台)
// for one account: it takes what the platform pushes and calls its interfaces.
// It stands alone: a hospital may import nothing else of this module. What
// follows is in the order in which a hospital comes to need it.
//
// # 1. Hear what users do
//
// [NewCallback] makes the [http.Handler] for the server address (服务器地址) in the
// account's console. The [Mode] is declared, never guessed from what arrives; each
// push is checked for signature, age, repetition, app id and original id before a
// handler sees it, and a refusal names the step that failed and nothing more. A
// [Push] carries a typed [Content]: a message ([Text], [Image] …), what a user did
// ([Subscribe], [Scan], [Click], [ScanCode] …), what became of something we sent
// ([TemplateSent], [MassSent], [Published] …), or what the platform has to say
// ([AuthorizationRevoked], [VerificationDue] …). What is not known here is
// [Unknown], with all its fields, and never an error.
//
// # 2. Answer
//
// The handler returns a [Reply]: [TextReply] and the like, or [TransferReply] to
// hand over to a person. The platform waits five seconds and delivers three
// times. A second delivery gets the answer of the first. When a handler takes
// longer, the platform is told "success", and the reply goes to the Late hook,
// which can send it with [Client.SendText].
//
// # 3. Lock the door
//
// Use [Safe] mode. Tokens and AES keys are lists, so that a change in the console
// loses no push: put the new one before the old one first. [Sources.Guard] lets
// only the platform's own addresses through, behind whatever proxies you name.
//
// # 4. Call the platform
//
// [New] makes a [Client]. It needs no care for tokens: fifty goroutines, five
// replicas on one [TokenStore] or another system that revokes the token cost one
// token call, and the old token serves while it lives, whatever else is down.
// Replicas share a store of package wechatsql; one process needs none. Where the
// platform's host cannot be reached at all, [StandbyURLs] are tried; a call whose
// answer was lost is never made again elsewhere.
//
//	[Client.PublishMenu]    the menu; [Client.Menu], [Client.AddConditionalMenu]
//	[Client.SendText]       to a user who was in touch; [Client.SendMessage]
//	[Client.Notify]         a [Notice]: template message or subscription notice
//	[NewLogin]              who stands before a page: [Login.Begin], [Login.Finish]
//	[Client.ConfigurePage]  the signature that the JS-SDK wants
//	[Client.CreateQRCode]   a code with a scene, which comes back as [Scan] or [Subscribe]
//	[Client.FindUser]       who follows; [Client.ListUsers], [Client.CreateTag], [Client.TagUsers],
//	                        [Client.RemarkUser], [Client.BarUsers]
//	[Client.Shorten]        a short key for a long text; [Client.Lengthen]
//	[Client.FinishMiniLogin] who logged in to a mini program
//
// What the platform is known to refuse is refused before it is sent. For what
// stands in a hospital's own configuration, [Menu.Validate] and [Notice.Validate]
// tell so at the start of the program.
//
// # 5. Tell many
//
//	[Client.UploadMedia]   files for three days; [Client.AddMaterial] for good
//	[Client.AddDraft]      articles; [Client.PublishDraft], which ends in [Published]
//	[Client.SendMass]      to everybody, a tag or a list; [MassSent] tells what became of it
//	[Client.AddTemplate]   the account's templates; [Client.AddSubscription]
//	[Client.AddAgent]      people at the customer-service desk; [Client.CreateSession]
//	[Client.SendVisit]     微信就医助手, the page of one visit
//
// # 6. Know what went wrong
//
// Errors are [*hospital.Error]. A refusal of the platform keeps its errcode as
// the code, and its words, [Class] and rid as a [*Refusal] in the chain;
// [AdviceOf] says what may be done about it and [Client.FindRefused] what
// the platform saw under the rid. [Unreachable] tells that this user cannot be
// reached this way. A lost answer to a send is Indeterminate; only a template
// message with a key is repeated, under its client_msg_id. [Client.FindQuota]
// and [Client.ClearQuota] are for a day on which calls run out.
//
// Config.Observe is told of every request as an [Exchange], for logs and metrics.
// No token, secret, openid or address stands in an error, a log line or an
// Exchange.
//
// # 7. Test it
//
// Package wechattest is a whole platform with its users and their phones, and with
// everything that goes wrong between it and you. [Sign], [Signed], [SignPage] and
// [Cipher] are the platform's signatures and frames, for simulators and for tests
// of other code.
package wechat
