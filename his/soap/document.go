package soap

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// The bounds of one document. encoding/xml alone accepts 200,000 levels of
// nesting, and a million empty elements take 344 MB.
const (
	maxDocumentBytes = 16 << 20 // after decoding; a year of an inpatient's charges has about 5 MB
	maxDepth         = 64       // the deepest real answer, a DataSet in an envelope, has about 12
	maxElements      = 200_000
	maxAttributes    = 64       // of one element
	maxTagBytes      = 16 << 10 // of one tag with its attributes, before it is parsed
)

// Node is an element of a document.
type Node struct {
	Space    string // the namespace, "" for none
	Name     string // the local name: HIS products get prefixes wrong, so nothing here looks at them
	Attrs    []xml.Attr
	Children []*Node
	text     strings.Builder
}

// Text returns the characters directly inside the element, without white space
// at both ends. A nil node has none, so a chain of Find needs no checks.
func (n *Node) Text() string {
	if n == nil {
		return ""
	}
	return strings.TrimFunc(n.text.String(), unicode.IsSpace)
}

// Raw returns the characters directly inside the element, as they are.
func (n *Node) Raw() string {
	if n == nil {
		return ""
	}
	return n.text.String()
}

// Find follows a path of local names through first children and returns the
// element at its end, nil when a step is missing.
func (n *Node) Find(path ...string) *Node {
	for _, name := range path {
		n = n.child(name)
	}
	return n
}

func (n *Node) child(name string) *Node {
	if n == nil {
		return nil
	}
	for _, child := range n.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// All returns the children with the local name, in order.
func (n *Node) All(name string) []*Node {
	if n == nil {
		return nil
	}
	var found []*Node
	for _, child := range n.Children {
		if child.Name == name {
			found = append(found, child)
		}
	}
	return found
}

// Descendant returns the first element of that local name below n, in document
// order, nil when there is none.
func (n *Node) Descendant(name string) *Node {
	if n == nil {
		return nil
	}
	for _, child := range n.Children {
		if child.Name == name {
			return child
		}
		if found := child.Descendant(name); found != nil {
			return found
		}
	}
	return nil
}

// Attr returns the value of the attribute with the local name, "" for none.
func (n *Node) Attr(name string) string {
	if n == nil {
		return ""
	}
	for _, attr := range n.Attrs {
		if attr.Name.Local == name {
			return attr.Value
		}
	}
	return ""
}

// IsNil reports whether there is no value: no element, or one marked xsi:nil.
func (n *Node) IsNil() bool {
	nilled := n.Attr("nil")
	return n == nil || nilled == "true" || nilled == "1"
}

// ParseDocument reads XML that came as a string. Its prolog is ignored,
// because the string is Unicode already whatever the prolog says. Bare
// ampersands, "<" before a number, HTML entities and control characters are
// taken for text. It returns Rejected bad_xml for what is no XML, html_page
// for a web page, and too_large or too_deep beyond the bounds.
func ParseDocument(text string) (*Node, error) {
	if len(text) > maxDocumentBytes {
		return nil, malformed("too_large", "more bytes than a document may have")
	}
	text = strings.TrimLeftFunc(strings.TrimPrefix(text, "\ufeff"), unicode.IsSpace)
	text = text[len(prologRE.FindString(text)):]
	if htmlRE.MatchString(text) {
		return nil, malformed("html_page", "a web page in place of XML")
	}
	tidied, err := tidy(text)
	if err != nil {
		return nil, err
	}
	return build(tidied)
}

var htmlRE = regexp.MustCompile(`(?i)^\s*(<!--[^>]{0,500}-->\s*)?<(!doctype\s+html|html)[\s>]`)

// build makes the tree. The decoder runs in strict mode: tidy has repaired what
// may be repaired, and a tag left open is a truncated answer.
func build(text string) (*Node, error) {
	decoder := xml.NewDecoder(strings.NewReader(text))
	decoder.Entity = xml.HTMLEntity
	decoder.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	var root *Node
	var open []*Node
	elements := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, malformed("bad_xml", "not well-formed")
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements++
			if err := bounded(len(open), elements, len(token.Attr)); err != nil {
				return nil, err
			}
			node := &Node{Space: token.Name.Space, Name: token.Name.Local, Attrs: token.Attr}
			switch {
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.Children = append(parent.Children, node)
			case root != nil:
				return nil, malformed("bad_xml", "a second root")
			default:
				root = node
			}
			open = append(open, node)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text.Write(token)
			} else if strings.TrimSpace(string(token)) != "" {
				return nil, malformed("bad_xml", "text outside of the root")
			}
		case xml.Directive:
			return nil, malformed("bad_xml", "a DOCTYPE")
		}
	}
	if root == nil {
		return nil, malformed("bad_xml", "no element")
	}
	return root, nil
}

func bounded(depth, elements, attributes int) error {
	switch {
	case depth >= maxDepth:
		return malformed("too_deep", "elements nested too deeply")
	case elements > maxElements:
		return malformed("too_large", "more elements than a document may have")
	case attributes > maxAttributes:
		return malformed("too_large", "more attributes than an element may have")
	}
	return nil
}

// tidy makes a document well-formed where HIS products are careless with text:
// an ampersand that begins no entity, a "<" that begins no tag, characters
// that XML forbids. It leaves CDATA, comments and tags as they are.
func tidy(text string) (string, error) {
	var out strings.Builder
	out.Grow(len(text) + len(text)/64)
	for text != "" {
		next := strings.IndexAny(text, "<&")
		if next < 0 {
			next = len(text)
		}
		out.WriteString(legal(text[:next]))
		text = text[next:]
		if text == "" {
			break
		}
		length, err := markup(text)
		switch {
		case err != nil:
			return "", err
		case length > 0:
			out.WriteString(legal(text[:length]))
			text = text[length:]
		case text[0] == '<':
			out.WriteString("&lt;")
			text = text[1:]
		default:
			out.WriteString("&amp;")
			text = text[1:]
		}
	}
	return out.String(), nil
}

var (
	entityRE   = regexp.MustCompile(`^&(#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});`)
	tagStartRE = regexp.MustCompile(`^</?[\p{L}_:]`)
)

// markup returns the length of the entity, tag, comment or section at the start
// of text, 0 when what stands there is plain text after all.
func markup(text string) (int, error) {
	if text[0] == '&' {
		return entity(text), nil
	}
	for _, section := range [...][2]string{{"<![CDATA[", "]]>"}, {"<!--", "-->"}, {"<?", "?>"}, {"<!", ">"}} {
		inside, found := strings.CutPrefix(text, section[0])
		if !found {
			continue
		}
		end := strings.Index(inside, section[1])
		if end < 0 {
			return 0, malformed("bad_xml", "a section without its end")
		}
		return len(section[0]) + end + len(section[1]), nil
	}
	if !tagStartRE.MatchString(text[:min(len(text), 8)]) {
		return 0, nil
	}
	quote := byte(0)
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case i > maxTagBytes:
			return 0, malformed("too_large", "a tag longer than a tag may be")
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && c == '>':
			return i + 1, nil
		}
	}
	return 0, malformed("bad_xml", "a tag without its end")
}

// entity returns the length of a reference that XML or HTML knows; a reference
// to a character that XML forbids counts as text.
func entity(text string) int {
	found := entityRE.FindString(text[:min(len(text), 40)])
	name := strings.TrimSuffix(strings.TrimPrefix(found, "&"), ";")
	switch name {
	case "":
		return 0
	case "amp", "lt", "gt", "quot", "apos":
		return len(found)
	}
	if _, ok := xml.HTMLEntity[name]; ok {
		return len(found)
	}
	if name[0] == '#' && legalReference(found) {
		return len(found)
	}
	return 0
}

func legalReference(reference string) bool {
	decoder := xml.NewDecoder(strings.NewReader("<a>" + reference + "</a>"))
	for {
		if _, err := decoder.Token(); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// legal replaces what XML forbids by a space, so that words stay apart.
func legal(text string) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, Forbidden) < 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if Forbidden(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
}

// Forbidden reports whether XML 1.0 cannot carry the character.
func Forbidden(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

func malformed(code, detail string) error {
	return &hospital.Error{Kind: hospital.Rejected, Op: "soap.Parse", Code: code, Detail: detail}
}
