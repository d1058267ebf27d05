package wire

import (
	"time"

	"github.com/wxhospital/hospital"
)

// The nouns have the fields of their namesakes in packages hospital and his in
// the same order, so that one converts to the other and the compiler notices
// when they part. Those that differ say how.
type (
	// Campus is hospital.Campus.
	Campus struct {
		ID      hospital.CampusID `wire:"CampusID"`
		Name    string            `wire:"Name"`
		Address string            `wire:"Address,optional"`
	}
	// Department is hospital.Department.
	Department struct {
		ID           hospital.DepartmentID `wire:"DepartmentID"`
		Campus       hospital.CampusID     `wire:"CampusID,optional"`
		Name         string                `wire:"Name"`
		Code         string                `wire:"Code,optional"`
		Introduction string                `wire:"Introduction,optional"`
		Location     string                `wire:"Location,optional"`
	}
	// Doctor is hospital.Doctor.
	Doctor struct {
		ID           hospital.DoctorID     `wire:"DoctorID"`
		Department   hospital.DepartmentID `wire:"DepartmentID"`
		Name         string                `wire:"Name"`
		Title        string                `wire:"Title,optional"`
		Expert       bool                  `wire:"Expert"`
		Specialty    string                `wire:"Specialty,optional"`
		Introduction string                `wire:"Introduction,optional"`
	}
	// Slot is hospital.Slot.
	Slot struct {
		ID       hospital.SlotID     `wire:"SlotID"`
		Schedule hospital.ScheduleID `wire:"ScheduleID"`
		Start    time.Time           `wire:"Start"`
		End      time.Time           `wire:"End"`
		Capacity int                 `wire:"Capacity"`
		Left     int                 `wire:"Left"`
		Opaque   string              `wire:"Store,optional"`
	}
	// Suspension is hospital.Suspension.
	Suspension struct {
		Schedule   hospital.ScheduleID `wire:"ScheduleID"`
		Date       hospital.Date       `wire:"Date"`
		Reason     string              `wire:"Reason,optional"`
		Substitute hospital.DoctorID   `wire:"SubstituteID,optional"`
	}
	// Hold is hospital.Hold.
	Hold struct {
		HISNo     string             `wire:"HISNo"`
		Patient   hospital.PatientID `wire:"PatientID"`
		QueueNo   int                `wire:"QueueNo"`
		Fee       hospital.Fen       `wire:"Fee"`
		PayOnline bool               `wire:"PayOnline"`
		Expires   time.Time          `wire:"Expires,optional"`
		Opaque    string             `wire:"Store,optional"`
	}
	// Registration is hospital.Registration.
	Registration struct {
		Key       hospital.Key               `wire:"Key,optional"`
		State     hospital.RegistrationState `wire:"State" oneof:"held registered arrived fulfilled cancelled suspended"`
		HISNo     string                     `wire:"HISNo"`
		Patient   hospital.PatientID         `wire:"PatientID"`
		Schedule  hospital.ScheduleID        `wire:"ScheduleID"`
		Slot      hospital.SlotID            `wire:"SlotID,optional"`
		QueueNo   int                        `wire:"QueueNo"`
		Fee       hospital.Fen               `wire:"Fee"`
		PayOnline bool                       `wire:"PayOnline"`
		Paid      hospital.Fen               `wire:"Paid"`
		Receipt   string                     `wire:"Receipt,optional"`
		Expires   time.Time                  `wire:"Expires,optional"`
		Opaque    string                     `wire:"Store,optional"`
	}
	// Schedule is hospital.Schedule with fees and room laid flat.
	Schedule struct {
		ID              hospital.ScheduleID   `wire:"ScheduleID"`
		Campus          hospital.CampusID     `wire:"CampusID,optional"`
		Department      hospital.DepartmentID `wire:"DepartmentID"`
		Doctor          hospital.DoctorID     `wire:"DoctorID,optional"`
		Date            hospital.Date         `wire:"Date"`
		Session         hospital.Session      `wire:"Session" oneof:"morning afternoon evening"`
		Expert          bool                  `wire:"Expert"`
		RegistrationFee hospital.Fen          `wire:"RegistrationFee"`
		ConsultationFee hospital.Fen          `wire:"ConsultationFee"`
		OtherFee        hospital.Fen          `wire:"OtherFee"`
		Capacity        int                   `wire:"Capacity"`
		Left            int                   `wire:"Left"`
		Suspended       bool                  `wire:"Suspended"`
		Room            string                `wire:"Room,optional"`
		Building        string                `wire:"Building,optional"`
		Floor           string                `wire:"Floor,optional"`
		Opaque          string                `wire:"Store,optional"`
	}
	// Bill is his.Bill.
	Bill struct {
		ID         string             `wire:"BillID"`
		Patient    hospital.PatientID `wire:"PatientID"`
		State      string             `wire:"State" oneof:"unpaid paid cancelled"`
		Department string             `wire:"Department,optional"`
		Doctor     string             `wire:"Doctor,optional"`
		Kind       string             `wire:"Kind,optional"`
		Amount     hospital.Fen       `wire:"Amount"`
		Quote      string             `wire:"QuoteVersion,optional"`
		PayOnline  bool               `wire:"PayOnline"`
		CreatedAt  time.Time          `wire:"CreatedAt"`
		Items      []BillItem         `wire:"Items>Item"`
		Place      string             `wire:"Place,optional"`
		Opaque     string             `wire:"Store,optional"`
	}
	// BillItem is his.BillItem.
	BillItem struct {
		Code     string       `wire:"Code,optional"`
		Name     string       `wire:"Name"`
		Unit     string       `wire:"Unit,optional"`
		Quantity string       `wire:"Quantity"`
		Amount   hospital.Fen `wire:"Amount"`
	}
	// Payment is his.Payment.
	Payment struct {
		Key       hospital.Key       `wire:"Key"`
		HISNo     string             `wire:"HISNo"`
		Patient   hospital.PatientID `wire:"PatientID"`
		Amount    hospital.Fen       `wire:"Amount"`
		Receipt   string             `wire:"Receipt,optional"`
		Reversed  bool               `wire:"Reversed"`
		BookedAt  time.Time          `wire:"BookedAt"`
		PickUpAt  string             `wire:"PickUpAt,optional"`
		InvoiceNo string             `wire:"InvoiceNo,optional"`
	}
	// Settlement is his.Settlement.
	Settlement struct {
		HISNo    string               `wire:"HISNo"`
		Key      hospital.Key         `wire:"Key,optional"`
		Purpose  hospital.PurposeKind `wire:"Purpose" oneof:"registration bill deposit"`
		Patient  hospital.PatientID   `wire:"PatientID"`
		Entry    hospital.Entry       `wire:"Entry"`
		Channel  string               `wire:"Channel"`
		TradeNo  string               `wire:"TradeNo,optional"`
		Receipt  string               `wire:"Receipt,optional"`
		Amount   hospital.Fen         `wire:"Amount"`
		BookedAt time.Time            `wire:"BookedAt"`
	}
	// Guardian is hospital.Guardian.
	Guardian struct {
		Name     hospital.Name     `wire:"Name"`
		IDNumber hospital.IDNumber `wire:"IDNumber,optional"`
		Phone    hospital.Phone    `wire:"Phone,optional"`
	}
	// NewPatient is hospital.Patient before the HIS has given it an ID.
	NewPatient struct {
		Name      hospital.Name     `wire:"Name"`
		Sex       hospital.Sex      `wire:"Sex,optional" oneof:"unknown male female"`
		BirthDate hospital.Date     `wire:"BirthDate,optional"`
		IDNumber  hospital.IDNumber `wire:"IDNumber,optional"`
		Phone     hospital.Phone    `wire:"Phone,optional"`
		Cards     []hospital.CardNo `wire:"Cards>CardNo,optional"`
		Payer     hospital.Payer    `wire:"Payer,optional" oneof:"self_pay insured"`
		Guardian  *Guardian         `wire:"Guardian"`
	}
	// Patient is hospital.Patient.
	Patient struct {
		ID hospital.PatientID `wire:"PatientID"`
		NewPatient
	}
)

// ScheduleOf lays a schedule flat.
func ScheduleOf(s hospital.Schedule) Schedule {
	return Schedule{
		ID: s.ID, Campus: s.Campus, Department: s.Department, Doctor: s.Doctor, Date: s.Date, Session: s.Session, Expert: s.Expert,
		RegistrationFee: s.Fees.Registration, ConsultationFee: s.Fees.Consultation, OtherFee: s.Fees.Other,
		Capacity: s.Capacity, Left: s.Left, Suspended: s.Suspended,
		Room: s.Room.Name, Building: s.Room.Building, Floor: s.Room.Floor, Opaque: s.Opaque,
	}
}

// Noun is the reverse of [ScheduleOf].
func (s Schedule) Noun() hospital.Schedule {
	return hospital.Schedule{
		ID: s.ID, Campus: s.Campus, Department: s.Department, Doctor: s.Doctor, Date: s.Date, Session: s.Session, Expert: s.Expert,
		Fees:     hospital.Fees{Registration: s.RegistrationFee, Consultation: s.ConsultationFee, Other: s.OtherFee},
		Capacity: s.Capacity, Left: s.Left, Suspended: s.Suspended,
		Room: hospital.Room{Name: s.Room, Building: s.Building, Floor: s.Floor}, Opaque: s.Opaque,
	}
}

// PatientOf parts the ID from the rest.
func PatientOf(p hospital.Patient) Patient {
	return Patient{ID: p.ID, NewPatient: NewPatient{
		Name: p.Name, Sex: p.Sex, BirthDate: p.BirthDate, IDNumber: p.IDNumber, Phone: p.Phone, Cards: p.Cards, Payer: p.Payer,
		Guardian: (*Guardian)(p.Guardian),
	}}
}

// Noun is the reverse of [PatientOf].
func (p Patient) Noun() hospital.Patient {
	return hospital.Patient{
		ID: p.ID, Name: p.Name, Sex: p.Sex, BirthDate: p.BirthDate, IDNumber: p.IDNumber, Phone: p.Phone, Cards: p.Cards, Payer: p.Payer,
		Guardian: (*hospital.Guardian)(p.Guardian),
	}
}
