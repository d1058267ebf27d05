package message

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// Message is 站内信, as its recipient reads it.
type Message struct {
	ID     string
	Scene  Scene
	Object string
	Title  string
	Body   string
	At     time.Time
	Read   bool
}

const maxList = 200

// Reader is a user with the patients who are held now: what was told of others
// is gone with them, but for the word that they are.
type Reader struct {
	User     hospital.UserID
	Patients []hospital.PatientID
}

// sees is the condition under which a message is the reader's to see, and its
// arguments.
func (r Reader) sees() (where string, args []any) {
	marks := []string{"NULL"}
	args = []any{string(r.User), string(TakenOver)}
	for _, patient := range r.Patients {
		args = append(args, string(patient))
		marks = append(marks, "$"+strconv.Itoa(len(args)))
	}
	return "recipient = $1 AND (scene = $2 OR patient IN (" + strings.Join(marks, ", ") + "))", args
}

// List returns at most n messages, the newest first; before is the ID of the
// last one of the page before, "" for the first page.
func (m *Messenger) List(ctx context.Context, reader Reader, before string, n int) (all []Message, err error) {
	if before == "" {
		before = "~" // behind every ID
	}
	where, args := reader.sees()
	at := len(args)
	err = m.cfg.DB.Read(ctx, func(tx *sqldb.Tx) (err error) {
		all, err = sqldb.Collect(tx, func(rows *sql.Rows) (Message, error) { return scanMessage(rows) },
			fmt.Sprintf("SELECT %s FROM messages WHERE %s AND id < $%d ORDER BY id DESC LIMIT $%d", messageColumns, where, at+1, at+2),
			append(args, before, max(0, min(n, maxList)))...)
		return err
	})
	return all, err
}

const messageColumns = "id, scene, object, title, body, created, read_at"

func scanMessage(row interface{ Scan(dest ...any) error }) (one Message, err error) {
	var at, read int64
	err = row.Scan(&one.ID, &one.Scene, &one.Object, &one.Title, &one.Body, &at, &read)
	one.At, one.Read = sqldb.Instant(at), read > 0
	return one, err
}

// Unread counts the messages that were not read.
func (m *Messenger) Unread(ctx context.Context, reader Reader) (n int, err error) {
	where, args := reader.sees()
	err = m.cfg.DB.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM messages WHERE "+where+" AND read_at = 0", args...).Scan(&n)
	})
	return n, err
}

// Read returns a message and marks it as read; again changes nothing. NotFound
// for a message of somebody else and for none, alike.
func (m *Messenger) Read(ctx context.Context, reader Reader, id string) (one Message, err error) {
	where, args := reader.sees()
	at := len(args)
	err = m.cfg.DB.Write(ctx, func(tx *sqldb.Tx) (err error) {
		one, err = scanMessage(tx.QueryRow(fmt.Sprintf("UPDATE messages SET read_at = CASE WHEN read_at = 0 THEN $%d ELSE read_at END WHERE %s AND id = $%d RETURNING %s",
			at+1, where, at+2, messageColumns), append(args, sqldb.Millis(m.cfg.Now()), id)...))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) || hospital.KindOf(err) == hospital.NotFound && err != nil {
		err = &hospital.Error{Kind: hospital.NotFound, Op: "message.Read", Code: "no_such_message"}
	}
	return one, err
}

// MarkAllRead marks all messages of the user as read.
func (m *Messenger) MarkAllRead(ctx context.Context, user hospital.UserID) error {
	return m.cfg.DB.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("UPDATE messages SET read_at = $1 WHERE recipient = $2 AND read_at = 0", sqldb.Millis(m.cfg.Now()), string(user))
		return err
	})
}

// Failure is a message that did not reach anybody, or that is not known to, as
// staff see it: without its words.
type Failure struct {
	ID      string
	Scene   Scene
	Object  string
	Channel string // wechat, sms
	State   string // waiting: it is still tried; failed; unknown: it may have arrived
	Failure string // kind and code
	Tries   int
	At      time.Time // of the last try
}

// Failed lists at most n of them, the latest first.
func (m *Messenger) Failed(ctx context.Context, n int) (all []Failure, err error) {
	err = m.cfg.DB.Read(ctx, func(tx *sqldb.Tx) (err error) {
		all, err = sqldb.Collect(tx, func(rows *sql.Rows) (Failure, error) {
			var f Failure
			var at int64
			err := rows.Scan(&f.ID, &f.Scene, &f.Object, &f.Channel, &f.State, &f.Failure, &f.Tries, &at)
			f.At = sqldb.Instant(at)
			return f, err
		}, `SELECT id, scene, object, channel, state, failure, tries, tried_at FROM messages WHERE failure <> '' ORDER BY tried_at DESC, id DESC LIMIT $1`,
			max(0, min(n, maxList)))
		return err
	})
	return all, err
}

// Repeat puts a failed message in line again, by whom and why the audit row
// says, in the same commit. One that is unknown may then arrive twice: that is
// what staff decide. NotFound when it is not among the failed; Conflict while
// it is still being tried under its first key.
func (m *Messenger) Repeat(ctx context.Context, id string, audit hospital.AuditEntry) error {
	if audit.Actor.ID == "" || audit.Purpose == "" {
		return &hospital.Error{Kind: hospital.Invalid, Op: "message.Repeat", Code: "bad_audit", Detail: "want an actor and a reason"}
	}
	now := m.cfg.Now()
	return m.cfg.DB.Write(ctx, func(tx *sqldb.Tx) error {
		var state, channel, key string
		var turn, first int64
		err := tx.QueryRow("SELECT state, channel, send_key, turn, first_try FROM messages WHERE id = $1 AND failure <> ''"+tx.ForUpdate(), id).
			Scan(&state, &channel, &key, &turn, &first)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return &hospital.Error{Kind: hospital.NotFound, Op: "message.Repeat", Code: "no_such_message"}
		case err != nil:
			return err
		case state == stateWaiting && first != 0:
			return &hospital.Error{Kind: hospital.Conflict, Op: "message.Repeat", Code: "being_tried"}
		}
		if m.cfg.WeChat != nil {
			channel = "wechat"
		}
		audit.Object = id
		return errors.Join(turnOver(tx, id, turn, channel, hospital.NewID("m", now), now), sqldb.AppendAudit(tx, audit))
	})
}
