package wechattest

import (
	"regexp"
	"strings"
	"time"
)

var leadingDay = regexp.MustCompile(`^` + dayForm)

// dayOf returns the day a text begins with, "" if it begins with none.
func dayOf(text string) string { return leadingDay.FindString(strings.TrimSpace(text)) }

// isDay reports whether the calendar has the day.
func isDay(text string) bool {
	for _, layout := range []string{"2006年1月2日", "2006-1-2", "2006/1/2", "2006.1.2"} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}
