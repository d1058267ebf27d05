package payment

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
)

// RefundNo is 商户退款单号, our number of one refund at the channel
// (out_refund_no). One number refunds once; a repetition keeps it.
type RefundNo string

// refundNo derives the number of a trade's n-th refund, n from 1. A second one
// exists only after the channel closed the first for good and staff decided
// what to do about it.
func refundNo(trade TradeNo, n int) RefundNo {
	return RefundNo(string(trade) + "-r" + strconv.Itoa(n))
}

// Refund is 退款: a payment going back, whole. A trade has at most one refund
// that is not closed.
type Refund struct {
	No            RefundNo
	TradeNo       TradeNo
	TransactionID string
	Channel       string
	Amount        hospital.Fen // what goes back
	Total         hospital.Fen // what was paid; channels want to hear it again
	Cause         string       // ours: "cancelled", "paid_after_close"
	State         RefundState
	Created       time.Time
	Sent          time.Time // when Refund was last about to be called
	Tries         int       // calls and queries in the present state
	Next          time.Time // when to call or ask again, zero: no need
	RefundID      string    // the channel's own number
	Done          time.Time
	ByHand        bool // staff returned the money outside the channel's interface
}

// RefundState is where a refund stands.
type RefundState string

// The states of a refund.
const (
	RefundIsDue        RefundState = "due"        // not sent, or refused: certainly not under way
	RefundIsSent       RefundState = "sent"       // sent, or about to be: ask by number first
	RefundIsProcessing RefundState = "processing" // the channel works on it
	RefundIsAbnormal   RefundState = "abnormal"   // the payer's account cannot take it: a person must act
	RefundIsClosed     RefundState = "closed"     // failed for good
	RefundIsDone       RefundState = "refunded"   // the payer has the money
)

// ended reports whether the number is used up and never sent again.
func (s RefundState) ended() bool { return s == RefundIsClosed || s == RefundIsDone }

// refundEdges are the legal moves of a refund.
//
//nolint:gochecknoglobals // an immutable table
var refundEdges = map[RefundState][]RefundState{
	RefundIsDue:        {RefundIsSent, RefundIsProcessing, RefundIsAbnormal, RefundIsClosed, RefundIsDone},
	RefundIsSent:       {RefundIsDue, RefundIsProcessing, RefundIsAbnormal, RefundIsClosed, RefundIsDone},
	RefundIsProcessing: {RefundIsSent, RefundIsAbnormal, RefundIsClosed, RefundIsDone},
	RefundIsAbnormal:   {RefundIsSent, RefundIsClosed, RefundIsDone},
	RefundIsClosed:     {},
	RefundIsDone:       {},
}

// maxCauseRunes bounds a cause. Channels show up to 80 characters of it.
const maxCauseRunes = 64

// maxCauses bounds how many causes one order remembers; more say nothing new.
const maxCauses = 16

// Refund returns the money of a charge. Nil means that it is on its way or
// back already: an order is refunded whole and once, however many causes ask.
// A delivery under way is withdrawn first. It returns Conflict when the charge
// is not paid, as far as we know; who is not sure closes it first.
func (c *Cashier) Refund(ctx context.Context, charge hospital.Key, cause string) error {
	const op = "payment.Refund"
	if cause == "" || len([]rune(cause)) > maxCauseRunes || cause != clean(cause) {
		return invalid(op, "bad_cause", "a cause has 1 to 64 characters of plain text")
	}
	o, err := c.find(ctx, charge)
	switch {
	case errors.Is(err, ErrNotFound):
		return fail(op, ErrNotPaid, "no such order")
	case err != nil:
		return wrap(op, err)
	}
	_, err = c.change(ctx, o, c.self, func(d *draft) error {
		if d.o.PaidBy == "" && len(d.o.Refunds) == 0 {
			return fail(op, ErrNotPaid, string(d.o.State))
		}
		if d.remember(cause) {
			d.audit("order.refund", cause)
		}
		switch d.o.State {
		case Paid, Delivered:
			d.giveBack(cause)
		case Delivering:
			d.withdraw(cause)
		case Manual:
			if d.o.Held > 0 {
				d.withdraw(cause)
			}
		case Quoted, Payable, Closing, Closed, Withdrawing, RefundDue, Refunding, Refunded:
		}
		return nil
	})
	if err != nil {
		return wrap(op, err)
	}
	c.hint()
	return nil
}

// remember notes why a refund was asked for and reports whether that is new.
func (d *draft) remember(cause string) bool {
	if slices.Contains(d.o.Causes, cause) || len(d.o.Causes) >= maxCauses {
		return false
	}
	d.o.Causes = append(d.o.Causes, cause)
	d.dirty = true
	return true
}

// giveBack makes the order's own payment due for refund: out of suspense, or
// out of revenue when it was delivered.
func (d *draft) giveBack(cause string) {
	from := Suspense(d.o.ID)
	if d.o.State == Delivered {
		from = Revenue(d.o.Charge.Purpose.Kind)
	}
	d.remember(cause)
	d.to(RefundDue, cause)
	d.owe(d.attempt(d.o.PaidBy), cause, from)
}

// owe writes the refund of a paid attempt as an intent.
func (d *draft) owe(a *Attempt, cause string, from Account) {
	d.post(string(a.TradeNo)+"/refund_due", Entry{from, a.Amount}, Entry{Payback(d.o.ID), -a.Amount})
	d.refund(a, cause, 1, d.now)
}

func (d *draft) refund(a *Attempt, cause string, n int, next time.Time) {
	d.o.Refunds = append(d.o.Refunds, Refund{
		No: refundNo(a.TradeNo, n), TradeNo: a.TradeNo, TransactionID: a.TransactionID, Channel: a.Channel,
		Amount: a.Amount, Total: a.Amount, Cause: cause, State: RefundIsDue, Created: d.now, Next: next,
	})
	d.dirty = true
}

// stepRefund moves one refund on: the intent, the call, the fact. A refund
// whose call may have arrived is asked for by number before it is sent again.
func (c *Cashier) stepRefund(ctx context.Context, o Order, no RefundNo) (Order, error) {
	channel := c.channels[mustRefund(o, no).Channel]
	if channel == nil {
		return c.learn(ctx, o, func(d *draft) error {
			r := d.refundRow(no)
			d.postpone(r, c.slow)
			d.open(CaseNoChannel, string(no), "no channel "+r.Channel+" is configured")
			return nil
		})
	}
	if r := mustRefund(o, no); r.State == RefundIsDue && o.disputed(r.TradeNo) {
		return c.learn(ctx, o, func(d *draft) error { // a person looks first: the money may be back already
			d.postpone(d.refundRow(no), c.slow)
			return nil
		})
	}
	ask := mustRefund(o, no).State != RefundIsDue
	o, err := c.decide(ctx, o, func(d *draft) {
		r := d.refundRow(no)
		if r.State == RefundIsDue {
			r.State = RefundIsSent
			d.audit("refund.send", r.Cause)
		}
		if d.o.State == RefundDue {
			d.to(Refunding, d.o.Reason)
		}
		r.Tries++
		r.Sent = d.now
		r.Next = d.now.Add(backoff(r.Tries, refundPoll, refundPollMax))
		d.dirty = true
	})
	if err != nil {
		return o, err
	}
	status, err := c.callRefund(ctx, channel, mustRefund(o, no), ask)
	return c.learn(ctx, o, func(d *draft) error {
		if err != nil {
			d.refundFailed(no, err)
		} else {
			d.learnRefund(no, status)
		}
		d.overdueRefund(no)
		return nil
	})
}

// disputed reports whether a person has yet to say what became of a refund of
// the trade.
func (o Order) disputed(no TradeNo) bool {
	return slices.ContainsFunc(o.Cases, func(c Case) bool {
		r, ok := o.Refund(RefundNo(c.Subject))
		return ok && r.TradeNo == no && c.Reason == CaseRefundMismatch && c.Open()
	})
}

func mustRefund(o Order, no RefundNo) Refund {
	r, ok := o.Refund(no)
	if !ok {
		panic("payment: refund " + string(no) + " vanished from its order")
	}
	return r
}

func (c *Cashier) callRefund(ctx context.Context, channel Channel, r Refund, ask bool) (RefundStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, c.call)
	defer cancel()
	if ask {
		status, err := channel.QueryRefund(ctx, r.No)
		if err == nil {
			return status, nil
		}
		if hospital.KindOf(err) != hospital.NotFound { // whatever a query is refused for, the refund may be under way
			return status, &hospital.Error{Kind: hospital.Indeterminate, Op: "payment.QueryRefund", Err: err}
		}
	}
	status, err := channel.Refund(ctx, r)
	return status, wrap("payment.Refund", err)
}

// refundFailed books a call that brought no status. A definite no makes the
// refund visible and tries again later under the same number: an empty
// merchant account fills up. Everything else is asked again.
func (d *draft) refundFailed(no RefundNo, err error) {
	r := d.refundRow(no)
	if r.State.ended() {
		return
	}
	d.postpone(r, backoff(r.Tries, refundPoll, refundPollMax))
	switch hospital.KindOf(err) {
	case hospital.Rejected, hospital.Invalid, hospital.Denied:
		if r.State == RefundIsSent {
			r.State = RefundIsDue
		}
		d.open(CaseRefundRefused, string(no), err.Error())
	case hospital.Internal, hospital.NotFound, hospital.Conflict, hospital.Unavailable, hospital.Indeterminate:
	}
	d.log("payment: refund has no answer", slog.String("refund_no", string(no)), slog.Any("error", err))
}

// learnRefund books what the channel says of a refund.
func (d *draft) learnRefund(no RefundNo, s RefundStatus) {
	r := d.refundRow(no)
	switch {
	case r.State == RefundIsDone:
		if r.ByHand && s.State == RefundSucceeded {
			d.open(CaseRefundMismatch, string(no), "refunded by hand and by the channel")
		}
		if !r.ByHand && (s.State == RefundClosed || s.State == RefundAbnormal) {
			d.open(CaseRefundMismatch, string(no), "the channel calls a refund failed that it had made")
		}
		return
	case r.State == RefundIsClosed:
		if s.State != RefundClosed {
			d.open(CaseRefundMismatch, string(no), "the channel revived a refund that it had closed")
		}
		return
	case s.flaw() != "":
		d.postpone(r, d.c.slow)
		d.open(CaseRefundMismatch, string(no), "the channel tells what cannot be: "+s.flaw())
		return
	case s.No != no || s.TradeNo != r.TradeNo || s.Amount != r.Amount || s.Currency != Currency:
		d.postpone(r, d.c.slow)
		d.open(CaseRefundMismatch, string(no), "the channel tells of another refund, amount or currency")
		return
	}
	if s.RefundID != "" {
		r.RefundID = s.RefundID
	}
	d.dirty = true
	switch s.State {
	case RefundSucceeded:
		if r.Done = s.At; s.At.IsZero() {
			r.Done = d.now
		}
		d.refunded(r, Receivable(r.Channel))
	case RefundClosed:
		d.refundClosed(r)
	case RefundAbnormal:
		if r.State != RefundIsAbnormal {
			d.setRefund(r, RefundIsAbnormal)
			d.audit("refund.abnormal", r.Cause)
		}
		r.Next = d.now.Add(d.c.slow)
		d.open(CaseRefundAbnormal, string(no), s.Detail)
		d.stuck("refund_abnormal")
	case RefundProcessing:
		if r.State != RefundIsProcessing && r.State != RefundIsAbnormal {
			d.setRefund(r, RefundIsProcessing)
		}
		r.Next = d.now.Add(backoff(r.Tries, refundPoll, refundPollMax))
	default:
		r.Next = d.now.Add(backoff(r.Tries, refundPoll, refundPollMax))
	}
}

func (d *draft) setRefund(r *Refund, s RefundState) {
	r.State, r.Tries = s, 0
	d.dirty = true
}

func (d *draft) postpone(r *Refund, by time.Duration) {
	if r.State.ended() {
		return
	}
	r.Next = d.now.Add(by)
	d.dirty = true
}

// refunded books that the payer has the money.
func (d *draft) refunded(r *Refund, from Account) {
	d.setRefund(r, RefundIsDone)
	r.Next = time.Time{}
	d.post(string(r.TradeNo)+"/refunded", Entry{Payback(d.o.ID), r.Amount}, Entry{from, -r.Amount})
	d.audit("refund.done", r.Cause)
	for _, reason := range []CaseReason{CaseRefundRefused, CaseRefundAbnormal, CaseNoChannel, CaseRefundClosed, CaseRefundOverdue} {
		d.settle(reason, string(r.No))
	}
	goingBack := d.o.State == RefundDue || d.o.State == Refunding || d.o.State == Manual && d.o.Held == 0
	switch {
	case goingBack && d.o.Owed == 0:
		d.to(Refunded, r.Cause)
		d.event("order.refunded")
	case r.TradeNo != d.o.PaidBy:
		d.event("order.excess_refunded")
	}
}

// refundClosed books that the channel gave a refund up for good. Whether
// another number is tried or the money goes back by hand, a person decides.
func (d *draft) refundClosed(r *Refund) {
	d.setRefund(r, RefundIsClosed)
	r.Next = time.Time{}
	d.audit("refund.closed", r.Cause)
	for _, reason := range []CaseReason{CaseRefundAbnormal, CaseRefundRefused, CaseRefundOverdue, CaseNoChannel} {
		d.settle(reason, string(r.No))
	}
	d.open(CaseRefundClosed, string(r.No), "the channel closed the refund for good")
	d.stuck("refund_closed")
}

// anotherNumber refunds a payment again whose last refund the channel closed.
// It reports false when too many numbers were closed already.
func (d *draft) anotherNumber(closed Refund) bool {
	n := 1
	for _, other := range d.o.Refunds {
		if other.TradeNo == closed.TradeNo {
			n++
		}
	}
	if n > maxRefundNumbers {
		return false
	}
	if d.o.State == Manual && d.o.Held == 0 { // not while the delivery of another payment is unknown
		d.to(RefundDue, closed.Cause)
	}
	d.refund(d.attempt(closed.TradeNo), closed.Cause, n, d.now.Add(refundGap))
	return true
}

// overdueRefund shows a refund that takes too long, and leaves it at work.
func (d *draft) overdueRefund(no RefundNo) {
	r := d.refundRow(no)
	bound := refundOverdue
	if r.State == RefundIsProcessing {
		bound = refundSlow
	}
	if !r.State.ended() && reached(r.Created.Add(bound), d.now) {
		d.open(CaseRefundOverdue, string(no), "under way since "+r.Created.In(hospital.CST).Format(time.DateTime)+", now "+string(r.State))
	}
}

// stuck moves an order whose refund needs a person to manual.
func (d *draft) stuck(why string) {
	if d.o.State == RefundDue || d.o.State == Refunding {
		d.to(Manual, why)
	}
}
