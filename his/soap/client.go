package soap

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

// Config says which Web Service to call and how.
type Config struct {
	// Name is the far side in log lines. Default "soap".
	Name string
	// BaseURL is the service's address, for example
	// "http://10.0.0.5/his/service.asmx".
	BaseURL string
	// HTTPClient lends its Transport; DialContext replaces the network. At most
	// one of them is set. Default: a transport of our own.
	HTTPClient  *http.Client
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger receives one line a call; nil discards.
	Logger *slog.Logger
	// Timeout bounds one call with its repetitions. Default 10 s.
	Timeout time.Duration
	// MaxResponse caps an answer, in bytes. Default 4 MiB.
	MaxResponse int64
	// MaxConcurrent is how many calls may be under way at once. Default 32.
	MaxConcurrent int
	// Retries is how often a call that may be repeated is repeated. Default 2;
	// negative means never.
	Retries int
	// TripAfter failed calls in a row open the breaker for OpenFor. Defaults 8
	// and 10 s; a negative TripAfter means no breaker.
	TripAfter int
	OpenFor   time.Duration
	// Dialect is how the service wants its messages.
	Dialect Dialect
	// Security is sent with every call; nil for none.
	Security *UsernameToken
}

// Client calls one Web Service. It is safe for concurrent use.
type Client struct {
	remote   *remote.Client
	dialect  Dialect
	security *UsernameToken
}

// Call is one operation asked of the service.
type Call struct {
	Op         string // in errors and logs: "his.Hold"
	Operation  string // the WSDL's name
	Params     []Param
	ReadOnly   bool // changes nothing: a lost answer is Unavailable, the call may be repeated
	Idempotent bool // the service takes a repetition for the same wish
	// Personal are values inside the parameters that must not come back in an
	// error: a fault likes to quote the name it could not find.
	Personal []string
}

// NewClient returns a client; it sends nothing. An Invalid error names the bad
// field.
func NewClient(config Config) (*Client, error) {
	bad := func(field string) (*Client, error) {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "soap.NewClient", Code: "bad_config", Detail: field}
	}
	switch {
	case config.Dialect.Namespace == "":
		return bad("Dialect.Namespace: want the WSDL's targetNamespace")
	case config.Dialect.Version != V11 && config.Dialect.Version != V12:
		return bad("Dialect.Version: want V11 or V12")
	case config.Dialect.Charset != "" && config.Dialect.Charset != UTF8 && config.Dialect.Charset != GBK && config.Dialect.Charset != GB18030:
		return bad("Dialect.Charset: want utf-8, gbk or gb18030")
	}
	if config.Name == "" {
		config.Name = "soap"
	}
	caller, err := remote.New(remote.Config{
		Name: config.Name, BaseURL: config.BaseURL, HTTPClient: config.HTTPClient, DialContext: config.DialContext,
		Logger: config.Logger, Timeout: config.Timeout, MaxResponse: config.MaxResponse,
		MaxConcurrent: config.MaxConcurrent, Retries: config.Retries,
		TripAfter: config.TripAfter, OpenFor: config.OpenFor,
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // a *hospital.Error that names the field
	}
	return &Client{remote: caller, dialect: config.Dialect, security: config.Security}, nil
}

// CloseIdle closes the connections that no call is using.
func (c *Client) CloseIdle() { c.remote.CloseIdle() }

// Do calls the operation and returns its result, nil for a null. Errors:
//
//   - Invalid: a parameter cannot travel in XML; nothing was sent.
//   - Denied soap_fault: the security layer did not let us in, before the
//     service began.
//   - Rejected soap_fault: the service blames the request of a ReadOnly call.
//   - Unavailable: not reached, refused by HTTP, turned away by the SOAP layer,
//     or anything wrong with the
//     answer of a ReadOnly call.
//   - Indeterminate: the answer was lost, is not SOAP, or is a fault of the
//     service itself, which may come after the effect.
//
// A fault is in the chain as [*Fault].
func (c *Client) Do(ctx context.Context, call Call) (*Node, error) {
	message, err := c.dialect.Request(call.Operation, call.Params, c.security)
	if err != nil {
		return nil, err
	}
	answer, err := c.remote.Do(ctx, remote.Call{
		Op: call.Op, Method: http.MethodPost, Header: message.Header, ReadOnly: call.ReadOnly, Idempotent: call.Idempotent,
		Render:   c.render(call, message),
		Answered: spoke,
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // a *hospital.Error with the call's own Op
	}
	return c.read(call, answer)
}

// render sends the message as it is. A digest alone is made anew for each
// attempt, for its nonce counts once.
func (c *Client) render(call Call, first Message) func() ([]byte, error) {
	sent := false
	return func() ([]byte, error) {
		if c.security == nil || !c.security.Digest || !sent {
			sent = true
			return first.Body, nil
		}
		message, err := c.dialect.Request(call.Operation, call.Params, c.security)
		return message.Body, err
	}
}

// spoke tells the service's own words from those of a proxy: below 500, or an
// envelope under any status, since faults come with 500.
func spoke(answer remote.Answer) bool {
	switch {
	case answer.Status >= 200 && answer.Status < 300, answer.Status >= 400 && answer.Status < 500:
		return true
	case answer.Status < 500:
		return false
	}
	_, err := ParseEnvelope(answer.Header.Get("Content-Type"), answer.Body)
	return err == nil
}

func (c *Client) read(call Call, answer remote.Answer) (*Node, error) {
	fail := func(kind hospital.Kind, code, detail string, cause error) (*Node, error) {
		switch {
		case call.ReadOnly && kind == hospital.Indeterminate:
			kind = hospital.Unavailable
		case !call.ReadOnly && answer.Lost > 0:
			kind = hospital.Indeterminate // an earlier attempt may have been applied, whatever this one met
		}
		return nil, &hospital.Error{Kind: kind, Op: call.Op, Code: code, Detail: detail, Err: cause}
	}
	envelope, err := parseEnvelope(answer.Header.Get("Content-Type"), answer.Body, call.Personal)
	switch {
	case err != nil && notForwarded(answer.Status):
		return fail(hospital.Unavailable, "http_"+strconv.Itoa(answer.Status), "", nil)
	case err != nil && (answer.Status == http.StatusForbidden || answer.Status == http.StatusNotFound):
		// A firewall that inspects answers sends these after the service has acted.
		return fail(hospital.Indeterminate, "http_"+strconv.Itoa(answer.Status), "", nil)
	case err != nil:
		return fail(hospital.Indeterminate, hospital.CodeOf(err), "the answer is not SOAP", err)
	}
	result, err := envelope.Result(call.Operation)
	switch {
	case envelope.Fault != nil:
		return fail(faultKind(envelope.Fault, answer.Status, call.ReadOnly), "soap_fault", "", envelope.Fault)
	case err != nil:
		return fail(hospital.Indeterminate, hospital.CodeOf(err), "", err)
	case answer.Status >= 300:
		return fail(hospital.Indeterminate, "bad_status", "an answer without a fault under an error status", nil)
	}
	return result, nil
}

// faultKind says what may be concluded from a fault. What turns a message away
// before the service sees it is no refusal of the service: of an earlier message
// it says nothing.
func faultKind(fault *Fault, status int, readOnly bool) hospital.Kind {
	switch {
	case fault.Unauthenticated(), fault.CallersFault() && status == http.StatusUnauthorized:
		return hospital.Denied
	case fault.Unserved():
		return hospital.Unavailable
	case fault.CallersFault() && readOnly:
		return hospital.Rejected
	}
	return hospital.Indeterminate
}

// notForwarded reports a status with which a server turns a request away
// before the service sees it.
func notForwarded(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusMethodNotAllowed,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests:
		return true
	}
	return false
}
