package watch_test

import (
	"log/slog"
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
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/refserver/internal/watch"
)

// world is a bound patient, a HIS behind a line that can fail, and two
// processes that watch.
type world struct {
	*sqltest.T
	*testclock.Clock
	db       *sqldb.DB
	store    *bookingsql.Store
	hospital *histest.Hospital
	line     *histest.Line
	patient  hospital.PatientID
	watchers []*watch.Watcher
}

func open(t *sqltest.T) *world {
	t.Helper()
	w := &world{T: t, Clock: testclock.At(time.Date(2026, 11, 23, 9, 0, 0, 0, hospital.CST)), db: t.Open()}
	var err error
	w.hospital, err = histest.NewHospital(histest.Config{Now: w.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.hospital.Close()) })
	w.line = histest.NewLine(w.hospital.System())
	w.store, err = bookingsql.New(t.Context(), w.db)
	require.NoError(t, err)
	w.patient = w.hospital.People()[0].ID
	for range 2 {
		watcher, err := watch.New(t.Context(), watch.Config{
			DB: w.db, Bindings: w.store, Patients: w.line.System().Patients, Billing: w.line.System().Billing,
			Every: time.Minute, Idle: time.Hour, Now: w.Now, Wall: w.Now, Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		w.watchers = append(w.watchers, watcher)
	}
	w.Pass(time.Hour) // what the hospital begins with is older than the binding
	w.bind("U1")
	return w
}

func (w *world) bind(user hospital.UserID) {
	w.Helper()
	id := hospital.NewID("b", w.Now())
	require.NoError(w, w.store.Bind(w.Context(), booking.BindCommand{
		ID: id, Binding: booking.Binding{User: user, Patient: w.patient, Since: w.Now()},
		Allow:  func(hospital.UserID, int) error { return nil },
		Events: []hospital.Event{{Kind: "patient.bound", ID: id}},
		Audit:  hospital.AuditEntry{At: w.Now(), Actor: hospital.System("test"), Action: "patient.bind", Patient: w.patient, Outcome: "ok"},
	}))
	w.pass(time.Second)
}

// pass lets time go by, and both processes look at what is due.
func (w *world) pass(d time.Duration) {
	w.Helper()
	w.Pass(d)
	for _, watcher := range w.watchers {
		_, err := watcher.Advance(w.Context())
		require.NoError(w, err)
	}
}

// events are the objects of the events of a kind.
func (w *world) events(kind string) (objects []string) {
	w.Helper()
	all, err := w.db.Events(w.Context(), 0, 1000)
	require.NoError(w, err)
	for _, e := range all {
		if e.Event.Kind == kind {
			objects = append(objects, e.Event.ID)
		}
	}
	return objects
}

func (w *world) bill() string {
	w.Helper()
	b, err := w.hospital.AddBill(histest.NewBill{Patient: w.patient, Items: []his.BillItem{{Name: "汤药", Quantity: "7", Unit: "剂", Amount: 7000}}})
	require.NoError(w, err)
	return string(b.ID)
}

func TestANewBillIsOneEvent(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t)
		bill := w.bill()
		for range 3 {
			w.pass(time.Minute)
		}
		require.Equal(t, []string{bill}, w.events(watch.BillCreated))
		patient, err := w.watchers[0].Patient(t.Context(), watch.BillCreated, bill)
		require.NoError(t, err)
		require.Equal(t, w.patient, patient)
		_, err = w.watchers[0].Patient(t.Context(), watch.BillCreated, "none")
		require.Equal(t, hospital.NotFound, hospital.KindOf(err))
	})
}

func TestABillOfBeforeTheBindingIsNoNews(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t)
		require.NoError(t, w.store.Unbind(t.Context(), booking.Binding{User: "U1", Patient: w.patient}, hospital.AuditEntry{At: w.Now(), Actor: hospital.System("test"), Action: "patient.unbind", Outcome: "ok"}))
		w.pass(time.Minute)
		w.bill()
		w.pass(time.Minute)
		require.Empty(t, w.events(watch.BillCreated), "nobody is watched for who holds nobody")
		w.Pass(time.Hour)
		w.bind("U2")
		w.pass(time.Minute)
		require.Empty(t, w.events(watch.BillCreated))
		bill := w.bill()
		w.pass(time.Minute)
		require.Equal(t, []string{bill}, w.events(watch.BillCreated))
	})
}

func TestAChangedRecordIsOneEvent(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t)
		w.pass(time.Minute)
		require.Empty(t, w.events(watch.RecordUpdated))
		require.NoError(t, w.hospital.BindCard(t.Context(), his.CardRequest{Key: "card-1", Patient: w.patient, CardNo: "C-900001"}))
		w.pass(time.Minute)
		w.pass(time.Minute)
		require.Len(t, w.events(watch.RecordUpdated), 1)
		patient, err := w.watchers[0].Patient(t.Context(), watch.RecordUpdated, w.events(watch.RecordUpdated)[0])
		require.NoError(t, err)
		require.Equal(t, w.patient, patient)
	})
}

func TestASilentHISDelaysAndLosesNothing(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t)
		w.pass(48 * time.Hour) // an idle day
		bill := w.bill()
		w.line.Cut(true)
		w.pass(time.Hour)
		require.Empty(t, w.events(watch.BillCreated))
		w.line.Cut(false)
		w.pass(time.Minute)
		require.Equal(t, []string{bill}, w.events(watch.BillCreated), "it is asked again soon, not after the idle time")
	})
}

func TestTheConfigurationNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := watch.New(t.Context(), watch.Config{})
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
	require.ErrorContains(t, err, "Bindings")
}
