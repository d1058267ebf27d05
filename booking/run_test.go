package booking_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingtest"
	"github.com/wxhospital/hospital/his/histest"
)

func TestRunLetsAnUnpaidNumberGoByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 23, 8, 0, 0, 0, hospital.CST))) //nolint:forbidigo // the bubble's clock, not ours
		h, err := histest.NewHospital(histest.Config{})
		require.NoError(t, err)
		system, store := h.System(), bookingtest.NewStore(nil)
		desk, err := booking.New(booking.Config{
			Store: store, Slots: h, Cashier: bookingtest.NewCashier(), Now: time.Now,
			Assurances: booking.Assurances{Hold: system.Assurances.Hold, Confirm: system.Assurances.Confirm, Cancel: system.Assurances.Cancel},
		})
		require.NoError(t, err)
		body, err := booking.Preset("wuxi2018")
		require.NoError(t, err)
		version, err := booking.NewPolicyVersion(body, "preset", time.Now())
		require.NoError(t, err)
		require.NoError(t, desk.Publish(t.Context(), hospital.System("setup"), version))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- desk.Run(ctx) }()

		c := &clinic{T: t, now: time.Now(), his: h}
		c.patient = c.person(func(p hospital.Patient) bool { return p.Payer == hospital.SelfPay })
		kiosk := hospital.Actor{Kind: hospital.ActorApp, ID: "kiosk-1", Entry: hospital.EntryKiosk}
		a, err := desk.Book(t.Context(), booking.BookRequest{Actor: kiosk, Wish: c.wish(0)})
		require.NoError(t, err)
		require.Equal(t, booking.Held, a.State)
		time.Sleep(16 * time.Minute) //nolint:forbidigo // the bubble's clock, not ours
		synctest.Wait()
		a, err = store.Find(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, booking.Expired, a.State)
		stop()
		require.NoError(t, <-ended)
		require.NoError(t, h.Close())
	})
}

func TestABadConfigurationNamesTheField(t *testing.T) {
	t.Parallel()
	good := func() booking.Config {
		return booking.Config{Store: bookingtest.NewStore(nil), Slots: &histest.Hospital{}, Now: time.Now}
	}
	for says, spoil := range map[string]func(*booking.Config){
		"Config.Store is nil":            func(c *booking.Config) { c.Store = nil },
		"Config.Slots is nil":            func(c *booking.Config) { c.Slots = nil },
		"Config.Now is nil":              func(c *booking.Config) { c.Now = nil },
		"Config.CallTimeout is negative": func(c *booking.Config) { c.CallTimeout = -1 },
		"more than twice CallTimeout":    func(c *booking.Config) { c.Lease = 10 * time.Second },
		"Config.Batch is negative":       func(c *booking.Config) { c.Batch = -1 },
		"has to be Cancellable":          func(c *booking.Config) { c.Assurances.Hold = hospital.Assurance{Queryable: true} },
		"Hold: a hold whose answer":      func(c *booking.Config) { c.Assurances.Hold = hospital.Assurance{Idempotent: true} },
	} {
		config := good()
		spoil(&config)
		_, err := booking.New(config)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err))
		require.ErrorContains(t, err, says)
	}
	_, err := booking.New(good())
	require.NoError(t, err)
}
