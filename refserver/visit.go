package refserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/refserver/internal/account"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

const (
	maxForm    = 16 << 10
	maxReturn  = 512
	flashLife  = 60 // seconds
	careLife   = 365 * 24 * 3600
	tokenBytes = 16
)

// visit is one request to the patient's side.
type visit struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	secret  string // of the session's cookie, "" for none
	session account.Session
	bound   []booking.Binding
	now     time.Time
}

// cookie is the name of a cookie: with https nobody but this host can set it.
func (s *Server) cookie(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

// form is what a form was filled with.
func (v *visit) form() url.Values {
	return v.r.PostForm //nolint:forbidigo // of a request, and no client's
}

func (v *visit) setCookie(name, value string, seconds int) {
	http.SetCookie(v.w, &http.Cookie{ //nolint:gosec // not secure on loopback alone, see Config.BaseURL
		Name: v.s.cookie(name), Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: v.s.secure, SameSite: http.SameSiteLaxMode,
	})
}

func (v *visit) readCookie(name string) string {
	c, err := v.r.Cookie(v.s.cookie(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// peer is the address that the request came from, through proxies we trust.
func (v *visit) peer() string {
	at, err := netip.ParseAddrPort(v.r.RemoteAddr)
	if err != nil {
		return v.r.RemoteAddr
	}
	addr := at.Addr().Unmap()
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(v.s.config.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	hops := strings.Split(strings.Join(v.r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !trusted(addr) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		addr = before.Unmap()
	}
	if addr.Is6() { // a line has a whole /64
		if line, err := addr.Prefix(lineBits); err == nil {
			return line.String()
		}
	}
	return addr.String()
}

const lineBits = 64

func (v *visit) actor() hospital.Actor {
	return hospital.Actor{Kind: hospital.ActorUser, ID: string(v.session.User), Entry: hospital.EntryWeChat}
}

// known finds out who is there. Nobody is no error.
func (v *visit) known() error {
	v.secret = v.readCookie("sid")
	if v.secret == "" || len(v.secret) > 64 {
		v.secret = ""
		return nil
	}
	session, err := v.s.accounts.Session(v.r.Context(), v.secret)
	if errors.Is(err, account.ErrNoSession) {
		return nil
	}
	if err != nil {
		return err
	}
	v.session = session
	v.bound, err = v.s.bookings.Bound(v.r.Context(), session.User)
	return err
}

// patient is whom the pages are about, "" when the user holds nobody.
func (v *visit) patient() hospital.PatientID {
	if len(v.bound) == 0 {
		return ""
	}
	for _, b := range v.bound {
		if b.Patient == v.session.Patient {
			return b.Patient
		}
	}
	return v.bound[0].Patient
}

// held returns the user's patient behind a handle; a stranger's and none's
// answer alike.
func (v *visit) held(handle string) (booking.Binding, error) {
	for _, b := range v.bound {
		if hmac.Equal([]byte(v.s.accounts.Handle(b.Patient)), []byte(handle)) {
			return b, nil
		}
	}
	return booking.Binding{}, absent()
}

func (v *visit) open(patient hospital.PatientID) (hospital.PatientScope, error) {
	return v.s.gate.Open(v.r.Context(), v.actor(), patient)
}

// person reads a patient's record at the HIS, through the gate.
func (v *visit) person(patient hospital.PatientID, action string) (hospital.Patient, error) {
	scope, err := v.open(patient)
	if err != nil {
		return hospital.Patient{}, err
	}
	id, err := scope.Use(v.r.Context(), hospital.Access{Purpose: "service", Action: action})
	if err != nil {
		return hospital.Patient{}, err
	}
	return v.s.patientAt(v.r.Context(), id)
}

// mac is what a form token and a flash are made of.
func (s *Server) mac(parts ...string) []byte {
	mac := hmac.New(sha256.New, s.formKey)
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return mac.Sum(nil)[:tokenBytes]
}

// token proves that a form is of this session's. It is different in every
// answer, since answers are compressed.
func (v *visit) token() string {
	if v.session.User == "" {
		return ""
	}
	mask := make([]byte, tokenBytes, 2*tokenBytes)
	if _, err := rand.Read(mask); err != nil {
		panic("refserver: crypto/rand never fails: " + err.Error())
	}
	for i, b := range v.s.mac("token", v.secret) {
		mask = append(mask, b^mask[i])
	}
	return base64.RawURLEncoding.EncodeToString(mask)
}

func (v *visit) tokenFits(token string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 2*tokenBytes || v.session.User == "" {
		return false
	}
	for i := range tokenBytes {
		raw[tokenBytes+i] ^= raw[i]
	}
	return hmac.Equal(raw[tokenBytes:], v.s.mac("token", v.secret))
}

// flash leaves one sentence for the next page.
func (v *visit) flash(tone page.Tone, text string) {
	body := base64.RawURLEncoding.EncodeToString([]byte(string(tone) + "\n" + text))
	v.setCookie("said", body+"."+base64.RawURLEncoding.EncodeToString(v.s.mac("flash", v.secret, body)), flashLife)
}

func (v *visit) takeFlash() page.Flash {
	said := v.readCookie("said")
	if said == "" {
		return page.Flash{}
	}
	v.setCookie("said", "", -1)
	body, sum, _ := strings.Cut(said, ".")
	raw, err := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || !hmac.Equal(raw, v.s.mac("flash", v.secret, body)) {
		return page.Flash{}
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return page.Flash{}
	}
	tone, words, _ := strings.Cut(string(text), "\n")
	return page.Flash{Tone: page.Tone(tone), Text: words}
}

func (v *visit) frame() page.Frame {
	frame := page.Frame{Care: v.readCookie("care") == "1", Token: v.token(), Here: v.r.URL.RequestURI()}
	if patient := v.patient(); patient != "" {
		frame.Patient = v.s.maskedName(v, patient)
	}
	if v.session.User != "" {
		var err error
		if frame.Unread, err = v.s.messages.Unread(v.r.Context(), v.reader()); err != nil {
			v.s.config.Logger.WarnContext(v.r.Context(), "unread messages not counted", "error", err)
		}
	}
	return frame
}

// render answers with a page.
func (v *visit) render(view page.View) error { return v.renderAs(http.StatusOK, view) }

func (v *visit) renderAs(status int, view page.View) error {
	frame := v.frame()
	frame.Flash = v.takeFlash()
	v.s.pages.Render(v.w, v.r, status, frame, view)
	return nil
}

func (v *visit) redirect(path string) error {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// fail answers with the page of what went wrong. A foreign object and an absent
// one get the same bytes: nothing of the request stands in them.
func (v *visit) fail(err error) {
	state, status := page.State{Kind: page.StateError}, http.StatusInternalServerError
	switch hospital.KindOf(err) {
	case hospital.NotFound:
		state, status = page.State{Kind: page.StateNotFound}, http.StatusNotFound
	case hospital.Denied:
		state, status = page.State{Kind: page.StateForbidden}, http.StatusForbidden
		if hospital.CodeOf(err) == "snapshot_user" {
			state.Kind = page.StateSnapshot
		} else if hospital.CodeOf(err) == "no_session" || strings.HasPrefix(hospital.CodeOf(err), "bad_state") || hospital.CodeOf(err) == "login_refused" {
			state.Kind, state.Retry = page.StateExpired, v.back()
		}
	case hospital.Unavailable, hospital.Indeterminate:
		state, status = page.State{Kind: page.StateUnavailable, What: "医院系统"}, http.StatusServiceUnavailable
	case hospital.Invalid, hospital.Conflict, hospital.Rejected:
		state, status = page.State{Kind: page.StateForbidden}, http.StatusBadRequest
	case hospital.Internal:
		v.s.config.Logger.ErrorContext(v.r.Context(), "a page failed", "error", err)
	}
	v.tell(status, state)
}

// tell answers with a page that knows nothing of who is there.
func (v *visit) tell(status int, state page.State) {
	v.s.pages.Render(v.w, v.r, status, page.Frame{Care: v.readCookie("care") == "1"}, state)
}

// local returns the path when it is one of ours to come back to, else home.
func (s *Server) local(path string) string {
	if len(path) > maxReturn || strings.Contains(path, "/.") || !strings.HasPrefix(path, s.links.Home()) || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") ||
		strings.HasPrefix(path, s.links.Login()) || strings.HasPrefix(path, s.links.Callback()) {
		return s.links.Home()
	}
	return path
}
