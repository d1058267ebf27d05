package paymentsql

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/payment"
)

// moment scans a stored instant.
type moment struct{ at *time.Time }

// Scan implements sql.Scanner.
func (m moment) Scan(v any) error {
	ms, ok := v.(int64)
	if !ok {
		return fmt.Errorf("paymentsql: instant is %T", v)
	}
	*m.at = sqldb.Instant(ms)
	return nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// columns says what a table's columns are called, in the order of their values.
type columns []string

func (c columns) String() string { return strings.Join(c, ", ") }

// insert is the statement that inserts one row.
func (c columns) insert(table string) string {
	marks := make([]string, len(c))
	for i := range c {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	return "INSERT INTO " + table + " (" + c.String() + ") VALUES (" + strings.Join(marks, ", ") + ")"
}

// update is the statement that rewrites the row of the first column's value.
func (c columns) update(table string) string {
	return "UPDATE " + table + " SET " + c.set() + " WHERE " + c[0] + " = $1"
}

func (c columns) set() string {
	set := make([]string, 0, len(c)-1)
	for i, name := range c[1:] {
		set = append(set, fmt.Sprintf("%s = $%d", name, i+2))
	}
	return strings.Join(set, ", ")
}

// The columns, and the statements made of them once.
//
//nolint:gochecknoglobals // immutable tables
var (
	orderColumns = columns{
		"id", "version", "charge_key", "purpose_kind", "purpose_id", "campus", "patient", "actor_kind", "actor_id", "entry",
		"amount", "quote_version", "description", "expires", "state", "reason", "live", "opened", "changed", "paid_by", "paid_at",
		"held", "owed", "causes", "tries", "until_at", "next_at", "due",
	}
	attemptColumns = columns{
		"trade_no", "order_id", "n", "channel", "payer", "amount", "description", "expires", "request", "state", "created", "sent",
		"tries", "next_at", "transaction_id", "paid_at", "closing",
	}
	refundColumns = columns{
		"refund_no", "order_id", "n", "trade_no", "transaction_id", "channel", "amount", "total", "cause", "state", "created", "sent",
		"tries", "next_at", "refund_id", "done", "by_hand",
	}
	caseColumns = columns{
		"id", "order_id", "n", "subject", "reason", "detail", "opened", "closed", "outcome", "remark", "actor_kind", "actor_id", "entry",
	}

	insertOrderSQL, updateOrderSQL     = orderColumns.insert("pay_orders"), orderColumns.update("pay_orders")
	insertAttemptSQL, updateAttemptSQL = attemptColumns.insert("pay_attempts"), attemptColumns.update("pay_attempts")
	insertRefundSQL, updateRefundSQL   = refundColumns.insert("pay_refunds"), refundColumns.update("pay_refunds")
	putCaseSQL                         = caseColumns.insert("pay_cases") + " ON CONFLICT (id) DO UPDATE SET " + caseColumns.set()
	openCaseSQL                        = putCaseSQL + " WHERE pay_cases.closed <> 0"
	closeOrphanSQL                     = putCaseSQL + " WHERE pay_cases.closed = 0"
)

func orderValues(o payment.Order) ([]any, error) {
	causes, err := json.Marshal(o.Causes)
	if err != nil {
		return nil, broken("bad_causes", o.ID, err)
	}
	c := o.Charge
	return []any{
		o.ID, o.Version, string(c.Key), string(c.Purpose.Kind), c.Purpose.ID, string(c.Campus), string(c.Patient),
		string(c.Actor.Kind), c.Actor.ID, string(c.Actor.Entry), int64(c.Amount), c.QuoteVersion, c.Description, sqldb.Millis(c.Expires),
		string(o.State), o.Reason, flag(o.Live), sqldb.Millis(o.Opened), sqldb.Millis(o.Changed), string(o.PaidBy), sqldb.Millis(o.PaidAt),
		int64(o.Held), int64(o.Owed), string(causes), int64(o.Tries), sqldb.Millis(o.Until), sqldb.Millis(o.Next), sqldb.Millis(o.Due),
	}, nil
}

func insertOrder(tx *sqldb.Tx, o payment.Order) error {
	values, err := orderValues(o)
	if err != nil {
		return err
	}
	_, err = tx.Exec(insertOrderSQL, values...)
	return err
}

func updateOrder(tx *sqldb.Tx, o payment.Order) error {
	values, err := orderValues(o)
	if err != nil {
		return err
	}
	_, err = tx.Exec(updateOrderSQL, values...)
	return err
}

func scanOrder(rows *sql.Rows) (payment.Order, error) {
	var o payment.Order
	var causes string
	c := &o.Charge
	err := rows.Scan(
		&o.ID, &o.Version, &c.Key, &c.Purpose.Kind, &c.Purpose.ID, &c.Campus, &c.Patient, &c.Actor.Kind, &c.Actor.ID, &c.Actor.Entry,
		&c.Amount, &c.QuoteVersion, &c.Description, moment{&c.Expires}, &o.State, &o.Reason, &o.Live, moment{&o.Opened}, moment{&o.Changed},
		&o.PaidBy, moment{&o.PaidAt}, &o.Held, &o.Owed, &causes, &o.Tries, moment{&o.Until}, moment{&o.Next}, moment{&o.Due},
	)
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal([]byte(causes), &o.Causes); err != nil {
		return o, broken("bad_causes", o.ID, err)
	}
	return o, nil
}

func put(tx *sqldb.Tx, fresh bool, insert, update string, values []any) error {
	if fresh {
		_, err := tx.Exec(insert, values...)
		return err
	}
	_, err := tx.Exec(update, values...)
	return err
}

func (s *Store) putAttempt(tx *sqldb.Tx, order string, n int, a payment.Attempt, fresh bool) error {
	return put(tx, fresh, insertAttemptSQL, updateAttemptSQL, []any{
		string(a.TradeNo), order, int64(n), a.Channel, s.seal.close("payer of "+string(a.TradeNo), []byte(a.Payer)), int64(a.Amount), a.Description, sqldb.Millis(a.Expires),
		s.seal.close("request of "+string(a.TradeNo), a.Request), string(a.State), sqldb.Millis(a.Created), sqldb.Millis(a.Sent), int64(a.Tries),
		sqldb.Millis(a.Next), a.TransactionID, sqldb.Millis(a.PaidAt), sqldb.Millis(a.Closing),
	})
}

func (s *Store) scanAttempt(rows *sql.Rows) (payment.Attempt, error) {
	var a payment.Attempt
	var order, payer, request string
	var n int64
	err := rows.Scan(
		&a.TradeNo, &order, &n, &a.Channel, &payer, &a.Amount, &a.Description, moment{&a.Expires}, &request, &a.State,
		moment{&a.Created}, moment{&a.Sent}, &a.Tries, moment{&a.Next}, &a.TransactionID, moment{&a.PaidAt},
		moment{&a.Closing},
	)
	if err != nil {
		return a, err
	}
	who, err := s.seal.open("payer of "+string(a.TradeNo), payer)
	if err != nil {
		return a, err
	}
	a.Payer = payment.Payer(who)
	a.Request, err = s.seal.open("request of "+string(a.TradeNo), request)
	return a, err
}

func putRefund(tx *sqldb.Tx, order string, n int, r payment.Refund, fresh bool) error {
	return put(tx, fresh, insertRefundSQL, updateRefundSQL, []any{
		string(r.No), order, int64(n), string(r.TradeNo), r.TransactionID, r.Channel, int64(r.Amount), int64(r.Total), r.Cause,
		string(r.State), sqldb.Millis(r.Created), sqldb.Millis(r.Sent), int64(r.Tries), sqldb.Millis(r.Next), r.RefundID, sqldb.Millis(r.Done), flag(r.ByHand),
	})
}

func scanRefund(rows *sql.Rows) (payment.Refund, error) {
	var r payment.Refund
	var order string
	var n int64
	err := rows.Scan(
		&r.No, &order, &n, &r.TradeNo, &r.TransactionID, &r.Channel, &r.Amount, &r.Total, &r.Cause, &r.State,
		moment{&r.Created}, moment{&r.Sent}, &r.Tries, moment{&r.Next}, &r.RefundID, moment{&r.Done}, &r.ByHand,
	)
	return r, err
}

func caseValues(n int, c payment.Case) []any {
	return []any{
		c.ID, c.Order, int64(n), c.Subject, string(c.Reason), c.Detail, sqldb.Millis(c.Opened), sqldb.Millis(c.Closed),
		string(c.Outcome), c.Remark, string(c.By.Kind), c.By.ID, string(c.By.Entry),
	}
}

func putCase(tx *sqldb.Tx, n int, c payment.Case) error {
	_, err := tx.Exec(putCaseSQL, caseValues(n, c)...)
	return err
}

// putOrphan opens a case without an order, or closes it, which only one can.
func putOrphan(tx *sqldb.Tx, c payment.Case) error {
	if c.Open() {
		return putCase(tx, 0, c)
	}
	n, err := tx.Exec(closeOrphanSQL, caseValues(0, c)...)
	if err == nil && n == 0 {
		err = payment.ErrCaseClosed
	}
	return err
}

func scanCase(rows *sql.Rows) (payment.Case, error) {
	var c payment.Case
	var n int64
	err := rows.Scan(&c.ID, &c.Order, &n, &c.Subject, &c.Reason, &c.Detail, moment{&c.Opened}, moment{&c.Closed}, &c.Outcome, &c.Remark,
		&c.By.Kind, &c.By.ID, &c.By.Entry)
	return c, err
}

func scanNotice(rows *sql.Rows) (payment.Notice, error) {
	var n payment.Notice
	var id payment.NoticeID
	var body string
	if err := rows.Scan(&id.Channel, &id.ID, &body); err != nil {
		return n, err
	}
	if err := json.Unmarshal([]byte(body), &n); err != nil {
		n = payment.Notice{} // one spoilt row is not to stop those behind it
	}
	n.Channel, n.ID = id.Channel, id.ID
	return n, nil
}

func scanText(rows *sql.Rows) (string, error) {
	var s string
	err := rows.Scan(&s)
	return s, err
}

// findOrder reads the order that ref names, with everything that belongs to it.
func (s *Store) findOrder(tx *sqldb.Tx, ref payment.Ref, lock string) (payment.Order, error) {
	var where string
	var args []any
	switch {
	case ref.ID != "":
		where, args = "id = $1", []any{ref.ID}
	case ref.Key != "":
		where, args = "charge_key = $1", []any{string(ref.Key)}
	case ref.TradeNo != "":
		where, args = "id = (SELECT order_id FROM pay_attempts WHERE trade_no = $1)", []any{string(ref.TradeNo)}
	case ref.RefundNo != "":
		where, args = "id = (SELECT order_id FROM pay_refunds WHERE refund_no = $1)", []any{string(ref.RefundNo)}
	case ref.Purpose != (hospital.Purpose{}):
		where, args = "live = 1 AND purpose_kind = $1 AND purpose_id = $2", []any{string(ref.Purpose.Kind), ref.Purpose.ID}
	default:
		return payment.Order{}, payment.ErrNotFound
	}
	found, err := s.loadOrders(tx, where+lock, args...)
	if err != nil {
		return payment.Order{}, err
	}
	if len(found) == 0 {
		return payment.Order{}, payment.ErrNotFound
	}
	return found[0], nil
}

func (s *Store) loadOrders(tx *sqldb.Tx, where string, args ...any) ([]payment.Order, error) {
	orders, err := sqldb.Collect(tx, scanOrder, "SELECT "+orderColumns.String()+" FROM pay_orders WHERE "+where, args...)
	if err != nil {
		return nil, err
	}
	for i := range orders {
		if err := s.loadParts(tx, &orders[i]); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

func (s *Store) loadParts(tx *sqldb.Tx, o *payment.Order) (err error) {
	const of = " WHERE order_id = $1 ORDER BY n"
	if o.Attempts, err = sqldb.Collect(tx, s.scanAttempt, "SELECT "+attemptColumns.String()+" FROM pay_attempts"+of, o.ID); err != nil {
		return err
	}
	if o.Refunds, err = sqldb.Collect(tx, scanRefund, "SELECT "+refundColumns.String()+" FROM pay_refunds"+of, o.ID); err != nil {
		return err
	}
	o.Cases, err = sqldb.Collect(tx, scanCase, "SELECT "+caseColumns.String()+" FROM pay_cases"+of, o.ID)
	return err
}
