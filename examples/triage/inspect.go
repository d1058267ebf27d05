package main

import (
	"bufio"
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
	problems := knowledge.Lint()
	for _, p := range problems {
		fmt.Fprintln(out, p)
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
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "knowledge %s\n", a.Set)
	for _, e := range a.Emergencies {
		fmt.Fprintf(w, "EMERGENCY %s %s %s: %s → %s %s %s\n", e.Level, e.ID, e.Name, e.Advice, e.Action, e.Hotline, strings.Join(e.Phrases, "、"))
	}
	for _, c := range a.Checks {
		fmt.Fprintf(w, "ask %s: %s (%s)\n", c.ID, c.Ask, c.Phrase)
	}
	for _, c := range a.Departments {
		fmt.Fprintf(w, "%s %s %d%%\n", c.Standard, c.Department.Name, c.Share)
		for _, r := range c.Reasons {
			fmt.Fprintf(w, "    %+4d %s → %s (%s)\n", r.Points, r.Phrase, r.Symptom, r.Rule)
		}
	}
	if !a.Sure {
		fmt.Fprintln(w, "not sure")
	}
	if a.Question != nil {
		fmt.Fprintf(w, "question %s: %s %s\n", a.Question.ID, a.Question.Ask, strings.Join(a.Question.Options, " / "))
	}
	for _, n := range a.Notes {
		fmt.Fprintln(w, "note:", n)
	}
	for _, f := range a.Understood {
		denied := ""
		if f.Denied {
			denied = " (denied)"
		}
		fmt.Fprintf(w, "  understood %s → %s%s\n", f.Phrase, f.Symptom, denied)
	}
	return w.Flush()
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
	w := bufio.NewWriter(out)
	for _, u := range coverage {
		fmt.Fprintf(w, "%6d %-9s %s\n", u.Times, u.Kind, u.Name)
	}
	return w.Flush()
}
