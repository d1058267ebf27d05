package payment

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// Store keeps orders, the inbox and the books. Its methods are commands:
// values in, values out, each one commit. paymenttest.ConformStore says in
// full what they promise. They return Unavailable or Internal when the engine
// fails.
type Store interface {
	OrderStore
	InboxStore
	BookStore
}

// OrderStore keeps the orders.
type OrderStore interface {
	// Open inserts the order, unless one with its Charge.Key exists: then it
	// returns that one and writes nothing. It returns [ErrPurposeTaken] when
	// another live order claims the purpose.
	Open(context.Context, Change) (Order, error)
	// Find returns the order that ref names, or [ErrNotFound].
	Find(ctx context.Context, ref Ref) (Order, error)
	// List returns at most Filter.Limit orders, newest first, without those that
	// the store cannot read.
	List(context.Context, Filter) ([]Order, error)
	// Save writes the change if the stored order still has Change.Order.Version
	// and [Change.Check] agrees under the same lock; the stored version is then
	// one higher. It returns [ErrMoved] when another was faster, and [ErrHeld]
	// when the change wants a lease while another holder's is in force.
	Save(context.Context, Change) error
	// Lease hands out orders that are due, earliest first, and fences them: each
	// gets a new version and is handed to nobody else until the lease ends. Only
	// its holder may prolong a lease or end it early. An order that the store
	// cannot read is leased like the others and becomes a [CaseUnreadable]
	// instead of failing the command.
	Lease(context.Context, LeaseRequest) (Batch, error)
}

// InboxStore keeps what channels told us until it is worked off.
type InboxStore interface {
	// Receive stores a notice durably. A repetition of (Channel, ID) is a nil error too.
	Receive(context.Context, Notice) error
	// Pending lists notices that no change has marked done, oldest first. One
	// that the store cannot read comes with its Channel and ID alone.
	Pending(ctx context.Context, n int) ([]Notice, error)
}

// BookStore shows the books.
type BookStore interface {
	// Postings lists the postings of an order, oldest first; "" means of all.
	Postings(ctx context.Context, order string) ([]Posting, error)
	// Balances lists the accounts that are not empty, by name.
	Balances(context.Context) ([]Balance, error)
	// Cases lists at most n of the open cases, the oldest first; those about
	// payments that are none of ours come last, because a merchant number that
	// others use too brings any number of them.
	Cases(ctx context.Context, n int) ([]Case, error)
	// Case returns one case, open or not, or [ErrNotFound].
	Case(ctx context.Context, id string) (Case, error)
}

// Ref names an order by exactly one of its identifiers.
type Ref struct {
	ID       string
	Key      hospital.Key
	TradeNo  TradeNo
	RefundNo RefundNo
	Purpose  hospital.Purpose // the live order of the purpose
}

// Filter selects orders; a zero field selects all.
type Filter struct {
	Patient hospital.PatientID
	Purpose hospital.Purpose
	State   State
	Limit   int // default and at most 200
}

// maxList bounds a list: more than a screen is a report, not a page.
const maxList = 200

// LeaseRequest asks for due orders.
type LeaseRequest struct {
	Now time.Time     // business time: orders with Due not after it
	N   int           // at most so many
	For time.Duration // on the store's own clock
	// Holder is the fencing token of the lease: fresh for every request, so that
	// a worker that comes late cannot be taken for the one that followed it.
	Holder string
}

// Batch is what a lease yielded.
type Batch struct {
	Orders []Order
	Next   time.Time // business time at which the earliest other order may be leased, zero: none has a due time
}

// Change is everything that one command writes, in one commit. An Order
// without ID means that only the rest is written.
type Change struct {
	Order    Order         // as it will be, but with the version that was read
	Lease    time.Duration // take or prolong the lease of Order.Holder, on the store's clock; 0 changes no lease
	Release  bool          // end the lease of Order.Holder, if it still has one; another's stands
	Postings []Posting
	Notice   NoticeID // the notice that this change works off
	Orphan   *Case    // a case that belongs to no order of ours; closing one that is closed is [ErrCaseClosed]
	Events   []hospital.Event
	Audit    []hospital.AuditEntry
}

// Check reports what makes the change illegal given the stored order: a state
// that moves along no edge, a payment forgotten, a posting that does not
// balance, money in suspense that the postings do not explain. Every store
// asks it under its lock and writes nothing when it objects; the error is
// Internal, because only a defect brings it here.
func (c Change) Check(old Order) error {
	now := c.Order
	if now.ID != old.ID || !sameCharge(now.Charge, old.Charge) {
		return illegal("another order or charge", now.ID)
	}
	if !old.State.To(now.State) {
		return illegal("state "+string(old.State)+" → "+string(now.State), now.ID)
	}
	if c.Lease > 0 && now.Holder == "" {
		return illegal("a lease without a holder", now.ID)
	}
	if now.Live && !old.Live {
		return illegal("a freed purpose is claimed again", now.ID)
	}
	if old.PaidBy != "" && now.PaidBy != old.PaidBy {
		return illegal("paid by another attempt", now.ID)
	}
	if err := checkAttempts(old, now); err != nil {
		return err
	}
	if a, _ := now.Attempt(now.PaidBy); now.PaidBy != "" && a.State != AttemptPaid {
		return illegal("paid by an attempt that is not", now.ID)
	}
	if err := checkRefunds(old, now); err != nil {
		return err
	}
	return c.checkBooks(old)
}

func illegal(what, order string) error {
	return &hospital.Error{Kind: hospital.Internal, Op: "payment.Change", Code: "illegal_change", Detail: what + " of " + order}
}

func checkAttempts(old, now Order) error {
	if len(now.Attempts) < len(old.Attempts) {
		return illegal("an attempt forgotten", now.ID)
	}
	for i, a := range old.Attempts {
		b := now.Attempts[i]
		if a.TradeNo != b.TradeNo || a.Amount != b.Amount || a.Channel != b.Channel || a.Payer != b.Payer ||
			string(a.Request) != string(b.Request) || a.State == AttemptPaid && a.TransactionID != b.TransactionID {
			return illegal("attempt "+string(a.TradeNo)+" rewritten", now.ID)
		}
		if a.State != b.State && !slices.Contains(attemptEdges[a.State], b.State) {
			return illegal("attempt "+string(a.State)+" → "+string(b.State), now.ID)
		}
	}
	return nil
}

func checkRefunds(old, now Order) error {
	if len(now.Refunds) < len(old.Refunds) {
		return illegal("a refund forgotten", now.ID)
	}
	standing := map[TradeNo]int{}
	for i, r := range now.Refunds {
		if r.State != RefundIsClosed {
			standing[r.TradeNo]++
		}
		if r.State.ended() && !r.Next.IsZero() {
			return illegal("refund "+string(r.No)+" ended and would be sent again", now.ID)
		}
		a, ok := now.Attempt(r.TradeNo)
		if !ok || a.State != AttemptPaid || r.Amount != a.Amount || standing[r.TradeNo] > 1 {
			return illegal("refund "+string(r.No)+" of what was not paid, or a second one", now.ID)
		}
		if i >= len(old.Refunds) {
			continue
		}
		was := old.Refunds[i]
		if was.No != r.No || was.TradeNo != r.TradeNo || was.Amount != r.Amount {
			return illegal("refund "+string(was.No)+" rewritten", now.ID)
		}
		if was.State != r.State && !slices.Contains(refundEdges[was.State], r.State) {
			return illegal("refund "+string(was.State)+" → "+string(r.State), now.ID)
		}
	}
	return nil
}

func (c Change) checkBooks(old Order) error {
	now := c.Order
	for _, p := range c.Postings {
		if p.Key == "" || p.Order != now.ID || !Balanced(p.Entries) {
			return illegal("posting "+p.Key+" does not balance", now.ID)
		}
	}
	if now.Held-old.Held != -moved(c.Postings, Suspense(now.ID)) || now.Owed-old.Owed != -moved(c.Postings, Payback(now.ID)) {
		return illegal("postings do not explain the money", now.ID)
	}
	if now.Held < 0 || now.Owed < 0 || now.Held != 0 && (now.State.Terminal() || now.State == RefundDue || now.State == Refunding) {
		return illegal(fmt.Sprintf("%d fen in suspense when %s", now.Held, now.State), now.ID)
	}
	if (now.Held != 0 || now.Owed != 0) && now.Due.IsZero() && len(now.OpenCases()) == 0 {
		return illegal("money that nobody moves and nobody sees", now.ID)
	}
	if now.State == Refunded && old.State != Refunded && now.Owed != 0 {
		return illegal("refunded while money is owed", now.ID)
	}
	return nil
}
