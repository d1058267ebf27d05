package sim

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

// The templates that the simulated account has taken, by what they are for.
const (
	TemplateBooked    = "tpl-booked-0000000000000000000000000000001"
	TemplatePaid      = "tpl-paid-00000000000000000000000000000002"
	TemplateCancelled = "tpl-cancelled-0000000000000000000000000003"
	TemplateRefunded  = "tpl-refunded-00000000000000000000000000004"
)

// Notice is a template that the simulated account has taken for one scene of
// the server, and what its fields show there.
type Notice struct {
	Template string            // its id
	Fields   map[string]string // {"thing1": "patient"}
}

// The lines of the scenes' templates: label, field, and what it shows.
var (
	aboutVisit = [][3]string{{"就诊人", "thing1", "patient"}, {"就诊科室", "thing2", "department"}, {"就诊时间", "time3", "time"}, {"温馨提示", "thing4", "note"}} //nolint:gochecknoglobals // an immutable table
	aboutMoney = [][3]string{{"就诊人", "thing1", "patient"}, {"金额", "amount2", "amount"}, {"温馨提示", "thing3", "note"}}                                 //nolint:gochecknoglobals // as above
	aboutOther = [][3]string{{"就诊人", "thing1", "patient"}, {"时间", "time2", "now"}, {"温馨提示", "thing3", "note"}}                                      //nolint:gochecknoglobals // as above
)

// scenes are the templates by scene, with their titles.
var scenes = map[string]struct { //nolint:gochecknoglobals // an immutable table
	title string
	lines [][3]string
}{
	"appt.booked":          {"预约成功通知", aboutVisit},
	"appt.pay_due":         {"待支付提醒", aboutMoney},
	"appt.paid":            {"挂号费支付成功通知", aboutMoney},
	"appt.cancelled":       {"预约取消通知", aboutVisit},
	"appt.refunded":        {"挂号费退款通知", aboutMoney},
	"appt.stopped":         {"停诊通知", aboutVisit},
	"appt.no_show":         {"未就诊提醒", aboutVisit},
	"appt.reminder_d1":     {"明日就诊提醒", aboutVisit},
	"appt.reminder_h2":     {"就诊提醒", aboutVisit},
	"lock.locked":          {"预约暂停通知", aboutOther},
	"lock.unlocked":        {"预约恢复通知", aboutOther},
	"bill.created":         {"待缴费通知", aboutMoney},
	"bill.paid":            {"缴费成功通知", aboutMoney},
	"bill.refunded":        {"缴费退款通知", aboutMoney},
	"patient.info_updated": {"患者信息更新通知", aboutOther},
	"patient.bound":        {"就诊人绑定通知", aboutOther},
	"patient.taken_over":   {"就诊人转出通知", aboutOther},
}

// Notices are the templates of the scenes.
func Notices() map[string]Notice {
	all := map[string]Notice{}
	for scene, s := range scenes {
		n := Notice{Template: "tpl-" + scene, Fields: map[string]string{}}
		for _, line := range s.lines {
			n.Fields[line[1]] = line[2]
		}
		all[scene] = n
	}
	return all
}

// Templates are all templates as the account's console shows them.
func Templates() []wechattest.Template {
	all := []wechattest.Template{
		{ID: TemplateBooked, Title: "预约成功通知", Content: "就诊科室:{{thing1.DATA}}\n就诊时间:{{time2.DATA}}\n就诊序号:{{character_string3.DATA}}\n温馨提示:{{thing4.DATA}}"},
		{ID: TemplatePaid, Title: "缴费成功通知", Content: "缴费项目:{{thing1.DATA}}\n缴费金额:{{amount2.DATA}}\n缴费时间:{{time3.DATA}}"},
		{ID: TemplateCancelled, Title: "预约取消通知", Content: "就诊科室:{{thing1.DATA}}\n就诊时间:{{time2.DATA}}\n取消原因:{{thing3.DATA}}"},
		{ID: TemplateRefunded, Title: "退款成功通知", Content: "退款项目:{{thing1.DATA}}\n退款金额:{{amount2.DATA}}\n退款说明:{{thing3.DATA}}"},
	}
	for scene, s := range scenes {
		var content []string
		for _, line := range s.lines {
			content = append(content, line[0]+":{{"+line[1]+".DATA}}")
		}
		all = append(all, wechattest.Template{ID: "tpl-" + scene, Title: s.title, Content: strings.Join(content, "\n")})
	}
	slices.SortFunc(all, func(a, b wechattest.Template) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
