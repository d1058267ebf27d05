package sqldb

import (
	"context"
	"database/sql"
	"time"
)

// BreakCommits makes commits fail with what f returns, nil for a good one.
// Call it before the DB is used.
func (db *DB) BreakCommits(f func() error) { db.commitFault = f }

// Backoff shows the wait after an attempt.
func Backoff(attempt int) time.Duration { return backoff(attempt) }

// Numbered shows what SQLite gets for a statement.
func Numbered(query string) string { return numbered(query) }

// TakeBack rolls the transaction back as SQLite does by itself after some errors.
func (tx *Tx) TakeBack() error {
	_, err := tx.session.exec(tx.ctx, "ROLLBACK", nil)
	return err
}

// Durable asks a connection to SQLite whether its commits are durable.
func Durable(ctx context.Context, conn *sql.Conn) error {
	return (&sqliteConn{conn: conn}).durable(ctx)
}
