package page

import (
	"net/url"
	"strings"
)

// Links makes the paths of the patient's side. It is the only place that knows
// under which prefix the server is mounted. Ids are escaped; a path never
// holds anything personal.
type Links struct {
	prefix string // "" or "/hospital", without a slash at the end
}

// NewLinks makes links below prefix: "" or "/hospital".
func NewLinks(prefix string) Links { return Links{prefix: strings.TrimSuffix(prefix, "/")} }

func (l Links) to(parts ...string) string {
	var b strings.Builder
	b.WriteString(l.prefix)
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return b.String()
}

// Home is a path of the patient's side.
func (l Links) Home() string { return l.prefix + "/" }

// Login is a path of the patient's side.
func (l Links) Login() string { return l.to("login") }

// Callback is a path of the patient's side.
func (l Links) Callback() string { return l.to("oauth", "callback") }

// Triage is a path of the patient's side.
func (l Links) Triage() string { return l.to("triage") }

// TriageResult is a path of the patient's side.
func (l Links) TriageResult() string { return l.to("triage", "result") }

// TriageAnswer is the answer to what this browser wrote.
func (l Links) TriageAnswer(ref string) string {
	return l.TriageResult() + "?" + url.Values{"c": {ref}}.Encode()
}

// TriageEmergency is a path of the patient's side.
func (l Links) TriageEmergency() string { return l.to("triage", "emergency") }

// TriageAlarm is the emergency page of one red flag.
func (l Links) TriageAlarm(flag string) string {
	return l.TriageEmergency() + "?" + url.Values{"flag": {flag}}.Encode()
}

// Departments is a path of the patient's side.
func (l Links) Departments() string { return l.to("departments") }

// Doctors is a path of the patient's side.
func (l Links) Doctors() string { return l.to("doctors") }

// Book is a path of the patient's side.
func (l Links) Book() string { return l.to("book") }

// Appointments is a path of the patient's side.
func (l Links) Appointments() string { return l.to("appointments") }

// Bills is a path of the patient's side.
func (l Links) Bills() string { return l.to("bills") }

// Patients is a path of the patient's side.
func (l Links) Patients() string { return l.to("patients") }

// Bind is a path of the patient's side.
func (l Links) Bind() string { return l.to("bind") }

// Messages is a path of the patient's side.
func (l Links) Messages() string { return l.to("messages") }

// MessagesBefore is the page of the messages older than the one with the id.
func (l Links) MessagesBefore(id string) string {
	return l.Messages() + "?" + url.Values{"before": {id}}.Encode()
}

// Message is a path of the patient's side.
func (l Links) Message(id string) string { return l.to("messages", id) }

// ReadMessages is a path of the patient's side.
func (l Links) ReadMessages() string { return l.to("messages", "read") }

// Me is a path of the patient's side.
func (l Links) Me() string { return l.to("me") }

// Mode is a path of the patient's side.
func (l Links) Mode() string { return l.to("me", "mode") }

// Help is a path of the patient's side.
func (l Links) Help() string { return l.to("help") }

// Policy is a path of the patient's side.
func (l Links) Policy() string { return l.to("policy") }

// Department is a path of the patient's side.
func (l Links) Department(id string) string { return l.to("departments", id) }

// Doctor is a path of the patient's side.
func (l Links) Doctor(id string) string { return l.to("doctors", id) }

// Schedule is a path of the patient's side.
func (l Links) Schedule(id string) string { return l.to("schedules", id) }

// Pay is a path of the patient's side.
func (l Links) Pay(order string) string { return l.to("orders", order, "pay") }

// Prepay is a path of the patient's side.
func (l Links) Prepay(order string) string { return l.to("orders", order, "prepay") }

// PayResult is a path of the patient's side.
func (l Links) PayResult(o string) string { return l.to("orders", o, "result") }

// PayState is a path of the patient's side.
func (l Links) PayState(o string) string { return l.to("orders", o, "state") }

// Appointment is a path of the patient's side.
func (l Links) Appointment(id string) string { return l.to("appointments", id) }

// Cancel is a path of the patient's side.
func (l Links) Cancel(id string) string { return l.to("appointments", id, "cancel") }

// Bill is a path of the patient's side.
func (l Links) Bill(id string) string { return l.to("bills", id) }

// PayBill is a path of the patient's side.
func (l Links) PayBill(id string) string { return l.to("bills", id, "pay") }

// Patient is a path of the patient's side.
func (l Links) Patient(id string) string { return l.to("patients", id) }

// UsePatient is a path of the patient's side.
func (l Links) UsePatient(id string) string { return l.to("patients", id, "use") }

// Unbind is a path of the patient's side.
func (l Links) Unbind(id string) string { return l.to("patients", id, "unbind") }

// BindCode is a path of the patient's side.
func (l Links) BindCode(ref string) string { return l.to("bind", ref) }

// BindSend is a path of the patient's side.
func (l Links) BindSend(ref string) string { return l.to("bind", ref, "send") }

// BindCreate is a path of the patient's side.
func (l Links) BindCreate(ref string) string { return l.to("bind", ref, "new") }

// Confirm is the page before a booking.
// Confirm is a path of the patient's side.
func (l Links) Confirm(schedule, slot string) string { return l.to("schedules", schedule, slot) }

// TriagePart is the page of one region of the figure.
func (l Links) TriagePart(part string, f Figure) string {
	return l.to("triage", part) + f.query()
}

// Body is the body map with one figure.
// Body is a path of the patient's side.
func (l Links) Body(f Figure) string { return l.Triage() + f.query() }

// LoginTo is the login that comes back to path, which must be one of ours.
func (l Links) LoginTo(path string) string {
	return l.Login() + "?" + url.Values{"return": {path}}.Encode()
}

// Asset is the path of a file of [Pages.Assets] by its hashed name.
// Asset is a path of the patient's side.
func (l Links) Asset(name string) string { return l.to("assets", name) }

func (f Figure) query() string {
	f = f.orDefault()
	q := url.Values{"sex": {string(f.Sex)}, "age": {string(f.Age)}, "view": {string(f.Side)}}
	if len(f.Picked) > 0 {
		q["s"] = f.Picked
	}
	return "?" + q.Encode()
}

// orDefault reads what a URL said: what it does not know is the default.
func (f Figure) orDefault() Figure {
	if f.Sex != Female {
		f.Sex = Male
	}
	if f.Age != Child {
		f.Age = Adult
	}
	if f.Side != Back {
		f.Side = Front
	}
	return f
}
