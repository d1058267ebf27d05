package wechat_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// ask makes one cheap call with each client, n times at once, and returns the
// errors.
func ask(t *testing.T, n int, clients ...*wechat.Client) []error {
	t.Helper()
	var wait sync.WaitGroup
	failed := make([]error, n*len(clients))
	for i := range failed {
		wait.Go(func() {
			err := clients[i%len(clients)].DeleteMenu(t.Context()) // answers ok without a menu too
			failed[i] = err
		})
	}
	wait.Wait()
	var all []error
	for _, err := range failed {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

const cheap = "/cgi-bin/menu/delete"

func TestFiftyGoroutinesCostOneTokenCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		client := s.client(t, nil)
		require.Empty(t, ask(t, 50, client))
		require.Equal(t, 1, s.tokenCalls())
		require.Empty(t, ask(t, 50, client))
		require.Equal(t, 1, s.tokenCalls())
	})
}

// replicas are clients of one account on one store.
func replicas(t *testing.T, s *site, n int) []*wechat.Client {
	t.Helper()
	store := &wechat.MemoryTokens{}
	clients := make([]*wechat.Client, n)
	for i := range clients {
		clients[i] = s.client(t, func(c *wechat.Config) { c.Tokens = store })
	}
	return clients
}

func TestFiveReplicasCostOneTokenCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		require.Empty(t, ask(t, 10, replicas(t, s, 5)...))
		require.Equal(t, 1, s.tokenCalls())
	})
}

func TestAnOutsideRevokeCostsOneTokenCallAndOneRetry(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"one process": 1, "five replicas": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				clients := replicas(t, s, n)
				require.Empty(t, ask(t, 10, clients...))
				before := s.count(cheap)
				require.NoError(t, s.Revoke(wechattest.Stable))
				require.Empty(t, ask(t, 10, clients...))
				require.Equal(t, 2, s.tokenCalls())
				require.LessOrEqual(t, s.count(cheap)-before, 2*10*n)
				require.EqualValues(t, 2, s.Tokens(wechattest.Stable), "the other system's token lives on")
			})
		})
	}
}

func TestAStoredTokenThatDiffersIsTakenWithoutARefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		clients := replicas(t, s, 2)
		require.Empty(t, ask(t, 1, clients...))
		require.NoError(t, s.Revoke(wechattest.Stable))
		require.Empty(t, ask(t, 1, clients[0]))
		require.Equal(t, 2, s.tokenCalls())
		require.Empty(t, ask(t, 1, clients[1]))
		require.Equal(t, 2, s.tokenCalls(), "the second found the first one's in the store")
	})
}

func TestATokenIsForcedOnlyWhenThePlatformInsistsOnADeadOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		clients := replicas(t, s, 3)
		require.Empty(t, ask(t, 1, clients...))
		require.NoError(t, s.Spoil(wechattest.Stable))
		require.Empty(t, ask(t, 10, clients...))
		require.Equal(t, 3, s.tokenCalls(), "asked once, then forced once")

		// Within 30 s there is no second force, in no process, and no storm either.
		require.NoError(t, s.Spoil(wechattest.Stable))
		failed := ask(t, 10, clients...)
		require.Len(t, failed, 30)
		for _, err := range failed {
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "40001"})
			require.Equal(t, wechat.ClassToken, wechat.ClassOf(err))
		}
		require.EqualValues(t, 2, s.Tokens(wechattest.Stable))
		require.LessOrEqual(t, s.tokenCalls(), 6, "one question a process")

		<-time.After(31 * time.Second)
		require.Empty(t, ask(t, 10, clients...))
		require.EqualValues(t, 3, s.Tokens(wechattest.Stable))
	})
}

func TestATokenIsForcedAtMostTwentyTimesADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		client := s.client(t, nil)
		require.Empty(t, ask(t, 1, client))
		for range 20 {
			<-time.After(time.Minute)
			require.NoError(t, s.Spoil(wechattest.Stable))
			require.Empty(t, ask(t, 1, client))
		}
		<-time.After(time.Minute)
		require.NoError(t, s.Spoil(wechattest.Stable))
		before := s.tokenCalls()
		require.Len(t, ask(t, 1, client), 1)
		require.Equal(t, before+1, s.tokenCalls(), "the 21st is not even asked for")
		<-time.After(24 * time.Hour)
		require.Empty(t, ask(t, 1, client))
	})
}

func TestATokenIsRenewedBeforeItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		clients := replicas(t, s, 5)
		require.Empty(t, ask(t, 10, clients...))
		<-time.After(2*time.Hour - 5*time.Minute)
		require.Empty(t, ask(t, 10, clients...))
		require.Equal(t, 1, s.tokenCalls(), "sooner, the platform gives the same token again")
		<-time.After(time.Minute)
		require.Empty(t, ask(t, 10, clients...))
		require.Equal(t, 2, s.tokenCalls())
		for range 24 { // a day on: one call each two hours
			<-time.After(time.Hour)
			require.Empty(t, ask(t, 10, clients...))
		}
		require.LessOrEqual(t, s.tokenCalls(), 14)
	})
}

func TestWhileThePlatformGivesNoneTheOldTokenServesToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		client := s.client(t, nil)
		require.Empty(t, ask(t, 1, client))
		require.NoError(t, s.Break(wechattest.Fault{Kind: wechattest.ServerError, Path: "/cgi-bin/stable_token"}))
		<-time.After(2*time.Hour - 3*time.Minute)
		require.Empty(t, ask(t, 10, client))
		<-time.After(3 * time.Minute)
		failed := ask(t, 10, client)
		require.Len(t, failed, 10)
		require.Equal(t, hospital.Unavailable, hospital.KindOf(failed[0]))
		s.Mend()
		<-time.After(2 * time.Second)
		require.Empty(t, ask(t, 10, client))
	})
}

func TestATokenCallThatFailsIsNotRepeatedByTheCrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		client := s.client(t, func(c *wechat.Config) { c.Secret = "wrong" })
		for range 5 {
			failed := ask(t, 10, client)
			require.Len(t, failed, 10)
			require.ErrorIs(t, failed[0], &hospital.Error{Kind: hospital.Internal, Code: "40125"})
			require.Equal(t, wechat.ClassConfig, wechat.ClassOf(failed[0]))
		}
		require.Equal(t, 1, s.tokenCalls())
	})
}

// faultyStore is a store that can be down, or in other hands.
type faultyStore struct {
	wechat.MemoryTokens

	down   atomic.Bool
	mute   atomic.Bool  // only Save fails
	robbed atomic.Bool  // at the next Save the lease is another's, who has saved
	leased atomic.Int32 // leases that are refused before one is given
}

var errDown = &hospital.Error{Kind: hospital.Unavailable, Code: "down"}

func (f *faultyStore) Load(ctx context.Context, name string) (wechat.Token, error) {
	if f.down.Load() {
		return wechat.Token{}, errDown
	}
	return f.MemoryTokens.Load(ctx, name)
}

func (f *faultyStore) Lease(ctx context.Context, name, holder string, d time.Duration) (bool, error) {
	if f.down.Load() {
		return false, errDown
	}
	if f.leased.Add(-1) >= 0 {
		return false, nil
	}
	return f.MemoryTokens.Lease(ctx, name, holder, d)
}

func (f *faultyStore) Save(ctx context.Context, name, holder string, token wechat.Token) error {
	if f.down.Load() {
		return errDown
	}
	if f.mute.Load() {
		return errDown
	}
	if f.robbed.CompareAndSwap(true, false) {
		if _, err := f.MemoryTokens.Lease(ctx, name, holder, -time.Second); err != nil {
			return err
		}
		if _, err := f.MemoryTokens.Lease(ctx, name, "robber", time.Minute); err != nil {
			return err
		}
		younger := token
		younger.Value = "TESTING-YOUNGER"
		if err := f.MemoryTokens.Save(ctx, name, "robber", younger); err != nil {
			return err
		}
	}
	return f.MemoryTokens.Save(ctx, name, holder, token)
}

func TestWhileTheStoreIsDownTheLastGoodTokenServes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		store := &faultyStore{}
		client := s.client(t, func(c *wechat.Config) { c.Tokens = store })
		require.Empty(t, ask(t, 10, client))
		store.down.Store(true)
		<-time.After(2*time.Hour - 2*time.Minute)
		require.Empty(t, ask(t, 10, client), "past its renewal, before its end")
		require.Equal(t, 1, s.tokenCalls())

		<-time.After(3 * time.Minute)
		require.Empty(t, ask(t, 10, client), "past its end the platform is asked: it gives every replica the same")
		require.Equal(t, 2, s.tokenCalls())

		fresh := s.client(t, func(c *wechat.Config) { c.Tokens = store })
		require.Empty(t, ask(t, 10, fresh))
		require.Equal(t, 3, s.tokenCalls())
		require.EqualValues(t, 2, s.Tokens(wechattest.Stable))

		store.down.Store(false)
		require.NoError(t, s.Revoke(wechattest.Stable))
		require.Empty(t, ask(t, 10, fresh, client))
		require.Equal(t, 4, s.tokenCalls())
	})
}

func TestATokenThatCannotBeSharedStillServesItsFetcher(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		store := &faultyStore{}
		store.mute.Store(true)
		client := s.client(t, func(c *wechat.Config) { c.Tokens = store })
		require.Empty(t, ask(t, 10, client))
		require.Empty(t, ask(t, 10, client))
		require.Equal(t, 1, s.tokenCalls())
		require.Contains(t, s.log.String(), "wechat token not shared")
	})
}

func TestAFetcherThatWasTooSlowTakesTheYoungerToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		store := &faultyStore{}
		store.robbed.Store(true)
		client := s.client(t, func(c *wechat.Config) { c.Tokens = store })
		require.Empty(t, ask(t, 1, client), "made up, it is refused, and the platform asked again")
		s.mu.Lock()
		defer s.mu.Unlock()
		var tokens []string
		for _, asked := range s.asked {
			if token := asked.Query().Get("access_token"); token != "" {
				tokens = append(tokens, token)
			}
		}
		require.Len(t, tokens, 2)
		require.Equal(t, "TESTING-YOUNGER", tokens[0])
	})
}

// hungStore is a store behind a network that swallows everything.
type hungStore struct {
	wechat.MemoryTokens

	hangs atomic.Bool
}

func (h *hungStore) Load(ctx context.Context, name string) (wechat.Token, error) {
	if h.hangs.Load() {
		<-ctx.Done()
		return wechat.Token{}, &hospital.Error{Kind: hospital.Unavailable, Code: "down", Err: ctx.Err()}
	}
	return h.MemoryTokens.Load(ctx, name)
}

func TestAStoreThatHangsIsAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		store := &hungStore{}
		client := s.client(t, func(c *wechat.Config) { c.Tokens = store })
		require.Empty(t, ask(t, 1, client))
		store.hangs.Store(true)

		start := time.Now()
		require.Empty(t, ask(t, 10, s.client(t, func(c *wechat.Config) { c.Tokens = store })), "a replica that has just started")
		require.LessOrEqual(t, time.Since(start), 3*time.Second)

		<-time.After(2*time.Hour - 2*time.Minute)
		start = time.Now()
		require.Empty(t, ask(t, 10, client), "past its renewal, before its end")
		require.LessOrEqual(t, time.Since(start), 3*time.Second)
	})
}

func TestAHolderThatDiedIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		store := &faultyStore{}
		store.leased.Store(30) // three seconds of asking
		client := s.client(t, func(c *wechat.Config) { c.Tokens = store })
		start := time.Now()
		require.Empty(t, ask(t, 10, client))
		require.Equal(t, 3*time.Second, time.Since(start))
		require.Equal(t, 1, s.tokenCalls())
	})
}

func TestWhileAnotherProcessRenewsTheOldTokenServes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		store := &faultyStore{}
		client := s.client(t, func(c *wechat.Config) { c.Tokens = store })
		require.Empty(t, ask(t, 1, client))
		store.leased.Store(1000) // the other one takes its time
		<-time.After(2*time.Hour - 2*time.Minute)
		start := time.Now()
		require.Empty(t, ask(t, 10, client, s.client(t, func(c *wechat.Config) { c.Tokens = store })))
		require.Zero(t, time.Since(start), "nobody waits")
		require.Equal(t, 1, s.tokenCalls())
	})
}

func TestACallerWhoGivesUpLeavesTheRefreshToTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		store := &faultyStore{}
		store.leased.Store(30)
		client := s.client(t, func(c *wechat.Config) { c.Tokens = store })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first := make(chan error)
		go func() { first <- client.DeleteMenu(ctx) }()
		synctest.Wait()
		require.Empty(t, ask(t, 10, client))
		err := <-first
		require.Equal(t, hospital.Unavailable, hospital.KindOf(err))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, s.tokenCalls())
	})
}

func TestClassicTokensAreFetchedByOneAndNeverBehindTheOthersBacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		store := &faultyStore{}
		classic := func(c *wechat.Config) { c.Tokens, c.Classic = store, true }
		clients := []*wechat.Client{s.client(t, classic), s.client(t, classic), s.client(t, classic)}
		require.Empty(t, ask(t, 10, clients...))
		require.Equal(t, 1, s.count("/cgi-bin/token"))
		require.NoError(t, s.Revoke(wechattest.Classic))
		require.Empty(t, ask(t, 10, clients...))
		require.Equal(t, 2, s.count("/cgi-bin/token"))

		// Two systems that take the token from each other do not race.
		require.NoError(t, s.Revoke(wechattest.Classic))
		require.Len(t, ask(t, 10, clients...), 30)
		require.Equal(t, 2, s.count("/cgi-bin/token"))
		<-time.After(31 * time.Second)
		require.Empty(t, ask(t, 10, clients...))
		require.Equal(t, 3, s.count("/cgi-bin/token"))

		store.down.Store(true)
		failed := ask(t, 1, s.client(t, classic))
		require.ErrorIs(t, errors.Join(failed...), &hospital.Error{Kind: hospital.Unavailable, Code: "store_down"})
		require.Equal(t, 3, s.count("/cgi-bin/token"))
		require.Zero(t, s.count("/cgi-bin/stable_token"))
	})
}
