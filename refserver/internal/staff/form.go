package staff

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// field is one entry of a form: what a page shows and what decode accepts.
type field struct {
	Name     string
	Label    string
	Hint     string
	Kind     kind
	Choices  []choice // of a choice: nothing else is accepted; nil where the act checks it against the object
	Max      int      // characters; default maxText
	Optional bool
	Complete string // autocomplete, "off" by default
	Value    string // what stands in it
	Upload   bool   // of an area: it can be sent as a file as well
	Problem  string // what was wrong with what was sent
	ID       string // unique on the page
}

// kind is how a field is entered.
type kind string

// The kinds of fields.
const (
	kindText     kind = "text"
	kindPassword kind = "password"
	kindCode     kind = "code" // digits
	kindDate     kind = "date"
	kindTime     kind = "time" // a minute, in China
	kindArea     kind = "area" // several lines
	kindChoice   kind = "choice"
	kindCheck    kind = "check"
	kindHidden   kind = "hidden"
)

type choice struct{ Value, Label string }

// Bounds of a form. Triage knowledge with its cases is the largest thing that is
// sent.
const (
	maxFormBytes = 2 << 20
	maxFormParts = 40 // a form has a dozen fields
	maxText      = 100
	maxReason    = 200
	maxArea      = 64 << 10
	timeLayout   = "2006-01-02T15:04"
)

// tokenField carries the form token of the session.
const tokenField = "token"

// reasonField is what every act needs.
func reasonField() field {
	return field{Name: "reason", Label: "原因", Kind: kindText, Max: maxReason, Hint: "必填，1–200 个字，将写入审计日志；请勿填写患者姓名、证件号等信息"}
}

// values are the accepted entries of a form.
type values map[string]string

// fileSuffix stands behind the name of a field in the name of its file.
const fileSuffix = ".file"

// errForm refuses what is no form of ours.
func errForm(detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "staff", Code: "bad_form", Detail: detail, Message: "提交的内容有误，请返回后重新填写。"}
}

// readForm reads the body of a request: a form of at most maxFormBytes, in parts
// where one of the fields can be sent as a file.
func readForm(w http.ResponseWriter, r *http.Request, fields ...field) (url.Values, error) {
	media, given, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	uploads := slices.ContainsFunc(fields, func(f field) bool { return f.Upload })
	switch {
	case err == nil && media == "application/x-www-form-urlencoded":
	case err == nil && media == "multipart/form-data" && uploads:
		return readParts(multipart.NewReader(http.MaxBytesReader(w, r.Body, maxFormBytes), given["boundary"]), fields)
	default:
		return nil, errForm("Content-Type: want application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFormBytes))
	if err != nil {
		return nil, errForm("body: cannot be read, or is too large")
	}
	sent, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errForm("body: not a form")
	}
	return sent, nil
}

// readParts reads a form in parts. A file takes the place of what stands in its
// field; its own name is nobody's business. Parts are read as they are: nothing
// in them is decoded or written to a disk.
func readParts(body *multipart.Reader, fields []field) (url.Values, error) {
	sent, files := url.Values{}, map[string]string{}
	for n := 0; ; n++ {
		part, err := body.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || n == maxFormParts {
			return nil, errForm("body: not a form in parts, too many, or too large")
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, errForm("body: cannot be read, or is too large")
		}
		name := part.FormName()
		of, isFile := strings.CutSuffix(name, fileSuffix)
		_, again := files[of]
		switch {
		case !isFile && part.FileName() == "":
			sent.Add(name, string(data))
		case !isFile || again || !slices.ContainsFunc(fields, func(f field) bool { return f.Upload && f.Name == of }):
			return nil, errForm("body: a file where none is expected")
		default:
			files[of] = strings.TrimPrefix(string(data), "\ufeff") // an editor's byte order mark
		}
	}
	for name, data := range files {
		if data != "" { // none was chosen
			sent[name] = []string{data}
		}
	}
	return sent, nil
}

// decode accepts what the fields say and nothing else. It returns the fields as
// they have to be shown again, and whether all were right.
func decode(fields []field, sent url.Values) (values, []field, bool) {
	accepted, shown, good := values{}, make([]field, 0, len(fields)), true
	known := map[string]bool{tokenField: true}
	for _, f := range fields {
		known[f.Name] = true
		value, problem := f.accept(sent[f.Name])
		if problem == "" {
			accepted[f.Name] = value
		} else {
			good = false
		}
		f.Problem = problem
		f.Value = value
		if f.Kind == kindPassword || f.Kind == kindCode {
			f.Value = ""
		}
		shown = append(shown, f)
	}
	for name := range sent {
		if !known[name] && len(shown) > 0 {
			shown[0].Problem, good = "提交了未知的内容，请刷新页面后重试", false
		}
	}
	return accepted, shown, good
}

// accept returns what was sent in one field, and what is wrong with it.
func (f field) accept(sent []string) (value, problem string) {
	if len(sent) > 1 {
		return "", "重复填写"
	}
	if len(sent) == 1 {
		value = sent[0]
	}
	if !utf8.ValidString(value) {
		return "", "含有无法识别的字符"
	}
	if f.Kind == kindArea {
		value = strings.ReplaceAll(value, "\r\n", "\n")
	} else if f.Kind != kindPassword {
		value = strings.TrimSpace(value)
	}
	limit := f.Max
	if limit == 0 {
		limit = maxText
	}
	switch {
	case strings.ContainsFunc(value, func(r rune) bool {
		return unicode.IsControl(r) && (f.Kind != kindArea || r != '\n' && r != '\t') || r == utf8.RuneError
	}):
		return "", "含有控制字符"
	case utf8.RuneCountInString(value) > limit:
		return "", "内容太长"
	case value == "" && f.Kind == kindCheck:
		return "", ""
	case value == "" && !f.Optional:
		return "", "必填"
	case value == "":
		return "", ""
	}
	return value, f.misfit(value)
}

// misfit says why a value is not of the field's kind.
func (f field) misfit(value string) string {
	switch f.Kind {
	case kindDate:
		if day, err := hospital.ParseDate(value); err != nil || day.Precision() != hospital.ToDay {
			return "日期格式应为 2026-11-23"
		}
	case kindTime:
		if _, err := time.ParseInLocation(timeLayout, value, hospital.CST); err != nil {
			return "时间格式应为 2026-11-23T07:30"
		}
	case kindChoice:
		if f.Choices == nil {
			return ""
		}
		for _, c := range f.Choices {
			if c.Value == value {
				return ""
			}
		}
		return "请从列表中选择"
	case kindCheck:
		if value != "on" {
			return "请重新勾选"
		}
	case kindCode:
		if strings.ContainsFunc(value, func(r rune) bool { return r < '0' || r > '9' }) {
			return "只能填写数字"
		}
	case kindText, kindPassword, kindArea, kindHidden:
	}
	return ""
}

// date is an accepted date, the zero Date where none was sent.
func (v values) date(name string) hospital.Date {
	day, err := hospital.ParseDate(v[name])
	if err != nil {
		return hospital.Date{}
	}
	return day
}

// time is an accepted instant, the zero time where none was sent.
func (v values) time(name string) time.Time {
	at, err := time.ParseInLocation(timeLayout, v[name], hospital.CST)
	if err != nil {
		return time.Time{}
	}
	return at
}
