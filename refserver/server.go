package refserver

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymentsql"
	"github.com/wxhospital/hospital/refserver/internal/account"
	"github.com/wxhospital/hospital/refserver/internal/bill"
	"github.com/wxhospital/hospital/refserver/internal/guide"
	"github.com/wxhospital/hospital/refserver/internal/message"
	"github.com/wxhospital/hospital/refserver/internal/page"
	"github.com/wxhospital/hospital/refserver/internal/staff"
	"github.com/wxhospital/hospital/refserver/internal/watch"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechatsql"
)

// channel is the name of the one payment channel.
const channel = "wechatpay"

// Server is the mobile internet hospital. Make it with [New].
type Server struct {
	config Config
	base   *url.URL
	secure bool // cookies travel by https only

	bookings *bookingsql.Store
	desk     *booking.Desk
	cashier  *payment.Cashier
	orders   *paymentsql.Store
	bills    *bill.Desk // nil when the HIS offers no bills
	accounts *account.Store
	gate     *hospital.Gate
	guide    *guide.Desk // nil when triage is off
	staff    *staff.Desk
	jobs     *sqldb.Jobs
	watcher  *watch.Watcher
	messages *message.Messenger
	login    *wechat.Login
	pushes   http.Handler // the callback, behind the platform's addresses
	sources  *wechat.Sources
	chat     chat
	pages    *page.Pages
	links    page.Links
	catalog  *catalog
	limits   *limits
	formKey  []byte
	seal     cipher.AEAD // of cookies that hold what a patient wrote
	handler  http.Handler
}

// New checks the configuration, brings the tables up to date and wires
// everything. An Invalid error names the bad field.
func New(ctx context.Context, config Config) (*Server, error) {
	base, err := config.check()
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, base: base, secure: base.Scheme == "https", catalog: newCatalog(config.HIS, config.Now, config.Wall)}
	for _, step := range []func(context.Context) error{s.openDesk, s.openAccounts, s.openMessages, s.openTriage, s.openStaff, s.openPages} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	s.handler = s.routes()
	return s, nil
}

// openDesk introduces the desk and the cashier to each other.
func (s *Server) openDesk(ctx context.Context) error {
	var err error
	if s.bookings, err = bookingsql.New(ctx, s.config.DB); err != nil {
		return err
	}
	sure := s.config.HIS.Assurances
	s.desk, err = booking.New(booking.Config{
		Store: s.bookings, Slots: s.config.HIS.Registrar, Stops: s.config.HIS.Scheduling, Now: s.config.Now, Wall: s.config.Wall, Logger: s.config.Logger,
		Assurances: booking.Assurances{Hold: sure.Hold, Confirm: sure.Confirm, Cancel: sure.Cancel}, StopsEvery: s.config.StopsEvery,
	})
	if err != nil {
		return err
	}
	s.orders, err = paymentsql.New(ctx, s.config.DB)
	if err != nil {
		return err
	}
	deliverers := map[hospital.PurposeKind]payment.Deliverer{hospital.ForRegistration: s.desk}
	if s.config.HIS.Billing != nil {
		s.bills, err = bill.New(ctx, bill.Config{
			DB: s.config.DB, Billing: s.config.HIS.Billing, Settle: sure.Settle, Now: s.config.Now, Wall: s.config.Wall,
		})
		if err != nil {
			return err
		}
		deliverers[hospital.ForBill] = s.bills
	}
	s.cashier, err = payment.New(payment.Config{
		Store: s.orders, Now: s.config.Now, Wall: s.config.Wall,
		Channels:   map[string]payment.Channel{channel: s.config.Pay},
		Deliverers: deliverers,
	})
	if err != nil {
		return err
	}
	return s.desk.PayWith(s.cashier)
}

func (s *Server) openAccounts(ctx context.Context) error {
	var err error
	if s.accounts, err = account.New(ctx, s.config.DB, s.config.Wall); err != nil {
		return err
	}
	if s.formKey, err = s.config.DB.DeriveKey("refserver/form"); err != nil {
		return err
	}
	if err := s.openSeal(); err != nil {
		return err
	}
	loginKey, err := s.config.DB.DeriveKey("refserver/login")
	if err != nil {
		return err
	}
	tokens, err := wechatsql.New(ctx, s.config.DB)
	if err != nil {
		return err
	}
	s.links = page.NewLinks(s.base.Path)
	site := *s.base
	site.Path = s.links.Callback()
	s.login, err = wechat.NewLogin(wechat.LoginConfig{Client: s.config.Account, RedirectURL: site.String(), Key: loginKey, Spent: tokens})
	if err != nil {
		return err
	}
	if err := s.openChat(); err != nil {
		return err
	}
	s.jobs, err = sqldb.NewJobs(sqldb.JobsConfig{DB: s.config.DB, Handlers: map[string]sqldb.Handler{account.JobSendCode: s.sendCode}})
	return err
}

// openChat opens the account's conversation with its users.
func (s *Server) openChat() error {
	var err error
	if s.chat, err = s.newChat(); err != nil {
		return err
	}
	if err := s.menu().Validate(); err != nil {
		return err
	}
	pushes := s.config.Pushes
	pushes.Handle = s.hear
	callback, err := wechat.NewCallback(pushes)
	if err != nil {
		return err
	}
	s.pushes = callback
	if !s.config.AnyCallbackIP {
		s.sources = wechat.NewSources(s.config.Account)
		s.pushes = s.sources.Guard(callback, s.config.TrustedProxies...)
	}
	return nil
}

func (s *Server) openPages(context.Context) error {
	n := s.config.Names
	var err error
	s.pages, err = page.New(page.Config{
		Hospital: page.Hospital{
			Name: n.Name, Short: n.Short, Phone: n.Phone, Address: n.Address, Emergency: n.Emergency, Account: n.Account, Brand: n.Brand,
		},
		Overlay: s.config.Overlay, Prefix: s.base.Path, Now: s.config.Now, Warn: func(what string) { s.config.Logger.Warn("pages", "what", what) },
	})
	s.limits = newLimits(s.config.Wall, s.config.Metrics.refused)
	return err
}

// Handler is the patient's side. It answers below the path of Config.BaseURL,
// so mount it there without stripping the prefix.
func (s *Server) Handler() http.Handler { return s.handler }

// Desk is the booking desk, for the hospital's own programs.
func (s *Server) Desk() *booking.Desk { return s.desk }

// Cashier is the cashier, for the hospital's own programs.
func (s *Server) Cashier() *payment.Cashier { return s.cashier }

// Advance does everything that is due now, once: bookings, payments, texts, messages. Run
// calls it all by itself; a test on its own clock calls Advance.
func (s *Server) Advance(ctx context.Context) error {
	for range advanceTurns {
		_, errDesk := s.desk.Advance(ctx)
		_, errCashier := s.cashier.Advance(ctx)
		_, errJobs := s.jobs.Advance(ctx)
		_, errWatch := s.watcher.Advance(ctx)
		_, errMessages := s.messages.Advance(ctx)
		if err := errors.Join(errDesk, errCashier, errJobs, errWatch, errMessages); err != nil {
			return err
		}
	}
	return nil
}

// advanceTurns: what one worker finishes may give the other something to do.
const advanceTurns = 3

// Run does what is due until the context ends, and then returns nil.
func (s *Server) Run(ctx context.Context) error {
	var group sync.WaitGroup
	runs := []func(context.Context) error{s.desk.Run, s.cashier.Run, s.jobs.Run, s.watcher.Run, s.messages.Run}
	if s.sources != nil {
		runs = append(runs, s.sources.Run)
	}
	if !s.config.KeepMenu {
		runs = append(runs, s.keepMenu)
	}
	failed := make([]error, len(runs))
	for i, run := range runs {
		group.Go(func() { failed[i] = run(ctx) })
	}
	group.Wait()
	err := errors.Join(failed...)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// HTTPServer is a server with the limits that the patient's side needs: slow
// and endless requests are cut off.
func HTTPServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// sendCode texts the code of a challenge.
func (s *Server) sendCode(ctx context.Context, job sqldb.Leased) (func(*sqldb.Tx) error, error) {
	code, phone, err := s.accounts.Code(ctx, job.Payload)
	switch {
	case err != nil && hospital.KindOf(err) == hospital.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	}
	text := "【" + s.config.Names.Name + "】绑定就诊人的验证码是 " + code + "，10 分钟内有效。不是您本人操作请忽略，不要告诉任何人。"
	err = s.config.Texter.Text(ctx, hospital.Key("code-"+job.Key), phone, text)
	if hospital.KindOf(err) == hospital.Indeterminate && err != nil {
		return nil, nil //nolint:nilerr // it may be on its way; the patient can ask for another
	}
	return nil, err
}

// policyText is what is agreed to at the first binding.
func policyText() (version, hash string, paragraphs []string) {
	paragraphs = []string{
		"为了给您挂号、缴费和查询就诊信息，我们需要处理就诊人的姓名、证件号码、手机号和就诊记录。这些是敏感个人信息，只用于您主动使用的服务。",
		"医院系统保存上述信息；我们不向第三方提供，也不用于广告。每一次查询都有记录。",
		"您可以随时解除绑定。解除后，本微信不能再查看该就诊人的信息。就诊记录依法由医院保存。",
		"为十四周岁以下儿童添加就诊人，须由其监护人操作并同意。",
	}
	sum := sha256.Sum256([]byte(strings.Join(paragraphs, "\n")))
	return "2026-11", hex.EncodeToString(sum[:]), paragraphs
}
