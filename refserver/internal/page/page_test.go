package page_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/refserver/internal/page"
	"github.com/wxhospital/hospital/triage"
)

func config() page.Config {
	return page.Config{
		Hospital: page.Hospital{
			Name: "示例市中医医院", Short: "示例中医院", Phone: "0510-12345678",
			Address: "示例路 1 号", Emergency: "急诊楼 1 楼,24 小时",
		},
		Now: func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, hospital.CST) },
	}
}

func newPages(t *testing.T, c page.Config) *page.Pages {
	t.Helper()
	p, err := page.New(c)
	require.NoError(t, err)
	return p
}

func get(h http.Handler, path string, compressed bool) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if compressed {
		r.Header.Set("Accept-Encoding", "br, gzip")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// show renders one page, care or not.
func show(p *page.Pages, f page.Fixture, care, compressed bool) *httptest.ResponseRecorder {
	f.Frame.Care = care
	return get(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.Render(w, r, http.StatusOK, f.Frame, f.View)
	}), "/", compressed)
}

var asset = regexp.MustCompile(`(?:href|src)="(/hospital/assets/[^"]+)"`)

func TestEveryPageIsLightOnItsFirstVisit(t *testing.T) {
	t.Parallel()
	c := config()
	c.Prefix = "/hospital"
	p := newPages(t, c)
	const most, requests = 12 << 10, 4
	for _, f := range page.Fixtures() {
		w := show(p, f, false, true)
		require.Equal(t, http.StatusOK, w.Code, f.Name)
		require.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
		require.Equal(t, "private, no-store", w.Header().Get("Cache-Control"))
		total, count := w.Body.Len(), 1
		html := w.Body.Len()
		for _, m := range asset.FindAllStringSubmatch(plain(t, w), -1) {
			a := get(p.Assets(), m[1], true)
			require.Equal(t, http.StatusOK, a.Code, m[1])
			require.Contains(t, a.Header().Get("Cache-Control"), "immutable")
			total += a.Body.Len()
			count++
		}
		t.Logf("%-28s html %5d  first visit %5d bytes in %d requests", f.Name, html, total, count)
		require.LessOrEqual(t, total, most, f.Name)
		require.LessOrEqual(t, count, requests, f.Name)
		require.GreaterOrEqual(t, count, 3, f.Name)
	}
}

func plain(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(w.Body.Bytes()))
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(z)
	require.NoError(t, err)
	return b.String()
}

func TestEveryPageIsWellMade(t *testing.T) {
	t.Parallel()
	p := newPages(t, config())
	for _, f := range page.Fixtures() {
		for _, care := range []bool{false, true} {
			t.Run(f.Name, func(t *testing.T) {
				t.Parallel()
				body := show(p, f, care, false).Body
				doc, err := goquery.NewDocumentFromReader(body)
				require.NoError(t, err)
				for q, n := range map[string]int{
					"h1": 1, "main": 1, "header": 1, "title": 1, `html[lang="zh-CN"]`: 1, `a.skip[href="#main"]`: 1,
					"[style], style": 0, "script:not([src])": 0, "[onclick], [onload], [onsubmit]": 0,
				} {
					require.Equal(t, n, doc.Find(q).Length(), q)
				}
				require.Equal(t, care, doc.Find("body").HasClass("care"))
				require.NotContains(t, doc.Text(), "<no value>")
				require.NotEmpty(t, strings.TrimSpace(doc.Find("h1").Text()))
				doc.Find("input:not([type=hidden]), select").Each(func(_ int, in *goquery.Selection) {
					id, _ := in.Attr("id")
					named := in.Closest("label").Length() + doc.Find(`label[for="`+id+`"]`).Length()
					if _, ok := in.Attr("aria-label"); ok {
						named++
					}
					require.Positive(t, named, "a field without a label")
					if by, ok := in.Attr("aria-describedby"); ok {
						require.Equal(t, 1, doc.Find("#"+by).Length(), by)
					}
				})
				doc.Find("form[method=post]").Each(func(_ int, form *goquery.Selection) {
					require.Equal(t, "fixture", form.Find("input[name=token]").AttrOr("value", ""))
				})
				doc.Find("svg a").Each(func(_ int, a *goquery.Selection) {
					require.Equal(t, "-1", a.AttrOr("tabindex", ""))
					require.Equal(t, 1, doc.Find(`nav.body li a[data-part="`+a.AttrOr("data-part", "")+`"]`).Length())
				})
				doc.Find("a").Each(func(_ int, a *goquery.Selection) {
					require.NotEqual(t, "#ZgotmplZ", a.AttrOr("href", ""))
					require.NotEmpty(t, a.AttrOr("href", ""))
				})
			})
		}
	}
}

func TestANameIsNeverMarkup(t *testing.T) {
	t.Parallel()
	p := newPages(t, config())
	evil := `<script>alert(1)</script>`
	f := page.Fixture{
		Frame: page.Frame{Patient: evil, Token: evil, Flash: page.Flash{Tone: page.ToneOK, Text: evil}},
		View: page.Appointment{
			ID: `"><b>`, Patient: evil, Department: evil, Doctor: evil, Status: page.StatusBooked, Reason: evil, CanCancel: true,
		},
	}
	w := show(p, f, false, false)
	require.NotContains(t, w.Body.String(), "<script>alert")
	require.NotContains(t, w.Body.String(), `"><b>`)
	require.Contains(t, w.Body.String(), "&lt;script&gt;")
}

func TestABrokenTemplateOfTheHospitalStopsTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"a syntax error": {"{{define \"title\"}}a{{end}}\n{{define \"main\"}}{{if}}{{end}}", "home.html:2"},
		"a wrong field":  {"{{define \"title\"}}a{{end}}\n{{define \"main\"}}\n{{.V.Nonsense}}{{end}}", "home.html:3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf := config()
			conf.Overlay = fstest.MapFS{"templates/home.html": {Data: []byte(c.body)}}
			_, err := page.New(conf)
			require.Error(t, err)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
			var e *hospital.Error
			require.ErrorAs(t, err, &e)
			require.Contains(t, e.Detail, c.want)
		})
	}
}

func TestTheHospitalsOwnTemplateComesFirst(t *testing.T) {
	t.Parallel()
	c := config()
	c.Overlay = fstest.MapFS{"templates/home.html": {Data: []byte(`{{define "title"}}家{{end}}{{define "main"}}<h1>自己的首页</h1>{{end}}`)}}
	p := newPages(t, c)
	require.Contains(t, show(p, page.Fixture{View: page.Home{}}, false, false).Body.String(), "自己的首页")
}

func TestALightBrandColourIsDarkened(t *testing.T) {
	t.Parallel()
	c := config()
	c.Hospital.Brand = "#07C160"
	var warned []string
	c.Warn = func(s string) { warned = append(warned, s) }
	p := newPages(t, c)
	require.Len(t, warned, 1)
	html := show(p, page.Fixture{View: page.Home{}}, false, false).Body.String()
	css := get(p.Assets(), regexp.MustCompile(`/assets/app\.[0-9a-f]+\.css`).FindString(html), false).Body.String()
	require.NotContains(t, css, "#0B6E69")
	require.Contains(t, css, ":root{--brand:#058040")
	c.Hospital.Brand = "green"
	_, err := page.New(c)
	require.ErrorContains(t, err, "Brand")
}

func TestLinksKeepThePrefixAndEscapeIDs(t *testing.T) {
	t.Parallel()
	l := page.NewLinks("/hospital")
	require.Equal(t, "/hospital/", l.Home())
	require.Equal(t, "/hospital/appointments/a%2Fb/cancel", l.Cancel("a/b"))
	require.Equal(t, "/hospital/triage/head?age=adult&sex=m&view=front", l.TriagePart("head", page.Figure{}))
}

// TestTheFigureAndTheKnowledgeAreOneMap: each shape is a region of the
// knowledge, each region has a shape, and every part of the body is reached by
// one of them or by a chip.
func TestTheFigureAndTheKnowledgeAreOneMap(t *testing.T) {
	t.Parallel()
	set, err := triage.Load(nil)
	require.NoError(t, err)
	reached, regions := map[string]bool{}, map[string]bool{}
	for _, sex := range []page.Sex{page.Male, page.Female} {
		for _, age := range []page.Age{page.Adult, page.Child} {
			for _, side := range []page.Side{page.Front, page.Back} {
				f := page.Figure{Sex: sex, Age: age, Side: side}
				entry := page.EntryOf(set, f)
				var keys []string
				for _, r := range entry.Regions {
					keys = append(keys, r.Key)
					regions[string(side)+"/"+r.Key] = true
					found, ok := set.Region(f.View(), r.Key)
					require.True(t, ok)
					for _, id := range found.Parts {
						reached[id] = true
					}
				}
				require.ElementsMatch(t, keys, page.Shapes(f), "%v", f)
				who, child := f.Person()
				for _, c := range set.Chips(who, child) {
					for _, id := range c.Parts {
						reached[id] = true
					}
				}
			}
		}
	}
	require.Len(t, regions, 25)
	for _, part := range []string{"URIN", "PREG", "WHOLE", "MIND", "CHILD"} {
		p, ok := set.Part(part)
		require.True(t, ok)
		require.Equal(t, triage.NoSide, p.Side)
	}
	require.Len(t, reached, 33)
}
