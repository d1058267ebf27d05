package wechattest

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
)

// miniCode is what wx.login gives to a mini program.
type miniCode struct {
	AppID   string
	OpenID  string // of the user at the account
	Expires time.Time
	Used    bool
}

func miniEndpoints() []endpoint {
	return []endpoint{
		{http.MethodGet, "/sns/jscode2session", withSecret, Quota{Minute: 50_000}, (*turn).miniSession},
	}
}

// MiniSecret returns the secret of a linked mini program (小程序), drawn when it is
// first asked for. NotFound: Config.MiniPrograms does not list it.
func (p *Platform) MiniSecret(appID string) (secret string, err error) {
	err = p.act(func(t *turn) error {
		if !slices.Contains(t.config.MiniPrograms, appID) {
			return verbError(hospital.NotFound, "MiniSecret", "no_mini_program", "it is not linked to the account")
		}
		secret = t.miniSecret(appID)
		return nil
	})
	return secret, err
}

func (t *turn) miniSecret(appID string) string {
	name := "secret of " + appID
	if t.settings.rows[name] == "" {
		t.settings.put(t, name, randomHex(16))
	}
	return t.settings.rows[name]
}

// MiniLogin is wx.login in a mini program on this phone; it returns the code
// that the mini program hands to its server. NotFound: no such mini program.
func (f *Follower) MiniLogin(appID string) (code string, err error) {
	err = f.platform.act(func(t *turn) error {
		if !slices.Contains(t.config.MiniPrograms, appID) {
			return verbError(hospital.NotFound, "MiniLogin", "no_mini_program", "it is not linked to the account")
		}
		t.miniCodes.sweep(t, func(c miniCode) bool { return t.now.After(c.Expires.Add(time.Hour)) })
		code = "0" + randomText("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 31)
		t.miniCodes.put(t, code, miniCode{AppID: appID, OpenID: f.openID, Expires: t.now.Add(codeLife)})
		return nil
	})
	return code, err
}

// Suspect lets the platform think ill of the user (高风险等级用户), whom mini
// programs do not let in then.
func (f *Follower) Suspect(risky bool) error {
	return f.platform.act(func(t *turn) error {
		u := t.users.rows[f.openID]
		u.Risky = risky
		t.users.put(t, f.openID, u)
		return nil
	})
}

// miniSession answers /sns/jscode2session, once for each code. A user has
// another openid at a mini program, and the same unionid.
func (t *turn) miniSession(r *request) (any, *refusal) {
	appID, secret, code := r.query.Get("appid"), r.query.Get("secret"), r.query.Get("js_code")
	switch {
	case appID == "":
		return nil, refuse(41002)
	case secret == "":
		return nil, refuse(41004)
	case code == "":
		return nil, refuse(41008)
	case r.query.Get("grant_type") != "authorization_code":
		return nil, refuse(40002)
	case !slices.Contains(t.config.MiniPrograms, appID):
		return nil, refuse(40013)
	case subtle.ConstantTimeCompare([]byte(secret), []byte(t.miniSecret(appID))) != 1:
		return nil, refuse(40125)
	}
	c, given := t.miniCodes.rows[code]
	switch {
	case !given, c.AppID != appID, !t.now.Before(c.Expires):
		return nil, refuse(40029)
	case c.Used:
		return nil, refuse(40163)
	}
	c.Used = true
	t.miniCodes.put(t, code, c)
	u := t.users.rows[c.OpenID]
	if u.Risky {
		return nil, refuse(40226)
	}
	return struct {
		SessionKey string `json:"session_key"`
		OpenID     string `json:"openid"`
		UnionID    string `json:"unionid,omitempty"`
	}{base64.StdEncoding.EncodeToString([]byte(randomText(idLetters, 16))), openIDOf(appID, u.Order), u.UnionID}, nil
}
