package histest

import (
	"context"
	"net/http"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/simverb"
)

// Control is the hospital's side for a demo page or a test in another process:
// what its people do, and what is wrong with its wire. It answers this machine
// only, under /_sim/:
//
//	POST /_sim/sell?slot=ID&patient=ID[&at=window|kiosk]   answers the registration
//	POST /_sim/arrive?his_no=NO     checked in at the desk
//	POST /_sim/see?his_no=NO        the doctor saw the patient
//	POST /_sim/suspend?schedule=ID[&reason=…]              停诊
//	POST /_sim/release?schedule=ID&n=2                     n more numbers a half hour (放号)
//	POST /_sim/forget?last=15m      restored from a backup that is so old
//	POST /_sim/fail?fault=FAULT[&op=Confirm][&times=N][&delay=2s]
//	POST /_sim/heal                 no faults any more
//	GET  /_sim/books                the settlement rows
//	GET  /_sim/registrations        every registration, of every entry
//
// The names of faults are those of [ServiceFault.String]; without op, a fault
// meets every call.
func Control(h *Hospital, faults *Faults) http.Handler {
	return simverb.Verbs{
		"POST sell": func(_ context.Context, o *simverb.Order) (any, error) {
			slot, patient, at := hospital.SlotID(o.Want("slot")), hospital.PatientID(o.Want("patient")), o.Text("at")
			if err := o.Err(); err != nil {
				return nil, err
			}
			switch at {
			case "", "window":
				return h.Window().Sell(slot, patient)
			case "kiosk":
				return h.Kiosk().Sell(slot, patient)
			}
			return nil, badControl("at: want window or kiosk")
		},
		"POST arrive": func(_ context.Context, o *simverb.Order) (any, error) { return nil, with(o, "his_no", h.Arrive) },
		"POST see":    func(_ context.Context, o *simverb.Order) (any, error) { return nil, with(o, "his_no", h.See) },
		"POST suspend": func(_ context.Context, o *simverb.Order) (any, error) {
			schedule, reason := hospital.ScheduleID(o.Want("schedule")), o.Text("reason")
			if err := o.Err(); err != nil {
				return nil, err
			}
			return h.Suspend(schedule, reason, "")
		},
		"POST release": func(_ context.Context, o *simverb.Order) (any, error) {
			schedule, n := hospital.ScheduleID(o.Want("schedule")), int(o.Number("n"))
			if err := o.Err(); err != nil {
				return nil, err
			}
			return h.Release(schedule, n)
		},
		"POST forget": func(_ context.Context, o *simverb.Order) (any, error) {
			last := o.Duration("last")
			if err := o.Err(); err != nil {
				return nil, err
			}
			return nil, h.Forget(last)
		},
		"POST fail": func(_ context.Context, o *simverb.Order) (any, error) { return nil, fail(o, faults) },
		"POST heal": func(_ context.Context, o *simverb.Order) (any, error) {
			if err := o.Err(); err != nil {
				return nil, err
			}
			faults.ClearAll()
			return nil, nil
		},
		"GET books":         func(_ context.Context, o *simverb.Order) (any, error) { return h.Ledger(), o.Err() },
		"GET registrations": func(_ context.Context, o *simverb.Order) (any, error) { return h.Everyone(), o.Err() },
	}
}

func badControl(detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "histest.Control", Code: "bad_order", Detail: detail}
}

// with does something about one named thing.
func with(o *simverb.Order, name string, do func(string) error) error {
	text := o.Want(name)
	if err := o.Err(); err != nil {
		return err
	}
	return do(text)
}

// fail sets a switch of the wire.
func fail(o *simverb.Order, faults *Faults) error {
	op, name := Op(o.Text("op")), o.Want("fault")
	acting := Switch{Times: int(o.Number("times")), Delay: o.Duration("delay")}
	if err := o.Err(); err != nil {
		return err
	}
	if _, known := operations()[op]; op != Any && !known {
		return badControl("op: no such operation")
	}
	for acting.Fault = Dead; acting.Fault <= Slow; acting.Fault++ {
		if acting.Fault.String() == name {
			if acting.Times < 0 {
				return badControl("times: negative")
			}
			faults.Set(op, acting)
			return nil
		}
	}
	return badControl("fault: none of that name")
}
