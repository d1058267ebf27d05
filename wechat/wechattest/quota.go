package wechattest

import (
	"net/http"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

// Quota is how often a path may be called; 0 means without limit.
type Quota struct {
	Day    int
	Minute int
}

// maxClears is how often a month the quotas can be cleared.
// API: POST /cgi-bin/clear_quota, "每个账号每月共10次清零操作机会".
const maxClears = 10

// usage is what a path has used, or a month's clearings.
type usage struct {
	Day      hospital.Date
	Used     int
	Minute   time.Time
	InMinute int
}

// spend counts a call against its path's limits.
func (t *turn) spend(e endpoint) *refusal {
	limit := e.quota
	if own, set := t.config.Quotas[e.path]; set {
		limit = own
	}
	if limit == (Quota{}) {
		return nil
	}
	u := t.usage.rows[e.path]
	if today := hospital.DateOf(t.now); u.Day != today {
		u.Day, u.Used = today, 0
	}
	if minute := t.now.Truncate(time.Minute); !u.Minute.Equal(minute) {
		u.Minute, u.InMinute = minute, 0
	}
	if limit.Day > 0 && u.Used >= limit.Day {
		return refuse(45009)
	}
	if limit.Minute > 0 && u.InMinute >= limit.Minute {
		return refuse(45011)
	}
	u.Used++
	u.InMinute++
	t.usage.put(t, e.path, u)
	return nil
}

func quotaEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/openapi/quota/get", withToken, Quota{}, (*turn).getQuota},
		{http.MethodPost, "/cgi-bin/openapi/quota/clear", withToken, Quota{}, (*turn).clearPath},
		{http.MethodPost, "/cgi-bin/clear_quota", withToken, Quota{}, (*turn).clearQuota},
		{http.MethodPost, "/cgi-bin/clear_quota/v2", withSecret, Quota{}, (*turn).clearQuotaBySecret},
		{http.MethodPost, "/cgi-bin/openapi/rid/get", withToken, Quota{}, (*turn).getRID},
	}
}

// clearQuota gives every path its day back.
func (t *turn) clearQuota(r *request) (any, *refusal) {
	var in struct {
		AppID string `json:"appid"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if in.AppID != t.ours().AppID {
		return nil, refuse(40013)
	}
	return nil, t.clear("")
}

// clearQuotaBySecret is clearQuota for an account that has no calls left for a
// token.
func (t *turn) clearQuotaBySecret(r *request) (any, *refusal) {
	var in struct {
		AppID  string `json:"appid"`
		Secret string `json:"appsecret"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	switch {
	case in.AppID == "":
		return nil, refuse(41002)
	case in.Secret == "":
		return nil, refuse(41004)
	}
	if no := t.knows(in.AppID, in.Secret); no != nil {
		return nil, no
	}
	return nil, t.clear("")
}

// clear gives one path its day back, all of them for "". The ten times of a
// month are shared by all three calls. Ours: the documentation counts them for
// the account and does not say so for each call.
func (t *turn) clear(path string) *refusal {
	key := "clear " + t.now.Format("2006-01")
	u := t.usage.rows[key]
	if u.Used >= maxClears {
		return refuse(48006)
	}
	u.Used++
	for _, used := range t.usage.keys() {
		if used[0] == '/' && (path == "" || used == path) {
			t.usage.drop(t, used)
		}
	}
	t.usage.put(t, key, u)
	return nil
}

// quotaOf reads which path a call asks about.
// API: POST /cgi-bin/openapi/quota/get, "不要前缀…也不要漏了/，否则都会76003的报错", 76021, and
// 76022 for paths below /sns/.
func (t *turn) quotaOf(r *request) (endpoint, *refusal) {
	var in struct {
		Path string `json:"cgi_path"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return endpoint{}, no
	}
	e, known := t.endpoints[in.Path]
	switch {
	case !strings.HasPrefix(in.Path, "/"):
		return e, refuse(76003)
	case strings.HasPrefix(in.Path, "/sns/"):
		return e, refuse(76022)
	case !known:
		return e, refuse(76021)
	}
	if own, set := t.config.Quotas[e.path]; set {
		e.quota = own
	}
	return e, nil
}

// getQuota answers openapi/quota/get; 0 is a path without a limit.
func (t *turn) getQuota(r *request) (any, *refusal) {
	e, no := t.quotaOf(r)
	if no != nil {
		return nil, no
	}
	used := 0
	if u := t.usage.rows[e.path]; u.Day == hospital.DateOf(t.now) {
		used = u.Used
	}
	type daily struct {
		Limit int `json:"daily_limit"`
		Used  int `json:"used"`
		Left  int `json:"remain"`
	}
	type rate struct {
		Calls   int `json:"call_count"`
		Seconds int `json:"refresh_second"`
	}
	out := struct {
		status
		Quota daily `json:"quota"`
		Rate  *rate `json:"rate_limit,omitempty"`
	}{status: okay(), Quota: daily{e.quota.Day, used, max(0, e.quota.Day-used)}}
	if e.quota.Minute > 0 {
		out.Rate = &rate{e.quota.Minute, 60}
	}
	return out, nil
}

// clearPath answers openapi/quota/clear.
func (t *turn) clearPath(r *request) (any, *refusal) {
	e, no := t.quotaOf(r)
	if no != nil {
		return nil, no
	}
	return nil, t.clear(e.path)
}
