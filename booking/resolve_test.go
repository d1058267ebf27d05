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

var staff = hospital.Actor{Kind: hospital.ActorStaff, ID: "s1", Entry: hospital.EntryWindow}

func (c *clinic) resolve(a booking.Appointment, state booking.State) (booking.Appointment, error) {
	return c.desk.Resolve(c.Context(), staff, a.ID, state, "已在医院系统核实")
}

func TestStaffVouchThatASilentHospitalHasNothing(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	delivery, _ := c.cashier.Pay(a.ChargeKey())
	require.NoError(t, c.deliver(delivery))
	c.line.Cut(true)
	_, err = c.cancel(a)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	c.pass(13 * time.Hour)
	require.Equal(t, booking.Manual, c.find(a.ID).State)
	require.Empty(t, c.cashier.Refunds())
	c.pass(time.Minute)

	calls := c.line.Calls(histest.OpCancel)
	a, err = c.resolve(a, booking.Cancelled)
	require.NoError(t, err)
	require.Equal(t, booking.Cancelled, a.State)
	require.Equal(t, "已在医院系统核实", a.Reason)
	require.Equal(t, calls, c.line.Calls(histest.OpCancel), "the HIS is not told again")
	require.Equal(t, []hospital.Key{a.ChargeKey()}, c.cashier.Refunds())
	audit := c.store.Audit()
	require.Equal(t, staff, audit[len(audit)-2].Actor)
	require.Equal(t, "appointment.cancelling", audit[len(audit)-2].Action)
	require.Equal(t, "appointment.cancelled", audit[len(audit)-1].Action)
}

func TestAVowThatIsInterruptedIsKept(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	_, ok := c.cashier.Pay(a.ChargeKey())
	require.True(t, ok)
	c.line.Cut(true)
	_, err = c.cancel(a)
	require.Error(t, err)
	c.pass(13 * time.Hour)
	c.pass(time.Minute)
	c.cashier.Silence(true)
	a, err = c.resolve(a, booking.Cancelled)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	require.Equal(t, booking.Cancelling, a.State)
	c.cashier.Silence(false)
	c.restart()
	calls := c.line.Calls(histest.OpCancel)
	c.pass(time.Minute)
	require.Equal(t, booking.Cancelled, c.find(a.ID).State)
	require.Equal(t, calls, c.line.Calls(histest.OpCancel))
	require.Equal(t, []hospital.Key{a.ChargeKey()}, c.cashier.Refunds())
}

func TestNobodyVouchesAgainstTheHospitalOrTooSoon(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	c.spy(&spySlots{cancel: func(context.Context, hospital.Key, booking.Slots) error {
		return &hospital.Error{Kind: hospital.Rejected, Code: "closed_books"}
	}})
	_, err = c.cancel(a)
	require.NoError(t, err)
	require.Equal(t, booking.Manual, c.find(a.ID).State)
	_, err = c.resolve(a, booking.Cancelled)
	require.ErrorIs(t, err, booking.ErrInProgress, "a request may be under way")
	c.pass(time.Minute)
	_, err = c.resolve(a, booking.Cancelled)
	require.Equal(t, "in_force", hospital.CodeOf(err))
	require.Equal(t, hospital.Conflict, hospital.KindOf(err))
	require.Equal(t, booking.Manual, c.find(a.ID).State)
	require.NoError(t, c.his.Window().Cancel(a.Hold.HISNo))
	a, err = c.resolve(a, booking.Cancelled)
	require.NoError(t, err)
	require.Equal(t, booking.Cancelled, a.State)
	_, err = c.desk.Resolve(t.Context(), staff, a.ID, booking.Cancelled, "")
	require.Equal(t, hospital.Invalid, hospital.KindOf(err), "a reason is required")
}

func TestARefundIsDecidedByTheAppointmentNotByTodaysHold(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	require.NoError(t, c.pay(a))
	c.spy(&spySlots{hold: func(ctx context.Context, request hospital.HoldRequest, next booking.Slots) (hospital.Hold, error) {
		hold, err := next.Hold(ctx, request)
		hold.PayOnline = false // the HIS that was restored no longer takes online payments for it
		return hold, err
	}})
	c.pass(5 * time.Minute)
	require.NoError(t, c.his.Forget(15*time.Minute))
	c.pass(26 * time.Minute)
	c.pass(10 * time.Second)
	require.Equal(t, booking.Booked, c.find(a.ID).State)
	require.False(t, c.find(a.ID).Hold.PayOnline)
	_, err = c.desk.Cancel(t.Context(), booking.CancelRequest{ID: a.ID, Actor: staff, Cause: booking.ByStaff, Reason: "患者来电"})
	require.NoError(t, err)
	require.Equal(t, []hospital.Key{a.ChargeKey()}, c.cashier.Refunds())
}

// lostStore loses the answer of one commit.
type lostStore struct {
	booking.Store

	sell, save error // what the next such call says although it was written (sell) or instead of writing (save)
}

func (s *lostStore) Sell(ctx context.Context, sale booking.Sale) (booking.Appointment, error) {
	a, err := s.Store.Sell(ctx, sale)
	if s.sell != nil {
		a, err, s.sell = booking.Appointment{}, s.sell, nil
	}
	return a, err
}

func (s *lostStore) Save(ctx context.Context, change booking.Change) (booking.Appointment, error) {
	if s.save != nil {
		err := s.save
		s.save = nil
		return booking.Appointment{}, err
	}
	return s.Store.Save(ctx, change)
}

func TestWhatIsClaimedIsNeverCalledNotClaimed(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]*lostStore{
		"the answer of the sale is lost":        {sell: &hospital.Error{Kind: hospital.Indeterminate, Code: "commit"}},
		"the store is away after the hold":      {save: &hospital.Error{Kind: hospital.Unavailable, Code: "away"}},
		"the store is broken after the hold":    {save: &hospital.Error{Kind: hospital.Internal, Code: "broken"}},
		"the answer to the hold's save is lost": {save: &hospital.Error{Kind: hospital.Indeterminate, Code: "commit"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t, nil)
			c.edit = func(config *booking.Config) {
				lost.Store = config.Store
				config.Store = lost
			}
			c.restart()
			a, err := c.book(c.wish(2))
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "%v", err)
			require.NotEmpty(t, a.ID, "so that a page can show it as being checked")
			c.restart()
			c.pass(10 * time.Second)
			require.Equal(t, booking.Booked, c.find(a.ID).State)
			require.Equal(t, 1, c.his.Effects(a.Key())["held"])
		})
	}
}

func TestANightClinicIsNotOverBeforeItsPatients(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	wish := c.wish(1)
	day := wish.Schedule.Date
	wish.Slot.Start, wish.Slot.End = day.At(23, 0), day.At(23, 30)
	a, err := c.book(wish)
	require.NoError(t, err)
	c.pass(day.At(23, 15).Sub(c.Now()))
	require.Equal(t, booking.Booked, c.find(a.ID).State, "at 22:00 nobody has missed anything yet")
	require.NoError(t, c.his.See(c.registered(a).HISNo))
	c.pass(2 * time.Hour)
	require.Equal(t, booking.Fulfilled, c.find(a.ID).State)
}

func TestTheVisitItselfEndsTheTimeToCancel(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(0))
	require.NoError(t, err)
	require.NoError(t, c.pay(a))
	c.leap(a.End.Sub(c.Now()), 0)
	_, err = c.cancel(a)
	require.ErrorIs(t, err, booking.ErrTooLate)
	require.Equal(t, booking.Booked, c.find(a.ID).State)
}

// spoiltStore cannot read one of the rows it lists.
type spoiltStore struct{ booking.Store }

func (s spoiltStore) List(ctx context.Context, query booking.Query) ([]booking.Appointment, error) {
	list, err := s.Store.List(ctx, query)
	if err == nil {
		err = &hospital.Error{Kind: hospital.Internal, Code: "bad_row"}
	}
	return list, err
}

func TestARowThatCannotBeReadSparesNobodyASuspension(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	c.edit = func(config *booking.Config) { config.Store = spoiltStore{config.Store} }
	c.restart()
	reached, err := c.desk.Suspend(t.Context(), staff, a.Schedule, "医生外出")
	require.Equal(t, 1, reached)
	require.Equal(t, "bad_row", hospital.CodeOf(err))
	require.Equal(t, booking.Cancelled, c.find(a.ID).State)
}

func TestAFeeThatTheHospitalForgotIsToldAgain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		confirm func(context.Context, hospital.ConfirmRequest, booking.Slots) (hospital.Registration, error)
		state   booking.State
		paid    bool
	}{
		"and booked again": {nil, booking.Booked, true},
		"and refused, which a person looks at": {func(context.Context, hospital.ConfirmRequest, booking.Slots) (hospital.Registration, error) {
			return hospital.Registration{}, &hospital.Error{Kind: hospital.Rejected, Code: "books_closed"}
		}, booking.Manual, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t, nil)
			a, err := c.book(c.wish(2))
			require.NoError(t, err)
			c.pass(20 * time.Minute)
			require.NoError(t, c.pay(a))
			c.pass(5 * time.Minute)
			require.NoError(t, c.his.Forget(10*time.Minute))
			require.Zero(t, c.registered(a).Paid, "the backup is from before the payment")
			c.spy(&spySlots{confirm: row.confirm})
			c.pass(31 * time.Minute)
			require.Equal(t, row.state, c.find(a.ID).State)
			require.Equal(t, row.paid, c.registered(a).Paid == a.Hold.Fee)
			require.Empty(t, c.cashier.Refunds())
			require.Contains(t, c.events(), "appt.forgotten")
		})
	}
}

func TestAVisitThatTookPlaceKeepsTheFeeTheHospitalHas(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	delivery, _ := c.cashier.Pay(a.ChargeKey())
	c.line.LoseAnswers(histest.OpConfirm, 1)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(c.deliver(delivery)))
	c.line.Cut(true)
	c.pass(13 * time.Hour)
	require.Equal(t, booking.Manual, c.find(a.ID).State)
	_, err = c.resolve(a, booking.Fulfilled)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "a silent HIS says nothing about the fee")
	c.line.Cut(false)
	a, err = c.resolve(a, booking.Fulfilled)
	require.NoError(t, err)
	require.True(t, a.PaidAtHIS)
	require.NoError(t, c.deliver(delivery), "it is delivered, and not given back")
	require.Empty(t, c.cashier.Refunds())
}

func TestAVisitTheHospitalForgotCanBeClosedByAPerson(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	delivery, _ := c.cashier.Pay(a.ChargeKey())
	require.NoError(t, c.deliver(delivery))
	c.leap(a.Start.Add(24*time.Hour).Sub(c.Now()), 0)
	require.NoError(t, c.his.Forget(96*time.Hour))
	c.pass(time.Minute)
	require.Equal(t, booking.Manual, c.find(a.ID).State)
	_, err = c.resolve(a, booking.Booked)
	require.Equal(t, "not_in_force", hospital.CodeOf(err), "the HIS has said that there is none")
	a, err = c.resolve(a, booking.Fulfilled)
	require.NoError(t, err, "the HIS will never know it again")
	require.Equal(t, booking.Fulfilled, a.State)
	require.NoError(t, c.deliver(delivery), "payment was told that it is delivered")
	require.Empty(t, c.cashier.Refunds())
}

func TestAFeeThatTheHospitalForgotIsNotForgottenWhenThePatientComes(t *testing.T) {
	t.Parallel()
	for name, come := range map[string]func(*clinic, string) error{
		"checked in": func(c *clinic, no string) error { return c.his.Arrive(no) },
		"seen":       func(c *clinic, no string) error { return c.his.See(no) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t, nil)
			a, err := c.book(c.wish(2))
			require.NoError(t, err)
			c.pass(20 * time.Minute)
			delivery, _ := c.cashier.Pay(a.ChargeKey())
			require.NoError(t, c.deliver(delivery))
			c.leap(a.Start.Sub(c.Now()), 0)
			require.NoError(t, c.his.Forget(a.Start.Sub(morning)-10*time.Minute))
			require.Zero(t, c.registered(a).Paid, "the backup is from before the payment")
			require.NoError(t, come(c, a.Hold.HISNo))
			c.pass(time.Minute)
			c.pass(time.Minute)
			now := c.find(a.ID)
			require.True(t, c.registered(a).Paid == a.Hold.Fee || now.State == booking.Manual,
				"told again, or a person looks at it: %s, HIS has %d", now.State, c.registered(a).Paid)
			require.Equal(t, a.Hold.Fee, now.Paid, "payment was told that it is delivered")
		})
	}
}

func TestNobodySaysThatAFeeIsMissingWhileItMayBeUnderWay(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	delivery, _ := c.cashier.Pay(a.ChargeKey())
	var late hospital.ConfirmRequest
	spied := &spySlots{confirm: func(_ context.Context, request hospital.ConfirmRequest, _ booking.Slots) (hospital.Registration, error) {
		late = request
		c.leap(13*time.Hour, 5*time.Second) // past the time at which the case is given up
		return hospital.Registration{}, &hospital.Error{Kind: hospital.Indeterminate, Code: "answer_lost"}
	}}
	c.spy(spied)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(c.deliver(delivery)))
	require.Equal(t, booking.Manual, c.find(a.ID).State)
	for _, state := range []booking.State{booking.Fulfilled, booking.Booked} {
		_, err = c.resolve(a, state)
		require.ErrorIs(t, err, booking.ErrInProgress)
	}
	_, err = c.his.Confirm(t.Context(), late) // it arrives after all
	require.NoError(t, err)
	_, err = c.resolve(a, booking.Fulfilled)
	require.NoError(t, err)
	require.NoError(t, c.deliver(delivery))
	require.Empty(t, c.cashier.Refunds())
}
