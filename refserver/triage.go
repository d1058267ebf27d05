package refserver

import (
	"context"
	"net/http"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

// Triage is 智能导诊: what can be ticked and which departments fit. It
// recommends a department and never names a disease.
type Triage interface {
	// Symptoms lists what a patient can tick for a region of the body map, in
	// groups. NotFound for a region it does not know.
	Symptoms(ctx context.Context, who TriagePerson, part string) ([]SymptomGroup, error)
	// Recommend ranks departments for the ticked symptoms, at most three, or
	// says that it is an emergency.
	Recommend(ctx context.Context, who TriagePerson, symptoms []string) (Recommendation, error)
}

// TriagePerson is for whom the body map was opened.
type TriagePerson struct{ Female, Child bool }

// SymptomGroup is a smaller part of a region.
type SymptomGroup struct {
	Name     string
	Symptoms []Symptom
}

// Symptom is one thing that can be ticked.
type Symptom struct{ ID, Name string }

// Recommendation is what a Triage says.
type Recommendation struct {
	Emergency   bool
	Call120     bool
	Reasons     []string // of the emergency
	Departments []Recommended
}

// Recommended is one department and why.
type Recommended struct {
	Department hospital.DepartmentID
	Name       string
	Reasons    []string
}

const maxSymptoms = 20

func figureOf(r *http.Request) (page.Figure, TriagePerson) {
	q := r.URL.Query()
	f := page.Figure{Sex: page.Male, Age: page.Adult, Side: page.Front}
	if q.Get("sex") == string(page.Female) {
		f.Sex = page.Female
	}
	if q.Get("age") == string(page.Child) {
		f.Age = page.Child
	}
	if q.Get("view") == string(page.Back) {
		f.Side = page.Back
	}
	return f, TriagePerson{Female: f.Sex == page.Female, Child: f.Age == page.Child}
}

func (v *visit) triage() error {
	if v.s.config.Triage == nil {
		return v.redirect(v.s.links.Departments())
	}
	figure, _ := figureOf(v.r)
	return v.render(page.TriageEntry{Figure: figure})
}

func (v *visit) triagePart() error {
	if v.s.config.Triage == nil {
		return v.redirect(v.s.links.Departments())
	}
	figure, who := figureOf(v.r)
	key := v.r.PathValue("part")
	groups, err := v.s.config.Triage.Symptoms(v.r.Context(), who, key)
	if err != nil {
		return err
	}
	view := page.TriagePart{Figure: figure, Part: key, Label: partLabel(figure, key)}
	for _, g := range groups {
		group := page.SymptomGroup{Name: g.Name}
		for _, s := range g.Symptoms {
			group.Symptoms = append(group.Symptoms, page.Symptom{ID: s.ID, Name: s.Name, Part: key})
		}
		view.Groups = append(view.Groups, group)
	}
	return v.render(view)
}

func partLabel(f page.Figure, key string) string {
	for _, p := range append(page.Parts(f.Side), page.General(f)...) {
		if p.Key == key {
			return p.Label
		}
	}
	return "症状"
}

func (v *visit) triageResult() error {
	if v.s.config.Triage == nil {
		return v.redirect(v.s.links.Departments())
	}
	figure, who := figureOf(v.r)
	q := v.r.URL.Query()
	chosen := q["s"]
	if len(chosen) == 0 || len(chosen) > maxSymptoms {
		return v.redirect(v.s.links.Body(figure))
	}
	found, err := v.s.config.Triage.Recommend(v.r.Context(), who, chosen)
	if err != nil {
		return err
	}
	if found.Emergency {
		return v.render(page.TriageEmergency{Figure: figure, Call120: found.Call120, Reasons: found.Reasons})
	}
	view := page.TriageResult{Figure: figure, Part: q.Get("part")}
	for _, d := range found.Departments {
		advice := page.Advice{Department: string(d.Department), Name: d.Name, Reasons: d.Reasons}
		if department, err := v.s.catalog.department(v.r.Context(), d.Department); err == nil {
			advice.Location = department.Location
			advice.Next, advice.Left = v.nextFree(func(s hospital.Schedule) bool { return s.Department == d.Department })
		}
		view.Advice = append(view.Advice, advice)
	}
	return v.render(view)
}

func (v *visit) triageEmergency() error {
	figure, _ := figureOf(v.r)
	return v.render(page.TriageEmergency{Figure: figure, Call120: true, Reasons: []string{"胸痛、呼吸困难、意识不清、大出血"}})
}
