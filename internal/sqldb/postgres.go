package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/wxhospital/hospital"
)

const (
	// maxAttempts bounds how often a command that lost a deadlock runs again.
	// Rows are locked in id order, so more than a few are a defect.
	maxAttempts = 8
	// commitTimeout bounds the wait for the answer to a COMMIT, which the
	// caller's own deadline must not cut short: a lost answer is Indeterminate.
	commitTimeout = 10 * time.Second
	// connectTimeout bounds one try to connect where the DSN does not: a server
	// on the hospital's own network answers within milliseconds.
	connectTimeout = 10 * time.Second
	// rollbackTimeout bounds a ROLLBACK; a connection that cannot do it in time
	// is thrown away.
	rollbackTimeout = 2 * time.Second
)

func (db *DB) openPostgres(ctx context.Context, dsn string, pool int) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return invalid("DSN is no postgres URL") // the parser's words may hold the password
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "hospital"
	}
	if db.schema != "" {
		cfg.RuntimeParams["search_path"] = pgx.Identifier{db.schema}.Sanitize()
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	// A server that vanished is noticed after half a minute, also by a command
	// without a deadline.
	cfg.DialFunc = (&net.Dialer{Timeout: cfg.ConnectTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}).DialContext
	db.pg = stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(durable))
	db.pg.SetMaxOpenConns(pool)
	db.pg.SetMaxIdleConns(pool)
	if err := db.pg.PingContext(ctx); err != nil {
		return errors.Join(db.classify(ctx, nil, err), db.pg.Close())
	}
	if db.schema == "" {
		return nil
	}
	if err := db.locked(ctx, "schema "+db.schema, func(ctx context.Context, conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{db.schema}.Sanitize())
		return err
	}); err != nil {
		return errors.Join(db.classify(ctx, nil, err), db.pg.Close())
	}
	return nil
}

// durable refuses a connection on which a commit that was answered could be
// lost or torn by a power cut, and keeps its synchronous_commit from being
// weakened for it later. A session that falls silent inside a command (its
// process froze, its network went) is ended by the server after a minute: it
// may hold the locks that every other process waits for.
func durable(ctx context.Context, conn *pgx.Conn) error {
	names := []string{"synchronous_commit", "fsync", "full_page_writes"}
	got, idle := make([]string, len(names)), ""
	if err := conn.QueryRow(ctx, `SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false),
		current_setting('fsync'), current_setting('full_page_writes'), set_config('idle_in_transaction_session_timeout',
		coalesce(nullif(current_setting('idle_in_transaction_session_timeout'), '0'), '60s'), false)`).Scan(&got[0], &got[1], &got[2], &idle); err != nil {
		return err
	}
	for i, name := range names {
		if got[i] == "off" {
			return invalid("DSN: the server has " + name + " off for this database and role: what it answers it could lose; set it to on")
		}
	}
	return nil
}

// locked runs f while it holds PostgreSQL's advisory lock of that name, so
// that one process at a time does it.
func (db *DB) locked(ctx context.Context, name string, f func(context.Context, *sql.Conn) error) (err error) {
	conn, err := db.pg.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(hashtextextended($1, 0))", "hospital/"+name); err != nil {
		return err
	}
	defer func() {
		_, unlock := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtextextended($1, 0))", "hospital/"+name)
		err = errors.Join(err, unlock)
	}()
	return f(ctx, conn)
}

// pgConn is one connection; pgx keeps its prepared statements.
type pgConn struct{ conn *sql.Conn }

func (c pgConn) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	return c.conn.ExecContext(ctx, query, args...)
}

func (c pgConn) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	return c.conn.QueryContext(ctx, query, args...)
}

// discard makes the pool forget the connection instead of handing it to the
// next caller in an unknown state.
func (c pgConn) discard() {
	_ = c.conn.Raw(func(any) error { return driver.ErrBadConn }) // the error is the instruction to the pool
}

// beginWrite names the isolation, whatever the server's default is: a command
// that waits for a lock must then see what the one before it committed.
const beginWrite = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

func (db *DB) writePostgres(ctx context.Context, fn func(*Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.oncePostgres(ctx, beginWrite, fn)
		if !deadlocked(err) || attempt == maxAttempts {
			return err
		}
		// Up to 2, 4, 8 … 256 ms: two commands that met once must not meet again.
		wait := time.NewTimer(time.Duration(rand.Int64N(int64(time.Millisecond) << attempt))) //nolint:gosec // jitter, no secret
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return err
		}
	}
}

func (db *DB) readPostgres(ctx context.Context, fn func(*Tx) error) error {
	return db.oncePostgres(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", fn)
}

func (db *DB) oncePostgres(ctx context.Context, begin string, fn func(*Tx) error) error {
	if db.closed.Load() {
		return closed()
	}
	c, err := db.begin(ctx, begin)
	if err != nil {
		if ctx.Err() != nil {
			return notStarted(ctx)
		}
		return db.classify(ctx, nil, err)
	}
	defer c.conn.Close() //nolint:errcheck // it goes back to the pool, which judges it
	tx := &Tx{ctx: ctx, db: db, session: c}
	settled := false
	defer func() { // also when fn panics
		if !settled {
			c.rollback(ctx)
		}
	}()
	if err := tx.run(fn); err != nil {
		return err
	}
	if err := db.faultPostgres(); err != nil {
		return err
	}
	settled = true
	if err := c.commit(ctx); err != nil {
		return db.commitError(ctx, err)
	}
	tx.finished()
	return nil
}

func (db *DB) faultPostgres() error {
	if db.commitFault == nil {
		return nil
	}
	return db.commitFault()
}

// begin opens a transaction. Connections that died in the pool, as all do when
// the server restarts, are thrown away until a fresh one serves or fails.
func (db *DB) begin(ctx context.Context, begin string) (pgConn, error) {
	for tries := db.pg.Stats().MaxOpenConnections; ; tries-- {
		conn, err := db.pg.Conn(ctx)
		if err != nil {
			return pgConn{}, err
		}
		c := pgConn{conn}
		if _, err = conn.ExecContext(ctx, begin); err == nil {
			return c, nil
		}
		c.discard()
		if ctx.Err() != nil || tries <= 0 || hospital.KindOf(db.classify(ctx, nil, err)) != hospital.Unavailable {
			return pgConn{}, errors.Join(err, conn.Close())
		}
		_ = conn.Close() // it was discarded
	}
}

// errRolledBack is PostgreSQL's way to say that a statement had failed before:
// COMMIT answers ROLLBACK, without an error.
var errRolledBack = errors.New("the transaction was aborted by an earlier statement")

func (c pgConn) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	return c.conn.Raw(func(raw any) error {
		conn, ok := raw.(*stdlib.Conn)
		if !ok {
			return driver.ErrBadConn
		}
		tag, err := conn.Conn().Exec(ctx, "COMMIT")
		if err == nil && tag.String() != "COMMIT" {
			return errRolledBack
		}
		return err
	})
}

// commitError says what a failed COMMIT means. An ERROR is the server's own
// word that nothing was applied; when the connection broke, nobody knows.
func (db *DB) commitError(ctx context.Context, err error) error {
	if errors.Is(err, errRolledBack) {
		return &hospital.Error{Kind: hospital.Internal, Op: "sqldb.Write", Code: "rolled_back", Err: err}
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.SeverityUnlocalized == "ERROR" {
		return db.classify(ctx, nil, err)
	}
	return &hospital.Error{Kind: hospital.Indeterminate, Op: "sqldb.Write", Code: "commit_unknown", Err: err}
}

func (c pgConn) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if _, err := c.conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		c.discard()
	}
}
