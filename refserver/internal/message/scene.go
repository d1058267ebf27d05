package message

import (
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// Scene is 消息场景, what a message is about.
type Scene string

// The scenes.
const (
	Booked      Scene = "appt.booked"
	PayDue      Scene = "appt.pay_due"
	Paid        Scene = "appt.paid"
	Cancelled   Scene = "appt.cancelled"
	Refunded    Scene = "appt.refunded"
	Stopped     Scene = "appt.stopped" // 停诊
	NoShow      Scene = "appt.no_show"
	Locked      Scene = "lock.locked"
	Unlocked    Scene = "lock.unlocked"
	ReminderD1  Scene = "appt.reminder_d1" // the evening before
	ReminderH2  Scene = "appt.reminder_h2" // two hours before
	BillCreated Scene = "bill.created"
	BillPaid    Scene = "bill.paid"
	BillRefund  Scene = "bill.refunded"
	InfoUpdated Scene = "patient.info_updated" // 患者信息更新
	Bound       Scene = "patient.bound"
	TakenOver   Scene = "patient.taken_over"
)

// Fact is what a message may say. Text is what the facts' owner knows; the
// package masks the name and puts the alias in place of the department.
type Fact struct {
	Users        []hospital.UserID  // who is told
	Patient      hospital.PatientID // of whom
	Name         hospital.Name      // of the patient
	Object       string             // what a tap leads to: an appointment, a bill, "" for none
	Department   hospital.DepartmentID
	DepartmentIs string // its name
	Doctor       string
	Start        time.Time // of the visit
	Place        string
	Number       int // 就诊序号
	Amount       hospital.Fen
	Until        time.Time            // pay by, locked until
	Purpose      hospital.PurposeKind // of an order
	Live         bool                 // the appointment still stands
}

// scenes says which event is which scene. An order's depends on its purpose.
func scenes(kind string, f Fact) (Scene, bool) {
	switch kind {
	case "order.refunded":
		if f.Purpose == hospital.ForRegistration {
			return Refunded, true
		}
		return BillRefund, f.Purpose == hospital.ForBill
	case "order.delivered":
		if f.Purpose == hospital.ForRegistration {
			return Paid, true
		}
		return BillPaid, f.Purpose == hospital.ForBill
	}
	_, ok := catalog[Scene(kind)]
	return Scene(kind), ok
}

// mayTell reports whether an event can become a message at all.
func mayTell(kind string) bool {
	_, ok := catalog[Scene(kind)]
	return ok || kind == "order.refunded" || kind == "order.delivered"
}

type words struct {
	title string
	body  string // {patient} {department} {doctor} {time} {place} {number} {amount} {until}
	note  string // 温馨提示 of the notice, at most 20 characters
	calm  bool   // may wait for the end of the quiet hours
}

var catalog = map[Scene]words{ //nolint:gochecknoglobals // an immutable table
	Booked:      {"预约成功", "{patient}已预约{time}的{department}，就诊序号{number}。来不了请提前取消。", "来不了请提前取消", false},
	PayDue:      {"请尽快支付", "{patient}{time}的{department}号源已为您保留，请在{until}前支付{amount}，逾期号源将释放。", "逾期号源将释放，请尽快支付", false},
	Paid:        {"挂号费已支付", "{patient}{time}的{department}挂号费{amount}已支付，就诊序号{number}。请按时就诊；来不了请提前取消。", "请按时就诊，来不了请提前取消", false},
	Cancelled:   {"预约已取消", "{patient}{time}的{department}预约已取消。如需就诊请重新预约；已付款的会原路退回。", "如需就诊请重新预约", false},
	Refunded:    {"挂号费已退回", "{patient}的挂号费{amount}已原路退回，请留意支付账户。", "已原路退回，请留意账户", false},
	Stopped:     {"停诊通知", "很抱歉，{time}的{department}停诊，{patient}的预约已取消；已付款的会原路退回。您可以改约其他时间。", "已付款会原路退回，可改约其他时间", false},
	NoShow:      {"未就诊提醒", "{patient}没有按时到{department}就诊（{time}）。以后来不了请提前取消，把号源留给其他患者。", "来不了请提前取消", true},
	Locked:      {"预约暂停通知", "{patient}因多次未按时就诊，暂停线上预约至{until}。急需就诊可到人工窗口挂号；如有异议请联系医院。", "急需就诊请到人工窗口挂号", true},
	Unlocked:    {"已恢复预约", "{patient}的线上预约已恢复，现在可以预约挂号了。", "现在可以预约挂号了", true},
	ReminderD1:  {"明日就诊提醒", "{patient}预约了{time}的{department}，就诊序号{number}，地点：{place}。请带好身份证件；来不了请提前取消。", "请带好身份证件按时就诊", true},
	ReminderH2:  {"就诊提醒", "{patient}今天{time}在{department}就诊，就诊序号{number}，地点：{place}。请预留取号和路上的时间。", "请预留取号和路上的时间", true},
	BillCreated: {"新的待缴账单", "{patient}有一张待缴账单，金额{amount}。请在“我的账单”中查看并缴费，也可到窗口办理。", "可在线缴费，也可到窗口办理", true},
	BillPaid:    {"缴费成功", "{patient}的账单已缴费{amount}。{place}", "请按账单提示前往办理", false},
	BillRefund:  {"缴费已退回", "{patient}的缴费{amount}已原路退回，请在“我的账单”中查看最新金额。", "已原路退回，请留意账户", false},
	InfoUpdated: {"患者信息更新", "{patient}在医院的信息已更新。如非本人办理，请到人工窗口核实。", "非本人办理请到窗口核实", true},
	Bound:       {"就诊人已绑定", "{patient}已绑定到您的账号，可以预约挂号了。如非本人操作，请联系医院。", "非本人操作请联系医院", false},
	TakenOver:   {"就诊人已转出", "{patient}已由本人验证后绑定到另一个微信账号，您不再能代为办理。如有疑问请到人工窗口核实。", "如有疑问请到人工窗口核实", false},
}

const (
	unnamedPlace = "请看预约凭证"
	noNumber     = "以现场为准"
	untilFreed   = "医院解除" // of a lock without an end
)

// values are what the words and the fields of a notice are filled with.
func (m *Messenger) values(scene Scene, f Fact) map[string]string {
	department := f.DepartmentIs
	if alias, ok := m.cfg.Aliases[f.Department]; ok {
		department = alias
	}
	v := map[string]string{
		"title": catalog[scene].title, "note": catalog[scene].note, "patient": f.Name.Masked(), "department": department,
		"doctor": f.Doctor, "time": moment(f.Start), "until": moment(f.Until), "place": f.Place, "number": strconv.Itoa(f.Number),
		"amount": f.Amount.String(), "now": moment(m.cfg.Now()),
	}
	if alias := v["department"]; f.Department != "" && m.cfg.Aliases[f.Department] == alias && alias != "" {
		v["doctor"] = "" // a doctor's name would tell what the alias hides
	}
	if v["place"] == "" && scene != BillPaid {
		v["place"] = unnamedPlace
	}
	if f.Number == 0 {
		v["number"] = noNumber
	}
	if f.Until.IsZero() {
		v["until"] = untilFreed
	}
	return v
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(hospital.CST).Format("2006年1月2日 15:04")
}

func fill(text string, values map[string]string) string {
	var pairs []string
	for name, value := range values {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
