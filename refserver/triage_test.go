package refserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/sqldb"
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
	require.Equal(t, "/triage/result", answer.path, "nothing of it stands in the address")
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
	require.Contains(t, p.post("/triage/result", retold).body, "心病科")

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
	answered := p.post("/triage/result", again)
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
		require.Equal(t, "/triage", found.path)
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
