package triage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wxhospital/hospital"
)

// The bounds of one complaint. Nobody ticks more than this by hand.
const (
	maxTextBytes = 16 << 10
	maxPicked    = 20
	maxPickBytes = 120
)

// Complaint (主诉) is what the patient tells, by ticking or in words or both.
// The zero value of a field means that it was not asked.
type Complaint struct {
	Text  string // free text, at most 16 KiB; the first 2,000 characters are read
	Sex   Sex
	Age   Age
	Child bool // the patient picked the child's figure
	Adult bool // the patient picked the adult's figure; neither means that it was not asked

	Parts    []string // ids or names of body parts: "KNEE", 膝部
	Symptoms []string // names or sayings; ticked at any of the parts

	Days              int      // since it began; 0 unknown
	Severity          int      // 1 mild, 2 moderate, 3 severe
	Pregnant          bool     // said in answer to a question
	PregnantWeeks     int      // 1–45
	TemperatureTenths int      // 385 is 38.5 °C
	Systolic          int      // mmHg
	Diastolic         int      // mmHg
	Chronic           []string // chronic diseases named: 糖尿病
	Answers           []Answer // to follow-up questions
}

// Answer is the option chosen for a question of [Advice.Question].
type Answer struct {
	Question string // the question's id
	Option   int    // from 0
}

// check refuses what no page of ours sends.
func (c *Complaint) check(s *Set) error {
	bad := func(field, format string, args ...any) error {
		return &hospital.Error{
			Kind: hospital.Invalid, Op: "triage.Advise", Code: "complaint_" + field,
			Message: "填写的内容有误，请返回修改", Detail: field + ": " + fmt.Sprintf(format, args...),
		}
	}
	switch {
	case c.Child && c.Adult:
		return bad("child", "both child and adult")
	case len(c.Text) > maxTextBytes:
		return bad("text", "longer than %d bytes", maxTextBytes)
	case len(c.Parts) > maxPicked:
		return bad("parts", "more than %d", maxPicked)
	case len(c.Symptoms) > maxPicked:
		return bad("symptoms", "more than %d", maxPicked)
	case len(c.Chronic) > maxPicked:
		return bad("chronic", "more than %d", maxPicked)
	case c.Severity < 0 || c.Severity > 3:
		return bad("severity", "want 1 to 3")
	case c.PregnantWeeks < 0 || c.PregnantWeeks > 45:
		return bad("pregnant_weeks", "want 1 to 45")
	case c.Days < 0 || c.Days > maxAgeYears*daysPerYear:
		return bad("days", "out of range")
	case c.TemperatureTenths != 0 && (c.TemperatureTenths < 300 || c.TemperatureTenths > 450):
		return bad("temperature", "want tenths of a degree, 300 to 450")
	case c.Systolic < 0 || c.Systolic > 350 || c.Diastolic < 0 || c.Diastolic > 250:
		return bad("pressure", "out of range")
	}
	for _, id := range c.Parts {
		if _, ok := s.Part(id); !ok {
			return bad("parts", "an unknown part")
		}
	}
	for _, list := range [][]string{c.Symptoms, c.Chronic} {
		for _, item := range list {
			if item == "" || len(item) > maxPickBytes {
				return bad("symptoms", "an empty or overlong entry")
			}
		}
	}
	for _, a := range c.Answers {
		if q := s.question(a.Question); q == nil || a.Option < 0 || a.Option >= len(q.options) {
			return bad("answers", "an unknown question or option")
		}
	}
	return nil
}

// text joins what was ticked, as a first sentence, with what was written.
func (c *Complaint) text(s *Set) string {
	if len(c.Parts)+len(c.Symptoms) == 0 {
		return c.Text
	}
	var b strings.Builder
	if len(c.Parts) > 1 { // each symptom with the part it was ticked at
		for _, name := range c.Symptoms {
			b.WriteString(s.ticked(c.Parts, name) + "，")
		}
		if len(c.Symptoms) > 0 {
			b.WriteString("。" + c.Text)
			return b.String()
		}
	}
	prefix := ""
	for _, id := range c.Parts {
		part, _ := s.Part(id)
		prefix = part.Name
		if len(c.Symptoms) == 0 {
			b.WriteString(prefix + "，")
		}
	}
	for _, name := range c.Symptoms {
		if !strings.HasPrefix(name, prefix) {
			b.WriteString(prefix)
		}
		b.WriteString(name + "，")
	}
	if c.Text != "" {
		b.WriteString("。" + c.Text)
	}
	return b.String()
}

// ticked is a symptom with the one of the parts that offers it before it.
func (s *Set) ticked(parts []string, name string) string {
	for _, id := range parts {
		part, _ := s.Part(id)
		if !slices.ContainsFunc(part.Symptoms, func(x PartSymptom) bool { return x.Name == name }) {
			continue
		}
		if strings.HasPrefix(name, part.Name) {
			return name
		}
		return part.Name + name
	}
	return name
}
