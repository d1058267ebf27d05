package booking

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
)

// stepTelling tells the HIS that a hold is firm (Confirming) or that the fee of
// a firm registration was paid (Settling).
func (d *Desk) stepTelling(ctx context.Context, a Appointment, fresh bool) (Appointment, error) {
	if fresh {
		return d.tellHIS(ctx, a)
	}
	return d.tellAgain(ctx, a, !d.cfg.Now().Before(a.Deadline))
}

func (d *Desk) tellHIS(ctx context.Context, a Appointment) (Appointment, error) {
	var registration hospital.Registration
	err := d.send(ctx, a, func(ctx context.Context) (err error) {
		registration, err = d.cfg.Slots.Confirm(ctx, a.confirmRequest())
		return err
	})
	switch {
	case err == nil && registration.Patient != a.Patient:
		return d.untold(ctx, a, errWrongPatient())
	case err == nil && (!firm(registration.State) || registration.Paid < a.Paid):
		return d.wait(ctx, a, errDenied) // an answer that denies what it confirms is no answer
	case err == nil:
		return d.told(ctx, a, registration)
	case definite(err):
		return d.untold(ctx, a, err)
	}
	return d.wait(ctx, a, err)
}

var errDenied = &hospital.Error{
	Kind: hospital.Indeterminate, Op: "booking.Desk", Code: "denies_itself",
	Detail: "the HIS confirmed a registration that is not in force, or not the fee",
}

// firm reports whether a registration stands beyond a hold.
func firm(state hospital.RegistrationState) bool {
	return state.Live() && state != hospital.RegistrationHeld
}

// tellAgain finds out what became of the call, and repeats it when it certainly
// was not applied – or gives it up.
func (d *Desk) tellAgain(ctx context.Context, a Appointment, giveUp bool) (Appointment, error) {
	answer := d.ask(ctx, a, d.cfg.Assurances.Confirm)
	forgotten := answer.verdict == repeat && d.cfg.Assurances.Confirm.Queryable
	if answer.verdict == found {
		settled, saved, err := d.foundTold(ctx, a, answer.registration)
		if settled {
			return saved, err
		}
		if answer.registration.State == hospital.RegistrationHeld {
			a.Hold = holdOf(answer.registration) // a number claimed again may have a new number at the HIS
		}
		answer, forgotten = d.absent(a, d.cfg.Assurances.Confirm), false
	}
	switch {
	case answer.verdict == blind && a.State == Confirming && giveUp:
		return d.leave(ctx, a, ByDoubt, nil) // cancelling makes sure
	case answer.verdict == blind: // giving up needs certainty, and only the call itself can bring it
	case answer.verdict != repeat:
		return d.unanswered(ctx, a, answer)
	case giveUp:
		return d.untold(ctx, a, nil)
	}
	a, err := d.stamp(ctx, a)
	if err != nil {
		return a, err
	}
	if forgotten { // a HIS that was restored from a backup: claim the number again first
		telling := a.State
		if a, err = d.reclaim(ctx, a); err != nil || a.State != telling {
			return a, err
		}
	}
	return d.tellHIS(ctx, a)
}

// reclaim asks for the number again under the same key.
func (d *Desk) reclaim(ctx context.Context, a Appointment) (Appointment, error) {
	hold, err := d.hold(ctx, a)
	switch {
	case err == nil && hold.Patient == a.Patient:
		now, sent := d.cfg.Now(), d.cfg.Wall()
		return d.save(ctx, a, move{fact: true, keep: true, apply: func(a *Appointment) {
			a.Hold, a.AskedAt, a.SentAt = hold, now, sent
		}})
	case err == nil:
		return d.leave(ctx, a, ByRefusal, errWrongPatient())
	case definite(err):
		return d.leave(ctx, a, ByRefusal, slotTaken(err))
	}
	return d.wait(ctx, a, err)
}

// foundTold reads what the HIS knows. It reports false when the HIS knows the
// registration but not what it was told: the call was never applied.
func (d *Desk) foundTold(ctx context.Context, a Appointment, found hospital.Registration) (bool, Appointment, error) {
	switch {
	case found.Patient != a.Patient:
		saved, err := d.untold(ctx, a, errWrongPatient())
		return true, saved, err
	case found.State == hospital.RegistrationSuspended:
		saved, err := d.leave(ctx, a, BySuspended, nil)
		return true, saved, err
	case !found.State.Live():
		saved, err := d.leave(ctx, a, ByStaff, nil)
		return true, saved, err
	case found.State == hospital.RegistrationHeld:
		return false, a, nil
	case a.Paid > 0 && found.Paid == 0:
		return false, a, nil
	}
	saved, err := d.told(ctx, a, found)
	return true, saved, err
}

// told records that the registration stands. Somebody may have paid it at the
// window meanwhile: then our payment was not taken, and Deliver sends it back.
func (d *Desk) told(ctx context.Context, a Appointment, registration hospital.Registration) (Appointment, error) {
	now := d.cfg.Now()
	first := a.State == Confirming
	booked := move{fact: true, keep: a.FeeOnline() && !a.Charged, apply: func(a *Appointment) {
		a.State, a.Deadline, a.Tries = Booked, time.Time{}, 0
		a.Hold.QueueNo, a.Hold.HISNo = registration.QueueNo, registration.HISNo
		a.learnPayment(registration)
		a.AskedAt = now
		a.DueAt = d.nextCheck(*a, now)
	}}
	if first {
		booked.events = []string{"appt.booked"}
	}
	return d.save(ctx, a, booked)
}

// untold records that the HIS said no. A registration that was not yet firm
// leaves; a firm one stays, unpaid, and the payment goes back.
func (d *Desk) untold(ctx context.Context, a Appointment, cause error) (Appointment, error) {
	if a.State == Confirming {
		return d.leave(ctx, a, ByRefusal, slotTaken(cause))
	}
	if a.PaidAtHIS { // payment was told that the fee is delivered: it is not for us to take that back
		return d.toManual(ctx, a, "the HIS no longer has the fee: "+outcome(cause))
	}
	now := d.cfg.Now()
	saved, err := d.save(ctx, a, move{cause: cause, apply: func(a *Appointment) {
		a.State, a.Deadline, a.Tries = Booked, time.Time{}, 0
		a.forgetPayment()
		a.DueAt = d.nextCheck(*a, now)
	}})
	if err != nil {
		return saved, err
	}
	return saved, cause
}

// feeMissing reports whether the HIS, which had booked the fee, no longer has one.
func (a *Appointment) feeMissing(registration hospital.Registration) bool {
	return a.PaidAtHIS && a.Paid > 0 && registration.Paid == 0
}

// learnPayment takes over what the HIS has booked as paid. A fee that it took
// under another receipt, at the window, makes ours one that was never taken. A
// fee that it had and has lost stays: payment was told that it is delivered.
func (a *Appointment) learnPayment(registration hospital.Registration) {
	if a.feeMissing(registration) {
		return
	}
	a.PaidAtHIS = registration.Paid > 0
	if !a.PaidAtHIS || registration.Receipt != a.Receipt {
		a.forgetPayment()
	}
}

// forgetPayment takes back that a payment was delivered.
func (a *Appointment) forgetPayment() {
	a.Paid, a.Receipt, a.Channel, a.TradeNo, a.PaidAt = 0, "", "", "", time.Time{}
}
