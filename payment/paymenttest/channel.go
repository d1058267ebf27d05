//nolint:thelper // the checks are the tests themselves: a failure must name the line in them
package paymenttest

import (
	"testing"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

// Subject is a channel under test and the hands on its far side.
type Subject struct {
	Channel payment.Channel
	Name    string                      // the channel's name, as attempts carry it
	Payer   payment.Payer               // somebody who may pay
	Pay     func(payment.TradeNo) error // the payer pays
	Expires time.Time                   // a time to pay that the far side accepts
}

// ConformChannel checks that a channel keeps what payment.Channel promises,
// against a far side that works.
func ConformChannel(t *testing.T, subject func(*testing.T) Subject) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, Subject){
		"an attempt is prepaid again with the same content": channelPrepaysAgain,
		"an attempt with other content is refused":          channelRefusesOther,
		"a trade nobody made is not found":                  channelNotFound,
		"a trade is paid and told with amount and currency": channelTellsPaid,
		"a closed trade takes no money":                     channelCloses,
		"a paid trade cannot be closed":                     channelKeepsPaid,
		"a refund number refunds once":                      channelRefundsOnce,
		"no more goes back than came in":                    channelRefundsNoMore,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, subject(t))
		})
	}
}

func (s Subject) attempt() payment.Attempt {
	a := payment.Attempt{
		TradeNo: payment.TradeNo(hospital.NewID("o", epoch()) + "-1"), Channel: s.Name, Payer: s.Payer, Amount: 1250,
		Description: "挂号费", Expires: s.Expires, State: payment.AttemptOpen,
	}
	if composer, ok := s.Channel.(payment.Composer); ok {
		a.Request, _ = composer.Compose(a) // a request that is missing is refused by Prepay
	}
	return a
}

func (s Subject) prepaid(t *testing.T) payment.Attempt {
	t.Helper()
	a := s.attempt()
	sheet, err := s.Channel.Prepay(t.Context(), a)
	want(t, "the sheet's number", must(t, sheet, err).TradeNo, a.TradeNo)
	return a
}

func (s Subject) paid(t *testing.T) (payment.Attempt, payment.Trade) {
	t.Helper()
	a := s.prepaid(t)
	if err := s.Pay(a.TradeNo); err != nil {
		t.Fatalf("pay: %v", err)
	}
	trade, err := s.Channel.Query(t.Context(), a.TradeNo)
	return a, must(t, trade, err)
}

func refundOf(a payment.Attempt, trade payment.Trade, n string) payment.Refund {
	return payment.Refund{
		No: payment.RefundNo(string(a.TradeNo) + n), TradeNo: a.TradeNo, TransactionID: trade.TransactionID, Channel: a.Channel,
		Amount: a.Amount, Total: a.Amount, Cause: "cancelled", State: payment.RefundIsSent,
	}
}

func wantKind(t *testing.T, err error, kinds ...hospital.Kind) {
	t.Helper()
	for _, kind := range kinds {
		if err != nil && hospital.KindOf(err) == kind {
			return
		}
	}
	t.Fatalf("got %v, want one of %v", err, kinds)
}

func channelPrepaysAgain(t *testing.T, s Subject) {
	a := s.prepaid(t)
	sheet, err := s.Channel.Prepay(t.Context(), a)
	want(t, "number", must(t, sheet, err).TradeNo, a.TradeNo)
	trade, err := s.Channel.Query(t.Context(), a.TradeNo)
	want(t, "state", must(t, trade, err).State, payment.TradeNotPaid)
}

func channelRefusesOther(t *testing.T, s Subject) {
	a := s.prepaid(t)
	a.Amount++
	if composer, ok := s.Channel.(payment.Composer); ok {
		a.Request, _ = composer.Compose(a) // as above
	}
	_, err := s.Channel.Prepay(t.Context(), a)
	wantKind(t, err, hospital.Rejected, hospital.Conflict, hospital.Invalid)
}

func channelNotFound(t *testing.T, s Subject) {
	no := s.attempt().TradeNo
	_, err := s.Channel.Query(t.Context(), no)
	wantKind(t, err, hospital.NotFound)
	wantKind(t, s.Channel.Close(t.Context(), no), hospital.NotFound)
	_, err = s.Channel.QueryRefund(t.Context(), payment.RefundNo(no+"-r1"))
	wantKind(t, err, hospital.NotFound)
}

func channelTellsPaid(t *testing.T, s Subject) {
	a, trade := s.paid(t)
	want(t, "number", trade.TradeNo, a.TradeNo)
	want(t, "state", trade.State, payment.TradePaid)
	want(t, "amount", trade.Amount, a.Amount)
	want(t, "currency", trade.Currency, payment.Currency)
	want(t, "the channel's number is told", trade.TransactionID != "", true)
	want(t, "the time is told", trade.PaidAt.IsZero(), false)
	_, err := s.Channel.Prepay(t.Context(), a)
	wantKind(t, err, hospital.Conflict)
}

func channelCloses(t *testing.T, s Subject) {
	a := s.prepaid(t)
	for range 2 {
		if err := s.Channel.Close(t.Context(), a.TradeNo); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	if s.Pay(a.TradeNo) == nil {
		t.Fatal("a closed trade was paid")
	}
	trade, err := s.Channel.Query(t.Context(), a.TradeNo)
	want(t, "state", must(t, trade, err).State, payment.TradeClosed)
	_, err = s.Channel.Prepay(t.Context(), a)
	wantKind(t, err, hospital.Conflict)
}

func channelKeepsPaid(t *testing.T, s Subject) {
	a, _ := s.paid(t)
	wantKind(t, s.Channel.Close(t.Context(), a.TradeNo), hospital.Conflict)
	trade, err := s.Channel.Query(t.Context(), a.TradeNo)
	want(t, "state", must(t, trade, err).State, payment.TradePaid)
}

func channelRefundsOnce(t *testing.T, s Subject) {
	a, trade := s.paid(t)
	r := refundOf(a, trade, "-r1")
	for range 2 {
		status, err := s.Channel.Refund(t.Context(), r)
		must(t, status, err)
		want(t, "number", status.No, r.No)
		want(t, "trade", status.TradeNo, a.TradeNo)
		want(t, "amount", status.Amount, a.Amount)
		want(t, "currency", status.Currency, payment.Currency)
	}
	status, err := s.Channel.QueryRefund(t.Context(), r.No)
	want(t, "amount", must(t, status, err).Amount, a.Amount)
	trade, err = s.Channel.Query(t.Context(), a.TradeNo)
	want(t, "state", must(t, trade, err).State, payment.TradeRefunded)
}

func channelRefundsNoMore(t *testing.T, s Subject) {
	a, trade := s.paid(t)
	status, err := s.Channel.Refund(t.Context(), refundOf(a, trade, "-r1"))
	must(t, status, err)
	_, err = s.Channel.Refund(t.Context(), refundOf(a, trade, "-r2"))
	wantKind(t, err, hospital.Rejected, hospital.Conflict, hospital.Invalid)
	unpaid := s.prepaid(t)
	_, err = s.Channel.Refund(t.Context(), refundOf(unpaid, payment.Trade{}, "-r1"))
	wantKind(t, err, hospital.Rejected, hospital.Conflict, hospital.Invalid, hospital.NotFound)
}
