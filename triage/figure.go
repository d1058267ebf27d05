package triage

import "slices"

// View is one side of the drawn figure.
type View string

// The two views of the figure.
const (
	FrontView View = "front"
	BackView  View = "back"
)

// Region is one of the shapes of the drawn figure (13 in front, 12 behind) and
// the body parts it stands for.
type Region struct {
	Key   string // "upper-abdomen": the id of the shape
	View  View
	Label string // 上腹部
	Parts []string
}

// Chip is a body part or a purpose that no side of the figure shows: 全身, 小便.
// One without parts is no complaint, 体检·开药·复诊: who comes for that knows or
// asks for the department and is shown the list.
type Chip struct {
	Key   string
	Label string
	Sex   Sex    // AnySex, or for whom alone
	Age   string // "any", "child" or "adult"
	Parts []string
}

func (s *Set) loadFigure(l *layers) {
	l.top(kindFigure, "regions", "chips")
	partAt := func(id string) int {
		if at, ok := s.partIndex[id]; ok {
			return at
		}
		return -1
	}
	names := func(ats []int) []string {
		out := make([]string, len(ats))
		for i, at := range ats {
			out[i] = s.parts[at].ID
		}
		return out
	}
	for _, e := range l.entries(kindFigure, "regions", "id") {
		f := e.r.fields(e.node, "id", "key", "view", "label", "parts")
		x := Region{
			Key: e.r.must(e.node, f["key"], "key"), Label: e.r.must(e.node, f["label"], "label"),
			View: View(e.r.oneOf(f["view"], "front", "front", "back")), Parts: names(list(e.r, f["parts"], "part", partAt)),
		}
		if len(x.Parts) == 0 {
			e.r.problem(e.node, "region %s stands for no part", e.name)
		}
		if e.name != string(x.View)+"/"+x.Key {
			e.r.problem(e.node, "region %q: the id is view/key", e.name)
		}
		s.regions = append(s.regions, x)
	}
	for _, e := range l.entries(kindFigure, "chips", "key") {
		f := e.r.fields(e.node, "key", "label", "sex", "age", "parts")
		s.chips = append(s.chips, Chip{
			Key: e.name, Label: e.r.must(e.node, f["label"], "label"), Sex: SexNamed(e.r.oneOf(f["sex"], "any", "any", "M", "F")),
			Age: e.r.oneOf(f["age"], "any", "any", "child", "adult"), Parts: names(list(e.r, f["parts"], "part", partAt)),
		})
	}
}

// Regions returns the shapes of one view.
func (s *Set) Regions(view View) []Region {
	return slices.DeleteFunc(slices.Clone(s.regions), func(r Region) bool { return r.View != view })
}

// Region returns the shape with a key in a view.
func (s *Set) Region(view View, key string) (Region, bool) {
	for _, r := range s.regions {
		if r.View == view && r.Key == key {
			return r, true
		}
	}
	return Region{}, false
}

// Chips returns what stands beside the figure for a person.
func (s *Set) Chips(sex Sex, isChild bool) []Chip {
	return slices.DeleteFunc(slices.Clone(s.chips), func(c Chip) bool { return !fits(c.Sex, c.Age, sex, isChild) })
}

// In returns the parts of a region or chip that this person has, with what can
// be ticked at each.
func (s *Set) In(parts []string, sex Sex, isChild bool) []BodyPart {
	var out []BodyPart
	for _, id := range parts {
		part, ok := s.Part(id)
		if !ok || !fits(part.Sex, part.Age, sex, isChild) {
			continue
		}
		if part.Symptoms = part.For(sex, isChild); len(part.Symptoms) > 0 {
			out = append(out, part)
		}
	}
	return out
}
