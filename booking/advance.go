package booking

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wxhospital/hospital"
)

// idlePoll is how long Run sleeps when nothing is known to be due: other
// desks write to the same store.
const idlePoll = time.Second

// Advance does the work that is due: it finishes or undoes what a lost process
// left behind, lets unpaid numbers go, looks for 停诊, and asks the HIS about
// the day's visits. It returns when it wants to be called again; a time that is
// not in the future means that more is due now. A failing appointment does not
// stop the others: it is put off and its error logged.
func (d *Desk) Advance(ctx context.Context) (next time.Time, err error) {
	d.pollStops(ctx)
	now := d.cfg.Now()
	due, err := d.cfg.Store.Lease(ctx, Lease{Now: now, N: d.cfg.Batch, For: d.cfg.Lease})
	if err != nil {
		return now.Add(idlePoll), err
	}
	work, limited := errgroup.WithContext(ctx)
	work.SetLimit(d.cfg.Workers)
	for _, patient := range byPatient(due) {
		work.Go(func() error {
			for _, a := range patient {
				d.recover(limited, a)
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return now, err
	}
	if len(due) == d.cfg.Batch {
		return now, nil
	}
	return now.Add(idlePoll), ctx.Err()
}

// byPatient groups rows so that one worker takes all of a patient's in turn:
// two no-shows of one evening see each other's strike.
func byPatient(due []Appointment) map[hospital.PatientID][]Appointment {
	groups := map[hospital.PatientID][]Appointment{}
	for _, a := range due {
		groups[a.Patient] = append(groups[a.Patient], a)
	}
	return groups
}

func (d *Desk) recover(ctx context.Context, a Appointment) {
	saved, err := d.drive(ctx, a, false)
	if err == nil || stale(err) {
		return
	}
	switch hospital.KindOf(err) {
	case hospital.Internal:
		d.cfg.Logger.ErrorContext(ctx, "appointment not advanced", "appointment", a.ID, "state", string(saved.State), "error", err)
	case hospital.Invalid, hospital.Denied, hospital.NotFound, hospital.Conflict, hospital.Rejected, hospital.Unavailable, hospital.Indeterminate:
		d.cfg.Logger.InfoContext(ctx, "appointment put off", "appointment", a.ID, "state", string(saved.State), "error", err)
	}
}

// pollStops cancels what a doctor's absence made void. A silent HIS is asked
// again at the next turn.
func (d *Desk) pollStops(ctx context.Context) {
	if d.cfg.Stops == nil {
		return
	}
	now := d.cfg.Now()
	d.stopsMu.Lock()
	due := !now.Before(d.stopsDue)
	if due {
		d.stopsDue = now.Add(d.cfg.StopsEvery)
	}
	d.stopsMu.Unlock()
	if !due {
		return
	}
	today := hospital.DateOf(now)
	var stops []hospital.Suspension
	err := d.call(ctx, func(ctx context.Context) (err error) {
		stops, err = d.cfg.Stops.Suspensions(ctx, today, today.AddDays(maxWindowDays))
		return err
	})
	if err != nil {
		d.cfg.Logger.WarnContext(ctx, "suspensions not read", "error", err)
		return
	}
	for _, stop := range stops {
		if _, err := d.Suspend(ctx, hospital.System("suspensions"), stop.Schedule, "停诊"); err != nil {
			d.cfg.Logger.WarnContext(ctx, "suspension not finished", "schedule", string(stop.Schedule), "error", err)
		}
	}
}

// Run advances until the context ends, and returns nil then. A store that does
// not answer is logged once until it answers again.
func (d *Desk) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		next, err := d.Advance(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			d.cfg.Logger.ErrorContext(ctx, "booking does not advance", "error", err)
		}
		failing = err != nil
		timer.Reset(min(max(0, next.Sub(d.cfg.Now())), idlePoll))
	}
}
