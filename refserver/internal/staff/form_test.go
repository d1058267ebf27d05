package staff

import (
	"bytes"
	"io"
	"mime/multipart"
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

// parts is a form in parts: name, file name, content.
func parts(t *testing.T, all ...[3]string) (kind, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range all {
		create := w.CreateFormField
		if p[1] != "" {
			create = func(name string) (io.Writer, error) { return w.CreateFormFile(name, p[1]) }
		}
		to, err := create(p[0])
		require.NoError(t, err)
		_, err = io.WriteString(to, p[2])
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return w.FormDataContentType(), b.String()
}

func TestAFileStandsForItsFieldAlone(t *testing.T) {
	t.Parallel()
	upload := field{Name: "area", Kind: kindArea, Max: 20, Upload: true}
	read := func(kind, body string, fields ...field) (url.Values, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		return readForm(httptest.NewRecorder(), r, fields...)
	}
	kind, body := parts(t, [3]string{"area.file", "../../etc/passwd", "\ufefffrom the file"}, [3]string{"area", "", "typed"})
	sent, err := read(kind, body, upload)
	require.NoError(t, err)
	require.Equal(t, url.Values{"area": {"from the file"}}, sent, "and its own name is forgotten")
	kind, body = parts(t, [3]string{"area.file", "none.json", ""}, [3]string{"area", "", "typed"})
	sent, err = read(kind, body, upload)
	require.NoError(t, err)
	require.Equal(t, url.Values{"area": {"typed"}}, sent, "no file was chosen")

	kind, body = parts(t, [3]string{"area.file", "a", "a"})
	_, err = read(kind, body, field{Name: "area", Kind: kindArea})
	require.Equal(t, hospital.Invalid, hospital.KindOf(err), "a form without a file is not sent in parts")
	many := make([][3]string, maxFormParts+1)
	for i := range many {
		many[i] = [3]string{"area", "", "x"}
	}
	for name, all := range map[string][][3]string{
		"a file of a field that takes none": {{"text.file", "a", "a"}}, "a file as a field": {{"area", "a", "a"}},
		"two files": {{"area.file", "a", "a"}, {"area.file", "a", "b"}}, "too many parts": many,
		"too large": {{"area.file", "a", strings.Repeat("b", maxFormBytes)}},
	} {
		kind, body = parts(t, all...)
		_, err = read(kind, body, upload)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), name)
	}
	_, err = read("multipart/form-data", "--\r\n", upload)
	require.Equal(t, hospital.Invalid, hospital.KindOf(err), "no boundary")
	kind, body = parts(t, [3]string{"area", "", "x"})
	_, err = read(kind, body[:len(body)-8], upload)
	require.Equal(t, hospital.Invalid, hospital.KindOf(err), "torn off")
}

func FuzzParts(f *testing.F) {
	f.Add("--b\r\nContent-Disposition: form-data; name=\"area.file\"; filename=\"x\"\r\n\r\nhi\r\n--b--\r\n")
	f.Add("--b\r\nContent-Disposition: form-data; name=\"area\"\r\n\r\nhi\r\n--b--")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		sent, err := readForm(httptest.NewRecorder(), r, field{Name: "area", Kind: kindArea, Upload: true})
		if err != nil {
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
			return
		}
		for name := range sent {
			require.False(t, strings.HasSuffix(name, fileSuffix))
		}
	})
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
