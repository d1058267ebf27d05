package booking

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wxhospital/hospital"
)

// Policy is the set of rules under which a hospital lets patients book. It is
// read from YAML ([ParsePolicy]) and immutable once published.
type Policy struct {
	Name   string `yaml:"name"`   // "wuxi2018"
	Source string `yaml:"source"` // where the rules are written down

	Advance AdvanceRules `yaml:"advance"`
	SameDay SameDayRules `yaml:"same_day"`
	Pay     PayRules     `yaml:"pay"`
	Cancel  CancelRules  `yaml:"cancel"`
	Limits  Limits       `yaml:"limits"`
	NoShow  NoShowRules  `yaml:"no_show"`
	Binding BindingRules `yaml:"binding"`

	Sessions map[hospital.Session]Hours `yaml:"sessions"` // when the clinic works
	Calendar Calendar                   `yaml:"calendar"` // holidays, for rules in working days
}

// AdvanceRules say when an appointment for a later day opens (预约).
type AdvanceRules struct {
	Expert   Window `yaml:"expert"`
	Ordinary Window `yaml:"ordinary"`
	// Closes is the time of day at which booking for tomorrow ends; "24:00"
	// leaves it open until midnight.
	Closes Clock `yaml:"closes"`
}

// Window is how far ahead a number can be booked and when a new day opens.
type Window struct {
	Days    int   `yaml:"days"`    // the last bookable day is today + Days, in calendar days
	Release Clock `yaml:"release"` // when that last day opens (放号)
}

// SameDayRules say when a number of today can be taken (当日挂号).
type SameDayRules struct {
	Open  bool  `yaml:"open"`
	From  Clock `yaml:"from"`
	Until Clock `yaml:"until"`
	// CutoffMinutes before the end of its session a number can no longer be taken.
	CutoffMinutes int `yaml:"cutoff_minutes"`
}

// PayMode says when the fee of a registration is paid.
type PayMode string

// The pay modes.
const (
	PayBeforeConfirm PayMode = "before_confirm" // held until paid, then confirmed
	PayAfterBooking  PayMode = "after_booking"  // confirmed first, may be paid online until the visit
	PayAtDesk        PayMode = "desk"           // the hospital takes it
)

// PayRules choose the mode by kind of visit and by payer.
type PayRules struct {
	Advance     map[hospital.Payer]PayMode `yaml:"advance"`
	SameDay     map[hospital.Payer]PayMode `yaml:"same_day"`
	HoldMinutes int                        `yaml:"hold_minutes"` // how long an unpaid number is held
}

// Mode returns when the payer pays for this kind of visit. A payer the policy
// does not name pays at the desk.
func (r PayRules) Mode(kind hospital.VisitKind, payer hospital.Payer) PayMode {
	modes := r.Advance
	if kind == hospital.SameDay {
		modes = r.SameDay
	}
	if mode, ok := modes[payer]; ok {
		return mode
	}
	return PayAtDesk
}

// CancelRules say until when a patient may give a number back.
type CancelRules struct {
	Advance CancelRule `yaml:"advance"`
	SameDay CancelRule `yaml:"same_day"`
}

// CancelRule is a cut-off: DaysBefore the visit, at Until on that day. With
// BeforeVisit the only cut-off is the visit itself, of which the HIS knows.
type CancelRule struct {
	BeforeVisit bool  `yaml:"before_visit"`
	Never       bool  `yaml:"never"`
	DaysBefore  int   `yaml:"days_before"`
	WorkingDays bool  `yaml:"working_days"` // count working days only
	Until       Clock `yaml:"until"`
}

// Limits bound what one patient may hold at a time; 0 is no limit. They count
// the patient, whoever books.
type Limits struct {
	PerDay           int `yaml:"per_day"`
	PerDepartmentDay int `yaml:"per_department_day"`
	PerDoctorDay     int `yaml:"per_doctor_day"`
}

// Counting says which no-shows count together.
type Counting string

// The ways to count.
const (
	CountEver          Counting = "ever"           // since the last unlock
	CountCalendarYear  Counting = "calendar_year"  // of this year
	CountCalendarMonth Counting = "calendar_month" // of this month
	CountRolling       Counting = "rolling"        // of the last RollingDays days
)

// NoShowRules turn no-shows (爽约) into a lockout.
type NoShowRules struct {
	Counting    Counting     `yaml:"counting"`
	RollingDays int          `yaml:"rolling_days"`
	Steps       []LockStep   `yaml:"steps"` // in rising order of Strikes
	Scope       []LockedKind `yaml:"scope"`
}

// LockedKind is a kind of visit that a lockout covers.
type LockedKind = hospital.VisitKind

// LockStep is one step of the ladder: from so many strikes on, locked for Days
// after the last one, for the rest of its month, or until the hospital unlocks.
type LockStep struct {
	Strikes       int  `yaml:"strikes"`
	Days          int  `yaml:"days"`
	RestOfMonth   bool `yaml:"rest_of_month"`
	UntilUnlocked bool `yaml:"until_unlocked"`
}

// BindingRules bound how patients and users belong together.
type BindingRules struct {
	PatientsPerUser int `yaml:"patients_per_user"`
}

// Hours is a span of a working day.
type Hours struct {
	From  Clock `yaml:"from"`
	Until Clock `yaml:"until"`
}

// Calendar holds the days that break the rhythm of the week.
type Calendar struct {
	Holidays []string `yaml:"holidays"` // not worked: "2026-10-01"
	Workdays []string `yaml:"workdays"` // worked although a weekend (调休)
}

// Clock is a time of day in minutes after midnight in China; "24:00" is the
// end of the day.
type Clock int

// UnmarshalYAML reads "07:00".
func (c *Clock) UnmarshalYAML(node *yaml.Node) error {
	var hour, minute int
	if len(node.Value) != len("07:00") || node.Value[2] != ':' {
		return fmt.Errorf("line %d: want a time of day like 07:00", node.Line)
	}
	if _, err := fmt.Sscanf(node.Value, "%02d:%02d", &hour, &minute); err != nil ||
		hour < 0 || minute < 0 || minute > 59 || hour > 24 || hour == 24 && minute != 0 {
		return fmt.Errorf("line %d: want a time of day like 07:00", node.Line)
	}
	*c = Clock(hour*60 + minute)
	return nil
}

// On returns the instant at which the clock shows this time on the day.
func (c Clock) On(day hospital.Date) time.Time {
	return day.At(0, 0).Add(time.Duration(c) * time.Minute)
}

// String returns the time of day as "07:00".
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// Bounds of a policy file. They are far above any real hospital's rules and
// keep a slip of the pen from becoming a rule.
const (
	maxPolicyBytes   = 64 << 10
	maxWindowDays    = 90
	maxHoldMinutes   = 24 * 60
	maxLimit         = 100
	maxLockDays      = 3660
	maxCalendarDays  = 400
	maxLockSteps     = 10
	maxCutoffMinutes = 12 * 60
)

// ParsePolicy reads a policy file: one YAML document without unknown fields.
// Every failure is Invalid and names the field.
func ParsePolicy(data []byte) (Policy, error) {
	invalid := func(detail string) (Policy, error) {
		return Policy{}, &hospital.Error{Kind: hospital.Invalid, Op: "booking.ParsePolicy", Code: "bad_policy", Detail: detail}
	}
	if len(data) > maxPolicyBytes {
		return invalid(fmt.Sprintf("policy file: more than %d bytes", maxPolicyBytes))
	}
	var p Policy
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&p); err != nil {
		return invalid("policy file: " + err.Error())
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return invalid("policy file: more than one document")
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return invalid("policy file: " + err.Error())
	}
	if err := plain(&document); err != nil {
		return invalid("policy file: " + err.Error())
	}
	if err := p.validate(); err != nil {
		return invalid(err.Error())
	}
	return p, nil
}

// plain refuses what YAML would quietly bend: a number with a fraction, which
// the decoder truncates, and an alias, which repeats what nobody wrote.
func plain(node *yaml.Node) error {
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		return fmt.Errorf("line %d: anchors and aliases are not allowed", node.Line)
	}
	if node.Kind == yaml.ScalarNode && node.Tag == "!!float" {
		return fmt.Errorf("line %d: %s is not a whole number", node.Line, node.Value)
	}
	for _, child := range node.Content {
		if err := plain(child); err != nil {
			return err
		}
	}
	return nil
}

func (p *Policy) validate() error {
	within := func(field string, value, low, high int) error {
		if value < low || value > high {
			return fmt.Errorf("%s: %d is not between %d and %d", field, value, low, high)
		}
		return nil
	}
	checks := []error{
		within("advance.expert.days", p.Advance.Expert.Days, 0, maxWindowDays),
		within("advance.ordinary.days", p.Advance.Ordinary.Days, 0, maxWindowDays),
		within("same_day.cutoff_minutes", p.SameDay.CutoffMinutes, 0, maxCutoffMinutes),
		within("pay.hold_minutes", p.Pay.HoldMinutes, 1, maxHoldMinutes),
		within("limits.per_day", p.Limits.PerDay, 0, maxLimit),
		within("limits.per_department_day", p.Limits.PerDepartmentDay, 0, maxLimit),
		within("limits.per_doctor_day", p.Limits.PerDoctorDay, 0, maxLimit),
		within("binding.patients_per_user", p.Binding.PatientsPerUser, 1, maxLimit),
		within("cancel.advance.days_before", p.Cancel.Advance.DaysBefore, 0, maxWindowDays),
		within("cancel.same_day.days_before", p.Cancel.SameDay.DaysBefore, 0, maxWindowDays),
		within("no_show.steps", len(p.NoShow.Steps), 0, maxLockSteps),
		within("calendar.holidays", len(p.Calendar.Holidays), 0, maxCalendarDays),
		within("calendar.workdays", len(p.Calendar.Workdays), 0, maxCalendarDays),
		p.validateCloses(), p.validateName(), p.validateModes(), p.validateNoShow(), p.validateSessions(), p.validateCalendar(),
	}
	return errors.Join(slices.DeleteFunc(checks, func(err error) bool { return err == nil })...)
}

// validateCloses refuses a missing closing hour: read as midnight it would
// quietly close every booking for tomorrow.
func (p *Policy) validateCloses() error {
	if p.Advance.Closes == 0 && (p.Advance.Expert.Days > 0 || p.Advance.Ordinary.Days > 0) {
		return errors.New(`advance.closes: required; "24:00" leaves it open until midnight`)
	}
	return nil
}

func (p *Policy) validateName() error {
	if p.Name == "" || len(p.Name) > 40 || strings.ContainsFunc(p.Name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}) {
		return errors.New("name: want 1 to 40 characters of a-z, 0-9, _ and -")
	}
	return nil
}

func (p *Policy) validateModes() error {
	for field, modes := range map[string]map[hospital.Payer]PayMode{"pay.advance": p.Pay.Advance, "pay.same_day": p.Pay.SameDay} {
		for payer, mode := range modes {
			if payer != hospital.SelfPay && payer != hospital.Insured {
				return fmt.Errorf("%s: unknown payer %q", field, payer)
			}
			if mode != PayBeforeConfirm && mode != PayAfterBooking && mode != PayAtDesk {
				return fmt.Errorf("%s.%s: unknown mode %q", field, payer, mode)
			}
		}
	}
	return nil
}

func (p *Policy) validateNoShow() error {
	rules := p.NoShow
	switch rules.Counting {
	case CountEver, CountCalendarYear, CountCalendarMonth:
		if rules.RollingDays != 0 {
			return errors.New("no_show.rolling_days: only with counting: rolling")
		}
	case CountRolling:
		if rules.RollingDays < 1 || rules.RollingDays > maxLockDays {
			return fmt.Errorf("no_show.rolling_days: want 1 to %d", maxLockDays)
		}
	default:
		return fmt.Errorf("no_show.counting: unknown %q", rules.Counting)
	}
	previous := 0
	for i, step := range rules.Steps {
		ways := 0
		for _, chosen := range []bool{step.Days > 0, step.RestOfMonth, step.UntilUnlocked} {
			if chosen {
				ways++
			}
		}
		switch {
		case step.Strikes <= previous:
			return fmt.Errorf("no_show.steps[%d].strikes: must rise from step to step", i)
		case ways != 1:
			return fmt.Errorf("no_show.steps[%d]: want exactly one of days, rest_of_month, until_unlocked", i)
		case step.Days > maxLockDays:
			return fmt.Errorf("no_show.steps[%d].days: more than %d", i, maxLockDays)
		}
		previous = step.Strikes
	}
	if len(rules.Steps) > 0 && len(rules.Scope) == 0 {
		return errors.New("no_show.scope: required with steps; a lock on no kind of visit locks nobody")
	}
	for _, kind := range rules.Scope {
		if kind != hospital.Advance && kind != hospital.SameDay {
			return fmt.Errorf("no_show.scope: unknown kind %q", kind)
		}
	}
	return nil
}

func (p *Policy) validateSessions() error {
	for session, hours := range p.Sessions {
		if session != hospital.Morning && session != hospital.Afternoon && session != hospital.Evening {
			return fmt.Errorf("sessions: unknown session %q", session)
		}
		if hours.From >= hours.Until {
			return fmt.Errorf("sessions.%s: from must lie before until", session)
		}
	}
	if p.SameDay.Open && p.SameDay.From >= p.SameDay.Until {
		return errors.New("same_day: from must lie before until")
	}
	return nil
}

func (p *Policy) validateCalendar() error {
	for _, text := range slices.Concat(p.Calendar.Holidays, p.Calendar.Workdays) {
		if day, err := hospital.ParseDate(text); err != nil || day.Precision() != hospital.ToDay {
			return fmt.Errorf("calendar: %q is not a day", text)
		}
	}
	return nil
}

// WorkingDay reports whether the hospital's offices work on the day.
func (c Calendar) WorkingDay(day hospital.Date) bool {
	switch text := day.String(); {
	case slices.Contains(c.Holidays, text):
		return false
	case slices.Contains(c.Workdays, text):
		return true
	}
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
}

// PolicyVersion is a policy as it was published: immutable, named by Version,
// in force from ValidFrom until the next one begins.
type PolicyVersion struct {
	Version   string // "wuxi2018@20261123T070000-3f2a91c0": name, ValidFrom in China, beginning of the hash
	Hash      string // SHA-256 of Body, hex
	Body      []byte // the YAML as it was read
	Source    string // file name or who imported it
	ValidFrom time.Time
}

// NewPolicyVersion checks the file and names it. To return to earlier rules,
// publish their file again with a new ValidFrom. It is Invalid where
// [ParsePolicy] is.
func NewPolicyVersion(body []byte, source string, validFrom time.Time) (PolicyVersion, error) {
	policy, err := ParsePolicy(body)
	if err != nil {
		return PolicyVersion{}, err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	return PolicyVersion{
		Version: policy.Name + "@" + validFrom.In(hospital.CST).Format("20060102T150405") + "-" + hash[:8], Hash: hash, Body: bytes.Clone(body), Source: source, ValidFrom: validFrom,
	}, nil
}

//go:embed presets/*.yaml
var presets embed.FS

// Presets returns the names of the shipped policies.
func Presets() []string {
	entries, err := presets.ReadDir("presets")
	if err != nil {
		panic("booking.Presets: embedded files: " + err.Error())
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), ".yaml")
	}
	return names
}

// Preset returns a shipped policy file; NotFound for a name that [Presets]
// does not list.
func Preset(name string) ([]byte, error) {
	if !slices.Contains(Presets(), name) {
		return nil, &hospital.Error{
			Kind: hospital.NotFound, Op: "booking.Preset", Code: "no_preset",
			Detail: "shipped presets: " + strings.Join(Presets(), ", "),
		}
	}
	body, err := presets.ReadFile("presets/" + name + ".yaml")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "booking.Preset", Err: err}
	}
	return body, nil
}
