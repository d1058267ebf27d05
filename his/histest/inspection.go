package histest

import (
	"maps"
	"slices"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// Everyone returns every registration the hospital ever made, of all patients
// and entries, in the order they were made. Tests compare it with what a
// platform believes.
func (h *Hospital) Everyone() (all []hospital.Registration) {
	h.look(func() {
		for _, no := range slices.Sorted(maps.Keys(h.state.registrations)) {
			all = append(all, h.state.registrations[no].answer())
		}
	})
	return all
}

// People returns every patient the hospital knows, in the order of their ids.
func (h *Hospital) People() (all []hospital.Patient) {
	h.look(func() {
		for _, id := range slices.Sorted(maps.Keys(h.state.patients)) {
			all = append(all, copyPatient(h.state.patients[id]))
		}
	})
	return all
}

// Ledger returns every settlement row the hospital booked, in order.
func (h *Hospital) Ledger() (rows []his.Settlement) {
	h.look(func() {
		for _, row := range h.state.rows {
			rows = append(rows, inCST(row))
		}
	})
	return rows
}

// Total is the sum of the hospital's books.
func (h *Hospital) Total() (total hospital.Fen) {
	for _, row := range h.Ledger() {
		total += row.Amount
	}
	return total
}

// Effects counts what happened under a key, by the word of the journal: held,
// registered, paid, cancelled, expired, suspended, arrived, seen, barred,
// settled, reversed, created, carded, uncarded. Whatever a client repeated,
// held is at most 1.
func (h *Hospital) Effects(key hospital.Key) (counts map[string]int) {
	h.look(func() { counts = maps.Clone(h.state.effects[key]) })
	return counts
}

// Counts is how a slot or a schedule stands.
type Counts struct {
	Capacity int
	Sold     int // live registrations
	Distinct int // different numbers among them; less than Sold is an oversell
	Quota    int // numbers that are the platform's
	Left     int // free numbers that anybody may take
}

// SlotCounts counts one slot. NotFound: no such slot.
func (h *Hospital) SlotCounts(slot hospital.SlotID) (counts Counts, err error) {
	err = h.act("histest.SlotCounts", func(t turn) error {
		c, s, ok := t.slot(slot)
		if !ok {
			return t.refuse(hospital.NotFound, "no_such_slot", "")
		}
		counts = t.counts(c, s)
		return nil
	})
	return counts, err
}

// ScheduleCounts counts a whole schedule. NotFound: no such schedule.
func (h *Hospital) ScheduleCounts(schedule hospital.ScheduleID) (counts Counts, err error) {
	err = h.act("histest.ScheduleCounts", func(t turn) error {
		c, ok := t.clinic(schedule)
		if !ok {
			return t.refuse(hospital.NotFound, "no_such_schedule", "")
		}
		for _, s := range c.slots {
			one := t.counts(c, s)
			counts.Capacity += one.Capacity
			counts.Sold += one.Sold
			counts.Distinct += one.Distinct
			counts.Quota += one.Quota
			counts.Left += one.Left
		}
		return nil
	})
	return counts, err
}

// counts reads the registrations themselves, not the index that selling uses.
func (t turn) counts(c *clinic, s hospital.Slot) Counts {
	counts := Counts{Capacity: len(t.numbersOf(c, s)), Quota: len(t.quotaOf(c, s).Numbers), Left: t.left(c, s)}
	numbers := map[int]bool{}
	for _, no := range t.state.bySchedule[c.ID] {
		if r := t.state.registrations[no]; r.Slot == s.ID && r.State.Live() {
			counts.Sold++
			numbers[r.QueueNo] = true
		}
	}
	counts.Distinct = len(numbers)
	return counts
}

// look reads the truth.
func (h *Hospital) look(read func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	read()
}
