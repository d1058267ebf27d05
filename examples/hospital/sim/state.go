package sim

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// visit is a registration as the hospital's people see it.
type visit struct {
	HISNo   string `json:"his_no"`
	State   string `json:"state"`
	Patient string `json:"patient"`
	Clinic  string `json:"clinic"`
	QueueNo int    `json:"queue_no"`
	Paid    string `json:"paid"`
	Online  bool   `json:"online"` // made through the phone
	Over    bool   `json:"over"`   // the day of the visit has ended
}

// place is where and when a number is.
type place struct {
	name string
	day  hospital.Date
}

// person is a patient of the simulated hospital, with what binding asks for.
type person struct {
	ID       hospital.PatientID `json:"id"`
	Name     string             `json:"name"`
	IDNumber string             `json:"id_number"`
	Insured  bool               `json:"insured"`
}

// owed is a bill that nobody has paid yet.
type owed struct {
	ID      his.BillID `json:"id"`
	Patient string     `json:"patient"`
	Kind    string     `json:"kind"`
	Amount  string     `json:"amount"`
}

// clinic is a schedule that the page can choose.
type clinic struct {
	ID        hospital.ScheduleID `json:"id"`
	Name      string              `json:"name"`
	Left      int                 `json:"left"`
	Suspended bool                `json:"suspended"`
}

// How much of each the page shows.
const (
	maxVisits = 12
	maxPeople = 6
	maxBills  = 12
)

// state is everything that the page shows and that changes.
func (p *Page) state(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		after = 0
	}
	visits, err := p.visits(r.Context())
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]string{"error": reason(err)})
		return
	}
	people := p.people()
	bills, err := p.bills(r.Context(), people)
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]string{"error": reason(err)})
		return
	}
	now := p.config.Clock.Now().In(hospital.CST)
	days := []string{}
	for n := range clinicDays {
		days = append(days, hospital.DateOf(now).AddDays(n).String())
	}
	answer(w, http.StatusOK, map[string]any{
		"now": now.Format("2006-01-02 15:04"), "days": days, "chat": p.config.Phone.Chat(), "menu": p.config.Phone.Menu(),
		"texts": p.config.World.Texts.Shown(), "people": people, "visits": visits, "bills": bills, "faults": p.faults(),
		"wire": p.config.Wire(after),
	})
}

// visits are the newest registrations of every entry, the newest first.
func (p *Page) visits(ctx context.Context) ([]visit, error) {
	all := p.config.World.Hospital.Everyone()
	all = all[max(0, len(all)-maxVisits):]
	today := hospital.DateOf(p.config.Clock.Now())
	shown := []visit{}
	for _, r := range slices.Backward(all) {
		at, err := p.place(ctx, r)
		if err != nil {
			return nil, err
		}
		shown = append(shown, visit{
			HISNo: r.HISNo, State: string(r.State), Patient: p.name(r.Patient), Clinic: at.name, QueueNo: r.QueueNo, Paid: r.Paid.Yuan(),
			Online: r.Key != "", Over: at.day.Before(today),
		})
	}
	return shown, nil
}

// place looks up where a registration is and remembers it: the page asks every
// second.
func (p *Page) place(ctx context.Context, r hospital.Registration) (place, error) {
	p.mu.Lock()
	known, ok := p.places[r.Slot]
	p.mu.Unlock()
	if ok {
		return known, nil
	}
	far := p.config.World.Hospital
	head, _, _ := strings.Cut(string(r.Schedule), "-")
	day, err := hospital.ParseDate(head)
	if err != nil {
		return place{}, err
	}
	schedules, err := far.Schedules(ctx, his.ScheduleQuery{From: day, To: day})
	if err != nil {
		return place{}, err
	}
	i := slices.IndexFunc(schedules, func(s hospital.Schedule) bool { return s.ID == r.Schedule })
	if i < 0 {
		return place{}, bad("schedule: not on the timetable", "")
	}
	slots, err := far.Slots(ctx, r.Schedule)
	if err != nil {
		return place{}, err
	}
	name, err := p.clinicName(ctx, schedules[i])
	if err != nil {
		return place{}, err
	}
	found := place{name: day.At(0, 0).Format("1月2日 ") + name, day: day}
	for _, slot := range slots {
		if slot.ID == r.Slot {
			found.name = slot.Start.In(hospital.CST).Format("1月2日 15:04 ") + name
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places[r.Slot] = found
	return found, nil
}

// clinicName is a department with its doctor: "针灸科 石怀瑾".
func (p *Page) clinicName(ctx context.Context, s hospital.Schedule) (string, error) {
	far := p.config.World.Hospital
	departments, err := far.Departments(ctx)
	if err != nil {
		return "", err
	}
	name := string(s.Department)
	for _, d := range departments {
		if d.ID == s.Department {
			name = d.Name
		}
	}
	if s.Doctor == "" {
		return name + " 普通门诊", nil
	}
	doctors, err := far.Doctors(ctx, s.Department)
	if err != nil {
		return "", err
	}
	for _, d := range doctors {
		if d.ID == s.Doctor {
			name += " " + d.Name
		}
	}
	return name, nil
}

// name is what the page calls a patient.
func (p *Page) name(id hospital.PatientID) string {
	for _, patient := range p.config.World.Hospital.People() {
		if patient.ID == id {
			return string(patient.Name)
		}
	}
	return string(id)
}

// people are a few adults whom a visitor of the page may bind.
func (p *Page) people() []person {
	adults := []person{}
	for _, patient := range p.config.World.Hospital.People() {
		if patient.Guardian == nil && patient.IDNumber != "" && len(adults) < maxPeople {
			adults = append(adults, person{patient.ID, string(patient.Name), string(patient.IDNumber), patient.Payer != hospital.SelfPay})
		}
	}
	return adults
}

// bills are what those people owe.
func (p *Page) bills(ctx context.Context, people []person) ([]owed, error) {
	all := []owed{}
	for _, who := range people {
		bills, err := p.config.World.Hospital.Bills(ctx, who.ID)
		if err != nil {
			return nil, err
		}
		for _, b := range bills {
			all = append(all, owed{b.ID, who.Name, b.Kind, b.Amount.Yuan()})
		}
	}
	slices.SortFunc(all, func(a, b owed) int { return cmp.Compare(b.ID, a.ID) })
	return all[:min(len(all), maxBills)], nil
}

// clinicDays is how far ahead the page looks, today included.
const clinicDays = 8

// clinics are the schedules of one day.
func (p *Page) clinics(w http.ResponseWriter, r *http.Request) {
	day, err := hospital.ParseDate(r.URL.Query().Get("day"))
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "day：要写成 2026-11-23。"})
		return
	}
	schedules, err := p.config.World.Hospital.Schedules(r.Context(), his.ScheduleQuery{From: day, To: day})
	if err != nil {
		answer(w, http.StatusConflict, map[string]string{"error": reason(err)})
		return
	}
	found := []clinic{}
	for _, s := range schedules {
		name, err := p.clinicName(r.Context(), s)
		if err != nil {
			answer(w, http.StatusConflict, map[string]string{"error": reason(err)})
			return
		}
		half := map[hospital.Session]string{hospital.Morning: "上午", hospital.Afternoon: "下午", hospital.Evening: "夜间"}[s.Session]
		found = append(found, clinic{s.ID, half + " " + name, s.Left, s.Suspended})
	}
	answer(w, http.StatusOK, map[string]any{"clinics": found})
}
