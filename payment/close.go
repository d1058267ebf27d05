package payment

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
)

// Close makes sure that nobody can pay a charge any more. Nil says so: every
// attempt was closed at its channel after it was seen unpaid, or there was
// none. A key that was never opened is closed too, so that an Open that comes
// late cannot make it payable. [ErrPaid] says that it is paid, [ErrNotKnown]
// that the channel gave no definite answer yet: the order stays closing, the
// worker goes on, and the caller asks again.
func (c *Cashier) Close(ctx context.Context, charge hospital.Key) error {
	const op = "payment.Close"
	if !charge.Valid() {
		return invalid(op, "bad_key", "Key")
	}
	o, err := c.openClosed(ctx, charge)
	if err != nil {
		return wrap(op, err)
	}
	o, err = c.change(ctx, o, c.self, func(d *draft) error {
		d.close("asked")
		if d.o.State == Closing {
			d.hold()
		}
		return nil
	})
	if err != nil {
		return wrap(op, err)
	}
	if o.State == Closing {
		if o, err = c.closeAttempts(ctx, o); err != nil {
			return wrap(op, err)
		}
	}
	c.hint()
	switch {
	case o.PaidBy != "":
		return fail(op, ErrPaid, string(o.State))
	case o.State == Closed && o.settled():
		return nil
	}
	return fail(op, ErrNotKnown, string(o.State))
}

// openClosed returns the order of the charge, or leaves a closed one in its
// place: a tombstone, known by its empty purpose.
func (c *Cashier) openClosed(ctx context.Context, charge hospital.Key) (Order, error) {
	o := c.newOrder(hospital.Charge{Key: charge})
	o.State, o.Reason = Closed, "never_opened"
	return c.store.Open(ctx, Change{Order: o, Audit: []hospital.AuditEntry{{ //nolint:wrapcheck // its only caller wraps
		At: o.Opened, Actor: c.self, Purpose: o.Reason, Action: "order.closed", Object: o.ID, Outcome: "ok",
	}}})
}

// close takes an unpaid order off sale.
func (d *draft) close(why string) {
	if !d.o.State.Open() {
		return
	}
	if d.o.settled() {
		d.to(Closed, why)
		d.event("order.closed")
		return
	}
	d.to(Closing, why)
	for i := range d.o.Attempts {
		if a := &d.o.Attempts[i]; a.State == AttemptOpen {
			d.closeAttempt(a)
		}
	}
}

// closeAttempt writes the intent to close an attempt.
func (d *draft) closeAttempt(a *Attempt) {
	a.State, a.Tries, a.Next, a.Closing = AttemptClosing, 0, d.now, d.now
	d.dirty = true
}

// ended books that an attempt waits for nothing any more.
func (d *draft) ended(a *Attempt, s AttemptState) {
	a.State, a.Next, a.Closing = s, time.Time{}, time.Time{}
	d.dirty = true
	d.settle(CaseCloseOverdue, string(a.TradeNo))
	d.settle(CaseNoChannel, string(a.TradeNo))
}

// finishClosing closes the order with its last attempt.
func (d *draft) finishClosing() {
	if d.o.State == Closing && d.o.settled() {
		d.to(Closed, d.o.Reason)
		d.event("order.closed")
	}
}

// closeAttempts takes one step on every attempt that is being closed.
func (c *Cashier) closeAttempts(ctx context.Context, o Order) (Order, error) {
	for _, a := range o.Attempts {
		if a.State != AttemptClosing {
			continue
		}
		var err error
		if o, err = c.stepClose(ctx, o, a.TradeNo); err != nil {
			return o, err
		}
	}
	return o, nil
}

// stepClose runs query → close → query on one attempt and books what it
// learnt. The intent is committed already.
func (c *Cashier) stepClose(ctx context.Context, o Order, no TradeNo) (Order, error) {
	a, ok := o.Attempt(no)
	if !ok || a.State != AttemptClosing {
		return o, nil
	}
	t, err := c.queryCloseQuery(ctx, a)
	return c.learn(ctx, o, func(d *draft) error {
		b := d.attempt(no)
		if b.State == AttemptClosing {
			b.Tries++
			b.Next = d.now.Add(spread(d.o.ID, backoff(b.Tries, closeRetry, closeRetryMax)))
		}
		switch {
		case err == nil:
			d.learnQuery(no, t)
		case hospital.KindOf(err) == hospital.NotFound && b.State == AttemptClosing && b.Sent.Equal(a.Sent):
			d.absent(b)
		case hospital.CodeOf(err) == "no_channel":
			d.open(CaseNoChannel, string(no), "no channel "+a.Channel+" is configured")
		}
		if b.State == AttemptClosing && reached(b.Closing.Add(closeOverdue), d.now) {
			d.open(CaseCloseOverdue, string(no), "being closed since "+b.Closing.In(hospital.CST).Format(time.DateTime)+", and no definite answer")
		}
		return nil
	})
}

// absent believes that the channel never saw an attempt, once no request of
// ours can still be on its way, whichever host sent it.
func (d *draft) absent(a *Attempt) {
	left := d.c.quiet + maxSkew - d.c.wall().Sub(a.Sent)
	if left > 0 {
		a.Next = d.now.Add(left.Truncate(time.Millisecond) + time.Millisecond)
		return
	}
	d.ended(a, AttemptClosed)
	d.finishClosing()
}

// queryCloseQuery asks first, because closing a paid trade is a waste, closes,
// and asks again, because only the trade's own state is proof. It returns
// NotFound when the channel never saw the number.
func (c *Cashier) queryCloseQuery(ctx context.Context, a Attempt) (Trade, error) {
	t, err := c.query(ctx, a)
	if err != nil || t.State.Paid() || t.State == TradeClosed {
		return t, err
	}
	called, cancel := context.WithTimeout(ctx, c.call)
	defer cancel()
	if err := c.channels[a.Channel].Close(called, a.TradeNo); err != nil && hospital.KindOf(err) != hospital.Conflict {
		return t, wrap("payment.Close", err)
	}
	return c.query(ctx, a)
}

// stepExpire takes an order off sale whose time to pay is over.
func (c *Cashier) stepExpire(ctx context.Context, o Order) (Order, error) {
	return c.learn(ctx, o, func(d *draft) error {
		if reached(d.o.Charge.Expires, d.now) {
			d.close("expired")
		}
		return nil
	})
}
