package wechattest

import (
	"crypto/subtle"
	"net/netip"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// TokenKind is one of the two isolated ways to an access_token.
type TokenKind string

// The kinds. A call takes a token of either.
const (
	Classic TokenKind = "classic" // GET /cgi-bin/token
	Stable  TokenKind = "stable"  // POST /cgi-bin/stable_token
)

const (
	tokenLife = 7200 * time.Second
	// tokenOverlap is how long a classic token lives on beside its successor,
	// and how long before its end a stable one is renewed.
	tokenOverlap = 5 * time.Minute
	// forceApart and forcesADay bound force_refresh: sooner, the same token comes
	// back; more often, the call is refused.
	// API: POST /cgi-bin/stable_token, "该模式限制每天20次 … 调用时间隔至少为30s，否则不会刷新".
	forceApart = 30 * time.Second
	forcesADay = 20
)

// token is an access_token the platform has given out.
type token struct {
	Kind    TokenKind
	Expires time.Time
	Until   time.Time // replaced or revoked: refused from here on; zero while it is the latest
}

// forced is how often force_refresh was used.
type forced struct {
	Day  hospital.Date
	Used int
	Last time.Time
}

// authorized checks an access_token.
func (t *turn) authorized(value string) *refusal {
	if value == "" {
		return refuse(41001)
	}
	held, known := t.tokens.rows[value]
	switch {
	case !known, !held.Until.IsZero() && !t.now.Before(held.Until):
		return refuse(40001)
	case !t.now.Before(held.Expires):
		return refuse(42001)
	}
	return nil
}

// issue makes a new token the latest of its kind; the one before lives on for
// the overlap.
func (t *turn) issue(kind TokenKind, overlap time.Duration) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	t.tokens.sweep(t, func(old token) bool { return t.now.After(old.Expires.Add(24 * time.Hour)) })
	if before := t.current.rows[string(kind)]; before != "" {
		if old, kept := t.tokens.rows[before]; kept && old.Until.IsZero() {
			old.Until = t.now.Add(overlap)
			t.tokens.put(t, before, old)
		}
	}
	value := "90_" + randomText(letters, 133)
	t.tokens.put(t, value, token{Kind: kind, Expires: t.now.Add(tokenLife)})
	t.current.put(t, string(kind), value)
	t.next("tokens " + string(kind))
	return value
}

// tokenAnswer is the answer to both calls.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"`
}

func (t *turn) tokenAnswer(value string) tokenAnswer {
	return tokenAnswer{value, int64(t.tokens.rows[value].Expires.Sub(t.now) / time.Second)}
}

// classicToken gives out a new token at every call.
func (t *turn) classicToken(r *request) (any, *refusal) {
	if no := t.credentials(r, r.query.Get("grant_type"), r.query.Get("appid"), r.query.Get("secret")); no != nil {
		return nil, no
	}
	return t.tokenAnswer(t.issue(Classic, tokenOverlap)), nil
}

// stableToken gives out the same token until five minutes before its end.
func (t *turn) stableToken(r *request) (any, *refusal) {
	var in struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Force     bool   `json:"force_refresh"`
	}
	if no := r.decode(&in); no != nil {
		return nil, no
	}
	if no := t.credentials(r, in.GrantType, in.AppID, in.Secret); no != nil {
		return nil, no
	}
	latest := t.current.rows[string(Stable)]
	fresh := latest != "" && t.tokens.rows[latest].Expires.Sub(t.now) > tokenOverlap
	if in.Force && fresh {
		used := t.spentForce.rows[""]
		if today := hospital.DateOf(t.now); used.Day != today {
			used.Day, used.Used = today, 0
		}
		switch {
		case t.now.Sub(used.Last) < forceApart:
			return t.tokenAnswer(latest), nil
		case used.Used >= forcesADay:
			return nil, refuse(45009)
		}
		used.Used, used.Last = used.Used+1, t.now
		t.spentForce.put(t, "", used)
		// Forcing is for a token that leaked, so the old one ends at once.
		return t.tokenAnswer(t.issue(Stable, 0)), nil
	}
	if !fresh {
		latest = t.issue(Stable, tokenOverlap)
	}
	return t.tokenAnswer(latest), nil
}

// credentials checks who asks for a token, and from where.
func (t *turn) credentials(r *request, grantType, appID, secret string) *refusal {
	switch {
	case appID == "":
		return refuse(41002)
	case secret == "":
		return refuse(41004)
	case grantType != "client_credential":
		return refuse(40002)
	}
	if no := t.knows(appID, secret); no != nil {
		return no
	}
	if len(t.config.AllowIPs) == 0 {
		return nil
	}
	for _, prefix := range t.config.AllowIPs {
		if prefix.Contains(r.peer.Unmap()) {
			return nil
		}
	}
	return notListed(r.peer)
}

// knows checks an app id and its secret.
func (t *turn) knows(appID, secret string) *refusal {
	if appID != t.ours().AppID {
		return refuse(40013)
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(t.ours().Secret)) != 1 {
		return refuse(40125)
	}
	return nil
}

// callbackIPs lists where pushes come from.
func (t *turn) callbackIPs(*request) (any, *refusal) {
	return struct {
		IPs []string `json:"ip_list"`
	}{t.config.CallbackIPs}, nil
}

// Revoke is another system of the hospital that fetches a token of the kind,
// forcing it where that must be: the one given out before ends at once, and
// whoever asks again gets the new one.
func (p *Platform) Revoke(kind TokenKind) error {
	return p.act(func(t *turn) error {
		if kind != Classic && kind != Stable {
			return verbError(hospital.Invalid, "Revoke", "bad_kind", "want classic or stable")
		}
		t.issue(kind, 0)
		return nil
	})
}

// Spoil lets the latest token of the kind be refused although the platform
// still gives it out: only force_refresh, or a classic call, helps.
func (p *Platform) Spoil(kind TokenKind) error {
	return p.act(func(t *turn) error {
		value := t.current.rows[string(kind)]
		held, known := t.tokens.rows[value]
		if !known {
			return verbError(hospital.Conflict, "Spoil", "no_token", "none was given out")
		}
		held.Until = t.now
		t.tokens.put(t, value, held)
		return nil
	})
}

// AllowIPs replaces the addresses that may fetch a token (IP白名单); none means
// all.
func (p *Platform) AllowIPs(prefixes ...netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config.AllowIPs = prefixes
}

// Tokens returns how many tokens of the kind were ever given out.
func (p *Platform) Tokens(kind TokenKind) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counters.rows["tokens "+string(kind)]
}

// verbError is the error of a control verb.
func verbError(kind hospital.Kind, verb, code, detail string) error {
	return &hospital.Error{Kind: kind, Op: "wechattest." + strings.TrimSpace(verb), Code: code, Detail: detail}
}
