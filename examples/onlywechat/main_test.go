package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

// The whole program, against the simulated platform.
func Example() {
	if err := run(context.Background(), nil, func(string) string { return "" }, os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 医院：欢迎关注示范医院。回复“挂号”查看挂号方式，回复“提醒”试收一条就诊提醒。
	// 患者：怎么挂号？
	// 医院：门诊时间 8:00–17:00，<a href="https://h.example.com/departments">点这里预约挂号</a>，或致电 0510-88888888。
	// 患者：提醒我
	// 医院：提醒已发出，请看下一条消息。
	// 患者：你好
	// 医院：您好，这里自动回复。挂号请回复“挂号”，急事请致电 0510-88888888。
	// 医院：［就诊提醒］地点 针灸科 3 诊室
}

// TestTheFlagsServeAnAccount runs the program as a hospital does, with the
// simulated platform in place of WeChat and no other difference.
func TestTheFlagsServeAnAccount(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		proxies, template string
		from              wechattest.Speaker
		says              string
	}{
		"a notice is sent": {"", "visit", wechattest.Ours, "提醒已发出，请看下一条消息。"},
		"a notice that WeChat refuses is not promised":  {"", "none", wechattest.Ours, "微信服务暂时不可用，请稍后重试；如仍有问题请联系医院服务台。"},
		"a proxy that does not say who came is nobody":  {"127.0.0.1", "visit", wechattest.Notice, "该公众号提供的服务出现故障，请稍后再试"},
		"the platform is not taken for another's proxy": {"10.0.0.7, 10.0.0.8", "visit", wechattest.Ours, "提醒已发出，请看下一条消息。"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := wechattest.Start(t, wechattest.Config{
				Templates: []wechattest.Template{{ID: "visit", Title: "就诊提醒", Content: "地点:{{thing1.DATA}}\n时间:{{time2.DATA}}"}},
			})
			console := site.Account()
			secrets := map[string]string{"WECHAT_SECRET": console.Secret, "WECHAT_TOKEN": console.Token, "WECHAT_AES_KEY": console.AESKey}
			ctx, stop := context.WithCancel(t.Context())
			reader, writer := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				err := run(ctx, []string{
					"-appid", console.AppID, "-original-id", console.OriginalID, "-template", test.template, "-listen", "127.0.0.1:0",
					"-api", site.URL, "-proxies", test.proxies,
				}, func(name string) string { return secrets[name] }, writer)
				ended <- err
				_ = writer.CloseWithError(err) // a pipe never fails to close
			}()
			line, err := bufio.NewReader(reader).ReadString('\n')
			require.NoError(t, err)
			require.NoError(t, site.SetCallback("http://"+strings.Fields(line)[1]))
			f := site.Follower(t.Context(), "陈素心")
			require.NoError(t, f.Say(t.Context(), "提醒"))
			chat := f.Chat()
			require.Equal(t, test.from, chat[len(chat)-1].From)
			require.Equal(t, test.says, chat[len(chat)-1].Text)
			stop()
			require.NoError(t, <-ended)
		})
	}
}

func TestAMissingSecretIsNamed(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"-appid", "wx1"}, func(string) string { return "" }, io.Discard)
	require.ErrorContains(t, err, "Secret")
	err = run(t.Context(), []string{"-appid", "wx1", "-proxies", "proxy"}, func(string) string { return "" }, io.Discard)
	require.ErrorContains(t, err, "-proxies")
}
