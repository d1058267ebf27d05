package wechat_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

func ExampleClient_FindUser() {
	client, follower, _, stop := exampleClient()
	defer stop()
	user, err := client.FindUser(context.Background(), wechat.OpenID(follower.OpenID()))
	fmt.Println(user.Subscribed, user.Language, err)
	_, err = client.FindUser(context.Background(), "o-nobody")
	fmt.Println(hospital.KindOf(err), hospital.CodeOf(err))
	// Output:
	// true zh_CN <nil>
	// rejected 40003
}

func ExampleClient_RemarkUser() {
	client, follower, _, stop := exampleClient()
	defer stop()
	id := wechat.OpenID(follower.OpenID())
	fmt.Println(client.RemarkUser(context.Background(), id, "三病区志愿者"))
	fmt.Println(client.RemarkUser(context.Background(), id, strings.Repeat("长", 10)))
	// Output:
	// <nil>
	// wechat.RemarkUser: invalid [bad_remark]: remark: want less than 30 bytes
}

func ExampleClient_CreateTag() {
	client, _, _, stop := exampleClient()
	defer stop()
	tag, err := client.CreateTag(context.Background(), "孕产")
	fmt.Println(tag.ID, tag.Name, err)
	_, err = client.CreateTag(context.Background(), "孕产")
	fmt.Println(hospital.CodeOf(err)) // the name is taken
	// Output:
	// 100 孕产 <nil>
	// 45157
}

// tagged is an account with the tag 孕产, which its follower has.
func tagged() (client *wechat.Client, tag wechat.Tag, user wechat.OpenID, stop func()) {
	client, follower, _, stop := exampleClient()
	user = wechat.OpenID(follower.OpenID())
	tag, err := client.CreateTag(context.Background(), "孕产")
	if err == nil {
		err = client.TagUsers(context.Background(), tag.ID, []wechat.OpenID{user})
	}
	if err != nil {
		panic(err)
	}
	return client, tag, user, stop
}

func ExampleClient_ListTags() {
	client, _, _, stop := tagged()
	defer stop()
	tags, err := client.ListTags(context.Background())
	fmt.Println(tags, err)
	// Output: [{2 星标组 0} {100 孕产 1}] <nil>
}

func ExampleClient_RenameTag() {
	client, tag, _, stop := tagged()
	defer stop()
	fmt.Println(client.RenameTag(context.Background(), tag.ID, "产科"))
	// Output: <nil>
}

func ExampleClient_DeleteTag() {
	client, tag, _, stop := tagged()
	defer stop()
	fmt.Println(client.DeleteTag(context.Background(), tag.ID))
	fmt.Println(hospital.CodeOf(client.DeleteTag(context.Background(), 2))) // the platform's own
	// Output:
	// <nil>
	// bad_tag
}

func ExampleClient_TagsOf() {
	client, _, user, stop := tagged()
	defer stop()
	tags, err := client.TagsOf(context.Background(), user)
	fmt.Println(tags, err)
	// Output: [100] <nil>
}

func ExampleClient_ListTagged() {
	client, tag, user, stop := tagged()
	defer stop()
	for one, err := range client.ListTagged(context.Background(), tag.ID) {
		fmt.Println(one == user, err)
	}
	// Output: true <nil>
}

func ExampleClient_UntagUsers() {
	client, tag, user, stop := tagged()
	defer stop()
	fmt.Println(client.UntagUsers(context.Background(), tag.ID, []wechat.OpenID{user}))
	// Output: <nil>
}

// barred is an account that has put its follower on the blacklist.
func barred() (client *wechat.Client, user wechat.OpenID, stop func()) {
	client, follower, _, stop := exampleClient()
	user = wechat.OpenID(follower.OpenID())
	if err := client.BarUsers(context.Background(), []wechat.OpenID{user}); err != nil {
		panic(err)
	}
	return client, user, stop
}

func ExampleClient_ListBarred() {
	client, user, stop := barred()
	defer stop()
	for one, err := range client.ListBarred(context.Background()) {
		fmt.Println(one == user, err)
	}
	// Output: true <nil>
}

func ExampleClient_UnbarUsers() {
	client, user, stop := barred()
	defer stop()
	fmt.Println(hospital.CodeOf(client.SendText(context.Background(), user, "您好")))
	fmt.Println(client.UnbarUsers(context.Background(), []wechat.OpenID{user}))
	fmt.Println(client.SendText(context.Background(), user, "您好"))
	// Output:
	// 43019
	// <nil>
	// <nil>
}

// ward is an account with a QR code for the door of a ward.
func ward() (client *wechat.Client, ticket wechat.QRTicket, stop func()) {
	client, _, _, stop = exampleClient()
	ticket, err := client.CreateQRCode(context.Background(), wechat.QRCode{Scene: "ward-3"})
	if err != nil {
		panic(err)
	}
	return client, ticket, stop
}

func ExampleClient_QRCodeURL() {
	client, code, stop := ward()
	defer stop()
	_, query, _ := strings.Cut(client.QRCodeURL(code.Ticket), "/cgi-bin/")
	fmt.Println(strings.HasPrefix(query, "showqrcode?ticket=")) // for <img src>
	// Output: true
}

func ExampleClient_FetchQRCode() {
	client, code, stop := ward()
	defer stop()
	picture, err := client.FetchQRCode(context.Background(), code.Ticket)
	fmt.Println(picture.Type, len(picture.Data) > 0, err)
	_, err = client.FetchQRCode(context.Background(), "of nobody")
	fmt.Println(hospital.KindOf(err))
	// Output:
	// image/png true <nil>
	// not_found
}

func ExampleClient_Lengthen() {
	client, _, _, stop := exampleClient()
	defer stop()
	key, err := client.Shorten(context.Background(), "https://h.example.com/way?to=ward-3", time.Hour)
	if err != nil {
		fmt.Println(err)
		return
	}
	long, err := client.Lengthen(context.Background(), key)
	fmt.Println(long.Text, err)
	// Output: https://h.example.com/way?to=ward-3 <nil>
}

// menus is an account with a menu for everybody and one for phones of Apple's.
func menus() (client *wechat.Client, user wechat.OpenID, apple string, stop func()) {
	client, follower, _, stop := exampleClient()
	button := func(name string) wechat.Menu {
		return wechat.Menu{Buttons: []wechat.Button{{Name: name, Type: "click", Key: "HALL"}}}
	}
	err := client.PublishMenu(context.Background(), button("挂号"))
	if err == nil {
		apple, err = client.AddConditionalMenu(context.Background(), button("苹果"), wechat.MatchRule{Platform: wechat.PlatformIOS})
	}
	if err != nil {
		panic(err)
	}
	return client, wechat.OpenID(follower.OpenID()), apple, stop
}

func ExampleClient_Menu() {
	client, _, _, stop := menus()
	defer stop()
	menu, err := client.Menu(context.Background())
	fmt.Println(menu.Buttons[0].Name, menu.Buttons[0].Key, err)
	// Output: 挂号 HALL <nil>
}

func ExampleClient_Menus() {
	client, _, _, stop := menus()
	defer stop()
	everybody, some, err := client.Menus(context.Background())
	fmt.Println(everybody.Buttons[0].Name, some[0].Buttons[0].Name, some[0].Rule.Platform == wechat.PlatformIOS, err)
	// Output: 挂号 苹果 true <nil>
}

func ExampleClient_MatchMenu() {
	client, user, _, stop := menus()
	defer stop()
	menu, err := client.MatchMenu(context.Background(), user)
	fmt.Println(menu.Buttons[0].Name, err)
	// Output: 挂号 <nil>
}

func ExampleClient_ShownMenu() {
	client, _, _, stop := menus()
	defer stop()
	shown, err := client.ShownMenu(context.Background())
	fmt.Println(shown.Open, shown.Buttons[0].Name, err)
	// Output: true 挂号 <nil>
}

func ExampleClient_DeleteConditionalMenu() {
	client, _, apple, stop := menus()
	defer stop()
	fmt.Println(client.DeleteConditionalMenu(context.Background(), apple))
	// Output: <nil>
}

func ExampleClient_DeleteMenu() {
	client, _, _, stop := menus()
	defer stop()
	fmt.Println(client.DeleteMenu(context.Background()))
	_, err := client.Menu(context.Background())
	fmt.Println(hospital.KindOf(err), hospital.CodeOf(err))
	// Output:
	// <nil>
	// not_found 46003
}

func ExampleClient_ClearQuota() {
	client, _, _, stop := exampleClient()
	defer stop()
	fmt.Println(client.ClearQuota(context.Background())) // ten times a month
	// Output: <nil>
}

func ExampleClient_ClearQuotaOf() {
	client, _, _, stop := exampleClient()
	defer stop()
	fmt.Println(client.ClearQuotaOf(context.Background(), "/cgi-bin/draft/count"))
	// Output: <nil>
}

func ExampleClient_ClearQuotaBySecret() {
	client, _, _, stop := exampleClient()
	defer stop()
	fmt.Println(client.ClearQuotaBySecret(context.Background())) // when no call for a token is left either
	// Output: <nil>
}

func ExampleClient_CallbackIPs() {
	client, _, _, stop := exampleClient()
	defer stop()
	fmt.Println(client.CallbackIPs(context.Background()))
	// Output: [127.0.0.1/32] <nil>
}

func ExampleClient_APIIPs() {
	client, _, _, stop := exampleClient()
	defer stop()
	fmt.Println(client.APIIPs(context.Background()))
	// Output: [127.0.0.1/32] <nil>
}

func ExampleClient_CloseIdle() {
	client, _, _, stop := exampleClient()
	defer stop()
	defer client.CloseIdle() // when the program ends
	_, err := client.CallbackIPs(context.Background())
	fmt.Println(err)
	// Output: <nil>
}
