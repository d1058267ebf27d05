package histest

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// What the patient does on the phone, through the adapter.

func (s *stage) holdsNumber(ctx context.Context, words map[string]string) played {
	number, err := count(words["number"])
	if err != nil {
		return played{err: err}
	}
	as, patient := words["as"], s.person(words["for"])
	hold, err := s.far.Registrar.Hold(ctx, hospital.HoldRequest{
		Key: s.key(as), Schedule: s.slot.Schedule, Slot: s.slot.ID, Patient: patient, Kind: hospital.Advance,
		Entry: hospital.EntryWeChat, Number: number, Opaque: s.slot.Opaque,
	})
	s.who[as] = patient
	if err == nil {
		s.holds[as] = hold
	}
	return played{err: err, patient: hold.Patient, fee: hold.Fee, number: hold.QueueNo, online: hold.PayOnline}
}

// confirms is both confirm and pay: a payment is a confirmation with a sum.
func (s *stage) confirms(ctx context.Context, words map[string]string) played {
	sum, err := yuan(words)
	if err != nil {
		return played{err: err}
	}
	as := words["as"]
	request := hospital.ConfirmRequest{Key: s.key(as), Patient: s.who[as], Hold: s.holds[as], Paid: sum}
	if words["for"] != "" {
		request.Patient = s.person(words["for"])
	}
	if sum > 0 {
		request.Receipt = orElse(words["receipt"], "receipt of "+as)
		request.Channel, request.TradeNo, request.PaidAt = "wechatpay", "trade of "+as, s.clock.now()
	}
	r, err := s.far.Registrar.Confirm(ctx, request)
	return played{err: err, patient: r.Patient, state: r.State, fee: r.Fee, number: r.QueueNo, online: r.PayOnline}
}

func (s *stage) cancels(ctx context.Context, words map[string]string) played {
	return played{err: s.far.Registrar.Cancel(ctx, s.key(words["as"]))}
}

func (s *stage) finds(ctx context.Context, words map[string]string) played {
	r, err := s.far.Registrar.Find(ctx, s.key(words["as"]))
	return played{err: err, patient: r.Patient, state: r.State, fee: r.Fee, number: r.QueueNo, online: r.PayOnline}
}

func (s *stage) checksIn(ctx context.Context, words map[string]string) played {
	r, err := s.far.Desk.CheckIn(ctx, s.key(words["as"]))
	return played{err: err, patient: r.Patient, state: r.State}
}

func (s *stage) settles(ctx context.Context, words map[string]string) played {
	sum, err := yuan(words)
	if err != nil {
		return played{err: err}
	}
	b, as := s.bills[words["bill"]], words["as"]
	request := his.SettleRequest{
		Key: s.key(as), Bill: b.ID, Patient: b.Patient, Amount: sum, Quote: b.Quote, Receipt: orElse(words["receipt"], "receipt of "+as),
		Channel: "wechatpay", TradeNo: "trade of " + as, PaidAt: s.clock.now(), Opaque: b.Opaque,
	}
	if words["for"] != "" {
		request.Patient = s.person(words["for"])
	}
	p, err := s.far.Billing.Settle(ctx, request)
	return played{err: err, patient: p.Patient, fee: p.Amount}
}

func (s *stage) reverses(ctx context.Context, words map[string]string) played {
	return played{err: s.far.Billing.Reverse(ctx, s.key(words["as"]))}
}

// looks does nothing: the step is there for what it expects.
func (*stage) looks(context.Context, map[string]string) played { return played{} }

// What happens inside the hospital.

// hisNo is the HIS's number behind a name, whoever made the registration.
func (s *stage) hisNo(as string) string { return s.truth(as).HISNo }

func (s *stage) sees(_ context.Context, words map[string]string) played {
	return played{err: s.hospital.See(s.hisNo(words["as"]))}
}

func (s *stage) suspends(_ context.Context, words map[string]string) played {
	_, err := s.hospital.Suspend(s.slot.Schedule, words[""], "")
	return played{err: err}
}

// sells is a sale at a till.
func sells(till func(*Hospital) *Till) func(*stage, context.Context, map[string]string) played {
	return func(s *stage, _ context.Context, words map[string]string) played {
		r, err := till(s.hospital).Sell(s.slot.ID, s.person(words["for"]))
		if err == nil {
			s.sales[words["as"]] = r.HISNo
		}
		return played{err: err, patient: r.Patient, state: r.State, fee: r.Fee, number: r.QueueNo}
	}
}

func (s *stage) takesFee(_ context.Context, words map[string]string) played {
	r, err := s.hospital.Window().TakeFee(s.hisNo(words["as"]))
	return played{err: err, patient: r.Patient, state: r.State, fee: r.Fee}
}

func (s *stage) windowCancels(_ context.Context, words map[string]string) played {
	return played{err: s.hospital.Window().Cancel(s.hisNo(words["as"]))}
}

func (s *stage) windowSettles(_ context.Context, words map[string]string) played {
	p, err := s.hospital.Window().Settle(s.bills[words["bill"]].ID)
	return played{err: err, patient: p.Patient, fee: p.Amount}
}

func (s *stage) owes(_ context.Context, words map[string]string) played {
	sum, err := yuan(words)
	if err != nil {
		return played{err: err}
	}
	b, err := s.hospital.AddBill(NewBill{Patient: s.person(words["for"]), Items: oneItem(sum)})
	s.bills[words["as"]] = b
	return played{err: err, patient: b.Patient, fee: b.Amount, online: b.PayOnline}
}

// requotes changes a bill behind the back of whoever looked at it: the story
// goes on with the quote it had.
func (s *stage) requotes(_ context.Context, words map[string]string) played {
	sum, err := yuan(words)
	if err != nil {
		return played{err: err}
	}
	_, err = s.hospital.ChangeBill(s.bills[words["as"]].ID, oneItem(sum))
	return played{err: err}
}

// reads asks for a bill again, as it is owed now.
func (s *stage) reads(ctx context.Context, words map[string]string) played {
	old := s.bills[words["bill"]]
	b, err := s.far.Billing.Bill(ctx, old.Patient, old.ID)
	if err == nil {
		s.bills[words["bill"]] = b
	}
	return played{err: err, patient: b.Patient, fee: b.Amount, online: b.PayOnline}
}

func oneItem(sum hospital.Fen) []his.BillItem {
	return []his.BillItem{{Code: "Z0101", Name: "黄芪", Unit: "g", Quantity: "30", Amount: sum}}
}

// What goes by, and what goes wrong.

func (s *stage) waits(_ context.Context, words map[string]string) played {
	d, err := time.ParseDuration(words[""])
	s.clock.advance(d)
	return played{err: err}
}

// waitsUntil moves the clock to an hour of a day of the story, 0 the first.
func (s *stage) waitsUntil(_ context.Context, words map[string]string) played {
	day, err := count(words["day"])
	if err != nil {
		return played{err: err}
	}
	at, err := time.ParseInLocation("15:04", words["at"], hospital.CST)
	if err != nil {
		return played{err: err}
	}
	s.clock.advance(hospital.DateOf(opensAt).AddDays(day).At(at.Hour(), at.Minute()).Sub(s.clock.now()))
	return played{}
}

// faults plans a fault of the line for the next call of an operation.
func faults(plan func(*Line, Op, int)) func(*stage, context.Context, map[string]string) played {
	return func(s *stage, _ context.Context, words map[string]string) played {
		op := Op(words[""])
		if !op.Changes() && op != OpFind {
			return played{err: refuse(hospital.Invalid, "histest.Play", "bad_pathway", "no such operation: "+words[""])}
		}
		plan(s.line, op, 1)
		return played{}
	}
}

func (s *stage) delivers(ctx context.Context, _ map[string]string) played {
	s.line.Deliver(ctx)
	return played{}
}

func (s *stage) cuts(_ context.Context, words map[string]string) played {
	s.line.Cut(words[""] == "off")
	return played{}
}

func (s *stage) forgets(_ context.Context, words map[string]string) played {
	d, err := time.ParseDuration(words[""])
	if err != nil {
		return played{err: err}
	}
	return played{err: s.hospital.Forget(d)}
}

func (s *stage) confuses(_ context.Context, words map[string]string) played {
	n, err := count(words[""])
	if err == nil {
		s.hospital.WrongPatient(n)
	}
	return played{err: err}
}
