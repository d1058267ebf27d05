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

func (l Links) Home() string            { return l.prefix + "/" }
func (l Links) Login() string           { return l.to("login") }
func (l Links) Callback() string        { return l.to("oauth", "callback") }
func (l Links) Triage() string          { return l.to("triage") }
func (l Links) TriageResult() string    { return l.to("triage", "result") }
func (l Links) TriageEmergency() string { return l.to("triage", "emergency") }
func (l Links) Departments() string     { return l.to("departments") }
func (l Links) Doctors() string         { return l.to("doctors") }
func (l Links) Book() string            { return l.to("book") }
func (l Links) Appointments() string    { return l.to("appointments") }
func (l Links) Bills() string           { return l.to("bills") }
func (l Links) Patients() string        { return l.to("patients") }
func (l Links) Bind() string            { return l.to("bind") }
func (l Links) Messages() string        { return l.to("messages") }
func (l Links) Me() string              { return l.to("me") }
func (l Links) Mode() string            { return l.to("me", "mode") }
func (l Links) Notices() string         { return l.to("me", "notices") }
func (l Links) Help() string            { return l.to("help") }
func (l Links) Policy() string          { return l.to("policy") }

func (l Links) Department(id string) string  { return l.to("departments", id) }
func (l Links) Doctor(id string) string      { return l.to("doctors", id) }
func (l Links) Schedule(id string) string    { return l.to("schedules", id) }
func (l Links) Pay(order string) string      { return l.to("orders", order, "pay") }
func (l Links) Prepay(order string) string   { return l.to("orders", order, "prepay") }
func (l Links) PayResult(o string) string    { return l.to("orders", o, "result") }
func (l Links) PayState(o string) string     { return l.to("orders", o, "state") }
func (l Links) Appointment(id string) string { return l.to("appointments", id) }
func (l Links) Cancel(id string) string      { return l.to("appointments", id, "cancel") }
func (l Links) Bill(id string) string        { return l.to("bills", id) }
func (l Links) PayBill(id string) string     { return l.to("bills", id, "pay") }
func (l Links) Patient(id string) string     { return l.to("patients", id) }
func (l Links) UsePatient(id string) string  { return l.to("patients", id, "use") }
func (l Links) Unbind(id string) string      { return l.to("patients", id, "unbind") }
func (l Links) BindCode(ref string) string   { return l.to("bind", ref) }
func (l Links) BindSend(ref string) string   { return l.to("bind", ref, "send") }
func (l Links) BindCreate(ref string) string { return l.to("bind", ref, "new") }

// Confirm is the page before a booking.
func (l Links) Confirm(schedule, slot string) string { return l.to("schedules", schedule, slot) }

// TriagePart is the page of one region of the figure.
func (l Links) TriagePart(part string, f Figure) string {
	return l.to("triage", part) + f.query()
}

// Body is the body map with one figure.
func (l Links) Body(f Figure) string { return l.Triage() + f.query() }

// LoginTo is the login that comes back to path, which must be one of ours.
func (l Links) LoginTo(path string) string {
	return l.Login() + "?" + url.Values{"return": {path}}.Encode()
}

// Asset is the path of a file of [Pages.Assets] by its hashed name.
func (l Links) Asset(name string) string { return l.to("assets", name) }

func (f Figure) query() string {
	f = f.orDefault()
	return "?" + url.Values{"sex": {string(f.Sex)}, "age": {string(f.Age)}, "view": {string(f.Side)}}.Encode()
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
