package booking

import (
	"context"
	"errors"
	"time"

	"github.com/wxhospital/hospital"
)

// BookRequest asks for a number. The wish holds what the server read from the
// HIS; the actor is who asks.
type BookRequest struct {
	Actor hospital.Actor
	Wish  Wish
}

// Book claims a number for a patient: 预约 for a later day, 挂号 for today.
//
// It returns the appointment as far as it came: Booked; or Held, when the fee
// is to be paid first. A refusal by the rules or by the HIS is Rejected,
// Conflict slot_taken or NotFound not_bound, with a sentence for the patient,
// and claims nothing. Unavailable: the HIS was not reached, nothing is
// claimed. Indeterminate: the appointment is kept as Holding or Confirming and
// recovery finds out; show it as "being checked" and do not book again.
func (d *Desk) Book(ctx context.Context, request BookRequest) (Appointment, error) {
	now := d.cfg.Now()
	policy, version, err := d.current(ctx)
	if err != nil {
		return Appointment{}, err
	}
	wish := request.Wish
	if err := request.validate(); err != nil {
		return Appointment{}, err
	}
	if err := policy.AllowTime(wish, now); err != nil {
		return Appointment{}, err
	}
	user := request.Actor.Kind == hospital.ActorUser
	kind := wish.Kind(now)
	a := Appointment{
		ID: hospital.NewID("a", now), Kind: kind, Actor: request.Actor, Patient: wish.Patient, Payer: wish.Payer,
		Campus: wish.Schedule.Campus, Department: wish.Schedule.Department, Doctor: wish.Schedule.Doctor,
		Schedule: wish.Schedule.ID, Slot: wish.Slot.ID, SlotOpaque: wish.Slot.Opaque,
		Date: wish.Schedule.Date, Session: wish.Schedule.Session, Start: wish.Slot.Start, End: wish.Slot.End,
		Policy: version, Pay: policy.Pay.Mode(kind, wish.Payer), State: Holding,
		CreatedAt: now, AskedAt: now, SentAt: d.cfg.Wall(), Deadline: now.Add(d.cfg.ConfirmWithin), DueAt: now,
	}
	if d.cfg.Cashier == nil {
		a.Pay = PayAtDesk
	}
	wished := a
	audit := hospital.AuditEntry{
		At: now, Actor: a.Actor, Purpose: "booking", Action: "appointment.book", Object: a.ID,
		Patient: a.Patient, Outcome: "ok", RuleVersion: version,
	}
	a, err = d.cfg.Store.Sell(ctx, Sale{
		Appointment: a, Quota: d.cfg.Quota, Lease: d.cfg.Lease,
		Allow: func(history History) error { return policy.Allow(wish, now, user, history) },
		Audit: audit,
	})
	if err != nil {
		if hospital.KindOf(err) == hospital.Indeterminate {
			return wished, unknown(err) // the commit's answer was lost: recovery finds the row
		}
		if errors.Is(err, ErrNotBound) || errors.Is(err, ErrLocked) || errors.Is(err, ErrLimit) {
			err = d.denied(ctx, audit, err)
		}
		return Appointment{}, err
	}
	a, err = d.drive(ctx, a, true)
	return d.settledDown(ctx, a, err)
}

// settledDown turns where an appointment came to rest into the caller's
// answer. Another worker or the payment may have moved the row on meanwhile.
func (d *Desk) settledDown(ctx context.Context, a Appointment, err error) (Appointment, error) {
	if stale(err) {
		a, err = d.cfg.Store.Find(ctx, a.ID)
	}
	if err != nil {
		if kind := hospital.KindOf(err); !a.State.Terminal() && (kind == hospital.Unavailable || kind == hospital.Internal) {
			err = unknown(err) // the number is claimed, whatever became of the last step
		}
		return a, err
	}
	switch a.State {
	case Refused:
		return a, refusedByHIS(a)
	case Holding, Confirming:
		return a, unknown(nil)
	case Cancelling:
		if a.Cause == ByRefusal {
			return a, refusedByHIS(a)
		}
		return a, unknown(nil)
	case Held, Booked, Settling, Arrived, Fulfilled, Expired, Cancelled, NoShow, Manual:
	}
	return a, nil
}

func refusedByHIS(a Appointment) error {
	if a.Reason == outcome(ErrSlotTaken) {
		return refuse(ErrSlotTaken, "booking.Book", ErrSlotTaken.Message)
	}
	return &hospital.Error{
		Kind: hospital.Rejected, Op: "booking.Book", Code: "his_refused", Detail: a.Reason,
		Message: "医院系统未能受理本次预约，请选择其他时段，或到医院窗口办理。",
	}
}

func (r BookRequest) validate() error {
	schedule, slot := r.Wish.Schedule, r.Wish.Slot
	missing := ""
	switch {
	case r.Wish.Patient == "":
		missing = "Wish.Patient is empty"
	case schedule.ID == "" || schedule.Date.IsZero():
		missing = "Wish.Schedule: id and date are required"
	case slot.ID == "" || slot.Schedule != schedule.ID:
		missing = "Wish.Slot: is not of the schedule"
	case hospital.DateOf(slot.Start) != schedule.Date || !slot.Start.Before(slot.End):
		missing = "Wish.Slot: start and end are not a span of the schedule's day"
	}
	if missing == "" {
		return validActor("booking.Book", r.Actor)
	}
	return &hospital.Error{Kind: hospital.Invalid, Op: "booking.Book", Code: "bad_request", Detail: missing}
}

// validActor refuses an actor that nobody could be held to: an unset or misspelled
// one would pass for staff and stand in the audit trail as nobody.
func validActor(op string, actor hospital.Actor) error {
	switch actor.Kind {
	case hospital.ActorUser, hospital.ActorStaff, hospital.ActorApp, hospital.ActorSystem:
		if actor.ID != "" && actor.Entry != "" {
			return nil
		}
	}
	return &hospital.Error{Kind: hospital.Invalid, Op: op, Code: "bad_actor", Detail: "Actor: a known kind, an id and an entry are required"}
}

// maxSteps bounds how far one call drives an appointment; the longest path,
// from holding to a refused and given back number, is shorter.
const maxSteps = 8

// drive takes the appointment as far as it goes now. Fresh says that this
// worker has just written the intent the appointment is in, and no call has
// followed yet: only then may the HIS be called without being asked first.
func (d *Desk) drive(ctx context.Context, a Appointment, fresh bool) (Appointment, error) {
	for range maxSteps {
		before := a.State
		var err error
		if a, err = d.step(ctx, a, fresh); err != nil {
			return a, err
		}
		if a.State == before || a.State.Terminal() || a.State == Manual {
			return a, nil
		}
		fresh = true
	}
	return a, nil
}

func (d *Desk) step(ctx context.Context, a Appointment, fresh bool) (Appointment, error) {
	switch a.State {
	case Holding:
		return d.stepHolding(ctx, a, fresh)
	case Held:
		return d.stepHeld(ctx, a)
	case Confirming, Settling:
		return d.stepTelling(ctx, a, fresh)
	case Booked, Arrived:
		return d.stepBooked(ctx, a)
	case Cancelling:
		return d.stepCancelling(ctx, a, fresh)
	case Fulfilled, Refused, Expired, Cancelled, NoShow, Manual:
	}
	return a, nil
}

// stepHolding asks the HIS for the number.
func (d *Desk) stepHolding(ctx context.Context, a Appointment, fresh bool) (Appointment, error) {
	if !fresh {
		answer := d.ask(ctx, a, d.cfg.Assurances.Hold)
		switch {
		case answer.verdict == found:
			return d.foundHold(ctx, a, answer.registration)
		case answer.verdict != repeat && answer.verdict != blind:
			return d.unanswered(ctx, a, answer)
		case !d.cfg.Now().Before(a.Deadline):
			return d.leave(ctx, a, ByRefusal, nil)
		}
		var err error
		if a, err = d.stamp(ctx, a); err != nil {
			return a, err
		}
	}
	hold, err := d.hold(ctx, a)
	switch {
	case err == nil:
		return d.gotHold(ctx, a, hold)
	case a.Tries == 0 && (definite(err) || turnedAway(err)):
		return d.refused(ctx, a, err)
	case definite(err): // an earlier call may yet arrive: cancelling makes sure
		return d.leave(ctx, a, ByRefusal, slotTaken(err))
	}
	return d.wait(ctx, a, err)
}

func (d *Desk) hold(ctx context.Context, a Appointment) (hospital.Hold, error) {
	var hold hospital.Hold
	err := d.send(ctx, a, func(ctx context.Context) (err error) {
		hold, err = d.cfg.Slots.Hold(ctx, a.holdRequest())
		return err
	})
	return hold, err
}

// refused ends an appointment to which the HIS said no, or which certainly
// never reached it.
func (d *Desk) refused(ctx context.Context, a Appointment, cause error) (Appointment, error) {
	cause = slotTaken(cause)
	now := d.cfg.Now()
	saved, err := d.save(ctx, a, move{number: fateAfter(cause), cause: cause, events: []string{"appt.refused"}, apply: func(a *Appointment) {
		a.end(Refused, ByRefusal, outcome(cause), now)
	}})
	if err != nil {
		return saved, err
	}
	return saved, cause
}

// slotTaken gives a HIS's Conflict our own code and sentence; other errors pass.
func slotTaken(err error) error {
	if hospital.KindOf(err) != hospital.Conflict || hospital.CodeOf(err) == ErrSuspended.Code {
		return err
	}
	return &hospital.Error{
		Kind: ErrSlotTaken.Kind, Op: "booking.Book", Code: ErrSlotTaken.Code, Message: ErrSlotTaken.Message, Err: err,
	}
}

// fateAfter is what becomes of a number of our own quota once the HIS has
// refused it. One that is another's is never sold again. One refused for any
// other reason is sold after all others: the reason may lie in the number, and
// sold first it would be refused to every patient in turn.
func fateAfter(refusal error) NumberFate {
	switch {
	case refusal == nil, turnedAway(refusal):
		return FreeNumber
	case hospital.CodeOf(refusal) == ErrSlotTaken.Code:
		return BurnNumber
	}
	return DeferNumber
}

func (d *Desk) gotHold(ctx context.Context, a Appointment, hold hospital.Hold) (Appointment, error) {
	if hold.Patient != a.Patient {
		return d.leave(ctx, a, ByRefusal, errWrongPatient())
	}
	policy, err := d.policy(ctx, a.Policy)
	if err != nil {
		return a, err
	}
	now, sent := d.cfg.Now(), d.cfg.Wall()
	until := now.Add(time.Duration(policy.Pay.HoldMinutes) * time.Minute)
	return d.save(ctx, a, move{fact: true, keep: true, apply: func(a *Appointment) {
		a.Hold, a.Tries, a.AskedAt, a.SentAt = hold, 0, now, sent
		if a.Pay == PayBeforeConfirm && a.FeeOnline() {
			a.State = Held
			a.Deadline = earlier(until, holdExpiry(*a, until))
			a.DueAt = now
			return
		}
		a.State = Confirming
		a.Deadline = d.confirmUntil(*a, now)
		a.DueAt = now
	}})
}

// holdExpiry is when the HIS lets an unpaid number go, until when it does not say.
func holdExpiry(a Appointment, until time.Time) time.Time {
	if a.Hold.Expires.IsZero() {
		return until
	}
	return a.Hold.Expires
}

// confirmUntil is how long a confirmation may stay unknown: ConfirmWithin, or
// half an hour before the visit if that is sooner, but a minute at least.
func (d *Desk) confirmUntil(a Appointment, now time.Time) time.Time {
	until := now.Add(d.cfg.ConfirmWithin)
	if before := a.Start.Add(-30 * time.Minute); before.Before(until) {
		until = before
	}
	if least := now.Add(time.Minute); until.Before(least) {
		until = least
	}
	return until
}

// foundHold continues with what the HIS knows under our key.
func (d *Desk) foundHold(ctx context.Context, a Appointment, found hospital.Registration) (Appointment, error) {
	switch {
	case found.Patient != a.Patient:
		return d.leave(ctx, a, ByRefusal, errWrongPatient())
	case !found.State.Live():
		return d.leave(ctx, a, ByRefusal, nil)
	}
	return d.gotHold(ctx, a, holdOf(found))
}

// holdOf is the hold inside what the HIS knows of a registration.
func holdOf(found hospital.Registration) hospital.Hold {
	return hospital.Hold{
		HISNo: found.HISNo, Patient: found.Patient, QueueNo: found.QueueNo, Fee: found.Fee,
		PayOnline: found.PayOnline, Expires: found.Expires, Opaque: found.Opaque,
	}
}

func errWrongPatient() error {
	return &hospital.Error{
		Kind: hospital.Rejected, Op: "booking.Desk", Code: "wrong_patient", Detail: "the HIS answered for another patient",
		Message: "医院系统返回的信息有误，本次未能预约成功，请到医院窗口办理。",
	}
}

// stepHeld opens the charge, and lets the number go when the time is up.
func (d *Desk) stepHeld(ctx context.Context, a Appointment) (Appointment, error) {
	if !d.cfg.Now().Before(a.Deadline) {
		return d.leave(ctx, a, ByUnpaid, nil)
	}
	return d.openCharge(ctx, a, a.Deadline)
}

// openCharge tells the cashier to take the fee; next is when the appointment
// is due again once that is done.
func (d *Desk) openCharge(ctx context.Context, a Appointment, next time.Time) (Appointment, error) {
	if a.Charged {
		return d.rest(ctx, a, next)
	}
	err := d.call(ctx, func(ctx context.Context) error { return d.cfg.Cashier.Open(ctx, a.charge()) })
	if err != nil && !definite(err) {
		due := d.cfg.Now().Add(backoff(a.Tries))
		saved, saveErr := d.save(ctx, a, move{cause: err, apply: func(a *Appointment) {
			a.Tries++
			a.DueAt = earlier(due, next)
		}})
		if saveErr != nil {
			return saved, saveErr
		}
		return saved, nil // the number is held; recovery opens the charge
	}
	opened := move{cause: err, apply: func(a *Appointment) { a.Charged, a.Tries, a.DueAt = true, 0, next }}
	if err == nil {
		opened.events = []string{"appt.pay_due"}
	}
	return d.save(ctx, a, opened)
}

// rest gives the row back until next.
func (d *Desk) rest(ctx context.Context, a Appointment, next time.Time) (Appointment, error) {
	return d.save(ctx, a, move{apply: func(a *Appointment) { a.DueAt, a.Tries = next, 0 }})
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// end brings the appointment to a terminal state.
func (a *Appointment) end(state State, cause Cause, reason string, now time.Time) {
	a.State, a.Cause, a.Reason, a.EndedAt = state, cause, reason, now
	a.Deadline, a.DueAt, a.Tries = time.Time{}, time.Time{}, 0
}
