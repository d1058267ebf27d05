package triage

import "strings"

// person joins what was picked with what the text says. What was picked wins;
// a contradiction is noted for the patient to see.
func (s *Set) person(c *Complaint, r *reading) *person {
	p := &person{
		sex: c.Sex, age: c.Age, pregnant: c.Pregnant || c.PregnantWeeks > 0, weeks: c.PregnantWeeks, days: c.Days,
		tenths: c.TemperatureTenths, systolic: c.Systolic, diastolic: c.Diastolic, severity: c.Severity, chronic: c.Chronic,
	}
	p.postpartum = r.has(classPostpartum)
	p.readSex(r)
	said := p.readAmounts(r)
	p.readPregnancy(r)
	p.readAge(s, c, r, said)
	return p
}

func (p *person) readSex(r *reading) {
	male, female := r.has(classMale), r.has(classFemale)
	said := AnySex
	switch {
	case male && !female:
		said = Male
	case female && !male:
		said = Female
	}
	switch {
	case p.sex == AnySex:
		p.sex = said
	case said != AnySex && said != p.sex:
		p.notes = append(p.notes, "所选性别与描述不一致，请确认")
	}
}

// readAmounts takes temperature, pressure and duration, and returns the ages
// the text gives.
func (p *person) readAmounts(r *reading) []Age {
	var ages []Age
	for i, q := range r.amounts {
		switch q.unit {
		case unitAge:
			ages = append(ages, ageDays(q.tenths*daysPerYear/10))
		case unitAgeMonths:
			ages = append(ages, AgeMonths(q.tenths/10))
		case unitAgeDays:
			ages = append(ages, AgeDays(q.tenths/10))
		case unitDegrees:
			if q.tenths >= 350 && q.tenths <= 430 {
				p.tenths = max(p.tenths, q.tenths)
			}
		case unitPressure:
			if p.systolic == 0 {
				p.systolic, p.diastolic = q.tenths/10, q.low/10
			}
		case unitPregnancyWeeks:
			p.pregnant, p.weeks = true, max(p.weeks, q.tenths/10)
		case unitPregnancyMonths:
			p.pregnant, p.weeks = true, max(p.weeks, q.tenths*30/70)
		case unitMinutes, unitHours, unitDays, unitWeeks, unitMonths, unitYears:
			if i == 0 || p.days == 0 {
				p.days = max(p.days, q.days())
			}
		case unitNone, unitTimes:
		}
	}
	return ages
}

// days returns a duration in days, at least one.
func (q quantity) days() int {
	scale := map[unit]int{unitDays: 1, unitWeeks: 7, unitMonths: 30, unitYears: daysPerYear}[q.unit]
	return max(1, q.tenths*scale/10)
}

func (p *person) readPregnancy(r *reading) {
	if r.has(classPregnant) && !p.postpartum && p.sex != Male {
		p.pregnant = true
	}
	if p.pregnant && p.sex == AnySex {
		p.sex = Female
	}
}

// readAge decides whether a child is ill. A mother who writes of her pregnancy
// and her 宝宝 means herself.
func (p *person) readAge(s *Set, c *Complaint, r *reading, said []Age) {
	mother := r.has(classMother) || p.pregnant || p.postpartum
	young := r.has(classChild|classNewborn) && !mother && !r.has(classElder)
	if !p.age.known && len(said) > 0 {
		p.age = said[0]
		for _, a := range said {
			if young && a.days < p.age.days {
				p.age = a
			}
		}
	}
	if !p.age.known && young {
		for _, q := range r.amounts { // 宝宝三个月: an age, not a duration
			if q.unit == unitMonths && q.tenths < 240 && (r.near(q.start, classChild) || q.start == 0) {
				p.age = AgeMonths(q.tenths / 10)
				break
			}
		}
	}
	if p.age.known && p.age.Years() == 0 && !c.Age.known && p.age.days == 0 {
		p.age = Age{}
	}
	switch {
	case c.Adult:
		p.adult = true
		if c.Age.known && c.Age.Months() < s.childMonths {
			p.notes = append(p.notes, "所选年龄与成人不一致，请确认")
		}
	case c.Child:
		p.child = true
		if c.Age.known && c.Age.Months() >= s.childMonths {
			p.notes = append(p.notes, "所选年龄与儿童不一致，请确认")
		}
	case !p.age.known, young && p.age.Years() >= 18 && !c.Age.known: // the parent's age
		p.child = young
	default:
		p.child = p.age.Months() < s.childMonths
	}
	if p.child && p.age.known && p.age.Years() >= 18 && !c.Age.known {
		p.age = Age{} // the parent's
	}
	if p.child && (c.Age.known || c.Child) && r.has(classGrown) {
		p.notes = append(p.notes, "所填年龄与描述不一致，请确认")
	}
}

// near reports whether a word of class c ends within three characters before at.
func (r *reading) near(at int, c class) bool {
	for _, tok := range r.tokens {
		if tok.end <= at && at-tok.end <= 3 && r.set.terms[tok.term].class&c != 0 {
			return true
		}
	}
	return false
}

// hasChronic reports whether a chronic disease was named in the answers.
func (p *person) hasChronic(name string) bool {
	for _, one := range p.chronic {
		if strings.Contains(one, name) {
			return true
		}
	}
	return false
}
