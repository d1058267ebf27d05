package payment_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

func TestTwoWorkersDeliverOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var keys []hospital.Key
	for range 9 {
		key, _ := o.paid()
		keys = append(keys, key)
	}
	var group sync.WaitGroup
	for range 4 {
		c, err := payment.New(o.config)
		require.NoError(t, err)
		group.Go(func() {
			_, err := c.Advance(t.Context())
			if err != nil {
				t.Errorf("advance: %v", err)
			}
		})
	}
	group.Wait()
	for _, key := range keys {
		o.state(key, payment.Delivered)
	}
	_, calls := o.his.state("")
	require.Len(t, calls, len(keys))
	for _, c := range calls {
		require.False(t, c.Again)
	}
}

func TestAWorkerThatLostItsLeaseMergesTheFact(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	key, no := o.paid()
	o.his.gate = make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := o.Advance(o.ctx)
		done <- err
	}()
	<-o.his.entered // the first worker is in its call
	lie := payment.Trade{TradeNo: no, State: payment.TradePaid, Amount: 1250, Currency: payment.Currency, TransactionID: "another"}
	require.NoError(t, o.Notify(o.ctx, payment.Notice{Channel: "till", ID: "EV-x", Trade: &lie}), "somebody else moves the order on")
	before := o.order(key).Version
	close(o.his.gate)
	require.NoError(t, <-done)
	o.state(key, payment.Delivered)
	require.Greater(t, o.order(key).Version, before)
	require.Len(t, o.cases(), 1, "what the other learnt is kept")
}

func TestAHostWhoseClockIsAheadDoesNotBelieveTooEarlyThatNothingArrived(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	key := o.opened()
	o.till.Fail(paymenttest.CallPrepay, lose(paymenttest.Late)...)
	_, err := o.Pay(o.ctx, o.request(key))
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	o.config.Wall = func() time.Time { return o.clock.Now().Add(29 * time.Second) }
	o.reopen()
	o.clock.Pass(40 * time.Second) // 69 by the other host's clock
	require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown)
	o.state(key, payment.Closing)
	o.till.Arrive()
	o.later(time.Minute)
	o.state(key, payment.Closed)
	require.Error(t, o.till.Pay(o.order(key).Attempts[0].TradeNo), "closed at the channel, not only here")
}

func TestRunWorksOnHintsAndStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		far := newHIS()
		var c *payment.Cashier
		till := paymenttest.NewTill("till", time.Now, func(n payment.Notice) { require.NoError(t, c.Notify(ctx, n)) })
		c, err := payment.New(payment.Config{
			Store: paymenttest.NewMemory(time.Now), Channels: map[string]payment.Channel{"till": till},
			Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: far},
		})
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		key := hospital.Key("charge-1")
		require.NoError(t, c.Open(ctx, hospital.Charge{
			Key: key, Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: "B1"}, Amount: 1, Expires: time.Now().Add(time.Hour),
		}))
		sheet, err := c.Pay(ctx, payment.PayRequest{Charge: key, Channel: "till"})
		require.NoError(t, err)
		require.NoError(t, till.Pay(sheet.TradeNo))
		synctest.Wait()
		o, err := c.Find(ctx, key)
		require.NoError(t, err)
		require.Equal(t, payment.Delivered, o.State)
		cancel()
		require.NoError(t, <-done)
	})
}
