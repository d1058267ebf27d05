package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// JobSendCode is the job that texts the code of a challenge; its key is the id.
const JobSendCode = "account.send_code"

// What a challenge allows.
const (
	ChallengeLife  = 10 * time.Minute
	DeskCodeLife   = 15 * time.Minute
	MaxTries       = 5
	perHourUser    = 6 // challenges
	perHourSubject = 5
	deskDigits     = 8
	maxSendTries   = 3
)

// Errors of a challenge. A wrong code, one that is too old and a challenge about
// nobody are one and the same.
var (
	ErrWrongCode = &hospital.Error{
		Kind: hospital.Denied, Op: "account.Prove", Code: "wrong_code", Message: "验证码不正确或已失效。请核对姓名和证件信息，稍后重新获取；也可以携带证件到医院服务台办理。",
	}
	ErrTooOften = &hospital.Error{
		Kind: hospital.Rejected, Op: "account.Challenge", Code: "too_often", Message: "获取验证码过于频繁，请一小时后再试，或到医院服务台办理。",
	}
)

// Claim is what somebody wants to prove: that a patient whom the HIS knows is
// theirs, or, with a Draft, that the phone of a new file is.
type Claim struct {
	Patient hospital.PatientID
	Draft   *hospital.Patient `json:",omitempty"`
	Phone   hospital.Phone    // where the code goes; "" when nobody was found
	Typed   Typed             // what was asked for, known or not
}

// Typed is what somebody typed about a patient.
type Typed struct {
	Name   hospital.Name
	Number string // of the identity card or the 就诊卡
}

// Challenge is a claim under way.
type Challenge struct {
	ID    string
	User  hospital.UserID
	Claim Claim
}

// challengesFor is how long a challenge is kept after its end, with what was typed
// of somebody who may never have been bound.
const challengesFor = 24 * time.Hour

// Challenge stores a claim and, in the same commit, the job that sends its code.
// A claim about nobody is stored and sends nothing. subject is what was asked
// for, in the asker's words: it is counted, not kept. It returns [ErrTooOften].
func (s *Store) Challenge(ctx context.Context, actor hospital.Actor, subject string, claim Claim, now time.Time) (string, error) {
	body, err := json.Marshal(claim)
	if err != nil {
		return "", &hospital.Error{Kind: hospital.Internal, Op: "account.Challenge", Code: "bad_claim", Err: err}
	}
	wall := s.wall()
	id := hospital.NewID("c", wall)
	subject, sealed := s.index("subject", subject), s.sealed(id, body)
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := tx.Lock("account/challenge/" + actor.ID); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM account_challenges WHERE expires_at < $1", sqldb.Millis(wall.Add(-challengesFor))); err != nil {
			return err
		}
		var byUser, bySubject int
		since := sqldb.Millis(wall.Add(-time.Hour))
		if err := tx.QueryRow("SELECT count(*) FROM account_challenges WHERE user_id = $1 AND created_at > $2", actor.ID, since).Scan(&byUser); err != nil {
			return err
		}
		if err := tx.QueryRow("SELECT count(*) FROM account_challenges WHERE subject = $1 AND created_at > $2", subject, since).Scan(&bySubject); err != nil {
			return err
		}
		if byUser >= perHourUser || bySubject >= perHourSubject {
			return ErrTooOften
		}
		if _, err := tx.Exec(`INSERT INTO account_challenges (id, user_id, subject, sealed, tries, created_at, expires_at, proved_at, spent_at)
			VALUES ($1, $2, $3, $4, 0, $5, $6, 0, 0)`, id, actor.ID, subject, sealed, sqldb.Millis(wall), sqldb.Millis(wall.Add(ChallengeLife))); err != nil {
			return err
		}
		if claim.Phone != "" {
			if err := sqldb.Enqueue(tx, sqldb.Job{Kind: JobSendCode, Key: id, Payload: id, MaxAttempts: maxSendTries}); err != nil {
				return err
			}
		}
		return sqldb.AppendAudit(tx, hospital.AuditEntry{
			At: now, Actor: actor, Purpose: "binding", Action: "patient.claim", Object: id, Patient: claim.Patient, Outcome: "ok",
		})
	})
	return id, err
}

// Code returns the code of a challenge and the phone it goes to, for whoever
// sends it. NotFound for a challenge that is over or about nobody.
func (s *Store) Code(ctx context.Context, id string) (code string, phone hospital.Phone, err error) {
	challenge, row, err := s.find(ctx, id)
	if err != nil {
		return "", "", err
	}
	if challenge.Claim.Phone == "" || row.spent != 0 || !s.wall().Before(sqldb.Instant(row.expires)) {
		return "", "", &hospital.Error{Kind: hospital.NotFound, Op: "account.Code", Code: "no_challenge"}
	}
	return s.code(id), challenge.Claim.Phone, nil
}

// code is six digits that follow from the id and a key outside the database.
func (s *Store) code(id string) string {
	mac := hmac.New(sha256.New, s.codes)
	mac.Write([]byte("challenge\x00" + id))
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(mac.Sum(nil))%1_000_000)
}

type challengeRow struct{ tries, expires, proved, spent int64 }

func (s *Store) find(ctx context.Context, id string) (Challenge, challengeRow, error) {
	var (
		row    challengeRow
		user   string
		sealed string
	)
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.QueryRow("SELECT user_id, sealed, tries, expires_at, proved_at, spent_at FROM account_challenges WHERE id = $1", id).
			Scan(&user, &sealed, &row.tries, &row.expires, &row.proved, &row.spent)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Challenge{}, row, &hospital.Error{Kind: hospital.NotFound, Op: "account.find", Code: "no_challenge"}
	case err != nil:
		return Challenge{}, row, err
	}
	body, err := s.opened(id, sealed)
	if err != nil {
		return Challenge{}, row, err
	}
	challenge := Challenge{ID: id, User: hospital.UserID(user)}
	if err := json.Unmarshal(body, &challenge.Claim); err != nil {
		return Challenge{}, row, &hospital.Error{Kind: hospital.Internal, Op: "account.find", Code: "bad_row", Err: err}
	}
	return challenge, row, nil
}

// Prove takes the code that somebody typed: the one that was texted, or one of
// the service desk's for the same patient. Each challenge bears a few tries,
// counted before the code is looked at. It returns [ErrWrongCode].
func (s *Store) Prove(ctx context.Context, user hospital.UserID, id, typed string) (Challenge, error) {
	typed = strings.TrimSpace(typed)
	challenge, row, err := s.find(ctx, id)
	switch {
	case hospital.KindOf(err) == hospital.NotFound && err != nil:
		return Challenge{}, ErrWrongCode
	case err != nil:
		return Challenge{}, err
	case challenge.User != user || row.spent != 0:
		return Challenge{}, ErrWrongCode
	}
	wall := s.wall()
	now := sqldb.Millis(wall)
	proved := false
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		proved = false
		counted, err := tx.Exec("UPDATE account_challenges SET tries = tries + 1 WHERE id = $1 AND tries < $2 AND expires_at > $3 AND spent_at = 0",
			id, MaxTries, now)
		if err != nil || counted == 0 {
			return err
		}
		good := challenge.Claim.Phone != "" && subtle.ConstantTimeCompare([]byte(typed), []byte(s.code(id))) == 1
		if !good && challenge.Claim.Patient != "" && len(typed) == deskDigits {
			spent, err := tx.Exec("UPDATE account_desk_codes SET spent_at = $1 WHERE hash = $2 AND spent_at = 0 AND expires_at > $1",
				now, s.index("desk", string(challenge.Claim.Patient)+"\x00"+typed))
			if err != nil {
				return err
			}
			good = spent == 1
		}
		if good {
			_, err = tx.Exec("UPDATE account_challenges SET proved_at = $1 WHERE id = $2", now, id)
			proved = err == nil
		}
		return err
	})
	if err == nil && !proved {
		err = ErrWrongCode
	}
	return challenge, err
}

// Find returns a challenge of the user's whose code may still be typed; NotFound
// for another's and for none, alike.
func (s *Store) Find(ctx context.Context, user hospital.UserID, id string) (Challenge, error) {
	challenge, row, err := s.find(ctx, id)
	if err == nil && (challenge.User != user || row.spent != 0 || !s.wall().Before(sqldb.Instant(row.expires))) {
		err = &hospital.Error{Kind: hospital.NotFound, Op: "account.Find", Code: "no_challenge"}
	}
	if err != nil {
		return Challenge{}, err
	}
	return challenge, nil
}

// Spent reports whether a challenge of the user's has done what it was for. A
// button that is pressed twice asks.
func (s *Store) Spent(ctx context.Context, user hospital.UserID, id string) (bool, error) {
	challenge, row, err := s.find(ctx, id)
	if err != nil && hospital.KindOf(err) == hospital.NotFound {
		return false, nil
	}
	return err == nil && challenge.User == user && row.spent != 0, err
}

// Spend uses a challenge up, once what it proved was done.
func (s *Store) Spend(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("UPDATE account_challenges SET spent_at = $1 WHERE id = $2", sqldb.Millis(s.wall()), id)
		return err
	})
}

// DeskCode makes a code for a patient who stands before the service desk and has
// shown a document, with the audit row in the same commit. It serves once, until
// the time it returns.
func (s *Store) DeskCode(ctx context.Context, patient hospital.PatientID, audit hospital.AuditEntry) (code string, until time.Time, err error) {
	if audit.Actor.Kind != hospital.ActorStaff {
		return "", until, &hospital.Error{Kind: hospital.Denied, Op: "account.DeskCode", Code: "not_staff"}
	}
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		return "", until, &hospital.Error{Kind: hospital.Internal, Op: "account.DeskCode", Code: "no_random", Err: err}
	}
	wall := s.wall()
	code, until = fmt.Sprintf("%08d", n), wall.Add(DeskCodeLife)
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.Exec("DELETE FROM account_desk_codes WHERE expires_at < $1", sqldb.Millis(wall)); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO account_desk_codes (hash, expires_at, spent_at) VALUES ($1, $2, 0)",
			s.index("desk", string(patient)+"\x00"+code), sqldb.Millis(until)); err != nil {
			return err
		}
		return sqldb.AppendAudit(tx, audit)
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return code, until, nil
}
