package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/wxhospital/hospital/triage"
)

func lint(args []string, out io.Writer) error {
	set, overlay := flags("lint", out)
	if err := set.Parse(args); err != nil {
		return err
	}
	knowledge, err := open(*overlay)
	if err != nil {
		return err
	}
	w := newPrinter(out)
	problems := knowledge.Lint()
	for _, p := range problems {
		w.say("%s", p)
	}
	if err := w.done(); err != nil {
		return err
	}
	if len(problems) > 0 {
		return fmt.Errorf("lint: %d problems", len(problems))
	}
	_, err = fmt.Fprintf(out, "%s: clean\n", knowledge)
	return err
}

func explain(args []string, out io.Writer) error {
	set, overlay := flags("explain", out)
	sex := set.String("sex", "", "M or F")
	years := set.Float64("age", 0, "years")
	if err := set.Parse(args); err != nil {
		return err
	}
	text := strings.Join(set.Args(), " ")
	if text == "" {
		return errors.New("explain: want a complaint")
	}
	knowledge, err := open(*overlay)
	if err != nil {
		return err
	}
	advice, err := knowledge.Advise(triage.Complaint{Text: text, Sex: triage.SexNamed(*sex), Age: age(*years)})
	if err != nil {
		return err
	}
	return show(out, advice)
}

func show(out io.Writer, a *triage.Advice) error {
	w := newPrinter(out)
	w.say("knowledge %s", a.Set)
	for _, e := range a.Emergencies {
		w.say("EMERGENCY %s %s %s (%s): %s → %s %s %s", e.Level, e.ID, e.Name, e.Notice, e.Advice, e.Action, e.Hotline, strings.Join(e.Phrases, "、"))
	}
	for _, c := range a.Checks {
		w.say("ask %s: %s (%s)", c.ID, c.Ask, c.Phrase)
	}
	for _, c := range a.Departments {
		w.say("%s %s %d%%", c.Standard, c.Department.Name, c.Share)
		for _, r := range c.Reasons {
			w.say("    %+4d %s → %s (%s)", r.Points, r.Phrase, r.Symptom, r.Rule)
		}
	}
	if !a.Sure {
		w.say("not sure")
	}
	if a.Question != nil {
		w.say("question %s: %s %s", a.Question.ID, a.Question.Ask, strings.Join(a.Question.Options, " / "))
	}
	for _, n := range a.Notes {
		w.say("note: %s", n)
	}
	for _, f := range a.Understood {
		denied := ""
		if f.Denied {
			denied = " (denied)"
		}
		w.say("  understood %s → %s%s", f.Phrase, f.Symptom, denied)
	}
	return w.done()
}

func cover(args []string, out io.Writer) error {
	set, overlay := flags("cover", out)
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() != 1 {
		return errors.New("cover: want one file of cases")
	}
	knowledge, err := open(*overlay)
	if err != nil {
		return err
	}
	rows, err := readCases(set.Arg(0))
	if err != nil {
		return err
	}
	complaints := make([]triage.Complaint, len(rows))
	for i := range rows {
		complaints[i] = rows[i].complaint(knowledge, "text")
	}
	coverage, err := knowledge.Cover(complaints)
	if err != nil {
		return err
	}
	w := newPrinter(out)
	for _, u := range coverage {
		w.say("%6d %-9s %s", u.Times, u.Kind, u.Name)
	}
	return w.done()
}
