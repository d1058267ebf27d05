package sqldb

import "time"

// BreakCommits makes commits fail with what f returns, nil for a good one.
// Call it before the DB is used.
func (db *DB) BreakCommits(f func() error) { db.commitFault = f }

// Backoff shows the wait after an attempt.
func Backoff(attempt int) time.Duration { return backoff(attempt) }

// Numbered shows what SQLite gets for a statement.
func Numbered(query string) string { return numbered(query) }
