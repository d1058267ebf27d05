package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/triage"
)

// complaints are what hurts at each region of the figure.
func complaints() map[string]string {
	return map[string]string{
		"front/head": "头晕", "front/neck": "咳嗽", "front/shoulder": "肩痛", "front/chest": "心悸", "front/upper-abdomen": "反酸",
		"front/lower-abdomen": "腹泻", "front/pelvis": "泡沫尿", "front/arm": "肘部疼痛", "front/hand": "腱鞘炎", "front/thigh": "下肢疼痛",
		"front/knee": "膝痛", "front/shank": "抽筋", "front/foot": "足跟痛",
		"back/head-back": "头皮屑", "back/nape": "落枕", "back/shoulder-back": "肩痛", "back/upper-back": "背痛", "back/lower-back": "腰痛",
		"back/buttock": "肛门瘙痒", "back/thigh-back": "坐骨神经痛", "back/arm": "肘部疼痛", "back/hand": "腱鞘炎", "back/knee": "膝痛",
		"back/calf": "下肢疼痛", "back/foot": "足跟痛",
	}
}

// goes opens a page of the patients' side in the tab, without the phone.
func (b *browser) goes(path string) {
	b.Helper()
	origin, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("location.origin"))
	require.NoError(b, err)
	require.NoError(b, chromedp.Do(b.ctx, chromedp.Navigate(origin+patientPath+path)))
}

// clicks waits for what the selector finds, and clicks it.
func (b *browser) clicks(selector string) {
	b.Helper()
	b.until(selector, fmt.Sprintf(`(document.querySelector(%q).click(), true)`, selector))
}

// ticks opens what is folded and ticks the symptom.
func (b *browser) ticks(symptom string) {
	b.Helper()
	b.until("a box "+symptom, fmt.Sprintf(
		`[...document.querySelectorAll("details")].every((d) => d.open = true) && [...document.querySelectorAll("label.pick")].find((l) => l.innerText.trim() === %q).querySelector("input").checked ||
		[...document.querySelectorAll("label.pick")].find((l) => l.innerText.trim() === %q).click()`, symptom, symptom))
}

// TestEachRegionLeadsToANumber: from every shape of the figure a patient comes
// to a department of this hospital and on to a segment that can be booked. Then
// one goes from the body to a segment without a mouse.
func TestEachRegionLeadsToANumber(t *testing.T) { //nolint:paralleltest // a hundred pages: they would slow the other browsers down
	b := openBrowser(t, told{name: "body"})
	set, err := triage.Load(nil)
	require.NoError(t, err)
	regions := append(set.Regions(triage.FrontView), set.Regions(triage.BackView)...)
	require.Len(t, regions, 25)
	for _, region := range regions {
		name := string(region.View) + "/" + region.Key
		symptom := complaints()[name]
		require.NotEmpty(t, symptom, name)
		b.goes("/triage?sex=m&age=adult&view=" + string(region.View))
		b.clicks(fmt.Sprintf(`nav.body li a[data-part=%q]`, region.Key))
		b.ticks(symptom)
		b.clicks("form button.main")
		b.until(name+" leads to a department", `/挂|科/.test(document.querySelector("section.card h2").innerText)`)
		b.shot(strings.ReplaceAll(name, "/", "-"))
		b.clicks("section.card ul.cells a")
		b.until(name+" leads to a segment", `document.querySelector("ul.slots a").getAttribute("href").includes("/schedules/")`)
	}
	b.typesOnly()
}

// keys presses Tab until what is focused satisfies the expression on e, and then
// the key.
func (b *browser) keys(what, expression, key string) {
	b.Helper()
	const longest = 120 // steps round a page
	for range longest {
		require.NoError(b, chromedp.Do(b.ctx, chromedp.KeyEvent(kb.Tab)))
		there, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`((e) => !!(`+expression+`))(document.activeElement)`))
		require.NoError(b, err)
		if !there {
			continue
		}
		seen, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`getComputedStyle(document.activeElement).outlineWidth`))
		require.NoError(b, err)
		require.Equal(b, "3px", seen, "the focus on %s can be seen", what)
		require.NoError(b, chromedp.Do(b.ctx, chromedp.KeyEvent(key)))
		return
	}
	b.shot("no focus")
	require.Fail(b, "the keyboard never comes to", what)
}

// typesOnly goes from the body to a segment by keyboard.
func (b *browser) typesOnly() {
	b.Helper()
	b.goes("/triage")
	b.keys("the knee", `e.dataset.part === "knee" && !e.closest("svg")`, kb.Enter)
	b.until("the knee's page", `document.querySelector("h1").innerText.includes("膝部")`)
	b.keys("a symptom", `e.type === "checkbox" && e.closest("label").innerText.includes("膝痛")`, " ")
	b.until("it is ticked", `document.querySelector("input[name=s]:checked")`)
	b.keys("the button", `e.matches("button.main")`, kb.Enter)
	b.until("a department", `document.querySelector("section.card h2").innerText.includes("骨伤科")`)
	b.keys("a clinic", `e.matches("ul.cells a")`, kb.Enter)
	b.until("the segments", `document.querySelector("ul.slots a")`)
	b.keys("a segment", `e.matches("ul.slots a")`, kb.Enter)
	b.until("the log-in", `!location.pathname.includes("/schedules/") || document.body.innerText.includes("确认挂号") || document.body.innerText.includes("就诊人")`)
}
