package main

import (
	"context"
	"encoding/json"
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

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/testneed"
)

// browser is a person at the test bed, in real Chromium: the patient with the
// phone on the left, and whoever presses the hospital's buttons on the right.
type browser struct {
	*testing.T

	told
	ctx   context.Context //nolint:containedctx // chromedp's handle of the tab
	stop  func()          // ends the server
	out   *terminal       // what the program said
	bed   string          // the address of the test bed
	data  string
	page  string // the document that the person reads: the phone's, or the staff's desk
	shots string // folder for pictures, "" for none
	n     int
}

// told is how a story is told.
type told struct {
	name   string // of its pictures
	dark   bool
	typing bool // by keyboard only
}

// patience bounds every wait for the page, on a machine that has other work.
const patience = 45 * time.Second

// openBrowser starts the program and opens the test bed.
func openBrowser(t *testing.T, how told) *browser {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		testneed.Missing(t, "chromium in PATH")
	}
	b := &browser{T: t, told: how, data: t.TempDir(), page: phonePage, shots: os.Getenv("HOSPITAL_PAGE_SHOTS")}
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	b.out = &terminal{on: "按 Ctrl-C 停下", act: func() { close(ready) }}
	go func() {
		ended <- run(ctx, []string{"-data", b.data, "-now", monday, "-addr", "127.0.0.1:0", "-staff-addr", "127.0.0.1:0"}, noEnv, b.out)
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
	b.bed = b.address("/sim")
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.WindowSize(1280, 900))...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b.ctx = tab
	require.NoError(t, chromedp.Do(b.ctx, chromedp.EmulateViewport(1280, 900), dark(how.dark), chromedp.Navigate(b.bed)))
	b.until("the menu is there", `document.querySelector("#menu [aria-expanded]")`)
	return b
}

func dark(on bool) chromedp.Action[chromedp.Void] {
	scheme := map[bool]string{false: "light", true: "dark"}[on]
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// address finds a place that the program named, by how its path begins.
func (b *browser) address(path string) string {
	b.Helper()
	found := regexp.MustCompile(`http://127\.0\.0\.1:\d+` + path + `[0-9A-Za-z_/-]*`).FindString(b.out.String())
	require.NotEmpty(b, found, path)
	return found
}

// The documents that a person reads.
const (
	phonePage = `document.getElementById("web")?.contentDocument` // the hospital's page on the phone
	wholePage = `document`
)

// reading is what the scripts have in common. A document that was left is
// marked, so that nobody waits for words that it said before.
const reading = `
const find = (doc, words) => {
  const all = [...doc.querySelectorAll("a,button,summary,label")].filter((e) => e.checkVisibility() && !e.disabled && e.innerText?.includes(words));
  return all.find((e) => e.innerText.trim() === words) || all[0];
};
const here = (doc) => doc.readyState === "complete" && !doc.left;
const says = (doc, words) => here(doc) && doc.body.innerText.includes(words);
const titles = () => [...document.querySelectorAll("#chat h3")].map((e) => e.textContent);
const card = (title) => [...document.querySelectorAll("#chat .bubble")].filter((e) => e.querySelector("h3")?.textContent === title).pop().querySelector("a");
const field = (doc, name) => here(doc) && doc.querySelector("[name=" + name + "]:not([type=hidden])");
const control = (e) => e.control || e;
const focused = () => { let e = document.activeElement; while (e && e.tagName === "IFRAME") e = e.contentDocument.activeElement; return e; };
`

// script is an expression as Chromium runs it.
func (b *browser) script(expression string) string {
	return `(() => {` + reading + ` const page = ` + b.page + `; return ` + expression + `; })()`
}

// glance is how long one question to the page may wait for its answer.
const glance = "400"

// until asks the page until the expression is true.
func (b *browser) until(what, expression string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	asks := `new Promise((done) => { const end = Date.now() + ` + glance + `, look = () => {
		let ok = false;
		try { ok = !!` + b.script(expression) + `; } catch {}
		if (ok || Date.now() > end) done(ok); else setTimeout(look, 25);
	}; look(); })`
	for ctx.Err() == nil {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](asks, chromedp.EvalAwaitPromise))
		if err == nil && ok { // an error: it is between two pages
			return
		}
	}
	b.shot("failed")
	const seen = `location + "\n" + document.querySelector("#said, main").innerText + "\n" + [...document.querySelectorAll("#chat h3")].map((e) => e.textContent).join("、")`
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](seen))
	phone, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`((page) => page.location + "\n" + page.body.innerText)(`+phonePage+`)`))
	require.FailNow(b, what, "%s\n--- the phone's page\n%s", text, phone)
}

// reads waits until the page says the words.
func (b *browser) reads(words string) {
	b.Helper()
	b.until("the page says "+words, fmt.Sprintf(`says(page, %q)`, words))
	b.shot(words)
}

// opens presses what carries the words and waits for the next page, which says
// something else.
func (b *browser) opens(words, next string) {
	b.Helper()
	b.press("a link or button "+words, fmt.Sprintf(`here(page) && find(page, %q)`, words), true)
	b.reads(next)
}

// presses presses what carries the words and stays on the page.
func (b *browser) presses(words string) {
	b.Helper()
	b.press("a button "+words, fmt.Sprintf(`here(page) && find(page, %q)`, words), false)
}

// fills writes into a field.
func (b *browser) fills(name, value string) {
	b.Helper()
	target := fmt.Sprintf(`field(page, %q)`, name)
	if !b.typing {
		b.until("a field "+name, fmt.Sprintf(`(%s.value = %q, true)`, target, value))
		return
	}
	b.tabs("a field "+name, target)
	require.NoError(b, chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, input.InsertText, input.InsertTextParams{Text: value}) // as an input method does
		return err
	})))
}

// taps presses on the phone around the page, or on the hospital's side.
func (b *browser) taps(words string) {
	b.Helper()
	b.press("a button "+words, fmt.Sprintf(`find(document, %q)`, words), false)
}

// chooses opens a page from the account's menu.
func (b *browser) chooses(menu, entry, says string) {
	b.Helper()
	b.taps(menu)
	b.taps(entry)
	b.reads(says)
}

// returns goes back to the chat.
func (b *browser) returns() {
	b.Helper()
	b.taps("返回")
	b.until("the chat is there", `!document.getElementById("chat").hidden`)
}

// follows opens the page that the last card of a title leads to.
func (b *browser) follows(title, says string) {
	b.Helper()
	b.press("a card "+title, fmt.Sprintf(`card(%q)`, title), false)
	b.reads(says)
}

// hears waits until the phone got exactly these cards, in any order: what
// happens at the same time is told in any.
func (b *browser) hears(cards ...string) {
	b.Helper()
	slices.Sort(cards)
	want, err := json.Marshal(cards)
	require.NoError(b, err)
	b.until("the cards in the chat are "+string(want), fmt.Sprintf(`JSON.stringify(titles().sort()) === JSON.stringify(%s)`, want))
	b.shot(cards[len(cards)-1])
}

// press presses what an expression finds, by mouse or by keyboard.
func (b *browser) press(what, target string, leaves bool) {
	b.Helper()
	mark := ""
	if leaves {
		mark = "page.left = true, "
	}
	if !b.typing {
		b.until(what, fmt.Sprintf(`((e) => e && (%s setTimeout(() => e.click()), true))(%s)`, mark, target))
		return
	}
	b.tabs(what, target)
	b.until("a mark", fmt.Sprintf(`(%s true)`, mark))
	kind, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](b.script(`focused().tagName`)))
	require.NoError(b, err)
	key := kb.Enter
	if kind == "INPUT" { // a box
		key = " "
	}
	require.NoError(b, chromedp.Do(b.ctx, chromedp.KeyEvent(key)))
}

// maxTabs is how often somebody presses Tab before giving up: no page has so
// many targets.
const maxTabs = 250

// tabs moves the focus to what an expression finds, with Tab and Shift+Tab.
func (b *browser) tabs(what, target string) {
	b.Helper()
	b.until(what, target)
	where := b.script(fmt.Sprintf(`((e) => {
		const at = focused(), place = (x) => x.ownerDocument === document ? x : document.getElementById("web");
		if (at === e) return "here";
		const [a, z] = at.ownerDocument === e.ownerDocument ? [at, e] : [place(at), place(e)];
		return at !== at.ownerDocument.body && a.compareDocumentPosition(z) & Node.DOCUMENT_POSITION_PRECEDING ? "before" : "after";
	})(control(%s))`, target))
	for range maxTabs {
		at, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](where))
		require.NoError(b, err, what)
		switch at {
		case "here":
			return
		case "before":
			err = chromedp.Do(b.ctx, chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(kb.ModifierShift)))
		default:
			err = chromedp.Do(b.ctx, chromedp.KeyEvent(kb.Tab))
		}
		require.NoError(b, err, what)
	}
	b.shot("failed")
	at, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](b.script(`focused().outerHTML`)))
	require.FailNow(b, "no way by keyboard to "+what, at)
}

func (b *browser) shot(name string) {
	b.Helper()
	if b.shots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	require.NoError(b, err)
	b.n++
	file := fmt.Sprintf("%s-%02d-%s.png", b.name, b.n, strings.NewReplacer("/", "-", " ", "-").Replace(name))
	require.NoError(b, os.WriteFile(filepath.Join(b.shots, file), png, 0o600))
}

// binds proves control of a patient's phone, the nth of the adults who pay
// themselves: name and number, then the code that the hospital texts. It returns
// whom the hospital knows now.
func (b *browser) binds(says string) hospital.Patient {
	b.Helper()
	twin, err := histest.NewHospital(histest.Config{}) // the same people
	require.NoError(b, err)
	people := twin.People()
	person := people[slices.IndexFunc(people, func(p hospital.Patient) bool { return p.Payer == hospital.SelfPay && p.Guardian == nil })]
	b.fills("name", string(person.Name))
	b.fills("id_number", string(person.IDNumber))
	b.presses("我同意")
	b.opens("下一步", "验证码")
	const code = `document.getElementById("texts").lastElementChild.textContent.match(/\d{6}/)`
	b.until("a text message with a code", code)
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](code+"[0]"))
	require.NoError(b, err)
	b.fills("code", found)
	b.opens("完成", says)
	return person
}

// pays pays what the page asks for, on the sheet of WeChat Pay.
func (b *browser) pays(yuan string) {
	b.Helper()
	b.presses("微信支付")
	b.until("the sheet says how much", fmt.Sprintf(`document.getElementById("sheet").open && document.getElementById("amount").textContent.includes(%q)`, yuan))
	b.shot("sheet")
	b.taps("支付")
	b.reads("支付成功")
}

// ends stops the program and opens what it kept a quarter of an hour later:
// whatever was left to do is done by hand. The phone got these cards and no
// other, each once, and our ledger, WeChat Pay and the HIS agree: so much was
// paid, and so much went back.
func (b *browser) ends(paid, back hospital.Fen, cards ...string) {
	b.Helper()
	b.hears(cards...)
	b.stop()
	s, err := openSite(b.Context(), settings{data: b.data, db: filepath.Join(b.data, "hospital.db"), addr: "127.0.0.1:0", staffAddr: "127.0.0.1:0"})
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	require.NoError(b, s.clock.To(s.clock.Now().Add(15*time.Minute)))
	for range 3 {
		_, err := s.far.WeChatPay.Advance(b.Context())
		require.NoError(b, err)
		require.NoError(b, s.server.Advance(b.Context()))
		_, err = s.far.WeChat.Advance(b.Context())
		require.NoError(b, err)
	}
	var got []string
	for _, bubble := range s.phone.Chat() {
		for _, card := range bubble.Cards {
			got = append(got, card.Title)
		}
	}
	require.ElementsMatch(b, cards, got)

	books, err := (&world{clock: s.clock, far: s.far, his: s.his, cashier: s.server.Cashier()}).read(b.Context())
	require.NoError(b, err)
	for _, r := range append(books.rows, books.total) {
		require.True(b, r.balanced(), "%+v", r)
	}
	require.Zero(b, books.pending)
	require.Equal(b, sum{paid, -back}, books.total.ours)
	require.Equal(b, paid-back, books.total.his.net())
}
