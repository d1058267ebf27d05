package promise_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/booking/bookingtest"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

// monday is half past seven on a working day.
var monday = time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)

const (
	crowd      = 200 // patients who want the same half hour online
	walkIns    = 8   // patients who stand at the window for it
	numbers    = 20  // numbers of that half hour
	cancelling = 5   // patients who give theirs back
)

// TestTwoHundredPatientsWantTwentyNumbers lets a crowd, two desks and the window
// reach for one segment at the same moment.
func TestTwoHundredPatientsWantTwentyNumbers(t *testing.T) {
	t.Parallel()
	for _, quota := range []bool{false, true} {
		mode := map[bool]string{false: "the HIS owns the numbers", true: "the platform owns a quota"}[quota]
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			sqltest.Each(t, func(t *sqltest.T) {
				desks := 1
				if t.Engine == sqldb.PostgreSQL {
					desks = 2
				}
				rush(t, desks, quota)
			})
		})
	}
}

type rusher struct {
	*sqltest.T

	hospital *histest.Hospital
	desks    []*booking.Desk
	schedule hospital.Schedule
	slot     hospital.Slot
	patients []hospital.Patient

	mu   sync.Mutex
	sold []booking.Appointment
}

func rush(t *sqltest.T, desks int, quota bool) {
	t.Helper()
	now := func() time.Time { return monday }
	h, err := histest.NewHospital(histest.Config{Now: now, SlotNumbers: numbers})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	r := &rusher{T: t, hospital: h}
	r.schedule, r.slot = segment(t, h)
	var granted []booking.QuotaSlot
	if quota {
		slots, err := h.GrantQuota(r.schedule.ID, numbers*3/5)
		require.NoError(t, err)
		for _, s := range slots {
			granted = append(granted, booking.QuotaSlot{Slot: s.Slot, Schedule: s.Schedule, Numbers: s.Numbers})
		}
	}
	system, cashier := h.System(), bookingtest.NewCashier()
	for range desks {
		store, err := bookingsql.New(t.Context(), t.Open())
		require.NoError(t, err)
		require.NoError(t, store.Grant(t.Context(), granted, hospital.AuditEntry{Actor: hospital.System("setup"), Action: "quota.grant"}))
		desk, err := booking.New(booking.Config{
			Store: store, Slots: h, Cashier: cashier, Now: now, Quota: quota,
			Assurances:  booking.Assurances{Hold: system.Assurances.Hold, Confirm: system.Assurances.Confirm, Cancel: system.Assurances.Cancel},
			CallTimeout: time.Minute, Lease: 3 * time.Minute, // the crowd is slow on a small machine, not the hospital
		})
		require.NoError(t, err)
		require.NoError(t, desk.Publish(t.Context(), hospital.System("setup"), wuxi(t)))
		r.desks = append(r.desks, desk)
	}
	r.patients = newcomers(t, h, crowd+walkIns)

	atWindow := r.stampede(r.patients[:crowd], r.patients[crowd:])
	r.soldOut(atWindow)
	for _, a := range r.sold[:cancelling] {
		_, err := r.desks[0].Cancel(t.Context(), booking.CancelRequest{ID: a.ID, Actor: user(a.Patient), Cause: booking.ByPatient})
		require.NoError(t, err)
	}
	gone := r.sold[:cancelling]
	r.sold = r.sold[cancelling:]
	left := len(r.sold)
	again := append([]hospital.Patient{}, r.patients[:crowd]...)
	r.stampede(again, nil)
	require.Len(t, r.sold, left+cancelling, "exactly what came back is sold again")
	r.soldOut(atWindow)
	require.Len(t, gone, cancelling)
}

// stampede lets everybody reach for the segment at once: the platform's
// patients through the desks, the others at the window, who sell until it
// refuses. It returns how many the window sold.
func (r *rusher) stampede(online, atWindow []hospital.Patient) int {
	r.Helper()
	var start, done sync.WaitGroup
	start.Add(1)
	windowSold := 0
	if len(atWindow) > 0 {
		done.Go(func() {
			start.Wait()
			for _, p := range atWindow {
				if _, err := r.hospital.Window().Sell(r.slot.ID, p.ID); err != nil {
					return
				}
				windowSold++
			}
		})
	}
	for i, p := range online {
		done.Go(func() {
			start.Wait()
			a, err := r.desks[i%len(r.desks)].Book(r.Context(), booking.BookRequest{
				Actor: user(p.ID), Wish: booking.Wish{Patient: p.ID, Payer: p.Payer, Schedule: r.schedule, Slot: r.slot},
			})
			r.mu.Lock()
			defer r.mu.Unlock()
			switch {
			case err == nil:
				r.sold = append(r.sold, a)
			case !errors.Is(err, booking.ErrSlotTaken) && !errors.Is(err, booking.ErrLimit):
				r.Errorf("a refusal must be slot_taken or a limit: %v", err)
			}
		})
	}
	start.Done()
	done.Wait()
	return windowSold
}

// soldOut checks the hospital's own books: every number sold, none twice, and
// each of ours in the name of its patient.
func (r *rusher) soldOut(atWindow int) {
	r.Helper()
	counts, err := r.hospital.SlotCounts(r.slot.ID)
	require.NoError(r, err)
	require.Equal(r, numbers, counts.Capacity)
	require.Equal(r, numbers, counts.Sold, "sold = capacity")
	require.Equal(r, numbers, counts.Distinct, "no number twice")
	require.Equal(r, numbers, atWindow+len(r.sold))
	seen := map[int]bool{}
	for _, a := range r.sold {
		found, err := r.hospital.Find(r.Context(), a.Key())
		require.NoError(r, err)
		require.Equal(r, hospital.RegistrationRegistered, found.State)
		require.Equal(r, a.Patient, found.Patient)
		require.False(r, seen[found.QueueNo], "number %d", found.QueueNo)
		seen[found.QueueNo] = true
	}
}

// segment is a half hour of the day after tomorrow.
func segment(tb testing.TB, h *histest.Hospital) (hospital.Schedule, hospital.Slot) {
	tb.Helper()
	day := hospital.DateOf(monday).AddDays(2)
	schedules, err := h.Schedules(tb.Context(), his.ScheduleQuery{From: day, To: day})
	require.NoError(tb, err)
	require.NotEmpty(tb, schedules)
	slots, err := h.Slots(tb.Context(), schedules[0].ID)
	require.NoError(tb, err)
	return schedules[0], slots[0]
}

func wuxi(tb testing.TB) booking.PolicyVersion {
	tb.Helper()
	body, err := booking.Preset("wuxi2018")
	require.NoError(tb, err)
	version, err := booking.NewPolicyVersion(body, "preset", monday.Add(-time.Hour))
	require.NoError(tb, err)
	return version
}

// newcomers opens files for children nobody has met before.
func newcomers(tb testing.TB, h *histest.Hospital, n int) []hospital.Patient {
	tb.Helper()
	born, err := hospital.ParseDate("2020-05-01")
	require.NoError(tb, err)
	patients := make([]hospital.Patient, n)
	for i := range patients {
		patients[i], err = h.CreatePatient(tb.Context(), his.CreatePatientRequest{
			Key: hospital.Key(fmt.Sprintf("newcomer-%d", i)),
			Patient: hospital.Patient{
				Name: hospital.Name(fmt.Sprintf("测试%d", i)), Sex: hospital.Female, BirthDate: born, Payer: hospital.SelfPay, Phone: "13900000000",
				Guardian: &hospital.Guardian{Name: "测试监护人", IDNumber: "11010519491231002X", Phone: "13900000000"},
			},
		})
		require.NoError(tb, err)
	}
	return patients
}

// user books for one patient through an application that is not a person's, so
// the crowd needs no bindings.
func user(patient hospital.PatientID) hospital.Actor {
	return hospital.Actor{Kind: hospital.ActorApp, ID: "crowd-" + string(patient), Entry: "app:crowd"}
}
