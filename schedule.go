package hospital

import "time"

// CampusID is the HIS's identifier of a [Campus], opaque.
type CampusID string

// DepartmentID is the HIS's identifier of a [Department], opaque.
type DepartmentID string

// DoctorID is the HIS's identifier of a [Doctor], opaque.
type DoctorID string

// ScheduleID is the HIS's identifier of a [Schedule], opaque.
type ScheduleID string

// SlotID is the HIS's identifier of a [Slot], opaque.
type SlotID string

// Campus is 院区, one site of the hospital.
type Campus struct {
	ID      CampusID
	Name    string
	Address string
}

// Department is 科室.
type Department struct {
	ID           DepartmentID
	Campus       CampusID
	Name         string
	Code         string // 诊疗科目 code, "" when the HIS has none
	Introduction string
	Location     string // how to get there: building and floor
}

// Doctor is 医生.
type Doctor struct {
	ID           DoctorID
	Department   DepartmentID
	Name         string
	Title        string // 职称: 主任医师, 副主任医师, 主治医师, 住院医师
	Expert       bool   // sells 专家号
	Specialty    string // 擅长
	Introduction string
}

// Room is 诊室, where the patient goes.
type Room struct {
	Name     string
	Building string
	Floor    string
}

// Session is 班次, the half day of a schedule.
type Session string

// The sessions.
const (
	Morning   Session = "morning"   // 上午
	Afternoon Session = "afternoon" // 下午
	Evening   Session = "evening"   // 夜间
)

// Fees are what a registration costs, apart as the HIS keeps them.
type Fees struct {
	Registration Fen // 挂号费
	Consultation Fen // 诊查费
	Other        Fen
}

// Total is what the patient pays.
func (f Fees) Total() Fen { return f.Registration + f.Consultation + f.Other }

// Unlimited is the Left of a schedule or slot that the HIS does not count.
const Unlimited = -1

// Schedule is 排班: one doctor (or an ordinary clinic without a named doctor)
// on one day in one session.
type Schedule struct {
	ID         ScheduleID
	Campus     CampusID
	Department DepartmentID
	Doctor     DoctorID // "" for an ordinary clinic
	Date       Date
	Session    Session
	Expert     bool // 专家号; an ordinary number otherwise
	Fees       Fees
	Capacity   int
	Left       int // numbers still free, Unlimited when not counted
	Suspended  bool
	Room       Room
	Opaque     string // what the HIS wants back, untouched
}

// Slot is 号源: a segment of at most half an hour of a schedule, with the
// numbers that it still has.
type Slot struct {
	ID       SlotID
	Schedule ScheduleID
	Start    time.Time
	End      time.Time
	Capacity int
	Left     int // Unlimited when not counted
	Opaque   string
}
