package payment

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// draft is a change in the making: an order being moved in memory, and what
// its moves post, tell and record.
type draft struct {
	c      *Cashier
	o      *Order // = &change.Order
	change Change
	actor  hospital.Actor
	now    time.Time
	dirty  bool
	logs   []func(context.Context)
}

func (c *Cashier) draft(o Order, actor hospital.Actor) *draft {
	d := &draft{c: c, change: Change{Order: o.Clone()}, actor: actor, now: c.now()}
	d.o = &d.change.Order
	return d
}

// to moves the order to a state and forgets what belonged to the last one.
func (d *draft) to(s State, reason string) {
	if d.o.State == s {
		return
	}
	d.o.State, d.o.Reason, d.o.Changed = s, reason, d.now
	d.o.Tries, d.o.Until, d.o.Next = 0, time.Time{}, time.Time{}
	if s == Closed || s == RefundDue || s == Refunded {
		d.o.Live = false
	}
	d.dirty = true
	d.audit("order."+string(s), reason)
}

// post moves money and keeps the order's own sums beside the ledger.
func (d *draft) post(key string, entries ...Entry) {
	for _, e := range entries {
		switch e.Account {
		case Suspense(d.o.ID):
			d.o.Held -= e.Amount
		case Payback(d.o.ID):
			d.o.Owed -= e.Amount
		}
	}
	d.change.Postings = append(d.change.Postings, Posting{Key: key, Order: d.o.ID, At: d.now, Entries: entries})
	d.dirty = true
}

func (d *draft) event(kind string) {
	d.change.Events = append(d.change.Events, hospital.Event{Kind: kind, ID: d.o.ID})
	d.dirty = true
}

// audit records an effect. The reason is a code of ours, never a person's data.
func (d *draft) audit(action, reason string) {
	if reason == "" {
		reason = string(d.o.Charge.Purpose.Kind)
	}
	d.change.Audit = append(d.change.Audit, hospital.AuditEntry{
		At: d.now, Actor: d.actor, Purpose: reason, Action: action, Object: d.o.ID,
		Patient: d.o.Charge.Patient, Outcome: "ok",
	})
}

// log speaks once the change is committed.
func (d *draft) log(msg string, attrs ...slog.Attr) {
	attrs = append(attrs, slog.String("order", d.o.ID), slog.String("state", string(d.o.State)))
	d.logs = append(d.logs, func(ctx context.Context) {
		d.c.logger.LogAttrs(ctx, slog.LevelWarn, msg, attrs...) //nolint:sloglint // the message is each caller's constant
	})
}

// hold keeps the order from other workers while a call is made.
func (d *draft) hold() {
	if d.o.Holder == "" {
		d.o.Holder = holder(d.now)
	}
	d.change.Lease, d.change.Release, d.dirty = d.c.lease, false, true
}

// holder returns the token of a fresh lease.
func holder(now time.Time) string { return hospital.NewID("w", now) }

func (d *draft) attempt(no TradeNo) *Attempt {
	i := slices.IndexFunc(d.o.Attempts, func(a Attempt) bool { return a.TradeNo == no })
	if i < 0 {
		panic("payment: attempt " + string(no) + " vanished from its order")
	}
	return &d.o.Attempts[i]
}

func (d *draft) refundRow(no RefundNo) *Refund {
	i := slices.IndexFunc(d.o.Refunds, func(r Refund) bool { return r.No == no })
	if i < 0 {
		panic("payment: refund " + string(no) + " vanished from its order")
	}
	return &d.o.Refunds[i]
}

// commit writes the draft. One that changed nothing does not touch the order;
// of a notice that taught nothing it is noted that it was read.
func (c *Cashier) commit(ctx context.Context, d *draft) (Order, error) {
	if !d.dirty {
		if d.change.Notice == (NoticeID{}) {
			return d.change.Order, nil
		}
		return d.change.Order, wrap("payment: note notice", c.store.Save(ctx, Change{Notice: d.change.Notice}))
	}
	d.o.Due = d.o.due()
	if err := c.store.Save(ctx, d.change); err != nil {
		return d.change.Order, fmt.Errorf("payment: save order: %w", err)
	}
	d.o.Version++
	for _, say := range d.logs {
		say(ctx)
	}
	return d.change.Order, nil
}

// change applies f and commits. When another was faster, f is applied again to
// what that one left, so f decides on what it finds. When f wants a lease
// that another has, the change is made without: it is a fact or what somebody
// asked for, and what follows it may be done twice.
func (c *Cashier) change(ctx context.Context, o Order, actor hospital.Actor, f func(*draft) error) (Order, error) {
	held := false
	for range maxMerges {
		d := c.draft(o, actor)
		if err := f(d); err != nil {
			return o, err
		}
		if held {
			d.change.Lease, d.o.Holder = 0, ""
		}
		saved, err := c.commit(ctx, d)
		switch {
		case errors.Is(err, ErrHeld):
			held = true
			continue
		case !errors.Is(err, ErrMoved):
			return saved, err
		}
		if o, err = c.again(ctx, o); err != nil {
			return o, err
		}
	}
	return o, fail("payment", ErrMoved, "too many writers on order "+o.ID)
}

// again reads an order that somebody else moved, under the lease that we had.
func (c *Cashier) again(ctx context.Context, o Order) (Order, error) {
	moved, err := c.store.Find(ctx, Ref{ID: o.ID})
	if err != nil {
		return o, fmt.Errorf("payment: read order again: %w", err)
	}
	moved.Holder = o.Holder
	return moved, nil
}

// decide commits an intent and keeps the order for the call that follows. When
// another was faster, or has the order now, it is not repeated: the decision
// was made on old facts, or is no longer ours.
func (c *Cashier) decide(ctx context.Context, o Order, f func(*draft)) (Order, error) {
	d := c.draft(o, c.self)
	f(d)
	d.hold()
	return c.commit(ctx, d)
}

// learn books a fact. It outlives the caller's context, because what the far
// side did stays done, and it is merged into whatever others did meanwhile.
// The lease under which it was learnt ends with it; another's goes on.
func (c *Cashier) learn(ctx context.Context, o Order, f func(*draft) error) (Order, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.call)
	defer cancel()
	return c.change(ctx, o, c.self, func(d *draft) error {
		d.dirty, d.change.Release = true, true
		return f(d)
	})
}

// backoff doubles from first up to limit.
func backoff(tries int, first, limit time.Duration) time.Duration {
	d := first
	for range tries - 1 {
		if d *= 2; d >= limit {
			return limit
		}
	}
	return d
}

// spread shortens a delay by up to an eighth, differently for every order, so
// that an outage of the far side does not end in one rush.
func spread(order string, d time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(order)) // a hash never fails
	return (d - d/8*time.Duration(h.Sum32()%64)/64).Truncate(time.Millisecond)
}
