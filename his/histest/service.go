package histest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/internal/wire"
	"github.com/wxhospital/hospital/his/soap"
)

// maxRequestBytes caps a request to the [Service]: the largest, a new patient
// with a guardian, has 2 kB.
const maxRequestBytes = 256 << 10

// ServiceConfig says what a [Service] offers.
type ServiceConfig struct {
	// System is asked for each call, so that a test can put another system
	// behind a running service. For example hospital.System.
	System func() his.System
	// Faults are the switches of the wire; nil means that none is ever set.
	Faults *Faults
	// Security, when set, is the WS-Security name and password that every
	// request must carry.
	Security *soap.UsernameToken
	// Log receives what crossed the wire, after each call; nil discards. It is
	// called from many goroutines.
	Log func(Exchange)
	// Now times the exchanges. Default time.Now.
	Now func() time.Time
}

// Exchange is one call as it crossed the wire, with what names a person
// masked.
type Exchange struct {
	At        time.Time
	Operation string // "" when the request was unreadable
	Request   string // in one line: "Key=… PatientID=… IDNumber=1****************1"
	Answer    string
	Outcome   string // the result code, "0" for success; "unreadable" for what was no request
	Fault     string // the switch that acted, "" for none
	Took      time.Duration
}

// Service is the reference Web Service of docs/his-web-service.md in front of
// any [his.System]: the server end of [his.Client]. It answers SOAP 1.1 in 1.1
// and SOAP 1.2 in 1.2, takes requests strictly, and fails as its Faults say.
type Service struct {
	config ServiceConfig
}

// NewService returns the service, to be served under any path. An Invalid
// error names the bad field.
func NewService(config ServiceConfig) (*Service, error) {
	if config.System == nil {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "histest.NewService", Code: "bad_config", Detail: "System: want a function"}
	}
	if config.Faults == nil {
		config.Faults = &Faults{}
	}
	if config.Log == nil {
		config.Log = func(Exchange) {}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Service{config: config}, nil
}

// ServeHTTP answers one call. A cut connection is made by
// [http.ErrAbortHandler], so the service must run in a server of net/http.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.config.Faults.dead() {
		s.config.Log(Exchange{At: s.config.Now(), Fault: Dead.String(), Outcome: "unreadable"})
		panic(http.ErrAbortHandler)
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	exchange := Exchange{At: s.config.Now(), Outcome: "unreadable"}
	defer func() {
		exchange.Took = s.config.Now().Sub(exchange.At)
		s.config.Log(exchange)
	}()
	call, fault := s.read(w, r)
	if fault != nil {
		write(w, http.StatusInternalServerError, func() (soap.Message, error) { return call.dialect.FaultMessage(*fault) })
		return
	}
	exchange.Operation = string(call.op)
	acting := s.config.Faults.take(call.op)
	if acting.Fault != 0 {
		exchange.Fault = acting.Fault.String()
	}
	if acting.Fault == Dead || acting.Fault == RequestLost {
		panic(http.ErrAbortHandler)
	}
	// What has reached the hospital happens, whether or not the caller waits.
	done := call.perform(context.WithoutCancel(r.Context()), s.config.System())
	exchange.Request, exchange.Answer, exchange.Outcome = done.request, done.answer, done.code
	if acting.Fault == Slow {
		acting.wait(r.Context())
	}
	deliver(w, call, done.text, acting.Fault)
}

// incoming is a request that was read.
type incoming struct {
	op      Op
	serve   operation
	input   *soap.Node
	dialect soap.Dialect
}

// read takes a request apart. Its fault blames the caller.
func (s *Service) read(w http.ResponseWriter, r *http.Request) (incoming, *soap.Fault) {
	call := incoming{dialect: soap.Dialect{Namespace: wire.Namespace}}
	blame := func(reason string) (incoming, *soap.Fault) {
		return call, &soap.Fault{Code: "Client", Reason: reason}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		return blame("the request is cut short or too large")
	}
	envelope, err := soap.ParseEnvelope(r.Header.Get("Content-Type"), body)
	if err != nil || envelope.Content == nil {
		return blame("the request is no SOAP")
	}
	call.dialect.Version = envelope.Version
	if s.config.Security != nil && !s.config.Security.Matches(envelope.Header) {
		return blame("the name or the password is wrong")
	}
	if envelope.Content.Space != wire.Namespace {
		return blame("the namespace is not " + wire.Namespace)
	}
	serve, known := operations()[Op(envelope.Content.Name)]
	if !known {
		return blame("no such operation")
	}
	call.op, call.serve = Op(envelope.Content.Name), serve
	input := envelope.Content.All("input")
	if len(input) != 1 || len(envelope.Content.Children) != 1 {
		return blame("want one parameter, input")
	}
	call.input, err = soap.ParseDocument(input[0].Text())
	if err != nil || call.input.Name != "Request" {
		return blame("the input is no Request")
	}
	return call, nil
}

// performed is what became of a call, ready to send and to log.
type performed struct {
	text            string // the Response
	request, answer string // summaries
	code            string
}

func (c incoming) perform(ctx context.Context, system his.System) performed {
	var done performed
	request, answer, err := c.serve(ctx, system, c.input)
	done.request = wire.Summary(request)
	if err == nil {
		done.code, done.answer = wire.OK, wire.Summary(answer)
		if done.text, err = wire.Encode("Response", answer); err == nil {
			return done
		}
		err = &hospital.Error{Kind: hospital.Internal, Code: "bad_answer", Detail: err.Error()}
	}
	result := refusal(err)
	done.code, done.answer = result.Code, ""
	done.text, err = wire.Encode("Response", struct{ wire.Result }{result})
	if err != nil {
		done.text = "<Response><ResultCode>internal</ResultCode><ResultKind>internal</ResultKind></Response>"
	}
	return done
}

// refusal puts an error on the wire: kind, code and the operator's detail.
func refusal(err error) wire.Result {
	result := wire.Result{Code: hospital.CodeOf(err), Kind: hospital.KindOf(err).String()}
	if result.Code == "" || result.Code == wire.OK {
		result.Code = result.Kind
	}
	if e, ok := errors.AsType[*hospital.Error](err); ok {
		result.Message = e.Detail
	}
	return result
}

// deliver sends the answer, or what the fault makes of it.
func deliver(w http.ResponseWriter, call incoming, text string, fault ServiceFault) {
	switch fault {
	case AnswerLost:
		panic(http.ErrAbortHandler)
	case Garbage:
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = io.WriteString(w, "0|ok|\x00\xff<Response") // the caller may be gone
		return
	case ErrorPage:
		w.Header().Set("Content-Type", "text/html; charset=gb2312")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, "<html><head><title>Runtime Error</title></head><body>Server Error in '/his' Application.</body></html>")
		return
	case InGBK:
		call.dialect.Charset = soap.GBK
	case Truncated:
		half, err := call.dialect.Response(string(call.op), text)
		if err == nil {
			w.Header().Set("Content-Type", half.Header.Get("Content-Type"))
			w.Header().Set("Content-Length", strconv.Itoa(len(half.Body)))
			_, _ = w.Write(half.Body[:len(half.Body)/2])
			_ = http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler)
	default:
	}
	write(w, http.StatusOK, func() (soap.Message, error) { return call.dialect.Response(string(call.op), text) })
}

func write(w http.ResponseWriter, status int, make func() (soap.Message, error)) {
	message, err := make()
	if err != nil {
		http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", message.Header.Get("Content-Type"))
	w.WriteHeader(status)
	_, _ = w.Write(message.Body) // the caller may be gone
}
