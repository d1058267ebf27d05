package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	ours "github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

var update = flag.Bool("update", false, "write the matrix in the documentation anew")

// matrixFile is where readers find what this test finds out.
var matrixFile = filepath.Join("..", "..", "docs", "wechat-interop.md")

// library is one family of somebody else's packages for an account: its client,
// its web login, its receiver.
type library interface {
	// lacks reports that the library has no such call. A library may only say so
	// after its own text has been searched for what the call would need.
	lacks(call string) bool
	// do makes the call. What the platform refused is a *refused.
	do(call string, ask question) (answer, error)
}

// opener sets a library up for the account before the platform.
type opener func(*testing.T, *wechattest.Site, wechattest.Account) library

// question is what the calls take, answer what they give. A call uses the few
// fields that it needs; wechat.js has the calls by name.
type question struct {
	Button    []ours.Button                `json:"button,omitempty"`
	To        string                       `json:"to,omitempty"`
	Template  string                       `json:"template,omitempty"`
	URL       string                       `json:"url,omitempty"`
	Data      map[string]map[string]string `json:"data,omitempty"`
	ID        string                       `json:"id,omitempty"`
	Text      string                       `json:"text,omitempty"`
	OpenID    string                       `json:"openid,omitempty"`
	OpenIDs   []string                     `json:"openids,omitempty"`
	Remark    string                       `json:"remark,omitempty"`
	Name      string                       `json:"name,omitempty"`
	Names     []string                     `json:"names,omitempty"`
	Scene     string                       `json:"scene,omitempty"`
	Seconds   int                          `json:"seconds,omitempty"`
	File      string                       `json:"file,omitempty"`
	State     string                       `json:"state,omitempty"`
	Code      string                       `json:"code,omitempty"`
	Article   map[string]string            `json:"article,omitempty"`
	Encrypt   string                       `json:"encrypt,omitempty"`
	Timestamp string                       `json:"timestamp,omitempty"`
	Nonce     string                       `json:"nonce,omitempty"`
	Signature string                       `json:"signature,omitempty"`
}

type answer struct {
	Button    []ours.Button `json:"button"`
	Token     string        `json:"token"`
	ID        string        `json:"id"`
	IDs       []string      `json:"ids"`
	Names     []string      `json:"names"`
	Subscribe int           `json:"subscribe"`
	OpenID    string        `json:"openid"`
	Nickname  string        `json:"nickname"`
	Ticket    string        `json:"ticket"`
	Seconds   int           `json:"seconds"`
	Picture   string        `json:"picture"`
	Data      []byte        `json:"data"`
	Link      string        `json:"link"`
	Nonce     string        `json:"nonce"`
	Timestamp string        `json:"timestamp"`
	Signature string        `json:"signature"`
	State     string        `json:"state"`
	Title     string        `json:"title"`
	URL       string        `json:"url"`
	Encrypt   string        `json:"encrypt"`
	Text      string        `json:"text"`
}

// refused is what the platform said no to, as the library tells it.
type refused struct {
	code int
	text string
}

func (r *refused) Error() string { return fmt.Sprintf("%d: %s", r.code, r.text) }

// trial is one library before a platform of its own. What the library returns
// is held against what the platform has recorded, which its users see and which
// our own client reads.
type trial struct {
	library

	site *wechattest.Site
	user *wechattest.Follower
	own  *ours.Client
	// ahead is how far the platform's clock is before the wall's.
	ahead *atomic.Int64
}

// ask makes a call that must succeed.
func (j *trial) ask(t *testing.T, call string, ask question) answer {
	t.Helper()
	got, err := j.do(call, ask)
	require.NoError(t, err, call)
	return got
}

// denied makes a call that the platform must refuse with the code.
func (j *trial) denied(t *testing.T, code int, call string, ask question) {
	t.Helper()
	_, err := j.do(call, ask)
	var no *refused
	require.ErrorAs(t, err, &no, call)
	require.Equal(t, code, no.code, no.text)
}

// later lets the platform do what it does a moment after a call.
func (j *trial) later(t *testing.T) {
	t.Helper()
	j.ahead.Add(int64(10 * time.Second))
	_, err := j.site.Advance(t.Context())
	require.NoError(t, err)
}

// last is what the user's phone shows at the end of the chat.
func (j *trial) last(t *testing.T) wechattest.Bubble {
	t.Helper()
	chat := j.user.Chat()
	require.NotEmpty(t, chat)
	return chat[len(chat)-1]
}

// row is one capability: the calls it needs and what is checked. The check
// returns what stands in the cell, and fails for what must not be.
type row struct {
	name  string
	calls []string
	check func(t *testing.T, j *trial) (cell string)
}

const (
	works  = "ok"
	noCall = "no call"
	failed = "FAILED"
)

// holds makes a check that has no more to say than yes.
func holds(check func(t *testing.T, j *trial)) func(*testing.T, *trial) string {
	return func(t *testing.T, j *trial) string {
		t.Helper()
		check(t, j)
		return works
	}
}

// callRows are what accounts call, in an order in which none disturbs the next:
// a token that another system has revoked comes last.
func callRows() []row {
	return []row{
		{"access token (classic)", []string{"token"}, holds(tryToken)},
		{"stable token", []string{"stable"}, holds(tryStableToken)},
		{"menu: create, read back, delete", []string{"menu", "dropMenu"}, holds(tryMenu)},
		{"template message, template list and removal", []string{"template", "templates", "dropTemplate"}, holds(tryTemplate)},
		{"template taken from the library", []string{"addTemplate"}, tryAddTemplate},
		{"subscription notice (订阅通知)", []string{"notice"}, holds(tryNotice)},
		{"customer-service text", []string{"text"}, holds(tryText)},
		{"users: one, some, all, remark", []string{"user", "users", "someUsers", "remark"}, holds(tryUsers)},
		{"tags: create, give, list both ways", []string{"createTag", "tags", "tag", "tagsOf", "tagged"}, holds(tryTags)},
		{"QR code: for a while, for good, its picture", []string{"code", "lastingCode"}, holds(tryCode)},
		{"temporary media: upload and fetch", []string{"upload", "fetch"}, holds(tryMedia)},
		{"temporary media that is gone", []string{"fetch", "bytes"}, tryGoneMedia},
		{"permanent material: add", []string{"keep"}, holds(tryKeep)},
		{"permanent material: fetch a file", []string{"kept"}, holds(tryKept)},
		{"web login (OAuth) with profile", []string{"link", "login"}, holds(tryLogin)},
		{"JS ticket and page signature", []string{"page"}, holds(tryPage)},
		{"mass message to some and to all, its state", []string{"mass", "massAll", "massState"}, holds(tryMass)},
		{"mass message to a tag", []string{"massTag"}, tryMassTag},
		{"draft: add and read back", []string{"draft"}, holds(tryDraft)},
		{"a token revoked by another system", []string{"user"}, tryRevoked},
	}
}

func tryToken(t *testing.T, j *trial) {
	t.Helper()
	got := j.ask(t, "token", question{})
	require.Len(t, got.Token, len(j.ask(t, "token", question{}).Token))
	require.NotZero(t, j.site.Tokens(wechattest.Classic))
	body := fetched(t, j.site.URL+"/cgi-bin/getcallbackip?access_token="+url.QueryEscape(got.Token))
	require.JSONEq(t, `{"ip_list":["127.0.0.1"]}`, string(body))
}

// fetched is what stands at the address.
func fetched(t *testing.T, address string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return data
}

func tryStableToken(t *testing.T, j *trial) {
	t.Helper()
	want, err := j.own.CallbackIPs(t.Context()) // ours draws the stable token
	require.NoError(t, err)
	require.NotEmpty(t, want)
	made := j.site.Tokens(wechattest.Stable)
	got := j.ask(t, "stable", question{})
	require.NotEmpty(t, got.Token)
	require.Equal(t, made, j.site.Tokens(wechattest.Stable), "the same token for both")
}

func tryMenu(t *testing.T, j *trial) {
	t.Helper()
	buttons := []ours.Button{
		{Type: "click", Name: "挂号", Key: "book"},
		{Name: "查询", Sub: []ours.Button{{Type: "view", Name: "报告", URL: "http://hospital.example/?a=1&b=<2>"}}},
	}
	got := j.ask(t, "menu", question{Button: buttons})
	require.Equal(t, encoded(t, buttons), encoded(t, got.Button))
	require.Equal(t, []wechattest.MenuEntry{{Name: "挂号"}, {Name: "查询", Sub: []string{"报告"}}}, j.user.Menu())
	address, err := j.user.Tap(t.Context(), "报告")
	require.NoError(t, err)
	require.Equal(t, buttons[1].Sub[0].URL, address)
	j.denied(t, 40018, "menu", question{Button: []ours.Button{{Type: "click", Name: "一个太长的按钮名", Key: "k"}}})
	j.ask(t, "dropMenu", question{})
	require.Empty(t, j.user.Menu())
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

func values(of map[string]string) map[string]map[string]string {
	all := map[string]map[string]string{}
	for key, value := range of {
		all[key] = map[string]string{"value": value}
	}
	return all
}

func tryTemplate(t *testing.T, j *trial) {
	t.Helper()
	ask := question{
		To: j.user.OpenID(), Template: "booked", URL: "http://hospital.example/visit",
		Data: values(map[string]string{"thing1": "陈素心 & <家人>", "time2": "2026年11月24日 08:30"}),
	}
	id := j.ask(t, "template", ask).ID
	number, err := strconv.ParseInt(id, 10, 64)
	require.NoError(t, err)
	require.NotZero(t, number)
	j.later(t)
	shown := j.last(t)
	require.Equal(t, "template", shown.Kind)
	require.Equal(t, "http://hospital.example/visit", shown.Cards[0].URL)
	require.Equal(t, "陈素心 & <家人>", shown.Cards[0].Lines[0].Value)
	ask.Data = values(map[string]string{"thing1": "陈素心", "time2": "明天"})
	j.denied(t, 47003, "template", ask)
	ask.Template = "other"
	j.denied(t, 40037, "template", ask)
	require.Contains(t, j.ask(t, "templates", question{}).IDs, "booked")
	j.ask(t, "dropTemplate", question{ID: "old"})
	left, err := j.own.ListTemplates(t.Context())
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(left, func(m ours.Template) bool { return m.ID == "old" }))
}

// tryAddTemplate takes a template and its fields. A library of the time when
// templates came with all their fields names none.
func tryAddTemplate(t *testing.T, j *trial) string {
	t.Helper()
	got, err := j.do("addTemplate", question{ID: "47123", Names: []string{"时间", "就诊人"}})
	if err != nil {
		j.denied(t, 40246, "addTemplate", question{ID: "47123", Names: []string{"时间", "就诊人"}})
		return "40246: names no fields"
	}
	all, err := j.own.ListTemplates(t.Context())
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(all, func(m ours.Template) bool { return m.ID == got.ID && m.Title == "预约成功通知" }))
	return works
}

func tryNotice(t *testing.T, j *trial) {
	t.Helper()
	ask := question{To: j.user.OpenID(), Template: "report", Data: values(map[string]string{"thing1": "血常规"})}
	j.denied(t, 43101, "notice", ask)
	require.NoError(t, j.user.Subscribe(t.Context(), true, "report"))
	j.ask(t, "notice", ask)
	j.later(t)
	shown := j.last(t)
	require.Equal(t, "subscription", shown.Kind)
	require.Equal(t, "血常规", shown.Cards[0].Lines[0].Value)
}

func tryText(t *testing.T, j *trial) {
	t.Helper()
	require.NoError(t, j.user.Say(t.Context(), "在吗"))
	j.ask(t, "text", question{To: j.user.OpenID(), Text: "请到二楼 <3> & 取号"})
	require.Equal(t, "请到二楼 <3> & 取号", j.last(t).Text)
	silent := j.site.Follower(t.Context(), "久不说话的人")
	j.ahead.Add(int64(2 * time.Minute)) // following opens the chat for one
	j.denied(t, 45015, "text", question{To: silent.OpenID(), Text: "晚了"})
}

func tryUsers(t *testing.T, j *trial) {
	t.Helper()
	other := j.site.Follower(t.Context(), "老吴")
	got := j.ask(t, "user", question{OpenID: j.user.OpenID()})
	require.Equal(t, 1, got.Subscribe)
	require.Equal(t, j.user.OpenID(), got.OpenID)
	all := j.ask(t, "users", question{}).IDs
	require.Subset(t, all, []string{j.user.OpenID(), other.OpenID()})
	require.Equal(t, []string{other.OpenID(), j.user.OpenID()}, j.ask(t, "someUsers", question{OpenIDs: []string{other.OpenID(), j.user.OpenID()}}).IDs)
	j.ask(t, "remark", question{OpenID: other.OpenID(), Remark: "老病人"})
	known, err := j.own.FindUser(t.Context(), ours.OpenID(other.OpenID()))
	require.NoError(t, err)
	require.Equal(t, "老病人", known.Remark)
	require.NoError(t, other.Unfollow(t.Context()))
	require.Zero(t, j.ask(t, "user", question{OpenID: other.OpenID()}).Subscribe)
	j.denied(t, 40003, "user", question{OpenID: "o0"})
}

func tryTags(t *testing.T, j *trial) {
	t.Helper()
	id := j.ask(t, "createTag", question{Name: "高血压"}).ID
	require.Contains(t, j.ask(t, "tags", question{}).Names, "高血压")
	j.ask(t, "tag", question{ID: id, OpenIDs: []string{j.user.OpenID()}})
	known, err := j.own.TagsOf(t.Context(), ours.OpenID(j.user.OpenID()))
	require.NoError(t, err)
	number, err := strconv.ParseInt(id, 10, 64)
	require.NoError(t, err)
	require.Equal(t, []int64{number}, known)
	require.Equal(t, []string{id}, j.ask(t, "tagsOf", question{OpenID: j.user.OpenID()}).IDs)
	require.Equal(t, []string{j.user.OpenID()}, j.ask(t, "tagged", question{ID: id}).IDs)
	j.denied(t, 45157, "createTag", question{Name: "高血压"})
}

func tryCode(t *testing.T, j *trial) {
	t.Helper()
	got := j.ask(t, "code", question{Scene: "desk-3", Seconds: 600})
	require.Equal(t, 600, got.Seconds)
	picture, err := url.Parse(got.Picture)
	require.NoError(t, err)
	require.Equal(t, "https://mp.weixin.qq.com/cgi-bin/showqrcode", picture.Scheme+"://"+picture.Host+picture.Path)
	require.Equal(t, got.Ticket, picture.Query().Get("ticket"))
	_, err = png.DecodeConfig(bytes.NewReader(fetched(t, j.site.URL+picture.RequestURI())))
	require.NoError(t, err)
	for scene, ticket := range map[string]string{"desk-3": got.Ticket, "door": j.ask(t, "lastingCode", question{Scene: "door"}).Ticket} {
		fresh, err := j.site.Join("新来的人")
		require.NoError(t, err)
		require.NoError(t, fresh.ScanCode(t.Context(), ticket))
		known, err := j.own.FindUser(t.Context(), ours.OpenID(fresh.OpenID()))
		require.NoError(t, err)
		require.Equal(t, scene, known.Scene)
	}
}

// plan is a picture to upload, in a file and as it is.
func plan(t *testing.T) (file string, data []byte) {
	t.Helper()
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 64, 64))))
	file = filepath.Join(t.TempDir(), "plan.png")
	require.NoError(t, os.WriteFile(file, picture.Bytes(), 0o600))
	return file, picture.Bytes()
}

func tryMedia(t *testing.T, j *trial) {
	t.Helper()
	file, data := plan(t)
	id := j.ask(t, "upload", question{File: file}).ID
	there, err := j.own.FetchMedia(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, data, there.Data)
	require.Equal(t, data, j.ask(t, "fetch", question{ID: id}).Data)
}

// tryGoneMedia asks for a file that is no longer there. The platform says so in
// JSON with status 200, which a library can take for the file.
func tryGoneMedia(t *testing.T, j *trial) string {
	t.Helper()
	got, err := j.do("fetch", question{ID: "gone"})
	if err != nil {
		return "ok, refused"
	}
	require.Contains(t, string(got.Data), `"errcode":40007`)
	return "takes the refusal for the file"
}

func tryKeep(t *testing.T, j *trial) {
	t.Helper()
	file, data := plan(t)
	there, err := j.own.FetchMaterial(t.Context(), j.ask(t, "keep", question{File: file}).ID)
	require.NoError(t, err)
	require.Equal(t, data, there.Data)
}

func tryKept(t *testing.T, j *trial) {
	t.Helper()
	_, data := plan(t)
	added, err := j.own.AddMaterial(t.Context(), ours.NewMaterial{Upload: ours.Upload{Kind: ours.ImageMedia, Name: "plan.png", Content: bytes.NewReader(data)}})
	require.NoError(t, err)
	require.Equal(t, data, j.ask(t, "kept", question{ID: added.ID}).Data)
}

func tryLogin(t *testing.T, j *trial) {
	t.Helper()
	link := j.ask(t, "link", question{URL: "http://hospital.example/in?from=menu", State: "s1"}).Link
	address, err := j.user.Authorize(link, true)
	require.NoError(t, err)
	back, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, "s1", back.Query().Get("state"))
	require.Equal(t, "menu", back.Query().Get("from"))
	got := j.ask(t, "login", question{Code: back.Query().Get("code")})
	require.Equal(t, j.user.OpenID(), got.OpenID)
	require.Equal(t, "陈素心", got.Nickname)
	_, err = j.do("login", question{Code: back.Query().Get("code")})
	require.Error(t, err, "a code is for one login")
}

func tryPage(t *testing.T, j *trial) {
	t.Helper()
	got := j.ask(t, "page", question{URL: "http://hospital.example/pay?a=1"})
	require.Equal(t, ours.SignPage(got.Ticket, got.Nonce, got.Timestamp, "http://hospital.example/pay?a=1"), got.Signature)
	own, err := j.own.ConfigurePage(t.Context(), "http://hospital.example/pay?a=1")
	require.NoError(t, err)
	require.Equal(t, ours.SignPage(got.Ticket, own.Nonce, own.Timestamp, "http://hospital.example/pay?a=1"), own.Signature,
		"the ticket is the account's")
}

func tryMass(t *testing.T, j *trial) {
	t.Helper()
	other := j.site.Follower(t.Context(), "小林")
	id := j.ask(t, "mass", question{Text: "明日停诊", OpenIDs: []string{j.user.OpenID(), other.OpenID()}}).ID
	require.Equal(t, "SENDING", j.ask(t, "massState", question{ID: id}).State)
	j.later(t)
	require.Equal(t, "明日停诊", j.last(t).Text)
	require.Equal(t, "SEND_SUCCESS", j.ask(t, "massState", question{ID: id}).State)
	require.NotEqual(t, id, j.ask(t, "massAll", question{Text: "国庆门诊安排"}).ID)
	j.later(t)
	require.Equal(t, "国庆门诊安排", j.last(t).Text)
}

// tryMassTag sends to those who bear a tag. A library of the time before tags
// calls them groups, and what the real platform makes of that today is not
// known to us.
func tryMassTag(t *testing.T, j *trial) string {
	t.Helper()
	tag, err := j.own.CreateTag(t.Context(), "糖尿病")
	require.NoError(t, err)
	require.NoError(t, j.own.TagUsers(t.Context(), tag.ID, []ours.OpenID{ours.OpenID(j.user.OpenID())}))
	ask := question{Text: "糖尿病讲座", ID: strconv.FormatInt(tag.ID, 10)}
	if _, err = j.do("massTag", ask); err != nil {
		require.ErrorContains(t, err, "group_id")
		return "47001: group_id"
	}
	j.later(t)
	require.Equal(t, "糖尿病讲座", j.last(t).Text)
	return works
}

func tryDraft(t *testing.T, j *trial) {
	t.Helper()
	_, data := plan(t)
	cover, err := j.own.AddMaterial(t.Context(), ours.NewMaterial{Upload: ours.Upload{Kind: ours.ImageMedia, Name: "cover.png", Content: bytes.NewReader(data)}})
	require.NoError(t, err)
	got := j.ask(t, "draft", question{Article: map[string]string{"title": "冬病夏治", "content": "<p>三伏贴 & 三九贴</p>", "thumb_media_id": cover.ID}})
	require.Equal(t, "冬病夏治", got.Title)
	there, err := j.own.FetchDraft(t.Context(), got.ID)
	require.NoError(t, err)
	require.Equal(t, "冬病夏治", there[0].Title)
	require.Equal(t, "<p>三伏贴 & 三九贴</p>", there[0].Content)
}

// tryRevoked sees what a library makes of a token that has died before its
// time, which is when another system of the hospital draws a classic one.
func tryRevoked(t *testing.T, j *trial) string {
	t.Helper()
	j.ask(t, "user", question{OpenID: j.user.OpenID()})
	require.NoError(t, j.site.Revoke(wechattest.Classic))
	require.NoError(t, j.site.Revoke(wechattest.Stable))
	got, err := j.do("user", question{OpenID: j.user.OpenID()})
	if err == nil {
		require.Equal(t, j.user.OpenID(), got.OpenID)
		return "ok, recovers"
	}
	j.denied(t, 40001, "user", question{OpenID: j.user.OpenID()})
	return "40001 until its token expires"
}

// pushRow is a capability of a receiver, before a platform of its own.
type pushRow struct {
	config wechattest.Config
	row
}

// pushRows are what accounts are told.
func pushRows() []pushRow {
	plain, compatible, safe := wechattest.Config{Mode: ours.Plain}, wechattest.Config{Mode: ours.Compatible}, wechattest.Config{Mode: ours.Safe}
	plainJSON := wechattest.Config{Mode: ours.Plain, Format: ours.JSON}
	safeJSON := wechattest.Config{Mode: ours.Safe, Format: ours.JSON}
	return []pushRow{
		{plain, row{"receives pushes in plain mode, and is heard", []string{"listen"}, holds(tryReceiver)}},
		{safe, row{"receives pushes in safe mode, and its encrypted reply is heard", []string{"listen"}, holds(tryReceiver)}},
		{compatible, row{"receives pushes in compatible mode, and is heard", []string{"listen"}, holds(tryReceiver)}},
		{plainJSON, row{"receives JSON pushes in plain mode", []string{"listen"}, tryJSONReceiver}},
		{safeJSON, row{"receives JSON pushes in safe mode", []string{"listen"}, tryJSONReceiver}},
		{plain, row{"refuses a push that nobody signed, in plain mode", []string{"listen"}, tryUnsigned}},
		{safe, row{"refuses plaintext in safe mode", []string{"listen"}, tryPlaintext}},
		{safe, row{"our Callback opens what it seals, and it opens our reply", []string{"seal", "open"}, holds(tryOurCallback)}},
	}
}

func tryReceiver(t *testing.T, j *trial) {
	t.Helper()
	require.NoError(t, j.site.SetCallback(j.ask(t, "listen", question{}).URL))
	require.NoError(t, j.site.Verify(t.Context()))
	require.NoError(t, j.user.Scan(t.Context(), "desk-1"))
	require.NoError(t, j.user.Subscribe(t.Context(), true, "report"))
	before := len(j.user.Chat())
	require.NoError(t, j.user.Say(t.Context(), "在吗 <&>"))
	require.Empty(t, j.site.MalformedReply())
	chat := j.user.Chat()
	require.Len(t, chat, before+2, "what a user says, and what the account says to it")
	require.Equal(t, "您说：在吗 <&>", j.last(t).Text)
}

// tryJSONReceiver sees whether a receiver reads the other of the two formats
// that an account can choose. Where it does not, the user is told of a fault.
func tryJSONReceiver(t *testing.T, j *trial) string {
	t.Helper()
	require.NoError(t, j.site.SetCallback(j.ask(t, "listen", question{}).URL))
	require.NoError(t, j.site.Verify(t.Context()))
	require.NoError(t, j.user.Say(t.Context(), "在吗 <&>"))
	if j.last(t).From != wechattest.Notice {
		tryReceiver(t, j)
		return works
	}
	require.Len(t, j.user.Chat(), 2)
	require.Contains(t, j.last(t).Text, "故障")
	return "XML only"
}

// tryUnsigned sends what anybody can send who knows the address.
func tryUnsigned(t *testing.T, j *trial) string {
	t.Helper()
	return forged(t, j, "")
}

// tryPlaintext sends a body of its own under a signature that has been seen
// once, on its way in a push: that signature does not cover the body.
func tryPlaintext(t *testing.T, j *trial) string {
	t.Helper()
	stamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), "260774613"
	return forged(t, j, url.Values{"signature": {ours.Sign(j.site.Account().Token, stamp, nonce)}, "timestamp": {stamp}, "nonce": {nonce}}.Encode())
}

// forged says whether the receiver takes the push for the platform's.
func forged(t *testing.T, j *trial, query string) string {
	t.Helper()
	body := "<xml><ToUserName><![CDATA[" + j.site.Account().OriginalID + "]]></ToUserName><FromUserName><![CDATA[" + j.user.OpenID() +
		"]]></FromUserName><CreateTime>1795571808</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[forged]]></Content><MsgId>1</MsgId></xml>"
	address := j.ask(t, "listen", question{}).URL + "?" + query
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	switch {
	case response.StatusCode != http.StatusOK:
		return works
	case bytes.Contains(answer, []byte("您说：forged")):
		return "no, answers it"
	default:
		require.Contains(t, string(answer), "<Encrypt>")
		return "no, answers it sealed"
	}
}

func tryOurCallback(t *testing.T, j *trial) {
	t.Helper()
	account := j.site.Account()
	callback, err := ours.NewCallback(ours.CallbackConfig{
		AppID: account.AppID, OriginalID: account.OriginalID, Mode: ours.Safe, Tokens: []string{account.Token}, AESKeys: []string{account.AESKey},
		Handle: func(_ context.Context, push ours.Push) (ours.Reply, error) {
			text, _ := push.Content.(ours.Text)
			return ours.TextReply{Content: "您说：" + text.Content}, nil
		},
	})
	require.NoError(t, err)
	for n := range 32 { // every pad
		words := "请问" + strings.Repeat("a", n)
		stamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), strconv.Itoa(260_774_613+n)
		sealed := j.ask(t, "seal", question{Timestamp: stamp, Nonce: nonce, Text: "<xml><ToUserName><![CDATA[" + account.OriginalID +
			"]]></ToUserName><FromUserName><![CDATA[" + j.user.OpenID() + "]]></FromUserName><CreateTime>" + stamp +
			"</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[" + words + "]]></Content><MsgId>" +
			strconv.Itoa(24_000_000_000_000_000+n) + "</MsgId></xml>"})
		query := url.Values{
			"signature": {ours.Sign(account.Token, stamp, nonce)}, "timestamp": {stamp}, "nonce": {nonce}, "openid": {j.user.OpenID()},
			"encrypt_type": {"aes"}, "msg_signature": {sealed.Signature},
		}
		r := httptest.NewRequest(http.MethodPost, "/wechat?"+query.Encode(), strings.NewReader("<xml><ToUserName><![CDATA["+account.OriginalID+
			"]]></ToUserName><Encrypt><![CDATA["+sealed.Encrypt+"]]></Encrypt></xml>"))
		w := httptest.NewRecorder()
		callback.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
		reply := w.Body.String()
		opened := j.ask(t, "open", question{
			Encrypt: element(reply, "Encrypt"), Timestamp: element(reply, "TimeStamp"), Nonce: element(reply, "Nonce"), Signature: element(reply, "MsgSignature"),
		})
		require.Equal(t, account.AppID, opened.ID)
		require.Equal(t, element(reply, "MsgSignature"), opened.Signature)
		require.Equal(t, "您说："+words, element(opened.Text, "Content"))
	}
}

// element is the text of an element of flat XML.
func element(xml, name string) string {
	_, rest, _ := strings.Cut(xml, "<"+name+">")
	text, _, _ := strings.Cut(rest, "</"+name+">")
	return strings.TrimSuffix(strings.TrimPrefix(text, "<![CDATA["), "]]>")
}

// TestWeChatMatrix lets libraries that others have written judge the platform,
// each in everything that it can do, and prints what came of it. Of a library
// nothing is replaced but the transport below it. The documentation has the same
// table: -update writes it.
func TestWeChatMatrix(t *testing.T) {
	t.Parallel()
	libraries := []struct {
		name string
		open opener
	}{
		{"silenceper/wechat v2.1.9", openSilenceper},
		{"node-easywechat 3.6.2", openNpm("node-easywechat", "node-easywechat@3.6.2", "node-socialite@1.4.1")},
		{"wechat-api 1.35.1", openNpm("wechat-api", "wechat-api@1.35.1", "wechat-oauth@1.5.0", "wechat@2.1.0",
			"wechat-crypto@0.0.2")},
		{"co-wechat-api 3.11.0", openNpm("co-wechat-api", "co-wechat-api@3.11.0", "co-wechat-oauth@2.0.1",
			"co-wechat@2.4.0", "wechat-crypto@0.0.2")},
	}
	head := []string{"Capability"}
	table := [][]string{}
	here := make([]bool, len(libraries))
	add := func(name string) {
		table = append(table, append([]string{name}, slices.Repeat([]string{failed}, len(libraries))...))
	}
	for _, r := range callRows() {
		add(r.name)
	}
	for _, r := range pushRows() {
		add(r.name)
	}
	for _, l := range libraries {
		head = append(head, l.name)
	}
	t.Run("libraries", func(t *testing.T) {
		for column, l := range libraries {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				j := newTrial(t, wechattest.Config{}, l.open)
				for i, r := range callRows() {
					tryRow(t, r, j, &table[i][column+1])
				}
				for i, r := range pushRows() {
					tryRow(t, r.row, newTrial(t, r.config, l.open), &table[len(callRows())+i][column+1])
				}
				here[column] = true
			})
		}
	})
	t.Run("silenceper/wechat, further calls and refusals", silenceperFurther) //nolint:paralleltest // its HTTP client is one for the process
	printed := markdown(head, table)
	t.Log("\n" + printed)
	if !t.Failed() && slices.Contains(here, false) {
		t.Skip("not every library is here")
	}
	if !t.Failed() {
		checkMatrix(t, printed)
	}
}

func newTrial(t *testing.T, config wechattest.Config, open opener) *trial {
	t.Helper()
	ahead := new(atomic.Int64)
	config.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	config.Domains = []string{"hospital.example"}
	config.Library, config.Categories = officialLibrary(), []wechattest.Category{{ID: 616, Name: "公立医疗机构"}}
	config.AnyOrder = true // of a login link: node-socialite has another than the documented one
	config.Templates = append(officialTemplates(), wechattest.Template{ID: "old", Title: "旧模板", Content: "{{thing1.DATA}}"})
	site := wechattest.Start(t, config)
	account := site.Account()
	if config.Mode == ours.Plain {
		account.AESKey = "" // nothing is sealed in this mode
	}
	own, err := ours.New(ours.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: site.URL, Now: config.Now})
	require.NoError(t, err)
	return &trial{open(t, site, account), site, site.Follower(t.Context(), "陈素心"), own, ahead}
}

// tryRow fills one cell.
func tryRow(t *testing.T, r row, j *trial, cell *string) {
	t.Helper()
	if slices.ContainsFunc(r.calls, j.lacks) {
		*cell = noCall
		return
	}
	t.Run(r.name, func(t *testing.T) { *cell = r.check(t, j) })
}

func markdown(head []string, table [][]string) string {
	var b strings.Builder
	write := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	write(head)
	write(slices.Repeat([]string{"---"}, len(head)))
	for _, cells := range table {
		write(cells)
	}
	return b.String()
}

// checkMatrix holds the table against the one in the documentation.
func checkMatrix(t *testing.T, printed string) {
	t.Helper()
	const begin, end = "<!-- matrix: written by go test -run TestWeChatMatrix -update -->\n", "<!-- end of the matrix -->\n"
	page, err := os.ReadFile(matrixFile)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(page), begin)
	require.True(t, found)
	there, after, found := strings.Cut(rest, end)
	require.True(t, found)
	if *update {
		require.NoError(t, os.WriteFile(matrixFile, []byte(before+begin+printed+end+after), 0o644))
		return
	}
	require.Equal(t, there, printed, "the documentation says otherwise: run with -update and read the difference")
}
