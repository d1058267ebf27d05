package wechatpaytest

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"

	"github.com/wxhospital/hospital/payment/wechatpay"
)

// Credentials are what a merchant has of WeChat Pay, for the configuration of
// the code under test.
type Credentials struct {
	MerchantID          string
	AppID               string // the first of Config.AppIDs
	APIv3Key            string
	MerchantKey         *rsa.PrivateKey
	MerchantCertificate *x509.Certificate
	MerchantSerial      string
	// PublicKeyID and PublicKey are 微信支付公钥, unset in certificate mode.
	PublicKeyID string
	PublicKey   *rsa.PublicKey
	// Certificates are 平台证书, oldest first, none in public-key mode.
	Certificates []*x509.Certificate
}

// Credentials returns what the merchant would read on the merchant platform
// (商户平台) now.
func (p *Platform) Credentials() Credentials {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.ring.keys
	c := Credentials{
		MerchantID: k.MerchantID, AppID: p.config.AppIDs[0], APIv3Key: k.APIv3Key, MerchantKey: k.MerchantKey,
		MerchantCertificate: k.MerchantCertificate, MerchantSerial: wechatpay.CertificateSerial(k.MerchantCertificate),
	}
	if p.ring.mode != CertificateMode {
		c.PublicKeyID, c.PublicKey = k.PublicKeyID, &k.PublicKey.PublicKey
	}
	if p.ring.mode != PublicKeyMode {
		for _, platform := range k.Platform {
			c.Certificates = append(c.Certificates, platform.Certificate)
		}
	}
	return c
}

// credentialFile is wechatpay.json.
type credentialFile struct {
	MerchantID     string `json:"mchid"`
	AppID          string `json:"appid"`
	MerchantSerial string `json:"merchant_serial"`
	APIv3Key       string `json:"api_v3_key"`
	PublicKeyID    string `json:"public_key_id,omitempty"`
	PlatformSerial string `json:"platform_serial,omitempty"` // of the newest certificate
}

// Write puts the credentials into a folder with mode 0600, for code in another
// process: wechatpay.json {mchid, appid, merchant_serial, api_v3_key,
// public_key_id, platform_serial}, merchant_key.pem, merchant_cert.pem and, as
// far as the mode has them, wechatpay_public_key.pem and platform_cert.pem.
// Internal: a file cannot be written.
func (c Credentials) Write(dir string) error {
	about := credentialFile{
		MerchantID: c.MerchantID, AppID: c.AppID, MerchantSerial: c.MerchantSerial, APIv3Key: c.APIv3Key, PublicKeyID: c.PublicKeyID,
	}
	key, err := keyPEM(c.MerchantKey)
	if err != nil {
		return err
	}
	files := map[string][]byte{"merchant_key.pem": []byte(key), "merchant_cert.pem": []byte(certificatePEM(c.MerchantCertificate))}
	if c.PublicKey != nil {
		der, err := x509.MarshalPKIXPublicKey(c.PublicKey)
		if err != nil {
			return keyError("cannot encode a key", err)
		}
		files["wechatpay_public_key.pem"] = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	if n := len(c.Certificates); n > 0 {
		about.PlatformSerial = wechatpay.CertificateSerial(c.Certificates[n-1])
		files["platform_cert.pem"] = []byte(certificatePEM(c.Certificates[n-1]))
	}
	if files["wechatpay.json"], err = json.MarshalIndent(about, "", "  "); err != nil {
		return keyError("cannot encode", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return keyError("cannot make the folder", err)
	}
	for name, data := range files {
		file := filepath.Join(dir, name)
		err := os.RemoveAll(file) // an old one keeps its mode
		if err == nil {
			err = os.WriteFile(file, data, 0o600)
		}
		if err != nil {
			return keyError("cannot write "+name, err)
		}
	}
	return nil
}
