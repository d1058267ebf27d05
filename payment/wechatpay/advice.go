package wechatpay

import (
	"errors"

	"github.com/wxhospital/hospital"
)

// Repeat says whether a refused call may be made again.
type Repeat string

// How a refused call may be repeated. Whatever is repeated keeps its number
// and its bytes.
const (
	RepeatNever Repeat = "never" // the same call is refused again
	RepeatLater Repeat = "later" // the same call may succeed, after a pause or once somebody acted
	RepeatAsked Repeat = "asked" // query by number first: it may have happened
)

// Advice is what an error code of WeChat Pay means to us.
type Advice struct {
	// Kind is what the code means in general. A call may know better: of a call
	// that only asks, Indeterminate becomes Unavailable, and a refund is Rejected
	// where another call would see a Conflict. The error has the call's own Kind.
	Kind   hospital.Kind
	Repeat Repeat
	Next   string // the operator's next step
}

// advices are WeChat Pay's own, for the calls of a direct merchant. A refund
// that meets Conflict or NotFound is Rejected: see [call.kind]. Codes that
// older pages spell without underscores stand in both spellings.
//
// Source: WeChat Pay API v3, the error tables of JSAPI prepay, query, close and
// refund.
//
//nolint:gochecknoglobals // an immutable table
var advices = map[string]Advice{
	"PARAM_ERROR":           {hospital.Invalid, RepeatNever, "correct the field that the detail names"},
	"INVALID_REQUEST":       {hospital.Rejected, RepeatNever, "the request breaks a rule, or differs from the first one under its number: compare them"},
	"APPID_MCHID_NOT_MATCH": {hospital.Denied, RepeatLater, "bind the appid to the merchant number at the merchant platform"},
	"MCH_NOT_EXISTS":        {hospital.Denied, RepeatLater, "check Config.MerchantID"},
	"NO_AUTH":               {hospital.Denied, RepeatLater, "apply for the product at the merchant platform"},
	"SIGN_ERROR":            {hospital.Unavailable, RepeatLater, "check the merchant's key and its serial, and the host's clock"},
	"OUT_TRADE_NO_USED":     {hospital.Conflict, RepeatAsked, "query: take the payment if it is paid, else close the number and use another"},
	"ORDER_CLOSED":          {hospital.Conflict, RepeatNever, "use another number"},
	"ORDERCLOSED":           {hospital.Conflict, RepeatNever, "use another number"},
	"ORDER_PAID":            {hospital.Conflict, RepeatAsked, "query, and take the payment"},
	"ORDERPAID":             {hospital.Conflict, RepeatAsked, "query, and take the payment"},
	"TRADE_ERROR":           {hospital.Conflict, RepeatAsked, "query: the trade's state forbids it"},
	"RULE_LIMIT":            {hospital.Conflict, RepeatAsked, "query: the trade's state, or a limit of the merchant, forbids it"},
	"ORDER_NOT_EXIST":       {hospital.NotFound, RepeatLater, "nothing was created under this number"},
	"ORDERNOTEXIST":         {hospital.NotFound, RepeatLater, "nothing was created under this number"},
	"RESOURCE_NOT_EXISTS":   {hospital.NotFound, RepeatLater, "nothing was accepted under this number"},
	"NOT_ENOUGH":            {hospital.Rejected, RepeatLater, "top up the merchant account: the refund goes on under its number"},
	"NOTENOUGH":             {hospital.Rejected, RepeatLater, "top up the merchant account: the refund goes on under its number"},
	"USER_ACCOUNT_ABNORMAL": {hospital.Rejected, RepeatNever, "the payer's account is closed: return the money by hand"},
	"REQUEST_BLOCKED":       {hospital.Rejected, RepeatLater, "the merchant's right to do this is not enabled or was blocked: see the merchant platform"},
	"FREQUENCY_LIMITED":     {hospital.Unavailable, RepeatLater, "too many calls: wait; a refund may have been taken all the same: query it"},
	"RATELIMIT_EXCEEDED":    {hospital.Unavailable, RepeatLater, "too many calls: wait; a refund may have been taken all the same: query it"},
	"SYSTEM_ERROR":          {hospital.Indeterminate, RepeatAsked, "it may have happened: query, or the same number and bytes again"},
}

// AdviceOn returns what to do about an error of a [Channel], false when its
// code is none that we know.
func AdviceOn(err error) (Advice, bool) {
	for err != nil {
		e, ok := errors.AsType[*hospital.Error](err)
		if !ok {
			return Advice{}, false
		}
		if advice, known := advices[e.Code]; known {
			return advice, true
		}
		err = e.Err
	}
	return Advice{}, false
}
