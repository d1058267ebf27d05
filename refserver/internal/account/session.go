package account

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// How long a session serves: unused, and at all.
const (
	SessionIdle = 30 * time.Minute
	SessionLife = 12 * time.Hour
)

// touchEvery is how stale the time of the last use may be.
const touchEvery = time.Minute

// ErrNoSession says that nobody is logged in under the secret, or no longer.
var ErrNoSession = &hospital.Error{Kind: hospital.Denied, Op: "account.Session", Code: "no_session", Message: "登录已过期，请返回重新进入。"}

// Session is somebody who is logged in.
type Session struct {
	User    hospital.UserID
	Patient hospital.PatientID // whom the pages are about; "" for the first
	hash    string
}

// NewSecret returns 256 random bits for a cookie.
func NewSecret() string {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		panic("account: crypto/rand never fails: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(secret)
}

// Login begins a session and returns its secret. Sessions that are over are
// swept out with it.
func (s *Store) Login(ctx context.Context, user hospital.UserID) (string, error) {
	secret, now := NewSecret(), s.wall()
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.Exec("DELETE FROM account_sessions WHERE seen_at < $1", sqldb.Millis(now.Add(-SessionIdle))); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO account_sessions (hash, user_id, patient, created_at, seen_at) VALUES ($1, $2, '', $3, $3)",
			hashed(secret), string(user), sqldb.Millis(now))
		return err
	})
	return secret, err
}

// Session returns who is logged in under the secret, or [ErrNoSession].
func (s *Store) Session(ctx context.Context, secret string) (Session, error) {
	session := Session{hash: hashed(secret)}
	var created, seen int64
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.QueryRow("SELECT user_id, patient, created_at, seen_at FROM account_sessions WHERE hash = $1", session.hash).
			Scan(&session.User, &session.Patient, &created, &seen)
	})
	now := s.wall()
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Session{}, ErrNoSession
	case err != nil:
		return Session{}, err
	case now.Sub(sqldb.Instant(created)) >= SessionLife || now.Sub(sqldb.Instant(seen)) >= SessionIdle:
		return Session{}, ErrNoSession
	case now.Sub(sqldb.Instant(seen)) < touchEvery:
		return session, nil
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("UPDATE account_sessions SET seen_at = $1 WHERE hash = $2 AND seen_at < $1", sqldb.Millis(now), session.hash)
		return err
	})
	return session, err
}

// Choose makes a patient the one whom the session's pages are about. That the
// user holds the patient is the caller's to know.
func (s *Store) Choose(ctx context.Context, session Session, patient hospital.PatientID) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("UPDATE account_sessions SET patient = $1 WHERE hash = $2", string(patient), session.hash)
		return err
	})
}

// Logout ends every session of the user.
func (s *Store) Logout(ctx context.Context, user hospital.UserID) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("DELETE FROM account_sessions WHERE user_id = $1", string(user))
		return err
	})
}
