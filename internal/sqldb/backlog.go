package sqldb

import (
	"context"
	"database/sql"
	"strconv"
	"time"
)

// Backlog is work whose time has come and that nobody does.
type Backlog struct {
	Rows   int       // at most 10,000 are counted
	Oldest time.Time // when the first of them was due; zero without one
}

// maxBacklog bounds the counting: more is an alarm whatever the number.
const maxBacklog = 10_000

// ReadBacklog counts what a query yields, which is one column of Unix
// milliseconds in rising order, and takes its limit behind "LIMIT ".
func (db *DB) ReadBacklog(ctx context.Context, query string, args ...any) (b Backlog, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		var oldest sql.NullInt64
		b = Backlog{}
		err := tx.QueryRow("SELECT count(*), min(at) FROM ("+query+" LIMIT "+strconv.Itoa(maxBacklog)+") AS waiting", args...).Scan(&b.Rows, &oldest)
		if oldest.Valid {
			b.Oldest = Instant(oldest.Int64)
		}
		return err
	})
	return b, err
}
