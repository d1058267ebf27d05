package histest

import (
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// state is the truth as the effects so far have made it. Objects in it are
// never changed: an effect puts a new one in the old one's place.
type state struct {
	registrations map[string]*registration // by HISNo
	byKey         map[hospital.Key]string
	byPatient     map[hospital.PatientID][]string
	bySchedule    map[hospital.ScheduleID][]string
	taken         map[hospital.SlotID]map[int]string // number → HISNo, live ones only
	holds         map[string]time.Time               // HISNo → when it runs out
	nextExpiry    time.Time                          // no hold runs out before; zero when there is none
	quota         map[hospital.SlotID][]int
	extra         map[hospital.SlotID][]int // numbers beyond the timetable's
	suspensions   map[hospital.ScheduleID]hospital.Suspension

	bills      map[his.BillID]*his.Bill
	billsOf    map[hospital.PatientID][]his.BillID
	payments   map[purposeKey]*payment
	paymentsOf map[hospital.Purpose][]*payment // in the order of booking
	barred     map[purposeKey]bool
	rows       []his.Settlement
	rowsOf     map[hospital.Key][]int

	patients   map[hospital.PatientID]*hospital.Patient
	byIDNumber map[hospital.IDNumber]hospital.PatientID
	byCard     map[hospital.CardNo]hospital.PatientID
	creations  map[hospital.Key]creation
	admissions []his.Admission

	effects map[hospital.Key]map[string]int
}

// purposeKey keeps the keys of registrations, bills and deposits apart.
type purposeKey struct {
	purpose hospital.PurposeKind
	key     hospital.Key
}

// newState is the hospital on its opening day, before anything happened.
func newState(o opening, staff roster) *state {
	s := &state{
		registrations: map[string]*registration{},
		byKey:         map[hospital.Key]string{},
		byPatient:     map[hospital.PatientID][]string{},
		bySchedule:    map[hospital.ScheduleID][]string{},
		taken:         map[hospital.SlotID]map[int]string{},
		holds:         map[string]time.Time{},
		quota:         map[hospital.SlotID][]int{},
		extra:         map[hospital.SlotID][]int{},
		suspensions:   map[hospital.ScheduleID]hospital.Suspension{},
		bills:         map[his.BillID]*his.Bill{},
		billsOf:       map[hospital.PatientID][]his.BillID{},
		payments:      map[purposeKey]*payment{},
		paymentsOf:    map[hospital.Purpose][]*payment{},
		barred:        map[purposeKey]bool{},
		rowsOf:        map[hospital.Key][]int{},
		patients:      map[hospital.PatientID]*hospital.Patient{},
		byIDNumber:    map[hospital.IDNumber]hospital.PatientID{},
		byCard:        map[hospital.CardNo]hospital.PatientID{},
		creations:     map[hospital.Key]creation{},
		effects:       map[hospital.Key]map[string]int{},
	}
	for _, p := range people(hospital.DateOf(o.At)) {
		s.putPatient(&p)
	}
	for _, b := range firstBills(o.At, staff) {
		s.putBill(&b)
	}
	s.admissions = firstAdmissions(o.At)
	return s
}

// put makes one effect part of the state.
func (s *state) put(e effect) {
	for _, r := range e.Registrations {
		s.putRegistration(r)
	}
	for _, b := range e.Bills {
		s.putBill(b)
	}
	if e.Payment != nil {
		s.putPayment(e.Payment)
	}
	if e.Barred != "" {
		s.barred[purposeKey{e.Barred, e.Key}] = true
	}
	for _, row := range e.Rows {
		if row.Key != "" {
			s.rowsOf[row.Key] = append(s.rowsOf[row.Key], len(s.rows))
		}
		s.rows = append(s.rows, row)
	}
	if e.Suspension != nil {
		s.suspensions[e.Suspension.Schedule] = *e.Suspension
	}
	for _, q := range e.Quota {
		s.quota[q.Slot] = q.Numbers
	}
	for _, more := range e.Extra {
		s.extra[more.Slot] = more.Numbers
	}
	if e.Patient != nil {
		s.putPatient(e.Patient)
		if e.Kind == created {
			s.creations[e.Key] = creation{request: e.Request, patient: e.Patient.ID}
		}
	}
	s.count(e)
}

// count keeps the effects apart by key, for [Hospital.Effects].
func (s *state) count(e effect) {
	keys := []hospital.Key{e.Key}
	if e.Kind == expired || e.Kind == suspended {
		keys = keys[:0]
		for _, r := range e.Registrations {
			keys = append(keys, r.Key)
		}
	}
	for _, key := range keys {
		if key == "" {
			continue
		}
		if s.effects[key] == nil {
			s.effects[key] = map[string]int{}
		}
		s.effects[key][string(e.Kind)]++
	}
}

func (s *state) putRegistration(r *registration) {
	old, known := s.registrations[r.HISNo]
	if !known {
		s.byPatient[r.Patient] = append(s.byPatient[r.Patient], r.HISNo)
		s.bySchedule[r.Schedule] = append(s.bySchedule[r.Schedule], r.HISNo)
		if r.Key != "" {
			s.byKey[r.Key] = r.HISNo
		}
	} else if s.taken[old.Slot][old.QueueNo] == r.HISNo {
		delete(s.taken[old.Slot], old.QueueNo)
	}
	s.registrations[r.HISNo] = r
	if r.State.Live() {
		if s.taken[r.Slot] == nil {
			s.taken[r.Slot] = map[int]string{}
		}
		s.taken[r.Slot][r.QueueNo] = r.HISNo
	}
	delete(s.holds, r.HISNo)
	if r.State == hospital.RegistrationHeld {
		s.holds[r.HISNo] = r.Expires
		if s.nextExpiry.IsZero() || r.Expires.Before(s.nextExpiry) {
			s.nextExpiry = r.Expires
		}
	}
}

func (s *state) putBill(b *his.Bill) {
	if s.bills[b.ID] == nil {
		s.billsOf[b.Patient] = append(s.billsOf[b.Patient], b.ID)
	}
	s.bills[b.ID] = b
}

func (s *state) putPayment(p *payment) {
	of := s.paymentsOf[p.Purpose]
	replaced := false
	for i := range of {
		if of[i].HISNo == p.HISNo {
			of[i], replaced = p, true
		}
	}
	if !replaced {
		s.paymentsOf[p.Purpose] = append(of, p)
	}
	if p.Key != "" {
		s.payments[purposeKey{p.Purpose.Kind, p.Key}] = p
	}
}

func (s *state) putPatient(p *hospital.Patient) {
	if old := s.patients[p.ID]; old != nil {
		for _, card := range old.Cards {
			if s.byCard[card] == p.ID {
				delete(s.byCard, card)
			}
		}
	}
	s.patients[p.ID] = p
	if p.IDNumber != "" {
		s.byIDNumber[p.IDNumber] = p.ID
	}
	for _, card := range p.Cards {
		s.byCard[card] = p.ID
	}
}
