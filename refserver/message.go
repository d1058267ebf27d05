package refserver

import (
	"context"
	"net/http"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/refserver/internal/message"
	"github.com/wxhospital/hospital/refserver/internal/page"
	"github.com/wxhospital/hospital/refserver/internal/staff"
	"github.com/wxhospital/hospital/refserver/internal/watch"
	"github.com/wxhospital/hospital/wechat"
)

// Messages says how patients are told what happened. Every message stands in
// the app; what is more is configured here.
type Messages struct {
	// Notices are the account's templates, by scene: "appt.booked",
	// "appt.pay_due", "appt.paid", "appt.cancelled", "appt.refunded",
	// "appt.stopped", "appt.no_show", "lock.locked", "lock.unlocked",
	// "appt.reminder_d1", "appt.reminder_h2", "bill.created", "bill.paid",
	// "bill.refunded", "patient.info_updated", "patient.bound",
	// "patient.taken_over". A scene without one is not told by WeChat.
	Notices map[string]NoticeTemplate
	// Aliases are what sensitive departments are called: {"K17": "门诊"}.
	Aliases map[hospital.DepartmentID]string
	// Texts sends a text message of what cannot be told by WeChat. They cost
	// money, so the default is that it stays in the app.
	Texts bool
	// QuietFrom and QuietUntil are the hours of the day in China in which what
	// can wait waits. Default 22 to 7; equal ones mean never.
	QuietFrom, QuietUntil int
}

// NoticeTemplate is how a scene is told by WeChat: for each field of the
// account's template the value it shows – title, note, patient, department,
// doctor, time, until, place, number, amount or now: {"thing1": "department"}.
type NoticeTemplate struct {
	ID     string
	Kind   wechat.NoticeKind // default wechat.TemplateMessage
	Fields map[string]string
}

// messengerID is the worker that reads what a message says.
const messengerID = "message"

// openMessages opens what learns of news and what tells patients.
func (s *Server) openMessages(ctx context.Context) error {
	var err error
	s.watcher, err = watch.New(ctx, watch.Config{
		DB: s.config.DB, Bindings: s.bookings, Patients: s.config.HIS.Patients, Billing: s.config.HIS.Billing,
		Every: s.config.PollEvery, Idle: s.config.PollIdle, Now: s.config.Now, Wall: s.config.Wall, Logger: s.config.Logger,
	})
	if err != nil {
		return err
	}
	c := s.config.Messages
	templates := make(map[message.Scene]message.Template, len(c.Notices))
	for scene, template := range c.Notices {
		templates[message.Scene(scene)] = message.Template(template)
	}
	var texter message.Texter
	if c.Texts {
		texter = s.config.Texter
	}
	s.messages, err = message.New(ctx, message.Config{
		DB: s.config.DB, Facts: facts{s}, Recipients: recipients{s}, WeChat: s.config.Account, Texter: texter, Templates: templates,
		Aliases: c.Aliases, QuietFrom: c.QuietFrom, QuietUntil: c.QuietUntil, Now: s.config.Now, Wall: s.config.Wall,
		Link: func(scene message.Scene, object string) string { return s.address(s.leadsTo(scene, object)) },
	})
	return err
}

// address is where a path of ours is for everybody else.
func (s *Server) address(path string) string {
	return s.config.BaseURL + strings.TrimPrefix(path, s.base.Path)
}

// leadsTo is the path of the page that a message is about.
func (s *Server) leadsTo(scene message.Scene, object string) string {
	switch {
	case strings.HasPrefix(string(scene), "appt."):
		return s.links.Appointment(object)
	case strings.HasPrefix(string(scene), "bill."):
		return s.links.Bill(object)
	case scene == message.TakenOver:
		return s.links.Home()
	}
	return s.links.Patients()
}

// facts reads what a message says. It reads of a patient through the gate, as
// the messenger.
type facts struct{ s *Server }

// Fact implements message.Facts.
func (f facts) Fact(ctx context.Context, kind, object string) (message.Fact, error) {
	switch kind {
	case "order.delivered", "order.refunded":
		return f.ofOrder(ctx, kind, object)
	case string(message.Bound), string(message.TakenOver):
		return f.ofHandover(ctx, kind, object)
	case string(message.Unlocked):
		u, err := f.s.bookings.Unlocked(ctx, object)
		if err != nil {
			return message.Fact{}, err
		}
		return f.of(ctx, u.Patient, message.Fact{})
	case watch.BillCreated:
		patient, err := f.s.watcher.Patient(ctx, kind, object)
		if err != nil {
			return message.Fact{}, err
		}
		return f.ofBill(ctx, patient, object)
	case watch.RecordUpdated:
		patient, err := f.s.watcher.Patient(ctx, kind, object)
		if err != nil {
			return message.Fact{}, err
		}
		return f.of(ctx, patient, message.Fact{})
	}
	a, err := f.s.bookings.Find(ctx, object)
	switch {
	case err != nil:
		return message.Fact{}, err
	case kind == string(message.PayDue) && a.Pay != booking.PayBeforeConfirm: // may be paid until the visit, and is told of as booked
		return message.Fact{}, absent()
	}
	return f.ofAppointment(ctx, kind, a)
}

// of adds whom it is about and who is told: whoever holds the patient now.
func (f facts) of(ctx context.Context, patient hospital.PatientID, fact message.Fact) (message.Fact, error) {
	if fact.Users == nil {
		holder, err := f.s.bookings.Holder(ctx, patient)
		if err != nil {
			return message.Fact{}, err
		}
		fact.Users = []hospital.UserID{holder}
	}
	p, err := f.s.patientTold(ctx, patient, "patient.notice")
	if err != nil {
		return message.Fact{}, err
	}
	fact.Patient, fact.Name = patient, p.Name
	return fact, nil
}

// patientTold reads the record of a patient who is told of something.
func (s *Server) patientTold(ctx context.Context, patient hospital.PatientID, action string) (hospital.Patient, error) {
	scope, err := s.gate.Open(ctx, hospital.System(messengerID), patient)
	if err != nil {
		return hospital.Patient{}, err
	}
	id, err := scope.Use(ctx, hospital.Access{Purpose: "service", Action: action})
	if err != nil {
		return hospital.Patient{}, err
	}
	return s.patientAt(ctx, id)
}

func (f facts) ofAppointment(ctx context.Context, kind string, a booking.Appointment) (message.Fact, error) {
	department, doctor, schedule, err := f.s.placeOf(ctx, a)
	if kind := hospital.KindOf(err); err != nil && kind != hospital.NotFound {
		return message.Fact{}, err
	}
	fact := message.Fact{
		Object: a.ID, Department: a.Department, DepartmentIs: department.Name, Doctor: doctor.Name, Start: a.Start,
		Place: strings.TrimSpace(department.Location + " " + page.Place(schedule.Room)), Number: a.Hold.QueueNo, Amount: a.Hold.Fee, Until: a.Deadline,
		Live: !a.State.Terminal() && a.State != booking.Cancelling, Purpose: hospital.ForRegistration,
	}
	if kind == string(message.Locked) {
		if fact.Until, err = f.s.lockedUntil(ctx, a.Patient); err != nil {
			return message.Fact{}, err
		}
	}
	return f.of(ctx, a.Patient, fact)
}

// ofOrder says what became of money. A number that is paid before it is
// confirmed is told of when it is booked.
func (f facts) ofOrder(ctx context.Context, kind, id string) (message.Fact, error) {
	order, err := f.s.orders.Find(ctx, payment.Ref{ID: id})
	if err != nil {
		return message.Fact{}, err
	}
	var fact message.Fact
	switch purpose := order.Charge.Purpose; purpose.Kind {
	case hospital.ForRegistration:
		a, err := f.s.bookings.Find(ctx, purpose.ID)
		if err != nil {
			return message.Fact{}, err
		}
		if kind == "order.delivered" && a.Pay == booking.PayBeforeConfirm {
			return message.Fact{}, absent()
		}
		if fact, err = f.ofAppointment(ctx, kind, a); err != nil {
			return message.Fact{}, err
		}
	case hospital.ForBill:
		if fact, err = f.ofBill(ctx, order.Charge.Patient, purpose.ID); err != nil {
			return message.Fact{}, err
		}
	default:
		return message.Fact{}, absent()
	}
	fact.Amount = order.Charge.Amount
	return fact, nil
}

func (f facts) ofBill(ctx context.Context, patient hospital.PatientID, id string) (message.Fact, error) {
	scope, err := f.s.gate.Open(ctx, hospital.System(messengerID), patient)
	if err != nil {
		return message.Fact{}, err
	}
	b, err := f.s.billAt(ctx, scope, id)
	if err != nil {
		return message.Fact{}, err
	}
	return f.of(ctx, patient, message.Fact{Object: id, Amount: b.Amount, Place: b.Place, Purpose: hospital.ForBill})
}

// ofHandover tells the one who has the patient now, or the one who had.
func (f facts) ofHandover(ctx context.Context, kind, id string) (message.Fact, error) {
	h, err := f.s.bookings.Handover(ctx, id)
	if err != nil {
		return message.Fact{}, err
	}
	told := h.User
	if kind == string(message.TakenOver) {
		told = h.Former
	}
	if told == "" {
		return message.Fact{}, absent()
	}
	return f.of(ctx, h.Patient, message.Fact{Users: []hospital.UserID{told}})
}

// recipients finds where a user is reached.
type recipients struct{ s *Server }

// OpenID implements message.Recipients.
func (r recipients) OpenID(ctx context.Context, user hospital.UserID) (wechat.OpenID, error) {
	return r.s.accounts.OpenID(ctx, user)
}

// Holds implements message.Recipients.
func (r recipients) Holds(ctx context.Context, user hospital.UserID, patient hospital.PatientID) (bool, error) {
	holder, err := r.s.bookings.Holder(ctx, patient)
	if err != nil && hospital.KindOf(err) == hospital.NotFound {
		return false, nil
	}
	return err == nil && holder == user, err
}

// Phone implements message.Recipients: the phone that the HIS holds, to which
// the code went by which the user proved control, and only while the user still
// holds the patient.
func (r recipients) Phone(ctx context.Context, user hospital.UserID, patient hospital.PatientID) (hospital.Phone, error) {
	holder, err := r.s.bookings.Holder(ctx, patient)
	switch {
	case err != nil:
		return "", err
	case holder != user:
		return "", absent()
	}
	p, err := r.s.patientTold(ctx, patient, "patient.phone")
	if err == nil && p.Phone == "" {
		err = absent()
	}
	return p.Phone, err
}

// undelivered shows staff what did not arrive.
type undelivered struct{ *message.Messenger }

// Failed implements staff.Messages.
func (u undelivered) Failed(ctx context.Context, n int) ([]staff.Message, error) {
	failed, err := u.Messenger.Failed(ctx, n)
	if err != nil {
		return nil, err
	}
	all := make([]staff.Message, len(failed))
	for i, f := range failed {
		all[i] = staff.Message{
			ID: f.ID, Scene: string(f.Scene), Object: f.Object, Channel: f.Channel, State: f.State, Failure: f.Failure, Tries: f.Tries, At: f.At,
		}
	}
	return all, nil
}

// messagesShown is how many messages one page has.
const messagesShown = 20

// maxMessageID bounds what an address may name.
const maxMessageID = 64

// reader is who reads the messages of the visit.
func (v *visit) reader() message.Reader {
	r := message.Reader{User: v.session.User}
	for _, b := range v.bound {
		r.Patients = append(r.Patients, b.Patient)
	}
	return r
}

// inbox is 消息中心.
func (v *visit) inbox() error {
	before := v.r.URL.Query().Get("before")
	if len(before) > maxMessageID {
		return absent()
	}
	all, err := v.s.messages.List(v.r.Context(), v.reader(), before, messagesShown+1)
	if err != nil {
		return err
	}
	var view page.Messages
	for i, m := range all {
		if i == messagesShown {
			view.More = v.s.links.MessagesBefore(all[i-1].ID)
			break
		}
		view.Rows = append(view.Rows, page.MessageRow{Title: m.Title, Text: m.Body, At: m.At, Unread: !m.Read, Path: v.s.links.Message(m.ID)})
	}
	return v.render(view)
}

// readMessage marks a message as read and goes where it leads.
func (v *visit) readMessage() error {
	id := v.r.PathValue("id")
	if len(id) > maxMessageID {
		return absent()
	}
	m, err := v.s.messages.Read(v.r.Context(), v.reader(), id)
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, v.s.leadsTo(m.Scene, m.Object), http.StatusSeeOther)
	return nil
}

func (v *visit) readAll() error {
	if err := v.s.messages.MarkAllRead(v.r.Context(), v.session.User); err != nil {
		return err
	}
	return v.redirect(v.s.links.Messages())
}
