package page_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wxhospital/hospital/refserver/internal/browsertest"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

// TestEveryPageInABrowser looks at every fixture in Chromium, in every theme and
// width.
func TestEveryPageInABrowser(t *testing.T) {
	t.Parallel()
	fixtures := page.Fixtures()
	p := newPages(t, config())
	mux := http.NewServeMux()
	mux.Handle("/assets/", p.Assets())
	for _, f := range fixtures {
		for _, care := range []bool{false, true} {
			frame := f.Frame
			frame.Care = care
			mux.HandleFunc(fmt.Sprintf("/%s/%t", f.Name, care), func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:")
				p.Render(w, r, http.StatusOK, frame, f.View)
			})
		}
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for _, mode := range browsertest.Modes() {
		t.Run(mode.Name, func(t *testing.T) {
			t.Parallel()
			tab := browsertest.Open(t).Tab(t, mode)
			for i, f := range fixtures {
				if browsertest.Looks(i) {
					tab.Judge(t, f.Name, fmt.Sprintf("%s/%s/%t", server.URL, f.Name, mode.Care))
				}
			}
		})
	}
}
