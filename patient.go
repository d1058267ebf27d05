package hospital

import (
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"
)

// PatientID is the HIS's own identifier of a patient (HL7 PID-3): opaque, and
// not a card number.
type PatientID string

// CardNo is the number of a 就诊卡. A card can pass to another person, so it
// never stands for the patient.
type CardNo string

// LogValue masks the card number: the last four characters remain.
func (c CardNo) LogValue() slog.Value { return slog.StringValue(c.Masked()) }

// Masked returns the number with all but its last four characters hidden.
func (c CardNo) Masked() string { return mask(string(c), 0, 4) }

// Name is a person's name.
type Name string

// LogValue masks the name.
func (n Name) LogValue() slog.Value { return slog.StringValue(n.Masked()) }

// Masked keeps the first character: 张三丰 becomes 张**.
func (n Name) Masked() string { return mask(string(n), 1, 0) }

// Phone is a phone number.
type Phone string

// LogValue masks the number.
func (p Phone) LogValue() slog.Value { return slog.StringValue(p.Masked()) }

// Masked keeps the first three and last four digits: 138****0001.
func (p Phone) Masked() string { return mask(string(p), 3, 4) }

// IDNumber is 公民身份号码, the 18-character resident identity number.
// Source: GB 11643, ISO 7064 MOD 11-2.
type IDNumber string

// LogValue masks the number.
func (n IDNumber) LogValue() slog.Value { return slog.StringValue(n.Masked()) }

// Masked keeps the first and the last character: the digits between them tell
// home, birthday and sex.
func (n IDNumber) Masked() string { return mask(string(n), 1, 1) }

// ParseIDNumber checks length, digits, birth date and check character and
// returns the number with an upper-case X. It is Invalid otherwise, and the
// error does not repeat the number.
func ParseIDNumber(s string) (IDNumber, error) {
	bad := func(why string) (IDNumber, error) {
		return "", &Error{
			Kind: Invalid, Op: "hospital.ParseIDNumber", Code: "bad_id_number", Detail: "id number: " + why,
			Message: "身份证号有误，请核对后重新输入。",
		}
	}
	s = strings.ToUpper(s)
	if len(s) != 18 || !decimal(s[:17]) || (s[17] != 'X' && !decimal(s[17:])) {
		return bad("want 17 digits and a check character")
	}
	sum := 0
	for i := range 17 {
		sum = (sum + int(s[i]-'0')) * 2 % 11
	}
	if want := "10X98765432"[sum%11]; s[17] != want {
		return bad("check character does not match")
	}
	if _, err := ParseDate(s[6:14]); err != nil {
		return bad("no such birth date")
	}
	return IDNumber(s), nil
}

// BirthDate returns the birth date inside a parsed number.
func (n IDNumber) BirthDate() Date {
	if len(n) != 18 {
		return Date{}
	}
	d, err := ParseDate(string(n[6:14]))
	if err != nil {
		return Date{}
	}
	return d
}

// mask keeps the first head and the last tail runes and stars the rest. A
// value too short to hide anything is starred whole.
func mask(s string, head, tail int) string {
	n := utf8.RuneCountInString(s)
	if n <= head+tail {
		return strings.Repeat("*", n)
	}
	runes := []rune(s)
	return string(runes[:head]) + strings.Repeat("*", n-head-tail) + string(runes[n-tail:])
}

// Sex is the administrative sex. Source: FHIR R4 AdministrativeGender.
type Sex string

// The values of Sex.
const (
	SexUnknown Sex = "unknown"
	Male       Sex = "male"
	Female     Sex = "female"
)

// Payer says who bears the cost: the patient alone (自费) or an insurance
// (医保). It decides which payment is possible.
type Payer string

// The payers.
const (
	SelfPay Payer = "self_pay"
	Insured Payer = "insured"
)

// Patient is 患者, as the HIS knows the person. It masks itself in logs.
type Patient struct {
	ID        PatientID
	Name      Name
	Sex       Sex
	BirthDate Date
	IDNumber  IDNumber
	Phone     Phone
	Cards     []CardNo
	Payer     Payer
	Guardian  *Guardian // 监护人 of a child without an identity card
}

// Guardian is 监护人, the adult who answers for a child.
type Guardian struct {
	Name     Name
	IDNumber IDNumber
	Phone    Phone
}

// LogValue shows the identifier and nothing that names the person.
func (p Patient) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", string(p.ID)), slog.String("name", p.Name.Masked()))
}

// AgeAt returns the patient's full years on the day, -1 when the birth date is
// unknown. Unknown parts of the birth date count as the first.
func (p Patient) AgeAt(day Date) int {
	if p.BirthDate.IsZero() {
		return -1
	}
	years := day.Year() - p.BirthDate.Year()
	birthday := time.Date(day.Year(), max(p.BirthDate.Month(), 1), max(p.BirthDate.Day(), 1), 0, 0, 0, 0, CST)
	if day.At(0, 0).Before(birthday) {
		years--
	}
	return years
}
