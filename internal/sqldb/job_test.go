package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

func enqueue(tb testing.TB, db *sqldb.DB, jobs ...sqldb.Job) {
	tb.Helper()
	require.NoError(tb, db.Write(tb.Context(), func(tx *sqldb.Tx) error {
		for _, j := range jobs {
			if err := sqldb.Enqueue(tx, j); err != nil {
				return err
			}
		}
		return nil
	}))
}

func queue(tb testing.TB, cfg sqldb.JobsConfig) *sqldb.Jobs {
	tb.Helper()
	jobs, err := sqldb.NewJobs(cfg)
	require.NoError(tb, err)
	return jobs
}

func lease(tb testing.TB, jobs *sqldb.Jobs, d time.Duration) []sqldb.Leased {
	tb.Helper()
	leased, err := jobs.Lease(tb.Context(), []string{"send"}, 100, d)
	require.NoError(tb, err)
	return leased
}

func done(ctx context.Context, db *sqldb.DB, job sqldb.Leased) error {
	return db.Write(ctx, func(tx *sqldb.Tx) error { return sqldb.Done(tx, job) })
}

func TestASecondWishIsTheSameJob(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		jobs := queue(t, sqldb.JobsConfig{DB: db})
		enqueue(t, db, sqldb.Job{Kind: "send", Key: "k1", Payload: "first"})
		enqueue(t, db, sqldb.Job{Kind: "send", Key: "k1", Payload: "second"}, sqldb.Job{Kind: "other", Key: "k1"})
		leased := lease(t, jobs, time.Minute)
		require.Len(t, leased, 1)
		require.Equal(t, "first", leased[0].Payload)
		require.Equal(t, 1, leased[0].Attempt)
		require.Empty(t, lease(t, jobs, time.Minute), "it is taken")
		require.NoError(t, done(t.Context(), db, leased[0]))
		enqueue(t, db, sqldb.Job{Kind: "send", Key: "k1"})
		require.Len(t, lease(t, jobs, time.Minute), 1, "a done job's key is free")
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error { return sqldb.Enqueue(tx, sqldb.Job{Kind: "send"}) })
		require.Equal(t, hospital.Invalid, hospital.KindOf(err))
	})
}

func TestTheBacklogIsWhatIsDueAndNobodyDoes(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		now := time.Date(2026, 11, 23, 8, 0, 0, 0, hospital.CST)
		jobs := queue(t, sqldb.JobsConfig{DB: db, Now: func() time.Time { return now }})
		backlog := func() sqldb.Backlog {
			b, err := jobs.Backlog(t.Context())
			require.NoError(t, err)
			return b
		}
		require.Equal(t, sqldb.Backlog{}, backlog())
		enqueue(t, db, sqldb.Job{Kind: "send", Key: "k1", RunAt: now.Add(time.Minute)}, sqldb.Job{Kind: "send", Key: "k2", RunAt: now.Add(time.Hour)})
		require.Zero(t, backlog().Rows, "nothing is due yet")
		now = now.Add(2 * time.Hour)
		require.Equal(t, 2, backlog().Rows)
		require.True(t, backlog().Oldest.Equal(now.Add(-119*time.Minute)), "%v", backlog().Oldest)
		lease(t, jobs, time.Minute)
		require.Zero(t, backlog().Rows, "they are being done")
	})
}

func TestTheLastEventIsTheNewestThatAReaderSees(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		last, err := db.LastEvent(t.Context())
		require.NoError(t, err)
		require.Zero(t, last)
		require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
			return sqldb.AppendEvents(tx, []hospital.Event{{Kind: "appt.test", ID: "a"}, {Kind: "appt.test", ID: "b"}}, time.Now())
		}))
		events, err := db.Events(t.Context(), 0, 10)
		require.NoError(t, err)
		require.Len(t, events, 2)
		last, err = db.LastEvent(t.Context())
		require.NoError(t, err)
		require.Equal(t, events[1].Seq, last)
	})
}

func TestAPeriodicJobRunsOncePerKey(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		jobs := queue(t, sqldb.JobsConfig{DB: db})
		job := sqldb.Job{Kind: "send", Key: "reconcile/2026-11-21", Keep: true}
		enqueue(t, db, job)
		leased := lease(t, jobs, time.Minute)
		require.NoError(t, done(t.Context(), db, leased[0]))
		require.ErrorIs(t, done(t.Context(), db, leased[0]), sqldb.ErrLeaseLost, "done twice")
		enqueue(t, db, job)
		require.Empty(t, lease(t, jobs, time.Minute))
		n, err := jobs.Prune(t.Context(), time.Now().Add(time.Hour))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		enqueue(t, db, job)
		require.Len(t, lease(t, jobs, time.Minute), 1)
	})
}

func TestAWorkerThatLostItsJobIsFenced(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		jobs := queue(t, sqldb.JobsConfig{DB: db})
		enqueue(t, db, sqldb.Job{Kind: "send", Key: "k1"})
		slow := lease(t, jobs, 0)[0] // a lease that has ended already
		heir := lease(t, jobs, time.Minute)[0]
		require.Equal(t, 2, heir.Attempt)
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
			if err := take(1)(tx); err != nil {
				return err
			}
			return sqldb.Done(tx, slow)
		})
		require.ErrorIs(t, err, sqldb.ErrLeaseLost)
		require.Empty(t, numbers(t, db), "the late worker's effect is undone")
		require.ErrorIs(t, jobs.Retry(t.Context(), slow, errors.New("late")), sqldb.ErrLeaseLost)
		require.NoError(t, done(t.Context(), db, heir))
	})
}

func TestAFailedJobComesBackLaterAndLaterAndThenDies(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		now := time.Date(2026, 11, 23, 8, 0, 0, 0, hospital.CST)
		jobs := queue(t, sqldb.JobsConfig{DB: db, Now: func() time.Time { return now }})
		enqueue(t, db, sqldb.Job{Kind: "send", Key: "k1", RunAt: now.Add(time.Minute), MaxAttempts: 3})
		require.Empty(t, lease(t, jobs, time.Minute), "not yet due")
		next, err := jobs.NextRun(t.Context())
		require.NoError(t, err)
		require.Equal(t, now.Add(time.Minute), next)
		now = next
		for attempt := 1; attempt <= 3; attempt++ {
			l := lease(t, jobs, time.Minute)
			require.Len(t, l, 1, "attempt %d", attempt)
			require.Equal(t, attempt, l[0].Attempt)
			require.NoError(t, jobs.Retry(t.Context(), l[0], errors.New("no answer\x00\xff"+strings.Repeat("医", 600))))
			if attempt == 3 {
				break
			}
			next, err := jobs.NextRun(t.Context())
			require.NoError(t, err)
			require.GreaterOrEqual(t, next.Sub(now), time.Second<<(attempt-1))
			require.LessOrEqual(t, next.Sub(now), 2*time.Second<<(attempt-1))
			now = next
		}
		next, err = jobs.NextRun(t.Context())
		require.NoError(t, err)
		require.Zero(t, next)
		dead, err := jobs.Dead(t.Context())
		require.NoError(t, err)
		require.Len(t, dead, 1)
		require.Equal(t, 3, dead[0].Attempts)
		require.LessOrEqual(t, len(dead[0].LastError), 500)
		require.Contains(t, dead[0].LastError, "no answer")

		by := hospital.AuditEntry{At: now, Actor: hospital.Actor{Kind: hospital.ActorStaff, ID: "1024", Entry: "staff"}, Action: "job.revive", Outcome: "ok"}
		require.NoError(t, jobs.Revive(t.Context(), dead[0].ID, by))
		require.Equal(t, hospital.NotFound, hospital.KindOf(jobs.Revive(t.Context(), dead[0].ID, by)))
		l := lease(t, jobs, time.Minute)
		require.Len(t, l, 1)
		require.Equal(t, 1, l[0].Attempt)
		require.NoError(t, jobs.Retry(t.Context(), l[0], &hospital.Error{Kind: hospital.Rejected, Code: "NO"}))
		dead, err = jobs.Dead(t.Context())
		require.NoError(t, err)
		require.Len(t, dead, 1, "what is refused for good is not tried again")
	})
}

func TestAJobThatKillsItsWorkersDies(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		jobs := queue(t, sqldb.JobsConfig{DB: db})
		enqueue(t, db, sqldb.Job{Kind: "send", Key: "k1", MaxAttempts: 2})
		require.Len(t, lease(t, jobs, 0), 1)
		require.Len(t, lease(t, jobs, 0), 1)
		require.Empty(t, lease(t, jobs, 0))
		dead, err := jobs.Dead(t.Context())
		require.NoError(t, err)
		require.Len(t, dead, 1)
		require.Contains(t, dead[0].LastError, "vanished")
	})
}

func TestBackoffIsBounded(t *testing.T) {
	t.Parallel()
	for _, attempt := range []int{0, 1, 2, 13, 14, 40, 1 << 30} {
		wait := sqldb.Backoff(attempt)
		require.GreaterOrEqual(t, wait, time.Second)
		require.LessOrEqual(t, wait, 6*time.Hour)
	}
}

func TestManyWorkersDoEachJobOnce(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		var all []sqldb.Job
		for i := range 200 {
			all = append(all, sqldb.Job{Kind: "send", Key: fmt.Sprint(i), Payload: fmt.Sprint(i)})
		}
		enqueue(t, db, all...)
		handler := func(_ context.Context, job sqldb.Leased) (func(*sqldb.Tx) error, error) {
			var no int
			_, err := fmt.Sscan(job.Payload, &no)
			return take(no), err // a second time would violate taken_no
		}
		var wg sync.WaitGroup
		for range 4 {
			jobs := queue(t, sqldb.JobsConfig{DB: db, Workers: 8, Handlers: map[string]sqldb.Handler{"send": handler}})
			wg.Go(func() {
				if _, err := jobs.Advance(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Len(t, numbers(t, db), 200)
		dead, err := queue(t, sqldb.JobsConfig{DB: db}).Dead(t.Context())
		require.NoError(t, err)
		require.Empty(t, dead)
	})
}

func TestAdvanceKeepsFailuresApart(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		enqueue(t, db,
			sqldb.Job{Kind: "good", Key: "1"}, sqldb.Job{Kind: "panics", Key: "1"}, sqldb.Job{Kind: "fails", Key: "1"},
			sqldb.Job{Kind: "effect fails", Key: "1"}, sqldb.Job{Kind: "nobody's", Key: "1"})
		var deadline time.Duration
		jobs := queue(t, sqldb.JobsConfig{DB: db, Lease: time.Minute, Handlers: map[string]sqldb.Handler{
			"good": func(ctx context.Context, _ sqldb.Leased) (func(*sqldb.Tx) error, error) {
				at, _ := ctx.Deadline()
				deadline = time.Until(at)
				return take(1), nil
			},
			"panics": func(context.Context, sqldb.Leased) (func(*sqldb.Tx) error, error) { panic("boom") },
			"fails": func(context.Context, sqldb.Leased) (func(*sqldb.Tx) error, error) {
				return nil, &hospital.Error{Kind: hospital.Unavailable}
			},
			"effect fails": func(context.Context, sqldb.Leased) (func(*sqldb.Tx) error, error) {
				return func(tx *sqldb.Tx) error {
					return errors.Join(take(2)(tx), errors.New("no"))
				}, nil
			},
		}})
		next, err := jobs.Advance(t.Context())
		require.NoError(t, err)
		require.False(t, next.IsZero())
		require.Equal(t, []int{1}, numbers(t, db))
		require.LessOrEqual(t, deadline, 30*time.Second, "half the lease")
		var left []string
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error {
			var err error
			left, err = sqldb.Collect(tx, func(rows *sql.Rows) (kind string, err error) {
				err = rows.Scan(&kind)
				return kind, err
			}, "SELECT kind FROM jobs WHERE state = 'ready' ORDER BY kind")
			return err
		}))
		require.Equal(t, []string{"effect fails", "fails", "nobody's", "panics"}, left)
	})
}

func TestAWorkerDoesNotWaitForKindsItCannotDo(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		jobs := queue(t, sqldb.JobsConfig{DB: db, Handlers: map[string]sqldb.Handler{
			"mine": func(context.Context, sqldb.Leased) (func(*sqldb.Tx) error, error) { return nil, nil },
		}})
		enqueue(t, db, sqldb.Job{Kind: "another's", Key: "1"}) // due now: who came back for it would turn in circles
		next, err := jobs.Advance(t.Context())
		require.NoError(t, err)
		require.Zero(t, next)
		later := time.Now().Add(time.Hour).Truncate(time.Millisecond)
		enqueue(t, db, sqldb.Job{Kind: "mine", Key: "1", RunAt: later})
		next, err = jobs.Advance(t.Context())
		require.NoError(t, err)
		require.True(t, later.Equal(next), "%v", next)
	})
}

func TestAnEffectThatPanicsFailsItsJobAlone(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		effects := map[string]func(*sqldb.Tx) error{
			"good": take(1),
			"bad": func(tx *sqldb.Tx) error {
				if err := take(2)(tx); err != nil {
					return err
				}
				panic("Zhang San, 13812345678")
			},
		}
		jobs := queue(t, sqldb.JobsConfig{DB: db, Handlers: map[string]sqldb.Handler{
			"k": func(_ context.Context, job sqldb.Leased) (func(*sqldb.Tx) error, error) { return effects[job.Key], nil },
		}})
		enqueue(t, db, sqldb.Job{Kind: "k", Key: "good"}, sqldb.Job{Kind: "k", Key: "bad", MaxAttempts: 1})
		_, err := jobs.Advance(t.Context())
		require.NoError(t, err)
		require.Equal(t, []int{1}, numbers(t, db))
		dead, err := jobs.Dead(t.Context())
		require.NoError(t, err)
		require.Len(t, dead, 1)
		require.Equal(t, "bad", dead[0].Key)
		require.Contains(t, dead[0].LastError, "handler_panicked")
		require.NotContains(t, dead[0].LastError, "Zhang")
	})
}

func TestAWorkerIsWokenByACommit(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string)
		jobs := queue(t, sqldb.JobsConfig{DB: db, Handlers: map[string]sqldb.Handler{
			"send": func(ctx context.Context, job sqldb.Leased) (func(*sqldb.Tx) error, error) {
				select {
				case got <- job.Key:
				case <-ctx.Done():
				}
				return nil, nil
			},
		}})
		ended := make(chan error, 1)
		go func() { ended <- jobs.Run(ctx) }()
		var seen []string
		for i := range 3 {
			enqueue(t, db, sqldb.Job{Kind: "send", Key: fmt.Sprint(i)})
			seen = append(seen, <-got)
		}
		slices.Sort(seen)
		require.Equal(t, []string{"0", "1", "2"}, seen)
		cancel()
		require.NoError(t, <-ended)
	})
}

func BenchmarkJobs(b *testing.B) {
	for _, engine := range []sqldb.Engine{sqldb.SQLite, sqldb.PostgreSQL} {
		b.Run(engine.String(), func(b *testing.B) {
			db := sqltest.On(b, engine)(func(c *sqldb.Config) { c.Pool = 0 })
			require.NoError(b, db.Write(b.Context(), func(tx *sqldb.Tx) error {
				for i := range b.N {
					if err := sqldb.Enqueue(tx, sqldb.Job{Kind: "send", Key: fmt.Sprint(i)}); err != nil {
						return err
					}
				}
				return nil
			}))
			jobs := queue(b, sqldb.JobsConfig{DB: db, Workers: 256, Handlers: map[string]sqldb.Handler{
				"send": func(context.Context, sqldb.Leased) (func(*sqldb.Tx) error, error) { return nil, nil },
			}})
			b.ResetTimer()
			_, err := jobs.Advance(b.Context())
			require.NoError(b, err)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
