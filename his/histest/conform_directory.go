package histest

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// nowhere is an identifier that no hospital gives.
const nowhere = "no-such-thing-0"

func directoryChecks() []check {
	return []check{
		{"the directory is complete", "Directory", checkDirectory},
		{"the directory's Chinese is intact", "Directory departments", checkDirectoryText},
		{"a schedule is offered on its day and within its query", "Scheduling Registrar fee", checkSchedules},
		{"slots are half hours in the order of time", "Scheduling Registrar", checkSlots},
	}
}

func checkDirectory(ctx context.Context, t *Trial) error {
	campuses, err := t.System.Directory.Campuses(ctx)
	if err != nil {
		return done("Campuses", err)
	}
	sites := map[hospital.CampusID]bool{}
	for _, c := range campuses {
		if c.ID == "" || c.Name == "" || sites[c.ID] {
			return fmt.Errorf("campus %q has no identifier of its own or no name", c.ID)
		}
		sites[c.ID] = true
	}
	departments, err := t.System.Directory.Departments(ctx)
	if err != nil {
		return done("Departments", err)
	}
	if len(departments) == 0 {
		return fmt.Errorf("there are no departments")
	}
	known := map[hospital.DepartmentID]bool{}
	for _, d := range departments {
		switch {
		case d.ID == "" || d.Name == "" || known[d.ID]:
			return fmt.Errorf("department %q has no identifier of its own or no name", d.ID)
		case !sites[d.Campus]:
			return fmt.Errorf("department %s lies on campus %q, which does not exist", d.ID, d.Campus)
		}
		known[d.ID] = true
		doctors, err := t.System.Directory.Doctors(ctx, d.ID)
		if err != nil {
			return done("Doctors of "+string(d.ID), err)
		}
		for _, doctor := range doctors {
			if doctor.ID == "" || doctor.Name == "" || doctor.Department != d.ID {
				return fmt.Errorf("doctor %q of department %s has no identifier, no name or another department", doctor.ID, d.ID)
			}
			if err := readable(doctor.Name, doctor.Title, doctor.Specialty, doctor.Introduction); err != nil {
				return fmt.Errorf("doctor %s: %w", doctor.ID, err)
			}
		}
	}
	_, err = t.System.Directory.Doctors(ctx, nowhere)
	return want("Doctors of a department that does not exist", err, hospital.NotFound)
}

func checkDirectoryText(ctx context.Context, t *Trial) error {
	departments, err := t.System.Directory.Departments(ctx)
	if err != nil {
		return done("Departments", err)
	}
	told := map[hospital.DepartmentID]hospital.Department{}
	for _, d := range departments {
		told[d.ID] = d
		if err := readable(d.Name, d.Introduction, d.Location); err != nil {
			return fmt.Errorf("department %s: %w", d.ID, err)
		}
	}
	for _, d := range t.Departments {
		if err := same("department "+string(d.ID), told[d.ID], d); err != nil {
			return err
		}
	}
	return nil
}

// readable refuses text that went through the wrong character set.
func readable(texts ...string) error {
	for _, s := range texts {
		switch {
		case !utf8.ValidString(s):
			return fmt.Errorf("%q is not UTF-8", s)
		case strings.ContainsRune(s, utf8.RuneError):
			return fmt.Errorf("%q lost characters", s)
		case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }):
			return fmt.Errorf("%q contains control characters", s)
		}
	}
	return nil
}

func checkSchedules(ctx context.Context, t *Trial) error {
	today := hospital.DateOf(t.Now())
	all, err := t.System.Scheduling.Schedules(ctx, his.ScheduleQuery{From: today, To: today.AddDays(13)})
	if err != nil {
		return done("Schedules", err)
	}
	var ours hospital.Schedule
	for _, s := range all {
		if s.ID == t.Schedule {
			ours = s
		}
		if s.Date.Before(today) || today.AddDays(13).Before(s.Date) {
			return fmt.Errorf("schedule %s lies outside the days asked for", s.ID)
		}
	}
	if ours.ID == "" {
		return fmt.Errorf("schedule %s is not offered", t.Schedule)
	}
	if err := same("fee of the schedule", ours.Fees.Total(), t.Fee); err != nil {
		return err
	}
	narrow, err := t.System.Scheduling.Schedules(ctx, his.ScheduleQuery{From: ours.Date, To: ours.Date, Department: ours.Department, Doctor: ours.Doctor})
	if err != nil {
		return done("Schedules of one doctor", err)
	}
	found := false
	for _, s := range narrow {
		found = found || s.ID == ours.ID
		if s.Date != ours.Date || s.Department != ours.Department || (ours.Doctor != "" && s.Doctor != ours.Doctor) {
			return fmt.Errorf("schedule %s was not asked for", s.ID)
		}
	}
	if !found {
		return fmt.Errorf("schedule %s is lost when asked for by day, department and doctor", ours.ID)
	}
	return nil
}

func checkSlots(ctx context.Context, t *Trial) error {
	slots, err := t.System.Scheduling.Slots(ctx, t.Schedule)
	if err != nil {
		return done("Slots", err)
	}
	var last time.Time
	found := false
	for _, s := range slots {
		found = found || s.ID == t.Slot
		switch {
		case s.Schedule != t.Schedule:
			return fmt.Errorf("slot %s belongs to another schedule", s.ID)
		case s.Start.Before(last):
			return fmt.Errorf("slot %s stands out of order", s.ID)
		case !s.Start.Before(s.End) || s.End.Sub(s.Start) > segment:
			return fmt.Errorf("slot %s is empty or longer than half an hour", s.ID)
		case s.Left != hospital.Unlimited && (s.Left < 0 || s.Left > s.Capacity):
			return fmt.Errorf("slot %s has %d left of %d", s.ID, s.Left, s.Capacity)
		}
		last = s.Start
	}
	if !found {
		return fmt.Errorf("slot %s is not offered", t.Slot)
	}
	_, err = t.System.Scheduling.Slots(ctx, nowhere)
	return want("Slots of a schedule that does not exist", err, hospital.NotFound)
}
