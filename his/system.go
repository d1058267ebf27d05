package his

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
)

// System is what one HIS offers. Nil means "not offered"; the layers above
// then hide what depends on it, and the conformance suite checks that the
// claim is honest both ways.
type System struct {
	Clock       Clock
	Directory   Directory
	Scheduling  Scheduling
	Registrar   Registrar
	Desk        Desk
	Billing     Billing
	Inpatient   Inpatient
	Deposits    Deposits
	Queue       Queue
	Settlements Settlements
	Patients    Patients

	Assurances Assurances
}

// Assurances declare, for each mutating call, what may follow a lost answer.
// The zero Assurance is the weakest: such a case goes to a person.
type Assurances struct {
	Hold           hospital.Assurance
	Confirm        hospital.Assurance
	Cancel         hospital.Assurance
	CheckIn        hospital.Assurance
	Settle         hospital.Assurance
	Reverse        hospital.Assurance
	PayDeposit     hospital.Assurance
	ReverseDeposit hospital.Assurance
	CreatePatient  hospital.Assurance
	BindCard       hospital.Assurance
}

// Clock is 通讯检测: the cheapest call there is.
type Clock interface {
	// Ping returns the HIS's own time.
	Ping(ctx context.Context) (time.Time, error)
}

// Directory is 科室医生目录. All of it is small and changes rarely.
type Directory interface {
	Campuses(ctx context.Context) ([]hospital.Campus, error)
	Departments(ctx context.Context) ([]hospital.Department, error)
	// Doctors returns the doctors of one department; NotFound when it does not exist.
	Doctors(ctx context.Context, department hospital.DepartmentID) ([]hospital.Doctor, error)
}

// ScheduleQuery asks for the schedules of some days.
type ScheduleQuery struct {
	From, To   hospital.Date         // both included
	Department hospital.DepartmentID // "" for all
	Doctor     hospital.DoctorID     // "" for all
}

// Scheduling is 排班与号源.
type Scheduling interface {
	Schedules(ctx context.Context, query ScheduleQuery) ([]hospital.Schedule, error)
	// Slots returns the segments of one schedule in the order of time; NotFound
	// when it does not exist.
	Slots(ctx context.Context, schedule hospital.ScheduleID) ([]hospital.Slot, error)
	// Suspensions returns the schedules between two days that will not take place.
	Suspensions(ctx context.Context, from, to hospital.Date) ([]hospital.Suspension, error)
}

// RegistrationQuery asks for one patient's registrations.
type RegistrationQuery struct {
	Patient  hospital.PatientID // never empty: an empty patient is Invalid, not "everybody"
	From, To hospital.Date      // of the visit, both included
}

// Registrar is 预约挂号. Hold, Confirm, Cancel and Find satisfy booking.Slots.
type Registrar interface {
	// Hold marks a number busy for the patient (锁号). Conflict slot_taken: no
	// number is left, or this number is another's. Rejected: the HIS refuses
	// this patient. Indeterminate: ask Find by the key.
	Hold(ctx context.Context, request hospital.HoldRequest) (hospital.Hold, error)
	// Confirm makes the hold firm, or books its fee as paid. Conflict
	// slot_taken: the hold ran out and the number is gone. NotFound: nothing is
	// held under the key. Rejected: a wrong sum, a wrong patient, a fee that was
	// paid under another receipt, a visit that is over.
	Confirm(ctx context.Context, request hospital.ConfirmRequest) (hospital.Registration, error)
	// Cancel gives the number back (退号). Nil means the registration is
	// certainly not in force, also when it never was. Rejected: the visit took place.
	Cancel(ctx context.Context, key hospital.Key) error
	// Find returns what the HIS knows under our key; NotFound when it knows nothing.
	Find(ctx context.Context, key hospital.Key) (hospital.Registration, error)
	// Registrations returns the patient's registrations of all entries.
	Registrations(ctx context.Context, query RegistrationQuery) ([]hospital.Registration, error)
}

// Desk is 取号签到.
type Desk interface {
	// CheckIn marks the patient arrived. Rejected: not today, or not registered.
	CheckIn(ctx context.Context, key hospital.Key) (hospital.Registration, error)
}

// QueuePlace is 候诊排队: where a patient stands in line.
type QueuePlace struct {
	HISNo   string
	Patient hospital.PatientID
	QueueNo int
	Ahead   int // patients before this one
	Calling int // the number being called, 0 before the session starts
	Room    hospital.Room
}

// Queue is 候诊.
type Queue interface {
	// Places returns where the patient stands today, one entry a registration.
	Places(ctx context.Context, patient hospital.PatientID) ([]QueuePlace, error)
}

// Settlements is 对账单: what the HIS has booked, of every entry.
type Settlements interface {
	// Settlements returns the rows the HIS booked on the day.
	Settlements(ctx context.Context, day hospital.Date) ([]Settlement, error)
	// FindSettlements returns the rows booked under our key, none when there are none.
	FindSettlements(ctx context.Context, key hospital.Key) ([]Settlement, error)
}

// Settlement is one row of the HIS's books. Amount is positive for a payment
// and negative for a refund.
type Settlement struct {
	HISNo    string
	Key      hospital.Key // ours, "" for the window and the kiosk
	Purpose  hospital.PurposeKind
	Patient  hospital.PatientID
	Entry    hospital.Entry
	Channel  string // "wechatpay", "cash"
	TradeNo  string // the channel's number
	Receipt  string
	Amount   hospital.Fen
	BookedAt time.Time
}
