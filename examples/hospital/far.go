package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wxhospital/hospital/examples/hospital/sim"
)

// farOnly runs the far sides alone, for a server in another process, until it
// is told to stop.
func farOnly(ctx context.Context, set settings, stdout io.Writer) (err error) {
	if err := os.MkdirAll(set.data, 0o750); err != nil {
		return fmt.Errorf("-data：建不了目录 %s：%w", set.data, err)
	}
	start := set.now
	if start.IsZero() {
		start = nextMorning(time.Now())
	}
	if set.ready != "" { // an old one tells addresses of the last run
		if err := os.RemoveAll(set.ready); err != nil {
			return fmt.Errorf("-ready-file：%w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(set.ready)) }() //nolint:gosec // the operator names the file
	}
	clock, _, err := openClock(set.data, start, true)
	if err != nil {
		return err
	}
	if err := clock.To(set.now); err != nil { // zero, or past: it stays where it is
		return err
	}
	world, err := sim.Open(ctx, sim.Config{Dir: set.data, Clock: clock})
	if err != nil {
		return broken(set, err)
	}
	defer func() { err = errors.Join(err, world.Close()) }()
	if set.credentials != "" {
		if err := world.WriteCredentials(set.credentials); err != nil {
			return fmt.Errorf("-credentials：写不了 %s：%w", set.credentials, err)
		}
	}
	if set.ready != "" {
		if err := world.WriteReady(set.ready); err != nil {
			return fmt.Errorf("-ready-file：写不了 %s：%w", set.ready, err)
		}
	}
	announce(set, world, stdout)
	return world.Run(ctx)
}

// announce says where everything is.
func announce(set settings, world *sim.World, stdout io.Writer) {
	show := &screen{out: stdout}
	show.line("模拟的 HIS、微信和微信支付已就绪（按 Ctrl-C 停下，数据留在 %s）", set.data)
	for _, place := range [][2]string{
		{"HIS", world.HISURL + "（SOAP）"},
		{"微信接口", world.WeChatURL},
		{"微信授权", world.WeChatOpenURL},
		{"微信支付", world.WeChatPayURL},
	} {
		show.line("%s%s", left(place[0], 10), place[1])
	}
	if set.credentials == "" {
		show.line("加上 -credentials 目录，就把公众号和商户的凭据写出来。")
	}
}
