// Package testclock is time in the hand of a test: business time for the far
// sides, and the time by which leases run.
package testclock

import (
	"sync"
	"time"
)

// Clock stands still until Pass moves it. Any number of goroutines may use it.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// At is a clock that shows t.
func At(t time.Time) *Clock { return &Clock{at: t} }

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Pass lets d go by.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
