package triage

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxWeight bounds one weight. Ten points make a department e times as likely;
// a hundred decide alone, and nothing should be stronger than that but a rule.
const maxWeight = 100

// Department (科室) is a department as a set knows it: one of the 41 standard
// ones and what this hospital has in its place.
type Department struct {
	ID       string   // the standard id: "RESP"
	Name     string   // the hospital's own name, otherwise the standard one: 呼吸内科
	Code     string   // 诊疗科目 code: "03.01"
	Group    string   // 内科, 外科 …
	Aliases  []string // other names people use
	Fallback string   // standard id that takes over where a hospital has none; "" is GIM
	Local    string   // the hospital's own department id, "" if it mapped none
	Campus   string   // 院区 of the local department, "" if there is one only
}

// Set is one immutable version of the knowledge. Many goroutines may read it.
type Set struct {
	version string
	hash    string

	departments []Department
	index       map[string]int // standard id → position
	base        []int          // points before any evidence
	landing     []int          // where each standard department's patients go; -1 to another hospital

	normal       normaliser
	language     *language
	parts        []BodyPart
	partIndex    map[string]int
	sensations   []sensation
	symptoms     []symptom
	symptomIndex map[string]int
	composed     map[[2]int]int // part, sensation → symptom
	traits       [traitCount][]weight
	words        *trie
	terms        []term

	rules       []rule
	questions   []question
	flags       []flag
	alarms      *trie
	alarmWord   []alarmWord
	alarmFirst  [][]int32 // alarm words by the first piece in the trie
	alarmGroups int
	regions     []Region
	chips       []Chip

	childMonths int
}

// weight is the points a piece of evidence gives one department.
type weight struct {
	department int
	points     int
}

// symptom (症状) is what a complaint can mention: a symptom, a disease, a part,
// an examination, a drug. Its sayings are one and the same to the rules.
type symptom struct {
	name    string
	say     []string
	weights []weight
	file    string
	line    int
}

// sensation is what a part can do: hurt, itch, swell.
type sensation struct {
	id, name string
	words    []string
}

// term is one string of the word trie with all its meanings, -1 for none.
type term struct {
	text      string
	runes     int
	symptom   int
	part      int
	sensation int
	class     class
	says      class   // of itself and what it contains
	inner     []inner // terms inside it, longest match aside
}

// inner is a term inside another at a rune offset.
type inner struct {
	term, at int
}

// Load compiles the shipped set with overlay on top, nil for none. It refuses
// with [ErrKnowledge] and the [Problems]. A set that loads may still deserve a
// look: see [Set.Lint].
func Load(overlay fs.FS) (*Set, error) { return Overlay{Files: overlay}.Load() }

// Load compiles the shipped set with the overlay on top, as [Load] does.
func (o Overlay) Load() (*Set, error) {
	const op = "triage.Load"
	l := readLayers(Shipped(), o)
	if len(l.problems) > 0 {
		return nil, refusal(op, l.problems)
	}
	s := &Set{hash: l.hash, normal: newNormaliser(), composed: map[[2]int]int{}}
	// The red flags have a lexicon of their own: they are compiled beside the
	// other one, with their problems apart.
	flags := &layers{documents: l.documents}
	var wait sync.WaitGroup
	wait.Go(func() { s.loadRedFlags(flags) })
	s.loadHeader(l)
	s.loadDepartments(l)
	s.loadLanguage(l)
	s.loadSensations(l)
	s.loadBodyMap(l)
	s.loadSymptoms(l)
	s.loadTraits(l)
	if len(l.problems) == 0 {
		s.compileTerms()
		s.loadRules(l)
		s.loadQuestions(l)
		s.loadFigure(l)
		s.loadHospital(l, o.House)
	}
	wait.Wait()
	l.problems = append(l.problems, flags.problems...)
	if len(l.problems) > 0 {
		return nil, refusal(op, l.problems)
	}
	return s, nil
}

// Version is the name an editor gave the set: the shipped one's, and the
// overlay's after a plus sign.
func (s *Set) Version() string { return s.version }

// Hash is the SHA-256 of all files of the set in hexadecimal digits.
func (s *Set) Hash() string { return s.hash }

// Departments returns the standard departments in their order.
func (s *Set) Departments() []Department { return slices.Clone(s.departments) }

func (s *Set) loadHeader(l *layers) {
	l.top(kindSet, "version")
	var versions []string
	for i := range l.documents[kindSet] {
		d := &l.documents[kindSet][i]
		r := &reader{d.file, &l.problems}
		versions = append(versions, r.must(&d.root, child(&d.root, "version"), "version"))
	}
	s.version = strings.Join(versions, "+")
}

func (s *Set) loadDepartments(l *layers) {
	l.top(kindDepartments, "departments")
	s.index = map[string]int{}
	list := l.entries(kindDepartments, "departments", "id")
	for _, e := range list {
		f := e.r.fields(e.node, "id", "name", "code", "group", "aliases", "fallback", "base")
		s.index[e.name] = len(s.departments)
		d := Department{ID: e.name, Name: e.r.must(e.node, f["name"], "name"), Code: e.r.text(f["code"]), Group: e.r.text(f["group"]), Fallback: e.r.text(f["fallback"])}
		if f["aliases"] != nil {
			d.Aliases = e.r.texts(f["aliases"])
		}
		s.departments = append(s.departments, d)
		s.base = append(s.base, e.r.number(f["base"], -maxWeight, maxWeight))
	}
	for i, e := range list {
		if to := s.departments[i].Fallback; to != "" && s.department(to) < 0 {
			e.r.problem(e.node, "department %s: unknown fallback %q", e.name, to)
		}
	}
	s.landing = make([]int, len(s.departments))
	for i := range s.landing {
		s.landing[i] = i
	}
}

func (s *Set) department(id string) int {
	if i, ok := s.index[id]; ok {
		return i
	}
	return -1
}

// weights reads {"RESP": 12, …}, in the order of the departments.
func (s *Set) weights(r *reader, n *node) []weight {
	if n == nil || !r.is(n, nodeObject) {
		return nil
	}
	out := make([]weight, 0, len(n.items))
	for i := range n.items {
		at := s.department(n.items[i].key)
		if at < 0 {
			r.problem(&n.items[i], "unknown department %q", n.items[i].key)
			continue
		}
		out = append(out, weight{at, r.number(&n.items[i], -maxWeight, maxWeight)})
	}
	slices.SortFunc(out, func(a, b weight) int { return a.department - b.department })
	return out
}

func (s *Set) loadSensations(l *layers) {
	l.top(kindSensations, "sensations")
	for _, e := range l.entries(kindSensations, "sensations", "id") {
		f := e.r.fields(e.node, "id", "name", "words")
		s.sensations = append(s.sensations, sensation{e.name, e.r.must(e.node, f["name"], "name"), e.r.texts(f["words"])})
	}
}

func (s *Set) sensation(id string) int {
	return slices.IndexFunc(s.sensations, func(x sensation) bool { return x.id == id })
}

func (s *Set) loadSymptoms(l *layers) {
	l.top(kindSymptoms, "symptoms")
	list := l.entries(kindSymptoms, "symptoms", "name")
	s.symptomIndex = make(map[string]int, len(list))
	s.symptoms = make([]symptom, 0, len(list))
	owner := make(map[string]string, 3*len(list))
	for _, e := range list {
		e.r.known(e.node, "name", "say", "weights", "part", "sensation")
		x := symptom{name: e.name, file: e.r.file, line: int(e.node.line), weights: s.weights(e.r, child(e.node, "weights"))}
		said := e.r.optional(child(e.node, "say"))
		at := len(s.symptoms)
		x.say = make([]string, 0, len(said)+1)
		if part, what := child(e.node, "part"), child(e.node, "sensation"); part != nil || what != nil {
			s.loadComposition(e, part, what, at)
		} else {
			x.say = append(x.say, x.name)
		}
		for i := range said {
			text := e.r.text(&said[i])
			if text == "" && said[i].kind == nodeString {
				e.r.problem(&said[i], "an empty string in a list")
				continue
			}
			x.say = append(x.say, text)
		}
		for i, say := range x.say {
			x.say[i] = s.normal.normal(say)
			if was, taken := owner[x.say[i]]; taken {
				e.r.problem(e.node, "symptom %s: %q already says %s", e.name, say, was)
			}
			owner[x.say[i]] = e.name
			if x.say[i] == "" {
				e.r.problem(e.node, "symptom %s: %q has no readable character", e.name, say)
			}
		}
		s.symptomIndex[e.name] = at
		s.symptoms = append(s.symptoms, x)
	}
}

// loadComposition reads a symptom that is a part and what it does: 膝部 + 疼痛.
func (s *Set) loadComposition(e entry, where, feels *node, at int) {
	part, is := s.partIndex[e.r.must(e.node, where, "part")]
	if !is {
		e.r.problem(e.node, "symptom %s: unknown part", e.name)
	}
	what := s.sensation(e.r.must(e.node, feels, "sensation"))
	if what < 0 {
		e.r.problem(e.node, "symptom %s: unknown sensation", e.name)
	}
	key := [2]int{part, what}
	if old, taken := s.composed[key]; taken {
		e.r.problem(e.node, "symptom %s: %s is already this part and sensation", e.name, s.symptoms[old].name)
	}
	s.composed[key] = at
}

func (s *Set) loadTraits(l *layers) {
	l.top(kindTraits, "traits")
	for _, e := range l.entries(kindTraits, "traits", "trait") {
		f := e.r.fields(e.node, "trait", "weights")
		at := slices.Index(traitNames(), e.name)
		if at < 0 {
			e.r.problem(e.node, "unknown trait %q; known: %s", e.name, strings.Join(traitNames(), ", "))
			continue
		}
		s.traits[at] = s.weights(e.r, f["weights"])
	}
}

// compileTerms builds the word trie: what symptoms, parts, sensations and the
// language say, each string once with all it means.
func (s *Set) compileTerms() {
	at := make(map[string]int, 4*len(s.symptoms))
	s.terms = make([]term, 0, 4*len(s.symptoms))
	meaning := func(text string) *term {
		i, ok := at[text]
		if !ok {
			i = len(s.terms)
			at[text] = i
			s.terms = append(s.terms, term{text: text, runes: len([]rune(text)), symptom: -1, part: -1, sensation: -1})
		}
		return &s.terms[i]
	}
	for i, x := range s.symptoms {
		for _, say := range x.say {
			meaning(say).symptom = i
		}
	}
	for i, part := range s.parts {
		for _, word := range part.words {
			meaning(s.normal.normal(word)).part = i
		}
	}
	for i, x := range s.sensations {
		for _, word := range x.words {
			meaning(s.normal.normal(word)).sensation = i
		}
	}
	for _, word := range slices.Sorted(maps.Keys(s.language.words)) {
		meaning(word).class |= s.language.words[word]
	}
	s.words = newTrie(len(s.terms))
	for i, t := range s.terms {
		s.words.slot(t.text).term = int32(i) + 1
	}
	var room []rune
	for i := range s.terms {
		room = append(room[:0], []rune(s.terms[i].text)...)
		s.look(&s.terms[i], room)
	}
}

// look notes what stands inside a term, longest match aside.
func (s *Set) look(t *term, text []rune) {
	t.says = t.class
	for from := range text {
		s.words.each(text, from, func(other, end int) {
			if end-from == len(text) {
				return
			}
			t.inner = append(t.inner, inner{other, from})
			if t.class&classNeutral == 0 {
				t.says |= s.terms[other].class
			}
		})
	}
}

// symptomNamed finds a symptom by its name or one of its sayings, -1 for none.
func (s *Set) symptomNamed(name string) int {
	if i, ok := s.symptomIndex[name]; ok {
		return i
	}
	text := s.normal.runes(name)
	if t, end, ok := s.words.longest(text, 0); ok && end == len(text) {
		return s.terms[t].symptom
	}
	return -1
}

// String names the set in logs.
func (s *Set) String() string { return fmt.Sprintf("%s (%.12s)", s.version, s.hash) }
