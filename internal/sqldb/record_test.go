package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

var morning = time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)

func TestNoEventAppearsBehindACursor(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		event := func(id string) func(*sqldb.Tx) error {
			return func(tx *sqldb.Tx) error {
				return sqldb.AppendEvents(tx, []hospital.Event{{Kind: "appt.booked", ID: id}}, morning)
			}
		}
		require.NoError(t, db.Write(t.Context(), event("first")))
		if t.Engine == sqldb.PostgreSQL { // on SQLite one command runs at a time
			wrote, read := make(chan struct{}), make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
					err := event("slow")(tx) // draws its id now
					close(wrote)
					<-read
					return err
				}); err != nil {
					t.Error(err)
				}
			})
			<-wrote
			require.NoError(t, db.Write(t.Context(), event("quick")))
			early, err := db.Events(t.Context(), 0, 10)
			require.NoError(t, err)
			require.Len(t, early, 2)
			close(read)
			wg.Wait()
			late, err := db.Events(t.Context(), early[1].Seq, 10)
			require.NoError(t, err)
			require.Len(t, late, 1)
			require.Equal(t, "slow", late[0].Event.ID)
			return
		}
		require.NoError(t, db.Write(t.Context(), event("second")))
		all, err := db.Events(t.Context(), 0, 10)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, morning, all[0].At)
		rest, err := db.Events(t.Context(), all[0].Seq, 10)
		require.NoError(t, err)
		require.Equal(t, all[1:], rest)
	})
}

func TestAVersionNeverChanges(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		publish := func(version, body string, from time.Time) error {
			return db.Write(t.Context(), func(tx *sqldb.Tx) error {
				return sqldb.Publish(tx, sqldb.Version{
					Kind: "policy", Version: version, Body: body, Source: "preset wuxi2018", ValidFrom: from, CreatedAt: morning,
				})
			})
		}
		require.NoError(t, publish("wuxi2018", "max: 3", morning))
		require.NoError(t, publish("wuxi2018", "max: 3", morning.Add(time.Hour)), "the same again")
		err := publish("wuxi2018", "max: 4", morning)
		require.Equal(t, hospital.Conflict, hospital.KindOf(err))
		require.Equal(t, "version_exists", hospital.CodeOf(err))
		require.Equal(t, hospital.Invalid, hospital.KindOf(publish("", "x", morning)))
		require.NoError(t, publish("wuxi2019", "max: 5", morning.Add(24*time.Hour)))

		v, err := db.VersionAt(t.Context(), "policy", morning)
		require.NoError(t, err)
		require.Equal(t, "wuxi2018", v.Version)
		require.Equal(t, "max: 3", v.Body)
		require.Equal(t, morning, v.ValidFrom, "the first dates stay")
		require.Len(t, v.Hash, 64)
		v, err = db.VersionAt(t.Context(), "policy", morning.Add(48*time.Hour))
		require.NoError(t, err)
		require.Equal(t, "wuxi2019", v.Version)
		_, err = db.VersionAt(t.Context(), "policy", morning.Add(-time.Second))
		require.Equal(t, hospital.NotFound, hospital.KindOf(err))
		v, err = db.Version(t.Context(), "policy", "wuxi2018")
		require.NoError(t, err)
		require.Equal(t, "preset wuxi2018", v.Source)
		all, err := db.Versions(t.Context(), "policy")
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, "wuxi2019", all[0].Version)
	})
}

func act(patient hospital.PatientID, object string) hospital.AuditEntry {
	return hospital.AuditEntry{
		At: morning, Actor: hospital.Actor{Kind: hospital.ActorUser, ID: "u1", Entry: hospital.EntryWeChat}, Purpose: "booking",
		Action: "appointment.book", Object: object, Patient: patient, Outcome: "ok", RuleVersion: "wuxi2018",
	}
}

func record(ctx context.Context, db *sqldb.DB, entries ...hospital.AuditEntry) error {
	return db.Write(ctx, func(tx *sqldb.Tx) error { return sqldb.AppendAudit(tx, entries...) })
}

// sealKey opens a database that can seal.
func sealKey(c *sqldb.Config) { c.SealKey = []byte("TESTING KEY of the sealer") }

func TestTheTrailHoldsAPseudonym(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		require.NoError(t, record(t.Context(), db, act("P0001", "a1"), act("P0001", "a2"), act("P0002", "a3"), act("", "a4")))
		var patients []string
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error {
			for _, object := range []string{"a1", "a2", "a3", "a4"} {
				var p string
				if err := tx.QueryRow("SELECT patient FROM audit WHERE object = $1", object).Scan(&p); err != nil {
					return err
				}
				patients = append(patients, p)
			}
			return nil
		}))
		require.Equal(t, patients[0], patients[1])
		require.NotEqual(t, patients[0], patients[2])
		require.Empty(t, patients[3])
		require.NotContains(t, strings.Join(patients, " "), "P000")
		require.Equal(t, db.Pseudonym("P0001"), patients[0])
	})
}

func TestManyAuditRowsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		var entries []hospital.AuditEntry
		var want []string
		for i := range 200 { // more than one statement takes
			want = append(want, fmt.Sprint(i))
			entries = append(entries, act("P0001", want[i]))
		}
		require.NoError(t, record(t.Context(), db))
		require.NoError(t, record(t.Context(), db, entries...))
		var objects []string
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) (err error) {
			objects, err = sqldb.Collect(tx, func(rows *sql.Rows) (object string, err error) {
				err = rows.Scan(&object)
				return object, err
			}, "SELECT object FROM audit ORDER BY id")
			return err
		}))
		require.Equal(t, want, objects)
	})
}

func TestManyEventsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		var events []hospital.Event
		for i := range 200 {
			events = append(events, hospital.Event{Kind: "appt.booked", ID: fmt.Sprint(i)})
		}
		require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error { return sqldb.AppendEvents(tx, events, morning) }))
		stored, err := db.Events(t.Context(), 0, 1000)
		require.NoError(t, err)
		var got []hospital.Event
		for _, e := range stored {
			got = append(got, e.Event)
		}
		require.Equal(t, events, got)
	})
}

func TestSealersOfSeveralProcessesMakeOneChain(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		doors := []*sqldb.DB{t.Open(sealKey)}
		if t.Engine == sqldb.PostgreSQL {
			doors = append(doors, t.Open(sealKey))
		}
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				db := doors[w%len(doors)]
				for i := range 25 {
					if err := record(t.Context(), db, act("P0001", fmt.Sprint(w, i))); err != nil {
						t.Error(err)
					}
					if i%5 == 0 {
						if _, err := db.Seal(t.Context()); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		for _, db := range doors {
			_, err := db.Seal(t.Context())
			require.NoError(t, err)
			report, err := db.Verify(t.Context())
			require.NoError(t, err)
			require.Equal(t, sqldb.Report{Sealed: 200}, report)
			n, err := db.Seal(t.Context())
			require.NoError(t, err)
			require.Zero(t, n)
		}
	})
}

func TestALongTrailIsSealedAndVerifiedInPages(t *testing.T) {
	t.Parallel()
	db := sqltest.On(t, sqldb.SQLite)(sealKey)
	entries := make([]hospital.AuditEntry, 2300)
	for i := range entries {
		entries[i] = act("P0001", fmt.Sprint(i))
	}
	require.NoError(t, record(t.Context(), db, entries...))
	report, err := db.Verify(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2300, report.Unsealed)
	require.Equal(t, morning, report.Oldest)
	n, err := db.Seal(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2300, n)
	report, err = db.Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, sqldb.Report{Sealed: 2300}, report)
}

func TestTheRunningSealerFollowsCommits(t *testing.T) {
	t.Parallel()
	db := sqltest.On(t, sqldb.SQLite)(sealKey)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- db.RunSealer(ctx) }()
	require.NoError(t, record(t.Context(), db, act("P0001", "a1")))
	require.Eventually(t, func() bool {
		head, err := db.Head(t.Context())
		return err == nil && head.Seq == 1
	}, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
}

func TestWithoutItsKeyNothingIsSealed(t *testing.T) {
	t.Parallel()
	db := sqltest.On(t, sqldb.SQLite)()
	require.NoError(t, record(t.Context(), db, act("P0001", "a1")))
	_, seal := db.Seal(t.Context())
	_, head := db.Head(t.Context())
	_, verify := db.Verify(t.Context())
	for _, err := range []error{seal, head, verify, db.RunSealer(t.Context())} {
		require.Equal(t, hospital.Invalid, hospital.KindOf(err))
		require.Equal(t, "no_seal_key", hospital.CodeOf(err))
		require.ErrorContains(t, err, "SealKey")
	}
}

// The ways in which somebody with the database, but without the key, can be at
// the trail. Each is judged by a process that started afterwards.
func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	const copyRow = `INSERT INTO audit (seq, at, actor_kind, actor_id, entry, purpose, action, object, patient, outcome, rule_version, prev, mac)
		SELECT %s, at, actor_kind, actor_id, entry, purpose, action, 'forged', patient, outcome, rule_version, %s FROM audit WHERE seq = 5`
	type problems = []sqldb.Problem
	cut := problems{{5, "cut"}}
	tests := map[string]struct {
		tamper   []string
		want     problems // with a head that was exported
		headless problems // without one
	}{
		"nothing":                     {nil, nil, nil},
		"a changed outcome":           {[]string{"UPDATE audit SET outcome = 'denied' WHERE seq = 3"}, problems{{3, "changed"}}, problems{{3, "changed"}}},
		"a changed last row":          {[]string{"UPDATE audit SET outcome = 'denied' WHERE seq = 5"}, problems{{5, "changed"}}, problems{{5, "changed"}}},
		"a changed time":              {[]string{"UPDATE audit SET at = at + 1 WHERE seq = 1"}, problems{{1, "changed"}}, problems{{1, "changed"}}},
		"text moved between columns":  {[]string{"UPDATE audit SET action = 'appointment', object = '.book' || object WHERE seq = 2"}, problems{{2, "changed"}}, problems{{2, "changed"}}},
		"a row deleted in the middle": {[]string{"DELETE FROM audit WHERE seq = 3"}, problems{{4, "missing"}}, problems{{4, "missing"}}},
		"the first row deleted":       {[]string{"DELETE FROM audit WHERE seq = 1"}, problems{{2, "missing"}}, problems{{2, "missing"}}},
		"a row in the middle sealed anew": {
			[]string{"UPDATE audit SET seq = NULL, mac = '', outcome = 'denied' WHERE seq = 3"},
			problems{{4, "missing"}},
			problems{{4, "missing"}},
		},
		"a gap closed by renumbering": {
			[]string{"DELETE FROM audit WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 4", "UPDATE audit SET seq = 4 WHERE seq = 5"},
			problems{{3, "changed"}, {4, "changed"}, {5, "cut"}},
			problems{{3, "changed"}, {4, "changed"}},
		},
		"two rows in another order": {
			[]string{"UPDATE audit SET seq = 99 WHERE seq = 2", "UPDATE audit SET seq = 2 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 99"},
			problems{{2, "changed"}, {3, "changed"}, {4, "reordered"}},
			problems{{2, "changed"}, {3, "changed"}, {4, "reordered"}},
		},
		"a row with a forged mac":     {[]string{fmt.Sprintf(copyRow, "6", "mac, '"+strings.Repeat("0", 64)+"'")}, problems{{6, "changed"}}, problems{{6, "changed"}}},
		"a row with a copied mac":     {[]string{fmt.Sprintf(copyRow, "6", "prev, mac")}, problems{{6, "changed"}}, problems{{6, "changed"}}},
		"a row in front of the first": {[]string{fmt.Sprintf(copyRow, "-7", "prev, mac")}, problems{{-7, "changed"}, {1, "missing"}}, problems{{-7, "changed"}, {1, "missing"}}},
		// What only an exported head shows.
		"the end cut off":          {[]string{"DELETE FROM audit WHERE seq > 3"}, cut, nil},
		"everything deleted":       {[]string{"DELETE FROM audit"}, cut, nil},
		"the last row sealed anew": {[]string{"UPDATE audit SET seq = NULL, mac = '', outcome = 'denied' WHERE seq = 5"}, cut, nil},
		"the end cut off and another end sealed": {
			[]string{"DELETE FROM audit WHERE seq = 4", "UPDATE audit SET seq = NULL, mac = '', outcome = 'denied' WHERE seq = 5", fmt.Sprintf(strings.Replace(copyRow, "seq = 5", "seq = 3", 1), "NULL", "'', ''")},
			cut, nil,
		},
		"everything sealed anew": {[]string{"UPDATE audit SET seq = NULL, mac = '', prev = '', outcome = 'denied'"}, cut, nil},
		// What nobody can see, and the documentation says so.
		"a row inserted unsealed": {[]string{fmt.Sprintf(copyRow, "NULL", "'', ''")}, nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sqltest.Each(t, func(t *sqltest.T) {
				db := t.Open(sealKey)
				for i := range 5 {
					require.NoError(t, record(t.Context(), db, act("P0001", fmt.Sprint("a", i))))
				}
				_, err := db.Seal(t.Context())
				require.NoError(t, err)
				head, err := db.Head(t.Context())
				require.NoError(t, err)
				tamper(t, db, test.tamper...)
				report, err := db.Verify(t.Context()) // the process that sealed them knows without a head
				require.NoError(t, err)
				require.Equal(t, len(test.want) == 0, report.OK())
				require.NoError(t, db.Close())

				db = t.Open(sealKey)
				_, err = db.Seal(t.Context())
				require.NoError(t, err)
				report, err = db.Verify(t.Context(), head)
				require.NoError(t, err)
				require.Equal(t, test.want, report.Problems)
				require.Equal(t, len(test.want) == 0, report.OK())
				require.Zero(t, report.Unsealed)
				report, err = db.Verify(t.Context())
				require.NoError(t, err)
				require.Equal(t, test.headless, report.Problems)
			})
		})
	}
}

func tamper(t *sqltest.T, db *sqldb.DB, statements ...string) {
	t.Helper()
	require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error {
		for _, statement := range statements {
			n, err := tx.Exec(statement)
			if err != nil {
				return err
			}
			require.Positive(t, n, statement)
		}
		return nil
	}))
}

func TestASealerGivesNoSealToAChainThatIsNotAsItLeftIt(t *testing.T) {
	t.Parallel()
	for name, statements := range map[string][]string{
		"its end was taken off to be sealed anew": {"UPDATE audit SET seq = NULL, mac = '', prev = '', outcome = 'denied' WHERE seq = 2"},
		"its end was deleted":                     {"DELETE FROM audit WHERE seq = 2"},
		"its end was changed":                     {"UPDATE audit SET outcome = 'denied' WHERE seq = 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sqltest.Each(t, func(t *sqltest.T) {
				db := t.Open(sealKey)
				require.NoError(t, record(t.Context(), db, act("P0001", "a1"), act("P0001", "a2")))
				_, err := db.Seal(t.Context())
				require.NoError(t, err)
				tamper(t, db, statements...)
				require.NoError(t, record(t.Context(), db, act("P0001", "a3")))
				n, err := db.Seal(t.Context())
				require.Equal(t, "audit_tampered", hospital.CodeOf(err), "%v", err)
				require.Zero(t, n)
				report, err := db.Verify(t.Context())
				require.NoError(t, err)
				require.Positive(t, report.Unsealed)
				require.False(t, report.OK())
			})
		})
	}
}

func TestAHeadThatWeDidNotSignProvesNothing(t *testing.T) {
	t.Parallel()
	open := sqltest.On(t, sqldb.SQLite)
	db := open(sealKey)
	require.NoError(t, record(t.Context(), db, act("P0001", "a1")))
	_, err := db.Seal(t.Context())
	require.NoError(t, err)
	head, err := db.Head(t.Context())
	require.NoError(t, err)
	head.At = head.At.Add(time.Hour)
	report, err := db.Verify(t.Context(), head)
	require.NoError(t, err)
	require.Equal(t, []sqldb.Problem{{1, "forged_head"}}, report.Problems)
	require.NoError(t, db.Close())

	db = open(func(c *sqldb.Config) { c.SealKey = []byte("TESTING KEY of somebody else") })
	report, err = db.Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, []sqldb.Problem{{1, "changed"}}, report.Problems)
	require.NoError(t, record(t.Context(), db, act("P0001", "a2")))
	_, err = db.Seal(t.Context())
	require.Equal(t, "audit_tampered", hospital.CodeOf(err), "one chain has one key")
}

func BenchmarkAudit(b *testing.B) {
	for _, engine := range []sqldb.Engine{sqldb.SQLite, sqldb.PostgreSQL} {
		db := sqltest.On(b, engine)(sealKey)
		entries := make([]hospital.AuditEntry, 64)
		for i := range entries {
			entries[i] = act("P0001", fmt.Sprint(i))
		}
		b.Run(engine.String()+"/append 64", func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, record(b.Context(), db, entries...))
			}
			b.ReportMetric(float64(64*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		b.Run(engine.String()+"/seal", func(b *testing.B) {
			rows, took := 0, time.Duration(0)
			for b.Loop() {
				for range 8 {
					require.NoError(b, record(b.Context(), db, entries...))
				}
				start := time.Now()
				n, err := db.Seal(b.Context())
				require.NoError(b, err)
				rows, took = rows+n, took+time.Since(start)
			}
			b.ReportMetric(float64(rows)/took.Seconds(), "rows/s")
		})
	}
}

func TestEachReaderTakesEachEventOnce(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := withTaken(t)
		var events []hospital.Event
		for n := range 25 {
			events = append(events, hospital.Event{Kind: "appt.booked", ID: strconv.Itoa(n)})
		}
		require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error { return sqldb.AppendEvents(tx, events, morning) }))
		consume := func() error {
			return db.Consume(t.Context(), "message", 10, func(tx *sqldb.Tx, e sqldb.StoredEvent) error {
				no, err := strconv.Atoi(e.Event.ID)
				if err != nil {
					return err
				}
				return take(no)(tx) // a second time breaks a unique index
			})
		}
		var group sync.WaitGroup
		failed := make([]error, 4)
		for i := range failed {
			group.Go(func() { failed[i] = consume() })
		}
		group.Wait()
		require.NoError(t, errors.Join(failed...))
		require.Len(t, numbers(t, db), 25)

		more := []hospital.Event{{Kind: "appt.booked", ID: "25"}, {Kind: "appt.booked", ID: "no number"}}
		require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error { return sqldb.AppendEvents(tx, more, morning) }))
		require.Error(t, consume())
		require.Len(t, numbers(t, db), 25, "a batch that fails leaves nothing behind")
		seen := 0
		require.NoError(t, db.Consume(t.Context(), "another", 10, func(*sqldb.Tx, sqldb.StoredEvent) error { seen++; return nil }))
		require.Equal(t, 27, seen, "another reader has a place of its own")
	})
}
