package histest

import (
	"context"
	"fmt"
	"sync"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

const (
	// maxSales bounds the search for the end of a slot; no half hour holds more.
	maxSales = 60
	// rivals is how many patients want the same slot at the same moment.
	rivals = 24
)

func holdChecks() []check {
	return []check{
		{"a hold takes exactly one number", "Registrar Scheduling fee", checkHold},
		{"a hold is found by its key", "Registrar Hold.Queryable", checkFind},
		{"a key that was never used is NotFound", "Registrar Hold.Queryable", checkFindNothing},
		{"a slot that does not exist cannot be held", "Registrar", checkHoldNothing},
		{"a hold needs a patient", "Registrar", checkHoldNobody},
		{"a number is sold once", "Registrar", checkSoldOnce},
		{"a number is sold once to many at the same time", "Registrar", checkSoldOnceAtOnce},
		{"the window and we sell from the same pool", "Registrar Scheduling window", checkWindow},
		{"the same key holds once", "Registrar Scheduling Hold.Idempotent second", checkHoldTwice},
		{"a hold whose answer was lost is found by its key", "Registrar Hold.Queryable lose-answer", checkHoldAnswerLost},
		{"a hold whose request was lost is NotFound", "Registrar Hold.Queryable lose-request", checkHoldRequestLost},
		{"nobody is told another patient's registrations", "Registrar second", checkOwnRegistrations},
		{"a closed clinic refuses", "Registrar Scheduling suspend", checkSuspended},
		{"a hold that ran out frees its number", "Registrar advance second", checkHoldRunsOut},
	}
}

// slotNow is the slot of the trial as it stands.
func (t *Trial) slotNow(ctx context.Context) (hospital.Slot, error) {
	if t.System.Scheduling == nil {
		return hospital.Slot{ID: t.Slot, Schedule: t.Schedule, Left: hospital.Unlimited}, nil
	}
	slots, err := t.System.Scheduling.Slots(ctx, t.Schedule)
	if err != nil {
		return hospital.Slot{}, done("Slots", err)
	}
	for _, s := range slots {
		if s.ID == t.Slot {
			return s, nil
		}
	}
	return hospital.Slot{}, fmt.Errorf("slot %s is not offered", t.Slot)
}

// request asks for a number of the trial's slot under a fresh key.
func (t *Trial) request(ctx context.Context, patient hospital.PatientID) (hospital.HoldRequest, error) {
	s, err := t.slotNow(ctx)
	return hospital.HoldRequest{
		Key: t.key(), Schedule: t.Schedule, Slot: t.Slot, Patient: patient, Kind: hospital.Advance,
		Entry: hospital.EntryWeChat, Opaque: s.Opaque,
	}, err
}

// hold holds a number for the patient.
func (t *Trial) hold(ctx context.Context, patient hospital.PatientID) (hospital.HoldRequest, hospital.Hold, error) {
	request, err := t.request(ctx, patient)
	if err != nil {
		return request, hospital.Hold{}, err
	}
	hold, err := t.System.Registrar.Hold(ctx, request)
	if err != nil {
		return request, hold, done("Hold", err)
	}
	return request, hold, same("patient of the hold", hold.Patient, patient)
}

// leftIs compares what is left of the slot, where the hospital counts.
func (t *Trial) leftIs(ctx context.Context, when string, want int) error {
	s, err := t.slotNow(ctx)
	if err != nil || want == hospital.Unlimited {
		return err
	}
	return same("numbers left "+when, s.Left, want)
}

func fewer(left int) int {
	if left == hospital.Unlimited {
		return left
	}
	return left - 1
}

func checkHold(ctx context.Context, t *Trial) error {
	before, err := t.slotNow(ctx)
	if err != nil {
		return err
	}
	_, hold, err := t.hold(ctx, t.Patient)
	switch {
	case err != nil:
		return err
	case hold.HISNo == "":
		return fmt.Errorf("the hold has no number of the HIS")
	case hold.QueueNo < 1:
		return fmt.Errorf("the hold has no queue number")
	case !hold.Expires.IsZero() && !t.Now().Before(hold.Expires):
		return fmt.Errorf("the hold has run out before it began")
	}
	if err := same("fee of the hold", hold.Fee, t.Fee); err != nil {
		return err
	}
	return t.leftIs(ctx, "after a hold", fewer(before.Left))
}

func checkFind(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	return t.findsHold(ctx, request, hold.HISNo)
}

// findsHold compares what Find says with what was held.
func (t *Trial) findsHold(ctx context.Context, request hospital.HoldRequest, hisNo string) error {
	found, err := t.System.Registrar.Find(ctx, request.Key)
	if err != nil {
		return done("Find of a hold", err)
	}
	if found.State != hospital.RegistrationHeld && found.State != hospital.RegistrationRegistered {
		return fmt.Errorf("Find of a hold: state %q", found.State)
	}
	if hisNo != "" && found.HISNo != hisNo {
		return fmt.Errorf("Find of a hold: number %s, held %s", found.HISNo, hisNo)
	}
	got := [4]string{string(found.Key), string(found.Patient), string(found.Schedule), string(found.Slot)}
	return same("Find of a hold", got, [4]string{string(request.Key), string(request.Patient), string(request.Schedule), string(request.Slot)})
}

func checkFindNothing(ctx context.Context, t *Trial) error {
	_, err := t.System.Registrar.Find(ctx, t.key())
	return want("Find of a key that was never used", err, hospital.NotFound)
}

func checkHoldNothing(ctx context.Context, t *Trial) error {
	request := hospital.HoldRequest{Key: t.key(), Schedule: t.Schedule, Slot: nowhere, Patient: t.Patient, Kind: hospital.Advance, Entry: hospital.EntryWeChat}
	_, err := t.System.Registrar.Hold(ctx, request)
	return want("Hold of a slot that does not exist", err, hospital.NotFound, hospital.Rejected, hospital.Invalid)
}

func checkHoldNobody(ctx context.Context, t *Trial) error {
	for _, patient := range []hospital.PatientID{"", nowhere} {
		request, err := t.request(ctx, patient)
		if err != nil {
			return err
		}
		_, err = t.System.Registrar.Hold(ctx, request)
		if err := want("Hold for a patient who does not exist", err, hospital.Invalid, hospital.NotFound, hospital.Rejected); err != nil {
			return err
		}
	}
	return nil
}

// fill holds numbers until none is left and returns them.
func (t *Trial) fill(ctx context.Context) (map[int]bool, error) {
	numbers := map[int]bool{}
	for range maxSales {
		request, err := t.request(ctx, t.Patient)
		if err != nil {
			return nil, err
		}
		hold, err := t.System.Registrar.Hold(ctx, request)
		if err != nil {
			return numbers, wantCode("Hold of a full slot", err, hospital.Conflict, "slot_taken")
		}
		if hold.HISNo == "" {
			return nil, fmt.Errorf("a hold succeeded without a number of the HIS")
		}
		if numbers[hold.QueueNo] {
			return nil, fmt.Errorf("number %d was sold twice", hold.QueueNo)
		}
		numbers[hold.QueueNo] = true
	}
	return nil, fmt.Errorf("a slot sold %d numbers and is still not full", maxSales)
}

func checkSoldOnce(ctx context.Context, t *Trial) error {
	before, err := t.slotNow(ctx)
	if err != nil {
		return err
	}
	numbers, err := t.fill(ctx)
	if err != nil || before.Left == hospital.Unlimited {
		return err
	}
	if err := same("numbers sold", len(numbers), before.Left); err != nil {
		return err
	}
	return t.leftIs(ctx, "of a full slot", 0)
}

func checkSoldOnceAtOnce(ctx context.Context, t *Trial) error {
	requests := make([]hospital.HoldRequest, rivals)
	for i := range requests {
		var err error
		if requests[i], err = t.request(ctx, t.Patient); err != nil {
			return err
		}
	}
	holds, errs := make([]hospital.Hold, rivals), make([]error, rivals)
	var wait sync.WaitGroup
	for i := range requests {
		wait.Go(func() { holds[i], errs[i] = t.System.Registrar.Hold(ctx, requests[i]) })
	}
	wait.Wait()
	numbers := map[int]bool{}
	for i := range holds {
		if errs[i] != nil {
			if err := wantCode("Hold among rivals", errs[i], hospital.Conflict, "slot_taken"); err != nil {
				return err
			}
			continue
		}
		if numbers[holds[i].QueueNo] {
			return fmt.Errorf("number %d was sold to two rivals", holds[i].QueueNo)
		}
		numbers[holds[i].QueueNo] = true
	}
	return nil
}

func checkWindow(ctx context.Context, t *Trial) error {
	before, err := t.slotNow(ctx)
	if err != nil {
		return err
	}
	if err := t.SellAtWindow(t.Slot); err != nil {
		return done("the window sells", err)
	}
	if err := t.leftIs(ctx, "after a sale at the window", fewer(before.Left)); err != nil {
		return err
	}
	numbers, err := t.fill(ctx)
	if err != nil || before.Left == hospital.Unlimited {
		return err
	}
	return same("numbers left by the window", len(numbers), before.Left-1)
}

func checkHoldTwice(ctx context.Context, t *Trial) error {
	before, err := t.slotNow(ctx)
	if err != nil {
		return err
	}
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	again, err := t.System.Registrar.Hold(ctx, request)
	if err != nil {
		return done("the same hold again", err)
	}
	if again.HISNo != hold.HISNo || again.QueueNo != hold.QueueNo {
		return fmt.Errorf("the same hold again: %s number %d, first %s number %d", again.HISNo, again.QueueNo, hold.HISNo, hold.QueueNo)
	}
	if err := t.leftIs(ctx, "after the same hold twice", fewer(before.Left)); err != nil {
		return err
	}
	request.Patient = t.Second
	_, err = t.System.Registrar.Hold(ctx, request)
	return want("another patient under the same key", err, hospital.Rejected, hospital.Conflict)
}

func checkHoldAnswerLost(ctx context.Context, t *Trial) error {
	request, err := t.request(ctx, t.Patient)
	if err != nil {
		return err
	}
	t.LoseAnswer(OpHold)
	_, err = t.System.Registrar.Hold(ctx, request)
	if err := want("Hold whose answer was lost", err, hospital.Indeterminate); err != nil {
		return err
	}
	return t.findsHold(ctx, request, "")
}

func checkHoldRequestLost(ctx context.Context, t *Trial) error {
	request, err := t.request(ctx, t.Patient)
	if err != nil {
		return err
	}
	t.LoseRequest(OpHold)
	_, err = t.System.Registrar.Hold(ctx, request)
	if err := want("Hold whose request was lost", err, hospital.Indeterminate, hospital.Unavailable); err != nil {
		return err
	}
	_, err = t.System.Registrar.Find(ctx, request.Key)
	return want("Find of a hold that never arrived", err, hospital.NotFound)
}

func checkOwnRegistrations(ctx context.Context, t *Trial) error {
	mine, _, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	theirs, _, err := t.hold(ctx, t.Second)
	if err != nil {
		return err
	}
	for _, request := range []hospital.HoldRequest{mine, theirs} {
		if t.System.Assurances.Hold.Queryable {
			if err := t.findsHold(ctx, request, ""); err != nil {
				return err
			}
		}
		today := hospital.DateOf(t.Now())
		list, err := t.System.Registrar.Registrations(ctx, his.RegistrationQuery{Patient: request.Patient, From: today, To: today.AddDays(13)})
		if err != nil {
			return done("Registrations", err)
		}
		found := false
		for _, r := range list {
			if r.Patient != request.Patient {
				return fmt.Errorf("the list of one patient holds a registration of another")
			}
			found = found || r.Key == request.Key
		}
		if !found {
			return fmt.Errorf("the list of a patient lacks what was held for the patient")
		}
	}
	today := hospital.DateOf(t.Now())
	_, err = t.System.Registrar.Registrations(ctx, his.RegistrationQuery{From: today, To: today.AddDays(13)})
	return want("Registrations of an empty patient", err, hospital.Invalid)
}

func checkSuspended(ctx context.Context, t *Trial) error {
	request, _, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	if err := t.Suspend(t.Schedule); err != nil {
		return done("closing the clinic", err)
	}
	today := hospital.DateOf(t.Now())
	closed, err := t.System.Scheduling.Suspensions(ctx, today, today.AddDays(13))
	if err != nil {
		return done("Suspensions", err)
	}
	found := false
	for _, s := range closed {
		found = found || s.Schedule == t.Schedule
	}
	if !found {
		return fmt.Errorf("the closed schedule is not among the suspensions")
	}
	if t.System.Assurances.Hold.Queryable {
		r, err := t.System.Registrar.Find(ctx, request.Key)
		if err != nil {
			return done("Find of a registration whose clinic was closed", err)
		}
		if r.State.Live() {
			return fmt.Errorf("a registration of a closed clinic is still %s", r.State)
		}
	}
	late, err := t.request(ctx, t.Patient)
	if err != nil {
		return err
	}
	_, err = t.System.Registrar.Hold(ctx, late)
	return want("Hold in a closed clinic", err, hospital.Rejected, hospital.Conflict)
}

func checkHoldRunsOut(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	if _, err := t.fill(ctx); err != nil {
		return err
	}
	t.Advance(t.HoldFor)
	numbers, err := t.fill(ctx)
	if err != nil {
		return err
	}
	if !numbers[hold.QueueNo] {
		return fmt.Errorf("number %d was not sold again after its hold ran out", hold.QueueNo)
	}
	_, err = t.System.Registrar.Confirm(ctx, hospital.ConfirmRequest{Key: request.Key, Patient: request.Patient, Hold: hold})
	return wantCode("Confirm of a hold that ran out", err, hospital.Conflict, "slot_taken")
}
