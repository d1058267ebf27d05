package wechat_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestEveryKindOfMessageReachesThePhone(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	f := s.Follower(ctx, "陈素心")
	picture, voice, film, thumb := s.upload(wechat.ImageMedia, aPicture), s.upload(wechat.VoiceMedia, aVoice), s.upload(wechat.VideoMedia, aFilm), s.upload(wechat.ThumbMedia, aThumb)
	box, article := s.draft("膏方"), s.publish("冬病夏治")
	for _, test := range []struct {
		message wechat.CustomerMessage
		want    wechattest.Bubble
	}{
		{wechat.TextMessage{Content: "请到<3>楼 & 稍候\n谢谢"}, wechattest.Bubble{Kind: "text", Text: "请到<3>楼 & 稍候\n谢谢"}},
		{wechat.ImageMessage{MediaID: picture}, wechattest.Bubble{Kind: "image", Text: picture}},
		{wechat.VoiceMessage{MediaID: voice}, wechattest.Bubble{Kind: "voice", Text: voice}},
		{wechat.VideoMessage{MediaID: film, ThumbMediaID: thumb, Title: "康复操", Description: "十分钟"}, wechattest.Bubble{Kind: "video", Text: film, Cards: []wechattest.Card{{Title: "康复操", Text: "十分钟"}}}},
		{
			wechat.MusicMessage{Title: "静心", URL: "https://h.example.com/a", HQURL: "https://h.example.com/b", ThumbMediaID: thumb},
			wechattest.Bubble{Kind: "music", Text: thumb, Cards: []wechattest.Card{{Title: "静心", URL: "https://h.example.com/a"}}},
		},
		{wechat.NewsMessage{Title: "怎么取号", URL: "https://h.example.com/?a=1&b=2"}, wechattest.Bubble{Kind: "news", Cards: []wechattest.Card{{Title: "怎么取号", URL: "https://h.example.com/?a=1&b=2"}}}},
		{wechat.CardMessage{CardID: "card1"}, wechattest.Bubble{Kind: "wxcard", Text: "card1"}},
		{
			wechat.MiniProgramMessage{Title: "查报告", AppID: "wx111", Page: "report", ThumbMediaID: thumb},
			wechattest.Bubble{Kind: "miniprogrampage", Text: thumb, Cards: []wechattest.Card{{Title: "查报告", MiniProgram: "wx111/report"}}},
		},
	} {
		require.NoError(t, f.Say(ctx, "在吗"))
		require.NoError(t, s.SendMessage(ctx, openID(f), test.message))
		got := lastBubble(f)
		got.At, test.want.From = time.Time{}, wechattest.Ours
		require.Equal(t, test.want, got)
	}
	require.NoError(t, s.SendMessage(ctx, openID(f), wechat.MPNewsMessage{MediaID: box}))
	require.Equal(t, "膏方", lastBubble(f).Cards[0].Title)
	require.NoError(t, s.SendMessage(ctx, openID(f), wechat.MPArticleMessage{ArticleID: article}))
	require.Equal(t, "冬病夏治", lastBubble(f).Cards[0].Title)

	require.NoError(t, s.SendMessage(ctx, openID(f), wechat.MenuMessage{Head: "满意吗？", Choices: []wechat.MenuChoice{{ID: "101", Content: "满意"}, {ID: "102", Content: "不满意"}}, Tail: "欢迎再来"}))
	require.NoError(t, f.Choose(ctx, "102"))
	require.Equal(t, wechat.Text{Content: "不满意", MenuChoice: "102"}, s.latest())
	for message, want := range map[wechat.CustomerMessage]string{
		wechat.ImageMessage{MediaID: voice}:                                                     "40007", // another kind of file
		wechat.VideoMessage{MediaID: film, ThumbMediaID: voice}:                                 "40007",
		wechat.CardMessage{CardID: "card2"}:                                                     "40073",
		wechat.MPNewsMessage{MediaID: picture}:                                                  "40007",
		wechat.MPArticleMessage{ArticleID: "none"}:                                              "40007",
		wechat.MiniProgramMessage{Title: "a", AppID: "wx2", Page: "p", ThumbMediaID: thumb}:     "40166",
		wechat.AgentMessage{Account: "nobody@h", Message: wechat.CardMessage{CardID: "card1"}}:  "65401",
		wechat.AgentMessage{Account: "nobody@h", Message: wechat.TextMessage{Content: "请到三楼。"}}: "65401",
	} {
		require.Equal(t, want, code(s.SendMessage(ctx, openID(f), message)), "%T", message)
	}
}

func TestAMessageIsCheckedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	for field, message := range map[string]wechat.CustomerMessage{
		"text.content":                   wechat.TextMessage{Content: strings.Repeat("字", 683)},
		"image.media_id":                 wechat.ImageMessage{},
		"voice.media_id":                 wechat.VoiceMessage{},
		"video.media_id":                 wechat.VideoMessage{ThumbMediaID: "a"},
		"video.thumb_media_id":           wechat.VideoMessage{MediaID: "a"},
		"music.musicurl":                 wechat.MusicMessage{HQURL: "https://h.example.com", ThumbMediaID: "a"},
		"music.hqmusicurl":               wechat.MusicMessage{URL: "https://h.example.com", ThumbMediaID: "a"},
		"music.thumb_media_id":           wechat.MusicMessage{URL: "https://h.example.com", HQURL: "https://h.example.com"},
		"news.articles[0].title":         wechat.NewsMessage{URL: "https://h.example.com"},
		"news.articles[0].url":           wechat.NewsMessage{Title: "a", URL: "tel:120"},
		"news.articles[0].picurl":        wechat.NewsMessage{Title: "a", URL: "https://h.example.com", PictureURL: "a.png"},
		"mpnews.media_id":                wechat.MPNewsMessage{},
		"mpnewsarticle.article_id":       wechat.MPArticleMessage{},
		"msgmenu.head_content":           wechat.MenuMessage{},
		"msgmenu.list: missing":          wechat.MenuMessage{Head: "a"},
		"msgmenu.list[0].id":             wechat.MenuMessage{Head: "a", Choices: []wechat.MenuChoice{{Content: "a"}}},
		"msgmenu.list[0].content":        wechat.MenuMessage{Head: "a", Choices: []wechat.MenuChoice{{ID: "a"}}},
		"msgmenu.list[1].id: twice":      wechat.MenuMessage{Head: "a", Choices: []wechat.MenuChoice{{ID: "a", Content: "a"}, {ID: "a", Content: "b"}}},
		"wxcard.card_id":                 wechat.CardMessage{},
		"miniprogrampage.title":          wechat.MiniProgramMessage{},
		"miniprogrampage.appid":          wechat.MiniProgramMessage{Title: "a"},
		"miniprogrampage.pagepath":       wechat.MiniProgramMessage{Title: "a", AppID: "a"},
		"miniprogrampage.thumb_media_id": wechat.MiniProgramMessage{Title: "a", AppID: "a", Page: "a"},
		"customservice.kf_account":       wechat.AgentMessage{Account: "desk", Message: wechat.TextMessage{Content: "a"}},
		"msgtype":                        wechat.AgentMessage{Account: "a@h"},
	} {
		err := s.SendMessage(t.Context(), "o", message)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_message"}, field)
		require.ErrorContains(t, err, field)
	}
	require.ErrorContains(t, s.SendMessage(t.Context(), "o", nil), "msgtype")
	require.ErrorContains(t, s.SendMessage(t.Context(), "", wechat.TextMessage{Content: "a"}), "touser")
	require.ErrorContains(t, s.ShowTyping(t.Context(), ""), "touser")
	require.Empty(t, s.sent, "nothing was sent")
}

func TestTypingShowsForAWhile(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	f := s.Follower(ctx, "陈素心")
	require.NoError(t, f.Say(ctx, "在吗"))
	require.NoError(t, s.ShowTyping(ctx, openID(f)))
	require.True(t, f.Typing())
	require.Equal(t, "45081", code(s.ShowTyping(ctx, openID(f))), "it shows already")
	s.clock.Pass(15 * time.Second)
	require.False(t, f.Typing())
	require.NoError(t, s.ShowTyping(ctx, openID(f)))
	require.NoError(t, s.CancelTyping(ctx, openID(f)))
	require.False(t, f.Typing())
	require.NoError(t, s.ShowTyping(ctx, openID(f)))
	require.NoError(t, s.SendText(ctx, openID(f), "在的"))
	require.False(t, f.Typing(), "a message ends it")
	s.clock.Pass(31 * time.Second)
	require.Equal(t, "45080", code(s.ShowTyping(ctx, openID(f))), "nobody has written for half a minute")
}

// TestWhoCannotBeReachedIsSaidSo covers every call that sends: the caller then
// takes another way, such as a text message.
func TestWhoCannotBeReachedIsSaidSo(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	gone, mute, stranger := s.Follower(ctx, "走了"), s.Follower(ctx, "免打扰"), wechat.OpenID("oNobody0000000000000000000000")
	require.NoError(t, gone.Unfollow(ctx))
	require.NoError(t, mute.Mute(true))
	template := func(to wechat.OpenID) error {
		_, err := s.Notify(ctx, wechat.Notice{Kind: wechat.TemplateMessage, To: to, Template: "T", Data: map[string]string{"thing1": "陈素心"}})
		return err
	}
	subscription := func(to wechat.OpenID) error {
		_, err := s.Notify(ctx, wechat.Notice{Kind: wechat.SubscriptionNotice, To: to, Template: "S", Data: map[string]string{"thing1": "陈素心"}})
		return err
	}
	oneTime := func(to wechat.OpenID) error {
		return s.SendOneTime(ctx, wechat.OneTimeMessage{To: to, Template: "O", Title: "报告", Content: "陈素心的报告"})
	}
	text := func(to wechat.OpenID) error { return s.SendText(ctx, to, "陈素心的报告") }
	visit := func(to wechat.OpenID) error {
		m := booked1()
		m.To, m.Visit.Patient = to, "陈素心"
		return s.SendVisit(ctx, m)
	}
	preview := func(to wechat.OpenID) error {
		return s.PreviewMass(ctx, wechat.MassPreview{To: to, Content: wechat.TextMessage{Content: "陈素心的报告"}})
	}
	for _, test := range []struct {
		name string
		send func(wechat.OpenID) error
		to   wechat.OpenID
		want string
	}{
		{"a template to who left", template, openID(gone), "43004"},
		{"a template to nobody", template, stranger, "40003"},
		{"a subscription without consent", subscription, openID(gone), "43101"},
		{"a subscription to nobody", subscription, stranger, "40003"},
		{"a one-time message without consent", oneTime, openID(mute), "43101"},
		{"a one-time message to nobody", oneTime, stranger, "40003"},
		{"a text to who left", text, openID(gone), "45015"},
		{"a text to who switched messages off", text, openID(mute), "48002"},
		{"a text to nobody", text, stranger, "40003"},
		{"a visit of nobody", visit, stranger, "40003"},
		{"a preview to who left", preview, openID(gone), "43004"},
		{"a preview to nobody", preview, stranger, "40003"},
	} {
		err := test.send(test.to)
		require.Equal(t, test.want, code(err), test.name)
		require.True(t, wechat.Unreachable(err), test.name)
		require.Equal(t, hospital.Rejected, hospital.KindOf(err), test.name)
		require.NotContains(t, err.Error(), string(test.to), test.name)
		require.NotContains(t, err.Error(), "陈素心", test.name)
	}
	chatty := s.Follower(ctx, "话多")
	for range 3 {
		require.NoError(t, text(openID(chatty)))
	}
	err := text(openID(chatty))
	require.ErrorIs(t, err, wechat.ErrTooMany)
	require.True(t, wechat.Unreachable(err))
	s.clock.Pass(time.Minute)
	require.ErrorIs(t, text(openID(chatty)), wechat.ErrOutOfTime)
}

func TestTheDeskTakesTurns(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	f := s.Follower(ctx, "陈素心")
	wang, li := "wang@"+s.Account().OriginalID, "li@"+s.Account().OriginalID
	for _, account := range []string{wang, li} {
		require.NoError(t, s.AddAgent(ctx, wechat.AgentProfile{Account: account, Name: "护士"}))
	}
	require.Equal(t, "65406", code(s.AddAgent(ctx, wechat.AgentProfile{Account: wang, Name: "护士"})))
	require.Equal(t, "65404", code(s.AddAgent(ctx, wechat.AgentProfile{Account: "a@elsewhere", Name: "护士"})))
	require.NoError(t, s.UpdateAgent(ctx, wechat.AgentProfile{Account: wang, Name: "王护士"}))
	require.NoError(t, s.UploadAgentPicture(ctx, wang, strings.NewReader(aThumb)))
	require.Equal(t, "40005", code(s.UploadAgentPicture(ctx, wang, strings.NewReader(aPicture))))
	require.Equal(t, "65402", code(s.CreateSession(ctx, wang, openID(f))), "the seat is empty")

	invite := wechat.AgentInvitation{Account: wang, WeChatID: "nurse_wang"}
	require.NoError(t, s.InviteAgent(ctx, invite))
	require.Equal(t, "65411", code(s.InviteAgent(ctx, invite)))
	require.Equal(t, "65408", code(s.InviteAgent(ctx, wechat.AgentInvitation{Account: li, WeChatID: "nurse_wang"})))
	require.Equal(t, "65409", code(s.InviteAgent(ctx, wechat.AgentInvitation{Account: li, WeChatID: "1"})))
	agents, err := s.ListAgents(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"", "waiting"}, []string{agents[0].InviteState, agents[1].InviteState})
	require.Equal(t, s.clock.Now().Add(24*time.Hour), agents[1].InviteExpires)
	require.Equal(t, "王护士", agents[1].Name)
	require.NotEmpty(t, agents[1].PictureURL)
	require.NoError(t, s.AnswerInvitation("nurse_wang", true))
	require.Equal(t, "65412", code(s.InviteAgent(ctx, invite)))
	require.Equal(t, "65407", code(s.InviteAgent(ctx, wechat.AgentInvitation{Account: li, WeChatID: "nurse_wang"})))
	require.NoError(t, s.InviteAgent(ctx, wechat.AgentInvitation{Account: li, WeChatID: "nurse_li"}))
	require.NoError(t, s.AnswerInvitation("nurse_li", true))

	begun := s.clock.Now()
	require.NoError(t, f.Say(ctx, "人工"))
	waiting, err := s.ListWaiting(ctx)
	require.NoError(t, err)
	require.Equal(t, wechat.Waiting{Count: 1, Users: []wechat.WaitingUser{{OpenID: openID(f), Since: begun}}}, waiting)
	require.Equal(t, "65415", code(s.CreateSession(ctx, wang, openID(f))), "she is not at the desk")
	require.NoError(t, s.Attend(wang, true))
	require.NoError(t, s.Attend(li, true))
	require.NoError(t, s.CreateSession(ctx, wang, openID(f)))
	require.NoError(t, s.CreateSession(ctx, wang, openID(f)), "again is as well")
	require.Equal(t, "65414", code(s.CreateSession(ctx, li, openID(f))))
	s.settle()
	require.Equal(t, wechat.SessionCreated{Account: wang}, s.latest())
	online, err := s.ListOnlineAgents(ctx)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1}, []int{online[0].Sessions, online[1].Sessions})
	found, err := s.FindSession(ctx, openID(f))
	require.NoError(t, err)
	require.Equal(t, wang, found.Account)
	sessions, err := s.ListSessions(ctx, wang)
	require.NoError(t, err)
	require.Equal(t, []wechat.AgentSession{found}, sessions)
	waiting, err = s.ListWaiting(ctx)
	require.NoError(t, err)
	require.Zero(t, waiting.Count)

	require.NoError(t, f.Say(ctx, "我想改期"))
	require.NoError(t, s.AgentSay(wang, f.OpenID(), "改到周几？"))
	require.Equal(t, "王护士", lastBubble(f).Agent)
	require.NoError(t, s.SendMessage(ctx, openID(f), wechat.AgentMessage{Account: wang, Message: wechat.TextMessage{Content: "已改到周五。"}}))
	var texts []string
	query := wechat.RecordQuery{From: begun.Add(-time.Minute), To: s.clock.Now().Add(time.Minute), Limit: 2}
	for {
		page, err := s.ListRecords(ctx, query)
		require.NoError(t, err)
		for _, r := range page.Records {
			require.Equal(t, openID(f), r.OpenID)
			require.NotContains(t, slog.AnyValue(r).Resolve().String(), r.Text, "what was said stays out of logs")
			texts = append(texts, r.Text)
		}
		if query.After = page.Next; page.Next == 0 {
			break
		}
	}
	require.Equal(t, []string{"我想改期", "改到周几？", "已改到周五。"}, texts)

	require.NoError(t, s.CloseSession(ctx, wang, openID(f)))
	require.Equal(t, "65413", code(s.CloseSession(ctx, wang, openID(f))))
	s.settle()
	require.Equal(t, wechat.SessionClosed{Account: wang}, s.latest())
	found, err = s.FindSession(ctx, openID(f))
	require.NoError(t, err)
	require.Empty(t, found.Account)
	require.NoError(t, s.CreateSession(ctx, wang, openID(f)))
	require.NoError(t, s.DeleteAgent(ctx, wang))
	s.settle()
	require.Equal(t, wechat.SessionClosed{Account: wang}, s.latest(), "who is gone talks to nobody")
	require.Equal(t, "65401", code(s.DeleteAgent(ctx, wang)))
}

func TestTheDeskIsAskedInItsForm(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, hospital.CST)
	s, ctx := newSender(t), t.Context()
	records := func(q wechat.RecordQuery) error {
		_, err := s.ListRecords(ctx, q)
		return err
	}
	for field, err := range map[string]error{
		"kf_account":       s.AddAgent(ctx, wechat.AgentProfile{Account: "a-b@h", Name: "a"}),
		"nickname":         s.AddAgent(ctx, wechat.AgentProfile{Account: "a@h", Name: strings.Repeat("字", 17)}),
		"kf_account: want": s.InviteAgent(ctx, wechat.AgentInvitation{WeChatID: "a"}),
		"invite_wx":        s.InviteAgent(ctx, wechat.AgentInvitation{Account: "a@h"}),
		"openid":           s.CreateSession(ctx, "a@h", ""),
		"starttime":        records(wechat.RecordQuery{To: at}),
		"endtime: not":     records(wechat.RecordQuery{From: at, To: at}),
		"endtime: more":    records(wechat.RecordQuery{From: at, To: at.Add(25 * time.Hour)}),
		"msgid":            records(wechat.RecordQuery{From: at, To: at.Add(time.Hour), After: -1}),
		"number":           records(wechat.RecordQuery{From: at, To: at.Add(time.Hour), Limit: 201}),
	} {
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), field)
		require.ErrorContains(t, err, field)
	}
	require.Empty(t, s.sent, "nothing was sent")
}
