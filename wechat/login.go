package wechat

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
)

// Scope is how much a web login asks for.
type Scope string

// The scopes.
const (
	ScopeBase     Scope = "snsapi_base"     // the openid, without asking
	ScopeUserInfo Scope = "snsapi_userinfo" // name and picture too, asked for on a page
)

const (
	minLoginKey  = 16 // bytes; half the strength of HMAC-SHA256 is the least we take
	defaultLogin = 10 * time.Minute
	maxLoginCode = 128
	stateNonce   = 10                   // bytes: 80 random bits
	stateHead    = stateNonce + 5       // and the end of its life, Unix seconds
	stateLength  = 2 * (stateHead + 16) // hex, for a state is letters and digits; the platform's limit is 128
	maxSpent     = 1 << 16
)

// LoginConfig says where a web login returns to.
type LoginConfig struct {
	// Client is the account. Required.
	Client *Client
	// RedirectURL is the page of ours that [Login.Finish] serves, for example
	// "https://h.example.com/login". Its host must be the account's 网页授权域名.
	// Required; https, but for a loopback address.
	RedirectURL string
	// Scope is what to ask for. Default ScopeBase.
	Scope Scope
	// Key signs the states, at least 16 bytes, the same in all replicas. Required.
	Key []byte
	// Spent remembers the states that came back. Default: this process's memory;
	// replicas share one.
	Spent SpentStates
	// MaxAge is how long a user may take. Default 10 min.
	MaxAge time.Duration
}

// SpentStates remembers which login states have come back, so that none serves
// twice.
type SpentStates interface {
	// Spend remembers the state until then. It reports false when it was spent
	// before.
	Spend(ctx context.Context, state string, until time.Time) (bool, error)
}

// Login is 网页授权: it learns from WeChat who stands before a page. A login is
// bound to the browser's session, serves once and says who it is, nothing
// about the phone or the user agent.
type Login struct {
	client   *Client
	redirect string
	scope    Scope
	key      []byte
	spent    SpentStates
	maxAge   time.Duration
}

// NewLogin checks the configuration. It returns Invalid, and the detail names
// the field.
func NewLogin(config LoginConfig) (*Login, error) {
	bad := func(field string) (*Login, error) {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "wechat.NewLogin", Code: "bad_config", Detail: field}
	}
	if config.Scope == "" {
		config.Scope = ScopeBase
	}
	if config.MaxAge == 0 {
		config.MaxAge = defaultLogin
	}
	switch {
	case config.Client == nil:
		return bad("Client: missing")
	case !safeRedirect(config.RedirectURL):
		return bad("RedirectURL: want https:// and a host, without fragment, code and state")
	case config.Scope != ScopeBase && config.Scope != ScopeUserInfo:
		return bad("Scope: want snsapi_base or snsapi_userinfo")
	case len(config.Key) < minLoginKey:
		return bad("Key: want at least 16 bytes")
	case config.MaxAge < 0:
		return bad("MaxAge: want a positive duration")
	}
	l := &Login{
		client: config.Client, redirect: config.RedirectURL, scope: config.Scope,
		key: slices.Clone(config.Key), spent: config.Spent, maxAge: config.MaxAge,
	}
	if l.spent == nil {
		l.spent = &spentMemory{now: config.Client.now, seen: newRecent[struct{}](config.MaxAge, maxSpent)}
	}
	return l, nil
}

// safeRedirect keeps a code from going over the wire in the clear.
func safeRedirect(address string) bool {
	u, err := url.Parse(address)
	if err != nil || !webAddress(address) || u.Fragment != "" || u.Query().Has("code") || u.Query().Has("state") {
		return false
	}
	if u.Scheme == "https" || u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// Begin returns the address to send the browser to. session is what the
// browser's own session is known by here, a secret that a stranger cannot
// guess; only that session can finish this login. An empty one is Invalid.
// API: GET /connect/oauth2/authorize, whose parameters have a fixed order.
func (l *Login) Begin(session string) (string, error) {
	if session == "" {
		return "", &hospital.Error{Kind: hospital.Invalid, Op: "wechat.Login.Begin", Code: "no_session"}
	}
	head := make([]byte, stateHead)
	if _, err := rand.Read(head[:stateNonce]); err != nil {
		panic("wechat.Login: crypto/rand never fails: " + err.Error())
	}
	var until [8]byte
	binary.BigEndian.PutUint64(until[:], uint64(l.client.now().Add(l.maxAge).Unix())) //nolint:gosec // after 1970
	copy(head[stateNonce:], until[3:])
	state := hex.EncodeToString(slices.Concat(head, l.sign(head, session)))
	return l.client.openURL + "/connect/oauth2/authorize?appid=" + url.QueryEscape(l.client.appID) +
		"&redirect_uri=" + url.QueryEscape(l.redirect) + "&response_type=code&scope=" + string(l.scope) +
		"&state=" + state + "#wechat_redirect", nil
}

func (l *Login) sign(head []byte, session string) []byte {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte("wechat login state\n"))
	mac.Write(head) // of fixed length, so where it ends is plain
	mac.Write([]byte(session))
	return mac.Sum(nil)[:16]
}

// Identity is who logged in.
type Identity struct {
	OpenID  OpenID
	UnionID string // ScopeUserInfo only, for an account bound to an Open Platform account
	Scopes  []Scope
	access  string // for [Login.Profile]
	refresh string // for [Login.Refresh]
}

// Finish takes the query with which the browser came back to RedirectURL, in
// the session that began. Each state serves once, whatever becomes of it.
//
// It returns Denied, all with a sentence for the user: bad_state (forged, of
// another session, too old or spent), login_refused (the user said no),
// snapshot_user (a preview page of WeChat's, where nobody is logged in), or the
// platform's code for a code that is void. Rejected: the platform does not let
// this user in. Indeterminate: the answer was lost; begin again.
// API: GET /sns/oauth2/access_token.
func (l *Login) Finish(ctx context.Context, session string, query url.Values) (Identity, error) {
	if err := l.check(ctx, session, query["state"]); err != nil {
		return Identity{}, err
	}
	code := query.Get("code")
	switch {
	case code == "" && !query.Has("code"):
		return Identity{}, denied("login_refused", "您取消了微信授权，如需继续请返回重新进入。")
	case code == "" || len(query["code"]) != 1 || len(code) > maxLoginCode:
		return Identity{}, denied("bad_code", "登录没有完成，请返回重新进入。")
	}
	ask := call{
		op: "wechat.Login.Finish", path: "/sns/oauth2/access_token", open: true, changes: true, personal: []string{code},
		query: url.Values{"appid": {l.client.appID}, "secret": {l.client.secret}, "code": {code}, "grant_type": {"authorization_code"}},
	}
	answer, err := l.client.do(ctx, ask)
	if ClassOf(err) == ClassUser {
		return Identity{}, err // to enter again, as the words below say, would not help
	}
	if err != nil {
		return Identity{}, &hospital.Error{
			Kind: hospital.KindOf(err), Op: ask.op, Code: hospital.CodeOf(err), Message: "登录没有完成，请返回重新进入。", Err: err,
		}
	}
	if answer.Get("is_snapshotuser").Int() == 1 {
		return Identity{}, denied("snapshot_user", "请点击页面右下角的“使用完整服务”后再继续。")
	}
	return readIdentity(ask, answer)
}

func readIdentity(ask call, answer gjson.Result) (Identity, error) {
	identity := Identity{
		OpenID: OpenID(answer.Get("openid").String()), UnionID: answer.Get("unionid").String(),
		access: answer.Get("access_token").String(), refresh: answer.Get("refresh_token").String(),
	}
	for scope := range strings.SplitSeq(answer.Get("scope").String(), ",") {
		identity.Scopes = append(identity.Scopes, Scope(scope))
	}
	if identity.OpenID == "" || identity.access == "" {
		return Identity{}, ask.bad("openid or access_token")
	}
	return identity, nil
}

// Refresh prolongs what a login allows, for two hours at a time and 30 days in
// all; only [Login.Profile] needs it. It returns Denied with the platform's code
// for a login that is over, and with code scope for one that cannot be prolonged.
// It may be repeated when the answer was lost.
// API: GET /sns/oauth2/refresh_token.
func (l *Login) Refresh(ctx context.Context, identity Identity) (Identity, error) {
	if identity.refresh == "" {
		return Identity{}, &hospital.Error{Kind: hospital.Denied, Op: "wechat.Login.Refresh", Code: "scope", Detail: "the login cannot be prolonged"}
	}
	ask := call{
		op: "wechat.Login.Refresh", path: "/sns/oauth2/refresh_token", open: true, changes: true, idempotent: true,
		personal: []string{identity.access, identity.refresh, string(identity.OpenID)},
		query:    url.Values{"appid": {l.client.appID}, "grant_type": {"refresh_token"}, "refresh_token": {identity.refresh}},
	}
	answer, err := l.client.do(ctx, ask)
	if err != nil {
		return Identity{}, err
	}
	fresh, err := readIdentity(ask, answer)
	if err == nil && fresh.OpenID != identity.OpenID {
		err = ask.bad("openid: not the one that logged in")
	}
	if err != nil {
		return Identity{}, err
	}
	if fresh.UnionID == "" {
		fresh.UnionID = identity.UnionID // told at the login only
	}
	return fresh, nil
}

// Check asks whether what a login allows still lasts. It returns Unavailable for
// one that is over, with the platform's code 40001 or 42001: prolong it.
// API: GET /sns/auth.
func (l *Login) Check(ctx context.Context, identity Identity) error {
	_, err := l.client.do(ctx, call{
		op: "wechat.Login.Check", path: "/sns/auth", open: true, personal: []string{identity.access, string(identity.OpenID)},
		query: url.Values{"access_token": {identity.access}, "openid": {string(identity.OpenID)}},
	})
	return err
}

// check reads the state and spends it.
func (l *Login) check(ctx context.Context, session string, states []string) error {
	bad := denied("bad_state", "登录已过期，请返回重新进入。")
	if session == "" || len(states) != 1 || len(states[0]) != stateLength {
		return bad
	}
	raw, err := hex.DecodeString(states[0])
	if err != nil {
		return bad
	}
	head := raw[:stateHead]
	if !hmac.Equal(raw[stateHead:], l.sign(head, session)) {
		return bad
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(append([]byte{0, 0, 0}, head[stateNonce:]...))), 0) //nolint:gosec // 40 bits
	if !l.client.now().Before(until) {
		return bad
	}
	fresh, err := l.spent.Spend(ctx, hex.EncodeToString(head), until)
	if err != nil {
		return &hospital.Error{Kind: hospital.Unavailable, Op: "wechat.Login.Finish", Code: "spent_states", Message: "登录没有完成，请返回重新进入。", Err: err}
	}
	if !fresh {
		return bad
	}
	return nil
}

func denied(code, message string) error {
	return &hospital.Error{Kind: hospital.Denied, Op: "wechat.Login.Finish", Code: code, Message: message}
}

// Profile is what a user has let the account know.
type Profile struct {
	OpenID     OpenID
	UnionID    string
	Nickname   string
	PictureURL string
}

// Profile asks for the name and picture of one who has just logged in. It is
// Denied with code scope, and nothing is asked, unless the login had
// ScopeUserInfo.
// API: GET /sns/userinfo.
func (l *Login) Profile(ctx context.Context, identity Identity) (Profile, error) {
	if !slices.Contains(identity.Scopes, ScopeUserInfo) {
		return Profile{}, &hospital.Error{Kind: hospital.Denied, Op: "wechat.Login.Profile", Code: "scope", Detail: "the login did not ask for snsapi_userinfo"}
	}
	ask := call{
		op: "wechat.Login.Profile", path: "/sns/userinfo", open: true, personal: []string{identity.access, string(identity.OpenID)},
		query: url.Values{"access_token": {identity.access}, "openid": {string(identity.OpenID)}, "lang": {"zh_CN"}},
	}
	answer, err := l.client.do(ctx, ask)
	if err != nil {
		return Profile{}, err
	}
	if answer.Get("openid").String() != string(identity.OpenID) {
		return Profile{}, ask.bad("openid: not the one that logged in")
	}
	return Profile{
		OpenID: identity.OpenID, UnionID: answer.Get("unionid").String(),
		Nickname: legible(answer.Get("nickname").String()), PictureURL: answer.Get("headimgurl").String(),
	}, nil
}

// spentMemory is the memory of one process.
type spentMemory struct {
	now  func() time.Time
	seen *recent[struct{}]
}

// Spend implements [SpentStates].
func (m *spentMemory) Spend(_ context.Context, state string, _ time.Time) (fresh bool, err error) {
	m.seen.use(state, m.now(), func(_ *struct{}, known bool) bool {
		fresh = !known
		return true
	})
	return fresh, nil
}
