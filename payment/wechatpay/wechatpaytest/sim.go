package wechatpaytest

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/simverb"
)

// verbs are what a test in another process, or a demo, wants of the far side.
func (p *Platform) verbs() simverb.Verbs {
	return simverb.Verbs{
		"POST pay": func(_ context.Context, o *simverb.Order) (any, error) { return p.obeyPay(o) },
		"POST fail": func(_ context.Context, o *simverb.Order) (any, error) {
			call := Call(o.Want("call"))
			s := Switch{Fault: Fault(o.Want("fault")), Times: int(o.Number("times")), Delay: o.Duration("delay")}
			return then(o, func() error { return p.Fail(call, s) })
		},
		"POST mail": func(_ context.Context, o *simverb.Order) (any, error) {
			m := Mail{Fault: MailFault(o.Want("fault")), Times: int(o.Number("times")), Delay: o.Duration("delay")}
			return then(o, func() error { return p.Mail(m) })
		},
		"POST heal": func(_ context.Context, o *simverb.Order) (any, error) {
			return then(o, func() error { p.Heal(); return nil })
		},
		"POST post": func(_ context.Context, o *simverb.Order) (any, error) {
			id := o.Want("id")
			return then(o, func() error { return p.Post(id) })
		},
		"POST refunds": func(_ context.Context, o *simverb.Order) (any, error) {
			outcome := o.Want("outcome")
			return then(o, func() error { return p.NextRefunds(outcome) })
		},
		"POST refund": func(_ context.Context, o *simverb.Order) (any, error) {
			no, status := o.Want("out_refund_no"), o.Want("status")
			return then(o, func() error { return p.SettleRefund(no, status) })
		},
		"POST certificate": func(_ context.Context, o *simverb.Order) (any, error) {
			if err := o.Err(); err != nil {
				return nil, err
			}
			serial, err := p.NewCertificate()
			return map[string]string{"serial": serial}, err
		},
		"POST sign": func(_ context.Context, o *simverb.Order) (any, error) {
			key := o.Want("key")
			return then(o, func() error { return p.SignWith(key) })
		},
		"POST funds": func(_ context.Context, o *simverb.Order) (any, error) {
			amount := hospital.Fen(o.Number("amount"))
			return then(o, func() error { return p.MoveFunds(amount) })
		},
		"POST clock": func(_ context.Context, o *simverb.Order) (any, error) {
			forward := o.Duration("forward")
			return then(o, func() error { return p.Shift(forward) })
		},
		"POST advance": func(ctx context.Context, o *simverb.Order) (any, error) {
			if err := o.Err(); err != nil {
				return nil, err
			}
			next, err := p.Advance(ctx)
			return map[string]time.Time{"next": next}, err
		},
		"GET ledger": func(_ context.Context, o *simverb.Order) (any, error) {
			if err := o.Err(); err != nil {
				return nil, err
			}
			return p.Ledger()
		},
	}
}

// then carries an order out that has nothing to say, unless it is bad.
func then(o *simverb.Order, f func() error) (any, error) {
	if err := o.Err(); err != nil {
		return nil, err
	}
	return nil, f()
}

func (p *Platform) obeyPay(o *simverb.Order) (any, error) {
	m := Payment{
		OutTradeNo: o.Text("out_trade_no"), OpenID: o.Text("openid"), Coupon: hospital.Fen(o.Number("coupon")),
		Outcome: Outcome(o.Text("outcome")),
	}
	s := Sheet{
		AppID: o.Text("appId"), Timestamp: o.Text("timeStamp"), Nonce: o.Text("nonceStr"), Package: o.Text("package"),
		SignType: o.Text("signType"), PaySign: o.Text("paySign"),
	}
	if s != (Sheet{}) {
		m.Sheet = &s
	}
	if err := o.Err(); err != nil {
		return nil, err
	}
	t, err := p.Pay(m)
	if err != nil {
		return nil, err
	}
	return p.tell(t), nil
}
