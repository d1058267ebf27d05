package bookingtest

import (
	"context"
	"sync"

	"github.com/wxhospital/hospital"
)

// Cashier keeps the books of a real cashier for charges alone: it opens once
// per key, never reopens what was closed, takes money once and gives it back
// once. It can be silent and lose answers. Make one with [NewCashier].
type Cashier struct {
	mu      sync.Mutex
	charges map[hospital.Key]*charge
	refunds []hospital.Key // money given back, in order
	silent  bool
	lose    int
}

type charge struct {
	hospital.Charge

	closed, paid, refunded bool
}

// NewCashier returns a cashier with empty books.
func NewCashier() *Cashier { return &Cashier{charges: map[hospital.Key]*charge{}} }

// Silence makes every call Unavailable, or ends that.
func (c *Cashier) Silence(silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent = silent
}

// LoseAnswers lets the next n calls act and lose their answer.
func (c *Cashier) LoseAnswers(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose = n
}

// Charge returns the charge of a key, and whether it was ever opened.
func (c *Cashier) Charge(key hospital.Key) (hospital.Charge, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch, ok := c.charges[key]
	if !ok || ch.Key == "" {
		return hospital.Charge{}, false
	}
	return ch.Charge, true
}

// Pay is the patient who pays. It reports whether the charge could be paid; the
// caller delivers what was paid.
func (c *Cashier) Pay(key hospital.Key) (hospital.Delivery, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch, ok := c.charges[key]
	if !ok || ch.Key == "" || ch.closed || ch.paid {
		return hospital.Delivery{}, false
	}
	ch.paid = true
	return hospital.Delivery{
		Key: key, Purpose: ch.Purpose, Amount: ch.Amount, Receipt: "r" + string(key), Channel: "test",
		TradeNo: "t" + string(key),
	}, true
}

// GiveBack is what payment does when a delivery was refused.
func (c *Cashier) GiveBack(key hospital.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveBack(key)
}

func (c *Cashier) giveBack(key hospital.Key) {
	if ch := c.charges[key]; !ch.refunded {
		ch.refunded = true
		c.refunds = append(c.refunds, key)
	}
}

// Refunds returns the keys whose money went back.
func (c *Cashier) Refunds() []hospital.Key {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]hospital.Key(nil), c.refunds...)
}

// Open implements booking.Cashier.
func (c *Cashier) Open(_ context.Context, open hospital.Charge) error {
	return c.answer(func() error {
		ch, ok := c.charges[open.Key]
		switch {
		case !ok:
			c.charges[open.Key] = &charge{Charge: open}
		case ch.closed:
			return conflict("Open", "closed")
		case ch.Amount != open.Amount || ch.Purpose != open.Purpose:
			return conflict("Open", "other_charge")
		}
		return nil
	})
}

// Close implements booking.Cashier.
func (c *Cashier) Close(_ context.Context, key hospital.Key) error {
	return c.answer(func() error {
		ch, ok := c.charges[key]
		if !ok {
			ch = &charge{}
			c.charges[key] = ch
		}
		if ch.paid {
			return conflict("Close", "paid")
		}
		ch.closed = true
		return nil
	})
}

// Refund implements booking.Cashier.
func (c *Cashier) Refund(_ context.Context, key hospital.Key, _ string) error {
	return c.answer(func() error {
		if ch, ok := c.charges[key]; !ok || !ch.paid {
			return conflict("Refund", "not_paid")
		}
		c.giveBack(key)
		return nil
	})
}

func (c *Cashier) answer(act func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silent {
		return &hospital.Error{Kind: hospital.Unavailable, Op: "bookingtest.Cashier", Code: "silent"}
	}
	err := act()
	if c.lose > 0 {
		c.lose--
		return &hospital.Error{Kind: hospital.Indeterminate, Op: "bookingtest.Cashier", Code: "answer_lost"}
	}
	return err
}

func conflict(op, code string) error {
	return &hospital.Error{Kind: hospital.Conflict, Op: "bookingtest.Cashier." + op, Code: code}
}
