package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// followed is the business clock of simulated far sides in another process. It
// runs with the wall's clock and is asked again every second, because it may
// leap; it never goes back.
type followed struct {
	at     *url.URL
	client *http.Client

	mu    sync.Mutex
	ahead time.Duration // of the wall's clock
	last  time.Time     // the latest time that was told
}

const (
	followEvery   = time.Second
	followTimeout = 2 * time.Second
	maxClockBody  = 1 << 10
)

// Now is business time.
func (f *followed) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now().Add(f.ahead); now.After(f.last) {
		f.last = now
	}
	return f.last
}

// ask reads the clock once.
func (f *followed) ask(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.at.String(), nil) //nolint:gosec // the operator names the clock; it is on loopback, see config.clock
	if err != nil {
		return err
	}
	answer, err := f.client.Do(r) //nolint:gosec // as above
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // read to its limit already
	var told struct {
		Now time.Time `json:"now"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxClockBody)).Decode(&told); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || told.Now.IsZero() {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ahead = time.Until(told.Now)
	return nil
}

// run keeps following until the context ends. While the other process is away
// the clock goes on with the wall's.
func (f *followed) run(ctx context.Context) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			_ = f.ask(ctx) // asked again in a second
		}
	}
}
