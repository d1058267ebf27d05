package refserver_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/refserver"
)

var wildcard = regexp.MustCompile(`\{[a-z]+\}`)

var messagePath = regexp.MustCompile(`/messages/[^"/?]{8,}`)

// TestNobodyGetsInWithoutASession walks the route table without a session, with
// one that has ended and with one that was made up: each form and page that
// needs a session sends to the login and tells nothing.
func TestNobodyGetsInWithoutASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	ended := w.phone("ended")
	require.Equal(t, http.StatusOK, ended.get("/me").status)
	w.wall.Pass(time.Hour)
	made := w.phone("made up")
	site, err := url.Parse(w.site)
	require.NoError(t, err)
	made.browser.Jar.SetCookies(site, []*http.Cookie{{Name: "sid", Value: strings.Repeat("A", 43), Path: "/"}})
	for _, p := range []*phone{w.phone("none"), ended, made} {
		walked := 0
		for _, r := range refserver.Routes() {
			if r.Open {
				continue
			}
			walked++
			answer := p.send(r.Method, w.site+wildcard.ReplaceAllString(r.Path, "x"), url.Values{"token": {"x"}}) //nolint:bodyclose // read closes it
			body := read(t, answer)
			require.Equal(t, http.StatusSeeOther, answer.StatusCode, r.Method+" "+r.Path)
			require.True(t, strings.HasPrefix(answer.Header.Get("Location"), "/login?return="), r.Path)
			require.NotContains(t, body, p.follower.OpenID())
		}
		require.Greater(t, walked, 20)
	}
}

// TestEveryAnswerIsGuarded looks at the headers of a page, an absent one and a
// refused form.
func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("one")
	for _, path := range []string{"/", "/me", "/nothing"} {
		answer := p.send(http.MethodGet, w.site+path, nil) //nolint:bodyclose // read closes it
		read(t, answer)
		require.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'self'", path)
		require.NotContains(t, answer.Header.Get("Content-Security-Policy"), "unsafe-inline")
		require.Equal(t, "private, no-store", answer.Header.Get("Cache-Control"), path)
		require.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"), path)
	}
	foreign := p.send(http.MethodPost, w.site+"/bind", nil, "Sec-Fetch-Site", "cross-site") //nolint:bodyclose // read closes it
	read(t, foreign)
	require.Equal(t, http.StatusForbidden, foreign.StatusCode)
	require.Contains(t, foreign.Header.Get("Content-Security-Policy"), "default-src 'self'")
	for _, path := range []string{"/healthz", "/readyz"} {
		require.Equal(t, http.StatusNoContent, p.get(path).status, path)
	}
}

// TestALoginReturnsToOurPagesOnly: what the link says to come back to is one of
// our paths or home.
func TestALoginReturnsToOurPagesOnly(t *testing.T) {
	t.Parallel()
	for back, want := range map[string]string{
		"/help": "/help", "//evil.example/": "/", "https://evil.example/": "/", `/\evil.example`: "/", "/login?return=/help": "/", "": "/",
	} {
		t.Run(back, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sqldb.SQLite, "", 1)
			p := w.phone("one")
			require.Equal(t, want, p.get("/login?"+url.Values{"return": {back}}.Encode()).path)
			require.Equal(t, http.StatusForbidden, w.phone("two").get("/oauth/callback?code=1&state=2").status)
		})
	}
}

// TestAHastyUserIsSlowedDown: forms are counted by user, whatever they say.
func TestAHastyUserIsSlowedDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("one")
	require.Equal(t, http.StatusOK, p.get("/me").status)
	statuses := map[int]int{}
	for range 20 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.site+"/bind", nil)
		require.NoError(t, err)
		answer, err := p.browser.Do(r) //nolint:bodyclose // read closes it
		require.NoError(t, err)
		read(t, answer)
		statuses[answer.StatusCode]++
	}
	require.Equal(t, map[int]int{http.StatusForbidden: 12, http.StatusTooManyRequests: 8}, statuses)
	w.later(time.Minute)
	require.Equal(t, http.StatusOK, p.get("/me").status, "and may go on later")
}

// TestSomebodyNewGetsAFile: the phone is proved first, the file is made once, and
// a number that has a file already says nothing of it.
func TestSomebodyNewGetsAFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("new")
	make := func(name, number, mobile string) screen {
		asked := p.claim(name, number)
		form := p.get(asked.path + "/new")
		sent := p.post(asked.path+"/send", url.Values{"way": {"new"}, "phone": {mobile}, "token": {form.token(t)}})
		require.Regexp(t, `^/bind/.*/new$`, sent.path)
		w.advance()
		last := w.texts.sent[len(w.texts.sent)-1]
		require.EqualValues(t, mobile, last.to)
		return p.post(sent.path, url.Values{"code": {sixDigits.FindString(last.text)}, "token": {sent.token(t)}})
	}
	require.Equal(t, "/", make("赵未知", "11010519491231002X", "13800001111").path)
	found, err := w.hospital.FindPatient(t.Context(), his.PatientQuery{IDNumber: "11010519491231002X"})
	require.NoError(t, err)
	require.EqualValues(t, "赵未知", found.Name)
	require.NotEmpty(t, p.handle())

	asked := p.claim("赵又新", "110105199001010010")
	form := p.get(asked.path + "/new")
	sent := p.post(asked.path+"/send", url.Values{"way": {"new"}, "phone": {"13800002222"}, "token": {form.token(t)}})
	again := p.post(strings.TrimSuffix(sent.path, "/new")+"/send", url.Values{"way": {"new"}, "token": {sent.token(t)}})
	require.Regexp(t, `^/bind/.*/new$`, again.path, "the code can be sent again")
	require.NotEqual(t, sent.path, again.path)
	w.advance()
	require.EqualValues(t, "13800002222", w.texts.sent[len(w.texts.sent)-1].to)

	child := p.claim("赵小童", "110105201803010012")
	form = p.get(child.path + "/new")
	refusedChild := p.post(child.path+"/send", url.Values{"way": {"new"}, "phone": {"13800002222"}, "token": {form.token(t)}})
	require.Contains(t, refusedChild.body, "请由监护人携带证件到医院服务台建档")

	w.later(2 * time.Hour) // a user may ask so often in an hour
	known := w.adult(0)
	refused := make("别的人", string(known.IDNumber), "13800001111")
	require.Contains(t, refused.body, "未能在线建档")
	require.NotContains(t, refused.body, string(known.Name))
}

// TestABillIsReadByItsPatientAlone.
func TestABillIsReadByItsPatientAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	owner, stranger, patient := w.phone("owner"), w.phone("stranger"), w.adult(0)
	owner.bind(patient)
	stranger.bind(w.adult(1))
	bill, err := w.hospital.AddBill(histest.NewBill{Patient: patient.ID, Items: []his.BillItem{{Code: "1", Name: "血常规", Unit: "次", Quantity: "1", Amount: 2000}}})
	require.NoError(t, err)
	require.Contains(t, owner.get("/bills").body, string(bill.ID))
	path := "/bills/" + url.PathEscape(string(bill.ID))
	require.Contains(t, owner.get(path).body, "血常规")
	require.Equal(t, stranger.get("/bills/none").body, stranger.get(path).body)
	require.Equal(t, http.StatusNotFound, stranger.get(path).status)
	require.NotContains(t, stranger.get("/bills").body, string(bill.ID))

	asked := owner.get(path)
	pay := owner.post(path+"/pay", url.Values{"version": {bill.Quote}, "token": {asked.token(t)}})
	require.Regexp(t, `^/orders/.*/pay$`, pay.path)
	require.Equal(t, pay.path, owner.post(path+"/pay", url.Values{"version": {bill.Quote}, "token": {asked.token(t)}}).path, "once")
	require.Equal(t, stranger.get("/bills/none").body, stranger.get(pay.path).body)
	owner.payOrder(pay.path)
	require.Equal(t, bill.Amount, w.hospital.Total(), "the HIS has booked the payment")
}
