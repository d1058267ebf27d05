package wechattest

import (
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

// clearQuota gives every path its day back.
func (t *turn) clearQuota(r *request) (any, *refusal) {
	var in struct {
		AppID string `json:"appid"`
	}
	if no := r.decode(&in); no != nil {
		return nil, no
	}
	if in.AppID != t.ours().AppID {
		return nil, refuse(40013)
	}
	key := "clear " + t.now.Format("2006-01")
	u := t.usage.rows[key]
	if u.Used >= maxClears {
		return nil, refuse(48006)
	}
	u.Used++
	for _, path := range t.usage.keys() {
		if path[0] == '/' {
			t.usage.drop(t, path)
		}
	}
	t.usage.put(t, key, u)
	return nil, nil
}
