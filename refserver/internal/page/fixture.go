package page

import (
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/triage"
)

// Fixture is one page in one state, filled with invented people.
type Fixture struct {
	Name  string // "appointment-booked"
	Frame Frame
	View  View
}

// Fixtures are all pages in all their states. Nobody in them exists.
func Fixtures() []Fixture { return fixtures() }

func fixtures() []Fixture {
	knowledge, err := triage.Load(nil)
	if err != nil {
		panic("page: the shipped knowledge is tested: " + err.Error())
	}
	today := hospital.DateOf(time.Date(2026, 11, 25, 12, 0, 0, 0, hospital.CST))
	at := func(day, hour, minute int) time.Time { return today.AddDays(day).At(hour, minute) }
	room := hospital.Room{Building: "门诊楼", Floor: "3 楼", Name: "305 诊室"}
	frame := Frame{Patient: "王*芳", Unread: 2, Token: "fixture", Here: "/"}
	clinic := Clinic{
		Schedule: "s1", DepartmentID: "PWB", Department: "脾胃病科", Doctor: "周文明", DoctorID: "d1", Title: "主任医师",
		Expert: true, Date: today.AddDays(1), Session: hospital.Morning, Room: room, Fee: 2500,
	}
	doctors := []DoctorRow{
		{ID: "d1", Name: "周文明", Title: "主任医师", Department: "脾胃病科", Specialty: "慢性胃炎、胃食管反流、功能性消化不良的中医调治", Next: today.AddDays(1)},
		{ID: "d2", Name: "李雪", Title: "主治医师", Department: "脾胃病科", Specialty: "肠易激综合征"},
	}
	schedule := func(id string, sale Sale, left int) ScheduleRow {
		return ScheduleRow{
			ID: id, Doctor: "d1", Name: "周文明", Title: "主任医师", Department: "脾胃病科", Expert: true,
			Specialty: "慢性胃炎、胃食管反流", Date: today.AddDays(1), Session: hospital.Morning, Fee: 2500, Sale: sale, Left: left,
		}
	}
	stopped := schedule("s4", SaleStopped, 0)
	stopped.Reason = "医生外出会诊，由李雪医生替诊"
	closed := schedule("s5", SaleNotYet, 0)
	closed.Opening = at(1, 7, 0)
	ordinary := schedule("s2", SaleOpen, hospital.Unlimited)
	ordinary.Name, ordinary.Doctor, ordinary.Title, ordinary.Specialty, ordinary.Expert = "", "", "", "", false
	schedules := []ScheduleRow{schedule("s1", SaleOpen, 12), ordinary, schedule("s3", SaleFull, 0), stopped, closed, schedule("s6", SaleOver, 0)}
	days := []Day{
		{today, SaleOver},
		{today.AddDays(1), SaleOpen},
		{today.AddDays(2), SaleFull},
		{today.AddDays(3), SaleStopped},
		{today.AddDays(4), SaleNone},
		{today.AddDays(5), SaleOpen},
		{today.AddDays(6), SaleNotYet},
	}
	slots := []SlotChoice{
		{ID: "1", Start: at(1, 8, 0), End: at(1, 8, 30), Capacity: 5, Busy: BusyFull},
		{ID: "2", Start: at(1, 8, 30), End: at(1, 9, 0), Left: 1, Capacity: 5, Busy: BusyHigh},
		{ID: "3", Start: at(1, 9, 0), End: at(1, 9, 30), Left: 3, Capacity: 5, Busy: BusyMedium},
		{ID: "4", Start: at(1, 9, 30), End: at(1, 10, 0), Left: 5, Capacity: 5, Busy: BusyLow, Quietest: true},
		{ID: "5", Start: at(1, 10, 0), End: at(1, 10, 30), Left: hospital.Unlimited, Busy: BusyLow},
		{ID: "6", Start: at(1, 7, 30), End: at(1, 8, 0), Left: 2, Capacity: 5, Over: true},
	}
	figure := func(sex Sex, age Age, side Side) Figure { return Figure{Sex: sex, Age: age, Side: side} }
	visit := func(s TodayState) TodayVisit {
		return TodayVisit{
			State: s, Appointment: "a1", Order: "o1", Patient: "王*芳", Department: "脾胃病科", Doctor: "周文明",
			Start: at(0, 9, 30), End: at(0, 10, 0), QueueNo: 12, Room: room, Amount: 2500, Deadline: at(0, 12, 15),
		}
	}
	confirm := func(rule PayRule) Confirm {
		return Confirm{
			Clinic: clinic, Slot: "4", Start: at(1, 9, 30), End: at(1, 10, 0), Kind: hospital.Advance,
			Patients: []PatientChoice{
				{ID: "p1", Name: "王*芳", Card: "尾号 1234", Selected: true},
				{ID: "p2", Name: "王*宝", Card: "尾号 8812", Insured: true},
				{ID: "p3", Name: "王*国", Card: "尾号 0031", Locked: true},
			},
			Fees: []FeeLine{{"挂号费", 500}, {"诊查费", 2000}}, Total: 2500, Pay: rule, Within: 15 * time.Minute, Cancel: at(0, 23, 59),
			Bring: []string{"请带身份证或医保卡、以往的检查结果"}, Key: "k1", Strikes: 1,
		}
	}
	refused := confirm(PayDesk)
	refused.Problem, refused.Cancel = "同一天同科室只能约 1 个号。可在“我的挂号”里先取消已有的号。", time.Time{}
	appointment := func(s Status) Appointment {
		return Appointment{
			ID: "a1", Status: s, Patient: "王小芳", Card: "****1234", DepartmentID: "PWB", Department: "脾胃病科", Doctor: "周文明", Title: "主任医师",
			Kind: hospital.Advance, Start: at(1, 9, 30), End: at(1, 10, 0), QueueNo: 12, Voucher: "G202611250012", Room: room, Location: "门诊楼 3 楼，出电梯右转",
			Bring: []string{"身份证或医保卡", "近期的检查结果和正在吃的药"}, Ticket: "提前 20 分钟到 3 楼自助机取号", Fee: 2500, Rule: "wuxi2018 第 3 版",
		}
	}
	due, booked, back, off := appointment(StatusPayDue), appointment(StatusBooked), appointment(StatusRefunding), appointment(StatusStopped)
	due.Order, due.Deadline, due.CanCancel = "o1", at(0, 12, 15), true
	booked.Order, booked.CanCancel, booked.Cancel = "o1", true, at(0, 23, 59)
	back.Paid, back.Reason = 2500, "您取消了挂号"
	off.Reason, off.Paid, off.Refunded = "医生外出会诊停诊，已付的费用已原路退回", 2500, 2500
	bill := func(s BillStatus) Bill {
		return Bill{
			ID: "b1", Status: s, Patient: "王小芳", Department: "脾胃病科", Doctor: "周文明", At: at(0, 10, 20),
			Groups: []BillGroup{{"中成药费", []BillItem{{"香砂养胃丸", "2 盒", 3640}, {"胃苏颗粒", "1 盒", 4200}}, 7840}, {"检验费", []BillItem{{"碳13呼气试验", "", 15000}}, 15000}},
			Amount: 22840, Total: 22840, Version: "q1",
		}
	}
	changed, insured, paid, gone := bill(BillDue), bill(BillDue), bill(BillPaid), bill(BillRefunded)
	changed.Problem = "账单金额有变化，请核对最新金额后再缴费。"
	insured.Desk = true
	paid.PaidAt, paid.Next = at(0, 10, 40), "请到门诊楼 1 楼 3 号窗口取药"
	gone.Refunded = 22840
	billRow := func(s BillStatus) BillRow {
		return BillRow{ID: "b1", Title: "门诊处方", Department: "脾胃病科", Doctor: "周文明", At: at(0, 10, 20), Amount: 22840, Status: s}
	}
	person := PatientRow{ID: "p1", Name: "王*芳", IDNumber: "3202**********1234", Phone: "138****8000", Current: true}
	locked := PatientRow{ID: "p3", Name: "王*国", IDNumber: "3202**********0031", Insured: true, Locked: true}
	filled := Fields{
		Values: map[string]string{"name": "王小芳", "id_number": "32020019900101123", "child": "1", "phone": "13800138000"},
		Errors: map[string]string{"id_number": "身份证号应为 18 位，请核对", "agree": "请先阅读并同意", "": "有 2 处需要修改"},
	}
	wrong := Fields{Errors: map[string]string{"code": "验证码不对或已过期，请核对"}}

	var all []Fixture
	add := func(name string, v View) { all = append(all, Fixture{name, frame, v}) }

	add("home", Home{Bound: true, Today: []TodayVisit{visit(TodayUpcome)}})
	add("home-none", Home{Bound: true})
	all = append(all, Fixture{"home-unbound", Frame{Token: "fixture", Flash: Flash{ToneOK, "已解除绑定"}}, Home{Stale: true}})
	for _, s := range []TodayState{TodayPay, TodayArrived, TodayDone, TodayStopped} {
		add("home-"+string(s), Home{Bound: true, Today: []TodayVisit{visit(s)}})
	}
	for _, f := range []Figure{
		figure(Male, Adult, Front), figure(Male, Adult, Back), figure(Female, Adult, Front), figure(Female, Adult, Back),
		figure(Male, Child, Front), figure(Male, Child, Back),
	} {
		add("triage-"+string(f.Sex)+"-"+string(f.Age)+"-"+string(f.Side), EntryOf(knowledge, f))
	}
	entry := EntryOf(knowledge, figure(Female, Child, Front))
	entry.Query, entry.Hits = "wt", []TriageHit{{"胃痛", "上腹部", "upper-abdomen", Figure{Picked: []string{"UABD-1"}}}}
	add("triage-found", entry)
	entry.Hits, entry.Figure.Picked, entry.Picked = nil, []string{"UABD-1"}, []string{"胃痛"}
	add("triage-nothing", entry)
	entry.Fields = Fields{Values: map[string]string{"text": "肚子疼", "sex": "f", "old": "八"}, Errors: map[string]string{"": "请检查年龄", "old": "请写数字和单位，如 8 个月"}}
	add("triage-say-wrong", entry)
	groups := []SymptomGroup{
		{"正中（胃脘）", true, []Symptom{{"1", "胃痛", true}, {"2", "反酸烧心", false}, {"3", "饭后饱胀", false}, {"4", "恶心呕吐", false}}, []Symptom{{"7", "嗳气", false}}},
		{"右上", false, []Symptom{{"5", "右上腹胀痛", false}, {"6", "皮肤眼睛发黄", false}}, nil},
	}
	add("triage-part", TriagePart{Part: "upper-abdomen", Label: "上腹部", Groups: groups})
	add("triage-part-woman", TriagePart{Figure: figure(Female, Adult, Front), Part: "upper-abdomen", Label: "上腹部", Groups: groups, Others: []Symptom{{"9", "膝痛", true}}})
	add("triage-part-problem", TriagePart{
		Figure: figure(Male, Child, Front), Part: "upper-abdomen", Label: "上腹部", Groups: groups,
		Fields: Fields{Values: map[string]string{"old": "三", "days": "7"}, Errors: map[string]string{"": "请检查填写的内容", "old": "请写数字和单位，如 8 个月"}},
	})
	retold := []Hidden{{"sex", "f"}, {"s", "UABD-1"}}
	said := []Hidden{{"c", "mZk0"}}
	advice := []Advice{
		{
			Department: "PWB", Name: "脾胃病科", Location: "门诊楼 3 楼", Share: 82, Reasons: []string{"“胃痛” → 上腹痛（词库）", "反酸（人体图·上腹部）"},
			Next: today.AddDays(1), Left: 12, Clinics: schedules[:2],
		},
		{Department: "GU", Name: "骨伤科", For: "疼痛科", Share: 9},
		{Name: "眼科", Absent: true, Share: 5},
	}
	add("triage-result", TriageResult{Part: "upper-abdomen", Chosen: []string{"胃痛", "反酸烧心"}, Advice: advice, Retold: retold})
	add("triage-result-unsure", TriageResult{
		Heard: []string{"胃痛", "没有发热"}, Notes: []string{"所选性别与描述不一致，请确认"}, Checks: []TriageCheck{{"RF01", "现在还有压榨样的胸痛吗？"}}, Unsure: true,
		FollowUp: FollowUp{"肚子疼在哪里、怎样疼？", []FollowOption{{"belly.0", "右上腹，吃油腻后加重"}, {"belly.1", "说不清"}}}, Advice: advice[:2], Retold: said,
	})
	add("triage-result-asked", TriageResult{Unsure: true, FollowUp: FollowUp{"头晕是哪一种？", []FollowOption{{"dizzy.0", "天旋地转"}, {"dizzy.1", "昏沉"}}}, Advice: append(advice[1:2:2], Advice{Name: "急诊科", Emergency: true}), Retold: retold})
	add("triage-result-none", TriageResult{Nothing: true, Unsure: true, Retold: said})
	chest := Alarm{"胸口压着痛，同时出冷汗，或疼到左肩", "立即停止活动，坐下或半躺，不要自己开车。", "拨打 120", ""}
	add("triage-emergency", TriageEmergency{Call120: true, Alarms: []Alarm{chest}, Said: []string{"胸口压榨样疼", "冷汗"}, Retold: said})
	add("triage-emergency-go", TriageEmergency{Alarms: []Alarm{{"孩子误服了药", "带上药瓶。", "到急诊", "120"}}, Retold: retold})
	add("triage-emergency-any", TriageEmergency{Call120: true})
	add("triage-emergency-gentle", TriageEmergency{Call120: true, Gentle: true, Alarms: []Alarm{{"有伤害自己的想法", "请把药和刀收走，身边留人。", "拨打 12356", "12356"}}, Retold: said})
	deps := []DepartmentGroup{
		{"中医内科", []DepartmentRow{{"PWB", "脾胃病科", "门诊楼 3 楼", 28, true}, {"FEI", "肺病科", "门诊楼 3 楼", hospital.Unlimited, true}}},
		{"外科", []DepartmentRow{{ID: "GU", Name: "骨伤科"}}},
	}
	add("departments", Departments{Groups: deps, Opening: at(1, 7, 0)})
	add("departments-today", Departments{Groups: deps, Today: true, Stale: true})
	add("departments-found", Departments{Query: "pw", Groups: deps[:1], Doctors: doctors})
	add("departments-nothing", Departments{Query: "xyz"})
	intro := "脾胃病科是本院重点专科，擅长用中医药调治慢性胃病、肠病。"
	add("department", Department{ID: "PWB", Name: "脾胃病科", Introduction: intro, Location: "门诊楼 3 楼", Date: today.AddDays(1), Days: days, Schedules: schedules})
	add("department-none", Department{ID: "PWB", Name: "脾胃病科", Date: today.AddDays(4), Days: days, Stale: true})
	add("doctors", Doctors{Department: "PWB", Name: "脾胃病科", Rows: doctors, More: true})
	add("doctors-nothing", Doctors{Query: "xyz"})
	doctor := Doctor{ID: "d1", Name: "周文明", Title: "主任医师", DepartmentID: "PWB", Department: "脾胃病科", Expert: true, Specialty: "慢性胃炎、胃食管反流", Introduction: "从医三十年。", Schedules: schedules}
	add("doctor", doctor)
	doctor.Schedules, doctor.Stale = nil, true
	add("doctor-none", doctor)
	add("schedule", Schedule{Clinic: clinic, Sale: SaleOpen, Slots: slots})
	add("schedule-gone", Schedule{Clinic: clinic, Sale: SaleOpen, Slots: slots, Gone: true, Stale: true})
	add("schedule-full", Schedule{Clinic: clinic, Sale: SaleFull, Slots: slots[:1]})
	add("schedule-stopped", Schedule{Clinic: clinic, Sale: SaleStopped})
	add("schedule-not-yet", Schedule{Clinic: clinic, Sale: SaleNotYet, Opening: at(1, 7, 0)})
	for _, r := range []PayRule{PayBefore, PayAfter, PayFree} {
		add("confirm-"+string(r), confirm(r))
	}
	add("confirm-refused", refused)
	pay := Pay{Order: "o1", Title: "挂号费 · 脾胃病科", Patient: "王*芳", Amount: 2500, Deadline: at(0, 12, 15), Back: "/appointments/a1"}
	add("pay", pay)
	pay.Problem = "微信支付暂时没有回应，没有扣款，请稍后重试。"
	add("pay-problem", pay)
	pay.Problem, pay.Paid = "", true
	add("pay-paid", pay)
	for _, s := range []PayState{PayChecking, PayPaid, PayFailed, PayClosed, PayRefunding, PayRefunded, PayManual} {
		add("pay-result-"+string(s), PayResult{Order: "o1", State: s, Title: "挂号费 · 脾胃病科", Amount: 2500, Back: "/appointments/a1"})
	}
	add("pay-result-bill", PayResult{Order: "o2", State: PayPaid, Title: "门诊处方", Amount: 22840, Back: "/bills/b1", Bill: true})
	row := func(s Status) AppointmentRow {
		return AppointmentRow{ID: "a1", Status: s, Patient: "王*芳", Department: "脾胃病科", Doctor: "周文明", Kind: hospital.Advance, Start: at(1, 9, 30), End: at(1, 10, 0), QueueNo: 12, Room: room}
	}
	add("appointments", Appointments{Rows: []AppointmentRow{row(StatusPayDue), row(StatusBooked)}})
	add("appointments-past", Appointments{Past: true, Rows: []AppointmentRow{row(StatusFulfilled), row(StatusRefunding), row(StatusNoShow), row(StatusStopped)}, More: "/appointments?tab=past&before=a1"})
	add("appointments-none", Appointments{})
	add("appointment-booked", booked)
	add("appointment-pay-due", due)
	add("appointment-refunding", back)
	add("appointment-stopped", off)
	for _, s := range []Status{
		StatusHolding, StatusConfirming, StatusArrived, StatusFulfilled, StatusCancelling, StatusCancelled, StatusRefunded,
		StatusRefundManual, StatusNoShow, StatusExpired, StatusRefused, StatusManual,
	} {
		add("appointment-"+string(s), appointment(s))
	}
	add("cancel", CancelConfirm{ID: "a1", Department: "脾胃病科", Doctor: "周文明", Patient: "王*芳", Start: at(1, 9, 30), End: at(1, 10, 0), Refund: 2500})
	add("cancel-problem", CancelConfirm{ID: "a1", Department: "脾胃病科", Patient: "王*芳", Start: at(1, 9, 30), End: at(1, 10, 0), Problem: "医院系统暂时没有回应，请稍后再试。"})
	add("bills", Bills{Tab: BillsDue, Rows: []BillRow{billRow(BillDue), billRow(BillPaying)}})
	add("bills-paid", Bills{Tab: BillsPaid, Rows: []BillRow{billRow(BillPaid), billRow(BillAtWindow)}})
	add("bills-none", Bills{Tab: BillsDue})
	add("bills-refunded-none", Bills{Tab: BillsRefunded})
	add("bill", bill(BillDue))
	add("bill-changed", changed)
	add("bill-insured", insured)
	add("bill-paid", paid)
	add("bill-refunded", gone)
	for _, s := range []BillStatus{BillPaying, BillAtWindow, BillRefunding, BillVoid, BillManual} {
		add("bill-"+string(s), bill(s))
	}
	add("patients", Patients{Max: 4, Rows: []PatientRow{person, locked}})
	add("patients-full", Patients{Max: 1, Rows: []PatientRow{person}})
	add("patients-none", Patients{Max: 4})
	add("patient", Patient{Row: person, Name: "王小芳", Cards: []string{"****1234"}, Since: at(-30, 9, 0)})
	add("patient-locked", Patient{Row: locked, Name: "王建国", Since: at(-30, 9, 0), LockedTo: at(60, 0, 0), Strikes: 3})
	add("patient-unbind", Patient{Row: person, Name: "王小芳", Since: at(-30, 9, 0), Asking: true})
	add("bind", BindForm{Max: 4, Policy: "2026-01"})
	add("bind-errors", BindForm{Fields: filled, Max: 4, Policy: "2026-01", Return: "/schedules/s1/4"})
	add("bind-full", BindForm{Max: 4, Full: true})
	add("bind-code", BindCode{Ref: "r1"})
	add("bind-code-wrong", BindCode{Ref: "r1", Fields: wrong})
	add("bind-code-desk", BindCode{Ref: "r1", Desk: true})
	add("bind-create", BindCreate{Ref: "r1", Name: "王*芳"})
	add("bind-create-sent", BindCreate{Ref: "r1", Name: "王*芳", Fields: Fields{Values: filled.Values, Errors: wrong.Errors}, Sent: true})
	add("messages", Messages{Rows: []MessageRow{{"挂号成功", "11月26日 09:30 脾胃病科，12 号，请提前取号。", at(0, 11, 30), true, "/appointments/a1"}, {"患者信息更新", "您的手机号已由医院更新。", at(-1, 9, 0), false, ""}}, More: "/messages?before=m1"})
	add("messages-none", Messages{})
	add("settings", Settings{Patient: "王*芳", Patients: 2, Policy: "2026-01"})
	add("help", Help{})
	add("policy", Policy{Title: "个人信息使用告知", Version: "2026-01", From: today, Paragraphs: []string{"我们只为挂号、缴费和通知使用您的信息。", "您可以随时解除绑定。"}})
	for _, s := range []State{
		{Kind: StateUnfollowed},
		{Kind: StateUnbound},
		{Kind: StateExpired, Retry: "/appointments"},
		{Kind: StateSnapshot},
		{Kind: StateOutside},
		{Kind: StateUnavailable, What: "挂号系统", Retry: "/departments"},
		{Kind: StateMaintenance, Until: at(0, 13, 0)},
		{Kind: StateLocked, Reason: "一年内失约 3 次", Until: at(60, 0, 0)},
		{Kind: StateNoData, What: "报告"},
		{Kind: StateNotFound},
		{Kind: StateTooFast, After: 8 * time.Second},
		{Kind: StateSlow},
		{Kind: StateTooLong},
		{Kind: StateForbidden},
		{Kind: StateError, Reason: "E-4821"},
	} {
		add("state-"+string(s.Kind), s)
	}
	return all
}
