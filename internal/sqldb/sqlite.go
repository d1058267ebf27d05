package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite" // also the driver "sqlite"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/filelock"
)

const (
	// sqliteBusy is how long a connection waits for another's lock. Only a
	// migration and the writer ever compete.
	sqliteBusy = "10000"
	// maxPrepared bounds the statements kept per connection. Statements built
	// from lists of different length would otherwise pile up.
	maxPrepared = 512
)

// sqliteEngine is one file: a lock that keeps other processes out, one
// connection that writes and several that read.
type sqliteEngine struct {
	db      *DB
	lock    *filelock.Lock
	writer  *sqliteConn
	pools   []*sql.DB
	readers chan *sqliteConn
	made    int // readers there are
	queue   chan *command
	closing chan struct{} // closed by close: take no more commands
	stopped chan struct{} // closed by the writer: no command is under way
	once    sync.Once
	err     error
}

func (db *DB) openSQLite(ctx context.Context, path string, pool int) (err error) {
	if path == "" || strings.Contains(path, ":memory:") || strings.Contains(path, "://") || strings.HasPrefix(path, "file:") {
		return invalid("DSN must be a file path, sqlite:path or postgres://…")
	}
	if db.schema != "" {
		return invalid("Schema is for PostgreSQL")
	}
	if path, err = filepath.Abs(path); err != nil {
		return invalid("DSN is no path: " + err.Error())
	}
	e := &sqliteEngine{
		db: db, readers: make(chan *sqliteConn, pool), queue: make(chan *command, queueLen),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	if e.lock, err = filelock.Take(path + ".lock"); err != nil {
		return notLocked(path+".lock", err)
	}
	db.sqlite, db.dsn = e, sqliteDSN(path, false)
	if err := private(path); err != nil {
		return errors.Join(err, e.lock.Close())
	}
	defer func() {
		if err != nil {
			close(e.stopped) // the writer never started
			err = errors.Join(err, e.close())
		}
	}()
	if e.writer, err = e.connect(ctx, db.dsn); err != nil {
		return err
	}
	if err := e.writer.watch(); err != nil {
		return err
	}
	for range pool {
		c, err := e.connect(ctx, sqliteDSN(path, true))
		if err != nil {
			return err
		}
		e.readers <- c
		e.made++
	}
	go e.work() //nolint:contextcheck // commands bring their own contexts
	return nil
}

// private creates a new database file that its owner alone may read; SQLite
// gives its journals the same mode.
func private(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return &hospital.Error{Kind: hospital.Unavailable, Op: "sqldb.Open", Code: "database_file", Err: err}
	}
	if err := file.Close(); err != nil {
		return &hospital.Error{Kind: hospital.Unavailable, Op: "sqldb.Open", Code: "database_file", Err: err}
	}
	return nil
}

// sqliteDSN renders the address of one connection with the settings that a
// durable commit needs.
func sqliteDSN(path string, readOnly bool) string {
	q := url.Values{}
	q.Set("_busy_timeout", sqliteBusy)
	q.Set("_defensive", "1")
	q.Set("_dqs", "0")
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "synchronous(FULL)")
	q.Add("_pragma", "foreign_keys(ON)")
	q.Add("_pragma", "temp_store(MEMORY)")
	if readOnly {
		q.Set("_query_only", "1")
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

func (e *sqliteEngine) connect(ctx context.Context, dsn string) (*sqliteConn, error) {
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, e.db.classify(ctx, nil, err)
	}
	e.pools = append(e.pools, pool)
	pool.SetMaxOpenConns(1)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, e.db.classify(ctx, nil, err)
	}
	c := &sqliteConn{conn: conn, stmts: map[string]*sql.Stmt{}}
	return c, e.db.classify(ctx, nil, c.durable(ctx))
}

// durable asks whether the settings took effect: SQLite answers a journal mode
// that it cannot have, as on some network file systems, with the one it has.
func (c *sqliteConn) durable(ctx context.Context) error {
	for _, setting := range [][2]string{{"journal_mode", "wal"}, {"synchronous", "2"}} {
		var got string
		if err := c.conn.QueryRowContext(ctx, "PRAGMA "+setting[0]).Scan(&got); err != nil {
			return err
		}
		if !strings.EqualFold(got, setting[1]) {
			return invalid("DSN: SQLite has " + setting[0] + " " + got + " and not " + setting[1] + " on this file; put it on a local disk")
		}
	}
	return nil
}

// watch notes in lost when SQLite takes a transaction back.
func (c *sqliteConn) watch() error {
	return c.conn.Raw(func(raw any) error {
		hooks, ok := raw.(sqlite.HookRegisterer)
		if !ok {
			return &hospital.Error{Kind: hospital.Internal, Op: "sqldb.Open", Code: "no_rollback_hook"}
		}
		hooks.RegisterRollbackHook(func() { c.lost = true })
		return nil
	})
}

func (e *sqliteEngine) close() error {
	e.once.Do(func() {
		close(e.closing)
		<-e.stopped
		var errs []error
		for range e.made { // whoever reads finishes
			errs = append(errs, (<-e.readers).close())
		}
		if e.writer != nil { // the last to leave writes the log back into the file
			errs = append(errs, e.writer.close())
		}
		for _, p := range e.pools {
			errs = append(errs, p.Close())
		}
		e.err = errors.Join(append(errs, e.lock.Close())...)
	})
	return e.err
}

// close lets the connection and its statements go: SQLite keeps a file open as
// long as one statement lives.
func (c *sqliteConn) close() error {
	var errs []error
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, c.conn.Close())...)
}

func closed() error {
	return &hospital.Error{Kind: hospital.Unavailable, Op: "sqldb", Code: "database_closed"}
}

func notStarted(ctx context.Context) error {
	return &hospital.Error{Kind: hospital.Unavailable, Op: "sqldb", Code: "not_started", Err: context.Cause(ctx)}
}

// sqliteConn is one connection with its prepared statements.
type sqliteConn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	// lost says that the transaction is over: SQLite rolls all of it back by
	// itself after a full disk, a failed read and the like. What runs then
	// would be a transaction of its own. The writer's only.
	lost bool
}

// errLost is what statements get that come after that.
var errLost = &hospital.Error{Kind: hospital.Unavailable, Op: "sqldb.Write", Code: "rolled_back"}

// begin opens a transaction that writes.
func (c *sqliteConn) begin(ctx context.Context) error {
	c.lost = false
	return c.run(ctx, "BEGIN IMMEDIATE")
}

func (c *sqliteConn) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	if len(c.stmts) >= maxPrepared {
		return nil, nil
	}
	s, err := c.conn.PrepareContext(ctx, numbered(query)) // kept for the life of the connection
	if err == nil {
		c.stmts[query] = s
	}
	return s, err
}

func (c *sqliteConn) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	if c.lost {
		return nil, errLost
	}
	s, err := c.prepare(ctx, query) //nolint:sqlclosecheck // kept for the life of the connection
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.conn.ExecContext(ctx, numbered(query), args...)
	}
	return s.ExecContext(ctx, args...)
}

func (c *sqliteConn) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if c.lost {
		return nil, errLost
	}
	s, err := c.prepare(ctx, query) //nolint:sqlclosecheck // kept for the life of the connection
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.conn.QueryContext(ctx, numbered(query), args...)
	}
	return s.QueryContext(ctx, args...)
}

func (c *sqliteConn) run(ctx context.Context, query string) error {
	_, err := c.exec(ctx, query, nil)
	return err
}

// numbered turns $1 into ?1, which SQLite binds by number; $1 is to it a name.
func numbered(query string) string {
	if !strings.Contains(query, "$") {
		return query
	}
	b := []byte(query)
	quoted := false
	for i, c := range b {
		switch {
		case c == '\'':
			quoted = !quoted
		case c == '$' && !quoted && i+1 < len(b) && b[i+1] >= '1' && b[i+1] <= '9':
			b[i] = '?'
		}
	}
	return string(b)
}

func (e *sqliteEngine) read(ctx context.Context, fn func(*Tx) error) (err error) {
	var c *sqliteConn
	select {
	case <-e.closing:
		return closed()
	default:
	}
	select {
	case c = <-e.readers:
	case <-ctx.Done():
		return notStarted(ctx)
	case <-e.closing:
		return closed()
	}
	defer func() { e.readers <- c }()
	if err := c.run(ctx, "BEGIN"); err != nil {
		return e.db.classify(ctx, c, err)
	}
	defer func() {
		if end := c.run(context.WithoutCancel(ctx), "ROLLBACK"); err == nil && end != nil && !noTransaction(end) {
			err = e.db.classify(ctx, c, end)
		}
	}()
	return (&Tx{ctx: ctx, db: e.db, session: c}).run(fn)
}

// The states of a command. It leaves waiting once: the writer starts it or its
// caller gives it up.
const (
	waiting int32 = iota
	started
	dropped
)

// command is one call of Write on its way through the writer. The writer owns
// the connection and the order; fn itself runs on its caller's goroutine while
// the writer waits, so a panic in it stays the caller's.
type command struct {
	ctx   context.Context //nolint:containedctx // the caller's, whose end before the start drops the command
	state atomic.Int32
	turn  chan *Tx   // the writer: run now
	ran   chan error // the caller: this came of it
	done  chan error // the writer: answered after the commit
	tx    *Tx        // the last attempt
}

func (e *sqliteEngine) write(ctx context.Context, fn func(*Tx) error) error {
	c := &command{ctx: ctx, turn: make(chan *Tx), ran: make(chan error, 1), done: make(chan error, 1)}
	select {
	case <-ctx.Done():
		return notStarted(ctx)
	case <-e.closing:
		return closed()
	default:
	}
	select {
	case e.queue <- c:
	case <-ctx.Done():
		return notStarted(ctx)
	case <-e.closing:
		return closed()
	}
	given, stopped := ctx.Done(), e.stopped
	for {
		select {
		case tx := <-c.turn:
			c.run(tx, fn)
		case err := <-c.done:
			return err
		case <-given:
			if c.state.CompareAndSwap(waiting, dropped) {
				return notStarted(ctx)
			}
			given = nil // it runs: its outcome is near and counts
		case <-stopped:
			if c.state.CompareAndSwap(waiting, dropped) {
				return closed()
			}
			stopped = nil // it ran: the answer is in done
		}
	}
}

// run calls fn and tells the writer what came of it, also when fn panics or
// ends its goroutine.
func (c *command) run(tx *Tx, fn func(*Tx) error) {
	err := error(&hospital.Error{Kind: hospital.Internal, Op: "sqldb.Write", Code: "command_panicked"})
	defer func() { c.ran <- err }()
	err = tx.run(fn)
}

// work is the writer. It merges the commands that wait into one commit, and
// adds no delay to wait for more.
func (e *sqliteEngine) work() {
	defer close(e.stopped)
	for {
		select {
		case <-e.closing:
			return
		case first := <-e.queue:
			e.commit(first)
		}
	}
}

// commit runs first and what waits behind it in one transaction.
func (e *sqliteEngine) commit(first *command) {
	ctx := context.WithoutCancel(first.ctx)
	var done []*command
	open := false
	for c, n := first, 0; c != nil; n++ {
		if n > 0 && n >= e.db.group {
			break
		}
		if !c.state.CompareAndSwap(waiting, started) {
			c = e.next(n + 1)
			continue
		}
		if !open {
			if err := e.writer.begin(ctx); err != nil {
				c.done <- e.db.classify(ctx, e.writer, err)
				break
			}
			open = true
		}
		alive, err := e.attempt(c, len(done) > 0)
		switch {
		case err == nil:
			done = append(done, c)
		case alive:
			c.done <- err
			open = len(done) > 0
		default: // the engine gave the whole transaction up
			c.done <- err
			e.oneByOne(done, nil)
			return
		}
		c = e.next(n + 1)
	}
	if !open {
		return
	}
	if err := e.end(ctx); err != nil {
		e.db.logger.WarnContext(ctx, "merged commit failed", "commands", len(done), "error", err)
		if len(done) == 1 {
			done[0].done <- err
			return
		}
		e.oneByOne(done, err)
		return
	}
	answer(done)
}

// next returns a command that waits already, nil when none does or n commands
// fill the group.
func (e *sqliteEngine) next(n int) *command {
	if n >= e.db.group {
		return nil
	}
	select {
	case c := <-e.queue:
		return c
	default:
		return nil
	}
}

// attempt runs one command inside the open transaction and takes its effects
// back when it fails. A command behind others sets a savepoint before it first
// writes; the first one has the transaction to itself and rolls all of it
// back. alive is false when the transaction is lost for everybody in it.
func (e *sqliteEngine) attempt(c *command, behind bool) (alive bool, err error) {
	ctx := context.WithoutCancel(c.ctx)
	tx := &Tx{ctx: ctx, db: e.db, session: e.writer}
	marked := false
	if behind {
		tx.beforeWrite = func() error {
			marked = true
			return e.writer.run(ctx, "SAVEPOINT command")
		}
	}
	c.tx = tx
	c.turn <- tx
	err = <-c.ran
	if e.writer.lost {
		if err == nil { // it overlooked the error
			err = errLost
		}
		return !behind, err
	}
	switch {
	case err == nil && marked:
		if end := e.writer.run(ctx, "RELEASE command"); end != nil {
			return false, e.db.classify(ctx, e.writer, end)
		}
	case err == nil:
	case marked:
		if e.writer.run(ctx, "ROLLBACK TO command") != nil || e.writer.run(ctx, "RELEASE command") != nil {
			e.rollback(ctx)
			return false, err
		}
	case !behind:
		e.rollback(ctx)
	}
	return true, err
}

// oneByOne runs commands whose merged commit failed again, each in its own
// transaction, so that one that cannot be stored does not take the others
// along. What the merged commit left on a disk that failed may come back after
// a power cut: until a repetition has overwritten it, "not applied" would be a
// lie.
func (e *sqliteEngine) oneByOne(commands []*command, merged error) {
	unknown := hospital.KindOf(merged) == hospital.Indeterminate
	for _, c := range commands {
		err := e.alone(c)
		if err == nil {
			answer([]*command{c})
			continue
		}
		if unknown && hospital.KindOf(err) == hospital.Unavailable {
			err = &hospital.Error{Kind: hospital.Indeterminate, Op: "sqldb.Write", Code: "disk_failed", Err: err}
		}
		c.done <- err
	}
}

func (e *sqliteEngine) alone(c *command) error {
	ctx := context.WithoutCancel(c.ctx)
	if err := e.writer.begin(ctx); err != nil {
		return e.db.classify(ctx, e.writer, err)
	}
	if _, err := e.attempt(c, false); err != nil {
		return err
	}
	return e.end(ctx)
}

// end commits. After a failed commit nothing of it is visible; whether it
// could still be found on the disk after a power cut is known only when the
// disk did not fail.
func (e *sqliteEngine) end(ctx context.Context) error {
	err := e.fault()
	if err == nil {
		err = e.writer.run(ctx, "COMMIT")
	}
	if err == nil {
		return nil
	}
	if diskFailed(err) {
		err = &hospital.Error{Kind: hospital.Indeterminate, Op: "sqldb.Write", Code: "disk_failed", Err: err}
	}
	err = e.db.classify(ctx, e.writer, err)
	e.rollback(ctx)
	return err
}

func (e *sqliteEngine) fault() error {
	if e.db.commitFault == nil {
		return nil
	}
	return e.db.commitFault()
}

func (e *sqliteEngine) rollback(ctx context.Context) {
	if e.writer.lost {
		return
	}
	if err := e.writer.run(ctx, "ROLLBACK"); err != nil && !noTransaction(err) {
		e.db.logger.ErrorContext(ctx, "rollback failed", "error", err)
	}
}

// answer tells every caller that its command is durable.
func answer(commands []*command) {
	for _, c := range commands {
		c.tx.finished()
		c.done <- nil
	}
}

// notLocked says why the file's lock could not be taken.
func notLocked(path string, err error) error {
	refused := &hospital.Error{Kind: hospital.Invalid, Op: "sqldb.Open", Code: "bad_config", Err: err}
	switch {
	case errors.Is(err, filelock.ErrHeld):
		refused.Kind, refused.Code = hospital.Conflict, "database_locked"
		refused.Detail = "another process, or this one, has the database open; stop it, or use PostgreSQL for several servers (" + path + ")"
	case errors.Is(err, errors.ErrUnsupported):
		refused.Detail = "DSN: this system has no flock, which a SQLite file needs; use PostgreSQL"
	default:
		refused.Detail = "DSN: the lock file cannot be opened"
	}
	return refused
}
