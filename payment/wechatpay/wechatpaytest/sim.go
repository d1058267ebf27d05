package wechatpaytest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
)

// maxSimBytes bounds the body of POST /_sim/pay: six short fields.
const maxSimBytes = 4 << 10

// order is one request under /_sim/. It keeps the first thing that is wrong.
type order struct {
	query url.Values
	body  []byte
	err   error
}

func (o *order) fail(detail string) {
	if o.err == nil {
		o.err = platformError(hospital.Invalid, "bad_order", detail)
	}
}

// only refuses parameters that the command does not know: a fault with a wrong name
// would be no fault.
func (o *order) only(names ...string) {
	for name, values := range o.query {
		if !slices.Contains(names, name) || len(values) != 1 {
			o.fail("parameter " + strconv.Quote(name))
		}
	}
}

func (o *order) number(name string) int64 {
	text := o.query.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > maxFen || n < -maxFen {
		o.fail(name + ": want a whole number")
	}
	return n
}

func (o *order) duration(name string) time.Duration {
	text := o.query.Get(name)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		o.fail(name + ": want a duration, for example 15s")
	}
	return d
}

// serveSim carries out what a test wants of the far side.
func (p *Platform) serveSim(w http.ResponseWriter, r *http.Request, command string) {
	want := http.MethodPost
	if command == "ledger" {
		want = http.MethodGet
	}
	if r.Method != want {
		w.Header().Set("Allow", want)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	o := &order{}
	var err error
	if o.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		o.fail("the query is torn")
	}
	if o.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxSimBytes)); err != nil {
		o.fail("the body is cut short or too large")
	}
	content, err := p.obey(r.Context(), command, o)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err != nil {
		status := map[hospital.Kind]int{
			hospital.Invalid: http.StatusBadRequest, hospital.NotFound: http.StatusNotFound, hospital.Conflict: http.StatusConflict,
			hospital.Rejected: http.StatusForbidden,
		}[hospital.KindOf(err)]
		if status == 0 {
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
		no, _ := errors.AsType[*hospital.Error](err)
		if no == nil {
			no = &hospital.Error{Code: "internal"}
		}
		content = map[string]string{"code": no.Code, "detail": no.Detail}
	}
	_ = json.NewEncoder(w).Encode(content) // a test that is gone asks again
}

// nothing is the answer of a command that has nothing to say.
type nothing struct{}

func (p *Platform) obey(ctx context.Context, command string, o *order) (any, error) {
	switch command {
	case "pay":
		return p.obeyPay(o)
	case "fail":
		o.only("call", "fault", "times", "delay")
		s := Switch{Fault: Fault(o.query.Get("fault")), Times: int(o.number("times")), Delay: o.duration("delay")}
		return o.then(func() error { return p.Fail(Call(o.query.Get("call")), s) })
	case "mail":
		o.only("fault", "times", "delay")
		m := Mail{Fault: MailFault(o.query.Get("fault")), Times: int(o.number("times")), Delay: o.duration("delay")}
		return o.then(func() error { return p.Mail(m) })
	case "heal":
		o.only()
		return o.then(func() error { p.Heal(); return nil })
	case "post":
		o.only("id")
		return o.then(func() error { return p.Post(o.query.Get("id")) })
	case "refunds":
		o.only("outcome")
		return o.then(func() error { return p.NextRefunds(o.query.Get("outcome")) })
	case "refund":
		o.only("out_refund_no", "status")
		return o.then(func() error { return p.SettleRefund(o.query.Get("out_refund_no"), o.query.Get("status")) })
	case "sign":
		o.only("key")
		return o.then(func() error { return p.SignWith(o.query.Get("key")) })
	case "funds":
		o.only("amount")
		amount := hospital.Fen(o.number("amount"))
		return o.then(func() error { return p.MoveFunds(amount) })
	case "clock":
		o.only("forward")
		forward := o.duration("forward")
		return o.then(func() error { return p.Shift(forward) })
	case "certificate":
		o.only()
		if o.err != nil {
			return nil, o.err
		}
		serial, err := p.NewCertificate()
		return map[string]string{"serial": serial}, err
	case "advance":
		o.only()
		if o.err != nil {
			return nil, o.err
		}
		next, err := p.Advance(ctx)
		return map[string]time.Time{"next": next}, err
	case "ledger":
		o.only()
		if o.err != nil {
			return nil, o.err
		}
		return p.Ledger()
	}
	return nil, platformError(hospital.NotFound, "no_command", "no such command")
}

// then carries a command out that has nothing to say, unless the order is bad.
func (o *order) then(f func() error) (any, error) {
	if o.err != nil {
		return nil, o.err
	}
	return nothing{}, f()
}

func (p *Platform) obeyPay(o *order) (any, error) {
	o.only("out_trade_no", "openid", "coupon", "outcome")
	m := Payment{
		OutTradeNo: o.query.Get("out_trade_no"), OpenID: o.query.Get("openid"), Coupon: hospital.Fen(o.number("coupon")),
		Outcome: Outcome(o.query.Get("outcome")),
	}
	if len(o.body) > 0 {
		m.Sheet = &Sheet{}
		if err := json.Unmarshal(o.body, m.Sheet); err != nil {
			o.fail("the body is not the JSON of getBrandWCPayRequest")
		}
	}
	if o.err != nil {
		return nil, o.err
	}
	t, err := p.Pay(m)
	if err != nil {
		return nil, err
	}
	return p.tell(t), nil
}
