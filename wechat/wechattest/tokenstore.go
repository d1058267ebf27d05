package wechattest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

// ConformTokenStore runs the promises that a wechat.TokenStore makes. Open
// returns a fresh, empty store each time it is called.
func ConformTokenStore(t *testing.T, open func(t *testing.T) wechat.TokenStore) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, wechat.TokenStore){
		"nothing kept is the zero token":                     nothingIsZero,
		"every field of a token survives":                    everyFieldSurvives,
		"names are apart":                                    namesAreApart,
		"a lease is one holder's":                            leaseIsOneHolders,
		"a lease that lapsed is taken over":                  lapsedLeaseIsTakenOver,
		"what is saved after the lease was lost is not kept": lostLeaseKeepsNothing,
		"a lease alone changes no token":                     leaseChangesNoToken,
		"of twenty that ask at once one is given the lease":  oneOfTwenty,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

const tokenName = "wx0123456789abcdef/access_token"

// sampleToken has whole milliseconds, the least that every store can keep.
func sampleToken() wechat.Token {
	at := time.Date(2026, 11, 24, 9, 30, 0, 125e6, hospital.CST)
	return wechat.Token{
		Value: "90_TESTING_TOKEN-value", Renew: at.Add(time.Hour), Expires: at.Add(2 * time.Hour),
		Forced: at, Forces: 3,
	}
}

func loadToken(t *testing.T, store wechat.TokenStore, name string) wechat.Token {
	t.Helper()
	token, err := store.Load(t.Context(), name)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return token
}

func leaseToken(t *testing.T, store wechat.TokenStore, holder string, d time.Duration, want bool) {
	t.Helper()
	leased, err := store.Lease(t.Context(), tokenName, holder, d)
	if err != nil {
		t.Fatalf("lease: %v", err)
	}
	if leased != want {
		t.Fatalf("lease for %s: got %v, want %v", holder, leased, want)
	}
}

func saveToken(t *testing.T, store wechat.TokenStore, holder string, token wechat.Token) {
	t.Helper()
	if err := store.Save(t.Context(), tokenName, holder, token); err != nil {
		t.Fatalf("save: %v", err)
	}
}

func sameToken(t *testing.T, got, want wechat.Token) {
	t.Helper()
	if got.Value != want.Value || !got.Renew.Equal(want.Renew) || !got.Expires.Equal(want.Expires) ||
		!got.Forced.Equal(want.Forced) || got.Forces != want.Forces {
		t.Fatalf("token: got %+v, want %+v", got, want)
	}
}

func nothingIsZero(t *testing.T, store wechat.TokenStore) {
	t.Helper()
	token := loadToken(t, store, tokenName)
	sameToken(t, token, wechat.Token{})
	if !token.Renew.IsZero() || !token.Forced.IsZero() {
		t.Fatal("the times of the zero token are zero")
	}
}

func everyFieldSurvives(t *testing.T, store wechat.TokenStore) {
	t.Helper()
	long := sampleToken()
	for len(long.Value) < 512 { // the length the platform tells servers to keep room for
		long.Value += "x"
	}
	for _, token := range []wechat.Token{sampleToken(), long, {Value: "v", Renew: long.Renew, Expires: long.Expires}} {
		leaseToken(t, store, "a", time.Minute, true)
		saveToken(t, store, "a", token)
		sameToken(t, loadToken(t, store, tokenName), token)
	}
	if !loadToken(t, store, tokenName).Forced.IsZero() {
		t.Fatal("a token that was never forced says so")
	}
}

func namesAreApart(t *testing.T, store wechat.TokenStore) {
	t.Helper()
	leaseToken(t, store, "a", time.Minute, true)
	leased, err := store.Lease(t.Context(), "wx0123456789abcdef/jsapi_ticket", "b", time.Minute)
	if err != nil || !leased {
		t.Fatalf("lease of another name: %v, %v", leased, err)
	}
	saveToken(t, store, "a", sampleToken())
	sameToken(t, loadToken(t, store, "wx0123456789abcdef/jsapi_ticket"), wechat.Token{})
}

func leaseIsOneHolders(t *testing.T, store wechat.TokenStore) {
	t.Helper()
	leaseToken(t, store, "a", time.Hour, true)
	leaseToken(t, store, "b", time.Hour, false)
	leaseToken(t, store, "a", time.Hour, true) // anew
	if err := store.Release(t.Context(), tokenName, "b"); err != nil {
		t.Fatalf("release by a stranger: %v", err)
	}
	leaseToken(t, store, "b", time.Hour, false)
	if err := store.Release(t.Context(), tokenName, "a"); err != nil {
		t.Fatalf("release: %v", err)
	}
	leaseToken(t, store, "b", time.Hour, true)
	saveToken(t, store, "b", sampleToken())
	leaseToken(t, store, "a", time.Hour, true) // saving has ended the lease of b
}

func lapsedLeaseIsTakenOver(t *testing.T, store wechat.TokenStore) {
	t.Helper()
	leaseToken(t, store, "a", 0, true) // lapses at once
	leaseToken(t, store, "b", time.Hour, true)
	leaseToken(t, store, "a", time.Hour, false)
}

func lostLeaseKeepsNothing(t *testing.T, store wechat.TokenStore) {
	t.Helper()
	refuse := func(holder string) {
		t.Helper()
		if err := store.Save(t.Context(), tokenName, holder, wechat.Token{Value: "stale"}); !errors.Is(err, wechat.ErrLeaseLost) {
			t.Fatalf("save without the lease: got %v, want lease_lost", err)
		}
	}
	refuse("a") // nobody has ever leased
	leaseToken(t, store, "a", 0, true)
	leaseToken(t, store, "b", time.Hour, true)
	refuse("a")
	saveToken(t, store, "b", sampleToken())
	refuse("a")
	refuse("b") // its lease ended with the save
	sameToken(t, loadToken(t, store, tokenName), sampleToken())
}

func leaseChangesNoToken(t *testing.T, store wechat.TokenStore) {
	t.Helper()
	leaseToken(t, store, "a", time.Hour, true)
	saveToken(t, store, "a", sampleToken())
	leaseToken(t, store, "b", time.Hour, true)
	sameToken(t, loadToken(t, store, tokenName), sampleToken())
	if err := store.Release(t.Context(), tokenName, "b"); err != nil {
		t.Fatalf("release: %v", err)
	}
	sameToken(t, loadToken(t, store, tokenName), sampleToken())
}

func oneOfTwenty(t *testing.T, store wechat.TokenStore) {
	t.Helper()
	var wait sync.WaitGroup
	leased, failed := make([]bool, 20), make([]error, 20)
	for i := range leased {
		wait.Go(func() { leased[i], failed[i] = store.Lease(t.Context(), tokenName, strconv.Itoa(i), time.Hour) })
	}
	wait.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatalf("lease: %v", err)
	}
	given := 0
	for _, yes := range leased {
		if yes {
			given++
		}
	}
	if given != 1 {
		t.Fatalf("%d were given the lease, want one", given)
	}
}

// ConformSpentStates runs the promises that a wechat.SpentStates makes. Open
// returns a fresh, empty memory each time it is called.
func ConformSpentStates(t *testing.T, open func(t *testing.T) wechat.SpentStates) {
	t.Helper()
	later := time.Now().Add(time.Hour)
	spend := func(t *testing.T, states wechat.SpentStates, state string, want bool) {
		t.Helper()
		fresh, err := states.Spend(t.Context(), state, later)
		if err != nil || fresh != want {
			t.Fatalf("spend %s: got %v, %v; want %v", state, fresh, err, want)
		}
	}
	t.Run("a state is spent once", func(t *testing.T) {
		t.Parallel()
		states := open(t)
		spend(t, states, "1", true)
		spend(t, states, "2", true)
		spend(t, states, "1", false)
		spend(t, states, "2", false)
	})
	t.Run("of twenty that spend a state at once one may", func(t *testing.T) {
		t.Parallel()
		states := open(t)
		var wait sync.WaitGroup
		answers := make(chan bool, 20)
		for range 20 {
			wait.Go(func() {
				fresh, err := states.Spend(context.WithoutCancel(t.Context()), "1", later)
				answers <- fresh && err == nil
			})
		}
		wait.Wait()
		close(answers)
		given := 0
		for fresh := range answers {
			if fresh {
				given++
			}
		}
		if given != 1 {
			t.Fatalf("%d may, want one", given)
		}
	})
}
