package sqldb

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxhospital/hospital"
)

// Engine is the database behind a [DB].
type Engine int

// The engines.
const (
	SQLite Engine = iota + 1
	PostgreSQL
)

// String returns the engine's name, which is also the name of its folder
// where migrations differ.
func (e Engine) String() string {
	switch e {
	case SQLite:
		return "sqlite"
	case PostgreSQL:
		return "postgres"
	}
	return "unknown"
}

const (
	// defaultGroup is the most commands one SQLite commit takes. Beyond it the
	// first caller waits longer for the last than a commit costs.
	defaultGroup = 256
	// queueLen bounds the commands that wait for the SQLite writer in memory;
	// further callers wait in Write, where their deadline still counts.
	queueLen = 1024
	// minKeyBytes is the shortest secret taken: the block of security that
	// HMAC-SHA256 offers needs 32 bytes, half of it is the least we accept.
	minKeyBytes = 16
)

// Config says which database to open.
type Config struct {
	// DSN is a file path ("/var/lib/hospital/hospital.db" or
	// "sqlite:hospital.db") for SQLite, or a "postgres://…" URL. Required.
	DSN string
	// Schema is the PostgreSQL schema to live in; it is created when missing.
	// Default: the schema the DSN's role uses ("public"). Not for SQLite.
	Schema string
	// Group is the most waiting commands that share one SQLite commit; 1 gives
	// each its own. Default 256. PostgreSQL commits each alone.
	Group int
	// Pool is the number of connections: readers on SQLite, all on PostgreSQL.
	// Default 4 per core; more only queue inside the engine.
	Pool int
	// PseudonymKey turns a PatientID into the pseudonym of the audit trail, at
	// least 16 bytes, kept outside the database, never changed. Required.
	PseudonymKey []byte
	// SealKey chains the audit trail (see [DB.Seal]): another key of at least 16
	// bytes, kept outside the database, never changed. Only a process that
	// seals or verifies needs it; without it [DB.Seal] refuses.
	SealKey []byte
	// Clock is what leases run by. Default: the database's own clock, which all
	// replicas share. A test on a virtual clock sets it.
	Clock func() time.Time
	// Logger receives what an operator should know. Default: discarded.
	Logger *slog.Logger
}

//go:embed migrations
var migrations embed.FS

// DB is one open database. Make it with [Open]; it is safe for concurrent use.
type DB struct {
	engine    Engine
	group     int
	pseudonym []byte
	sealKey   sealKey
	logger    *slog.Logger
	clock     func() time.Time // nil is the database's
	dsn       string           // of a SQLite connection that may write, for migrations

	sqlite *sqliteEngine // nil on PostgreSQL
	pg     *sql.DB       // nil on SQLite
	schema string        // "" is the role's own
	closed atomic.Bool   // PostgreSQL: Close was called

	migrating sync.Mutex
	unique    uniqueNames
	jobHint   hint
	auditHint hint
	sealed    sealedEnd

	commitFault func() error // tests break a commit here; nil otherwise
}

// Open opens the database, creates what is missing and brings the shared
// tables up to date. It returns Invalid for a bad Config, Conflict with code
// database_locked when another process (or an earlier Open) holds the SQLite
// file, and Unavailable when the server does not answer. Close what it returns.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	db := &DB{group: cfg.Group, pseudonym: cfg.PseudonymKey, sealKey: cfg.SealKey, logger: cfg.Logger, schema: cfg.Schema, clock: cfg.Clock}
	if db.logger == nil {
		db.logger = slog.New(slog.DiscardHandler)
	}
	pool := cfg.Pool
	if pool == 0 {
		pool = 4 * runtime.GOMAXPROCS(0)
	}
	if db.group == 0 {
		db.group = defaultGroup
	}
	if db.group < 1 || pool < 2 {
		return nil, invalid("Group must be at least 1 and Pool at least 2")
	}
	if len(db.pseudonym) < minKeyBytes {
		return nil, invalid("PseudonymKey must have at least 16 bytes")
	}
	if len(db.sealKey) > 0 && (len(db.sealKey) < minKeyBytes || bytes.Equal(db.sealKey, db.pseudonym)) {
		return nil, invalid("SealKey must have at least 16 bytes and not be the PseudonymKey")
	}
	var err error
	if strings.HasPrefix(cfg.DSN, "postgres://") || strings.HasPrefix(cfg.DSN, "postgresql://") {
		db.engine = PostgreSQL
		err = db.openPostgres(ctx, cfg.DSN, pool)
	} else {
		db.engine = SQLite
		err = db.openSQLite(ctx, strings.TrimPrefix(cfg.DSN, "sqlite:"), pool)
	}
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "shared", mustSub(migrations, "migrations/shared")); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func invalid(detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "sqldb.Open", Code: "bad_config", Detail: detail}
}

// Close waits for the commit and the reads that are under way, refuses what
// waits and gives the file or the connections back. It must not be called from
// inside Write or Read.
func (db *DB) Close() error {
	if db.engine == SQLite {
		return db.sqlite.close()
	}
	db.closed.Store(true)
	return db.pg.Close()
}

// Engine returns the engine behind db.
func (db *DB) Engine() Engine { return db.engine }

// Write runs fn as one durable command: when Write returns nil, everything fn
// did has reached the disk; when fn returns an error, nothing of it remains
// and Write returns that error. fn may run more than once (after a deadlock,
// or when a merged commit failed), so it must set, not add to, what it
// captures; it must not call Write or a remote service. A statement that
// failed ends the command on both engines.
//
// A command whose ctx is done before it starts is Unavailable. A connection
// lost while PostgreSQL commits, or a disk that fails in the commit, is
// Indeterminate; before that it is Unavailable.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	if db.engine == SQLite {
		return db.sqlite.write(ctx, fn)
	}
	return db.writePostgres(ctx, fn)
}

// Read runs fn over one consistent snapshot. Statements that write fail.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	if db.engine == SQLite {
		return db.sqlite.read(ctx, fn)
	}
	return db.readPostgres(ctx, fn)
}

// hint is a set of channels to poke: a hurry-up in this process, never the
// truth. Whoever listens polls as well.
type hint struct {
	mu        sync.Mutex
	listeners map[chan struct{}]struct{}
}

// listen returns a channel that receives after a poke, and how to stop.
func (h *hint) listen() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners == nil {
		h.listeners = map[chan struct{}]struct{}{}
	}
	h.listeners[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.listeners, c)
	}
}

func (h *hint) poke() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.listeners {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
