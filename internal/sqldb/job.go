package sqldb

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// Job is something that must still be done, written in the same commit as the
// state that asks for it.
type Job struct {
	Kind    string    // who does it: "message.send"
	Key     string    // unique within the kind: the same key is the same job, "reconcile/2026-11-21"
	Payload string    // for the handler; no personal data
	RunAt   time.Time // not before; the zero time is now
	// MaxAttempts is after how many attempts a person must look. Default 12,
	// which with the back-off is about a day.
	MaxAttempts int
	// Keep leaves a trace when the job is done, so that its key is never used
	// again: for periodic work. Without it a done job is deleted.
	Keep bool
}

// Leased is a job that this worker holds until the lease ends. Attempt counts
// from 1. Fence grows with every lease: whoever holds an older one has lost
// the job.
type Leased struct {
	ID          int64
	Kind        string
	Key         string
	Payload     string
	RunAt       time.Time
	Attempt     int
	MaxAttempts int
	Until       time.Time // on the database's clock
	Fence       int64
}

// DeadJob is a job that was given up and waits for a person.
type DeadJob struct {
	ID        int64
	Kind      string
	Key       string
	Payload   string
	Attempts  int
	LastError string
	DiedAt    time.Time
}

// ErrLeaseLost is returned to a worker whose job another one has taken over.
var ErrLeaseLost = &hospital.Error{Kind: hospital.Conflict, Op: "sqldb.Jobs", Code: "lease_lost"}

const (
	defaultMaxAttempts = 12
	// firstRetry doubles with every attempt up to longestRetry.
	firstRetry   = 2 * time.Second
	longestRetry = 6 * time.Hour
	// maxLastError keeps a remote's long words from filling the table.
	maxLastError = 500
	// maxDead bounds the list of dead jobs a person is shown.
	maxDead = 1000
	// maxLease bounds how many jobs one lease takes.
	maxLease = 1000
)

// Enqueue writes the job. A job of the same kind and key that is waiting, kept
// or dead stays as it is: the second wish is the first.
func Enqueue(tx *Tx, job Job) error {
	if job.Kind == "" || job.Key == "" {
		return &hospital.Error{Kind: hospital.Invalid, Op: "sqldb.Enqueue", Code: "bad_job", Detail: "kind and key are required"}
	}
	if job.MaxAttempts == 0 {
		job.MaxAttempts = defaultMaxAttempts
	}
	keep := 0
	if job.Keep {
		keep = 1
	}
	n, err := tx.Exec(`INSERT INTO jobs (kind, key, payload, keep, run_at, max_attempts, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (kind, key) DO NOTHING`,
		job.Kind, job.Key, job.Payload, keep, Millis(job.RunAt), job.MaxAttempts, time.Now().UnixMilli())
	if err == nil && n > 0 {
		tx.OnCommit(tx.db.jobHint.poke)
	}
	return err
}

// Done ends the job in the same command as its effect. It returns
// [ErrLeaseLost], and so undoes the effect, when the job is no longer this
// worker's.
func Done(tx *Tx, job Leased) error {
	n, err := tx.Exec("DELETE FROM jobs WHERE id = $1 AND fence = $2 AND state = 'ready' AND keep = 0", job.ID, job.Fence)
	if err != nil || n > 0 {
		return err
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	n, err = tx.Exec(`UPDATE jobs SET state = 'done', lease_until = 0, last_error = '', ended_at = $3
		WHERE id = $1 AND fence = $2 AND state = 'ready'`, job.ID, job.Fence, now)
	if err == nil && n == 0 {
		return ErrLeaseLost
	}
	return err
}

// JobsConfig says how a worker works.
type JobsConfig struct {
	DB *DB
	// Now is the clock that RunAt is compared with, for work that is due in
	// business time. Default: the database's clock. Leases always use the
	// database's.
	Now func() time.Time
	// Handlers do the work, by kind. Needed for Advance and Run only.
	Handlers map[string]Handler
	// Workers is how many jobs run at once. Default 16.
	Workers int
	// Lease is how long a job belongs to a worker; a handler's context ends
	// after half of it, so that no call is under way when another takes over.
	// Default 60 s.
	Lease time.Duration
}

// Handler does one job. What it did outside must be idempotent by the job's
// key; what it wants to store it returns as a function that runs in the same
// commit as the end of the job, nil for nothing. An error means again later;
// Invalid and Rejected mean never, so a person must look.
type Handler func(ctx context.Context, job Leased) (effect func(*Tx) error, err error)

// Jobs is the queue as a worker sees it. Make it with [NewJobs].
type Jobs struct{ cfg JobsConfig }

// NewJobs returns the queue. It is Invalid without a DB.
func NewJobs(cfg JobsConfig) (*Jobs, error) {
	if cfg.DB == nil || cfg.Workers < 0 || cfg.Lease < 0 {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "sqldb.NewJobs", Code: "bad_config", Detail: "DB is required; Workers and Lease are not negative"}
	}
	if cfg.Workers == 0 {
		cfg.Workers = 16
	}
	if cfg.Lease == 0 {
		cfg.Lease = time.Minute
	}
	return &Jobs{cfg: cfg}, nil
}

// due returns the time that RunAt is compared with.
func (j *Jobs) due(now int64) int64 {
	if j.cfg.Now != nil {
		return j.cfg.Now().UnixMilli()
	}
	return now
}

const leasedColumns = "id, kind, key, payload, run_at, attempts, max_attempts, lease_until, fence"

func scanLeased(rows *sql.Rows) (Leased, error) {
	var l Leased
	var runAt, until int64
	err := rows.Scan(&l.ID, &l.Kind, &l.Key, &l.Payload, &runAt, &l.Attempt, &l.MaxAttempts, &until, &l.Fence)
	l.RunAt, l.Until = Instant(runAt), Instant(until)
	return l, err
}

// Lease takes up to n due jobs of the kinds for d and counts the attempt. A
// job whose worker vanished comes back when its lease has ended; when that was
// its last attempt, it is dead.
func (j *Jobs) Lease(ctx context.Context, kinds []string, n int, d time.Duration) ([]Leased, error) {
	if len(kinds) == 0 || n <= 0 {
		return nil, nil
	}
	skip := ""
	if j.cfg.DB.engine == PostgreSQL {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	var leased []Leased
	err := j.cfg.DB.Write(ctx, func(tx *Tx) error {
		leased = nil
		now, err := tx.Now()
		if err != nil {
			return err
		}
		args := []any{j.due(now), now, min(n, maxLease), now + d.Milliseconds()}
		in := placeholders(&args, kinds)
		all, err := Collect(tx, scanLeased, `UPDATE jobs SET lease_until = $4, fence = fence + 1, attempts = attempts + 1
			WHERE id IN (SELECT id FROM jobs WHERE state = 'ready' AND run_at <= $1 AND lease_until <= $2 AND kind IN (`+in+`)
				ORDER BY run_at, id LIMIT $3`+skip+`) RETURNING `+leasedColumns, args...)
		if err != nil {
			return err
		}
		for _, l := range all {
			if l.Attempt <= l.MaxAttempts {
				leased = append(leased, l)
				continue
			}
			if err := bury(tx, l, "the worker vanished during the last attempt", now); err != nil {
				return err
			}
		}
		return nil
	})
	return leased, err
}

// placeholders appends the values to args and returns their placeholders.
func placeholders(args *[]any, values []string) string {
	var b strings.Builder
	for i, v := range values {
		*args = append(*args, v)
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(len(*args)))
	}
	return b.String()
}

func bury(tx *Tx, job Leased, why string, now int64) error {
	n, err := tx.Exec(`UPDATE jobs SET state = 'dead', lease_until = 0, last_error = $3, ended_at = $4
		WHERE id = $1 AND fence = $2 AND state = 'ready'`, job.ID, job.Fence, why, now)
	if err == nil && n == 0 {
		return ErrLeaseLost
	}
	return err
}

// Retry gives the job back after a failure. It runs again later, each time
// twice as late, or is dead after its last attempt and when cause is Invalid
// or Rejected. It returns [ErrLeaseLost] when the job is no longer this
// worker's.
func (j *Jobs) Retry(ctx context.Context, job Leased, cause error) error {
	why := reason(cause)
	kind := hospital.KindOf(cause)
	return j.cfg.DB.Write(ctx, func(tx *Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if job.Attempt >= job.MaxAttempts || cause != nil && (kind == hospital.Invalid || kind == hospital.Rejected) {
			return bury(tx, job, why, now)
		}
		n, err := tx.Exec(`UPDATE jobs SET lease_until = 0, last_error = $3, run_at = $4
			WHERE id = $1 AND fence = $2 AND state = 'ready'`, job.ID, job.Fence, why, j.due(now)+backoff(job.Attempt).Milliseconds())
		if err == nil && n == 0 {
			return ErrLeaseLost
		}
		return err
	})
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	why := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", ""), "�")
	for len(why) > maxLastError {
		_, size := utf8.DecodeLastRuneInString(why)
		why = why[:len(why)-size]
	}
	return why
}

// backoff returns the wait after the attempt: 2 s, 4 s, 8 s … 6 h, each
// shortened by up to a half, so that jobs which failed together do not return
// together.
func backoff(attempt int) time.Duration {
	wait := longestRetry
	if attempt < 14 { // 2 s << 13 is 4.5 h
		wait = min(firstRetry<<max(0, attempt-1), longestRetry)
	}
	return wait/2 + time.Duration(rand.Int64N(int64(wait/2)+1)) //nolint:gosec // jitter, no secret
}

// Dead lists the jobs that were given up, the latest first, at most 1000.
func (j *Jobs) Dead(ctx context.Context) ([]DeadJob, error) {
	var dead []DeadJob
	err := j.cfg.DB.Read(ctx, func(tx *Tx) (err error) {
		dead, err = Collect(tx, func(rows *sql.Rows) (DeadJob, error) {
			var d DeadJob
			var at int64
			err := rows.Scan(&d.ID, &d.Kind, &d.Key, &d.Payload, &d.Attempts, &d.LastError, &at)
			d.DiedAt = Instant(at)
			return d, err
		}, `SELECT id, kind, key, payload, attempts, last_error, ended_at FROM jobs
			WHERE state = 'dead' ORDER BY ended_at DESC, id DESC LIMIT $1`, maxDead)
		return err
	})
	return dead, err
}

// Revive gives a dead job a fresh set of attempts, due now, and writes who
// did it into the audit trail. It is NotFound when the job is not dead.
func (j *Jobs) Revive(ctx context.Context, id int64, by hospital.AuditEntry) error {
	return j.cfg.DB.Write(ctx, func(tx *Tx) error {
		n, err := tx.Exec(`UPDATE jobs SET state = 'ready', attempts = 0, run_at = 0, lease_until = 0, ended_at = 0
			WHERE id = $1 AND state = 'dead'`, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return &hospital.Error{Kind: hospital.NotFound, Op: "sqldb.Revive", Code: "no_dead_job"}
		}
		tx.OnCommit(j.cfg.DB.jobHint.poke)
		return AppendAudit(tx, by)
	})
}

// Prune forgets the kept jobs that were done before the instant and returns
// how many. Their keys can be used again.
func (j *Jobs) Prune(ctx context.Context, before time.Time) (n int64, err error) {
	err = j.cfg.DB.Write(ctx, func(tx *Tx) (err error) {
		n, err = tx.Exec("DELETE FROM jobs WHERE state = 'done' AND ended_at < $1", Millis(before))
		return err
	})
	return n, err
}

// Backlog counts the jobs that are due and that no worker holds.
func (j *Jobs) Backlog(ctx context.Context) (b Backlog, err error) {
	var now int64
	err = j.cfg.DB.Read(ctx, func(tx *Tx) (err error) { now, err = tx.Now(); return err })
	if err != nil {
		return b, err
	}
	return j.cfg.DB.ReadBacklog(ctx, "SELECT run_at AS at FROM jobs WHERE state = 'ready' AND run_at <= $1 AND lease_until <= $2 ORDER BY run_at", j.due(now), now)
}

// NextRun returns when the next job of the kinds, or of any when none is named,
// is due, the zero time when none waits. A job that is due already yields a
// time in the past.
func (j *Jobs) NextRun(ctx context.Context, kinds ...string) (next time.Time, err error) {
	err = j.cfg.DB.Read(ctx, func(tx *Tx) error {
		var at sql.NullInt64
		var args []any
		query := "SELECT min(CASE WHEN lease_until > run_at THEN lease_until ELSE run_at END) FROM jobs WHERE state = 'ready'"
		if len(kinds) > 0 {
			query += " AND kind IN (" + placeholders(&args, kinds) + ")"
		}
		err := tx.QueryRow(query, args...).Scan(&at)
		next = time.Time{}
		if at.Valid {
			next = time.UnixMilli(at.Int64).In(hospital.CST)
		}
		return err
	})
	return next, err
}
