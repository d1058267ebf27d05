//nolint:thelper // the checks are the tests themselves: a failure must name the line in them
package paymenttest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

// ConformStore checks that a store keeps what payment.Store promises. Open
// returns an empty store; leases of a millisecond must run out by themselves.
func ConformStore(t *testing.T, open func(*testing.T) payment.Store) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, payment.Store){
		"an order is opened once under its key":              storeOpensOnce,
		"a purpose has one live order":                       storeOnePerPurpose,
		"everything of an order survives":                    storeKeepsAll,
		"a stale version writes nothing":                     storeRefusesStale,
		"an illegal change writes nothing":                   storeRefusesIllegal,
		"a refund number that ended is never due again":      storeRefusesUsedNumber,
		"a posting is written once":                          storePostsOnce,
		"a number is used once":                              storeNumbersOnce,
		"due orders are leased to one worker":                storeLeases,
		"a lease that ran out is handed to the next":         storeLeaseEnds,
		"a lease is prolonged and ended by its holder alone": storeLeaseHolder,
		"many workers lease every order once":                storeLeasesConcurrently,
		"of many writers one wins":                           storeOneWriter,
		"of many openers of a purpose one wins":              storeOneOpener,
		"a notice is received once and worked off":           storeInbox,
		"the books sum up and cases are listed":              storeBooks,
		"a case without an order is kept and closed":         storeOrphan,
		"lists filter, newest first":                         storeLists,
		"an order that does not exist is not found":          storeNotFound,
		"a command under a cancelled context writes nothing": storeCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

func epoch() time.Time { return time.Date(2026, 11, 21, 8, 0, 0, 0, hospital.CST) }

func sampleOrder(n int) payment.Order {
	at := epoch().Add(time.Duration(n) * time.Second)
	return payment.Order{
		ID: hospital.NewID("o", at), State: payment.Quoted, Live: true, Opened: at, Changed: at,
		Next: at.Add(time.Hour), Due: at.Add(time.Hour),
		Charge: hospital.Charge{
			Key: hospital.Key(fmt.Sprintf("charge-%d", n)), Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: fmt.Sprintf("B%d", n)},
			Campus: "main", Patient: "P1", Actor: hospital.Actor{Kind: hospital.ActorUser, ID: "u1", Entry: hospital.EntryWeChat},
			Amount: 1250, QuoteVersion: "7", Description: "门诊缴费", Expires: at.Add(time.Hour),
		},
	}
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
	return v
}

func want(t *testing.T, what string, got, wanted any) {
	t.Helper()
	if !reflect.DeepEqual(got, wanted) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, wanted)
	}
}

func wantError(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got error %v, want %v", err, target)
	}
}

func opened(t *testing.T, s payment.Store, n int) payment.Order {
	t.Helper()
	o, err := s.Open(t.Context(), payment.Change{Order: sampleOrder(n)})
	return must(t, o, err)
}

func save(t *testing.T, s payment.Store, c payment.Change) payment.Order {
	t.Helper()
	if err := s.Save(t.Context(), c); err != nil {
		t.Fatalf("save: %v", err)
	}
	c.Order.Version++
	return c.Order
}

// attempted, paid and owed move an order along its life as the cashier does.
func attempted(o payment.Order) payment.Change {
	o = o.Clone()
	o.State, o.Changed = payment.Payable, epoch().Add(time.Minute)
	o.Attempts = append(o.Attempts, payment.Attempt{
		TradeNo: payment.TradeNo(o.ID + "-1"), Channel: "till", Payer: "payer-1", Amount: o.Charge.Amount, Description: "门诊缴费",
		Expires: o.Charge.Expires, Request: []byte(`{"bytes":1}`), State: payment.AttemptOpen, Created: epoch(),
		Sent: epoch().Add(time.Second), Tries: 2, Next: epoch().Add(2 * time.Second), Closing: epoch().Add(3 * time.Second),
	})
	o.Due = epoch().Add(2 * time.Second)
	return payment.Change{Order: o}
}

func paid(o payment.Order) payment.Change {
	o = o.Clone()
	a := &o.Attempts[0]
	a.State, a.TransactionID, a.PaidAt, a.Next = payment.AttemptPaid, "T1", epoch().Add(3*time.Second), time.Time{}
	o.State, o.PaidBy, o.PaidAt, o.Held = payment.Paid, a.TradeNo, a.PaidAt, a.Amount
	return payment.Change{
		Order: o,
		Postings: []payment.Posting{{Key: string(a.TradeNo) + "/paid", Order: o.ID, At: epoch(), Entries: []payment.Entry{
			{Account: payment.Receivable("till"), Amount: a.Amount}, {Account: payment.Suspense(o.ID), Amount: -a.Amount},
		}}},
		Events: []hospital.Event{{Kind: "order.paid", ID: o.ID}},
		Audit:  []hospital.AuditEntry{{At: epoch(), Actor: hospital.System("payment"), Action: "order.paid", Object: o.ID, Patient: "P1", Outcome: "ok"}},
	}
}

func owed(o payment.Order) payment.Change {
	o = o.Clone()
	a := o.Attempts[0]
	o.State, o.Reason, o.Live, o.Held, o.Owed, o.Causes = payment.RefundDue, "cancelled", false, 0, a.Amount, []string{"cancelled", "twice"}
	o.Tries, o.Until = 3, epoch().Add(time.Hour)
	o.Refunds = append(o.Refunds, payment.Refund{
		No: payment.RefundNo(a.TradeNo + "-r1"), TradeNo: a.TradeNo, TransactionID: "T1", Channel: "till", Amount: a.Amount, Total: a.Amount,
		Cause: "cancelled", State: payment.RefundIsDue, Created: epoch(), Sent: epoch().Add(time.Second), Tries: 1,
		Next: epoch().Add(time.Minute), RefundID: "R1", ByHand: true, Done: epoch().Add(time.Minute),
	})
	o.Cases = append(o.Cases, payment.Case{
		ID: string(a.TradeNo) + "/amount_mismatch", Order: o.ID, Subject: string(a.TradeNo), Reason: payment.CaseAmountMismatch,
		Detail: "one fen more", Opened: epoch(),
	})
	return payment.Change{Order: o, Postings: []payment.Posting{{
		Key: string(a.TradeNo) + "/refund_due", Order: o.ID, At: epoch().Add(time.Second), Entries: []payment.Entry{
			{Account: payment.Suspense(o.ID), Amount: a.Amount}, {Account: payment.Payback(o.ID), Amount: -a.Amount},
		},
	}}}
}

// utc makes orders comparable: instants are the same in every zone.
func utc(o payment.Order) payment.Order {
	o = o.Clone()
	all := []*time.Time{&o.Charge.Expires, &o.Opened, &o.Changed, &o.PaidAt, &o.Until, &o.Next, &o.Due}
	for i := range o.Attempts {
		a := &o.Attempts[i]
		all = append(all, &a.Expires, &a.Created, &a.Sent, &a.Next, &a.PaidAt, &a.Closing)
	}
	for i := range o.Refunds {
		r := &o.Refunds[i]
		all = append(all, &r.Created, &r.Sent, &r.Next, &r.Done)
	}
	for i := range o.Cases {
		all = append(all, &o.Cases[i].Opened, &o.Cases[i].Closed)
	}
	for _, at := range all {
		if !at.IsZero() {
			*at = at.UTC()
		} else {
			*at = time.Time{}
		}
	}
	return o
}

func storeOpensOnce(t *testing.T, s payment.Store) {
	o := opened(t, s, 1)
	again := sampleOrder(1)
	again.Charge.Amount = 1
	kept, err := s.Open(t.Context(), payment.Change{Order: again})
	want(t, "the first", utc(must(t, kept, err)), utc(o))
	found, err := s.Find(t.Context(), payment.Ref{Key: o.Charge.Key})
	want(t, "found", utc(must(t, found, err)), utc(o))
	_, err = s.Find(t.Context(), payment.Ref{ID: again.ID})
	wantError(t, err, payment.ErrNotFound)
}

func storeOnePerPurpose(t *testing.T, s payment.Store) {
	o := opened(t, s, 1)
	second := sampleOrder(2)
	second.Charge.Purpose = o.Charge.Purpose
	_, err := s.Open(t.Context(), payment.Change{Order: second})
	wantError(t, err, payment.ErrPurposeTaken)
	o.State, o.Live = payment.Closed, false
	save(t, s, payment.Change{Order: o})
	got, err := s.Open(t.Context(), payment.Change{Order: second})
	must(t, got, err)
	live, err := s.Find(t.Context(), payment.Ref{Purpose: o.Charge.Purpose})
	want(t, "the live one", must(t, live, err).ID, second.ID)
	for n := range 2 { // tombstones claim nothing, not even the empty purpose
		grave := payment.Order{ID: hospital.NewID("o", epoch()), State: payment.Closed, Opened: epoch(), Changed: epoch()}
		grave.Charge.Key = hospital.Key(fmt.Sprintf("grave-%d", n))
		got, err := s.Open(t.Context(), payment.Change{Order: grave})
		must(t, got, err)
	}
}

func storeKeepsAll(t *testing.T, s payment.Store) {
	o := save(t, s, attempted(opened(t, s, 1)))
	o = save(t, s, paid(o))
	o = save(t, s, owed(o))
	o.Cases[0].Closed, o.Cases[0].Outcome, o.Cases[0].Remark = epoch().Add(time.Hour), payment.NothingToMove, "看过"
	o.Cases[0].By = hospital.Actor{Kind: hospital.ActorStaff, ID: "s7", Entry: "desk"}
	o = save(t, s, payment.Change{Order: o})
	for _, ref := range []payment.Ref{
		{ID: o.ID},
		{Key: o.Charge.Key},
		{TradeNo: o.Attempts[0].TradeNo},
		{RefundNo: o.Refunds[0].No},
	} {
		got, err := s.Find(t.Context(), ref)
		want(t, "order", utc(must(t, got, err)), utc(o))
	}
}

func storeRefusesStale(t *testing.T, s payment.Store) {
	o := save(t, s, attempted(opened(t, s, 1)))
	stale := paid(o)
	stale.Order.Version--
	wantError(t, s.Save(t.Context(), stale), payment.ErrMoved)
	postings, err := s.Postings(t.Context(), o.ID)
	want(t, "postings", len(must(t, postings, err)), 0)
	save(t, s, paid(o))
}

func storeRefusesIllegal(t *testing.T, s payment.Store) {
	o := save(t, s, attempted(opened(t, s, 1)))
	back := payment.Change{Order: o.Clone()}
	back.Order.State = payment.Quoted
	lopsided := paid(o)
	lopsided.Postings = slices.Clone(lopsided.Postings)
	lopsided.Postings[0].Entries = lopsided.Postings[0].Entries[:1]
	unposted := paid(o)
	unposted.Postings = nil
	cheaper := payment.Change{Order: o.Clone()}
	cheaper.Order.Charge.Amount--
	stranger := payment.Change{Order: o.Clone()}
	stranger.Order.Attempts[0].Payer = "payer-2"
	unpaid := paid(o)
	unpaid.Order.Attempts[0].State = payment.AttemptOpen
	quiet := paid(o)
	quiet.Order.Due = time.Time{}
	for _, c := range []payment.Change{back, lopsided, unposted, cheaper, stranger, unpaid, quiet} {
		wantError(t, s.Save(t.Context(), c), &hospital.Error{Kind: hospital.Internal, Code: "illegal_change"})
	}
	got, err := s.Find(t.Context(), payment.Ref{ID: o.ID})
	want(t, "order", utc(must(t, got, err)), utc(o))
	balances, err := s.Balances(t.Context())
	want(t, "balances", len(must(t, balances, err)), 0)
}

func storeRefusesUsedNumber(t *testing.T, s payment.Store) {
	o := save(t, s, owed(save(t, s, paid(save(t, s, attempted(opened(t, s, 1)))))))
	again := payment.Change{Order: o.Clone()}
	again.Order.Refunds[0].State = payment.RefundIsClosed
	wantError(t, s.Save(t.Context(), again), &hospital.Error{Kind: hospital.Internal, Code: "illegal_change"})
	again.Order.Refunds[0].Next = time.Time{}
	closed := save(t, s, again)
	closed.Refunds = slices.Clone(closed.Refunds)
	closed.Refunds[0].State = payment.RefundIsSent
	wantError(t, s.Save(t.Context(), payment.Change{Order: closed}), &hospital.Error{Kind: hospital.Internal, Code: "illegal_change"})
	o = closed.Clone()
	o.Attempts[0].TransactionID = "T2"
	o.Refunds[0].State = payment.RefundIsClosed
	wantError(t, s.Save(t.Context(), payment.Change{Order: o}), &hospital.Error{Kind: hospital.Internal, Code: "illegal_change"})
}

func storePostsOnce(t *testing.T, s payment.Store) {
	first := paid(save(t, s, attempted(opened(t, s, 1))))
	save(t, s, first)
	second := paid(save(t, s, attempted(opened(t, s, 2))))
	second.Postings[0].Key = first.Postings[0].Key
	if err := s.Save(t.Context(), second); err == nil {
		t.Fatal("a posting key was written twice")
	}
	got, err := s.Find(t.Context(), payment.Ref{ID: second.Order.ID})
	want(t, "state", must(t, got, err).State, payment.Payable)
	balances, err := s.Balances(t.Context())
	want(t, "receivable", must(t, balances, err)[0], payment.Balance{Account: payment.Receivable("till"), Amount: 1250})
}

func storeNumbersOnce(t *testing.T, s payment.Store) {
	first := save(t, s, attempted(opened(t, s, 1)))
	second := attempted(opened(t, s, 2))
	second.Order.Attempts[0].TradeNo = first.Attempts[0].TradeNo
	if err := s.Save(t.Context(), second); err == nil {
		t.Fatal("a trade number was used twice")
	}
}

func storeLeases(t *testing.T, s payment.Store) {
	var all []payment.Order
	for n := range 3 {
		all = append(all, save(t, s, attempted(opened(t, s, n))))
	}
	late := all[2]
	late.Due = epoch().Add(time.Hour)
	all[2] = save(t, s, payment.Change{Order: late})
	early := all[1]
	early.Due = epoch()
	all[1] = save(t, s, payment.Change{Order: early})
	request := payment.LeaseRequest{Now: epoch().Add(time.Minute), N: 1, For: time.Hour, Holder: "worker-1"}
	lease := func(r payment.LeaseRequest) payment.Batch {
		t.Helper()
		b, err := s.Lease(t.Context(), r)
		return must(t, b, err)
	}
	b := lease(payment.LeaseRequest{Now: epoch().Add(-time.Second), N: 9, For: time.Hour})
	want(t, "nothing is due", len(b.Orders), 0)
	want(t, "next", b.Next.Equal(epoch()), true)
	b = lease(request)
	want(t, "the earliest", b.Orders[0].ID, all[1].ID)
	leased := b.Orders[0]
	wantError(t, s.Save(t.Context(), payment.Change{Order: all[1]}), payment.ErrMoved)
	request.N = 9
	b = lease(request)
	want(t, "the other", len(b.Orders), 1)
	want(t, "the other", b.Orders[0].ID, all[0].ID)
	want(t, "next", b.Next.Equal(late.Due), true)
	leased = save(t, s, payment.Change{Order: leased})
	want(t, "a save keeps the lease", len(lease(request).Orders), 0)
	leased = save(t, s, payment.Change{Order: leased, Release: true})
	b = lease(request)
	want(t, "handed back", b.Orders[0].ID, leased.ID)
	leased = b.Orders[0]
	leased.Due = time.Time{}
	save(t, s, payment.Change{Order: leased, Release: true})
	want(t, "no due time", len(lease(request).Orders), 0)
	held := all[2]
	held.Due, held.Holder = epoch(), "worker-2"
	save(t, s, payment.Change{Order: held, Lease: time.Hour})
	want(t, "kept by its writer", len(lease(request).Orders), 0)
}

func storeLeaseEnds(t *testing.T, s payment.Store) {
	o := save(t, s, attempted(opened(t, s, 1)))
	request := payment.LeaseRequest{Now: epoch().Add(time.Minute), N: 1, For: time.Millisecond}
	b, err := s.Lease(t.Context(), request)
	first := must(t, b, err).Orders[0]
	want(t, "leased", first.ID, o.ID)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		b, err := s.Lease(ctx, request)
		if len(must(t, b, err).Orders) == 1 {
			want(t, "fenced", b.Orders[0].Version > first.Version, true)
			break
		}
	}
	wantError(t, s.Save(t.Context(), payment.Change{Order: first}), payment.ErrMoved)
}

func storeLeaseHolder(t *testing.T, s payment.Store) {
	save(t, s, attempted(opened(t, s, 1)))
	request := payment.LeaseRequest{Now: epoch().Add(time.Minute), N: 9, For: time.Hour, Holder: "worker-1"}
	b, err := s.Lease(t.Context(), request)
	mine := must(t, b, err).Orders[0]
	want(t, "the holder of what was leased", mine.Holder, "worker-1")
	found, err := s.Find(t.Context(), payment.Ref{ID: mine.ID})
	other := must(t, found, err)
	want(t, "the holder of what was found", other.Holder, "")
	leased := func() int {
		t.Helper()
		b, err := s.Lease(t.Context(), payment.LeaseRequest{Now: request.Now, N: 9, For: time.Millisecond, Holder: "worker-3"})
		return len(must(t, b, err).Orders)
	}
	other.Holder = "worker-2"
	wantError(t, s.Save(t.Context(), payment.Change{Order: other, Lease: time.Hour}), payment.ErrHeld)
	wantError(t, s.Save(t.Context(), payment.Change{Order: heldBy(other, ""), Lease: time.Hour}),
		&hospital.Error{Kind: hospital.Internal, Code: "illegal_change"})
	other = save(t, s, payment.Change{Order: other, Release: true}) // nothing was written: the version is the same
	want(t, "after another's release", leased(), 0)
	other = save(t, s, payment.Change{Order: heldBy(other, ""), Release: true})
	want(t, "after nobody's release", leased(), 0)
	mine = save(t, s, payment.Change{Order: heldBy(other, "worker-1"), Lease: time.Hour})
	want(t, "prolonged", leased(), 0)
	mine = save(t, s, payment.Change{Order: mine, Release: true})
	other = save(t, s, payment.Change{Order: heldBy(mine, "worker-2"), Lease: time.Hour})
	want(t, "taken when it was free", leased(), 0)
	wantError(t, s.Save(t.Context(), payment.Change{Order: heldBy(other, "worker-1"), Lease: time.Hour}), payment.ErrHeld)
	save(t, s, payment.Change{Order: other, Release: true})
	want(t, "handed back", leased(), 1)
}

func heldBy(o payment.Order, holder string) payment.Order {
	o.Holder = holder
	return o
}

func storeLeasesConcurrently(t *testing.T, s payment.Store) {
	const orders, workers = 24, 6
	for n := range orders {
		save(t, s, attempted(opened(t, s, n)))
	}
	var mu sync.Mutex
	handed := map[string]int{}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for {
				b, err := s.Lease(t.Context(), payment.LeaseRequest{Now: epoch().Add(time.Hour), N: 2, For: time.Hour})
				if err != nil {
					t.Errorf("lease: %v", err)
					return
				}
				if len(b.Orders) == 0 {
					return
				}
				mu.Lock()
				for _, o := range b.Orders {
					handed[o.ID]++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	want(t, "orders handed out", len(handed), orders)
	for id, n := range handed {
		want(t, "times "+id+" was handed out", n, 1)
	}
}

func storeOneWriter(t *testing.T, s payment.Store) {
	o := save(t, s, attempted(opened(t, s, 1)))
	var won atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			switch err := s.Save(t.Context(), paid(o)); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, payment.ErrMoved):
				t.Errorf("save: %v", err)
			}
		})
	}
	group.Wait()
	want(t, "winners", won.Load(), int64(1))
	postings, err := s.Postings(t.Context(), "")
	want(t, "postings", len(must(t, postings, err)), 1)
}

func storeOneOpener(t *testing.T, s payment.Store) {
	var won atomic.Int64
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			o := sampleOrder(n)
			o.Charge.Purpose.ID = "B"
			switch _, err := s.Open(t.Context(), payment.Change{Order: o}); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, payment.ErrPurposeTaken):
				t.Errorf("open: %v", err)
			}
		})
	}
	group.Wait()
	want(t, "winners", won.Load(), int64(1))
}

func storeInbox(t *testing.T, s payment.Store) {
	trade := payment.Trade{
		TradeNo: "order-1-1", State: payment.TradePaid, Amount: 5, Currency: payment.Currency, TransactionID: "T1", PaidAt: epoch().UTC(),
	}
	refund := payment.RefundStatus{
		No: "order-1-1-r1", TradeNo: "order-1-1", State: payment.RefundSucceeded, Amount: 5, Currency: payment.Currency,
		RefundID: "R1", At: epoch().UTC(), Detail: "ok",
	}
	notices := []payment.Notice{
		{Channel: "till", ID: "n1", Trade: &trade, Received: epoch().UTC()},
		{Channel: "till", ID: "n2", Refund: &refund, Received: epoch().Add(time.Second).UTC()},
		{Channel: "other", ID: "n1", Trade: &trade, Received: epoch().Add(2 * time.Second).UTC()},
	}
	for _, n := range append(notices, notices...) {
		if err := s.Receive(t.Context(), n); err != nil {
			t.Fatalf("receive: %v", err)
		}
	}
	pending := func(n int) []payment.Notice {
		t.Helper()
		got, err := s.Pending(t.Context(), n)
		must(t, got, err)
		for i := range got {
			got[i].Received = got[i].Received.UTC()
			if got[i].Trade != nil {
				got[i].Trade.PaidAt = got[i].Trade.PaidAt.UTC()
			}
			if got[i].Refund != nil {
				got[i].Refund.At = got[i].Refund.At.UTC()
			}
		}
		return got
	}
	want(t, "inbox", pending(9), notices)
	want(t, "the first", pending(1), notices[:1])
	if err := s.Save(t.Context(), payment.Change{Notice: payment.NoticeID{Channel: "till", ID: "n1"}}); err != nil {
		t.Fatalf("save: %v", err)
	}
	o := opened(t, s, 1)
	save(t, s, payment.Change{Order: o, Notice: payment.NoticeID{Channel: "till", ID: "n2"}})
	want(t, "left", pending(9), notices[2:])
	if err := s.Receive(t.Context(), notices[0]); err != nil {
		t.Fatalf("receive again: %v", err)
	}
	want(t, "a redelivery of what is done", pending(9), notices[2:])
}

func storeBooks(t *testing.T, s payment.Store) {
	first := save(t, s, paid(save(t, s, attempted(opened(t, s, 1)))))
	second := save(t, s, owed(save(t, s, paid(save(t, s, attempted(opened(t, s, 2)))))))
	balances, err := s.Balances(t.Context())
	must(t, balances, err)
	want(t, "balances", slices.IsSortedFunc(balances, func(a, b payment.Balance) int {
		return cmpAccount(a.Account, b.Account)
	}), true)
	sums := map[payment.Account]hospital.Fen{}
	for _, b := range balances {
		sums[b.Account] = b.Amount
	}
	want(t, "balances", sums, map[payment.Account]hospital.Fen{
		payment.Receivable("till"): 2500, payment.Suspense(first.ID): -1250, payment.Payback(second.ID): -1250,
	})
	postings, err := s.Postings(t.Context(), second.ID)
	must(t, postings, err)
	want(t, "postings", len(postings), 2)
	want(t, "the first posting", postings[0].Key, string(second.Attempts[0].TradeNo)+"/paid")
	want(t, "its entries", postings[0].Entries, []payment.Entry{
		{Account: payment.Receivable("till"), Amount: 1250}, {Account: payment.Suspense(second.ID), Amount: -1250},
	})
	want(t, "its time", postings[0].At.Equal(epoch()), true)
	cases, err := s.Cases(t.Context(), 9)
	want(t, "cases", len(must(t, cases, err)), 1)
	found, err := s.Case(t.Context(), cases[0].ID)
	want(t, "case", must(t, found, err).Order, second.ID)
}

func cmpAccount(a, b payment.Account) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func storeOrphan(t *testing.T, s payment.Store) {
	orphan := payment.Case{ID: "till:foreign-1/unknown_trade", Subject: "till:foreign-1", Reason: payment.CaseUnknownTrade, Opened: epoch()}
	for range 2 {
		if err := s.Save(t.Context(), payment.Change{Orphan: &orphan}); err != nil {
			t.Fatalf("save: %v", err)
		}
	}
	cases, err := s.Cases(t.Context(), 9)
	want(t, "cases", len(must(t, cases, err)), 1)
	ours := payment.Case{ID: "till:EV-1/dead_notice", Subject: "till:EV-1", Reason: payment.CaseDeadNotice, Opened: epoch().Add(time.Minute)}
	if err := s.Save(t.Context(), payment.Change{Orphan: &ours}); err != nil {
		t.Fatalf("save: %v", err)
	}
	cases, err = s.Cases(t.Context(), 1)
	want(t, "what comes before other people's payments", must(t, cases, err)[0].ID, ours.ID)
	ours.Closed, ours.Outcome, ours.By = epoch().Add(time.Hour), payment.NothingToMove, hospital.Actor{Kind: hospital.ActorStaff, ID: "s1", Entry: "desk"}
	if err := s.Save(t.Context(), payment.Change{Orphan: &ours}); err != nil {
		t.Fatalf("save: %v", err)
	}
	orphan.Closed, orphan.Outcome, orphan.Remark = epoch().Add(time.Hour), payment.NothingToMove, "别的入口"
	orphan.By = hospital.Actor{Kind: hospital.ActorStaff, ID: "s1", Entry: "desk"}
	if err := s.Save(t.Context(), payment.Change{Orphan: &orphan}); err != nil {
		t.Fatalf("save: %v", err)
	}
	late := orphan
	late.Closed, late.Remark, late.By.ID = late.Closed.Add(time.Second), "second thoughts", "s2"
	if err := s.Save(t.Context(), payment.Change{Orphan: &late}); !errors.Is(err, payment.ErrCaseClosed) {
		t.Fatalf("closed by a second person: %v", err)
	}
	cases, err = s.Cases(t.Context(), 9)
	want(t, "open cases", len(must(t, cases, err)), 0)
	found, err := s.Case(t.Context(), orphan.ID)
	must(t, found, err)
	want(t, "closed", found.Open(), false)
	want(t, "by", found.By, orphan.By)
}

func storeLists(t *testing.T, s payment.Store) {
	first, second := opened(t, s, 1), save(t, s, attempted(opened(t, s, 2)))
	for _, c := range []struct {
		filter payment.Filter
		ids    []string
	}{
		{payment.Filter{Limit: 9}, []string{second.ID, first.ID}},
		{payment.Filter{Limit: 1}, []string{second.ID}},
		{payment.Filter{Patient: "P1", State: payment.Quoted, Limit: 9}, []string{first.ID}},
		{payment.Filter{Purpose: second.Charge.Purpose, Limit: 9}, []string{second.ID}},
		{payment.Filter{Patient: "P2", Limit: 9}, nil},
	} {
		orders, err := s.List(t.Context(), c.filter)
		var ids []string
		for _, o := range must(t, orders, err) {
			ids = append(ids, o.ID)
		}
		want(t, "list", ids, c.ids)
	}
}

func storeNotFound(t *testing.T, s payment.Store) {
	for _, ref := range []payment.Ref{
		{ID: "o1"},
		{Key: "charge-1"},
		{TradeNo: "order-1-1"},
		{RefundNo: "order-1-1-r1"},
		{Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: "B1"}},
		{},
	} {
		_, err := s.Find(t.Context(), ref)
		wantError(t, err, payment.ErrNotFound)
	}
	_, err := s.Case(t.Context(), "o1/delivery_unknown")
	wantError(t, err, payment.ErrNotFound)
	wantError(t, s.Save(t.Context(), payment.Change{Order: sampleOrder(1)}), payment.ErrNotFound)
}

func storeCancelled(t *testing.T, s payment.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Open(ctx, payment.Change{Order: sampleOrder(1)})
	if hospital.KindOf(err) != hospital.Unavailable {
		t.Fatalf("got %v, want Unavailable", err)
	}
	_, err = s.Find(t.Context(), payment.Ref{Key: "charge-1"})
	wantError(t, err, payment.ErrNotFound)
}
