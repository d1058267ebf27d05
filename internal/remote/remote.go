package remote

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/sony/gobreaker/v2"

	"github.com/wxhospital/hospital"
)

// The defaults of a [Config].
const (
	defaultTimeout       = 10 * time.Second // a HIS answers a hold in 1–3 s; beyond 10 s the patient has left the page
	defaultMaxResponse   = 4 << 20          // the largest ordinary answer, a week of schedules, has about 1 MB
	mostMaxResponse      = 1 << 30          // an answer is held in memory
	defaultMaxConcurrent = 32               // more parallel calls only lengthen a HIS's own queue
	defaultRetries       = 2
	defaultRetryWait     = 200 * time.Millisecond
	maxRetryWait         = 2 * time.Second // also the longest Retry-After that is waited for
	maxRetries           = 5               // beyond it the caller's own schedule is the right place
	defaultTrip          = 8               // failed calls in a row; fewer would trip on one patient's bad line
	defaultOpenFor       = 10 * time.Second
)

// Config says whom to call and within which bounds.
type Config struct {
	// Name is the far side in log lines, for example "his". Default "remote".
	Name string
	// BaseURL is what every path is appended to, for example
	// "https://his.example.com/ws". Its query, if any, goes with every call.
	BaseURL string
	// HTTPClient lends its Transport; its Timeout, Jar and redirect policy are
	// not used. Default: a transport of our own, without a proxy.
	HTTPClient *http.Client
	// DialContext replaces the network of the default transport, so that a
	// test runs over net.Pipe. It excludes HTTPClient.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger receives one line a call; nil discards.
	Logger *slog.Logger
	// Timeout bounds one call with all its attempts. Default 10 s.
	Timeout time.Duration
	// DialTimeout bounds the way to a connection, names and TLS included, on a
	// transport of our own. Default: Timeout.
	DialTimeout time.Duration
	// AttemptTimeout bounds one attempt. Default: Timeout, so that a far side
	// that is slow is not asked twice.
	AttemptTimeout time.Duration
	// MaxResponse caps the body after decompression, in bytes. Default 4 MiB,
	// at most 1 GiB.
	MaxResponse int64
	// Retries is how often a call that may be repeated is repeated. Default 2,
	// at most 5; negative means never.
	Retries int
	// RetryWait is the pause before the first repetition; it doubles up to
	// 2 s. Default 200 ms.
	RetryWait time.Duration
	// Elsewhere says that the caller has another place for a call that was not
	// sent, so it is not repeated here.
	Elsewhere bool
	// Sign signs one attempt; it is called anew for each. Its error ends the
	// call before anything is sent.
	Sign func(request *http.Request, body []byte) error
	// MaxConcurrent is how many calls may be under way at once. Default 32.
	MaxConcurrent int
	// TripAfter is the number of failed calls in a row that open the breaker.
	// Default 8; negative means no breaker.
	TripAfter int
	// OpenFor is how long an open breaker refuses before it lets one call
	// through to look. Default 10 s.
	OpenFor time.Duration
}

// Client calls one far side. It is safe for concurrent use.
type Client struct {
	name    string
	base    *url.URL
	logger  *slog.Logger
	timeout time.Duration
	http    *resty.Client
	next    http.RoundTripper
	slots   chan struct{}
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
}

// Call is one thing asked of the far side.
type Call struct {
	Op     string // in errors and logs: "his.Hold"
	Method string // default GET, or POST where there is a body
	Path   string // appended to the BaseURL, escaped by the caller: "/v3/pay/transactions/jsapi"
	Query  url.Values
	Header http.Header
	Body   []byte
	// Render, when set, makes the body of each attempt in place of Body: a
	// nonce in it must be fresh, while what it carries stays the same.
	Render func() ([]byte, error)
	// ReadOnly says that the call changes nothing: a lost answer is then
	// Unavailable, and the call may be repeated.
	ReadOnly bool
	// Idempotent says that the far side takes a repetition for the same wish,
	// so the call may be repeated.
	Idempotent bool
	// Timeout bounds this call in place of the Config's, and each of its attempts
	// where it is the longer.
	Timeout time.Duration
	// MaxResponse caps this answer in place of the Config's, at most 1 GiB.
	MaxResponse int64
	// Answered tells an answer from a breakdown. Default: status 2xx and 4xx
	// are answers; a redirect and 5xx leave the outcome open.
	Answered func(Answer) bool
}

// Answer is what the far side said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // decompressed
	// Lost counts the earlier attempts of this call that may have been applied.
	Lost int
	// Attempts is how often the call was made, and Sent whether any of it can
	// have left. They are known beside an error too.
	Attempts int
	Sent     bool
}

// New returns a client. It sends nothing. An Invalid error names the bad field.
func New(config Config) (*Client, error) {
	bad := func(field string) (*Client, error) {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "remote.New", Code: "bad_config", Detail: field}
	}
	base, err := url.Parse(config.BaseURL)
	switch {
	case err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https"):
		return bad("BaseURL: want http:// or https:// and a host")
	case config.HTTPClient != nil && config.DialContext != nil:
		return bad("DialContext: not together with HTTPClient")
	case config.Timeout < 0 || config.DialTimeout < 0 || config.AttemptTimeout < 0 || config.RetryWait < 0 || config.OpenFor < 0:
		return bad("Timeout, DialTimeout, AttemptTimeout, RetryWait, OpenFor: want a positive duration")
	case config.MaxResponse < 0 || config.MaxConcurrent < 0:
		return bad("MaxResponse, MaxConcurrent: want a positive number")
	case config.MaxResponse > mostMaxResponse:
		return bad("MaxResponse: at most 1 GiB")
	case config.Retries > maxRetries:
		return bad("Retries: at most 5")
	}
	config = withDefaults(config)
	next := transport(config)
	c := &Client{
		name: config.Name, base: base, logger: config.Logger, timeout: config.Timeout, next: next,
		slots:   make(chan struct{}, config.MaxConcurrent),
		breaker: breaker(config),
	}
	c.http = layers(&attempt{
		next: next, sign: config.Sign, timeout: config.AttemptTimeout, maxResponse: config.MaxResponse,
	}, config)
	return c, nil
}

func withDefaults(c Config) Config {
	if c.Name == "" {
		c.Name = "remote"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Timeout = or(c.Timeout, defaultTimeout)
	c.DialTimeout = or(c.DialTimeout, c.Timeout)
	c.AttemptTimeout = or(c.AttemptTimeout, c.Timeout)
	c.MaxResponse = or(c.MaxResponse, defaultMaxResponse)
	c.MaxConcurrent = or(c.MaxConcurrent, defaultMaxConcurrent)
	c.Retries = max(or(c.Retries, defaultRetries), 0)
	c.RetryWait = or(c.RetryWait, defaultRetryWait)
	c.TripAfter = or(c.TripAfter, defaultTrip)
	c.OpenFor = or(c.OpenFor, defaultOpenFor)
	return c
}

func or[T int | int64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

func transport(config Config) http.RoundTripper {
	if config.HTTPClient != nil {
		if config.HTTPClient.Transport != nil {
			return config.HTTPClient.Transport
		}
		return http.DefaultTransport
	}
	dial := config.DialContext
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, config.DialTimeout)
			defer cancel()
			return dial(ctx, network, address)
		},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    config.MaxConcurrent,
		IdleConnTimeout:        60 * time.Second, // below the 90 s after which common gateways drop silently
		TLSHandshakeTimeout:    config.DialTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// layers stacks resty on retryablehttp on one attempt. Both keep still: what
// is worth logging, Do logs.
func layers(one *attempt, config Config) *resty.Client {
	retry := &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: one, CheckRedirect: stay},
		RetryMax:     config.Retries,
		RetryWaitMin: config.RetryWait,
		RetryWaitMax: maxRetryWait,
		Backoff:      backoff,
		CheckRetry: func(ctx context.Context, _ *http.Response, _ error) (bool, error) {
			trip := tripOf(ctx)
			return trip.again() && (trip.last.fate != notSent || !config.Elsewhere), nil
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	client := resty.NewWithClient(&http.Client{
		Transport: &retryablehttp.RoundTripper{Client: retry}, CheckRedirect: stay,
	})
	client.SetLogger(silent{})
	client.SetDisableWarn(true)
	return client
}

// stay follows no redirect: a far side that moved is an operator's business,
// and a signed call must not travel to another host.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// Do makes the call. An answer of any status that Call.Answered accepts is an
// Answer, not an error. Otherwise the error is a [*hospital.Error]:
//
//   - Unavailable: certainly not applied. The far side could not be reached,
//     the breaker is open, no place came free in time, or the call is ReadOnly.
//   - Indeterminate: some attempt may have been applied.
//   - Invalid: the Call itself is malformed.
//
// Beside an error the Answer holds Attempts and Sent and nothing else.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, or(call.Timeout, c.timeout))
	defer cancel()
	trip := &trip{call: &call}
	start := time.Now()
	answer, err := c.shielded(ctx, trip)
	answer.Attempts, answer.Sent = trip.attempts, trip.sent
	c.log(ctx, trip, answer, err, time.Since(start))
	return answer, err
}

// CloseIdle closes the connections that no call is using.
func (c *Client) CloseIdle() {
	(&http.Client{Transport: c.next}).CloseIdleConnections()
}

func (c *Client) shielded(ctx context.Context, trip *trip) (answer Answer, err error) {
	if c.breaker != nil && c.breaker.State() == gobreaker.StateOpen {
		return Answer{}, trip.refused("breaker_open", nil)
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return Answer{}, trip.refused("busy", ctx.Err())
	}
	if c.breaker != nil {
		done, open := c.breaker.Allow()
		if open != nil {
			return Answer{}, trip.refused("breaker_open", nil)
		}
		defer func() { done(err) }()
	}
	if err := c.send(ctx, trip); err != nil {
		return Answer{}, err
	}
	return trip.verdict()
}

// send runs the attempts; what became of them stands in trip. Its error means
// that there was none.
func (c *Client) send(ctx context.Context, trip *trip) error {
	address, err := c.address(trip.call)
	if err != nil {
		return err
	}
	request := c.http.R().SetContext(context.WithValue(ctx, tripKey{}, trip))
	for name, values := range trip.call.Header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	method := trip.call.Method
	if method == "" {
		method = http.MethodGet
		if trip.call.Body != nil || trip.call.Render != nil {
			method = http.MethodPost
		}
	}
	// The error is left aside on purpose: it repeats what trip knows, in words
	// that contain the address.
	if _, err := request.Execute(method, address); err != nil && trip.attempts == 0 {
		return trip.refused("bad_request", nil)
	}
	return nil
}

func (c *Client) address(call *Call) (string, error) {
	address := *c.base
	joined, err := url.Parse(strings.TrimSuffix(c.base.EscapedPath(), "/") + call.Path)
	if err != nil || joined.Host != "" {
		return "", &hospital.Error{Kind: hospital.Invalid, Op: call.Op, Code: "bad_path"}
	}
	address.Path, address.RawPath = joined.Path, joined.RawPath
	query := []string{address.RawQuery, joined.RawQuery, call.Query.Encode()}
	address.RawQuery = strings.Trim(strings.Join(query, "&"), "&")
	address.RawQuery = strings.ReplaceAll(address.RawQuery, "&&", "&")
	return address.String(), nil
}

func (c *Client) log(ctx context.Context, trip *trip, answer Answer, err error, took time.Duration) {
	attributes := []slog.Attr{
		slog.String("remote", c.name), slog.String("op", trip.call.Op),
		slog.Int("attempts", trip.attempts), slog.Duration("took", took),
	}
	if err == nil {
		attributes = append(attributes, slog.Int("status", answer.Status), slog.Int("bytes", len(answer.Body)))
		c.logger.LogAttrs(ctx, slog.LevelDebug, "remote call answered", attributes...)
		return
	}
	attributes = append(attributes, slog.String("kind", hospital.KindOf(err).String()), slog.String("code", hospital.CodeOf(err)))
	c.logger.LogAttrs(ctx, slog.LevelWarn, "remote call failed", attributes...)
}

func breaker(config Config) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	if config.TripAfter < 0 {
		return nil
	}
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:    config.Name,
		Timeout: config.OpenFor,
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return int64(counts.ConsecutiveFailures) >= int64(config.TripAfter)
		},
		// A caller who gave up, or who asked wrongly, says nothing of the far side.
		IsExcluded: func(err error) bool {
			return errors.Is(err, context.Canceled) || hospital.KindOf(err) == hospital.Invalid ||
				hospital.CodeOf(err) == "sign_failed"
		},
	})
}
