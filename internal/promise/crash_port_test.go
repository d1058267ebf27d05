package promise_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/payment"
)

// crashSaga names the steps as they pass and dies at one of them.
type crashSaga struct {
	killAt string // "his.Confirm after #1"; "" lives
	killNo int    // or the number of the step, counted from 1; 0 lives
	mutant string // the recovery step that is switched off; "" for none

	mu          sync.Mutex
	passed      map[string]int
	steps       int
	failNotices bool // the next notice is stored and cannot be booked at once
}

// at is a named step.
func (s *crashSaga) at(step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed[step]++
	s.steps++
	point := fmt.Sprintf("%s #%d", step, s.passed[step])
	crashSay("point", point)
	if point != s.killAt && s.steps != s.killNo {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill() // SIGKILL: nothing runs after it, no defer, no flush
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// crashCall names the moments before and after one call of a port.
func crashCall[T any](s *crashSaga, step string, call func() (T, error)) (T, error) {
	s.at(step + " before")
	answer, err := call()
	s.at(step + " after")
	return answer, err
}

// crashDo is crashCall for a call that answers with an error alone.
func crashDo(s *crashSaga, step string, call func() error) error {
	_, err := crashCall(s, step, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// crashSlots is the HIS as booking calls it.
type crashSlots struct {
	his  *his.Client
	saga *crashSaga
}

func (p crashSlots) Hold(ctx context.Context, r hospital.HoldRequest) (hospital.Hold, error) {
	return crashCall(p.saga, "his.Hold", func() (hospital.Hold, error) { return p.his.Hold(ctx, r) })
}

func (p crashSlots) Confirm(ctx context.Context, r hospital.ConfirmRequest) (hospital.Registration, error) {
	step := "his.Confirm"
	if r.Paid > 0 {
		step = "his.Confirm(paid)"
	}
	return crashCall(p.saga, step, func() (hospital.Registration, error) { return p.his.Confirm(ctx, r) })
}

func (p crashSlots) Cancel(ctx context.Context, key hospital.Key) error {
	return crashDo(p.saga, "his.Cancel", func() error { return p.his.Cancel(ctx, key) })
}

func (p crashSlots) Find(ctx context.Context, key hospital.Key) (hospital.Registration, error) {
	if p.saga.mutant == "his.Find knows nothing" {
		return hospital.Registration{}, &hospital.Error{Kind: hospital.NotFound, Op: "test"}
	}
	return crashCall(p.saga, "his.Find", func() (hospital.Registration, error) { return p.his.Find(ctx, key) })
}

// Suspensions implements booking.Stops.
func (p crashSlots) Suspensions(ctx context.Context, from, to hospital.Date) ([]hospital.Suspension, error) {
	if p.saga.mutant == "suspensions are not polled" {
		return nil, nil
	}
	return crashCall(p.saga, "his.Suspensions", func() ([]hospital.Suspension, error) { return p.his.Suspensions(ctx, from, to) })
}

// crashCashier is payment as booking calls it. The two know each other, so one
// of them is filled in later.
type crashCashier struct {
	*payment.Cashier

	saga *crashSaga
}

func (p *crashCashier) Open(ctx context.Context, charge hospital.Charge) error {
	return crashDo(p.saga, "cashier.Open", func() error { return p.Cashier.Open(ctx, charge) })
}

func (p *crashCashier) Close(ctx context.Context, key hospital.Key) error {
	return crashDo(p.saga, "cashier.Close", func() error { return p.Cashier.Close(ctx, key) })
}

func (p *crashCashier) Refund(ctx context.Context, key hospital.Key, cause string) error {
	return crashDo(p.saga, "cashier.Refund", func() error { return p.Cashier.Refund(ctx, key, cause) })
}

// crashDesk is booking as payment calls it.
type crashDesk struct {
	desk *booking.Desk
	saga *crashSaga
}

func (p crashDesk) Deliver(ctx context.Context, d hospital.Delivery) error {
	return crashDo(p.saga, "desk.Deliver", func() error { return p.desk.Deliver(ctx, d) })
}

func (p crashDesk) Withdraw(ctx context.Context, charge hospital.Key) error {
	return crashDo(p.saga, "desk.Withdraw", func() error { return p.desk.Withdraw(ctx, charge) })
}

// crashChannel is the till as payment calls it.
type crashChannel struct {
	till payment.Channel
	saga *crashSaga
}

func (p crashChannel) Prepay(ctx context.Context, a payment.Attempt) (payment.Sheet, error) {
	return crashCall(p.saga, "channel.Prepay", func() (payment.Sheet, error) { return p.till.Prepay(ctx, a) })
}

func (p crashChannel) Query(ctx context.Context, no payment.TradeNo) (payment.Trade, error) {
	if p.saga.mutant == "channel.Query knows nothing" {
		return payment.Trade{}, &hospital.Error{Kind: hospital.NotFound, Op: "test"}
	}
	return crashCall(p.saga, "channel.Query", func() (payment.Trade, error) { return p.till.Query(ctx, no) })
}

func (p crashChannel) Close(ctx context.Context, no payment.TradeNo) error {
	return crashDo(p.saga, "channel.Close", func() error { return p.till.Close(ctx, no) })
}

func (p crashChannel) Refund(ctx context.Context, r payment.Refund) (payment.RefundStatus, error) {
	return crashCall(p.saga, "channel.Refund", func() (payment.RefundStatus, error) { return p.till.Refund(ctx, r) })
}

func (p crashChannel) QueryRefund(ctx context.Context, no payment.RefundNo) (payment.RefundStatus, error) {
	if p.saga.mutant == "channel.QueryRefund knows nothing" {
		return payment.RefundStatus{}, &hospital.Error{Kind: hospital.NotFound, Op: "test"}
	}
	return crashCall(p.saga, "channel.QueryRefund", func() (payment.RefundStatus, error) { return p.till.QueryRefund(ctx, no) })
}

// crashBookings is booking's store. Reads pass unnamed: a process that dies at
// one leaves what the write before it left.
type crashBookings struct {
	booking.Store

	saga *crashSaga
}

func (p crashBookings) Sell(ctx context.Context, sale booking.Sale) (booking.Appointment, error) {
	return crashCall(p.saga, "booking.Sell", func() (booking.Appointment, error) { return p.Store.Sell(ctx, sale) })
}

func (p crashBookings) Save(ctx context.Context, c booking.Change) (booking.Appointment, error) {
	step := "booking.Save(" + string(c.Appointment.State) + ")"
	return crashCall(p.saga, step, func() (booking.Appointment, error) { return p.Store.Save(ctx, c) })
}

func (p crashBookings) Lease(ctx context.Context, l booking.Lease) ([]booking.Appointment, error) {
	due, err := p.Store.Lease(ctx, l)
	due = slices.DeleteFunc(due, func(a booking.Appointment) bool {
		return p.saga.mutant == "booking: "+string(a.State)+" is not taken up"
	})
	for _, a := range due {
		p.saga.at("booking.Lease(" + string(a.State) + ") after")
	}
	return due, err
}

// crashPayments is payment's store.
type crashPayments struct {
	payment.Store

	saga *crashSaga
}

func (p crashPayments) Open(ctx context.Context, c payment.Change) (payment.Order, error) {
	return crashCall(p.saga, "payment.Open("+string(c.Order.State)+")", func() (payment.Order, error) { return p.Store.Open(ctx, c) })
}

func (p crashPayments) Save(ctx context.Context, c payment.Change) error {
	if p.saga.failNotices && c.Notice != (payment.NoticeID{}) {
		p.saga.failNotices = false
		return &hospital.Error{Kind: hospital.Unavailable, Op: "test", Code: "disk_busy"}
	}
	step := "payment.Save(" + cmp.Or(string(c.Order.State), "a notice alone") + ")"
	return crashDo(p.saga, step, func() error { return p.Store.Save(ctx, c) })
}

func (p crashPayments) Lease(ctx context.Context, r payment.LeaseRequest) (payment.Batch, error) {
	batch, err := p.Store.Lease(ctx, r)
	batch.Orders = slices.DeleteFunc(batch.Orders, func(o payment.Order) bool {
		return p.saga.mutant == "payment: "+string(o.State)+" is not taken up"
	})
	for _, o := range batch.Orders {
		p.saga.at("payment.Lease(" + string(o.State) + ") after")
	}
	return batch, err
}

func (p crashPayments) Receive(ctx context.Context, n payment.Notice) error {
	return crashDo(p.saga, "payment.Receive", func() error { return p.Store.Receive(ctx, n) })
}

func (p crashPayments) Pending(ctx context.Context, n int) ([]payment.Notice, error) {
	if p.saga.mutant == "payment: the inbox is not read" {
		return nil, nil
	}
	pending, err := p.Store.Pending(ctx, n)
	if len(pending) > 0 {
		p.saga.at("payment.Pending after")
	}
	return pending, err
}

// crashSay tells the parent, at once: a pipe keeps what a dead process wrote.
func crashSay(words ...string) {
	_, _ = fmt.Fprintln(os.Stdout, "crash "+strings.Join(words, " ")) // the parent misses the line and says so
}
