package wechat

import (
	"context"
	"log/slog"
	"regexp"
	"time"

	"github.com/wxhospital/hospital"
)

// Refused is a call as the platform saw it: the one that a [Refusal]'s RID names.
// Its words may speak of a user, so it shows only when it was in logs.
type Refused struct {
	At     time.Time
	Took   time.Duration
	Query  string // request_url: the token is cut
	Body   string
	Answer string
	From   string // the caller's address, as the platform saw it
}

// LogValue tells when the call was made, and how long it took.
func (r Refused) LogValue() slog.Value {
	return slog.GroupValue(slog.Time("at", r.At), slog.Duration("took", r.Took))
}

var ridForm = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{8}){2}$`)

// FindRefused asks about a refused call of the last seven days by its rid. It
// returns Invalid with code bad_rid before anything is sent; an older one has code
// 76001, one below /sns/ 76022.
// API: POST /cgi-bin/openapi/rid/get.
func (c *Client) FindRefused(ctx context.Context, rid string) (Refused, error) {
	const op = "wechat.FindRefused"
	if !ridForm.MatchString(rid) {
		return Refused{}, invalid(op, "bad_rid", "rid: want three groups of eight hex digits")
	}
	body := struct {
		RID string `json:"rid"`
	}{rid}
	ask := call{op: op, path: "/cgi-bin/openapi/rid/get", body: body}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return Refused{}, err
	}
	request := answer.Get("request")
	seconds, badTime := integer(request.Get("invoke_time"))
	cost, badCost := integer(request.Get("cost_in_ms"))
	if !request.IsObject() || badTime != nil || badCost != nil {
		return Refused{}, ask.bad("request")
	}
	return Refused{
		At: time.Unix(seconds, 0).In(hospital.CST), Took: time.Duration(cost) * time.Millisecond,
		Query: request.Get("request_url").String(), Body: request.Get("request_body").String(),
		Answer: request.Get("response_body").String(), From: request.Get("client_ip").String(),
	}, nil
}
