package wechatpaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// notifyTimeout is how long the merchant has to answer a notification. Source:
// pay.weixin.qq.com/doc/v3/merchant/4012791861, "5秒".
const notifyTimeout = 5 * time.Second

// maxReply bounds what is read of the merchant's answer.
const maxReply = 4 << 10

// Ladder returns the pauses between the deliveries of a notification that
// nobody takes: 15 of them, 24 hours and 4 minutes. Source: the merchant
// documentation, "15s/15s/30s/3m/10m/20m/30m/30m/30m/60m/3h/3h/3h/6h/6h".
func Ladder() []time.Duration {
	const s, m, h = time.Second, time.Minute, time.Hour
	return []time.Duration{
		15 * s, 15 * s, 30 * s, 3 * m, 10 * m, 20 * m, 30 * m, 30 * m, 30 * m, 60 * m, 3 * h, 3 * h, 3 * h, 6 * h, 6 * h,
	}
}

// NoticeState is how far a notification has come.
type NoticeState string

// The states of a notification.
const (
	Waiting   NoticeState = "waiting"   // is due at Notice.Due, or behind another
	Delivered NoticeState = "delivered" // the merchant took it
	GivenUp   NoticeState = "given_up"  // the ladder has ended
	NeverSent NoticeState = "lost"      // MailLost
)

// Notice is 通知, what WeChat Pay tells the merchant of its own accord.
type Notice struct {
	ID          string // EV-…, the same on every delivery
	Event       string // TRANSACTION.SUCCESS, REFUND.SUCCESS, …
	OutTradeNo  string
	OutRefundNo string `json:",omitempty"`
	URL         string
	Plain       json.RawMessage // what is sealed into it
	State       NoticeState
	Mail        Mail // what befalls it
	Created     time.Time
	Due         time.Time
	Attempts    int    // deliveries that were made
	Rung        int    // of the ladder
	Status      int    `json:",omitempty"` // of the last attempt, 0 when no answer came
	Behind      string `json:",omitempty"` // MailBehindNext: the ID it waits for
}

// envelope is the body of a notification.
type envelope struct {
	ID           string    `json:"id"`
	CreateTime   string    `json:"create_time"`
	ResourceType string    `json:"resource_type"`
	Event        string    `json:"event_type"`
	Summary      string    `json:"summary"`
	Resource     *resource `json:"resource,omitempty"`
}

type resource struct {
	OriginalType string `json:"original_type"`
	wechatpay.Sealed
}

// refundNotification is the plaintext of REFUND.*: refund_status, not status,
// and no channel.
type refundNotification struct {
	MerchantID    string                   `json:"mchid"`
	TransactionID string                   `json:"transaction_id"`
	OutTradeNo    string                   `json:"out_trade_no"`
	RefundID      string                   `json:"refund_id"`
	OutRefundNo   string                   `json:"out_refund_no"`
	Status        string                   `json:"refund_status"`
	SuccessTime   string                   `json:"success_time,omitempty"`
	Account       string                   `json:"user_received_account"`
	Amount        refundNotificationAmount `json:"amount"`
}

type refundNotificationAmount struct {
	Total       hospital.Fen `json:"total"`
	Refund      hospital.Fen `json:"refund"`
	PayerTotal  hospital.Fen `json:"payer_total"`
	PayerRefund hospital.Fen `json:"payer_refund"`
}

func (r *Refund) notification(merchantID string) *refundNotification {
	n := &refundNotification{
		MerchantID: merchantID, TransactionID: r.TransactionID, OutTradeNo: r.OutTradeNo, RefundID: r.RefundID,
		OutRefundNo: r.OutRefundNo, Status: r.Status, Account: receivedAccount,
		Amount: refundNotificationAmount{Total: r.Total, Refund: r.Amount, PayerTotal: r.PayerTotal, PayerRefund: r.PayerRefund},
	}
	if r.Status == Success {
		n.SuccessTime = stamp(r.DoneAt)
	}
	return n
}

// nextOne stands in Notice.Behind until the next notification has its ID.
const nextOne = "next"

// announce puts a notification on its way.
func (p *Platform) announce(c *change, n Notice, plain any) {
	n.Plain, _ = json.Marshal(plain) // our own structs
	n.ID, n.State, n.Created, n.Due = c.secret("EV-"), Waiting, c.now, c.now
	if len(p.mail) > 0 {
		n.Mail, p.mail = p.mail[0], p.mail[1:]
	}
	switch n.Mail.Fault {
	case MailLost:
		n.State = NeverSent
	case MailLate:
		n.Due = n.Due.Add(n.Mail.Delay)
	case MailBehindNext:
		n.Behind = nextOne
	default:
	}
	for i := range c.Notices { // of this very change
		if c.Notices[i].Behind == nextOne {
			c.Notices[i].Behind = n.ID
		}
	}
	for _, id := range p.state.waiting {
		if first := p.state.notices[id]; first.Behind == nextOne {
			held := *first
			held.Behind = n.ID
			c.Notices = append(c.Notices, held)
		}
	}
	c.Notices = append(c.Notices, n)
}

// due returns the notifications to deliver now, oldest first, and when
// something is due after them.
func (p *Platform) due() (ids []string, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, id := range p.state.waiting {
		n := p.state.notices[id]
		behind := p.state.notices[n.Behind]
		switch {
		case n.Behind != "" && (behind == nil || behind.Attempts == 0 && behind.State == Waiting):
		case now.Before(n.Due):
			sooner(n.Due)
		default:
			ids = append(ids, id)
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int { return p.state.notices[a].Due.Compare(p.state.notices[b].Due) })
	for _, no := range p.state.processing {
		if r := p.state.refunds[no]; r.Outcome != Processing {
			sooner(r.DueAt)
		}
	}
	for _, no := range p.state.open {
		sooner(p.state.trades[no].Created.Add(tradeLife))
	}
	return ids, next
}

// deliver makes one attempt and writes down what came of it. The merchant may
// call the platform meanwhile.
func (p *Platform) deliver(ctx context.Context, id string) error {
	p.mu.Lock()
	n := *p.state.notices[id]
	p.mu.Unlock()
	fault, copies := n.Mail.Fault, 1
	switch {
	case fault == MailRepeated && n.Rung == 0:
		copies = max(2, n.Mail.Times)
	case n.Rung >= max(1, n.Mail.Times):
		fault = MailAsIs
	}
	began := p.config.Wall()
	statuses := make([]int, copies)
	failures := make([]error, copies)
	var all sync.WaitGroup
	for i := range copies {
		all.Go(func() { statuses[i], failures[i] = p.post(ctx, n, fault) })
	}
	all.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err // we hung up, not the merchant
	}
	n.Status = statuses[copies-1]
	taken := slices.ContainsFunc(statuses, func(s int) bool { return s == http.StatusOK || s == http.StatusNoContent })
	subject := n.OutTradeNo
	if n.OutRefundNo != "" {
		subject = n.OutRefundNo
	}
	p.config.Log(Exchange{
		At: began, Call: Notify, Subject: subject, Status: n.Status, Code: n.Event, Fault: string(fault), Took: p.config.Wall().Sub(began),
	})
	return p.do(func(c *change) error {
		now := *p.state.notices[id] // it may have been posted again meanwhile
		now.Attempts += copies
		now.Status = n.Status
		now.Rung++
		ladder := Ladder()
		switch {
		case taken:
			now.State = Delivered
		case now.Rung > len(ladder):
			now.State = GivenUp
		default:
			now.Due = c.now.Add(ladder[now.Rung-1])
		}
		c.Notices = append(c.Notices, now)
		return nil
	})
}

// post sends a notification once and returns the status of the answer, 0 for
// none. An error is the platform's own.
func (p *Platform) post(ctx context.Context, n Notice, fault MailFault) (int, error) {
	body, err := p.wrap(n, fault)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, n.URL, bytes.NewReader(body))
	if err != nil {
		return 0, platformError(hospital.Internal, "bad_notify_url", "an address that was accepted cannot be asked")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "*/*")
	request.Header.Set("User-Agent", "Mozilla/4.0")
	if err := p.sign(request.Header, body, "", fault.signature()); err != nil {
		return 0, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return 0, nil //nolint:nilerr // a merchant that cannot be reached is the ladder's matter
	}
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxReply))
	if closed := response.Body.Close(); err != nil || closed != nil {
		return 0, nil //nolint:nilerr // as above: no whole answer is no answer
	}
	return response.StatusCode, nil
}

// wrap seals a notification, spoilt as the fault says.
func (p *Platform) wrap(n Notice, fault MailFault) ([]byte, error) {
	kind, summary := "transaction", "支付成功"
	if n.OutRefundNo != "" {
		kind = "refund"
		summary = map[string]string{"REFUND.SUCCESS": "退款成功", "REFUND.ABNORMAL": "退款异常", "REFUND.CLOSED": "退款关闭"}[n.Event]
	}
	plain, err := fault.distort(n.Plain)
	if err != nil {
		return nil, err
	}
	sealed := &resource{OriginalType: kind, Sealed: p.cipher.Seal(kind, plain)}
	switch fault {
	case MailNoResource:
		sealed = nil
	case MailShortNonce:
		sealed.Nonce = sealed.Nonce[:11]
	default:
	}
	body, err := json.Marshal(envelope{
		ID: n.ID, CreateTime: stamp(n.Created), ResourceType: "encrypt-resource", Event: n.Event, Summary: summary, Resource: sealed,
	})
	if err != nil {
		return nil, platformError(hospital.Internal, "bad_notice", err.Error())
	}
	return body, nil
}

// Post delivers a notification again, whatever became of it: a replay, or
// staff that asks for it. It is due at once. NotFound: no such notification.
func (p *Platform) Post(id string) error {
	return p.do(func(c *change) error {
		n := p.state.notices[id]
		if n == nil {
			return platformError(hospital.NotFound, "no_notice", "no such notification")
		}
		again := *n
		again.State, again.Due, again.Behind, again.Mail, again.Rung = Waiting, c.now, "", Mail{}, 0
		c.Notices = append(c.Notices, again)
		return nil
	})
}
