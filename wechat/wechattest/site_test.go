package wechattest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// opening is a Monday morning.
var opening = time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)

func newClock() *testclock.Clock { return testclock.At(opening) }

// account is a platform with a clock that a test moves, asked without a
// network.
type account struct {
	*wechattest.Platform
	clock *testclock.Clock
	tb    testing.TB
}

func open(tb testing.TB, config wechattest.Config) *account {
	tb.Helper()
	a := &account{clock: newClock(), tb: tb}
	config.Now = a.clock.Now
	if config.Templates == nil {
		config.Templates = templates()
	}
	var err error
	a.Platform, err = wechattest.New(config)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, a.Close()) })
	return a
}

func templates() []wechattest.Template {
	return []wechattest.Template{
		{ID: "booked", Title: "预约成功通知", Content: "就诊人:{{thing1.DATA}}\n就诊时间:{{time2.DATA}}\n科室:{{thing22.DATA}}"},
		{ID: "legacy", Title: "挂号通知", Content: "{{first.DATA}}\n姓名：{{keyword1.DATA}}\n{{remark.DATA}}"},
		{ID: "report", Title: "报告通知", Content: "项目:{{thing1.DATA}}", Kind: wechattest.LongTerm},
		{ID: "queue", Title: "候诊提醒", Content: "序号:{{number1.DATA}}", Kind: wechattest.OneTime},
	}
}

// ask makes one call. Values are pairs of a query.
func (a *account) ask(method, path, body string, pairs ...string) *httptest.ResponseRecorder {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(method, path+"?"+query.Encode(), strings.NewReader(body))
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, r)
	return w
}

// get and post are calls with a token.
func (a *account) get(path string, pairs ...string) answer {
	return read(a.tb, a.ask(http.MethodGet, path, "", append(pairs, "access_token", a.token())...))
}

func (a *account) post(path, body string) answer {
	return read(a.tb, a.ask(http.MethodPost, path, body, "access_token", a.token()))
}

// token is a stable token.
func (a *account) token() string {
	a.tb.Helper()
	got := a.stable(false)
	require.NotEmpty(a.tb, got.Token, "%d %s", got.Code, got.Text)
	return got.Token
}

func (a *account) stable(force bool) answer {
	a.tb.Helper()
	body, err := json.Marshal(map[string]any{
		"grant_type": "client_credential", "appid": a.Account().AppID, "secret": a.Account().Secret, "force_refresh": force,
	})
	require.NoError(a.tb, err)
	return read(a.tb, a.ask(http.MethodPost, "/cgi-bin/stable_token", string(body)))
}

func (a *account) classic() answer {
	a.tb.Helper()
	return read(a.tb, a.ask(http.MethodGet, "/cgi-bin/token", "",
		"grant_type", "client_credential", "appid", a.Account().AppID, "secret", a.Account().Secret))
}

// works reports the errcode that a token gets.
func (a *account) works(token string) int {
	a.tb.Helper()
	return read(a.tb, a.ask(http.MethodGet, "/cgi-bin/getcallbackip", "", "access_token", token)).Code
}

// follower lets a person follow.
func (a *account) follower(name string) *wechattest.Follower {
	a.tb.Helper()
	f, err := a.Join(name)
	require.NoError(a.tb, err)
	require.NoError(a.tb, f.Follow(a.tb.Context()))
	return f
}

// answer is any answer.
type answer struct {
	Code    int    `json:"errcode"`
	Text    string `json:"errmsg"`
	Token   string `json:"access_token"`
	Expires int    `json:"expires_in"`
	MsgID   int64  `json:"msgid"`

	MediaID  string `json:"media_id"`
	ThumbID  string `json:"thumb_media_id"`
	VideoURL string `json:"video_url"`
	URL      string `json:"url"`
	Menu     string `json:"menuid"`
	Ticket   string `json:"ticket"`
	Key      string `json:"short_key"`
	Publish  string `json:"publish_id"`
	Tag      struct {
		ID int `json:"id"`
	} `json:"tag"`
	raw string
}

func read(tb testing.TB, w *httptest.ResponseRecorder) answer {
	tb.Helper()
	require.Equal(tb, http.StatusOK, w.Code)
	require.Equal(tb, "application/json; encoding=utf-8", w.Header().Get("Content-Type"))
	got := answer{raw: w.Body.String()}
	require.NoError(tb, json.Unmarshal(w.Body.Bytes(), &got), got.raw)
	return got
}

// roundTrip is a transport that never leaves the process.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// inProcess calls the handler in its own goroutine and gives up when the
// request's context ends, as a network does.
func inProcess(handler http.Handler) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Body == nil {
			r.Body = http.NoBody // a server's requests always have one
		}
		done := make(chan *http.Response, 1)
		go func() {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			done <- w.Result()
		}()
		select {
		case response := <-done:
			return response, nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	})}
}

// says is a callback that always replies the same.
func says(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}
