package wechattest

import "net/http"

// maxBarred is how many users one call bars or lets in again.
// API: POST /cgi-bin/tags/members/batchblacklist, "一次最多拉黑20个用户".
const maxBarred = 20

func blacklistEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/tags/members/getblacklist", withToken, Quota{Day: 1000}, (*turn).listBarred},
		{http.MethodPost, "/cgi-bin/tags/members/batchblacklist", withToken, Quota{Day: 1000}, (*turn).bar},
		{http.MethodPost, "/cgi-bin/tags/members/batchunblacklist", withToken, Quota{Day: 1000}, (*turn).unbar},
	}
}

// listBarred answers tags/members/getblacklist.
func (t *turn) listBarred(r *request) (any, *refusal) {
	var in struct {
		Begin string `json:"begin_openid"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	var all []string
	for _, openID := range t.followers() {
		if t.users.rows[openID].Barred {
			all = append(all, openID)
		}
	}
	out, no := pageAfter(all, in.Begin)
	if no != nil {
		return nil, no
	}
	total := len(all)
	out.Total = &total
	return out, nil
}

// bar answers tags/members/batchblacklist.
func (t *turn) bar(r *request) (any, *refusal) { return nil, t.setBarred(r, true) }

// unbar answers tags/members/batchunblacklist.
func (t *turn) unbar(r *request) (any, *refusal) { return nil, t.setBarred(r, false) }

// setBarred does all of the list or nothing.
func (t *turn) setBarred(r *request, barred bool) *refusal {
	var in struct {
		OpenIDs []string `json:"openid_list"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return no
	}
	if n := len(in.OpenIDs); n < 1 || n > maxBarred {
		return refuse(40032)
	}
	for _, openID := range in.OpenIDs {
		u, no := t.person(openID)
		if no != nil {
			return no
		}
		if !u.Subscribed {
			return refuse(40003)
		}
	}
	for _, openID := range in.OpenIDs {
		u := t.users.rows[openID]
		u.Barred = barred
		t.users.put(t, openID, u)
	}
	return nil
}
