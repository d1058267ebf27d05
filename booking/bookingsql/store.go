package bookingsql

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// DB is an open database. Stores of several packages can share one.
type DB = sqldb.DB

// Config says which database to open.
type Config = sqldb.Config

// Head is the signed end of the audit trail, as [DB.Head] returns it and
// [DB.Verify] takes it.
type Head = sqldb.Head

// OpenDB opens a database. It is Invalid for a bad Config, Conflict
// database_locked when another process holds the SQLite file, Unavailable when
// the server does not answer.
func OpenDB(ctx context.Context, config Config) (*DB, error) { return sqldb.Open(ctx, config) }

// Store is a booking.Store on SQL.
type Store struct{ db *sqldb.DB }

var _ booking.Store = (*Store)(nil)

//go:embed migrations
var migrations embed.FS

// New brings the tables up to date and returns the store.
func New(ctx context.Context, db *DB) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "bookingsql.New", Err: err}
	}
	if err := db.Migrate(ctx, "booking", files); err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// Sell implements booking.Appointments.
func (s *Store) Sell(ctx context.Context, sale booking.Sale) (booking.Appointment, error) {
	var sold booking.Appointment
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := tx.Lock("patient/" + string(sale.Appointment.Patient)); err != nil {
			return err
		}
		var refused, err error
		if sold, refused, err = sell(tx, sale); err != nil {
			return err
		}
		return refused
	})
	return sold, err
}

// sell runs one sale under the patient's lock. What refuses it comes before it
// has written anything.
func sell(tx *sqldb.Tx, sale booking.Sale) (sold booking.Appointment, refused, err error) {
	a, none := sale.Appointment, booking.Appointment{}
	history, err := readHistory(tx, hospital.UserID(a.Actor.ID), a.Patient, hospital.DateOf(a.CreatedAt))
	if err != nil {
		return none, nil, err
	}
	if refused := sale.Allow(history); refused != nil {
		return none, refused, nil
	}
	if sale.Quota {
		a.Number, err = takeNumber(tx, a.Slot)
		switch {
		case errors.Is(err, booking.ErrSlotTaken):
			return none, err, nil
		case err != nil:
			return none, nil, err
		}
	}
	a.Version = 1
	if err := insert(tx, a, sale.Lease); err != nil {
		return none, nil, err
	}
	return a, nil, sqldb.AppendAudit(tx, sale.Audit)
}

func missing(err error) bool { return err != nil && hospital.KindOf(err) == hospital.NotFound }

func insert(tx *sqldb.Tx, a booking.Appointment, lease time.Duration) error {
	body, err := encode(a)
	if err != nil {
		return err
	}
	until, err := leaseUntil(tx, lease)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO booking_appointments (id, version, state, live, patient, schedule, slot, number, visit_date,
		department, doctor, ended_at, due_at, lease_until, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		a.ID, a.Version, string(a.State), live(a), string(a.Patient), string(a.Schedule), string(a.Slot), a.Number,
		a.Date.String(), string(a.Department), string(a.Doctor), sqldb.Millis(a.EndedAt), due(a), until, body)
	return err
}

// Save implements booking.Appointments.
func (s *Store) Save(ctx context.Context, change booking.Change) (booking.Appointment, error) {
	var saved booking.Appointment
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		a, events := change.Appointment, change.Events
		if change.Tell != nil {
			if err := tx.Lock("patient/" + string(a.Patient)); err != nil {
				return err
			}
			history, err := readHistory(tx, "", a.Patient, hospital.DateOf(change.Audit.At))
			if err != nil {
				return err
			}
			events = slices.Concat(events, change.Tell(history))
		}
		var version int64
		var state booking.State
		err := tx.QueryRow("SELECT version, state FROM booking_appointments WHERE id = $1"+tx.ForUpdate(), a.ID).Scan(&version, &state)
		switch {
		case missing(err):
			return notFound("Save")
		case err != nil:
			return err
		case version != a.Version:
			return booking.ErrStale
		case !state.MayBecome(a.State):
			return &hospital.Error{
				Kind: hospital.Internal, Op: "bookingsql.Save", Code: "illegal_move",
				Detail: fmt.Sprintf("from %s to %s", state, a.State),
			}
		}
		a.Version++
		if err := update(tx, a, change.Lease); err != nil {
			return err
		}
		if err := freeNumber(tx, a, change.Number); err != nil {
			return err
		}
		saved = a
		if err := sqldb.AppendEvents(tx, events, change.Audit.At); err != nil {
			return err
		}
		return sqldb.AppendAudit(tx, change.Audit)
	})
	return saved, err
}

func update(tx *sqldb.Tx, a booking.Appointment, lease time.Duration) error {
	body, err := encode(a)
	if err != nil {
		return err
	}
	until, err := leaseUntil(tx, lease)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE booking_appointments SET version = $2, state = $3, live = $4, ended_at = $5, due_at = $6,
		lease_until = $7, body = $8 WHERE id = $1`,
		a.ID, a.Version, string(a.State), live(a), sqldb.Millis(a.EndedAt), due(a), until, body)
	return err
}

// leaseUntil is when a lease ends by the database's clock; 0 is no lease.
func leaseUntil(tx *sqldb.Tx, lease time.Duration) (int64, error) {
	if lease <= 0 {
		return 0, nil
	}
	now, err := tx.Now()
	return now + lease.Milliseconds(), err
}

// Lease implements booking.Appointments. A row whose body cannot be read is put
// aside in the same commit: event appt.unreadable, an audit row, and a place on
// the list of [Store.Unreadable].
func (s *Store) Lease(ctx context.Context, lease booking.Lease) ([]booking.Appointment, error) {
	var leased []booking.Appointment
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		leased = nil
		now, err := tx.Now()
		if err != nil {
			return err
		}
		skip := ""
		if tx.Engine() == sqldb.PostgreSQL {
			skip = " FOR UPDATE SKIP LOCKED"
		}
		rows, err := sqldb.Collect(tx, scanStored, `UPDATE booking_appointments SET version = version + 1, lease_until = $3
			WHERE id IN (SELECT id FROM booking_appointments WHERE due_at <= $1 AND lease_until <= $2 AND unreadable_at = 0
				ORDER BY due_at, id LIMIT $4`+skip+`) RETURNING id, version, body`,
			sqldb.Millis(lease.Now), now, now+lease.For.Milliseconds(), lease.N)
		if err != nil {
			return err
		}
		for _, row := range rows {
			a, err := row.decode()
			if err == nil {
				leased = append(leased, a)
				continue
			}
			if err := putAside(tx, row.id, now, lease.Now); err != nil {
				return err
			}
		}
		return nil
	})
	slices.SortFunc(leased, func(a, b booking.Appointment) int { return a.DueAt.Compare(b.DueAt) })
	return leased, err
}

// Find implements booking.Appointments.
func (s *Store) Find(ctx context.Context, id string) (booking.Appointment, error) {
	list, err := s.read(ctx, "SELECT id, version, body FROM booking_appointments WHERE id = $1", id)
	switch {
	case err != nil:
		return booking.Appointment{}, err
	case len(list) == 0:
		return booking.Appointment{}, notFound("Find")
	}
	return list[0], nil
}

// List implements booking.Appointments.
func (s *Store) List(ctx context.Context, query booking.Query) ([]booking.Appointment, error) {
	var where []string
	var args []any
	equals := func(column, value string) {
		if value != "" {
			args = append(args, value)
			where = append(where, column+" = $"+strconv.Itoa(len(args)))
		}
	}
	equals("patient", string(query.Patient))
	equals("schedule", string(query.Schedule))
	if !query.Date.IsZero() {
		equals("visit_date", query.Date.String())
	}
	if query.Live {
		where = append(where, "live = 1")
	}
	if len(query.States) > 0 {
		var marks []string
		for _, state := range query.States {
			args = append(args, string(state))
			marks = append(marks, "$"+strconv.Itoa(len(args)))
		}
		where = append(where, "state IN ("+strings.Join(marks, ", ")+")")
	}
	text := "SELECT id, version, body FROM booking_appointments"
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	limit := query.Limit
	if limit <= 0 {
		limit = booking.DefaultListLimit
	}
	args = append(args, min(limit, booking.MaxListLimit))
	return s.read(ctx, text+" ORDER BY id DESC LIMIT $"+strconv.Itoa(len(args)), args...)
}

// read returns the rows that can be read; an error about the others comes with
// them.
func (s *Store) read(ctx context.Context, query string, args ...any) ([]booking.Appointment, error) {
	var rows []stored
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		rows, err = sqldb.Collect(tx, scanStored, query, args...)
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]booking.Appointment, 0, len(rows))
	var unreadable error
	for _, row := range rows {
		a, err := row.decode()
		if err != nil {
			unreadable = err
			continue
		}
		list = append(list, a)
	}
	return list, unreadable
}

// stored is a row as it lies in the table.
type stored struct {
	id      string
	version int64
	body    []byte
}

func scanStored(rows *sql.Rows) (stored, error) {
	var row stored
	err := rows.Scan(&row.id, &row.version, &row.body)
	return row, err
}

func (r stored) decode() (booking.Appointment, error) {
	var a booking.Appointment
	err := json.Unmarshal(r.body, &a)
	if err == nil && a.ID != r.id {
		err = errors.New("the body is another appointment's")
	}
	if err != nil {
		return booking.Appointment{}, &hospital.Error{Kind: hospital.Internal, Op: "bookingsql", Code: "bad_row", Detail: "body of appointment " + r.id, Err: err}
	}
	a.Version = r.version
	return a, nil
}

func encode(a booking.Appointment) (string, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return "", &hospital.Error{Kind: hospital.Internal, Op: "bookingsql", Code: "bad_row", Detail: "appointment body", Err: err}
	}
	return string(body), nil
}

func live(a booking.Appointment) int {
	if a.State.Live() {
		return 1
	}
	return 0
}

func due(a booking.Appointment) any {
	if a.DueAt.IsZero() {
		return nil
	}
	return sqldb.Millis(a.DueAt)
}

func notFound(op string) error {
	return &hospital.Error{Kind: hospital.NotFound, Op: "bookingsql." + op, Code: "not_found"}
}
