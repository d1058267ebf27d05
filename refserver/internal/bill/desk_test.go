package bill_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
	"github.com/wxhospital/hospital/refserver/internal/bill"
)

const (
	patient = hospital.PatientID("P000001")
	billID  = his.BillID("ZD000001")
)

// grants lets anybody see anybody: the gate has tests of its own.
type grants struct{ until time.Time }

func (g grants) Granted(context.Context, hospital.Actor, hospital.PatientID) (time.Time, error) {
	return g.until, nil
}
func (grants) Record(context.Context, hospital.AuditEntry) error { return nil }

type world struct {
	clock   *testclock.Clock
	his     *histest.Hospital
	line    *histest.Line
	desk    *bill.Desk
	till    *paymenttest.Till
	cashier *payment.Cashier
	scope   hospital.PatientScope
}

func open(t *testing.T, db *sqldb.DB) *world {
	t.Helper()
	w := &world{clock: testclock.At(time.Date(2026, 11, 23, 9, 0, 0, 0, hospital.CST))}
	var err error
	w.his, err = histest.NewHospital(histest.Config{Now: w.clock.Now})
	require.NoError(t, err)
	w.line = histest.NewLine(w.his.System())
	system := w.line.System()
	w.desk, err = bill.New(t.Context(), bill.Config{
		DB: db, Billing: system.Billing, Settle: system.Assurances.Settle, Now: w.clock.Now, Wall: w.clock.Now,
	})
	require.NoError(t, err)
	w.till = paymenttest.NewTill("wechatpay", w.clock.Now, func(n payment.Notice) { _ = w.cashier.Notify(t.Context(), n) })
	w.cashier, err = payment.New(payment.Config{
		Store: paymenttest.NewMemory(w.clock.Now), Channels: map[string]payment.Channel{"wechatpay": w.till},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: w.desk}, Now: w.clock.Now, Wall: w.clock.Now,
	})
	require.NoError(t, err)
	gate := hospital.NewGate(grants{w.clock.Now().AddDate(1, 0, 0)}, w.clock.Now)
	w.scope, err = gate.Open(t.Context(), hospital.Actor{Kind: hospital.ActorUser, ID: "U1", Entry: hospital.EntryWeChat}, patient)
	require.NoError(t, err)
	return w
}

// pay quotes the bill, opens the order and pays it.
func (w *world) pay(t *testing.T, between func()) hospital.Charge {
	t.Helper()
	charge, err := w.desk.Quote(t.Context(), w.scope, bill.QuoteRequest{Bill: billID})
	require.NoError(t, err)
	require.NoError(t, w.cashier.Open(t.Context(), charge))
	_, err = w.cashier.Pay(t.Context(), payment.PayRequest{Charge: charge.Key, Channel: "wechatpay", Payer: "payer-1"})
	require.NoError(t, err)
	order, err := w.cashier.Find(t.Context(), charge.Key)
	require.NoError(t, err)
	if between != nil {
		between()
	}
	require.NoError(t, w.till.Pay(order.Attempts[0].TradeNo))
	return charge
}

// settle works until the order has come to its end.
func (w *world) settle(t *testing.T, charge hospital.Charge) payment.Order {
	t.Helper()
	for range 300 {
		_, err := w.cashier.Advance(t.Context())
		require.NoError(t, err)
		order, err := w.cashier.Find(t.Context(), charge.Key)
		require.NoError(t, err)
		if order.State == payment.Delivered || order.State == payment.Refunded {
			return order
		}
		w.clock.Pass(20 * time.Second)
	}
	order, err := w.cashier.Find(t.Context(), charge.Key)
	require.NoError(t, err)
	t.Fatalf("the order never came to an end: %s %s", order.State, w.desk.Withdraw(t.Context(), charge.Key))
	return payment.Order{}
}

// booked is what the HIS holds for the charge, reversals counted.
func (w *world) booked(charge hospital.Charge) (sum hospital.Fen, rows int) {
	for _, row := range w.his.Ledger() {
		if row.Key == charge.Key {
			sum, rows = sum+row.Amount, rows+1
		}
	}
	return sum, rows
}

func TestABillIsSettledOnce(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t.T, t.Open())
		charge := w.pay(t.T, nil)
		require.Equal(t, payment.Delivered, w.settle(t.T, charge).State)
		sum, rows := w.booked(charge)
		require.Equal(t, charge.Amount, sum)
		require.Equal(t, 1, rows)
		_, err := w.desk.Quote(t.Context(), w.scope, bill.QuoteRequest{Bill: billID})
		require.Equal(t, "bill_paid", hospital.CodeOf(err))
		require.Equal(t, hospital.Conflict, hospital.KindOf(w.desk.Withdraw(t.Context(), charge.Key)))
	})
}

func TestAQuoteIsTheSameUntilTheBillOrTheOrderChanges(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t.T, t.Open())
		quote := func(q bill.QuoteRequest) hospital.Charge {
			t.Helper()
			q.Bill = billID
			charge, err := w.desk.Quote(t.Context(), w.scope, q)
			require.NoError(t, err)
			return charge
		}
		first := quote(bill.QuoteRequest{})
		again := quote(bill.QuoteRequest{})
		require.Equal(t, first.Key, again.Key)
		require.True(t, first.Expires.Equal(again.Expires))
		require.NotEqual(t, first.Key, quote(bill.QuoteRequest{Closed: first.Key}).Key)
		_, err := w.his.ChangeBill(billID, []his.BillItem{{Code: "Z1", Name: "黄芪", Unit: "g", Quantity: "1", Amount: 100}})
		require.NoError(t, err)
		_, err = w.desk.Quote(t.Context(), w.scope, bill.QuoteRequest{Bill: billID, Shown: first.QuoteVersion})
		require.Equal(t, "bill_changed", hospital.CodeOf(err))
		require.EqualValues(t, 100, quote(bill.QuoteRequest{}).Amount)
		_, err = w.desk.Quote(t.Context(), w.scope, bill.QuoteRequest{Bill: "ZD000003"})
		require.Equal(t, hospital.NotFound, hospital.KindOf(err), "somebody else's bill")
	})
}

func TestABillThatChangedOrWasPaidMeanwhileIsRefundedOnce(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(*world) error{
		"paid at the window": func(w *world) error { _, err := w.his.Window().Settle(billID); return err },
		"quoted anew": func(w *world) error {
			_, err := w.his.ChangeBill(billID, []his.BillItem{{Code: "Z1", Name: "黄芪", Unit: "g", Quantity: "1", Amount: 100}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sqltest.Each(t, func(t *sqltest.T) {
				w := open(t.T, t.Open())
				charge := w.pay(t.T, func() { require.NoError(t, meanwhile(w)) })
				require.Equal(t, payment.Refunded, w.settle(t.T, charge).State)
				sum, _ := w.booked(charge)
				require.Zero(t, sum)
				taken, returned := w.till.Totals()
				require.Equal(t, taken, returned)
				require.Len(t, w.till.Refunds(), 1)
			})
		})
	}
}

func TestAWithdrawnKeyIsNeverDelivered(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t.T, t.Open())
		charge, err := w.desk.Quote(t.Context(), w.scope, bill.QuoteRequest{Bill: billID})
		require.NoError(t, err)
		for _, key := range []hospital.Key{charge.Key, "znever-quoted-1"} {
			require.NoError(t, w.desk.Withdraw(t.Context(), key))
			require.NoError(t, w.desk.Withdraw(t.Context(), key))
			err = w.desk.Deliver(t.Context(), hospital.Delivery{Key: key, Purpose: charge.Purpose, Amount: charge.Amount, Receipt: "R"})
			require.Equal(t, hospital.Rejected, hospital.KindOf(err))
		}
		require.Zero(t, w.line.Calls(histest.OpSettle))
	})
}

func TestALateRequestIsWaitedFor(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t.T, t.Open())
		charge, err := w.desk.Quote(t.Context(), w.scope, bill.QuoteRequest{Bill: billID})
		require.NoError(t, err)
		delivery := hospital.Delivery{Key: charge.Key, Purpose: charge.Purpose, Amount: charge.Amount, Receipt: "R", PaidAt: w.clock.Now()}
		w.line.DelayRequests(histest.OpSettle, 1)
		require.Equal(t, hospital.Indeterminate, hospital.KindOf(w.desk.Deliver(t.Context(), delivery)))
		require.Equal(t, "quiet_time", hospital.CodeOf(w.desk.Withdraw(t.Context(), charge.Key)), "absent does not count yet")
		require.Equal(t, 1, w.line.Deliver(t.Context()))
		delivery.Again = true
		require.NoError(t, w.desk.Deliver(t.Context(), delivery))
		require.Equal(t, 1, w.line.Calls(histest.OpSettle))
	})
}

// TestMoneyEndsInSettledOrRefunded loses, delays and kills at random; whatever
// happens, the HIS holds the fee exactly when the payer does not have it back.
func TestMoneyEndsInSettledOrRefunded(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := open(t, sqltest.On(t, sqldb.SQLite)())
		for range 1 + random.IntN(6) {
			op := []histest.Op{histest.OpSettle, histest.OpReverse, histest.OpFindPayment}[random.IntN(3)]
			n := 1 + random.IntN(8)
			switch random.IntN(3) {
			case 0:
				w.line.LoseAnswers(op, n)
			case 1:
				w.line.LoseRequests(op, n)
			default:
				w.line.DelayRequests(op, min(n, 2))
			}
		}
		charge := w.pay(t, func() {
			if random.IntN(4) == 0 {
				_, err := w.his.Window().Settle(billID)
				require.NoError(t, err)
			}
		})
		if random.IntN(2) == 0 {
			_, err := w.cashier.Advance(t.Context())
			require.NoError(t, err)
			w.line.Deliver(t.Context())
		}
		order := w.settle(t, charge)
		w.line.Deliver(t.Context())
		sum, _ := w.booked(charge)
		taken, returned := w.till.Totals()
		require.Equal(t, charge.Amount, taken)
		require.Equal(t, taken-returned, sum, "seed %d, %s", seed, order.State)
		require.LessOrEqual(t, w.his.Effects(charge.Key)["settled"], 1)
	}
}
