package wechattest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
)

// field is one element of a push, in its order.
type field struct {
	Name   string  `json:"n"`
	Text   string  `json:"t,omitempty"`
	Number bool    `json:"d,omitempty"` // written bare, not as CDATA
	Nested []field `json:"c,omitempty"`
}

func text(name, value string) field { return field{Name: name, Text: value} }

func number(name string, value int64) field {
	return field{Name: name, Text: decimal(value), Number: true}
}

func nest(name string, fields ...field) field { return field{Name: name, Nested: fields} }

// xmlBody writes the fields as WeChat's XML.
func xmlBody(fields []field) []byte {
	var b bytes.Buffer
	b.WriteString("<xml>")
	writeXML(&b, fields)
	b.WriteString("</xml>")
	return b.Bytes()
}

func writeXML(b *bytes.Buffer, fields []field) {
	for _, f := range fields {
		b.WriteString("<" + f.Name + ">")
		switch {
		case f.Nested != nil:
			writeXML(b, f.Nested)
		case f.Number:
			_ = xml.EscapeText(b, []byte(f.Text)) // a buffer takes every byte
		default:
			b.WriteString("<![CDATA[" + strings.ReplaceAll(f.Text, "]]>", "]]]]><![CDATA[>") + "]]>")
		}
		b.WriteString("</" + f.Name + ">")
	}
}

// jsonBody writes the fields as WeChat's JSON: a name that repeats becomes an
// array, one that stands alone an object.
func jsonBody(fields []field) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	written := map[string]bool{}
	for _, f := range fields {
		if written[f.Name] {
			continue
		}
		if len(written) > 0 {
			b.WriteByte(',')
		}
		written[f.Name] = true
		b.Write(encode(f.Name))
		b.WriteByte(':')
		var same [][]byte
		for _, other := range fields {
			if other.Name == f.Name {
				same = append(same, other.json())
			}
		}
		if len(same) == 1 {
			b.Write(same[0])
			continue
		}
		b.WriteByte('[')
		b.Write(bytes.Join(same, []byte(",")))
		b.WriteByte(']')
	}
	b.WriteByte('}')
	return b.Bytes()
}

func (f field) json() []byte {
	switch {
	case f.Nested != nil:
		return jsonBody(f.Nested)
	case f.Number:
		return encode(json.Number(f.Text))
	}
	return encode(f.Text)
}

// kindOf names a push in the log.
func kindOf(fields []field) string {
	kind, event := "", ""
	for _, f := range fields {
		switch f.Name {
		case "MsgType":
			kind = f.Text
		case "Event":
			event = "." + f.Text
		}
	}
	return kind + event
}
