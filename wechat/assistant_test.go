package wechat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestAVisitBecomesOnePage(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	f, err := s.Join("陈素心") // need not follow
	require.NoError(t, err)
	m := booked1()
	m.To = openID(f)
	m.Visit.Page = wechat.VisitPage{URL: "https://h.example.com/v/1"}
	m.Visit.Elder = wechat.VisitPage{MiniProgram: &wechat.MiniProgram{AppID: "wx111", Page: "elder?v=1"}}
	require.NoError(t, s.SendVisit(ctx, m))
	require.Equal(t, "本次门诊流程", f.Visits()[0].Heading)
	require.Equal(t, wechattest.VisitNews{
		At: s.clock.Now(), Status: 1501001, MsgID: "visit-1-booked", URL: "https://h.example.com/v/1", ElderURL: "wx111/elder?v=1",
		Fields: map[string]string{
			"pat_hospital_id": "a123456", "pat_name": "陈*心", "doc_name": "王小二", "department_name": "门诊3楼针灸科", "department_location": "3楼东",
			"appointment_time": "2026-11-26 10:30-11:00", "memo": "请空腹",
		},
	}, f.Visits()[0].Messages[0])
	require.Equal(t, "40097", code(s.SendVisit(ctx, m)), "a msg_id is used once")
	m.Status, m.Key, m.More = 1501005, "visit-1-queue", map[string]string{"queue_number": "7"}
	require.NoError(t, s.SendVisit(ctx, m))
	require.Equal(t, "7", f.Visits()[0].Messages[1].Fields["queue_number"])
	m.Status, m.Key, m.More = 1505001, "visit-1-after", nil
	require.NoError(t, s.SendVisit(ctx, m))
	require.Equal(t, "本次门诊流程", f.Visits()[0].Heading, "aftercare changes nothing")
	m.Status, m.Key = 1502001, "visit-1-ward"
	require.NoError(t, s.SendVisit(ctx, m))
	require.Equal(t, "本次就医流程", f.Visits()[0].Heading, "two kinds are neither")
	m.Order, m.Key = "visit-2", "visit-2-ward1"
	require.NoError(t, s.SendVisit(ctx, m))
	require.Equal(t, "本次住院流程", f.Visits()[1].Heading)
}

func TestTheAssistantMustBeOpened(t *testing.T) {
	t.Parallel()
	site := newSite(t, nil)
	m := booked1()
	m.To = openID(site.follower(t, "陈素心"))
	err := site.client(t, nil).SendVisit(t.Context(), m)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Denied, Code: "48001"})
	require.NotContains(t, err.Error(), string(m.To))
	require.NotContains(t, site.log.String(), string(m.To))
}

func TestAVisitIsCheckedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	for field, edit := range map[string]func(*wechat.VisitMessage){
		"open_id":                              func(m *wechat.VisitMessage) { m.To = "" },
		"status":                               func(m *wechat.VisitMessage) { m.Status = 1506001 },
		"order_id":                             func(m *wechat.VisitMessage) { m.Order = "" },
		"msg_id":                               func(m *wechat.VisitMessage) { m.Key = "a" },
		"business_info.pat_hospital_id":        func(m *wechat.VisitMessage) { m.Visit.CardNo = "" },
		"business_info.pat_name":               func(m *wechat.VisitMessage) { m.Visit.Patient = "" },
		"business_info.department_name":        func(m *wechat.VisitMessage) { m.Visit.Department = "" },
		"business_info.appointment_time":       func(m *wechat.VisitMessage) { m.Visit.Time = "" },
		"business_info.appointment_time: want": func(m *wechat.VisitMessage) { m.Visit.Time = "2026-02-30 10:30" },
		"business_info.doc_name":               func(m *wechat.VisitMessage) { m.More = map[string]string{"doc_name": "a"} },
		"business_info.redirect_page.page_type": func(m *wechat.VisitMessage) {
			m.Visit.Page = wechat.VisitPage{URL: "https://h.example.com", MiniProgram: &wechat.MiniProgram{}}
		},
		"business_info.redirect_page.url":            func(m *wechat.VisitMessage) { m.Visit.Page.URL = "h" },
		"business_info.elder_redirect_page.app_id":   func(m *wechat.VisitMessage) { m.Visit.Elder.MiniProgram = &wechat.MiniProgram{Page: "a"} },
		"business_info.elder_redirect_page.fullpath": func(m *wechat.VisitMessage) { m.Visit.Elder.MiniProgram = &wechat.MiniProgram{AppID: "a"} },
	} {
		m := booked1()
		edit(&m)
		err := s.SendVisit(t.Context(), m)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_visit"}, field)
		require.ErrorContains(t, err, field)
		require.NotContains(t, err.Error(), "陈*心")
	}
	require.Empty(t, s.sent, "nothing was sent")
}
