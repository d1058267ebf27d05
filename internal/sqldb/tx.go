package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// session is a connection as a [Tx] uses it.
type session interface {
	exec(ctx context.Context, query string, args []any) (sql.Result, error)
	query(ctx context.Context, query string, args []any) (*sql.Rows, error)
}

// Tx is one command under way. It is valid inside the function it was given
// to and is used by one goroutine. Statements are prepared once and kept.
type Tx struct {
	ctx         context.Context //nolint:containedctx // a Tx lives as long as one call, and SQLite's writer must outlast the caller's deadline
	db          *DB
	session     session
	beforeWrite func() error // sets the savepoint, once
	failed      error        // the first statement that failed; nothing runs after it
	committed   []func()
}

// Context returns the context the statements run under.
func (tx *Tx) Context() context.Context { return tx.ctx }

// DB returns the database of the command.
func (tx *Tx) DB() *DB { return tx.db }

// Engine returns the engine of the command.
func (tx *Tx) Engine() Engine { return tx.db.engine }

// ForUpdate returns what a SELECT ends with to lock its rows: " FOR UPDATE" on
// PostgreSQL; nothing on SQLite, where one command runs at a time. Lock rows
// in the order of their ids.
func (tx *Tx) ForUpdate() string {
	if tx.db.engine == PostgreSQL {
		return " FOR UPDATE"
	}
	return ""
}

// clockSQL is PostgreSQL's clock in Unix milliseconds.
const clockSQL = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

// Now returns the database's clock in Unix milliseconds. Leases are judged by
// it, so that replicas with different clocks agree.
func (tx *Tx) Now() (int64, error) {
	switch {
	case tx.db.clock != nil:
		return tx.db.clock().UnixMilli(), nil
	case tx.db.engine == SQLite:
		return time.Now().UnixMilli(), nil
	}
	var now int64
	err := tx.QueryRow("SELECT " + clockSQL).Scan(&now)
	return now, err
}

// OnCommit runs f after the command has committed, in the order given. f is
// for hurry-up signals in this process; what must happen is a job.
func (tx *Tx) OnCommit(f func()) { tx.committed = append(tx.committed, f) }

// Exec runs a statement and returns how many rows it touched.
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	if err := tx.ready(true); err != nil {
		return 0, err
	}
	res, err := tx.session.exec(tx.ctx, query, args)
	if err != nil {
		return 0, tx.fail(err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, tx.fail(err)
	}
	return n, nil
}

// Query runs a statement that yields rows. Close them before the next
// statement: PostgreSQL has one answer at a time on a connection.
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	if err := tx.ready(!reads(query)); err != nil {
		return nil, err
	}
	rows, err := tx.session.query(tx.ctx, query, args)
	if err != nil {
		return nil, tx.fail(err)
	}
	return rows, nil
}

// QueryRow runs a statement that yields at most one row.
func (tx *Tx) QueryRow(query string, args ...any) *Row {
	rows, err := tx.Query(query, args...) //nolint:rowserrcheck // Scan checks it
	return &Row{tx: tx, rows: rows, err: err}
}

// Row is the answer of [Tx.QueryRow].
type Row struct {
	tx   *Tx
	rows *sql.Rows
	err  error
}

// Scan copies the columns. It returns NotFound with code no_rows, wrapping
// [sql.ErrNoRows], when there was no row; that does not end the command.
func (r *Row) Scan(dest ...any) (err error) {
	if r.err != nil {
		return r.err
	}
	defer func() {
		if closed := r.rows.Close(); err == nil && closed != nil {
			err = r.tx.fail(closed)
		}
	}()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return r.tx.fail(err)
		}
		return &hospital.Error{Kind: hospital.NotFound, Op: "sqldb", Code: "no_rows", Err: sql.ErrNoRows}
	}
	if err := r.rows.Scan(dest...); err != nil {
		return r.tx.fail(err)
	}
	return nil
}

// Collect runs a statement and returns what scan makes of each row.
func Collect[T any](tx *Tx, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err below reports what went wrong
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, tx.fail(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, tx.fail(err)
	}
	return all, nil
}

// chunkRows is the most rows that one INSERT takes: a command with many rows (a
// batch of sales) would otherwise wait for the server once a row. It also
// bounds how many forms of the statement are prepared.
const chunkRows = 64

// tuples returns the placeholders of so many rows: "($1, $2), ($3, $4)".
func tuples(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%columns == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}

// ready reports why no further statement may run, and marks the place to
// return to before the first statement that writes.
func (tx *Tx) ready(writes bool) error {
	if tx.failed != nil {
		return tx.failed
	}
	if writes && tx.beforeWrite != nil {
		mark := tx.beforeWrite
		tx.beforeWrite = nil
		if err := mark(); err != nil {
			return tx.fail(err)
		}
	}
	return nil
}

func (tx *Tx) fail(err error) error {
	err = tx.db.classify(tx.ctx, tx.session, err)
	if tx.failed == nil {
		tx.failed = err
	}
	return err
}

// run calls fn and returns what the command comes to before the commit.
func (tx *Tx) run(fn func(*Tx) error) error {
	err := fn(tx)
	if err == nil {
		return tx.failed
	}
	if _, ok := errors.AsType[*hospital.Error](err); ok {
		return err
	}
	return tx.db.classify(tx.ctx, tx.session, err)
}

// finished runs what waits for the commit. The command is stored, so a panic
// there is logged and changes nothing for it or for those in its group.
func (tx *Tx) finished() {
	for _, f := range tx.committed {
		tx.signal(f)
	}
}

func (tx *Tx) signal(f func()) {
	defer func() {
		if r := recover(); r != nil {
			tx.db.logger.ErrorContext(tx.ctx, "a signal after a commit panicked", "panic", panicText(r), "stack", string(debug.Stack()))
		}
	}()
	f()
}

// reads reports whether the statement certainly only reads.
func reads(query string) bool {
	query = strings.TrimLeft(query, " \t\r\n")
	return len(query) >= 6 && strings.EqualFold(query[:6], "SELECT")
}
