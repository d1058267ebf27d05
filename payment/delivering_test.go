//nolint:thelper // the stories are the tests themselves: a failure must name the line in them
package payment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

func TestDelivering(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*testing.T, *office){
		"a delivery that is refused is refunded once": func(t *testing.T, o *office) {
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			require.Equal(t, []string{"delivery_refused"}, o.order(key).Causes)
		},
		"a repetition that is refused is withdrawn, because the first may have been done": func(t *testing.T, o *office) {
			o.his.script([]answer{losesAnswer, refuses}, nil)
			key, no := o.paid()
			o.later(time.Hour)
			o.state(key, payment.Delivered)
			require.Zero(t, o.till.Returned(no))
			o.his.script([]answer{losesRequest, refuses}, nil)
			key, no = o.paid()
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			require.Equal(t, []string{"delivery_refused"}, o.order(key).Causes)
		},
		"a delivery of unknown outcome is asked again and done": func(t *testing.T, o *office) {
			o.his.script([]answer{losesRequest, doesNotAnswer, losesAnswer}, nil)
			key, _ := o.paid()
			o.later(time.Minute)
			o.state(key, payment.Delivered)
			n, calls := o.his.state(key)
			require.Equal(t, 1, n)
			require.Len(t, calls, 4)
			for i, c := range calls {
				require.Equal(t, i > 0, c.Again)
				c.Again = false
				require.Equal(t, calls[0], c)
			}
		},
		"a delivery unknown at its deadline is withdrawn and refunded": func(t *testing.T, o *office) {
			o.his.keepSilent(true)
			key, no := o.paid()
			o.later(9 * time.Minute)
			o.state(key, payment.Delivering)
			o.later(90 * time.Second)
			o.state(key, payment.Withdrawing)
			o.his.keepSilent(false)
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			n, _ := o.his.state(key)
			require.Zero(t, n)
		},
		"a withdrawal that finds the delivery done keeps it": func(_ *testing.T, o *office) {
			o.his.script([]answer{losesAnswer}, nil)
			key, _ := o.paid()
			o.advance()
			o.his.keepSilent(true)
			o.later(11 * time.Minute)
			o.state(key, payment.Withdrawing)
			o.his.keepSilent(false)
			o.later(time.Hour)
			o.state(key, payment.Delivered)
		},
		"a far side that keeps silent makes a visible case": func(t *testing.T, o *office) {
			o.his.keepSilent(true)
			key, no := o.paid()
			o.later(25 * time.Minute)
			o.state(key, payment.Manual)
			require.Equal(t, []payment.CaseReason{payment.CaseDeliveryUnknown}, o.cases())
			require.Equal(t, 1, o.events("order.manual"))
			require.Equal(t, hospital.Fen(-1250), o.balance(payment.Suspense(o.order(key).ID)), "nothing moved")
			o.his.keepSilent(false)
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			require.Empty(t, o.cases(), "the fact that came late settled it")
		},
		"staff who saw it at the far side settle the case": func(t *testing.T, o *office) {
			o.his.keepSilent(true)
			key, _ := o.paid()
			o.later(25 * time.Minute)
			cases, err := o.Manual(o.ctx)
			require.NoError(t, err)
			r := payment.Resolution{Case: cases[0].ID, Outcome: payment.WasDelivered, Reason: "已在HIS核实", Actor: staff()}
			asUser := r
			asUser.Actor.Kind = hospital.ActorUser
			require.Equal(t, hospital.Denied, hospital.KindOf(o.Resolve(o.ctx, asUser)))
			mute := r
			mute.Reason = ""
			require.Equal(t, hospital.Invalid, hospital.KindOf(o.Resolve(o.ctx, mute)))
			wrong := r
			wrong.Outcome = payment.GivenByHand
			require.ErrorIs(t, o.Resolve(o.ctx, wrong), payment.ErrWrongOutcome)
			wrong.Outcome = payment.NothingToMove
			require.ErrorIs(t, o.Resolve(o.ctx, wrong), payment.ErrWrongOutcome, "the only case of a manual order")
			require.NoError(t, o.Resolve(o.ctx, r))
			require.ErrorIs(t, o.Resolve(o.ctx, r), payment.ErrCaseClosed)
			o.state(key, payment.Delivered)
			var seen []hospital.AuditEntry
			for _, e := range o.store.Audit() {
				if e.Action == "case.resolve" {
					seen = append(seen, e)
				}
			}
			require.Equal(t, "s7", seen[len(seen)-1].Actor.ID)
			require.Equal(t, "已在HIS核实", seen[len(seen)-1].Purpose)
		},
		"staff who saw that it is not there give the money back": func(t *testing.T, o *office) {
			o.his.keepSilent(true)
			key, no := o.paid()
			o.later(25 * time.Minute)
			cases, err := o.Manual(o.ctx)
			require.NoError(t, err)
			require.NoError(t, o.Resolve(o.ctx, payment.Resolution{
				Case: cases[0].ID, Outcome: payment.GiveBack, Reason: "HIS无此缴费", Actor: staff(),
			}))
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
		},
		"a process that died in the call delivers again with a warning": func(t *testing.T, o *office) {
			key, _ := o.paid()
			o.store.FailWith(failSecond("Save")) // the intent is committed, the fact is not
			_, err := o.Advance(o.ctx)
			require.Error(t, err)
			o.store.FailWith(nil)
			o.reopen()
			o.later(2 * time.Minute)
			o.state(key, payment.Delivered)
			_, calls := o.his.state(key)
			require.Len(t, calls, 2)
			require.True(t, calls[1].Again)
		},
		"a process that died before the call does not call on an uncommitted intent": func(t *testing.T, o *office) {
			key, _ := o.paid()
			o.store.FailWith(func(command string) error {
				if command == "Save" {
					return hisError(hospital.Unavailable)
				}
				return nil
			})
			_, err := o.Advance(o.ctx)
			require.Error(t, err)
			_, calls := o.his.state(key)
			require.Empty(t, calls)
			o.store.FailWith(nil)
			o.later(2 * time.Minute)
			o.state(key, payment.Delivered)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, newOffice(t))
		})
	}
}
