package wechat

import (
	"strings"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// The bounds of a push. The deepest known one has four levels, the widest
// about forty fields.
const (
	maxDepth = 8
	maxNodes = 1024
)

// node is one field of a push, whether it came as XML or as JSON. The first
// node is the root. A list is several nodes of one name under one parent.
type node struct {
	name, text string
	parent     int
	branch     bool // has fields below it
}

type nodes []node

// text returns the field's text, "" when it is missing.
func (all nodes) text(parent int, name string) string {
	if at := all.find(parent, name); at > 0 {
		return all[at].text
	}
	return ""
}

// find returns the position of the first field of that name, -1 for none.
func (all nodes) find(parent int, name string) int {
	for i := parent + 1; i < len(all); i++ {
		if all[i].parent == parent && all[i].name == name {
			return i
		}
	}
	return -1
}

// list returns the positions of all fields of that name.
func (all nodes) list(parent int, name string) []int {
	var found []int
	for i := parent + 1; i < len(all); i++ {
		if all[i].parent == parent && all[i].name == name {
			found = append(found, i)
		}
	}
	return found
}

// tree returns the fields below the one at that position. A push has at most
// maxNodes fields on maxDepth levels, so it ends.
func (all nodes) tree(parent int) []Field {
	var found []Field
	for i := parent + 1; i < len(all); i++ {
		if all[i].parent == parent {
			found = append(found, Field{Name: all[i].name, Text: all[i].text, Fields: all.subtree(i)})
		}
	}
	return found
}

func (all nodes) subtree(at int) []Field {
	if !all[at].branch {
		return nil
	}
	return all.tree(at)
}

// parseNodes reads a push in the format that its first byte announces.
func parseNodes(text string) (nodes, Format, error) {
	if strings.HasPrefix(text, "{") {
		all, err := parseJSON(text)
		return all, JSON, err
	}
	all, err := parseXML(text)
	return all, XML, err
}

// legible returns the text without what neither format may carry: broken UTF-8
// and control characters become U+FFFD. The platform passes on what a phone
// sent, and a patient's message must not be lost over one such byte.
func legible(text string) string {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		c := text[i]
		plain = c >= ' ' && c < utf8.RuneSelf && c != 0x7f || c == '\n' || c == '\t'
	}
	if plain {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f || r == 0xfffe || r == 0xffff {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}

func malformed(code, detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "wechat.ParsePush", Code: code, Detail: detail}
}
