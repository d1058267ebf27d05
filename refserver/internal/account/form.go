package account

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// formLife is how long the answer to a form is remembered.
const formLife = 24 * time.Hour

// Begin claims a form of a user by its key. It reports false when the form was
// sent before, and then where its answer is, "" while that is being made.
func (s *Store) Begin(ctx context.Context, user hospital.UserID, key string) (first bool, path string, err error) {
	index, now := s.index("form", string(user)+"\x00"+key), s.wall()
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		first, path = false, ""
		if _, err := tx.Exec("DELETE FROM account_forms WHERE created_at < $1", sqldb.Millis(now.Add(-formLife))); err != nil {
			return err
		}
		added, err := tx.Exec("INSERT INTO account_forms (key, path, created_at) VALUES ($1, '', $2) ON CONFLICT (key) DO NOTHING", index, sqldb.Millis(now))
		if err != nil {
			return err
		}
		first = added == 1
		return tx.QueryRow("SELECT path FROM account_forms WHERE key = $1", index).Scan(&path)
	})
	return first, path, err
}

// End remembers where the answer to a form is; "" lets it be sent again.
func (s *Store) End(ctx context.Context, user hospital.UserID, key, path string) error {
	index := s.index("form", string(user)+"\x00"+key)
	return s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		if path == "" {
			_, err = tx.Exec("DELETE FROM account_forms WHERE key = $1", index)
		} else {
			_, err = tx.Exec("UPDATE account_forms SET path = $1 WHERE key = $2", path, index)
		}
		return err
	})
}
