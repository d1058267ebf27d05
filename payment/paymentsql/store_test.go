package paymentsql_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymentsql"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

func TestStoreConforms(t *testing.T) {
	t.Parallel()
	for _, engine := range []sqldb.Engine{sqldb.SQLite, sqldb.PostgreSQL} {
		t.Run(engine.String(), func(t *testing.T) {
			t.Parallel()
			paymenttest.ConformStore(t, func(t *testing.T) payment.Store {
				t.Helper()
				return store(t, sqltest.On(t, engine)())
			})
		})
	}
}

func store(t *testing.T, db *paymentsql.DB) *paymentsql.Store {
	t.Helper()
	s, err := paymentsql.New(t.Context(), db)
	require.NoError(t, err)
	return s
}

// far delivers everything.
type far struct{}

func (far) Deliver(context.Context, hospital.Delivery) error { return nil }

func (far) Withdraw(context.Context, hospital.Key) error { return nil }

func TestAPaymentSurvivesARestart(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open()
		clock := time.Now()
		now := func() time.Time { return clock }
		var cashier *payment.Cashier
		till := paymenttest.NewTill("till", now, func(n payment.Notice) { require.NoError(t, cashier.Notify(t.Context(), n)) })
		open := func(db *paymentsql.DB) {
			c, err := payment.New(payment.Config{
				Store: store(t.T, db), Channels: map[string]payment.Channel{"till": till},
				Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: far{}}, Now: now, Wall: now,
			})
			require.NoError(t, err)
			cashier = c
		}
		open(db)
		charge := hospital.Charge{
			Key: "charge-1", Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: "B1"}, Patient: "P1", Amount: 1250,
			Actor: hospital.Actor{Kind: hospital.ActorUser, ID: "u1", Entry: hospital.EntryWeChat}, Expires: clock.Add(time.Hour),
		}
		require.NoError(t, cashier.Open(t.Context(), charge))
		sheet, err := cashier.Pay(t.Context(), payment.PayRequest{Charge: charge.Key, Channel: "till", Payer: "payer-1", Actor: charge.Actor})
		require.NoError(t, err)
		require.NoError(t, till.Pay(sheet.TradeNo))
		require.NoError(t, db.Close())

		open(t.Open())
		require.NoError(t, cashier.Open(t.Context(), charge), "the same charge")
		_, err = cashier.Advance(t.Context())
		require.NoError(t, err)
		o, err := cashier.Find(t.Context(), charge.Key)
		require.NoError(t, err)
		require.Equal(t, payment.Delivered, o.State)
		require.NoError(t, cashier.Refund(t.Context(), charge.Key, "cancelled"))
		next, err := cashier.Advance(t.Context())
		require.NoError(t, err)
		require.Zero(t, next)
		o, err = cashier.Find(t.Context(), charge.Key)
		require.NoError(t, err)
		require.Equal(t, payment.Refunded, o.State)
		require.Equal(t, hospital.Fen(1250), till.Returned(sheet.TradeNo))
		balances, err := cashier.Balances(t.Context())
		require.NoError(t, err)
		require.Empty(t, balances)
		postings, err := cashier.Ledger(t.Context(), o.ID)
		require.NoError(t, err)
		require.Len(t, postings, 4)
	})
}

// counter counts the deliveries of each charge.
type counter struct {
	mu    sync.Mutex
	calls map[hospital.Key]int
}

func (c *counter) Deliver(_ context.Context, d hospital.Delivery) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[d.Key]++
	return nil
}

func (*counter) Withdraw(context.Context, hospital.Key) error { return nil }

func TestManyCashiersOnOneStoreDeliverEachOnce(t *testing.T) {
	t.Parallel()
	const orders, cashiers = 40, 4
	sqltest.Each(t, func(t *sqltest.T) {
		s := store(t.T, t.Open())
		var doors []*payment.Cashier
		deliveries := &counter{calls: map[hospital.Key]int{}}
		till := paymenttest.NewTill("till", nil, func(n payment.Notice) {
			for _, c := range doors { // every replica hears of every payment
				if err := c.Notify(t.Context(), n); err != nil {
					t.Errorf("notify: %v", err)
				}
			}
		})
		for range cashiers {
			c, err := payment.New(payment.Config{
				Store: s, Channels: map[string]payment.Channel{"till": till},
				Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: deliveries},
			})
			require.NoError(t, err)
			doors = append(doors, c)
		}
		var group sync.WaitGroup
		for n := range orders {
			group.Go(func() {
				key := hospital.Key(fmt.Sprintf("charge-%d", n))
				for _, c := range doors { // and every replica is asked to open and to pay it
					charge := hospital.Charge{
						Key: key, Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: string(key)}, Amount: 1250,
						Expires: time.UnixMilli(4102444800000),
					}
					if err := c.Open(t.Context(), charge); err != nil {
						t.Errorf("open: %v", err)
					}
				}
				sheet, err := doors[n%cashiers].Pay(t.Context(), payment.PayRequest{Charge: key, Channel: "till"})
				if err == nil {
					err = till.Pay(sheet.TradeNo)
				}
				if err != nil {
					t.Errorf("pay: %v", err)
				}
			})
		}
		for _, c := range doors {
			group.Go(func() {
				for range 4 {
					if _, err := c.Advance(t.Context()); err != nil {
						t.Errorf("advance: %v", err)
					}
				}
			})
		}
		group.Wait()
		_, err := doors[0].Advance(t.Context())
		require.NoError(t, err)
		done, err := doors[0].Orders(t.Context(), payment.Filter{State: payment.Delivered})
		require.NoError(t, err)
		require.Equal(t, orders, len(done)) //nolint:testifylint // Len would print them all
		for _, o := range done {
			require.Equal(t, 1, deliveries.calls[o.Charge.Key])
			require.Len(t, o.Attempts, 1)
		}
		balances, err := doors[0].Balances(t.Context())
		require.NoError(t, err)
		require.Equal(t, []payment.Balance{
			{Account: payment.Receivable("till"), Amount: orders * 1250},
			{Account: payment.Revenue(hospital.ForBill), Amount: -orders * 1250},
		}, balances)
	})
}
