package paymenttest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

func openTill(t *testing.T, dir string, notify func(payment.Notice)) *paymenttest.Till {
	t.Helper()
	till, err := paymenttest.OpenTill(paymenttest.TillConfig{Name: "till", Dir: dir, Notify: notify})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, till.Shut()) })
	return till
}

func TestTillWithAJournalConforms(t *testing.T) {
	t.Parallel()
	paymenttest.ConformChannel(t, func(t *testing.T) paymenttest.Subject {
		t.Helper()
		till := openTill(t, t.TempDir(), nil)
		return paymenttest.Subject{Channel: till, Name: "till", Payer: "payer-1", Pay: till.Pay, Expires: time.Now().Add(time.Hour)}
	})
}

// TestTillContinuesAfterARestart opens the till anew between every two steps.
func TestTillContinuesAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var told []string
	till := openTill(t, dir, nil)
	restart := func() {
		require.NoError(t, till.Shut())
		till = openTill(t, dir, func(n payment.Notice) { told = append(told, n.ID) })
	}
	attempt := payment.Attempt{TradeNo: "order-1-1", Channel: "till", Amount: 1205, Expires: time.Now().Add(time.Hour)}
	sheet, err := till.Prepay(t.Context(), attempt)
	require.NoError(t, err)
	restart()
	again, err := till.Prepay(t.Context(), attempt)
	require.NoError(t, err, "the same attempt is the same after the restart")
	require.True(t, sheet.Expires.Equal(again.Expires))
	require.NoError(t, till.Pay(attempt.TradeNo))
	restart()
	require.Equal(t, hospital.Conflict, hospital.KindOf(till.Pay(attempt.TradeNo)), "nobody pays twice")
	till.Remind(attempt.TradeNo)
	restart()
	till.SlowRefunds(true)
	refund := payment.Refund{No: "order-1-1-r1", TradeNo: attempt.TradeNo, Amount: 1205, Total: 1205}
	_, err = till.Refund(t.Context(), refund)
	require.NoError(t, err)
	restart()
	require.NoError(t, till.Settle(refund.No, payment.RefundSucceeded))
	restart()
	status, err := till.QueryRefund(t.Context(), refund.No)
	require.NoError(t, err)
	require.Equal(t, payment.RefundSucceeded, status.State)
	trade, err := till.Query(t.Context(), attempt.TradeNo)
	require.NoError(t, err)
	require.Equal(t, payment.TradeRefunded, trade.State)
	taken, returned := till.Totals()
	require.Equal(t, []hospital.Fen{1205, 1205}, []hospital.Fen{taken, returned})
	require.Equal(t, []string{"EV-till-1", "EV-till-2", "EV-till-3"}, told, "no number of a notice is used twice")
}

func TestTillCutsATornLastLineAndRefusesATornLineBeforeIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "till.journal")
	till := openTill(t, dir, nil)
	for _, no := range []payment.TradeNo{"order-1-1", "order-2-1"} {
		_, err := till.Prepay(t.Context(), payment.Attempt{TradeNo: no, Channel: "till", Amount: 5})
		require.NoError(t, err)
	}
	require.NoError(t, till.Shut())
	whole, err := os.ReadFile(name)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(name, whole[:len(whole)-3], 0o600))
	till = openTill(t, dir, nil)
	require.Equal(t, []payment.TradeNo{"order-1-1"}, till.Trades())
	require.NoError(t, till.Shut())
	cut, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(cut, []byte("\n")))

	require.NoError(t, os.WriteFile(name, append([]byte("{\n"), whole...), 0o600))
	_, err = paymenttest.OpenTill(paymenttest.TillConfig{Name: "till", Dir: dir})
	require.Equal(t, hospital.Internal, hospital.KindOf(err))
	require.ErrorContains(t, err, "line 1")
	_, err = paymenttest.OpenTill(paymenttest.TillConfig{})
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
}
