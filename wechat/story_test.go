package wechat_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
