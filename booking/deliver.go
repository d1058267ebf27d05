package booking

import (
	"context"

	"github.com/wxhospital/hospital"
)

// Deliver tells the desk that a registration fee was paid; payment calls it,
// and calls it again until it gets a definite answer. Nil: the HIS has booked
// the fee. Rejected: it never will, the money goes back. Indeterminate or
// Unavailable: not known yet.
func (d *Desk) Deliver(ctx context.Context, delivery hospital.Delivery) error {
	const op = "booking.Deliver"
	for range maxMerges {
		a, err := d.cfg.Store.Find(ctx, delivery.Purpose.ID)
		if err != nil {
			return noAppointment(op, err)
		}
		if delivery.Purpose.Kind != hospital.ForRegistration || delivery.Key != a.ChargeKey() {
			return rejectPayment(op, "foreign_charge")
		}
		if done, err := d.deliver(ctx, a, delivery); !stale(err) {
			if err == nil && !done {
				err = unknown(nil)
			}
			return err
		}
	}
	return unknown(ErrStale)
}

// noAppointment turns a purpose that does not exist into a definite refusal.
func noAppointment(op string, err error) error {
	if hospital.KindOf(err) == hospital.NotFound {
		return rejectPayment(op, "no_appointment")
	}
	return err
}

func rejectPayment(op, code string) error {
	return &hospital.Error{
		Kind: hospital.Rejected, Op: op, Code: code,
		Message: "号源已释放或医院未能受理，已支付的费用将原路退回。",
	}
}

// deliver reports true when the HIS has the payment on its books, false
// without error when that is not known yet.
func (d *Desk) deliver(ctx context.Context, a Appointment, delivery hospital.Delivery) (bool, error) {
	const op = "booking.Deliver"
	now := d.cfg.Now()
	mine := a.Receipt == delivery.Receipt && a.Paid == delivery.Amount
	if a.Withdrawn {
		return false, rejectPayment(op, "withdrawn")
	}
	switch a.State {
	case Held:
		if !now.Before(a.Deadline) {
			return false, rejectPayment(op, "hold_expired")
		}
		return d.tell(ctx, a, delivery, Confirming)
	case Booked:
		switch {
		case mine && a.PaidAtHIS:
			return true, nil
		case a.PaidAtHIS:
			return false, rejectPayment(op, "paid_elsewhere")
		}
		return d.tell(ctx, a, delivery, Settling)
	case Confirming, Settling:
		if !mine {
			return false, nil
		}
		a, err := d.step(ctx, a, false)
		return d.delivered(a, delivery, err)
	case Cancelling:
		if a.Paid > 0 { // the HIS may have it: wait until it certainly has not
			return false, nil
		}
		return false, rejectPayment(op, "leaving")
	case Holding, Manual:
		return mine && a.PaidAtHIS, nil
	case Arrived, Fulfilled, NoShow:
		if mine && a.PaidAtHIS {
			return true, nil
		}
		return false, rejectPayment(op, "visit_over")
	case Refused, Expired, Cancelled:
	}
	return false, rejectPayment(op, "left")
}

// tell commits the intent to tell the HIS, and tells it.
func (d *Desk) tell(ctx context.Context, a Appointment, delivery hospital.Delivery, state State) (bool, error) {
	if delivery.Amount != a.Hold.Fee {
		return false, rejectPayment("booking.Deliver", "wrong_amount")
	}
	now, sent := d.cfg.Now(), d.cfg.Wall()
	a, err := d.save(ctx, a, move{keep: true, apply: func(a *Appointment) {
		a.State, a.AskedAt, a.SentAt, a.DueAt, a.Tries = state, now, sent, now, 0
		a.Paid, a.Receipt, a.Channel = delivery.Amount, delivery.Receipt, delivery.Channel
		a.TradeNo, a.PaidAt = delivery.TradeNo, delivery.PaidAt
		a.Deadline = d.confirmUntil(*a, now)
		if state == Settling {
			a.Deadline = now.Add(d.cfg.GiveUpAfter)
		}
	}})
	if err != nil {
		return false, err
	}
	a, err = d.step(ctx, a, true) // one step: giving a number back calls the cashier, who is calling us
	return d.delivered(a, delivery, err)
}

// delivered judges where a delivery left the appointment.
func (d *Desk) delivered(a Appointment, delivery hospital.Delivery, err error) (bool, error) {
	switch {
	case a.PaidAtHIS && a.Receipt == delivery.Receipt:
		return true, nil
	case stale(err):
		return false, err
	case a.State == Booked:
		return false, rejectPayment("booking.Deliver", "not_taken")
	case a.State.Terminal():
		return false, rejectPayment("booking.Deliver", "left")
	}
	return false, nil
}

// Withdraw gives up a delivery that stayed unknown. Nil: the HIS certainly has
// not booked the fee, and no late delivery of this charge will make it. Conflict:
// it has, the delivery is done. Indeterminate: not known yet, ask again.
func (d *Desk) Withdraw(ctx context.Context, charge hospital.Key) error {
	if len(charge) < 2 {
		return nil // no charge of ours: nothing can be in force
	}
	for range maxMerges {
		a, err := d.cfg.Store.Find(ctx, string(charge[1:]))
		if err != nil {
			if hospital.KindOf(err) == hospital.NotFound {
				return nil
			}
			return err
		}
		if err := d.withdraw(ctx, a); !stale(err) {
			return err
		}
	}
	return unknown(ErrStale)
}

func (d *Desk) withdraw(ctx context.Context, a Appointment) error {
	var err error
	switch a.State {
	case Confirming:
		_, err = d.leave(ctx, a, ByDoubt, nil)
		if err == nil {
			err = unknown(nil)
		}
		return err
	case Settling:
		if a, err = d.tellAgain(ctx, a, true); err != nil {
			return err
		}
	case Holding, Held, Booked, Arrived, Cancelling, Manual, Fulfilled, Refused, Expired, Cancelled, NoShow:
	}
	switch {
	case a.PaidAtHIS && a.Paid > 0:
		return &hospital.Error{Kind: hospital.Conflict, Op: "booking.Withdraw", Code: "delivered"}
	case a.State == Refused, a.State == Expired, a.State == Cancelled, a.Withdrawn:
		return nil
	case a.State == Held, a.State == Booked, a.State == Arrived, a.State.Terminal():
		_, err := d.save(ctx, a, move{apply: func(a *Appointment) { a.Withdrawn = true }})
		return err
	}
	return unknown(nil)
}
