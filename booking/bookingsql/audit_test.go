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

func TestRulesAndQuotasLeaveOneRowAnEffect(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, hospital.CST)
	sqltest.Each(t, func(t *sqltest.T) {
		ctx, db := t.Context(), t.Open()
		store, err := bookingsql.New(ctx, db)
		require.NoError(t, err)
		row := func(action string) hospital.AuditEntry {
			return hospital.AuditEntry{At: now, Actor: hospital.System("test"), Action: action, Outcome: "ok"}
		}
		version := booking.PolicyVersion{Version: "p@1", Hash: "h1", Body: []byte("一"), Source: "test", ValidFrom: now}
		require.NoError(t, store.Publish(ctx, version, row("policy.publish")))
		require.NoError(t, store.Publish(ctx, version, row("policy.publish")), "again has no effect")
		require.NoError(t, store.Grant(ctx, []booking.QuotaSlot{{Slot: "S", Schedule: "C", Numbers: []int{1}}}, row("quota.grant")))
		_, err = store.Recall(ctx, booking.QuotaRecall{Slot: "S", Last: 1}, row("quota.recall"))
		require.NoError(t, err)
		_, err = store.Recall(ctx, booking.QuotaRecall{Slot: "T", Last: 1}, row("quota.recall"))
		require.Equal(t, hospital.NotFound, hospital.KindOf(err))
		require.NoError(t, store.Record(ctx, row("patient.bind")))
		require.NoError(t, db.Read(ctx, func(tx *sqldb.Tx) error {
			var object string
			err := tx.QueryRow("SELECT object FROM audit WHERE action = 'quota.recall'").Scan(&object)
			require.Equal(t, "S: 1", object, "which numbers went back can be read")
			return err
		}))
		for _, action := range []string{"policy.publish", "quota.grant", "quota.recall", "patient.bind"} {
			require.NoError(t, db.Read(ctx, func(tx *sqldb.Tx) error {
				var n int
				err := tx.QueryRow("SELECT count(*) FROM audit WHERE action = $1", action).Scan(&n)
				require.Equal(t, 1, n, action)
				return err
			}))
		}
	})
}
