package promise_test

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

// The size of a run: rapid draws so many random weeks of so many steps each.
const (
	randomWeeks  = 40
	stepsAWeek   = 200
	minimumSteps = 5000
)

// TestARandomWeekKeepsThePromises lets patients, staff, the window, the channel
// and the network do what they like, in any order, and checks that no number
// has two holders, that every fen is booked once and ends in a visit or a
// refund, that an unknown answer is found out, and that no appointment is
// judged by another policy than its own.
func TestARandomWeekKeepsThePromises(t *testing.T) {
	t.Parallel()
	weeks := randomWeeks
	if raceDetector || testing.Short() {
		weeks = randomWeeks / 8
	}
	configureRapid(t, weeks)
	sqltest.Each(t, func(t *sqltest.T) {
		var steps atomic.Int64
		rapid.Check(t, func(r *rapid.T) {
			at := testclock.At(monday)
			db := mustOpen(t, sqltest.On(t, t.Engine), at)
			kinds := slices.Sorted(maps.Keys(adapters()))
			w := newWorld(t.Context(), r, at, db, adapters()[rapid.SampledFrom(kinds).Draw(r, "adapter")])
			week := newWeek(w)
			r.Repeat(week.actions(&steps))
			week.end()
			require.NoError(r, db.Close())
		})
		t.Logf("%v: %d steps in %d weeks", t.Engine, steps.Load(), weeks)
		if weeks == randomWeeks {
			require.GreaterOrEqual(t, steps.Load(), int64(minimumSteps))
		}
	})
}

var rapidOnce sync.Once

// configureRapid sets how much is drawn, and a seed that is printed, so that a
// run can be repeated with -rapid.seed.
func configureRapid(t *testing.T, weeks int) {
	t.Helper()
	rapidOnce.Do(func() {
		require.NoError(t, flag.Set("rapid.checks", strconv.Itoa(weeks)))
		require.NoError(t, flag.Set("rapid.steps", strconv.Itoa(stepsAWeek)))
		require.NoError(t, flag.Set("rapid.nofailfile", "true"))
		if flag.Lookup("rapid.seed").Value.String() == "0" {
			var seed [8]byte
			_, err := rand.Read(seed[:])
			require.NoError(t, err)
			require.NoError(t, flag.Set("rapid.seed", strconv.FormatUint(binary.BigEndian.Uint64(seed[:])|1, 10)))
		}
	})
	t.Logf("repeat with -rapid.seed=%s", flag.Lookup("rapid.seed").Value)
}

// week is the small model beside the world: what was promised to whom.
type week struct {
	*world

	patients []hospital.Patient
	promised map[string]string         // appointment → the policy it was made under
	rulebook map[string]booking.Policy // version → rules, as the model read them
	ids      []string
	policy   string
	dead     bool
}

func newWeek(w *world) *week {
	k := &week{world: w, patients: w.selfPaying(5), promised: map[string]string{}, rulebook: map[string]booking.Policy{}}
	k.publishAs("wuxi2018")
	for _, p := range k.patients {
		require.NoError(w, w.workers[0].desk.Bind(w.ctx, booking.BindRequest{Actor: of(p), User: "u" + hospital.UserID(p.ID), Patient: p.ID}))
	}
	return k
}

// publishAs puts a preset in force and lets the model read it too.
func (k *week) publishAs(preset string) {
	body, err := booking.Preset(preset)
	require.NoError(k, err)
	rules, err := booking.ParsePolicy(body)
	require.NoError(k, err)
	k.policy = k.publish(preset)
	k.rulebook[k.policy] = rules
}

func of(p hospital.Patient) hospital.Actor {
	return hospital.Actor{Kind: hospital.ActorUser, ID: "u" + string(p.ID), Entry: hospital.EntryWeChat}
}

var staff = hospital.Actor{Kind: hospital.ActorStaff, ID: "s1", Entry: hospital.EntryWindow}

func (k *week) actions(steps *atomic.Int64) map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){
		"book": k.book, "book again": k.book, "pay": k.pay, "pay again": k.pay, "pay late": k.payLate, "patient cancels": k.cancel,
		"staff cancels": k.staffCancels, "doctor is away": k.suspend, "patient is seen": k.see, "window takes the fee": k.windowFee,
		"window cancels": k.windowCancels, "hospital loses": k.lose, "hospital is silent": k.cut, "late requests arrive": k.arrive,
		"channel fails": k.failTill, "notices go astray": k.mail, "notices arrive": k.post, "a worker restarts": k.restartOne,
		"rules change": k.rules, "hospital unlocks": k.unlock, "minutes pass": k.minutes, "hours pass": k.hours, "hospital forgets": k.forget,
		"the first works": func(*rapid.T) { k.advance(0) }, "the second works": func(*rapid.T) { k.advance(1) },
	}
	for name, act := range actions {
		actions[name] = func(r *rapid.T) {
			k.TestingT = r
			act(r)
			steps.Add(1)
		}
	}
	actions[""] = func(*rapid.T) { k.check() }
	return actions
}

// check holds after every step.
func (k *week) check() {
	k.balanced()
	for _, a := range k.appointments() {
		promised, known := k.promised[a.ID]
		if !known {
			k.promised[a.ID] = a.Policy
			require.Equal(k, k.policy, a.Policy, "made under the policy in force")
			continue
		}
		require.Equal(k, promised, a.Policy, "never judged by another policy")
	}
}

func (k *week) end() {
	k.dead = false
	k.line.Cut(false)
	k.line.Deliver(k.ctx)
	k.till.Arrive()
	k.till.Post()
	for _, trade := range k.till.Trades() { // a payment after we closed, whose notice was lost, is in the day's bill
		k.till.Remind(trade)
	}
	k.rest()
	for range 5 * 4 { // five days: what the window or the doctor's absence ended is found out by the evening of the visit
		k.clock.Pass(6 * time.Hour)
		k.rest()
	}
	for range worklists {
		if !k.clearList() {
			break
		}
		k.clock.Pass(time.Minute) // nobody vouches while a request may be under way
		k.rest()
	}
	k.check()
	k.settled()
}

// worklists is how often staff look at the list: what they decide may be lost on
// the way too, and an adapter that cannot be asked comes back to them with it.
const worklists = 100

// clearList is staff who work off what a hospital that was silent for too long,
// or cannot be asked, left for them: they have it asked about the visit again,
// give the number back, or vouch that the hospital has nothing. It reports whether
// there was any.
func (k *week) clearList() bool {
	left := false
	for _, a := range k.appointments() {
		if a.State != booking.Manual {
			continue
		}
		decision := booking.Cancelling
		switch found, err := k.hospital.Find(k.ctx, a.Key()); {
		case strings.Contains(a.Reason, "did not say whether the visit took place"):
			decision = booking.Booked
		case err != nil || !found.State.Live():
			decision = booking.Cancelled
		}
		require.True(k, !k.asks || slices.ContainsFunc([]string{
			"did not say whether", "stayed silent", "neither be asked", "does not know the registration", "no longer has the fee",
		}, func(why string) bool { return strings.Contains(a.Reason, why) }), "nothing else needs a person: %s", a.Reason)
		_, err := k.workers[0].desk.Resolve(k.ctx, staff, a.ID, decision, "已在医院系统核实")
		k.mayFail(err)
		left = true
	}
	return left
}

// mayFail lets pass what a caller must be ready for; a defect is none of it.
func (k *week) mayFail(err error) {
	if err == nil {
		return
	}
	switch hospital.KindOf(err) {
	case hospital.Rejected, hospital.Conflict, hospital.Unavailable, hospital.Indeterminate, hospital.NotFound:
		require.NotEmpty(k, hospital.MessageFor(err))
	case hospital.Internal, hospital.Invalid, hospital.Denied:
		require.NoError(k, err)
	}
}

func (k *week) worker(r *rapid.T) *worker { return k.workers[rapid.IntRange(0, 1).Draw(r, "worker")] }

func (k *week) book(r *rapid.T) {
	wishes := k.wishes(3)
	wish := wishes[rapid.IntRange(0, len(wishes)-1).Draw(r, "slot")]
	patient := k.patients[rapid.IntRange(0, len(k.patients)-1).Draw(r, "patient")]
	wish.Patient, wish.Payer = patient.ID, patient.Payer
	a, err := k.worker(r).desk.Book(k.ctx, booking.BookRequest{Actor: of(patient), Wish: wish})
	k.mayFail(err)
	if err == nil {
		require.Contains(k, []booking.State{booking.Booked, booking.Held}, a.State)
	}
	if a.ID != "" {
		k.ids = append(k.ids, a.ID)
	}
}

// one is an appointment the patients know of.
func (k *week) one(r *rapid.T) booking.Appointment {
	if len(k.ids) == 0 {
		r.Skip("nobody has booked")
	}
	a, err := k.bookings.Find(k.ctx, k.ids[rapid.IntRange(0, len(k.ids)-1).Draw(r, "appointment")])
	require.NoError(k, err)
	return a
}

func (k *week) pay(r *rapid.T) {
	a := k.one(r)
	sheet, err := k.worker(r).cashier.Pay(k.ctx, payment.PayRequest{Charge: a.ChargeKey(), Channel: channel, Actor: a.Actor})
	k.mayFail(err)
	if err == nil && rapid.Bool().Draw(r, "pays") {
		k.mayFail(k.till.Pay(sheet.TradeNo))
	}
}

func (k *week) payLate(r *rapid.T) {
	trades := k.till.Trades()
	if len(trades) == 0 {
		r.Skip("no pay sheet")
	}
	slices.Sort(trades)
	trade := rapid.SampledFrom(trades).Draw(r, "trade")
	if rapid.Bool().Draw(r, "although closed") {
		k.mayFail(k.till.PayAnyway(trade))
		return
	}
	k.mayFail(k.till.Pay(trade))
}

func (k *week) cancel(r *rapid.T) {
	a := k.one(r)
	_, err := k.worker(r).desk.Cancel(k.ctx, booking.CancelRequest{ID: a.ID, Actor: a.Actor, Cause: booking.ByPatient})
	k.mayFail(err)
	if a.State != booking.Booked {
		return
	}
	rules := k.rulebook[a.Policy]
	switch late := errors.Is(err, booking.ErrTooLate); {
	case rules.AllowCancel(a, k.clock.Now()) != nil:
		require.True(k, late, "the rules it was made under say no: %v", err)
	case late:
		found, err := k.hospital.Find(k.ctx, a.Key())
		require.NoError(k, err)
		require.Contains(k, []hospital.RegistrationState{hospital.RegistrationArrived, hospital.RegistrationFulfilled}, found.State,
			"the rules it was made under say yes, so only the visit itself may be in the way")
	}
}

func (k *week) staffCancels(r *rapid.T) {
	a := k.one(r)
	_, err := k.worker(r).desk.Cancel(k.ctx, booking.CancelRequest{ID: a.ID, Actor: staff, Cause: booking.ByStaff, Reason: "患者来电"})
	k.mayFail(err)
}

// beforeItsEnd skips what a hospital changes about a visit that is over: that
// is for the reconciliation to find.
func (k *week) beforeItsEnd(r *rapid.T, a booking.Appointment) {
	if !k.clock.Now().Before(a.End) {
		r.Skip("the visit is over")
	}
}

// ifAsked skips what we could only learn by asking.
func (k *week) ifAsked(r *rapid.T) {
	if !k.asks {
		r.Skip("nobody could tell us")
	}
}

func (k *week) suspend(r *rapid.T) {
	a := k.one(r)
	k.beforeItsEnd(r, a)
	_, err := k.hospital.Suspend(a.Schedule, "医生外出", "")
	k.mayFail(err)
}

func (k *week) see(r *rapid.T) {
	a := k.one(r)
	k.ifAsked(r)
	if !k.clock.Now().Before(a.Date.At(22, 0)) {
		r.Skip("the day is over")
	}
	k.mayFail(k.hospital.See(a.Hold.HISNo))
}

func (k *week) windowFee(r *rapid.T) {
	a := k.one(r)
	_, err := k.hospital.Window().TakeFee(a.Hold.HISNo)
	k.mayFail(err)
}

func (k *week) windowCancels(r *rapid.T) {
	a := k.one(r)
	k.ifAsked(r)
	k.beforeItsEnd(r, a)
	k.mayFail(k.hospital.Window().Cancel(a.Hold.HISNo))
}

func (k *week) lose(r *rapid.T) {
	op := rapid.SampledFrom([]histest.Op{histest.OpHold, histest.OpConfirm, histest.OpCancel, histest.OpFind}).Draw(r, "operation")
	n := rapid.IntRange(1, 2).Draw(r, "times")
	switch rapid.SampledFrom([]string{"answers", "requests", "time"}).Draw(r, "what") {
	case "answers":
		k.line.LoseAnswers(op, n)
	case "requests":
		k.line.LoseRequests(op, n)
	case "time":
		k.line.DelayRequests(op, n)
	}
}

func (k *week) cut(*rapid.T) {
	k.dead = !k.dead
	k.line.Cut(k.dead)
}

// forget restores the hospital from a backup of some minutes ago. What it then
// has not heard of, and we have ended, nobody asks about again: that is for the
// reconciliation to find.
func (k *week) forget(r *rapid.T) {
	k.ifAsked(r)
	age := time.Duration(rapid.IntRange(1, 15).Draw(r, "minutes")) * time.Minute
	since := k.clock.Now().Add(-age)
	for _, a := range k.appointments() {
		if a.EndedAt.After(since) || a.State == booking.Cancelling || a.State == booking.Manual {
			r.Skip("something has ended meanwhile")
		}
	}
	k.mayFail(k.hospital.Forget(age))
}

func (k *week) arrive(*rapid.T) {
	k.line.Deliver(k.ctx)
	k.till.Arrive()
}

func (k *week) failTill(r *rapid.T) {
	call := rapid.SampledFrom([]paymenttest.Call{
		paymenttest.CallPrepay, paymenttest.CallQuery, paymenttest.CallClose, paymenttest.CallRefund, paymenttest.CallQueryRefund,
	}).Draw(r, "call")
	kind := rapid.SampledFrom([]paymenttest.FaultKind{
		paymenttest.LoseAnswer, paymenttest.LoseRequest, paymenttest.Dead, paymenttest.Late,
	}).Draw(r, "fault")
	k.till.Fail(call, paymenttest.Fault{Kind: kind})
}

func (k *week) mail(r *rapid.T) {
	k.till.Mail(rapid.SampledFrom([]paymenttest.Mail{paymenttest.MailLate, paymenttest.MailLost, paymenttest.MailTwice}).Draw(r, "mail"))
}

func (k *week) post(*rapid.T) { k.till.Post() }

func (k *week) restartOne(r *rapid.T) { k.restart(rapid.IntRange(0, 1).Draw(r, "worker")) }

func (k *week) rules(r *rapid.T) {
	k.clock.Pass(time.Second) // a version is in force from its second on
	k.publishAs(rapid.SampledFrom(booking.Presets()).Draw(r, "policy"))
}

func (k *week) unlock(r *rapid.T) {
	k.mayFail(k.worker(r).desk.Unlock(k.ctx, staff, rapid.SampledFrom(k.patients).Draw(r, "patient").ID, "来电说明"))
}

func (k *week) minutes(r *rapid.T) {
	k.clock.Pass(time.Duration(rapid.IntRange(1, 20).Draw(r, "minutes")) * time.Minute)
}

func (k *week) hours(r *rapid.T) {
	k.clock.Pass(time.Duration(rapid.IntRange(1, 14).Draw(r, "hours")) * time.Hour)
}
