package wechatpaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// Call names what crosses the wire.
type Call string

// The calls of the merchant, and Notify for what goes the other way.
const (
	Any          Call = "any" // every call that has no switch of its own
	Certificates Call = "certificates"
	PrepayCall   Call = "prepay"
	Query        Call = "query" // by either number
	CloseCall    Call = "close"
	RefundCall   Call = "refund"
	QueryRefund  Call = "query_refund"
	Notify       Call = "notify"
)

// Fault is what goes wrong with a call.
type Fault string

// The faults of the wire and of WeChat Pay.
const (
	None          Fault = ""
	Dead          Fault = "dead"           // the connection is closed at once
	RequestLost   Fault = "request_lost"   // the request is read and nothing happens, nor is it answered
	AnswerLost    Fault = "answer_lost"    // it happens, then the connection is cut
	Truncated     Fault = "truncated"      // it happens, and half of the answer comes
	ErrorBefore   Fault = "error_before"   // 500 SYSTEM_ERROR, and nothing happens
	ErrorAfter    Fault = "error_after"    // it happens, and 500 SYSTEM_ERROR comes
	BadGateway    Fault = "bad_gateway"    // it happens, and a 502 with a page comes
	TooMany       Fault = "too_many"       // 429 FREQUENCY_LIMITED, and nothing happens
	TooManyAfter  Fault = "too_many_after" // it happens, and 429 comes: of a refund that is no proof either
	Slow          Fault = "slow"           // it happens, and the answer waits
	PaidFirst     Fault = "paid_first"     // of a close: the payer pays just before it
	OneFenMore    Fault = "one_fen_more"   // the answer to a query tells another sum
	OtherTrade    Fault = "other_trade"    // the answer to a query is about another number
	Probe         Fault = "probe"          // signed with WECHATPAY/SIGNTEST/, as WeChat Pay does on purpose
	WrongTime     Fault = "wrong_time"     // signed ten minutes ago
	UnknownSerial Fault = "unknown_serial" // signed with a key that nobody has
	Forged        Fault = "forged"         // signed with a key that is not WeChat Pay's
	Unsigned      Fault = "unsigned"       // without the headers of a signature
)

// Switch is one fault as it is set.
type Switch struct {
	Fault Fault
	Times int             // how many calls it meets; 0 until cleared
	Delay time.Duration   // of Slow: how long the answer waits, by the wall
	Until <-chan struct{} // of Slow, in place of Delay: the answer waits until it is closed
	// Reached, of Slow with Times 1, is closed when it has happened and the answer waits.
	Reached chan<- struct{}
}

// Fail puts a switch behind those that the call has; the first acts until its
// times are used up. A restart forgets switches. Invalid: an unknown call or
// fault.
func (p *Platform) Fail(call Call, s Switch) error {
	calls := []Call{Any, Certificates, PrepayCall, Query, CloseCall, RefundCall, QueryRefund}
	faults := []Fault{
		Dead, RequestLost, AnswerLost, Truncated, ErrorBefore, ErrorAfter, BadGateway, TooMany, TooManyAfter, Slow, PaidFirst, OneFenMore,
		OtherTrade, Probe, WrongTime, UnknownSerial, Forged, Unsigned,
	}
	if !slices.Contains(calls, call) || !slices.Contains(faults, s.Fault) || s.Times < 0 || s.Reached != nil && s.Times != 1 {
		return platformError(hospital.Invalid, "bad_switch", "no such call or fault")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[call] = append(p.faults[call], s)
	return nil
}

// Heal takes the switches away, and what [Platform.Mail] and
// [Platform.NextRefunds] hold for later.
func (p *Platform) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.faults)
	p.mail, p.outcomes = nil, nil
}

// take returns what acts on this call, and counts it.
func (p *Platform) take(call Call) Switch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.faults[call]) == 0 {
		call = Any
	}
	list := p.faults[call]
	if len(list) == 0 {
		return Switch{}
	}
	acting := list[0]
	switch acting.Times {
	case 0:
	case 1:
		p.faults[call] = list[1:]
	default:
		list[0].Times--
	}
	return acting
}

// wait holds a slow answer back, at most until the caller is gone.
func (s Switch) wait(ctx context.Context) {
	if s.Reached != nil {
		close(s.Reached)
	}
	until := s.Until
	if until == nil {
		timer := time.NewTimer(s.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return
	}
	select {
	case <-until:
	case <-ctx.Done():
	}
}

// distort changes what an answer to a query tells.
func (f Fault) distort(content any) any {
	told, ok := content.(*transaction)
	refunded, is := content.(*refundAnswer)
	switch {
	case ok && f == OneFenMore:
		told.Amount.Total++
	case ok && f == OtherTrade:
		told.OutTradeNo += "x"
	case is && f == OneFenMore:
		refunded.Amount.Refund++
	case is && f == OtherTrade:
		refunded.OutRefundNo += "x"
	}
	return content
}

// MailFault is what befalls a notification.
type MailFault string

// What may befall a notification. From MailProbe on it befalls the first
// deliveries (Mail.Times, at least one); the ladder then brings a good one.
const (
	MailAsIs          MailFault = ""
	MailLost          MailFault = "lost"        // is never sent
	MailLate          MailFault = "late"        // is first sent after Mail.Delay
	MailRepeated      MailFault = "repeated"    // comes Mail.Times times at once, at least twice
	MailBehindNext    MailFault = "behind_next" // is first sent after the next notification
	MailProbe         MailFault = "probe"       // see Probe, as for the next three
	MailWrongTime     MailFault = "wrong_time"
	MailUnknownSerial MailFault = "unknown_serial"
	MailForged        MailFault = "forged"
	MailOneFenMore    MailFault = "one_fen_more"   // well signed, with another sum
	MailOtherMerchant MailFault = "other_merchant" // well signed, for another mchid
	MailOtherApp      MailFault = "other_app"      // well signed, for another appid
	MailNoResource    MailFault = "no_resource"    // well signed, and nothing is in it
	MailShortNonce    MailFault = "short_nonce"    // well signed, and cannot be opened
)

// Mail is one such fault as it is set.
type Mail struct {
	Fault MailFault     `json:",omitempty"`
	Times int           `json:",omitempty"`
	Delay time.Duration `json:",omitempty"` // by business time
}

// Mail says what befalls the notifications that come next, in this order;
// later ones fare well. Invalid: an unknown fault.
func (p *Platform) Mail(mail ...Mail) error {
	known := []MailFault{
		MailAsIs, MailLost, MailLate, MailRepeated, MailBehindNext, MailProbe, MailWrongTime, MailUnknownSerial, MailForged,
		MailOneFenMore, MailOtherMerchant, MailOtherApp, MailNoResource, MailShortNonce,
	}
	for _, m := range mail {
		if !slices.Contains(known, m.Fault) || m.Times < 0 || m.Times > maxRepeated || m.Delay < 0 {
			return platformError(hospital.Invalid, "bad_mail", "no such fault, or Times above 50")
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mail = append(p.mail, mail...)
	return nil
}

// maxRepeated bounds the copies that are sent at once.
const maxRepeated = 50

// signature is the fault of the signature, None where it is good.
func (f MailFault) signature() Fault {
	switch f {
	case MailProbe, MailWrongTime, MailUnknownSerial, MailForged:
		return Fault(f)
	default:
		return None
	}
}

// distort changes the plaintext.
func (f MailFault) distort(plain json.RawMessage) ([]byte, error) {
	var all map[string]any
	decoder := json.NewDecoder(bytes.NewReader(plain))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		return nil, platformError(hospital.Internal, "bad_notice", err.Error())
	}
	switch f {
	case MailOneFenMore:
		amount, _ := all["amount"].(map[string]any)
		for _, name := range []string{"total", "refund"} {
			if sum, ok := amount[name].(json.Number); ok {
				fen, err := sum.Int64()
				if err != nil {
					return nil, platformError(hospital.Internal, "bad_notice", err.Error())
				}
				amount[name] = fen + 1
			}
		}
	case MailOtherMerchant:
		all["mchid"] = "1900000001"
	case MailOtherApp:
		all["appid"] = "wx0000000000000000"
	default:
		return plain, nil
	}
	return json.Marshal(all)
}
