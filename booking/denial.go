package booking

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
)

// A refusal has no effect, so its audit row is no part of a commit that happens
// anyway: it costs a write of its own. Whoever is refused without end must not
// buy disk and the writer's time with it, so a desk writes down maxDenials at
// once and then one each denialEvery. What only the clock or an empty clinic
// refuses (not open, closed, taken) is nobody's act and is not written at all:
// at seven in the morning there are thousands.
const (
	maxDenials  = 100
	denialEvery = time.Second

	maxDeniedText = 200 // bytes of what the refused one named: no id or reason of ours is longer
)

// denials is the allowance of audit rows for refusals.
type denials struct {
	mu      sync.Mutex
	spent   int
	since   time.Time // when the spent ones were last counted down
	dropped int
}

// take reports whether one more may be written, and how many were not since the
// last that was.
func (n *denials) take(now time.Time) (bool, int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if earned := int(now.Sub(n.since) / denialEvery); earned > 0 || earned < 0 {
		n.spent, n.since = max(0, n.spent-max(0, earned)), now
	}
	if n.spent >= maxDenials {
		n.dropped++
		return false, n.dropped
	}
	n.spent++
	dropped := n.dropped
	n.dropped = 0
	return true, dropped
}

// denied writes down that somebody was refused, and returns the refusal. A trail
// that cannot be written is logged: nothing was shown or changed.
func (d *Desk) denied(ctx context.Context, entry hospital.AuditEntry, refusal error) error {
	write, dropped := d.denials.take(d.cfg.Wall())
	if !write {
		if dropped == 1 {
			d.cfg.Logger.WarnContext(ctx, "refusals are more than the audit trail takes")
		}
		return refusal
	}
	if dropped > 0 {
		d.cfg.Logger.WarnContext(ctx, "refusals were not written to the audit trail", "refusals", dropped)
	}
	entry.At, entry.Outcome = d.cfg.Now(), outcome(refusal)
	if len(entry.Object) > maxDeniedText {
		entry.Object = ""
	}
	if len(entry.Purpose) > maxDeniedText {
		entry.Purpose = ""
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.CallTimeout)
	defer cancel()
	if err := d.cfg.Store.Record(ctx, entry); err != nil {
		d.cfg.Logger.ErrorContext(ctx, "refusal not written to the audit trail", "action", entry.Action, "error", err)
	}
	return refusal
}

// staffOnly refuses everybody else, and writes it down.
func (d *Desk) staffOnly(ctx context.Context, op string, entry hospital.AuditEntry, also ...hospital.ActorKind) error {
	if err := validActor(op, entry.Actor); err != nil {
		return err
	}
	if kind := entry.Actor.Kind; kind == hospital.ActorStaff || slices.Contains(also, kind) {
		return nil
	}
	return d.denied(ctx, entry, &hospital.Error{Kind: hospital.Denied, Op: op, Code: "staff_only"})
}
