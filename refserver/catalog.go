package refserver

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mozillazg/go-pinyin"
	"golang.org/x/sync/singleflight"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// How old what the HIS said may be, and how old while it does not answer.
const (
	directoryAge  = 5 * time.Minute
	freshAge      = 4 * time.Second // remaining numbers
	staleAge      = time.Hour
	catalogDays   = 31
	fetchTimeout  = 8 * time.Second
	maxRemembered = 4096
)

// catalog is a short-lived copy of the HIS's directory and schedules: many
// patients who look at one page are one question.
type catalog struct {
	his       his.System
	now, wall func() time.Time
	flight    singleflight.Group
	mu        sync.Mutex
	kept      map[string]remembered
}

type remembered struct {
	value any
	at    time.Time
}

func newCatalog(system his.System, now, wall func() time.Time) *catalog {
	return &catalog{his: system, now: now, wall: wall, kept: map[string]remembered{}}
}

// ask returns what the HIS says, at most age old. While the HIS does not answer
// what it said before serves for a while, and stale says so.
func ask[T any](ctx context.Context, c *catalog, key string, age time.Duration, fetch func(context.Context) (T, error)) (value T, stale bool, err error) {
	c.mu.Lock()
	old, known := c.kept[key]
	c.mu.Unlock()
	if known && c.wall().Sub(old.at) < age {
		value, _ = old.value.(T) // one key, one type
		return value, false, nil
	}
	answer, err, _ := c.flight.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return fetch(ctx)
	})
	if err != nil {
		if known && hospital.KindOf(err) == hospital.Unavailable && c.wall().Sub(old.at) < staleAge {
			value, _ = old.value.(T)
			return value, true, nil
		}
		return value, false, err
	}
	c.mu.Lock()
	if len(c.kept) >= maxRemembered {
		clear(c.kept)
	}
	c.kept[key] = remembered{answer, c.wall()}
	c.mu.Unlock()
	value, _ = answer.(T)
	return value, false, nil
}

func (c *catalog) departments(ctx context.Context) ([]hospital.Department, bool, error) {
	return ask(ctx, c, "departments", directoryAge, c.his.Directory.Departments)
}

func (c *catalog) department(ctx context.Context, id hospital.DepartmentID) (hospital.Department, error) {
	all, _, err := c.departments(ctx)
	if err != nil {
		return hospital.Department{}, err
	}
	if i := slices.IndexFunc(all, func(d hospital.Department) bool { return d.ID == id }); i >= 0 {
		return all[i], nil
	}
	return hospital.Department{}, absent()
}

func (c *catalog) doctorsOf(ctx context.Context, id hospital.DepartmentID) ([]hospital.Doctor, error) {
	all, _, err := ask(ctx, c, "doctors/"+string(id), directoryAge, func(ctx context.Context) ([]hospital.Doctor, error) {
		return c.his.Directory.Doctors(ctx, id)
	})
	return all, err
}

func (c *catalog) doctors(ctx context.Context) (all []hospital.Doctor, err error) {
	departments, _, err := c.departments(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range departments {
		some, err := c.doctorsOf(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// doctor is one doctor, the zero Doctor for an ordinary clinic.
func (c *catalog) doctor(ctx context.Context, department hospital.DepartmentID, id hospital.DoctorID) (hospital.Doctor, error) {
	if id == "" {
		return hospital.Doctor{}, nil
	}
	all, err := c.doctorsOf(ctx, department)
	if err != nil {
		return hospital.Doctor{}, err
	}
	if i := slices.IndexFunc(all, func(d hospital.Doctor) bool { return d.ID == id }); i >= 0 {
		return all[i], nil
	}
	return hospital.Doctor{}, absent()
}

// schedules are all clinics from today on, so many days ahead.
func (c *catalog) schedules(ctx context.Context, days int) ([]hospital.Schedule, bool, error) {
	from := hospital.DateOf(c.now())
	to := from.AddDays(min(days, catalogDays))
	return ask(ctx, c, "schedules/"+from.String()+"/"+to.String(), freshAge, func(ctx context.Context) ([]hospital.Schedule, error) {
		return c.his.Scheduling.Schedules(ctx, his.ScheduleQuery{From: from, To: to})
	})
}

// schedule is one clinic of a day that may be past.
func (c *catalog) scheduleOn(ctx context.Context, day hospital.Date, department hospital.DepartmentID, id hospital.ScheduleID) (hospital.Schedule, error) {
	all, _, err := ask(ctx, c, "day/"+day.String()+"/"+string(department), directoryAge, func(ctx context.Context) ([]hospital.Schedule, error) {
		return c.his.Scheduling.Schedules(ctx, his.ScheduleQuery{From: day, To: day, Department: department})
	})
	if err != nil {
		return hospital.Schedule{}, err
	}
	if i := slices.IndexFunc(all, func(s hospital.Schedule) bool { return s.ID == id }); i >= 0 {
		return all[i], nil
	}
	return hospital.Schedule{}, absent()
}

func (c *catalog) slots(ctx context.Context, id hospital.ScheduleID) ([]hospital.Slot, bool, error) {
	return ask(ctx, c, "slots/"+string(id), freshAge, func(ctx context.Context) ([]hospital.Slot, error) {
		return c.his.Scheduling.Slots(ctx, id)
	})
}

// forget makes the next question about a clinic go to the HIS.
func (c *catalog) forget(id hospital.ScheduleID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, "slots/"+string(id))
	for key := range c.kept {
		if strings.HasPrefix(key, "schedules/") {
			delete(c.kept, key)
		}
	}
}

func absent() error {
	return &hospital.Error{Kind: hospital.NotFound, Op: "refserver", Code: "absent"}
}

// matches reports whether a name fits what was typed: characters of it, its
// pinyin or the initials of that.
func matches(name, typed string) bool {
	typed = strings.ToLower(strings.TrimSpace(typed))
	if typed == "" || strings.Contains(strings.ToLower(name), typed) {
		return true
	}
	whole, initials := "", ""
	for _, syllable := range pinyin.LazyConvert(name, nil) {
		whole += syllable
		initials += syllable[:1]
	}
	return strings.HasPrefix(whole, typed) || strings.Contains(initials, typed)
}
