package triage

// Sex is what the patient picked or the text says.
type Sex byte

// The sexes a body map knows.
const (
	AnySex Sex = iota
	Male
	Female
)

// String returns "any", "M" or "F", as the files have it.
func (x Sex) String() string { return [...]string{"any", "M", "F"}[x] }

// SexNamed reads "M" or "F" and their usual spellings; anything else is AnySex.
func SexNamed(text string) Sex {
	switch text {
	case "M", "m", "male", "男":
		return Male
	case "F", "f", "female", "女":
		return Female
	}
	return AnySex
}

// Age is how old the patient is; the zero Age is unknown. It is kept in days,
// because the rules for infants turn on weeks.
type Age struct {
	known bool
	days  int
}

// The lengths of ages in days. A month of age is a twelfth of a year.
const (
	daysPerYear = 365
	maxAgeYears = 130
)

// AgeYears returns an age in whole years. Below zero or beyond 130 is unknown.
func AgeYears(years int) Age { return ageDays(years * daysPerYear) }

// AgeMonths returns an age in months.
func AgeMonths(months int) Age { return ageDays((months*daysPerYear + 11) / 12) }

// AgeDays returns an age in days.
func AgeDays(days int) Age { return ageDays(days) }

func ageDays(days int) Age {
	if days < 0 || days > maxAgeYears*daysPerYear {
		return Age{}
	}
	return Age{true, days}
}

// Known reports whether the age is known.
func (a Age) Known() bool { return a.known }

// Months returns the age in months, rounded down; 0 if unknown.
func (a Age) Months() int { return a.days * 12 / daysPerYear }

// Years returns the age in years, rounded down; 0 if unknown.
func (a Age) Years() int { return a.days / daysPerYear }

// Days returns the age in days; 0 if unknown.
func (a Age) Days() int { return a.days }

// trait is a property of the person that is evidence by itself.
type trait int

const (
	traitChild trait = iota
	traitInfant
	traitNewborn
	traitTeen
	traitElder
	traitMale
	traitFemale
	traitPregnant
	traitPostpartum
	traitFever
	traitPressure
	traitAdult
	traitCount
)

func traitNames() []string {
	return []string{
		"child", "infant", "newborn", "teen", "elder", "male", "female", "pregnant", "postpartum", "fever", "pressure", "adult",
	}
}

// traitWords are the traits in the patient's language, for the reasons.
func traitWords() []string {
	return []string{"儿童", "婴儿", "新生儿", "青少年", "老年人", "男性", "女性", "怀孕", "产后", "发热", "血压高", "成年人"}
}

// person is who is ill, as far as it is known.
type person struct {
	sex        Sex
	age        Age
	child      bool
	adult      bool // picked
	pregnant   bool
	postpartum bool
	weeks      int // of pregnancy, 0 unknown
	days       int // since the complaint began, 0 unknown
	tenths     int // temperature in tenths of a degree, 0 unknown
	systolic   int // mmHg, 0 unknown
	diastolic  int
	severity   int // 1–3, 0 unknown
	chronic    []string
	notes      []string
}

// traits returns what is evidence about this person, in a fixed order.
func (p *person) traits(childMonths int) []trait {
	var out []trait
	add := func(is bool, t trait) {
		if is {
			out = append(out, t)
		}
	}
	add(p.child, traitChild)
	add(p.age.known && p.age.Months() < 12, traitInfant)
	add(p.age.known && p.age.days <= 28, traitNewborn)
	add(p.age.known && p.age.Months() >= childMonths && p.age.Years() < 18, traitTeen)
	add(p.age.known && p.age.Years() >= 60, traitElder)
	add(p.sex == Male, traitMale)
	add(p.sex == Female, traitFemale)
	add(p.pregnant, traitPregnant)
	add(p.postpartum, traitPostpartum)
	add(p.tenths >= 373, traitFever)
	add(p.systolic >= 140 || p.diastolic >= 90, traitPressure)
	add(p.age.known && p.age.Years() >= 18 && p.age.Years() < 60 || p.adult && !p.age.known, traitAdult)
	return out
}
