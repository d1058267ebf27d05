package sim

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/internal/simverb"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

//go:embed page
var pageFiles embed.FS

// PageConfig says whose phone the page shows.
type PageConfig struct {
	World *World
	Clock Clock
	// Phone is the person's WeChat.
	Phone *wechattest.Follower
	// Home is where the hospital's own pages begin, a path of this server: "/m/".
	Home string
	// Wire returns what crossed the wires since the entry numbered after.
	Wire func(after int) []Crossing
}

// Crossing is one call as it crossed a wire, with what names a person masked.
type Crossing struct {
	No      int    `json:"no"`
	Time    string `json:"time"` // of business
	Wire    string `json:"wire"` // "→ HIS"
	Call    string `json:"call"`
	Summary string `json:"summary"`
	Outcome string `json:"outcome"`
}

// Page is the test bed in a browser: a phone with the hospital's account beside
// buttons for the hospital's side and a log of what crosses every wire. It
// answers this machine only.
type Page struct {
	config PageConfig
	html   *template.Template
	routes *http.ServeMux

	mu     sync.Mutex
	places map[hospital.SlotID]place // of the registrations shown so far
	broken []string                  // switches that WeChat was given, in words
}

// NewPage returns the page, to be served under /sim. An Invalid error names the
// bad field.
func NewPage(config PageConfig) (*Page, error) {
	if config.World == nil || config.Clock == nil || config.Phone == nil || config.Home == "" || config.Wire == nil {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "sim.NewPage", Code: "bad_config", Detail: "every field of PageConfig is required"}
	}
	html, err := template.ParseFS(pageFiles, "page/sim.html")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "sim.NewPage", Code: "bad_page", Err: err}
	}
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "sim.NewPage", Code: "bad_page", Err: err}
	}
	p := &Page{config: config, html: html, routes: http.NewServeMux(), places: map[hospital.SlotID]place{}}
	p.routes.HandleFunc("GET /sim", p.show)
	p.routes.Handle("GET /sim/files/", http.StripPrefix("/sim/files/", http.FileServerFS(files)))
	p.routes.HandleFunc("GET /sim/state", p.state)
	p.routes.HandleFunc("GET /sim/clinics", p.clinics)
	p.routes.HandleFunc("POST /sim/say", p.act(p.say))
	p.routes.HandleFunc("POST /sim/tap", p.act(p.tap))
	p.routes.HandleFunc("POST /sim/sheet", p.act(p.sheet))
	p.routes.HandleFunc("POST /sim/pay", p.act(p.pay))
	p.routes.HandleFunc("POST /sim/hospital", p.act(p.hospital))
	return p, nil
}

// ServeHTTP implements [http.Handler].
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !simverb.Local(r) || r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-src 'self' http://127.0.0.1:* http://localhost:*; frame-ancestors 'none'")
	p.routes.ServeHTTP(w, r)
}

func (p *Page) show(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // loopback has no TLS; the browser is this person's phone, at every simulator of this host
		Name: wechattest.PhoneCookie, Value: p.config.Phone.OpenID(), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = p.html.Execute(w, map[string]string{"Home": p.config.Home}) // a browser that is gone asks again
}

// maxOrder bounds what the page sends: six short fields.
const maxOrder = 8 << 10

// order is what a button of the page sends.
type order struct {
	Text     string               `json:"text"`
	Button   string               `json:"button"`
	How      string               `json:"how"`
	Sheet    *wechatpaytest.Sheet `json:"sheet"`
	Verb     string               `json:"verb"`
	HISNo    string               `json:"his_no"`
	Schedule hospital.ScheduleID  `json:"schedule"`
	Patient  hospital.PatientID   `json:"patient"`
	Bill     his.BillID           `json:"bill"`
}

// act reads an order, carries it out and answers.
func (p *Page) act(do func(context.Context, order) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var o order
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&o); err != nil {
			answer(w, http.StatusBadRequest, map[string]string{"error": "bad_order"})
			return
		}
		said, err := do(r.Context(), o)
		if err != nil {
			answer(w, http.StatusConflict, map[string]string{"error": reason(err)})
			return
		}
		answer(w, http.StatusOK, said)
	}
}

// reason says in words why something was not done: as the far side prints it
// for a patient, or else its own word for it.
func reason(err error) string {
	e, is := errors.AsType[*hospital.Error](err)
	switch {
	case is && e.Message != "":
		return e.Message
	case is && e.Detail != "":
		return e.Code + "（" + e.Detail + "）"
	case is:
		return e.Code
	}
	return "模拟台自己出错了，请看终端。"
}

func answer(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(content) // a browser that is gone asks again
}

func (p *Page) say(ctx context.Context, o order) (any, error) {
	return map[string]string{"said": "已发送。"}, p.config.Phone.Say(ctx, o.Text)
}

func (p *Page) tap(ctx context.Context, o order) (any, error) {
	address, err := p.config.Phone.Tap(ctx, o.Button)
	return map[string]string{"url": address}, err
}

// sheet is what the pay sheet says before anybody pays.
func (p *Page) sheet(_ context.Context, o order) (any, error) {
	if o.Sheet == nil {
		return nil, bad("sheet: missing", "页面没有交来支付请求。")
	}
	ledger, err := p.config.World.WeChatPay.Ledger()
	if err != nil {
		return nil, err
	}
	prepay := strings.TrimPrefix(o.Sheet.Package, "prepay_id=")
	for _, trade := range ledger.Trades {
		for _, shown := range trade.Sheets {
			if shown.PrepayID == prepay {
				return map[string]string{"amount": trade.Total.Yuan(), "what": trade.Description}, nil
			}
		}
	}
	return nil, bad("sheet.package: no such prepay", "微信支付不认识这次预支付。")
}

// pay is what the payer does with the pay sheet.
func (p *Page) pay(_ context.Context, o order) (any, error) {
	pays := wechatpaytest.Payment{Sheet: o.Sheet}
	switch o.How {
	case "pay", "twice":
	case "fail":
		pays.Outcome = wechatpaytest.Fails
	default:
		return nil, bad("how: want pay, twice or fail", "")
	}
	if _, err := p.config.World.WeChatPay.Pay(pays); err != nil {
		return nil, err
	}
	said := map[string]string{"pay": "已付款，微信支付正在通知医院。", "fail": "付款失败：余额不足或密码不对，订单仍未付。"}[o.How]
	if o.How == "twice" {
		said = "两次都付成了，这不应该发生。"
		if _, err := p.config.World.WeChatPay.Pay(pays); err != nil {
			said = "第一次已付款；第二次被微信支付拒绝：" + reason(err)
		}
	}
	return map[string]string{"said": said}, nil
}

func bad(detail, message string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "sim.Page", Code: "bad_order", Detail: detail, Message: message}
}
