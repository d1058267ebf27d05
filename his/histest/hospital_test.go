package histest_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/testclock"
)

// morning is 07:30 of a working Monday.
var morning = time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)

func newClock() *testclock.Clock { return testclock.At(morning) }

// open opens a hospital at 07:30 and closes it with the test.
func open(t *testing.T, config histest.Config) (*histest.Hospital, *testclock.Clock) {
	t.Helper()
	at := newClock()
	config.Now = at.Now
	h, err := histest.NewHospital(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h, at
}

// expertSlot is tomorrow's first expert slot.
func expertSlot(t *testing.T, h *histest.Hospital) (hospital.Schedule, hospital.Slot) {
	t.Helper()
	tomorrow := hospital.DateOf(morning).AddDays(1)
	schedules, err := h.Schedules(t.Context(), his.ScheduleQuery{From: tomorrow, To: tomorrow})
	require.NoError(t, err)
	for _, s := range schedules {
		if s.Expert && s.Fees.Total() == 3000 {
			slots, err := h.Slots(t.Context(), s.ID)
			require.NoError(t, err)
			return s, slots[0]
		}
	}
	require.FailNow(t, "no expert works tomorrow")
	return hospital.Schedule{}, hospital.Slot{}
}

func hold(slot hospital.Slot, key hospital.Key, patient hospital.PatientID) hospital.HoldRequest {
	return hospital.HoldRequest{
		Key: key, Schedule: slot.Schedule, Slot: slot.ID, Patient: patient, Kind: hospital.Advance,
		Entry: hospital.EntryWeChat, Opaque: slot.Opaque,
	}
}

func refused(t *testing.T, err error, kind hospital.Kind, code string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, kind.String()+" "+code, hospital.KindOf(err).String()+" "+hospital.CodeOf(err), "%v", err)
}

func TestTheDirectoryIsAWholeHospital(t *testing.T) {
	t.Parallel()
	h, _ := open(t, histest.Config{})
	ctx := t.Context()
	campuses, err := h.Campuses(ctx)
	require.NoError(t, err)
	require.Len(t, campuses, 2)
	departments, err := h.Departments(ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(departments), 14)
	names, doctors := map[string]bool{}, 0
	for _, d := range departments {
		names[d.Name] = true
		require.NotEmpty(t, d.Introduction)
		require.NotEmpty(t, d.Location)
		require.NotEmpty(t, d.Code)
		of, err := h.Doctors(ctx, d.ID)
		require.NoError(t, err)
		for _, doctor := range of {
			doctors++
			require.NotEmpty(t, doctor.Title)
			require.NotEmpty(t, doctor.Specialty)
			require.NotEmpty(t, doctor.Introduction)
			require.Equal(t, d.ID, doctor.Department)
		}
	}
	require.GreaterOrEqual(t, doctors, 40)
	for _, name := range []string{"骨伤科", "脾胃病科", "肺病科", "脑病科", "心病科", "针灸科", "推拿科", "妇科", "儿科"} {
		require.True(t, names[name], name)
	}
	_, err = h.Doctors(ctx, "D999")
	refused(t, err, hospital.NotFound, "no_such_department")
	t.Logf("%d campuses, %d departments, %d doctors", len(campuses), len(departments), doctors)
}

func TestEveryPatientHasAValidIdentityOrAGuardian(t *testing.T) {
	t.Parallel()
	h, _ := open(t, histest.Config{})
	children, insured, n := 0, 0, 0
	seen := map[hospital.IDNumber]bool{}
	for i := range 40 {
		id := hospital.PatientID(fmt.Sprintf("P%06d", i+1))
		p, err := h.FindPatient(t.Context(), his.PatientQuery{ID: id})
		if err != nil {
			refused(t, err, hospital.NotFound, "no_such_patient")
			continue
		}
		n++
		require.False(t, p.BirthDate.IsZero(), p.Name)
		require.NotEmpty(t, p.Cards)
		require.NotEmpty(t, p.Phone)
		if p.IDNumber != "" {
			parsed, err := hospital.ParseIDNumber(string(p.IDNumber))
			require.NoError(t, err, p.Name)
			require.Equal(t, p.BirthDate, parsed.BirthDate())
			require.False(t, seen[parsed], "two patients share an identity number")
			seen[parsed] = true
		} else {
			require.NotNil(t, p.Guardian, p.Name)
		}
		if p.Guardian != nil {
			children++
			require.Less(t, p.AgeAt(hospital.DateOf(morning)), 18, p.Name)
		}
		if p.Payer == hospital.Insured {
			insured++
		}
		byCard, err := h.FindPatient(t.Context(), his.PatientQuery{CardNo: p.Cards[0]})
		require.NoError(t, err)
		require.Equal(t, p, byCard)
	}
	require.GreaterOrEqual(t, n, 30)
	require.GreaterOrEqual(t, children, 5)
	t.Logf("%d patients, %d of them children, %d insured", n, children, insured)
}

func TestTheTimetableRollsOnWithTheClock(t *testing.T) {
	t.Parallel()
	h, at := open(t, histest.Config{})
	opening := hospital.DateOf(morning)
	for _, days := range []int{0, 1, 30} {
		at.Pass(time.Duration(days) * 24 * time.Hour)
		today := hospital.DateOf(at.Now())
		schedules, err := h.Schedules(t.Context(), his.ScheduleQuery{From: opening, To: today.AddDays(365)})
		require.NoError(t, err)
		require.Equal(t, opening, schedules[0].Date)
		require.Equal(t, today.AddDays(13), schedules[len(schedules)-1].Date)
		for _, s := range schedules {
			slots, err := h.Slots(t.Context(), s.ID)
			require.NoError(t, err)
			capacity := 0
			for _, slot := range slots {
				require.Equal(t, 30*time.Minute, slot.End.Sub(slot.Start))
				capacity += slot.Capacity
			}
			require.Equal(t, s.Capacity, capacity)
		}
	}
}

func TestTheLastNumberIsSoldOnce(t *testing.T) {
	t.Parallel()
	h, _ := open(t, histest.Config{})
	_, slot := expertSlot(t, h)
	var wait sync.WaitGroup
	results := make(chan error, 60)
	for i := range 60 {
		wait.Go(func() {
			switch i % 3 {
			case 0:
				_, err := h.Window().Sell(slot.ID, "P000010")
				results <- err
			case 1:
				_, err := h.Kiosk().Sell(slot.ID, "P000009")
				results <- err
			default:
				_, err := h.Hold(t.Context(), hold(slot, hospital.Key("race-"+strconv.Itoa(i)), "P000001"))
				results <- err
			}
		})
	}
	wait.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
			continue
		}
		refused(t, err, hospital.Conflict, "slot_taken")
	}
	counts, err := h.SlotCounts(slot.ID)
	require.NoError(t, err)
	require.Equal(t, histest.Counts{Capacity: 3, Sold: 3, Distinct: 3}, counts)
	require.Equal(t, slot.Capacity, won)
}

func TestARegistrationKeepsToTheRules(t *testing.T) {
	t.Parallel()
	h, at := open(t, histest.Config{})
	ctx := t.Context()
	schedule, slot := expertSlot(t, h)
	held, err := h.Hold(ctx, hold(slot, "rules-1", "P000001"))
	require.NoError(t, err)
	require.Equal(t, hospital.Fen(3000), held.Fee)
	require.True(t, held.PayOnline)

	again, err := h.Hold(ctx, hold(slot, "rules-1", "P000001"))
	require.NoError(t, err)
	require.Equal(t, held, again, "the same key has the same answer")
	_, err = h.Hold(ctx, hold(slot, "rules-1", "P000002"))
	refused(t, err, hospital.Rejected, "key_reused")
	_, err = h.Hold(ctx, hold(slot, "rules-2", "P999999"))
	refused(t, err, hospital.Rejected, "unknown_patient")
	garbled := hold(slot, "rules-2", "P000002")
	garbled.Opaque = "?"
	_, err = h.Hold(ctx, garbled)
	refused(t, err, hospital.Invalid, "bad_opaque")

	confirm := hospital.ConfirmRequest{Key: "rules-1", Patient: "P000001", Hold: held, Paid: 2999, Receipt: "r1", Channel: "wechatpay", TradeNo: "t1"}
	_, err = h.Confirm(ctx, confirm)
	refused(t, err, hospital.Rejected, "wrong_amount")
	confirm.Paid, confirm.Patient = 3000, "P000002"
	_, err = h.Confirm(ctx, confirm)
	refused(t, err, hospital.Rejected, "wrong_patient")
	confirm.Patient, confirm.Receipt = "P000001", ""
	_, err = h.Confirm(ctx, confirm)
	refused(t, err, hospital.Invalid, "receipt_required")
	confirm.Receipt = "r1"
	first, err := h.Confirm(ctx, confirm)
	require.NoError(t, err)
	second, err := h.Confirm(ctx, confirm)
	require.NoError(t, err)
	require.Equal(t, first, second)
	confirm.Receipt = "r2"
	_, err = h.Confirm(ctx, confirm)
	refused(t, err, hospital.Rejected, "already_paid")
	require.Equal(t, map[string]int{"held": 1, "paid": 1}, h.Effects("rules-1"))
	require.Equal(t, hospital.Fen(3000), h.Total())

	_, err = h.CheckIn(ctx, "rules-1")
	refused(t, err, hospital.Rejected, "not_today")
	require.NoError(t, h.Cancel(ctx, "rules-1"))
	require.NoError(t, h.Cancel(ctx, "rules-1"))
	require.Equal(t, hospital.Fen(0), h.Total())
	require.Len(t, h.Ledger(), 2)
	_, err = h.Confirm(ctx, confirm)
	refused(t, err, hospital.Rejected, "key_cancelled")

	require.NoError(t, h.Cancel(ctx, "never-seen"))
	_, err = h.Hold(ctx, hold(slot, "never-seen", "P000001"))
	refused(t, err, hospital.Rejected, "key_cancelled")

	insured, err := h.Hold(ctx, hold(slot, "rules-3", "P000003"))
	require.NoError(t, err)
	require.False(t, insured.PayOnline)
	_, err = h.Confirm(ctx, hospital.ConfirmRequest{Key: "rules-3", Patient: "P000003", Hold: insured, Paid: 3000, Receipt: "r3"})
	refused(t, err, hospital.Rejected, "pay_at_desk")
	_, err = h.Confirm(ctx, hospital.ConfirmRequest{Key: "rules-3", Patient: "P000003", Hold: insured})
	require.NoError(t, err)
	_, err = h.Window().TakeFee(insured.HISNo)
	require.NoError(t, err)
	rows := h.Ledger()
	require.Equal(t, hospital.EntryWindow, rows[len(rows)-1].Entry)
	require.Empty(t, rows[len(rows)-1].Key)

	at.Pass(24*time.Hour + 30*time.Minute) // the doors open
	require.NoError(t, h.See(insured.HISNo))
	refused(t, h.Cancel(ctx, "rules-3"), hospital.Rejected, "visited")
	at.Pass(4 * time.Hour)
	_, err = h.Hold(ctx, hold(slot, "rules-4", "P000001"))
	refused(t, err, hospital.Rejected, "over")
	_, err = h.Suspend(schedule.ID, "医生外出会诊", "")
	require.NoError(t, err)
	found, err := h.Find(ctx, "rules-3")
	require.NoError(t, err)
	require.Equal(t, hospital.RegistrationFulfilled, found.State, "whoever was seen stays seen")
}

func TestAHoldRunsOutAndFreesItsNumber(t *testing.T) {
	t.Parallel()
	h, at := open(t, histest.Config{})
	ctx := t.Context()
	_, slot := expertSlot(t, h)
	held, err := h.Hold(ctx, hold(slot, "slow-1", "P000001"))
	require.NoError(t, err)
	for _, key := range []hospital.Key{"fast-1", "fast-2"} {
		_, err := h.Hold(ctx, hold(slot, key, "P000002"))
		require.NoError(t, err)
	}
	at.Pass(15*time.Minute - time.Second)
	_, err = h.Hold(ctx, hold(slot, "late-1", "P000004"))
	refused(t, err, hospital.Conflict, "slot_taken")
	at.Pass(time.Second)
	next, err := h.Hold(ctx, hold(slot, "late-1", "P000004"))
	require.NoError(t, err)
	require.Equal(t, held.QueueNo, next.QueueNo)
	_, err = h.Confirm(ctx, hospital.ConfirmRequest{Key: "slow-1", Patient: "P000001", Hold: held})
	refused(t, err, hospital.Conflict, "slot_taken")
	found, err := h.Find(ctx, "slow-1")
	require.NoError(t, err)
	require.Equal(t, hospital.RegistrationCancelled, found.State)
	require.NoError(t, h.Cancel(ctx, "slow-1"))
	counts, err := h.SlotCounts(slot.ID)
	require.NoError(t, err)
	require.Equal(t, 1, counts.Sold, "cancelling what ran out frees nothing twice")
}

func TestThePlatformsNumbersAreItsOwn(t *testing.T) {
	t.Parallel()
	h, _ := open(t, histest.Config{Quota: 1})
	ctx := t.Context()
	schedule, slot := expertSlot(t, h)
	quota, err := h.QuotaSlots(schedule.Date, schedule.Date)
	require.NoError(t, err)
	var mine histest.QuotaSlot
	for _, q := range quota {
		if q.Slot == slot.ID {
			mine = q
		}
	}
	require.Equal(t, []int{3}, mine.Numbers)
	require.Equal(t, 2, slot.Left)

	for range 2 {
		_, err := h.Window().Sell(slot.ID, "P000010")
		require.NoError(t, err)
	}
	_, err = h.Kiosk().Sell(slot.ID, "P000010")
	refused(t, err, hospital.Conflict, "slot_taken")
	request := hold(slot, "quota-1", "P000001")
	request.Number = 1
	_, err = h.Hold(ctx, request)
	refused(t, err, hospital.Rejected, "not_in_quota")
	request.Number = 3
	held, err := h.Hold(ctx, request)
	require.NoError(t, err)
	require.Equal(t, 3, held.QueueNo)
	request.Key = "quota-2"
	_, err = h.Hold(ctx, request)
	refused(t, err, hospital.Conflict, "slot_taken")

	more, err := h.GrantQuota(schedule.ID, 1)
	require.NoError(t, err)
	require.Equal(t, []int{3}, more[0].Numbers, "a slot with no free number gives none")
	require.Equal(t, []int{5, 6}, more[1].Numbers)
}

func TestAClosedClinicEndsItsRegistrations(t *testing.T) {
	t.Parallel()
	h, _ := open(t, histest.Config{})
	ctx := t.Context()
	schedule, slot := expertSlot(t, h)
	held, err := h.Hold(ctx, hold(slot, "closed-1", "P000001"))
	require.NoError(t, err)
	_, err = h.Confirm(ctx, hospital.ConfirmRequest{Key: "closed-1", Patient: "P000001", Hold: held, Paid: 3000, Receipt: "r1"})
	require.NoError(t, err)
	ended, err := h.Suspend(schedule.ID, "医生外出会诊", "Y1001")
	require.NoError(t, err)
	require.Len(t, ended, 1)
	found, err := h.Find(ctx, "closed-1")
	require.NoError(t, err)
	require.Equal(t, hospital.RegistrationSuspended, found.State)
	require.Equal(t, hospital.Fen(0), h.Total(), "the fee is booked back")
	require.NoError(t, h.Cancel(ctx, "closed-1"))
	require.Len(t, h.Ledger(), 2, "and not a second time")
	_, err = h.Hold(ctx, hold(slot, "closed-2", "P000002"))
	refused(t, err, hospital.Rejected, "suspended")
	closed, err := h.Suspensions(ctx, schedule.Date, schedule.Date)
	require.NoError(t, err)
	require.Equal(t, []hospital.Suspension{{Schedule: schedule.ID, Date: schedule.Date, Reason: "医生外出会诊", Substitute: "Y1001"}}, closed)
}

func TestABillIsPaidOnceAndOwedAgainWhenReversed(t *testing.T) {
	t.Parallel()
	h, _ := open(t, histest.Config{})
	ctx := t.Context()
	b, err := h.AddBill(histest.NewBill{Patient: "P000001", Items: []his.BillItem{{Name: "针灸", Amount: 1205}}})
	require.NoError(t, err)
	pay := his.SettleRequest{Key: "settle-1", Bill: b.ID, Patient: "P000001", Amount: 1205, Quote: b.Quote, Receipt: "r1", Channel: "wechatpay"}
	b, err = h.ChangeBill(b.ID, []his.BillItem{{Name: "针灸", Amount: 1205}, {Name: "艾条", Amount: 10}})
	require.NoError(t, err)
	_, err = h.Settle(ctx, pay)
	refused(t, err, hospital.Conflict, "bill_changed")
	pay.Quote = b.Quote
	_, err = h.Settle(ctx, pay)
	refused(t, err, hospital.Rejected, "wrong_amount")
	pay.Amount, pay.Patient = 1215, "P000002"
	_, err = h.Settle(ctx, pay)
	refused(t, err, hospital.Rejected, "wrong_patient")
	_, err = h.Bill(ctx, "P000002", b.ID)
	refused(t, err, hospital.NotFound, "no_such_bill")
	pay.Patient = "P000001"
	first, err := h.Settle(ctx, pay)
	require.NoError(t, err)
	again, err := h.Settle(ctx, pay)
	require.NoError(t, err)
	require.Equal(t, first, again)
	other := pay
	other.Key = "settle-2"
	_, err = h.Settle(ctx, other)
	refused(t, err, hospital.Conflict, "bill_paid")
	_, err = h.Window().Settle(b.ID)
	refused(t, err, hospital.Conflict, "bill_paid")

	require.NoError(t, h.Reverse(ctx, "settle-1"))
	require.NoError(t, h.Reverse(ctx, "settle-1"))
	found, err := h.FindPayment(ctx, "settle-1")
	require.NoError(t, err)
	require.True(t, found.Reversed)
	require.Equal(t, hospital.Fen(0), h.Total())
	_, err = h.Settle(ctx, pay)
	refused(t, err, hospital.Rejected, "key_cancelled")
	_, err = h.Window().Settle(b.ID)
	require.NoError(t, err, "the bill is owed again")
	require.NoError(t, h.Reverse(ctx, "settle-3"))
	other.Key = "settle-3"
	_, err = h.Settle(ctx, other)
	refused(t, err, hospital.Rejected, "key_cancelled")
}

func TestDepositsAndDailyLists(t *testing.T) {
	t.Parallel()
	h, _ := open(t, histest.Config{})
	ctx := t.Context()
	stays, err := h.Admissions(ctx, "P000005")
	require.NoError(t, err)
	require.Len(t, stays, 1)
	pay := his.DepositRequest{Key: "deposit-1", Admission: stays[0].ID, Patient: "P000005", Amount: 100_000, Receipt: "r1"}
	_, err = h.PayDeposit(ctx, pay)
	require.NoError(t, err)
	_, err = h.PayDeposit(ctx, pay)
	require.NoError(t, err)
	after, err := h.Admissions(ctx, "P000005")
	require.NoError(t, err)
	require.Equal(t, stays[0].Deposited+100_000, after[0].Deposited)
	require.NoError(t, h.ReverseDeposit(ctx, "deposit-1"))
	all, err := h.Deposits(ctx, "P000005", stays[0].ID)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.True(t, all[0].Reversed)
	pay = his.DepositRequest{Key: "deposit-2", Admission: "ZY000003", Patient: "P000014", Amount: 100, Receipt: "r2"}
	_, err = h.PayDeposit(ctx, pay)
	refused(t, err, hospital.Rejected, "discharged")

	yesterday := hospital.DateOf(morning).AddDays(-1)
	list, err := h.DailyList(ctx, "P000005", stays[0].ID, yesterday)
	require.NoError(t, err)
	require.Equal(t, hospital.Fen(13815), list.Total)
	_, err = h.DailyList(ctx, "P000001", stays[0].ID, yesterday)
	refused(t, err, hospital.NotFound, "no_such_list")
	_, err = h.DailyList(ctx, "P000005", stays[0].ID, yesterday.AddDays(1))
	refused(t, err, hospital.NotFound, "no_such_list")
}

func TestThePatientIndexKnowsEverybodyOnce(t *testing.T) {
	t.Parallel()
	h, _ := open(t, histest.Config{})
	ctx := t.Context()
	for _, query := range []his.PatientQuery{{}, {ID: "P000001", CardNo: "JZ00080001"}} {
		_, err := h.FindPatient(ctx, query)
		refused(t, err, hospital.Invalid, "one_identifier")
	}
	child := hospital.Patient{Name: "𠮷宝", Sex: hospital.Male, BirthDate: hospital.DateOf(morning).AddDays(-100)}
	request := his.CreatePatientRequest{Key: "create-1", Patient: child}
	_, err := h.CreatePatient(ctx, request)
	refused(t, err, hospital.Invalid, "guardian_required")
	mother, err := h.FindPatient(ctx, his.PatientQuery{ID: "P000004"})
	require.NoError(t, err)
	request.Patient.Guardian = &hospital.Guardian{Name: mother.Name, IDNumber: mother.IDNumber, Phone: mother.Phone}
	made, err := h.CreatePatient(ctx, request)
	require.NoError(t, err)
	again, err := h.CreatePatient(ctx, request)
	require.NoError(t, err)
	require.Equal(t, made, again)
	mother.ID, mother.Cards = "", nil
	_, err = h.CreatePatient(ctx, his.CreatePatientRequest{Key: "create-2", Patient: mother})
	refused(t, err, hospital.Conflict, "patient_exists")

	card := his.CardRequest{Key: "card-01", Patient: made.ID, CardNo: "JZ00080001"}
	refused(t, h.BindCard(ctx, card), hospital.Conflict, "card_taken")
	require.NoError(t, h.UnbindCard(ctx, his.CardRequest{Key: "card-02", Patient: "P000001", CardNo: card.CardNo}))
	require.NoError(t, h.BindCard(ctx, card), "a card passes to another person")
	found, err := h.FindPatient(ctx, his.PatientQuery{CardNo: card.CardNo})
	require.NoError(t, err)
	require.Equal(t, hospital.Name("𠮷宝"), found.Name)
}

func TestTheQueueMovesAsTheDoctorSees(t *testing.T) {
	t.Parallel()
	h, at := open(t, histest.Config{})
	ctx := t.Context()
	_, slot := expertSlot(t, h)
	var numbers []string
	for _, p := range []hospital.PatientID{"P000001", "P000002"} {
		r, err := h.Window().Sell(slot.ID, p)
		require.NoError(t, err)
		numbers = append(numbers, r.HISNo)
	}
	at.Pass(24*time.Hour + 20*time.Minute)
	for _, no := range numbers {
		require.NoError(t, h.Arrive(no))
	}
	places, err := h.Places(ctx, "P000002")
	require.NoError(t, err)
	require.Len(t, places, 1)
	require.Equal(t, 1, places[0].Ahead)
	require.Equal(t, 0, places[0].Calling)
	require.NoError(t, h.See(numbers[0]))
	places, err = h.Places(ctx, "P000002")
	require.NoError(t, err)
	require.Equal(t, 0, places[0].Ahead)
	require.Equal(t, 1, places[0].Calling)
}

func TestFaultsOfTheHospitalItself(t *testing.T) {
	t.Parallel()
	h, at := open(t, histest.Config{})
	ctx := t.Context()
	_, slot := expertSlot(t, h)
	old, err := h.Hold(ctx, hold(slot, "before-1", "P000001"))
	require.NoError(t, err)
	_, err = h.Confirm(ctx, hospital.ConfirmRequest{Key: "before-1", Patient: "P000001", Hold: old})
	require.NoError(t, err)
	at.Pass(20 * time.Minute)

	h.WrongPatient(1)
	lie, err := h.Hold(ctx, hold(slot, "during-1", "P000001"))
	require.NoError(t, err)
	require.NotEqual(t, hospital.PatientID("P000001"), lie.Patient)
	truth, err := h.Find(ctx, "during-1")
	require.NoError(t, err)
	require.Equal(t, hospital.PatientID("P000001"), truth.Patient)

	require.NoError(t, h.Forget(15*time.Minute))
	_, err = h.Find(ctx, "during-1")
	refused(t, err, hospital.NotFound, "unknown_key")
	kept, err := h.Find(ctx, "before-1")
	require.NoError(t, err)
	require.Equal(t, hospital.RegistrationRegistered, kept.State)
	anew, err := h.Hold(ctx, hold(slot, "during-1", "P000001"))
	require.NoError(t, err)
	require.NotEqual(t, lie.HISNo, anew.HISNo, "a printed number is not printed again")

	h.SetClockOffset(time.Hour)
	told, err := h.Ping(ctx)
	require.NoError(t, err)
	require.Equal(t, at.Now().Add(time.Hour), told)
}

func TestReleasedNumbersAreSoldBehindAllOthersAndSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, at := open(t, histest.Config{Dir: dir})
	schedule, slot := expertSlot(t, h)
	before := slot.Left
	_, err := h.Release(schedule.ID, 0)
	refused(t, err, hospital.Invalid, "bad_release")
	_, err = h.Release("20261124-NOBODY-A", 1)
	refused(t, err, hospital.NotFound, "no_such_schedule")
	for range before {
		_, err := h.Window().Sell(slot.ID, "P000010")
		require.NoError(t, err)
	}
	_, err = h.Window().Sell(slot.ID, "P000010")
	refused(t, err, hospital.Conflict, "slot_taken")

	added, err := h.Release(schedule.ID, 2)
	require.NoError(t, err)
	require.Equal(t, 14, added, "two in each of seven half hours")
	sold, err := h.Window().Sell(slot.ID, "P000010")
	require.NoError(t, err)
	require.Equal(t, schedule.Capacity+1, sold.QueueNo)
	require.NoError(t, h.Close())

	again, err := histest.NewHospital(histest.Config{Dir: dir, Now: at.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, again.Close()) })
	counts, err := again.SlotCounts(slot.ID)
	require.NoError(t, err)
	require.Equal(t, histest.Counts{Capacity: before + 2, Sold: before + 1, Distinct: before + 1, Left: 1}, counts)
	schedules, err := again.Schedules(t.Context(), his.ScheduleQuery{From: schedule.Date, To: schedule.Date, Doctor: schedule.Doctor})
	require.NoError(t, err)
	require.Equal(t, schedule.Capacity+14, schedules[0].Capacity)

	at.Pass(slot.Start.Sub(at.Now()))
	added, err = again.Release(schedule.ID, 1)
	require.NoError(t, err)
	require.Equal(t, 6, added, "the half hour that has begun gets none")
	_, err = again.Suspend(schedule.ID, "", "")
	require.NoError(t, err)
	_, err = again.Release(schedule.ID, 1)
	refused(t, err, hospital.Conflict, "suspended")
}
