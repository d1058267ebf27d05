package staff

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
)

// scheduleDays is how far ahead a schedule is looked for by its id: further
// than any policy opens.
const scheduleDays = 60

func (d *Desk) schedules() object {
	return object{
		Path: "schedules", Label: "班次与停诊", Purpose: "查看班次，停诊，试算预约规则", Read: ReadSchedules,
		Asks: []field{
			{Name: "date", Label: "日期", Kind: kindDate, Optional: true},
			{Name: "department", Label: "科室ID", Kind: kindText, Max: 64, Optional: true},
		},
		List: d.listSchedules,
		Show: d.showSchedule,
		Acts: []act{
			{
				Act: SuspendSchedule, Name: "suspend", Label: "停诊", Danger: true,
				Explain: "取消本班次的全部有效预约，已付的挂号费自动退回，并通知患者。请同时在 HIS 中停诊，否则仍可能有新的预约。",
				Subject: d.someSchedule, Run: d.suspend,
			},
			{
				Act: TryPolicy, Name: "try", Label: "试算", Ask: true, Subject: d.someSchedule,
				Explain: "谁、何时 → 能否预约？为什么？不占号。不填时间即按现在的规则试算；填写预约用户时同时检查绑定关系。",
				Fields: []field{
					patientField(),
					{Name: "user", Label: "预约用户ID", Kind: kindText, Max: 64, Optional: true},
					{Name: "slot", Label: "时段", Kind: kindChoice},
					{Name: "payer", Label: "费别", Kind: kindChoice, Choices: []choice{{string(hospital.SelfPay), "自费"}, {string(hospital.Insured), "医保"}}, Value: string(hospital.SelfPay)},
					{Name: "at", Label: "预约时间", Kind: kindTime, Optional: true},
				},
				Run: d.try,
			},
		},
	}
}

func (d *Desk) listSchedules(ctx context.Context, _ session, ask values, v *view) error {
	if d.cfg.Schedules == nil {
		v.Notice = "医院系统没有提供班次查询。"
		return nil
	}
	day := ask.date("date")
	if day.IsZero() {
		day = hospital.DateOf(d.cfg.Now())
	}
	all, err := d.cfg.Schedules.Schedules(ctx, his.ScheduleQuery{From: day, To: day, Department: hospital.DepartmentID(ask["department"])})
	if err != nil {
		return err
	}
	t := table{Caption: day.String(), Heads: []string{"班次", "科室", "医生", "班别", "余号", "状态"}, Empty: "当天没有班次。"}
	for _, s := range all {
		t.Rows = append(t.Rows, []cell{
			{string(s.ID), d.at("schedules", string(s.ID))},
			text(d.department(ctx, s.Department)), text(d.doctor(ctx, s.Doctor)),
			text(sessionLabel(s.Session)), text(left(s)), text(running(s)),
		})
	}
	v.Tables = append(v.Tables, t)
	return nil
}

func sessionLabel(s hospital.Session) string {
	switch s {
	case hospital.Morning:
		return "上午"
	case hospital.Afternoon:
		return "下午"
	case hospital.Evening:
		return "夜间"
	}
	return string(s)
}

func left(s hospital.Schedule) string {
	if s.Left == hospital.Unlimited {
		return "不限"
	}
	return strconv.Itoa(s.Left) + " / " + strconv.Itoa(s.Capacity)
}

func running(s hospital.Schedule) string {
	if s.Suspended {
		return "已停诊"
	}
	return "正常出诊"
}

// schedule looks a schedule up by its id.
func (d *Desk) schedule(ctx context.Context, id string) (hospital.Schedule, error) {
	if d.cfg.Schedules == nil {
		return hospital.Schedule{}, errAccount
	}
	today := hospital.DateOf(d.cfg.Now())
	all, err := d.cfg.Schedules.Schedules(ctx, his.ScheduleQuery{From: today, To: today.AddDays(scheduleDays)})
	if err != nil {
		return hospital.Schedule{}, err
	}
	at := slices.IndexFunc(all, func(s hospital.Schedule) bool { return string(s.ID) == id })
	if at < 0 {
		return hospital.Schedule{}, errAccount
	}
	return all[at], nil
}

func (d *Desk) someSchedule(ctx context.Context, _ session, id string, _ values) (hospital.PatientID, error) {
	_, err := d.schedule(ctx, id)
	return "", err
}

func (d *Desk) showSchedule(ctx context.Context, who session, id string, v *view) ([]offer, error) {
	s, err := d.schedule(ctx, id)
	if err != nil {
		return nil, err
	}
	v.Title = "班次 " + id
	v.Facts = []fact{
		{Label: "日期", Value: s.Date.String() + " " + sessionLabel(s.Session)},
		{Label: "科室", Value: d.department(ctx, s.Department)},
		{Label: "医生", Value: d.doctor(ctx, s.Doctor)},
		{Label: "余号", Value: left(s)},
		{Label: "状态", Value: running(s)},
	}
	if May(who.Roles, ReadAppointments) {
		live, err := d.cfg.Bookings.List(ctx, booking.Query{Schedule: s.ID, Live: true, Limit: booking.MaxListLimit})
		if err != nil && len(live) == 0 {
			return nil, err
		}
		t := d.appointmentTable(ctx, live)
		t.Caption, t.Empty = "有效预约", "没有有效预约。"
		v.Tables = append(v.Tables, t)
	}
	slots, err := d.cfg.Schedules.Slots(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	var segments []choice
	for _, slot := range slots {
		segments = append(segments, choice{string(slot.ID), slot.Start.In(hospital.CST).Format("15:04") + "–" + slot.End.In(hospital.CST).Format("15:04")})
	}
	return []offer{
		{Act: SuspendSchedule},
		{Act: TryPolicy, Choose: map[string][]choice{"slot": segments}, Values: values{"payer": string(hospital.SelfPay)}},
	}, nil
}

func (d *Desk) suspend(ctx context.Context, who session, id string, in values) (result, error) {
	n, err := d.cfg.Booking.Suspend(ctx, who.actor(), hospital.ScheduleID(id), in["reason"])
	if err != nil && hospital.KindOf(err) != hospital.Conflict {
		return result{}, err
	}
	notice := "已取消 " + strconv.Itoa(n) + " 个预约，退款和通知正在进行。"
	if err != nil {
		notice += "还有预约正在与医院系统核实，请一分钟后再次停诊。"
	}
	return result{Notice: notice}, nil
}

// try answers "who, when → allowed? why". Now is asked of the desk itself;
// another time is judged by the policy that is in force then, on the record as
// it is now.
func (d *Desk) try(ctx context.Context, who session, id string, in values) (result, error) {
	s, err := d.schedule(ctx, id)
	if err != nil {
		return result{}, err
	}
	slots, err := d.cfg.Schedules.Slots(ctx, s.ID)
	if err != nil {
		return result{}, err
	}
	at := slices.IndexFunc(slots, func(slot hospital.Slot) bool { return string(slot.ID) == in["slot"] })
	if at < 0 {
		return result{}, &hospital.Error{Kind: hospital.Invalid, Op: "staff", Code: "no_slot", Message: "请选择时段。"}
	}
	patient := hospital.PatientID(in["patient"])
	if _, err := d.open(ctx, who, patient, "policy.try", id); err != nil {
		return result{}, err
	}
	wish := booking.Wish{Patient: patient, Payer: hospital.Payer(in["payer"]), Schedule: s, Slot: slots[at]}
	actor := who.actor()
	if in["user"] != "" {
		actor = hospital.Actor{Kind: hospital.ActorUser, ID: in["user"], Entry: hospital.EntryWeChat}
	}
	when := in.time("at")
	version, verdict := "", error(nil)
	if when.IsZero() {
		when = d.cfg.Now()
		if _, version, err = d.cfg.Booking.Policy(ctx); err != nil {
			return result{}, err
		}
		verdict = d.cfg.Booking.Try(ctx, booking.BookRequest{Actor: actor, Wish: wish})
	} else {
		version, verdict, err = d.tryAt(ctx, wish, actor, when)
		if err != nil {
			return result{}, err
		}
	}
	answer := result{Notice: "允许预约。", Values: in}
	if verdict != nil {
		switch hospital.KindOf(verdict) {
		case hospital.Internal, hospital.Invalid, hospital.Unavailable, hospital.Indeterminate, hospital.Denied:
			return result{}, verdict
		case hospital.NotFound, hospital.Conflict, hospital.Rejected:
		}
		answer.Notice = "不允许预约：" + explain(verdict)
	}
	answer.Facts = []fact{{Label: "试算时间", Value: moment(when)}, {Label: "所用规则", Value: version, To: d.at("policies", version)}}
	return answer, nil
}

func (d *Desk) tryAt(ctx context.Context, wish booking.Wish, actor hospital.Actor, when time.Time) (version string, verdict, err error) {
	versions, err := d.cfg.Bookings.PolicyVersions(ctx)
	if err != nil {
		return "", nil, err
	}
	var force booking.PolicyVersion
	for _, v := range versions {
		if !v.ValidFrom.After(when) {
			force = v
		}
	}
	if force.Version == "" {
		return "", nil, &hospital.Error{Kind: hospital.Conflict, Op: "staff", Code: "no_policy", Message: "该时间没有生效的规则。"}
	}
	policy, err := booking.ParsePolicy(force.Body)
	if err != nil {
		return "", nil, err
	}
	user := hospital.UserID("")
	if actor.Kind == hospital.ActorUser {
		user = hospital.UserID(actor.ID)
	}
	history, err := d.cfg.Bookings.History(ctx, user, wish.Patient, hospital.DateOf(when))
	if err != nil {
		return "", nil, err
	}
	return force.Version, policy.Allow(wish, when, actor.Kind == hospital.ActorUser, history), nil
}
