package histest

import (
	"encoding/json"
	"fmt"

	"github.com/wxhospital/hospital/internal/journal"
)

// openJournal reads what the folder remembers: one line an effect, appended
// before the effect happens and on the disk before the command returns.
func openJournal(dir string) (*journal.Journal, []effect, error) {
	var effects []effect
	j, err := journal.Open(dir, "hospital.journal", "histest.journal", func(line int64, text []byte) error {
		var e effect
		if err := json.Unmarshal(text, &e); err != nil {
			return err
		}
		if e.Seq != line {
			return fmt.Errorf("it carries number %d", e.Seq)
		}
		effects = append(effects, e)
		return nil
	})
	return j, effects, err
}
