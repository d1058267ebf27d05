package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
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
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymentsql"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

// channel is the name of the one payment channel.
const channel = "till"

// world is everything that runs: the far sides, the wires to them, and the
// hospital's own desk and cashier.
type world struct {
	clock     *clock
	continued bool // the data folder was there before
	wires     *wires

	hospital *histest.Hospital // behind SOAP
	faults   *histest.Faults
	till     *paymenttest.Till // behind HTTP
	hisURL   string
	tillURL  string

	his          *his.Client
	appointments *bookingsql.Store
	desk         *booking.Desk
	cashier      *payment.Cashier

	closers []func() error // in the order they were opened
}

// open starts everything. On an error nothing stays open.
func open(ctx context.Context, set settings) (_ *world, err error) {
	w := &world{wires: &wires{}, faults: &histest.Faults{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if err := os.MkdirAll(set.data, 0o750); err != nil {
		return nil, fmt.Errorf("-data：建不了目录 %s：%w", set.data, err)
	}
	db, err := w.openDB(ctx, set) // first, because SQLite refuses a second process
	if err != nil {
		return nil, err
	}
	if err := w.setClock(set); err != nil {
		return nil, err
	}
	for _, start := range []func() error{
		func() error { return w.startHIS(ctx, set) },
		func() error { return w.startTill(ctx, set) },
		func() error { return w.openDesk(ctx, db) },
		func() error { return w.openCashier(ctx, db) },
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

func (w *world) openDB(ctx context.Context, set settings) (*bookingsql.DB, error) {
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
	w.closing(db.Close)
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
	if w.clock, w.continued, err = openClock(set.data, start); err != nil {
		return err
	}
	if set.now.Before(w.clock.Now()) && !set.now.IsZero() {
		return fmt.Errorf("-now %s 早于上次停下的业务时间 %s；请给更晚的时间，或用 -data 另选一个目录",
			set.now.Format("2006-01-02 15:04"), w.clock.Now().Format("2006-01-02 15:04"))
	}
	return nil
}

// startHIS puts the simulated hospital behind SOAP, and our adapter before it.
func (w *world) startHIS(ctx context.Context, set settings) error {
	var err error
	if w.hospital, err = histest.NewHospital(histest.Config{Dir: set.data, Now: w.clock.Now}); err != nil {
		return broken(set, err)
	}
	w.closing(w.hospital.Close)
	service, err := histest.NewService(histest.ServiceConfig{System: w.hospital.System, Faults: w.faults, Log: w.wires.his})
	if err != nil {
		return err
	}
	if w.hisURL, err = w.serve(ctx, service); err != nil {
		return err
	}
	if w.his, err = his.NewClient(his.Config{BaseURL: w.hisURL + "/his"}); err != nil {
		return err
	}
	w.closing(func() error { w.his.CloseIdle(); return nil })
	return nil
}

// startTill puts the simulated payment channel behind HTTP. Its notices reach
// the cashier as a channel's callback would.
func (w *world) startTill(ctx context.Context, set settings) error {
	ctx = context.WithoutCancel(ctx) // a payment that was made is told, also while we end
	var err error
	w.till, err = paymenttest.OpenTill(paymenttest.TillConfig{
		Name: channel, Dir: set.data, Now: w.clock.Now,
		Notify: func(n payment.Notice) {
			begun := time.Now()
			err := w.cashier.Notify(ctx, n)
			w.wires.notice(n, begun, err)
		},
	})
	if err != nil {
		return broken(set, err)
	}
	w.closing(w.till.Shut)
	w.tillURL, err = w.serve(ctx, w.wires.watch(paymenttest.TillServer{Till: w.till}))
	return err
}

func broken(set settings, err error) error {
	return fmt.Errorf("-data %s 里的记录读不了；请恢复备份，或用 -data 另选一个目录：%w", set.data, err)
}

// serve answers on a free port of loopback and returns its address.
func (w *world) serve(ctx context.Context, handler http.Handler) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("本机没有可用的端口：%w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	w.closing(func() error {
		err := server.Close()
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	})
	return "http://" + listener.Addr().String(), nil
}

func (w *world) openDesk(ctx context.Context, db *bookingsql.DB) error {
	var err error
	if w.appointments, err = bookingsql.New(ctx, db); err != nil {
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
func (w *world) openCashier(ctx context.Context, db *bookingsql.DB) error {
	orders, err := paymentsql.New(ctx, db)
	if err != nil {
		return err
	}
	client, err := paymenttest.NewTillClient(paymenttest.ClientConfig{BaseURL: w.tillURL})
	if err != nil {
		return err
	}
	w.cashier, err = payment.New(payment.Config{
		Store: orders, Now: w.clock.Now,
		Channels:   map[string]payment.Channel{channel: client},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForRegistration: w.desk},
	})
	if err != nil {
		return err
	}
	return w.desk.PayWith(w.cashier)
}

// publish puts the paper's rules in force from the first day on; again is nil.
func (w *world) publish(ctx context.Context) error {
	rules, err := booking.Preset("wuxi2018")
	if err != nil {
		return err
	}
	version, err := booking.NewPolicyVersion(rules, "preset", w.clock.opened().At(0, 0))
	if err != nil {
		return err
	}
	return w.desk.Publish(ctx, hospital.System("setup"), version)
}

// maxTurns bounds how often the workers take turns at one instant: what one
// finishes may give the other something to do, twice at most.
const maxTurns = 3

// advance lets the workers do what is due now. A server runs desk.Run and
// cashier.Run instead.
func (w *world) advance(ctx context.Context) error {
	for range maxTurns {
		if _, err := w.cashier.Advance(ctx); err != nil {
			return err
		}
		if _, err := w.desk.Advance(ctx); err != nil {
			return err
		}
	}
	return nil
}
