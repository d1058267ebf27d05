package payment_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

// bills settles bills at the HIS; here it believes everything.
type bills struct{}

func (bills) Deliver(_ context.Context, d hospital.Delivery) error {
	fmt.Println("HIS:", d.Purpose.ID, "paid", d.Amount)
	return nil
}

func (bills) Withdraw(context.Context, hospital.Key) error { return nil }

func Example() {
	ctx := context.Background()
	var cashier *payment.Cashier
	till := paymenttest.NewTill("till", time.Now, func(n payment.Notice) {
		fmt.Println("notice acknowledged:", cashier.Notify(ctx, n) == nil)
	})
	cashier, err := payment.New(payment.Config{
		Store:      paymenttest.NewMemory(time.Now),
		Channels:   map[string]payment.Channel{"till": till},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: bills{}},
	})
	if err != nil {
		panic(err)
	}

	charge := hospital.Charge{
		Key: "bill-20261121-7", Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: "20261121-7"},
		Amount: 12550, Description: "门诊缴费", Expires: time.Now().Add(30 * time.Minute),
	}
	fmt.Println("opened:", cashier.Open(ctx, charge) == nil, cashier.Open(ctx, charge) == nil)
	sheet, err := cashier.Pay(ctx, payment.PayRequest{Charge: charge.Key, Channel: "till", Payer: "openid-1"})
	if err != nil {
		panic(err)
	}
	if err := till.Pay(sheet.TradeNo); err != nil { // the patient pays
		panic(err)
	}
	if _, err := cashier.Advance(ctx); err != nil { // Run does this by itself
		panic(err)
	}
	if err := cashier.Refund(ctx, charge.Key, "bill_withdrawn"); err != nil {
		panic(err)
	}
	if _, err := cashier.Advance(ctx); err != nil {
		panic(err)
	}
	order, err := cashier.Find(ctx, charge.Key)
	if err != nil {
		panic(err)
	}
	fmt.Println(order.State, till.Returned(sheet.TradeNo))
	balances, err := cashier.Balances(ctx)
	fmt.Println(balances, err)
	// Output:
	// opened: true true
	// notice acknowledged: true
	// HIS: 20261121-7 paid 125.50元
	// notice acknowledged: true
	// refunded 125.50元
	// [] <nil>
}
