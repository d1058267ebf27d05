package staff

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/refserver/internal/guide"
)

// Schedules is where schedules and their segments are read; the Scheduling of
// a his.System satisfies it.
type Schedules interface {
	Schedules(ctx context.Context, query his.ScheduleQuery) ([]hospital.Schedule, error)
	Slots(ctx context.Context, schedule hospital.ScheduleID) ([]hospital.Slot, error)
}

// Names says what departments and doctors are called; it returns "" for one it
// does not know.
type Names interface {
	Department(ctx context.Context, id hospital.DepartmentID) string
	Doctor(ctx context.Context, id hospital.DoctorID) string
}

// Message is a message that did not reach anybody.
type Message struct {
	ID      string
	Scene   string // "appt.booked"
	Object  string // the appointment, order or handover it tells of
	Channel string // "wechat", "sms"
	State   string // "waiting": still tried; "failed"; "unknown": it may have arrived
	Failure string // kind and code, without personal data
	Tries   int
	At      time.Time // of the last try
}

// Messages is where failed messages are seen and sent again.
type Messages interface {
	// Failed lists at most n failed messages, the latest first.
	Failed(ctx context.Context, n int) ([]Message, error)
	// Repeat puts a failed message in line again, with the audit row in the same
	// transaction. NotFound when it is not among the failed.
	Repeat(ctx context.Context, id string, audit hospital.AuditEntry) error
}

// Codes makes the codes with which the desk vouches for a patient who binds.
type Codes interface {
	// Make returns a code that binds the patient once, and until when, with the
	// audit row in the same transaction. NotFound for an unknown patient.
	Make(ctx context.Context, patient hospital.PatientID, audit hospital.AuditEntry) (code string, until time.Time, err error)
}

// Config of a Desk.
type Config struct {
	Hospital string // its name, on every page; required
	// Prefix is the path below which the desk lives, "/staff" by default.
	Prefix string

	Store    *Store            // required
	Gate     *hospital.Gate    // required; its grants ask Store.Granted about staff
	Booking  *booking.Desk     // required
	Bookings *bookingsql.Store // required
	Cashier  *payment.Cashier  // required
	Jobs     *sqldb.Jobs       // dead letters; nil: no page of them

	Schedules Schedules   // nil: schedules are not listed, and no rule can be tried out
	Names     Names       // nil: departments and doctors are shown by their ids
	Messages  Messages    // nil: no page of failed messages
	Codes     Codes       // nil: no page of codes
	Guide     *guide.Desk // nil: no pages of triage

	// PlainHTTP lets the session's cookie travel without TLS: for a listener on
	// loopback only.
	PlainHTTP bool

	Now    func() time.Time // the business clock; required
	Logger *slog.Logger     // nil discards
}

// Desk is 工作台. It is safe for concurrent use.
type Desk struct {
	cfg     Config
	page    *template.Template
	style   []byte
	dummy   string // a hash against which an unknown login's password is compared
	hashing chan struct{}
	objects []object
}

// maxHashing bounds the memory of passwords that are hashed at a time.
const maxHashing = 2

// New checks the configuration and names the bad field.
func New(config Config) (*Desk, error) {
	bad := func(detail string) (*Desk, error) {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "staff.New", Code: "bad_config", Detail: detail}
	}
	if config.Prefix == "" {
		config.Prefix = "/staff"
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case config.Hospital == "":
		return bad("Config.Hospital is empty")
	case !strings.HasPrefix(config.Prefix, "/") || strings.HasSuffix(config.Prefix, "/") || strings.ContainsAny(config.Prefix, "{} "):
		return bad("Config.Prefix: want a path such as /staff")
	case config.Store == nil:
		return bad("Config.Store is nil")
	case config.Gate == nil:
		return bad("Config.Gate is nil")
	case config.Booking == nil:
		return bad("Config.Booking is nil")
	case config.Bookings == nil:
		return bad("Config.Bookings is nil")
	case config.Cashier == nil:
		return bad("Config.Cashier is nil")
	case config.Now == nil:
		return bad("Config.Now is nil")
	}
	page, err := newTemplate()
	if err != nil {
		return nil, err
	}
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "staff.New", Err: err}
	}
	dummy, err := hashPassword(newToken())
	if err != nil {
		return nil, err
	}
	d := &Desk{cfg: config, page: page, style: style, dummy: dummy, hashing: make(chan struct{}, maxHashing)}
	d.objects = d.allObjects()
	return d, nil
}

// FirstLink returns the path of the link by which the first account is made,
// good once within 30 minutes, for the program to print. Earlier links no longer
// work. It is Conflict accounts_exist when there is an account.
func (d *Desk) FirstLink(ctx context.Context) (path string, err error) {
	token := newToken()
	if err := d.cfg.Store.firstLink(ctx, token, newTOTP()); err != nil {
		return "", err
	}
	return d.cfg.Prefix + "/link/" + token, nil
}

// session is who asks.
type session struct {
	Account

	token string
}

func (s session) actor() hospital.Actor { return actorOf(s.Login) }

// cookieName is the session's cookie.
const cookieName = "hospital_staff"

func (d *Desk) putCookie(w http.ResponseWriter, token string) {
	cookie := &http.Cookie{ //nolint:gosec // Secure unless Config.PlainHTTP, which is for loopback
		Name: cookieName, Value: token, Path: d.cfg.Prefix + "/", HttpOnly: true, Secure: !d.cfg.PlainHTTP, SameSite: http.SameSiteStrictMode,
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// entry is an audit row of the session.
func (d *Desk) entry(who session, action, object, reason string) hospital.AuditEntry {
	return hospital.AuditEntry{At: d.cfg.Now(), Actor: who.actor(), Purpose: reason, Action: action, Object: object, Outcome: "ok"}
}

// outcome renders an error for the audit trail: its kind and code, no text.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	return strings.TrimSpace(hospital.KindOf(err).String() + " " + hospital.CodeOf(err))
}
