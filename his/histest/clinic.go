package histest

import (
	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// Suspend closes a clinic (停诊): nothing of it can be sold any more, its live
// registrations become suspended, and fees that were paid are booked back. A
// patient who was seen already stays seen. It returns the registrations it
// ended. NotFound: no such schedule. Conflict: closed already.
func (h *Hospital) Suspend(schedule hospital.ScheduleID, reason string, substitute hospital.DoctorID) (ended []hospital.Registration, err error) {
	err = h.act("histest.Suspend", func(t turn) error {
		c, ok := t.clinic(schedule)
		if !ok {
			return t.refuse(hospital.NotFound, "no_such_schedule", "")
		}
		if _, closed := t.state.suspensions[schedule]; closed {
			return t.refuse(hospital.Conflict, "suspended", "closed already")
		}
		e := effect{Kind: suspended, Suspension: &hospital.Suspension{
			Schedule: schedule, Date: c.Date, Reason: reason, Substitute: substitute,
		}}
		for _, no := range t.state.bySchedule[schedule] {
			r := t.state.registrations[no]
			if !r.State.Live() || r.State == hospital.RegistrationFulfilled {
				continue
			}
			off, rows := t.takeBack(r, suspended)
			e.Registrations = append(e.Registrations, off)
			e.Rows = append(e.Rows, rows...)
			ended = append(ended, off.answer())
		}
		return t.record(e)
	})
	return ended, err
}

// Arrive checks in a patient at the desk, whoever made the registration.
// NotFound: no such number. Rejected: not_today, not_registered.
func (h *Hospital) Arrive(hisNo string) error {
	return h.act("histest.Arrive", func(t turn) error {
		r, ok := t.state.registrations[hisNo]
		if !ok {
			return t.refuse(hospital.NotFound, "no_such_registration", "")
		}
		_, err := t.arrive(r)
		return err
	})
}

// See is the visit: the doctor saw the patient (已就诊). A no-show is whoever is
// never seen. NotFound: no such number. Rejected: not_today, not_registered.
func (h *Hospital) See(hisNo string) error {
	return h.act("histest.See", func(t turn) error {
		r, ok := t.state.registrations[hisNo]
		if !ok {
			return t.refuse(hospital.NotFound, "no_such_registration", "")
		}
		if r.State == hospital.RegistrationFulfilled {
			return nil
		}
		r, err := t.arrive(r)
		if err != nil {
			return err
		}
		done := *r
		done.State = hospital.RegistrationFulfilled
		return t.record(effect{Kind: seen, Key: r.Key, Registrations: []*registration{&done}})
	})
}

// NewBill is what a doctor orders.
type NewBill struct {
	Patient    hospital.PatientID
	Department hospital.DepartmentID // default: the first
	Kind       string                // default: 药品费
	Place      string                // default: 门诊楼1楼西药房1号窗口
	Items      []his.BillItem
}

// AddBill makes the patient owe something. Invalid: no items, or an item
// without a positive sum. NotFound: no such patient or department.
func (h *Hospital) AddBill(order NewBill) (answer his.Bill, err error) {
	err = h.act("histest.AddBill", func(t turn) error {
		if err := t.knownPatient(order.Patient); err != nil {
			return err
		}
		if err := t.checkItems(order.Items); err != nil {
			return err
		}
		dept := t.staff.departments[0]
		if order.Department != "" {
			found, ok := t.staff.department(order.Department)
			if !ok {
				return t.refuse(hospital.NotFound, "no_such_department", "")
			}
			dept = found
		}
		b := his.Bill{
			ID: his.BillID(t.nextNo("ZD")), Patient: order.Patient, State: his.BillUnpaid, Department: dept.Name,
			Kind: order.Kind, Amount: sum(order.Items), Quote: "1",
			PayOnline: t.state.patients[order.Patient].Payer == hospital.SelfPay,
			CreatedAt: t.now, Items: order.Items, Place: order.Place,
		}
		for _, d := range t.staff.doctors {
			if d.Department == dept.ID {
				b.Doctor = d.Name
				break
			}
		}
		if b.Kind == "" {
			b.Kind = "药品费"
		}
		if b.Place == "" {
			b.Place = "门诊楼1楼西药房1号窗口"
		}
		b.Opaque = "bill|" + string(b.ID)
		answer = b
		return t.record(effect{Kind: billed, Bills: []*his.Bill{&b}})
	})
	return answer, err
}

// ChangeBill quotes an unpaid bill anew: other items, another version. NotFound:
// no such bill. Conflict bill_paid: it is not owed any more.
func (h *Hospital) ChangeBill(id his.BillID, items []his.BillItem) (answer his.Bill, err error) {
	err = h.act("histest.ChangeBill", func(t turn) error {
		b, ok := t.state.bills[id]
		if !ok {
			return t.refuse(hospital.NotFound, "no_such_bill", "")
		}
		if b.State != his.BillUnpaid {
			return t.refuse(hospital.Conflict, "bill_paid", string(b.State))
		}
		if err := t.checkItems(items); err != nil {
			return err
		}
		anew := *b
		anew.Items, anew.Amount, anew.Quote = items, sum(items), nextQuote(b.Quote)
		answer = anew
		return t.record(effect{Kind: rebilled, Bills: []*his.Bill{&anew}})
	})
	return answer, err
}

func (t turn) checkItems(items []his.BillItem) error {
	if len(items) == 0 {
		return t.refuse(hospital.Invalid, "items_required", "")
	}
	for _, item := range items {
		if item.Amount <= 0 {
			return t.refuse(hospital.Invalid, "bad_amount", "an item costs something")
		}
	}
	return nil
}

// nextQuote counts the versions of a bill.
func nextQuote(quote string) string {
	version := int64(0)
	for _, c := range []byte(quote) {
		version = version*10 + int64(c-'0')
	}
	return digits(version+1, 1)
}
