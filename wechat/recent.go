package wechat

import (
	"sync"
	"time"
)

// recent remembers values for a while, at most so many: the oldest go first.
type recent[V any] struct {
	mu      sync.Mutex
	keep    time.Duration
	most    int
	entries map[string]*memory[V]
	order   []*memory[V] // as they came, so also as they go
}

type memory[V any] struct {
	key   string
	value V
	until time.Time
}

func newRecent[V any](keep time.Duration, most int) *recent[V] {
	return &recent[V]{keep: keep, most: most, entries: map[string]*memory[V]{}}
}

// use calls f on the value kept under the key, or on a fresh one, in a lock.
// What f leaves is kept; when f reports false, it is forgotten.
func (r *recent[V]) use(key string, now time.Time, f func(value *V, known bool) (keep bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.order) > 0 {
		oldest := r.order[0]
		known := r.entries[oldest.key] == oldest
		if known && now.Before(oldest.until) && len(r.order) < r.most {
			break
		}
		if known {
			delete(r.entries, oldest.key)
		}
		r.order[0] = nil
		r.order = r.order[1:]
	}
	entry, known := r.entries[key]
	if !known {
		entry = &memory[V]{key: key, until: now.Add(r.keep)}
	}
	switch keep := f(&entry.value, known); {
	case keep && !known:
		r.entries[key] = entry
		r.order = append(r.order, entry)
	case !keep && known:
		delete(r.entries, key)
	}
}
