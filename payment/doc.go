// Package payment takes what a patient owes, sees to it that whoever asked for
// the money is told, and gives back what cannot be delivered: 支付, 入账, 退款.
//
// # A tour
//
// A [hospital.Charge] says what is owed; [Cashier.Open] makes it an [Order].
// [Cashier.Pay] makes an [Attempt] at a [Channel] and returns the [Sheet] that
// the payer's phone shows. Money moves on a verified [Notice] or on a query,
// never on what a browser says. A [Deliverer] then does what was paid for; a
// [Refund] returns what cannot be. [Cashier.Close] makes sure that nobody can
// pay any more, [Cashier.Refund] sends the money back, once, whoever asks.
// [Cashier.Advance] does everything that is due; [Cashier.Run] calls it.
//
//	quoted ─▶ payable ─▶ paid ─▶ delivering ─▶ delivered
//	   │         │ ▲no      │          │   ▲          │
//	   │         ▼          │          ▼   │conflict  │ Refund
//	   │      closing ─paid─┘     withdrawing         │
//	   │         │                 │   │              │
//	   └──▶ closed ──paid late──▶ refund_due ◀────────┘
//	                               │   │unknown too long
//	                               ▼   ▼
//	                       refunding ─▶ manual ─▶ delivered, refund_due, closed …
//	                               │
//	                               ▼
//	                           refunded
//
// Every …ing is an intent: it is committed, with its number and the exact
// bytes, before the call that it announces. An answer that is lost leaves the
// intent standing, and the next worker asks by number before it does anything.
// Unknown is not failed: a payment is unpaid only when query → close → query
// said so, a delivery is undone only when Withdraw said so, and a refund keeps
// its number until the channel closed it for good; whether another number is
// tried then, staff decide.
//
// # What is promised
//
// Each fen that a channel took is posted to the ledger once, under
// "<trade>/paid", and stands in the suspense of its order until it is
// delivered or owed back; a closed, delivered or refunded order holds nothing
// in suspense. What fits nowhere, an amount that differs or a delivery without
// an answer, and what hangs for too long is a [Case] that [Cashier.Manual]
// shows until a person, or a fact learnt late, settles it; nobody can dismiss
// one while money would lie still. One order, notice or far side that breaks
// stops no other: it is put off and shown. [Change.Check] keeps the laws in production: a
// store refuses a change that moves a state along no edge, rewrites an
// attempt, refunds a trade twice or posts what does not balance.
//
// An order is read and saved as a whole, under a version. A fact that is learnt
// is merged into whatever others did meanwhile; a decision made on an old
// version, or by a worker whose lease is another's by now, is dropped. So any number of processes may share a store.
//
// Package paymenttest has a store in memory, a channel that loses answers, and
// the suites that a real store and a real channel must pass.
package payment
