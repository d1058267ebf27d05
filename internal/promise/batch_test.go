package promise_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/booking/bookingtest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

// batching is a booking.Store that sells in groups: whoever finds nobody at work
// sells for all who wait meanwhile, in one commit.
type batching struct {
	*bookingsql.Store

	turn    chan struct{} // holds one
	mu      sync.Mutex
	waiting []*order
}

// order is one sale that waits.
type order struct {
	sale booking.Sale
	done chan struct{} // closed: the outcome is known
	bookingsql.Outcome
}

func newBatching(tb testing.TB, db *sqldb.DB) *batching {
	tb.Helper()
	store, err := bookingsql.New(tb.Context(), db)
	require.NoError(tb, err)
	return &batching{Store: store, turn: make(chan struct{}, 1)}
}

// Sell implements booking.Appointments.
func (s *batching) Sell(ctx context.Context, sale booking.Sale) (booking.Appointment, error) {
	o := &order{sale: sale, done: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, o)
	s.mu.Unlock()
	for {
		select {
		case <-o.done:
			return o.Appointment, o.Refused
		case s.turn <- struct{}{}:
			s.serve(ctx)
		}
	}
}

// serve sells for all who wait; each alone when one that cannot be stored took
// the others along.
func (s *batching) serve(ctx context.Context) {
	s.mu.Lock()
	group := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	defer func() { <-s.turn }()
	sales := make([]booking.Sale, len(group))
	for i, o := range group {
		sales[i] = o.sale
	}
	if outcomes, err := s.SellAll(ctx, sales); err == nil {
		for i, o := range group {
			o.Outcome = outcomes[i]
			close(o.done)
		}
		return
	}
	for _, o := range group {
		o.Appointment, o.Refused = s.Store.Sell(ctx, o.sale)
		close(o.done)
	}
}

// TestAStoreThatSellsInGroupsConforms shows that the contract allows it.
func TestAStoreThatSellsInGroupsConforms(t *testing.T) {
	t.Parallel()
	for _, engine := range []sqldb.Engine{sqldb.SQLite, sqldb.PostgreSQL} {
		t.Run(engine.String(), func(t *testing.T) {
			t.Parallel()
			bookingtest.ConformStore(t, func(t *testing.T) booking.Store {
				t.Helper()
				return newBatching(t, sqltest.On(t, engine)())
			})
		})
	}
}

// TestSalesThatWaitShareACommit holds one sale in its rules until many others
// wait behind it. What waits is then sold in a few commits behind the same
// interface, and everybody gets the answer that one commit each would give.
func TestSalesThatWaitShareACommit(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		const (
			buyers  = 200
			numbers = 150
		)
		path := filepath.Join(t.TempDir(), "hospital.db")
		db := t.Open(func(c *sqldb.Config) {
			if t.Engine == sqldb.SQLite {
				c.DSN = path
			}
		})
		store := newBatching(t, db)
		granted := booking.QuotaSlot{Slot: "S1-1", Schedule: "S1"}
		for n := range numbers {
			granted.Numbers = append(granted.Numbers, n+1)
		}
		require.NoError(t, store.Grant(t.Context(), []booking.QuotaSlot{granted}, hospital.AuditEntry{Actor: hospital.System("setup"), Action: "quota.grant"}))
		before := commits(t, db, path)

		first, entered, release := quotaSale(0), make(chan struct{}), make(chan struct{})
		var once sync.Once
		first.Allow = func(booking.History) error {
			once.Do(func() { close(entered) })
			<-release
			return nil
		}
		var mu sync.Mutex
		var done sync.WaitGroup
		sold, refused, none := map[int]bool{}, 0, 0
		book := func(sale booking.Sale) {
			a, err := store.Sell(t.Context(), sale)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && !sold[a.Number]:
				sold[a.Number] = true
			case errors.Is(err, booking.ErrLimit):
				refused++
			case errors.Is(err, booking.ErrSlotTaken):
				none++
			default:
				t.Errorf("number %d: %v", a.Number, err)
			}
		}
		done.Go(func() { book(first) })
		<-entered
		var asked sync.WaitGroup
		for n := 1; n <= buyers; n++ {
			sale := quotaSale(n)
			if n%10 == 0 { // a refusal in the middle of a group is its own
				sale.Allow = func(booking.History) error { return booking.ErrLimit }
			}
			asked.Add(1)
			done.Go(func() {
				asked.Done()
				book(sale)
			})
		}
		asked.Wait()
		close(release)
		done.Wait()

		require.Len(t, sold, numbers)
		require.Equal(t, buyers/10, refused)
		require.Equal(t, buyers+1-numbers-buyers/10, none)
		left, err := store.QuotaLeft(t.Context(), []hospital.SlotID{"S1-1"})
		require.NoError(t, err)
		require.Zero(t, left["S1-1"])
		took := commits(t, db, path) - before
		t.Logf("%d numbers sold in %d commits", numbers, took)
		require.Positive(t, took)
		require.Less(t, took, numbers/3)
	})
}

// TestOneSaleDoesNotDecideOverAnother lets sales that go wrong wait together
// with a good one.
func TestOneSaleDoesNotDecideOverAnother(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		store := newBatching(t, t.Open())
		require.NoError(t, store.Grant(t.Context(), []booking.QuotaSlot{{Slot: "S1-1", Schedule: "S1", Numbers: []int{1, 2, 3}}}, hospital.AuditEntry{Actor: hospital.System("setup"), Action: "quota.grant"}))
		first, entered, release := quotaSale(1), make(chan struct{}), make(chan struct{})
		var once sync.Once
		first.Allow = func(booking.History) error {
			once.Do(func() { close(entered) })
			<-release
			return nil
		}
		var done sync.WaitGroup
		done.Go(func() {
			if _, err := store.Sell(t.Context(), first); err != nil {
				t.Error(err)
			}
		})
		<-entered

		twice, good := quotaSale(3), quotaSale(4)
		twice.Appointment.ID = first.Appointment.ID
		var errTwice, errGood error
		done.Go(func() { _, errTwice = store.Sell(t.Context(), twice) })
		done.Go(func() { _, errGood = store.Sell(t.Context(), good) })
		close(release)
		done.Wait()
		require.ErrorIs(t, errTwice, sqldb.ErrUnique, "an id that exists")
		require.NoError(t, errGood)
		numbers, err := store.QuotaLeft(t.Context(), []hospital.SlotID{"S1-1"})
		require.NoError(t, err)
		require.Equal(t, 1, numbers["S1-1"], "two were sold")
	})
}

func quotaSale(n int) booking.Sale {
	day := hospital.DateOf(monday).AddDays(2)
	a := booking.Appointment{
		ID: hospital.NewID("a", monday), Kind: hospital.Advance, Actor: hospital.System("test"),
		Patient: hospital.PatientID(fmt.Sprintf("P%d", n)), Schedule: "S1", Slot: "S1-1", Department: "D1", Doctor: "DR1",
		Date: day, Start: day.At(8, 0), End: day.At(8, 30), Policy: "test@1", Pay: booking.PayAtDesk,
		State: booking.Holding, CreatedAt: monday, DueAt: monday,
	}
	return booking.Sale{
		Appointment: a, Quota: true, Lease: time.Minute, Allow: func(booking.History) error { return nil },
		Audit: hospital.AuditEntry{At: monday, Actor: a.Actor, Action: "appointment.book", Object: a.ID, Patient: a.Patient, Outcome: "ok"},
	}
}

// commits counts commits as the engines themselves record them: the
// transactions that inserted the appointments, which PostgreSQL notes in every
// row; or the frames of SQLite's log that end a commit: those that tell the size
// of the database (sqlite.org/fileformat2.html, "WAL File Format").
func commits(t *sqltest.T, db *sqldb.DB, path string) int {
	t.Helper()
	n := 0
	if t.Engine == sqldb.PostgreSQL {
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error {
			return tx.QueryRow("SELECT count(DISTINCT xmin::text) FROM booking_appointments").Scan(&n)
		}))
		return n
	}
	const header, frameHeader = 32, 24
	log, err := os.ReadFile(path + "-wal")
	require.NoError(t, err)
	frame := frameHeader + int(binary.BigEndian.Uint32(log[8:]))
	for at := header; at+frame <= len(log); at += frame {
		sameRound := string(log[at+8:at+16]) == string(log[16:24])
		if sameRound && binary.BigEndian.Uint32(log[at+4:]) > 0 {
			n++
		}
	}
	return n
}
