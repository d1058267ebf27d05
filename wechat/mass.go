package wechat

import (
	"context"
	"errors"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
)

const (
	// minMass and maxMass bound a list of receivers.
	// API: POST /cgi-bin/message/mass/send, "OpenID最少2个，最多10000个".
	minMass = 2
	maxMass = 10_000
	// maxMassImages is how many pictures one message carries.
	// API: POST /cgi-bin/message/mass/sendall, images, "最多20张".
	maxMassImages = 20
	// massRepeated is the code of a message that was sent under the same key.
	massRepeated = 45065
)

// MassContent is what 群发 brings to many: [MPNewsMessage], [TextMessage],
// [VoiceMessage], [MassImages], [MassVideo] or [CardMessage].
type MassContent interface {
	// validate returns Invalid; the detail names the field.
	validate() error
	massWire() massWire
}

// massWire is a content on the wire: msgtype, the name of its object, and the
// object.
type massWire struct {
	kind, name string
	body       any
	personal   []string
}

// MassImages is a set of uploaded pictures.
type MassImages struct {
	MediaIDs      []string
	Recommend     string // the words above them; optional
	Comments      bool   // readers may comment
	FollowersOnly bool   // and only followers may
}

// MassVideo is an uploaded film. To a tag or to all it must be the one that
// [Client.UploadMassVideo] has returned, without title and description; to a
// list of users it carries them.
type MassVideo struct {
	MediaID     string `json:"media_id"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
}

func badMass(detail string) error {
	return invalid("wechat.Mass", "bad_mass", detail)
}

func (m MassImages) validate() error {
	if len(m.MediaIDs) == 0 || len(m.MediaIDs) > maxMassImages {
		return badMass("images.media_ids: want 1 to 20")
	}
	for i, id := range m.MediaIDs {
		if id == "" {
			return badMass("images.media_ids[" + strconv.Itoa(i) + "]: missing")
		}
	}
	if m.FollowersOnly && !m.Comments {
		return badMass("images.only_fans_can_comment: without need_open_comment")
	}
	return nil
}

func (m MassVideo) validate() error { return required(badMass, "mpvideo.media_id", m.MediaID) }

func (m MPNewsMessage) massWire() massWire { return massWire{kind: "mpnews", name: "mpnews", body: m} }

func (m TextMessage) massWire() massWire {
	return massWire{kind: "text", name: "text", body: m, personal: []string{m.Content}}
}

func (m VoiceMessage) massWire() massWire { return massWire{kind: "voice", name: "voice", body: m} }

func (m CardMessage) massWire() massWire { return massWire{kind: "wxcard", name: "wxcard", body: m} }

func (m MassVideo) massWire() massWire { return massWire{kind: "mpvideo", name: "mpvideo", body: m} }

func (m MassImages) massWire() massWire {
	return massWire{kind: "image", name: "images", body: struct {
		MediaIDs  []string `json:"media_ids"`
		Recommend string   `json:"recommend,omitempty"`
		Comments  int      `json:"need_open_comment"`
		OnlyFans  int      `json:"only_fans_can_comment"`
	}{m.MediaIDs, m.Recommend, flag(m.Comments), flag(m.FollowersOnly)}}
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}

// Mass is one message to many followers. A follower of a service account gets at
// most four a month.
type Mass struct {
	// To is exactly one of: All, a Tag, or 2 to 10000 OpenIDs.
	All     bool
	Tag     int64
	OpenIDs []OpenID
	Content MassContent
	// Reprint sends an article on that the platform takes for somebody else's, if
	// its author allows that.
	Reprint bool
	// Key makes the message bear repetition: it travels as clientmsgid, under
	// which the platform sends once in 24 hours. Without one the platform takes
	// the receivers and the content for the key.
	Key hospital.Key
}

// MassReceipt is what the platform says of a message to many that it has accepted.
// What became of it comes as a [MassSent] push under MsgID.
type MassReceipt struct {
	MsgID  int64
	DataID int64 // msg_data_id, under which the statistics stand; 0 where Repeated
	// Repeated: it was accepted before, under the same Key.
	Repeated bool
}

// validate returns Invalid with code bad_mass or bad_message; the detail names
// the field.
func (m Mass) validate() error {
	ways := flag(m.All) + flag(m.Tag != 0) + flag(m.OpenIDs != nil)
	switch {
	case ways != 1:
		return badMass("filter, touser: want one of All, Tag, OpenIDs")
	case m.Tag < 0:
		return badMass("filter.tag_id: negative")
	case m.OpenIDs != nil && (len(m.OpenIDs) < minMass || len(m.OpenIDs) > maxMass):
		return badMass("touser: want 2 to 10000")
	case m.Key != "" && !m.Key.Valid():
		return badMass("clientmsgid: not a key")
	case m.Content == nil:
		return badMass("msgtype: missing")
	}
	for i, id := range m.OpenIDs {
		if id == "" {
			return badMass("touser[" + strconv.Itoa(i) + "]: missing")
		}
	}
	if video, ok := m.Content.(MassVideo); ok && m.OpenIDs == nil && (video.Title != "" || video.Description != "") {
		return badMass("mpvideo.title: only to OpenIDs; elsewhere UploadMassVideo takes it")
	}
	return m.Content.validate()
}

// SendMass sends the message. It returns Invalid with code bad_mass or
// bad_message before anything is sent, and Conflict with code 45065 when the
// same content went to the same receivers within 24 hours and no Key was given;
// with a Key that is no error but [MassReceipt.Repeated]. Unavailable with code
// 45028: the month's messages are used up. Indeterminate: the answer was lost;
// call again under the same Key, after a minute: sooner it is 45066.
// API: POST /cgi-bin/message/mass/sendall, /cgi-bin/message/mass/send — developers.weixin.qq.com/doc/service/api/notify/message/api_sendall.
func (c *Client) SendMass(ctx context.Context, m Mass) (MassReceipt, error) {
	if err := m.validate(); err != nil {
		return MassReceipt{}, err
	}
	wire := m.Content.massWire()
	body := map[string]any{"msgtype": wire.kind, wire.name: wire.body}
	if _, articles := m.Content.(MPNewsMessage); articles {
		body["send_ignore_reprint"] = flag(m.Reprint)
	}
	if m.Key != "" {
		body["clientmsgid"] = m.Key
	}
	ask := call{op: "wechat.SendMass", path: "/cgi-bin/message/mass/sendall", changes: true, personal: wire.personal, body: body}
	switch {
	case m.OpenIDs != nil:
		ask.path, body["touser"] = "/cgi-bin/message/mass/send", m.OpenIDs
		for _, id := range m.OpenIDs {
			ask.personal = append(ask.personal, string(id))
		}
	case m.All:
		body["filter"] = map[string]any{"is_to_all": true}
	default:
		body["filter"] = map[string]any{"is_to_all": false, "tag_id": m.Tag}
	}
	answer, err := c.do(ctx, ask)
	if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Code == massRepeated && m.Key != "" {
		sent, failed := readMass(ask, answer)
		sent.Repeated = true
		return sent, failed
	}
	if err != nil {
		return MassReceipt{}, err
	}
	return readMass(ask, answer)
}

func readMass(ask call, answer gjson.Result) (MassReceipt, error) {
	id, err := integer(answer.Get("msg_id"))
	if err != nil || id == 0 {
		return MassReceipt{}, ask.bad("msg_id")
	}
	data, err := integer(answer.Get("msg_data_id"))
	if err != nil {
		return MassReceipt{}, ask.bad("msg_data_id")
	}
	return MassReceipt{MsgID: id, DataID: data}, nil
}

// MassPreview shows a message to one person before it goes to many; a hundred a
// day.
type MassPreview struct {
	// To is a follower; WeChatID, in its place, is anybody with that 微信号.
	To       OpenID
	WeChatID string
	// Content is as for [Mass], but pictures are previewed one by one, as an
	// [ImageMessage].
	Content MassContent
}

func (m ImageMessage) massWire() massWire { return massWire{kind: "image", name: "image", body: m} }

// validate returns Invalid with code bad_mass or bad_message; the detail names
// the field.
func (p MassPreview) validate() error {
	if (p.To == "") == (p.WeChatID == "") {
		return badMass("touser, towxname: want one of the two")
	}
	switch p.Content.(type) {
	case nil:
		return badMass("msgtype: missing")
	case MassImages:
		return badMass("image: a preview shows one picture, as ImageMessage")
	}
	return p.Content.validate()
}

// PreviewMass shows the message to one person. It returns Invalid with code
// bad_mass or bad_message, and Rejected with code 40003 for no such user.
// API: POST /cgi-bin/message/mass/preview — developers.weixin.qq.com/doc/service/api/notify/message/api_preview.
func (c *Client) PreviewMass(ctx context.Context, p MassPreview) error {
	if err := p.validate(); err != nil {
		return err
	}
	wire := p.Content.massWire()
	body := map[string]any{"msgtype": wire.kind, wire.name: wire.body}
	if p.To != "" {
		body["touser"] = p.To
	} else {
		body["towxname"] = p.WeChatID
	}
	_, err := c.do(ctx, call{
		op: "wechat.PreviewMass", path: "/cgi-bin/message/mass/preview", changes: true, body: body,
		personal: append(wire.personal, string(p.To), p.WeChatID),
	})
	return err
}

// MassState is how far a message to many has come.
type MassState string

// The states.
const (
	MassSending MassState = "SENDING"
	MassDone    MassState = "SEND_SUCCESS"
	MassFailed  MassState = "SEND_FAIL"
	MassDeleted MassState = "DELETE"
)

// FindMass returns how far the message has come. It returns Invalid with code
// 40059 for no such message.
// API: POST /cgi-bin/message/mass/get — developers.weixin.qq.com/doc/service/api/notify/message/api_massmsgget.
func (c *Client) FindMass(ctx context.Context, msgID int64) (MassState, error) {
	if msgID <= 0 {
		return "", badMass("msg_id: missing")
	}
	ask := call{
		op: "wechat.FindMass", path: "/cgi-bin/message/mass/get",
		body: struct {
			ID string `json:"msg_id"` // a text, as the documentation writes it
		}{strconv.FormatInt(msgID, 10)},
	}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return "", err
	}
	state := MassState(answer.Get("msg_status").String())
	if state == "" {
		return "", ask.bad("msg_status")
	}
	return state, nil
}

// MassDeletion takes articles or films back whose pages then are gone; cards
// that a phone has stay on it.
type MassDeletion struct {
	// MsgID is the message, Article which of its articles, from 1, 0 for all.
	MsgID   int64
	Article int
	// URL is an article's address in place of both.
	URL string
}

// validate returns Invalid with code bad_mass; the detail names the field.
func (d MassDeletion) validate() error {
	switch {
	case (d.MsgID == 0) == (d.URL == ""):
		return badMass("msg_id, url: want one of the two")
	case d.MsgID < 0:
		return badMass("msg_id: negative")
	case d.URL != "" && !webAddress(d.URL):
		return badMass("url: want http:// or https:// and a host")
	case d.Article < 0 || d.URL != "" && d.Article != 0:
		return badMass("article_idx: want 0 or more, with msg_id")
	}
	return nil
}

// DeleteMass takes a message back that was sent: only articles and films can be.
// It returns Invalid with code bad_mass, 40059 for no such message, 40060 for
// no such article.
// API: POST /cgi-bin/message/mass/delete.
func (c *Client) DeleteMass(ctx context.Context, d MassDeletion) error {
	if err := d.validate(); err != nil {
		return err
	}
	_, err := c.do(ctx, call{
		op: "wechat.DeleteMass", path: "/cgi-bin/message/mass/delete", changes: true,
		body: struct {
			ID      int64  `json:"msg_id,omitempty"`
			Article int    `json:"article_idx,omitempty"`
			URL     string `json:"url,omitempty"`
		}{d.MsgID, d.Article, d.URL},
	})
	return err
}

// MassSpeed is how fast messages to many go out: from 0, the fastest, to 4.
type MassSpeed struct {
	Level     int
	PerMinute int // receivers
}

// FindMassSpeed returns the speed that is set.
// API: POST /cgi-bin/message/mass/speed/get — developers.weixin.qq.com/doc/service/api/notify/message/api_getspeed.
func (c *Client) FindMassSpeed(ctx context.Context) (MassSpeed, error) {
	ask := call{op: "wechat.FindMassSpeed", path: "/cgi-bin/message/mass/speed/get", body: struct{}{}}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return MassSpeed{}, err
	}
	level, err := integer(answer.Get("speed"))
	if err != nil || !answer.Get("speed").Exists() {
		return MassSpeed{}, ask.bad("speed")
	}
	tenThousands, err := integer(answer.Get("realspeed"))
	if err != nil {
		return MassSpeed{}, ask.bad("realspeed")
	}
	return MassSpeed{Level: int(level), PerMinute: int(tenThousands) * 10_000}, nil
}

// LimitMassSpeed sets the speed, 0 to 4; slower ones spare the hospital's own
// servers when an article leads there. It may be repeated.
// API: POST /cgi-bin/message/mass/speed/set — developers.weixin.qq.com/doc/subscription/api/notify/message/api_setspeed.
func (c *Client) LimitMassSpeed(ctx context.Context, level int) error {
	if level < 0 || level > 4 {
		return badMass("speed: want 0 to 4")
	}
	_, err := c.do(ctx, call{
		op: "wechat.LimitMassSpeed", path: "/cgi-bin/message/mass/speed/set", changes: true, idempotent: true,
		body: struct {
			Level int `json:"speed"`
		}{level},
	})
	return err
}

// UploadMassVideo makes an uploaded film ready for a tag or for all: it returns
// the media id to send, good for three days. It returns Invalid with code
// bad_mass, or 40007 for no such film.
// API: POST /cgi-bin/media/uploadvideo.
func (c *Client) UploadMassVideo(ctx context.Context, v MassVideo) (mediaID string, err error) {
	if err := required(badMass, "media_id", v.MediaID, "title", v.Title, "description", v.Description); err != nil {
		return "", err
	}
	ask := call{op: "wechat.UploadMassVideo", path: "/cgi-bin/media/uploadvideo", changes: true, body: v}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return "", err
	}
	if mediaID = answer.Get("media_id").String(); mediaID == "" {
		return "", ask.bad("media_id")
	}
	return mediaID, nil
}
