package wechattest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// The limits of messages to many.
// API: POST /cgi-bin/message/mass/send, "OpenID最少2个，最多10000个"; /mass/sendall, clientmsgid
// "长度限制64字节", "对 24 小时内的群发记录进行检查", 45066 "请间隔1分钟重试"; 群发接口和原创校验, "用户每月只能接收4条",
// "群发接口每分钟限制请求60次", "每日调用100次".
const (
	minMass       = 2
	maxMass       = 10_000
	maxClientID   = 64
	clientIDLife  = 24 * time.Hour
	clientIDPause = time.Minute
	massesAMonth  = 4
	maxMassImages = 20
	// maxMassBytes is 10000 openids of 28 letters, their quotes, and a text.
	maxMassBytes = 512 << 10
	firstMassID  = 3_147_483_648 // beyond 31 bits, as they are
	// massVideoFile is what uploadvideo makes of a video.
	massVideoFile = "mpvideo"
	// massJob ends in the event MASSSENDJOBFINISH.
	massJob            = "mass"
	massOutcomeSetting = "mass outcome"
	speedSetting       = "mass speed"
)

// The states of a message to many.
// API: POST /cgi-bin/message/mass/get.
const (
	massSending = "SENDING"
	massDone    = "SEND_SUCCESS"
	massFailed  = "SEND_FAIL"
	massDeleted = "DELETE"
)

// mass is a message to many, by its number.
type mass struct {
	ClientID string
	At, Last time.Time // when it was accepted, and last asked for again
	To       []string
	Bubble   Bubble
	Kind     string
	Articles []article `json:",omitempty"`
	State    string
}

func massEndpoints() []endpoint {
	sends := Quota{Day: 100, Minute: 60}
	return []endpoint{
		{http.MethodPost, "/cgi-bin/message/mass/sendall", withToken, sends, (*turn).massToAll},
		{http.MethodPost, "/cgi-bin/message/mass/send", withToken, sends, (*turn).massToList},
		{http.MethodPost, "/cgi-bin/message/mass/preview", withToken, Quota{Day: 100}, (*turn).previewMass},
		{http.MethodPost, "/cgi-bin/message/mass/get", withToken, Quota{Day: 1000}, (*turn).findMass},
		{http.MethodPost, "/cgi-bin/message/mass/delete", withToken, Quota{Day: 10}, (*turn).deleteMass},
		{http.MethodPost, "/cgi-bin/message/mass/speed/get", withToken, Quota{Day: 1000}, (*turn).massSpeed},
		{http.MethodPost, "/cgi-bin/message/mass/speed/set", withToken, Quota{Day: 1000}, (*turn).setMassSpeed},
		{http.MethodPost, "/cgi-bin/media/uploadvideo", withToken, Quota{Day: 1000}, (*turn).uploadMassVideo},
	}
}

// massContent is what a message to many carries.
type massContent struct {
	MsgType string   `json:"msgtype"`
	MPNews  mediaRef `json:"mpnews"`
	Text    struct {
		Content string `json:"content"`
	} `json:"text"`
	Voice  mediaRef `json:"voice"`
	Image  mediaRef `json:"image"` // of a preview, and of the time before images
	Images struct {
		IDs       []string `json:"media_ids"`
		Recommend string   `json:"recommend"`
		Comments  int      `json:"need_open_comment"`
		OnlyFans  int      `json:"only_fans_can_comment"`
	} `json:"images"`
	Video struct {
		MediaID     string `json:"media_id"`
		Title       string `json:"title"`
		Description string `json:"description"`
	} `json:"mpvideo"`
	Card struct {
		CardID string `json:"card_id"`
		Ext    string `json:"card_ext"`
	} `json:"wxcard"`
	Reprint  int    `json:"send_ignore_reprint"`
	ClientID string `json:"clientmsgid"`
}

// massToAll answers mass/sendall: everybody who follows, or those with a tag.
func (t *turn) massToAll(r *request) (any, *refusal) {
	var in struct {
		massContent
		Filter *struct {
			All bool   `json:"is_to_all"`
			Tag digits `json:"tag_id"`
		} `json:"filter"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if in.Filter == nil {
		return nil, refusef(40035, "invalid parameter: filter")
	}
	to, scope := t.followers(), "all"
	if !in.Filter.All {
		id := int(in.Filter.Tag.number())
		if _, there := t.tags.rows[tagKey(id)]; in.Filter.Tag == "" || !there && id != lastSystemID {
			return nil, refuse(45159)
		}
		scope = "tag " + string(in.Filter.Tag)
		to = slices.DeleteFunc(to, func(openID string) bool { return !slices.Contains(t.users.rows[openID].Tags, id) })
	}
	return t.sendMass(r, in.massContent, to, scope, massVideoFile)
}

// massToList answers mass/send.
func (t *turn) massToList(r *request) (any, *refusal) {
	var in struct {
		massContent
		To []string `json:"touser"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	switch {
	case len(in.To) < minMass:
		return nil, refuse(40130)
	case len(in.To) > maxMass:
		return nil, refuse(40032)
	}
	for _, openID := range in.To {
		if _, known := t.users.rows[openID]; !known {
			return nil, refuse(40031)
		}
	}
	if in.MsgType == "video" { // as the list of types has it; the sample has mpvideo
		in.MsgType = "mpvideo"
	}
	return t.sendMass(r, in.massContent, in.To, strings.Join(in.To, " "), massVideoFile, videoFile)
}

// massBubble checks the content and returns what a phone shows.
func (t *turn) massBubble(in massContent, videos ...string) (b Bubble, articles []article, no *refusal) {
	b = Bubble{From: Ours, Kind: in.MsgType}
	switch in.MsgType {
	case "mpnews":
		b.Text = in.MPNews.MediaID
		if articles, no = t.draftArticles(b.Text); no == nil {
			b.Cards = articleCards(articles)
		}
	case "text":
		b.Text = in.Text.Content
		no = checkText(b.Text)
	case "voice":
		b.Text, no = t.carried(in.Voice.MediaID, voiceFile)
	case "image":
		ids := in.Images.IDs
		if in.Image.MediaID != "" {
			ids = append(ids, in.Image.MediaID)
		}
		switch {
		case len(ids) == 0:
			no = refuse(41006)
		case len(ids) > maxMassImages:
			no = refusef(40035, "invalid parameter: images.media_ids")
		}
		for _, id := range ids {
			if no == nil {
				_, no = t.carried(id, imageFile)
			}
		}
		b.Text = strings.Join(ids, " ")
	case "mpvideo":
		b.Text, no = t.carried(in.Video.MediaID, videos...)
	case "wxcard":
		b.Text = in.Card.CardID
		no = t.checkCard(b.Text)
	default:
		no = refuse(40008)
	}
	if no == nil && (in.Reprint < 0 || in.Reprint > 1) {
		no = refusef(40035, "invalid parameter: send_ignore_reprint")
	}
	return b, articles, no
}

// sendMass accepts the message, unless it was accepted before.
func (t *turn) sendMass(r *request, in massContent, to []string, scope string, videos ...string) (any, *refusal) {
	if len(in.ClientID) > maxClientID {
		return nil, refuse(45067)
	}
	b, articles, no := t.massBubble(in, videos...)
	if no != nil {
		return nil, no
	}
	if in.ClientID == "" {
		in.ClientID = digest(scope, in)
	}
	if no := t.massBefore(in.ClientID); no != nil {
		return nil, no
	}
	if !slices.ContainsFunc(to, func(openID string) bool { return t.mayGetMass(t.users.rows[openID]) }) {
		return nil, refuse(45028)
	}
	for i := range articles {
		articles[i].URL = "http://" + r.host + "/s/" + randomText(idLetters, 22)
	}
	id := firstMassID + t.next("masses")
	t.masses.put(t, order(id), mass{
		ClientID: in.ClientID, At: t.now, Last: t.now, To: to, Bubble: b, Kind: in.MsgType, Articles: articles, State: massSending,
	})
	t.later(job{Kind: massJob, OpenID: helper, MsgID: id})
	out := struct {
		status
		ID   int64 `json:"msg_id"`
		Data int64 `json:"msg_data_id,omitempty"` // of articles only
	}{status{Text: "send job submission success"}, id, 0}
	if in.MsgType == "mpnews" {
		out.Data = id - firstMassID + firstMsgDataID
	}
	return out, nil
}

const firstMsgDataID = 2_347_483_648

// digest stands for a clientmsgid that was not given.
// API: POST /cgi-bin/message/mass/sendall, clientmsgid "如不填，则后台默认以群发范围和群发内容的摘要值做为clientmsgid".
func digest(scope string, in massContent) string {
	in.ClientID = ""
	content, err := json.Marshal(in)
	if err != nil {
		return scope // a struct of texts and numbers always becomes JSON
	}
	sum := sha256.Sum256(append([]byte(scope+"\n"), content...))
	return hex.EncodeToString(sum[:])
}

// massBefore refuses a message that was accepted within 24 hours.
func (t *turn) massBefore(clientID string) *refusal {
	for _, key := range t.masses.keys() {
		m := t.masses.rows[key]
		if m.ClientID != clientID || t.now.Sub(m.At) >= clientIDLife {
			continue
		}
		soon := t.now.Sub(m.Last) < clientIDPause
		m.Last = t.now
		t.masses.put(t, key, m)
		if soon {
			return refuse(45066)
		}
		no := refuse(45065)
		no.msgID = digits(strings.TrimLeft(key, "0")).number()
		return no
	}
	return nil
}

// mayGetMass reports whether the user would get another message this month.
func (t *turn) mayGetMass(u user) bool {
	return u.Subscribed && !u.Barred && !u.Muted && (u.MassMonth != t.now.Format("2006-01") || u.Masses < massesAMonth)
}

// finishMass shows the message to everybody who may get it and tells the
// account.
func (t *turn) finishMass(j job) []field {
	m := t.masses.rows[order(j.MsgID)]
	outcome := t.settings.rows[massOutcomeSetting]
	if outcome == "" {
		outcome = "send success"
	}
	filtered, sent := 0, 0
	for _, openID := range m.To {
		u := t.users.rows[openID]
		if !t.mayGetMass(u) {
			continue
		}
		filtered++
		if outcome != "send success" {
			continue
		}
		if month := t.now.Format("2006-01"); u.MassMonth != month {
			u.MassMonth, u.Masses = month, 0
		}
		u.Masses++
		t.users.put(t, openID, u)
		t.show(openID, m.Bubble)
		sent++
	}
	m.State = massDone
	if outcome != "send success" {
		m.State = massFailed
	}
	if m.State == massDone && m.Kind == "mpnews" {
		t.drafts.drop(t, m.Bubble.Text) // a draft is gone once it is sent
	}
	t.masses.put(t, order(j.MsgID), m)
	addresses := []field{number("Count", int64(len(m.Articles))), nest("ResultList")}
	if m.State == massDone && len(m.Articles) > 0 {
		var items []field
		for i, a := range m.Articles {
			items = append(items, nest("item", number("ArticleIdx", int64(i+1)), text("ArticleUrl", a.URL)))
		}
		addresses[1] = nest("ResultList", items...)
	}
	if addresses[1].Nested == nil {
		addresses[0], addresses[1].Nested = number("Count", 0), []field{}
	}
	return t.event(user{OpenID: helper}, "MASSSENDJOBFINISH",
		number("MsgID", j.MsgID), text("Status", outcome), number("TotalCount", int64(len(m.To))), number("FilterCount", int64(filtered)),
		number("SentCount", int64(sent)), number("ErrorCount", int64(filtered-sent)),
		nest("CopyrightCheckResult", number("Count", 0), field{Name: "ResultList", Nested: []field{}}, number("CheckState", 1)),
		nest("ArticleUrlResult", addresses...))
}

var massOutcome = regexp.MustCompile(`^(send fail|err\(\d{5}\))$`)

// RefuseMasses lets messages to many that were accepted end in "send fail" or in
// what the platform's check says, "err(20008)", from now on; "" lets them be
// sent again. Invalid: another outcome.
func (p *Platform) RefuseMasses(outcome string) error {
	if outcome != "" && !massOutcome.MatchString(outcome) {
		return verbError(hospital.Invalid, "RefuseMasses", "bad_outcome", `want "send fail" or "err(20008)"`)
	}
	return p.act(func(t *turn) error {
		t.settings.put(t, massOutcomeSetting, outcome)
		return nil
	})
}

// previewMass answers mass/preview. A WeChat ID counts before an openid.
func (t *turn) previewMass(r *request) (any, *refusal) {
	var in struct {
		massContent
		To   string `json:"touser"`
		Name string `json:"towxname"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	to := in.To
	if in.Name != "" {
		to = ""
		for openID, u := range t.users.rows {
			if u.weChatID() == in.Name {
				to = openID
			}
		}
		if to == "" {
			return nil, refuse(40132)
		}
	}
	u, known := t.users.rows[to]
	switch {
	case !known:
		return nil, refuse(40003)
	case in.Name == "" && !u.Subscribed:
		return nil, refuse(43004)
	}
	b, _, no := t.massBubble(in.massContent, massVideoFile, videoFile)
	if no != nil {
		return nil, no
	}
	t.show(to, b)
	return struct {
		status
		ID int64 `json:"msg_id"`
	}{status{Text: "preview success"}, firstMassID + t.next("masses")}, nil
}

// WeChatID is the person's 微信号, by which a preview can reach them.
func (f *Follower) WeChatID() string {
	f.platform.mu.Lock()
	defer f.platform.mu.Unlock()
	return f.platform.users.rows[f.openID].weChatID()
}

func (u user) weChatID() string {
	return "wx_" + strconv.FormatInt(u.Order, 10) + strings.ToLower(u.OpenID[1:9])
}

// findMass answers mass/get.
func (t *turn) findMass(r *request) (any, *refusal) {
	var in struct {
		ID digits `json:"msg_id"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	m, there := t.masses.rows[order(in.ID.number())]
	if !there {
		return nil, refuse(40059)
	}
	return struct {
		ID    int64  `json:"msg_id"`
		State string `json:"msg_status"`
	}{in.ID.number(), m.State}, nil
}

// deleteMass answers mass/delete: articles and films that were sent.
func (t *turn) deleteMass(r *request) (any, *refusal) {
	var in struct {
		ID    digits `json:"msg_id"`
		Index int    `json:"article_idx"`
		URL   string `json:"url"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	key := order(in.ID.number())
	if in.URL != "" { // an address counts before a number
		key, in.Index = t.massOfArticle(in.URL)
	}
	m, there := t.masses.rows[key]
	switch {
	case !there, m.State != massDone, m.Kind != "mpnews" && m.Kind != "mpvideo":
		return nil, refuse(40059)
	case in.Index < 0, in.Index > max(1, len(m.Articles)):
		return nil, refuse(40060)
	}
	gone := true
	for i := range m.Articles {
		if in.Index == 0 || in.Index == i+1 {
			m.Articles[i].URL = ""
		}
		gone = gone && m.Articles[i].URL == ""
	}
	if gone {
		m.State = massDeleted
	}
	t.masses.put(t, key, m)
	return nil, nil
}

// massOfArticle finds the message with the article at the address.
func (t *turn) massOfArticle(address string) (key string, index int) {
	for _, key := range t.masses.keys() {
		for i, a := range t.masses.rows[key].Articles {
			if a.URL == address {
				return key, i + 1
			}
		}
	}
	return "", 0
}

// massSpeed answers mass/speed/get.
// API: POST /cgi-bin/message/mass/speed/get, "speed 与 realspeed 的关系".
func (t *turn) massSpeed(*request) (any, *refusal) {
	level := digits(t.settings.rows[speedSetting]).number()
	return struct {
		Level int64 `json:"speed"`
		Real  int   `json:"realspeed"`
	}{level, []int{80, 60, 45, 30, 10}[level]}, nil
}

// setMassSpeed answers mass/speed/set.
func (t *turn) setMassSpeed(r *request) (any, *refusal) {
	var in struct {
		Level *int `json:"speed"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	switch {
	case in.Level == nil:
		return nil, refuse(45084)
	case *in.Level < 0 || *in.Level > 4:
		return nil, refuse(45083)
	}
	t.settings.put(t, speedSetting, strconv.Itoa(*in.Level))
	return nil, nil
}

// uploadMassVideo answers media/uploadvideo.
func (t *turn) uploadMassVideo(r *request) (any, *refusal) {
	var in struct {
		MediaID     string `json:"media_id"`
		Title       string `json:"title"`
		Description string `json:"description"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	m, no := t.medium(in.MediaID, videoFile)
	switch {
	case no != nil:
		return nil, no
	case in.Title == "" || in.Description == "":
		return nil, refusef(40035, "invalid parameter: title, description")
	}
	return struct {
		Type    string `json:"type"`
		ID      string `json:"media_id"`
		Created int64  `json:"created_at"`
	}{"video", t.keepMedium(massVideoFile, m.Type, m.Data), t.now.Unix()}, nil
}

// draftArticles are the articles of a draft that stands in the box.
func (t *turn) draftArticles(mediaID string) ([]article, *refusal) {
	d, there := t.drafts.rows[mediaID]
	if !there || d.Leaving {
		return nil, refuse(40007)
	}
	return slices.Clone(d.Articles), nil
}

func articleCards(articles []article) []Card {
	var all []Card
	for _, a := range articles {
		all = append(all, Card{Title: a.Title, Text: a.Digest, URL: a.URL})
	}
	return all
}
