package wechat

import (
	"strconv"
	"strings"
)

// xmlReader reads the XML that the platform writes and nothing beyond it:
// elements without attributes, text, CDATA and the five named entities. A
// document type, a comment or a processing instruction is refused, so nothing
// in a push can refer to anything outside it.
type xmlReader struct {
	rest  string
	all   nodes
	open  [maxDepth]int // the elements that are not closed yet
	depth int
}

func parseXML(text string) (nodes, error) {
	p := &xmlReader{rest: strings.TrimPrefix(text, "\ufeff"), all: make(nodes, 0, 24)}
	if err := p.prolog(); err != nil {
		return nil, err
	}
	for {
		at := strings.IndexByte(p.rest, '<')
		if at < 0 {
			break
		}
		if err := p.characters(p.rest[:at]); err != nil {
			return nil, err
		}
		p.rest = p.rest[at:]
		if err := p.markup(); err != nil {
			return nil, err
		}
	}
	switch {
	case p.depth > 0, len(p.all) == 0:
		return nil, malformed("bad_xml", "the document is cut short")
	case !blank(p.rest):
		return nil, malformed("bad_xml", "text after the document")
	}
	return p.all, nil
}

// prolog passes over an XML declaration.
func (p *xmlReader) prolog() error {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	declaration, found := strings.CutPrefix(p.rest, "<?xml ")
	if !found {
		return nil
	}
	declaration, rest, ended := strings.Cut(declaration, "?>")
	if !ended || strings.ContainsAny(declaration, "<>") {
		return malformed("bad_xml", "the declaration does not end")
	}
	p.rest = rest
	return nil
}

// characters takes the text between two pieces of markup.
func (p *xmlReader) characters(text string) error {
	if text == "" {
		return nil
	}
	if p.depth == 0 {
		if !blank(text) {
			return malformed("bad_xml", "text outside the document")
		}
		return nil
	}
	text, ok := unescape(text)
	if !ok {
		return malformed("bad_xml", "an unknown entity")
	}
	p.append(text)
	return nil
}

func (p *xmlReader) append(text string) {
	if strings.Contains(text, "\r") { // as XML demands
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	p.all[p.open[p.depth-1]].text += legible(text)
}

// markup takes what begins with "<".
func (p *xmlReader) markup() error {
	if data, found := strings.CutPrefix(p.rest, "<![CDATA["); found {
		data, rest, ended := strings.Cut(data, "]]>")
		if !ended || p.depth == 0 {
			return malformed("bad_xml", "CDATA that does not end, or outside the document")
		}
		p.append(data)
		p.rest = rest
		return nil
	}
	end := strings.IndexByte(p.rest, '>')
	if end < 0 {
		return malformed("bad_xml", "a tag that does not end")
	}
	tag := p.rest[1:end]
	p.rest = p.rest[end+1:]
	if name, closing := strings.CutPrefix(tag, "/"); closing {
		return p.close(strings.TrimRight(name, " \t\r\n"))
	}
	name, empty := strings.CutSuffix(tag, "/")
	name = strings.TrimRight(name, " \t\r\n")
	if err := p.element(name); err != nil || !empty {
		return err
	}
	return p.close(name)
}

func (p *xmlReader) element(name string) error {
	switch {
	case !plainName(name): // also "!DOCTYPE", "!--", "?", and any attribute
		return malformed("bad_xml", "a tag that is no plain name")
	case p.depth == maxDepth:
		return malformed("bad_xml", "more levels than "+strconv.Itoa(maxDepth))
	case len(p.all) == maxNodes:
		return malformed("bad_xml", "more fields than "+strconv.Itoa(maxNodes))
	case p.depth == 0 && (len(p.all) > 0 || name != "xml"):
		return malformed("bad_xml", "want one document element <xml>")
	case p.depth == 1 && p.all.find(0, name) > 0:
		return malformed("bad_xml", "a field stands twice")
	}
	parent := -1
	if p.depth > 0 {
		parent = p.open[p.depth-1]
		p.all[parent].branch = true
	}
	p.open[p.depth] = len(p.all)
	p.depth++
	p.all = append(p.all, node{name: name, parent: parent})
	return nil
}

func (p *xmlReader) close(name string) error {
	if p.depth == 0 {
		return malformed("bad_xml", "an end without a beginning")
	}
	p.depth--
	closed := &p.all[p.open[p.depth]]
	if closed.name != name {
		return malformed("bad_xml", "an end that does not fit its beginning")
	}
	if closed.branch {
		if !blank(closed.text) {
			return malformed("bad_xml", "text beside fields")
		}
		closed.text = ""
	}
	return nil
}

func blank(text string) bool { return strings.TrimLeft(text, " \t\r\n") == "" }

func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		later := c >= '0' && c <= '9' || c == '-' || c == '.'
		if !letter && (!later || i == 0) {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// unescape resolves the entities. It reports false for one that XML does not
// define without a document type.
func unescape(text string) (string, bool) {
	at := strings.IndexByte(text, '&')
	if at < 0 {
		return text, true
	}
	var b strings.Builder
	for at >= 0 {
		b.WriteString(text[:at])
		name, rest, found := strings.Cut(text[at+1:], ";")
		if !found {
			return "", false
		}
		r, ok := entity(name)
		if !ok {
			return "", false
		}
		b.WriteRune(r)
		text = rest
		at = strings.IndexByte(text, '&')
	}
	b.WriteString(text)
	return b.String(), true
}

func entity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, numeric := strings.CutPrefix(name, "#")
	base := 10
	if hex, found := strings.CutPrefix(digits, "x"); found {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if !numeric || err != nil || n > 0x10ffff {
		return 0, false
	}
	return rune(n), true
}
