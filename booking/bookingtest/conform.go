package bookingtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
)

// ConformStore runs the promises that a booking.Store makes. Open returns a
// fresh, empty store each time it is called.
func ConformStore(t *testing.T, open func(t *testing.T) booking.Store) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, booking.Store){
		"every field of an appointment survives":                     everyFieldSurvives,
		"a stale version is refused":                                 staleVersionIsRefused,
		"an illegal move is refused":                                 illegalMoveIsRefused,
		"the rules see what is live, missed and bound":               rulesSeeHistory,
		"a refused sale writes nothing":                              refusedSaleWritesNothing,
		"a quota sells each number once, freed ones first":           quotaSellsFreedFirst,
		"a burnt number is never sold again":                         burntNumberStaysGone,
		"a number that was refused is sold after all others":         refusedNumberIsSoldLast,
		"unsold numbers are taken back, sold ones are not":           unsoldNumbersAreRecalled,
		"no-shows at one time are judged one after another":          strikesComeOneByOne,
		"a number is sold or taken back, not both":                   soldOrRecalled,
		"what an event names can be read":                            recordsCanBeRead,
		"a hundred patients share twenty numbers":                    hundredPatientsShareTwenty,
		"a patient who books twice at once gets one":                 patientBooksTwiceAtOnce,
		"due rows are leased once and fenced":                        dueRowsAreFenced,
		"a lapsed lease is taken over":                               lapsedLeaseIsTakenOver,
		"lists select and are bounded":                               listsSelect,
		"a policy version is immutable":                              policyIsImmutable,
		"a patient has one holder and a take-over moves the patient": takeOverMovesThePatient,
		"twenty binds at once respect the limit":                     bindsAtOnceRespectTheLimit,
		"an unlock forgives what came before":                        unlockForgives,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

// noon is the business time of the suite: a Monday.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, hospital.CST) //nolint:gochecknoglobals // a constant in spirit

// done is the audit row of what the suite does to rules and quotas.
func done(action string) hospital.AuditEntry {
	return hospital.AuditEntry{At: noon, Actor: hospital.System("test"), Purpose: "test", Action: action, Outcome: "ok"}
}

func sample(n int) booking.Appointment {
	day := hospital.DateOf(noon).AddDays(2)
	return booking.Appointment{
		ID: hospital.NewID("a", noon), Kind: hospital.Advance, Payer: hospital.SelfPay,
		Actor:   hospital.Actor{Kind: hospital.ActorUser, ID: fmt.Sprintf("u%d", n), Entry: hospital.EntryWeChat},
		Patient: hospital.PatientID(fmt.Sprintf("P%d", n)),
		Campus:  "C1", Department: "D1", Doctor: "DR1", Schedule: "S1", Slot: "S1-1", SlotOpaque: "^opaque^",
		Date: day, Session: hospital.Morning, Start: day.At(8, 0), End: day.At(8, 30),
		Policy: "test@1", Pay: booking.PayBeforeConfirm, State: booking.Holding, CreatedAt: noon, AskedAt: noon, SentAt: noon,
		Deadline: noon.Add(10 * time.Minute), DueAt: noon,
	}
}

func sale(a booking.Appointment) booking.Sale {
	return booking.Sale{
		Appointment: a, Lease: time.Minute, Allow: func(booking.History) error { return nil },
		Audit: hospital.AuditEntry{At: noon, Actor: a.Actor, Purpose: "booking", Action: "appointment.book", Object: a.ID, Patient: a.Patient, Outcome: "ok"},
	}
}

func change(a booking.Appointment) booking.Change {
	return booking.Change{
		Appointment: a, Events: []hospital.Event{{Kind: "appt.test", ID: a.ID}},
		Audit: hospital.AuditEntry{At: noon, Actor: a.Actor, Purpose: "booking", Action: "appointment.test", Object: a.ID, Patient: a.Patient, Outcome: "ok"},
	}
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("want %+v\n got %+v", want, got)
	}
}

func refusedWith(t *testing.T, want, err error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("want %v, got %v", want, err)
	}
}

func kindIs(t *testing.T, want hospital.Kind, err error) {
	t.Helper()
	if err == nil || hospital.KindOf(err) != want {
		t.Fatalf("want a failure of kind %v, got %v", want, err)
	}
}

// canonical strips what time.Time carries besides the instant.
func canonical(a booking.Appointment) booking.Appointment {
	for _, at := range []*time.Time{&a.Start, &a.End, &a.CreatedAt, &a.AskedAt, &a.SentAt, &a.Deadline, &a.DueAt, &a.EndedAt, &a.PaidAt, &a.Hold.Expires} {
		if !at.IsZero() {
			*at = at.In(hospital.CST)
		}
	}
	return a
}

func everyFieldSurvives(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	a := must[booking.Appointment](t)(store.Sell(ctx, sale(sample(1))))
	a.State, a.Cause, a.Reason = booking.Cancelling, booking.ByDoubt, "because"
	a.Hold = hospital.Hold{HISNo: "H7", Patient: a.Patient, QueueNo: 7, Fee: 1250, PayOnline: true, Expires: noon.Add(time.Hour), Opaque: "锁号^7"}
	a.Charged, a.Paid, a.Receipt, a.Channel, a.TradeNo = true, 1250, "r-1", "wechatpay", "t-1"
	a.Withdrawn, a.Vouched, a.Fate = true, true, booking.BurnNumber
	a.PaidAt, a.PaidAtHIS, a.Tries, a.EndedAt = noon.Add(time.Minute), true, 3, noon.Add(2*time.Minute)
	saved := must[booking.Appointment](t)(store.Save(ctx, change(a)))
	a.Version++
	same(t, canonical(a), canonical(saved))
	same(t, canonical(a), canonical(must[booking.Appointment](t)(store.Find(ctx, a.ID))))
	if missing := unset(reflect.ValueOf(a)); len(missing) > 1 || len(missing) == 1 && missing[0] != "Number" {
		t.Fatalf("the suite leaves fields unset, so it does not prove that they survive: %v", missing)
	}
	_, err := store.Find(ctx, "a-nobody")
	kindIs(t, hospital.NotFound, err)
}

// unset names the fields of a struct that are zero.
func unset(value reflect.Value) []string {
	var names []string
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			names = append(names, value.Type().Field(i).Name)
		}
	}
	return names
}

func staleVersionIsRefused(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	first := must[booking.Appointment](t)(store.Sell(ctx, sale(sample(1))))
	first.State = booking.Confirming
	second := must[booking.Appointment](t)(store.Save(ctx, change(first)))
	_, err := store.Save(ctx, change(first))
	refusedWith(t, booking.ErrStale, err)
	same(t, canonical(second), canonical(must[booking.Appointment](t)(store.Find(ctx, first.ID))))
	missing := sample(2)
	_, err = store.Save(ctx, change(missing))
	kindIs(t, hospital.NotFound, err)
}

func illegalMoveIsRefused(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	a := must[booking.Appointment](t)(store.Sell(ctx, sale(sample(1))))
	a.State = booking.Refused
	a = must[booking.Appointment](t)(store.Save(ctx, change(a)))
	a.State = booking.Booked
	_, err := store.Save(ctx, change(a))
	kindIs(t, hospital.Internal, err)
}

func rulesSeeHistory(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	ok(t, store.Bind(ctx, bind("u1", "P1", nil)))
	live := must[booking.Appointment](t)(store.Sell(ctx, sale(sample(1))))
	missed := sample(1)
	missed.Date, missed.Slot = hospital.DateOf(noon).AddDays(-3), "S0-1"
	missed = must[booking.Appointment](t)(store.Sell(ctx, sale(missed)))
	for _, state := range []booking.State{booking.Confirming, booking.Booked, booking.NoShow} {
		missed.State, missed.EndedAt = state, noon.Add(-time.Hour)
		missed = must[booking.Appointment](t)(store.Save(ctx, change(missed)))
	}
	want := booking.History{
		Bound:   true,
		Live:    []booking.Visit{{Date: live.Date, Department: live.Department, Doctor: live.Doctor, Slot: live.Slot}},
		Strikes: []booking.Strike{{Date: missed.Date, At: noon.Add(-time.Hour)}},
	}
	var seen booking.History
	next := sale(sample(1))
	next.Allow = func(history booking.History) error {
		seen = history
		return booking.ErrLimit
	}
	_, err := store.Sell(ctx, next)
	refusedWith(t, booking.ErrLimit, err)
	same(t, want, canonicalHistory(seen))
	same(t, want, canonicalHistory(must[booking.History](t)(store.History(ctx, "u1", "P1", hospital.DateOf(noon)))))
	other := must[booking.History](t)(store.History(ctx, "u2", "P2", hospital.DateOf(noon)))
	same(t, booking.History{}, canonicalHistory(other))
}

func canonicalHistory(history booking.History) booking.History {
	for i := range history.Strikes {
		history.Strikes[i].At = history.Strikes[i].At.In(hospital.CST)
	}
	if len(history.Live) == 0 {
		history.Live = nil
	}
	if len(history.Strikes) == 0 {
		history.Strikes = nil
	}
	if !history.Unlocked.IsZero() {
		history.Unlocked = history.Unlocked.In(hospital.CST)
	}
	return history
}

func refusedSaleWritesNothing(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	ok(t, store.Grant(ctx, []booking.QuotaSlot{{Slot: "S1-1", Schedule: "S1", Numbers: []int{1}}}, done("quota.grant")))
	refused := sale(sample(1))
	refused.Quota, refused.Allow = true, func(booking.History) error { return booking.ErrLocked }
	_, err := store.Sell(ctx, refused)
	refusedWith(t, booking.ErrLocked, err)
	_, err = store.Find(ctx, refused.Appointment.ID)
	kindIs(t, hospital.NotFound, err)
	same(t, map[hospital.SlotID]int{"S1-1": 1}, must[map[hospital.SlotID]int](t)(store.QuotaLeft(ctx, []hospital.SlotID{"S1-1"})))
}

func sellQuota(ctx context.Context, store booking.Store, n int) (booking.Appointment, error) {
	s := sale(sample(n))
	s.Quota = true
	return store.Sell(ctx, s)
}

func refuse(ctx context.Context, store booking.Store, a booking.Appointment, fate booking.NumberFate) error {
	a.State = booking.Refused
	c := change(a)
	c.Number = fate
	_, err := store.Save(ctx, c)
	return err
}

func quotaSellsFreedFirst(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	grant := []booking.QuotaSlot{{Slot: "S1-1", Schedule: "S1", Numbers: []int{2, 4, 6}}}
	ok(t, store.Grant(ctx, grant, done("quota.grant")))
	ok(t, store.Grant(ctx, grant, done("quota.grant"))) // again is harmless
	first := must[booking.Appointment](t)(sellQuota(ctx, store, 1))
	second := must[booking.Appointment](t)(sellQuota(ctx, store, 2))
	same(t, []int{2, 4}, []int{first.Number, second.Number})
	ok(t, refuse(ctx, store, first, booking.FreeNumber))
	same(t, map[hospital.SlotID]int{"S1-1": 2}, must[map[hospital.SlotID]int](t)(store.QuotaLeft(ctx, []hospital.SlotID{"S1-1", "unknown"})))
	third := must[booking.Appointment](t)(sellQuota(ctx, store, 3))
	fourth := must[booking.Appointment](t)(sellQuota(ctx, store, 4))
	same(t, []int{2, 6}, []int{third.Number, fourth.Number})
	_, err := sellQuota(ctx, store, 5)
	refusedWith(t, booking.ErrSlotTaken, err)
	ok(t, store.Grant(ctx, []booking.QuotaSlot{{Slot: "S1-1", Schedule: "S1", Numbers: []int{2, 4, 6, 8}}}, done("quota.grant")))
	same(t, 8, must[booking.Appointment](t)(sellQuota(ctx, store, 6)).Number)
}

func burntNumberStaysGone(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	ok(t, store.Grant(ctx, []booking.QuotaSlot{{Slot: "S1-1", Schedule: "S1", Numbers: []int{1}}}, done("quota.grant")))
	a := must[booking.Appointment](t)(sellQuota(ctx, store, 1))
	ok(t, refuse(ctx, store, a, booking.BurnNumber))
	_, err := sellQuota(ctx, store, 2)
	refusedWith(t, booking.ErrSlotTaken, err)
}

func refusedNumberIsSoldLast(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	ok(t, store.Grant(ctx, []booking.QuotaSlot{{Slot: "S1-1", Schedule: "S1", Numbers: []int{1, 2, 3, 4}}}, done("quota.grant")))
	var sold []booking.Appointment
	for n := range 3 {
		sold = append(sold, must[booking.Appointment](t)(sellQuota(ctx, store, n)))
	}
	ok(t, refuse(ctx, store, sold[1], booking.DeferNumber))
	ok(t, refuse(ctx, store, sold[0], booking.DeferNumber))
	ok(t, refuse(ctx, store, sold[2], booking.FreeNumber))
	same(t, map[hospital.SlotID]int{"S1-1": 4}, must[map[hospital.SlotID]int](t)(store.QuotaLeft(ctx, []hospital.SlotID{"S1-1"})))
	var numbers []int
	for n := range 4 {
		numbers = append(numbers, must[booking.Appointment](t)(sellQuota(ctx, store, 10+n)).Number)
	}
	same(t, []int{3, 4, 2, 1}, numbers)
	_, err := sellQuota(ctx, store, 20)
	refusedWith(t, booking.ErrSlotTaken, err)
}

func unsoldNumbersAreRecalled(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	recall := func(recall booking.QuotaRecall) []int {
		recall.Slot = "S1-1"
		return must[[]int](t)(store.Recall(ctx, recall, done("quota.recall")))
	}
	left := func() int {
		return must[map[hospital.SlotID]int](t)(store.QuotaLeft(ctx, []hospital.SlotID{"S1-1"}))["S1-1"]
	}
	slots := []booking.QuotaSlot{{Slot: "S1-1", Schedule: "S1", Numbers: []int{1, 2, 3, 4, 5, 6}}}
	ok(t, store.Grant(ctx, slots, done("quota.grant")))
	first := must[booking.Appointment](t)(sellQuota(ctx, store, 1))
	second := must[booking.Appointment](t)(sellQuota(ctx, store, 2))
	ok(t, refuse(ctx, store, first, booking.FreeNumber))
	same(t, []int{1, 3}, recall(booking.QuotaRecall{Numbers: []int{3, 2, 1, 9}})) // 2 is a patient's
	same(t, []int{5, 6}, recall(booking.QuotaRecall{Last: 2}))
	same(t, 1, left())
	same(t, 4, must[booking.Appointment](t)(sellQuota(ctx, store, 3)).Number)
	_, err := sellQuota(ctx, store, 4)
	refusedWith(t, booking.ErrSlotTaken, err)
	ok(t, refuse(ctx, store, second, booking.FreeNumber))
	same(t, []int{2}, recall(booking.QuotaRecall{Last: 10}))
	ok(t, store.Grant(ctx, slots, done("quota.grant"))) // handed to us again
	same(t, 5, left())
	_, err = store.Recall(ctx, booking.QuotaRecall{Slot: "unknown", Last: 1}, done("quota.recall"))
	kindIs(t, hospital.NotFound, err)
}

func soldOrRecalled(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	numbers := make([]int, 20)
	for i := range numbers {
		numbers[i] = i + 1
	}
	ok(t, store.Grant(ctx, []booking.QuotaSlot{{Slot: "S1-1", Schedule: "S1", Numbers: numbers}}, done("quota.grant")))
	var mu sync.Mutex
	var seen []int
	atOnce(30, func(n int) {
		var got []int
		var err error
		if n%3 == 0 {
			got, err = store.Recall(ctx, booking.QuotaRecall{Slot: "S1-1", Last: 2}, done("quota.recall"))
		} else {
			var a booking.Appointment
			if a, err = sellQuota(ctx, store, n); err == nil {
				got = []int{a.Number}
			}
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, got...)
		if err != nil && !errors.Is(err, booking.ErrSlotTaken) {
			t.Error(err)
		}
	})
	slices.Sort(seen)
	same(t, numbers, seen)
}

func hundredPatientsShareTwenty(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	numbers := make([]int, 20)
	for i := range numbers {
		numbers[i] = i + 1
	}
	ok(t, store.Grant(ctx, []booking.QuotaSlot{{Slot: "S1-1", Schedule: "S1", Numbers: numbers}}, done("quota.grant")))
	var mu sync.Mutex
	var sold []int
	atOnce(100, func(n int) {
		a, err := sellQuota(ctx, store, n)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			sold = append(sold, a.Number)
		case !errors.Is(err, booking.ErrSlotTaken):
			t.Errorf("patient %d: %v", n, err)
		}
	})
	slices.Sort(sold)
	same(t, numbers, sold)
}

// atOnce runs n functions that wait for one another before they begin.
func atOnce(n int, f func(int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			f(i)
		})
	}
	done.Wait()
}

func patientBooksTwiceAtOnce(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	var mu sync.Mutex
	sold := 0
	atOnce(20, func(int) {
		s := sale(sample(1))
		s.Allow = func(history booking.History) error {
			if len(history.Live) > 0 {
				return booking.ErrLimit
			}
			return nil
		}
		_, err := store.Sell(ctx, s)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			sold++
		case !errors.Is(err, booking.ErrLimit):
			t.Error(err)
		}
	})
	same(t, 1, sold)
}

func unleased(t *testing.T, store booking.Store, a booking.Appointment) booking.Appointment {
	t.Helper()
	s := sale(a)
	s.Lease = 0
	return must[booking.Appointment](t)(store.Sell(t.Context(), s))
}

func dueRowsAreFenced(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	early, late, never := sample(1), sample(2), sample(3)
	early.DueAt, late.DueAt, never.DueAt = noon.Add(-time.Minute), noon.Add(time.Minute), time.Time{}
	for _, a := range []booking.Appointment{early, late, never} {
		unleased(t, store, a)
	}
	held := must[booking.Appointment](t)(store.Sell(ctx, sale(sample(4)))) // its seller still works on it
	before := must[booking.Appointment](t)(store.Find(ctx, early.ID))

	leased := must[[]booking.Appointment](t)(store.Lease(ctx, booking.Lease{Now: noon, N: 10, For: time.Minute}))
	same(t, []string{early.ID}, ids(leased))
	same(t, before.Version+1, leased[0].Version)
	same(t, 0, len(must[[]booking.Appointment](t)(store.Lease(ctx, booking.Lease{Now: noon, N: 10, For: time.Minute}))))
	before.State = booking.Confirming
	_, err := store.Save(ctx, change(before))
	refusedWith(t, booking.ErrStale, err)

	leased[0].State, leased[0].DueAt = booking.Confirming, noon
	must[booking.Appointment](t)(store.Save(ctx, change(leased[0]))) // gives the row back
	same(t, []string{early.ID}, ids(must[[]booking.Appointment](t)(store.Lease(ctx, booking.Lease{Now: noon, N: 10, For: time.Minute}))))
	held.State = booking.Confirming
	must[booking.Appointment](t)(store.Save(ctx, change(held)))
}

func ids(list []booking.Appointment) []string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.ID
	}
	return out
}

func lapsedLeaseIsTakenOver(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	a := unleased(t, store, sample(1))
	lease := booking.Lease{Now: noon, N: 10, For: time.Nanosecond}
	same(t, []string{a.ID}, ids(must[[]booking.Appointment](t)(store.Lease(ctx, lease))))
	for { // the clock that leases run by is the database's: ask until it has moved on
		taken := must[[]booking.Appointment](t)(store.Lease(ctx, lease))
		if len(taken) == 1 {
			same(t, a.Version+2, taken[0].Version)
			return
		}
		ok(t, ctx.Err())
	}
}

func listsSelect(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	var all []string
	for n := range 5 {
		a := sample(n % 2)
		a.CreatedAt = noon.Add(time.Duration(n) * time.Second)
		a.ID = hospital.NewID("a", a.CreatedAt)
		a.Schedule = hospital.ScheduleID(fmt.Sprintf("S%d", n%3))
		a.Slot = hospital.SlotID(fmt.Sprintf("S%d-%d", n%3, n))
		a.Date = a.Date.AddDays(n % 2)
		all = append(all, must[booking.Appointment](t)(store.Sell(ctx, sale(a))).ID)
	}
	gone := must[booking.Appointment](t)(store.Find(ctx, all[4]))
	ok(t, refuse(ctx, store, gone, booking.KeepNumber))
	for _, list := range []struct {
		query booking.Query
		want  []string
	}{
		{booking.Query{}, []string{all[4], all[3], all[2], all[1], all[0]}},
		{booking.Query{Limit: 2}, []string{all[4], all[3]}},
		{booking.Query{Patient: "P0"}, []string{all[4], all[2], all[0]}},
		{booking.Query{Patient: "P0", Live: true}, []string{all[2], all[0]}},
		{booking.Query{Schedule: "S1"}, []string{all[4], all[1]}},
		{booking.Query{Date: sample(0).Date}, []string{all[4], all[2], all[0]}},
		{booking.Query{Date: sample(0).Date.AddDays(1), Live: true}, []string{all[3], all[1]}},
		{booking.Query{Date: sample(0).Date.AddDays(2)}, []string{}},
		{booking.Query{States: []booking.State{booking.Refused, booking.Booked}}, []string{all[4]}},
	} {
		same(t, list.want, ids(must[[]booking.Appointment](t)(store.List(ctx, list.query))))
	}
}

func policyIsImmutable(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	early := booking.PolicyVersion{Version: "p@1", Hash: "h1", Body: []byte("一"), Source: "test", ValidFrom: noon}
	late := booking.PolicyVersion{Version: "p@2", Hash: "h2", Body: []byte("二"), Source: "test", ValidFrom: noon.Add(time.Hour)}
	ok(t, store.Publish(ctx, late, done("policy.publish")))
	ok(t, store.Publish(ctx, early, done("policy.publish")))
	ok(t, store.Publish(ctx, early, done("policy.publish")))
	changed := early
	changed.Body, changed.Hash = []byte("三"), "h3"
	kindIs(t, hospital.Conflict, store.Publish(ctx, changed, done("policy.publish")))
	versions := must[[]booking.PolicyVersion](t)(store.PolicyVersions(ctx))
	if len(versions) != 2 {
		t.Fatalf("want two versions, got %d", len(versions))
	}
	for i, want := range []booking.PolicyVersion{early, late} {
		got := versions[i]
		same(t, []any{want.Version, string(want.Body), want.Source, true}, []any{got.Version, string(got.Body), got.Source, got.ValidFrom.Equal(want.ValidFrom)})
	}
}

func bind(user hospital.UserID, patient hospital.PatientID, allow func(hospital.UserID, int) error) booking.BindCommand {
	if allow == nil {
		allow = func(hospital.UserID, int) error { return nil }
	}
	return booking.BindCommand{
		ID:      hospital.NewID("b", noon),
		Binding: booking.Binding{User: user, Patient: patient, Since: noon}, Allow: allow,
		Events: []hospital.Event{{Kind: "patient.bound", ID: string(user)}},
		Taken:  []hospital.Event{{Kind: "patient.taken_over", ID: string(user)}},
		Audit:  hospital.AuditEntry{At: noon, Actor: hospital.System("test"), Action: "patient.bind", Patient: patient, Outcome: "ok"},
	}
}

func takeOverMovesThePatient(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	ok(t, store.Bind(ctx, bind("u1", "P1", nil)))
	ok(t, store.Bind(ctx, bind("u1", "P1", nil)))
	refusedWith(t, booking.ErrHeldByAnother, store.Bind(ctx, bind("u2", "P1", func(holder hospital.UserID, held int) error {
		same(t, []any{hospital.UserID("u1"), 0}, []any{holder, held})
		return booking.ErrHeldByAnother
	})))
	ok(t, store.Bind(ctx, bind("u2", "P1", nil)))
	same(t, 0, len(must[[]booking.Binding](t)(store.Bound(ctx, "u1"))))
	bound := must[[]booking.Binding](t)(store.Bound(ctx, "u2"))
	same(t, []any{1, hospital.PatientID("P1"), true}, []any{len(bound), bound[0].Patient, bound[0].Since.Equal(noon)})
	audit := hospital.AuditEntry{At: noon, Actor: hospital.System("test"), Action: "patient.unbind", Patient: "P1", Outcome: "ok"}
	kindIs(t, hospital.NotFound, store.Unbind(ctx, booking.Binding{User: "u1", Patient: "P1"}, audit))
	ok(t, store.Unbind(ctx, booking.Binding{User: "u2", Patient: "P1"}, audit))
	same(t, 0, len(must[[]booking.Binding](t)(store.Bound(ctx, "u2"))))
}

func bindsAtOnceRespectTheLimit(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	full := func(_ hospital.UserID, held int) error {
		if held >= 4 {
			return booking.ErrBindingFull
		}
		return nil
	}
	atOnce(20, func(n int) {
		err := store.Bind(ctx, bind("u1", hospital.PatientID(fmt.Sprintf("P%d", n)), full))
		if err != nil && !errors.Is(err, booking.ErrBindingFull) {
			t.Error(err)
		}
	})
	same(t, 4, len(must[[]booking.Binding](t)(store.Bound(ctx, "u1"))))
}

func unlockForgives(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	command := booking.UnlockCommand{
		ID: hospital.NewID("u", noon), Patient: "P1", At: noon, Events: []hospital.Event{{Kind: "lock.unlocked", ID: "u"}},
		Audit: hospital.AuditEntry{At: noon, Actor: hospital.System("test"), Action: "patient.unlock", Patient: "P1", Outcome: "ok"},
	}
	ok(t, store.Unlock(ctx, command))
	command.ID, command.At = hospital.NewID("u", noon), noon.Add(time.Hour)
	ok(t, store.Unlock(ctx, command))
	history := must[booking.History](t)(store.History(ctx, "", "P1", hospital.DateOf(noon)))
	if !history.Unlocked.Equal(noon.Add(time.Hour)) {
		t.Fatalf("want the last unlock, got %v", history.Unlocked)
	}
}

func recordsCanBeRead(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	first, second := bind("u1", "P1", nil), bind("u2", "P1", nil)
	ok(t, store.Bind(ctx, first))
	ok(t, store.Bind(ctx, second))
	audit := hospital.AuditEntry{At: noon, Actor: hospital.System("test"), Action: "patient.unbind", Patient: "P1", Outcome: "ok"}
	ok(t, store.Unbind(ctx, booking.Binding{User: "u2", Patient: "P1"}, audit))
	for former, command := range map[hospital.UserID]booking.BindCommand{"": first, "u1": second} {
		got := must[booking.Handover](t)(store.Handover(ctx, command.ID))
		if !got.At.Equal(noon) {
			t.Fatalf("want noon, got %v", got.At)
		}
		got.At = time.Time{}
		same(t, booking.Handover{ID: command.ID, Patient: "P1", User: command.Binding.User, Former: former}, got)
	}
	unlock := booking.UnlockCommand{ID: hospital.NewID("u", noon), Patient: "P1", At: noon, Audit: audit}
	ok(t, store.Unlock(ctx, unlock))
	unlocked := must[booking.Unlocking](t)(store.Unlocked(ctx, unlock.ID))
	same(t, []any{unlock.ID, unlock.Patient, true}, []any{unlocked.ID, unlocked.Patient, unlocked.At.Equal(noon)})
	ok(t, store.Record(ctx, audit))
	_, err := store.Handover(ctx, "b-none")
	kindIs(t, hospital.NotFound, err)
	_, err = store.Unlocked(ctx, "u-none")
	kindIs(t, hospital.NotFound, err)
}

func strikesComeOneByOne(t *testing.T, store booking.Store) {
	t.Helper()
	ctx := t.Context()
	const visits = 4
	saw := make([]int, visits)
	var group sync.WaitGroup
	for n := range visits {
		a := sample(0)
		a.CreatedAt = noon.Add(time.Duration(n) * time.Second)
		a.ID = hospital.NewID("a", a.CreatedAt)
		a.Slot = hospital.SlotID(fmt.Sprintf("S1-%d", n))
		sold := must[booking.Appointment](t)(store.Sell(ctx, sale(a)))
		for _, state := range []booking.State{booking.Held, booking.Confirming, booking.Booked} {
			sold.State = state
			sold = must[booking.Appointment](t)(store.Save(ctx, booking.Change{Appointment: sold, Audit: done("appointment.move")}))
		}
		group.Go(func() {
			sold.State, sold.EndedAt = booking.NoShow, noon
			_, err := store.Save(ctx, booking.Change{Appointment: sold, Audit: done("appointment.noshow"), Tell: func(h booking.History) []hospital.Event {
				saw[n] = len(h.Strikes)
				return nil
			}})
			ok(t, err)
		})
	}
	group.Wait()
	slices.Sort(saw)
	same(t, []int{0, 1, 2, 3}, saw)
}
