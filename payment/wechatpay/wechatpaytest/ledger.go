package wechatpaytest

import (
	"slices"

	"github.com/wxhospital/hospital"
)

// Ledger is 账, everything the platform knows, for a test that compares books.
type Ledger struct {
	Trades  []Trade  // in the order of their first prepay
	Refunds []Refund // in the order of acceptance
	Notices []Notice // in the order of creation
	// Paid is what payers and coupons brought, in fen.
	Paid hospital.Fen
	// Refunded is what refunds take or took, without those that were closed.
	Refunded hospital.Fen
	// Funds is what the merchant can refund from.
	Funds hospital.Fen
}

// Ledger returns what is known now, after what the clock alone brings about.
// Internal: the journal is broken.
func (p *Platform) Ledger() (Ledger, error) {
	var l Ledger
	err := p.do(func(*change) error {
		for _, no := range p.state.tradeNos {
			t := *p.state.trades[no]
			t.Sheets = slices.Clone(t.Sheets)
			l.Trades = append(l.Trades, t)
			if !t.PaidAt.IsZero() {
				l.Paid += t.Total
			}
			l.Refunded += t.Refunded
		}
		for _, no := range p.state.refundNos {
			l.Refunds = append(l.Refunds, *p.state.refunds[no])
		}
		for _, id := range p.state.noticeIDs {
			n := *p.state.notices[id]
			n.Plain = slices.Clone(n.Plain)
			l.Notices = append(l.Notices, n)
		}
		l.Funds = p.funds()
		return nil
	})
	return l, err
}

// Trade returns one trade. NotFound: no such trade.
func (p *Platform) Trade(outTradeNo string) (Trade, error) {
	var found Trade
	err := p.do(func(*change) error {
		t := p.state.trades[outTradeNo]
		if t == nil {
			return platformError(hospital.NotFound, "ORDER_NOT_EXIST", "no such trade")
		}
		found = *t
		found.Sheets = slices.Clone(t.Sheets)
		return nil
	})
	return found, err
}

// kept is what a trade has brought the merchant. Of no trade it is nothing.
func (t *Trade) kept() hospital.Fen {
	if t == nil || t.PaidAt.IsZero() {
		return 0
	}
	return t.Total - t.Refunded
}

// funds is what the merchant can refund from. The caller holds mu.
func (p *Platform) funds() hospital.Fen { return p.state.balance + p.state.Moved }

// MoveFunds puts money into the merchant's account (充值), or takes some out
// with a negative amount (提现): a refund that is more than what is left is
// NOT_ENOUGH. Rejected: more goes out than is there. Invalid: ten million yuan
// or more at once.
func (p *Platform) MoveFunds(amount hospital.Fen) error {
	if amount > maxFen || amount < -maxFen {
		return platformError(hospital.Invalid, "bad_amount", "ten million yuan or more")
	}
	return p.do(func(c *change) error {
		if p.funds()+amount < 0 {
			return platformError(hospital.Rejected, "NOT_ENOUGH", "more than the account holds")
		}
		c.Moved += amount
		return nil
	})
}
