package wechatpaytest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// reopen closes the platform and opens its folder again.
func (m *merchant) reopen(config wechatpaytest.Config) {
	m.t.Helper()
	if m.p != nil {
		require.NoError(m.t, m.p.Close())
	}
	config.Now = m.clock.Now
	var err error
	m.p, err = wechatpaytest.New(config)
	require.NoError(m.t, err)
	m.c = m.p.Credentials()
}

// TestARestart finds trades, refunds, notifications, money, clock and keys as
// they were, and goes on.
func TestARestart(t *testing.T) {
	t.Parallel()
	mat := &doormat{statuses: []int{500, 500}}
	dir := t.TempDir()
	set, err := keys()
	require.NoError(t, err)
	config := wechatpaytest.Config{Dir: dir, Mode: wechatpaytest.MixedMode, Keys: set, HTTPClient: mat.client()}
	m := &merchant{t: t, clock: testclock.At(time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC))}
	m.reopen(config)
	before := m.c
	serial, err := m.p.NewCertificate()
	require.NoError(t, err)
	require.NoError(t, m.p.SignWith(serial))
	require.NoError(t, m.p.Shift(time.Hour))
	m.paid("RESTART_1", "attach", "a")
	m.advance()
	m.prepay("RESTART_2")
	require.Equal(t, http.StatusOK, m.refund("RESTART_1", "R1", 500).Status)
	require.NoError(t, m.p.MoveFunds(7))
	was, now := m.ledger(), m.p.Now()

	config.Keys = nil
	m.reopen(config)
	require.Equal(t, was, m.ledger())
	require.Equal(t, now, m.p.Now())
	require.Equal(t, before.MerchantSerial, m.c.MerchantSerial)
	require.Equal(t, before.APIv3Key, m.c.APIv3Key)
	require.True(t, before.PublicKey.Equal(m.c.PublicKey))
	require.Len(t, m.c.Certificates, 2)
	require.Equal(t, serial, m.prepay("RESTART_2").Signer)
	require.Equal(t, "ORDER_PAID", m.prepay("RESTART_1", "attach", "a").Code, "re-entry is judged as before")
	require.Equal(t, "INVALID_REQUEST", m.prepay("RESTART_2", "attach", "a").Code)
	require.Equal(t, http.StatusOK, m.refund("RESTART_1", "R1", 500).Status)
	require.Len(t, m.ledger().Refunds, 1)

	m.clock.Pass(15 * time.Second)
	m.advance()
	came := mat.all()
	require.Len(t, came, 3, "the payment a second time, the refund once")
	first, err := m.open(came[0])
	require.NoError(t, err)
	second, err := m.open(came[1])
	require.NoError(t, err)
	require.Contains(t, []string{"TRANSACTION.SUCCESS"}, first.Event)
	require.True(t, second.ID == first.ID || second.Event == "REFUND.SUCCESS")
	again := m.paid("RESTART_2")
	require.NotEqual(t, was.Trades[0].TransactionID, again.TransactionID, "no number is given twice")
	require.NoError(t, m.p.Close())
	_, err = m.p.Pay(wechatpaytest.Payment{OutTradeNo: "RESTART_2"})
	require.Error(t, err)
	require.Error(t, m.p.Shift(time.Second), "a closed platform changes nothing")
}

func TestAFolderThatIsAnotherMerchants(t *testing.T) {
	t.Parallel()
	set, err := keys()
	require.NoError(t, err)
	dir := t.TempDir()
	p, err := wechatpaytest.New(wechatpaytest.Config{Dir: dir, Keys: set})
	require.NoError(t, err)
	require.NoError(t, p.Close())
	_, err = wechatpaytest.New(wechatpaytest.Config{Dir: dir, MerchantID: "1900000110"})
	require.ErrorContains(t, err, "MerchantID")
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
	_, err = wechatpaytest.New(wechatpaytest.Config{Dir: dir, Keys: set})
	require.ErrorContains(t, err, "Keys")
	p, err = wechatpaytest.New(wechatpaytest.Config{Dir: dir, Mode: wechatpaytest.CertificateMode})
	require.NoError(t, err, "another mode is the change-over")
	require.NoError(t, p.Close())
	for _, name := range []string{"wechatpay.keys", "wechatpay.journal"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

// TestATornJournal forgets a torn last line, which nobody was told of, and
// refuses any other damage.
func TestATornJournal(t *testing.T) {
	t.Parallel()
	set, err := keys()
	require.NoError(t, err)
	dir := t.TempDir()
	m := &merchant{t: t, clock: testclock.At(time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC))}
	m.reopen(wechatpaytest.Config{Dir: dir, Keys: set})
	for _, no := range []string{"TORN_01", "TORN_02", "TORN_03"} {
		m.prepay(no)
	}
	require.NoError(t, m.p.Close())
	m.p = nil
	name := filepath.Join(dir, "wechatpay.journal")
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, whole[:len(whole)-9], 0o600))
	m.reopen(wechatpaytest.Config{Dir: dir})
	require.Len(t, m.ledger().Trades, 2)
	require.Equal(t, http.StatusOK, m.prepay("TORN_03").Status)
	m.reopen(wechatpaytest.Config{Dir: dir})
	require.Len(t, m.ledger().Trades, 3)
	require.NoError(t, m.p.Close())

	lines := bytes.SplitAfter(whole, []byte("\n"))
	for name, content := range map[string]string{
		"line 2 cannot be read": string(lines[0]) + "{\n" + string(lines[2]),
		"line 1 cannot be read": string(lines[1]) + string(lines[2]),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "wechatpay.journal"), []byte(content), 0o600))
		_, err := wechatpaytest.New(wechatpaytest.Config{Dir: dir})
		require.ErrorContains(t, err, name)
		require.Equal(t, hospital.Internal, hospital.KindOf(err))
	}
}

func TestTornKeys(t *testing.T) {
	t.Parallel()
	set, err := keys()
	require.NoError(t, err)
	dir := t.TempDir()
	p, err := wechatpaytest.New(wechatpaytest.Config{Dir: dir, Keys: set})
	require.NoError(t, err)
	require.NoError(t, p.Close())
	name := filepath.Join(dir, "wechatpay.keys")
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	var file map[string]any
	require.NoError(t, json.Unmarshal(whole, &file))
	file["MerchantKey"] = strings.Replace(text(file, "MerchantKey"), "M", "!", 3)
	torn, err := json.Marshal(file)
	require.NoError(t, err)
	for _, content := range [][]byte{nil, whole[:100], torn} {
		require.NoError(t, os.WriteFile(name, content, 0o600))
		_, err := wechatpaytest.New(wechatpaytest.Config{Dir: dir})
		require.ErrorContains(t, err, "wechatpay.keys is torn")
		require.NotContains(t, err.Error(), "PRIVATE")
	}
}
