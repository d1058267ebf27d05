package staff

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/wxhospital/hospital"
)

// view is everything a page of the desk can show: one template for the lists,
// the details and the acts of all objects.
type view struct {
	Hospital, Prefix string
	Title            string
	Who              string // who is logged in, "" for nobody
	Token            string // of the session's forms
	Nav              []link
	Notice           string // what was done
	Problem          string // what was not, and why
	Secret           *secret
	Search           []form // above the list
	Facts            []fact
	Tables           []table
	Text             string // a file, as it is
	Picture          string // address of a picture
	Forms            []form
}

type link struct {
	Label, To string
	Here      bool
}

// fact is one line of a detail.
type fact struct{ Label, Value, To string }

type table struct {
	Caption string
	Heads   []string
	Rows    [][]cell
	Empty   string
	More    string // address of the next page
}

type cell struct{ Text, To string }

func text(s string) cell { return cell{Text: s} }

// secret is shown once, on the page that made it.
type secret struct{ Label, Value, Hint string }

type form struct {
	To      string
	Look    bool // only looks: sent by GET
	Parts   bool // sent in parts: it can carry a file
	Title   string
	Explain string
	Button  string
	Danger  bool
	Fields  []field
}

//go:embed page
var pageFiles embed.FS

func newTemplate() (*template.Template, error) {
	t, err := template.ParseFS(pageFiles, "page/page.html")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "staff", Code: "bad_template", Err: err}
	}
	return t, nil
}

// uncached keeps what the desk shows out of every cache and every frame.
func uncached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "private, no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// render writes the page whole or not at all.
func (d *Desk) render(w http.ResponseWriter, r *http.Request, status int, v view) {
	v.Hospital, v.Prefix = d.cfg.Hospital, d.cfg.Prefix
	for i := range v.Forms {
		number(v.Forms[i].Fields, i)
	}
	for i := range v.Search {
		number(v.Search[i].Fields, len(v.Forms)+i)
	}
	var page bytes.Buffer
	if err := d.page.ExecuteTemplate(&page, "page.html", v); err != nil {
		d.cfg.Logger.ErrorContext(r.Context(), "page not rendered", "error", err)
		http.Error(w, "页面暂时无法显示，请稍后重试。", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(page.Bytes()); err != nil {
		d.cfg.Logger.DebugContext(r.Context(), "page not sent", "error", err)
	}
}

// number gives the fields of the nth form their ids.
func number(fields []field, n int) {
	for i := range fields {
		fields[i].ID = "f" + string(rune('a'+n%26)) + "-" + fields[i].Name
	}
}

// statusOf is the one table from kinds of errors to answers.
func statusOf(err error) int {
	switch hospital.KindOf(err) {
	case hospital.Invalid:
		return http.StatusBadRequest
	case hospital.Denied:
		return http.StatusForbidden
	case hospital.NotFound:
		return http.StatusNotFound
	case hospital.Conflict:
		return http.StatusConflict
	case hospital.Rejected:
		return http.StatusUnprocessableEntity
	case hospital.Unavailable, hospital.Indeterminate:
		return http.StatusServiceUnavailable
	case hospital.Internal:
	}
	return http.StatusInternalServerError
}

// explain is what staff read about an error: its sentence, and what an operator
// needs to ask further.
func explain(err error) string {
	text := hospital.MessageFor(err)
	if code := hospital.CodeOf(err); code != "" {
		text += "（" + hospital.KindOf(err).String() + " " + code + "）"
	}
	return text
}

// moment shows an instant in China, "–" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(hospital.CST).Format("2006-01-02 15:04:05")
}
