package histest

import (
	"context"
	"fmt"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

func depositChecks() []check {
	return []check{
		{"a stay is shown to its patient only", "Inpatient second", checkAdmission},
		{"a deposit is booked once and reversed once", "Deposits PayDeposit.Idempotent PayDeposit.Queryable PayDeposit.Cancellable", checkDeposit},
		{"a deposit for a stranger's stay is refused", "Deposits second", checkForeignDeposit},
		{"an empty patient stands in no queue", "Queue", checkQueue},
	}
}

func checkAdmission(ctx context.Context, t *Trial) error {
	mine, err := t.System.Inpatient.Admissions(ctx, t.Patient)
	if err != nil {
		return done("Admissions", err)
	}
	found := false
	for _, a := range mine {
		if a.Patient != t.Patient {
			return fmt.Errorf("the list of stays holds another patient's")
		}
		found = found || a.ID == t.Admission
	}
	if !found {
		return fmt.Errorf("stay %s is missing", t.Admission)
	}
	_, err = t.System.Inpatient.DailyList(ctx, t.Second, t.Admission, hospital.DateOf(t.Now()).AddDays(-1))
	if err := want("the daily list of a stranger's stay", err, hospital.NotFound); err != nil {
		return err
	}
	_, err = t.System.Inpatient.Admissions(ctx, "")
	return want("Admissions of an empty patient", err, hospital.Invalid)
}

func (t *Trial) deposit(patient hospital.PatientID) his.DepositRequest {
	key := t.key()
	return his.DepositRequest{
		Key: key, Admission: t.Admission, Patient: patient, Amount: 100_05, Receipt: "rc-" + string(key),
		Channel: "wechatpay", TradeNo: "tn-" + string(key), PaidAt: t.Now(),
	}
}

func checkDeposit(ctx context.Context, t *Trial) error {
	request := t.deposit(t.Patient)
	for range 2 {
		p, err := t.System.Deposits.PayDeposit(ctx, request)
		if err != nil {
			return done("PayDeposit, and again", err)
		}
		if err := same("amount of the deposit", p.Amount, request.Amount); err != nil {
			return err
		}
	}
	if err := t.rowsAre(ctx, request.Key, request.Amount); err != nil {
		return err
	}
	all, err := t.System.Deposits.Deposits(ctx, t.Patient, t.Admission)
	if err != nil {
		return done("Deposits", err)
	}
	booked := 0
	for _, p := range all {
		if p.Key == request.Key {
			booked++
		}
	}
	if err := same("deposits under one key", booked, 1); err != nil {
		return err
	}
	for range 2 {
		if err := t.System.Deposits.ReverseDeposit(ctx, request.Key); err != nil {
			return done("ReverseDeposit, and again", err)
		}
	}
	p, err := t.System.Deposits.FindDeposit(ctx, request.Key)
	if err == nil && !p.Reversed {
		return fmt.Errorf("a reversed deposit is still booked")
	}
	_, err = t.System.Deposits.FindDeposit(ctx, t.key())
	if err := want("FindDeposit of a key that was never used", err, hospital.NotFound); err != nil {
		return err
	}
	return t.rowsAre(ctx, request.Key, request.Amount, -request.Amount)
}

func checkForeignDeposit(ctx context.Context, t *Trial) error {
	_, err := t.System.Deposits.PayDeposit(ctx, t.deposit(t.Second))
	return want("PayDeposit for a stranger's stay", err, hospital.Rejected, hospital.NotFound)
}

func checkQueue(ctx context.Context, t *Trial) error {
	_, err := t.System.Queue.Places(ctx, "")
	return want("Places of an empty patient", err, hospital.Invalid)
}
