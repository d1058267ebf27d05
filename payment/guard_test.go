package payment_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

// liar is a till whose answers are bent, or that panics.
type liar struct {
	*paymenttest.Till

	trade  func(payment.Trade) payment.Trade
	refund func(payment.RefundStatus) payment.RefundStatus
	sheet  func(payment.Sheet) payment.Sheet
}

func (l liar) Prepay(ctx context.Context, a payment.Attempt) (payment.Sheet, error) {
	s, err := l.Till.Prepay(ctx, a)
	if l.sheet != nil {
		s = l.sheet(s)
	}
	return s, err
}

func (l liar) Query(ctx context.Context, no payment.TradeNo) (payment.Trade, error) {
	t, err := l.Till.Query(ctx, no)
	if l.trade != nil {
		t = l.trade(t)
	}
	return t, err
}

func (l liar) Refund(ctx context.Context, r payment.Refund) (payment.RefundStatus, error) {
	s, err := l.Till.Refund(ctx, r)
	if l.refund != nil {
		s = l.refund(s)
	}
	return s, err
}

func (o *office) lying(l liar) {
	l.Till = o.till
	o.config.Channels = map[string]payment.Channel{"till": l, "second": o.second}
	o.reopen()
}

func TestANoticeThatCannotBeIsRefusedNamingTheField(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	trade := payment.Trade{
		TradeNo: "order-1-1", State: payment.TradePaid, Amount: 5, Currency: payment.Currency, TransactionID: "T1", PaidAt: o.clock.Now(),
	}
	refund := payment.RefundStatus{
		No: "order-1-1-r1", TradeNo: "order-1-1", State: payment.RefundSucceeded, Amount: 5, Currency: payment.Currency,
	}
	for name, c := range map[string]struct {
		field string
		edit  func(*payment.Notice)
	}{
		"a blank id":               {"ID", func(n *payment.Notice) { n.ID = "  " }},
		"an id with a NUL":         {"ID", func(n *payment.Notice) { n.ID = "EV\x00" }},
		"a long id":                {"ID", func(n *payment.Notice) { n.ID = string(bytes.Repeat([]byte("x"), 129)) }},
		"a blank trade number":     {"Trade.TradeNo", func(n *payment.Notice) { n.Trade.TradeNo = " " }},
		"a blank transaction id":   {"Trade.TransactionID", func(n *payment.Notice) { n.Trade.TransactionID = "\t" }},
		"a transaction id of NULs": {"Trade.TransactionID", func(n *payment.Notice) { n.Trade.TransactionID = "\x00" }},
		"no bytes of UTF-8":        {"Trade.TransactionID", func(n *payment.Notice) { n.Trade.TransactionID = "T\xff" }},
		"a negative amount":        {"Trade.Amount", func(n *payment.Notice) { n.Trade.Amount = -5 }},
		"nothing paid":             {"Trade.Amount", func(n *payment.Notice) { n.Trade.Amount = 0 }},
		"a state of its own":       {"Trade.State", func(n *payment.Notice) { n.Trade.State = "paid?" }},
		"a blank refund number":    {"Refund.No", func(n *payment.Notice) { n.Trade, n.Refund.No = nil, "" }},
		"a refund of no trade":     {"Refund.TradeNo", func(n *payment.Notice) { n.Trade, n.Refund.TradeNo = nil, " " }},
		"a negative refund":        {"Refund.Amount", func(n *payment.Notice) { n.Trade, n.Refund.Amount = nil, -1 }},
		"both":                     {"Trade or Refund", func(*payment.Notice) {}},
	} {
		told, back := trade, refund
		n := payment.Notice{Channel: "till", ID: "EV-1", Trade: &told, Refund: &back}
		c.edit(&n)
		if c.field != "Trade or Refund" && n.Trade != nil {
			n.Refund = nil
		}
		err := o.Notify(o.ctx, n)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), name)
		require.ErrorContains(t, err, c.field, name)
	}
	require.Empty(t, o.cases())
}

func TestCallersTextIsPlainOrRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for field, edit := range map[string]func(*hospital.Charge){
		"Patient":      func(c *hospital.Charge) { c.Patient = "P\x00" },
		"Campus":       func(c *hospital.Charge) { c.Campus = " " },
		"Purpose.ID":   func(c *hospital.Charge) { c.Purpose.ID = "  " },
		"QuoteVersion": func(c *hospital.Charge) { c.QuoteVersion = "7\xff" },
		"Actor":        func(c *hospital.Charge) { c.Actor.ID = "u\x00" },
	} {
		bad := o.charge()
		edit(&bad)
		err := o.Open(o.ctx, bad)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), field)
		require.ErrorContains(t, err, field)
	}
	c := o.charge()
	c.Description = "门诊\x00缴费\xff\n"
	require.NoError(t, o.Open(o.ctx, c))
	require.NoError(t, o.Open(o.ctx, c), "the same charge")
	require.Equal(t, "门诊\uFFFD缴费\uFFFD", o.order(c.Key).Charge.Description)
	req := o.request(c.Key)
	req.Payer = " "
	_, err := o.Pay(o.ctx, req)
	require.ErrorContains(t, err, "Payer")
	require.Equal(t, hospital.Invalid, hospital.KindOf(o.Refund(o.ctx, c.Key, "why\x00")))
	_, err = o.Find(o.ctx, "charge\x00")
	require.ErrorIs(t, err, payment.ErrNotFound)
	_, err = o.Orders(o.ctx, payment.Filter{Patient: "P\x00"})
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
}

func TestAnAnswerThatCannotBeIsNotBelieved(t *testing.T) {
	t.Parallel()
	t.Run("a blank transaction id", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.lying(liar{trade: func(t payment.Trade) payment.Trade { t.TransactionID = " "; return t }})
		o.till.Mail(paymenttest.MailLost)
		key, _ := o.paid()
		o.later(time.Minute)
		o.state(key, payment.Manual)
		cases, err := o.Manual(o.ctx)
		require.NoError(t, err)
		require.Contains(t, cases[0].Detail, "Trade.TransactionID")
	})
	t.Run("no time of payment is the time at which it is heard", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.lying(liar{trade: func(t payment.Trade) payment.Trade { t.PaidAt = time.Time{}; return t }})
		o.till.Mail(paymenttest.MailLost)
		key, _ := o.paid()
		o.later(5 * time.Second)
		o.state(key, payment.Delivered)
		_, calls := o.his.state(key)
		require.Equal(t, o.clock.Now(), calls[0].PaidAt)
	})
	t.Run("a negative refund", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.lying(liar{refund: func(s payment.RefundStatus) payment.RefundStatus { s.Amount = -s.Amount; return s }})
		o.his.script([]answer{refuses}, nil)
		o.till.Mail(paymenttest.MailNow, paymenttest.MailLost)
		key, no := o.paid()
		o.advance()
		o.state(key, payment.Refunding)
		cases, err := o.Manual(o.ctx)
		require.NoError(t, err)
		require.Contains(t, cases[0].Detail, "Refund.Amount")
		o.later(time.Hour)
		o.state(key, payment.Refunded)
		o.returnedOnce(no)
	})
	t.Run("a sheet of another trade", func(t *testing.T) {
		t.Parallel()
		o := newOffice(t)
		o.lying(liar{sheet: func(s payment.Sheet) payment.Sheet { s.TradeNo = ""; return s }})
		_, err := o.Pay(o.ctx, o.request(o.opened()))
		require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
		require.ErrorContains(t, err, "Sheet.TradeNo")
	})
}

func TestAPanicIsOneOrdersTrouble(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var log bytes.Buffer
	o.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	broken, _ := o.paid()
	o.config.Deliverers = map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: panicky{o.his, broken}}
	o.reopen()
	key, _ := o.paid()
	o.advance()
	o.state(key, payment.Delivered)
	o.state(broken, payment.Delivering)
	require.Contains(t, log.String(), "payment: panic")
	require.NotContains(t, log.String(), "张三")
	o.later(time.Hour)
	o.state(broken, payment.Manual)
	require.Equal(t, []payment.CaseReason{payment.CaseDeliveryUnknown}, o.cases())

	o.lying(liar{trade: func(payment.Trade) payment.Trade { panic("张三") }})
	o.till.Mail(paymenttest.MailLost)
	key, _ = o.paid()
	o.later(time.Minute)
	o.state(key, payment.Payable)
	o.lying(liar{})
	o.later(time.Hour)
	o.state(key, payment.Delivered)
	require.NotContains(t, log.String(), "张三")
}

// panicky breaks on one charge.
type panicky struct {
	*his

	on hospital.Key
}

func (p panicky) Deliver(ctx context.Context, d hospital.Delivery) error {
	if d.Key == p.on {
		panic("张三")
	}
	return p.his.Deliver(ctx, d)
}

func (p panicky) Withdraw(ctx context.Context, key hospital.Key) error {
	if key == p.on {
		panic(fmt.Errorf("张三"))
	}
	return p.his.Withdraw(ctx, key)
}

// spoilt is a store that cannot keep what became of one order, until mended.
type spoilt struct {
	*paymenttest.Memory

	order  func() string
	mended *bool
}

func (s spoilt) Save(ctx context.Context, c payment.Change) error {
	defect := len(c.Order.Cases) == 0 || c.Order.State != payment.Paid // the case itself can be kept
	if !*s.mended && c.Order.ID != "" && c.Order.ID == s.order() && defect {
		return &hospital.Error{Kind: hospital.Internal, Code: "illegal_change"}
	}
	return s.Memory.Save(ctx, c)
}

func TestAnOrderOnWhichWeFailIsShownAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	bad, _ := o.paid()
	key, _ := o.paid()
	mended := false
	o.config.Store = spoilt{o.store, func() string { return o.order(bad).ID }, &mended}
	o.reopen()
	_, err := o.Advance(o.ctx)
	require.NoError(t, err, "the store works")
	o.state(key, payment.Delivered)
	o.state(bad, payment.Paid)
	require.Equal(t, []payment.CaseReason{payment.CaseDefect}, o.cases())
	mended = true
	o.later(2 * time.Minute)
	o.state(bad, payment.Delivered)
}

func TestPoisonInTheInboxStopsNobody(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for n := range 20 { // more than one batch, and older than the rest
		require.NoError(t, o.store.Receive(o.ctx, payment.Notice{Channel: "till", ID: fmt.Sprintf("EV-bad-%d", n)}))
	}
	key := o.opened()
	no := o.sheet(key)
	o.till.Mail(paymenttest.MailLost)
	require.NoError(t, o.till.Pay(no))
	require.NoError(t, o.store.Receive(o.ctx, payment.Notice{Channel: "till", ID: "EV-good", Trade: &payment.Trade{
		TradeNo: no, State: payment.TradePaid, Amount: 1250, Currency: payment.Currency, TransactionID: "till-" + string(no), PaidAt: o.clock.Now(),
	}}))
	_, err := o.Advance(o.ctx)
	require.NoError(t, err)
	o.state(key, payment.Delivered)
	require.Len(t, o.cases(), 20)
	require.Equal(t, payment.CaseDeadNotice, o.cases()[0])
	left, err := o.store.Pending(o.ctx, 99)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, o.resolve(payment.CaseDeadNotice, payment.NothingToMove))
	require.Len(t, o.cases(), 19)
}

// FuzzNotify looks for a notice that is kept although no engine or person could
// read it, or that stops the inbox.
func FuzzNotify(f *testing.F) {
	f.Add("EV-1", "order-1-1", "T1", int64(5), "success", true)
	f.Add("EV\x00", "\xff", " ", int64(-1), "closed", false)
	f.Fuzz(func(t *testing.T, id, no, transaction string, amount int64, state string, trade bool) {
		o := newOffice(t)
		n := payment.Notice{Channel: "till", ID: id}
		if trade {
			n.Trade = &payment.Trade{
				TradeNo: payment.TradeNo(no), State: payment.TradeState(state), Amount: hospital.Fen(amount), TransactionID: transaction,
			}
		} else {
			n.Refund = &payment.RefundStatus{
				No: payment.RefundNo(no), TradeNo: payment.TradeNo(no), State: payment.RefundProgress(state), Amount: hospital.Fen(amount),
				RefundID: transaction, Detail: transaction,
			}
		}
		if err := o.Notify(o.ctx, n); err != nil {
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
			return
		}
		left, err := o.store.Pending(o.ctx, 9)
		require.NoError(t, err)
		require.Empty(t, left)
		cases, err := o.Manual(o.ctx)
		require.NoError(t, err)
		require.Len(t, cases, 1)
		require.True(t, utf8.ValidString(cases[0].ID+cases[0].Subject+cases[0].Detail))
		require.NotContains(t, cases[0].ID+cases[0].Subject+cases[0].Detail, "\x00")
	})
}
