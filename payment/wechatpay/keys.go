package wechatpay

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

// Window is how far the time of a signature may be from our clock, either way.
//
// Source: pay.weixin.qq.com/doc/v3/merchant/4013053420, five minutes.
const Window = 5 * time.Minute

// publicKeyPrefix begins the identifier of a WeChat Pay public key, which no
// certificate download brings.
const publicKeyPrefix = "PUB_KEY_ID_"

const (
	refreshGap      = time.Minute     // between two downloads, so that forged serials cannot make us ask in a loop
	firstGap        = 5 * time.Second // the same while there is no key at all, and nobody can pay
	refreshTimeout  = 4 * time.Second // a notification waits for it and must be answered within five seconds
	maxCertificates = 16              // two live at a time during a rotation
	minKeyBits      = 2048
)

// keyring holds the keys with which WeChat Pay signs, by serial: 微信支付公钥
// and 平台证书, for both exist at a merchant that moves from one to the other.
// It serves answers and notifications, and is safe for concurrent use.
type keyring struct {
	wall   func() time.Time
	cipher *Cipher
	logger *slog.Logger
	public map[string]*rsa.PublicKey // never changes
	named  string                    // the public key that requests name, "" without one
	fetch  func(context.Context) (remote.Answer, error)

	mu     sync.Mutex
	certs  map[string]platformKey // replaced as a whole
	asked  time.Time              // when the last download began
	failed error                  // of the last download
	flight chan struct{}          // closed when the download under way ends, nil when there is none
}

// platformKey is the key of a platform certificate and when it may be used.
type platformKey struct {
	key         *rsa.PublicKey
	from, until time.Time
}

func (p platformKey) valid(at time.Time) bool { return !at.Before(p.from) && at.Before(p.until) }

// verify checks who signed the body and when. It returns [ErrBadHeader],
// [ErrStale], [ErrUnknownKey] or [ErrBadSignature].
func (k *keyring) verify(ctx context.Context, h http.Header, body []byte) error {
	const op = "wechatpay.verify"
	s, err := ReadSignature(h)
	if err != nil {
		return err
	}
	if off := k.wall().Sub(time.Unix(s.Unix, 0)); off >= Window || off <= -Window {
		return refusal(op, ErrStale, HeaderTimestamp+" is five minutes or more off")
	}
	key := k.find(s.Serial)
	if key == nil && !strings.HasPrefix(s.Serial, publicKeyPrefix) {
		k.refresh(ctx, refreshGap)
		key = k.find(s.Serial)
	}
	if key == nil {
		return refusal(op, ErrUnknownKey, "no key "+s.Serial)
	}
	return Verify(key, AnswerMessage(s.Stamp, body), s.Value)
}

// find returns the key of a serial that may be used now.
func (k *keyring) find(serial string) *rsa.PublicKey {
	if key := k.public[serial]; key != nil {
		return key
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if cert, ok := k.certs[serial]; ok && cert.valid(k.wall()) {
		return cert.key
	}
	return nil
}

// serial names the key that our requests ask the answer to be signed with: the
// public key, or else the newest certificate that may be used.
func (k *keyring) serial() string {
	if k.named != "" {
		return k.named
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	best, since := "", time.Time{}
	for serial, cert := range k.certs {
		if cert.valid(k.wall()) && (best == "" || cert.from.After(since)) {
			best, since = serial, cert.from
		}
	}
	return best
}

// ready sees to it that there is a key to verify an answer with.
func (k *keyring) ready(ctx context.Context) error {
	if k.serial() != "" {
		return nil
	}
	k.refresh(ctx, firstGap)
	if k.serial() != "" {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return errors.Join(refusal("wechatpay.ready", ErrUnknownKey, "there is no platform certificate"), k.failed)
}

// refresh downloads the platform certificates, or waits for the download that
// is under way, or does nothing when one began less than the gap ago. It ends
// with ctx; the download goes on for the others that wait.
func (k *keyring) refresh(ctx context.Context, gap time.Duration) {
	k.mu.Lock()
	flight := k.flight
	if flight == nil {
		if since := k.wall().Sub(k.asked).Abs(); since < gap {
			k.mu.Unlock()
			return
		}
		flight = make(chan struct{})
		k.flight, k.asked = flight, k.wall()
		go k.download(context.WithoutCancel(ctx), flight)
	}
	k.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
	}
}

func (k *keyring) download(ctx context.Context, flight chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	certs, err := k.certificates(ctx)
	if err != nil {
		k.logger.WarnContext(ctx, "wechatpay: platform certificates not refreshed", slog.Any("error", err))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.certs = certs
	}
	k.failed = err
	k.flight = nil
	close(flight)
}

// certificates asks for the certificates in use. Whoever knows the APIv3 key
// sealed them: that is what the first download is believed for. Its signature
// must then fit one of them, or a key that was known before.
//
// API: GET /v3/certificates.
func (k *keyring) certificates(ctx context.Context) (map[string]platformKey, error) {
	answer, err := k.fetch(ctx)
	if err != nil {
		return nil, err
	}
	certs, err := k.openCertificates(answer.Body)
	if err != nil {
		return nil, err
	}
	s, err := ReadSignature(answer.Header)
	if err != nil {
		return nil, err
	}
	key := k.find(s.Serial)
	if fresh, ok := certs[s.Serial]; ok && key == nil {
		key = fresh.key
	}
	if key == nil {
		return nil, refusal("wechatpay.certificates", ErrUnknownKey, "the list of certificates is signed with none of them")
	}
	if off := k.wall().Sub(time.Unix(s.Unix, 0)); off >= Window || off <= -Window {
		return nil, refusal("wechatpay.certificates", ErrStale, HeaderTimestamp+" is five minutes or more off")
	}
	return certs, Verify(key, AnswerMessage(s.Stamp, answer.Body), s.Value)
}

func (k *keyring) openCertificates(body []byte) (map[string]platformKey, error) {
	const op = "wechatpay.certificates"
	var list struct {
		Data []struct {
			Serial      string `json:"serial_no"`
			Certificate Sealed `json:"encrypt_certificate"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, refusal(op, ErrMalformed, "the list of certificates is not the JSON it should be")
	}
	if n := len(list.Data); n == 0 || n > maxCertificates {
		return nil, refusal(op, ErrMalformed, "want 1 to 16 certificates")
	}
	certs := make(map[string]platformKey, len(list.Data))
	for _, entry := range list.Data {
		text, err := k.cipher.Open(entry.Certificate)
		if err != nil {
			return nil, err
		}
		cert, err := ParseCertificate(text)
		if err != nil {
			return nil, refusal(op, ErrMalformed, "encrypt_certificate: "+hospital.CodeOf(err))
		}
		if CertificateSerial(cert) != entry.Serial {
			return nil, refusal(op, ErrMalformed, "serial_no is not the certificate's")
		}
		if certs[entry.Serial], err = platformKeyOf(cert); err != nil {
			return nil, err
		}
	}
	return certs, nil
}

func platformKeyOf(cert *x509.Certificate) (platformKey, error) {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minKeyBits {
		return platformKey{}, refusal("wechatpay.certificates", ErrMalformed, "want an RSA key of 2048 bits or more")
	}
	return platformKey{key: key, from: cert.NotBefore, until: cert.NotAfter}, nil
}

// CertificateSerial is how WeChat Pay writes a certificate's serial number:
// upper-case hex, as serial_no and Wechatpay-Serial carry it.
func CertificateSerial(cert *x509.Certificate) string {
	return fmt.Sprintf("%X", cert.SerialNumber)
}

func badPEM(op, code string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: op, Code: code}
}

// block returns the first PEM block of the type.
func block(text []byte, kind string) []byte {
	for {
		b, rest := pem.Decode(text)
		if b == nil {
			return nil
		}
		if b.Type == kind {
			return b.Bytes
		}
		text = rest
	}
}

// ParseCertificate reads a PEM certificate: apiclient_cert.pem, a platform
// certificate. Invalid says what it is not.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	const op = "wechatpay.ParseCertificate"
	der := block(text, "CERTIFICATE")
	if der == nil {
		return nil, badPEM(op, "no_pem_certificate")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, badPEM(op, "bad_certificate")
	}
	return cert, nil
}

// ParsePublicKey reads a PEM public key: 微信支付公钥, pub_key.pem. Invalid says
// what it is not.
func ParsePublicKey(text []byte) (*rsa.PublicKey, error) {
	const op = "wechatpay.ParsePublicKey"
	der := block(text, "PUBLIC KEY")
	if der == nil {
		return nil, badPEM(op, "no_pem_public_key")
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, badPEM(op, "bad_public_key")
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, badPEM(op, "not_rsa")
	}
	return key, nil
}

// ParsePrivateKey reads a PEM private key: 商户API私钥, apiclient_key.pem.
// Invalid says what it is not, never what it is.
func ParsePrivateKey(text []byte) (*rsa.PrivateKey, error) {
	const op = "wechatpay.ParsePrivateKey"
	if der := block(text, "RSA PRIVATE KEY"); der != nil {
		key, err := x509.ParsePKCS1PrivateKey(der)
		if err != nil {
			return nil, badPEM(op, "bad_private_key")
		}
		return key, nil
	}
	der := block(text, "PRIVATE KEY")
	if der == nil {
		return nil, badPEM(op, "no_pem_private_key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, badPEM(op, "bad_private_key")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, badPEM(op, "not_rsa")
	}
	return key, nil
}
