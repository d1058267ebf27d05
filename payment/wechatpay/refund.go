package wechatpay

import (
	"context"
	"encoding/json"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

// maxRefundNo bounds out_refund_no. Source: WeChat Pay API v3, "string[1,64]".
const maxRefundNo = 64

// refundRequest is the body of a refund. It depends on the refund and on
// nothing that changes, but for the address of its notification.
type refundRequest struct {
	TransactionID string       `json:"transaction_id,omitempty"`
	OutTradeNo    string       `json:"out_trade_no,omitempty"` // in place of transaction_id
	OutRefundNo   string       `json:"out_refund_no"`
	NotifyURL     string       `json:"notify_url"`
	Amount        refundAmount `json:"amount"`
}

type refundAmount struct {
	Refund   hospital.Fen `json:"refund"`
	Total    hospital.Fen `json:"total"`
	Currency string       `json:"currency"`
}

// refund is 退款单: the answer to a refund and to its query, with status, and
// the content of its notification, with refund_status.
type refund struct {
	merchantID, refundID, outRefundNo, transactionID, outTradeNo, status, refundStatus, successTime, currency string

	total, refunded hospital.Fen // amount.total, amount.refund
}

// readRefund reports whether the text is a refund.
func readRefund(text []byte) (r refund, ok bool) {
	ok = readDocument(text, func(d *document) {
		d.object(func(name []byte) {
			switch string(name) {
			case "mchid": // of a notification only
				d.string(&r.merchantID)
			case "refund_id":
				d.string(&r.refundID)
			case "out_refund_no":
				d.string(&r.outRefundNo)
			case "transaction_id":
				d.string(&r.transactionID)
			case "out_trade_no":
				d.string(&r.outTradeNo)
			case "status":
				d.string(&r.status)
			case "refund_status":
				d.string(&r.refundStatus)
			case "success_time":
				d.string(&r.successTime)
			case "amount":
				d.object(func(name []byte) {
					switch string(name) {
					case "total":
						d.fen(&r.total)
					case "refund":
						d.fen(&r.refunded)
					case "currency":
						d.string(&r.currency)
					}
				})
			}
		})
	})
	return r, ok
}

// refundStates are what status and refund_status mean to us. The community's
// description of the interface spells CLOSED as CLOSE.
//
//nolint:gochecknoglobals // an immutable table
var refundStates = map[string]payment.RefundProgress{
	"SUCCESS": payment.RefundSucceeded, "PROCESSING": payment.RefundProcessing, "ABNORMAL": payment.RefundAbnormal,
	"CLOSED": payment.RefundClosed, "CLOSE": payment.RefundClosed,
}

// progress is what the refund says, or the name of the field that keeps it
// from being believed. The account that received the money stays out of it: it
// is a person's.
func (r refund) progress(status string) (s payment.RefundStatus, badField string) {
	state, known := refundStates[status]
	s = payment.RefundStatus{
		No: payment.RefundNo(r.outRefundNo), TradeNo: payment.TradeNo(r.outTradeNo), State: state, Amount: r.refunded,
		Currency: currency(r.currency), RefundID: r.refundID, Detail: status,
	}
	switch {
	case !known:
		return s, "status"
	case !validRefundNo(s.No):
		return s, "out_refund_no"
	case r.outTradeNo == "" || len(r.outTradeNo) > maxNumber:
		return s, "out_trade_no"
	case r.refundID == "" || len(r.refundID) > maxNumber || !printable(r.refundID):
		return s, "refund_id"
	case r.refunded < 1 || r.total < r.refunded:
		return s, "amount"
	case state != payment.RefundSucceeded:
		return s, ""
	}
	at, err := time.Parse(time.RFC3339, r.successTime)
	if err != nil {
		return s, "success_time"
	}
	s.At = at
	return s, ""
}

// validRefundNo reports whether the number is one that WeChat Pay takes and
// that stands in a path as it is.
func validRefundNo(no payment.RefundNo) bool {
	for _, c := range []byte(no) {
		if !plainWord(string(c)) && c != '-' && c != '_' {
			return false
		}
	}
	return no != "" && len(no) <= maxRefundNo
}

// Refund returns a payment, once per number. An answer means accepted, its
// state says whether it is done. It returns Rejected, Denied and Invalid when
// WeChat Pay refused it, which leaves the number usable, Unavailable when
// nothing was done and Indeterminate when that is not known.
//
// API: POST /v3/refund/domestic/refunds.
func (c *Channel) Refund(ctx context.Context, r payment.Refund) (payment.RefundStatus, error) {
	bad := func(field string) (payment.RefundStatus, error) {
		return payment.RefundStatus{}, callRefund.fail(hospital.Invalid, "bad_refund", field, nil)
	}
	switch {
	case !validRefundNo(r.No):
		return bad("No")
	case !r.TradeNo.Valid():
		return bad("TradeNo")
	case r.Amount < 1 || r.Amount > r.Total:
		return bad("Amount, Total")
	case len(r.TransactionID) > maxNumber || !printable(r.TransactionID):
		return bad("TransactionID")
	}
	request := refundRequest{
		TransactionID: r.TransactionID, OutRefundNo: string(r.No), NotifyURL: c.refundNotifyURL,
		Amount: refundAmount{Refund: r.Amount, Total: r.Total, Currency: payment.Currency},
	}
	if r.TransactionID == "" {
		request.OutTradeNo = string(r.TradeNo)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return payment.RefundStatus{}, callRefund.fail(hospital.Internal, "not_json", "", err)
	}
	answer, err := c.ask(ctx, question{call: callRefund, path: "/v3/refund/domestic/refunds", body: body})
	if err != nil {
		return payment.RefundStatus{}, err
	}
	status, said, err := refundOf(callRefund, answer, r.No)
	switch {
	case err != nil:
		return payment.RefundStatus{}, err
	case said.total != r.Total:
		return payment.RefundStatus{}, callRefund.malformed("amount.total is not the payment's")
	case r.TransactionID != "" && said.transactionID != r.TransactionID:
		return payment.RefundStatus{}, callRefund.malformed("transaction_id is not the payment's")
	}
	return status, nil
}

// refundOf reads the answer to a call about a refund. Whether trade and
// amount are the refund's, package payment knows.
func refundOf(q call, body []byte, no payment.RefundNo) (payment.RefundStatus, refund, error) {
	said, ok := readRefund(body)
	if !ok {
		return payment.RefundStatus{}, said, q.malformed("not a refund")
	}
	status, badField := said.progress(said.status)
	if badField != "" {
		return payment.RefundStatus{}, said, q.malformed(badField)
	}
	if status.No != no {
		return payment.RefundStatus{}, said, q.malformed("out_refund_no is not the one asked for")
	}
	return status, said, nil
}

// QueryRefund tells what became of a refund. It returns NotFound when WeChat
// Pay never accepted the number, Invalid, Denied, and Unavailable for
// everything that leaves the question open.
//
// API: GET /v3/refund/domestic/refunds/{out_refund_no}.
func (c *Channel) QueryRefund(ctx context.Context, no payment.RefundNo) (payment.RefundStatus, error) {
	if !validRefundNo(no) {
		return payment.RefundStatus{}, callQueryRefund.fail(hospital.Invalid, "bad_number", "RefundNo", nil)
	}
	body, err := c.ask(ctx, question{call: callQueryRefund, path: "/v3/refund/domestic/refunds/" + string(no)})
	if err != nil {
		return payment.RefundStatus{}, err
	}
	status, _, err := refundOf(callQueryRefund, body, no)
	return status, err
}
