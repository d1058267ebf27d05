package wechatpaytest

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// expiryAhead is how far time_expire must lie ahead. Source: the merchant
// documentation of JSAPI, "最短失效时间间隔须大于1分钟".
const expiryAhead = time.Minute

// prepaid is the answer of a prepay.
type prepaid struct {
	PrepayID string `json:"prepay_id"`
}

// prepay answers POST /v3/pay/transactions/jsapi.
func (p *Platform) prepay(d *document) (any, error) {
	asked := d.trade()
	if err := d.merchant(p.config.MerchantID); err != nil {
		return nil, err
	}
	if !slices.Contains(p.config.AppIDs, asked.AppID) {
		return nil, refuse(http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "商户号和appid没有绑定关系", subAppID)
	}
	if !p.config.Knows(asked.AppID, asked.OpenID) {
		d.fail("/payer/openid", "", "does not belong to the appid", "appid和openid不匹配")
		return nil, d.err()
	}
	var given prepaid
	err := p.do(func(c *change) error {
		t := p.state.trades[asked.OutTradeNo]
		if t == nil {
			if !asked.Expires.IsZero() && asked.Expires.Before(c.now.Add(expiryAhead)) {
				d.fail("/time_expire", stamp(asked.Expires), "want at least one minute ahead", "失效时间须大于当前时间1分钟")
				return d.err()
			}
			asked.State, asked.Created = NotPaid, c.now
			t = &asked
		} else if err := t.again(asked, c.now); err != nil {
			return err
		}
		given.PrepayID = c.secret("wx")
		known := *t
		known.Sheets = slices.DeleteFunc(slices.Clone(t.Sheets), func(s Prepay) bool { return !c.now.Before(s.Expires) })
		known.Sheets = append(known.Sheets, Prepay{PrepayID: given.PrepayID, Expires: c.now.Add(prepayLife)})
		known.Sheets = known.Sheets[max(0, len(known.Sheets)-maxSheets):]
		c.Trades = append(c.Trades, known)
		return nil
	})
	return given, err
}

// again says whether a prepay of a known number may be answered. One that is
// paid or closed is told as that, if it is the same; another request for it has
// taken a number that is used.
func (t *Trade) again(asked Trade, now time.Time) error {
	same := t.Request == asked.Request
	switch {
	case same && (t.State == Paid || t.State == Returns):
		return tradePaid()
	case same && t.State == Closed:
		return refuse(http.StatusBadRequest, "ORDER_CLOSED", "该订单已关闭", subExpired)
	case !same && t.State.final() && t.Request != "": // "" was closed unseen
		return refuse(http.StatusForbidden, "OUT_TRADE_NO_USED", "商户订单号重复", subReentry)
	case !same:
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", subReentry)
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return refuse(http.StatusBadRequest, "INVALID_REQUEST", "订单已过期", subExpired)
	}
	return nil
}

// trade reads the body of a prepay. Source:
// pay.weixin.qq.com/doc/v3/merchant/4012791856.
func (d *document) trade() Trade {
	t := Trade{
		AppID:       d.text(want{field: "/appid", name: "公众账号ID", max: 32}),
		Description: d.text(want{field: "/description", name: "商品描述", max: 127}),
		OutTradeNo: d.text(want{
			field: "/out_trade_no", name: "商户订单号", max: 32, issue: "want 6 to 32 of 0-9 A-Z a-z _ - | *",
			holds: func(no string) bool { return len(no) >= 6 && spelt(no, "_-|*") },
		}),
		NotifyURL: d.text(want{field: "/notify_url", name: "通知地址", max: 255, issue: notifyIssue, holds: notifiable}),
		Attach:    d.text(want{field: "/attach", name: "附加数据", max: 128, optional: true}),
		OpenID:    d.text(want{field: "/payer/openid", name: "用户标识", max: 128}),
		Total:     hospital.Fen(d.fen("/amount/total", "总金额", 1)),
		Request:   d.canonical(),
	}
	if d.no != nil && d.value("/payer/openid") == nil {
		d.no.sub = subNoOpenID
	}
	d.text(want{
		field: "/amount/currency", name: "货币类型", max: 16, optional: true, issue: "Currency code is invalid",
		holds: func(code string) bool { return code == currency },
	})
	d.text(want{field: "/goods_tag", name: "订单优惠标记", max: 32, optional: true})
	d.extras()
	expires := d.text(want{
		field: "/time_expire", name: "支付结束时间", max: 64, optional: true, issue: "want RFC 3339",
		holds: func(at string) bool { _, err := time.Parse(time.RFC3339, at); return err == nil },
	})
	if expires != "" {
		t.Expires, _ = time.Parse(time.RFC3339, expires) // refused above, or good
	}
	return t
}

// extras reads what a prepay may carry besides: goods, scene, settlement. It
// checks types and what must be there. Source: the models of wechatpay-go
// v0.2.21, services/payments/jsapi.
func (d *document) extras() {
	d.flag("/support_fapiao")
	for i := range d.list("/limit_pay") {
		d.text(want{field: fmt.Sprintf("/limit_pay/%d", i), name: "指定支付方式", max: 32})
	}
	if d.object("/detail") {
		if d.value("/detail/cost_price") != nil {
			d.fen("/detail/cost_price", "订单原价", 0)
		}
		d.text(want{field: "/detail/invoice_id", name: "商品小票ID", max: 32, optional: true})
		for i := range d.list("/detail/goods_detail") {
			goods := fmt.Sprintf("/detail/goods_detail/%d/", i)
			d.text(want{field: goods + "merchant_goods_id", name: "商户侧商品编码", max: 32})
			d.text(want{field: goods + "goods_name", name: "商品名称", max: 256, optional: true})
			d.fen(goods+"quantity", "商品数量", 1)
			d.fen(goods+"unit_price", "商品单价", 0)
		}
	}
	if d.object("/scene_info") {
		d.text(want{
			field: "/scene_info/payer_client_ip", name: "用户终端IP", max: 45, issue: "want an IP address",
			holds: func(ip string) bool { _, err := netip.ParseAddr(ip); return err == nil },
		})
		d.text(want{field: "/scene_info/device_id", name: "商户端设备号", max: 32, optional: true})
		if d.object("/scene_info/store_info") {
			d.text(want{field: "/scene_info/store_info/id", name: "门店编号", max: 32})
		}
	}
	if d.object("/settle_info") {
		d.flag("/settle_info/profit_sharing")
	}
}

// spelt reports whether the text is of letters, digits and the others.
func spelt(text, others string) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune(others, c) {
			return false
		}
	}
	return text != ""
}

const notifyIssue = "want an absolute http or https address without query, fragment and login"

// notifiable reports whether a notification can go to the address.
func notifiable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Opaque == "" &&
		u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}
