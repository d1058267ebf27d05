package histest

import (
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// Till is a place inside the hospital that sells numbers and takes money: the
// window (人工窗口) or the kiosk (自助机). It sells from the same pool as
// everybody, except the platform's own numbers, and books under its entry.
type Till struct {
	hospital *Hospital
	entry    hospital.Entry
	channel  string
}

// Window is the counter with a clerk; patients pay cash.
func (h *Hospital) Window() *Till { return &Till{h, hospital.EntryWindow, "cash"} }

// Kiosk is the machine in the hall; patients pay by bank card.
func (h *Hospital) Kiosk() *Till { return &Till{h, hospital.EntryKiosk, "unionpay"} }

// Sell registers the patient and takes the fee at once. Errors are those of
// [Hospital.Hold].
func (w *Till) Sell(slot hospital.SlotID, patient hospital.PatientID) (answer hospital.Registration, err error) {
	err = w.hospital.act("histest.Till.Sell", func(t turn) error {
		r, err := t.take(hospital.HoldRequest{Slot: slot, Patient: patient, Entry: w.entry})
		if err != nil {
			return err
		}
		r.State, r.Expires = hospital.RegistrationRegistered, time.Time{}
		w.pay(r)
		answer = r.answer()
		return t.record(effect{Kind: sold, Registrations: []*registration{r}, Rows: []his.Settlement{t.feeRow(r)}})
	})
	return answer, err
}

// pay takes the fee of a registration into the till.
func (w *Till) pay(r *registration) {
	r.Paid, r.Receipt, r.Channel, r.PaidBy = r.Fee, "R"+r.HISNo, w.channel, w.entry
}

// TakeFee takes the fee of a registration that was made elsewhere, as insured
// patients pay it. NotFound: no such number. Rejected: already_paid,
// not_registered.
func (w *Till) TakeFee(hisNo string) (answer hospital.Registration, err error) {
	err = w.hospital.act("histest.Till.TakeFee", func(t turn) error {
		r, ok := t.state.registrations[hisNo]
		switch {
		case !ok:
			return t.refuse(hospital.NotFound, "no_such_registration", "")
		case r.Paid > 0:
			return t.refuse(hospital.Rejected, "already_paid", "")
		case !r.State.Live() || r.State == hospital.RegistrationHeld:
			return t.refuse(hospital.Rejected, "not_registered", string(r.State))
		}
		with := *r
		w.pay(&with)
		answer = with.answer()
		return t.record(effect{Kind: paid, Key: r.Key, Registrations: []*registration{&with}, Rows: []his.Settlement{t.feeRow(&with)}})
	})
	return answer, err
}

// Cancel takes a registration of any entry out of force and pays its fee back.
// NotFound: no such number. Rejected visited: the visit took place.
func (w *Till) Cancel(hisNo string) error {
	return w.hospital.act("histest.Till.Cancel", func(t turn) error {
		r, ok := t.state.registrations[hisNo]
		if !ok {
			return t.refuse(hospital.NotFound, "no_such_registration", "")
		}
		return t.cancel(r)
	})
}

// Settle takes the full sum of a bill as it is owed now. NotFound: no such
// bill. Conflict bill_paid: it is not owed any more.
func (w *Till) Settle(bill his.BillID) (answer his.Payment, err error) {
	err = w.hospital.act("histest.Till.Settle", func(t turn) error {
		b, ok := t.state.bills[bill]
		switch {
		case !ok:
			return t.refuse(hospital.NotFound, "no_such_bill", "")
		case b.State != his.BillUnpaid:
			return t.refuse(hospital.Conflict, "bill_paid", string(b.State))
		}
		p, e := t.settleBill(b, w.entry)
		p.Receipt, p.Channel = "R"+p.HISNo, w.channel
		e.Rows = []his.Settlement{p.row(t)}
		answer = p.answer()
		return t.record(e)
	})
	return answer, err
}
