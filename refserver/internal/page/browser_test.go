package page_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/testneed"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

// audit is what the browser found on one page.
type audit struct {
	Axe      []string // rule and selector
	Small    []string // targets below the size
	Overflow int      // pixels wider than the window at 200 %
	Wide     []string // what sticks out
	Text     float64  //nolint:forbidigo // smallest text, in pixels
}

// inspect runs after axe.min.js. least is the size of a target in px; links
// inside a sentence of an article are not targets, and the shapes of the
// figure have their labels.
const inspect = `(async least => {
  const out = {Axe: [], Small: [], Overflow: 0, Wide: [], Text: 99};
  const r = await axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']});
  for (const v of r.violations) for (const n of v.nodes) out.Axe.push(v.id + ' ' + n.target.join(' ') + ' ' + (n.any[0] ? n.any[0].message : ''));
  for (const e of document.querySelectorAll('a,button,select,summary,input:not([type=hidden])')) {
    if (e.closest('svg') || e.closest('.skip') || !e.checkVisibility()) continue;
    const b = (e.closest('label') || e).getBoundingClientRect();
    if (b.width < least - .5 || b.height < least - .5) out.Small.push(e.outerHTML.slice(0, 80) + ' ' + b.width.toFixed(0) + 'x' + b.height.toFixed(0));
  }
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (walk.currentNode.textContent.trim() && walk.currentNode.parentElement.checkVisibility())
    out.Text = Math.min(out.Text, parseFloat(getComputedStyle(walk.currentNode.parentElement).fontSize));
  document.documentElement.style.fontSize = '34px';
  out.Overflow = document.documentElement.scrollWidth - innerWidth;
  if (out.Overflow > 0) for (const e of document.querySelectorAll('main *, .top *, .tabs *'))
    if (e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.days') && !e.closest('.hide')) out.Wide.push(e.tagName + '.' + e.className);
  document.documentElement.style.fontSize = '';
  return out;
})`

type theme struct {
	name       string
	care, dark bool
}

func themes() []theme {
	return []theme{{"light", false, false}, {"dark", false, true}, {"care", true, false}, {"care-dark", true, true}}
}

// TestEveryPageInABrowser wants Chromium and axe-core. HOSPITAL_PAGE_SHOTS is
// a folder for pictures of every page in four themes; with it every page is
// looked at in all of them.
func TestEveryPageInABrowser(t *testing.T) {
	t.Parallel()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		testneed.Missing(t, "chromium in PATH")
	}
	modules := os.Getenv("HOSPITAL_NODE_MODULES")
	axe, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	if modules == "" || err != nil {
		testneed.Missing(t, "axe-core in HOSPITAL_NODE_MODULES (npm install axe-core)")
	}
	shots := os.Getenv("HOSPITAL_PAGE_SHOTS")
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
	defer server.Close()

	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox)...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(server.URL))) // the browser lives as long as this context
	turn := 0
	for _, th := range themes() { //nolint:paralleltest // one browser: tabs in the background are throttled
		for _, width := range []int64{320, 375} {
			t.Run(fmt.Sprintf("%s %d", th.name, width), func(t *testing.T) {
				tab, cancel := chromedp.NewContext(ctx)
				defer cancel()
				require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(width, 740), dark(th.dark)))
				turn++
				for i, f := range fixtures {
					if shots == "" && i%looks != turn%looks {
						continue
					}
					require.NoError(t, chromedp.Do(tab, chromedp.Navigate(fmt.Sprintf("%s/%s/%t", server.URL, f.Name, th.care))))
					if shots != "" && width == 375 {
						png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
						require.NoError(t, err)
						require.NoError(t, os.WriteFile(filepath.Join(shots, f.Name+"."+th.name+".png"), png, 0o600))
					}
					th.judge(t, f.Name, look(tab, t, string(axe), th.least()))
				}
			})
		}
	}
}

// looks is in how many themes and widths there is to look. Without a folder for
// pictures each page is looked at in one of them, another one than its
// neighbor: all of them take six minutes.
const looks = 8

// least is the size of a tap target, px.
func (th theme) least() float64 { //nolint:forbidigo // pixels, not money
	if th.care {
		return 60
	}
	return 44
}

func (th theme) judge(t *testing.T, name string, got audit) {
	t.Helper()
	smallest := 13.9
	if th.care {
		smallest = 18
	}
	if len(got.Axe) > 0 {
		t.Errorf("%s: axe:\n  %s", name, strings.Join(got.Axe, "\n  "))
	}
	if len(got.Small) > 0 {
		t.Errorf("%s: small targets:\n  %s", name, strings.Join(got.Small, "\n  "))
	}
	if got.Overflow > 0 {
		t.Errorf("%s: %d px wider than the window at 200 %%: %v", name, got.Overflow, got.Wide)
	}
	if got.Text < smallest {
		t.Errorf("%s: text of %.1f px", name, got.Text)
	}
}

func look(ctx context.Context, t *testing.T, axe string, least float64) audit { //nolint:forbidigo // pixels, not money
	t.Helper()
	const long = 30 * time.Second // one page on a busy machine
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](axe+";true"))
	require.NoError(t, err)
	got, err := chromedp.Run(ctx, chromedp.Evaluate[audit](fmt.Sprintf("%s(%g)", inspect, least), chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	return got
}

func dark(on bool) chromedp.Action[chromedp.Void] {
	scheme := "light"
	if on {
		scheme = "dark"
	}
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}
