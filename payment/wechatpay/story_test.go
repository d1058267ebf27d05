package wechatpay_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// opening is when the stories begin.
var opening = time.Date(2026, 11, 21, 7, 30, 0, 0, hospital.CST)

var simulatedKeys = sync.OnceValues(func() (*wechatpaytest.Keys, error) {
	return wechatpaytest.NewKeys("", opening.Add(-time.Hour))
})

// street is a hospital and a WeChat Pay, each behind its own wire.
type street struct {
	t        *testing.T
	clock    *testclock.Clock
	platform *wechatpaytest.Platform
	cashier  *payment.Cashier
	bills    *register
	charges  int
}

func newStreet(t *testing.T, mode wechatpaytest.Mode) *street {
	t.Helper()
	s := &street{t: t, clock: testclock.At(opening), bills: &register{}}
	keys, err := simulatedKeys()
	require.NoError(t, err)
	mux := http.NewServeMux()
	s.platform, err = wechatpaytest.New(wechatpaytest.Config{
		Mode: mode, Keys: keys, Now: s.clock.Now, Wall: s.clock.Now, HTTPClient: serve(t, mux),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.platform.Close()) })

	c := s.platform.Credentials()
	channel, err := wechatpay.New(wechatpay.Config{
		AppID: c.AppID, MerchantID: c.MerchantID, MerchantKey: c.MerchantKey, MerchantSerial: c.MerchantSerial,
		APIv3Key: []byte(c.APIv3Key), PublicKey: c.PublicKey, PublicKeyID: c.PublicKeyID, NotifyURL: "http://hospital.test/pay",
		BaseURL: "http://pay.test", HTTPClient: serve(t, s.platform), Now: s.clock.Now, Wall: s.clock.Now, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	s.cashier, err = payment.New(payment.Config{
		Store: paymenttest.NewMemory(s.clock.Now), Channels: map[string]payment.Channel{"wechatpay": channel},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: s.bills},
		Now:        s.clock.Now, Wall: s.clock.Now,
	})
	require.NoError(t, err)
	mux.Handle("/pay", channel.Notifications(s.cashier))
	return s
}

func (s *street) open() hospital.Key {
	s.t.Helper()
	s.charges++
	id := string(rune('0' + s.charges))
	key := hospital.Key("charge-" + id)
	require.NoError(s.t, s.cashier.Open(s.t.Context(), hospital.Charge{
		Key: key, Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: "B" + id}, Patient: "P1", Amount: 12550,
		Description: "门诊缴费", Expires: s.clock.Now().Add(time.Hour),
	}))
	return key
}

func (s *street) pay(key hospital.Key) (payment.Sheet, error) {
	return s.cashier.Pay(s.t.Context(), payment.PayRequest{Charge: key, Channel: "wechatpay", Payer: openID}) //nolint:wrapcheck // a test's
}

// tap is the payer who pays with what the page handed over.
func (s *street) tap(sheet payment.Sheet) error {
	p := sheet.Params
	_, err := s.platform.Pay(wechatpaytest.Payment{OpenID: openID, Sheet: &wechatpaytest.Sheet{
		AppID: p["appId"], Timestamp: p["timeStamp"], Nonce: p["nonceStr"], Package: p["package"], SignType: p["signType"], PaySign: p["paySign"],
	}})
	return err //nolint:wrapcheck // a test's
}

// later lets time pass for both sides, in steps of ten seconds.
func (s *street) later(d time.Duration) {
	s.t.Helper()
	for end := s.clock.Now().Add(d); s.clock.Now().Before(end); s.clock.Pass(10 * time.Second) {
		_, err := s.platform.Advance(s.t.Context())
		require.NoError(s.t, err)
		_, err = s.cashier.Advance(s.t.Context())
		require.NoError(s.t, err)
	}
}

func (s *street) is(key hospital.Key, want payment.State) {
	s.t.Helper()
	o, err := s.cashier.Find(s.t.Context(), key)
	require.NoError(s.t, err)
	require.Equal(s.t, want, o.State, "%s %v", o.Reason, o.Cases)
}

// until lets time pass until the order is there.
func (s *street) until(key hospital.Key, want payment.State) {
	s.t.Helper()
	for end := s.clock.Now().Add(2 * time.Hour); s.clock.Now().Before(end); {
		s.later(10 * time.Second)
		if o, err := s.cashier.Find(s.t.Context(), key); err == nil && o.State == want {
			return
		}
	}
	s.is(key, want)
}

// agree compares the books: what our ledger says WeChat Pay holds for us, and
// what WeChat Pay holds.
func (s *street) agree(paid, refunded hospital.Fen) {
	s.t.Helper()
	l, err := s.platform.Ledger()
	require.NoError(s.t, err)
	require.Equal(s.t, paid, l.Paid)
	require.Equal(s.t, refunded, l.Refunded)
	balances, err := s.cashier.Balances(s.t.Context())
	require.NoError(s.t, err)
	var ours, sum hospital.Fen
	for _, b := range balances {
		sum += b.Amount
		if b.Account == payment.Receivable("wechatpay") {
			ours = b.Amount
		}
	}
	require.Zero(s.t, sum)
	require.Equal(s.t, l.Paid-l.Refunded, ours)
}

func TestTheBooksAgreeFromPrepayToRefund(t *testing.T) {
	t.Parallel()
	for _, mode := range []wechatpaytest.Mode{wechatpaytest.PublicKeyMode, wechatpaytest.CertificateMode, wechatpaytest.MixedMode} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStreet(t, mode)
				key := s.open()
				sheet, err := s.pay(key)
				require.NoError(t, err)
				again, err := s.pay(key)
				require.NoError(t, err)
				require.Equal(t, sheet.TradeNo, again.TradeNo)
				require.NotEqual(t, sheet.Params["paySign"], again.Params["paySign"])
				require.NoError(t, s.tap(again))
				s.later(10 * time.Second)
				s.is(key, payment.Delivered)
				s.agree(12550, 0)
				require.NoError(t, s.cashier.Refund(t.Context(), key, "cancelled"))
				s.later(10 * time.Second)
				s.is(key, payment.Refunding)
				s.later(10 * time.Second)
				s.is(key, payment.Refunded)
				s.agree(12550, 12550)
				l, err := s.platform.Ledger()
				require.NoError(t, err)
				require.Len(t, l.Notices, 2)
				for _, n := range l.Notices {
					require.Equal(t, wechatpaytest.Delivered, n.State, n.Event)
					require.Equal(t, http.StatusNoContent, n.Status)
				}
			})
		})
	}
}

// faults are what may befall a call. Each of them must cost time and no money.
var faults = []wechatpaytest.Fault{
	wechatpaytest.Dead, wechatpaytest.RequestLost, wechatpaytest.AnswerLost, wechatpaytest.Truncated, wechatpaytest.ErrorBefore,
	wechatpaytest.ErrorAfter, wechatpaytest.BadGateway, wechatpaytest.TooMany, wechatpaytest.TooManyAfter, wechatpaytest.Probe, wechatpaytest.WrongTime,
	wechatpaytest.UnknownSerial, wechatpaytest.Forged, wechatpaytest.Unsigned,
}

func TestAFaultOfAnyCallCostsNoMoney(t *testing.T) {
	t.Parallel()
	for _, call := range []wechatpaytest.Call{
		wechatpaytest.PrepayCall, wechatpaytest.Query, wechatpaytest.RefundCall, wechatpaytest.QueryRefund, wechatpaytest.Any,
		wechatpaytest.Certificates,
	} {
		for _, fault := range faults {
			t.Run(string(call)+" "+string(fault), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					mode := wechatpaytest.PublicKeyMode
					if call == wechatpaytest.Certificates {
						mode = wechatpaytest.CertificateMode
					}
					s := newStreet(t, mode)
					require.NoError(t, s.platform.Fail(call, wechatpaytest.Switch{Fault: fault, Times: 4}))
					require.NoError(t, s.platform.Mail(wechatpaytest.Mail{Fault: wechatpaytest.MailLost}, wechatpaytest.Mail{Fault: wechatpaytest.MailLost}))
					key := s.open()
					var sheet payment.Sheet
					err := errors.New("not yet")
					for range 5 {
						if err != nil {
							sheet, err = s.pay(key)
							s.clock.Pass(15 * time.Second) // a breaker may be open
						}
					}
					require.NoError(t, err)
					require.NoError(t, s.tap(sheet))
					s.until(key, payment.Delivered)
					require.NoError(t, s.cashier.Refund(t.Context(), key, "cancelled"))
					s.until(key, payment.Refunded)
					s.agree(12550, 12550)
					l, err := s.platform.Ledger()
					require.NoError(t, err)
					require.Len(t, l.Trades, 1)
					require.Len(t, l.Refunds, 1)
					require.Len(t, s.bills.rows, 1)
				})
			})
		}
	}
}

func TestAFaultOfANoticeCostsNoMoney(t *testing.T) {
	t.Parallel()
	for _, fault := range []wechatpaytest.MailFault{
		wechatpaytest.MailLost, wechatpaytest.MailLate, wechatpaytest.MailRepeated, wechatpaytest.MailBehindNext, wechatpaytest.MailProbe,
		wechatpaytest.MailWrongTime, wechatpaytest.MailUnknownSerial, wechatpaytest.MailForged, wechatpaytest.MailOneFenMore,
		wechatpaytest.MailOtherMerchant, wechatpaytest.MailOtherApp, wechatpaytest.MailNoResource, wechatpaytest.MailShortNonce,
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStreet(t, wechatpaytest.PublicKeyMode)
				mail := wechatpaytest.Mail{Fault: fault, Times: 2, Delay: time.Minute}
				require.NoError(t, s.platform.Mail(mail, mail))
				key := s.open()
				sheet, err := s.pay(key)
				require.NoError(t, err)
				require.NoError(t, s.tap(sheet))
				s.until(key, payment.Delivered)
				require.NoError(t, s.cashier.Refund(t.Context(), key, "cancelled"))
				s.until(key, payment.Refunded)
				s.agree(12550, 12550)
				require.Len(t, s.bills.rows, 1)
			})
		})
	}
}

func TestWhoPaysWhileWeCloseIsRefunded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, wechatpaytest.PublicKeyMode)
		require.NoError(t, s.platform.Fail(wechatpaytest.CloseCall, wechatpaytest.Switch{Fault: wechatpaytest.PaidFirst, Times: 1}))
		key := s.open()
		_, err := s.pay(key)
		require.NoError(t, err)
		require.ErrorIs(t, s.cashier.Close(t.Context(), key), payment.ErrPaid)
		s.agree(12550, 0)
		require.NoError(t, s.cashier.Refund(t.Context(), key, "cancelled"))
		s.until(key, payment.Refunded)
		s.agree(12550, 12550)
	})
}

func TestAClosedChargeCannotBePaid(t *testing.T) {
	t.Parallel()
	for _, fault := range append(faults, wechatpaytest.None) {
		t.Run("close "+string(fault), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStreet(t, wechatpaytest.PublicKeyMode)
				if fault != wechatpaytest.None {
					require.NoError(t, s.platform.Fail(wechatpaytest.CloseCall, wechatpaytest.Switch{Fault: fault, Times: 4}))
				}
				key := s.open()
				sheet, err := s.pay(key)
				require.NoError(t, err)
				err = s.cashier.Close(t.Context(), key)
				s.later(5 * time.Minute)
				if err != nil {
					require.ErrorIs(t, err, payment.ErrNotKnown)
					require.NoError(t, s.cashier.Close(t.Context(), key))
				}
				s.is(key, payment.Closed)
				require.Error(t, s.tap(sheet))
				s.agree(0, 0)
			})
		})
	}
}

func TestAnEmptyAccountIsShownAndTheRefundGoesOnUnderItsNumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, wechatpaytest.PublicKeyMode)
		key := s.open()
		sheet, err := s.pay(key)
		require.NoError(t, err)
		require.NoError(t, s.tap(sheet))
		s.later(10 * time.Second)
		require.NoError(t, s.platform.MoveFunds(-12550))
		require.NoError(t, s.cashier.Refund(t.Context(), key, "cancelled"))
		s.later(10 * time.Second)
		cases, err := s.cashier.Manual(t.Context())
		require.NoError(t, err)
		require.Len(t, cases, 1)
		require.Equal(t, payment.CaseRefundRefused, cases[0].Reason)
		require.Contains(t, cases[0].Detail, "NOT_ENOUGH")
		require.Contains(t, cases[0].Detail, "top up")
		require.NoError(t, s.platform.MoveFunds(12550))
		s.until(key, payment.Refunded)
		l, err := s.platform.Ledger()
		require.NoError(t, err)
		require.Len(t, l.Refunds, 1)
		cases, err = s.cashier.Manual(t.Context())
		require.NoError(t, err)
		require.Empty(t, cases)
	})
}

func TestKeysChangeInMidStory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t, wechatpaytest.CertificateMode)
		key := s.open()
		sheet, err := s.pay(key)
		require.NoError(t, err)
		s.clock.Pass(time.Minute)
		next, err := s.platform.NewCertificate()
		require.NoError(t, err)
		require.NoError(t, s.platform.SignWith(next))
		require.NoError(t, s.tap(sheet))
		_, err = s.platform.Advance(context.WithoutCancel(t.Context()))
		require.NoError(t, err)
		s.is(key, payment.Paid)
		s.agree(12550, 0)
	})
}
