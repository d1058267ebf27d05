package bookingsql

import (
	"context"
	"database/sql"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// Unreadable is an appointment whose body cannot be read: what the columns
// beside it say. Its number stays claimed.
type Unreadable struct {
	ID       string
	State    booking.State
	Schedule hospital.ScheduleID
	Slot     hospital.SlotID
	Date     string
	FoundAt  time.Time // by the database's clock
}

// maxUnreadable bounds the list: an operator works it off from the top.
const maxUnreadable = 1000

// putAside keeps a row from the workers until an operator has repaired it.
func putAside(tx *sqldb.Tx, id string, now int64, at time.Time) error {
	_, err := tx.Exec("UPDATE booking_appointments SET unreadable_at = $2, lease_until = 0 WHERE id = $1", id, now)
	if err != nil {
		return err
	}
	if err := sqldb.AppendEvents(tx, []hospital.Event{{Kind: "appt.unreadable", ID: id}}, at); err != nil {
		return err
	}
	return sqldb.AppendAudit(tx, hospital.AuditEntry{
		At: at, Actor: hospital.System("booking"), Purpose: "booking", Action: "appointment.put_aside", Object: id, Outcome: "internal bad_row",
	})
}

// Unreadable lists the appointments that were put aside because their body
// cannot be read, the oldest first. For an operator: repair the body, then
// [Store.Readmit].
func (s *Store) Unreadable(ctx context.Context) (list []Unreadable, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		list, err = sqldb.Collect(tx, func(rows *sql.Rows) (Unreadable, error) {
			var row Unreadable
			var at int64
			err := rows.Scan(&row.ID, &row.State, &row.Schedule, &row.Slot, &row.Date, &at)
			row.FoundAt = sqldb.Instant(at)
			return row, err
		}, `SELECT id, state, schedule, slot, visit_date, unreadable_at FROM booking_appointments
			WHERE unreadable_at > 0 ORDER BY id LIMIT $1`, maxUnreadable)
		return err
	})
	return list, err
}

// Readmit gives an appointment that was put aside back to the workers. It is
// NotFound when it was not put aside, and Internal bad_row while its body still
// cannot be read.
func (s *Store) Readmit(ctx context.Context, id string, audit hospital.AuditEntry) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		row := stored{id: id}
		err := tx.QueryRow("SELECT version, body FROM booking_appointments WHERE id = $1 AND unreadable_at > 0"+tx.ForUpdate(), id).
			Scan(&row.version, &row.body)
		if missing(err) {
			return notFound("Readmit")
		}
		if err != nil {
			return err
		}
		if _, err := row.decode(); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE booking_appointments SET unreadable_at = 0 WHERE id = $1", id); err != nil {
			return err
		}
		return sqldb.AppendAudit(tx, audit)
	})
}
