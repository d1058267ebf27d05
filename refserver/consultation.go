package refserver

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// tooMuch is what somebody reads who wrote more than the box takes.
const tooMuch = "请简短些，最多 500 个字"

// told is what a consultation is about: the fields of its form, without the
// answers to follow-up questions.
type told url.Values

func toldNames() []string {
	return []string{"text", "sex", "age", "view", "s", "old", "days", "severity", "temperature", "pregnant", "weeks"}
}

func toldIn(q url.Values) told {
	t := told{}
	for _, name := range toldNames() {
		for _, value := range q[name][:min(len(q[name]), maxTicked)] {
			if value = written(value); value != "" {
				t[name] = append(t[name], value)
			}
		}
	}
	return t
}

// with adds the answers that stand in the address.
func (t told) with(q url.Values) url.Values {
	all := url.Values{"a": q["a"], "seen": q["seen"]}
	maps.Copy(all, url.Values(t))
	return all
}

// written is a text as a person can have meant it: valid, without control
// characters, without marks that are not seen and turn the line round.
func written(text string) string {
	keep := func(r rune) rune {
		switch {
		case r == '\n': // bounds a clause
			return r
		case r == '\t':
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf):
			return -1
		}
		return r
	}
	return strings.TrimSpace(strings.Map(keep, strings.ToValidUTF8(text, "")))
}

// toldCookie is what the sealed cookie holds.
type toldCookie struct {
	Ref  string `json:"c"`
	Told told   `json:"q"`
}

func (t told) encode(ref string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a cookie is small
	if err := e.Encode(toldCookie{ref, t}); err != nil {
		panic("refserver: strings are always JSON: " + err.Error())
	}
	return b.Bytes()
}

// told is what this browser wrote for the consultation; false when that is over
// or something else was written since.
func (v *visit) told(ref string) (told, bool) {
	text, ok := v.left("told")
	if !ok {
		return nil, false
	}
	var kept toldCookie
	if err := json.Unmarshal(text, &kept); err != nil || !hmac.Equal([]byte(kept.Ref), []byte(ref)) {
		return nil, false
	}
	return kept.Told, true
}

// nonce is what the consultations of a form are known by. Whoever comes back to
// the form within the half hour finds the same.
func (v *visit) nonce() string {
	if old, ok := v.left("form"); ok {
		return string(old)
	}
	fresh := rand.Text()
	v.leave("form", []byte(fresh))
	return fresh
}

// aNonce reports whether a form can have carried the text.
func aNonce(text string) bool {
	return len(text) == len(rand.Text()) && !strings.ContainsFunc(text, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') })
}

// consultation names one: the same words under the same nonce are the same,
// however often and on whichever replica they are sent. What was answered since
// and which side of the figure is seen are not part of it.
func (s *Server) consultation(nonce string, t told) string {
	parts := []string{"consultation", nonce}
	for _, name := range toldNames() {
		if name != "view" {
			values := slices.Sorted(slices.Values(t[name]))
			parts = append(parts, name, strings.Join(values, "\n"))
		}
	}
	return base64.RawURLEncoding.EncodeToString(s.mac(parts...))
}

// recordID is the row of a consultation. It does not stand in an address, so no
// log of addresses leads to the row.
func (s *Server) recordID(ref string) string {
	return base64.RawURLEncoding.EncodeToString(s.mac("consultation-row", ref))
}
