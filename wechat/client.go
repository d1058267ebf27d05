package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

const (
	defaultBaseURL = "https://api.weixin.qq.com"
	defaultOpenURL = "https://open.weixin.qq.com"
	defaultMPURL   = "https://mp.weixin.qq.com"
	// maxAnswer bounds an answer in bytes; the longest, a page of 10000 openids,
	// has about 320 kB.
	maxAnswer = 1 << 20
	// busyTries is how often a call that may be repeated is made while the
	// platform says that it is busy.
	busyTries = 3
	busyWait  = 300 * time.Millisecond
)

// Config says which account to speak for.
type Config struct {
	// AppID and Secret are the account's 开发者ID and 开发者密码. Required.
	AppID, Secret string
	// BaseURL is the platform. Default "https://api.weixin.qq.com".
	BaseURL string
	// Standby are further doors to the platform, tried in this order when nothing
	// of a request can have left for the one before: no name, no connection, an
	// open breaker. A call whose answer was lost is never made elsewhere. At most
	// eight. Default: [StandbyURLs] where BaseURL is the default, else none; an
	// empty list that is not nil means none.
	Standby []string
	// OpenURL is where web logins begin. Default "https://open.weixin.qq.com".
	OpenURL string
	// MPURL is where browsers find the account's own pages: the question of a
	// one-time subscription, the picture of a QR code. Default
	// "https://mp.weixin.qq.com".
	MPURL string
	// HTTPClient lends its Transport; DialContext replaces the network. At most
	// one of them is set. Default: a transport of our own.
	HTTPClient  *http.Client
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger receives one line a call, without addresses; nil discards.
	Logger *slog.Logger
	// Observe is told of every request to the platform when it has ended, from
	// the goroutine that made it: do not block. Nil for nobody.
	Observe func(Exchange)
	// Timeout bounds one call, with all its hosts. Default 10 s.
	Timeout time.Duration
	// MaxConcurrent is how many calls may be under way at once at one host.
	// Default 32.
	MaxConcurrent int
	// TripAfter failed calls in a row make the client refuse for OpenFor.
	// Defaults 8 and 10 s; a negative TripAfter means never.
	TripAfter int
	OpenFor   time.Duration
	// Tokens keeps the access token, shared by all replicas. Default: memory,
	// for a single process.
	Tokens TokenStore
	// Classic fetches the token from /cgi-bin/token, where every fetch replaces
	// the token for everybody, in place of /cgi-bin/stable_token. Only for an
	// account whose other systems leave no choice.
	Classic bool
	// Now is the wall clock. Default time.Now.
	Now func() time.Time
}

// Client calls the platform for one account. It is safe for concurrent use.
//
// Its errors are *hospital.Error. Where the platform refused, the code is the
// platform's errcode and the chain holds a [*Refusal]; the kind follows its
// [Class]: token and quota are Unavailable, config Internal, permission and
// oauth Denied, request Invalid, user and unknown Rejected. A lost answer, and
// errcode -1, is Unavailable for a read and Indeterminate for a call that
// changes something. An answer that is none is code bad_answer.
//
// What the platform is known to refuse is refused before anything is sent:
// Invalid with one of our own codes, such as bad_notice, and the detail names the
// field as the platform writes it, never its value.
type Client struct {
	appID, secret string
	openURL       string
	mpURL         string
	hosts         []host
	pages         *remote.Client // of MPURL
	timeout       time.Duration
	watch         func(Exchange)
	logger        *slog.Logger
	now           func() time.Time
	classic       bool
	tokens        *keeper
	tickets       *keeper
}

// New returns a client; it sends nothing. An Invalid error names the bad field.
func New(config Config) (*Client, error) {
	bad := func(field string) (*Client, error) {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "wechat.New", Code: "bad_config", Detail: field}
	}
	if config.AppID == "" || config.Secret == "" {
		return bad("AppID, Secret: missing")
	}
	if config.BaseURL == "" {
		config.BaseURL = defaultBaseURL
	}
	if config.Standby == nil && config.BaseURL == defaultBaseURL {
		config.Standby = StandbyURLs()
	}
	if len(config.Standby) > maxStandby {
		return bad("Standby: at most 8")
	}
	if slices.ContainsFunc(config.Standby, func(address string) bool { return !webAddress(address) }) {
		return bad("Standby: want http:// or https:// and a host")
	}
	if config.Timeout < 0 {
		return bad("Timeout: want a positive duration")
	}
	if config.Timeout == 0 {
		config.Timeout = defaultTimeout
	}
	if config.OpenURL == "" {
		config.OpenURL = defaultOpenURL
	}
	if !webAddress(config.OpenURL) {
		return bad("OpenURL: want http:// or https:// and a host")
	}
	if config.MPURL == "" {
		config.MPURL = defaultMPURL
	}
	if !webAddress(config.MPURL) {
		return bad("MPURL: want http:// or https:// and a host")
	}
	if config.Tokens == nil {
		config.Tokens = &MemoryTokens{}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	hosts, err := newHosts(config)
	if err != nil {
		return nil, err
	}
	pages, err := remote.New(remote.Config{
		Name: "wechat pages", BaseURL: config.MPURL, HTTPClient: config.HTTPClient, DialContext: config.DialContext, Logger: config.Logger,
		Timeout: config.Timeout, MaxConcurrent: config.MaxConcurrent, MaxResponse: maxAnswer, TripAfter: config.TripAfter, OpenFor: config.OpenFor,
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // a *hospital.Error that names the field
	}
	c := &Client{
		appID: config.AppID, secret: config.Secret, openURL: strings.TrimSuffix(config.OpenURL, "/"), mpURL: strings.TrimSuffix(config.MPURL, "/"),
		hosts: hosts, pages: pages, timeout: config.Timeout, watch: config.Observe, logger: config.Logger, now: config.Now, classic: config.Classic,
	}
	c.tokens = newKeeper("access_token", config, c.fetchToken)
	c.tokens.ruthless = config.Classic
	c.tickets = newKeeper("jsapi_ticket", config, c.fetchTicket)
	return c, nil
}

// CloseIdle closes the connections that no call is using.
func (c *Client) CloseIdle() {
	for _, host := range c.hosts {
		host.remote.CloseIdle()
	}
	c.pages.CloseIdle()
}

// call is one thing asked of the platform.
type call struct {
	op, path   string
	query      url.Values
	body       any        // JSON; nil for a GET
	fields     url.Values // a form, in place of JSON
	changes    bool       // it changes something: a lost answer leaves that open
	idempotent bool       // the platform takes a repetition for the same wish
	open       bool       // it goes without the account's access token
	personal   []string   // what must not come back in an error
	upload     *form      // a file, in place of JSON
	into       *File      // takes an answer that is a file and no JSON
	most       int64      // bytes of the answer; 0 for maxAnswer
}

// do makes the call. A token that the platform refuses is replaced once. Beside
// an error stands the answer with which the platform refused, if it did.
func (c *Client) do(ctx context.Context, call call) (gjson.Result, error) {
	var body []byte
	switch {
	case call.upload != nil:
		body = call.upload.body
	case call.fields != nil:
		body = []byte(call.fields.Encode())
	case call.body != nil:
		var err error
		if body, err = encodeJSON(call.body); err != nil {
			return gjson.Result{}, &hospital.Error{Kind: hospital.Invalid, Op: call.op, Code: "bad_request", Err: err}
		}
	}
	token := ""
	if !call.open {
		var err error
		if token, err = c.tokens.token(ctx, ""); err != nil {
			return gjson.Result{}, unasked(call.op, err)
		}
	}
	doubt := false // some attempt may have been applied
	answer, err := c.persist(ctx, call, body, token, &doubt)
	if !call.open && err != nil && tokenRefused(err) {
		// What was refused for its token was not applied, so it may be repeated.
		if fresh, lost := c.tokens.token(ctx, token); lost == nil && fresh != token {
			answer, err = c.persist(ctx, call, body, fresh, &doubt)
		}
	}
	switch {
	case err == nil:
		return answer, nil
	case doubt && call.changes:
		err.Kind = hospital.Indeterminate // no later refusal undoes what an earlier attempt did
	}
	return answer, err
}

// unasked is the error of a call that was not made for want of a token: its
// kind is the token's, but never that of something that may have happened.
func unasked(op string, err error) error {
	kind := hospital.KindOf(err)
	if kind == hospital.Indeterminate {
		kind = hospital.Unavailable
	}
	return &hospital.Error{Kind: kind, Op: op, Code: hospital.CodeOf(err), Err: err}
}

func tokenRefused(err error) bool {
	refusal, ok := errors.AsType[*Refusal](err)
	return ok && (refusal.Code == 40001 || refusal.Code == 40014 || refusal.Code == 42001)
}

// persist repeats the call while the platform is busy, if it bears repetition.
func (c *Client) persist(ctx context.Context, call call, body []byte, token string, doubt *bool) (gjson.Result, *hospital.Error) {
	for try := 1; ; try++ {
		answer, lost, err := c.once(ctx, call, body, token)
		*doubt = *doubt || lost
		if err == nil {
			return answer, nil
		}
		if ClassOf(err) != ClassBusy {
			return answer, err
		}
		*doubt = true
		if call.changes && !call.idempotent || try == busyTries {
			return answer, err
		}
		wait := time.NewTimer(busyWait << (try - 1))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return answer, err
		}
	}
}

// request is the call as it goes over the wire.
func (call call) request(body []byte, token string) remote.Call {
	query := url.Values{}
	maps.Copy(query, call.query)
	if token != "" {
		query.Set("access_token", token)
	}
	request := remote.Call{
		Op: call.op, Path: call.path, Query: query, Body: body,
		ReadOnly: !call.changes, Idempotent: call.idempotent, MaxResponse: call.most, Timeout: call.patience(0),
	}
	switch {
	case call.upload != nil:
		request.Header = http.Header{"Content-Type": {call.upload.contentType}}
	case call.fields != nil:
		request.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	case body != nil:
		request.Header = http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	}
	return request
}

// read takes what came of a call apart.
func (c *Client) read(call call, answer remote.Answer, err error, token string) (gjson.Result, *hospital.Error) {
	if err != nil {
		if known, ok := errors.AsType[*hospital.Error](err); ok {
			return gjson.Result{}, known
		}
		return gjson.Result{}, &hospital.Error{Kind: hospital.Internal, Op: call.op, Err: err}
	}
	if answer.Status >= http.StatusMultipleChoices {
		return gjson.Result{}, &hospital.Error{Kind: hospital.Rejected, Op: call.op, Code: "http_" + strconv.Itoa(answer.Status)}
	}
	if call.into != nil && call.into.take(answer) {
		return gjson.Result{}, nil
	}
	if !gjson.ValidBytes(answer.Body) || !bytes.HasPrefix(bytes.TrimSpace(answer.Body), []byte("{")) {
		return gjson.Result{}, call.bad("not a JSON object")
	}
	result := gjson.ParseBytes(answer.Body)
	code, err := integer(result.Get("errcode"))
	switch {
	case err != nil:
		return result, call.bad("errcode")
	case code != 0:
		known := append([]string{token, c.secret}, call.personal...)
		return result, newRefusal(call.op, int(code), result.Get("errmsg").String(), call.changes, known...)
	}
	return result, nil
}

// patience is how long the call may take: a file needs longer than words.
func (call call) patience(usual time.Duration) time.Duration {
	if call.upload != nil || call.into != nil {
		return max(usual, filePatience)
	}
	return usual
}

// invalid is the error of a request that is not sent.
func invalid(op, code, detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: op, Code: code, Detail: detail}
}

// bad is the error of an answer that cannot be believed: what changes
// something may have done so.
func (call call) bad(field string) *hospital.Error {
	kind := hospital.Unavailable
	if call.changes {
		kind = hospital.Indeterminate
	}
	return &hospital.Error{Kind: kind, Op: call.op, Code: "bad_answer", Detail: field}
}

// integer reads a number that the platform writes bare or in quotes. A field
// that is missing is 0.
func integer(value gjson.Result) (int64, error) {
	if !value.Exists() {
		return 0, nil
	}
	return strconv.ParseInt(value.String(), 10, 64)
}

// fetchToken asks for the account's access token.
// API: POST /cgi-bin/stable_token; GET /cgi-bin/token.
func (c *Client) fetchToken(ctx context.Context, force bool) (string, time.Duration, error) {
	ask := call{
		op: "wechat.token", path: "/cgi-bin/stable_token", open: true,
		body: struct {
			GrantType string `json:"grant_type"`
			AppID     string `json:"appid"`
			Secret    string `json:"secret"`
			Force     bool   `json:"force_refresh"`
		}{"client_credential", c.appID, c.secret, force},
	}
	if c.classic {
		ask.path, ask.body = "/cgi-bin/token", nil
		ask.query = url.Values{"grant_type": {"client_credential"}, "appid": {c.appID}, "secret": {c.secret}}
	}
	answer, err := c.do(ctx, ask)
	if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Class == ClassToken {
		// Where a token is asked for, the credential that is refused is the secret.
		refusal.Class = ClassConfig
		return "", 0, &hospital.Error{Kind: hospital.Internal, Op: ask.op, Code: strconv.Itoa(refusal.Code), Err: refusal}
	}
	if err != nil {
		return "", 0, err
	}
	return credential(answer, "access_token")
}

// fetchTicket asks for the ticket that JS-SDK signatures are made with.
// API: GET /cgi-bin/ticket/getticket.
func (c *Client) fetchTicket(ctx context.Context, _ bool) (string, time.Duration, error) {
	answer, err := c.do(ctx, call{op: "wechat.ticket", path: "/cgi-bin/ticket/getticket", query: url.Values{"type": {"jsapi"}}})
	if err != nil {
		return "", 0, err
	}
	return credential(answer, "ticket")
}

func credential(answer gjson.Result, name string) (string, time.Duration, error) {
	seconds, err := integer(answer.Get("expires_in"))
	if err != nil {
		return "", 0, call{op: "wechat." + name}.bad("expires_in")
	}
	return answer.Get(name).String(), time.Duration(seconds) * time.Second, nil
}

// webAddress reports whether the text is an absolute http or https address.
func webAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

// encodeJSON writes v as the platform wants it: in UTF-8, with nothing escaped
// that need not be. The platform takes an escape for the characters it is
// written with, so a phone would show it.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if !bytes.Contains(text, []byte(`\u202`)) {
		return text, nil
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch rest := text[i:]; {
		case bytes.HasPrefix(rest, []byte(`\u2028`)):
			out = append(out, "\u2028"...)
			i += 5
		case bytes.HasPrefix(rest, []byte(`\u2029`)):
			out = append(out, "\u2029"...)
			i += 5
		case rest[0] == '\\':
			out = append(out, rest[:2]...)
			i++
		default:
			out = append(out, rest[0])
		}
	}
	return out, nil
}
