package booking

import (
	"fmt"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// Sentinels that callers test with errors.Is. Each refusal carries a sentence
// for the patient.
var (
	ErrSlotTaken     = &hospital.Error{Kind: hospital.Conflict, Code: "slot_taken", Message: "这个号源刚刚被约走了，请选择其他时段。"}
	ErrNotOpen       = &hospital.Error{Kind: hospital.Rejected, Code: "not_open"}
	ErrClosed        = &hospital.Error{Kind: hospital.Rejected, Code: "booking_closed"}
	ErrSuspended     = &hospital.Error{Kind: hospital.Rejected, Code: "suspended", Message: "该医生本次门诊已停诊，请选择其他日期或医生。"}
	ErrLocked        = &hospital.Error{Kind: hospital.Rejected, Code: "locked"}
	ErrLimit         = &hospital.Error{Kind: hospital.Rejected, Code: "limit"}
	ErrNotBound      = &hospital.Error{Kind: hospital.NotFound, Code: "not_bound", Message: "没有找到该就诊人，请先绑定就诊卡。"}
	ErrTooLate       = &hospital.Error{Kind: hospital.Rejected, Code: "cancel_too_late"}
	ErrInProgress    = &hospital.Error{Kind: hospital.Conflict, Code: "in_progress", Message: "正在与医院系统核实，请稍等片刻再操作。"}
	ErrBindingFull   = &hospital.Error{Kind: hospital.Rejected, Code: "binding_full"}
	ErrHeldByAnother = &hospital.Error{Kind: hospital.Conflict, Code: "held_by_another", Message: "该就诊人已绑定到其他微信用户。如需更换，请通过手机验证码或医院服务台办理换绑。"}
)

// refuse makes an error of a sentinel's kind and code with its own sentence.
func refuse(sentinel *hospital.Error, op, message string) error {
	return &hospital.Error{Kind: sentinel.Kind, Op: op, Code: sentinel.Code, Message: message}
}

// Wish is what somebody wants to book: facts that the server read from the
// HIS, never from a browser.
type Wish struct {
	Patient  hospital.PatientID
	Payer    hospital.Payer
	Schedule hospital.Schedule
	Slot     hospital.Slot
}

// Kind tells a same-day registration from an advance appointment.
func (w Wish) Kind(now time.Time) hospital.VisitKind {
	if w.Schedule.Date == hospital.DateOf(now) {
		return hospital.SameDay
	}
	return hospital.Advance
}

// History is what the store knows about a patient at the moment of the sale,
// read under lock in the transaction that claims.
type History struct {
	Bound    bool      // the booking user holds the patient
	Live     []Visit   // not cancelled, expired or refused, from today on
	Strikes  []Strike  // no-shows, the oldest first
	Unlocked time.Time // when the hospital last unlocked the patient; zero for never
}

// Visit is one appointment as the limits see it.
type Visit struct {
	Date       hospital.Date
	Department hospital.DepartmentID
	Doctor     hospital.DoctorID
	Slot       hospital.SlotID
}

// Strike is one no-show.
type Strike struct {
	Date hospital.Date // of the visit
	At   time.Time     // when it was counted
}

// Allow decides whether the wish may be fulfilled now. It is pure: the same
// policy, wish, history and time give the same answer. It returns nil, or a
// refusal with a sentence for the patient: ErrSuspended, ErrNotOpen,
// ErrClosed, ErrNotBound, ErrLocked or ErrLimit.
func (p *Policy) Allow(wish Wish, now time.Time, user bool, history History) error {
	if err := p.AllowTime(wish, now); err != nil {
		return err
	}
	if user && !history.Bound {
		return refuse(ErrNotBound, "booking.Allow", ErrNotBound.Message)
	}
	if err := p.allowUnlocked(wish.Kind(now), now, history); err != nil {
		return err
	}
	return p.allowLimits(wish, history)
}

// AllowTime decides what needs no history: whether the day is open.
func (p *Policy) AllowTime(wish Wish, now time.Time) error {
	const op = "booking.AllowTime"
	if wish.Schedule.Suspended {
		return refuse(ErrSuspended, op, ErrSuspended.Message)
	}
	if wish.Kind(now) == hospital.SameDay {
		return p.allowSameDay(wish, now)
	}
	today := hospital.DateOf(now)
	ahead := today.DaysUntil(wish.Schedule.Date)
	window := p.Advance.Ordinary
	if wish.Schedule.Expert {
		window = p.Advance.Expert
	}
	switch {
	case ahead < 0:
		return refuse(ErrClosed, op, "就诊日期已过，请选择以后的日期。")
	case window.Days == 0:
		return refuse(ErrNotOpen, op, "这类号源暂不开放网上预约，请到医院窗口办理。")
	case ahead > window.Days, ahead == window.Days && now.Before(window.Release.On(today)):
		opens := window.Release.On(wish.Schedule.Date.AddDays(-window.Days))
		return refuse(ErrNotOpen, op, fmt.Sprintf("该日期的号源将于%s开放预约，请届时再来。", chinese(opens)))
	case ahead == 1 && !now.Before(p.Advance.Closes.On(today)):
		return refuse(ErrClosed, op, fmt.Sprintf("次日号源已于今天%s停止预约，请选择其他日期，或就诊当天到医院挂号。", p.Advance.Closes))
	}
	return nil
}

func (p *Policy) allowSameDay(wish Wish, now time.Time) error {
	const op = "booking.AllowTime"
	rules, today := p.SameDay, hospital.DateOf(now)
	if !rules.Open {
		return refuse(ErrNotOpen, op, "本院暂不支持网上当日挂号，请到医院窗口或自助机办理。")
	}
	if now.Before(rules.From.On(today)) {
		return refuse(ErrNotOpen, op, fmt.Sprintf("当日挂号于%s开始，请届时再来。", rules.From))
	}
	closed := "该时段的当日挂号已截止，请选择其他时段，急症请直接到急诊科就诊。"
	if !now.Before(rules.Until.On(today)) || !now.Before(wish.Slot.End) {
		return refuse(ErrClosed, op, closed)
	}
	if hours, ok := p.Sessions[wish.Schedule.Session]; ok {
		cutoff := hours.Until.On(today).Add(-time.Duration(rules.CutoffMinutes) * time.Minute)
		if !now.Before(cutoff) {
			return refuse(ErrClosed, op, closed)
		}
	}
	return nil
}

func (p *Policy) allowLimits(wish Wish, history History) error {
	const op = "booking.Allow"
	day, department, doctor := 0, 0, 0
	for _, visit := range history.Live {
		if visit.Date != wish.Schedule.Date {
			continue
		}
		day++
		if visit.Department == wish.Schedule.Department {
			department++
		}
		if visit.Doctor != "" && visit.Doctor == wish.Schedule.Doctor {
			doctor++
		}
		if visit.Slot == wish.Slot.ID {
			return refuse(ErrLimit, op, "该就诊人已经预约了这个时段，请在“我的挂号”中查看。")
		}
	}
	reached := func(count, limit int) bool { return limit > 0 && count >= limit }
	switch limits := p.Limits; {
	case reached(doctor, limits.PerDoctorDay):
		return refuse(ErrLimit, op, fmt.Sprintf("同一就诊人同一天在同一位医生处最多挂%d个号。", limits.PerDoctorDay))
	case reached(department, limits.PerDepartmentDay):
		return refuse(ErrLimit, op, fmt.Sprintf("同一就诊人同一天在同一科室最多挂%d个号，请选择其他日期或科室。", limits.PerDepartmentDay))
	case reached(day, limits.PerDay):
		return refuse(ErrLimit, op, fmt.Sprintf("同一就诊人同一天最多挂%d个号，请选择其他日期。", limits.PerDay))
	}
	return nil
}

func (p *Policy) allowUnlocked(kind hospital.VisitKind, now time.Time, history History) error {
	if !slices.Contains(p.NoShow.Scope, kind) {
		return nil
	}
	lock, locked := p.Lockout(now, history)
	if !locked {
		return nil
	}
	message := fmt.Sprintf("该就诊人已爽约%d次，暂停网上预约挂号。请致电医院服务台或到门诊服务台说明情况后恢复。", lock.Strikes)
	if !lock.Until.IsZero() {
		message = fmt.Sprintf("该就诊人已爽约%d次，暂停网上预约挂号至%s。如有特殊情况请联系医院服务台。", lock.Strikes, chinese(lock.Until))
	}
	return refuse(ErrLocked, "booking.Allow", message)
}

// Lockout is 黑名单: why and until when a patient may not book.
type Lockout struct {
	Strikes int
	Until   time.Time // zero: until the hospital unlocks
}

// Lockout decides whether the no-shows lock the patient now. A strike that the
// hospital forgave by unlocking no longer counts. Each strike is judged as the
// last of its own period, and the longest lock stands: a further no-show never
// shortens one.
func (p *Policy) Lockout(now time.Time, history History) (Lockout, bool) {
	strikes := slices.DeleteFunc(slices.Clone(history.Strikes), func(s Strike) bool { return !s.At.After(history.Unlocked) })
	var longest Lockout
	locked := false
	for _, last := range strikes {
		lock, ok := p.rung(last, strikes)
		if !ok || !lock.Until.IsZero() && !now.Before(lock.Until) {
			continue
		}
		if !locked || lock.Until.IsZero() || !longest.Until.IsZero() && lock.Until.After(longest.Until) {
			longest, locked = lock, true
		}
	}
	return longest, locked
}

// rung is the lock that the strikes up to one of them bring about.
func (p *Policy) rung(last Strike, strikes []Strike) (Lockout, bool) {
	count := 0
	for _, strike := range strikes {
		if !last.Date.Before(strike.Date) && p.counts(strike.Date, last.Date) {
			count++
		}
	}
	var reached *LockStep
	for i := range p.NoShow.Steps {
		if p.NoShow.Steps[i].Strikes <= count {
			reached = &p.NoShow.Steps[i]
		}
	}
	if reached == nil {
		return Lockout{}, false
	}
	lock := Lockout{Strikes: count}
	switch {
	case reached.RestOfMonth:
		lock.Until = last.Date.AddDays(1-last.Date.Day()).At(12, 0).AddDate(0, 1, 0).Add(-12 * time.Hour)
	case reached.Days > 0:
		lock.Until = last.Date.AddDays(reached.Days).At(0, 0)
	}
	return lock, true
}

// counts reports whether a no-show on the day counts together with the last
// one. The period is the last strike's own, so a lock of 60 days that begins in
// December does not end with the year.
func (p *Policy) counts(day, last hospital.Date) bool {
	switch p.NoShow.Counting {
	case CountCalendarYear:
		return day.Year() == last.Year()
	case CountCalendarMonth:
		return day.Year() == last.Year() && day.Month() == last.Month()
	case CountRolling:
		return day.DaysUntil(last) < p.NoShow.RollingDays
	case CountEver:
	}
	return true
}

// AllowCancel decides whether the patient may still give the number back. The
// hospital itself always may.
func (p *Policy) AllowCancel(a Appointment, now time.Time) error {
	const op = "booking.AllowCancel"
	rule := p.Cancel.Advance
	if a.Kind == hospital.SameDay {
		rule = p.Cancel.SameDay
	}
	if rule.Never {
		return refuse(ErrTooLate, op, "按医院规定该号不能在线取消，如有特殊情况请到医院窗口办理。")
	}
	if rule.BeforeVisit {
		if !now.Before(a.End) {
			return refuse(ErrTooLate, op, "就诊时段已过，不能在线取消，如有疑问请到医院窗口咨询。")
		}
		return nil // the HIS refuses once the visit took place
	}
	day := a.Date
	for left := rule.DaysBefore; left > 0; {
		day = day.AddDays(-1)
		if !rule.WorkingDays || p.Calendar.WorkingDay(day) {
			left--
		}
	}
	if cutoff := rule.Until.On(day); !now.Before(cutoff) {
		return refuse(ErrTooLate, op, fmt.Sprintf("已超过取消期限（%s前），如不能就诊请尽早致电医院服务台。", chinese(cutoff)))
	}
	return nil
}

// AllowBind decides whether the user may take on one more patient. Holder is
// who holds the patient now, "" for nobody; taking over needs the patient's
// own proof, which the caller has checked.
func (p *Policy) AllowBind(user, holder hospital.UserID, held int, takeOver bool) error {
	const op = "booking.AllowBind"
	switch {
	case holder == user:
		return nil
	case held >= p.Binding.PatientsPerUser:
		return refuse(ErrBindingFull, op, fmt.Sprintf("每位用户最多绑定%d位就诊人，请先解绑不再使用的就诊人。", p.Binding.PatientsPerUser))
	case holder != "" && !takeOver:
		return refuse(ErrHeldByAnother, op, ErrHeldByAnother.Message)
	}
	return nil
}

// chinese renders an instant for a patient: 11月28日07:00.
func chinese(t time.Time) string {
	t = t.In(hospital.CST)
	return fmt.Sprintf("%d月%d日%s", int(t.Month()), t.Day(), t.Format("15:04"))
}
