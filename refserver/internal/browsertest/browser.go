// Package browsertest looks at pages in Chromium, as the acceptance of the
// patients' pages says: axe-core, the size of targets and text, overflow at
// 200 %, the weight of a first visit.
package browsertest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/wxhospital/hospital/internal/testneed"
)

// A first visit to a page: HTML, CSS and scripts as they travel, compressed.
// Source: the project's design, "What a request may cost".
const (
	MostBytes    = 12 << 10
	MostRequests = 4
)

// finding is what the browser found on one page.
type finding struct {
	Title    string
	Axe      []string // rule and selector
	Small    []string // targets below the size
	Overflow int      // pixels wider than the window at 200 %
	Wide     []string // what sticks out
	Text     float64  //nolint:forbidigo // smallest text, in pixels
	Bytes    int
	Requests int
}

// inspect runs after axe.min.js. least is the size of a target in px; links
// inside a sentence of an article are not targets, and the shapes of the
// figure have their labels.
const inspect = `(async least => {
  const out = {Title: document.title, Axe: [], Small: [], Overflow: 0, Wide: [], Text: 99, Bytes: 0, Requests: 0};
  for (const e of [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]) { out.Bytes += e.encodedBodySize; out.Requests++; }
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

// Mode is the type size that the server was asked for. Each is looked at light
// and dark, and in both widths.
type Mode struct {
	Name string
	Care bool // 长辈版
}

// Modes are both of them.
func Modes() []Mode { return []Mode{{"standard", false}, {"care", true}} }

// widths are those of the smallest phone and of a usual one, px; pictures show
// the last.
func widths() []int64 { return []int64{320, 375} }

const height = 740

// target is the least size of a tap target, px.
func (m Mode) target() float64 { //nolint:forbidigo // pixels, not money
	if m.Care {
		return 60
	}
	return 44
}

// text is the least size of a text, px.
func (m Mode) text() float64 { //nolint:forbidigo // pixels, not money
	if m.Care {
		return 18
	}
	return 13.9
}

// Browser is Chromium with axe-core.
type Browser struct {
	ctx   context.Context //nolint:containedctx // chromedp's handle of the browser
	axe   string
	shots string // folder for pictures, "" for none
}

// sample is of how many pages a short run looks at one: short runs are for the
// race detector, to which pages are nothing new.
const sample = 16

// Looks reports whether this run looks at the n-th page: all of them, or, when it
// is short, a sample.
func Looks(n int) bool { return !testing.Short() || n%sample == 0 }

// Open starts a browser that ends with the test. It wants chromium in PATH and
// axe-core in HOSPITAL_NODE_MODULES; HOSPITAL_PAGE_SHOTS is a folder for
// pictures.
func Open(tb testing.TB) *Browser {
	tb.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		testneed.Missing(tb, "chromium in PATH")
	}
	modules := os.Getenv("HOSPITAL_NODE_MODULES")
	axe, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js")) //nolint:gosec // whoever runs the tests names the folder
	if modules == "" || err != nil {
		testneed.Missing(tb, "axe-core in HOSPITAL_NODE_MODULES (npm install axe-core)")
	}
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(tb.Context()), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox)...)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	tb.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // the browser lives as long as this context
		tb.Fatal(err)
	}
	return &Browser{ctx, string(axe), os.Getenv("HOSPITAL_PAGE_SHOTS")}
}

// Tab is the window of the browser, in a mode.
type Tab struct {
	browser *Browser
	ctx     context.Context //nolint:containedctx // chromedp's handle of the tab
	mode    Mode
}

// Tab opens the window. Open a browser for each: windows in the background are
// throttled.
func (b *Browser) Tab(tb testing.TB, mode Mode) *Tab {
	tb.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	tb.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(widths()[0], height)); err != nil { // the window lives as long as this context
		tb.Fatal(err)
	}
	return &Tab{b, ctx, mode}
}

// long is how long one page may take on a busy machine.
const long = 30 * time.Second

// Cookies gives the window exactly these cookies for the site.
func (t *Tab) Cookies(tb testing.TB, site string, cookies []*http.Cookie) {
	tb.Helper()
	err := chromedp.Do(t.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
			return err
		}
		for _, c := range cookies {
			if _, err := cdp.Call(ctx, target, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: site, Path: "/"}); err != nil {
				return err
			}
		}
		return nil
	}))
	if err != nil {
		tb.Fatal(err)
	}
}

// Judge opens the address, does what else is asked for, and reports everything
// on the page that breaks a rule, under the page's name. It returns the title.
func (t *Tab) Judge(tb testing.TB, name, address string, then ...string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, long)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		tb.Errorf("%s: %v", name, err)
		return ""
	}
	for _, script := range then {
		if err := t.leave(ctx, script); err != nil {
			tb.Errorf("%s: %v", name, err)
			return ""
		}
	}
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](t.browser.axe+";true")); err != nil {
		tb.Errorf("%s: %v", name, err)
		return ""
	}
	title := ""
	for _, dark := range []bool{false, true} {
		for _, width := range widths() {
			got, err := t.look(ctx, dark, width)
			if err != nil {
				tb.Errorf("%s: %v", name, err)
				return ""
			}
			title = got.Title
			t.judge(tb, fmt.Sprintf("%s, %s, dark %t, %d px", name, t.mode.Name, dark, width), got)
		}
		if t.browser.shots != "" {
			t.shoot(ctx, tb, name, dark)
		}
	}
	return title
}

// leave runs a script that leaves the page, and waits for the next one.
func (t *Tab) leave(ctx context.Context, script string) error {
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("window.stays = true; "+script+"; true")); err != nil {
		return err
	}
	for ctx.Err() == nil {
		gone, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!window.stays && document.readyState === "complete"`))
		if err == nil && gone { // an error: it is between two pages
			return nil
		}
	}
	return ctx.Err()
}

func (t *Tab) shoot(ctx context.Context, tb testing.TB, name string, dark bool) {
	tb.Helper()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		theme := t.mode.Name
		if dark {
			theme += "-dark"
		}
		file := strings.NewReplacer("/", "-", " ", "-").Replace(name) + "." + theme + ".png"
		err = os.WriteFile(filepath.Join(t.browser.shots, file), png, 0o600)
	}
	if err != nil {
		tb.Errorf("%s: %v", name, err)
	}
}

func (t *Tab) look(ctx context.Context, onDark bool, width int64) (finding, error) {
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height), dark(onDark)); err != nil {
		return finding{}, err
	}
	return chromedp.Run(ctx, chromedp.Evaluate[finding](fmt.Sprintf("%s(%g)", inspect, t.mode.target()), chromedp.EvalAwaitPromise))
}

func (t *Tab) judge(tb testing.TB, name string, got finding) {
	tb.Helper()
	if len(got.Axe) > 0 {
		tb.Errorf("%s: axe:\n  %s", name, strings.Join(got.Axe, "\n  "))
	}
	if len(got.Small) > 0 {
		tb.Errorf("%s: small targets:\n  %s", name, strings.Join(got.Small, "\n  "))
	}
	if got.Overflow > 0 {
		tb.Errorf("%s: %d px wider than the window at 200 %%: %v", name, got.Overflow, got.Wide)
	}
	if got.Text < t.mode.text() {
		tb.Errorf("%s: text of %.1f px", name, got.Text)
	}
	if got.Bytes > MostBytes || got.Requests > MostRequests || got.Bytes == 0 {
		tb.Errorf("%s: %d bytes in %d requests, want at most %d in %d", name, got.Bytes, got.Requests, MostBytes, MostRequests)
	}
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
