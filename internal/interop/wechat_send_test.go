package interop_test

import (
	"testing"

	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/broadcast"
	"github.com/silenceper/wechat/v2/officialaccount/customerservice"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/stretchr/testify/require"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// officialLibrary is what templates can be taken from.
func officialLibrary() []wechattest.LibraryTemplate {
	fields := []wechattest.LibraryKeyword{{ID: 1, Name: "就诊人", Rule: "thing"}, {ID: 2, Name: "时间", Rule: "time"}}
	return []wechattest.LibraryTemplate{
		{Number: "47123", Title: "预约成功通知", Keywords: fields},
		{Number: "901", Title: "就诊提醒", Kind: wechattest.LongTerm, Category: 616, Keywords: fields},
	}
}

// silenceperSends lets the SDK administer and send whatever it can, from inside
// the one test that may use its HTTP client.
func silenceperSends(t *testing.T, site *wechattest.Site, sdk *officialaccount.OfficialAccount, user *wechattest.Follower) {
	t.Helper()
	other := site.Follower(t.Context(), "老吴")
	templates := sdk.GetTemplate()
	id, err := templates.Add("47123", []string{"时间", "就诊人"})
	require.NoError(t, err)
	all, err := templates.List()
	require.NoError(t, err)
	require.Equal(t, id, all[len(all)-1].TemplateID)
	require.NoError(t, templates.Delete(id))

	subscriptions := sdk.GetSubscribe()
	categories, err := subscriptions.GetCategory()
	require.NoError(t, err)
	require.Equal(t, "公立医疗机构", categories[0].Name)
	count, titles, err := subscriptions.GetPublicTemplateTitleList("616", 0, 10)
	require.NoError(t, err)
	require.Equal(t, 1, count)
	require.Equal(t, "就诊提醒", titles[0].Title)
	keywords, err := subscriptions.GetPubTplKeyWordsByID("901")
	require.NoError(t, err)
	require.Len(t, keywords, 2)
	id, err = subscriptions.Add("901", []int{1, 2}, "就诊")
	require.NoError(t, err)
	mine, err := subscriptions.List()
	require.NoError(t, err)
	require.Equal(t, id, mine[len(mine)-1].PriTmplID)
	require.NoError(t, subscriptions.Delete(id))

	account := "wang@" + site.Account().OriginalID
	desk := customerservice.NewCustomerServiceManager(sdk.GetContext())
	require.NoError(t, desk.Add(account, "小王"))
	require.NoError(t, desk.Update(account, "王护士"))
	require.NoError(t, desk.InviteBind(account, "nurse_wang"))
	require.NoError(t, site.AnswerInvitation("nurse_wang", true))
	require.NoError(t, site.Attend(account, true))
	seats, err := desk.List()
	require.NoError(t, err)
	require.Equal(t, "nurse_wang", seats[0].KfWX)
	online, err := desk.OnlineList()
	require.NoError(t, err)
	require.Equal(t, account, online[0].KfAccount)
	require.NoError(t, user.Say(t.Context(), "在吗"))
	require.NoError(t, desk.SendTypingStatus(user.OpenID(), customerservice.Typing))
	require.True(t, user.Typing())
	require.NoError(t, sdk.GetCustomerMessageManager().Send(&message.CustomerMessage{
		ToUser: user.OpenID(), Msgtype: message.MsgTypeNews,
		News: &message.MediaNews{Articles: []message.MediaArticles{{Title: "怎么取号", Description: "a", URL: "http://hospital.example/", Picurl: "http://hospital.example/p"}}},
	}))
	require.NoError(t, desk.Delete(account))

	news := sdk.GetBroadcast()
	sent, err := news.SendText(nil, "明日停诊")
	require.NoError(t, err)
	require.NotZero(t, sent.MsgID)
	_, err = news.SendText(&broadcast.User{OpenID: []string{user.OpenID(), other.OpenID()}}, "后日停诊")
	require.NoError(t, err)
	_, err = news.SendText(&broadcast.User{OpenID: []string{user.OpenID(), other.OpenID()}}, "后日停诊")
	require.ErrorContains(t, err, "45066")
	state, err := news.GetMassStatus("3147483649")
	require.NoError(t, err)
	require.Equal(t, "SENDING", state.MsgStatus)
	speed, err := news.GetSpeed()
	require.NoError(t, err)
	require.EqualValues(t, 80, speed.RealSpeed)
	_, err = news.SetSpeed(4)
	require.NoError(t, err)
}
