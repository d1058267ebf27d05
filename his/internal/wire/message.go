package wire

import (
	"time"

	"github.com/wxhospital/hospital"
)

// Result begins every answer. Code is "0", or says why not; Kind then says
// what the caller may do; Message is the HIS's own words.
type Result struct {
	Code    string `wire:"ResultCode"`
	Kind    string `wire:"ResultKind,optional" oneof:"invalid denied not_found conflict rejected unavailable indeterminate internal"`
	Message string `wire:"ResultMessage,optional"`
}

// OK is the ResultCode of success.
const OK = "0"

// Succeed marks the answer as one of success.
func (r *Result) Succeed() { *r = Result{Code: OK} }

// The requests.
type (
	// NoArguments asks for something that needs none.
	NoArguments struct{}
	// DoctorsRequest asks for the doctors of a department.
	DoctorsRequest struct {
		Department hospital.DepartmentID `wire:"DepartmentID"`
	}
	// SchedulesRequest asks for the schedules of some days.
	SchedulesRequest struct {
		From       hospital.Date         `wire:"From"`
		To         hospital.Date         `wire:"To"`
		Department hospital.DepartmentID `wire:"DepartmentID,optional"`
		Doctor     hospital.DoctorID     `wire:"DoctorID,optional"`
	}
	// SlotsRequest asks for the segments of a schedule.
	SlotsRequest struct {
		Schedule hospital.ScheduleID `wire:"ScheduleID"`
	}
	// DaysRequest asks about some days.
	DaysRequest struct {
		From hospital.Date `wire:"From"`
		To   hospital.Date `wire:"To"`
	}
	// DayRequest asks about one day.
	DayRequest struct {
		Day hospital.Date `wire:"Date"`
	}
	// KeyRequest is about what stands under our key.
	KeyRequest struct {
		Key hospital.Key `wire:"Key"`
	}
	// HoldRequest is hospital.HoldRequest.
	HoldRequest struct {
		Key      hospital.Key        `wire:"Key"`
		Schedule hospital.ScheduleID `wire:"ScheduleID"`
		Slot     hospital.SlotID     `wire:"SlotID,optional"`
		Patient  hospital.PatientID  `wire:"PatientID"`
		Kind     hospital.VisitKind  `wire:"VisitKind,optional" oneof:"advance same_day"`
		Entry    hospital.Entry      `wire:"Entry,optional"`
		Number   int                 `wire:"Number"`
		Opaque   string              `wire:"Store,optional"`
	}
	// ConfirmRequest is hospital.ConfirmRequest with the part of the Hold that
	// the HIS needs.
	ConfirmRequest struct {
		Key     hospital.Key       `wire:"Key"`
		Patient hospital.PatientID `wire:"PatientID"`
		HISNo   string             `wire:"HISNo,optional"`
		Paid    hospital.Fen       `wire:"Paid"`
		Receipt string             `wire:"Receipt,optional"`
		Channel string             `wire:"Channel,optional"`
		TradeNo string             `wire:"TradeNo,optional"`
		PaidAt  time.Time          `wire:"PaidAt,optional"`
		Opaque  string             `wire:"Store,optional"`
	}
	// RegistrationsRequest asks for a patient's registrations.
	RegistrationsRequest struct {
		Patient hospital.PatientID `wire:"PatientID"`
		From    hospital.Date      `wire:"From"`
		To      hospital.Date      `wire:"To"`
	}
	// PatientRequest is about a patient.
	PatientRequest struct {
		Patient hospital.PatientID `wire:"PatientID"`
	}
	// BillRequest asks for one bill of a patient.
	BillRequest struct {
		Patient hospital.PatientID `wire:"PatientID"`
		Bill    string             `wire:"BillID"`
	}
	// SettleRequest is his.SettleRequest.
	SettleRequest struct {
		Key     hospital.Key       `wire:"Key"`
		Bill    string             `wire:"BillID"`
		Patient hospital.PatientID `wire:"PatientID"`
		Amount  hospital.Fen       `wire:"Amount"`
		Quote   string             `wire:"QuoteVersion,optional"`
		Receipt string             `wire:"Receipt,optional"`
		Channel string             `wire:"Channel,optional"`
		TradeNo string             `wire:"TradeNo,optional"`
		PaidAt  time.Time          `wire:"PaidAt,optional"`
		Opaque  string             `wire:"Store,optional"`
	}
	// FindPatientRequest is his.PatientQuery.
	FindPatientRequest struct {
		ID       hospital.PatientID `wire:"PatientID,optional"`
		IDNumber hospital.IDNumber  `wire:"IDNumber,optional"`
		CardNo   hospital.CardNo    `wire:"CardNo,optional"`
	}
	// CreatePatientRequest is his.CreatePatientRequest.
	CreatePatientRequest struct {
		Key     hospital.Key `wire:"Key"`
		Patient NewPatient   `wire:"Patient"`
	}
	// CardRequest is his.CardRequest.
	CardRequest struct {
		Key     hospital.Key       `wire:"Key"`
		Patient hospital.PatientID `wire:"PatientID"`
		CardNo  hospital.CardNo    `wire:"CardNo"`
	}
)

// The answers.
type (
	// TimeAnswer is the HIS's own time.
	TimeAnswer struct {
		Result
		Time time.Time `wire:"Time"`
	}
	// CampusesAnswer lists campuses.
	CampusesAnswer struct {
		Result
		Campuses []Campus `wire:"Campuses>Campus"`
	}
	// DepartmentsAnswer lists departments.
	DepartmentsAnswer struct {
		Result
		Departments []Department `wire:"Departments>Department"`
	}
	// DoctorsAnswer lists doctors.
	DoctorsAnswer struct {
		Result
		Doctors []Doctor `wire:"Doctors>Doctor"`
	}
	// SchedulesAnswer lists schedules.
	SchedulesAnswer struct {
		Result
		Schedules []Schedule `wire:"Schedules>Schedule"`
	}
	// SlotsAnswer lists segments.
	SlotsAnswer struct {
		Result
		Slots []Slot `wire:"Slots>Slot"`
	}
	// SuspensionsAnswer lists suspensions.
	SuspensionsAnswer struct {
		Result
		Suspensions []Suspension `wire:"Suspensions>Suspension"`
	}
	// HoldAnswer is a hold and the key it was asked under.
	HoldAnswer struct {
		Result
		Key  hospital.Key `wire:"Key"`
		Hold Hold         `wire:"Hold"`
	}
	// RegistrationAnswer is a registration.
	RegistrationAnswer struct {
		Result
		Registration Registration `wire:"Registration"`
	}
	// RegistrationsAnswer lists registrations.
	RegistrationsAnswer struct {
		Result
		Registrations []Registration `wire:"Registrations>Registration"`
	}
	// KeyAnswer repeats the key of what was undone.
	KeyAnswer struct {
		Result
		Key hospital.Key `wire:"Key"`
	}
	// BillsAnswer lists bills.
	BillsAnswer struct {
		Result
		Bills []Bill `wire:"Bills>Bill"`
	}
	// BillAnswer is a bill.
	BillAnswer struct {
		Result
		Bill Bill `wire:"Bill"`
	}
	// PaymentAnswer is what was booked.
	PaymentAnswer struct {
		Result
		Payment Payment `wire:"Payment"`
	}
	// SettlementsAnswer lists rows of the HIS's books.
	SettlementsAnswer struct {
		Result
		Settlements []Settlement `wire:"Settlements>Settlement"`
	}
	// PatientAnswer is a patient.
	PatientAnswer struct {
		Result
		Patient Patient `wire:"Patient"`
	}
	// CardAnswer repeats whose card was tied or untied.
	CardAnswer struct {
		Result
		Key     hospital.Key       `wire:"Key"`
		Patient hospital.PatientID `wire:"PatientID"`
	}
)
