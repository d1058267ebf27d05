package wechatpaytest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

func TestANotificationOfAPayment(t *testing.T) {
	t.Parallel()
	mat := &doormat{}
	m := trading(t, wechatpaytest.Config{HTTPClient: mat.client()})
	m.paid("NOTICE_1")
	require.Empty(t, mat.all(), "nothing is sent before Advance")
	m.advance()
	came := mat.all()
	require.Len(t, came, 1)
	require.Equal(t, "https://hospital.example/notify", came[0].URL)
	require.Equal(t, "application/json", came[0].Header.Get("Content-Type"))
	got, err := m.open(came[0])
	require.NoError(t, err)
	require.Regexp(t, `^EV-`, got.ID)
	require.Equal(t, "TRANSACTION.SUCCESS", got.Event)
	require.Equal(t, m.query("NOTICE_1").JSON, got.Plain)
	m.clock.Pass(48 * time.Hour)
	m.advance()
	require.Len(t, mat.all(), 1, "what was taken is not sent again")
	require.Equal(t, wechatpaytest.Delivered, m.ledger().Notices[0].State)
}

func TestANotificationOfARefund(t *testing.T) {
	t.Parallel()
	mat := &doormat{}
	m := trading(t, wechatpaytest.Config{HTTPClient: mat.client()})
	m.paid("NOTICE_1")
	m.refund("NOTICE_1", "R1", 500)
	m.clock.Pass(wechatpaytest.DefaultRefundAfter)
	m.advance()
	came := mat.all()
	require.Len(t, came, 2)
	require.Equal(t, "https://hospital.example/refunds", came[1].URL)
	got, err := m.open(came[1])
	require.NoError(t, err)
	require.Equal(t, "REFUND.SUCCESS", got.Event)
	require.Equal(t, "SUCCESS", got.Plain["refund_status"])
	require.NotContains(t, got.Plain, "status")
	require.NotContains(t, got.Plain, "channel")
	require.Equal(t, "2026-11-22T15:30:05+08:00", got.Plain["success_time"])
	require.Equal(t, map[string]any{"total": 1250.0, "refund": 500.0, "payer_total": 1250.0, "payer_refund": 500.0}, got.Plain["amount"])

	m.clock.Pass(time.Minute)
	m.refund("NOTICE_1", "R2", 500, "notify_url", nil)
	m.clock.Pass(time.Minute)
	m.advance()
	require.Len(t, mat.all(), 2, "without an address nobody is told")
}

func TestARefundThatNamesNoAddress(t *testing.T) {
	t.Parallel()
	mat := &doormat{}
	m := trading(t, wechatpaytest.Config{HTTPClient: mat.client(), RefundNotifyURL: "https://hospital.example/default"})
	m.paid("NOTICE_1")
	m.refund("NOTICE_1", "R1", 500, "notify_url", nil)
	m.clock.Pass(time.Minute)
	m.refund("NOTICE_1", "R2", 500)
	m.clock.Pass(time.Minute)
	m.advance()
	urls := []string{}
	for _, n := range mat.all()[1:] {
		urls = append(urls, n.URL)
	}
	require.Equal(t, []string{"https://hospital.example/default", "https://hospital.example/refunds"}, urls)
}

// TestTheLadder refuses every delivery: fifteen more come, at their times,
// over 24 hours and 4 minutes, with one ID and fresh signatures.
func TestTheLadder(t *testing.T) {
	t.Parallel()
	statuses := []int{500, 404, 400, 302, 201, 0, 503, 500, 500, 500, 500, 500, 500, 500, 500, 500}
	mat := &doormat{statuses: statuses}
	m := trading(t, wechatpaytest.Config{HTTPClient: mat.client()})
	m.paid("LADDER_1")
	start := m.clock.Now()
	ladder := wechatpaytest.Ladder()
	require.Len(t, ladder, 15)
	next := m.advance()
	for i, pause := range ladder {
		require.Len(t, mat.all(), i+1)
		require.Equal(t, pause, next.Sub(m.clock.Now()), "before delivery %d", i+2)
		m.clock.Pass(pause - time.Nanosecond)
		m.advance()
		require.Len(t, mat.all(), i+1, "not sooner")
		m.clock.Pass(time.Nanosecond)
		next = m.advance()
	}
	require.Equal(t, 24*time.Hour+4*time.Minute, m.clock.Now().Sub(start))
	came := mat.all()
	require.Len(t, came, 16)
	require.True(t, next.IsZero(), "nothing is due any more")
	nonces := map[string]bool{}
	for _, n := range came {
		got, err := m.open(n)
		require.NoError(t, err)
		require.Equal(t, m.ledger().Notices[0].ID, got.ID)
		nonces[n.Header.Get(wechatpay.HeaderNonce)] = true
	}
	require.Len(t, nonces, 16)
	require.Equal(t, wechatpaytest.GivenUp, m.ledger().Notices[0].State)
	require.NoError(t, m.p.Post(m.ledger().Notices[0].ID))
	m.advance()
	require.Len(t, mat.all(), 17, "staff may ask for it again")
	require.Equal(t, wechatpaytest.Delivered, m.ledger().Notices[0].State)
	require.Equal(t, hospital.NotFound, hospital.KindOf(m.p.Post("EV-none")))
}

// TestTheMerchantHasFiveSeconds lets the merchant think for longer.
func TestTheMerchantHasFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		set, err := keys()
		require.NoError(t, err)
		thinking := 6 * time.Second
		p, err := wechatpaytest.New(wechatpaytest.Config{Keys: set, HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(thinking):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
		})}})
		require.NoError(t, err)
		m := &merchant{t: t, p: p, c: p.Credentials()}
		m.paid("SLOW_1")
		began := time.Now()
		next := m.advance()
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Equal(t, wechatpaytest.Waiting, m.ledger().Notices[0].State)
		time.Sleep(time.Until(next)) //nolint:forbidigo // the bubble's clock
		thinking = 4 * time.Second
		m.advance()
		require.Equal(t, wechatpaytest.Delivered, m.ledger().Notices[0].State)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestRun delivers by itself, at once and down the ladder, and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		set, err := keys()
		require.NoError(t, err)
		mat := &doormat{statuses: []int{500, 500}}
		p, err := wechatpaytest.New(wechatpaytest.Config{Keys: set, HTTPClient: mat.client()})
		require.NoError(t, err)
		m := &merchant{t: t, p: p, c: p.Credentials()}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		synctest.Wait()
		m.paid("RUN_001")
		synctest.Wait()
		require.Len(t, mat.all(), 1, "at once")
		time.Sleep(15 * time.Second) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		require.Len(t, mat.all(), 2)
		m.refund("RUN_001", "R1", 500)
		time.Sleep(5 * time.Second) //nolint:forbidigo // as above
		synctest.Wait()
		require.Len(t, mat.all(), 3, "the refund has ended")
		time.Sleep(10 * time.Second) //nolint:forbidigo // as above
		synctest.Wait()
		require.Len(t, mat.all(), 4)
		stop()
		require.NoError(t, <-ended)
	})
}

// TestAMerchantThatCallsBack queries and refunds while it is notified.
func TestAMerchantThatCallsBack(t *testing.T) {
	t.Parallel()
	mat := &doormat{}
	m := trading(t, wechatpaytest.Config{HTTPClient: mat.client()})
	mat.answer = func(*http.Request) {
		require.Equal(t, http.StatusOK, m.query("CALLBACK_1").Status)
		m.refund("CALLBACK_1", "R1", 1250)
	}
	m.paid("CALLBACK_1")
	m.advance()
	require.Len(t, m.ledger().Refunds, 1)
}

func TestWhatMayBefallANotification(t *testing.T) {
	t.Parallel()
	const good = "good"
	for fault, want := range map[wechatpaytest.MailFault][]string{
		wechatpaytest.MailAsIs:          {good},
		wechatpaytest.MailLost:          {},
		wechatpaytest.MailRepeated:      {good, good, good},
		wechatpaytest.MailProbe:         {"bad_signature", good},
		wechatpaytest.MailWrongTime:     {"stale", good},
		wechatpaytest.MailUnknownSerial: {"unknown_serial", good},
		wechatpaytest.MailForged:        {"bad_signature", good},
		wechatpaytest.MailNoResource:    {"not_opened", good},
		wechatpaytest.MailShortNonce:    {"not_opened", good},
		wechatpaytest.MailOneFenMore:    {"1251", good},
		wechatpaytest.MailOtherMerchant: {"1900000001", good},
		wechatpaytest.MailOtherApp:      {"wx0000000000000000", good},
	} {
		t.Run("it is "+string(fault), func(t *testing.T) {
			t.Parallel()
			mat := &doormat{}
			m := trading(t, wechatpaytest.Config{HTTPClient: mat.client()})
			times := 0
			if fault == wechatpaytest.MailRepeated {
				times = 3
			}
			require.NoError(t, m.p.Mail(wechatpaytest.Mail{Fault: fault, Times: times}))
			if len(want) > 1 && want[0] != good {
				mat.statuses = []int{http.StatusInternalServerError} // a careful merchant refuses the bad one
			}
			m.paid("MAIL_1")
			m.advance()
			m.clock.Pass(15 * time.Second)
			m.advance()
			got := []string{}
			for _, n := range mat.all() {
				o, err := m.open(n)
				switch {
				case err != nil:
					got = append(got, hospital.CodeOf(err))
				case fen(o.Plain, "amount.total") != 1250:
					got = append(got, fmt.Sprint(fen(o.Plain, "amount.total")))
				case o.Plain["mchid"] != m.c.MerchantID:
					got = append(got, text(o.Plain, "mchid"))
				case o.Plain["appid"] != m.c.AppID:
					got = append(got, text(o.Plain, "appid"))
				default:
					got = append(got, good)
				}
			}
			require.Equal(t, want, got)
		})
	}
}

func TestMailThatWaits(t *testing.T) {
	t.Parallel()
	mat := &doormat{}
	m := trading(t, wechatpaytest.Config{HTTPClient: mat.client()})
	require.NoError(t, m.p.Mail(
		wechatpaytest.Mail{Fault: wechatpaytest.MailBehindNext}, wechatpaytest.Mail{Fault: wechatpaytest.MailLate, Delay: time.Hour},
		wechatpaytest.Mail{Fault: wechatpaytest.MailProbe, Times: 2},
	))
	events := func() (all []string) {
		for _, n := range mat.all() {
			if o, err := m.open(n); err != nil {
				all = append(all, hospital.CodeOf(err))
			} else {
				all = append(all, o.Event)
			}
		}
		return all
	}
	m.paid("MAIL_1")
	m.refund("MAIL_1", "R1", 500)
	m.advance()
	require.Empty(t, mat.all(), "the payment waits for the refund")
	m.clock.Pass(wechatpaytest.DefaultRefundAfter)
	m.advance()
	require.Empty(t, mat.all(), "and the refund is late")
	m.clock.Pass(time.Hour)
	m.advance()
	require.Equal(t, []string{"REFUND.SUCCESS", "TRANSACTION.SUCCESS"}, events())
	mat.statuses = []int{401, 401}
	m.refund("MAIL_1", "R2", 500)
	for range 4 {
		m.clock.Pass(15 * time.Second)
		m.advance()
	}
	require.Equal(t, []string{"REFUND.SUCCESS", "TRANSACTION.SUCCESS", "bad_signature", "bad_signature", "REFUND.SUCCESS"}, events())

	for _, bad := range []wechatpaytest.Mail{{Fault: "eaten"}, {Times: -1}, {Times: 51}, {Delay: -1}} {
		require.Equal(t, hospital.Invalid, hospital.KindOf(m.p.Mail(bad)))
	}
}

// TestARedirectIsNotFollowed keeps a notification at the address it was meant for.
func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	t.Cleanup(elsewhere.Close)
	hospitalServer := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(hospitalServer.Close)
	m := trading(t, wechatpaytest.Config{})
	m.paid("REDIRECT_1", "notify_url", hospitalServer.URL+"/notify")
	m.advance()
	require.Empty(t, reached)
	require.Equal(t, http.StatusTemporaryRedirect, m.ledger().Notices[0].Status)
	require.Equal(t, wechatpaytest.Waiting, m.ledger().Notices[0].State)
}

// TestWhatIsPostedAgainFaresWell sends out what was held back or spoilt, whole.
func TestWhatIsPostedAgainFaresWell(t *testing.T) {
	t.Parallel()
	mat := &doormat{}
	m := trading(t, wechatpaytest.Config{HTTPClient: mat.client()})
	require.NoError(t, m.p.Mail(
		wechatpaytest.Mail{Fault: wechatpaytest.MailProbe, Times: 50}, wechatpaytest.Mail{Fault: wechatpaytest.MailBehindNext},
	))
	m.paid("AGAIN_1")
	m.paid("AGAIN_2")
	m.advance()
	require.Len(t, mat.all(), 1)
	for _, n := range m.ledger().Notices {
		require.NoError(t, m.p.Post(n.ID))
	}
	m.advance()
	came := mat.all()
	require.Len(t, came, 3)
	for i, n := range came {
		_, err := m.open(n)
		require.Equal(t, i == 0, err != nil, "only the first was a probe")
	}
}
