package wechat

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
)

const (
	// maxLongData is the longest text behind a short key, in bytes.
	// API: POST /cgi-bin/shorten/gen, long_data "不超过4KB".
	maxLongData  = 4 << 10
	maxShortLife = 30 * 24 * time.Hour
)

// Shorten returns a short key of 15 letters and digits for a text (短key托管), for
// example to stand in a QR code that would be too dense. The platform keeps the
// text, so it must not be a patient's. life is 1 s to 30 days, in whole seconds.
// It may be repeated when the answer was lost: the first key serves nobody.
// Invalid with code bad_short_key before anything is sent.
// API: POST /cgi-bin/shorten/gen.
func (c *Client) Shorten(ctx context.Context, text string, life time.Duration) (key string, err error) {
	switch {
	case text == "" || len(text) > maxLongData:
		return "", invalid("wechat.Shorten", "bad_short_key", "long_data: want 1 to 4096 bytes")
	case life < time.Second || life > maxShortLife || life%time.Second != 0:
		return "", invalid("wechat.Shorten", "bad_short_key", "expire_seconds: want whole seconds, 1 to 2592000")
	}
	body := struct {
		Data    string `json:"long_data"`
		Seconds int64  `json:"expire_seconds"`
	}{text, int64(life / time.Second)}
	ask := call{op: "wechat.Shorten", path: "/cgi-bin/shorten/gen", body: body, changes: true, idempotent: true, personal: []string{text}}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return "", err
	}
	if key = answer.Get("short_key").String(); key == "" {
		return "", ask.bad("short_key")
	}
	return key, nil
}

// Lengthened is the text behind a short key.
type Lengthened struct {
	Text      string
	CreatedAt time.Time
	Left      time.Duration // of its life
}

// Lengthen returns the text behind a short key. One that is unknown or has ended
// has code 9410012.
// API: POST /cgi-bin/shorten/fetch.
func (c *Client) Lengthen(ctx context.Context, key string) (Lengthened, error) {
	if key == "" {
		return Lengthened{}, invalid("wechat.Lengthen", "bad_short_key", "short_key: missing")
	}
	body := struct {
		Key string `json:"short_key"`
	}{key}
	ask := call{op: "wechat.Lengthen", path: "/cgi-bin/shorten/fetch", body: body}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return Lengthened{}, err
	}
	created, badCreated := integer(answer.Get("create_time"))
	left, badLeft := integer(answer.Get("expire_seconds"))
	if badCreated != nil || badLeft != nil || !answer.Get("long_data").Exists() {
		return Lengthened{}, ask.bad("long_data, create_time or expire_seconds")
	}
	return Lengthened{
		Text: answer.Get("long_data").String(), CreatedAt: time.Unix(created, 0).In(hospital.CST), Left: time.Duration(left) * time.Second,
	}, nil
}
