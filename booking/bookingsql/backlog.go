package bookingsql

import (
	"context"
	"time"

	"github.com/wxhospital/hospital/internal/sqldb"
)

// Backlog counts the appointments that were due before the instant of business
// time, for monitoring.
func (s *Store) Backlog(ctx context.Context, now time.Time) (rows int, oldest time.Time, err error) {
	b, err := s.db.ReadBacklog(ctx, `SELECT due_at AS at FROM booking_appointments WHERE due_at <= $1 AND unreadable_at = 0 ORDER BY due_at`, sqldb.Millis(now))
	return b.Rows, b.Oldest, err
}
