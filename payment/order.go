package payment

import (
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// Order is 订单: what is owed for one purpose, and everything that happened to
// it. It is read and saved as a whole, under one Version.
type Order struct {
	ID      string // ours, hospital.NewID("o", …): trade numbers derive from it
	Version int64  // grows with every save and every lease
	Holder  string // the lease under which this copy was handed out; it lives with the copy, not in the store
	Charge  hospital.Charge
	State   State
	Reason  string // why it stands there: "expired", "paid_after_close"; "" when the name says it

	// Live orders claim their purpose; a purpose has one. It ends when the order
	// is closed or its money goes back, and never begins again.
	Live bool

	Opened  time.Time
	Changed time.Time // of State
	PaidBy  TradeNo   // the attempt whose money is delivered; "" before the payment
	PaidAt  time.Time // as the channel says

	Held   hospital.Fen // in patient_suspense: taken, neither delivered nor on its way back
	Owed   hospital.Fen // in refund_payable: on its way back
	Causes []string     // why a refund was asked for, each cause once, the first first

	Tries int       // calls made for the delivery or withdrawal under way
	Until time.Time // when that becomes a case of its own
	Next  time.Time // when the order itself has something to do, zero: nothing
	Due   time.Time // the earliest Next of the order, its attempts and its refunds

	Attempts []Attempt // oldest first
	Refunds  []Refund  // oldest first
	Cases    []Case    // what a person must look at, or has looked at
}

// State is where an order stands. Each …ing is an intent: it is committed
// before the call it announces.
type State string

// The states of an order.
const (
	Quoted      State = "quoted"      // 待支付: the amount is known, nobody tried to pay
	Payable     State = "payable"     // 支付中: somebody was given a pay sheet
	Closing     State = "closing"     // 关单中: no new attempt, the open ones are being closed
	Closed      State = "closed"      // 已关闭: nobody can pay any more
	Paid        State = "paid"        // 已支付: the channel has the money
	Delivering  State = "delivering"  // 入账中: whoever asked for the money is being told
	Withdrawing State = "withdrawing" // 撤销中: a delivery of unknown outcome is being undone
	Delivered   State = "delivered"   // 已入账: the purpose is served
	RefundDue   State = "refund_due"  // 待退款
	Refunding   State = "refunding"   // 退款中
	Refunded    State = "refunded"    // 已退款
	Manual      State = "manual"      // 人工处理: see the order's open cases
)

// edges are the legal moves of an order. Before a payment an order may move
// between the first four; once money came it never returns there: from paid on
// it goes forward to delivered or refunded, with manual as a stop on the way.
//
//nolint:gochecknoglobals // an immutable table
var edges = map[State][]State{
	Quoted:      {Payable, Closed},
	Payable:     {Closing, Closed, Paid, Manual},
	Closing:     {Closed, Paid, Manual},
	Closed:      {RefundDue}, // a payment that came too late
	Paid:        {Delivering, RefundDue},
	Delivering:  {Delivered, Withdrawing, RefundDue},
	Withdrawing: {Delivered, RefundDue, Manual},
	Delivered:   {RefundDue},
	RefundDue:   {Refunding, Refunded, Manual},
	Refunding:   {Refunded, Manual},
	Refunded:    {},
	Manual:      {Paid, Closed, Withdrawing, Delivered, RefundDue, Refunded},
}

// States lists the states in the order of an order's life.
func States() []State {
	return []State{
		Quoted, Payable, Closing, Closed, Paid, Delivering, Withdrawing, Delivered,
		RefundDue, Refunding, Refunded, Manual,
	}
}

// To reports whether an order may move from s to t. Staying is always allowed.
func (s State) To(t State) bool {
	return s == t || slices.Contains(edges[s], t)
}

// Terminal reports whether nothing more is expected to happen. A payment that
// comes late still moves a terminal order, because money is never ignored.
func (s State) Terminal() bool {
	return s == Closed || s == Delivered || s == Refunded
}

// Open reports whether the order can still be paid.
func (s State) Open() bool { return s == Quoted || s == Payable }

// Receipt is our proof of the payment, the same on every delivery.
func (o Order) Receipt() string { return o.ID }

// Attempt returns the attempt with the trade number.
func (o Order) Attempt(no TradeNo) (Attempt, bool) {
	for _, a := range o.Attempts {
		if a.TradeNo == no {
			return a, true
		}
	}
	return Attempt{}, false
}

// Refund returns the refund with the number.
func (o Order) Refund(no RefundNo) (Refund, bool) {
	for _, r := range o.Refunds {
		if r.No == no {
			return r, true
		}
	}
	return Refund{}, false
}

// OpenCases lists what still waits for a person.
func (o Order) OpenCases() []Case {
	var open []Case
	for _, c := range o.Cases {
		if c.Open() {
			open = append(open, c)
		}
	}
	return open
}

// settled reports whether no attempt can bring money any more, as far as we
// know.
func (o Order) settled() bool {
	return !slices.ContainsFunc(o.Attempts, func(a Attempt) bool {
		return a.State == AttemptOpen || a.State == AttemptClosing
	})
}

// due is the earliest instant at which something has to be done.
func (o Order) due() time.Time {
	due := o.Next
	for _, a := range o.Attempts {
		due = earlier(due, a.Next)
	}
	for _, r := range o.Refunds {
		due = earlier(due, r.Next)
	}
	return due
}

// Clone returns a copy that shares no slice with o but the bytes of requests,
// which nobody changes.
func (o Order) Clone() Order {
	o.Causes = slices.Clone(o.Causes)
	o.Attempts = slices.Clone(o.Attempts)
	o.Refunds = slices.Clone(o.Refunds)
	o.Cases = slices.Clone(o.Cases)
	return o
}

// earlier returns the earlier of two instants; zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// reached reports whether the instant has come; zero never comes.
func reached(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }
