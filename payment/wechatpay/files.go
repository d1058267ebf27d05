package wechatpay

import (
	"errors"
	"io"
	"os"
	"slices"

	"github.com/wxhospital/hospital"
)

// maxKeyFile bounds a PEM file. A chain of certificates has a few kilobytes.
const maxKeyFile = 64 << 10

// Files names the PEM files of a merchant, as the merchant platform hands them
// out. An empty name leaves the field of the [Config] as it is.
type Files struct {
	MerchantKey          string   // 商户API私钥, apiclient_key.pem
	MerchantCertificate  string   // 商户API证书, apiclient_cert.pem: tells MerchantSerial
	PublicKey            string   // 微信支付公钥, pub_key.pem
	PlatformCertificates []string // 平台证书, wechatpay_*.pem
}

// Fill reads the files into a configuration. An Invalid error names the field
// of Files and never a word of what stands in the file.
func (f Files) Fill(cfg Config) (Config, error) {
	if f.MerchantKey != "" {
		key, err := parsed("MerchantKey", f.MerchantKey, ParsePrivateKey)
		if err != nil {
			return cfg, err
		}
		cfg.MerchantKey = key
	}
	if f.MerchantCertificate != "" {
		cert, err := parsed("MerchantCertificate", f.MerchantCertificate, ParseCertificate)
		if err != nil {
			return cfg, err
		}
		if cfg.MerchantKey != nil && !cfg.MerchantKey.PublicKey.Equal(cert.PublicKey) {
			return cfg, badFile("MerchantCertificate", "is not the certificate of MerchantKey", nil)
		}
		cfg.MerchantSerial = CertificateSerial(cert)
	}
	if f.PublicKey != "" {
		key, err := parsed("PublicKey", f.PublicKey, ParsePublicKey)
		if err != nil {
			return cfg, err
		}
		cfg.PublicKey = key
	}
	for _, name := range f.PlatformCertificates {
		cert, err := parsed("PlatformCertificates", name, ParseCertificate)
		if err != nil {
			return cfg, err
		}
		cfg.PlatformCertificates = append(slices.Clip(cfg.PlatformCertificates), cert)
	}
	return cfg, nil
}

func badFile(field, why string, err error) error {
	return &hospital.Error{
		Kind: hospital.Invalid, Op: "wechatpay.Files", Code: "bad_config", Detail: "Files." + field + " " + why, Err: err,
	}
}

// parsed reads the file of a field.
func parsed[T any](field, name string, parse func([]byte) (T, error)) (T, error) {
	var none T
	text, err := readFile(name)
	if err != nil {
		return none, badFile(field, "cannot be read", err)
	}
	value, err := parse(text)
	if err != nil {
		return none, badFile(field, "is not what it should be: "+hospital.CodeOf(err), nil)
	}
	return value, nil
}

var errLargeFile = errors.New("wechatpay: a PEM file above 64 KiB")

func readFile(name string) (text []byte, err error) {
	file, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err //nolint:wrapcheck // its only caller names the field
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err = io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if len(text) > maxKeyFile {
		return nil, errLargeFile
	}
	return text, err //nolint:wrapcheck // as above
}
