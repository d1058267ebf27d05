package triage

import "strings"

// unit is what a number in a complaint counts.
type unit byte

const (
	unitNone unit = iota
	unitYears
	unitMonths
	unitWeeks
	unitDays
	unitHours
	unitMinutes
	unitDegrees
	unitPregnancyWeeks
	unitPregnancyMonths
	unitPressure // systolic; the diastolic follows in low
	unitAge      // years of age
	unitAgeMonths
	unitAgeDays
	unitTimes
)

// quantity is a number with its unit, in tenths: 38.5度 is 385 unitDegrees.
type quantity struct {
	unit       unit
	tenths     int
	low        int // the diastolic pressure
	start, end int
}

// numeral reads a number at text[at:], in digits or Chinese numerals, and
// returns it in tenths. 半 is five tenths, 几 is taken as three, 两 is two.
func numeral(text []rune, at int) (tenths, end int) {
	if at < len(text) && text[at] >= '0' && text[at] <= '9' {
		return digits(text, at)
	}
	section, last, seen := 0, 0, false
	i := at
loop:
	for ; i < len(text); i++ {
		r := text[i]
		if d := strings.IndexRune("零一二三四五六七八九", r); d >= 0 {
			last, seen = d/len("零"), true
			continue
		}
		switch r {
		case '两', '俩':
			last, seen = 2, true
		case '几', '数':
			last, seen = 3, true
		case '十':
			if !seen {
				last = 1
			}
			section, last, seen = section+last*10, 0, true
		case '百':
			if !seen {
				break loop
			}
			section, last = section+last*100, 0
		case '半':
			if seen {
				break loop
			}
			return 5, i + 1
		default:
			break loop
		}
		if section > 1000 {
			break loop
		}
	}
	if !seen {
		return 0, at
	}
	return (section + last) * 10, i
}

func digits(text []rune, at int) (tenths, end int) {
	value, i := 0, at
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9' && i-at < 6; i++ {
		value = value*10 + int(text[i]-'0')
	}
	tenths = value * 10
	if i+1 < len(text) && text[i] == '.' && text[i+1] >= '0' && text[i+1] <= '9' {
		tenths += int(text[i+1] - '0')
		for i++; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		}
	}
	return tenths, i
}

// follows reports whether one of words stands at text[at:], and its end.
func follows(text []rune, at int, words ...string) (end int, ok bool) {
	for _, word := range words {
		i := at
		for _, r := range word {
			if i == len(text) || text[i] != r {
				i = -1
				break
			}
			i++
		}
		if i >= 0 {
			return i, true
		}
	}
	return at, false
}

// quantities reads all numbers with a unit.
func quantities(text []rune) []quantity {
	var out []quantity
	for i := 0; i < len(text); {
		tenths, end := numeral(text, i)
		if end == i {
			i++
			continue
		}
		q := measure(text, i, end, tenths)
		if q.unit != unitNone {
			out = append(out, q)
		}
		i = max(q.end, end)
	}
	return out
}

func measure(text []rune, start, end, tenths int) quantity {
	q := quantity{tenths: tenths, start: start, end: end}
	if low, after, ok := pressure(text, end, tenths); ok {
		q.unit, q.low, q.end = unitPressure, low, after
		return q
	}
	if at, ok := follows(text, end, "多", "来", "几"); ok {
		end = at
	}
	at, half := follows(text, end, "个半")
	if half {
		end = at
		q.tenths += 5
	} else if at, ok := follows(text, end, "个"); ok {
		end = at
	}
	for _, u := range []struct {
		unit  unit
		words []string
	}{
		{unitAge, []string{"周岁", "岁"}},
		{unitAgeMonths, []string{"月大", "月龄", "多月大", "月的宝", "月宝", "月婴", "月的孩", "月的婴"}},
		{unitAgeDays, []string{"天大", "日龄", "天的宝", "天宝", "天的新生", "天的婴"}},
		{unitMonths, []string{"多月", "月"}},
		{unitWeeks, []string{"周", "星期", "礼拜"}},
		{unitDays, []string{"天", "日"}},
		{unitHours, []string{"小时", "钟头"}},
		{unitMinutes, []string{"分钟"}},
		{unitYears, []string{"年"}},
		{unitDegrees, []string{"度"}},
		{unitTimes, []string{"次"}},
	} {
		if at, ok := follows(text, end, u.words...); ok {
			q.unit, q.end = u.unit, at
			break
		}
	}
	return q.refine(text, start)
}

// refine decides by what stands before the number.
func (q quantity) refine(text []rune, start int) quantity {
	before := string(text[max(0, start-4):start])
	pregnant := strings.Contains(before, "孕") || strings.Contains(before, "怀了")
	switch {
	case q.unit == unitAge && strings.HasSuffix(string(text[start:q.end]), "岁") && q.end < len(text) && text[q.end] == '半':
		q.tenths += 5
		q.end++
	case pregnant && q.unit == unitWeeks:
		q.unit = unitPregnancyWeeks
	case pregnant && (q.unit == unitMonths || q.unit == unitAgeMonths):
		q.unit = unitPregnancyMonths
	case q.unit == unitDays && strings.HasSuffix(before, "出生"), q.unit == unitDays && strings.HasSuffix(before, "生后"):
		q.unit = unitAgeDays
	case q.unit == unitMonths && strings.HasSuffix(before, "出生"):
		q.unit = unitAgeMonths
	case q.unit == unitNone && q.tenths >= 360 && q.tenths <= 425 && (strings.Contains(before, "烧") || strings.Contains(before, "温") || strings.Contains(before, "热")):
		q.unit = unitDegrees
	}
	return q
}

// pressure reads the second half of 180/110.
func pressure(text []rune, end, tenths int) (low, after int, ok bool) {
	if end >= len(text) || text[end] != '/' || tenths < 600 || tenths > 3000 {
		return 0, end, false
	}
	low, after = digits(text, end+1)
	return low, after, after > end+1 && low >= 300 && low <= 2000
}
