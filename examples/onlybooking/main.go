// Program onlybooking shows how a hospital adds booking and payment to what it
// already has: one SQLite file, a desk and a cashier over it, its HIS behind
// them. Here the HIS and the payment channel are simulated; a real hospital
// puts his.Client and a channel of its own in their places.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymentsql"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "onlybooking:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	now := func() time.Time { return time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST) } // yours: time.Now
	folder, err := os.MkdirTemp("", "onlybooking")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	var cashier *payment.Cashier
	h, err := histest.NewHospital(histest.Config{Now: now}) // yours: his.NewClient
	if err != nil {
		return err
	}
	till := paymenttest.NewTill("till", now, func(n payment.Notice) { // yours: WeChat Pay
		if err := cashier.Notify(ctx, n); err != nil {
			say(out, "支付通知未收下，等平台再通知：%v", err)
		}
	})

	// One file for both stores.
	db, err := bookingsql.OpenDB(ctx, bookingsql.Config{
		DSN: filepath.Join(folder, "hospital.db"), PseudonymKey: []byte("TESTING KEY, yours is a secret"),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	appointments, err := bookingsql.New(ctx, db)
	if err != nil {
		return err
	}
	orders, err := paymentsql.New(ctx, db)
	if err != nil {
		return err
	}

	sure := h.System().Assurances
	desk, err := booking.New(booking.Config{
		Store: appointments, Slots: h, Now: now,
		Assurances: booking.Assurances{Hold: sure.Hold, Confirm: sure.Confirm, Cancel: sure.Cancel},
	})
	if err != nil {
		return err
	}
	cashier, err = payment.New(payment.Config{
		Store: orders, Now: now,
		Channels:   map[string]payment.Channel{"till": till},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForRegistration: desk},
	})
	if err != nil {
		return err
	}
	if err := desk.PayWith(cashier); err != nil { // they need each other: the cashier was made with the desk
		return err
	}
	return visit(ctx, out, clinic{h, desk, cashier, till, now})
}

// clinic is what the story needs of the wiring.
type clinic struct {
	his     *histest.Hospital
	desk    *booking.Desk
	cashier *payment.Cashier
	till    *paymenttest.Till
	now     func() time.Time
}
