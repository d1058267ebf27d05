package his

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
)

// AdmissionID is 住院号 in the HIS's own form.
type AdmissionID string

// Admission is 住院, one stay.
type Admission struct {
	ID         AdmissionID
	Patient    hospital.PatientID
	Department string
	Bed        string
	AdmittedAt time.Time
	Discharged bool
	Settled    bool // 已结算: no more deposits
	Deposited  hospital.Fen
	Spent      hospital.Fen
	Opaque     string
}

// DailyList is 一日清单, what one day of a stay cost. A corrected list has a
// higher version.
type DailyList struct {
	Admission AdmissionID
	Patient   hospital.PatientID
	Date      hospital.Date
	Version   int
	Items     []BillItem
	Total     hospital.Fen
}

// Inpatient is 住院.
type Inpatient interface {
	Admissions(ctx context.Context, patient hospital.PatientID) ([]Admission, error)
	// DailyList returns the list of one day; NotFound when the day has none yet
	// and when the admission is somebody else's, alike.
	DailyList(ctx context.Context, patient hospital.PatientID, id AdmissionID, day hospital.Date) (DailyList, error)
}

// DepositRequest tells the HIS that a deposit was paid.
type DepositRequest struct {
	Key       hospital.Key
	Admission AdmissionID
	Patient   hospital.PatientID
	Amount    hospital.Fen
	Receipt   string
	Channel   string
	TradeNo   string
	PaidAt    time.Time
}

// Deposits is 住院押金.
type Deposits interface {
	// PayDeposit books the deposit. Rejected: discharged, settled, or above the ceiling.
	PayDeposit(ctx context.Context, request DepositRequest) (Payment, error)
	// FindDeposit returns what was booked under the key; NotFound for nothing.
	FindDeposit(ctx context.Context, key hospital.Key) (Payment, error)
	// ReverseDeposit undoes it. Nil means it is certainly not booked.
	ReverseDeposit(ctx context.Context, key hospital.Key) error
	// Deposits returns all deposits of a stay.
	Deposits(ctx context.Context, patient hospital.PatientID, id AdmissionID) ([]Payment, error)
}
