package hospital

import "time"

// VisitKind tells an advance appointment (预约) from a same-day registration
// (当日挂号).
type VisitKind string

// The kinds of visit.
const (
	Advance VisitKind = "advance"
	SameDay VisitKind = "same_day"
)

// Assurance is what an adapter declares about one mutating call of the far
// side. It decides what may follow a lost answer.
type Assurance struct {
	Idempotent  bool          // the same call under the same key has one effect
	Queryable   bool          // the effect can be found by key
	Cancellable bool          // the effect can be undone by key
	Quiet       time.Duration // "absent" counts only this long after the last attempt
}

// HoldRequest asks the HIS to mark a number busy for a patient (锁号).
type HoldRequest struct {
	Key      Key
	Schedule ScheduleID
	Slot     SlotID
	Patient  PatientID
	Kind     VisitKind
	Entry    Entry
	Number   int    // the number we claimed from our own quota; 0 lets the HIS choose
	Opaque   string // Slot.Opaque as the HIS gave it
}

// Hold is the HIS's answer to a HoldRequest.
type Hold struct {
	HISNo     string    // the HIS's number of this registration
	Patient   PatientID // for whom; the caller compares
	QueueNo   int       // the number printed on the ticket
	Fee       Fen       // what the HIS wants for it: the only valid quote
	PayOnline bool      // the HIS accepts an online payment for it
	Expires   time.Time // the HIS frees the number then, unless confirmed
	Opaque    string
}

// ConfirmRequest makes a hold firm (Paid 0), or tells the HIS that the fee of
// a firm registration was paid (Paid > 0). Both may arrive in one call.
type ConfirmRequest struct {
	Key     Key
	Patient PatientID
	Hold    Hold
	Paid    Fen
	Receipt string // our proof of the payment: the order's key; "" when nothing was paid
	Channel string // who took the money: "wechatpay"
	TradeNo string // the channel's number of the payment
	PaidAt  time.Time
}

// RegistrationState is where a registration stands at the HIS.
type RegistrationState string

// The states of a registration at the HIS.
const (
	RegistrationHeld       RegistrationState = "held"       // 锁号
	RegistrationRegistered RegistrationState = "registered" // 已预约 / 待接诊
	RegistrationArrived    RegistrationState = "arrived"    // 已取号
	RegistrationFulfilled  RegistrationState = "fulfilled"  // 已就诊
	RegistrationCancelled  RegistrationState = "cancelled"  // 已取消 / 退号, by whoever
	RegistrationSuspended  RegistrationState = "suspended"  // cancelled by 停诊
)

// Live reports whether the registration still claims its number.
func (s RegistrationState) Live() bool {
	return s != RegistrationCancelled && s != RegistrationSuspended
}

// Registration is 挂号 as the HIS keeps it. A HIS that never saw the key
// answers a query with NotFound, not with a Registration.
type Registration struct {
	Key       Key // ours; "" when another entry made it
	State     RegistrationState
	HISNo     string
	Patient   PatientID
	Schedule  ScheduleID
	Slot      SlotID
	QueueNo   int
	Fee       Fen
	PayOnline bool
	Paid      Fen    // what the HIS has booked as paid
	Receipt   string // the receipt given with the payment
	Expires   time.Time
	Opaque    string
}

// Suspension is 停诊: a schedule that will not take place.
type Suspension struct {
	Schedule   ScheduleID
	Date       Date
	Reason     string
	Substitute DoctorID // 替诊, "" when nobody steps in
}
