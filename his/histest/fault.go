package histest

import (
	"time"

	"github.com/wxhospital/hospital"
)

// WrongPatient lets the next n answers to Hold and Confirm name another
// patient. What the hospital did is right; only the answer lies.
func (h *Hospital) WrongPatient(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.confuse = n
}

// named is the patient an answer names.
func (h *Hospital) named(patient hospital.PatientID) hospital.PatientID {
	if h.confuse <= 0 {
		return patient
	}
	h.confuse--
	if patient == "P000002" {
		return "P000001"
	}
	return "P000002"
}

// Forget restores the hospital from a backup that is d old: every effect since
// is gone as if it had never happened, and with it what the hospital knows under
// the keys of that time. Numbers it printed are not printed again.
func (h *Hospital) Forget(d time.Duration) error {
	return h.act("histest.Forget", func(t turn) error {
		if d <= 0 {
			return t.refuse(hospital.Invalid, "bad_duration", "want how old the backup is")
		}
		since := t.now.Add(-d)
		return t.record(effect{Kind: forgot, Since: &since})
	})
}

// SetClockOffset lets the hospital's clock differ from ours: positive is fast.
// The offset is not journaled.
func (h *Hospital) SetClockOffset(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.offset = d
}
