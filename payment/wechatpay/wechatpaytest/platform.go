package wechatpaytest

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/journal"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// The merchant and the account of a [Config] that names none.
const (
	DefaultMerchantID = "1900000109"
	DefaultAppID      = "wx5f0a8c3d2e1b4a67"
)

// DefaultRefundAfter is how long a refund stays PROCESSING by the clock.
const DefaultRefundAfter = 5 * time.Second

// maxIdle is how long Run sleeps at most: business time may jump meanwhile.
const maxIdle = time.Second

// maxShift bounds what is added to the clock: it lies beyond every period that
// WeChat Pay knows.
const maxShift = 10 * 365 * 24 * time.Hour

// Mode says with which keys WeChat Pay signs for this merchant.
type Mode string

// The modes. Source: pay.weixin.qq.com/doc/v3/merchant/4012154180.
const (
	PublicKeyMode   Mode = "public_key"  // 微信支付公钥, all a new merchant has
	CertificateMode Mode = "certificate" // 平台证书, all an old merchant had
	MixedMode       Mode = "mixed"       // both, while a merchant changes over
)

// Config describes a simulated WeChat Pay. The zero Config is one in memory,
// with one merchant in public-key mode.
type Config struct {
	// Dir is the folder of the journal and of the keys, "" to keep nothing. A
	// platform opened over a folder continues where the last one ended, under
	// the same keys. The folder holds private keys: its files have mode 0600.
	Dir string
	// MerchantID is 商户号. Default: DefaultMerchantID.
	MerchantID string
	// AppIDs are the accounts bound to the merchant. Default: DefaultAppID.
	AppIDs []string
	// Mode says which keys sign. Default: PublicKeyMode.
	Mode Mode
	// Keys are used in place of new ones; over a folder that has keys they must
	// be nil. Making keys takes up to a second, so tests share one set.
	Keys *Keys
	// Knows reports whether the openid belongs to the account; a prepay for
	// another is refused. Default: every openid does.
	Knows func(appID, openID string) bool
	// RefundAfter is how long a refund stays PROCESSING. Default:
	// DefaultRefundAfter.
	RefundAfter time.Duration
	// RefundNotifyURL is where refunds are told that name no notify_url, as set
	// on the merchant platform. Example: "https://hospital.example/refunds".
	// Default: nobody is told of those.
	RefundNotifyURL string
	// CloseUnseen makes the close of a number that was never prepaid succeed and
	// burn the number, as merchants have observed. Default: ORDER_NOT_EXIST, as
	// documented.
	CloseUnseen bool
	// Now is business time: expiry, refunds and the ladder of redelivery run by
	// it, moved by what Shift adds. Default: time.Now.
	Now func() time.Time
	// Wall is the time of signatures and certificates. Default: time.Now.
	Wall func() time.Time
	// HTTPClient lends its transport to the notifications. Default: a new one.
	HTTPClient *http.Client
	// Log receives what crossed the wire, both ways; nil discards. It is called
	// from many goroutines.
	Log func(Exchange)
}

// Exchange is one request and its answer as they crossed the wire: a call of
// the merchant, or a notification to it. It names no person.
type Exchange struct {
	At        time.Time
	Call      Call   // "notify" for a notification
	Subject   string // the trade's or the refund's number, "" where there is none
	Status    int    // 0 when no answer came or none was given
	Code      string // of a refusal: "PARAM_ERROR"; of a notification its event
	RequestID string // "" for a notification
	Fault     string // the switch that acted, "" for none
	Took      time.Duration
}

// Platform is 微信支付, the one truth about a merchant's trades, refunds and
// notifications. It is safe for concurrent use. Make one with [New].
type Platform struct {
	config Config
	cipher *wechatpay.Cipher
	client *http.Client
	wake   chan struct{}

	delivering sync.Mutex // one Advance at a time

	mu       sync.Mutex
	ring     ring
	journal  *journal.Journal
	state    *state
	faults   map[Call][]Switch
	mail     []Mail
	outcomes []string // of the next refunds
}

// New opens a platform, or reopens the one whose folder is config.Dir.
// Nothing runs until [Platform.Advance] or [Platform.Run]. Invalid: a field of
// the Config, which is named, or one that contradicts the folder. Internal: the
// folder cannot be read; the error names the line.
func New(config Config) (*Platform, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	keys, err := openKeys(config)
	if err != nil {
		return nil, err
	}
	cipher, err := wechatpay.NewCipher([]byte(keys.APIv3Key))
	if err != nil {
		return nil, err
	}
	p := &Platform{
		config: config, cipher: cipher, wake: make(chan struct{}, 1),
		ring: ring{mode: config.Mode, keys: keys}, state: newState(), faults: map[Call][]Switch{},
	}
	p.client = &http.Client{
		Timeout:       notifyTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if config.HTTPClient != nil {
		p.client.Transport = config.HTTPClient.Transport
	}
	if p.journal, err = openJournal(config.Dir, p.state.apply); err != nil {
		return nil, err
	}
	return p, nil
}

// complete fills in the defaults.
func (c Config) complete() (Config, error) {
	bad := func(detail string) (Config, error) { return c, platformError(hospital.Invalid, "bad_config", detail) }
	if c.MerchantID == "" {
		c.MerchantID = DefaultMerchantID
	}
	if len(c.AppIDs) == 0 {
		c.AppIDs = []string{DefaultAppID}
	}
	if c.Mode == "" {
		c.Mode = PublicKeyMode
	}
	if c.RefundAfter == 0 {
		c.RefundAfter = DefaultRefundAfter
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	if c.Knows == nil {
		c.Knows = func(string, string) bool { return true }
	}
	if c.Log == nil {
		c.Log = func(Exchange) {}
	}
	switch {
	case !digits(c.MerchantID) || len(c.MerchantID) < 8 || len(c.MerchantID) > 10:
		return bad("MerchantID: want 8 to 10 digits")
	case slices.Contains(c.AppIDs, ""):
		return bad("AppIDs: one is empty")
	case c.Mode != PublicKeyMode && c.Mode != CertificateMode && c.Mode != MixedMode:
		return bad("Mode: none of the three")
	case c.RefundNotifyURL != "" && !notifiable(c.RefundNotifyURL):
		return bad("RefundNotifyURL: " + notifyIssue)
	case c.RefundAfter < 0:
		return bad("RefundAfter is negative")
	}
	return c, nil
}

func digits(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text != ""
}

// Close writes the journal out. The platform must not be used afterwards.
func (p *Platform) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.journal.Close()
}

// Now returns the platform's business time.
func (p *Platform) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now()
}

// now is Now for who holds mu.
func (p *Platform) now() time.Time { return p.config.Now().Add(p.state.Offset) }

// Shift moves business time forward by d from now on; a restart keeps it. It
// delivers nothing by itself. Invalid: d is negative, or the shifts come to
// more than ten years.
func (p *Platform) Shift(d time.Duration) error {
	return p.do(func(c *change) error {
		if d < 0 || d > maxShift-c.Offset {
			return platformError(hospital.Invalid, "bad_shift", "want 0 to ten years")
		}
		c.Offset += d
		return nil
	})
}

// Advance does what is due by the clock: it settles refunds, closes trades
// after their seven days and delivers notifications, one after the other. It
// returns when something is due next, the zero time for nothing. A delivery
// that fails is no error: it is due again. Internal: the journal is broken.
func (p *Platform) Advance(ctx context.Context) (time.Time, error) {
	p.delivering.Lock()
	defer p.delivering.Unlock()
	for {
		if err := p.do(func(*change) error { return nil }); err != nil {
			return time.Time{}, err
		}
		due, next := p.due()
		if len(due) == 0 {
			return next, nil
		}
		for _, id := range due {
			if err := ctx.Err(); err != nil {
				return time.Time{}, err
			}
			if err := p.deliver(ctx, id); err != nil {
				return time.Time{}, err
			}
		}
	}
}

// Run advances whenever something is due, until ctx ends; then it returns nil.
// It needs no other goroutine and leaves none behind.
func (p *Platform) Run(ctx context.Context) error {
	for {
		next, err := p.Advance(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // what ctx cut short is not broken
		case err != nil:
			return err
		}
		idle := maxIdle
		if !next.IsZero() {
			idle = min(idle, max(0, next.Sub(p.Now())))
		}
		timer := time.NewTimer(idle)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-p.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// do runs one command: time passes first, then f collects what changes, and
// the change is on the disk before do returns. An error of f changes nothing.
func (p *Platform) do(f func(*change) error) error {
	seq, err := p.decide(f)
	if err != nil {
		return err
	}
	return p.journal.Sync(seq)
}

func (p *Platform) decide(f func(*change) error) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.pass(); err != nil {
		return 0, err
	}
	c := p.change()
	if err := f(c); err != nil {
		return 0, err
	}
	if err := p.commit(c); err != nil {
		return 0, err
	}
	return p.journal.Seq(), nil
}

// pass lets happen what the clock alone brings about. The caller holds mu.
func (p *Platform) pass() error {
	c := p.change()
	for _, no := range p.state.open {
		if t := p.state.trades[no]; !t.State.final() && !c.now.Before(t.Created.Add(tradeLife)) {
			closed := *t
			closed.State, closed.ClosedAt = Closed, t.Created.Add(tradeLife)
			c.Trades = append(c.Trades, closed)
		}
	}
	for _, no := range p.state.processing {
		if r := p.state.refunds[no]; r.Outcome != Processing && !c.now.Before(r.DueAt) {
			p.settle(c, *r, r.Outcome, r.DueAt)
		}
	}
	return p.commit(c)
}

// commit journals the change and lets it happen. The caller holds mu.
func (p *Platform) commit(c *change) error {
	if c.empty(p.state) {
		return nil
	}
	c.Seq = p.journal.Seq() + 1
	if err := p.journal.Append(c.line); err != nil {
		return err
	}
	p.state.apply(c.line)
	if len(c.Notices) > 0 {
		select {
		case p.wake <- struct{}{}:
		default: // Run has been told already
		}
	}
	return nil
}

func platformError(kind hospital.Kind, code, detail string) error {
	return &hospital.Error{Kind: kind, Op: "wechatpaytest.Platform", Code: code, Detail: detail}
}
