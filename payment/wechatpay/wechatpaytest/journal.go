package wechatpaytest

import (
	"encoding/json"
	"fmt"

	"github.com/wxhospital/hospital/internal/journal"
)

// openJournal replays what the folder remembers: a line for each change, on the
// disk before anybody is answered.
func openJournal(dir string, apply func(line)) (*journal.Journal, error) {
	return journal.Open(dir, "wechatpay.journal", "wechatpaytest.journal", func(n int64, text []byte) error {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		if l.Seq != n {
			return fmt.Errorf("it carries number %d", l.Seq)
		}
		apply(l)
		return nil
	})
}
