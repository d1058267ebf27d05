package histest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// Subject is an adapter under examination.
type Subject struct {
	// New returns the adapter over a test hospital in which nothing has happened
	// yet. It is called once for each check.
	New func(ctx context.Context) (*Trial, error)
}

// Trial is one adapter over one test hospital. What a vendor cannot supply stays
// zero, and the checks that need it are skipped by name.
type Trial struct {
	System his.System
	// beneath is the adapter itself where System is seen through a Line.
	beneath his.System
	// Now is the test hospital's business clock. Default: time.Now.
	Now func() time.Time
	// Close is called after the check; nil for nothing.
	Close func() error

	// Patient and Second are two different self-paying patients.
	Patient, Second hospital.PatientID
	// Schedule and Slot can be booked and lie on a later day; the slot has at
	// least three free numbers. Fee is what it costs.
	Schedule hospital.ScheduleID
	Slot     hospital.SlotID
	Fee      hospital.Fen
	// HoldFor is how long a hold lives. Default: DefaultHoldFor.
	HoldFor time.Duration
	// Admission is an open stay of Patient.
	Admission his.AdmissionID
	// Departments and Patients are some that the hospital has, exactly as it
	// has them; names beyond GBK (𠮷, 䶮) are the point.
	Departments []hospital.Department
	Patients    []hospital.Patient

	// LoseAnswer and LoseRequest let the next call of op lose its answer after
	// the hospital acted, or never arrive.
	LoseAnswer, LoseRequest func(Op)
	// SellAtWindow sells one number to somebody at the counter and takes the fee.
	SellAtWindow func(hospital.SlotID) error
	// Suspend closes the schedule.
	Suspend func(hospital.ScheduleID) error
	// Advance moves the business clock.
	Advance func(time.Duration)
	// See lets the doctor see the patient with the registration number.
	See func(hisNo string) error
	// AddBill makes the patient owe the amount; ChangeBill quotes it anew.
	AddBill    func(hospital.PatientID, hospital.Fen) (his.BillID, error)
	ChangeBill func(his.BillID) error
}

// Outcome says how a check ended.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
)

// Result is how one check ended, and why when it did not pass.
type Result struct {
	Check   string
	Outcome Outcome
	Detail  string
}

// check is one thing an adapter must do.
type check struct {
	name  string
	needs string // what must be offered, claimed or supplied, by the words of Trial.has
	run   func(context.Context, *Trial) error
}

// checks are the whole suite, in the order of the roles.
func checks() []check {
	return slices.Concat(roleChecks(), directoryChecks(), holdChecks(), confirmChecks(), cancelChecks(), billChecks(), depositChecks(), patientChecks())
}

// Conform is what a vendor runs against its adapter: one subtest a check. What
// the adapter neither offers nor claims is not demanded, and skipped by name.
func Conform(t *testing.T, subject Subject) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			switch r := examine(t.Context(), subject, c); r.Outcome {
			case Failed:
				t.Error(r.Detail)
			case Skipped:
				t.Skip(r.Detail)
			case Passed:
			}
		})
	}
}

// Examine runs the suite without a testing.T and returns a result for each check.
func Examine(ctx context.Context, subject Subject) []Result {
	var results []Result
	for _, c := range checks() {
		results = append(results, examine(ctx, subject, c))
	}
	return results
}

func examine(ctx context.Context, subject Subject, c check) (result Result) {
	result = Result{Check: c.name, Outcome: Passed}
	fail := func(err error) {
		if err != nil && result.Outcome == Passed {
			result.Outcome, result.Detail = Failed, err.Error()
		}
	}
	if subject.New == nil {
		fail(errors.New("Subject.New is nil"))
		return result
	}
	trial, err := subject.New(ctx)
	if err != nil {
		fail(fmt.Errorf("the subject does not start: %w", err))
		return result
	}
	if trial.Close != nil {
		defer func() { fail(trial.Close()) }()
	}
	if trial.Now == nil {
		trial.Now = time.Now
	}
	if trial.HoldFor == 0 {
		trial.HoldFor = DefaultHoldFor
	}
	has := trial.has()
	for need := range strings.FieldsSeq(c.needs) {
		if offered, known := has[need]; !known {
			fail(fmt.Errorf("the suite asks for %q, which nobody can have", need))
			return result
		} else if !offered {
			return Result{Check: c.name, Outcome: Skipped, Detail: "not offered: " + need}
		}
	}
	fail(c.run(ctx, trial))
	return result
}

// has is what the adapter offers and claims and what the vendor supplied.
func (t *Trial) has() map[string]bool {
	s, a := t.System, t.System.Assurances
	return map[string]bool{
		"Clock": s.Clock != nil, "Directory": s.Directory != nil, "Scheduling": s.Scheduling != nil,
		"Registrar": s.Registrar != nil && t.Slot != "" && t.Patient != "", "Desk": s.Desk != nil,
		"Billing":   s.Billing != nil && t.AddBill != nil && t.Patient != "",
		"Inpatient": s.Inpatient != nil && t.Admission != "", "Deposits": s.Deposits != nil && t.Admission != "",
		"Queue": s.Queue != nil, "Settlements": s.Settlements != nil, "Patients": s.Patients != nil,

		"Hold.Idempotent": a.Hold.Idempotent, "Hold.Queryable": a.Hold.Queryable, "Hold.Cancellable": a.Hold.Cancellable,
		"Confirm.Idempotent": a.Confirm.Idempotent, "Confirm.Queryable": a.Confirm.Queryable,
		"Confirm.Cancellable": a.Confirm.Cancellable, "Cancel.Idempotent": a.Cancel.Idempotent,
		"CheckIn.Idempotent": a.CheckIn.Idempotent,
		"Settle.Idempotent":  a.Settle.Idempotent, "Settle.Queryable": a.Settle.Queryable,
		"Settle.Cancellable": a.Settle.Cancellable, "Reverse.Idempotent": a.Reverse.Idempotent,
		"PayDeposit.Idempotent": a.PayDeposit.Idempotent, "PayDeposit.Queryable": a.PayDeposit.Queryable,
		"PayDeposit.Cancellable": a.PayDeposit.Cancellable, "CreatePatient.Idempotent": a.CreatePatient.Idempotent,

		"second": t.Second != "", "fee": t.Fee > 0, "departments": len(t.Departments) > 0, "patients": len(t.Patients) > 0,
		"lose-answer": t.LoseAnswer != nil, "lose-request": t.LoseRequest != nil, "window": t.SellAtWindow != nil,
		"suspend": t.Suspend != nil, "advance": t.Advance != nil, "see": t.See != nil, "change-bill": t.ChangeBill != nil,
	}
}

// key makes a key that the hospital cannot know.
func (t *Trial) key() hospital.Key { return hospital.Key(hospital.NewID("cf", t.Now())) }

// want returns nil when err is of one of the kinds.
func want(doing string, err error, kinds ...hospital.Kind) error {
	if err == nil {
		return fmt.Errorf("%s: succeeded, want %v", doing, kinds)
	}
	if !slices.Contains(kinds, hospital.KindOf(err)) {
		return fmt.Errorf("%s: want %v, got: %w", doing, kinds, err)
	}
	return nil
}

// wantCode is want for the codes that the contract names.
func wantCode(doing string, err error, kind hospital.Kind, code string) error {
	if err := want(doing, err, kind); err != nil {
		return err
	}
	if got := hospital.CodeOf(err); got != code {
		return fmt.Errorf("%s: want code %s, got %s", doing, code, got)
	}
	return nil
}

// done wraps what failed although it should have worked.
func done(doing string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// same reports a difference.
func same[A comparable](what string, got, want A) error {
	if got != want {
		return fmt.Errorf("%s: got %v, want %v", what, got, want)
	}
	return nil
}
