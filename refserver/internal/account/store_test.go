package account_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/refserver/internal/account"
)

type clock struct{ at time.Time }

func (c *clock) Now() time.Time { return c.at }

func start(t *sqltest.T) (*account.Store, *sqldb.DB, *clock) {
	t.Helper()
	c, db := &clock{time.Date(2026, 11, 25, 7, 30, 0, 0, hospital.CST)}, t.Open()
	s, err := account.New(t.Context(), db, c.Now)
	require.NoError(t, err)
	return s, db, c
}

func user(id hospital.UserID) hospital.Actor {
	return hospital.Actor{Kind: hospital.ActorUser, ID: string(id), Entry: hospital.EntryWeChat}
}

func TestOneOpenIDIsOneUserWhoeverAsksFirst(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		s, db, _ := start(t)
		const openID = "oTESTINGopenid0123456789abcd"
		got := make([]hospital.UserID, 8)
		var group sync.WaitGroup
		for i := range got {
			group.Go(func() {
				var err error
				got[i], err = s.User(t.Context(), openID)
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		for _, id := range got {
			require.Equal(t, got[0], id)
		}
		back, err := s.OpenID(t.Context(), got[0])
		require.NoError(t, err)
		require.EqualValues(t, openID, back)
		_, err = s.OpenID(t.Context(), "nobody")
		require.Equal(t, hospital.NotFound, hospital.KindOf(err))
		var kept string
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error {
			return tx.QueryRow("SELECT id || index_of || sealed FROM account_users").Scan(&kept)
		}))
		require.NotContains(t, kept, openID[:8], "the database alone does not tell the openid")
	})
}

func TestASessionEndsUnusedAndAfterHalfADay(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		s, db, c := start(t)
		secret, err := s.Login(t.Context(), "u1")
		require.NoError(t, err)
		for end := c.at.Add(account.SessionLife); c.at.Before(end); c.at = c.at.Add(29 * time.Minute) {
			session, err := s.Session(t.Context(), secret)
			require.NoError(t, err)
			require.EqualValues(t, "u1", session.User)
		}
		_, err = s.Session(t.Context(), secret)
		require.ErrorIs(t, err, account.ErrNoSession, "used all the time, and over")

		secret, err = s.Login(t.Context(), "u1")
		require.NoError(t, err)
		var kept string
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error { return tx.QueryRow("SELECT max(hash) FROM account_sessions").Scan(&kept) }))
		require.NotContains(t, kept, secret)
		c.at = c.at.Add(account.SessionIdle)
		_, err = s.Session(t.Context(), secret)
		require.ErrorIs(t, err, account.ErrNoSession)
		_, err = s.Session(t.Context(), "made up")
		require.ErrorIs(t, err, account.ErrNoSession)

		secret, err = s.Login(t.Context(), "u1")
		require.NoError(t, err)
		require.NoError(t, s.Logout(t.Context(), "u1"))
		_, err = s.Session(t.Context(), secret)
		require.ErrorIs(t, err, account.ErrNoSession)
	})
}

func TestACodeProvesOnceForItsUserAndForAWhile(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		s, _, c := start(t)
		claim := account.Claim{Patient: "P1", Phone: "13900000001"}
		id, err := s.Challenge(t.Context(), user("u1"), "number", claim, c.at)
		require.NoError(t, err)
		code, phone, err := s.Code(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, claim.Phone, phone)
		require.Len(t, code, 6)

		_, err = s.Prove(t.Context(), "u2", id, code)
		require.ErrorIs(t, err, account.ErrWrongCode, "another user's")
		_, err = s.Find(t.Context(), "u2", id)
		require.Equal(t, hospital.NotFound, hospital.KindOf(err))
		proved, err := s.Prove(t.Context(), "u1", id, " "+code+" ")
		require.NoError(t, err)
		require.Equal(t, claim, proved.Claim)
		_, err = s.Find(t.Context(), "u1", id)
		require.NoError(t, err)
		require.NoError(t, s.Spend(t.Context(), id))
		_, err = s.Prove(t.Context(), "u1", id, code)
		require.ErrorIs(t, err, account.ErrWrongCode, "spent")

		id, err = s.Challenge(t.Context(), user("u1"), "number", claim, c.at)
		require.NoError(t, err)
		code, _, err = s.Code(t.Context(), id)
		require.NoError(t, err)
		c.at = c.at.Add(account.ChallengeLife)
		_, err = s.Prove(t.Context(), "u1", id, code)
		require.ErrorIs(t, err, account.ErrWrongCode, "too old")
		_, _, err = s.Code(t.Context(), id)
		require.Equal(t, hospital.NotFound, hospital.KindOf(err))
	})
}

func TestGuessingEndsAndAskingIsBounded(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		s, _, c := start(t)
		id, err := s.Challenge(t.Context(), user("u1"), "number", account.Claim{Patient: "P1", Phone: "13900000001"}, c.at)
		require.NoError(t, err)
		code, _, err := s.Code(t.Context(), id)
		require.NoError(t, err)
		for range account.MaxTries {
			_, err = s.Prove(t.Context(), "u1", id, strings.Repeat("x", 6))
			require.ErrorIs(t, err, account.ErrWrongCode)
		}
		_, err = s.Prove(t.Context(), "u1", id, code)
		require.ErrorIs(t, err, account.ErrWrongCode, "the right one comes too late")

		nobody, err := s.Challenge(t.Context(), user("u1"), "unknown", account.Claim{}, c.at)
		require.NoError(t, err)
		_, _, err = s.Code(t.Context(), nobody)
		require.Equal(t, hospital.NotFound, hospital.KindOf(err), "nobody has no code")
		for range 4 {
			_, err = s.Challenge(t.Context(), user("u1"), "unknown", account.Claim{}, c.at)
			require.NoError(t, err)
		}
		_, err = s.Challenge(t.Context(), user("u1"), "third", account.Claim{}, c.at)
		require.ErrorIs(t, err, account.ErrTooOften, "of one user")
		_, err = s.Challenge(t.Context(), user("u2"), "unknown", account.Claim{}, c.at)
		require.ErrorIs(t, err, account.ErrTooOften, "about one patient, known or not")
		c.at = c.at.Add(time.Hour)
		_, err = s.Challenge(t.Context(), user("u1"), "unknown", account.Claim{}, c.at)
		require.NoError(t, err)
	})
}

func TestADeskCodeServesItsPatientOnce(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		s, _, c := start(t)
		audit := hospital.AuditEntry{At: c.at, Actor: user("u1"), Action: "desk_code.make", Patient: "P1", Outcome: "ok"}
		_, _, err := s.DeskCode(t.Context(), "P1", audit)
		require.Equal(t, hospital.Denied, hospital.KindOf(err))
		audit.Actor = hospital.Actor{Kind: hospital.ActorStaff, ID: "s1", Entry: hospital.EntryWindow}
		code, until, err := s.DeskCode(t.Context(), "P1", audit)
		require.NoError(t, err)
		require.Equal(t, c.at.Add(account.DeskCodeLife), until)
		another, err := s.Challenge(t.Context(), user("u1"), "other", account.Claim{Patient: "P2"}, c.at)
		require.NoError(t, err)
		_, err = s.Prove(t.Context(), "u1", another, code)
		require.ErrorIs(t, err, account.ErrWrongCode, "another patient's")
		for i, want := range []error{nil, account.ErrWrongCode} {
			id, err := s.Challenge(t.Context(), user("u1"), "number", account.Claim{Patient: "P1"}, c.at)
			require.NoError(t, err)
			_, err = s.Prove(t.Context(), "u1", id, code)
			require.ErrorIs(t, err, want, "use %d", i)
		}
	})
}

func TestAFormIsDoneOnce(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		s, _, c := start(t)
		first, _, err := s.Begin(t.Context(), "u1", "k")
		require.NoError(t, err)
		require.True(t, first)
		require.NoError(t, s.End(t.Context(), "u1", "k", "/appointments/a"))
		first, path, err := s.Begin(t.Context(), "u1", "k")
		require.NoError(t, err)
		require.False(t, first)
		require.Equal(t, "/appointments/a", path)
		first, _, err = s.Begin(t.Context(), "u2", "k")
		require.NoError(t, err)
		require.True(t, first, "another user's form")
		require.NoError(t, s.End(t.Context(), "u2", "k", ""))
		first, _, err = s.Begin(t.Context(), "u2", "k")
		require.NoError(t, err)
		require.True(t, first, "it may be sent again")

		consent := account.Consent{User: "u1", Patient: "P1", TextVersion: "2026-11", TextHash: "ab", Channel: hospital.EntryWeChat, At: c.at}
		require.NoError(t, s.Agree(t.Context(), user("u1"), consent))
		all, err := s.Consents(t.Context(), "P1")
		require.NoError(t, err)
		require.Equal(t, []account.Consent{consent}, all)
	})
}
