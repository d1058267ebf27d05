package promise_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymentsql"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

// channel is the name under which the till stands in the books.
const channel = "till"

// world is a hospital, a channel that takes money, and two workers of ours that
// share one database, all on one clock that only tests move.
type world struct {
	require.TestingT

	ctx      context.Context //nolint:containedctx // a world lives as long as its test
	clock    *testclock.Clock
	hospital *histest.Hospital
	line     *histest.Line
	till     *paymenttest.Till
	bookings booking.Store
	orders   payment.Store
	workers  [2]*worker
	wires    func(his.System) his.System // how the workers reach the hospital; nil is the line
	asks     bool                        // the adapter can be asked by key
}

// adapters are the kinds of adapter by what they declare. What they do not
// declare the desk may not lean on, so asking one that cannot be asked fails.
func adapters() map[string]func(his.System) his.System {
	declare := func(hold, confirm, cancel hospital.Assurance) func(his.System) his.System {
		sent := &sync.Map{}
		return func(s his.System) his.System {
			s.Assurances.Hold, s.Assurances.Confirm, s.Assurances.Cancel = hold, confirm, cancel
			if !confirm.Queryable {
				s.Registrar = unaskable{s.Registrar, confirm.Idempotent, sent}
			}
			return s
		}
	}
	repeats, answers := hospital.Assurance{Idempotent: true}, hospital.Assurance{Queryable: true}
	undone := func(a hospital.Assurance) hospital.Assurance {
		a.Cancellable = true
		return a
	}
	return map[string]func(his.System) his.System{
		"can be asked and repeated": func(s his.System) his.System { return s },
		"can only be asked":         declare(undone(answers), answers, answers),
		"can only be repeated":      declare(undone(repeats), repeats, repeats),
		"can do neither":            declare(hospital.Assurance{}, hospital.Assurance{}, hospital.Assurance{}),
	}
}

// unaskable is a HIS without a query by key, and perhaps one that takes every
// call for a new wish. Asking the one or calling the other again is a defect of
// ours.
type unaskable struct {
	his.Registrar

	repeats bool
	sent    *sync.Map // what was called, by whichever process of ours
}

func (unaskable) Find(context.Context, hospital.Key) (hospital.Registration, error) {
	panic("the adapter does not declare that it can be asked")
}

func (u unaskable) once(call string) {
	if _, again := u.sent.LoadOrStore(call, true); again && !u.repeats {
		panic("the adapter does not declare that it can be called again")
	}
}

func (u unaskable) Hold(ctx context.Context, request hospital.HoldRequest) (hospital.Hold, error) {
	u.once("hold " + string(request.Key))
	return u.Registrar.Hold(ctx, request)
}

func (u unaskable) Confirm(ctx context.Context, request hospital.ConfirmRequest) (hospital.Registration, error) {
	u.once("confirm " + string(request.Key) + " " + request.Receipt)
	return u.Registrar.Confirm(ctx, request)
}

// worker is one process of ours: a desk and a cashier.
type worker struct {
	desk    *booking.Desk
	cashier *payment.Cashier
}

// newWorld builds a world over an empty database whose leases run by the clock.
func newWorld(ctx context.Context, t require.TestingT, clock *testclock.Clock, db *sqldb.DB, wires func(his.System) his.System) *world {
	w := &world{TestingT: t, ctx: ctx, clock: clock, wires: wires}
	var err error
	w.hospital, err = histest.NewHospital(histest.Config{Now: clock.Now, SlotNumbers: 2})
	require.NoError(t, err)
	w.line = histest.NewLine(w.hospital.System())
	w.till = paymenttest.NewTill(channel, clock.Now, func(n payment.Notice) {
		require.NoError(t, w.workers[0].cashier.Notify(ctx, n))
	})
	w.bookings, err = bookingsql.New(ctx, db)
	require.NoError(t, err)
	w.orders, err = paymentsql.New(ctx, db)
	require.NoError(t, err)
	for i := range w.workers {
		w.restart(i)
	}
	w.publish("wuxi2018")
	return w
}

// restart replaces a worker by a new process: what it held in memory is gone.
func (w *world) restart(i int) {
	system := w.line.System()
	if w.wires != nil {
		system = w.wires(system)
	}
	w.asks = system.Assurances.Confirm.Queryable
	me := &worker{}
	config := booking.Config{
		Store: w.bookings, Slots: system.Registrar, Stops: system.Scheduling, Now: w.clock.Now, Wall: w.clock.Now,
		Assurances: booking.Assurances{
			Hold: system.Assurances.Hold, Confirm: system.Assurances.Confirm, Cancel: system.Assurances.Cancel,
		},
		Workers: 1,
	}
	var err error
	me.desk, err = booking.New(config)
	require.NoError(w, err)
	me.cashier, err = payment.New(payment.Config{
		Store: w.orders, Channels: map[string]payment.Channel{channel: w.till},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForRegistration: me.desk},
		Now:        w.clock.Now, Wall: w.clock.Now, Workers: 1,
	})
	require.NoError(w, err)
	require.NoError(w, me.desk.PayWith(me.cashier))
	w.workers[i] = me
}

func (w *world) publish(preset string) string {
	body, err := booking.Preset(preset)
	require.NoError(w, err)
	version, err := booking.NewPolicyVersion(body, "preset", w.clock.Now())
	require.NoError(w, err)
	require.NoError(w, w.workers[0].desk.Publish(w.ctx, hospital.System("setup"), version))
	return version.Version
}

// advance lets one worker do what is due.
func (w *world) advance(i int) {
	_, err := w.workers[i].desk.Advance(w.ctx)
	require.NoError(w, err)
	_, err = w.workers[i].cashier.Advance(w.ctx)
	require.NoError(w, err)
}

// rest lets time go by until nothing is under way any more.
func (w *world) rest() {
	const patience = 200
	for round := range patience {
		for i := range w.workers {
			w.advance(i)
		}
		if w.busy() == "" {
			return
		}
		w.clock.Pass(time.Minute << min(round/20, 5)) // a far side that failed often is asked seldom
	}
	require.FailNow(w, "something is still under way", w.busy())
}

// busy names what is under way, "" for nothing.
func (w *world) busy() string {
	now := w.clock.Now()
	waiting := map[hospital.Key]bool{} // charges whose appointment waits for a person
	for _, a := range w.appointments() {
		waiting[a.ChargeKey()] = a.State == booking.Manual
		switch a.State {
		case booking.Holding, booking.Confirming, booking.Settling, booking.Cancelling:
			return fmt.Sprintf("appointment %s is %s: %s", a.ID, a.State, a.Reason)
		case booking.Held:
			if !now.Before(a.Deadline) {
				return "appointment " + a.ID + " is held after its deadline"
			}
		case booking.Booked:
			if !a.DueAt.After(now) {
				return "appointment " + a.ID + " is due"
			}
		case booking.Arrived, booking.Fulfilled, booking.Refused, booking.Expired, booking.Cancelled, booking.NoShow, booking.Manual:
		}
	}
	orders, err := w.orders.List(w.ctx, payment.Filter{Limit: 200})
	require.NoError(w, err)
	for _, o := range orders {
		switch o.State {
		case payment.Quoted, payment.Payable:
			if !now.Before(o.Charge.Expires) {
				return "order " + o.ID + " is open after it expired"
			}
		case payment.Closed, payment.Delivered, payment.Refunded:
		case payment.Manual:
			if !waiting[o.Charge.Key] {
				return fmt.Sprintf("order %s is %s: %s", o.ID, o.State, o.Reason)
			}
		case payment.Closing, payment.Paid, payment.Delivering, payment.Withdrawing, payment.RefundDue, payment.Refunding:
			return fmt.Sprintf("order %s is %s", o.ID, o.State)
		}
	}
	pending, err := w.orders.Pending(w.ctx, 1)
	require.NoError(w, err)
	if len(pending) > 0 {
		return "a notice is unread"
	}
	return ""
}

func (w *world) appointments() []booking.Appointment {
	list, err := w.bookings.List(w.ctx, booking.Query{Limit: booking.MaxListLimit})
	require.NoError(w, err)
	return list
}

// wishes are the segments of two departments on the days from today on.
func (w *world) wishes(days int) []booking.Wish {
	today := hospital.DateOf(w.clock.Now())
	schedules, err := w.hospital.Schedules(w.ctx, his.ScheduleQuery{From: today, To: today.AddDays(days)})
	require.NoError(w, err)
	var wishes []booking.Wish
	for _, schedule := range schedules {
		if schedule.Department != schedules[0].Department {
			continue
		}
		slots, err := w.hospital.Slots(w.ctx, schedule.ID)
		require.NoError(w, err)
		for _, slot := range slots[:2] {
			wishes = append(wishes, booking.Wish{Schedule: schedule, Slot: slot})
		}
	}
	return wishes
}

// balanced checks what holds at any moment.
func (w *world) balanced() {
	balances, err := w.orders.Balances(w.ctx)
	require.NoError(w, err)
	var sum hospital.Fen
	for _, b := range balances {
		sum += b.Amount
	}
	require.Zero(w, sum, "the ledger balances at every commit")
	taken, returned := w.till.Totals()
	require.GreaterOrEqual(w, taken, returned, "no more goes back than came in")
	counted := map[hospital.SlotID]bool{}
	for _, registration := range w.hospital.Everyone() {
		if counted[registration.Slot] {
			continue
		}
		counted[registration.Slot] = true
		counts, err := w.hospital.SlotCounts(registration.Slot)
		require.NoError(w, err)
		require.LessOrEqual(w, counts.Sold, counts.Capacity, "no oversell")
		require.Equal(w, counts.Sold, counts.Distinct, "no number has two holders")
	}
}

// settled checks what holds once nothing is under way: every appointment stands
// or was undone, at the hospital too, and every fen is where it belongs.
func (w *world) settled() {
	w.balanced()
	all := w.appointments()
	for _, a := range all {
		w.settledAppointment(a)
	}
	balances, err := w.orders.Balances(w.ctx)
	require.NoError(w, err)
	var receivable hospital.Fen
	for _, b := range balances {
		if b.Account == payment.Receivable(channel) {
			receivable = b.Amount
		}
	}
	taken, returned := w.till.Totals()
	require.Equal(w, taken-returned, receivable, "our books and the channel's agree")
}

func (w *world) settledAppointment(a booking.Appointment) {
	about := fmt.Sprintf("appointment %s is %s (%s %s)", a.ID, a.State, a.Cause, a.Reason)
	found, err := w.hospital.Find(w.ctx, a.Key())
	known := err == nil
	switch a.State {
	case booking.Booked, booking.Held, booking.Arrived:
		require.NoError(w, err, about)
		require.True(w, found.State.Live(), about)
	case booking.NoShow:
		require.Equal(w, hospital.RegistrationRegistered, found.State, about)
	case booking.Fulfilled:
		if w.asks { // otherwise every visit passes for one that took place
			require.Contains(w, []hospital.RegistrationState{hospital.RegistrationFulfilled, hospital.RegistrationArrived}, found.State, about)
		}
	case booking.Cancelled, booking.Refused, booking.Expired:
		require.False(w, known && found.State.Live(), about)
	case booking.Manual, booking.Holding, booking.Confirming, booking.Settling, booking.Cancelling:
		require.Fail(w, "not at rest", about)
	}
	if known {
		require.Equal(w, a.Patient, found.Patient, about)
		require.LessOrEqual(w, w.hospital.Effects(a.Key())["held"], 1, about)
	}
	net, booked := w.net(a), w.bookedAtHIS(a)
	order, err := w.workers[0].cashier.Find(w.ctx, a.ChargeKey())
	if err != nil {
		require.Equal(w, hospital.NotFound, hospital.KindOf(err))
		require.Zero(w, net, about)
		return
	}
	about += fmt.Sprintf(", order %s is %s", order.ID, order.State)
	if order.State == payment.Delivered {
		require.Equal(w, a.Hold.Fee, net, about)
		require.Equal(w, a.Hold.Fee, booked, about)
		require.True(w, a.PaidAtHIS, about)
		return
	}
	require.Contains(w, []payment.State{payment.Closed, payment.Refunded, payment.Quoted, payment.Payable}, order.State, about)
	require.Zero(w, net, about+": what the payer did not get back")
	require.Zero(w, booked, about+": what the hospital still has on its books")
}

// net is what the payer of an appointment gave and did not get back.
func (w *world) net(a booking.Appointment) hospital.Fen {
	order, err := w.workers[0].cashier.Find(w.ctx, a.ChargeKey())
	if err != nil {
		return 0
	}
	var net hospital.Fen
	for _, attempt := range order.Attempts {
		net += w.till.Taken(attempt.TradeNo) - w.till.Returned(attempt.TradeNo)
	}
	return net
}

// bookedAtHIS is what the hospital has on its books of our payments.
func (w *world) bookedAtHIS(a booking.Appointment) hospital.Fen {
	rows, err := w.hospital.FindSettlements(w.ctx, a.Key())
	require.NoError(w, err)
	var sum hospital.Fen
	for _, row := range rows {
		if row.Channel == channel {
			sum += row.Amount
		}
	}
	return sum
}

func (w *world) selfPaying(n int) []hospital.Patient {
	patients := slices.DeleteFunc(w.hospital.People(), func(p hospital.Patient) bool { return p.Payer != hospital.SelfPay })
	return patients[:n]
}

func mustOpen(tb testing.TB, open func(...func(*sqldb.Config)) *sqldb.DB, clock *testclock.Clock) *sqldb.DB {
	tb.Helper()
	return open(func(config *sqldb.Config) { config.Clock = clock.Now })
}
