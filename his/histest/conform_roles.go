package histest

import (
	"context"
	"fmt"
	"reflect"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

func roleChecks() []check {
	return []check{
		{"a role that is not offered is really nil", "", checkRoles},
		{"an assurance belongs to a role that is offered", "", checkAssurances},
		{"the clock tells the hospital's time", "Clock", checkClock},
	}
}

// checkRoles finds interfaces that hold a nil pointer: they look offered and
// panic when called.
func checkRoles(_ context.Context, t *Trial) error {
	if err := noHollowRole(t.System); err != nil {
		return err
	}
	return noHollowRole(t.beneath)
}

func noHollowRole(s his.System) error {
	system := reflect.ValueOf(s)
	for i := range system.NumField() {
		role := system.Field(i)
		if role.Kind() != reflect.Interface || role.IsNil() {
			continue
		}
		switch held := role.Elem(); held.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Func, reflect.Slice, reflect.Chan:
			if held.IsNil() {
				return fmt.Errorf("%s is a nil %s inside an interface, not nil", system.Type().Field(i).Name, held.Type())
			}
		default:
		}
	}
	return nil
}

func checkAssurances(_ context.Context, t *Trial) error {
	s, a := t.System, t.System.Assurances
	for _, claim := range []struct {
		call    string
		offered bool
		claimed hospital.Assurance
	}{
		{"Hold", s.Registrar != nil, a.Hold},
		{"Confirm", s.Registrar != nil, a.Confirm},
		{"Cancel", s.Registrar != nil, a.Cancel},
		{"CheckIn", s.Desk != nil, a.CheckIn},
		{"Settle", s.Billing != nil, a.Settle},
		{"Reverse", s.Billing != nil, a.Reverse},
		{"PayDeposit", s.Deposits != nil, a.PayDeposit},
		{"ReverseDeposit", s.Deposits != nil, a.ReverseDeposit},
		{"CreatePatient", s.Patients != nil, a.CreatePatient},
		{"BindCard", s.Patients != nil, a.BindCard},
	} {
		if !claim.offered && claim.claimed != (hospital.Assurance{}) {
			return fmt.Errorf("%s is assured but its role is not offered", claim.call)
		}
		if claim.claimed.Quiet < 0 {
			return fmt.Errorf("%s has a negative quiet time", claim.call)
		}
	}
	return nil
}

func checkClock(ctx context.Context, t *Trial) error {
	at, err := t.System.Clock.Ping(ctx)
	if err != nil {
		return done("Ping", err)
	}
	if at.IsZero() {
		return fmt.Errorf("Ping returned no time")
	}
	return nil
}
