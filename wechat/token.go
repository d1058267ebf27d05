package wechat

import (
	"context"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
)

// Token is a credential that the platform gave out for a while: an
// access_token or a jsapi_ticket.
type Token struct {
	Value string
	// Renew is when to ask for the next one, Expires when the platform stops
	// taking this one. Between the two it still serves.
	Renew, Expires time.Time
	// Forced is when a new one was last demanded before its time, and Forces
	// how often that was on that day in China.
	Forced time.Time
	Forces int
}

// TokenStore keeps tokens where all replicas of a server find them, and lets
// one of them at a time fetch the next. [MemoryTokens] serves one process,
// package wechatsql many. Every method may return Unavailable when the store
// is down; nothing else is expected of it.
type TokenStore interface {
	// Load returns what is kept under the name, the zero Token for nothing.
	Load(ctx context.Context, name string) (Token, error)
	// Lease reports whether the holder may fetch the next token. It may, alone,
	// until it saves or releases, or until d has passed by the store's clock. A
	// holder that leases again is given the lease anew.
	Lease(ctx context.Context, name, holder string, d time.Duration) (bool, error)
	// Save keeps the token and ends the lease. It returns Conflict with code
	// lease_lost, and keeps nothing, when the lease is not the holder's any more.
	Save(ctx context.Context, name, holder string, token Token) error
	// Release ends the lease, if it is still the holder's.
	Release(ctx context.Context, name, holder string) error
}

// ErrLeaseLost is returned by [TokenStore.Save].
var ErrLeaseLost = &hospital.Error{Kind: hospital.Conflict, Op: "wechat.TokenStore", Code: "lease_lost"}

// MemoryTokens keeps tokens in this process. The zero value is ready.
type MemoryTokens struct {
	mu   sync.Mutex
	rows map[string]memoryToken
}

type memoryToken struct {
	token  Token
	holder string
	until  time.Time
}

var _ TokenStore = (*MemoryTokens)(nil)

// Load implements [TokenStore].
func (m *MemoryTokens) Load(_ context.Context, name string) (Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[name].token, nil
}

// Lease implements [TokenStore].
func (m *MemoryTokens) Lease(_ context.Context, name, holder string, d time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, now := m.rows[name], time.Now()
	if row.holder != "" && row.holder != holder && now.Before(row.until) {
		return false, nil
	}
	row.holder, row.until = holder, now.Add(d)
	m.put(name, row)
	return true, nil
}

// Save implements [TokenStore].
func (m *MemoryTokens) Save(_ context.Context, name, holder string, token Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows[name].holder != holder {
		return ErrLeaseLost
	}
	m.put(name, memoryToken{token: token})
	return nil
}

// Release implements [TokenStore].
func (m *MemoryTokens) Release(_ context.Context, name, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if row := m.rows[name]; row.holder == holder {
		m.put(name, memoryToken{token: row.token})
	}
	return nil
}

func (m *MemoryTokens) put(name string, row memoryToken) {
	if m.rows == nil {
		m.rows = map[string]memoryToken{}
	}
	m.rows[name] = row
}
