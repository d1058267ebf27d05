package wechat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

func TestATemplateIsTakenUsedAndGivenBack(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	f := s.Follower(ctx, "陈素心")
	id, err := s.AddTemplate(ctx, wechat.NewTemplate{Number: "47123", Keywords: []string{"科室", "就诊时间"}})
	require.NoError(t, err)
	all, err := s.ListTemplates(ctx)
	require.NoError(t, err)
	require.Equal(t, wechat.Template{
		ID: id, Title: "预约成功通知", Content: "科室:{{thing3.DATA}}\n就诊时间:{{time2.DATA}}\n", Example: "科室:针灸科\n就诊时间:15:01\n",
	}, all[len(all)-1])

	notice := wechat.Notice{
		Kind: wechat.TemplateMessage, To: openID(f), Template: id, Data: map[string]string{"thing3": "针灸科", "time2": "08:30"},
		Colors: map[string]string{"thing3": "#173177"}, MiniProgram: &wechat.MiniProgram{AppID: "wx111", Page: "visit?id=1"}, Key: "notice-01",
	}
	sent, err := s.Notify(ctx, notice)
	require.NoError(t, err)
	again, err := s.Notify(ctx, notice)
	require.NoError(t, err)
	require.Equal(t, sent, again, "one key is one message")
	s.settle()
	require.Equal(t, wechat.TemplateSent{MsgID: sent.MsgID, Status: "success"}, s.latest(), "the result names the message")
	require.Equal(t, "wx111/visit?id=1", lastBubble(f).Cards[0].MiniProgram)
	require.JSONEq(t, `{"value":"针灸科","color":"#173177"}`, gjson.GetBytes(s.last("/cgi-bin/message/template/send").body, "data.thing3").Raw)

	require.NoError(t, s.DeleteTemplate(ctx, id))
	notice.Key = ""
	_, err = s.Notify(ctx, notice)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "40037"})
	require.Equal(t, "40037", code(s.DeleteTemplate(ctx, id)))
	require.NoError(t, s.DeleteTemplate(ctx, "T"), "one of the console goes away too")
	all, err = s.ListTemplates(ctx)
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestIndustriesOpenTheirTemplatesOnceAMonth(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	_, err := s.Industries(ctx)
	require.Equal(t, "40102", code(err), "none were chosen")
	_, err = s.AddTemplate(ctx, wechat.NewTemplate{Number: "TM00015"})
	require.Equal(t, "40037", code(err), "the template is another industry's")
	require.NoError(t, s.ChooseIndustries(ctx, wechat.IndustryChoice{Primary: 22, Secondary: 24}))
	chosen, err := s.Industries(ctx)
	require.NoError(t, err)
	require.Equal(t, wechat.Industries{Primary: wechat.Industry{First: "医药护理", Second: "医药医疗"}, Secondary: wechat.Industry{First: "医药护理", Second: "保健与卫生"}}, chosen)
	id, err := s.AddTemplate(ctx, wechat.NewTemplate{Number: "TM00015"})
	require.NoError(t, err)
	all, err := s.ListTemplates(ctx)
	require.NoError(t, err)
	require.Equal(t, "医药护理/医药医疗", all[1].Industry)
	require.Equal(t, id, all[1].ID)
	require.Equal(t, "43100", code(s.ChooseIndustries(ctx, wechat.IndustryChoice{Primary: 1, Secondary: 2})))
	s.clock.Pass(31 * 24 * time.Hour)
	require.NoError(t, s.ChooseIndustries(ctx, wechat.IndustryChoice{Primary: 1, Secondary: 2}))
	all, err = s.ListTemplates(ctx)
	require.NoError(t, err)
	require.Len(t, all, 1, "an industry that is left takes its templates away")
}

func TestTemplatesAreCheckedBeforeTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("字", 21)
	s, ctx := newSender(t), t.Context()
	add := func(n wechat.NewTemplate) error {
		_, err := s.AddTemplate(ctx, n)
		return err
	}
	for field, err := range map[string]error{
		"template_id_short":            add(wechat.NewTemplate{Keywords: []string{"a"}}),
		"keyword_name_list[1]":         add(wechat.NewTemplate{Number: "1", Keywords: []string{"a", long}}),
		"keyword_name_list: want":      add(wechat.NewTemplate{Number: "1", Keywords: make([]string, 11)}),
		"industry_id1":                 s.ChooseIndustries(ctx, wechat.IndustryChoice{Secondary: 1}),
		"industry_id2: want":           s.ChooseIndustries(ctx, wechat.IndustryChoice{Primary: 1, Secondary: 42}),
		"industry_id2: the same":       s.ChooseIndustries(ctx, wechat.IndustryChoice{Primary: 1, Secondary: 1}),
		"Colors: only":                 wechat.Notice{Kind: wechat.SubscriptionNotice, To: "o", Template: "T", Data: map[string]string{"thing1": "a"}, Colors: map[string]string{"thing1": "#000000"}}.Validate(),
		"Colors.thing1: want #RRGGBB":  wechat.Notice{Kind: wechat.TemplateMessage, To: "o", Template: "T", Data: map[string]string{"thing1": "a"}, Colors: map[string]string{"thing1": "red"}}.Validate(),
		"Colors.thing2: want #RRGGBB ": wechat.Notice{Kind: wechat.TemplateMessage, To: "o", Template: "T", Data: map[string]string{"thing1": "a"}, Colors: map[string]string{"thing2": "#000000"}}.Validate(),
	} {
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), field)
		require.ErrorContains(t, err, field)
	}
}
