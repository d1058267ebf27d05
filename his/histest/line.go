package histest

import (
	"context"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// Op names a call of [his.System] by its method.
type Op string

// The calls that change something and so can end unknown.
const (
	OpHold           Op = "Hold"
	OpConfirm        Op = "Confirm"
	OpCancel         Op = "Cancel"
	OpCheckIn        Op = "CheckIn"
	OpSettle         Op = "Settle"
	OpReverse        Op = "Reverse"
	OpPayDeposit     Op = "PayDeposit"
	OpReverseDeposit Op = "ReverseDeposit"
	OpCreatePatient  Op = "CreatePatient"
	OpBindCard       Op = "BindCard"
	OpUnbindCard     Op = "UnbindCard"
)

// The calls that only read.
const (
	OpPing            Op = "Ping"
	OpCampuses        Op = "Campuses"
	OpDepartments     Op = "Departments"
	OpDoctors         Op = "Doctors"
	OpSchedules       Op = "Schedules"
	OpSlots           Op = "Slots"
	OpSuspensions     Op = "Suspensions"
	OpFind            Op = "Find"
	OpRegistrations   Op = "Registrations"
	OpBills           Op = "Bills"
	OpBill            Op = "Bill"
	OpFindPayment     Op = "FindPayment"
	OpAdmissions      Op = "Admissions"
	OpDailyList       Op = "DailyList"
	OpFindDeposit     Op = "FindDeposit"
	OpDeposits        Op = "Deposits"
	OpPlaces          Op = "Places"
	OpSettlements     Op = "Settlements"
	OpFindSettlements Op = "FindSettlements"
	OpFindPatient     Op = "FindPatient"
)

// Changes reports whether the call changes something at the hospital. A lost
// answer to one that does is Indeterminate; to one that does not, Unavailable.
func (op Op) Changes() bool {
	switch op {
	case OpHold, OpConfirm, OpCancel, OpCheckIn, OpSettle, OpReverse, OpPayDeposit, OpReverseDeposit,
		OpCreatePatient, OpBindCard, OpUnbindCard:
		return true
	default:
		return false
	}
}

// Line is the wire between a [his.System] and its user, without a socket. It
// fails as it is told and returns the errors that a real client returns. It is
// safe for concurrent use; make one with [NewLine].
type Line struct {
	system his.System

	mu      sync.Mutex
	dead    bool
	faults  map[Op][]lineFault
	calls   map[Op]int
	delayed []func(context.Context)
}

// lineFault is what happens to one call on the line.
type lineFault int

const (
	loseAnswer lineFault = iota + 1
	loseRequest
	delayRequest
)

// NewLine returns a line to the system that works until told otherwise.
func NewLine(system his.System) *Line {
	return &Line{system: system, faults: map[Op][]lineFault{}, calls: map[Op]int{}}
}

// LoseAnswers lets the next n calls of op act at the hospital and lose the
// answer: the caller sees Indeterminate.
func (l *Line) LoseAnswers(op Op, n int) { l.plan(op, n, loseAnswer) }

// LoseRequests lets the next n calls of op never arrive. The caller cannot tell
// that from a lost answer: it sees Indeterminate.
func (l *Line) LoseRequests(op Op, n int) { l.plan(op, n, loseRequest) }

// DelayRequests keeps the next n calls of op on the way until [Line.Deliver].
// The caller has given up by then and seen Indeterminate.
func (l *Line) DelayRequests(op Op, n int) { l.plan(op, n, delayRequest) }

func (l *Line) plan(op Op, n int, f lineFault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.faults[op] = append(l.faults[op], f)
	}
}

// Deliver lets the delayed requests arrive, in the order they were sent, and
// returns how many there were. Nobody waits for their answers any more.
func (l *Line) Deliver(ctx context.Context) int {
	l.mu.Lock()
	late := l.delayed
	l.delayed = nil
	l.mu.Unlock()
	for _, arrive := range late {
		arrive(ctx)
	}
	return len(late)
}

// Cut kills the line, or mends it: while it is dead every call is Unavailable
// and certainly did nothing.
func (l *Line) Cut(dead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = dead
}

// Calls counts how often op was tried, whatever became of it.
func (l *Line) Calls(op Op) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[op]
}

// System is the far side as it looks through the line. Roles that are not
// offered stay nil; assurances are passed on.
func (l *Line) System() his.System {
	far := l.system
	through := lined{l}
	near := his.System{Assurances: far.Assurances}
	if far.Clock != nil {
		near.Clock = through
	}
	if far.Directory != nil {
		near.Directory = through
	}
	if far.Scheduling != nil {
		near.Scheduling = through
	}
	if far.Registrar != nil {
		near.Registrar = through
	}
	if far.Desk != nil {
		near.Desk = through
	}
	if far.Billing != nil {
		near.Billing = through
	}
	if far.Inpatient != nil {
		near.Inpatient = through
	}
	if far.Deposits != nil {
		near.Deposits = through
	}
	if far.Queue != nil {
		near.Queue = through
	}
	if far.Settlements != nil {
		near.Settlements = through
	}
	if far.Patients != nil {
		near.Patients = through
	}
	return near
}

// pass sends one call down the line.
func pass[A any](ctx context.Context, l *Line, op Op, call func(context.Context) (A, error)) (A, error) {
	var none A
	l.mu.Lock()
	l.calls[op]++
	dead := l.dead
	var f lineFault
	if planned := l.faults[op]; !dead && len(planned) > 0 {
		f, l.faults[op] = planned[0], planned[1:]
	}
	if f == delayRequest {
		l.delayed = append(l.delayed, func(ctx context.Context) { _, _ = call(ctx) }) // nobody waits for the answer
	}
	l.mu.Unlock()
	if dead {
		return none, &hospital.Error{Kind: hospital.Unavailable, Op: "histest.Line." + string(op), Code: "not_sent", Detail: "the line is dead"}
	}
	switch f {
	case loseAnswer:
		_, _ = call(ctx) // the answer, good or bad, is what gets lost
		return none, lost(op)
	case loseRequest, delayRequest:
		return none, lost(op)
	}
	return call(ctx)
}

// lost is what the caller knows when no answer came.
func lost(op Op) error {
	e := &hospital.Error{Kind: hospital.Indeterminate, Op: "histest.Line." + string(op), Code: "answer_lost", Detail: "no answer came"}
	if !op.Changes() {
		e.Kind = hospital.Unavailable
	}
	return e
}

// lined is the far side seen through the line, in all its roles.
type lined struct{ line *Line }

func (x lined) Ping(ctx context.Context) (time.Time, error) {
	return pass(ctx, x.line, OpPing, x.line.system.Clock.Ping)
}

func (x lined) Campuses(ctx context.Context) ([]hospital.Campus, error) {
	return pass(ctx, x.line, OpCampuses, x.line.system.Directory.Campuses)
}

func (x lined) Departments(ctx context.Context) ([]hospital.Department, error) {
	return pass(ctx, x.line, OpDepartments, x.line.system.Directory.Departments)
}

func (x lined) Doctors(ctx context.Context, department hospital.DepartmentID) ([]hospital.Doctor, error) {
	return pass(ctx, x.line, OpDoctors, func(ctx context.Context) ([]hospital.Doctor, error) {
		return x.line.system.Directory.Doctors(ctx, department)
	})
}

func (x lined) Schedules(ctx context.Context, query his.ScheduleQuery) ([]hospital.Schedule, error) {
	return pass(ctx, x.line, OpSchedules, func(ctx context.Context) ([]hospital.Schedule, error) {
		return x.line.system.Scheduling.Schedules(ctx, query)
	})
}

func (x lined) Slots(ctx context.Context, schedule hospital.ScheduleID) ([]hospital.Slot, error) {
	return pass(ctx, x.line, OpSlots, func(ctx context.Context) ([]hospital.Slot, error) {
		return x.line.system.Scheduling.Slots(ctx, schedule)
	})
}

func (x lined) Suspensions(ctx context.Context, from, to hospital.Date) ([]hospital.Suspension, error) {
	return pass(ctx, x.line, OpSuspensions, func(ctx context.Context) ([]hospital.Suspension, error) {
		return x.line.system.Scheduling.Suspensions(ctx, from, to)
	})
}

func (x lined) Hold(ctx context.Context, request hospital.HoldRequest) (hospital.Hold, error) {
	return pass(ctx, x.line, OpHold, func(ctx context.Context) (hospital.Hold, error) {
		return x.line.system.Registrar.Hold(ctx, request)
	})
}

func (x lined) Confirm(ctx context.Context, request hospital.ConfirmRequest) (hospital.Registration, error) {
	return pass(ctx, x.line, OpConfirm, func(ctx context.Context) (hospital.Registration, error) {
		return x.line.system.Registrar.Confirm(ctx, request)
	})
}

func (x lined) Cancel(ctx context.Context, key hospital.Key) error {
	return x.keyed(ctx, OpCancel, key, func(ctx context.Context, key hospital.Key) error {
		return x.line.system.Registrar.Cancel(ctx, key)
	})
}

func (x lined) Find(ctx context.Context, key hospital.Key) (hospital.Registration, error) {
	return pass(ctx, x.line, OpFind, func(ctx context.Context) (hospital.Registration, error) {
		return x.line.system.Registrar.Find(ctx, key)
	})
}

func (x lined) Registrations(ctx context.Context, query his.RegistrationQuery) ([]hospital.Registration, error) {
	return pass(ctx, x.line, OpRegistrations, func(ctx context.Context) ([]hospital.Registration, error) {
		return x.line.system.Registrar.Registrations(ctx, query)
	})
}

func (x lined) CheckIn(ctx context.Context, key hospital.Key) (hospital.Registration, error) {
	return pass(ctx, x.line, OpCheckIn, func(ctx context.Context) (hospital.Registration, error) {
		return x.line.system.Desk.CheckIn(ctx, key)
	})
}

func (x lined) Places(ctx context.Context, patient hospital.PatientID) ([]his.QueuePlace, error) {
	return pass(ctx, x.line, OpPlaces, func(ctx context.Context) ([]his.QueuePlace, error) {
		return x.line.system.Queue.Places(ctx, patient)
	})
}

func (x lined) Bills(ctx context.Context, patient hospital.PatientID) ([]his.Bill, error) {
	return pass(ctx, x.line, OpBills, func(ctx context.Context) ([]his.Bill, error) {
		return x.line.system.Billing.Bills(ctx, patient)
	})
}

func (x lined) Bill(ctx context.Context, patient hospital.PatientID, id his.BillID) (his.Bill, error) {
	return pass(ctx, x.line, OpBill, func(ctx context.Context) (his.Bill, error) {
		return x.line.system.Billing.Bill(ctx, patient, id)
	})
}

func (x lined) Settle(ctx context.Context, request his.SettleRequest) (his.Payment, error) {
	return pass(ctx, x.line, OpSettle, func(ctx context.Context) (his.Payment, error) {
		return x.line.system.Billing.Settle(ctx, request)
	})
}

func (x lined) FindPayment(ctx context.Context, key hospital.Key) (his.Payment, error) {
	return pass(ctx, x.line, OpFindPayment, func(ctx context.Context) (his.Payment, error) {
		return x.line.system.Billing.FindPayment(ctx, key)
	})
}

func (x lined) Reverse(ctx context.Context, key hospital.Key) error {
	return x.keyed(ctx, OpReverse, key, func(ctx context.Context, key hospital.Key) error {
		return x.line.system.Billing.Reverse(ctx, key)
	})
}

func (x lined) Admissions(ctx context.Context, patient hospital.PatientID) ([]his.Admission, error) {
	return pass(ctx, x.line, OpAdmissions, func(ctx context.Context) ([]his.Admission, error) {
		return x.line.system.Inpatient.Admissions(ctx, patient)
	})
}

func (x lined) DailyList(ctx context.Context, patient hospital.PatientID, id his.AdmissionID, day hospital.Date) (his.DailyList, error) {
	return pass(ctx, x.line, OpDailyList, func(ctx context.Context) (his.DailyList, error) {
		return x.line.system.Inpatient.DailyList(ctx, patient, id, day)
	})
}

func (x lined) PayDeposit(ctx context.Context, request his.DepositRequest) (his.Payment, error) {
	return pass(ctx, x.line, OpPayDeposit, func(ctx context.Context) (his.Payment, error) {
		return x.line.system.Deposits.PayDeposit(ctx, request)
	})
}

func (x lined) FindDeposit(ctx context.Context, key hospital.Key) (his.Payment, error) {
	return pass(ctx, x.line, OpFindDeposit, func(ctx context.Context) (his.Payment, error) {
		return x.line.system.Deposits.FindDeposit(ctx, key)
	})
}

func (x lined) ReverseDeposit(ctx context.Context, key hospital.Key) error {
	return x.keyed(ctx, OpReverseDeposit, key, func(ctx context.Context, key hospital.Key) error {
		return x.line.system.Deposits.ReverseDeposit(ctx, key)
	})
}

func (x lined) Deposits(ctx context.Context, patient hospital.PatientID, id his.AdmissionID) ([]his.Payment, error) {
	return pass(ctx, x.line, OpDeposits, func(ctx context.Context) ([]his.Payment, error) {
		return x.line.system.Deposits.Deposits(ctx, patient, id)
	})
}

func (x lined) Settlements(ctx context.Context, day hospital.Date) ([]his.Settlement, error) {
	return pass(ctx, x.line, OpSettlements, func(ctx context.Context) ([]his.Settlement, error) {
		return x.line.system.Settlements.Settlements(ctx, day)
	})
}

func (x lined) FindSettlements(ctx context.Context, key hospital.Key) ([]his.Settlement, error) {
	return pass(ctx, x.line, OpFindSettlements, func(ctx context.Context) ([]his.Settlement, error) {
		return x.line.system.Settlements.FindSettlements(ctx, key)
	})
}

func (x lined) FindPatient(ctx context.Context, query his.PatientQuery) (hospital.Patient, error) {
	return pass(ctx, x.line, OpFindPatient, func(ctx context.Context) (hospital.Patient, error) {
		return x.line.system.Patients.FindPatient(ctx, query)
	})
}

func (x lined) CreatePatient(ctx context.Context, request his.CreatePatientRequest) (hospital.Patient, error) {
	return pass(ctx, x.line, OpCreatePatient, func(ctx context.Context) (hospital.Patient, error) {
		return x.line.system.Patients.CreatePatient(ctx, request)
	})
}

func (x lined) BindCard(ctx context.Context, request his.CardRequest) error {
	return x.carded(ctx, OpBindCard, request, func(ctx context.Context, request his.CardRequest) error {
		return x.line.system.Patients.BindCard(ctx, request)
	})
}

func (x lined) UnbindCard(ctx context.Context, request his.CardRequest) error {
	return x.carded(ctx, OpUnbindCard, request, func(ctx context.Context, request his.CardRequest) error {
		return x.line.system.Patients.UnbindCard(ctx, request)
	})
}

// keyed passes a call that answers with nothing but an error.
func (x lined) keyed(ctx context.Context, op Op, key hospital.Key, call func(context.Context, hospital.Key) error) error {
	_, err := pass(ctx, x.line, op, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx, key) })
	return err
}

func (x lined) carded(ctx context.Context, op Op, request his.CardRequest, call func(context.Context, his.CardRequest) error) error {
	_, err := pass(ctx, x.line, op, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx, request) })
	return err
}
