package wechatpay

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/wxhospital/hospital"
)

// Scheme names the one signature there is, RSA-SHA256 after PKCS #1 v1.5. It
// stands before the parts of an [Authorization] and in HeaderType.
const Scheme = "WECHATPAY2-SHA256-RSA2048"

// The headers of a signed answer or notification. A request carries
// HeaderSerial alone: it names the key with which the answer can be verified.
const (
	HeaderSerial    = "Wechatpay-Serial"
	HeaderTimestamp = "Wechatpay-Timestamp"
	HeaderNonce     = "Wechatpay-Nonce"
	HeaderSignature = "Wechatpay-Signature"
	HeaderType      = "Wechatpay-Signature-Type"
)

// Bounds of what stands in headers. A signature of a 4096-bit key has 684
// characters, a nonce 32, a public key's identifier under 40.
const (
	maxSignature = 1024
	maxNonce     = 64
	maxSerial    = 64
)

// Stamp is the moment and the nonce of a signature.
type Stamp struct {
	Unix  int64 // seconds
	Nonce string
}

// NewNonce returns 32 random characters, as a request and a pay sheet need.
func NewNonce() string {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		panic("wechatpay.NewNonce: crypto/rand never fails: " + err.Error())
	}
	return hex.EncodeToString(raw[:])
}

// RequestMessage returns what a request's signature covers. The target is the
// path with its query, exactly as it is sent; a request without a body signs
// an empty one.
//
// Source: pay.weixin.qq.com/doc/v3/merchant/4012365336.
func RequestMessage(method, target string, s Stamp, body []byte) []byte {
	m := make([]byte, 0, len(method)+len(target)+len(s.Nonce)+len(body)+25)
	m = append(m, method...)
	m = append(m, '\n')
	m = append(m, target...)
	m = append(m, '\n')
	return appendStamped(m, s, body)
}

// AnswerMessage returns what the signature of an answer or of a notification
// covers. A 204 signs an empty body.
//
// Source: pay.weixin.qq.com/doc/v3/merchant/4013053249.
func AnswerMessage(s Stamp, body []byte) []byte {
	return appendStamped(make([]byte, 0, len(s.Nonce)+len(body)+23), s, body)
}

func appendStamped(m []byte, s Stamp, body []byte) []byte {
	m = strconv.AppendInt(m, s.Unix, 10)
	m = append(m, '\n')
	m = append(m, s.Nonce...)
	m = append(m, '\n')
	m = append(m, body...)
	return append(m, '\n')
}

// PayMessage returns what the paySign of a pay sheet covers. The package is
// "prepay_id=…", with the prefix, for JSAPI and for a mini program.
//
// Source: WeChat Pay API v3, JSAPI 调起支付, the four lines of paySign.
func PayMessage(appID string, s Stamp, pack string) []byte {
	m := make([]byte, 0, len(appID)+len(s.Nonce)+len(pack)+24)
	m = append(m, appID...)
	m = append(m, '\n')
	return appendStamped(m, s, []byte(pack))
}

// Sign returns the base64 signature of a message.
func Sign(key *rsa.PrivateKey, message []byte) (string, error) {
	digest := sha256.Sum256(message)
	raw, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", &hospital.Error{Kind: hospital.Internal, Op: "wechatpay.Sign", Code: "sign_failed", Err: err}
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// Verify checks the base64 signature of a message. It returns
// [ErrBadSignature] for whatever does not fit, be it no signature at all.
func Verify(key *rsa.PublicKey, message []byte, signature string) error {
	if len(signature) > maxSignature || !printable(signature) {
		return refusal("wechatpay.Verify", ErrBadSignature, HeaderSignature+" is too long or not plain text")
	}
	var buffer [maxSignature]byte
	n, err := base64.StdEncoding.Strict().Decode(buffer[:], []byte(signature))
	if err != nil {
		return refusal("wechatpay.Verify", ErrBadSignature, HeaderSignature+" is not base64")
	}
	digest := sha256.Sum256(message)
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], buffer[:n]) != nil {
		return refusal("wechatpay.Verify", ErrBadSignature, "the signature does not match")
	}
	return nil
}

// Signature is what the Wechatpay headers of an answer or a notification say.
type Signature struct {
	Stamp
	Serial string // which key
	Value  string // base64
}

// ReadSignature takes the signature out of headers. It returns
// [ErrBadHeader], naming the header, where one is missing, stands twice, is
// too long or is not what it should be.
func ReadSignature(h http.Header) (Signature, error) {
	var s Signature
	var unix string
	for _, f := range [...]struct {
		name  string
		value *string
		limit int
	}{
		{HeaderSerial, &s.Serial, maxSerial},
		{HeaderTimestamp, &unix, 20},
		{HeaderNonce, &s.Nonce, maxNonce},
		{HeaderSignature, &s.Value, maxSignature},
	} {
		values := h[f.name]
		switch {
		case len(values) == 0:
			return Signature{}, refusal("wechatpay.ReadSignature", ErrBadHeader, f.name+" is missing")
		case len(values) > 1:
			return Signature{}, refusal("wechatpay.ReadSignature", ErrBadHeader, f.name+" stands twice")
		case values[0] == "" || len(values[0]) > f.limit || !printable(values[0]):
			return Signature{}, refusal("wechatpay.ReadSignature", ErrBadHeader, f.name+" is empty, too long or not plain text")
		}
		*f.value = values[0]
	}
	at, ok := seconds(unix)
	if !ok {
		return Signature{}, refusal("wechatpay.ReadSignature", ErrBadHeader, HeaderTimestamp+" is not a number of seconds")
	}
	s.Unix = at
	return s, nil
}

// Write puts the signature into the headers of an answer or a notification.
func (s Signature) Write(h http.Header) {
	h.Set(HeaderSerial, s.Serial)
	h.Set(HeaderTimestamp, strconv.FormatInt(s.Unix, 10))
	h.Set(HeaderNonce, s.Nonce)
	h.Set(HeaderSignature, s.Value)
	h.Set(HeaderType, Scheme)
}

// seconds reads a Unix time that is written as we would write it, because what
// was signed is the text.
func seconds(text string) (int64, bool) {
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil || at < 0 {
		return 0, false
	}
	var again [20]byte
	return at, string(strconv.AppendInt(again[:0], at, 10)) == text
}

// printable reports whether the text is visible ASCII, so that no line of a
// signed message can be smuggled into another.
func printable(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
