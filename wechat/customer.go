package wechat

import (
	"context"
	"strconv"

	"github.com/wxhospital/hospital"
)

// CustomerMessage is 客服消息, what the account writes to a user who was in touch.
// It is one of [TextMessage], [ImageMessage], [VoiceMessage], [VideoMessage],
// [MusicMessage], [NewsMessage], [MPNewsMessage], [MPArticleMessage],
// [MenuMessage], [CardMessage] and [MiniProgramMessage], or one of them from a
// certain person: [AgentMessage].
type CustomerMessage interface {
	// validate returns Invalid with code bad_message; the detail names the field
	// as the platform writes it: "text.content".
	validate() error
	// wire is msgtype, the object of that name, and what of it may not come back
	// in an error.
	wire() (kind string, body any, personal []string)
}

// TextMessage is a text of 1 to 2048 bytes. Line breaks stand as they are.
type TextMessage struct {
	Content string `json:"content"`
}

// ImageMessage is an uploaded picture.
type ImageMessage struct {
	MediaID string `json:"media_id"`
}

// VoiceMessage is an uploaded sound.
type VoiceMessage struct {
	MediaID string `json:"media_id"`
}

// VideoMessage is an uploaded film and an uploaded thumb to show before it runs.
type VideoMessage struct {
	MediaID      string `json:"media_id"`
	ThumbMediaID string `json:"thumb_media_id"`
	Title        string `json:"title,omitempty"`
	Description  string `json:"description,omitempty"`
}

// MusicMessage is a piece of music at an address; HQURL is for Wi-Fi.
type MusicMessage struct {
	Title        string `json:"title,omitempty"`
	Description  string `json:"description,omitempty"`
	URL          string `json:"musicurl"`
	HQURL        string `json:"hqmusicurl"`
	ThumbMediaID string `json:"thumb_media_id"`
}

// NewsMessage is 图文消息, a card that leads to a page of our own. The platform
// takes exactly one.
type NewsMessage struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	URL         string `json:"url"`
	PictureURL  string `json:"picurl,omitempty"`
}

// MPNewsMessage is a draft or an older article of the account, by its media id.
type MPNewsMessage struct {
	MediaID string `json:"media_id"`
}

// MPArticleMessage is a published article of the account.
type MPArticleMessage struct {
	ArticleID string `json:"article_id"`
}

// MenuChoice is one entry of a [MenuMessage].
type MenuChoice struct {
	ID      string `json:"id"` // comes back as [Text.MenuChoice]
	Content string `json:"content"`
}

// MenuMessage is 菜单消息, a question whose answers can be tapped: "满意", "不满意".
// A tap arrives as a [Text].
type MenuMessage struct {
	Head    string       `json:"head_content"`
	Choices []MenuChoice `json:"list"`
	Tail    string       `json:"tail_content,omitempty"`
}

// CardMessage is 卡券, a coupon.
type CardMessage struct {
	CardID string `json:"card_id"`
}

// MiniProgramMessage is a card that opens a linked mini program.
type MiniProgramMessage struct {
	Title        string `json:"title"`
	AppID        string `json:"appid"`
	Page         string `json:"pagepath"`
	ThumbMediaID string `json:"thumb_media_id"`
}

// AgentMessage is a message that shows the portrait and the name of a person at
// the customer-service desk: Account is "test1@account", see [Client.AddAgent].
type AgentMessage struct {
	Account string
	Message CustomerMessage
}

// ErrTooMany is returned when the user has got as many messages as one of
// theirs, or one of their taps, allows.
var ErrTooMany = &hospital.Error{Kind: hospital.Rejected, Code: "45047"}

func badMessage(detail string) error {
	return invalid("wechat.CustomerMessage", "bad_message", detail)
}

// required is the error of the first field that is empty, nil for none. Pairs
// are a field and its value.
func required(bad func(string) error, pairs ...string) error {
	for ; len(pairs) > 1; pairs = pairs[2:] {
		if pairs[1] == "" {
			return bad(pairs[0] + ": missing")
		}
	}
	return nil
}

func (m TextMessage) validate() error {
	if text := legible(m.Content); text == "" || len(text) > maxText {
		return badMessage("text.content: want 1 to 2048 bytes")
	}
	return nil
}

func (m ImageMessage) validate() error { return required(badMessage, "image.media_id", m.MediaID) }

func (m VoiceMessage) validate() error { return required(badMessage, "voice.media_id", m.MediaID) }

func (m VideoMessage) validate() error {
	return required(badMessage, "video.media_id", m.MediaID, "video.thumb_media_id", m.ThumbMediaID)
}

func (m MusicMessage) validate() error {
	for _, address := range []struct{ field, url string }{{"music.musicurl", m.URL}, {"music.hqmusicurl", m.HQURL}} {
		if !webAddress(address.url) {
			return badMessage(address.field + ": want http:// or https:// and a host")
		}
	}
	return required(badMessage, "music.thumb_media_id", m.ThumbMediaID)
}

func (m NewsMessage) validate() error {
	switch {
	case m.Title == "":
		return badMessage("news.articles[0].title: missing")
	case !webAddress(m.URL):
		return badMessage("news.articles[0].url: want http:// or https:// and a host")
	case m.PictureURL != "" && !webAddress(m.PictureURL):
		return badMessage("news.articles[0].picurl: want http:// or https:// and a host")
	}
	return nil
}

func (m MPNewsMessage) validate() error { return required(badMessage, "mpnews.media_id", m.MediaID) }

func (m MPArticleMessage) validate() error {
	return required(badMessage, "mpnewsarticle.article_id", m.ArticleID)
}

func (m MenuMessage) validate() error {
	if err := required(badMessage, "msgmenu.head_content", m.Head); err != nil {
		return err
	}
	if len(m.Choices) == 0 {
		return badMessage("msgmenu.list: missing")
	}
	seen := map[string]bool{}
	for i, choice := range m.Choices {
		at := "msgmenu.list[" + strconv.Itoa(i) + "]"
		if err := required(badMessage, at+".id", choice.ID, at+".content", choice.Content); err != nil {
			return err
		}
		if seen[choice.ID] {
			return badMessage(at + ".id: twice")
		}
		seen[choice.ID] = true
	}
	return nil
}

func (m CardMessage) validate() error { return required(badMessage, "wxcard.card_id", m.CardID) }

func (m MiniProgramMessage) validate() error {
	return required(badMessage, "miniprogrampage.title", m.Title, "miniprogrampage.appid", m.AppID,
		"miniprogrampage.pagepath", m.Page, "miniprogrampage.thumb_media_id", m.ThumbMediaID)
}

func (m AgentMessage) validate() error {
	if !agentAccount(m.Account) {
		return badMessage("customservice.kf_account: want " + agentAccountForm)
	}
	switch m.Message.(type) {
	case nil, AgentMessage:
		return badMessage("msgtype: missing")
	}
	return m.Message.validate()
}

func (m TextMessage) wire() (kind string, body any, personal []string) {
	m.Content = legible(m.Content)
	return "text", m, []string{m.Content}
}

func (m ImageMessage) wire() (kind string, body any, personal []string) { return "image", m, nil }

func (m VoiceMessage) wire() (kind string, body any, personal []string) { return "voice", m, nil }

func (m VideoMessage) wire() (kind string, body any, personal []string) {
	return "video", m, []string{m.Title, m.Description}
}

func (m MusicMessage) wire() (kind string, body any, personal []string) {
	return "music", m, []string{m.Title, m.Description}
}

func (m NewsMessage) wire() (kind string, body any, personal []string) {
	return "news", map[string][]NewsMessage{"articles": {m}}, []string{m.Title, m.Description, m.URL}
}

func (m MPNewsMessage) wire() (kind string, body any, personal []string) { return "mpnews", m, nil }

func (m MPArticleMessage) wire() (kind string, body any, personal []string) {
	return "mpnewsarticle", m, nil
}

func (m MenuMessage) wire() (kind string, body any, personal []string) {
	personal = []string{m.Head, m.Tail}
	for _, choice := range m.Choices {
		personal = append(personal, choice.Content)
	}
	return "msgmenu", m, personal
}

func (m CardMessage) wire() (kind string, body any, personal []string) { return "wxcard", m, nil }

func (m MiniProgramMessage) wire() (kind string, body any, personal []string) {
	return "miniprogrampage", m, []string{m.Title, m.Page}
}

func (m AgentMessage) wire() (kind string, body any, personal []string) { return m.Message.wire() }

// SendMessage sends a message to a user who was in touch: five within 48 hours
// of a message, three within a minute of a subscription, a scan or a tap on a
// button of type click.
//
// It returns Invalid with code bad_message before anything is sent, and
// Rejected where the user is out of reach: [ErrOutOfTime], [ErrTooMany], see
// [Unreachable]. Indeterminate: the answer was lost, and the platform knows no
// number under which it could be sent again.
// API: POST /cgi-bin/message/custom/send — developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage.
func (c *Client) SendMessage(ctx context.Context, to OpenID, m CustomerMessage) error {
	if m == nil {
		return badMessage("msgtype: missing")
	}
	if to == "" {
		return badMessage("touser: missing")
	}
	if err := m.validate(); err != nil {
		return err
	}
	kind, body, personal := m.wire()
	message := map[string]any{"touser": to, "msgtype": kind, kind: body}
	if agent, ok := m.(AgentMessage); ok {
		message["customservice"] = map[string]string{"kf_account": agent.Account}
	}
	_, err := c.do(ctx, call{
		op: "wechat.SendMessage", path: "/cgi-bin/message/custom/send", changes: true,
		personal: append(personal, string(to)), body: message,
	})
	return err
}

// SendText is [Client.SendMessage] with a [TextMessage].
// API: POST /cgi-bin/message/custom/send.
func (c *Client) SendText(ctx context.Context, to OpenID, text string) error {
	return c.SendMessage(ctx, to, TextMessage{text})
}

// ShowTyping lets the phone show "对方正在输入" for 15 seconds, or until the next
// message. It returns Invalid with code 45080 when neither side has written
// within 30 seconds, and with code 45081 while it still shows.
// API: POST /cgi-bin/message/custom/typing — developers.weixin.qq.com/doc/service/api/customer/message/api_typing.
func (c *Client) ShowTyping(ctx context.Context, to OpenID) error {
	return c.typing(ctx, "wechat.ShowTyping", to, "Typing")
}

// CancelTyping ends what [Client.ShowTyping] began.
// API: POST /cgi-bin/message/custom/typing.
func (c *Client) CancelTyping(ctx context.Context, to OpenID) error {
	return c.typing(ctx, "wechat.CancelTyping", to, "CancelTyping")
}

func (c *Client) typing(ctx context.Context, op string, to OpenID, command string) error {
	if to == "" {
		return badMessage("touser: missing")
	}
	_, err := c.do(ctx, call{
		op: op, path: "/cgi-bin/message/custom/typing", changes: true, personal: []string{string(to)},
		body: struct {
			To      OpenID `json:"touser"`
			Command string `json:"command"`
		}{to, command},
	})
	return err
}
