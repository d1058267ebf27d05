package wechat

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// NoticeKind is how a [Notice] travels.
type NoticeKind int

// The kinds.
const (
	// TemplateMessage is 模板消息, to a follower of the account.
	TemplateMessage NoticeKind = iota + 1
	// SubscriptionNotice is 订阅通知, to a user who agreed: once for a one-time
	// template, for good for the long-term ones that hospitals qualify for.
	SubscriptionNotice
)

const (
	maxNoticeFields = 10 // the longest template of the library has seven
	maxNoticeURL    = 1024
	legacyLength    = 20 // characters that a phone shows of a field whose name tells no kind, such as keyword1
)

// MiniProgram is where a tap leads in place of a page.
type MiniProgram struct {
	AppID string `json:"appid"`
	Page  string `json:"pagepath"`
}

// Notice is one service message: an appointment made, a report that is ready.
type Notice struct {
	Kind     NoticeKind
	To       OpenID
	Template string // template_id
	// Data are the values by the name of their field, such as "thing1". What the
	// platform would refuse, or cut, is refused before it is sent.
	Data map[string]string
	// Colors are those of the values of a template message, "#173177", by the name
	// of the field. Phones have shown all values in one color since 2023, but the
	// platform takes them. Optional.
	Colors map[string]string
	// URL is the page that a tap opens, and MiniProgram the mini program, which
	// wins where both are given. Both are optional.
	URL         string
	MiniProgram *MiniProgram
	// Key makes a template message bear repetition: it travels as client_msg_id,
	// under which the platform sends once in ten minutes. A subscription notice
	// has no such number.
	Key hospital.Key
}

// Validate checks the notice by the platform's rules for values. It returns
// Invalid with code bad_notice, and the detail names the field and never the
// value.
func (n Notice) Validate() error {
	bad := func(detail string) error {
		return &hospital.Error{Kind: hospital.Invalid, Op: "wechat.Notice", Code: "bad_notice", Detail: detail}
	}
	switch {
	case n.Kind != TemplateMessage && n.Kind != SubscriptionNotice:
		return bad("Kind: want TemplateMessage or SubscriptionNotice")
	case n.To == "":
		return bad("To: missing")
	case n.Template == "":
		return bad("Template: missing")
	case n.Key != "" && !n.Key.Valid():
		return bad("Key: not a key")
	case n.URL != "" && (!webAddress(n.URL) || len(n.URL) > maxNoticeURL):
		return bad("URL: want http:// or https:// and a host, at most 1024 bytes")
	case n.MiniProgram != nil && (n.MiniProgram.AppID == "" || n.MiniProgram.Page == ""):
		return bad("MiniProgram: want AppID and Page")
	case len(n.Data) == 0 || len(n.Data) > maxNoticeFields:
		return bad("Data: want 1 to 10 fields")
	}
	for _, name := range slices.Sorted(maps.Keys(n.Data)) {
		if why := checkValue(name, n.Data[name]); why != "" {
			return bad("Data." + strings.ToValidUTF8(name, "?") + ": " + why)
		}
	}
	if n.Kind == SubscriptionNotice && len(n.Colors) > 0 {
		return bad("Colors: only a template message has them")
	}
	for _, name := range slices.Sorted(maps.Keys(n.Colors)) {
		if _, there := n.Data[name]; !there || !colorRE.MatchString(n.Colors[name]) {
			return bad("Colors." + strings.ToValidUTF8(name, "?") + ": want #RRGGBB for a field of Data")
		}
	}
	return nil
}

// Sent is what the platform says of a notice it has accepted. Whether it
// arrived is told later, by a [TemplateSent] or [SubscriptionsSent] push.
type Sent struct {
	MsgID int64 // of a template message; 0 for a subscription notice
}

// Notify sends the notice. It returns Invalid with code bad_notice before
// anything is sent, and Rejected where the user cannot be reached this way:
// [ErrNotFollowing], [ErrNoConsent], see [Unreachable]. Indeterminate: the
// answer was lost, and the notice may be on its way. A template message with a
// Key is repeated by itself, and may be again under the same Key within ten
// minutes; do not repeat anything else.
// API: POST /cgi-bin/message/template/send, /cgi-bin/message/subscribe/bizsend.
func (c *Client) Notify(ctx context.Context, n Notice) (Sent, error) {
	if err := n.Validate(); err != nil {
		return Sent{}, err
	}
	type value struct {
		Value string `json:"value"`
		Color string `json:"color,omitempty"`
	}
	data := make(map[string]value, len(n.Data))
	known := []string{string(n.To)}
	for name, text := range n.Data {
		data[name] = value{text, n.Colors[name]}
		known = append(known, text)
	}
	send := call{op: "wechat.Notify", changes: true, personal: known}
	if n.Kind == SubscriptionNotice {
		send.path = "/cgi-bin/message/subscribe/bizsend"
		send.body = struct {
			To          OpenID           `json:"touser"`
			Template    string           `json:"template_id"`
			Page        string           `json:"page,omitempty"`
			MiniProgram *MiniProgram     `json:"miniprogram,omitempty"`
			Data        map[string]value `json:"data"`
		}{n.To, n.Template, n.URL, n.MiniProgram, data}
	} else {
		send.path, send.idempotent = "/cgi-bin/message/template/send", n.Key != ""
		send.body = struct {
			To          OpenID           `json:"touser"`
			Template    string           `json:"template_id"`
			URL         string           `json:"url,omitempty"`
			MiniProgram *MiniProgram     `json:"miniprogram,omitempty"`
			Data        map[string]value `json:"data"`
			Key         hospital.Key     `json:"client_msg_id,omitempty"`
		}{n.To, n.Template, n.URL, n.MiniProgram, data, n.Key}
	}
	answer, err := c.do(ctx, send)
	if err != nil {
		return Sent{}, err
	}
	id, err := integer(answer.Get("msgid"))
	if err != nil {
		return Sent{}, send.bad("msgid")
	}
	return Sent{MsgID: id}, nil
}

// rule is what the value of one kind of field may be.
type rule struct {
	longest int // characters
	form    *regexp.Regexp
	says    string
	days    bool // it names days, which must exist
}

const (
	clock = `(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?`
	day   = `\d{4}(?:年\d{1,2}月\d{1,2}日|-\d{1,2}-\d{1,2}|/\d{1,2}/\d{1,2})`
)

var (
	fieldRE     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
	numberRE    = regexp.MustCompile(`^-?\d+(?:\.\d+)?$`)
	letterRE    = regexp.MustCompile(`^[A-Za-z]+$`)
	symbolRE    = regexp.MustCompile(`^[^\p{L}\p{N}\s]+$`)
	printableRE = regexp.MustCompile(`^[\x20-\x7e]+$`)
	timeRE      = regexp.MustCompile(`^(?:` + day + ` ?)?` + clock + `(?:~(?:` + day + ` ?)?` + clock + `)?$`)
	dateRE      = regexp.MustCompile(`^` + day + `(?: ?` + clock + `)?(?:~` + day + `(?: ?` + clock + `)?)?$`)
	amountRE    = regexp.MustCompile(`^\p{Sc}?\d{1,10}(?:\.\d{1,2})?元?$`)
	phoneRE     = regexp.MustCompile(`^[\d+\-() ]+$`)
	carRE       = regexp.MustCompile(`^\p{Han}?[A-Z0-9]{5,7}\p{Han}?$`)
	nameRE      = regexp.MustCompile(`^(?:[\p{Han}·]{1,10}|[A-Za-z .·'-]{1,20})$`)
	phraseRE    = regexp.MustCompile(`^\p{Han}+$`)
	dayRE       = regexp.MustCompile(`(\d{4})[年/-](\d{1,2})[月/-](\d{1,2})`)
)

// ruleOf returns the rule of a field by the kind in its name: thing in thing1.
// Source: 订阅消息参数值内容限制说明 of the platform's documentation.
func ruleOf(name string) rule {
	kind := strings.TrimRight(name, "0123456789")
	if kind == name {
		kind = ""
	}
	switch kind {
	case "thing":
		return rule{longest: 20, says: "at most 20 characters"}
	case "short_thing":
		return rule{longest: 10, says: "at most 10 characters"}
	case "const":
		return rule{longest: 20, says: "at most 20 characters"}
	case "number":
		return rule{longest: 32, form: numberRE, says: "at most 32 digits"}
	case "letter":
		return rule{longest: 32, form: letterRE, says: "at most 32 letters"}
	case "symbol":
		return rule{longest: 5, form: symbolRE, says: "at most 5 symbols"}
	case "character_string":
		return rule{longest: 32, form: printableRE, says: "at most 32 digits, letters and symbols, none Chinese"}
	case "time":
		return rule{longest: 60, form: timeRE, says: "a time such as 15:01 or 2026年11月24日 15:01, or two with ~ between", days: true}
	case "date":
		return rule{longest: 60, form: dateRE, says: "a date such as 2026年11月24日, with or without 15:01, or two with ~ between", days: true}
	case "amount":
		return rule{longest: 15, form: amountRE, says: "a currency sign, at most 10 digits, decimals, 元"}
	case "phone_number":
		return rule{longest: 17, form: phoneRE, says: "at most 17 digits and signs"}
	case "car_number":
		return rule{longest: 8, form: carRE, says: "at most 8 characters of a number plate"}
	case "name":
		return rule{longest: 20, form: nameRE, says: "at most 10 Chinese characters or 20 letters"}
	case "phrase":
		return rule{longest: 5, form: phraseRE, says: "at most 5 Chinese characters"}
	}
	return rule{longest: legacyLength, says: "at most 20 characters: the phone shows no more"}
}

// checkValue says what is wrong with a field, "" for nothing.
func checkValue(name, value string) string {
	if name == "first" || name == "remark" {
		return "no phone shows it since May 2023"
	}
	if !fieldRE.MatchString(name) {
		return "want a name such as thing1"
	}
	rule := ruleOf(name)
	switch {
	case strings.TrimSpace(value) == "":
		return "empty"
	case !utf8.ValidString(value), strings.ContainsFunc(value, unicode.IsControl):
		return "line breaks, control characters or broken UTF-8"
	case utf8.RuneCountInString(value) > rule.longest, rule.form != nil && !rule.form.MatchString(value):
		return "want " + rule.says
	case rule.days:
		return checkDays(value)
	}
	return ""
}

// checkDays refuses a day that no calendar has, such as 31 June.
func checkDays(value string) string {
	for _, found := range dayRE.FindAllStringSubmatch(value, -1) {
		if _, err := time.Parse("2006-1-2", strings.Join(found[1:], "-")); err != nil {
			return "no such day"
		}
	}
	return ""
}
