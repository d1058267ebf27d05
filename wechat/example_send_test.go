package wechat_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// clinic is a client of a simulated account that may send everything, and two
// of its followers. Against the real platform only BaseURL and the credentials
// differ.
func clinic() (client *wechat.Client, p *wechattest.Platform, chen, wu *wechattest.Follower, stop func()) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	fields := []wechattest.LibraryKeyword{
		{ID: 1, Name: "就诊人", Rule: "thing", Example: "陈素心"}, {ID: 2, Name: "就诊时间", Rule: "time", Example: "15:01"}, {ID: 3, Name: "科室", Rule: "thing", Example: "针灸科"},
	}
	p, err := wechattest.New(wechattest.Config{
		OriginalID: "gh_1", Domains: []string{"h.example.com"}, OneTimeTemplate: "T-once", Assistant: true,
		Categories: []wechattest.Category{{ID: 616, Name: "公立医疗机构"}},
		Library: []wechattest.LibraryTemplate{
			{Number: "47123", Title: "预约成功通知", Keywords: fields},
			{Number: "901", Title: "就诊提醒", Kind: wechattest.LongTerm, Category: 616, Keywords: fields},
		},
		Templates: []wechattest.Template{{ID: "T-old", Title: "挂号通知", Content: "科室:{{thing1.DATA}}"}, {ID: "S-old", Title: "报告通知", Content: "项目:{{thing1.DATA}}", Kind: wechattest.LongTerm}},
	})
	must(err)
	server := httptest.NewServer(p.Handler())
	chen, err = p.Join("陈素心")
	must(err)
	must(chen.Follow(context.Background()))
	wu, err = p.Join("老吴")
	must(err)
	must(wu.Follow(context.Background()))
	client, err = wechat.New(wechat.Config{AppID: p.Account().AppID, Secret: p.Account().Secret, BaseURL: server.URL})
	must(err)
	return client, p, chen, wu, func() {
		client.CloseIdle()
		server.Close()
		must(p.Close())
	}
}

func ExampleClient_AddTemplate() {
	client, _, _, _, stop := clinic()
	defer stop()
	id, err := client.AddTemplate(context.Background(), wechat.NewTemplate{Number: "47123", Keywords: []string{"科室", "就诊时间"}})
	fmt.Println(len(id), err) // what Notice.Template wants
	_, err = client.AddTemplate(context.Background(), wechat.NewTemplate{Number: "47123", Keywords: []string{"病房"}})
	fmt.Println(hospital.CodeOf(err), hospital.KindOf(err))
	// Output:
	// 43 <nil>
	// 40246 invalid
}

func ExampleClient_ListTemplates() {
	client, _, _, _, stop := clinic()
	defer stop()
	templates, err := client.ListTemplates(context.Background())
	fmt.Println(templates[0].ID, templates[0].Title, templates[0].Content, err)
	// Output: T-old 挂号通知 科室:{{thing1.DATA}} <nil>
}

func ExampleClient_DeleteTemplate() {
	client, _, _, _, stop := clinic()
	defer stop()
	fmt.Println(client.DeleteTemplate(context.Background(), "T-old"))
	fmt.Println(hospital.CodeOf(client.DeleteTemplate(context.Background(), "T-old")))
	// Output:
	// <nil>
	// 40037
}

func ExampleClient_ChooseIndustries() {
	client, _, _, _, stop := clinic()
	defer stop()
	fmt.Println(client.ChooseIndustries(context.Background(), wechat.IndustryChoice{Primary: 22, Secondary: 24}))
	industries, err := client.Industries(context.Background())
	fmt.Println(industries.Primary, industries.Secondary, err)
	// Output:
	// <nil>
	// {医药护理 医药医疗} {医药护理 保健与卫生} <nil>
}

func ExampleClient_Industries() {
	client, _, _, _, stop := clinic()
	defer stop()
	_, err := client.Industries(context.Background())
	fmt.Println(hospital.CodeOf(err)) // none were chosen
	// Output: 40102
}

func ExampleClient_AddSubscription() {
	client, _, _, _, stop := clinic()
	defer stop()
	id, err := client.AddSubscription(context.Background(), wechat.NewSubscription{PublicTemplate: 901, Keywords: []int{3, 2}, Scene: "就诊提醒"})
	fmt.Println(len(id), err) // what Notice.Template wants
	// Output: 43 <nil>
}

func ExampleClient_ListCategories() {
	client, _, _, _, stop := clinic()
	defer stop()
	fmt.Println(client.ListCategories(context.Background()))
	// Output: [{616 公立医疗机构}] <nil>
}

func ExampleClient_ListPublicTemplates() {
	client, _, _, _, stop := clinic()
	defer stop()
	page, err := client.ListPublicTemplates(context.Background(), wechat.PublicTemplateQuery{Categories: []int64{616}})
	fmt.Println(page.Count, page.Templates[0].ID, page.Templates[0].Title, page.Templates[0].Kind == wechat.LongTerm, err)
	// Output: 1 901 就诊提醒 true <nil>
}

func ExampleClient_ListKeywords() {
	client, _, _, _, stop := clinic()
	defer stop()
	keywords, err := client.ListKeywords(context.Background(), 901)
	fmt.Println(keywords[1], err)
	// Output: {2 就诊时间 15:01 time} <nil>
}

func ExampleClient_ListSubscriptions() {
	client, _, _, _, stop := clinic()
	defer stop()
	all, err := client.ListSubscriptions(context.Background())
	fmt.Println(all[0].ID, all[0].Title, err)
	// Output: S-old 报告通知 <nil>
}

func ExampleClient_DeleteSubscription() {
	client, _, _, _, stop := clinic()
	defer stop()
	fmt.Println(client.DeleteSubscription(context.Background(), "S-old"))
	fmt.Println(client.DeleteSubscription(context.Background(), ""))
	// Output:
	// <nil>
	// wechat.Subscription: invalid [bad_subscription]: priTmplId: missing
}

func ExampleClient_OneTimeLink() {
	client, _, chen, _, stop := clinic()
	defer stop()
	link, err := client.OneTimeLink(wechat.OneTimeAsk{Template: "T-once", Scene: 7, RedirectURL: "https://h.example.com/agreed", Reserved: "r4nd0m"})
	if err != nil {
		fmt.Println(err)
		return
	}
	address, err := chen.AnswerOneTime(link, true) // WeChat sends the browser back
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := url.Parse(address)
	fmt.Println(back.Query().Get("action"), back.Query().Get("scene"), back.Query().Get("reserved"), err)
	// Output: confirm 7 r4nd0m <nil>
}

func ExampleClient_SendOneTime() {
	client, _, chen, _, stop := clinic()
	defer stop()
	message := wechat.OneTimeMessage{To: wechat.OpenID(chen.OpenID()), Template: "T-once", Scene: 7, Title: "报告已出", Content: "请到三楼取报告。"}
	fmt.Println(wechat.Unreachable(client.SendOneTime(context.Background(), message))) // nobody has agreed
	link, err := client.OneTimeLink(wechat.OneTimeAsk{Template: "T-once", Scene: 7, RedirectURL: "https://h.example.com/agreed"})
	if err == nil {
		_, err = chen.AnswerOneTime(link, true)
	}
	fmt.Println(err)
	fmt.Println(client.SendOneTime(context.Background(), message))
	// Output:
	// true
	// <nil>
	// <nil>
}

func ExampleClient_SendMessage() {
	client, _, chen, _, stop := clinic()
	defer stop()
	err := client.SendMessage(context.Background(), wechat.OpenID(chen.OpenID()), wechat.MenuMessage{
		Head: "您对这次就诊满意吗？", Choices: []wechat.MenuChoice{{ID: "5", Content: "满意"}, {ID: "1", Content: "不满意"}},
	})
	fmt.Println(err) // the choice comes back as Text.MenuChoice
	err = client.SendMessage(context.Background(), wechat.OpenID(chen.OpenID()), wechat.NewsMessage{Title: "怎么取号", URL: "h.example.com"})
	fmt.Println(err)
	// Output:
	// <nil>
	// wechat.CustomerMessage: invalid [bad_message]: news.articles[0].url: want http:// or https:// and a host
}

func ExampleClient_SendText() {
	client, _, chen, _, stop := clinic()
	defer stop()
	fmt.Println(client.SendText(context.Background(), wechat.OpenID(chen.OpenID()), "您前面还有3人。"))
	fmt.Println(chen.Chat()[0].Text)
	// Output:
	// <nil>
	// 您前面还有3人。
}

func ExampleClient_ShowTyping() {
	client, _, chen, _, stop := clinic()
	defer stop()
	to := wechat.OpenID(chen.OpenID())
	if err := chen.Say(context.Background(), "在吗"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(client.ShowTyping(context.Background(), to), chen.Typing())
	fmt.Println(client.CancelTyping(context.Background(), to), chen.Typing())
	// Output:
	// <nil> true
	// <nil> false
}

func ExampleClient_CancelTyping() {
	client, _, chen, _, stop := clinic()
	defer stop()
	fmt.Println(client.CancelTyping(context.Background(), wechat.OpenID(chen.OpenID())))
	// Output: <nil>
}

func ExampleClient_AddAgent() {
	client, _, _, _, stop := clinic()
	defer stop()
	ctx := context.Background()
	fmt.Println(client.AddAgent(ctx, wechat.AgentProfile{Account: "wang@gh_1", Name: "小王"}))
	fmt.Println(client.UpdateAgent(ctx, wechat.AgentProfile{Account: "wang@gh_1", Name: "王护士"}))
	fmt.Println(client.UploadAgentPicture(ctx, "wang@gh_1", strings.NewReader("\xff\xd8\xff\xe0…")))
	agents, err := client.ListAgents(ctx)
	fmt.Println(len(agents), agents[0].Name, err)
	fmt.Println(client.DeleteAgent(ctx, "wang@gh_1"))
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// 1 王护士 <nil>
	// <nil>
}

func ExampleClient_InviteAgent() {
	client, p, _, _, stop := clinic()
	defer stop()
	ctx := context.Background()
	fmt.Println(client.AddAgent(ctx, wechat.AgentProfile{Account: "wang@gh_1", Name: "王护士"}))
	fmt.Println(client.InviteAgent(ctx, wechat.AgentInvitation{Account: "wang@gh_1", WeChatID: "nurse_wang"}))
	fmt.Println(p.AnswerInvitation("nurse_wang", true)) // on her phone
	fmt.Println(p.Attend("wang@gh_1", true))            // she opens the desk
	online, err := client.ListOnlineAgents(ctx)
	fmt.Println(online[0].Account, online[0].Sessions, err)
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// <nil>
	// wang@gh_1 0 <nil>
}

func ExampleClient_CreateSession() {
	client, p, chen, _, stop := clinic()
	defer stop()
	ctx := context.Background()
	for _, step := range []error{
		client.AddAgent(ctx, wechat.AgentProfile{Account: "wang@gh_1", Name: "王护士"}),
		client.InviteAgent(ctx, wechat.AgentInvitation{Account: "wang@gh_1", WeChatID: "nurse_wang"}),
		p.AnswerInvitation("nurse_wang", true), p.Attend("wang@gh_1", true),
	} {
		if step != nil {
			fmt.Println(step)
		}
	}
	user := wechat.OpenID(chen.OpenID())
	fmt.Println(client.CreateSession(ctx, "wang@gh_1", user))
	session, err := client.FindSession(ctx, user)
	fmt.Println(session.Account, err)
	sessions, err := client.ListSessions(ctx, "wang@gh_1")
	fmt.Println(len(sessions), err)
	waiting, err := client.ListWaiting(ctx)
	fmt.Println(waiting.Count, err)
	fmt.Println(p.AgentSay("wang@gh_1", chen.OpenID(), "您好"))
	page, err := client.ListRecords(ctx, wechat.RecordQuery{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Minute)})
	fmt.Println(page.Records[0].Ours, page.Records[0].Text, err)
	fmt.Println(client.CloseSession(ctx, "wang@gh_1", user))
	// Output:
	// <nil>
	// wang@gh_1 <nil>
	// 1 <nil>
	// 0 <nil>
	// <nil>
	// true 您好 <nil>
	// <nil>
}

func ExampleClient_SendMass() {
	client, _, chen, wu, stop := clinic()
	defer stop()
	ctx := context.Background()
	content := wechat.TextMessage{Content: "明日停诊半天。"}
	fmt.Println(client.PreviewMass(ctx, wechat.MassPreview{To: wechat.OpenID(chen.OpenID()), Content: content}))
	sent, err := client.SendMass(ctx, wechat.Mass{
		OpenIDs: []wechat.OpenID{wechat.OpenID(chen.OpenID()), wechat.OpenID(wu.OpenID())}, Content: content,
		Key: "closed-1124", // stored before the call: under it the platform sends once
	})
	fmt.Println(sent.MsgID > 0, err)
	state, err := client.FindMass(ctx, sent.MsgID) // later a MassSent push tells the same and more
	fmt.Println(state, err)
	fmt.Println(hospital.CodeOf(client.DeleteMass(ctx, wechat.MassDeletion{MsgID: sent.MsgID}))) // articles and films alone
	// Output:
	// <nil>
	// true <nil>
	// SENDING <nil>
	// 40059
}

func ExampleClient_LimitMassSpeed() {
	client, _, _, _, stop := clinic()
	defer stop()
	fmt.Println(client.LimitMassSpeed(context.Background(), 4))
	fmt.Println(client.FindMassSpeed(context.Background()))
	// Output:
	// <nil>
	// {4 100000} <nil>
}

func ExampleClient_UploadMassVideo() {
	client, _, _, _, stop := clinic()
	defer stop()
	ctx := context.Background()
	film, err := client.UploadMedia(ctx, wechat.Upload{Kind: wechat.VideoMedia, Name: "a.mp4", Content: strings.NewReader("\x00\x00\x00\x18ftypmp42…")})
	fmt.Println(err)
	id, err := client.UploadMassVideo(ctx, wechat.MassVideo{MediaID: film.ID, Title: "康复操", Description: "十分钟"})
	fmt.Println(err)
	_, err = client.SendMass(ctx, wechat.Mass{All: true, Content: wechat.MassVideo{MediaID: id}})
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
	// <nil>
}

func ExampleClient_SendVisit() {
	client, _, chen, _, stop := clinic()
	defer stop()
	message := wechat.VisitMessage{
		To: wechat.OpenID(chen.OpenID()), Status: wechat.VisitBooked, Order: "visit-1", Key: "visit-1-booked",
		Visit: wechat.Visit{
			CardNo: "a123456", Patient: "陈*心", Department: "门诊3楼针灸科", Time: "2026-11-26 10:30-11:00",
			Page: wechat.VisitPage{URL: "https://h.example.com/v/1"}, Elder: wechat.VisitPage{URL: "https://h.example.com/v/1?care=1"},
		},
	}
	fmt.Println(client.SendVisit(context.Background(), message))
	visit := chen.Visits()[0]
	fmt.Println(visit.Heading, visit.Patient, visit.Messages[0].ElderURL)
	message.Visit.Time = "周四上午"
	fmt.Println(client.SendVisit(context.Background(), message))
	// Output:
	// <nil>
	// 本次门诊流程 陈*心 https://h.example.com/v/1?care=1
	// wechat.VisitMessage: invalid [bad_visit]: business_info.appointment_time: want a time such as 2023-06-07 10:30-11:00
}
