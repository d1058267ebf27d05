package refserver

import (
	"net/http"
	"slices"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

// home is 首页 with what is next for the user's patients.
func (v *visit) home() error {
	if mode := v.r.URL.Query().Get("mode"); mode == "care" {
		v.setCookie("care", "1", careLife)
		return v.redirect(v.s.links.Home())
	}
	view := page.Home{Bound: len(v.bound) > 0}
	today := hospital.DateOf(v.now)
	for _, b := range v.bound {
		scope, err := v.open(b.Patient)
		if err != nil {
			return err
		}
		all, err := v.s.desk.Appointments(v.r.Context(), scope)
		if err != nil {
			return err
		}
		for _, a := range all {
			state, show := todayState(a, today)
			if !show {
				continue
			}
			department, doctor, s := v.place(a)
			card := page.TodayVisit{
				State: state, Appointment: a.ID, Patient: v.s.maskedName(v, a.Patient), Department: department.Name, Doctor: doctor.Name,
				Start: a.Start, End: a.End, QueueNo: a.Hold.QueueNo, Room: s.Room,
			}
			if state == page.TodayPay {
				card.Order, card.Amount, card.Deadline = string(a.ChargeKey()), a.Hold.Fee, a.Deadline
			}
			view.Today = append(view.Today, card)
		}
	}
	slices.SortFunc(view.Today, func(a, b page.TodayVisit) int { return a.Start.Compare(b.Start) })
	return v.render(view)
}

// todayState says how today's card shows an appointment: what waits for its
// payment, whatever the day, and what is today.
func todayState(a booking.Appointment, today hospital.Date) (page.TodayState, bool) {
	switch {
	case a.State == booking.Held:
		return page.TodayPay, true
	case a.Date != today:
		return "", false
	case a.State == booking.Booked, a.State == booking.Settling, a.State == booking.Confirming:
		return page.TodayUpcome, true
	case a.State == booking.Arrived:
		return page.TodayArrived, true
	case a.State == booking.Fulfilled:
		return page.TodayDone, true
	case a.State == booking.Cancelled && a.Cause == booking.BySuspended:
		return page.TodayStopped, true
	}
	return "", false
}

func (v *visit) me() error {
	version, _, _ := policyText()
	view := page.Settings{Patients: len(v.bound), Policy: version}
	if patient := v.patient(); patient != "" {
		view.Patient = v.s.maskedName(v, patient)
	}
	return v.render(view)
}

// mode switches 长辈版. It moves nothing, so it needs no session.
func (v *visit) mode() error {
	if v.form().Get("care") == "1" {
		v.setCookie("care", "1", careLife)
	} else {
		v.setCookie("care", "", -1)
	}
	http.Redirect(v.w, v.r, v.s.local(v.form().Get("return")), http.StatusSeeOther)
	return nil
}

func (v *visit) help() error { return v.render(page.Help{}) }

func (v *visit) policy() error {
	version, _, paragraphs := policyText()
	day, err := hospital.NewDate(2026, 11, 1)
	if err != nil {
		return err
	}
	return v.render(page.Policy{Title: "个人信息处理同意书", Version: version, From: day, Paragraphs: paragraphs})
}
