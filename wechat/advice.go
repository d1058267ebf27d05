package wechat

import (
	"errors"

	"github.com/wxhospital/hospital"
)

// Advice is what the caller of a failed call may do next, see [AdviceOf].
type Advice string

// The advice.
const (
	AdviceRepeat     Advice = "repeat"      // the same call again, after a pause that grows
	AdviceNextMinute Advice = "next_minute" // the same call again, in a minute
	AdviceTomorrow   Advice = "tomorrow"    // the calls of the day are used up
	AdviceOperator   Advice = "operator"    // a person must change the account or the configuration
	AdviceCorrect    Advice = "correct"     // the request is wrong and fails again: a defect of the caller
	AdviceLogin      Advice = "login"       // a web login must begin anew
	AdviceOtherWay   Advice = "other_way"   // this user is not reached like this: take another way
	AdviceDone       Advice = "done"        // it was done before: go on
	AdviceFindOut    Advice = "find_out"    // it may have been done: find out, and repeat nothing before
	AdviceAsk        Advice = "ask"         // a code this package does not know: ask the platform's support, by the rid
)

// AdviceOf returns what the caller may do about an error of a [Client]. Where
// the call may have been applied, an earlier attempt of it included, that is
// [AdviceFindOut] whatever the platform said last. "" for an error in which the
// platform has said nothing.
func AdviceOf(err error) Advice {
	if hospital.KindOf(err) == hospital.Indeterminate {
		return AdviceFindOut
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal.advice()
	}
	return ""
}

func (r *Refusal) advice() Advice {
	switch r.Code {
	case 45011, 45066:
		return AdviceNextMinute
	case 48006, // the month's clearings of quotas are used up
		45026, 45029, 45056, 61456, 65405, 200012: // full: of templates, QR codes, tags, seats
		return AdviceOperator
	}
	switch r.Class {
	case ClassBusy, ClassToken:
		return AdviceRepeat
	case ClassQuota:
		return AdviceTomorrow
	case ClassConfig, ClassPermission:
		return AdviceOperator
	case ClassRequest:
		return AdviceCorrect
	case ClassOAuth:
		return AdviceLogin
	case ClassUser:
		return AdviceOtherWay
	case ClassRepeat:
		return AdviceDone
	case ClassUnknown:
	}
	return AdviceAsk
}

// message is what a patient may read about the refusal: nothing that blames
// them for what the hospital or the platform did. "" leaves it to the kind.
func (r *Refusal) message(kind hospital.Kind) string {
	if kind == hospital.Indeterminate {
		return "" // to be found out, not to be tried again
	}
	switch r.Code {
	case 43004, 43019:
		return "请先关注本公众号，再重新操作。"
	case 40226:
		return "微信没有允许这次登录，请联系医院服务台办理。"
	case 43101:
		return "您还没有同意接收这类通知，请在弹出的提示中选择“允许”。"
	}
	switch r.Class {
	case ClassBusy, ClassToken, ClassQuota:
		return "微信服务暂时繁忙，请稍后重试。"
	case ClassConfig, ClassPermission, ClassRequest, ClassUnknown:
		return "微信服务暂时不可用，请稍后重试；如仍有问题请联系医院服务台。"
	case ClassUser:
		return "这条消息无法通过微信送达，请联系医院服务台。"
	case ClassOAuth:
		return "登录已过期，请返回重新进入。"
	case ClassRepeat:
	}
	return ""
}
