package guide

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/triage"
)

// Consultation is one answer of 智能导诊 as it is kept: what was told and what
// was advised, and nobody's identity.
type Consultation struct {
	Day       hospital.Date `json:"-"`
	Version   string        `json:"-"` // of the published knowledge, "" for none
	Knowledge string        `json:"-"` // name and hash of the set
	Level     triage.Level  `json:"-"`

	Age         string   `json:"age,omitempty"` // a band, see [AgeBand]
	Sex         string   `json:"sex,omitempty"`
	Parts       []string `json:"parts,omitempty"`
	Ticked      []string `json:"ticked,omitempty"`     // ids of symptoms of the body map
	Understood  []string `json:"understood,omitempty"` // names of the lexicon; "-" before what was denied
	Phrases     []string `json:"phrases,omitempty"`    // of the lexicon, as they were written
	Answers     []string `json:"answers,omitempty"`    // question and option
	Flags       []string `json:"flags,omitempty"`      // red flags that were raised
	Checks      []string `json:"checks,omitempty"`     // red flags lowered to a question
	Departments []string `json:"departments,omitempty"`
	Sure        bool     `json:"sure"`
	Nothing     bool     `json:"nothing,omitempty"` // nothing was understood
	Wrote       bool     `json:"wrote,omitempty"`   // in words of one's own
}

// keepDays is how long consultations are kept: two years of seasons.
const keepDays = 730

// AgeBand is an age as it is kept: too wide to find anybody by.
func AgeBand(c triage.Complaint) string {
	switch {
	case !c.Age.Known() && c.Child:
		return "child"
	case !c.Age.Known() && c.Adult:
		return "adult"
	case !c.Age.Known():
		return ""
	}
	for _, band := range []struct {
		below int
		name  string
	}{{1, "0"}, {3, "1-2"}, {7, "3-6"}, {14, "7-13"}, {18, "14-17"}, {40, "18-39"}, {60, "40-59"}, {75, "60-74"}} {
		if c.Age.Years() < band.below {
			return band.name
		}
	}
	return "75-"
}

// Note makes the record of one answer.
func (k Knowledge) Note(day hospital.Date, c triage.Complaint, ticked []string, a *triage.Advice) Consultation {
	out := Consultation{
		Day: day, Version: k.Version, Knowledge: a.Set, Level: a.Level(), Age: AgeBand(c), Parts: c.Parts, Ticked: ticked,
		Sure: a.Sure, Nothing: a.Nothing, Wrote: c.Text != "",
	}
	if c.Sex != triage.AnySex {
		out.Sex = c.Sex.String()
	}
	for _, f := range a.Understood {
		name := f.Symptom
		if f.Denied {
			name = "-" + name
		}
		out.Understood = append(out.Understood, name)
		if called, ok := k.Set.Called(f.Phrase); ok && called == f.Symptom { // a saying of the lexicon, nothing in between
			out.Phrases = append(out.Phrases, f.Phrase)
		}
	}
	for _, x := range c.Answers {
		out.Answers = append(out.Answers, x.Question+"."+strconv.Itoa(x.Option))
	}
	for _, e := range a.Emergencies {
		out.Flags = append(out.Flags, e.ID)
	}
	for _, x := range a.Checks {
		out.Checks = append(out.Checks, x.ID)
	}
	for _, d := range a.Departments {
		out.Departments = append(out.Departments, d.Standard)
	}
	return out
}

// Record keeps a consultation and lets go of what is older than two years. The
// id is the same whenever the same consultation is shown again: then it is one
// row, on the day it began, with the answer that most follow-up questions led to.
func (d *Desk) Record(ctx context.Context, id string, c Consultation) error {
	body, err := json.Marshal(c)
	if err != nil {
		return &hospital.Error{Kind: hospital.Internal, Op: "guide.Record", Err: err}
	}
	leading := ""
	if !c.Nothing && len(c.Departments) > 0 {
		leading = c.Departments[0]
	}
	return d.cfg.DB.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.Exec("DELETE FROM guide_consultations WHERE day < $1", c.Day.AddDays(-keepDays).String()); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO guide_consultations (id, day, version, knowledge, level, advised, body, refined) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET version = excluded.version, knowledge = excluded.knowledge, level = excluded.level,
				advised = excluded.advised, body = excluded.body, refined = excluded.refined
			WHERE guide_consultations.refined <= excluded.refined`,
			id, c.Day.String(), c.Version, c.Knowledge, string(c.Level), leading, string(body), len(c.Answers))
		return err
	})
}

// MaxRows bounds one page of consultations.
const MaxRows = 500

// Consultations lists those of the days, the latest first, at most 500.
func (d *Desk) Consultations(ctx context.Context, from, to hospital.Date) (all []Consultation, err error) {
	err = d.cfg.DB.Read(ctx, func(tx *sqldb.Tx) (err error) {
		all, err = sqldb.Collect(tx, func(rows *sql.Rows) (Consultation, error) {
			var c Consultation
			var day, body string
			if err := rows.Scan(&day, &c.Version, &c.Knowledge, &c.Level, &body); err != nil {
				return c, err
			}
			if err := json.Unmarshal([]byte(body), &c); err != nil {
				return c, err
			}
			c.Day, err = hospital.ParseDate(day)
			return c, err
		}, `SELECT day, version, knowledge, level, body FROM guide_consultations WHERE day BETWEEN $1 AND $2 ORDER BY day DESC, id LIMIT $3`,
			from.String(), to.String(), MaxRows)
		return err
	})
	return all, err
}

// Tally is how often a department led on the days.
type Tally struct {
	Department string // standard id, "" where nothing was understood
	Times      int
	Alarms     int // of these with a red flag
}

// Tallies count the consultations of the days by the department that led, the
// busiest first.
func (d *Desk) Tallies(ctx context.Context, from, to hospital.Date) (all []Tally, err error) {
	err = d.cfg.DB.Read(ctx, func(tx *sqldb.Tx) (err error) {
		all, err = sqldb.Collect(tx, func(rows *sql.Rows) (Tally, error) {
			var t Tally
			err := rows.Scan(&t.Department, &t.Times, &t.Alarms)
			return t, err
		}, `SELECT advised, COUNT(*), SUM(CASE WHEN level = 'none' THEN 0 ELSE 1 END) FROM guide_consultations
			WHERE day BETWEEN $1 AND $2 GROUP BY advised ORDER BY COUNT(*) DESC, advised`, from.String(), to.String())
		return err
	})
	return all, err
}
