package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/examples/hospital/sim"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymentsql"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/wechat"
)

// channel is the name of the one payment channel.
const channel = "wechatpay"

// Where WeChat and WeChat Pay call the server.
const (
	pushPath   = "/wechat"
	noticePath = "/wechatpay/notice"
)

// world is everything that runs: the far sides, the wires to them, and the
// hospital's own desk and cashier.
type world struct {
	clock     *clock
	continued bool // the data folder was there before
	wires     *wires

	far  *sim.World // HIS, WeChat, WeChat Pay
	site *url.URL   // our own server, which the platforms call

	his          *his.Client
	account      *wechat.Client
	pay          *wechatpay.Channel
	db           *bookingsql.DB
	orders       *paymentsql.Store
	departments  map[hospital.DepartmentID]string
	unsent       []string // notices that a person should look at
	appointments *bookingsql.Store
	desk         *booking.Desk
	cashier      *payment.Cashier

	closers []func() error // in the order they were opened
}

// open starts everything. On an error nothing stays open.
func open(ctx context.Context, set settings) (_ *world, err error) {
	w := &world{wires: &wires{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.db, err = openDB(ctx, set); err != nil { // first, because SQLite refuses a second process
		return nil, err
	}
	w.closing(w.db.Close)
	if err := w.setClock(set); err != nil {
		return nil, err
	}
	for _, start := range []func() error{
		func() error { return w.startFar(ctx, set) },
		func() error { return w.openAccount(ctx) },
		func() error { return w.openDesk(ctx) },
		func() error { return w.openCashier(ctx) },
		func() error { return w.publish(ctx) },
	} {
		if err := start(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Close ends everything, the last first.
func (w *world) Close() error {
	var failed []error
	for _, end := range slices.Backward(w.closers) {
		failed = append(failed, end())
	}
	w.closers = nil
	return errors.Join(failed...)
}

func (w *world) closing(end func() error) { w.closers = append(w.closers, end) }

func openDB(ctx context.Context, set settings) (*bookingsql.DB, error) {
	secret, err := pseudonymKey(set.data)
	if err != nil {
		return nil, err
	}
	db, err := bookingsql.OpenDB(ctx, bookingsql.Config{DSN: set.db, PseudonymKey: secret})
	switch {
	case hospital.CodeOf(err) == "database_locked":
		return nil, fmt.Errorf("-db %s 正被另一个进程使用；请先结束它，或用 -data 另选一个目录", shown(set.db))
	case err != nil:
		return nil, fmt.Errorf("-db %s 打不开；请检查路径，或 PostgreSQL 是否已启动、地址和口令是否正确：%w", shown(set.db), err)
	}
	return db, nil
}

// shown is the database's name without a password.
func shown(dsn string) string {
	if !strings.Contains(dsn, "://") {
		return dsn
	}
	parsed, err := url.Parse(dsn)
	if err != nil {
		return "postgres://…"
	}
	parsed.RawQuery = ""
	return parsed.Redacted()
}

// pseudonymKey is the secret of the audit trail's pseudonyms. It is made once
// and lies beside the database, not in it.
func pseudonymKey(dir string) ([]byte, error) {
	file := filepath.Join(dir, "pseudonym.key")
	secret, err := os.ReadFile(filepath.Clean(file))
	if errors.Is(err, fs.ErrNotExist) {
		secret = []byte(rand.Text() + rand.Text())
		err = os.WriteFile(file, secret, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("-data：审计密钥 %s 读写不了：%w", file, err)
	}
	return secret, nil
}

func (w *world) setClock(set settings) error {
	start := set.now
	if start.IsZero() {
		start = nextMorning(time.Now())
	}
	var err error
	if w.clock, w.continued, err = openClock(set.data, start, false); err != nil {
		return err
	}
	if set.now.Before(w.clock.Now()) && !set.now.IsZero() {
		return fmt.Errorf("-now %s 早于上次停下的业务时间 %s；请给更晚的时间，或用 -data 另选一个目录",
			set.now.Format("2006-01-02 15:04"), w.clock.Now().Format("2006-01-02 15:04"))
	}
	return nil
}

// startFar puts HIS, WeChat and WeChat Pay on loopback, and our adapter before
// the HIS.
func (w *world) startFar(ctx context.Context, set settings) error {
	var err error
	w.far, err = sim.Open(ctx, sim.Config{
		Dir: set.data, Clock: w.clock, WeChatNow: w.clock.Now, HIS: w.wires.his, WeChat: w.wires.wechat, WeChatPay: w.wires.pay,
	})
	if err != nil {
		return broken(set, err)
	}
	w.closing(w.far.Close)
	if w.his, err = his.NewClient(his.Config{BaseURL: w.far.HISURL}); err != nil {
		return err
	}
	w.closing(func() error { w.his.CloseIdle(); return nil })
	return nil
}

// openAccount opens our own server, which the platforms call, our Official
// Account and our merchant's account.
func (w *world) openAccount(ctx context.Context) error {
	routes := http.NewServeMux()
	address, err := w.far.Serve(ctx, routes)
	if err != nil {
		return err
	}
	if w.site, err = url.Parse(address); err != nil {
		return err
	}
	console := w.far.WeChat.Account()
	w.account, err = wechat.New(wechat.Config{
		AppID: console.AppID, Secret: console.Secret, BaseURL: w.far.WeChatURL, OpenURL: w.far.WeChatOpenURL, Now: w.clock.Now,
	})
	if err != nil {
		return err
	}
	w.closing(func() error { w.account.CloseIdle(); return nil })
	pushes, err := wechat.NewCallback(wechat.CallbackConfig{
		AppID: console.AppID, OriginalID: console.OriginalID, Mode: wechat.Safe,
		Tokens: []string{console.Token}, AESKeys: []string{console.AESKey}, Handle: welcome, Now: w.clock.Now,
	})
	if err != nil {
		return err
	}
	routes.Handle(pushPath, pushes)
	if err := w.far.SiteAt(w.site, pushPath); err != nil {
		return err
	}
	merchant := w.far.WeChatPay.Credentials()
	w.pay, err = wechatpay.New(wechatpay.Config{
		AppID: merchant.AppID, MerchantID: merchant.MerchantID, MerchantKey: merchant.MerchantKey, MerchantSerial: merchant.MerchantSerial,
		APIv3Key: []byte(merchant.APIv3Key), PublicKey: merchant.PublicKey, PublicKeyID: merchant.PublicKeyID,
		PlatformCertificates: merchant.Certificates,
		BaseURL:              w.far.WeChatPayURL, NotifyURL: w.site.JoinPath(noticePath).String(), Now: w.clock.Now,
	})
	if err != nil {
		return err
	}
	routes.Handle("POST "+noticePath, w.pay.Notifications(notifier{w}))
	return nil
}

// notifier takes notices for a cashier that is made after the channel.
type notifier struct{ *world }

func (n notifier) Notify(ctx context.Context, notice payment.Notice) error {
	return n.cashier.Notify(ctx, notice)
}

func broken(set settings, err error) error {
	if errors.Is(err, sim.ErrFolderLocked) {
		return fmt.Errorf("-data %s 正被另一个进程使用；请先结束它，或用 -data 另选一个目录", set.data)
	}
	return fmt.Errorf("-data %s 里的记录读不了；请恢复备份，或用 -data 另选一个目录：%w", set.data, err)
}

func (w *world) openDesk(ctx context.Context) error {
	var err error
	if w.appointments, err = bookingsql.New(ctx, w.db); err != nil {
		return err
	}
	sure := w.his.System().Assurances
	w.desk, err = booking.New(booking.Config{
		Store: w.appointments, Slots: w.his, Stops: w.his, Now: w.clock.Now, Wall: w.clock.Now, // the story waits for nobody
		Assurances: booking.Assurances{Hold: sure.Hold, Confirm: sure.Confirm, Cancel: sure.Cancel},
		StopsEvery: 30 * time.Minute, // the story leaps; the default of a minute would fill the screen
	})
	return err
}

// openCashier also introduces the desk and the cashier to each other.
func (w *world) openCashier(ctx context.Context) error {
	var err error
	if w.orders, err = paymentsql.New(ctx, w.db); err != nil {
		return err
	}
	w.cashier, err = payment.New(payment.Config{
		Store: w.orders, Now: w.clock.Now,
		Channels:   map[string]payment.Channel{channel: w.pay},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForRegistration: w.desk},
	})
	if err != nil {
		return err
	}
	return w.desk.PayWith(w.cashier)
}

// publish puts the paper's rules in force from the first day on, again is nil,
// and learns the names of the departments.
func (w *world) publish(ctx context.Context) error {
	rules, err := booking.Preset("wuxi2018")
	if err != nil {
		return err
	}
	version, err := booking.NewPolicyVersion(rules, "preset", w.clock.opened().At(0, 0))
	if err != nil {
		return err
	}
	if err := w.desk.Publish(ctx, hospital.System("setup"), version); err != nil {
		return err
	}
	departments, err := w.his.Departments(ctx)
	if err != nil {
		return err
	}
	w.departments = map[hospital.DepartmentID]string{}
	for _, d := range departments {
		w.departments[d.ID] = d.Name
	}
	w.wires.take() // not part of the story
	return nil
}

// maxTurns bounds how often the workers take turns at one instant: what one
// finishes may give the other something to do, twice at most.
const maxTurns = 3

// advance lets the platforms deliver and the workers do what is due now. A
// server runs desk.Run and cashier.Run instead.
func (w *world) advance(ctx context.Context) error {
	for range maxTurns {
		if _, err := w.far.WeChatPay.Advance(ctx); err != nil {
			return err
		}
		if _, err := w.cashier.Advance(ctx); err != nil {
			return err
		}
		if _, err := w.desk.Advance(ctx); err != nil {
			return err
		}
	}
	return w.tell(ctx)
}
