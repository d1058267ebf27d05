package booking

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
)

// Slots is what booking needs from a HIS; *his.Client satisfies it.
type Slots interface {
	// Hold marks a number busy for the patient under our key. It returns
	// Conflict when it is taken, Rejected when the HIS refuses the patient, and
	// Indeterminate when the answer was lost: ask Find by the key.
	Hold(ctx context.Context, request hospital.HoldRequest) (hospital.Hold, error)
	// Confirm makes a hold firm, or books its fee as paid. Conflict, Rejected and
	// NotFound are a definite no.
	Confirm(ctx context.Context, request hospital.ConfirmRequest) (hospital.Registration, error)
	// Cancel gives the number back. Nil means certainly not in force; Rejected
	// that the visit took place.
	Cancel(ctx context.Context, key hospital.Key) error
	// Find returns what the HIS knows under the key; NotFound for nothing.
	Find(ctx context.Context, key hospital.Key) (hospital.Registration, error)
}

// Cashier is what booking needs from payment; *payment.Cashier satisfies it.
type Cashier interface {
	// Open makes the charge payable, once per key.
	Open(ctx context.Context, charge hospital.Charge) error
	// Close makes sure that nobody can pay any more, also when the charge was
	// never opened. Conflict means that it is paid.
	Close(ctx context.Context, key hospital.Key) error
	// Refund gives the money of a paid charge back, once, whatever the causes.
	Refund(ctx context.Context, key hospital.Key, cause string) error
}

// Stops is where 停诊 is read; *his.Client satisfies it.
type Stops interface {
	Suspensions(ctx context.Context, from, to hospital.Date) ([]hospital.Suspension, error)
}

// Assurances are the adapter's declarations for the three mutating calls.
type Assurances struct {
	Hold, Confirm, Cancel hospital.Assurance
}

// Config of a [Desk].
type Config struct {
	Store   Store
	Slots   Slots
	Cashier Cashier // nil and no Desk.PayWith: every fee is paid at the hospital's desk
	Stops   Stops   // nil: 停诊 reaches us only through Desk.Suspend

	Assurances Assurances // of the adapter behind Slots

	// Quota says that the hospital handed us numbers of our own: a number is
	// claimed in the sale's commit and the HIS is told after. Otherwise the HIS
	// owns the numbers.
	Quota bool

	Now    func() time.Time // business clock; required
	Logger *slog.Logger     // nil discards

	CallTimeout   time.Duration // of one call of the HIS or the cashier; default 5 s
	Lease         time.Duration // wall time a worker keeps a row; default 30 s, more than twice CallTimeout
	ConfirmWithin time.Duration // how long a confirmation may stay unknown; default 10 min
	GiveUpAfter   time.Duration // how long a cancellation may stay unknown until a person is asked; default 12 h
	VerifyAfter   time.Duration // when the HIS is asked again whether it still knows a booking; default 30 min
	StopsEvery    time.Duration // how often 停诊 is polled; default 1 min
	Batch         int           // rows a call of Advance takes; default 64
	Workers       int           // rows it works on at a time; default 8
}

// Desk is the booking desk. It is safe for concurrent use, and any number of
// desks may share one store.
type Desk struct {
	cfg Config

	policies policyBook
	stopsMu  sync.Mutex
	stopsDue time.Time
}

// visitsClose is when a day's visits are over and the HIS knows who came.
const visitsClose Clock = 22 * 60

// New checks the configuration and names the bad field.
func New(config Config) (*Desk, error) {
	bad := func(field string) (*Desk, error) {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "booking.New", Code: "bad_config", Detail: field}
	}
	defaults := func(value *time.Duration, fallback time.Duration) bool {
		if *value == 0 {
			*value = fallback
		}
		return *value > 0
	}
	positive := func(value *int, fallback int) bool {
		if *value == 0 {
			*value = fallback
		}
		return *value > 0
	}
	switch {
	case config.Store == nil:
		return bad("Config.Store is nil")
	case config.Slots == nil:
		return bad("Config.Slots is nil")
	case config.Now == nil:
		return bad("Config.Now is nil")
	case !defaults(&config.CallTimeout, 5*time.Second):
		return bad("Config.CallTimeout is negative")
	case !defaults(&config.Lease, 30*time.Second):
		return bad("Config.Lease is negative")
	case config.Lease <= 2*config.CallTimeout:
		return bad("Config.Lease must be more than twice CallTimeout")
	case !defaults(&config.ConfirmWithin, 10*time.Minute):
		return bad("Config.ConfirmWithin is negative")
	case !defaults(&config.GiveUpAfter, 12*time.Hour):
		return bad("Config.GiveUpAfter is negative")
	case !defaults(&config.VerifyAfter, 30*time.Minute):
		return bad("Config.VerifyAfter is negative")
	case !defaults(&config.StopsEvery, time.Minute):
		return bad("Config.StopsEvery is negative")
	case !positive(&config.Batch, 64):
		return bad("Config.Batch is negative")
	case !positive(&config.Workers, 8):
		return bad("Config.Workers is negative")
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{cfg: config}, nil
}

// PayWith gives the desk its cashier when it could not be in the Config, because
// the cashier was made with the desk as its deliverer. Call it once, before the
// desk is used; Invalid when there is a cashier already.
func (d *Desk) PayWith(cashier Cashier) error {
	if d.cfg.Cashier != nil || cashier == nil {
		return &hospital.Error{Kind: hospital.Invalid, Op: "booking.PayWith", Code: "bad_config", Detail: "want one cashier, once"}
	}
	d.cfg.Cashier = cashier
	return nil
}

// call runs one call of a far side under the call's deadline. It is detached
// from the caller's cancellation: a patient who closes the page must not turn
// a call that was sent into an unknown one.
func (d *Desk) call(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.CallTimeout)
	defer cancel()
	return f(ctx)
}

// definite reports whether the far side certainly said no: it acted on the
// request and refused it.
func definite(err error) bool {
	switch hospital.KindOf(err) {
	case hospital.Invalid, hospital.Denied, hospital.NotFound, hospital.Conflict, hospital.Rejected:
		return true
	case hospital.Internal, hospital.Unavailable, hospital.Indeterminate:
	}
	return false
}

// move is one step of an appointment, as it is saved.
type move struct {
	apply  func(*Appointment)
	number NumberFate
	keep   bool // the row stays with this worker: a call follows
	fact   bool // something the HIS said: holds whoever learned it
	actor  hospital.Actor
	events []string // kinds of event
	cause  error    // why, for the audit row
}

// maxMerges bounds how often a fact is merged into a row that others change.
const maxMerges = 8

// save commits the move. When somebody else changed the row first, a fact is
// merged into the newer row if that still is in the same state or on the
// manual list; a decision is not, and save returns ErrStale.
func (d *Desk) save(ctx context.Context, a Appointment, m move) (Appointment, error) {
	// What the HIS said must be written down although the patient closed the page.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.CallTimeout)
	defer cancel()
	from := a.State
	for range maxMerges {
		next := a
		m.apply(&next)
		saved, err := d.cfg.Store.Save(ctx, d.change(next, m))
		if err == nil {
			return saved, nil
		}
		if !errors.Is(err, ErrStale) || !m.fact {
			return a, err
		}
		if a, err = d.cfg.Store.Find(ctx, a.ID); err != nil {
			return a, err
		}
		if a.State != from && a.State != Manual {
			return a, ErrStale
		}
	}
	return a, ErrStale
}

func (d *Desk) change(next Appointment, m move) Change {
	actor := m.actor
	if actor.Kind == "" {
		actor = hospital.System("booking")
	}
	change := Change{Appointment: next, Number: m.number, Audit: hospital.AuditEntry{
		At: d.cfg.Now(), Actor: actor, Purpose: "booking", Action: "appointment." + string(next.State), Object: next.ID,
		Patient: next.Patient, Outcome: outcome(m.cause), RuleVersion: next.Policy,
	}}
	if m.keep {
		change.Lease = d.cfg.Lease
	}
	for _, kind := range m.events {
		change.Events = append(change.Events, hospital.Event{Kind: kind, ID: next.ID})
	}
	return change
}

// outcome renders an error for the audit trail: its kind and code, no text.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	text := hospital.KindOf(err).String()
	if code := hospital.CodeOf(err); code != "" {
		text += " " + code
	}
	return text
}

// backoff is how long a step waits after so many tries: 2 s doubling to 5 min.
func backoff(tries int) time.Duration {
	return min(2*time.Second<<min(tries, 10), 5*time.Minute)
}
