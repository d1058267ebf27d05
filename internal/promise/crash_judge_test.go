package promise_test

import (
	"fmt"
	"slices"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/payment"
)

// crashAck is something that somebody outside had been told.
type crashAck struct {
	What string // "appointment", "sheet", "notice", "cancelled"
	ID   string
}

// crashBooks are what the far sides have in the end.
type crashBooks struct {
	hospital        *histest.Hospital
	sold            int // numbers that the window sold
	taken, returned hospital.Fen
	refunds         map[payment.TradeNo]int // how often a payment went back
	overpaid        bool                    // more of one payment went back than came
}

// crashTrial compares our books with those of the far sides.
type crashTrial struct {
	wish   booking.Wish
	books  crashBooks
	report crashReport
	broken []string
}

// crashJudge returns which promises are broken after the recovery.
func crashJudge(wish booking.Wish, books crashBooks, acks []crashAck, report crashReport) []string {
	t := &crashTrial{wish: wish, books: books, report: report}
	owed := hospital.Fen(0) // what the hospital has earned
	booked := 0
	for _, a := range report.Appointments {
		if a.State == booking.Booked {
			booked++
			owed += a.Paid
		}
	}
	t.till(owed)
	t.his(booked, owed)
	t.ledger(owed)
	t.acknowledged(acks)
	t.want(len(report.Appointments) <= 1, "one wish, %d appointments", len(report.Appointments))
	for _, a := range report.Appointments {
		t.charged(a)
		t.atRest(a)
	}
	t.want(len(report.Cases) == 0, "%d cases wait for a person", len(report.Cases))
	t.want(report.Busy == "", "not at rest after %d rounds: %s", report.Rounds, report.Busy)
	return t.broken
}

func (t *crashTrial) want(ok bool, format string, args ...any) {
	if !ok {
		t.broken = append(t.broken, fmt.Sprintf(format, args...))
	}
}

// acknowledged checks that what was said yes to is still there.
func (t *crashTrial) acknowledged(acks []crashAck) {
	for _, ack := range acks {
		switch ack.What {
		case "appointment":
			t.want(slices.ContainsFunc(t.report.Appointments, func(a booking.Appointment) bool { return a.ID == ack.ID }),
				"an acknowledged appointment is lost")
		case "cancelled":
			t.want(slices.ContainsFunc(t.report.Appointments, func(a booking.Appointment) bool {
				return a.ID == ack.ID && a.State == booking.Cancelled
			}), "an acknowledged cancellation is lost")
		case "sheet":
			t.want(slices.ContainsFunc(t.report.Orders, func(o payment.Order) bool {
				_, known := o.Attempt(payment.TradeNo(ack.ID))
				return known
			}), "a trade that was shown is lost")
		}
	}
}

func (t *crashTrial) atRest(a booking.Appointment) {
	switch a.State {
	case booking.Booked, booking.Refused, booking.Expired, booking.Cancelled:
	case booking.Holding, booking.Held, booking.Confirming, booking.Settling, booking.Cancelling:
		t.want(false, "the appointment is still %s", a.State)
	case booking.Arrived, booking.Fulfilled, booking.NoShow, booking.Manual:
		t.want(false, "the appointment is %s", a.State)
	}
}

// charged checks that the order is where the appointment is.
func (t *crashTrial) charged(a booking.Appointment) {
	var orders []payment.Order
	for _, o := range t.report.Orders {
		if o.Charge.Key == a.ChargeKey() {
			orders = append(orders, o)
		}
	}
	t.want(len(orders) == len(t.report.Orders) && len(orders) <= 1, "%d orders, %d of the appointment", len(t.report.Orders), len(orders))
	payable := a.State == booking.Booked && a.FeeOnline() && !a.PaidAtHIS
	t.want(!payable || len(orders) == 1, "a booked appointment cannot be paid")
	for _, o := range orders {
		switch o.State {
		case payment.Quoted, payment.Payable:
			t.want(payable, "the order of an appointment that is %s can still be paid", a.State)
		case payment.Closed, payment.Refunded:
			t.want(a.State != booking.Booked, "booked, but the order is %s", o.State)
		case payment.Delivered:
			t.want(a.State == booking.Booked && a.PaidAtHIS, "paid for, but the appointment is %s", a.State)
		case payment.Closing, payment.Paid, payment.Delivering, payment.Withdrawing, payment.RefundDue, payment.Refunding, payment.Manual:
			t.want(false, "the order is still %s", o.State)
		}
	}
}

// his checks the hospital's own books.
func (t *crashTrial) his(booked int, owed hospital.Fen) {
	live, registrations := 0, 0
	for _, r := range t.books.hospital.Everyone() {
		if r.Patient != t.wish.Patient {
			continue
		}
		registrations++
		if r.State.Live() {
			live++
		}
		effects := t.books.hospital.Effects(r.Key)
		t.want(effects["held"] <= 1 && effects["registered"] <= 1 && effects["paid"] <= 1, "an effect at the HIS happened twice: %v", effects)
		known := slices.ContainsFunc(t.report.Appointments, func(a booking.Appointment) bool { return a.Key() == r.Key && a.Patient == r.Patient })
		t.want(known, "the HIS knows a registration that we do not")
	}
	t.want(registrations <= 1 && live == booked, "%d registrations at the HIS, %d live; we booked %d", registrations, live, booked)
	var taken hospital.Fen
	for _, row := range t.books.hospital.Ledger() {
		if row.Patient == t.wish.Patient {
			taken += row.Amount
		}
	}
	t.want(taken == owed, "the HIS has %d fen on its books, we delivered %d", taken, owed)
	counts, err := t.books.hospital.SlotCounts(t.wish.Slot.ID)
	t.want(err == nil && counts.Sold == counts.Distinct && counts.Sold <= counts.Capacity && counts.Sold == booked+t.books.sold,
		"the segment: %+v, %v", counts, err)
}

// till checks that the patients gave what was earned and got back the rest,
// once.
func (t *crashTrial) till(owed hospital.Fen) {
	t.want(t.books.taken-t.books.returned == owed, "the till took %d fen and returned %d; %d were earned", t.books.taken, t.books.returned, owed)
	t.want(!t.books.overpaid, "more went back than came")
	for _, times := range t.books.refunds {
		t.want(times == 1, "a payment went back %d times", times)
	}
}

// ledger checks that our books balance and say what the till says.
func (t *crashTrial) ledger(owed hospital.Fen) {
	want := map[payment.Account]hospital.Fen{
		payment.Receivable(crashTill):             t.books.taken - t.books.returned,
		payment.Revenue(hospital.ForRegistration): -owed,
	}
	var sum hospital.Fen
	for _, b := range t.report.Balances {
		sum += b.Amount
		t.want(want[b.Account] == b.Amount, "%d fen stand in %s, want %d", b.Amount, b.Account, want[b.Account])
		delete(want, b.Account)
	}
	for account, amount := range want {
		t.want(amount == 0, "nothing stands in %s, want %d fen", account, amount)
	}
	t.want(sum == 0, "the ledger does not balance: %d", sum)
}
