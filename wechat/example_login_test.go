package wechat_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

const exampleSession = "the browser's session"

// loggedIn is a login that asks for the name too, and a user who has agreed.
func loggedIn() (login *wechat.Login, back url.Values, stop func()) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	client, follower, _, stop := exampleClient()
	login, err := wechat.NewLogin(wechat.LoginConfig{
		Client: client, RedirectURL: "https://h.example.com/login", Key: []byte("TESTING KEY of sixteen bytes and more"), Scope: wechat.ScopeUserInfo,
	})
	must(err)
	link, err := login.Begin(exampleSession)
	must(err)
	address, err := follower.Authorize(link, true)
	must(err)
	page, err := url.Parse(address)
	must(err)
	return login, page.Query(), stop
}

func ExampleLogin_Begin() {
	login, _, stop := loggedIn()
	defer stop()
	link, err := login.Begin(exampleSession) // send the browser there
	fmt.Println(strings.HasPrefix(link, "https://open.weixin.qq.com/connect/oauth2/authorize?appid="), strings.HasSuffix(link, "#wechat_redirect"), err)
	// Output: true true <nil>
}

func ExampleLogin_Finish() {
	login, back, stop := loggedIn()
	defer stop()
	_, err := login.Finish(context.Background(), "a session of somebody else", back)
	fmt.Println(hospital.KindOf(err), hospital.CodeOf(err))
	who, err := login.Finish(context.Background(), exampleSession, back)
	fmt.Println(who.OpenID != "", err)
	// Output:
	// denied bad_state
	// true <nil>
}

func ExampleLogin_Profile() {
	login, back, stop := loggedIn()
	defer stop()
	who, err := login.Finish(context.Background(), exampleSession, back)
	if err != nil {
		fmt.Println(err)
		return
	}
	profile, err := login.Profile(context.Background(), who)
	fmt.Println(profile.Nickname, err)
	// Output: 陈素心 <nil>
}

func ExampleLogin_Check() {
	login, back, stop := loggedIn()
	defer stop()
	who, err := login.Finish(context.Background(), exampleSession, back)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(login.Check(context.Background(), who)) // what it allows still lasts
	// Output: <nil>
}

func ExampleCipher_Open() {
	cipher, err := wechat.NewCipher(strings.Repeat("A", 43), "wxba5fad812f8e6fb9")
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := cipher.Open(cipher.Seal([]byte("你好")))
	fmt.Println(string(message), err)
	_, err = cipher.Open("5L2g5aW9")
	fmt.Println(hospital.CodeOf(err))
	// Output:
	// 你好 <nil>
	// encrypt_length
}

func ExampleSign() {
	fmt.Println(wechat.Sign("AAAAA", "1714037059", "486452656")) // the platform's own sample
	fmt.Println(wechat.Signed("899cf89e464efb63f54ddac96b0a0a235f53aa78", "AAAAA", "1714037059", "486452656"))
	// Output:
	// 899cf89e464efb63f54ddac96b0a0a235f53aa78
	// true
}

func ExampleClassOf() {
	client, _, _, stop := exampleClient()
	defer stop()
	_, err := client.FetchMedia(context.Background(), "of last week")
	fmt.Println(wechat.ClassOf(err), wechat.Unreachable(err))
	// Output: request false
}

func ExampleCallback_Open() {
	callback, err := wechat.NewCallback(wechat.CallbackConfig{
		AppID: "wxba5fad812f8e6fb9", OriginalID: "gh_97417a04a28d", Mode: wechat.Plain, Tokens: []string{"AAAAA"},
		Now:    func() time.Time { return time.Unix(1714037060, 0) },
		Handle: func(context.Context, wechat.Push) (wechat.Reply, error) { return nil, nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	query := url.Values{"timestamp": {"1714037059"}, "nonce": {"486452656"}, "signature": {"899cf89e464efb63f54ddac96b0a0a235f53aa78"}}
	push, err := callback.Open(query, []byte(`<xml><ToUserName>gh_97417a04a28d</ToUserName><FromUserName>o9AgO5Kd5ggOC</FromUserName>
		<CreateTime>1714037059</CreateTime><MsgType>text</MsgType><Content>挂号</Content><MsgId>7</MsgId></xml>`))
	fmt.Println(push.Content, err)
	query.Set("signature", "forged")
	_, err = callback.Open(query, nil)
	fmt.Println(hospital.CodeOf(err))
	fmt.Println(callback.Drain(context.Background())) // nobody is under way when the server stops
	// Output:
	// {挂号 } <nil>
	// signature
	// <nil>
}

func ExampleCallback_ServeHTTP() {
	_, _, p, stop := exampleClient()
	defer stop()
	server := httptest.NewServer(callbackOf(p, func(wechat.Push) {}))
	defer server.Close()
	if err := p.SetCallback(server.URL); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Verify(context.Background())) // the console's check of the URL
	answer, err := http.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close() //nolint:errcheck // nothing is left to read
	fmt.Println(answer.Status)
	// Output:
	// <nil>
	// 403 Forbidden
}

func ExampleSources_Advance() {
	client, _, _, stop := exampleClient()
	defer stop()
	sources := wechat.NewSources(client)
	here := netip.MustParseAddr("127.0.0.1")
	fmt.Println(sources.Contains(here)) // not known yet
	_, err := sources.Advance(context.Background())
	fmt.Println(sources.Contains(here), err)
	// Output:
	// false
	// true <nil>
}

func ExampleNotice_Validate() {
	notice := wechat.Notice{Kind: wechat.TemplateMessage, To: "o9AgO5Kd5ggOC", Template: "T-booked", Data: map[string]string{"phrase1": "血常规报告已经出来"}}
	fmt.Println(hospital.CodeOf(notice.Validate()))
	// Output: bad_notice
}
