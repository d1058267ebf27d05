package refserver_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/refserver/internal/leaktest"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// opening is when the stories begin: 07:30 of a working day.
var opening = time.Date(2026, 11, 25, 7, 30, 0, 0, hospital.CST)

var simulatedKeys = sync.OnceValues(func() (*wechatpaytest.Keys, error) {
	return wechatpaytest.NewKeys("", time.Now().Add(-time.Hour))
})

// texts is a phone company that keeps what it carried.
type texts struct {
	mu   sync.Mutex
	sent []sentText
	keys map[hospital.Key]bool // of those that came over a wire
}

type sentText struct {
	to   hospital.Phone
	text string
}

func (t *texts) Text(_ context.Context, _ hospital.Key, to hospital.Phone, text string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = append(t.sent, sentText{to, text})
	return nil
}

// once carries a text whose key it has not carried yet.
func (t *texts) once(key hospital.Key, to hospital.Phone, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys[key] {
		return
	}
	if t.keys == nil {
		t.keys = map[hospital.Key]bool{}
	}
	t.keys[key] = true
	t.sent = append(t.sent, sentText{to, text})
}

func (t *texts) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sent)
}

var sixDigits = regexp.MustCompile(`\d{6}`)

// code is the newest code that a phone got.
func (t *texts) code(tb testing.TB, to hospital.Phone) string {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	require.NotEmpty(tb, t.sent)
	last := t.sent[len(t.sent)-1]
	require.Equal(tb, to, last.to)
	return sixDigits.FindString(last.text)
}

// world is a hospital with its far sides and one or more servers.
type world struct {
	*testing.T
	clock     *testclock.Clock
	wall      *testclock.Clock
	hospital  *histest.Hospital
	wechat    *wechattest.Site
	pay       *wechatpaytest.Platform
	texts     *texts
	watch     *leaktest.Watch // of everything that the servers say
	bookings  *bookingsql.Store
	db        *sqldb.DB
	servers   []*refserver.Server
	processes *processes // nil: the servers are in this process and do what is due
	site      string     // where patients go, with the prefix
	wires     wiring
	faults    histest.Faults // of the wire to the HIS
	edit      []func(*refserver.Config)
	mux       *http.ServeMux // somebody else's, with the servers below the prefix
}

// wiring is all that a server is told of where everything is.
type wiring struct {
	Site, HIS, WeChat, Open, Till string
	Account                       wechattest.Account
	Merchant                      string // folder of its credentials
}

// newWorld starts n servers behind one address, which alternates between them,
// under a prefix of somebody else's mux.
func newWorld(t *testing.T, engine sqldb.Engine, prefix string, n int, edit ...func(*refserver.Config)) *world {
	t.Helper()
	w := newFar(t, prefix)
	w.edit = edit
	open := sqltest.On(t, engine)
	var handlers []http.Handler
	for range n {
		db := open()
		handlers = append(handlers, w.add(db).Handler())
	}
	var turn atomic.Int64
	w.mux.HandleFunc(prefix+"/", func(rw http.ResponseWriter, r *http.Request) {
		handlers[int(turn.Add(1))%len(handlers)].ServeHTTP(rw, r)
	})
	w.publish()
	return w
}

// newFar starts everything but a server.
func newFar(t *testing.T, prefix string) *world {
	t.Helper()
	w := &world{
		T: t, clock: testclock.At(opening), wall: testclock.At(time.Now()), texts: &texts{}, watch: &leaktest.Watch{}, mux: http.NewServeMux(),
	}
	t.Cleanup(func() { w.watch.Report(t) }) // the last: everything has been said
	front := httptest.NewServer(w.watch.Handler(w.mux))
	t.Cleanup(front.Close)
	w.site = front.URL + prefix

	var err error
	w.hospital, err = histest.NewHospital(histest.Config{Now: w.clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.hospital.Close()) })
	w.watch.People(w.hospital.People())
	w.wechat = wechattest.Start(t, wechattest.Config{Now: w.wall.Now, Templates: noticeTemplates()})
	address, err := url.Parse(front.URL)
	require.NoError(t, err)
	require.NoError(t, w.wechat.AddDomain(address.Host))
	require.NoError(t, w.wechat.SetCallback(w.site+refserver.PushPath))

	keys, err := simulatedKeys()
	require.NoError(t, err)
	w.pay, err = wechatpaytest.New(wechatpaytest.Config{AppIDs: []string{w.wechat.Account().AppID}, Mode: wechatpaytest.MixedMode, Keys: keys, Now: w.clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.pay.Close()) })
	merchant := t.TempDir()
	require.NoError(t, w.pay.Credentials().Write(merchant))
	w.wires = w.wire(func(_ string, far http.Handler) http.Handler { return far })
	w.wires.Merchant = merchant
	return w
}

// wire puts the far sides on addresses of their own, each behind a tap.
func (w *world) wire(tap func(side string, far http.Handler) http.Handler) wiring {
	w.Helper()
	service, err := histest.NewService(histest.ServiceConfig{System: w.hospital.System, Faults: &w.faults})
	require.NoError(w, err)
	at := w.wires
	at.Site, at.Open, at.Account = w.site, w.wechat.OpenURL, w.wechat.Account()
	for side, far := range map[*string]struct {
		name    string
		handler http.Handler
	}{
		&at.HIS: {"HIS", service}, &at.WeChat: {"WeChat", w.watch.Tokens(w.wechat.Handler())}, &at.Till: {"WeChat Pay", w.pay},
	} {
		server := httptest.NewServer(tap(far.name, far.handler))
		w.Cleanup(server.Close)
		*side = server.URL
	}
	return at
}

// add makes a server of this process.
func (w *world) add(db *sqldb.DB) *refserver.Server {
	w.Helper()
	config := refserver.Config{DB: db, Texter: w.texts, Now: w.clock.Now, Wall: w.wall.Now, Logger: w.watch.Logger()}
	for _, edit := range w.edit {
		edit(&config)
	}
	server := newServer(w.T, w.wires, config)
	if w.bookings == nil {
		w.db = db
		var err error
		w.bookings, err = bookingsql.New(w.Context(), db)
		require.NoError(w, err)
	}
	w.servers = append(w.servers, server)
	return server
}

// publish puts the paper's rules in force.
func (w *world) publish() {
	w.Helper()
	rules, err := booking.Preset("wuxi2018")
	require.NoError(w, err)
	version, err := booking.NewPolicyVersion(rules, "preset", opening.Add(-24*time.Hour))
	require.NoError(w, err)
	require.NoError(w, w.servers[0].Desk().Publish(w.Context(), hospital.System("setup"), version))
}

// newServer makes a server from what it is told; own is what is not on a wire.
func newServer(t *testing.T, at wiring, own refserver.Config) *refserver.Server {
	t.Helper()
	server, err := refserver.New(t.Context(), configOf(t, at, own))
	require.NoError(t, err)
	return server
}

// configOf is the configuration of such a server. The menu is the tests'.
func configOf(t *testing.T, at wiring, own refserver.Config) refserver.Config {
	t.Helper()
	own.KeepMenu = true
	client, err := his.NewClient(his.Config{BaseURL: at.HIS})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdle)
	official, err := wechat.New(wechat.Config{
		AppID: at.Account.AppID, Secret: at.Account.Secret, BaseURL: at.WeChat, OpenURL: at.Open, MPURL: at.Open, TripAfter: -1, Now: own.Wall,
	})
	require.NoError(t, err)
	t.Cleanup(official.CloseIdle)
	var merchant struct {
		ID     string `json:"mchid"`
		APIv3  string `json:"api_v3_key"`
		Public string `json:"public_key_id"`
	}
	about, err := os.ReadFile(filepath.Join(at.Merchant, "wechatpay.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(about, &merchant))
	file := func(name string) string { return filepath.Join(at.Merchant, name) }
	pay, err := wechatpay.Files{
		MerchantKey: file("merchant_key.pem"), MerchantCertificate: file("merchant_cert.pem"), PublicKey: file("wechatpay_public_key.pem"),
		PlatformCertificates: []string{file("platform_cert.pem")},
	}.Fill(wechatpay.Config{
		AppID: at.Account.AppID, MerchantID: merchant.ID, APIv3Key: []byte(merchant.APIv3), PublicKeyID: merchant.Public,
		BaseURL: at.Till, NotifyURL: at.Site + refserver.NoticePath, Now: own.Now,
	})
	require.NoError(t, err)
	own.Pay, err = wechatpay.New(pay)
	require.NoError(t, err)
	own.BaseURL, own.HIS, own.Account = at.Site, client.System(), official
	own.Names = refserver.Names{Name: "测试中医院", Phone: "0510-80000000"}
	own.Triage = &refserver.Triage{}
	own.PollEvery, own.Messages.Notices = time.Minute, notices()
	own.Pushes = wechat.CallbackConfig{
		AppID: at.Account.AppID, OriginalID: at.Account.OriginalID, Mode: wechat.Safe, Tokens: []string{at.Account.Token}, AESKeys: []string{at.Account.AESKey}, Now: own.Wall,
	}
	return own
}

// advance lets the platforms deliver and the servers do what is due.
func (w *world) advance() {
	w.Helper()
	for range 3 {
		_, err := w.pay.Advance(w.Context())
		require.NoError(w, err)
		if w.processes != nil {
			w.processes.advance()
			continue
		}
		for _, s := range w.servers {
			require.NoError(w, s.Advance(w.Context()))
		}
	}
}

// later moves both clocks, so that buckets are full and copies are old.
func (w *world) later(d time.Duration) {
	w.clock.Pass(d)
	w.wall.Pass(d)
}

// phone is a follower's WeChat with its browser.
type phone struct {
	*world
	follower *wechattest.Follower
	browser  *http.Client
}

// inWeChat says that WeChat asks.
type inWeChat struct{}

func (inWeChat) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36 MicroMessenger/8.0.50")
	return http.DefaultTransport.RoundTrip(r)
}

func (w *world) phone(nickname string) *phone {
	w.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(w, err)
	follower := w.wechat.Follower(w.Context(), nickname)
	w.watch.Secret("openid", follower.OpenID())
	return &phone{
		world: w, follower: follower,
		browser: &http.Client{Jar: jar, Transport: inWeChat{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// screen is what a phone shows.
type screen struct {
	path   string
	status int
	body   string
}

func (s screen) token(tb testing.TB) string {
	tb.Helper()
	document, err := goquery.NewDocumentFromReader(strings.NewReader(s.body))
	require.NoError(tb, err)
	value, ok := document.Find("input[name=token]").First().Attr("value")
	require.True(tb, ok, "the page %s has a form with a token", s.path)
	return value
}

func (p *phone) send(method, address string, form url.Values, header ...string) *http.Response {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), method, address, strings.NewReader(form.Encode()))
	require.NoError(p, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	p.later(time.Second)
	answer, err := p.browser.Do(r)
	require.NoError(p, err)
	return answer
}

func read(tb testing.TB, answer *http.Response) string {
	tb.Helper()
	defer func() { require.NoError(tb, answer.Body.Close()) }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(tb, err)
	return string(body)
}

// follow goes where answers send it, through WeChat's login as well.
func (p *phone) follow(answer *http.Response) screen {
	p.Helper()
	for range 10 {
		body := read(p, answer)
		to, err := answer.Location()
		if err != nil {
			return screen{answer.Request.URL.RequestURI(), answer.StatusCode, body}
		}
		address := to.String()
		if strings.HasPrefix(address, p.wechat.OpenURL) {
			address, err = p.follower.Authorize(address, true)
			require.NoError(p, err)
		}
		answer = p.send(http.MethodGet, address, nil) //nolint:bodyclose // read closes it
	}
	p.Fatal("too many redirects")
	return screen{}
}

func (p *phone) get(path string) screen {
	p.Helper()
	return p.follow(p.send(http.MethodGet, p.site+path, nil)) //nolint:bodyclose // follow reads it
}

func (p *phone) post(path string, form url.Values) screen {
	p.Helper()
	return p.follow(p.send(http.MethodPost, p.site+path, form)) //nolint:bodyclose // follow reads it
}

// claim fills in who the patient is and returns the page of the code.
func (p *phone) claim(name, number string) screen {
	p.Helper()
	form := p.get("/bind")
	return p.post("/bind", url.Values{"name": {name}, "id_number": {number}, "agree": {"1"}, "token": {form.token(p)}})
}

// bind proves that the patient is the phone's owner's.
func (p *phone) bind(patient hospital.Patient) {
	p.Helper()
	asked := p.claim(string(patient.Name), string(patient.IDNumber))
	require.Equal(p, http.StatusOK, asked.status)
	p.advance()
	home := p.post(strings.TrimPrefix(asked.path, p.prefix()), url.Values{"code": {p.texts.code(p, patient.Phone)}, "token": {asked.token(p)}})
	require.Equal(p, http.StatusOK, home.status)
	require.Equal(p, p.prefix()+"/", home.path)
}

func (w *world) prefix() string {
	w.Helper()
	u, err := url.Parse(w.site)
	require.NoError(w, err)
	return u.Path
}

// clinic finds a clinic with a free number between two days from today.
func (w *world) clinic(from, to int) (hospital.Schedule, hospital.Slot) {
	w.Helper()
	today := hospital.DateOf(w.clock.Now())
	all, err := w.hospital.Schedules(w.Context(), his.ScheduleQuery{From: today.AddDays(from), To: today.AddDays(to)})
	require.NoError(w, err)
	for _, s := range all {
		if s.Suspended || s.Left == 0 || s.Session == hospital.Morning && from == 0 {
			continue
		}
		slots, err := w.hospital.Slots(w.Context(), s.ID)
		require.NoError(w, err)
		for _, slot := range slots {
			if slot.Left != 0 {
				return s, slot
			}
		}
	}
	w.Fatal("no clinic")
	return hospital.Schedule{}, hospital.Slot{}
}

// adult is a patient who pays alone, and whom nobody answers for.
func (w *world) adult(n int) hospital.Patient {
	w.Helper()
	for _, p := range w.hospital.People() {
		if p.Payer == hospital.SelfPay && p.Guardian == nil {
			if n == 0 {
				return p
			}
			n--
		}
	}
	w.Fatal("no such patient")
	return hospital.Patient{}
}

var patientHandle = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

// handle is how the server's forms name the phone's first patient.
func (p *phone) handle() string {
	p.Helper()
	found := patientHandle.FindString(p.get("/patients").body)
	require.NotEmpty(p, found)
	return found
}

// book presses the button of the page before a booking.
func (p *phone) book(s hospital.Schedule, slot hospital.Slot, key string) screen {
	p.Helper()
	handle := p.handle()
	ask := p.get("/schedules/" + url.PathEscape(string(s.ID)) + "/" + url.PathEscape(string(slot.ID)))
	require.Equal(p, http.StatusOK, ask.status)
	return p.post("/book", url.Values{
		"schedule": {string(s.ID)}, "slot": {string(slot.ID)}, "patient": {handle}, "agree": {"1"}, "key": {key}, "token": {ask.token(p)},
	})
}

// payOrder does what the pay page's script and WeChat's pay sheet do.
func (p *phone) payOrder(path string) {
	p.Helper()
	form := p.get(path)
	require.Equal(p, http.StatusOK, form.status)
	answer := p.send(http.MethodPost, p.site+strings.TrimSuffix(path, "/pay")+"/prepay", url.Values{"token": {form.token(p)}}, "Accept", "application/json") //nolint:bodyclose // read closes it
	body := read(p, answer)
	require.Equal(p, http.StatusOK, answer.StatusCode, body)
	var sheet struct{ AppID, TimeStamp, NonceStr, Package, SignType, PaySign string }
	require.NoError(p, json.Unmarshal([]byte(body), &sheet))
	_, err := p.pay.Pay(wechatpaytest.Payment{
		OpenID: p.follower.OpenID(),
		Sheet: &wechatpaytest.Sheet{
			AppID: sheet.AppID, Timestamp: sheet.TimeStamp, Nonce: sheet.NonceStr, Package: sheet.Package, SignType: sheet.SignType, PaySign: sheet.PaySign,
		},
	})
	require.NoError(p, err)
	p.advance()
}

// appointments are the patient's, as the desk keeps them.
func (w *world) appointments(patient hospital.PatientID) []booking.Appointment {
	w.Helper()
	all, err := w.bookings.List(w.Context(), booking.Query{Patient: patient})
	require.NoError(w, err)
	return all
}
