package message

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

func (t Template) check(scene Scene) string {
	if _, ok := catalog[scene]; !ok {
		return "no such scene"
	}
	if t.ID == "" || len(t.Fields) == 0 {
		return "want ID and Fields"
	}
	for field, value := range t.Fields {
		if !slices.Contains(valueNames, value) {
			return field + ": no such value"
		}
	}
	return ""
}

// notice fills the template.
func (m *Messenger) notice(r row, to wechat.OpenID) wechat.Notice {
	t := m.cfg.Templates[r.Scene]
	n := wechat.Notice{Kind: t.Kind, To: to, Template: t.ID, Key: hospital.Key(r.key), Data: map[string]string{}}
	if n.Kind == 0 {
		n.Kind = wechat.TemplateMessage
	}
	if m.cfg.Link != nil {
		n.URL = m.cfg.Link(r.Scene, r.Object)
	}
	for field, value := range t.Fields {
		n.Data[field] = fit(field, r.fields[value])
	}
	return n
}

// longest is what a phone shows of a text field.
const longest = 20

// fit cuts a text to what its field may hold; an empty one says so.
func fit(field, value string) string {
	if !strings.HasPrefix(field, "thing") {
		return value
	}
	if value == "" {
		return "见详情"
	}
	if utf8.RuneCountInString(value) > longest {
		value = string([]rune(value)[:longest-1]) + "…"
	}
	return value
}
