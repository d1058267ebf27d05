package interop_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/stretchr/testify/require"
	ours "github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// benchAccount is the account of the benchmarks; its key and token are those
// of Tencent's sample code.
func benchAccount() wechattest.Account {
	return wechattest.Account{
		AppID: "wxb11529c136998cb6", OriginalID: "gh_97417a04a28d", Token: "pamtest", AESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
	}
}

// sealedText is a safe-mode text message signed for now, with 352 bytes of
// ciphertext. Each n is another message: ours refuses a replay.
func sealedText(tb testing.TB, n int64) *http.Request {
	tb.Helper()
	account := benchAccount()
	cipher, err := ours.NewCipher(account.AESKey, account.AppID)
	require.NoError(tb, err)
	stamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), strconv.FormatInt(260_774_613+n, 10)
	const from = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	encrypt := cipher.Seal([]byte("<xml><ToUserName><![CDATA[" + account.OriginalID + "]]></ToUserName>\n<FromUserName><![CDATA[" + from + "]]></FromUserName>\n" +
		"<CreateTime>" + stamp + "</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[请问针灸科上午还有号吗]]></Content>\n<MsgId>" +
		strconv.FormatInt(24_000_000_000_000_000+n, 10) + "</MsgId>\n</xml>"))
	raw, err := base64.StdEncoding.DecodeString(encrypt)
	require.NoError(tb, err)
	require.Len(tb, raw, 352)
	query := url.Values{
		"signature": {ours.Sign(account.Token, stamp, nonce)}, "timestamp": {stamp}, "nonce": {nonce}, "openid": {from},
		"encrypt_type": {"aes"}, "msg_signature": {ours.Sign(account.Token, stamp, nonce, encrypt)},
	}
	body := "<xml>\n<ToUserName><![CDATA[" + account.OriginalID + "]]></ToUserName>\n<Encrypt><![CDATA[" + encrypt + "]]></Encrypt>\n</xml>"
	r := httptest.NewRequest(http.MethodPost, "/wechat?"+query.Encode(), strings.NewReader(body))
	r.Header.Set("Content-Type", "text/xml")
	return r
}

func sealedTexts(tb testing.TB, n int) []*http.Request {
	tb.Helper()
	all := make([]*http.Request, n)
	for i := range all {
		all[i] = sealedText(tb, int64(i))
	}
	return all
}

// receiver goes from a request to the words in it: read, verified, decrypted,
// parsed.
type receiver func(*http.Request) (words string)

func ourReceiver(tb testing.TB) receiver {
	tb.Helper()
	account := benchAccount()
	callback, err := ours.NewCallback(ours.CallbackConfig{
		AppID: account.AppID, OriginalID: account.OriginalID, Mode: ours.Safe, Tokens: []string{account.Token}, AESKeys: []string{account.AESKey},
		Handle: func(context.Context, ours.Push) (ours.Reply, error) { return nil, nil }, //nolint:nilnil // no reply
	})
	require.NoError(tb, err)
	return func(r *http.Request) string {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err.Error()
		}
		push, err := callback.Open(r.URL.Query(), body)
		if err != nil {
			return err.Error()
		}
		text, _ := push.Content.(ours.Text)
		return text.Content
	}
}

func silenceperWords() receiver {
	official := silenceper(benchAccount(), true)
	return func(r *http.Request) (words string) {
		server := official.GetServer(r, nowhere{})
		server.SetMessageHandler(func(m *message.MixMessage) *message.Reply {
			words = m.Content
			return nil
		})
		if err := server.Serve(); err != nil {
			return err.Error()
		}
		return words
	}
}

// nowhere is a response that nobody reads.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// TestReceivingAllocatesLittle holds ours to its bound. Speed is for the
// benchmark: tests do not time.
func TestReceivingAllocatesLittle(t *testing.T) { //nolint:paralleltest // counts the process's allocations
	const runs = 200
	requests, next := sealedTexts(t, 2*(runs+1)), 0
	allocations := func(receive receiver) int {
		return int(testing.AllocsPerRun(runs, func() {
			require.Equal(t, "请问针灸科上午还有号吗", receive(requests[next]))
			next++
		}))
	}
	mine, theirs := allocations(ourReceiver(t)), allocations(silenceperWords())
	t.Logf("allocations of one safe-mode text: %d, silenceper %d", mine, theirs)
	require.LessOrEqual(t, mine, 60)
	require.Less(t, mine, theirs)
}

// BenchmarkReceive reads each message both ways, in turn, and reports the time
// of each and how many times longer silenceper takes.
func BenchmarkReceive(b *testing.B) {
	const batch = 1024
	mine, theirs := ourReceiver(b), silenceperWords()
	var took [2]time.Duration
	made := 0
	for made < b.N {
		b.StopTimer()
		n := min(batch, b.N-made)
		pair := [2][]*http.Request{make([]*http.Request, n), make([]*http.Request, n)}
		for i := range n {
			pair[0][i], pair[1][i] = sealedText(b, int64(made+i)), sealedText(b, int64(made+i))
		}
		b.StartTimer()
		for side, receive := range [2]receiver{mine, theirs} {
			start := time.Now()
			for _, r := range pair[side] {
				if receive(r) != "请问针灸科上午还有号吗" {
					b.Fatal("not read")
				}
			}
			took[side] += time.Since(start)
		}
		made += n
	}
	b.ReportMetric(0, "ns/op") // both together say nothing
	b.ReportMetric(nanos(took[0], b.N), "ns/ours")
	b.ReportMetric(nanos(took[1], b.N), "ns/silenceper")
	b.ReportMetric(nanos(took[1], 1)/nanos(took[0], 1), "x")
}

func nanos(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / float64(n) }

// BenchmarkReceiveOurs and BenchmarkReceiveSilenceper show bytes and
// allocations.
func BenchmarkReceiveOurs(b *testing.B) { benchReceive(b, ourReceiver(b)) }

func BenchmarkReceiveSilenceper(b *testing.B) { benchReceive(b, silenceperWords()) }

func benchReceive(b *testing.B, receive receiver) {
	b.Helper()
	requests := sealedTexts(b, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if receive(requests[i]) != "请问针灸科上午还有号吗" {
			b.Fatal("not read")
		}
	}
}
