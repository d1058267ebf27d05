package wechattest

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// legacyLength is what is left of the value of a field whose key does not say
// its kind (keyword1), in characters.
const legacyLength = 20

// valueKind is what a field of a template may hold.
type valueKind struct {
	longest int               // characters
	form    *regexp.Regexp    // nil: any
	also    func(string) bool // nil: nothing further
}

// takes reports whether the phone could show the value.
func (k valueKind) takes(value string) bool {
	return utf8.RuneCountInString(value) <= k.longest && !strings.ContainsFunc(value, unprintable) &&
		(k.form == nil || k.form.MatchString(value)) && (k.also == nil || k.also(value))
}

func unprintable(r rune) bool { return unicode.IsControl(r) && r != '\n' }

const (
	clockForm = `([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?`
	dayForm   = `\d{4}(年(0?[1-9]|1[0-2])月(0?[1-9]|[12]\d|3[01])日|([-/.])(0?[1-9]|1[0-2])[-/.](0?[1-9]|[12]\d|3[01]))`
)

var (
	numberForm = regexp.MustCompile(`^-?\d+(\.\d+)?$`)
	letterForm = regexp.MustCompile(`^[A-Za-z]+$`)
	asciiForm  = regexp.MustCompile(`^[\x20-\x7e]+$`)
	timeForm   = regexp.MustCompile(`^(` + dayForm + ` ?)?` + clockForm + `(~(` + dayForm + ` ?)?` + clockForm + `)?$`)
	dateForm   = regexp.MustCompile(`^` + dayForm + `( ?` + clockForm + `)?(~` + dayForm + `( ?` + clockForm + `)?)?$`)
	amountForm = regexp.MustCompile(`^(\p{Sc}|[A-Z]{0,3})\d{1,10}(\.\d{1,2})?元?$`)
	phoneForm  = regexp.MustCompile(`^[\d+\-() ]+$`)
	carForm    = regexp.MustCompile(`^\p{Han}?[A-Z0-9]{6,7}\p{Han}?$`)
	hanForm    = regexp.MustCompile(`^\p{Han}+$`)
	nameForm   = regexp.MustCompile(`^([\p{Han}·]{1,10}|[A-Za-z .·]{1,20})$`)
	symbolForm = regexp.MustCompile(`^[^\p{L}\p{N}]+$`)
	keyForm    = regexp.MustCompile(`^([a-z_]+?)\d+$`)
)

// fieldKind returns what a key such as thing1 may hold; legacy is a key of the
// time before 2023, which is not checked but cut.
// Source: 订阅消息参数值内容限制说明 and 类目模板 of the platform's documentation.
func fieldKind(key string) (kind valueKind, legacy bool) {
	found := keyForm.FindStringSubmatch(key)
	if found == nil {
		return valueKind{}, true
	}
	switch found[1] {
	case "thing":
		return valueKind{longest: 20}, false
	case "short_thing":
		return valueKind{longest: 10}, false
	case "const":
		return valueKind{longest: 20}, false
	case "number":
		return valueKind{longest: 32, form: numberForm}, false
	case "letter":
		return valueKind{longest: 32, form: letterForm}, false
	case "symbol":
		return valueKind{longest: 5, form: symbolForm}, false
	case "character_string":
		return valueKind{longest: 32, form: asciiForm}, false
	case "time":
		return valueKind{longest: 60, form: timeForm, also: realTime}, false
	case "date":
		return valueKind{longest: 60, form: dateForm, also: realTime}, false
	case "amount":
		return valueKind{longest: 16, form: amountForm}, false
	case "phone_number":
		return valueKind{longest: 17, form: phoneForm}, false
	case "car_number":
		return valueKind{longest: 8, form: carForm}, false
	case "name":
		return valueKind{longest: 20, form: nameForm}, false
	case "phrase":
		return valueKind{longest: 5, form: hanForm}, false
	}
	return valueKind{}, true
}

// realTime refuses a day such as 31 June, and one day mixed of two notations.
func realTime(value string) bool {
	for part := range strings.SplitSeq(value, "~") {
		day := dayOf(part)
		if day != "" && !isDay(day) {
			return false
		}
	}
	return true
}
