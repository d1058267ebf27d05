package booking

import (
	"context"
	"errors"
	"time"

	"github.com/wxhospital/hospital"
)

// verdict is what asking the HIS about an intent came to.
type verdict int

const (
	found  verdict = iota // the HIS knows the key
	repeat                // certainly not applied: call again under the same key, or give up
	blind                 // cannot be asked, but the call may be repeated once nothing is under way: the only way to find out
	later                 // not known yet
	person                // can neither be asked nor repeated
)

type answer struct {
	verdict      verdict
	registration hospital.Registration
	err          error     // of later
	again        time.Time // of later, when "absent" will count
}

// ask finds out what became of an intent that somebody else wrote, or whose
// answer was lost. "Absent" counts only after the adapter's quiet time, because
// a request may still be under way.
func (d *Desk) ask(ctx context.Context, a Appointment, assurance hospital.Assurance) answer {
	if !assurance.Queryable {
		if !assurance.Idempotent {
			return answer{verdict: person}
		}
		if silent := d.absent(a, assurance); silent.verdict == later {
			return silent // a no to a repetition would not speak for the call under way
		}
		return answer{verdict: blind}
	}
	registration, err := d.find(ctx, a)
	switch {
	case err == nil:
		return answer{verdict: found, registration: registration}
	case hospital.KindOf(err) != hospital.NotFound:
		return answer{verdict: later, err: err}
	}
	return d.absent(a, assurance)
}

// clockSkew is how far the wall clocks of two hosts may be apart: far more
// than NTP leaves.
const clockSkew = time.Second

// absent judges a HIS that knows nothing of the effect.
func (d *Desk) absent(a Appointment, assurance hospital.Assurance) answer {
	if quiet := d.quiet(a, assurance); quiet > 0 {
		return answer{verdict: later, err: errQuiet, again: d.cfg.Now().Add(quiet)}
	}
	return answer{verdict: repeat}
}

// quiet is how long a request for the present intent may still be under way, by
// the wall clock: a business clock that leaps does not hurry a network.
func (d *Desk) quiet(a Appointment, assurance hospital.Assurance) time.Duration {
	return a.SentAt.Add(d.cfg.CallTimeout + clockSkew + assurance.Quiet).Sub(d.cfg.Wall())
}

var errQuiet = &hospital.Error{
	Kind: hospital.Indeterminate, Op: "booking.Desk", Code: "quiet_time",
	Detail: "the HIS knows nothing yet; a request may still be under way",
}

func (d *Desk) find(ctx context.Context, a Appointment) (hospital.Registration, error) {
	var registration hospital.Registration
	err := d.call(ctx, func(ctx context.Context) (err error) {
		registration, err = d.cfg.Slots.Find(ctx, a.Key())
		return err
	})
	return registration, err
}

// stamp writes the intent anew before the call is repeated: the quiet time
// begins again, and whoever held the row before can no longer save.
func (d *Desk) stamp(ctx context.Context, a Appointment) (Appointment, error) {
	now, sent := d.cfg.Now(), d.cfg.Wall()
	return d.save(ctx, a, move{keep: true, apply: func(a *Appointment) {
		a.AskedAt, a.SentAt, a.DueAt = now, sent, now
		a.Tries++
	}})
}

// unanswered handles the verdicts later and person.
func (d *Desk) unanswered(ctx context.Context, a Appointment, answer answer) (Appointment, error) {
	if answer.verdict == person {
		return d.toManual(ctx, a, "the adapter can neither be asked nor called again")
	}
	if !answer.again.IsZero() {
		saved, err := d.rest(ctx, a, answer.again)
		if err != nil {
			return saved, err
		}
		return saved, unknown(answer.err)
	}
	return d.wait(ctx, a, answer.err)
}

// wait puts an intent off whose call was not answered. Past its deadline the
// appointment leaves: the number is given back, and with it the money.
func (d *Desk) wait(ctx context.Context, a Appointment, cause error) (Appointment, error) {
	now := d.cfg.Now()
	if !a.Deadline.IsZero() && !now.Before(a.Deadline) {
		switch a.State {
		case Holding:
			return d.leave(ctx, a, ByRefusal, nil)
		case Confirming:
			return d.leave(ctx, a, ByDoubt, nil)
		case Cancelling, Settling:
			return d.toManual(ctx, a, "the HIS stayed silent: "+outcome(cause))
		case Held, Booked, Arrived, Fulfilled, Refused, Expired, Cancelled, NoShow, Manual:
		}
	}
	due := now.Add(backoff(a.Tries))
	saved, err := d.save(ctx, a, move{cause: cause, apply: func(a *Appointment) {
		a.Tries++
		a.DueAt = due
	}})
	if err != nil {
		return saved, err
	}
	return saved, unknown(cause)
}

// unknown says that an appointment's outcome is being found out.
func unknown(cause error) error {
	return &hospital.Error{
		Kind: hospital.Indeterminate, Op: "booking.Desk", Code: "being_checked",
		Message: "正在与医院系统核实结果，请稍后在“我的挂号”中查看，不要重复操作。", Err: cause,
	}
}

func (d *Desk) toManual(ctx context.Context, a Appointment, reason string) (Appointment, error) {
	return d.save(ctx, a, move{
		events: []string{"appt.manual"},
		cause:  &hospital.Error{Kind: hospital.Indeterminate, Code: "manual"},
		apply: func(a *Appointment) {
			a.State, a.Reason, a.DueAt = Manual, reason, time.Time{}
		},
	})
}

// stale reports whether err only says that somebody else moved the row on.
func stale(err error) bool { return errors.Is(err, ErrStale) }
