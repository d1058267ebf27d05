package refserver

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/refserver/internal/staff"
)

// scopeLife is how long a scope serves: one request, with room.
const scopeLife = time.Minute

// grants asks the bindings whether a user may act for a patient and the messenger
// tell somebody, and the staff's accounts whether one of them may.
type grants struct {
	bookings *bookingsql.Store
	staff    *staff.Store
	now      func() time.Time
}

// Granted implements hospital.Grants.
func (g grants) Granted(ctx context.Context, actor hospital.Actor, patient hospital.PatientID) (time.Time, error) {
	switch actor.Kind {
	case hospital.ActorStaff:
		return g.staff.Granted(ctx, actor, g.now())
	case hospital.ActorUser:
		bound, err := g.bookings.Bound(ctx, hospital.UserID(actor.ID))
		if err != nil {
			return time.Time{}, err
		}
		for _, b := range bound {
			if b.Patient == patient {
				return g.now().Add(scopeLife), nil
			}
		}
	case hospital.ActorSystem: // the messenger reads of whom somebody holds, to tell the holder
		if actor != hospital.System(messengerID) {
			break
		}
		if _, err := g.bookings.Holder(ctx, patient); err != nil {
			return time.Time{}, err
		}
		return g.now().Add(scopeLife), nil
	case hospital.ActorApp:
	}
	return time.Time{}, &hospital.Error{Kind: hospital.NotFound, Op: "refserver.Granted", Code: "no_grant"}
}

// Record implements hospital.Grants.
func (g grants) Record(ctx context.Context, entry hospital.AuditEntry) error {
	return g.bookings.Record(ctx, entry)
}

// newGate makes the server's one gate.
func newGate(bookings *bookingsql.Store, colleagues *staff.Store, now func() time.Time) *hospital.Gate {
	return hospital.NewGate(grants{bookings, colleagues, now}, now)
}
