package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/wxhospital/hospital"
)

// Config says what a cashier works with.
type Config struct {
	// Store keeps everything. Required.
	Store Store
	// Channels take the money, by the name that stands in the ledger:
	// "wechatpay". A hospital with a merchant per campus names one for each. At
	// least one is required; a channel may leave only when it holds no open
	// attempt and no refund.
	Channels map[string]Channel
	// Deliverers are told what was paid, by purpose. At least one is required.
	Deliverers map[hospital.PurposeKind]Deliverer

	// Now is the business clock: deadlines, schedules, the time of a posting.
	// Default time.Now.
	Now func() time.Time
	// Wall is the clock of the host, for what networks and processes do.
	// Default time.Now.
	Wall func() time.Time
	// Logger; nil discards.
	Logger *slog.Logger

	// QueryAfter says when to ask the channel about a pay sheet that was handed
	// out, counted from the hand-out; the last distance repeats until the order
	// expires. Default 5s 30s 1m 3m 5m 10m 30m, WeChat Pay's own advice.
	QueryAfter []time.Duration
	// DeliveryDeadline is how long an order may be delivering, and then
	// withdrawing, before the next step is taken. Default 10 minutes.
	DeliveryDeadline time.Duration
	// CallTimeout bounds one call of a channel or deliverer. Default 15 seconds.
	CallTimeout time.Duration
	// Lease is how long a worker keeps an order to itself, at least three times
	// CallTimeout: it may ask, close and ask again. Default 1 minute.
	Lease time.Duration
	// Quiet is how long after the last Prepay a channel's "never saw it" counts:
	// a request may still be on its way. Default 1 minute. Half a minute is added
	// for hosts whose clocks differ: keep them closer than that.
	Quiet time.Duration
	// SlowRetry is how often a case that waits for a person is looked at again.
	// Default 10 minutes.
	SlowRetry time.Duration
	// MaxAttempts bounds the attempts to pay one order. Default 20, at most 99.
	MaxAttempts int
	// Workers is how many orders are worked on at once. Default 8.
	Workers int
}

// Bounds of the cashier's own work.
const (
	maxMerges        = 32 // writers of one order at a time: two phones, a notice, the workers of a few replicas
	maxSteps         = 24 // steps on one order before others get their turn
	maxRounds        = 64 // batches in one Advance
	maxRefundNumbers = 5  // numbers for one payment before a person must look
	maxAttemptsLimit = 99 // two digits, so that a trade number keeps within 32 characters

	refundPoll      = time.Minute      // "query after 1 min". Source: WeChat Pay, refund status
	refundPollMax   = time.Hour        // a refund to a bank card takes days
	refundGap       = time.Minute      // between two refunds of one trade. Source: WeChat Pay, refund rules
	closeRetry      = 2 * time.Second  // first pause of query → close → query
	closeRetryMax   = 5 * time.Minute  //
	closeOverdue    = 30 * time.Minute // then a person sees it, and the worker goes on
	refundOverdue   = time.Hour        // without an answer
	refundSlow      = 96 * time.Hour   // at work at the channel: "bank 1-3 days". Source: WeChat Pay, refund rules
	deliverRetry    = time.Second      // first pause between deliveries
	deliverRetryMax = time.Minute      //
	maxSkew         = 30 * time.Second // between the wall clocks of two hosts; a host whose time service works is off by less than one second
	pollEvery       = time.Second      // the truth behind every hint
	pauseAfterError = 5 * time.Second  // a broken store is not hammered
	maxDescription  = 127              // runes. Source: WeChat Pay, description "string[1,127]"
	maxPayer        = 128              // bytes. Source: WeChat Pay, openid "string[1,128]"
	maxAmount       = 10_000_000_000_0 // fen, a billion yuan: more is a slip in the quote
)

// Errors that callers test.
var (
	ErrNotFound     = &hospital.Error{Kind: hospital.NotFound, Code: "no_such_order"}
	ErrMoved        = &hospital.Error{Kind: hospital.Unavailable, Code: "order_moved"} // nothing was written; never to be read as "it is paid"
	ErrHeld         = &hospital.Error{Kind: hospital.Unavailable, Code: "order_held"}
	ErrKeyReused    = &hospital.Error{Kind: hospital.Conflict, Code: "key_reused"}
	ErrPurposeTaken = &hospital.Error{Kind: hospital.Conflict, Code: "purpose_taken", Message: "该项目已有待支付或已支付的订单，请查看订单。"}
	ErrClosed       = &hospital.Error{Kind: hospital.Conflict, Code: "order_closed", Message: "订单已关闭，请重新下单。"}
	ErrExpired      = &hospital.Error{Kind: hospital.Conflict, Code: "order_expired", Message: "订单已超过支付时间，请重新下单。"}
	ErrPaid         = &hospital.Error{Kind: hospital.Conflict, Code: "order_paid", Message: "订单已支付，请勿重复支付。"}
	ErrNotPaid      = &hospital.Error{Kind: hospital.Conflict, Code: "not_paid"}
	ErrTooMany      = &hospital.Error{Kind: hospital.Conflict, Code: "too_many_attempts", Message: "支付尝试次数过多，请重新下单或到窗口支付。"}
	ErrNotKnown     = &hospital.Error{Kind: hospital.Indeterminate, Code: "not_known", Message: "正在核实支付结果，请稍后查看，不要重复支付。"}
	ErrCaseClosed   = &hospital.Error{Kind: hospital.Conflict, Code: "case_closed"}
	ErrWrongOutcome = &hospital.Error{Kind: hospital.Conflict, Code: "wrong_outcome"}
)

// Cashier is 收费处: it takes what is owed, tells whoever asked for it, and
// gives back what cannot be delivered. It is safe for concurrent use, also by
// several processes on one store.
type Cashier struct {
	store      Store
	channels   map[string]Channel
	deliverers map[hospital.PurposeKind]Deliverer
	clock      func() time.Time
	wall       func() time.Time
	logger     *slog.Logger
	self       hospital.Actor
	queryAfter []time.Duration

	deadline, call, lease, quiet, slow time.Duration
	maxAttempts, batch                 int

	wake chan struct{}
}

// New checks the configuration and returns a cashier. It starts nothing; see
// [Cashier.Run].
func New(cfg Config) (*Cashier, error) {
	c := &Cashier{
		store: cfg.Store, channels: maps.Clone(cfg.Channels), deliverers: maps.Clone(cfg.Deliverers),
		clock: cfg.Now, wall: cfg.Wall, logger: cfg.Logger, self: hospital.System("payment"),
		queryAfter: cfg.QueryAfter, deadline: cfg.DeliveryDeadline, call: cfg.CallTimeout, lease: cfg.Lease,
		quiet: cfg.Quiet, slow: cfg.SlowRetry, maxAttempts: cfg.MaxAttempts, batch: cfg.Workers,
		wake: make(chan struct{}, 1),
	}
	if c.store == nil {
		return nil, badConfig("Store", "is required")
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.wall == nil {
		c.wall = time.Now
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	if len(c.queryAfter) == 0 {
		c.queryAfter = []time.Duration{
			5 * time.Second, 30 * time.Second, time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		}
	}
	for _, f := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"DeliveryDeadline", &c.deadline, 10 * time.Minute},
		{"CallTimeout", &c.call, 15 * time.Second},
		{"Lease", &c.lease, time.Minute},
		{"Quiet", &c.quiet, time.Minute},
		{"SlowRetry", &c.slow, 10 * time.Minute},
	} {
		if *f.value == 0 {
			*f.value = f.zero
		}
		if *f.value < time.Millisecond {
			return nil, badConfig(f.name, "is shorter than a millisecond")
		}
	}
	if c.maxAttempts == 0 {
		c.maxAttempts = 20
	}
	if c.batch == 0 {
		c.batch = 8
	}
	if err := c.checkConfig(); err != nil {
		return nil, err
	}
	for name, channel := range c.channels {
		c.channels[name] = guard{channel, c, name}
	}
	return c, nil
}

func (c *Cashier) checkConfig() error {
	if len(c.channels) == 0 {
		return badConfig("Channels", "is empty")
	}
	for name, channel := range c.channels {
		if name == "" || channel == nil {
			return badConfig("Channels", "has an entry without a name or a channel: "+name)
		}
	}
	if len(c.deliverers) == 0 {
		return badConfig("Deliverers", "is empty")
	}
	for kind, to := range c.deliverers {
		if kind == "" || to == nil {
			return badConfig("Deliverers", "has an entry without a kind or a deliverer: "+string(kind))
		}
	}
	last := time.Duration(0)
	for _, at := range c.queryAfter {
		if at <= last {
			return badConfig("QueryAfter", "does not grow")
		}
		last = at
	}
	switch {
	case c.lease < 3*c.call:
		return badConfig("Lease", "is shorter than three CallTimeouts")
	case c.maxAttempts < 1 || c.maxAttempts > maxAttemptsLimit:
		return badConfig("MaxAttempts", "is not 1 to 99")
	case c.batch < 1:
		return badConfig("Workers", "is negative")
	}
	return nil
}

func badConfig(field, why string) error {
	return invalid("payment.New", "bad_config", "Config."+field+" "+why)
}

func invalid(op, code, detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: op, Code: code, Detail: detail}
}

// fail returns a sentinel with the place and the detail.
func fail(op string, sentinel *hospital.Error, detail string) error {
	e := *sentinel
	e.Op, e.Detail = op, detail
	return &e
}

// wrap names the operation in front of an error and keeps its kind and code.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*hospital.Error](err); ok && e.Op == op {
		return err
	}
	return fmt.Errorf("%s: %w", op, err)
}

// now is business time as the store keeps it.
func (c *Cashier) now() time.Time { return c.clock().Truncate(time.Millisecond) }

// Open takes a charge on. It is idempotent by Key: the same charge again is
// nil whatever became of the order, another charge under the key is
// [ErrKeyReused]. It returns [ErrPurposeTaken] when another live order claims
// the purpose, [ErrClosed] when the key was closed before it was opened, and
// Invalid.
func (c *Cashier) Open(ctx context.Context, charge hospital.Charge) error {
	const op = "payment.Open"
	charge.Expires, charge.Description = charge.Expires.Truncate(time.Millisecond), clean(charge.Description)
	if err := c.checkCharge(op, charge); err != nil {
		return err
	}
	o := c.newOrder(charge)
	o.State, o.Live, o.Next = Quoted, true, charge.Expires
	o.Due = o.due()
	d := &draft{c: c, change: Change{Order: o}, actor: charge.Actor, now: o.Opened}
	d.o = &d.change.Order
	d.audit("order.open", "")
	kept, err := c.store.Open(ctx, d.change)
	switch {
	case err != nil:
		return wrap(op, err)
	case kept.Charge.Purpose == (hospital.Purpose{}):
		return fail(op, ErrClosed, "the key was closed before it was opened")
	case !sameCharge(kept.Charge, charge):
		return fail(op, ErrKeyReused, "order "+kept.ID)
	}
	return nil
}

func (c *Cashier) newOrder(charge hospital.Charge) Order {
	now := c.now()
	return Order{ID: hospital.NewID("o", now), Charge: charge, Opened: now, Changed: now}
}

func (c *Cashier) checkCharge(op string, charge hospital.Charge) error {
	switch {
	case !charge.Key.Valid():
		return invalid(op, "bad_key", "Key")
	case c.deliverers[charge.Purpose.Kind] == nil:
		return invalid(op, "no_deliverer", "Purpose.Kind "+string(charge.Purpose.Kind))
	case !plain(charge.Purpose.ID):
		return invalid(op, "bad_purpose", "Purpose.ID")
	case !plainOrNone(string(charge.Patient)):
		return invalid(op, "bad_patient", "Patient")
	case !plainOrNone(string(charge.Campus)):
		return invalid(op, "bad_campus", "Campus")
	case !plainOrNone(charge.Actor.ID) || !plainOrNone(string(charge.Actor.Entry)):
		return invalid(op, "bad_actor", "Actor")
	case charge.Amount < 1 || charge.Amount > maxAmount:
		return invalid(op, "bad_amount", "Amount: want 1 fen or more")
	case charge.Expires.IsZero():
		return invalid(op, "no_expiry", "Expires")
	case len([]rune(charge.Description)) > maxDescription:
		return invalid(op, "bad_description", "Description is longer than 127 characters")
	case !plainOrNone(charge.QuoteVersion):
		return invalid(op, "bad_quote_version", "QuoteVersion")
	}
	return nil
}

// sameCharge compares what is owed. Who asks may differ: the worker repeats
// what a user began.
func sameCharge(a, b hospital.Charge) bool {
	if !a.Expires.Equal(b.Expires) {
		return false
	}
	a.Expires, b.Expires = time.Time{}, time.Time{}
	a.Actor, b.Actor = hospital.Actor{}, hospital.Actor{}
	return a == b
}

// Find returns the order of a charge, or [ErrNotFound]. It checks no scope:
// who shows the order to a user has opened the patient's first.
func (c *Cashier) Find(ctx context.Context, charge hospital.Key) (Order, error) {
	o, err := c.find(ctx, charge)
	return o, wrap("payment.Find", err)
}

// find knows without asking the store that what is no key names no order.
func (c *Cashier) find(ctx context.Context, charge hospital.Key) (Order, error) {
	if !charge.Valid() {
		return Order{}, ErrNotFound
	}
	return c.store.Find(ctx, Ref{Key: charge}) //nolint:wrapcheck // its callers wrap
}

// Orders lists orders, newest first, at most 200. Like Find it checks no
// scope. It returns Invalid for a filter that can match nothing.
func (c *Cashier) Orders(ctx context.Context, f Filter) ([]Order, error) {
	if f.Limit <= 0 || f.Limit > maxList {
		f.Limit = maxList
	}
	if !plainOrNone(string(f.Patient)) || !plainOrNone(f.Purpose.ID) || !plainOrNone(string(f.Purpose.Kind)) || !plainOrNone(string(f.State)) {
		return nil, invalid("payment.Orders", "bad_filter", "Filter")
	}
	orders, err := c.store.List(ctx, f)
	return orders, wrap("payment.Orders", err)
}
