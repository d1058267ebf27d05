package staff

import (
	"context"
	"errors"
	"strconv"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
)

func appointmentLabel(s booking.State) string {
	switch s {
	case booking.Holding:
		return "占号中"
	case booking.Held:
		return "待支付"
	case booking.Confirming:
		return "确认中"
	case booking.Booked:
		return "已预约"
	case booking.Settling:
		return "入账中"
	case booking.Arrived:
		return "已取号"
	case booking.Cancelling:
		return "取消中"
	case booking.Fulfilled:
		return "已就诊"
	case booking.Refused:
		return "未成功"
	case booking.Expired:
		return "已过期"
	case booking.Cancelled:
		return "已取消"
	case booking.NoShow:
		return "爽约"
	case booking.Manual:
		return "待人工处理"
	}
	return string(s)
}

func appointmentStates() []choice {
	states := []booking.State{
		booking.Manual, booking.Holding, booking.Held, booking.Confirming, booking.Booked, booking.Settling, booking.Arrived,
		booking.Cancelling, booking.Fulfilled, booking.Refused, booking.Expired, booking.Cancelled, booking.NoShow,
	}
	choices := make([]choice, 0, len(states))
	for _, s := range states {
		choices = append(choices, choice{string(s), appointmentLabel(s)})
	}
	return choices
}

func patientField() field {
	return field{Name: "patient", Label: "患者ID", Kind: kindText, Max: 64, Hint: "HIS 中的患者ID；查询会写入审计日志"}
}

func (d *Desk) appointments() object {
	return object{
		Path: "appointments", Label: "预约挂号", Purpose: "查看、取消预约，处理待人工处理的预约", Read: ReadAppointments,
		Asks: []field{
			{Name: "state", Label: "状态", Kind: kindChoice, Choices: appointmentStates(), Optional: true},
			{Name: "date", Label: "就诊日期", Kind: kindDate, Optional: true},
		},
		List:  d.listAppointments,
		Finds: []field{patientField()},
		Find: func(ctx context.Context, who session, ask values, v *view) (string, error) {
			patient := hospital.PatientID(ask["patient"])
			scope, err := d.cfg.Gate.Open(ctx, who.actor(), patient)
			if err != nil {
				return "", err
			}
			list, err := d.cfg.Booking.Appointments(ctx, scope)
			if err != nil {
				return "", err
			}
			v.Tables = append(v.Tables, d.appointmentTable(ctx, list))
			return "", nil
		},
		Show: d.showAppointment,
		Acts: []act{
			{
				Act: CancelAppointment, Name: "cancel", Label: "取消预约", Danger: true, Subject: d.subjectOfAppointment,
				Explain: "医院取消：释放号源，已在线支付的挂号费自动原路退回，不计爽约。",
				Run: func(ctx context.Context, who session, id string, in values) (result, error) {
					_, err := d.cfg.Booking.Cancel(ctx, booking.CancelRequest{ID: id, Actor: who.actor(), Cause: booking.ByStaff, Reason: in["reason"]})
					return result{}, err
				},
			},
			{
				Act: ResolveAppointment, Name: "resolve", Label: "人工处理", Danger: true, Subject: d.subjectOfAppointment,
				Explain: "请先在 HIS 中核实该预约的实际情况，再选择处理结果。",
				Fields: []field{{Name: "state", Label: "核实结果", Kind: kindChoice, Choices: []choice{
					{string(booking.Booked), "挂号有效：保留预约"},
					{string(booking.Fulfilled), "已就诊：结束"},
					{string(booking.Cancelling), "需要取消：通知 HIS 退号并退款"},
					{string(booking.Cancelled), "HIS 中确无有效挂号（本人担保）：只退款并释放号源，不再通知 HIS"},
				}}},
				Run: func(ctx context.Context, who session, id string, in values) (result, error) {
					_, err := d.cfg.Booking.Resolve(ctx, who.actor(), id, booking.State(in["state"]), in["reason"])
					return result{}, err
				},
			},
		},
	}
}

func (d *Desk) subjectOfAppointment(ctx context.Context, _ session, id string, _ values) (hospital.PatientID, error) {
	a, err := d.cfg.Bookings.Find(ctx, id)
	return a.Patient, err
}

// listAppointments lists without a word of whose they are.
func (d *Desk) listAppointments(ctx context.Context, _ session, ask values, v *view) error {
	query := booking.Query{Date: ask.date("date")}
	if !query.Date.IsZero() {
		query.Limit = booking.MaxListLimit
	}
	if ask["state"] != "" {
		query.States = []booking.State{booking.State(ask["state"])}
	}
	list, err := d.cfg.Bookings.List(ctx, query)
	if err != nil && len(list) == 0 {
		return err
	}
	if err != nil {
		v.Problem = "有记录无法读取，未列出；请运维查看“无法读取的记录”。"
	}
	if len(list) == booking.MaxListLimit {
		v.Notice = "只列出最近的 " + strconv.Itoa(booking.MaxListLimit) + " 条，请选择日期或状态以缩小范围。"
	}
	v.Tables = append(v.Tables, d.appointmentTable(ctx, list))
	return nil
}

func (d *Desk) appointmentTable(ctx context.Context, list []booking.Appointment) table {
	t := table{Heads: []string{"预约号", "状态", "就诊日期", "时段", "科室", "医生", "预约时间"}, Empty: "没有符合条件的预约。"}
	for _, a := range list {
		t.Rows = append(t.Rows, []cell{
			{a.ID, d.at("appointments", a.ID)},
			text(appointmentLabel(a.State)), text(a.Date.String()), text(span(a)),
			text(d.department(ctx, a.Department)), text(d.doctor(ctx, a.Doctor)), text(moment(a.CreatedAt)),
		})
	}
	return t
}

func span(a booking.Appointment) string {
	return a.Start.In(hospital.CST).Format("15:04") + "–" + a.End.In(hospital.CST).Format("15:04")
}

func (d *Desk) department(ctx context.Context, id hospital.DepartmentID) string {
	if d.cfg.Names != nil {
		if name := d.cfg.Names.Department(ctx, id); name != "" {
			return name
		}
	}
	return string(id)
}

func (d *Desk) doctor(ctx context.Context, id hospital.DoctorID) string {
	if d.cfg.Names != nil {
		if name := d.cfg.Names.Doctor(ctx, id); name != "" {
			return name
		}
	}
	return string(id)
}

func (d *Desk) showAppointment(ctx context.Context, who session, id string, v *view) ([]offer, error) {
	patient, err := d.subjectOfAppointment(ctx, who, id, nil)
	if err != nil {
		return nil, err
	}
	scope, err := d.cfg.Gate.Open(ctx, who.actor(), patient)
	if err != nil {
		return nil, err
	}
	a, err := d.cfg.Booking.Appointment(ctx, scope, id)
	if err != nil {
		return nil, err
	}
	v.Title = "预约 " + a.ID
	v.Facts = []fact{
		{Label: "状态", Value: appointmentLabel(a.State)},
		{Label: "患者ID", Value: string(a.Patient)},
		{Label: "就诊时间", Value: a.Date.String() + " " + span(a)},
		{Label: "科室", Value: d.department(ctx, a.Department)},
		{Label: "医生", Value: d.doctor(ctx, a.Doctor)},
		{Label: "班次", Value: string(a.Schedule), To: d.at("schedules", string(a.Schedule))},
		{Label: "HIS 挂号号", Value: a.Hold.HISNo},
		{Label: "号序", Value: strconv.Itoa(a.Hold.QueueNo)},
		{Label: "挂号费", Value: a.Hold.Fee.String()},
		{Label: "已在线支付", Value: a.Paid.String()},
		{Label: "预约人", Value: string(a.Actor.Kind) + " " + a.Actor.ID + "（" + string(a.Actor.Entry) + "）"},
		{Label: "规则版本", Value: a.Policy, To: d.at("policies", a.Policy)},
		{Label: "预约时间", Value: moment(a.CreatedAt)},
		{Label: "结束时间", Value: moment(a.EndedAt)},
		{Label: "离开原因", Value: string(a.Cause)},
		{Label: "说明", Value: a.Reason},
	}
	if a.Charged {
		v.Facts = append(v.Facts, fact{Label: "支付订单", Value: string(a.ChargeKey()), To: d.at("orders", string(a.ChargeKey()))})
	}
	switch a.State {
	case booking.Manual:
		return []offer{{Act: ResolveAppointment}}, nil
	case booking.Held, booking.Booked, booking.Arrived:
		return []offer{{Act: CancelAppointment}}, nil
	case booking.Holding, booking.Confirming, booking.Settling, booking.Cancelling, booking.Fulfilled, booking.Refused,
		booking.Expired, booking.Cancelled, booking.NoShow:
	}
	return nil, nil
}

func (d *Desk) lockouts() object {
	return object{
		Path: "lockouts", Label: "爽约锁定", Purpose: "查看因爽约被锁定的患者，解除锁定", Read: ReadLockouts,
		List:  d.listLockouts,
		Finds: []field{patientField()},
		Find: func(ctx context.Context, who session, ask values, v *view) (string, error) {
			patient := hospital.PatientID(ask["patient"])
			if _, err := d.open(ctx, who, patient, "lockout.find", ""); err != nil {
				return "", err
			}
			missed, err := d.cfg.Bookings.List(ctx, booking.Query{Patient: patient, States: []booking.State{booking.NoShow}, Limit: 1})
			if err != nil {
				return "", err
			}
			if len(missed) == 0 {
				v.Notice = "该患者没有爽约记录。"
				return "", nil
			}
			return d.at("lockouts", missed[0].ID), nil
		},
		Show: d.showLockout,
		Acts: []act{{
			Act: Unlock, Name: "unlock", Label: "解除锁定", Subject: d.subjectOfNoShow,
			Explain: "解除后，此前的爽约不再计入，患者可以立即重新预约，并会收到通知。",
			Run: func(ctx context.Context, who session, id string, in values) (result, error) {
				patient, err := d.subjectOfNoShow(ctx, who, id, nil)
				if err != nil {
					return result{}, err
				}
				return result{}, d.cfg.Booking.Unlock(ctx, who.actor(), patient, in["reason"])
			},
		}},
	}
}

// subjectOfNoShow is whose no-show the id names: a lockout is named by the last
// missed appointment, so that no address names a patient.
func (d *Desk) subjectOfNoShow(ctx context.Context, _ session, id string, _ values) (hospital.PatientID, error) {
	a, err := d.cfg.Bookings.Find(ctx, id)
	if err == nil && a.State != booking.NoShow {
		err = errAccount
	}
	return a.Patient, err
}

// lockout is where a patient stands with the rules in force.
func (d *Desk) lockout(ctx context.Context, patient hospital.PatientID) (booking.History, booking.Lockout, bool, error) {
	policy, _, err := d.cfg.Booking.Policy(ctx)
	if err != nil {
		return booking.History{}, booking.Lockout{}, false, err
	}
	now := d.cfg.Now()
	history, err := d.cfg.Bookings.History(ctx, "", patient, hospital.DateOf(now))
	if err != nil {
		return history, booking.Lockout{}, false, err
	}
	lock, locked := policy.Lockout(now, history)
	return history, lock, locked, nil
}

func until(lock booking.Lockout) string {
	if lock.Until.IsZero() {
		return "直到医院解除"
	}
	return moment(lock.Until)
}

func (d *Desk) listLockouts(ctx context.Context, _ session, _ values, v *view) error {
	missed, err := d.cfg.Bookings.List(ctx, booking.Query{States: []booking.State{booking.NoShow}, Limit: booking.MaxListLimit})
	if err != nil && len(missed) == 0 {
		return err
	}
	t := table{Heads: []string{"最近一次爽约", "就诊日期", "计入次数", "锁定至"}, Empty: "目前没有被锁定的患者。"}
	seen := map[hospital.PatientID]bool{}
	for _, a := range missed {
		if seen[a.Patient] {
			continue
		}
		seen[a.Patient] = true
		_, lock, locked, err := d.lockout(ctx, a.Patient)
		if err != nil {
			return err
		}
		if locked {
			t.Rows = append(t.Rows, []cell{{a.ID, d.at("lockouts", a.ID)}, text(a.Date.String()), text(strconv.Itoa(lock.Strikes)), text(until(lock))})
		}
	}
	v.Tables = append(v.Tables, t)
	return nil
}

func (d *Desk) showLockout(ctx context.Context, who session, id string, v *view) ([]offer, error) {
	patient, err := d.subjectOfNoShow(ctx, who, id, nil)
	if err != nil {
		return nil, err
	}
	if _, err := d.open(ctx, who, patient, "lockout.read", id); err != nil {
		return nil, err
	}
	history, lock, locked, err := d.lockout(ctx, patient)
	if err != nil {
		return nil, err
	}
	v.Title = "爽约锁定"
	v.Facts = []fact{{Label: "患者ID", Value: string(patient)}, {Label: "上次解除", Value: moment(history.Unlocked)}}
	t := table{Caption: "爽约记录", Heads: []string{"就诊日期", "认定时间"}, Empty: "没有爽约记录。"}
	for _, strike := range history.Strikes {
		t.Rows = append(t.Rows, []cell{text(strike.Date.String()), text(moment(strike.At))})
	}
	v.Tables = append(v.Tables, t)
	if !locked {
		v.Facts = append(v.Facts, fact{Label: "状态", Value: "未锁定，可以预约"})
		return nil, nil
	}
	v.Facts = append(v.Facts, fact{Label: "状态", Value: "已锁定，" + until(lock)}, fact{Label: "计入次数", Value: strconv.Itoa(lock.Strikes)})
	return []offer{{Act: Unlock}}, nil
}

func (d *Desk) unreadable() object {
	return object{
		Path: "unreadable", Label: "无法读取的记录", Purpose: "内容损坏、被搁置的预约，修复后放回", Read: ReadUnreadable,
		List: func(ctx context.Context, _ session, _ values, v *view) error {
			rows, err := d.cfg.Bookings.Unreadable(ctx)
			if err != nil {
				return err
			}
			t := table{Heads: []string{"预约号", "状态", "就诊日期", "班次", "发现时间"}, Empty: "没有无法读取的记录。"}
			for _, row := range rows {
				t.Rows = append(t.Rows, []cell{{row.ID, d.at("unreadable", row.ID)}, text(appointmentLabel(row.State)), text(row.Date), text(string(row.Schedule)), text(moment(row.FoundAt))})
			}
			v.Tables = append(v.Tables, t)
			return nil
		},
		Show: func(ctx context.Context, _ session, id string, v *view) ([]offer, error) {
			rows, err := d.cfg.Bookings.Unreadable(ctx)
			if err != nil {
				return nil, err
			}
			for _, row := range rows {
				if row.ID == id {
					v.Facts = []fact{
						{Label: "预约号", Value: row.ID},
						{Label: "状态", Value: appointmentLabel(row.State)},
						{Label: "就诊日期", Value: row.Date},
						{Label: "班次", Value: string(row.Schedule)},
						{Label: "发现时间", Value: moment(row.FoundAt)},
					}
					return []offer{{Act: Readmit}}, nil
				}
			}
			return nil, errAccount
		},
		Acts: []act{{
			Act: Readmit, Name: "readmit", Label: "放回处理", Whole: true,
			Explain: "请先在数据库中修复该记录的内容；仍无法读取时不会放回。",
			Run: func(ctx context.Context, who session, id string, in values) (result, error) {
				err := d.cfg.Bookings.Readmit(ctx, id, d.entry(who, "staff."+string(Readmit), id, in["reason"]))
				if e, ok := errors.AsType[*hospital.Error](err); ok && e.Code == "bad_row" {
					err = &hospital.Error{Kind: hospital.Conflict, Op: "staff", Code: "bad_row", Message: "该记录的内容仍无法读取，请先修复。"} // the cause may repeat the content
				}
				return result{To: fresh}, err
			},
		}},
	}
}
