package refserver

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/refserver/internal/account"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

const (
	maxQuery   = 64
	maxDoctors = 50
)

func (v *visit) query() string {
	q := v.r.URL.Query().Get("q")
	if len(q) > maxQuery {
		return ""
	}
	return q
}

// window is the policy in force and how many days ahead it looks.
func (s *Server) window(ctx context.Context) (booking.Policy, int, error) {
	policy, _, err := s.desk.Policy(ctx)
	if err != nil {
		return policy, 0, err
	}
	return policy, max(policy.Advance.Expert.Days, policy.Advance.Ordinary.Days), nil
}

// upcoming is every clinic of the days that can be booked.
func (v *visit) upcoming() (policy booking.Policy, all []hospital.Schedule, stale bool, err error) {
	policy, days, err := v.s.window(v.r.Context())
	if err != nil {
		return policy, nil, false, err
	}
	all, stale, err = v.s.catalog.schedules(v.r.Context(), days)
	return policy, all, stale, err
}

// sale says whether a clinic's numbers can be had now.
func (v *visit) sale(policy *booking.Policy, s hospital.Schedule) page.Sale {
	end := s.Date.At(23, 59)
	if hours, ok := policy.Sessions[s.Session]; ok {
		end = hours.Until.On(s.Date)
	}
	err := policy.AllowTime(booking.Wish{Schedule: s, Slot: hospital.Slot{Schedule: s.ID, End: end}}, v.now)
	switch {
	case s.Suspended, errors.Is(err, booking.ErrSuspended):
		return page.SaleStopped
	case errors.Is(err, booking.ErrNotOpen):
		return page.SaleNotYet
	case err != nil:
		return page.SaleOver
	case s.Left == 0:
		return page.SaleFull
	}
	return page.SaleOpen
}

// nextFree is the first day on which one of the clinics has a free number.
func (v *visit) nextFree(of func(hospital.Schedule) bool) (day hospital.Date, left int) {
	policy, all, _, err := v.upcoming()
	if err != nil {
		return day, 0
	}
	for _, s := range all {
		if !of(s) || v.sale(&policy, s) != page.SaleOpen || !day.IsZero() && day.Before(s.Date) {
			continue
		}
		if day.IsZero() || s.Date.Before(day) {
			day, left = s.Date, 0
		}
		left = addLeft(left, s.Left)
	}
	return day, left
}

func addLeft(a, b int) int {
	if a == hospital.Unlimited || b == hospital.Unlimited {
		return hospital.Unlimited
	}
	return a + b
}

func (v *visit) departments() error {
	all, stale, err := v.s.catalog.departments(v.r.Context())
	if err != nil {
		return err
	}
	policy, schedules, old, err := v.upcoming()
	if err != nil {
		schedules, old = nil, true
	}
	today := v.r.URL.Query().Get("day") == "today"
	view := page.Departments{Query: v.query(), Today: today, Stale: stale || old}
	campuses, _, err := ask(v.r.Context(), v.s.catalog, "campuses", directoryAge, v.s.config.HIS.Directory.Campuses)
	if err != nil {
		return err
	}
	for _, campus := range campuses {
		group := page.DepartmentGroup{Name: campus.Name}
		for _, d := range all {
			if d.Campus != campus.ID || !matches(d.Name, view.Query) {
				continue
			}
			row := page.DepartmentRow{ID: string(d.ID), Name: d.Name, Location: d.Location}
			for _, s := range schedules {
				if s.Department == d.ID && (!today || s.Date == hospital.DateOf(v.now)) && v.sale(&policy, s) == page.SaleOpen {
					row.Left, row.Open = addLeft(row.Left, s.Left), true
				}
			}
			group.Departments = append(group.Departments, row)
		}
		if len(group.Departments) > 0 {
			view.Groups = append(view.Groups, group)
		}
	}
	if view.Query != "" {
		if doctors, err := v.s.catalog.doctors(v.r.Context()); err == nil {
			view.Doctors, _ = v.doctorRows(doctors, view.Query)
		}
	}
	return v.render(view)
}

func (v *visit) doctorRows(all []hospital.Doctor, typed string) (rows []page.DoctorRow, more bool) {
	for _, d := range all {
		if !matches(d.Name, typed) {
			continue
		}
		if len(rows) == maxDoctors {
			return rows, true
		}
		department, err := v.s.catalog.department(v.r.Context(), d.Department)
		if err != nil {
			continue
		}
		next, _ := v.nextFree(func(s hospital.Schedule) bool { return s.Doctor == d.ID })
		rows = append(rows, page.DoctorRow{
			ID: string(d.ID), Name: d.Name, Title: d.Title, Department: department.Name, Specialty: d.Specialty, Next: next,
		})
	}
	return rows, false
}

func (v *visit) scheduleRow(policy *booking.Policy, department string, doctor hospital.Doctor, s hospital.Schedule) page.ScheduleRow {
	row := page.ScheduleRow{
		ID: string(s.ID), Doctor: string(s.Doctor), Name: doctor.Name, Title: doctor.Title, Department: department, Expert: s.Expert,
		Specialty: doctor.Specialty, Date: s.Date, Session: s.Session, Fee: s.Fees.Total(), Sale: v.sale(policy, s), Left: s.Left,
	}
	if row.Sale == page.SaleNotYet && s.Date != hospital.DateOf(v.now) {
		row.Opening = opening(policy, s)
	}
	return row
}

// opening is when a clinic's numbers come out.
func opening(policy *booking.Policy, s hospital.Schedule) time.Time {
	window := policy.Advance.Ordinary
	if s.Expert {
		window = policy.Advance.Expert
	}
	return window.Release.On(s.Date.AddDays(-window.Days))
}

func (v *visit) department() error {
	department, err := v.s.catalog.department(v.r.Context(), hospital.DepartmentID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	policy, all, stale, err := v.upcoming()
	if err != nil {
		return err
	}
	_, days, err := v.s.window(v.r.Context())
	if err != nil {
		return err
	}
	today := hospital.DateOf(v.now)
	view := page.Department{
		ID: string(department.ID), Name: department.Name, Introduction: department.Introduction, Location: department.Location, Stale: stale,
	}
	chosen, err := hospital.ParseDate(v.r.URL.Query().Get("date"))
	if err != nil {
		chosen = hospital.Date{}
	}
	for i := range days + 1 {
		day := page.Day{Date: today.AddDays(i), Sale: page.SaleNone}
		for _, s := range all {
			if s.Department == department.ID && s.Date == day.Date {
				day.Sale = better(day.Sale, v.sale(&policy, s))
			}
		}
		if chosen.IsZero() && day.Sale == page.SaleOpen {
			chosen = day.Date
		}
		view.Days = append(view.Days, day)
	}
	if chosen.IsZero() {
		chosen = today
	}
	view.Date = chosen
	for _, s := range all {
		if s.Department != department.ID || s.Date != chosen {
			continue
		}
		doctor, err := v.s.catalog.doctor(v.r.Context(), s.Department, s.Doctor)
		if err != nil {
			return err
		}
		view.Schedules = append(view.Schedules, v.scheduleRow(&policy, department.Name, doctor, s))
	}
	return v.render(view)
}

// better is what a day with both says.
func better(a, b page.Sale) page.Sale {
	order := []page.Sale{page.SaleOpen, page.SaleNotYet, page.SaleFull, page.SaleStopped, page.SaleOver, page.SaleNone}
	if slices.Index(order, b) < slices.Index(order, a) {
		return b
	}
	return a
}

func (v *visit) doctors() error {
	view := page.Doctors{Query: v.query(), Department: v.r.URL.Query().Get("department")}
	all, err := v.s.catalog.doctors(v.r.Context())
	if err != nil {
		return err
	}
	if view.Department != "" {
		department, err := v.s.catalog.department(v.r.Context(), hospital.DepartmentID(view.Department))
		if err != nil {
			return err
		}
		view.Name = department.Name
		all = slices.DeleteFunc(slices.Clone(all), func(d hospital.Doctor) bool { return d.Department != department.ID })
	}
	view.Rows, view.More = v.doctorRows(all, view.Query)
	return v.render(view)
}

func (v *visit) doctor() error {
	all, err := v.s.catalog.doctors(v.r.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(d hospital.Doctor) bool { return string(d.ID) == v.r.PathValue("id") })
	if i < 0 {
		return absent()
	}
	d := all[i]
	department, err := v.s.catalog.department(v.r.Context(), d.Department)
	if err != nil {
		return err
	}
	policy, schedules, stale, err := v.upcoming()
	if err != nil {
		return err
	}
	view := page.Doctor{
		ID: string(d.ID), Name: d.Name, Title: d.Title, DepartmentID: string(d.Department), Department: department.Name, Expert: d.Expert,
		Specialty: d.Specialty, Introduction: d.Introduction, Stale: stale,
	}
	for _, s := range schedules {
		if s.Doctor == d.ID {
			view.Schedules = append(view.Schedules, v.scheduleRow(&policy, department.Name, d, s))
		}
	}
	return v.render(view)
}

// clinic finds a clinic among those that can be looked at.
func (v *visit) clinic(id string) (policy booking.Policy, s hospital.Schedule, head page.Clinic, stale bool, err error) {
	policy, all, stale, err := v.upcoming()
	if err != nil {
		return policy, s, head, stale, err
	}
	i := slices.IndexFunc(all, func(s hospital.Schedule) bool { return string(s.ID) == id })
	if i < 0 {
		return policy, s, head, stale, absent()
	}
	s = all[i]
	department, err := v.s.catalog.department(v.r.Context(), s.Department)
	if err != nil {
		return policy, s, head, stale, err
	}
	doctor, err := v.s.catalog.doctor(v.r.Context(), s.Department, s.Doctor)
	head = page.Clinic{
		Schedule: string(s.ID), DepartmentID: string(s.Department), Department: department.Name, Doctor: doctor.Name, DoctorID: string(s.Doctor),
		Title: doctor.Title, Expert: s.Expert, Date: s.Date, Session: s.Session, Room: s.Room, Fee: s.Fees.Total(),
	}
	return policy, s, head, stale, err
}

func (v *visit) schedule() error {
	policy, s, head, stale, err := v.clinic(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	slots, old, err := v.s.catalog.slots(v.r.Context(), s.ID)
	if err != nil {
		return err
	}
	view := page.Schedule{Clinic: head, Sale: v.sale(&policy, s), Gone: v.r.URL.Query().Get("gone") == "1", Stale: stale || old}
	if view.Sale == page.SaleNotYet {
		view.Opening = opening(&policy, s)
	}
	quietest := -1
	for i, slot := range slots {
		choice := page.SlotChoice{
			ID: string(slot.ID), Start: slot.Start, End: slot.End, Left: slot.Left, Capacity: slot.Capacity, Busy: busy(slot),
			Over: view.Sale != page.SaleOpen || policy.AllowTime(booking.Wish{Schedule: s, Slot: slot}, v.now) != nil,
		}
		if !choice.Over && choice.Busy != page.BusyFull && (quietest < 0 || taken(slot) < taken(slots[quietest])) {
			quietest = i
		}
		view.Slots = append(view.Slots, choice)
	}
	if quietest >= 0 {
		view.Slots[quietest].Quietest = true
	}
	return v.render(view)
}

// taken is the part of a segment that is sold, in percent.
func taken(s hospital.Slot) int {
	if s.Left == hospital.Unlimited || s.Capacity <= 0 {
		return 0
	}
	return 100 * (s.Capacity - s.Left) / s.Capacity
}

func busy(s hospital.Slot) page.Busy {
	switch {
	case s.Left == 0:
		return page.BusyFull
	case taken(s) < 40:
		return page.BusyLow
	case taken(s) < 75:
		return page.BusyMedium
	}
	return page.BusyHigh
}

// slotOf finds a segment of a clinic.
func (v *visit) slotOf(s hospital.Schedule, id string) (hospital.Slot, error) {
	slots, _, err := v.s.catalog.slots(v.r.Context(), s.ID)
	if err != nil {
		return hospital.Slot{}, err
	}
	if i := slices.IndexFunc(slots, func(slot hospital.Slot) bool { return string(slot.ID) == id }); i >= 0 {
		return slots[i], nil
	}
	return hospital.Slot{}, absent()
}

// patientChoice is a patient as forms show one.
func (v *visit) patientChoice(p hospital.Patient) page.PatientChoice {
	card := p.IDNumber.Masked()
	if len(p.Cards) > 0 {
		card = p.Cards[0].Masked()
	}
	return page.PatientChoice{
		ID: v.s.accounts.Handle(p.ID), Name: p.Name.Masked(), Card: card, Insured: p.Payer == hospital.Insured, Selected: p.ID == v.patient(),
	}
}

// lockout is what the no-shows of a patient come to now.
func (v *visit) lockout(policy *booking.Policy, patient hospital.PatientID) (booking.History, booking.Lockout, bool, error) {
	history, err := v.s.bookings.History(v.r.Context(), v.session.User, patient, hospital.DateOf(v.now))
	if err != nil {
		return history, booking.Lockout{}, false, err
	}
	lock, locked := policy.Lockout(v.now, history)
	return history, lock, locked, nil
}

// lockedUntil is when the lock of a patient ends, the zero time for one without
// an end.
func (s *Server) lockedUntil(ctx context.Context, patient hospital.PatientID) (time.Time, error) {
	policy, _, err := s.desk.Policy(ctx)
	if err != nil {
		return time.Time{}, err
	}
	now := s.config.Now()
	history, err := s.bookings.History(ctx, "", patient, hospital.DateOf(now))
	if err != nil {
		return time.Time{}, err
	}
	lock, _ := policy.Lockout(now, history)
	return lock.Until, nil
}

func (v *visit) confirm() error { return v.confirmWith("") }

func (v *visit) confirmWith(problem string) error {
	scheduleID, slotID := v.r.PathValue("id"), v.r.PathValue("slot")
	if scheduleID == "" {
		scheduleID, slotID = v.form().Get("schedule"), v.form().Get("slot")
	}
	policy, s, head, _, err := v.clinic(scheduleID)
	if err != nil {
		return err
	}
	slot, err := v.slotOf(s, slotID)
	if err != nil {
		return err
	}
	kind := booking.Wish{Schedule: s}.Kind(v.now)
	view := page.Confirm{
		Clinic: head, Slot: string(slot.ID), Start: slot.Start, End: slot.End, Kind: kind, Total: s.Fees.Total(), Key: account.NewSecret(),
		Fees:  []page.FeeLine{{Name: "挂号费", Amount: s.Fees.Registration}, {Name: "诊查费", Amount: s.Fees.Consultation}, {Name: "其他", Amount: s.Fees.Other}},
		Bring: bring(), Problem: problem, Within: time.Duration(policy.Pay.HoldMinutes) * time.Minute,
	}
	view.Fees = slices.DeleteFunc(view.Fees, func(l page.FeeLine) bool { return l.Amount == 0 })
	var current hospital.Patient
	var paused *page.State // every patient is
	for i, b := range v.bound {
		p, err := v.person(b.Patient, "patient.choose")
		if err != nil {
			return err
		}
		choice := v.patientChoice(p)
		history, lock, locked, err := v.lockout(&policy, p.ID)
		if err != nil {
			return err
		}
		choice.Locked = locked
		switch {
		case !locked:
			paused = nil
		case i == 0 || paused != nil && choice.Selected:
			paused = &page.State{Kind: page.StateLocked, Reason: "失约满 " + strconv.Itoa(lock.Strikes) + " 次", Until: lock.Until}
		}
		if choice.Selected {
			current, view.Strikes = p, len(history.Strikes)
		}
		view.Patients = append(view.Patients, choice)
	}
	if paused != nil {
		return v.render(*paused)
	}
	view.Pay = payRule(policy.Pay.Mode(kind, current.Payer), s.Fees.Total())
	if rule := policy.Cancel.Advance; kind == hospital.Advance && !rule.Never && !rule.BeforeVisit && !rule.WorkingDays {
		view.Cancel = rule.Until.On(s.Date.AddDays(-rule.DaysBefore))
	} else {
		view.Cancel = slot.Start
	}
	return v.render(view)
}

func payRule(mode booking.PayMode, fee hospital.Fen) page.PayRule {
	switch {
	case fee == 0:
		return page.PayFree
	case mode == booking.PayBeforeConfirm:
		return page.PayBefore
	case mode == booking.PayAfterBooking:
		return page.PayAfter
	}
	return page.PayDesk
}

func bring() []string {
	return []string{"就诊人身份证或就诊卡", "医保卡（医保患者）", "既往病历和检查报告"}
}

// book claims a number. What is booked comes from the HIS, never from the form;
// the form's key makes a second press the first.
func (v *visit) book() error {
	form := v.form()
	bound, err := v.held(form.Get("patient"))
	if err != nil {
		return err
	}
	if form.Get("agree") != "1" {
		return v.confirmWith("请先阅读并勾选就医须知。")
	}
	key := form.Get("key")
	if key == "" || len(key) > 64 {
		return forbidden("bad_key")
	}
	first, path, err := v.s.accounts.Begin(v.r.Context(), v.session.User, key)
	if err != nil {
		return err
	}
	if !first {
		return v.redirect(cmp.Or(path, v.s.links.Appointments()))
	}
	path, problem, err := v.bookFor(bound.Patient)
	ctx := context.WithoutCancel(v.r.Context())
	if ended := v.s.accounts.End(ctx, v.session.User, key, path); ended != nil {
		return ended
	}
	switch {
	case err != nil:
		return err
	case problem != "":
		return v.confirmWith(problem)
	}
	return v.redirect(path)
}

// bookFor returns where the appointment is, or why there is none.
func (v *visit) bookFor(patient hospital.PatientID) (path, problem string, err error) {
	_, s, _, _, err := v.clinic(v.form().Get("schedule"))
	if err != nil {
		return "", "", err
	}
	slot, err := v.slotOf(s, v.form().Get("slot"))
	if err != nil {
		return "", "", err
	}
	p, err := v.person(patient, "patient.book")
	if err != nil {
		return "", "", err
	}
	a, err := v.s.desk.Book(context.WithoutCancel(v.r.Context()), booking.BookRequest{
		Actor: v.actor(), Wish: booking.Wish{Patient: p.ID, Payer: p.Payer, Schedule: s, Slot: slot},
	})
	v.s.catalog.forget(s.ID)
	switch {
	case errors.Is(err, booking.ErrSlotTaken):
		return v.s.links.Schedule(string(s.ID)) + "?gone=1", "", nil
	case err != nil && a.ID != "" && hospital.KindOf(err) == hospital.Indeterminate:
		return v.s.links.Appointment(a.ID), "", nil // being checked: the page says so
	case err != nil && hospital.KindOf(err) != hospital.Internal:
		return "", hospital.MessageFor(err), nil
	case err != nil:
		return "", "", err
	case a.State == booking.Held:
		return v.s.links.Pay(string(a.ChargeKey())), "", nil
	}
	return v.s.links.Appointment(a.ID), "", nil
}
