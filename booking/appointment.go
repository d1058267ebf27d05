package booking

import (
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// State is where an appointment stands. The diagram is in the package comment.
type State string

// The states. Those in -ing are intents: the HIS may or may not have acted.
const (
	Holding    State = "holding"    // the HIS is being asked for the number
	Held       State = "held"       // 锁号: waiting for the fee
	Confirming State = "confirming" // the HIS is being told that it is firm
	Booked     State = "booked"     // 已预约
	Settling   State = "settling"   // booked, and the HIS is being told that the fee was paid
	Arrived    State = "arrived"    // 已取号
	Cancelling State = "cancelling" // the HIS is being told to give the number back

	Fulfilled State = "fulfilled" // 已就诊
	Refused   State = "refused"   // the HIS did not give the number
	Expired   State = "expired"   // not paid in time
	Cancelled State = "cancelled" // 已取消
	NoShow    State = "noshow"    // 爽约
	Manual    State = "manual"    // a person has to decide
)

// edges are the legal moves. A store refuses every other one, so a defect in
// the saga cannot bring a cancelled appointment back.
var edges = map[State][]State{ //nolint:gochecknoglobals // an immutable table
	Holding:    {Held, Confirming, Cancelling, Refused, Manual},
	Held:       {Confirming, Cancelling},
	Confirming: {Booked, Cancelling, Manual},
	Booked:     {Settling, Cancelling, Arrived, Fulfilled, NoShow, Confirming, Manual},
	Settling:   {Booked, Cancelling, Manual},
	Arrived:    {Cancelling, Fulfilled, NoShow, Manual},
	Cancelling: {Cancelled, Expired, Refused, Booked, Arrived, Fulfilled, Manual},
	Manual:     {Held, Confirming, Booked, Cancelling, Fulfilled, Cancelled},
}

// MayBecome reports whether the move is legal. Staying is always legal.
func (s State) MayBecome(next State) bool { return s == next || slices.Contains(edges[s], next) }

// Terminal reports whether the appointment has reached its end.
func (s State) Terminal() bool { return len(edges[s]) == 0 }

// Counts reports whether the appointment counts against the patient's limits:
// it is live, or the visit took place.
func (s State) Counts() bool { return s.Live() || s == Fulfilled }

// Live reports whether the appointment claims its number.
func (s State) Live() bool {
	switch s {
	case Refused, Expired, Cancelled, Fulfilled, NoShow:
		return false
	case Holding, Held, Confirming, Booked, Settling, Arrived, Cancelling, Manual:
	}
	return true
}

// Cause says why an appointment is leaving.
type Cause string

// The causes.
const (
	ByPatient   Cause = "patient"     // the patient gave it back
	ByStaff     Cause = "staff"       // the hospital cancelled it
	BySuspended Cause = "suspended"   // 停诊
	ByUnpaid    Cause = "unpaid"      // the hold ran out
	ByRefusal   Cause = "refused"     // the HIS did not take it
	ByDoubt     Cause = "unconfirmed" // the HIS did not answer in time
)

// end is the state in which a cancellation for the cause ends.
func (c Cause) end() State {
	switch c {
	case ByUnpaid:
		return Expired
	case ByRefusal:
		return Refused
	case ByPatient, ByStaff, BySuspended, ByDoubt:
	}
	return Cancelled
}

// Appointment is 预约 or 挂号: one number of one patient, from the wish to its
// end. ID is also the key under which the HIS knows it.
type Appointment struct {
	ID      string
	Version int64 // counts every change; a save with an older one is refused

	Kind    hospital.VisitKind
	Actor   hospital.Actor // who booked, through which entry
	Patient hospital.PatientID
	Payer   hospital.Payer

	Campus     hospital.CampusID
	Department hospital.DepartmentID
	Doctor     hospital.DoctorID
	Schedule   hospital.ScheduleID
	Slot       hospital.SlotID
	SlotOpaque string
	Date       hospital.Date
	Session    hospital.Session
	Start, End time.Time

	Policy string     // the version it was made under; no other ever judges it
	Pay    PayMode    // what that policy said
	Number int        // the number claimed from our own quota; 0 when the HIS owns the numbers
	Fate   NumberFate // of the Number, once the appointment that is leaving has ended

	State  State
	Cause  Cause  // why it is leaving or left
	Reason string // in words, for staff; no patient data

	Hold      hospital.Hold // the HIS's answer
	Charged   bool          // the cashier was told
	Paid      hospital.Fen  // what the cashier took and delivered to us
	Receipt   string
	Channel   string
	TradeNo   string
	PaidAt    time.Time
	PaidAtHIS bool // the HIS has booked the fee
	Withdrawn bool // the payment was withdrawn: a late delivery is refused for good
	Vouched   bool // staff have seen that nothing is in force at the HIS: it is not told again

	CreatedAt time.Time
	Deadline  time.Time // of the present state; zero for none
	AskedAt   time.Time // business time at which the HIS was last called
	SentAt    time.Time // wall clock just before the present intent was committed; its call ends within CallTimeout of it
	Tries     int       // attempts at the present step, for the back-off
	DueAt     time.Time // when a worker has to look again; zero for never
	EndedAt   time.Time // when it reached a terminal state
}

// Key is the key under which the HIS knows the appointment.
func (a *Appointment) Key() hospital.Key { return hospital.Key(a.ID) }

// ChargeKey is the key of the appointment's charge at the cashier. It is
// derived from the ID and so needs no column and cannot be lost.
func (a *Appointment) ChargeKey() hospital.Key { return hospital.Key("c" + a.ID) }

// FeeOnline reports whether the cashier may take the fee.
func (a *Appointment) FeeOnline() bool {
	return a.Pay != PayAtDesk && a.Hold.PayOnline && a.Hold.Fee > 0
}

// charge is what the cashier is asked to take.
func (a *Appointment) charge() hospital.Charge {
	expires := a.Deadline
	if a.State != Held {
		expires = a.Start
	}
	return hospital.Charge{
		Key: a.ChargeKey(), Purpose: hospital.Purpose{Kind: hospital.ForRegistration, ID: a.ID}, Campus: a.Campus,
		Patient: a.Patient, Actor: a.Actor, Amount: a.Hold.Fee, Description: "挂号费", Expires: expires,
	}
}

// confirmRequest is what the HIS is told; the same on every attempt.
func (a *Appointment) confirmRequest() hospital.ConfirmRequest {
	return hospital.ConfirmRequest{
		Key: a.Key(), Patient: a.Patient, Hold: a.Hold,
		Paid: a.Paid, Receipt: a.Receipt, Channel: a.Channel, TradeNo: a.TradeNo, PaidAt: a.PaidAt,
	}
}

// holdRequest is what the HIS is asked; the same on every attempt.
func (a *Appointment) holdRequest() hospital.HoldRequest {
	return hospital.HoldRequest{
		Key: a.Key(), Schedule: a.Schedule, Slot: a.Slot, Patient: a.Patient, Kind: a.Kind,
		Entry: a.Actor.Entry, Number: a.Number, Opaque: a.SlotOpaque,
	}
}
