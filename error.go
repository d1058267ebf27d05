package hospital

import (
	"errors"
	"strings"
)

// Kind says what the caller of a failed operation may do next.
type Kind int

// The kinds of failure. The zero Kind is Internal, so that an error built
// without a kind is never taken for a harmless one.
const (
	Internal      Kind = iota // a defect or a broken store: nothing is known, tell an operator
	Invalid                   // the request is malformed; the same request fails again
	Denied                    // the actor may not do this
	NotFound                  // it does not exist, or not for this actor: both answer alike
	Conflict                  // the state moved on: read again, then decide
	Rejected                  // the far side refused for a business reason; definite
	Unavailable               // the far side was not reached: certainly not applied, safe to repeat
	Indeterminate             // the answer was lost: may have been applied, ask by key first
)

// String returns the kind's name in snake case, as it stands in logs.
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case Denied:
		return "denied"
	case NotFound:
		return "not_found"
	case Conflict:
		return "conflict"
	case Rejected:
		return "rejected"
	case Unavailable:
		return "unavailable"
	case Indeterminate:
		return "indeterminate"
	case Internal:
	}
	return "internal"
}

// Error is the one error type of this module. Op, Code, Detail and Err are for
// the operator and never carry a name, an identity number, an openid or a
// token; Message alone is for the patient.
type Error struct {
	Kind    Kind
	Op      string // where: "booking.Book"
	Code    string // ours in snake case ("slot_taken") or the remote's own, verbatim ("NOTENOUGH")
	Message string // 给患者看的话: Simplified Chinese, with the next step
	Detail  string // for the operator: the field, the bound, the remote's words
	Err     error
}

// Error renders the operator's view in one line. Message is left out: it is
// for patients and repeats what Code says.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteString(": ")
	}
	b.WriteString(e.Kind.String())
	if e.Code != "" {
		b.WriteString(" [")
		b.WriteString(e.Code)
		b.WriteByte(']')
	}
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an [*Error] with the same Kind and, where
// target names one, the same Code. So a sentinel such as booking.ErrSlotTaken
// matches every error that carries its code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && (t.Code == "" || t.Code == e.Code)
}

// KindOf returns the kind of the outermost [*Error] in err's chain. An error
// that carries none is Internal; nil has no kind, so ask only about failures.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// CodeOf returns the first code in err's chain, "" if there is none.
func CodeOf(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Code != "" {
			return e.Code
		}
		err = e.Err
	}
	return ""
}

// MessageFor returns what a patient may read about err: the first Message in
// its chain, otherwise a kind sentence for its Kind. It never returns a word
// from Op, Code, Detail or Err.
func MessageFor(err error) string {
	for at := err; at != nil; {
		e, ok := errors.AsType[*Error](at)
		if !ok {
			break
		}
		if e.Message != "" {
			return e.Message
		}
		at = e.Err
	}
	switch KindOf(err) {
	case Invalid:
		return "填写的内容有误，请检查后重新提交。"
	case Denied:
		return "您没有进行此操作的权限，如有疑问请联系医院服务台。"
	case NotFound:
		return "没有找到相关内容，请返回后重试。"
	case Conflict:
		return "信息刚刚发生了变化，请刷新后重试。"
	case Rejected:
		return "医院系统未能受理，请稍后重试或到服务台咨询。"
	case Unavailable:
		return "医院系统暂时繁忙，请稍后重试。"
	case Indeterminate:
		return "正在与医院系统核实，请稍后查看结果，不要重复操作。"
	case Internal:
	}
	return "系统出了点问题，请稍后重试；如仍有问题请联系医院服务台。"
}
