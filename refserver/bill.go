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

// billsShown is how many paid bills one page has; each is asked for at the HIS.
const billsShown = 10

// bills is 我的账单: what the current patient owes now, or what was paid here.
func (v *visit) bills() error {
	view := page.Bills{Tab: page.BillTab(v.r.URL.Query().Get("tab"))}
	orders, err := v.billOrders(v.patient())
	if err != nil {
		return err
	}
	if view.Tab == page.BillsPaid || view.Tab == page.BillsRefunded {
		view.Rows, err = v.paidBills(orders, view.Tab)
	} else {
		view.Tab = page.BillsDue
		view.Rows, err = v.dueBills(orders)
	}
	if err != nil {
		return err
	}
	return v.render(view)
}

func (v *visit) dueBills(orders []payment.Order) (rows []page.BillRow, err error) {
	all, err := v.billsOf(v.patient())
	for _, b := range all {
		rows = append(rows, page.BillRow{
			ID: string(b.ID), Title: b.Kind, Department: b.Department, Doctor: b.Doctor, At: b.CreatedAt, Amount: b.Amount, Status: billStatus(b, orders),
		})
	}
	return rows, err
}

// billOrders are our orders for the patient's bills, newest first.
func (v *visit) billOrders(patient hospital.PatientID) ([]payment.Order, error) {
	if v.s.config.HIS.Billing == nil {
		return nil, nil
	}
	all, err := v.s.cashier.Orders(v.r.Context(), payment.Filter{Patient: patient})
	return slices.DeleteFunc(all, func(o payment.Order) bool { return o.Charge.Purpose.Kind != hospital.ForBill }), err
}

// paidBills are the payments that were taken here, or went back, each with its
// bill as the HIS keeps it.
func (v *visit) paidBills(orders []payment.Order, tab page.BillTab) (rows []page.BillRow, err error) {
	want := map[page.BillTab][]page.BillStatus{
		page.BillsPaid: {page.BillPaying, page.BillPaid, page.BillManual}, page.BillsRefunded: {page.BillRefunding, page.BillRefunded},
	}[tab]
	for _, o := range orders {
		status := orderStatus(o.State)
		if len(rows) == billsShown || !slices.Contains(want, status) {
			continue
		}
		scope, err := v.open(v.patient())
		if err != nil {
			return nil, err
		}
		b, err := v.s.billAt(v.r.Context(), scope, o.Charge.Purpose.ID)
		switch {
		case err != nil && hospital.KindOf(err) == hospital.NotFound: // the HIS keeps it no longer
		case err != nil:
			return nil, err
		default:
			rows = append(rows, page.BillRow{
				ID: string(b.ID), Title: b.Kind, Department: b.Department, Doctor: b.Doctor, At: o.PaidAt, Amount: o.Charge.Amount, Status: status,
			})
		}
	}
	return rows, nil
}

// orderStatus is what the money of a bill makes of it, "" while there is none.
func orderStatus(s payment.State) page.BillStatus {
	switch s {
	case payment.Paid, payment.Delivering, payment.Withdrawing:
		return page.BillPaying
	case payment.Delivered:
		return page.BillPaid
	case payment.RefundDue, payment.Refunding:
		return page.BillRefunding
	case payment.Refunded:
		return page.BillRefunded
	case payment.Manual:
		return page.BillManual
	case payment.Quoted, payment.Payable, payment.Closing, payment.Closed:
	}
	return ""
}

// newest is our newest order for a bill that took money.
func newest(b his.Bill, orders []payment.Order) (payment.Order, bool) {
	i := slices.IndexFunc(orders, func(o payment.Order) bool {
		return o.Charge.Purpose.ID == string(b.ID) && orderStatus(o.State) != ""
	})
	if i < 0 {
		return payment.Order{}, false
	}
	return orders[i], true
}

// billStatus joins the HIS's word with our money. Who was given the money back
// owes what the HIS says.
func billStatus(b his.Bill, orders []payment.Order) page.BillStatus {
	order, ours := newest(b, orders)
	status := orderStatus(order.State)
	switch {
	case ours && status != page.BillRefunded:
		return status
	case b.State == his.BillUnpaid:
		return page.BillDue
	case b.State == his.BillPaid:
		return page.BillAtWindow
	case ours:
		return status
	}
	return page.BillVoid
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
	orders, err := v.billOrders(b.Patient)
	if err != nil {
		return err
	}
	order, _ := newest(b, orders)
	group := page.BillGroup{Name: b.Kind, Total: b.Amount}
	for _, item := range b.Items {
		group.Items = append(group.Items, page.BillItem{Name: item.Name, Quantity: item.Quantity + " " + item.Unit, Amount: item.Amount})
	}
	view := page.Bill{
		ID: string(b.ID), Status: billStatus(b, orders), Patient: string(p.Name), Department: b.Department, Doctor: b.Doctor, At: b.CreatedAt,
		Groups: []page.BillGroup{group}, Amount: b.Amount, Total: b.Amount, Version: b.Quote, Desk: !b.PayOnline, Next: b.Place, Problem: problem,
		PaidAt: order.PaidAt,
	}
	if order.State == payment.Refunded {
		view.Refunded = order.Charge.Amount
	}
	return v.render(view)
}
