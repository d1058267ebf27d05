package payment

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/wxhospital/hospital"
)

// PayRequest asks for a pay sheet.
type PayRequest struct {
	Charge  hospital.Key
	Channel string // a name in Config.Channels
	Payer   Payer  // who pays, as the channel knows them; "" where it need not know
	Actor   hospital.Actor
}

// Pay returns the pay sheet of a charge. Whoever asks again, on whatever
// phone, gets the same trade: number, amount and bytes. Only another channel
// or payer makes another attempt, after the earlier one was certainly closed.
//
// It returns [ErrNotFound], [ErrClosed], [ErrExpired], [ErrPaid], [ErrTooMany]
// and Invalid for what the caller can see; [ErrNotKnown] while an earlier
// attempt cannot be closed, and the channel's own Rejected, Unavailable and
// Indeterminate. After the last two the same call may simply be repeated.
func (c *Cashier) Pay(ctx context.Context, req PayRequest) (Sheet, error) {
	const op = "payment.Pay"
	channel := c.channels[req.Channel]
	if channel == nil {
		return Sheet{}, invalid(op, "no_channel", "Channel "+req.Channel)
	}
	switch {
	case len(req.Payer) > maxPayer:
		return Sheet{}, invalid(op, "bad_payer", "Payer is longer than 128 bytes")
	case clean(string(req.Payer)) != string(req.Payer):
		return Sheet{}, invalid(op, "bad_payer", "Payer is blank or no text")
	case !plainOrNone(req.Actor.ID) || !plainOrNone(string(req.Actor.Entry)):
		return Sheet{}, invalid(op, "bad_actor", "Actor")
	}
	o, err := c.find(ctx, req.Charge)
	if err != nil {
		return Sheet{}, wrap(op, err)
	}
	if o, err = c.leaveOthers(ctx, o, req); err != nil {
		return Sheet{}, wrap(op, err)
	}
	var no TradeNo
	o, err = c.change(ctx, o, req.Actor, func(d *draft) error {
		var err error
		no, err = d.prepay(req, channel)
		return err
	})
	if err != nil {
		return Sheet{}, wrap(op, err)
	}
	return c.sheet(ctx, channel, o, no)
}

// payable says why an order cannot be paid.
func (d *draft) payable() error {
	const op = "payment.Pay"
	switch {
	case d.o.PaidBy != "":
		return fail(op, ErrPaid, string(d.o.State))
	case d.o.State == Manual:
		return fail(op, ErrNotKnown, "a case is open")
	case !d.o.State.Open():
		return fail(op, ErrClosed, string(d.o.State))
	case !d.now.Before(d.o.Charge.Expires):
		return fail(op, ErrExpired, "")
	}
	return nil
}

func (a Attempt) fits(req PayRequest) bool { return a.Channel == req.Channel && a.Payer == req.Payer }

// leaveOthers closes attempts at other channels, so that two of them cannot
// both be paid.
func (c *Cashier) leaveOthers(ctx context.Context, o Order, req PayRequest) (Order, error) {
	left := false
	o, err := c.change(ctx, o, req.Actor, func(d *draft) error {
		left = false
		if err := d.payable(); err != nil {
			return err
		}
		for i := range d.o.Attempts {
			a := &d.o.Attempts[i]
			if a.State == AttemptOpen && !a.fits(req) {
				d.closeAttempt(a)
				d.audit("attempt.leave", a.Channel)
			}
			left = left || a.State == AttemptClosing
		}
		if left {
			d.hold()
		}
		return nil
	})
	if err != nil || !left {
		return o, err
	}
	return c.closeAttempts(ctx, o)
}

// prepay writes the intent: the attempt that is open, or a new one.
func (d *draft) prepay(req PayRequest, channel Channel) (TradeNo, error) {
	if err := d.payable(); err != nil {
		return "", err
	}
	var open *Attempt
	for i := range d.o.Attempts {
		switch a := &d.o.Attempts[i]; a.State {
		case AttemptOpen:
			open = a
		case AttemptClosing:
			return "", fail("payment.Pay", ErrNotKnown, "attempt "+string(a.TradeNo)+" is not closed yet")
		case AttemptClosed, AttemptPaid:
		}
	}
	if open != nil && !open.fits(req) {
		return "", fail("payment.Pay", ErrNotKnown, "another payer was faster")
	}
	if open == nil {
		made, err := d.newAttempt(req, channel)
		if err != nil {
			return "", err
		}
		open = made
	}
	open.Sent, open.Tries = d.c.wall().Truncate(time.Millisecond), 0
	open.Next = d.now.Add(d.c.queryAfter[0])
	d.dirty = true
	return open.TradeNo, nil
}

func (d *draft) newAttempt(req PayRequest, channel Channel) (*Attempt, error) {
	n := len(d.o.Attempts) + 1
	if n > d.c.maxAttempts {
		return nil, fail("payment.Pay", ErrTooMany, "")
	}
	a := Attempt{
		TradeNo: tradeNo(d.o.ID, n), Channel: req.Channel, Payer: req.Payer, Amount: d.o.Charge.Amount,
		Description: d.o.Charge.Description, Expires: d.o.Charge.Expires, State: AttemptOpen, Created: d.now,
	}
	if composer, ok := channel.(Composer); ok {
		request, err := composer.Compose(a)
		if err != nil {
			return nil, wrap("payment.Pay", err)
		}
		a.Request = request
	}
	d.o.Attempts = append(d.o.Attempts, a)
	if d.o.State == Quoted {
		d.to(Payable, "")
		d.o.Next = d.o.Charge.Expires
	}
	d.audit("attempt.open", a.Channel)
	return &d.o.Attempts[n-1], nil
}

// sheet calls the channel for an attempt that is committed.
func (c *Cashier) sheet(ctx context.Context, channel Channel, o Order, no TradeNo) (Sheet, error) {
	const op = "payment.Pay"
	a, _ := o.Attempt(no)
	called, cancel := context.WithTimeout(ctx, c.call)
	defer cancel()
	sheet, err := channel.Prepay(called, a)
	if err == nil {
		return sheet, c.stillPayable(ctx, o, no)
	}
	c.logger.WarnContext(ctx, "payment: prepay failed", slog.Any("attempt", a), slog.Any("error", err))
	switch hospital.KindOf(err) {
	case hospital.Unavailable, hospital.Indeterminate, hospital.Internal:
		return Sheet{}, wrap(op, err) // the attempt stays open: the same number, the same bytes
	case hospital.Conflict, hospital.Rejected, hospital.Invalid, hospital.Denied, hospital.NotFound:
	}
	// The channel wants no payment under this number, or has one already: find
	// out which, and leave the number.
	o, lerr := c.learn(ctx, o, func(d *draft) error {
		if b := d.attempt(no); b.State == AttemptOpen {
			d.closeAttempt(b)
			d.hold()
		}
		return nil
	})
	if lerr != nil {
		return Sheet{}, errors.Join(wrap(op, err), lerr)
	}
	if o, lerr = c.closeAttempts(ctx, o); lerr != nil {
		return Sheet{}, errors.Join(wrap(op, err), lerr)
	}
	if o.PaidBy != "" {
		return Sheet{}, fail(op, ErrPaid, string(o.State))
	}
	return Sheet{}, wrap(op, err)
}

// stillPayable looks whether the order was closed while Prepay was under way.
// Then the sheet is not shown, and the trade that came to life is closed again.
func (c *Cashier) stillPayable(ctx context.Context, o Order, no TradeNo) error {
	const op = "payment.Pay"
	now, err := c.store.Find(ctx, Ref{ID: o.ID})
	if err != nil {
		return wrap(op, err)
	}
	if a, _ := now.Attempt(no); a.State == AttemptOpen && now.State == Payable {
		return nil
	}
	now, err = c.learn(ctx, now, func(d *draft) error {
		if a := d.attempt(no); a.State == AttemptClosed {
			d.closeAttempt(a)
		}
		return nil
	})
	if err != nil {
		return wrap(op, err)
	}
	c.hint()
	if now.PaidBy != "" {
		return fail(op, ErrPaid, string(now.State))
	}
	return fail(op, ErrClosed, string(now.State))
}

// stepQuery asks the channel about an attempt that is open.
func (c *Cashier) stepQuery(ctx context.Context, o Order, no TradeNo) (Order, error) {
	a, _ := o.Attempt(no)
	t, err := c.query(ctx, a)
	return c.learn(ctx, o, func(d *draft) error {
		if a := d.attempt(no); a.State == AttemptOpen {
			a.Tries++
			a.Next = d.now.Add(d.c.queryGap(a.Tries))
		}
		if err == nil {
			d.learnQuery(no, t)
		}
		return nil
	})
}

// queryGap is the distance to the query after the n-th.
func (c *Cashier) queryGap(n int) time.Duration {
	if n >= len(c.queryAfter) {
		return c.queryAfter[len(c.queryAfter)-1]
	}
	return c.queryAfter[n] - c.queryAfter[n-1]
}

func (c *Cashier) query(ctx context.Context, a Attempt) (Trade, error) {
	channel := c.channels[a.Channel]
	if channel == nil {
		return Trade{}, &hospital.Error{Kind: hospital.Unavailable, Op: "payment.Query", Code: "no_channel", Detail: a.Channel}
	}
	ctx, cancel := context.WithTimeout(ctx, c.call)
	defer cancel()
	t, err := channel.Query(ctx, a.TradeNo)
	if err != nil {
		return Trade{}, wrap("payment.Query", err)
	}
	return t, nil
}

// learnQuery books the answer to a query. An answer that does not fit the
// attempt moves no money and takes the order out of the automatic's hands.
func (d *draft) learnQuery(no TradeNo, t Trade) {
	if d.learnTrade(no, t) {
		return
	}
	if a := d.attempt(no); a.State == AttemptOpen || a.State == AttemptClosing {
		a.Next = d.now.Add(d.c.slow)
	}
	if d.o.State == Payable || d.o.State == Closing {
		d.to(Manual, string(CaseAmountMismatch))
	}
}

// learnTrade books what a channel says of a trade, once, however often and in
// whatever order it is said. It reports false, opens a case and moves nothing
// when the trade does not match the attempt.
func (d *draft) learnTrade(no TradeNo, t Trade) bool {
	a := d.attempt(no)
	if field := t.flaw(); field != "" {
		d.open(CaseAmountMismatch, string(no), "the channel tells what cannot be: "+field)
		return false
	}
	if t.TradeNo != no || t.State.Paid() && (t.Amount != a.Amount || t.Currency != Currency) {
		d.open(CaseAmountMismatch, string(no), "the channel tells another number, amount or currency: "+t.Amount.Yuan()+" for "+a.Amount.Yuan())
		return false
	}
	switch {
	case t.State == TradeRefunded && a.State != AttemptPaid:
		d.open(CaseRefundMismatch, string(no), "paid, and refunded by somebody else")
		return false
	case t.State.Paid() && a.State != AttemptPaid:
		d.paid(a, t)
	case t.State.Paid() && a.TransactionID != t.TransactionID:
		d.open(CaseAmountMismatch, string(no), "two payments of the channel under one number")
		return false
	case t.State == TradeClosed && (a.State == AttemptOpen || a.State == AttemptClosing):
		d.ended(a, AttemptClosed)
		d.finishClosing()
	}
	return true
}

// paid books a payment: into suspense, and on to what the order needs of it.
func (d *draft) paid(a *Attempt, t Trade) {
	d.ended(a, AttemptPaid)
	if t.PaidAt.IsZero() { // a channel that names no time: the HIS is told when we heard of it, not the year 1
		t.PaidAt = d.now
	}
	a.TransactionID, a.PaidAt = t.TransactionID, t.PaidAt.Truncate(time.Millisecond)
	d.post(string(a.TradeNo)+"/paid", Entry{Receivable(a.Channel), a.Amount}, Entry{Suspense(d.o.ID), -a.Amount})
	d.audit("attempt.paid", a.Channel)
	if d.o.PaidBy != "" {
		d.owe(a, "paid_twice", Suspense(d.o.ID))
		return
	}
	d.o.PaidBy, d.o.PaidAt = a.TradeNo, a.PaidAt
	if !d.o.Live {
		d.giveBack("paid_after_close")
		return
	}
	for i := range d.o.Attempts {
		if other := &d.o.Attempts[i]; other.State == AttemptOpen {
			d.closeAttempt(other)
		}
	}
	d.to(Paid, "")
	d.o.Next = d.now
	d.event("order.paid")
}
