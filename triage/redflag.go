package triage

import (
	"slices"
	"strings"
)

// Level is how fast somebody must be seen.
type Level string

// The levels of an emergency. They follow the grades of Chinese emergency
// departments: I and II are for the ambulance, II and III for the department.
const (
	NoEmergency         Level = "none"
	EmergencyDepartment Level = "emergency_department"
	Call120             Level = "call_120"
)

// The windows of a pattern in characters: how far its parts may stand apart.
const (
	defaultWithin = 40
	maxWithin     = 400
	maxAlarmGap   = 6 // what "叫..不醒" lets pass
)

// flag is a red flag: patterns of which any raises the alarm.
type flag struct {
	id, name string // name is what staff call it
	notice   string // the signs as the patient is told of them: no disease
	level    Level
	patterns []pattern
	advice   string // what to do, in one sentence
	action   string // the nearest action: 拨打120
	hotline  string
	gentle   bool // no drama on the page
	sources  []string
	ask      string // the question a lowered alarm becomes
	file     string
	line     int
}

// pattern is an AND of groups, each an OR of phrases, under conditions.
type pattern struct {
	groups              []int // indices into the alarm groups of the set
	not                 int   // -1, or a group that must not stand in the sentence
	within              int
	sex                 Sex
	minDays, maxDays    int // age, maxDays 0 no bound
	minWeeks            int
	pregnant, delivered bool
	temperature         int // tenths
	systolic            int
	stays               bool // history and chronic words do not lower it
	firm                bool // only history, a death or a hypothesis lower it: suicide
}

// alarmWord is a phrase of the alarm trie: the first piece is in the trie, the
// others follow it within maxAlarmGap characters of the clause.
type alarmWord struct {
	rest   [][]rune
	groups []int
	mask   bool // 笑死: makes what it covers harmless
	// finding: stands in a group that raises a flag, not only in one that keeps
	// it from being raised
	finding bool
}

// manyPhrases is about how many the shipped set has: room made at once.
const manyPhrases = 4096

// alarms compiles groups of phrases into one trie.
type alarms struct {
	set    *Set
	groups map[string]int
	phrase map[string]int // by its normal form
	raw    map[string]int // by what stands in the file
	count  int
}

func (a *alarms) group(key string, phrases []string) int {
	if at, ok := a.groups[key]; ok {
		return at
	}
	at := a.count
	a.count++
	a.groups[key] = at
	for _, phrase := range phrases {
		a.add(phrase, at)
	}
	return at
}

func (a *alarms) add(phrase string, group int) {
	if at, seen := a.raw[phrase]; seen {
		a.set.alarmWord[at].join(group)
		return
	}
	pieces := strings.Split(phrase, "..")
	for i, piece := range pieces {
		pieces[i] = string(a.set.normal.folded([]rune(a.set.normal.normal(piece))))
	}
	key := strings.Join(pieces, "..")
	at, ok := a.phrase[key]
	if !ok {
		at = len(a.set.alarmWord)
		a.phrase[key] = at
		word := alarmWord{}
		for _, piece := range pieces[1:] {
			word.rest = append(word.rest, []rune(piece))
		}
		a.set.alarmWord = append(a.set.alarmWord, word)
	}
	a.raw[phrase] = at
	a.set.alarmWord[at].join(group)
}

// join adds the word to a group, below zero to the masks.
func (w *alarmWord) join(group int) {
	switch {
	case group < 0:
		w.mask = true
	case !slices.Contains(w.groups, group):
		w.groups = append(w.groups, group)
	}
}

func (s *Set) loadRedFlags(l *layers) {
	l.top(kindRedFlags, "groups", "masks", "flags")
	a := &alarms{set: s, groups: make(map[string]int, 512), phrase: make(map[string]int, manyPhrases), raw: make(map[string]int, manyPhrases)}
	s.alarmWord = make([]alarmWord, 0, manyPhrases)
	named := map[string][]string{}
	for _, e := range l.entries(kindRedFlags, "groups", "name") {
		f := e.r.fields(e.node, "name", "phrases")
		named[e.name] = e.r.texts(f["phrases"])
		for i, phrase := range named[e.name] {
			if s.normal.normal(strings.ReplaceAll(phrase, "..", "")) == "" {
				e.r.problem(&f["phrases"].items[i], "group %s: %q has no readable character", e.name, phrase)
			}
		}
	}
	for i := range l.documents[kindRedFlags] {
		d := &l.documents[kindRedFlags][i]
		r := &reader{d.file, &l.problems}
		if n := child(&d.root, "masks"); n != nil {
			for _, phrase := range r.texts(n) {
				a.add(phrase, -1)
			}
		}
	}
	for _, e := range l.entries(kindRedFlags, "flags", "id") {
		s.flags = append(s.flags, s.redFlag(e, a, named))
	}
	s.alarms = newTrie(len(a.phrase))
	s.alarmFirst = make([][]int32, 0, len(a.phrase))
	for _, key := range sortedKeys(a.phrase) {
		first, _, _ := strings.Cut(key, "..")
		slot := s.alarms.slot(first)
		if slot.term == 0 {
			s.alarmFirst = append(s.alarmFirst, nil)
			slot.term = int32(len(s.alarmFirst)) //nolint:gosec // bounded by the file
		}
		s.alarmFirst[slot.term-1] = append(s.alarmFirst[slot.term-1], int32(a.phrase[key])) //nolint:gosec // bounded by the file
	}
	s.alarmGroups = a.count
	s.markFindings()
}

// markFindings tells the words that raise a flag from those that only keep one
// from being raised.
func (s *Set) markFindings() {
	raises := make([]bool, s.alarmGroups)
	for _, f := range s.flags {
		for _, x := range f.patterns {
			for _, g := range x.groups {
				raises[g] = true
			}
		}
	}
	for i := range s.alarmWord {
		word := &s.alarmWord[i]
		word.finding = slices.ContainsFunc(word.groups, func(g int) bool { return raises[g] })
	}
}

func (s *Set) redFlag(e entry, a *alarms, named map[string][]string) flag {
	f := e.r.fields(e.node, "id", "name", "notice", "level", "when", "advice", "action", "hotline", "gentle", "sources", "ask")
	x := flag{
		id: e.name, name: e.r.must(e.node, f["name"], "name"),
		notice: e.r.text(f["notice"]),
		level:  Level(e.r.oneOf(f["level"], "", string(Call120), string(EmergencyDepartment))),
		advice: e.r.must(e.node, f["advice"], "advice"), action: e.r.must(e.node, f["action"], "action"),
		hotline: e.r.text(f["hotline"]), gentle: e.r.flag(f["gentle"]), ask: e.r.must(e.node, f["ask"], "ask"),
		sources: e.r.texts(f["sources"]), file: e.r.file, line: int(e.node.line),
	}
	if x.level == "" {
		e.r.problem(e.node, "red flag %s: field \"level\" is missing", e.name)
	}
	if len(x.sources) == 0 {
		e.r.problem(e.node, "red flag %s has no source", e.name)
	}
	for i := range e.r.optional(f["when"]) {
		x.patterns = append(x.patterns, s.pattern(e.r, &f["when"].items[i], a, named))
	}
	if len(x.patterns) == 0 {
		e.r.problem(e.node, "red flag %s has no pattern", e.name)
	}
	return x
}

func (s *Set) pattern(r *reader, n *node, a *alarms, named map[string][]string) pattern {
	f := r.fields(n, "all", "not", "within", "sex", "min_age_days", "max_age_days", "min_weeks", "pregnant", "postpartum", "min_temperature_tenths", "min_systolic", "stays", "firm")
	p := pattern{
		not: -1, within: defaultWithin, sex: SexNamed(r.oneOf(f["sex"], "any", "any", "M", "F")),
		minDays: r.number(f["min_age_days"], 0, 40000), maxDays: r.number(f["max_age_days"], 0, 40000),
		minWeeks: r.number(f["min_weeks"], 0, 45), pregnant: r.flag(f["pregnant"]), delivered: r.flag(f["postpartum"]),
		temperature: r.number(f["min_temperature_tenths"], 0, 450), systolic: r.number(f["min_systolic"], 0, 350), stays: r.flag(f["stays"]), firm: r.flag(f["firm"]),
	}
	if f["within"] != nil {
		p.within = r.number(f["within"], 4, maxWithin)
	}
	for i := range r.optional(f["all"]) {
		p.groups = append(p.groups, alarmGroup(r, &f["all"].items[i], a, named))
	}
	if f["not"] != nil {
		p.not = alarmGroup(r, f["not"], a, named)
	}
	if len(p.groups) == 0 {
		r.problem(n, "a pattern without phrases would always hold")
	}
	return p
}

// alarmGroup reads ["@胸痛", "心口压"]: named groups and single phrases.
func alarmGroup(r *reader, n *node, a *alarms, named map[string][]string) int {
	words := r.texts(n)
	var phrases []string
	for i, word := range words {
		name, is := strings.CutPrefix(word, "@")
		switch group, known := named[name]; {
		case is && !known:
			r.problem(&n.items[i], "unknown group %q", name)
		case is:
			phrases = append(phrases, group...)
		default:
			phrases = append(phrases, word)
		}
	}
	if len(phrases) == 0 {
		r.problem(n, "an empty group can never be met")
	}
	return a.group(strings.Join(words, " "), phrases)
}

// Flag is a red flag as it is shown when it was met: what a [Check] becomes when
// it is answered with yes.
func (s *Set) Flag(id string) (Emergency, bool) {
	i := slices.IndexFunc(s.flags, func(f flag) bool { return f.id == id })
	if i < 0 {
		return Emergency{}, false
	}
	return s.flags[i].emergency(nil), true
}

// emergency is the flag as the phrases raised it.
func (f *flag) emergency(phrases []string) Emergency {
	return Emergency{f.id, f.name, f.notice, f.level, f.advice, f.action, f.hotline, f.gentle, phrases, f.sources}
}
