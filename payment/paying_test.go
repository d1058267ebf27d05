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

func TestPaying(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*testing.T, *office){
		"what is paid is delivered": func(t *testing.T, o *office) {
			key, no := o.paid()
			o.state(key, payment.Paid)
			o.advance()
			o.state(key, payment.Delivered)
			n, calls := o.his.state(key)
			require.Equal(t, 1, n)
			require.Len(t, calls, 1)
			require.False(t, calls[0].Again)
			require.Equal(t, o.order(key).Receipt(), calls[0].Receipt)
			require.Equal(t, "till-"+string(no), calls[0].TradeNo)
			require.Equal(t, hospital.Fen(-1250), o.balance(payment.Revenue(hospital.ForBill)))
			require.Equal(t, hospital.Fen(1250), o.balance(payment.Receivable("till")))
			require.Equal(t, 1, o.events("order.paid"))
			require.Equal(t, 1, o.events("order.delivered"))
		},
		"a second tap shows the same trade": func(t *testing.T, o *office) {
			key := o.opened()
			first, again := o.sheet(key), o.sheet(key)
			require.Equal(t, first, again)
			require.Len(t, o.order(key).Attempts, 1)
		},
		"a lost prepay answer is repeated under the same number": func(t *testing.T, o *office) {
			key := o.opened()
			o.till.Fail(paymenttest.CallPrepay, lose(paymenttest.LoseAnswer, paymenttest.LoseRequest, paymenttest.Dead)...)
			for range 3 {
				_, err := o.Pay(o.ctx, o.request(key))
				require.Contains(t, []hospital.Kind{hospital.Indeterminate, hospital.Unavailable}, hospital.KindOf(err))
			}
			o.sheet(key)
			require.Len(t, o.till.Trades(), 1)
			require.Len(t, o.order(key).Attempts, 1)
		},
		"a lost notice is made good by a query": func(_ *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLost)
			key, _ := o.paid()
			o.state(key, payment.Payable)
			o.later(5 * time.Second)
			o.state(key, payment.Delivered)
		},
		"a notice that comes twice is booked once": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailTwice)
			key, _ := o.paid()
			o.later(time.Minute)
			o.state(key, payment.Delivered)
			postings, err := o.Ledger(o.ctx, o.order(key).ID)
			require.NoError(t, err)
			require.Len(t, postings, 2)
		},
		"a notice that comes a day late changes nothing": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLate)
			key, _ := o.paid()
			o.later(25 * time.Hour)
			o.till.Post()
			o.later(time.Hour)
			o.state(key, payment.Delivered)
			require.Equal(t, 1, o.events("order.paid"))
		},
		"a notice before the prepay answer is stored finds its order": func(_ *testing.T, o *office) {
			key := o.opened()
			o.till.Fail(paymenttest.CallPrepay, lose(paymenttest.LoseAnswer)...)
			_, err := o.Pay(o.ctx, o.request(key))
			require.Error(o.t, err)
			require.NoError(o.t, o.till.Pay(o.order(key).Attempts[0].TradeNo))
			o.later(time.Minute)
			o.state(key, payment.Delivered)
		},
		"a paid order shows no second sheet": func(t *testing.T, o *office) {
			key, _ := o.paid()
			_, err := o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrPaid)
			require.NotEmpty(t, hospital.MessageFor(err))
		},
		"a payment the channel knows of but we do not is taken at the next tap": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLost)
			key, _ := o.paid()
			_, err := o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrPaid)
			o.advance()
			o.state(key, payment.Delivered)
		},
		"an attempt that the channel refuses is closed and the next one works": func(t *testing.T, o *office) {
			key := o.opened()
			o.till.Fail(paymenttest.CallPrepay, paymenttest.Fault{Kind: paymenttest.Refuse, Code: "INVALID_REQUEST"})
			_, err := o.Pay(o.ctx, o.request(key))
			require.Equal(t, "INVALID_REQUEST", hospital.CodeOf(err))
			_, err = o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrNotKnown, "the first may still be on its way")
			o.later(2 * time.Minute)
			require.Equal(t, payment.TradeNo(o.order(key).ID+"-2"), o.sheet(key))
		},
		"another channel closes the first attempt before it begins": func(t *testing.T, o *office) {
			key := o.opened()
			first := o.sheet(key)
			req := o.request(key)
			req.Channel = "second"
			s, err := o.Pay(o.ctx, req)
			require.NoError(t, err)
			require.NotEqual(t, first, s.TradeNo)
			require.Error(t, o.till.Pay(first), "the first takes no money")
			require.NoError(t, o.second.Pay(s.TradeNo))
			o.advance()
			o.state(key, payment.Delivered)
			require.Equal(t, hospital.Fen(1250), o.balance(payment.Receivable("second")))
		},
		"another channel waits while the first does not answer": func(t *testing.T, o *office) {
			key := o.opened()
			o.sheet(key)
			o.till.Fail(paymenttest.CallQuery, lose(paymenttest.Dead)...)
			req := o.request(key)
			req.Channel = "second"
			_, err := o.Pay(o.ctx, req)
			require.ErrorIs(t, err, payment.ErrNotKnown)
			require.Empty(t, o.second.Trades())
		},
		"nobody pays after the time to pay is over": func(t *testing.T, o *office) {
			key := o.opened()
			o.clock.Pass(2 * time.Hour)
			_, err := o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrExpired)
			o.advance()
			o.state(key, payment.Closed)
		},
		"too many attempts are refused": func(t *testing.T, o *office) {
			o.config.MaxAttempts = 1
			o.reopen()
			key := o.opened()
			o.sheet(key)
			req := o.request(key)
			req.Channel = "second"
			_, err := o.Pay(o.ctx, req)
			require.ErrorIs(t, err, payment.ErrTooMany)
		},
		"a sheet made while the order was closed is not shown": func(t *testing.T, o *office) {
			key := o.opened()
			gate := make(chan struct{})
			reached := make(chan struct{})
			o.till.Fail(paymenttest.CallPrepay, paymenttest.Fault{Gate: gate, Reached: reached})
			done := make(chan error, 1)
			go func() {
				_, err := o.Pay(o.ctx, o.request(key))
				done <- err
			}()
			<-reached
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown, "a request is on its way")
			o.later(2 * time.Minute)
			o.state(key, payment.Closed)
			close(gate)
			require.ErrorIs(t, <-done, payment.ErrClosed)
			o.advance()
			require.Error(t, o.till.Pay(payment.TradeNo(o.order(key).ID+"-1")), "the trade that came to life is closed again")
			o.state(key, payment.Closed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, newOffice(t))
		})
	}
}
