package message

import (
	"context"
	"embed"
	"io/fs"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/wechat"
)

// Facts reads what a message says at the time it is written.
type Facts interface {
	// Fact returns what stands behind an event of the kind about the object:
	// "appt.booked", "order.refunded". NotFound: nobody is to be told.
	Fact(ctx context.Context, kind, object string) (Fact, error)
}

// Recipients finds users. NotFound: the user cannot be reached that way.
type Recipients interface {
	OpenID(ctx context.Context, user hospital.UserID) (wechat.OpenID, error)
	// Holds reports whether the user holds the patient at this moment.
	Holds(ctx context.Context, user hospital.UserID, patient hospital.PatientID) (bool, error)
	// Phone returns the phone to which the user is told about the patient.
	Phone(ctx context.Context, user hospital.UserID, patient hospital.PatientID) (hospital.Phone, error)
}

// Notifier sends WeChat notices; *wechat.Client satisfies it.
type Notifier interface {
	Notify(ctx context.Context, n wechat.Notice) (wechat.Sent, error)
}

// Texter sends a text message (短信). Unavailable: certainly not sent.
type Texter interface {
	// Text sends it; the key is the same on every attempt at one text.
	Text(ctx context.Context, key hospital.Key, to hospital.Phone, text string) error
}

// Template is how a scene is told by a notice: the account's template, and for
// each of its fields the value it shows – title, note, patient, department,
// doctor, time, until, place, number, amount or now: {"thing1": "department"}.
type Template struct {
	ID     string
	Kind   wechat.NoticeKind // default wechat.TemplateMessage
	Fields map[string]string
}

// Config of a Messenger.
type Config struct {
	DB         *sqldb.DB  // required
	Facts      Facts      // required
	Recipients Recipients // required
	WeChat     Notifier   // nil: no notices
	Texter     Texter     // nil: no text messages
	Templates  map[Scene]Template
	// Aliases are what sensitive departments are called in a message: {"K17": "门诊"}.
	Aliases map[hospital.DepartmentID]string
	// Link returns the page that a tap on the notice opens; nil or "" for none.
	Link func(scene Scene, object string) string
	// QuietFrom and QuietUntil are the hours of the day in China in which what
	// can wait waits. Default 22 to 7; equal ones mean never.
	QuietFrom, QuietUntil int
	Now                   func() time.Time // the business clock; default time.Now
	Wall                  func() time.Time // the host's clock; default time.Now
	Lease                 time.Duration    // of a job; default 60 s
}

// Messenger is 消息中心. It is safe for concurrent use, also by several
// processes on one database.
type Messenger struct {
	cfg  Config
	jobs *sqldb.Jobs
}

//go:embed migrations
var migrations embed.FS

const (
	defaultQuietFrom  = 22
	defaultQuietUntil = 7
	hoursOfDay        = 24
)

// The kinds of our jobs.
const (
	jobWrite  = "message.write"
	jobRemind = "message.remind"
	jobSend   = "message.send"
)

var valueNames = []string{"title", "note", "patient", "department", "doctor", "time", "until", "place", "number", "amount", "now"} //nolint:gochecknoglobals // an immutable table

// New checks the configuration and brings the tables up to date.
func New(ctx context.Context, cfg Config) (*Messenger, error) {
	if cfg.QuietFrom == 0 && cfg.QuietUntil == 0 {
		cfg.QuietFrom, cfg.QuietUntil = defaultQuietFrom, defaultQuietUntil
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wall == nil {
		cfg.Wall = time.Now
	}
	if err := check(cfg); err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "message.New", Err: err}
	}
	if err := cfg.DB.Migrate(ctx, "message", files); err != nil {
		return nil, err
	}
	m := &Messenger{cfg: cfg}
	m.jobs, err = sqldb.NewJobs(sqldb.JobsConfig{
		DB: cfg.DB, Now: cfg.Now, Lease: cfg.Lease,
		Handlers: map[string]sqldb.Handler{jobWrite: m.write, jobRemind: m.remind, jobSend: m.send},
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func check(cfg Config) error {
	bad := func(detail string) error {
		return &hospital.Error{Kind: hospital.Invalid, Op: "message.New", Code: "bad_config", Detail: detail}
	}
	switch {
	case cfg.DB == nil || cfg.Facts == nil || cfg.Recipients == nil:
		return bad("DB, Facts and Recipients are required")
	case cfg.QuietFrom < 0 || cfg.QuietFrom >= hoursOfDay || cfg.QuietUntil < 0 || cfg.QuietUntil >= hoursOfDay:
		return bad("QuietFrom, QuietUntil: want an hour from 0 to 23")
	}
	for scene, template := range cfg.Templates {
		if why := template.check(scene); why != "" {
			return bad("Templates." + string(scene) + ": " + why)
		}
	}
	return nil
}

// pumpBatch is how many events one commit takes.
const pumpBatch = 200

// Advance reads the events, writes the messages and sends what is due. It
// returns when something is due next, the zero time for nothing. What a far
// side answers is kept with the message; an error means that the store failed.
func (m *Messenger) Advance(ctx context.Context) (next time.Time, err error) {
	if err := m.pump(ctx); err != nil {
		return time.Time{}, err
	}
	return m.jobs.Advance(ctx)
}

// Run calls Advance until ctx is done, and then returns nil.
func (m *Messenger) Run(ctx context.Context) error { return m.cfg.DB.Work(ctx, m.Advance) }
