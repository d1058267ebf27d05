//nolint:thelper // the stories are the tests themselves: a failure must name the line in them
package payment_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

func TestClosing(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*testing.T, *office){
		"an order nobody tried to pay is closed at once": func(t *testing.T, o *office) {
			key := o.opened()
			require.NoError(t, o.Close(o.ctx, key))
			require.NoError(t, o.Close(o.ctx, key), "again")
			_, err := o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrClosed)
			require.Equal(t, 1, o.events("order.closed"))
		},
		"a key closed before it is opened never becomes payable": func(t *testing.T, o *office) {
			c := o.charge()
			require.NoError(t, o.Close(o.ctx, c.Key))
			require.ErrorIs(t, o.Open(o.ctx, c), payment.ErrClosed)
			_, err := o.Pay(o.ctx, o.request(c.Key))
			require.ErrorIs(t, err, payment.ErrClosed)
			require.NoError(t, o.Close(o.ctx, c.Key))
		},
		"an open attempt is closed at the channel first": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			require.NoError(t, o.Close(o.ctx, key))
			o.state(key, payment.Closed)
			require.Error(t, o.till.Pay(no))
		},
		"a lost close answer is asked about": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			o.till.Fail(paymenttest.CallClose, lose(paymenttest.LoseAnswer)...)
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown)
			o.state(key, payment.Closing)
			require.NoError(t, o.Close(o.ctx, key))
			require.Error(t, o.till.Pay(no))
		},
		"the worker goes on where the caller gave up": func(t *testing.T, o *office) {
			key := o.opened()
			o.sheet(key)
			o.till.Fail(paymenttest.CallQuery, lose(paymenttest.Dead, paymenttest.Dead)...)
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown)
			o.later(time.Minute)
			o.state(key, payment.Closed)
		},
		"an attempt that no answer closes becomes a case and is closed in the end": func(t *testing.T, o *office) {
			key := o.opened()
			o.sheet(key)
			o.till.Fail(paymenttest.CallQuery, slices.Repeat(lose(paymenttest.Dead), 18)...)
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown)
			o.later(29 * time.Minute)
			require.Empty(t, o.cases())
			o.later(10 * time.Minute)
			o.state(key, payment.Closing)
			require.Equal(t, []payment.CaseReason{payment.CaseCloseOverdue}, o.cases())
			o.later(3 * time.Hour)
			o.state(key, payment.Closed)
			require.Empty(t, o.cases(), "the answer that came late settled it")
		},
		"a close that others overtake again and again is not taken for a payment": func(t *testing.T, o *office) {
			key := o.opened()
			o.sheet(key)
			moved := 0
			hook := &hookStore{Memory: o.store, before: func(int) {
				moved++
				found := o.order(key)
				found.Tries++
				require.NoError(t, o.store.Save(o.ctx, payment.Change{Order: found}))
			}}
			o.config.Store = hook
			o.reopen()
			err := o.Close(o.ctx, key)
			require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
			require.Greater(t, moved, 9)
		},
		"a payment in the same second as the close wins": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			gate := make(chan struct{})
			o.till.Mail(paymenttest.MailLost)
			reached := make(chan struct{})
			o.till.Fail(paymenttest.CallClose, paymenttest.Fault{Gate: gate, Reached: reached})
			done := make(chan error, 1)
			go func() { done <- o.Close(o.ctx, key) }()
			<-reached // the first query said: not paid
			require.NoError(t, o.till.Pay(no))
			close(gate)
			require.ErrorIs(t, <-done, payment.ErrPaid)
			o.advance()
			o.state(key, payment.Delivered)
		},
		"a payment after the close is refunded once": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			require.NoError(t, o.Close(o.ctx, key))
			o.till.Mail(paymenttest.MailTwice)
			require.NoError(t, o.till.PayAnyway(no))
			o.state(key, payment.RefundDue)
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrPaid)
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			n, _ := o.his.state(key)
			require.Zero(t, n, "never delivered")
			require.Equal(t, 1, o.events("order.refunded"))
		},
		"a purpose is free again after the close": func(t *testing.T, o *office) {
			first := o.charge()
			require.NoError(t, o.Open(o.ctx, first))
			second := o.charge()
			second.Purpose = first.Purpose
			require.ErrorIs(t, o.Open(o.ctx, second), payment.ErrPurposeTaken)
			require.NoError(t, o.Close(o.ctx, first.Key))
			require.NoError(t, o.Open(o.ctx, second))
		},
		"an order past its time is closed, query → close → query": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			o.later(2 * time.Hour)
			o.state(key, payment.Closed)
			require.Equal(t, "expired", o.order(key).Reason)
			require.Error(t, o.till.Pay(no))
		},
		"an order past its time that was paid unseen is delivered": func(_ *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLost)
			key := o.opened()
			no := o.sheet(key)
			o.later(119 * time.Minute)
			require.NoError(o.t, o.till.Pay(no))
			o.later(5 * time.Minute)
			o.state(key, payment.Delivered)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, newOffice(t))
		})
	}
}
