package his

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
)

// BillID is the HIS's identifier of a bill.
type BillID string

// BillState says whether a bill is still owed.
type BillState string

// The states of a bill.
const (
	BillUnpaid    BillState = "unpaid"
	BillPaid      BillState = "paid"
	BillCancelled BillState = "cancelled"
)

// Bill is 门诊账单, a quote by the HIS: what is owed for a visit's items.
type Bill struct {
	ID         BillID
	Patient    hospital.PatientID
	State      BillState
	Department string
	Doctor     string
	Kind       string // 药品费, 检查费, 检验费, 治疗费
	Amount     hospital.Fen
	Quote      string // version of the sum; a payment names the version it was quoted
	PayOnline  bool
	CreatedAt  time.Time
	Items      []BillItem // only in the answer of Billing.Bill
	Place      string     // where to go after paying: 取药窗口, 检查室
	Opaque     string
}

// BillItem is 费用明细, one line of a bill.
type BillItem struct {
	Code     string
	Name     string
	Unit     string
	Quantity string // as the HIS prints it; a quantity is not money and may have decimals
	Amount   hospital.Fen
}

// Payment is what the HIS booked under one of our keys.
type Payment struct {
	Key       hospital.Key
	HISNo     string // 收据号
	Patient   hospital.PatientID
	Amount    hospital.Fen
	Receipt   string
	Reversed  bool
	BookedAt  time.Time
	PickUpAt  string // 取药窗口
	InvoiceNo string // 发票号
}

// SettleRequest tells the HIS that a bill was paid.
type SettleRequest struct {
	Key     hospital.Key
	Bill    BillID
	Patient hospital.PatientID
	Amount  hospital.Fen
	Quote   string
	Receipt string
	Channel string
	TradeNo string
	PaidAt  time.Time
	Opaque  string
}

// Billing is 诊间支付.
type Billing interface {
	// Bills returns the patient's unpaid bills without items.
	Bills(ctx context.Context, patient hospital.PatientID) ([]Bill, error)
	// Bill returns one bill of the patient with its items, as it is owed now.
	// NotFound for a bill of somebody else and for none, alike.
	Bill(ctx context.Context, patient hospital.PatientID, id BillID) (Bill, error)
	// Settle books the payment. Conflict bill_changed: quoted anew. Conflict
	// bill_paid: settled under another key. Rejected: a wrong sum or patient.
	Settle(ctx context.Context, request SettleRequest) (Payment, error)
	// FindPayment returns what was booked under the key; NotFound for nothing.
	FindPayment(ctx context.Context, key hospital.Key) (Payment, error)
	// Reverse undoes the payment (冲正). Nil means it is certainly not booked.
	Reverse(ctx context.Context, key hospital.Key) error
}
