package triage

// trie holds the terms of one set. Children hang in a list, the first level in
// a table of the common ideographs and a map of the rest: building it costs one
// allocation a few times over, and a term is seldom longer than eight
// characters.
type trie struct {
	common []int32 // by the distance from firstIdeograph
	roots  map[rune]int32
	nodes  []trieNode
}

// The block of the common ideographs.
const (
	firstIdeograph = 0x4e00
	lastIdeograph  = 0x9fff
)

type trieNode struct {
	r           rune
	child, next int32 // 0 is none: node 0 is a sentinel
	term        int32 // index + 1, 0 is none
}

func newTrie(terms int) *trie {
	return &trie{common: make([]int32, lastIdeograph-firstIdeograph+1), roots: map[rune]int32{}, nodes: make([]trieNode, 1, terms*2+1)}
}

func (t *trie) node(r rune) int32 {
	t.nodes = append(t.nodes, trieNode{r: r})
	return int32(len(t.nodes) - 1) //nolint:gosec // a set is bounded by its files, far below 2^31 nodes
}

// slot returns the node of term, made if need be.
func (t *trie) slot(term string) *trieNode {
	at := int32(0)
	for _, r := range term {
		next := t.step(at, r)
		if next == 0 {
			next = t.node(r)
			switch {
			case at != 0:
				t.nodes[next].next = t.nodes[at].child
				t.nodes[at].child = next
			case r >= firstIdeograph && r <= lastIdeograph:
				t.common[r-firstIdeograph] = next
			default:
				t.roots[r] = next
			}
		}
		at = next
	}
	return &t.nodes[at]
}

func (t *trie) step(at int32, r rune) int32 {
	if at == 0 {
		if r >= firstIdeograph && r <= lastIdeograph {
			return t.common[r-firstIdeograph]
		}
		return t.roots[r]
	}
	for c := t.nodes[at].child; c != 0; c = t.nodes[c].next {
		if t.nodes[c].r == r {
			return c
		}
	}
	return 0
}

// longest returns the longest term that begins at text[start] and its end.
func (t *trie) longest(text []rune, start int) (term, end int, ok bool) {
	at := int32(0)
	for i := start; i < len(text); i++ {
		if at = t.step(at, text[i]); at == 0 {
			break
		}
		if v := t.nodes[at].term; v != 0 {
			term, end, ok = int(v)-1, i+1, true
		}
	}
	return term, end, ok
}

// each calls found with every term that begins at text[start], shortest first.
func (t *trie) each(text []rune, start int, found func(term, end int)) {
	at := int32(0)
	for i := start; i < len(text); i++ {
		if at = t.step(at, text[i]); at == 0 {
			return
		}
		if v := t.nodes[at].term; v != 0 {
			found(int(v)-1, i+1)
		}
	}
}
