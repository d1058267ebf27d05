package histest

import (
	"context"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// firstBills are what some patients owe on the opening day.
func firstBills(at time.Time, staff roster) []his.Bill {
	type line struct {
		patient hospital.PatientID
		doctor  int
		kind    string
		place   string
		items   []his.BillItem
	}
	herbs := []his.BillItem{
		{Code: "Z0101", Name: "黄芪", Unit: "g", Quantity: "105", Amount: 1890},
		{Code: "Z0102", Name: "当归", Unit: "g", Quantity: "70", Amount: 1435},
		{Code: "Z0103", Name: "炙甘草", Unit: "g", Quantity: "42", Amount: 462},
		{Code: "Z0901", Name: "代煎费", Unit: "剂", Quantity: "7", Amount: 2100},
	}
	blood := []his.BillItem{
		{Code: "J2001", Name: "血常规(五分类)", Unit: "次", Quantity: "1", Amount: 2000},
		{Code: "J2044", Name: "肝功能全套", Unit: "次", Quantity: "1", Amount: 8505},
	}
	lines := []line{
		{patient: "P000001", doctor: 3, kind: "药品费", place: "门诊楼1楼中药房3号窗口", items: herbs},
		{patient: "P000001", doctor: 3, kind: "检验费", place: "门诊楼2楼检验科", items: blood},
		{patient: "P000002", doctor: 0, kind: "检查费", place: "门诊楼负1楼放射科", items: []his.BillItem{{Code: "R3001", Name: "腰椎MRI平扫", Unit: "次", Quantity: "1", Amount: 48000}}},
		{patient: "P000003", doctor: 12, kind: "药品费", place: "门诊楼1楼西药房1号窗口", items: []his.BillItem{
			{Code: "X1007", Name: "苯磺酸氨氯地平片 5mg×28片", Unit: "盒", Quantity: "2", Amount: 6420},
			{Code: "X1033", Name: "阿司匹林肠溶片 100mg×30片", Unit: "盒", Quantity: "1", Amount: 1555},
		}},
		{patient: "P000005", doctor: 6, kind: "治疗费", place: "门诊楼2楼治疗室", items: []his.BillItem{{Code: "T4002", Name: "穴位贴敷", Unit: "次", Quantity: "3", Amount: 9090}}},
		{patient: "P000006", doctor: 16, kind: "治疗费", place: "门诊楼4楼针灸治疗区", items: []his.BillItem{
			{Code: "T4101", Name: "普通针刺", Unit: "次", Quantity: "1", Amount: 2600},
			{Code: "T4105", Name: "艾箱灸", Unit: "次", Quantity: "0.5", Amount: 10},
		}},
		{patient: "P000008", doctor: 30, kind: "检验费", place: "1号楼1楼检验科", items: blood},
		{patient: "P000028", doctor: 24, kind: "药品费", place: "门诊楼1楼中药房3号窗口", items: herbs},
	}
	bills := make([]his.Bill, 0, len(lines))
	for i, l := range lines {
		doctor := staff.doctors[l.doctor]
		dept, _ := staff.department(doctor.Department)
		b := his.Bill{
			ID: his.BillID("ZD" + digits(int64(i+1), 6)), Patient: l.patient, State: his.BillUnpaid,
			Department: dept.Name, Doctor: doctor.Name, Kind: l.kind, Quote: "1", PayOnline: l.patient != "P000003",
			CreatedAt: at, Items: slices.Clone(l.items), Place: l.place,
		}
		b.Opaque = "bill|" + string(b.ID)
		b.Amount = sum(b.Items)
		bills = append(bills, b)
	}
	return bills
}

func sum(items []his.BillItem) (total hospital.Fen) {
	for _, item := range items {
		total += item.Amount
	}
	return total
}

// Bills returns the patient's unpaid bills without items. Invalid: an empty
// patient. NotFound: an unknown one.
func (h *Hospital) Bills(ctx context.Context, patient hospital.PatientID) (found []his.Bill, err error) {
	err = h.do(ctx, "histest.Bills", func(t turn) error {
		if err := t.knownPatient(patient); err != nil {
			return err
		}
		for _, id := range t.state.billsOf[patient] {
			if b := *t.state.bills[id]; b.State == his.BillUnpaid {
				b.Items, b.CreatedAt = nil, b.CreatedAt.In(hospital.CST)
				found = append(found, b)
			}
		}
		return nil
	})
	return found, err
}

func (t turn) knownPatient(patient hospital.PatientID) error {
	if patient == "" {
		return t.refuse(hospital.Invalid, "patient_required", "")
	}
	if t.state.patients[patient] == nil {
		return t.refuse(hospital.NotFound, "no_such_patient", "")
	}
	return nil
}

// Bill returns one bill of the patient with its items. NotFound for a bill of
// somebody else and for none, alike.
func (h *Hospital) Bill(ctx context.Context, patient hospital.PatientID, id his.BillID) (found his.Bill, err error) {
	err = h.do(ctx, "histest.Bill", func(t turn) error {
		if patient == "" {
			return t.refuse(hospital.Invalid, "patient_required", "")
		}
		b, ok := t.state.bills[id]
		if !ok || b.Patient != patient {
			return t.refuse(hospital.NotFound, "no_such_bill", "")
		}
		found = *b
		found.Items, found.CreatedAt = slices.Clone(b.Items), b.CreatedAt.In(hospital.CST)
		return nil
	})
	return found, err
}

// Settle books a payment. Invalid: a malformed key, no receipt. NotFound: no
// such bill. Conflict bill_changed: quoted anew. Conflict bill_paid: settled
// under another key. Rejected: wrong_patient, wrong_amount, pay_at_desk,
// key_reused, key_cancelled.
func (h *Hospital) Settle(ctx context.Context, request his.SettleRequest) (answer his.Payment, err error) {
	err = h.do(ctx, "histest.Settle", func(t turn) error {
		switch {
		case !request.Key.Valid():
			return t.refuse(hospital.Invalid, "bad_key", "")
		case request.Receipt == "":
			return t.refuse(hospital.Invalid, "receipt_required", "")
		}
		asked := request
		asked.PaidAt, asked.Opaque = time.Time{}, "" // a repetition may have lost them
		print := fingerprint(asked)
		past, err := t.bookedBefore(purposeKey{hospital.ForBill, request.Key}, print)
		if err != nil {
			return err
		}
		if past != nil {
			answer = past.answer()
			return nil
		}
		b, err := t.maySettle(request)
		if err != nil {
			return err
		}
		p, e := t.settleBill(b, hospital.EntryWeChat)
		p.Key, p.Receipt, p.Channel, p.TradeNo, p.Request = request.Key, request.Receipt, request.Channel, request.TradeNo, print
		e.Key, e.Rows = request.Key, []his.Settlement{p.row(t)}
		answer = p.answer()
		return t.record(e)
	})
	return answer, err
}

// maySettle returns the bill, or why it cannot be paid like this.
func (t turn) maySettle(request his.SettleRequest) (*his.Bill, error) {
	b, ok := t.state.bills[request.Bill]
	if !ok {
		return nil, t.refuse(hospital.NotFound, "no_such_bill", "")
	}
	switch {
	case b.Patient != request.Patient:
		return nil, t.refuse(hospital.Rejected, "wrong_patient", "")
	case b.State != his.BillUnpaid:
		return nil, t.refuse(hospital.Conflict, "bill_paid", string(b.State))
	case request.Quote != b.Quote:
		return nil, t.refuse(hospital.Conflict, "bill_changed", "quoted "+request.Quote+", now "+b.Quote)
	case request.Amount != b.Amount:
		return nil, t.refuse(hospital.Rejected, "wrong_amount", "paid "+request.Amount.Yuan()+", owed "+b.Amount.Yuan())
	case !b.PayOnline:
		return nil, t.refuse(hospital.Rejected, "pay_at_desk", "")
	}
	return b, nil
}

// settleBill makes the payment of a bill's full sum, without recording it.
func (t turn) settleBill(b *his.Bill, entry hospital.Entry) (*payment, effect) {
	done := *b
	done.State = his.BillPaid
	no := t.nextNo("SJ")
	p := &payment{
		Payment: his.Payment{
			HISNo: no, Patient: b.Patient, Amount: b.Amount, BookedAt: t.now, PickUpAt: b.Place, InvoiceNo: "FP" + no[2:],
		},
		Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: string(b.ID)}, Entry: entry,
	}
	return p, effect{Kind: settled, Bills: []*his.Bill{&done}, Payment: p}
}

// FindPayment returns what was booked under the key; NotFound for nothing.
func (h *Hospital) FindPayment(ctx context.Context, key hospital.Key) (found his.Payment, err error) {
	err = h.do(ctx, "histest.FindPayment", func(t turn) error {
		found, err = t.findPayment(purposeKey{hospital.ForBill, key})
		return err
	})
	return found, err
}

// Reverse undoes the payment (冲正); the bill is owed again. Nil means it is
// certainly not booked, also later: the key is barred.
func (h *Hospital) Reverse(ctx context.Context, key hospital.Key) error {
	return h.do(ctx, "histest.Reverse", func(t turn) error {
		return t.reverse(purposeKey{hospital.ForBill, key})
	})
}
