package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// platform is the simulated platform on loopback, with one follower. Against
// the real one only the BaseURL and the credentials differ.
func platform() (account wechattest.Account, api string, follower *wechattest.Follower, p *wechattest.Platform, stop func()) {
	p, err := wechattest.New(wechattest.Config{
		Domains:   []string{"h.example.com"},
		Templates: []wechattest.Template{{ID: "T-booked", Title: "预约成功", Content: "就诊人:{{thing1.DATA}}\n时间:{{time2.DATA}}"}},
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(p.Handler())
	follower, err = p.Join("陈素心")
	if err == nil {
		err = follower.Follow(context.Background())
	}
	if err != nil {
		panic(err)
	}
	return p.Account(), server.URL, follower, p, func() {
		server.Close()
		if err := p.Close(); err != nil {
			panic(err)
		}
	}
}

func ExampleCallback() {
	account, _, follower, p, stop := platform()
	defer stop()
	callback, err := wechat.NewCallback(wechat.CallbackConfig{
		AppID: account.AppID, OriginalID: account.OriginalID,
		Mode: wechat.Safe, Tokens: []string{account.Token}, AESKeys: []string{account.AESKey},
		Handle: func(_ context.Context, push wechat.Push) (wechat.Reply, error) {
			switch content := push.Content.(type) {
			case wechat.Text:
				return wechat.TextReply{Content: "收到：" + content.Content}, nil
			case wechat.Subscribe:
				return wechat.TextReply{Content: "欢迎关注"}, nil
			}
			return nil, nil // no answer
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(callback)
	defer server.Close()
	if err := p.SetCallback(server.URL); err != nil {
		fmt.Println(err)
		return
	}
	if err := follower.Say(context.Background(), "挂号"); err != nil {
		fmt.Println(err)
		return
	}
	chat := follower.Chat()
	fmt.Println(chat[len(chat)-1].Text)

	// A stranger who has read one push on its way, and sends a body of their own.
	answer, err := http.Post(server.URL+"?signature=x&timestamp=1700000000&nonce=1", "text/xml", strings.NewReader("<xml></xml>"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close() //nolint:errcheck // nothing is left to read
	fmt.Println(answer.Status)
	// Output:
	// 收到：挂号
	// 403 Forbidden
}

func ExampleClient_Notify() {
	account, api, follower, _, stop := platform()
	defer stop()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: api})
	if err != nil {
		fmt.Println(err)
		return
	}
	notice := wechat.Notice{
		Kind: wechat.TemplateMessage, To: wechat.OpenID(follower.OpenID()), Template: "T-booked",
		Data: map[string]string{"thing1": "陈素心", "time2": "2026年11月26日 08:30"},
		URL:  "https://h.example.com/appointments/1",
		Key:  hospital.Key(hospital.NewID("m", now)), // stored before the call
	}
	sent, err := client.Notify(context.Background(), notice)
	fmt.Println(sent.MsgID > 0, err)

	notice.Data["time2"] = "明天上午"
	_, err = client.Notify(context.Background(), notice)
	fmt.Println(err)

	if err := follower.Unfollow(context.Background()); err != nil {
		fmt.Println(err)
	}
	notice.Data["time2"] = "08:30"
	notice.Key = ""
	_, err = client.Notify(context.Background(), notice)
	fmt.Println(wechat.Unreachable(err), errors.Is(err, wechat.ErrNotFollowing), wechat.ClassOf(err))
	// Output:
	// true <nil>
	// wechat.Notice: invalid [bad_notice]: Data.time2: want a time such as 15:01 or 2026年11月24日 15:01, or two with ~ between
	// true true user
}

func ExampleLogin() {
	account, api, follower, _, stop := platform()
	defer stop()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: api})
	if err != nil {
		fmt.Println(err)
		return
	}
	login, err := wechat.NewLogin(wechat.LoginConfig{
		Client: client, RedirectURL: "https://h.example.com/login", Key: []byte("TESTING KEY of sixteen bytes and more"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	link, err := login.Begin("the browser's session")
	if err != nil {
		fmt.Println(err)
		return
	}
	address, err := follower.Authorize(link, true) // WeChat sends the browser back to RedirectURL
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := url.Parse(address)
	if err != nil {
		fmt.Println(err)
		return
	}
	identity, err := login.Finish(context.Background(), "the browser's session", back.Query())
	fmt.Println(string(identity.OpenID) == follower.OpenID(), err)
	_, err = login.Finish(context.Background(), "the browser's session", back.Query())
	fmt.Println(err)
	fmt.Println(hospital.MessageFor(err))
	// Output:
	// true <nil>
	// wechat.Login.Finish: denied [bad_state]
	// 登录已过期，请返回重新进入。
}

func ExampleClient_PublishMenu() {
	account, api, _, _, stop := platform()
	defer stop()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: api})
	if err != nil {
		fmt.Println(err)
		return
	}
	menu := wechat.Menu{Buttons: []wechat.Button{
		{Name: "预约挂号", Type: "view", URL: "https://h.example.com/book"},
		{Name: "就诊服务大厅", Type: "click", Key: "HALL"},
	}}
	fmt.Println(client.PublishMenu(context.Background(), menu))
	menu.Buttons[1].Name = "就诊服务"
	fmt.Println(client.PublishMenu(context.Background(), menu))
	// Output:
	// wechat.Menu: invalid [bad_menu]: button[1].name: want 1 to 16 bytes
	// <nil>
}

func ExampleClient_ConfigurePage() {
	account, api, _, _, stop := platform()
	defer stop()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: api})
	if err != nil {
		fmt.Println(err)
		return
	}
	config, err := client.ConfigurePage(context.Background(), "https://h.example.com/scan?room=3#top")
	fmt.Println(config.AppID == account.AppID, len(config.Signature), err)
	// Output: true 40 <nil>
}

func ExampleParsePush() {
	push, err := wechat.ParsePush(`<xml><ToUserName>gh_97417a04a28d</ToUserName><FromUserName>o9AgO5Kd5ggOC-bXrbNODIiE3bGY</FromUserName>
		<CreateTime>1714112445</CreateTime><MsgType>event</MsgType><Event>SCAN</Event><EventKey>bed12</EventKey></xml>`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %+v\n", push.Event, push.Content)
	// Output: SCAN {Scene:bed12 Ticket:}
}

func ExampleCipher() {
	cipher, err := wechat.NewCipher(strings.Repeat("A", 43), "wxba5fad812f8e6fb9")
	if err != nil {
		fmt.Println(err)
		return
	}
	encrypt := cipher.Seal([]byte("你好"))
	signature := wechat.Sign("AAAAA", "1714112445", "415670741", encrypt)
	if wechat.Signed(signature, "AAAAA", "1714112445", "415670741", encrypt) {
		message, err := cipher.Open(encrypt)
		fmt.Println(string(message), err)
	}
	// Output: 你好 <nil>
}

func ExampleSignPage() {
	_, _ = fmt.Fprintln(os.Stdout, wechat.SignPage(
		"sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg",
		"Wm3WZYTPz0wzccnW", "1414587457", "http://mp.weixin.qq.com?params=value"))
	// Output: 0f9de62fce790f9a083d5c99e95740ceb90c27ed
}
