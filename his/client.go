package his

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/internal/wire"
	"github.com/wxhospital/hospital/his/soap"
	"github.com/wxhospital/hospital/internal/remote"
)

// defaultQuiet is how long a request that seemed lost may still arrive: longer
// than a gateway's own retry, shorter than a patient's patience.
const defaultQuiet = 5 * time.Second

// Config says where the reference Web Service is and how it wants its messages.
type Config struct {
	// BaseURL is the service's address, for example "http://10.0.0.5/his/ws".
	BaseURL string
	// HTTPClient lends its Transport; DialContext replaces the network. At most
	// one of them is set. Default: a transport of our own.
	HTTPClient  *http.Client
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger receives one line a call; nil discards.
	Logger *slog.Logger
	// Timeout bounds one call. Default 10 s.
	Timeout time.Duration
	// MaxConcurrent is how many calls may be under way at once. Default 32.
	MaxConcurrent int
	// Retries is how often a lost read is repeated. Default 2; negative means
	// never. A call that changes something is never repeated here: its worker
	// asks by key first.
	Retries int
	// TripAfter failed calls in a row make the client refuse for OpenFor.
	// Defaults 8 and 10 s; a negative TripAfter means never.
	TripAfter int
	OpenFor   time.Duration
	// Version, Charset: the messages we send. Defaults SOAP 1.1 and UTF-8; the
	// answers may be in any charset.
	Version soap.Version
	Charset soap.Charset
	// Security is a WS-Security name and password; nil for none.
	Security *soap.UsernameToken
	// Quiet is declared in the Assurances: "absent" counts only this long after
	// the last attempt. Default 5 s.
	Quiet time.Duration
}

// Client speaks the reference Web Service of docs/his-web-service.md. It is a
// [Clock], [Directory], [Scheduling], [Registrar], [Desk], [Billing],
// [Settlements] and [Patients], and safe for concurrent use.
//
// Every answer is decoded strictly and compared with what was asked. Where a
// field is missing or malformed, or the answer is about another key or
// patient, a read is Unavailable and a call that changes something is
// Indeterminate, since its effect may stand: code bad_answer, wrong_key,
// wrong_patient, wrong_amount. Otherwise errors carry the kind and the code
// that the HIS gave, and those of [soap.Client.Do].
type Client struct {
	soap  *soap.Client
	quiet time.Duration
}

// NewClient returns a client; it sends nothing. An Invalid error names the bad
// field.
func NewClient(config Config) (*Client, error) {
	if config.Quiet < 0 {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "his.NewClient", Code: "bad_config", Detail: "Quiet: want a positive duration"}
	}
	if config.Quiet == 0 {
		config.Quiet = defaultQuiet
	}
	caller, err := soap.NewClient(soap.Config{
		Name: "his", BaseURL: config.BaseURL, HTTPClient: config.HTTPClient, DialContext: config.DialContext,
		Logger: config.Logger, Timeout: config.Timeout, MaxConcurrent: config.MaxConcurrent, Retries: config.Retries,
		TripAfter: config.TripAfter, OpenFor: config.OpenFor, Security: config.Security,
		Dialect: soap.Dialect{Version: config.Version, Charset: config.Charset, Namespace: wire.Namespace},
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // a *hospital.Error that names the field
	}
	return &Client{soap: caller, quiet: config.Quiet}, nil
}

// System returns the roles that the client fills and what it promises for
// each call that changes something.
func (c *Client) System() System {
	keyed := hospital.Assurance{Idempotent: true, Queryable: true, Quiet: c.quiet}
	undone := keyed
	undone.Cancellable = true
	return System{
		Clock: c, Directory: c, Scheduling: c, Registrar: c, Desk: c, Billing: c, Settlements: c, Patients: c,
		Assurances: Assurances{
			Hold: undone, Confirm: undone, Cancel: keyed, CheckIn: keyed, Settle: undone, Reverse: keyed,
			CreatePatient: keyed, BindCard: undone,
		},
	}
}

// CloseIdle closes the connections that no call is using.
func (c *Client) CloseIdle() { c.soap.CloseIdle() }

// operation is one call on its way.
type operation struct {
	name     string
	changes  bool
	personal []string // values that must not come back in an error
}

func reads(name string, personal ...string) operation {
	return operation{name: name, personal: personal}
}

func changes(name string, personal ...string) operation {
	return operation{name: name, changes: true, personal: personal}
}

func (o operation) fail(kind hospital.Kind, code, detail string, cause error) error {
	return &hospital.Error{Kind: kind, Op: "his." + o.name, Code: code, Detail: detail, Err: cause}
}

// doubt is the error of an answer that cannot be believed.
func (o operation) doubt(code, detail string, cause error) error {
	if o.changes {
		return o.fail(hospital.Indeterminate, code, detail, cause)
	}
	return o.fail(hospital.Unavailable, code, detail, cause)
}

// ask makes the call and decodes its answer.
func ask[A any](ctx context.Context, c *Client, o operation, request any) (A, error) {
	var answer A
	input, err := wire.Encode("Request", request)
	if err != nil {
		return answer, o.fail(hospital.Invalid, "bad_request", err.Error(), nil)
	}
	node, err := c.soap.Do(ctx, soap.Call{
		Op: "his." + o.name, Operation: o.name, Params: []soap.Param{{Name: "input", Value: input}},
		ReadOnly: !o.changes, Personal: o.personal,
	})
	if err != nil {
		return answer, err //nolint:wrapcheck // a *hospital.Error with this call's Op
	}
	response, err := soap.ParseDocument(node.Text())
	if err != nil {
		return answer, o.doubt("bad_answer", "the result is no XML", err)
	}
	if err := o.accepted(response); err != nil {
		return answer, err
	}
	if err := wire.Decode(response, &answer, false); err != nil {
		return answer, o.doubt("bad_answer", err.Error(), nil)
	}
	return answer, nil
}

// accepted returns the HIS's refusal as an error. Its words are for the
// operator; patients read ours.
func (o operation) accepted(response *soap.Node) error {
	var result wire.Result
	if response.Name != "Response" {
		return o.doubt("bad_answer", "want a Response", nil)
	}
	if err := wire.Decode(response, &result, false); err != nil {
		return o.doubt("bad_answer", err.Error(), nil)
	}
	if result.Code == wire.OK {
		return nil
	}
	code := remote.Redact(result.Code, o.personal...)
	detail := remote.Redact(result.Message, o.personal...)
	kind := hospital.Rejected
	for k := hospital.Internal; k <= hospital.Indeterminate; k++ {
		if k.String() == result.Kind {
			kind = k
		}
	}
	// Who may not is turned away before the work, with a fault. A denial that
	// comes as a result comes from the work, and may come after its effect.
	if kind == hospital.Internal || kind == hospital.Indeterminate || kind == hospital.Denied && o.changes {
		return o.doubt(code, detail, nil)
	}
	return o.fail(kind, code, detail, nil)
}

// sameKey and samePatient guard against an answer that is another's.
func (o operation) sameKey(asked, got hospital.Key) error {
	if asked != got {
		return o.doubt("wrong_key", "the answer is about another key", nil)
	}
	return nil
}

func (o operation) samePatient(asked, got hospital.PatientID) error {
	if asked != got {
		return o.doubt("wrong_patient", "the answer is about another patient", nil)
	}
	return nil
}

func (o operation) same(ok bool, code, what string) error {
	if !ok {
		return o.doubt(code, "the answer is about another "+what, nil)
	}
	return nil
}

// validKey refuses, before anything is sent, a key that the HIS could not
// store: the effect could never be asked for.
func (o operation) validKey(key hospital.Key) error {
	if !key.Valid() {
		return o.fail(hospital.Invalid, "bad_key", "want 6 to 32 characters", nil)
	}
	return nil
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// each converts a list and stops at the first item that check refuses.
func each[W, N any](list []W, convert func(W) N, check func(N) error) ([]N, error) {
	nouns := make([]N, 0, len(list))
	for _, item := range list {
		noun := convert(item)
		if err := check(noun); err != nil {
			return nil, err
		}
		nouns = append(nouns, noun)
	}
	return nouns, nil
}

// Ping implements [Clock].
func (c *Client) Ping(ctx context.Context) (time.Time, error) {
	answer, err := ask[wire.TimeAnswer](ctx, c, reads("Ping"), wire.NoArguments{})
	return answer.Time, err
}
