package wechattest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestACustomerServiceMessageNeedsAnOpenWindow(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	f := a.follower("陈素心")
	write := func() answer {
		return a.post("/cgi-bin/message/custom/send", fmt.Sprintf(`{"touser":%q,"msgtype":"text","text":{"content":"您好"}}`, f.OpenID()))
	}
	for range 3 {
		require.Zero(t, write().Code, "three within the minute after following")
	}
	over := write()
	require.Equal(t, 45047, over.Code)
	require.Contains(t, over.Text, "out of response count limit rid: ")
	require.NoError(t, f.Scan(t.Context(), "desk"))
	require.Zero(t, write().Code, "a scan opens it anew")
	a.clock.Pass(time.Minute)
	closed := write()
	require.Equal(t, 45015, closed.Code)
	require.Contains(t, closed.Text, "response out of time limit or subscription is canceled rid: ")

	require.NoError(t, f.Say(t.Context(), "在吗"))
	a.clock.Pass(48*time.Hour - time.Second)
	for range 5 {
		require.Zero(t, write().Code)
	}
	require.Equal(t, 45047, write().Code)
	require.NoError(t, f.Say(t.Context(), "还在吗"))
	require.Zero(t, write().Code, "each message opens 48 hours and five answers")
	a.clock.Pass(48 * time.Hour)
	require.Equal(t, 45015, write().Code)

	require.NoError(t, f.Say(t.Context(), "再见"))
	require.NoError(t, f.Unfollow(t.Context()))
	require.Equal(t, 45015, write().Code)
	require.NoError(t, f.Follow(t.Context()))
	require.Zero(t, a.post("/cgi-bin/menu/create", `{"button":[{"type":"click","name":"客服","key":"k"}]}`).Code)
	a.clock.Pass(time.Hour)
	require.Equal(t, 45015, write().Code)
	_, err := f.Tap(t.Context(), "客服")
	require.NoError(t, err)
	require.Zero(t, write().Code)
}

func TestACustomerServiceMessageIsChecked(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	f := a.follower("陈素心")
	for name, test := range map[string]struct {
		to, kind, text string
		code           int
	}{
		"an unknown openid": {"o0", "text", "您好", 40003},
		"another type":      {f.OpenID(), "sticker", "", 40008},
		"no words":          {f.OpenID(), "text", "", 44004},
		"2049 bytes":        {f.OpenID(), "text", strings.Repeat("a", 2049), 45002},
		"2048 bytes":        {f.OpenID(), "text", strings.Repeat("a", 2048), 0},
	} {
		got := a.post("/cgi-bin/message/custom/send", fmt.Sprintf(`{"touser":%q,"msgtype":%q,"text":{"content":%q}}`, test.to, test.kind, test.text))
		require.Equal(t, test.code, got.Code, name)
	}
	require.Len(t, f.Chat(), 1)
}
