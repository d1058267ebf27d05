package histest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
)

// TestWhateverHappensTheHospitalStaysRight lets random people do random things,
// restarts the hospital now and then, and checks what must always hold: no
// number has two holders, no key has an effect twice, and the books are the sum
// of what is paid.
func TestWhateverHappensTheHospitalStaysRight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		at := newClock()
		config := histest.Config{Dir: t.TempDir(), Now: at.Now, Quota: rapid.IntRange(0, 2).Draw(r, "quota")}
		h, err := histest.NewHospital(config)
		require.NoError(r, err)
		schedule, slot := expertSlot(t, h)
		patient := rapid.SampledFrom([]hospital.PatientID{"P000001", "P000002", "P000003"})
		key := rapid.Map(rapid.IntRange(1, 12), func(n int) hospital.Key { return hospital.Key(fmt.Sprintf("key-%03d", n)) })
		holds := map[hospital.Key]hospital.Hold{}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			ctx, k, p := t.Context(), key.Draw(r, "key"), patient.Draw(r, "patient")
			switch rapid.IntRange(0, 10).Draw(r, "do") {
			case 0, 1, 2:
				request := hold(slot, k, p)
				request.Number = rapid.SampledFrom([]int{0, 0, 2, 3}).Draw(r, "number")
				if got, err := h.Hold(ctx, request); err == nil {
					holds[k] = got
				}
			case 3, 4:
				paid := rapid.SampledFrom([]hospital.Fen{0, 3000, 2999}).Draw(r, "paid")
				_, _ = h.Confirm(ctx, hospital.ConfirmRequest{Key: k, Patient: p, Hold: holds[k], Paid: paid, Receipt: "r" + string(k)})
			case 5:
				_ = h.Cancel(ctx, k)
			case 6:
				_, _ = h.Window().Sell(slot.ID, p)
			case 7:
				at.Pass(time.Duration(rapid.IntRange(1, 20).Draw(r, "minutes")) * time.Minute)
			case 8:
				_, _ = h.Settle(ctx, his.SettleRequest{Key: k, Bill: "ZD000003", Patient: "P000002", Amount: 48000, Quote: "1", Receipt: "r"})
			case 9:
				_ = h.Reverse(ctx, k)
			case 10:
				switch rapid.IntRange(0, 3).Draw(r, "rarely") {
				case 0:
					_, _ = h.Suspend(schedule.ID, "停诊", "")
				case 1:
					require.NoError(r, h.Forget(15*time.Minute))
				default:
					before := []any{h.Everyone(), h.Ledger()}
					require.NoError(r, h.Close())
					h, err = histest.NewHospital(config)
					require.NoError(r, err)
					after := []any{h.Everyone(), h.Ledger()}
					require.Equal(r, before, after)
				}
			}
			alwaysRight(t, r, h, slot.ID)
		}
		require.NoError(r, h.Close())
	})
}

func alwaysRight(t *testing.T, r *rapid.T, h *histest.Hospital, slot hospital.SlotID) {
	t.Helper()
	counts, err := h.SlotCounts(slot)
	require.NoError(r, err)
	require.Equal(r, counts.Sold, counts.Distinct, "oversold")
	require.LessOrEqual(r, counts.Sold, counts.Capacity)
	var owed hospital.Fen
	for _, one := range h.Everyone() {
		owed += one.Paid
		require.True(r, one.State.Live() || one.Paid == 0, "a registration out of force keeps no money")
	}
	for n := range 13 {
		k := hospital.Key(fmt.Sprintf("key-%03d", n))
		for what, times := range h.Effects(k) {
			if what != "barred" { // a key bars a registration and a payment apart
				require.Equal(r, 1, times, "%s %s", k, what)
			}
		}
		if p, err := h.FindPayment(t.Context(), k); err == nil && !p.Reversed {
			owed += p.Amount
		}
	}
	require.Equal(r, owed, h.Total(), "the books are what is paid")
}

func TestTheNumbersOfASlotCanBeSet(t *testing.T) {
	t.Parallel()
	h, _ := open(t, histest.Config{SlotNumbers: 20})
	_, slot := expertSlot(t, h)
	require.Equal(t, 20, slot.Capacity)
	_, err := histest.NewHospital(histest.Config{SlotNumbers: -1})
	require.ErrorContains(t, err, "SlotNumbers")
}
