package triage

import (
	"fmt"
	"slices"
	"strings"
)

// Lint returns what loads but deserves a look: parts without symptoms for
// somebody, symptoms without a department, rules that cannot fire or
// contradict each other, questions that split nothing, red flags that say
// nothing, departments nobody is ever sent to. Unknown names and red flags
// without source or advice are refused by [Load] already.
func (s *Set) Lint() Problems {
	l := &linter{set: s}
	l.symptoms()
	l.parts()
	l.figure()
	l.rules()
	l.questions()
	l.flags()
	l.departments()
	return l.problems
}

type linter struct {
	set      *Set
	problems Problems
}

func (l *linter) report(file string, line int, format string, args ...any) {
	l.problems = append(l.problems, Problem{file, line, fmt.Sprintf(format, args...)})
}

// symptoms looks for what is known and leads nowhere: neither by a weight of
// its own nor by a rule.
func (l *linter) symptoms() {
	used := map[int]bool{}
	for _, x := range l.set.rules {
		for _, at := range slices.Concat(x.when.any, x.when.all, x.when.not) {
			used[at] = true
		}
	}
	for i, x := range l.set.symptoms {
		if len(x.weights) == 0 && !used[i] {
			l.report(x.file, x.line, "symptom %s has no department", x.name)
		}
	}
}

// parts looks at each part as each kind of person sees it.
func (l *linter) parts() {
	for _, part := range l.set.parts {
		seen := map[string]bool{}
		for _, x := range part.Symptoms {
			if seen[x.Name+x.Sex.String()+x.Age] {
				l.report("bodymap.json", 0, "part %s: symptom %s stands twice", part.ID, x.Name)
			}
			seen[x.Name+x.Sex.String()+x.Age] = true
			if len(x.weights) == 0 {
				l.report("bodymap.json", 0, "part %s: symptom %s has no department", part.ID, x.Name)
			}
		}
		for _, sex := range []Sex{Male, Female} {
			for _, isChild := range []bool{false, true} {
				if fits(part.Sex, part.Age, sex, isChild) && len(part.For(sex, isChild)) == 0 {
					l.report("bodymap.json", 0, "part %s has no symptom for sex %s, child %t", part.ID, sex, isChild)
				}
			}
		}
	}
}

// figure looks for parts nobody can reach: neither a shape nor a chip.
func (l *linter) figure() {
	shown := map[string]bool{}
	for _, r := range l.set.regions {
		for _, id := range r.Parts {
			shown[id] = true
			if part, _ := l.set.Part(id); part.Side == NoSide && r.View == BackView {
				l.report("figure.json", 0, "region %s/%s shows %s, which no side shows", r.View, r.Key, id)
			}
		}
	}
	for _, c := range l.set.chips {
		for _, id := range c.Parts {
			shown[id] = true
		}
	}
	for _, part := range l.set.parts {
		if !shown[part.ID] {
			l.report("figure.json", 0, "part %s is on no region and no chip", part.ID)
		}
	}
}

func (l *linter) rules() {
	for i := range l.set.rules {
		a := &l.set.rules[i]
		if why := a.when.impossible(); why != "" {
			l.report(a.file, a.line, "rule %s can never fire: %s", a.id, why)
		}
		for j := range l.set.rules[:i] {
			b := &l.set.rules[j]
			if a.first < 0 || b.first < 0 || !b.when.covers(&a.when) {
				continue
			}
			switch {
			case a.first == b.first:
			case a.priority == b.priority:
				l.report(a.file, a.line, "rules %s and %s put different departments first at one priority", a.id, b.id)
			default:
				l.report(a.file, a.line, "rule %s is never reached: %s holds whenever it does", a.id, b.id)
			}
		}
	}
}

// impossible says why a condition contradicts itself.
func (c *condition) impossible() string {
	has := func(t trait) bool { return slices.Contains(c.traits, t) }
	over := func(low, high int) bool { return high > 0 && low > high }
	for _, t := range c.traits {
		if slices.Contains(c.traitsNot, t) {
			return "trait " + traitNames()[t] + " is both wanted and excluded"
		}
	}
	for _, x := range slices.Concat(c.any, c.all) {
		if slices.Contains(c.not, x) && (len(c.any) < 2 || slices.Contains(c.all, x)) {
			return "a symptom is both wanted and excluded"
		}
	}
	switch {
	case c.hasMaxMonths && c.minMonths > c.maxMonths, over(c.minWeeks, c.maxWeeks), over(c.minDays, c.maxDays):
		return "a lower bound lies above its upper bound"
	case c.sex == Male && (has(traitPregnant) || has(traitPostpartum) || has(traitFemale) || c.minWeeks > 0), has(traitMale) && has(traitFemale):
		return "the sexes contradict each other"
	case has(traitChild) && (has(traitElder) || has(traitAdult)), has(traitElder) && c.hasMaxMonths && c.maxMonths < 60*12:
		return "the ages contradict each other"
	}
	return ""
}

// covers reports whether c surely holds whenever other holds. It knows the
// simple cases only: no condition of c is missing from other.
func (c *condition) covers(other *condition) bool {
	within := func(part, whole []int) bool {
		return !slices.ContainsFunc(part, func(x int) bool { return !slices.Contains(whole, x) })
	}
	anyMet := len(c.any) == 0 || len(other.any) > 0 && within(other.any, c.any) || slices.ContainsFunc(other.all, func(x int) bool { return slices.Contains(c.any, x) })
	return anyMet && within(c.all, other.all) && within(c.not, other.not) &&
		(len(c.parts) == 0 || len(other.parts) > 0 && within(other.parts, c.parts)) &&
		!slices.ContainsFunc(c.traits, func(t trait) bool { return !slices.Contains(other.traits, t) }) &&
		!slices.ContainsFunc(c.traitsNot, func(t trait) bool { return !slices.Contains(other.traitsNot, t) }) &&
		(c.sex == AnySex || c.sex == other.sex) && c.coversNumbers(other) && len(c.chronic) == 0 &&
		(len(c.leading) == 0 || len(other.leading) > 0 && within(other.leading, c.leading))
}

func (c *condition) coversNumbers(other *condition) bool {
	inside := func(low, high, otherLow, otherHigh int) bool {
		return otherLow >= low && (high == 0 || otherHigh > 0 && otherHigh <= high)
	}
	ages := !c.hasMaxMonths || other.hasMaxMonths && other.maxMonths <= c.maxMonths
	return ages && other.minMonths >= c.minMonths && inside(c.minWeeks, c.maxWeeks, other.minWeeks, other.maxWeeks) &&
		inside(c.minDays, c.maxDays, other.minDays, other.maxDays) && other.minSeverity >= c.minSeverity
}

func (l *linter) questions() {
	for _, q := range l.set.questions {
		moves := slices.ContainsFunc(q.options, func(o option) bool { return len(o.add) > 0 })
		if !moves {
			l.report(q.file, q.line, "question %s: no option moves a department", q.id)
		}
	}
}

func (l *linter) flags() {
	for _, f := range l.set.flags {
		disease, suspected := strings.CutPrefix(f.name, "疑似")
		switch {
		case f.notice == "":
			l.report(f.file, f.line, "red flag %s has no notice: what shall the patient read?", f.id)
		case strings.Contains(f.notice, "疑似"), suspected && strings.Contains(f.notice, disease):
			l.report(f.file, f.line, "red flag %s: the notice names a disease, not signs", f.id)
		}
		for _, p := range f.patterns {
			if p.maxDays > 0 && p.minDays > p.maxDays {
				l.report(f.file, f.line, "red flag %s: the lower age lies above the upper", f.id)
			}
			if p.sex == Male && (p.pregnant || p.delivered || p.minWeeks > 0) {
				l.report(f.file, f.line, "red flag %s: a pregnant man", f.id)
			}
		}
	}
}

// departments looks for those no weight, rule or part ever speaks for.
func (l *linter) departments() {
	s := l.set
	spoken := make([]bool, len(s.departments))
	take := func(list []weight) {
		for _, w := range list {
			if w.points > 0 {
				spoken[w.department] = true
			}
		}
	}
	for _, x := range s.symptoms {
		take(x.weights)
	}
	for _, list := range s.traits {
		take(list)
	}
	for _, part := range s.parts {
		for _, x := range part.Symptoms {
			take(x.weights)
		}
	}
	for _, x := range s.rules {
		take(x.add)
		if x.first >= 0 {
			spoken[x.first] = true
		}
	}
	for i, yes := range spoken {
		if !yes {
			l.report("departments.json", 0, "department %s is never reached", s.departments[i].ID)
		}
	}
}
