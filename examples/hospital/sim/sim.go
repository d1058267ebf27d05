// Package sim is everything around a hospital's server, simulated on loopback:
// the HIS behind SOAP, WeChat with its users, and WeChat Pay. They speak the
// real protocols; a server tells them from the real ones by their addresses
// alone.
package sim

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/filelock"
	"github.com/wxhospital/hospital/internal/simverb"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// Config says what the far sides remember, and where.
type Config struct {
	// Dir is the folder of their journals; it may exist.
	Dir string
	// Clock is the business time that all of them share. Signatures of WeChat Pay
	// run by the wall.
	Clock Clock
	// WeChatNow is WeChat's clock: tokens, pushes, web logins. Default the wall's,
	// which a server of another process has too.
	WeChatNow func() time.Time
	// SlotNumbers is how many numbers a segment has; 0 as a hospital has them.
	SlotNumbers int

	// What crossed the wires; nil discards.
	HIS       func(histest.Exchange)
	WeChat    func(wechattest.Exchange)
	WeChatPay func(wechatpaytest.Exchange)
}

// Clock is business time. It may be moved on, never back.
type Clock interface {
	Now() time.Time
	To(at time.Time) error
}

// World is the far sides at work. Make one with [Open].
type World struct {
	Hospital  *histest.Hospital
	Faults    *histest.Faults // of the wire to the HIS
	WeChat    *wechattest.Platform
	WeChatPay *wechatpaytest.Platform
	Texts     *Texts // the carrier of text messages

	// Where they listen, without a slash at the end. HISURL is the Web Service;
	// what people do at the hospital is below /_sim/ of its host.
	HISURL, WeChatURL, WeChatOpenURL, WeChatPayURL, TextURL string

	closers []func() error // in the order they were opened
}

// Open starts everything on free ports of 127.0.0.1. An error names what could
// not be opened, and nothing stays open.
func Open(ctx context.Context, config Config) (_ *World, err error) {
	w := &World{Faults: &histest.Faults{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if config.Clock == nil || config.Dir == "" {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "sim.Open", Code: "bad_config", Detail: "Config: Clock and Dir are required"}
	}
	lock, err := filelock.Take(filepath.Join(config.Dir, "far.lock"))
	switch {
	case errors.Is(err, filelock.ErrHeld):
		return nil, ErrFolderLocked
	case err != nil:
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "sim.Open", Code: "bad_config", Detail: "Config.Dir: no lock can be had there", Err: err}
	}
	w.closing(lock.Close)
	for _, start := range []func(context.Context, Config) error{w.startHIS, w.startWeChat, w.startWeChatPay, w.startTexts} {
		if err := start(ctx, config); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// ErrFolderLocked says that another process has the folder of the journals.
var ErrFolderLocked = &hospital.Error{Kind: hospital.Conflict, Op: "sim.Open", Code: "folder_locked"}

// Close ends everything, the last first.
func (w *World) Close() error {
	var failed []error
	for _, end := range slices.Backward(w.closers) {
		failed = append(failed, end())
	}
	w.closers = nil
	return errors.Join(failed...)
}

func (w *World) closing(end func() error) { w.closers = append(w.closers, end) }

func (w *World) startHIS(ctx context.Context, config Config) error {
	var err error
	w.Hospital, err = histest.NewHospital(histest.Config{Dir: config.Dir, Now: config.Clock.Now, SlotNumbers: config.SlotNumbers})
	if err != nil {
		return err
	}
	w.closing(w.Hospital.Close)
	service, err := histest.NewService(histest.ServiceConfig{System: w.Hospital.System, Faults: w.Faults, Log: config.HIS})
	if err != nil {
		return err
	}
	routes := http.NewServeMux()
	routes.Handle("/his", service)
	routes.Handle(simverb.Prefix, histest.Control(w.Hospital, w.Faults))
	routes.Handle(simverb.Prefix+"clock", clockVerbs(config.Clock))
	at, err := w.Serve(ctx, routes)
	w.HISURL = at + "/his"
	return err
}

// clockVerbs let another process read business time and move it on.
func clockVerbs(clock Clock) http.Handler {
	return simverb.Verbs{
		"GET clock": func(_ context.Context, o *simverb.Order) (any, error) {
			return map[string]time.Time{"now": clock.Now()}, o.Err()
		},
		"POST clock": func(_ context.Context, o *simverb.Order) (any, error) {
			forward, to := o.Duration("forward"), o.Text("to")
			if err := o.Err(); err != nil {
				return nil, err
			}
			at := clock.Now().Add(forward)
			if to != "" {
				var err error
				if at, err = time.Parse(time.RFC3339Nano, to); err != nil || forward != 0 {
					return nil, &hospital.Error{
						Kind: hospital.Invalid, Op: "sim", Code: "bad_order", Detail: "want forward=15m, or to= an instant of RFC 3339",
					}
				}
			}
			err := clock.To(at)
			return map[string]time.Time{"now": clock.Now()}, err
		},
	}
}

func (w *World) startWeChat(ctx context.Context, config Config) error {
	var err error
	w.WeChat, err = wechattest.New(wechattest.Config{Dir: config.Dir, Templates: Templates(), Now: config.WeChatNow, Log: config.WeChat})
	if err != nil {
		return err
	}
	w.closing(w.WeChat.Close)
	if w.WeChatURL, err = w.Serve(ctx, w.WeChat.Handler()); err != nil {
		return err
	}
	w.WeChatOpenURL, err = w.Serve(ctx, w.WeChat.Open())
	return err
}

func (w *World) startWeChatPay(ctx context.Context, config Config) error {
	var err error
	w.WeChatPay, err = wechatpaytest.New(wechatpaytest.Config{
		Dir: config.Dir, AppIDs: []string{w.WeChat.Account().AppID}, Mode: wechatpaytest.MixedMode, Now: config.Clock.Now,
		Knows: func(_, openID string) bool { _, err := w.WeChat.Find(openID); return err == nil }, Log: config.WeChatPay,
	})
	if err != nil {
		return err
	}
	w.closing(w.WeChatPay.Close)
	w.WeChatPayURL, err = w.Serve(ctx, w.WeChatPay)
	return err
}

// startTexts serves the carrier at /text; GET /_sim/texts of the same host shows
// what the phones got.
func (w *World) startTexts(ctx context.Context, config Config) error {
	w.Texts = &Texts{now: config.Clock.Now}
	routes := http.NewServeMux()
	routes.Handle("/text", w.Texts)
	routes.Handle(simverb.Prefix, simverb.Verbs{
		"GET texts": func(_ context.Context, o *simverb.Order) (any, error) { return w.Texts.Shown(), o.Err() },
	})
	at, err := w.Serve(ctx, routes)
	w.TextURL = at + "/text"
	return err
}

// Run delivers what the platforms tell by themselves, until the context ends.
// Without it nothing is delivered but by their Advance.
func (w *World) Run(ctx context.Context) error {
	var group sync.WaitGroup
	failed := make([]error, 2)
	for i, run := range []func(context.Context) error{w.WeChat.Run, w.WeChatPay.Run} {
		group.Go(func() { failed[i] = run(ctx) })
	}
	group.Wait()
	return errors.Join(failed...)
}

// SiteAt tells WeChat where the hospital's server is: pushes go to path, and web
// logins may return to its host.
func (w *World) SiteAt(base *url.URL, path string) error {
	return errors.Join(w.WeChat.SetCallback(base.JoinPath(path).String()), w.WeChat.AddDomain(base.Host))
}

// Serve answers on a free port of loopback until the world is closed, and
// returns its address.
func (w *World) Serve(ctx context.Context, handler http.Handler) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", &hospital.Error{Kind: hospital.Internal, Op: "sim.Serve", Code: "no_port", Err: err}
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
