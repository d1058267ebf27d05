package sim

import "github.com/wxhospital/hospital/wechat/wechattest"

// The templates that the simulated account has taken, by what they are for.
const (
	TemplateBooked    = "tpl-booked-0000000000000000000000000000001"
	TemplatePaid      = "tpl-paid-00000000000000000000000000000002"
	TemplateCancelled = "tpl-cancelled-0000000000000000000000000003"
	TemplateRefunded  = "tpl-refunded-00000000000000000000000000004"
)

// Templates are those templates as the account's console shows them.
func Templates() []wechattest.Template {
	return []wechattest.Template{
		{ID: TemplateBooked, Title: "预约成功通知", Content: "就诊科室:{{thing1.DATA}}\n就诊时间:{{time2.DATA}}\n就诊序号:{{character_string3.DATA}}\n温馨提示:{{thing4.DATA}}"},
		{ID: TemplatePaid, Title: "缴费成功通知", Content: "缴费项目:{{thing1.DATA}}\n缴费金额:{{amount2.DATA}}\n缴费时间:{{time3.DATA}}"},
		{ID: TemplateCancelled, Title: "预约取消通知", Content: "就诊科室:{{thing1.DATA}}\n就诊时间:{{time2.DATA}}\n取消原因:{{thing3.DATA}}"},
		{ID: TemplateRefunded, Title: "退款成功通知", Content: "退款项目:{{thing1.DATA}}\n退款金额:{{amount2.DATA}}\n退款说明:{{thing3.DATA}}"},
	}
}
