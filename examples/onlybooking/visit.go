package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/payment"
)

// visit publishes the rules, and then a patient binds a card, books, pays,
// changes her mind and has her money back. A server calls desk.Run and
// cashier.Run once in place of Advance.
func visit(ctx context.Context, out io.Writer, c clinic) error {
	rules, err := booking.Preset("wuxi2018")
	if err != nil {
		return err
	}
	version, err := booking.NewPolicyVersion(rules, "preset", c.now())
	if err != nil {
		return err
	}
	if err := c.desk.Publish(ctx, hospital.System("setup"), version); err != nil {
		return err
	}

	patient, err := c.his.FindPatient(ctx, his.PatientQuery{CardNo: "JZ00080001"})
	if err != nil {
		return err
	}
	user := hospital.Actor{Kind: hospital.ActorUser, ID: "user-1", Entry: hospital.EntryWeChat}
	if err := c.desk.Bind(ctx, booking.BindRequest{Actor: user, User: "user-1", Patient: patient.ID}); err != nil {
		return err
	}
	say(out, "绑定　%s", patient.Name.Masked())

	tomorrow := hospital.DateOf(c.now()).AddDays(1)
	schedules, err := c.his.Schedules(ctx, his.ScheduleQuery{From: tomorrow, To: tomorrow, Department: "D106"})
	if err != nil {
		return err
	}
	slots, err := c.his.Slots(ctx, schedules[0].ID)
	if err != nil {
		return err
	}
	booked, err := c.desk.Book(ctx, booking.BookRequest{
		Actor: user, Wish: booking.Wish{Patient: patient.ID, Payer: patient.Payer, Schedule: schedules[0], Slot: slots[0]},
	})
	if err != nil {
		return errors.New(hospital.MessageFor(err)) // what the patient reads
	}
	say(out, "预约　%s %s 第%d号 %s", booked.State, booked.Start.Format("01-02 15:04"), booked.Hold.QueueNo, booked.Hold.Fee)

	sheet, err := c.cashier.Pay(ctx, payment.PayRequest{Charge: booked.ChargeKey(), Channel: "till", Actor: user})
	if err != nil {
		return err
	}
	if err := c.till.Pay(sheet.TradeNo); err != nil { // the patient taps "pay"
		return err
	}
	if _, err := c.cashier.Advance(ctx); err != nil {
		return err
	}
	if err := c.show(ctx, out, "支付", booked); err != nil {
		return err
	}

	if _, err := c.desk.Cancel(ctx, booking.CancelRequest{ID: booked.ID, Actor: user, Cause: booking.ByPatient}); err != nil {
		return err
	}
	if _, err := c.cashier.Advance(ctx); err != nil {
		return err
	}
	return c.show(ctx, out, "取消", booked)
}

// show prints what the hospital and the cashier know of the appointment.
func (c clinic) show(ctx context.Context, out io.Writer, when string, a booking.Appointment) error {
	registration, err := c.his.Find(ctx, a.Key())
	if err != nil {
		return err
	}
	order, err := c.cashier.Find(ctx, a.ChargeKey())
	if err != nil {
		return err
	}
	say(out, "%s　HIS %s %s，订单 %s %s", when, registration.State, registration.Paid, order.State, order.Charge.Amount)
	return nil
}

func say(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...) // nobody listens any more: the bookings stand all the same
}
