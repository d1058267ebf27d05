package triage

import (
	"cmp"
	"slices"
)

// Use says how often one piece of knowledge fired over a corpus.
type Use struct {
	Kind  string // "symptom", "trait", "rule", "flag", "lowered"
	Name  string
	Times int
}

// Cover runs a corpus of complaints and counts what fired, the busiest first
// and what never fired last. It shows an editor which entries earn their place.
func (s *Set) Cover(complaints []Complaint) ([]Use, error) {
	times := map[Use]int{}
	for _, x := range s.symptoms {
		times[Use{Kind: "symptom", Name: x.name}] = 0
	}
	for _, name := range traitNames() {
		times[Use{Kind: "trait", Name: name}] = 0
	}
	for _, x := range s.rules {
		times[Use{Kind: "rule", Name: x.id}] = 0
	}
	for _, f := range s.flags {
		times[Use{Kind: "flag", Name: f.id}] = 0
		times[Use{Kind: "lowered", Name: f.id}] = 0
	}
	for i := range complaints {
		c := &complaints[i]
		if err := c.check(s); err != nil {
			return nil, err
		}
		r := s.read(s.normal.runes(c.text(s)))
		v := s.judge(c, r)
		for _, m := range r.mentions {
			times[Use{Kind: "symptom", Name: s.symptoms[m.symptom].name}]++
		}
		for _, t := range v.traits {
			times[Use{Kind: "trait", Name: traitNames()[t]}]++
		}
		for _, id := range v.fired {
			times[Use{Kind: "rule", Name: id}]++
		}
		for _, x := range r.alarm(v.person) {
			kind := "flag"
			if x.lowered {
				kind = "lowered"
			}
			times[Use{Kind: kind, Name: x.flag.id}]++
		}
	}
	out := make([]Use, 0, len(times))
	for u, n := range times {
		u.Times = n
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b Use) int {
		return cmp.Or(b.Times-a.Times, cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}
