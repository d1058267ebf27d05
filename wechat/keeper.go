package wechat

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
)

const (
	// tokenMargin is how long before its end a token is replaced: for as long
	// the platform takes the old one and the new one.
	tokenMargin = 5 * time.Minute
	// tokenJitter spreads the replacement into the margin, never before it:
	// asked sooner, the platform gives the same token again.
	tokenJitter = time.Minute
	maxTokenAge = 24 * time.Hour // no token lives longer; beyond it the answer is wrong

	// forceApart and forcesADay are the platform's limits for force_refresh.
	forceApart = 30 * time.Second
	forcesADay = 20

	refreshTimeout = 14 * time.Second // below half the lease, so a holder never outlives it
	refreshLease   = 30 * time.Second
	refreshPoll    = 100 * time.Millisecond // how often those without the lease look
	storeTimeout   = 3 * time.Second        // a store that says nothing for so long is down
	// pauseAfterFailure keeps a crowd from asking a platform that has just said
	// no, or a store that is down, once a request.
	pauseAfterFailure = time.Second
)

// keeper keeps one token: in memory, behind it in the store, behind it at the
// platform. However many ask at once, in however many processes, the platform
// is asked once.
type keeper struct {
	name, holder string
	store        TokenStore
	now          func() time.Time
	logger       *slog.Logger
	// fetch asks the platform. With force it demands another token.
	fetch func(ctx context.Context, force bool) (value string, life time.Duration, err error)
	// ruthless: every fetch replaces the token, for all who hold it.
	ruthless bool

	mu      sync.Mutex
	held    Token
	dead    string // refused by the platform
	flight  *flight
	pause   time.Time // no new flight before, if it can be helped
	failure error     // of the last flight
}

// flight is one refresh under way, for all who wait for it.
type flight struct {
	done  chan struct{}
	token Token
	err   error
}

func newKeeper(name string, config Config, fetch func(context.Context, bool) (string, time.Duration, error)) *keeper {
	return &keeper{
		name: config.AppID + "/" + name, holder: rand.Text(), store: promptStore{config.Tokens}, now: config.Now, logger: config.Logger, fetch: fetch,
	}
}

// token returns a value that the platform takes, as far as anybody knows. dead
// is one that it has refused, "" for none. When dead is returned, nothing
// better could be had, and the call that failed with it has failed.
func (k *keeper) token(ctx context.Context, dead string) (string, error) {
	for range 2 {
		f, value, err := k.join(ctx, dead)
		if f == nil {
			return value, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return "", &hospital.Error{Kind: hospital.Unavailable, Op: "wechat.token", Code: "deadline", Err: ctx.Err()}
		}
		if f.err != nil {
			return k.lastGood(f.err)
		}
		if dead == "" || f.token.Value != dead {
			return f.token.Value, nil
		}
		// The flight had taken off before the platform refused the token it
		// came back with: once more.
	}
	return dead, nil
}

// lastGood returns the token that serves while no other can be had.
func (k *keeper) lastGood(failure error) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.usable() {
		return k.held.Value, nil
	}
	return "", failure
}

// usable reports whether the held token is one the platform still takes.
func (k *keeper) usable() bool {
	return k.held.Value != "" && k.held.Value != k.dead && k.now().Before(k.held.Expires)
}

// join returns the answer at once, or the flight to wait for.
func (k *keeper) join(ctx context.Context, dead string) (*flight, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if dead != "" && dead == k.held.Value {
		if now.Before(k.pause) && k.flight == nil {
			return nil, dead, nil
		}
		k.dead = dead
	}
	if k.usable() && (now.Before(k.held.Renew) || k.flight != nil || now.Before(k.pause)) {
		return nil, k.held.Value, nil
	}
	if k.flight == nil && k.failure != nil && now.Before(k.pause) {
		return nil, "", k.failure
	}
	if k.flight == nil {
		k.flight = &flight{done: make(chan struct{})}
		// Whoever asked first may go away; the others still wait.
		go k.run(context.WithoutCancel(ctx), k.flight, k.dead)
	}
	return k.flight, "", nil
}

func (k *keeper) run(ctx context.Context, f *flight, dead string) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	f.token, f.err = k.refresh(ctx, dead)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	k.flight, k.failure = nil, f.err
	switch {
	case f.err != nil:
		k.logger.WarnContext(ctx, "wechat token not refreshed", "token", k.name, "error", f.err)
		k.pause = now.Add(pauseAfterFailure)
	case f.token.Value == dead: // the platform stands by it, and it may not be forced
		k.held, k.dead, k.pause = f.token, "", now.Add(pauseAfterFailure)
	default:
		k.held, k.dead = f.token, ""
		if !now.Before(f.token.Renew) {
			k.pause = now.Add(pauseAfterFailure) // another process is about to renew it
		}
	}
	close(f.done)
}

// refresh finds the next token: in the store, where another process may have
// put it, or at the platform.
func (k *keeper) refresh(ctx context.Context, dead string) (Token, error) {
	for {
		stored, err := k.store.Load(ctx, k.name)
		if err != nil {
			return k.alone(ctx, dead, err)
		}
		if k.serves(stored, dead) {
			return stored, nil
		}
		leased, err := k.store.Lease(ctx, k.name, k.holder, refreshLease)
		switch {
		case err != nil:
			return k.alone(ctx, dead, err)
		case leased:
			return k.lead(ctx, dead)
		case stored.Value != "" && stored.Value != dead && k.now().Before(stored.Expires):
			return stored, nil // it serves while another process renews it
		}
		wait := time.NewTimer(refreshPoll)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return Token{}, &hospital.Error{Kind: hospital.Unavailable, Op: "wechat.token", Code: "refresh_elsewhere", Detail: k.name, Err: ctx.Err()}
		}
	}
}

// serves reports whether a stored token needs no refresh. After a refusal, any
// other token than the refused one is news.
func (k *keeper) serves(stored Token, dead string) bool {
	if stored.Value == "" || stored.Value == dead {
		return false
	}
	if dead != "" {
		return k.now().Before(stored.Expires)
	}
	return k.now().Before(stored.Renew)
}

// lead fetches the token under the lease and shares it.
func (k *keeper) lead(ctx context.Context, dead string) (Token, error) {
	token, err := k.fetchNext(ctx, dead)
	if err != nil || token.shared {
		if released := k.store.Release(context.WithoutCancel(ctx), k.name, k.holder); released != nil {
			k.logger.WarnContext(ctx, "wechat token lease not released", "token", k.name, "error", released)
		}
		return token.Token, err
	}
	switch err := k.store.Save(ctx, k.name, k.holder, token.Token); {
	case errors.Is(err, ErrLeaseLost):
		// Another process has fetched since; what it shares is the younger.
		if stored, err := k.store.Load(ctx, k.name); err == nil && k.serves(stored, dead) {
			return stored, nil
		}
	case err != nil:
		k.logger.WarnContext(ctx, "wechat token not shared", "token", k.name, "error", err)
	}
	return token.Token, nil
}

// fetched is a token and whether the store has it already.
type fetched struct {
	Token

	shared bool
}

// fetchNext asks the platform. Another token is demanded only when the
// platform insists on one it has just refused: to demand it at once would kill
// the token of every other system that shares the account.
func (k *keeper) fetchNext(ctx context.Context, dead string) (fetched, error) {
	stored, err := k.store.Load(ctx, k.name)
	if err != nil { // it has just given the lease; without its count nothing is forced
		return fetched{}, err
	}
	if k.serves(stored, dead) {
		return fetched{stored, true}, nil
	}
	refused := dead != ""
	if k.ruthless && refused && !mayForce(stored, k.now()) {
		return fetched{stored, true}, nil
	}
	next, err := k.ask(ctx, false)
	if err != nil {
		return fetched{}, err
	}
	force := refused && next.Value == dead
	if force && !mayForce(stored, k.now()) {
		next.Forced, next.Forces = stored.Forced, stored.Forces
		return fetched{Token: next}, nil
	}
	if force {
		if next, err = k.ask(ctx, true); err != nil {
			return fetched{}, err
		}
	}
	next.Forced, next.Forces = stored.Forced, stored.Forces
	if force || k.ruthless && refused {
		now := k.now()
		if hospital.DateOf(next.Forced) != hospital.DateOf(now) {
			next.Forces = 0
		}
		next.Forced, next.Forces = now, next.Forces+1
	}
	return fetched{Token: next}, nil
}

// mayForce keeps the platform's limits for force_refresh, across processes.
func mayForce(last Token, now time.Time) bool {
	if last.Forced.IsZero() {
		return true
	}
	today := hospital.DateOf(last.Forced) == hospital.DateOf(now)
	return now.Sub(last.Forced) >= forceApart && (!today || last.Forces < forcesADay)
}

// alone does without the store: with the last good token while it lives, then
// with the platform, which gives every process the same one. A call that would
// replace it for all the others is not made.
func (k *keeper) alone(ctx context.Context, dead string, down error) (Token, error) {
	k.logger.WarnContext(ctx, "wechat token store is down", "token", k.name, "error", down)
	k.mu.Lock()
	held := k.held
	usable := k.usable()
	k.mu.Unlock()
	if usable && held.Value != dead {
		return held, nil
	}
	if k.ruthless {
		return Token{}, &hospital.Error{Kind: hospital.Unavailable, Op: "wechat.token", Code: "store_down", Detail: k.name, Err: down}
	}
	return k.ask(ctx, false)
}

func (k *keeper) ask(ctx context.Context, force bool) (Token, error) {
	value, life, err := k.fetch(ctx, force)
	if err != nil {
		return Token{}, err
	}
	if value == "" || life <= 0 || life > maxTokenAge {
		return Token{}, &hospital.Error{Kind: hospital.Unavailable, Op: "wechat.token", Code: "bad_answer", Detail: k.name + ": value or expires_in"}
	}
	now := k.now()
	token := Token{Value: value, Expires: now.Add(life)}
	jitter := time.Second + mathrand.N(tokenJitter-time.Second) //nolint:gosec // jitter is no secret
	token.Renew = now.Add(max(life-tokenMargin, 0) + min(jitter, life/2))
	return token, nil
}

// promptStore is a store that answers in time or counts as down: a network that
// swallows everything must not use up the time in which the platform is asked.
type promptStore struct{ store TokenStore }

func (p promptStore) Load(ctx context.Context, name string) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return p.store.Load(ctx, name)
}

func (p promptStore) Lease(ctx context.Context, name, holder string, d time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return p.store.Lease(ctx, name, holder, d)
}

func (p promptStore) Save(ctx context.Context, name, holder string, token Token) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return p.store.Save(ctx, name, holder, token)
}

func (p promptStore) Release(ctx context.Context, name, holder string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return p.store.Release(ctx, name, holder)
}
