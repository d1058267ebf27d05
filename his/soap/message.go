package soap

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // WS-Security UsernameToken Profile 1.0 prescribes SHA-1
	"crypto/subtle"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"

	"github.com/wxhospital/hospital"
)

// Style is the binding of a Web Service.
type Style int

// The styles. Document/literal "wrapped" is what ASMX and WCF speak.
const (
	Document Style = iota
	RPC
)

// Dialect is how one Web Service wants its messages.
type Dialect struct {
	Version   Version
	Style     Style
	Namespace string // byte-exact: with or without the slash at its end as the WSDL has it
	Charset   Charset
	// ActionBase is put before the operation to make the SOAPAction. Default:
	// the namespace with one slash at its end, as ASMX has it.
	ActionBase string
}

// Param is one parameter of an operation, in the WSDL's order.
type Param struct {
	Name  string
	Value string
}

// Message is a message ready to send.
type Message struct {
	Header http.Header
	Body   []byte
}

// Request returns the message that calls the operation. Security may be nil.
// Invalid when a name is no XML name or a value holds what XML cannot carry.
func (d Dialect) Request(operation string, params []Param, security *UsernameToken) (Message, error) {
	header := ""
	if security != nil {
		var err error
		if header, err = security.header(); err != nil {
			return Message{}, err
		}
	}
	message, err := d.message(operation, params, header)
	if err != nil {
		return Message{}, err
	}
	base := d.ActionBase
	if base == "" {
		base = strings.TrimSuffix(d.Namespace, "/") + "/"
	}
	if d.Version == V12 {
		message.Header.Set("Content-Type", message.Header.Get("Content-Type")+`; action="`+base+operation+`"`)
	} else {
		message.Header.Set("SOAPAction", `"`+base+operation+`"`)
	}
	return message, nil
}

// Response returns the message that answers the operation with one string.
func (d Dialect) Response(operation, result string) (Message, error) {
	name := operation + "Result"
	if d.Style == RPC {
		name = "return"
	}
	return d.message(operation+"Response", []Param{{Name: name, Value: result}}, "")
}

// FaultMessage returns a message with the fault; Code is "Client" or "Server",
// and becomes "Sender" or "Receiver" in 1.2.
func (d Dialect) FaultMessage(fault Fault) (Message, error) {
	code, reason := escape(fault.Code), escape(fault.Reason)
	if d.Version == V12 {
		code = strings.NewReplacer("Client", "Sender", "Server", "Receiver").Replace(code)
		return d.envelope("", `<soap:Fault><soap:Code><soap:Value>soap:`+code+`</soap:Value></soap:Code>`+
			`<soap:Reason><soap:Text xml:lang="zh">`+reason+`</soap:Text></soap:Reason></soap:Fault>`)
	}
	return d.envelope("", `<soap:Fault><faultcode>soap:`+code+`</faultcode><faultstring>`+reason+`</faultstring></soap:Fault>`)
}

func (d Dialect) message(element string, params []Param, header string) (Message, error) {
	if !validName(element) {
		return Message{}, badRequest("operation: want an XML name")
	}
	var body strings.Builder
	// In document style the schema qualifies the parameters, in rpc it does not.
	open, closing := `<`+element+` xmlns="`+escape(d.Namespace)+`">`, `</`+element+`>`
	if d.Style == RPC {
		open, closing = `<m:`+element+` xmlns:m="`+escape(d.Namespace)+`">`, `</m:`+element+`>`
	}
	body.WriteString(open)
	for _, param := range params {
		if !validName(param.Name) {
			return Message{}, badRequest("parameter: want an XML name")
		}
		if !utf8.ValidString(param.Value) || strings.ContainsFunc(param.Value, Forbidden) {
			return Message{}, badRequest("parameter " + param.Name + ": a character that XML cannot carry")
		}
		fmt.Fprintf(&body, "<%s>%s</%s>", param.Name, escape(param.Value), param.Name)
	}
	body.WriteString(closing)
	return d.envelope(header, body.String())
}

func (d Dialect) envelope(header, body string) (Message, error) {
	namespace, mediaType := envelope11, "text/xml"
	if d.Version == V12 {
		namespace, mediaType = envelope12, "application/soap+xml"
	}
	charset := d.Charset
	if charset == "" {
		charset = UTF8
	}
	text := `<?xml version="1.0" encoding="` + string(charset) + `"?>` +
		`<soap:Envelope xmlns:soap="` + namespace + `">` + header + `<soap:Body>` + body + `</soap:Body></soap:Envelope>`
	// What GBK lacks travels as a character reference, never as a "?".
	data, err := encoding.HTMLEscapeUnsupported(charset.encoding().NewEncoder()).Bytes([]byte(text))
	if err != nil {
		return Message{}, badRequest("charset: " + string(charset) + " cannot carry the message")
	}
	return Message{Header: http.Header{"Content-Type": {mediaType + "; charset=" + string(charset)}}, Body: data}, nil
}

func validName(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= 0x80
		if !letter && (i == 0 || r != '-' && r != '.' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != "" && utf8.ValidString(name)
}

func escape(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text)) // a strings.Builder never fails
	return out.String()
}

func badRequest(detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "soap.Request", Code: "bad_request", Detail: detail}
}

// UsernameToken is WS-Security's name and password.
// Source: OASIS Web Services Security UsernameToken Profile 1.0.
type UsernameToken struct {
	Username string
	Password string
	Digest   bool // send SHA-1 over nonce, time and password in place of the password
	// Now is the clock of the digest; default time.Now.
	Now func() time.Time
}

// LogValue hides the password.
func (u UsernameToken) LogValue() slog.Value { return slog.StringValue(u.Username + ":***") }

const (
	wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	wsu  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	prof = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#"
)

// header makes the token anew: a far side may refuse a nonce it has seen.
func (u *UsernameToken) header() (string, error) {
	if !utf8.ValidString(u.Username+u.Password) || strings.ContainsFunc(u.Username+u.Password, Forbidden) {
		return "", badRequest("security: a character that XML cannot carry")
	}
	kind, password, extra := "PasswordText", u.Password, ""
	if u.Digest {
		var nonce [16]byte
		if _, err := rand.Read(nonce[:]); err != nil {
			return "", badRequest("security: no randomness")
		}
		now := time.Now
		if u.Now != nil {
			now = u.Now
		}
		created := now().UTC().Format("2006-01-02T15:04:05.000Z")
		kind, password = "PasswordDigest", digest(nonce[:], created, u.Password)
		extra = `<wsse:Nonce EncodingType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary">` +
			base64.StdEncoding.EncodeToString(nonce[:]) + `</wsse:Nonce><wsu:Created>` + created + `</wsu:Created>`
	}
	return `<soap:Header><wsse:Security soap:mustUnderstand="1" xmlns:wsse="` + wsse + `" xmlns:wsu="` + wsu + `"><wsse:UsernameToken>` +
		`<wsse:Username>` + escape(u.Username) + `</wsse:Username><wsse:Password Type="` + prof + kind + `">` + escape(password) +
		`</wsse:Password>` + extra + `</wsse:UsernameToken></wsse:Security></soap:Header>`, nil
}

func digest(nonce []byte, created, password string) string {
	sum := sha1.Sum(append(append(nonce, created...), password...)) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Matches reports whether the header carries this name and password, as text
// or as digest. It keeps no nonces, so it is for tests and simulators.
func (u *UsernameToken) Matches(header *Node) bool {
	token := header.Find("Security", "UsernameToken")
	password, want := token.Find("Password"), u.Password
	if strings.HasSuffix(password.Attr("Type"), "#PasswordDigest") {
		nonce, err := base64.StdEncoding.DecodeString(token.Find("Nonce").Text())
		if err != nil {
			return false
		}
		want = digest(nonce, token.Find("Created").Text(), u.Password)
	}
	same := subtle.ConstantTimeCompare([]byte(password.Text()), []byte(want)) == 1
	return same && token.Find("Username").Text() == u.Username
}
