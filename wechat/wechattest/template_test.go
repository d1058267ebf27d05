package wechattest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

const (
	templatePath  = "/cgi-bin/message/template/send"
	subscribePath = "/cgi-bin/message/subscribe/bizsend"
	bookedData    = `"data":{"thing1":{"value":"陈素心"},"time2":{"value":"2026年11月24日 08:30~09:00"},"thing22":{"value":"针灸科"}}`
)

func send(to, template, rest string) string {
	return fmt.Sprintf(`{"touser":%q,"template_id":%q,%s}`, to, template, rest)
}

func TestATemplateMessageReachesThePhoneAndReportsBack(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	a := open(t, wechattest.Config{Callback: "http://hospital.example/wechat", HTTPClient: inProcess(inbox), Mode: wechat.Plain})
	f := a.follower("陈素心")
	got := a.post(templatePath, send(f.OpenID(), "booked", bookedData+`,"url":"http://hospital.example/a"`))
	require.Zero(t, got.Code, got.raw)
	require.Equal(t, "ok", got.Text)
	require.Greater(t, got.MsgID, int64(1)<<32)
	require.Empty(t, f.Chat(), "it is on its way")
	next, err := a.Advance(t.Context())
	require.NoError(t, err)
	require.Equal(t, opening.Add(time.Second), next)
	a.clock.Pass(time.Second)
	next, err = a.Advance(t.Context())
	require.NoError(t, err)
	require.Zero(t, next)
	require.Equal(t, []wechattest.Bubble{{
		At: opening.Add(time.Second), From: wechattest.Ours, Kind: "template",
		Cards: []wechattest.Card{{Title: "预约成功通知", URL: "http://hospital.example/a", Lines: []wechattest.Line{
			{Name: "就诊人", Key: "thing1", Value: "陈素心"}, {Name: "就诊时间", Key: "time2", Value: "2026年11月24日 08:30~09:00"}, {Name: "科室", Key: "thing22", Value: "针灸科"},
		}}},
	}}, f.Chat())
	require.Contains(t, inbox.last(), fmt.Sprintf("<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>%d</MsgID><Status><![CDATA[success]]></Status>", got.MsgID))
	require.Zero(t, a.Pending())
}

func TestATemplateThatFailsLaterSaysSo(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	a := open(t, wechattest.Config{Callback: "http://hospital.example/wechat", HTTPClient: inProcess(inbox), Mode: wechat.Plain})
	f := a.follower("陈素心")
	deliver := func() string {
		require.Zero(t, a.post(templatePath, send(f.OpenID(), "booked", bookedData)).Code)
		a.clock.Pass(time.Second)
		_, err := a.Advance(t.Context())
		require.NoError(t, err)
		return inbox.last()
	}
	require.NoError(t, f.Block(true))
	require.Contains(t, deliver(), "<Status><![CDATA[failed:user block]]></Status>")
	require.NoError(t, f.Block(false))
	require.NoError(t, a.FailTemplates(true))
	require.Contains(t, deliver(), "<Status><![CDATA[failed: system failed]]></Status>")
	require.Empty(t, f.Chat())
	require.NoError(t, a.FailTemplates(false))
	require.Contains(t, deliver(), "<Status><![CDATA[success]]></Status>")
	require.Len(t, f.Chat(), 1)
}

func TestATemplateMessageIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{MiniPrograms: []string{"wx111"}})
	f, stranger := a.follower("陈素心"), a.follower("路人")
	require.NoError(t, stranger.Unfollow(t.Context()))
	for name, test := range map[string]struct {
		to, template, rest string
		code               int
		text               string
	}{
		"an unknown openid":           {"o0", "booked", bookedData, 40003, "invalid openid"},
		"no openid":                   {"", "booked", bookedData, 40003, "invalid openid"},
		"no template":                 {f.OpenID(), "", bookedData, 40036, "invalid template_id size"},
		"an unknown template":         {f.OpenID(), "other", bookedData, 40037, "invalid template_id"},
		"a subscription's template":   {f.OpenID(), "report", bookedData, 40037, "invalid template_id"},
		"who does not follow":         {stranger.OpenID(), "booked", bookedData, 43004, "require subscribe"},
		"a foreign mini program":      {f.OpenID(), "booked", bookedData + `,"miniprogram":{"appid":"wx2","pagepath":"a"}`, 40166, "invalid weapp appid"},
		"a mini program without page": {f.OpenID(), "booked", bookedData + `,"miniprogram":{"appid":"wx111"}`, 40165, "invalid weapp pagepath"},
		"a field is missing":          {f.OpenID(), "booked", strings.Replace(bookedData, "thing22", "thing23", 1), 47003, "argument invalid! data.thing22.value is empty"},
		"a field is too long":         {f.OpenID(), "booked", strings.Replace(bookedData, "针灸科", strings.Repeat("针", 21), 1), 47003, "argument invalid! data.thing22.value invalid"},
		"a time that is none":         {f.OpenID(), "booked", strings.Replace(bookedData, "11月24日", "11月31日", 1), 47003, "argument invalid! data.time2.value invalid"},
		"nothing wrong":               {f.OpenID(), "booked", bookedData + `,"miniprogram":{"appid":"wx111","pagepath":"a"}`, 0, "ok"},
	} {
		got := a.post(templatePath, send(test.to, test.template, test.rest))
		require.Equal(t, test.code, got.Code, name)
		text, _, _ := strings.Cut(got.Text, " rid: ")
		require.Equal(t, test.text, text, name)
	}
}

func TestOldKeysAreCutAndTheirFrameIsGone(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	f := a.follower("陈素心")
	got := a.post(templatePath, send(f.OpenID(), "legacy", `"data":{"first":{"value":"您好"},"keyword1":{"value":"`+strings.Repeat("长", 25)+`"},"remark":{"value":"谢谢"}}`))
	require.Zero(t, got.Code)
	a.clock.Pass(time.Second)
	_, err := a.Advance(t.Context())
	require.NoError(t, err)
	require.Equal(t, []wechattest.Line{{Name: "姓名", Key: "keyword1", Value: strings.Repeat("长", 20)}}, f.Chat()[0].Cards[0].Lines)
}

func TestOneClientMsgIDIsOneMessage(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	f, other := a.follower("陈素心"), a.follower("老吴")
	once := bookedData + `,"client_msg_id":"appt-1"`
	first := a.post(templatePath, send(f.OpenID(), "booked", once))
	again := a.post(templatePath, send(f.OpenID(), "booked", once))
	require.Zero(t, again.Code)
	require.Equal(t, first.MsgID, again.MsgID)
	require.Zero(t, a.post(templatePath, send(other.OpenID(), "booked", once)).Code)
	a.clock.Pass(time.Second)
	_, err := a.Advance(t.Context())
	require.NoError(t, err)
	require.Len(t, f.Chat(), 1)
	require.Len(t, other.Chat(), 1, "the id counts with its openid")
	a.clock.Pass(10 * time.Minute)
	require.NotEqual(t, first.MsgID, a.post(templatePath, send(f.OpenID(), "booked", once)).MsgID, "ten minutes later it is forgotten")
}

func TestASubscriptionNoticeNeedsACredit(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	a := open(t, wechattest.Config{Callback: "http://hospital.example/wechat", HTTPClient: inProcess(inbox), Mode: wechat.Plain})
	f := a.follower("陈素心")
	queue := send(f.OpenID(), "queue", `"data":{"number1":{"value":"12"}}`)
	report := send(f.OpenID(), "report", `"data":{"thing1":{"value":"血常规"}}`)
	refused := a.post(subscribePath, queue)
	require.Equal(t, 43101, refused.Code)
	require.Contains(t, refused.Text, "user refuse to accept the msg rid: ")
	require.NoError(t, f.Subscribe(t.Context(), false, "queue"))
	require.Contains(t, inbox.last(), "<SubscribeStatusString><![CDATA[reject]]>")
	require.Equal(t, 43101, a.post(subscribePath, queue).Code)

	require.NoError(t, f.Subscribe(t.Context(), true, "queue", "report"))
	require.Contains(t, inbox.last(), "<SubscribeMsgPopupEvent><List><TemplateId><![CDATA[queue]]></TemplateId><SubscribeStatusString><![CDATA[accept]]>")
	wrong := a.post(subscribePath, strings.Replace(queue, `"12"`, `"十二"`, 1))
	require.Equal(t, 47003, wrong.Code, "a refused notice spends nothing")
	require.Zero(t, a.post(subscribePath, queue).Code)
	require.Equal(t, 43101, a.post(subscribePath, queue).Code, "once is once")
	for range 3 {
		require.Zero(t, a.post(subscribePath, report).Code, "long-term")
	}
	a.clock.Pass(time.Second)
	_, err := a.Advance(t.Context())
	require.NoError(t, err)
	require.Len(t, f.Chat(), 4)
	require.Equal(t, "subscription", f.Chat()[0].Kind)
	require.Contains(t, inbox.last(), "<SubscribeMsgSentEvent><List><TemplateId><![CDATA[report]]></TemplateId>")
	require.Contains(t, inbox.last(), "<ErrorCode><![CDATA[0]]></ErrorCode><ErrorStatus><![CDATA[success]]></ErrorStatus>")

	require.NoError(t, f.Unsubscribe(t.Context(), "report"))
	require.Contains(t, inbox.last(), "subscribe_msg_change_event")
	require.Equal(t, 43101, a.post(subscribePath, report).Code)
	require.ErrorIs(t, f.Unsubscribe(t.Context(), "report"), &hospital.Error{Kind: hospital.NotFound, Code: "no_credit"})
	require.ErrorIs(t, f.Subscribe(t.Context(), true, "booked"), &hospital.Error{Kind: hospital.NotFound, Code: "no_template"})

	require.Equal(t, 40003, a.post(subscribePath, send("o0", "queue", bookedData)).Code)
	require.Equal(t, 40037, a.post(subscribePath, send(f.OpenID(), "booked", bookedData)).Code)
	require.Equal(t, 41030, a.post(subscribePath, send(f.OpenID(), "report", `"page":"pages/a","data":{"thing1":{"value":"血常规"}}`)).Code)
}

func TestTheValueOfAFieldMustFitItsKind(t *testing.T) {
	t.Parallel()
	for key, values := range map[string]struct{ good, bad []string }{
		"thing1":            {[]string{"血", strings.Repeat("血", 20), "a b+c"}, []string{"", strings.Repeat("血", 21), "a\u007f"}},
		"short_thing1":      {[]string{"已完成"}, []string{strings.Repeat("血", 11)}},
		"const1":            {[]string{"已完成"}, []string{strings.Repeat("血", 21)}},
		"number1":           {[]string{"12", "12.5", strings.Repeat("1", 32)}, []string{"12号", "1,000", strings.Repeat("1", 33), "１２"}},
		"letter1":           {[]string{"ABc"}, []string{"A1", "甲", strings.Repeat("a", 33)}},
		"symbol1":           {[]string{"+-*/", "￥"}, []string{"a", "甲", "+-*/=%"}},
		"character_string1": {[]string{"NO-2026#1"}, []string{"编号1", strings.Repeat("a", 33)}},
		"time1":             {[]string{"15:01", "2026年1月5日 15:01", "2026-01-05 15:01:02", "08:30~09:00", "2026年1月5日 08:30~2026年1月6日 09:00"}, []string{"25:01", "15点", "2026年1月5日", "2026年2月30日 08:00", "下午"}},
		"date1":             {[]string{"2026年1月5日", "2026年01月05日 15:01", "2026/1/5"}, []string{"15:01", "1月5日", "2026年13月1日", "2026年6月31日"}},
		"amount1":           {[]string{"¥12.05", "12.05元", "$1", "10"}, []string{"12.055元", "十元", "¥12345678901"}},
		"phone_number1":     {[]string{"0510-82723412", "+86 13800000000"}, []string{"电话", "123456789012345678"}},
		"car_number1":       {[]string{"苏B12345", "苏BD12345"}, []string{"苏B1234567", "车"}},
		"name1":             {[]string{"陈素心", "阿卜杜拉·买买提", "John Smith"}, []string{strings.Repeat("陈", 11), "陈素心1", strings.Repeat("a", 21)}},
		"phrase1":           {[]string{"已就诊"}, []string{"已就诊完成了", "ok"}},
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			a := open(t, wechattest.Config{Templates: []wechattest.Template{{ID: "t", Content: "值:{{" + key + ".DATA}}"}}})
			f := a.follower("陈素心")
			try := func(value string) answer {
				text, err := json.Marshal(value)
				require.NoError(t, err)
				return a.post(templatePath, send(f.OpenID(), "t", fmt.Sprintf(`"data":{%q:{"value":%s}}`, key, text)))
			}
			for _, value := range values.good {
				require.Zero(t, try(value).Code, "%q", value)
			}
			for _, value := range values.bad {
				got := try(value)
				require.Equal(t, 47003, got.Code, "%q", value)
				require.Contains(t, got.Text, "data."+key+".value")
			}
		})
	}
}
