package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wxhospital/hospital"
)

// Notice is 支付通知, what a channel tells by itself, after its signature was
// verified. It is about a payment or about a refund.
type Notice struct {
	Channel  string
	ID       string // the channel's own; a redelivery keeps it
	Trade    *Trade
	Refund   *RefundStatus
	Received time.Time // set by Notify
}

// NoticeID tells notices apart.
type NoticeID struct {
	Channel string
	ID      string
}

// maxNoticeID bounds a channel's identifier. WeChat Pay uses 36 characters.
const maxNoticeID = 128

// Notify takes a verified notice. Nil means that it is stored durably, or was
// before, and may be acknowledged; it is worked off at once where that needs
// no more than the store, otherwise by Advance. It returns Invalid, naming the
// field, for a notice that says nothing or what cannot be.
func (c *Cashier) Notify(ctx context.Context, n Notice) error {
	const op = "payment.Notify"
	if c.channels[n.Channel] == nil {
		return invalid(op, "bad_notice", "Channel")
	}
	n = n.clean()
	if field := n.flaw(); field != "" {
		return invalid(op, "bad_notice", field)
	}
	n.Received = c.now()
	if err := c.store.Receive(ctx, n); err != nil {
		return wrap(op, err)
	}
	if err := c.book(ctx, n); err != nil {
		c.logger.WarnContext(ctx, "payment: notice left for later", slog.String("notice", n.ID), slog.Any("error", err))
	}
	c.hint()
	return nil
}

// readInbox works off what was received and not yet booked. It returns the
// number of notices that stay.
func (c *Cashier) readInbox(ctx context.Context) (int, error) {
	var failed []error
	for range maxRounds {
		pending, err := c.store.Pending(ctx, c.batch)
		if err != nil {
			return 0, fmt.Errorf("payment: inbox: %w", err)
		}
		for _, n := range pending {
			if err := c.book(ctx, n); err != nil {
				failed = append(failed, fmt.Errorf("payment: notice %s: %w", n.ID, err))
			}
		}
		if len(pending) < c.batch || len(failed) > 0 {
			break
		}
	}
	return len(failed), errors.Join(failed...)
}

// book reads one notice. One that no reading can book becomes a dead letter, a
// case of its own, so that those behind it are read.
func (c *Cashier) book(ctx context.Context, n Notice) error {
	err := c.shield(ctx, "payment.Notify", n.ID, func() error { return c.read(ctx, n) })
	if !defect(err) {
		return err
	}
	c.logger.ErrorContext(ctx, "payment: notice cannot be booked", slog.String("notice", n.ID), slog.Any("error", err))
	about := "a body that cannot be read"
	switch {
	case n.Trade != nil:
		about = "trade " + string(n.Trade.TradeNo)
	case n.Refund != nil:
		about = "refund " + string(n.Refund.No)
	}
	subject, now := n.Channel+":"+n.ID, c.now()
	return c.store.Save(ctx, Change{ //nolint:wrapcheck // its callers wrap
		Notice: NoticeID{n.Channel, n.ID},
		Orphan: &Case{
			ID: caseID(subject, CaseDeadNotice), Subject: subject, Reason: CaseDeadNotice,
			Detail: cleanText("a notice about "+about+" cannot be booked: ask the channel; "+hospital.CodeOf(err), maxDetail), Opened: now,
		},
		Audit: []hospital.AuditEntry{{
			At: now, Actor: c.self, Purpose: string(CaseDeadNotice), Action: "case.open", Object: subject, Outcome: "ok",
		}},
	})
}

// read books one notice and marks it done in the same commit.
func (c *Cashier) read(ctx context.Context, n Notice) error {
	ref := Ref{}
	switch {
	case n.Trade != nil:
		ref.TradeNo = n.Trade.TradeNo
	case n.Refund != nil:
		ref.RefundNo = n.Refund.No
	default:
		return &hospital.Error{Kind: hospital.Internal, Op: "payment.Notify", Code: "bad_notice", Detail: "the body cannot be read"}
	}
	o, err := c.store.Find(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		return c.orphan(ctx, n)
	}
	if err != nil {
		return fmt.Errorf("payment: find order of notice: %w", err)
	}
	_, err = c.change(ctx, o, c.self, func(d *draft) error {
		d.change.Notice = NoticeID{n.Channel, n.ID}
		if n.Trade != nil {
			d.noticeOfTrade(n)
		} else {
			d.noticeOfRefund(n)
		}
		return nil
	})
	return err
}

func (d *draft) noticeOfTrade(n Notice) {
	a := d.attempt(n.Trade.TradeNo)
	switch {
	case a.Channel != n.Channel:
		d.open(CaseAmountMismatch, string(a.TradeNo), "notice of channel "+n.Channel+" about an attempt at "+a.Channel)
	case n.Trade.State.Paid():
		if !d.learnTrade(a.TradeNo, *n.Trade) {
			d.askNow(d.attempt(n.Trade.TradeNo))
		}
	default:
		d.askNow(a) // a notice proves payments only; anything else is a reason to ask
	}
}

func (d *draft) noticeOfRefund(n Notice) {
	r := d.refundRow(n.Refund.No)
	if r.Channel != n.Channel {
		d.open(CaseRefundMismatch, string(r.No), "notice of channel "+n.Channel+" about a refund at "+r.Channel)
		return
	}
	d.learnRefund(r.No, *n.Refund)
}

// askNow lets the worker query an attempt that may still bring money.
func (d *draft) askNow(a *Attempt) {
	if a.State == AttemptOpen || a.State == AttemptClosing {
		a.Next = d.now
		d.dirty = true
	}
}

// orphan makes a payment that is none of ours visible. It is not refunded: it
// may belong to another entry of the hospital that shares the merchant account.
func (c *Cashier) orphan(ctx context.Context, n Notice) error {
	subject := n.Channel + ":"
	if n.Trade != nil {
		subject += string(n.Trade.TradeNo)
	} else {
		subject += string(n.Refund.No)
	}
	now := c.now()
	return c.store.Save(ctx, Change{ //nolint:wrapcheck // its only caller wraps
		Notice: NoticeID{n.Channel, n.ID},
		Orphan: &Case{
			ID: caseID(subject, CaseUnknownTrade), Subject: subject, Reason: CaseUnknownTrade,
			Detail: "a notice about a number that we never used", Opened: now,
		},
		Audit: []hospital.AuditEntry{{
			At: now, Actor: c.self, Purpose: string(CaseUnknownTrade), Action: "case.open", Object: subject, Outcome: "ok",
		}},
	})
}
