package wechattest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/journal"
	"github.com/wxhospital/hospital/wechat"
)

// Config describes the platform and the one account on it. The zero Config is
// an account in memory with credentials of its own; see [Platform.Account].
type Config struct {
	// AppID, Secret, OriginalID, Token and AESKey are the account's credentials
	// as they stand in its console (开发者ID, 原始ID, 令牌, EncodingAESKey). Default:
	// drawn at the first start and remembered with the journal.
	AppID, Secret, OriginalID, Token, AESKey string
	// Mode and Format say how pushes are sent (消息加解密方式, 数据格式). Default:
	// wechat.Safe, wechat.XML.
	Mode   wechat.Mode
	Format wechat.Format
	// Callback is the server address (服务器地址) that pushes go to, for example
	// "http://127.0.0.1:8080/wechat". Default: none, nothing is pushed;
	// [Platform.SetCallback] sets it later.
	Callback string
	// HTTPClient lends the transport of the pushes. Default: one of our own.
	HTTPClient *http.Client
	// PushTimeout is how long a push waits for its answer. Default: 5 seconds,
	// which is WeChat's.
	PushTimeout time.Duration
	// AllowIPs are the addresses that may fetch a token (IP白名单). Default: all.
	AllowIPs []netip.Prefix
	// CallbackIPs is what getcallbackip answers, APIIPs what get_api_domain_ip
	// answers. Default: 127.0.0.1.
	CallbackIPs, APIIPs []string
	// Domains are the hosts, with their port if they have one, to which a web
	// login may return (网页授权域名). Default: none; [Platform.AddDomain] adds one.
	Domains []string
	// Templates are the message templates the account has taken (模板消息, 订阅通知).
	Templates []Template
	// Library is what templates can be taken from (类目模板库, 公共模板库), and
	// Categories what the account is registered for (类目). Default: none.
	Library    []LibraryTemplate
	Categories []Category
	// OneTimeTemplate is the account's template for 一次性订阅消息. Default: none.
	OneTimeTemplate string
	// WeChatID is the account's 微信号, with which the names of agents end.
	// Default: the OriginalID.
	WeChatID string
	// Cards are the coupons that the account may send (卡券). Default: none.
	Cards []string
	// Assistant says that the account has opened 微信就医助手.
	Assistant bool
	// MiniPrograms are the app ids of the linked mini programs.
	MiniPrograms []string
	// UnionIDs says that the account is bound to an Open Platform account, so
	// that every user has a unionid.
	UnionIDs bool
	// AskConsent shows a page to agree to for snsapi_userinfo. Default: the user
	// agrees at once.
	AskConsent bool
	// AnyOrder lets the page of a web login take its parameters in any order.
	// Default: only the documented one, because the documentation says that the
	// link is matched as a whole; libraries with another order are in use.
	AnyOrder bool
	// Quotas replace the daily and minute limits of paths, for example
	// {"/cgi-bin/menu/create": {Day: 3}}.
	Quotas map[string]Quota
	// Dir is the folder of the journal, "" to keep nothing. A platform opened
	// over an existing journal continues where the last one ended.
	Dir string
	// Now is the platform's clock. Default: time.Now.
	Now func() time.Time
	// Log receives every call and push after it ended; nil discards. It is
	// called from many goroutines.
	Log func(Exchange)
}

// Account is what the account's console shows.
type Account struct {
	AppID, Secret, OriginalID, Token, AESKey string
}

// Exchange is one call to the platform or one push of it, without anything
// that is secret or names a person.
type Exchange struct {
	At      time.Time
	Push    bool   // the platform called
	Path    string // of the call; the kind of message of a push: "text", "event.CLICK"
	Outcome string // errcode, "ok", or what became of a push
	Fault   string // the switch that acted, "" for none
}

// Platform is the simulated platform. It is safe for concurrent use. Make it
// with [New].
type Platform struct {
	config    Config
	client    *http.Client
	endpoints map[string]endpoint
	sims      map[string]simRow
	wake      chan struct{} // something became due
	done      chan struct{} // closed by Close

	mu      sync.Mutex
	journal *journal.Journal
	broken  error // the journal failed: nothing happens any more
	shelves map[string]shelver
	busy    map[string]bool // jobs that are being pushed
	faults  []Fault
	cipher  *wechat.Cipher

	account    *shelf[Account]
	settings   *shelf[string]
	counters   *shelf[int64]
	tokens     *shelf[token]
	current    *shelf[string] // kind of token → its value
	usage      *shelf[usage]
	users      *shelf[user]
	bubbles    *shelf[Bubble]
	menus      *shelf[menu]
	codes      *shelf[code]
	grants     *shelf[grant]
	access     *shelf[webToken]
	tickets    *shelf[ticket]
	credits    *shelf[credit]
	sent       *shelf[sentMessage]
	jobs       *shelf[job]
	domains    *shelf[bool]
	spentForce *shelf[forced]
	media      *shelf[medium]
	materials  *shelf[material]
	tags       *shelf[tag]
	shorts     *shelf[shortened]
	miniCodes  *shelf[miniCode]
	qrs        *shelf[qrCode]
	rids       *shelf[ridRow]
	drafts     *shelf[draft]
	publishes  *shelf[publication]
	templates  *shelf[Template] // taken since the start, by their order
	retired    *shelf[bool]     // given back, of those in the Config
	agents     *shelf[agent]
	sessions   *shelf[session]
	records    *shelf[record]
	masses     *shelf[mass]
	visits     *shelf[Visit]
}

// turn is one command's stay in the platform: the lock is held and the clock is
// read once.
type turn struct {
	*Platform
	now     time.Time
	changes []change
}

// New opens a platform, or reopens the one whose journal lies in config.Dir. It
// starts nothing. Invalid: a field of the Config, which the error names.
// Internal: the journal cannot be read; the error names the line.
func New(config Config) (*Platform, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	p := &Platform{
		config: config, wake: make(chan struct{}, 1), done: make(chan struct{}),
		shelves: map[string]shelver{}, busy: map[string]bool{},
	}
	p.client = pushClient(config.HTTPClient)
	p.endpoints, p.sims = endpoints(), simVerbs()
	p.shelve()
	var err error
	if p.journal, err = openJournal(config.Dir, p.shelves); err != nil {
		return nil, err
	}
	err = p.act(func(t *turn) error {
		t.open()
		p.cipher, err = wechat.NewCipher(t.ours().AESKey, t.ours().AppID)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, p.journal.Close())
	}
	return p, nil
}

func (p *Platform) shelve() {
	p.account = newShelf[Account](p, "account")
	p.settings = newShelf[string](p, "settings")
	p.counters = newShelf[int64](p, "counters")
	p.tokens = newShelf[token](p, "tokens")
	p.current = newShelf[string](p, "current")
	p.usage = newShelf[usage](p, "usage")
	p.users = newShelf[user](p, "users")
	p.bubbles = newShelf[Bubble](p, "bubbles")
	p.menus = newShelf[menu](p, "menus")
	p.codes = newShelf[code](p, "codes")
	p.grants = newShelf[grant](p, "grants")
	p.access = newShelf[webToken](p, "access")
	p.tickets = newShelf[ticket](p, "tickets")
	p.credits = newShelf[credit](p, "credits")
	p.sent = newShelf[sentMessage](p, "sent")
	p.jobs = newShelf[job](p, "jobs")
	p.domains = newShelf[bool](p, "domains")
	p.spentForce = newShelf[forced](p, "force")
	p.media = newShelf[medium](p, "media")
	p.materials = newShelf[material](p, "materials")
	p.tags = newShelf[tag](p, "tags")
	p.shorts = newShelf[shortened](p, "shorts")
	p.miniCodes = newShelf[miniCode](p, "mini codes")
	p.qrs = newShelf[qrCode](p, "qrs")
	p.rids = newShelf[ridRow](p, "rids")
	p.drafts = newShelf[draft](p, "drafts")
	p.publishes = newShelf[publication](p, "publications")
	p.templates = newShelf[Template](p, "templates")
	p.retired = newShelf[bool](p, "retired templates")
	p.agents = newShelf[agent](p, "agents")
	p.sessions = newShelf[session](p, "sessions")
	p.records = newShelf[record](p, "records")
	p.masses = newShelf[mass](p, "masses")
	p.visits = newShelf[Visit](p, "visits")
}

// check fills in defaults and names the bad field.
func (c *Config) check() error {
	switch {
	case c.Mode < 0 || c.Mode > wechat.Safe:
		return badConfig("Mode")
	case c.Format < 0 || c.Format > wechat.JSON:
		return badConfig("Format")
	case c.PushTimeout < 0:
		return badConfig("PushTimeout: negative")
	case c.Callback != "" && !webAddress(c.Callback):
		return badConfig("Callback: want an http or https address")
	case c.Token != "" && (len(c.Token) < 3 || len(c.Token) > 32):
		return badConfig("Token: want 3 to 32 letters and digits")
	}
	if c.AESKey != "" {
		if _, err := wechat.NewCipher(c.AESKey, "wx"); err != nil {
			return badConfig("AESKey: want 43 letters and digits")
		}
	}
	seen := map[string]bool{}
	for _, template := range c.Templates {
		if template.ID == "" || seen[template.ID] || len(template.keys()) == 0 {
			return badConfig("Templates: want an ID of its own and fields like {{thing1.DATA}}: " + template.ID)
		}
		seen[template.ID] = true
	}
	numbers := map[string]bool{}
	for _, l := range c.Library {
		key := l.Number + " " + strconv.FormatBool(l.Kind != TemplateMessage)
		if !l.fits() || numbers[key] {
			return badConfig("Library: want a Number of its own, and Keywords with an ID, a Name and a Rule, or a Content: " + l.Number)
		}
		numbers[key] = true
	}
	if c.Mode == 0 {
		c.Mode = wechat.Safe
	}
	if c.Format == 0 {
		c.Format = wechat.XML
	}
	if c.PushTimeout == 0 {
		c.PushTimeout = 5 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = func(Exchange) {}
	}
	if len(c.CallbackIPs) == 0 {
		c.CallbackIPs = []string{"127.0.0.1"}
	}
	if len(c.APIIPs) == 0 {
		c.APIIPs = []string{"127.0.0.1"}
	}
	return nil
}

// secretLetters are what the console draws secrets of.
const secretLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// open settles the account's credentials: the Config's, else those of the
// journal, else new ones.
func (t *turn) open() {
	before := t.ours()
	settle := func(given, kept string, fresh func() string) string {
		if given != "" {
			return given
		}
		if kept != "" {
			return kept
		}
		return fresh()
	}
	after := Account{
		AppID:      settle(t.config.AppID, before.AppID, func() string { return "wx" + randomHex(8) }),
		Secret:     settle(t.config.Secret, before.Secret, func() string { return randomHex(16) }),
		OriginalID: settle(t.config.OriginalID, before.OriginalID, func() string { return "gh_" + randomHex(6) }),
		Token:      settle(t.config.Token, before.Token, func() string { return randomText(secretLetters, 24) }),
		AESKey:     settle(t.config.AESKey, before.AESKey, func() string { return randomText(secretLetters, 43) }),
	}
	if after != before {
		t.account.put(t, "", after)
	}
	if t.config.Callback != "" {
		t.settings.put(t, callbackSetting, t.config.Callback)
	}
	for _, domain := range t.config.Domains {
		t.domains.put(t, domain, true)
	}
}

// ours is the one account.
func (t *turn) ours() Account { return t.account.rows[""] }

// Account returns the account's credentials.
func (p *Platform) Account() Account {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.account.rows[""]
}

// Close gives the journal back and lets answers go that a Slow switch holds.
// The platform must not be used afterwards. Internal: the journal could not be
// written out.
func (p *Platform) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return nil
	default:
		close(p.done)
	}
	p.broken = errors.Join(p.broken, errClosed)
	return p.journal.Close()
}

// errClosed answers whoever comes after Close.
var errClosed = &hospital.Error{Kind: hospital.Unavailable, Op: "wechattest.Platform", Code: "closed"}

// act lets one command in after the other. What the command changed is in the
// journal when act returns; a journal that fails ends the platform, because
// its memory on disk would no longer be the truth.
func (p *Platform) act(command func(*turn) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.broken
	}
	t := &turn{Platform: p, now: p.config.Now().In(hospital.CST)}
	err := command(t)
	if len(t.changes) > 0 {
		if failed := t.remember(); failed != nil {
			p.broken = failed
			return failed
		}
	}
	return err
}

// next counts, from 1, whatever the name stands for.
func (t *turn) next(name string) int64 {
	n := t.counters.rows[name] + 1
	t.counters.put(t, name, n)
	return n
}

const callbackSetting = "callback"

// SetCallback sets the server address (服务器地址) that pushes go to, "" for none.
// Invalid: no http or https address.
func (p *Platform) SetCallback(address string) error {
	if address != "" && !webAddress(address) {
		return badConfig("callback: want an http or https address")
	}
	return p.act(func(t *turn) error {
		t.settings.put(t, callbackSetting, address)
		return nil
	})
}

// AddDomain adds a host, with its port if it has one, to which a web login may
// return (网页授权域名).
func (p *Platform) AddDomain(host string) error {
	if host == "" {
		return badConfig("domain: empty")
	}
	return p.act(func(t *turn) error {
		t.domains.put(t, host, true)
		return nil
	})
}

// webAddress reports whether the text is an absolute http or https address.
func webAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

func badConfig(detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "wechattest.New", Code: "bad_config", Detail: detail}
}

// randomHex returns n random bytes in hex.
func randomHex(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(raw)
}

// randomText returns n of the letters; letters has at most 256.
func randomText(letters string, n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails, as above
	for i, b := range raw {
		raw[i] = letters[int(b)%len(letters)]
	}
	return string(raw)
}
