package wechattest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// jobDelay is how long after a send its result event comes.
const jobDelay = time.Second

// pushJob is a push as it stands; other kinds become one when they are due.
const pushJob = "push"

// job is something the platform will do: push, or finish a send and push.
type job struct {
	Kind     string
	Due      time.Time
	OpenID   string
	Fields   []field `json:",omitempty"` // of a push
	Talks    bool    `json:",omitempty"` // the user waits for a reply, and sees when there is none
	Tries    int     `json:",omitempty"`
	MsgID    int64   `json:",omitempty"`
	Template string  `json:",omitempty"`
	Bubble   *Bubble `json:",omitempty"`
}

// queue makes the job due and returns its id; ids sort in the order of making.
func (t *turn) queue(j job) string {
	id := fmt.Sprintf("%012d", t.next("jobs"))
	t.jobs.put(t, id, j)
	select {
	case t.wake <- struct{}{}:
	default:
	}
	return id
}

// later queues what becomes of a send.
func (t *turn) later(j job) {
	j.Due = t.now.Add(jobDelay)
	t.queue(j)
}

// Advance does what is due by the platform's clock – result events, pushes that
// a verb's caller did not wait for – and returns when the next thing will be,
// zero if nothing waits. It returns the context's error, or Internal for a
// journal that failed.
func (p *Platform) Advance(ctx context.Context) (next time.Time, err error) {
	for {
		id := ""
		err := p.act(func(t *turn) error {
			id, next = "", time.Time{}
			for _, key := range t.jobs.keys() {
				j := t.jobs.rows[key]
				switch {
				case t.busy[key]:
				case !j.Due.After(t.now):
					id = key
					return nil
				case next.IsZero() || j.Due.Before(next):
					next = j.Due
				}
			}
			return nil
		})
		if err != nil || id == "" {
			return next, err
		}
		if err := p.work(ctx, id); err != nil {
			return time.Time{}, err
		}
	}
}

// pollEvery bounds how late Run sees that a clock which is not the wall's has
// moved.
const pollEvery = time.Second

// Run does what is due until the context ends, and returns nil then. It owns
// the only goroutine of the platform: its caller's.
func (p *Platform) Run(ctx context.Context) error {
	for {
		next, err := p.Advance(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, errClosed):
			return nil //nolint:nilerr // the end that was asked for
		case err != nil:
			return err
		}
		wait := pollEvery
		if !next.IsZero() {
			wait = min(wait, max(0, next.Sub(p.config.Now())))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-p.done:
		case <-p.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// work does one job, unless another goroutine does.
func (p *Platform) work(ctx context.Context, id string) error {
	mine := false
	err := p.act(func(t *turn) error {
		_, queued := t.jobs.rows[id]
		mine = queued && !t.busy[id]
		if mine {
			t.busy[id] = true
		}
		return nil
	})
	if !mine {
		return err
	}
	return p.workMine(ctx, id)
}

// workMine does a job that its caller has marked busy.
func (p *Platform) workMine(ctx context.Context, id string) error {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.busy, id)
	}()
	var j job
	err := p.act(func(t *turn) error {
		if j = t.jobs.rows[id]; j.Kind != pushJob {
			j.Fields = t.finish(j)
			j.Kind, j.Bubble = pushJob, nil
			t.jobs.put(t, id, j)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.push(ctx, id, j)
}

// finish lets a send become a push.
func (t *turn) finish(j job) []field {
	switch j.Kind {
	case templateJob:
		return t.finishTemplate(j)
	case massJob:
		return t.finishMass(j)
	case publishJob:
		return t.finishPublish(j)
	default:
		return t.finishSubscription(j)
	}
}
