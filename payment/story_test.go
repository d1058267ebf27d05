//nolint:thelper // the stories are the tests themselves: a failure must name the line in them
package payment_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

func lose(kinds ...paymenttest.FaultKind) []paymenttest.Fault {
	var faults []paymenttest.Fault
	for _, k := range kinds {
		faults = append(faults, paymenttest.Fault{Kind: k})
	}
	return faults
}

func TestPaying(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*testing.T, *office){
		"what is paid is delivered": func(t *testing.T, o *office) {
			key, no := o.paid()
			o.state(key, payment.Paid)
			o.advance()
			o.state(key, payment.Delivered)
			n, calls := o.his.state(key)
			require.Equal(t, 1, n)
			require.Len(t, calls, 1)
			require.False(t, calls[0].Again)
			require.Equal(t, o.order(key).Receipt(), calls[0].Receipt)
			require.Equal(t, "till-"+string(no), calls[0].TradeNo)
			require.Equal(t, hospital.Fen(-1250), o.balance(payment.Revenue(hospital.ForBill)))
			require.Equal(t, hospital.Fen(1250), o.balance(payment.Receivable("till")))
			require.Equal(t, 1, o.events("order.paid"))
			require.Equal(t, 1, o.events("order.delivered"))
		},
		"a second tap shows the same trade": func(t *testing.T, o *office) {
			key := o.opened()
			first, again := o.sheet(key), o.sheet(key)
			require.Equal(t, first, again)
			require.Len(t, o.order(key).Attempts, 1)
		},
		"a lost prepay answer is repeated under the same number": func(t *testing.T, o *office) {
			key := o.opened()
			o.till.Fail(paymenttest.CallPrepay, lose(paymenttest.LoseAnswer, paymenttest.LoseRequest, paymenttest.Dead)...)
			for range 3 {
				_, err := o.Pay(o.ctx, o.request(key))
				require.Contains(t, []hospital.Kind{hospital.Indeterminate, hospital.Unavailable}, hospital.KindOf(err))
			}
			o.sheet(key)
			require.Len(t, o.till.Trades(), 1)
			require.Len(t, o.order(key).Attempts, 1)
		},
		"a lost notice is made good by a query": func(_ *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLost)
			key, _ := o.paid()
			o.state(key, payment.Payable)
			o.later(5 * time.Second)
			o.state(key, payment.Delivered)
		},
		"a notice that comes twice is booked once": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailTwice)
			key, _ := o.paid()
			o.later(time.Minute)
			o.state(key, payment.Delivered)
			postings, err := o.Ledger(o.ctx, o.order(key).ID)
			require.NoError(t, err)
			require.Len(t, postings, 2)
		},
		"a notice that comes a day late changes nothing": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLate)
			key, _ := o.paid()
			o.later(25 * time.Hour)
			o.till.Post()
			o.later(time.Hour)
			o.state(key, payment.Delivered)
			require.Equal(t, 1, o.events("order.paid"))
		},
		"a notice before the prepay answer is stored finds its order": func(_ *testing.T, o *office) {
			key := o.opened()
			o.till.Fail(paymenttest.CallPrepay, lose(paymenttest.LoseAnswer)...)
			_, err := o.Pay(o.ctx, o.request(key))
			require.Error(o.t, err)
			require.NoError(o.t, o.till.Pay(o.order(key).Attempts[0].TradeNo))
			o.later(time.Minute)
			o.state(key, payment.Delivered)
		},
		"a paid order shows no second sheet": func(t *testing.T, o *office) {
			key, _ := o.paid()
			_, err := o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrPaid)
			require.NotEmpty(t, hospital.MessageFor(err))
		},
		"a payment the channel knows of but we do not is taken at the next tap": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLost)
			key, _ := o.paid()
			_, err := o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrPaid)
			o.advance()
			o.state(key, payment.Delivered)
		},
		"an attempt that the channel refuses is closed and the next one works": func(t *testing.T, o *office) {
			key := o.opened()
			o.till.Fail(paymenttest.CallPrepay, paymenttest.Fault{Kind: paymenttest.Refuse, Code: "INVALID_REQUEST"})
			_, err := o.Pay(o.ctx, o.request(key))
			require.Equal(t, "INVALID_REQUEST", hospital.CodeOf(err))
			_, err = o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrNotKnown, "the first may still be on its way")
			o.later(time.Minute)
			require.Equal(t, payment.TradeNo(o.order(key).ID+"-2"), o.sheet(key))
		},
		"another channel closes the first attempt before it begins": func(t *testing.T, o *office) {
			key := o.opened()
			first := o.sheet(key)
			req := o.request(key)
			req.Channel = "second"
			s, err := o.Pay(o.ctx, req)
			require.NoError(t, err)
			require.NotEqual(t, first, s.TradeNo)
			require.Error(t, o.till.Pay(first), "the first takes no money")
			require.NoError(t, o.second.Pay(s.TradeNo))
			o.advance()
			o.state(key, payment.Delivered)
			require.Equal(t, hospital.Fen(1250), o.balance(payment.Receivable("second")))
		},
		"another channel waits while the first does not answer": func(t *testing.T, o *office) {
			key := o.opened()
			o.sheet(key)
			o.till.Fail(paymenttest.CallQuery, lose(paymenttest.Dead)...)
			req := o.request(key)
			req.Channel = "second"
			_, err := o.Pay(o.ctx, req)
			require.ErrorIs(t, err, payment.ErrNotKnown)
			require.Empty(t, o.second.Trades())
		},
		"nobody pays after the time to pay is over": func(t *testing.T, o *office) {
			key := o.opened()
			o.clock.Add(2 * time.Hour)
			_, err := o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrExpired)
			o.advance()
			o.state(key, payment.Closed)
		},
		"too many attempts are refused": func(t *testing.T, o *office) {
			o.config.MaxAttempts = 1
			o.reopen()
			key := o.opened()
			o.sheet(key)
			req := o.request(key)
			req.Channel = "second"
			_, err := o.Pay(o.ctx, req)
			require.ErrorIs(t, err, payment.ErrTooMany)
		},
		"a sheet made while the order was closed is not shown": func(t *testing.T, o *office) {
			key := o.opened()
			gate := make(chan struct{})
			reached := make(chan struct{})
			o.till.Fail(paymenttest.CallPrepay, paymenttest.Fault{Gate: gate, Reached: reached})
			done := make(chan error, 1)
			go func() {
				_, err := o.Pay(o.ctx, o.request(key))
				done <- err
			}()
			<-reached
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown, "a request is on its way")
			o.later(2 * time.Minute)
			o.state(key, payment.Closed)
			close(gate)
			require.ErrorIs(t, <-done, payment.ErrClosed)
			o.advance()
			require.Error(t, o.till.Pay(payment.TradeNo(o.order(key).ID+"-1")), "the trade that came to life is closed again")
			o.state(key, payment.Closed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, newOffice(t))
		})
	}
}

func TestClosing(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*testing.T, *office){
		"an order nobody tried to pay is closed at once": func(t *testing.T, o *office) {
			key := o.opened()
			require.NoError(t, o.Close(o.ctx, key))
			require.NoError(t, o.Close(o.ctx, key), "again")
			_, err := o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrClosed)
			require.Equal(t, 1, o.events("order.closed"))
		},
		"a key closed before it is opened never becomes payable": func(t *testing.T, o *office) {
			c := o.charge()
			require.NoError(t, o.Close(o.ctx, c.Key))
			require.ErrorIs(t, o.Open(o.ctx, c), payment.ErrClosed)
			_, err := o.Pay(o.ctx, o.request(c.Key))
			require.ErrorIs(t, err, payment.ErrClosed)
			require.NoError(t, o.Close(o.ctx, c.Key))
		},
		"an open attempt is closed at the channel first": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			require.NoError(t, o.Close(o.ctx, key))
			o.state(key, payment.Closed)
			require.Error(t, o.till.Pay(no))
		},
		"a lost close answer is asked about": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			o.till.Fail(paymenttest.CallClose, lose(paymenttest.LoseAnswer)...)
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown)
			o.state(key, payment.Closing)
			require.NoError(t, o.Close(o.ctx, key))
			require.Error(t, o.till.Pay(no))
		},
		"the worker goes on where the caller gave up": func(t *testing.T, o *office) {
			key := o.opened()
			o.sheet(key)
			o.till.Fail(paymenttest.CallQuery, lose(paymenttest.Dead, paymenttest.Dead)...)
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown)
			o.later(time.Minute)
			o.state(key, payment.Closed)
		},
		"a payment in the same second as the close wins": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			gate := make(chan struct{})
			o.till.Mail(paymenttest.MailLost)
			reached := make(chan struct{})
			o.till.Fail(paymenttest.CallClose, paymenttest.Fault{Gate: gate, Reached: reached})
			done := make(chan error, 1)
			go func() { done <- o.Close(o.ctx, key) }()
			<-reached // the first query said: not paid
			require.NoError(t, o.till.Pay(no))
			close(gate)
			require.ErrorIs(t, <-done, payment.ErrPaid)
			o.advance()
			o.state(key, payment.Delivered)
		},
		"a payment after the close is refunded once": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			require.NoError(t, o.Close(o.ctx, key))
			o.till.Mail(paymenttest.MailTwice)
			require.NoError(t, o.till.PayAnyway(no))
			o.state(key, payment.RefundDue)
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrPaid)
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			n, _ := o.his.state(key)
			require.Zero(t, n, "never delivered")
			require.Equal(t, 1, o.events("order.refunded"))
		},
		"a purpose is free again after the close": func(t *testing.T, o *office) {
			first := o.charge()
			require.NoError(t, o.Open(o.ctx, first))
			second := o.charge()
			second.Purpose = first.Purpose
			require.ErrorIs(t, o.Open(o.ctx, second), payment.ErrPurposeTaken)
			require.NoError(t, o.Close(o.ctx, first.Key))
			require.NoError(t, o.Open(o.ctx, second))
		},
		"an order past its time is closed, query → close → query": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			o.later(2 * time.Hour)
			o.state(key, payment.Closed)
			require.Equal(t, "expired", o.order(key).Reason)
			require.Error(t, o.till.Pay(no))
		},
		"an order past its time that was paid unseen is delivered": func(_ *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLost)
			key := o.opened()
			no := o.sheet(key)
			o.later(119 * time.Minute)
			require.NoError(o.t, o.till.Pay(no))
			o.later(5 * time.Minute)
			o.state(key, payment.Delivered)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, newOffice(t))
		})
	}
}

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

// failSecond breaks the second command of the name and every later one.
func failSecond(name string) func(string) error {
	n := 0
	return func(command string) error {
		if command == name {
			n++
		}
		if n > 1 {
			return hisError(hospital.Unavailable)
		}
		return nil
	}
}

func TestRefunding(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*testing.T, *office){
		"a delivered order is refunded out of revenue, once for all causes": func(t *testing.T, o *office) {
			key, no := o.paid()
			o.advance()
			require.NoError(t, o.Refund(o.ctx, key, "cancelled"))
			require.NoError(t, o.Refund(o.ctx, key, "suspended"))
			require.NoError(t, o.Refund(o.ctx, key, "cancelled"))
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			require.NoError(t, o.Refund(o.ctx, key, "again"))
			o.later(time.Hour)
			o.returnedOnce(no)
			require.Equal(t, []string{"cancelled", "suspended", "again"}, o.order(key).Causes)
			require.Zero(t, o.balance(payment.Revenue(hospital.ForBill)))
			require.Zero(t, o.balance(payment.Receivable("till")))
		},
		"what was never paid is not refunded": func(t *testing.T, o *office) {
			key := o.opened()
			require.ErrorIs(t, o.Refund(o.ctx, key, "cancelled"), payment.ErrNotPaid)
			o.sheet(key)
			require.ErrorIs(t, o.Refund(o.ctx, key, "cancelled"), payment.ErrNotPaid)
			require.NoError(t, o.Close(o.ctx, key))
			require.ErrorIs(t, o.Refund(o.ctx, key, "cancelled"), payment.ErrNotPaid)
			require.ErrorIs(t, o.Refund(o.ctx, "unknown-key", "cancelled"), payment.ErrNotPaid)
			require.Equal(t, hospital.Invalid, hospital.KindOf(o.Refund(o.ctx, key, "")))
		},
		"a refund during an unknown delivery withdraws first": func(t *testing.T, o *office) {
			o.his.script([]answer{losesRequest}, nil)
			key, no := o.paid()
			o.advance()
			require.NoError(t, o.Refund(o.ctx, key, "cancelled"))
			o.state(key, payment.Withdrawing)
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			require.Equal(t, 1, o.his.asked)
		},
		"a refund asked for wins over a delivery that was done": func(_ *testing.T, o *office) {
			o.his.script([]answer{losesAnswer}, nil)
			key, no := o.paid()
			o.advance()
			require.NoError(o.t, o.Refund(o.ctx, key, "cancelled"))
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
		},
		"a lost refund answer is asked about by number": func(t *testing.T, o *office) {
			o.his.script([]answer{refuses}, nil)
			o.till.Mail(paymenttest.MailNow, paymenttest.MailLost)
			o.till.Fail(paymenttest.CallRefund, lose(paymenttest.LoseAnswer)...)
			key, no := o.paid()
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			require.Equal(t, 1, o.till.Calls(paymenttest.CallRefund))
		},
		"a lost refund request is sent again under its number": func(t *testing.T, o *office) {
			o.his.script([]answer{refuses}, nil)
			o.till.Fail(paymenttest.CallRefund, lose(paymenttest.LoseRequest, paymenttest.Dead)...)
			key, no := o.paid()
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			require.Len(t, o.order(key).Refunds, 1)
		},
		"a refund that takes its time is polled": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			o.later(time.Hour)
			o.state(key, payment.Refunding)
			require.Zero(t, o.till.Returned(no))
			o.till.Mail(paymenttest.MailLost)
			require.NoError(t, o.till.Settle(o.order(key).Refunds[0].No, payment.RefundSucceeded))
			o.later(2 * time.Hour)
			o.state(key, payment.Refunded)
			require.Empty(t, o.cases())
		},
		"a refund notice that comes before the answer is enough": func(_ *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, _ := o.paid()
			o.later(time.Minute)
			require.NoError(o.t, o.till.Settle(o.order(key).Refunds[0].No, payment.RefundSucceeded))
			o.state(key, payment.Refunded)
		},
		"a closed refund is tried under a new number, and only then": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			o.later(time.Minute)
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r1"), payment.RefundClosed))
			o.later(2 * time.Minute)
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r2"), payment.RefundSucceeded))
			o.later(time.Minute)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			require.Len(t, o.order(key).Refunds, 2)
		},
		"a refund closed under every number waits for a person, who returns it by hand": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			for _, n := range []string{"-r1", "-r2", "-r3", "-r4", "-r5"} {
				o.later(2 * time.Minute)
				require.NoError(t, o.till.Settle(payment.RefundNo(string(no)+n), payment.RefundClosed))
			}
			o.state(key, payment.Manual)
			require.Equal(t, []payment.CaseReason{payment.CaseRefundClosed}, o.cases())
			cases, err := o.Manual(o.ctx)
			require.NoError(t, err)
			require.NoError(t, o.Resolve(o.ctx, payment.Resolution{
				Case: cases[0].ID, Outcome: payment.GivenByHand, Reason: "窗口退现金", Actor: staff(),
			}))
			o.state(key, payment.Refunded)
			require.Empty(t, o.cases())
			require.Equal(t, hospital.Fen(-1250), o.balance(payment.ByHand("till")))
		},
		"an abnormal refund is visible until it is done": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			o.later(time.Minute)
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r1"), payment.RefundAbnormal))
			o.state(key, payment.Manual)
			require.Equal(t, []payment.CaseReason{payment.CaseRefundAbnormal}, o.cases())
			o.till.Mail(paymenttest.MailLost)
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r1"), payment.RefundSucceeded))
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			require.Empty(t, o.cases())
		},
		"an empty merchant account is visible and tried again under the same number": func(t *testing.T, o *office) {
			o.his.script([]answer{refuses}, nil)
			empty := paymenttest.Fault{Kind: paymenttest.Refuse, Code: "NOT_ENOUGH"}
			o.till.Fail(paymenttest.CallRefund, empty, empty, empty)
			key, no := o.paid()
			o.later(90 * time.Second)
			o.state(key, payment.Refunding)
			require.Equal(t, []payment.CaseReason{payment.CaseRefundRefused}, o.cases())
			o.later(2 * time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			require.Empty(t, o.cases())
			require.Len(t, o.order(key).Refunds, 1)
		},
		"of two attempts that were both paid the second is refunded": func(t *testing.T, o *office) {
			key := o.opened()
			first := o.sheet(key)
			req := o.request(key)
			req.Channel = "second"
			s, err := o.Pay(o.ctx, req)
			require.NoError(t, err)
			require.NoError(t, o.second.Pay(s.TradeNo))
			require.NoError(t, o.till.PayAnyway(first))
			o.later(time.Hour)
			o.state(key, payment.Delivered)
			o.returnedOnce(first)
			require.Zero(t, o.second.Returned(s.TradeNo))
			require.Equal(t, 1, o.events("order.excess_refunded"))
			require.NoError(t, o.Refund(o.ctx, key, "cancelled"))
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(s.TradeNo)
		},
		"a second payment after the refund is refunded too": func(t *testing.T, o *office) {
			key := o.opened()
			first := o.sheet(key)
			req := o.request(key)
			req.Channel = "second"
			s, err := o.Pay(o.ctx, req)
			require.NoError(t, err)
			require.NoError(t, o.second.Pay(s.TradeNo))
			o.advance()
			require.NoError(t, o.Refund(o.ctx, key, "cancelled"))
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			require.NoError(t, o.till.PayAnyway(first))
			o.later(time.Hour)
			o.state(key, payment.Refunded)
			o.returnedOnce(first)
			o.returnedOnce(s.TradeNo)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, newOffice(t))
		})
	}
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*testing.T, *office){
		"a notice of another amount moves nothing and makes us ask": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailForged)
			key, _ := o.paid()
			o.state(key, payment.Payable)
			require.Equal(t, []payment.CaseReason{payment.CaseAmountMismatch}, o.cases())
			postings, err := o.Ledger(o.ctx, o.order(key).ID)
			require.NoError(t, err)
			require.Empty(t, postings)
			o.advance()
			o.state(key, payment.Delivered)
			require.Len(t, o.cases(), 1, "a person still looks at it")
			cases, err := o.Manual(o.ctx)
			require.NoError(t, err)
			require.NoError(t, o.Resolve(o.ctx, payment.Resolution{
				Case: cases[0].ID, Outcome: payment.NothingToMove, Reason: "查询结果正确", Actor: staff(),
			}))
			require.Empty(t, o.cases())
		},
		"a query of another amount stops the order for a person": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLost)
			key, _ := o.paid()
			o.till.Fail(paymenttest.CallQuery, lose(paymenttest.WrongAmount)...)
			o.later(5 * time.Second)
			o.state(key, payment.Manual)
			require.ErrorIs(t, o.Close(o.ctx, key), payment.ErrNotKnown)
			_, err := o.Pay(o.ctx, o.request(key))
			require.ErrorIs(t, err, payment.ErrNotKnown)
			o.later(time.Hour)
			o.state(key, payment.Delivered)
		},
		"an order stopped by a wrong amount is closed by staff": func(t *testing.T, o *office) {
			o.till.Mail(paymenttest.MailLost)
			key, _ := o.paid()
			o.till.Fail(paymenttest.CallQuery, lose(paymenttest.WrongAmount)...)
			o.later(5 * time.Second)
			cases, err := o.Manual(o.ctx)
			require.NoError(t, err)
			require.NoError(t, o.Resolve(o.ctx, payment.Resolution{
				Case: cases[0].ID, Outcome: payment.CloseUnpaid, Reason: "已在商户平台退款", Actor: staff(),
			}))
			o.state(key, payment.Closed)
			require.NoError(t, o.Close(o.ctx, key))
		},
		"a payment that is none of ours is shown, never refunded": func(t *testing.T, o *office) {
			require.NoError(t, o.Notify(o.ctx, payment.Notice{Channel: "till", ID: "EV-1", Trade: &payment.Trade{
				TradeNo: "window-0001", State: payment.TradePaid, Amount: 5, Currency: payment.Currency, TransactionID: "T",
			}}))
			require.Equal(t, []payment.CaseReason{payment.CaseUnknownTrade}, o.cases())
			cases, err := o.Manual(o.ctx)
			require.NoError(t, err)
			r := payment.Resolution{Case: cases[0].ID, Outcome: payment.GiveBack, Reason: "窗口收费", Actor: staff()}
			require.ErrorIs(t, o.Resolve(o.ctx, r), payment.ErrWrongOutcome)
			r.Outcome = payment.NothingToMove
			require.NoError(t, o.Resolve(o.ctx, r))
			require.Empty(t, o.cases())
		},
		"a notice through another channel moves nothing": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			require.NoError(t, o.Notify(o.ctx, payment.Notice{Channel: "second", ID: "EV-1", Trade: &payment.Trade{
				TradeNo: no, State: payment.TradePaid, Amount: 1250, Currency: payment.Currency, TransactionID: "T",
			}}))
			o.state(key, payment.Payable)
			require.Len(t, o.cases(), 1)
		},
		"a refund notice of another amount moves nothing": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			o.later(time.Minute)
			o.till.Mail(paymenttest.MailForged)
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r1"), payment.RefundSucceeded))
			o.state(key, payment.Refunding)
			require.Equal(t, []payment.CaseReason{payment.CaseRefundMismatch}, o.cases())
			o.later(time.Hour)
			o.state(key, payment.Refunded)
		},
		"a notice that could not be booked is booked later": func(t *testing.T, o *office) {
			key := o.opened()
			no := o.sheet(key)
			o.store.FailWith(func(command string) error {
				if command == "Save" {
					return hisError(hospital.Unavailable)
				}
				return nil
			})
			require.NoError(t, o.till.Pay(no))
			o.store.FailWith(nil)
			o.state(key, payment.Payable)
			o.advance()
			o.state(key, payment.Delivered)
		},
		"a notice that could not be stored is not acknowledged": func(t *testing.T, o *office) {
			o.store.FailWith(func(string) error { return hisError(hospital.Unavailable) })
			err := o.Notify(o.ctx, payment.Notice{Channel: "till", ID: "EV-1", Trade: &payment.Trade{TradeNo: "order-1-1"}})
			require.Equal(t, hospital.Unavailable, hospital.KindOf(err))
		},
		"a notice that says nothing is invalid": func(t *testing.T, o *office) {
			for _, n := range []payment.Notice{
				{Channel: "till", ID: "EV-1"},
				{Channel: "nobody", ID: "EV-1", Trade: &payment.Trade{}},
				{Channel: "till", Trade: &payment.Trade{}},
				{Channel: "till", ID: "EV-1", Trade: &payment.Trade{}, Refund: &payment.RefundStatus{}},
			} {
				require.Equal(t, hospital.Invalid, hospital.KindOf(o.Notify(o.ctx, n)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, newOffice(t))
		})
	}
}

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

func TestTwoWorkersDeliverOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var keys []hospital.Key
	for range 9 {
		key, _ := o.paid()
		keys = append(keys, key)
	}
	var group sync.WaitGroup
	for range 4 {
		c, err := payment.New(o.config)
		require.NoError(t, err)
		group.Go(func() {
			_, err := c.Advance(t.Context())
			if err != nil {
				t.Errorf("advance: %v", err)
			}
		})
	}
	group.Wait()
	for _, key := range keys {
		o.state(key, payment.Delivered)
	}
	_, calls := o.his.state("")
	require.Len(t, calls, len(keys))
	for _, c := range calls {
		require.False(t, c.Again)
	}
}

func TestAWorkerThatLostItsLeaseMergesTheFact(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	key, no := o.paid()
	o.his.gate = make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := o.Advance(o.ctx)
		done <- err
	}()
	<-o.his.entered // the first worker is in its call
	lie := payment.Trade{TradeNo: no, State: payment.TradePaid, Amount: 1250, Currency: payment.Currency, TransactionID: "another"}
	require.NoError(t, o.Notify(o.ctx, payment.Notice{Channel: "till", ID: "EV-x", Trade: &lie}), "somebody else moves the order on")
	before := o.order(key).Version
	close(o.his.gate)
	require.NoError(t, <-done)
	o.state(key, payment.Delivered)
	require.Greater(t, o.order(key).Version, before)
	require.Len(t, o.cases(), 1, "what the other learnt is kept")
}

func TestRunWorksOnHintsAndStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		far := newHIS()
		var c *payment.Cashier
		till := paymenttest.NewTill("till", time.Now, func(n payment.Notice) { require.NoError(t, c.Notify(ctx, n)) })
		c, err := payment.New(payment.Config{
			Store: paymenttest.NewMemory(time.Now), Channels: map[string]payment.Channel{"till": till},
			Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: far},
		})
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		key := hospital.Key("charge-1")
		require.NoError(t, c.Open(ctx, hospital.Charge{
			Key: key, Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: "B1"}, Amount: 1, Expires: time.Now().Add(time.Hour),
		}))
		sheet, err := c.Pay(ctx, payment.PayRequest{Charge: key, Channel: "till"})
		require.NoError(t, err)
		require.NoError(t, till.Pay(sheet.TradeNo))
		synctest.Wait()
		o, err := c.Find(ctx, key)
		require.NoError(t, err)
		require.Equal(t, payment.Delivered, o.State)
		cancel()
		require.NoError(t, <-done)
	})
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
