package bill

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

//go:embed migrations
var migrations embed.FS

// state is where a charge for a bill stands.
type state string

const (
	quoted      state = "quoted"
	telling     state = "telling" // the HIS is being told of the payment
	settled     state = "settled"
	refused     state = "refused"     // the HIS said no to the first word
	withdrawing state = "withdrawing" // the HIS is being told to take it back
	withdrawn   state = "withdrawn"
)

// row is a charge as it is kept.
type row struct {
	Charge hospital.Charge
	Opaque string // of the bill
	state  state
	ver    int64
	sentAt time.Time
}

func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return &hospital.Error{Kind: hospital.Internal, Op: "bill.New", Err: err}
	}
	return db.Migrate(ctx, "bill", files)
}

const columns = "state, version, sent_at, body"

func scan(found interface{ Scan(dest ...any) error }) (row, error) {
	var r row
	var body string
	var sent int64
	if err := found.Scan(&r.state, &r.ver, &sent, &body); err != nil {
		return row{}, err
	}
	ver, st := r.ver, r.state
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return row{}, &hospital.Error{Kind: hospital.Internal, Op: "bill.Desk", Code: "unreadable", Err: err}
	}
	r.ver, r.state, r.sentAt = ver, st, sqldb.Instant(sent)
	return r, nil
}

// find returns the charge, false when there is none.
func (d *Desk) find(ctx context.Context, key hospital.Key) (r row, ok bool, err error) {
	err = d.cfg.DB.Read(ctx, func(tx *sqldb.Tx) (err error) {
		r, err = scan(tx.QueryRow("SELECT "+columns+" FROM bill_charges WHERE charge_key = $1", string(key)))
		ok = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return err
	})
	return r, ok, err
}

// live returns the quote of the bill that can still be paid, but not the one
// that the caller knows to be closed.
func (d *Desk) live(ctx context.Context, c hospital.Charge, closed hospital.Key) (r row, ok bool, err error) {
	err = d.cfg.DB.Read(ctx, func(tx *sqldb.Tx) (err error) {
		r, err = scan(tx.QueryRow("SELECT "+columns+` FROM bill_charges WHERE patient = $1 AND bill = $2 AND quote = $3 AND amount = $4
			AND state = 'quoted' AND expires_at > $5 AND charge_key <> $6 ORDER BY expires_at DESC LIMIT 1`,
			string(c.Patient), c.Purpose.ID, c.QuoteVersion, int64(c.Amount), sqldb.Millis(d.cfg.Now()), string(closed)))
		ok = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return err
	})
	return r, ok, err
}

// insert keeps a new charge; it reports false when the key is there already.
func (d *Desk) insert(ctx context.Context, r row, actor hospital.Actor, action string) (bool, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return false, &hospital.Error{Kind: hospital.Internal, Op: "bill.Desk", Err: err}
	}
	var n int64
	err = d.cfg.DB.Write(ctx, func(tx *sqldb.Tx) (err error) {
		n, err = tx.Exec(`INSERT INTO bill_charges (charge_key, version, state, patient, bill, quote, amount, expires_at, sent_at, body)
			VALUES ($1, 1, $2, $3, $4, $5, $6, $7, 0, $8) ON CONFLICT (charge_key) DO NOTHING`,
			string(r.Charge.Key), string(r.state), string(r.Charge.Patient), r.Charge.Purpose.ID, r.Charge.QuoteVersion,
			int64(r.Charge.Amount), sqldb.Millis(r.Charge.Expires), string(body))
		if err != nil || n == 0 {
			return err
		}
		return sqldb.AppendAudit(tx, d.audit(r, actor, action))
	})
	return n == 1, err
}

// move commits a change of state with its audit row. It fails with errMoved
// when somebody else was faster.
func (d *Desk) move(ctx context.Context, r row, to state, sent time.Time) (row, error) {
	err := d.cfg.DB.Write(ctx, func(tx *sqldb.Tx) error {
		n, err := tx.Exec("UPDATE bill_charges SET state = $1, sent_at = $2, version = version + 1 WHERE charge_key = $3 AND version = $4",
			string(to), sqldb.Millis(sent), string(r.Charge.Key), r.ver)
		switch {
		case err != nil:
			return err
		case n == 0:
			return errMoved
		}
		return sqldb.AppendAudit(tx, d.audit(r, hospital.System("bill"), "bill."+string(to)))
	})
	r.state, r.sentAt, r.ver = to, sent, r.ver+1
	return r, err
}

var errMoved = &hospital.Error{Kind: hospital.Indeterminate, Op: "bill.Desk", Code: "being_checked"}

func (d *Desk) audit(r row, actor hospital.Actor, action string) hospital.AuditEntry {
	return hospital.AuditEntry{
		At: d.cfg.Now(), Actor: actor, Purpose: "payment", Action: action, Object: string(r.Charge.Key), Patient: r.Charge.Patient, Outcome: "ok",
	}
}
