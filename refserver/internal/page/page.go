// Package page is everything a patient sees: the models of the pages, their
// templates, one stylesheet, the few scripts. It does no I/O beyond reading
// its own files at the start; handlers fill a [View] and call [Pages.Render].
//
// Every template is executed with fixtures in [New], so a hospital's own
// template that does not work stops the start and names its file and line.
package page

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// Config says whose pages these are.
type Config struct {
	Hospital Hospital
	// Overlay holds the hospital's own files. A file of the same name
	// ("templates/home.html", "assets/app.css") replaces ours. nil for none.
	Overlay fs.FS
	// Prefix is where the server is mounted: "" or "/hospital".
	Prefix string
	// Now is business time, for 今天, 明天 and countdowns; nil is time.Now.
	Now func() time.Time
	// Warn is told what was mended or failed without stopping: a brand color
	// that was too light to read, a page that could not be made. It is never
	// told what a page holds. nil discards.
	Warn func(string)
}

// Hospital is what the pages say about the hospital.
type Hospital struct {
	Name      string // "无锡市中医医院"
	Short     string // for the header, at most 8 characters; "" is Name
	Phone     string // 服务电话, required: pages give it when the system cannot help
	Address   string
	Emergency string // where the emergency department is: "急诊楼 1 楼，24 小时"
	Account   string // name of the Official Account; "" is Name
	Brand     string // "#0B6E69"; "" is ours. Too light a color is darkened
}

// Pages renders the pages of one hospital.
type Pages struct {
	hospital  Hospital
	links     Links
	now       func() time.Time
	warn      func(string)
	templates map[string]*template.Template // by View.file
	assets    assets
	gzips     sync.Pool // of *gzip.Writer
}

// New reads the templates and executes every one with fixtures. A wrong
// Config and a template that does not work are Invalid; Detail names the field
// or the file and line.
func New(c Config) (*Pages, error) {
	if err := c.Hospital.check(); err != nil {
		return nil, err
	}
	if c.Prefix != "" && (c.Prefix[0] != '/' || strings.HasSuffix(c.Prefix, "/")) {
		return nil, invalid("bad_prefix", `Prefix: want "" or "/name" without a slash at the end`, nil)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Warn == nil {
		c.Warn = func(string) {}
	}
	if c.Hospital.Short == "" {
		c.Hospital.Short = c.Hospital.Name
	}
	if c.Hospital.Account == "" {
		c.Hospital.Account = c.Hospital.Name
	}
	p := &Pages{hospital: c.Hospital, links: NewLinks(c.Prefix), now: c.Now, warn: c.Warn}
	files := layers{c.Overlay, embedded}
	colors, err := paletteOf(c.Hospital.Brand, c.Warn)
	if err != nil {
		return nil, err
	}
	if p.assets, err = readAssets(files, colors); err != nil {
		return nil, err
	}
	all := fixtures()
	if p.templates, err = p.parse(files, all); err != nil {
		return nil, err
	}
	return p, p.try(all)
}

func (h Hospital) check() error {
	switch {
	case h.Name == "":
		return invalid("no_name", "Hospital.Name: missing", nil)
	case h.Phone == "":
		return invalid("no_phone", "Hospital.Phone: missing; pages give it when the system cannot help", nil)
	case utf8.RuneCountInString(h.Short) > 8:
		return invalid("long_short", "Hospital.Short: more than 8 characters", nil)
	}
	return nil
}

func invalid(code, detail string, err error) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "page.New", Code: code, Detail: detail, Err: err}
}

// parse reads the layout and the shared parts once and each page on top.
func (p *Pages) parse(files fs.FS, fixtures []Fixture) (map[string]*template.Template, error) {
	base := template.New("layout.html").Option("missingkey=error").Funcs(p.words())
	for _, name := range []string{"layout.html", "parts.html"} {
		if err := parseInto(base, files, name); err != nil {
			return nil, err
		}
	}
	all := map[string]*template.Template{}
	for _, v := range fixtures {
		name := v.View.file()
		if all[name] != nil {
			continue
		}
		t, err := base.Clone()
		if err != nil {
			return nil, invalid("bad_template", name+".html: "+err.Error(), err)
		}
		if err := parseInto(t, files, name+".html"); err != nil {
			return nil, err
		}
		all[name] = t
	}
	return all, nil
}

func parseInto(t *template.Template, files fs.FS, name string) error {
	body, err := fs.ReadFile(files, "templates/"+name)
	if err != nil {
		return invalid("bad_template", "templates/"+name+": "+err.Error(), err)
	}
	if t.Name() != name {
		t = t.New(name)
	}
	if _, err := t.Parse(string(body)); err != nil {
		return invalid("bad_template", err.Error(), err)
	}
	return nil
}

// try executes every page with every fixture.
func (p *Pages) try(fixtures []Fixture) error {
	for _, f := range fixtures {
		for _, care := range []bool{false, true} {
			frame := f.Frame
			frame.Care = care
			if _, err := p.html(frame, f.View); err != nil {
				return invalid("bad_template", f.Name+": "+err.Error(), err)
			}
		}
	}
	return nil
}

// sheet is what a template sees as its dot.
type sheet struct {
	Hospital Hospital
	Frame    Frame
	V        View
	Page     string // View.file, for the tab that is lit and the scripts
	CSS, JS  string
	PayJS    string
}

func (p *Pages) html(f Frame, v View) ([]byte, error) {
	t := p.templates[v.file()]
	if t == nil {
		return nil, fmt.Errorf("no template for %s", reflect.TypeOf(v))
	}
	var b bytes.Buffer
	err := t.ExecuteTemplate(&b, "layout.html", sheet{
		Hospital: p.hospital, Frame: f, V: v, Page: v.file(),
		CSS:   p.links.Asset(p.assets.hashed["app.css"]),
		JS:    p.links.Asset(p.assets.hashed["app.js"]),
		PayJS: p.links.Asset(p.assets.hashed["pay.js"]),
	})
	return b.Bytes(), err
}

// Render writes the page of v with the status. The answer is private and
// never stored; it is compressed when r accepts that. A page that cannot be
// made is answered with the page of our own fault and 500.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, f Frame, v View) {
	body, err := p.html(f, v)
	if err != nil {
		p.warn("page " + v.file() + " could not be made")
		status = http.StatusInternalServerError
		if body, err = p.html(f, State{Kind: StateError}); err != nil {
			body = []byte("<!doctype html><html lang=zh-CN><title>页面暂时打不开</title><h1>页面暂时打不开</h1>")
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "private, no-store")
	h.Add("Vary", "Accept-Encoding")
	if !acceptsGzip(r) {
		w.WriteHeader(status)
		_, _ = w.Write(body) // the reader went away: nobody is left to tell
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	z, ok := p.gzips.Get().(*gzip.Writer)
	if !ok {
		z = gzip.NewWriter(nil)
	}
	z.Reset(w)
	_, _ = z.Write(body) // as above
	_ = z.Close()
	p.gzips.Put(z)
}

func acceptsGzip(r *http.Request) bool {
	for field := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, q, _ := strings.Cut(strings.ReplaceAll(field, " ", ""), ";")
		if coding == "gzip" {
			return strings.Trim(strings.TrimPrefix(q, "q="), "0.") != "" || !strings.HasPrefix(q, "q=0")
		}
	}
	return false
}

// Links makes the paths of these pages, for redirects and messages.
func (p *Pages) Links() Links { return p.links }
