package wechatpay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

const (
	// maxNotification bounds a body. One about an order with all its coupons
	// has a few kilobytes.
	maxNotification = 64 << 10
	maxNoticeID     = 128 // WeChat Pay uses 36 characters
	// noticeTime is for the store. Source: WeChat Pay API v3, "5秒内应答".
	noticeTime = 4500 * time.Millisecond
)

// Notifier takes a notice. Nil says that it is stored durably; *payment.Cashier
// is one.
type Notifier interface {
	Notify(context.Context, payment.Notice) error
}

// envelope is the body of a notification.
type envelope struct {
	id, eventType, resourceType, originalType string

	sealed Sealed
}

// readEnvelope reports whether the text is the body of a notification.
func readEnvelope(text []byte) (e envelope, ok bool) {
	ok = readDocument(text, func(d *document) {
		d.object(func(name []byte) {
			switch string(name) {
			case "id":
				d.string(&e.id)
			case "event_type":
				d.string(&e.eventType)
			case "resource_type":
				d.string(&e.resourceType)
			case "resource":
				d.object(func(name []byte) {
					switch string(name) {
					case "original_type":
						d.string(&e.originalType)
					case "algorithm":
						d.string(&e.sealed.Algorithm)
					case "ciphertext":
						d.string(&e.sealed.Ciphertext)
					case "associated_data":
						d.string(&e.sealed.AssociatedData)
					case "nonce":
						d.string(&e.sealed.Nonce)
					}
				})
			}
		})
	})
	return e, ok
}

// ReadNotice verifies a notification and returns what it tells. The sum that
// it tells is not compared here: who knows what is owed does that, before
// money moves.
//
// It returns Denied, with the code of [ErrBadHeader], [ErrStale],
// [ErrUnknownKey], [ErrBadSignature], [ErrNotOpened], [ErrMalformed],
// [ErrUnknownEvent] or [ErrForeign]. A probe, which WeChat Pay signs badly on purpose, is a bad
// signature; the true one follows.
//
// Source: pay.weixin.qq.com/doc/v3/merchant/4013053249.
func (c *Channel) ReadNotice(ctx context.Context, h http.Header, body []byte) (payment.Notice, error) {
	const op = "wechatpay.ReadNotice"
	if len(body) > maxNotification {
		return payment.Notice{}, refusal(op, ErrMalformed, "the body is larger than 64 KiB")
	}
	if err := c.keys.verify(ctx, h, body); err != nil {
		return payment.Notice{}, err
	}
	return c.openNotice(body)
}

// openNotice reads a body that was verified.
func (c *Channel) openNotice(body []byte) (payment.Notice, error) {
	const op = "wechatpay.ReadNotice"
	e, ok := readEnvelope(body)
	if !ok {
		return payment.Notice{}, refusal(op, ErrMalformed, "the body is not the JSON it should be")
	}
	switch {
	case e.id == "" || len(e.id) > maxNoticeID || !printable(e.id):
		return payment.Notice{}, refusal(op, ErrMalformed, "id")
	case e.resourceType != "encrypt-resource":
		return payment.Notice{}, refusal(op, ErrMalformed, "resource_type")
	}
	event, known := events[e.eventType]
	switch {
	case !known:
		return payment.Notice{}, refusal(op, ErrUnknownEvent, "event_type is none that we take")
	case event.original != e.originalType:
		return payment.Notice{}, refusal(op, ErrMalformed, "resource.original_type is not the event's, or resource is missing")
	}
	plain, err := c.cipher.Open(e.sealed)
	if err != nil {
		return payment.Notice{}, err
	}
	n := payment.Notice{Channel: c.name, ID: e.id}
	if err := event.read(c, plain, &n); err != nil {
		return payment.Notice{}, err
	}
	return n, nil
}

// event is a kind of notification: what its content is and how it is read.
type event struct {
	original string // original_type
	read     func(*Channel, []byte, *payment.Notice) error
}

// events are the notifications that a merchant who prepays and refunds gets.
//
//nolint:gochecknoglobals // an immutable table
var events = map[string]event{
	"TRANSACTION.SUCCESS": {"transaction", (*Channel).noticeOfTrade},
	"REFUND.SUCCESS":      {"refund", noticeOfRefund(payment.RefundSucceeded)},
	"REFUND.ABNORMAL":     {"refund", noticeOfRefund(payment.RefundAbnormal)},
	"REFUND.CLOSED":       {"refund", noticeOfRefund(payment.RefundClosed)},
}

func (c *Channel) noticeOfTrade(plain []byte, n *payment.Notice) error {
	const op = "wechatpay.ReadNotice"
	t, ok := readTransaction(plain)
	if !ok {
		return refusal(op, ErrMalformed, "the content is not a transaction")
	}
	if t.merchantID != c.merchantID {
		return refusal(op, ErrForeign, "mchid")
	}
	if t.appID != c.appID {
		return refusal(op, ErrForeign, "appid")
	}
	trade, badField := t.trade()
	switch {
	case badField != "":
		return refusal(op, ErrMalformed, "content: "+badField)
	case trade.State != payment.TradePaid:
		return refusal(op, ErrMalformed, "content: trade_state is not the event's")
	}
	n.Trade = &trade
	return nil
}

func noticeOfRefund(want payment.RefundProgress) func(*Channel, []byte, *payment.Notice) error {
	return func(c *Channel, plain []byte, n *payment.Notice) error {
		const op = "wechatpay.ReadNotice"
		r, ok := readRefund(plain)
		if !ok {
			return refusal(op, ErrMalformed, "the content is not a refund")
		}
		if r.merchantID != c.merchantID {
			return refusal(op, ErrForeign, "mchid")
		}
		status, badField := r.progress(r.refundStatus)
		if badField != "" {
			return refusal(op, ErrMalformed, "content: "+badField)
		}
		if status.State != want {
			return refusal(op, ErrMalformed, "content: refund_status is not the event's")
		}
		n.Refund = &status
		return nil
	}
}

// Notifications serves the notify_url. It answers 204 once the notice is
// stored, and otherwise 4xx or 5xx, upon which WeChat Pay comes again.
func (c *Channel) Notifications(to Notifier) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), noticeTime)
		defer cancel()
		status, err := c.receive(ctx, w, r, to)
		if err != nil {
			c.logger.WarnContext(ctx, "wechatpay: notification not taken", slog.Int("status", status),
				slog.String("code", hospital.CodeOf(err)), slog.Any("error", err))
			fail(w, status)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// receive returns the status of a refusal and its reason.
func (c *Channel) receive(ctx context.Context, w http.ResponseWriter, r *http.Request, to Notifier) (int, error) {
	const op = "wechatpay.Notifications"
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, refusal(op, ErrMalformed, "not a POST")
	}
	if r.ContentLength > maxNotification {
		return http.StatusRequestEntityTooLarge, refusal(op, ErrMalformed, "the body is larger than 64 KiB")
	}
	// What trickles in would hold a place for as long as its sender likes. A
	// recorder has no deadline to set, and a server that cannot set one has its own.
	line := http.NewResponseController(w)
	_ = line.SetReadDeadline(time.Now().Add(noticeTime))
	body, err := readBody(http.MaxBytesReader(w, r.Body, maxNotification), r.ContentLength)
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return http.StatusRequestEntityTooLarge, refusal(op, ErrMalformed, "the body is larger than 64 KiB")
		}
		return http.StatusBadRequest, refusal(op, ErrMalformed, "the body was cut short")
	}
	_ = line.SetReadDeadline(time.Time{}) // left in place it would end the context of the store
	notice, err := c.ReadNotice(ctx, r.Header, body)
	if err != nil {
		return refusedStatus(err), err
	}
	if err := to.Notify(ctx, notice); err != nil {
		return http.StatusInternalServerError, &hospital.Error{
			Kind: hospital.KindOf(err), Op: op, Code: "not_stored", Detail: "notice " + notice.ID, Err: err,
		}
	}
	return http.StatusNoContent, nil
}

// readBody reads a body whose length was announced into one buffer.
func readBody(body io.Reader, announced int64) ([]byte, error) {
	if announced < 0 {
		return io.ReadAll(body) //nolint:wrapcheck // its only caller names it
	}
	buffer := make([]byte, announced)
	_, err := io.ReadFull(body, buffer)
	return buffer, err //nolint:wrapcheck // as above
}

func refusedStatus(err error) int {
	switch hospital.CodeOf(err) {
	case ErrMalformed.Code, ErrUnknownEvent.Code, ErrNotOpened.Code, ErrForeign.Code:
		return http.StatusBadRequest
	}
	return http.StatusUnauthorized
}

// refusedBody is the only answer but 204. Source: WeChat Pay API v3, 通知应答.
const refusedBody = `{"code":"FAIL","message":"失败"}`

func fail(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(refusedBody)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, refusedBody) // whoever is gone comes again
}
