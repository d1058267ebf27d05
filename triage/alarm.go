package triage

import (
	"maps"
	"slices"
)

// hit is a phrase of the red flags at its place.
type hit struct {
	word       int
	start, end int
	lowered    bool // told as history, hypothesis, knowledge …: worth a question
	past       bool // lowered by history or a steady course alone
	told       bool // lowered by history, a death or a hypothesis: what lowers a firm pattern too
}

// raised is a flag that was met.
type raised struct {
	flag    *flag
	lowered bool
	phrases []string
}

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }

// alarm looks for red flags. It runs before any department is thought of.
func (r *reading) alarm(p *person) []raised {
	s := r.set
	hits := r.hits()
	if len(hits) == 0 {
		return nil
	}
	groups := make([][]hit, s.alarmGroups)
	for _, h := range hits {
		for _, g := range s.alarmWord[h.word].groups {
			groups[g] = append(groups[g], h)
		}
	}
	var out []raised
	for i := range s.flags {
		f := &s.flags[i]
		if x, ok := r.raise(f, groups, p); ok {
			out = append(out, x)
		}
	}
	return out
}

// raise finds the strongest way in which f is met.
func (r *reading) raise(f *flag, groups [][]hit, p *person) (raised, bool) {
	best := raised{flag: f, lowered: true}
	found := false
	for i := range f.patterns {
		x := &f.patterns[i]
		if !x.fits(p) {
			continue
		}
		hits, lowered, ok := x.match(groups)
		if ok && (!found || best.lowered && !lowered) {
			found, best.lowered, best.phrases = true, lowered, nil
			for _, h := range hits {
				best.phrases = append(best.phrases, r.phrase(h.start, h.end))
			}
		}
	}
	return best, found
}

// infantDays is the age below which a pattern wants to know the age: fever is
// an emergency in the third month of life and not in the third year.
const infantDays = 200

// fits reports whether the person may have what the pattern means. Unknown sex
// never rules an emergency out; unknown age rules out what is only for infants.
func (x *pattern) fits(p *person) bool {
	if x.sex != AnySex && p.sex != AnySex && x.sex != p.sex {
		return false
	}
	if x.minDays > 0 && (!p.age.known || p.age.days < x.minDays) {
		return false
	}
	young := p.age.days <= x.maxDays
	if !p.age.known {
		young = p.child && x.maxDays > infantDays
	}
	if x.maxDays > 0 && !young {
		return false
	}
	return (!x.pregnant || p.pregnant) && (!x.delivered || p.postpartum) && (x.minWeeks == 0 || p.weeks == 0 || p.weeks >= x.minWeeks) &&
		(x.temperature == 0 || p.tenths >= x.temperature) && (x.systolic == 0 || p.systolic >= x.systolic)
}

// match looks for one hit of every group, all within the window. A choice of
// unlowered hits is preferred.
func (x *pattern) match(groups [][]hit) (hits []hit, lowered, ok bool) {
	for _, wantLow := range []bool{false, true} {
		for _, anchor := range groups[x.groups[0]] {
			if got, ok := x.around(anchor, groups, wantLow); ok {
				return got, wantLow, true
			}
		}
	}
	return nil, false, false
}

func (x *pattern) around(anchor hit, groups [][]hit, allowLow bool) ([]hit, bool) {
	low := func(h hit) bool {
		ignored := x.stays && h.past || x.firm && !h.told
		return h.lowered && !ignored
	}
	if low(anchor) && !allowLow {
		return nil, false
	}
	got := []hit{anchor}
	for _, g := range x.groups[1:] {
		best, found := hit{}, false
		for _, h := range groups[g] {
			if low(h) && !allowLow || distance(anchor, h) > x.within {
				continue
			}
			if !found || distance(anchor, h) < distance(anchor, best) {
				best, found = h, true
			}
		}
		if !found {
			return nil, false
		}
		got = append(got, best)
	}
	if x.not >= 0 && slices.ContainsFunc(groups[x.not], func(h hit) bool { return distance(anchor, h) <= x.within }) {
		return nil, false
	}
	return got, true
}

func distance(a, b hit) int {
	switch {
	case b.start >= a.end:
		return b.start - a.end
	case a.start >= b.end:
		return a.start - b.end
	}
	return 0
}

// hits returns the phrases in the text that are not denied, with those lowered
// that tell of something else than here and now.
func (r *reading) hits() []hit {
	var all []hit
	var masks spans
	text := r.set.normal.folded(r.text)
	for i := range text {
		r.set.alarms.each(text, i, func(first, end int) {
			for _, at := range r.set.alarmFirst[first] {
				word := &r.set.alarmWord[at]
				last, ok := word.follow(text, end)
				if !ok {
					continue
				}
				if word.mask {
					masks = append(masks, span{i, last})
				} else {
					all = append(all, hit{word: int(at), start: i, end: last})
				}
			}
		})
	}
	if len(all) == 0 {
		return nil
	}
	denials := r.alarmDenials(all)
	context := r.contexts()
	out := all[:0]
	for _, h := range all {
		if masks.cover(h.start, h.end) || denials.cover(h.start, h.end) {
			continue
		}
		h.lowered, h.past, h.told = context.lower(h)
		out = append(out, h)
	}
	return out
}

// follow finds the further pieces of a phrase with a gap.
func (w *alarmWord) follow(text []rune, end int) (int, bool) {
	for _, piece := range w.rest {
		found := false
		for at := end; at <= min(end+maxAlarmGap, len(text)-len(piece)); at++ {
			if at > end && pause(text[at-1]) {
				break
			}
			if slices.Equal(text[at:at+len(piece)], piece) {
				end, found = at+len(piece), true
				break
			}
		}
		if !found {
			return 0, false
		}
	}
	return end, true
}

// alarmDenials are the denials whose negator is not part of a longer finding:
// in 没有呼吸 and 叫不醒 nothing is denied. 没吐, which only keeps a flag from
// being raised, is no finding.
func (r *reading) alarmDenials(hits []hit) spans {
	var out spans
	for i, tok := range r.tokens {
		c := r.set.terms[tok.term].class
		if c&(classNegator|classDenied) == 0 {
			continue
		}
		if slices.ContainsFunc(hits, func(h hit) bool {
			return r.set.alarmWord[h.word].finding && h.start <= tok.start && tok.end <= h.end && h.end-h.start > tok.end-tok.start
		}) {
			continue
		}
		if c&classNegator != 0 {
			out = append(out, span{tok.end, r.denialEnd(i)})
		} else {
			out = append(out, span{r.clauseStart(tok.start), tok.start})
		}
	}
	return out
}

// contexts are the function words that may lower an alarm, at their places.
type contexts struct {
	r     *reading
	words []token
}

// resolvedReach is how far before 已经好了 the thing stands that is over.
const resolvedReach = 25

const lowering = classPast | classHypothetical | classKnowledge | classOffice | classDead | classChronic | classMild | classTreated | classResolved | classFear | classHow

func (r *reading) contexts() contexts {
	c := contexts{r: r}
	for _, tok := range r.tokens {
		if r.set.terms[tok.term].class&lowering != 0 {
			c.words = append(c.words, tok)
		}
	}
	return c
}

// lower decides whether a hit speaks of now. Each class has its reach: 以前 its
// clause, 如果 what follows it in the sentence, 怎么预防 its sentence, 已经好了
// what stands before it.
func (c contexts) lower(h hit) (lowered, past, told bool) {
	r := c.r
	settled := false
	for _, tok := range c.words {
		if tok.start < h.end && h.start < tok.end {
			continue // part of the phrase itself
		}
		k := r.set.terms[tok.term].class
		from, to := min(tok.end, h.end), max(tok.start, h.start)
		clause := !r.any(from, to, pause)
		sentence := !r.any(from, to, stop)
		before := tok.end <= h.start
		switch {
		case k&classPast != 0 && clause && !r.now(h):
			lowered, past, told = true, true, true
		case k&classChronic != 0 && clause && !r.now(h):
			lowered, past = true, true
		case k&classHypothetical != 0 && sentence && before, k&classDead != 0 && sentence, k&classFear != 0 && clause && before:
			return true, false, true
		case k&classKnowledge != 0 && sentence,
			k&classHow != 0 && sentence && !r.somebody(h),
			k&classOffice != 0 && sentence,
			k&classMild != 0 && clause,
			k&(classTreated|classResolved) != 0 && sentence && !before && tok.start-h.end < resolvedReach:
			lowered, past, settled = true, false, true
		}
	}
	return lowered, past && !settled, told
}

func (r *reading) any(from, to int, is func(rune) bool) bool {
	return from < to && slices.ContainsFunc(r.text[from:to], is)
}

// now reports whether the clause of a hit says that it is happening.
func (r *reading) now(h hit) bool {
	from := r.clauseStart(h.start)
	for _, tok := range r.tokens {
		if tok.start >= from && tok.start < h.end+8 && r.set.terms[tok.term].class&classNow != 0 && !r.any(h.end, tok.start, pause) {
			return true
		}
	}
	return false
}

// somebody reports whether the sentence of a hit names a person or a moment.
func (r *reading) somebody(h hit) bool {
	for _, tok := range r.tokens {
		if r.set.terms[tok.term].class&classKin == 0 {
			continue
		}
		if !r.any(min(tok.end, h.end), max(tok.start, h.start), stop) {
			return true
		}
	}
	return false
}
