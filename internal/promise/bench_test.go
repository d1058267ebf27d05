package promise_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

// The town that books. Sale i is of patient i mod benchPatients, so a patient
// comes back after all others, for another day or department; 200 segments are
// on sale at a time and each has benchNumbers numbers.
const (
	benchPatients = 20_000
	benchDays     = 6
	benchSales    = benchPatients * benchDays * 2 // two departments: the limit is one a department and day
	benchSegments = 200
	benchNumbers  = 20
	benchHistory  = 20_000 // old appointments, without which PostgreSQL plans for empty tables

	// benchSlice is how long one side is measured before the other has its turn.
	benchSlice = 500 * time.Millisecond
)

// BenchmarkBook measures sales per second, and beside them the same code with
// one transaction a booking: side by side, a slice each, until the benchmark's
// time is up. "Sell" is the store's command alone: history, policy, number,
// appointment, audit. "Book" is the desk: the sale, the HIS, which answers at
// once, and the two commits that record its answers. "SellHot" sells segments
// one after the other, each wanted by everybody. "SellAll" is a store that sells
// groups in one commit (see batching), beside the one that ships.
//
// PostgreSQL's store commits each sale alone, so there both sides but those of
// SellAll are the same, and the ratio shows the noise.
//
// Both sides are reported as medians of their slices; ratio is the median of
// the quotients of neighbors. After each cell the books are checked.
func BenchmarkBook(b *testing.B) {
	for _, path := range []string{"Sell", "SellHot", "Book", "SellAll"} {
		for _, engine := range []sqldb.Engine{sqldb.SQLite, sqldb.PostgreSQL} {
			b.Run(path+"/"+engine.String(), func(b *testing.B) {
				project, alone := newTown(b, engine, path, false), newTown(b, engine, path, true)
				for _, callers := range []int{1, 64, 512} {
					b.Run("callers="+strconv.Itoa(callers), func(b *testing.B) {
						compare(b, project, alone, callers)
					})
				}
			})
		}
	}
}

func compare(b *testing.B, project, alone *town, callers int) {
	b.Helper()
	for _, t := range []*town{project, alone} {
		t.slice(b, callers, benchSlice/5) // plans, pages and pools warm up
	}
	var rates, alones, ratios, p99s, aloneP99s []float64
	for b.Loop() {
		rate, p99 := project.slice(b, callers, benchSlice)
		aloneRate, aloneP99 := alone.slice(b, callers, benchSlice)
		rates, alones, ratios = append(rates, rate), append(alones, aloneRate), append(ratios, rate/aloneRate)
		p99s, aloneP99s = append(p99s, p99), append(aloneP99s, aloneP99)
	}
	b.ReportMetric(0, "ns/op") // hides it: an operation is a pair of slices
	b.ReportMetric(median(rates), "bookings/s")
	b.ReportMetric(median(p99s), "p99-ms")
	b.ReportMetric(median(alones), "alone/s")
	b.ReportMetric(median(aloneP99s), "alone-p99-ms")
	b.ReportMetric(median(ratios), "ratio")
	project.check(b)
	alone.check(b)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// town is one database and those who book in it.
type town struct {
	path   string
	db     *sqldb.DB
	policy booking.Policy
	rules  booking.PolicyVersion
	began  time.Time
	store  booking.Store
	desk   *booking.Desk

	next  atomic.Int64 // sale
	acked atomic.Int64
}

// newTown opens a database. Alone gives each booking a transaction of its own.
func newTown(b *testing.B, engine sqldb.Engine, path string, alone bool) *town {
	b.Helper()
	t := &town{path: path, rules: wuxi(b), began: time.Now()}
	var err error
	t.policy, err = booking.ParsePolicy(t.rules.Body)
	require.NoError(b, err)
	t.db = sqltest.On(b, engine)(func(c *sqldb.Config) {
		c.Pool = 0 // the default, not the small one of tests
		if alone {
			c.Group = 1
		}
	})
	if path == "SellAll" && !alone {
		t.store = newBatching(b, t.db)
	} else {
		t.store, err = bookingsql.New(b.Context(), t.db)
		require.NoError(b, err)
	}
	t.desk, err = booking.New(booking.Config{
		Store: t.store, Slots: agreeable{}, Quota: true, Now: t.now, CallTimeout: time.Minute, Lease: 3 * time.Minute,
	})
	require.NoError(b, err)
	require.NoError(b, t.store.Publish(b.Context(), t.rules, hospital.AuditEntry{Actor: hospital.System("setup"), Action: "policy.publish"}))
	t.settle(b)
	return t
}

// settle fills the tables with what a hospital has on its first busy day.
func (t *town) settle(b *testing.B) {
	b.Helper()
	count := func(n int) string {
		return fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", n-1)
	}
	list := "[1"
	for n := 2; n <= benchNumbers; n++ {
		list += "," + strconv.Itoa(n)
	}
	statements := []string{
		count(benchPatients) + "INSERT INTO booking_bindings (patient, holder, since) SELECT 'P' || i, 'u' || i, 0 FROM n",
		count(benchSales/benchNumbers) + `INSERT INTO booking_quotas (slot, schedule, numbers, granted, taken)
			SELECT 'S' || i, 'S', '` + list + `]', ` + strconv.Itoa(benchNumbers) + ", 0 FROM n",
		count(benchHistory) + `INSERT INTO booking_appointments (id, version, state, live, patient, schedule, slot, number,
			visit_date, department, doctor, ended_at, due_at, lease_until, body)
			SELECT 'a0' || i, 9, 'cancelled', 0, 'P' || (i * 7 % ` + strconv.Itoa(benchPatients) + `), 'old', 'old', 1,
			'2026-01-05', 'D0', 'DR0', 1, NULL, 0, '{}' FROM n`,
	}
	if t.db.Engine() == sqldb.PostgreSQL { // never on SQLite, where it makes every statement plan again
		statements = append(statements, "ANALYZE booking_bindings", "ANALYZE booking_quotas", "ANALYZE booking_appointments")
	}
	require.NoError(b, t.db.Write(b.Context(), func(tx *sqldb.Tx) error {
		for _, statement := range statements {
			if _, err := tx.Exec(statement); err != nil {
				return err
			}
		}
		return nil
	}))
}

// now is business time, which moves on, so that ids sort by their age.
func (t *town) now() time.Time { return monday.Add(time.Since(t.began)) }

// slice lets so many callers book in closed loops and returns sales a second
// and the 99th percentile of a sale in milliseconds.
func (t *town) slice(b *testing.B, callers int, d time.Duration) (rate, p99 float64) {
	b.Helper()
	took := make([][]time.Duration, callers)
	begin := time.Now()
	end := begin.Add(d)
	var done sync.WaitGroup
	for caller := range callers {
		done.Go(func() {
			for at := time.Now(); at.Before(end); {
				i := int(t.next.Add(1)) - 1
				if i >= benchSales {
					b.Errorf("the town is sold out: choose a shorter -benchtime")
					return
				}
				if err := t.book(b.Context(), i); err != nil {
					b.Errorf("sale %d: %v", i, err)
					return
				}
				t.acked.Add(1)
				now := time.Now()
				took[caller] = append(took[caller], now.Sub(at))
				at = now
			}
		})
	}
	done.Wait()
	elapsed := time.Since(begin)
	all := slices.Concat(took...)
	if b.Failed() || len(all) == 0 {
		b.FailNow()
	}
	slices.Sort(all)
	return float64(len(all)) / elapsed.Seconds(), float64(all[len(all)*99/100]) / float64(time.Millisecond)
}

func (t *town) book(ctx context.Context, i int) error {
	wish, actor := t.wish(i)
	if t.path == "Book" {
		a, err := t.desk.Book(ctx, booking.BookRequest{Actor: actor, Wish: wish})
		if err == nil && a.State != booking.Booked {
			err = fmt.Errorf("left in state %s", a.State)
		}
		return err
	}
	now := t.now()
	a := booking.Appointment{
		ID: hospital.NewID("a", now), Kind: hospital.Advance, Actor: actor, Patient: wish.Patient, Payer: wish.Payer,
		Campus: wish.Schedule.Campus, Department: wish.Schedule.Department, Doctor: wish.Schedule.Doctor,
		Schedule: wish.Schedule.ID, Slot: wish.Slot.ID, Date: wish.Schedule.Date, Session: wish.Schedule.Session,
		Start: wish.Slot.Start, End: wish.Slot.End, Policy: t.rules.Version, Pay: booking.PayAtDesk,
		State: booking.Holding, CreatedAt: now, AskedAt: now, Deadline: now.Add(10 * time.Minute), DueAt: now,
	}
	_, err := t.store.Sell(ctx, booking.Sale{
		Appointment: a, Quota: true, Lease: 30 * time.Second,
		Allow: func(history booking.History) error { return t.policy.Allow(wish, now, true, history) },
		Audit: hospital.AuditEntry{
			At: now, Actor: actor, Purpose: "booking", Action: "appointment.book", Object: a.ID,
			Patient: a.Patient, Outcome: "ok", RuleVersion: a.Policy,
		},
	})
	return err
}

// wish is who wants what in sale i.
func (t *town) wish(i int) (booking.Wish, hospital.Actor) {
	patient, round := strconv.Itoa(i%benchPatients), i/benchPatients
	day := hospital.DateOf(monday).AddDays(1 + round%benchDays)
	segment := i/(benchSegments*benchNumbers)*benchSegments + i%benchSegments
	if t.path == "SellHot" {
		segment = i / benchNumbers
	}
	schedule := hospital.Schedule{
		ID: hospital.ScheduleID("S" + strconv.Itoa(segment/8)), Campus: "C1", Department: hospital.DepartmentID("D" + strconv.Itoa(round/benchDays)),
		Doctor: hospital.DoctorID("DR" + strconv.Itoa(segment%benchSegments)), Date: day, Session: hospital.Morning,
	}
	slot := hospital.Slot{
		ID: hospital.SlotID("S" + strconv.Itoa(segment)), Schedule: schedule.ID, Start: day.At(8, 0), End: day.At(8, 30),
	}
	return booking.Wish{Patient: hospital.PatientID("P" + patient), Payer: hospital.SelfPay, Schedule: schedule, Slot: slot},
		hospital.Actor{Kind: hospital.ActorUser, ID: "u" + patient, Entry: hospital.EntryWeChat}
}

// check compares the books: what was acknowledged, the numbers taken, the
// appointments, their distinct numbers and the audit.
func (t *town) check(b *testing.B) {
	b.Helper()
	require.NoError(b, t.db.Read(b.Context(), func(tx *sqldb.Tx) error {
		for what, query := range map[string]string{
			"numbers taken":    "SELECT sum(taken) FROM booking_quotas",
			"appointments":     "SELECT count(*) FROM booking_appointments WHERE schedule <> 'old'",
			"distinct numbers": "SELECT count(*) FROM (SELECT DISTINCT slot, number FROM booking_appointments WHERE live = 1) AS d",
			"audit rows":       "SELECT count(DISTINCT object) FROM audit WHERE action = 'appointment.book'",
		} {
			var n int64
			if err := tx.QueryRow(query).Scan(&n); err != nil {
				return err
			}
			require.Equal(b, t.acked.Load(), n, what)
		}
		return nil
	}))
}

// agreeable is a HIS that agrees to everything at once.
type agreeable struct{}

func (agreeable) Hold(_ context.Context, r hospital.HoldRequest) (hospital.Hold, error) {
	return hospital.Hold{HISNo: string(r.Key), Patient: r.Patient, QueueNo: r.Number}, nil
}

func (agreeable) Confirm(_ context.Context, r hospital.ConfirmRequest) (hospital.Registration, error) {
	return hospital.Registration{
		Key: r.Key, HISNo: r.Hold.HISNo, Patient: r.Patient, QueueNo: r.Hold.QueueNo, State: hospital.RegistrationRegistered,
	}, nil
}

func (agreeable) Cancel(context.Context, hospital.Key) error { return nil }

func (agreeable) Find(context.Context, hospital.Key) (hospital.Registration, error) {
	return hospital.Registration{}, &hospital.Error{Kind: hospital.NotFound}
}
