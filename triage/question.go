package triage

import "slices"

// question (追问) is asked when two departments are nearly level.
type question struct {
	id      string
	ask     string
	between []int // departments; asked if the first two of the ranking are among them
	when    condition
	hasWhen bool
	options []option
	file    string
	line    int
}

type option struct {
	say string
	add []weight
}

// Question is a follow-up question for the patient. Answer it with its ID and
// the number of the option.
type Question struct {
	ID      string
	Ask     string
	Options []string
}

// maxOptions bounds the options of one question: they are buttons on a phone.
const maxOptions = 5

func (s *Set) loadQuestions(l *layers) {
	l.top(kindQuestions, "questions")
	for _, e := range l.entries(kindQuestions, "questions", "id") {
		f := e.r.fields(e.node, "id", "ask", "between", "when", "options")
		q := question{id: e.name, ask: e.r.must(e.node, f["ask"], "ask"), file: e.r.file, line: int(e.node.line)}
		q.between = list(e.r, f["between"], "department", s.department)
		if f["between"] == nil || len(q.between) < 2 {
			e.r.problem(e.node, "question %s: between wants two departments at least", e.name)
		}
		if f["when"] != nil {
			q.when, q.hasWhen = s.condition(e.r, e.node, f["when"]), true
		}
		for i := range e.r.optional(f["options"]) {
			item := &f["options"].items[i]
			o := e.r.fields(item, "say", "add")
			q.options = append(q.options, option{e.r.must(item, o["say"], "say"), s.optional(e.r, o["add"])})
		}
		if len(q.options) < 2 || len(q.options) > maxOptions {
			e.r.problem(e.node, "question %s: want 2 to %d options", e.name, maxOptions)
		}
		s.questions = append(s.questions, q)
	}
}

func (s *Set) question(id string) *question {
	i := slices.IndexFunc(s.questions, func(q question) bool { return q.id == id })
	if i < 0 {
		return nil
	}
	return &s.questions[i]
}

// ask chooses the question that is expected to leave the leading department
// with the greatest share, each answer taken as equally likely; nil if none
// would make the answer surer.
func (v *verdict) ask(order []ranked, answered []Answer) *Question {
	if len(order) < 2 || v.first >= 0 {
		return nil
	}
	var best *question
	bestShare := order[0].share * 105 / 100 // a question that gains nothing is not asked
	for i := range v.set.questions {
		q := &v.set.questions[i]
		if !slices.Contains(q.between, order[0].department) || !slices.Contains(q.between, order[1].department) {
			continue
		}
		if slices.ContainsFunc(answered, func(a Answer) bool { return a.Question == q.id }) {
			continue
		}
		if q.hasWhen {
			if _, ok := q.when.holds(v); !ok {
				continue
			}
		}
		if share := v.expected(q); share > bestShare {
			best, bestShare = q, share
		}
	}
	if best == nil {
		return nil
	}
	out := &Question{ID: best.id, Ask: best.ask}
	for _, o := range best.options {
		out.Options = append(out.Options, o.say)
	}
	return out
}

// expected returns the mean share of whoever leads after an answer to q.
func (v *verdict) expected(q *question) int {
	total := 0
	for _, o := range q.options {
		with := *v
		with.sums = slices.Clone(v.sums)
		for _, w := range o.add {
			with.sums[w.department] += w.points * unitsPerPoint
		}
		total += with.rank()[0].share
	}
	return total / len(q.options)
}
