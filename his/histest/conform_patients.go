package histest

import (
	"context"
	"fmt"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

func patientChecks() []check {
	return []check{
		{"a patient is found by each identifier, character for character", "Patients patients", checkFindPatient},
		{"nobody is found by nothing, by two things or by a stranger's number", "Patients patients", checkFindNobody},
		{"a person has one file", "Patients patients CreatePatient.Idempotent", checkCreatePatient},
		{"a card has one owner", "Patients patients second", checkCards},
	}
}

func checkFindPatient(ctx context.Context, t *Trial) error {
	for _, p := range t.Patients {
		queries := []his.PatientQuery{{ID: p.ID}}
		if p.IDNumber != "" {
			queries = append(queries, his.PatientQuery{IDNumber: p.IDNumber})
		}
		for _, card := range p.Cards {
			queries = append(queries, his.PatientQuery{CardNo: card})
		}
		for _, query := range queries {
			found, err := t.System.Patients.FindPatient(ctx, query)
			if err != nil {
				return done("FindPatient", err)
			}
			if err := samePerson(found, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// samePerson compares without printing: the suite may run over real data.
func samePerson(got, want hospital.Patient) error {
	switch {
	case got.ID != want.ID:
		return fmt.Errorf("patient %s was found instead of %s", got.ID, want.ID)
	case got.Name != want.Name:
		return fmt.Errorf("the name of patient %s is not intact: %x, want %x", want.ID, string(got.Name), string(want.Name))
	case got.Sex != want.Sex || got.BirthDate != want.BirthDate || got.IDNumber != want.IDNumber || got.Phone != want.Phone || got.Payer != want.Payer:
		return fmt.Errorf("sex, birth date, identity number, phone or payer of patient %s is not intact", want.ID)
	case (got.Guardian == nil) != (want.Guardian == nil) || got.Guardian != nil && *got.Guardian != *want.Guardian:
		return fmt.Errorf("the guardian of patient %s is not intact", want.ID)
	case fmt.Sprint(got.Cards) != fmt.Sprint(want.Cards):
		return fmt.Errorf("the cards of patient %s are not intact", want.ID)
	}
	return nil
}

func checkFindNobody(ctx context.Context, t *Trial) error {
	for _, query := range []his.PatientQuery{{}, {ID: t.Patients[0].ID, IDNumber: "11010519491231002X"}} {
		_, err := t.System.Patients.FindPatient(ctx, query)
		if err := want("FindPatient by none or two identifiers", err, hospital.Invalid); err != nil {
			return err
		}
	}
	for _, query := range []his.PatientQuery{{ID: nowhere}, {CardNo: nowhere}, {IDNumber: "11010519491231002X"}, {CardNo: "%"}, {ID: "*"}} {
		_, err := t.System.Patients.FindPatient(ctx, query)
		if err := want("FindPatient by an unknown identifier", err, hospital.NotFound, hospital.Invalid); err != nil {
			return err
		}
	}
	return nil
}

func checkCreatePatient(ctx context.Context, t *Trial) error {
	known := t.Patients[0]
	twin := known
	twin.ID, twin.Cards = "", nil
	_, err := t.System.Patients.CreatePatient(ctx, his.CreatePatientRequest{Key: t.key(), Patient: twin})
	if err := wantCode("CreatePatient of somebody who has a file", err, hospital.Conflict, "patient_exists"); err != nil {
		return err
	}
	child := hospital.Patient{
		Name: "𠮷䶮", Sex: hospital.Female, BirthDate: hospital.DateOf(t.Now()).AddDays(-200), Phone: known.Phone, Payer: hospital.SelfPay,
		Guardian: &hospital.Guardian{Name: known.Name, IDNumber: known.IDNumber, Phone: known.Phone},
	}
	request := his.CreatePatientRequest{Key: t.key(), Patient: child}
	first, err := t.System.Patients.CreatePatient(ctx, request)
	if err != nil {
		return done("CreatePatient of a child", err)
	}
	again, err := t.System.Patients.CreatePatient(ctx, request)
	if err != nil {
		return done("the same CreatePatient again", err)
	}
	if err := same("file opened by the same request twice", again.ID, first.ID); err != nil {
		return err
	}
	found, err := t.System.Patients.FindPatient(ctx, his.PatientQuery{ID: first.ID})
	if err != nil {
		return done("FindPatient of a new file", err)
	}
	child.ID, child.Cards = first.ID, found.Cards // the hospital may issue a card
	return samePerson(found, child)
}

func checkCards(ctx context.Context, t *Trial) error {
	const card hospital.CardNo = "CF00000001"
	bind := func(patient hospital.PatientID) error {
		return t.System.Patients.BindCard(ctx, his.CardRequest{Key: t.key(), Patient: patient, CardNo: card})
	}
	unbind := func(patient hospital.PatientID) error {
		return t.System.Patients.UnbindCard(ctx, his.CardRequest{Key: t.key(), Patient: patient, CardNo: card})
	}
	if err := bind(t.Patient); err != nil {
		return done("BindCard", err)
	}
	if err := wantCode("BindCard of another's card", bind(t.Second), hospital.Conflict, "card_taken"); err != nil {
		return err
	}
	if err := unbind(t.Second); err != nil {
		return done("UnbindCard of another's card", err)
	}
	if err := t.cardIs(ctx, card, t.Patient); err != nil {
		return err
	}
	for range 2 {
		if err := unbind(t.Patient); err != nil {
			return done("UnbindCard, and again", err)
		}
	}
	if err := bind(t.Second); err != nil {
		return done("BindCard of a card that was untied", err)
	}
	return t.cardIs(ctx, card, t.Second)
}

func (t *Trial) cardIs(ctx context.Context, card hospital.CardNo, owner hospital.PatientID) error {
	p, err := t.System.Patients.FindPatient(ctx, his.PatientQuery{CardNo: card})
	if err != nil {
		return done("FindPatient by card", err)
	}
	return same("owner of the card", p.ID, owner)
}
