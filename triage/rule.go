package triage

import (
	"slices"
	"strings"
)

// rule (规则) adds points under conditions or puts a department first.
type rule struct {
	id       string
	priority int
	when     condition
	add      []weight
	first    int // -1 none
	why      string
	house    bool // from the overlay
	file     string
	line     int
}

// condition holds if everything it names holds. Unknown is not met: a rule
// for children does not fire where no age is known.
type condition struct {
	any, all, not        []int // symptoms
	parts                []int
	traits, traitsNot    []trait
	sex                  Sex
	minMonths, maxMonths int // of age; 0 no bound
	minWeeks, maxWeeks   int // of pregnancy
	minDays, maxDays     int // since it began
	minSeverity          int
	chronic              []string
	leading              []int // one of these departments must lead so far
	hasMaxMonths         bool
}

func conditionFields() []string {
	return []string{
		"symptoms_any", "symptoms_all", "symptoms_not", "parts", "traits", "traits_not", "sex", "min_age_months", "max_age_months",
		"min_weeks", "max_weeks", "min_days", "max_days", "min_severity", "chronic_any", "leading",
	}
}

func (s *Set) loadRules(l *layers) {
	l.top(kindRules, "rules")
	for _, e := range l.entries(kindRules, "rules", "id") {
		f := e.r.fields(e.node, "id", "priority", "when", "add", "first", "why")
		x := rule{
			id: e.name, priority: e.r.number(f["priority"], 0, 1000), when: s.condition(e.r, e.node, f["when"]),
			add: s.optional(e.r, f["add"]), first: -1, why: e.r.must(e.node, f["why"], "why"),
			house: strings.HasPrefix(e.r.file, overlayPrefix), file: e.r.file, line: int(e.node.line),
		}
		if f["first"] != nil {
			id := e.r.text(f["first"])
			if x.first = s.department(id); x.first < 0 {
				e.r.problem(f["first"], "rule %s: unknown department %q", e.name, id)
			}
		}
		if x.first < 0 && len(x.add) == 0 {
			e.r.problem(e.node, "rule %s does nothing: want add or first", e.name)
		}
		s.rules = append(s.rules, x)
	}
	slices.SortStableFunc(s.rules, func(a, b rule) int { return b.priority - a.priority })
}

// optional reads weights that may be absent.
func (s *Set) optional(r *reader, n *node) []weight {
	if n == nil {
		return nil
	}
	return s.weights(r, n)
}

func (s *Set) condition(r *reader, parent, n *node) condition {
	c := condition{}
	if n == nil {
		r.problem(parent, "field \"when\" is missing")
		return c
	}
	f := r.fields(n, conditionFields()...)
	c.any, c.all, c.not = s.symptomList(r, f["symptoms_any"]), s.symptomList(r, f["symptoms_all"]), s.symptomList(r, f["symptoms_not"])
	c.parts = list(r, f["parts"], "part", func(id string) int {
		if at, ok := s.partIndex[id]; ok {
			return at
		}
		return -1
	})
	traitAt := func(name string) int { return slices.Index(traitNames(), name) }
	for _, at := range list(r, f["traits"], "trait", traitAt) {
		c.traits = append(c.traits, trait(at))
	}
	for _, at := range list(r, f["traits_not"], "trait", traitAt) {
		c.traitsNot = append(c.traitsNot, trait(at))
	}
	c.sex = SexNamed(r.oneOf(f["sex"], "any", "any", "M", "F"))
	c.minMonths, c.maxMonths = r.number(f["min_age_months"], 0, 1560), r.number(f["max_age_months"], 0, 1560)
	c.hasMaxMonths = f["max_age_months"] != nil
	c.minWeeks, c.maxWeeks = r.number(f["min_weeks"], 0, 45), r.number(f["max_weeks"], 0, 45)
	c.minDays, c.maxDays = r.number(f["min_days"], 0, 36500), r.number(f["max_days"], 0, 36500)
	c.minSeverity = r.number(f["min_severity"], 0, 3)
	if f["chronic_any"] != nil {
		c.chronic = r.texts(f["chronic_any"])
	}
	c.leading = list(r, f["leading"], "department", s.department)
	if len(n.items) == 0 {
		r.problem(n, "a condition without a field would always hold")
	}
	return c
}

func (s *Set) symptomList(r *reader, n *node) []int {
	return list(r, n, "symptom", s.symptomNamed)
}

// list reads names and looks each up; an unknown one is a problem.
func list(r *reader, n *node, what string, at func(string) int) []int {
	var out []int
	for i := range r.optional(n) {
		name := r.text(&n.items[i])
		found := at(name)
		if found < 0 {
			r.problem(&n.items[i], "unknown %s %q", what, name)
			continue
		}
		out = append(out, found)
	}
	return out
}

// optional reads an array that may be absent.
func (r *reader) optional(n *node) []node {
	if n == nil {
		return nil
	}
	return r.array(n)
}

// holds reports whether c is met, and the first symptom that met it.
func (c *condition) holds(v *verdict) (symptom int, ok bool) {
	symptom = -1
	p := v.person
	for _, x := range c.all {
		if !v.said(x) {
			return -1, false
		}
		symptom = x
	}
	if len(c.any) > 0 {
		i := slices.IndexFunc(c.any, v.said)
		if i < 0 {
			return -1, false
		}
		symptom = c.any[i]
	}
	return symptom, !slices.ContainsFunc(c.not, v.said) &&
		(len(c.parts) == 0 || slices.ContainsFunc(c.parts, func(x int) bool { return slices.Contains(v.parts, x) })) &&
		!slices.ContainsFunc(c.traits, func(t trait) bool { return !slices.Contains(v.traits, t) }) &&
		!slices.ContainsFunc(c.traitsNot, func(t trait) bool { return slices.Contains(v.traits, t) }) &&
		(c.sex == AnySex || c.sex == p.sex) && c.age(p) && c.course(p) &&
		(len(c.chronic) == 0 || slices.ContainsFunc(c.chronic, p.hasChronic)) &&
		(len(c.leading) == 0 || slices.Contains(c.leading, v.leading()))
}

func (c *condition) age(p *person) bool {
	if c.minMonths == 0 && !c.hasMaxMonths {
		return true
	}
	return p.age.known && p.age.Months() >= c.minMonths && (!c.hasMaxMonths || p.age.Months() <= c.maxMonths)
}

func (c *condition) course(p *person) bool {
	within := func(value, low, high int) bool {
		return low == 0 && high == 0 || value > 0 && value >= low && (high == 0 || value <= high)
	}
	return within(p.weeks, c.minWeeks, c.maxWeeks) && within(p.days, c.minDays, c.maxDays) && within(p.severity, c.minSeverity, 0)
}
