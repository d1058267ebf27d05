package wechatpaytest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// certificates downloads and opens the list.
func (m *merchant) certificates() (serials []string, got reply) {
	m.t.Helper()
	got = m.do(http.MethodGet, "/v3/certificates", "")
	var list struct {
		Data []struct {
			Serial    string           `json:"serial_no"`
			Effective time.Time        `json:"effective_time"`
			Expires   time.Time        `json:"expire_time"`
			Encrypted wechatpay.Sealed `json:"encrypt_certificate"`
		}
	}
	require.NoError(m.t, json.Unmarshal(got.Body, &list))
	cipher, err := wechatpay.NewCipher([]byte(m.c.APIv3Key))
	require.NoError(m.t, err)
	for _, one := range list.Data {
		plain, err := cipher.Open(one.Encrypted)
		require.NoError(m.t, err)
		require.Equal(m.t, "certificate", one.Encrypted.AssociatedData)
		certificate, err := wechatpay.ParseCertificate(plain)
		require.NoError(m.t, err)
		require.Equal(m.t, wechatpay.CertificateSerial(certificate), one.Serial)
		require.True(m.t, certificate.NotBefore.Equal(one.Effective))
		require.True(m.t, certificate.NotAfter.Equal(one.Expires))
		serials = append(serials, one.Serial)
	}
	return serials, got
}

func TestCertificatesByMode(t *testing.T) {
	t.Parallel()
	m := trading(t, wechatpaytest.Config{Mode: wechatpaytest.PublicKeyMode})
	_, got := m.certificates()
	require.Equal(t, http.StatusNotFound, got.Status)
	require.Equal(t, "RESOURCE_NOT_EXISTS", got.Code)
	require.Equal(t, m.c.PublicKeyID, got.Signer)
	require.Empty(t, m.c.Certificates)
	_, err := m.p.NewCertificate()
	require.Equal(t, hospital.Conflict, hospital.KindOf(err))

	m = trading(t, wechatpaytest.Config{Mode: wechatpaytest.CertificateMode})
	serials, got := m.certificates()
	require.Len(t, serials, 1)
	require.Equal(t, serials[0], got.Signer)
	require.Empty(t, m.c.PublicKeyID)
	require.Equal(t, hospital.NotFound, hospital.KindOf(m.p.SignWith("PUB_KEY_ID_0")), "there is no public key to change to")
	set, err := keys()
	require.NoError(t, err)
	m.edit = func(r *http.Request) { r.Header.Set(wechatpay.HeaderSerial, set.PublicKeyID) }
	require.Equal(t, serials[0], m.prepay("MODE_01").Signer, "nor to ask for")
	require.Equal(t, "PARAM_ERROR", m.do(http.MethodGet, "/v3/certificates?algorithm_type=SM2", "").Code)
	require.Equal(t, http.StatusOK, m.do(http.MethodGet, "/v3/certificates?algorithm_type=RSA", "").Status)
}

// TestWhoSigns asks for keys and has the platform change its own.
func TestWhoSigns(t *testing.T) {
	t.Parallel()
	mat := &doormat{}
	m := trading(t, wechatpaytest.Config{Mode: wechatpaytest.MixedMode, HTTPClient: mat.client()})
	serials, got := m.certificates()
	require.Equal(t, serials[0], got.Signer, "while a merchant changes over, the certificate signs")
	asking := func(serial string) string {
		one := *m
		one.edit = func(r *http.Request) { r.Header.Set(wechatpay.HeaderSerial, serial) }
		return one.prepay("SIGNER_1").Signer
	}
	require.Equal(t, m.c.PublicKeyID, asking(m.c.PublicKeyID), "the key that the request names signs")
	require.Equal(t, serials[0], asking(serials[0]))
	require.Equal(t, serials[0], asking("55555"), "an unknown one is not obeyed")

	fresh, err := m.p.NewCertificate()
	require.NoError(t, err)
	listed, got := m.certificates()
	require.Equal(t, []string{serials[0], fresh}, listed)
	require.Equal(t, serials[0], got.Signer, "the new one is listed and does not sign yet")
	require.Equal(t, fresh, asking(fresh), "unless it is asked for")
	newest := m.p.Credentials().Certificates
	require.True(t, newest[1].NotBefore.After(newest[0].NotBefore), "clients take the newest by its time")

	for _, key := range []string{fresh, m.c.PublicKeyID} {
		require.NoError(t, m.p.SignWith(key))
		require.Equal(t, key, m.prepay("SIGNER_1").Signer)
		require.Equal(t, serials[0], asking(serials[0]))
		m.paid("SIGNER_" + key[:8])
		m.advance()
		came := mat.all()
		require.Equal(t, key, came[len(came)-1].Header.Get(wechatpay.HeaderSerial), "notifications are signed with it too")
		_, err := m.open(came[len(came)-1])
		require.NoError(t, err)
	}
	require.Equal(t, hospital.NotFound, hospital.KindOf(m.p.SignWith("55555")))
}

func TestABadConfigIsNamed(t *testing.T) {
	t.Parallel()
	set, err := keys()
	require.NoError(t, err)
	other := *set
	other.MerchantCertificate = set.Platform[0].Certificate
	none := *set
	none.Platform = nil
	short := *set
	short.APIv3Key = "short"
	for field, config := range map[string]wechatpaytest.Config{
		"MerchantID":               {MerchantID: "hospital"},
		"AppIDs":                   {AppIDs: []string{""}},
		"Mode":                     {Mode: "both"},
		"RefundAfter":              {RefundAfter: -1},
		"RefundNotifyURL":          {RefundNotifyURL: "https://hospital.example/refunds?a=b"},
		"Keys.MerchantID":          {MerchantID: "1900000110", Keys: set},
		"Keys.MerchantCertificate": {Keys: &other},
		"Keys.Platform":            {Keys: &none},
		"Keys: a key is missing":   {Keys: &wechatpaytest.Keys{MerchantID: wechatpaytest.DefaultMerchantID}},
		"32 bytes":                 {Keys: &short},
	} {
		_, err := wechatpaytest.New(config)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), field)
		require.ErrorContains(t, err, field)
	}
}

// TestCredentialsAreWritten reads the files back as a merchant would.
func TestCredentialsAreWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "wechatpay")
	m := trading(t, wechatpaytest.Config{Mode: wechatpaytest.MixedMode})
	require.NoError(t, m.c.Write(dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 5)
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), entry.Name())
	}
	written, err := os.ReadFile(filepath.Join(dir, "wechatpay.json"))
	require.NoError(t, err)
	var about map[string]string
	require.NoError(t, json.Unmarshal(written, &about))
	require.Equal(t, map[string]string{
		"mchid": m.c.MerchantID, "appid": m.c.AppID, "merchant_serial": m.c.MerchantSerial, "api_v3_key": m.c.APIv3Key,
		"public_key_id": m.c.PublicKeyID, "platform_serial": wechatpay.CertificateSerial(m.c.Certificates[0]),
	}, about)
	name := func(file string) string { return filepath.Join(dir, file) }
	config, err := wechatpay.Files{
		MerchantKey: name("merchant_key.pem"), MerchantCertificate: name("merchant_cert.pem"), PublicKey: name("wechatpay_public_key.pem"),
		PlatformCertificates: []string{name("platform_cert.pem")},
	}.Fill(wechatpay.Config{})
	require.NoError(t, err)
	require.True(t, config.MerchantKey.Equal(m.c.MerchantKey))
	require.True(t, config.PublicKey.Equal(m.c.PublicKey))
	require.Equal(t, m.c.MerchantSerial, config.MerchantSerial)
}

// TestTheOrdersOfAnotherProcess go over HTTP and say what was wrong.
func TestTheOrdersOfAnotherProcess(t *testing.T) {
	t.Parallel()
	mat := &doormat{}
	m := trading(t, wechatpaytest.Config{Mode: wechatpaytest.MixedMode, HTTPClient: mat.client()})
	m.prepay("ORDER_1")
	sim := func(method, order string) (int, map[string]any) {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1/_sim/"+order, nil)
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		m.p.ServeHTTP(w, r)
		var got map[string]any
		if w.Body.Len() > 0 {
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		}
		return w.Code, got
	}
	for _, bad := range []struct {
		order  string
		status int
		code   string
	}{
		{"pay", 404, "ORDER_NOT_EXIST"},
		{"pay?out_trade_no=ORDER_9", 404, "ORDER_NOT_EXIST"},
		{"pay?out_trade_no=ORDER_1&coupons=5", 400, "bad_order"},
		{"pay?out_trade_no=ORDER_1&coupon=x", 400, "bad_order"},
		{"pay?out_trade_no=ORDER_1&appId=" + m.c.AppID + "&package=prepay_id=x", 404, "no_sheet"},
		{"fail?call=query&fault=ded", 400, "bad_switch"},
		{"fail?call=query", 400, "bad_order"},
		{"mail?fault=eaten", 400, "bad_mail"},
		{"post?id=EV-1", 404, "no_notice"},
		{"refunds?outcome=DONE", 400, "bad_outcome"},
		{"refund?out_refund_no=R1&status=SUCCESS", 404, "RESOURCE_NOT_EXISTS"},
		{"sign?key=5", 404, "unknown_serial"},
		{"funds?amount=-1", 409, "NOT_ENOUGH"},
		{"clock?forward=-1s", 400, "bad_order"},
		{"advance?now=1", 400, "bad_order"},
		{"certificate?x=1", 400, "bad_order"},
	} {
		status, got := sim(http.MethodPost, bad.order)
		require.Equal(t, bad.status, status, bad.order)
		require.Equal(t, bad.code, got["code"], bad.order)
	}
	status, _ := sim(http.MethodPost, "pays")
	require.Equal(t, http.StatusNotFound, status)
	ok := func(order string) map[string]any {
		status, got := sim(http.MethodPost, order)
		require.Equal(t, http.StatusOK, status, "%s: %v", order, got)
		return got
	}
	ok("fail?call=query&fault=too_many&times=1")
	require.Equal(t, "FREQUENCY_LIMITED", m.query("ORDER_1").Code)
	ok("fail?call=any&fault=too_many")
	ok("heal")
	ok("mail?fault=late&delay=1h")
	ok("refunds?outcome=PROCESSING")
	ok("funds?amount=100")
	require.Equal(t, "SUCCESS", ok("pay?out_trade_no=ORDER_1&coupon=50&openid=" + openID)["trade_state"])
	serial := text(ok("certificate"), "serial")
	ok("sign?key=" + serial)
	require.Equal(t, serial, m.refund("ORDER_1", "R1", 500).Signer)
	ok("refund?out_refund_no=R1&status=ABNORMAL")
	ok("advance")
	require.Len(t, mat.all(), 1, "the payment's notification is late")
	ok("clock?forward=1h")
	ok("advance")
	require.Len(t, mat.all(), 2)
	status, ledger := sim(http.MethodGet, "ledger")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 1250, fen(ledger, "Paid"))
	require.Equal(t, 500, fen(ledger, "Refunded"))
	require.Equal(t, 850, fen(ledger, "Funds"))
	ok("post?id=" + m.ledger().Notices[0].ID)
	ok("advance")
	require.Len(t, mat.all(), 3)

	far := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/_sim/ledger", nil)
	far.RemoteAddr = "192.0.2.1:1"
	w := httptest.NewRecorder()
	m.p.ServeHTTP(w, far)
	require.Equal(t, http.StatusForbidden, w.Code, "another machine gives no orders")
}
