package his

import (
	"context"

	"github.com/wxhospital/hospital"
)

// PatientQuery finds one patient by exactly one of its identifiers; none or
// two of them is Invalid. A name alone never finds anybody.
type PatientQuery struct {
	ID       hospital.PatientID
	IDNumber hospital.IDNumber
	CardNo   hospital.CardNo
}

// CreatePatientRequest opens a file for somebody the HIS does not know (建档).
type CreatePatientRequest struct {
	Key     hospital.Key
	Patient hospital.Patient // without ID; a child without identity number has a Guardian
}

// CardRequest ties a 就诊卡 to a patient or unties it.
type CardRequest struct {
	Key     hospital.Key
	Patient hospital.PatientID
	CardNo  hospital.CardNo
}

// Patients is 患者主索引.
type Patients interface {
	// FindPatient returns the patient; NotFound when the HIS knows nobody by it.
	FindPatient(ctx context.Context, query PatientQuery) (hospital.Patient, error)
	// CreatePatient opens a file. Conflict patient_exists: the identity number
	// has one already; find it instead.
	CreatePatient(ctx context.Context, request CreatePatientRequest) (hospital.Patient, error)
	// BindCard ties a card. Conflict card_taken: it is another patient's.
	BindCard(ctx context.Context, request CardRequest) error
	// UnbindCard unties a card. Nil means it is certainly not tied to the patient.
	UnbindCard(ctx context.Context, request CardRequest) error
}
