package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
)

// clock is the business clock of the demo. It moves only when it is told to,
// and remembers where it stood.
type clock struct {
	file string

	mu   sync.Mutex
	kept kept
}

// kept is what the demo itself remembers; everything else is in the database
// and in the journals.
type kept struct {
	Opened hospital.Date // the first day
	Now    time.Time
	Rounds int // rounds begun
}

// openClock reads the clock of the data folder. A new one shows start.
func openClock(dir string, start time.Time) (c *clock, continued bool, err error) {
	c = &clock{file: filepath.Join(dir, "clock.json")}
	data, err := os.ReadFile(filepath.Clean(c.file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.kept = kept{Opened: hospital.DateOf(start), Now: start}
		return c, false, c.save()
	case err != nil:
		return nil, false, fmt.Errorf("-data：读不了业务时钟：%w", err)
	}
	if err := json.Unmarshal(data, &c.kept); err != nil || c.kept.Now.IsZero() {
		return nil, false, fmt.Errorf("-data：%s 不是业务时钟；请删除整个数据目录，或换一个目录", c.file)
	}
	c.kept.Now = c.kept.Now.In(hospital.CST)
	return c, true, nil
}

// Now is business time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.Now
}

// day is today in business time.
func (c *clock) day() hospital.Date { return hospital.DateOf(c.Now()) }

// to moves the clock on. It never goes back: what happened keeps its order.
func (c *clock) to(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.kept.Now) {
		c.kept.Now = at
	}
	return c.save()
}

// begin counts a round and returns its number, from 0.
func (c *clock) begin() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.Rounds++
	return c.kept.Rounds - 1, c.save()
}

// opened is the first day of the data folder.
func (c *clock) opened() hospital.Date {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.Opened
}

// save replaces the file as a whole. The caller holds mu, or nobody else does.
func (c *clock) save() error {
	data, err := json.Marshal(c.kept)
	if err == nil {
		err = os.WriteFile(c.file+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(c.file+".new", c.file)
	}
	if err != nil {
		return fmt.Errorf("-data：记不下业务时钟：%w", err)
	}
	return nil
}

// nextMorning is 07:30 of the first working day after at. Public holidays are
// not known here.
func nextMorning(at time.Time) time.Time {
	day := hospital.DateOf(at).AddDays(1)
	for day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
		day = day.AddDays(1)
	}
	return day.At(7, 30)
}
