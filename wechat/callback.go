package wechat

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
)

const (
	// maxBody bounds a push, in bytes. The longest genuine one, a text of 2048
	// bytes encrypted, stays below 8 KB.
	maxBody = 64 << 10
	// freshness is how far a push's timestamp may lie from now. The platform
	// repeats a push for fifteen seconds; the rest is for clocks that differ.
	freshness = 5 * time.Minute
	// platformTries is how often the platform delivers one push. The same bytes
	// under the same signature once more are somebody else's.
	platformTries = 3
	// maxRemembered bounds what is kept against repetition: 100 pushes a second
	// for as long as one of them counts as fresh.
	maxRemembered = 1 << 16
	maxEchostr    = 256 // the console draws about 20 digits
	maxNonce      = 128
	maxSecrets    = 4 // the current one and those it replaces

	defaultBudget  = 4500 * time.Millisecond // the platform cuts at 5 s; the rest is the network's
	defaultHandler = time.Minute
	defaultHandled = 256
)

// Mode is 消息加解密方式, as the account's console has it.
type Mode int

// The modes. None is the default: which one holds is decided by the hospital,
// not by whoever sends a push.
const (
	// Plain is 明文模式. The signature does not cover the body: whoever reads one
	// push on its way can send another body under its signature. Not for an
	// account over which a patient's words travel.
	Plain Mode = iota + 1
	// Compatible is 兼容模式, for the minutes in which an account moves from
	// Plain to Safe: it takes both, the ciphertext where there is one, and is
	// no safer than Plain.
	Compatible
	// Safe is 安全模式: what is not encrypted is refused.
	Safe
)

// CallbackConfig says which account's pushes a [Callback] takes.
type CallbackConfig struct {
	// AppID is the account's app id, "wx…". Required.
	AppID string
	// OriginalID is 原始ID, "gh_…", to which every push must be addressed.
	// Required.
	OriginalID string
	// Mode is the account's. Required.
	Mode Mode
	// Tokens are the Token of the console, the current one first and after it
	// those that a change has just replaced. At least one, at most four.
	Tokens []string
	// AESKeys are the EncodingAESKey of the console, likewise. Required but in
	// Plain mode. A reply is sealed under the key that opened the push.
	AESKeys []string
	// Handle answers a push. It is called once for all deliveries of one push
	// that reach this Callback; replicas do not know of each other's, so its
	// effects must bear repetition. An error, or a panic, makes the platform
	// deliver again, unless Budget was spent and the platform has been told
	// "success": what must not be lost is stored first.
	Handle func(ctx context.Context, push Push) (Reply, error)
	// Late receives a reply that came after Budget, when the platform has been
	// told "success" already: send it as a customer-service message. Default:
	// such replies are dropped with a line in the log.
	Late func(ctx context.Context, push Push, reply Reply)
	// Budget is how long the platform is kept waiting. Default 4.5 s; the
	// platform itself gives up after 5 s.
	Budget time.Duration
	// HandleTimeout ends the context of Handle, and of Late. Default 1 min.
	HandleTimeout time.Duration
	// MaxConcurrent is how many pushes may be handled at once; beyond it the
	// platform is told to come again. Default 256.
	MaxConcurrent int
	// Now is the wall clock. Default time.Now.
	Now func() time.Time
	// Logger receives refusals and failures; nil discards.
	Logger *slog.Logger
}

// Callback takes what the platform pushes: an [http.Handler] for the URL in
// the account's console. It believes nothing it has not checked: signature,
// age, repetition, the account, and in safe mode the encryption.
//
// The platform waits five seconds, then cuts the line and delivers again,
// three times in all. A second delivery waits for the answer of the first, or
// gets the same answer again.
//
// Who the sender is, the signature decides; [Sources.Guard] around it is a
// second lock.
type Callback struct {
	config     CallbackConfig
	ciphers    []*Cipher
	seen       *recent[sighting]
	deliveries *recent[*delivery]
	slots      chan struct{}
	running    sync.WaitGroup
}

// sighting is what came under one signature.
type sighting struct {
	digest [sha256.Size]byte
	times  int
}

// NewCallback checks the configuration. It returns Invalid, and the detail
// names the field.
func NewCallback(config CallbackConfig) (*Callback, error) {
	bad := func(field string) (*Callback, error) {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "wechat.NewCallback", Code: "bad_config", Detail: field}
	}
	switch {
	case config.AppID == "":
		return bad("AppID: missing")
	case config.OriginalID == "":
		return bad("OriginalID: missing")
	case config.Mode < Plain || config.Mode > Safe:
		return bad("Mode: want Plain, Compatible or Safe")
	case len(config.Tokens) == 0 || len(config.Tokens) > maxSecrets || slices.Contains(config.Tokens, ""):
		return bad("Tokens: want 1 to 4, none empty")
	case config.Mode != Plain && len(config.AESKeys) == 0 || len(config.AESKeys) > maxSecrets:
		return bad("AESKeys: want 1 to 4")
	case config.Handle == nil:
		return bad("Handle: missing")
	case config.Budget < 0 || config.HandleTimeout < 0 || config.MaxConcurrent < 0:
		return bad("Budget, HandleTimeout, MaxConcurrent: want a positive value")
	}
	if config.Budget == 0 {
		config.Budget = defaultBudget
	}
	if config.HandleTimeout == 0 {
		config.HandleTimeout = defaultHandler
	}
	if config.MaxConcurrent == 0 {
		config.MaxConcurrent = defaultHandled
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Callback{
		config: config,
		// A timestamp may lie ahead of us, so it is fresh for twice the time.
		seen:       newRecent[sighting](2*freshness, maxRemembered),
		deliveries: newRecent[*delivery](2*freshness, maxRemembered),
		slots:      make(chan struct{}, config.MaxConcurrent),
	}
	for _, key := range config.AESKeys {
		opener, err := NewCipher(key, config.AppID)
		if err != nil {
			return bad("AESKeys: want the 43 letters and digits of the console")
		}
		c.ciphers = append(c.ciphers, opener)
	}
	return c, nil
}

// ServeHTTP answers the console's check of the URL (GET) and takes pushes
// (POST).
func (c *Callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		c.greet(w, r)
	case http.MethodPost:
		c.receive(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// Drain waits until no handler is under way. Call it after the HTTP server has
// stopped taking requests. It returns the context's error.
func (c *Callback) Drain(ctx context.Context) error {
	idle := make(chan struct{})
	go func() {
		c.running.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// greet proves to the console that the token is known here.
func (c *Callback) greet(w http.ResponseWriter, r *http.Request) {
	q, err := c.query(r.URL.Query())
	echo := ""
	if err == nil {
		echo, err = q.one("echostr")
	}
	switch {
	case err != nil:
	case echo == "" || len(echo) > maxEchostr:
		err = refusal("echostr")
	case c.token(q.signature, q.timestamp, q.nonce) == "":
		err = refusal("signature")
	default:
		err = c.witness(q, q.signature, []byte("GET "+echo))
	}
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	answer(w, "text/plain; charset=utf-8", echo)
}

// receive takes a push and answers it in time.
func (c *Callback) receive(w http.ResponseWriter, r *http.Request) {
	timer := time.NewTimer(c.config.Budget)
	defer timer.Stop()
	body, err := c.read(w, r)
	if err != nil {
		code := "body"
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			code = "too_large"
		}
		c.refuse(w, r, refusal(code))
		return
	}
	push, err := c.Open(r.URL.Query(), body)
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	d, ok := c.join(r.Context(), push)
	if !ok {
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	plain, fate := d.wait(r.Context(), timer.C)
	switch {
	case fate == deliveryFailed:
		http.Error(w, "failed", http.StatusInternalServerError)
	case fate == deliveryGone:
	case fate == deliveryLate || plain == "":
		answer(w, "text/plain; charset=utf-8", "success")
	default:
		c.reply(w, r, push, plain)
	}
}

// read takes the body within the budget. The deadline is lifted again: left in
// place it would count as the platform hanging up, just when the budget ends.
func (c *Callback) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// A recorder has no deadline to set, and a server that cannot set one has
	// its own.
	line := http.NewResponseController(w)
	_ = line.SetReadDeadline(time.Now().Add(c.config.Budget))
	defer func() { _ = line.SetReadDeadline(time.Time{}) }()
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}

// reply writes a reply, sealed when the push was.
func (c *Callback) reply(w http.ResponseWriter, r *http.Request, push Push, text string) {
	if push.opened.cipher != nil {
		timestamp, nonce := strconv.FormatInt(c.config.Now().Unix(), 10), rand.Text()[:16]
		encrypt := push.opened.cipher.Seal([]byte(text))
		var err error
		text, err = envelope(encrypt, Sign(push.opened.token, timestamp, nonce, encrypt), timestamp, nonce, push.Format)
		if err != nil {
			c.config.Logger.ErrorContext(r.Context(), "wechat reply not written", "error", err)
			http.Error(w, "failed", http.StatusInternalServerError)
			return
		}
	}
	kind := "application/xml; charset=utf-8"
	if push.Format == JSON {
		kind = "application/json; charset=utf-8"
	}
	answer(w, kind, text)
}

func answer(w http.ResponseWriter, kind, text string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// A reader that has gone gets the same answer at the next delivery.
	_, _ = io.WriteString(w, text) //nolint:gosec // never HTML: the type is fixed and must not be guessed
}

// refuse tells which step failed and nothing that would help to pass it.
func (c *Callback) refuse(w http.ResponseWriter, r *http.Request, err error) {
	c.config.Logger.WarnContext(r.Context(), "wechat push refused", "code", hospital.CodeOf(err), "error", err)
	status := http.StatusForbidden
	switch {
	case hospital.CodeOf(err) == "too_large":
		status = http.StatusRequestEntityTooLarge
	case hospital.KindOf(err) == hospital.Invalid:
		status = http.StatusBadRequest
	}
	http.Error(w, "refused: "+hospital.CodeOf(err), status)
}

func refusal(step string) error {
	return &hospital.Error{Kind: hospital.Denied, Op: "wechat.Callback", Code: step}
}

// opened is how a push was let in; its reply goes out the same way.
type opened struct {
	token  string
	cipher *Cipher // nil for a push in the clear
}

// Open verifies, decrypts and reads one push: the URL's query and the body of
// a POST. [Callback.ServeHTTP] does it for every request; call it where the
// push arrives by another way.
//
// A push that is not to be believed is Denied, and the code names the step
// that failed: query, timestamp, mode, signature, msg_signature, replayed,
// encrypt_missing, one of [Cipher.Open], or to_user_name. One that is believed
// but cannot be read is Invalid, as in [ParsePush].
func (c *Callback) Open(query url.Values, body []byte) (Push, error) {
	if len(body) > maxBody {
		return Push{}, refusal("too_large")
	}
	q, err := c.query(query)
	if err != nil {
		return Push{}, err
	}
	text := string(body)
	var push Push
	if q.encrypted {
		push, err = c.unseal(q, text)
	} else {
		push, err = c.unsealed(q, text)
	}
	if err != nil {
		return Push{}, err
	}
	if subtle.ConstantTimeCompare([]byte(push.To), []byte(c.config.OriginalID)) != 1 {
		return Push{}, refusal("to_user_name")
	}
	return push, nil
}

// unsealed takes a push in the clear.
func (c *Callback) unsealed(q query, text string) (Push, error) {
	if c.config.Mode == Safe {
		return Push{}, refusal("mode")
	}
	token := c.token(q.signature, q.timestamp, q.nonce)
	if token == "" {
		return Push{}, refusal("signature")
	}
	if err := c.witness(q, q.signature, []byte(text)); err != nil {
		return Push{}, err
	}
	push, err := ParsePush(text)
	push.opened.token = token
	return push, err
}

// unseal takes an encrypted push. What stands beside the ciphertext, as in
// compatible mode, is not covered by the signature and not read.
func (c *Callback) unseal(q query, text string) (Push, error) {
	if c.config.Mode == Plain {
		return Push{}, refusal("mode")
	}
	outer, _, err := parseNodes(text)
	if err != nil {
		return Push{}, err
	}
	encrypt := outer.text(0, "Encrypt")
	if encrypt == "" {
		return Push{}, refusal("encrypt_missing")
	}
	token := c.token(q.msgSignature, q.timestamp, q.nonce, encrypt)
	if token == "" {
		return Push{}, refusal("msg_signature")
	}
	if err := c.witness(q, q.msgSignature, []byte(encrypt)); err != nil {
		return Push{}, err
	}
	if Signed(q.signature, token, q.timestamp, q.nonce) {
		// Nor may the plain signature beside it carry a body of another's, for
		// as long as the account's mode admits such.
		if err := c.witness(q, q.signature, []byte(encrypt)); err != nil {
			return Push{}, err
		}
	}
	message, opener, err := c.decrypt(encrypt)
	if err != nil {
		return Push{}, err
	}
	push, err := ParsePush(string(message))
	push.opened = opened{token: token, cipher: opener}
	return push, err
}

// decrypt tries the current key and then those it replaced.
func (c *Callback) decrypt(encrypt string) (message []byte, opener *Cipher, err error) {
	for _, opener := range c.ciphers {
		message, failed := opener.Open(encrypt)
		if failed == nil {
			return message, opener, nil
		}
		if err == nil {
			err = failed
		}
	}
	return nil, nil, err
}

// token returns the token under which the signature fits, "" for none.
func (c *Callback) token(signature string, parts ...string) string {
	var room [4]string
	for _, token := range c.config.Tokens {
		if Signed(signature, append(append(room[:0], token), parts...)...) {
			return token
		}
	}
	return ""
}

// witness remembers what a signature came with. The platform may say the same
// thing three times; another body, or a fourth time, is a replay.
func (c *Callback) witness(q query, signature string, body []byte) error {
	digest, replayed := sha256.Sum256(body), false
	c.seen.use(q.timestamp+" "+q.nonce+" "+signature, c.config.Now(), func(s *sighting, known bool) bool {
		replayed = known && (s.digest != digest || s.times >= platformTries)
		s.digest = digest
		s.times++
		return true
	})
	if replayed {
		return refusal("replayed")
	}
	return nil
}

// query is the signed part of a push's URL.
type query struct {
	values                                    url.Values
	timestamp, nonce, signature, msgSignature string
	encrypted                                 bool
}

// one returns a parameter that may stand once at most: of two, nobody knows
// which one another program reads.
func (q query) one(name string) (string, error) {
	values := q.values[name]
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", refusal("query")
}

func (c *Callback) query(values url.Values) (query, error) {
	q := query{values: values}
	encryption := ""
	for _, parameter := range []struct {
		name  string
		value *string
	}{
		{"timestamp", &q.timestamp},
		{"nonce", &q.nonce},
		{"signature", &q.signature},
		{"msg_signature", &q.msgSignature},
		{"encrypt_type", &encryption},
	} {
		var err error
		if *parameter.value, err = q.one(parameter.name); err != nil {
			return query{}, err
		}
	}
	if q.nonce == "" || len(q.nonce) > maxNonce || q.timestamp == "" || len(q.timestamp) > 19 || q.signature+q.msgSignature == "" {
		return query{}, refusal("query")
	}
	switch encryption {
	case "", "raw":
		q.encrypted = q.msgSignature != ""
	case "aes":
		q.encrypted = true
	default:
		return query{}, refusal("mode")
	}
	seconds, err := strconv.ParseUint(q.timestamp, 10, 63)
	if err != nil {
		return query{}, refusal("timestamp")
	}
	if age := c.config.Now().Sub(time.Unix(int64(seconds), 0)); age > freshness || age < -freshness {
		return query{}, refusal("timestamp")
	}
	return q, nil
}

// handle runs the handler to its end, whatever it does, and writes its reply;
// a nil pointer to a reply panics only there.
func (c *Callback) handle(ctx context.Context, push Push) (reply Reply, plain string, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			c.config.Logger.ErrorContext(ctx, "wechat handler panicked", "push", push, "stack", string(debug.Stack()))
			reply, plain, err = nil, "", &hospital.Error{Kind: hospital.Internal, Op: "wechat.Callback", Code: "panic"}
		}
	}()
	if reply, err = c.config.Handle(ctx, push); err == nil && reply != nil {
		plain, err = render(reply, push, c.config.Now())
	}
	return reply, plain, err
}

// late hands over a reply for which the platform did not wait.
func (c *Callback) late(ctx context.Context, push Push, reply Reply) {
	defer func() {
		if cause := recover(); cause != nil {
			c.config.Logger.ErrorContext(ctx, "wechat late hook panicked", "push", push, "stack", string(debug.Stack()))
		}
	}()
	if c.config.Late == nil {
		c.config.Logger.WarnContext(ctx, "wechat reply came too late and is dropped", "push", push)
		return
	}
	c.config.Late(ctx, push, reply)
}
