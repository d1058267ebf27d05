package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func ExampleClient_ListUsers() {
	client, follower, _, stop := exampleClient()
	defer stop()
	for id, err := range client.ListUsers(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(id) == follower.OpenID())
	}
	// Output: true
}

func ExampleClient_FindUsers() {
	client, follower, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	id := wechat.OpenID(follower.OpenID())
	fmt.Println(client.RemarkUser(ctx, id, "三病区志愿者"))
	users, err := client.FindUsers(ctx, []wechat.OpenID{id})
	fmt.Println(users[0].Subscribed, users[0].Remark, err)
	// Output:
	// <nil>
	// true 三病区志愿者 <nil>
}

func ExampleClient_TagUsers() {
	client, follower, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	id := wechat.OpenID(follower.OpenID())
	tag, err := client.CreateTag(ctx, "孕产")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.TagUsers(ctx, tag.ID, []wechat.OpenID{id}))
	tags, err := client.TagsOf(ctx, id)
	fmt.Println(tags, err)
	for one, err := range client.ListTagged(ctx, tag.ID) {
		fmt.Println(one == id, err)
	}
	fmt.Println(client.RenameTag(ctx, tag.ID, "产科"))
	all, err := client.ListTags(ctx)
	fmt.Println(all, err)
	fmt.Println(client.UntagUsers(ctx, tag.ID, []wechat.OpenID{id}), client.DeleteTag(ctx, tag.ID))
	// Output:
	// <nil>
	// [100] <nil>
	// true <nil>
	// <nil>
	// [{2 星标组 0} {100 产科 1}] <nil>
	// <nil> <nil>
}

func ExampleClient_BarUsers() {
	client, follower, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	ids := []wechat.OpenID{wechat.OpenID(follower.OpenID())}
	fmt.Println(client.BarUsers(ctx, ids))
	for one, err := range client.ListBarred(ctx) {
		fmt.Println(one == ids[0], err)
	}
	fmt.Println(client.UnbarUsers(ctx, ids))
	// Output:
	// <nil>
	// true <nil>
	// <nil>
}

func ExampleClient_CreateQRCode() {
	client, follower, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	code, err := client.CreateQRCode(ctx, wechat.QRCode{Scene: "ward-3"}) // for the door of the ward, for good
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.HasSuffix(client.QRCodeURL(code.Ticket), code.Ticket))
	picture, err := client.FetchQRCode(ctx, code.Ticket)
	fmt.Println(picture.Type, err)
	fmt.Println(follower.ScanCode(ctx, code.Content)) // the account hears it as wechat.Scan
	_, err = client.CreateQRCode(ctx, wechat.QRCode{SceneID: 100_001})
	fmt.Println(err)
	// Output:
	// true
	// image/png <nil>
	// <nil>
	// wechat.QRCode: invalid [bad_qrcode]: action_info.scene.scene_id: want 1 to 100000
}

func ExampleClient_Shorten() {
	client, _, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	key, err := client.Shorten(ctx, "https://h.example.com/way?from=gate&to=ward-3", time.Hour)
	fmt.Println(len(key), err)
	long, err := client.Lengthen(ctx, key)
	fmt.Println(long.Text, err)
	// Output:
	// 15 <nil>
	// https://h.example.com/way?from=gate&to=ward-3 <nil>
}

func ExampleClient_AddConditionalMenu() {
	client, follower, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	button := func(name string) wechat.Menu {
		return wechat.Menu{Buttons: []wechat.Button{{Name: name, Type: "click", Key: "HALL"}}}
	}
	if err := client.PublishMenu(ctx, button("挂号")); err != nil {
		fmt.Println(err)
		return
	}
	id, err := client.AddConditionalMenu(ctx, button("苹果"), wechat.MatchRule{Platform: wechat.PlatformIOS})
	fmt.Println(id != "", err)
	fmt.Println(follower.Use(wechattest.Android))
	menu, err := client.MatchMenu(ctx, wechat.OpenID(follower.OpenID()))
	fmt.Println(menu.Buttons[0].Name, err)
	_, some, err := client.Menus(ctx)
	fmt.Println(some[0].Rule, err)
	shown, err := client.ShownMenu(ctx)
	fmt.Println(shown.Open, shown.Buttons[0].Name, err)
	fmt.Println(client.DeleteConditionalMenu(ctx, id))
	// Output:
	// true <nil>
	// <nil>
	// 挂号 <nil>
	// {0 1} <nil>
	// true 挂号 <nil>
	// <nil>
}

func ExampleClient_FindQuota() {
	client, _, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	const path = "/cgi-bin/draft/count"
	if _, err := client.CountDrafts(ctx); err != nil {
		fmt.Println(err)
		return
	}
	quota, err := client.FindQuota(ctx, path)
	fmt.Println(quota.Limit, quota.Used, quota.Left, err)
	fmt.Println(client.ClearQuotaOf(ctx, path), client.ClearQuota(ctx), client.ClearQuotaBySecret(ctx))
	// Output:
	// 1000 1 999 <nil>
	// <nil> <nil> <nil>
}

func ExampleClient_FindRefused() {
	client, _, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	_, err := client.FetchMedia(ctx, "of last week")
	refusal, ok := errors.AsType[*wechat.Refusal](err)
	if !ok {
		fmt.Println(err)
		return
	}
	call, err := client.FindRefused(ctx, refusal.RID)
	fmt.Println(strings.Contains(call.Query, "media_id=of+last+week"), strings.Contains(call.Answer, "40007"), err)
	// Output: true true <nil>
}

func ExampleClient_CheckCallback() {
	client, _, p, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	if err := p.SetCallback("http://127.0.0.1:8080/wechat"); err != nil {
		fmt.Println(err)
		return
	}
	report, err := client.CheckCallback(ctx, wechat.CallbackCheck{})
	fmt.Println(report.Resolved[0].IP, report.Pinged[0].Arrived, err)
	ips, err := client.APIIPs(ctx)
	fmt.Println(ips, err)
	// Output:
	// 127.0.0.1 true <nil>
	// [127.0.0.1/32] <nil>
}

func ExampleClient_FinishMiniLogin() {
	p, err := wechattest.New(wechattest.Config{MiniPrograms: []string{"wx0123456789abcdef"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close() //nolint:errcheck // it keeps nothing
	server := httptest.NewServer(p.Handler())
	defer server.Close()
	secret, err := p.MiniSecret("wx0123456789abcdef")
	if err != nil {
		fmt.Println(err)
		return
	}
	user, err := p.Join("陈素心")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := wechat.New(wechat.Config{AppID: "wx0123456789abcdef", Secret: secret, BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	code, err := user.MiniLogin("wx0123456789abcdef") // wx.login on the phone
	if err != nil {
		fmt.Println(err)
		return
	}
	who, err := client.FinishMiniLogin(context.Background(), code)
	fmt.Println(len(who.OpenID), err)
	_, err = client.FinishMiniLogin(context.Background(), code)
	fmt.Println(hospital.KindOf(err), hospital.CodeOf(err))
	// Output:
	// 28 <nil>
	// denied 40163
}

func ExampleLogin_Refresh() {
	account, api, follower, _, stop := platform()
	defer stop()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: api})
	if err != nil {
		fmt.Println(err)
		return
	}
	login, err := wechat.NewLogin(wechat.LoginConfig{
		Client: client, RedirectURL: "https://h.example.com/login", Key: []byte("TESTING KEY of sixteen bytes and more"), Scope: wechat.ScopeUserInfo,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	link, err := login.Begin("the browser's session")
	if err != nil {
		fmt.Println(err)
		return
	}
	address, err := follower.Authorize(link, true)
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := url.Parse(address)
	if err != nil {
		fmt.Println(err)
		return
	}
	who, err := login.Finish(ctx, "the browser's session", back.Query())
	if err != nil {
		fmt.Println(err)
		return
	}
	fresh, err := login.Refresh(ctx, who) // two further hours
	fmt.Println(fresh.OpenID == who.OpenID, err, login.Check(ctx, fresh))
	// Output: true <nil> <nil>
}
