package payment_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

// hookStore lets a test act right before a Save of one replica.
type hookStore struct {
	*paymenttest.Memory

	before func(n int)
	n      int
}

func (h *hookStore) Save(ctx context.Context, c payment.Change) error {
	h.n++
	if h.before != nil {
		h.before(h.n)
	}
	return h.Memory.Save(ctx, c)
}

func TestARefusalAfterSomebodyElseCalledIsWithdrawnFirst(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	type call struct {
		d      hospital.Delivery
		answer chan error
	}
	calls := make(chan call, 4)
	deliverer := deliverFunc(func(d hospital.Delivery) error {
		c := call{d, make(chan error)}
		calls <- c
		return <-c.answer
	})
	cfg := o.config
	cfg.Deliverers = map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: deliverer}
	hook := &hookStore{Memory: o.store}
	cfgA := cfg
	cfgA.Store = hook
	a, err := payment.New(cfgA)
	require.NoError(t, err)
	b, err := payment.New(cfg)
	require.NoError(t, err)

	key := o.opened()
	no := o.sheet(key)
	o.till.Mail(paymenttest.MailLost)
	require.NoError(t, o.till.Pay(no))
	o.clock.Pass(6 * time.Second) // the query is due

	var first call
	bDone := make(chan error, 1)
	hook.before = func(n int) {
		if n == 2 { // n=1: A learnt "paid" and handed the order back; n=2: A decides to deliver
			go func() { _, err := b.Advance(t.Context()); bDone <- err }()
			first = <-calls // B committed the intent and calls, Again=false
		}
	}
	_, err = a.Advance(t.Context())
	require.NoError(t, err)
	require.False(t, first.d.Again)

	o.clock.Pass(2 * time.Second) // far below B's lease of one minute, B's call still under way
	aDone := make(chan error, 1)
	go func() { _, err := a.Advance(t.Context()); aDone <- err }()
	select {
	case <-calls:
		require.Fail(t, "a second delivery beside the first, whose lease was not A's to hand back")
	case err := <-aDone:
		require.NoError(t, err)
	}
	o.clock.Pass(time.Minute) // B's lease ends, B's call does not
	go func() { _, err := a.Advance(t.Context()); aDone <- err }()
	second := <-calls
	require.True(t, second.d.Again)
	// The HIS serves the second call; its answer is lost. The first call is then refused as a repetition.
	second.answer <- hisError(hospital.Indeterminate)
	require.NoError(t, <-aDone)
	first.answer <- hisError(hospital.Conflict)
	require.NoError(t, <-bDone)
	require.Zero(t, o.till.Returned(no), "delivered AND refunded")
}

type deliverFunc func(hospital.Delivery) error

func (f deliverFunc) Deliver(_ context.Context, d hospital.Delivery) error { return f(d) }
func (f deliverFunc) Withdraw(context.Context, hospital.Key) error {
	return hisError(hospital.Conflict)
}

func TestAPaymentThatSomebodyElseRefundedIsNotDelivered(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	key := o.opened()
	no := o.sheet(key)
	o.till.Mail(paymenttest.MailLost, paymenttest.MailLost)
	require.NoError(t, o.till.Pay(no))
	_, err := o.till.Refund(t.Context(), payment.Refund{No: "console-refund-1", TradeNo: no, Amount: 1250, Total: 1250})
	require.NoError(t, err)
	o.later(time.Minute)
	delivered, _ := o.his.state(key)
	require.Zero(t, delivered)
	require.NotEqual(t, payment.Delivered, o.order(key).State)
	require.NotEmpty(t, o.cases(), "a person must look")
}

func TestAWrongAnswerAboutAPaidAttemptIsNotAskedForEver(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	key := o.opened()
	no := o.sheet(key)
	gate, reached := make(chan struct{}), make(chan struct{})
	o.till.Fail(paymenttest.CallQuery, paymenttest.Fault{Kind: paymenttest.WrongAmount, Gate: gate, Reached: reached})
	o.clock.Pass(6 * time.Second)
	done := make(chan error)
	go func() { _, err := o.Advance(t.Context()); done <- err }()
	<-reached
	require.NoError(t, o.till.Pay(no)) // the notice books it while the query is under way
	close(gate)
	require.NoError(t, <-done)
	o.advance()
	require.Equal(t, payment.Delivered, o.order(key).State)
	o.clock.Pass(11 * time.Minute)
	before := o.till.Calls(paymenttest.CallQuery)
	_, err := o.Advance(t.Context())
	require.NoError(t, err)
	made := o.till.Calls(paymenttest.CallQuery) - before
	require.Less(t, made, 3)
}

func TestARefundThatIsRefusedIsTriedLessAndLess(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	key, _ := o.paid()
	o.advance()
	for range 200 {
		o.till.Fail(paymenttest.CallRefund, paymenttest.Fault{Kind: paymenttest.Refuse, Code: "NOT_ENOUGH"})
	}
	require.NoError(t, o.Refund(t.Context(), key, "cancelled"))
	o.later(24 * time.Hour)
	require.Less(t, o.till.Calls(paymenttest.CallRefund), 60, "an empty merchant account is not hammered")
	require.NotEmpty(t, o.cases())
}
