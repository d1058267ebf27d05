package refserver_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// TestAnAppointmentThatEndedOtherwiseIsNotSaidToBeCancelled: the page that asks
// before a cancellation may lie open for days.
func TestAnAppointmentThatEndedOtherwiseIsNotSaidToBeCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p := w.phone("守田")
	p.bind(w.adult(1))
	_, a := p.bookAt(1, 1, "one")
	w.work(a.End.Add(26*time.Hour).Sub(w.clock.Now()), 30*time.Minute)
	a, err := w.bookings.Find(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, booking.NoShow, a.State)
	said := p.post("/appointments/"+a.ID+"/cancel", url.Values{"token": {p.get("/bind").token(t)}})
	require.Equal(t, "/appointments/"+a.ID, said.path)
	require.NotContains(t, said.body, "不算爽约")
	require.NotContains(t, said.body, "原路退回")
}
