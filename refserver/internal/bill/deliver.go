package bill

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

func reject(code string, cause error) error {
	return &hospital.Error{
		Kind: hospital.Rejected, Op: "bill.Deliver", Code: code, Err: cause,
		Message: "医院未能受理这笔缴费，已支付的费用将原路退回。",
	}
}

func unknown(code string, cause error) error {
	return &hospital.Error{
		Kind: hospital.Indeterminate, Op: "bill.Desk", Code: code, Err: cause,
		Message: "正在与医院系统核实缴费结果，请稍后查看，不要重复缴费。",
	}
}

// Deliver implements payment.Deliverer: it books the payment at the HIS, once.
// Rejected: the bill was quoted anew, is paid already, or the charge is not
// ours; the money goes back.
func (d *Desk) Deliver(ctx context.Context, delivery hospital.Delivery) error {
	r, ok, err := d.find(ctx, delivery.Key)
	switch {
	case err != nil:
		return err
	case !ok, delivery.Purpose != r.Charge.Purpose, delivery.Purpose.Kind != hospital.ForBill:
		return reject("foreign_charge", nil)
	}
	switch r.state {
	case settled:
		return nil
	case refused, withdrawn:
		return reject(string(r.state), nil)
	case withdrawing:
		return unknown("being_withdrawn", nil)
	case quoted, telling:
	}
	if delivery.Amount != r.Charge.Amount {
		return reject("wrong_amount", nil)
	}
	first := r.state == quoted && !delivery.Again
	if !first {
		done, err := d.ask(ctx, r, delivery)
		if done || err != nil {
			return err
		}
	}
	return d.tell(ctx, r, delivery, first)
}

// ask finds out what became of an earlier call. False without an error means
// that the HIS may be called again.
func (d *Desk) ask(ctx context.Context, r row, delivery hospital.Delivery) (done bool, err error) {
	if !d.cfg.Settle.Queryable && !d.cfg.Settle.Idempotent {
		return false, unknown("cannot_be_asked", nil) // the cashier's case brings a person
	}
	if d.cfg.Settle.Queryable {
		p, err := d.payment(ctx, r.Charge.Key)
		switch {
		case err == nil && p.Reversed:
			return false, reject("reversed", nil)
		case err == nil && !matches(p, r, delivery.Receipt):
			return false, unknown("another_payment", nil)
		case err == nil:
			_, err := d.move(ctx, r, settled, r.sentAt)
			return err == nil, err
		case hospital.KindOf(err) != hospital.NotFound:
			return false, unknown("not_answered", err)
		}
	}
	if d.underWay(r) {
		return false, unknown("quiet_time", nil)
	}
	return false, nil
}

// matches compares what the HIS booked with what was paid.
func matches(p his.Payment, r row, receipt string) bool {
	return p.Patient == r.Charge.Patient && p.Amount == r.Charge.Amount && (p.Receipt == "" || p.Receipt == receipt)
}

// underWay reports whether a request may still reach the HIS, by the wall
// clock: a business clock that leaps does not hurry a network.
func (d *Desk) underWay(r row) bool {
	return !r.sentAt.IsZero() && d.cfg.Wall().Before(r.sentAt.Add(d.cfg.CallTimeout+clockSkew+d.cfg.Settle.Quiet))
}

// tell commits the intent and calls the HIS. The call's time runs from before
// the commit, so it ends within CallTimeout of sent_at.
func (d *Desk) tell(ctx context.Context, r row, delivery hospital.Delivery, first bool) error {
	call, cancel := context.WithTimeout(ctx, d.cfg.CallTimeout)
	defer cancel()
	r, err := d.move(ctx, r, telling, d.cfg.Wall())
	if err != nil {
		return err
	}
	p, err := d.cfg.Billing.Settle(call, his.SettleRequest{
		Key: r.Charge.Key, Bill: his.BillID(r.Charge.Purpose.ID), Patient: r.Charge.Patient, Amount: r.Charge.Amount, Quote: r.Charge.QuoteVersion,
		Receipt: delivery.Receipt, Channel: delivery.Channel, TradeNo: delivery.TradeNo, PaidAt: delivery.PaidAt, Opaque: r.Opaque,
	})
	switch {
	case err == nil && (p.Reversed || !matches(p, r, delivery.Receipt)):
		return unknown("denies_itself", nil)
	case err == nil:
		_, err = d.move(ctx, r, settled, r.sentAt)
		return err
	case !definite(err):
		if hospital.KindOf(err) == hospital.Unavailable {
			return err
		}
		return unknown("not_answered", err)
	case first:
		if _, err := d.move(ctx, r, refused, r.sentAt); err != nil {
			return err
		}
	}
	return reject(hospital.CodeOf(err), err) // of a later word, Withdraw is asked before money moves
}

// definite reports whether the HIS certainly refused.
func definite(err error) bool {
	switch hospital.KindOf(err) {
	case hospital.Rejected, hospital.Conflict, hospital.NotFound, hospital.Invalid:
		return true
	case hospital.Internal, hospital.Denied, hospital.Unavailable, hospital.Indeterminate:
	}
	return false
}

func (d *Desk) payment(ctx context.Context, key hospital.Key) (his.Payment, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.CallTimeout)
	defer cancel()
	return d.cfg.Billing.FindPayment(ctx, key)
}

// Withdraw implements payment.Deliverer: it has the last word. Nil: the HIS has
// not booked the payment, and a Deliver that comes late is refused.
func (d *Desk) Withdraw(ctx context.Context, charge hospital.Key) error {
	r, ok, err := d.find(ctx, charge)
	if err != nil {
		return err
	}
	if !ok {
		added, err := d.insert(ctx, row{state: withdrawn, Charge: hospital.Charge{Key: charge}}, hospital.System("bill"), "bill.withdrawn")
		if err == nil && !added {
			err = errMoved
		}
		return err
	}
	switch r.state {
	case withdrawn:
		return nil
	case settled:
		return &hospital.Error{Kind: hospital.Conflict, Op: "bill.Withdraw", Code: "delivered"}
	case quoted, refused:
		_, err := d.move(ctx, r, withdrawn, time.Time{})
		return err
	case telling, withdrawing:
	}
	return d.takeBack(ctx, r)
}

// takeBack undoes a call whose outcome is unknown. What is found in force
// before we ever asked to reverse it stands.
func (d *Desk) takeBack(ctx context.Context, r row) error {
	absent := false
	if d.cfg.Settle.Queryable {
		p, err := d.payment(ctx, r.Charge.Key)
		switch {
		case err == nil && p.Reversed && !d.underWay(r):
			_, err := d.move(ctx, r, withdrawn, r.sentAt)
			return err
		case err == nil && !p.Reversed && r.state == telling:
			if p.Patient != r.Charge.Patient || p.Amount != r.Charge.Amount {
				return unknown("another_payment", nil)
			}
			if _, err := d.move(ctx, r, settled, r.sentAt); err != nil {
				return err
			}
			return &hospital.Error{Kind: hospital.Conflict, Op: "bill.Withdraw", Code: "delivered"}
		case err != nil && hospital.KindOf(err) != hospital.NotFound:
			return unknown("not_answered", err)
		}
		absent = err != nil
	}
	if d.underWay(r) {
		return unknown("quiet_time", nil)
	}
	if !d.cfg.Settle.Cancellable {
		if !absent {
			return unknown("cannot_be_reversed", nil)
		}
		_, err := d.move(ctx, r, withdrawn, r.sentAt)
		return err
	}
	call, cancel := context.WithTimeout(ctx, d.cfg.CallTimeout)
	defer cancel()
	var err error
	if r.state == telling {
		if r, err = d.move(ctx, r, withdrawing, r.sentAt); err != nil { // from now on no Deliver calls the HIS
			return err
		}
	}
	switch err := d.cfg.Billing.Reverse(call, r.Charge.Key); {
	case err == nil, hospital.KindOf(err) == hospital.NotFound:
		_, err := d.move(ctx, r, withdrawn, r.sentAt)
		return err
	default:
		return unknown("not_reversed", err)
	}
}
