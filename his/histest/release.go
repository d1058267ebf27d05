package histest

import (
	"slices"

	"github.com/wxhospital/hospital"
)

// extra are the numbers of a slot beyond those of the timetable.
type extra struct {
	Slot    hospital.SlotID `json:"slot"`
	Numbers []int           `json:"numbers"`
}

// maxReleased bounds what one release adds to a slot; a doctor sees no more in
// half an hour.
const maxReleased = 10

// Release opens n more numbers in each segment of the clinic that is still
// ahead (放号, 加号) and returns how many that makes. They stand behind all
// other numbers of the clinic. Invalid: n is not 1 to 10. NotFound: no such
// schedule. Conflict suspended: closed. Rejected over: no segment is ahead.
func (h *Hospital) Release(schedule hospital.ScheduleID, n int) (added int, err error) {
	err = h.act("histest.Release", func(t turn) error {
		c, ok := t.clinic(schedule)
		switch {
		case !ok:
			return t.refuse(hospital.NotFound, "no_such_schedule", "")
		case n < 1 || n > maxReleased:
			return t.refuse(hospital.Invalid, "bad_release", "want 1 to 10 numbers a slot")
		}
		if _, closed := t.state.suspensions[schedule]; closed {
			return t.refuse(hospital.Conflict, "suspended", "")
		}
		last := c.Capacity
		for _, s := range c.slots {
			last += len(t.state.extra[s.ID])
		}
		e := effect{Kind: released}
		for _, s := range c.slots {
			if !t.now.Before(s.Start) {
				continue
			}
			more := extra{s.ID, slices.Clone(t.state.extra[s.ID])}
			for range n {
				last++
				more.Numbers = append(more.Numbers, last)
			}
			e.Extra = append(e.Extra, more)
			added += n
		}
		if added == 0 {
			return t.refuse(hospital.Rejected, "over", "")
		}
		return t.record(e)
	})
	return added, err
}
