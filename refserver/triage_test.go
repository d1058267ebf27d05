package refserver_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/triage"
)

// ticked is the id of a symptom in a page's form.
func ticked(t *testing.T, part, name string) string {
	t.Helper()
	set, err := triage.Load(nil)
	require.NoError(t, err)
	p, ok := set.Part(part)
	require.True(t, ok, part)
	for _, x := range p.Symptoms {
		if x.Name == name {
			return x.ID
		}
	}
	require.Fail(t, "no such symptom", "%s %s", part, name)
	return ""
}

func document(t *testing.T, s screen) *goquery.Document {
	t.Helper()
	d, err := goquery.NewDocumentFromReader(strings.NewReader(s.body))
	require.NoError(t, err)
	return d
}

// TestTickedSymptomsLeadToANumber walks from the body to the page on which a
// number is chosen, as a guest.
func TestTickedSymptomsLeadToANumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "/hospital", 1)
	p := w.phone("guest")
	body := document(t, p.get("/triage"))
	require.Equal(t, 13, body.Find("nav.body li a").Length())
	to, ok := body.Find(`nav.body li a[data-part="knee"]`).Attr("href")
	require.True(t, ok)
	part := document(t, p.get(strings.TrimPrefix(to, "/hospital")))
	id, ok := part.Find("label.pick:contains('膝痛') input").Attr("value")
	require.True(t, ok)
	require.Equal(t, ticked(t, "KNEE", "膝痛"), id)
	result := p.get("/triage/result?sex=m&age=adult&part=knee&days=7&old=56&s=" + id)
	found := document(t, result)
	require.Equal(t, "骨伤科", found.Find("section h2").First().Text())
	require.Contains(t, result.body, "不是诊断")
	require.Contains(t, found.Find("details").First().Text(), "膝痛", "with a reason")
	clinic, ok := found.Find("section ul.cells a").First().Attr("href")
	require.True(t, ok)
	require.Contains(t, p.get(strings.TrimPrefix(clinic, "/hospital")).body, "选择时段")
}

// TestNoAdviceIsCertain, however clear the symptoms are.
func TestNoAdviceIsCertain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	clear := w.phone("guest").get("/triage/result?sex=m&age=adult&part=upper-abdomen&s=" + ticked(t, "UABD", "反酸") + "&s=" + ticked(t, "UABD", "腹胀"))
	require.Contains(t, document(t, clear).Find("section.card").First().Text(), "可能性约 99%")
}

// TestSeveralPartsAreOneComplaint: what was ticked travels from part to part and
// is counted at its own part.
func TestSeveralPartsAreOneComplaint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	head, knee := ticked(t, "HEAD", "头痛"), ticked(t, "KNEE", "膝痛")
	body := document(t, p.get("/triage?sex=f&age=adult&view=front&s="+head))
	require.Contains(t, body.Find("section.card").First().Text(), "头痛")
	to, _ := body.Find(`nav.body li a[data-part="knee"]`).Attr("href")
	require.Contains(t, to, "s="+head)
	part := document(t, p.get(to))
	_, carried := part.Find(`input[name=s][value="` + head + `"]`).Attr("checked")
	require.True(t, carried)
	both := p.get("/triage/result?sex=f&age=adult&s=" + head + "&s=" + knee)
	require.Contains(t, both.body, "您选择了：头痛、膝痛")
	names := document(t, both).Find("section h2").Text()
	require.Contains(t, names, "骨伤科")
	require.Contains(t, names, "脑病科")
}

// TestWordsAreAnsweredAndNotKept: the box is answered at once, without a session,
// and the store keeps words of the lexicon and nobody's sentence.
func TestWordsAreAnsweredAndNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	said := "王小明的右膝盖疼一周，没有发热，电话13800001111"
	answer := p.post("/triage/result", url.Values{"text": {said}, "sex": {"m"}, "old": {"56岁"}})
	require.Equal(t, http.StatusOK, answer.status)
	require.Regexp(t, `^/triage/result\?c=[\w-]{22}$`, answer.path, "nothing of it stands in the address")
	require.Equal(t, "骨伤科", document(t, answer).Find("section h2").First().Text())
	require.Contains(t, answer.body, "没有发热")
	require.Equal(t, 1, w.kept("40-59"))
	require.Zero(t, w.kept("王小明"))
	require.Zero(t, w.kept("13800001111"))
	require.Zero(t, w.kept("56"), "a band, no age")
	require.Equal(t, 1, w.kept("膝部·疼痛"))
	require.Equal(t, 1, w.kept("-发烧"))

	nothing := p.post("/triage/result", url.Values{"text": {"你好啊"}})
	require.Contains(t, nothing.body, "没能看出挂哪个科")
	require.Contains(t, nothing.body, "tel:0510-80000000")
}

// kept counts the consultations whose row holds the text.
func (w *world) kept(text string) (n int) {
	w.Helper()
	require.NoError(w, w.db.Read(w.Context(), func(tx *sqldb.Tx) error {
		return tx.QueryRow(`SELECT COUNT(*) FROM guide_consultations WHERE body LIKE $1`, "%"+text+"%").Scan(&n)
	}))
	return n
}

// TestAnAlarmComesBeforeAnyDepartment, and a department can still be seen.
func TestAnAlarmComesBeforeAnyDepartment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	said := url.Values{"text": {"我爸突然胸口压榨样疼痛，出冷汗，喘不上气"}}
	alarm := p.post("/triage/result", said)
	require.Contains(t, alarm.body, "请立即拨打 120")
	require.Contains(t, alarm.body, `href="tel:120"`)
	require.NotContains(t, alarm.body, "心病科")
	danger := document(t, alarm).Find("main").Text()
	require.Contains(t, danger, "胸口压着痛或憋闷，同时出冷汗", "the signs")
	require.Contains(t, danger, "您提到：“冷汗”、“胸口压榨样疼”", "in the patient's words")
	require.NotRegexp(t, "疑似|心肌梗死|心梗", danger, "a suspicion is for staff")
	retold := url.Values{"seen": {"1"}}
	document(t, alarm).Find("form input[type=hidden]").Each(func(_ int, s *goquery.Selection) {
		retold.Add(s.AttrOr("name", ""), s.AttrOr("value", ""))
	})
	require.Contains(t, p.get("/triage/result?"+retold.Encode()).body, "心病科")

	gentle := p.get("/triage/result?sex=f&age=adult&s=" + ticked(t, "MIND", "自杀念头"))
	require.Contains(t, gentle.body, "您不是一个人")
	require.Contains(t, gentle.body, `href="tel:12356"`)
	require.NotContains(t, document(t, gentle).Find("main").Text(), "可能有危险")

	told := p.post("/triage/result", url.Values{"text": {"去年昏迷叫不醒过一次"}})
	ask := document(t, told).Find("section a.em")
	require.Equal(t, 1, ask.Length(), "history is asked about")
	require.Contains(t, p.get(ask.AttrOr("href", "")).body, "120")
}

// TestAnInfantsFeverTurnsOnItsAge.
func TestAnInfantsFeverTurnsOnItsAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	at := "/triage/result?sex=m&age=child&part=child&temperature=38.5&s=" + ticked(t, "CHILD", "小儿发热") + "&old="
	require.Contains(t, p.get(at+url.QueryEscape("2 个月")).body, "急诊")
	older := p.get(at + url.QueryEscape("6 岁"))
	require.Equal(t, "儿科", document(t, older).Find("section h2").First().Text())
	wrong := document(t, p.get(at+url.QueryEscape("两三岁")))
	require.Contains(t, wrong.Find("#e-old").Text(), "8 个月")
	_, open := wrong.Find("details[open]").Attr("open")
	require.True(t, open, "the field that is wrong is in sight")
}

// TestAFollowUpQuestionIsAskedOnceAndMovesTheAnswer.
func TestAFollowUpQuestionIsAskedOnceAndMovesTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	asked := p.post("/triage/result", url.Values{"text": {"胸口不舒服"}})
	require.Contains(t, asked.body, "不太确定")
	d := document(t, asked)
	option := d.Find("form button[name=a]").First()
	require.Equal(t, 1, option.Length(), asked.body)
	again := url.Values{"a": {option.AttrOr("value", "")}}
	option.Closest("form").Find("input[type=hidden]").Each(func(_ int, s *goquery.Selection) {
		again.Add(s.AttrOr("name", ""), s.AttrOr("value", ""))
	})
	answered := p.get("/triage/result?" + again.Encode())
	require.Zero(t, document(t, answered).Find("form button[value='"+again.Get("a")+"']").Length(), "not twice")
	first := func(s screen) string {
		return document(t, s).Find("section h2:not(:contains('再问'))").First().Text()
	}
	require.Equal(t, "肺病科", first(asked))
	require.Equal(t, "心病科", first(answered))
}

// TestADepartmentTheHouseLacksSaysWhereToGo: eyes are nobody's here, a plastic
// surgeon's patients go to the dermatologist.
func TestADepartmentTheHouseLacksSaysWhereToGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	eyes := document(t, p.get("/triage/result?sex=f&age=adult&s="+ticked(t, "EYE", "视力下降"))).Find("section.card").First().Text()
	require.Contains(t, eyes, "本院没有眼科")
	require.Contains(t, eyes, "0510-80000000")
	scar := document(t, p.get("/triage/result?sex=f&age=adult&s="+ticked(t, "SKIN", "疤痕")))
	require.Contains(t, scar.Text(), "皮肤科")

	departments, err := w.hospital.Departments(t.Context())
	require.NoError(t, err)
	has := map[string]bool{}
	for _, d := range departments {
		has[string(d.ID)] = true
	}
	set, err := triage.Load(nil)
	require.NoError(t, err)
	for _, view := range []triage.View{triage.FrontView, triage.BackView} {
		for _, region := range set.Regions(view) {
			for _, part := range set.In(region.Parts, triage.Female, false) {
				w.later(1e9)
				result := document(t, p.get("/triage/result?seen=1&sex=f&age=adult&s="+part.Symptoms[0].ID))
				cards := result.Find("section.card:has(h2)")
				require.Positive(t, cards.Length(), part.Name)
				cards.Each(func(_ int, card *goquery.Selection) {
					link := card.Find("a.btn").Last().AttrOr("href", "")
					id, _ := url.PathUnescape(strings.TrimPrefix(link, "/departments/"))
					require.True(t, has[id] || strings.Contains(card.Text(), "本院没有") || strings.Contains(card.Text(), "急诊") || strings.Contains(card.Text(), "再问"),
						"%s: %s", part.Name, card.Text())
				})
			}
		}
	}
}

// TestTheSearchKnowsPinyinAndSayings, by a form: what was searched is nobody's
// business.
func TestTheSearchKnowsPinyinAndSayings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	for typed, name := range map[string]string{"xt": "膝痛", "toutong": "头痛", "拉肚子": "腹泻", "心悸": "心悸"} {
		found := p.post("/triage", url.Values{"q": {typed}})
		require.Regexp(t, `^/triage\?age=adult&sex=m&view=front&found=1$`, found.path, "and not what was typed")
		require.Equal(t, found.body, p.get(found.path).body, "loaded again")
		hit := document(t, found).Find("ul.cells a:contains('" + name + "')").First()
		require.Equal(t, 1, hit.Length(), typed)
		part := document(t, p.get(hit.AttrOr("href", "")))
		require.Equal(t, name, part.Find("label.pick:has(input[checked])").First().Text(), "it is ticked already")
	}
}

// TestAStaleSymptomIsNotGuessedAt.
func TestAStaleSymptomIsNotGuessedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	for _, path := range []string{"/triage/result?s=KNEE-zzz", "/triage/result?s=NONE-1", "/triage/knee?s=x"} {
		back := p.get(path)
		require.Contains(t, back.path, "/triage?", path)
		require.Contains(t, back.body, "请重新选择", path)
	}
	require.Equal(t, http.StatusNotFound, p.get("/triage/elbow").status)
	require.Contains(t, p.get("/triage/result?part=knee").body, "请至少选择一项")
}

// TestWhoHasNoComplaintComesToTheDepartments: 体检·开药·复诊 is a chip beside the
// figure, for everybody.
func TestWhoHasNoComplaintComesToTheDepartments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	for _, figure := range []string{"sex=m&age=adult", "sex=f&age=adult", "sex=m&age=child"} {
		chip := document(t, p.get("/triage?"+figure)).Find("ul.chips a:contains('体检·开药·复诊')")
		require.Equal(t, 1, chip.Length(), figure)
		require.Contains(t, p.get(chip.AttrOr("href", "")).body, "选择科室")
	}
	require.Contains(t, p.get("/triage/service?sex=m&age=adult").body, "选择科室", "also for who kept the address")
}

// rows counts every consultation that is kept.
func (w *world) rows() int { return w.kept("") }

// TestAConsultationIsCountedOnce, request by request at the other of two
// servers: loaded again, tapped twice, come back to, asked further.
func TestAConsultationIsCountedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.PostgreSQL, "", 2)
	p := w.phone("guest")
	form := func() url.Values {
		d := document(t, p.get("/triage"))
		n, ok := d.Find("form[method=post] input[name=n]").Attr("value")
		require.True(t, ok)
		return url.Values{"n": {n}, "text": {"胸口不舒服"}}
	}
	first := form()
	sent := p.send(http.MethodPost, p.site+"/triage/result", first) //nolint:bodyclose // follow reads it
	require.Equal(t, http.StatusSeeOther, sent.StatusCode)
	require.NotContains(t, sent.Header.Get("Location"), "%E8", "no word of it")
	asked := p.follow(sent)
	for range 3 {
		require.Equal(t, asked.body, p.get(asked.path).body, "loaded again")
	}
	require.Equal(t, asked.path, p.post("/triage/result", first).path, "tapped twice")
	require.Equal(t, asked.path, p.post("/triage/result", form()).path, "come back to the form and sent again")
	require.Equal(t, 1, w.rows())
	require.Equal(t, 1, w.kept("RESP"))

	option := document(t, asked).Find("form[method=get] button[name=a]").First()
	further := url.Values{"a": {option.AttrOr("value", "")}}
	option.Closest("form").Find("input[type=hidden]").Each(func(_ int, s *goquery.Selection) { further.Add(s.AttrOr("name", ""), s.AttrOr("value", "")) })
	require.NotContains(t, further, "text", "the words are not in the page either")
	answered := p.get("/triage/result?" + further.Encode())
	require.Equal(t, "心病科", document(t, answered).Find("section h2:not(:contains('再问'))").First().Text())
	p.get(asked.path)
	require.Equal(t, 1, w.rows(), "the same consultation")
	require.Equal(t, 1, w.kept(option.AttrOr("value", "")), "the earlier page takes the answer not back")

	other := form()
	other.Set("text", "膝盖疼")
	require.NotEqual(t, asked.path, p.post("/triage/result", other).path)
	require.Equal(t, 2, w.rows(), "another complaint is another consultation")
	require.Contains(t, p.get(asked.path).body, "请再写一次", "the browser keeps the last one only")
	p.post("/triage/result", url.Values{"text": {"膝盖疼"}, "n": {"' OR 1=1"}})
	require.Equal(t, 2, w.rows(), "what no form carries is no nonce")
	stranger := w.phone("stranger")
	require.Contains(t, stranger.get(asked.path).body, "请再写一次", "an address alone shows nothing")
	stranger.post("/triage/result", url.Values{"text": {"膝盖疼"}})
	require.Equal(t, 3, w.rows(), "another's knee")

	part := document(t, p.get("/triage/knee?sex=m&age=adult&view=front"))
	ticks := url.Values{"s": {ticked(t, "KNEE", "膝痛")}, "sex": {"m"}, "age": {"adult"}, "part": {"knee"}, "n": {part.Find("input[name=n]").AttrOr("value", "")}}
	knee := p.get("/triage/result?" + ticks.Encode())
	require.Equal(t, knee.body, p.get(knee.path).body)
	ticks.Del("n")
	bare := p.get("/triage/result?" + ticks.Encode())
	require.Contains(t, bare.path, "&n=", "an address without a nonce gets one")
	require.Equal(t, bare.body, p.get(bare.path).body)
	require.Equal(t, 4, w.rows())
}

// TestWhatWasWrittenStaysInTheBrowserForHalfAnHour, sealed: in no address, no
// row, no log, and whoever changes a byte of it has nothing.
func TestWhatWasWrittenStaysInTheBrowserForHalfAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	w.watch.Secret("what a patient wrote", "王小明的右膝盖疼")
	p := w.phone("guest")
	sent := p.send(http.MethodPost, p.site+"/triage/result", url.Values{"text": {"王小明的右膝盖疼"}}) //nolint:bodyclose // follow reads it
	i := slices.IndexFunc(sent.Cookies(), func(c *http.Cookie) bool { return c.Name == "told" })
	require.GreaterOrEqual(t, i, 0)
	said := sent.Cookies()[i]
	require.True(t, said.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, said.SameSite)
	require.Equal(t, 1800, said.MaxAge)
	raw, err := base64.RawURLEncoding.DecodeString(said.Value)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "膝")
	answer := p.follow(sent)
	require.Contains(t, answer.body, "骨伤科")
	require.NotContains(t, answer.body, "王小明")
	p.post("/triage", url.Values{"q": {"拉肚子好几天"}})

	site, err := url.Parse(p.site)
	require.NoError(t, err)
	raw[len(raw)/2] ^= 1
	p.browser.Jar.SetCookies(site, []*http.Cookie{{Name: "told", Value: base64.RawURLEncoding.EncodeToString(raw), Path: "/"}})
	require.Contains(t, p.get(answer.path).body, "请再写一次", "changed")
	p.browser.Jar.SetCookies(site, []*http.Cookie{{Name: "found", Value: said.Value, Path: "/"}})
	require.NotContains(t, p.get("/triage?found=1").body, "王小明", "one cookie is not another")
	p.browser.Jar.SetCookies(site, []*http.Cookie{{Name: "told", Value: said.Value, Path: "/"}})
	require.Contains(t, p.get(answer.path).body, "骨伤科")
	w.wall.Pass(31 * time.Minute)
	p.browser.Jar.SetCookies(site, []*http.Cookie{{Name: "told", Value: said.Value, Path: "/"}})
	require.Contains(t, p.get(answer.path).body, "请再写一次", "over, whatever the browser says")
}

// TestNothingHostileComesBackFromTheTriage: neither as a script, nor as a
// failure, nor in a log.
func TestNothingHostileComesBackFromTheTriage(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := newWorld(t, sqldb.SQLite, "", 1, func(c *refserver.Config) { c.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	p := w.phone("guest")
	for name, text := range map[string]string{
		"a script":         `<script>alert("triage-zq")</script>膝盖疼`,
		"quotes":           `"'triage-zq'><img src=x autofocus="`,
		"a template":       `{{.Frame.Token}} ${7*7} triage-zq`,
		"a NUL":            "膝盖\x00疼 triage-zq",
		"right to left":    "膝盖\u202e疼 triage-zq\u2066",
		"zero width":       "膝\u200b盖\u200d疼\ufeff triage-zq",
		"invalid UTF-8":    "膝盖\xff\xfe疼 triage-zq",
		"a regexp":         `(a+)+$[\d](*)?|^.{9999}\ triage-zq`,
		"SQL":              `'; DROP TABLE guide_consultations; -- triage-zq`,
		"a LIKE":           `%_%triage-zq`,
		"a header":         "a\r\nSet-Cookie: x=triage-zq",
		"emoji":            strings.Repeat("😀", 499) + "疼",
		"angles":           strings.Repeat("<", 499) + "疼",
		"ten thousand":     strings.Repeat("疼", 10000),
		"ten thousand a's": strings.Repeat("a", 10000),
		"spaces":           " \u3000\t\r\n ",
		"nothing seen":     "\u200b\u200d\x00",
	} {
		for path, field := range map[string]string{"/triage/result": "text", "/triage": "q"} {
			w.later(10 * time.Second)
			sent := p.send(http.MethodPost, p.site+path, url.Values{field: {text}}) //nolint:bodyclose // follow reads it
			require.NotContains(t, sent.Header.Get("Location"), "zq", name)
			shown := p.follow(sent)
			require.Less(t, shown.status, 500, "%s %s", name, path)
			d := document(t, shown)
			require.NotEmpty(t, d.Find("h1").Text(), "%s %s", name, path)
			require.NotContains(t, d.Find("script:not([src])").Text(), "zq", "%s %s", name, path)
			require.Zero(t, d.Find("[onfocus], [autofocus]").Length(), "%s %s", name, path)
			require.NotContains(t, shown.body, "<script>alert", "%s %s", name, path)
			require.NotRegexp(t, `[\x00\x{202e}\x{2066}\x{200b}\x{fffd}]`, shown.body, "%s %s", name, path)
			require.NotContains(t, d.Find("main").Text(), "没有权限", "%s %s: it is nobody's fault", name, path)
			if strings.HasPrefix(name, "ten thousand") && field == "text" {
				require.Regexp(t, "写短一些|请简短些", d.Find("main").Text(), name)
			}
		}
	}
	for _, q := range []string{"s=%00", "s=" + url.QueryEscape("<script>"), "a=x.9&s=1", "c=%00", "c=" + strings.Repeat("a", 9000), "n=%ff&s=1", "flag=%3Cscript%3E", "found=1", "part=%2e%2e%2f"} {
		for _, path := range []string{"/triage", "/triage/result", "/triage/emergency", "/triage/knee", "/triage/%3Cscript%3E"} {
			w.later(10 * time.Second)
			shown := p.get(path + "?" + q)
			require.Less(t, shown.status, 500, "%s?%s", path, q)
			require.NotContains(t, shown.body, "<script>", "%s?%s", path, q)
		}
	}
	require.NotContains(t, log.String(), "zq")
	require.NotContains(t, log.String(), "膝")
	require.Contains(t, p.post("/triage/result", url.Values{"text": {"膝\u200b盖\x00疼"}}).body, "骨伤科", "what can be read is read")
}

// TestAnAgeIsReadWithItsUnit, and what no one is gets a sentence.
func TestAnAgeIsReadWithItsUnit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	said := func(old string) *goquery.Document {
		w.later(5 * time.Second)
		return document(t, p.post("/triage/result", url.Values{"text": {"咳嗽"}, "old": {old}}))
	}
	for _, old := range []string{"-1", "300岁", "300", "131岁", "13 个月岁", "50539024859478224", "三岁", "2周", "99999999999999999999", "1.5岁", "岁", "三个", "13个", "5 世纪", "13000天天", "1e3", "0x10", "-0"} {
		require.NotEmpty(t, said(old).Find("#e-old").Text(), old)
	}
	for old, band := range map[string]string{
		"８个月": "0", "３５岁": "18-39", "３５": "18-39", "13个月": "1-2", "20天": "0", "400 天": "1-2", "0天": "0", "0岁": "0", "0": "0", "120岁": "75-", "600个月": "40-59", "3周岁": "3-6", "３　岁": "3-6",
	} {
		before := w.kept(`"age":"` + band + `"`)
		p = w.phone("guest " + old)
		d := said(old)
		require.Empty(t, d.Find("#e-old").Text(), old)
		require.Equal(t, before+1, w.kept(`"age":"`+band+`"`), old)
	}
}

// TestContradictionsAreToldAndNeverFollowed.
func TestContradictionsAreToldAndNeverFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("guest")
	told := func(form url.Values) *goquery.Document {
		w.later(5 * time.Second)
		return document(t, p.post("/triage/result", form))
	}
	for name, form := range map[string]url.Values{
		"a pregnant man":       {"text": {"怀孕三个月，恶心"}, "sex": {"m"}},
		"a man after birth":    {"text": {"产后恶露不尽"}, "sex": {"m"}},
		"a woman's prostate":   {"text": {"前列腺增生，尿频"}, "sex": {"f"}},
		"a man's menstruation": {"text": {"月经不调"}, "sex": {"m"}},
	} {
		require.Contains(t, told(form).Find(".note.warn").Text(), "所选性别与描述不一致", name)
	}
	child := told(url.Values{"text": {"前列腺增生，尿频"}, "old": {"5岁"}})
	require.Contains(t, child.Find(".note.warn").Text(), "年龄", "a child with a prostate")

	birth := ticked(t, "PREG", "产后出血")
	for _, path := range []string{
		"/triage/result?sex=m&age=adult&part=preg&s=" + birth, "/triage/result?sex=m&age=child&part=preg&s=" + birth,
		"/triage/result?sex=m&age=adult&pregnant=1&weeks=30&s=" + birth,
	} {
		w.later(5 * time.Second)
		shown := p.get(path)
		require.Less(t, shown.status, 500, path)
		require.NotContains(t, shown.body, "产科", path)
	}
	men := document(t, p.get("/triage/result?sex=m&age=adult&pregnant=1&weeks=30&s="+ticked(t, "KNEE", "膝痛")))
	require.Equal(t, "骨伤科", men.Find("section h2").First().Text(), "a form that no page of ours sends")
}
