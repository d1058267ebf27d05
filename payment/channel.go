package payment

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
)

// Currency is the only one a hospital's merchant account has.
const Currency = "CNY"

// Channel is 支付渠道, a far side that takes and returns money. Every call is
// safe to repeat under its number with the same content. Unavailable means the
// channel certainly did nothing, Indeterminate that it may have.
type Channel interface {
	// Prepay creates the trade, or finds it again, and returns what the payer's
	// phone needs. A repetition with the same attempt succeeds; one for a number
	// that is paid or closed is a Conflict; Rejected is the channel's definite no.
	Prepay(context.Context, Attempt) (Sheet, error)
	// Query tells what became of a trade, NotFound when the channel never saw it.
	Query(context.Context, TradeNo) (Trade, error)
	// Close makes sure nobody pays the trade any more. It returns Conflict when
	// it is paid and NotFound when the channel never saw it.
	Close(context.Context, TradeNo) error
	// Refund returns a payment, once per RefundNo. An answer means accepted; its
	// State says whether it is done. Rejected leaves the number usable.
	Refund(context.Context, Refund) (RefundStatus, error)
	// QueryRefund tells what became of a refund, NotFound when the channel never
	// accepted it.
	QueryRefund(context.Context, RefundNo) (RefundStatus, error)
}

// Composer is a Channel whose request depends on more than the attempt's
// fields, such as a notification address from its configuration. Its bytes are
// made once, stored with the attempt, and come back in Attempt.Request on
// every Prepay, so that a changed configuration cannot change a repetition.
type Composer interface {
	Compose(Attempt) ([]byte, error)
}

// Sheet is what the payer's phone needs to show 收银台, the pay sheet. It is
// made anew by every Prepay and stored nowhere.
type Sheet struct {
	TradeNo TradeNo
	Kind    string            // how to use it: "jsapi", "qr", "redirect"
	Params  map[string]string // the channel's own fields, signed where it wants that
	Expires time.Time         // when it stops working; the order may live longer
}

// Trade is 支付单, what the channel knows of an attempt.
type Trade struct {
	TradeNo       TradeNo
	State         TradeState
	Amount        hospital.Fen // the order's total, before the payer's coupons
	Currency      string
	TransactionID string
	PaidAt        time.Time
}

// TradeState is 交易状态 at the channel.
type TradeState string

// The states of a trade. Source: WeChat Pay API v3, trade_state.
const (
	TradeNotPaid  TradeState = "notpay"     // NOTPAY
	TradePaying   TradeState = "userpaying" // USERPAYING, ACCEPT
	TradePaid     TradeState = "success"    // SUCCESS
	TradeRefunded TradeState = "refund"     // REFUND: paid, and a refund was accepted since
	TradeClosed   TradeState = "closed"     // CLOSED, REVOKED, PAYERROR: nobody can pay it
)

// Paid reports whether money was taken.
func (s TradeState) Paid() bool { return s == TradePaid || s == TradeRefunded }

// RefundStatus is what the channel knows of a refund.
type RefundStatus struct {
	No       RefundNo
	TradeNo  TradeNo
	State    RefundProgress
	Amount   hospital.Fen
	Currency string
	RefundID string    // the channel's own number
	At       time.Time // when it was done
	Detail   string    // the channel's words, for the operator
}

// RefundProgress is 退款状态 at the channel.
type RefundProgress string

// The progress of a refund. Source: WeChat Pay API v3, refund status.
const (
	RefundSucceeded  RefundProgress = "success"    // SUCCESS
	RefundProcessing RefundProgress = "processing" // PROCESSING
	RefundClosed     RefundProgress = "closed"     // CLOSED: failed for good, a new number may try again
	RefundAbnormal   RefundProgress = "abnormal"   // ABNORMAL: the payer's account cannot take it
)
