package bookingsql

import (
	"context"
	"slices"

	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// Outcome is what one sale of [Store.SellAll] came to: the appointment, or what
// Allow refused, or ErrSlotTaken.
type Outcome struct {
	Appointment booking.Appointment
	Refused     error
}

// SellAll is [booking.Store.Sell] for several sales in one commit, in the order
// given; a later sale's rules see the earlier ones. A refusal comes before its
// sale writes anything, so it costs the others nothing. The error is of the
// commit: then none was sold, or with Indeterminate perhaps all were.
func (s *Store) SellAll(ctx context.Context, sales []booking.Sale) ([]Outcome, error) {
	outcomes := make([]Outcome, len(sales))
	err := s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		if err := lockAll(tx, sales); err != nil {
			return err
		}
		for i, sale := range sales {
			outcomes[i].Appointment, outcomes[i].Refused, err = sell(tx, sale)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// lockAll takes the locks that the sales need in one order: patients, then
// segments, each by id. Two that sell at once then cannot wait for one another.
func lockAll(tx *sqldb.Tx, sales []booking.Sale) error {
	var patients, slots []string
	for _, sale := range sales {
		patients = append(patients, string(sale.Appointment.Patient))
		if sale.Quota {
			slots = append(slots, string(sale.Appointment.Slot))
		}
	}
	slices.Sort(patients)
	slices.Sort(slots)
	for _, patient := range slices.Compact(patients) {
		if err := tx.Lock("patient/" + patient); err != nil {
			return err
		}
	}
	if tx.Engine() == sqldb.SQLite {
		return nil
	}
	for _, slot := range slices.Compact(slots) {
		if _, err := tx.Exec("SELECT 1 FROM booking_quotas WHERE slot = $1"+tx.ForUpdate(), slot); err != nil {
			return err
		}
	}
	return nil
}
