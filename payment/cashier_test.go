package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

func TestOpening(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.charge()
	require.NoError(t, o.Open(o.ctx, c))
	c.Actor = hospital.System("booking")
	require.NoError(t, o.Open(o.ctx, c), "the same charge, asked again by the worker")
	other := c
	other.Amount++
	require.ErrorIs(t, o.Open(o.ctx, other), payment.ErrKeyReused)
	for name, edit := range map[string]func(*hospital.Charge){
		"key":         func(c *hospital.Charge) { c.Key = "short" },
		"purpose":     func(c *hospital.Charge) { c.Purpose.Kind = "lottery" },
		"purpose id":  func(c *hospital.Charge) { c.Purpose.ID = "" },
		"amount":      func(c *hospital.Charge) { c.Amount = 0 },
		"expiry":      func(c *hospital.Charge) { c.Expires = time.Time{} },
		"description": func(c *hospital.Charge) { c.Description = string(make([]rune, 128)) },
	} {
		bad := o.charge()
		edit(&bad)
		require.Equal(t, hospital.Invalid, hospital.KindOf(o.Open(o.ctx, bad)), name)
	}
	orders, err := o.Orders(o.ctx, payment.Filter{Patient: "P1"})
	require.NoError(t, err)
	require.Len(t, orders, 1)
}

func TestNewNamesTheBadField(t *testing.T) {
	t.Parallel()
	good := newOffice(t).config
	for field, edit := range map[string]func(*payment.Config){
		"Store":       func(c *payment.Config) { c.Store = nil },
		"Channels":    func(c *payment.Config) { c.Channels = nil },
		"Deliverers":  func(c *payment.Config) { c.Deliverers = map[hospital.PurposeKind]payment.Deliverer{"bill": nil} },
		"QueryAfter":  func(c *payment.Config) { c.QueryAfter = []time.Duration{2, 1} },
		"Lease":       func(c *payment.Config) { c.Lease = time.Second },
		"CallTimeout": func(c *payment.Config) { c.CallTimeout = -1 },
		"MaxAttempts": func(c *payment.Config) { c.MaxAttempts = 100 },
		"Workers":     func(c *payment.Config) { c.Workers = -1 },
	} {
		bad := good
		edit(&bad)
		_, err := payment.New(bad)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), field)
		require.ErrorContains(t, err, "Config."+field)
	}
}

func TestStatesMoveForward(t *testing.T) {
	t.Parallel()
	beforeMoney := map[payment.State]bool{payment.Quoted: true, payment.Payable: true, payment.Closing: true, payment.Closed: true}
	for _, from := range payment.States() {
		for _, to := range payment.States() {
			if from == to || from == payment.Manual || !from.To(to) {
				continue
			}
			require.False(t, !beforeMoney[from] && beforeMoney[to], "%s → %s forgets a payment", from, to)
		}
	}
	require.False(t, payment.Refunded.To(payment.Delivered))
	require.True(t, payment.Balanced([]payment.Entry{{"a", 1}, {"b", -1}}))
	require.False(t, payment.Balanced([]payment.Entry{{"a", 1}, {"b", -2}}))
	require.False(t, payment.Balanced([]payment.Entry{{"a", 0}}))
}
