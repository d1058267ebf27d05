package promise_test

import (
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment"
)

// TestTheMainJobOverSOAP finds a slot in the directory, books it, pays, is
// confirmed by the HIS, cancels and is refunded, against a hospital behind real
// SOAP on a socket – in GBK, as the older products speak – while an answer is
// lost on the way.
func TestTheMainJobOverSOAP(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		at := testclock.At(monday)
		faults := &histest.Faults{}
		var mu sync.Mutex
		var wire []string
		connect := func(far his.System) his.System {
			service, err := histest.NewService(histest.ServiceConfig{
				System: func() his.System { return far }, Faults: faults, Now: at.Now,
				Log: func(e histest.Exchange) {
					mu.Lock()
					defer mu.Unlock()
					wire = append(wire, e.Operation)
				},
			})
			require.NoError(t, err)
			server := httptest.NewServer(service)
			t.Cleanup(server.Close)
			client, err := his.NewClient(his.Config{BaseURL: server.URL, Quiet: time.Second})
			require.NoError(t, err)
			t.Cleanup(client.CloseIdle)
			return client.System()
		}
		w := newWorld(t.Context(), t, at, mustOpen(t, t.Open, at), connect)
		faults.Set(histest.Any, histest.Switch{Fault: histest.InGBK})
		system := connect(w.hospital.System())

		patient := w.selfPaying(1)[0]
		desk, cashier := w.workers[0].desk, w.workers[0].cashier
		require.NoError(t, desk.Bind(t.Context(), booking.BindRequest{Actor: of(patient), User: hospital.UserID(of(patient).ID), Patient: patient.ID}))
		wish := chosen(t, system, hospital.DateOf(monday).AddDays(2))
		wish.Patient, wish.Payer = patient.ID, patient.Payer

		a, err := desk.Book(t.Context(), booking.BookRequest{Actor: of(patient), Wish: wish})
		require.NoError(t, err)
		require.Equal(t, booking.Booked, a.State)

		faults.Set(histest.OpConfirm, histest.Switch{Fault: histest.AnswerLost, Times: 1})
		sheet, err := cashier.Pay(t.Context(), payment.PayRequest{Charge: a.ChargeKey(), Channel: channel, Actor: a.Actor})
		require.NoError(t, err)
		require.NoError(t, w.till.Pay(sheet.TradeNo))
		w.rest()
		found, err := system.Registrar.Find(t.Context(), a.Key())
		require.NoError(t, err)
		require.Equal(t, a.Hold.Fee, found.Paid, "the HIS has the fee, although it lost the answer")
		require.Equal(t, 1, w.hospital.Effects(a.Key())["paid"], "once")

		a, err = desk.Cancel(t.Context(), booking.CancelRequest{ID: a.ID, Actor: of(patient), Cause: booking.ByPatient})
		require.NoError(t, err)
		require.Equal(t, booking.Cancelled, a.State)
		w.rest()
		order, err := cashier.Find(t.Context(), a.ChargeKey())
		require.NoError(t, err)
		require.Equal(t, payment.Refunded, order.State)
		w.settled()
		mu.Lock()
		defer mu.Unlock()
		require.Subset(t, wire, []string{"Departments", "Doctors", "Schedules", "Slots", "Hold", "Confirm", "Find", "Cancel"})
	})
}

// chosen walks from the departments to a half hour, as a patient does.
func chosen(t *sqltest.T, system his.System, day hospital.Date) booking.Wish {
	t.Helper()
	departments, err := system.Directory.Departments(t.Context())
	require.NoError(t, err)
	for _, department := range departments {
		if department.Name != "骨伤科" {
			continue
		}
		doctors, err := system.Directory.Doctors(t.Context(), department.ID)
		require.NoError(t, err)
		for _, doctor := range doctors {
			schedules, err := system.Scheduling.Schedules(t.Context(), his.ScheduleQuery{From: day, To: day, Doctor: doctor.ID})
			require.NoError(t, err)
			if len(schedules) == 0 {
				continue
			}
			slots, err := system.Scheduling.Slots(t.Context(), schedules[0].ID)
			require.NoError(t, err)
			return booking.Wish{Schedule: schedules[0], Slot: slots[0]}
		}
	}
	require.FailNow(t, "nobody works in 骨伤科")
	return booking.Wish{}
}
