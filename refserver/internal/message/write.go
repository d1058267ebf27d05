package message

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// reader is our place in the event stream.
const reader = "message"

// pump turns events into jobs. What an event says is read by its job, so one
// that breaks stops no other.
func (m *Messenger) pump(ctx context.Context) error {
	return m.cfg.DB.Consume(ctx, reader, pumpBatch, func(tx *sqldb.Tx, e sqldb.StoredEvent) error {
		if !mayTell(e.Event.Kind) {
			return nil
		}
		return sqldb.Enqueue(tx, sqldb.Job{Kind: jobWrite, Key: strconv.FormatInt(e.Seq, 10), Payload: e.Event.Kind + " " + e.Event.ID})
	})
}

// write makes the messages of one event.
func (m *Messenger) write(ctx context.Context, job sqldb.Leased) (func(*sqldb.Tx) error, error) {
	kind, object, _ := strings.Cut(job.Payload, " ")
	f, err := m.cfg.Facts.Fact(ctx, kind, object)
	switch {
	case err != nil && hospital.KindOf(err) == hospital.NotFound:
		return nil, nil //nolint:nilnil // nobody is to be told
	case err != nil:
		return nil, err
	}
	scene, ok := scenes(kind, f)
	if !ok {
		return nil, nil //nolint:nilnil // of no concern to a patient
	}
	return func(tx *sqldb.Tx) error {
		if err := m.insert(tx, job.Key, scene, f); err != nil || scene != Booked {
			return err
		}
		return m.plan(tx, object, f.Start)
	}, nil
}

const (
	eveningHour  = 18 // of the day before
	reminderLead = 2 * time.Hour
)

// plan writes the reminders of an appointment, as far as their time is to come.
func (m *Messenger) plan(tx *sqldb.Tx, object string, start time.Time) error {
	now := m.cfg.Now()
	for scene, at := range map[Scene]time.Time{
		ReminderD1: hospital.DateOf(start).AddDays(-1).At(eveningHour, 0),
		ReminderH2: start.Add(-reminderLead),
	} {
		if start.IsZero() || !at.After(now) {
			continue
		}
		if err := sqldb.Enqueue(tx, sqldb.Job{Kind: jobRemind, Key: string(scene) + "/" + object, Payload: string(scene) + " " + object, RunAt: at}); err != nil {
			return err
		}
	}
	return nil
}

// remind writes a reminder that is due, unless the appointment has left or
// begun. One that moved meanwhile is reminded of at its own time.
func (m *Messenger) remind(ctx context.Context, job sqldb.Leased) (func(*sqldb.Tx) error, error) {
	kind, object, _ := strings.Cut(job.Payload, " ")
	f, err := m.cfg.Facts.Fact(ctx, kind, object)
	switch {
	case err != nil && hospital.KindOf(err) == hospital.NotFound:
		return nil, nil //nolint:nilnil // nobody is to be told
	case err != nil:
		return nil, err
	case !f.Live || !m.cfg.Now().Before(f.Start):
		return nil, nil //nolint:nilnil // nothing to be reminded of
	}
	return func(tx *sqldb.Tx) error { return m.insert(tx, "remind/"+object, Scene(kind), f) }, nil
}

// insert writes one message a recipient, and the job that sends it.
func (m *Messenger) insert(tx *sqldb.Tx, event string, scene Scene, f Fact) error {
	now := m.cfg.Now()
	values := m.values(scene, f)
	fields, err := json.Marshal(values)
	if err != nil {
		return &hospital.Error{Kind: hospital.Internal, Op: "message.write", Err: err}
	}
	state, channel := stateWaiting, "wechat"
	if _, ok := m.cfg.Templates[scene]; !ok || m.cfg.WeChat == nil {
		channel = "sms"
		if m.cfg.Texter == nil {
			state = stateInbox
		}
	}
	at := now
	if catalog[scene].calm {
		at = m.awake(now)
	}
	if late := scene == ReminderD1 || scene == ReminderH2; late && !at.Before(f.Start) {
		state = stateInbox // it would wake nobody in time
	}
	for _, user := range f.Users {
		id := hospital.NewID("m", now)
		n, err := tx.Exec(`INSERT INTO messages (id, event, scene, recipient, patient, object, title, body, fields, created, read_at,
			state, channel, send_key, turn, first_try, tries, tried_at, msgid, failure)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $13, 1, 0, 0, 0, '', '')
			ON CONFLICT (event, scene, recipient) DO NOTHING`,
			id, event, string(scene), string(user), string(f.Patient), f.Object, catalog[scene].title, fill(catalog[scene].body, values), string(fields),
			sqldb.Millis(now), state, channel, id)
		if err != nil {
			return err
		}
		if n == 0 || state == stateInbox {
			continue
		}
		if err := enqueueSend(tx, id, 1, at); err != nil {
			return err
		}
	}
	return nil
}

// awake moves an instant in the quiet hours to their end.
func (m *Messenger) awake(t time.Time) time.Time {
	from, until, hour, day := m.cfg.QuietFrom, m.cfg.QuietUntil, t.In(hospital.CST).Hour(), hospital.DateOf(t)
	switch {
	case from < until && hour >= from && hour < until, from > until && hour < until:
		return day.At(until, 0)
	case from > until && hour >= from:
		return day.AddDays(1).At(until, 0)
	}
	return t
}

func enqueueSend(tx *sqldb.Tx, id string, turn int64, at time.Time) error {
	return sqldb.Enqueue(tx, sqldb.Job{Kind: jobSend, Key: id + "/" + strconv.FormatInt(turn, 10), RunAt: at, MaxAttempts: maxAttempts})
}
