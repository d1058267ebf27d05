package page_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wxhospital/hospital/refserver/internal/browsertest"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

// looks is in how many themes and widths there is to look. Without a folder for
// pictures each page is looked at in one of them, another one than its
// neighbor: all of them take six minutes.
const looks = 8

// TestEveryPageInABrowser looks at every fixture in Chromium.
func TestEveryPageInABrowser(t *testing.T) {
	t.Parallel()
	browser := browsertest.Open(t)
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
	turn := 0
	for _, theme := range browsertest.Themes() { //nolint:paralleltest // one browser: tabs in the background are throttled
		for _, width := range browsertest.Widths() {
			t.Run(fmt.Sprintf("%s %d", theme.Name, width), func(t *testing.T) {
				tab := browser.Tab(t, theme, width)
				turn++
				for i, f := range fixtures {
					if browser.Shoots() || i%looks == turn%looks {
						tab.Judge(t, f.Name, fmt.Sprintf("%s/%s/%t", server.URL, f.Name, theme.Care))
					}
				}
			})
		}
	}
}
