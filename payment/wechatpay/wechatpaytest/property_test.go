package wechatpaytest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// TestTheBooksBalance does what merchants, payers and restarts may do, in any
// order, and then adds up: no trade gives back more than it brought, the funds
// are what came in less what went out, every payment was told exactly once,
// and a restart changes nothing.
func TestTheBooksBalance(t *testing.T) {
	t.Parallel()
	set, err := keys()
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		mat := &doormat{}
		m := &merchant{t: t, clock: testclock.At(time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC))}
		config := wechatpaytest.Config{Dir: dir, Keys: set, HTTPClient: mat.client()}
		m.reopen(config)
		config.Keys = nil
		moved := hospital.Fen(0)
		trade := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("TRADE_%d", rapid.IntRange(1, 3).Draw(t, "trade")) })
		rt.Repeat(map[string]func(*rapid.T){
			"prepay": func(r *rapid.T) { m.prepay(trade.Draw(r, "no")) },
			"pay": func(r *rapid.T) {
				_, _ = m.p.Pay(wechatpaytest.Payment{OutTradeNo: trade.Draw(r, "no"), Coupon: hospital.Fen(rapid.IntRange(0, 1249).Draw(r, "coupon"))})
			},
			"close": func(r *rapid.T) { m.close(trade.Draw(r, "no")) },
			"refund": func(r *rapid.T) {
				m.refund(trade.Draw(r, "no"), fmt.Sprintf("R%d", rapid.IntRange(1, 6).Draw(r, "refund")), rapid.IntRange(1, 1300).Draw(r, "fen"))
			},
			"outcome": func(r *rapid.T) {
				require.NoError(t, m.p.NextRefunds(rapid.SampledFrom([]string{"SUCCESS", "ABNORMAL", "CLOSED", "PROCESSING"}).Draw(r, "outcome")))
			},
			"settle": func(r *rapid.T) {
				_ = m.p.SettleRefund(fmt.Sprintf("R%d", rapid.IntRange(1, 6).Draw(r, "refund")), rapid.SampledFrom([]string{"SUCCESS", "CLOSED"}).Draw(r, "status"))
			},
			"funds": func(r *rapid.T) {
				amount := hospital.Fen(rapid.IntRange(-500, 500).Draw(r, "fen"))
				if m.p.MoveFunds(amount) == nil {
					moved += amount
				}
			},
			"wait": func(r *rapid.T) {
				m.clock.Pass(time.Duration(rapid.IntRange(1, 90).Draw(r, "seconds")) * time.Second)
			},
			"advance": func(*rapid.T) { m.advance() },
			"restart": func(*rapid.T) {
				was := m.ledger()
				m.reopen(config)
				require.Equal(rt, was, m.ledger())
			},
			"": func(*rapid.T) { balance(rt, m.ledger(), moved) },
		})
		m.advance()
		told := map[string]int{}
		for _, n := range mat.all() {
			o, err := m.open(n)
			require.NoError(rt, err)
			told[o.Event+text(o.Plain, "out_trade_no")+text(o.Plain, "out_refund_no")]++
		}
		for _, paid := range m.ledger().Trades {
			require.Equal(rt, !paid.PaidAt.IsZero(), told["TRANSACTION.SUCCESS"+paid.OutTradeNo] == 1)
		}
		require.NoError(rt, m.p.Close())
	})
}

func balance(t *rapid.T, l wechatpaytest.Ledger, moved hospital.Fen) {
	back := map[string]hospital.Fen{}
	toPayer := map[string]hospital.Fen{}
	for _, r := range l.Refunds {
		if r.Status != "CLOSED" {
			back[r.OutTradeNo] += r.Amount
			toPayer[r.OutTradeNo] += r.PayerRefund
		}
	}
	var paid, refunded hospital.Fen
	for _, trade := range l.Trades {
		require.Equal(t, back[trade.OutTradeNo], trade.Refunded)
		require.LessOrEqual(t, trade.Refunded, trade.Total)
		require.LessOrEqual(t, toPayer[trade.OutTradeNo], trade.PayerTotal)
		if trade.Refunded == trade.Total {
			require.Equal(t, trade.PayerTotal, toPayer[trade.OutTradeNo])
		}
		require.Equal(t, trade.State == "SUCCESS" || trade.State == "REFUND", !trade.PaidAt.IsZero())
		if !trade.PaidAt.IsZero() {
			paid += trade.Total
		}
		refunded += trade.Refunded
	}
	require.Equal(t, paid, l.Paid)
	require.Equal(t, refunded, l.Refunded)
	require.Equal(t, paid-refunded+moved, l.Funds)
	require.GreaterOrEqual(t, l.Funds, hospital.Fen(0))
}

// FuzzABody sends anything as a prepay, a refund and a close: the platform
// answers with what WeChat Pay may answer, and its books still balance.
func FuzzABody(f *testing.F) {
	f.Add([]byte(`{"appid":"wx5f0a8c3d2e1b4a67","mchid":"1900000109","description":"a","notify_url":"https://h.example/","payer":{"openid":"o"},"amount":{"total":1250},"out_trade_no":"FUZZ_1"}`))
	f.Add([]byte(`{"detail":{"goods_detail":[{"quantity":1}]},"scene_info":[1,2],"amount":"x","limit_pay":[[]]}`))
	f.Add([]byte(`{"out_refund_no":"R1","out_trade_no":"FUZZ_1","amount":{"refund":1e3,"total":1250,"currency":"CNY"}}`))
	f.Add([]byte(`{"out_refund_no":"R1","out_trade_no":"FUZZ_1","amount":{"refund":7,"total":1250,"currency":"CNY"}}`))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		p := wechatpaytest.NewKeyless()
		for _, call := range []wechatpaytest.Call{wechatpaytest.PrepayCall, wechatpaytest.RefundCall, wechatpaytest.CloseCall} {
			for range 2 {
				status, code, message, err := p.CarryOut(call, "FUZZ_1", body)
				require.NoError(t, err)
				require.Contains(t, []int{200, 204, 400, 403, 404, 429}, status, message)
				require.Equal(t, status >= 400, code != "", message)
			}
			_, _ = p.Pay(wechatpaytest.Payment{OutTradeNo: "FUZZ_1"}) // if it is there
		}
		l, err := p.Ledger()
		require.NoError(t, err)
		require.Equal(t, l.Paid-l.Refunded, l.Funds)
	})
}
