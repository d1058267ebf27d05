package wechat_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

func TestASubscriptionIsMadeOutOfThePublicLibrary(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	f := s.Follower(ctx, "陈素心")
	categories, err := s.ListCategories(ctx)
	require.NoError(t, err)
	require.Equal(t, []wechat.Category{{ID: 616, Name: "公立医疗机构"}}, categories)
	page, err := s.ListPublicTemplates(ctx, wechat.PublicTemplateQuery{Categories: []int64{616}, Start: 1, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, wechat.PublicTemplatePage{Count: 2, Templates: []wechat.PublicTemplate{{ID: 902, Title: "候诊提醒", Kind: wechat.OneTime, Category: 616}}}, page)
	keywords, err := s.ListKeywords(ctx, 902)
	require.NoError(t, err)
	require.Equal(t, wechat.Keyword{ID: 4, Name: "序号", Example: "7", Rule: "number"}, keywords[3])
	id, err := s.AddSubscription(ctx, wechat.NewSubscription{PublicTemplate: 902, Keywords: []int{4, 3}, Scene: "候诊"})
	require.NoError(t, err)
	require.Equal(t, "application/x-www-form-urlencoded", s.last("/wxaapi/newtmpl/addtemplate").kind, "JSON is refused in the field")
	all, err := s.ListSubscriptions(ctx)
	require.NoError(t, err)
	require.Equal(t, wechat.SubscriptionTemplate{
		ID: id, Title: "候诊提醒", Content: "序号:{{number4.DATA}}\n科室:{{thing3.DATA}}\n", Example: "序号:7\n科室:针灸科\n", Kind: wechat.OneTime,
	}, all[len(all)-1])

	notice := wechat.Notice{Kind: wechat.SubscriptionNotice, To: openID(f), Template: id, Data: map[string]string{"number4": "7", "thing3": "针灸科"}}
	_, err = s.Notify(ctx, notice)
	require.ErrorIs(t, err, wechat.ErrNoConsent)
	require.True(t, wechat.Unreachable(err), "the caller takes another way")
	require.NoError(t, f.Subscribe(ctx, true, id))
	_, err = s.Notify(ctx, notice)
	require.NoError(t, err)
	s.settle()
	results, ok := s.latest().(wechat.SubscriptionsSent)
	require.True(t, ok)
	require.Equal(t, id, results.Results[0].TemplateID)

	require.NoError(t, s.DeleteSubscription(ctx, id))
	require.Equal(t, "200014", code(s.DeleteSubscription(ctx, id)))
	_, err = s.Notify(ctx, notice)
	require.Equal(t, "40037", code(err))
}

func TestThePublicLibraryRefusesWithItsReason(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	for want, n := range map[string]wechat.NewSubscription{
		"200014": {PublicTemplate: 903, Keywords: []int{1, 2}}, // of a category that we are not registered for
		"200020": {PublicTemplate: 902, Keywords: []int{1, 9}},
	} {
		_, err := s.AddSubscription(ctx, n)
		require.Equal(t, want, code(err))
	}
	_, err := s.ListPublicTemplates(ctx, wechat.PublicTemplateQuery{Categories: []int64{2}})
	require.Equal(t, "200019", code(err))
	_, err = s.ListKeywords(ctx, 7)
	require.Equal(t, "200014", code(err))
	find := func(q wechat.PublicTemplateQuery) error {
		_, err := s.ListPublicTemplates(ctx, q)
		return err
	}
	add := func(n wechat.NewSubscription) error {
		_, err := s.AddSubscription(ctx, n)
		return err
	}
	for field, err := range map[string]error{
		"ids":        find(wechat.PublicTemplateQuery{}),
		"start":      find(wechat.PublicTemplateQuery{Categories: []int64{1}, Start: -1}),
		"limit":      find(wechat.PublicTemplateQuery{Categories: []int64{1}, Limit: 31}),
		"tid":        add(wechat.NewSubscription{Keywords: []int{1, 2}}),
		"kidList":    add(wechat.NewSubscription{PublicTemplate: 1, Keywords: []int{1}}),
		"kidList[1]": add(wechat.NewSubscription{PublicTemplate: 1, Keywords: []int{1, 1}}),
		"sceneDesc":  add(wechat.NewSubscription{PublicTemplate: 1, Keywords: []int{1, 2}, Scene: strings.Repeat("字", 16)}),
	} {
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_subscription"}, field)
		require.ErrorContains(t, err, field)
	}
}

func TestAOneTimeMessageNeedsItsAgreement(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	f, err := s.Join("路人") // need not follow
	require.NoError(t, err)
	ask := wechat.OneTimeAsk{Template: "O", Scene: 7, RedirectURL: "https://h.example.com/back?visit=1", Reserved: "abc123"}
	link, err := s.OneTimeLink(ask)
	require.NoError(t, err)
	require.Equal(t, "https://mp.weixin.qq.com/mp/subscribemsg?action=get_confirm&appid="+s.Account().AppID+
		"&scene=7&template_id=O&redirect_url=https%3A%2F%2Fh.example.com%2Fback%3Fvisit%3D1&reserved=abc123#wechat_redirect", link)
	message := wechat.OneTimeMessage{To: openID(f), Template: "O", Scene: 7, Title: "报告已出", Content: "请到三楼取报告。"}
	_, err = f.AnswerOneTime(link, false)
	require.NoError(t, err)
	require.ErrorIs(t, s.SendOneTime(ctx, message), wechat.ErrNoConsent)
	address, err := f.AnswerOneTime(link, true)
	require.NoError(t, err)
	back, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, url.Values{
		"visit": {"1"}, "openid": {f.OpenID()}, "template_id": {"O"}, "action": {"confirm"}, "scene": {"7"}, "reserved": {"abc123"},
	}, back.Query())
	other := message
	other.Scene = 8
	require.Equal(t, "43101", code(s.SendOneTime(ctx, other)), "another scene is another agreement")
	require.NoError(t, s.SendOneTime(ctx, message))
	require.Equal(t, "报告已出", lastBubble(f).Cards[0].Title)
	err = s.SendOneTime(ctx, message)
	require.True(t, wechat.Unreachable(err), "once is once")
	require.NotContains(t, err.Error(), f.OpenID())

	for field, edit := range map[string]func(*wechat.OneTimeAsk){
		"template_id": func(a *wechat.OneTimeAsk) { a.Template = "" }, "scene": func(a *wechat.OneTimeAsk) { a.Scene = 10_001 },
		"redirect_url": func(a *wechat.OneTimeAsk) { a.RedirectURL = "javascript:" }, "reserved": func(a *wechat.OneTimeAsk) { a.Reserved = "a b" },
	} {
		wrong := ask
		edit(&wrong)
		_, err := s.OneTimeLink(wrong)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_one_time"}, field)
		require.ErrorContains(t, err, field)
	}
	for field, edit := range map[string]func(*wechat.OneTimeMessage){
		"touser": func(m *wechat.OneTimeMessage) { m.To = "" }, "template_id": func(m *wechat.OneTimeMessage) { m.Template = "" },
		"scene": func(m *wechat.OneTimeMessage) { m.Scene = -1 }, "title": func(m *wechat.OneTimeMessage) { m.Title = strings.Repeat("字", 16) },
		"data.content.value":   func(m *wechat.OneTimeMessage) { m.Content = strings.Repeat("字", 201) },
		"data.content.color":   func(m *wechat.OneTimeMessage) { m.Color = "red" },
		"url":                  func(m *wechat.OneTimeMessage) { m.URL = "h.example.com" },
		"miniprogram.appid":    func(m *wechat.OneTimeMessage) { m.MiniProgram = &wechat.MiniProgram{Page: "p"} },
		"miniprogram.pagepath": func(m *wechat.OneTimeMessage) { m.MiniProgram = &wechat.MiniProgram{AppID: "a"} },
	} {
		wrong := message
		edit(&wrong)
		err := s.SendOneTime(ctx, wrong)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_one_time"}, field)
		require.ErrorContains(t, err, field)
	}
}
