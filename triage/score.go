package triage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wxhospital/hospital"
)

// maxCases bounds the cases of one hospital: they are run at each check of a
// set, a tenth of a millisecond each.
const maxCases = 2000

// Case is a complaint whose answer a clinician has decided.
type Case struct {
	ID       string   `json:"id"`
	Text     string   `json:"text"`
	Sex      string   `json:"sex"`        // M, F or empty
	Months   int      `json:"age_months"` // 0 unknown
	Child    bool     `json:"child"`
	Parts    []string `json:"parts"`    // ids or names of body parts
	Symptoms []string `json:"symptoms"` // ticked
	Gold     []string `json:"gold"`     // standard departments, of which any is right; empty where only Expect counts
	Expect   Level    `json:"expect"`   // of the alarm; empty where it does not count

	line int // in the file it was read from, 0 for none
}

// wrongCase is the refusal of the case at a line.
func wrongCase(op string, line int, reason string, err error) error {
	problems := Problems{{"cases", line, reason}}
	return &hospital.Error{
		Kind: hospital.Invalid, Op: op, Code: "triage_cases", Message: "用例有误，请按提示修改", Detail: problems.Error(), Err: errors.Join(problems, err),
	}
}

// ReadCases reads one JSON object a line. An Invalid error names the line.
func ReadCases(data []byte) ([]Case, error) {
	bad := func(line int, reason string) error { return wrongCase("triage.ReadCases", line, reason, nil) }
	first := map[string]int{} // line of an id
	var out []Case
	for at, line := range bytes.Split(data, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var c Case
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			return nil, bad(at+1, err.Error())
		}
		_, more := d.Token()
		switch {
		case more != io.EOF:
			return nil, bad(at+1, "text after the object")
		case c.ID == "" || len(c.Gold) == 0 && c.Expect == "":
			return nil, bad(at+1, "id and one of gold and expect are required")
		case c.Expect != "" && c.Expect != NoEmergency && c.Expect != EmergencyDepartment && c.Expect != Call120:
			return nil, bad(at+1, "expect is none of none, emergency_department, call_120")
		case first[c.ID] > 0:
			return nil, bad(at+1, fmt.Sprintf("the id stands in line %d already", first[c.ID]))
		case len(out) == maxCases:
			return nil, bad(at+1, fmt.Sprintf("more than %d cases", maxCases))
		}
		c.line = at + 1
		first[c.ID] = c.line
		out = append(out, c)
	}
	return out, nil
}

// Score is how a set does on decided cases.
type Score struct {
	Cases  int // with a department
	First  int // the right one came first
	Three  int // it was among the first three
	Alarms int // cases with a level
	Level  int // of which the level was right
	Wrong  []Miss
}

// Miss is a case that came out otherwise than decided.
type Miss struct {
	ID, Want, Got string
}

// Score runs the cases. A case that no page could send, with an unknown part
// for instance, or that no answer can meet is Invalid, with its line as [Problems].
func (s *Set) Score(cases []Case) (Score, error) {
	var out Score
	for _, c := range cases {
		complaint := Complaint{Text: c.Text, Sex: SexNamed(c.Sex), Child: c.Child, Parts: c.Parts, Symptoms: c.Symptoms}
		if c.Months > 0 {
			complaint.Age = AgeMonths(c.Months)
		}
		for _, id := range c.Gold {
			if !slices.ContainsFunc(s.departments, func(d Department) bool { return d.ID == id }) {
				return out, wrongCase("triage.Score", c.line, fmt.Sprintf("case %s: unknown department %q", c.ID, id), nil)
			}
		}
		a, err := s.Advise(complaint)
		if err != nil {
			return out, wrongCase("triage.Score", c.line, fmt.Sprintf("case %s: %s", c.ID, whyNot(err)), err)
		}
		if len(c.Gold) > 0 {
			out.Cases++
			right := func(x Choice) bool { return slices.Contains(c.Gold, x.Standard) }
			switch at := slices.IndexFunc(a.Departments, right); {
			case at == 0:
				out.First++
				out.Three++
			case at > 0 && at < 3:
				out.Three++
				fallthrough
			default:
				out.Wrong = append(out.Wrong, Miss{c.ID, fmt.Sprint(c.Gold), a.Departments[0].Standard})
			}
		}
		if c.Expect != "" {
			out.Alarms++
			if a.Level() == c.Expect {
				out.Level++
			} else {
				out.Wrong = append(out.Wrong, Miss{c.ID, string(c.Expect), string(a.Level())})
			}
		}
	}
	return out, nil
}

// whyNot is what was wrong with a complaint.
func whyNot(err error) string {
	if e, ok := errors.AsType[*hospital.Error](err); ok {
		return strings.TrimSpace(e.Code + " " + e.Detail)
	}
	return err.Error()
}
