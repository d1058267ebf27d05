// Program onlywechat is a hospital's automatic reply and one notice over its
// Official Account, and nothing else of this module. Without flags it talks to a
// simulated platform and shows a patient's phone; with -appid it serves the
// account of that id (see onlywechat -h).
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "onlywechat:", err)
		os.Exit(1)
	}
}

// run serves the account of the flags, or plays a visit against the simulator.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	set, err := parse(args, getenv, out)
	switch {
	case err != nil:
		return err
	case set.appID == "":
		return rehearse(ctx, out)
	}
	return serve(ctx, set, out)
}

// account is the hospital's Official Account.
type account struct {
	client   *wechat.Client
	template string // of the notice; its fields are thing1 and time2
}

// open makes the handler for the server address in the account's console.
func open(set settings) (http.Handler, error) {
	client, err := wechat.New(wechat.Config{AppID: set.appID, Secret: set.secret, BaseURL: set.api})
	if err != nil {
		return nil, err
	}
	a := account{client, set.template}
	callback, err := wechat.NewCallback(wechat.CallbackConfig{
		AppID: set.appID, OriginalID: set.originalID, Mode: wechat.Safe, Tokens: []string{set.token}, AESKeys: []string{set.aesKey},
		Handle: a.answer,
	})
	if err != nil {
		return nil, err
	}
	return wechat.NewSources(client).Guard(callback, set.proxies...), nil
}

// answer is what the account says to whoever follows it or writes.
func (a account) answer(ctx context.Context, push wechat.Push) (wechat.Reply, error) {
	switch content := push.Content.(type) {
	case wechat.Subscribe:
		return wechat.TextReply{Content: "欢迎关注示范医院。回复“挂号”查看挂号方式，回复“提醒”试收一条就诊提醒。"}, nil
	case wechat.Text:
		switch {
		case strings.Contains(content.Content, "挂号"):
			return wechat.TextReply{Content: "门诊时间 8:00–17:00，<a href=\"https://h.example.com/departments\">点这里预约挂号</a>，或致电 0510-88888888。"}, nil
		case strings.Contains(content.Content, "提醒"):
			return a.remind(ctx, push)
		}
		return wechat.TextReply{Content: "您好，这里自动回复。挂号请回复“挂号”，急事请致电 0510-88888888。"}, nil
	}
	return nil, nil
}

// remind sends a notice. Its key makes a second delivery of the push the same
// notice for WeChat, which shows it once.
func (a account) remind(ctx context.Context, push wechat.Push) (wechat.Reply, error) {
	_, err := a.client.Notify(ctx, wechat.Notice{
		Kind: wechat.TemplateMessage, To: push.From, Template: a.template, Key: hospital.Key("remind-" + strconv.FormatInt(push.ID, 10)),
		Data: map[string]string{"thing1": "针灸科 3 诊室", "time2": push.CreatedAt.Add(24 * time.Hour).Format("2006年01月02日 15:04")},
	})
	if err != nil {
		return wechat.TextReply{Content: hospital.MessageFor(err)}, nil
	}
	return wechat.TextReply{Content: "提醒已发出，请看下一条消息。"}, nil
}
