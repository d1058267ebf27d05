package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/testneed"
)

// shotVariable names the file that the picture of the readmes goes to; see the
// Makefile.
const shotVariable = "HOSPITAL_README_SHOT"

// maxShot is how large the picture may be, in bytes: whoever opens the readme
// waits for it.
const maxShot = 250 << 10

// picture is the test bed as the window shows it, in WebP.
func (b *browser) picture() []byte {
	b.Helper()
	var picture []byte
	quality := int64(82)
	require.NoError(b, chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		shot, err := cdp.Call(ctx, target, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
		picture = shot.Data
		return err
	})))
	return picture
}

// TestTheTestBedFitsEveryWindowAndReader looks at the page on a desk and on a
// phone, with axe; it wants Chromium and axe-core.
func TestTheTestBedFitsEveryWindowAndReader(t *testing.T) {
	t.Parallel()
	modules := os.Getenv("HOSPITAL_NODE_MODULES")
	axe, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	if modules == "" || err != nil {
		testneed.Missing(t, "axe-core in HOSPITAL_NODE_MODULES (npm install axe-core)")
	}
	b := openBrowser(t, told{name: "bed"})
	b.until("a clinic is chosen", `document.getElementById("clinic").value !== ""`)
	b.until("a link in the chat is a link", `[...document.querySelectorAll("#chat a")].some((a) => a.innerText === "智能导诊") && !document.getElementById("chat").innerText.includes("<a")`)
	b.taps("窗口卖出一个号")
	b.until("it says what happened", `document.getElementById("said").textContent.includes("窗口把")`)
	b.until("the registration is listed", `document.querySelectorAll("#visits button").length === 3`)
	_, err = chromedp.Run(b.ctx, chromedp.Evaluate[bool](string(axe)+";true"))
	require.NoError(t, err)
	for _, width := range []int64{1280, 768, 375} {
		require.NoError(t, chromedp.Do(b.ctx, chromedp.EmulateViewport(width, 900)))
		wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`))
		require.NoError(t, err)
		require.LessOrEqual(t, wide, 0, "nothing is wider than a window of %d px", width)
		const look = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
			.then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + " " + n.target.join(" "))).join("\n"))`
		found, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](look, chromedp.EvalAwaitPromise))
		require.NoError(t, err)
		require.Empty(t, found, "at %d px", width)
		b.shot("bed " + strings.Repeat("x", int(width/375)))
	}
}

// TestTheTestBedLooksAsInTheReadme takes the picture of the readmes, half way
// through the tour. It is written only when it is asked for.
func TestTheTestBedLooksAsInTheReadme(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, told{name: "readme"})
	b.chooses("导诊挂号", "预约挂号", "选择科室")
	b.opens("针灸科", "选择日期")
	b.opens("明天", "明天 11月24日")
	b.opens("石怀瑾", "选择时段")
	b.opens("08:00", "请先添加就诊人")
	b.opens("添加就诊人", "第 1 步")
	b.binds("为谁挂号")
	b.presses("我已阅读并同意")
	b.opens("确认挂号", "挂号成功")
	b.opens("去支付", "稍后再付")
	b.pays("30.00")
	b.opens("查看", "就诊凭证")
	b.until("the phone got its notice", `document.querySelector("#tour [data-step=told]").classList.contains("done")`)
	b.until("the HIS has booked the fee", `document.getElementById("wire").textContent.includes("Paid=30.00")`)
	picture := b.picture()
	require.Less(t, len(picture), maxShot)
	if file := os.Getenv(shotVariable); file != "" {
		require.NoError(t, os.WriteFile(file, picture, 0o644))
	}
}
