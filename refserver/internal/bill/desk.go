package bill

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/payment"
)

const (
	defaultPayWithin   = 30 * time.Minute
	defaultCallTimeout = 12 * time.Second // longer than the HIS client's own
	clockSkew          = time.Second      // how far the wall clocks of two hosts may be apart
	description        = "门诊缴费"           // what the payer reads: no medical word
)

// Config of a Desk.
type Config struct {
	DB      *sqldb.DB   // required
	Billing his.Billing // required
	// Settle is what the HIS promises for that call.
	Settle hospital.Assurance
	// PayWithin is how long a quote can be paid. Default 30 minutes.
	PayWithin time.Duration
	// CallTimeout bounds one call of the HIS. Default 12 s.
	CallTimeout time.Duration
	Now         func() time.Time // the business clock; default time.Now
	Wall        func() time.Time // the host's clock; default time.Now
}

// Desk is 门诊收费. It is safe for concurrent use, also by several processes.
type Desk struct{ cfg Config }

var _ payment.Deliverer = (*Desk)(nil)

// New checks the configuration and brings the tables up to date.
func New(ctx context.Context, cfg Config) (*Desk, error) {
	if cfg.DB == nil || cfg.Billing == nil || cfg.PayWithin < 0 || cfg.CallTimeout < 0 {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "bill.New", Code: "bad_config", Detail: "DB and Billing are required; PayWithin and CallTimeout are not negative"}
	}
	if cfg.PayWithin == 0 {
		cfg.PayWithin = defaultPayWithin
	}
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = defaultCallTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wall == nil {
		cfg.Wall = time.Now
	}
	if err := migrate(ctx, cfg.DB); err != nil {
		return nil, err
	}
	return &Desk{cfg: cfg}, nil
}

// QuoteRequest asks what a bill costs now.
type QuoteRequest struct {
	Bill   his.BillID
	Campus hospital.CampusID // picks the merchant
	// Shown is the version the patient saw, "" to take what is owed now.
	Shown string
	// Closed is the key of an earlier charge of the bill that the cashier has
	// closed: it is not returned again.
	Closed hospital.Key
}

// Quote asks the HIS and returns the charge to open at the cashier: the same
// one while it can be paid. Its amount is the HIS's. NotFound: a bill of
// somebody else and none, alike. Conflict bill_paid, bill_cancelled,
// bill_changed (Shown is no longer what is owed); Rejected pay_at_desk.
func (d *Desk) Quote(ctx context.Context, scope hospital.PatientScope, q QuoteRequest) (hospital.Charge, error) {
	patient, err := scope.Use(ctx, hospital.Access{Purpose: "payment", Action: "bill.quote", Object: string(q.Bill)})
	if err != nil {
		return hospital.Charge{}, err
	}
	b, err := d.cfg.Billing.Bill(ctx, patient, q.Bill)
	if err != nil {
		return hospital.Charge{}, err
	}
	if err := payable(b, patient, q); err != nil {
		return hospital.Charge{}, err
	}
	now := d.cfg.Now()
	r := row{state: quoted, Opaque: b.Opaque, Charge: hospital.Charge{
		Key: hospital.Key(hospital.NewID("z", now)), Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: string(b.ID)}, Campus: q.Campus,
		Patient: patient, Actor: scope.Actor(), Amount: b.Amount, QuoteVersion: b.Quote, Description: description,
		Expires: now.Add(d.cfg.PayWithin).Truncate(time.Second),
	}}
	old, ok, err := d.live(ctx, r.Charge, q.Closed)
	if err != nil || ok && old.Charge.Actor == r.Charge.Actor && old.Charge.Campus == r.Charge.Campus {
		return old.Charge, err
	}
	if _, err := d.insert(ctx, r, scope.Actor(), "bill.quoted"); err != nil {
		return hospital.Charge{}, err
	}
	return r.Charge, nil
}

func payable(b his.Bill, patient hospital.PatientID, q QuoteRequest) error {
	fail := func(kind hospital.Kind, code, message string) error {
		return &hospital.Error{Kind: kind, Op: "bill.Quote", Code: code, Message: message}
	}
	switch {
	case b.Patient != patient || b.ID != q.Bill:
		return fail(hospital.NotFound, "no_such_bill", "")
	case b.State == his.BillPaid:
		return fail(hospital.Conflict, "bill_paid", "这张账单已经缴过费了，请勿重复缴费。")
	case b.State != his.BillUnpaid:
		return fail(hospital.Conflict, "bill_cancelled", "这张账单已作废，如有疑问请咨询收费窗口。")
	case !b.PayOnline || b.Amount <= 0:
		return fail(hospital.Rejected, "pay_at_desk", "这张账单不能线上缴费，请到收费窗口办理。")
	case q.Shown != "" && q.Shown != b.Quote:
		return fail(hospital.Conflict, "bill_changed", "账单金额有变化，请核对最新金额后再缴费。")
	}
	return nil
}
