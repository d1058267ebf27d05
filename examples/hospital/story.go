package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// story is one round, told from the patient's side.
type story struct {
	*world
	screen *screen
	set    settings

	round   int
	people  []hospital.Patient    // adults who pay themselves
	choice  []hospital.Department // the departments, as the patient sees them
	patient hospital.Patient      // of the first two acts
	actor   hospital.Actor
	phones  []*wechattest.Follower // of the round's patients
	shown   map[string]int         // how much of a phone's chat the screen has shown
	made    []string               // appointments of this round
	told    hospital.Date          // the day that the screen shows
	failed  error                  // of the clock, which cannot be remembered any more
}

// play tells the round. A cancelled ctx ends it between two steps.
func (s *story) play(ctx context.Context) error {
	for _, act := range []func(context.Context) error{
		s.opening, s.advanceBooking, s.sameDay, s.noShow, s.closing,
	} {
		if err := errors.Join(act(ctx), s.failed, ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// opening says where everything is, what an earlier run left, and lets the
// workers finish it before the new morning.
func (s *story) opening(ctx context.Context) error {
	s.screen.line("移动互联网医院 · 演示")
	s.screen.rule()
	for _, place := range [][2]string{
		{"数据", s.set.data},
		{"数据库", shown(s.set.db)},
		{"HIS", s.far.HISURL + "（SOAP，模拟）"},
		{"微信支付", s.far.WeChatPayURL + "（APIv3，模拟）"},
	} {
		s.screen.line("%s%s", left(place[0], 10), place[1])
	}
	if s.continued {
		if err := s.recall(ctx); err != nil {
			return err
		}
	}
	var err error
	if s.round, err = s.clock.begin(); err != nil {
		return err
	}
	for _, p := range s.far.Hospital.People() {
		if p.Payer == hospital.SelfPay && p.Guardian == nil {
			s.people = append(s.people, p)
		}
	}
	now := s.clock.Now()
	s.screen.line("%s%s（%s）%s", left("业务时间", 10), hospital.DateOf(now), weekday(now), now.Format("15:04"))
	return nil
}

// recall says what the last run left, finishes what it had begun, and lets the
// clock go on to a new morning.
func (s *story) recall(ctx context.Context) error {
	stopped := s.clock.Now()
	before, err := s.appointments.List(ctx, booking.Query{Limit: booking.MaxListLimit})
	if err != nil {
		return err
	}
	s.screen.line("")
	s.screen.line("上次运行留下 %d 笔预约：%s。", len(before), tally(before))
	paid, err := s.far.WeChatPay.Ledger()
	if err != nil {
		return err
	}
	s.screen.line("业务时钟停在 %s；HIS 记得 %d 笔登记，微信支付记得 %d 笔交易。",
		stopped.Format("2006-01-02 15:04"), len(s.far.Hospital.Everyone()), len(paid.Trades))
	if err := s.advance(ctx); err != nil {
		return err
	}
	if err := s.clock.To(cmp.Or(s.set.now, nextMorning(stopped))); err != nil {
		return err
	}
	if err := s.advance(ctx); err != nil {
		return err
	}
	for _, a := range before {
		now, err := s.appointments.Find(ctx, a.ID)
		switch {
		case err != nil:
			return err
		case now.State != a.State:
			s.screen.line("没有办完的一笔，接着办了：%s → %s。", stateName(a.State), stateName(now.State))
		case !now.State.Terminal() && now.State != booking.Booked:
			s.screen.line("还有一笔停在“%s”，到时接着办。", stateName(now.State))
		}
	}
	s.screen.wire(slices.DeleteFunc(s.wires.take(), func(c crossing) bool { return c.operation == string(histest.OpSuspensions) }))
	s.screen.line("")
	return nil
}

// tally counts appointments by state.
func tally(list []booking.Appointment) string {
	counts := map[booking.State]int{}
	for _, a := range list {
		counts[a.State]++
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", stateName(state), counts[state]))
	}
	if len(parts) == 0 {
		return "还没有人来过"
	}
	return strings.Join(parts, "，")
}

// advanceBooking is 预约: department, doctor, segment, payment; and then the
// patient cannot come.
func (s *story) advanceBooking(ctx context.Context) error {
	s.screen.title("一、预约，付款，取消，退款")
	patient, actor, err := s.welcome(ctx, 0)
	if err != nil {
		return err
	}
	s.patient, s.actor = patient, actor
	department, err := s.chooseDepartment(ctx)
	if err != nil {
		return err
	}
	schedule, slot, err := s.chooseExpert(ctx, department)
	if err != nil {
		return err
	}
	a, err := s.book(ctx, actor, patient, schedule, slot)
	if err != nil || a.ID == "" {
		return err
	}
	s.say(1, "预约成功：%s，第 %d 号，%s，挂号费 %s。", when(a), a.Hold.QueueNo, place(schedule), a.Hold.Fee)
	s.say(0, "可以现在付款，也可以就诊当天在窗口付。不能来时，就诊前一天 24:00 以前都能取消。")
	if a, err = s.pay(ctx, actor, a); err != nil {
		return err
	}
	s.paid(a)
	s.say(30, "家里有事，您取消了这次预约。")
	a, err = s.desk.Cancel(ctx, booking.CancelRequest{ID: a.ID, Actor: actor, Cause: booking.ByPatient})
	if err != nil {
		return s.refused(err)
	}
	if err := s.advance(ctx); err != nil {
		return err
	}
	s.say(0, "预约已取消，号已还给医院。退款正在办理，到账后会通知您。取消不算爽约，欢迎再来。")
	s.minutes(1)
	if err := s.advance(ctx); err != nil {
		return err
	}
	order, err := s.cashier.Find(ctx, a.ChargeKey())
	if err != nil {
		return err
	}
	if order.State == payment.Refunded {
		s.say(0, "%s 已原路退回。", order.Charge.Amount)
	}
	return nil
}

// sameDay is 当日挂号: held until paid, then confirmed, then the visit.
func (s *story) sameDay(ctx context.Context) error {
	s.screen.title("二、当日挂号，先付款后确认")
	today := s.clock.day()
	department := s.pick(3)
	schedule, slot, err := s.ordinary(ctx, today, department)
	if err != nil || slot.ID == "" {
		return err
	}
	s.say(1, "%s，您今天就想看%s。最近的时段是 %s，还有 %d 个号。", s.patient.Name.Masked(), department.Name, span(slot), slot.Left)
	a, err := s.book(ctx, s.actor, s.patient, schedule, slot)
	if err != nil || a.ID == "" {
		return err
	}
	s.say(0, "号已为您锁定：%s，第 %d 号，挂号费 %s。请在 %s 以前付款，逾期号会让给别人。",
		when(a), a.Hold.QueueNo, a.Hold.Fee, a.Deadline.In(hospital.CST).Format("15:04"))
	if s.set.lostAnswer {
		s.far.Faults.Set(histest.OpConfirm, histest.Switch{Fault: histest.AnswerLost, Times: 1})
	}
	if a, err = s.pay(ctx, s.actor, a); err != nil {
		return err
	}
	if a.State != booking.Booked {
		s.say(0, "医院还没有回答。钱已收到，号还锁着；没有人知道医院记上没有，所以既不重报，也不退款，先问。")
		s.minutes(1)
		if err := s.advance(ctx); err != nil {
			return err
		}
		if a, err = s.appointments.Find(ctx, a.ID); err != nil {
			return err
		}
		s.say(0, "问到了：医院早已记上，只是回答丢了。")
	}
	s.paid(a)
	if a.State != booking.Booked {
		return nil
	}
	if err := s.clock.To(slot.Start.Add(10 * time.Minute)); err != nil {
		return err
	}
	if err := s.far.Hospital.See(a.Hold.HISNo); err != nil {
		return err
	}
	s.say(0, "轮到您了：请到%s。医生看过了，祝您早日康复。", place(schedule))
	return nil
}

// noShow is 爽约: somebody books and never comes; the clock moves on to the
// evening of that day, when the HIS knows.
func (s *story) noShow(ctx context.Context) error {
	s.screen.title("三、约了没来")
	patient, actor, err := s.welcome(ctx, 1)
	if err != nil {
		return err
	}
	tomorrow := s.clock.day().AddDays(1)
	department := s.pick(7)
	schedule, slot, err := s.ordinary(ctx, tomorrow, department)
	if err != nil || slot.ID == "" {
		return err
	}
	a, err := s.book(ctx, actor, patient, schedule, slot)
	if err != nil || a.ID == "" {
		return err
	}
	s.say(1, "预约成功：%s，第 %d 号，%s 到时付。", when(a), a.Hold.QueueNo, a.Hold.Fee)
	if err := s.clock.To(tomorrow.At(22, 0)); err != nil {
		return err
	}
	if err := s.advance(ctx); err != nil {
		return err
	}
	if a, err = s.appointments.Find(ctx, a.ID); err != nil {
		return err
	}
	if a.State != booking.NoShow {
		s.say(0, "第二天晚上，这笔预约%s。", stateName(a.State))
		return nil
	}
	history, err := s.appointments.History(ctx, "", patient.ID, s.clock.day())
	if err != nil {
		return err
	}
	policy, _, err := s.desk.Policy(ctx)
	if err != nil {
		return err
	}
	s.say(0, "第二天晚上问过医院：您没有来，记爽约第 %d 次。满 %d 次会暂停网上预约；来不了请提前取消，把号让给需要的人。",
		count(history), policy.NoShow.Steps[0].Strikes)
	return nil
}

// count is how many strikes still count.
func count(history booking.History) int {
	n := 0
	for _, strike := range history.Strikes {
		if strike.At.After(history.Unlocked) {
			n++
		}
	}
	return n
}

// closing shows the three ledgers.
func (s *story) closing(ctx context.Context) error {
	all, err := s.read(ctx)
	if err != nil {
		return err
	}
	s.wires.take() // the settlement lists, a call a day: not part of the story
	labels := map[string]string{}
	for _, id := range s.made {
		a, err := s.appointments.Find(ctx, id)
		if err != nil {
			return err
		}
		labels[id] = s.label(a)
	}
	rows := fold(all.rows, func(id string) bool { return id == "" || labels[id] != "" })
	for i, r := range rows {
		rows[i].label = cmp.Or(labels[r.label], r.label, "更早的，或对不上订单的")
	}
	s.screen.title("四、三本账")
	s.screen.table(rows, all.total)
	s.screen.line("")
	s.screen.line("%s", all.verdict())
	if all.unpaid > 0 {
		s.screen.line("另有 %d 笔订单没有人付款，不进账。", all.unpaid)
	}
	for _, notice := range s.unsent {
		s.screen.line("没有送到的通知：%s", notice)
	}
	also := ""
	if s.set.db != filepath.Join(s.set.data, "hospital.db") {
		also = "，并清空 -db 的数据库，"
	}
	s.screen.line("再运行一次会接着往下走；删掉目录 %s%s就从头开始。", s.set.data, cmp.Or(also, " "))
	return nil
}

// welcome lets one of the two patients of the round bind the card.
func (s *story) welcome(ctx context.Context, which int) (hospital.Patient, hospital.Actor, error) {
	card := s.people[(2*s.round+which)%len(s.people)].Cards[0]
	patient, err := s.his.FindPatient(ctx, his.PatientQuery{CardNo: card})
	if err != nil {
		return patient, hospital.Actor{}, err
	}
	user := hospital.UserID("user-" + string(patient.ID))
	actor := hospital.Actor{Kind: hospital.ActorUser, ID: string(user), Entry: hospital.EntryWeChat}
	if err := s.desk.Bind(ctx, booking.BindRequest{Actor: actor, User: user, Patient: patient.ID}); err != nil {
		return patient, actor, err
	}
	phone, err := s.phone(ctx, actor.ID)
	if err != nil {
		return patient, actor, err
	}
	s.phones = append(s.phones, phone)
	if s.shown == nil {
		s.shown = map[string]int{}
	}
	s.say(0, "%s，您好！就诊卡 %s 已绑定。", patient.Name.Masked(), card.Masked())
	return patient, actor, nil
}

// chooseDepartment reads the directory.
func (s *story) chooseDepartment(ctx context.Context) (hospital.Department, error) {
	all, err := s.his.Departments(ctx)
	if err != nil {
		return hospital.Department{}, err
	}
	var names []string
	for _, d := range all {
		names = append(names, d.Name)
	}
	s.choice = all
	chosen := s.pick(5)
	s.say(1, "%d 个科室可以预约：%s。您选了%s。", len(all), strings.Join(names, "、"), chosen.Name)
	return chosen, nil
}

// pick is a department that suits every adult, another one each round.
func (s *story) pick(n int) hospital.Department {
	suits := slices.DeleteFunc(slices.Clone(s.choice), func(d hospital.Department) bool {
		return d.Name == "儿科" || d.Name == "妇科"
	})
	return suits[(s.round+n)%len(suits)]
}

// chooseExpert finds the next expert with a free number.
func (s *story) chooseExpert(ctx context.Context, department hospital.Department) (schedule hospital.Schedule, slot hospital.Slot, err error) {
	doctors, err := s.his.Doctors(ctx, department.ID)
	if err != nil {
		return schedule, slot, err
	}
	today := s.clock.day()
	schedules, err := s.his.Schedules(ctx, his.ScheduleQuery{From: today.AddDays(1), To: today.AddDays(6), Department: department.ID})
	if err != nil {
		return schedule, slot, err
	}
	schedules = slices.DeleteFunc(schedules, func(s hospital.Schedule) bool { return !s.Expert || s.Suspended || s.Left == 0 })
	if len(schedules) == 0 {
		return schedule, slot, errors.New("未来六天没有专家号；请用 -now 换一个时间")
	}
	schedule = schedules[0]
	i := slices.IndexFunc(doctors, func(d hospital.Doctor) bool { return d.ID == schedule.Doctor })
	if i < 0 {
		return schedule, slot, errors.New("排班里的医生不在医生目录里；这是模拟 HIS 的错误")
	}
	doctor := doctors[i]
	s.say(1, "%s %s，擅长%s。最近一次出诊 %s，还有 %d 个号。",
		doctor.Name, doctor.Title, strings.ReplaceAll(doctor.Specialty, "，", "、"), dayName(schedule), schedule.Left)
	slot, err = s.firstFree(ctx, schedule)
	return schedule, slot, err
}

// ordinary finds an ordinary clinic of the department that can still be had;
// without one the slot is empty, and the patient was told.
func (s *story) ordinary(ctx context.Context, day hospital.Date, department hospital.Department) (schedule hospital.Schedule, slot hospital.Slot, err error) {
	schedules, err := s.his.Schedules(ctx, his.ScheduleQuery{From: day, To: day, Department: department.ID})
	if err != nil {
		return schedule, slot, err
	}
	for _, schedule := range schedules {
		if schedule.Expert || schedule.Suspended || schedule.Left == 0 {
			continue
		}
		if slot, err = s.firstFree(ctx, schedule); err != nil || slot.ID != "" {
			return schedule, slot, err
		}
	}
	s.say(1, "%s %s没有还能挂的号了，请改天再来。", day.At(0, 0).Format("1月2日"), department.Name)
	return schedule, slot, nil
}

// firstFree is the first segment ahead that has a number left.
func (s *story) firstFree(ctx context.Context, schedule hospital.Schedule) (hospital.Slot, error) {
	slots, err := s.his.Slots(ctx, schedule.ID)
	if err != nil {
		return hospital.Slot{}, err
	}
	for _, slot := range slots {
		if slot.Left != 0 && slot.Start.After(s.clock.Now()) {
			return slot, nil
		}
	}
	return hospital.Slot{}, nil
}

// book books, and sees to a lockout of an earlier round: the service desk
// lifts it. A refusal is told to the patient and yields no appointment.
func (s *story) book(ctx context.Context, actor hospital.Actor, patient hospital.Patient, schedule hospital.Schedule, slot hospital.Slot) (booking.Appointment, error) {
	request := booking.BookRequest{
		Actor: actor, Wish: booking.Wish{Patient: patient.ID, Payer: patient.Payer, Schedule: schedule, Slot: slot},
	}
	a, err := s.desk.Book(ctx, request)
	if errors.Is(err, booking.ErrLocked) {
		s.say(0, "%s", hospital.MessageFor(err))
		staff := hospital.Actor{Kind: hospital.ActorStaff, ID: "service-desk", Entry: hospital.EntryWindow}
		if err := s.desk.Unlock(ctx, staff, patient.ID, "本人到服务台说明情况"); err != nil {
			return a, err
		}
		s.minutes(5)
		s.say(0, "您到服务台说明了情况，网上预约已恢复。")
		a, err = s.desk.Book(ctx, request)
	}
	if err != nil {
		return booking.Appointment{}, s.refused(err)
	}
	s.made = append(s.made, a.ID)
	return a, s.tell(ctx)
}

// refused tells the patient why not; what is not a refusal ends the round.
func (s *story) refused(err error) error {
	switch hospital.KindOf(err) {
	case hospital.Rejected, hospital.Conflict, hospital.Indeterminate, hospital.Unavailable:
		s.say(0, "%s", hospital.MessageFor(err))
		return nil
	default:
		return err
	}
}

// pay is the patient paying: a sheet, a tap, and the channel's notice.
func (s *story) pay(ctx context.Context, actor hospital.Actor, a booking.Appointment) (booking.Appointment, error) {
	sheet, err := s.cashier.Pay(ctx, payment.PayRequest{
		Charge: a.ChargeKey(), Channel: channel, Payer: payment.Payer(s.clock.phone(actor.ID)), Actor: actor,
	})
	if err != nil {
		return a, err
	}
	s.minutes(1)
	paid := wechatpaytest.Sheet{
		AppID: sheet.Params["appId"], Timestamp: sheet.Params["timeStamp"], Nonce: sheet.Params["nonceStr"],
		Package: sheet.Params["package"], SignType: sheet.Params["signType"], PaySign: sheet.Params["paySign"],
	}
	if _, err := s.far.WeChatPay.Pay(wechatpaytest.Payment{Sheet: &paid}); err != nil {
		return a, err
	}
	s.say(0, "您付了 %s。", a.Hold.Fee)
	if err := s.advance(ctx); err != nil {
		return a, err
	}
	return s.appointments.Find(ctx, a.ID)
}

// paid tells the patient that the hospital has the payment.
func (s *story) paid(a booking.Appointment) {
	if !a.PaidAtHIS {
		s.say(0, "付款已收到，正在与医院核实；无论结果如何，钱不会丢。")
		return
	}
	s.say(0, "医院已收费，挂号有效：%s，第 %d 号。", when(a), a.Hold.QueueNo)
}

// say tells one sentence at business time, some minutes later, and shows under
// it what had to cross the wires for it.
func (s *story) say(minutes int, format string, args ...any) {
	s.minutes(minutes)
	now := s.clock.Now()
	if day := hospital.DateOf(now); day != s.told {
		s.told = day
		s.screen.line("%s（%s）", now.Format("1月2日"), weekday(now))
	}
	margin := now.Format("15:04")
	for _, line := range wrap(fmt.Sprintf(format, args...), screenColumns-marginColumns-width("。")) {
		s.screen.line("%s%s", left(margin, marginColumns), line)
		margin = ""
	}
	s.screen.wire(s.wires.take())
	s.cards()
}

// cards shows what came to the phones of the round since the last time.
func (s *story) cards() {
	for _, phone := range s.phones {
		chat := phone.Chat()
		for _, bubble := range chat[min(s.shown[phone.OpenID()], len(chat)):] {
			s.screen.card(bubble)
		}
		s.shown[phone.OpenID()] = len(chat)
	}
}

// minutes lets business time pass.
func (s *story) minutes(n int) {
	s.failed = errors.Join(s.failed, s.clock.To(s.clock.Now().Add(time.Duration(n)*time.Minute)))
}
