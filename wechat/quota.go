package wechat

import (
	"context"
	"strings"
	"time"
)

// Quota is how often an interface may be called. The days are China's; a Limit or
// RateCalls of 0 is none that the platform tells.
type Quota struct {
	Limit, Used, Left int64 // of a day
	// RateCalls are allowed within RateEvery.
	RateCalls int64
	RateEvery time.Duration
}

// interfacePath is the body of calls that speak of an interface.
type interfacePath struct {
	Path string `json:"cgi_path"`
}

func (p interfacePath) validate(op string) error {
	if !strings.HasPrefix(p.Path, "/") {
		return invalid(op, "bad_path", "cgi_path: want a path such as /cgi-bin/menu/create, without the host")
	}
	if strings.HasPrefix(p.Path, "/sns/") {
		return invalid(op, "bad_path", "cgi_path: the quotas of /sns/ cannot be asked about")
	}
	return nil
}

// FindQuota asks how often an interface, such as "/cgi-bin/menu/create", may be
// called and has been called today. It returns Invalid with code bad_path before
// anything is sent; an unknown path has code 76021.
// API: POST /cgi-bin/openapi/quota/get.
func (c *Client) FindQuota(ctx context.Context, path string) (Quota, error) {
	const op = "wechat.FindQuota"
	body := interfacePath{path}
	if err := body.validate(op); err != nil {
		return Quota{}, err
	}
	ask := call{op: op, path: "/cgi-bin/openapi/quota/get", body: body}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return Quota{}, err
	}
	if !answer.Get("quota").IsObject() {
		return Quota{}, ask.bad("quota")
	}
	var quota Quota
	var seconds int64
	for _, field := range []struct {
		name string
		into *int64
	}{
		{"quota.daily_limit", &quota.Limit},
		{"quota.used", &quota.Used},
		{"quota.remain", &quota.Left},
		{"rate_limit.call_count", &quota.RateCalls},
		{"rate_limit.refresh_second", &seconds},
	} {
		if *field.into, err = integer(answer.Get(field.name)); err != nil {
			return Quota{}, ask.bad(field.name)
		}
	}
	quota.RateEvery = time.Duration(seconds) * time.Second
	return quota, nil
}

// ClearQuota gives all interfaces their day back. An account has ten such calls a
// month, whichever of the three it uses; then it is Unavailable with code 48006.
// API: POST /cgi-bin/clear_quota.
func (c *Client) ClearQuota(ctx context.Context) error {
	body := struct {
		AppID string `json:"appid"`
	}{c.appID}
	_, err := c.do(ctx, call{op: "wechat.ClearQuota", path: "/cgi-bin/clear_quota", body: body, changes: true})
	return err
}

// ClearQuotaOf is ClearQuota for one interface. It returns Invalid with code
// bad_path before anything is sent.
// API: POST /cgi-bin/openapi/quota/clear.
func (c *Client) ClearQuotaOf(ctx context.Context, path string) error {
	const op = "wechat.ClearQuotaOf"
	body := interfacePath{path}
	if err := body.validate(op); err != nil {
		return err
	}
	_, err := c.do(ctx, call{op: op, path: "/cgi-bin/openapi/quota/clear", body: body, changes: true})
	return err
}

// ClearQuotaBySecret is ClearQuota without an access token: the way out when the
// calls for a token themselves are used up.
// API: POST /cgi-bin/clear_quota/v2.
func (c *Client) ClearQuotaBySecret(ctx context.Context) error {
	body := struct {
		AppID  string `json:"appid"`
		Secret string `json:"appsecret"`
	}{c.appID, c.secret}
	_, err := c.do(ctx, call{op: "wechat.ClearQuotaBySecret", path: "/cgi-bin/clear_quota/v2", body: body, open: true, changes: true})
	return err
}
