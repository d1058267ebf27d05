package histest

import (
	"context"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// CheckIn marks the patient arrived (取号); again changes nothing. Invalid: a
// malformed key. NotFound: the key is unknown. Rejected: not_today,
// not_registered.
func (h *Hospital) CheckIn(ctx context.Context, key hospital.Key) (answer hospital.Registration, err error) {
	err = h.do(ctx, "histest.CheckIn", func(t turn) error {
		if !key.Valid() {
			return t.refuse(hospital.Invalid, "bad_key", "")
		}
		r, ok := t.state.registrations[t.state.byKey[key]]
		if !ok {
			return t.refuse(hospital.NotFound, "unknown_key", "")
		}
		r, err := t.arrive(r)
		if err == nil {
			answer = r.answer()
		}
		return err
	})
	return answer, err
}

// arrive checks a patient in.
func (t turn) arrive(r *registration) (*registration, error) {
	c, ok := t.clinic(r.Schedule)
	switch {
	case r.State == hospital.RegistrationArrived || r.State == hospital.RegistrationFulfilled:
		return r, nil
	case r.State != hospital.RegistrationRegistered:
		return nil, t.refuse(hospital.Rejected, "not_registered", string(r.State))
	case !ok || c.Date != t.today():
		return nil, t.refuse(hospital.Rejected, "not_today", "")
	}
	here := *r
	here.State = hospital.RegistrationArrived
	return &here, t.record(effect{Kind: arrived, Key: r.Key, Registrations: []*registration{&here}})
}

// Places returns where the patient stands in today's queues, one entry a
// registration that has arrived and was not seen. Invalid: an empty patient.
func (h *Hospital) Places(ctx context.Context, patient hospital.PatientID) (places []his.QueuePlace, err error) {
	err = h.do(ctx, "histest.Places", func(t turn) error {
		if patient == "" {
			return t.refuse(hospital.Invalid, "patient_required", "")
		}
		for _, no := range t.state.byPatient[patient] {
			r := t.state.registrations[no]
			c, ok := t.clinic(r.Schedule)
			if !ok || c.Date != t.today() || r.State != hospital.RegistrationArrived {
				continue
			}
			place := his.QueuePlace{HISNo: r.HISNo, Patient: r.Patient, QueueNo: r.QueueNo, Room: c.Room}
			for _, other := range t.state.bySchedule[c.ID] {
				o := t.state.registrations[other]
				if o.State == hospital.RegistrationArrived && o.QueueNo < r.QueueNo {
					place.Ahead++
				}
				if o.State == hospital.RegistrationFulfilled {
					place.Calling = max(place.Calling, o.QueueNo)
				}
			}
			places = append(places, place)
		}
		return nil
	})
	return places, err
}
