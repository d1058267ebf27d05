package watch

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// The events.
const (
	BillCreated   = "bill.created"
	RecordUpdated = "patient.info_updated"
)

const (
	defaultEvery = 5 * time.Minute
	defaultIdle  = 24 * time.Hour
	reader       = "watch" // our place in the event stream
	batch        = 200     // events a commit
	jobLook      = "watch.look"
	// attempts bounds only what our own store refuses: what the HIS says is no
	// error of the job.
	attempts = 1000
)

// Bindings says who holds whom; *bookingsql.Store satisfies it.
type Bindings interface {
	Handover(ctx context.Context, id string) (booking.Handover, error)
	// Holder returns who holds the patient; NotFound for nobody.
	Holder(ctx context.Context, patient hospital.PatientID) (hospital.UserID, error)
	List(ctx context.Context, query booking.Query) ([]booking.Appointment, error)
}

// Config of a Watcher.
type Config struct {
	DB       *sqldb.DB    // required
	Bindings Bindings     // required
	Patients his.Patients // required
	Billing  his.Billing  // nil: no bills
	// Every is how often the HIS is asked about a patient on the day of a visit
	// and of the binding. Default 5 minutes.
	Every time.Duration
	// Idle is how often on other days. Default 24 hours.
	Idle   time.Duration
	Now    func() time.Time // the business clock; required
	Wall   func() time.Time // by which it is asked; required
	Logger *slog.Logger     // required
}

// Watcher asks. It is safe for concurrent use, also by several processes on one
// database.
type Watcher struct {
	cfg  Config
	key  []byte // of the digests
	jobs *sqldb.Jobs
}

//go:embed migrations
var migrations embed.FS

// New checks the configuration and brings the tables up to date.
func New(ctx context.Context, cfg Config) (*Watcher, error) {
	if cfg.DB == nil || cfg.Bindings == nil || cfg.Patients == nil || cfg.Now == nil || cfg.Wall == nil || cfg.Logger == nil || cfg.Every < 0 || cfg.Idle < 0 {
		return nil, &hospital.Error{
			Kind: hospital.Invalid, Op: "watch.New", Code: "bad_config",
			Detail: "DB, Bindings, Patients, Now, Wall and Logger are required; Every and Idle are not negative",
		}
	}
	if cfg.Every == 0 {
		cfg.Every = defaultEvery
	}
	if cfg.Idle == 0 {
		cfg.Idle = defaultIdle
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "watch.New", Err: err}
	}
	if err := cfg.DB.Migrate(ctx, "watch", files); err != nil {
		return nil, err
	}
	w := &Watcher{cfg: cfg}
	if w.key, err = cfg.DB.DeriveKey("refserver/watch"); err != nil {
		return nil, err
	}
	w.jobs, err = sqldb.NewJobs(sqldb.JobsConfig{DB: cfg.DB, Now: cfg.Wall, Handlers: map[string]sqldb.Handler{jobLook: w.look}})
	return w, err
}

// Advance takes up who was bound and asks about whom it is time to. It returns
// when somebody is due next, the zero time for nobody.
func (w *Watcher) Advance(ctx context.Context) (time.Time, error) {
	if err := w.follow(ctx); err != nil {
		return time.Time{}, err
	}
	return w.jobs.Advance(ctx)
}

// Run calls Advance until ctx is done, and then returns nil.
func (w *Watcher) Run(ctx context.Context) error { return w.cfg.DB.Work(ctx, w.Advance) }

// Patient returns whom an event of ours is about: object is a bill, or the row
// of a record. NotFound.
func (w *Watcher) Patient(ctx context.Context, kind, object string) (hospital.PatientID, error) {
	query := "SELECT patient FROM watch_patients WHERE id = $1"
	if kind == BillCreated {
		query = "SELECT patient FROM watch_bills WHERE bill = $1"
	}
	var patient string
	err := w.cfg.DB.Read(ctx, func(tx *sqldb.Tx) error { return tx.QueryRow(query, object).Scan(&patient) })
	if errors.Is(err, sql.ErrNoRows) {
		return "", &hospital.Error{Kind: hospital.NotFound, Op: "watch.Patient", Code: "not_watched"}
	}
	return hospital.PatientID(patient), err
}

// follow begins a round for every binding that came about.
func (w *Watcher) follow(ctx context.Context) error {
	return w.cfg.DB.Consume(ctx, reader, batch, func(tx *sqldb.Tx, e sqldb.StoredEvent) error {
		if e.Event.Kind != "patient.bound" {
			return nil
		}
		return sqldb.Enqueue(tx, sqldb.Job{Kind: jobLook, Key: "begin/" + e.Event.ID, MaxAttempts: attempts})
	})
}

// row is a patient as we keep them.
type row struct {
	id      string
	patient hospital.PatientID
	round   int64
	since   time.Time
	record  string
}

// look does one job: "begin/" and a handover begins a round, a row's id and a
// round looks once and plans the next look.
func (w *Watcher) look(ctx context.Context, job sqldb.Leased) (func(*sqldb.Tx) error, error) {
	id, round, _ := strings.Cut(job.Key, "/")
	if id == "begin" {
		return w.begin(ctx, round)
	}
	r, err := w.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if turn, _, _ := strings.Cut(round, "/"); turn != strconv.FormatInt(r.round, 10) {
		return nil, nil //nolint:nilnil // a later binding has its own round
	}
	switch _, err := w.cfg.Bindings.Holder(ctx, r.patient); {
	case err != nil && hospital.KindOf(err) == hospital.NotFound:
		return nil, nil //nolint:nilnil // nobody is to be told any more
	case err != nil:
		return nil, err
	}
	wait, err := w.wait(ctx, r)
	if err != nil {
		return nil, err
	}
	record, bills, err := w.ask(ctx, r)
	if err != nil {
		w.cfg.Logger.WarnContext(ctx, "the HIS did not say what is new", "error", err)
		wait = w.cfg.Every
	}
	return func(tx *sqldb.Tx) error {
		if err := w.learn(tx, r, record, bills); err != nil {
			return err
		}
		return w.plan(tx, r, wait)
	}, nil
}

func (w *Watcher) begin(ctx context.Context, handover string) (func(*sqldb.Tx) error, error) {
	h, err := w.cfg.Bindings.Handover(ctx, handover)
	if err != nil {
		return nil, err
	}
	return func(tx *sqldb.Tx) error {
		r := row{id: hospital.NewID("r", h.At), patient: h.Patient}
		err := tx.QueryRow(`INSERT INTO watch_patients (id, patient, round, since, record) VALUES ($1, $2, 1, $3, '')
			ON CONFLICT (patient) DO UPDATE SET round = watch_patients.round + 1, since = excluded.since RETURNING id, round`,
			r.id, string(r.patient), sqldb.Millis(h.At)).Scan(&r.id, &r.round)
		if err != nil {
			return err
		}
		return w.plan(tx, r, 0)
	}, nil
}

// plan writes the job of the next look.
func (w *Watcher) plan(tx *sqldb.Tx, r row, wait time.Duration) error {
	at := w.cfg.Wall().Add(wait)
	return sqldb.Enqueue(tx, sqldb.Job{
		Kind: jobLook, Key: r.id + "/" + strconv.FormatInt(r.round, 10) + "/" + strconv.FormatInt(at.UnixMilli(), 10), RunAt: at, MaxAttempts: attempts,
	})
}

func (w *Watcher) find(ctx context.Context, id string) (row, error) {
	r := row{id: id}
	err := w.cfg.DB.Read(ctx, func(tx *sqldb.Tx) error {
		var since int64
		err := tx.QueryRow("SELECT patient, round, since, record FROM watch_patients WHERE id = $1", id).Scan(&r.patient, &r.round, &since, &r.record)
		r.since = sqldb.Instant(since)
		return err
	})
	return r, err
}

// wait is how long until the next look.
func (w *Watcher) wait(ctx context.Context, r row) (time.Duration, error) {
	today := hospital.DateOf(w.cfg.Now())
	if hospital.DateOf(r.since) == today {
		return w.cfg.Every, nil
	}
	visits, err := w.cfg.Bindings.List(ctx, booking.Query{Patient: r.patient, Date: today, Limit: 1})
	if err != nil {
		return 0, err
	}
	if len(visits) > 0 {
		return w.cfg.Every, nil
	}
	return w.cfg.Idle, nil
}

// ask reads what the HIS says now: the digest of the record, "" for no answer,
// and the bills that are owed.
func (w *Watcher) ask(ctx context.Context, r row) (record string, bills []his.Bill, err error) {
	p, errPatient := w.cfg.Patients.FindPatient(ctx, his.PatientQuery{ID: r.patient})
	if errPatient == nil && p.ID == r.patient {
		if record, errPatient = w.digest(p); errPatient != nil {
			return "", nil, errPatient
		}
	}
	if w.cfg.Billing == nil {
		return record, nil, errPatient
	}
	bills, errBills := w.cfg.Billing.Bills(ctx, r.patient)
	return record, bills, errors.Join(errPatient, errBills)
}

// digest is the same for the same record and tells nothing of it.
func (w *Watcher) digest(p hospital.Patient) (string, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return "", &hospital.Error{Kind: hospital.Internal, Op: "watch.Watcher", Code: "bad_record", Err: err}
	}
	mac := hmac.New(sha256.New, w.key)
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// learn keeps what is new and makes its events. The first record and the bills
// of before the binding are what there was.
func (w *Watcher) learn(tx *sqldb.Tx, r row, record string, bills []his.Bill) error {
	now := w.cfg.Now()
	tell := func(kind, object string) error {
		if err := sqldb.AppendEvents(tx, []hospital.Event{{Kind: kind, ID: object}}, now); err != nil {
			return err
		}
		return sqldb.AppendAudit(tx, hospital.AuditEntry{
			At: now, Actor: hospital.System("watch"), Purpose: "service", Action: kind, Object: object, Patient: r.patient, Outcome: "ok",
		})
	}
	if record != "" && record != r.record {
		n, err := tx.Exec("UPDATE watch_patients SET record = $1 WHERE id = $2 AND record = $3", record, r.id, r.record)
		if err != nil {
			return err
		}
		if n > 0 && r.record != "" {
			if err := tell(RecordUpdated, r.id); err != nil {
				return err
			}
		}
	}
	for _, b := range bills {
		if b.Patient != r.patient || b.State != his.BillUnpaid {
			continue
		}
		n, err := tx.Exec("INSERT INTO watch_bills (bill, patient, seen_at) VALUES ($1, $2, $3) ON CONFLICT (bill) DO NOTHING",
			string(b.ID), string(r.patient), sqldb.Millis(now))
		if err != nil {
			return err
		}
		if n > 0 && !b.CreatedAt.Before(r.since.Truncate(time.Second)) {
			if err := tell(BillCreated, string(b.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}
