package bookingsql_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

func TestARowThatCannotBeReadHoldsUpNobody(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, hospital.CST)
	operator := hospital.AuditEntry{At: now, Actor: hospital.System("operator"), Action: "appointment.readmit", Outcome: "ok"}
	for spoilt, body := range map[string]string{"no JSON": "{", "another's body": `{"ID":"a-other"}`, "a field of another type": `{"Version":"x"}`} {
		t.Run(spoilt, func(t *testing.T) {
			t.Parallel()
			sqltest.Each(t, func(t *sqltest.T) {
				ctx, db := t.Context(), t.Open()
				store, err := bookingsql.New(ctx, db)
				require.NoError(t, err)
				sell := func(patient hospital.PatientID) booking.Appointment {
					a, err := store.Sell(ctx, booking.Sale{
						Appointment: booking.Appointment{
							ID: hospital.NewID("a", now), Patient: patient, Schedule: "S1", Slot: "S1-1", Date: hospital.DateOf(now),
							State: booking.Holding, CreatedAt: now, DueAt: now,
						},
						Allow: func(booking.History) error { return nil },
						Audit: hospital.AuditEntry{At: now, Actor: hospital.System("test"), Action: "appointment.book", Patient: patient},
					})
					require.NoError(t, err)
					return a
				}
				bad, good := sell("P1"), sell("P2")
				var before string
				require.NoError(t, db.Write(ctx, func(tx *sqldb.Tx) error {
					if err := tx.QueryRow("SELECT body FROM booking_appointments WHERE id = $1", bad.ID).Scan(&before); err != nil {
						return err
					}
					_, err := tx.Exec("UPDATE booking_appointments SET body = $2 WHERE id = $1", bad.ID, body)
					return err
				}))
				list, err := store.List(ctx, booking.Query{Schedule: "S1"})
				require.Equal(t, hospital.Internal, hospital.KindOf(err), "whoever lists is told")
				require.ErrorContains(t, err, bad.ID)
				require.Equal(t, []string{good.ID}, ids(list), "and gets the others")

				lease := booking.Lease{Now: now, N: 10, For: time.Minute}
				leased, err := store.Lease(ctx, lease)
				require.NoError(t, err)
				require.Equal(t, []string{good.ID}, ids(leased))
				aside, err := store.Unreadable(ctx)
				require.NoError(t, err)
				require.Len(t, aside, 1)
				require.Equal(t, bad.ID, aside[0].ID)
				require.Equal(t, booking.Holding, aside[0].State)
				require.False(t, aside[0].FoundAt.IsZero())
				events, err := db.Events(ctx, 0, 10)
				require.NoError(t, err)
				require.Len(t, events, 1)
				require.Equal(t, hospital.Event{Kind: "appt.unreadable", ID: bad.ID}, events[0].Event)
				_, err = store.Lease(ctx, lease)
				require.NoError(t, err)
				events, err = db.Events(ctx, 0, 10)
				require.NoError(t, err)
				require.Len(t, events, 1, "once")

				require.Equal(t, hospital.Internal, hospital.KindOf(store.Readmit(ctx, bad.ID, operator)), "not before it can be read")
				require.NoError(t, db.Write(ctx, func(tx *sqldb.Tx) error {
					_, err := tx.Exec("UPDATE booking_appointments SET body = $2 WHERE id = $1", bad.ID, before)
					return err
				}))
				require.NoError(t, store.Readmit(ctx, bad.ID, operator))
				require.Equal(t, hospital.NotFound, hospital.KindOf(store.Readmit(ctx, bad.ID, operator)))
				leased, err = store.Lease(ctx, lease)
				require.NoError(t, err)
				require.Equal(t, []string{bad.ID}, ids(leased))
			})
		})
	}
}

func ids(list []booking.Appointment) []string {
	var all []string
	for _, a := range list {
		all = append(all, a.ID)
	}
	return all
}
