package bookingsql

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// Grant implements booking.Quotas.
func (s *Store) Grant(ctx context.Context, slots []booking.QuotaSlot, audit hospital.AuditEntry) error {
	ordered := slices.Clone(slots)
	slices.SortFunc(ordered, func(a, b booking.QuotaSlot) int {
		if a.Slot < b.Slot {
			return -1
		}
		return 1
	})
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, slot := range ordered {
			if err := grant(tx, slot); err != nil {
				return err
			}
		}
		return sqldb.AppendAudit(tx, audit)
	})
}

func grant(tx *sqldb.Tx, slot booking.QuotaSlot) error {
	if err := tx.Lock("quota/" + string(slot.Slot)); err != nil { // the row may not exist yet
		return err
	}
	var stored string
	err := tx.QueryRow("SELECT numbers FROM booking_quotas WHERE slot = $1"+tx.ForUpdate(), string(slot.Slot)).Scan(&stored)
	if missing(err) {
		stored, err = "[]", nil
	}
	if err != nil {
		return err
	}
	numbers, err := parseNumbers(stored)
	if err != nil {
		return err
	}
	for _, number := range slot.Numbers {
		if !slices.Contains(numbers, number) {
			numbers = append(numbers, number)
		}
	}
	body, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO booking_quotas (slot, schedule, numbers, granted, taken) VALUES ($1, $2, $3, $4, 0)
		ON CONFLICT (slot) DO UPDATE SET numbers = excluded.numbers, granted = excluded.granted`,
		string(slot.Slot), string(slot.Schedule), string(body), len(numbers))
	return err
}

// Recall implements booking.Quotas. The row of the quota is the line in which
// buyers wait, so a number is either sold or taken.
func (s *Store) Recall(ctx context.Context, recall booking.QuotaRecall, audit hospital.AuditEntry) ([]int, error) {
	var chosen []int
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		chosen = nil
		numbers, taken, err := lockQuota(tx, recall.Slot)
		if missing(err) {
			return notFound("Recall")
		}
		if err != nil {
			return err
		}
		freed, deferred, err := readFreed(tx, recall.Slot)
		if err != nil {
			return err
		}
		chosen = recall.Choose(slices.Concat(freed, numbers[taken:], deferred))
		sold := 0 // of the numbers that stay, how many were ever sold
		var left []int
		for i, number := range numbers {
			if slices.Contains(chosen, number) {
				continue
			}
			left = append(left, number)
			if i < taken {
				sold++
			}
		}
		body, err := json.Marshal(append([]int{}, left...))
		if err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE booking_quotas SET numbers = $2, granted = $3, taken = $4 WHERE slot = $1",
			string(recall.Slot), string(body), len(left), sold)
		if err != nil {
			return err
		}
		for _, number := range chosen {
			if _, err := tx.Exec("DELETE FROM booking_freed WHERE slot = $1 AND number = $2", string(recall.Slot), number); err != nil {
				return err
			}
		}
		audit.Object = recall.Object(chosen)
		return sqldb.AppendAudit(tx, audit)
	})
	if err != nil {
		return nil, err
	}
	return chosen, nil
}

// lockQuota reads a slot's numbers and how many were ever sold, and holds the
// row until the command ends.
func lockQuota(tx *sqldb.Tx, slot hospital.SlotID) (numbers []int, taken int, err error) {
	var text string
	err = tx.QueryRow("SELECT numbers, taken FROM booking_quotas WHERE slot = $1"+tx.ForUpdate(), string(slot)).Scan(&text, &taken)
	if err != nil {
		return nil, 0, err
	}
	if numbers, err = parseNumbers(text); err == nil && taken > len(numbers) {
		err = &hospital.Error{Kind: hospital.Internal, Op: "bookingsql", Code: "bad_row", Detail: "a quota sold more than it had"}
	}
	return numbers, taken, err
}

// readFreed reads the numbers that came back, in the order in which they are
// sold: before the counter, and after it.
func readFreed(tx *sqldb.Tx, slot hospital.SlotID) (freed, deferred []int, err error) {
	_, err = sqldb.Collect(tx, func(rows *sql.Rows) (struct{}, error) {
		var number int
		var last int64
		if err := rows.Scan(&number, &last); err != nil {
			return struct{}{}, err
		}
		if last > 0 {
			deferred = append(deferred, number)
		} else {
			freed = append(freed, number)
		}
		return struct{}{}, nil
	}, "SELECT number, deferred FROM booking_freed WHERE slot = $1 ORDER BY deferred, number", string(slot))
	return freed, deferred, err
}

// takeNumber claims a number of our quota: one that came back, otherwise the
// next never sold, otherwise one that the HIS refused. The counter row is the
// line in which buyers wait.
func takeNumber(tx *sqldb.Tx, slot hospital.SlotID) (int, error) {
	numbers, taken, err := lockQuota(tx, slot)
	if missing(err) {
		return 0, booking.ErrSlotTaken
	}
	if err != nil {
		return 0, err
	}
	number, err := takeFreed(tx, slot, "deferred = 0")
	if !missing(err) {
		return number, err
	}
	if taken < len(numbers) {
		_, err := tx.Exec("UPDATE booking_quotas SET taken = taken + 1 WHERE slot = $1", string(slot))
		return numbers[taken], err
	}
	number, err = takeFreed(tx, slot, "deferred > 0")
	if missing(err) {
		return 0, booking.ErrSlotTaken
	}
	return number, err
}

// takeFreed claims the first number that came back, of those that the condition
// names.
func takeFreed(tx *sqldb.Tx, slot hospital.SlotID, which string) (number int, err error) {
	err = tx.QueryRow(`DELETE FROM booking_freed WHERE slot = $1 AND number =
		(SELECT number FROM booking_freed WHERE slot = $1 AND `+which+` ORDER BY deferred, number LIMIT 1) RETURNING number`,
		string(slot)).Scan(&number)
	return number, err
}

// freeNumber puts a number back on sale.
func freeNumber(tx *sqldb.Tx, a booking.Appointment, fate booking.NumberFate) error {
	if a.Number == 0 {
		return nil
	}
	deferred := "0"
	switch fate {
	case booking.KeepNumber, booking.BurnNumber:
		return nil
	case booking.DeferNumber:
		deferred = "(SELECT coalesce(max(deferred), 0) + 1 FROM booking_freed WHERE slot = $1)"
	case booking.FreeNumber:
	}
	_, err := tx.Exec("INSERT INTO booking_freed (slot, number, deferred) VALUES ($1, $2, "+deferred+")", string(a.Slot), a.Number)
	return err
}

func parseNumbers(text string) ([]int, error) {
	var numbers []int
	if err := json.Unmarshal([]byte(text), &numbers); err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "bookingsql", Code: "bad_row", Detail: "numbers of a quota", Err: err}
	}
	return numbers, nil
}

// QuotaLeft implements booking.Quotas.
func (s *Store) QuotaLeft(ctx context.Context, slots []hospital.SlotID) (map[hospital.SlotID]int, error) {
	left := map[hospital.SlotID]int{}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		for _, slot := range slots {
			var n int
			err := tx.QueryRow(`SELECT granted - taken + (SELECT count(*) FROM booking_freed WHERE slot = $1)
				FROM booking_quotas WHERE slot = $1`, string(slot)).Scan(&n)
			if missing(err) {
				continue
			}
			if err != nil {
				return err
			}
			left[slot] = n
		}
		return nil
	})
	return left, err
}
