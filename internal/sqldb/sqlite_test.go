package sqldb_test

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

func openFile(t *testing.T) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Config{
		DSN: filepath.Join(t.TempDir(), "hospital.db"), PseudonymKey: []byte("TESTING KEY pseudonym"),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestManyWritersOnSQLite(t *testing.T) {
	t.Parallel()
	db := openFile(t)
	require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec("CREATE TABLE taken (no INTEGER NOT NULL)")
		if err == nil {
			_, err = tx.Exec("CREATE UNIQUE INDEX taken_no ON taken (no)")
		}
		return err
	}))
	refused := errors.New("refused")
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
				if _, err := tx.Exec("INSERT INTO taken (no) VALUES ($1)", i/2); err != nil {
					return err
				}
				if i%20 == 0 {
					return refused
				}
				return nil
			})
			if err != nil && !errors.Is(err, refused) && !sqldb.IsUnique(err, "taken_no") {
				t.Errorf("unexpected: %v", err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error {
		var n, distinct int
		if err := tx.QueryRow("SELECT count(*), count(DISTINCT no) FROM taken").Scan(&n, &distinct); err != nil {
			return err
		}
		require.Equal(t, n, distinct)
		require.Equal(t, 150, n)
		return nil
	}))
	require.Equal(t, hospital.Internal, hospital.KindOf(db.Read(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec("DELETE FROM taken")
		return err
	})))
}

func TestASecondOpenIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hospital.db")
	db, err := sqldb.Open(t.Context(), sqldb.Config{DSN: path})
	require.NoError(t, err)
	_, err = sqldb.Open(t.Context(), sqldb.Config{DSN: path})
	require.Equal(t, hospital.Conflict, hospital.KindOf(err))
	require.Equal(t, "database_locked", hospital.CodeOf(err))
	require.NoError(t, db.Close())
	db, err = sqldb.Open(t.Context(), sqldb.Config{DSN: path})
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
