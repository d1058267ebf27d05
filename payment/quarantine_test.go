//nolint:thelper // the stories are the tests themselves: a failure must name the line in them
package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

func TestQuarantine(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*testing.T, *office){
		"a notice of another amount moves nothing and makes us ask": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailForged)
			key, _ := o.paid()
			o.state(key, payment.Payable)
			require.Equal(t, []payment.CaseReason{payment.CaseAmountMismatch}, o.cases())
			postings, err := o.Ledger(o.ctx, o.order(key).ID)
			require.NoError(t, err)
			require.Empty(t, postings)
			o.advance()
			o.state(key, payment.Delivered)
			require.Len(t, o.cases(), 1, "a person still looks at it")
			cases, err := o.Manual(o.ctx)
			require.NoError(t, err)
			require.NoError(t, o.Resolve(o.ctx, payment.Resolution{
				Case: cases[0].ID, Outcome: payment.NothingToMove, Reason: "查询结果正确", Actor: staff(),
			}))
			require.Empty(t, o.cases())
		},
		"a query of another amount stops the order for a person": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLost)
			key, _ := o.paid()
			o.till.Fail(paymenttest.CallQuery, lose(paymenttest.WrongAmount)...)
			o.later(5 * time.Second)
			o.state(key, payment.Manual)
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown)
			_, err := o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrNotKnown)
			o.later(time.Hour)
			o.state(key, payment.Delivered)
		},
		"an order stopped by a wrong amount is closed by staff": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLost)
			key, _ := o.paid()
			o.till.Fail(paymenttest.CallQuery, lose(paymenttest.WrongAmount)...)
			o.later(5 * time.Second)
			cases, err := o.Manual(o.ctx)
			require.NoError(t, err)
			require.NoError(t, o.Resolve(o.ctx, payment.Resolution{
				Case: cases[0].ID, Outcome: payment.CloseUnpaid, Reason: "已在商户平台退款", Actor: staff(),
			}))
			o.state(key, payment.Closed)
			require.NoError(t, o.Close(o.ctx, key))
		},
		"an order closed by staff is closed at every channel": func(t *testing.T, o *office) {
			key := o.opened()
			gate, reached, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			o.till.Fail(paymenttest.CallPrepay, paymenttest.Fault{Gate: gate, Reached: reached})
			go func() {
				_, err := o.Pay(o.ctx, o.request(key))
				done <- err
			}()
			<-reached
			req := o.request(key)
			req.Channel = "second"
			_, err := o.Pay(o.ctx, req)
			require.ErrorIs(t, err, payment.ErrNotKnown)
			o.later(2 * time.Minute)
			s, err := o.Pay(o.ctx, req)
			require.NoError(t, err)
			close(gate) // the first comes to life at the till, is paid, and the answer about it is wrong
			require.ErrorIs(t, <-done, payment.ErrClosed)
			o.till.Mail(paymenttest.MailLost)
			require.NoError(t, o.till.Pay(o.order(key).Attempts[0].TradeNo))
			o.till.Fail(paymenttest.CallQuery, lose(paymenttest.WrongAmount)...)
			o.advance()
			o.state(key, payment.Manual)
			require.NoError(t, o.resolve(payment.CaseAmountMismatch, payment.CloseUnpaid))
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown, "the second sheet still works")
			o.later(time.Minute)
			require.NoError(t, o.Close(o.ctx, key))
			require.Error(t, o.second.Pay(s.TradeNo))
		},
		"a payment that is none of ours is shown, never refunded": func(t *testing.T, o *office) {
			require.NoError(t, o.Notify(o.ctx, payment.Notice{Channel: "till", ID: "EV-1", Trade: &payment.Trade{
				TradeNo: "window-0001", State: payment.TradePaid, Amount: 5, Currency: payment.Currency, TransactionID: "T",
			}}))
			require.Equal(t, []payment.CaseReason{payment.CaseUnknownTrade}, o.cases())
			cases, err := o.Manual(o.ctx)
			require.NoError(t, err)
			r := payment.Resolution{Case: cases[0].ID, Outcome: payment.GiveBack, Reason: "窗口收费", Actor: staff()}
			require.ErrorIs(t, o.Resolve(o.ctx, r), payment.ErrWrongOutcome)
			r.Outcome = payment.NothingToMove
			require.NoError(t, o.Resolve(o.ctx, r))
			require.Empty(t, o.cases())
		},
		"a notice through another channel moves nothing": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			require.NoError(t, o.Notify(o.ctx, payment.Notice{Channel: "second", ID: "EV-1", Trade: &payment.Trade{
				TradeNo: no, State: payment.TradePaid, Amount: 1250, Currency: payment.Currency, TransactionID: "T",
			}}))
			o.state(key, payment.Payable)
			require.Len(t, o.cases(), 1)
		},
		"a refund notice of another amount moves nothing": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			o.later(time.Minute)
			o.till.Mail(paymenttest.MailForged)
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r1"), payment.RefundSucceeded))
			o.state(key, payment.Refunding)
			require.Equal(t, []payment.CaseReason{payment.CaseRefundMismatch}, o.cases())
			o.later(time.Hour)
			o.state(key, payment.Refunded)
		},
		"a notice that could not be booked is booked later": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			o.store.FailWith(func(command string) error {
				if command == "Save" {
					return hisError(hospital.Unavailable)
				}
				return nil
			})
			require.NoError(t, o.till.Pay(no))
			o.store.FailWith(nil)
			o.state(key, payment.Payable)
			o.advance()
			o.state(key, payment.Delivered)
		},
		"a notice that could not be stored is not acknowledged": func(t *testing.T, o *office) {
			o.store.FailWith(func(string) error { return hisError(hospital.Unavailable) })
			err := o.Notify(o.ctx, payment.Notice{Channel: "till", ID: "EV-1", Trade: &payment.Trade{TradeNo: "order-1-1", State: payment.TradeNotPaid}})
			require.Equal(t, hospital.Unavailable, hospital.KindOf(err))
		},
		"a notice that says nothing is invalid": func(t *testing.T, o *office) {
			for _, n := range []payment.Notice{
				{Channel: "till", ID: "EV-1"},
				{Channel: "nobody", ID: "EV-1", Trade: &payment.Trade{}},
				{Channel: "till", Trade: &payment.Trade{}},
				{Channel: "till", ID: "EV-1", Trade: &payment.Trade{}, Refund: &payment.RefundStatus{}},
			} {
				require.Equal(t, hospital.Invalid, hospital.KindOf(o.Notify(o.ctx, n)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, newOffice(t))
		})
	}
}
