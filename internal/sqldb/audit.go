package sqldb

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/wxhospital/hospital"
)

// AppendAudit writes who did what in the same command as the effect. The
// patient is stored as a pseudonym. [DB.Seal] chains the rows after the commit.
func AppendAudit(tx *Tx, entries ...hospital.AuditEntry) error {
	for chunk := range slices.Chunk(entries, chunkRows) {
		var args []any
		for _, e := range chunk {
			args = append(args, Millis(e.At), string(e.Actor.Kind), e.Actor.ID, string(e.Actor.Entry), e.Purpose, e.Action, e.Object,
				tx.db.Pseudonym(e.Patient), e.Outcome, e.RuleVersion)
		}
		if _, err := tx.Exec(`INSERT INTO audit (at, actor_kind, actor_id, entry, purpose, action, object, patient, outcome, rule_version)
			VALUES `+tuples(len(chunk), 10), args...); err != nil {
			return err
		}
	}
	if len(entries) > 0 {
		tx.OnCommit(tx.db.auditHint.poke)
	}
	return nil
}

// DeriveKey returns 32 bytes that follow from Config.PseudonymKey and the label
// (HKDF-SHA256), for what a store keeps encrypted: with the database alone
// nobody has them.
func (db *DB) DeriveKey(label string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, db.pseudonym, nil, "hospital/"+label, derivedKeyBytes)
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "sqldb.DeriveKey", Code: "bad_key", Err: err}
	}
	return key, nil
}

// derivedKeyBytes is the length of an AES-256 key.
const derivedKeyBytes = 32

// Pseudonym returns what stands for the patient in the audit trail: the same
// for the same patient, and without the key nobody can tell whose it is.
func (db *DB) Pseudonym(patient hospital.PatientID) string {
	if patient == "" {
		return ""
	}
	mac := hmac.New(sha256.New, db.pseudonym)
	mac.Write([]byte("patient\x00" + patient))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
