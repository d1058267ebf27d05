package wechat

import (
	"context"
	"log/slog"
	"net/url"
)

// SessionKey is what a mini program's user data is sealed with. It never leaves
// the server, and masks itself in logs.
type SessionKey string

// LogValue hides it.
func (SessionKey) LogValue() slog.Value { return slog.StringValue("***") }

// MiniIdentity is who logged in to a mini program. The openid is the mini
// program's: the same person has another one at the account, and the same
// UnionID where both are bound to one Open Platform account.
type MiniIdentity struct {
	OpenID     OpenID
	UnionID    string
	SessionKey SessionKey
}

// FinishMiniLogin exchanges the code of wx.login, once. The client must be that of
// the mini program: its app id and secret, not the account's. Denied with code
// 40029 or 40163: the code is void, call wx.login again. Rejected with code 40226:
// the platform does not let this user in (高风险等级用户), and asking again does not
// help. Indeterminate: the answer was lost; call wx.login again.
// API: GET /sns/jscode2session —
// developers.weixin.qq.com/miniprogram/dev/server/API/user-login/api_code2session.
func (c *Client) FinishMiniLogin(ctx context.Context, code string) (MiniIdentity, error) {
	if code == "" || len(code) > maxLoginCode {
		return MiniIdentity{}, invalid("wechat.FinishMiniLogin", "bad_code", "js_code: want 1 to 128 bytes")
	}
	ask := call{
		op: "wechat.FinishMiniLogin", path: "/sns/jscode2session", open: true, changes: true, personal: []string{code},
		query: url.Values{"appid": {c.appID}, "secret": {c.secret}, "js_code": {code}, "grant_type": {"authorization_code"}},
	}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return MiniIdentity{}, err
	}
	who := MiniIdentity{
		OpenID: OpenID(answer.Get("openid").String()), UnionID: answer.Get("unionid").String(),
		SessionKey: SessionKey(answer.Get("session_key").String()),
	}
	if who.OpenID == "" || who.SessionKey == "" {
		return MiniIdentity{}, ask.bad("openid or session_key")
	}
	return who, nil
}
