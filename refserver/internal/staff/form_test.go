package staff

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/refserver/internal/guide"
)

func fieldsOfEveryKind() []field {
	return []field{
		{Name: "text", Kind: kindText, Max: 5},
		{Name: "area", Kind: kindArea, Max: 20, Optional: true},
		{Name: "date", Kind: kindDate, Optional: true},
		{Name: "time", Kind: kindTime, Optional: true},
		{Name: "choice", Kind: kindChoice, Choices: []choice{{"a", "甲"}}, Optional: true},
		{Name: "check", Kind: kindCheck, Optional: true},
		{Name: "code", Kind: kindCode, Max: 6, Optional: true},
	}
}

func TestAFormAcceptsWhatItsFieldsSayAndNothingElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sent  string
		field string // "" for none wrong
	}{
		"everything right":              {"text=%E5%8E%9F%E5%9B%A0&area=a%0D%0Ab&date=2026-11-23&time=2026-11-23T07:30&choice=a&check=on&code=123456&token=x", ""},
		"the rest may be missing":       {"text=a", ""},
		"what is needed is missing":     {"date=2026-11-23", "text"},
		"only blanks":                   {"text=%20%20", "text"},
		"too long, in characters":       {"text=%E4%B8%80%E4%B8%80%E4%B8%80%E4%B8%80%E4%B8%80%E4%B8%80", "text"},
		"five characters are not six":   {"text=%E4%B8%80%E4%B8%80%E4%B8%80%E4%B8%80%E4%B8%80", ""},
		"a line break in one line":      {"text=a%0Ab", "text"},
		"a control character in a text": {"text=a&area=a%00b", "area"},
		"no UTF-8":                      {"text=%ff", "text"},
		"twice":                         {"text=a&text=b", "text"},
		"a month is no day":             {"text=a&date=2026-11", "date"},
		"no such day":                   {"text=a&date=2026-02-30", "date"},
		"no such minute":                {"text=a&time=2026-11-23T25:00", "time"},
		"no choice of ours":             {"text=a&choice=b", "choice"},
		"a tick that is no tick":        {"text=a&check=yes", "check"},
		"letters in a number":           {"text=a&code=12345x", "code"},
		"a field nobody asked for":      {"text=a&admin=on", "text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent, err := url.ParseQuery(c.sent)
			require.NoError(t, err)
			_, shown, good := decode(fieldsOfEveryKind(), sent)
			wrong := ""
			for _, f := range shown {
				if f.Problem != "" {
					wrong += f.Name
				}
			}
			require.Equal(t, c.field, wrong)
			require.Equal(t, c.field == "", good)
		})
	}
}

func TestAFormIsOfItsTypeAndOfBoundedSize(t *testing.T) {
	t.Parallel()
	read := func(kind, body string) error {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		_, err := readForm(httptest.NewRecorder(), r)
		return err
	}
	const ours = "application/x-www-form-urlencoded"
	require.NoError(t, read(ours+"; charset=utf-8", "a=b"))
	for name, err := range map[string]error{
		"JSON": read("application/json", "{}"), "no type": read("", "a=b"), "no form": read(ours, "a=%zz"),
		"too large": read(ours, "a="+strings.Repeat("b", maxFormBytes)),
	} {
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), name)
	}
}

func FuzzForm(f *testing.F) {
	f.Add("text=a&area=b&date=2026-11-23&time=2026-11-23T07:30&choice=a&check=on&code=1")
	f.Add("text=%ff&text=&admin=1")
	f.Fuzz(func(t *testing.T, body string) {
		sent, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		fields := fieldsOfEveryKind()
		accepted, shown, good := decode(fields, sent)
		require.Len(t, shown, len(fields))
		if !good {
			return
		}
		for _, field := range fields {
			value := accepted[field.Name]
			require.True(t, utf8.ValidString(value))
			limit := field.Max
			if limit == 0 {
				limit = maxText
			}
			require.LessOrEqual(t, utf8.RuneCountInString(value), limit)
			require.False(t, strings.ContainsFunc(value, func(r rune) bool {
				return unicode.IsControl(r) && (field.Kind != kindArea || r != '\n' && r != '\t')
			}))
			require.True(t, field.Optional || value != "")
		}
		for name := range sent {
			_, known := accepted[name]
			require.True(t, known || name == tokenField, "an unknown field was accepted")
		}
	})
}

func TestAnActThatNobodyIsGivenStandsInTheTable(t *testing.T) {
	t.Parallel()
	for act, roles := range permissions {
		require.NotEmpty(t, roles, act)
	}
	d := &Desk{cfg: Config{Codes: struct{ Codes }{}, Messages: struct{ Messages }{}, Jobs: nil, Guide: &guide.Desk{}, Prefix: "/staff"}}
	objects := append(d.allObjects(), d.jobs())
	listed := map[Act]bool{}
	for _, o := range objects {
		listed[o.Read] = true
		for _, a := range o.Acts {
			require.False(t, a.Ask && a.Whole, "an act without effect has no row of its own")
			listed[a.Act] = true
		}
	}
	require.Len(t, listed, len(permissions), "the routes and the table know the same acts")
}
