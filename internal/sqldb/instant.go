package sqldb

import (
	"time"

	"github.com/wxhospital/hospital"
)

// Millis is how an instant is stored: in Unix milliseconds, the zero time as 0.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Instant is the inverse of Millis, in China's time.
func Instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).In(hospital.CST)
}
