package wechatpay_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

func TestFilesFillAConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	private, err := x509.MarshalPKCS8PrivateKey(keyOf(merchantsKey))
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&keyOf(platformKey).PublicKey)
	require.NoError(t, err)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	_, merchantCert := certificate(t, merchantsKey, 0xABC, at)
	_, platformCert := certificate(t, platformKey, 0x4D2, at)
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	good := wechatpay.Files{
		MerchantKey:          write("apiclient_key.pem", keyPEM),
		MerchantCertificate:  write("apiclient_cert.pem", merchantCert),
		PublicKey:            write("pub_key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))),
		PlatformCertificates: []string{write("wechatpay_4D2.pem", platformCert)},
	}
	cfg, err := good.Fill(wechatpay.Config{AppID: appID})
	require.NoError(t, err)
	require.Equal(t, appID, cfg.AppID)
	require.True(t, keyOf(merchantsKey).Equal(cfg.MerchantKey))
	require.Equal(t, "ABC", cfg.MerchantSerial)
	require.True(t, keyOf(platformKey).PublicKey.Equal(cfg.PublicKey))
	require.Len(t, cfg.PlatformCertificates, 1)
	untouched, err := wechatpay.Files{}.Fill(config())
	require.NoError(t, err)
	require.Equal(t, config(), untouched)

	for name, c := range map[string]struct {
		field string
		spoil func(*wechatpay.Files)
	}{
		"a key that is not there":      {"MerchantKey", func(f *wechatpay.Files) { f.MerchantKey = filepath.Join(dir, "none") }},
		"a certificate for a key":      {"MerchantKey", func(f *wechatpay.Files) { f.MerchantKey = f.MerchantCertificate }},
		"a key for a certificate":      {"MerchantCertificate", func(f *wechatpay.Files) { f.MerchantCertificate = f.MerchantKey }},
		"the certificate of another":   {"MerchantCertificate", func(f *wechatpay.Files) { f.MerchantCertificate = f.PlatformCertificates[0] }},
		"a private key for the public": {"PublicKey", func(f *wechatpay.Files) { f.PublicKey = f.MerchantKey }},
		"a key among the certificates": {"PlatformCertificates", func(f *wechatpay.Files) { f.PlatformCertificates = []string{f.PublicKey} }},
		"a file without end":           {"PublicKey", func(f *wechatpay.Files) { f.PublicKey = write("huge.pem", strings.Repeat("x", 64<<10+1)) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := good
			c.spoil(&files)
			_, err := files.Fill(wechatpay.Config{})
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
			require.ErrorContains(t, err, "Files."+c.field)
			require.NotContains(t, err.Error(), "BEGIN")
		})
	}
}
