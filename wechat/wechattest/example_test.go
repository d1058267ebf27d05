package wechattest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// strangersHandler is WeChat code of another project that reads no push and
// therefore only says "success".
func strangersHandler(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success") }

// A project tests its own WeChat code: it runs a platform, makes its handler
// the account's server, and lets a user write.
func ExampleStart() {
	// In a test file of your own: func TestReply(t *testing.T) { … }
	_ = func(t *testing.T) { //nolint:thelper // it stands for a test
		site := wechattest.Start(t, wechattest.Config{Mode: wechat.Plain})
		site.CallbackTo(http.HandlerFunc(strangersHandler))
		if err := site.Follower(t.Context(), "陈素心").Say(t.Context(), "在吗"); err != nil || site.MalformedReply() != "" {
			t.Error(err, site.MalformedReply())
		}
	}
	// Output:
}

func TestAStrangersProjectNeedsThreeLines(t *testing.T) {
	t.Parallel()
	site := wechattest.Start(t, wechattest.Config{Mode: wechat.Plain})
	site.CallbackTo(http.HandlerFunc(strangersHandler))
	patient := site.Follower(t.Context(), "陈素心")
	require.NoError(t, patient.Say(t.Context(), "在吗"))
	require.Empty(t, site.MalformedReply())
	require.Len(t, patient.Chat(), 1)
}

// A follower says hello to an account whose server does not understand WeChat,
// and the phone shows what a patient would see.
func ExamplePlatform() {
	platform, err := wechattest.New(wechattest.Config{
		Callback:   "http://hospital.example/wechat",
		HTTPClient: inProcess(says(http.StatusOK, `{"reply":"hello"}`)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = platform.Close() }()
	ctx := context.Background()
	patient, err := platform.Join("陈素心")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(patient.Say(ctx, "在吗"))
	fmt.Println(patient.Follow(ctx))
	for _, bubble := range patient.Chat() {
		fmt.Println(bubble.From, bubble.Text)
	}
	fmt.Println(platform.MalformedReply())
	// Output:
	// wechattest.Say: rejected [not_following]: only a follower can write
	// <nil>
	// notice 该公众号提供的服务出现故障，请稍后再试
	// malformed reply: not one xml element
}

// A template message is checked against its template. What was accepted is on
// the phone when the platform has delivered it.
func ExampleFollower() {
	now := time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)
	platform, err := wechattest.New(wechattest.Config{
		Now:       func() time.Time { return now },
		Templates: []wechattest.Template{{ID: "booked", Title: "预约成功通知", Content: "就诊人:{{thing1.DATA}}\n就诊时间:{{time2.DATA}}"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = platform.Close() }()
	ctx := context.Background()
	patient, err := platform.Join("陈素心")
	if err == nil {
		err = patient.Follow(ctx)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	call := func(method, target, body string) string { // any WeChat client does this over HTTP
		w := httptest.NewRecorder()
		platform.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body)))
		return w.Body.String()
	}
	account := platform.Account()
	var token struct {
		Token string `json:"access_token"`
	}
	answer := call(http.MethodGet, "/cgi-bin/token?grant_type=client_credential&appid="+account.AppID+"&secret="+account.Secret, "")
	if err := json.Unmarshal([]byte(answer), &token); err != nil {
		fmt.Println(err)
		return
	}
	for _, when := range []string{"明天", "2026年11月24日 08:30"} {
		body := fmt.Sprintf(`{"touser":%q,"template_id":"booked","data":{"thing1":{"value":"陈素心"},"time2":{"value":%q}}}`, patient.OpenID(), when)
		answer, _, _ := strings.Cut(call(http.MethodPost, "/cgi-bin/message/template/send?access_token="+token.Token, body), " rid: ")
		fmt.Println(answer)
	}
	now = now.Add(time.Second)
	if _, err := platform.Advance(ctx); err != nil {
		fmt.Println(err)
	}
	for _, bubble := range patient.Chat() {
		fmt.Println(bubble.Cards[0].Title, bubble.Cards[0].Lines)
	}
	// Output:
	// {"errcode":47003,"errmsg":"argument invalid! data.time2.value invalid
	// {"errcode":0,"errmsg":"ok","msgid":3000000000000000001}
	// 预约成功通知 [{就诊人 thing1 陈素心} {就诊时间 time2 2026年11月24日 08:30}]
}

func ExampleFollower_Push() {
	p, err := wechattest.New(wechattest.Config{Mode: wechat.Plain, Format: wechat.JSON})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close() //nolint:errcheck // a platform in memory
	ours := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		push, err := io.ReadAll(r.Body)
		if _, after, found := strings.Cut(string(push), `"Event":`); err == nil && found {
			fmt.Println(after)
		}
		_, _ = io.WriteString(w, "success")
	}))
	defer ours.Close()
	if err := p.SetCallback(ours.URL); err != nil {
		fmt.Println(err)
		return
	}
	f, err := p.Join("陈素心")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Push(context.Background(), wechattest.KfCreateSession("test1@hospital")))
	fmt.Println(p.Push(context.Background(), wechattest.AnnualRenew(time.Unix(1442401156, 0))))
	// Output:
	// "kf_create_session","KfAccount":"test1@hospital"}
	// <nil>
	// "annual_renew","ExpiredTime":1442401156}
	// <nil>
}
