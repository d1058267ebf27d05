package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/wxhospital/hospital/triage"
)

// prediction is one line of the output file.
type prediction struct {
	ID          string   `json:"id"`
	Departments []string `json:"departments"`
	RedFlag     string   `json:"redflag"`
}

func eval(args []string, out io.Writer) error {
	set, overlay := flags("eval", out)
	cases := set.String("cases", "", "labeled cases, one JSON object a line")
	field := set.String("field", "text", "text or chief")
	red := set.Bool("redflags", false, "measure the red flags instead of the departments")
	to := set.String("out", "", "file for the predictions")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *cases == "" || *field != "text" && *field != "chief" {
		return errors.New("eval: want -cases FILE and -field text or chief")
	}
	knowledge, err := open(*overlay)
	if err != nil {
		return err
	}
	rows, err := readCases(*cases)
	if err != nil {
		return err
	}
	predictions := make([]prediction, len(rows))
	for i := range rows {
		advice, err := knowledge.Advise(rows[i].complaint(knowledge, *field))
		if err != nil {
			return fmt.Errorf("case %s: %w", rows[i].ID, err)
		}
		predictions[i] = prediction{ID: rows[i].ID, Departments: standards(advice), RedFlag: string(advice.Level())}
	}
	if *to != "" {
		if err := write(*to, predictions); err != nil {
			return err
		}
	}
	if *red {
		return alarms(out, rows, predictions)
	}
	return departments(out, rows, predictions)
}

// standards lists the standard ids; the cases know no house's own.
func standards(a *triage.Advice) []string {
	out := make([]string, len(a.Departments))
	for i, c := range a.Departments {
		out[i] = c.Standard
	}
	return out
}

func write(name string, predictions []prediction) (err error) {
	f, err := os.Create(name) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	for _, p := range predictions {
		line, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return w.Flush()
}

// tally counts one label.
type tally struct{ n, first, three int }

// departments prints top-1, top-3, macro-F1, each department and the
// confusions, over the scored rows of each source.
func departments(out io.Writer, rows []row, predictions []prediction) error {
	groups := map[string][]int{}
	for i, r := range rows {
		groups[r.Source+"/"+r.Tier] = append(groups[r.Source+"/"+r.Tier], i)
	}
	w := newPrinter(out)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		group(w, name, rows, predictions, groups[name])
	}
	all := make([]int, len(rows))
	for i := range all {
		all[i] = i
	}
	labels, confusions := group(w, "all", rows, predictions, all)
	byCount := func(m map[string]*tally) []string {
		return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
			return cmp.Or(m[b].n-m[a].n, cmp.Compare(a, b))
		})
	}
	for _, label := range byCount(labels) {
		t := labels[label]
		w.say("  %-8s n=%4d top-1 %s top-3 %s", label, t.n, percent(t.first, t.n), percent(t.three, t.n))
	}
	w.say("confusions (wanted > given)")
	for i, pair := range byCount(confusions) {
		if i == 20 {
			break
		}
		w.say("  %-18s %d", pair, confusions[pair].n)
	}
	return w.done()
}

func group(w *printer, name string, rows []row, predictions []prediction, at []int) (labels, confusions map[string]*tally) {
	labels, confusions = map[string]*tally{}, map[string]*tally{}
	entry := func(m map[string]*tally, key string) *tally {
		if m[key] == nil {
			m[key] = &tally{}
		}
		return m[key]
	}
	given := map[string]int{} // wrong answers by the department given
	first, three := 0, 0
	for _, i := range at {
		r, got := rows[i], predictions[i].Departments
		t := entry(labels, r.Label)
		t.n++
		if slices.ContainsFunc(got[:min(3, len(got))], func(d string) bool { return slices.Contains(r.Gold, d) }) {
			t.three++
			three++
		}
		switch {
		case len(got) > 0 && slices.Contains(r.Gold, got[0]):
			t.first++
			first++
		case len(got) > 0:
			given[got[0]]++
			entry(confusions, r.Label+" > "+got[0]).n++
		}
	}
	w.say("%s: n=%d top-1 %s (%d) top-3 %s (%d) macro-F1 %s", name, len(at), percent(first, len(at)), first, percent(three, len(at)), three, macroF1(labels, given))
	return labels, confusions
}

// macroF1 is the mean over the labels of the harmonic mean of precision and
// recall.
func macroF1(labels map[string]*tally, given map[string]int) string {
	sum := 0.0
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		t := labels[label]
		if t.first > 0 {
			sum += 2 * float64(t.first) / float64(t.first+given[label]+t.n)
		}
	}
	return fmt.Sprintf("%.2f", 100*sum/float64(max(1, len(labels))))
}

func percent(part, whole int) string {
	return fmt.Sprintf("%.2f", 100*float64(part)/float64(max(1, whole)))
}

// alarms prints recall, specificity and level where the rows say what is
// expected, otherwise the share of rows that raise an alarm.
func alarms(out io.Writer, rows []row, predictions []prediction) error {
	w := newPrinter(out)
	var hit, missed, quiet, false120, level, raised int
	for i, r := range rows {
		got := predictions[i].RedFlag
		if got != string(triage.NoEmergency) {
			raised++
		}
		if r.Expect == "" {
			continue
		}
		if got == r.Expect {
			level++
		}
		wanted := r.Expect != string(triage.NoEmergency)
		switch {
		case wanted && got != string(triage.NoEmergency):
			hit++
		case wanted:
			missed++
			w.say("missed %s %s (%s)", r.ID, r.Expect, r.Category)
		case got != string(triage.NoEmergency):
			false120++
			w.say("false alarm %s %s (%s)", r.ID, got, r.Category)
		default:
			quiet++
		}
	}
	if labeled := hit + missed + quiet + false120; labeled > 0 {
		w.say("recall %s (%d of %d) specificity %s (%d of %d) level %s",
			percent(hit, hit+missed), hit, hit+missed, percent(quiet, quiet+false120), quiet, quiet+false120, percent(level, labeled))
	}
	w.say("alarms %d of %d (%s %%)", raised, len(rows), percent(raised, len(rows)))
	return w.done()
}
