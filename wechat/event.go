package wechat

import (
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// ViewMiniProgram is a tap on a menu button that opens a mini program.
type ViewMiniProgram struct{ Page, MenuID string }

// ScanCode is a scan from a menu button. [Push.Event] names the button's type:
// scancode_push has shown the user the result, after scancode_waitmsg the phone
// waits for what we reply.
type ScanCode struct {
	Key    string // of the button
	Kind   string // ScanType: "qrcode", "barcode"
	Result string
	Waits  bool // scancode_waitmsg
}

// Pictures are pictures that a user sends from a menu button: pic_sysphoto,
// pic_photo_or_album or pic_weixin. The pictures themselves come as messages
// beside it, in no order.
type Pictures struct {
	Key   string
	Count int
	MD5s  []string // PicMd5Sum of each
}

// LocationSelect is a place that a user chose from a menu button.
type LocationSelect struct {
	Key                 string
	Latitude, Longitude string // degrees, as text
	Scale               string
	Label               string
	POI                 string // Poiname: the place's name in the user's Moments, often empty
}

// MassSent is what became of a mass message: MASSSENDJOBFINISH.
type MassSent struct {
	MsgID int64
	// Status is "send success", "send fail" or "err(code)" for what the platform's
	// check has stopped.
	Status                        string
	Total, Filtered, Sent, Failed int // Total are those it was meant for; Filtered those who may get it
	CheckState                    int // of originality: 1 not a reprint, 2 a reprint that may be sent, 3 one that may not
	Checks                        []OriginalCheck
	Articles                      []ArticleURL
}

// Succeeded reports whether the message was sent; Failed may be above 0 all the
// same.
func (m MassSent) Succeeded() bool { return m.Status == "send success" }

// OriginalCheck is what the platform thinks of one article's originality.
type OriginalCheck struct {
	Index        int // from 1
	Declared     int // UserDeclareState
	Audit        int // AuditState
	OriginalURL  string
	OriginalType int
	CanReprint   bool
	MustReplace  bool // NeedReplaceContent
	MustCredit   bool // NeedShowReprintSource
}

// ArticleURL is where one article of a message or a publication stands.
type ArticleURL struct {
	Index int // from 1
	URL   string
}

// Published is what became of a publication: PUBLISHJOBFINISH.
type Published struct {
	PublishID string
	Status    PublishStatus
	ArticleID string
	Articles  []ArticleURL
	Failed    []int // fail_idx: the articles that were refused, from 1
}

// SessionCreated says that somebody at the customer-service desk took up a
// conversation: kf_create_session.
type SessionCreated struct{ Account string }

// SessionClosed says that a conversation at the desk ended: kf_close_session.
type SessionClosed struct{ Account string }

// SessionSwitched says that a conversation went to somebody else at the desk:
// kf_switch_session.
type SessionSwitched struct{ From, To string }

// UserInfoModified says that the platform has cleaned a user's name or picture:
// what we keep of them must be fetched anew or deleted. Pushes of this kind come
// from the platform; User is whom they are about.
type UserInfoModified struct {
	User  OpenID
	AppID string
	What  string // RevokeInfo, verbatim
}

// AuthorizationRevoked says that a user took back what they had agreed to, so
// what we keep of it must be deleted: user_authorization_revoke.
type AuthorizationRevoked struct {
	User  OpenID
	AppID string
	What  string // RevokeInfo, verbatim: which permission
}

// AuthorizationCancelled says that a user has closed their WeChat account:
// user_authorization_cancellation. What the law lets us delete must be deleted.
type AuthorizationCancelled struct {
	User  OpenID
	AppID string
}

// Verified says that the account passed a step of 微信认证, until Expires: its
// qualification, after which the interfaces are open, or (Naming) its name.
type Verified struct {
	Naming  bool
	Expires time.Time
}

// VerificationFailed says that it did not.
type VerificationFailed struct {
	Naming bool
	At     time.Time
	Reason string
}

// VerificationDue reminds of the annual renewal (annual_renew), or says that the
// verification has lapsed and the interfaces with it (verify_expired).
type VerificationDue struct {
	Lapsed  bool
	Expires time.Time
}

func (ViewMiniProgram) content()        {}
func (ScanCode) content()               {}
func (Pictures) content()               {}
func (LocationSelect) content()         {}
func (MassSent) content()               {}
func (Published) content()              {}
func (SessionCreated) content()         {}
func (SessionClosed) content()          {}
func (SessionSwitched) content()        {}
func (UserInfoModified) content()       {}
func (AuthorizationRevoked) content()   {}
func (AuthorizationCancelled) content() {}
func (Verified) content()               {}
func (VerificationFailed) content()     {}
func (VerificationDue) content()        {}

// reader reads the fields of an event. A number that is none is remembered, so
// that the first is named.
type reader struct {
	all nodes
	err error
}

func (r *reader) text(name string) string { return r.all.text(0, name) }

// below returns the position of the field on the path, -1 for none.
func (r *reader) below(path ...string) int {
	at := 0
	for _, name := range path {
		if at = r.all.find(at, name); at < 0 {
			return -1
		}
	}
	return at
}

// textBelow is the text of a field of the one at that position.
func (r *reader) textBelow(at int, name string) string {
	if at < 0 {
		return ""
	}
	return r.all.text(at, name)
}

// number reads a number, 0 for a field that is missing.
func (r *reader) number(at int, name string) int {
	return int(r.wide(at, name))
}

func (r *reader) wide(at int, name string) int64 {
	text := r.textBelow(at, name)
	if text == "" {
		return 0
	}
	n, err := number(text, name)
	if err == nil && int64(int(n)) != n {
		err = malformed("bad_field", name)
	}
	if err != nil && r.err == nil {
		r.err = err
	}
	return n
}

// instant reads Unix seconds, the zero time for a field that is missing.
func (r *reader) instant(name string) time.Time {
	if seconds := r.wide(0, name); seconds != 0 {
		return time.Unix(seconds, 0).In(hospital.CST)
	}
	return time.Time{}
}

// items returns the entries of a list: in XML the elements item below it, in
// JSON those too or an array of that name.
func (r *reader) items(path ...string) []int {
	above := r.below(path[:len(path)-1]...)
	if above < 0 {
		return nil
	}
	var found []int
	for _, at := range r.all.list(above, path[len(path)-1]) {
		if below := r.all.list(at, "item"); len(below) > 0 {
			found = append(found, below...)
		} else if at+1 < len(r.all) && r.all[at+1].parent == at { // an empty object is no entry
			found = append(found, at)
		}
	}
	return found
}

// event reads what is particular to an event. One that it does not know is
// Unknown.
func event(all nodes, name string) (Content, error) {
	r := &reader{all: all}
	var content Content
	switch name {
	case "":
		return nil, malformed("bad_field", "Event")
	case "TEMPLATESENDJOBFINISH", "MASSSENDJOBFINISH", "PUBLISHJOBFINISH", "subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event":
		content = r.result(name)
	case "kf_create_session", "kf_close_session", "kf_switch_session":
		content = r.session(name)
	case "user_info_modified", "user_authorization_revoke", "user_authorization_cancellation":
		content = r.privacy(name)
	case "qualification_verify_success", "qualification_verify_fail", "naming_verify_success", "naming_verify_fail", "annual_renew", "verify_expired":
		content = r.verification(name)
	default:
		content = r.touch(name)
	}
	return content, r.err
}

// touch is what a user did on the phone.
func (r *reader) touch(name string) Content {
	key := r.text("EventKey")
	switch name {
	case "subscribe":
		return Subscribe{Scene: strings.TrimPrefix(key, "qrscene_"), Ticket: r.text("Ticket")}
	case "unsubscribe":
		return Unsubscribe{}
	case "SCAN":
		return Scan{Scene: key, Ticket: r.text("Ticket")}
	case "LOCATION":
		return Position{Latitude: r.text("Latitude"), Longitude: r.text("Longitude"), Precision: r.text("Precision")}
	case "CLICK":
		return Click{Key: key}
	case "VIEW":
		return View{URL: key, MenuID: r.text("MenuId")}
	case "view_miniprogram":
		return ViewMiniProgram{Page: key, MenuID: r.text("MenuId")}
	case "scancode_push", "scancode_waitmsg":
		at := r.below("ScanCodeInfo")
		return ScanCode{Key: key, Kind: r.textBelow(at, "ScanType"), Result: r.textBelow(at, "ScanResult"), Waits: name == "scancode_waitmsg"}
	case "pic_sysphoto", "pic_photo_or_album", "pic_weixin":
		pictures := Pictures{Key: key, Count: r.number(r.below("SendPicsInfo"), "Count")}
		for _, at := range r.items("SendPicsInfo", "PicList") {
			pictures.MD5s = append(pictures.MD5s, r.textBelow(at, "PicMd5Sum"))
		}
		return pictures
	case "location_select":
		at := r.below("SendLocationInfo")
		return LocationSelect{
			Key: key, Latitude: r.textBelow(at, "Location_X"), Longitude: r.textBelow(at, "Location_Y"), Scale: r.textBelow(at, "Scale"),
			Label: r.textBelow(at, "Label"), POI: r.textBelow(at, "Poiname"),
		}
	}
	return Unknown{EventKey: key, Fields: r.all.tree(0)}
}

// result is what became of something that we sent.
func (r *reader) result(name string) Content {
	switch name {
	case "TEMPLATESENDJOBFINISH":
		id, err := number(r.text("MsgID"), "MsgID")
		r.err = err
		return TemplateSent{MsgID: id, Status: r.text("Status")}
	case "MASSSENDJOBFINISH":
		return r.mass()
	case "PUBLISHJOBFINISH":
		return r.published()
	case "subscribe_msg_popup_event":
		return SubscriptionsChosen{r.choices("SubscribeMsgPopupEvent")}
	case "subscribe_msg_change_event":
		return SubscriptionsChanged{r.choices("SubscribeMsgChangeEvent")}
	}
	return SubscriptionsSent{r.sent()}
}

func (r *reader) mass() MassSent {
	id, err := number(r.text("MsgID"), "MsgID")
	r.err = err
	m := MassSent{
		MsgID: id, Status: r.text("Status"),
		Total: r.number(0, "TotalCount"), Filtered: r.number(0, "FilterCount"), Sent: r.number(0, "SentCount"), Failed: r.number(0, "ErrorCount"),
		CheckState: r.number(r.below("CopyrightCheckResult"), "CheckState"),
	}
	for _, at := range r.items("CopyrightCheckResult", "ResultList") {
		m.Checks = append(m.Checks, OriginalCheck{
			Index: r.number(at, "ArticleIdx"), Declared: r.number(at, "UserDeclareState"), Audit: r.number(at, "AuditState"),
			OriginalURL: r.textBelow(at, "OriginalArticleUrl"), OriginalType: r.number(at, "OriginalArticleType"),
			CanReprint: r.number(at, "CanReprint") == 1, MustReplace: r.number(at, "NeedReplaceContent") == 1,
			MustCredit: r.number(at, "NeedShowReprintSource") == 1,
		})
	}
	for _, at := range r.items("ArticleUrlResult", "ResultList") {
		m.Articles = append(m.Articles, ArticleURL{Index: r.number(at, "ArticleIdx"), URL: r.textBelow(at, "ArticleUrl")})
	}
	return m
}

func (r *reader) published() Published {
	at := r.below("PublishEventInfo")
	p := Published{PublishID: r.textBelow(at, "publish_id"), Status: PublishStatus(r.number(at, "publish_status")), ArticleID: r.textBelow(at, "article_id")}
	if p.PublishID == "" {
		r.err = malformed("bad_field", "publish_id")
		return p
	}
	if detail := r.below("PublishEventInfo", "article_detail"); detail > 0 {
		for _, item := range r.all.list(detail, "item") {
			p.Articles = append(p.Articles, ArticleURL{Index: r.number(item, "idx"), URL: r.textBelow(item, "article_url")})
		}
	}
	for _, failed := range r.all.list(at, "fail_idx") {
		index, err := number(r.all[failed].text, "fail_idx")
		if err != nil && r.err == nil {
			r.err = err
		}
		p.Failed = append(p.Failed, int(index))
	}
	return p
}

// lists returns the entries of a subscription event. XML wraps them in an
// element of the event's own; JSON puts them at the top, bare when there is
// one and in an array when there are several.
func (r *reader) lists(wrapper string) []int { return r.all.list(max(r.below(wrapper), 0), "List") }

func (r *reader) choices(wrapper string) []SubscriptionChoice {
	var found []SubscriptionChoice
	for _, at := range r.lists(wrapper) {
		found = append(found, SubscriptionChoice{
			TemplateID: r.all.text(at, "TemplateId"),
			Accepted:   r.all.text(at, "SubscribeStatusString") == "accept",
			Scene:      r.all.text(at, "PopupScene"),
		})
	}
	return found
}

func (r *reader) sent() []SubscriptionResult {
	var found []SubscriptionResult
	for _, at := range r.lists("SubscribeMsgSentEvent") {
		code, err := number(r.all.text(at, "ErrorCode"), "ErrorCode")
		if err != nil {
			r.err = err
			return nil
		}
		found = append(found, SubscriptionResult{
			TemplateID: r.all.text(at, "TemplateId"), MsgID: r.all.text(at, "MsgID"),
			Code: int(code), Status: r.all.text(at, "ErrorStatus"),
		})
	}
	return found
}

// session is what happened at the customer-service desk.
func (r *reader) session(name string) Content {
	switch name {
	case "kf_create_session":
		return SessionCreated{Account: r.text("KfAccount")}
	case "kf_close_session":
		return SessionClosed{Account: r.text("KfAccount")}
	}
	return SessionSwitched{From: r.text("FromKfAccount"), To: r.text("ToKfAccount")}
}

// privacy is a duty towards a user, whom it must name.
// Source: developers.weixin.qq.com, 授权用户资料变更, "Event字段定义".
func (r *reader) privacy(name string) Content {
	user, app, what := OpenID(r.text("OpenID")), r.text("AppID"), r.text("RevokeInfo")
	if user == "" {
		r.err = malformed("bad_field", "OpenID")
	}
	switch name {
	case "user_info_modified":
		return UserInfoModified{User: user, AppID: app, What: what}
	case "user_authorization_revoke":
		return AuthorizationRevoked{User: user, AppID: app, What: what}
	}
	return AuthorizationCancelled{User: user, AppID: app}
}

// verification is a step of 微信认证.
// Source: developers.weixin.qq.com, 微信认证事件推送.
func (r *reader) verification(name string) Content {
	naming := strings.HasPrefix(name, "naming_")
	switch name {
	case "qualification_verify_success", "naming_verify_success":
		return Verified{Naming: naming, Expires: r.instant("ExpiredTime")}
	case "qualification_verify_fail", "naming_verify_fail":
		return VerificationFailed{Naming: naming, At: r.instant("FailTime"), Reason: r.text("FailReason")}
	}
	return VerificationDue{Lapsed: name == "verify_expired", Expires: r.instant("ExpiredTime")}
}

// identity is the same for every delivery of one push and for no two pushes.
// Events have no MsgId, and several of one user can fall into one second, so
// the event, its key and what it speaks of are part of it.
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
		case "MsgType", "Event", "EventKey", "MsgID", "TemplateId", "SubscribeStatusString", "ScanResult", "PicMd5Sum",
			"publish_id", "publish_status", "KfAccount", "FromKfAccount", "ToKfAccount", "OpenID", "RevokeInfo":
			b.WriteByte('\n')
			b.WriteString(field.text)
		}
	}
	return b.String()
}
