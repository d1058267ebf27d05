package wechat

import (
	"log/slog"
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

// Unknown is a message or an event this package has no type for; [Push.Raw]
// has it whole.
type Unknown struct{ EventKey string }

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
		p.Event = ""
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
		return Voice{MediaID: text("MediaId"), Format: text("Format"), Recognition: text("Recognition")}
	case "video", "shortvideo":
		return Video{MediaID: text("MediaId"), ThumbMediaID: text("ThumbMediaId"), Short: kind == "shortvideo"}
	case "location":
		return Location{Latitude: text("Location_X"), Longitude: text("Location_Y"), Scale: text("Scale"), Label: text("Label")}
	case "link":
		return Link{Title: text("Title"), Description: text("Description"), URL: text("Url")}
	}
	return Unknown{}
}

func event(all nodes, name string) (Content, error) {
	text := func(name string) string { return all.text(0, name) }
	key := text("EventKey")
	switch name {
	case "":
		return nil, malformed("bad_field", "Event")
	case "subscribe":
		return Subscribe{Scene: strings.TrimPrefix(key, "qrscene_"), Ticket: text("Ticket")}, nil
	case "unsubscribe":
		return Unsubscribe{}, nil
	case "SCAN":
		return Scan{Scene: key, Ticket: text("Ticket")}, nil
	case "LOCATION":
		return Position{Latitude: text("Latitude"), Longitude: text("Longitude"), Precision: text("Precision")}, nil
	case "CLICK":
		return Click{Key: key}, nil
	case "VIEW":
		return View{URL: key, MenuID: text("MenuId")}, nil
	case "TEMPLATESENDJOBFINISH":
		id, err := number(text("MsgID"), "MsgID")
		return TemplateSent{MsgID: id, Status: text("Status")}, err
	case "subscribe_msg_popup_event":
		return SubscriptionsChosen{choices(all, "SubscribeMsgPopupEvent")}, nil
	case "subscribe_msg_change_event":
		return SubscriptionsChanged{choices(all, "SubscribeMsgChangeEvent")}, nil
	case "subscribe_msg_sent_event":
		results, err := results(all)
		return SubscriptionsSent{results}, err
	}
	return Unknown{EventKey: key}, nil
}

// lists returns the entries of a subscription event. XML wraps them in an
// element of the event's own; JSON puts them at the top, bare when there is
// one and in an array when there are several.
func lists(all nodes, wrapper string) []int {
	return all.list(max(all.find(0, wrapper), 0), "List")
}

func choices(all nodes, wrapper string) []SubscriptionChoice {
	var found []SubscriptionChoice
	for _, at := range lists(all, wrapper) {
		found = append(found, SubscriptionChoice{
			TemplateID: all.text(at, "TemplateId"),
			Accepted:   all.text(at, "SubscribeStatusString") == "accept",
			Scene:      all.text(at, "PopupScene"),
		})
	}
	return found
}

func results(all nodes) ([]SubscriptionResult, error) {
	var found []SubscriptionResult
	for _, at := range lists(all, "SubscribeMsgSentEvent") {
		code, err := number(all.text(at, "ErrorCode"), "ErrorCode")
		if err != nil {
			return nil, err
		}
		found = append(found, SubscriptionResult{
			TemplateID: all.text(at, "TemplateId"), MsgID: all.text(at, "MsgID"),
			Code: int(code), Status: all.text(at, "ErrorStatus"),
		})
	}
	return found, nil
}

// identity is the same for every delivery of one push and for no two pushes.
// Events have no MsgId, and several of one user can fall into one second, so
// the event, its key and the messages it speaks of are part of it.
func identity(all nodes, p Push) string {
	if p.ID != 0 {
		return strconv.FormatInt(p.ID, 10)
	}
	var b strings.Builder
	b.WriteString(string(p.From))
	b.WriteByte(' ')
	b.WriteString(strconv.FormatInt(p.CreatedAt.Unix(), 10))
	for _, field := range all {
		switch field.name {
		case "MsgType", "Event", "EventKey", "MsgID", "TemplateId", "SubscribeStatusString":
			b.WriteByte('\n')
			b.WriteString(field.text)
		}
	}
	return b.String()
}
