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

// clock is the business clock of the demo, which remembers where it stood. It
// moves when it is told to; a running one also moves with the wall's clock.
type clock struct {
	file    string
	running bool

	mu   sync.Mutex
	kept kept
}

// kept is what the demo itself remembers; everything else is in the database
// and in the journals.
type kept struct {
	Opened hospital.Date // the first day
	Now    time.Time
	Wall   time.Time // when that was
	Rounds int       // rounds begun

	Phones map[string]string // openid by user, as a server's table of users has it
	Told   int64             // the last event that patients were told of
}

// openClock reads the clock of the data folder. A new one shows start.
func openClock(dir string, start time.Time, running bool) (c *clock, continued bool, err error) {
	c = &clock{file: filepath.Join(dir, "clock.json"), running: running}
	data, err := os.ReadFile(filepath.Clean(c.file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.kept = kept{Opened: hospital.DateOf(start), Now: start, Wall: time.Now()}
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
	return c.now()
}

func (c *clock) now() time.Time {
	if !c.running {
		return c.kept.Now
	}
	return c.kept.Now.Add(max(0, time.Since(c.kept.Wall)))
}

// day is today in business time.
func (c *clock) day() hospital.Date { return hospital.DateOf(c.Now()) }

// To moves the clock on. It never goes back: what happened keeps its order.
func (c *clock) To(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.now()) {
		c.kept.Now, c.kept.Wall = at.In(hospital.CST), time.Now()
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

// phone is the openid of a user, "" for one who has none yet.
func (c *clock) phone(user string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.Phones[user]
}

// give remembers a user's openid.
func (c *clock) give(user, openID string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept.Phones == nil {
		c.kept.Phones = map[string]string{}
	}
	c.kept.Phones[user] = openID
	return c.save()
}

// told is the last event that patients were told of.
func (c *clock) told() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.Told
}

// tell remembers that patients were told of an event.
func (c *clock) tell(event int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.Told = event
	return c.save()
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
