package payment

import (
	"context"
	"log/slog"

	"github.com/wxhospital/hospital"
)

// Deliverer is told that something was paid, and does what was paid for.
type Deliverer interface {
	// Deliver serves the purpose. Nil: done, now or before. Rejected or Conflict:
	// it will never be, the money goes back; when Delivery.Again was set, Withdraw
	// is asked first, because a refusal of the second call may be about what the
	// first one did. Anything else: not known, it is asked again.
	Deliver(context.Context, hospital.Delivery) error
	// Withdraw undoes a delivery of unknown outcome and has the last word. Nil:
	// it is not in force and a late Deliver under this charge key will never put
	// it in force. Conflict: it was delivered and stands. Anything else: not known.
	Withdraw(ctx context.Context, charge hospital.Key) error
}

// stepDeliver tells the deliverer. Only the worker that wrote the intent calls
// without the warning that somebody may have been there before.
func (c *Cashier) stepDeliver(ctx context.Context, o Order) (Order, error) {
	again := o.State == Delivering
	o, err := c.decide(ctx, o, func(d *draft) {
		if !again {
			d.to(Delivering, "")
			d.o.Until = d.now.Add(c.deadline)
		}
		d.again()
	})
	if err != nil {
		return o, err
	}
	delivery := o.delivery()
	delivery.Again = again
	err = c.callDeliverer(ctx, o, func(ctx context.Context, to Deliverer) error { return to.Deliver(ctx, delivery) })
	return c.learn(ctx, o, func(d *draft) error {
		if d.o.State != Delivering {
			return nil // being withdrawn meanwhile, and Withdraw has the last word
		}
		switch {
		case err == nil:
			d.delivered()
		case hospital.KindOf(err) == hospital.Rejected || hospital.KindOf(err) == hospital.Conflict:
			d.log("payment: delivery refused", slog.Any("error", err))
			if again || d.o.Tries != o.Tries { // the refusal may be about a repetition of what was done
				d.withdraw("delivery_refused")
				break
			}
			d.giveBack("delivery_refused")
		case reached(d.o.Until, d.now):
			d.log("payment: delivery unknown at its deadline", slog.Any("error", err))
			d.withdraw("delivery_unknown")
		}
		return nil
	})
}

// stepWithdraw undoes a delivery of unknown outcome. An order that is manual
// because of it is asked about again and again, slowly.
func (c *Cashier) stepWithdraw(ctx context.Context, o Order) (Order, error) {
	o, err := c.decide(ctx, o, func(d *draft) {
		if d.o.State == Withdrawing {
			d.again()
			return
		}
		d.o.Next = d.now.Add(c.slow)
	})
	if err != nil {
		return o, err
	}
	err = c.callDeliverer(ctx, o, func(ctx context.Context, to Deliverer) error { return to.Withdraw(ctx, o.Charge.Key) })
	return c.learn(ctx, o, func(d *draft) error {
		undecided := d.o.State == Withdrawing || d.o.State == Manual && d.o.Held > 0
		switch {
		case err == nil && (undecided || d.o.State == Delivered):
			d.settle(CaseDeliveryUnknown, d.o.ID)
			d.giveBack(d.cause("delivery_withdrawn"))
		case err != nil && hospital.KindOf(err) == hospital.Conflict && undecided:
			d.settle(CaseDeliveryUnknown, d.o.ID)
			if len(d.o.Causes) > 0 {
				d.giveBack(d.o.Causes[0]) // delivered, and asked back since
				break
			}
			d.delivered()
		case err != nil && d.o.State == Withdrawing && reached(d.o.Until, d.now):
			d.to(Manual, "delivery_unknown")
			d.o.Next = d.now.Add(c.slow)
			d.open(CaseDeliveryUnknown, d.o.ID, err.Error())
		}
		return nil
	})
}

// again counts a call of the deliverer and says when the next one is due, the
// last at the deadline.
func (d *draft) again() {
	d.o.Tries++
	d.o.Next = d.now.Add(spread(d.o.ID, backoff(d.o.Tries, deliverRetry, deliverRetryMax)))
	if d.now.Before(d.o.Until) {
		d.o.Next = earlier(d.o.Next, d.o.Until)
	}
}

// withdraw begins to undo a delivery.
func (d *draft) withdraw(why string) {
	d.to(Withdrawing, why)
	d.o.Until = d.now.Add(d.c.deadline)
	d.o.Next = d.now
}

// delivered books that the purpose is served.
func (d *draft) delivered() {
	a := d.attempt(d.o.PaidBy)
	d.post(d.o.ID+"/delivered",
		Entry{Suspense(d.o.ID), a.Amount}, Entry{Revenue(d.o.Charge.Purpose.Kind), -a.Amount})
	d.settle(CaseDeliveryUnknown, d.o.ID)
	d.to(Delivered, "")
	d.event("order.delivered")
}

// cause is the first one that somebody asked a refund for, otherwise why the
// order stands where it stands, otherwise the given one.
func (d *draft) cause(otherwise string) string {
	if len(d.o.Causes) > 0 {
		return d.o.Causes[0]
	}
	if d.o.Reason != "" {
		return d.o.Reason
	}
	return otherwise
}

func (o Order) delivery() hospital.Delivery {
	a, _ := o.Attempt(o.PaidBy)
	return hospital.Delivery{
		Key: o.Charge.Key, Purpose: o.Charge.Purpose, Amount: a.Amount, Receipt: o.Receipt(),
		Channel: a.Channel, TradeNo: a.TransactionID, PaidAt: o.PaidAt,
	}
}

func (c *Cashier) callDeliverer(ctx context.Context, o Order, call func(context.Context, Deliverer) error) error {
	to := c.deliverers[o.Charge.Purpose.Kind]
	if to == nil {
		return &hospital.Error{
			Kind: hospital.Unavailable, Op: "payment.Deliver", Code: "no_deliverer",
			Detail: "none for purpose " + string(o.Charge.Purpose.Kind),
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.call)
	defer cancel()
	return c.shield(ctx, "payment.Deliver", string(o.Charge.Purpose.Kind), func() error { return call(ctx, to) })
}
