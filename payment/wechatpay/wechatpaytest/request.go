package wechatpaytest

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wxhospital/hospital/payment/wechatpay"
)

// maxRequestBytes caps a request: the largest, a prepay with its goods, has a
// few kilobytes.
const maxRequestBytes = 64 << 10

// maxFen bounds an amount, ten million yuan, so that the product of two of
// them, which shares a coupon out, is exact.
const maxFen = 1_000_000_000

// The messages of a SIGN_ERROR, as WeChat Pay words them.
const (
	sayHeader    = "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"
	sayTime      = "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"
	sayMerchant  = "商户证书序列号有误。请使用签名私钥匹配的证书序列号"
	saySignature = "签名错误"
)

// request is a call that was read.
type request struct {
	method, target string
	body           []byte
}

// read takes a request in and checks its headers. WeChat Pay looks at Accept
// and User-Agent before it looks at the signature.
func (p *Platform) read(w http.ResponseWriter, r *http.Request) (request, *refusal) {
	in := request{method: r.Method, target: r.RequestURI}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if r.UserAgent() == "" || !strings.Contains(accept, "application/json") && !strings.Contains(accept, "*/*") {
		return in, refuse(http.StatusBadRequest, "INVALID_REQUEST", "Http头缺少Accept或User-Agent", subParameter)
	}
	var err error
	if in.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes)); err != nil {
		return in, refuse(http.StatusBadRequest, "PARAM_ERROR", "请求体过大或不完整", subParameter)
	}
	return in, nil
}

// authenticate checks who signed the request.
func (p *Platform) authenticate(in request, header http.Header) *refusal {
	no := func(message string) *refusal {
		return refuse(http.StatusUnauthorized, "SIGN_ERROR", message, subSignature)
	}
	values := header.Values("Authorization")
	if len(values) != 1 {
		return no(sayHeader)
	}
	a, err := wechatpay.ParseAuthorization(values[0])
	if err != nil {
		return no(sayHeader)
	}
	p.mu.Lock()
	keys := p.ring.keys
	p.mu.Unlock()
	off := p.config.Wall().Sub(time.Unix(a.Unix, 0))
	if off > wechatpay.Window || off < -wechatpay.Window {
		return no(sayTime)
	}
	if a.MerchantID != keys.MerchantID || a.Serial != wechatpay.CertificateSerial(keys.MerchantCertificate) {
		return no(sayMerchant)
	}
	public, ok := keys.MerchantCertificate.PublicKey.(*rsa.PublicKey)
	message := wechatpay.RequestMessage(in.method, in.target, a.Stamp, in.body)
	if !ok || wechatpay.Verify(public, message, a.Signature) != nil {
		r := no(saySignature)
		r.Detail = signDetail(in, len(message))
		return r
	}
	return nil
}

// signDetail tells what was checked, as WeChat Pay does.
func signDetail(in request, length int) any {
	return map[string]any{
		"detail": map[string]string{"issue": "sign not match"}, "field": "signature", "location": "authorization",
		"sign_information": map[string]any{
			"method": in.method, "url": in.target, "sign_message_length": length,
			"truncated_sign_message": in.method + "\n" + in.target + "\n",
		},
	}
}

// document is a JSON body whose fields are read by their JSON pointer. It
// keeps the first refusal.
type document struct {
	root map[string]any
	no   *refusal
}

// parse reads a body, or says why it is none.
func parse(in request, header http.Header) (*document, *refusal) {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, refuse(http.StatusBadRequest, "INVALID_REQUEST", "Http头Content-Type请设置为application/json", subParameter)
	}
	d := &document{}
	decoder := json.NewDecoder(bytes.NewReader(in.body))
	decoder.UseNumber()
	bad := badParameter(parameter{Field: "/body", Value: "", Issue: "not one JSON object", Location: "body"}, "请求体不是合法的JSON")
	if !utf8.Valid(in.body) {
		return nil, bad
	}
	if err := decoder.Decode(&d.root); err != nil || d.root == nil {
		return nil, bad
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, bad
	}
	return d, nil
}

// canonical is the document in one spelling, to compare a repetition with.
func (d *document) canonical() string {
	text, _ := json.Marshal(d.root) // what was JSON is JSON
	return string(text)
}

// fail keeps the first refusal.
func (d *document) fail(field string, value any, issue, message string) {
	if d.no == nil {
		d.no = badParameter(parameter{Field: field, Value: value, Issue: issue, Location: "body"}, message)
	}
}

// value walks to a field. An object on the way that is none is refused.
func (d *document) value(pointer string) any {
	at := any(d.root)
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch parent := at.(type) {
		case map[string]any:
			at = parent[name]
		case []any:
			at = nil
			if i, err := strconv.Atoi(name); err == nil && i < len(parent) {
				at = parent[i]
			}
		case nil:
			return nil
		default:
			d.fail(pointer, "", "its parent is not an object", "参数格式错误")
			return nil
		}
	}
	return at
}

// flag reads a truth value that may be missing.
func (d *document) flag(field string) {
	v := d.value(field)
	if _, ok := v.(bool); v != nil && !ok {
		d.fail(field, v, "is not true or false", fmt.Sprintf("无法将 JSON 输入源“/body%s”映射到目标字段中，此字段需要一个布尔值", field))
	}
}

// list reads how many things stand in a list that may be missing.
func (d *document) list(field string) int {
	v := d.value(field)
	list, ok := v.([]any)
	if v != nil && !ok {
		d.fail(field, v, "is not a list", fmt.Sprintf("无法将 JSON 输入源“/body%s”映射到目标字段中，此字段需要一个数组", field))
	}
	return len(list)
}

// object reports whether an object that may be missing is there.
func (d *document) object(field string) bool {
	v := d.value(field)
	_, ok := v.(map[string]any)
	if v != nil && !ok {
		d.fail(field, v, "is not an object", fmt.Sprintf("无法将 JSON 输入源“/body%s”映射到目标字段中，此字段需要一个对象", field))
	}
	return ok
}

// want says what a text has to be.
type want struct {
	field    string // a JSON pointer
	name     string // the field as a person calls it
	max      int    // characters
	optional bool
	holds    func(string) bool // nil for any text
	issue    string            // what it has to be
}

// text reads a text. A character of four bytes, such as an emoji, is refused:
// WeChat Pay keeps three.
func (d *document) text(w want) string {
	v := d.value(w.field)
	if v == nil {
		if !w.optional {
			d.fail(w.field, "", "is missing", fmt.Sprintf("输入源“/body%s”映射到值字段“%s”字符串规则校验失败，字段必填", w.field, w.name))
		}
		return ""
	}
	text, ok := v.(string)
	switch {
	case !ok:
		d.fail(w.field, v, "is not a text", fmt.Sprintf("无法将 JSON 输入源“/body%s”映射到目标字段“%s”中，此字段需要一个字符串", w.field, w.name))
	case text == "" && w.optional:
	case text == "" || utf8.RuneCountInString(text) > w.max:
		d.fail(w.field, text, fmt.Sprintf("want 1 to %d characters", w.max),
			fmt.Sprintf("输入源“/body%s”映射到值字段“%s”字符串规则校验失败，字符数 %d，最大 %d", w.field, w.name, utf8.RuneCountInString(text), w.max))
	case strings.ContainsFunc(text, func(c rune) bool { return c > 0xffff }):
		d.fail(w.field, text, "has a character of four bytes", fmt.Sprintf("字段“%s”含有不支持的字符", w.name))
	case w.holds != nil && !w.holds(text):
		d.fail(w.field, text, w.issue, fmt.Sprintf("字段“%s”格式错误", w.name))
	}
	return text
}

// fen reads an amount, at least min.
func (d *document) fen(field, name string, min int64) int64 {
	v := d.value(field)
	number, ok := v.(json.Number)
	if v == nil {
		d.fail(field, "", "is missing", fmt.Sprintf("缺少参数：%s", name))
		return 0
	}
	amount, err := number.Int64()
	if !ok || err != nil {
		d.fail(field, v, "is not a whole number of fen",
			fmt.Sprintf("无法将 JSON 输入源“/body%s”映射到目标字段“%s”中，此字段需要一个合法的 64 位有符号整数", field, name))
		return 0
	}
	if amount < min || amount > maxFen {
		d.fail(field, v, fmt.Sprintf("want %d to %d", min, maxFen), fmt.Sprintf("字段“%s”超出范围", name))
	}
	return amount
}
