package hospital

import "time"

// Purpose is what money is owed for. One purpose has at most one live order.
type Purpose struct {
	Kind PurposeKind
	ID   string // ours or the HIS's, unique within the kind
}

// PurposeKind is the sort of thing that is paid.
type PurposeKind string

// The purposes of a payment.
const (
	ForRegistration PurposeKind = "registration" // 挂号费
	ForBill         PurposeKind = "bill"         // 门诊账单
	ForDeposit      PurposeKind = "deposit"      // 住院押金
)

// Charge asks the cashier to take an amount for a purpose. The amount is the
// HIS's, never the client's. Opening the same charge twice is one order.
type Charge struct {
	Key          Key
	Purpose      Purpose
	Campus       CampusID // picks the merchant
	Patient      PatientID
	Actor        Actor
	Amount       Fen
	QuoteVersion string // the HIS's version of the quote, "" when it has none
	Description  string // what the payer reads on the pay sheet; no medical word
	Expires      time.Time
}

// Delivery tells whoever asked for a charge that it was paid.
type Delivery struct {
	Key     Key // of the charge, the same on every attempt
	Purpose Purpose
	Amount  Fen
	Receipt string // our proof of the payment, the same on every attempt
	Channel string
	TradeNo string // the channel's number of the payment
	PaidAt  time.Time
	Again   bool // an earlier attempt may have reached the far side: ask by key before calling
}

// Event says that something happened to something, without personal data.
// Whoever renders a message reads the current state by ID.
type Event struct {
	Kind string // "appt.booked"
	ID   string
}
