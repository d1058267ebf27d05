package his

import (
	"context"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/internal/wire"
)

// Hold implements [Registrar].
func (c *Client) Hold(ctx context.Context, request hospital.HoldRequest) (hospital.Hold, error) {
	o := changes("Hold")
	if err := o.validKey(request.Key); err != nil {
		return hospital.Hold{}, err
	}
	answer, err := ask[wire.HoldAnswer](ctx, c, o, wire.HoldRequest(request))
	if err != nil {
		return hospital.Hold{}, err
	}
	if err := first(o.sameKey(request.Key, answer.Key), o.samePatient(request.Patient, answer.Hold.Patient)); err != nil {
		return hospital.Hold{}, err
	}
	return hospital.Hold(answer.Hold), nil
}

// Confirm implements [Registrar].
func (c *Client) Confirm(ctx context.Context, request hospital.ConfirmRequest) (hospital.Registration, error) {
	o := changes("Confirm")
	if err := o.validKey(request.Key); err != nil {
		return hospital.Registration{}, err
	}
	answer, err := ask[wire.RegistrationAnswer](ctx, c, o, wire.ConfirmRequest{
		Key: request.Key, Patient: request.Patient, HISNo: request.Hold.HISNo, Paid: request.Paid, Receipt: request.Receipt,
		Channel: request.Channel, TradeNo: request.TradeNo, PaidAt: request.PaidAt, Opaque: request.Hold.Opaque,
	})
	if err != nil {
		return hospital.Registration{}, err
	}
	found := hospital.Registration(answer.Registration)
	if err := first(
		o.sameKey(request.Key, found.Key),
		o.samePatient(request.Patient, found.Patient),
		o.same(found.Paid >= request.Paid, "wrong_amount", "amount"),
		o.same(found.State.Live() && found.State != hospital.RegistrationHeld, "wrong_state", "state than a confirmed one"),
	); err != nil {
		return hospital.Registration{}, err
	}
	return found, nil
}

// Cancel implements [Registrar].
func (c *Client) Cancel(ctx context.Context, key hospital.Key) error {
	return c.undo(ctx, changes("Cancel"), key)
}

// undo makes a call that takes back what stands under the key.
func (c *Client) undo(ctx context.Context, o operation, key hospital.Key) error {
	if err := o.validKey(key); err != nil {
		return err
	}
	answer, err := ask[wire.KeyAnswer](ctx, c, o, wire.KeyRequest{Key: key})
	if err != nil {
		return err
	}
	return o.sameKey(key, answer.Key)
}

// Find implements [Registrar].
func (c *Client) Find(ctx context.Context, key hospital.Key) (hospital.Registration, error) {
	return c.registration(ctx, reads("Find"), key)
}

// CheckIn implements [Desk].
func (c *Client) CheckIn(ctx context.Context, key hospital.Key) (hospital.Registration, error) {
	return c.registration(ctx, changes("CheckIn"), key)
}

func (c *Client) registration(ctx context.Context, o operation, key hospital.Key) (hospital.Registration, error) {
	if err := o.validKey(key); err != nil {
		return hospital.Registration{}, err
	}
	answer, err := ask[wire.RegistrationAnswer](ctx, c, o, wire.KeyRequest{Key: key})
	if err != nil {
		return hospital.Registration{}, err
	}
	if err := o.sameKey(key, answer.Registration.Key); err != nil {
		return hospital.Registration{}, err
	}
	return hospital.Registration(answer.Registration), nil
}

// Registrations implements [Registrar].
func (c *Client) Registrations(ctx context.Context, query RegistrationQuery) ([]hospital.Registration, error) {
	o := reads("Registrations")
	answer, err := ask[wire.RegistrationsAnswer](ctx, c, o, wire.RegistrationsRequest(query))
	if err != nil {
		return nil, err
	}
	convert := func(w wire.Registration) hospital.Registration { return hospital.Registration(w) }
	return each(answer.Registrations, convert, func(r hospital.Registration) error {
		return o.samePatient(query.Patient, r.Patient)
	})
}
