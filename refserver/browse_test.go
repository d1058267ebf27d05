package refserver_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/refserver/internal/browsertest"
)

// look is one page as somebody sees it.
type look struct {
	name  string
	who   *phone // nil: nobody is logged in
	path  string // below the site
	title string // what the page is called, "" when any will do
	then  string // a script that leaves the page for the one that is looked at

	before func() string // makes the page what it is, and says where it is if path does not
	after  func()
}

// town is a running hospital with people in every situation.
type town struct {
	*world

	closed                         atomic.Bool // for maintenance
	owner, fresh, late, unfollowed *phone
	patient                        hospital.Patient
	held                           map[string]string // appointments by their state
	bill                           string
	ref                            string // of a binding that waits for its code
	handle, expert                 string
	schedule                       hospital.Schedule
	slot                           hospital.Slot
}

func newTown(t *testing.T) *town {
	t.Helper()
	c := &town{held: map[string]string{}}
	c.world = newWorld(t, sqldb.SQLite, "", 1, func(config *refserver.Config) {
		config.WeChatOnly, config.MustFollow = true, true
		config.Maintenance = func(now time.Time) (time.Time, bool) { return now.Add(time.Hour), c.closed.Load() }
	})
	c.owner, c.fresh, c.late, c.unfollowed = c.phone("owner"), c.phone("fresh"), c.phone("late"), c.phone("unfollowed")
	require.NoError(t, c.unfollowed.follower.Unfollow(t.Context()))
	c.missThree()
	c.visits()
	for _, p := range []*phone{c.owner, c.fresh, c.late, c.unfollowed} { // some of it took longer than a session rests
		require.Equal(t, http.StatusOK, p.get("/me").status)
	}
	c.ref = strings.TrimPrefix(c.fresh.claim(string(c.adult(3).Name), string(c.adult(3).IDNumber)).path, "/bind/")
	return c
}

// missThree lets a patient miss three visits, so that booking is paused.
func (c *town) missThree() {
	c.Helper()
	patient := c.adult(1)
	c.late.bind(patient)
	for i, s := range c.clinics(1, 3, 3) {
		c.later(time.Minute)
		require.Contains(c, c.late.book(s.Schedule, s.slot, fmt.Sprint("late", i)).body, "就诊凭证")
	}
	c.clock.Pass(monday.Sub(c.clock.Now()))
	for range 4 {
		c.advance()
		c.clock.Pass(time.Minute)
	}
	for _, a := range c.appointments(patient.ID) {
		require.Equal(c, booking.NoShow, a.State)
	}
}

// monday is the morning on which the people of the town come.
var monday = time.Date(2026, 11, 30, 8, 15, 0, 0, hospital.CST)

type offered struct {
	hospital.Schedule

	slot hospital.Slot
}

// clinics finds n clinics with free numbers in different departments.
func (w *world) clinics(from, to, n int) (all []offered) {
	w.Helper()
	today := hospital.DateOf(w.clock.Now())
	schedules, err := w.hospital.Schedules(w.Context(), his.ScheduleQuery{From: today.AddDays(from), To: today.AddDays(to)})
	require.NoError(w, err)
	for _, s := range schedules {
		if len(all) == n {
			break
		}
		taken := slices.ContainsFunc(all, func(o offered) bool { return o.Department == s.Department || o.Date == s.Date && from != to })
		if taken || s.Suspended || s.Left == 0 || s.Session != hospital.Afternoon {
			continue
		}
		slots, err := w.hospital.Slots(w.Context(), s.ID)
		require.NoError(w, err)
		for _, slot := range slots {
			if slot.Left != 0 {
				all = append(all, offered{s, slot})
				break
			}
		}
	}
	require.Len(w, all, n)
	return all
}

// visits makes an appointment in every state that a patient can bring about.
func (c *town) visits() {
	c.Helper()
	c.patient = c.adult(0)
	c.owner.bind(c.patient)
	c.owner.bind(c.adult(2))
	c.handle = c.owner.handle()
	book := func(state string, o offered) booking.Appointment {
		c.later(time.Minute)
		shown := c.owner.book(o.Schedule, o.slot, state)
		require.Equal(c, http.StatusOK, shown.status, "%s: %s", state, shown.body)
		all := c.appointments(c.patient.ID)
		slices.SortFunc(all, func(a, b booking.Appointment) int { return a.CreatedAt.Compare(b.CreatedAt) })
		a := all[len(all)-1]
		require.Equal(c, o.ID, a.Schedule, "%s: %s", state, shown.body)
		c.held[state] = a.ID
		return a
	}
	cancel := func(id string) {
		ask := c.owner.get("/appointments/" + id + "/cancel")
		c.owner.post("/appointments/"+id+"/cancel", url.Values{"token": {ask.token(c)}})
	}
	ahead := c.clinics(1, 7, 6)
	book("booked", ahead[0])
	a := book("paid", ahead[1])
	c.owner.payOrder("/orders/" + string(a.ChargeKey()) + "/pay")
	a = book("refunded", ahead[2])
	c.owner.payOrder("/orders/" + string(a.ChargeKey()) + "/pay")
	cancel(a.ID)
	cancel(book("cancelled", ahead[3]).ID)
	stopped := book("stopped", ahead[4])
	_, err := c.hospital.Suspend(stopped.Schedule, "医生外出", "")
	require.NoError(c, err)
	c.schedule, c.slot = ahead[5].Schedule, ahead[5].slot
	for range 4 {
		c.later(2 * time.Minute)
		c.advance()
	}
	today := c.clinics(0, 0, 2)
	book("expired", today[0])
	c.later(20 * time.Minute)
	c.advance()
	book("held", today[1])
	c.faults.Set(histest.OpHold, histest.Switch{Fault: histest.AnswerLost})
	c.faults.Set(histest.OpFind, histest.Switch{Fault: histest.RequestLost})
	book("holding", offered{c.schedule, c.slot})
	c.faults.ClearAll()
	bill, err := c.hospital.AddBill(histest.NewBill{Patient: c.patient.ID, Items: []his.BillItem{{Code: "1", Name: "血常规", Unit: "次", Quantity: "1", Amount: 2000}}})
	require.NoError(c, err)
	c.bill = string(bill.ID)
	doctors, err := c.hospital.Doctors(c.Context(), c.schedule.Department)
	require.NoError(c, err)
	c.expert = string(doctors[0].ID)
}

func (c *town) order(state string) string {
	c.Helper()
	a, err := c.bookings.Find(c.Context(), c.held[state])
	require.NoError(c, err)
	return "/orders/" + string(a.ChargeKey())
}

// message is the newest message of the owner.
func (c *town) message() string {
	c.Helper()
	list := c.owner.get("/messages")
	found := messagePath.FindString(list.body)
	require.NotEmpty(c, found, list.body)
	return found
}

// looks are what there is to see by route. The data that scripts ask for and
// what only leads on has no look of its own.
func (c *town) looks() map[string][]look {
	c.Helper()
	owner, schedule := c.owner, "/schedules/"+url.PathEscape(string(c.schedule.ID))
	part, advised := c.advised()
	of := func(path string, title string, states ...string) (all []look) {
		for _, state := range states {
			require.NotEmpty(c, c.held[state], state)
			all = append(all, look{name: title + " " + state, who: owner, path: fmt.Sprintf(path, c.held[state]), title: title})
		}
		return all
	}
	pays := func(path, title string, states ...string) (all []look) {
		for _, state := range states {
			all = append(all, look{name: title + " " + state, who: owner, path: c.order(state) + path, title: title})
		}
		return all
	}
	return map[string][]look{
		"/{$}": {
			{name: "home of nobody", path: "/"}, {name: "home without a patient", who: c.fresh, path: "/"}, {name: "home", who: owner, path: "/"},
		},
		"/login":            {{name: "outside of WeChat", path: "/login", title: "请在微信中打开"}},
		"/oauth/callback":   c.callbacks(),
		"/triage":           {{name: "triage", path: "/triage"}},
		"/triage/{part}":    {{name: "triage part", path: part}, {name: "triage part of a child", path: strings.Replace(part, "age=adult", "age=child", 1)}},
		"/triage/result":    {{name: "triage result", path: advised, title: "推荐科室"}, {name: "nothing ticked", path: "/triage/result"}},
		"/triage/emergency": {{name: "emergency", path: "/triage/emergency", title: "请立即就医"}},
		"/book":             {{name: "book, reloaded", path: "/book", title: "选择科室"}},
		"/departments":      {{name: "departments", path: "/departments", title: "选择科室"}, {name: "departments found", path: "/departments?q=pwb"}, {name: "departments today", who: owner, path: "/departments?day=today", title: "当日挂号"}},
		"/departments/{id}": {{name: "department", path: "/departments/" + string(c.schedule.Department)}},
		"/doctors":          {{name: "doctors", path: "/doctors"}, {name: "doctors of a department", who: owner, path: "/doctors?department=" + string(c.schedule.Department)}},
		"/doctors/{id}":     {{name: "doctor", path: "/doctors/" + c.expert}},
		"/schedules/{id}":   {{name: "clinic", who: owner, path: schedule, title: "选择时段"}, {name: "clinic gone", who: owner, path: schedule + "?gone=1", title: "选择时段"}},
		"/schedules/{id}/{slot}": {
			{name: "confirm", who: owner, path: schedule + "/" + url.PathEscape(string(c.slot.ID)), title: "确认挂号"},
			{name: "no patient", who: c.fresh, path: schedule + "/" + url.PathEscape(string(c.slot.ID)), title: "请先添加就诊人"},
			{name: "paused", who: c.late, path: schedule + "/" + url.PathEscape(string(c.slot.ID)), title: "线上挂号已暂停"},
		},
		"/orders/{order}/pay":       pays("/pay", "支付", "booked", "held"),
		"/orders/{order}/result":    pays("/result", "支付结果", "booked", "paid", "refunded", "expired"),
		"/orders/{order}/state":     nil,
		"/appointments":             {{name: "appointments", who: owner, path: "/appointments"}, {name: "appointments past", who: owner, path: "/appointments?tab=past"}, {name: "no appointments", who: c.late, path: "/appointments"}},
		"/appointments/{id}":        of("/appointments/%s", "挂号详情", "booked", "paid", "refunded", "cancelled", "stopped", "expired", "held", "holding"),
		"/appointments/{id}/cancel": of("/appointments/%s/cancel", "取消挂号", "booked", "paid"),
		"/patients":                 {{name: "patients", who: owner, path: "/patients"}, {name: "no patients", who: c.fresh, path: "/patients"}, {name: "patients paused", who: c.late, path: "/patients"}},
		"/patients/{id}":            {{name: "patient", who: owner, path: "/patients/" + c.handle}, {name: "a stranger's patient", who: c.late, path: "/patients/" + c.handle, title: "没有找到这个页面"}},
		"/patients/{id}/unbind":     {{name: "unbind", who: owner, path: "/patients/" + c.handle + "/unbind"}},
		"/bind": {
			{name: "bind", who: owner, path: "/bind", title: "添加就诊人"},
			{name: "bind with errors", who: owner, path: "/bind", title: "添加就诊人", then: `document.querySelector('main form[method=post]').submit()`},
			{name: "bind with an old form", who: owner, path: "/bind", title: "页面已过期", then: `{const f = document.querySelector('main form[method=post]'); f.token.value = 'x'; f.submit()}`},
			{name: "not following", who: c.unfollowed, path: "/bind", title: "请先关注公众号"},
		},
		"/bind/{ref}":     {{name: "code", who: c.fresh, path: "/bind/" + c.ref, title: "验证身份"}, {name: "code of the desk", who: c.fresh, path: "/bind/" + c.ref + "?way=desk", title: "验证身份"}},
		"/bind/{ref}/new": {{name: "new file", who: c.fresh, path: "/bind/" + c.ref + "/new"}},
		"/bills": {
			{name: "bills", who: owner, path: "/bills"},
			{name: "no bills", who: c.late, path: "/bills"},
			{
				name: "the HIS is away", who: owner, path: "/bills", title: "医院系统暂时不可用", after: c.faults.ClearAll,
				before: func() string { c.faults.Set(histest.OpBills, histest.Switch{Fault: histest.Dead}); return "" },
			},
		},
		"/bills/{id}":    {{name: "bill", who: owner, path: "/bills/" + url.PathEscape(c.bill)}},
		"/messages":      {{name: "messages", who: owner, path: "/messages"}, {name: "no messages", who: c.fresh, path: "/messages"}},
		"/messages/{id}": {{name: "message", who: owner, path: c.message()}},
		"/me":            {{name: "settings", who: owner, path: "/me"}, {name: "settings of nobody bound", who: c.fresh, path: "/me"}},
		"/help": {
			{name: "help", path: "/help"},
			{name: "too fast", who: c.fresh, path: "/help", title: "操作太快了", before: c.hurry, after: func() { c.later(10 * time.Second) }},
			{
				name: "maintenance", path: "/help", title: "系统维护中", after: func() { c.closed.Store(false) },
				before: func() string { c.closed.Store(true); return "" },
			},
		},
		"/policy":  {{name: "policy", path: "/policy"}},
		"/nothing": {{name: "nothing there", who: owner, path: "/nothing", title: "没有找到这个页面"}},
	}
}

// advised are the pages of the triage for a stomach that aches.
func (c *town) advised() (part, result string) {
	c.Helper()
	t := c.fresh.tab()
	t.ask(http.MethodGet, c.site+"/triage", nil)
	t.press("上腹部")
	part = t.url.RequestURI()
	t.tick("上腹痛")
	t.press("看看挂哪个科")
	return part, t.url.RequestURI()
}

// hurry spends what a session may ask.
func (c *town) hurry() string {
	c.Helper()
	for range 80 {
		r, err := http.NewRequestWithContext(c.Context(), http.MethodGet, c.site+"/help", http.NoBody)
		require.NoError(c, err)
		answer, err := c.fresh.browser.Do(r) //nolint:bodyclose // read closes it
		require.NoError(c, err)
		read(c, answer)
	}
	return ""
}

// callbacks are logins that do not succeed.
func (c *town) callbacks() []look {
	visitor := c.phone("visitor")
	return []look{
		{name: "login expired", path: "/oauth/callback?code=1&state=2", title: "登录已过期"},
		{
			name: "a snapshot page", who: visitor, title: "请使用完整服务", after: func() { require.NoError(c, c.wechat.Snapshot(false)) },
			before: func() string {
				require.NoError(c, c.wechat.Snapshot(true))
				answer := visitor.send(http.MethodGet, c.site+"/login", nil) //nolint:bodyclose // read closes it
				read(c, answer)
				back, err := visitor.follower.Authorize(answer.Header.Get("Location"), true)
				require.NoError(c, err)
				return strings.TrimPrefix(back, c.site)
			},
		},
	}
}

// TestEveryRouteInABrowser looks at every GET route of the table on a running
// server, in Chromium, with people in every situation, and at the global states.
// A route that it does not know fails it.
func TestEveryRouteInABrowser(t *testing.T) {
	t.Parallel()
	browser := browsertest.Open(t)
	c := newTown(t)
	known := c.looks()
	var all []look
	for _, r := range refserver.Routes() {
		looks, ok := known[r.Path]
		if r.Method == http.MethodGet {
			require.True(t, ok, "nobody has looked at GET %s", r.Path)
			all = append(all, looks...)
		}
	}
	all = append(all, known["/nothing"]...)
	for _, mode := range browsertest.Modes() { //nolint:paralleltest // the people of the town do one thing at a time
		t.Run(mode.Name, func(t *testing.T) {
			tab := browser.Tab(t, mode)
			for i, l := range all {
				if browsertest.Looks(i) {
					c.take(t, tab, mode, l)
				}
			}
		})
	}
}

// take looks at one page.
func (c *town) take(t *testing.T, tab *browsertest.Tab, mode browsertest.Mode, l look) {
	t.Helper()
	c.later(300 * time.Millisecond)
	path := l.path
	if l.before != nil {
		if at := l.before(); at != "" {
			path = at
		}
	}
	var cookies []*http.Cookie
	if l.who != nil {
		site, err := url.Parse(c.site)
		require.NoError(t, err)
		cookies = l.who.browser.Jar.Cookies(site)
	}
	if mode.Care {
		cookies = append(cookies, &http.Cookie{Name: "care", Value: "1"})
	}
	tab.Cookies(t, c.site, cookies)
	var then []string
	if l.then != "" {
		then = []string{l.then}
	}
	title := tab.Judge(t, l.name, c.site+path, then...)
	if l.after != nil {
		l.after()
	}
	if !strings.HasPrefix(title, l.title) {
		t.Errorf("%s: the page is called %q, want %q", l.name, title, l.title)
	}
}
