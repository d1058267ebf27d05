package wechatpaytest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// keysName is the file in Config.Dir.
const keysName = "wechatpay.keys"

// keyBits is the size of every RSA key of WeChat Pay.
const keyBits = 2048

// certificateLife is how long a certificate lives. Source:
// pay.weixin.qq.com/doc/v3/merchant/4012154180, five years.
const certificateLife = 5 * 365 * 24 * time.Hour

// Keys are all that the two sides sign and encrypt with, private halves too.
type Keys struct {
	MerchantID          string
	MerchantKey         *rsa.PrivateKey
	MerchantCertificate *x509.Certificate
	APIv3Key            string          // 32 letters and digits
	PublicKeyID         string          // PUB_KEY_ID_…
	PublicKey           *rsa.PrivateKey // whose public half the merchant downloads
	Platform            []PlatformKey   // the certificates, oldest first
}

// PlatformKey is 平台证书 with its private key.
type PlatformKey struct {
	Certificate *x509.Certificate
	Key         *rsa.PrivateKey
}

// NewKeys makes a set for a merchant, "" for DefaultMerchantID. The
// certificates are valid around the given time.
func NewKeys(merchantID string, at time.Time) (*Keys, error) {
	if merchantID == "" {
		merchantID = DefaultMerchantID
	}
	merchant, err := newCertificate("merchant "+merchantID, at.Add(-24*time.Hour))
	if err != nil {
		return nil, err
	}
	platform, err := newCertificate("Tenpay.com Root CA (simulated)", at.Add(-24*time.Hour))
	if err != nil {
		return nil, err
	}
	public, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, keyError("cannot make a key", err)
	}
	return &Keys{
		MerchantID: merchantID, MerchantKey: merchant.Key, MerchantCertificate: merchant.Certificate,
		APIv3Key:    (rand.Text() + rand.Text())[:32],
		PublicKeyID: "PUB_KEY_ID_0" + merchantID + at.In(hospital.CST).Format("20060102") + "00000001",
		PublicKey:   public, Platform: []PlatformKey{platform},
	}, nil
}

// newCertificate makes a key and a certificate that it signs itself.
func newCertificate(name string, from time.Time) (PlatformKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return PlatformKey{}, keyError("cannot make a key", err)
	}
	serial := make([]byte, 20)
	if _, err := rand.Read(serial); err != nil {
		return PlatformKey{}, keyError("cannot make a serial number", err)
	}
	serial[0] = serial[0]&0x3f | 0x40 // 40 hex digits, positive
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: from, NotAfter: from.Add(certificateLife), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return PlatformKey{}, keyError("cannot make a certificate", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return PlatformKey{}, keyError("cannot read a certificate", err)
	}
	return PlatformKey{Certificate: certificate, Key: key}, nil
}

// keyFile is Keys as they lie on the disk.
type keyFile struct {
	MerchantID, MerchantKey, MerchantCertificate string
	APIv3Key, PublicKeyID, PublicKey             string
	Platform                                     []platformKeyFile
}

type platformKeyFile struct{ Certificate, Key string }

// openKeys returns the keys of the folder, or those of the Config, or new ones.
func openKeys(config Config) (*Keys, error) {
	var keys *Keys
	if config.Dir != "" {
		if err := os.MkdirAll(config.Dir, 0o700); err != nil {
			return nil, keyError("cannot make the folder", err)
		}
		var err error
		if keys, err = readKeys(config.Dir); err != nil {
			return nil, err
		}
	}
	switch {
	case keys != nil && config.Keys != nil:
		return nil, platformError(hospital.Invalid, "bad_config", "Keys: the folder has its own")
	case keys != nil && keys.MerchantID != config.MerchantID:
		return nil, platformError(hospital.Invalid, "bad_config", "MerchantID differs from the folder's")
	case keys != nil:
		return keys, nil
	case config.Keys != nil:
		if err := config.Keys.check(config.MerchantID); err != nil {
			return nil, err
		}
		own := *config.Keys
		own.Platform = append([]PlatformKey(nil), own.Platform...)
		keys = &own
	default:
		var err error
		if keys, err = NewKeys(config.MerchantID, config.Wall()); err != nil {
			return nil, err
		}
	}
	if config.Dir == "" {
		return keys, nil
	}
	return keys, keys.write(config.Dir)
}

func (k *Keys) check(merchantID string) error {
	switch {
	case k.MerchantID != merchantID:
		return platformError(hospital.Invalid, "bad_config", "Keys.MerchantID is another merchant's")
	case k.MerchantKey == nil || k.MerchantCertificate == nil || k.PublicKey == nil || k.PublicKeyID == "":
		return platformError(hospital.Invalid, "bad_config", "Keys: a key is missing")
	case !k.MerchantKey.PublicKey.Equal(k.MerchantCertificate.PublicKey):
		return platformError(hospital.Invalid, "bad_config", "Keys.MerchantCertificate is of another key")
	case len(k.Platform) == 0:
		return platformError(hospital.Invalid, "bad_config", "Keys.Platform is empty")
	}
	return nil
}

func readKeys(dir string) (*Keys, error) {
	data, err := os.ReadFile(filepath.Join(filepath.Clean(dir), keysName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, keyError("cannot read "+keysName, err)
	}
	var f keyFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, keyError(keysName+" is torn", err)
	}
	k := &Keys{MerchantID: f.MerchantID, APIv3Key: f.APIv3Key, PublicKeyID: f.PublicKeyID}
	for _, part := range []struct {
		text string
		key  **rsa.PrivateKey
		cert **x509.Certificate
	}{
		{f.MerchantKey, &k.MerchantKey, nil},
		{f.MerchantCertificate, nil, &k.MerchantCertificate},
		{f.PublicKey, &k.PublicKey, nil},
	} {
		if err := readPEM(part.text, part.key, part.cert); err != nil {
			return nil, err
		}
	}
	for _, p := range f.Platform {
		var key PlatformKey
		if err := errors.Join(readPEM(p.Key, &key.Key, nil), readPEM(p.Certificate, nil, &key.Certificate)); err != nil {
			return nil, err
		}
		k.Platform = append(k.Platform, key)
	}
	return k, k.check(f.MerchantID)
}

// readPEM reads a key or a certificate, whichever has a place to go to.
func readPEM(text string, key **rsa.PrivateKey, certificate **x509.Certificate) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return keyError(keysName+" is torn", nil)
	}
	var err error
	if certificate != nil {
		*certificate, err = x509.ParseCertificate(block.Bytes)
	} else {
		var parsed any
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		if own, ok := parsed.(*rsa.PrivateKey); ok {
			*key = own
		}
	}
	if err != nil {
		return keyError(keysName+" is torn", err)
	}
	return nil
}

// write replaces the file, whole or not at all.
func (k *Keys) write(dir string) error {
	f := keyFile{MerchantID: k.MerchantID, APIv3Key: k.APIv3Key, PublicKeyID: k.PublicKeyID, MerchantCertificate: certificatePEM(k.MerchantCertificate)}
	var err error
	if f.MerchantKey, err = keyPEM(k.MerchantKey); err != nil {
		return err
	}
	if f.PublicKey, err = keyPEM(k.PublicKey); err != nil {
		return err
	}
	for _, p := range k.Platform {
		text, err := keyPEM(p.Key)
		if err != nil {
			return err
		}
		f.Platform = append(f.Platform, platformKeyFile{Certificate: certificatePEM(p.Certificate), Key: text})
	}
	data, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return keyError("cannot encode", err)
	}
	name := filepath.Join(filepath.Clean(dir), keysName)
	fresh, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // the folder of the Config
	if err != nil {
		return keyError("cannot write", err)
	}
	_, err = fresh.Write(data)
	if err = errors.Join(err, fresh.Sync(), fresh.Close()); err != nil {
		return keyError("cannot write", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return keyError("cannot write", err)
	}
	return nil
}

func keyPEM(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", keyError("cannot encode a key", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

func certificatePEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func keyError(detail string, cause error) error {
	return &hospital.Error{Kind: hospital.Internal, Op: "wechatpaytest.Keys", Code: "bad_keys", Detail: detail, Err: cause}
}

// ring is the keys that WeChat Pay signs with in a mode. The platform's lock
// guards it.
type ring struct {
	mode Mode
	keys *Keys
}

// first is the key that signs until SignWith names another. While a merchant
// changes over, that is the certificate.
// Source: pay.weixin.qq.com/doc/v3/merchant/4012154180.
func (r *ring) first() string {
	if r.mode == PublicKeyMode {
		return r.keys.PublicKeyID
	}
	return wechatpay.CertificateSerial(r.keys.Platform[0].Certificate)
}

// find returns the key of an identifier, nil where the mode has none.
func (r *ring) find(id string) *rsa.PrivateKey {
	if r.mode != CertificateMode && id == r.keys.PublicKeyID {
		return r.keys.PublicKey
	}
	if r.mode != PublicKeyMode {
		for _, p := range r.keys.Platform {
			if wechatpay.CertificateSerial(p.Certificate) == id {
				return p.Key
			}
		}
	}
	return nil
}

// NewCertificate adds a platform certificate, as happens ten days before one
// expires, and returns its serial number. It is listed at once; it signs what
// asks for it, and the rest from [Platform.SignWith] on. Conflict: the merchant
// has no certificates.
func (p *Platform) NewCertificate() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ring.mode == PublicKeyMode {
		return "", platformError(hospital.Conflict, "no_certificates", "the merchant has a public key only")
	}
	from := p.config.Wall().Add(-24 * time.Hour).Truncate(time.Second)
	if last := p.ring.keys.Platform[len(p.ring.keys.Platform)-1].Certificate.NotBefore; !from.After(last) {
		from = last.Add(time.Second) // clients take the newest by this
	}
	fresh, err := newCertificate(fmt.Sprintf("Tenpay.com Root CA (simulated) %d", len(p.ring.keys.Platform)+1), from)
	if err != nil {
		return "", err
	}
	keys := *p.ring.keys
	keys.Platform = append(append([]PlatformKey(nil), keys.Platform...), fresh)
	if p.config.Dir != "" {
		if err := keys.write(p.config.Dir); err != nil {
			return "", err
		}
	}
	p.ring.keys = &keys
	return wechatpay.CertificateSerial(fresh.Certificate), nil
}

// SignWith makes WeChat Pay sign with the key: notifications, and answers to
// requests that ask for none. With a certificate's serial number it is the
// rotation, with the public key's identifier 切换到微信支付公钥. NotFound: the
// mode has no such key.
func (p *Platform) SignWith(id string) error {
	return p.do(func(c *change) error {
		if c.wire.find(id) == nil {
			return platformError(hospital.NotFound, "unknown_serial", "no such key in this mode")
		}
		c.Signer = id
		return nil
	})
}
