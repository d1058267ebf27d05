package his

import (
	"context"
	"slices"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/internal/wire"
)

// FindPatient implements [Patients].
func (c *Client) FindPatient(ctx context.Context, query PatientQuery) (hospital.Patient, error) {
	o := reads("FindPatient", string(query.IDNumber), string(query.CardNo))
	given := 0
	for _, value := range []string{string(query.ID), string(query.IDNumber), string(query.CardNo)} {
		if value != "" {
			given++
		}
	}
	if given != 1 {
		return hospital.Patient{}, o.fail(hospital.Invalid, "one_identifier", "want exactly one identifier", nil)
	}
	answer, err := ask[wire.PatientAnswer](ctx, c, o, wire.FindPatientRequest(query))
	if err != nil {
		return hospital.Patient{}, err
	}
	found := answer.Patient.Noun()
	asked := query.ID == found.ID || query.IDNumber != "" && query.IDNumber == found.IDNumber ||
		query.CardNo != "" && slices.Contains(found.Cards, query.CardNo)
	if err := o.same(asked, "wrong_patient", "patient"); err != nil {
		return hospital.Patient{}, err
	}
	return found, nil
}

// CreatePatient implements [Patients].
func (c *Client) CreatePatient(ctx context.Context, request CreatePatientRequest) (hospital.Patient, error) {
	wanted := request.Patient
	personal := []string{string(wanted.Name), string(wanted.IDNumber), string(wanted.Phone)}
	if g := wanted.Guardian; g != nil {
		personal = append(personal, string(g.Name), string(g.IDNumber), string(g.Phone))
	}
	o := changes("CreatePatient", personal...)
	if err := o.validKey(request.Key); err != nil {
		return hospital.Patient{}, err
	}
	if wanted.ID != "" {
		return hospital.Patient{}, o.fail(hospital.Invalid, "id_given", "the HIS gives the ID", nil)
	}
	answer, err := ask[wire.PatientAnswer](ctx, c, o, wire.CreatePatientRequest{
		Key: request.Key, Patient: wire.PatientOf(wanted).NewPatient,
	})
	if err != nil {
		return hospital.Patient{}, err
	}
	found := answer.Patient.Noun()
	if err := o.same(found.Name == wanted.Name && found.IDNumber == wanted.IDNumber, "wrong_patient", "patient"); err != nil {
		return hospital.Patient{}, err
	}
	return found, nil
}

// BindCard implements [Patients].
func (c *Client) BindCard(ctx context.Context, request CardRequest) error {
	return c.card(ctx, changes("BindCard", string(request.CardNo)), request)
}

// UnbindCard implements [Patients].
func (c *Client) UnbindCard(ctx context.Context, request CardRequest) error {
	return c.card(ctx, changes("UnbindCard", string(request.CardNo)), request)
}

func (c *Client) card(ctx context.Context, o operation, request CardRequest) error {
	if err := o.validKey(request.Key); err != nil {
		return err
	}
	answer, err := ask[wire.CardAnswer](ctx, c, o, wire.CardRequest(request))
	if err != nil {
		return err
	}
	return first(o.sameKey(request.Key, answer.Key), o.samePatient(request.Patient, answer.Patient))
}
