package wechat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// Files by their magic bytes.
const (
	aPicture = "\x89PNG\r\n\x1a\npicture"
	aThumb   = "\xff\xd8\xff\xe0picture"
	aVoice   = "ID3voice"
	aFilm    = "\x00\x00\x00\x18ftypmp42film"
)

// sender is an account on loopback with everything that sends: its client, its
// callback, and what both sides said.
type sender struct {
	*wechattest.Site
	*wechat.Client
	clock *testclock.Clock
	tb    testing.TB

	mu    sync.Mutex
	heard []wechat.Push
	sent  []sentCall
}

// sentCall is a call as it went over the wire.
type sentCall struct {
	method, path string
	query        url.Values
	kind         string
	body         []byte
}

func library() []wechattest.LibraryTemplate {
	fields := []wechattest.LibraryKeyword{
		{ID: 1, Name: "就诊人", Rule: "thing", Example: "陈素心"},
		{ID: 2, Name: "就诊时间", Rule: "time", Example: "15:01"},
		{ID: 3, Name: "科室", Rule: "thing", Example: "针灸科"},
		{ID: 4, Name: "序号", Rule: "number", Example: "7"},
	}
	return []wechattest.LibraryTemplate{
		{Number: "47123", Title: "预约成功通知", Keywords: fields},
		{Number: "TM00015", Title: "挂号通知", Content: "{{first.DATA}}\n姓名：{{keyword1.DATA}}\n{{remark.DATA}}", Industry: 22},
		{Number: "901", Title: "就诊提醒", Kind: wechattest.LongTerm, Category: 616, Keywords: fields},
		{Number: "902", Title: "候诊提醒", Kind: wechattest.OneTime, Category: 616, Keywords: fields},
		{Number: "903", Title: "订单提醒", Kind: wechattest.OneTime, Category: 2, Keywords: fields},
	}
}

func newSender(tb testing.TB) *sender {
	tb.Helper()
	s := &sender{clock: testclock.At(time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)), tb: tb}
	s.Site = wechattest.Start(tb, wechattest.Config{
		Now: s.clock.Now, Library: library(), Categories: []wechattest.Category{{ID: 616, Name: "公立医疗机构"}},
		OneTimeTemplate: "O", Cards: []string{"card1"}, Assistant: true, MiniPrograms: []string{"wx111"}, Domains: []string{"h.example.com"},
		Templates: []wechattest.Template{
			{ID: "T", Title: "预约成功", Content: "就诊人:{{thing1.DATA}}"},
			{ID: "S", Title: "报告已出", Content: "项目:{{thing1.DATA}}", Kind: wechattest.OneTime},
		},
	})
	account := s.Account()
	var err error
	s.Client, err = wechat.New(wechat.Config{
		AppID: account.AppID, Secret: account.Secret, BaseURL: s.URL, HTTPClient: &http.Client{Transport: s}, TripAfter: -1,
	})
	require.NoError(tb, err)
	tb.Cleanup(s.CloseIdle)
	callback, err := wechat.NewCallback(wechat.CallbackConfig{
		AppID: account.AppID, OriginalID: account.OriginalID, Mode: wechat.Safe, Tokens: []string{account.Token}, AESKeys: []string{account.AESKey},
		Now: s.clock.Now,
		Handle: func(_ context.Context, p wechat.Push) (wechat.Reply, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.heard = append(s.heard, p)
			if text, ok := p.Content.(wechat.Text); ok && text.Content == "人工" {
				return wechat.TransferReply{}, nil
			}
			return nil, nil
		},
	})
	require.NoError(tb, err)
	s.CallbackTo(callback)
	return s
}

// RoundTrip remembers the call and makes it.
func (s *sender) RoundTrip(r *http.Request) (*http.Response, error) {
	call := sentCall{method: r.Method, path: r.URL.Path, query: r.URL.Query(), kind: r.Header.Get("Content-Type")}
	if r.Body != nil {
		var err error
		if call.body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(call.body))
	}
	s.mu.Lock()
	s.sent = append(s.sent, call)
	s.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// last is the last call to the path.
func (s *sender) last(path string) sentCall {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, call := range slices.Backward(s.sent) {
		if call.path == path {
			return call
		}
	}
	require.FailNow(s.tb, "nothing went to "+path)
	return sentCall{}
}

// settle lets what was accepted happen.
func (s *sender) settle() {
	s.tb.Helper()
	for s.Pending() > 0 {
		s.clock.Pass(time.Second)
		_, err := s.Advance(s.tb.Context())
		require.NoError(s.tb, err)
	}
}

// events are the contents of the last pushes, the newest last.
func (s *sender) events() []wechat.Content {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]wechat.Content, len(s.heard))
	for i, p := range s.heard {
		all[i] = p.Content
	}
	return all
}

func (s *sender) latest() wechat.Content { all := s.events(); return all[len(all)-1] }

// upload sends a temporary file.
func (s *sender) upload(kind wechat.MediaKind, data string) string {
	s.tb.Helper()
	m, err := s.UploadMedia(s.tb.Context(), wechat.Upload{Kind: kind, Name: "a", Content: strings.NewReader(data)})
	require.NoError(s.tb, err)
	return m.ID
}

// draft puts an article into the box.
func (s *sender) draft(titles ...string) string {
	s.tb.Helper()
	cover, err := s.AddMaterial(s.tb.Context(), wechat.NewMaterial{Upload: wechat.Upload{Kind: wechat.ImageMedia, Name: "a.png", Content: strings.NewReader(aPicture)}})
	require.NoError(s.tb, err)
	var articles []wechat.DraftArticle
	for _, title := range titles {
		articles = append(articles, wechat.DraftArticle{Title: title, Content: "<p>多喝水</p>", ThumbID: cover.ID})
	}
	id, err := s.AddDraft(s.tb.Context(), articles)
	require.NoError(s.tb, err)
	return id
}

func openID(f *wechattest.Follower) wechat.OpenID { return wechat.OpenID(f.OpenID()) }

func lastBubble(f *wechattest.Follower) wechattest.Bubble {
	chat := f.Chat()
	return chat[len(chat)-1]
}

func code(err error) string { return hospital.CodeOf(err) }

// replay makes a call of ours once more with another body or query, and returns
// the errcode.
func (s *sender) replay(call sentCall) int {
	s.tb.Helper()
	r := httptest.NewRequest(call.method, call.path+"?"+call.query.Encode(), bytes.NewReader(call.body))
	r.Header.Set("Content-Type", call.kind)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	require.Equal(s.tb, http.StatusOK, w.Code)
	var answer struct {
		Code int `json:"errcode"`
	}
	require.NoError(s.tb, json.Unmarshal(w.Body.Bytes(), &answer))
	return answer.Code
}

// misspell returns the JSON once for each of its members, with that one
// renamed.
func misspell(tb testing.TB, body []byte) map[string][]byte {
	tb.Helper()
	var root any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	require.NoError(tb, decoder.Decode(&root))
	out := map[string][]byte{}
	var walk func(at string, node any)
	walk = func(at string, node any) {
		switch node := node.(type) {
		case map[string]any:
			for name, value := range node {
				delete(node, name)
				node[name+"x"] = value
				wrong, err := json.Marshal(root)
				require.NoError(tb, err)
				out[at+name] = bytes.ReplaceAll(wrong, []byte(`\u0026`), []byte("&"))
				delete(node, name+"x")
				node[name] = value
				walk(at+name+".", value)
			}
		case []any:
			for i, value := range node {
				walk(fmt.Sprintf("%s%d.", at, i), value)
			}
		}
	}
	walk("", root)
	return out
}

// TestNoFieldOfASendCanBeMisspelled makes every call that sends or administers,
// and then once more with each of its fields renamed: a slip of ours in one of
// them would not go unnoticed.
func TestNoFieldOfASendCanBeMisspelled(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	f, other := s.Follower(ctx, "陈素心"), s.Follower(ctx, "老吴")
	to := openID(f)
	picture, voice, film, thumb := s.upload(wechat.ImageMedia, aPicture), s.upload(wechat.VoiceMedia, aVoice), s.upload(wechat.VideoMedia, aFilm), s.upload(wechat.ThumbMedia, aThumb)
	box := s.draft("膏方")
	agent := "a@" + s.Account().OriginalID
	mini := &wechat.MiniProgram{AppID: "wx111", Page: "p"}
	article := s.publish("冬病夏治")
	ready := ""
	message := func(m wechat.CustomerMessage) func() error {
		return func() error {
			if err := f.Say(ctx, "在吗"); err != nil {
				return err
			}
			return s.SendMessage(ctx, to, m)
		}
	}
	mass := func(m wechat.Mass) func() error {
		return func() error { _, err := s.SendMass(ctx, m); return err }
	}
	visit := booked1()
	visit.To, visit.Visit.Page, visit.Visit.Elder = to, wechat.VisitPage{URL: "https://h.example.com/a"}, wechat.VisitPage{MiniProgram: mini}
	var id string
	for _, step := range []struct {
		name, path string
		do         func() error
	}{
		{"a template", "/cgi-bin/message/template/send", func() error {
			_, err := s.Notify(ctx, wechat.Notice{
				Kind: wechat.TemplateMessage, To: to, Template: "T", Data: map[string]string{"thing1": "a"}, Colors: map[string]string{"thing1": "#173177"},
				URL: "https://h.example.com/", MiniProgram: mini, Key: "key-01",
			})
			return err
		}},
		{"a subscription", "/cgi-bin/message/subscribe/bizsend", func() error {
			if err := f.Subscribe(ctx, true, "S"); err != nil {
				return err
			}
			_, err := s.Notify(ctx, wechat.Notice{
				Kind: wechat.SubscriptionNotice, To: to, Template: "S", Data: map[string]string{"thing1": "a"}, URL: "https://h.example.com/", MiniProgram: mini,
			})
			return err
		}},
		{"adding a template", "/cgi-bin/template/api_add_template", func() (err error) {
			id, err = s.AddTemplate(ctx, wechat.NewTemplate{Number: "47123", Keywords: []string{"科室", "就诊人"}})
			return err
		}},
		{"deleting a template", "/cgi-bin/template/del_private_template", func() error { return s.DeleteTemplate(ctx, id) }},
		{"industries", "/cgi-bin/template/api_set_industry", func() error { return s.ChooseIndustries(ctx, wechat.IndustryChoice{Primary: 22, Secondary: 24}) }},
		{"public titles", "/wxaapi/newtmpl/getpubtemplatetitles", func() error {
			_, err := s.ListPublicTemplates(ctx, wechat.PublicTemplateQuery{Categories: []int64{616}})
			return err
		}},
		{"public keywords", "/wxaapi/newtmpl/getpubtemplatekeywords", func() error { _, err := s.ListKeywords(ctx, 901); return err }},
		{"adding a subscription", "/wxaapi/newtmpl/addtemplate", func() (err error) {
			id, err = s.AddSubscription(ctx, wechat.NewSubscription{PublicTemplate: 901, Keywords: []int{1, 2}, Scene: "就诊提醒"})
			return err
		}},
		{"deleting a subscription", "/wxaapi/newtmpl/deltemplate", func() error { return s.DeleteSubscription(ctx, id) }},
		{"a one-time message", "/cgi-bin/message/template/subscribe", func() error {
			link, err := s.OneTimeLink(wechat.OneTimeAsk{Template: "O", Scene: 7, RedirectURL: "https://h.example.com/", Reserved: "r1"})
			if err != nil {
				return err
			}
			if _, err := f.AnswerOneTime(link, true); err != nil {
				return err
			}
			return s.SendOneTime(ctx, wechat.OneTimeMessage{To: to, Template: "O", Scene: 7, Title: "报告", Content: "已出", Color: "#173177", URL: "https://h.example.com/", MiniProgram: mini})
		}},
		{"an agent", "/customservice/kfaccount/add", func() error { return s.AddAgent(ctx, wechat.AgentProfile{Account: agent, Name: "小王"}) }},
		{"an agent's new name", "/customservice/kfaccount/update", func() error { return s.UpdateAgent(ctx, wechat.AgentProfile{Account: agent, Name: "王护士"}) }},
		{"an agent's picture", "/customservice/kfaccount/uploadheadimg", func() error { return s.UploadAgentPicture(ctx, agent, strings.NewReader(aThumb)) }},
		{"an invitation", "/customservice/kfaccount/inviteworker", func() error {
			return s.InviteAgent(ctx, wechat.AgentInvitation{Account: agent, WeChatID: "nurse_wang"})
		}},
		{"a text", "/cgi-bin/message/custom/send", message(wechat.TextMessage{Content: "您好"})},
		{"a picture", "/cgi-bin/message/custom/send", message(wechat.ImageMessage{MediaID: picture})},
		{"a voice", "/cgi-bin/message/custom/send", message(wechat.VoiceMessage{MediaID: voice})},
		{"a film", "/cgi-bin/message/custom/send", message(wechat.VideoMessage{MediaID: film, ThumbMediaID: thumb, Title: "a", Description: "b"})},
		{"music", "/cgi-bin/message/custom/send", message(wechat.MusicMessage{Title: "a", Description: "b", URL: "https://h.example.com/a", HQURL: "https://h.example.com/b", ThumbMediaID: thumb})},
		{"news", "/cgi-bin/message/custom/send", message(wechat.NewsMessage{Title: "a", Description: "b", URL: "https://h.example.com/", PictureURL: "https://h.example.com/p"})},
		{"articles", "/cgi-bin/message/custom/send", message(wechat.MPNewsMessage{MediaID: box})},
		{"a publication", "/cgi-bin/message/custom/send", message(wechat.MPArticleMessage{ArticleID: article})},
		{"a question", "/cgi-bin/message/custom/send", message(wechat.MenuMessage{Head: "满意吗", Choices: []wechat.MenuChoice{{ID: "1", Content: "满意"}}, Tail: "谢谢"})},
		{"a coupon", "/cgi-bin/message/custom/send", message(wechat.CardMessage{CardID: "card1"})},
		{"a mini program", "/cgi-bin/message/custom/send", message(wechat.MiniProgramMessage{Title: "a", AppID: "wx111", Page: "p", ThumbMediaID: thumb})},
		{"an agent's text", "/cgi-bin/message/custom/send", message(wechat.AgentMessage{Account: agent, Message: wechat.TextMessage{Content: "您好"}})},
		{"typing", "/cgi-bin/message/custom/typing", func() error { return s.ShowTyping(ctx, to) }},
		{"a session", "/customservice/kfsession/create", func() error {
			if err := errors.Join(s.AnswerInvitation("nurse_wang", true), s.Attend(agent, true)); err != nil {
				return err
			}
			return s.CreateSession(ctx, agent, to)
		}},
		{"who talks", "/customservice/kfsession/getsession", func() error { _, err := s.FindSession(ctx, to); return err }},
		{"whom an agent talks to", "/customservice/kfsession/getsessionlist", func() error { _, err := s.ListSessions(ctx, agent); return err }},
		{"records", "/customservice/msgrecord/getmsglist", func() error {
			_, err := s.ListRecords(ctx, wechat.RecordQuery{From: s.clock.Now().Add(-time.Hour), To: s.clock.Now()})
			return err
		}},
		{"the end of a session", "/customservice/kfsession/close", func() error { return s.CloseSession(ctx, agent, to) }},
		{"a seat less", "/customservice/kfaccount/del", func() error { return s.DeleteAgent(ctx, agent) }},
		{"a preview", "/cgi-bin/message/mass/preview", func() error {
			return s.PreviewMass(ctx, wechat.MassPreview{To: to, Content: wechat.MPNewsMessage{MediaID: box}})
		}},
		{"a preview by name", "/cgi-bin/message/mass/preview", func() error {
			return s.PreviewMass(ctx, wechat.MassPreview{WeChatID: f.WeChatID(), Content: wechat.ImageMessage{MediaID: picture}})
		}},
		{"articles to all", "/cgi-bin/message/mass/sendall", mass(wechat.Mass{All: true, Content: wechat.MPNewsMessage{MediaID: box}, Reprint: true, Key: "mass-01"})},
		{"pictures to a list", "/cgi-bin/message/mass/send", mass(wechat.Mass{OpenIDs: []wechat.OpenID{to, openID(other)}, Content: wechat.MassImages{MediaIDs: []string{picture}, Recommend: "看", Comments: true, FollowersOnly: true}})},
		{"a film to a list", "/cgi-bin/message/mass/send", mass(wechat.Mass{OpenIDs: []wechat.OpenID{to, openID(other)}, Content: wechat.MassVideo{MediaID: film, Title: "a", Description: "b"}})},
		{"a film made ready", "/cgi-bin/media/uploadvideo", func() (err error) {
			ready, err = s.UploadMassVideo(ctx, wechat.MassVideo{MediaID: film, Title: "a", Description: "b"})
			return err
		}},
		{"a film to all", "/cgi-bin/message/mass/sendall", func() error {
			return mass(wechat.Mass{All: true, Content: wechat.MassVideo{MediaID: ready}})()
		}},
		{"a speed", "/cgi-bin/message/mass/speed/set", func() error { return s.LimitMassSpeed(ctx, 2) }},
		{"a visit", "/cityservice/sendchannelmsg", func() error { return s.SendVisit(ctx, visit) }},
	} {
		require.NoError(t, step.do(), step.name)
		call := s.last(step.path)
		switch {
		case strings.HasPrefix(call.kind, "application/json"):
			for field, body := range misspell(t, call.body) {
				wrong := call
				wrong.body = body
				require.NotZero(t, s.replay(wrong), "%s: %s", step.name, field)
			}
		case strings.HasPrefix(call.kind, "application/x-www-form-urlencoded"):
			fields, err := url.ParseQuery(string(call.body))
			require.NoError(t, err)
			for field, values := range fields {
				wrong, form := call, url.Values{field + "x": values}
				for name, same := range fields {
					if name != field {
						form[name] = same
					}
				}
				wrong.body = []byte(form.Encode())
				require.NotZero(t, s.replay(wrong), "%s: %s", step.name, field)
			}
		}
		for field := range call.query {
			if field == "access_token" {
				continue
			}
			wrong := call
			wrong.query = url.Values{"access_token": call.query["access_token"]}
			for name, same := range call.query {
				if name != field {
					wrong.query[name] = same
				}
			}
			require.NotZero(t, s.replay(wrong), "%s: %s", step.name, field)
		}
	}
}

// publish publishes an article and returns its id.
func (s *sender) publish(title string) string {
	s.tb.Helper()
	_, err := s.PublishDraft(s.tb.Context(), s.draft(title))
	require.NoError(s.tb, err)
	s.settle()
	published, ok := s.latest().(wechat.Published)
	require.True(s.tb, ok)
	require.Zero(s.tb, published.Status)
	return published.ArticleID
}

// booked1 is a message about a visit that was booked.
func booked1() wechat.VisitMessage {
	return wechat.VisitMessage{
		To: testOpenID, Status: wechat.VisitBooked, Order: "visit-1", Key: "visit-1-booked",
		Visit: wechat.Visit{
			CardNo: "a123456", Patient: "陈*心", Doctor: "王小二", Department: "门诊3楼针灸科", Location: "3楼东", Time: "2026-11-26 10:30-11:00", Memo: "请空腹",
		},
	}
}
