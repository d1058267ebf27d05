package wechatpay

import "github.com/wxhospital/hospital"

// Why something that claims to come from WeChat Pay is not believed.
var (
	ErrBadHeader    = &hospital.Error{Kind: hospital.Denied, Code: "bad_header"}
	ErrStale        = &hospital.Error{Kind: hospital.Denied, Code: "stale"}          // outside five minutes of our clock
	ErrUnknownKey   = &hospital.Error{Kind: hospital.Denied, Code: "unknown_serial"} // signed with a key that we do not hold
	ErrBadSignature = &hospital.Error{Kind: hospital.Denied, Code: "bad_signature"}
	ErrNotOpened    = &hospital.Error{Kind: hospital.Denied, Code: "not_opened"} // the encrypted part does not open
	ErrMalformed    = &hospital.Error{Kind: hospital.Denied, Code: "malformed"}  // signed, and yet not what it should be
	// ErrUnknownEvent is for what was sent well and is none of ours: nothing that
	// we do not act on is acknowledged.
	ErrUnknownEvent = &hospital.Error{Kind: hospital.Denied, Code: "unknown_event"}
	ErrForeign      = &hospital.Error{Kind: hospital.Denied, Code: "foreign"} // for another merchant or account
)

// refusal returns a sentinel with the place and the reason.
func refusal(op string, sentinel *hospital.Error, detail string) error {
	e := *sentinel
	e.Op, e.Detail = op, detail
	return &e
}
