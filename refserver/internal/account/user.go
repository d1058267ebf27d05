package account

import (
	"context"
	"database/sql"
	"errors"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/wechat"
)

// User returns who has the openid; somebody new becomes a user.
func (s *Store) User(ctx context.Context, openID wechat.OpenID) (hospital.UserID, error) {
	if openID == "" {
		return "", &hospital.Error{Kind: hospital.Invalid, Op: "account.User", Code: "no_openid"}
	}
	index, fresh := s.index("openid", string(openID)), hospital.NewID("u", s.wall())
	sealed := s.sealed(fresh, []byte(openID))
	var user string
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.Exec(`INSERT INTO account_users (id, index_of, sealed, created_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (index_of) DO NOTHING`, fresh, index, sealed, sqldb.Millis(s.wall())); err != nil {
			return err
		}
		return tx.QueryRow("SELECT id FROM account_users WHERE index_of = $1", index).Scan(&user)
	})
	return hospital.UserID(user), err
}

// OpenID returns a user's openid; NotFound.
func (s *Store) OpenID(ctx context.Context, user hospital.UserID) (wechat.OpenID, error) {
	var sealed string
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.QueryRow("SELECT sealed FROM account_users WHERE id = $1", string(user)).Scan(&sealed)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", &hospital.Error{Kind: hospital.NotFound, Op: "account.OpenID", Code: "no_such_user"}
	case err != nil:
		return "", err
	}
	plain, err := s.opened(string(user), sealed)
	return wechat.OpenID(plain), err
}

// Known returns who has the openid; NotFound for somebody who never logged in.
func (s *Store) Known(ctx context.Context, openID wechat.OpenID) (user hospital.UserID, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.QueryRow("SELECT id FROM account_users WHERE index_of = $1", s.index("openid", string(openID))).Scan(&user)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = &hospital.Error{Kind: hospital.NotFound, Op: "account.Known", Code: "no_such_user"}
	}
	return user, err
}

// Forget deletes what is kept of a user: the openid, the sessions and what was
// typed to bind. Consents stay, as proof of what was agreed to.
func (s *Store) Forget(ctx context.Context, user hospital.UserID) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, statement := range []string{
			"DELETE FROM account_sessions WHERE user_id = $1", "DELETE FROM account_challenges WHERE user_id = $1", "DELETE FROM account_users WHERE id = $1",
		} {
			if _, err := tx.Exec(statement, string(user)); err != nil {
				return err
			}
		}
		return nil
	})
}
