// Package journal is the memory on disk of a simulator: one JSON line for each
// change, written before the change happens, so that whoever opens the folder
// again continues where the last one ended, however it ended.
package journal

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

// Journal appends to one file. The journal of no folder keeps nothing, and
// counts all the same. Append and Seq want the caller's lock; Sync and Close do
// not.
type Journal struct {
	op     string
	file   *os.File
	seq    int64
	closed bool

	syncing sync.Mutex
	synced  int64 // every line up to it is on the disk; guarded by syncing
}

// Open replays what the file remembers, line by line from 1, and returns the
// journal at its end. A torn last line was never acknowledged to anybody and is
// cut off. Errors are Internal bad_journal of the operation op, and name the
// line that replay refused.
func Open(dir, name, op string, replay func(line int64, text []byte) error) (*Journal, error) {
	j := &Journal{op: op}
	if dir == "" {
		return j, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, j.fail("cannot make the folder", err)
	}
	path := filepath.Join(filepath.Clean(dir), name)
	data, err := os.ReadFile(path) //nolint:gosec // the configured folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, j.fail("cannot read", err)
	}
	whole := int64(0)
	for {
		text, rest, ended := bytes.Cut(data, []byte("\n"))
		if !ended {
			break
		}
		j.seq++
		if err := replay(j.seq, text); err != nil {
			return nil, j.fail(fmt.Sprintf("line %d cannot be read", j.seq), err)
		}
		whole += int64(len(text)) + 1
		data = rest
	}
	j.synced = j.seq
	if j.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil { //nolint:gosec // as above
		return nil, j.fail("cannot open", err)
	}
	_, sought := j.file.Seek(whole, io.SeekStart)
	if err := errors.Join(j.file.Truncate(whole), sought); err != nil {
		return nil, j.fail("cannot cut the torn line", errors.Join(err, j.file.Close()))
	}
	return j, nil
}

// Seq is the number of the last line.
func (j *Journal) Seq() int64 { return j.seq }

// Append writes one line. A line that could not be written whole is cut off
// again, so that the next one does not stand behind a torn one.
func (j *Journal) Append(line any) error {
	if j.closed {
		return j.fail("it is closed", nil)
	}
	if j.file == nil {
		j.seq++
		return nil
	}
	text, err := json.Marshal(line)
	if err != nil {
		return j.fail("cannot encode", err)
	}
	start, err := j.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return j.fail("cannot write", err)
	}
	if _, err := j.file.Write(append(text, '\n')); err != nil {
		_, sought := j.file.Seek(start, io.SeekStart)
		return j.fail("cannot write", errors.Join(err, j.file.Truncate(start), sought))
	}
	j.seq++
	return nil
}

// Sync returns when the lines up to seq are on the disk. Callers that wait at
// the same time share one fsync.
func (j *Journal) Sync(seq int64) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.file == nil || seq <= j.synced {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return j.fail("cannot sync", err)
	}
	j.synced = seq
	return nil
}

// Close forces what was written onto the disk. Nothing can be appended after
// it; closing again is nil.
func (j *Journal) Close() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.closed = true
	if j.file == nil {
		return nil
	}
	err := errors.Join(j.file.Sync(), j.file.Close())
	j.file = nil
	if err != nil {
		return j.fail("cannot close", err)
	}
	return nil
}

func (j *Journal) fail(detail string, cause error) error {
	return &hospital.Error{Kind: hospital.Internal, Op: j.op, Code: "bad_journal", Detail: detail, Err: cause}
}
