// Program hospital runs the mobile internet hospital with everything around it
// simulated: the patients' pages, the staff's desk, and at /sim a phone with the
// hospital's account beside the hospital's side and a log of every wire. HIS,
// WeChat, WeChat Pay and the carrier of text messages speak their real protocols
// over loopback. It needs no set-up, and run again it goes on where it stopped.
//
// With -story it plays a day of the hospital in the terminal instead; with
// -far-only it runs the far sides alone, and with -config the server alone.
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

// run does what the flags say. It returns nil when it was told to stop.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	set, err := parse(args, getenv, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(set.data, 0o750); err != nil {
		return fmt.Errorf("-data：建不了目录 %s：%w", set.data, err)
	}
	switch {
	case set.farOnly:
		return farOnly(ctx, set, stdout)
	case set.story:
		return tellStory(ctx, set, stdout)
	}
	return serve(ctx, set, stdout)
}

// tellStory plays one round.
func tellStory(ctx context.Context, set settings, stdout io.Writer) error {
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
	ready      string // file, "" for none

	story   bool
	farOnly bool

	addr, staffAddr string
	config          string // file, "" for the simulated far sides
	credentials     string // folder, "" for none
}

// Where the server is without flags.
const (
	defaultAddr      = "127.0.0.1:8080"
	defaultStaffAddr = "127.0.0.1:8081"
)

// faultLostAnswer lets the HIS lose the answer to one confirmation.
const faultLostAnswer = "lost-answer"

const usage = `用法：go run ./examples/hospital [参数]

不带参数就运行整个移动互联网医院：患者页面、工作人员台和模拟台，周围的 HIS、
微信和微信支付都是模拟的。再次运行会接着上一次继续。

  -addr 地址         患者页面和模拟台（默认 127.0.0.1:8080）
  -staff-addr 地址   工作人员台（默认 127.0.0.1:8081）
  -data 目录         模拟的医院、支付渠道和业务时钟记在这里（默认 hospital-data）
  -db 数据库         SQLite 文件，或 postgres://… （默认是 -data 里的
                     hospital.db；也可写在环境变量 HOSPITAL_DB 里，口令就不会
                     出现在进程列表中）
  -now 时间          业务时间从何时开始，如 "2026-11-23 07:30"
                     （默认下一个工作日 07:30）
  -fault 故障        lost-answer：HIS 办好下一次确认，却丢了回答
  -ready-file 文件   全部就绪后把各地址写进这个 JSON，停下时删掉

  -config 文件       只运行服务端，HIS、微信和微信支付按这个 YAML 或 JSON 文件去找：
                     真实的，或者 -far-only -credentials 写出的
  -far-only          只运行模拟的 HIS、微信和微信支付，供另一个进程里的服务连接；
                     -addr 说明那个服务会在哪里
  -credentials 目录  把公众号和商户的凭据，以及给 -config 用的 hospital.yaml
                     写到这里（仅用于 -far-only）

  -story             不开浏览器，在终端里走完一天：预约、付款、取消、爽约、对账
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
	flags.BoolVar(&set.story, "story", false, "")
	flags.StringVar(&set.addr, "addr", "", "")
	flags.StringVar(&set.staffAddr, "staff-addr", "", "")
	flags.StringVar(&set.config, "config", "", "")
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
	}
	if err := set.agree(fault, now != ""); err != nil {
		return set, err
	}
	set.lostAnswer = fault == faultLostAnswer
	set.addr = cmp.Or(set.addr, defaultAddr)
	set.staffAddr = cmp.Or(set.staffAddr, defaultStaffAddr)
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

// agree refuses flags that do not go together.
func (set settings) agree(fault string, now bool) error {
	switch {
	case set.data == "":
		return errors.New("-data 是空的；请给一个目录，例如 -data hospital-data")
	case fault != "" && fault != faultLostAnswer:
		return fmt.Errorf("-fault %q 不存在；可用的是 %s", fault, faultLostAnswer)
	case set.story && set.farOnly:
		return errors.New("-story 和 -far-only 只能用一个")
	case set.story && (set.addr != "" || set.staffAddr != "" || set.config != "" || set.ready != ""):
		return errors.New("-story 在终端里走完就结束；-addr、-staff-addr、-config 和 -ready-file 不能与它同用")
	case set.farOnly && (set.staffAddr != "" || set.config != ""):
		return errors.New("-far-only 只运行对面的系统；-staff-addr 和 -config 不能与它同用")
	case set.farOnly && fault != "":
		return errors.New("-fault 不能与 -far-only 同用；故障用 /_sim/fail 设置")
	case set.config != "" && (fault != "" || now):
		return errors.New("-config 时对面的系统不在这个进程里；-fault 和 -now 不能与它同用")
	case !set.farOnly && set.credentials != "":
		return errors.New("-credentials 只能与 -far-only 同用")
	}
	return nil
}
