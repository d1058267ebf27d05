package refserver

import (
	"context"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/wechat"
)

// Paths below BaseURL that the platforms call.
const (
	PushPath   = "/wechat"           // the server address in the account's console
	NoticePath = "/wechatpay/notice" // the notify_url of WeChat Pay
)

// Texter sends text messages to phones.
type Texter interface {
	// Text sends the text. The key is the same on every attempt at one text.
	// Indeterminate: it may be on its way.
	Text(ctx context.Context, key hospital.Key, to hospital.Phone, text string) error
}

// Names are what the pages call the hospital.
type Names struct {
	Name      string // required
	Short     string // for the header, at most 8 characters; default Name
	Phone     string // 服务电话; required
	Address   string
	Emergency string // where the emergency department is
	Account   string // of the Official Account; default Name
	Brand     string // "#0B6E69"; default ours
}

// Config of a Server.
type Config struct {
	// BaseURL is where patients reach the server, with the prefix it is mounted
	// under: "https://h.example.com/hospital". https, but for a loopback address.
	BaseURL string
	Names   Names
	Overlay fs.FS // the hospital's own templates; nil for none

	DB  *bookingsql.DB // required; the caller closes it after Run
	HIS his.System     // Directory, Scheduling, Registrar and Patients are required
	// Account is the client of the Official Account. Required.
	Account *wechat.Client
	// Pushes says how the account's pushes are verified; its Handle is ours.
	Pushes wechat.CallbackConfig
	// AnyCallbackIP takes pushes from any address, on their signature alone.
	// Default: only from those that getcallbackip names, and behind a proxy only
	// where TrustedProxies names it.
	AnyCallbackIP bool
	// Menu is the account's menu, published by Run when the account has another.
	// Default: the pages that this server has. KeepMenu leaves the account's menu
	// to whoever edits it in the console.
	Menu     []wechat.Button
	KeepMenu bool
	Pay      *wechatpay.Channel // required
	Texter   Texter             // required: without a code nobody can bind
	Triage   *Triage            // nil: 智能导诊 sends to the list of departments

	Messages Messages // how patients are told what happened; zero: in the app only
	// PollEvery is how often the HIS is asked for new bills and changed records
	// of a patient on the day of a visit or of the binding. Default 5 minutes.
	PollEvery time.Duration
	// PollIdle is how often on other days. Default 24 hours.
	PollIdle time.Duration
	// StopsEvery is how often the HIS is asked for clinics that were suspended
	// (停诊), by business time. Default 1 minute.
	StopsEvery time.Duration

	// WeChatOnly tells who logs in with another browser to open the page in
	// WeChat, as WeChat itself would. It proves nothing: only the login does.
	WeChatOnly bool
	// MustFollow asks who adds a patient to follow the account first, so that
	// messages arrive. While WeChat does not answer nobody is kept out.
	MustFollow bool
	// Maintenance says whether the patients' pages are closed, and until when;
	// the zero time for unknown. Notices of the platforms are taken all the same.
	// nil: never.
	Maintenance func(now time.Time) (until time.Time, on bool)

	// StaffPlainHTTP lets the staff's session travel without TLS: for a listener
	// on loopback only.
	StaffPlainHTTP bool

	// TrustedProxies may say in X-Forwarded-For who the peer is.
	TrustedProxies []netip.Prefix

	// Metrics counts what happens; default one of its own. GET /metrics of the
	// staff's listener reads it: with MetricsToken (Authorization: Bearer) from
	// anywhere, without one from this machine only.
	Metrics      *Metrics
	MetricsToken string // at least 16 characters; "" for none

	Now    func() time.Time // the business clock; required
	Wall   func() time.Time // of sessions and codes; default time.Now
	Logger *slog.Logger     // nil discards
}

// Triage turns 智能导诊 on. It recommends a department, never a diagnosis; the
// hospital's clinicians review its knowledge before patients see its answers.
type Triage struct {
	// Knowledge is the hospital's own files over the shipped knowledge, below
	// what the staff publish; nil for none. Which departments the hospital has is
	// asked at the HIS.
	Knowledge fs.FS
}

// minMetricsToken is what cannot be guessed.
const minMetricsToken = 16

func badConfig(detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "refserver.New", Code: "bad_config", Detail: detail}
}

// check fills the defaults and returns the base address.
func (c *Config) check() (*url.URL, error) {
	if c.Wall == nil {
		c.Wall = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	base, err := url.Parse(c.BaseURL)
	switch {
	case c.MetricsToken != "" && len(c.MetricsToken) < minMetricsToken:
		return nil, badConfig("MetricsToken: want at least 16 characters")
	case err != nil || base.Host == "" || base.RawQuery != "" || base.Fragment != "" || strings.HasSuffix(c.BaseURL, "/"):
		return nil, badConfig("BaseURL: want https://host/prefix without a slash at the end")
	case base.Scheme != "https" && !loopback(base.Hostname()):
		return nil, badConfig("BaseURL: want https")
	case c.DB == nil:
		return nil, badConfig("DB: missing")
	case c.HIS.Directory == nil || c.HIS.Scheduling == nil || c.HIS.Registrar == nil || c.HIS.Patients == nil:
		return nil, badConfig("HIS: Directory, Scheduling, Registrar and Patients are required")
	case c.Account == nil:
		return nil, badConfig("Account: missing")
	case c.Pay == nil:
		return nil, badConfig("Pay: missing")
	case c.Texter == nil:
		return nil, badConfig("Texter: missing")
	case c.Now == nil:
		return nil, badConfig("Now: missing")
	}
	return base, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
