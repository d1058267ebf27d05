package payment_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

// world is what a patient, a caller, a broken network and a broken process do
// to a cashier, and what must hold whatever they do.
type world struct {
	*office
	rt      *rapid.T
	charges []hospital.Charge
	closed  map[hospital.Key]bool // Close said nil
	asked   map[hospital.Key]bool // Refund said nil
	other   *rival                // nil: the cashier is alone
}

// TestNoFenIsLost runs random interleavings of everything, lets the faults end,
// and looks where each fen is.
func TestNoFenIsLost(t *testing.T) {
	t.Parallel()
	noFenIsLost(t, func(*world) {})
}

// TestNoFenIsLostBetweenTwoCashiers lets a second cashier on the same store cut
// in at every commit and every call of the first.
func TestNoFenIsLostBetweenTwoCashiers(t *testing.T) {
	t.Parallel()
	noFenIsLost(t, (*world).withRival)
}

func noFenIsLost(t *testing.T, prepare func(*world)) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{office: openOffice(t.Context(), rt), rt: rt, closed: map[hospital.Key]bool{}, asked: map[hospital.Key]bool{}}
		prepare(w)
		for n := range 3 {
			w.charges = append(w.charges, hospital.Charge{
				Key: hospital.Key(fmt.Sprintf("charge-%d", n)), Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: fmt.Sprint("B", n)},
				Patient: "P1", Amount: 1250, Description: "门诊缴费", Expires: w.clock.Now().Add(time.Duration(n+1) * 20 * time.Minute),
			})
		}
		rt.Repeat(map[string]func(*rapid.T){
			"":             func(*rapid.T) { w.check() },
			"open":         func(*rapid.T) { _ = w.Open(w.ctx, w.any()) },
			"tap":          func(*rapid.T) { w.tap() },
			"pay":          func(*rapid.T) { w.pay() },
			"close":        func(*rapid.T) { w.close() },
			"refund":       func(*rapid.T) { w.refund() },
			"advance":      func(*rapid.T) { _, _ = w.Advance(w.ctx) },
			"time passes":  func(*rapid.T) { w.clock.Pass(rapid.SampledFrom(pauses()).Draw(w.rt, "pause")) },
			"till fails":   func(*rapid.T) { w.breakTill() },
			"his fails":    func(*rapid.T) { w.breakHIS() },
			"store fails":  func(*rapid.T) { w.breakStore() },
			"mail":         func(*rapid.T) { w.mail() },
			"late arrives": func(*rapid.T) { w.arrive() },
			"settle":       func(*rapid.T) { w.settle() },
			"restart":      func(*rapid.T) { w.reopen() },
			"cut in":       func(rt *rapid.T) { w.other.plan(rt) },
		})
		w.calm()
		w.judge()
	})
}

func pauses() []time.Duration {
	return []time.Duration{time.Second, 7 * time.Second, time.Minute, 11 * time.Minute, 40 * time.Minute}
}

func (w *world) any() hospital.Charge { return rapid.SampledFrom(w.charges).Draw(w.rt, "charge") }

func (w *world) tills() []*paymenttest.Till { return []*paymenttest.Till{w.till, w.second} }

func (w *world) tap() {
	req := w.request(w.any().Key)
	req.Channel = rapid.SampledFrom([]string{"till", "till", "second"}).Draw(w.rt, "channel")
	req.Payer = rapid.SampledFrom([]payment.Payer{"payer-1", "payer-1", "payer-2"}).Draw(w.rt, "payer")
	_, _ = w.Pay(w.ctx, req) // an error is the patient's, not the property's
}

// trades lists every number that a till knows, in a stable order.
func (w *world) trades(of *paymenttest.Till) []payment.TradeNo {
	trades := of.Trades()
	slices.Sort(trades)
	return trades
}

func (w *world) pay() {
	till := rapid.SampledFrom(w.tills()).Draw(w.rt, "till")
	trades := w.trades(till)
	if len(trades) == 0 {
		return
	}
	no := trades[rapid.IntRange(0, len(trades)-1).Draw(w.rt, "trade")]
	if rapid.Bool().Draw(w.rt, "although closed") {
		_ = till.PayAnyway(no)
		return
	}
	_ = till.Pay(no)
}

func (w *world) close() {
	key := w.any().Key
	if w.Close(w.ctx, key) == nil {
		w.closed[key] = true
	}
}

func (w *world) refund() {
	key := w.any().Key
	if w.Refund(w.ctx, key, rapid.SampledFrom([]string{"cancelled", "suspended"}).Draw(w.rt, "cause")) == nil {
		w.asked[key] = true
	}
}

func (w *world) breakTill() {
	till := rapid.SampledFrom(w.tills()).Draw(w.rt, "till")
	call := rapid.SampledFrom([]paymenttest.Call{
		paymenttest.CallPrepay, paymenttest.CallQuery, paymenttest.CallClose, paymenttest.CallRefund, paymenttest.CallQueryRefund,
	}).Draw(w.rt, "call")
	kind := rapid.SampledFrom([]paymenttest.FaultKind{
		paymenttest.LoseAnswer, paymenttest.LoseRequest, paymenttest.Dead, paymenttest.Refuse, paymenttest.Late, paymenttest.WrongAmount,
	}).Draw(w.rt, "fault")
	till.Fail(call, paymenttest.Fault{Kind: kind, Code: "NOT_ENOUGH"})
	till.SlowRefunds(rapid.Bool().Draw(w.rt, "slow refunds"))
}

func (w *world) breakHIS() {
	answers := rapid.SliceOfN(rapid.SampledFrom([]answer{
		works, refuses, losesRequest, losesAnswer, doesNotAnswer, arrivesLate,
	}), 0, 4)
	w.his.script(answers.Draw(w.rt, "delivers"), answers.Draw(w.rt, "withdraws"))
	w.his.keepSilent(rapid.Bool().Draw(w.rt, "silent"))
}

func (w *world) breakStore() {
	good := rapid.IntRange(0, 4).Draw(w.rt, "commands before it breaks")
	bad := rapid.IntRange(1, 3).Draw(w.rt, "commands that fail")
	w.store.FailWith(func(command string) error {
		switch {
		case command == "Find" || command == "Balances" || command == "List":
		case good > 0:
			good--
		case bad > 0:
			bad--
			return hisError(hospital.Unavailable)
		}
		return nil
	})
}

func (w *world) mail() {
	till := rapid.SampledFrom(w.tills()).Draw(w.rt, "till")
	till.Mail(rapid.SampledFrom([]paymenttest.Mail{
		paymenttest.MailLost, paymenttest.MailLate, paymenttest.MailTwice, paymenttest.MailForged,
	}).Draw(w.rt, "mail"))
}

func (w *world) arrive() {
	w.his.arrive()
	for _, till := range w.tills() {
		till.Arrive()
		till.Post()
	}
}

func (w *world) settle() {
	how := rapid.SampledFrom([]payment.RefundProgress{payment.RefundSucceeded, payment.RefundClosed, payment.RefundAbnormal}).Draw(w.rt, "how")
	for _, till := range w.tills() {
		for _, r := range till.Refunds() {
			_ = till.Settle(r.No, how) // those that are settled stay so
		}
	}
}

// check is what holds at every moment.
func (w *world) check() {
	w.balanced()
	for _, till := range w.tills() {
		for _, no := range w.trades(till) {
			require.LessOrEqual(w.rt, till.Returned(no), till.Taken(no))
		}
	}
	orders, err := w.Orders(w.ctx, payment.Filter{})
	require.NoError(w.rt, err)
	for _, o := range orders {
		if w.closed[o.Charge.Key] {
			require.False(w.rt, o.Live, "closed for good")
			require.NotContains(w.rt, []payment.State{payment.Payable, payment.Delivering, payment.Delivered}, o.State)
		}
	}
}

// calm ends every fault and gives the machine a day.
func (w *world) calm() {
	w.other.rest()
	w.store.FailWith(nil)
	w.his.script(nil, nil)
	w.his.keepSilent(false)
	w.arrive()
	w.later(2 * time.Hour)
	for _, till := range w.tills() {
		till.SlowRefunds(false)
	}
	for range 8 {
		for _, till := range w.tills() {
			for _, r := range till.Refunds() {
				_ = till.Settle(r.No, payment.RefundSucceeded)
			}
			for _, no := range w.trades(till) {
				if a := w.attempt(no); a.State == payment.AttemptClosed {
					till.Remind(no) // nobody queries a closed number: the bill tells
				}
			}
			till.Post()
		}
		w.later(6 * time.Hour)
	}
	w.arrive() // what was sent in the storm and is seen only now has no effect any more
	w.later(6 * time.Hour)
}

func (w *world) attempt(no payment.TradeNo) payment.Attempt {
	o, err := w.store.Find(w.ctx, payment.Ref{TradeNo: no})
	require.NoError(w.rt, err)
	a, _ := o.Attempt(no)
	return a
}

// judge looks for every fen.
func (w *world) judge() {
	w.check()
	postings, err := w.Ledger(w.ctx, "")
	require.NoError(w.rt, err)
	booked := map[string]int{}
	for _, p := range postings {
		booked[p.Key]++
		require.True(w.rt, payment.Balanced(p.Entries))
	}
	for _, n := range booked {
		require.Equal(w.rt, 1, n)
	}
	for _, till := range w.tills() {
		for _, no := range w.trades(till) {
			w.judgeTrade(till, no, booked)
		}
	}
	orders, err := w.Orders(w.ctx, payment.Filter{})
	require.NoError(w.rt, err)
	for _, o := range orders {
		require.True(w.rt, o.State.Terminal() || len(o.OpenCases()) > 0, "order %s is %s, unseen", o.ID, o.State)
		n, _ := w.his.state(o.Charge.Key)
		switch {
		case o.State == payment.Delivered:
			require.Equal(w.rt, 1, n, "delivered to nobody")
		case o.State == payment.Refunded && !w.asked[o.Charge.Key]:
			require.Zero(w.rt, n, "refunded and delivered")
		}
	}
}

func (w *world) judgeTrade(till *paymenttest.Till, no payment.TradeNo, booked map[string]int) {
	taken, returned := till.Taken(no), till.Returned(no)
	o, err := w.store.Find(w.ctx, payment.Ref{TradeNo: no})
	require.NoError(w.rt, err)
	if taken == 0 {
		require.Zero(w.rt, booked[string(no)+"/paid"], "booked and never taken")
		return
	}
	require.Equal(w.rt, 1, booked[string(no)+"/paid"], "taken and not booked: order %s", o.State)
	delivered := o.State == payment.Delivered && o.PaidBy == no
	visible := len(o.OpenCases()) > 0
	require.True(w.rt, delivered && returned == 0 || returned == taken || visible,
		"trade %s: taken %d, returned %d, order %s", no, taken, returned, o.State)
	require.Equal(w.rt, returned == taken, booked[string(no)+"/refunded"] == 1 || visible && returned == taken)
}
