package triage_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/triage"
)

// row is one of our own cases.
type row struct {
	ID, Text, Sex, Part, Expect, Category string
	Age                                   *float64
	Child                                 bool
	Symptoms, Gold                        []string
}

func cases(tb testing.TB, name string) []row {
	tb.Helper()
	data, err := os.ReadFile("testdata/" + name)
	require.NoError(tb, err)
	var rows []row
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var r row
		require.NoError(tb, json.Unmarshal(lines.Bytes(), &r))
		rows = append(rows, r)
	}
	return rows
}

func (r row) complaint() triage.Complaint {
	c := triage.Complaint{Text: r.Text, Sex: triage.SexNamed(r.Sex), Child: r.Child, Symptoms: r.Symptoms}
	if r.Age != nil && *r.Age > 0 {
		c.Age = triage.AgeDays(int(*r.Age * 365))
	}
	if r.Part != "" {
		c.Parts = []string{r.Part}
	}
	return c
}

func load(tb testing.TB) *triage.Set {
	tb.Helper()
	set, err := triage.Load(nil)
	require.NoError(tb, err)
	return set
}

func TestDepartmentsOfOurOwnCases(t *testing.T) {
	t.Parallel()
	set := load(t)
	for name, want := range map[string]struct{ rows, first, three int }{
		"coverage.jsonl":       {400, 380, 396}, // the weights saw these
		"coverage-blind.jsonl": {75, 62, 73},    // written after the fit and not used by it
		"structured.jsonl":     {120, 110, 117},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows := cases(t, name)
			require.Len(t, rows, want.rows)
			first, three := 0, 0
			for _, r := range rows {
				advice, err := set.Advise(r.complaint())
				require.NoError(t, err, r.ID)
				require.GreaterOrEqual(t, len(advice.Departments), 3, r.ID)
				for i, choice := range advice.Departments[:3] {
					if slices.Contains(r.Gold, choice.Standard) {
						three++
						if i == 0 {
							first++
							require.NotEmpty(t, choice.Reasons, "%s: an answer carries its reasons", r.ID)
						}
						break
					}
				}
			}
			require.GreaterOrEqual(t, first, want.first)
			require.GreaterOrEqual(t, three, want.three)
		})
	}
}

// TestRedFlagsOfOurOwnCases holds every call-120 sentence, every emergency and
// every near miss we wrote. None of them may be answered otherwise.
//
// The batches rf8 and rf9 were written in one go before they were run. Missed
// when first run: 32 of 171 of rf8 and, harsher in dialect and slips, 60 of 172
// of rf9, which was written after the patterns had been mended for rf8; false
// alarms 8 of 111 and 13 of 115. The patterns were mended afterwards, so that
// here all are met; what a new batch would miss, only a new batch tells.
//
// A false alarm of the category accepted stays one: a phrase that would silence
// 同事猝死了，我有点害怕 silences 同事猝死了怎么办 as well.
func TestRedFlagsOfOurOwnCases(t *testing.T) {
	t.Parallel()
	set := load(t)
	rows := cases(t, "redflags.jsonl")
	require.Greater(t, len(rows), 1480)
	count := map[string]int{}
	accepted := 0
	for _, r := range rows {
		advice, err := set.Advise(r.complaint())
		require.NoError(t, err)
		count[r.Expect]++
		if r.Category == "accepted" {
			accepted++
			continue
		}
		require.Equal(t, r.Expect == "none", advice.Level() == triage.NoEmergency, "%s %s: got %s", r.ID, r.Text, advice.Level())
		if advice.Level() == triage.NoEmergency {
			continue
		}
		top := advice.Emergencies[0]
		require.NotEmpty(t, top.Advice, r.ID)
		require.NotEmpty(t, top.Action, r.ID)
		require.NotEmpty(t, top.Sources, r.ID)
		require.NotEmpty(t, top.Phrases, r.ID)
	}
	require.LessOrEqual(t, accepted, 9)
	require.Greater(t, count["call_120"], 540)
	require.Greater(t, count["emergency_department"], 150)
	require.Greater(t, count["none"], 400)
}
