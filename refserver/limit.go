package refserver

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often one of each may ask, in a burst and on the average. A patient who
// leafs through pages stays far below.
const (
	readsPerSecond, readBurst = 10, 60 // a session, a peer without one
	peerPerSecond, peerBurst  = 50, 300
	actsPerSecond, actBurst   = 0.5, 12 // a user's forms, and those about a patient
	maxLimiters               = 1 << 16
)

// limits are token buckets by what they bound. They live in this process: what
// must hold across processes, the codes, is counted in the store.
type limits struct {
	wall func() time.Time
	told func(key string) // of every refusal
	mu   sync.Mutex
	by   map[string]*rate.Limiter
}

func newLimits(wall func() time.Time, told func(key string)) *limits {
	return &limits{wall: wall, told: told, by: map[string]*rate.Limiter{}}
}

// allow takes one token of the bucket.
func (l *limits) allow(key string, perSecond rate.Limit, burst int) bool {
	allowed := l.take(key, perSecond, burst)
	if !allowed {
		l.told(key)
	}
	return allowed
}

func (l *limits) take(key string, perSecond rate.Limit, burst int) bool {
	now := l.wall()
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.by[key]
	if bucket == nil {
		if len(l.by) >= maxLimiters {
			for old, b := range l.by { // those that are full again forget nothing
				if int(b.TokensAt(now)) >= b.Burst() {
					delete(l.by, old)
				}
			}
			if len(l.by) >= maxLimiters {
				return false
			}
		}
		bucket = rate.NewLimiter(perSecond, burst)
		l.by[key] = bucket
	}
	return bucket.AllowN(now, 1)
}
