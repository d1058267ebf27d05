package paymentsql

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/payment"
)

func insertPosting(tx *sqldb.Tx, version int64, n int, p payment.Posting) error {
	if _, err := tx.Exec("INSERT INTO pay_postings (posting_key, order_id, version, n, posted_at) VALUES ($1, $2, $3, $4, $5)",
		p.Key, p.Order, version, int64(n), sqldb.Millis(p.At)); err != nil {
		return err
	}
	for i, e := range p.Entries {
		if _, err := tx.Exec("INSERT INTO pay_entries (posting_key, n, account, amount) VALUES ($1, $2, $3, $4)",
			p.Key, int64(i), string(e.Account), int64(e.Amount)); err != nil {
			return err
		}
	}
	return nil
}

// line is one entry with the posting it stands in.
type line struct {
	posting payment.Posting
	entry   payment.Entry
}

func scanLine(rows *sql.Rows) (line, error) {
	var l line
	err := rows.Scan(&l.posting.Key, &l.posting.Order, moment{&l.posting.At}, &l.entry.Account, &l.entry.Amount)
	return l, err
}

// Postings implements payment.Store.
func (s *Store) Postings(ctx context.Context, order string) ([]payment.Posting, error) {
	query := `SELECT p.posting_key, p.order_id, p.posted_at, e.account, e.amount
		FROM pay_postings p JOIN pay_entries e ON e.posting_key = p.posting_key `
	var args []any
	if order != "" {
		query += "WHERE p.order_id = $1 ORDER BY p.version, p.n, e.n"
		args = []any{order}
	} else {
		query += "ORDER BY p.posted_at, p.order_id, p.version, p.n, e.n"
	}
	var lines []line
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		lines, err = sqldb.Collect(tx, scanLine, query, args...)
		return err
	})
	if err != nil {
		return nil, err
	}
	var postings []payment.Posting
	for _, l := range lines {
		if n := len(postings); n == 0 || postings[n-1].Key != l.posting.Key {
			postings = append(postings, l.posting)
		}
		last := &postings[len(postings)-1]
		last.Entries = append(last.Entries, l.entry)
	}
	return postings, nil
}

// Balances implements payment.Store.
func (s *Store) Balances(ctx context.Context) ([]payment.Balance, error) {
	var balances []payment.Balance
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		balances, err = sqldb.Collect(tx, func(rows *sql.Rows) (payment.Balance, error) {
			var b payment.Balance
			err := rows.Scan(&b.Account, &b.Amount)
			return b, err
		}, `SELECT account, CAST(sum(amount) AS BIGINT) FROM pay_entries GROUP BY account HAVING sum(amount) <> 0`)
		return err
	})
	// Sorted here: a database's idea of the alphabet is its administrator's.
	slices.SortFunc(balances, func(a, b payment.Balance) int { return cmp.Compare(a.Account, b.Account) })
	return balances, err
}

// Cases implements payment.Store.
func (s *Store) Cases(ctx context.Context, n int) ([]payment.Case, error) {
	return s.cases(ctx, "closed = 0 ORDER BY CASE reason WHEN $2 THEN 1 ELSE 0 END, opened, id LIMIT $1", n, string(payment.CaseUnknownTrade))
}

// Case implements payment.Store.
func (s *Store) Case(ctx context.Context, id string) (payment.Case, error) {
	found, err := s.cases(ctx, "id = $1", id)
	if err != nil {
		return payment.Case{}, err
	}
	if len(found) == 0 {
		return payment.Case{}, payment.ErrNotFound
	}
	return found[0], nil
}

func (s *Store) cases(ctx context.Context, where string, args ...any) ([]payment.Case, error) {
	var cases []payment.Case
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		cases, err = sqldb.Collect(tx, scanCase, "SELECT "+caseColumns.String()+" FROM pay_cases WHERE "+where, args...)
		return err
	})
	return cases, err
}
