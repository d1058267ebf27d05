package wechat

import (
	"context"
	"sync"
	"time"
)

// delivery is one push on its way through the handler, however often the
// platform delivers it.
type delivery struct {
	done chan struct{} // closed when the handler is through

	mu       sync.Mutex
	finished bool
	promised bool   // the platform was told "success": the reply goes another way
	plain    string // the reply in the clear, "" for none
	err      error
}

// fate is how one delivery of a push is answered.
type deliveryFate int

const (
	deliveryAnswered deliveryFate = iota
	deliveryLate
	deliveryFailed
	deliveryGone // nobody waits any more
)

// wait returns the reply, or what to say in its place when the budget is spent.
func (d *delivery) wait(ctx context.Context, spent <-chan time.Time) (string, deliveryFate) {
	d.mu.Lock()
	promised := d.promised
	d.mu.Unlock()
	if promised {
		return "", deliveryLate
	}
	select {
	case <-d.done:
	case <-ctx.Done():
		return "", deliveryGone
	case <-spent:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.finished, d.promised:
		d.promised = true
		return "", deliveryLate
	case d.err != nil:
		return "", deliveryFailed
	}
	return d.plain, deliveryAnswered
}

// finish takes the handler's answer. It reports whether the platform was told
// "success" before.
func (d *delivery) finish(plain string, err error) (promised bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plain, d.err, d.finished = plain, err, true
	close(d.done)
	return d.promised
}

// join returns the push's delivery and starts the handler if this is the
// first. It reports false when too many are under way.
func (c *Callback) join(ctx context.Context, push Push) (*delivery, bool) {
	var d *delivery
	first, room := false, true
	c.deliveries.use(push.key, c.config.Now(), func(slot **delivery, known bool) bool {
		if !known {
			select {
			case c.slots <- struct{}{}:
				*slot, first = &delivery{done: make(chan struct{})}, true
			default:
				room = false
			}
		}
		d = *slot
		return room
	})
	if first {
		ctx := context.WithoutCancel(ctx) // a handler outlives the platform's patience
		c.running.Go(func() { c.run(ctx, push, d) })
	}
	return d, room
}

// run handles the push. One that failed is forgotten, so that its next
// delivery is a new attempt.
func (c *Callback) run(ctx context.Context, push Push, d *delivery) {
	defer func() { <-c.slots }()
	ctx, cancel := context.WithTimeout(ctx, c.config.HandleTimeout)
	defer cancel()
	reply, plain, err := c.handle(ctx, push)
	if err != nil {
		c.config.Logger.ErrorContext(ctx, "wechat push not handled", "push", push, "error", err)
		c.deliveries.use(push.key, c.config.Now(), func(**delivery, bool) bool { return false })
		d.finish("", err)
		return
	}
	if d.finish(plain, nil) && reply != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.HandleTimeout)
		defer cancel()
		c.late(ctx, push, reply)
	}
}
