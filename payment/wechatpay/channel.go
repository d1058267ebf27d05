package wechatpay

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
	"github.com/wxhospital/hospital/payment"
)

// The two addresses of WeChat Pay. Source: pay.weixin.qq.com, 主域名 and 备域名.
const (
	MainURL   = "https://api.mch.weixin.qq.com"
	BackupURL = "https://api2.mch.weixin.qq.com"
)

const (
	userAgent      = "wxhospital-hospital/1 (Go)"
	defaultName    = "wechatpay"
	defaultTimeout = 10 * time.Second // below payment's CallTimeout of 15 seconds
	attemptTimeout = 5 * time.Second  // WeChat Pay answers in tens of milliseconds
	maxNotifyURL   = 255              // Source: WeChat Pay API v3, notify_url "string[1,255]"
)

// Config is a merchant and how it is reached.
type Config struct {
	// Name is the channel's name in payment.Config.Channels and in the ledger.
	// Default "wechatpay".
	Name string
	// AppID is the Official Account's, bound to the merchant: "wx8888888888888888". Required.
	AppID string
	// MerchantID is 商户号, mchid: "1900000109". Required. It stays what it is
	// under one Name: the orders of another merchant cannot be asked for.
	MerchantID string
	// MerchantKey is 商户API私钥 and MerchantSerial its certificate's serial number
	// in upper-case hex. Required.
	MerchantKey    *rsa.PrivateKey
	MerchantSerial string
	// APIv3Key is what notifications and certificates are sealed with: the 32
	// bytes set at the merchant platform. Required.
	APIv3Key []byte
	// PublicKey is 微信支付公钥 and PublicKeyID its identifier, "PUB_KEY_ID_…", for
	// merchants that have one. Both or neither.
	PublicKey   *rsa.PublicKey
	PublicKeyID string
	// PlatformCertificates are 平台证书 that are known already. Without them and
	// without PublicKey they are downloaded before the first call; a serial that
	// is not known is looked for by another download, at most once a minute.
	PlatformCertificates []*x509.Certificate

	// NotifyURL is where WeChat Pay sends what [Channel.Notifications] serves:
	// https or http, at most 255 bytes, no query. Required.
	NotifyURL string
	// RefundNotifyURL is the same for refunds. Default NotifyURL.
	RefundNotifyURL string

	// BaseURL is WeChat Pay, without a path, for the path is signed. Default MainURL.
	BaseURL string
	// HTTPClient lends its transport; nil for one of our own.
	HTTPClient *http.Client
	// Timeout bounds one call with its repetitions. Default 10 seconds.
	Timeout time.Duration
	// Logger; nil discards.
	Logger *slog.Logger
	// Now is the business clock, which says how long a pay sheet may be used.
	// Default time.Now.
	Now func() time.Time
	// Wall is the clock of the host, which signatures are made and judged by.
	// Default time.Now.
	Wall func() time.Time
}

// LogValue shows which merchant it is, and none of its keys.
func (cfg Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("name", cfg.Name), slog.String("app_id", cfg.AppID), slog.String("merchant_id", cfg.MerchantID),
		slog.String("merchant_serial", cfg.MerchantSerial), slog.String("public_key_id", cfg.PublicKeyID),
	)
}

// Channel is a merchant's account at WeChat Pay. It is a [payment.Channel] and
// a [payment.Composer], safe for concurrent use.
type Channel struct {
	name, appID, merchantID, merchantSerial string
	notifyURL, refundNotifyURL              string

	key    *rsa.PrivateKey
	cipher *Cipher
	keys   *keyring
	remote *remote.Client
	logger *slog.Logger
	now    func() time.Time
	wall   func() time.Time
}

var (
	_ payment.Channel  = (*Channel)(nil)
	_ payment.Composer = (*Channel)(nil)
)

// New checks the configuration and returns a channel. It sends nothing. An
// Invalid error names the bad field.
func New(cfg Config) (*Channel, error) {
	cfg = withDefaults(cfg)
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cipher, err := NewCipher(cfg.APIv3Key)
	if err != nil {
		return nil, badConfig("APIv3Key", "has not 32 bytes")
	}
	c := &Channel{
		name: cfg.Name, appID: cfg.AppID, merchantID: cfg.MerchantID, merchantSerial: cfg.MerchantSerial,
		notifyURL: cfg.NotifyURL, refundNotifyURL: cfg.RefundNotifyURL,
		key: cfg.MerchantKey, cipher: cipher, logger: cfg.Logger, now: cfg.Now, wall: cfg.Wall,
	}
	c.keys = &keyring{
		wall: cfg.Wall, cipher: cipher, logger: cfg.Logger, named: cfg.PublicKeyID,
		public: map[string]*rsa.PublicKey{}, certs: map[string]platformKey{},
		fetch: func(ctx context.Context) (remote.Answer, error) {
			q := question{call: callCertificates, path: "/v3/certificates"}
			answer, err := c.send(ctx, q)
			if err == nil && answer.Status != http.StatusOK {
				answer.Header = http.Header{} // to verify a refusal would need the keys that it refuses
				return answer, c.refused(ctx, q, answer)
			}
			return answer, err
		},
	}
	if cfg.PublicKey != nil {
		c.keys.public[cfg.PublicKeyID] = cfg.PublicKey
	}
	for _, cert := range cfg.PlatformCertificates {
		if c.keys.certs[CertificateSerial(cert)], err = platformKeyOf(cert); err != nil {
			return nil, badConfig("PlatformCertificates", "has a key that is not RSA of 2048 bits or more")
		}
	}
	c.remote, err = remote.New(remote.Config{
		Name: "wechatpay", BaseURL: cfg.BaseURL, HTTPClient: cfg.HTTPClient, Logger: cfg.Logger,
		Timeout: cfg.Timeout, AttemptTimeout: min(attemptTimeout, cfg.Timeout), MaxResponse: maxAnswer, Sign: c.sign,
	})
	if err != nil {
		return nil, badConfig("BaseURL, Timeout", "cannot be used: "+hospital.CodeOf(err))
	}
	return c, nil
}

func withDefaults(cfg Config) Config {
	if cfg.Name == "" {
		cfg.Name = defaultName
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = MainURL
	}
	if cfg.RefundNotifyURL == "" {
		cfg.RefundNotifyURL = cfg.NotifyURL
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wall == nil {
		cfg.Wall = time.Now
	}
	return cfg
}

func badConfig(field, why string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "wechatpay.New", Code: "bad_config", Detail: "Config." + field + " " + why}
}

func (cfg Config) check() error {
	switch {
	case cfg.AppID == "" || len(cfg.AppID) > 32 || !plainWord(cfg.AppID):
		return badConfig("AppID", "is missing or not 1 to 32 letters and digits")
	case cfg.MerchantID == "" || len(cfg.MerchantID) > 32 || !plainWord(cfg.MerchantID):
		return badConfig("MerchantID", "is missing or not 1 to 32 digits")
	case cfg.MerchantKey == nil || cfg.MerchantKey.N.BitLen() < minKeyBits:
		return badConfig("MerchantKey", "is missing or has less than 2048 bits")
	case cfg.MerchantSerial == "" || len(cfg.MerchantSerial) > maxSerial || strings.Trim(cfg.MerchantSerial, "0123456789ABCDEF") != "":
		return badConfig("MerchantSerial", "is missing or not upper-case hex")
	case (cfg.PublicKey == nil) != (cfg.PublicKeyID == ""):
		return badConfig("PublicKey, PublicKeyID", "go together")
	case cfg.PublicKey != nil && cfg.PublicKey.N.BitLen() < minKeyBits:
		return badConfig("PublicKey", "has less than 2048 bits")
	case cfg.PublicKeyID != "" && (!strings.HasPrefix(cfg.PublicKeyID, publicKeyPrefix) || len(cfg.PublicKeyID) > maxSerial || !printable(cfg.PublicKeyID)):
		return badConfig("PublicKeyID", "does not begin with "+publicKeyPrefix)
	case cfg.Timeout < time.Millisecond:
		return badConfig("Timeout", "is shorter than a millisecond")
	}
	for _, cert := range cfg.PlatformCertificates {
		if cert == nil {
			return badConfig("PlatformCertificates", "has an empty entry")
		}
	}
	for _, f := range []struct{ name, value string }{{"NotifyURL", cfg.NotifyURL}, {"RefundNotifyURL", cfg.RefundNotifyURL}} {
		if why := badNotifyURL(f.value); why != "" {
			return badConfig(f.name, why)
		}
	}
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" || base.User != nil {
		return badConfig("BaseURL", "is not a scheme and a host alone: the path is signed")
	}
	return nil
}

// badNotifyURL says what WeChat Pay would refuse about a notification address.
//
// Source: WeChat Pay API v3, notify_url: a full address that needs no login,
// without a query.
func badNotifyURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "is missing"
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "is not a full http or https address"
	case len(text) > maxNotifyURL || !printable(text):
		return "is longer than 255 bytes or not ASCII"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#") || u.User != nil:
		return "has a query, a fragment or a user"
	}
	return ""
}

// plainWord reports whether the text is letters and digits.
func plainWord(text string) bool {
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
