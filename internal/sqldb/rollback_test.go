package sqldb_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

var largeFS = fstest.MapFS{"00001_large.sql": {Data: []byte("-- +goose Up\nCREATE TABLE large (id BIGINT PRIMARY KEY, body TEXT NOT NULL);\n")}}

// A disk that fails while a command reads makes SQLite take back the whole
// transaction, with what others wrote before in it. Whoever comes behind must
// notice, or he writes outside any transaction and then once more.
func TestAReadThatFailsInAGroupTakesNobodyAlongAndRepeatsNobody(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hospital.db")
	on := sqltest.On(t, sqldb.SQLite)
	db := withTaken(&sqltest.T{T: t, Open: func(...func(*sqldb.Config)) *sqldb.DB {
		return on(func(c *sqldb.Config) { c.DSN = path })
	}})
	require.NoError(t, db.Migrate(t.Context(), "large", largeFS))
	require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
		var none any
		if err := tx.QueryRow("PRAGMA cache_size = 10").Scan(&none); hospital.KindOf(err) != hospital.NotFound {
			return err
		}
		for i := range 500 { // far more than the cache holds, and all of it in the log
			if _, err := tx.Exec("INSERT INTO large VALUES ($1, $2)", i, strings.Repeat("x", 2000)); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, swallow := range []bool{false, true} {
		first := len(numbers(t, db))
		var commands []func(*sqldb.Tx) error
		for i := range 20 {
			commands = append(commands, take(first+i))
			if i%5 == 2 {
				commands = append(commands, withoutLog(path+"-wal", swallow))
			}
		}
		errs := together(t, db, commands...)
		var want []int
		for i := range first + 20 {
			want = append(want, i)
		}
		require.Equal(t, want, numbers(t, db))
		for i, err := range errs {
			if i%6 != 3 {
				require.NoError(t, err, i)
				continue
			}
			require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
		}
	}
}

// withoutLog reads a table while the log it stands in is gone.
func withoutLog(path string, swallow bool) func(*sqldb.Tx) error {
	return func(tx *sqldb.Tx) (err error) {
		log, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.Truncate(path, 0); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.WriteFile(path, log, 0o600)) }()
		rows, err := tx.Query("SELECT body FROM large")
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // read only
		n := 0
		for rows.Next() {
			n++
		}
		if n == 500 {
			return errors.New("the log was not needed")
		}
		if swallow { // a defect of a command must stay its own
			return nil
		}
		return rows.Err()
	}
}

func TestACommandThatLostItsTransactionWritesNoMore(t *testing.T) {
	t.Parallel()
	db := withTaken(liteT(t))
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		if err := take(1)(tx); err != nil {
			return err
		}
		require.NoError(t, tx.TakeBack())
		_ = take(2)(tx)
		return nil
	})
	require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
	require.Empty(t, numbers(t, db))
	require.NoError(t, db.Write(t.Context(), take(3)))
	require.Equal(t, []int{3}, numbers(t, db))
}

func TestAfterACommitOfUnknownOutcomeNoCommandIsCalledUnapplied(t *testing.T) {
	t.Parallel()
	db := withTaken(liteT(t))
	ran, inCommit := make([]bool, 20), make([]bool, 20) // the writer and whoever has the turn write, one at a time
	n := 0
	db.BreakCommits(func() error {
		if n++; n == 1 {
			copy(inCommit, ran)
			return &hospital.Error{Kind: hospital.Indeterminate, Code: "disk_failed"}
		}
		return errNoRoom
	})
	var commands []func(*sqldb.Tx) error
	for i := range ran {
		commands = append(commands, func(tx *sqldb.Tx) error {
			ran[i] = true
			return take(i)(tx)
		})
	}
	errs := together(t, db, commands...)
	require.Contains(t, inCommit, true)
	for i, err := range errs {
		want := hospital.Unavailable
		if inCommit[i] {
			want = hospital.Indeterminate
		}
		require.Equal(t, want, hospital.KindOf(err), "%v", err)
	}
}
