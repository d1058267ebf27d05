package wechattest

import (
	"context"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

// Event is something that the platform tells the account: its name as sent and
// its own fields in their order. For what [Follower] has a verb for, use the
// verb, which keeps the platform's rules; the functions below make the others.
type Event struct {
	Name   string  `json:"name"`
	Fields []Field `json:"fields,omitempty"`
	// Talks says that the user did it on the phone, waits for a reply and sees
	// when there is none.
	Talks bool `json:"talks,omitempty"`
}

// Field is one field of an event. A list is several of one name; JSON writes
// one alone as an object and several as an array.
type Field struct {
	Name   string  `json:"name"`
	Text   string  `json:"text,omitempty"`
	Number bool    `json:"number,omitempty"` // written bare
	Fields []Field `json:"fields,omitempty"` // below it, in place of Text
}

// maxEventDepth bounds how deep an event nests; the deepest known one has four
// levels.
const maxEventDepth = 8

// own turns fields into the platform's own.
func own(fields []Field, depth int) ([]field, error) {
	out := make([]field, 0, len(fields))
	for _, f := range fields {
		if !plainName(f.Name) || depth > maxEventDepth {
			return nil, verbError(hospital.Invalid, "Push", "bad_event", "a field without a plain name, or too deep")
		}
		one := field{Name: f.Name, Text: f.Text, Number: f.Number}
		if f.Number {
			if _, err := strconv.ParseInt(f.Text, 10, 64); err != nil {
				return nil, verbError(hospital.Invalid, "Push", "bad_event", "a number that is none: "+f.Name)
			}
		}
		if f.Fields != nil {
			var err error
			if one.Nested, err = own(f.Fields, depth+1); err != nil {
				return nil, err
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// plainName reports whether an element of XML may be called so.
func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// Push tells the account that the event happened to the person. It returns when
// the account's server has answered, or has failed to three times. Invalid: an
// event without a name, or with fields that no push can carry.
func (f *Follower) Push(ctx context.Context, e Event) error {
	fields, err := own(e.Fields, 1)
	if err == nil && e.Name == "" {
		err = verbError(hospital.Invalid, "Push", "bad_event", "no name")
	}
	if err != nil {
		return err
	}
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		return []string{t.pushEvent(u, e.Talks, e.Name, fields...)}, nil
	})
}

// systemOpenID is who speaks where the platform itself does.
const systemOpenID = "oSYSTEM000000000000000000000"

// Push tells the account something that the platform itself says, such as what
// became of its verification. Otherwise it is [Follower.Push].
func (p *Platform) Push(ctx context.Context, e Event) error {
	fields, err := own(e.Fields, 1)
	if err == nil && e.Name == "" {
		err = verbError(hospital.Invalid, "Push", "bad_event", "no name")
	}
	if err != nil {
		return err
	}
	id := ""
	err = p.act(func(t *turn) error {
		id = t.pushEvent(user{OpenID: systemOpenID}, false, e.Name, fields...)
		t.busy[id] = true // Run leaves it to us
		return nil
	})
	if err != nil {
		return err
	}
	return p.workMine(ctx, id)
}

func one(name, value string) Field { return Field{Name: name, Text: value} }

func count(name string, value int64) Field {
	return Field{Name: name, Text: decimal(value), Number: true}
}

// MassSendJobFinish is what became of a mass message: "send success", "send
// fail" or "err(10001)", and how many got it and did not.
func MassSendJobFinish(msgID int64, status string, sent, failed int) Event {
	total := int64(sent + failed)
	nothing := []Field{count("Count", 0), {Name: "ResultList", Fields: []Field{}}}
	return Event{Name: "MASSSENDJOBFINISH", Fields: []Field{
		count("MsgID", msgID), one("Status", status), count("TotalCount", total), count("FilterCount", total),
		count("SentCount", int64(sent)), count("ErrorCount", int64(failed)),
		{Name: "CopyrightCheckResult", Fields: append(nothing, count("CheckState", 0))},
		{Name: "ArticleUrlResult", Fields: nothing},
	}}
}

// PublishJobFinish is what became of a publication: [wechat.PublishDone] with the
// addresses of its articles, or another status with the positions of those that
// were refused.
func PublishJobFinish(publishID string, status wechat.PublishStatus, articleID string, addresses []string, refused ...int) Event {
	info := []Field{one("publish_id", publishID), count("publish_status", int64(status))}
	if status == wechat.PublishDone {
		detail := []Field{count("count", int64(len(addresses)))}
		for i, address := range addresses {
			detail = append(detail, Field{Name: "item", Fields: []Field{count("idx", int64(i+1)), one("article_url", address)}})
		}
		info = append(info, one("article_id", articleID), Field{Name: "article_detail", Fields: detail})
	}
	for _, index := range refused {
		info = append(info, count("fail_idx", int64(index)))
	}
	return Event{Name: "PUBLISHJOBFINISH", Fields: []Field{{Name: "PublishEventInfo", Fields: info}}}
}

// KfCreateSession says that somebody at the customer-service desk
// ("test1@account") took up the person's conversation.
func KfCreateSession(account string) Event {
	return Event{Name: "kf_create_session", Fields: []Field{one("KfAccount", account)}}
}

// KfCloseSession says that the conversation ended.
func KfCloseSession(account string) Event {
	return Event{Name: "kf_close_session", Fields: []Field{one("KfAccount", account)}}
}

// KfSwitchSession says that the conversation went from one to another.
func KfSwitchSession(from, to string) Event {
	return Event{Name: "kf_switch_session", Fields: []Field{one("FromKfAccount", from), one("ToKfAccount", to)}}
}

// UserInfoModified says that the platform cleaned the person's name or picture.
// [Platform.Push] sends it, like the two below.
func UserInfoModified(appID, openID, what string) Event {
	return Event{Name: "user_info_modified", Fields: []Field{one("OpenID", openID), one("AppID", appID), one("RevokeInfo", what)}}
}

// UserAuthorizationRevoke says that the person took a permission back; what is
// its number, "201" for the address.
func UserAuthorizationRevoke(appID, openID, what string) Event {
	return Event{Name: "user_authorization_revoke", Fields: []Field{one("OpenID", openID), one("AppID", appID), one("RevokeInfo", what)}}
}

// UserAuthorizationCancellation says that the person closed their WeChat account.
func UserAuthorizationCancellation(appID, openID string) Event {
	return Event{Name: "user_authorization_cancellation", Fields: []Field{one("OpenID", openID), one("AppID", appID)}}
}

// QualificationVerifySuccess says that the account's qualification is verified
// until then.
func QualificationVerifySuccess(until time.Time) Event {
	return Event{Name: "qualification_verify_success", Fields: []Field{count("ExpiredTime", until.Unix())}}
}

// QualificationVerifyFail says that it is not.
func QualificationVerifyFail(at time.Time, reason string) Event {
	return Event{Name: "qualification_verify_fail", Fields: []Field{count("FailTime", at.Unix()), one("FailReason", reason)}}
}

// NamingVerifySuccess says that the account's name is verified until then.
func NamingVerifySuccess(until time.Time) Event {
	return Event{Name: "naming_verify_success", Fields: []Field{count("ExpiredTime", until.Unix())}}
}

// NamingVerifyFail says that it is not.
func NamingVerifyFail(at time.Time, reason string) Event {
	return Event{Name: "naming_verify_fail", Fields: []Field{count("FailTime", at.Unix()), one("FailReason", reason)}}
}

// AnnualRenew reminds that the verification ends then.
func AnnualRenew(until time.Time) Event {
	return Event{Name: "annual_renew", Fields: []Field{count("ExpiredTime", until.Unix())}}
}

// VerifyExpired says that it has ended, and the interfaces with it.
func VerifyExpired(at time.Time) Event {
	return Event{Name: "verify_expired", Fields: []Field{count("ExpiredTime", at.Unix())}}
}
