package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/examples/hospital/sim"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// patientPath is where the patients' pages are, on the address of the server.
const patientPath = "/m"

// serve runs the mobile internet hospital until it is told to stop, with every
// far side beside it or, with -config, without.
func serve(ctx context.Context, set settings, stdout io.Writer) (err error) {
	ready := readyFile(set.ready)
	if err := ready.clear(); err != nil {
		return err
	}
	s, err := openSite(ctx, set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(), ready.clear()) }()
	staff, err := s.staffAddress(ctx)
	if err != nil {
		return err
	}
	return s.run(ctx, func() error {
		if err := ready.write(s.addresses()); err != nil {
			return err
		}
		s.banner(ctx, &screen{out: stdout}, set, staff)
		return nil
	})
}

// openSite opens everything, and starts nothing but the far sides. On an error
// nothing stays open.
func openSite(ctx context.Context, set settings) (_ *site, err error) {
	s := &site{wires: &wires{everything: true}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.db, err = openDB(ctx, set); err != nil { // first, because SQLite refuses a second process
		return nil, err
	}
	s.closing(s.db.Close)
	if s.patients, err = listen(ctx, "-addr", set.addr); err != nil {
		return nil, err
	}
	s.closing(closing(s.patients))
	if s.colleagues, err = listen(ctx, "-staff-addr", set.staffAddr); err != nil {
		return nil, err
	}
	s.closing(closing(s.colleagues))
	if err := s.find(ctx, set); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	if s.far != nil {
		if err := s.simulate(set); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// site is the hospital on its two addresses.
type site struct {
	db                   *bookingsql.DB
	patients, colleagues net.Listener
	partners             partners

	his     *his.Client
	account *wechat.Client
	server  *refserver.Server

	// In the process that simulates; nil otherwise.
	clock *clock
	far   *sim.World
	page  *sim.Page
	phone *wechattest.Follower

	follows *followed // the clock of another process that simulates
	wires   *wires
	crossed crossed
	closers []func() error // in the order they were opened
}

// Close ends everything, the last first.
func (s *site) Close() error {
	var failed []error
	for _, end := range slices.Backward(s.closers) {
		failed = append(failed, end())
	}
	s.closers = nil
	return errors.Join(failed...)
}

func (s *site) closing(end func() error) { s.closers = append(s.closers, end) }

// closing closes a listener that its server may have closed before.
func closing(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s 用不了；请换一个端口，例如 127.0.0.1:8090：%w", flag, address, err)
	}
	return l, nil
}

// find learns where the far sides are: those of the configuration, or new ones
// in this process.
func (s *site) find(ctx context.Context, set settings) error {
	if set.config != "" {
		return s.findByConfig(ctx, set.config)
	}
	start := set.now
	if start.IsZero() {
		start = nextMorning(time.Now())
	}
	var err error
	if s.clock, _, err = openClock(set.data, start, true); err != nil {
		return err
	}
	if err := s.clock.To(set.now); err != nil { // zero, or past: it stays where it is
		return err
	}
	s.far, err = sim.Open(ctx, sim.Config{Dir: set.data, Clock: s.clock, HIS: s.wires.his, WeChat: s.wires.wechat, WeChatPay: s.wires.pay})
	if err != nil {
		return broken(set, err)
	}
	s.closing(s.far.Close)
	s.partners, err = simulated(s.far, s.clock)
	return err
}

func (s *site) findByConfig(ctx context.Context, file string) error {
	c, err := readConfig(file)
	if err != nil {
		return err
	}
	if s.partners, err = c.partners(); err != nil {
		return err
	}
	if s.follows, err = c.clock(); err != nil || s.follows == nil {
		return err
	}
	if err := s.follows.ask(ctx); err != nil {
		return fmt.Errorf("-config：simulated_clock 没有回答；请先用 -far-only 运行模拟的一侧：%w", err)
	}
	s.partners.now = s.follows.Now
	return nil
}

// base is where patients reach the server.
func (s *site) base() string {
	if s.partners.base != "" {
		return s.partners.base
	}
	return "http://" + s.patients.Addr().String() + patientPath
}

// open makes the server.
func (s *site) open(ctx context.Context) error {
	p, base, counts := s.partners, s.base(), refserver.NewMetrics()
	counted := func(system refserver.System) *http.Client { return &http.Client{Transport: counts.Wire(system, nil)} }
	p.his.HTTPClient, p.pay.HTTPClient, p.text.HTTPClient = counted(refserver.SystemHIS), counted(refserver.SystemWeChatPay), counted(refserver.SystemText)
	p.account.Observe = counts.WeChat
	var err error
	if s.his, err = his.NewClient(p.his); err != nil {
		return configured("his", err)
	}
	s.closing(func() error { s.his.CloseIdle(); return nil })
	if s.account, err = wechat.New(p.account); err != nil {
		return configured("wechat", err)
	}
	s.closing(func() error { s.account.CloseIdle(); return nil })
	p.pay.NotifyURL, p.pay.Now = base+refserver.NoticePath, p.now
	pay, err := wechatpay.New(p.pay)
	if err != nil {
		return configured("wechatpay", err)
	}
	texts, err := newTexter(p.text)
	if err != nil {
		return configured("text", err)
	}
	s.server, err = refserver.New(ctx, refserver.Config{
		BaseURL: base, Names: p.names, Overlay: p.overlay, DB: s.db, HIS: s.his.System(), Account: s.account, Pushes: p.pushes, Pay: pay, Texter: texts,
		TrustedProxies: p.proxies, AnyCallbackIP: p.anyIP, KeepMenu: p.keepMenu, Metrics: counts, MetricsToken: p.metricsToken, StaffPlainHTTP: loopback(s.colleagues.Addr()), Now: p.now,
		Triage: &refserver.Triage{}, Messages: refserver.Messages{Notices: p.notices}, PollEvery: p.pollEvery, PollIdle: p.pollEvery, StopsEvery: p.pollEvery,
	})
	if err != nil {
		return configured("refserver", err)
	}
	return s.server.Desk().Publish(ctx, hospital.System("setup"), p.rules)
}

// configured names the part of the configuration that is wrong.
func configured(part string, err error) error { return fmt.Errorf("%s：%w", part, err) }

// loopback reports whether nobody but this machine reaches the address.
func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// patientOfThePage is the user whose phone the page shows.
const patientOfThePage = "phone-1"

// simulate tells the simulators where the server is, and makes the page.
func (s *site) simulate(set settings) error {
	at, err := url.Parse(s.base())
	if err != nil {
		return err
	}
	if err := s.far.SiteAt(at, refserver.PushPath); err != nil {
		return err
	}
	if set.lostAnswer {
		s.far.Faults.Set(histest.OpConfirm, histest.Switch{Fault: histest.AnswerLost, Times: 1})
	}
	if s.phone, err = s.owner(); err != nil {
		return err
	}
	s.page, err = sim.NewPage(sim.PageConfig{World: s.far, Clock: s.clock, Phone: s.phone, Home: patientPath + "/", Wire: s.wire})
	return err
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

// routes are the patients' side: the server below its path and, where the far
// sides are simulated, the test bed.
func (s *site) routes() (http.Handler, error) {
	at, err := url.Parse(s.base())
	if err != nil {
		return nil, err
	}
	patients := s.server.Handler()
	routes := http.NewServeMux()
	routes.Handle(at.Path+"/", patients)
	home := at.Path + "/"
	if s.page != nil {
		routes.Handle("/sim", s.page)
		routes.Handle("/sim/", s.page)
		home = "/sim"
	}
	if at.Path == "" {
		return routes, nil
	}
	routes.Handle("/{$}", http.RedirectHandler(home, http.StatusSeeOther))
	for _, probe := range []string{"/healthz", "/readyz"} { // where a supervisor looks first
		routes.HandleFunc("GET "+probe, func(w http.ResponseWriter, r *http.Request) {
			below := r.Clone(r.Context())
			below.URL.Path = at.Path + probe
			patients.ServeHTTP(w, below)
		})
	}
	return routes, nil
}

// run serves until the context ends; ready is called once everything listens.
func (s *site) run(ctx context.Context, ready func() error) error {
	routes, err := s.routes()
	if err != nil {
		return err
	}
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
	if s.follows != nil {
		start(func() error { return s.follows.run(ctx) })
	}
	if s.far != nil {
		start(func() error { return s.far.Run(ctx) })
	}
	start(func() error {
		if err := s.greet(ctx); err != nil {
			return err
		}
		if err := ready(); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	group.Wait()
	return errors.Join(failed...)
}

// greet lets the simulated person follow the account once its server answers.
func (s *site) greet(ctx context.Context) error {
	if s.phone != nil {
		if err := s.phone.Follow(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
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
