package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// settings is where and for which account the program serves.
type settings struct {
	appID, originalID, template, listen, api string
	secret, token, aesKey                    string // from the environment: flags stand in the list of processes
	proxies                                  []netip.Prefix
}

func parse(args []string, getenv func(string) string, out io.Writer) (settings, error) {
	set := settings{secret: getenv("WECHAT_SECRET"), token: getenv("WECHAT_TOKEN"), aesKey: getenv("WECHAT_AES_KEY")}
	flags := flag.NewFlagSet("onlywechat", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&set.appID, "appid", "", "开发者ID；空则对模拟平台演示一遍。密钥从环境变量 WECHAT_SECRET、WECHAT_TOKEN、WECHAT_AES_KEY 读取")
	flags.StringVar(&set.originalID, "original-id", "", "公众号原始ID，gh_ 开头")
	flags.StringVar(&set.template, "template", "", "模板ID，字段为 thing1 和 time2")
	flags.StringVar(&set.listen, "listen", "127.0.0.1:8080", "监听地址；公网的 https 由前面的代理提供")
	flags.StringVar(&set.api, "api", "", "平台地址；空则为 https://api.weixin.qq.com")
	proxies := flags.String("proxies", "", "前面的代理的地址，用逗号分开：只相信它们写的 X-Forwarded-For")
	if err := flags.Parse(args); err != nil {
		return set, err
	}
	for text := range strings.FieldsFuncSeq(*proxies, func(r rune) bool { return r == ',' || r == ' ' }) {
		at, err := netip.ParseAddr(text)
		if err != nil {
			return set, fmt.Errorf("-proxies: %w", err)
		}
		set.proxies = append(set.proxies, netip.PrefixFrom(at, at.BitLen()))
	}
	return set, nil
}

// serve answers the platform until the context ends.
func serve(ctx context.Context, set settings, out io.Writer) error {
	handler, err := open(set)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", set.listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stopped := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // two pushes' time
		defer cancel()
		_ = server.Shutdown(ending) // what is still open then is cut; WeChat delivers it again
	})
	defer stopped()
	_, _ = fmt.Fprintln(out, "在", listener.Addr(), "等待微信推送；Ctrl-C 结束")
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
