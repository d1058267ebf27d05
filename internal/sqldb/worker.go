package sqldb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
)

// pollEvery is how often a worker looks without being told. It is the truth;
// a hint in the process only saves the wait.
const pollEvery = time.Second

// Advance does every job of its handlers' kinds that is due now and returns
// when the next one is, the zero time when none waits. A job that fails is given back and does not
// fail Advance; a store that fails does. Jobs taken together are waited for
// together: give a slow kind a Jobs of its own.
func (j *Jobs) Advance(ctx context.Context) (next time.Time, err error) {
	kinds := slices.Sorted(maps.Keys(j.cfg.Handlers))
	for {
		leased, err := j.Lease(ctx, kinds, j.cfg.Workers, j.cfg.Lease)
		if err != nil {
			return time.Time{}, err
		}
		if len(leased) == 0 {
			return j.NextRun(ctx, kinds...)
		}
		errs := make([]error, len(leased))
		var wg sync.WaitGroup
		for i, job := range leased {
			wg.Go(func() { errs[i] = j.work(ctx, job) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return time.Time{}, err
		}
	}
}

// work runs one job and stores what came of it.
func (j *Jobs) work(ctx context.Context, job Leased) error {
	effect, cause := j.handle(ctx, job)
	if ctx.Err() != nil { // we are being stopped: the lease runs out and the job returns
		return ctx.Err()
	}
	if cause == nil {
		cause = j.cfg.DB.Write(ctx, func(tx *Tx) error {
			if err := j.apply(ctx, tx, job, effect); err != nil {
				return err
			}
			return Done(tx, job)
		})
		if cause == nil {
			return nil
		}
	}
	if !errors.Is(cause, ErrLeaseLost) {
		j.cfg.DB.logger.WarnContext(ctx, "job failed", "kind", job.Kind, "key", job.Key, "attempt", job.Attempt, "error", cause)
		cause = j.Retry(ctx, job, cause)
	}
	if errors.Is(cause, ErrLeaseLost) { // whoever took it over answers for it
		j.cfg.DB.logger.WarnContext(ctx, "job was taken over", "kind", job.Kind, "key", job.Key)
		return nil
	}
	return cause
}

// handle calls the handler; a panic is a failure of this job alone.
func (j *Jobs) handle(ctx context.Context, job Leased) (effect func(*Tx) error, err error) {
	ctx, cancel := context.WithTimeout(ctx, j.cfg.Lease/2)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			effect, err = nil, j.panicked(ctx, job, r)
		}
	}()
	return j.cfg.Handlers[job.Kind](ctx, job)
}

// apply stores the effect; a panic in it, too, is a failure of this job alone.
func (j *Jobs) apply(ctx context.Context, tx *Tx, job Leased, effect func(*Tx) error) (err error) {
	if effect == nil {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = j.panicked(ctx, job, r)
		}
	}()
	return effect(tx)
}

func (j *Jobs) panicked(ctx context.Context, job Leased, r any) error {
	j.cfg.DB.logger.ErrorContext(ctx, "job panicked", "kind", job.Kind, "key", job.Key, "stack", string(debug.Stack()))
	return &hospital.Error{Kind: hospital.Internal, Op: "sqldb.Jobs", Code: "handler_panicked", Detail: panicText(r)}
}

// panicText names a panic without the values in it, which may be a patient's.
func panicText(r any) string {
	if err, ok := r.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", r)
}

// Run works until ctx is done and then returns nil. A store that fails is
// logged and tried again.
func (j *Jobs) Run(ctx context.Context) error { return j.cfg.DB.Work(ctx, j.Advance) }

// Work calls advance whenever a job was written in this process, and at least
// every second, until ctx is done; then it returns nil. What fails is logged
// and tried again. It is the Run of whoever reads events and does jobs.
func (db *DB) Work(ctx context.Context, advance func(context.Context) (time.Time, error)) error {
	return run(ctx, db, &db.jobHint, func(ctx context.Context) error {
		_, err := advance(ctx)
		return err
	})
}

// run calls step whenever the hint says so and at least every second.
func run(ctx context.Context, db *DB, h *hint, step func(context.Context) error) error {
	hurry, stop := h.listen()
	defer stop()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		if err := step(ctx); err != nil && ctx.Err() == nil {
			db.logger.ErrorContext(ctx, "background work failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-hurry:
		case <-poll.C:
		}
	}
}
