package wechatpaytest

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// line is one line of the journal: what trades, refunds and notifications have
// become, and the numbers that stand beside them.
type line struct {
	Seq     int64
	Trades  []Trade  `json:",omitempty"`
	Refunds []Refund `json:",omitempty"`
	Notices []Notice `json:",omitempty"`
	numbers
}

// numbers are what is kept only once.
type numbers struct {
	Made   int64         // IDs that were given out
	Offset time.Duration // what Shift added to the clock
	Moved  hospital.Fen  // what MoveFunds put in, less what it took out
	Signer string        // the key of answers that ask for none, and of notifications
}

// state is everything the platform knows.
type state struct {
	numbers
	balance    hospital.Fen // what payments brought, less what refunds took
	trades     map[string]*Trade
	refunds    map[string]*Refund
	notices    map[string]*Notice
	tradeNos   []string // in the order of creation, as the next two
	refundNos  []string
	noticeIDs  []string
	open       []string          // trades that can still be paid
	processing []string          // refunds that are not settled
	waiting    []string          // notices that will be delivered
	sheets     map[string]string // prepay_id → out_trade_no
	paid       map[string]string // transaction_id → out_trade_no
}

func newState() *state {
	return &state{
		trades: map[string]*Trade{}, refunds: map[string]*Refund{}, notices: map[string]*Notice{},
		sheets: map[string]string{}, paid: map[string]string{},
	}
}

// apply lets a line happen.
func (s *state) apply(l line) {
	s.numbers = l.numbers
	for _, t := range l.Trades {
		if s.trades[t.OutTradeNo] == nil {
			s.tradeNos = append(s.tradeNos, t.OutTradeNo)
		}
		s.balance += t.kept() - s.trades[t.OutTradeNo].kept()
		s.trades[t.OutTradeNo] = &t
		for _, sheet := range t.Sheets {
			s.sheets[sheet.PrepayID] = t.OutTradeNo
		}
		if t.TransactionID != "" {
			s.paid[t.TransactionID] = t.OutTradeNo
		}
		s.open = listed(s.open, t.OutTradeNo, !t.State.final())
	}
	for _, r := range l.Refunds {
		if s.refunds[r.OutRefundNo] == nil {
			s.refundNos = append(s.refundNos, r.OutRefundNo)
		}
		s.refunds[r.OutRefundNo] = &r
		s.processing = listed(s.processing, r.OutRefundNo, r.Status == Processing)
	}
	for _, n := range l.Notices {
		if s.notices[n.ID] == nil {
			s.noticeIDs = append(s.noticeIDs, n.ID)
		}
		s.notices[n.ID] = &n
		s.waiting = listed(s.waiting, n.ID, n.State == Waiting)
	}
}

// listed returns the list with the name in it, or without.
func listed(list []string, name string, in bool) []string {
	at := slices.Index(list, name)
	switch {
	case in && at < 0:
		return append(list, name)
	case !in && at >= 0:
		return slices.Delete(list, at, at+1)
	}
	return list
}

// change is a line in the making. Entities in it are copies.
type change struct {
	line
	now  time.Time
	wall time.Time
	wire *ring
}

// change starts one. The caller holds mu.
func (p *Platform) change() *change {
	return &change{line: line{numbers: p.state.numbers}, now: p.now(), wall: p.config.Wall(), wire: &p.ring}
}

func (c *change) empty(s *state) bool {
	return len(c.Trades) == 0 && len(c.Refunds) == 0 && len(c.Notices) == 0 && c.numbers == s.numbers
}

// number returns the next of the platform's own numbers, all of one length:
// the prefix, the day in China and a counter.
func (c *change) number(prefix string) string {
	c.Made++
	return fmt.Sprintf("%s%s%010d", prefix, c.now.In(hospital.CST).Format("20060102"), c.Made)
}

// secret returns a number that cannot be guessed, such as a prepay_id.
func (c *change) secret(prefix string) string {
	return prefix + c.now.In(hospital.CST).Format("02150405") + strings.ToLower(rand.Text())
}
