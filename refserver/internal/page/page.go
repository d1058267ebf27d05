// Package page is everything a patient sees: the models of the pages, their
// templates, one stylesheet, the few scripts. It does no I/O beyond reading
// its own files at the start; handlers fill a [View] and call [Pages.Render].
//
// Every template is executed with fixtures in [New], so a hospital's own
// template that does not work stops the start and names its file and line.
package page

import (
	"io/fs"
	"net/http"
	"time"
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
	// Warn is told what was mended silently, such as a brand colour that was
	// too light to read; nil discards.
	Warn func(string)
}

// Hospital is what the pages say about the hospital.
type Hospital struct {
	Name      string // "无锡市中医医院"
	Short     string // for the header, at most 8 characters; "" is Name
	Phone     string // 服务电话, required: pages give it when the system cannot help
	Address   string
	Emergency string // where the emergency department is: "急诊楼 1 楼,24 小时"
	Account   string // name of the Official Account
	Brand     string // "#0B6E69"; "" is ours. Too light a colour is darkened
}

// Pages renders the pages of one hospital.
type Pages struct {
	links Links
}

// New reads the templates and executes every one with fixtures.
func New(c Config) (*Pages, error) { return &Pages{links: NewLinks(c.Prefix)}, nil }

// Links makes the paths of these pages, for redirects and messages.
func (p *Pages) Links() Links { return p.links }

// Render writes the page of v with the status. The answer is private and
// never stored; it is compressed when r accepts that.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, f Frame, v View) {
	w.WriteHeader(status)
}

// Assets serves the stylesheet and the scripts under their hashed names, to be
// kept for ever. Mount it at Links.Asset.
func (p *Pages) Assets() http.Handler { return http.NotFoundHandler() }
