package booking

import (
	"context"
	"errors"
	"time"

	"github.com/wxhospital/hospital"
)

// BindRequest ties a patient to a user. The caller has proof that the user
// controls the patient's identity (a code sent to the phone the HIS holds, or a
// desk code): binding itself proves nothing.
//
// TakeOver moves a patient whom another user holds. The proof was the
// patient's own, so the former holder loses the patient at once and is told
// (event patient.taken_over names a [Handover]); without this path whoever
// binds first could lock the patient out.
type BindRequest struct {
	Actor    hospital.Actor
	User     hospital.UserID
	Patient  hospital.PatientID
	TakeOver bool
}

// Bind ties the patient to the user. Binding twice is nil. Rejected
// binding_full: the user holds as many as the policy allows. Conflict
// held_by_another: somebody else holds the patient and TakeOver is not set.
// NotFound: the actor is another user.
func (d *Desk) Bind(ctx context.Context, request BindRequest) error {
	policy, version, err := d.current(ctx)
	if err != nil {
		return err
	}
	if err := validActor("booking.Bind", request.Actor); err != nil {
		return err
	}
	if request.User == "" || request.Patient == "" {
		return &hospital.Error{Kind: hospital.Invalid, Op: "booking.Bind", Code: "bad_request", Detail: "User and Patient are required"}
	}
	now := d.cfg.Now()
	id := hospital.NewID("b", now)
	audit := hospital.AuditEntry{
		At: now, Actor: request.Actor, Purpose: "binding", Action: "patient.bind", Object: id,
		Patient: request.Patient, Outcome: "ok", RuleVersion: version,
	}
	if foreign(request.Actor, request.User) {
		audit.Object = string(request.User)
		return d.denied(ctx, audit, notTheUser("booking.Bind"))
	}
	err = d.cfg.Store.Bind(ctx, BindCommand{
		ID: id, Binding: Binding{User: request.User, Patient: request.Patient, Since: now},
		Allow: func(holder hospital.UserID, held int) error {
			return policy.AllowBind(request.User, holder, held, request.TakeOver)
		},
		Events: []hospital.Event{{Kind: "patient.bound", ID: id}},
		Taken:  []hospital.Event{{Kind: "patient.taken_over", ID: id}},
		Audit:  audit,
	})
	if errors.Is(err, ErrBindingFull) || errors.Is(err, ErrHeldByAnother) {
		audit.Object = string(request.User) // the handover that did not come about has no row
		return d.denied(ctx, audit, err)
	}
	return err
}

// Unbind releases a patient; NotFound when the user does not hold the patient,
// or the actor is another user.
func (d *Desk) Unbind(ctx context.Context, actor hospital.Actor, user hospital.UserID, patient hospital.PatientID) error {
	if err := validActor("booking.Unbind", actor); err != nil {
		return err
	}
	audit := hospital.AuditEntry{
		At: d.cfg.Now(), Actor: actor, Purpose: "binding", Action: "patient.unbind", Object: string(user), Patient: patient, Outcome: "ok",
	}
	if foreign(actor, user) {
		return d.denied(ctx, audit, notTheUser("booking.Unbind"))
	}
	err := d.cfg.Store.Unbind(ctx, Binding{User: user, Patient: patient}, audit)
	if hospital.KindOf(err) == hospital.NotFound && err != nil {
		return d.denied(ctx, audit, err)
	}
	return err
}

// foreign reports whether a user acts for another user's bindings.
func foreign(actor hospital.Actor, user hospital.UserID) bool {
	return actor.Kind == hospital.ActorUser && actor.ID != string(user)
}

func notTheUser(op string) error {
	return &hospital.Error{Kind: hospital.NotFound, Op: op, Code: "not_found", Detail: "a user acts for nobody else's bindings"}
}

// Unlock lets a patient book again after no-shows (解除黑名单). Only staff may,
// and they give a reason.
func (d *Desk) Unlock(ctx context.Context, actor hospital.Actor, patient hospital.PatientID, reason string) error {
	const op = "booking.Unlock"
	now := d.cfg.Now()
	id := hospital.NewID("u", now)
	audit := hospital.AuditEntry{
		At: now, Actor: actor, Purpose: reason, Action: "patient.unlock", Object: id, Patient: patient, Outcome: "ok",
	}
	if err := d.staffOnly(ctx, op, audit); err != nil {
		return err
	}
	if !reasonable(reason) || patient == "" {
		return &hospital.Error{Kind: hospital.Invalid, Op: op, Code: "bad_request", Detail: "patient and a reason of 1 to 200 characters are required"}
	}
	return d.cfg.Store.Unlock(ctx, UnlockCommand{
		ID: id, Patient: patient, At: now, Events: []hospital.Event{{Kind: "lock.unlocked", ID: id}}, Audit: audit,
	})
}

// Try tells whether the wish would be allowed now and, if not, why: what a
// page shows before a patient presses the button, and what staff use to try a
// rule out. It claims nothing.
func (d *Desk) Try(ctx context.Context, request BookRequest) error {
	policy, _, err := d.current(ctx)
	if err != nil {
		return err
	}
	if err := request.validate(); err != nil {
		return err
	}
	now := d.cfg.Now()
	history, err := d.cfg.Store.History(ctx, hospital.UserID(request.Actor.ID), request.Wish.Patient, hospital.DateOf(now))
	if err != nil {
		return err
	}
	return policy.Allow(request.Wish, now, request.Actor.Kind == hospital.ActorUser, history)
}

// Appointments returns the patient's appointments, the newest first. The read
// is in the audit trail before anything is returned.
func (d *Desk) Appointments(ctx context.Context, scope hospital.PatientScope) ([]Appointment, error) {
	patient, err := scope.Use(ctx, hospital.Access{Purpose: "booking", Action: "appointment.list"})
	if err != nil {
		return nil, err
	}
	list, err := d.cfg.Store.List(ctx, Query{Patient: patient})
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if a.Patient != patient {
			return nil, &hospital.Error{Kind: hospital.Internal, Op: "booking.Appointments", Code: "foreign_row", Detail: "the store answered for another patient"}
		}
	}
	return list, nil
}

// Appointment returns one appointment of the patient; NotFound for one of
// somebody else and for none, alike.
func (d *Desk) Appointment(ctx context.Context, scope hospital.PatientScope, id string) (Appointment, error) {
	patient, err := scope.Use(ctx, hospital.Access{Purpose: "booking", Action: "appointment.read", Object: id})
	if err != nil {
		return Appointment{}, err
	}
	a, err := d.cfg.Store.Find(ctx, id)
	if err == nil && a.Patient != patient {
		err = &hospital.Error{Kind: hospital.NotFound}
	}
	if err != nil {
		return Appointment{}, absentAlike("booking.Appointment", err)
	}
	return a, nil
}

// Resolve decides an appointment of the manual list: a member of staff has
// looked at the HIS. Booked: the registration stands. Fulfilled: the visit took
// place. Cancelling: it is to be given back and refunded. Cancelled: the HIS has
// nothing in force, so that only money and number are to be given back; staff
// vouch for it where the HIS does not answer, and the HIS is not told again.
//
// It is Denied for others than staff, Invalid without a reason, Conflict
// in_progress when the appointment is not on the list or a request for it may
// still be under way, Conflict in_force when the HIS says that a registration
// said to be cancelled stands, Conflict not_in_force when it has none that is
// said to be booked. Of a visit that took place and that the HIS no longer
// knows, the word of staff stands. Cancelling and Cancelled come back as Cancelling
// with Indeterminate when a far side did not answer: recovery goes on.
func (d *Desk) Resolve(ctx context.Context, actor hospital.Actor, id string, state State, reason string) (Appointment, error) {
	const op = "booking.Resolve"
	audit := hospital.AuditEntry{Actor: actor, Purpose: "booking", Action: "appointment.resolve", Object: id}
	if err := d.staffOnly(ctx, op, audit); err != nil {
		return Appointment{}, err
	}
	if !reasonable(reason) || state != Booked && state != Fulfilled && state != Cancelling && state != Cancelled {
		return Appointment{}, &hospital.Error{
			Kind: hospital.Invalid, Op: op, Code: "bad_request", Detail: "want booked, fulfilled, cancelling or cancelled, and a reason of 1 to 200 characters",
		}
	}
	a, err := d.cfg.Store.Find(ctx, id)
	if err != nil {
		return Appointment{}, err
	}
	if a.State != Manual {
		return a, refuse(ErrInProgress, op, "该记录已不在待人工处理列表中，请刷新。")
	}
	switch state {
	case Cancelling:
		if a, err = d.leaveFor(ctx, a, ByStaff, reason, nil, actor); err != nil {
			return a, err
		}
		return d.drive(ctx, a, true) // a person has looked: the HIS may be told once more
	case Cancelled:
		if err := d.notInForce(ctx, a); err != nil {
			return a, err
		}
		if a, err = d.vouch(ctx, a, reason, actor); err != nil {
			return a, err
		}
		return d.drive(ctx, a, true)
	case Holding, Held, Confirming, Booked, Settling, Arrived, Fulfilled, Refused, Expired, NoShow, Manual:
	}
	var found *hospital.Registration
	if a.Paid > 0 && (state == Booked || d.cfg.Assurances.Confirm.Queryable) {
		if found, err = d.standing(ctx, a, state); err != nil {
			return a, err
		}
	}
	now := d.cfg.Now()
	return d.save(ctx, a, move{actor: actor, apply: func(a *Appointment) {
		if found != nil {
			a.learnPayment(*found)
		}
		if state == Fulfilled {
			a.end(Fulfilled, "", reason, now)
			return
		}
		a.State, a.Cause, a.Reason, a.Tries, a.Deadline, a.AskedAt = Booked, "", reason, 0, time.Time{}, now
		a.DueAt = d.nextCheck(*a, now)
	}})
}

// notInForce refuses a vow that nothing is in force where the HIS says
// otherwise, or where a request may still be under way that makes it untrue.
func (d *Desk) notInForce(ctx context.Context, a Appointment) error {
	const op = "booking.Resolve"
	sure := d.cfg.Assurances
	if d.quiet(a, hospital.Assurance{Quiet: max(sure.Hold.Quiet, sure.Confirm.Quiet, sure.Cancel.Quiet, unknownQuiet)}) > 0 {
		return refuse(ErrInProgress, op, mayBeUnderWay)
	}
	if !sure.Confirm.Queryable {
		return nil
	}
	found, err := d.find(ctx, a)
	if err == nil && found.State.Live() {
		return &hospital.Error{
			Kind: hospital.Conflict, Op: op, Code: "in_force", Detail: "the HIS has the registration in force: resolve as cancelling to give it back",
		}
	}
	return nil // a silent HIS is why staff vouch
}

const mayBeUnderWay = "可能仍有请求在途，请一分钟后在医院系统中再次核实。"

// unknownQuiet is how long a request may be under way at a HIS whose adapter
// declares nothing: longer than a gateway repeats one.
const unknownQuiet = 30 * time.Second

// standing asks the HIS about a registration that staff say stands: whether it
// has the fee is nobody's guess. It is nil for a visit that took place and of
// which the HIS knows nothing.
func (d *Desk) standing(ctx context.Context, a Appointment, state State) (*hospital.Registration, error) {
	const op = "booking.Resolve"
	if !d.cfg.Assurances.Confirm.Queryable {
		return nil, &hospital.Error{
			Kind: hospital.Invalid, Op: op, Code: "fee_unknown",
			Detail: "the HIS cannot be asked whether it has the fee: give the number back, or book the fee there and resolve as fulfilled",
		}
	}
	found, err := d.find(ctx, a)
	none := err != nil && hospital.KindOf(err) == hospital.NotFound
	switch {
	case (none || err == nil && found.Paid == 0) && d.quiet(a, d.cfg.Assurances.Confirm) > 0:
		return nil, refuse(ErrInProgress, op, mayBeUnderWay)
	case none:
		if state == Fulfilled { // a HIS that was restored from a backup never knows it again: the word of staff stands
			return nil, nil //nolint:nilnil // there is nothing to learn
		}
		return nil, &hospital.Error{Kind: hospital.Conflict, Op: op, Code: "not_in_force", Detail: "the HIS knows nothing of the registration"}
	case err != nil:
		return nil, unknown(err)
	case found.Patient != a.Patient || !found.State.Live():
		return nil, &hospital.Error{Kind: hospital.Conflict, Op: op, Code: "not_in_force", Detail: "the HIS has no such registration in force"}
	}
	return &found, nil
}
