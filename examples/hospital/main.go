// Program hospital plays a day of a mobile internet hospital in the terminal:
// a patient books, pays, cancels and has the money back, another takes a
// number of today, a third never comes; at the end stand three ledgers side by
// side. Everything around it is simulated and speaks its real protocol over
// loopback. It needs no set-up, and run again it goes on where it stopped.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/wxhospital/hospital"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "hospital:", err)
		os.Exit(1) //nolint:gocritic // stop only unregisters signals
	}
}

// run plays one round. It returns nil when it was told to stop.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	set, err := parse(args, getenv, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case set.farOnly:
		return farOnly(ctx, set, stdout)
	case set.serve:
		return serve(ctx, set, stdout)
	}
	w, err := open(ctx, set)
	if err != nil {
		return err
	}
	show := &screen{out: stdout}
	err = (&story{world: w, screen: show, set: set}).play(ctx)
	if ctx.Err() != nil {
		show.line("")
		show.line("已停下。什么也没有丢：再运行一次，会从这里接着办。")
		err = nil
	}
	return errors.Join(err, w.Close())
}

// settings are the flags.
type settings struct {
	data       string
	db         string
	now        time.Time // zero: the next working morning
	lostAnswer bool

	serve           bool
	addr, staffAddr string
	farOnly         bool
	credentials     string // folder, "" for none
	ready           string // file, "" for none
}

// faultLostAnswer lets the HIS lose the answer to one confirmation.
const faultLostAnswer = "lost-answer"

const usage = `用法：go run ./examples/hospital [参数]

不带参数即可运行。再次运行会接着上一次继续。

  -data 目录    模拟的医院、支付渠道和业务时钟记在这里（默认 hospital-data）
  -db 数据库    SQLite 文件，或 postgres://… （默认是 -data 里的 hospital.db；
                也可写在环境变量 HOSPITAL_DB 里，口令就不会出现在进程列表中）
  -now 时间     业务时间从何时开始，如 "2026-11-23 07:30"
                （默认下一个工作日 07:30）
  -fault 故障   lost-answer：当日挂号付款后，HIS 记了账却丢了回答
  -serve        运行整个移动互联网医院：浏览器里的患者页面、工作人员台和模拟台
  -addr 地址    患者页面和模拟台（默认 127.0.0.1:8080；仅用于 -serve）
  -staff-addr 地址   工作人员台（默认 127.0.0.1:8081；仅用于 -serve）
  -far-only     只运行模拟的 HIS、微信和微信支付，供另一个进程里的服务连接
  -credentials 目录  把公众号和商户的凭据写到这里（仅用于 -far-only）
  -ready-file 文件   全部就绪后把各地址写进这个 JSON（仅用于 -far-only）
`

func parse(args []string, getenv func(string) string, stdout io.Writer) (settings, error) {
	var set settings
	var now, fault string
	flags := flag.NewFlagSet("hospital", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&set.data, "data", "hospital-data", "")
	flags.StringVar(&set.db, "db", getenv("HOSPITAL_DB"), "")
	flags.StringVar(&now, "now", "", "")
	flags.StringVar(&fault, "fault", "", "")
	flags.BoolVar(&set.serve, "serve", false, "")
	flags.StringVar(&set.addr, "addr", "", "")
	flags.StringVar(&set.staffAddr, "staff-addr", "", "")
	flags.BoolVar(&set.farOnly, "far-only", false, "")
	flags.StringVar(&set.credentials, "credentials", "", "")
	flags.StringVar(&set.ready, "ready-file", "", "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stdout, usage)
		return set, err
	case err != nil:
		return set, fmt.Errorf("参数不对（%w）；用 -h 查看全部参数", err)
	case flags.NArg() > 0:
		return set, fmt.Errorf("不认识 %q；用 -h 查看全部参数", flags.Arg(0))
	case set.data == "":
		return set, errors.New("-data 是空的；请给一个目录，例如 -data hospital-data")
	case fault != "" && fault != faultLostAnswer:
		return set, fmt.Errorf("-fault %q 不存在；可用的是 %s", fault, faultLostAnswer)
	case set.serve && (set.farOnly || fault != ""):
		return set, errors.New("-serve 不能与 -far-only 或 -fault 同用")
	case !set.serve && (set.addr != "" || set.staffAddr != ""):
		return set, errors.New("-addr 和 -staff-addr 只能与 -serve 同用")
	case set.farOnly && fault != "":
		return set, errors.New("-fault 不能与 -far-only 同用；故障用 /_sim/fail 设置")
	case !set.farOnly && (set.credentials != "" || set.ready != ""):
		return set, errors.New("-credentials 和 -ready-file 只能与 -far-only 同用")
	}
	set.lostAnswer = fault == faultLostAnswer
	if set.serve {
		set.addr, set.staffAddr = cmp.Or(set.addr, "127.0.0.1:8080"), cmp.Or(set.staffAddr, "127.0.0.1:8081")
	}
	if set.db == "" {
		set.db = filepath.Join(set.data, "hospital.db")
	}
	if now == "" {
		return set, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.RFC3339} {
		if set.now, err = time.ParseInLocation(layout, now, hospital.CST); err == nil {
			set.now = set.now.In(hospital.CST)
			return set, nil
		}
	}
	return set, fmt.Errorf("-now %q 看不懂；请写成 \"2026-11-23 07:30\"", now)
}
