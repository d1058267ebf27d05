package refserver

import (
	"context"
	"errors"
	"slices"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/refserver/internal/bill"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

const maxBillID = 64

// billsOf reads what the patient owes, through the gate.
func (v *visit) billsOf(patient hospital.PatientID) ([]his.Bill, error) {
	if v.s.config.HIS.Billing == nil {
		return nil, nil
	}
	scope, err := v.open(patient)
	if err != nil {
		return nil, err
	}
	id, err := scope.Use(v.r.Context(), hospital.Access{Purpose: "payment", Action: "bill.list"})
	if err != nil {
		return nil, err
	}
	all, err := v.s.config.HIS.Billing.Bills(v.r.Context(), id)
	return slices.DeleteFunc(all, func(b his.Bill) bool { return b.Patient != id }), err
}

// bills is 我的账单: what the current patient owes now.
func (v *visit) bills() error {
	view := page.Bills{Tab: page.BillsDue}
	all, err := v.billsOf(v.patient())
	if err != nil {
		return err
	}
	for _, b := range all {
		view.Rows = append(view.Rows, page.BillRow{
			ID: string(b.ID), Title: b.Kind, Department: b.Department, Doctor: b.Doctor, At: b.CreatedAt, Amount: b.Amount, Status: billStatus(b),
		})
	}
	return v.render(view)
}

func billStatus(b his.Bill) page.BillStatus {
	switch b.State {
	case his.BillPaid:
		return page.BillPaid
	case his.BillCancelled:
		return page.BillVoid
	case his.BillUnpaid:
	}
	return page.BillDue
}

// bill is one bill of one of the user's patients; a stranger's and none answer
// alike.
func (v *visit) bill() error {
	b, _, err := v.billOf()
	if err != nil {
		return err
	}
	return v.showBill(b, "")
}

// billOf finds the bill of the address, and the scope of its patient.
func (v *visit) billOf() (his.Bill, hospital.PatientScope, error) {
	id := his.BillID(v.r.PathValue("id"))
	if len(id) > maxBillID {
		return his.Bill{}, hospital.PatientScope{}, absent()
	}
	for _, bound := range v.bound {
		if v.s.config.HIS.Billing == nil {
			break
		}
		scope, err := v.open(bound.Patient)
		if err != nil {
			return his.Bill{}, scope, err
		}
		b, err := v.s.billAt(v.r.Context(), scope, string(id))
		if err != nil && hospital.KindOf(err) == hospital.NotFound {
			continue
		}
		return b, scope, err
	}
	return his.Bill{}, hospital.PatientScope{}, absent()
}

// billAt reads one bill of the scope's patient; somebody else's is NotFound.
func (s *Server) billAt(ctx context.Context, scope hospital.PatientScope, id string) (his.Bill, error) {
	patient, err := scope.Use(ctx, hospital.Access{Purpose: "payment", Action: "bill.read", Object: id})
	if err != nil {
		return his.Bill{}, err
	}
	b, err := s.config.HIS.Billing.Bill(ctx, patient, his.BillID(id))
	if err == nil && b.Patient != patient {
		err = absent()
	}
	return b, err
}

// payBill opens what the patient saw as an order, the same one while it can be
// paid; a bill that costs something else by now is shown again.
func (v *visit) payBill() error {
	b, scope, err := v.billOf()
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(v.r.Context())
	request := bill.QuoteRequest{Bill: b.ID, Shown: v.form().Get("version")}
	charge, err := v.s.bills.Quote(ctx, scope, request)
	if err == nil {
		err = v.s.cashier.Open(ctx, charge)
	}
	if errors.Is(err, payment.ErrClosed) { // nobody paid the earlier one in time
		request.Closed = charge.Key
		if charge, err = v.s.bills.Quote(ctx, scope, request); err == nil {
			err = v.s.cashier.Open(ctx, charge)
		}
	}
	switch kind := hospital.KindOf(err); {
	case err == nil, errors.Is(err, payment.ErrPaid):
		return v.redirect(v.s.links.Pay(string(charge.Key)))
	case kind == hospital.Conflict, kind == hospital.Rejected:
		return v.showBill(b, hospital.MessageFor(err))
	}
	return err
}

func (v *visit) showBill(b his.Bill, problem string) error {
	p, err := v.person(b.Patient, "patient.bill")
	if err != nil {
		return err
	}
	group := page.BillGroup{Name: b.Kind, Total: b.Amount}
	for _, item := range b.Items {
		group.Items = append(group.Items, page.BillItem{Name: item.Name, Quantity: item.Quantity + " " + item.Unit, Amount: item.Amount})
	}
	return v.render(page.Bill{
		ID: string(b.ID), Status: billStatus(b), Patient: string(p.Name), Department: b.Department, Doctor: b.Doctor, At: b.CreatedAt,
		Groups: []page.BillGroup{group}, Amount: b.Amount, Total: b.Amount, Version: b.Quote, Desk: !b.PayOnline, Next: b.Place, Problem: problem,
	})
}
