package booking_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
)

// quotaClinic is a clinic that handed the first numbers of one segment to us.
func quotaClinic(t *testing.T, numbers int) (*clinic, booking.Wish, []int) {
	t.Helper()
	c := newClinic(t, func(config *booking.Config) { config.Quota = true })
	wish := c.wish(2)
	granted, err := c.his.GrantQuota(wish.Schedule.ID, numbers)
	require.NoError(t, err)
	for _, slot := range granted {
		if slot.Slot == wish.Slot.ID {
			slots := []booking.QuotaSlot{{Slot: slot.Slot, Schedule: slot.Schedule, Numbers: slot.Numbers}}
			require.NoError(t, c.desk.Grant(t.Context(), hospital.System("import"), slots))
			return c, wish, slot.Numbers
		}
	}
	require.FailNow(t, "the segment was not granted")
	return nil, booking.Wish{}, nil
}

// next lets another patient want the number.
func (c *clinic) next(wish booking.Wish, n int) (booking.Appointment, error) {
	c.Helper()
	wish.Patient, wish.Payer = c.his.People()[n].ID, hospital.SelfPay
	kiosk := hospital.Actor{Kind: hospital.ActorApp, ID: "kiosk-1", Entry: hospital.EntryKiosk}
	return c.desk.Book(c.Context(), booking.BookRequest{Actor: kiosk, Wish: wish})
}

func (c *clinic) left(slot hospital.SlotID) int {
	c.Helper()
	left, err := c.store.QuotaLeft(c.Context(), []hospital.SlotID{slot})
	require.NoError(c, err)
	return left[slot]
}

func TestARefusedNumberIsNotSoldFirstForEver(t *testing.T) {
	t.Parallel()
	c, wish, numbers := quotaClinic(t, 3)
	c.spy(&spySlots{hold: func(ctx context.Context, request hospital.HoldRequest, next booking.Slots) (hospital.Hold, error) {
		if request.Number == numbers[0] {
			return hospital.Hold{}, &hospital.Error{Kind: hospital.Rejected, Code: "number_blocked"}
		}
		return next.Hold(ctx, request)
	}})
	_, err := c.next(wish, 0)
	require.Equal(t, hospital.Rejected, hospital.KindOf(err))
	for n := range 2 {
		a, err := c.next(wish, 1+n)
		require.NoError(t, err, "the other numbers are sold meanwhile")
		require.Equal(t, numbers[1+n], a.Number)
	}
	require.Equal(t, 1, c.left(wish.Slot.ID), "it may have been the patient")
	_, err = c.next(wish, 3)
	require.Equal(t, hospital.Rejected, hospital.KindOf(err))
}

func TestANumberThatIsAnothersIsBurntHoweverTheHospitalSaysSo(t *testing.T) {
	t.Parallel()
	taken := &hospital.Error{Kind: hospital.Conflict, Code: "slot_taken"}
	for name, spied := range map[string]*spySlots{
		"to the hold": {hold: func(context.Context, hospital.HoldRequest, booking.Slots) (hospital.Hold, error) {
			return hospital.Hold{}, taken
		}},
		"to the confirmation": {confirm: func(context.Context, hospital.ConfirmRequest, booking.Slots) (hospital.Registration, error) {
			return hospital.Registration{}, taken
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, wish, numbers := quotaClinic(t, 2)
			c.spy(spied)
			_, err := c.next(wish, 0)
			require.ErrorIs(t, err, booking.ErrSlotTaken)
			require.Equal(t, 1, c.left(wish.Slot.ID))
			spied.hold, spied.confirm = nil, nil
			a, err := c.next(wish, 1)
			require.NoError(t, err)
			require.Equal(t, numbers[1], a.Number)
			_, err = c.next(wish, 2)
			require.ErrorIs(t, err, booking.ErrSlotTaken)
		})
	}
}

func TestTheHospitalTakesNumbersBack(t *testing.T) {
	t.Parallel()
	c, wish, numbers := quotaClinic(t, 3)
	a, err := c.next(wish, 0)
	require.NoError(t, err)
	_, err = c.desk.Recall(t.Context(), c.actor(), booking.QuotaRecall{Slot: wish.Slot.ID, Last: 1}, "窗口人多")
	require.Equal(t, hospital.Denied, hospital.KindOf(err))
	for _, bad := range []booking.QuotaRecall{{Last: 1}, {Slot: wish.Slot.ID}, {Slot: wish.Slot.ID, Last: 1, Numbers: []int{1}}, {Slot: wish.Slot.ID, Last: -1}} {
		_, err = c.desk.Recall(t.Context(), staff, bad, "窗口人多")
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), "%+v", bad)
	}
	back, err := c.desk.Recall(t.Context(), staff, booking.QuotaRecall{Slot: wish.Slot.ID, Numbers: numbers}, "窗口人多")
	require.NoError(t, err)
	require.Equal(t, numbers[1:], back, "the first is a patient's")
	_, err = c.next(wish, 1)
	require.ErrorIs(t, err, booking.ErrSlotTaken)
	require.Equal(t, booking.Booked, c.find(a.ID).State)

	for says, slots := range map[string][]booking.QuotaSlot{
		"want 1 to":               nil,
		"id and schedule":         {{Slot: "S", Numbers: []int{1}}},
		"slots[0].numbers: want":  {{Slot: "S", Schedule: "C"}},
		"slots[0].numbers: 0 is":  {{Slot: "S", Schedule: "C", Numbers: []int{0}}},
		"slots[1].numbers: -1 is": {{Slot: "S", Schedule: "C", Numbers: []int{1}}, {Slot: "T", Schedule: "C", Numbers: []int{-1}}},
	} {
		err := c.desk.Grant(t.Context(), staff, slots)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err))
		require.ErrorContains(t, err, says)
	}
}
