package message

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/wechat"
)

// The states of a message on its way; every one of them is in the inbox.
const (
	stateInbox   = "inbox" // nothing is sent
	stateWaiting = "waiting"
	stateSent    = "sent" // the far side took it
	stateArrived = "arrived"
	stateFailed  = "failed"
	stateUnknown = "unknown" // it may have been sent: only staff repeat it
)

const (
	// sameKey is how long a repetition under the same key is one message: ten
	// minutes less the longest call. Source: client_msg_id, 防重入id, 10分钟.
	sameKey = 9 * time.Minute
	// maxAttempts with the jobs' back-off is about a day.
	maxAttempts = 12
)

// row is a message as its sender sees it.
type row struct {
	ID      string
	Scene   Scene
	Object  string
	user    hospital.UserID
	patient hospital.PatientID
	body    string
	fields  map[string]string
	state   string
	channel string
	key     string
	turn    int64
	first   time.Time
}

func (m *Messenger) find(ctx context.Context, id string) (r row, err error) {
	err = m.cfg.DB.Read(ctx, func(tx *sqldb.Tx) error {
		var fields string
		var first int64
		err := tx.QueryRow(`SELECT id, scene, object, recipient, patient, body, fields, state, channel, send_key, turn, first_try FROM messages WHERE id = $1`, id).
			Scan(&r.ID, &r.Scene, &r.Object, &r.user, &r.patient, &r.body, &fields, &r.state, &r.channel, &r.key, &r.turn, &first)
		if err != nil {
			return err
		}
		r.first = sqldb.Instant(first)
		return json.Unmarshal([]byte(fields), &r.fields)
	})
	return r, err
}

// send does one turn of one message.
func (m *Messenger) send(ctx context.Context, job sqldb.Leased) (func(*sqldb.Tx) error, error) {
	id, turn, _ := strings.Cut(job.Key, "/")
	r, err := m.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.state != stateWaiting || strconv.FormatInt(r.turn, 10) != turn {
		return nil, nil //nolint:nilnil // over, or another turn's
	}
	if !r.first.IsZero() && (r.channel == "sms" || m.cfg.Wall().Sub(r.first) > sameKey) {
		return m.end(r, stateUnknown, "indeterminate: not_known"), nil
	}
	if r.channel == "sms" {
		return m.text(ctx, job, r)
	}
	return m.notify(ctx, job, r)
}

// intend commits that the call is about to be made. The first intent under a
// key starts the time in which the key may be used again.
func (m *Messenger) intend(ctx context.Context, r row) error {
	return m.cfg.DB.Write(ctx, func(tx *sqldb.Tx) error {
		n, err := tx.Exec(`UPDATE messages SET first_try = CASE WHEN first_try = 0 THEN $1 ELSE first_try END, tries = tries + 1, tried_at = $2
			WHERE id = $3 AND turn = $4 AND state = 'waiting'`, sqldb.Millis(m.cfg.Wall()), sqldb.Millis(m.cfg.Now()), r.ID, r.turn)
		if err == nil && n == 0 {
			err = sqldb.ErrLeaseLost
		}
		return err
	})
}

func (m *Messenger) notify(ctx context.Context, job sqldb.Leased, r row) (func(*sqldb.Tx) error, error) {
	if m.cfg.WeChat == nil || m.cfg.Templates[r.Scene].ID == "" {
		return m.unreached(r, "rejected: no_template"), nil
	}
	if r.Scene != TakenOver { // hours may lie between the event and the notice
		holds, err := m.cfg.Recipients.Holds(ctx, r.user, r.patient)
		switch {
		case err != nil:
			return m.later(ctx, job, r, err)
		case !holds:
			return m.end(r, stateFailed, "rejected: not_held"), nil
		}
	}
	to, err := m.cfg.Recipients.OpenID(ctx, r.user)
	switch {
	case err != nil && hospital.KindOf(err) == hospital.NotFound:
		return m.unreached(r, "rejected: no_openid"), nil
	case err != nil:
		return m.later(ctx, job, r, err)
	}
	n := m.notice(r, to)
	if err := n.Validate(); err != nil {
		return m.end(r, stateFailed, failure(err)), nil
	}
	if n.Kind == wechat.SubscriptionNotice && !r.first.IsZero() { // it has no key that makes it bear repetition
		return m.end(r, stateUnknown, "indeterminate: not_known"), nil
	}
	if err := m.intend(ctx, r); err != nil {
		return nil, err
	}
	sent, err := m.cfg.WeChat.Notify(ctx, n)
	switch {
	case err == nil:
		return m.sent(r, sent.MsgID), nil
	case wechat.Unreachable(err):
		return m.unreached(r, failure(err)), nil
	case hospital.KindOf(err) == hospital.Conflict: // done before, under the same key
		return m.sent(r, 0), nil
	}
	return m.later(ctx, job, r, err)
}

func (m *Messenger) text(ctx context.Context, job sqldb.Leased, r row) (func(*sqldb.Tx) error, error) {
	if m.cfg.Texter == nil {
		return m.end(r, stateFailed, "rejected: unreachable"), nil
	}
	to, err := m.cfg.Recipients.Phone(ctx, r.user, r.patient)
	switch {
	case err != nil && hospital.KindOf(err) == hospital.NotFound:
		return m.end(r, stateFailed, "rejected: no_phone"), nil
	case err != nil:
		return m.later(ctx, job, r, err)
	}
	if err := m.intend(ctx, r); err != nil {
		return nil, err
	}
	err = m.cfg.Texter.Text(ctx, hospital.Key(r.key), to, r.body)
	if err == nil {
		return m.sent(r, 0), nil
	}
	return m.later(ctx, job, r, err)
}

// later keeps what went wrong, for staff to see, and gives the job back. What
// certainly was not sent frees the key's time; a definite no is the end.
func (m *Messenger) later(ctx context.Context, job sqldb.Leased, r row, cause error) (func(*sqldb.Tx) error, error) {
	kind := hospital.KindOf(cause)
	switch {
	case kind == hospital.Rejected, kind == hospital.Invalid, kind == hospital.Denied:
		return m.end(r, stateFailed, failure(cause)), nil
	case kind == hospital.Indeterminate && r.channel == "sms":
		return m.end(r, stateUnknown, failure(cause)), nil
	case job.Attempt >= job.MaxAttempts && kind == hospital.Unavailable:
		return m.end(r, stateFailed, failure(cause)), nil
	case job.Attempt >= job.MaxAttempts:
		return m.end(r, stateUnknown, failure(cause)), nil
	}
	clear := 0
	if kind == hospital.Unavailable && r.first.IsZero() { // no earlier call under the key may have acted
		clear = 1
	}
	err := m.cfg.DB.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec(`UPDATE messages SET failure = $1, first_try = CASE WHEN $2 = 1 THEN 0 ELSE first_try END
			WHERE id = $3 AND turn = $4 AND state = 'waiting'`, failure(cause), clear, r.ID, r.turn)
		return err
	})
	return nil, errors.Join(cause, err)
}

// unreached turns to the text message, where there is one.
func (m *Messenger) unreached(r row, why string) func(*sqldb.Tx) error {
	if m.cfg.Texter == nil {
		return m.end(r, stateFailed, why)
	}
	return func(tx *sqldb.Tx) error {
		return turnOver(tx, r.ID, r.turn, "sms", hospital.NewID("m", m.cfg.Now()), m.cfg.Now())
	}
}

// turnOver begins a fresh turn under a fresh key.
func turnOver(tx *sqldb.Tx, id string, turn int64, channel, key string, at time.Time) error {
	n, err := tx.Exec(`UPDATE messages SET state = 'waiting', channel = $1, send_key = $2, turn = turn + 1, first_try = 0, msgid = '', failure = ''
		WHERE id = $3 AND turn = $4`, channel, key, id, turn)
	if err != nil || n == 0 {
		return err
	}
	return enqueueSend(tx, id, turn+1, at)
}

func (m *Messenger) end(r row, state, why string) func(*sqldb.Tx) error {
	return func(tx *sqldb.Tx) error {
		now := m.cfg.Now()
		n, err := tx.Exec("UPDATE messages SET state = $1, failure = $2, tried_at = $3 WHERE id = $4 AND turn = $5 AND state = 'waiting'",
			state, why, sqldb.Millis(now), r.ID, r.turn)
		if err != nil || n == 0 {
			return err
		}
		return sqldb.AppendEvents(tx, []hospital.Event{{Kind: "message." + state, ID: r.ID}}, now)
	}
}

// sent records that the far side took it. Its result may have come before.
func (m *Messenger) sent(r row, msgID int64) func(*sqldb.Tx) error {
	return func(tx *sqldb.Tx) error {
		id := ""
		if msgID != 0 {
			id = strconv.FormatInt(msgID, 10)
		}
		n, err := tx.Exec("UPDATE messages SET state = 'sent', failure = '', msgid = $1 WHERE id = $2 AND turn = $3 AND state = 'waiting'", id, r.ID, r.turn)
		if err == nil && n > 0 {
			err = sqldb.AppendEvents(tx, []hospital.Event{{Kind: "message.sent", ID: r.ID}}, m.cfg.Now())
		}
		if err != nil || id == "" {
			return err
		}
		if err := tx.Lock("message/" + id); err != nil {
			return err
		}
		var status string
		err = tx.QueryRow("SELECT status FROM message_results WHERE msgid = $1", id).Scan(&status)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return err
		}
		if _, err := tx.Exec("DELETE FROM message_results WHERE msgid = $1", id); err != nil {
			return err
		}
		_, err = m.result(tx, id, status)
		return err
	}
}

// maxStatus bounds what a result event may say.
const maxStatus = 64

// Sent takes the result event of a notice, TEMPLATESENDJOBFINISH: the message's
// number and "success" or why not. A result that comes before its answer waits
// for it.
func (m *Messenger) Sent(ctx context.Context, msgID int64, status string) error {
	if msgID == 0 || status == "" || len(status) > maxStatus {
		return &hospital.Error{Kind: hospital.Invalid, Op: "message.Sent", Code: "bad_result", Detail: "want a number and a status"}
	}
	id := strconv.FormatInt(msgID, 10)
	return m.cfg.DB.Write(ctx, func(tx *sqldb.Tx) error {
		if err := tx.Lock("message/" + id); err != nil {
			return err
		}
		known, err := m.result(tx, id, status)
		if err != nil || known {
			return err
		}
		now := m.cfg.Now()
		if _, err := tx.Exec("DELETE FROM message_results WHERE at < $1", sqldb.Millis(now.Add(-resultFor))); err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO message_results (msgid, status, at) VALUES ($1, $2, $3) ON CONFLICT (msgid) DO NOTHING", id, status, sqldb.Millis(now))
		return err
	})
}

// resultFor is how long a result of no known message is kept: other systems
// of the hospital send notices too.
const resultFor = time.Hour

func (m *Messenger) result(tx *sqldb.Tx, msgID, status string) (known bool, err error) {
	var id, state string
	var turn int64
	err = tx.QueryRow("SELECT id, turn, state FROM messages WHERE msgid = $1"+tx.ForUpdate(), msgID).Scan(&id, &turn, &state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil || state != stateSent:
		return true, err
	}
	became := "message.failed"
	switch {
	case status == "success":
		became = "message.arrived"
		_, err = tx.Exec("UPDATE messages SET state = 'arrived' WHERE id = $1", id)
	case strings.Contains(status, "block") && m.cfg.Texter != nil:
		return true, turnOver(tx, id, turn, "sms", hospital.NewID("m", m.cfg.Now()), m.cfg.Now())
	case strings.Contains(status, "block"):
		_, err = tx.Exec("UPDATE messages SET state = 'failed', failure = 'rejected: user_block', tried_at = $1 WHERE id = $2", sqldb.Millis(m.cfg.Now()), id)
	default:
		_, err = tx.Exec("UPDATE messages SET state = 'failed', failure = 'rejected: not_delivered', tried_at = $1 WHERE id = $2", sqldb.Millis(m.cfg.Now()), id)
	}
	if err != nil {
		return true, err
	}
	return true, sqldb.AppendEvents(tx, []hospital.Event{{Kind: became, ID: id}}, m.cfg.Now())
}

func failure(err error) string {
	text := hospital.KindOf(err).String() + ": " + hospital.CodeOf(err)
	return text[:min(len(text), maxStatus)]
}
