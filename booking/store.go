package booking

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// Store keeps appointments, policies, quotas and bindings. Its methods are
// commands, values in and values out, so that an implementation may merge many
// into one commit. The one callback, Sale.Allow, is pure.
//
// Every method returns Unavailable when nothing was written, Indeterminate when
// the commit's answer was lost, Internal for a broken store.
type Store interface {
	Appointments
	Policies
	Quotas
	Bindings
	Records
}

// Appointments is the part of the store that the saga needs.
type Appointments interface {
	// Sell reads the patient's history under lock, asks Allow, claims a number
	// when the sale is from our own quota, and inserts the appointment with its
	// events and audit row: one commit. It returns what Allow refused, and
	// ErrSlotTaken when the quota has no number left.
	Sell(ctx context.Context, sale Sale) (Appointment, error)
	// Save writes the change if the appointment still has the Version it
	// carries, and returns it with the next one. Conflict stale_version
	// otherwise, Internal for a move that State.MayBecome forbids.
	Save(ctx context.Context, change Change) (Appointment, error)
	// Lease gives up to N due appointments to this worker alone for a while; it
	// raises their Version, so whoever held them before can no longer save. A row
	// that cannot be read is put aside for an operator and holds up no other.
	Lease(ctx context.Context, lease Lease) ([]Appointment, error)
	// Find returns one appointment; NotFound.
	Find(ctx context.Context, id string) (Appointment, error)
	// List returns appointments, the newest first. Rows that cannot be read are
	// left out and reported by an Internal error that comes with the others.
	List(ctx context.Context, query Query) ([]Appointment, error)
}

// Sale is the command that claims.
type Sale struct {
	Appointment Appointment // ID, State and Policy set; Number is the store's to set
	Quota       bool        // claim a number of our own quota
	Allow       func(History) error
	Lease       time.Duration // the row stays with this worker so long
	Audit       hospital.AuditEntry
}

// Change is the command that moves an appointment on.
type Change struct {
	Appointment Appointment
	Number      NumberFate
	Lease       time.Duration // the row stays with this worker so long; 0 gives it back
	Events      []hospital.Event
	// Tell, if set, says what else the change makes true, given the patient's
	// history before it: asked in the commit, under the lock by which the patient's
	// changes with a Tell come one after another. It is pure.
	Tell  func(History) []hospital.Event
	Audit hospital.AuditEntry
}

// NumberFate says what becomes of a number of our own quota.
type NumberFate int

// The fates of a number.
const (
	KeepNumber  NumberFate = iota
	FreeNumber             // it can be sold again, before numbers never sold
	DeferNumber            // it can be sold again, after all others
	BurnNumber             // the HIS says it is another's: never sell it again
)

// Lease is the command that takes due work.
type Lease struct {
	Now time.Time     // business time: rows due until then
	N   int           // at most so many
	For time.Duration // wall time, by the database's clock
}

// Query selects appointments; zero fields do not select.
type Query struct {
	Patient  hospital.PatientID
	Schedule hospital.ScheduleID
	Date     hospital.Date // of the visit; the zero Date is any
	States   []State
	Live     bool // only those that claim a number
	Limit    int  // 0 is the default of 100; at most 1000
}

// Bounds of a Query.
const (
	DefaultListLimit = 100
	MaxListLimit     = 1000
)

// Policies keeps the rules.
type Policies interface {
	// Publish adds a version with its audit row. The same version again is nil
	// and writes nothing; another body under the same version is Conflict.
	Publish(ctx context.Context, version PolicyVersion, audit hospital.AuditEntry) error
	// PolicyVersions returns all versions, the oldest first.
	PolicyVersions(ctx context.Context) ([]PolicyVersion, error)
}

// QuotaSlot is a segment of which the hospital handed numbers to us.
type QuotaSlot struct {
	Slot     hospital.SlotID
	Schedule hospital.ScheduleID
	Numbers  []int // in the order in which they are sold
}

// Quotas keeps the numbers the hospital handed to us.
type Quotas interface {
	// Grant adds slots. A slot granted before keeps its numbers and gains those
	// that are new, so granting again is harmless.
	Grant(ctx context.Context, slots []QuotaSlot, audit hospital.AuditEntry) error
	// Recall takes unsold numbers out of the quota, under the lock by which they
	// are sold, and returns them. NotFound for a slot never granted.
	Recall(ctx context.Context, recall QuotaRecall, audit hospital.AuditEntry) ([]int, error)
	// QuotaLeft returns how many numbers of each slot are free; slots never
	// granted are absent.
	QuotaLeft(ctx context.Context, slots []hospital.SlotID) (map[hospital.SlotID]int, error)
}

// QuotaRecall is the hospital taking numbers back. Only what is not sold can be
// taken: the numbers that Recall does not return are patients'. A number that
// was taken is ours again once it is granted again.
type QuotaRecall struct {
	Slot    hospital.SlotID
	Numbers []int // these; or
	Last    int   // so many at the end of the order of sale
}

// Choose returns which of the unsold numbers, in the order of sale, are taken.
func (r QuotaRecall) Choose(unsold []int) []int {
	if len(r.Numbers) == 0 {
		return unsold[max(0, len(unsold)-r.Last):]
	}
	var chosen []int
	for _, number := range unsold {
		if slices.Contains(r.Numbers, number) {
			chosen = append(chosen, number)
		}
	}
	return chosen
}

// Object names the numbers that were taken, for the audit row: "S1-1: 5, 6".
func (r QuotaRecall) Object(taken []int) string {
	words := make([]string, len(taken))
	for i, number := range taken {
		words[i] = strconv.Itoa(number)
	}
	return string(r.Slot) + ": " + strings.Join(words, ", ")
}

// Binding ties a patient to the one user who may act for the patient.
type Binding struct {
	User    hospital.UserID
	Patient hospital.PatientID
	Since   time.Time
}

// Bindings keeps who may act for whom, and what a patient has on record.
type Bindings interface {
	// Bind asks Allow with the facts under lock, takes the patient from whoever
	// held it before, and inserts the binding: one commit.
	Bind(ctx context.Context, command BindCommand) error
	// Unbind removes a binding; NotFound when there is none.
	Unbind(ctx context.Context, binding Binding, audit hospital.AuditEntry) error
	// Bound returns the user's bindings, the oldest first.
	Bound(ctx context.Context, user hospital.UserID) ([]Binding, error)
	// History returns what Allow would see now.
	History(ctx context.Context, user hospital.UserID, patient hospital.PatientID, today hospital.Date) (History, error)
	// Unlock forgives all no-shows up to the instant.
	Unlock(ctx context.Context, command UnlockCommand) error
}

// Records keeps what events and audit rows name.
type Records interface {
	// Handover returns what a patient.bound or patient.taken_over event names;
	// NotFound.
	Handover(ctx context.Context, id string) (Handover, error)
	// Unlocked returns what a lock.unlocked event names; NotFound.
	Unlocked(ctx context.Context, id string) (Unlocking, error)
	// Record writes an audit row of something that had no effect.
	Record(ctx context.Context, entry hospital.AuditEntry) error
}

// Handover is one binding as it came about. It stays when the binding is gone.
type Handover struct {
	ID      string
	Patient hospital.PatientID
	User    hospital.UserID // holds the patient from then on
	Former  hospital.UserID // held the patient until then; "" for nobody
	At      time.Time
}

// Unlocking is one act of forgiving a patient's no-shows.
type Unlocking struct {
	ID      string
	Patient hospital.PatientID
	At      time.Time
}

// BindCommand is the command that binds. Allow is pure.
type BindCommand struct {
	ID      string // ours, of the Handover
	Binding Binding
	Allow   func(holder hospital.UserID, held int) error
	Events  []hospital.Event
	Taken   []hospital.Event // besides, when another user held the patient
	Audit   hospital.AuditEntry
}

// UnlockCommand is the command that unlocks.
type UnlockCommand struct {
	ID      string // ours
	Patient hospital.PatientID
	At      time.Time
	Events  []hospital.Event
	Audit   hospital.AuditEntry
}

// ErrStale says that somebody else changed the appointment first.
var ErrStale = &hospital.Error{Kind: hospital.Conflict, Code: "stale_version", Message: "信息刚刚发生了变化，请刷新后重试。"}
