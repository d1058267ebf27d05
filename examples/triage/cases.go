package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/wxhospital/hospital/triage"
)

// The bounds of a file of cases.
const (
	maxLineBytes = 1 << 20
	maxCases     = 1_000_000
)

// row is one labeled case.
type row struct {
	ID       string   `json:"id"`
	Text     string   `json:"text"`
	Chief    string   `json:"chief"`
	Sex      string   `json:"sex"`
	Age      *float64 `json:"age"`
	Child    bool     `json:"child"`
	Part     string   `json:"part"`
	Symptoms []string `json:"symptoms"`

	Label    string   `json:"label"`
	Gold     []string `json:"gold"`
	Tier     string   `json:"tier"`
	Source   string   `json:"source"`
	Expect   string   `json:"expect"`
	Category string   `json:"category"`
}

func readCases(name string) (rows []row, err error) {
	f, err := os.Open(name) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := bufio.NewScanner(io.LimitReader(f, 1<<30))
	lines.Buffer(make([]byte, 0, 64<<10), maxLineBytes)
	for at := 1; lines.Scan(); at++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, at, err)
		}
		if len(rows) == maxCases {
			return nil, fmt.Errorf("%s: more than %d cases", name, maxCases)
		}
		rows = append(rows, r)
	}
	return rows, lines.Err()
}

// complaint turns a row into what a patient would have sent. A part that the
// body map does not have is left out, as no page would offer it.
func (r *row) complaint(set *triage.Set, field string) triage.Complaint {
	c := triage.Complaint{Text: r.Text, Sex: triage.SexNamed(r.Sex), Child: r.Child, Symptoms: r.Symptoms}
	if field == "chief" {
		c.Text = r.Chief
	}
	if r.Age != nil {
		c.Age = age(*r.Age)
	}
	if _, ok := set.Part(r.Part); ok {
		c.Parts = []string{r.Part}
	}
	return c
}

// age reads years with a fraction. The cases write 0 for "below one year", so
// that the months of the text decide; no age is told then.
func age(years float64) triage.Age {
	if years <= 0 {
		return triage.Age{}
	}
	return triage.AgeDays(int(years * 365))
}
