package triage

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// Side (正面/背面) is the side of the figure a part is shown on.
type Side string

// The sides. NoSide parts, such as 小便, appear as chips only.
const (
	Front     Side = "front"
	Back      Side = "back"
	BothSides Side = "both"
	NoSide    Side = "none"
)

// BodyPart (身体部位) is one of the 33 places a complaint can be put.
type BodyPart struct {
	ID       string // "KNEE"
	Name     string // 膝部
	Side     Side
	Sex      Sex    // AnySex, or who alone has it
	Age      string // "any", "child" or "adult"
	Symptoms []PartSymptom

	words []string
}

// PartSymptom is what can be ticked at a part.
type PartSymptom struct {
	ID   string // stands for it in a page's form; the same in every set that has it
	Name string
	Sex  Sex
	Age  string // "any", "child" or "adult"

	weights []weight
}

// partWeight turns the body map's 1–10 into points: a symptom ticked at a part
// says more than the same word somewhere in a long text.
const partWeight = 4

func (s *Set) loadBodyMap(l *layers) {
	l.top(kindBodyMap, "parts")
	s.partIndex = map[string]int{}
	for _, e := range l.entries(kindBodyMap, "parts", "id") {
		f := e.r.fields(e.node, "id", "name", "side", "sex", "age", "words", "symptoms")
		part := BodyPart{
			ID: e.name, Name: e.r.must(e.node, f["name"], "name"),
			Side: Side(e.r.oneOf(f["side"], string(NoSide), string(Front), string(Back), string(BothSides), string(NoSide))),
			Sex:  SexNamed(e.r.oneOf(f["sex"], "any", "any", "M", "F")),
			Age:  e.r.oneOf(f["age"], "any", "any", "child", "adult"),
		}
		if f["words"] != nil {
			part.words = e.r.texts(f["words"])
		}
		items := e.r.array(f["symptoms"])
		for i := range items {
			x := s.partSymptom(e.r, &items[i])
			x.ID = symptomID(part.ID, x)
			if slices.ContainsFunc(part.Symptoms, func(old PartSymptom) bool { return old.ID == x.ID && old.Name != x.Name }) {
				e.r.problem(&items[i], "symptom %s: its id %s is taken, give it another name", x.Name, x.ID)
			}
			part.Symptoms = append(part.Symptoms, x)
		}
		s.partIndex[e.name] = len(s.parts)
		s.parts = append(s.parts, part)
	}
}

func (s *Set) partSymptom(r *reader, n *node) PartSymptom {
	f := r.fields(n, "name", "sex", "age", "departments")
	x := PartSymptom{
		Name: r.must(n, f["name"], "name"),
		Sex:  SexNamed(r.oneOf(f["sex"], "any", "any", "M", "F")),
		Age:  r.oneOf(f["age"], "any", "any", "child", "adult"),
	}
	for _, w := range s.weights(r, f["departments"]) {
		if w.points < 1 || w.points > 10 {
			r.problem(n, "symptom %s: a part's weight is 1 to 10", x.Name)
		}
		x.weights = append(x.weights, weight{w.department, w.points * partWeight})
	}
	return x
}

// symptomID names a symptom of a part by what it is called, not by its place: a
// page that was made under one set is answered under the next.
func symptomID(part string, x PartSymptom) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(x.Name)) // a hash never fails
	return part + "-" + strconv.FormatUint(uint64(h.Sum32()), 36)
}

// Ticked returns the part and the symptom with an id of a page's form.
func (s *Set) Ticked(id string) (BodyPart, PartSymptom, bool) {
	of, _, _ := strings.Cut(id, "-")
	at, ok := s.partIndex[of]
	if !ok {
		return BodyPart{}, PartSymptom{}, false
	}
	part := s.parts[at]
	i := slices.IndexFunc(part.Symptoms, func(x PartSymptom) bool { return x.ID == id })
	if i < 0 {
		return BodyPart{}, PartSymptom{}, false
	}
	return part, part.Symptoms[i], true
}

// Called returns the name under which the lexicon keeps what people say:
// 拉肚子 is called 腹泻.
func (s *Set) Called(saying string) (string, bool) {
	if at := s.symptomNamed(saying); at >= 0 {
		return s.symptoms[at].name, true
	}
	return "", false
}

// fits reports whether something for sex and age group meets a person.
func fits(sex Sex, group string, who Sex, child bool) bool {
	if sex != AnySex && who != AnySex && sex != who {
		return false
	}
	return group == "any" || group == "" || (group == "child") == child
}

// Parts returns the parts shown on side to a person: both-sided parts on
// either, and with NoSide the chips.
func (s *Set) Parts(side Side, sex Sex, isChild bool) []BodyPart {
	var out []BodyPart
	for _, part := range s.parts {
		if !fits(part.Sex, part.Age, sex, isChild) {
			continue
		}
		if part.Side == side || part.Side == BothSides && side != NoSide {
			out = append(out, part)
		}
	}
	return out
}

// Part returns the part with an id or a name.
func (s *Set) Part(id string) (BodyPart, bool) {
	i := slices.IndexFunc(s.parts, func(p BodyPart) bool { return p.ID == id || p.Name == id })
	if i < 0 {
		return BodyPart{}, false
	}
	return s.parts[i], true
}

// For returns the symptoms of the part that this person can have.
func (p BodyPart) For(sex Sex, isChild bool) []PartSymptom {
	var out []PartSymptom
	for _, x := range p.Symptoms {
		if fits(x.Sex, x.Age, sex, isChild) {
			out = append(out, x)
		}
	}
	return out
}
