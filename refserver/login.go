package refserver

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/refserver/internal/account"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

// How long the cookies of a login that is under way live, in seconds.
const (
	backLife    = 1800
	pendingLife = 600
)

func forbidden(code string) error {
	return &hospital.Error{Kind: hospital.Denied, Op: "refserver", Code: code}
}

func encodePath(path string) string { return base64.RawURLEncoding.EncodeToString([]byte(path)) }

// back is the path that a cookie remembers, home without one.
func (v *visit) back() string {
	raw, err := base64.RawURLEncoding.DecodeString(v.readCookie("back"))
	if err != nil {
		return v.s.links.Home()
	}
	return v.s.local(string(raw))
}

// loginBegin sends the browser to WeChat. The cookie it leaves is what only
// this browser can finish the login with; it is not the session.
func (v *visit) loginBegin() error {
	back := v.s.local(v.r.URL.Query().Get("return"))
	if v.session.User != "" {
		return v.redirect(back)
	}
	if v.s.config.WeChatOnly && !strings.Contains(v.r.UserAgent(), "MicroMessenger") {
		v.tell(http.StatusForbidden, page.State{Kind: page.StateOutside})
		return nil
	}
	pending := account.NewSecret()
	to, err := v.s.login.Begin(pending)
	if err != nil {
		return err
	}
	v.setCookie("login", pending, pendingLife)
	v.setCookie("back", encodePath(back), backLife)
	return v.redirect(to)
}

// loginEnd takes the browser back from WeChat. Coming a second time with the
// same address, as a refresh does, is no error for who is logged in.
func (v *visit) loginEnd() error {
	if v.session.User != "" && v.readCookie("login") == "" {
		return v.redirect(v.back())
	}
	who, err := v.s.login.Finish(v.r.Context(), v.readCookie("login"), v.r.URL.Query())
	if err != nil {
		return err
	}
	user, err := v.s.accounts.User(v.r.Context(), who.OpenID)
	if err != nil {
		return err
	}
	secret, err := v.s.accounts.Login(v.r.Context(), user)
	if err != nil {
		return err
	}
	v.setCookie("login", "", -1)
	v.setCookie("sid", secret, int(account.SessionLife.Seconds()))
	return v.redirect(v.back())
}
