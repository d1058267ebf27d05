package wechat

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// Format is how an account's pushes are written; the console decides.
type Format int

// The formats.
const (
	XML Format = iota + 1
	JSON
)

// Push is what the platform delivered: a user's message or an event.
type Push struct {
	To        string // 原始ID, the account's original id, "gh_…"
	From      OpenID
	CreatedAt time.Time
	Type      string // MsgType as sent: "text", "event"
	Event     string // as sent: "subscribe", "SCAN", "TEMPLATESENDJOBFINISH"; "" for a message
	ID        int64  // MsgId; 0 for an event
	// DataID and Index are MsgDataId and Idx, verbatim: the article from whose
	// page a message was sent, and which of several it is. "" for others.
	DataID, Index string
	// Content is one of the types below. What this package does not know is
	// [Unknown], never an error.
	Content Content
	Format  Format
	Raw     string // the push as it came, decrypted

	key    string // the same for every delivery of one push
	opened opened
}

// LogValue names the push without the person and without what was said.
func (p Push) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("from", p.From), slog.String("type", p.Type), slog.String("event", p.Event), slog.Int64("id", p.ID))
}

// Content is what a [Push] says.
type Content interface{ content() }

// Text is 文本消息.
type Text struct {
	Content string
	// MenuChoice is the id of the entry that was tapped in a menu message.
	MenuChoice string
}

// Image is 图片消息.
type Image struct{ URL, MediaID string }

// Voice is 语音消息.
type Voice struct {
	MediaID, Format string
	MediaID16K      string // the same at 16 kHz, where the phone sent it so
	Recognition     string // the words, if the account has speech recognition switched on
}

// Video is 视频消息 or 小视频消息 (Short).
type Video struct {
	MediaID, ThumbMediaID string
	Short                 bool
}

// Location is 地理位置消息: where the user says to be. Coordinates keep the text
// in which they came, in degrees.
type Location struct {
	Latitude, Longitude string
	Scale               string
	Label               string
}

// Link is 链接消息.
type Link struct{ Title, Description, URL string }

// Subscribe is 关注: a user follows the account. Scene and Ticket are those of
// the QR code that led there, if one did.
type Subscribe struct{ Scene, Ticket string }

// Unsubscribe is 取消关注.
type Unsubscribe struct{}

// Scan is the scan of a 带参数二维码 by a user who follows already.
type Scan struct{ Scene, Ticket string }

// Position is 上报地理位置: where the phone is, in degrees, as text.
type Position struct{ Latitude, Longitude, Precision string }

// Click is a tap on a menu button of type click.
type Click struct{ Key string }

// View is a tap on a menu button that leads to a page.
type View struct{ URL, MenuID string }

// TemplateSent is what became of a template message: TEMPLATESENDJOBFINISH.
type TemplateSent struct {
	MsgID  int64
	Status string // "success", "failed:user block", "failed: system failed"
}

// Delivered reports whether the message reached the user.
func (t TemplateSent) Delivered() bool { return t.Status == "success" }

// SubscriptionChoice is what a user answered when asked about one template.
type SubscriptionChoice struct {
	TemplateID string
	Accepted   bool
	Scene      string // PopupScene: where the question was asked
}

// SubscriptionsChosen is the answer to a subscription question:
// subscribe_msg_popup_event.
type SubscriptionsChosen struct{ Choices []SubscriptionChoice }

// SubscriptionsChanged is a change in the account's settings page:
// subscribe_msg_change_event.
type SubscriptionsChanged struct{ Choices []SubscriptionChoice }

// SubscriptionResult is what became of one subscription notice.
type SubscriptionResult struct {
	TemplateID string
	MsgID      string
	Code       int // 0 is delivered
	Status     string
}

// SubscriptionsSent is what became of subscription notices:
// subscribe_msg_sent_event.
type SubscriptionsSent struct{ Results []SubscriptionResult }

// Unknown is a message or an event this package has no type for, with all of
// its fields. [Push.Raw] has it as it came.
type Unknown struct {
	EventKey string
	Fields   []Field
}

// Field is one field of a push, the same whether it came as XML or as JSON. A
// list is several fields of one name.
type Field struct {
	Name, Text string
	Fields     []Field // below it
}

// Text returns the text at the path, for example Text("ScanCodeInfo",
// "ScanResult"), of the first field of each name; "" when there is none.
func (u Unknown) Text(path ...string) string {
	text, fields := "", u.Fields
	for _, name := range path {
		at := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
		if at < 0 {
			return ""
		}
		text, fields = fields[at].Text, fields[at].Fields
	}
	return text
}

func (Text) content()                 {}
func (Image) content()                {}
func (Voice) content()                {}
func (Video) content()                {}
func (Location) content()             {}
func (Link) content()                 {}
func (Subscribe) content()            {}
func (Unsubscribe) content()          {}
func (Scan) content()                 {}
func (Position) content()             {}
func (Click) content()                {}
func (View) content()                 {}
func (TemplateSent) content()         {}
func (SubscriptionsChosen) content()  {}
func (SubscriptionsChanged) content() {}
func (SubscriptionsSent) content()    {}
func (Unknown) content()              {}

// ParsePush reads a push in the clear, XML or JSON. It verifies nothing: use
// [Callback] for what comes over the network. It returns Invalid with code
// bad_xml, bad_json or bad_field, and the detail names the field.
func ParsePush(text string) (Push, error) {
	if len(text) > maxBody {
		return Push{}, malformed("too_large", "a push above "+strconv.Itoa(maxBody)+" bytes")
	}
	all, format, err := parseNodes(text)
	if err != nil {
		return Push{}, err
	}
	return newPush(all, format, text)
}

func newPush(all nodes, format Format, raw string) (Push, error) {
	p := Push{
		To: all.text(0, "ToUserName"), From: OpenID(all.text(0, "FromUserName")),
		Type: all.text(0, "MsgType"), Event: all.text(0, "Event"), Format: format, Raw: raw,
	}
	for _, required := range []struct{ name, text string }{
		{"ToUserName", p.To}, {"FromUserName", string(p.From)}, {"MsgType", p.Type},
	} {
		if required.text == "" || len(required.text) > 128 {
			return Push{}, malformed("bad_field", required.name)
		}
	}
	seconds, err := number(all.text(0, "CreateTime"), "CreateTime")
	if err != nil {
		return Push{}, err
	}
	p.CreatedAt = time.Unix(seconds, 0).In(hospital.CST)
	if p.Type == "event" {
		p.Content, err = event(all, p.Event)
	} else {
		if id := all.text(0, "MsgId"); id != "" {
			if p.ID, err = number(id, "MsgId"); err != nil {
				return Push{}, err
			}
		}
		p.Event, p.DataID, p.Index = "", all.text(0, "MsgDataId"), all.text(0, "Idx")
		p.Content = message(all, p.Type)
	}
	if err != nil {
		return Push{}, err
	}
	p.key = identity(all, p)
	return p, nil
}

func number(text, field string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 {
		return 0, malformed("bad_field", field)
	}
	return n, nil
}

func message(all nodes, kind string) Content {
	text := func(name string) string { return all.text(0, name) }
	switch kind {
	case "text":
		return Text{Content: text("Content"), MenuChoice: text("bizmsgmenuid")}
	case "image":
		return Image{URL: text("PicUrl"), MediaID: text("MediaId")}
	case "voice":
		return Voice{MediaID: text("MediaId"), Format: text("Format"), MediaID16K: text("MediaId16K"), Recognition: text("Recognition")}
	case "video", "shortvideo":
		return Video{MediaID: text("MediaId"), ThumbMediaID: text("ThumbMediaId"), Short: kind == "shortvideo"}
	case "location":
		return Location{Latitude: text("Location_X"), Longitude: text("Location_Y"), Scale: text("Scale"), Label: text("Label")}
	case "link":
		return Link{Title: text("Title"), Description: text("Description"), URL: text("Url")}
	}
	return Unknown{EventKey: text("EventKey"), Fields: all.tree(0)}
}
