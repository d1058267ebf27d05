package sqldb

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// sealKey is the key of the chain that lies over the audit rows: each gets a
// sequence number and an HMAC over itself, its number and the HMAC before it.
type sealKey []byte

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
func (k sealKey) sum(r sealedRow) string {
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
	return k.mac(b)
}

func (k sealKey) mac(b []byte) string {
	h := hmac.New(sha256.New, k)
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// Seal chains every committed audit row that is not chained yet and returns
// how many. Rows are sealed right after their commit rather than in it, so
// that no command waits for a chain; until then, about a second while
// [DB.RunSealer] runs, a row is not protected. One sealer at a time works, of
// however many processes; the others wait.
//
// Seal is Invalid with code no_seal_key without Config.SealKey, and Internal
// with code audit_tampered, sealing nothing, when the chain no longer ends as
// this process left it or its last row is not ours: whoever took seals off to
// have changed rows sealed again must not get them. Look at [DB.Verify]
// before a restart, which seals again.
func (db *DB) Seal(ctx context.Context) (n int, err error) {
	if err := db.maySeal("sqldb.Seal"); err != nil {
		return 0, err
	}
	for {
		some, err := db.anyUnsealed(ctx)
		if err != nil || !some {
			return n, err
		}
		batch, err := db.sealBatch(ctx)
		n += batch
		if err != nil || batch < sealBatch {
			return n, err
		}
	}
}

func (db *DB) maySeal(op string) error {
	if len(db.sealKey) == 0 {
		return &hospital.Error{Kind: hospital.Invalid, Op: op, Code: "no_seal_key", Detail: "Config.SealKey is required"}
	}
	return nil
}

func (db *DB) anyUnsealed(ctx context.Context) (some bool, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		return tx.QueryRow("SELECT EXISTS (SELECT 1 FROM audit WHERE seq IS NULL)").Scan(&some)
	})
	return some, err
}

// sealBatch chains the next rows. Rows commit in another order than their ids
// on PostgreSQL, so the chain follows "not yet sealed", never "id above the
// last".
func (db *DB) sealBatch(ctx context.Context) (n int, err error) {
	known := db.sealed.end()
	var last sealedRow
	err = db.Write(ctx, func(tx *Tx) error {
		if err := tx.Lock("audit"); err != nil {
			return err
		}
		rows, err := Collect(tx, scanSealed, auditColumns+"WHERE seq IS NULL ORDER BY id LIMIT $1", sealBatch)
		if err != nil {
			return err
		}
		if last, err = db.chainEnd(tx, known); err != nil {
			return err
		}
		for i := range rows {
			r := &rows[i]
			r.seq, r.prev = last.seq+1, last.mac
			r.mac = db.sealKey.sum(*r)
			last = *r
		}
		for chunk := range slices.Chunk(rows, chunkRows) {
			if err := putSeals(tx, chunk); err != nil {
				return err
			}
		}
		n = len(rows)
		return nil
	})
	if err != nil {
		return 0, err
	}
	db.sealed.reached(last)
	return n, nil
}

// putSeals stores the seals of the rows. The casts tell PostgreSQL the types of
// the columns, which it takes from the first row.
func putSeals(tx *Tx, rows []sealedRow) error {
	var args []any
	for _, r := range rows {
		args = append(args, r.id, r.seq, r.prev, r.mac)
	}
	values := strings.Replace(tuples(len(rows), 4), "($1, $2, $3, $4)",
		"(CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT))", 1)
	_, err := tx.Exec("WITH sealed (id, seq, prev, mac) AS (VALUES "+values+`) UPDATE audit
		SET seq = sealed.seq, prev = sealed.prev, mac = sealed.mac FROM sealed WHERE audit.id = sealed.id AND audit.seq IS NULL`, args...)
	return err
}

// chainEnd returns the row that the chain continues from, after a look at
// whether it is still the chain that this process knows.
func (db *DB) chainEnd(tx *Tx, known Head) (sealedRow, error) {
	last, err := lastSealed(tx)
	if err != nil {
		return last, err
	}
	tampered := func(seq int64) (sealedRow, error) {
		return sealedRow{}, &hospital.Error{
			Kind: hospital.Internal, Op: "sqldb.Seal", Code: "audit_tampered",
			Detail: "row " + strconv.FormatInt(seq, 10) + " is gone, was changed or was sealed under another key",
		}
	}
	if last.seq != 0 && !hmac.Equal([]byte(last.mac), []byte(db.sealKey.sum(last))) {
		return tampered(last.seq)
	}
	if known.Seq == 0 {
		return last, nil
	}
	var mac string
	if err := tx.QueryRow("SELECT coalesce(max(mac), '') FROM audit WHERE seq = $1", known.Seq).Scan(&mac); err != nil {
		return last, err
	}
	if !hmac.Equal([]byte(mac), []byte(known.MAC)) {
		return tampered(known.Seq)
	}
	return last, nil
}

// sealedEnd is the end of the chain as this process last left it.
type sealedEnd struct {
	mu   sync.Mutex
	head Head // Sig and At are not used
}

func (e *sealedEnd) end() Head {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.head
}

func (e *sealedEnd) reached(r sealedRow) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.seq > e.head.Seq {
		e.head = Head{Seq: r.seq, MAC: r.mac}
	}
}

func lastSealed(tx *Tx) (sealedRow, error) {
	rows, err := Collect(tx, scanSealed, auditColumns+"WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1")
	if err != nil || len(rows) == 0 {
		return sealedRow{}, err
	}
	return rows[0], nil
}

// RunSealer seals right after every commit of this process, and every second
// what others wrote, until ctx is done; then it returns nil. What Seal refuses
// goes to the log.
func (db *DB) RunSealer(ctx context.Context) error {
	if err := db.maySeal("sqldb.RunSealer"); err != nil {
		return err
	}
	return run(ctx, db, &db.auditHint, func(ctx context.Context) error {
		_, err := db.Seal(ctx)
		return err
	})
}

// Head is the signed end of the chain. Exported to where the database's
// administrators cannot write (another machine, paper), it proves later that
// nothing up to it was cut off or sealed anew.
type Head struct {
	Seq int64     `json:"seq"`
	MAC string    `json:"mac"`
	At  time.Time `json:"at"` // when the head was made, by the database's clock, to the millisecond
	Sig string    `json:"sig"`
}

// Head returns the end of the chain, Seq 0 when nothing is sealed yet. It is
// Invalid with code no_seal_key without Config.SealKey.
func (db *DB) Head(ctx context.Context) (Head, error) {
	if err := db.maySeal("sqldb.Head"); err != nil {
		return Head{}, err
	}
	var h Head
	err := db.Read(ctx, func(tx *Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		last, err := lastSealed(tx)
		h = Head{Seq: last.seq, MAC: last.mac, At: Instant(now)}
		return err
	})
	if err != nil {
		return Head{}, err
	}
	h.Sig = db.sealKey.sign(h)
	return h, nil
}

func (k sealKey) sign(h Head) string {
	b := []byte("hospital audit head 1\x00")
	b = strconv.AppendInt(b, h.Seq, 10)
	b = append(append(append(b, 0), h.MAC...), 0)
	return k.mac(strconv.AppendInt(b, Millis(h.At), 10))
}

// Problem is one thing that is wrong with the trail.
type Problem struct {
	Seq  int64
	Code string // changed, missing, reordered, cut, forged_head
}

// Report is what [DB.Verify] found.
type Report struct {
	Sealed   int64     // rows that were checked
	Unsealed int64     // rows that wait for the sealer: not protected yet
	Oldest   time.Time // the time of the first of those
	Problems []Problem // at most 100
}

// OK reports whether nothing is wrong.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// Verify recomputes the whole chain and compares it with the heads that were
// exported earlier. It is Invalid with code no_seal_key without
// Config.SealKey.
//
//   - changed: the row's content, number or place is not what was sealed, or
//     the row was not sealed by us
//   - reordered: the row is genuine but does not follow the one before it
//   - missing: rows are gone before this number
//   - cut: the chain ends before an exported head, or differs there
//   - forged_head: the head was not made by us
//
// Somebody who can write the database but does not hold the key cannot change,
// remove, reorder or insert sealed rows unseen, with two exceptions. Rows that
// are not sealed yet he can change as he likes, and rows that he adds unsealed
// are sealed like ours. And at the end of the chain he can delete rows, or take
// their seals off, change them and wait for the sealer: this shows only against
// what this process itself sealed since it started, which Verify always looks
// at, and against an exported head. So export heads often.
func (db *DB) Verify(ctx context.Context, heads ...Head) (Report, error) {
	if err := db.maySeal("sqldb.Verify"); err != nil {
		return Report{}, err
	}
	var report Report
	known := db.sealed.end()
	err := db.Read(ctx, func(tx *Tx) error {
		report = Report{}
		v := verifier{key: db.sealKey, report: &report, heads: heads, met: make([]bool, len(heads)), known: known, knownMet: known.Seq == 0}
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
		report.Oldest = Instant(oldest.Int64)
		return nil
	})
	return report, err
}

// verifier walks the chain once, in the order of the numbers.
type verifier struct {
	key    sealKey
	report *Report
	heads  []Head
	met    []bool
	last   sealedRow

	known    Head // what this process sealed last
	knownMet bool
}

func (v *verifier) problem(seq int64, code string) {
	if len(v.report.Problems) < maxProblems {
		v.report.Problems = append(v.report.Problems, Problem{seq, code})
	}
}

func (v *verifier) row(r sealedRow) {
	v.report.Sealed++
	genuine := hmac.Equal([]byte(r.mac), []byte(v.key.sum(r)))
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
	if r.seq == v.known.Seq && r.mac == v.known.MAC {
		v.knownMet = true
	}
	v.last = r
}

func (v *verifier) end() {
	for i, h := range v.heads {
		switch {
		case !hmac.Equal([]byte(h.Sig), []byte(v.key.sign(h))):
			v.problem(h.Seq, "forged_head")
		case h.Seq > 0 && !v.met[i]:
			v.problem(h.Seq, "cut")
		}
	}
	if !v.knownMet && !slices.Contains(v.report.Problems, Problem{v.known.Seq, "cut"}) {
		v.problem(v.known.Seq, "cut")
	}
}
