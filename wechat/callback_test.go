package wechat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

const testToken = "TESTINGTOKEN"

// now is the wall clock of tests that need no other.
var now = time.Date(2026, 11, 24, 9, 30, 0, 0, hospital.CST)

// delivery is a push as the platform would send it; a test bends it.
type delivery struct {
	method string
	query  url.Values
	body   string
}

func (d delivery) set(name, value string) delivery {
	d.query = maps.Clone(d.query)
	d.query.Set(name, value)
	return d
}

func (d delivery) send(handler http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(d.method, "/wechat?"+d.query.Encode(), strings.NewReader(d.body))
	handler.ServeHTTP(w, r)
	return w
}

// plainly signs as in plain mode: the body stands aside.
func plainly(at time.Time, nonce, body string) delivery {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	return delivery{method: http.MethodPost, body: body, query: url.Values{
		"timestamp": {timestamp}, "nonce": {nonce}, "signature": {wechat.Sign(testToken, timestamp, nonce)}, "openid": {testOpenID},
	}}
}

// safely seals as in safe mode.
func safely(tb testing.TB, at time.Time, nonce, body string) delivery {
	tb.Helper()
	c, err := wechat.NewCipher(testAESKey, testAppID)
	require.NoError(tb, err)
	return sealed(at, nonce, c.Seal([]byte(body)))
}

func sealed(at time.Time, nonce, encrypt string) delivery {
	d := plainly(at, nonce, "<xml><ToUserName><![CDATA["+testOriginalID+"]]></ToUserName><Encrypt><![CDATA["+encrypt+"]]></Encrypt></xml>")
	d = d.set("encrypt_type", "aes")
	return d.set("msg_signature", wechat.Sign(testToken, d.query.Get("timestamp"), nonce, encrypt))
}

func textPush(id int, content string) string {
	return "<xml>" + envelopeXML + "<MsgType>text</MsgType><Content><![CDATA[" + content + "]]></Content><MsgId>" + strconv.Itoa(id) + "</MsgId></xml>"
}

func newCallback(tb testing.TB, edit func(*wechat.CallbackConfig)) *wechat.Callback {
	tb.Helper()
	config := wechat.CallbackConfig{
		AppID: testAppID, OriginalID: testOriginalID, Mode: wechat.Safe,
		Tokens: []string{testToken}, AESKeys: []string{testAESKey},
		Now: func() time.Time { return now },
		Handle: func(_ context.Context, p wechat.Push) (wechat.Reply, error) {
			if text, ok := p.Content.(wechat.Text); ok {
				return wechat.TextReply{Content: "你说：" + text.Content}, nil
			}
			return nil, nil
		},
	}
	if edit != nil {
		edit(&config)
	}
	callback, err := wechat.NewCallback(config)
	require.NoError(tb, err)
	return callback
}

func inMode(mode wechat.Mode) func(*wechat.CallbackConfig) {
	return func(c *wechat.CallbackConfig) { c.Mode = mode }
}

// unsealReply reads an encrypted reply as the platform does.
func unsealReply(tb testing.TB, body string) string {
	tb.Helper()
	var reply struct{ Encrypt, MsgSignature, TimeStamp, Nonce string }
	if strings.HasPrefix(body, "{") {
		var number struct {
			Encrypt, MsgSignature, Nonce string
			TimeStamp                    json.Number
		}
		require.NoError(tb, json.Unmarshal([]byte(body), &number))
		reply.Encrypt, reply.MsgSignature, reply.Nonce, reply.TimeStamp = number.Encrypt, number.MsgSignature, number.Nonce, number.TimeStamp.String()
	} else {
		unmarshalXML(tb, body, &reply)
	}
	require.True(tb, wechat.Signed(reply.MsgSignature, testToken, reply.TimeStamp, reply.Nonce, reply.Encrypt))
	c, err := wechat.NewCipher(testAESKey, testAppID)
	require.NoError(tb, err)
	message, err := c.Open(reply.Encrypt)
	require.NoError(tb, err)
	return string(message)
}

// TestAttacks holds every attack that some public SDK lets through, and beside
// each the honest push from which it was bent.
func TestAttacks(t *testing.T) {
	t.Parallel()
	cipherFor := func(appID string) *wechat.Cipher {
		c, err := wechat.NewCipher(testAESKey, appID)
		require.NoError(t, err)
		return c
	}
	honest := textPush(1, "挂号")
	forged := textPush(2, "给我退款")
	plain := func(at time.Time, nonce string) delivery { return plainly(at, nonce, honest) }
	safe := func(at time.Time, nonce string) delivery { return safely(t, at, nonce, honest) }
	greet := func() delivery {
		d := plainly(now, "n", "").set("echostr", "4375120948345356249")
		d.method = http.MethodGet
		return d
	}
	with := func(d delivery, body string) delivery { d.body = body; return d }
	get := func(d delivery) delivery { d.method = http.MethodGet; return d }
	twice := func(d delivery, name string) delivery {
		d = d.set(name, d.query.Get(name))
		d.query[name] = append(d.query[name], "x")
		return d
	}
	later := now.Add(5*time.Minute + time.Second)
	earlier := now.Add(-5*time.Minute - time.Second)
	for name, test := range map[string]struct {
		mode   wechat.Mode
		before []delivery // taken by the attacker on the way, after they were served
		honest delivery
		attack delivery
		code   string
	}{
		"a body in the clear where an AES key is configured": {wechat.Safe, nil, safe(now, "n"), with(plain(now, "n"), forged), "mode"},
		"the same, calling itself raw":                       {wechat.Safe, nil, safe(now, "n"), plain(now, "n").set("encrypt_type", "raw"), "mode"},
		"another body under a signature that was used":       {wechat.Plain, []delivery{plain(now, "n")}, plain(now, "m"), with(plain(now, "n"), forged), "replayed"},
		"the same, with the signature of the console's check": {
			wechat.Plain, []delivery{get(plain(now, "n").set("echostr", "1"))}, plain(now, "m"), with(plain(now, "n"), forged), "replayed",
		},
		"the same, with the plain signature beside a ciphertext": {
			wechat.Compatible, []delivery{safe(now, "n")}, plain(now, "m"), with(plain(now, "n"), forged), "replayed",
		},
		"a fourth delivery of the same bytes": {
			wechat.Plain, []delivery{plain(now, "n"), plain(now, "n"), plain(now, "n")}, plain(now, "m"), plain(now, "n"), "replayed",
		},
		"a push of yesterday":                  {wechat.Safe, nil, safe(now.Add(-5*time.Minute), "n"), safe(earlier, "n"), "timestamp"},
		"a push of tomorrow":                   {wechat.Safe, nil, safe(now.Add(5*time.Minute), "n"), safe(later, "n"), "timestamp"},
		"a fresh timestamp on an old push":     {wechat.Safe, nil, safe(now, "n"), safe(earlier, "n").set("timestamp", strconv.FormatInt(now.Unix(), 10)), "msg_signature"},
		"a timestamp that is no number":        {wechat.Safe, nil, safe(now, "n"), safe(now, "n").set("timestamp", "1e9"), "timestamp"},
		"another nonce":                        {wechat.Safe, nil, safe(now, "n"), safe(now, "n").set("nonce", "m"), "msg_signature"},
		"encrypt_type alone":                   {wechat.Safe, nil, safe(now, "n"), plain(now, "n").set("encrypt_type", "aes"), "encrypt_missing"},
		"a ciphertext under a plain signature": {wechat.Safe, nil, safe(now, "n"), safe(now, "n").set("msg_signature", ""), "msg_signature"},
		"the ciphertext of another push":       {wechat.Safe, nil, safe(now, "n"), with(safe(now, "n"), safe(now, "n").body), "msg_signature"},
		"an unknown encryption":                {wechat.Safe, nil, safe(now, "n"), safe(now, "n").set("encrypt_type", "rot13"), "mode"},
		"a ciphertext in plain mode":           {wechat.Plain, nil, plain(now, "n"), safe(now, "n"), "mode"},
		"no signature":                         {wechat.Plain, nil, plain(now, "n"), plain(now, "n").set("signature", ""), "query"},
		"no parameters":                        {wechat.Plain, nil, plain(now, "n"), delivery{method: http.MethodPost, body: honest}, "query"},
		"two signatures":                       {wechat.Plain, nil, plain(now, "n"), twice(plain(now, "n"), "signature"), "query"},
		"two kinds of encryption":              {wechat.Compatible, nil, safe(now, "n"), twice(safe(now, "n"), "encrypt_type"), "query"},
		"a wrong signature":                    {wechat.Plain, nil, plain(now, "n"), plain(now, "n").set("signature", strings.Repeat("0", 40)), "signature"},
		"a signature in capitals":              {wechat.Plain, nil, plain(now, "n"), plain(now, "n").set("signature", strings.ToUpper(plain(now, "n").query.Get("signature"))), "signature"},
		"a push for another app id":            {wechat.Safe, nil, safe(now, "n"), sealed(now, "a", cipherFor("wx0000000000000000").Seal([]byte(honest))), "app_id"},
		"a push to another account": {
			wechat.Safe, nil, safe(now, "n"), safely(t, now, "a", strings.Replace(honest, testOriginalID, "gh_other", 1)), "to_user_name",
		},
		"an echostr nobody signed":       {wechat.Safe, nil, greet(), greet().set("signature", ""), "query"},
		"an echostr signed by another":   {wechat.Safe, nil, greet(), greet().set("signature", strings.Repeat("0", 40)), "signature"},
		"an echostr of yesterday":        {wechat.Safe, nil, greet(), get(plain(earlier, "n").set("echostr", "1")), "timestamp"},
		"an echostr that is a page":      {wechat.Safe, nil, greet(), greet().set("echostr", strings.Repeat("<script>", 100)), "echostr"},
		"no echostr":                     {wechat.Safe, nil, greet(), greet().set("echostr", ""), "echostr"},
		"a body without end":             {wechat.Safe, nil, safe(now, "n"), with(safe(now, "n"), strings.Repeat("x", 64<<10+1)), "too_large"},
		"a document type inside":         {wechat.Safe, nil, safe(now, "n"), safely(t, now, "a", "<!DOCTYPE xml SYSTEM 'file:///etc/passwd'>"+honest), "bad_xml"},
		"a signed body that is not XML":  {wechat.Plain, nil, plain(now, "n"), with(plain(now, "a"), "hello"), "bad_xml"},
		"a signed ciphertext of nothing": {wechat.Safe, nil, safe(now, "n"), sealed(now, "a", "AAAA"), "encrypt_length"},
		"a ciphertext of random bytes":   {wechat.Safe, nil, safe(now, "n"), sealed(now, "a", strings.Repeat("A", 86)+"=="), "padding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			served := atomic.Int32{}
			callback := newCallback(t, func(c *wechat.CallbackConfig) {
				c.Mode = test.mode
				c.Logger = slog.New(slog.NewTextHandler(&log, nil))
				handle := c.Handle
				c.Handle = func(ctx context.Context, p wechat.Push) (wechat.Reply, error) {
					served.Add(1)
					return handle(ctx, p)
				}
			})
			for _, d := range test.before {
				require.Equal(t, http.StatusOK, d.send(callback).Code)
			}
			once := served.Load()
			w := test.attack.send(callback)
			require.GreaterOrEqual(t, w.Code, 400)
			require.Less(t, w.Code, 500)
			require.Equal(t, "refused: "+test.code+"\n", w.Body.String())
			require.Equal(t, once, served.Load(), "an attack reaches no handler")
			require.Contains(t, log.String(), "code="+test.code)
			for _, secret := range []string{wechat.Sign(testToken, test.attack.query.Get("timestamp"), test.attack.query.Get("nonce")), testToken, testAESKey, testOpenID} {
				require.NotContains(t, log.String()+w.Body.String(), secret)
			}
			w = test.honest.send(callback)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
		})
	}
}

func TestTheConsoleIsGreeted(t *testing.T) {
	t.Parallel()
	for _, mode := range []wechat.Mode{wechat.Plain, wechat.Compatible, wechat.Safe} {
		d := plainly(now, "n", "").set("echostr", "4375120948345356249")
		d.method = http.MethodGet
		w := d.send(newCallback(t, inMode(mode)))
		require.Equal(t, "4375120948345356249", w.Body.String())
		require.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	}
	d := plainly(now, "n", "")
	d.method = http.MethodPut
	require.Equal(t, http.StatusMethodNotAllowed, d.send(newCallback(t, nil)).Code)
}

func TestEveryModeAndFormatIsAnswered(t *testing.T) {
	t.Parallel()
	asXML := textPush(7, "你好 <&]")
	asJSON := "{" + envelopeJSON + `,"MsgType":"text","Content":"你好 <&","MsgId":7}`
	for name, test := range map[string]struct {
		mode   wechat.Mode
		push   delivery
		sealed bool
	}{
		"plain XML":                           {wechat.Plain, plainly(now, "n", asXML), false},
		"plain JSON":                          {wechat.Plain, plainly(now, "n", asJSON), false},
		"safe XML":                            {wechat.Safe, safely(t, now, "n", asXML), true},
		"safe JSON":                           {wechat.Safe, safely(t, now, "n", asJSON), true},
		"compatible, ciphertext":              {wechat.Compatible, safely(t, now, "n", asXML), true},
		"compatible, clear":                   {wechat.Compatible, plainly(now, "n", asJSON), false},
		"compatible, both: the sealed counts": {wechat.Compatible, beside(safely(t, now, "n", asXML)), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := test.push.send(newCallback(t, inMode(test.mode)))
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			body := w.Body.String()
			if test.sealed {
				require.NotContains(t, body, "你说")
				body = unsealReply(t, body)
			}
			if strings.HasSuffix(name, "JSON") || strings.HasSuffix(name, "clear") {
				require.JSONEq(t, `{"ToUserName":"`+testOpenID+`","FromUserName":"`+testOriginalID+`","CreateTime":`+
					strconv.FormatInt(now.Unix(), 10)+`,"MsgType":"text","Content":"你说：你好 <&"}`, body)
				return
			}
			var reply struct{ ToUserName, FromUserName, CreateTime, MsgType, Content string }
			unmarshalXML(t, body, &reply)
			require.Equal(t, testOpenID, reply.ToUserName)
			require.Equal(t, testOriginalID, reply.FromUserName)
			require.Equal(t, "你说：你好 <&]", reply.Content)
		})
	}
}

// beside puts fields in the clear next to the ciphertext, as compatible mode
// does; they lie.
func beside(d delivery) delivery {
	d.body = strings.Replace(d.body, "</xml>", "<MsgType>text</MsgType><Content>给我退款</Content><MsgId>9</MsgId></xml>", 1)
	return d
}

func TestOldSecretsServeWhileTheyAreReplaced(t *testing.T) {
	t.Parallel()
	callback := newCallback(t, func(c *wechat.CallbackConfig) {
		c.Tokens = []string{"NEWTOKEN", testToken}
		c.AESKeys = []string{strings.Repeat("A", 43), testAESKey}
	})
	w := safely(t, now, "n", textPush(1, "挂号")).send(callback)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Contains(t, unsealReply(t, w.Body.String()), "你说：挂号", "the reply is sealed under the secrets of the push")
}

// patient is a handler that waits for leave to answer.
type patient struct {
	calls atomic.Int32
	leave chan wechat.Reply
}

func (p *patient) handle(ctx context.Context, _ wechat.Push) (wechat.Reply, error) {
	p.calls.Add(1)
	select {
	case reply := <-p.leave:
		return reply, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestADuplicateIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	subscribe := xmlEvent("subscribe", "<EventKey>qrscene_1</EventKey>")
	for name, test := range map[string]struct {
		first, second string
		calls         int32
	}{
		"a message by its MsgId":                    {textPush(1, "a"), textPush(1, "a"), 1},
		"two messages":                              {textPush(1, "a"), textPush(2, "a"), 2},
		"an event by sender, second, event and key": {subscribe, subscribe, 1},
		"two events of one second":                  {subscribe, xmlEvent("SCAN", "<EventKey>1</EventKey>"), 2},
		"one event with two keys":                   {xmlEvent("CLICK", "<EventKey>1</EventKey>"), xmlEvent("CLICK", "<EventKey>2</EventKey>"), 2},
		"two template results of one second":        {xmlEvent("TEMPLATESENDJOBFINISH", "<MsgID>1</MsgID><Status>success</Status>"), xmlEvent("TEMPLATESENDJOBFINISH", "<MsgID>2</MsgID><Status>success</Status>"), 2},
		"an event that came back with a field more": {xmlEvent("CLICK", "<EventKey>1</EventKey>"), xmlEvent("CLICK", "<EventKey>1</EventKey><X/>"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			callback := newCallback(t, func(c *wechat.CallbackConfig) {
				c.Handle = func(context.Context, wechat.Push) (wechat.Reply, error) {
					return wechat.TextReply{Content: "第" + strconv.Itoa(int(calls.Add(1))) + "次"}, nil
				}
			})
			one := safely(t, now, "n1", test.first).send(callback)
			two := safely(t, now.Add(5*time.Second), "n2", test.second).send(callback)
			require.Equal(t, test.calls, calls.Load())
			if test.calls == 1 {
				require.Equal(t, unsealReply(t, one.Body.String()), unsealReply(t, two.Body.String()))
			}
		})
	}
}

func TestADuplicateWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &patient{leave: make(chan wechat.Reply)}
		callback := newCallback(t, func(c *wechat.CallbackConfig) { c.Handle = slow.handle })
		answers := make(chan string, 3)
		for n := range 3 {
			push := safely(t, now, strconv.Itoa(n), textPush(1, "a"))
			go func() { answers <- push.send(callback).Body.String() }()
		}
		synctest.Wait()
		slow.leave <- wechat.TextReply{Content: "好"}
		first := unsealReply(t, <-answers)
		require.Contains(t, first, "好")
		require.Equal(t, first, unsealReply(t, <-answers))
		require.Equal(t, first, unsealReply(t, <-answers))
		require.EqualValues(t, 1, slow.calls.Load())
	})
}

func TestAConnectionThatIsCutEndsNoHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &patient{leave: make(chan wechat.Reply)}
		late := make(chan wechat.Reply, 1)
		callback := newCallback(t, func(c *wechat.CallbackConfig) {
			c.Handle = slow.handle
			c.Late = func(_ context.Context, _ wechat.Push, reply wechat.Reply) { late <- reply }
		})
		ctx, cut := context.WithCancel(t.Context())
		push := safely(t, now, "n", textPush(1, "a"))
		first := make(chan string)
		go func() {
			w := httptest.NewRecorder()
			callback.ServeHTTP(w, httptest.NewRequest(push.method, "/?"+push.query.Encode(), strings.NewReader(push.body)).WithContext(ctx))
			first <- w.Body.String()
		}()
		synctest.Wait()
		cut()
		require.Empty(t, <-first, "nobody listens")
		slow.leave <- wechat.TextReply{Content: "好"}
		require.NoError(t, callback.Drain(t.Context()))
		w := safely(t, now, "m", textPush(1, "a")).send(callback)
		require.Contains(t, unsealReply(t, w.Body.String()), "好", "the next delivery gets the answer")
		require.EqualValues(t, 1, slow.calls.Load())
		require.Empty(t, late, "what was answered in time goes one way only")
	})
}

func TestThePlatformNeverWaitsBeyondTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &patient{leave: make(chan wechat.Reply)}
		late := make(chan wechat.Reply, 2)
		callback := newCallback(t, func(c *wechat.CallbackConfig) {
			c.Handle = slow.handle
			c.Late = func(_ context.Context, p wechat.Push, reply wechat.Reply) {
				require.Equal(t, wechat.OpenID(testOpenID), p.From)
				late <- reply
			}
		})
		start := time.Now()
		w := safely(t, now, "n", textPush(1, "a")).send(callback)
		require.Equal(t, "success", w.Body.String())
		require.Equal(t, 4500*time.Millisecond, time.Since(start))

		// Once told "success", every delivery is: the reply goes one way only.
		w = safely(t, now, "m", textPush(1, "a")).send(callback)
		require.Equal(t, "success", w.Body.String())
		require.Equal(t, 4500*time.Millisecond, time.Since(start))

		slow.leave <- wechat.TextReply{Content: "好"}
		require.NoError(t, callback.Drain(t.Context()))
		require.Equal(t, wechat.TextReply{Content: "好"}, <-late)
		w = safely(t, now, "o", textPush(1, "a")).send(callback)
		require.Equal(t, "success", w.Body.String())
		require.Empty(t, late)
		require.EqualValues(t, 1, slow.calls.Load())
	})
}

func TestALateReplyThatNobodyTakesIsLoggedWithoutThePerson(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		late func(context.Context, wechat.Push, wechat.Reply)
		says string
	}{
		"no hook":           {nil, "wechat reply came too late and is dropped"},
		"a hook that fails": {func(context.Context, wechat.Push, wechat.Reply) { panic("boom") }, "wechat late hook panicked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				slow := &patient{leave: make(chan wechat.Reply)}
				callback := newCallback(t, func(c *wechat.CallbackConfig) {
					c.Handle, c.Late, c.Logger = slow.handle, test.late, slog.New(slog.NewTextHandler(&log, nil))
				})
				require.Equal(t, "success", safely(t, now, "n", textPush(1, "我叫陈素心")).send(callback).Body.String())
				slow.leave <- wechat.TextReply{Content: "好"}
				require.NoError(t, callback.Drain(t.Context()))
				require.Contains(t, log.String(), test.says)
				require.Contains(t, log.String(), "push.from=***3bGY push.type=text")
				require.NotContains(t, log.String(), "陈素心")
				require.NotContains(t, log.String(), testOpenID)
			})
		})
	}
}

func TestAFailedHandlerIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() (wechat.Reply, error){
		"an error":            func() (wechat.Reply, error) { return nil, errors.New("no database") },
		"a panic":             func() (wechat.Reply, error) { panic("boom") },
		"an impossible reply": func() (wechat.Reply, error) { return wechat.TextReply{}, nil },
		"a nil reply":         func() (wechat.Reply, error) { return (*wechat.TextReply)(nil), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls int
			callback := newCallback(t, func(c *wechat.CallbackConfig) {
				c.Handle = func(context.Context, wechat.Push) (wechat.Reply, error) {
					calls++
					if calls == 1 {
						return fail()
					}
					return wechat.TextReply{Content: "好"}, nil
				}
			})
			require.Equal(t, http.StatusInternalServerError, safely(t, now, "n", textPush(1, "a")).send(callback).Code)
			w := safely(t, now, "m", textPush(1, "a")).send(callback)
			require.Contains(t, unsealReply(t, w.Body.String()), "好")
		})
	}
}

func TestAWordlessAnswerIsSuccess(t *testing.T) {
	t.Parallel()
	w := safely(t, now, "n", xmlEvent("CLICK", "<EventKey>1</EventKey>")).send(newCallback(t, nil))
	require.Equal(t, "success", w.Body.String())
}

func TestTooManyPushesAreSentAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &patient{leave: make(chan wechat.Reply)}
		callback := newCallback(t, func(c *wechat.CallbackConfig) { c.Handle = slow.handle; c.MaxConcurrent = 1 })
		push := safely(t, now, "n", textPush(1, "a"))
		go push.send(callback)
		synctest.Wait()
		require.Equal(t, http.StatusServiceUnavailable, safely(t, now, "m", textPush(2, "b")).send(callback).Code)
		slow.leave <- wechat.TextReply{Content: "好"}
		require.NoError(t, callback.Drain(t.Context()))
		go func() { slow.leave <- wechat.TextReply{Content: "好"} }()
		require.Equal(t, http.StatusOK, safely(t, now, "o", textPush(2, "b")).send(callback).Code)
	})
}

func TestAHandlerThatNeverReturnsIsEndedByItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &patient{leave: make(chan wechat.Reply)}
		callback := newCallback(t, func(c *wechat.CallbackConfig) { c.Handle = slow.handle })
		require.Equal(t, "success", safely(t, now, "n", textPush(1, "a")).send(callback).Body.String())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, callback.Drain(ctx), context.DeadlineExceeded)
		require.NoError(t, callback.Drain(t.Context()))
	})
}

func TestNewCallbackNamesTheBadField(t *testing.T) {
	t.Parallel()
	for field, edit := range map[string]func(*wechat.CallbackConfig){
		"AppID":      func(c *wechat.CallbackConfig) { c.AppID = "" },
		"OriginalID": func(c *wechat.CallbackConfig) { c.OriginalID = "" },
		"Mode":       func(c *wechat.CallbackConfig) { c.Mode = 0 },
		"Tokens":     func(c *wechat.CallbackConfig) { c.Tokens = []string{""} },
		"AESKeys":    func(c *wechat.CallbackConfig) { c.AESKeys = nil },
		"43 letters": func(c *wechat.CallbackConfig) { c.AESKeys = []string{"short"} },
		"Handle":     func(c *wechat.CallbackConfig) { c.Handle = nil },
		"Budget":     func(c *wechat.CallbackConfig) { c.Budget = -1 },
	} {
		config := wechat.CallbackConfig{
			AppID: testAppID, OriginalID: testOriginalID, Mode: wechat.Safe, Tokens: []string{testToken}, AESKeys: []string{testAESKey},
			Handle: func(context.Context, wechat.Push) (wechat.Reply, error) { return nil, nil },
		}
		edit(&config)
		_, err := wechat.NewCallback(config)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), field)
		require.ErrorContains(t, err, field)
	}
}

// FuzzCallback signs whatever comes, so that it gets past the signature.
func FuzzCallback(f *testing.F) {
	f.Add([]byte(textPush(1, "挂号")), true)
	f.Add([]byte(jsonEvent("subscribe_msg_sent_event", `,"List":[{"ErrorCode":0},{"ErrorCode":"x"}]`)), false)
	f.Add([]byte("<xml><Encrypt>AAAA</Encrypt></xml>"), false)
	f.Fuzz(func(t *testing.T, body []byte, seal bool) {
		callback := newCallback(t, inMode(wechat.Compatible))
		d := plainly(now, "n", string(body))
		if seal {
			d = safely(t, now, "n", string(body))
		}
		switch w := d.send(callback); w.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
	})
}

// BenchmarkOpen is the receive path of safe mode: verify, decrypt and parse a
// text message of 352 bytes of ciphertext.
func BenchmarkOpen(b *testing.B) {
	var cipher string
	for _, v := range readVectors(b).Decrypt {
		if v.ID == "C1" {
			cipher = v.Encrypt
		}
	}
	callback, err := wechat.NewCallback(wechat.CallbackConfig{
		AppID: "wx45f133bf6fce646e", OriginalID: "gh_b1eb3f8bd6c6", Mode: wechat.Safe,
		Tokens: []string{testToken}, AESKeys: []string{"AdiqDDDvUNCeE1ZW5XJmjf9fqNBJpGBs4vL4cHKmHBS"},
		Now:    func() time.Time { return now },
		Handle: func(context.Context, wechat.Push) (wechat.Reply, error) { return nil, nil },
	})
	require.NoError(b, err)
	d := sealed(now, "n", cipher)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		nonce := strconv.Itoa(n)
		query := d.set("nonce", nonce).set("msg_signature", wechat.Sign(testToken, d.query.Get("timestamp"), nonce, cipher)).query.Encode()
		body := []byte(d.body)
		b.StartTimer()
		values, err := url.ParseQuery(query)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := callback.Open(values, body); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAReplyThatWasPromisedAnotherWayGoesNoOtherWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := make(chan wechat.Reply, 2)
		callback := newCallback(t, func(c *wechat.CallbackConfig) {
			c.Now = time.Now
			c.Handle = func(context.Context, wechat.Push) (wechat.Reply, error) {
				<-time.After(5500 * time.Millisecond)
				return wechat.TextReply{Content: "好"}, nil
			}
			c.Late = func(_ context.Context, _ wechat.Push, reply wechat.Reply) { late <- reply }
		})
		first := safely(t, time.Now(), "n", textPush(1, "a"))
		second := safely(t, time.Now(), "m", textPush(1, "a"))
		told := make(chan string, 2)
		go func() { told <- first.send(callback).Body.String() }()
		<-time.After(2 * time.Second) // the second waits already when the first is told "success"
		go func() { told <- second.send(callback).Body.String() }()
		require.Equal(t, "success", <-told)
		require.Equal(t, "success", <-told, "the patient would read the reply twice")
		require.Equal(t, wechat.TextReply{Content: "好"}, <-late)
		require.NoError(t, callback.Drain(t.Context()))
		require.Empty(t, late)
	})
}
