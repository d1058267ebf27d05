package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/wxhospital/hospital"
)

// ErrUnique is matched by every violation of a unique index; [IsUnique] tells
// which one.
var ErrUnique = &hospital.Error{Kind: hospital.Conflict, Code: "unique_violation"}

// uniqueError names the indexes that a row would have violated. Two indexes
// over the same columns cannot be told apart on SQLite, hence the plural.
type uniqueError struct {
	names []string
	err   error
}

// Error returns the engine's words.
func (e *uniqueError) Error() string { return e.err.Error() }

// Unwrap returns the engine's error.
func (e *uniqueError) Unwrap() error { return e.err }

// IsUnique reports whether err says that a row would have violated the named
// unique index or constraint. An index made by CREATE UNIQUE INDEX has the
// same name on both engines; for the others the name is PostgreSQL's:
// jobs_pkey for the primary key of jobs, jobs_kind_key_key for UNIQUE (kind,
// key) inside CREATE TABLE.
func IsUnique(err error, name string) bool {
	u, ok := errors.AsType[*uniqueError](err)
	return ok && slices.Contains(u.names, name)
}

// classify turns what a driver said before a commit into a [*hospital.Error].
// Nothing has been applied then, so whatever is not our own mistake is
// Unavailable. s serves to look up names and may be nil.
func (db *DB) classify(ctx context.Context, s session, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*hospital.Error](err); ok {
		return err
	}
	e := &hospital.Error{Kind: hospital.Internal, Op: "sqldb", Err: err}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		db.classifySQLite(ctx, s, lite, e)
		return e
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		classifyPostgres(pg, e)
		return e
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Code = hospital.Unavailable, "deadline"
	case connectionLost(err):
		e.Kind, e.Code = hospital.Unavailable, "connection_lost"
	}
	return e
}

func (db *DB) classifySQLite(ctx context.Context, s session, lite *sqlite.Error, e *hospital.Error) {
	switch code := lite.Code(); {
	case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE, code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, code == sqlite3.SQLITE_CONSTRAINT_ROWID:
		names := db.unique.names(ctx, s, lite.Error())
		e.Kind, e.Code, e.Detail, e.Err = ErrUnique.Kind, ErrUnique.Code, strings.Join(names, ", "), &uniqueError{names, lite}
	case code&0xff == sqlite3.SQLITE_CONSTRAINT:
		e.Code = "constraint_violation"
	case code&0xff == sqlite3.SQLITE_BUSY, code&0xff == sqlite3.SQLITE_LOCKED:
		e.Kind, e.Code = hospital.Unavailable, "database_busy"
	case code&0xff == sqlite3.SQLITE_FULL:
		e.Kind, e.Code = hospital.Unavailable, "disk_full"
	case code&0xff == sqlite3.SQLITE_IOERR:
		e.Kind, e.Code = hospital.Unavailable, "disk_failed"
	case code&0xff == sqlite3.SQLITE_NOMEM:
		e.Kind, e.Code = hospital.Unavailable, "out_of_memory"
	case code&0xff == sqlite3.SQLITE_INTERRUPT:
		e.Kind, e.Code = hospital.Unavailable, "deadline"
	case code&0xff == sqlite3.SQLITE_CANTOPEN, code&0xff == sqlite3.SQLITE_NOTADB:
		e.Kind, e.Code = hospital.Invalid, "bad_config"
		e.Detail = "DSN: the file cannot be opened as a database"
	}
}

func classifyPostgres(pg *pgconn.PgError, e *hospital.Error) {
	e.Code = pg.Code
	class := pg.Code[:min(2, len(pg.Code))]
	switch {
	case pg.Code == "23505":
		e.Kind, e.Code, e.Detail, e.Err = ErrUnique.Kind, ErrUnique.Code, pg.ConstraintName, &uniqueError{[]string{pg.ConstraintName}, pg}
	case class == "23":
		e.Code, e.Detail = "constraint_violation", pg.ConstraintName
	case deadlocked(pg), class == "08", class == "53", class == "57", class == "58", // the last: of the machine below PostgreSQL
		pg.Code == "25P03", pg.Code == "55P03", // the session fell silent; lock_timeout
		pg.Code == "25006": // a stand-by that takes no writes yet
		e.Kind = hospital.Unavailable
	case class == "28", pg.Code == "3D000":
		e.Kind = hospital.Invalid
	}
}

// deadlocked reports whether PostgreSQL gave a command up in favor of another
// and running it again may succeed.
func deadlocked(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40001" || pg.Code == "40P01")
}

func connectionLost(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "conn closed")
}

func diskFailed(err error) bool {
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && lite.Code()&0xff == sqlite3.SQLITE_IOERR
}

// noTransaction reports whether SQLite had already rolled back by itself.
func noTransaction(err error) bool {
	return strings.Contains(err.Error(), "no transaction is active")
}

// uniqueNames remembers which indexes stand for the columns that SQLite names
// in a violation.
type uniqueNames struct {
	mu      sync.Mutex
	columns map[string][]string // "jobs.kind, jobs.key" → index names
}

// uniqueSQL lists every unique index with its columns in order.
const uniqueSQL = `SELECT t.name, i.name, i.origin, coalesce(c.name, '') FROM sqlite_master t
	JOIN pragma_index_list(t.name) i ON i."unique" = 1
	JOIN pragma_index_info(i.name) c
	WHERE t.type = 'table' ORDER BY t.name, i.name, c.seqno`

func (u *uniqueNames) names(ctx context.Context, s session, message string) []string {
	_, columns, found := strings.Cut(message, "UNIQUE constraint failed: ")
	if !found {
		return nil
	}
	if at := strings.LastIndex(columns, " ("); at > 0 {
		columns = columns[:at]
	}
	if name, expr := strings.CutPrefix(columns, "index '"); expr { // an index on an expression is named
		return []string{strings.TrimSuffix(name, "'")}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if names, ok := u.columns[columns]; ok || s == nil {
		return names
	}
	if err := u.load(ctx, s); err != nil {
		return nil
	}
	if _, ok := u.columns[columns]; !ok { // an INTEGER PRIMARY KEY has no index of its own
		table, _, _ := strings.Cut(columns, ".")
		u.columns[columns] = []string{table + "_pkey"}
	}
	return u.columns[columns]
}

func (u *uniqueNames) load(ctx context.Context, s session) error {
	rows, err := s.query(ctx, uniqueSQL, nil)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err below reports what went wrong
	type index struct {
		table, name string
		columns     []string
	}
	var all []index
	for rows.Next() {
		var table, name, origin, column string
		if err := rows.Scan(&table, &name, &origin, &column); err != nil {
			return err
		}
		if origin == "pk" {
			name = table + "_pkey"
		}
		if n := len(all); n == 0 || all[n-1].table != table || all[n-1].name != name {
			all = append(all, index{table: table, name: name})
		}
		at := &all[len(all)-1]
		at.columns = append(at.columns, column)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	u.columns = map[string][]string{}
	for _, i := range all {
		if strings.HasPrefix(i.name, "sqlite_autoindex_") {
			i.name = i.table + "_" + strings.Join(i.columns, "_") + "_key"
		}
		key := i.table + "." + strings.Join(i.columns, ", "+i.table+".")
		u.columns[key] = append(u.columns[key], i.name)
	}
	return nil
}
