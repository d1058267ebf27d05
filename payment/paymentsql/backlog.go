package paymentsql

import (
	"context"
	"time"

	"github.com/wxhospital/hospital/internal/sqldb"
)

// Backlog counts the orders that were due before the instant of business time,
// for monitoring.
func (s *Store) Backlog(ctx context.Context, now time.Time) (rows int, oldest time.Time, err error) {
	b, err := s.db.ReadBacklog(ctx, `SELECT due AS at FROM pay_orders WHERE due > 0 AND due <= $1 ORDER BY due`, sqldb.Millis(now))
	return b.Rows, b.Oldest, err
}
