package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed templates assets
var embedded embed.FS

// layers reads a file from the first layer that has it.
type layers []fs.FS

func (l layers) Open(name string) (fs.File, error) {
	for _, layer := range l {
		if layer == nil {
			continue
		}
		f, err := layer.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return f, err
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

type assets struct {
	hashed map[string]string // app.css → app.3f9c….css
	files  map[string]asset  // by hashed name
}

type asset struct {
	kind        string
	plain, gzip []byte
}

func readAssets(files fs.FS, c palette) (assets, error) {
	a := assets{hashed: map[string]string{}, files: map[string]asset{}}
	for name, kind := range map[string]string{
		"app.css": "text/css; charset=utf-8",
		"app.js":  "text/javascript; charset=utf-8",
		"pay.js":  "text/javascript; charset=utf-8",
	} {
		body, err := fs.ReadFile(files, "assets/"+name)
		if err != nil {
			return assets{}, invalid("bad_asset", "assets/"+name+": "+err.Error(), err)
		}
		if name == "app.css" {
			body = []byte(c.into(string(body)))
		}
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return assets{}, err
		}
		if _, err := z.Write(body); err != nil {
			return assets{}, err
		}
		if err := z.Close(); err != nil {
			return assets{}, err
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		a.hashed[name] = hashed
		a.files[hashed] = asset{kind: kind, plain: body, gzip: b.Bytes()}
	}
	return a, nil
}

// Assets serves the stylesheet and the scripts under their hashed names, to be
// kept for ever. Mount it at Links.Asset("{name}"); the last element of the
// path is the name.
func (p *Pages) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := p.assets.files[path.Base(r.URL.Path)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.kind)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Add("Vary", "Accept-Encoding")
		body := f.plain
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = f.gzip
		}
		_, _ = w.Write(body) // the reader went away: nobody is left to tell
	})
}
