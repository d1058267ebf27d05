package bookingsql

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// Grant implements booking.Quotas.
func (s *Store) Grant(ctx context.Context, slots []booking.QuotaSlot) error {
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
		return nil
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
