package wechattest

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// TemplateKind says which of the platform's three kinds of template it is.
type TemplateKind int

// The kinds.
const (
	TemplateMessage TemplateKind = iota // 模板消息, sent to followers
	OneTime                             // 一次性订阅通知: one acceptance is one message
	LongTerm                            // 长期订阅通知, for public and medical service
)

// Template is a template the account has taken.
type Template struct {
	ID    string
	Title string
	// Content has one line a field, "就诊人:{{thing1.DATA}}". The name stands before
	// the colon, the key says what the value may be.
	Content string
	Kind    TemplateKind
	// Example is the content filled in, for the lists. Optional.
	Example string `json:",omitempty"`
	// Industry is the number of the industry of an older template, 0 for none.
	Industry int `json:",omitempty"`
}

// templateField finds the fields in a template's content.
var templateField = regexp.MustCompile(`(?m)([^\n{}:：]*)[:：]?\{\{(\w+)\.DATA\}\}`)

// lines returns the fields with their names, without values.
func (m Template) lines() []Line {
	var lines []Line
	for _, found := range templateField.FindAllStringSubmatch(m.Content, -1) {
		lines = append(lines, Line{Name: found[1], Key: found[2]})
	}
	return lines
}

func (m Template) keys() []string {
	var keys []string
	for _, line := range m.lines() {
		keys = append(keys, line.Key)
	}
	return keys
}

// templateValues is the data of a send.
type templateValues map[string]struct {
	Value string `json:"value"`
	Color string `json:"color"`
}

// miniProgram is where a tap leads instead of to a page.
type miniProgram struct {
	AppID    string `json:"appid"`
	PagePath string `json:"pagepath"`
}

// fill checks the values against the template and returns what the phone
// shows.
func (m Template) fill(values templateValues) ([]Line, *refusal) {
	shown := m.lines()[:0:0]
	for _, line := range m.lines() {
		value := values[line.Key].Value
		kind, legacy := fieldKind(line.Key)
		switch {
		case legacy && (line.Key == "first" || line.Key == "remark"):
			continue // not displayed any more, since 2023-05
		case legacy:
			value = firstRunes(value, legacyLength)
		case value == "":
			return nil, refusef(47003, "argument invalid! data.%s.value is empty", line.Key)
		case !kind.takes(value):
			return nil, refusef(47003, "argument invalid! data.%s.value invalid", line.Key)
		}
		line.Value = value
		shown = append(shown, line)
	}
	return shown, nil
}

// link checks where a tap leads; a mini program wins over an address.
func (t *turn) link(mini *miniProgram, address string) (Card, *refusal) {
	if mini != nil && mini.AppID != "" {
		switch {
		case !slices.Contains(t.config.MiniPrograms, mini.AppID):
			return Card{}, refuse(40166)
		case mini.PagePath == "":
			return Card{}, refuse(40165)
		}
		return Card{MiniProgram: mini.AppID + "/" + mini.PagePath}, nil
	}
	return Card{URL: address}, nil
}

// clientMsgIDLife is how long a client_msg_id is remembered.
// API: POST /cgi-bin/message/template/send, client_msg_id "10分钟有效".
const clientMsgIDLife = 10 * time.Minute

// sentMessage is what was sent under a client_msg_id.
type sentMessage struct {
	MsgID int64
	Until time.Time
}

// firstMsgID keeps message numbers above what fits 32 bits, as they are.
const firstMsgID = 3_000_000_000_000_000_000

func templateEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/message/template/send", withToken, Quota{Day: 100_000}, (*turn).sendTemplate},
		{http.MethodPost, "/cgi-bin/template/api_add_template", withToken, Quota{Day: 1000}, (*turn).addTemplate},
		{http.MethodGet, "/cgi-bin/template/get_all_private_template", withToken, Quota{Day: 1000}, (*turn).listTemplates},
		{http.MethodPost, "/cgi-bin/template/del_private_template", withToken, Quota{Day: 1000}, (*turn).deleteTemplate},
		{http.MethodPost, "/cgi-bin/template/api_set_industry", withToken, Quota{Day: 1000}, (*turn).chooseIndustries},
		{http.MethodGet, "/cgi-bin/template/get_industry", withToken, Quota{Day: 1000}, (*turn).showIndustries},
	}
}

// maxTemplates is how many templates an account may have.
// API: 类目模板消息, "每个账号最多可以添加25个模板".
const maxTemplates = 25

// addTemplate answers template/api_add_template.
func (t *turn) addTemplate(r *request) (any, *refusal) {
	var in struct {
		Number string   `json:"template_id_short"`
		Names  []string `json:"keyword_name_list"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	l, known := t.entry(in.Number, false)
	if !known || l.Industry != 0 && !slices.Contains(t.industries(), l.Industry) {
		return nil, refuse(40037) // an industry's templates are for its accounts alone
	}
	m := Template{Title: l.Title, Content: l.Content, Industry: l.Industry}
	if l.Content == "" {
		chosen, ok := l.named(in.Names)
		if !ok {
			return nil, refuse(40246)
		}
		m.Content, m.Example = content(chosen)
	}
	id, room := t.take(m, maxTemplates)
	if !room {
		return nil, refuse(45026)
	}
	return struct {
		status
		ID string `json:"template_id"`
	}{okay(), id}, nil
}

// named are the entry's fields of these names, each once, at least one.
func (l LibraryTemplate) named(names []string) (chosen []LibraryKeyword, ok bool) {
	seen := map[string]bool{}
	for _, name := range names {
		at := slices.IndexFunc(l.Keywords, func(k LibraryKeyword) bool { return k.Name == name })
		if at < 0 || seen[name] {
			return nil, false
		}
		seen[name] = true
		chosen = append(chosen, l.Keywords[at])
	}
	return chosen, len(chosen) > 0
}

// listTemplates answers template/get_all_private_template.
func (t *turn) listTemplates(*request) (any, *refusal) {
	type row struct {
		ID       string `json:"template_id"`
		Title    string `json:"title"`
		Industry string `json:"primary_industry"`
		Deputy   string `json:"deputy_industry"`
		Content  string `json:"content"`
		Example  string `json:"example"`
	}
	out := struct {
		Rows []row `json:"template_list"`
	}{[]row{}}
	for _, m := range t.allTemplates() {
		if m.Kind == TemplateMessage {
			first, second := industryName(m.Industry)
			out.Rows = append(out.Rows, row{m.ID, m.Title, first, second, m.Content, m.Example})
		}
	}
	return out, nil
}

// deleteTemplate answers template/del_private_template.
func (t *turn) deleteTemplate(r *request) (any, *refusal) {
	var in struct {
		ID string `json:"template_id"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if _, there := t.template(in.ID, false); !there {
		return nil, refuse(40037)
	}
	t.giveBack(in.ID)
	return nil, nil
}

const (
	industrySetting = "industries"       // "22,24"
	industryMonth   = "industries month" // in which they were last chosen: "2026-11"
)

// industries are those that the account has chosen, none before it has.
func (t *turn) industries() []int {
	var numbers []int
	if first, second, chosen := strings.Cut(t.settings.rows[industrySetting], ","); chosen {
		for _, text := range []string{first, second} {
			numbers = append(numbers, int(digits(text).number()))
		}
	}
	return numbers
}

// chooseIndustries answers template/api_set_industry. It may be called once a
// month, and the templates of an industry that is left go away.
func (t *turn) chooseIndustries(r *request) (any, *refusal) {
	var in struct {
		First  digits `json:"industry_id1"`
		Second digits `json:"industry_id2"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	for _, id := range []digits{in.First, in.Second} {
		if first, _ := industryName(int(id.number())); first == "" {
			return nil, refuse(40102)
		}
	}
	if in.First.number() == in.Second.number() {
		return nil, refuse(40102)
	}
	month := t.now.Format("2006-01")
	if t.settings.rows[industryMonth] == month {
		return nil, refuse(43100)
	}
	t.settings.put(t, industryMonth, month)
	t.settings.put(t, industrySetting, decimal(in.First.number())+","+decimal(in.Second.number()))
	for _, m := range t.allTemplates() {
		if m.Industry != 0 && !slices.Contains(t.industries(), m.Industry) {
			t.giveBack(m.ID)
		}
	}
	return nil, nil
}

// showIndustries answers template/get_industry.
func (t *turn) showIndustries(*request) (any, *refusal) {
	type industry struct {
		First  string `json:"first_class"`
		Second string `json:"second_class"`
	}
	chosen := t.industries()
	if len(chosen) != 2 {
		return nil, refuse(40102)
	}
	of := func(number int) industry {
		first, second := industryName(number)
		return industry{first, second}
	}
	return struct {
		Primary   industry `json:"primary_industry"`
		Secondary industry `json:"secondary_industry"`
	}{of(chosen[0]), of(chosen[1])}, nil
}

// sendTemplate answers message/template/send.
func (t *turn) sendTemplate(r *request) (any, *refusal) {
	var in struct {
		ToUser      string         `json:"touser"`
		TemplateID  string         `json:"template_id"`
		URL         string         `json:"url"`
		MiniProgram *miniProgram   `json:"miniprogram"`
		TopColor    string         `json:"topcolor"` // of the time before 2023, and still sent
		Color       string         `json:"color"`    // the same to silenceper/wechat and co-wechat-api
		Data        templateValues `json:"data"`
		ClientMsgID string         `json:"client_msg_id"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	u, known := t.users.rows[in.ToUser]
	if !known {
		return nil, refuse(40003)
	}
	if in.TemplateID == "" {
		return nil, refuse(40036)
	}
	m, taken := t.template(in.TemplateID, false)
	if !taken {
		return nil, refuse(40037)
	}
	switch {
	case !u.Subscribed:
		return nil, refuse(43004)
	case u.Barred:
		return nil, refuse(43019)
	}
	card, no := t.link(in.MiniProgram, in.URL)
	if no != nil {
		return nil, no
	}
	card.Title = m.Title
	if card.Lines, no = m.fill(in.Data); no != nil {
		return nil, no
	}
	type accepted struct {
		status
		MsgID int64 `json:"msgid"`
	}
	// The message is sent once under its client_msg_id. Ours: the documentation
	// does not say what a repetition is answered; it gets the first one's number.
	once := in.ToUser + " " + in.ClientMsgID
	t.sent.sweep(t, func(s sentMessage) bool { return !t.now.Before(s.Until) })
	if before, repeated := t.sent.rows[once]; repeated && in.ClientMsgID != "" {
		return accepted{okay(), before.MsgID}, nil
	}
	id := firstMsgID + t.next("msgid")
	if in.ClientMsgID != "" {
		t.sent.put(t, once, sentMessage{id, t.now.Add(clientMsgIDLife)})
	}
	t.later(job{Kind: templateJob, OpenID: u.OpenID, MsgID: id, Bubble: &Bubble{From: Ours, Kind: "template", Cards: []Card{card}}})
	return accepted{okay(), id}, nil
}

// templateJob ends in the event TEMPLATESENDJOBFINISH.
const templateJob = "template"

// finishTemplate shows the card and tells the account.
func (t *turn) finishTemplate(j job) []field {
	outcome := "success"
	switch u := t.users.rows[j.OpenID]; {
	case !u.Subscribed, u.Blocked:
		outcome = "failed:user block"
	case t.settings.rows[systemFailedSetting] != "":
		outcome = "failed: system failed"
	default:
		t.show(j.OpenID, *j.Bubble)
	}
	return t.event(t.users.rows[j.OpenID], "TEMPLATESENDJOBFINISH",
		number("MsgID", j.MsgID), text("Status", outcome))
}

const systemFailedSetting = "template system failed"

// FailTemplates lets template messages that were accepted end in "failed:
// system failed" from now on, or no more.
func (p *Platform) FailTemplates(fail bool) error {
	return p.act(func(t *turn) error {
		value := ""
		if fail {
			value = "fail"
		}
		t.settings.put(t, systemFailedSetting, value)
		return nil
	})
}

// firstRunes cuts a text to n characters.
func firstRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

// decimal is a number as a text.
func decimal(n int64) string { return strconv.FormatInt(n, 10) }
