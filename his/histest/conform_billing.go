package histest

import (
	"context"
	"fmt"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

func billChecks() []check {
	return []check{
		{"a bill is owed to the fen", "Billing", checkBill},
		{"a stranger's bill and none answer alike", "Billing second", checkForeignBill},
		{"a bill is paid once", "Billing Settle.Idempotent Settle.Queryable", checkSettle},
		{"a wrong sum for a bill is refused", "Billing second", checkSettleWrong},
		{"a bill quoted anew is refused at the old quote", "Billing change-bill", checkRequoted},
		{"a bill's payment whose answer was lost is found by its key", "Billing Settle.Queryable lose-answer", checkSettleAnswerLost},
		{"a payment that was never made is NotFound", "Billing Settle.Queryable", checkFindNoPayment},
		{"a payment is reversed once", "Billing Settle.Cancellable Reverse.Idempotent", checkReverse},
		{"a reversal before a late payment is final", "Billing Settle.Cancellable", checkLateSettle},
	}
}

// bill makes the patient owe an amount and reads it back with its items.
func (t *Trial) bill(ctx context.Context, amount hospital.Fen) (his.Bill, error) {
	id, err := t.AddBill(t.Patient, amount)
	if err != nil {
		return his.Bill{}, done("adding a bill", err)
	}
	b, err := t.System.Billing.Bill(ctx, t.Patient, id)
	if err != nil {
		return b, done("Bill", err)
	}
	return b, same("amount of the bill", b.Amount, amount)
}

func (t *Trial) settlement(b his.Bill) his.SettleRequest {
	key := t.key()
	return his.SettleRequest{
		Key: key, Bill: b.ID, Patient: t.Patient, Amount: b.Amount, Quote: b.Quote, Receipt: "rc-" + string(key),
		Channel: "wechatpay", TradeNo: "tn-" + string(key), PaidAt: t.Now(), Opaque: b.Opaque,
	}
}

func checkBill(ctx context.Context, t *Trial) error {
	for _, amount := range []hospital.Fen{10, 1205, 100, 123456} {
		b, err := t.bill(ctx, amount)
		if err != nil {
			return err
		}
		if err := same("sum of the items", sum(b.Items), amount); err != nil {
			return err
		}
		if err := same("patient of the bill", b.Patient, t.Patient); err != nil {
			return err
		}
		list, err := t.System.Billing.Bills(ctx, t.Patient)
		if err != nil {
			return done("Bills", err)
		}
		found := false
		for _, one := range list {
			if one.Patient != t.Patient || one.State != his.BillUnpaid {
				return fmt.Errorf("the list of unpaid bills holds one that is %s or another patient's", one.State)
			}
			found = found || (one.ID == b.ID && one.Amount == amount)
		}
		if !found {
			return fmt.Errorf("the list of unpaid bills lacks one over %s", amount.Yuan())
		}
	}
	_, err := t.System.Billing.Bills(ctx, "")
	return want("Bills of an empty patient", err, hospital.Invalid)
}

func checkForeignBill(ctx context.Context, t *Trial) error {
	b, err := t.bill(ctx, 1205)
	if err != nil {
		return err
	}
	_, foreign := t.System.Billing.Bill(ctx, t.Second, b.ID)
	if err := want("a stranger's bill", foreign, hospital.NotFound); err != nil {
		return err
	}
	_, none := t.System.Billing.Bill(ctx, t.Second, nowhere)
	return wantCode("a bill that does not exist", none, hospital.NotFound, hospital.CodeOf(foreign))
}

func checkSettle(ctx context.Context, t *Trial) error {
	b, err := t.bill(ctx, 1205)
	if err != nil {
		return err
	}
	request := t.settlement(b)
	for range 2 {
		p, err := t.System.Billing.Settle(ctx, request)
		if err != nil {
			return done("Settle, and again", err)
		}
		if err := t.isBooked(p, request); err != nil {
			return err
		}
	}
	found, err := t.System.Billing.FindPayment(ctx, request.Key)
	if err != nil {
		return done("FindPayment", err)
	}
	if err := t.isBooked(found, request); err != nil {
		return err
	}
	_, err = t.System.Billing.Settle(ctx, t.settlement(b))
	if err := wantCode("Settle of a paid bill", err, hospital.Conflict, "bill_paid"); err != nil {
		return err
	}
	return t.rowsAre(ctx, request.Key, request.Amount)
}

func (t *Trial) isBooked(p his.Payment, request his.SettleRequest) error {
	if p.Key != request.Key || p.Patient != request.Patient || p.Amount != request.Amount || p.Reversed {
		return fmt.Errorf("paid %s under %s: the HIS says %s under %s, reversed %t, for another: %t",
			request.Amount.Yuan(), request.Key, p.Amount.Yuan(), p.Key, p.Reversed, p.Patient != request.Patient)
	}
	return nil
}

func checkSettleWrong(ctx context.Context, t *Trial) error {
	b, err := t.bill(ctx, 1205)
	if err != nil {
		return err
	}
	for _, wrong := range []hospital.Fen{1204, 1206, 120500} {
		request := t.settlement(b)
		request.Amount = wrong
		_, err := t.System.Billing.Settle(ctx, request)
		if err := want("Settle of 12.05 with "+wrong.Yuan(), err, hospital.Rejected, hospital.Invalid); err != nil {
			return err
		}
	}
	request := t.settlement(b)
	request.Patient = t.Second
	_, err = t.System.Billing.Settle(ctx, request)
	if err := want("Settle for another patient", err, hospital.Rejected, hospital.NotFound); err != nil {
		return err
	}
	_, err = t.System.Billing.Settle(ctx, t.settlement(b))
	return done("Settle with the right sum after wrong ones", err)
}

func checkRequoted(ctx context.Context, t *Trial) error {
	b, err := t.bill(ctx, 1205)
	if err != nil {
		return err
	}
	if err := t.ChangeBill(b.ID); err != nil {
		return done("changing the bill", err)
	}
	_, err = t.System.Billing.Settle(ctx, t.settlement(b))
	if err := wantCode("Settle at an old quote", err, hospital.Conflict, "bill_changed"); err != nil {
		return err
	}
	anew, err := t.System.Billing.Bill(ctx, t.Patient, b.ID)
	if err != nil {
		return done("Bill", err)
	}
	_, err = t.System.Billing.Settle(ctx, t.settlement(anew))
	return done("Settle at the new quote", err)
}

func checkSettleAnswerLost(ctx context.Context, t *Trial) error {
	b, err := t.bill(ctx, 1205)
	if err != nil {
		return err
	}
	request := t.settlement(b)
	t.LoseAnswer(OpSettle)
	_, err = t.System.Billing.Settle(ctx, request)
	if err := want("Settle whose answer was lost", err, hospital.Indeterminate); err != nil {
		return err
	}
	p, err := t.System.Billing.FindPayment(ctx, request.Key)
	if err != nil {
		return done("FindPayment after a lost answer", err)
	}
	return t.isBooked(p, request)
}

func checkFindNoPayment(ctx context.Context, t *Trial) error {
	_, err := t.System.Billing.FindPayment(ctx, t.key())
	return want("FindPayment of a key that was never used", err, hospital.NotFound)
}

func checkReverse(ctx context.Context, t *Trial) error {
	b, err := t.bill(ctx, 1205)
	if err != nil {
		return err
	}
	request := t.settlement(b)
	if _, err := t.System.Billing.Settle(ctx, request); err != nil {
		return done("Settle", err)
	}
	for range 2 {
		if err := t.System.Billing.Reverse(ctx, request.Key); err != nil {
			return done("Reverse, and again", err)
		}
	}
	p, err := t.System.Billing.FindPayment(ctx, request.Key)
	if err == nil && !p.Reversed {
		return fmt.Errorf("a reversed payment is still booked")
	}
	if err != nil && hospital.KindOf(err) != hospital.NotFound {
		return done("FindPayment of a reversed payment", err)
	}
	owed, err := t.System.Billing.Bill(ctx, t.Patient, b.ID)
	if err != nil {
		return done("Bill after a reversal", err)
	}
	if err := same("state of a bill after a reversal", owed.State, his.BillUnpaid); err != nil {
		return err
	}
	return t.rowsAre(ctx, request.Key, request.Amount, -request.Amount)
}

func checkLateSettle(ctx context.Context, t *Trial) error {
	b, err := t.bill(ctx, 1205)
	if err != nil {
		return err
	}
	request := t.settlement(b)
	for range 2 {
		if err := t.System.Billing.Reverse(ctx, request.Key); err != nil {
			return done("Reverse of what was never booked", err)
		}
	}
	_, err = t.System.Billing.Settle(ctx, request)
	if err := want("a payment that arrives after its reversal", err, hospital.Rejected, hospital.Conflict); err != nil {
		return err
	}
	return t.rowsAre(ctx, request.Key)
}
