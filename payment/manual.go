package payment

import (
	"context"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// Case is 人工处理单: something about money that only a person can settle. It
// is visible from the commit in which it arises until a person, or a fact
// learnt late, closes it.
type Case struct {
	ID      string // "<subject>/<reason>": the same trouble is one case
	Order   string // "" when the channel told of a payment that is none of ours, and when the order cannot be read
	Subject string // the order, trade number or refund number it is about
	Reason  CaseReason
	Detail  string // for the operator, without personal data
	Opened  time.Time
	Closed  time.Time // zero while open
	Outcome Outcome
	Remark  string // the reason that staff gave
	By      hospital.Actor
}

// Open reports whether the case still waits.
func (c Case) Open() bool { return c.Closed.IsZero() }

// CaseReason says what is wrong.
type CaseReason string

// The reasons of a case.
const (
	CaseDeliveryUnknown CaseReason = "delivery_unknown" // neither Deliver nor Withdraw got an answer in time
	CaseAmountMismatch  CaseReason = "amount_mismatch"  // the channel tells another amount, currency or number
	CaseUnknownTrade    CaseReason = "unknown_trade"    // a payment or refund that we never asked for
	CaseRefundRefused   CaseReason = "refund_refused"   // a definite no; tried again by itself
	CaseRefundAbnormal  CaseReason = "refund_abnormal"  // the payer's account cannot take it
	CaseRefundClosed    CaseReason = "refund_closed"    // closed by the channel for good: GiveBack tries another number
	CaseRefundOverdue   CaseReason = "refund_overdue"   // under way for too long; still worked on
	CaseDeadNotice      CaseReason = "dead_notice"      // a notice that cannot be booked: what it told must be asked for
	CaseDefect          CaseReason = "defect"           // our program fails on the order; tried again slowly
	CaseUnreadable      CaseReason = "unreadable"       // a store cannot make an order of its rows; tried again slowly
	CaseCloseOverdue    CaseReason = "close_overdue"    // being closed for too long; still worked on
	CaseRefundMismatch  CaseReason = "refund_mismatch"  // the channel tells of another refund
	CaseNoChannel       CaseReason = "no_channel"       // an order names a channel that is not configured
)

// Outcome is how a case ended.
type Outcome string

// The outcomes of a case.
const (
	Learnt        Outcome = "learnt"           // nobody acted: a fact arrived
	WasDelivered  Outcome = "was_delivered"    // staff saw it at the far side: the purpose is served
	GiveBack      Outcome = "give_back"        // staff saw that it is not served: refund
	GivenByHand   Outcome = "refunded_by_hand" // staff returned the money, at the channel's console or in cash
	CloseUnpaid   Outcome = "close_unpaid"     // staff settled a payment that never entered the ledger: close the order
	NothingToMove Outcome = "dismissed"        // read, understood, no money moves
)

// Resolution is what staff decide about a case.
type Resolution struct {
	Case    string
	Outcome Outcome
	Reason  string // why, 1 to 200 characters; it stands in the audit trail
	Actor   hospital.Actor
}

// maxRemarkRunes bounds the reason that staff give.
const maxRemarkRunes = 200

// Manual lists what waits for a person, oldest first.
func (c *Cashier) Manual(ctx context.Context) ([]Case, error) {
	cases, err := c.store.Cases(ctx, maxList)
	if err != nil {
		return nil, wrap("payment.Manual", err)
	}
	return cases, nil
}

// Resolve settles a case as staff decided. It returns Denied for anybody else,
// NotFound, Invalid without a reason, and Conflict when the outcome does not
// fit where the money is.
func (c *Cashier) Resolve(ctx context.Context, r Resolution) error {
	const op = "payment.Resolve"
	if r.Actor.Kind != hospital.ActorStaff || r.Actor.ID == "" {
		return &hospital.Error{Kind: hospital.Denied, Op: op, Code: "not_staff"}
	}
	r.Reason = clean(r.Reason)
	if n := len([]rune(r.Reason)); n == 0 || n > maxRemarkRunes {
		return invalid(op, "no_reason", "a reason has 1 to 200 characters")
	}
	if !plain(r.Actor.ID) || !plainOrNone(string(r.Actor.Entry)) {
		return invalid(op, "bad_actor", "Actor")
	}
	if r.Case != clean(r.Case) {
		return fail(op, ErrNotFound, "no such case")
	}
	found, err := c.store.Case(ctx, r.Case)
	if err != nil {
		return wrap(op, err)
	}
	if !found.Open() {
		return fail(op, ErrCaseClosed, found.ID)
	}
	if found.Order == "" {
		return c.resolveOrphan(ctx, found, r)
	}
	o, err := c.store.Find(ctx, Ref{ID: found.Order})
	if err != nil {
		return wrap(op, err)
	}
	_, err = c.change(ctx, o, r.Actor, func(d *draft) error { return d.resolve(op, r) })
	if err != nil {
		return wrap(op, err)
	}
	c.hint()
	return nil
}

func (c *Cashier) resolveOrphan(ctx context.Context, found Case, r Resolution) error {
	const op = "payment.Resolve"
	if r.Outcome != NothingToMove {
		return fail(op, ErrWrongOutcome, "the case belongs to no order")
	}
	now := c.now()
	found.Closed, found.Outcome, found.Remark, found.By = now, r.Outcome, r.Reason, r.Actor
	err := c.store.Save(ctx, Change{Orphan: &found, Audit: []hospital.AuditEntry{{
		At: now, Actor: r.Actor, Purpose: r.Reason, Action: "case.resolve", Object: found.ID, Outcome: string(r.Outcome),
	}}})
	return wrap(op, err)
}

func (d *draft) resolve(op string, r Resolution) error {
	at := -1
	for i, c := range d.o.Cases {
		if c.ID == r.Case && c.Open() {
			at = i
		}
	}
	if at < 0 {
		return fail(op, ErrCaseClosed, r.Case)
	}
	wrong := func() error { return fail(op, ErrWrongOutcome, string(r.Outcome)+" when "+string(d.o.State)) }
	undecided := d.o.State == Manual && d.o.Held > 0 && d.o.Cases[at].Reason == CaseDeliveryUnknown
	switch r.Outcome {
	case WasDelivered:
		if !undecided || !d.o.Live {
			return wrong()
		}
		d.delivered()
	case GiveBack:
		refund, ok := d.o.Refund(RefundNo(d.o.Cases[at].Subject))
		switch {
		case ok && d.lastClosed(refund) && !d.waiting(CaseRefundMismatch, string(refund.No)) && d.anotherNumber(refund):
		case undecided:
			d.giveBack("staff_decision")
		default:
			return wrong()
		}
	case GivenByHand:
		refund, ok := d.o.Refund(RefundNo(d.o.Cases[at].Subject))
		if !ok || refund.State != RefundIsDue && refund.State != RefundIsAbnormal && !d.lastClosed(refund) {
			return wrong()
		}
		d.byHand(refund)
	case CloseUnpaid:
		if d.o.State != Manual || d.o.PaidBy != "" {
			return wrong()
		}
		for i := range d.o.Attempts { // staff looked at one; the others are closed as ever, or a phone could still pay
			switch a := &d.o.Attempts[i]; {
			case string(a.TradeNo) == d.o.Cases[at].Subject:
				d.ended(a, AttemptClosed)
			case a.State == AttemptOpen:
				d.closeAttempt(a)
			}
		}
		d.to(Closed, "staff_decision")
		d.event("order.closed")
	case NothingToMove:
		if d.holdsMoney(d.o.Cases[at]) {
			return wrong()
		}
	case Learnt:
		return wrong()
	default:
		return wrong()
	}
	d.end(&d.o.Cases[at], r.Outcome, r.Reason)
	d.change.Audit = append(d.change.Audit, hospital.AuditEntry{
		At: d.now, Actor: r.Actor, Purpose: r.Reason, Action: "case.resolve", Object: d.o.ID,
		Patient: d.o.Charge.Patient, Outcome: string(r.Outcome),
	})
	return nil
}

// holdsMoney reports whether money would lie still, or an order stand still,
// with nobody looking once the case were dismissed.
func (d *draft) holdsMoney(c Case) bool {
	refund, ok := d.o.Refund(RefundNo(c.Subject))
	switch {
	case c.Reason == CaseDeliveryUnknown && d.o.Held > 0, c.Reason == CaseRefundClosed && ok && d.lastClosed(refund):
		return true
	case len(d.o.OpenCases()) > 1:
		return false
	}
	return d.o.State == Manual || d.o.due().IsZero() && (d.o.Held > 0 || d.o.Owed > 0)
}

// lastClosed reports whether the channel gave the payment's last refund up.
func (d *draft) lastClosed(r Refund) bool {
	if r.State != RefundIsClosed {
		return false
	}
	for _, other := range d.o.Refunds {
		if other.TradeNo == r.TradeNo && other.State != RefundIsClosed {
			return false
		}
	}
	return true
}

// byHand books a refund that staff made. A refund that the channel closed
// stays closed, and one by hand takes its place.
func (d *draft) byHand(r Refund) {
	if r.State == RefundIsClosed {
		d.refund(d.attempt(r.TradeNo), r.Cause, len(d.o.Refunds)+1, time.Time{})
		r = d.o.Refunds[len(d.o.Refunds)-1]
	}
	row := d.refundRow(r.No)
	row.ByHand, row.Done = true, d.now
	d.refunded(row, ByHand(row.Channel))
}

// open makes something visible to people, once.
func (d *draft) open(reason CaseReason, subject, detail string) {
	detail = cleanText(detail, maxDetail)
	id := caseID(subject, reason)
	for i := range d.o.Cases {
		if c := &d.o.Cases[i]; c.ID == id {
			if !c.Open() {
				*c = Case{ID: id, Order: d.o.ID, Subject: subject, Reason: reason, Detail: detail, Opened: d.now}
				d.opened(reason)
			}
			return
		}
	}
	d.o.Cases = append(d.o.Cases, Case{ID: id, Order: d.o.ID, Subject: subject, Reason: reason, Detail: detail, Opened: d.now})
	d.opened(reason)
}

func (d *draft) opened(reason CaseReason) {
	d.event("order.manual")
	d.audit("case.open", string(reason))
}

// waiting reports whether a case of the subject is open.
func (d *draft) waiting(reason CaseReason, subject string) bool {
	return slices.ContainsFunc(d.o.Cases, func(c Case) bool { return c.ID == caseID(subject, reason) && c.Open() })
}

func caseID(subject string, reason CaseReason) string { return subject + "/" + string(reason) }

// settle closes a case because a fact arrived.
func (d *draft) settle(reason CaseReason, subject string) {
	for i := range d.o.Cases {
		if c := &d.o.Cases[i]; c.ID == caseID(subject, reason) && c.Open() {
			d.end(c, Learnt, "")
			d.audit("case.resolve", string(reason))
		}
	}
}

func (d *draft) end(c *Case, outcome Outcome, remark string) {
	c.Closed, c.Outcome, c.Remark, c.By = d.now, outcome, remark, d.actor
	d.dirty = true
}
