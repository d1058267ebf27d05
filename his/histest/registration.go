package histest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// registration is 挂号 as the hospital keeps it, with what it was asked for.
type registration struct {
	hospital.Registration
	Kind    hospital.VisitKind
	Entry   hospital.Entry
	Number  int // asked for; 0 when the hospital chose
	HeldTo  time.Time
	Why     effectKind     // why it is not in force any more
	PaidBy  hospital.Entry // who took the fee
	Channel string
	TradeNo string
}

// Hold marks a number busy for the patient (锁号). Invalid: a malformed key, no
// patient. NotFound: no such slot. Conflict slot_taken: no number is left, this
// number is another's, or the key's hold ran out. Rejected: suspended, over,
// not_today, unknown_patient, not_in_quota, key_reused, key_cancelled.
func (h *Hospital) Hold(ctx context.Context, request hospital.HoldRequest) (hold hospital.Hold, err error) {
	err = h.do(ctx, "histest.Hold", func(t turn) error {
		switch {
		case !request.Key.Valid():
			return t.refuse(hospital.Invalid, "bad_key", "")
		case request.Patient == "":
			return t.refuse(hospital.Invalid, "patient_required", "")
		case request.Number < 0:
			return t.refuse(hospital.Invalid, "bad_number", "")
		case t.state.barred[purposeKey{hospital.ForRegistration, request.Key}]:
			return t.refuse(hospital.Rejected, "key_cancelled", "cancelled before the hold arrived")
		}
		if past, ok := t.state.registrations[t.state.byKey[request.Key]]; ok {
			hold, err = t.holdAgain(past, request)
			return err
		}
		r, err := t.take(request)
		if err != nil {
			return err
		}
		hold = t.holdAnswer(r)
		return t.record(effect{Kind: held, Key: request.Key, Registrations: []*registration{r}})
	})
	return hold, err
}

// holdAgain answers a repetition.
func (t turn) holdAgain(past *registration, request hospital.HoldRequest) (hospital.Hold, error) {
	same := past.Patient == request.Patient && past.Slot == request.Slot && past.Kind == request.Kind &&
		past.Entry == request.Entry && past.Number == request.Number
	switch {
	case !same:
		return hospital.Hold{}, t.refuse(hospital.Rejected, "key_reused", "another hold was made under the key")
	case past.State.Live():
		return t.holdAnswer(past), nil
	}
	return hospital.Hold{}, t.gone(past)
}

// gone says why a registration is not in force any more.
func (t turn) gone(past *registration) error {
	switch past.Why {
	case expired:
		return t.refuse(hospital.Conflict, "slot_taken", "the hold ran out")
	case suspended:
		return t.refuse(hospital.Rejected, "suspended", "the clinic was closed")
	default:
		return t.refuse(hospital.Rejected, "key_cancelled", "the registration was cancelled")
	}
}

// take finds a number for the request and writes the hold, without recording it.
func (t turn) take(request hospital.HoldRequest) (*registration, error) {
	c, s, ok := t.slot(request.Slot)
	if !ok || (request.Schedule != "" && request.Schedule != c.ID) {
		return nil, t.refuse(hospital.NotFound, "no_such_slot", "")
	}
	p, known := t.state.patients[request.Patient]
	_, closed := t.state.suspensions[c.ID]
	switch {
	case request.Opaque != "" && request.Opaque != s.Opaque:
		return nil, t.refuse(hospital.Invalid, "bad_opaque", "the slot's opaque text came back changed")
	case !known:
		return nil, t.refuse(hospital.Rejected, "unknown_patient", "")
	case closed:
		return nil, t.refuse(hospital.Rejected, "suspended", "")
	case !t.now.Before(s.End):
		return nil, t.refuse(hospital.Rejected, "over", "the segment has ended")
	case request.Kind == hospital.SameDay && c.Date != t.today():
		return nil, t.refuse(hospital.Rejected, "not_today", "a same-day registration for another day")
	}
	number, err := t.pick(c, s, request.Number)
	if err != nil {
		return nil, err
	}
	until := t.now.Add(t.config.HoldFor)
	no := t.nextNo("GH")
	return &registration{
		Registration: hospital.Registration{
			Key: request.Key, State: hospital.RegistrationHeld, HISNo: no, Patient: p.ID, Schedule: c.ID, Slot: s.ID,
			QueueNo: number, Fee: c.Fees.Total(), PayOnline: p.Payer == hospital.SelfPay, Expires: until, Opaque: "reg|" + no,
		},
		Kind: request.Kind, Entry: request.Entry, Number: request.Number, HeldTo: until,
	}, nil
}

// pick chooses a number: the one of the platform's quota that was asked for, or
// the lowest free one that is not the platform's.
func (t turn) pick(c *clinic, s hospital.Slot, asked int) (int, error) {
	if asked > 0 {
		switch {
		case !t.platforms(c, s, asked):
			return 0, t.refuse(hospital.Rejected, "not_in_quota", "the number was not handed to the platform")
		case !t.free(s.ID, asked):
			return 0, t.refuse(hospital.Conflict, "slot_taken", "the number is another's")
		}
		return asked, nil
	}
	for _, number := range t.numbersOf(c, s) {
		if t.free(s.ID, number) && !t.platforms(c, s, number) {
			return number, nil
		}
	}
	return 0, t.refuse(hospital.Conflict, "slot_taken", "no number is left")
}

func (t turn) holdAnswer(r *registration) hospital.Hold {
	return hospital.Hold{
		HISNo: r.HISNo, Patient: t.named(r.Patient), QueueNo: r.QueueNo, Fee: r.Fee, PayOnline: r.PayOnline,
		Expires: r.HeldTo.In(hospital.CST), Opaque: r.Opaque,
	}
}

// Confirm makes a hold firm (Paid 0), or books its fee, or both. Invalid: a
// payment without receipt. NotFound: nothing was held under the key. Conflict
// slot_taken: the hold ran out. Rejected: wrong_patient, wrong_amount,
// already_paid, pay_at_desk, suspended, visit_over, key_cancelled.
func (h *Hospital) Confirm(ctx context.Context, request hospital.ConfirmRequest) (answer hospital.Registration, err error) {
	err = h.do(ctx, "histest.Confirm", func(t turn) error {
		switch {
		case !request.Key.Valid():
			return t.refuse(hospital.Invalid, "bad_key", "")
		case request.Paid > 0 && request.Receipt == "":
			return t.refuse(hospital.Invalid, "receipt_required", "")
		case t.state.barred[purposeKey{hospital.ForRegistration, request.Key}]:
			return t.refuse(hospital.Rejected, "key_cancelled", "cancelled before the confirmation arrived")
		}
		r, ok := t.state.registrations[t.state.byKey[request.Key]]
		if !ok {
			return t.refuse(hospital.NotFound, "nothing_held", "nothing was held under the key")
		}
		if err := t.mayConfirm(r, request); err != nil {
			return err
		}
		firm := *r
		if firm.State == hospital.RegistrationHeld {
			firm.State, firm.Expires = hospital.RegistrationRegistered, time.Time{}
		}
		if r.Paid == 0 && request.Paid > 0 {
			firm.Paid, firm.Receipt, firm.Channel, firm.TradeNo = request.Paid, request.Receipt, request.Channel, request.TradeNo
			firm.PaidBy = cmp.Or(r.Entry, hospital.EntryWeChat)
		}
		if err := t.recordConfirmed(r, &firm); err != nil {
			return err
		}
		answer = firm.Registration
		answer.Patient = t.named(answer.Patient)
		return nil
	})
	return answer, err
}

// recordConfirmed writes what changed: nothing, firm, paid, or both at once.
func (t turn) recordConfirmed(was, is *registration) error {
	e := effect{Kind: registered, Key: is.Key, Registrations: []*registration{is}}
	switch {
	case is.Paid != was.Paid:
		e.Kind = paid
		e.Rows = []his.Settlement{t.feeRow(is)}
	case is.State == was.State:
		return nil
	}
	return t.record(e)
}

// mayConfirm refuses what the registration's state does not allow.
func (t turn) mayConfirm(r *registration, request hospital.ConfirmRequest) error {
	repeated := request.Paid == 0 && r.State != hospital.RegistrationHeld || request.Paid > 0 && r.Receipt == request.Receipt && r.Paid == request.Paid
	_, s, _ := t.slot(r.Slot)
	switch {
	case request.Patient != r.Patient:
		return t.refuse(hospital.Rejected, "wrong_patient", "")
	case request.Hold.HISNo != "" && request.Hold.HISNo != r.HISNo:
		return t.refuse(hospital.Rejected, "wrong_hold", "the hold's number is not the one under this key")
	case !r.State.Live():
		return t.gone(r)
	case repeated:
		return nil
	case request.Paid < 0:
		return t.refuse(hospital.Rejected, "wrong_amount", "a negative sum")
	case request.Paid > 0 && r.Paid > 0:
		return t.refuse(hospital.Rejected, "already_paid", "the fee was booked under another receipt")
	case request.Paid > 0 && !r.PayOnline:
		return t.refuse(hospital.Rejected, "pay_at_desk", "")
	case request.Paid > 0 && request.Paid != r.Fee:
		return t.refuse(hospital.Rejected, "wrong_amount", "paid "+request.Paid.Yuan()+", owed "+r.Fee.Yuan())
	case r.State == hospital.RegistrationFulfilled || !t.now.Before(s.End):
		return t.refuse(hospital.Rejected, "visit_over", "")
	}
	return nil
}

// feeRow is the settlement row of a registration's fee. Our key stands on it
// when the money came through us, not when a till took it.
func (t turn) feeRow(r *registration) his.Settlement {
	row := his.Settlement{
		HISNo: r.HISNo, Key: r.Key, Purpose: hospital.ForRegistration, Patient: r.Patient, Entry: r.PaidBy,
		Channel: r.Channel, TradeNo: r.TradeNo, Receipt: r.Receipt, Amount: r.Paid, BookedAt: t.now,
	}
	if r.PaidBy == hospital.EntryWindow || r.PaidBy == hospital.EntryKiosk {
		row.Key = ""
	}
	return row
}

// Cancel gives the number back (退号) and books a paid fee back. Nil means the
// registration is certainly not in force; a key never seen is barred, so that
// a delayed hold cannot revive it. Invalid: a malformed key. Rejected visited:
// the visit took place.
func (h *Hospital) Cancel(ctx context.Context, key hospital.Key) error {
	return h.do(ctx, "histest.Cancel", func(t turn) error {
		if !key.Valid() {
			return t.refuse(hospital.Invalid, "bad_key", "")
		}
		r, ok := t.state.registrations[t.state.byKey[key]]
		switch {
		case ok:
			return t.cancel(r)
		case t.state.barred[purposeKey{hospital.ForRegistration, key}]:
			return nil
		}
		return t.record(effect{Kind: barred, Key: key, Barred: hospital.ForRegistration})
	})
}

// cancel takes a registration out of force; once is enough.
func (t turn) cancel(r *registration) error {
	switch {
	case r.State == hospital.RegistrationFulfilled:
		return t.refuse(hospital.Rejected, "visited", "")
	case !r.State.Live() && r.Why == expired:
		// The number is free already; from now on the key is cancelled, too.
	case !r.State.Live():
		return nil
	}
	off, rows := t.takeBack(r, cancelled)
	return t.record(effect{Kind: cancelled, Key: r.Key, Registrations: []*registration{off}, Rows: rows})
}

// takeBack returns the registration out of force and the row that books its fee
// back, if it was paid.
func (t turn) takeBack(r *registration, why effectKind) (*registration, []his.Settlement) {
	off := *r
	off.State, off.Why, off.Expires = hospital.RegistrationCancelled, why, time.Time{}
	if why == suspended {
		off.State = hospital.RegistrationSuspended
	}
	if r.Paid == 0 {
		return &off, nil
	}
	row := t.feeRow(r)
	row.Amount = -r.Paid
	off.Paid = 0
	return &off, []his.Settlement{row}
}

// expire frees the numbers of the holds that ran out.
func (t turn) expire() error {
	if t.state.nextExpiry.IsZero() || t.now.Before(t.state.nextExpiry) {
		return nil
	}
	var over []*registration
	for no, until := range t.state.holds {
		if !t.now.Before(until) {
			off, _ := t.takeBack(t.state.registrations[no], expired)
			over = append(over, off)
		}
	}
	slices.SortFunc(over, func(a, b *registration) int { return cmp.Compare(a.HISNo, b.HISNo) })
	if len(over) > 0 {
		if err := t.record(effect{Kind: expired, Registrations: over}); err != nil {
			return err
		}
	}
	t.state.nextExpiry = time.Time{}
	for _, until := range t.state.holds {
		if t.state.nextExpiry.IsZero() || until.Before(t.state.nextExpiry) {
			t.state.nextExpiry = until
		}
	}
	return nil
}

// Find returns what the hospital knows under our key; NotFound when it knows
// nothing, also when it only knows that the key was barred.
func (h *Hospital) Find(ctx context.Context, key hospital.Key) (found hospital.Registration, err error) {
	err = h.do(ctx, "histest.Find", func(t turn) error {
		if !key.Valid() {
			return t.refuse(hospital.Invalid, "bad_key", "")
		}
		r, ok := t.state.registrations[t.state.byKey[key]]
		if !ok {
			return t.refuse(hospital.NotFound, "unknown_key", "")
		}
		found = r.answer()
		return nil
	})
	return found, err
}

// Registrations returns the patient's registrations of all entries whose visit
// lies between the days, in the order they were made.
func (h *Hospital) Registrations(ctx context.Context, query his.RegistrationQuery) (found []hospital.Registration, err error) {
	err = h.do(ctx, "histest.Registrations", func(t turn) error {
		switch {
		case query.Patient == "":
			return t.refuse(hospital.Invalid, "patient_required", "")
		case query.From.IsZero() || query.To.IsZero() || query.To.Before(query.From):
			return t.refuse(hospital.Invalid, "bad_days", "want From and To, From not after To")
		case t.state.patients[query.Patient] == nil:
			return t.refuse(hospital.NotFound, "no_such_patient", "")
		}
		for _, no := range t.state.byPatient[query.Patient] {
			r := t.state.registrations[no]
			c, ok := t.clinic(r.Schedule)
			if ok && !c.Date.Before(query.From) && !query.To.Before(c.Date) {
				found = append(found, r.answer())
			}
		}
		return nil
	})
	return found, err
}

// answer is the registration as the hospital tells it.
func (r *registration) answer() hospital.Registration {
	a := r.Registration
	if !a.Expires.IsZero() {
		a.Expires = a.Expires.In(hospital.CST)
	}
	return a
}
