package guide_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/refserver/internal/guide"
	"github.com/wxhospital/hospital/triage"
)

// world is a hospital with a database and a clock.
type world struct {
	*testing.T
	clock  *testclock.Clock
	db     *sqldb.DB
	house  []hospital.Department
	silent bool // the HIS
}

func newWorld(t *testing.T, db *sqldb.DB) *world {
	t.Helper()
	w := &world{T: t, clock: testclock.At(time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)), db: db}
	twin, err := histest.NewHospital(histest.Config{Now: w.clock.Now})
	require.NoError(t, err)
	w.house, err = twin.Departments(t.Context())
	require.NoError(t, err)
	return w
}

func (w *world) desk() *guide.Desk {
	w.Helper()
	d, err := guide.New(w.Context(), guide.Config{
		DB: w.db, Now: w.clock.Now, Wall: w.clock.Now,
		House: func(context.Context) ([]hospital.Department, error) {
			if w.silent {
				return nil, errors.New("the HIS is silent")
			}
			return w.house, nil
		},
	})
	require.NoError(w, err)
	return d
}

// first is the local name of the department that comes first.
func (w *world) first(d *guide.Desk, text string) string {
	w.Helper()
	a, err := d.Knowledge(w.Context()).Set.Advise(triage.Complaint{Text: text})
	require.NoError(w, err)
	return a.Departments[0].Department.Name
}

func audit() hospital.AuditEntry {
	return hospital.AuditEntry{Actor: hospital.System("test"), Action: "test", Outcome: "ok", At: time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)}
}

// rule puts a department first where knees hurt.
func rule(department string) guide.Draft {
	return guide.Draft{Knowledge: `{"rules": {"kind": "rules", "rules": [
		{"id": "knee", "priority": 500, "why": "x", "when": {"symptoms_any": ["膝盖疼"]}, "first": "` + department + `"}]}}`}
}

func TestAReplicaPicksUpWhatAnotherPublished(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := newWorld(t.T, t.Open())
		one, two := w.desk(), w.desk()
		require.Equal(w, "骨伤科", w.first(two, "膝盖疼"))
		name, err := one.Publish(w.Context(), rule("TCM"), "test", audit())
		require.NoError(w, err)
		require.Equal(w, "治未病科", w.first(one, "膝盖疼"), "at once where it was published")
		require.Equal(w, "骨伤科", w.first(two, "膝盖疼"), "the other looked a moment ago")
		w.clock.Pass(2 * time.Second)
		require.Equal(w, "治未病科", w.first(two, "膝盖疼"))
		require.Equal(w, name, two.Knowledge(w.Context()).Version)
		require.Equal(w, "治未病科", w.first(w.desk(), "膝盖疼"), "and one that starts later")
	})
}

func TestWhatCannotBeUsedLeavesTheSetInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite)())
	d := w.desk()
	_, err := d.Publish(w.Context(), rule("TCM"), "test", audit())
	require.NoError(t, err)
	for _, faulty := range []string{
		"{", `{"nonsense": {}}`, `{"rules": {"kind": "rules", "rules": [{"id": "a"}]}}`, "[]",
		`{"redflags": {"kind": "redflags", "flags": [{"id": "x", "name": "x"}]}}`, string(make([]byte, 10)),
	} {
		_, err := d.Publish(w.Context(), guide.Draft{Knowledge: faulty}, "test", audit())
		require.ErrorIs(t, err, triage.ErrKnowledge, faulty)
		var problems triage.Problems
		require.ErrorAs(t, err, &problems, faulty)
		require.Contains(t, problems[0].File, "overlay")
	}
	_, err = d.Publish(w.Context(), guide.Draft{Knowledge: "{}", Cases: "{\"id\":\"1\",\"gold\":[\"GI\"]}\n{\"id\":"}, "test", audit())
	require.ErrorContains(t, errors.Unwrap(err), "cases:2")
	w.clock.Pass(time.Minute)
	require.Equal(t, "治未病科", w.first(d, "膝盖疼"))

	require.NoError(t, w.db.Write(t.Context(), func(tx *sqldb.Tx) error { // a row that rotted
		_, err := tx.Exec(`INSERT INTO config_versions (kind, version, hash, body, source, valid_from, created_at)
			SELECT kind, '9999', hash, '{"knowledge":"{}"}', source, valid_from + 1, created_at + 1 FROM config_versions WHERE kind = 'triage.knowledge'`)
		return err
	}))
	w.clock.Pass(time.Minute)
	require.Equal(t, "治未病科", w.first(d, "膝盖疼"))
	all, err := d.Versions(t.Context())
	require.NoError(t, err)
	require.Contains(t, all[0].Source, "已损坏")
	_, err = d.Restore(t.Context(), "9999", "test", audit())
	require.Equal(t, "version_damaged", hospital.CodeOf(err))
	require.Equal(t, "治未病科", w.first(w.desk(), "膝盖疼"), "who starts now has the last that can be used")
}

func TestASilentHISLeavesTheDepartmentsThatWereKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite)())
	d := w.desk()
	require.Equal(t, "骨伤科", w.first(d, "膝盖疼"))
	w.silent = true
	w.clock.Pass(time.Minute)
	require.Equal(t, "骨伤科", w.first(d, "膝盖疼"))
	w.silent = false
	w.house = append(w.house[1:], hospital.Department{ID: "D999", Name: "骨外科"})
	w.clock.Pass(time.Minute)
	require.Equal(t, "骨外科", w.first(d, "膝盖疼"), "and learns of a new one")
}

func TestTheHospitalsOwnFilesLieBelowWhatIsPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite)())
	files := fstest.MapFS{"rules.json": {Data: []byte(`{"kind":"rules","rules":[{"id":"knee","priority":500,"why":"x","when":{"symptoms_any":["膝盖疼"]},"first":"ACUP"}]}`)}}
	d, err := guide.New(t.Context(), guide.Config{
		DB: w.db, Files: files, Now: w.clock.Now, Wall: w.clock.Now, House: func(context.Context) ([]hospital.Department, error) { return w.house, nil },
	})
	require.NoError(t, err)
	require.Equal(t, "针灸科", w.first(d, "膝盖疼"))
	_, err = d.Publish(t.Context(), rule("TCM"), "test", audit())
	require.NoError(t, err)
	require.Equal(t, "治未病科", w.first(d, "膝盖疼"))
	files["rules.json"].Data = []byte("{\n!")
	_, err = guide.New(t.Context(), guide.Config{DB: w.db, Files: files, Now: w.clock.Now, House: func(context.Context) ([]hospital.Department, error) { return nil, nil }})
	require.ErrorIs(t, err, triage.ErrKnowledge, "a faulty file stops the start")
}

// TestARecordSaysNothingOfWhoItWas: neither what was written in between nor an
// age nor the order of the day.
func TestARecordSaysNothingOfWhoItWas(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := newWorld(t.T, t.Open())
		d := w.desk()
		know := d.Knowledge(w.Context())
		c := triage.Complaint{Text: "张三的膝盖疼，李四咳嗽", Sex: triage.Male, Age: triage.AgeYears(43)}
		a, err := know.Set.Advise(c)
		require.NoError(w, err)
		today := hospital.DateOf(w.clock.Now())
		note := know.Note(today, c, nil, a)
		require.Equal(w, "40-59", note.Age)
		for _, list := range [][]string{note.Phrases, note.Understood} {
			require.NotEmpty(w, list)
			for _, text := range list {
				require.NotContains(w, text, "张三")
				require.NotContains(w, text, "李四")
			}
		}
		require.NoError(w, d.Record(w.Context(), "1", note))
		old := note
		old.Day = today.AddDays(-800)
		require.NoError(w, d.Record(w.Context(), "0", old))
		require.NoError(w, d.Record(w.Context(), "2", note))
		all, err := d.Consultations(w.Context(), today.AddDays(-1000), today)
		require.NoError(w, err)
		require.Equal(w, []guide.Consultation{note, note}, all, "what is two years old is gone")
		tallies, err := d.Tallies(w.Context(), today, today)
		require.NoError(w, err)
		require.Equal(w, []guide.Tally{{Department: note.Departments[0], Times: 2}}, tallies)
	})
}

// TestAConsultationThatIsShownAgainIsOneRow, with the answer that most questions
// led to, whichever replica shows it and in whatever order.
func TestAConsultationThatIsShownAgainIsOneRow(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := newWorld(t.T, t.Open())
		one, two := w.desk(), w.desk()
		today := hospital.DateOf(w.clock.Now())
		told := guide.Consultation{Day: today, Level: triage.NoEmergency, Departments: []string{"RESP"}}
		answered := told
		answered.Departments, answered.Answers = []string{"CARD"}, []string{"chest.0"}
		var group sync.WaitGroup
		failed := make([]error, 8)
		for i := range failed {
			group.Go(func() {
				d, c := one, told
				if i%2 == 1 {
					d = two
				}
				if i > 5 {
					c = answered
				}
				failed[i] = d.Record(w.Context(), "1", c)
			})
		}
		group.Wait()
		require.NoError(w, errors.Join(failed...))
		tomorrow := told
		tomorrow.Day = today.AddDays(1)
		require.NoError(w, one.Record(w.Context(), "1", tomorrow), "an old page, the next day")
		all, err := two.Consultations(w.Context(), today, today.AddDays(1))
		require.NoError(w, err)
		require.Equal(w, []guide.Consultation{answered}, all)
	})
}
