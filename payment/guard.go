package payment

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// Bounds of foreign text.
const (
	maxForeignID = 64  // bytes. Source: WeChat Pay, the longest number is out_refund_no "string[1,64]"
	maxDetail    = 500 // runes of what a far side says: more is for its own log
	maxStack     = 4 << 10
)

// guard is a channel as the cashier sees it: what it says is cleaned before
// anything of it is kept, and a panic is an unknown outcome of one call.
type guard struct {
	Channel

	c    *Cashier
	name string
}

// Compose returns nothing for a channel that is no [Composer].
func (g guard) Compose(a Attempt) (request []byte, err error) {
	composer, ok := g.Channel.(Composer)
	if !ok {
		return nil, nil
	}
	err = g.c.shield(context.Background(), "payment.Compose", g.name, func() error {
		request, err = composer.Compose(a)
		return err //nolint:wrapcheck // the channel's own
	})
	return request, err
}

// Prepay refuses a sheet that is not the attempt's.
func (g guard) Prepay(ctx context.Context, a Attempt) (sheet Sheet, err error) {
	err = g.c.shield(ctx, "payment.Prepay", g.name, func() error {
		sheet, err = g.Channel.Prepay(ctx, a)
		return err //nolint:wrapcheck // the channel's own
	})
	switch {
	case err != nil:
		return Sheet{}, err
	case sheet.TradeNo != a.TradeNo:
		return Sheet{}, badAnswer("payment.Prepay", "Sheet.TradeNo")
	case clean(sheet.Kind) == "":
		return Sheet{}, badAnswer("payment.Prepay", "Sheet.Kind")
	}
	return sheet, nil
}

func (g guard) Query(ctx context.Context, no TradeNo) (trade Trade, err error) {
	err = g.c.shield(ctx, "payment.Query", g.name, func() error {
		trade, err = g.Channel.Query(ctx, no)
		return err //nolint:wrapcheck // the channel's own
	})
	return trade.clean(), err
}

func (g guard) Close(ctx context.Context, no TradeNo) error {
	return g.c.shield(ctx, "payment.Close", g.name, func() error { return g.Channel.Close(ctx, no) })
}

func (g guard) Refund(ctx context.Context, r Refund) (status RefundStatus, err error) {
	err = g.c.shield(ctx, "payment.Refund", g.name, func() error {
		status, err = g.Channel.Refund(ctx, r)
		return err //nolint:wrapcheck // the channel's own
	})
	return status.clean(), err
}

func (g guard) QueryRefund(ctx context.Context, no RefundNo) (status RefundStatus, err error) {
	err = g.c.shield(ctx, "payment.QueryRefund", g.name, func() error {
		status, err = g.Channel.QueryRefund(ctx, no)
		return err //nolint:wrapcheck // the channel's own
	})
	return status.clean(), err
}

func badAnswer(op, field string) error {
	return &hospital.Error{Kind: hospital.Indeterminate, Op: op, Code: "bad_answer", Detail: field}
}

// shield calls, and makes of a panic an unknown outcome of this call alone.
// The panic's value is not logged: it may carry what a patient said.
func (c *Cashier) shield(ctx context.Context, op, of string, call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			stack := debug.Stack()
			c.logger.ErrorContext(ctx, "payment: panic", slog.String("op", op), slog.String("of", of),
				slog.String("type", fmt.Sprintf("%T", r)), slog.String("stack", string(stack[:min(len(stack), maxStack)])))
			err = &hospital.Error{Kind: hospital.Indeterminate, Op: op, Code: codePanic, Detail: of}
		}
	}()
	return call()
}

const codePanic = "panic"

// defect reports whether the error is about one order or notice and will be
// the same tomorrow: others go on, and a person must look.
func defect(err error) bool {
	return err != nil && (hospital.KindOf(err) == hospital.Internal || hospital.CodeOf(err) == codePanic)
}

// clean makes foreign text fit to be kept: what is no valid text, and the
// control characters that no engine keeps alike, become U+FFFD.
func clean(s string) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t':
			return ' '
		case unicode.IsControl(r):
			return utf8.RuneError
		}
		return r
	}, s))
}

// cleanText is clean for prose, of which n runes are enough.
func cleanText(s string, n int) string {
	runes := []rune(clean(s))
	return string(runes[:min(len(runes), n)])
}

// plain reports whether an identifier is one: not blank, not long, nothing in
// it that would have to be cleaned away.
func plain(id string) bool { return plainWithin(id, maxForeignID) }

func plainWithin(id string, limit int) bool {
	return id != "" && len(id) <= limit && id == clean(id) && !strings.ContainsRune(id, utf8.RuneError)
}

// plainOrNone allows an identifier to be absent.
func plainOrNone(id string) bool { return id == "" || plain(id) }

func (t Trade) clean() Trade {
	t.TradeNo, t.State = TradeNo(clean(string(t.TradeNo))), TradeState(clean(string(t.State)))
	t.Currency, t.TransactionID = clean(t.Currency), clean(t.TransactionID)
	return t
}

// flaw names the field for which nobody may believe the trade, or none.
func (t Trade) flaw() string {
	switch t.State {
	case TradeNotPaid, TradePaying, TradePaid, TradeRefunded, TradeClosed:
	default:
		return "Trade.State"
	}
	switch {
	case !plain(string(t.TradeNo)):
		return "Trade.TradeNo"
	case t.Amount < 0 || t.State.Paid() && t.Amount == 0:
		return "Trade.Amount"
	case t.State.Paid() && !plain(t.TransactionID) || !plainOrNone(t.TransactionID):
		return "Trade.TransactionID"
	}
	return ""
}

func (s RefundStatus) clean() RefundStatus {
	s.No, s.TradeNo = RefundNo(clean(string(s.No))), TradeNo(clean(string(s.TradeNo)))
	s.State, s.Currency = RefundProgress(clean(string(s.State))), clean(s.Currency)
	s.RefundID, s.Detail = clean(s.RefundID), cleanText(s.Detail, maxDetail)
	return s
}

// flaw names the field for which nobody may believe the status, or none.
func (s RefundStatus) flaw() string {
	switch s.State {
	case RefundSucceeded, RefundProcessing, RefundClosed, RefundAbnormal:
	default:
		return "Refund.State"
	}
	switch {
	case !plain(string(s.No)):
		return "Refund.No"
	case !plain(string(s.TradeNo)):
		return "Refund.TradeNo"
	case s.Amount < 1:
		return "Refund.Amount"
	case !plainOrNone(s.RefundID):
		return "Refund.RefundID"
	}
	return ""
}

// clean cleans what a notice says, and flaw names the field for which it is
// refused.
func (n Notice) clean() Notice {
	if n.Trade != nil {
		t := n.Trade.clean()
		n.Trade = &t
	}
	if n.Refund != nil {
		s := n.Refund.clean()
		n.Refund = &s
	}
	return n
}

func (n Notice) flaw() string {
	switch {
	case !plainWithin(n.ID, maxNoticeID):
		return "ID"
	case n.Trade != nil && n.Refund == nil:
		return n.Trade.flaw()
	case n.Refund != nil && n.Trade == nil:
		return n.Refund.flaw()
	}
	return "Trade or Refund"
}
