package wechatpay_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// minted are two platform certificates: the one in use and the next.
type minted struct{ now, next string }

const nowSerial, nextSerial = "4D2", "10E1" // 1234, 4321

func mint(t *testing.T, m *merchant) minted {
	t.Helper()
	_, now := certificate(t, platformKey, 0x4D2, m.clock.Now().AddDate(-4, 0, 0))
	_, next := certificate(t, nextKey, 0x10E1, m.clock.Now().AddDate(0, 0, -1))
	return minted{now, next}
}

func (m *merchant) paths() []string {
	var all []string
	for _, one := range m.far.requests() {
		path, _, _ := strings.Cut(one.target, "?")
		all = append(all, path)
	}
	return all
}

const tradePath = "/v3/pay/transactions/out-trade-no/" + string(tradeNo)

func TestCertificatesAreDownloadedBeforeTheFirstCall(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, byCertificate)
	certs := mint(t, m)
	m.far.says(
		reply{status: 200, body: listed(t, apiV3Key, certs.now), serial: nowSerial},
		reply{status: 200, body: told("SUCCESS"), serial: nowSerial}, reply{status: 200, body: told("SUCCESS"), serial: nowSerial},
	)
	for range 2 {
		trade, err := m.Query(t.Context(), tradeNo)
		require.NoError(t, err)
		require.Equal(t, payment.TradePaid, trade.State)
	}
	require.Equal(t, []string{"/v3/certificates", tradePath, tradePath}, m.paths())
	require.Empty(t, m.far.requests()[0].header.Get("Wechatpay-Serial"), "there is nothing to name yet")
	require.Equal(t, nowSerial, m.far.requests()[1].header.Get("Wechatpay-Serial"))
}

func TestACertificateThatIsKnownNeedsNoDownload(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t, platformKey, 0x4D2, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	m := newMerchant(t, byCertificate, func(c *wechatpay.Config) { c.PlatformCertificates = []*x509.Certificate{cert} })
	m.far.says(reply{status: 200, body: told("NOTPAY"), serial: nowSerial})
	_, err := m.Query(t.Context(), tradeNo)
	require.NoError(t, err)
	require.Equal(t, []string{tradePath}, m.paths())
}

func TestARotationIsFollowed(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, byCertificate)
	certs := mint(t, m)
	m.far.says(
		reply{status: 200, body: listed(t, apiV3Key, certs.now), serial: nowSerial},
		reply{status: 200, body: told("NOTPAY"), serial: nowSerial},
	)
	_, err := m.Query(t.Context(), tradeNo)
	require.NoError(t, err)

	m.clock.Pass(time.Hour)
	m.far.says(
		reply{status: 200, body: told("SUCCESS"), key: nextKey, serial: nextSerial},
		reply{status: 200, body: listed(t, apiV3Key, certs.now, certs.next), key: nextKey, serial: nextSerial},
		reply{status: 200, body: told("SUCCESS"), key: nextKey, serial: nextSerial},
	)
	trade, err := m.Query(t.Context(), tradeNo)
	require.NoError(t, err, "the new serial is looked up, and the answer that was signed with it is read")
	require.Equal(t, payment.TradePaid, trade.State)
	_, err = m.Query(t.Context(), tradeNo)
	require.NoError(t, err)
	asked := m.far.requests()
	require.Equal(t, []string{"/v3/certificates", tradePath, tradePath, "/v3/certificates", tradePath}, m.paths())
	require.Equal(t, nextSerial, asked[4].header.Get("Wechatpay-Serial"), "the newest is named")
}

func TestThePublicKeyAndACertificateLiveSideBySide(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	certs := mint(t, m)
	m.far.says(
		reply{status: 200, body: told("SUCCESS"), key: nextKey, serial: nextSerial}, // grey release: signed with a certificate after all
		reply{status: 200, body: listed(t, apiV3Key, certs.next)},
		reply{status: 200, body: told("SUCCESS")},
		reply{status: 200, body: told("SUCCESS"), key: nextKey, serial: nextSerial},
	)
	for range 3 {
		_, err := m.Query(t.Context(), tradeNo)
		require.NoError(t, err)
	}
	for _, one := range m.far.requests() {
		require.Equal(t, publicID, one.header.Get("Wechatpay-Serial"))
	}
}

func TestSerialsThatNobodyKnowsAreLookedForOnceAMinute(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	none := reply{status: 404, body: `{"code":"RESOURCE_NOT_EXISTS","message":"无可用的平台证书"}`}
	odd := reply{status: 200, body: told("SUCCESS"), serial: "ABCDEF"}
	m.far.says(odd, none, odd, odd)
	for range 3 {
		_, err := m.Query(t.Context(), tradeNo)
		require.ErrorIs(t, err, wechatpay.ErrUnknownKey)
		m.clock.Pass(29 * time.Second)
	}
	require.Equal(t, []string{tradePath, "/v3/certificates", tradePath, tradePath}, m.paths())
	m.far.says(odd, none)
	_, err := m.Query(t.Context(), tradeNo)
	require.ErrorIs(t, err, wechatpay.ErrUnknownKey)
	require.Len(t, m.far.requests(), 6, "a minute later it is looked for again")
	require.Contains(t, m.logs.String(), "RESOURCE_NOT_EXISTS")

	m.clock.Pass(time.Hour)
	m.far.says(reply{status: 200, body: told("SUCCESS"), serial: "PUB_KEY_ID_9"})
	_, err = m.Query(t.Context(), tradeNo)
	require.ErrorIs(t, err, wechatpay.ErrUnknownKey)
	require.Len(t, m.far.requests(), 7, "no download brings a public key")
}

func TestManyThatNeedAKeyDownloadOnce(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, byCertificate)
	certs := mint(t, m)
	list := listed(t, apiV3Key, certs.now)
	_ = keyOf(merchantsKey)
	synctest.Test(t, func(t *testing.T) {
		m := newMerchant(t, byCertificate)
		m.far.gate = make(chan struct{})
		m.far.says(reply{status: 200, body: list, serial: nowSerial})
		const many = 20
		for range many {
			m.far.says(reply{status: 200, body: told("SUCCESS"), serial: nowSerial})
		}
		hasty, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := m.Query(hasty, tradeNo)
			left <- err
		}()
		synctest.Wait()
		failures := make(chan error, many)
		for range many {
			go func() {
				_, err := m.Query(t.Context(), tradeNo)
				failures <- err
			}()
		}
		synctest.Wait()
		require.Len(t, m.far.requests(), 1, "all wait for one download")
		cancel() // whoever began the download leaves: it goes on for the others
		require.Equal(t, hospital.Unavailable, hospital.KindOf(<-left))
		close(m.far.gate)
		for range many {
			require.NoError(t, <-failures)
		}
		require.Len(t, m.far.requests(), 1+many)
	})
}

func TestAListOfCertificatesThatIsNotWeChatPaysIsNotTaken(t *testing.T) {
	t.Parallel()
	good := func(t *testing.T, m *merchant) string { t.Helper(); return listed(t, apiV3Key, mint(t, m).now) }
	for name, c := range map[string]struct {
		reply func(*testing.T, *merchant) reply
		code  string
	}{
		"sealed under another key": {func(t *testing.T, m *merchant) reply {
			t.Helper()
			return reply{status: 200, body: listed(t, strings.Repeat("x", 32), mint(t, m).now), serial: nowSerial}
		}, "not_opened"},
		"signed by a stranger": {func(t *testing.T, m *merchant) reply {
			t.Helper()
			return reply{status: 200, body: good(t, m), serial: nowSerial, key: strangersKey}
		}, "bad_signature"},
		"signed with a key that it does not list": {func(t *testing.T, m *merchant) reply {
			t.Helper()
			return reply{status: 200, body: good(t, m), serial: "77"}
		}, "unknown_serial"},
		"not signed": {func(t *testing.T, m *merchant) reply {
			t.Helper()
			return reply{status: 200, body: good(t, m), spoil: func(h http.Header) { clear(h) }}
		}, "bad_header"},
		"from another time": {func(t *testing.T, m *merchant) reply {
			t.Helper()
			return reply{status: 200, body: good(t, m), serial: nowSerial, spoil: func(h http.Header) { h.Set("Wechatpay-Timestamp", "1700000000") }}
		}, "stale"},
		"with another serial": {func(t *testing.T, m *merchant) reply {
			t.Helper()
			return reply{status: 200, body: strings.Replace(good(t, m), `"serial_no":"4D2"`, `"serial_no":"4D3"`, 1), serial: nowSerial}
		}, "malformed"},
		"empty":     {func(*testing.T, *merchant) reply { return reply{status: 200, body: `{"data":[]}`} }, "malformed"},
		"a page":    {func(*testing.T, *merchant) reply { return reply{status: 200, body: `<html>`} }, "malformed"},
		"no chance": {func(*testing.T, *merchant) reply { return reply{status: 403, body: `{"code":"NO_AUTH"}`} }, "NO_AUTH"},
		"a poor nonce": {func(t *testing.T, m *merchant) reply {
			t.Helper()
			return reply{status: 200, body: strings.Replace(good(t, m), `"nonce":"`, `"nonce":"x`, 1), serial: nowSerial}
		}, "not_opened"},
		"a plaintext that is no certificate": {func(t *testing.T, _ *merchant) reply {
			t.Helper()
			c, err := wechatpay.NewCipher([]byte(apiV3Key))
			require.NoError(t, err)
			s := c.Seal("certificate", []byte("x"))
			return reply{status: 200, serial: nowSerial, body: `{"data":[{"serial_no":"4D2","encrypt_certificate":{"algorithm":"` + s.Algorithm +
				`","nonce":"` + s.Nonce + `","associated_data":"certificate","ciphertext":"` + s.Ciphertext + `"}}]}`}
		}, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t, byCertificate)
			m.far.says(c.reply(t, m))
			_, err := m.Query(t.Context(), tradeNo)
			require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "nothing was asked: %v", err)
			require.Equal(t, "no_key", hospital.CodeOf(err))
			require.ErrorContains(t, err, c.code)
			require.Equal(t, []string{"/v3/certificates"}, m.paths())
			_, err = m.Query(t.Context(), tradeNo)
			require.Error(t, err)
			require.Len(t, m.far.requests(), 1, "not again at once")

			m.clock.Pass(6 * time.Second)
			m.far.says(reply{status: 200, body: good(t, m), serial: nowSerial}, reply{status: 200, body: told("SUCCESS"), serial: nowSerial})
			_, err = m.Query(t.Context(), tradeNo)
			require.NoError(t, err, "the honest list is taken")
		})
	}
}

func TestAnExpiredCertificateVerifiesNothing(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, byCertificate)
	certs := mint(t, m)
	m.far.says(reply{status: 200, body: listed(t, apiV3Key, certs.now), serial: nowSerial}, reply{status: 200, body: told("NOTPAY"), serial: nowSerial})
	_, err := m.Query(t.Context(), tradeNo)
	require.NoError(t, err)
	m.clock.Pass(366 * 24 * time.Hour)
	m.far.says(reply{status: 200, body: listed(t, apiV3Key, certs.now, certs.next), key: nextKey, serial: nextSerial},
		reply{status: 200, body: told("NOTPAY"), serial: nowSerial}) // still listed, and over
	_, err = m.Query(t.Context(), tradeNo)
	require.ErrorIs(t, err, wechatpay.ErrUnknownKey)
}

func TestKeysAreReadFromPEM(t *testing.T) {
	t.Parallel()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(keyOf(merchantsKey))
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&keyOf(platformKey).PublicKey)
	require.NoError(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	curve8, err := x509.MarshalPKCS8PrivateKey(curve)
	require.NoError(t, err)
	curvePublic, err := x509.MarshalPKIXPublicKey(&curve.PublicKey)
	require.NoError(t, err)
	text := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }

	key, err := wechatpay.ParsePrivateKey(text("PRIVATE KEY", pkcs8))
	require.NoError(t, err)
	require.True(t, keyOf(merchantsKey).Equal(key))
	key, err = wechatpay.ParsePrivateKey(text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(keyOf(merchantsKey))))
	require.NoError(t, err)
	require.True(t, keyOf(merchantsKey).Equal(key))
	pub, err := wechatpay.ParsePublicKey(text("PUBLIC KEY", public))
	require.NoError(t, err)
	require.True(t, keyOf(platformKey).PublicKey.Equal(pub))

	for code, parse := range map[string]func() error{
		"no_pem_private_key": func() error { _, err := wechatpay.ParsePrivateKey([]byte("x")); return err },
		"bad_private_key":    func() error { _, err := wechatpay.ParsePrivateKey(text("PRIVATE KEY", []byte("x"))); return err },
		"not_rsa":            func() error { _, err := wechatpay.ParsePrivateKey(text("PRIVATE KEY", curve8)); return err },
		"no_pem_public_key":  func() error { _, err := wechatpay.ParsePublicKey(nil); return err },
		"bad_public_key":     func() error { _, err := wechatpay.ParsePublicKey(text("PUBLIC KEY", []byte("x"))); return err },
		"no_pem_certificate": func() error { _, err := wechatpay.ParseCertificate([]byte("x")); return err },
		"bad_certificate":    func() error { _, err := wechatpay.ParseCertificate(text("CERTIFICATE", []byte("x"))); return err },
	} {
		require.Equal(t, code, hospital.CodeOf(parse()))
	}
	_, err = wechatpay.ParsePublicKey(text("PUBLIC KEY", curvePublic))
	require.Equal(t, "not_rsa", hospital.CodeOf(err))
}
