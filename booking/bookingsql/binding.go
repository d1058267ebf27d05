package bookingsql

import (
	"context"
	"database/sql"
	"slices"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// Bind implements booking.Bindings.
func (s *Store) Bind(ctx context.Context, command booking.BindCommand) error {
	user, patient := string(command.Binding.User), string(command.Binding.Patient)
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, name := range []string{"patient/" + patient, "user/" + user} { // always in this order
			if err := tx.Lock(name); err != nil {
				return err
			}
		}
		var holder string
		err := tx.QueryRow("SELECT holder FROM booking_bindings WHERE patient = $1", patient).Scan(&holder)
		if err != nil && !missing(err) {
			return err
		}
		var held int
		if err := tx.QueryRow("SELECT count(*) FROM booking_bindings WHERE holder = $1", user).Scan(&held); err != nil {
			return err
		}
		if err := command.Allow(hospital.UserID(holder), held); err != nil || holder == user {
			return err
		}
		_, err = tx.Exec(`INSERT INTO booking_bindings (patient, holder, since) VALUES ($1, $2, $3)
			ON CONFLICT (patient) DO UPDATE SET holder = excluded.holder, since = excluded.since`,
			patient, user, sqldb.Millis(command.Binding.Since))
		if err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO booking_handovers (id, patient, holder, former, at) VALUES ($1, $2, $3, $4, $5)",
			command.ID, patient, user, holder, sqldb.Millis(command.Binding.Since))
		if err != nil {
			return err
		}
		events := command.Events
		if holder != "" {
			events = slices.Concat(events, command.Taken)
		}
		if err := sqldb.AppendEvents(tx, events, command.Audit.At); err != nil {
			return err
		}
		return sqldb.AppendAudit(tx, command.Audit)
	})
}

// Unbind implements booking.Bindings.
func (s *Store) Unbind(ctx context.Context, binding booking.Binding, audit hospital.AuditEntry) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		n, err := tx.Exec("DELETE FROM booking_bindings WHERE patient = $1 AND holder = $2", string(binding.Patient), string(binding.User))
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("Unbind")
		}
		return sqldb.AppendAudit(tx, audit)
	})
}

// Bound implements booking.Bindings.
func (s *Store) Bound(ctx context.Context, user hospital.UserID) (bound []booking.Binding, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		bound, err = sqldb.Collect(tx, func(rows *sql.Rows) (booking.Binding, error) {
			binding := booking.Binding{User: user}
			var since int64
			err := rows.Scan(&binding.Patient, &since)
			binding.Since = sqldb.Instant(since)
			return binding, err
		}, "SELECT patient, since FROM booking_bindings WHERE holder = $1 ORDER BY since, patient", string(user))
		return err
	})
	return bound, err
}

// History implements booking.Bindings.
func (s *Store) History(ctx context.Context, user hospital.UserID, patient hospital.PatientID, today hospital.Date) (history booking.History, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		history, err = readHistory(tx, user, patient, today)
		return err
	})
	return history, err
}

// readHistory reads what the rules see. A patient has few rows, so one index
// range and a filter are enough.
func readHistory(tx *sqldb.Tx, user hospital.UserID, patient hospital.PatientID, today hospital.Date) (booking.History, error) {
	var history booking.History
	var bound int
	var unlocked int64
	err := tx.QueryRow(`SELECT (SELECT count(*) FROM booking_bindings WHERE patient = $1 AND holder = $2),
		coalesce((SELECT max(at) FROM booking_unlocks WHERE patient = $1), 0)`, string(patient), string(user)).Scan(&bound, &unlocked)
	if err != nil {
		return history, err
	}
	history.Bound, history.Unlocked = bound > 0, sqldb.Instant(unlocked)
	_, err = sqldb.Collect(tx, func(rows *sql.Rows) (struct{}, error) {
		var date string
		var visit booking.Visit
		var state booking.State
		var ended int64
		if err := rows.Scan(&date, &visit.Department, &visit.Doctor, &visit.Slot, &state, &ended); err != nil {
			return struct{}{}, err
		}
		day, err := hospital.ParseDate(date)
		if err != nil {
			return struct{}{}, &hospital.Error{Kind: hospital.Internal, Op: "bookingsql", Code: "bad_row", Detail: "visit date", Err: err}
		}
		switch {
		case state == booking.NoShow:
			history.Strikes = append(history.Strikes, booking.Strike{Date: day, At: sqldb.Instant(ended)})
		case !day.Before(today):
			visit.Date = day
			history.Live = append(history.Live, visit)
		}
		return struct{}{}, nil
	}, `SELECT visit_date, department, doctor, slot, state, ended_at FROM booking_appointments
		WHERE patient = $1 AND (live = 1 OR state IN ('noshow', 'fulfilled')) ORDER BY visit_date, slot, id`, string(patient))
	return history, err
}

// Unlock implements booking.Bindings.
func (s *Store) Unlock(ctx context.Context, command booking.UnlockCommand) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("INSERT INTO booking_unlocks (id, patient, at) VALUES ($1, $2, $3)", command.ID, string(command.Patient), sqldb.Millis(command.At))
		if err != nil {
			return err
		}
		if err := sqldb.AppendEvents(tx, command.Events, command.Audit.At); err != nil {
			return err
		}
		return sqldb.AppendAudit(tx, command.Audit)
	})
}

// Handover implements booking.Records.
func (s *Store) Handover(ctx context.Context, id string) (booking.Handover, error) {
	handover := booking.Handover{ID: id}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var at int64
		err := tx.QueryRow("SELECT patient, holder, former, at FROM booking_handovers WHERE id = $1", id).
			Scan(&handover.Patient, &handover.User, &handover.Former, &at)
		handover.At = sqldb.Instant(at)
		return err
	})
	if missing(err) {
		return booking.Handover{}, notFound("Handover")
	}
	return handover, err
}

// Unlocked implements booking.Records.
func (s *Store) Unlocked(ctx context.Context, id string) (booking.Unlocking, error) {
	unlocking := booking.Unlocking{ID: id}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var at int64
		err := tx.QueryRow("SELECT patient, at FROM booking_unlocks WHERE id = $1", id).Scan(&unlocking.Patient, &at)
		unlocking.At = sqldb.Instant(at)
		return err
	})
	if missing(err) {
		return booking.Unlocking{}, notFound("Unlocked")
	}
	return unlocking, err
}

// Record implements booking.Records.
func (s *Store) Record(ctx context.Context, entry hospital.AuditEntry) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error { return sqldb.AppendAudit(tx, entry) })
}

// Holder returns who holds the patient; NotFound for nobody.
func (s *Store) Holder(ctx context.Context, patient hospital.PatientID) (user hospital.UserID, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.QueryRow("SELECT holder FROM booking_bindings WHERE patient = $1", string(patient)).Scan(&user)
	})
	if missing(err) {
		return "", notFound("Holder")
	}
	return user, err
}
