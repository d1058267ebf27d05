package refserver_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// chatting is a phone in the chat with the account.
type chatting struct {
	*wechattest.Follower

	world *world
}

// last is what the account said last, and hrefs are the pages it leads to.
func (c chatting) last() (text string, hrefs []string) {
	c.world.Helper()
	chat := c.Chat()
	require.NotEmpty(c.world, chat)
	bubble := chat[len(chat)-1]
	require.Equal(c.world, wechattest.Ours, bubble.From, bubble.Text)
	for _, found := range regexp.MustCompile(`<a href="([^"]+)">[^<]+</a>`).FindAllStringSubmatch(bubble.Text, -1) {
		hrefs = append(hrefs, found[1])
	}
	return bubble.Text, hrefs
}

// leads asks for a page as a browser without a session does, and follows
// nothing.
func (w *world) leads(address string) int {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, address, nil)
	require.NoError(w, err)
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(w, err)
	require.NoError(w, response.Body.Close())
	return response.StatusCode
}

func TestTheAccountAnswersWithLinksThatLeadSomewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "/h", 1)
	f, err := w.wechat.Join("陈素心")
	require.NoError(t, err)
	phone := chatting{f, w}
	require.NoError(t, f.Follow(t.Context()))
	welcome, hrefs := phone.last()
	require.Contains(t, welcome, "欢迎关注测试中医院")
	require.Equal(t, []string{w.site + "/triage", w.site + "/departments", w.site + "/bills", w.site + "/?mode=care"}, hrefs, "导诊、挂号、缴费、长辈版")
	seen := map[string]bool{}
	for _, test := range []struct{ words, leads, says string }{
		{"挂号", "/departments", ""},
		{"1", "/departments", ""},
		{" １ ", "/departments", ""},
		{"我要取消挂号", "/appointments", ""},
		{"在哪里缴费？", "/bills", ""},
		{"2", "/bills", ""},
		{"报告出来了吗", "", "线上还不能查报告"},
		{"停车场收费吗", "/help", "0510-80000000"},
		{"你们电话多少", "/help", "0510-80000000"},
		{"怎么绑定就诊卡", "/patients", ""},
		{"字太小", "/?mode=care", ""},
		{"头疼挂什么科", "/triage", "120"},
		{"4", "/triage", "120"},
		{"胸痛得厉害", "", "立即拨打 120"},
		{"谢谢", "/departments", "0510-80000000"},
		{"12", "/departments", "0510-80000000"}, // no topic of its own
	} {
		require.NoError(t, f.Say(t.Context(), test.words))
		text, hrefs := phone.last()
		require.Contains(t, text, test.says, test.words)
		if test.leads != "" {
			require.Contains(t, hrefs, w.site+test.leads, test.words)
		}
		for _, href := range hrefs {
			seen[href] = true
		}
	}
	require.GreaterOrEqual(t, len(seen), 6)
	for href := range seen {
		require.Contains(t, []int{http.StatusOK, http.StatusSeeOther, http.StatusFound}, w.leads(href), href)
	}
	require.Equal(t, http.StatusNotFound, w.leads(w.site+"/reports"), "what is not there is not linked")

	require.NoError(t, f.SendLocation(t.Context(), "31.57", "120.30", "中南路8号"))
	text, _ := phone.last()
	require.Contains(t, text, "自动回复")
	require.NoError(t, f.SendVoice(t.Context(), []byte("#!AMR\n"), "我要缴费"))
	_, hrefs = phone.last()
	require.Contains(t, hrefs, w.site+"/bills", "a voice that was recognized is a text")
	require.Empty(t, w.wechat.MalformedReply())
}

func TestWithoutATriageTheDepartmentsAreOffered(t *testing.T) {
	t.Parallel()
	w := newFar(t, "/h")
	config := configOf(t, w.wires, refserver.Config{
		DB: sqltest.On(t, sqldb.SQLite)(), Texter: w.texts, Now: w.clock.Now, Wall: w.wall.Now, Logger: w.watch.Logger(),
	})
	config.Triage = nil
	server, err := refserver.New(t.Context(), config)
	require.NoError(t, err)
	w.mux.Handle("/h/", server.Handler())
	f := w.wechat.Follower(t.Context(), "陈素心")
	_, hrefs := chatting{f, w}.last()
	require.Equal(t, w.site+"/departments", hrefs[0])
	require.NoError(t, f.Say(t.Context(), "肚子不舒服"))
	_, hrefs = chatting{f, w}.last()
	require.Equal(t, []string{w.site + "/departments"}, hrefs)
	_, err = server.PublishMenu(t.Context())
	require.NoError(t, err)
	require.NotContains(t, f.Menu()[0].Sub, "智能导诊")
}

func TestTheMenuIsPublishedOnlyWhenItDiffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "/h", 1)
	server := w.servers[0]
	changed, err := server.PublishMenu(t.Context())
	require.NoError(t, err)
	require.True(t, changed, "there was none")
	f := w.wechat.Follower(t.Context(), "陈素心")
	menu := f.Menu()
	require.Len(t, menu, 3)
	require.Contains(t, menu[0].Sub, "智能导诊")
	for _, entry := range menu {
		require.NotEmpty(t, entry.Sub)
		for _, name := range entry.Sub {
			address, err := f.Tap(t.Context(), name)
			require.NoError(t, err)
			require.Contains(t, []int{http.StatusOK, http.StatusSeeOther, http.StatusFound}, w.leads(address), name)
		}
	}
	changed, err = server.PublishMenu(t.Context())
	require.NoError(t, err)
	require.False(t, changed, "it is the same")
	w.menu() // somebody changes it in the console
	require.Len(t, f.Menu(), 1)
	changed, err = server.PublishMenu(t.Context())
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, menu, f.Menu())
	require.NoError(t, w.wechat.Break(wechattest.Fault{Kind: wechattest.Busy, Path: "/cgi-bin/menu/get"}))
	_, err = server.PublishMenu(t.Context())
	require.Equal(t, hospital.Unavailable, hospital.KindOf(err))
}

func TestTheHospitalsOwnMenuIsPublishedAndAnswered(t *testing.T) {
	t.Parallel()
	w := newFar(t, "/h")
	db := sqltest.On(t, sqldb.SQLite)()
	own := refserver.Config{
		DB: db, Texter: w.texts, Now: w.clock.Now, Wall: w.wall.Now, Logger: w.watch.Logger(),
		Menu: []wechat.Button{{Type: "click", Name: "停车", Key: "停车"}},
	}
	server := newServer(t, w.wires, own)
	w.mux.Handle("/h/", server.Handler())
	changed, err := server.PublishMenu(t.Context())
	require.NoError(t, err)
	require.True(t, changed)
	f := w.wechat.Follower(t.Context(), "陈素心")
	_, err = f.Tap(t.Context(), "停车")
	require.NoError(t, err)
	text, _ := chatting{f, w}.last()
	require.Contains(t, text, "0510-80000000")
}

func TestWhatTheChatCannotSayIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	w := newFar(t, "/h")
	for name, edit := range map[string]func(*refserver.Config){
		"button[0].name": func(c *refserver.Config) { c.Menu = []wechat.Button{{Type: "click", Key: "x"}} },
		"2048 bytes":     func(c *refserver.Config) { c.Names.Address = strings.Repeat("路", 700) },
	} {
		config := configOf(t, w.wires, refserver.Config{DB: sqltest.On(t, sqldb.SQLite)(), Texter: w.texts, Now: w.clock.Now})
		edit(&config)
		_, err := refserver.New(t.Context(), config)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), name)
		require.ErrorContains(t, err, name)
	}
}

func TestOnlyThePlatformsAddressesReachTheCallback(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		any  bool
		peer string
		says string // which step refuses
	}{
		"the platform":                         {false, "127.0.0.1:4000", "refused: query"},
		"a stranger":                           {false, "203.0.113.9:4000", "refused: source"},
		"a stranger, where any address may do": {true, "203.0.113.9:4000", "refused: query"},
	} {
		w := newFar(t, "/h")
		server := newServer(t, w.wires, refserver.Config{
			DB: sqltest.On(t, sqldb.SQLite)(), Texter: w.texts, Now: w.clock.Now, Wall: w.wall.Now, Logger: w.watch.Logger(), AnyCallbackIP: test.any,
		})
		r := httptest.NewRequest(http.MethodPost, "/h"+refserver.PushPath, strings.NewReader("<xml></xml>"))
		r.RemoteAddr = test.peer
		answer := httptest.NewRecorder()
		server.Handler().ServeHTTP(answer, r)
		require.Equal(t, http.StatusForbidden, answer.Code, name)
		require.Contains(t, answer.Body.String(), test.says, name)
	}
}

func TestTheCodeAtTheDeskLeadsToTheBindingAndProvesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "/h", 1)
	picture, err := w.servers[0].DeskQRCode(t.Context())
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(picture.Data, []byte("\x89PNG")), picture.Type)
	f, err := w.wechat.Join("陈素心")
	require.NoError(t, err)
	for _, step := range []string{"a stranger follows by it", "a follower scans it"} {
		require.NoError(t, f.Scan(t.Context(), "desk"))
		text, hrefs := chatting{f, w}.last()
		require.Contains(t, hrefs, w.site+"/bind", step)
		require.Contains(t, text, "8 位绑定码", step)
		require.NotRegexp(t, `\d{8}`, strings.ReplaceAll(text, "0510-80000000", ""), step)
		for _, href := range hrefs {
			require.NotContains(t, strings.TrimPrefix(href, w.site), "desk", step)
		}
	}
	require.NoError(t, f.Scan(t.Context(), "poster-7"))
	text, _ := chatting{f, w}.last()
	require.Contains(t, text, "欢迎关注", "another code is a welcome")
}

// TestWhoClosesTheirWeChatIsForgotten: the patients are let go, the session ends,
// and whoever comes next with the openid is somebody new.
func TestWhoClosesTheirWeChatIsForgotten(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]func(appID, openID string) wechattest.Event{
		"closed": wechattest.UserAuthorizationCancellation,
		"took back": func(appID, openID string) wechattest.Event {
			return wechattest.UserAuthorizationRevoke(appID, openID, "201")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sqldb.SQLite, "/h", 1)
			p, patient := w.phone("素心"), w.adult(0)
			p.bind(patient)
			holder, err := w.bookings.Holder(t.Context(), patient.ID)
			require.NoError(t, err)
			require.NoError(t, w.wechat.Push(t.Context(), event(w.wechat.Account().AppID, p.follower.OpenID())))
			_, err = w.bookings.Holder(t.Context(), patient.ID)
			require.Equal(t, hospital.NotFound, hospital.KindOf(err))
			answer := p.send(http.MethodGet, w.site+"/me", nil) //nolint:bodyclose // read closes it
			read(t, answer)
			require.Contains(t, answer.Header.Get("Location"), "/login", "the session is over")
			require.Contains(t, p.get("/patients").body, "还没有就诊人")
			p.bind(patient)
			again, err := w.bookings.Holder(t.Context(), patient.ID)
			require.NoError(t, err)
			require.NotEqual(t, holder, again)
		})
	}
}
