package histest

import (
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// QuotaSlot is what the hospital handed to the platform of one slot: numbers
// that neither the window nor the kiosk sells.
type QuotaSlot struct {
	Schedule hospital.ScheduleID
	Slot     hospital.SlotID
	Start    time.Time
	End      time.Time
	Numbers  []int
	Opaque   string
}

// GrantQuota hands n numbers of each slot of the schedule to the platform, the
// highest free ones, beside those it has, and returns all that are the
// platform's then. A slot with fewer free numbers gives what it has. NotFound:
// no such schedule.
func (h *Hospital) GrantQuota(schedule hospital.ScheduleID, n int) (slots []QuotaSlot, err error) {
	err = h.act("histest.GrantQuota", func(t turn) error {
		c, ok := t.clinic(schedule)
		switch {
		case !ok:
			return t.refuse(hospital.NotFound, "no_such_schedule", "")
		case n < 1:
			return t.refuse(hospital.Invalid, "bad_quota", "want at least one number a slot")
		}
		for _, s := range c.slots {
			q := t.quotaOf(c, s)
			all := t.numbersOf(c, s)
			slices.Reverse(all)
			for given := 0; len(all) > 0 && given < n; all = all[1:] {
				if t.free(s.ID, all[0]) && !slices.Contains(q.Numbers, all[0]) {
					q.Numbers = append(q.Numbers, all[0])
					given++
				}
			}
			slices.Sort(q.Numbers)
			slots = append(slots, q)
		}
		return t.record(effect{Kind: granted, Quota: slots})
	})
	return slots, err
}

// QuotaSlots returns the numbers that are the platform's between two days, both
// included, so that the platform can import them. Slots without any are left out.
func (h *Hospital) QuotaSlots(from, to hospital.Date) (slots []QuotaSlot, err error) {
	err = h.act("histest.QuotaSlots", func(t turn) error {
		for day := from; !to.Before(day) && t.onTimetable(day); day = day.AddDays(1) {
			for _, c := range t.workday(day).clinics {
				for _, s := range c.slots {
					if q := t.quotaOf(c, s); len(q.Numbers) > 0 {
						slots = append(slots, q)
					}
				}
			}
		}
		return nil
	})
	return slots, err
}

// quotaOf returns the platform's numbers of a slot: what was granted, or the
// share of the configuration.
func (t turn) quotaOf(c *clinic, s hospital.Slot) QuotaSlot {
	q := QuotaSlot{Schedule: c.ID, Slot: s.ID, Start: s.Start, End: s.End, Opaque: s.Opaque}
	if numbers, ok := t.state.quota[s.ID]; ok {
		q.Numbers = slices.Clone(numbers)
		return q
	}
	all := numbersOf(c, s)
	q.Numbers = all[len(all)-min(t.opening.Quota, len(all)):]
	return q
}

// platforms reports whether the number is the platform's.
func (t turn) platforms(c *clinic, s hospital.Slot, number int) bool {
	if numbers, ok := t.state.quota[s.ID]; ok {
		return slices.Contains(numbers, number)
	}
	if t.opening.Quota == 0 {
		return false
	}
	return slices.Contains(t.quotaOf(c, s).Numbers, number)
}
