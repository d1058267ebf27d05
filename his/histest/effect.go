package histest

import (
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// effectKind says what happened. [Hospital.Effects] counts by it.
type effectKind string

const (
	opened     effectKind = "opened"
	held       effectKind = "held"       // 锁号
	expired    effectKind = "expired"    // the hold ran out
	registered effectKind = "registered" // made firm
	paid       effectKind = "paid"       // its fee was booked
	sold       effectKind = "sold"       // at the window or the kiosk, firm and paid at once
	cancelled  effectKind = "cancelled"  // 退号
	barred     effectKind = "barred"     // a key was cancelled before anything was made under it
	suspended  effectKind = "suspended"  // 停诊
	arrived    effectKind = "arrived"    // 取号
	seen       effectKind = "seen"       // the visit took place
	granted    effectKind = "granted"    // numbers handed to the platform
	released   effectKind = "released"   // more numbers of a clinic (放号)
	billed     effectKind = "billed"
	rebilled   effectKind = "rebilled" // quoted anew
	settled    effectKind = "settled"
	reversed   effectKind = "reversed" // 冲正
	created    effectKind = "created"  // 建档
	carded     effectKind = "carded"
	uncarded   effectKind = "uncarded"
	forgot     effectKind = "forgot" // restored from a backup
)

// effect is one line of the journal: what happened, with the objects as they
// were afterwards. So to replay a line is to put its objects in place.
type effect struct {
	Seq  int64        `json:"seq"`
	At   time.Time    `json:"at"`
	Kind effectKind   `json:"kind"`
	Key  hospital.Key `json:"key,omitempty"`

	Opening       *opening             `json:"opening,omitempty"`
	Since         *time.Time           `json:"since,omitempty"`
	Registrations []*registration      `json:"registrations,omitempty"`
	Bills         []*his.Bill          `json:"bills,omitempty"`
	Payment       *payment             `json:"payment,omitempty"`
	Barred        hospital.PurposeKind `json:"barred,omitempty"`
	Rows          []his.Settlement     `json:"rows,omitempty"`
	Suspension    *hospital.Suspension `json:"suspension,omitempty"`
	Quota         []QuotaSlot          `json:"quota,omitempty"`
	Extra         []extra              `json:"extra,omitempty"`
	Patient       *hospital.Patient    `json:"patient,omitempty"`
	Request       string               `json:"request,omitempty"` // fingerprint of what was asked under the key
}

// replay lets a journal happen again.
func (h *Hospital) replay(effects []effect) error {
	for i, e := range effects {
		if (i == 0) != (e.Kind == opened && e.Opening != nil) {
			return refuse(hospital.Internal, "histest.journal", "bad_journal", "line "+digits(int64(i+1), 1)+": the hospital opens once, first")
		}
		h.happen(e)
	}
	return nil
}

// happen makes the effect part of the truth. The caller holds mu, or nobody
// else knows the hospital yet.
func (h *Hospital) happen(e effect) {
	switch e.Kind {
	case opened:
		h.opening = *e.Opening
		h.state = newState(h.opening, h.staff)
	case forgot:
		kept := h.log[:0:0]
		for _, past := range h.log {
			if !past.At.After(*e.Since) {
				kept = append(kept, past)
			}
		}
		h.log, h.state = kept, newState(h.opening, h.staff)
		for _, past := range kept {
			h.state.put(past)
		}
		return
	default:
		h.state.put(e)
	}
	if e.Kind != opened {
		h.log = append(h.log, e)
	}
}
