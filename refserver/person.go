package refserver

import (
	"context"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

// patientAt reads a patient's record at the HIS. The caller has a scope.
func (s *Server) patientAt(ctx context.Context, id hospital.PatientID) (hospital.Patient, error) {
	p, _, err := ask(ctx, s.catalog, "patient/"+string(id), freshAge, func(ctx context.Context) (hospital.Patient, error) {
		return s.config.HIS.Patients.FindPatient(ctx, his.PatientQuery{ID: id})
	})
	if err == nil && p.ID != id {
		return hospital.Patient{}, &hospital.Error{Kind: hospital.Unavailable, Op: "refserver.patientAt", Code: "wrong_patient"}
	}
	return p, err
}

// maskedName is what the head of a page says about whom it is; "" while the HIS
// is silent. The user holds the patient: it is asked through the gate as well.
func (s *Server) maskedName(v *visit, id hospital.PatientID) string {
	p, err := v.person(id, "patient.name")
	if err != nil {
		return ""
	}
	return p.Name.Masked()
}

func (v *visit) patientRow(policy *booking.Policy, p hospital.Patient) (page.PatientRow, booking.History, booking.Lockout, error) {
	history, lock, locked, err := v.lockout(policy, p.ID)
	return page.PatientRow{
		ID: v.s.accounts.Handle(p.ID), Name: p.Name.Masked(), IDNumber: p.IDNumber.Masked(), Phone: p.Phone.Masked(),
		Current: p.ID == v.patient(), Insured: p.Payer == hospital.Insured, Locked: locked,
	}, history, lock, err
}

func (v *visit) patients() error {
	policy, _, err := v.s.window(v.r.Context())
	if err != nil {
		return err
	}
	view := page.Patients{Max: policy.Binding.PatientsPerUser}
	for _, b := range v.bound {
		p, err := v.person(b.Patient, "patient.list")
		if err != nil {
			return err
		}
		row, _, _, err := v.patientRow(&policy, p)
		if err != nil {
			return err
		}
		view.Rows = append(view.Rows, row)
	}
	return v.render(view)
}

// patientPage shows one patient, and asks before unbinding.
func (v *visit) patientPage() error {
	bound, err := v.held(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	policy, _, err := v.s.window(v.r.Context())
	if err != nil {
		return err
	}
	p, err := v.person(bound.Patient, "patient.read")
	if err != nil {
		return err
	}
	row, history, lock, err := v.patientRow(&policy, p)
	if err != nil {
		return err
	}
	view := page.Patient{
		Row: row, Name: string(p.Name), Since: bound.Since, LockedTo: lock.Until, Strikes: len(history.Strikes),
		Asking: v.r.URL.Path == v.s.links.Unbind(v.r.PathValue("id")),
	}
	for _, card := range p.Cards {
		view.Cards = append(view.Cards, card.Masked())
	}
	return v.render(view)
}

func (v *visit) usePatient() error {
	bound, err := v.held(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := v.s.accounts.Choose(v.r.Context(), v.session, bound.Patient); err != nil {
		return err
	}
	return v.redirect(v.s.links.Patients())
}

func (v *visit) unbind() error {
	bound, err := v.held(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := v.s.desk.Unbind(v.r.Context(), v.actor(), v.session.User, bound.Patient); err != nil {
		return err
	}
	v.flash(page.ToneOK, "已解除绑定。需要时可以重新添加。")
	return v.redirect(v.s.links.Patients())
}
