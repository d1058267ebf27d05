package histest

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// creation is what became of a 建档 request.
type creation struct {
	request string
	patient hospital.PatientID
}

// FindPatient returns the patient. Invalid: not exactly one identifier.
// NotFound: nobody is known by it.
func (h *Hospital) FindPatient(ctx context.Context, query his.PatientQuery) (found hospital.Patient, err error) {
	given := 0
	for _, id := range []string{string(query.ID), string(query.IDNumber), string(query.CardNo)} {
		if id != "" {
			given++
		}
	}
	err = h.do(ctx, "histest.FindPatient", func(t turn) error {
		if given != 1 {
			return t.refuse(hospital.Invalid, "one_identifier", "want exactly one identifier")
		}
		id := query.ID
		if query.IDNumber != "" {
			id = t.state.byIDNumber[query.IDNumber]
		}
		if query.CardNo != "" {
			id = t.state.byCard[query.CardNo]
		}
		p, ok := t.state.patients[id]
		if !ok {
			return t.refuse(hospital.NotFound, "no_such_patient", "")
		}
		found = copyPatient(p)
		return nil
	})
	return found, err
}

// CreatePatient opens a file (建档). Invalid: no name, neither an identity
// number that adds up nor a guardian. Conflict patient_exists: the identity
// number has a file. Rejected key_reused: the key opened somebody else's.
func (h *Hospital) CreatePatient(ctx context.Context, request his.CreatePatientRequest) (made hospital.Patient, err error) {
	err = h.do(ctx, "histest.CreatePatient", func(t turn) error {
		if err := t.checkNewPatient(request); err != nil {
			return err
		}
		print := fingerprint(request.Patient)
		if past, ok := t.state.creations[request.Key]; ok {
			if past.request != print {
				return t.refuse(hospital.Rejected, "key_reused", "another file was opened under the key")
			}
			made = copyPatient(t.state.patients[past.patient])
			return nil
		}
		if _, taken := t.state.byIDNumber[request.Patient.IDNumber]; taken && request.Patient.IDNumber != "" {
			return t.refuse(hospital.Conflict, "patient_exists", "")
		}
		for _, card := range request.Patient.Cards {
			if _, taken := t.state.byCard[card]; taken {
				return t.refuse(hospital.Conflict, "card_taken", "")
			}
		}
		p := copyPatient(&request.Patient)
		p.ID = hospital.PatientID(t.nextNo("P"))
		if p.Payer == "" {
			p.Payer = hospital.SelfPay
		}
		made = copyPatient(&p)
		return t.record(effect{Kind: created, Key: request.Key, Patient: &p, Request: print})
	})
	return made, err
}

func (t turn) checkNewPatient(request his.CreatePatientRequest) error {
	p := request.Patient
	switch {
	case !request.Key.Valid():
		return t.refuse(hospital.Invalid, "bad_key", "")
	case p.Name == "":
		return t.refuse(hospital.Invalid, "name_required", "")
	case p.ID != "":
		return t.refuse(hospital.Invalid, "id_given", "the hospital gives the identifier")
	case p.IDNumber == "" && (p.Guardian == nil || p.Guardian.Name == "" || p.Guardian.IDNumber == "" || p.Guardian.Phone == ""):
		return t.refuse(hospital.Invalid, "guardian_required", "without identity number a guardian's name, number and phone are needed")
	}
	for _, n := range []hospital.IDNumber{p.IDNumber, guardianNumber(p)} {
		if n == "" {
			continue
		}
		if parsed, err := hospital.ParseIDNumber(string(n)); err != nil || parsed != n {
			return t.refuse(hospital.Invalid, "bad_id_number", "")
		}
	}
	return nil
}

func guardianNumber(p hospital.Patient) hospital.IDNumber {
	if p.Guardian == nil {
		return ""
	}
	return p.Guardian.IDNumber
}

// BindCard ties a card. Conflict card_taken: it is another patient's. NotFound:
// the patient does not exist. Tying a tied card again changes nothing.
func (h *Hospital) BindCard(ctx context.Context, request his.CardRequest) error {
	return h.do(ctx, "histest.BindCard", func(t turn) error {
		p, err := t.cardHolder(request)
		if err != nil {
			return err
		}
		switch owner := t.state.byCard[request.CardNo]; owner {
		case p.ID:
			return nil
		case "":
		default:
			return t.refuse(hospital.Conflict, "card_taken", "")
		}
		tied := copyPatient(p)
		tied.Cards = append(tied.Cards, request.CardNo)
		return t.record(effect{Kind: carded, Key: request.Key, Patient: &tied})
	})
}

// UnbindCard unties a card; the card may then pass to somebody else. NotFound:
// the patient does not exist.
func (h *Hospital) UnbindCard(ctx context.Context, request his.CardRequest) error {
	return h.do(ctx, "histest.UnbindCard", func(t turn) error {
		p, err := t.cardHolder(request)
		if err != nil {
			return err
		}
		if t.state.byCard[request.CardNo] != p.ID {
			return nil
		}
		untied := copyPatient(p)
		untied.Cards = slices.DeleteFunc(untied.Cards, func(c hospital.CardNo) bool { return c == request.CardNo })
		return t.record(effect{Kind: uncarded, Key: request.Key, Patient: &untied})
	})
}

func (t turn) cardHolder(request his.CardRequest) (*hospital.Patient, error) {
	switch {
	case !request.Key.Valid():
		return nil, t.refuse(hospital.Invalid, "bad_key", "")
	case request.CardNo == "":
		return nil, t.refuse(hospital.Invalid, "card_required", "")
	case request.Patient == "":
		return nil, t.refuse(hospital.Invalid, "patient_required", "")
	}
	p, ok := t.state.patients[request.Patient]
	if !ok {
		return nil, t.refuse(hospital.NotFound, "no_such_patient", "")
	}
	return p, nil
}

// fingerprint tells one request from another under the same key.
func fingerprint(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error() // root nouns always encode; a constant would hide a difference
	}
	return string(data)
}

func copyPatient(p *hospital.Patient) hospital.Patient {
	c := *p
	c.Cards = slices.Clone(p.Cards)
	if p.Guardian != nil {
		g := *p.Guardian
		c.Guardian = &g
	}
	return c
}
