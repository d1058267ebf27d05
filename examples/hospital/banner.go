package main

import (
	"context"
	"fmt"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// addresses are all places, as the ready file names them.
func (s *site) addresses() map[string]string {
	all := map[string]string{}
	if s.far != nil {
		all = farAddresses(s.far)
		all["sim"] = "http://" + s.patients.Addr().String() + "/sim"
	}
	all["patient"] = s.base() + "/"
	all["staff"] = "http://" + s.colleagues.Addr().String() + "/staff"
	all["metrics"] = "http://" + s.colleagues.Addr().String() + "/metrics"
	all["health"] = "http://" + s.patients.Addr().String() + "/healthz"
	return all
}

// staffAddress is where staff begin: the link of the first account as long as
// there is none.
func (s *site) staffAddress(ctx context.Context) (string, error) {
	at := "http://" + s.colleagues.Addr().String()
	link, err := s.server.StaffFirstLink(ctx)
	switch {
	case err == nil:
		return at + link + "（一次性链接，30 分钟内有效）", nil
	case hospital.KindOf(err) == hospital.Conflict:
		return at + "/staff", nil
	}
	return "", err
}

// banner says where everything is, what is loaded and what to try first.
func (s *site) banner(ctx context.Context, show *screen, set settings, staff string) {
	places := s.addresses()
	title := "移动互联网医院 · 演示（周围的一切都是模拟的）"
	if s.far == nil {
		title = "移动互联网医院 · " + s.partners.names.Name
	}
	show.line("%s", title)
	rows := [][2]string{{"患者页面", places["patient"]}, {"工作人员", staff}, {"健康检查", places["health"]}, {"运行指标", places["metrics"]}}
	if s.far != nil {
		rows = append([][2]string{{"模拟台", places["sim"] + "   ← 先打开这个"}}, rows...)
	}
	rows = append(rows, [2]string{"数据", set.data + "，数据库 " + shown(set.db)}, [2]string{"业务时间", s.partners.now().In(hospital.CST).Format("2006-01-02 15:04")},
		[2]string{"已装载", s.loaded(ctx)}, [2]string{"HIS", s.partners.his.BaseURL})
	if s.far != nil {
		rows = append(rows, [2]string{"微信", s.far.WeChatURL}, [2]string{"微信支付", s.far.WeChatPayURL})
	}
	for _, row := range rows {
		show.line("  %s%s", left(row[0], 10), row[1])
	}
	if s.far != nil {
		show.line("试一试：在模拟台的手机上点“导诊挂号”→“预约挂号”，选一位医生，绑定就诊人，付款；")
		show.line("        再到右边停诊、放号，或让 HIS 丢一次回答，看下面的线路。")
	}
	s.wires.take() // what the banner itself asked is nobody's visit
	show.line("按 Ctrl-C 停下，再次运行会接着继续；删掉目录 %s 就从头开始。", set.data)
}

// loadedWithin bounds what the banner asks the HIS.
const loadedWithin = 5 * time.Second

// loaded counts what the HIS offers.
func (s *site) loaded(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, loadedWithin)
	defer cancel()
	const silent = "HIS 现在没有回答；它一恢复，页面就有内容"
	departments, err := s.his.Departments(ctx)
	if err != nil {
		return silent
	}
	doctors := 0
	for _, d := range departments {
		found, err := s.his.Doctors(ctx, d.ID)
		if err != nil {
			return silent
		}
		doctors += len(found)
	}
	today := hospital.DateOf(s.partners.now())
	schedules, err := s.his.Schedules(ctx, his.ScheduleQuery{From: today, To: today.AddDays(timetableDays)})
	if err != nil {
		return silent
	}
	days := map[hospital.Date]bool{}
	for _, at := range schedules {
		days[at.Date] = true
	}
	return fmt.Sprintf("%d 个科室 · %d 位医生 · %d 天排班", len(departments), doctors, len(days))
}

// timetableDays is how far ahead the banner looks; a HIS plans one to four weeks.
const timetableDays = 30
