package promise_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/payment/paymentsql"
)

const (
	// crashAtOnce is how many worlds are tried side by side. A child mostly waits
	// for the disk.
	crashAtOnce = 4
	// crashPatience is how long a child may live, on a machine that is busy.
	crashPatience = 2 * time.Minute
	// crashSample is how many kills a short or instrumented run makes, crashTries
	// how many for each recovery step.
	crashSample, crashTries = 24, 3
	// crashEvery is of how many moments one is followed by a second kill, at one
	// of the recovery's first crashDepth steps.
	crashEvery, crashDepth = 4, 17
	// crashLeastPoints is how many named steps there must be at least.
	crashLeastPoints = 16
	// crashLeastShown is how many recovery steps must be seen to be needed.
	crashLeastShown = 8
)

// crashPoint is a place to die at.
type crashPoint struct {
	scenario string
	at       string // "his.Confirm after #1"
}

func (p crashPoint) String() string { return p.scenario + ": " + p.at }

// name is the step without its count.
func (p crashPoint) name() string {
	name, _, _ := strings.Cut(p.at, " #")
	return name
}

// crashBench makes worlds on one engine.
type crashBench struct {
	testing.TB

	empty func(context.Context) (crashBase, error) // lends an empty database
	far   func(testing.TB, hospital.VisitKind) (crashWorld, error)
	kills atomic.Int64
}

// crashBase is an empty database that was lent.
type crashBase struct {
	dsn, schema string
	done        func() // gives it back
}

// crashEngines are the benches by engine.
var crashEngines = map[sqldb.Engine]func(testing.TB) *crashBench{
	sqldb.SQLite: crashOnSQLite, sqldb.PostgreSQL: crashOnPostgreSQL,
}

// migrate brings a database up to date, so that a child finds it as a server
// that restarts does.
func (b *crashBench) migrate(db *sqldb.DB) {
	b.Helper()
	_, err := bookingsql.New(b.Context(), db)
	require.NoError(b, err)
	_, err = paymentsql.New(b.Context(), db)
	require.NoError(b, err)
}

func crashOnSQLite(tb testing.TB) *crashBench {
	tb.Helper()
	b := &crashBench{TB: tb, far: newCrashFar}
	folder := tb.TempDir()
	model := filepath.Join(folder, "model.db")
	db, err := sqldb.Open(tb.Context(), sqldb.Config{DSN: model, PseudonymKey: []byte(sqltest.PseudonymKey)})
	require.NoError(tb, err)
	b.migrate(db)
	require.NoError(tb, db.Close())
	body, err := os.ReadFile(model)
	require.NoError(tb, err)
	var n atomic.Int64
	b.empty = func(context.Context) (crashBase, error) {
		path := filepath.Join(folder, fmt.Sprintf("hospital-%d.db", n.Add(1)))
		return crashBase{dsn: path, done: func() {
			files, _ := filepath.Glob(path + "*") // a constant pattern
			for _, f := range files {
				_ = os.Remove(f) // the folder goes with the test
			}
		}}, os.WriteFile(path, body, 0o600)
	}
	return b
}

func crashOnPostgreSQL(tb testing.TB) *crashBench {
	tb.Helper()
	b := &crashBench{TB: tb, far: newCrashFar}
	free := make(chan sqldb.Config, crashAtOnce)
	for range crashAtOnce {
		db := sqltest.On(tb, sqldb.PostgreSQL)(func(c *sqldb.Config) { free <- *c })
		b.migrate(db)
	}
	pool, err := sql.Open("pgx", sqltest.Postgres(tb))
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, pool.Close()) })
	b.empty = func(ctx context.Context) (crashBase, error) {
		cfg := <-free
		base := crashBase{cfg.DSN, cfg.Schema, func() { free <- cfg }}
		if err := crashClear(ctx, pool, cfg.Schema); err != nil {
			base.done()
			return crashBase{}, err
		}
		return base, nil
	}
	return b
}

// crashClear empties the tables that orders are in.
func crashClear(ctx context.Context, pool *sql.DB, schema string) error {
	rows, err := pool.QueryContext(ctx, `SELECT table_name FROM information_schema.tables
		WHERE table_schema = $1 AND (table_name LIKE 'pay\_%' OR table_name LIKE 'booking\_%')`, schema)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err below reports what went wrong
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return err
		}
		tables = append(tables, schema+"."+table)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, "TRUNCATE "+strings.Join(tables, ", "))
	return err
}

// crashFate is what happens to the order of one world.
type crashFate struct {
	crashPoint

	again  int    // the recovery is killed too, at this step of it; 0 for not
	mutant string // the recovery step that is switched off; "" for none
}

// try plays a scenario in a world of its own, up to the point where the process
// is killed and through the recovery. It returns what is broken in the end.
func (b *crashBench) try(ctx context.Context, f crashFate) (broken []string, err error) {
	s := crashScenarios()[f.scenario]
	far, orders, done, err := b.world(ctx, f.scenario)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	orders.KillAt = f.at
	life, err := crashLive(ctx, orders)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.crashPoint, err)
	}
	acks := life.acks
	orders.Scenario, orders.KillAt, orders.KillNo, orders.Mutant = "", "", f.again, f.mutant
	for life.killed {
		b.kills.Add(1)
		if err := far.whileDead(s, acks); err != nil {
			return nil, fmt.Errorf("%s, while dead: %w", f.crashPoint, err)
		}
		there, err := far.orders()
		if err != nil {
			return nil, err
		}
		orders.Now = there.Now
		life, err = crashLive(ctx, orders)
		orders.KillNo = 0
		switch {
		case err != nil && f.mutant != "":
			return []string{"the recovery fails: " + err.Error()}, nil
		case err != nil:
			return nil, fmt.Errorf("%s, recovery: %w", f.crashPoint, err)
		}
		acks = append(acks, life.acks...)
	}
	books, err := far.books()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.crashPoint, err)
	}
	return crashJudge(orders.Wish, books, acks, *life.report), nil
}

// world makes a world for a scenario and the orders of the child that lives in it.
func (b *crashBench) world(ctx context.Context, scenario string) (crashWorld, crashOrders, func() error, error) {
	far, err := b.far(b, crashScenarios()[scenario].kind)
	if err != nil {
		return nil, crashOrders{}, nil, err
	}
	orders, err := far.orders()
	if err != nil {
		return nil, crashOrders{}, nil, errors.Join(err, far.close())
	}
	base, err := b.empty(ctx)
	if err != nil {
		return nil, crashOrders{}, nil, errors.Join(err, far.close())
	}
	orders.DSN, orders.Schema, orders.Scenario = base.dsn, base.schema, scenario
	done := func() error {
		base.done()
		return far.close()
	}
	return far, orders, done, nil
}

// dry plays a scenario whole and returns the steps that pass.
func (b *crashBench) dry(ctx context.Context, scenario string) (points []crashPoint, err error) {
	far, orders, done, err := b.world(ctx, scenario)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	life, err := crashLive(ctx, orders)
	if err != nil {
		return nil, err
	}
	for _, at := range life.points {
		points = append(points, crashPoint{scenario, at})
	}
	books, err := far.books()
	if err != nil {
		return nil, err
	}
	problems := crashJudge(orders.Wish, books, life.acks, *life.report)
	if off := crashScenarios()[scenario].expect(*life.report); off != "" {
		problems = append(problems, off)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s, without a kill: %s", scenario, strings.Join(problems, "; "))
	}
	return points, nil
}

// points collects the steps of all scenarios.
func (b *crashBench) points() []crashPoint {
	b.Helper()
	scenarios := slices.Sorted(maps.Keys(crashScenarios()))
	found := make([][]crashPoint, len(scenarios))
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(crashAtOnce)
	for i, scenario := range scenarios {
		group.Go(func() (err error) {
			found[i], err = b.dry(ctx, scenario)
			return err
		})
	}
	require.NoError(b, group.Wait())
	return slices.Concat(found...)
}

// crashNames are the steps by name, each once.
func crashNames(points []crashPoint) []string {
	names := map[string]bool{}
	for _, p := range points {
		names[p.name()] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// each tries every fate, a few at once.
func (b *crashBench) each(fates []crashFate) {
	b.Helper()
	began := time.Now()
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(crashAtOnce)
	for _, f := range fates {
		group.Go(func() error {
			broken, err := b.try(ctx, f)
			if len(broken) > 0 {
				b.Errorf("killed at %s (again at %d)\n  %s", f.crashPoint, f.again, strings.Join(broken, "\n  "))
			}
			return err
		})
	}
	require.NoError(b, group.Wait())
	b.Logf("%d orders, %d kills, recovered in %s", len(fates), b.kills.Load(), time.Since(began).Round(time.Second))
}

func TestEveryStepOfTheSagaSurvivesAKill(t *testing.T) {
	t.Parallel()
	for engine, bench := range crashEngines {
		t.Run(engine.String(), func(t *testing.T) {
			t.Parallel()
			b := bench(t)
			points := b.points()
			names := crashNames(points)
			t.Logf("%d named steps in %d scenarios, %d moments in all:\n  %s",
				len(names), len(crashScenarios()), len(points), strings.Join(names, "\n  "))
			require.GreaterOrEqual(t, len(names), crashLeastPoints)
			b.each(b.sample(points, func(int) int { return 0 }))
		})
	}
}

func TestARecoveryThatIsKilledIsRecovered(t *testing.T) {
	t.Parallel()
	for engine, bench := range crashEngines {
		t.Run(engine.String(), func(t *testing.T) {
			t.Parallel()
			b := bench(t)
			points := b.points()
			b.each(b.sample(crashSpread(points, len(points)/crashEvery), func(i int) int { return 1 + i%crashDepth }))
		})
	}
}

// sample is the fates of this run: one for each point, fewer in a short run and
// under the race detector, where a child is ten times slower.
func (b *crashBench) sample(points []crashPoint, again func(i int) int) []crashFate {
	b.Helper()
	if crashBounded() {
		all := len(points)
		points = crashSpread(points, crashSample)
		b.Logf("a bounded run: %d of %d moments", len(points), all)
	}
	fates := make([]crashFate, len(points))
	for i, p := range points {
		fates[i] = crashFate{crashPoint: p, again: again(i)}
	}
	return fates
}

// crashBounded reports whether this run makes a sample of the kills only.
func crashBounded() bool { return testing.Short() || raceDetector }

// crashSpread takes n of the points, evenly.
func crashSpread(points []crashPoint, n int) []crashPoint {
	n = min(n, len(points))
	sample := make([]crashPoint, n)
	for i := range sample {
		sample[i] = points[i*len(points)/n]
	}
	return sample
}
