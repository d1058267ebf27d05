package histest

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// maxDeposit is the highest single deposit the hospital books online.
const maxDeposit hospital.Fen = 50_000_00

// firstAdmissions are the stays on the opening day.
func firstAdmissions(at time.Time) []his.Admission {
	day := hospital.DateOf(at)
	return []his.Admission{
		{ID: "ZY000001", Patient: "P000005", Department: "肺病科", Bed: "6-12", AdmittedAt: day.AddDays(-4).At(9, 20), Deposited: 300_000, Opaque: "adm|ZY000001"},
		{ID: "ZY000002", Patient: "P000007", Department: "脑病科", Bed: "7-03", AdmittedAt: day.AddDays(-9).At(15, 5), Deposited: 800_000, Opaque: "adm|ZY000002"},
		{ID: "ZY000003", Patient: "P000014", Department: "骨伤科", Bed: "", AdmittedAt: day.AddDays(-20).At(10, 0), Discharged: true, Settled: true, Deposited: 1_200_000, Opaque: "adm|ZY000003"},
	}
}

// dayOfStay is what a day in a bed costs.
func dayOfStay() []his.BillItem {
	return []his.BillItem{
		{Code: "B0001", Name: "床位费", Unit: "天", Quantity: "1", Amount: 5000},
		{Code: "H0001", Name: "二级护理", Unit: "天", Quantity: "1", Amount: 2405},
		{Code: "Z0101", Name: "中药汤剂", Unit: "剂", Quantity: "1", Amount: 3810},
		{Code: "T4101", Name: "普通针刺", Unit: "次", Quantity: "1", Amount: 2600},
	}
}

// Admissions returns the patient's stays. Invalid: an empty patient. NotFound:
// an unknown one.
func (h *Hospital) Admissions(ctx context.Context, patient hospital.PatientID) (found []his.Admission, err error) {
	err = h.do(ctx, "histest.Admissions", func(t turn) error {
		if err := t.knownPatient(patient); err != nil {
			return err
		}
		for _, a := range t.state.admissions {
			if a.Patient == patient {
				found = append(found, t.stay(a))
			}
		}
		return nil
	})
	return found, err
}

// stay is the admission with what was paid and spent until now.
func (t turn) stay(a his.Admission) his.Admission {
	for _, p := range t.state.paymentsOf[hospital.Purpose{Kind: hospital.ForDeposit, ID: string(a.ID)}] {
		if !p.Reversed {
			a.Deposited += p.Amount
		}
	}
	if a.Discharged {
		a.Spent = a.Deposited
		return a
	}
	nights := hospital.DateOf(a.AdmittedAt).DaysUntil(t.today())
	a.Spent = sum(dayOfStay()) * hospital.Fen(nights)
	return a
}

// DailyList returns what one day of a stay cost (一日清单); it is ready on the
// next day. NotFound before, outside the stay, and for somebody else's stay.
func (h *Hospital) DailyList(ctx context.Context, patient hospital.PatientID, id his.AdmissionID, day hospital.Date) (list his.DailyList, err error) {
	err = h.do(ctx, "histest.DailyList", func(t turn) error {
		if patient == "" {
			return t.refuse(hospital.Invalid, "patient_required", "")
		}
		a, ok := t.admission(id)
		if !ok || a.Patient != patient || a.Discharged || day.Before(hospital.DateOf(a.AdmittedAt)) || !day.Before(t.today()) {
			return t.refuse(hospital.NotFound, "no_such_list", "")
		}
		items := dayOfStay()
		list = his.DailyList{Admission: id, Patient: patient, Date: day, Version: 1, Items: items, Total: sum(items)}
		return nil
	})
	return list, err
}

func (t turn) admission(id his.AdmissionID) (his.Admission, bool) {
	for _, a := range t.state.admissions {
		if a.ID == id {
			return a, true
		}
	}
	return his.Admission{}, false
}

// PayDeposit books a deposit (押金). Invalid: a malformed key, no receipt.
// NotFound: no such stay. Rejected: wrong_patient, wrong_amount, discharged,
// deposit_too_high, key_reused, key_cancelled.
func (h *Hospital) PayDeposit(ctx context.Context, request his.DepositRequest) (answer his.Payment, err error) {
	err = h.do(ctx, "histest.PayDeposit", func(t turn) error {
		switch {
		case !request.Key.Valid():
			return t.refuse(hospital.Invalid, "bad_key", "")
		case request.Receipt == "":
			return t.refuse(hospital.Invalid, "receipt_required", "")
		}
		asked := request
		asked.PaidAt = time.Time{}
		print := fingerprint(asked)
		past, err := t.bookedBefore(purposeKey{hospital.ForDeposit, request.Key}, print)
		if err != nil {
			return err
		}
		if past != nil {
			answer = past.answer()
			return nil
		}
		if err := t.mayDeposit(request); err != nil {
			return err
		}
		p := &payment{
			Payment: his.Payment{
				Key: request.Key, HISNo: t.nextNo("YJ"), Patient: request.Patient, Amount: request.Amount,
				Receipt: request.Receipt, BookedAt: t.now,
			},
			Purpose: hospital.Purpose{Kind: hospital.ForDeposit, ID: string(request.Admission)},
			Entry:   hospital.EntryWeChat, Channel: request.Channel, TradeNo: request.TradeNo, Request: print,
		}
		answer = p.answer()
		return t.record(effect{Kind: settled, Key: request.Key, Payment: p, Rows: []his.Settlement{p.row(t)}})
	})
	return answer, err
}

func (t turn) mayDeposit(request his.DepositRequest) error {
	a, ok := t.admission(request.Admission)
	switch {
	case !ok:
		return t.refuse(hospital.NotFound, "no_such_admission", "")
	case a.Patient != request.Patient:
		return t.refuse(hospital.Rejected, "wrong_patient", "")
	case a.Discharged || a.Settled:
		return t.refuse(hospital.Rejected, "discharged", "")
	case request.Amount <= 0:
		return t.refuse(hospital.Rejected, "wrong_amount", "")
	case request.Amount > maxDeposit:
		return t.refuse(hospital.Rejected, "deposit_too_high", "at most "+maxDeposit.Yuan())
	}
	return nil
}

// FindDeposit returns what was booked under the key; NotFound for nothing.
func (h *Hospital) FindDeposit(ctx context.Context, key hospital.Key) (found his.Payment, err error) {
	err = h.do(ctx, "histest.FindDeposit", func(t turn) error {
		found, err = t.findPayment(purposeKey{hospital.ForDeposit, key})
		return err
	})
	return found, err
}

// ReverseDeposit undoes a deposit. Nil means it is certainly not booked.
func (h *Hospital) ReverseDeposit(ctx context.Context, key hospital.Key) error {
	return h.do(ctx, "histest.ReverseDeposit", func(t turn) error {
		return t.reverse(purposeKey{hospital.ForDeposit, key})
	})
}

// Deposits returns all deposits of a stay in the order of booking, reversed
// ones too. NotFound for somebody else's stay and for none, alike.
func (h *Hospital) Deposits(ctx context.Context, patient hospital.PatientID, id his.AdmissionID) (found []his.Payment, err error) {
	err = h.do(ctx, "histest.Deposits", func(t turn) error {
		if patient == "" {
			return t.refuse(hospital.Invalid, "patient_required", "")
		}
		if a, ok := t.admission(id); !ok || a.Patient != patient {
			return t.refuse(hospital.NotFound, "no_such_admission", "")
		}
		for _, p := range t.state.paymentsOf[hospital.Purpose{Kind: hospital.ForDeposit, ID: string(id)}] {
			found = append(found, p.answer())
		}
		return nil
	})
	return found, err
}
