package refserver

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

const maxAppointments = 50

// mine finds an appointment among those of the user's patients.
func (v *visit) mine(id string) (booking.Appointment, error) {
	for _, b := range v.bound {
		scope, err := v.open(b.Patient)
		if err != nil {
			return booking.Appointment{}, err
		}
		a, err := v.s.desk.Appointment(v.r.Context(), scope, id)
		if err == nil || hospital.KindOf(err) != hospital.NotFound {
			return a, err
		}
	}
	return booking.Appointment{}, absent()
}

// order is the appointment's order, none when nothing was charged.
func (v *visit) order(a booking.Appointment) (order payment.Order, known bool, err error) {
	order, err = v.s.cashier.Find(v.r.Context(), a.ChargeKey())
	if errors.Is(err, payment.ErrNotFound) {
		return order, false, nil
	}
	return order, err == nil, err
}

// status joins the appointment and its money in one word.
func status(a booking.Appointment, order payment.Order, known bool) page.Status {
	if a.State == booking.Cancelled || a.State == booking.Expired || a.State == booking.Refused {
		if known {
			switch order.State {
			case payment.RefundDue, payment.Refunding, payment.Paid, payment.Delivering, payment.Withdrawing:
				return page.StatusRefunding
			case payment.Refunded:
				return page.StatusRefunded
			case payment.Manual:
				return page.StatusRefundManual
			case payment.Quoted, payment.Payable, payment.Closing, payment.Closed, payment.Delivered:
			}
		}
		if a.Cause == booking.BySuspended {
			return page.StatusStopped
		}
	}
	switch a.State {
	case booking.Holding:
		return page.StatusHolding
	case booking.Held:
		return page.StatusPayDue
	case booking.Confirming:
		if !known || order.PaidAt.IsZero() { // its fee comes later
			return page.StatusHolding
		}
		return page.StatusConfirming
	case booking.Booked, booking.Settling:
		return page.StatusBooked
	case booking.Arrived:
		return page.StatusArrived
	case booking.Fulfilled:
		return page.StatusFulfilled
	case booking.Cancelling:
		return page.StatusCancelling
	case booking.Cancelled:
		return page.StatusCancelled
	case booking.NoShow:
		return page.StatusNoShow
	case booking.Expired:
		return page.StatusExpired
	case booking.Refused:
		return page.StatusRefused
	case booking.Manual:
	}
	return page.StatusManual
}

func (v *visit) appointments() error {
	view := page.Appointments{Past: v.r.URL.Query().Get("tab") == "past"}
	for _, b := range v.bound {
		scope, err := v.open(b.Patient)
		if err != nil {
			return err
		}
		all, err := v.s.desk.Appointments(v.r.Context(), scope)
		if err != nil {
			return err
		}
		for _, a := range all {
			if a.State.Terminal() != view.Past {
				continue
			}
			row, err := v.appointmentRow(a)
			if err != nil {
				return err
			}
			view.Rows = append(view.Rows, row)
		}
	}
	slices.SortFunc(view.Rows, func(a, b page.AppointmentRow) int {
		if view.Past {
			return b.Start.Compare(a.Start)
		}
		return a.Start.Compare(b.Start)
	})
	view.Rows = view.Rows[:min(len(view.Rows), maxAppointments)]
	return v.render(view)
}

func (v *visit) appointmentRow(a booking.Appointment) (page.AppointmentRow, error) {
	order, known, err := v.order(a)
	department, doctor, s := v.place(a)
	return page.AppointmentRow{
		ID: a.ID, Status: status(a, order, known), Patient: v.s.maskedName(v, a.Patient), Department: department.Name, Doctor: doctor.Name, Kind: a.Kind,
		Start: a.Start, End: a.End, QueueNo: a.Hold.QueueNo, Room: s.Room,
	}, err
}

// place is what the directory says about an appointment, as far as it answers:
// an appointment is shown also while the HIS is silent.
func (v *visit) place(a booking.Appointment) (department hospital.Department, doctor hospital.Doctor, s hospital.Schedule) {
	department, doctor, s, err := v.s.placeOf(v.r.Context(), a)
	if err != nil {
		v.s.config.Logger.WarnContext(v.r.Context(), "the directory does not know an appointment's place", "error", err)
	}
	return department, doctor, s
}

// placeOf is where and with whom an appointment is. What the directory does not
// know is zero, and the error says so.
func (s *Server) placeOf(ctx context.Context, a booking.Appointment) (hospital.Department, hospital.Doctor, hospital.Schedule, error) {
	department, errDepartment := s.catalog.department(ctx, a.Department)
	doctor, errDoctor := s.catalog.doctor(ctx, a.Department, a.Doctor)
	schedule, errSchedule := s.catalog.scheduleOn(ctx, a.Date, a.Department, a.Schedule)
	for _, err := range []error{errDepartment, errDoctor, errSchedule} {
		if err != nil && hospital.KindOf(err) != hospital.NotFound {
			return department, doctor, schedule, err
		}
	}
	return department, doctor, schedule, errors.Join(errDepartment, errDoctor, errSchedule)
}

func (v *visit) appointment() error {
	a, err := v.mine(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := v.person(a.Patient, "patient.voucher")
	if err != nil {
		return err
	}
	order, known, err := v.order(a)
	if err != nil {
		return err
	}
	department, doctor, s := v.place(a)
	view := page.Appointment{
		ID: a.ID, Status: status(a, order, known), Patient: string(p.Name), DepartmentID: string(a.Department), Department: department.Name,
		Doctor: doctor.Name, Title: doctor.Title, Kind: a.Kind, Start: a.Start, End: a.End, QueueNo: a.Hold.QueueNo, Voucher: a.Hold.HISNo, Room: s.Room,
		Location: department.Location, Bring: bring(), Ticket: "就诊当天请提前 15 分钟到" + department.Location + "取号候诊。",
		Fee: a.Hold.Fee, Paid: a.Paid, Rule: a.Policy, Reason: causeText(a.Cause),
	}
	if len(p.Cards) > 0 {
		view.Card = p.Cards[0].Masked()
	}
	if known && order.State == payment.Refunded {
		view.Refunded = order.Charge.Amount
	}
	if known && order.State.Open() && a.State.Live() && a.FeeOnline() {
		view.Order = string(a.ChargeKey())
		view.Deadline = order.Charge.Expires
	}
	view.Desk = a.State.Live() && !a.FeeOnline() && a.Hold.Fee > 0
	view.CanCancel, view.Cancel = v.cancellable(a)
	return v.render(view)
}

func causeText(cause booking.Cause) string {
	return map[booking.Cause]string{
		booking.ByStaff: "医院已为您取消，如有疑问请致电服务台。", booking.BySuspended: "医生停诊。已付费用会原路退回，不算爽约，请重新选择时间。",
		booking.ByUnpaid: "超过支付时间，号源已释放，请重新预约。", booking.ByRefusal: "医院系统未能受理，已付费用会原路退回，请重新预约。",
		booking.ByDoubt: "医院系统未能确认，已付费用会原路退回，请重新预约。",
	}[cause]
}

// cancellable says whether the patient may give the number back, by the rules
// under which it was made, and until when.
func (v *visit) cancellable(a booking.Appointment) (may bool, until time.Time) {
	if !a.State.Live() || a.State == booking.Arrived || a.State == booking.Cancelling {
		return false, time.Time{}
	}
	policy, err := v.s.policyOf(v.r.Context(), a.Policy)
	if err != nil || policy.AllowCancel(a, v.now) != nil {
		return false, time.Time{}
	}
	rule := policy.Cancel.Advance
	if a.Kind == hospital.SameDay {
		rule = policy.Cancel.SameDay
	}
	if rule.BeforeVisit || rule.WorkingDays {
		return true, a.Start
	}
	return true, rule.Until.On(a.Date.AddDays(-rule.DaysBefore))
}

// policyOf is the policy under a version.
func (s *Server) policyOf(ctx context.Context, version string) (*booking.Policy, error) {
	all, err := s.bookings.PolicyVersions(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		if one.Version == version {
			policy, err := booking.ParsePolicy(one.Body)
			return &policy, err
		}
	}
	return nil, absent()
}

func (v *visit) cancelAsk() error { return v.cancelWith("") }

func (v *visit) cancelWith(problem string) error {
	a, err := v.mine(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if a.State.Terminal() {
		return v.redirect(v.s.links.Appointment(a.ID))
	}
	department, doctor, _ := v.place(a)
	return v.render(page.CancelConfirm{
		ID: a.ID, Department: department.Name, Doctor: doctor.Name, Patient: v.s.maskedName(v, a.Patient), Start: a.Start, End: a.End, Refund: a.Paid,
		Problem: problem,
	})
}

// cancel gives the number back. A second press finds it cancelled; of one that
// ended otherwise its page says how.
func (v *visit) cancel() error {
	a, err := v.mine(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	switch {
	case !a.State.Terminal():
		_, err = v.s.desk.Cancel(context.WithoutCancel(v.r.Context()), booking.CancelRequest{ID: a.ID, Actor: v.actor(), Cause: booking.ByPatient})
		v.s.catalog.forget(a.Schedule)
	case a.State != booking.Cancelled:
		return v.redirect(v.s.links.Appointment(a.ID))
	}
	switch {
	case err == nil:
		order, known, err := v.order(a)
		if err != nil {
			return err
		}
		if known && !order.PaidAt.IsZero() {
			v.flash(page.ToneOK, "已取消。已付的费用会原路退回，不算爽约。")
		} else {
			v.flash(page.ToneOK, "已取消，没有产生费用，不算爽约。")
		}
	case hospital.KindOf(err) == hospital.Indeterminate:
		v.flash(page.ToneWarn, hospital.MessageFor(err))
	case hospital.KindOf(err) == hospital.Internal, hospital.KindOf(err) == hospital.NotFound:
		return err
	default:
		return v.cancelWith(hospital.MessageFor(err))
	}
	return v.redirect(v.s.links.Appointment(a.ID))
}
