package sqldb

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
)

const (
	// sealBatch bounds the rows one commit chains, so that the lock is short.
	sealBatch = 500
	// verifyPage bounds the rows Verify holds at once.
	verifyPage = 1000
	// maxProblems bounds the report: after the first it is known that somebody
	// was at the trail.
	maxProblems = 100
)

// Sealer chains the audit rows: each gets a sequence number and an HMAC over
// itself, its number and the HMAC before it. Whoever can write the database
// but does not hold the key cannot change, remove, reorder or insert a sealed
// row unseen. Rows are sealed right after their commit rather than in it, so
// that no command waits for a chain; until then, for about a second at most
// while [Sealer.Run] runs, a row is not yet protected.
type Sealer struct {
	db  *DB
	key []byte
}

// NewSealer returns a sealer. The key, at least 16 bytes, is kept outside the
// database and is not the PseudonymKey; rows sealed under one key are verified
// with that key only.
func NewSealer(db *DB, key []byte) (*Sealer, error) {
	if db == nil || len(key) < minKeyBytes {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "sqldb.NewSealer", Code: "bad_config", Detail: "a DB and a key of at least 16 bytes are required"}
	}
	return &Sealer{db: db, key: key}, nil
}

// sealedRow is an audit row as the chain covers it.
type sealedRow struct {
	id, seq, at                      int64
	actorKind, actorID, entry        string
	purpose, action, object, patient string
	outcome, ruleVersion, prev, mac  string
}

const auditColumns = `SELECT id, coalesce(seq, 0), at, actor_kind, actor_id, entry, purpose, action, object,
	patient, outcome, rule_version, prev, mac FROM audit `

func scanSealed(rows *sql.Rows) (sealedRow, error) {
	var r sealedRow
	err := rows.Scan(&r.id, &r.seq, &r.at, &r.actorKind, &r.actorID, &r.entry, &r.purpose, &r.action, &r.object,
		&r.patient, &r.outcome, &r.ruleVersion, &r.prev, &r.mac)
	return r, err
}

// sum returns the row's HMAC over its canonical bytes: a label with the format's
// version, the numbers in 8 bytes each, and every text behind its length, so
// that no two rows have the same bytes.
func (s *Sealer) sum(r sealedRow) string {
	b := []byte("hospital audit row 1\x00")
	for _, n := range []int64{r.seq, r.id, r.at} {
		b = binary.BigEndian.AppendUint64(b, uint64(n)) //nolint:gosec // the bits, not the value
	}
	for _, text := range []string{
		r.actorKind, r.actorID, r.entry, r.purpose, r.action, r.object, r.patient, r.outcome, r.ruleVersion, r.prev,
	} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text))) //nolint:gosec // a column is far shorter than 4 GB
		b = append(b, text...)
	}
	return s.mac(b)
}

func (s *Sealer) mac(b []byte) string {
	h := hmac.New(sha256.New, s.key)
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// Seal chains every committed row that is not sealed and returns how many.
// One sealer at a time works; another one waits. Rows commit in another order
// than their ids on PostgreSQL, so the chain follows "not yet sealed", never
// "id above the last".
func (s *Sealer) Seal(ctx context.Context) (n int, err error) {
	for {
		some, err := s.any(ctx)
		if err != nil || !some {
			return n, err
		}
		batch := 0
		if err := s.db.Write(ctx, func(tx *Tx) (err error) {
			batch, err = s.sealBatch(tx)
			return err
		}); err != nil {
			return n, err
		}
		n += batch
		if batch < sealBatch {
			return n, nil
		}
	}
}

func (s *Sealer) any(ctx context.Context) (some bool, err error) {
	err = s.db.Read(ctx, func(tx *Tx) error {
		return tx.QueryRow("SELECT EXISTS (SELECT 1 FROM audit WHERE seq IS NULL)").Scan(&some)
	})
	return some, err
}

func (s *Sealer) sealBatch(tx *Tx) (int, error) {
	if err := tx.Lock("audit"); err != nil {
		return 0, err
	}
	rows, err := Collect(tx, scanSealed, auditColumns+"WHERE seq IS NULL ORDER BY id LIMIT $1", sealBatch)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	last, err := lastSealed(tx)
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		r.seq, r.prev = last.seq+1, last.mac
		r.mac = s.sum(r)
		if _, err := tx.Exec("UPDATE audit SET seq = $2, prev = $3, mac = $4 WHERE id = $1 AND seq IS NULL", r.id, r.seq, r.prev, r.mac); err != nil {
			return 0, err
		}
		last = r
	}
	return len(rows), nil
}

func lastSealed(tx *Tx) (sealedRow, error) {
	rows, err := Collect(tx, scanSealed, auditColumns+"WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1")
	if err != nil || len(rows) == 0 {
		return sealedRow{}, err
	}
	return rows[0], nil
}

// Run seals right after every commit of this process, and every second what
// others wrote, until ctx is done.
func (s *Sealer) Run(ctx context.Context) error {
	return run(ctx, s.db, &s.db.auditHint, func(ctx context.Context) error {
		_, err := s.Seal(ctx)
		return err
	})
}

// Head is the signed end of the chain. Exported somewhere else (a file on
// another machine, paper) it proves later that nothing up to it was cut off.
type Head struct {
	Seq int64     `json:"seq"`
	MAC string    `json:"mac"`
	At  time.Time `json:"at"` // when the head was made, to the millisecond
	Sig string    `json:"sig"`
}

// Head returns the end of the chain, Seq 0 when nothing is sealed yet.
func (s *Sealer) Head(ctx context.Context, at time.Time) (Head, error) {
	h := Head{At: instant(millis(at))}
	err := s.db.Read(ctx, func(tx *Tx) error {
		last, err := lastSealed(tx)
		h.Seq, h.MAC = last.seq, last.mac
		return err
	})
	if err != nil {
		return Head{}, err
	}
	h.Sig = s.sign(h)
	return h, nil
}

func (s *Sealer) sign(h Head) string {
	b := []byte("hospital audit head 1\x00")
	b = strconv.AppendInt(b, h.Seq, 10)
	b = append(append(append(b, 0), h.MAC...), 0)
	return s.mac(strconv.AppendInt(b, millis(h.At), 10))
}

// Problem is one thing that is wrong with the trail.
type Problem struct {
	Seq  int64
	Code string // changed, missing, reordered, cut, forged_head
}

// Report is what [Sealer.Verify] found.
type Report struct {
	Sealed   int64     // rows that were checked
	Unsealed int64     // rows that wait for the sealer: not protected yet
	Oldest   time.Time // the time of the first of those
	Problems []Problem // at most 100
}

// OK reports whether nothing is wrong.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// Verify recomputes the whole chain and compares it with heads that were
// exported earlier; without one, rows cut off at the end cannot be missed.
//
//   - changed: the row's content, number or place is not what was sealed, or
//     the row was not sealed by us
//   - reordered: the row is genuine but does not follow the one before it
//   - missing: rows are gone before this number
//   - cut: the chain ends before an exported head, or differs there
//   - forged_head: the head was not made by us
func (s *Sealer) Verify(ctx context.Context, heads ...Head) (Report, error) {
	var report Report
	err := s.db.Read(ctx, func(tx *Tx) error {
		report = Report{}
		v := verifier{sealer: s, report: &report, heads: heads, met: make([]bool, len(heads))}
		for from := int64(math.MinInt64); ; from = v.last.seq {
			page, err := Collect(tx, scanSealed, auditColumns+"WHERE seq > $1 ORDER BY seq LIMIT $2", from, verifyPage)
			if err != nil {
				return err
			}
			for _, r := range page {
				v.row(r)
			}
			if len(page) < verifyPage {
				break
			}
		}
		v.end()
		var oldest sql.NullInt64
		if err := tx.QueryRow("SELECT count(*), min(at) FROM audit WHERE seq IS NULL").Scan(&report.Unsealed, &oldest); err != nil {
			return err
		}
		report.Oldest = instant(oldest.Int64)
		return nil
	})
	return report, err
}

// verifier walks the chain once, in the order of the numbers.
type verifier struct {
	sealer *Sealer
	report *Report
	heads  []Head
	met    []bool
	last   sealedRow
}

func (v *verifier) problem(seq int64, code string) {
	if len(v.report.Problems) < maxProblems {
		v.report.Problems = append(v.report.Problems, Problem{seq, code})
	}
}

func (v *verifier) row(r sealedRow) {
	v.report.Sealed++
	genuine := hmac.Equal([]byte(r.mac), []byte(v.sealer.sum(r)))
	switch {
	case !genuine:
		v.problem(r.seq, "changed")
	case r.seq != v.last.seq+1:
		v.problem(r.seq, "missing")
	case r.prev != v.last.mac:
		v.problem(r.seq, "reordered")
	}
	for i, h := range v.heads {
		if h.Seq == r.seq && hmac.Equal([]byte(h.MAC), []byte(r.mac)) {
			v.met[i] = true
		}
	}
	v.last = r
}

func (v *verifier) end() {
	for i, h := range v.heads {
		switch {
		case !hmac.Equal([]byte(h.Sig), []byte(v.sealer.sign(h))):
			v.problem(h.Seq, "forged_head")
		case h.Seq > 0 && !v.met[i]:
			v.problem(h.Seq, "cut")
		}
	}
}
