package bookingtest

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
)

// Store is a booking.Store in memory. Nothing in it survives the process; use
// it in tests and to try things out.
type Store struct {
	wall func() time.Time

	mu        sync.Mutex
	rows      map[string]row
	policies  []booking.PolicyVersion
	quotas    map[hospital.SlotID]*quota
	bindings  []booking.Binding
	handovers []booking.Handover
	unlocked  []booking.Unlocking
	events    []hospital.Event
	audit     []hospital.AuditEntry
}

type row struct {
	booking.Appointment
	seq        int
	leaseUntil time.Time
}

type quota struct {
	numbers  []int // all that are ours
	next     int   // index of the first never sold
	freed    []int // sold before it, ascending
	deferred []int // sold after all others
}

// NewStore returns an empty store. Wall is the clock that leases run by; nil is
// time.Now.
func NewStore(wall func() time.Time) *Store {
	if wall == nil {
		wall = time.Now
	}
	return &Store{
		wall: wall, rows: map[string]row{}, quotas: map[hospital.SlotID]*quota{},
	}
}

// Events returns what happened so far.
func (s *Store) Events() []hospital.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Audit returns the audit trail so far.
func (s *Store) Audit() []hospital.AuditEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.audit)
}

// Sell implements booking.Appointments.
func (s *Store) Sell(_ context.Context, sale booking.Sale) (booking.Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := sale.Appointment
	if err := sale.Allow(s.history(hospital.UserID(a.Actor.ID), a.Patient, hospital.DateOf(a.CreatedAt))); err != nil {
		return booking.Appointment{}, err
	}
	if _, ok := s.rows[a.ID]; ok {
		return booking.Appointment{}, internal("Sell", "appointment exists")
	}
	if sale.Quota {
		number, ok := s.quotas[a.Slot].take()
		if !ok {
			return booking.Appointment{}, booking.ErrSlotTaken
		}
		a.Number = number
	}
	a.Version = 1
	s.rows[a.ID] = row{Appointment: a, seq: len(s.rows), leaseUntil: s.wall().Add(sale.Lease)}
	s.audit = append(s.audit, sale.Audit)
	return a, nil
}

func (q *quota) take() (int, bool) {
	switch {
	case q == nil:
		return 0, false
	case len(q.freed) > 0:
		number := q.freed[0]
		q.freed = q.freed[1:]
		return number, true
	case q.next < len(q.numbers):
		q.next++
		return q.numbers[q.next-1], true
	case len(q.deferred) > 0:
		number := q.deferred[0]
		q.deferred = q.deferred[1:]
		return number, true
	}
	return 0, false
}

// Save implements booking.Appointments.
func (s *Store) Save(_ context.Context, change booking.Change) (booking.Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := change.Appointment
	before, ok := s.rows[next.ID]
	switch {
	case !ok:
		return booking.Appointment{}, notFound("Save")
	case before.Version != next.Version:
		return booking.Appointment{}, booking.ErrStale
	case !before.State.MayBecome(next.State):
		return booking.Appointment{}, internal("Save", "illegal move from "+string(before.State)+" to "+string(next.State))
	}
	next.Version++
	after := row{Appointment: next, seq: before.seq}
	if change.Lease > 0 {
		after.leaseUntil = s.wall().Add(change.Lease)
	}
	if quota := s.quotas[next.Slot]; next.Number > 0 && quota != nil {
		switch change.Number {
		case booking.FreeNumber:
			quota.freed = append(quota.freed, next.Number)
			slices.Sort(quota.freed)
		case booking.DeferNumber:
			quota.deferred = append(quota.deferred, next.Number)
		case booking.KeepNumber, booking.BurnNumber:
		}
	}
	s.events = append(s.events, change.Events...)
	if change.Tell != nil {
		s.events = append(s.events, change.Tell(s.history("", next.Patient, hospital.DateOf(change.Audit.At)))...)
	}
	s.rows[next.ID] = after
	s.audit = append(s.audit, change.Audit)
	return next, nil
}

// Lease implements booking.Appointments.
func (s *Store) Lease(_ context.Context, lease booking.Lease) ([]booking.Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.wall()
	var due []row
	for _, r := range s.rows {
		if !r.DueAt.IsZero() && !r.DueAt.After(lease.Now) && !r.leaseUntil.After(now) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b row) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	due = due[:min(len(due), lease.N)]
	leased := make([]booking.Appointment, len(due))
	for i, r := range due {
		r.Version++
		r.leaseUntil = now.Add(lease.For)
		s.rows[r.ID] = r
		leased[i] = r.Appointment
	}
	return leased, nil
}

// Find implements booking.Appointments.
func (s *Store) Find(_ context.Context, id string) (booking.Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rows[id]
	if !ok {
		return booking.Appointment{}, notFound("Find")
	}
	return r.Appointment, nil
}

// List implements booking.Appointments.
func (s *Store) List(_ context.Context, query booking.Query) ([]booking.Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []row
	for _, r := range s.rows {
		if query.Patient != "" && r.Patient != query.Patient ||
			query.Schedule != "" && r.Schedule != query.Schedule ||
			!query.Date.IsZero() && r.Date != query.Date ||
			len(query.States) > 0 && !slices.Contains(query.States, r.State) ||
			query.Live && !r.State.Live() {
			continue
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int { return b.seq - a.seq })
	limit := query.Limit
	if limit <= 0 {
		limit = booking.DefaultListLimit
	}
	list := make([]booking.Appointment, 0, len(rows))
	for _, r := range rows[:min(len(rows), limit, booking.MaxListLimit)] {
		list = append(list, r.Appointment)
	}
	return list, nil
}

// Publish implements booking.Policies.
func (s *Store) Publish(_ context.Context, version booking.PolicyVersion, audit hospital.AuditEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.policies {
		if v.Version != version.Version {
			continue
		}
		if bytes.Equal(v.Body, version.Body) {
			return nil
		}
		return &hospital.Error{Kind: hospital.Conflict, Op: "bookingtest.Publish", Code: "version_exists", Detail: version.Version}
	}
	s.policies = append(s.policies, version)
	s.audit = append(s.audit, audit)
	slices.SortStableFunc(s.policies, func(a, b booking.PolicyVersion) int { return a.ValidFrom.Compare(b.ValidFrom) })
	return nil
}

// PolicyVersions implements booking.Policies.
func (s *Store) PolicyVersions(context.Context) ([]booking.PolicyVersion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.policies), nil
}

// Grant implements booking.Quotas.
func (s *Store) Grant(_ context.Context, slots []booking.QuotaSlot, audit hospital.AuditEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range slots {
		q := s.quotas[slot.Slot]
		if q == nil {
			q = &quota{}
			s.quotas[slot.Slot] = q
		}
		for _, number := range slot.Numbers {
			if !slices.Contains(q.numbers, number) {
				q.numbers = append(q.numbers, number)
			}
		}
	}
	s.audit = append(s.audit, audit)
	return nil
}

// Recall implements booking.Quotas.
func (s *Store) Recall(_ context.Context, recall booking.QuotaRecall, audit hospital.AuditEntry) ([]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.quotas[recall.Slot]
	if q == nil {
		return nil, notFound("Recall")
	}
	chosen := recall.Choose(slices.Concat(q.freed, q.numbers[q.next:], q.deferred))
	taken := func(number int) bool { return slices.Contains(chosen, number) }
	sold := slices.DeleteFunc(slices.Clone(q.numbers[:q.next]), taken)
	q.numbers = append(sold, slices.DeleteFunc(slices.Clone(q.numbers[q.next:]), taken)...)
	q.next = len(sold)
	q.freed = slices.DeleteFunc(slices.Clone(q.freed), taken)
	q.deferred = slices.DeleteFunc(slices.Clone(q.deferred), taken)
	audit.Object = recall.Object(chosen)
	s.audit = append(s.audit, audit)
	return chosen, nil
}

// QuotaLeft implements booking.Quotas.
func (s *Store) QuotaLeft(_ context.Context, slots []hospital.SlotID) (map[hospital.SlotID]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := map[hospital.SlotID]int{}
	for _, slot := range slots {
		if q := s.quotas[slot]; q != nil {
			left[slot] = len(q.numbers) - q.next + len(q.freed) + len(q.deferred)
		}
	}
	return left, nil
}

// Bind implements booking.Bindings.
func (s *Store) Bind(_ context.Context, command booking.BindCommand) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var holder hospital.UserID
	held := 0
	for _, b := range s.bindings {
		if b.Patient == command.Binding.Patient {
			holder = b.User
		}
		if b.User == command.Binding.User {
			held++
		}
	}
	if err := command.Allow(holder, held); err != nil {
		return err
	}
	if holder == command.Binding.User {
		return nil
	}
	s.bindings = slices.DeleteFunc(s.bindings, func(b booking.Binding) bool { return b.Patient == command.Binding.Patient })
	s.bindings = append(s.bindings, command.Binding)
	s.handovers = append(s.handovers, booking.Handover{
		ID: command.ID, Patient: command.Binding.Patient, User: command.Binding.User, Former: holder, At: command.Binding.Since,
	})
	s.events = append(s.events, command.Events...)
	if holder != "" {
		s.events = append(s.events, command.Taken...)
	}
	s.audit = append(s.audit, command.Audit)
	return nil
}

// Unbind implements booking.Bindings.
func (s *Store) Unbind(_ context.Context, binding booking.Binding, audit hospital.AuditEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.bindings)
	s.bindings = slices.DeleteFunc(s.bindings, func(b booking.Binding) bool {
		return b.User == binding.User && b.Patient == binding.Patient
	})
	if len(s.bindings) == before {
		return notFound("Unbind")
	}
	s.audit = append(s.audit, audit)
	return nil
}

// Bound implements booking.Bindings.
func (s *Store) Bound(_ context.Context, user hospital.UserID) ([]booking.Binding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bound []booking.Binding
	for _, b := range s.bindings {
		if b.User == user {
			bound = append(bound, b)
		}
	}
	return bound, nil
}

// History implements booking.Bindings.
func (s *Store) History(_ context.Context, user hospital.UserID, patient hospital.PatientID, today hospital.Date) (booking.History, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history(user, patient, today), nil
}

func (s *Store) history(user hospital.UserID, patient hospital.PatientID, today hospital.Date) booking.History {
	history := booking.History{
		Bound: slices.ContainsFunc(s.bindings, func(b booking.Binding) bool { return b.User == user && b.Patient == patient }),
	}
	for _, unlocking := range s.unlocked {
		if unlocking.Patient == patient && unlocking.At.After(history.Unlocked) {
			history.Unlocked = unlocking.At
		}
	}
	for _, r := range s.rows {
		switch {
		case r.Patient != patient:
		case r.State == booking.NoShow:
			history.Strikes = append(history.Strikes, booking.Strike{Date: r.Date, At: r.EndedAt})
		case r.State.Counts() && !r.Date.Before(today):
			history.Live = append(history.Live, booking.Visit{Date: r.Date, Department: r.Department, Doctor: r.Doctor, Slot: r.Slot})
		}
	}
	slices.SortFunc(history.Strikes, func(a, b booking.Strike) int { return a.At.Compare(b.At) })
	slices.SortFunc(history.Live, func(a, b booking.Visit) int {
		return cmp.Or(a.Date.At(0, 0).Compare(b.Date.At(0, 0)), cmp.Compare(a.Slot, b.Slot))
	})
	return history
}

// Unlock implements booking.Bindings.
func (s *Store) Unlock(_ context.Context, command booking.UnlockCommand) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlocked = append(s.unlocked, booking.Unlocking{ID: command.ID, Patient: command.Patient, At: command.At})
	s.events = append(s.events, command.Events...)
	s.audit = append(s.audit, command.Audit)
	return nil
}

// Handover implements booking.Records.
func (s *Store) Handover(_ context.Context, id string) (booking.Handover, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, handover := range s.handovers {
		if handover.ID == id {
			return handover, nil
		}
	}
	return booking.Handover{}, notFound("Handover")
}

// Unlocked implements booking.Records.
func (s *Store) Unlocked(_ context.Context, id string) (booking.Unlocking, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, unlocking := range s.unlocked {
		if unlocking.ID == id {
			return unlocking, nil
		}
	}
	return booking.Unlocking{}, notFound("Unlocked")
}

// Record implements booking.Records.
func (s *Store) Record(_ context.Context, entry hospital.AuditEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.audit = append(s.audit, entry)
	return nil
}

func internal(op, detail string) error {
	return &hospital.Error{Kind: hospital.Internal, Op: "bookingtest." + op, Detail: detail}
}

func notFound(op string) error {
	return &hospital.Error{Kind: hospital.NotFound, Op: "bookingtest." + op, Code: "not_found"}
}
