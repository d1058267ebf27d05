package histest

import (
	"context"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// opensAt is 07:30 of a working Monday, the hour at which stories begin.
var opensAt = time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST) //nolint:gochecknoglobals // a constant in spirit: time.Time has no constant form

// stopped is a business clock that only moves when told.
type stopped struct {
	mu sync.Mutex
	at time.Time
}

func (s *stopped) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *stopped) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = s.at.Add(d)
}

// Connect puts an adapter before the hospital: it may serve the hospital over a
// wire and return a client of it. What it opened, close closes; nil for nothing.
type Connect func(h *Hospital) (system his.System, closer func() error, err error)

// Direct connects to the hospital without a wire.
func Direct(h *Hospital) (his.System, func() error, error) { return h.System(), nil, nil }

// SubjectOver returns a subject whose adapter talks to a fresh [Hospital], with
// everything supplied that the suite can use. Lost answers and requests are lost
// between the adapter and the suite.
func SubjectOver(connect Connect) Subject {
	return Subject{New: func(ctx context.Context) (*Trial, error) {
		clock := &stopped{at: opensAt}
		h, err := NewHospital(Config{Now: clock.now})
		if err != nil {
			return nil, err
		}
		system, closer, err := connect(h)
		if err != nil {
			return nil, err
		}
		line := NewLine(system)
		trial := &Trial{
			System: line.System(), beneath: system, Now: clock.now, Close: closer, Advance: clock.advance,
			Patient: "P000005", Second: "P000001", Admission: "ZY000001", HoldFor: DefaultHoldFor,
			LoseAnswer:  func(op Op) { line.LoseAnswers(op, 1) },
			LoseRequest: func(op Op) { line.LoseRequests(op, 1) },
		}
		trial.staff(h)
		return trial, trial.knowFrom(ctx, h)
	}}
}

// knowFrom fills in what the trial compares the adapter with: the truth.
func (t *Trial) knowFrom(ctx context.Context, h *Hospital) error {
	tomorrow := hospital.DateOf(t.Now()).AddDays(1)
	schedules, err := h.Schedules(ctx, his.ScheduleQuery{From: tomorrow, To: tomorrow})
	if err != nil {
		return err
	}
	for _, s := range schedules {
		if s.Expert && t.Schedule == "" {
			slots, err := h.Slots(ctx, s.ID)
			if err != nil {
				return err
			}
			t.Schedule, t.Slot, t.Fee = s.ID, slots[0].ID, s.Fees.Total()
		}
	}
	t.Departments = departments()
	for _, p := range people(hospital.DateOf(opensAt)) {
		if p.ID <= "P000006" || p.Guardian != nil {
			t.Patients = append(t.Patients, p)
		}
	}
	return nil
}

// staff lets the people in the hospital do what the suite asks for.
func (t *Trial) staff(h *Hospital) {
	t.See = h.See
	t.SellAtWindow = func(slot hospital.SlotID) error {
		_, err := h.Window().Sell(slot, "P000010")
		return err
	}
	t.Suspend = func(schedule hospital.ScheduleID) error {
		_, err := h.Suspend(schedule, "医生外出会诊", "")
		return err
	}
	t.AddBill = func(patient hospital.PatientID, amount hospital.Fen) (his.BillID, error) {
		b, err := h.AddBill(NewBill{Patient: patient, Items: []his.BillItem{{Code: "Z1", Name: "炙甘草", Unit: "g", Quantity: "10.5", Amount: amount}}})
		return b.ID, err
	}
	t.ChangeBill = func(id his.BillID) error {
		_, err := h.ChangeBill(id, []his.BillItem{{Code: "Z2", Name: "当归", Unit: "g", Quantity: "9", Amount: 1215}})
		return err
	}
}
