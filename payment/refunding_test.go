//nolint:thelper // the stories are the tests themselves: a failure must name the line in them
package payment_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

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
		"a closed refund is tried under a new number when staff say so, and only then": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			o.later(time.Minute)
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r1"), payment.RefundClosed))
			o.later(24 * time.Hour)
			o.state(key, payment.Manual)
			require.Len(t, o.order(key).Refunds, 1)
			require.ErrorIs(t, o.resolve(payment.CaseRefundClosed, payment.NothingToMove), payment.ErrWrongOutcome, "money is owed")
			require.NoError(t, o.resolve(payment.CaseRefundClosed, payment.GiveBack))
			o.later(2 * time.Minute)
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r2"), payment.RefundSucceeded))
			o.later(time.Minute)
			o.state(key, payment.Refunded)
			o.returnedOnce(no)
			require.Len(t, o.order(key).Refunds, 2)
			require.Empty(t, o.cases())
		},
		"a refund closed under every number is returned by hand": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			for n := range 5 {
				o.later(2 * time.Minute)
				require.NoError(t, o.till.Settle(payment.RefundNo(fmt.Sprintf("%s-r%d", no, n+1)), payment.RefundClosed))
				if n < 4 {
					require.NoError(t, o.resolve(payment.CaseRefundClosed, payment.GiveBack))
				}
			}
			require.ErrorIs(t, o.resolve(payment.CaseRefundClosed, payment.GiveBack), payment.ErrWrongOutcome)
			o.state(key, payment.Manual)
			require.NoError(t, o.resolve(payment.CaseRefundClosed, payment.GivenByHand))
			o.state(key, payment.Refunded)
			require.Empty(t, o.cases())
			require.Equal(t, hospital.Fen(-1250), o.balance(payment.ByHand("till")))
		},
		"a closed number is never sent again, whatever the channel says of it later": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			o.later(time.Minute)
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r1"), payment.RefundClosed))
			sent := o.till.Calls(paymenttest.CallRefund) + o.till.Calls(paymenttest.CallQueryRefund)
			told := payment.RefundStatus{
				No: payment.RefundNo(no + "-r1"), TradeNo: no, State: payment.RefundSucceeded, Amount: 1251, Currency: payment.Currency,
			}
			require.NoError(t, o.Notify(o.ctx, payment.Notice{Channel: "till", ID: "EV-x", Refund: &told}))
			o.later(24 * time.Hour)
			require.Equal(t, sent, o.till.Calls(paymenttest.CallRefund)+o.till.Calls(paymenttest.CallQueryRefund))
			require.Contains(t, o.cases(), payment.CaseRefundMismatch)
			require.ErrorIs(t, o.resolve(payment.CaseRefundClosed, payment.GiveBack), payment.ErrWrongOutcome, "the first may have arrived")
			o.state(key, payment.Manual)
		},
		"a new number waits while the channel revives the old one": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			o.later(time.Minute)
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r1"), payment.RefundClosed))
			o.later(time.Minute)
			require.NoError(t, o.resolve(payment.CaseRefundClosed, payment.GiveBack))
			sent := o.till.Calls(paymenttest.CallRefund)
			told := payment.RefundStatus{
				No: payment.RefundNo(no + "-r1"), TradeNo: no, State: payment.RefundSucceeded, Amount: 1250, Currency: payment.Currency,
			}
			require.NoError(t, o.Notify(o.ctx, payment.Notice{Channel: "till", ID: "EV-y", Refund: &told}))
			o.later(24 * time.Hour)
			require.Equal(t, sent, o.till.Calls(paymenttest.CallRefund), "the money may be back already")
			require.Equal(t, payment.RefundIsDue, o.order(key).Refunds[1].State)
			require.Contains(t, o.cases(), payment.CaseRefundMismatch)
		},
		"a refund of which nothing is heard becomes a case and goes on": func(t *testing.T, o *office) {
			o.his.script([]answer{refuses}, nil)
			o.till.Fail(paymenttest.CallRefund, slices.Repeat(lose(paymenttest.LoseRequest), 9)...)
			key, _ := o.paid()
			o.later(50 * time.Minute)
			require.Empty(t, o.cases())
			o.later(time.Hour)
			o.state(key, payment.Refunding)
			require.Equal(t, []payment.CaseReason{payment.CaseRefundOverdue}, o.cases())
			o.later(12 * time.Hour)
			o.state(key, payment.Refunded)
			require.Empty(t, o.cases())
		},
		"a refund at work for days becomes a case and goes on": func(t *testing.T, o *office) {
			o.till.SlowRefunds(true)
			o.his.script([]answer{refuses}, nil)
			key, no := o.paid()
			o.later(72 * time.Hour)
			require.Empty(t, o.cases())
			o.later(48 * time.Hour)
			o.state(key, payment.Refunding)
			require.Equal(t, []payment.CaseReason{payment.CaseRefundOverdue}, o.cases())
			require.NoError(t, o.till.Settle(payment.RefundNo(no+"-r1"), payment.RefundSucceeded))
			o.state(key, payment.Refunded)
			require.Empty(t, o.cases())
		},
		"a second payment that cannot go back is never forgotten": func(t *testing.T, o *office) {
			key := o.opened()
			first := o.sheet(key)
			req := o.request(key)
			req.Channel = "second"
			s, err := o.Pay(o.ctx, req)
			require.NoError(t, err)
			require.NoError(t, o.second.Pay(s.TradeNo))
			o.till.SlowRefunds(true)
			require.NoError(t, o.till.PayAnyway(first))
			o.later(time.Minute)
			require.NoError(t, o.till.Settle(payment.RefundNo(first+"-r1"), payment.RefundClosed))
			o.later(time.Hour)
			o.state(key, payment.Delivered)
			require.ErrorIs(t, o.resolve(payment.CaseRefundClosed, payment.NothingToMove), payment.ErrWrongOutcome)
			require.NoError(t, o.resolve(payment.CaseRefundClosed, payment.GivenByHand))
			require.Zero(t, o.order(key).Owed)
		},
		"a second payment goes back while nobody knows of the first's delivery": func(t *testing.T, o *office) {
			key := o.opened()
			first := o.sheet(key)
			req := o.request(key)
			req.Channel = "second"
			s, err := o.Pay(o.ctx, req)
			require.NoError(t, err)
			o.his.keepSilent(true)
			require.NoError(t, o.second.Pay(s.TradeNo))
			o.till.SlowRefunds(true)
			require.NoError(t, o.till.PayAnyway(first))
			o.later(25 * time.Minute)
			require.NoError(t, o.till.Settle(payment.RefundNo(first+"-r1"), payment.RefundClosed))
			o.state(key, payment.Manual)
			require.ErrorIs(t, o.resolve(payment.CaseRefundClosed, payment.WasDelivered), payment.ErrWrongOutcome, "that case is not about the delivery")
			for n := range 4 {
				require.NoError(t, o.resolve(payment.CaseRefundClosed, payment.GiveBack))
				o.state(key, payment.Manual)
				o.later(2 * time.Minute)
				require.NoError(t, o.till.Settle(payment.RefundNo(fmt.Sprintf("%s-r%d", first, n+2)), payment.RefundClosed))
			}
			require.ErrorIs(t, o.resolve(payment.CaseRefundClosed, payment.GiveBack), payment.ErrWrongOutcome, "no number is left, and the first payment is another matter")
			o.state(key, payment.Manual)
			require.Contains(t, o.cases(), payment.CaseDeliveryUnknown)
			require.NoError(t, o.resolve(payment.CaseRefundClosed, payment.GivenByHand))
			o.state(key, payment.Manual)
			require.NoError(t, o.resolve(payment.CaseDeliveryUnknown, payment.WasDelivered))
			o.state(key, payment.Delivered)
			require.Zero(t, o.order(key).Owed)
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
