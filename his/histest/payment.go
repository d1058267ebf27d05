package histest

import (
	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// payment is what was booked for a bill or a stay.
type payment struct {
	his.Payment
	Purpose hospital.Purpose
	Entry   hospital.Entry
	Channel string
	TradeNo string
	Request string // fingerprint of what was asked under the key
}

// row is the payment's settlement row: positive when booked, negative when
// reversed.
func (p *payment) row(t turn) his.Settlement {
	amount := p.Amount
	if p.Reversed {
		amount = -amount
	}
	return his.Settlement{
		HISNo: p.HISNo, Key: p.Key, Purpose: p.Purpose.Kind, Patient: p.Patient, Entry: p.Entry,
		Channel: p.Channel, TradeNo: p.TradeNo, Receipt: p.Receipt, Amount: amount, BookedAt: t.now,
	}
}

// bookedBefore answers a repetition under the key: the same request gets the
// same payment. It returns nil, nil when nothing was booked under the key.
func (t turn) bookedBefore(at purposeKey, request string) (*payment, error) {
	past, ok := t.state.payments[at]
	switch {
	case t.state.barred[at]:
		return nil, t.refuse(hospital.Rejected, "key_cancelled", "reversed before the payment arrived")
	case !ok:
		return nil, nil
	case past.Request != request:
		return nil, t.refuse(hospital.Rejected, "key_reused", "another payment was booked under the key")
	case past.Reversed:
		return nil, t.refuse(hospital.Rejected, "key_cancelled", "the payment was reversed")
	}
	return past, nil
}

// findPayment returns what was booked under the key.
func (t turn) findPayment(at purposeKey) (his.Payment, error) {
	if !at.key.Valid() {
		return his.Payment{}, t.refuse(hospital.Invalid, "bad_key", "")
	}
	p, ok := t.state.payments[at]
	if !ok {
		return his.Payment{}, t.refuse(hospital.NotFound, "unknown_key", "")
	}
	return p.answer(), nil
}

func (p *payment) answer() his.Payment {
	a := p.Payment
	a.BookedAt = a.BookedAt.In(hospital.CST)
	return a
}

// reverse undoes what was booked under the key; a key never seen is barred.
func (t turn) reverse(at purposeKey) error {
	if !at.key.Valid() {
		return t.refuse(hospital.Invalid, "bad_key", "")
	}
	p, ok := t.state.payments[at]
	switch {
	case !ok && t.state.barred[at], ok && p.Reversed:
		return nil
	case !ok:
		return t.record(effect{Kind: barred, Key: at.key, Barred: at.purpose})
	}
	undone := *p
	undone.Reversed = true
	e := effect{Kind: reversed, Key: at.key, Payment: &undone, Rows: []his.Settlement{undone.row(t)}}
	if b, ok := t.state.bills[his.BillID(p.Purpose.ID)]; ok && at.purpose == hospital.ForBill {
		owed := *b
		owed.State = his.BillUnpaid
		e.Bills = []*his.Bill{&owed}
	}
	return t.record(e)
}
