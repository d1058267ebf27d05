package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/examples/hospital/sim"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// patientPath is where the patients' pages are, on the address of the server.
const patientPath = "/m"

// serve runs the mobile internet hospital and every far side, until it is told
// to stop.
func serve(ctx context.Context, set settings, stdout io.Writer) (err error) {
	if err := os.MkdirAll(set.data, 0o750); err != nil {
		return fmt.Errorf("-data：建不了目录 %s：%w", set.data, err)
	}
	s := &site{world: &world{wires: &wires{}}}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.openDB(ctx, set); err != nil {
		return err
	}
	start := set.now
	if start.IsZero() {
		start = nextMorning(time.Now())
	}
	if s.clock, _, err = openClock(set.data, start, true); err != nil {
		return err
	}
	if err := s.clock.To(set.now); err != nil { // zero, or past: it stays where it is
		return err
	}
	if s.patients, err = listen(ctx, "-addr", set.addr); err != nil {
		return err
	}
	if s.colleagues, err = listen(ctx, "-staff-addr", set.staffAddr); err != nil {
		return err
	}
	if err := s.open(ctx, set); err != nil {
		return err
	}
	if err := s.welcome(ctx, stdout); err != nil {
		return err
	}
	return s.run(ctx)
}

// site is the hospital on its two addresses.
type site struct {
	*world

	patients, colleagues net.Listener
	server               *refserver.Server
	page                 *sim.Page
	crossed              crossed
}

func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s 用不了；请换一个端口，例如 127.0.0.1:8090：%w", flag, address, err)
	}
	return l, nil
}

// open starts the far sides and the server.
func (s *site) open(ctx context.Context, set settings) error {
	var err error
	s.far, err = sim.Open(ctx, sim.Config{Dir: set.data, Clock: s.clock, HIS: s.wires.his, WeChat: s.wires.wechat, WeChatPay: s.wires.pay})
	if err != nil {
		return broken(set, err)
	}
	s.closing(s.far.Close)
	if s.his, err = his.NewClient(his.Config{BaseURL: s.far.HISURL}); err != nil {
		return err
	}
	s.closing(func() error { s.his.CloseIdle(); return nil })
	console := s.far.WeChat.Account()
	s.account, err = wechat.New(wechat.Config{AppID: console.AppID, Secret: console.Secret, BaseURL: s.far.WeChatURL, OpenURL: s.far.WeChatOpenURL})
	if err != nil {
		return err
	}
	s.closing(func() error { s.account.CloseIdle(); return nil })
	base := "http://" + s.patients.Addr().String() + patientPath
	merchant := s.far.WeChatPay.Credentials()
	s.pay, err = wechatpay.New(wechatpay.Config{
		AppID: merchant.AppID, MerchantID: merchant.MerchantID, MerchantKey: merchant.MerchantKey, MerchantSerial: merchant.MerchantSerial,
		APIv3Key: []byte(merchant.APIv3Key), PublicKey: merchant.PublicKey, PublicKeyID: merchant.PublicKeyID,
		PlatformCertificates: merchant.Certificates,
		BaseURL:              s.far.WeChatPayURL, NotifyURL: base + refserver.NoticePath, Now: s.clock.Now,
	})
	if err != nil {
		return err
	}
	s.server, err = refserver.New(ctx, refserver.Config{
		BaseURL: base, DB: s.db, HIS: s.his.System(), Account: s.account, Pay: s.pay, Texter: texter{s}, Now: s.clock.Now, StaffPlainHTTP: true,
		Names: refserver.Names{Name: "示范中医医院", Phone: "0510-88888888", Address: "示范路 1 号", Emergency: "门诊楼一楼东侧"},
		Pushes: wechat.CallbackConfig{
			AppID: console.AppID, OriginalID: console.OriginalID, Mode: wechat.Safe, Tokens: []string{console.Token}, AESKeys: []string{console.AESKey},
		},
	})
	if err != nil {
		return err
	}
	if err := s.rules(ctx); err != nil {
		return err
	}
	return errors.Join(s.far.WeChat.SetCallback(base+refserver.PushPath), s.far.WeChat.AddDomain(s.patients.Addr().String()))
}

// rules puts the paper's rules in force.
func (s *site) rules(ctx context.Context) error {
	rules, err := booking.Preset("wuxi2018")
	if err != nil {
		return err
	}
	version, err := booking.NewPolicyVersion(rules, "preset", s.clock.opened().At(0, 0))
	if err != nil {
		return err
	}
	return s.server.Desk().Publish(ctx, hospital.System("setup"), version)
}

// texter shows text messages on the simulated phone.
type texter struct{ site *site }

func (t texter) Text(_ context.Context, _ hospital.Key, to hospital.Phone, text string) error {
	t.site.page.Text(to, text)
	return nil
}

// patientOfThePage is the user whose phone the page shows.
const patientOfThePage = "phone-1"

// welcome makes the page and says where everything is.
func (s *site) welcome(ctx context.Context, stdout io.Writer) error {
	phone, err := s.owner()
	if err != nil {
		return err
	}
	base := "http://" + s.patients.Addr().String()
	s.page, err = sim.NewPage(sim.PageConfig{World: s.far, Clock: s.clock, Phone: phone, Home: patientPath + "/", Wire: s.wire})
	if err != nil {
		return err
	}
	link, err := s.server.StaffFirstLink(ctx)
	staff := "http://" + s.colleagues.Addr().String()
	switch {
	case err == nil:
		staff += link + "（一次性链接，30 分钟内有效）"
	case hospital.KindOf(err) == hospital.Conflict:
		staff += "/staff"
	default:
		return err
	}
	show := &screen{out: stdout}
	show.line("移动互联网医院 · 演示（按 Ctrl-C 停下，再次运行会接着继续）")
	for _, place := range [][2]string{
		{"模拟台", base + "/sim   ← 先打开这个"},
		{"患者页面", base + patientPath + "/"},
		{"工作人员", staff},
		{"HIS", s.far.HISURL + "（SOAP，模拟）"},
		{"微信", s.far.WeChatURL + "（模拟）"},
		{"微信支付", s.far.WeChatPayURL + "（APIv3，模拟）"},
	} {
		show.line("%s%s", left(place[0], 10), place[1])
	}
	return nil
}

// owner is the person with the phone, the same after a restart.
func (s *site) owner() (*wechattest.Follower, error) {
	if openID := s.clock.phone(patientOfThePage); openID != "" {
		return s.far.WeChat.Find(openID)
	}
	f, err := s.far.WeChat.Join("陈先生")
	if err != nil {
		return nil, err
	}
	return f, s.clock.give(patientOfThePage, f.OpenID())
}

// run serves until the context ends.
func (s *site) run(ctx context.Context) error {
	routes := http.NewServeMux()
	routes.Handle(patientPath+"/", s.server.Handler())
	routes.Handle("/sim", s.page)
	routes.Handle("/sim/", s.page)
	routes.Handle("/{$}", http.RedirectHandler("/sim", http.StatusSeeOther))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	start := func(f func() error) {
		group.Go(func() {
			err := f()
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, err)
			stop()
		})
	}
	for listener, handler := range map[net.Listener]http.Handler{s.patients: routes, s.colleagues: s.server.StaffHandler()} {
		server := refserver.HTTPServer(handler)
		start(func() error {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		start(func() error { <-ctx.Done(); return server.Close() })
	}
	start(func() error { return s.server.Run(ctx) })
	start(func() error { return s.far.Run(ctx) })
	start(func() error { return s.follow(ctx) })
	group.Wait()
	return errors.Join(failed...)
}

// follow lets the person follow the account once its server answers, publishes
// the menu, and waits for the end.
func (s *site) follow(ctx context.Context) error {
	phone, err := s.owner()
	if err != nil {
		return err
	}
	if err := phone.Follow(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	if err := s.account.PublishMenu(ctx, menu("http://"+s.patients.Addr().String()+patientPath)); err != nil && ctx.Err() == nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// menu is the account's menu: the paper's three modules as far as their pages
// exist.
func menu(base string) wechat.Menu {
	view := func(name, path string) wechat.Button {
		return wechat.Button{Type: "view", Name: name, URL: base + path}
	}
	return wechat.Menu{Buttons: []wechat.Button{
		{Name: "导诊挂号", Sub: []wechat.Button{
			view("智能导诊", "/triage"), view("预约挂号", "/departments"), view("找医生", "/doctors"), view("我的挂号", "/appointments"),
		}},
		{Name: "诊疗服务", Sub: []wechat.Button{view("我的账单", "/bills"), view("就诊人", "/patients")}},
		{Name: "我的", Sub: []wechat.Button{view("首页", "/"), view("我的信息", "/me"), view("帮助", "/help")}},
	}}
}

// crossed numbers what crossed the wires, for a page that asks again and again.
type crossed struct {
	mu   sync.Mutex
	last int
	kept []sim.Crossing
}

// maxCrossed bounds what is kept; a page shows 200.
const maxCrossed = 500

func (s *site) wire(after int) []sim.Crossing {
	c := &s.crossed
	c.mu.Lock()
	defer c.mu.Unlock()
	now := s.clock.Now().In(hospital.CST).Format("15:04")
	for _, x := range s.wires.take() {
		c.last++
		c.kept = append(c.kept, sim.Crossing{
			No: c.last, Time: now, Wire: x.wire, Call: x.operation, Summary: brief(x.summary), Outcome: x.outcome,
		})
	}
	c.kept = c.kept[max(0, len(c.kept)-maxCrossed):]
	fresh := []sim.Crossing{}
	for _, x := range c.kept {
		if x.No > after {
			fresh = append(fresh, x)
		}
	}
	return fresh
}
