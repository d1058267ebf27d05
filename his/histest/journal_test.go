package histest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/testclock"
)

// busyDay makes a journal of every kind of effect and returns the hospital.
func busyDay(t *testing.T, dir string) (*histest.Hospital, *testclock.Clock) {
	t.Helper()
	at := newClock()
	h, err := histest.NewHospital(histest.Config{Dir: dir, Now: at.Now, Quota: 1, Seed: 4})
	require.NoError(t, err)
	ctx := t.Context()
	schedule, slot := expertSlot(t, h)
	_, err = h.GrantQuota(schedule.ID, 1)
	require.NoError(t, err)
	held, err := h.Hold(ctx, hold(slot, "journal-1", "P000001"))
	require.NoError(t, err)
	_, err = h.Confirm(ctx, hospital.ConfirmRequest{Key: "journal-1", Patient: "P000001", Hold: held, Paid: 3000, Receipt: "r1"})
	require.NoError(t, err)
	_, err = h.Suspend(schedule.ID, "停诊", "")
	require.NoError(t, err)
	require.NoError(t, h.Cancel(ctx, "journal-2"))
	b, err := h.Bills(ctx, "P000002")
	require.NoError(t, err)
	_, err = h.Settle(ctx, his.SettleRequest{Key: "journal-3", Bill: b[0].ID, Patient: "P000002", Amount: b[0].Amount, Quote: b[0].Quote, Receipt: "r3"})
	require.NoError(t, err)
	require.NoError(t, h.Reverse(ctx, "journal-3"))
	require.NoError(t, h.BindCard(ctx, his.CardRequest{Key: "journal-4", Patient: "P000001", CardNo: "JZ99"}))
	_, err = h.PayDeposit(ctx, his.DepositRequest{Key: "journal-5", Admission: "ZY000001", Patient: "P000005", Amount: 5, Receipt: "r5"})
	require.NoError(t, err)
	at.Pass(time.Hour)
	today, err := h.Schedules(ctx, his.ScheduleQuery{From: hospital.DateOf(at.Now()), To: hospital.DateOf(at.Now())})
	require.NoError(t, err)
	slots, err := h.Slots(ctx, today[0].ID)
	require.NoError(t, err)
	_, err = h.Hold(ctx, hold(slots[3], "journal-6", "P000006"))
	require.NoError(t, err)
	at.Pass(16 * time.Minute)
	_, err = h.Window().Sell(slots[3].ID, "P000007")
	require.NoError(t, err)
	require.NoError(t, h.Forget(10*time.Minute))
	_, err = h.Kiosk().Sell(slots[3].ID, "P000008")
	require.NoError(t, err)
	return h, at
}

// truth is everything a test can see of a hospital.
func truth(t *testing.T, h *histest.Hospital, at time.Time) []any {
	t.Helper()
	ctx := t.Context()
	from := hospital.DateOf(morning)
	schedules, err := h.Schedules(ctx, his.ScheduleQuery{From: from, To: from.AddDays(13)})
	require.NoError(t, err)
	closed, err := h.Suspensions(ctx, from, from.AddDays(13))
	require.NoError(t, err)
	quota, err := h.QuotaSlots(from, from.AddDays(13))
	require.NoError(t, err)
	bills, err := h.Bills(ctx, "P000002")
	require.NoError(t, err)
	patient, err := h.FindPatient(ctx, his.PatientQuery{CardNo: "JZ99"})
	require.NoError(t, err)
	rows, err := h.Settlements(ctx, hospital.DateOf(at))
	require.NoError(t, err)
	deposit, err := h.FindDeposit(ctx, "journal-5")
	require.NoError(t, err)
	all := []any{schedules, closed, bills, patient, rows, deposit, h.Everyone(), h.Ledger(), len(quota)}
	for _, key := range []hospital.Key{"journal-1", "journal-2", "journal-3", "journal-4", "journal-5", "journal-6"} {
		all = append(all, h.Effects(key))
	}
	return all
}

func TestARestartContinuesExactly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, at := busyDay(t, dir)
	before := truth(t, h, at.Now())
	require.NoError(t, h.Close())

	h, err := histest.NewHospital(histest.Config{Dir: dir, Now: at.Now})
	require.NoError(t, err)
	require.Equal(t, before, truth(t, h, at.Now()))
	require.Equal(t, 1, h.Effects("journal-6")["expired"])
	_, slot := expertSlot(t, h)
	_, err = h.Hold(t.Context(), hold(slot, "journal-2", "P000001"))
	refused(t, err, hospital.Rejected, "key_cancelled")
	require.NoError(t, h.Close())
	refused(t, h.Cancel(t.Context(), "journal-9"), hospital.Internal, "bad_journal")

	_, err = histest.NewHospital(histest.Config{Dir: dir, Now: at.Now, Seed: 5})
	refused(t, err, hospital.Invalid, "bad_config")
}

func TestAKilledHospitalLosesNothingItSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, at := busyDay(t, dir)
	before := truth(t, h, at.Now())
	// The process dies here, in the middle of a line: no Close.
	name := filepath.Join(dir, "hospital.journal")
	file, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString(`{"seq":99,"at":"2026-11-2`)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	for range 2 {
		again, err := histest.NewHospital(histest.Config{Dir: dir, Now: at.Now})
		require.NoError(t, err)
		require.Equal(t, before, truth(t, again, at.Now()))
		_, err = again.AddBill(histest.NewBill{Patient: "P000001", Items: []his.BillItem{{Name: "针灸", Amount: 10}}})
		require.NoError(t, err, "the torn line is cut off before the next")
		require.NoError(t, again.Close())
	}
}

func TestATornLineInTheMiddleIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, at := busyDay(t, dir)
	require.NoError(t, h.Close())
	name := filepath.Join(dir, "hospital.journal")
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	lines := bytes.SplitAfter(data, []byte("\n"))

	torn := bytes.Join(append(append([][]byte{}, lines[:4]...), append([][]byte{[]byte("{\"seq\":5,\"a\n")}, lines[5:]...)...), nil)
	require.NoError(t, os.WriteFile(name, torn, 0o600))
	_, err = histest.NewHospital(histest.Config{Dir: dir, Now: at.Now})
	refused(t, err, hospital.Internal, "bad_journal")
	require.ErrorContains(t, err, "line 5 cannot be read")

	missing := bytes.Join(append(append([][]byte{}, lines[:4]...), lines[5:]...), nil)
	require.NoError(t, os.WriteFile(name, missing, 0o600))
	_, err = histest.NewHospital(histest.Config{Dir: dir, Now: at.Now})
	require.ErrorContains(t, err, "line 5 cannot be read: it carries number 6")
}

func TestABadConfigurationIsNamed(t *testing.T) {
	t.Parallel()
	_, err := histest.NewHospital(histest.Config{HoldFor: -1})
	require.ErrorContains(t, err, "HoldFor")
	_, err = histest.NewHospital(histest.Config{Quota: -1})
	require.ErrorContains(t, err, "Quota")
}
