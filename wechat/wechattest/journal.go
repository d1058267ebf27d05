package wechattest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/wxhospital/hospital"
)

// journalName is the file in Config.Dir.
const journalName = "wechat.journal"

// journal is the platform's memory on disk: one JSON line a turn, written
// before anybody hears of it. Lines survive the end of the process at any
// point; they are forced onto the disk when the platform closes. The zero
// journal keeps nothing.
type journal struct {
	file *os.File
	seq  int64
}

// entry is one line: the rows as they were after the turn.
type entry struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Changes []change  `json:"rows"`
}

// openJournal puts what the folder remembers onto the shelves. A torn last line
// was never acknowledged to anybody and is cut off; a torn line before it is an
// error.
func openJournal(dir string, shelves map[string]shelver) (*journal, error) {
	j := &journal{}
	if dir == "" {
		return j, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, journalError("cannot make the folder", err)
	}
	name := filepath.Clean(filepath.Join(dir, journalName))
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, journalError("cannot read", err)
	}
	whole, err := j.replay(data, shelves)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, journalError("cannot open", err)
	}
	if err := file.Truncate(whole); err != nil {
		return nil, journalError("cannot cut the torn line", errors.Join(err, file.Close()))
	}
	if _, err := file.Seek(whole, io.SeekStart); err != nil {
		return nil, journalError("cannot seek", errors.Join(err, file.Close()))
	}
	j.file = file
	return j, nil
}

// replay returns how many bytes of data are whole lines.
func (j *journal) replay(data []byte, shelves map[string]shelver) (whole int64, err error) {
	for line := int64(1); ; line++ {
		text, rest, ended := bytes.Cut(data, []byte("\n"))
		if !ended {
			return whole, nil
		}
		var e entry
		if err := json.Unmarshal(text, &e); err != nil {
			return 0, journalError(fmt.Sprintf("line %d is torn", line), err)
		}
		if e.Seq != line {
			return 0, journalError(fmt.Sprintf("line %d carries number %d", line, e.Seq), nil)
		}
		for _, c := range e.Changes {
			s, known := shelves[c.Shelf]
			if !known {
				return 0, journalError(fmt.Sprintf("line %d names the unknown shelf %q", line, c.Shelf), nil)
			}
			if err := s.load(c.Key, c.Value); err != nil {
				return 0, journalError(fmt.Sprintf("line %d: shelf %s", line, c.Shelf), err)
			}
		}
		j.seq = e.Seq
		whole += int64(len(text)) + 1
		data = rest
	}
}

// append writes one line.
func (j *journal) append(at time.Time, changes []change) error {
	j.seq++
	if j.file == nil {
		return nil
	}
	for i, c := range changes {
		if c.dropped {
			continue
		}
		value, err := json.Marshal(c.row)
		if err != nil {
			return journalError("cannot encode", err)
		}
		changes[i].Value = value
	}
	line, err := json.Marshal(entry{Seq: j.seq, At: at, Changes: changes})
	if err != nil {
		return journalError("cannot encode", err)
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return journalError("cannot write", err)
	}
	return nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	file := j.file
	j.file = nil
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return journalError("cannot close", err)
	}
	return nil
}

func journalError(detail string, cause error) error {
	return &hospital.Error{Kind: hospital.Internal, Op: "wechattest.journal", Code: "bad_journal", Detail: detail, Err: cause}
}
