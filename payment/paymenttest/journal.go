package paymenttest

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
	"github.com/wxhospital/hospital/payment"
)

// tillJournal is the file in TillConfig.Dir.
const tillJournal = "till.journal"

// TillConfig says what [OpenTill] opens.
type TillConfig struct {
	// Name is the channel's name. Required, for example "till".
	Name string
	// Dir is the folder of the journal, "" to keep nothing. A till opened over
	// an existing journal continues where the last one ended.
	Dir string
	// Now is business time. Default: time.Now.
	Now func() time.Time
	// Notify is told of payments and refunds; nil for nobody.
	Notify func(payment.Notice)
}

// OpenTill returns a till that remembers its trades and refunds over a
// restart. Faults and notices that were not told yet are not remembered: a
// cashier asks. [Till.Shut] ends it. Invalid names the bad field; Internal: the journal cannot be
// read, and the error names the line.
func OpenTill(cfg TillConfig) (*Till, error) {
	if cfg.Name == "" {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "paymenttest.OpenTill", Code: "bad_config", Detail: "TillConfig.Name is empty"}
	}
	t := NewTill(cfg.Name, cfg.Now, cfg.Notify)
	if cfg.Dir == "" {
		return t, nil
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, journalError("cannot make the folder", err)
	}
	name := filepath.Clean(filepath.Join(cfg.Dir, tillJournal))
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, journalError("cannot read", err)
	}
	whole, err := t.replay(data)
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
	t.journal = file
	return t, nil
}

// Shut gives the journal back. The till must not be used afterwards.
func (t *Till) Shut() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.journal == nil {
		return nil
	}
	file := t.journal
	t.journal = nil
	if err := file.Close(); err != nil {
		return journalError("cannot close", err)
	}
	return nil
}

// tillLine is one line of the journal: what a trade or a refund has become,
// and how many notices were numbered, because a channel never uses the number
// of one again.
type tillLine struct {
	Trade   *payment.Trade        `json:",omitempty"`
	Attempt *payment.Attempt      `json:",omitempty"`
	Refund  *payment.RefundStatus `json:",omitempty"`
	Notices int
}

// replay takes the lines in and returns how many bytes of data they fill. A
// torn last line was never acknowledged to anybody.
func (t *Till) replay(data []byte) (whole int64, err error) {
	for n := 1; ; n++ {
		text, rest, ended := bytes.Cut(data, []byte("\n"))
		if !ended {
			return whole, nil
		}
		var line tillLine
		if err := json.Unmarshal(text, &line); err != nil || (line.Trade == nil) != (line.Attempt == nil) {
			return 0, journalError(fmt.Sprintf("line %d is torn", n), err)
		}
		t.put(line)
		whole += int64(len(text)) + 1
		data = rest
	}
}

// record journals the line and then lets it happen. The caller holds mu.
func (t *Till) record(line tillLine) error {
	line.Notices = t.notices
	if t.journal != nil {
		text, err := json.Marshal(line)
		if err != nil {
			return journalError("cannot encode", err)
		}
		if _, err := t.journal.Write(append(text, '\n')); err != nil {
			return journalError("cannot write", err)
		}
		if err := t.journal.Sync(); err != nil {
			return journalError("cannot sync", err)
		}
	}
	t.put(line)
	return nil
}

func (t *Till) put(line tillLine) {
	t.notices = line.Notices
	if line.Trade != nil {
		t.trades[line.Trade.TradeNo] = &trade{Trade: *line.Trade, attempt: *line.Attempt}
	}
	if line.Refund != nil {
		t.refunds[line.Refund.No] = line.Refund
	}
}

func journalError(detail string, cause error) error {
	return &hospital.Error{Kind: hospital.Internal, Op: "paymenttest.Till", Code: "bad_journal", Detail: detail, Err: cause}
}
