package booking_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
)

// trail is what the audit trail says of an actor: action and outcome.
func (c *clinic) trail(actor hospital.Actor) []string {
	var rows []string
	for _, entry := range c.store.Audit() {
		if entry.Actor == actor {
			rows = append(rows, entry.Action+": "+entry.Outcome)
		}
	}
	return rows
}

func TestWhoeverIsRefusedStandsInTheTrail(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	stranger := hospital.Actor{Kind: hospital.ActorUser, ID: "u2", Entry: hospital.EntryWeChat}
	_, err = c.desk.Book(t.Context(), booking.BookRequest{Actor: stranger, Wish: c.wish(3)})
	require.ErrorIs(t, err, booking.ErrNotBound)
	_, err = c.desk.Cancel(t.Context(), booking.CancelRequest{ID: a.ID, Actor: stranger, Cause: booking.ByPatient})
	require.Equal(t, hospital.NotFound, hospital.KindOf(err))
	_, err = c.desk.Cancel(t.Context(), booking.CancelRequest{ID: a.ID, Actor: stranger, Cause: booking.ByStaff, Reason: "x"})
	require.Equal(t, hospital.Denied, hospital.KindOf(err))
	require.Error(t, c.desk.Bind(t.Context(), booking.BindRequest{Actor: stranger, User: "u2", Patient: c.patient.ID}))
	require.Error(t, c.desk.Unbind(t.Context(), stranger, "u2", c.patient.ID))
	require.Error(t, c.desk.Unlock(t.Context(), stranger, c.patient.ID, "x"))
	_, err = c.desk.Resolve(t.Context(), stranger, a.ID, booking.Booked, "x")
	require.Equal(t, hospital.Denied, hospital.KindOf(err))
	require.Error(t, c.desk.Grant(t.Context(), stranger, nil))
	body, err := booking.Preset("ladder-year")
	require.NoError(t, err)
	version, err := booking.NewPolicyVersion(body, "preset", c.Now())
	require.NoError(t, err)
	require.Equal(t, hospital.Denied, hospital.KindOf(c.desk.Publish(t.Context(), stranger, version)))
	require.Equal(t, []string{
		"appointment.book: not_found not_bound", "appointment.cancel: not_found not_found", "appointment.cancel: denied staff_only",
		"patient.bind: conflict held_by_another", "patient.unbind: not_found not_found", "patient.unlock: denied staff_only",
		"appointment.resolve: denied staff_only", "quota.grant: denied staff_only", "policy.publish: denied staff_only",
	}, c.trail(stranger))

	require.NoError(t, c.desk.Publish(t.Context(), staff, version))
	require.NoError(t, c.desk.Publish(t.Context(), staff, version), "again changes nothing")
	require.NoError(t, c.desk.Grant(t.Context(), staff, []booking.QuotaSlot{{Slot: "S", Schedule: "C", Numbers: []int{1}}}))
	require.Equal(t, []string{"policy.publish: ok", "quota.grant: ok"}, c.trail(staff))
}

func TestWhoIsRefusedWithoutEndDoesNotFillTheTrail(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	stranger := hospital.Actor{Kind: hospital.ActorUser, ID: "u2", Entry: hospital.EntryWeChat}
	try := func(times int) {
		for range times {
			require.Error(t, c.desk.Unlock(t.Context(), stranger, c.patient.ID, "x"))
		}
	}
	try(300)
	require.Len(t, c.trail(stranger), 100)
	c.leap(0, 5*time.Second)
	try(300)
	require.Len(t, c.trail(stranger), 105)
	c.leap(0, -time.Hour)
	try(10)
	require.Len(t, c.trail(stranger), 105, "a clock set back opens nothing")
	c.leap(0, 3*time.Second)
	try(10)
	require.Len(t, c.trail(stranger), 108, "and closes nothing")
}

func TestWhatOnlyTheClockRefusesIsNotWritten(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	before := len(c.store.Audit())
	wish := c.wish(2)
	wish.Schedule.Suspended = true
	_, err := c.book(wish)
	require.ErrorIs(t, err, booking.ErrSuspended)
	require.Len(t, c.store.Audit(), before)
}

func TestTheFormerHolderCanBeTold(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	second := hospital.Actor{Kind: hospital.ActorUser, ID: "u2", Entry: hospital.EntryWeChat}
	require.NoError(t, c.desk.Bind(t.Context(), booking.BindRequest{Actor: second, User: "u2", Patient: c.patient.ID, TakeOver: true}))
	events := c.store.Events()
	last := events[len(events)-1]
	require.Equal(t, "patient.taken_over", last.Kind)
	handover, err := c.store.Handover(t.Context(), last.ID)
	require.NoError(t, err)
	require.Equal(t, booking.Handover{ID: last.ID, Patient: c.patient.ID, User: "u2", Former: "u1", At: c.Now()}, handover)

	require.NoError(t, c.desk.Unlock(t.Context(), staff, c.patient.ID, "来电说明"))
	events = c.store.Events()
	unlocked, err := c.store.Unlocked(t.Context(), events[len(events)-1].ID)
	require.NoError(t, err)
	require.Equal(t, c.patient.ID, unlocked.Patient)
	require.Contains(t, fmt.Sprint(c.trail(staff)), "patient.unlock: ok")
}

func TestAUserActsForNobodyElsesBindings(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	stranger := hospital.Actor{Kind: hospital.ActorUser, ID: "u2", Entry: hospital.EntryWeChat}
	holder := hospital.UserID(c.actor().ID)
	require.Equal(t, hospital.NotFound, hospital.KindOf(c.desk.Unbind(t.Context(), stranger, holder, c.patient.ID)))
	require.Equal(t, hospital.NotFound, hospital.KindOf(c.desk.Bind(t.Context(), booking.BindRequest{
		Actor: stranger, User: "u3", Patient: c.patient.ID, TakeOver: true,
	})))
	bound, err := c.store.Bound(t.Context(), holder)
	require.NoError(t, err)
	require.Len(t, bound, 1, "the patient stays where it was")
	require.Equal(t, []string{"patient.unbind: not_found not_found", "patient.bind: not_found not_found"}, c.trail(stranger))
	require.NoError(t, c.desk.Unbind(t.Context(), staff, holder, c.patient.ID), "staff may")
}

func TestAPolicyWithAnotherNameThanItsOwnIsNotPublished(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	body, err := booking.Preset("ladder-year")
	require.NoError(t, err)
	good, err := booking.NewPolicyVersion(body, "preset", c.Now())
	require.NoError(t, err)
	for name, edit := range map[string]func(*booking.PolicyVersion){
		"no name":             func(v *booking.PolicyVersion) { v.Version = "" },
		"another's name":      func(v *booking.PolicyVersion) { v.Version = "wuxi2018@20261123T070000-00000000" },
		"another body's hash": func(v *booking.PolicyVersion) { v.Hash = "00" },
		"another day's name":  func(v *booking.PolicyVersion) { v.ValidFrom = v.ValidFrom.AddDate(0, 0, 1) },
	} {
		version := good
		edit(&version)
		err := c.desk.Publish(t.Context(), staff, version)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), name)
		require.Equal(t, "bad_version", hospital.CodeOf(err), name)
	}
	require.NoError(t, c.desk.Publish(t.Context(), staff, good))
}
