package bookingsql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/booking/bookingtest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

func TestStoreConforms(t *testing.T) {
	t.Parallel()
	for _, engine := range []sqldb.Engine{sqldb.SQLite, sqldb.PostgreSQL} {
		t.Run(engine.String(), func(t *testing.T) {
			t.Parallel()
			bookingtest.ConformStore(t, func(t *testing.T) booking.Store {
				t.Helper()
				store, err := bookingsql.New(t.Context(), sqltest.On(t, engine)())
				require.NoError(t, err)
				return store
			})
		})
	}
}
