package wechattest_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

const fault = "该公众号提供的服务出现故障，请稍后再试"

// callbackTo is an account whose server is the handler.
func callbackTo(tb testing.TB, handler http.Handler, config wechattest.Config) *account {
	tb.Helper()
	config.Callback, config.HTTPClient = "http://hospital.example/wechat?tenant=1", inProcess(handler)
	return open(tb, config)
}

func TestAPushIsSignedAndSealedAsTheModeSays(t *testing.T) {
	t.Parallel()
	for _, mode := range []wechat.Mode{wechat.Plain, wechat.Compatible, wechat.Safe} {
		for _, format := range []wechat.Format{wechat.XML, wechat.JSON} {
			t.Run(fmt.Sprint(mode, format), func(t *testing.T) {
				t.Parallel()
				inbox := &inbox{}
				a := callbackTo(t, inbox, wechattest.Config{Mode: mode, Format: format})
				f := a.follower("陈素心")
				require.NoError(t, f.Say(t.Context(), "a<b>&\"]]>在吗"))
				require.Equal(t, 2, inbox.count())
				ours, q, body := a.Account(), inbox.queries[1], inbox.last()
				require.Equal(t, "1", q.Get("tenant"), "what the address carries stays")
				require.Equal(t, f.OpenID(), q.Get("openid"))
				require.True(t, wechat.Signed(q.Get("signature"), ours.Token, q.Get("timestamp"), q.Get("nonce")))
				wantType := map[wechat.Format]string{wechat.XML: "text/xml", wechat.JSON: "application/json"}[format]
				require.Equal(t, wantType, inbox.headers[1].Get("Content-Type"))
				var outer struct {
					XMLName               xml.Name `json:"-"`
					ToUserName, Encrypt   string
					FromUserName, MsgType string
					Content               string
					CreateTime            int64
					MessageID             int64 `xml:"MsgId" json:"MsgId"`
				}
				decode := func(text string) {
					outer.XMLName = xml.Name{}
					if format == wechat.JSON {
						require.NoError(t, json.Unmarshal([]byte(text), &outer))
						return
					}
					require.NoError(t, xml.Unmarshal([]byte(text), &outer))
					require.Equal(t, "xml", outer.XMLName.Local)
				}
				decode(body)
				require.Equal(t, ours.OriginalID, outer.ToUserName)
				require.Equal(t, mode == wechat.Safe, outer.Content == "", "safe mode shows nothing")
				if mode == wechat.Plain {
					require.Empty(t, q.Get("encrypt_type"))
					require.Empty(t, outer.Encrypt)
				} else {
					require.Equal(t, "aes", q.Get("encrypt_type"))
					require.True(t, wechat.Signed(q.Get("msg_signature"), ours.Token, q.Get("timestamp"), q.Get("nonce"), outer.Encrypt))
					cipher, err := wechat.NewCipher(ours.AESKey, ours.AppID)
					require.NoError(t, err)
					message, err := cipher.Open(outer.Encrypt)
					require.NoError(t, err)
					decode(string(message))
				}
				require.Equal(t, f.OpenID(), outer.FromUserName)
				require.Equal(t, "text", outer.MsgType)
				require.Equal(t, "a<b>&\"]]>在吗", outer.Content)
				require.Equal(t, opening.Unix(), outer.CreateTime)
				require.Greater(t, outer.MessageID, int64(1)<<32)
			})
		}
	}
}

func TestSubscriptionListsAreAnObjectOrAnArrayInJSON(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	a := callbackTo(t, inbox, wechattest.Config{Mode: wechat.Plain, Format: wechat.JSON})
	f := a.follower("陈素心")
	require.NoError(t, f.Subscribe(t.Context(), true, "queue"))
	require.Contains(t, inbox.last(), `"SubscribeMsgPopupEvent":{"List":{"TemplateId":"queue"`)
	require.NoError(t, f.Subscribe(t.Context(), true, "queue", "report"))
	require.Contains(t, inbox.last(), `"SubscribeMsgPopupEvent":{"List":[{"TemplateId":"queue"`)
}

func TestEveryVerbPushesItsEvent(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	a := callbackTo(t, inbox, wechattest.Config{Mode: wechat.Plain})
	require.Zero(t, a.post("/cgi-bin/menu/create", `{"button":[{"type":"click","name":"挂号","key":"book"},{"type":"view","name":"主页","url":"http://a.cn/?a=1&b=2"}]}`).Code)
	f, err := a.Join("陈素心")
	require.NoError(t, err)
	for _, step := range []struct {
		do   func() error
		says string
	}{
		{func() error { return f.Scan(t.Context(), "desk-1") }, "<Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_desk-1]]></EventKey><Ticket><![CDATA[gQ"},
		{func() error { return f.Scan(t.Context(), "desk-2") }, "<Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[desk-2]]></EventKey><Ticket><![CDATA[gQ"},
		{func() error { _, err := f.Tap(t.Context(), "挂号"); return err }, "<Event><![CDATA[CLICK]]></Event><EventKey><![CDATA[book]]></EventKey>"},
		{func() error { _, err := f.Tap(t.Context(), "主页"); return err }, "<Event><![CDATA[VIEW]]></Event><EventKey><![CDATA[http://a.cn/?a=1&b=2]]></EventKey>"},
		{func() error { return f.Say(t.Context(), "在吗") }, "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[在吗]]></Content><MsgId>"},
		{func() error { return f.Unfollow(t.Context()) }, "<Event><![CDATA[unsubscribe]]></Event>"},
		{func() error { return f.Follow(t.Context()) }, "<Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[]]></EventKey></xml>"},
	} {
		before := inbox.count()
		require.NoError(t, step.do())
		require.Equal(t, before+1, inbox.count())
		require.Contains(t, inbox.last(), step.says)
	}
	require.NoError(t, f.Follow(t.Context()))
	require.Equal(t, 7, inbox.count(), "who follows already is not pushed again")
}

func TestAPushWithoutAnAnswerIsMadeThreeTimesInAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		begun := time.Now()
		ids := make(chan string, 8)
		a := callbackTo(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			ids <- r.URL.Query().Get("nonce")
			<-r.Context().Done()
		}), wechattest.Config{Mode: wechat.Plain})
		f, err := a.Join("陈素心")
		require.NoError(t, err)
		require.NoError(t, f.Follow(t.Context()))
		require.EqualValues(t, 3, calls.Load())
		require.Equal(t, 15*time.Second, time.Since(begun), "five seconds each")
		first, second := <-ids, <-ids
		require.NotEqual(t, first, second, "each delivery is signed anew")
		require.Equal(t, []wechattest.Bubble{{At: opening, From: wechattest.Notice, Kind: "text", Text: fault}}, f.Chat())
		require.Zero(t, a.Pending())
	})
}

func TestTheSecondDeliveryIsTheSameMessage(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	var calls atomic.Int32
	a := callbackTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if inbox.ServeHTTP(discard{}, r); calls.Add(1) < 4 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte("success"))
	}), wechattest.Config{Mode: wechat.Plain})
	f := a.follower("陈素心")
	require.EqualValues(t, 3, calls.Load())
	require.NoError(t, f.Say(t.Context(), "在吗"))
	require.EqualValues(t, 4, calls.Load())
	require.Equal(t, inbox.bodies[0], inbox.bodies[1])
	require.Equal(t, inbox.bodies[0], inbox.bodies[2])
	require.Len(t, f.Chat(), 2, "one notice, and what was said")
}

// discard is a writer of nothing.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestAPushWhoseCallerIsGoneStaysDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var talks atomic.Bool
		inbox := &inbox{}
		a := callbackTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !talks.Load() {
				<-r.Context().Done()
				return
			}
			inbox.ServeHTTP(w, r)
		}), wechattest.Config{})
		f, err := a.Join("陈素心")
		require.NoError(t, err)
		ctx, cancel := withTimeout(t, time.Second)
		defer cancel()
		require.ErrorIs(t, f.Follow(ctx), ctx.Err())
		require.Equal(t, 1, a.Pending())
		talks.Store(true)
		_, err = a.Advance(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, inbox.count())
		require.Zero(t, a.Pending())
	})
}

func TestRunPushesWhatIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inbox := &inbox{}
		p, err := wechattest.New(wechattest.Config{Callback: "http://hospital.example", HTTPClient: inProcess(inbox), Templates: templates()})
		require.NoError(t, err)
		a := &account{Platform: p, tb: t}
		ctx, cancel := withTimeout(t, time.Hour)
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		f := a.follower("陈素心")
		require.Zero(t, a.post(templatePath, send(f.OpenID(), "booked", bookedData)).Code)
		synctest.Wait()
		require.Equal(t, 1, inbox.count())
		time.Sleep(time.Second) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		require.Equal(t, 2, inbox.count())
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, p.Close())
	})
}

func TestAVerbReturnsWithTheAnswerAlsoBesideRun(t *testing.T) {
	t.Parallel()
	a := callbackTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "no reply to %s", r.URL.Query().Get("openid")) // each is followed by a notice
	}), wechattest.Config{Mode: wechat.Plain})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	var everybody sync.WaitGroup
	for n := range 8 {
		everybody.Go(func() {
			f, err := a.Join(fmt.Sprint(n))
			if err == nil {
				err = f.Follow(t.Context())
			}
			for i := 0; err == nil && i < 20; i++ {
				err = f.Say(t.Context(), "在吗")
				if got := len(f.Chat()); got != 2*i+3 {
					err = fmt.Errorf("%d bubbles after %d texts", got, i+1)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	everybody.Wait()
	cancel()
	require.NoError(t, <-ended)
}

func TestTheConsoleChecksTheServerAddress(t *testing.T) {
	t.Parallel()
	echo := func(after string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.URL.Query().Get("echostr") + after))
		})
	}
	require.NoError(t, callbackTo(t, echo(""), wechattest.Config{}).Verify(t.Context()))
	require.ErrorIs(t, callbackTo(t, echo("\n"), wechattest.Config{}).Verify(t.Context()), &hospital.Error{Kind: hospital.Rejected, Code: "token_invalid"})
	require.ErrorIs(t, callbackTo(t, says(500, ""), wechattest.Config{}).Verify(t.Context()), &hospital.Error{Kind: hospital.Unavailable, Code: "no_answer"})
	require.ErrorIs(t, open(t, wechattest.Config{}).Verify(t.Context()), &hospital.Error{Kind: hospital.Invalid, Code: "no_callback"})
}

// message is a bare reply in XML.
func message(a *account, f *wechattest.Follower, inner string) string {
	return fmt.Sprintf("<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime>%s</xml>", f.OpenID(), a.Account().OriginalID, inner)
}

const textReply = "<MsgType>text</MsgType><Content><![CDATA[您好]]></Content>"

func TestABareReplyIsReadStrictly(t *testing.T) {
	t.Parallel()
	reply := ""
	a := callbackTo(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(reply)) }), wechattest.Config{Mode: wechat.Plain})
	f := a.follower("陈素心")
	good := message(a, f, textReply)
	news := func(n int, count string) string {
		return message(a, f, "<MsgType>news</MsgType><ArticleCount>"+count+"</ArticleCount><Articles>"+strings.Repeat("<item><Title>膏方</Title><Url>http://a.cn</Url></item>", n)+"</Articles>")
	}
	for _, test := range []struct{ name, reply, kind, text string }{
		{"nothing", "", "", ""},
		{"success", "success", "", ""},
		{"a text", good, "text", "您好"},
		{"with a prolog and spaces", "<?xml version=\"1.0\"?>\n" + good + "\n", "text", "您好"},
		{"an image", message(a, f, "<MsgType>image</MsgType><Image><MediaId>m1</MediaId></Image>"), "image", "m1"},
		{"an article", news(1, "1"), "news", ""},
		{"a transfer", message(a, f, "<MsgType>transfer_customer_service</MsgType>"), "transfer_customer_service", ""},
		{"words", "ok", "text", fault},
		{"SUCCESS", "SUCCESS", "text", fault},
		{"JSON", `{"MsgType":"text"}`, "text", fault},
		{"half of it", good[:len(good)-6], "text", fault},
		{"two of it", good + good, "text", fault},
		{"words after it", good + "x", "text", fault},
		{"another root", strings.ReplaceAll(good, "xml>", "XML>"), "text", fault},
		{"a doctype", "<!DOCTYPE xml>" + good, "text", fault},
		{"no UTF-8", strings.Replace(good, "您好", "\xc4\xfa", 1), "text", fault},
		{"to another user", strings.Replace(good, f.OpenID(), "o0", 1), "text", fault},
		{"from another account", strings.Replace(good, a.Account().OriginalID, "gh_0", 1), "text", fault},
		{"two recipients", strings.Replace(good, "<CreateTime>", "<ToUserName>"+f.OpenID()+"</ToUserName><CreateTime>", 1), "text", fault},
		{"a time that is none", strings.Replace(good, "<CreateTime>1", "<CreateTime>now", 1), "text", fault},
		{"an unknown type", strings.Replace(good, ">text<", ">card<", 1), "text", fault},
		{"no content", strings.Replace(good, "您好", "", 1), "text", fault},
		{"2049 bytes", strings.Replace(good, "您好", strings.Repeat("a", 2049), 1), "text", fault},
		{"an image without media", message(a, f, "<MsgType>image</MsgType>"), "text", fault},
		{"two articles", news(2, "2"), "text", fault},
		{"a wrong count", news(1, "2"), "text", fault},
		{"sealed in plain mode", "<xml><Encrypt>x</Encrypt></xml>", "text", fault},
		{"70 KB", strings.Repeat("x", 70<<10), "text", fault},
		{"nested too deep", strings.Repeat("<xml>", 20), "text", fault},
	} {
		reply = test.reply
		before := len(f.Chat())
		require.NoError(t, f.Say(t.Context(), "在吗"), test.name)
		shown := f.Chat()[before+1:]
		if test.kind == "" {
			require.Empty(t, shown, test.name)
			continue
		}
		require.Len(t, shown, 1, test.name)
		require.Equal(t, test.kind, shown[0].Kind, test.name)
		require.Equal(t, test.text, shown[0].Text, test.name)
		require.Equal(t, test.text == fault, shown[0].From == wechattest.Notice, test.name)
	}
	require.Contains(t, a.MalformedReply(), "malformed reply: ")
	reply = "ok"
	before := len(f.Chat())
	require.NoError(t, f.Unfollow(t.Context()))
	require.Len(t, f.Chat(), before, "nobody is left to be told")
}

func TestASealedReplyIsReadStrictly(t *testing.T) {
	t.Parallel()
	reply := ""
	a := callbackTo(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(reply)) }), wechattest.Config{})
	f := a.follower("陈素心")
	ours := a.Account()
	cipher, err := wechat.NewCipher(ours.AESKey, ours.AppID)
	require.NoError(t, err)
	foreign, err := wechat.NewCipher(ours.AESKey, "wx0")
	require.NoError(t, err)
	wrap := func(sealed, signature, stamp, nonce string) string {
		return "<xml><Encrypt>" + sealed + "</Encrypt><MsgSignature>" + signature + "</MsgSignature><TimeStamp>" + stamp + "</TimeStamp><Nonce>" + nonce + "</Nonce></xml>"
	}
	signed := func(sealed string) string { return wrap(sealed, wechat.Sign(ours.Token, "1", "n", sealed), "1", "n") }
	good := message(a, f, textReply)
	sealed := cipher.Seal([]byte(good))
	for _, test := range []struct {
		name, reply string
		shown       string
	}{
		{"sealed and signed", signed(sealed), "您好"},
		{"nothing inside", signed(cipher.Seal(nil)), ""},
		{"success", "success", ""},
		{"bare", good, fault},
		{"a foreign account's frame", signed(foreign.Seal([]byte(good))), fault},
		{"a wrong signature", wrap(sealed, wechat.Sign("other", "1", "n", sealed), "1", "n"), fault},
		{"a signature that leaves the body out", wrap(sealed, wechat.Sign(ours.Token, "1", "n"), "1", "n"), fault},
		{"without a nonce", wrap(sealed, wechat.Sign(ours.Token, "1", "", sealed), "1", ""), fault},
		{"without a time", wrap(sealed, wechat.Sign(ours.Token, "", "n", sealed), "", "n"), fault},
		{"a broken frame", signed(sealed[:len(sealed)-44]), fault},
		{"malformed inside", signed(cipher.Seal([]byte("hello"))), fault},
	} {
		reply = test.reply
		before := len(f.Chat())
		require.NoError(t, f.Say(t.Context(), "在吗"), test.name)
		shown := f.Chat()[before+1:]
		if test.shown == "" {
			require.Empty(t, shown, test.name)
			continue
		}
		require.Len(t, shown, 1, test.name)
		require.Equal(t, test.shown, shown[0].Text, test.name)
	}
}

func TestOurCallbackAndThePlatformUnderstandEachOther(t *testing.T) {
	t.Parallel()
	for _, mode := range []wechat.Mode{wechat.Plain, wechat.Compatible, wechat.Safe} {
		for _, format := range []wechat.Format{wechat.XML, wechat.JSON} {
			t.Run(fmt.Sprint(mode, format), func(t *testing.T) {
				t.Parallel()
				var handler http.Handler
				a := callbackTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }), wechattest.Config{Mode: mode, Format: format})
				ours := a.Account()
				callback, err := wechat.NewCallback(wechat.CallbackConfig{
					AppID: ours.AppID, OriginalID: ours.OriginalID, Mode: mode, Tokens: []string{ours.Token}, AESKeys: []string{ours.AESKey}, Now: a.clock.Now,
					Handle: answerText,
				})
				require.NoError(t, err)
				handler = callback
				require.NoError(t, a.Verify(t.Context()))
				f := a.follower("陈素心")
				require.NoError(t, f.Say(t.Context(), "在吗"))
				require.Empty(t, a.MalformedReply())
				require.Len(t, f.Chat(), 3)
				require.Equal(t, "您好", f.Chat()[0].Text)
				require.Equal(t, "您说：在吗", f.Chat()[2].Text)
			})
		}
	}
}

func answerText(_ context.Context, push wechat.Push) (wechat.Reply, error) {
	if said, is := push.Content.(wechat.Text); is {
		return wechat.TextReply{Content: "您说：" + said.Content}, nil
	}
	return wechat.TextReply{Content: "您好"}, nil
}

func TestAnEventMayBeAnsweredWithEightArticles(t *testing.T) {
	t.Parallel()
	for _, format := range []wechat.Format{wechat.XML, wechat.JSON} {
		for n, kind := range map[int]string{8: "news", 9: "text"} {
			var handler http.Handler
			a := callbackTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }), wechattest.Config{Mode: wechat.Plain, Format: format})
			handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				to := r.URL.Query().Get("openid")
				items := make([]map[string]string, n)
				xmlItems := strings.Repeat("<item><Title>膏方</Title><Url>http://a.cn</Url></item>", n)
				for i := range items {
					items[i] = map[string]string{"Title": "膏方", "Url": "http://a.cn"}
				}
				if format == wechat.XML {
					_, _ = fmt.Fprintf(w, "<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime><MsgType>news</MsgType><ArticleCount>%d</ArticleCount><Articles>%s</Articles></xml>", to, a.Account().OriginalID, n, xmlItems)
					return
				}
				_ = json.NewEncoder(w).Encode(map[string]any{"ToUserName": to, "FromUserName": a.Account().OriginalID, "CreateTime": 1, "MsgType": "news", "ArticleCount": n, "Articles": items})
			})
			f := a.follower("陈素心")
			require.Len(t, f.Chat(), 1)
			require.Equal(t, kind, f.Chat()[0].Kind, a.MalformedReply())
		}
	}
}

func withTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

// FuzzReply lets the account's server answer anything, bare and sealed.
func FuzzReply(f *testing.F) {
	var reply []byte
	a := callbackTo(f, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(reply) }), wechattest.Config{Mode: wechat.Compatible, Format: wechat.JSON})
	person, err := a.Join("陈素心")
	require.NoError(f, err)
	require.NoError(f, person.Follow(f.Context()))
	cipher, err := wechat.NewCipher(a.Account().AESKey, a.Account().AppID)
	require.NoError(f, err)
	f.Add([]byte(message(a, person, textReply)), false)
	f.Add([]byte(`{"ToUserName":"o","Articles":[{"Title":1}]}`), true)
	f.Fuzz(func(t *testing.T, body []byte, seal bool) {
		if reply = body; seal {
			sealed := cipher.Seal(body)
			reply = []byte("<xml><Encrypt>" + sealed + "</Encrypt><MsgSignature>" + wechat.Sign(a.Account().Token, "1", "n", sealed) + "</MsgSignature><TimeStamp>1</TimeStamp><Nonce>n</Nonce></xml>")
		}
		require.NoError(t, person.Say(t.Context(), "在吗"))
		require.Zero(t, a.Pending())
	})
}
