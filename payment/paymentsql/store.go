package paymentsql

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/payment"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is a database that the SQL stores of this module share.
type DB = sqldb.DB

// Config says which database to open.
type Config = sqldb.Config

// Head is the signed end of the audit trail, as [DB.Head] returns it and
// [DB.Verify] takes it.
type Head = sqldb.Head

// OpenDB opens a database for this and the other SQL stores.
func OpenDB(ctx context.Context, cfg Config) (*DB, error) { return sqldb.Open(ctx, cfg) }

// Store is a payment.Store in SQL. Make it with [New]; it is safe for
// concurrent use.
type Store struct {
	db   *DB
	seal seal
}

var _ payment.Store = (*Store)(nil)

// New brings the tables up to date and returns the store. The database stays
// the caller's to close. Config.PseudonymKey is required: a key derived from it
// keeps who pays from whoever has the database alone.
func New(ctx context.Context, db *DB) (*Store, error) {
	seal, err := newSeal(db)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("paymentsql.New: %w", err)
	}
	if err := db.Migrate(ctx, "payment", files); err != nil {
		return nil, fmt.Errorf("paymentsql.New: %w", err)
	}
	return &Store{db: db, seal: seal}, nil
}

func broken(code, detail string, err error) error {
	return &hospital.Error{Kind: hospital.Internal, Op: "paymentsql", Code: code, Detail: detail, Err: err}
}

// Open implements payment.Store.
func (s *Store) Open(ctx context.Context, c payment.Change) (payment.Order, error) {
	var kept payment.Order
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		found, err := s.findOrder(tx, payment.Ref{Key: c.Order.Charge.Key}, "")
		if err == nil || !errors.Is(err, payment.ErrNotFound) {
			kept = found
			return err
		}
		kept = c.Order.Clone()
		kept.Version = 1
		if err := insertOrder(tx, kept); err != nil {
			return err
		}
		return writeRest(tx, c)
	})
	if errors.Is(err, sqldb.ErrUnique) {
		// A key and its purpose are taken together; ours if it is the key.
		found, again := s.Find(ctx, payment.Ref{Key: c.Order.Charge.Key})
		if errors.Is(again, payment.ErrNotFound) {
			return payment.Order{}, payment.ErrPurposeTaken
		}
		return found, again
	}
	if err != nil {
		return payment.Order{}, err
	}
	return kept, nil
}

// Find implements payment.Store.
func (s *Store) Find(ctx context.Context, ref payment.Ref) (payment.Order, error) {
	var o payment.Order
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		o, err = s.findOrder(tx, ref, "")
		return err
	})
	return o, err
}

// List implements payment.Store.
func (s *Store) List(ctx context.Context, f payment.Filter) ([]payment.Order, error) {
	where, args := "1 = 1", []any{}
	add := func(column string, value any) {
		args = append(args, value)
		where += fmt.Sprintf(" AND %s = $%d", column, len(args))
	}
	if f.Patient != "" {
		add("patient", string(f.Patient))
	}
	if f.Purpose != (hospital.Purpose{}) {
		add("purpose_kind", string(f.Purpose.Kind))
		add("purpose_id", f.Purpose.ID)
	}
	if f.State != "" {
		add("state", string(f.State))
	}
	args = append(args, f.Limit)
	var ids []string
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		ids, err = sqldb.Collect(tx, scanText, fmt.Sprintf("SELECT id FROM pay_orders WHERE %s ORDER BY id DESC LIMIT $%d", where, len(args)), args...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.readable(ctx, ids)
}

// Save implements payment.Store.
func (s *Store) Save(ctx context.Context, c payment.Change) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if c.Order.ID != "" {
			if err := s.saveOrder(tx, c); err != nil {
				return err
			}
		}
		return writeRest(tx, c)
	})
	if errors.Is(err, sqldb.ErrUnique) {
		return broken("written_twice", "order "+c.Order.ID, err)
	}
	return err
}

func (s *Store) saveOrder(tx *sqldb.Tx, c payment.Change) error {
	old, err := s.findOrder(tx, payment.Ref{ID: c.Order.ID}, tx.ForUpdate())
	if err != nil {
		return err
	}
	if old.Version != c.Order.Version {
		return payment.ErrMoved
	}
	if err := c.Check(old); err != nil {
		return err //nolint:wrapcheck // the store's own answer
	}
	o := c.Order
	o.Version++
	if err := updateOrder(tx, o); err != nil {
		return err
	}
	for n, a := range o.Attempts {
		if n < len(old.Attempts) && reflect.DeepEqual(utc(a), utc(old.Attempts[n])) {
			continue
		}
		if err := s.putAttempt(tx, o.ID, n, a, n >= len(old.Attempts)); err != nil {
			return err
		}
	}
	for n, r := range o.Refunds {
		if n < len(old.Refunds) && r == old.Refunds[n] {
			continue
		}
		if err := putRefund(tx, o.ID, n, r, n >= len(old.Refunds)); err != nil {
			return err
		}
	}
	for n, k := range o.Cases {
		if n < len(old.Cases) && k == old.Cases[n] {
			continue
		}
		if err := putCase(tx, n, k); err != nil {
			return err
		}
	}
	return setLease(tx, c)
}

// utc lets two attempts be compared by their instants.
func utc(a payment.Attempt) payment.Attempt {
	for _, at := range []*time.Time{&a.Expires, &a.Created, &a.Sent, &a.Next, &a.PaidAt, &a.Closing} {
		*at = sqldb.Instant(sqldb.Millis(*at))
	}
	if len(a.Request) == 0 {
		a.Request = nil
	}
	return a
}

// setLease takes, prolongs or ends a lease. Only the holder's own gives way.
func setLease(tx *sqldb.Tx, c payment.Change) error {
	if c.Lease <= 0 {
		if !c.Release || c.Order.Holder == "" {
			return nil
		}
		_, err := tx.Exec("UPDATE pay_orders SET leased_until = 0, lease_holder = '' WHERE id = $1 AND lease_holder = $2",
			c.Order.ID, c.Order.Holder)
		return err
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	taken, err := tx.Exec(`UPDATE pay_orders SET leased_until = $3, lease_holder = $2
		WHERE id = $1 AND (lease_holder = $2 OR leased_until <= $4)`, c.Order.ID, c.Order.Holder, now+max(c.Lease.Milliseconds(), 1), now)
	if err == nil && taken == 0 {
		return payment.ErrHeld
	}
	return err
}

// writeRest writes what a change brings beside its order.
func writeRest(tx *sqldb.Tx, c payment.Change) error {
	for n, p := range c.Postings {
		if err := insertPosting(tx, c.Order.Version+1, n, p); err != nil {
			return err
		}
	}
	if c.Notice != (payment.NoticeID{}) {
		if _, err := tx.Exec("UPDATE pay_notices SET done = 1 WHERE channel = $1 AND notice_id = $2", c.Notice.Channel, c.Notice.ID); err != nil {
			return err
		}
	}
	if c.Orphan != nil {
		if err := putOrphan(tx, *c.Orphan); err != nil {
			return err
		}
	}
	if len(c.Events) > 0 {
		at := c.Order.Changed
		if len(c.Audit) > 0 {
			at = c.Audit[0].At
		}
		if err := sqldb.AppendEvents(tx, c.Events, at); err != nil {
			return err
		}
	}
	return sqldb.AppendAudit(tx, c.Audit...)
}

// maxSpoiltRounds bounds how many batches of unreadable orders one Lease
// passes over.
const maxSpoiltRounds = 64

// Lease implements payment.Store.
func (s *Store) Lease(ctx context.Context, r payment.LeaseRequest) (payment.Batch, error) {
	var batch payment.Batch
	for range maxSpoiltRounds {
		ids, next, err := s.take(ctx, r)
		if err != nil {
			return payment.Batch{}, err
		}
		batch.Next = next
		if batch.Orders, err = s.readable(ctx, ids); err != nil {
			return payment.Batch{}, err
		}
		if len(batch.Orders) > 0 || len(ids) == 0 {
			break
		}
	}
	for i := range batch.Orders {
		batch.Orders[i].Holder = r.Holder
	}
	return batch, nil
}

// take leases due orders without reading more of them than their names.
func (s *Store) take(ctx context.Context, r payment.LeaseRequest) (ids []string, next time.Time, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		skip := ""
		if tx.Engine() == sqldb.PostgreSQL {
			skip = " FOR UPDATE SKIP LOCKED"
		}
		ids, err = sqldb.Collect(tx, scanText, `SELECT id FROM pay_orders WHERE due > 0 AND due <= $1 AND leased_until <= $2
			ORDER BY due, id LIMIT $3`+skip, sqldb.Millis(r.Now), now, r.N)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := tx.Exec("UPDATE pay_orders SET version = version + 1, leased_until = $2, lease_holder = $3 WHERE id = $1",
				id, now+max(r.For.Milliseconds(), 1), r.Holder); err != nil {
				return err
			}
		}
		next, err = nextDue(tx, sqldb.Millis(r.Now), now)
		return err
	})
	return ids, next, err
}

// readable reads the orders of the ids and passes over those whose rows cannot
// be read: each becomes a case, so that it stops nobody and somebody sees it.
func (s *Store) readable(ctx context.Context, ids []string) ([]payment.Order, error) {
	var orders []payment.Order
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		orders = nil
		for _, id := range ids {
			o, err := s.findOrder(tx, payment.Ref{ID: id}, "")
			if err != nil {
				return err
			}
			orders = append(orders, o)
		}
		return nil
	})
	switch {
	case hospital.KindOf(err) != hospital.Internal || err == nil:
		return orders, err
	case len(ids) == 1:
		return nil, s.spoilt(ctx, ids[0])
	}
	orders = nil
	for _, id := range ids {
		one, err := s.readable(ctx, []string{id})
		if err != nil {
			return nil, err
		}
		orders = append(orders, one...)
	}
	return orders, nil
}

// spoilt shows an order that cannot be read. The case belongs to no order, so
// that staff can close it; it opens again while the rows stay as they are.
func (s *Store) spoilt(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		c := payment.Case{
			ID: id + "/" + string(payment.CaseUnreadable), Subject: id, Reason: payment.CaseUnreadable,
			Detail: "the stored rows of the order cannot be read", Opened: sqldb.Instant(now),
		}
		shown, err := tx.Exec(openCaseSQL, caseValues(0, c)...)
		if err != nil || shown == 0 {
			return err
		}
		if err := sqldb.AppendAudit(tx, hospital.AuditEntry{
			At: c.Opened, Actor: hospital.System("payment"), Purpose: string(c.Reason), Action: "case.open", Object: id, Outcome: "ok",
		}); err != nil {
			return err
		}
		return sqldb.AppendEvents(tx, []hospital.Event{{Kind: "order.manual", ID: id}}, c.Opened)
	})
}

// nextDue is when the earliest order that is not handed out may be: when it is
// due, or when its lease ends, which is on the database's clock.
func nextDue(tx *sqldb.Tx, business, now int64) (time.Time, error) {
	var next int64
	err := tx.QueryRow(`SELECT coalesce(min(CASE WHEN leased_until > $2 AND $1 + leased_until - $2 > due
		THEN $1 + leased_until - $2 ELSE due END), 0) FROM pay_orders WHERE due > 0`, business, now).Scan(&next)
	return sqldb.Instant(next), err
}

// Receive implements payment.Store.
func (s *Store) Receive(ctx context.Context, n payment.Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return broken("bad_notice", n.ID, err)
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec(`INSERT INTO pay_notices (channel, notice_id, body, received) VALUES ($1, $2, $3, $4)
			ON CONFLICT (channel, notice_id) DO NOTHING`, n.Channel, n.ID, string(body), sqldb.Millis(n.Received))
		return err
	})
}

// Pending implements payment.Store.
func (s *Store) Pending(ctx context.Context, n int) ([]payment.Notice, error) {
	var pending []payment.Notice
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		pending, err = sqldb.Collect(tx, scanNotice,
			"SELECT channel, notice_id, body FROM pay_notices WHERE done = 0 ORDER BY received, channel, notice_id LIMIT $1", n)
		return err
	})
	return pending, err
}
