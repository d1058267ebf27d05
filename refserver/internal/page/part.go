package page

import "github.com/wxhospital/hospital/triage"

// Person is for whom the figure stands, in the words of the knowledge.
func (f Figure) Person() (sex triage.Sex, child bool) {
	if f.Sex == Female {
		return triage.Female, f.Age == Child
	}
	return triage.Male, f.Age == Child
}

// View is the side of the figure, in the words of the knowledge.
func (f Figure) View() triage.View {
	if f.Side == Back {
		return triage.BackView
	}
	return triage.FrontView
}

// EntryOf is the body map of a figure. The regions and chips are those of the
// knowledge: figure.json maps both to the parts of the body and nothing else
// does.
func EntryOf(set *triage.Set, f Figure) TriageEntry {
	f = f.orDefault()
	sex, child := f.Person()
	entry := TriageEntry{Figure: f}
	for _, r := range set.Regions(f.View()) {
		if len(set.In(r.Parts, sex, child)) > 0 {
			entry.Regions = append(entry.Regions, Region{r.Key, r.Label})
		}
	}
	for _, c := range set.Chips(sex, child) {
		if len(c.Parts) == 0 {
			entry.Visits = append(entry.Visits, Region{c.Key, c.Label})
		}
		if len(set.In(c.Parts, sex, child)) > 0 {
			entry.Chips = append(entry.Chips, Region{c.Key, c.Label})
		}
	}
	return entry
}
