package sqldb_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/sqldb"
)

// TestCloseLeavesOneFile is what a backup by copying relies on: after Close
// everything stands in the database file, and no log beside it.
func TestCloseLeavesOneFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sqldb.Open(t.Context(), config(filepath.Join(dir, "hospital.db")))
	require.NoError(t, err)
	require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec("CREATE TABLE kept (n INTEGER)")
		return err
	}))
	require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error {
		var n int
		return tx.QueryRow("SELECT count(*) FROM kept").Scan(&n)
	}))
	require.NoError(t, db.Close())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
	}
	require.Equal(t, []string{"hospital.db", "hospital.db.lock"}, names)
}
