package paymenttest

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/journal"
	"github.com/wxhospital/hospital/payment"
)

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
	var err error
	t.journal, err = journal.Open(cfg.Dir, "till.journal", "paymenttest.Till", func(_ int64, text []byte) error {
		var line tillLine
		if err := json.Unmarshal(text, &line); err != nil {
			return err
		}
		if (line.Trade == nil) != (line.Attempt == nil) {
			return errors.New("a trade comes with its attempt")
		}
		t.put(line)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Shut gives the journal back. The till must not be used afterwards.
func (t *Till) Shut() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.journal.Close()
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

// record journals the line and then lets it happen. The caller holds mu.
func (t *Till) record(line tillLine) error {
	line.Notices = t.notices
	if err := t.journal.Append(line); err != nil {
		return err
	}
	if err := t.journal.Sync(t.journal.Seq()); err != nil {
		return err
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
