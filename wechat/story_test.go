package wechat_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// TestPushesOfThePlatform runs a patient's visit through our callback and the
// simulated platform, in every mode and format of the console.
func TestPushesOfThePlatform(t *testing.T) {
	t.Parallel()
	for _, mode := range []wechat.Mode{wechat.Plain, wechat.Compatible, wechat.Safe} {
		for _, format := range []wechat.Format{wechat.XML, wechat.JSON} {
			t.Run(fmt.Sprintf("mode %d, format %d", mode, format), func(t *testing.T) {
				t.Parallel()
				tellStory(t, mode, format)
			})
		}
	}
}

func tellStory(t *testing.T, mode wechat.Mode, format wechat.Format) {
	t.Helper()
	site := wechattest.Start(t, wechattest.Config{
		Mode: mode, Format: format,
		Templates: []wechattest.Template{
			{ID: "T", Title: "预约成功", Content: "就诊人:{{thing1.DATA}}"},
			{ID: "S", Title: "报告已出", Content: "项目:{{thing1.DATA}}", Kind: wechattest.OneTime},
		},
	})
	account := site.Account()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: site.URL})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdle)
	var mu sync.Mutex
	var heard []wechat.Content
	config := wechat.CallbackConfig{
		AppID: account.AppID, OriginalID: account.OriginalID, Mode: mode, Tokens: []string{account.Token},
		Handle: func(_ context.Context, p wechat.Push) (wechat.Reply, error) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, p.Content)
			switch c := p.Content.(type) {
			case wechat.Subscribe:
				return wechat.TextReply{Content: "欢迎关注 " + c.Scene}, nil
			case wechat.Text:
				return wechat.NewsReply{Articles: []wechat.Article{{Title: "关于" + c.Content, URL: "https://h.example.com/?a=1&b=2"}}}, nil
			case wechat.Click:
				return wechat.TransferReply{}, nil
			}
			return nil, nil
		},
	}
	if mode != wechat.Plain {
		config.AESKeys = []string{account.AESKey}
	}
	callback, err := wechat.NewCallback(config)
	require.NoError(t, err)
	site.CallbackTo(callback)
	require.NoError(t, site.Verify(t.Context()), "the console accepts the address")

	f, err := site.Join("陈素心")
	require.NoError(t, err)
	require.NoError(t, f.Scan(t.Context(), "bed12"))
	require.NoError(t, client.PublishMenu(t.Context(), wechat.Menu{Buttons: []wechat.Button{
		{Name: "人工", Type: "click", Key: "DESK"}, {Name: "挂号", Type: "view", URL: "https://h.example.com/book"},
	}}))
	require.NoError(t, f.Say(t.Context(), "挂号<&]]>"))
	_, err = f.Tap(t.Context(), "人工")
	require.NoError(t, err)
	_, err = f.Tap(t.Context(), "挂号")
	require.NoError(t, err)
	require.NoError(t, f.Subscribe(t.Context(), true, "S"))
	to := wechat.OpenID(f.OpenID())
	sent, err := client.Notify(t.Context(), wechat.Notice{Kind: wechat.TemplateMessage, To: to, Template: "T", Data: map[string]string{"thing1": "a"}})
	require.NoError(t, err)
	_, err = client.Notify(t.Context(), wechat.Notice{Kind: wechat.SubscriptionNotice, To: to, Template: "S", Data: map[string]string{"thing1": "a"}})
	require.NoError(t, err)
	for site.Pending() > 0 {
		_, err := site.Advance(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, f.Unfollow(t.Context()))
	require.NoError(t, callback.Drain(t.Context()))

	mu.Lock()
	defer mu.Unlock()
	require.Len(t, heard, 8)
	subscribed, ok := heard[0].(wechat.Subscribe)
	require.True(t, ok)
	require.Equal(t, "bed12", subscribed.Scene)
	require.NotEmpty(t, subscribed.Ticket)
	require.Equal(t, wechat.Text{Content: "挂号<&]]>"}, heard[1])
	require.Equal(t, wechat.Click{Key: "DESK"}, heard[2])
	view, ok := heard[3].(wechat.View)
	require.True(t, ok)
	require.Equal(t, "https://h.example.com/book", view.URL)
	require.Equal(t, wechat.SubscriptionsChosen{Choices: []wechat.SubscriptionChoice{{TemplateID: "S", Accepted: true, Scene: "0"}}}, heard[4])
	require.Contains(t, heard[5:7], wechat.TemplateSent{MsgID: sent.MsgID, Status: "success"})
	for _, content := range heard[5:7] {
		if results, ok := content.(wechat.SubscriptionsSent); ok {
			require.Len(t, results.Results, 1)
			require.Equal(t, "S", results.Results[0].TemplateID)
			require.Zero(t, results.Results[0].Code)
		}
	}
	require.Equal(t, wechat.Unsubscribe{}, heard[7])

	var texts []string
	for _, bubble := range f.Chat() {
		if bubble.From == wechattest.Ours {
			texts = append(texts, bubble.Text)
			for _, card := range bubble.Cards {
				texts = append(texts, card.Title)
			}
		}
	}
	require.Contains(t, texts, "欢迎关注 bed12")
	require.Contains(t, texts, "关于挂号<&]]>")
	require.Empty(t, site.MalformedReply(), "the platform understood every reply")
}

// TestALateReplyArrivesAsAMessage lets a handler take longer than the platform
// waits, and sends what it says by the other way.
func TestALateReplyArrivesAsAMessage(t *testing.T) {
	t.Parallel()
	site := wechattest.Start(t, wechattest.Config{})
	account := site.Account()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: site.URL})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdle)
	leave := make(chan struct{})
	var calls atomic.Int32
	callback, err := wechat.NewCallback(wechat.CallbackConfig{
		AppID: account.AppID, OriginalID: account.OriginalID, Mode: wechat.Safe,
		Tokens: []string{account.Token}, AESKeys: []string{account.AESKey}, Budget: 20 * time.Millisecond,
		Handle: func(_ context.Context, p wechat.Push) (wechat.Reply, error) {
			if _, ok := p.Content.(wechat.Text); !ok {
				return nil, nil
			}
			calls.Add(1)
			<-leave
			return wechat.TextReply{Content: "您前面还有3人"}, nil
		},
		Late: func(ctx context.Context, p wechat.Push, reply wechat.Reply) {
			if text, ok := reply.(wechat.TextReply); ok {
				if err := client.SendText(ctx, p.From, text.Content); err != nil {
					t.Errorf("late: %v", err)
				}
			}
		},
	})
	require.NoError(t, err)
	site.CallbackTo(callback)
	f := site.Follower(t.Context(), "陈素心")
	require.NoError(t, f.Say(t.Context(), "排队"))
	close(leave)
	require.NoError(t, callback.Drain(t.Context()))
	chat := f.Chat()
	require.Equal(t, "您前面还有3人", chat[len(chat)-1].Text)
	require.EqualValues(t, 1, calls.Load())
}

// TestEveryPushOfThePlatformIsUnderstood lets the platform push everything it
// can, in both formats, and reads what our callback made of it.
func TestEveryPushOfThePlatformIsUnderstood(t *testing.T) {
	t.Parallel()
	for _, format := range []wechat.Format{wechat.XML, wechat.JSON} {
		t.Run(fmt.Sprintf("format %d", format), func(t *testing.T) {
			t.Parallel()
			hearEverything(t, format)
		})
	}
}

func hearEverything(t *testing.T, format wechat.Format) {
	t.Helper()
	site := wechattest.Start(t, wechattest.Config{Format: format})
	account := site.Account()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: site.URL})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdle)
	var heard []wechat.Push // one at a time: every verb waits for its answer
	callback, err := wechat.NewCallback(wechat.CallbackConfig{
		AppID: account.AppID, OriginalID: account.OriginalID, Mode: wechat.Safe, Tokens: []string{account.Token}, AESKeys: []string{account.AESKey},
		Handle: func(_ context.Context, p wechat.Push) (wechat.Reply, error) {
			heard = append(heard, p)
			return nil, nil
		},
	})
	require.NoError(t, err)
	site.CallbackTo(callback)
	f := site.Follower(t.Context(), "陈素心")
	require.NoError(t, client.PublishMenu(t.Context(), wechat.Menu{Buttons: []wechat.Button{
		{Name: "扫一扫", Sub: []wechat.Button{{Name: "扫码", Type: "scancode_push", Key: "s"}, {Name: "扫卡", Type: "scancode_waitmsg", Key: "w"}}},
		{Name: "照片", Sub: []wechat.Button{{Name: "拍照", Type: "pic_sysphoto", Key: "p"}, {Name: "相册", Type: "pic_photo_or_album", Key: "a"}, {Name: "微信", Type: "pic_weixin", Key: "x"}}},
		{Name: "位置", Type: "location_select", Key: "l"},
	}}))
	png, jpeg, amr, mp4 := []byte("\x89PNG\r\n\x1a\n"), []byte("\xff\xd8\xff"), []byte("#!AMR\n"), []byte("\x00\x00\x00\x18ftypmp42")
	at := time.Unix(1442401156, 0).In(hospital.CST)
	ctx := t.Context()
	// expect pushes, and finds the content among what was heard by it.
	expect := func(want wechat.Content, push func() error) {
		t.Helper()
		before := len(heard)
		require.NoError(t, push())
		require.Greater(t, len(heard), before)
		require.Equal(t, want, heard[before].Content)
	}
	by := func(e wechattest.Event) func() error { return func() error { return f.Push(ctx, e) } }
	platform := func(e wechattest.Event) func() error { return func() error { return site.Push(ctx, e) } }

	expect(wechat.ScanCode{Key: "s", Kind: "qrcode", Result: "1"}, func() error { return f.ScanFromMenu(ctx, "扫码", "qrcode", "1") })
	expect(wechat.ScanCode{Key: "w", Kind: "barcode", Result: "2", Waits: true}, func() error { return f.ScanFromMenu(ctx, "扫卡", "barcode", "2") })
	for name, key := range map[string]string{"拍照": "p", "相册": "a", "微信": "x"} {
		expect(wechat.Pictures{Key: key, Count: 2, MD5s: []string{md5Of(png), md5Of(jpeg)}}, func() error { return f.PicturesFromMenu(ctx, name, png, jpeg) })
	}
	expect(wechat.LocationSelect{Key: "l", Latitude: "31.57", Longitude: "120.30", Scale: "16", Label: "中南路8号"},
		func() error { return f.PlaceFromMenu(ctx, "位置", "31.57", "120.30", "中南路8号") })
	expect(wechat.Location{Latitude: "1", Longitude: "2", Scale: "16", Label: "x"}, func() error { return f.SendLocation(ctx, "1", "2", "x") })
	expect(wechat.Link{Title: "t", Description: "d", URL: "u"}, func() error { return f.SendLink(ctx, "t", "d", "u") })
	expect(wechat.Position{Latitude: "1", Longitude: "2", Precision: "3"}, func() error { return f.ReportPosition(ctx, "1", "2", "3") })
	require.NoError(t, f.SendVoice(ctx, amr, "挂号"))
	voice, ok := heard[len(heard)-1].Content.(wechat.Voice)
	require.True(t, ok)
	require.Equal(t, "挂号", voice.Recognition)
	require.NoError(t, f.SendVideo(ctx, mp4, jpeg, true))
	video, ok := heard[len(heard)-1].Content.(wechat.Video)
	require.True(t, ok)
	require.True(t, video.Short && video.ThumbMediaID != "" && video.MediaID != "")
	require.NoError(t, f.SendImage(ctx, png))
	image, ok := heard[len(heard)-1].Content.(wechat.Image)
	require.True(t, ok)
	require.NotEmpty(t, image.MediaID)

	expect(wechat.SessionCreated{Account: "a@h"}, by(wechattest.KfCreateSession("a@h")))
	expect(wechat.SessionSwitched{From: "a@h", To: "b@h"}, by(wechattest.KfSwitchSession("a@h", "b@h")))
	expect(wechat.SessionClosed{Account: "b@h"}, by(wechattest.KfCloseSession("b@h")))
	expect(wechat.MassSent{MsgID: 7, Status: "send success", Total: 3, Filtered: 3, Sent: 2, Failed: 1}, platform(wechattest.MassSendJobFinish(7, "send success", 2, 1)))
	expect(wechat.Published{PublishID: "9", ArticleID: "A", Articles: []wechat.ArticleURL{{Index: 1, URL: "https://m/1"}}},
		platform(wechattest.PublishJobFinish("9", 0, "A", []string{"https://m/1"})))
	expect(wechat.Published{PublishID: "9", Status: 4, Failed: []int{1, 2}}, platform(wechattest.PublishJobFinish("9", 4, "", nil, 1, 2)))
	expect(wechat.UserInfoModified{User: wechat.OpenID(f.OpenID()), AppID: account.AppID, What: "1"}, platform(wechattest.UserInfoModified(account.AppID, f.OpenID(), "1")))
	expect(wechat.AuthorizationRevoked{User: wechat.OpenID(f.OpenID()), AppID: account.AppID, What: "201"}, platform(wechattest.UserAuthorizationRevoke(account.AppID, f.OpenID(), "201")))
	expect(wechat.AuthorizationCancelled{User: wechat.OpenID(f.OpenID()), AppID: account.AppID}, platform(wechattest.UserAuthorizationCancellation(account.AppID, f.OpenID())))
	expect(wechat.Verified{Expires: at}, platform(wechattest.QualificationVerifySuccess(at)))
	expect(wechat.VerificationFailed{At: at, Reason: "材料不全"}, platform(wechattest.QualificationVerifyFail(at, "材料不全")))
	expect(wechat.Verified{Naming: true, Expires: at}, platform(wechattest.NamingVerifySuccess(at)))
	expect(wechat.VerificationFailed{Naming: true, At: at, Reason: "重名"}, platform(wechattest.NamingVerifyFail(at, "重名")))
	expect(wechat.VerificationDue{Expires: at}, platform(wechattest.AnnualRenew(at)))
	expect(wechat.VerificationDue{Lapsed: true, Expires: at}, platform(wechattest.VerifyExpired(at)))
	require.NoError(t, f.Push(ctx, wechattest.Event{Name: "moon_landing", Fields: []wechattest.Field{{Name: "Moon", Text: "月"}}}))
	unknown, ok := heard[len(heard)-1].Content.(wechat.Unknown)
	require.True(t, ok)
	require.Equal(t, "月", unknown.Text("Moon"))
	for _, push := range heard {
		require.Equal(t, format, push.Format)
	}
}

func md5Of(data []byte) string {
	sum := md5.Sum(data)
	return hex.EncodeToString(sum[:])
}

// TestSecretsAreChangedWithoutLosingAPush: a hospital puts the new Token and
// EncodingAESKey before the old ones, and then changes the console; a push that
// is under way, and one that was sealed before, are answered as they came.
func TestSecretsAreChangedWithoutLosingAPush(t *testing.T) {
	t.Parallel()
	site := wechattest.Start(t, wechattest.Config{})
	before := site.Account()
	var after wechattest.Account
	serve := func(accounts ...wechattest.Account) {
		config := wechat.CallbackConfig{
			AppID: before.AppID, OriginalID: before.OriginalID, Mode: wechat.Safe,
			Handle: func(_ context.Context, p wechat.Push) (wechat.Reply, error) {
				text, ok := p.Content.(wechat.Text)
				if !ok {
					return nil, nil
				}
				if text.Content == "change" {
					var err error
					if after, err = site.Rotate(); err != nil {
						return nil, err
					}
				}
				return wechat.TextReply{Content: "收到" + text.Content}, nil
			},
		}
		for _, account := range accounts {
			config.Tokens, config.AESKeys = append(config.Tokens, account.Token), append(config.AESKeys, account.AESKey)
		}
		callback, err := wechat.NewCallback(config)
		require.NoError(t, err)
		site.CallbackTo(callback)
	}
	serve(before)
	f := site.Follower(t.Context(), "陈素心")
	last := func() wechattest.Bubble { chat := f.Chat(); return chat[len(chat)-1] }
	require.NoError(t, f.Say(t.Context(), "change"))
	require.Equal(t, "收到change", last().Text, "sealed under the key that opened it, though the console has another by now")
	require.NotEqual(t, before.Token, after.Token)
	require.NotEqual(t, before.AESKey, after.AESKey)
	require.NoError(t, f.Say(t.Context(), "a"))
	require.Equal(t, wechattest.Notice, last().From, "a server that knows only the old secrets hears nothing")
	serve(after, before)
	require.NoError(t, f.Say(t.Context(), "b"))
	require.Equal(t, "收到b", last().Text)
	require.Empty(t, site.MalformedReply())
}
