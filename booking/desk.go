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

	Now func() time.Time // business clock: rules, deadlines, dates; required
	// Wall is the clock of the host, for what networks and processes do: how
	// long a call may take and how long a lost request may still be under way.
	// Hosts that share a store keep it within clockSkew of each other. Default
	// time.Now.
	Wall   func() time.Time
	Logger *slog.Logger // nil discards

	CallTimeout   time.Duration // of one call of the HIS or the cashier, of the HIS counted from its intent; default 5 s
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
	denials  denials
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
	case needsTombstone(config.Assurances.Hold):
		return bad("Config.Assurances.Hold: a hold whose answer was lost is given up by cancelling, so it has to be Cancellable")
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
	if config.Wall == nil {
		config.Wall = time.Now
	}
	return &Desk{cfg: config}, nil
}

// needsTombstone reports whether a hold of unknown outcome would be given up by
// a cancel that does not keep it from arriving later. A hold that can neither be
// asked about nor repeated is never given up: it goes to a person.
func needsTombstone(hold hospital.Assurance) bool {
	return (hold.Queryable || hold.Idempotent) && !hold.Cancellable
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

// send makes a call that changes something at the HIS. The intent that allows
// it was committed at SentAt, and everybody who asks the HIS later counts on
// the call being over CallTimeout after that. So the call has what is left of
// it, and a worker that was stopped in between does not call at all: somebody
// may have taken the row over and told others "never". Unavailable
// intent_expired is such a call.
func (d *Desk) send(ctx context.Context, a Appointment, f func(context.Context) error) error {
	left := d.left(a)
	if left <= 0 {
		return &hospital.Error{
			Kind: hospital.Unavailable, Op: "booking.Desk", Code: "intent_expired",
			Detail: "the intent is older than CallTimeout; nothing was sent",
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	return f(ctx)
}

// left is how long a call for the present intent may still take.
func (d *Desk) left(a Appointment) time.Duration {
	return min(d.cfg.CallTimeout-d.cfg.Wall().Sub(a.SentAt), d.cfg.CallTimeout)
}

// definite reports whether the far side certainly said no: it acted on the
// request and refused it. Denied is not among them: the far side did not let us
// in, which says nothing of an earlier call whose answer was lost.
func definite(err error) bool {
	switch hospital.KindOf(err) {
	case hospital.Invalid, hospital.NotFound, hospital.Conflict, hospital.Rejected:
		return true
	case hospital.Internal, hospital.Denied, hospital.Unavailable, hospital.Indeterminate:
	}
	return false
}

// turnedAway reports whether this one call certainly was not applied, although
// the far side did not judge it.
func turnedAway(err error) bool {
	kind := hospital.KindOf(err)
	return kind == hospital.Unavailable || kind == hospital.Denied
}

// move is one step of an appointment, as it is saved.
type move struct {
	apply  func(*Appointment)
	number NumberFate
	keep   bool // the row stays with this worker: a call follows
	fact   bool // a yes of the HIS to Hold or Confirm: holds whoever learned it, and however late
	actor  hospital.Actor
	events []string // kinds of event
	tell   func(History) []hospital.Event
	cause  error // why, for the audit row
}

// maxMerges bounds how often a fact is merged into a row that others change.
const maxMerges = 8

// save commits the move. When somebody else changed the row first, a fact is
// merged into the newer row if that still is in the same state or on the
// manual list, and about the same payment; a decision is not, and save returns
// ErrStale. A row that was leaving when it came onto the list takes no fact: the
// HIS may have been told meanwhile to give the number back. A no of the HIS is no
// fact: whoever took the row over may have called again since and been told yes,
// and finds out by itself if not.
func (d *Desk) save(ctx context.Context, a Appointment, m move) (Appointment, error) {
	// What the HIS said must be written down although the patient closed the page.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.CallTimeout)
	defer cancel()
	from, receipt := a.State, a.Receipt
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
		if a.State != from && (a.State != Manual || a.Cause != "") || a.Receipt != receipt {
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
	change := Change{Appointment: next, Number: m.number, Tell: m.tell, Audit: hospital.AuditEntry{
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
