package paymentsql_test

import (
	"context"
	"encoding/base64"
	"fmt"
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

// desk is a cashier on a SQL store, and a clock that a test moves.
type desk struct {
	*payment.Cashier

	db    *paymentsql.DB
	store *paymentsql.Store
	till  *paymenttest.Till
	now   time.Time
}

func open(t *sqltest.T, to payment.Deliverer, wrap func(payment.Channel) payment.Channel) *desk {
	t.Helper()
	d := &desk{now: time.Now()}
	now := func() time.Time { return d.now }
	d.db = t.Open(func(c *sqldb.Config) { c.Clock = now })
	d.store = store(t.T, d.db)
	d.till = paymenttest.NewTill("till", now, nil)
	var err error
	d.Cashier, err = payment.New(payment.Config{
		Store: d.store, Channels: map[string]payment.Channel{"till": wrap(d.till)},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: to}, Now: now, Wall: now,
	})
	require.NoError(t, err)
	return d
}

func (d *desk) paid(t *sqltest.T, n int) hospital.Key {
	t.Helper()
	key := hospital.Key(fmt.Sprintf("charge-%d", n))
	require.NoError(t, d.Open(t.Context(), hospital.Charge{
		Key: key, Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: string(key)}, Patient: "P1", Amount: 1250, Expires: d.now.Add(time.Hour),
	}))
	sheet, err := d.Pay(t.Context(), payment.PayRequest{Charge: key, Channel: "till"})
	require.NoError(t, err)
	require.NoError(t, d.till.Pay(sheet.TradeNo))
	return key
}

func (d *desk) exec(t *sqltest.T, query string, args ...any) {
	t.Helper()
	require.NoError(t, d.db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	}))
}

func (d *desk) later(t *sqltest.T, by time.Duration) {
	t.Helper()
	d.now = d.now.Add(by)
	_, err := d.Advance(t.Context())
	require.NoError(t, err)
}

func (d *desk) state(t *sqltest.T, key hospital.Key) payment.State {
	t.Helper()
	o, err := d.Find(t.Context(), key)
	require.NoError(t, err)
	return o.State
}

func same(c payment.Channel) payment.Channel { return c }

func TestRowsThatCannotBeReadStopNobody(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		d := open(t, far{}, same)
		const spoilt = 10 // more than a batch, and due before the good one
		for n := range spoilt {
			key := d.paid(t, n)
			d.exec(t, "UPDATE pay_orders SET causes = '[' WHERE charge_key = $1", string(key))
			require.NoError(t, d.store.Receive(t.Context(), payment.Notice{Channel: "till", ID: fmt.Sprintf("EV-%d", n), Received: d.now}))
		}
		d.exec(t, "UPDATE pay_notices SET body = '{'")
		d.now = d.now.Add(time.Second)
		good := d.paid(t, spoilt)
		d.later(t, 6*time.Second)
		require.Equal(t, payment.Delivered, d.state(t, good))
		listed, err := d.Orders(t.Context(), payment.Filter{})
		require.NoError(t, err)
		require.Len(t, listed, 1)
		count := func() map[payment.CaseReason]int {
			cases, err := d.Manual(t.Context())
			require.NoError(t, err)
			n := map[payment.CaseReason]int{}
			for _, c := range cases {
				n[c.Reason]++
			}
			return n
		}
		require.Equal(t, map[payment.CaseReason]int{payment.CaseUnreadable: spoilt, payment.CaseDeadNotice: spoilt}, count())

		cases, err := d.Manual(t.Context())
		require.NoError(t, err)
		for _, c := range cases {
			require.NoError(t, d.Resolve(t.Context(), payment.Resolution{
				Case: c.ID, Outcome: payment.NothingToMove, Reason: "看过", Actor: hospital.Actor{Kind: hospital.ActorStaff, ID: "s1"},
			}))
		}
		d.later(t, 2*time.Minute)
		require.Equal(t, map[payment.CaseReason]int{payment.CaseUnreadable: spoilt}, count(), "still unreadable, and seen again")
		d.exec(t, "UPDATE pay_orders SET causes = 'null' WHERE causes = '['")
		d.later(t, 2*time.Minute)
		for n := range spoilt {
			require.Equal(t, payment.Delivered, d.state(t, hospital.Key(fmt.Sprintf("charge-%d", n))))
		}
	})
}

// nulls speaks in bytes that PostgreSQL does not keep.
type nulls struct{ payment.Channel }

func (c nulls) Refund(context.Context, payment.Refund) (payment.RefundStatus, error) {
	return payment.RefundStatus{}, &hospital.Error{Kind: hospital.Rejected, Op: "test", Code: "NO", Detail: "余额\x00不足\xff"}
}

func (c nulls) QueryRefund(_ context.Context, no payment.RefundNo) (payment.RefundStatus, error) {
	return payment.RefundStatus{
		No: no, TradeNo: payment.TradeNo(no[:len(no)-3]), State: payment.RefundAbnormal, Amount: 1250, Currency: payment.Currency,
		RefundID: "R1", Detail: "卡\x00异常\xff",
	}, nil
}

// silent answers with a NUL.
type silent struct{}

func (silent) Deliver(context.Context, hospital.Delivery) error {
	return &hospital.Error{Kind: hospital.Rejected, Op: "test", Code: "NO", Detail: "退\x00"}
}

func (silent) Withdraw(context.Context, hospital.Key) error {
	return &hospital.Error{Kind: hospital.Indeterminate, Op: "test", Code: "LOST", Detail: "不\x00明\xff"}
}

func TestForeignTextIsKeptOnBothEngines(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		d := open(t, silent{}, func(c payment.Channel) payment.Channel { return nulls{c} })
		key := d.paid(t, 1)
		d.later(t, 6*time.Second)
		cases, err := d.Manual(t.Context())
		require.NoError(t, err)
		require.Len(t, cases, 1)
		require.Equal(t, payment.CaseRefundRefused, cases[0].Reason)
		require.Contains(t, cases[0].Detail, "余额\uFFFD不足\uFFFD")
		require.Equal(t, payment.Refunding, d.state(t, key))
		require.NoError(t, d.Open(t.Context(), hospital.Charge{
			Key: "charge-2", Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: "B2"}, Amount: 1, Expires: d.now.Add(time.Hour),
			Description: "门诊\x00缴费\xff",
		}))
	})
}

func TestADatabaseAloneTellsNoPayer(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		const openid = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
		d := open(t, far{}, func(c payment.Channel) payment.Channel { return composing{c} })
		charge := hospital.Charge{
			Key: "charge-1", Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: "B1"}, Amount: 1250, Expires: d.now.Add(time.Hour),
		}
		require.NoError(t, d.Open(t.Context(), charge))
		request := payment.PayRequest{Charge: "charge-1", Channel: "till", Payer: openid}
		first, err := d.Pay(t.Context(), request)
		require.NoError(t, err)
		again, err := d.Pay(t.Context(), request)
		require.NoError(t, err, "the same bytes")
		require.Equal(t, first.TradeNo, again.TradeNo)
		o, err := d.Find(t.Context(), "charge-1")
		require.NoError(t, err)
		require.Equal(t, payment.Payer(openid), o.Attempts[0].Payer)
		require.Contains(t, string(o.Attempts[0].Request), openid)
		var payer, bytes string
		kept := func() {
			require.NoError(t, d.db.Read(t.Context(), func(tx *sqldb.Tx) error {
				return tx.QueryRow("SELECT payer, request FROM pay_attempts").Scan(&payer, &bytes)
			}))
		}
		kept()
		for _, column := range []string{payer, bytes} {
			require.NotContains(t, column, openid)
			plain, err := base64.StdEncoding.DecodeString(column[len("v1:"):])
			require.NoError(t, err)
			require.NotContains(t, string(plain), openid)
		}
		d.exec(t, "UPDATE pay_attempts SET payer = request")
		_, err = d.Find(t.Context(), "charge-1")
		require.Equal(t, "seal_broken", hospital.CodeOf(err), "a value stands for its own row and column only")
		require.NotContains(t, err.Error(), openid)
	})
}

// composing is a till whose request names the payer, as WeChat Pay's does.
type composing struct{ payment.Channel }

func (composing) Compose(a payment.Attempt) ([]byte, error) {
	return []byte(`{"payer":{"openid":"` + string(a.Payer) + `"}}`), nil
}
