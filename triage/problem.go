package triage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wxhospital/hospital"
)

// maxProblems bounds how many problems one refusal lists: an editor mends the
// first ones and tries again.
const maxProblems = 50

// Problem is one thing wrong with a knowledge set and where to mend it.
type Problem struct {
	File   string // "symptoms.json"
	Line   int    // from 1; 0 if the whole file or the whole set is meant
	Reason string // "symptom 头痛: unknown department NEURO"
}

// String renders the problem as file:line: reason.
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Reason)
}

// ErrKnowledge matches every refusal of a knowledge set.
var ErrKnowledge = &hospital.Error{Kind: hospital.Invalid, Code: "triage_knowledge"}

// Problems is the cause of a refusal: errors.As finds it in the error of
// [New] and [Desk.Publish].
type Problems []Problem

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// refusal wraps problems, nil if there are none.
func refusal(op string, problems Problems) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return strings.Compare(a.File, b.File) })
	return &hospital.Error{
		Kind: hospital.Invalid, Op: op, Code: ErrKnowledge.Code,
		Message: "导诊知识库有误，未启用，请按提示修改",
		Detail:  fmt.Sprintf("%d problems", len(problems)), Err: problems[:min(len(problems), maxProblems)],
	}
}

// reader walks the nodes of one file and collects what is wrong with them.
type reader struct {
	file     string
	problems *Problems
}

func (r *reader) problem(n *node, format string, args ...any) {
	*r.problems = append(*r.problems, Problem{r.file, int(n.line), fmt.Sprintf(format, args...)})
}

// fields returns the items of object n by key, absent ones as null. Whatever
// is not in keys is a problem: a mistyped condition must not be ignored.
func (r *reader) fields(n *node, keys ...string) map[string]*node {
	if !r.is(n, nodeObject) {
		return nil
	}
	out := make(map[string]*node, len(keys))
	for i := range n.items {
		item := &n.items[i]
		if !slices.Contains(keys, item.key) {
			r.problem(item, "unknown field %q; known here: %s", item.key, strings.Join(keys, ", "))
			continue
		}
		out[item.key] = item
	}
	return out
}

// known is fields for the thousands of small entries: it only refuses what is
// not in keys, and the caller looks up the few items itself.
func (r *reader) known(n *node, keys ...string) {
	if !r.is(n, nodeObject) {
		return
	}
	for i := range n.items {
		if item := &n.items[i]; !slices.Contains(keys, item.key) {
			r.problem(item, "unknown field %q; known here: %s", item.key, strings.Join(keys, ", "))
		}
	}
}

func (r *reader) is(n *node, kind nodeKind) bool {
	if n.kind != kind {
		r.problem(n, "want %s, got %s", kind, n.kind)
	}
	return n.kind == kind
}

// text reads an optional string; must reads one that has to be there.
func (r *reader) text(n *node) string {
	if n == nil || !r.is(n, nodeString) {
		return ""
	}
	return n.text
}

func (r *reader) must(parent, n *node, key string) string {
	if n == nil {
		r.problem(parent, "field %q is missing", key)
		return ""
	}
	text := r.text(n)
	if text == "" && n.kind == nodeString {
		r.problem(n, "field %q is empty", key)
	}
	return text
}

func (r *reader) oneOf(n *node, fallback string, allowed ...string) string {
	if n == nil {
		return fallback
	}
	text := r.text(n)
	if !slices.Contains(allowed, text) {
		r.problem(n, "%q is none of %s", text, strings.Join(allowed, ", "))
		return fallback
	}
	return text
}

func (r *reader) flag(n *node) bool { return n != nil && r.is(n, nodeBool) && n.yes }

// number reads an optional whole number within [low, high].
func (r *reader) number(n *node, low, high int) int {
	if n == nil || !r.is(n, nodeNumber) {
		return 0
	}
	if v := int(n.num); v >= low && v <= high {
		return v
	}
	r.problem(n, "%d is not within %d and %d", n.num, low, high)
	return 0
}

func (r *reader) array(n *node) []node {
	if n == nil || !r.is(n, nodeArray) {
		return nil
	}
	return n.items
}

func (r *reader) texts(n *node) []string {
	var out []string
	for i, item := range r.array(n) {
		text := r.text(&n.items[i])
		if text == "" && item.kind == nodeString {
			r.problem(&n.items[i], "an empty string in a list")
			continue
		}
		out = append(out, text)
	}
	return out
}
