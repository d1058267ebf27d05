package wechatpaytest

import (
	"crypto/rsa"
	"strconv"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// Outcome says how an attempt to pay ends.
type Outcome string

// The outcomes. The zero value pays.
const (
	Pays      Outcome = ""
	Fails     Outcome = "failed" // wrong password, empty card: the trade stays unpaid
	Hesitates Outcome = "paying" // stands at the password: the state is USERPAYING
)

// Payment is what a payer does.
type Payment struct {
	// OutTradeNo says which trade. It may be left out beside a Sheet.
	OutTradeNo string
	// Sheet is what the merchant's page handed to WeixinJSBridge; its signature
	// is checked. Without one the payer uses the newest prepay_id.
	Sheet *Sheet
	// OpenID is who pays. Default: the payer of the trade.
	OpenID string
	// Coupon is what WeChat Pay pays for the payer, in fen.
	Coupon hospital.Fen
	// Outcome says how it ends.
	Outcome Outcome
}

// Sheet is the request of getBrandWCPayRequest, in the names of JSAPI.
type Sheet struct {
	AppID     string `json:"appId"`
	Timestamp string `json:"timeStamp"`
	Nonce     string `json:"nonceStr"`
	Package   string `json:"package"`
	SignType  string `json:"signType"`
	PaySign   string `json:"paySign"`
}

// Pay lets the payer pay a trade and returns what has become of it; the
// notification is due at once. NotFound: no such trade or prepay_id. Conflict:
// it is paid (ORDER_PAID) or closed (ORDER_CLOSED). Rejected: WeChat would not
// show the sheet, because its signature is wrong, its time is over or it is
// another person's. Invalid: the coupon leaves nothing to pay.
func (p *Platform) Pay(m Payment) (Trade, error) {
	var done Trade
	err := p.do(func(c *change) error {
		t, err := p.sheet(m, c)
		if err != nil {
			return err
		}
		switch m.Outcome {
		case Fails:
			t.State = NotPaid
			t.Failed++
		case Hesitates:
			t.State = Paying
		case Pays:
			t.State, t.PaidAt, t.PayerTotal = Paid, c.now, t.Total-m.Coupon
			t.TransactionID = c.number("4200004200")
			if m.Coupon > 0 {
				t.CouponID = c.number("1000")
			}
			p.announce(c, Notice{Event: "TRANSACTION.SUCCESS", OutTradeNo: t.OutTradeNo, URL: t.NotifyURL}, p.tell(t))
		default:
			return platformError(hospital.Invalid, "bad_outcome", "Payment.Outcome: none of the three")
		}
		c.Trades = append(c.Trades, t)
		done = t
		return nil
	})
	return done, err
}

// sheet finds the trade of a payment and checks that it can be paid.
func (p *Platform) sheet(m Payment, c *change) (Trade, error) {
	no := m.OutTradeNo
	if m.Sheet != nil {
		prepayID, ok := strings.CutPrefix(m.Sheet.Package, "prepay_id=")
		named := p.state.sheets[prepayID]
		if !ok || named == "" || no != "" && no != named {
			return Trade{}, platformError(hospital.NotFound, "no_sheet", "package names no prepay_id of the trade")
		}
		no = named
	}
	known := p.state.trades[no]
	if known == nil {
		return Trade{}, platformError(hospital.NotFound, "ORDER_NOT_EXIST", "no such trade")
	}
	t := *known
	if m.Sheet != nil {
		if err := p.signed(*m.Sheet, t); err != nil {
			return Trade{}, err
		}
	}
	switch {
	case t.State == Closed:
		return Trade{}, platformError(hospital.Conflict, "ORDER_CLOSED", "the trade is closed")
	case t.State.final():
		return Trade{}, platformError(hospital.Conflict, "ORDER_PAID", "the trade is paid")
	case !t.Expires.IsZero() && !c.now.Before(t.Expires):
		return Trade{}, platformError(hospital.Rejected, "expired", "time_expire is over")
	case !t.live(m.Sheet, c):
		return Trade{}, platformError(hospital.Rejected, "expired", "the prepay_id is older than two hours")
	case m.OpenID != "" && m.OpenID != t.OpenID:
		return Trade{}, platformError(hospital.Rejected, "other_payer", "下单账号与支付账号不一致")
	case m.Coupon < 0 || m.Coupon >= t.Total:
		return Trade{}, platformError(hospital.Invalid, "bad_coupon", "Payment.Coupon: want 0 to less than the total")
	}
	return t, nil
}

// live reports whether the sheet, or any where none is named, can be shown.
func (t *Trade) live(s *Sheet, c *change) bool {
	for _, sheet := range t.Sheets {
		if c.now.Before(sheet.Expires) && (s == nil || s.Package == "prepay_id="+sheet.PrepayID) {
			return true
		}
	}
	return false
}

// signed checks the signature that the page hands over.
func (p *Platform) signed(s Sheet, t Trade) error {
	bad := func(detail string) error {
		return platformError(hospital.Rejected, "bad_pay_sign", "支付验证签名失败: "+detail)
	}
	unix, err := strconv.ParseInt(s.Timestamp, 10, 64)
	switch {
	case err != nil || strconv.FormatInt(unix, 10) != s.Timestamp:
		return bad("timeStamp is not a number of seconds")
	case s.AppID != t.AppID:
		return bad("appId is not the trade's")
	case s.SignType != "RSA":
		return bad("signType is not RSA")
	case s.Nonce == "" || len(s.Nonce) > 32:
		return bad("nonceStr: want 1 to 32 characters")
	}
	public, ok := p.ring.keys.MerchantCertificate.PublicKey.(*rsa.PublicKey)
	message := wechatpay.PayMessage(s.AppID, wechatpay.Stamp{Unix: unix, Nonce: s.Nonce}, s.Package)
	if !ok || wechatpay.Verify(public, message, s.PaySign) != nil {
		return bad("paySign does not match")
	}
	return nil
}
