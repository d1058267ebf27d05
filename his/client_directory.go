package his

import (
	"context"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/internal/wire"
)

// accept is the check of a list whose items stand for themselves.
func accept[N any](N) error { return nil }

// Campuses implements [Directory].
func (c *Client) Campuses(ctx context.Context) ([]hospital.Campus, error) {
	answer, err := ask[wire.CampusesAnswer](ctx, c, reads("Campuses"), wire.NoArguments{})
	if err != nil {
		return nil, err
	}
	return each(answer.Campuses, func(w wire.Campus) hospital.Campus { return hospital.Campus(w) }, accept)
}

// Departments implements [Directory].
func (c *Client) Departments(ctx context.Context) ([]hospital.Department, error) {
	answer, err := ask[wire.DepartmentsAnswer](ctx, c, reads("Departments"), wire.NoArguments{})
	if err != nil {
		return nil, err
	}
	return each(answer.Departments, func(w wire.Department) hospital.Department { return hospital.Department(w) }, accept)
}

// Doctors implements [Directory].
func (c *Client) Doctors(ctx context.Context, department hospital.DepartmentID) ([]hospital.Doctor, error) {
	o := reads("Doctors")
	answer, err := ask[wire.DoctorsAnswer](ctx, c, o, wire.DoctorsRequest{Department: department})
	if err != nil {
		return nil, err
	}
	return each(answer.Doctors, func(w wire.Doctor) hospital.Doctor { return hospital.Doctor(w) }, func(d hospital.Doctor) error {
		return o.same(d.Department == department, "wrong_department", "department")
	})
}

// Schedules implements [Scheduling].
func (c *Client) Schedules(ctx context.Context, query ScheduleQuery) ([]hospital.Schedule, error) {
	o := reads("Schedules")
	answer, err := ask[wire.SchedulesAnswer](ctx, c, o, wire.SchedulesRequest(query))
	if err != nil {
		return nil, err
	}
	return each(answer.Schedules, wire.Schedule.Noun, func(s hospital.Schedule) error {
		return first(
			o.same(between(s.Date, query.From, query.To), "wrong_day", "day"),
			o.same(query.Department == "" || s.Department == query.Department, "wrong_department", "department"),
			o.same(query.Doctor == "" || s.Doctor == query.Doctor, "wrong_doctor", "doctor"),
		)
	})
}

// Slots implements [Scheduling].
func (c *Client) Slots(ctx context.Context, schedule hospital.ScheduleID) ([]hospital.Slot, error) {
	o := reads("Slots")
	answer, err := ask[wire.SlotsAnswer](ctx, c, o, wire.SlotsRequest{Schedule: schedule})
	if err != nil {
		return nil, err
	}
	return each(answer.Slots, func(w wire.Slot) hospital.Slot { return hospital.Slot(w) }, func(s hospital.Slot) error {
		return first(
			o.same(s.Schedule == schedule, "wrong_schedule", "schedule"),
			o.same(s.Start.Before(s.End), "bad_answer", "order of time"),
		)
	})
}

// Suspensions implements [Scheduling].
func (c *Client) Suspensions(ctx context.Context, from, to hospital.Date) ([]hospital.Suspension, error) {
	o := reads("Suspensions")
	answer, err := ask[wire.SuspensionsAnswer](ctx, c, o, wire.DaysRequest{From: from, To: to})
	if err != nil {
		return nil, err
	}
	return each(answer.Suspensions, func(w wire.Suspension) hospital.Suspension { return hospital.Suspension(w) }, func(s hospital.Suspension) error {
		return o.same(between(s.Date, from, to), "wrong_day", "day")
	})
}

func between(day, from, to hospital.Date) bool { return !day.Before(from) && !to.Before(day) }
