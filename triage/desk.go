package triage

import (
	"context"
	"io/fs"
	"log/slog"
	"slices"
	"sync"

	"github.com/wxhospital/hospital"
)

// keptSets is how many earlier sets a desk can be rolled back to.
const keptSets = 10

// Config makes a [Desk].
type Config struct {
	Overlay fs.FS        // the hospital's own knowledge files; nil for the shipped set alone
	Logger  *slog.Logger // alarms are logged by flag and level, never with the patient's words; nil discards
}

// Desk (导诊台) gives advice by the set that is published. It is safe for many
// goroutines; a set is replaced between two complaints, never within one.
type Desk struct {
	logger *slog.Logger

	mu   sync.RWMutex
	sets []*Set // the last one is active
}

// New loads the shipped set and the overlay. A faulty set is refused with
// [ErrKnowledge] (Invalid), and its [Problems] name file, line and reason.
func New(cfg Config) (*Desk, error) {
	set, err := Load(cfg.Overlay)
	if err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{logger: cfg.Logger, sets: []*Set{set}}, nil
}

// Set returns the active set.
func (d *Desk) Set() *Set {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.sets[len(d.sets)-1]
}

// Publish loads another overlay and makes it active. If it is refused, with
// [ErrKnowledge], the active set stays as it is.
func (d *Desk) Publish(overlay fs.FS) (*Set, error) {
	set, err := Load(overlay)
	if err != nil {
		return nil, err
	}
	d.Activate(set)
	return set, nil
}

// Activate makes a loaded set active, for one that was checked and evaluated
// before it is published.
func (d *Desk) Activate(set *Set) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sets = append(d.sets, set)
	if extra := len(d.sets) - keptSets - 1; extra > 0 {
		d.sets = slices.Delete(d.sets, 0, extra)
	}
}

// ErrNoEarlierSet is what a rollback of the first set ends with.
var ErrNoEarlierSet = &hospital.Error{Kind: hospital.Conflict, Code: "triage_no_earlier_set", Message: "没有可以恢复的旧版本"}

// Rollback makes the set before the active one active again and returns it;
// [ErrNoEarlierSet] (Conflict) if there is none.
func (d *Desk) Rollback() (*Set, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.sets) < 2 {
		return nil, ErrNoEarlierSet
	}
	d.sets = d.sets[:len(d.sets)-1]
	return d.sets[len(d.sets)-1], nil
}

// Advise answers one complaint by the active set; see [Set.Advise]. Alarms are
// logged with the flag's id and level, without a word of the patient.
func (d *Desk) Advise(ctx context.Context, c Complaint) (*Advice, error) {
	set := d.Set()
	a, err := set.Advise(c)
	if err != nil {
		return nil, err
	}
	for _, e := range a.Emergencies {
		d.logger.WarnContext(ctx, "triage alarm", "flag", e.ID, "level", string(e.Level), "set", set.String())
	}
	for _, x := range a.Checks {
		d.logger.InfoContext(ctx, "triage alarm lowered to a question", "flag", x.ID, "set", set.String())
	}
	return a, nil
}
