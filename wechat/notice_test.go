package wechat_test

import (
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// TestFieldValues holds the values on both sides of every rule. Each is put to
// the simulated platform as well: what we let pass, it takes.
func TestFieldValues(t *testing.T) {
	t.Parallel()
	n := strings.Repeat
	for field, test := range map[string]struct{ good, bad []string }{
		"thing1":            {[]string{"内科门诊", n("字", 20), "a<b>&\"😀"}, []string{"", " ", n("字", 21), "两\n行", "a\x00", "\xff"}},
		"short_thing1":      {[]string{n("字", 10)}, []string{n("字", 11)}},
		"const1":            {[]string{"已预约"}, []string{n("字", 21)}},
		"number1":           {[]string{"12", "3.50", n("9", 32)}, []string{"12人", n("9", 33), "1.2.3", "１２"}},
		"letter1":           {[]string{"ABc", n("a", 32)}, []string{"A1", "字", n("a", 33)}},
		"symbol1":           {[]string{"~!@#￥"}, []string{"a!", "!!!!!!", "1"}},
		"character_string1": {[]string{"GH-2026/11 #7", n("x", 32)}, []string{"号7", n("x", 33), "é"}},
		"time1": {
			[]string{"08:30", "8:30:15", "2026年11月26日 08:30", "2026-11-26 08:30", "08:30~09:00", "2026年2月28日 08:30~2026年2月28日 09:00"},
			[]string{"8点半", "25:00", "2026年2月30日 08:30", "2026年11月26日", "08:30~", "明天 08:30", "08:60"},
		},
		"date1": {
			[]string{"2026年11月26日", "2026-11-26", "2026/1/6", "2026年11月26日 08:30", "2026年11月26日~2026年11月27日", "2028-02-29"},
			[]string{"11月26日", "2026年13月1日", "2026-02-29", "08:30", "2026年11月26日起", "26.11.2026"},
		},
		"amount1":       {[]string{"¥12.50", "12.5元", "100", "$1", "9999999999"}, []string{"12.5 元", "十元", "12345678901", "12.345", "元"}},
		"phone_number1": {[]string{"0510-82700000", "+86 13900000000"}, []string{"0510-82700000转1", n("1", 18)}},
		"car_number1":   {[]string{"苏B12345", "苏BD12345"}, []string{"苏B", "B-12345", "苏B12345678"}},
		"name1":         {[]string{"陈素心", "古丽·阿依", "John Smith", n("字", 10), n("a", 20)}, []string{n("字", 11), n("a", 21), "陈素心1"}},
		"phrase1":       {[]string{"已预约", "预约已成功"}, []string{"预约已经成功", "ok", "已预约!"}},
		"keyword1":      {[]string{n("字", 20)}, []string{n("字", 21)}},
		"first":         {nil, []string{"您好"}},
		"remark":        {nil, []string{"谢谢"}},
		"name":          {[]string{"张三 (本人)"}, []string{n("字", 21)}},
		"gadget1":       {[]string{n("字", 20)}, []string{n("字", 21), ""}},
		"thing1.DATA":   {nil, []string{"a"}},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(c *wechattest.Config) {
				if len(test.good) > 0 {
					c.Templates = []wechattest.Template{{ID: "T", Title: "t", Content: "字段:{{" + field + ".DATA}}"}}
				}
			})
			client := s.client(t, nil)
			f := s.follower(t, "陈素心")
			notice := func(value string) wechat.Notice {
				return wechat.Notice{Kind: wechat.TemplateMessage, To: wechat.OpenID(f.OpenID()), Template: "T", Data: map[string]string{field: value}}
			}
			for _, value := range test.good {
				_, err := client.Notify(t.Context(), notice(value))
				require.NoError(t, err, "%q", value)
			}
			sent := s.count("/cgi-bin/message/template/send")
			for _, value := range test.bad {
				_, err := client.Notify(t.Context(), notice(value))
				require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_notice"}, "%q", value)
				require.ErrorContains(t, err, "Data."+field+": ")
				if len(value) > 3 {
					require.NotContains(t, err.Error(), value, "a value may be about a patient")
				}
			}
			require.Equal(t, sent, s.count("/cgi-bin/message/template/send"), "nothing bad was sent")
		})
	}
}

func TestNoticesAreCheckedBeforeTheyAreSent(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for _, c := range "123456789" {
		many["thing"+string(c)] = "a"
		many["name"+string(c)] = "a"
	}
	for field, edit := range map[string]func(*wechat.Notice){
		"Kind":         func(n *wechat.Notice) { n.Kind = 0 },
		"To":           func(n *wechat.Notice) { n.To = "" },
		"Template":     func(n *wechat.Notice) { n.Template = "" },
		"Key":          func(n *wechat.Notice) { n.Key = "a b" },
		"URL":          func(n *wechat.Notice) { n.URL = "javascript:alert(1)" },
		"MiniProgram":  func(n *wechat.Notice) { n.MiniProgram = &wechat.MiniProgram{AppID: "wx"} },
		"Data":         func(n *wechat.Notice) { n.Data = nil },
		"1 to 10":      func(n *wechat.Notice) { n.Data = many },
		"Data.thing1:": func(n *wechat.Notice) { n.Data = maps.Clone(n.Data); n.Data["thing1"] = "" },
	} {
		notice := booked(testOpenID)
		require.NoError(t, notice.Validate())
		edit(&notice)
		err := notice.Validate()
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_notice"}, field)
		require.ErrorContains(t, err, field)
	}
}

// TestThePlatformsOwnRefusalNamesTheField covers a template whose fields are
// others than ours.
func TestThePlatformsOwnRefusalNamesTheField(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		f := s.follower(t, "陈素心")
		notice := booked(f.OpenID())
		delete(notice.Data, "time2")
		_, err := s.client(t, nil).Notify(t.Context(), notice)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "47003"})
		require.ErrorContains(t, err, "data.time2.value")
	})
}
