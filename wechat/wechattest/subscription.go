package wechattest

import (
	"context"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// credit is what a user has agreed to receive under one template.
type credit struct {
	Left int  // messages of a one-time template
	Long bool // a long-term template: without number
}

func creditKey(openID, template string) string { return openID + " " + template }

// Subscribe lets the user answer the pop-up that asks to be notified under the
// templates (订阅通知). Each acceptance of a one-time template is one message;
// of a long-term one, as many as come. The platform pushes
// subscribe_msg_popup_event. NotFound: the account has no such subscription.
func (f *Follower) Subscribe(ctx context.Context, accept bool, templates ...string) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		for _, id := range templates {
			if _, taken := t.template(id, true); !taken {
				return nil, verbError(hospital.NotFound, "Subscribe", "no_template", "the account has no such subscription")
			}
		}
		answer := "reject"
		if accept {
			answer = "accept"
		}
		var lists []field
		for _, id := range templates {
			m, _ := t.template(id, true)
			if accept {
				c := t.credits.rows[creditKey(u.OpenID, id)]
				if c.Long = m.Kind == LongTerm; !c.Long {
					c.Left++
				}
				t.credits.put(t, creditKey(u.OpenID, id), c)
			}
			lists = append(lists, nest("List", text("TemplateId", id), text("SubscribeStatusString", answer), text("PopupScene", "0")))
		}
		if len(lists) == 0 {
			return nil, nil
		}
		return []string{t.pushEvent(u, false, "subscribe_msg_popup_event", nest("SubscribeMsgPopupEvent", lists...))}, nil
	})
}

// Unsubscribe withdraws, in the account's settings on the phone, every
// agreement under the template. The platform pushes subscribe_msg_change_event.
func (f *Follower) Unsubscribe(ctx context.Context, template string) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		if _, agreed := t.credits.rows[creditKey(u.OpenID, template)]; !agreed {
			return nil, verbError(hospital.NotFound, "Unsubscribe", "no_credit", "nothing was agreed to")
		}
		t.credits.drop(t, creditKey(u.OpenID, template))
		return []string{t.pushEvent(u, false, "subscribe_msg_change_event", nest("SubscribeMsgChangeEvent",
			nest("List", text("TemplateId", template), text("SubscribeStatusString", "reject"))))}, nil
	})
}

func subscriptionEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/message/subscribe/bizsend", withToken, Quota{Day: 100_000}, (*turn).sendSubscription},
		{http.MethodGet, "/wxaapi/newtmpl/getcategory", withToken, Quota{Day: 1000}, (*turn).listCategories},
		{http.MethodGet, "/wxaapi/newtmpl/getpubtemplatetitles", withToken, Quota{Day: 1000}, (*turn).listPublicTemplates},
		{http.MethodGet, "/wxaapi/newtmpl/getpubtemplatekeywords", withToken, Quota{Day: 1000}, (*turn).listKeywords},
		{http.MethodPost, "/wxaapi/newtmpl/addtemplate", withToken, Quota{Day: 1000}, (*turn).addSubscription},
		{http.MethodGet, "/wxaapi/newtmpl/gettemplate", withToken, Quota{Day: 1000}, (*turn).listSubscriptions},
		{http.MethodPost, "/wxaapi/newtmpl/deltemplate", withToken, Quota{Day: 1000}, (*turn).deleteSubscription},
	}
}

// The limits of the administration.
// API: GET /wxaapi/newtmpl/getpubtemplatetitles, limit "最大为 30"; POST
// /wxaapi/newtmpl/addtemplate, kidList "最多支持5个，最少2个", sceneDesc "15个字以内".
const (
	maxTitles        = 30
	minKidList       = 2
	maxKidList       = 5
	maxSceneDesc     = 15
	maxSubscriptions = 50
)

// wire is the kind's number in the administration's answers.
func (k TemplateKind) wire() int {
	if k == LongTerm {
		return 3
	}
	return 2
}

// listCategories answers newtmpl/getcategory.
func (t *turn) listCategories(*request) (any, *refusal) {
	return struct {
		status
		Data []Category `json:"data"`
	}{okay(), append([]Category{}, t.config.Categories...)}, nil
}

// listPublicTemplates answers newtmpl/getpubtemplatetitles.
func (t *turn) listPublicTemplates(r *request) (any, *refusal) {
	start, badStart := strconv.Atoi(r.query.Get("start"))
	limit, badLimit := strconv.Atoi(r.query.Get("limit"))
	switch {
	case badStart != nil || start < 0:
		return nil, refuse(200016)
	case badLimit != nil || limit < 1 || limit > maxTitles:
		return nil, refuse(200017)
	case r.query.Get("ids") == "":
		return nil, refuse(200018)
	}
	wanted := map[int64]bool{}
	for text := range strings.SplitSeq(r.query.Get("ids"), ",") {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !slices.ContainsFunc(t.config.Categories, func(c Category) bool { return c.ID == id }) {
			return nil, refuse(200019)
		}
		wanted[id] = true
	}
	type row struct {
		ID       int64  `json:"tid"`
		Title    string `json:"title"`
		Kind     int    `json:"type"`
		Category string `json:"categoryId"`
	}
	all := []row{}
	for _, l := range t.config.Library {
		if l.Kind != TemplateMessage && wanted[l.Category] {
			all = append(all, row{digits(l.Number).number(), l.Title, l.Kind.wire(), decimal(l.Category)})
		}
	}
	return struct {
		status
		Count int   `json:"count"`
		Data  []row `json:"data"`
	}{okay(), len(all), all[min(start, len(all)):min(start+limit, len(all))]}, nil
}

// listKeywords answers newtmpl/getpubtemplatekeywords.
func (t *turn) listKeywords(r *request) (any, *refusal) {
	l, known := t.entry(r.query.Get("tid"), true)
	if !known {
		return nil, refuse(200014)
	}
	type row struct {
		ID      int    `json:"kid"`
		Name    string `json:"name"`
		Example string `json:"example"`
		Rule    string `json:"rule"`
	}
	rows := []row{}
	for _, k := range l.Keywords {
		rows = append(rows, row{k.ID, k.Name, k.Example, k.Rule})
	}
	return struct {
		status
		Count int   `json:"count"`
		Data  []row `json:"data"`
	}{okay(), len(rows), rows}, nil
}

// fields reads what addtemplate and deltemplate carry. The documentation wants
// a form, in which kidList repeats; developers also write kidList[0]. Libraries
// in use send JSON, which an earlier documentation asked for: it is taken too,
// though the real platform is reported to refuse it at times.
// API: POST /wxaapi/newtmpl/addtemplate, 调用示例;
// developers.weixin.qq.com/community/develop/doc/00020ca6a5c3c85f6ba99d98c51800.
func (r *request) fields() (url.Values, *refusal) {
	if kind, _, err := mime.ParseMediaType(r.kind); err == nil && kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(r.body))
		if err != nil {
			return nil, refuse(47001)
		}
		fields := url.Values{}
		for _, name := range slices.Sorted(maps.Keys(form)) {
			bare, _, _ := strings.Cut(name, "[")
			fields[bare] = append(fields[bare], form[name]...)
		}
		return fields, nil
	}
	if no := r.read(); no != nil {
		return nil, no
	}
	var in struct {
		Entry digits   `json:"tid"`
		Chose []digits `json:"kidList"`
		Scene string   `json:"sceneDesc"`
		ID    string   `json:"priTmplId"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	fields := url.Values{"tid": {string(in.Entry)}, "sceneDesc": {in.Scene}, "priTmplId": {in.ID}}
	for _, id := range in.Chose {
		fields.Add("kidList", string(id))
	}
	return fields, nil
}

// addSubscription answers newtmpl/addtemplate.
func (t *turn) addSubscription(r *request) (any, *refusal) {
	in, no := r.fields()
	if no != nil {
		return nil, no
	}
	for name := range in {
		if !slices.Contains([]string{"tid", "kidList", "sceneDesc", "priTmplId"}, name) {
			return nil, refusef(47001, "data format error: unknown field %s", name)
		}
	}
	if in.Get("tid") == "" {
		return nil, refusef(200014, "missing parameter tid")
	}
	l, known := t.entry(in.Get("tid"), true)
	switch {
	case !known, !slices.ContainsFunc(t.config.Categories, func(c Category) bool { return c.ID == l.Category }):
		return nil, refuse(200014)
	case utf8.RuneCountInString(in.Get("sceneDesc")) > maxSceneDesc:
		return nil, refuse(200021)
	}
	chosen, ok := l.numbered(in["kidList"])
	if !ok {
		return nil, refuse(200020)
	}
	m := Template{Title: l.Title, Kind: l.Kind}
	m.Content, m.Example = content(chosen)
	id, room := t.take(m, maxSubscriptions)
	if !room {
		return nil, refuse(200012)
	}
	return struct {
		status
		ID string `json:"priTmplId"`
	}{okay(), id}, nil
}

// numbered are the entry's fields of these numbers, each once, two to five.
func (l LibraryTemplate) numbered(ids []string) (chosen []LibraryKeyword, ok bool) {
	if len(ids) < minKidList || len(ids) > maxKidList {
		return nil, false
	}
	seen := map[string]bool{}
	for _, id := range ids {
		at := slices.IndexFunc(l.Keywords, func(k LibraryKeyword) bool { return strconv.Itoa(k.ID) == id })
		if at < 0 || seen[id] {
			return nil, false
		}
		seen[id] = true
		chosen = append(chosen, l.Keywords[at])
	}
	return chosen, true
}

// listSubscriptions answers newtmpl/gettemplate.
func (t *turn) listSubscriptions(*request) (any, *refusal) {
	type row struct {
		ID      string `json:"priTmplId"`
		Title   string `json:"title"`
		Content string `json:"content"`
		Example string `json:"example"`
		Kind    int    `json:"type"`
	}
	rows := []row{}
	for _, m := range t.allTemplates() {
		if m.Kind != TemplateMessage {
			rows = append(rows, row{m.ID, m.Title, m.Content, m.Example, m.Kind.wire()})
		}
	}
	return struct {
		status
		Data []row `json:"data"`
	}{okay(), rows}, nil
}

// deleteSubscription answers newtmpl/deltemplate.
func (t *turn) deleteSubscription(r *request) (any, *refusal) {
	in, no := r.fields()
	if no != nil {
		return nil, no
	}
	if _, there := t.template(in.Get("priTmplId"), true); !there {
		return nil, refuse(200014)
	}
	t.giveBack(in.Get("priTmplId"))
	return nil, nil
}

// sendSubscription answers message/subscribe/bizsend. A follower is not asked
// for, an agreement is.
func (t *turn) sendSubscription(r *request) (any, *refusal) {
	var in struct {
		ToUser      string         `json:"touser"`
		TemplateID  string         `json:"template_id"`
		Page        string         `json:"page"`
		MiniProgram *miniProgram   `json:"miniprogram"`
		State       string         `json:"miniprogram_state"` // developer, trial, formal
		Lang        string         `json:"lang"`
		Data        templateValues `json:"data"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if _, known := t.users.rows[in.ToUser]; !known {
		return nil, refuse(40003)
	}
	m, taken := t.template(in.TemplateID, true)
	if !taken {
		return nil, refuse(40037)
	}
	if in.Page != "" && !webAddress(in.Page) {
		return nil, refuse(41030)
	}
	card, no := t.link(in.MiniProgram, in.Page)
	if no != nil {
		return nil, no
	}
	card.Title = m.Title
	if card.Lines, no = m.fill(in.Data); no != nil {
		return nil, no
	}
	key := creditKey(in.ToUser, in.TemplateID)
	c := t.credits.rows[key]
	switch {
	case c.Long:
	case c.Left > 0:
		c.Left--
		t.credits.put(t, key, c)
	default:
		return nil, refuse(43101)
	}
	t.later(job{
		Kind: subscriptionJob, OpenID: in.ToUser, MsgID: firstMsgID + t.next("msgid"), Template: m.ID,
		Bubble: &Bubble{From: Ours, Kind: "subscription", Cards: []Card{card}},
	})
	return nil, nil
}

// subscriptionJob ends in the event subscribe_msg_sent_event.
const subscriptionJob = "subscription"

// finishSubscription shows the card and tells the account.
func (t *turn) finishSubscription(j job) []field {
	t.show(j.OpenID, *j.Bubble)
	return t.event(t.users.rows[j.OpenID], "subscribe_msg_sent_event", nest("SubscribeMsgSentEvent", nest("List",
		text("TemplateId", j.Template), text("MsgID", decimal(j.MsgID)), text("ErrorCode", "0"), text("ErrorStatus", "success"))))
}
