package wechat

import "github.com/wxhospital/hospital"

// Advice is what the caller of a refused call may do next. Whether the call was
// applied is the error's Kind to say; after Indeterminate no advice makes a
// repetition safe.
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
	AdviceAsk        Advice = "ask"         // a code this package does not know: ask the platform's support, by the rid
)

// Advice returns what the caller may do about the refusal.
func (r *Refusal) Advice() Advice {
	switch r.Code {
	case 45011, 45066:
		return AdviceNextMinute
	case 48006: // the month's clearings of quotas are used up
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
