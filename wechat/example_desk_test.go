package wechat_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

// desk is a clinic whose nurse sits at the customer-service desk and has said a
// word to the user.
func desk() (client *wechat.Client, user wechat.OpenID, stop func()) {
	client, p, chen, _, stop := clinic()
	ctx, user := context.Background(), wechat.OpenID(chen.OpenID())
	for _, step := range []func() error{
		func() error {
			return client.AddAgent(ctx, wechat.AgentProfile{Account: "wang@gh_1", Name: "王护士"})
		},
		func() error {
			return client.InviteAgent(ctx, wechat.AgentInvitation{Account: "wang@gh_1", WeChatID: "nurse_wang"})
		},
		func() error { return p.AnswerInvitation("nurse_wang", true) },
		func() error { return p.Attend("wang@gh_1", true) },
		func() error {
			return client.CreateSession(ctx, "wang@gh_1", user)
		},
		func() error { return p.AgentSay("wang@gh_1", chen.OpenID(), "您好") },
	} {
		if err := step(); err != nil {
			panic(err)
		}
	}
	return client, user, stop
}

func ExampleClient_ListAgents() {
	client, _, stop := desk()
	defer stop()
	agents, err := client.ListAgents(context.Background())
	fmt.Println(agents[0].Account, agents[0].Name, agents[0].WeChatID, err)
	// Output: wang@gh_1 王护士 nurse_wang <nil>
}

func ExampleClient_ListOnlineAgents() {
	client, _, stop := desk()
	defer stop()
	online, err := client.ListOnlineAgents(context.Background())
	fmt.Println(online[0].Account, online[0].Sessions, err)
	// Output: wang@gh_1 1 <nil>
}

func ExampleClient_UpdateAgent() {
	client, _, stop := desk()
	defer stop()
	fmt.Println(client.UpdateAgent(context.Background(), wechat.AgentProfile{Account: "wang@gh_1", Name: "王护师"}))
	err := client.UpdateAgent(context.Background(), wechat.AgentProfile{Account: "li@gh_1", Name: "李护士"})
	fmt.Println(hospital.KindOf(err), hospital.CodeOf(err)) // there is no such seat
	// Output:
	// <nil>
	// invalid 65401
}

func ExampleClient_UploadAgentPicture() {
	client, _, stop := desk()
	defer stop()
	fmt.Println(client.UploadAgentPicture(context.Background(), "wang@gh_1", strings.NewReader("\xff\xd8\xff\xe0…")))
	fmt.Println(client.UploadAgentPicture(context.Background(), "wang@gh_1", strings.NewReader("")))
	// Output:
	// <nil>
	// wechat.Upload: invalid [bad_media]: media: empty
}

func ExampleClient_DeleteAgent() {
	client, _, stop := desk()
	defer stop()
	fmt.Println(client.DeleteAgent(context.Background(), "wang@gh_1"))
	fmt.Println(hospital.CodeOf(client.DeleteAgent(context.Background(), "wang@gh_1")))
	// Output:
	// <nil>
	// 65401
}

func ExampleClient_FindSession() {
	client, user, stop := desk()
	defer stop()
	session, err := client.FindSession(context.Background(), user)
	fmt.Println(session.Account, err)
	// Output: wang@gh_1 <nil>
}

func ExampleClient_ListSessions() {
	client, user, stop := desk()
	defer stop()
	sessions, err := client.ListSessions(context.Background(), "wang@gh_1")
	fmt.Println(len(sessions), sessions[0].OpenID == user, err)
	// Output: 1 true <nil>
}

func ExampleClient_CloseSession() {
	client, user, stop := desk()
	defer stop()
	fmt.Println(client.CloseSession(context.Background(), "wang@gh_1", user))
	err := client.CloseSession(context.Background(), "wang@gh_1", user)
	fmt.Println(hospital.KindOf(err), hospital.CodeOf(err)) // the two do not talk
	// Output:
	// <nil>
	// rejected 65413
}

func ExampleClient_ListWaiting() {
	client, _, stop := desk()
	defer stop()
	waiting, err := client.ListWaiting(context.Background())
	fmt.Println(waiting.Count, len(waiting.Users), err)
	// Output: 0 0 <nil>
}

func ExampleClient_ListRecords() {
	client, user, stop := desk()
	defer stop()
	page, err := client.ListRecords(context.Background(), wechat.RecordQuery{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Minute)})
	fmt.Println(page.Records[0].OpenID == user, page.Records[0].Ours, page.Records[0].Text, page.Next, err)
	// Output: true true 您好 0 <nil>
}

// announced is a clinic that has written to two followers at once.
func announced() (client *wechat.Client, user wechat.OpenID, sent wechat.MassReceipt, stop func()) {
	client, _, chen, wu, stop := clinic()
	user = wechat.OpenID(chen.OpenID())
	sent, err := client.SendMass(context.Background(), wechat.Mass{
		OpenIDs: []wechat.OpenID{user, wechat.OpenID(wu.OpenID())}, Content: wechat.TextMessage{Content: "明日停诊半天。"}, Key: "closed-1124",
	})
	if err != nil {
		panic(err)
	}
	return client, user, sent, stop
}

func ExampleClient_PreviewMass() {
	client, user, _, stop := announced()
	defer stop()
	fmt.Println(client.PreviewMass(context.Background(), wechat.MassPreview{To: user, Content: wechat.TextMessage{Content: "周末加开门诊。"}}))
	fmt.Println(client.PreviewMass(context.Background(), wechat.MassPreview{Content: wechat.TextMessage{Content: "周末加开门诊。"}}))
	// Output:
	// <nil>
	// wechat.Mass: invalid [bad_mass]: touser, towxname: want one of the two
}

func ExampleClient_FindMass() {
	client, _, sent, stop := announced()
	defer stop()
	state, err := client.FindMass(context.Background(), sent.MsgID)
	fmt.Println(state == wechat.MassSending, err)
	_, err = client.FindMass(context.Background(), sent.MsgID+1)
	fmt.Println(hospital.CodeOf(err)) // there is no such message
	// Output:
	// true <nil>
	// 40059
}

func ExampleClient_DeleteMass() {
	client, _, sent, stop := announced()
	defer stop()
	fmt.Println(hospital.CodeOf(client.DeleteMass(context.Background(), wechat.MassDeletion{MsgID: sent.MsgID}))) // articles and films alone
	fmt.Println(client.DeleteMass(context.Background(), wechat.MassDeletion{}))
	// Output:
	// 40059
	// wechat.Mass: invalid [bad_mass]: msg_id, url: want one of the two
}

func ExampleClient_FindMassSpeed() {
	client, _, _, stop := announced()
	defer stop()
	speed, err := client.FindMassSpeed(context.Background())
	fmt.Println(speed.Level, speed.PerMinute, err)
	// Output: 0 800000 <nil>
}
