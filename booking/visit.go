package booking

import (
	"context"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// visitUnknownAfter is how long after the day of the visit a HIS may stay
// silent about it before the case goes to a person. Until then there is no
// strike: silence is not absence.
const visitUnknownAfter = 72 * time.Hour

// nextCheck is when a booked appointment is looked at again: at once while its
// charge is to be opened, some time after booking in case the HIS was restored
// from a backup, the evening before, and when the day's visits are over.
func (d *Desk) nextCheck(a Appointment, now time.Time) time.Time {
	if d.opensLate(a, now) {
		return now
	}
	over := visitsOver(a)
	for _, at := range []time.Time{a.AskedAt.Add(d.cfg.VerifyAfter), visitsClose.On(a.Date.AddDays(-1)), over} {
		if at.After(now) && a.State != Arrived {
			return earlier(at, over)
		}
	}
	if over.After(now) {
		return over
	}
	return now
}

// visitsOver is when the HIS knows whether the patient came: when the day's
// visits are over, for a night clinic an hour after the patient's own.
func visitsOver(a Appointment) time.Time {
	day := visitsClose.On(a.Date)
	if own := a.End.Add(time.Hour); own.After(day) {
		return own
	}
	return day
}

// opensLate reports whether the charge of a firm appointment is still to be
// opened.
func (d *Desk) opensLate(a Appointment, now time.Time) bool {
	return a.State == Booked && d.cfg.Cashier != nil && a.FeeOnline() && !a.Charged && !a.PaidAtHIS && now.Before(a.Start)
}

// stepBooked opens the charge of a firm appointment and later asks the HIS what
// became of the visit.
func (d *Desk) stepBooked(ctx context.Context, a Appointment) (Appointment, error) {
	now := d.cfg.Now()
	if d.opensLate(a, now) {
		charged := a
		charged.Charged = true
		return d.openCharge(ctx, a, d.nextCheck(charged, now))
	}
	if now.Before(a.DueAt) {
		return a, nil
	}
	over := !now.Before(visitsOver(a))
	if !d.cfg.Assurances.Confirm.Queryable {
		if over {
			return d.visited(ctx, a, Fulfilled, nil, "the HIS cannot be asked about visits")
		}
		return d.rest(ctx, a, d.nextCheck(a, now))
	}
	found, err := d.find(ctx, a)
	switch {
	case hospital.KindOf(err) == hospital.NotFound && err != nil:
		return d.forgotten(ctx, a)
	case err != nil:
		return d.silent(ctx, a, err)
	case found.Patient != a.Patient:
		return d.toManual(ctx, a, "the HIS answered for another patient")
	}
	return d.attended(ctx, a, found, over)
}

// attended applies what the HIS says of the visit.
func (d *Desk) attended(ctx context.Context, a Appointment, found hospital.Registration, over bool) (Appointment, error) {
	switch found.State {
	case hospital.RegistrationFulfilled:
		return d.visited(ctx, a, Fulfilled, &found, "")
	case hospital.RegistrationArrived:
		if over {
			return d.visited(ctx, a, Fulfilled, &found, "")
		}
		if a.State == Booked {
			return d.visited(ctx, a, Arrived, &found, "")
		}
	case hospital.RegistrationSuspended:
		return d.leave(ctx, a, BySuspended, nil)
	case hospital.RegistrationCancelled:
		return d.leave(ctx, a, ByStaff, nil)
	case hospital.RegistrationHeld, hospital.RegistrationRegistered:
		switch {
		case over:
			return d.strike(ctx, a)
		case a.State == Booked && a.feeMissing(found):
			return d.feeForgotten(ctx, a)
		}
	default: // not a state of ours: the HIS has not said anything that we understand
		return d.silent(ctx, a, &hospital.Error{Kind: hospital.Unavailable, Op: "booking.Desk", Code: "unknown_state"})
	}
	return d.rest(ctx, a, d.nextCheck(a, d.cfg.Now()))
}

// visited records how far the visit came; found is what the HIS said, nil where
// it cannot be asked.
func (d *Desk) visited(ctx context.Context, a Appointment, state State, found *hospital.Registration, reason string) (Appointment, error) {
	if found != nil && a.feeMissing(*found) {
		if a.State == Booked {
			return d.feeForgotten(ctx, a)
		}
		return d.toManual(ctx, a, "the HIS no longer has the fee")
	}
	now := d.cfg.Now()
	return d.save(ctx, a, move{events: []string{"appt." + string(state)}, apply: func(a *Appointment) {
		if found != nil {
			a.learnPayment(*found)
		}
		if state.Terminal() {
			a.end(state, "", reason, now)
			return
		}
		a.State, a.Tries = state, 0
		a.DueAt = d.nextCheck(*a, now)
	}})
}

// strike counts a no-show. A lockout that it brings about is its own event.
func (d *Desk) strike(ctx context.Context, a Appointment) (Appointment, error) {
	now := d.cfg.Now()
	policy, err := d.policy(ctx, a.Policy)
	if err != nil {
		return a, err
	}
	locks := func(history History) []hospital.Event {
		_, before := policy.Lockout(now, history)
		history.Strikes = append(slices.Clone(history.Strikes), Strike{Date: a.Date, At: now})
		if _, after := policy.Lockout(now, history); !after || before {
			return nil
		}
		return []hospital.Event{{Kind: "lock.locked", ID: a.ID}}
	}
	return d.save(ctx, a, move{events: []string{"appt.no_show"}, tell: locks, apply: func(a *Appointment) { a.end(NoShow, "", "", now) }})
}

// forgotten handles a HIS that no longer knows a firm registration: it was
// restored from a backup. Before the visit the number is asked for again under
// the same key; after it a person decides, and there is no strike.
func (d *Desk) forgotten(ctx context.Context, a Appointment) (Appointment, error) {
	now := d.cfg.Now()
	if !now.Before(a.Start) {
		return d.toManual(ctx, a, "the HIS does not know the registration")
	}
	a, err := d.save(ctx, a, move{keep: true, events: []string{"appt.forgotten"}, apply: func(a *Appointment) {
		a.State, a.Deadline, a.DueAt, a.Tries = Confirming, d.confirmUntil(*a, now), now, 0
		a.PaidAtHIS = false
	}})
	if err != nil {
		return a, err
	}
	return d.tellAgain(ctx, a, false)
}

// feeForgotten handles a HIS that knows the registration but no longer its fee,
// of which payment was told that it is delivered: the HIS is told again under
// the same receipt. PaidAtHIS stays, for the money is not to go back unless a
// person says so.
func (d *Desk) feeForgotten(ctx context.Context, a Appointment) (Appointment, error) {
	now := d.cfg.Now()
	a, err := d.save(ctx, a, move{keep: true, events: []string{"appt.forgotten"}, apply: func(a *Appointment) {
		a.State, a.Deadline, a.DueAt, a.Tries = Settling, now.Add(d.cfg.GiveUpAfter), now, 0
	}})
	if err != nil {
		return a, err
	}
	return d.tellAgain(ctx, a, false)
}

// silent puts off the question of a HIS that does not answer.
func (d *Desk) silent(ctx context.Context, a Appointment, cause error) (Appointment, error) {
	now := d.cfg.Now()
	if now.After(visitsOver(a).Add(visitUnknownAfter)) {
		return d.toManual(ctx, a, "the HIS did not say whether the visit took place")
	}
	due := now.Add(backoff(a.Tries))
	return d.save(ctx, a, move{cause: cause, apply: func(a *Appointment) {
		a.Tries++
		a.DueAt = due
	}})
}

// Suspend cancels every live appointment of a schedule that will not take place
// (停诊), refunds what was paid and counts no strike. It returns how many it reached; an
// error is the first one met, after all were tried: Conflict in_progress means
// that a call is under way for some, so suspend again; the poll of Stops does.
func (d *Desk) Suspend(ctx context.Context, actor hospital.Actor, schedule hospital.ScheduleID, reason string) (int, error) {
	live, first := d.cfg.Store.List(ctx, Query{Schedule: schedule, States: []State{Holding, Held, Confirming, Booked, Settling, Arrived}, Limit: MaxListLimit})
	reached := 0 // a row that cannot be read does not keep the others waiting
	for _, a := range live {
		_, err := d.Cancel(ctx, CancelRequest{ID: a.ID, Actor: actor, Cause: BySuspended, Reason: reason})
		switch {
		case err == nil, hospital.KindOf(err) == hospital.Indeterminate:
			reached++
		case first == nil:
			first = err
		}
	}
	return reached, first
}
