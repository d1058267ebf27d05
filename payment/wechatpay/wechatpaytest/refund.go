package wechatpaytest

import (
	"net/http"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// The rules of refunds. Source: pay.weixin.qq.com/doc/v3/merchant/4012791862,
// "一年", "50次", "间隔1分钟".
const (
	refundWindow   = 365 * 24 * time.Hour
	maxRefunds     = 50
	refundInterval = time.Minute
)

// The statuses of a refund. Source: WeChat Pay API v3, refund status.
const (
	Processing = "PROCESSING"
	Success    = "SUCCESS"
	Abnormal   = "ABNORMAL"
	Dropped    = "CLOSED" // failed for good: the money stays with the merchant
)

// Refund is 退款单, all that WeChat Pay knows of one out_refund_no.
type Refund struct {
	OutRefundNo   string
	RefundID      string
	OutTradeNo    string
	TransactionID string
	Amount        hospital.Fen // what the merchant gives back
	Total         hospital.Fen // of the trade
	PayerRefund   hospital.Fen // what the payer gets: less than Amount with a coupon
	PayerTotal    hospital.Fen
	Status        string
	Outcome       string // what it will be at DueAt; Processing for what stays
	Reason        string `json:",omitempty"`
	NotifyURL     string `json:",omitempty"`
	Created       time.Time
	DueAt         time.Time
	DoneAt        time.Time `json:",omitzero"`
}

// refundAnswer is a Refund as it is answered.
type refundAnswer struct {
	RefundID      string       `json:"refund_id"`
	OutRefundNo   string       `json:"out_refund_no"`
	TransactionID string       `json:"transaction_id"`
	OutTradeNo    string       `json:"out_trade_no"`
	Channel       string       `json:"channel"`
	Account       string       `json:"user_received_account"`
	SuccessTime   string       `json:"success_time,omitempty"`
	CreateTime    string       `json:"create_time"`
	Status        string       `json:"status"`
	Funds         string       `json:"funds_account"`
	Amount        refundAmount `json:"amount"`
}

type refundAmount struct {
	Total            hospital.Fen `json:"total"`
	Refund           hospital.Fen `json:"refund"`
	PayerTotal       hospital.Fen `json:"payer_total"`
	PayerRefund      hospital.Fen `json:"payer_refund"`
	SettlementRefund hospital.Fen `json:"settlement_refund"`
	SettlementTotal  hospital.Fen `json:"settlement_total"`
	DiscountRefund   hospital.Fen `json:"discount_refund"`
	Currency         string       `json:"currency"`
}

const receivedAccount = "支付用户零钱"

func (r *Refund) tell() *refundAnswer {
	told := &refundAnswer{
		RefundID: r.RefundID, OutRefundNo: r.OutRefundNo, TransactionID: r.TransactionID, OutTradeNo: r.OutTradeNo,
		Channel: "ORIGINAL", Account: receivedAccount, CreateTime: stamp(r.Created), Status: r.Status, Funds: "UNSETTLED",
		Amount: refundAmount{
			Total: r.Total, Refund: r.Amount, PayerTotal: r.PayerTotal, PayerRefund: r.PayerRefund,
			SettlementRefund: r.Amount, SettlementTotal: r.Total, DiscountRefund: r.Amount - r.PayerRefund, Currency: currency,
		},
	}
	if r.Status == Success {
		told.SuccessTime = stamp(r.DoneAt)
	}
	return told
}

// asked is the body of a refund.
type asked struct {
	transactionID, outTradeNo, outRefundNo, reason, notifyURL string
	refund, total                                             hospital.Fen
}

func (d *document) refund() asked {
	a := asked{
		transactionID: d.text(want{field: "/transaction_id", name: "微信支付订单号", max: 32, optional: true}),
		outTradeNo:    d.text(want{field: "/out_trade_no", name: "商户订单号", max: 32, optional: true}),
		outRefundNo: d.text(want{
			field: "/out_refund_no", name: "商户退款单号", max: 64, issue: "want 0-9 A-Z a-z _ - | * @",
			holds: func(no string) bool { return spelt(no, "_-|*@") },
		}),
		reason:    d.text(want{field: "/reason", name: "退款原因", max: 80, optional: true}),
		notifyURL: d.text(want{field: "/notify_url", name: "退款结果回调url", max: 256, optional: true, issue: notifyIssue, holds: notifiable}),
		refund:    hospital.Fen(d.fen("/amount/refund", "退款金额", 1)),
		total:     hospital.Fen(d.fen("/amount/total", "原订单金额", 1)),
	}
	d.text(want{
		field: "/amount/currency", name: "退款币种", max: 16, issue: "Currency code is invalid",
		holds: func(code string) bool { return code == currency },
	})
	if a.transactionID == "" && a.outTradeNo == "" {
		d.fail("/transaction_id", "", "want it or out_trade_no", "微信支付订单号和商户订单号不能同时为空")
	}
	return a
}

func invalidRefund(message string) *refusal {
	return refuse(http.StatusBadRequest, "INVALID_REQUEST", message, subParameter)
}

// refund answers POST /v3/refund/domestic/refunds.
func (p *Platform) refund(d *document) (any, error) {
	a := d.refund()
	if err := d.err(); err != nil {
		return nil, err
	}
	var told *refundAnswer
	err := p.do(func(c *change) error {
		no := a.outTradeNo
		if a.transactionID != "" {
			no = p.state.paid[a.transactionID]
		}
		t := p.state.trades[no]
		if t == nil || t.PaidAt.IsZero() || a.outTradeNo != "" && a.outTradeNo != no {
			return refuse(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "订单不存在或未支付", subNoTrade)
		}
		if known := p.state.refunds[a.outRefundNo]; known != nil {
			if known.OutTradeNo != no || known.Amount != a.refund || known.Total != a.total {
				return invalidRefund("订单金额或退款金额与之前请求不一致，请核实后再试")
			}
			told = known.tell()
			return nil
		}
		if err := p.refundable(*t, a, c); err != nil {
			return err
		}
		fresh := p.accept(c, *t, a)
		told = fresh.tell()
		return nil
	})
	return told, err
}

// refundable checks a new refund against the rules.
func (p *Platform) refundable(t Trade, a asked, c *change) error {
	switch {
	case a.total != t.Total:
		return invalidRefund("您的请求参数与订单信息不一致，原订单金额错误")
	case a.refund > t.Total-t.Refunded:
		if t.Refunded == t.Total {
			return invalidRefund("订单已全额退款")
		}
		return invalidRefund("申请退款金额大于订单剩余可退金额")
	case c.now.After(t.PaidAt.Add(refundWindow)):
		return invalidRefund("订单已超过可退款的最大期限")
	case t.Refunds >= maxRefunds:
		return invalidRefund("一笔订单最多支持50次部分退款")
	case !t.LastRefund.IsZero() && c.now.Before(t.LastRefund.Add(refundInterval)):
		return refuse(http.StatusTooManyRequests, "FREQUENCY_LIMITED", "同一订单多次退款请间隔1分钟", subFrequency)
	case a.refund > p.funds():
		return refuse(http.StatusForbidden, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起", subParameter)
	}
	return nil
}

// accept takes a refund in.
func (p *Platform) accept(c *change, t Trade, a asked) *Refund {
	payerRefund := a.refund * t.PayerTotal / t.Total
	if t.Refunded+a.refund == t.Total {
		payerRefund = t.PayerTotal - t.PayerRefunded // the last one takes what rounding left
	}
	if a.notifyURL == "" {
		a.notifyURL = p.config.RefundNotifyURL
	}
	outcome := Success
	if len(p.outcomes) > 0 {
		outcome, p.outcomes = p.outcomes[0], p.outcomes[1:]
	}
	r := Refund{
		OutRefundNo: a.outRefundNo, RefundID: c.number("50300"), OutTradeNo: t.OutTradeNo, TransactionID: t.TransactionID,
		Amount: a.refund, Total: t.Total, PayerRefund: payerRefund, PayerTotal: t.PayerTotal,
		Status: Processing, Outcome: outcome, Reason: a.reason, NotifyURL: a.notifyURL,
		Created: c.now, DueAt: c.now.Add(p.config.RefundAfter),
	}
	t.State = Returns
	t.Refunded += r.Amount
	t.PayerRefunded += r.PayerRefund
	t.Refunds++
	t.LastRefund = c.now
	c.Trades = append(c.Trades, t)
	c.Refunds = append(c.Refunds, r)
	return &r
}

// queryRefund answers GET /v3/refund/domestic/refunds/{out_refund_no}.
func (p *Platform) queryRefund(outRefundNo string) (any, error) {
	var told *refundAnswer
	err := p.do(func(*change) error {
		r := p.state.refunds[outRefundNo]
		if r == nil {
			return refuse(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "退款单不存在", subNoTrade)
		}
		told = r.tell()
		return nil
	})
	return told, err
}

// settle moves a refund to its end and has that told.
func (p *Platform) settle(c *change, r Refund, status string, at time.Time) {
	r.Status, r.Outcome, r.DoneAt = status, status, at
	c.Refunds = append(c.Refunds, r)
	if status == Dropped { // the money is the merchant's again
		t := *p.state.trades[r.OutTradeNo]
		for _, changed := range c.Trades {
			if changed.OutTradeNo == t.OutTradeNo {
				t = changed
			}
		}
		t.Refunded -= r.Amount
		t.PayerRefunded -= r.PayerRefund
		c.Trades = append(c.Trades, t)
	}
	if r.NotifyURL != "" {
		p.announce(c, Notice{Event: "REFUND." + status, OutTradeNo: r.OutTradeNo, OutRefundNo: r.OutRefundNo, URL: r.NotifyURL}, r.notification(p.config.MerchantID))
	}
}

// NextRefunds says what becomes of the refunds that are accepted next, in this
// order: Success, Abnormal, Dropped, or Processing for one that stays until
// [Platform.SettleRefund]. Later ones succeed. A restart forgets it. Invalid:
// none of the four.
func (p *Platform) NextRefunds(outcomes ...string) error {
	for _, outcome := range outcomes {
		if !slices.Contains([]string{Success, Abnormal, Dropped, Processing}, outcome) {
			return platformError(hospital.Invalid, "bad_outcome", "want SUCCESS, ABNORMAL, CLOSED or PROCESSING")
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outcomes = append(p.outcomes, outcomes...)
	return nil
}

// SettleRefund ends a refund now: one that is processing, or an abnormal one
// that staff has handled. NotFound: no such refund. Conflict: it has ended.
// Invalid: the status is no end.
func (p *Platform) SettleRefund(outRefundNo, status string) error {
	if !slices.Contains([]string{Success, Abnormal, Dropped}, status) {
		return platformError(hospital.Invalid, "bad_outcome", "want SUCCESS, ABNORMAL or CLOSED")
	}
	return p.do(func(c *change) error {
		r := p.state.refunds[outRefundNo]
		switch {
		case r == nil:
			return platformError(hospital.NotFound, "RESOURCE_NOT_EXISTS", "no such refund")
		case r.Status == Success || r.Status == Dropped || r.Status == status:
			return platformError(hospital.Conflict, "settled", "the refund is "+r.Status)
		}
		p.settle(c, *r, status, c.now)
		return nil
	})
}
