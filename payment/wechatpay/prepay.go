package wechatpay

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

const (
	// SheetKind is the kind of this channel's pay sheet: its params are what
	// WeixinJSBridge.invoke("getBrandWCPayRequest") takes.
	SheetKind = "jsapi"

	sheetLives      = 2 * time.Hour // Source: WeChat Pay API v3, prepay_id "2小时"
	leastTime       = time.Minute   // Source: WeChat Pay API v3, time_expire at least a minute ahead
	maxDescription  = 127           // bytes. Source: WeChat Pay API v3, description "string[1,127]"
	maxOpenID       = 128           // Source: WeChat Pay API v3, openid "string[1,128]"
	maxPrepayID     = 64            // Source: WeChat Pay API v3, prepay_id "string[1,64]"
	unknownRune     = '□'           // stands for a character of four bytes, which WeChat Pay refuses
	maxBasicPlane   = 0xFFFF        // "1 to 3 bytes of UTF-8"
	maxPrepayAmount = 1_000_000_000 // fen, ten million yuan: more is a slip
)

// errTooLate is the no to an attempt that WeChat Pay would refuse for its
// time_expire.
var errTooLate = &hospital.Error{
	Kind: hospital.Conflict, Op: "wechatpay.Compose", Code: "too_late", Message: "订单即将超过支付时间，请重新下单。",
	Detail: "less than a minute is left to pay",
}

// prepayRequest is the body of a JSAPI prepay.
type prepayRequest struct {
	AppID       string `json:"appid"`
	MerchantID  string `json:"mchid"`
	Description string `json:"description"`
	OutTradeNo  string `json:"out_trade_no"`
	TimeExpire  string `json:"time_expire"`
	NotifyURL   string `json:"notify_url"`
	Amount      amount `json:"amount"`
	Payer       payer  `json:"payer"`
}

type amount struct {
	Total    hospital.Fen `json:"total"`
	Currency string       `json:"currency"`
}

type payer struct {
	OpenID string `json:"openid"`
}

// Compose makes the bytes that Prepay sends, now and ever after, so that no
// change of the configuration can make a repetition differ. The description is
// cut to what WeChat Pay takes. It returns Invalid, naming the field, and
// Conflict when less than a minute is left to pay.
func (c *Channel) Compose(a payment.Attempt) ([]byte, error) {
	bad := func(detail string) error {
		return &hospital.Error{Kind: hospital.Invalid, Op: "wechatpay.Compose", Code: "bad_attempt", Detail: detail}
	}
	description := describe(a.Description)
	switch {
	case a.Channel != c.name:
		return nil, bad("Channel is not " + c.name)
	case !a.TradeNo.Valid():
		return nil, bad("TradeNo")
	case a.Amount < 1 || a.Amount > maxPrepayAmount:
		return nil, bad("Amount")
	case a.Payer == "" || len(a.Payer) > maxOpenID || !printable(string(a.Payer)):
		return nil, bad("Payer is not an openid")
	case description == "":
		return nil, bad("Description is empty")
	case a.Expires.Sub(c.now()) < leastTime:
		return nil, errTooLate
	}
	body, err := json.Marshal(prepayRequest{
		AppID: c.appID, MerchantID: c.merchantID, Description: description, OutTradeNo: string(a.TradeNo),
		TimeExpire: a.Expires.In(hospital.CST).Format(time.RFC3339), NotifyURL: c.notifyURL,
		Amount: amount{Total: a.Amount, Currency: payment.Currency}, Payer: payer{OpenID: string(a.Payer)},
	})
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "wechatpay.Compose", Code: "not_json", Err: err}
	}
	return body, nil
}

// describe makes a description that WeChat Pay takes: at most 127 bytes, no
// character of four bytes, no control character. It is only shown, so a long
// one is cut rather than refused.
func describe(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r > maxBasicPlane || r == utf8.RuneError:
			return unknownRune
		case unicode.IsControl(r):
			return ' '
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	for len(text) > maxDescription {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// checkRequest compares the stored bytes with the attempt they belong to.
func (c *Channel) checkRequest(a payment.Attempt) (prepayRequest, error) {
	bad := func(detail string) error { return callPrepay.fail(hospital.Invalid, "bad_attempt", detail, nil) }
	var said prepayRequest
	decoder := json.NewDecoder(bytes.NewReader(a.Request))
	decoder.DisallowUnknownFields()
	switch {
	case len(a.Request) == 0:
		return said, bad("Request is missing: it is what Compose made")
	case decoder.Decode(&said) != nil:
		return said, bad("Request is not what Compose made")
	case said.OutTradeNo != string(a.TradeNo) || said.Amount.Total != a.Amount || said.Payer.OpenID != string(a.Payer):
		return said, bad("Request is another attempt's")
	case said.MerchantID != c.merchantID:
		return said, bad("Request is another merchant's")
	}
	return said, nil
}

// Prepay creates the order, or finds it again, and signs a pay sheet for it.
//
// It returns Conflict for a number that is paid or closed, Rejected and Denied
// for WeChat Pay's definite no, Invalid for an attempt that Compose did not
// make, Unavailable when nothing was done and Indeterminate when that is not
// known. [AdviceOn] knows what to do about a code.
//
// API: POST /v3/pay/transactions/jsapi.
func (c *Channel) Prepay(ctx context.Context, a payment.Attempt) (payment.Sheet, error) {
	said, err := c.checkRequest(a)
	if err != nil {
		return payment.Sheet{}, err
	}
	body, err := c.ask(ctx, question{
		call: callPrepay, path: "/v3/pay/transactions/jsapi", body: a.Request, secret: string(a.Payer),
	})
	if err != nil {
		return payment.Sheet{}, err
	}
	var prepayID string
	ok := readDocument(body, func(d *document) {
		d.object(func(name []byte) {
			if string(name) == "prepay_id" {
				d.string(&prepayID)
			}
		})
	})
	if !ok || prepayID == "" || len(prepayID) > maxPrepayID || !printable(prepayID) {
		return payment.Sheet{}, callPrepay.malformed("prepay_id")
	}
	return c.sheet(a, said.AppID, prepayID)
}

// sheet signs what the payer's phone hands to WeChat, with a fresh time.
func (c *Channel) sheet(a payment.Attempt, appID, prepayID string) (payment.Sheet, error) {
	s := Stamp{Unix: c.wall().Unix(), Nonce: NewNonce()}
	pack := "prepay_id=" + prepayID
	signature, err := Sign(c.key, PayMessage(appID, s, pack))
	if err != nil {
		return payment.Sheet{}, err
	}
	expires := c.now().Add(sheetLives)
	if a.Expires.Before(expires) {
		expires = a.Expires
	}
	return payment.Sheet{
		TradeNo: a.TradeNo, Kind: SheetKind, Expires: expires,
		Params: map[string]string{
			"appId": appID, "timeStamp": strconv.FormatInt(s.Unix, 10), "nonceStr": s.Nonce,
			"package": pack, "signType": "RSA", "paySign": signature,
		},
	}, nil
}
