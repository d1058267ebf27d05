package his

import (
	"context"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/internal/wire"
)

// Bills implements [Billing].
func (c *Client) Bills(ctx context.Context, patient hospital.PatientID) ([]Bill, error) {
	o := reads("Bills")
	answer, err := ask[wire.BillsAnswer](ctx, c, o, wire.PatientRequest{Patient: patient})
	if err != nil {
		return nil, err
	}
	return each(answer.Bills, bill, func(b Bill) error { return o.samePatient(patient, b.Patient) })
}

// Bill implements [Billing].
func (c *Client) Bill(ctx context.Context, patient hospital.PatientID, id BillID) (Bill, error) {
	o := reads("Bill")
	answer, err := ask[wire.BillAnswer](ctx, c, o, wire.BillRequest{Patient: patient, Bill: string(id)})
	if err != nil {
		return Bill{}, err
	}
	found := bill(answer.Bill)
	if err := first(o.samePatient(patient, found.Patient), o.same(found.ID == id, "wrong_bill", "bill")); err != nil {
		return Bill{}, err
	}
	return found, nil
}

func bill(w wire.Bill) Bill {
	items := make([]BillItem, 0, len(w.Items))
	for _, item := range w.Items {
		items = append(items, BillItem(item))
	}
	if len(items) == 0 {
		items = nil
	}
	return Bill{
		ID: BillID(w.ID), Patient: w.Patient, State: BillState(w.State), Department: w.Department, Doctor: w.Doctor, Kind: w.Kind,
		Amount: w.Amount, Quote: w.Quote, PayOnline: w.PayOnline, CreatedAt: w.CreatedAt, Items: items, Place: w.Place, Opaque: w.Opaque,
	}
}

// Settle implements [Billing].
func (c *Client) Settle(ctx context.Context, request SettleRequest) (Payment, error) {
	o := changes("Settle")
	if err := o.validKey(request.Key); err != nil {
		return Payment{}, err
	}
	answer, err := ask[wire.PaymentAnswer](ctx, c, o, wire.SettleRequest{
		Key: request.Key, Bill: string(request.Bill), Patient: request.Patient, Amount: request.Amount, Quote: request.Quote,
		Receipt: request.Receipt, Channel: request.Channel, TradeNo: request.TradeNo, PaidAt: request.PaidAt, Opaque: request.Opaque,
	})
	if err != nil {
		return Payment{}, err
	}
	if err := first(
		o.sameKey(request.Key, answer.Payment.Key),
		o.samePatient(request.Patient, answer.Payment.Patient),
		o.same(answer.Payment.Amount == request.Amount, "wrong_amount", "amount"),
		o.same(!answer.Payment.Reversed, "wrong_state", "payment than one in force"),
		o.same(answer.Payment.Receipt == "" || answer.Payment.Receipt == request.Receipt, "wrong_receipt", "receipt"),
	); err != nil {
		return Payment{}, err
	}
	return Payment(answer.Payment), nil
}

// FindPayment implements [Billing].
func (c *Client) FindPayment(ctx context.Context, key hospital.Key) (Payment, error) {
	o := reads("FindPayment")
	if err := o.validKey(key); err != nil {
		return Payment{}, err
	}
	answer, err := ask[wire.PaymentAnswer](ctx, c, o, wire.KeyRequest{Key: key})
	if err != nil {
		return Payment{}, err
	}
	if err := o.sameKey(key, answer.Payment.Key); err != nil {
		return Payment{}, err
	}
	return Payment(answer.Payment), nil
}

// Reverse implements [Billing].
func (c *Client) Reverse(ctx context.Context, key hospital.Key) error {
	return c.undo(ctx, changes("Reverse"), key)
}

// Settlements implements [Settlements].
func (c *Client) Settlements(ctx context.Context, day hospital.Date) ([]Settlement, error) {
	o := reads("Settlements")
	answer, err := ask[wire.SettlementsAnswer](ctx, c, o, wire.DayRequest{Day: day})
	if err != nil {
		return nil, err
	}
	return each(answer.Settlements, settlement, func(s Settlement) error {
		return o.same(hospital.DateOf(s.BookedAt) == day, "wrong_day", "day")
	})
}

// FindSettlements implements [Settlements].
func (c *Client) FindSettlements(ctx context.Context, key hospital.Key) ([]Settlement, error) {
	o := reads("FindSettlements")
	if err := o.validKey(key); err != nil {
		return nil, err
	}
	answer, err := ask[wire.SettlementsAnswer](ctx, c, o, wire.KeyRequest{Key: key})
	if err != nil {
		return nil, err
	}
	return each(answer.Settlements, settlement, func(s Settlement) error { return o.sameKey(key, s.Key) })
}

func settlement(w wire.Settlement) Settlement { return Settlement(w) }
