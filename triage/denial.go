package triage

// How far a denial reaches inside its clause, in characters: beyond it a writer
// who forgot the comma has begun to speak of something else. A bare 没 or 不
// denies the next word, and each further one of a list joined by 、.
const (
	maxDenial  = 14
	bareDenial = 5
)

// span is a stretch of text.
type span struct{ start, end int }

// spans are stretches in their order.
type spans []span

func (s spans) cover(start, end int) bool {
	for _, x := range s {
		if x.start <= start && end <= x.end {
			return true
		}
	}
	return false
}

// denials returns what is denied: from a negator to the end of its clause or a
// turning word, over a list joined by 、, and the clause before 都没有. A
// negator inside a longer term is none: 没有呼吸 is a finding, not its denial,
// which the longest match has already settled.
func (r *reading) denials() spans {
	var out spans
	for i, tok := range r.tokens {
		switch c := r.set.terms[tok.term].class; {
		case c&classNegator != 0:
			out = append(out, span{tok.end, r.denialEnd(i)})
		case c&classDenied != 0:
			out = append(out, span{r.clauseStart(tok.start), tok.start})
		}
	}
	return out
}

func (r *reading) denialEnd(at int) int {
	from, reach := r.tokens[at].end, maxDenial
	if from-r.tokens[at].start == 1 {
		reach = bareDenial
	}
	limit := min(len(r.text), from+reach)
	for _, tok := range r.tokens[at+1:] {
		if tok.start >= limit {
			break
		}
		if r.set.terms[tok.term].class&classTurn != 0 {
			limit = tok.start
		}
	}
	for i := from; i < limit; i++ {
		switch {
		case pause(r.text[i]):
			return i
		case r.text[i] == '、':
			limit = min(len(r.text), max(limit, i+1+bareDenial))
		}
	}
	return limit
}

func (r *reading) clauseStart(at int) int {
	for at > 0 && !pause(r.text[at-1]) {
		at--
	}
	return at
}
