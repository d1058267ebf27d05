package paymenttest

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

// Memory is a payment.Store in memory. It forgets everything with the process;
// within it, it is as strict as a database.
type Memory struct {
	wall func() time.Time

	mu       sync.Mutex
	orders   map[string]payment.Order
	leases   map[string]lease
	seq      map[string]int // in which sequence orders were opened
	postings []payment.Posting
	posted   map[string]bool
	numbers  map[string]string // trade and refund numbers → their order
	inbox    []payment.Notice
	received map[payment.NoticeID]bool // true: done
	orphans  []payment.Case
	events   []hospital.Event
	audit    []hospital.AuditEntry
	fail     func(command string) error
}

// lease is who has an order, and until when on the wall clock.
type lease struct {
	holder string
	until  time.Time
}

// NewMemory returns an empty store whose leases run on the wall clock, nil for
// time.Now.
func NewMemory(wall func() time.Time) *Memory {
	if wall == nil {
		wall = time.Now
	}
	return &Memory{
		wall: wall, orders: map[string]payment.Order{}, leases: map[string]lease{}, seq: map[string]int{},
		posted: map[string]bool{}, numbers: map[string]string{}, received: map[payment.NoticeID]bool{},
	}
}

// FailWith lets f break commands, named "Save", "Lease" …; nil breaks none. A
// command that fails writes nothing.
func (m *Memory) FailWith(f func(command string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = f
}

func (m *Memory) lock(ctx context.Context, command string) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, &hospital.Error{Kind: hospital.Unavailable, Op: "paymenttest.Memory", Err: err}
	}
	m.mu.Lock()
	if m.fail != nil {
		if err := m.fail(command); err != nil {
			m.mu.Unlock()
			return nil, err
		}
	}
	return m.mu.Unlock, nil
}

// Open implements payment.Store.
func (m *Memory) Open(ctx context.Context, c payment.Change) (payment.Order, error) {
	unlock, err := m.lock(ctx, "Open")
	if err != nil {
		return payment.Order{}, err
	}
	defer unlock()
	for _, o := range m.orders {
		if o.Charge.Key == c.Order.Charge.Key {
			return o.Clone(), nil
		}
	}
	for _, o := range m.orders {
		if o.Live && c.Order.Live && o.Charge.Purpose == c.Order.Charge.Purpose {
			return payment.Order{}, payment.ErrPurposeTaken
		}
	}
	o := c.Order.Clone()
	o.Version = 1
	m.orders[o.ID] = o
	m.seq[o.ID] = len(m.seq)
	m.write(c)
	return o.Clone(), nil
}

// Find implements payment.Store.
func (m *Memory) Find(ctx context.Context, ref payment.Ref) (payment.Order, error) {
	unlock, err := m.lock(ctx, "Find")
	if err != nil {
		return payment.Order{}, err
	}
	defer unlock()
	for _, o := range m.orders {
		if matches(o, ref) {
			return o.Clone(), nil
		}
	}
	return payment.Order{}, payment.ErrNotFound
}

func matches(o payment.Order, ref payment.Ref) bool {
	switch {
	case ref.ID != "":
		return o.ID == ref.ID
	case ref.Key != "":
		return o.Charge.Key == ref.Key
	case ref.TradeNo != "":
		_, ok := o.Attempt(ref.TradeNo)
		return ok
	case ref.RefundNo != "":
		_, ok := o.Refund(ref.RefundNo)
		return ok
	}
	return ref.Purpose != (hospital.Purpose{}) && o.Live && o.Charge.Purpose == ref.Purpose
}

// List implements payment.Store.
func (m *Memory) List(ctx context.Context, f payment.Filter) ([]payment.Order, error) {
	unlock, err := m.lock(ctx, "List")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []payment.Order
	for _, o := range m.orders {
		if (f.Patient == "" || o.Charge.Patient == f.Patient) && (f.State == "" || o.State == f.State) &&
			(f.Purpose == hospital.Purpose{} || o.Charge.Purpose == f.Purpose) {
			found = append(found, o.Clone())
		}
	}
	slices.SortFunc(found, func(a, b payment.Order) int { return m.seq[b.ID] - m.seq[a.ID] })
	return found[:min(len(found), f.Limit)], nil
}

// Save implements payment.Store.
func (m *Memory) Save(ctx context.Context, c payment.Change) error {
	unlock, err := m.lock(ctx, "Save")
	if err != nil {
		return err
	}
	defer unlock()
	if c.Order.ID != "" {
		if err := m.saveOrder(c); err != nil {
			return err
		}
	}
	if c.Orphan != nil && !c.Orphan.Open() && slices.ContainsFunc(m.orphans, func(o payment.Case) bool { return o.ID == c.Orphan.ID && !o.Open() }) {
		return payment.ErrCaseClosed
	}
	m.write(c)
	return nil
}

func (m *Memory) saveOrder(c payment.Change) error {
	old, ok := m.orders[c.Order.ID]
	switch {
	case !ok:
		return payment.ErrNotFound
	case old.Version != c.Order.Version:
		return payment.ErrMoved
	}
	if err := c.Check(old); err != nil {
		return err //nolint:wrapcheck // the store's own answer
	}
	for _, p := range c.Postings {
		if m.posted[p.Key] {
			return broken("posted_twice", p.Key)
		}
	}
	wall := m.wall()
	if has := m.leases[c.Order.ID]; c.Lease > 0 && has.holder != c.Order.Holder && has.until.After(wall) {
		return payment.ErrHeld
	}
	o := c.Order.Clone()
	for no := range numbersOf(o) {
		if owner := m.numbers[no]; owner != "" && owner != o.ID {
			return broken("number_taken", no)
		}
	}
	for no := range numbersOf(o) {
		m.numbers[no] = o.ID
	}
	switch {
	case c.Lease > 0:
		m.leases[o.ID] = lease{o.Holder, wall.Add(c.Lease)}
	case c.Release && o.Holder != "" && m.leases[o.ID].holder == o.Holder:
		delete(m.leases, o.ID)
	}
	o.Version, o.Holder = o.Version+1, ""
	m.orders[o.ID] = o
	return nil
}

func numbersOf(o payment.Order) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, a := range o.Attempts {
			if !yield("trade " + string(a.TradeNo)) {
				return
			}
		}
		for _, r := range o.Refunds {
			if !yield("refund " + string(r.No)) {
				return
			}
		}
	}
}

func broken(code, detail string) error {
	return &hospital.Error{Kind: hospital.Internal, Op: "paymenttest.Memory", Code: code, Detail: detail}
}

// write appends what a change brings beside its order.
func (m *Memory) write(c payment.Change) {
	for _, p := range c.Postings {
		m.posted[p.Key] = true
		m.postings = append(m.postings, p)
	}
	if c.Notice != (payment.NoticeID{}) {
		m.received[c.Notice] = true
	}
	if c.Orphan != nil {
		m.orphans = slices.DeleteFunc(m.orphans, func(o payment.Case) bool { return o.ID == c.Orphan.ID })
		m.orphans = append(m.orphans, *c.Orphan)
	}
	m.events = append(m.events, c.Events...)
	m.audit = append(m.audit, c.Audit...)
}

// Lease implements payment.Store.
func (m *Memory) Lease(ctx context.Context, r payment.LeaseRequest) (payment.Batch, error) {
	unlock, err := m.lock(ctx, "Lease")
	if err != nil {
		return payment.Batch{}, err
	}
	defer unlock()
	due := slices.DeleteFunc(slices.Collect(maps.Values(m.orders)), func(o payment.Order) bool { return o.Due.IsZero() })
	slices.SortFunc(due, func(a, b payment.Order) int {
		return cmp.Or(a.Due.Compare(b.Due), m.seq[a.ID]-m.seq[b.ID])
	})
	var batch payment.Batch
	wall := m.wall()
	for _, o := range due {
		next := o.Due
		if left := m.leases[o.ID].until.Sub(wall); left > 0 {
			if free := r.Now.Add(left); free.After(next) {
				next = free
			}
		} else if !o.Due.After(r.Now) && len(batch.Orders) < r.N {
			o.Version++
			m.orders[o.ID] = o
			m.leases[o.ID] = lease{r.Holder, wall.Add(r.For)}
			o.Holder = r.Holder
			batch.Orders = append(batch.Orders, o.Clone())
			continue
		}
		if batch.Next.IsZero() || next.Before(batch.Next) {
			batch.Next = next
		}
	}
	return batch, nil
}

// Receive implements payment.Store.
func (m *Memory) Receive(ctx context.Context, n payment.Notice) error {
	unlock, err := m.lock(ctx, "Receive")
	if err != nil {
		return err
	}
	defer unlock()
	id := payment.NoticeID{Channel: n.Channel, ID: n.ID}
	if _, known := m.received[id]; !known {
		m.received[id] = false
		m.inbox = append(m.inbox, n)
	}
	return nil
}

// Pending implements payment.Store.
func (m *Memory) Pending(ctx context.Context, n int) ([]payment.Notice, error) {
	unlock, err := m.lock(ctx, "Pending")
	if err != nil {
		return nil, err
	}
	defer unlock()
	m.inbox = slices.DeleteFunc(m.inbox, func(n payment.Notice) bool {
		return m.received[payment.NoticeID{Channel: n.Channel, ID: n.ID}]
	})
	return slices.Clone(m.inbox[:min(n, len(m.inbox))]), nil
}

// Postings implements payment.Store.
func (m *Memory) Postings(ctx context.Context, order string) ([]payment.Posting, error) {
	unlock, err := m.lock(ctx, "Postings")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var found []payment.Posting
	for _, p := range m.postings {
		if order == "" || p.Order == order {
			found = append(found, p)
		}
	}
	return found, nil
}

// Balances implements payment.Store.
func (m *Memory) Balances(ctx context.Context) ([]payment.Balance, error) {
	unlock, err := m.lock(ctx, "Balances")
	if err != nil {
		return nil, err
	}
	defer unlock()
	sums := map[payment.Account]hospital.Fen{}
	for _, p := range m.postings {
		for _, e := range p.Entries {
			sums[e.Account] += e.Amount
		}
	}
	var balances []payment.Balance
	for _, account := range slices.Sorted(maps.Keys(sums)) {
		if sums[account] != 0 {
			balances = append(balances, payment.Balance{Account: account, Amount: sums[account]})
		}
	}
	return balances, nil
}

// Cases implements payment.Store.
func (m *Memory) Cases(ctx context.Context, n int) ([]payment.Case, error) {
	unlock, err := m.lock(ctx, "Cases")
	if err != nil {
		return nil, err
	}
	defer unlock()
	open := slices.DeleteFunc(m.allCases(), func(c payment.Case) bool { return !c.Open() })
	last := func(c payment.Case) int {
		if c.Reason == payment.CaseUnknownTrade {
			return 1
		}
		return 0
	}
	slices.SortFunc(open, func(a, b payment.Case) int {
		return cmp.Or(last(a)-last(b), a.Opened.Compare(b.Opened), cmp.Compare(a.ID, b.ID))
	})
	return open[:min(n, len(open))], nil
}

func (m *Memory) allCases() []payment.Case {
	all := slices.Clone(m.orphans)
	for _, o := range m.orders {
		all = append(all, o.Cases...)
	}
	return all
}

// Case implements payment.Store.
func (m *Memory) Case(ctx context.Context, id string) (payment.Case, error) {
	unlock, err := m.lock(ctx, "Case")
	if err != nil {
		return payment.Case{}, err
	}
	defer unlock()
	for _, c := range m.allCases() {
		if c.ID == id {
			return c, nil
		}
	}
	return payment.Case{}, payment.ErrNotFound
}

// Events returns every event written so far.
func (m *Memory) Events() []hospital.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// Audit returns every audit entry written so far.
func (m *Memory) Audit() []hospital.AuditEntry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.audit)
}
