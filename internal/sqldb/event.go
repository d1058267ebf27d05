package sqldb

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// StoredEvent is an event with its place in the order in which all readers
// see the events.
type StoredEvent struct {
	Seq   int64
	Event hospital.Event
	At    time.Time
}

// maxEvents bounds one page of [DB.Events].
const maxEvents = 1000

// AppendEvents writes events in the command that made them true.
func AppendEvents(tx *Tx, events []hospital.Event, at time.Time) error {
	for chunk := range slices.Chunk(events, chunkRows) {
		var args []any
		for _, e := range chunk {
			args = append(args, e.Kind, e.ID, Millis(at))
		}
		if _, err := tx.Exec("INSERT INTO events (kind, object, created_at) VALUES "+tuples(len(chunk), 3), args...); err != nil {
			return err
		}
	}
	return nil
}

// Events returns up to limit events (at most 1000) behind the one numbered
// after, oldest first. A reader that always continues behind the last Seq it
// saw misses none, however many processes write.
func (db *DB) Events(ctx context.Context, after int64, limit int) ([]StoredEvent, error) {
	query := "SELECT id, kind, object, created_at FROM events WHERE id > $1 ORDER BY id LIMIT $2"
	if db.engine == PostgreSQL {
		if err := db.orderEvents(ctx); err != nil {
			return nil, err
		}
		query = "SELECT seq, kind, object, created_at FROM events WHERE seq > $1 ORDER BY seq LIMIT $2"
	}
	var all []StoredEvent
	err := db.Read(ctx, func(tx *Tx) (err error) {
		all, err = Collect(tx, func(rows *sql.Rows) (StoredEvent, error) {
			var e StoredEvent
			var at int64
			err := rows.Scan(&e.Seq, &e.Event.Kind, &e.Event.ID, &at)
			e.At = Instant(at)
			return e, err
		}, query, after, max(0, min(limit, maxEvents)))
		return err
	})
	return all, err
}

// LastEvent returns the Seq of the newest event that a reader can see, 0 for
// none: where one begins who wants to hear of later events only.
func (db *DB) LastEvent(ctx context.Context) (seq int64, err error) {
	query := "SELECT coalesce(max(id), 0) FROM events"
	if db.engine == PostgreSQL {
		query = "SELECT coalesce(max(seq), 0) FROM events"
	}
	err = db.Read(ctx, func(tx *Tx) error { return tx.QueryRow(query).Scan(&seq) })
	return seq, err
}

// orderEvents numbers the events that have committed since the last time.
// Commands commit in another order than they drew their ids; the number is
// drawn under a lock by which only one reader at a time gives them out, after
// the commit, so no event ever appears behind a cursor.
func (db *DB) orderEvents(ctx context.Context) error {
	fresh := false
	if err := db.Read(ctx, func(tx *Tx) error {
		return tx.QueryRow("SELECT EXISTS (SELECT 1 FROM events WHERE seq IS NULL)").Scan(&fresh)
	}); err != nil || !fresh {
		return err
	}
	return db.Write(ctx, func(tx *Tx) error {
		if err := tx.Lock("events"); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE events SET seq = n.seq FROM (
			SELECT id, (SELECT coalesce(max(seq), 0) FROM events) + row_number() OVER (ORDER BY id) AS seq
			FROM (SELECT id FROM events WHERE seq IS NULL ORDER BY id LIMIT $1) AS fresh) AS n
			WHERE events.id = n.id`, maxEvents)
		return err
	})
}

// Lock holds PostgreSQL's advisory lock of that name, in this schema, until
// the command ends. On SQLite one command runs at a time anyway.
func (tx *Tx) Lock(name string) error {
	if tx.db.engine == SQLite {
		return nil
	}
	_, err := tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended('hospital/' || current_schema() || '/' || $1, 0))", name)
	return err
}

// Consume hands the events that the named reader has not had yet to each, in
// commits of at most batch events, and returns when there are none left. What
// each writes commits with the reader's place, so every event takes effect once,
// however many processes read under the name. An error of each undoes its batch.
func (db *DB) Consume(ctx context.Context, reader string, batch int, each func(*Tx, StoredEvent) error) error {
	for {
		var after int64
		err := db.Read(ctx, func(tx *Tx) error {
			return tx.QueryRow("SELECT coalesce(max(seq), 0) FROM event_readers WHERE name = $1", reader).Scan(&after)
		})
		if err != nil {
			return err
		}
		events, err := db.Events(ctx, after, batch)
		if err != nil || len(events) == 0 {
			return err
		}
		err = db.Write(ctx, func(tx *Tx) error {
			n, err := tx.Exec(`INSERT INTO event_readers (name, seq) VALUES ($1, $2)
				ON CONFLICT (name) DO UPDATE SET seq = excluded.seq WHERE event_readers.seq = $3`, reader, events[len(events)-1].Seq, after)
			if err != nil || n == 0 { // another process was faster
				return err
			}
			for _, e := range events {
				if err := each(tx, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
