package wechatpaytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/wxhospital/hospital"
)

// journalName is the file in Config.Dir.
const journalName = "wechatpay.journal"

// journal is the platform's memory on disk: a JSON line for each change,
// written before the change happens and on the disk before anybody is answered.
// The journal of no folder keeps nothing.
type journal struct {
	file   *os.File
	seq    int64 // of the last line written; guarded by the platform's lock
	closed bool  // guarded by the platform's lock

	syncing sync.Mutex
	synced  int64 // guarded by syncing
}

// openJournal replays what the folder remembers. A torn last line was never
// acknowledged and is cut off; any other torn line is an error.
func openJournal(dir string, apply func(line)) (*journal, error) {
	j := &journal{}
	if dir == "" {
		return j, nil
	}
	name := filepath.Join(filepath.Clean(dir), journalName)
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, journalError("cannot read", err)
	}
	whole := int64(0)
	for {
		text, rest, ended := bytes.Cut(data, []byte("\n"))
		if !ended {
			break
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil || l.Seq != j.seq+1 {
			return nil, journalError(fmt.Sprintf("line %d is torn", j.seq+1), err)
		}
		apply(l)
		j.seq = l.Seq
		whole += int64(len(text)) + 1
		data = rest
	}
	j.synced = j.seq
	if j.file, err = os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, journalError("cannot open", err)
	}
	if err := j.file.Truncate(whole); err != nil {
		return nil, journalError("cannot cut the torn line", errors.Join(err, j.file.Close()))
	}
	if _, err := j.file.Seek(whole, io.SeekStart); err != nil {
		return nil, journalError("cannot seek", errors.Join(err, j.file.Close()))
	}
	return j, nil
}

// append writes one line. One that could not be written whole is cut off, so
// that the next does not stand behind a torn one.
func (j *journal) append(l line) error {
	if j.closed {
		return journalError("the platform is closed", nil)
	}
	if j.file != nil {
		text, err := json.Marshal(l)
		if err != nil {
			return journalError("cannot encode", err)
		}
		start, err := j.file.Seek(0, io.SeekCurrent)
		if err != nil {
			return journalError("cannot write", err)
		}
		if _, err := j.file.Write(append(text, '\n')); err != nil {
			_, sought := j.file.Seek(start, io.SeekStart)
			return journalError("cannot write", errors.Join(err, j.file.Truncate(start), sought))
		}
	}
	j.seq = l.Seq
	return nil
}

// sync returns when the lines up to seq are on the disk. Callers that wait at
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
	err := errors.Join(j.file.Sync(), j.file.Close())
	j.file = nil
	if err != nil {
		return journalError("cannot close", err)
	}
	return nil
}

func journalError(detail string, cause error) error {
	return &hospital.Error{Kind: hospital.Internal, Op: "wechatpaytest.journal", Code: "bad_journal", Detail: detail, Err: cause}
}
