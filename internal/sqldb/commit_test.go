package sqldb_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

var errNoRoom = &hospital.Error{Kind: hospital.Unavailable, Code: "disk_full"}

func liteT(t *testing.T) *sqltest.T {
	t.Helper()
	return &sqltest.T{T: t, Engine: sqldb.SQLite, Open: sqltest.On(t, sqldb.SQLite)}
}

// together runs the commands so that they wait behind a busy writer and meet
// in one group.
func together(t *testing.T, db *sqldb.DB, commands ...func(*sqldb.Tx) error) []error {
	t.Helper()
	started, release := make(chan struct{}), make(chan struct{})
	start := sync.OnceFunc(func() { close(started) })
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.Write(t.Context(), func(*sqldb.Tx) error {
			start()
			<-release
			return nil
		})
	})
	<-started
	errs := make([]error, len(commands))
	var waiting sync.WaitGroup
	for i, c := range commands {
		waiting.Add(1)
		wg.Go(func() {
			waiting.Done()
			errs[i] = db.Write(t.Context(), c)
		})
	}
	waiting.Wait()
	close(release)
	wg.Wait()
	return errs
}

func TestAMergedCommitThatFailsIsRepeatedOneByOne(t *testing.T) {
	t.Parallel()
	db := withTaken(liteT(t))
	var commits, ran atomic.Int32
	db.BreakCommits(func() error {
		if commits.Add(1) == 1 {
			return errNoRoom
		}
		return nil
	})
	var commands []func(*sqldb.Tx) error
	for i := range 10 {
		commands = append(commands, func(tx *sqldb.Tx) error {
			ran.Add(1)
			return take(i)(tx)
		})
	}
	errs := together(t, db, commands...)
	lost := 0
	for _, err := range errs {
		if err != nil { // a group of one has nobody to be parted from
			require.ErrorIs(t, err, errNoRoom)
			lost++
		}
	}
	require.LessOrEqual(t, lost, 1)
	require.Len(t, numbers(t, db), 10-lost)
}

func TestACommandThatCannotBeCommittedIsUnavailable(t *testing.T) {
	t.Parallel()
	db := withTaken(liteT(t))
	db.BreakCommits(func() error { return errNoRoom })
	for _, err := range together(t, db, take(1), take(2), take(3)) {
		require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
	}
	require.Empty(t, numbers(t, db))
}

func TestAConstraintThatFailsAtTheCommitIsNoOutage(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		require.NoError(t, db.Migrate(t.Context(), "child", fstest.MapFS{"00001_child.sql": {Data: []byte("-- +goose Up\n" +
			"CREATE TABLE child (id BIGINT PRIMARY KEY, parent BIGINT REFERENCES taken (id) DEFERRABLE INITIALLY DEFERRED);\n")}}))
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.Exec("INSERT INTO child (id, parent) VALUES (1, 9)")
			return err
		})
		require.Equal(t, hospital.Internal, hospital.KindOf(err), "%v", err)
		require.Equal(t, "constraint_violation", hospital.CodeOf(err))
		require.NoError(t, db.Write(t.Context(), take(1)))
	})
}

func TestAFullDiskFailsTheLargeCommandAlone(t *testing.T) {
	t.Parallel()
	db := withTaken(liteT(t))
	require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
		var pages, limit int
		if err := tx.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
			return err
		}
		return tx.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", pages+20)).Scan(&limit)
	}))
	large := func(tx *sqldb.Tx) error {
		if err := take(100)(tx); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO taken (no, id, who) VALUES (101, 101, $1)", strings.Repeat("x", 1<<20))
		return err
	}
	errs := together(t, db, take(1), take(2), large, take(3), take(4))
	require.Equal(t, hospital.Unavailable, hospital.KindOf(errs[2]), "%v", errs[2])
	require.Equal(t, "disk_full", hospital.CodeOf(errs[2]))
	for i, err := range errs {
		if i != 2 {
			require.NoError(t, err)
		}
	}
	require.Equal(t, []int{1, 2, 3, 4}, numbers(t, db))
}

func TestAnyMixOfCommandsCommitsExactlyTheGoodOnes(t *testing.T) {
	t.Parallel()
	db := withTaken(liteT(t), func(c *sqldb.Config) { c.Group = 8 })
	next := 0
	rapid.Check(t, func(rt *rapid.T) {
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"ok", "two", "refuse early", "refuse late", "panic", "twice the same"}), 1, 40).Draw(rt, "kinds")
		before := len(numbers(t, db))
		want := 0
		var wg sync.WaitGroup
		for _, kind := range kinds {
			a := next
			next += 2
			switch kind {
			case "ok":
				want++
			case "two":
				want += 2
			}
			wg.Go(func() {
				defer func() { _ = recover() }()
				err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
					if kind == "refuse early" {
						return errors.New("refused")
					}
					if err := take(a)(tx); err != nil {
						return err
					}
					switch kind {
					case "two":
						return take(a + 1)(tx)
					case "refuse late":
						return errors.New("refused")
					case "twice the same":
						return take(a)(tx)
					case "panic":
						panic("boom")
					}
					return nil
				})
				if good := kind == "ok" || kind == "two"; good != (err == nil) {
					t.Errorf("%s: %v", kind, err)
				}
			})
		}
		wg.Wait()
		if got := len(numbers(t, db)) - before; got != want {
			rt.Fatalf("%d numbers stored, want %d", got, want)
		}
	})
}

func TestCommandsThatDeadlockAreRepeated(t *testing.T) {
	t.Parallel()
	pg := &sqltest.T{T: t, Engine: sqldb.PostgreSQL, Open: sqltest.On(t, sqldb.PostgreSQL)}
	db := withTaken(pg)
	require.NoError(t, db.Write(t.Context(), take(1)))
	require.NoError(t, db.Write(t.Context(), take(2)))
	who := func() (names []string) {
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) (err error) {
			names, err = sqldb.Collect(tx, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) }, "SELECT who FROM taken ORDER BY no")
			return err
		}))
		return names
	}
	before := who()
	var met sync.WaitGroup
	met.Add(2)
	var runs atomic.Int32
	cross := func(first, second int) func(*sqldb.Tx) error {
		var once sync.Once
		return func(tx *sqldb.Tx) error {
			runs.Add(1)
			var no int
			if err := tx.QueryRow("SELECT no FROM taken WHERE no = $1 FOR UPDATE", first).Scan(&no); err != nil {
				return err
			}
			once.Do(func() { met.Done(); met.Wait() }) // both hold their first row
			_, err := tx.Exec("UPDATE taken SET who = who || 'x' WHERE no = $1", second)
			return err
		}
	}
	var wg sync.WaitGroup
	for _, c := range []func(*sqldb.Tx) error{cross(1, 2), cross(2, 1)} {
		wg.Go(func() {
			if err := db.Write(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.GreaterOrEqual(t, runs.Load(), int32(3), "one of the two ran again; on a busy machine more than once")
	require.Equal(t, []string{before[0] + "x", before[1] + "x"}, who(), "and each took effect once")
}

// commitStatement is a COMMIT, not the READ COMMITTED of a BEGIN.
var commitStatement = regexp.MustCompile(`COMMIT\b`)

// proxy stands between us and PostgreSQL and cuts the wire at a COMMIT: before
// the server hears it, or after it has answered.
func proxy(t *testing.T, afterwards bool, armed *atomic.Bool) (dsn string) {
	t.Helper()
	real := sqltest.Postgres(t)
	cfg, err := pgx.ParseConfig(real)
	require.NoError(t, err)
	dir := t.TempDir()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, ".s.PGSQL.5432"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	network, address := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := (&net.Dialer{}).DialContext(t.Context(), network, address)
			if err != nil {
				_ = near.Close()
				return
			}
			go wire(near, far, afterwards, armed)
		}
	}()
	u, err := url.Parse(real)
	require.NoError(t, err)
	u.Host = ""
	u.RawQuery = url.Values{"host": {dir}, "sslmode": {"disable"}}.Encode()
	return u.String()
}

func wire(near, far net.Conn, afterwards bool, armed *atomic.Bool) {
	hangUp := func() { _ = near.Close(); _ = far.Close() }
	defer hangUp()
	var cut atomic.Bool
	go func() {
		defer hangUp()
		b := make([]byte, 64<<10)
		for {
			n, err := far.Read(b)
			if err != nil || cut.Load() { // the answer to the COMMIT is lost
				return
			}
			if _, err := near.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := near.Read(b)
		if err != nil {
			return
		}
		if commitStatement.Match(b[:n]) && armed.CompareAndSwap(true, false) {
			if !afterwards {
				return
			}
			cut.Store(true)
		}
		if _, err := far.Write(b[:n]); err != nil {
			return
		}
	}
}

func TestALostAnswerToACommitIsIndeterminate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		afterwards bool
		stored     []int
	}{
		"the server never heard it": {false, nil},
		"the server did it":         {true, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			dsn := proxy(t, test.afterwards, &armed)
			open := sqltest.On(t, sqldb.PostgreSQL)
			db := withTaken(&sqltest.T{T: t, Open: func(...func(*sqldb.Config)) *sqldb.DB {
				return open(func(c *sqldb.Config) { c.DSN = dsn })
			}})
			armed.Store(true)
			err := db.Write(t.Context(), take(1))
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "%v", err)
			require.Equal(t, test.stored, numbers(t, db), "the next command finds a fresh connection")
		})
	}
}

func TestAConnectionLostBeforeTheCommitIsUnavailable(t *testing.T) {
	t.Parallel()
	pg := &sqltest.T{T: t, Engine: sqldb.PostgreSQL, Open: sqltest.On(t, sqldb.PostgreSQL)}
	db := withTaken(pg)
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		if err := take(1)(tx); err != nil {
			return err
		}
		_, err := tx.Exec("SELECT pg_terminate_backend(pg_backend_pid())")
		return err
	})
	require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
	require.Empty(t, numbers(t, db))
}

// A process that froze or lost its network inside a command holds row locks:
// the server ends its session, and it learns that nothing was applied.
func TestACommandThatFallsSilentIsEndedByTheServer(t *testing.T) {
	t.Parallel()
	open := sqltest.On(t, sqldb.PostgreSQL)
	db := withTaken(&sqltest.T{T: t, Open: func(...func(*sqldb.Config)) *sqldb.DB {
		return open(func(c *sqldb.Config) { c.DSN = with(c.DSN, "idle_in_transaction_session_timeout=1000") })
	}})
	other := open()
	var limit string
	require.NoError(t, other.Read(t.Context(), func(tx *sqldb.Tx) error {
		return tx.QueryRow("SELECT current_setting('idle_in_transaction_session_timeout')").Scan(&limit)
	}))
	require.Equal(t, "1min", limit, "unless the operator says otherwise")
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		var pid int
		if err := tx.QueryRow("SELECT pg_backend_pid()").Scan(&pid); err != nil {
			return err
		}
		if err := take(1)(tx); err != nil {
			return err
		}
		require.Eventually(t, func() bool {
			here := true
			err := other.Read(t.Context(), func(tx *sqldb.Tx) error {
				return tx.QueryRow("SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = $1)", pid).Scan(&here)
			})
			return err == nil && !here
		}, 30*time.Second, 10*time.Millisecond)
		return take(2)(tx)
	})
	require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
	require.Empty(t, numbers(t, db))
}

func TestConnectionsThatDiedInThePoolAreReplaced(t *testing.T) {
	t.Parallel()
	pg := &sqltest.T{T: t, Engine: sqldb.PostgreSQL, Open: sqltest.On(t, sqldb.PostgreSQL)}
	db, admin := withTaken(pg), pg.Open()
	var pid int
	self := func(tx *sqldb.Tx) error { return tx.QueryRow("SELECT pg_backend_pid()").Scan(&pid) }
	require.NoError(t, db.Write(t.Context(), self))
	require.NoError(t, admin.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec("SELECT pg_terminate_backend($1, 5000)", pid)
		return err
	}))
	require.NoError(t, db.Write(t.Context(), take(1)))
}

func BenchmarkMergedCommits(b *testing.B) {
	perSecond := map[int]float64{}
	for _, group := range []int{1, 256} {
		b.Run(fmt.Sprintf("group=%d", group), func(b *testing.B) {
			db := sqltest.On(b, sqldb.SQLite)(func(c *sqldb.Config) { c.Group = group })
			require.NoError(b, db.Migrate(b.Context(), "taken", takenFS))
			var no atomic.Int64
			b.SetParallelism(32) // 64 callers on two cores
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := db.Write(b.Context(), take(int(no.Add(1)))); err != nil {
						b.Error(err)
					}
				}
			})
			perSecond[group] = float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(perSecond[group], "writes/s")
			if one := perSecond[1]; group > 1 && one > 0 {
				b.ReportMetric(perSecond[group]/one, "×one-by-one")
			}
		})
	}
}

func TestACommandReadsWhatWasCommittedBeforeItWhateverTheServerPrefers(t *testing.T) {
	t.Parallel()
	db := sqltest.On(t, sqldb.PostgreSQL)(func(c *sqldb.Config) {
		c.DSN = with(c.DSN, "default_transaction_isolation=serializable")
	})
	var level string
	require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
		return tx.QueryRow("SELECT current_setting('transaction_isolation')").Scan(&level)
	}))
	require.Equal(t, "read committed", level)
}
