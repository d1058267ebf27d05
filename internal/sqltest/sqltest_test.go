package sqltest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

func TestEachEngineStartsEmptyAndSurvivesAReopen(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		events, err := db.Events(t.Context(), 0, 10)
		require.NoError(t, err)
		require.Empty(t, events)
		require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
			return sqldb.AppendEvents(tx, []hospital.Event{{Kind: "appt.booked", ID: "a1"}}, time.UnixMilli(1))
		}))
		require.NoError(t, db.Close())
		events, err = t.Open().Events(t.Context(), 0, 10)
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.Equal(t, hospital.Event{Kind: "appt.booked", ID: "a1"}, events[0].Event)
	})
}
