package histest

import (
	"context"
	"fmt"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

func confirmChecks() []check {
	return []check{
		{"a hold becomes firm without money", "Registrar", checkFirm},
		{"a fee is booked to the fen", "Registrar fee", checkPaid},
		{"a wrong sum is refused", "Registrar fee", checkWrongSum},
		{"another patient cannot confirm", "Registrar second", checkWrongPatient},
		{"the same payment is booked once", "Registrar fee Confirm.Idempotent", checkPaidTwice},
		{"a payment whose answer was lost is found by its key", "Registrar fee Confirm.Queryable lose-answer", checkConfirmAnswerLost},
		{"a payment whose request was lost is not booked", "Registrar fee Confirm.Queryable lose-request", checkConfirmRequestLost},
		{"a fee and its refund stand in the settlements once each", "Registrar Settlements fee Cancel.Idempotent", checkFeeSettlements},
		{"the window's sales stand in the settlements without our key", "Registrar Settlements window", checkWindowSettlements},
		{"a patient checks in on the day of the visit", "Registrar Desk advance", checkCheckIn},
	}
}

// payment is the request that confirms a hold with its fee paid.
func (t *Trial) payment(request hospital.HoldRequest, hold hospital.Hold) hospital.ConfirmRequest {
	return hospital.ConfirmRequest{
		Key: request.Key, Patient: request.Patient, Hold: hold, Paid: t.Fee, Receipt: "rc-" + string(request.Key),
		Channel: "wechatpay", TradeNo: "tn-" + string(request.Key), PaidAt: t.Now(),
	}
}

// pay holds a number and books its fee.
func (t *Trial) pay(ctx context.Context) (hospital.ConfirmRequest, hospital.Registration, error) {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return hospital.ConfirmRequest{}, hospital.Registration{}, err
	}
	confirm := t.payment(request, hold)
	r, err := t.System.Registrar.Confirm(ctx, confirm)
	return confirm, r, done("Confirm with the fee", err)
}

func checkFirm(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	r, err := t.System.Registrar.Confirm(ctx, hospital.ConfirmRequest{Key: request.Key, Patient: request.Patient, Hold: hold})
	if err != nil {
		return done("Confirm without money", err)
	}
	if err := same("patient of the registration", r.Patient, t.Patient); err != nil {
		return err
	}
	if err := same("state after Confirm", r.State, hospital.RegistrationRegistered); err != nil {
		return err
	}
	if t.Advance == nil || !t.System.Assurances.Confirm.Queryable {
		return nil
	}
	t.Advance(t.HoldFor + time.Minute)
	r, err = t.System.Registrar.Find(ctx, request.Key)
	if err != nil {
		return done("Find of a firm registration", err)
	}
	return same("state of a firm registration after the hold's time", r.State, hospital.RegistrationRegistered)
}

func checkPaid(ctx context.Context, t *Trial) error {
	confirm, r, err := t.pay(ctx)
	if err != nil {
		return err
	}
	return t.isPaid(ctx, confirm, r)
}

// isPaid compares the answer, and what Find says, with the payment.
func (t *Trial) isPaid(ctx context.Context, confirm hospital.ConfirmRequest, r hospital.Registration) error {
	answers := []hospital.Registration{r}
	if t.System.Assurances.Confirm.Queryable {
		found, err := t.System.Registrar.Find(ctx, confirm.Key)
		if err != nil {
			return done("Find of a paid registration", err)
		}
		answers = append(answers, found)
	}
	for _, a := range answers {
		if a.Patient != confirm.Patient || a.State != hospital.RegistrationRegistered || a.Paid != confirm.Paid {
			return fmt.Errorf("paid %s for %s: the HIS says %s, paid %s, for another: %t",
				confirm.Paid.Yuan(), confirm.Key, a.State, a.Paid.Yuan(), a.Patient != confirm.Patient)
		}
	}
	return nil
}

func checkWrongSum(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	for _, wrong := range []hospital.Fen{t.Fee - 1, t.Fee + 1, t.Fee * 100} {
		confirm := t.payment(request, hold)
		confirm.Paid = wrong
		_, err := t.System.Registrar.Confirm(ctx, confirm)
		if err := want("Confirm with "+wrong.Yuan()+" of "+t.Fee.Yuan(), err, hospital.Rejected, hospital.Invalid); err != nil {
			return err
		}
	}
	r, err := t.System.Registrar.Confirm(ctx, t.payment(request, hold))
	if err != nil {
		return done("Confirm with the right sum after wrong ones", err)
	}
	return same("booked after wrong sums", r.Paid, t.Fee)
}

func checkWrongPatient(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	_, err = t.System.Registrar.Confirm(ctx, hospital.ConfirmRequest{Key: request.Key, Patient: t.Second, Hold: hold})
	return want("Confirm for another patient", err, hospital.Rejected, hospital.Conflict, hospital.NotFound)
}

func checkPaidTwice(ctx context.Context, t *Trial) error {
	confirm, first, err := t.pay(ctx)
	if err != nil {
		return err
	}
	again, err := t.System.Registrar.Confirm(ctx, confirm)
	if err != nil {
		return done("the same payment again", err)
	}
	if err := same("booked by the same payment twice", again.Paid, first.Paid); err != nil {
		return err
	}
	other := confirm
	other.Receipt += "x"
	other.TradeNo += "x"
	_, err = t.System.Registrar.Confirm(ctx, other)
	if err := want("a second payment under another receipt", err, hospital.Rejected, hospital.Conflict); err != nil {
		return err
	}
	return t.rowsAre(ctx, confirm.Key, confirm.Paid)
}

// rowsAre compares the settlement rows under a key, where they are offered.
func (t *Trial) rowsAre(ctx context.Context, key hospital.Key, amounts ...hospital.Fen) error {
	if t.System.Settlements == nil {
		return nil
	}
	rows, err := t.System.Settlements.FindSettlements(ctx, key)
	if err != nil {
		return done("FindSettlements", err)
	}
	day, err := t.System.Settlements.Settlements(ctx, hospital.DateOf(t.Now()))
	if err != nil {
		return done("Settlements", err)
	}
	var ofKey []his.Settlement
	for _, row := range day {
		if row.Key == key {
			ofKey = append(ofKey, row)
		}
	}
	for _, found := range [][]his.Settlement{rows, ofKey} {
		var got []hospital.Fen
		for _, row := range found {
			got = append(got, row.Amount)
		}
		if err := same("settlement rows of "+string(key), fmt.Sprint(got), fmt.Sprint(amounts)); err != nil {
			return err
		}
	}
	return nil
}

func checkConfirmAnswerLost(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	confirm := t.payment(request, hold)
	t.LoseAnswer(OpConfirm)
	_, err = t.System.Registrar.Confirm(ctx, confirm)
	if err := want("Confirm whose answer was lost", err, hospital.Indeterminate); err != nil {
		return err
	}
	found, err := t.System.Registrar.Find(ctx, request.Key)
	if err != nil {
		return done("Find after a lost answer", err)
	}
	return t.isPaid(ctx, confirm, found)
}

func checkConfirmRequestLost(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	t.LoseRequest(OpConfirm)
	_, err = t.System.Registrar.Confirm(ctx, t.payment(request, hold))
	if err := want("Confirm whose request was lost", err, hospital.Indeterminate, hospital.Unavailable); err != nil {
		return err
	}
	found, err := t.System.Registrar.Find(ctx, request.Key)
	if err != nil {
		return done("Find after a lost request", err)
	}
	if err := same("booked by a payment that never arrived", found.Paid, 0); err != nil {
		return err
	}
	return t.rowsAre(ctx, request.Key)
}

func checkFeeSettlements(ctx context.Context, t *Trial) error {
	confirm, _, err := t.pay(ctx)
	if err != nil {
		return err
	}
	if err := t.rowsAre(ctx, confirm.Key, confirm.Paid); err != nil {
		return err
	}
	rows, err := t.System.Settlements.FindSettlements(ctx, confirm.Key)
	if err != nil {
		return done("FindSettlements", err)
	}
	row := rows[0]
	got := [5]string{string(row.Purpose), string(row.Patient), row.Channel, row.TradeNo, row.Receipt}
	if err := same("settlement row", got, [5]string{string(hospital.ForRegistration), string(confirm.Patient), confirm.Channel, confirm.TradeNo, confirm.Receipt}); err != nil {
		return err
	}
	for range 2 {
		if err := t.System.Registrar.Cancel(ctx, confirm.Key); err != nil {
			return done("Cancel of a paid registration", err)
		}
	}
	return t.rowsAre(ctx, confirm.Key, confirm.Paid, -confirm.Paid)
}

func checkWindowSettlements(ctx context.Context, t *Trial) error {
	if err := t.SellAtWindow(t.Slot); err != nil {
		return done("the window sells", err)
	}
	rows, err := t.System.Settlements.Settlements(ctx, hospital.DateOf(t.Now()))
	if err != nil {
		return done("Settlements", err)
	}
	if err := same("settlement rows after one sale at the window", len(rows), 1); err != nil {
		return err
	}
	if rows[0].Key != "" || rows[0].Amount <= 0 || rows[0].Entry == hospital.EntryWeChat {
		return fmt.Errorf("the window's row carries key %q, entry %q, amount %s", rows[0].Key, rows[0].Entry, rows[0].Amount.Yuan())
	}
	return nil
}

func checkCheckIn(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	_, err = t.System.Desk.CheckIn(ctx, request.Key)
	if err := want("CheckIn of a hold", err, hospital.Rejected); err != nil {
		return err
	}
	if _, err := t.System.Registrar.Confirm(ctx, hospital.ConfirmRequest{Key: request.Key, Patient: request.Patient, Hold: hold}); err != nil {
		return done("Confirm", err)
	}
	_, err = t.System.Desk.CheckIn(ctx, request.Key)
	if err := want("CheckIn before the day", err, hospital.Rejected); err != nil {
		return err
	}
	if err := t.toTheVisit(ctx); err != nil {
		return err
	}
	for range 2 {
		r, err := t.System.Desk.CheckIn(ctx, request.Key)
		if err != nil {
			return done("CheckIn on the day", err)
		}
		if err := same("state after CheckIn", r.State, hospital.RegistrationArrived); err != nil {
			return err
		}
		if !t.System.Assurances.CheckIn.Idempotent {
			return nil
		}
	}
	return nil
}

// toTheVisit moves the clock to the start of the trial's slot.
func (t *Trial) toTheVisit(ctx context.Context) error {
	s, err := t.slotNow(ctx)
	if err != nil {
		return err
	}
	if s.Start.IsZero() {
		return fmt.Errorf("the day of a slot is not known without Scheduling")
	}
	t.Advance(s.Start.Sub(t.Now()))
	return nil
}
