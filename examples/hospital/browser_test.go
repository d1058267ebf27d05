package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/testneed"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// browser is a patient at the test bed, in real Chromium.
type browser struct {
	*testing.T

	ctx   context.Context //nolint:containedctx // chromedp's handle of the tab
	stop  func()          // ends the server
	data  string
	shots string
	n     int
}

// patience bounds every wait for the page.
const patience = 20 * time.Second

// openBrowser starts the server and opens the test bed.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		testneed.Missing(t, "chromium in PATH")
	}
	b := &browser{T: t, data: t.TempDir(), shots: os.Getenv("HOSPITAL_PAGE_SHOTS")}
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	out := terminal{on: "按 Ctrl-C 停下", act: func() { close(ready) }}
	go func() {
		ended <- run(ctx, []string{"-data", b.data, "-now", monday, "-addr", "127.0.0.1:0", "-staff-addr", "127.0.0.1:0"}, noEnv, &out)
	}()
	b.stop = sync.OnceFunc(func() {
		stop()
		require.NoError(t, <-ended)
	})
	t.Cleanup(b.stop)
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		require.FailNow(t, "the server ended", err)
	}
	found := regexp.MustCompile(`http://127\.0\.0\.1:\d+/sim`).FindString(out.String())
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.WindowSize(1280, 900))...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b.ctx = tab
	require.NoError(t, chromedp.Do(b.ctx, chromedp.Navigate(found)))
	return b
}

// js runs an expression in the test bed until it is true.
func (b *browser) until(what, expression string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	script := `new Promise((done) => { const look = () => { let ok = false; try { ok = !!(` + expression + `); } catch {} ok ? done(true) : setTimeout(look, 50); }; look(); })`
	_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
	for err != nil && ctx.Err() == nil { // the page went on to another while it was looked at
		_, err = chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
	}
	if err != nil {
		b.shot("failed")
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location + "\n" + document.body.innerText + "\n--- page\n" + `+frame+`.location + "\n" + `+frame+`.body.innerText`))
		require.FailNow(b, what, "%v\n%s", err, text)
	}
}

// frame is the document of the hospital's page on the phone.
const frame = `document.getElementById("web").contentDocument`

// button finds what carries the words in a document and can be pressed.
func button(document, words string) string {
	return fmt.Sprintf(`[...%s.querySelectorAll("a,button,summary,label")].find((e) => e.checkVisibility() && e.innerText.includes(%q))`, document, words)
}

// taps presses on the phone's own screen.
func (b *browser) taps(words string) {
	b.Helper()
	b.until("a button "+words, `(`+button("document", words)+`.click(), true)`)
}

// presses presses on the hospital's page, once its script runs.
func (b *browser) presses(words string) {
	b.Helper()
	b.until("a link or button "+words, frame+`.readyState === "complete" && (`+button(frame, words)+`.click(), true)`)
}

// reads waits until the hospital's page says the words.
func (b *browser) reads(words string) {
	b.Helper()
	b.until("the page says "+words, fmt.Sprintf(`%s.body.innerText.includes(%q)`, frame, words))
	b.shot(words)
}

// fills writes into a field of the hospital's page.
func (b *browser) fills(name, value string) {
	b.Helper()
	b.until("a field "+name, fmt.Sprintf(`(%s.querySelector("[name=%s]").value = %q, true)`, frame, name, value))
}

// hears waits for words in the chat of the phone, which it returns to.
func (b *browser) hears(words string) {
	b.Helper()
	b.until("the chat says "+words, fmt.Sprintf(`document.getElementById("chat").textContent.includes(%q)`, words))
}

func (b *browser) shot(name string) {
	b.Helper()
	if b.shots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	require.NoError(b, err)
	b.n++
	file := fmt.Sprintf("sim-%02d-%s.png", b.n, strings.NewReplacer("/", "-", " ", "-").Replace(name))
	require.NoError(b, os.WriteFile(filepath.Join(b.shots, file), png, 0o600))
}

// binds proves control of a patient's phone: name and number, then the code
// that the hospital texts.
func (b *browser) binds() {
	b.Helper()
	twin, err := histest.NewHospital(histest.Config{}) // the same people
	require.NoError(b, err)
	people := twin.People()
	person := people[slices.IndexFunc(people, func(p hospital.Patient) bool { return p.Payer == hospital.SelfPay && p.Guardian == nil })]
	b.reads("添加就诊人")
	b.fills("name", string(person.Name))
	b.fills("id_number", string(person.IDNumber))
	b.presses("我同意")
	b.presses("下一步")
	b.reads("验证码")
	b.until("a text message with a code", `/\d{6}/.test(document.getElementById("texts").textContent)`)
	b.until("the code is typed", `(`+frame+`.querySelector("[name=code]").value = document.getElementById("texts").lastElementChild.textContent.match(/(\d{6})/)[1], true)`)
	b.presses("完成")
}

func TestAPatientBooksPaysAndCancelsInTheBrowser(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	b.hears("预约挂号")
	b.taps("导诊挂号")
	b.taps("预约挂号")
	b.reads("针灸科")
	b.presses("针灸科")
	b.reads("选择日期")
	b.presses("明天")
	b.until("tomorrow is chosen", frame+`.body.innerText.includes("明天 11月24日")`)
	b.presses("石怀瑾")
	b.reads("08:00")
	b.presses("08:00")
	b.reads("请先添加就诊人")
	b.presses("添加就诊人")
	b.binds()
	b.reads("为谁挂号")
	b.presses("我已阅读并同意")
	b.presses("确认挂号")
	b.reads("挂号成功")
	b.presses("去支付")
	b.reads("稍后再付")
	b.presses("微信支付")
	b.until("the pay sheet is open", `document.getElementById("sheet").open`)
	b.shot("pay sheet")
	b.taps("支付")
	b.reads("支付成功")
	b.presses("查看")
	b.reads("就诊凭证")
	b.presses("取消挂号")
	b.reads("确定取消吗")
	b.presses("确定取消")
	b.reads("已取消")
	b.until("the refund crossed the wire", `document.getElementById("wire").textContent.includes("REFUND.SUCCESS")`)
	for _, step := range []string{"page", "booked", "paid", "cancelled"} {
		b.until("the tour ticks off "+step, fmt.Sprintf(`document.querySelector("#tour [data-step=%s]").classList.contains("done")`, step))
	}
	b.stop()

	pay, err := wechatpaytest.New(wechatpaytest.Config{Dir: b.data, Mode: wechatpaytest.MixedMode})
	require.NoError(t, err)
	defer func() { require.NoError(t, pay.Close()) }()
	theirs, err := pay.Ledger()
	require.NoError(t, err)
	require.Positive(t, theirs.Paid)
	require.Equal(t, theirs.Paid, theirs.Refunded, "what was paid went back, to the fen")
	far, err := histest.NewHospital(histest.Config{Dir: b.data})
	require.NoError(t, err)
	defer func() { require.NoError(t, far.Close()) }()
	require.Zero(t, far.Total(), "and the HIS has booked both")
	require.Len(t, far.Ledger(), 2)
}
