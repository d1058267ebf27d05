package interop_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/credential"
	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/basic"
	"github.com/silenceper/wechat/v2/officialaccount/broadcast"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/draft"
	"github.com/silenceper/wechat/v2/officialaccount/material"
	"github.com/silenceper/wechat/v2/officialaccount/menu"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/officialaccount/user"
	"github.com/silenceper/wechat/v2/util"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	ours "github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// officialTemplates are the templates of the account.
func officialTemplates() []wechattest.Template {
	return []wechattest.Template{
		{ID: "booked", Title: "预约成功通知", Content: "就诊人:{{thing1.DATA}}\n就诊时间:{{time2.DATA}}"},
		{ID: "report", Title: "报告通知", Content: "项目:{{thing1.DATA}}", Kind: wechattest.LongTerm},
	}
}

// silenceper is the SDK, set up as its README says.
func silenceper(account wechattest.Account, stable bool) *officialaccount.OfficialAccount {
	logrus.SetLevel(logrus.WarnLevel) // by default it logs each message, which would be unfair in a benchmark
	return wechat.NewWechat().GetOfficialAccount(&config.Config{
		AppID: account.AppID, AppSecret: account.Secret, Token: account.Token, EncodingAESKey: account.AESKey,
		Cache: cache.NewMemory(), UseStableAK: stable,
	})
}

// silenceperFurther lets the most used Go SDK judge what the matrix does not
// ask: refusals in its own words, and calls that no other library has. All that
// is replaced is its HTTP client, by its public option; it is one for the whole
// process, so this is part of the matrix's test.
func silenceperFurther(t *testing.T) {
	site := wechattest.Start(t, wechattest.Config{
		Mode: ours.Safe, Templates: officialTemplates(), UnionIDs: true, Domains: []string{"hospital.example"},
		Library: officialLibrary(), Categories: []wechattest.Category{{ID: 616, Name: "公立医疗机构"}},
	})
	base, err := url.Parse(site.URL)
	require.NoError(t, err)
	wechat.NewWechat().SetHTTPClient(&http.Client{Transport: redirect{base}})
	site.CallbackTo(silenceperReceiver(site.Account()))
	user := site.Follower(t.Context(), "陈素心")
	require.Empty(t, site.MalformedReply())

	classic, stable := silenceper(site.Account(), false), silenceper(site.Account(), true)
	first, err := classic.GetAccessToken()
	require.NoError(t, err)
	again, err := classic.GetAccessToken()
	require.NoError(t, err)
	require.Equal(t, first, again)
	other, err := stable.GetAccessToken()
	require.NoError(t, err)
	require.NotEqual(t, first, other)
	require.EqualValues(t, 1, site.Tokens(wechattest.Classic))
	require.EqualValues(t, 1, site.Tokens(wechattest.Stable))
	wrong := site.Account()
	wrong.Secret = "wrong"
	_, err = silenceper(wrong, true).GetAccessToken()
	require.ErrorContains(t, err, "errcode=40125 , errormsg=invalid appsecret rid: ")

	ips, err := stable.GetBasic().GetCallbackIP()
	require.NoError(t, err)
	require.Equal(t, []string{"127.0.0.1"}, ips)

	buttons := []*menu.Button{
		new(menu.Button).SetClickButton("挂号", "book"),
		new(menu.Button).SetSubButton("查询", []*menu.Button{new(menu.Button).SetViewButton("报告", "http://hospital.example/?a=1&b=2")}),
	}
	require.NoError(t, stable.GetMenu().SetMenu(buttons))
	got, err := stable.GetMenu().GetMenu()
	require.NoError(t, err)
	require.Equal(t, "http://hospital.example/?a=1&b=2", got.Menu.Button[1].SubButtons[0].URL)
	self, err := stable.GetMenu().GetCurrentSelfMenuInfo()
	require.NoError(t, err)
	require.EqualValues(t, 1, self.IsMenuOpen)
	require.Equal(t, "报告", self.SelfMenuInfo.Button[1].SubButton.List[0].Name)
	require.ErrorContains(t, stable.GetMenu().SetMenu([]*menu.Button{new(menu.Button).SetClickButton("一个太长的按钮名", "k")}), "40018")
	_, err = user.Tap(t.Context(), "挂号")
	require.NoError(t, err)

	send := func(to, template, when string) (int64, error) {
		return stable.GetTemplate().Send(&message.TemplateMessage{
			ToUser: to, TemplateID: template, URL: "http://hospital.example/", ClientMsgID: "m-" + when,
			Data: map[string]*message.TemplateDataItem{"thing1": {Value: "陈素心 & <家人>"}, "time2": {Value: when}},
		})
	}
	id, err := send(user.OpenID(), "booked", "2026年11月24日 08:30")
	require.NoError(t, err)
	same, err := send(user.OpenID(), "booked", "2026年11月24日 08:30")
	require.NoError(t, err)
	require.Equal(t, id, same)
	_, err = send(user.OpenID(), "booked", "明天")
	require.ErrorContains(t, err, "errcode=47003 , errmsg=argument invalid! data.time2.value invalid")
	_, err = send("o0", "booked", "08:30")
	require.ErrorContains(t, err, "errcode=40003")
	_, err = send(user.OpenID(), "other", "08:30")
	require.ErrorContains(t, err, "errcode=40037")

	notice := &message.SubscribeMessage{ToUser: user.OpenID(), TemplateID: "report", Data: map[string]*message.SubscribeDataItem{"thing1": {Value: "血常规"}}}
	require.ErrorContains(t, stable.GetSubscribe().Send(notice), "43101")
	require.NoError(t, user.Subscribe(t.Context(), true, "report"))
	require.NoError(t, stable.GetSubscribe().Send(notice))

	require.NoError(t, stable.GetCustomerMessageManager().Send(message.NewCustomerTextMessage(user.OpenID(), "请到二楼 <3>")))

	info, err := stable.GetUser().GetUserInfo(user.OpenID())
	require.NoError(t, err)
	require.EqualValues(t, 1, info.Subscribe)
	require.NotEmpty(t, info.UnionID)
	all, err := stable.GetUser().ListAllUserOpenIDs()
	require.NoError(t, err)
	require.Equal(t, []string{user.OpenID()}, all)

	page, err := stable.GetJs().GetConfig("http://hospital.example/pay")
	require.NoError(t, err)
	ticket, err := credential.GetTicketFromServer(other)
	require.NoError(t, err)
	require.Equal(t, page.Signature, ours.SignPage(ticket.Ticket, page.NonceStr, strconv.FormatInt(page.Timestamp, 10), "http://hospital.example/pay#top"))

	link, err := stable.GetOauth().GetRedirectURL("http://hospital.example/in", "snsapi_userinfo", "s1")
	require.NoError(t, err)
	address, err := user.Authorize(link, true)
	require.NoError(t, err)
	back, err := url.Parse(address)
	require.NoError(t, err)
	login, err := stable.GetOauth().GetUserAccessToken(back.Query().Get("code"))
	require.NoError(t, err)
	require.Equal(t, user.OpenID(), login.OpenID)
	profile, err := stable.GetOauth().GetUserInfo(login.AccessToken, login.OpenID, "")
	require.NoError(t, err)
	require.Equal(t, "陈素心", profile.Nickname)
	valid, err := stable.GetOauth().CheckAccessToken(login.AccessToken, login.OpenID)
	require.NoError(t, err)
	require.True(t, valid)
	refreshed, err := stable.GetOauth().RefreshAccessToken(login.RefreshToken)
	require.NoError(t, err)
	require.Equal(t, login.AccessToken, refreshed.AccessToken)
	_, err = stable.GetOauth().GetUserAccessToken(back.Query().Get("code"))
	require.ErrorContains(t, err, "errcode=40163")

	silenceperSends(t, site, stable, user)
	require.NoError(t, stable.GetMenu().DeleteMenu())
	require.NoError(t, stable.GetBasic().ClearQuota())
	require.NoError(t, site.Revoke(wechattest.Stable))
	_, err = stable.GetUser().GetUserInfo(user.OpenID())
	require.ErrorContains(t, err, "errcode=40001")
}

// goLibrary is silenceper/wechat as the matrix asks it.
type goLibrary map[string]func(question) (answer, error)

// lacks knows what the SDK does not have: no method gives the bytes of a file.
// Of permanent material it fetches news alone, of temporary media it gives the
// address.
func (l goLibrary) lacks(call string) bool {
	return (call == "kept" || call == "bytes") && !slices.ContainsFunc(slices.Collect(reflect.TypeFor[*material.Material]().Methods()), func(m reflect.Method) bool {
		return slices.ContainsFunc(slices.Collect(m.Type.Outs()), func(out reflect.Type) bool {
			return out == reflect.TypeFor[[]byte]() || out == reflect.TypeFor[io.Reader]() || out == reflect.TypeFor[io.ReadCloser]()
		})
	})
}

// silenceperCode finds the platform's code in the SDK's texts.
var silenceperCode = regexp.MustCompile(`(?i)errcode ?= ?(\d+)`)

func (l goLibrary) do(call string, ask question) (answer, error) {
	got, err := l[call](ask)
	if err == nil {
		return got, nil
	}
	if found := silenceperCode.FindStringSubmatch(err.Error()); found != nil {
		code, err := strconv.Atoi(found[1])
		return answer{}, errors.Join(&refused{code, found[0]}, err)
	}
	return answer{}, err
}

// openSilenceper sets the SDK up before the platform.
func openSilenceper(t *testing.T, site *wechattest.Site, account wechattest.Account) library { //nolint:ireturn // one of several
	t.Helper()
	base, err := url.Parse(site.URL)
	require.NoError(t, err)
	wechat.NewWechat().SetHTTPClient(&http.Client{Transport: redirect{base}})
	classic, sdk := silenceper(account, false), silenceper(account, true)
	l := goLibrary{}
	maps.Copy(l, silenceperAccount(classic, sdk))
	maps.Copy(l, silenceperContent(sdk))
	maps.Copy(l, silenceperPeople(sdk))
	l["listen"] = func(question) (answer, error) {
		return answer{URL: site.CallbackTo(silenceperReceiver(account))}, nil
	}
	l["seal"] = func(q question) (answer, error) {
		sealed, err := util.EncryptMsg([]byte("aaaabbbbccccdddd"), []byte(q.Text), account.AppID, account.AESKey)
		return answer{Encrypt: string(sealed), Signature: util.Signature(account.Token, q.Timestamp, q.Nonce, string(sealed))}, err
	}
	l["open"] = func(q question) (answer, error) {
		_, text, err := util.DecryptMsg(account.AppID, q.Encrypt, account.AESKey)
		return answer{Text: string(text), ID: account.AppID, Signature: util.Signature(account.Token, q.Timestamp, q.Nonce, q.Encrypt)}, err
	}
	return l
}

func silenceperAccount(classic, sdk *officialaccount.OfficialAccount) goLibrary {
	return goLibrary{
		"token": func(question) (answer, error) {
			token, err := classic.GetAccessToken()
			return answer{Token: token}, err
		},
		"stable": func(question) (answer, error) {
			token, err := sdk.GetAccessToken()
			return answer{Token: token}, err
		},
		"menu": func(q question) (got answer, err error) {
			var buttons []*menu.Button
			for _, b := range q.Button {
				buttons = append(buttons, theirButton(b))
			}
			if err := sdk.GetMenu().SetMenu(buttons); err != nil {
				return answer{}, err
			}
			there, err := sdk.GetMenu().GetMenu()
			for _, b := range there.Menu.Button {
				got.Button = append(got.Button, ourButton(&b))
			}
			return got, err
		},
		"dropMenu": func(question) (answer, error) { return answer{}, sdk.GetMenu().DeleteMenu() },
		"link": func(q question) (answer, error) {
			link, err := sdk.GetOauth().GetRedirectURL(q.URL, "snsapi_userinfo", q.State)
			return answer{Link: link}, err
		},
		"login": func(q question) (answer, error) {
			token, err := sdk.GetOauth().GetUserAccessToken(q.Code)
			if err != nil {
				return answer{}, err
			}
			user, err := sdk.GetOauth().GetUserInfo(token.AccessToken, token.OpenID, "zh_CN")
			return answer{OpenID: user.OpenID, Nickname: user.Nickname}, err
		},
		"page": func(q question) (answer, error) {
			page, err := sdk.GetJs().GetConfig(q.URL)
			if err != nil {
				return answer{}, err
			}
			token, err := sdk.GetAccessToken()
			if err != nil {
				return answer{}, err
			}
			ticket, err := credential.GetTicketFromServer(token)
			return answer{Nonce: page.NonceStr, Timestamp: strconv.FormatInt(page.Timestamp, 10), Signature: page.Signature, Ticket: ticket.Ticket}, err
		},
	}
}

func ourButton(b *menu.Button) ours.Button {
	own := ours.Button{Type: b.Type, Name: b.Name, Key: b.Key, URL: b.URL}
	for _, below := range b.SubButtons {
		own.Sub = append(own.Sub, ourButton(below))
	}
	return own
}

func theirButton(b ours.Button) *menu.Button {
	their := &menu.Button{Type: b.Type, Name: b.Name, Key: b.Key, URL: b.URL}
	for _, below := range b.Sub {
		their.SubButtons = append(their.SubButtons, theirButton(below))
	}
	return their
}

func silenceperContent(sdk *officialaccount.OfficialAccount) goLibrary {
	files := sdk.GetMaterial()
	return goLibrary{
		"template": func(q question) (answer, error) {
			data := map[string]*message.TemplateDataItem{}
			for key, value := range q.Data {
				data[key] = &message.TemplateDataItem{Value: value["value"]}
			}
			id, err := sdk.GetTemplate().Send(&message.TemplateMessage{ToUser: q.To, TemplateID: q.Template, URL: q.URL, Data: data, Color: "#173177"})
			return answer{ID: strconv.FormatInt(id, 10)}, err
		},
		"templates": func(question) (got answer, err error) {
			all, err := sdk.GetTemplate().List()
			for _, m := range all {
				got.IDs = append(got.IDs, m.TemplateID)
			}
			return got, err
		},
		"addTemplate": func(q question) (answer, error) {
			id, err := sdk.GetTemplate().Add(q.ID, q.Names)
			return answer{ID: id}, err
		},
		"dropTemplate": func(q question) (answer, error) { return answer{}, sdk.GetTemplate().Delete(q.ID) },
		"notice": func(q question) (answer, error) {
			data := map[string]*message.SubscribeDataItem{}
			for key, value := range q.Data {
				data[key] = &message.SubscribeDataItem{Value: value["value"]}
			}
			return answer{}, sdk.GetSubscribe().Send(&message.SubscribeMessage{ToUser: q.To, TemplateID: q.Template, Data: data})
		},
		"text": func(q question) (answer, error) {
			return answer{}, sdk.GetCustomerMessageManager().Send(message.NewCustomerTextMessage(q.To, q.Text))
		},
		"upload": func(q question) (answer, error) {
			got, err := files.MediaUpload(material.MediaTypeImage, q.File)
			return answer{ID: got.MediaID}, err
		},
		"fetch": func(q question) (answer, error) {
			address, err := files.GetMediaURL(q.ID)
			if err != nil {
				return answer{}, err
			}
			data, err := util.HTTPGet(address) // the SDK leaves fetching to its user
			return answer{Data: data}, err
		},
		"keep": func(q question) (answer, error) {
			id, _, err := files.AddMaterial(material.MediaTypeImage, q.File)
			return answer{ID: id}, err
		},
		"mass": func(q question) (answer, error) {
			got, err := sdk.GetBroadcast().SendText(&broadcast.User{OpenID: q.OpenIDs}, q.Text)
			if err != nil {
				return answer{}, err
			}
			return answer{ID: strconv.FormatInt(got.MsgID, 10)}, nil
		},
		"massAll": func(q question) (answer, error) {
			got, err := sdk.GetBroadcast().SendText(nil, q.Text)
			if err != nil {
				return answer{}, err
			}
			return answer{ID: strconv.FormatInt(got.MsgID, 10)}, nil
		},
		"massTag": func(q question) (answer, error) {
			id, err := strconv.ParseInt(q.ID, 10, 64)
			if err != nil {
				return answer{}, err
			}
			got, err := sdk.GetBroadcast().SendText(&broadcast.User{TagID: id}, q.Text)
			if err != nil {
				return answer{}, err
			}
			return answer{ID: strconv.FormatInt(got.MsgID, 10)}, nil
		},
		"massState": func(q question) (answer, error) {
			got, err := sdk.GetBroadcast().GetMassStatus(q.ID)
			if err != nil {
				return answer{}, err
			}
			return answer{State: got.MsgStatus}, nil
		},
		"draft": func(q question) (answer, error) {
			drafts := sdk.GetDraft()
			id, err := drafts.AddDraft([]*draft.Article{{Title: q.Article["title"], Content: q.Article["content"], ThumbMediaID: q.Article["thumb_media_id"]}})
			if err != nil {
				return answer{}, err
			}
			there, err := drafts.GetDraft(id)
			if err != nil {
				return answer{}, err
			}
			return answer{ID: id, Title: there[0].Title}, nil
		},
	}
}

func silenceperPeople(sdk *officialaccount.OfficialAccount) goLibrary {
	users, basics := sdk.GetUser(), sdk.GetBasic()
	return goLibrary{
		"user": func(q question) (answer, error) {
			u, err := users.GetUserInfo(q.OpenID)
			if err != nil {
				return answer{}, err
			}
			return answer{OpenID: u.OpenID, Subscribe: int(u.Subscribe)}, nil
		},
		"users": func(question) (answer, error) {
			ids, err := users.ListAllUserOpenIDs()
			return answer{IDs: ids}, err
		},
		"someUsers": func(q question) (got answer, err error) {
			var some user.BatchGetUserInfoParams
			for _, id := range q.OpenIDs {
				some.UserList = append(some.UserList, user.BatchGetUserListItem{OpenID: id, Lang: "zh_CN"})
			}
			list, err := users.BatchGetUserInfo(some)
			if err != nil {
				return answer{}, err
			}
			for _, u := range list.UserInfoList {
				got.IDs = append(got.IDs, u.OpenID)
			}
			return got, nil
		},
		"remark": func(q question) (answer, error) { return answer{}, users.UpdateRemark(q.OpenID, q.Remark) },
		"createTag": func(q question) (answer, error) {
			tag, err := users.CreateTag(q.Name)
			if err != nil {
				return answer{}, err
			}
			return answer{ID: strconv.Itoa(int(tag.ID))}, nil
		},
		"tags": func(question) (got answer, err error) {
			all, err := users.GetTag()
			for _, tag := range all {
				got.Names = append(got.Names, tag.Name)
			}
			return got, err
		},
		"tag": func(q question) (answer, error) {
			id, err := strconv.ParseInt(q.ID, 10, 32)
			if err != nil {
				return answer{}, err
			}
			return answer{}, users.BatchTag(q.OpenIDs, int32(id))
		},
		"tagsOf": func(q question) (got answer, err error) {
			ids, err := users.UserTidList(q.OpenID)
			for _, id := range ids {
				got.IDs = append(got.IDs, strconv.Itoa(int(id)))
			}
			return got, err
		},
		"tagged": func(q question) (answer, error) {
			id, err := strconv.ParseInt(q.ID, 10, 32)
			if err != nil {
				return answer{}, err
			}
			list, err := users.OpenIDListByTag(int32(id))
			if err != nil {
				return answer{}, err
			}
			return answer{IDs: list.Data.OpenIDs}, nil
		},
		"code": func(q question) (answer, error) {
			ticket, err := basics.GetQRTicket(basic.NewTmpQrRequest(time.Duration(q.Seconds)*time.Second, q.Scene))
			if err != nil {
				return answer{}, err
			}
			return answer{Ticket: ticket.Ticket, Seconds: int(ticket.ExpireSeconds), Picture: basic.ShowQRCode(ticket)}, nil
		},
		"lastingCode": func(q question) (answer, error) {
			ticket, err := basics.GetQRTicket(basic.NewLimitQrRequest(q.Scene))
			if err != nil {
				return answer{}, err
			}
			return answer{Ticket: ticket.Ticket}, nil
		},
	}
}

// silenceperReceiver is the SDK's server side, which answers every text.
func silenceperReceiver(account wechattest.Account) http.Handler {
	official := silenceper(account, true)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server := official.GetServer(r, w)
		server.SetMessageHandler(func(m *message.MixMessage) *message.Reply {
			if m.MsgType != message.MsgTypeText {
				return nil
			}
			return &message.Reply{MsgType: message.MsgTypeText, MsgData: message.NewText("您说：" + m.Content)}
		})
		if err := server.Serve(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if server.ResponseMsg != nil {
			if err := server.Send(); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}
	})
}

// TestSilenceperReadsOurPushes lets the SDK's receiver judge what the platform
// pushes, and the platform what it replies.
func TestSilenceperReadsOurPushes(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]wechattest.Config{
		"plain XML": {Mode: ours.Plain}, "compatible XML": {Mode: ours.Compatible}, "safe XML": {Mode: ours.Safe},
		"safe JSON": {Mode: ours.Safe, Format: ours.JSON},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.Templates = officialTemplates()
			site := wechattest.Start(t, config)
			site.CallbackTo(silenceperReceiver(site.Account()))
			require.NoError(t, site.Verify(t.Context()))
			user := site.Follower(t.Context(), "陈素心")
			require.NoError(t, user.Scan(t.Context(), "desk-1"))
			require.NoError(t, user.Subscribe(t.Context(), true, "report"))
			require.NoError(t, user.Say(t.Context(), "在吗 <&>"))
			require.Empty(t, site.MalformedReply())
			chat := user.Chat()
			require.Len(t, chat, 2)
			require.Equal(t, "您说：在吗 <&>", chat[1].Text)
		})
	}
}
