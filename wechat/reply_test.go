package wechat_test

import (
	"context"
	"encoding/xml"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat"
)

func unmarshalXML(tb testing.TB, text string, into any) {
	tb.Helper()
	require.NoError(tb, xml.Unmarshal([]byte(text), into))
}

// TestReplies reads what we write with programs that we did not write.
func TestReplies(t *testing.T) {
	t.Parallel()
	const evil = `</Content>]]><x a="1">&amp;` + "\"\\\n" // what breaks naive writers
	one := wechat.Article{Title: evil, Description: "d", PictureURL: "http://p/?a=1&b=2", URL: "http://u/"}
	for name, test := range map[string]struct {
		reply wechat.Reply
		json  string
	}{
		"text":  {wechat.TextReply{Content: evil}, `"MsgType":"text","Content":"EVIL"`},
		"image": {wechat.ImageReply{MediaID: evil}, `"MsgType":"image","Image":{"MediaId":"EVIL"}`},
		"voice": {wechat.VoiceReply{MediaID: evil}, `"MsgType":"voice","Voice":{"MediaId":"EVIL"}`},
		"video": {
			wechat.VideoReply{MediaID: "m", Title: evil, Description: "d"},
			`"MsgType":"video","Video":{"MediaId":"m","Title":"EVIL","Description":"d"}`,
		},
		"music": {
			wechat.MusicReply{Title: evil, Description: "d", URL: "u", HQURL: "h", ThumbMediaID: "t"},
			`"MsgType":"music","Music":{"Title":"EVIL","Description":"d","MusicUrl":"u","HQMusicUrl":"h","ThumbMediaId":"t"}`,
		},
		"news": {
			wechat.NewsReply{Articles: []wechat.Article{one, {Title: "2"}}},
			`"MsgType":"news","ArticleCount":2,"Articles":[
				{"Title":"EVIL","Description":"d","PicUrl":"http://p/?a=1&b=2","Url":"http://u/"},{"Title":"2","Description":"","PicUrl":"","Url":""}]`,
		},
		"a person at the desk": {wechat.TransferReply{}, `"MsgType":"transfer_customer_service"`},
		"a certain person": {
			wechat.TransferReply{Account: "test1@test"},
			`"MsgType":"transfer_customer_service","TransInfo":{"KfAccount":"test1@test"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			callback := newCallback(t, func(c *wechat.CallbackConfig) {
				c.Mode = wechat.Plain
				c.Handle = func(context.Context, wechat.Push) (wechat.Reply, error) { return test.reply, nil }
			})
			w := plainly(now, "n", jsonEvent("CLICK", "")).send(callback)
			require.Equal(t, "application/json; charset=utf-8", w.Header().Get("Content-Type"))
			want := strings.Replace(test.json, "EVIL", `</Content>]]><x a=\"1\">&amp;\"\\\n`, 1)
			require.JSONEq(t, `{"ToUserName":"`+testOpenID+`","FromUserName":"`+testOriginalID+`","CreateTime":1795483800,`+want+`}`, w.Body.String())
			require.NotContains(t, w.Body.String(), `\u`)

			w = plainly(now, "m", xmlEvent("CLICK", "<EventKey>1</EventKey>")).send(callback)
			require.Equal(t, "application/xml; charset=utf-8", w.Header().Get("Content-Type"))
			var got struct {
				MsgType, Content string
				Image, Voice     struct {
					MediaID string `xml:"MediaId"`
				}
				Video     struct{ Title string }
				Music     struct{ Title string }
				Articles  []struct{ Title string } `xml:"Articles>item"`
				TransInfo struct{ KfAccount string }
			}
			unmarshalXML(t, w.Body.String(), &got)
			texts := got.Content + got.Image.MediaID + got.Voice.MediaID + got.Video.Title + got.Music.Title
			for _, a := range got.Articles {
				texts += a.Title
			}
			switch reply := test.reply.(type) {
			case wechat.NewsReply:
				require.Equal(t, evil+"2", texts)
			case wechat.TransferReply:
				require.Equal(t, reply.Account, got.TransInfo.KfAccount)
			default:
				require.Equal(t, evil, texts)
			}
			echoed, err := wechat.ParsePush(strings.Replace(w.Body.String(), "<MsgType>", "<MsgId>1</MsgId><MsgType>", 1))
			require.NoError(t, err, "our own reader takes it too")
			require.Equal(t, got.MsgType, echoed.Type)
		})
	}
}

func TestImpossibleRepliesAreRefused(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]wechat.Reply{
		"an empty text":        wechat.TextReply{},
		"a text too long":      wechat.TextReply{Content: strings.Repeat("字", 683)},
		"no picture":           wechat.ImageReply{},
		"no sound":             wechat.VoiceReply{},
		"no film":              wechat.VideoReply{Title: "t"},
		"music without a face": wechat.MusicReply{URL: "u"},
		"no article":           wechat.NewsReply{},
		"a desk without name":  wechat.TransferReply{Account: "test1"},
		"nine articles":        wechat.NewsReply{Articles: make([]wechat.Article, 9)},
	} {
		callback := newCallback(t, func(c *wechat.CallbackConfig) {
			c.Handle = func(context.Context, wechat.Push) (wechat.Reply, error) { return reply, nil }
		})
		w := safely(t, now, "n", textPush(1, "a")).send(callback)
		require.Equal(t, http.StatusInternalServerError, w.Code, name)
	}
}
