package sqldb

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// AuditQuery selects rows of the audit trail; zero fields do not select.
type AuditQuery struct {
	Pseudonym string // of a patient, see [DB.Pseudonym]
	ActorKind hospital.ActorKind
	ActorID   string
	Action    string    // exactly, or with a trailing "*" every action that begins so: "appointment.*"
	From      time.Time // the instants of the rows, From included
	Until     time.Time // and Until not
	Before    int64     // only rows older than the one with this ID: the next page
	Limit     int       // 0 is the default of 100; at most 1000
}

// Bounds of an AuditQuery.
const (
	defaultTrailRows = 100
	maxTrailRows     = 1000
)

// AuditRow is a row of the trail as it stands in the store.
type AuditRow struct {
	ID    int64 // grows with every row
	Seq   int64 // its place in the chain, 0 while it waits for the sealer
	Entry hospital.AuditEntry
	// Pseudonym stands for the patient; Entry.Patient is always empty, because
	// the trail does not know it.
	Pseudonym string
}

// Trail returns rows of the audit trail, the newest first. Who reads the trail
// is the caller's to write down.
func (db *DB) Trail(ctx context.Context, query AuditQuery) (rows []AuditRow, err error) {
	var where []string
	var args []any
	condition := func(column, operator string, value any) {
		args = append(args, value)
		where = append(where, column+" "+operator+" $"+strconv.Itoa(len(args)))
	}
	equals := func(column, value string) {
		if value != "" {
			condition(column, "=", value)
		}
	}
	equals("patient", query.Pseudonym)
	equals("actor_kind", string(query.ActorKind))
	equals("actor_id", query.ActorID)
	if prefix, begins := strings.CutSuffix(query.Action, "*"); begins {
		args = append(args, prefix)
		mark := "$" + strconv.Itoa(len(args))
		where = append(where, "substr(action, 1, length(CAST("+mark+" AS TEXT))) = "+mark)
	} else {
		equals("action", query.Action)
	}
	if !query.From.IsZero() {
		condition("at", ">=", Millis(query.From))
	}
	if !query.Until.IsZero() {
		condition("at", "<", Millis(query.Until))
	}
	if query.Before > 0 {
		condition("id", "<", query.Before)
	}
	text := auditColumns
	if len(where) > 0 {
		text += "WHERE " + strings.Join(where, " AND ")
	}
	limit := query.Limit
	if limit <= 0 {
		limit = defaultTrailRows
	}
	args = append(args, min(limit, maxTrailRows))
	err = db.Read(ctx, func(tx *Tx) (err error) {
		rows, err = Collect(tx, scanTrail, text+" ORDER BY id DESC LIMIT $"+strconv.Itoa(len(args)), args...)
		return err
	})
	return rows, err
}

func scanTrail(rows *sql.Rows) (AuditRow, error) {
	r, err := scanSealed(rows)
	return AuditRow{ID: r.id, Seq: r.seq, Pseudonym: r.patient, Entry: hospital.AuditEntry{
		At:      Instant(r.at),
		Actor:   hospital.Actor{Kind: hospital.ActorKind(r.actorKind), ID: r.actorID, Entry: hospital.Entry(r.entry)},
		Purpose: r.purpose, Action: r.action, Object: r.object, Outcome: r.outcome, RuleVersion: r.ruleVersion,
	}}, err
}
