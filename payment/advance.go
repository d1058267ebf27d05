package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wxhospital/hospital"
)

// Advance does everything that is due now and returns the business time at
// which something is due next, zero when nothing is. It is the whole worker:
// notices that were received and not booked, queries, closings, deliveries,
// withdrawals, refunds. An error means that the store failed; what a far side
// answers is booked, not returned.
func (c *Cashier) Advance(ctx context.Context) (time.Time, error) {
	left, failed := c.readInbox(ctx)
	for range maxRounds {
		batch, err := c.store.Lease(ctx, LeaseRequest{Now: c.now(), N: c.batch, For: c.lease, Holder: holder(c.now())})
		if err != nil {
			return c.now().Add(pollEvery), errors.Join(failed, fmt.Errorf("payment.Advance: %w", err))
		}
		if len(batch.Orders) == 0 {
			if left > 0 {
				batch.Next = earlier(batch.Next, c.now().Add(pollEvery))
			}
			return batch.Next, failed
		}
		var group errgroup.Group
		for _, o := range batch.Orders {
			group.Go(func() error { return c.work(ctx, o) })
		}
		failed = errors.Join(failed, group.Wait())
	}
	return c.now(), failed
}

// work drives one order, and when our own program fails on it shows it to a
// person and keeps it leased: it backs off, and the others go on.
func (c *Cashier) work(ctx context.Context, o Order) error {
	err := c.shield(ctx, "payment.Advance", o.ID, func() error { return c.drive(ctx, o) })
	if !defect(err) {
		return err
	}
	c.logger.ErrorContext(ctx, "payment: order cannot be worked on", slog.String("order", o.ID), slog.Any("error", err))
	_, shown := c.change(ctx, o, c.self, func(d *draft) error {
		d.open(CaseDefect, o.ID, "tried again by itself; "+hospital.CodeOf(err))
		d.hold()
		return nil
	})
	if shown != nil {
		return errors.Join(err, shown)
	}
	return nil
}

// drive takes an order as far as it goes now.
func (c *Cashier) drive(ctx context.Context, o Order) error {
	held := true // by our lease; the last act of every step hands the order back
	for range maxSteps {
		next := c.step(o)
		if next == nil && !held {
			return nil
		}
		if next == nil {
			next = c.stepNothing
		}
		moved, err := next(ctx, o)
		held = errors.Is(err, ErrMoved)
		switch {
		case errors.Is(err, ErrHeld): // somebody else's by now, and so is what is due
			return nil
		case held: // decide again, on what somebody else left
			moved, err = c.again(ctx, o)
		}
		if err != nil {
			return fmt.Errorf("payment: order %s: %w", o.ID, err)
		}
		o = moved
	}
	return nil
}

// stepNothing hands back an order whose due time was not true.
func (c *Cashier) stepNothing(ctx context.Context, o Order) (Order, error) {
	return c.learn(ctx, o, func(*draft) error { return nil })
}

type step func(context.Context, Order) (Order, error)

// step chooses what an order needs first: to know who paid, to give back, to
// deliver. It is nil when nothing is due.
func (c *Cashier) step(o Order) step {
	now := c.now()
	for _, a := range o.Attempts {
		if !reached(a.Next, now) {
			continue
		}
		if a.State == AttemptClosing {
			return func(ctx context.Context, o Order) (Order, error) { return c.stepClose(ctx, o, a.TradeNo) }
		}
		return func(ctx context.Context, o Order) (Order, error) { return c.stepQuery(ctx, o, a.TradeNo) }
	}
	for _, r := range o.Refunds {
		if !r.State.ended() && reached(r.Next, now) {
			return func(ctx context.Context, o Order) (Order, error) { return c.stepRefund(ctx, o, r.No) }
		}
	}
	if !reached(o.Next, now) {
		return nil
	}
	switch o.State {
	case Quoted, Payable:
		return c.stepExpire
	case Paid, Delivering:
		return c.stepDeliver
	case Withdrawing, Manual:
		return c.stepWithdraw
	case Closing, Closed, Delivered, RefundDue, Refunding, Refunded:
	}
	return nil
}

// hint tells a Run in this process that something became due. It is lost when
// nobody listens; the poll finds it.
func (c *Cashier) hint() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run calls Advance whenever something is due, until the context ends.
func (c *Cashier) Run(ctx context.Context) error {
	for {
		next, err := c.Advance(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // being told to stop is not a failure
		}
		pause := pollEvery
		switch {
		case err != nil:
			pause = pauseAfterError
			c.logger.ErrorContext(ctx, "payment: worker failed", slog.Any("error", err))
		case !next.IsZero():
			pause = min(max(next.Sub(c.now()), 0), pollEvery)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-c.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}
