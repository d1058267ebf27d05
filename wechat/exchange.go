package wechat

import (
	"errors"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

// Outcome says in one word how an [Exchange] ended.
type Outcome string

// The outcomes.
const (
	OutcomeOK         Outcome = "ok"         // the platform did what it was asked
	OutcomeRefused    Outcome = "refused"    // it said no: Class and Code tell why
	OutcomeUnsent     Outcome = "unsent"     // nothing left this machine
	OutcomeLost       Outcome = "lost"       // sent, and no answer came back
	OutcomeUnreadable Outcome = "unreadable" // what came back is no answer of the platform
)

// Exchange is one request to the platform after it ended, for logs and metrics.
// It holds values that this package has made and nothing that came with the
// request or the answer: no token, secret, openid, address or word of either.
// Every field but Took has few values, so each may be a metric's label.
type Exchange struct {
	Op      string // "wechat.Notify"
	Path    string // "/cgi-bin/message/template/send"
	Host    string // "api.weixin.qq.com", as the Config has it
	Outcome Outcome
	Class   Class // of a refusal
	Code    int   // errcode, 0 for none
	// Attempts is how often the request was made at this host, 0 when the breaker
	// or the limit on calls under way did not let it out.
	Attempts int
	Took     time.Duration
}

// observe tells the hook of the Config.
func (c *Client) observe(call call, host host, told remote.Answer, failure *hospital.Error, took time.Duration) {
	if c.watch == nil {
		return
	}
	e := Exchange{Op: call.op, Path: call.path, Host: host.name, Attempts: told.Attempts, Took: took}
	if failure == nil {
		e.Outcome = OutcomeOK
		c.watch(e)
		return
	}
	switch refusal, refused := errors.AsType[*Refusal](failure); {
	case refused:
		e.Outcome, e.Class, e.Code = OutcomeRefused, refusal.Class, refusal.Code
	case told.Status != 0:
		e.Outcome = OutcomeUnreadable
	case told.Sent:
		e.Outcome = OutcomeLost
	default:
		e.Outcome = OutcomeUnsent
	}
	c.watch(e)
}
