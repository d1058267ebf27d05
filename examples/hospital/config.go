package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/soap"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/wechat"
)

// config is the file of -config: the hospital's name and where the far sides
// are. It holds no secret itself, only the names of files that do, which are
// looked for beside it. YAML, of which JSON is a part.
type config struct {
	// BaseURL is where patients reach the server: "https://h.example.com/m".
	BaseURL  string         `yaml:"base_url"`
	Hospital hospitalConfig `yaml:"hospital"`
	HIS      hisConfig      `yaml:"his"`
	WeChat   wechatConfig   `yaml:"wechat"`
	Pay      payConfig      `yaml:"wechatpay"`
	Text     textConfig     `yaml:"text"`
	Rules    rulesConfig    `yaml:"rules"`
	Overlay  string         `yaml:"overlay"`         // folder of the hospital's own templates, "" for none
	Proxies  []netip.Prefix `yaml:"trusted_proxies"` // that may say who the peer is
	// Notices are the account's templates by scene; see refserver.Messages.
	Notices map[string]noticeConfig `yaml:"notices"`
	// MetricsToken is a file with the token that reads the metrics from elsewhere.
	MetricsToken string `yaml:"metrics_token_file"`
	// SimulatedClock is the clock of far sides that are simulated, which business
	// time then follows. Leave it out for real ones.
	SimulatedClock string `yaml:"simulated_clock"`

	dir string // where the file lies
}

type hospitalConfig struct {
	Name      string `yaml:"name"`
	Short     string `yaml:"short"`
	Phone     string `yaml:"phone"`
	Address   string `yaml:"address"`
	Emergency string `yaml:"emergency"`
	Account   string `yaml:"account"`
	Brand     string `yaml:"brand"`
}

// hisConfig is the reference Web Service of docs/his-web-service.md.
type hisConfig struct {
	URL      string `yaml:"url"`
	Username string `yaml:"username"` // of WS-Security, "" for none
	Password string `yaml:"password_file"`
}

type wechatConfig struct {
	API  string `yaml:"api"`  // default WeChat's own
	Open string `yaml:"open"` // likewise
	// Account is a JSON file {appid, secret, token, aes_key, original_id}: what the
	// account's console shows.
	Account string `yaml:"account_file"`
	// AnyCallbackIP takes pushes from any address, KeepMenu leaves the account's
	// menu to its console; see refserver.Config.
	AnyCallbackIP bool `yaml:"any_callback_ip"`
	KeepMenu      bool `yaml:"keep_menu"`
}

type payConfig struct {
	API string `yaml:"api"` // default WeChat Pay's own
	// Merchant is a JSON file {mchid, appid, merchant_serial, api_v3_key,
	// public_key_id, platform_serial}.
	Merchant             string   `yaml:"merchant_file"`
	MerchantKey          string   `yaml:"merchant_key"`
	MerchantCertificate  string   `yaml:"merchant_certificate"`
	PublicKey            string   `yaml:"public_key"`
	PlatformCertificates []string `yaml:"platform_certificates"`
}

// textConfig is the gateway of text messages; see texter.
type textConfig struct {
	URL   string `yaml:"url"`
	Token string `yaml:"token_file"` // "" for none
}

// noticeConfig is a template and what its fields show: {thing1: patient}.
type noticeConfig struct {
	Template string            `yaml:"template"`
	Fields   map[string]string `yaml:"fields"`
}

// rulesConfig are the rules of booking that are in force from a day on.
type rulesConfig struct {
	Preset string `yaml:"preset"` // default wuxi2018
	File   string `yaml:"file"`   // in place of a preset
	From   string `yaml:"from"`   // default 2018-01-01
}

// maxConfig bounds the file and each one that it names; real ones have a
// hundredth.
const maxConfig = 64 << 10

// readConfig reads the file strictly: a field that nobody knows is an error,
// for a misspelled one would be a setting that is off.
func readConfig(file string) (config, error) {
	c := config{dir: filepath.Dir(file)}
	text, err := readSmall(file)
	if err != nil {
		return c, fmt.Errorf("-config：%w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		return c, fmt.Errorf("-config %s：%w", file, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("-config %s：只能有一个文档", file)
	}
	for _, want := range []struct{ field, value string }{
		{"base_url", c.BaseURL},
		{"hospital.name", c.Hospital.Name},
		{"hospital.phone", c.Hospital.Phone},
		{"his.url", c.HIS.URL},
		{"wechat.account_file", c.WeChat.Account},
		{"wechatpay.merchant_file", c.Pay.Merchant},
		{"wechatpay.merchant_key", c.Pay.MerchantKey},
		{"text.url", c.Text.URL},
	} {
		if want.value == "" {
			return c, fmt.Errorf("-config %s：缺少 %s", file, want.field)
		}
	}
	if c.Rules.Preset != "" && c.Rules.File != "" {
		return c, fmt.Errorf("-config %s：rules.preset 和 rules.file 只能写一个", file)
	}
	return c, nil
}

func readSmall(file string) ([]byte, error) {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("打不开 %s：%w", file, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err = errors.Join(err, f.Close()); err == nil && len(text) > maxConfig {
		err = fmt.Errorf("超过 %d 字节", maxConfig)
	}
	if err != nil {
		return nil, fmt.Errorf("读不了 %s：%w", file, err)
	}
	return text, nil
}

// path is a file that the configuration names, "" for none.
func (c config) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

// secret is the one line of a file that the configuration names.
func (c config) secret(field, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	text, err := readSmall(c.path(name))
	if err != nil {
		return "", fmt.Errorf("-config：%s：%w", field, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// values reads a JSON file of the configuration strictly into into.
func (c config) values(field, name string, into any) error {
	text, err := readSmall(c.path(name))
	if err == nil {
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		err = decoder.Decode(into)
	}
	if err != nil {
		return fmt.Errorf("-config：%s：%w", field, err)
	}
	return nil
}

// accountFile is wechat.json.
type accountFile struct {
	AppID      string `yaml:"appid"`
	Secret     string `yaml:"secret"`
	Token      string `yaml:"token"`
	AESKey     string `yaml:"aes_key"`
	OriginalID string `yaml:"original_id"`
}

// merchantFile is wechatpay.json.
type merchantFile struct {
	MerchantID     string `yaml:"mchid"`
	AppID          string `yaml:"appid"`
	MerchantSerial string `yaml:"merchant_serial"`
	APIv3Key       string `yaml:"api_v3_key"`
	PublicKeyID    string `yaml:"public_key_id"`
	PlatformSerial string `yaml:"platform_serial"` // the certificate says it too
}

// partners are the far sides as the file names them.
func (c config) partners() (partners, error) {
	h := c.Hospital
	p := partners{
		base: strings.TrimSuffix(c.BaseURL, "/"), proxies: c.Proxies, anyIP: c.WeChat.AnyCallbackIP, keepMenu: c.WeChat.KeepMenu, now: time.Now,
		names: refserver.Names{Name: h.Name, Short: h.Short, Phone: h.Phone, Address: h.Address, Emergency: h.Emergency, Account: h.Account, Brand: h.Brand},
		his:   his.Config{BaseURL: c.HIS.URL},
		text:  texterConfig{URL: c.Text.URL}, notices: map[string]refserver.NoticeTemplate{},
	}
	for scene, n := range c.Notices {
		p.notices[scene] = refserver.NoticeTemplate{ID: n.Template, Fields: n.Fields}
	}
	if c.SimulatedClock != "" {
		p.pollEvery = simulatedPoll
	}
	if c.Overlay != "" {
		p.overlay = os.DirFS(c.path(c.Overlay))
	}
	if c.HIS.Username != "" {
		password, err := c.secret("his.password_file", c.HIS.Password)
		if err != nil {
			return p, err
		}
		p.his.Security = &soap.UsernameToken{Username: c.HIS.Username, Password: password}
	}
	var account accountFile
	if err := c.values("wechat.account_file", c.WeChat.Account, &account); err != nil {
		return p, err
	}
	p.account = wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: c.WeChat.API, OpenURL: c.WeChat.Open}
	p.pushes = wechat.CallbackConfig{
		AppID: account.AppID, OriginalID: account.OriginalID, Mode: wechat.Safe, Tokens: []string{account.Token}, AESKeys: []string{account.AESKey},
	}
	var err error
	if p.pay, err = c.merchant(); err != nil {
		return p, err
	}
	if p.text.Token, err = c.secret("text.token_file", c.Text.Token); err != nil {
		return p, err
	}
	if p.metricsToken, err = c.secret("metrics_token_file", c.MetricsToken); err != nil {
		return p, err
	}
	p.rules, err = c.rules()
	return p, err
}

// merchant reads the merchant's keys.
func (c config) merchant() (wechatpay.Config, error) {
	var merchant merchantFile
	if err := c.values("wechatpay.merchant_file", c.Pay.Merchant, &merchant); err != nil {
		return wechatpay.Config{}, err
	}
	files := wechatpay.Files{
		MerchantKey: c.path(c.Pay.MerchantKey), MerchantCertificate: c.path(c.Pay.MerchantCertificate), PublicKey: c.path(c.Pay.PublicKey),
	}
	for _, name := range c.Pay.PlatformCertificates {
		files.PlatformCertificates = append(files.PlatformCertificates, c.path(name))
	}
	filled, err := files.Fill(wechatpay.Config{
		AppID: merchant.AppID, MerchantID: merchant.MerchantID, MerchantSerial: merchant.MerchantSerial, APIv3Key: []byte(merchant.APIv3Key),
		PublicKeyID: merchant.PublicKeyID, BaseURL: c.Pay.API,
	})
	if err != nil {
		return filled, fmt.Errorf("-config：wechatpay：%w", err)
	}
	return filled, nil
}

// rules are the policy of the file. The day it begins is part of its name, so
// that every start publishes the same version.
func (c config) rules() (booking.PolicyVersion, error) {
	fail := func(err error) (booking.PolicyVersion, error) {
		return booking.PolicyVersion{}, fmt.Errorf("-config：rules：%w", err)
	}
	from := "2018-01-01"
	if c.Rules.From != "" {
		from = c.Rules.From
	}
	day, err := time.ParseInLocation(time.DateOnly, from, hospital.CST)
	if err != nil {
		return fail(errors.New("from 要写成 2026-11-23"))
	}
	preset, source := "wuxi2018", "preset"
	if c.Rules.Preset != "" {
		preset = c.Rules.Preset
	}
	body, err := booking.Preset(preset)
	if err != nil && c.Rules.File == "" {
		return fail(fmt.Errorf("preset 没有 %q；有的是 %s", preset, strings.Join(booking.Presets(), "、")))
	}
	if c.Rules.File != "" {
		source = filepath.Base(c.Rules.File)
		if body, err = readSmall(c.path(c.Rules.File)); err != nil {
			return fail(err)
		}
	}
	version, err := booking.NewPolicyVersion(body, source, day)
	if err != nil {
		return fail(err)
	}
	return version, nil
}

// clock is the business clock to follow, nil for the wall's.
func (c config) clock() (*followed, error) {
	if c.SimulatedClock == "" {
		return nil, nil
	}
	at, err := url.Parse(c.SimulatedClock)
	if err != nil || at.Scheme != "http" || !slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, at.Hostname()) {
		return nil, errors.New("-config：simulated_clock 只能在本机，例如 http://127.0.0.1:8090/_sim/clock；真实的 HIS 不要写它")
	}
	return &followed{at: at, client: &http.Client{Timeout: followTimeout}}, nil
}
