package promise_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymentsql"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

const (
	// crashEnv carries the child's orders.
	crashEnv  = "HOSPITAL_TEST_CRASH_ORDERS"
	crashTill = "till"
	// crashRounds is how often the recovery calls Advance at most, a minute of
	// business time or more apart.
	crashRounds = 60
	// crashHorizon is how far ahead the recovery works off what becomes due: past
	// every deadline of a half-done order and the first check of a booked one.
	crashHorizon = time.Hour
)

// crashOrders is what a child is told.
type crashOrders struct {
	DSN, Schema string
	World, HIS  string // addresses
	Now         int64  // business time, Unix milliseconds
	Wish        booking.Wish
	Payers      []payment.Payer
	Merchant    *crashMerchant // nil: the till of the world
	Scenario    string         // "" recovers
	KillAt      string         // the point to die at
	KillNo      int            // or the number of the step to die at, counted from 1; 0 for none
	Mutant      string
}

// crashReport is what a child leaves behind when it ends by itself.
type crashReport struct {
	Busy         string // what was still due when the rounds were over
	Rounds       int
	Appointments []booking.Appointment
	Orders       []payment.Order
	Balances     []payment.Balance
	Cases        []payment.Case
}

// crashChild is our process: desk and cashier on one database, every port named.
type crashChild struct {
	testing.TB

	orders  crashOrders
	saga    *crashSaga
	desk    *booking.Desk
	cashier *payment.Cashier
	booked  *bookingsql.Store
	paid    *paymentsql.Store
	notices http.Handler // of WeChat Pay
	ms      atomic.Int64
}

// TestCrashChild is the process that is killed, and the one that recovers.
func TestCrashChild(t *testing.T) { //nolint:paralleltest // it is the process
	told := os.Getenv(crashEnv)
	if told == "" {
		t.Skip("a child of TestEveryStepOfTheSagaSurvivesAKill")
	}
	c := &crashChild{TB: t}
	require.NoError(t, json.Unmarshal([]byte(told), &c.orders))
	c.open()
	if c.orders.Scenario == "" {
		c.report(c.recover())
		return
	}
	crashScenarios()[c.orders.Scenario].play(c)
	if c.orders.Merchant != nil { // whose refunds take their time
		c.world("settle", nil)
		c.pass(2 * time.Minute)
		c.hear()
		c.advance()
	}
	c.report(0, "")
}

func (c *crashChild) now() time.Time { return time.UnixMilli(c.ms.Load()).In(hospital.CST) }

// open builds what a server builds when it starts.
func (c *crashChild) open() {
	c.ms.Store(c.orders.Now)
	c.saga = &crashSaga{killAt: c.orders.KillAt, killNo: c.orders.KillNo, mutant: c.orders.Mutant, passed: map[string]int{}}
	clock := c.now
	if c.saga.mutant == "leases never end" {
		clock = func() time.Time { return time.UnixMilli(c.orders.Now) }
	}
	db, err := sqldb.Open(c.Context(), sqldb.Config{
		DSN: c.orders.DSN, Schema: c.orders.Schema, Pool: 2, PseudonymKey: []byte(sqltest.PseudonymKey), Clock: clock,
	})
	require.NoError(c, err)
	c.Cleanup(func() { require.NoError(c, db.Close()) })
	c.booked, err = bookingsql.New(c.Context(), db)
	require.NoError(c, err)
	c.paid, err = paymentsql.New(c.Context(), db)
	require.NoError(c, err)
	client, err := his.NewClient(his.Config{BaseURL: c.orders.HIS, Retries: -1, TripAfter: -1})
	require.NoError(c, err)
	channel := c.channel()
	cashier, sure := &crashCashier{saga: c.saga}, client.System().Assurances
	slots := crashSlots{client, c.saga}
	c.desk, err = booking.New(booking.Config{
		Store: crashBookings{c.booked, c.saga}, Slots: slots, Stops: slots, Cashier: cashier, Now: c.now, Wall: c.now,
		Assurances: booking.Assurances{Hold: sure.Hold, Confirm: sure.Confirm, Cancel: sure.Cancel},
	})
	require.NoError(c, err)
	c.cashier, err = payment.New(payment.Config{
		Store: crashPayments{c.paid, c.saga}, Channels: map[string]payment.Channel{crashTill: channel},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForRegistration: crashDesk{c.desk, c.saga}},
		Now:        c.now, Wall: c.now,
	})
	require.NoError(c, err)
	cashier.Cashier = c.cashier
	require.NoError(c, c.desk.Publish(c.Context(), hospital.System("setup"), wuxi(c)))
}

// channel is what the cashier takes money through.
func (c *crashChild) channel() payment.Channel {
	if c.orders.Merchant != nil {
		return c.wechatPay(*c.orders.Merchant)
	}
	till, err := paymenttest.NewTillClient(paymenttest.ClientConfig{BaseURL: c.orders.World + "/till"})
	require.NoError(c, err)
	return crashChannel{till, c.saga}
}

// world moves the far side on and returns the till's mail.
func (c *crashChild) world(verb string, ask url.Values) []crashMail {
	r, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.orders.World+"/world/"+verb+"?"+ask.Encode(), http.NoBody)
	require.NoError(c, err)
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(c, err)
	defer func() { require.NoError(c, answer.Body.Close()) }()
	require.Equal(c, http.StatusOK, answer.StatusCode, verb)
	var mail []crashMail
	require.NoError(c, json.NewDecoder(answer.Body).Decode(&mail))
	return mail
}

// pass lets business time pass, here and there.
func (c *crashChild) pass(d time.Duration) {
	c.world("clock", url.Values{"ms": {strconv.FormatInt(c.ms.Add(d.Milliseconds()), 10)}})
}

// lose lets the HIS's next call of the kind fail on the wire.
func (c *crashChild) lose(op histest.Op, how histest.ServiceFault) {
	c.world("lose", url.Values{"op": {string(op)}, "fault": {strconv.Itoa(int(how))}})
}

// ack tells the parent what a patient or a channel has been told: from here on
// it must not be lost.
func (c *crashChild) ack(what, id string) { crashSay("ack", what, id) }

func (c *crashChild) advance() {
	_, err := c.desk.Advance(c.Context())
	require.NoError(c, err)
	c.advanceCashier()
}

func (c *crashChild) advanceCashier() {
	_, err := c.cashier.Advance(c.Context())
	require.NoError(c, err)
}

// book returns the appointment, also one that is still being checked.
func (c *crashChild) book(want hospital.Kind) booking.Appointment {
	a, err := c.desk.Book(c.Context(), booking.BookRequest{Actor: user(c.orders.Wish.Patient), Wish: c.orders.Wish})
	switch want {
	case 0:
		require.NoError(c, err)
	default:
		require.Equal(c, want, hospital.KindOf(err), err)
	}
	if a.ID != "" {
		c.ack("appointment", a.ID)
	}
	return a
}

// sheet shows the pay sheet to the payer and returns its trade.
func (c *crashChild) sheet(a booking.Appointment, payer int) payment.TradeNo {
	sheet, err := c.cashier.Pay(c.Context(), payment.PayRequest{
		Charge: a.ChargeKey(), Channel: crashTill, Payer: c.orders.Payers[payer], Actor: a.Actor,
	})
	require.NoError(c, err)
	c.ack("sheet", string(sheet.TradeNo))
	return sheet.TradeNo
}

func (c *crashChild) pays(no payment.TradeNo) { c.world("pay", url.Values{"trade": {string(no)}}) }

// hear takes the till's mail.
func (c *crashChild) hear() {
	for _, m := range c.world("mail", nil) {
		if m.Notice != nil {
			require.NoError(c, c.cashier.Notify(c.Context(), *m.Notice))
		} else {
			c.receive(m)
		}
		c.world("heard", url.Values{"id": {m.ID}})
		c.ack("notice", m.ID)
	}
}

func (c *crashChild) find(id string) booking.Appointment {
	a, err := c.booked.Find(c.Context(), id)
	require.NoError(c, err)
	return a
}

// recover is all that happens after a restart: Advance, while time passes. It
// returns the rounds it took and what is still due after the last.
func (c *crashChild) recover() (int, string) {
	until := c.now().Add(crashHorizon)
	busy := ""
	for round := range crashRounds {
		c.hear()
		c.advance()
		var due time.Time
		if due, busy = c.due(); busy == "" || due.After(until) {
			return round + 1, ""
		}
		c.pass(max(time.Minute, due.Sub(c.now())))
	}
	return crashRounds, busy
}

// due is when something has to be done next, and what.
func (c *crashChild) due() (first time.Time, what string) {
	earliest := func(at time.Time, name string) {
		if !at.IsZero() && (what == "" || at.Before(first)) {
			first, what = at, name
		}
	}
	appointments, orders := c.lists()
	for _, a := range appointments {
		earliest(a.DueAt, "appointment "+string(a.State))
	}
	for _, o := range orders {
		earliest(o.Due, "order "+string(o.State))
	}
	pending, err := c.paid.Pending(c.Context(), 1)
	require.NoError(c, err)
	for range pending {
		earliest(c.now(), "a notice in the inbox")
	}
	return first, what
}

func (c *crashChild) lists() ([]booking.Appointment, []payment.Order) {
	appointments, err := c.booked.List(c.Context(), booking.Query{})
	require.NoError(c, err)
	orders, err := c.paid.List(c.Context(), payment.Filter{Limit: 200})
	require.NoError(c, err)
	return appointments, orders
}

func (c *crashChild) report(rounds int, busy string) {
	report := crashReport{Rounds: rounds, Busy: busy}
	var err error
	report.Appointments, report.Orders = c.lists()
	report.Balances, err = c.paid.Balances(c.Context())
	require.NoError(c, err)
	report.Cases, err = c.paid.Cases(c.Context(), 200)
	require.NoError(c, err)
	body, err := json.Marshal(report)
	require.NoError(c, err)
	crashSay("report", string(body))
}

// crashScenario is one patient's order as it goes when nobody dies.
type crashScenario struct {
	kind       hospital.VisitKind
	pays       bool // a patient who was shown a sheet pays it, also while we are dead
	redelivers bool // the till tells again what was not acknowledged; otherwise a notice is lost with us
	play       func(*crashChild)
	booking    booking.State // where it ends
	payment    payment.State // "" when there is no order
}

// crashPayer and crashOther are who pays, by their place in the orders.
const crashPayer, crashOther = 0, 1

// crashScenarios are the paths through both machines.
func crashScenarios() map[string]crashScenario {
	return map[string]crashScenario{
		crashConfirm: {kind: hospital.SameDay, pays: true, booking: booking.Booked, payment: payment.Delivered, play: func(c *crashChild) {
			c.pays(c.sheet(c.book(0), crashPayer))
			c.hear()
			c.advance()
		}},
		crashCancel: {kind: hospital.Advance, pays: true, booking: booking.Cancelled, payment: payment.Refunded, play: func(c *crashChild) {
			c.world("slow", nil)
			a := c.book(0)
			c.pays(c.sheet(a, crashPayer))
			c.pass(6 * time.Second) // no notice comes
			c.advance()
			require.True(c, c.find(a.ID).PaidAtHIS)
			_, err := c.desk.Cancel(c.Context(), booking.CancelRequest{ID: a.ID, Actor: a.Actor, Cause: booking.ByPatient})
			require.NoError(c, err)
			c.ack("cancelled", a.ID)
			c.advance()
			c.world("settle", nil)
			c.pass(2 * time.Minute)
			c.advance()
		}},
		crashUnpaid: {kind: hospital.SameDay, booking: booking.Expired, payment: payment.Closed, play: func(c *crashChild) {
			c.lose(histest.OpHold, histest.AnswerLost)
			a := c.book(hospital.Indeterminate)
			c.pass(30 * time.Second)
			c.advance()
			c.sheet(a, crashPayer)
			c.pass(15 * time.Minute)
			c.advance()
		}},
		crashLate: {kind: hospital.SameDay, pays: true, redelivers: true, booking: booking.Expired, payment: payment.Refunded, play: func(c *crashChild) {
			trade := c.sheet(c.book(0), crashPayer)
			c.world("late", url.Values{"trade": {string(trade)}})
			c.pass(15 * time.Minute)
			c.advance()
			c.world("pay_late", url.Values{"trade": {string(trade)}})
			c.saga.failNotices = true
			c.hear()
			c.pass(time.Second)
			c.advance()
		}},
		crashStopped: {kind: hospital.SameDay, pays: true, booking: booking.Cancelled, payment: payment.Refunded, play: func(c *crashChild) {
			c.lose(histest.OpHold, histest.RequestLost)
			a := c.book(hospital.Indeterminate)
			c.pass(30 * time.Second)
			c.advance()
			c.pays(c.sheet(a, crashPayer))
			c.hear()
			c.advance()
			require.True(c, c.find(a.ID).PaidAtHIS)
			c.world("suspend", nil)
			c.pass(time.Minute)
			c.advance()
			c.hear()
		}},
		crashSilent: {kind: hospital.Advance, pays: true, booking: booking.Booked, payment: payment.Delivered, play: func(c *crashChild) {
			c.pays(c.sheet(c.book(0), crashPayer))
			c.hear()
			c.lose(histest.OpConfirm, histest.AnswerLost)
			c.advanceCashier()
			c.world("silence", nil)
			c.pass(5 * time.Minute)
			c.advance()
			c.pass(6 * time.Minute)
			c.advanceCashier() // too long: withdraw
			c.world("heal", nil)
			c.pass(2 * time.Minute)
			c.advanceCashier()
			c.advance()
		}},
		crashReach: {kind: hospital.SameDay, pays: true, booking: booking.Cancelled, payment: payment.Refunded, play: func(c *crashChild) {
			c.pays(c.sheet(c.book(0), crashPayer))
			c.hear()
			c.world("silence", nil)
			c.advance()
			c.pass(11 * time.Minute)
			c.advance()
			c.advance()
			c.world("heal", nil)
			c.pass(5 * time.Minute)
			c.advance()
			c.pass(5 * time.Minute)
			c.advance()
		}},
		crashRefused: {kind: hospital.Advance, booking: booking.Refused, play: func(c *crashChild) {
			c.world("sellout", nil)
			c.book(hospital.Conflict)
		}},
		crashPhones: {kind: hospital.Advance, pays: true, redelivers: true, booking: booking.Booked, payment: payment.Delivered, play: func(c *crashChild) {
			a := c.book(0)
			first := c.sheet(a, crashPayer)
			second := c.sheet(a, crashOther)
			c.pays(second)
			c.hear()
			c.pays(first)
			c.advance()
			c.hear()
			c.advance()
		}},
	}
}

// expect says how a report differs from how the scenario ends.
func (s crashScenario) expect(r crashReport) string {
	if len(r.Appointments) != 1 || r.Appointments[0].State != s.booking {
		return fmt.Sprintf("want one appointment, %s: %+v", s.booking, r.Appointments)
	}
	if s.payment == "" && len(r.Orders) == 0 {
		return ""
	}
	if len(r.Orders) != 1 || r.Orders[0].State != s.payment {
		return fmt.Sprintf("want one order, %s: %+v", s.payment, r.Orders)
	}
	return ""
}
