package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func ExampleSources_Guard() {
	account, api, _, _, stop := platform()
	defer stop()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: api})
	if err != nil {
		fmt.Println(err)
		return
	}
	sources := wechat.NewSources(client) // go sources.Run(ctx) keeps it fresh
	callback := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success") })
	guarded := sources.Guard(callback, netip.MustParsePrefix("10.0.0.7/32")) // our proxy
	for _, hop := range []string{"127.0.0.1", "203.0.113.9", "127.0.0.1, 203.0.113.9"} {
		push := httptest.NewRequest(http.MethodPost, "/wechat", nil)
		push.RemoteAddr = "10.0.0.7:40000"
		push.Header.Set("X-Forwarded-For", hop)
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, push)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 403
	// 403
}

func ExampleExchange() {
	account, api, follower, _, stop := platform()
	defer stop()
	client, err := wechat.New(wechat.Config{
		AppID: account.AppID, Secret: account.Secret, BaseURL: api,
		Observe: func(e wechat.Exchange) { // a counter and a histogram, in a real program
			fmt.Println(e.Op, e.Path, e.Outcome, e.Class, e.Code, e.Attempts, e.Took > 0)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = client.FindUser(context.Background(), wechat.OpenID(follower.OpenID()))
	_, _ = client.FindUser(context.Background(), "o-nobody")
	// Output:
	// wechat.token /cgi-bin/stable_token ok unknown 0 1 true
	// wechat.FindUser /cgi-bin/user/info ok unknown 0 1 true
	// wechat.FindUser /cgi-bin/user/info refused user 40003 1 true
}

func ExampleAdviceOf() {
	account, api, follower, _, stop := platform()
	defer stop()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: api})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 4 { // a user who has only subscribed may be sent three
		err = client.SendText(context.Background(), wechat.OpenID(follower.OpenID()), "您前面还有 3 人。")
	}
	if refusal, ok := errors.AsType[*wechat.Refusal](err); ok {
		fmt.Println(refusal.Code, refusal.Class, wechat.AdviceOf(err))
		fmt.Println(hospital.MessageFor(err))
	}
	// Output:
	// 45047 user other_way
	// 这条消息无法通过微信送达，请联系医院服务台。
}

func ExampleUnknown_Text() {
	push, err := wechat.ParsePush(`{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,
		"MsgType":"event","Event":"debug_demo","detail":{"debug_str":"hello world"}}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	if unknown, ok := push.Content.(wechat.Unknown); ok {
		fmt.Println(push.Event, unknown.Text("detail", "debug_str"))
	}
	// Output: debug_demo hello world
}

func ExampleMassSent_Succeeded() {
	_, _, _, p, stop := platform()
	defer stop()
	server := httptest.NewServer(callbackOf(p, func(push wechat.Push) {
		if sent, ok := push.Content.(wechat.MassSent); ok {
			fmt.Println(sent.MsgID, sent.Succeeded(), sent.Sent, sent.Failed)
		}
	}))
	defer server.Close()
	if err := p.SetCallback(server.URL); err != nil {
		fmt.Println(err)
		return
	}
	for _, event := range []wechattest.Event{
		wechattest.MassSendJobFinish(7, "send success", 120, 3), wechattest.MassSendJobFinish(8, "err(20008)", 0, 0),
	} {
		if err := p.Push(context.Background(), event); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 7 true 120 3
	// 8 false 0 0
}

// callbackOf is a callback of the platform's account that only listens.
func callbackOf(p *wechattest.Platform, hear func(wechat.Push)) http.Handler {
	account := p.Account()
	callback, err := wechat.NewCallback(wechat.CallbackConfig{
		AppID: account.AppID, OriginalID: account.OriginalID, Mode: wechat.Safe, Tokens: []string{account.Token}, AESKeys: []string{account.AESKey},
		Handle: func(_ context.Context, push wechat.Push) (wechat.Reply, error) {
			hear(push)
			return nil, nil
		},
	})
	if err != nil {
		panic(err)
	}
	return callback
}

func ExampleStandbyURLs() {
	for _, address := range wechat.StandbyURLs() {
		fmt.Println(address)
	}
	// Output:
	// https://api2.weixin.qq.com
	// https://sh.api.weixin.qq.com
	// https://sz.api.weixin.qq.com
	// https://hk.api.weixin.qq.com
}
