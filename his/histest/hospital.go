package histest

import (
	"context"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/internal/journal"
)

// DefaultHoldFor is how long a number stays locked without being confirmed.
// Source: the mobile platforms' interface documents, "锁号15分钟".
const DefaultHoldFor = 15 * time.Minute

// Config describes a simulated hospital. The zero Config is a hospital in
// memory that opens today.
type Config struct {
	// Dir is the folder of the journal, "" to keep nothing. A hospital opened
	// over an existing journal continues exactly where the last one ended.
	Dir string
	// Now is the business clock. Default: time.Now.
	Now func() time.Time
	// Seed varies who works when, so that a test does not lean on one timetable.
	// Over an existing journal 0 means "as it was"; another seed is Invalid.
	Seed int
	// HoldFor is how long a hold lives. Default: DefaultHoldFor.
	HoldFor time.Duration
	// SlotNumbers is how many numbers every slot has. Over an existing journal 0
	// means "as it was". Example: 20. Default: few for an expert, more for an
	// ordinary clinic, as a hospital has them.
	SlotNumbers int
	// Quota is how many numbers of every slot belong to the platform from the
	// start; the window and the kiosk cannot sell them. Example: 2. Default: 0,
	// the hospital sells every number itself.
	Quota int
}

// Hospital is the one truth of a simulated hospital of traditional Chinese
// medicine: its directory, timetable, numbers, patients, bills and books. It
// implements the roles of [his.System] and, in hospital words, the people on
// the far side: the window, the kiosk, the doctor, the office that closes a
// clinic. It is safe for concurrent use. Make one with [NewHospital].
type Hospital struct {
	config Config
	staff  roster

	mu      sync.Mutex
	journal *journal.Journal
	opening opening
	log     []effect // everything that happened and was not forgotten
	state   *state
	days    map[hospital.Date]*workday
	offset  time.Duration
	confuse int // answers that still name a wrong patient
}

// opening is the first line of the journal.
type opening struct {
	At          time.Time
	Seed        int
	SlotNumbers int
	Quota       int
}

// NewHospital opens a hospital, or reopens the one whose journal lies in
// config.Dir. Invalid: a negative duration or quota, another seed than the
// journal's. Internal: the journal cannot be read; the error names the line.
func NewHospital(config Config) (*Hospital, error) {
	const op = "histest.NewHospital"
	switch {
	case config.HoldFor < 0:
		return nil, refuse(hospital.Invalid, op, "bad_config", "HoldFor is negative")
	case config.SlotNumbers < 0:
		return nil, refuse(hospital.Invalid, op, "bad_config", "SlotNumbers is negative")
	case config.Quota < 0:
		return nil, refuse(hospital.Invalid, op, "bad_config", "Quota is negative")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.HoldFor == 0 {
		config.HoldFor = DefaultHoldFor
	}
	h := &Hospital{config: config, staff: newRoster(), days: map[hospital.Date]*workday{}}
	var effects []effect
	var err error
	if h.journal, effects, err = openJournal(config.Dir); err != nil {
		return nil, err
	}
	if len(effects) == 0 {
		first := effect{Kind: opened, Opening: &opening{
			At: h.clock(), Seed: config.Seed, SlotNumbers: config.SlotNumbers, Quota: config.Quota,
		}}
		if err := h.commit(h.clock(), first); err != nil {
			return nil, err
		}
		return h, nil
	}
	if err := h.replay(effects); err != nil {
		return nil, err
	}
	if config.Seed != 0 && config.Seed != h.opening.Seed {
		return nil, refuse(hospital.Invalid, op, "bad_config", "Seed differs from the journal's")
	}
	return h, nil
}

// Close writes the journal out. The hospital must not be used afterwards.
func (h *Hospital) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.journal.Close()
}

// System returns the hospital as the adapter of a vendor that offers every role
// and can be asked about every call.
func (h *Hospital) System() his.System {
	sure := hospital.Assurance{Idempotent: true, Queryable: true, Cancellable: true}
	return his.System{
		Clock: h, Directory: h, Scheduling: h, Registrar: h, Desk: h, Billing: h,
		Inpatient: h, Deposits: h, Queue: h, Settlements: h, Patients: h,
		Assurances: his.Assurances{
			Hold:           sure,
			Confirm:        sure,
			Cancel:         hospital.Assurance{Idempotent: true, Queryable: true},
			CheckIn:        hospital.Assurance{Idempotent: true, Queryable: true},
			Settle:         sure,
			Reverse:        hospital.Assurance{Idempotent: true, Queryable: true},
			PayDeposit:     sure,
			ReverseDeposit: hospital.Assurance{Idempotent: true, Queryable: true},
			CreatePatient:  hospital.Assurance{Idempotent: true, Queryable: true},
			BindCard:       hospital.Assurance{Idempotent: true, Queryable: true, Cancellable: true},
		},
	}
}

// Ping returns the hospital's own time, which may differ from ours; see
// [Hospital.SetClockOffset].
func (h *Hospital) Ping(ctx context.Context) (time.Time, error) {
	if err := reachable(ctx, "histest.Ping"); err != nil {
		return time.Time{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock(), nil
}

// clock is the hospital's time. The caller holds mu.
func (h *Hospital) clock() time.Time { return h.config.Now().Add(h.offset).In(hospital.CST) }

// turn is one command's stay in the hospital: the lock is held, the clock is
// read once, holds that ran out are gone.
type turn struct {
	*Hospital
	op  string
	now time.Time
}

// refuse answers the command's caller.
func (t turn) refuse(kind hospital.Kind, code, detail string) error {
	return refuse(kind, t.op, code, detail)
}

// today is the hospital's day.
func (t turn) today() hospital.Date { return hospital.DateOf(t.now) }

// do lets a command in from outside, if its caller is still there.
func (h *Hospital) do(ctx context.Context, op string, command func(turn) error) error {
	if err := reachable(ctx, op); err != nil {
		return err
	}
	return h.act(op, command)
}

// act lets one command in after the other. It returns when everything the
// command journaled is on the disk.
func (h *Hospital) act(op string, command func(turn) error) error {
	seq, err := func() (int64, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		t := turn{Hospital: h, op: op, now: h.clock()}
		err := t.expire()
		if err == nil {
			err = command(t)
		}
		return h.journal.Seq(), err
	}()
	if failed := h.journal.Sync(seq); failed != nil {
		return failed
	}
	return err
}

// reachable refuses a call whose caller has already gone: certainly nothing
// happened.
func reachable(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &hospital.Error{Kind: hospital.Unavailable, Op: op, Code: "not_sent", Err: err}
	}
	return nil
}

// commit journals the effect and then lets it happen.
func (h *Hospital) commit(now time.Time, e effect) error {
	e.Seq, e.At = h.journal.Seq()+1, now
	if err := h.journal.Append(e); err != nil {
		return err
	}
	h.happen(e)
	return nil
}

// record commits an effect of this turn.
func (t turn) record(e effect) error { return t.commit(t.now, e) }

// nextNo is the number the hospital gives to what the next effect makes. It
// counts journal lines, so not even a restored backup gives a number twice.
func (t turn) nextNo(prefix string) string {
	return prefix + t.now.Format("060102") + digits(t.journal.Seq()+1, 6)
}
