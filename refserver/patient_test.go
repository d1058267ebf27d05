package refserver_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
	"github.com/wxhospital/hospital/wechat"
)

// patience is how often a patient tries again before the story has failed.
const patience = 30

// tab is a patient at the pages: it follows the links and presses the buttons
// that stand there and knows no address but the menu's.
type tab struct {
	*phone

	url   *url.URL
	page  *goquery.Document
	typed url.Values
	tried int // how often something had to be tried again
}

func (p *phone) tab() *tab { return &tab{phone: p, typed: url.Values{}} }

// taps opens what a button of the account's menu opens.
func (t *tab) taps(name string) {
	t.Helper()
	address, err := t.follower.Tap(t.Context(), name)
	require.NoError(t, err)
	require.NotEmpty(t, address)
	t.ask(http.MethodGet, address, nil)
}

// ask sends a request and follows where the answers lead, through WeChat's
// login as well. What gets no answer is sent again, as a person would.
func (t *tab) ask(method, address string, form url.Values) {
	t.Helper()
	for range 2 * patience {
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		t.later(time.Second)
		answer, err := t.browser.Do(r) //nolint:bodyclose // read closes it
		if err != nil {
			t.again()
			continue
		}
		body := read(t, answer)
		if to, err := answer.Location(); err == nil {
			method, address, form = http.MethodGet, to.String(), nil
			if strings.HasPrefix(address, t.wechat.OpenURL) {
				address, err = t.follower.Authorize(address, true)
				require.NoError(t, err)
			}
			continue
		}
		if answer.StatusCode == http.StatusServiceUnavailable {
			t.again()
			continue
		}
		t.url, t.typed = answer.Request.URL, url.Values{}
		t.page, err = goquery.NewDocumentFromReader(strings.NewReader(body))
		require.NoError(t, err)
		require.Contains(t, []int{http.StatusOK, http.StatusForbidden}, answer.StatusCode, "%s %s: %s", method, t.url, t.page.Find("main").Text())
		if again := t.page.Find(`a:contains("重新进入")`); again.Length() > 0 { // the login was cut off
			method, address, form = http.MethodGet, t.resolve(again.AttrOr("href", "")), nil
			continue
		}
		return
	}
	t.Fatal("no answer")
}

// again is a patient who waits a little and tries once more.
func (t *tab) again() {
	t.Helper()
	t.tried++
	t.lingers()
}

// lingers lets a minute go by, in which a killed server may be started anew.
func (t *tab) lingers() {
	t.Helper()
	if t.processes != nil {
		t.processes.revive()
	}
	t.later(time.Minute)
	t.advance()
}

func (t *tab) resolve(reference string) string {
	t.Helper()
	to, err := t.url.Parse(reference)
	require.NoError(t, err)
	return to.String()
}

func (t *tab) words() string { return strings.Join(strings.Fields(t.page.Find("main").Text()), " ") }

func (t *tab) says(words string) bool { return strings.Contains(t.words(), words) }

// reads is sure of what the page says.
func (t *tab) reads(words string) {
	t.Helper()
	require.Contains(t, t.words(), words, t.url)
}

// opens follows the first link that the selector finds.
func (t *tab) opens(selector string) {
	t.Helper()
	link, ok := t.page.Find(selector).First().Attr("href")
	require.True(t, ok, "%s has no %s: %s", t.url, selector, t.words())
	t.ask(http.MethodGet, t.resolve(link), nil)
}

// press follows the link or presses the button with the words.
func (t *tab) press(words string) {
	t.Helper()
	for _, link := range t.page.Find("main a").EachIter() {
		if strings.Contains(link.Text(), words) {
			t.ask(http.MethodGet, t.resolve(link.AttrOr("href", "")), nil)
			return
		}
	}
	for _, button := range t.page.Find("main button").EachIter() {
		if strings.Contains(button.Text(), words) {
			t.submit(button.Closest("form"))
			return
		}
	}
	require.Fail(t, "nothing to press", "%s on %s: %s", words, t.url, t.words())
}

// fields is what a browser would send of a form.
func (t *tab) fields(form *goquery.Selection) url.Values {
	sent := url.Values{}
	for _, in := range form.Find("input, select").EachIter() {
		name, kind := in.AttrOr("name", ""), in.AttrOr("type", "text")
		_, checked := in.Attr("checked")
		switch {
		case goquery.NodeName(in) == "select":
			chosen := in.Find("option[selected]")
			if chosen.Length() == 0 {
				chosen = in.Find("option").First()
			}
			sent.Set(name, chosen.AttrOr("value", chosen.Text()))
		case (kind == "checkbox" || kind == "radio") && !checked:
		default:
			sent.Add(name, in.AttrOr("value", ""))
		}
	}
	for name, values := range t.typed {
		if form.Find("[name="+name+"]").Length() > 0 {
			sent[name] = values
		}
	}
	return sent
}

func (t *tab) submit(form *goquery.Selection) {
	t.Helper()
	require.Equal(t, 1, form.Length(), "a button of no form on %s", t.url)
	fields := t.fields(form)
	action := t.resolve(form.AttrOr("action", ""))
	if strings.EqualFold(form.AttrOr("method", "get"), "get") {
		t.ask(http.MethodGet, action+"?"+fields.Encode(), nil)
		return
	}
	t.ask(http.MethodPost, action, fields)
}

// fill writes into a field of the page, and tick ticks a box.
func (t *tab) fill(name, value string) {
	t.Helper()
	require.Positive(t, t.page.Find("input[name="+name+"]").Length(), "%s has no field %s: %s", t.url, name, t.words())
	t.typed.Set(name, value)
}

func (t *tab) tick(words string) {
	t.Helper()
	box := t.page.Find(`label:contains("` + words + `") input`).First()
	require.Equal(t, 1, box.Length(), "%s has no box %s: %s", t.url, words, t.words())
	t.typed.Add(box.AttrOr("name", ""), box.AttrOr("value", "on"))
}

// waits looks again and again until the page says the words. On the list of the
// appointments, where a second press leads, the patient opens the newest.
func (t *tab) waits(words string) {
	t.Helper()
	for range patience {
		if t.says(words) {
			return
		}
		t.lingers()
		t.ask(http.MethodGet, t.url.String(), nil)
		if strings.HasSuffix(t.url.Path, "/appointments") && t.page.Find("ul.cells a").Length() > 0 {
			t.opens("ul.cells a")
		}
	}
	t.reads(words)
}

// gets the code that was texted to the patient.
func (t *tab) gets(patient hospital.Patient, sent int) string {
	t.Helper()
	for range patience {
		t.advance()
		if t.texts.count() > sent {
			return t.texts.code(t, patient.Phone)
		}
		t.lingers()
	}
	t.Fatal("no code came")
	return ""
}

// pays does what the pay page's script and WeChat's pay sheet do.
func (t *tab) pays() {
	t.Helper()
	form := t.page.Find("form[data-pay]")
	require.Equal(t, 1, form.Length(), "%s: %s", t.url, t.words())
	result := t.resolve(form.AttrOr("data-pay", ""))
	var sheet struct{ AppID, TimeStamp, NonceStr, Package, SignType, PaySign string }
	for sheet.PaySign == "" {
		require.Less(t, t.tried, patience)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, t.resolve(form.AttrOr("action", "")), strings.NewReader(t.fields(form).Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		t.later(time.Second)
		answer, err := t.browser.Do(r) //nolint:bodyclose // read closes it
		if err != nil {
			t.again()
			continue
		}
		body := read(t, answer)
		if answer.StatusCode != http.StatusOK {
			require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode, body)
			t.again()
			continue
		}
		require.NoError(t, json.Unmarshal([]byte(body), &sheet))
	}
	_, err := t.pay.Pay(wechatpaytest.Payment{
		OpenID: t.follower.OpenID(),
		Sheet: &wechatpaytest.Sheet{
			AppID: sheet.AppID, Timestamp: sheet.TimeStamp, Nonce: sheet.NonceStr, Package: sheet.Package, SignType: sheet.SignType, PaySign: sheet.PaySign,
		},
	})
	require.NoError(t, err)
	t.advance()
	t.ask(http.MethodGet, result, nil)
}

// menu publishes the account's menu as far as the story needs it.
func (w *world) menu() {
	w.Helper()
	console := w.wires.Account
	account, err := wechat.New(wechat.Config{AppID: console.AppID, Secret: console.Secret, BaseURL: w.wires.WeChat, OpenURL: w.wires.Open})
	require.NoError(w, err)
	w.Cleanup(account.CloseIdle)
	require.NoError(w, account.PublishMenu(w.Context(), wechat.Menu{Buttons: []wechat.Button{{Type: "view", Name: "智能导诊", URL: w.site + "/triage"}}}))
}

// mainJob is the whole way of a patient: from the menu over the body to the
// department, the doctor, the segment; the patient is bound with a code; the number is booked,
// paid from the voucher, cancelled, and the money comes back.
func (t *tab) mainJob(patient hospital.Patient) {
	t.Helper()
	t.taps("智能导诊")
	t.press("上腹部")
	t.tick("上腹痛")
	t.press("看看挂哪个科")
	t.reads("脾胃病科")
	t.press("选日期和医生")
	t.opens("nav.days a:has(.has):not([aria-current])")
	t.opens("main ul.cells a")
	t.opens("ul.slots a")
	t.reads("请先添加就诊人")
	t.press("添加就诊人")
	t.fill("name", string(patient.Name))
	t.fill("id_number", string(patient.IDNumber))
	t.tick("我同意")
	sent := t.texts.count()
	t.press("下一步")
	t.reads("验证码")
	t.fill("code", t.gets(patient, sent))
	t.press("完成绑定")
	t.reads("为谁挂号")
	t.tick("我已阅读并同意")
	t.press("确认挂号")
	t.waits("就诊凭证")
	t.press("去支付")
	t.pays()
	t.waits("支付成功")
	t.press("查看挂号")
	t.reads("已付")
	t.press("取消挂号")
	t.press("确定取消")
	t.waits("已退款")
}
