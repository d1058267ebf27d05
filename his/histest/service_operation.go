package histest

import (
	"context"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/internal/wire"
	"github.com/wxhospital/hospital/his/soap"
)

// operation serves one function of the Web Service. It returns the request as
// far as it was read, for the log.
type operation func(context.Context, his.System, *soap.Node) (request, answer any, err error)

// serve decodes the request strictly and lets act answer it, where the system
// has the role.
func serve[R, T, A any](role func(his.System) T, act func(context.Context, T, R) (A, error)) operation {
	return func(ctx context.Context, system his.System, input *soap.Node) (any, any, error) {
		var request R
		if err := wire.Decode(input, &request, true); err != nil {
			return request, nil, &hospital.Error{Kind: hospital.Invalid, Code: "bad_request", Detail: err.Error()}
		}
		offered := role(system)
		if any(offered) == nil {
			return request, nil, &hospital.Error{Kind: hospital.Rejected, Code: "not_offered"}
		}
		answer, err := act(ctx, offered, request)
		if all, ok := any(&answer).(interface{ Succeed() }); ok {
			all.Succeed()
		}
		return request, answer, err
	}
}

// The roles of a system.
func clock(s his.System) his.Clock             { return s.Clock }
func directory(s his.System) his.Directory     { return s.Directory }
func scheduling(s his.System) his.Scheduling   { return s.Scheduling }
func registrar(s his.System) his.Registrar     { return s.Registrar }
func desk(s his.System) his.Desk               { return s.Desk }
func billing(s his.System) his.Billing         { return s.Billing }
func settlements(s his.System) his.Settlements { return s.Settlements }
func patients(s his.System) his.Patients       { return s.Patients }

// operations are the functions of the Web Service by name.
func operations() map[Op]operation {
	return map[Op]operation{
		OpPing:        serve(clock, ping),
		OpCampuses:    serve(directory, listCampuses),
		OpDepartments: serve(directory, listDepartments),
		OpDoctors:     serve(directory, listDoctors),

		OpSchedules:   serve(scheduling, listSchedules),
		OpSlots:       serve(scheduling, listSlots),
		OpSuspensions: serve(scheduling, listSuspensions),

		OpHold:          serve(registrar, hold),
		OpConfirm:       serve(registrar, confirm),
		OpCancel:        serve(registrar, undo(his.Registrar.Cancel)),
		OpFind:          serve(registrar, underKey(his.Registrar.Find)),
		OpRegistrations: serve(registrar, listRegistrations),
		OpCheckIn:       serve(desk, underKey(his.Desk.CheckIn)),

		OpBills:       serve(billing, listBills),
		OpBill:        serve(billing, findBill),
		OpSettle:      serve(billing, settle),
		OpFindPayment: serve(billing, findPayment),
		OpReverse:     serve(billing, undo(his.Billing.Reverse)),

		OpSettlements:     serve(settlements, listSettlements),
		OpFindSettlements: serve(settlements, findSettlements),

		OpFindPatient:   serve(patients, findPatient),
		OpCreatePatient: serve(patients, createPatient),
		OpBindCard:      serve(patients, card(his.Patients.BindCard)),
		OpUnbindCard:    serve(patients, card(his.Patients.UnbindCard)),
	}
}

// list converts what the system listed.
func list[N, W any](nouns []N, convert func(N) W) []W {
	out := make([]W, 0, len(nouns))
	for _, noun := range nouns {
		out = append(out, convert(noun))
	}
	return out
}

func ping(ctx context.Context, c his.Clock, _ wire.NoArguments) (wire.TimeAnswer, error) {
	at, err := c.Ping(ctx)
	return wire.TimeAnswer{Time: at}, err
}

func listCampuses(ctx context.Context, d his.Directory, _ wire.NoArguments) (wire.CampusesAnswer, error) {
	found, err := d.Campuses(ctx)
	return wire.CampusesAnswer{Campuses: list(found, func(n hospital.Campus) wire.Campus { return wire.Campus(n) })}, err
}

func listDepartments(ctx context.Context, d his.Directory, _ wire.NoArguments) (wire.DepartmentsAnswer, error) {
	found, err := d.Departments(ctx)
	convert := func(n hospital.Department) wire.Department { return wire.Department(n) }
	return wire.DepartmentsAnswer{Departments: list(found, convert)}, err
}

func listDoctors(ctx context.Context, d his.Directory, r wire.DoctorsRequest) (wire.DoctorsAnswer, error) {
	found, err := d.Doctors(ctx, r.Department)
	return wire.DoctorsAnswer{Doctors: list(found, func(n hospital.Doctor) wire.Doctor { return wire.Doctor(n) })}, err
}

func listSchedules(ctx context.Context, s his.Scheduling, r wire.SchedulesRequest) (wire.SchedulesAnswer, error) {
	found, err := s.Schedules(ctx, his.ScheduleQuery(r))
	return wire.SchedulesAnswer{Schedules: list(found, wire.ScheduleOf)}, err
}

func listSlots(ctx context.Context, s his.Scheduling, r wire.SlotsRequest) (wire.SlotsAnswer, error) {
	found, err := s.Slots(ctx, r.Schedule)
	return wire.SlotsAnswer{Slots: list(found, func(n hospital.Slot) wire.Slot { return wire.Slot(n) })}, err
}

func listSuspensions(ctx context.Context, s his.Scheduling, r wire.DaysRequest) (wire.SuspensionsAnswer, error) {
	found, err := s.Suspensions(ctx, r.From, r.To)
	convert := func(n hospital.Suspension) wire.Suspension { return wire.Suspension(n) }
	return wire.SuspensionsAnswer{Suspensions: list(found, convert)}, err
}

func hold(ctx context.Context, s his.Registrar, r wire.HoldRequest) (wire.HoldAnswer, error) {
	held, err := s.Hold(ctx, hospital.HoldRequest(r))
	return wire.HoldAnswer{Key: r.Key, Hold: wire.Hold(held)}, err
}

func confirm(ctx context.Context, s his.Registrar, r wire.ConfirmRequest) (wire.RegistrationAnswer, error) {
	found, err := s.Confirm(ctx, hospital.ConfirmRequest{
		Key: r.Key, Patient: r.Patient, Hold: hospital.Hold{HISNo: r.HISNo, Patient: r.Patient, Opaque: r.Opaque},
		Paid: r.Paid, Receipt: r.Receipt, Channel: r.Channel, TradeNo: r.TradeNo, PaidAt: r.PaidAt,
	})
	return wire.RegistrationAnswer{Registration: wire.Registration(found)}, err
}

// undo serves what takes back a key.
func undo[T any](act func(T, context.Context, hospital.Key) error) func(context.Context, T, wire.KeyRequest) (wire.KeyAnswer, error) {
	return func(ctx context.Context, role T, r wire.KeyRequest) (wire.KeyAnswer, error) {
		return wire.KeyAnswer{Key: r.Key}, act(role, ctx, r.Key)
	}
}

// underKey serves what answers a key with a registration.
func underKey[T any](act func(T, context.Context, hospital.Key) (hospital.Registration, error)) func(context.Context, T, wire.KeyRequest) (wire.RegistrationAnswer, error) {
	return func(ctx context.Context, role T, r wire.KeyRequest) (wire.RegistrationAnswer, error) {
		found, err := act(role, ctx, r.Key)
		return wire.RegistrationAnswer{Registration: wire.Registration(found)}, err
	}
}

func listRegistrations(ctx context.Context, s his.Registrar, r wire.RegistrationsRequest) (wire.RegistrationsAnswer, error) {
	found, err := s.Registrations(ctx, his.RegistrationQuery(r))
	convert := func(n hospital.Registration) wire.Registration { return wire.Registration(n) }
	return wire.RegistrationsAnswer{Registrations: list(found, convert)}, err
}

func wireBill(b his.Bill) wire.Bill {
	return wire.Bill{
		ID: string(b.ID), Patient: b.Patient, State: string(b.State), Department: b.Department, Doctor: b.Doctor, Kind: b.Kind,
		Amount: b.Amount, Quote: b.Quote, PayOnline: b.PayOnline, CreatedAt: b.CreatedAt, Place: b.Place, Opaque: b.Opaque,
		Items: list(b.Items, func(n his.BillItem) wire.BillItem { return wire.BillItem(n) }),
	}
}

func listBills(ctx context.Context, b his.Billing, r wire.PatientRequest) (wire.BillsAnswer, error) {
	found, err := b.Bills(ctx, r.Patient)
	return wire.BillsAnswer{Bills: list(found, wireBill)}, err
}

func findBill(ctx context.Context, b his.Billing, r wire.BillRequest) (wire.BillAnswer, error) {
	found, err := b.Bill(ctx, r.Patient, his.BillID(r.Bill))
	return wire.BillAnswer{Bill: wireBill(found)}, err
}

func settle(ctx context.Context, b his.Billing, r wire.SettleRequest) (wire.PaymentAnswer, error) {
	booked, err := b.Settle(ctx, his.SettleRequest{
		Key: r.Key, Bill: his.BillID(r.Bill), Patient: r.Patient, Amount: r.Amount, Quote: r.Quote,
		Receipt: r.Receipt, Channel: r.Channel, TradeNo: r.TradeNo, PaidAt: r.PaidAt, Opaque: r.Opaque,
	})
	return wire.PaymentAnswer{Payment: wire.Payment(booked)}, err
}

func findPayment(ctx context.Context, b his.Billing, r wire.KeyRequest) (wire.PaymentAnswer, error) {
	booked, err := b.FindPayment(ctx, r.Key)
	return wire.PaymentAnswer{Payment: wire.Payment(booked)}, err
}

func wireSettlement(n his.Settlement) wire.Settlement { return wire.Settlement(n) }

func listSettlements(ctx context.Context, s his.Settlements, r wire.DayRequest) (wire.SettlementsAnswer, error) {
	found, err := s.Settlements(ctx, r.Day)
	return wire.SettlementsAnswer{Settlements: list(found, wireSettlement)}, err
}

func findSettlements(ctx context.Context, s his.Settlements, r wire.KeyRequest) (wire.SettlementsAnswer, error) {
	found, err := s.FindSettlements(ctx, r.Key)
	return wire.SettlementsAnswer{Settlements: list(found, wireSettlement)}, err
}

func findPatient(ctx context.Context, p his.Patients, r wire.FindPatientRequest) (wire.PatientAnswer, error) {
	found, err := p.FindPatient(ctx, his.PatientQuery(r))
	return wire.PatientAnswer{Patient: wire.PatientOf(found)}, err
}

func createPatient(ctx context.Context, p his.Patients, r wire.CreatePatientRequest) (wire.PatientAnswer, error) {
	made, err := p.CreatePatient(ctx, his.CreatePatientRequest{Key: r.Key, Patient: wire.Patient{NewPatient: r.Patient}.Noun()})
	return wire.PatientAnswer{Patient: wire.PatientOf(made)}, err
}

// card serves what ties or unties a card.
func card(act func(his.Patients, context.Context, his.CardRequest) error) func(context.Context, his.Patients, wire.CardRequest) (wire.CardAnswer, error) {
	return func(ctx context.Context, p his.Patients, r wire.CardRequest) (wire.CardAnswer, error) {
		return wire.CardAnswer{Key: r.Key, Patient: r.Patient}, act(p, ctx, his.CardRequest(r))
	}
}
