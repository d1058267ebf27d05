package wechatpaytest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/wxhospital/hospital/payment/wechatpay"
)

// The sub-codes at the end of a Request-ID. Source: the checklist of WeChat
// Pay's most frequent errors.
const (
	subNone       = "0"
	subParameter  = "268435461"
	subNoTrade    = "268512771"
	subFrequency  = "268447840"
	subPaid       = "268449538"
	subReentry    = "268498688"
	subExpired    = "268447914"
	subSignature  = "268443699"
	subNoOpenID   = "268501013"
	subAppID      = "268445527"
	subOtherTrade = "268447843"
)

// refusal is a definite no of WeChat Pay.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  any    `json:"detail,omitempty"`

	status int
	sub    string
}

func (r *refusal) Error() string { return r.Code }

func refuse(status int, code, message, sub string) *refusal {
	return &refusal{status: status, Code: code, Message: message, sub: sub}
}

// parameter is the detail of a PARAM_ERROR.
type parameter struct {
	Field    string `json:"field"`
	Value    any    `json:"value"`
	Issue    string `json:"issue"`
	Location string `json:"location"` // body, url, query
}

func badParameter(p parameter, message string) *refusal {
	r := refuse(http.StatusBadRequest, "PARAM_ERROR", message, subParameter)
	r.Detail = p
	return r
}

// answer is what goes back.
type answer struct {
	status int
	body   []byte
	code   string // of a refusal
	sub    string
}

// render returns the answer of a command: content, a 204 without any, or a
// refusal. Any other error is the platform's own.
func render(content any, err error) (answer, error) {
	no, is := errors.AsType[*refusal](err)
	switch {
	case is:
		body, err := json.Marshal(no)
		return answer{status: no.status, body: body, code: no.Code, sub: no.sub}, err
	case err != nil:
		return answer{}, err
	case content == nil:
		return answer{status: http.StatusNoContent, sub: subNone}, nil
	}
	body, err := json.Marshal(content)
	return answer{status: http.StatusOK, body: body, sub: subNone}, err
}

// newRequestID returns 唯一请求ID with a sub-code at its end.
func newRequestID(sub string) string {
	var raw [14]byte
	_, _ = rand.Read(raw[:]) // never fails
	return "08" + strings.ToUpper(hex.EncodeToString(raw[:])) + "-" + sub
}

// dress puts on what every answer carries.
func dress(h http.Header) {
	h.Set("Server", "nginx")
	h.Set("Keep-Alive", "timeout=8")
	h.Set("Cache-Control", "no-cache, must-revalidate")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Language", "zh-CN")
}

// sign puts the signature of a body into headers, spoilt as the fault says.
// The key is the one asked for, or the platform's own choice.
func (p *Platform) sign(h http.Header, body []byte, asked string, fault Fault) error {
	p.mu.Lock()
	var id string
	var key *rsa.PrivateKey
	for _, id = range []string{asked, p.state.Signer, p.ring.first()} { // Signer may be of another mode
		if key = p.ring.find(id); key != nil {
			break
		}
	}
	stranger := p.ring.keys.MerchantKey // any key that is not WeChat Pay's
	p.mu.Unlock()
	s := wechatpay.Signature{Stamp: wechatpay.Stamp{Unix: p.config.Wall().Unix(), Nonce: wechatpay.NewNonce()}, Serial: id}
	switch fault {
	case Unsigned:
		return nil
	case WrongTime:
		s.Unix -= int64(2 * wechatpay.Window.Seconds())
	case UnknownSerial:
		s.Serial = strings.Repeat("5", 40)
	case Forged:
		key = stranger
	default:
	}
	var err error
	if s.Value, err = wechatpay.Sign(key, wechatpay.AnswerMessage(s.Stamp, body)); err != nil {
		return err
	}
	if fault == Probe {
		// Source: pay.weixin.qq.com/doc/v3/merchant/4013053249.
		s.Value = "WECHATPAY/SIGNTEST/" + s.Value
	}
	s.Write(h)
	return nil
}
