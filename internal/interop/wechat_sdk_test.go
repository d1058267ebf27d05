package interop_test

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/credential"
	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/menu"
	"github.com/silenceper/wechat/v2/officialaccount/message"
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

// TestSilenceperCallsThePlatform lets the most used Go SDK judge the
// simulator. All that is replaced is its HTTP client, by its public option; it
// is one for the whole process, so this is one test.
func TestSilenceperCallsThePlatform(t *testing.T) {
	t.Parallel()
	site := wechattest.Start(t, wechattest.Config{Mode: ours.Safe, Templates: officialTemplates(), UnionIDs: true, Domains: []string{"hospital.example"},
		Library: officialLibrary(), Categories: []wechattest.Category{{ID: 616, Name: "公立医疗机构"}}})
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
