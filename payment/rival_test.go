package payment_test

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

// rival is a second cashier on the same store. What it does when the first one
// is about to commit or to call is planned beforehand, because the first may
// be in any goroutine then.
type rival struct {
	*payment.Cashier

	w     *world
	moves []move
	busy  bool
}

// move is one thing that the rival does, after a pause of the first.
type move struct {
	pause time.Duration
	what  string
	key   hospital.Key
}

// withRival gives the world's cashier a rival. One order is worked on at a
// time, so that a failure can be repeated.
func (w *world) withRival() {
	c, err := payment.New(w.config)
	require.NoError(w.rt, err)
	w.other = &rival{Cashier: c, w: w}
	w.config.Store = rivalStore{w.store, w.other}
	w.config.Channels = map[string]payment.Channel{"till": rivalChannel{w.till, w.other}, "second": rivalChannel{w.second, w.other}}
	w.config.Deliverers = map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: rivalDeliverer{w.his, w.other}}
	w.config.Workers = 1
	w.reopen()
}

func (r *rival) plan(rt *rapid.T) {
	if r == nil {
		return
	}
	pause := rapid.SampledFrom([]time.Duration{0, 0, time.Second, 61 * time.Second, 11 * time.Minute})
	what := rapid.SampledFrom([]string{"", "advance", "advance", "close", "refund", "tap"})
	for range rapid.IntRange(1, 6).Draw(rt, "moves") {
		r.moves = append(r.moves, move{pause.Draw(rt, "pause"), what.Draw(rt, "what"), r.w.any().Key})
	}
}

func (r *rival) rest() {
	if r != nil {
		r.moves = nil
	}
}

// cutIn makes the next move.
func (r *rival) cutIn(ctx context.Context) {
	if r.busy || len(r.moves) == 0 {
		return
	}
	m := r.moves[0]
	r.busy, r.moves = true, r.moves[1:]
	defer func() { r.busy = false }()
	r.w.clock.Pass(m.pause)
	switch m.what { // errors are the caller's, not the property's
	case "advance":
		_, _ = r.Advance(ctx)
	case "close":
		if r.Close(ctx, m.key) == nil {
			r.w.closed[m.key] = true
		}
	case "refund":
		if r.Refund(ctx, m.key, "rival") == nil {
			r.w.asked[m.key] = true
		}
	case "tap":
		_, _ = r.Pay(ctx, r.w.request(m.key))
	}
}

type rivalStore struct {
	*paymenttest.Memory

	r *rival
}

func (s rivalStore) Save(ctx context.Context, c payment.Change) error {
	s.r.cutIn(ctx)
	return s.Memory.Save(ctx, c)
}

type rivalChannel struct {
	*paymenttest.Till

	r *rival
}

func (c rivalChannel) Prepay(ctx context.Context, a payment.Attempt) (payment.Sheet, error) {
	c.r.cutIn(ctx)
	return c.Till.Prepay(ctx, a)
}

func (c rivalChannel) Query(ctx context.Context, no payment.TradeNo) (payment.Trade, error) {
	c.r.cutIn(ctx)
	return c.Till.Query(ctx, no)
}

func (c rivalChannel) Close(ctx context.Context, no payment.TradeNo) error {
	c.r.cutIn(ctx)
	return c.Till.Close(ctx, no)
}

func (c rivalChannel) Refund(ctx context.Context, r payment.Refund) (payment.RefundStatus, error) {
	c.r.cutIn(ctx)
	return c.Till.Refund(ctx, r)
}

type rivalDeliverer struct {
	*his

	r *rival
}

func (d rivalDeliverer) Deliver(ctx context.Context, what hospital.Delivery) error {
	began, before := d.r.w.clock.Now(), d.calls(what.Key)
	d.r.cutIn(ctx)
	if d.r.w.clock.Now().Sub(began) < time.Minute {
		require.Equal(d.r.w.rt, before, d.calls(what.Key), "delivered beside a delivery whose lease was in force")
	}
	return d.his.Deliver(ctx, what)
}

func (d rivalDeliverer) calls(key hospital.Key) int {
	_, calls := d.state(key)
	n := 0
	for _, c := range calls {
		if c.Key == key {
			n++
		}
	}
	return n
}

func (d rivalDeliverer) Withdraw(ctx context.Context, key hospital.Key) error {
	d.r.cutIn(ctx)
	return d.his.Withdraw(ctx, key)
}
