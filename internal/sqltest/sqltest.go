// Package sqltest runs a test on every engine of [sqldb].
//
// PostgreSQL comes from the DSN in HOSPITAL_TEST_POSTGRES, or from a private
// cluster that the first test starts: in a temporary folder, reachable by a
// Unix socket only, owned by an unprivileged user because PostgreSQL refuses
// to run as root. A shell waits on a pipe to this process and takes the
// cluster down when the pipe closes, so nothing is left behind however the
// test binary ends.
package sqltest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/testneed"
)

// Open opens the test's database. Called again it opens the same one again,
// as after a restart or from a second server; on SQLite the earlier one must
// be closed first. edit may change the configuration. The database is closed
// when the test ends.
type Open func(edit ...func(*sqldb.Config)) *sqldb.DB

// PseudonymKey is the key that databases of tests are opened with.
const PseudonymKey = "TESTING KEY pseudonym"

// testPool is small, because many tests share one server.
const testPool = 4

// T is a test on one engine.
type T struct {
	*testing.T

	Engine sqldb.Engine
	Open   Open
}

// Each runs f as a parallel subtest per engine, each with an empty database.
func Each(t *testing.T, f func(*T)) {
	t.Helper()
	for _, engine := range []sqldb.Engine{sqldb.SQLite, sqldb.PostgreSQL} {
		t.Run(engine.String(), func(t *testing.T) {
			t.Parallel()
			f(&T{t, engine, On(t, engine)})
		})
	}
}

// On returns the means to open an empty database on one engine. A machine
// without PostgreSQL is a missing tool.
func On(tb testing.TB, engine sqldb.Engine) Open {
	tb.Helper()
	cfg := sqldb.Config{PseudonymKey: []byte(PseudonymKey)}
	if engine == sqldb.SQLite {
		cfg.DSN = filepath.Join(tb.TempDir(), "hospital.db")
	} else {
		cfg.DSN, cfg.Schema, cfg.Pool = Postgres(tb), schema(tb), testPool
	}
	return func(edit ...func(*sqldb.Config)) *sqldb.DB {
		tb.Helper()
		edited := cfg
		for _, e := range edit {
			e(&edited)
		}
		db, err := sqldb.Open(tb.Context(), edited)
		if err != nil {
			tb.Fatalf("open %v: %v", engine, err)
		}
		tb.Cleanup(func() {
			if err := db.Close(); err != nil {
				tb.Errorf("close %v: %v", engine, err)
			}
		})
		return db
	}
}

// Postgres returns the DSN of a PostgreSQL server for tests.
func Postgres(tb testing.TB) string {
	tb.Helper()
	pg, err := server()
	if err != nil {
		tb.Fatalf("start postgresql: %v", err)
	}
	if pg.dsn == "" {
		testneed.Missing(tb, "postgresql")
	}
	return pg.dsn
}

// schema returns the name of a schema of the test's own, which is dropped
// when the test ends.
func schema(tb testing.TB) string {
	tb.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	dsn := Postgres(tb)
	tb.Cleanup(func() {
		pool, err := sql.Open("pgx", dsn)
		if err == nil {
			_, err = pool.ExecContext(context.WithoutCancel(tb.Context()), "DROP SCHEMA IF EXISTS "+name+" CASCADE")
		}
		if err != nil {
			tb.Errorf("drop schema: %v", err)
			return
		}
		if err := pool.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return name
}
