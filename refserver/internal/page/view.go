package page

import (
	"time"

	"github.com/wxhospital/hospital"
)

// View is what one page shows. Every page of the patient's side is one of the
// structs of this package; a handler fills it and gives it to [Pages.Render].
// Views carry ids, instants and fen: links, dates and amounts are put into
// words by the templates.
type View interface {
	// file names the page's template: "home" is templates/home.html.
	file() string
}

// Frame is what stands around every page.
type Frame struct {
	Care    bool   // 长辈版: large type, large targets
	Patient string // the current patient, masked ("王*芳"); "" shows nothing
	Unread  int    // messages not yet read
	// Token guards the forms against other sites. Answers are compressed, so
	// it must be different in every answer though it proves the same session.
	Token string
	Flash Flash
	Here  string // the path of this page with its query, to come back to after a change of mode; "" is home
}

// Tone says how a notice, tag or flash is meant. It is never told by color
// alone: the text says it too.
type Tone string

// The tones.
const (
	ToneOK     Tone = "ok"
	ToneWarn   Tone = "warn"
	ToneDanger Tone = "danger"
	TonePlain  Tone = "plain"
)

// Flash is the one sentence about what the last form did.
type Flash struct {
	Tone Tone
	Text string
}

// Home is 首页. GET Links.Home.
type Home struct {
	Bound bool         // the user has at least one patient
	Today []TodayVisit // what is next, the soonest first; none: 今天没有就诊安排
	Stale bool         // the HIS does not answer: today's card may be old
}

func (Home) file() string { return "home" }

// TodayState is what today's card asks the patient to do.
type TodayState string

// The states of today's card.
const (
	TodayPay     TodayState = "pay"     // 待支付
	TodayUpcome  TodayState = "upcome"  // 已预约, go there and take the ticket
	TodayArrived TodayState = "arrived" // 已取号, waiting
	TodayDone    TodayState = "done"    // 已就诊
	TodayStopped TodayState = "stopped" // 停诊
)

// TodayVisit is the card of one visit on the home page.
type TodayVisit struct {
	State       TodayState
	Appointment string
	Order       string // TodayPay
	Patient     string // masked
	Department  string
	Doctor      string // "" for an ordinary clinic
	Start       time.Time
	End         time.Time
	QueueNo     int // 0 when the HIS gave none
	Room        hospital.Room
	Amount      hospital.Fen // TodayPay
	Deadline    time.Time    // TodayPay
}

// Sex chooses the figure of the body map.
type Sex string

// Age chooses the figure of the body map.
type Age string

// Side is the side of the figure that is shown.
type Side string

// What a Figure may show.
const (
	Male   Sex = "m"
	Female Sex = "f"

	Adult Age = "adult"
	Child Age = "child"

	Front Side = "front"
	Back  Side = "back"
)

// Figure is the state of the body map. It lives in the URL: sex, age, view, and
// in s the ids of what was ticked so far. Zero values mean Male, Adult, Front.
type Figure struct {
	Sex    Sex
	Age    Age
	Side   Side
	Picked []string
}

// Region is a shape of the figure or a chip beside it, as the knowledge has it.
// Key is in the path of Links.TriagePart.
type Region struct {
	Key   string
	Label string
}

// TriageEntry is 智能导诊: the body, the general symptoms, a box for one's own
// words, the search. GET Links.Triage. What is written is about somebody's
// health, so the search (POST Links.Triage, field q) and the box (POST
// Links.TriageResult, fields text, sex, old) never stand in an address: both lead
// on to one that can be loaded again.
type TriageEntry struct {
	Figure  Figure
	Regions []Region // of the shown side, from head to foot
	Chips   []Region // what no side shows, for this person
	Visits  []Region // why one comes without a complaint: leads to Links.Departments
	Picked  []string // names of what Figure.Picked stands for
	Query   string   // what was searched
	Hits    []TriageHit
	Fields  Fields // of the box, when it comes back
	Nonce   string // field n of the forms that ask for advice
}

func (TriageEntry) file() string { return "triage" }

// TriageHit is a symptom that the search found.
type TriageHit struct {
	Name   string
	Where  string // the part of the body
	Region string // its key
	Figure Figure // that shows the region, with the symptom ticked
}

// Symptom is one thing a patient can tick.
type Symptom struct {
	ID      string // sent back in field s
	Name    string
	Checked bool
}

// TriagePart asks for the symptoms of one region. GET Links.TriagePart; its
// form is GET Links.TriageResult with sex, age, view, part, n, s (repeated) and the
// answers: old (35 岁, 8 个月), days, severity, temperature, pregnant, weeks.
// With the second button it is GET Links.Triage, for another part.
type TriagePart struct {
	Fields

	Nonce  string // field n
	Figure Figure
	Part   string // key of the region
	Label  string
	Groups []SymptomGroup
	Others []Symptom // ticked at other parts
}

func (TriagePart) file() string { return "triage_part" }

// Pregnant reports whether the question can be asked.
func (p TriagePart) Pregnant() bool { return p.Figure.Sex == Female && p.Figure.Age != Child }

// SymptomGroup is one second-level part: 头面部 has 头部, 眼部, 耳部.
type SymptomGroup struct {
	Name     string
	Open     bool
	Symptoms []Symptom // at most twelve
	More     []Symptom // 其他
}

// Hidden is a field of a form that the patient does not see.
type Hidden struct{ Name, Value string }

// TriageResult names one to three departments and why, after what may be an
// alarm has been asked. It recommends a department and is never a diagnosis.
type TriageResult struct {
	Figure   Figure
	Part     string   // to go back to, "" for the body
	Chosen   []string // names of the ticked symptoms
	Heard    []string // what was understood of the words
	Notes    []string // contradictions to be aware of
	Checks   []TriageCheck
	Unsure   bool // said plainly
	Nothing  bool // nothing was understood
	FollowUp FollowUp
	Advice   []Advice
	Retold   []Hidden // the complaint for the next form, a GET: of what was written its reference
}

func (TriageResult) file() string { return "triage_result" }

// TriageCheck is an alarm that was told as history or as a question. Yes to it
// is Links.TriageAlarm.
type TriageCheck struct{ Flag, Ask string }

// FollowUp is the one question that would make the answer surer; Ask is "" when
// none would. Its form is Retold with field a: the value of the option.
type FollowUp struct {
	Ask     string
	Options []FollowOption
}

// FollowOption is a button of a question.
type FollowOption struct{ Value, Say string }

// Advice is one department of the result.
type Advice struct {
	Department string // id, "" when it does not take bookings here
	Name       string
	For        string // the department it stands in for, "" for itself
	Absent     bool   // this hospital has nothing of the kind
	Emergency  bool   // it is the emergency department
	Share      int    // percent
	Location   string
	Reasons    []string
	Next       hospital.Date // first day with a free number, zero when none
	Left       int           // numbers of that day
	Clinics    []ScheduleRow // the next ones with a free number, at most three
}

// TriageEmergency is shown before any department when a red flag was raised.
// GET Links.TriageEmergency, and instead of a result.
type TriageEmergency struct {
	Figure  Figure
	Call120 bool // call an ambulance; otherwise go to the emergency department now
	Gentle  bool // somebody may be thinking of suicide: no drama
	Alarms  []Alarm
	Said    []string // what in the complaint raised them
	Retold  []Hidden // with field seen, to see the departments nevertheless
}

func (TriageEmergency) file() string { return "triage_emergency" }

// Alarm is one red flag that was raised: signs, never a disease.
type Alarm struct {
	Notice  string // 胸口压着痛，并向左肩放射; "" when the knowledge has no words for it
	Advice  string // what to do until help is there
	Action  string // the nearest action
	Hotline string // "12356", "" for none
}

// Departments is 选择科室. GET Links.Departments: q searches (names and pinyin
// initials), day=today shows today's clinics only.
type Departments struct {
	Query   string
	Today   bool
	Groups  []DepartmentGroup // of the search when Query is not ""
	Doctors []DoctorRow       // doctors found by the search
	Opening time.Time         // when the next day's numbers come out, zero when they are out
	Stale   bool              // the HIS does not answer: remaining numbers may be old
}

func (Departments) file() string { return "departments" }

// DepartmentGroup is the first level: a campus or a class of departments.
type DepartmentGroup struct {
	Name        string
	Departments []DepartmentRow
}

// DepartmentRow is one department in a list.
type DepartmentRow struct {
	ID       string
	Name     string
	Location string
	Left     int // free numbers in the shown days, hospital.Unlimited when not counted
	Open     bool
}

// Department is 科室: introduction, seven days, who is there. GET
// Links.Department; date=2026-11-25 chooses the day.
type Department struct {
	ID           string
	Name         string
	Introduction string
	Location     string
	Date         hospital.Date // the chosen day
	Days         []Day
	Schedules    []ScheduleRow // of the chosen day
	Stale        bool
}

func (Department) file() string { return "department" }

// Day is one day of the date strip.
type Day struct {
	Date hospital.Date
	Sale Sale
}

// Sale says whether a number can be had.
type Sale string

// The states of a sale.
const (
	SaleOpen    Sale = "open"    // 有号
	SaleFull    Sale = "full"    // 约满
	SaleStopped Sale = "stopped" // 停诊
	SaleNotYet  Sale = "not_yet" // 未放号
	SaleOver    Sale = "over"    // 已过
	SaleNone    Sale = "none"    // 无排班
)

// ScheduleRow is one clinic (half a day of one doctor) in a list.
type ScheduleRow struct {
	ID         string
	Doctor     string // id, "" for an ordinary clinic
	Name       string // of the doctor; "" for an ordinary clinic
	Title      string
	Department string
	Expert     bool
	Specialty  string
	Date       hospital.Date
	Session    hospital.Session
	Fee        hospital.Fen
	Sale       Sale
	Left       int       // hospital.Unlimited when not counted
	Opening    time.Time // SaleNotYet
	Reason     string    // SaleStopped: why, and who stands in
}

// Doctors is the list of doctors. GET Links.Doctors: q searches, department
// narrows.
type Doctors struct {
	Query      string
	Department string // id
	Name       string // of that department
	Rows       []DoctorRow
	More       bool // only the first page is shown: ask for a narrower search
}

func (Doctors) file() string { return "doctors" }

// DoctorRow is one doctor in a list.
type DoctorRow struct {
	ID         string
	Name       string
	Title      string
	Department string
	Specialty  string
	Next       hospital.Date // first day with a free number, zero when none
}

// Doctor introduces a doctor and lists the clinics. GET Links.Doctor.
type Doctor struct {
	ID           string
	Name         string
	Title        string
	DepartmentID string
	Department   string
	Expert       bool
	Specialty    string
	Introduction string
	Schedules    []ScheduleRow // the coming days
	Stale        bool
}

func (Doctor) file() string { return "doctor" }

// Schedule is 选择时段: the segments of one clinic with what is left and how
// busy each is. GET Links.Schedule. A segment links to Links.Confirm.
type Schedule struct {
	Clinic  Clinic
	Sale    Sale
	Reason  string // SaleStopped
	Opening time.Time
	Slots   []SlotChoice
	Gone    bool // the chosen segment was taken a moment ago
	Stale   bool
}

func (Schedule) file() string { return "schedule" }

// Clinic is the head of the pages between the choice of a doctor and the pay
// sheet.
type Clinic struct {
	Schedule     string
	DepartmentID string
	Department   string
	Doctor       string // "" for an ordinary clinic
	DoctorID     string
	Title        string
	Expert       bool
	Date         hospital.Date
	Session      hospital.Session
	Room         hospital.Room
	Fee          hospital.Fen
}

// SlotChoice is one segment.
type SlotChoice struct {
	ID       string
	Start    time.Time
	End      time.Time
	Left     int
	Capacity int
	Busy     Busy
	Quietest bool // 错峰就诊: the least busy of those that can be had
	Over     bool // it has begun or its booking has closed
}

// Busy is how full a segment is.
type Busy string

// How full a segment may be.
const (
	BusyLow    Busy = "low"    // 较空
	BusyMedium Busy = "medium" // 适中
	BusyHigh   Busy = "high"   // 较忙
	BusyFull   Busy = "full"   // 约满
)

// Confirm is 确认挂号. GET Links.Confirm(schedule, slot); its form is POST
// Links.Book with schedule, slot, patient, agree=1, key, token.
type Confirm struct {
	Clinic   Clinic
	Slot     string
	Start    time.Time
	End      time.Time
	Kind     hospital.VisitKind
	Patients []PatientChoice
	Fees     []FeeLine
	Total    hospital.Fen
	Pay      PayRule
	Within   time.Duration // PayBefore: how long the number is held for the payment
	Cancel   time.Time     // free to cancel until then; zero: not any more
	Bring    []string      // what to bring
	Key      string        // of this booking: pressing twice books once
	Problem  string        // why the last try was refused, with the next step
	Strikes  int           // of the current patient this year, 0 says nothing
}

func (Confirm) file() string { return "confirm" }

// PayRule is when and where the fee is paid.
type PayRule string

// When a fee may be due.
const (
	PayBefore PayRule = "before" // now, the number is held until then
	PayAfter  PayRule = "after"  // online until the visit or at the desk
	PayDesk   PayRule = "desk"   // at the desk only (insured patients)
	PayFree   PayRule = "free"   // nothing to pay
)

// PatientChoice is one radio button of the patients.
type PatientChoice struct {
	ID       string
	Name     string // masked
	Card     string // masked card or ID number
	Insured  bool   // 医保: pays at the desk
	Selected bool
	Locked   bool // 已暂停: cannot book online
}

// FeeLine is one line of a price.
type FeeLine struct {
	Name   string
	Amount hospital.Fen
}

// Pay is 支付. GET Links.Pay(order). Its form is POST Links.Prepay(order) with
// token; the script sends it with "Accept: application/json" and wants a
// [PaySheet].
type Pay struct {
	Order    string
	Title    string // "挂号费 · 脾胃病科"
	Patient  string // masked
	Amount   hospital.Fen
	Deadline time.Time // zero: none
	Back     string    // path of the appointment or bill
	Paid     bool      // 已支付，请勿重复支付
	Problem  string    // why the sheet could not be opened
}

func (Pay) file() string { return "pay" }

// PaySheet is the JSON answer of Links.Prepay: the argument of
// getBrandWCPayRequest, or Message with an error status.
// API: WeixinJSBridge getBrandWCPayRequest — pay.weixin.qq.com/doc/v3/merchant/4012791857.
type PaySheet struct {
	AppID     string `json:"appId,omitempty"`
	TimeStamp string `json:"timeStamp,omitempty"` // Unix seconds
	NonceStr  string `json:"nonceStr,omitempty"`
	Package   string `json:"package,omitempty"` // prepay_id=…
	SignType  string `json:"signType,omitempty"`
	PaySign   string `json:"paySign,omitempty"`
	Message   string `json:"message,omitempty"` // Chinese, for the patient
	Result    string `json:"result,omitempty"`  // path to go to instead: already paid, closed
}

// PayResult is what came of a payment. GET Links.PayResult(order). While it is
// PayChecking the script asks GET Links.PayState for a [PayPoll].
type PayResult struct {
	Order  string
	State  PayState
	Title  string
	Amount hospital.Fen
	Back   string // path of the appointment or bill
	Bill   bool   // it paid a bill, not a registration
}

func (PayResult) file() string { return "pay_result" }

// PayState is how far a payment is, for its payer.
type PayState string

// The states of a payment.
const (
	PayChecking  PayState = "checking"  // 支付确认中
	PayPaid      PayState = "paid"      // done and delivered
	PayFailed    PayState = "failed"    // not paid, can be tried again
	PayClosed    PayState = "closed"    // too late, nothing was taken
	PayRefunding PayState = "refunding" // taken, goes back
	PayRefunded  PayState = "refunded"  // gone back
	PayManual    PayState = "manual"    // a person looks at it
)

// PayPoll is the JSON answer of Links.PayState.
type PayPoll struct {
	State PayState `json:"state"`
}

// Status is how an appointment stands, for its patient: the booking and its
// money in one word.
type Status string

// The states of an appointment.
const (
	StatusHolding      Status = "holding"       // 挂号中
	StatusPayDue       Status = "pay_due"       // 待支付
	StatusConfirming   Status = "confirming"    // 已支付，挂号中
	StatusBooked       Status = "booked"        // 预约成功
	StatusArrived      Status = "arrived"       // 已取号
	StatusFulfilled    Status = "fulfilled"     // 已就诊
	StatusCancelling   Status = "cancelling"    // 取消中
	StatusCancelled    Status = "cancelled"     // 已取消
	StatusRefunding    Status = "refunding"     // 已取消 · 退款中
	StatusRefunded     Status = "refunded"      // 已退款
	StatusRefundManual Status = "refund_manual" // 退款需人工处理
	StatusStopped      Status = "stopped"       // 停诊
	StatusNoShow       Status = "noshow"        // 失约
	StatusExpired      Status = "expired"       // 超时未支付
	StatusRefused      Status = "refused"       // 挂号未成功
	StatusManual       Status = "manual"        // 人工处理中
)

// Appointments is 我的挂号. GET Links.Appointments; tab=past for the old ones.
type Appointments struct {
	Past bool
	Rows []AppointmentRow
	More string // path of the next page, "" for none
}

func (Appointments) file() string { return "appointments" }

// AppointmentRow is one appointment in a list.
type AppointmentRow struct {
	ID         string
	Status     Status
	Patient    string // masked
	Department string
	Doctor     string
	Kind       hospital.VisitKind
	Start      time.Time
	End        time.Time
	QueueNo    int
	Room       hospital.Room
}

// Appointment is the detail and voucher. GET Links.Appointment(id).
type Appointment struct {
	ID           string
	Status       Status
	Patient      string // in full: this is the detail page of one's own patient
	Card         string // masked
	DepartmentID string
	Department   string
	Doctor       string
	Title        string
	Kind         hospital.VisitKind
	Start        time.Time
	End          time.Time
	QueueNo      int
	Voucher      string // the HIS's number of the registration
	Room         hospital.Room
	Location     string // of the department: how to get there
	Bring        []string
	Ticket       string // how and when to take the ticket
	Fee          hospital.Fen
	Paid         hospital.Fen
	Refunded     hospital.Fen
	Order        string    // pay it: Links.Pay(Order); "" when nothing can be paid online
	Deadline     time.Time // StatusPayDue: pay until
	Desk         bool      // the fee is paid at the desk
	CanCancel    bool
	Cancel       time.Time // until when; zero when never
	Reason       string    // of 停诊, refusal or cancellation, in words for the patient
	Rule         string    // the rule it was made under ("wuxi2018 第 3 版")
}

func (Appointment) file() string { return "appointment" }

// CancelConfirm asks once more. GET Links.Cancel(id); its form is POST
// Links.Cancel(id) with key, token.
type CancelConfirm struct {
	ID         string
	Department string
	Doctor     string
	Patient    string // masked
	Start      time.Time
	End        time.Time
	Refund     hospital.Fen // goes back by the way it came, 0 for none
	Problem    string
}

func (CancelConfirm) file() string { return "cancel" }

// BillTab is one tab of 我的账单.
type BillTab string

// The tabs of the bills.
const (
	BillsDue      BillTab = "due"
	BillsPaid     BillTab = "paid"
	BillsRefunded BillTab = "refunded"
)

// Bills is 我的账单. GET Links.Bills; tab chooses.
type Bills struct {
	Tab  BillTab
	Rows []BillRow
}

func (Bills) file() string { return "bills" }

// BillRow is one bill in a list.
type BillRow struct {
	ID         string
	Title      string // "门诊处方", "检验"
	Department string
	Doctor     string
	At         time.Time
	Amount     hospital.Fen
	Status     BillStatus
}

// BillStatus is how a bill stands.
type BillStatus string

// The states of a bill.
const (
	BillDue       BillStatus = "due"       // 待缴费
	BillPaying    BillStatus = "paying"    // 支付确认中
	BillPaid      BillStatus = "paid"      // 已缴费
	BillAtWindow  BillStatus = "window"    // 已在窗口缴费
	BillRefunding BillStatus = "refunding" // 退费中
	BillRefunded  BillStatus = "refunded"  // 已退费
	BillVoid      BillStatus = "void"      // 已作废
	BillManual    BillStatus = "manual"    // 人工处理中
)

// Bill is 账单详情. GET Links.Bill(id); its form is POST Links.PayBill(id) with
// version (the quote that is shown), key, token.
type Bill struct {
	ID         string
	Status     BillStatus
	Patient    string // in full
	Department string
	Doctor     string
	At         time.Time
	Groups     []BillGroup
	Amount     hospital.Fen // what is to be paid, or was
	Total      hospital.Fen
	Version    string // of the quote
	Desk       bool   // it cannot be paid online (insured)
	PaidAt     time.Time
	Refunded   hospital.Fen
	Next       string // where to go after paying
	Problem    string
}

func (Bill) file() string { return "bill" }

// BillGroup is one class of charges: 西药费, 检验费.
type BillGroup struct {
	Name  string
	Items []BillItem
	Total hospital.Fen
}

// BillItem is one line of a bill.
type BillItem struct {
	Name     string
	Quantity string // "2 盒"
	Amount   hospital.Fen
}

// Patients is 就诊人. GET Links.Patients.
type Patients struct {
	Rows []PatientRow
	Max  int // how many may be bound
}

func (Patients) file() string { return "patients" }

// PatientRow is one bound patient.
type PatientRow struct {
	ID       string
	Name     string // masked
	IDNumber string // masked
	Phone    string // masked
	Current  bool
	Insured  bool
	Locked   bool // 已暂停
}

// Patient is one bound patient. GET Links.Patient(id). Forms: POST
// Links.UsePatient(id) with token, POST Links.Unbind(id) with token. Unbinding
// asks again: GET Links.Unbind(id) is the same view with Asking.
type Patient struct {
	Row      PatientRow
	Name     string // in full
	Cards    []string
	Since    time.Time
	Asking   bool      // unbind?
	LockedTo time.Time // zero: until staff unlocks
	Strikes  int
	Problem  string
}

func (Patient) file() string { return "patient" }

// Fields is what a form was filled with, to show it again with what is wrong.
type Fields struct {
	Values map[string]string // by the field's name
	Errors map[string]string // by the field's name; "" is about the whole form
}

// BindForm is 添加就诊人, step 1 of 2. GET Links.Bind; its form is POST
// Links.Bind with name, id_number, child=1, guardian_name,
// guardian_id_number, agree=1, token. Whatever was filled in, the answer is
// step 2.
type BindForm struct {
	Fields
	Max    int    // how many may be bound
	Full   bool   // the limit is reached
	Policy string // version of the consent text that is agreed to
	Return string // path to go to after binding; field return
}

func (BindForm) file() string { return "bind" }

// BindCode is step 2: the one-time code. GET Links.BindCode(ref); forms: POST
// Links.BindCode(ref) with code, token; POST Links.BindSend(ref) with token,
// way=sms|desk. It never says whether the hospital knows the person.
type BindCode struct {
	Fields
	Ref  string
	Desk bool // the desk's code is asked for
}

func (BindCode) file() string { return "bind_code" }

// BindCreate makes a file for somebody the hospital has not seen. GET
// Links.BindCreate(ref); its form is POST Links.BindCreate(ref) with phone,
// code, token; POST Links.BindSend(ref) with way=new sends the code.
type BindCreate struct {
	Fields
	Ref  string
	Name string // masked
	Sent bool   // a code was sent to the phone of the form
}

func (BindCreate) file() string { return "bind_create" }

// Messages is 消息中心. GET Links.Messages. Form: POST Links.ReadMessages with
// token.
type Messages struct {
	Rows []MessageRow
	More string // path of the next page
}

func (Messages) file() string { return "messages" }

// MessageRow is one message. Its text never holds a diagnosis.
type MessageRow struct {
	Title  string
	Text   string
	At     time.Time
	Unread bool
	Path   string // what it leads to, "" for nothing
}

// Settings is 我的 and its settings. GET Links.Me. Forms: POST Links.Mode with
// care=0|1, return, token.
type Settings struct {
	Patient  string // masked, "" when none is bound
	Patients int
	Policy   string // version
}

func (Settings) file() string { return "settings" }

// Help is 帮助与客服. GET Links.Help.
type Help struct{}

func (Help) file() string { return "help" }

// Policy is the text that is agreed to. GET Links.Policy.
type Policy struct {
	Title      string
	Version    string
	From       hospital.Date
	Paragraphs []string
}

func (Policy) file() string { return "policy" }

// State is a page instead of a page.
type State struct {
	Kind   StateKind
	Retry  string        // path to try again; "" is home
	After  time.Duration // StateTooFast: wait that long
	Until  time.Time     // StateMaintenance, StateLocked: zero when not known
	Reason string        // StateLocked: "一年内失约 3 次"; StateError: the number to tell the hospital
	What   string        // StateUnavailable: what is away ("挂号系统"); StateNoData: what there is none of
}

func (State) file() string { return "state" }

// StateKind names a global state.
type StateKind string

// The global states.
const (
	StateUnfollowed  StateKind = "unfollowed"  // 未关注
	StateUnbound     StateKind = "unbound"     // 未绑定就诊人
	StateExpired     StateKind = "expired"     // 授权过期
	StateSnapshot    StateKind = "snapshot"    // 快照页
	StateOutside     StateKind = "outside"     // 非微信环境
	StateUnavailable StateKind = "unavailable" // HIS 暂不可用
	StateMaintenance StateKind = "maintenance" // 系统维护
	StateLocked      StateKind = "locked"      // 已暂停
	StateNoData      StateKind = "no_data"     // 无数据
	StateNotFound    StateKind = "not_found"   // 404, and a stranger's object alike
	StateTooFast     StateKind = "too_fast"    // 提交过快
	StateSlow        StateKind = "slow"        // 弱网重试
	StateTooLong     StateKind = "toolong"     // 写得太长
	StateForbidden   StateKind = "forbidden"   // the form is too old or came from another site
	StateError       StateKind = "error"       // our own fault
)
