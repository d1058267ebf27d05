package wechat

import (
	"context"
	"net/url"
	"time"

	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

const (
	defaultTimeout = 10 * time.Second // of one call, whichever hosts it tries
	// standbyDial is how long a host that is silent may keep a call from the next
	// one. A connection within China stands in a tenth of it.
	standbyDial = 2 * time.Second
	maxStandby  = 8 // the platform names four
)

// StandbyURLs returns the platform's other doors in the order in which they are
// tried: the disaster host, then Shanghai, Shenzhen and Hong Kong.
// Source: developers.weixin.qq.com, 接口域名说明, which asks for names, not for
// addresses.
func StandbyURLs() []string {
	return []string{
		"https://api2.weixin.qq.com", "https://sh.api.weixin.qq.com", "https://sz.api.weixin.qq.com", "https://hk.api.weixin.qq.com",
	}
}

// host is one door of the platform, with a breaker of its own.
type host struct {
	name   string // with its port, if it has one
	remote *remote.Client
}

// newHosts returns the hosts in the order in which a call tries them.
func newHosts(config Config) ([]host, error) {
	addresses := append([]string{config.BaseURL}, config.Standby...)
	hosts := make([]host, 0, len(addresses))
	for i, address := range addresses {
		settings := remote.Config{
			Name: "wechat", BaseURL: address, HTTPClient: config.HTTPClient, DialContext: config.DialContext,
			Logger: config.Logger, Timeout: config.Timeout, MaxConcurrent: config.MaxConcurrent, MaxResponse: maxAnswer,
			TripAfter: config.TripAfter, OpenFor: config.OpenFor, Elsewhere: i < len(addresses)-1,
		}
		if settings.Elsewhere {
			settings.DialTimeout = min(standbyDial, config.Timeout)
		}
		caller, err := remote.New(settings)
		if err != nil {
			return nil, err //nolint:wrapcheck // a *hospital.Error that names the field
		}
		u, err := url.Parse(address)
		if err != nil {
			return nil, err //nolint:wrapcheck // remote.New has parsed it
		}
		hosts = append(hosts, host{u.Host, caller})
	}
	return hosts, nil
}

// elsewhere reports whether the next host may be asked: only where nothing of
// the request can have left, for want of a name, a connection or a breaker that
// is closed. A lost answer stays lost, whatever stands by.
func elsewhere(ctx context.Context, told remote.Answer, failure *hospital.Error) bool {
	return failure != nil && failure.Kind == hospital.Unavailable && !told.Sent && failure.Code != "busy" && ctx.Err() == nil
}

// once makes the call, at the first host that can be reached, and reads
// errcode. lost reports that an attempt before the answered one may have been
// applied.
func (c *Client) once(ctx context.Context, call call, body []byte, token string) (result gjson.Result, lost bool, failure *hospital.Error) {
	ctx, cancel := context.WithTimeout(ctx, call.patience(c.timeout))
	defer cancel()
	request := call.request(body, token)
	for i, host := range c.hosts {
		begun := time.Now()
		told, err := host.remote.Do(ctx, request)
		result, failure = c.read(call, told, err, token)
		c.observe(call, host, told, failure, time.Since(begun))
		if i == len(c.hosts)-1 || !elsewhere(ctx, told, failure) {
			return result, told.Lost > 0, failure
		}
		c.logger.WarnContext(ctx, "wechat host not reached", "op", call.op, "host", host.name, "code", failure.Code, "next", c.hosts[i+1].name)
	}
	return result, lost, failure
}
