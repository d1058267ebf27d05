package staff_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymentsql"
	"github.com/wxhospital/hospital/payment/paymenttest"
	"github.com/wxhospital/hospital/refserver/internal/guide"
	"github.com/wxhospital/hospital/refserver/internal/leaktest"
	"github.com/wxhospital/hospital/refserver/internal/staff"
)

// grants is what refserver's grants do about staff.
type grants struct {
	store    *staff.Store
	bookings *bookingsql.Store
	now      func() time.Time
	broken   bool
}

func (g *grants) Granted(ctx context.Context, actor hospital.Actor, _ hospital.PatientID) (time.Time, error) {
	return g.store.Granted(ctx, actor, g.now())
}

func (g *grants) Record(ctx context.Context, entry hospital.AuditEntry) error {
	if g.broken {
		return &hospital.Error{Kind: hospital.Unavailable, Code: "disk"}
	}
	return g.bookings.Record(ctx, entry)
}

// codes stands for refserver's desk codes.
type codes struct{ bookings *bookingsql.Store }

func (c codes) Make(ctx context.Context, _ hospital.PatientID, audit hospital.AuditEntry) (string, time.Time, error) {
	return "482913", audit.At.Add(10 * time.Minute), c.bookings.Record(ctx, audit)
}

// mailbox stands for refserver's messages.
type mailbox struct {
	bookings *bookingsql.Store
	failed   []staff.Message
}

func (m *mailbox) Failed(context.Context, int) ([]staff.Message, error) { return m.failed, nil }

func (m *mailbox) Repeat(ctx context.Context, id string, audit hospital.AuditEntry) error {
	for i, message := range m.failed {
		if message.ID == id {
			m.failed = append(m.failed[:i:i], m.failed[i+1:]...)
			return m.bookings.Record(ctx, audit)
		}
	}
	return &hospital.Error{Kind: hospital.NotFound, Code: "not_found"}
}

// world is a hospital with its real stores, desk and cashier, and the staff's
// desk on a listener.
type world struct {
	*testing.T

	clock    *testclock.Clock
	db       *sqldb.DB
	hospital *histest.Hospital
	line     *histest.Line
	till     *paymenttest.Till
	bookings *bookingsql.Store
	booking  *booking.Desk
	cashier  *payment.Cashier
	grants   *grants
	mailbox  *mailbox
	guide    *guide.Desk
	desk     *staff.Desk
	server   *httptest.Server
	secrets  map[string]string // of second factors, by login
	watch    *leaktest.Watch   // of everything that the desk says
}

const password = "TESTING KEY correct horse"

func newWorld(t *testing.T, open sqltest.Open) *world {
	t.Helper()
	w := &world{T: t, clock: testclock.At(time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)), secrets: map[string]string{}, watch: &leaktest.Watch{}}
	t.Cleanup(func() { w.watch.Report(t) }) // the last: everything has been said
	ctx := t.Context()
	w.db = open(func(c *sqldb.Config) { c.Clock = w.clock.Now })
	var err error
	w.hospital, err = histest.NewHospital(histest.Config{Now: w.clock.Now})
	require.NoError(t, err)
	w.line = histest.NewLine(w.hospital.System())
	w.till = paymenttest.NewTill("till", w.clock.Now, func(n payment.Notice) {
		require.NoError(t, w.cashier.Notify(context.WithoutCancel(ctx), n))
	})
	w.bookings, err = bookingsql.New(ctx, w.db)
	require.NoError(t, err)
	orders, err := paymentsql.New(ctx, w.db)
	require.NoError(t, err)
	system := w.line.System()
	w.booking, err = booking.New(booking.Config{
		Store: w.bookings, Slots: system.Registrar, Stops: system.Scheduling, Now: w.clock.Now, Wall: w.clock.Now, Workers: 1,
		Assurances: booking.Assurances{Hold: system.Assurances.Hold, Confirm: system.Assurances.Confirm, Cancel: system.Assurances.Cancel},
	})
	require.NoError(t, err)
	w.cashier, err = payment.New(payment.Config{
		Store: orders, Channels: map[string]payment.Channel{"till": w.till},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForRegistration: w.booking},
		Now:        w.clock.Now, Wall: w.clock.Now, Workers: 1,
	})
	require.NoError(t, err)
	require.NoError(t, w.booking.PayWith(w.cashier))
	body, err := booking.Preset("wuxi2018")
	require.NoError(t, err)
	version, err := booking.NewPolicyVersion(body, "preset", w.clock.Now())
	require.NoError(t, err)
	require.NoError(t, w.booking.Publish(ctx, hospital.System("setup"), version))

	store, err := staff.NewStore(ctx, staff.StoreConfig{DB: w.db, Wall: w.clock.Now})
	require.NoError(t, err)
	jobs, err := sqldb.NewJobs(sqldb.JobsConfig{DB: w.db})
	require.NoError(t, err)
	w.grants = &grants{store: store, bookings: w.bookings, now: w.clock.Now}
	w.mailbox = &mailbox{bookings: w.bookings, failed: []staff.Message{{ID: "m1", Scene: "appt.booked", Channel: "wechat", Failure: "rejected 43004", Tries: 1}}}
	w.guide, err = guide.New(ctx, guide.Config{DB: w.db, House: w.hospital.Departments, Now: w.clock.Now, Wall: w.clock.Now, Logger: w.watch.Logger()})
	require.NoError(t, err)
	w.desk, err = staff.New(staff.Config{
		Hospital: "示例中医院", Store: store, Gate: hospital.NewGate(w.grants, w.clock.Now), Booking: w.booking, Bookings: w.bookings,
		Cashier: w.cashier, Jobs: jobs, Schedules: w.hospital, Messages: w.mailbox, Codes: codes{w.bookings}, Guide: w.guide, PlainHTTP: true, Now: w.clock.Now,
		Logger: w.watch.Logger(),
	})
	require.NoError(t, err)
	w.watch.People(w.hospital.People())
	w.server = httptest.NewServer(w.watch.Handler(w.desk.Handler()))
	t.Cleanup(w.server.Close)
	return w
}

// page is an answer as a person sees it.
type page struct {
	*goquery.Document

	status int
	header http.Header
	at     string
	raw    string
}

func (p page) text() string { return strings.Join(strings.Fields(p.Find("main").Text()), " ") }

// browser is somebody at a screen.
type browser struct {
	*world

	client *http.Client
	last   page
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(w, err)
	return &browser{world: w, client: &http.Client{Jar: jar}}
}

func (b *browser) do(r *http.Request) page {
	b.Helper()
	answer, err := b.client.Do(r)
	require.NoError(b, err)
	defer func() { require.NoError(b, answer.Body.Close()) }()
	var raw strings.Builder
	document, err := goquery.NewDocumentFromReader(readInto(answer.Body, &raw))
	require.NoError(b, err)
	b.last = page{Document: document, status: answer.StatusCode, header: answer.Header, at: answer.Request.URL.RequestURI(), raw: raw.String()}
	return b.last
}

func (b *browser) get(path string) page {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.server.URL+path, nil)
	require.NoError(b, err)
	return b.do(r)
}

func (b *browser) post(path string, sent url.Values) page {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.server.URL+path, strings.NewReader(sent.Encode()))
	require.NoError(b, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// submit fills the form on the page whose address ends so, and sends it.
func (b *browser) submit(ends string, fill map[string]string) page {
	b.Helper()
	form := b.last.Find(`main form[action$="` + ends + `"][method="post"]`)
	require.Equal(b, 1, form.Length(), "one form to %s on %s:\n%s", ends, b.last.at, b.last.text())
	sent := url.Values{}
	form.Find("input, textarea, select").Each(func(_ int, s *goquery.Selection) {
		name, value := s.AttrOr("name", ""), s.AttrOr("value", "")
		switch {
		case s.Is("select"):
			value = s.Find("option[selected]").AttrOr("value", "")
		case s.Is("textarea"):
			value = s.Text()
		case s.Is("[type=checkbox]") && !s.Is("[checked]"), s.Is("[type=file]"):
			return
		}
		sent.Set(name, value)
	})
	for name, value := range fill {
		if value == "" {
			sent.Del(name)
			continue
		}
		sent.Set(name, value)
	}
	if form.AttrOr("enctype", "") != "multipart/form-data" {
		return b.post(form.AttrOr("action", ""), sent)
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for name, values := range sent {
		create := parts.CreateFormField
		if strings.HasSuffix(name, ".file") {
			create = func(name string) (io.Writer, error) { return parts.CreateFormFile(name, "本院.json") }
		}
		to, err := create(name)
		require.NoError(b, err)
		_, err = io.WriteString(to, values[0])
		require.NoError(b, err)
	}
	require.NoError(b, parts.Close())
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.server.URL+form.AttrOr("action", ""), &body)
	require.NoError(b, err)
	r.Header.Set("Content-Type", parts.FormDataContentType())
	return b.do(r)
}

// code is what the second factor of the login shows now.
func (w *world) code(login string) string {
	w.Helper()
	code, err := totp.GenerateCode(w.secrets[login], w.clock.Now())
	require.NoError(w, err)
	return code
}

// take opens a one-time link and sets password and second factor.
func (b *browser) take(link, login string, more map[string]string) page {
	b.Helper()
	page := b.get(link)
	require.Equal(b, http.StatusOK, page.status, page.text())
	page.Find("dl div").Each(func(_ int, s *goquery.Selection) {
		if s.Find("dt").Text() == "身份验证器密钥" {
			b.secrets[login] = s.Find("dd").Text()
		}
	})
	fill := map[string]string{"password": password, "again": password, "code": b.code(login)}
	maps.Copy(fill, more)
	return b.submit(link, fill)
}

// first makes the first account and logs in.
func (w *world) first() *browser {
	w.Helper()
	link, err := w.desk.FirstLink(w.Context())
	require.NoError(w, err)
	b := w.browser()
	require.Equal(w, "/staff/login", b.take(link, "zhao", map[string]string{"login": "zhao", "name": "赵主任"}).at)
	b.login("zhao")
	return b
}

// login logs in with a code that was not used before.
func (b *browser) login(login string) {
	b.Helper()
	b.clock.Pass(30 * time.Second)
	b.get("/staff/login")
	page := b.submit("/login", map[string]string{"login": login, "password": password, "code": b.code(login)})
	require.Equal(b, "/staff/", page.at, page.text())
}

// colleague is an account with the roles, logged in.
func (b *browser) colleague(login string, roles ...staff.Role) *browser {
	b.Helper()
	b.get("/staff/accounts/new")
	fill := map[string]string{"login": login, "name": "同事", "reason": "新同事入职"}
	for _, role := range roles {
		fill["role_"+string(role)] = "on"
	}
	page := b.submit("/accounts/new/create", fill)
	require.Equal(b, http.StatusOK, page.status, page.text())
	link := page.Find("output").Text()
	other := b.browser()
	require.Equal(b, "/staff/login", other.take(link, login, nil).at)
	other.login(login)
	return other
}

// wish is a number of the nth day from today.
func (w *world) wish(patient hospital.PatientID, payer hospital.Payer, days int) booking.Wish {
	w.Helper()
	day := hospital.DateOf(w.clock.Now()).AddDays(days)
	schedules, err := w.hospital.Schedules(w.Context(), his.ScheduleQuery{From: day, To: day})
	require.NoError(w, err)
	for _, s := range schedules {
		if s.Expert || s.Left == 0 {
			continue
		}
		slots, err := w.hospital.Slots(w.Context(), s.ID)
		require.NoError(w, err)
		return booking.Wish{Patient: patient, Payer: payer, Schedule: s, Slot: slots[0]}
	}
	require.FailNow(w, "no ordinary schedule on the day")
	return booking.Wish{}
}

var window = hospital.Actor{Kind: hospital.ActorStaff, ID: "seed", Entry: hospital.EntryWindow}

func (w *world) book(patient hospital.PatientID, payer hospital.Payer, days int) booking.Appointment {
	w.Helper()
	a, err := w.booking.Book(w.Context(), booking.BookRequest{Actor: window, Wish: w.wish(patient, payer, days)})
	require.NoError(w, err)
	return a
}

func (w *world) patient() hospital.PatientID { return w.hospital.People()[0].ID }

// rest lets time go by, so that workers do what is due.
func (w *world) rest(d time.Duration, steps int) {
	w.Helper()
	for range steps {
		w.clock.Pass(d)
		_, err := w.booking.Advance(w.Context())
		require.NoError(w, err)
		_, err = w.cashier.Advance(w.Context())
		require.NoError(w, err)
	}
}

func (w *world) find(id string) booking.Appointment {
	w.Helper()
	a, err := w.bookings.Find(w.Context(), id)
	require.NoError(w, err)
	return a
}

// trail is the audit trail as "actor action outcome", the newest first.
func (w *world) trail(query sqldb.AuditQuery) []string {
	w.Helper()
	rows, err := w.db.Trail(w.Context(), query)
	require.NoError(w, err)
	lines := []string{}
	for _, row := range rows {
		lines = append(lines, row.Entry.Actor.ID+" "+row.Entry.Action+" "+row.Entry.Outcome+" "+row.Entry.Purpose)
	}
	return lines
}
