package main

import (
	"fmt"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
)

// stateName is a state of an appointment as a patient reads it.
func stateName(state booking.State) string {
	name, ok := map[booking.State]string{
		booking.Holding: "锁号中", booking.Held: "待付款", booking.Confirming: "确认中", booking.Booked: "已预约", booking.Settling: "收费中",
		booking.Arrived: "已取号", booking.Cancelling: "取消中", booking.Fulfilled: "已就诊", booking.Refused: "未成功",
		booking.Expired: "超时未付", booking.Cancelled: "已取消", booking.NoShow: "爽约", booking.Manual: "人工处理",
	}[state]
	if !ok {
		return string(state)
	}
	return name
}

// causeName says why an appointment ended, as a patient reads it.
func causeName(cause booking.Cause) string {
	name, ok := map[booking.Cause]string{
		booking.ByPatient: "您已取消", booking.ByStaff: "医院已取消", booking.BySuspended: "医生停诊", booking.ByUnpaid: "超时未付款",
		booking.ByRefusal: "医院未能受理", booking.ByDoubt: "医院未能确认",
	}[cause]
	if !ok {
		return string(cause)
	}
	return name
}

func weekday(at time.Time) string {
	return "星期" + [...]string{"日", "一", "二", "三", "四", "五", "六"}[at.In(hospital.CST).Weekday()]
}

// dayName is a day with its half: "11月24日（星期二）上午".
func dayName(schedule hospital.Schedule) string {
	half := map[hospital.Session]string{hospital.Morning: "上午", hospital.Afternoon: "下午", hospital.Evening: "夜间"}[schedule.Session]
	noon := schedule.Date.At(12, 0)
	return noon.Format("1月2日") + "（" + weekday(noon) + "）" + half
}

func span(slot hospital.Slot) string { return clockSpan(slot.Start, slot.End) }

func clockSpan(from, until time.Time) string {
	return from.In(hospital.CST).Format("15:04") + "–" + until.In(hospital.CST).Format("15:04")
}

// when is the time of an appointment.
func when(a booking.Appointment) string {
	start := a.Start.In(hospital.CST)
	return start.Format("1月2日") + "（" + weekday(start) + "）" + clockSpan(a.Start, a.End)
}

// place is where to go.
func place(schedule hospital.Schedule) string {
	room := schedule.Room
	return room.Building + room.Floor + room.Name
}

// label is an appointment in the first column of the ledgers.
func (s *story) label(a booking.Appointment) string {
	kind := "预约"
	if a.Kind == hospital.SameDay {
		kind = "当日"
	}
	return fmt.Sprintf("%s %s %s", kind, s.departments[a.Department], stateName(a.State))
}
