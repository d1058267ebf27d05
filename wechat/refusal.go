package wechat

import (
	"errors"
	"regexp"
	"strconv"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

// Class says whose business a refusal of the platform is.
type Class int

// The classes. The zero Class is a code this package does not know.
const (
	ClassUnknown    Class = iota
	ClassBusy             // the platform is busy: later
	ClassToken            // the access token is not taken
	ClassConfig           // app id, secret or allow list: an operator
	ClassPermission       // the account may not use the interface
	ClassQuota            // too many calls: later, or an operator
	ClassUser             // the user does not follow, refused, is out of time, is not let in, or not to be had so
	ClassRequest          // the request is wrong: a defect of the caller
	ClassOAuth            // a web login is void: log in again
	ClassRepeat           // it was done before, under the same number
)

// String returns the class's name in snake case.
func (c Class) String() string {
	switch c {
	case ClassBusy:
		return "busy"
	case ClassToken:
		return "token"
	case ClassConfig:
		return "config"
	case ClassPermission:
		return "permission"
	case ClassQuota:
		return "quota"
	case ClassUser:
		return "user"
	case ClassRequest:
		return "request"
	case ClassOAuth:
		return "oauth"
	case ClassRepeat:
		return "repeat"
	case ClassUnknown:
	}
	return "unknown"
}

// classOf sorts the platform's codes.
func classOf(code int) Class {
	switch code {
	case -1, 61450: // both are "system error"
		return ClassBusy
	case 40001, 40014, 41001, 42001:
		return ClassToken
	case 40002, 40013, 40125, 40164, 40243, 41002, 41004, 48017, 61004, 89501, 89503, 89506, 89507:
		return ClassConfig
	case 48001, 48004, 50001, 50002, 61007, 45109,
		65400, 200011: // no customer-service desk; an account that is blocked
		return ClassPermission
	case 45009, 45011, 45028, 48006:
		return ClassQuota
	case 40003, 43004, 43019, 43101, 45015, 45047, 46004, 48002, 50005,
		40226,                                    // 高风险等级用户, whom no login lets in
		61458, 61459, 65402, 65413, 65414, 65415: // not to be had through this seat at the desk
		return ClassUser
	case 40029, 40030, 40163, 41008, 42002, 42003:
		return ClassOAuth
	case 45065, 45066: // 45067, a clientmsgid that is too long, is a wrong request
		return ClassRepeat
	}
	switch {
	case code >= 40000 && code < 50000, // what is left of the 4xxxx is about the parameters
		code > 61450 && code < 61458,       // seats at the desk, in the older interfaces
		code > 65300 && code <= 65320,      // conditional menus
		code > 65400 && code <= 65417,      // seats and sessions at the desk
		code > 76000 && code <= 76022,      // rids and quotas
		code > 200011 && code <= 200021,    // subscription templates
		code >= 9410010 && code <= 9410012: // short keys
		return ClassRequest
	}
	return ClassUnknown
}

// kind says what the caller may do. A platform that is busy may have acted.
func (c Class) kind(changes bool) hospital.Kind {
	switch c {
	case ClassBusy:
		if changes {
			return hospital.Indeterminate
		}
		return hospital.Unavailable
	case ClassToken, ClassQuota:
		return hospital.Unavailable
	case ClassConfig:
		return hospital.Internal
	case ClassPermission, ClassOAuth:
		return hospital.Denied
	case ClassRequest:
		return hospital.Invalid
	case ClassRepeat:
		return hospital.Conflict
	case ClassUser, ClassUnknown:
	}
	return hospital.Rejected
}

// Refusal is what the platform said in place of an answer. It stands in the
// chain of every error that a code of the platform caused:
//
//	refusal, ok := errors.AsType[*wechat.Refusal](err)
type Refusal struct {
	Code  int // errcode, verbatim
	Class Class
	Words string // errmsg, without what identifies a person or opens a door
	RID   string // the request's number, for the platform's support
}

// Error returns the class, the words and the rid.
func (r *Refusal) Error() string {
	text := r.Class.String() + ": " + r.Words
	if r.RID != "" {
		text += " (rid " + r.RID + ")"
	}
	return text
}

// ClassOf returns the class of the refusal in err's chain, ClassUnknown if
// there is none.
func ClassOf(err error) Class {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal.Class
	}
	return ClassUnknown
}

// Refusals that callers ask for with [errors.Is].
var (
	// ErrNotFollowing: the user does not follow the account.
	ErrNotFollowing = &hospital.Error{Kind: hospital.Rejected, Code: "43004"}
	// ErrNoConsent: the user refused this notice, or has used up what was
	// agreed to.
	ErrNoConsent = &hospital.Error{Kind: hospital.Rejected, Code: "43101"}
	// ErrOutOfTime: the user has not been in touch for 48 hours, or the last tap
	// is too long ago.
	ErrOutOfTime = &hospital.Error{Kind: hospital.Rejected, Code: "45015"}
	// ErrNoMenu: the account has no menu.
	ErrNoMenu = &hospital.Error{Kind: hospital.NotFound, Code: "46003"}
)

// Unreachable reports whether the error says that the platform will not bring
// this message to this user, so that another way, such as a text message to
// the phone, must be taken. Repeating it would not help.
func Unreachable(err error) bool { return ClassOf(err) == ClassUser }

var ridRE = regexp.MustCompile(`\s*\brid: ?([0-9a-f]{8}(?:-[0-9a-f]{8}){2})\s*$`)

// newRefusal reads errcode and errmsg. Known values are taken out of the words.
func newRefusal(op string, code int, words string, changes bool, known ...string) *hospital.Error {
	refusal := &Refusal{Code: code, Class: classOf(code)}
	if found := ridRE.FindStringSubmatch(words); found != nil {
		refusal.RID = found[1]
		words = words[:len(words)-len(found[0])]
	}
	refusal.Words = remote.Redact(words, known...)
	kind := refusal.Class.kind(changes)
	switch code {
	case 46003: // no menu
		kind = hospital.NotFound
	case 45066: // too soon after the first under this number: this one was not applied
		kind = hospital.Unavailable
	}
	return &hospital.Error{Kind: kind, Op: op, Code: strconv.Itoa(code), Message: refusal.message(kind), Err: refusal}
}
