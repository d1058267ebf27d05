package wechattest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/wxhospital/hospital/internal/journal"
)

// entry is one line of the journal: the rows as they were after a turn. Lines
// survive the end of the process at any point; they are forced onto the disk
// when the platform closes.
type entry struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Changes []change  `json:"rows"`
}

// openJournal puts what the folder remembers onto the shelves.
func openJournal(dir string, shelves map[string]shelver) (*journal.Journal, error) {
	return journal.Open(dir, "wechat.journal", "wechattest.journal", func(line int64, text []byte) error {
		var e entry
		if err := json.Unmarshal(text, &e); err != nil {
			return err
		}
		if e.Seq != line {
			return fmt.Errorf("it carries number %d", e.Seq)
		}
		for _, c := range e.Changes {
			s, known := shelves[c.Shelf]
			if !known {
				return fmt.Errorf("it names the unknown shelf %q", c.Shelf)
			}
			if err := s.load(c.Key, c.Value); err != nil {
				return fmt.Errorf("shelf %s: %w", c.Shelf, err)
			}
		}
		return nil
	})
}

// remember writes what a turn changed.
func (t *turn) remember() error {
	for i, c := range t.changes {
		if c.dropped {
			continue
		}
		value, err := json.Marshal(c.row)
		if err != nil {
			return fmt.Errorf("wechattest: encode %s: %w", c.Shelf, err)
		}
		t.changes[i].Value = value
	}
	return t.journal.Append(entry{Seq: t.journal.Seq() + 1, At: t.now, Changes: t.changes})
}
