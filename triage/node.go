package triage

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The bounds of one knowledge file. The shipped lexicon is below 1 MiB and
// nests five levels; more than this is not a knowledge file.
const (
	maxFileBytes = 8 << 20
	maxDepth     = 12
)

// nodeKind is the JSON type of a node.
type nodeKind byte

const (
	nodeNull nodeKind = iota
	nodeBool
	nodeNumber
	nodeString
	nodeArray
	nodeObject
)

func (k nodeKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// node is one JSON value with the line it begins on. encoding/json forgets the
// lines, takes a key given twice and lets the last one win; an editor of
// medical rules must hear about both.
type node struct {
	kind  nodeKind
	yes   bool
	line  int32
	num   int32
	key   string // of a member of an object
	text  string // of a string
	items []node
}

// parser reads one file. Numbers are integers: weights are counted in whole
// points, so that a sum never depends on the order of adding.
type parser struct {
	data string // strings without an escape are cut out of it
	pos  int
	line int32
	utf8 bool // the whole file is

	open  []node // members of the lists being read, innermost last
	arena []node // room for members of lists that were read
}

// arenaNodes is how many nodes are allocated at a time.
const arenaNodes = 2048

// keep moves the members of a finished list out of the way.
func (p *parser) keep(from int) []node {
	items := p.open[from:]
	if len(items) > cap(p.arena)-len(p.arena) {
		p.arena = make([]node, 0, max(arenaNodes, len(items)))
	}
	start := len(p.arena)
	p.arena = append(p.arena, items...)
	p.open = p.open[:from]
	return p.arena[start:len(p.arena):len(p.arena)]
}

// parseNode reads exactly one JSON value. Its error names the line.
func parseNode(data []byte) (node, error) {
	p := &parser{data: string(data), line: 1, utf8: utf8.Valid(data)}
	if len(data) > maxFileBytes {
		return node{}, p.fail("the file is larger than %d bytes", maxFileBytes)
	}
	n, err := p.value(0)
	if err != nil {
		return node{}, err
	}
	if p.space(); p.pos < len(p.data) {
		return node{}, p.fail("text after the end of the document")
	}
	return n, nil
}

// lineError is a syntax error at a line.
type lineError struct {
	line   int32
	reason string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

func (p *parser) fail(format string, args ...any) error {
	return &lineError{line: p.line, reason: fmt.Sprintf(format, args...)}
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case '\n':
			p.line++
		case ' ', '\t', '\r':
		default:
			return
		}
		p.pos++
	}
}

func (p *parser) value(depth int) (node, error) {
	p.space()
	if p.pos == len(p.data) {
		return node{}, p.fail("the file ends inside a value")
	}
	if depth > maxDepth {
		return node{}, p.fail("nested deeper than %d levels", maxDepth)
	}
	n := node{line: p.line}
	var err error
	switch c := p.data[p.pos]; {
	case c == '{' || c == '[':
		return p.list(depth)
	case c == '"':
		n.kind = nodeString
		n.text, err = p.quoted()
	case c == '-' || c >= '0' && c <= '9':
		n.kind = nodeNumber
		n.num, err = p.integer()
	case p.word("true"):
		n.kind, n.yes = nodeBool, true
	case p.word("false"):
		n.kind = nodeBool
	case p.word("null"):
	default:
		err = p.fail("unexpected %q", c)
	}
	return n, err
}

func (p *parser) word(w string) bool {
	if !strings.HasPrefix(p.data[p.pos:], w) {
		return false
	}
	p.pos += len(w)
	return true
}

// list reads an array or an object.
func (p *parser) list(depth int) (node, error) {
	n := node{kind: nodeArray, line: p.line}
	from := len(p.open)
	end := byte(']')
	if p.data[p.pos] == '{' {
		n.kind, end = nodeObject, '}'
	}
	p.pos++
	for first := true; ; first = false {
		p.space()
		if p.pos == len(p.data) {
			return n, p.fail("the file ends before %q", end)
		}
		if first && p.data[p.pos] == end {
			p.pos++
			return n, nil
		}
		if err := p.member(n.kind, from, depth); err != nil {
			return n, err
		}
		p.space()
		switch {
		case p.pos < len(p.data) && p.data[p.pos] == end:
			p.pos++
			n.items = p.keep(from)
			return n, nil
		case p.pos < len(p.data) && p.data[p.pos] == ',':
			p.pos++
		default:
			return n, p.fail("want ',' or %q", end)
		}
	}
}

func (p *parser) member(of nodeKind, from, depth int) error {
	key := ""
	if of == nodeObject {
		if p.data[p.pos] != '"' {
			return p.fail("want a key in quotes")
		}
		var err error
		if key, err = p.quoted(); err != nil {
			return err
		}
		if slices.ContainsFunc(p.open[from:], func(item node) bool { return item.key == key }) {
			return p.fail("key %q stands twice", key)
		}
		p.space()
		if p.pos == len(p.data) || p.data[p.pos] != ':' {
			return p.fail("want ':' after the key %q", key)
		}
		p.pos++
	}
	item, err := p.value(depth + 1)
	if err != nil {
		return err
	}
	item.key = key
	p.open = append(p.open, item)
	return nil
}

func (p *parser) integer() (int32, error) {
	start := p.pos
	for p.pos < len(p.data) && strings.IndexByte("+-.eE0123456789", p.data[p.pos]) >= 0 {
		p.pos++
	}
	text := p.data[start:p.pos]
	digits := strings.TrimPrefix(text, "-")
	value, err := strconv.Atoi(text)
	if err != nil || len(digits) > 9 || len(digits) > 1 && digits[0] == '0' {
		return 0, p.fail("%s is not a whole number of at most nine digits", text)
	}
	return int32(value), nil //nolint:gosec // nine digits at most
}

// quoted reads a string, standing at its opening quote.
func (p *parser) quoted() (string, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.data) { // the common string has no escape
		switch c := p.data[p.pos]; {
		case c == '"':
			text := p.data[start:p.pos]
			p.pos++
			if !p.utf8 && !utf8.ValidString(text) {
				return "", p.fail("a string is not UTF-8")
			}
			return text, nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", p.fail("a control character inside a string")
		}
		p.pos++
	}
	return "", p.fail("the file ends inside a string")
}

func (p *parser) escaped(start int) (string, error) {
	var b strings.Builder
	b.WriteString(p.data[start:p.pos])
	for p.pos < len(p.data) {
		c := p.data[p.pos]
		p.pos++
		switch {
		case c == '"':
			if !utf8.ValidString(b.String()) {
				return "", p.fail("a string is not UTF-8")
			}
			return b.String(), nil
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		case c < ' ':
			return "", p.fail("a control character inside a string")
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail("the file ends inside a string")
}

func (p *parser) escape() (rune, error) {
	if p.pos == len(p.data) {
		return 0, p.fail("the file ends inside a string")
	}
	c := p.data[p.pos]
	p.pos++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return 0, p.fail("unknown escape \\%c", c)
	}
	first, err := p.hex()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	if p.pos+2 > len(p.data) || p.data[p.pos] != '\\' || p.data[p.pos+1] != 'u' {
		return 0, p.fail("half a surrogate pair")
	}
	p.pos += 2
	second, err := p.hex()
	if err != nil {
		return 0, err
	}
	r := utf16.DecodeRune(first, second)
	if r == utf8.RuneError {
		return 0, p.fail("half a surrogate pair")
	}
	return r, nil
}

func (p *parser) hex() (rune, error) {
	if p.pos+4 > len(p.data) {
		return 0, p.fail("the file ends inside a string")
	}
	v, err := strconv.ParseUint(p.data[p.pos:p.pos+4], 16, 16)
	if err != nil {
		return 0, p.fail("want four hexadecimal digits after \\u")
	}
	p.pos += 4
	return rune(v), nil
}
