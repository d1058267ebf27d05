package account

import (
	"context"
	"database/sql"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// Consent is what a user agreed to on behalf of a patient.
type Consent struct {
	User        hospital.UserID
	Patient     hospital.PatientID
	TextVersion string
	TextHash    string // SHA-256 of the text as it was shown, hex
	Channel     hospital.Entry
	At          time.Time // business time
}

// Agree stores a consent with its audit row.
func (s *Store) Agree(ctx context.Context, actor hospital.Actor, consent Consent) error {
	id := hospital.NewID("cs", s.wall())
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.Exec(`INSERT INTO account_consents (id, user_id, patient, text_version, text_hash, channel, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, id, string(consent.User), string(consent.Patient), consent.TextVersion, consent.TextHash,
			string(consent.Channel), sqldb.Millis(consent.At)); err != nil {
			return err
		}
		return sqldb.AppendAudit(tx, hospital.AuditEntry{
			At: consent.At, Actor: actor, Purpose: "binding", Action: "consent.give", Object: id, Patient: consent.Patient, Outcome: "ok",
			RuleVersion: consent.TextVersion,
		})
	})
}

// Consents lists what was agreed to for a patient, the oldest first.
func (s *Store) Consents(ctx context.Context, patient hospital.PatientID) (all []Consent, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		all, err = sqldb.Collect(tx, func(rows *sql.Rows) (Consent, error) {
			c := Consent{Patient: patient}
			var at int64
			err := rows.Scan(&c.User, &c.TextVersion, &c.TextHash, &c.Channel, &at)
			c.At = sqldb.Instant(at)
			return c, err
		}, "SELECT user_id, text_version, text_hash, channel, at FROM account_consents WHERE patient = $1 ORDER BY at, id", string(patient))
		return err
	})
	return all, err
}
