package hospital_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wxhospital/hospital"
)

func ExampleParseYuan() {
	fee, err := hospital.ParseYuan("12.05")
	fmt.Println(fee, int64(fee), err)
	_, err = hospital.ParseYuan("12.055")
	fmt.Println(err)
	// Output:
	// 12.05元 1205 <nil>
	// hospital.ParseYuan: invalid [bad_amount]: amount in yuan: more than two decimals
}

func ExampleParseIDNumber() {
	number, err := hospital.ParseIDNumber("11010519491231002x")
	fmt.Println(number.Masked(), number.BirthDate(), err)
	// Output: 1****************X 1949-12-31 <nil>
}

// A sentinel matches by kind and code, whoever returned the error and however
// it was wrapped.
func ExampleError() {
	taken := &hospital.Error{Kind: hospital.Conflict, Code: "slot_taken"}
	err := fmt.Errorf("book: %w", &hospital.Error{
		Kind: hospital.Conflict, Op: "his.Hold", Code: "slot_taken", Detail: "segment 3",
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, taken), hospital.KindOf(err), hospital.CodeOf(err))
	// Output:
	// book: his.Hold: conflict [slot_taken]: segment 3
	// true conflict slot_taken
}

func ExampleMessageFor() {
	lost := &hospital.Error{Kind: hospital.Indeterminate, Op: "his.Confirm", Detail: "connection reset"}
	err := fmt.Errorf("book: %w", lost)
	if hospital.KindOf(err) == hospital.Indeterminate {
		fmt.Println("for the operator:", err)
		fmt.Println("for the patient:", hospital.MessageFor(err))
	}
	// Output:
	// for the operator: book: his.Confirm: indeterminate: connection reset
	// for the patient: 正在与医院系统核实，请稍后查看结果，不要重复操作。
}

// registry grants one user one patient and keeps the trail.
type registry struct{ trail []string }

func (r *registry) Granted(_ context.Context, actor hospital.Actor, patient hospital.PatientID) (time.Time, error) {
	if actor.ID == "u1" && patient == "P1" {
		return time.Now().Add(time.Hour), nil
	}
	return time.Time{}, &hospital.Error{Kind: hospital.NotFound, Code: "no_grant"}
}

func (r *registry) Record(_ context.Context, entry hospital.AuditEntry) error {
	r.trail = append(r.trail, entry.Action+" "+entry.Outcome)
	return nil
}

func ExampleGate_Open() {
	ctx, book := context.Background(), &registry{}
	gate := hospital.NewGate(book, time.Now)
	user := hospital.Actor{Kind: hospital.ActorUser, ID: "u1", Entry: hospital.EntryWeChat}

	scope, err := gate.Open(ctx, user, "P1")
	fmt.Println(err)
	patient, err := scope.Use(ctx, hospital.Access{Purpose: "care", Action: "report.read"})
	fmt.Println(patient, err, book.trail)

	_, err = gate.Open(ctx, user, "P2")
	fmt.Println(hospital.KindOf(err))
	// Output:
	// <nil>
	// P1 <nil> [report.read ok]
	// not_found
}
