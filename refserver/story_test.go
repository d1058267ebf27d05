package refserver_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/refserver"
)

// TestAPatientBooksPaysAndCancels is the main job, under a foreign mux's prefix.
func TestAPatientBooksPaysAndCancels(t *testing.T) {
	t.Parallel()
	mainJob(newWorld(t, sqldb.SQLite, "/hospital", 1))
}

func mainJob(w *world) {
	w.Helper()
	p := w.phone("素心")
	patient := w.adult(0)
	s, slot := w.clinic(2, 5)
	for _, path := range []string{
		"/", "/departments", "/departments?q=pwb", "/departments/" + url.PathEscape(string(s.Department)), "/doctors",
		"/schedules/" + url.PathEscape(string(s.ID)), "/help", "/policy",
	} {
		require.Equal(w, http.StatusOK, p.get(path).status, path)
	}
	p.bind(patient)

	booked := p.book(s, slot, "the-key-of-the-form")
	require.Equal(w, http.StatusOK, booked.status, booked.body)
	path := strings.TrimPrefix(booked.path, w.prefix())
	require.Regexp(w, `^/appointments/`, path)
	require.Contains(w, booked.body, string(patient.Name), "the detail page of one's own patient")
	again := p.book(s, slot, "the-key-of-the-form")
	require.Equal(w, booked.path, again.path, "pressing twice books once")
	require.Len(w, w.hospital.Everyone(), 1)

	a := w.only(patient.ID)
	require.Equal(w, booking.Booked, a.State)
	p.payOrder("/orders/" + string(a.ChargeKey()) + "/pay")
	order, err := w.servers[0].Cashier().Find(w.Context(), a.ChargeKey())
	require.NoError(w, err)
	require.Equal(w, payment.Delivered, order.State)
	require.Equal(w, a.Hold.Fee, w.hospital.Total(), "the HIS has the fee")
	result := p.get("/orders/" + string(a.ChargeKey()) + "/result")
	require.Equal(w, http.StatusOK, result.status)

	ask := p.get(path + "/cancel")
	require.Equal(w, http.StatusOK, ask.status)
	gone := p.post(path+"/cancel", url.Values{"token": {ask.token(w)}})
	require.Equal(w, http.StatusOK, gone.status)
	for range 3 { // the refund is asked for, made, and told of
		w.later(2 * time.Minute)
		w.advance()
	}
	require.Equal(w, booking.Cancelled, w.only(patient.ID).State)
	order, err = w.servers[0].Cashier().Find(w.Context(), a.ChargeKey())
	require.NoError(w, err)
	require.Equal(w, payment.Refunded, order.State)
	require.Zero(w, w.hospital.Total())
	require.Equal(w, http.StatusOK, p.get("/appointments?tab=past").status)
}

// only is the patient's one appointment.
func (w *world) only(patient hospital.PatientID) booking.Appointment {
	w.Helper()
	for _, r := range w.hospital.Everyone() {
		require.Equal(w, patient, r.Patient)
	}
	all := w.appointments(patient)
	require.Len(w, all, 1)
	return all[0]
}

// TestSameDayIsPaidBeforeItIsConfirmed holds the number until the fee is there.
func TestSameDayIsPaidBeforeItIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p, patient := w.phone("守田"), w.adult(1)
	p.bind(patient)
	w.later(45 * time.Minute) // same-day registration has opened
	s, slot := w.clinic(0, 0)
	held := p.book(s, slot, "key")
	require.Regexp(t, `^/orders/.*/pay$`, held.path)
	require.Equal(t, booking.Held, w.only(patient.ID).State)
	p.payOrder(held.path)
	require.Equal(t, booking.Booked, w.only(patient.ID).State)
}

// TestNobodyLearnsWhoIsAPatient: a wrong name, a wrong number and somebody
// unknown look like the right answer, and only the right one sends a code.
func TestNobodyLearnsWhoIsAPatient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	patient := w.adult(0)
	for name, c := range map[string][2]string{
		"wrong name":   {"王不是", string(patient.IDNumber)},
		"wrong number": {string(patient.Name), string(w.adult(3).IDNumber)},
		"unknown":      {"赵未知", "11010519491231002X"},
	} {
		p := w.phone(name)
		sent := w.texts.count()
		asked := p.claim(c[0], c[1])
		require.Equal(t, http.StatusOK, asked.status, name)
		require.Regexp(t, `^/bind/`, asked.path, name)
		w.advance()
		require.Equal(t, sent, w.texts.count(), "%s: no code is sent", name)
		wrong := p.post(asked.path, url.Values{"code": {"000000"}, "token": {asked.token(t)}})
		require.Contains(t, wrong.body, "验证码不正确或已失效", name)
		require.Regexp(t, `^/bind/`, wrong.path)
	}
	p := w.phone("right")
	asked := p.claim(string(patient.Name), string(patient.IDNumber))
	w.advance()
	code := w.texts.code(t, patient.Phone)
	for range 5 {
		wrong := p.post(asked.path, url.Values{"code": {"99" + code}, "token": {asked.token(t)}})
		require.Contains(t, wrong.body, "验证码不正确或已失效")
	}
	late := p.post(asked.path, url.Values{"code": {code}, "token": {asked.token(t)}})
	require.Contains(t, late.body, "验证码不正确或已失效", "after five tries the right code serves no more")
}

// objects are the routes that name something of a patient's or a user's, and how
// the owner's is named. What the other routes name is everybody's.
func (p *phone) objects(a booking.Appointment, bill hospital.Key, ref string) map[string]string {
	p.Helper()
	message := strings.TrimPrefix(messagePath.FindString(p.get("/messages").body), "/messages/")
	require.NotEmpty(p, message)
	all := map[string]string{}
	for name, paths := range map[string][]string{
		a.ID:                         {"/appointments/{id}", "/appointments/{id}/cancel"},
		string(a.ChargeKey()):        {"/orders/{order}/pay", "/orders/{order}/prepay", "/orders/{order}/result", "/orders/{order}/state"},
		p.handle():                   {"/patients/{id}", "/patients/{id}/use", "/patients/{id}/unbind"},
		url.PathEscape(string(bill)): {"/bills/{id}", "/bills/{id}/pay"},
		ref:                          {"/bind/{ref}", "/bind/{ref}/send", "/bind/{ref}/new"},
		message:                      {"/messages/{id}"},
	} {
		for _, path := range paths {
			all[path] = name
		}
	}
	return all
}

// TestAStrangersObjectIsAbsent walks the route table: what is another's and what
// does not exist answer alike, in status and bytes, and so does what a user held
// once. A route that names something and is not known here fails.
func TestAStrangersObjectIsAbsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	owner, stranger, patient := w.phone("owner"), w.phone("stranger"), w.adult(0)
	owner.bind(patient)
	stranger.bind(w.adult(2))
	s, slot := w.clinic(2, 5)
	owner.book(s, slot, "key")
	w.advance()
	bill, err := w.hospital.AddBill(histest.NewBill{Patient: patient.ID, Items: []his.BillItem{{Code: "1", Name: "血常规", Unit: "次", Quantity: "1", Amount: 2000}}})
	require.NoError(t, err)
	ref := strings.TrimPrefix(owner.claim(string(w.adult(4).Name), string(w.adult(4).IDNumber)).path, "/bind/")
	objects := owner.objects(w.appointments(patient.ID)[0], hospital.Key(bill.ID), ref)
	everybodys := []string{"/departments/{id}", "/doctors/{id}", "/schedules/{id}", "/schedules/{id}/{slot}", "/triage/{part}"}
	none := stranger.get("/appointments/none")
	require.Equal(t, http.StatusNotFound, none.status)
	token := stranger.get("/me").token(t)
	walked := 0
	for _, r := range refserver.Routes() {
		if !wildcard.MatchString(r.Path) || slices.Contains(everybodys, r.Path) {
			continue
		}
		walked++
		name, known := objects[r.Path]
		require.True(t, known, "whose is %s?", r.Path)
		for _, named := range []string{name, "none"} {
			w.later(5 * time.Second)
			path := wildcard.ReplaceAllString(r.Path, named)
			seen := screen{}
			if r.Method == http.MethodGet {
				seen = stranger.get(path)
			} else {
				seen = stranger.post(path, url.Values{"token": {token}})
			}
			require.Equal(t, none.status, seen.status, "%s %s", r.Method, path)
			require.Equal(t, none.body, seen.body, "%s %s", r.Method, path)
		}
		if r.Method == http.MethodGet {
			require.Equal(t, http.StatusOK, owner.get(wildcard.ReplaceAllString(r.Path, name)).status, r.Path)
		}
	}
	require.Equal(t, len(objects)+4, walked, "four of them are a page and a form")
	// who has let the patient go sees no more than a stranger
	handle := objects["/patients/{id}"]
	ask := owner.get("/patients/" + handle + "/unbind")
	owner.post("/patients/"+handle+"/unbind", url.Values{"token": {ask.token(t)}})
	for path, name := range objects {
		if strings.HasPrefix(path, "/bind/") || !slices.ContainsFunc(refserver.Routes(), func(r refserver.Route) bool {
			return r.Method == http.MethodGet && r.Path == path
		}) {
			continue
		}
		w.later(5 * time.Second)
		seen := owner.get(wildcard.ReplaceAllString(path, name))
		require.Equal(t, none.status, seen.status, path)
		require.Equal(t, none.body, seen.body, path)
	}
}

// TestAFormNeedsItsToken: without it, or from another site, nothing happens.
func TestAFormNeedsItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p, other := w.phone("one"), w.phone("other")
	p.bind(w.adult(0))
	token := other.get("/me").token(t)
	path := "/patients/" + p.handle() + "/unbind"
	require.Equal(t, http.StatusForbidden, p.post(path, nil).status)
	require.Equal(t, http.StatusForbidden, p.post(path, url.Values{"token": {token}}).status, "the token of another session")
	answer := p.send(http.MethodPost, w.site+path, url.Values{"token": {p.get("/me").token(t)}}, "Sec-Fetch-Site", "cross-site") //nolint:bodyclose // read closes it
	read(t, answer)
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	require.NotEmpty(t, p.handle(), "still bound")
}

// TestAnEndedSessionLogsInAgain: after half an hour of nothing the cookie is
// worth nothing, and WeChat says again who it is.
func TestAnEndedSessionLogsInAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("one")
	require.Equal(t, http.StatusOK, p.get("/me").status)
	w.wall.Pass(31 * time.Minute)
	answer := p.send(http.MethodGet, w.site+"/me", nil) //nolint:bodyclose // read closes it
	read(t, answer)
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.Contains(t, answer.Header.Get("Location"), "/login?return=")
}
