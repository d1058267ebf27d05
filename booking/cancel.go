package booking

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
)

// CancelRequest gives a number back.
type CancelRequest struct {
	ID     string
	Actor  hospital.Actor
	Cause  Cause  // ByPatient, ByStaff or BySuspended
	Reason string // required of staff; no patient data
}

// Cancel gives a number back: by the patient within the policy the appointment
// was made under, by staff at any time before the visit. The fee that was paid
// online is refunded without asking.
//
// It returns nil error with the appointment Cancelled; NotFound for an
// appointment of a patient whom the user does not hold, and for none, alike;
// Rejected cancel_too_late; Conflict in_progress while the HIS is being asked
// or when the appointment has ended already; Indeterminate with the
// appointment Cancelling: recovery finishes it.
func (d *Desk) Cancel(ctx context.Context, request CancelRequest) (Appointment, error) {
	if err := validActor("booking.Cancel", request.Actor); err != nil {
		return Appointment{}, err
	}
	a, err := d.cfg.Store.Find(ctx, request.ID)
	if err != nil {
		return Appointment{}, absentAlike("booking.Cancel", err)
	}
	if err := d.mayCancel(ctx, a, request); err != nil {
		switch hospital.KindOf(err) {
		case hospital.Denied, hospital.NotFound, hospital.Rejected:
			err = d.denied(ctx, hospital.AuditEntry{
				Actor: request.Actor, Purpose: "booking", Action: "appointment.cancel", Object: a.ID,
				Patient: a.Patient, RuleVersion: a.Policy,
			}, err)
		case hospital.Internal, hospital.Invalid, hospital.Conflict, hospital.Unavailable, hospital.Indeterminate:
		}
		return Appointment{}, err
	}
	switch a.State {
	case Held, Booked, Arrived:
	case Holding, Confirming, Settling, Cancelling, Manual:
		return a, refuse(ErrInProgress, "booking.Cancel", ErrInProgress.Message)
	case Fulfilled, Refused, Expired, Cancelled, NoShow:
		return a, refuse(ErrInProgress, "booking.Cancel", "该预约已结束，无需取消，请刷新后查看。")
	}
	a, err = d.leaveFor(ctx, a, request.Cause, request.Reason, nil, request.Actor)
	if stale(err) {
		return a, refuse(ErrInProgress, "booking.Cancel", ErrInProgress.Message)
	}
	if err != nil {
		return a, err
	}
	a, err = d.drive(ctx, a, true)
	return d.settledDown(ctx, a, err)
}

func (d *Desk) mayCancel(ctx context.Context, a Appointment, request CancelRequest) error {
	const op = "booking.Cancel"
	switch request.Cause {
	case ByPatient:
		if request.Actor.Kind == hospital.ActorUser {
			bound, err := d.cfg.Store.Bound(ctx, hospital.UserID(request.Actor.ID))
			if err != nil {
				return err
			}
			if !holds(bound, a.Patient) {
				return absentAlike(op, &hospital.Error{Kind: hospital.NotFound})
			}
		}
		if request.Actor.Kind == hospital.ActorApp && request.Actor.ID != a.Actor.ID {
			return absentAlike(op, &hospital.Error{Kind: hospital.NotFound}) // an application cancels what it booked
		}
		policy, err := d.policy(ctx, a.Policy)
		if err != nil {
			return err
		}
		if a.State == Held {
			return nil // nothing is firm yet
		}
		return policy.AllowCancel(a, d.cfg.Now())
	case ByStaff, BySuspended:
		if request.Actor.Kind == hospital.ActorUser || request.Actor.Kind == hospital.ActorApp {
			return &hospital.Error{Kind: hospital.Denied, Op: op, Code: "staff_only", Detail: "cause " + string(request.Cause)}
		}
		if !reasonable(request.Reason) {
			return &hospital.Error{Kind: hospital.Invalid, Op: op, Code: "bad_request", Detail: "Reason: staff give one, of 1 to 200 characters"}
		}
		return nil
	case ByUnpaid, ByRefusal, ByDoubt:
	}
	return &hospital.Error{Kind: hospital.Invalid, Op: op, Code: "bad_request", Detail: "Cause: want patient, staff or suspended"}
}

// maxReason bounds why staff did something; it stands in the row and in the
// audit trail.
const maxReason = 200

func reasonable(reason string) bool {
	return reason != "" && len([]rune(reason)) <= maxReason
}

// absentAlike gives a foreign appointment and an absent one the same answer;
// other failures pass.
func absentAlike(op string, err error) error {
	if hospital.KindOf(err) != hospital.NotFound {
		return err
	}
	return &hospital.Error{Kind: hospital.NotFound, Op: op, Code: "not_found", Message: "没有找到该预约，请返回后重试。"}
}

func holds(bound []Binding, patient hospital.PatientID) bool {
	for _, binding := range bound {
		if binding.Patient == patient {
			return true
		}
	}
	return false
}

// leave starts to give the number back for a cause of our own.
func (d *Desk) leave(ctx context.Context, a Appointment, cause Cause, why error) (Appointment, error) {
	reason := ""
	if why != nil {
		reason = outcome(why)
	}
	return d.leaveFor(ctx, a, cause, reason, why, hospital.System("booking"))
}

func (d *Desk) leaveFor(ctx context.Context, a Appointment, cause Cause, reason string, why error, actor hospital.Actor) (Appointment, error) {
	leaving := d.leaving(cause, reason, why)
	return d.save(ctx, a, move{keep: true, cause: why, actor: actor, apply: leaving})
}

// vouch starts to give back what staff vouch the HIS has not in force.
func (d *Desk) vouch(ctx context.Context, a Appointment, reason string, actor hospital.Actor) (Appointment, error) {
	leaving := d.leaving(ByStaff, reason, nil)
	return d.save(ctx, a, move{keep: true, actor: actor, apply: func(a *Appointment) {
		leaving(a)
		a.Vouched = true
	}})
}

func (d *Desk) leaving(cause Cause, reason string, why error) func(*Appointment) {
	now, sent := d.cfg.Now(), d.cfg.Wall()
	return func(a *Appointment) {
		a.State, a.Cause, a.Reason, a.Vouched = Cancelling, cause, reason, false
		if a.Fate != BurnNumber {
			a.Fate = fateAfter(why)
		}
		a.Deadline, a.AskedAt, a.SentAt, a.DueAt, a.Tries = now.Add(d.cfg.GiveUpAfter), now, sent, now, 0
	}
}

// stepCancelling gives a number back in the order that cannot lose money or
// sell a number twice: first nobody can pay any more, then the HIS certainly
// has no registration in force, then the money goes back, and only then is the
// number free.
func (d *Desk) stepCancelling(ctx context.Context, a Appointment, fresh bool) (Appointment, error) {
	paid := false
	if a.Pay != PayAtDesk && d.cfg.Cashier != nil { // whatever today's hold says: closing what was never opened is harmless
		err := d.call(ctx, func(ctx context.Context) error { return d.cfg.Cashier.Close(ctx, a.ChargeKey()) })
		switch {
		case err == nil:
		case hospital.KindOf(err) == hospital.Conflict:
			paid = true
		default:
			return d.wait(ctx, a, err)
		}
	}
	if !a.Vouched {
		switch gone, saved, err := d.giveBack(ctx, a, fresh); {
		case err != nil:
			return saved, err
		case !gone:
			return saved, nil
		default:
			a = saved
		}
	}
	if paid {
		err := d.call(ctx, func(ctx context.Context) error {
			return d.cfg.Cashier.Refund(ctx, a.ChargeKey(), string(a.Cause))
		})
		if err != nil {
			return d.wait(ctx, a, err)
		}
	}
	now := d.cfg.Now()
	return d.save(ctx, a, move{number: a.Fate, events: []string{leftEvent(a.Cause)}, apply: func(a *Appointment) {
		a.end(a.Cause.end(), a.Cause, a.Reason, now)
	}})
}

func leftEvent(cause Cause) string {
	switch cause {
	case BySuspended:
		return "appt.stopped"
	case ByUnpaid:
		return "appt.expired"
	case ByRefusal:
		return "appt.refused"
	case ByPatient, ByStaff, ByDoubt:
	}
	return "appt.cancelled"
}

// giveBack makes sure that the HIS has no registration in force. It reports
// false when the appointment went elsewhere: the visit took place, or a person
// has to decide.
func (d *Desk) giveBack(ctx context.Context, a Appointment, fresh bool) (bool, Appointment, error) {
	if !fresh && !d.cfg.Assurances.Cancel.Idempotent {
		answer := d.ask(ctx, a, d.cfg.Assurances.Cancel)
		switch {
		case answer.verdict == found && !answer.registration.State.Live():
			return true, a, nil
		case answer.verdict == found: // in force, but an earlier cancel may be under way
			answer = d.absent(a, d.cfg.Assurances.Cancel)
		}
		if answer.verdict == person || answer.verdict == later {
			saved, err := d.unanswered(ctx, a, answer)
			return false, saved, err
		}
	}
	if !fresh || d.left(a) < d.cfg.CallTimeout/2 { // the cashier took its time
		var err error
		if a, err = d.stamp(ctx, a); err != nil {
			return false, a, err
		}
	}
	err := d.send(ctx, a, func(ctx context.Context) error { return d.cfg.Slots.Cancel(ctx, a.Key()) })
	switch {
	case err == nil, hospital.KindOf(err) == hospital.NotFound:
		return true, a, nil
	case definite(err):
		return d.stays(ctx, a, err)
	}
	saved, err := d.wait(ctx, a, err)
	return false, saved, err
}

// stays handles a HIS that refuses to cancel: the visit took place, or the
// registration is gone already, of which it reports true.
func (d *Desk) stays(ctx context.Context, a Appointment, refusal error) (bool, Appointment, error) {
	if !d.cfg.Assurances.Confirm.Queryable {
		saved, err := d.toManual(ctx, a, "the HIS refused to cancel: "+outcome(refusal))
		return false, saved, err
	}
	found, err := d.find(ctx, a)
	if err != nil {
		saved, err := d.wait(ctx, a, err)
		return false, saved, err
	}
	if found.Patient != a.Patient {
		saved, err := d.toManual(ctx, a, "the HIS answered for another patient")
		return false, saved, err
	}
	if !found.State.Live() {
		return true, a, nil
	}
	var state State
	switch found.State {
	case hospital.RegistrationArrived:
		state = Arrived
	case hospital.RegistrationFulfilled:
		state = Fulfilled
	case hospital.RegistrationHeld, hospital.RegistrationRegistered, hospital.RegistrationCancelled, hospital.RegistrationSuspended:
	}
	if state == "" {
		saved, err := d.toManual(ctx, a, "the HIS refused to cancel: "+outcome(refusal))
		return false, saved, err
	}
	now := d.cfg.Now()
	saved, err := d.save(ctx, a, move{cause: refusal, apply: func(a *Appointment) {
		a.learnPayment(found)
		if state == Fulfilled {
			a.end(Fulfilled, "", "", now)
			return
		}
		a.State, a.Cause, a.Reason, a.Tries, a.Deadline = state, "", "", 0, time.Time{}
		a.DueAt = d.nextCheck(*a, now)
	}})
	if err != nil {
		return false, saved, err
	}
	return false, saved, refuse(ErrTooLate, "booking.Cancel", "您已就诊或已取号，不能在线取消，如有疑问请到医院窗口咨询。")
}
