package booking_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
)

func replaced(t *testing.T, text, from, to string) string {
	t.Helper()
	require.Contains(t, text, from)
	return strings.Replace(text, from, to, 1)
}

// A policy that parses can be asked anything without panic or delay, and says
// why it refuses.
func FuzzParsePolicy(f *testing.F) {
	for _, name := range booking.Presets() {
		body, err := booking.Preset(name)
		require.NoError(f, err)
		f.Add(body)
	}
	f.Add([]byte("name: x\nadvance: {expert: {days: 1, release: \"24:00\"}}"))
	day := hospital.DateOf(morning)
	f.Fuzz(func(t *testing.T, body []byte) {
		policy, err := booking.ParsePolicy(body)
		if err != nil {
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
			return
		}
		version, err := booking.NewPolicyVersion(body, "fuzz", morning)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(version.Version, policy.Name+"@"))
		for ahead := -1; ahead <= 8; ahead++ {
			visit := day.AddDays(ahead)
			wish := booking.Wish{
				Schedule: hospital.Schedule{ID: "S", Date: visit, Session: hospital.Morning, Expert: ahead%2 == 0},
				Slot:     hospital.Slot{ID: "S-1", Schedule: "S", Start: visit.At(8, 0), End: visit.At(8, 30)},
			}
			history := booking.History{Strikes: []booking.Strike{{Date: day.AddDays(-1), At: morning.Add(-time.Hour)}}}
			if err := policy.Allow(wish, morning, true, history); err != nil {
				require.NotEmpty(t, hospital.MessageFor(err))
			}
			if err := policy.AllowCancel(booking.Appointment{Date: visit}, morning); err != nil {
				require.ErrorIs(t, err, booking.ErrTooLate)
			}
		}
	})
}
