package triage

import (
	"cmp"
	"slices"
)

// The scale of the sums: a mention in the first sentence counts half again as
// much as one further down, so a point is two units there and three here.
const (
	unitsPerPoint = 2
	titleUnits    = 3
)

// reason is one piece of evidence before it is put in words.
type reason struct {
	phrase, symptom, rule string
	weights               []weight
	units                 int // per point
}

// verdict is the sum of the evidence about one complaint.
type verdict struct {
	set     *Set
	reading *reading
	person  *person
	traits  []trait
	parts   []int
	sums    []int // in units, by department
	reasons []reason
	first   int      // the department a rule put first, -1 none
	fired   []string // ids of the rules that held
	heard   map[int]bool
}

func (v *verdict) said(symptom int) bool { return v.heard[symptom] }

func (v *verdict) add(r reason) {
	if len(r.weights) == 0 {
		return
	}
	for _, w := range r.weights {
		v.sums[w.department] += w.points * r.units
	}
	v.reasons = append(v.reasons, r)
}

func (v *verdict) leading() int {
	best := 0
	for i, sum := range v.sums {
		if sum > v.sums[best] {
			best = i
		}
	}
	return best
}

// judge sums the evidence. Addition in a fixed order of whole numbers: the
// same complaint has the same answer on every machine.
func (s *Set) judge(c *Complaint, r *reading) *verdict {
	v := &verdict{set: s, reading: r, person: s.person(c, r), first: -1, sums: make([]int, len(s.departments)), heard: make(map[int]bool, len(r.mentions))}
	for i, points := range s.base {
		v.sums[i] = points * unitsPerPoint
	}
	v.traits = v.person.traits(s.childMonths)
	for _, m := range r.mentions {
		x := &s.symptoms[m.symptom]
		v.heard[m.symptom] = true
		units := unitsPerPoint
		if m.title {
			units = titleUnits
		}
		v.add(reason{r.phrase(m.start, m.end), x.name, "词库", x.weights, units})
	}
	for _, t := range v.traits {
		v.add(reason{"", traitWords()[t], "人群", s.traits[t], unitsPerPoint})
	}
	v.tick(c)
	for _, a := range c.Answers {
		q := s.question(a.Question)
		o := q.options[a.Option]
		v.add(reason{o.say, q.ask, "追问", o.add, unitsPerPoint})
	}
	v.apply()
	return v
}

// tick adds what was ticked on the body map.
func (v *verdict) tick(c *Complaint) {
	for _, id := range c.Parts {
		at := slices.IndexFunc(v.set.parts, func(p BodyPart) bool { return p.ID == id || p.Name == id })
		v.parts = append(v.parts, at)
	}
	for _, name := range c.Symptoms {
		if part, x := v.find(name); x != nil {
			v.add(reason{name, x.Name, "人体图·" + part, x.weights, unitsPerPoint})
		}
	}
}

// find looks a ticked name up at the ticked parts, then at all parts.
func (v *verdict) find(name string) (string, *PartSymptom) {
	s := v.set
	means := s.symptomNamed(name)
	same := func(x PartSymptom) bool {
		return x.Name == name || means >= 0 && s.symptomNamed(x.Name) == means
	}
	for _, ticked := range []bool{true, false} {
		for i := range s.parts {
			part := &s.parts[i]
			if slices.Contains(v.parts, i) != ticked || !ticked && !fits(part.Sex, part.Age, v.person.sex, v.person.child) {
				continue
			}
			if j := slices.IndexFunc(part.Symptoms, same); j >= 0 {
				return part.Name, &part.Symptoms[j]
			}
		}
	}
	return "", nil
}

// apply runs the rules by priority. The first that puts a department in front
// has the last word.
func (v *verdict) apply() {
	for i := range v.set.rules {
		x := &v.set.rules[i]
		symptom, ok := x.when.holds(v)
		if !ok {
			continue
		}
		v.fired = append(v.fired, x.id)
		name := ""
		if symptom >= 0 {
			name = v.set.symptoms[symptom].name
		}
		v.add(reason{"", name, x.id + " " + x.why, x.add, unitsPerPoint})
		if x.first >= 0 && v.first < 0 {
			v.first = x.first
			v.reasons = append(v.reasons, reason{"", name, x.id + " " + x.why, []weight{{x.first, maxWeight}}, 0})
		}
	}
}

// ranked is a department with its share in ten-thousandths.
type ranked struct{ department, sum, share int }

// rank orders the departments. Ties fall to the order of departments.json.
func (v *verdict) rank() []ranked {
	out := make([]ranked, len(v.sums))
	best := v.leading()
	for i, sum := range v.sums {
		out[i] = ranked{department: i, sum: sum}
	}
	total := 0
	for i := range out {
		out[i].share = decay(v.sums[best] - out[i].sum)
		total += out[i].share
	}
	for i := range out {
		out[i].share = out[i].share * 100 / total
	}
	slices.SortStableFunc(out, func(a, b ranked) int {
		if (a.department == v.first) != (b.department == v.first) {
			if a.department == v.first {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.sum, a.sum)
	})
	return out
}

// decay returns a millionth part of exp(-units/20) in whole numbers: ten
// points of difference are a factor of e.
func decay(units int) int {
	x := 1_000_000
	for ; units >= 2*10*unitsPerPoint && x > 0; units -= 2 * 10 * unitsPerPoint {
		x = x * 135_335 / 1_000_000 // exp(-2)
	}
	for ; units > 0 && x > 0; units-- {
		x = x * 951_229 / 1_000_000 // exp(-1/20)
	}
	return x
}
