package triage

import (
	"slices"
	"strings"
)

// The measure of certainty: an answer is sure if its leader has this share in
// percent or at least this lead over the second.
const (
	sureShare   = 60
	sureLead    = 30
	maxReasons  = 8 // per department
	minEvidence = 3 * unitsPerPoint
)

// Advice is the answer to a complaint. Show Emergencies first, then Checks,
// and only then Departments. It is a recommendation of a department, never a
// diagnosis.
type Advice struct {
	Set         string      // version and hash of the knowledge it rests on
	Emergencies []Emergency // the most urgent first; empty on most complaints
	Checks      []Check     // alarms lowered to a question: "现在还有吗?"
	Departments []Choice    // the best first
	Sure        bool        // false: say plainly that it is not sure
	Nothing     bool        // nothing in the complaint was understood: Departments only follows from who is ill, so do not show it
	Question    *Question   // at most one follow-up question, nil if none would help
	Notes       []string    // for the patient: contradictions between what was picked and written
	Understood  []Finding   // what was read from the words
}

// Level returns the highest level of the advice.
func (a *Advice) Level() Level {
	if len(a.Emergencies) == 0 {
		return NoEmergency
	}
	return a.Emergencies[0].Level
}

// Emergency (急症) is a red flag that was met. A patient is told of Notice, never
// of Name: that is a suspicion for staff, and a complaint is no diagnosis.
type Emergency struct {
	ID      string
	Name    string // as staff call it: 疑似心肌梗死
	Notice  string // the signs in everyday words: 胸口压着痛，同时出冷汗; "" if the set has none
	Level   Level
	Advice  string
	Action  string
	Hotline string   // "12356" where it fits
	Gentle  bool     // speak softly: somebody may be thinking of suicide
	Phrases []string // what in the complaint raised it
	Sources []string
}

// Check is an alarm that was told as history, denied in part or asked as a
// question of knowledge. Yes to it means [Emergency].
type Check struct {
	ID     string
	Ask    string
	IfYes  Emergency
	Phrase string
}

// Choice is one recommended department.
type Choice struct {
	Department Department // as this hospital has it
	Standard   string     // the standard department it stands for
	For        string     // the name of that one when another department takes over, otherwise ""
	Absent     bool       // the hospital has neither Department nor one that takes over: send the patient elsewhere
	Share      int        // percent of what all departments have
	Reasons    []Reason
}

// Reason is one piece of evidence for a department.
type Reason struct {
	Phrase  string // what was said: 膝盖疼
	Symptom string // what that is to the knowledge: 膝痛
	Rule    string // where the weight stands: 词库, 人体图·膝部, 人群, or a rule's id
	Points  int    // tenths of a natural logarithm, as the files have them
}

// Finding is one thing that was understood.
type Finding struct {
	Phrase  string
	Symptom string
	Denied  bool
}

// Advise answers one complaint. The same complaint has the same answer under
// the same set. An oversized or impossible complaint is Invalid and names the
// field; no word of the patient stands in the error.
func (s *Set) Advise(c Complaint) (*Advice, error) {
	if err := c.check(s); err != nil {
		return nil, err
	}
	r := s.read(s.normal.runes(c.text(s)))
	v := s.judge(&c, r)
	a := &Advice{Set: s.String(), Notes: v.person.notes}
	a.alarm(r.alarm(v.person))
	order := v.rank()
	a.Departments = v.choices(order)
	a.Nothing = !v.evident()
	a.Sure = !a.Nothing && (v.first >= 0 || order[0].share >= sureShare || order[0].share-order[1].share >= sureLead)
	if !a.Sure && !a.Nothing {
		a.Question = v.ask(order, c.Answers)
	}
	for _, m := range r.mentions {
		a.Understood = append(a.Understood, Finding{r.phrase(m.start, m.end), s.symptoms[m.symptom].name, m.denied})
	}
	return a, nil
}

// evident reports whether anything spoke for any department.
func (v *verdict) evident() bool {
	for i, sum := range v.sums {
		if sum-v.set.base[i]*unitsPerPoint >= minEvidence {
			return true
		}
	}
	return v.first >= 0
}

// alarm sorts the raised flags: the ambulance first, then the order of the file.
func (a *Advice) alarm(all []raised) {
	for _, level := range []Level{Call120, EmergencyDepartment} {
		for _, x := range all {
			if x.flag.level != level {
				continue
			}
			f := x.flag
			e := f.emergency(x.phrases)
			if x.lowered {
				a.Checks = append(a.Checks, Check{f.id, f.ask, e, strings.Join(x.phrases, "、")})
			} else {
				a.Emergencies = append(a.Emergencies, e)
			}
		}
	}
}

// choices maps the ranking to the departments the hospital has and keeps those
// with a share, three at least.
func (v *verdict) choices(order []ranked) []Choice {
	const least, most = 3, 5
	var out []Choice
	for _, x := range order {
		if len(out) >= most || len(out) >= least && x.share < 1 {
			break
		}
		meant, at := v.set.departments[x.department], v.set.landing[x.department]
		choice := Choice{Department: meant, Standard: meant.ID, Absent: at < 0, Share: x.share}
		if at >= 0 && at != x.department {
			choice.Department, choice.For = v.set.departments[at], meant.Name
		}
		if i := slices.IndexFunc(out, func(c Choice) bool { return c.Department.ID == choice.Department.ID }); i >= 0 {
			out[i].Share += x.share
			continue
		}
		choice.Reasons = v.because(x.department)
		out = append(out, choice)
	}
	return out
}

// because lists what spoke for a department, the strongest first.
func (v *verdict) because(department int) []Reason {
	var out []Reason
	for _, r := range v.reasons {
		for _, w := range r.weights {
			if w.department == department && w.points > 0 {
				out = append(out, Reason{r.phrase, r.symptom, r.rule, w.points * max(r.units, unitsPerPoint) / unitsPerPoint})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Reason) int { return b.Points - a.Points })
	return out[:min(len(out), maxReasons)]
}
