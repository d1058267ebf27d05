package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

var takenFS = fstest.MapFS{"00001_taken.sql": {Data: []byte(`-- +goose Up
CREATE TABLE taken (no BIGINT NOT NULL, id BIGINT PRIMARY KEY, who TEXT NOT NULL DEFAULT '', UNIQUE (id, who));
CREATE UNIQUE INDEX taken_no ON taken (no);
-- +goose Down
DROP TABLE taken;
`)}}

func withTaken(t *sqltest.T, edit ...func(*sqldb.Config)) *sqldb.DB {
	t.Helper()
	db := t.Open(edit...)
	require.NoError(t, db.Migrate(t.Context(), "taken", takenFS))
	return db
}

func take(no int) func(*sqldb.Tx) error {
	return func(tx *sqldb.Tx) error {
		_, err := tx.Exec("INSERT INTO taken (no, id) VALUES ($1, $1)", no)
		return err
	}
}

func numbers(tb testing.TB, db *sqldb.DB) []int {
	tb.Helper()
	var all []int
	require.NoError(tb, db.Read(tb.Context(), func(tx *sqldb.Tx) (err error) {
		all, err = sqldb.Collect(tx, func(rows *sql.Rows) (no int, err error) {
			err = rows.Scan(&no)
			return no, err
		}, "SELECT no FROM taken ORDER BY no")
		return err
	}))
	return all
}

func config(dsn string) sqldb.Config {
	return sqldb.Config{DSN: dsn, PseudonymKey: []byte(sqltest.PseudonymKey)}
}

func TestOpenNamesTheBadField(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]sqldb.Config{
		"DSN is empty":                   {},
		"DSN is in memory":               {DSN: ":memory:"},
		"DSN is of another engine":       {DSN: "mysql://localhost"},
		"DSN is no postgres URL":         {DSN: "postgres://a:%zz@b"},
		"DSN names a folder that is not": {DSN: filepath.Join(t.TempDir(), "no", "such", "folder.db")},
		"Schema on SQLite":               {DSN: filepath.Join(t.TempDir(), "a.db"), Schema: "s"},
		"Group is negative":              {DSN: filepath.Join(t.TempDir(), "a.db"), Group: -1},
		"Pool is one":                    {DSN: filepath.Join(t.TempDir(), "a.db"), Pool: 1},
		"PseudonymKey is short":          {DSN: filepath.Join(t.TempDir(), "a.db"), PseudonymKey: []byte("short")},
		"PseudonymKey is missing":        {DSN: filepath.Join(t.TempDir(), "a.db"), PseudonymKey: []byte{}},
		"SealKey is short":               {DSN: filepath.Join(t.TempDir(), "a.db"), SealKey: []byte("short")},
		"SealKey is the PseudonymKey":    {DSN: filepath.Join(t.TempDir(), "a.db"), SealKey: []byte(sqltest.PseudonymKey)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if cfg.PseudonymKey == nil {
				cfg.PseudonymKey = []byte(sqltest.PseudonymKey)
			}
			_, err := sqldb.Open(t.Context(), cfg)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err), "%v", err)
			require.Equal(t, "bad_config", hospital.CodeOf(err))
			field, _, _ := strings.Cut(name, " ")
			require.ErrorContains(t, err, field)
		})
	}
}

func TestOpenDoesNotRepeatThePassword(t *testing.T) {
	t.Parallel()
	_, err := sqldb.Open(t.Context(), config("postgres://u:geheim@127.0.0.1:1/x?connect_timeout=2"))
	require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
	require.NotContains(t, err.Error(), "geheim")
}

func TestASecondOpenOfTheFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hospital.db")
	db, err := sqldb.Open(t.Context(), config("sqlite:"+path))
	require.NoError(t, err)
	_, err = sqldb.Open(t.Context(), config(path))
	require.Equal(t, hospital.Conflict, hospital.KindOf(err))
	require.Equal(t, "database_locked", hospital.CodeOf(err))
	require.NoError(t, db.Close())
	require.NoError(t, db.Close(), "closing twice is harmless")
	db, err = sqldb.Open(t.Context(), config(path))
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestAClosedDatabaseRefuses(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		require.NoError(t, db.Close())
		for _, err := range []error{db.Write(t.Context(), take(1)), db.Read(t.Context(), take(1))} {
			require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
			require.Equal(t, "database_closed", hospital.CodeOf(err))
		}
	})
}

func TestSQLiteCommitsAreDurable(t *testing.T) {
	t.Parallel()
	db := sqltest.On(t, sqldb.SQLite)()
	check := func(tx *sqldb.Tx) error {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
			var got string
			if err := tx.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil {
				return err
			}
			require.Equal(t, want, got, pragma)
		}
		return nil
	}
	require.NoError(t, db.Write(t.Context(), check))
	require.NoError(t, db.Read(t.Context(), check))
}

// with adds a parameter to a DSN.
func with(dsn, parameter string) string {
	if strings.Contains(dsn, "?") {
		return dsn + "&" + parameter
	}
	return dsn + "?" + parameter
}

func TestAServerThatLosesCommitsIsRefused(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"synchronous_commit", "fsync", "full_page_writes"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			_, err := sqldb.Open(t.Context(), config(sqltest.Server(t, setting+"=off")))
			require.Equal(t, hospital.Invalid, hospital.KindOf(err), "%v", err)
			require.Equal(t, "bad_config", hospital.CodeOf(err))
			require.ErrorContains(t, err, setting)
		})
	}
	t.Run("by the DSN", func(t *testing.T) {
		t.Parallel()
		_, err := sqldb.Open(t.Context(), config(with(sqltest.Postgres(t), "synchronous_commit=off")))
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), "%v", err)
		require.ErrorContains(t, err, "synchronous_commit")
	})
	t.Run("later", func(t *testing.T) {
		t.Parallel()
		db, err := sqldb.Open(t.Context(), config(sqltest.Server(t)))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error { // a server turned careless keeps its promise to who came before
			var source string
			err := tx.QueryRow("SELECT source FROM pg_settings WHERE name = 'synchronous_commit'").Scan(&source)
			require.Equal(t, "session", source)
			return err
		}))
	})
}

func TestAFileWithoutADurableJournalIsRefused(t *testing.T) {
	t.Parallel()
	for setting, dsn := range map[string]string{
		"journal_mode": "?_pragma=journal_mode(DELETE)&_pragma=synchronous(FULL)",
		"synchronous":  "?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			pool, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "a.db"))+dsn)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, pool.Close()) })
			conn, err := pool.Conn(t.Context())
			require.NoError(t, err)
			err = sqldb.Durable(t.Context(), conn)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err), "%v", err)
			require.ErrorContains(t, err, setting)
			require.NoError(t, conn.Close())
		})
	}
}

func TestAFailedCommandLeavesNothingAndHarmsNobody(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		refused := errors.New("refused")
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := map[int]int{}
		for i := range 200 {
			wg.Go(func() {
				err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
					if i%10 == 0 {
						var n int
						if err := tx.QueryRow("SELECT count(*) FROM taken").Scan(&n); err != nil {
							return err
						}
						return refused // before it wrote
					}
					if err := take(i / 2)(tx); err != nil {
						return err
					}
					if i%10 == 1 {
						return refused // after it wrote
					}
					return nil
				})
				switch {
				case err == nil:
					mu.Lock()
					won[i/2]++
					mu.Unlock()
				case !errors.Is(err, refused) && !sqldb.IsUnique(err, "taken_no") && !sqldb.IsUnique(err, "taken_pkey"):
					t.Errorf("unexpected: %v", err)
				}
			})
		}
		wg.Wait()
		stored := numbers(t, db)
		require.Len(t, stored, len(won))
		require.Len(t, stored, 80)
		for _, no := range stored {
			require.Equal(t, 1, won[no], "number %d", no)
		}
	})
}

func TestAStatementThatFailedEndsTheCommand(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		require.NoError(t, db.Write(t.Context(), take(1)))
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
			_ = take(2)(tx)
			_ = take(1)(tx) // fails, and is not looked at
			_ = take(3)(tx)
			return nil
		})
		require.ErrorIs(t, err, sqldb.ErrUnique)
		require.Equal(t, []int{1}, numbers(t, db))
	})
}

func TestUniqueViolationsAreNamedAlikeOnBothEngines(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		require.NoError(t, db.Migrate(t.Context(), "names", fstest.MapFS{"00001_names.sql": {Data: []byte(`-- +goose Up
CREATE TABLE a (id BIGINT PRIMARY KEY, x BIGINT, y BIGINT, z TEXT, live BIGINT NOT NULL DEFAULT 1, UNIQUE (x, y));
CREATE UNIQUE INDEX a_live ON a (z) WHERE live = 1;
CREATE UNIQUE INDEX a_lower ON a (lower(z), x);
INSERT INTO a (id, x, y, z) VALUES (1, 2, 3, 'z');
`)}}))
		for name, values := range map[string]string{
			"a_pkey":    "(1, 7, 7, 'y', 1)",
			"a_x_y_key": "(2, 2, 3, 'x', 1)",
			"a_live":    "(3, 8, 8, 'z', 1)",
			"a_lower":   "(4, 2, 9, 'Z', 0)",
		} {
			err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
				_, err := tx.Exec("INSERT INTO a (id, x, y, z, live) VALUES " + values)
				return err
			})
			require.True(t, sqldb.IsUnique(err, name), "%s: %v", name, err)
			require.False(t, sqldb.IsUnique(err, "a_other"))
			require.Equal(t, hospital.Conflict, hospital.KindOf(err))
			require.ErrorIs(t, err, sqldb.ErrUnique)
		}
		require.False(t, sqldb.IsUnique(nil, "a_live"))
	})
}

func TestReadsThatWereGivenUpLeaveTheReadersWhole(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t, func(c *sqldb.Config) { c.Pool = 2 })
		require.NoError(t, db.Write(t.Context(), take(1)))
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			err := db.Read(ctx, func(tx *sqldb.Tx) error {
				rows, err := tx.Query(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT i FROM n`)
				if err != nil {
					return err
				}
				defer rows.Close() //nolint:errcheck // read only
				for n := 0; rows.Next(); n++ {
					if n == 10 {
						cancel()
					}
				}
				return rows.Err()
			})
			cancel()
			require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
		}
		for range 4 {
			require.Equal(t, []int{1}, numbers(t, db))
		}
	})
}

func TestReadSeesOneSnapshotAndCannotWrite(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error {
			count := func() (n int) {
				require.NoError(t, tx.QueryRow("SELECT count(*) FROM taken").Scan(&n))
				return n
			}
			require.Zero(t, count())
			require.NoError(t, db.Write(t.Context(), take(1)))
			require.Zero(t, count(), "the snapshot does not move")
			return nil
		}))
		require.Error(t, db.Read(t.Context(), take(2)))
		require.Equal(t, []int{1}, numbers(t, db))
	})
}

func TestNoRowIsNotFoundAndHarmless(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
			var no int
			err := tx.QueryRow("SELECT no FROM taken WHERE no = $1"+tx.ForUpdate(), 5).Scan(&no)
			require.ErrorIs(t, err, sql.ErrNoRows)
			require.Equal(t, hospital.NotFound, hospital.KindOf(err))
			return take(5)(tx)
		}))
		require.Equal(t, []int{5}, numbers(t, db))
	})
}

func TestACommandWhoseCallerIsGoneIsNotStarted(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		err := db.Write(gone, take(1))
		require.Equal(t, hospital.Unavailable, hospital.KindOf(err))
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, numbers(t, db))
	})
}

func TestACommandThatWaitsForTheWriterCanBeGivenUp(t *testing.T) {
	t.Parallel()
	db := withTaken(&sqltest.T{T: t, Engine: sqldb.SQLite, Open: sqltest.On(t, sqldb.SQLite)})
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
			close(started)
			<-release
			return take(1)(tx)
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-started
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err := db.Write(ctx, take(2)) // the writer is busy: it cannot begin
	require.Equal(t, "not_started", hospital.CodeOf(err))
	close(release)
	wg.Wait()
	require.NoError(t, db.Write(t.Context(), take(3)))
	require.Equal(t, []int{1, 3}, numbers(t, db))
}

func TestADeadlineDuringACommandDoesNotTearTheGroup(t *testing.T) {
	t.Parallel()
	db := withTaken(&sqltest.T{T: t, Engine: sqldb.SQLite, Open: sqltest.On(t, sqldb.SQLite)})
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, db.Write(ctx, func(tx *sqldb.Tx) error {
		cancel()
		return take(1)(tx)
	}), "it had started, so it is finished and its outcome told")
	require.Equal(t, []int{1}, numbers(t, db))
}

func TestAPanicStaysWithItsCaller(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		require.PanicsWithValue(t, "boom", func() {
			_ = db.Write(t.Context(), func(tx *sqldb.Tx) error {
				_ = take(1)(tx)
				panic("boom")
			})
		})
		ended := make(chan struct{})
		go func() { // what require.FailNow does inside a command
			defer close(ended)
			_ = db.Write(t.Context(), func(tx *sqldb.Tx) error {
				_ = take(2)(tx)
				runtime.Goexit()
				return nil
			})
		}()
		<-ended
		require.NoError(t, db.Write(t.Context(), take(3)))
		require.Equal(t, []int{3}, numbers(t, db))
	})
}

func TestWhatFollowsACommitRunsOnlyAfterACommit(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		var ran []string
		require.Error(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
			tx.OnCommit(func() { ran = append(ran, "refused") })
			return errors.New("refused")
		}))
		require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
			tx.OnCommit(func() { ran = append(ran, "committed") })
			return take(1)(tx)
		}))
		require.Equal(t, []string{"committed"}, ran)
	})
}

func TestASignalThatPanicsHarmsNobody(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		signaled := false
		require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
			tx.OnCommit(func() { panic("boom") })
			tx.OnCommit(func() { signaled = true })
			return take(1)(tx)
		}))
		require.True(t, signaled)
		require.NoError(t, db.Write(t.Context(), take(2)))
		require.Equal(t, []int{1, 2}, numbers(t, db))
	})
}

func TestTheDatabasesClockIsNearOurs(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		require.NoError(t, t.Open().Write(t.Context(), func(tx *sqldb.Tx) error {
			now, err := tx.Now()
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), time.UnixMilli(now), time.Minute)
			return nil
		}))
	})
}

func TestMoreStatementsThanTheCacheHolds(t *testing.T) {
	t.Parallel()
	db := withTaken(&sqltest.T{T: t, Engine: sqldb.SQLite, Open: sqltest.On(t, sqldb.SQLite)})
	require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
		for i := range 600 {
			var got int
			query := "SELECT $2 + 0" + strings.Repeat(" ", i) + " WHERE $1 = 'a'"
			if err := tx.QueryRow(query, "a", i).Scan(&got); err != nil {
				return err
			}
			require.Equal(t, i, got)
		}
		return take(1)(tx)
	}))
}

func TestPlaceholdersAreNumberedOutsideQuotes(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"SELECT $1, $12":      "SELECT ?1, ?12",
		"SELECT '$1', '$.a'":  "SELECT '$1', '$.a'",
		"SELECT 'it''s', $2":  "SELECT 'it''s', ?2",
		"SELECT 1":            "SELECT 1",
		"SELECT $a, '' || $3": "SELECT $a, '' || ?3",
	} {
		require.Equal(t, want, sqldb.Numbered(query))
	}
}

func TestMigrationsOfSeveralProcessesTakeTurns(t *testing.T) {
	t.Parallel()
	open := sqltest.On(t, sqldb.PostgreSQL)
	var wg sync.WaitGroup
	for range 6 {
		db := open()
		wg.Go(func() {
			if err := db.Migrate(t.Context(), "taken", takenFS); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestComponentsMigrateAndFailApart(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		require.NoError(t, db.Migrate(t.Context(), "taken", takenFS), "again is nothing new")
		err := db.Migrate(t.Context(), "broken", fstest.MapFS{"00001_bad.sql": {Data: []byte("-- +goose Up\nCREATE TABEL x;\n")}})
		require.Equal(t, "migration_failed", hospital.CodeOf(err))
		require.ErrorContains(t, err, "broken 00001_bad.sql")
		require.Equal(t, hospital.Invalid, hospital.KindOf(db.Migrate(t.Context(), "No; DROP", takenFS)))
		require.NoError(t, db.Migrate(t.Context(), "apart", fstest.MapFS{
			"sqlite/00001_a.sql":   {Data: []byte("-- +goose Up\nCREATE TABLE apart (id INTEGER PRIMARY KEY) STRICT;\n")},
			"postgres/00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE apart (id BIGINT GENERATED ALWAYS AS IDENTITY);\n")},
		}))
		require.NoError(t, db.Write(t.Context(), take(1)))
	})
}

func TestWhatPostgresSuffersFromIsNotTakenForADefect(t *testing.T) {
	t.Parallel()
	db := sqltest.On(t, sqldb.PostgreSQL)()
	for code, want := range map[string]hospital.Kind{
		"53100": hospital.Unavailable, // disk_full
		"57P03": hospital.Unavailable, // cannot_connect_now
		"58030": hospital.Unavailable, // io_error
		"25006": hospital.Unavailable, // read_only_sql_transaction: a stand-by
		"55P03": hospital.Unavailable, // lock_not_available
		"XX001": hospital.Internal,    // data_corrupted
		"42601": hospital.Internal,    // syntax_error
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
				_, err := tx.Exec("DO $$ BEGIN RAISE EXCEPTION 'played' USING ERRCODE = '" + code + "'; END $$")
				return err
			})
			require.Equal(t, want, hospital.KindOf(err), "%v", err)
			require.Equal(t, code, hospital.CodeOf(err))
		})
	}
}
