package wechatsql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/wechat"
)

// DB is an open database. Stores of several packages can share one.
type DB = sqldb.DB

// Config says which database to open.
type Config = sqldb.Config

// OpenDB opens a database. It is Invalid for a bad Config, Conflict
// database_locked when another process holds the SQLite file, Unavailable when
// the server does not answer.
func OpenDB(ctx context.Context, config Config) (*DB, error) { return sqldb.Open(ctx, config) }

// Store is a wechat.TokenStore and a wechat.SpentStates on SQL.
type Store struct{ db *sqldb.DB }

var (
	_ wechat.TokenStore  = (*Store)(nil)
	_ wechat.SpentStates = (*Store)(nil)
)

//go:embed migrations
var migrations embed.FS

// New brings the tables up to date and returns the store.
func New(ctx context.Context, db *DB) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "wechatsql.New", Err: err}
	}
	if err := db.Migrate(ctx, "wechat", files); err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// Load implements wechat.TokenStore.
func (s *Store) Load(ctx context.Context, name string) (wechat.Token, error) {
	var token wechat.Token
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		token = wechat.Token{}
		var renew, expires, forced int64
		err := tx.QueryRow("SELECT value, renew_at, expires_at, forced_at, forces FROM wechat_tokens WHERE name = $1", name).
			Scan(&token.Value, &renew, &expires, &forced, &token.Forces)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		token.Renew, token.Expires, token.Forced = instant(renew), instant(expires), instant(forced)
		return err
	})
	return token, err
}

// Lease implements wechat.TokenStore. The row is made by whoever asks first.
func (s *Store) Lease(ctx context.Context, name, holder string, d time.Duration) (bool, error) {
	var taken int64
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		taken, err = tx.Exec(`INSERT INTO wechat_tokens (name, value, renew_at, expires_at, forced_at, forces, holder, lease_until)
			VALUES ($1, '', 0, 0, 0, 0, $2, $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
			WHERE wechat_tokens.holder IN ('', excluded.holder) OR wechat_tokens.lease_until <= $4`,
			name, holder, now+d.Milliseconds(), now)
		return err
	})
	return taken == 1, err
}

// Save implements wechat.TokenStore.
func (s *Store) Save(ctx context.Context, name, holder string, token wechat.Token) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		kept, err := tx.Exec(`UPDATE wechat_tokens SET value = $1, renew_at = $2, expires_at = $3, forced_at = $4, forces = $5,
			holder = '', lease_until = 0 WHERE name = $6 AND holder = $7`,
			token.Value, millis(token.Renew), millis(token.Expires), millis(token.Forced), token.Forces, name, holder)
		if err == nil && kept == 0 {
			return wechat.ErrLeaseLost
		}
		return err
	})
}

// Release implements wechat.TokenStore.
func (s *Store) Release(ctx context.Context, name, holder string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("UPDATE wechat_tokens SET holder = '', lease_until = 0 WHERE name = $1 AND holder = $2", name, holder)
		return err
	})
}

// Spend implements wechat.SpentStates. It sweeps out what has expired by the
// database's clock.
func (s *Store) Spend(ctx context.Context, state string, until time.Time) (bool, error) {
	var added int64
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM wechat_spent_states WHERE expires_at < $1 AND state <> $2", now, state); err != nil {
			return err
		}
		added, err = tx.Exec("INSERT INTO wechat_spent_states (state, expires_at) VALUES ($1, $2) ON CONFLICT (state) DO NOTHING",
			state, millis(until))
		return err
	})
	return added == 1, err
}

// millis is how an instant is stored; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).In(hospital.CST)
}
