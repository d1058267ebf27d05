package remote

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wxhospital/hospital"
)

// fate is what became of one attempt.
type fate int

const (
	notSent  fate = iota // certainly not applied
	lost                 // may have been applied
	answered             // the far side spoke
)

// outcome is one attempt's fate and, where it failed, the reason in our words.
type outcome struct {
	fate   fate
	answer Answer
	code   string // "timeout", "connection_lost", "http_503"
	detail string // a fixed phrase, never the text of a foreign error
	cause  error  // a context error, or nil
	final  bool   // a repetition would end alike
}

// trip is one call on its way through the layers.
type trip struct {
	call     *Call
	attempts int
	lost     int // attempts that may have been applied
	sent     bool
	last     outcome
}

type tripKey struct{}

func tripOf(ctx context.Context) *trip {
	t, ok := ctx.Value(tripKey{}).(*trip)
	if !ok {
		return &trip{call: &Call{}}
	}
	return t
}

func (t *trip) note(o outcome) {
	t.attempts++
	t.sent = t.sent || o.fate != notSent
	if t.last.fate == lost {
		t.lost++
	}
	t.last = o
}

// again reports whether the call may be, and is worth being, repeated.
func (t *trip) again() bool {
	allowed := t.call.ReadOnly || t.call.Idempotent
	return allowed && !t.last.final && (t.last.fate != answered || t.last.answer.Status == http.StatusTooManyRequests)
}

// verdict weighs all attempts. One that may have been applied makes the call
// Indeterminate, unless a later one was answered. "Too many requests" is no
// such answer: it tells nothing of the attempt before.
func (t *trip) verdict() (Answer, error) {
	o := t.last
	told := o.fate == answered && (o.answer.Status != http.StatusTooManyRequests || t.lost == 0)
	if told {
		o.answer.Lost = t.lost
		return o.answer, nil
	}
	kind := hospital.Unavailable
	if !t.call.ReadOnly && (o.fate == lost || t.lost > 0) {
		kind = hospital.Indeterminate
	}
	if o.code == "" {
		o.code = httpCode(o.answer.Status)
	}
	return Answer{}, &hospital.Error{Kind: kind, Op: t.call.Op, Code: o.code, Detail: o.detail, Err: o.cause}
}

// refused is the error of a call that was never sent.
func (t *trip) refused(code string, cause error) error {
	return &hospital.Error{Kind: hospital.Unavailable, Op: t.call.Op, Code: code, Err: cause}
}

// attempt is the innermost layer: it sends once and reads the whole answer, so
// that a body cut short belongs to the attempt and not to whoever reads it.
type attempt struct {
	next        http.RoundTripper
	sign        func(*http.Request, []byte) error
	timeout     time.Duration
	maxResponse int64
}

var (
	errAttempt  = errors.New("remote: attempt failed")
	errTooLarge = errors.New("remote: answer too large")
	errEncoding = errors.New("remote: content encoding")
)

// RoundTrip makes one attempt and notes its outcome in the call's trip.
func (a *attempt) RoundTrip(request *http.Request) (*http.Response, error) {
	trip := tripOf(request.Context())
	o := a.once(request, trip.call)
	trip.note(o)
	if o.answer.Status == 0 {
		return nil, errAttempt
	}
	return &http.Response{
		StatusCode: o.answer.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: o.answer.Header, Request: request, ContentLength: int64(len(o.answer.Body)),
		Body: io.NopCloser(bytes.NewReader(o.answer.Body)),
	}, nil
}

func (a *attempt) once(request *http.Request, call *Call) outcome {
	ctx, cancel := context.WithTimeout(request.Context(), max(a.timeout, call.Timeout))
	defer cancel()
	var wire wireTrace
	request = request.Clone(httptrace.WithClientTrace(ctx, wire.hooks()))
	if o := a.prepare(request, call); o != nil {
		return *o
	}
	if err := ctx.Err(); err != nil {
		return failure(notSent, err)
	}
	response, err := a.next.RoundTrip(request) //nolint:bodyclose // readBody closes it
	if err != nil {
		return failure(wire.fate(err), err)
	}
	body, err := readBody(response, min(or(call.MaxResponse, a.maxResponse), mostMaxResponse))
	if err != nil {
		o := failure(lost, err)
		o.final = errors.Is(err, errTooLarge)
		return o
	}
	return judge(call, Answer{Status: response.StatusCode, Header: response.Header, Body: body})
}

// prepare puts in the body and the signature. Nothing has been sent when it
// fails, so the outcome it returns is notSent.
func (a *attempt) prepare(request *http.Request, call *Call) *outcome {
	body := call.Body
	if call.Render != nil {
		var err error
		if body, err = call.Render(); err != nil {
			return &outcome{fate: notSent, code: "render_failed", final: true}
		}
	}
	if body != nil {
		// GetBody lets net/http move to a fresh connection when a kept one died
		// before a byte was written; a POST that was written it never repeats.
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		request.Body = io.NopCloser(bytes.NewReader(body))
		request.ContentLength = int64(len(body))
	}
	if a.sign != nil {
		if err := a.sign(request, body); err != nil {
			return &outcome{fate: notSent, code: "sign_failed", final: true}
		}
	}
	return nil
}

func judge(call *Call, answer Answer) outcome {
	spoke := answer.Status >= 200 && answer.Status < 300 || answer.Status >= 400 && answer.Status < 500
	if call.Answered != nil {
		spoke = call.Answered(answer)
	}
	if spoke {
		return outcome{fate: answered, answer: answer}
	}
	return outcome{fate: lost, answer: answer, code: httpCode(answer.Status), final: answer.Status < 400}
}

func httpCode(status int) string { return "http_" + strconv.Itoa(status) }

// readBody reads at most limit decompressed bytes and closes the body. The
// transport undoes the compression it asked for itself; a far side that
// compresses unasked is undone here, under the same cap.
func readBody(response *http.Response, limit int64) ([]byte, error) {
	defer func() { _ = response.Body.Close() }() // what matters was read, or the attempt failed already
	var reader io.Reader = response.Body
	switch encoding := strings.ToLower(response.Header.Get("Content-Encoding")); {
	case encoding == "" || encoding == "identity" || response.ContentLength == 0:
	case encoding == "gzip" || encoding == "x-gzip":
		unzip, err := gzip.NewReader(response.Body)
		if err != nil {
			return nil, errEncoding
		}
		reader = unzip
	default:
		return nil, errEncoding
	}
	body, err := io.ReadAll(io.LimitReader(reader, limit+1))
	switch {
	case int64(len(body)) > limit:
		return nil, errTooLarge
	case err != nil:
		return nil, fmt.Errorf("remote: read: %w", err)
	}
	response.Header.Del("Content-Encoding")
	return body, nil
}

// wireTrace learns from the transport whether bytes can have left.
type wireTrace struct {
	asked atomic.Bool // the transport looked for a connection
	got   atomic.Bool // it had one: from here on the first byte may be out
	wrote atomic.Bool // headers left, on whatever connection
}

func (w *wireTrace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { w.asked.Store(true) },
		GotConn:      func(httptrace.GotConnInfo) { w.got.Store(true) },
		WroteHeaders: func() { w.wrote.Store(true) },
	}
}

// fate errs on the side of lost: a transport that does not trace, and any
// failure after a connection was there, may have sent the request.
func (w *wireTrace) fate(err error) fate {
	if w.wrote.Load() {
		return lost // whatever failed after that: a transport may write again by itself
	}
	if w.asked.Load() && !w.got.Load() {
		return notSent
	}
	// net/http tries a fresh connection when a kept one turns out to be dead
	// before a byte was written to it, so a failed dial is the last word.
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return notSent
	}
	return lost
}

// failure names what went wrong in fixed words: the text of err can hold the
// address with its query or bytes of the answer.
func failure(fate fate, err error) outcome {
	o := outcome{fate: fate, code: "connection_lost", detail: "the connection broke"}
	if fate == notSent {
		o.code, o.detail = "unreachable", "no connection"
	}
	timeout, isNet := errors.AsType[net.Error](err)
	_, noName := errors.AsType[*net.DNSError](err)
	_, badCert := errors.AsType[*tls.CertificateVerificationError](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, context.Canceled):
		o.code, o.detail, o.cause = "cancelled", "the caller gave up", context.Canceled
	case errors.Is(err, context.DeadlineExceeded), isNet && timeout.Timeout():
		o.code, o.detail, o.cause = "timeout", "no answer in time", context.DeadlineExceeded
	case errors.Is(err, errTooLarge):
		o.code, o.detail = "too_large", "the answer is above the size cap"
	case errors.Is(err, errEncoding), errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		o.code, o.detail = "bad_encoding", "the answer's compression is damaged or unknown"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		o.detail = "the connection was closed early"
	case noName:
		o.detail = "the host name does not resolve"
	case badCert:
		o.code, o.detail = "tls", "the certificate is not trusted"
	case notTLS:
		o.code, o.detail = "tls", "the far side does not speak TLS"
	case errors.Is(err, syscall.ECONNREFUSED):
		o.detail = "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		o.detail = "connection reset"
	}
	return o
}

// backoff doubles from low to high, with jitter so that clients that failed
// together do not come back together. It obeys Retry-After up to high.
func backoff(low, high time.Duration, attempt int, response *http.Response) time.Duration {
	wait := min(low<<attempt, high)
	wait = wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter is no secret
	if response != nil {
		if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
			wait = min(max(wait, time.Duration(seconds)*time.Second), high)
		}
	}
	return wait
}
