package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wxhospital/hospital/examples/hospital/sim"
	"github.com/wxhospital/hospital/internal/simverb"
	"github.com/wxhospital/hospital/refserver"
)

// farOnly runs the far sides alone, for a server in another process, until it
// is told to stop.
func farOnly(ctx context.Context, set settings, stdout io.Writer) (err error) {
	start := set.now
	if start.IsZero() {
		start = nextMorning(time.Now())
	}
	ready := readyFile(set.ready)
	if err := ready.clear(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ready.clear()) }()
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
		if err := introduce(set, world, clock); err != nil {
			return fmt.Errorf("-credentials：写不了 %s：%w", set.credentials, err)
		}
	}
	if err := ready.write(farAddresses(world)); err != nil {
		return err
	}
	announce(set, world, stdout)
	return world.Run(ctx)
}

// configName is the file for -config in the folder of -credentials.
const configName = "hospital.yaml"

// introduce writes what a server at -addr needs to know, and tells WeChat where
// that server will be.
func introduce(set settings, world *sim.World, clock *clock) error {
	if err := world.WriteCredentials(set.credentials); err != nil {
		return err
	}
	site := &url.URL{Scheme: "http", Host: set.addr, Path: patientPath}
	names, notices := demoNames(), map[string]noticeConfig{}
	for scene, notice := range sim.Notices() {
		notices[scene] = noticeConfig(notice)
	}
	text, err := yaml.Marshal(config{
		BaseURL:  site.String(),
		Hospital: hospitalConfig{Name: names.Name, Phone: names.Phone, Address: names.Address, Emergency: names.Emergency},
		HIS:      hisConfig{URL: world.HISURL},
		WeChat:   wechatConfig{API: world.WeChatURL, Open: world.WeChatOpenURL, Account: "wechat.json"},
		Pay: payConfig{
			API: world.WeChatPayURL, Merchant: "wechatpay.json", MerchantKey: "merchant_key.pem", MerchantCertificate: "merchant_cert.pem",
			PublicKey: "wechatpay_public_key.pem", PlatformCertificates: []string{"platform_cert.pem"},
		},
		Text:           textConfig{URL: world.TextURL},
		Rules:          rulesConfig{Preset: "wuxi2018", From: clock.opened().String()},
		Notices:        notices,
		SimulatedClock: strings.TrimSuffix(world.HISURL, "/his") + simverb.Prefix + "clock",
	})
	if err != nil {
		return err
	}
	file := filepath.Join(set.credentials, configName)
	if err := errors.Join(os.RemoveAll(file), os.WriteFile(file, text, 0o600)); err != nil {
		return err
	}
	return world.SiteAt(site, refserver.PushPath)
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
		{"短信", world.TextURL},
	} {
		show.line("%s%s", left(place[0], 10), place[1])
	}
	if set.credentials == "" {
		show.line("加上 -credentials 目录，就把公众号和商户的凭据写出来。")
		return
	}
	also := ""
	if set.addr != defaultAddr {
		also = " -addr " + set.addr
	}
	show.line("服务端：go run ./examples/hospital -config %s%s -data 另一个目录", filepath.Join(set.credentials, configName), also)
}
