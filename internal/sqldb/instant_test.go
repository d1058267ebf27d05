package sqldb_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

func TestAnInstantComesBackToTheMillisecond(t *testing.T) {
	t.Parallel()
	require.Zero(t, sqldb.Millis(time.Time{}))
	require.True(t, sqldb.Instant(0).IsZero())
	at := time.Date(2026, 11, 23, 7, 30, 0, 123_456_789, time.UTC)
	require.Equal(t, time.Date(2026, 11, 23, 15, 30, 0, 123_000_000, hospital.CST), sqldb.Instant(sqldb.Millis(at)))
	before := time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)
	require.True(t, before.Equal(sqldb.Instant(sqldb.Millis(before))))
}
