package histest

import (
	"context"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// Settlements returns the rows booked on the day, of every entry, in the order
// of booking (对账单). Invalid: an unknown day.
func (h *Hospital) Settlements(ctx context.Context, day hospital.Date) (rows []his.Settlement, err error) {
	err = h.do(ctx, "histest.Settlements", func(t turn) error {
		if day.IsZero() {
			return t.refuse(hospital.Invalid, "bad_day", "")
		}
		for _, row := range t.state.rows {
			if hospital.DateOf(row.BookedAt) == day {
				rows = append(rows, inCST(row))
			}
		}
		return nil
	})
	return rows, err
}

// FindSettlements returns the rows booked under our key, none when there are
// none. Invalid: a malformed key.
func (h *Hospital) FindSettlements(ctx context.Context, key hospital.Key) (rows []his.Settlement, err error) {
	err = h.do(ctx, "histest.FindSettlements", func(t turn) error {
		if !key.Valid() {
			return t.refuse(hospital.Invalid, "bad_key", "")
		}
		for _, i := range t.state.rowsOf[key] {
			rows = append(rows, inCST(t.state.rows[i]))
		}
		return nil
	})
	return rows, err
}

func inCST(row his.Settlement) his.Settlement {
	row.BookedAt = row.BookedAt.In(hospital.CST)
	return row
}
