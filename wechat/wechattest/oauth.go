package wechattest

import (
	"net/http"
	"time"
)

const (
	webTokenLife = 7200 * time.Second
	refreshLife  = 30 * 24 * time.Hour
)

// grant is what a user has agreed to, under its refresh token.
type grant struct {
	OpenID   string
	Scope    string
	Access   string
	Expires  time.Time // of the refresh token
	Snapshot bool
}

// webToken is the access token of a web login.
type webToken struct {
	Refresh string
	Expires time.Time
}

// webAnswer is the answer to both token calls.
type webAnswer struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	OpenID       string `json:"openid"`
	Scope        string `json:"scope"`
	UnionID      string `json:"unionid,omitempty"`
	Snapshot     int    `json:"is_snapshotuser,omitempty"`
}

func newWebToken() string {
	return "90_" + randomText("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 86)
}

func (t *turn) webAnswer(refresh string, g grant) webAnswer {
	out := webAnswer{
		AccessToken: g.Access, ExpiresIn: int64(t.access.rows[g.Access].Expires.Sub(t.now) / time.Second),
		RefreshToken: refresh, OpenID: t.webOpenID(g), Scope: g.Scope,
	}
	if g.Snapshot {
		out.Snapshot = 1
	} else if g.Scope == scopeUser {
		out.UnionID = t.users.rows[g.OpenID].UnionID
	}
	return out
}

// webOpenID is the openid of a login; a snapshot page has a virtual one.
func (t *turn) webOpenID(g grant) string {
	if g.Snapshot {
		return openIDOf("snapshot "+g.OpenID, 0)
	}
	return g.OpenID
}

func oauthEndpoints() []endpoint {
	limit := Quota{Minute: 50_000}
	return []endpoint{
		{http.MethodGet, "/sns/oauth2/access_token", withSecret, limit, (*turn).webAccess},
		{http.MethodGet, "/sns/oauth2/refresh_token", withWeb, limit, (*turn).webRefresh},
		{http.MethodGet, "/sns/userinfo", withWeb, limit, (*turn).webUser},
		{http.MethodGet, "/sns/auth", withWeb, limit, (*turn).webCheck},
	}
}

// webAccess exchanges a code, once.
func (t *turn) webAccess(r *request) (any, *refusal) {
	value := r.query.Get("code")
	switch {
	case r.query.Get("appid") == "":
		return nil, refuse(41002)
	case r.query.Get("secret") == "":
		return nil, refuse(41004)
	case value == "":
		return nil, refuse(41008)
	case r.query.Get("grant_type") != "authorization_code":
		return nil, refuse(40002)
	}
	if no := t.knows(r.query.Get("appid"), r.query.Get("secret")); no != nil {
		return nil, no
	}
	c, given := t.codes.rows[value]
	switch {
	case !given:
		return nil, refuse(40029)
	case c.Used:
		return nil, refuse(40163)
	case !t.now.Before(c.Expires):
		return nil, refuse(42003)
	}
	c.Used = true
	t.codes.put(t, value, c)
	t.grants.sweep(t, func(g grant) bool { return t.now.After(g.Expires) })
	t.access.sweep(t, func(a webToken) bool { return t.now.After(a.Expires.Add(refreshLife)) })
	refresh := newWebToken()
	g := grant{OpenID: c.OpenID, Scope: c.Scope, Access: newWebToken(), Expires: t.now.Add(refreshLife), Snapshot: c.Snapshot}
	t.grants.put(t, refresh, g)
	t.access.put(t, g.Access, webToken{refresh, t.now.Add(webTokenLife)})
	return t.webAnswer(refresh, g), nil
}

// webRefresh prolongs an access token that still lives and replaces one that
// has ended.
func (t *turn) webRefresh(r *request) (any, *refusal) {
	refresh := r.query.Get("refresh_token")
	switch {
	case r.query.Get("appid") == "":
		return nil, refuse(41002)
	case r.query.Get("appid") != t.ours().AppID:
		return nil, refuse(40013)
	case r.query.Get("grant_type") != "refresh_token":
		return nil, refuse(40002)
	case refresh == "":
		return nil, refuse(41003)
	}
	g, given := t.grants.rows[refresh]
	switch {
	case !given:
		return nil, refuse(40030)
	case !t.now.Before(g.Expires):
		return nil, refuse(42002)
	}
	if !t.now.Before(t.access.rows[g.Access].Expires) {
		g.Access = newWebToken()
		t.grants.put(t, refresh, g)
	}
	t.access.put(t, g.Access, webToken{refresh, t.now.Add(webTokenLife)})
	return t.webAnswer(refresh, g), nil
}

// webGrant checks the access token and openid of a web call.
func (t *turn) webGrant(r *request) (grant, *refusal) {
	value := r.query.Get("access_token")
	held, given := t.access.rows[value]
	g, kept := t.grants.rows[held.Refresh]
	switch {
	case value == "":
		return grant{}, refuse(41001)
	case !given, !kept:
		return grant{}, refuse(40001)
	case !t.now.Before(held.Expires):
		return grant{}, refuse(42001)
	case r.query.Get("openid") == "":
		return grant{}, refuse(41009)
	case r.query.Get("openid") != t.webOpenID(g):
		return grant{}, refuse(40003)
	}
	return g, nil
}

// webCheck answers /sns/auth.
func (t *turn) webCheck(r *request) (any, *refusal) {
	_, no := t.webGrant(r)
	return nil, no
}

// webUser answers /sns/userinfo.
func (t *turn) webUser(r *request) (any, *refusal) {
	g, no := t.webGrant(r)
	if no != nil {
		return nil, no
	}
	if g.Scope != scopeUser {
		return nil, refuse(48001)
	}
	u := t.users.rows[g.OpenID]
	if g.Snapshot {
		u = user{Nickname: "微信用户"}
	}
	return struct {
		OpenID    string   `json:"openid"`
		Nickname  string   `json:"nickname"`
		Sex       int      `json:"sex"`
		Language  string   `json:"language"`
		City      string   `json:"city"`
		Province  string   `json:"province"`
		Country   string   `json:"country"`
		Portrait  string   `json:"headimgurl"`
		Privilege []string `json:"privilege"`
		UnionID   string   `json:"unionid,omitempty"`
	}{
		OpenID: t.webOpenID(g), Nickname: u.Nickname, Portrait: "https://thirdwx.qlogo.cn/mmopen/vi_32/0/132",
		Privilege: []string{}, UnionID: u.UnionID,
	}, nil
}
