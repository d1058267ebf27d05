package wechatpaytest

import (
	"net/http"
	"time"

	"github.com/wxhospital/hospital"
)

// The lives of a trade and of a prepay_id. Source: payment facts of the
// merchant documentation, "prepay_id 2小时", "订单7天".
const (
	tradeLife  = 7 * 24 * time.Hour
	prepayLife = 2 * time.Hour
)

// maxSheets bounds the prepay_ids that one trade remembers.
const maxSheets = 20

// TradeState is 交易状态, as WeChat Pay writes it.
type TradeState string

// The states. Source: WeChat Pay API v3, trade_state.
const (
	NotPaid TradeState = "NOTPAY"
	Paying  TradeState = "USERPAYING" // the payer is at the password
	Paid    TradeState = "SUCCESS"
	Returns TradeState = "REFUND" // paid, and a refund was accepted since
	Closed  TradeState = "CLOSED"
)

// final reports whether nobody can pay any more.
func (s TradeState) final() bool { return s == Paid || s == Returns || s == Closed }

func (s TradeState) describe() string {
	switch s {
	case NotPaid:
		return "订单未支付"
	case Paying:
		return "用户支付中"
	case Paid:
		return "支付成功"
	case Returns:
		return "订单发生过退款，退款详情请查询退款单"
	case Closed:
		return "订单已关闭"
	}
	return ""
}

// Trade is 支付单, all that WeChat Pay knows of one out_trade_no.
type Trade struct {
	AppID         string
	OutTradeNo    string
	TransactionID string `json:",omitempty"` // 微信支付订单号, once it is paid
	State         TradeState
	Total         hospital.Fen
	PayerTotal    hospital.Fen // what the payer paid: less than Total with a coupon
	CouponID      string       `json:",omitempty"`
	Description   string
	Attach        string `json:",omitempty"`
	OpenID        string
	NotifyURL     string
	Request       string    // the first request in one spelling, which a repetition must equal
	Expires       time.Time `json:",omitzero"` // time_expire: no payment after it
	Created       time.Time
	PaidAt        time.Time `json:",omitzero"`
	ClosedAt      time.Time `json:",omitzero"`
	Failed        int       `json:",omitempty"` // attempts to pay that failed
	Sheets        []Prepay  `json:",omitempty"`
	Refunded      hospital.Fen
	PayerRefunded hospital.Fen
	Refunds       int       `json:",omitempty"` // that were accepted, closed ones too
	LastRefund    time.Time `json:",omitzero"`
}

// Prepay is 预支付, one permission to show the pay sheet.
type Prepay struct {
	PrepayID string
	Expires  time.Time
}

// transaction is a Trade as it is answered and notified.
type transaction struct {
	AppID         string            `json:"appid"`
	MerchantID    string            `json:"mchid"`
	OutTradeNo    string            `json:"out_trade_no"`
	TransactionID string            `json:"transaction_id,omitempty"`
	TradeType     string            `json:"trade_type,omitempty"`
	State         TradeState        `json:"trade_state"`
	Describe      string            `json:"trade_state_desc"`
	BankType      string            `json:"bank_type,omitempty"`
	Attach        string            `json:"attach,omitempty"`
	SuccessTime   string            `json:"success_time,omitempty"`
	Payer         *payer            `json:"payer,omitempty"`
	Amount        transactionAmount `json:"amount"`
	Promotion     []promotion       `json:"promotion_detail,omitempty"`
}

type payer struct {
	OpenID string `json:"openid"`
}

type transactionAmount struct {
	Total         hospital.Fen `json:"total"`
	PayerTotal    hospital.Fen `json:"payer_total,omitempty"`
	Currency      string       `json:"currency"`
	PayerCurrency string       `json:"payer_currency,omitempty"`
}

// promotion is 优惠功能: one coupon, paid by WeChat Pay.
type promotion struct {
	CouponID  string       `json:"coupon_id"`
	Name      string       `json:"name"`
	Scope     string       `json:"scope"`
	Type      string       `json:"type"`
	Amount    hospital.Fen `json:"amount"`
	StockID   string       `json:"stock_id"`
	WeChatPay hospital.Fen `json:"wechatpay_contribute"`
	Merchant  hospital.Fen `json:"merchant_contribute"`
	Other     hospital.Fen `json:"other_contribute"`
	Currency  string       `json:"currency"`
}

const currency = "CNY"

// tell returns the trade as it is told to the merchant.
func (p *Platform) tell(t Trade) *transaction {
	told := &transaction{
		AppID: t.AppID, MerchantID: p.config.MerchantID, OutTradeNo: t.OutTradeNo, TransactionID: t.TransactionID,
		State: t.State, Describe: t.State.describe(), Attach: t.Attach, Payer: &payer{OpenID: t.OpenID},
		Amount: transactionAmount{Total: t.Total, Currency: currency},
	}
	if t.PaidAt.IsZero() {
		return told
	}
	told.TradeType, told.BankType, told.SuccessTime = "JSAPI", "OTHERS", stamp(t.PaidAt)
	told.Amount.PayerTotal, told.Amount.PayerCurrency = t.PayerTotal, currency
	if coupon := t.Total - t.PayerTotal; coupon > 0 {
		told.Promotion = []promotion{{
			CouponID: t.CouponID, Name: "微信支付立减", Scope: "GLOBAL", Type: "CASH", Amount: coupon,
			StockID: "100001", WeChatPay: coupon, Currency: currency,
		}}
	}
	return told
}

func noTrade() error {
	return refuse(http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在", subNoTrade)
}

func tradePaid() error {
	return refuse(http.StatusBadRequest, "ORDER_PAID", "该订单已支付", subPaid)
}

// query answers by either number. The merchant must name itself.
func (p *Platform) query(merchantID, outTradeNo, transactionID string) (any, error) {
	if merchantID == "" {
		return nil, badParameter(parameter{Field: "mchid", Value: "", Issue: "is missing", Location: "query"}, "缺少参数：商户号")
	}
	if merchantID != p.config.MerchantID {
		no := badParameter(parameter{Field: "mchid", Value: merchantID, Issue: "is not the one that signs", Location: "query"}, "商户号与签名的商户号不一致")
		no.sub = subOtherTrade
		return nil, no
	}
	var told *transaction
	err := p.do(func(*change) error {
		if transactionID != "" {
			outTradeNo = p.state.paid[transactionID]
		}
		t := p.state.trades[outTradeNo]
		if t == nil {
			return noTrade()
		}
		told = p.tell(*t)
		return nil
	})
	return told, err
}

// close closes a trade. It may be repeated.
func (p *Platform) close(outTradeNo string, d *document, paidFirst bool) (any, error) {
	if err := d.merchant(p.config.MerchantID); err != nil {
		return nil, err
	}
	if paidFirst {
		// The payer is quicker. That nobody could pay any more is for the close to say.
		_, _ = p.Pay(Payment{OutTradeNo: outTradeNo})
	}
	return nil, p.do(func(c *change) error {
		t := p.state.trades[outTradeNo]
		switch {
		case t == nil && p.config.CloseUnseen:
			c.Trades = append(c.Trades, Trade{OutTradeNo: outTradeNo, State: Closed, Created: c.now, ClosedAt: c.now})
			return nil
		case t == nil:
			return noTrade()
		case t.State == Closed:
			return nil
		case t.State.final():
			return tradePaid()
		}
		closed := *t
		closed.State, closed.ClosedAt = Closed, c.now
		c.Trades = append(c.Trades, closed)
		return nil
	})
}

// merchant checks the mchid of a body.
func (d *document) merchant(own string) error {
	named := d.text(want{field: "/mchid", name: "商户号", max: 32})
	if d.no == nil && named != own {
		d.fail("/mchid", named, "is not the one that signs", "商户号与签名的商户号不一致")
	}
	return d.err()
}

// err is the first refusal, as an error that is nil without one.
func (d *document) err() error {
	if d.no == nil {
		return nil
	}
	return d.no
}
