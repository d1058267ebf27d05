package hospital

import (
	"encoding/json"
	"fmt"
	"time"
)

// CST is China Standard Time, UTC+8 the year round. Every wall clock in this
// module is read in it, never in the host's zone.
var CST = time.FixedZone("CST", 8*60*60) //nolint:gochecknoglobals // a constant in spirit: time.Location has no constant form

// Precision says how much of a [Date] is known.
type Precision int

// The precisions of a date. A patient born in 1950 is not born on 1 January.
const (
	ToDay Precision = iota
	ToMonth
	ToYear
)

// Date is a calendar day in China, or a month or a year where no more is
// known. The zero Date means "unknown". Dates are comparable with ==.
type Date struct {
	year, month, day int
}

// NewDate returns the day. A day that the calendar lacks is Invalid.
func NewDate(year int, month time.Month, day int) (Date, error) {
	t := time.Date(year, month, day, 0, 0, 0, 0, CST)
	if year < 1 || year > 9999 || t.Year() != year || t.Month() != month || t.Day() != day {
		return Date{}, badDate("no such day")
	}
	return Date{year, int(month), day}, nil
}

// DateOf returns the day on which t falls in China.
func DateOf(t time.Time) Date {
	y, m, d := t.In(CST).Date()
	return Date{y, int(m), d}
}

// ParseDate reads "2006-01-02", "2006-01" or "2006", and the compact forms
// "20060102" and "200601" that HIS and HL7 use. Anything else is Invalid.
func ParseDate(s string) (Date, error) {
	for _, layout := range []string{"2006-01-02", "20060102", "2006-01", "200601", "2006"} {
		if len(s) != len(layout) {
			continue
		}
		t, err := time.ParseInLocation(layout, s, CST)
		if err != nil {
			continue
		}
		d := DateOf(t)
		if len(layout) < len("20060102") {
			d.day = 0
		}
		if len(layout) < len("200601") {
			d.month = 0
		}
		if d.year < 1 {
			continue
		}
		return d, nil
	}
	return Date{}, badDate("want YYYY-MM-DD, YYYY-MM or YYYY")
}

func badDate(why string) error {
	return &Error{Kind: Invalid, Op: "hospital.Date", Code: "bad_date", Detail: why}
}

// IsZero reports whether the date is unknown.
func (d Date) IsZero() bool { return d == Date{} }

// Precision says how much of the date is known.
func (d Date) Precision() Precision {
	switch {
	case d.month == 0:
		return ToYear
	case d.day == 0:
		return ToMonth
	}
	return ToDay
}

// Year returns the year, 0 for an unknown date.
func (d Date) Year() int { return d.year }

// Month returns the month, 0 where only the year is known.
func (d Date) Month() time.Month { return time.Month(d.month) }

// Day returns the day of the month, 0 where only the month is known.
func (d Date) Day() int { return d.day }

// At returns the instant at which China's clocks show hour:minute on the day.
// Unknown parts count as the first.
func (d Date) At(hour, minute int) time.Time {
	return time.Date(d.year, time.Month(max(d.month, 1)), max(d.day, 1), hour, minute, 0, 0, CST)
}

// AddDays returns the day n days later, earlier when n is negative.
func (d Date) AddDays(n int) Date {
	return DateOf(d.At(12, 0).AddDate(0, 0, n))
}

// DaysUntil counts the calendar days from d to e: 1 for tomorrow.
func (d Date) DaysUntil(e Date) int {
	return int(e.At(12, 0).Sub(d.At(12, 0)) / (24 * time.Hour))
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.At(12, 0).Weekday() }

// Before reports whether d lies before e; unknown parts count as the first.
func (d Date) Before(e Date) bool { return d.At(0, 0).Before(e.At(0, 0)) }

// String returns the date in ISO 8601 as far as it is known: "2026-11-21",
// "1950-06", "1950", "" when unknown.
func (d Date) String() string {
	switch {
	case d.IsZero():
		return ""
	case d.month == 0:
		return fmt.Sprintf("%04d", d.year)
	case d.day == 0:
		return fmt.Sprintf("%04d-%02d", d.year, d.month)
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.year, d.month, d.day)
}

// MarshalJSON writes the date as its String.
func (d Date) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(d.String())
	if err != nil {
		return nil, fmt.Errorf("hospital.Date: %w", err)
	}
	return data, nil
}

// UnmarshalJSON reads what MarshalJSON wrote; "" is the unknown date.
func (d *Date) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return badDate("want a JSON string")
	}
	if s == "" {
		*d = Date{}
		return nil
	}
	parsed, err := ParseDate(s)
	if err == nil {
		*d = parsed
	}
	return err
}
