package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// sum is what a ledger has of an order: money in, money back (negative).
type sum struct{ in, back hospital.Fen }

func (s sum) net() hospital.Fen { return s.in + s.back }

func (s *sum) add(amount hospital.Fen) {
	if amount > 0 {
		s.in += amount
	} else {
		s.back += amount
	}
}

func (s sum) plus(t sum) sum { return sum{s.in + t.in, s.back + t.back} }

// row is one order in the three ledgers.
type row struct {
	label              string // the appointment's ID, until the table shows it
	ours, channel, his sum
}

func (r row) plus(other row) row {
	r.ours, r.channel, r.his = r.ours.plus(other.ours), r.channel.plus(other.channel), r.his.plus(other.his)
	return r
}

// difference is channel − HIS: 长款 is positive.
func (r row) difference() hospital.Fen { return r.channel.net() - r.his.net() }

func (r row) balanced() bool { return r.ours == r.channel && r.channel == r.his }

func (r row) empty() bool { return r == row{label: r.label} }

// ledgers are the three, each read where it is kept.
type ledgers struct {
	rows    []row // by order, oldest first
	total   row
	unpaid  int          // orders that nobody paid
	pending hospital.Fen // taken or owed back, and not yet where it belongs
}

// read joins our postings, the channel's trades and the HIS's settlement list
// by order. What only one of them knows stands in a row of its own.
func (w *world) read(ctx context.Context) (ledgers, error) {
	orders, err := w.cashier.Orders(ctx, payment.Filter{})
	if err != nil {
		return ledgers{}, err
	}
	slices.Reverse(orders)
	book := map[string]*row{"": {}} // by appointment; "" is what belongs to none of the orders
	of := func(appointment string) *row {
		if r := book[appointment]; r != nil {
			return r
		}
		return book[""]
	}
	appointment, trades, keys := map[string]string{}, map[payment.TradeNo]string{}, map[string]string{}
	for _, o := range orders {
		book[o.Charge.Purpose.ID] = &row{label: o.Charge.Purpose.ID}
		appointment[o.ID], keys[string(o.Charge.Key)] = o.Charge.Purpose.ID, o.Charge.Purpose.ID
		for _, a := range o.Attempts {
			trades[a.TradeNo] = o.Charge.Purpose.ID
		}
	}
	pending, err := w.readOurs(ctx, func(order string) *sum { return &of(appointment[order]).ours })
	if err != nil {
		return ledgers{}, err
	}
	theirs, err := w.far.WeChatPay.Ledger()
	if err != nil {
		return ledgers{}, err
	}
	for _, t := range theirs.Trades {
		if !t.PaidAt.IsZero() {
			of(trades[payment.TradeNo(t.OutTradeNo)]).channel.add(t.Total)
		}
	}
	for _, r := range theirs.Refunds {
		if r.Status == wechatpaytest.Success {
			of(trades[payment.TradeNo(r.OutTradeNo)]).channel.add(-r.Amount)
		}
	}
	// The HIS settles a registration under the appointment's key, a bill under the charge's.
	if err := w.readHIS(ctx, func(key string) *sum { return &of(cmp.Or(keys[key], key)).his }); err != nil {
		return ledgers{}, err
	}
	all := ledgers{pending: pending}
	for _, o := range orders {
		if r := of(o.Charge.Purpose.ID); r.empty() {
			all.unpaid++
		} else {
			all.rows = append(all.rows, *r)
		}
	}
	if rest := book[""]; !rest.empty() {
		all.rows = append(all.rows, *rest)
	}
	for _, r := range all.rows {
		all.total = all.total.plus(r)
	}
	return all, nil
}

// readOurs adds up what the postings say of the channel. It returns what
// stands in the accounts that are empty when everything is done.
func (w *world) readOurs(ctx context.Context, of func(order string) *sum) (pending hospital.Fen, err error) {
	postings, err := w.cashier.Ledger(ctx, "")
	if err != nil {
		return 0, err
	}
	for _, p := range postings {
		for _, e := range p.Entries {
			switch {
			case e.Account == payment.Receivable(channel):
				of(p.Order).add(e.Amount)
			case e.Account == payment.Suspense(p.Order), e.Account == payment.Payback(p.Order):
				pending -= e.Amount
			}
		}
	}
	return pending, nil
}

// readHIS asks the HIS for its settlement list, day by day, and keeps the rows
// of our channel; cash of the window is not ours to reconcile.
func (w *world) readHIS(ctx context.Context, of func(key string) *sum) error {
	for day := w.clock.opened(); !w.clock.day().Before(day); day = day.AddDays(1) {
		settled, err := w.his.Settlements(ctx, day)
		if err != nil {
			return err
		}
		for _, s := range settled {
			if s.Channel == channel {
				of(string(s.Key)).add(s.Amount)
			}
		}
	}
	return nil
}

// fold leaves the orders for which keep is true and adds up all others in one
// row before them.
func fold(rows []row, keep func(appointment string) bool) []row {
	earlier := row{}
	var kept []row
	n := 0
	for _, r := range rows {
		if keep(r.label) {
			kept = append(kept, r)
			continue
		}
		earlier, n = earlier.plus(r), n+1
	}
	if n == 0 {
		return kept
	}
	earlier.label = "以前的订单 " + strconv.Itoa(n) + " 笔"
	return append([]row{earlier}, kept...)
}

// The columns of the table.
const (
	labelColumns  = 20
	amountColumns = 8
	sideColumns   = 2 * amountColumns
)

// head centers the name of a ledger over its two amounts.
func head(text string) string {
	return left(strings.Repeat(" ", (sideColumns-width(text))/2+1)+text, sideColumns)
}

// pair puts two amounts side by side.
func pair(in, back string) string { return right(in, amountColumns) + right(back, amountColumns) }

// table shows the three ledgers side by side and their sums.
func (s *screen) table(rows []row, total row) {
	line := func(label, ours, channel, his, difference string) {
		s.line("%s%s│%s│%s│%s", left(label, labelColumns), ours, channel, his, right(difference, amountColumns))
	}
	show := func(r row) {
		line(r.label, pair(r.ours.in.Yuan(), r.ours.back.Yuan()), pair(r.channel.in.Yuan(), r.channel.back.Yuan()),
			pair(r.his.in.Yuan(), r.his.back.Yuan()), r.difference().Yuan())
	}
	line("", head("我方账本"), head("微信支付"), head("HIS 对账单"), "差额")
	line("订单", pair("收", "退"), pair("收", "退"), pair("收", "退"), "渠道-HIS")
	s.rule()
	for _, r := range rows {
		show(r)
	}
	s.rule()
	total.label = "合计"
	show(total)
	net := func(side sum) string { return pair("", side.net().Yuan()) }
	line("净额", net(total.ours), net(total.channel), net(total.his), total.difference().Yuan())
}

// verdict is what the three come to, in words.
func (l ledgers) verdict() string {
	difference := l.total.difference()
	switch {
	case l.total.balanced() && l.pending == 0:
		return "账平：三本账净额都是 " + l.total.ours.net().String() + "，没有长款，没有短款，没有挂账。"
	case difference > 0:
		return "账不平：渠道比 HIS 多 " + difference.String() + "（长款），请逐单核对。"
	case difference < 0:
		return "账不平：渠道比 HIS 少 " + (-difference).String() + "（短款），请逐单核对。"
	case l.total.ours.net() != l.total.channel.net():
		return "账不平：我方与渠道相差 " + (l.total.channel.net() - l.total.ours.net()).String() + "，请逐单核对。"
	}
	if !l.total.balanced() {
		return "账不平：净额相同，收退笔数不同，请逐单核对。"
	}
	return "渠道与 HIS 相符；还有 " + l.pending.String() + " 挂账在途，办完即平。"
}
