package paymenttest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/journal"
	"github.com/wxhospital/hospital/payment"
)

// Call names a call of a channel.
type Call string

// The calls.
const (
	CallPrepay      Call = "prepay"
	CallQuery       Call = "query"
	CallClose       Call = "close"
	CallRefund      Call = "refund"
	CallQueryRefund Call = "query_refund"
)

// Fault is what goes wrong with one call.
type Fault struct {
	Kind FaultKind
	Code string // of a refusal: "NOTENOUGH"
	// Gate holds the request back until it is closed or yields. A caller that
	// gives up first gets Indeterminate, and the request still arrives later.
	Gate <-chan struct{}
	// Reached is closed when the request stands at the gate.
	Reached chan<- struct{}
}

// FaultKind is the sort of a fault.
type FaultKind string

// The faults. The zero value does nothing, for a Fault with a Gate alone.
const (
	LoseAnswer  FaultKind = "lose_answer"  // the effect happens, the caller learns nothing
	LoseRequest FaultKind = "lose_request" // nothing happens, the caller learns nothing
	Dead        FaultKind = "dead"         // nothing happens, and the caller knows
	Refuse      FaultKind = "refuse"       // a definite no
	Late        FaultKind = "late"         // the caller learns nothing, and it happens at Arrive
	WrongAmount FaultKind = "wrong_amount" // the answer tells one fen more
)

// Mail says what becomes of a notice.
type Mail string

// What may become of a notice.
const (
	MailNow    Mail = ""       // told before Pay or Settle returns
	MailLate   Mail = "late"   // kept until Post
	MailLost   Mail = "lost"   // never told
	MailTwice  Mail = "twice"  // told two times under one ID
	MailForged Mail = "forged" // told with one fen more
)

// maxRefunds bounds the refunds of one trade. Source: WeChat Pay, "≤ 50".
const maxRefunds = 50

// Till is 收银机, a channel that keeps its own truth and its rules: a repeated
// Prepay must be equal to the first, a closed number takes no money, a refund
// number refunds once, and no more goes back than came in.
type Till struct {
	name   string
	now    func() time.Time
	notify func(payment.Notice)

	mu      sync.Mutex
	trades  map[payment.TradeNo]*trade
	refunds map[payment.RefundNo]*payment.RefundStatus
	slow    bool // refunds stay PROCESSING until Settle
	faults  map[Call][]Fault
	mail    []Mail
	late    []payment.Notice
	notices int
	calls   map[Call]int
	journal *journal.Journal

	onTheWay []func()
}

type trade struct {
	payment.Trade
	attempt payment.Attempt
}

// NewTill returns a till under the channel's name that lives in memory;
// [OpenTill] is for one that survives a restart. Now is business time, nil for
// time.Now. Notify is told of payments and refunds; nil for nobody.
func NewTill(name string, now func() time.Time, notify func(payment.Notice)) *Till {
	if now == nil {
		now = time.Now
	}
	return &Till{
		name: name, now: now, notify: notify, journal: &journal.Journal{}, trades: map[payment.TradeNo]*trade{},
		refunds: map[payment.RefundNo]*payment.RefundStatus{}, faults: map[Call][]Fault{}, calls: map[Call]int{},
	}
}

func tillError(kind hospital.Kind, code, detail string) error {
	return &hospital.Error{Kind: kind, Op: "paymenttest.Till", Code: code, Detail: detail}
}

// Fail lets the next calls of the kind fail, in this order.
func (t *Till) Fail(call Call, faults ...Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults[call] = append(t.faults[call], faults...)
}

// SlowRefunds says whether refunds stay PROCESSING until Settle.
func (t *Till) SlowRefunds(slow bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slow = slow
}

// Mail says what becomes of the next notices, in this order; later ones are
// told at once.
func (t *Till) Mail(mail ...Mail) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mail = append(t.mail, mail...)
}

// fault takes the next fault of a call.
func (t *Till) fault(call Call) Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[call]++
	queue := t.faults[call]
	if len(queue) == 0 {
		return Fault{}
	}
	t.faults[call] = queue[1:]
	return queue[0]
}

// cross carries a request to the till and its answer back, over a wire that
// may lose either.
func cross[T any](ctx context.Context, t *Till, call Call, effect func() (T, error)) (T, error) {
	var none T
	f := t.fault(call)
	if f.Reached != nil {
		close(f.Reached)
	}
	if f.Gate != nil {
		select {
		case <-f.Gate:
		case <-ctx.Done():
			go func() {
				<-f.Gate
				_, _ = effect() // nobody waits for the answer
			}()
			return none, tillError(hospital.Indeterminate, "timeout", "the caller gave up")
		}
	}
	if err := ctx.Err(); err != nil {
		return none, tillError(hospital.Unavailable, "cancelled", err.Error())
	}
	switch f.Kind {
	case Dead:
		return none, tillError(hospital.Unavailable, "dead", "")
	case LoseRequest:
		return none, tillError(hospital.Indeterminate, "lost", "request lost")
	case Late:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.onTheWay = append(t.onTheWay, func() { _, _ = effect() }) // nobody waits for the answer
		return none, tillError(hospital.Indeterminate, "lost", "still on its way")
	case Refuse:
		return none, tillError(hospital.Rejected, f.Code, "")
	case LoseAnswer:
		_, _ = effect() // the caller never learns
		return none, tillError(hospital.Indeterminate, "lost", "answer lost")
	case WrongAmount:
		answer, err := effect()
		switch a := any(&answer).(type) {
		case *payment.Trade:
			a.Amount++
		case *payment.RefundStatus:
			a.Amount++
		}
		return answer, err
	}
	return effect()
}

// Arrive lets the requests happen that were Late.
func (t *Till) Arrive() {
	t.mu.Lock()
	requests := t.onTheWay
	t.onTheWay = nil
	t.mu.Unlock()
	for _, request := range requests {
		request()
	}
}

// Prepay implements payment.Channel.
func (t *Till) Prepay(ctx context.Context, a payment.Attempt) (payment.Sheet, error) {
	return cross(ctx, t, CallPrepay, func() (payment.Sheet, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		said := payment.Attempt{
			TradeNo: a.TradeNo, Channel: a.Channel, Payer: a.Payer, Amount: a.Amount, Description: a.Description,
			Expires: a.Expires.UTC(), Request: a.Request,
		}
		if !a.TradeNo.Valid() || a.Amount < 1 || a.Channel != t.name {
			return payment.Sheet{}, tillError(hospital.Invalid, "PARAM_ERROR", "")
		}
		known := t.trades[a.TradeNo]
		switch {
		case known == nil:
			fresh := payment.Trade{TradeNo: a.TradeNo, State: payment.TradeNotPaid, Amount: a.Amount, Currency: payment.Currency}
			if err := t.record(tillLine{Trade: &fresh, Attempt: &said}); err != nil {
				return payment.Sheet{}, err
			}
		case !reflect.DeepEqual(known.attempt, said):
			return payment.Sheet{}, tillError(hospital.Rejected, "INVALID_REQUEST", "re-entry with other parameters")
		case known.State.Paid():
			return payment.Sheet{}, tillError(hospital.Conflict, "ORDERPAID", "")
		case known.State == payment.TradeClosed:
			return payment.Sheet{}, tillError(hospital.Conflict, "ORDER_CLOSED", "")
		}
		return payment.Sheet{
			TradeNo: a.TradeNo, Kind: "till", Params: map[string]string{"trade_no": string(a.TradeNo)}, Expires: a.Expires,
		}, nil
	})
}

// Query implements payment.Channel.
func (t *Till) Query(ctx context.Context, no payment.TradeNo) (payment.Trade, error) {
	return cross(ctx, t, CallQuery, func() (payment.Trade, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		known := t.trades[no]
		if known == nil {
			return payment.Trade{}, tillError(hospital.NotFound, "ORDER_NOT_EXIST", "")
		}
		return known.Trade, nil
	})
}

// Close implements payment.Channel.
func (t *Till) Close(ctx context.Context, no payment.TradeNo) error {
	_, err := cross(ctx, t, CallClose, func() (struct{}, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		known := t.trades[no]
		switch {
		case known == nil:
			return struct{}{}, tillError(hospital.NotFound, "ORDER_NOT_EXIST", "")
		case known.State.Paid():
			return struct{}{}, tillError(hospital.Conflict, "ORDERPAID", "")
		}
		closed := known.Trade
		closed.State = payment.TradeClosed
		return struct{}{}, t.record(tillLine{Trade: &closed, Attempt: &known.attempt})
	})
	return err
}

// Refund implements payment.Channel.
func (t *Till) Refund(ctx context.Context, r payment.Refund) (payment.RefundStatus, error) {
	return cross(ctx, t, CallRefund, func() (payment.RefundStatus, error) {
		status, notice, err := t.refund(r)
		t.tell(notice)
		return status, err
	})
}

func (t *Till) refund(r payment.Refund) (payment.RefundStatus, *payment.Notice, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.refunds[r.No]; known != nil {
		if known.TradeNo != r.TradeNo || known.Amount != r.Amount {
			return payment.RefundStatus{}, nil, tillError(hospital.Rejected, "INVALID_REQUEST", "one number, two refunds")
		}
		return *known, nil, nil
	}
	paid := t.trades[r.TradeNo]
	if paid == nil || !paid.State.Paid() || r.Total != paid.Amount || r.Amount < 1 {
		return payment.RefundStatus{}, nil, tillError(hospital.Rejected, "PARAM_ERROR", "no such payment, or another total")
	}
	sum, n := r.Amount, 0
	for _, other := range t.refunds {
		if other.TradeNo == r.TradeNo && other.State != payment.RefundClosed {
			sum += other.Amount
			n++
		}
	}
	if sum > paid.Amount || n >= maxRefunds {
		return payment.RefundStatus{}, nil, tillError(hospital.Rejected, "INVALID_REQUEST", "more than was paid")
	}
	status := &payment.RefundStatus{
		No: r.No, TradeNo: r.TradeNo, State: payment.RefundProcessing, Amount: r.Amount, Currency: payment.Currency,
		RefundID: "till-refund-" + string(r.No),
	}
	var notice *payment.Notice
	if !t.slow {
		status.State, status.At = payment.RefundSucceeded, t.now()
		notice = t.noticeOfRefund(*status)
	}
	refunded := paid.Trade
	refunded.State = payment.TradeRefunded
	if err := t.record(tillLine{Trade: &refunded, Attempt: &paid.attempt, Refund: status}); err != nil {
		return payment.RefundStatus{}, nil, err
	}
	return *status, notice, nil
}

// QueryRefund implements payment.Channel.
func (t *Till) QueryRefund(ctx context.Context, no payment.RefundNo) (payment.RefundStatus, error) {
	return cross(ctx, t, CallQueryRefund, func() (payment.RefundStatus, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		known := t.refunds[no]
		if known == nil {
			return payment.RefundStatus{}, tillError(hospital.NotFound, "RESOURCE_NOT_EXISTS", "")
		}
		return *known, nil
	})
}

// Pay is the patient paying. It returns Conflict when the trade is closed or
// paid, and NotFound when there is none.
func (t *Till) Pay(no payment.TradeNo) error {
	notice, err := t.pay(no)
	t.tell(notice)
	return err
}

func (t *Till) pay(no payment.TradeNo) (*payment.Notice, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.trades[no]
	switch {
	case known == nil:
		return nil, tillError(hospital.NotFound, "ORDER_NOT_EXIST", "")
	case known.State != payment.TradeNotPaid:
		return nil, tillError(hospital.Conflict, "ORDER_CLOSED", string(known.State))
	}
	told := known.Trade
	told.State, told.PaidAt, told.TransactionID = payment.TradePaid, t.now(), "till-"+string(no)
	notice := t.notice(payment.Notice{Trade: &told})
	if err := t.record(tillLine{Trade: &told, Attempt: &known.attempt}); err != nil {
		return nil, err
	}
	return notice, nil
}

// PayAnyway takes the money even though the trade was closed: a payment that
// was under way when we closed, in a channel that is not as strict as it says.
func (t *Till) PayAnyway(no payment.TradeNo) error {
	t.mu.Lock()
	if known := t.trades[no]; known != nil && known.State == payment.TradeClosed {
		known.State = payment.TradeNotPaid
	}
	t.mu.Unlock()
	return t.Pay(no)
}

// Settle ends a refund that is PROCESSING.
func (t *Till) Settle(no payment.RefundNo, how payment.RefundProgress) error {
	t.mu.Lock()
	known := t.refunds[no]
	if known == nil || known.State == payment.RefundSucceeded || known.State == payment.RefundClosed {
		t.mu.Unlock()
		return tillError(hospital.Conflict, "RESOURCE_NOT_EXISTS", string(no))
	}
	settled := *known
	settled.State = how
	if how == payment.RefundSucceeded {
		settled.At = t.now()
	}
	notice := t.noticeOfRefund(settled)
	err := t.record(tillLine{Refund: &settled})
	t.mu.Unlock()
	if err != nil {
		return err
	}
	t.tell(notice)
	return nil
}

func (t *Till) noticeOfRefund(s payment.RefundStatus) *payment.Notice {
	return t.notice(payment.Notice{Refund: &s})
}

func (t *Till) notice(n payment.Notice) *payment.Notice {
	t.notices++
	n.Channel, n.ID = t.name, fmt.Sprintf("EV-%s-%d", t.name, t.notices)
	return &n
}

// tell sends a notice as the next Mail says.
func (t *Till) tell(n *payment.Notice) {
	if n == nil || t.notify == nil {
		return
	}
	t.mu.Lock()
	how := MailNow
	if len(t.mail) > 0 {
		how, t.mail = t.mail[0], t.mail[1:]
	}
	if how == MailLate {
		t.late = append(t.late, *n)
	}
	t.mu.Unlock()
	switch how {
	case MailLate, MailLost:
	case MailForged:
		t.notify(forged(*n))
	case MailTwice:
		t.notify(*n)
		t.notify(*n)
	case MailNow:
		t.notify(*n)
	}
}

func forged(n payment.Notice) payment.Notice {
	if n.Trade != nil {
		lie := *n.Trade
		lie.Amount++
		n.Trade = &lie
		return n
	}
	lie := *n.Refund
	lie.Amount++
	n.Refund = &lie
	return n
}

// Post tells the notices that were kept, the last first: order of arrival is
// nothing a channel promises.
func (t *Till) Post() {
	t.mu.Lock()
	late := t.late
	t.late = nil
	t.mu.Unlock()
	for _, n := range slices.Backward(late) {
		t.notify(n)
	}
}

// Remind tells of a payment again, under another ID, as the day's bill would.
func (t *Till) Remind(no payment.TradeNo) {
	t.mu.Lock()
	known := t.trades[no]
	if known == nil || !known.State.Paid() {
		t.mu.Unlock()
		return
	}
	told := known.Trade
	notice := t.notice(payment.Notice{Trade: &told})
	_ = t.record(tillLine{}) // whose number is lost is told under it twice, as channels do
	t.mu.Unlock()
	t.notify(*notice)
}

// Taken is what the payer of a trade gave.
func (t *Till) Taken(no payment.TradeNo) hospital.Fen {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.trades[no]; known != nil && known.State.Paid() {
		return known.Amount
	}
	return 0
}

// Returned is what the payer of a trade got back.
func (t *Till) Returned(no payment.TradeNo) hospital.Fen {
	t.mu.Lock()
	defer t.mu.Unlock()
	var sum hospital.Fen
	for _, r := range t.refunds {
		if r.TradeNo == no && r.State == payment.RefundSucceeded {
			sum += r.Amount
		}
	}
	return sum
}

// Totals are what all payers gave and got back.
func (t *Till) Totals() (taken, returned hospital.Fen) {
	for _, no := range t.Trades() {
		taken += t.Taken(no)
		returned += t.Returned(no)
	}
	return taken, returned
}

// Trades lists the numbers the till knows, in no order.
func (t *Till) Trades() []payment.TradeNo {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []payment.TradeNo
	for no := range t.trades {
		all = append(all, no)
	}
	return all
}

// Refunds returns what the till knows of refunds, in no order.
func (t *Till) Refunds() []payment.RefundStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []payment.RefundStatus
	for _, r := range t.refunds {
		all = append(all, *r)
	}
	return all
}

// Calls counts the calls that were made, lost ones too.
func (t *Till) Calls(call Call) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls[call]
}
