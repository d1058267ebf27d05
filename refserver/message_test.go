package refserver_test

import (
	"net/http"
	"net/url"
	"regexp"
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
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

var scenes = []string{
	"appt.booked", "appt.pay_due", "appt.paid", "appt.cancelled", "appt.refunded", "appt.stopped", "appt.no_show", "lock.locked", "lock.unlocked",
	"appt.reminder_d1", "appt.reminder_h2", "bill.created", "bill.paid", "bill.refunded", "patient.info_updated", "patient.bound", "patient.taken_over",
}

func templateOf(scene string) string {
	return "tpl-" + strings.ReplaceAll(scene, ".", "-") + strings.Repeat("0", 39-len(scene))
}

// noticeTemplates are the templates that the account has: a title that names the scene.
func noticeTemplates() (all []wechattest.Template) {
	for _, scene := range scenes {
		all = append(all, wechattest.Template{ID: templateOf(scene), Title: scene, Content: "就诊人:{{thing1.DATA}}\n提示:{{thing2.DATA}}"})
	}
	return all
}

// notices says how the server fills them.
func notices() map[string]refserver.NoticeTemplate {
	all := map[string]refserver.NoticeTemplate{}
	for _, scene := range scenes {
		all[scene] = refserver.NoticeTemplate{ID: templateOf(scene), Fields: map[string]string{"thing1": "patient", "thing2": "note"}}
	}
	return all
}

var messageLink = regexp.MustCompile(`/messages/m[0-9A-Za-z-]+`)

// cards are the scenes that the phone was told of, in the order of their names.
func (p *phone) cards() []string {
	p.Helper()
	_, err := p.wechat.Advance(p.Context())
	require.NoError(p, err)
	var all []string
	for _, bubble := range p.follower.Chat() {
		for _, card := range bubble.Cards {
			all = append(all, card.Title)
		}
	}
	slices.Sort(all)
	return all
}

// told looks whether WeChat has delivered exactly these.
func (p *phone) told(want ...string) {
	p.Helper()
	slices.Sort(want)
	p.advance()
	p.later(2 * time.Second) // a notice reaches the phone after one
	require.Equal(p, want, p.cards())
}

// work lets everything happen that is due within d, in steps.
func (w *world) work(d, step time.Duration) {
	w.Helper()
	for ; d > 0; d -= step {
		w.later(min(step, d))
		w.advance()
	}
}

// bookAt books the patient's next number between two days from today.
func (p *phone) bookAt(from, to int, key string) (hospital.Schedule, booking.Appointment) {
	p.Helper()
	s, slot := p.clinic(from, to)
	page := p.book(s, slot, key)
	require.Equal(p, http.StatusOK, page.status, page.body)
	for _, r := range p.hospital.Everyone() {
		for _, a := range p.appointments(r.Patient) {
			if a.Schedule == s.ID && a.State.Live() {
				return s, a
			}
		}
	}
	p.Fatal("not booked")
	return s, booking.Appointment{}
}

func TestEveryStepIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "/hospital", 1)
	p, patient := w.phone("素心"), w.adult(0)
	p.bind(patient)
	want := []string{"patient.bound"}
	p.told(want...)

	_, a := p.bookAt(2, 5, "one")
	p.payOrder("/orders/" + string(a.ChargeKey()) + "/pay")
	want = append(want, "appt.booked", "appt.paid")
	p.told(want...)
	path := "/appointments/" + a.ID
	p.post(path+"/cancel", url.Values{"token": {p.get(path + "/cancel").token(t)}})
	w.work(6*time.Minute, 2*time.Minute)
	want = append(want, "appt.cancelled", "appt.refunded")
	p.told(want...)

	stopped, _ := p.bookAt(3, 5, "two")
	_, err := w.hospital.Suspend(stopped.ID, "医生外出", "")
	require.NoError(t, err)
	w.work(6*time.Minute, time.Minute)
	want = append(want, "appt.booked", "appt.stopped")
	p.told(want...)

	_, err = w.hospital.AddBill(histest.NewBill{Patient: patient.ID, Items: []his.BillItem{{Name: "汤药", Quantity: "7", Unit: "剂", Amount: 7000}}})
	require.NoError(t, err)
	w.work(2*time.Minute, time.Minute)
	want = append(want, "bill.created")
	p.told(want...)
	bills, err := w.hospital.Bills(t.Context(), patient.ID)
	require.NoError(t, err)
	bill := "/bills/" + url.PathEscape(string(bills[0].ID))
	form := p.get(bill)
	sheet := p.post(bill+"/pay", url.Values{"version": {bills[0].Quote}, "token": {form.token(t)}})
	p.payOrder(strings.TrimPrefix(sheet.path, w.prefix()))
	want = append(want, "bill.paid")
	p.told(want...)

	again, err := w.hospital.AddBill(histest.NewBill{Patient: patient.ID, Items: []his.BillItem{{Name: "化验", Quantity: "1", Unit: "项", Amount: 2000}}})
	require.NoError(t, err)
	w.work(2*time.Minute, time.Minute)
	bill = "/bills/" + url.PathEscape(string(again.ID))
	sheet = p.post(bill+"/pay", url.Values{"version": {again.Quote}, "token": {p.get(bill).token(t)}})
	_, err = w.hospital.Settle(t.Context(), his.SettleRequest{
		Key: "window-1", Bill: again.ID, Patient: patient.ID, Quote: again.Quote, Amount: again.Amount, Receipt: "window-1", Opaque: again.Opaque,
	})
	require.NoError(t, err, "somebody pays at the window meanwhile")
	p.payOrder(strings.TrimPrefix(sheet.path, w.prefix()))
	w.work(6*time.Minute, 2*time.Minute)
	want = append(want, "bill.created", "bill.refunded")
	p.told(want...)

	today := w.phone("same day")
	today.bind(w.adult(2))
	s, slot := w.clinic(0, 0)
	held := today.book(s, slot, "today")
	require.Regexp(t, `/orders/.*/pay$`, held.path, held.body)
	today.payOrder(strings.TrimPrefix(held.path, w.prefix()))
	today.told("patient.bound", "appt.pay_due", "appt.booked")

	require.NoError(t, w.hospital.BindCard(t.Context(), his.CardRequest{Key: "card-1", Patient: patient.ID, CardNo: "C-900001"}))
	w.work(2*time.Minute, time.Minute)
	want = append(want, "patient.info_updated")
	p.told(want...)

	full := p.get("/messages")
	require.Equal(t, http.StatusOK, full.status)
	for _, words := range []string{"预约成功", "挂号费已退回", "停诊通知", "新的待缴账单", "患者信息更新", "未读"} {
		require.Contains(t, full.body, words)
	}
	require.NotContains(t, full.body, string(patient.Name), "a message names nobody in full")

	q := w.phone("another")
	q.bind(patient)
	w.work(2*time.Minute, time.Minute)
	want = append(want, "patient.taken_over")
	p.told(want...)
	q.told("patient.bound")

	inbox := p.get("/messages")
	require.Contains(t, inbox.body, "就诊人已转出")
	require.NotContains(t, inbox.body, "预约成功", "what was told of a patient is gone with the patient")
	p.post("/messages/read", url.Values{"token": {inbox.token(t)}})
	require.NotContains(t, p.get("/messages").body, "未读")
}

func TestWhoDoesNotComeIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p, patient := w.phone("守田"), w.adult(1)
	p.bind(patient)
	want := []string{"patient.bound"}
	for _, key := range []string{"one", "two", "three"} {
		_, a := p.bookAt(1, 1, key)
		w.work(a.End.Add(26*time.Hour).Sub(w.clock.Now()), 30*time.Minute)
		want = append(want, "appt.booked", "appt.reminder_d1", "appt.reminder_h2", "appt.no_show")
	}
	want = append(want, "lock.locked")
	p.told(want...)
	require.NoError(t, w.servers[0].Desk().Unlock(t.Context(), hospital.Actor{Kind: hospital.ActorStaff, ID: "7", Entry: "desk"}, patient.ID, "已电话核实"))
	w.work(time.Minute, time.Minute)
	p.told(append(want, "lock.unlocked")...)
}

func TestWhatWeChatDoesNotTakeStaffSeeAndItArrivesLater(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  wechattest.FaultKind
		engine sqldb.Engine
		n      int
	}{"dead": {wechattest.Dead, sqldb.SQLite, 1}, "busy": {wechattest.Busy, sqldb.PostgreSQL, 2}, "broken": {wechattest.ServerError, sqldb.PostgreSQL, 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.engine, "", c.n)
			p, patient := w.phone("素心"), w.adult(0)
			p.bind(patient)
			p.told("patient.bound")
			require.NoError(t, w.wechat.Break(wechattest.Fault{Kind: c.fault, Path: "/cgi-bin/message/template/send"}))
			_, a := p.bookAt(2, 5, "one")
			p.payOrder("/orders/" + string(a.ChargeKey()) + "/pay")
			p.told("patient.bound")
			seen, err := w.servers[0].Undelivered(t.Context())
			require.NoError(t, err)
			require.ElementsMatch(t, []string{"appt.booked waiting", "appt.paid waiting"}, seen)
			w.wechat.Mend()
			w.work(5*time.Minute, time.Minute)
			p.told("patient.bound", "appt.booked", "appt.paid")
			seen, err = w.servers[0].Undelivered(t.Context())
			require.NoError(t, err)
			require.Empty(t, seen)
		})
	}
}

func TestSomebodyElsesMessageIsAbsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	owner, stranger, patient := w.phone("owner"), w.phone("stranger"), w.adult(0)
	owner.bind(patient)
	owner.told("patient.bound")
	message := messageLink.FindString(owner.get("/messages").body)
	require.NotEmpty(t, message)
	none := stranger.get("/messages/none")
	require.Equal(t, http.StatusNotFound, none.status)
	require.Equal(t, none, func() screen { s := stranger.get(message); s.path = none.path; return s }())
	require.Contains(t, owner.get("/messages").body, "未读")
	require.Equal(t, "/patients", owner.get(message).path)
	require.NotContains(t, owner.get("/messages").body, "未读", "who follows a message has read it")
}
