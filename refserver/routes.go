package refserver

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/wxhospital/hospital/refserver/internal/page"
)

// need says who may come to a route.
type need int

const (
	anybody  need = iota
	user          // logged in
	holder        // and holding a patient
	identity      // logged in, and one form moves identity or money: counted by user and patient
)

// route is one line of the patient's side.
type route struct {
	method, path string // below the prefix
	need         need
	do           func(*visit) error
}

// table is every page and form of the patient's side.
func table() []route {
	return []route{
		{"GET", "/{$}", anybody, (*visit).home},
		{"GET", "/login", anybody, (*visit).loginBegin},
		{"GET", "/oauth/callback", anybody, (*visit).loginEnd},
		{"GET", "/triage", anybody, (*visit).triage},
		{"POST", "/triage", anybody, (*visit).triageSearch},
		{"GET", "/triage/result", anybody, (*visit).triageResult},
		{"POST", "/triage/result", anybody, (*visit).triageSay},
		{"GET", "/triage/emergency", anybody, (*visit).triageEmergency},
		{"GET", "/triage/{part}", anybody, (*visit).triagePart},
		{"GET", "/departments", anybody, (*visit).departments},
		{"GET", "/departments/{id}", anybody, (*visit).department},
		{"GET", "/doctors", anybody, (*visit).doctors},
		{"GET", "/doctors/{id}", anybody, (*visit).doctor},
		{"GET", "/schedules/{id}", anybody, (*visit).schedule},
		{"GET", "/schedules/{id}/{slot}", holder, (*visit).confirm},
		{"GET", "/book", anybody, (*visit).departments}, // where a refused booking is, reloaded
		{"POST", "/book", identity, (*visit).book},
		{"GET", "/orders/{order}/pay", user, (*visit).pay},
		{"POST", "/orders/{order}/prepay", identity, (*visit).prepay},
		{"GET", "/orders/{order}/result", user, (*visit).payResult},
		{"GET", "/orders/{order}/state", user, (*visit).payState},
		{"GET", "/appointments", holder, (*visit).appointments},
		{"GET", "/appointments/{id}", user, (*visit).appointment},
		{"GET", "/appointments/{id}/cancel", user, (*visit).cancelAsk},
		{"POST", "/appointments/{id}/cancel", identity, (*visit).cancel},
		{"GET", "/patients", user, (*visit).patients},
		{"GET", "/patients/{id}", user, (*visit).patientPage},
		{"POST", "/patients/{id}/use", identity, (*visit).usePatient},
		{"GET", "/patients/{id}/unbind", user, (*visit).patientPage},
		{"POST", "/patients/{id}/unbind", identity, (*visit).unbind},
		{"GET", "/bind", user, (*visit).bindForm},
		{"POST", "/bind", identity, (*visit).bind},
		{"GET", "/bind/{ref}", user, (*visit).bindCode},
		{"POST", "/bind/{ref}", identity, (*visit).bindProve},
		{"POST", "/bind/{ref}/send", identity, (*visit).bindSend},
		{"GET", "/bind/{ref}/new", user, (*visit).bindCreate},
		{"POST", "/bind/{ref}/new", identity, (*visit).bindMake},
		{"GET", "/bills", holder, (*visit).bills},
		{"GET", "/bills/{id}", user, (*visit).bill},
		{"POST", "/bills/{id}/pay", identity, (*visit).payBill},
		{"GET", "/messages", user, (*visit).inbox},
		{"GET", "/messages/{id}", user, (*visit).readMessage},
		{"POST", "/messages/read", identity, (*visit).readAll},
		{"GET", "/me", user, (*visit).me},
		{"POST", "/me/mode", anybody, (*visit).mode},
		{"GET", "/help", anybody, (*visit).help},
		{"GET", "/policy", anybody, (*visit).policy},
	}
}

func (s *Server) routes() http.Handler {
	mux, prefix := http.NewServeMux(), s.base.Path
	handle := func(method, path string, h http.Handler) {
		route := strings.TrimSpace(method + " " + path)
		mux.Handle(strings.TrimSpace(method+" "+prefix+path), s.config.Metrics.measured(route, h))
	}
	for _, r := range table() {
		handle(r.method, r.path, s.serve(r))
	}
	handle("", "/", s.serve(route{do: func(*visit) error { return absent() }}))
	handle("GET", "/assets/", http.StripPrefix(prefix+"/assets", s.pages.Assets()))
	handle("", PushPath, s.pushes)
	handle("POST", NoticePath, s.config.Pay.Notifications(s.cashier))
	mux.HandleFunc("GET "+prefix+"/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET "+prefix+"/readyz", s.ready)
	return mux
}

// readyTimeout bounds the question to the store.
const readyTimeout = 2 * time.Second

// ready answers 204 while the store answers.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if _, err := s.bookings.PolicyVersions(ctx); err != nil {
		http.Error(w, "store", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// serve guards a route: headers, limits, session, the form's origin and token.
func (s *Server) serve(to route) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(&visit{s: s, w: w, r: r}).fail(forbidden("cross_origin")) //nolint:contextcheck // a visit reads the context of its request
	}))
	guarded := guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answer(to, w, r) })) //nolint:contextcheck // as above
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'self'; script-src 'self' https://res.wx.qq.com; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cache-Control", "private, no-store")
		if s.secure {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		guarded.ServeHTTP(w, r)
	})
}

// answer lets those in who may come and does what the route is for.
func (s *Server) answer(to route, w http.ResponseWriter, r *http.Request) {
	v := &visit{s: s, w: w, r: r, now: s.config.Now()}
	if s.config.Maintenance != nil {
		if until, on := s.config.Maintenance(v.now); on {
			v.tell(http.StatusServiceUnavailable, page.State{Kind: page.StateMaintenance, Until: until})
			return
		}
	}
	fast := !s.limits.allow("peer/"+v.peer(), peerPerSecond, peerBurst) // before the store is asked
	if !fast {
		if err := v.known(); err != nil {
			v.fail(err)
			return
		}
		fast = v.tooFast(to)
	}
	if fast {
		w.Header().Set("Retry-After", "10")
		v.tell(http.StatusTooManyRequests, page.State{Kind: page.StateTooFast, After: 10 * time.Second})
		return
	}
	if v.turnedAway(to) {
		return
	}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		err := r.ParseForm()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded): // it came too slowly for the listener's limit
			v.tell(http.StatusRequestTimeout, page.State{Kind: page.StateSlow})
			return
		case tooLong(err):
			v.tell(http.StatusRequestEntityTooLarge, page.State{Kind: page.StateTooLong})
			return
		case err != nil:
			v.fail(forbidden("bad_form"))
			return
		case to.need != anybody && !v.tokenFits(v.form().Get("token")):
			v.fail(forbidden("bad_token"))
			return
		}
	}
	if err := to.do(v); err != nil {
		v.fail(err)
	}
}

func tooLong(err error) bool {
	_, is := errors.AsType[*http.MaxBytesError](err)
	return is
}

// tooFast counts a request by session, user and patient.
func (v *visit) tooFast(to route) bool {
	l := v.s.limits
	switch {
	case v.session.User == "":
		return !l.allow("guest/"+v.peer(), readsPerSecond, readBurst)
	case !l.allow("session/"+v.secret, readsPerSecond, readBurst):
		return true
	case to.need != identity:
		return false
	}
	return !l.allow("user/"+string(v.session.User), actsPerSecond, actBurst) ||
		v.patient() != "" && !l.allow("patient/"+string(v.patient()), actsPerSecond, actBurst)
}

// turnedAway sends who may not come yet to where they can.
func (v *visit) turnedAway(to route) bool {
	back := v.s.links.Home()
	if v.r.Method == http.MethodGet {
		back = v.r.URL.RequestURI()
	}
	switch {
	case to.need != anybody && v.session.User == "":
		_ = v.redirect(v.s.links.LoginTo(v.s.local(back))) // writes the answer, never fails
	case to.need == holder && len(v.bound) == 0:
		v.setCookie("back", encodePath(back), backLife)
		_ = v.renderAs(http.StatusOK, page.State{Kind: page.StateUnbound}) // as above
	default:
		return false
	}
	return true
}
