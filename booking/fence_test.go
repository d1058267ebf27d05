package booking_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his/histest"
)

// spySlots is a HIS of which single calls can be replaced; nil is the real one.
type spySlots struct {
	booking.Slots

	hold    func(context.Context, hospital.HoldRequest, booking.Slots) (hospital.Hold, error)
	confirm func(context.Context, hospital.ConfirmRequest, booking.Slots) (hospital.Registration, error)
	cancel  func(context.Context, hospital.Key, booking.Slots) error
}

func (s *spySlots) Hold(ctx context.Context, request hospital.HoldRequest) (hospital.Hold, error) {
	if s.hold != nil {
		return s.hold(ctx, request, s.Slots)
	}
	return s.Slots.Hold(ctx, request)
}

func (s *spySlots) Confirm(ctx context.Context, request hospital.ConfirmRequest) (hospital.Registration, error) {
	if s.confirm != nil {
		return s.confirm(ctx, request, s.Slots)
	}
	return s.Slots.Confirm(ctx, request)
}

func (s *spySlots) Cancel(ctx context.Context, key hospital.Key) error {
	if s.cancel != nil {
		return s.cancel(ctx, key, s.Slots)
	}
	return s.Slots.Cancel(ctx, key)
}

// spy puts the spied HIS before a new process of the clinic.
func (c *clinic) spy(spied *spySlots) {
	c.Helper()
	before := c.edit
	c.edit = func(config *booking.Config) {
		if before != nil {
			before(config)
		}
		spied.Slots = config.Slots
		config.Slots = spied
	}
	c.restart()
}

// slowStore lets things happen between a commit and what its worker does next.
type slowStore struct {
	booking.Store

	sold  func()
	saved func(booking.Appointment)
}

func (s *slowStore) Sell(ctx context.Context, sale booking.Sale) (booking.Appointment, error) {
	a, err := s.Store.Sell(ctx, sale)
	if s.sold != nil {
		s.sold()
	}
	return a, err
}

func (s *slowStore) Save(ctx context.Context, change booking.Change) (booking.Appointment, error) {
	a, err := s.Store.Save(ctx, change)
	if s.saved != nil && err == nil {
		s.saved(a)
	}
	return a, err
}

func (c *clinic) slow(store *slowStore) {
	c.Helper()
	c.edit = func(config *booking.Config) {
		store.Store = config.Store
		config.Store = store
	}
	c.restart()
}

func TestAWorkerThatWasStoppedDoesNotCallAfterNeverWasSaid(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	delivery, _ := c.cashier.Pay(a.ChargeKey())
	other, stopped := c.desk, false
	c.slow(&slowStore{saved: func(a booking.Appointment) {
		if a.State != booking.Settling || stopped {
			return
		}
		stopped = true // the intent is written; the process stands still while others go on
		c.leap(time.Minute, time.Minute)
		require.NoError(t, other.Withdraw(t.Context(), a.ChargeKey()), "never")
	}})
	before := c.line.Calls(histest.OpConfirm)
	err = c.deliver(delivery)
	require.True(t, stopped)
	require.Equal(t, hospital.Rejected, hospital.KindOf(err), "%v", err)
	require.Equal(t, before, c.line.Calls(histest.OpConfirm))
	require.Zero(t, c.registered(a).Paid)
}

func TestACallHasWhatIsLeftOfItsIntent(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		stopped time.Duration
		calls   int
	}{
		"three seconds later it has two": {3 * time.Second, 1},
		"later than that it is not made": {5 * time.Second, 0},
		"a clock set back gains nothing": {-time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t, nil)
			calls := 0
			c.spy(&spySlots{hold: func(ctx context.Context, request hospital.HoldRequest, next booking.Slots) (hospital.Hold, error) {
				calls++
				deadline, ok := ctx.Deadline()
				require.True(t, ok)
				require.LessOrEqual(t, time.Until(deadline), min(5*time.Second, 5*time.Second-row.stopped))
				return next.Hold(ctx, request)
			}})
			spied := c.edit
			store := &slowStore{sold: func() { c.leap(row.stopped, row.stopped) }}
			c.edit = func(config *booking.Config) {
				spied(config)
				store.Store = config.Store
				config.Store = store
			}
			c.restart()
			a, err := c.book(c.wish(2))
			require.Equal(t, row.calls, calls)
			if row.calls == 0 {
				require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
				require.Equal(t, booking.Refused, c.find(a.ID).State, "nothing is claimed")
			}
		})
	}
}

func TestABusinessClockThatLeapsDoesNotHurryTheNetwork(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	c.line.LoseRequests(histest.OpHold, 1)
	a, err := c.book(c.wish(2))
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	c.leap(5*time.Minute, 0)
	c.advance()
	require.Equal(t, 1, c.line.Calls(histest.OpHold), "the first request may be under way")
	c.leap(10*time.Second, 10*time.Second)
	c.advance()
	require.Equal(t, 2, c.line.Calls(histest.OpHold))
	require.Equal(t, booking.Booked, c.find(a.ID).State)
}

func TestANoLearnedLateDoesNotUndoAYes(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	wish := c.wish(2)
	refusedNow, learned, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	c.spy(&spySlots{hold: func(context.Context, hospital.HoldRequest, booking.Slots) (hospital.Hold, error) {
		close(refusedNow)
		<-learned // the no was said; this process stands still before it reads it
		return hospital.Hold{}, &hospital.Error{Kind: hospital.Conflict, Code: "slot_taken"}
	}})
	slow := c.desk
	var err error
	go func() {
		defer close(done)
		_, err = slow.Book(t.Context(), booking.BookRequest{Actor: c.actor(), Wish: wish})
	}()
	<-refusedNow
	c.edit = nil
	c.spy(&spySlots{hold: func(ctx context.Context, request hospital.HoldRequest, next booking.Slots) (hospital.Hold, error) {
		hold, err := next.Hold(ctx, request)
		close(learned) // the yes is under way when the other learns of its no
		<-done
		return hold, err
	}})
	c.pass(time.Minute)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "%v", err)
	list, err := c.store.List(t.Context(), booking.Query{Patient: c.patient.ID})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, booking.Booked, list[0].State)
	require.Equal(t, hospital.RegistrationRegistered, c.registered(list[0]).State)
}

func TestANoToARepeatedHoldIsMadeSureOf(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	wish := c.wish(2)
	c.line.DelayRequests(histest.OpHold, 1)
	a, err := c.book(wish)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	c.spy(&spySlots{hold: func(context.Context, hospital.HoldRequest, booking.Slots) (hospital.Hold, error) {
		return hospital.Hold{}, &hospital.Error{Kind: hospital.Rejected, Code: "patient_blocked"}
	}})
	c.pass(10 * time.Second)
	require.Equal(t, booking.Refused, c.find(a.ID).State)
	c.line.Deliver(t.Context()) // the first request arrives after all
	counts, err := c.his.SlotCounts(wish.Slot.ID)
	require.NoError(t, err)
	require.Zero(t, counts.Sold)
}

func TestBeingTurnedAwaySaysNothingOfAnEarlierCall(t *testing.T) {
	t.Parallel()
	denied := &hospital.Error{Kind: hospital.Denied, Code: "bad_password"}
	c := newClinic(t, func(config *booking.Config) { config.Assurances.Confirm = hospital.Assurance{Idempotent: true} })
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	delivery, _ := c.cashier.Pay(a.ChargeKey())
	c.line.LoseAnswers(histest.OpConfirm, 1)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(c.deliver(delivery)))
	spied := &spySlots{confirm: func(context.Context, hospital.ConfirmRequest, booking.Slots) (hospital.Registration, error) {
		return hospital.Registration{}, denied
	}}
	c.spy(spied)
	c.pass(10 * time.Second)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(c.desk.Withdraw(t.Context(), a.ChargeKey())), "the fee is booked, nobody may say never")
	spied.confirm = nil
	c.pass(time.Minute)
	require.NoError(t, c.deliver(delivery))
	require.Equal(t, a.Hold.Fee, c.registered(a).Paid)

	c = newClinic(t, nil)
	c.spy(&spySlots{hold: func(context.Context, hospital.HoldRequest, booking.Slots) (hospital.Hold, error) {
		return hospital.Hold{}, denied
	}})
	a, err = c.book(c.wish(2))
	require.Equal(t, hospital.Denied, hospital.KindOf(err))
	require.Equal(t, booking.Refused, c.find(a.ID).State, "a first call that was not let in claims nothing")
}

func TestAnAnswerThatDeniesItselfIsNoAnswer(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*hospital.Registration){
		"not in force":  func(r *hospital.Registration) { r.State = hospital.RegistrationCancelled },
		"only held":     func(r *hospital.Registration) { r.State = hospital.RegistrationHeld },
		"without a fee": func(r *hospital.Registration) { r.Paid = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t, nil)
			a, err := c.book(c.wish(2))
			require.NoError(t, err)
			c.spy(&spySlots{confirm: func(ctx context.Context, request hospital.ConfirmRequest, next booking.Slots) (hospital.Registration, error) {
				r, err := next.Confirm(ctx, request)
				spoil(&r)
				return r, err
			}})
			delivery, _ := c.cashier.Pay(a.ChargeKey())
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(c.deliver(delivery)))
			require.Equal(t, booking.Settling, c.find(a.ID).State)
			c.pass(10 * time.Second)
			require.NoError(t, c.deliver(delivery), "asked by key, the HIS says that it has it")
			require.Empty(t, c.cashier.Refunds())
		})
	}
}

func TestAYesThatIsReadAfterTheNumberWasGivenBackIsNoBooking(t *testing.T) {
	t.Parallel()
	c := newClinic(t, func(config *booking.Config) {
		config.Assurances.Confirm, config.Assurances.Cancel = hospital.Assurance{Idempotent: true}, hospital.Assurance{}
	})
	other, read := c.desk, false
	c.spy(&spySlots{confirm: func(ctx context.Context, request hospital.ConfirmRequest, next booking.Slots) (hospital.Registration, error) {
		registration, err := next.Confirm(ctx, request)
		require.False(t, read)
		read = true // the yes is under way; its reader stands still while others give the number back
		c.leap(time.Hour, time.Hour)
		c.line.LoseAnswers(histest.OpCancel, 1)
		for range 5 {
			c.leap(time.Minute, time.Minute)
			_, advanceErr := other.Advance(ctx)
			require.NoError(t, advanceErr)
		}
		a, findErr := c.store.Find(ctx, string(request.Key))
		require.NoError(t, findErr)
		require.Equal(t, booking.Manual, a.State)
		return registration, err
	}})
	a, err := c.book(c.wish(2))
	require.True(t, read)
	require.NoError(t, err)
	require.Equal(t, hospital.RegistrationCancelled, c.registered(a).State)
	require.Equal(t, booking.Manual, c.find(a.ID).State, "a person decides; the patient is not told to come")
	require.NotContains(t, c.events(), "appt.booked")
}
