package sim

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
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

	mu    sync.Mutex
	texts []Text
}

// Text is a text message as the phone shows it.
type Text struct {
	At   time.Time `json:"at"`
	To   string    `json:"to"` // masked
	Text string    `json:"text"`
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
	p := &Page{config: config, html: html, routes: http.NewServeMux()}
	p.routes.HandleFunc("GET /sim", p.show)
	p.routes.Handle("GET /sim/files/", http.StripPrefix("/sim/files/", http.FileServerFS(files)))
	p.routes.HandleFunc("GET /sim/state", p.state)
	p.routes.HandleFunc("POST /sim/say", p.act(p.say))
	p.routes.HandleFunc("POST /sim/tap", p.act(p.tap))
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

// maxTexts is how many text messages the page shows.
const maxTexts = 20

// Text keeps a text message for the page; the number is shown masked.
func (p *Page) Text(phone hospital.Phone, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts = append(p.texts, Text{At: p.config.Clock.Now(), To: phone.Masked(), Text: text})
	p.texts = p.texts[max(0, len(p.texts)-maxTexts):]
}

func (p *Page) show(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // loopback has no TLS; the browser is this person's phone, at every simulator of this host
		Name: wechattest.PhoneCookie, Value: p.config.Phone.OpenID(), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = p.html.Execute(w, map[string]string{"Home": p.config.Home}) // a browser that is gone asks again
}

// visit is a registration as the hospital's people see it.
type visit struct {
	HISNo    string `json:"his_no"`
	State    string `json:"state"`
	Schedule string `json:"schedule"`
	Paid     string `json:"paid"`
	Online   bool   `json:"online"` // made through the phone
}

// state is everything that the page shows and that changes.
func (p *Page) state(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		after = 0
	}
	now := p.config.Clock.Now().In(hospital.CST)
	visits := []visit{}
	for _, registration := range p.config.World.Hospital.Everyone() {
		visits = append(visits, visit{
			HISNo: registration.HISNo, State: string(registration.State), Schedule: string(registration.Schedule),
			Paid: registration.Paid.Yuan(), Online: registration.Key != "",
		})
	}
	const shown = 12
	visits = visits[max(0, len(visits)-shown):]
	slices.Reverse(visits)
	faults := []string{}
	for op, acting := range p.config.World.Faults.Active() {
		faults = append(faults, string(op)+" "+acting.Fault.String())
	}
	slices.Sort(faults)
	p.mu.Lock()
	texts := append([]Text{}, p.texts...)
	p.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{
		"people": p.people(), "now": now.Format("2006-01-02 15:04"), "chat": p.config.Phone.Chat(), "menu": p.config.Phone.Menu(), "texts": texts,
		"visits": visits, "faults": faults, "wire": p.config.Wire(after),
	})
}

// person is a patient of the simulated hospital, with what binding asks for.
type person struct {
	Name     string `json:"name"`
	IDNumber string `json:"id_number"`
	Insured  bool   `json:"insured"`
}

// people are a few adults whom a visitor of the page may bind.
func (p *Page) people() []person {
	const shown = 4
	adults := []person{}
	for _, patient := range p.config.World.Hospital.People() {
		if patient.Guardian == nil && patient.IDNumber != "" && len(adults) < shown {
			adults = append(adults, person{string(patient.Name), string(patient.IDNumber), patient.Payer != hospital.SelfPay})
		}
	}
	return adults
}

// maxOrder bounds what the page sends: six short fields.
const maxOrder = 8 << 10

// order is what a button of the page sends.
type order struct {
	Text   string               `json:"text"`
	Button string               `json:"button"`
	How    string               `json:"how"`
	Sheet  *wechatpaytest.Sheet `json:"sheet"`
	Verb   string               `json:"verb"`
	HISNo  string               `json:"his_no"`
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
			detail := hospital.CodeOf(err)
			if e, is := errors.AsType[*hospital.Error](err); is && e.Detail != "" {
				detail += ": " + e.Detail
			}
			answer(w, http.StatusConflict, map[string]string{"error": detail})
			return
		}
		answer(w, http.StatusOK, said)
	}
}

func answer(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(content) // a browser that is gone asks again
}

func (p *Page) say(ctx context.Context, o order) (any, error) {
	return nil, p.config.Phone.Say(ctx, o.Text)
}

func (p *Page) tap(ctx context.Context, o order) (any, error) {
	address, err := p.config.Phone.Tap(ctx, o.Button)
	return map[string]string{"url": address}, err
}

// pay is the pay sheet: what the payer does with it.
func (p *Page) pay(_ context.Context, o order) (any, error) {
	pays := wechatpaytest.Payment{Sheet: o.Sheet}
	switch o.How {
	case "pay", "twice":
	case "fail":
		pays.Outcome = wechatpaytest.Fails
	default:
		return nil, bad("how: want pay, twice or fail")
	}
	if _, err := p.config.World.WeChatPay.Pay(pays); err != nil {
		return nil, err
	}
	if o.How == "twice" {
		_, err := p.config.World.WeChatPay.Pay(pays)
		return map[string]string{"second": hospital.CodeOf(err)}, nil
	}
	return map[string]string{}, nil
}

func bad(detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "sim.Page", Code: "bad_order", Detail: detail}
}

// slowness is how long a slow HIS waits: longer than a patient likes, shorter
// than our own patience.
const slowness = 3 * time.Second

// hospital is what the people at the hospital do.
func (p *Page) hospital(ctx context.Context, o order) (any, error) {
	world := p.config.World
	switch o.Verb {
	case "arrive":
		return nil, world.Hospital.Arrive(o.HISNo)
	case "see":
		return nil, world.Hospital.See(o.HISNo)
	case "suspend":
		return nil, p.suspend(o.HISNo)
	case "sell":
		return p.sell(ctx)
	case "bill":
		return p.bill(o.HISNo)
	case "slow":
		world.Faults.Set(histest.Any, histest.Switch{Fault: histest.Slow, Delay: slowness})
	case "dead":
		world.Faults.Set(histest.Any, histest.Switch{Fault: histest.Dead})
	case "lose":
		world.Faults.Set(histest.OpConfirm, histest.Switch{Fault: histest.AnswerLost, Times: 1})
	case "heal":
		world.Faults.ClearAll()
	case "evening":
		return nil, p.config.Clock.To(hospital.DateOf(p.config.Clock.Now()).At(22, 0))
	case "tomorrow":
		return nil, p.config.Clock.To(hospital.DateOf(p.config.Clock.Now()).AddDays(1).At(7, 30))
	default:
		return nil, bad("verb: none of that name")
	}
	return nil, nil
}

// find returns the registration with the number.
func (p *Page) find(hisNo string) (hospital.Registration, error) {
	for _, r := range p.config.World.Hospital.Everyone() {
		if r.HISNo == hisNo {
			return r, nil
		}
	}
	return hospital.Registration{}, bad("his_no: no such registration")
}

// suspend closes the clinic of a registration.
func (p *Page) suspend(hisNo string) error {
	r, err := p.find(hisNo)
	if err == nil {
		_, err = p.config.World.Hospital.Suspend(r.Schedule, "医生临时停诊", "")
	}
	return err
}

// sell lets the window sell a number of today to somebody else.
func (p *Page) sell(ctx context.Context) (any, error) {
	world, today := p.config.World, hospital.DateOf(p.config.Clock.Now())
	schedules, err := world.Hospital.Schedules(ctx, his.ScheduleQuery{From: today, To: today})
	if err != nil {
		return nil, err
	}
	people := world.Hospital.People()
	for _, schedule := range schedules {
		slots, err := world.Hospital.Slots(ctx, schedule.ID)
		if err != nil {
			return nil, err
		}
		for _, slot := range slots {
			if slot.Left == 0 || !slot.Start.After(p.config.Clock.Now()) {
				continue
			}
			for _, other := range slices.Backward(people) {
				if sold, err := world.Hospital.Window().Sell(slot.ID, other.ID); err == nil {
					return map[string]string{"his_no": sold.HISNo}, nil
				}
			}
		}
	}
	return nil, bad("today is sold out")
}

// bill makes the patient of a registration owe the pharmacy something.
func (p *Page) bill(hisNo string) (any, error) {
	r, err := p.find(hisNo)
	if err != nil {
		return nil, err
	}
	made, err := p.config.World.Hospital.AddBill(histest.NewBill{Patient: r.Patient, Items: []his.BillItem{
		{Code: "ZCY001", Name: "中药饮片（7 剂）", Unit: "剂", Quantity: "7", Amount: 16_800},
		{Code: "ZL002", Name: "针刺治疗", Unit: "次", Quantity: "1", Amount: 4_500},
	}})
	return map[string]string{"bill": string(made.ID)}, err
}
