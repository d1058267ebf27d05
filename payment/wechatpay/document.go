package wechatpay

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// maxMembers bounds the members of one object. A transaction has about 20.
const maxMembers = 64

// document reads one JSON object member by member, more strictly than
// encoding/json and without reflection: names are spelt exactly, none stands
// twice, nothing is converted. Null is what is left out. The first thing that
// is not as it should be makes the whole document bad.
type document struct {
	text []byte // valid JSON
	at   int
	bad  bool
}

// readDocument lets read take what it wants of a JSON object and reports
// whether text is one, and all of it as wanted.
func readDocument(text []byte, read func(*document)) bool {
	if !utf8.Valid(text) || !json.Valid(text) {
		return false
	}
	d := document{text: text}
	d.blank()
	read(&d)
	return !d.bad
}

// object hands the name of every member to a function that stands before its
// value and may read it; what it leaves is skipped.
func (d *document) object(member func(name []byte)) {
	if !d.begins('{') {
		return
	}
	d.at++
	var seen [maxMembers][]byte
	for n := 0; ; {
		d.blank()
		switch d.text[d.at] {
		case '}':
			d.at++
			return
		case ',':
			d.at++
			continue
		}
		name := d.literal()
		d.blank()
		d.at++ // the colon
		d.blank()
		if n == maxMembers || bytes.IndexByte(name, '\\') >= 0 {
			d.bad = true
			d.skip()
			continue
		}
		for _, earlier := range seen[:n] {
			d.bad = d.bad || bytes.Equal(earlier, name)
		}
		seen[n] = name
		n++
		before := d.at
		if member(name); d.at == before {
			d.skip()
		}
	}
}

// string reads a text.
func (d *document) string(into *string) {
	if !d.begins('"') {
		return
	}
	start := d.at
	plain := d.literal()
	if bytes.IndexByte(plain, '\\') < 0 {
		*into = string(plain)
		return
	}
	if json.Unmarshal(d.text[start:d.at], into) != nil {
		d.bad = true
	}
}

// fen reads a whole number.
func (d *document) fen(into *hospital.Fen) {
	start := d.at
	d.skip()
	text := d.text[start:d.at]
	if text[0] == 'n' {
		return
	}
	value, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		d.bad = true
		return
	}
	*into = hospital.Fen(value)
}

// begins reports whether a value of the wanted kind stands here, and skips any
// other. A null is no mistake.
func (d *document) begins(with byte) bool {
	c := d.text[d.at]
	if c == with {
		return true
	}
	d.bad = d.bad || c != 'n'
	d.skip()
	return false
}

func (d *document) blank() {
	for d.at < len(d.text) && d.text[d.at] <= ' ' {
		d.at++
	}
}

// literal passes a text and returns what stands between its quotes.
func (d *document) literal() []byte {
	start := d.at + 1
	for d.at = start; d.text[d.at] != '"'; d.at++ {
		if d.text[d.at] == '\\' {
			d.at++
		}
	}
	d.at++
	return d.text[start : d.at-1]
}

// skip passes a value, whatever it is.
func (d *document) skip() {
	for depth := 0; d.at < len(d.text); {
		switch c := d.text[d.at]; {
		case c == '"':
			d.literal()
		case c == '{' || c == '[':
			depth++
			d.at++
		case depth == 0 && (c == '}' || c == ']' || c == ',' || c <= ' '):
			return
		case c == '}' || c == ']':
			depth--
			d.at++
		default:
			d.at++
			continue
		}
		if depth == 0 {
			return
		}
	}
}
