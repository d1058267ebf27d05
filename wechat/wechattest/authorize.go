package wechattest

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

const (
	codeLife  = 5 * time.Minute
	maxState  = 128 // bytes
	scopeBase = "snsapi_base"
	scopeUser = "snsapi_userinfo"
)

// PhoneCookie tells [Platform.Open] whose phone a browser is: its value is an
// openid. GET /_sim/login?openid=… sets it, and so may a page of the same host.
const PhoneCookie = "wechattest_openid"

// code is what a web login returns with.
type code struct {
	OpenID   string
	Scope    string
	Expires  time.Time
	Used     bool
	Snapshot bool
}

// Open is open.weixin.qq.com: the page that a web login (网页授权) goes through. It
// knows the phone by a cookie that GET /_sim/login?openid=… sets; a browser
// without it is told to open the link in WeChat. In-process a [Follower] calls
// [Follower.Authorize].
func (p *Platform) Open() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_sim/", p.serveSim)
	mux.HandleFunc("/connect/oauth2/authorize", p.serveAuthorize)
	mux.HandleFunc("GET "+showPath, p.serveQR)
	return mux
}

// authorization is a request for a web login that is in order.
type authorization struct {
	scope, redirect, state string
}

// pageError is what the page shows in place of a login.
type pageError struct {
	Text string
	Code int // 0: the words alone
}

func (e pageError) String() string {
	if e.Code == 0 {
		return e.Text
	}
	return e.Text + "，错误码:" + decimal(int64(e.Code))
}

// readAuthorization checks the link. The order of the parameters is part of it.
// API: GET /connect/oauth2/authorize, "由于授权操作安全等级较高 … 链接的参数顺序".
func (t *turn) readAuthorization(rawQuery string) (authorization, *pageError) {
	names := []string{"appid", "redirect_uri", "response_type", "scope", "state"}
	value := map[string]string{}
	last := -1
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, raw, _ := strings.Cut(pair, "=")
		at := slices.Index(names, name)
		if at < 0 {
			continue // WeChat has further parameters, such as forcePopup
		}
		text, err := url.QueryUnescape(raw)
		if _, twice := value[name]; err != nil || twice || at <= last && !t.config.AnyOrder {
			return authorization{}, &pageError{"链接参数顺序错误", 0}
		}
		value[name], last = text, at
	}
	a := authorization{value["scope"], value["redirect_uri"], value["state"]}
	address, err := url.Parse(a.redirect)
	switch {
	case value["appid"] == "":
		return a, &pageError{"appid不能为空", 10012}
	case value["appid"] != t.ours().AppID:
		return a, &pageError{"appid参数错误", 0}
	case a.redirect == "":
		return a, &pageError{"redirect_uri不能为空", 10011}
	case err != nil, !webAddress(a.redirect), !t.domains.rows[address.Host]:
		return a, &pageError{"redirect_uri域名与后台配置不一致", 10003}
	case value["response_type"] != "code":
		return a, &pageError{"response_type参数错误", 0}
	case a.scope == "":
		return a, &pageError{"scope不能为空", 10010}
	case a.scope != scopeBase && a.scope != scopeUser:
		return a, &pageError{"此公众号并没有这些scope的权限", 10005}
	case len(a.state) > maxState:
		return a, &pageError{"state参数过长", 0}
	}
	return a, nil
}

// grantCode gives the user a code and returns where the browser goes.
func (t *turn) grantCode(u user, a authorization) string {
	t.codes.sweep(t, func(c code) bool { return t.now.After(c.Expires.Add(time.Hour)) })
	value := "0" + randomText("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 31)
	t.codes.put(t, value, code{
		OpenID: u.OpenID, Scope: a.scope, Expires: t.now.Add(codeLife), Snapshot: t.settings.rows[snapshotSetting] != "",
	})
	return returnTo(a, value)
}

// returnTo adds code and state to the address. A user who refused comes back
// without a code.
func returnTo(a authorization, code string) string {
	address, fragment, fragmented := strings.Cut(a.redirect, "#")
	query := "state=" + url.QueryEscape(a.state)
	if code != "" {
		query = "code=" + url.QueryEscape(code) + "&" + query
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	address += separator + query
	if fragmented {
		address += "#" + fragment
	}
	return address
}

// The pages that a browser sees; %s is escaped.
const (
	consentPage = `<!DOCTYPE html><html lang="zh-CN"><meta charset="utf-8"><title>微信登录</title>
<p>%s 申请获得你的公开信息（昵称、头像等）</p>
<form method="post"><button name="answer" value="allow">允许</button> <button name="answer" value="refuse">拒绝</button></form></html>`
	errorPage = `<!DOCTYPE html><html lang="zh-CN"><meta charset="utf-8"><title>抱歉，出错了</title><p>%s</p></html>`
)

// serveAuthorize answers a browser.
func (p *Platform) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	openID := ""
	if cookie, err := r.Cookie(PhoneCookie); err == nil {
		openID = cookie.Value
	}
	var a authorization
	var page *pageError
	where := ""
	ask := false
	err := p.act(func(t *turn) error {
		u, known := t.users.rows[openID]
		if !known {
			page = &pageError{"请在微信客户端打开链接", 0}
			return nil
		}
		if a, page = t.readAuthorization(r.URL.RawQuery); page != nil {
			return nil
		}
		switch ask = t.config.AskConsent && a.scope == scopeUser; {
		case ask && r.Method == http.MethodGet:
		case ask && r.PostFormValue("answer") != "allow":
			ask, where = false, returnTo(a, "")
		default:
			ask, where = false, t.grantCode(u, a)
		}
		return nil
	})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	switch {
	case err != nil:
		w.WriteHeader(http.StatusInternalServerError)
	case page != nil:
		_, _ = fmt.Fprintf(w, errorPage, html.EscapeString(page.String())) // a browser that is gone asks again
	case ask:
		_, _ = fmt.Fprintf(w, consentPage, html.EscapeString(p.Account().AppID)) // as above
	default:
		w.Header().Set("Location", where)
		w.WriteHeader(http.StatusFound)
	}
}

// Authorize opens the link of a web login on the phone and returns the address
// that the browser is sent to. Agree false is a user who refuses
// snsapi_userinfo; snsapi_base is not asked for. Rejected: the page shows an
// error, whose words are the detail.
func (f *Follower) Authorize(link string, agree bool) (address string, err error) {
	u, err := url.Parse(link)
	if err != nil || u.Path != "/connect/oauth2/authorize" {
		return "", verbError(hospital.Invalid, "Authorize", "bad_link", "want /connect/oauth2/authorize")
	}
	if u.Fragment != "wechat_redirect" {
		return "", verbError(hospital.Rejected, "Authorize", "0", "the link does not end in #wechat_redirect")
	}
	err = f.platform.act(func(t *turn) error {
		a, page := t.readAuthorization(u.RawQuery)
		switch {
		case page != nil:
			return verbError(hospital.Rejected, "Authorize", decimal(int64(page.Code)), page.Text)
		case a.scope == scopeUser && !agree:
			address = returnTo(a, "")
		default:
			address = t.grantCode(t.users.rows[f.openID], a)
		}
		return nil
	})
	return address, err
}

const snapshotSetting = "snapshot"

// Snapshot lets web logins from now on be those of a snapshot page (快照页): a
// visitor who did not tap gets a virtual openid and is_snapshotuser 1.
func (p *Platform) Snapshot(on bool) error {
	return p.act(func(t *turn) error {
		value := ""
		if on {
			value = "on"
		}
		t.settings.put(t, snapshotSetting, value)
		return nil
	})
}
