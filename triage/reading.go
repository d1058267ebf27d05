package triage

import "slices"

// maxGap is how far a part and its sensation may stand apart: 膝盖有点儿疼.
const maxGap = 4

// token is a term at a place of the text.
type token struct{ term, start, end int }

// mention is a symptom the text speaks of.
type mention struct {
	symptom    int
	start, end int
	denied     bool // 没有发热: still names the organ, raises no alarm
	title      bool // stands in the first sentence, where people say what it is about
}

// reading is what was understood of one text.
type reading struct {
	set      *Set
	text     []rune
	tokens   []token
	mentions []mention
	amounts  []quantity
	titleEnd int
}

// read makes one leftmost-longest pass over the lexicon. A term that covers
// another is taken for itself and for what it contains.
func (s *Set) read(text []rune) *reading {
	r := &reading{set: s, text: text, amounts: quantities(text)}
	r.titleEnd = title(text)
	for i := 0; i < len(text); {
		t, end, ok := s.words.longest(text, i)
		if !ok {
			i++
			continue
		}
		r.tokens = append(r.tokens, token{t, i, end})
		i = end
	}
	r.mention()
	r.compose()
	return r
}

// title returns where the first sentence ends, 0 if there is but one.
func title(text []rune) int {
	for i, r := range text {
		if stop(r) && i >= 2 {
			if i+1 < len(text) {
				return i
			}
			break
		}
	}
	return 0
}

// mention collects the symptoms, each once: the first time in the title,
// otherwise the first time at all.
func (r *reading) mention() {
	denials := r.denials()
	seen := make(map[int]bool, 2*len(r.tokens))
	add := func(symptom, start, end int) {
		if symptom < 0 || seen[symptom] {
			return
		}
		seen[symptom] = true
		r.mentions = append(r.mentions, mention{symptom, start, end, denials.cover(start, end), start < r.titleEnd})
	}
	for _, tok := range r.tokens {
		t := &r.set.terms[tok.term]
		add(t.symptom, tok.start, tok.end)
		for _, in := range t.inner {
			other := &r.set.terms[in.term]
			add(other.symptom, tok.start+in.at, tok.start+in.at+other.runes)
		}
	}
}

// atom is a part or a sensation at its place.
type atom struct {
	part, sensation int
	start, end      int
}

func (r *reading) atoms() []atom {
	var out []atom
	add := func(t *term, start int) {
		if t.part >= 0 || t.sensation >= 0 {
			out = append(out, atom{t.part, t.sensation, start, start + t.runes})
		}
	}
	for _, tok := range r.tokens {
		t := &r.set.terms[tok.term]
		add(t, tok.start)
		for _, in := range t.inner {
			add(&r.set.terms[in.term], tok.start+in.at)
		}
	}
	slices.SortStableFunc(out, func(a, b atom) int { return a.start - b.start })
	return out
}

// compose joins a sensation with the part before it in the same clause, and
// with a part listed beside that one: 脖子、肩膀都疼.
func (r *reading) compose() {
	if len(r.set.composed) == 0 {
		return
	}
	atoms := r.atoms()
	seen := map[int]bool{}
	for i, feeling := range atoms {
		if feeling.sensation < 0 {
			continue
		}
		edge := feeling.start
		gap := maxGap
		for j := i; j >= 0; j-- {
			part := atoms[j]
			if part.part < 0 || part.end > edge {
				continue
			}
			if edge-part.end > gap || r.pauses(part.end, edge) {
				break
			}
			edge, gap = part.start, 1
			symptom, ok := r.set.composed[[2]int{part.part, feeling.sensation}]
			if ok && !seen[symptom] {
				seen[symptom] = true
				r.mentions = append(r.mentions, mention{symptom, part.start, feeling.end, false, part.start < r.titleEnd})
			}
		}
	}
}

func (r *reading) pauses(from, to int) bool { return slices.ContainsFunc(r.text[from:to], pause) }

// has reports whether a word of class c was said, by itself or inside a longer
// term: 我怀孕 says 怀孕. A neutral term such as 避孕 says nothing inside.
func (r *reading) has(c class) bool {
	for _, tok := range r.tokens {
		if r.set.terms[tok.term].says&c != 0 {
			return true
		}
	}
	return false
}

// phrase returns the characters of a mention.
func (r *reading) phrase(start, end int) string { return string(r.text[start:end]) }
