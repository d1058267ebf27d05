package wechatpay

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

// maxNumber bounds the numbers of WeChat Pay, which have 28 to 32 characters.
const maxNumber = 64

// transaction is 支付单: the answer to a query and the content of a
// notification of payment.
type transaction struct {
	appID, merchantID, outTradeNo, transactionID, tradeState, successTime, currency string

	total hospital.Fen // amount.total
}

// readTransaction reports whether the text is a transaction.
func readTransaction(text []byte) (t transaction, ok bool) {
	ok = readDocument(text, func(d *document) {
		d.object(func(name []byte) {
			switch string(name) {
			case "appid":
				d.string(&t.appID)
			case "mchid":
				d.string(&t.merchantID)
			case "out_trade_no":
				d.string(&t.outTradeNo)
			case "transaction_id":
				d.string(&t.transactionID)
			case "trade_state":
				d.string(&t.tradeState)
			case "success_time":
				d.string(&t.successTime)
			case "amount":
				d.object(func(name []byte) {
					switch string(name) {
					case "total":
						d.fen(&t.total)
					case "currency":
						d.string(&t.currency)
					}
				})
			}
		})
	})
	return t, ok
}

// tradeStates are what trade_state means to us.
//
//nolint:gochecknoglobals // an immutable table
var tradeStates = map[string]payment.TradeState{
	"NOTPAY": payment.TradeNotPaid, "USERPAYING": payment.TradePaying, "ACCEPT": payment.TradePaying,
	"SUCCESS": payment.TradePaid, "REFUND": payment.TradeRefunded,
	"CLOSED": payment.TradeClosed, "REVOKED": payment.TradeClosed, "PAYERROR": payment.TradeClosed,
}

// trade is what the transaction says, or the name of the field that keeps it
// from being believed. Whether number and amount are those that we asked for,
// package payment knows.
func (t transaction) trade() (trade payment.Trade, badField string) {
	state, known := tradeStates[t.tradeState]
	trade = payment.Trade{
		TradeNo: payment.TradeNo(t.outTradeNo), State: state, Amount: t.total, Currency: currency(t.currency),
		TransactionID: t.transactionID,
	}
	switch {
	case !known:
		return trade, "trade_state"
	case t.outTradeNo == "" || len(t.outTradeNo) > maxNumber:
		return trade, "out_trade_no"
	case len(t.transactionID) > maxNumber || !printable(t.transactionID):
		return trade, "transaction_id"
	case !state.Paid():
		return trade, ""
	case t.transactionID == "":
		return trade, "transaction_id"
	case t.total < 1:
		return trade, "amount.total"
	}
	at, err := time.Parse(time.RFC3339, t.successTime)
	if err != nil {
		return trade, "success_time"
	}
	trade.PaidAt = at
	return trade, ""
}

// currency is what an amount is in. A domestic merchant has one currency, and
// the amount of a refund notification does not say it.
func currency(said string) string {
	if said == "" {
		return payment.Currency
	}
	return said
}

// Query tells what became of an order. It returns NotFound when WeChat Pay
// never saw the number, Invalid for a number that cannot be one, Denied, and
// Unavailable for everything that leaves the question open.
//
// API: GET /v3/pay/transactions/out-trade-no/{out_trade_no}.
func (c *Channel) Query(ctx context.Context, no payment.TradeNo) (payment.Trade, error) {
	if !no.Valid() {
		return payment.Trade{}, callQuery.fail(hospital.Invalid, "bad_number", "TradeNo", nil)
	}
	body, err := c.ask(ctx, question{
		call: callQuery, path: "/v3/pay/transactions/out-trade-no/" + string(no), query: url.Values{"mchid": {c.merchantID}},
	})
	if err != nil {
		return payment.Trade{}, err
	}
	t, ok := readTransaction(body)
	if !ok {
		return payment.Trade{}, callQuery.malformed("not a transaction")
	}
	if t.merchantID != c.merchantID || t.appID != c.appID {
		return payment.Trade{}, callQuery.fail(hospital.Unavailable, "bad_answer", "mchid or appid", ErrForeign)
	}
	trade, badField := t.trade()
	if badField != "" {
		return payment.Trade{}, callQuery.malformed(badField)
	}
	if trade.TradeNo != no {
		return payment.Trade{}, callQuery.malformed("out_trade_no is not the one asked for")
	}
	return trade, nil
}

// Close makes sure that nobody pays the order any more; it may be repeated. It
// returns Conflict when the order is paid, NotFound when WeChat Pay never saw
// the number, Invalid, Denied, Rejected, Unavailable and Indeterminate.
//
// API: POST /v3/pay/transactions/out-trade-no/{out_trade_no}/close.
func (c *Channel) Close(ctx context.Context, no payment.TradeNo) error {
	if !no.Valid() {
		return callClose.fail(hospital.Invalid, "bad_number", "TradeNo", nil)
	}
	body, err := json.Marshal(struct {
		MerchantID string `json:"mchid"`
	}{c.merchantID})
	if err != nil {
		return callClose.fail(hospital.Internal, "not_json", "", err)
	}
	_, err = c.ask(ctx, question{
		call: callClose, path: "/v3/pay/transactions/out-trade-no/" + string(no) + "/close", body: body,
	})
	switch hospital.CodeOf(err) {
	case "ORDER_CLOSED", "ORDERCLOSED":
		return nil
	}
	return err
}
