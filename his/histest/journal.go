package histest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/wxhospital/hospital"
)

// journalName is the file in Config.Dir.
const journalName = "hospital.journal"

// journal is the hospital's memory on disk: one JSON line an effect, appended
// before the effect happens and on the disk before the command returns. The
// zero journal keeps nothing.
type journal struct {
	file   *os.File
	seq    int64 // of the last line written; guarded by the hospital's lock
	closed bool  // guarded by the hospital's lock

	syncing sync.Mutex
	synced  int64 // every line up to it is on the disk; guarded by syncing
}

// openJournal reads what the folder remembers. A torn last line was never
// acknowledged to anybody and is cut off; a torn line before it is an error.
func openJournal(dir string) (*journal, []effect, error) {
	j := &journal{}
	if dir == "" {
		return j, nil, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, nil, journalError("cannot make the folder", err)
	}
	name := filepath.Join(dir, journalName)
	data, err := os.ReadFile(filepath.Clean(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, journalError("cannot read", err)
	}
	effects, length, err := readEffects(data)
	if err != nil {
		return nil, nil, err
	}
	j.file, err = os.OpenFile(filepath.Clean(name), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, journalError("cannot open", err)
	}
	if err := j.file.Truncate(length); err != nil {
		return nil, nil, journalError("cannot cut the torn line", errors.Join(err, j.file.Close()))
	}
	if _, err := j.file.Seek(length, 0); err != nil {
		return nil, nil, journalError("cannot seek", errors.Join(err, j.file.Close()))
	}
	if len(effects) > 0 {
		j.seq = effects[len(effects)-1].Seq
		j.synced = j.seq
	}
	return j, effects, nil
}

// readEffects returns the effects and how many bytes of data they fill.
func readEffects(data []byte) (effects []effect, length int64, err error) {
	for line := 1; len(data) > 0; line++ {
		text, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			return effects, length, nil
		}
		var e effect
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, 0, journalError(fmt.Sprintf("line %d is torn", line), err)
		}
		if e.Seq != int64(line) {
			return nil, 0, journalError(fmt.Sprintf("line %d carries number %d", line, e.Seq), nil)
		}
		effects = append(effects, e)
		length += int64(len(text)) + 1
		data = rest
	}
	return effects, length, nil
}

// append writes one line. A line that could not be written whole is cut off
// again, so that the next one does not stand behind a torn one.
func (j *journal) append(e effect) error {
	if j.closed {
		return journalError("the hospital is closed", nil)
	}
	if j.file == nil {
		j.seq = e.Seq
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return journalError("cannot encode", err)
	}
	start, err := j.file.Seek(0, 1)
	if err != nil {
		return journalError("cannot write", err)
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		_, sought := j.file.Seek(start, 0)
		return journalError("cannot write", errors.Join(err, j.file.Truncate(start), sought))
	}
	j.seq = e.Seq
	return nil
}

// sync returns when the lines up to seq are on the disk. Commands that wait at
// the same time share one fsync.
func (j *journal) sync(seq int64) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.file == nil || seq <= j.synced {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return journalError("cannot sync", err)
	}
	j.synced = seq
	return nil
}

func (j *journal) close() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.closed = true
	if j.file == nil {
		return nil
	}
	if err := errors.Join(j.file.Sync(), j.file.Close()); err != nil {
		return journalError("cannot close", err)
	}
	j.file = nil
	return nil
}

func journalError(detail string, cause error) error {
	return &hospital.Error{Kind: hospital.Internal, Op: "histest.journal", Code: "bad_journal", Detail: detail, Err: cause}
}
