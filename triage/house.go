package triage

import (
	"slices"
	"strings"

	"github.com/wxhospital/hospital"
)

// The bounds of the age until which somebody is a child: houses differ between
// 14 and 18 years.
const (
	defaultChildMonths = 14 * 12
	maxChildMonths     = 18 * 12
)

// loadHospital reads hospital.json of the overlay: which departments this
// hospital has, under which ids and names, and until when one is a child.
func (s *Set) loadHospital(l *layers, house []hospital.Department) {
	l.top(kindHospital, "child_years", "departments", "complete")
	s.childMonths = defaultChildMonths
	has := make([]bool, len(s.departments))
	complete := len(house) > 0
	for _, d := range house {
		if at := s.named(d.Name); at >= 0 && !has[at] {
			has[at] = true
			s.departments[at].Local, s.departments[at].Name, s.departments[at].Campus = string(d.ID), d.Name, string(d.Campus)
		}
	}
	for i := range l.documents[kindHospital] {
		d := &l.documents[kindHospital][i]
		r := &reader{d.file, &l.problems}
		if n := child(&d.root, "child_years"); n != nil {
			s.childMonths = r.number(n, 12, maxChildMonths/12) * 12
		}
		if n := child(&d.root, "complete"); n != nil {
			complete = r.flag(n) || len(house) > 0
		}
	}
	for _, e := range l.entries(kindHospital, "departments", "id") {
		f := e.r.fields(e.node, "id", "local", "name", "campus", "absent", "instead")
		at := s.department(e.name)
		if at < 0 {
			e.r.problem(e.node, "unknown standard department %q", e.name)
			continue
		}
		d := &s.departments[at]
		if f["local"] != nil {
			d.Local, d.Campus = e.r.text(f["local"]), ""
		}
		if f["campus"] != nil {
			d.Campus = e.r.text(f["campus"])
		}
		if name := e.r.text(f["name"]); name != "" {
			d.Name = name
		}
		if f["instead"] != nil {
			d.Fallback = e.r.text(f["instead"])
			if s.department(d.Fallback) < 0 {
				e.r.problem(f["instead"], "department %s: unknown department %q", e.name, d.Fallback)
			}
		}
		has[at] = !e.r.flag(f["absent"]) && (len(house) == 0 || slices.ContainsFunc(house, func(h hospital.Department) bool { return string(h.ID) == d.Local }))
		if !has[at] {
			s.landing[at] = -1
		}
	}
	if complete {
		for i := range has {
			if !has[i] {
				s.landing[i] = -1
			}
		}
	}
	s.land(l)
}

// named is the standard department that a hospital's own name means, by its
// name, its name without the brackets, or an alias; -1 for none.
func (s *Set) named(name string) int {
	return slices.IndexFunc(s.departments, func(d Department) bool {
		short, _, _ := strings.Cut(d.Name, "(")
		return d.Local == "" && (d.Name == name || short == name || slices.Contains(d.Aliases, name))
	})
}

// land sends the patients of each absent department to its fallback, over
// several steps if need be, and in the end to general medicine. Where there is
// none either the hospital is the wrong one, and the advice says so: no
// department is better than one that cannot help.
func (s *Set) land(l *layers) {
	there := make([]bool, len(s.landing))
	last := -1
	for i, to := range s.landing {
		there[i] = to == i
		if there[i] && s.departments[i].ID == "GIM" {
			last = i
		}
	}
	if !slices.Contains(there, true) {
		l.problems = append(l.problems, Problem{overlayPrefix + "hospital.json", 0, "no department is left"})
		return
	}
	for i := range s.landing {
		at := i
		for steps := 0; at >= 0 && !there[at] && steps < len(s.landing); steps++ {
			at = s.department(s.departments[at].Fallback)
		}
		if at < 0 || !there[at] {
			at = last
		}
		s.landing[i] = at
	}
}
