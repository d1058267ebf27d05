package wechattest

import (
	"net/http"
	"time"
)

const (
	// maxLongData is the longest text behind a short key, in bytes.
	// API: POST /cgi-bin/shorten/gen, long_data "不超过4KB", short_key "15字节".
	maxLongData    = 4 << 10
	shortKeyLength = 15
	// monthSeconds is the longest life of a short key and of a temporary QR code.
	monthSeconds = 2_592_000
)

// shortened is the text behind a short key.
type shortened struct {
	Data    string
	Created time.Time
	Until   time.Time
}

func shortenEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/shorten/gen", withToken, Quota{Day: 100_000}, (*turn).shorten},
		{http.MethodPost, "/cgi-bin/shorten/fetch", withToken, Quota{Day: 500_000}, (*turn).fetchShort},
	}
}

// shorten answers shorten/gen.
func (t *turn) shorten(r *request) (any, *refusal) {
	var in struct {
		Data    string `json:"long_data"`
		Seconds *int64 `json:"expire_seconds"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	seconds := int64(monthSeconds)
	if in.Seconds != nil {
		seconds = *in.Seconds
	}
	switch {
	case in.Data == "":
		return nil, refuse(47003)
	case len(in.Data) > maxLongData:
		return nil, refuse(9410010)
	case seconds < 1, seconds > monthSeconds:
		return nil, refuse(9410011)
	}
	t.shorts.sweep(t, func(s shortened) bool { return !t.now.Before(s.Until) })
	key := randomText("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", shortKeyLength)
	t.shorts.put(t, key, shortened{in.Data, t.now, t.now.Add(time.Duration(seconds) * time.Second)})
	return struct {
		status
		Key string `json:"short_key"`
	}{okay(), key}, nil
}

// fetchShort answers shorten/fetch.
func (t *turn) fetchShort(r *request) (any, *refusal) {
	var in struct {
		Key string `json:"short_key"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	s, there := t.shorts.rows[in.Key]
	switch {
	case in.Key == "":
		return nil, refuse(47003)
	case !there, !t.now.Before(s.Until):
		return nil, refuse(9410012)
	}
	return struct {
		status
		Data    string `json:"long_data"`
		Created int64  `json:"create_time"`
		Left    int64  `json:"expire_seconds"`
	}{okay(), s.Data, s.Created.Unix(), int64(s.Until.Sub(t.now) / time.Second)}, nil
}
