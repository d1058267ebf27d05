package sqldb

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/wxhospital/hospital"
)

// AppendAudit writes who did what in the same command as the effect. The
// patient is stored as a pseudonym; a row about a patient is refused (Internal,
// code no_pseudonym_key) when the DB was opened without a PseudonymKey. A
// [Sealer] chains the rows after the commit.
func AppendAudit(tx *Tx, entries ...hospital.AuditEntry) error {
	for _, e := range entries {
		patient, err := tx.db.Pseudonym(e.Patient)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO audit (at, actor_kind, actor_id, entry, purpose, action, object, patient, outcome, rule_version)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			millis(e.At), string(e.Actor.Kind), e.Actor.ID, string(e.Actor.Entry), e.Purpose, e.Action, e.Object, patient, e.Outcome, e.RuleVersion); err != nil {
			return err
		}
	}
	if len(entries) > 0 {
		tx.OnCommit(tx.db.auditHint.poke)
	}
	return nil
}

// Pseudonym returns what stands for the patient in the audit trail: the same
// for the same patient, and without the key nobody can tell whose it is.
func (db *DB) Pseudonym(patient hospital.PatientID) (string, error) {
	if patient == "" {
		return "", nil
	}
	if len(db.pseudonym) == 0 {
		return "", &hospital.Error{Kind: hospital.Internal, Op: "sqldb.Audit", Code: "no_pseudonym_key", Detail: "Config.PseudonymKey is required to record a patient"}
	}
	mac := hmac.New(sha256.New, db.pseudonym)
	mac.Write([]byte("patient\x00" + patient))
	return hex.EncodeToString(mac.Sum(nil)[:16]), nil
}
