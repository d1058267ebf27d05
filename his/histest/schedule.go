package histest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

const (
	// scheduleDays is how far the timetable reaches, today included.
	scheduleDays = 14
	// segment is the length of a slot; the norm for hospitals of level 2 and
	// above is at most half an hour.
	segment = 30 * time.Minute
	// expertNumbers and ordinaryNumbers are the capacity of a slot.
	expertNumbers, ordinaryNumbers = 3, 8
	// maxWorkdays bounds the timetable kept in memory; a day is made again from
	// the roster whenever it is asked for.
	maxWorkdays = 40
)

// clinic is one schedule with its slots.
type clinic struct {
	hospital.Schedule
	slots []hospital.Slot
}

// workday is the timetable of one day.
type workday struct {
	clinics []*clinic
	byID    map[hospital.ScheduleID]*clinic

	slotNumbers int // 0 is as usual
}

// workday returns the timetable of the day, made from the roster alone.
func (h *Hospital) workday(day hospital.Date) *workday {
	if d, ok := h.days[day]; ok {
		return d
	}
	if len(h.days) >= maxWorkdays {
		clear(h.days)
	}
	d := &workday{byID: map[hospital.ScheduleID]*clinic{}, slotNumbers: h.opening.SlotNumbers}
	weekday := int(day.Weekday())
	for _, dept := range h.staff.departments {
		for _, session := range []hospital.Session{hospital.Morning, hospital.Afternoon} {
			d.add(dept, hospital.Doctor{}, day, session)
		}
	}
	for i, doctor := range h.staff.doctors {
		dept, _ := h.staff.department(doctor.Department)
		turn := (i*5 + weekday + h.opening.Seed) % 7
		if turn < 0 {
			turn += 7
		}
		// Each doctor sees patients on five half days a week, never on a
		// Sunday: the rest is wards, operations and teaching.
		switch {
		case weekday == 0:
		case turn == 0 || turn == 3:
			d.add(dept, doctor, day, hospital.Morning)
		case turn == 5:
			d.add(dept, doctor, day, hospital.Afternoon)
		case turn == 6:
			d.add(dept, doctor, day, hospital.Morning)
			d.add(dept, doctor, day, hospital.Afternoon)
		}
	}
	h.days[day] = d
	return d
}

// add puts a clinic on the timetable; the zero doctor is an ordinary clinic.
func (d *workday) add(dept hospital.Department, doctor hospital.Doctor, day hospital.Date, session hospital.Session) {
	who, letter := doctor.ID, "A"
	if who == "" {
		who = "PT"
	}
	if session == hospital.Afternoon {
		letter = "P"
	}
	perSlot := ordinaryNumbers
	if doctor.Expert {
		perSlot = expertNumbers
	}
	if d.slotNumbers > 0 {
		perSlot = d.slotNumbers
	}
	id := strings.Join([]string{day.At(0, 0).Format("20060102"), string(dept.ID), string(who), letter}, "-")
	c := &clinic{Schedule: hospital.Schedule{
		ID: hospital.ScheduleID(id), Campus: dept.Campus, Department: dept.ID, Doctor: doctor.ID,
		Date: day, Session: session, Expert: doctor.Expert, Fees: feesFor(doctor.Title),
		Room: roomFor(dept, who), Opaque: "sch|" + id + "|" + dept.Code,
	}}
	start, end := day.At(8, 0), day.At(11, 30)
	if session == hospital.Afternoon {
		start, end = day.At(13, 30), day.At(17, 0)
	}
	for at, n := start, int64(1); at.Before(end); at, n = at.Add(segment), n+1 {
		slot := id + "." + digits(n, 1)
		c.slots = append(c.slots, hospital.Slot{
			ID: hospital.SlotID(slot), Schedule: c.ID, Start: at, End: at.Add(segment),
			Capacity: perSlot, Opaque: "slot|" + slot + "|" + at.Format("1504"),
		})
		c.Capacity += perSlot
	}
	d.clinics = append(d.clinics, c)
	d.byID[c.ID] = c
}

// roomFor sends each doctor to one door of the department.
func roomFor(dept hospital.Department, who hospital.DoctorID) hospital.Room {
	building, rest, ok := strings.Cut(dept.Location, "楼")
	if !ok {
		return hospital.Room{Name: dept.Name + "诊室", Building: dept.Location}
	}
	door := 0
	for _, c := range []byte(who) {
		door = (door*10 + int(c)) % 9
	}
	return hospital.Room{
		Name: dept.Name + digits(int64(door+1), 1) + "诊室", Building: building + "楼", Floor: rest,
	}
}

// clinic finds a schedule between the opening day and the end of the timetable.
func (t turn) clinic(id hospital.ScheduleID) (*clinic, bool) {
	head, _, ok := strings.Cut(string(id), "-")
	if !ok || len(head) != len("20060102") {
		return nil, false
	}
	day, err := hospital.ParseDate(head)
	if err != nil || !t.onTimetable(day) {
		return nil, false
	}
	c, ok := t.workday(day).byID[id]
	return c, ok
}

// slot finds a slot and its clinic.
func (t turn) slot(id hospital.SlotID) (*clinic, hospital.Slot, bool) {
	schedule, _, _ := strings.Cut(string(id), ".")
	c, ok := t.clinic(hospital.ScheduleID(schedule))
	if !ok {
		return nil, hospital.Slot{}, false
	}
	for _, s := range c.slots {
		if s.ID == id {
			return c, s, true
		}
	}
	return nil, hospital.Slot{}, false
}

func (t turn) onTimetable(day hospital.Date) bool {
	first, last := hospital.DateOf(t.opening.At), t.today().AddDays(scheduleDays-1)
	return !day.Before(first) && !last.Before(day)
}

// Schedules returns the timetable of the days asked for, as far as it reaches:
// 14 days from today.
func (h *Hospital) Schedules(ctx context.Context, query his.ScheduleQuery) (found []hospital.Schedule, err error) {
	err = h.do(ctx, "histest.Schedules", func(t turn) error {
		if query.From.IsZero() || query.To.IsZero() || query.To.Before(query.From) {
			return t.refuse(hospital.Invalid, "bad_days", "want From and To, From not after To")
		}
		last := t.today().AddDays(scheduleDays - 1)
		if query.To.Before(last) {
			last = query.To
		}
		first := hospital.DateOf(t.opening.At)
		if first.Before(query.From) {
			first = query.From
		}
		for day := first; !last.Before(day); day = day.AddDays(1) {
			for _, c := range t.workday(day).clinics {
				if (query.Department == "" || c.Department == query.Department) && (query.Doctor == "" || c.Doctor == query.Doctor) {
					found = append(found, t.offered(c))
				}
			}
		}
		return nil
	})
	return found, err
}

// Slots returns the segments of one schedule in the order of time; NotFound
// when it does not exist. Left does not count the platform's own numbers.
func (h *Hospital) Slots(ctx context.Context, schedule hospital.ScheduleID) (found []hospital.Slot, err error) {
	err = h.do(ctx, "histest.Slots", func(t turn) error {
		c, ok := t.clinic(schedule)
		if !ok {
			return t.refuse(hospital.NotFound, "no_such_schedule", "")
		}
		for _, s := range c.slots {
			s.Left, s.Capacity = t.left(c, s), len(t.numbersOf(c, s))
			found = append(found, s)
		}
		return nil
	})
	return found, err
}

// Suspensions returns the closed clinics of the days, in the order of day and id.
func (h *Hospital) Suspensions(ctx context.Context, from, to hospital.Date) (found []hospital.Suspension, err error) {
	err = h.do(ctx, "histest.Suspensions", func(t turn) error {
		if from.IsZero() || to.IsZero() || to.Before(from) {
			return t.refuse(hospital.Invalid, "bad_days", "want from and to, from not after to")
		}
		for _, s := range t.state.suspensions {
			if !s.Date.Before(from) && !to.Before(s.Date) {
				found = append(found, s)
			}
		}
		slices.SortFunc(found, func(a, b hospital.Suspension) int { return cmp.Compare(a.Schedule, b.Schedule) })
		return nil
	})
	return found, err
}

// offered is the schedule as it is offered now.
func (t turn) offered(c *clinic) hospital.Schedule {
	s := c.Schedule
	_, s.Suspended = t.state.suspensions[c.ID]
	for _, slot := range c.slots {
		s.Left += t.left(c, slot)
		s.Capacity += len(t.state.extra[slot.ID])
	}
	return s
}

// left counts the numbers that anybody may still take: 0 when the clinic is
// closed or the segment over.
func (t turn) left(c *clinic, s hospital.Slot) int {
	if _, closed := t.state.suspensions[c.ID]; closed || !t.now.Before(s.End) {
		return 0
	}
	n := 0
	for _, number := range t.numbersOf(c, s) {
		if t.free(s.ID, number) && !t.platforms(c, s, number) {
			n++
		}
	}
	return n
}

func (t turn) free(slot hospital.SlotID, number int) bool {
	_, taken := t.state.taken[slot][number]
	return !taken
}

// numbersOf are the numbers of a slot, those released since included.
func (t turn) numbersOf(c *clinic, s hospital.Slot) []int {
	return append(numbersOf(c, s), t.state.extra[s.ID]...)
}

// numbersOf are the timetable's numbers of a slot. They run on through the schedule, so
// the number on the ticket is also the place in the queue.
func numbersOf(c *clinic, s hospital.Slot) []int {
	first := 1
	for _, earlier := range c.slots {
		if earlier.ID == s.ID {
			break
		}
		first += earlier.Capacity
	}
	numbers := make([]int, s.Capacity)
	for i := range numbers {
		numbers[i] = first + i
	}
	return numbers
}
