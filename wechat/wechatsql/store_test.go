package wechatsql_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechatsql"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func open(t *testing.T, engine sqldb.Engine) *wechatsql.Store {
	t.Helper()
	store, err := wechatsql.New(t.Context(), sqltest.On(t, engine)())
	require.NoError(t, err)
	return store
}

func TestStoreConforms(t *testing.T) {
	t.Parallel()
	for _, engine := range []sqldb.Engine{sqldb.SQLite, sqldb.PostgreSQL} {
		t.Run(engine.String(), func(t *testing.T) {
			t.Parallel()
			wechattest.ConformTokenStore(t, func(t *testing.T) wechat.TokenStore { t.Helper(); return open(t, engine) })
			wechattest.ConformSpentStates(t, func(t *testing.T) wechat.SpentStates { t.Helper(); return open(t, engine) })
		})
	}
}

func TestATokenSurvivesARestart(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		store, err := wechatsql.New(t.Context(), db)
		require.NoError(t, err)
		leased, err := store.Lease(t.Context(), "n", "a", time.Hour)
		require.NoError(t, err)
		require.True(t, leased)
		require.NoError(t, store.Save(t.Context(), "n", "a", wechat.Token{Value: "v"}))
		require.NoError(t, db.Close())
		again, err := wechatsql.New(t.Context(), t.Open())
		require.NoError(t, err)
		token, err := again.Load(t.Context(), "n")
		require.NoError(t, err)
		require.Equal(t, "v", token.Value)
	})
}

func TestSpentStatesAreSweptWhenTheyAreVoid(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		store, err := wechatsql.New(t.Context(), db)
		require.NoError(t, err)
		for _, state := range []string{"old", "older", "new"} {
			until := time.Now().Add(time.Hour)
			if state != "new" {
				until = time.Now().Add(-time.Hour)
			}
			fresh, err := store.Spend(t.Context(), state, until)
			require.NoError(t, err)
			require.True(t, fresh)
		}
		var left int
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error {
			return tx.QueryRow("SELECT count(*) FROM wechat_spent_states").Scan(&left)
		}))
		require.Equal(t, 1, left)
	})
}

// TestFiveServersOnOneDatabaseCostOneTokenCall is the promise on the real
// store: each server with its own connections on PostgreSQL.
func TestFiveServersOnOneDatabaseCostOneTokenCall(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		var calls atomic.Int32
		site := wechattest.Start(t, wechattest.Config{Log: func(e wechattest.Exchange) {
			if e.Path == "/cgi-bin/stable_token" {
				calls.Add(1)
			}
		}})
		account := site.Account()
		db := t.Open()
		var clients []*wechat.Client
		for range 5 {
			if t.Engine == sqldb.PostgreSQL {
				db = t.Open()
			}
			store, err := wechatsql.New(t.Context(), db)
			require.NoError(t, err)
			client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: site.URL, Tokens: store})
			require.NoError(t, err)
			t.Cleanup(client.CloseIdle)
			clients = append(clients, client)
		}
		all := func() {
			t.Helper()
			var wait sync.WaitGroup
			failed := make([]error, 20)
			for i := range failed {
				wait.Go(func() { failed[i] = clients[i%5].DeleteMenu(t.Context()) })
			}
			wait.Wait()
			for _, err := range failed {
				require.NoError(t, err)
			}
		}
		all()
		require.EqualValues(t, 1, calls.Load())
		require.NoError(t, site.Revoke(wechattest.Stable))
		all()
		require.EqualValues(t, 2, calls.Load())
	})
}
