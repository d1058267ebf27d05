package wechatpay

import (
	"strconv"
	"strings"

	"github.com/wxhospital/hospital"
)

// maxAuthorization bounds the header. Its five parts come to about 500
// characters with a 2048-bit key.
const maxAuthorization = 2048

// Authorization is the header in which a merchant says who signs.
type Authorization struct {
	Stamp
	MerchantID string // mchid
	Serial     string // serial_no: of the merchant's certificate, upper-case hex
	Signature  string // base64
}

// String returns the header's value.
func (a Authorization) String() string {
	return Scheme + ` mchid="` + a.MerchantID + `",nonce_str="` + a.Nonce + `",timestamp="` + strconv.FormatInt(a.Unix, 10) +
		`",serial_no="` + a.Serial + `",signature="` + a.Signature + `"`
}

// ParseAuthorization reads the header: the scheme, and each of the five parts
// once, in any order. It returns Invalid, naming the part, for anything else.
func ParseAuthorization(header string) (Authorization, error) {
	bad := func(detail string) error {
		return &hospital.Error{
			Kind: hospital.Invalid, Op: "wechatpay.ParseAuthorization", Code: "bad_authorization", Detail: detail,
		}
	}
	if len(header) > maxAuthorization {
		return Authorization{}, bad("longer than 2048 characters")
	}
	rest, ok := strings.CutPrefix(header, Scheme+" ")
	if !ok {
		return Authorization{}, bad("another scheme than " + Scheme)
	}
	parts := map[string]string{"mchid": "", "nonce_str": "", "timestamp": "", "serial_no": "", "signature": ""}
	for part := range strings.SplitSeq(strings.TrimSpace(rest), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		had, known := parts[name]
		quoted := len(value) > 2 && value[0] == '"' && value[len(value)-1] == '"'
		switch {
		case !known:
			return Authorization{}, bad("a part that is none of the five")
		case had != "":
			return Authorization{}, bad(name + " stands twice")
		case !quoted || !printable(value[1:len(value)-1]) || strings.Contains(value[1:len(value)-1], `"`):
			return Authorization{}, bad(name + " is not a quoted text")
		}
		parts[name] = value[1 : len(value)-1]
	}
	for name, value := range parts {
		if value == "" {
			return Authorization{}, bad(name + " is missing")
		}
	}
	unix, ok := seconds(parts["timestamp"])
	if !ok {
		return Authorization{}, bad("timestamp is not a number of seconds")
	}
	return Authorization{
		Stamp:      Stamp{Unix: unix, Nonce: parts["nonce_str"]},
		MerchantID: parts["mchid"], Serial: parts["serial_no"], Signature: parts["signature"],
	}, nil
}
