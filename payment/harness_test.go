package payment_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

func newClock() *testclock.Clock {
	return testclock.At(time.Date(2026, 11, 21, 7, 30, 0, 0, hospital.CST))
}

// answer is how the far side of a delivery behaves once.
type answer string

const (
	works         answer = ""
	refuses       answer = "refuses"        // definite
	losesRequest  answer = "loses_request"  // nothing happens
	losesAnswer   answer = "loses_answer"   // it happens
	doesNotAnswer answer = "does_not_reach" // Unavailable
	arrivesLate   answer = "arrives_late"   // it happens when arrive is called
)

// his is a deliverer: the truth about what was delivered.
type his struct {
	mu        sync.Mutex
	delivers  []answer
	withdraws []answer
	late      []func() error
	silent    bool // every call is Indeterminate without effect
	delivered map[hospital.Key]int
	withdrawn map[hospital.Key]bool
	calls     []hospital.Delivery
	asked     int // withdrawals
	gate      chan struct{}
	entered   chan struct{}
}

func newHIS() *his {
	return &his{delivered: map[hospital.Key]int{}, withdrawn: map[hospital.Key]bool{}, entered: make(chan struct{}, 9)}
}

func hisError(kind hospital.Kind) error {
	return &hospital.Error{Kind: kind, Op: "test.his", Code: "scripted"}
}

func take(script *[]answer) answer {
	if len(*script) == 0 {
		return works
	}
	a := (*script)[0]
	*script = (*script)[1:]
	return a
}

// script sets how the next calls go.
func (h *his) script(delivers, withdraws []answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.delivers, h.withdraws = delivers, withdraws
}

func (h *his) keepSilent(silent bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silent = silent
}

func (h *his) Deliver(ctx context.Context, d hospital.Delivery) error {
	if h.gate != nil {
		h.entered <- struct{}{}
		select {
		case <-h.gate:
		case <-ctx.Done():
			return hisError(hospital.Indeterminate)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, d)
	effect := func() error {
		if h.withdrawn[d.Key] {
			return hisError(hospital.Conflict)
		}
		h.delivered[d.Key] = 1
		return nil
	}
	return h.answer(take(&h.delivers), effect)
}

func (h *his) Withdraw(_ context.Context, key hospital.Key) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	effect := func() error {
		if h.delivered[key] > 0 {
			return hisError(hospital.Conflict)
		}
		h.withdrawn[key] = true
		return nil
	}
	return h.answer(take(&h.withdraws), effect)
}

func (h *his) answer(a answer, effect func() error) error {
	if h.silent {
		return hisError(hospital.Indeterminate)
	}
	switch a {
	case refuses:
		return hisError(hospital.Rejected)
	case losesRequest:
		return hisError(hospital.Indeterminate)
	case losesAnswer:
		_ = effect() // the caller never learns
		return hisError(hospital.Indeterminate)
	case arrivesLate:
		h.late = append(h.late, effect)
		return hisError(hospital.Indeterminate)
	case doesNotAnswer:
		return hisError(hospital.Unavailable)
	case works:
	}
	return effect()
}

// arrive lets what was on its way happen.
func (h *his) arrive() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, effect := range h.late {
		_ = effect() // nobody waits for the answer
	}
	h.late = nil
}

func (h *his) state(key hospital.Key) (delivered int, calls []hospital.Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.delivered[key], slices.Clone(h.calls)
}

// office is a cashier with everything around it.
type office struct {
	*payment.Cashier
	t       require.TestingT
	ctx     context.Context //nolint:containedctx // of the test
	clock   *testclock.Clock
	store   *paymenttest.Memory
	till    *paymenttest.Till
	second  *paymenttest.Till // another channel
	his     *his
	config  payment.Config
	charges int
}

func newOffice(t *testing.T) *office {
	t.Helper()
	return openOffice(t.Context(), t)
}

func openOffice(ctx context.Context, t require.TestingT) *office {
	o := &office{t: t, ctx: ctx, clock: newClock(), his: newHIS()}
	o.store = paymenttest.NewMemory(o.clock.Now)
	notify := func(n payment.Notice) { _ = o.Notify(ctx, n) } // a channel shrugs at an error and comes again
	o.till = paymenttest.NewTill("till", o.clock.Now, notify)
	o.second = paymenttest.NewTill("second", o.clock.Now, notify)
	o.config = payment.Config{
		Store:      o.store,
		Channels:   map[string]payment.Channel{"till": o.till, "second": o.second},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: o.his},
		Now:        o.clock.Now, Wall: o.clock.Now,
	}
	o.reopen()
	return o
}

// reopen makes another cashier on the same store, as a restart does.
func (o *office) reopen() {
	c, err := payment.New(o.config)
	require.NoError(o.t, err)
	o.Cashier = c
}

func (o *office) charge() hospital.Charge {
	o.charges++
	id := "B" + string(rune('0'+o.charges))
	return hospital.Charge{
		Key: hospital.Key("charge-" + id), Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: id}, Patient: "P1",
		Actor:  hospital.Actor{Kind: hospital.ActorUser, ID: "u1", Entry: hospital.EntryWeChat},
		Amount: 1250, Description: "门诊缴费", Expires: o.clock.Now().Add(2 * time.Hour),
	}
}

// opened opens a fresh charge.
func (o *office) opened() hospital.Key {
	c := o.charge()
	require.NoError(o.t, o.Open(o.ctx, c))
	return c.Key
}

func (o *office) request(key hospital.Key) payment.PayRequest {
	return payment.PayRequest{
		Charge: key, Channel: "till", Payer: "payer-1",
		Actor: hospital.Actor{Kind: hospital.ActorUser, ID: "u1", Entry: hospital.EntryWeChat},
	}
}

// sheet asks for a pay sheet.
func (o *office) sheet(key hospital.Key) payment.TradeNo {
	s, err := o.Pay(o.ctx, o.request(key))
	require.NoError(o.t, err)
	return s.TradeNo
}

// paid opens a fresh charge and pays it.
func (o *office) paid() (hospital.Key, payment.TradeNo) {
	key := o.opened()
	no := o.sheet(key)
	require.NoError(o.t, o.till.Pay(no))
	return key, no
}

func (o *office) advance() {
	_, err := o.Advance(o.ctx)
	require.NoError(o.t, err)
}

// later lets time pass, doing what is due whenever it is.
func (o *office) later(d time.Duration) {
	end := o.clock.Now().Add(d)
	for range 2000 {
		next, err := o.Advance(o.ctx)
		require.NoError(o.t, err)
		if next.IsZero() || next.After(end) {
			o.clock.Pass(end.Sub(o.clock.Now()))
			o.advance()
			return
		}
		o.clock.Pass(max(next.Sub(o.clock.Now()), 0))
	}
	require.Fail(o.t, "something is due for ever")
}

func (o *office) order(key hospital.Key) payment.Order {
	found, err := o.Find(o.ctx, key)
	require.NoError(o.t, err)
	return found
}

func (o *office) state(key hospital.Key, want payment.State) {
	found := o.order(key)
	require.Equal(o.t, want, found.State, "reason %s, cases %v", found.Reason, found.Cases)
	o.balanced()
}

// balanced checks that the ledger sums to nothing and agrees with the tills
// about the money they hold for us, so far as we were told.
func (o *office) balanced() {
	balances, err := o.Balances(o.ctx)
	require.NoError(o.t, err)
	var sum hospital.Fen
	for _, b := range balances {
		sum += b.Amount
	}
	require.Zero(o.t, sum)
}

func (o *office) balance(account payment.Account) hospital.Fen {
	balances, err := o.Balances(o.ctx)
	require.NoError(o.t, err)
	for _, b := range balances {
		if b.Account == account {
			return b.Amount
		}
	}
	return 0
}

// returnedOnce checks that the payer of a trade got everything back, once.
func (o *office) returnedOnce(no payment.TradeNo) {
	require.Equal(o.t, hospital.Fen(1250), o.till.Taken(no)+o.second.Taken(no))
	require.Equal(o.t, hospital.Fen(1250), o.till.Returned(no)+o.second.Returned(no))
}

func (o *office) events(kind string) int {
	n := 0
	for _, e := range o.store.Events() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func (o *office) cases() []payment.CaseReason {
	cases, err := o.Manual(o.ctx)
	require.NoError(o.t, err)
	var reasons []payment.CaseReason
	for _, c := range cases {
		reasons = append(reasons, c.Reason)
	}
	return reasons
}

func staff() hospital.Actor {
	return hospital.Actor{Kind: hospital.ActorStaff, ID: "s7", Entry: hospital.EntryWindow}
}

func lose(kinds ...paymenttest.FaultKind) []paymenttest.Fault {
	var faults []paymenttest.Fault
	for _, k := range kinds {
		faults = append(faults, paymenttest.Fault{Kind: k})
	}
	return faults
}

// failSecond breaks the second command of the name and every later one.
func failSecond(name string) func(string) error {
	n := 0
	return func(command string) error {
		if command == name {
			n++
		}
		if n > 1 {
			return hisError(hospital.Unavailable)
		}
		return nil
	}
}

// resolve decides the open case of the reason as staff do.
func (o *office) resolve(reason payment.CaseReason, outcome payment.Outcome) error {
	cases, err := o.Manual(o.ctx)
	require.NoError(o.t, err)
	for _, c := range cases {
		if c.Reason == reason {
			return o.Resolve(o.ctx, payment.Resolution{Case: c.ID, Outcome: outcome, Reason: "已核实", Actor: staff()})
		}
	}
	require.Fail(o.t, "no such case", "%s", reason)
	return nil
}
