package wechattest

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// userPage is how many openids one answer of user/get holds.
const userPage = 10_000

// user is a person with WeChat, as the account sees them.
type user struct {
	OpenID       string
	UnionID      string `json:",omitempty"`
	Nickname     string
	Order        int64 // of joining; user/get lists by it
	Subscribed   bool
	SubscribedAt time.Time
	SceneOf      string // subscribe_scene
	QRScene      string `json:",omitempty"` // qr_scene_str
	Blocked      bool   // refuses the account's template messages
	Windows      map[string]window
	Bubbles      int64
}

// openIDOf derives the openid of the account's n-th user: 28 characters that
// begin with "o".
func openIDOf(appID string, n int64) string {
	sum := sha256.Sum256([]byte(appID + "|" + strconv.FormatInt(n, 10)))
	return "o" + base64.RawURLEncoding.EncodeToString(sum[:])[:27]
}

// join lets a new user exist.
func (t *turn) join(nickname string) user {
	n := t.next("users")
	u := user{OpenID: openIDOf(t.ours().AppID, n), Nickname: nickname, Order: n}
	if t.config.UnionIDs {
		u.UnionID = openIDOf("open platform", n)
	}
	t.users.put(t, u.OpenID, u)
	return u
}

// followers returns the openids of those who follow, in the order of joining.
func (t *turn) followers() []string {
	var all []user
	for u := range maps.Values(t.users.rows) {
		if u.Subscribed {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(a, b user) int { return int(a.Order - b.Order) })
	ids := make([]string, len(all))
	for i, u := range all {
		ids[i] = u.OpenID
	}
	return ids
}

func userEndpoints() []endpoint {
	return []endpoint{
		{http.MethodGet, "/cgi-bin/user/get", withToken, Quota{Day: 500}, (*turn).listUsers},
		{http.MethodGet, "/cgi-bin/user/info", withToken, Quota{Day: 500_000}, (*turn).userInfo},
	}
}

// listUsers answers user/get.
func (t *turn) listUsers(r *request) (any, *refusal) {
	type data struct {
		OpenIDs []string `json:"openid"`
	}
	all := t.followers()
	from := 0
	if after := r.query.Get("next_openid"); after != "" {
		at := slices.Index(all, after)
		if at < 0 {
			return nil, refuse(40003)
		}
		from = at + 1
	}
	page := all[from:min(len(all), from+userPage)]
	out := struct {
		Total int    `json:"total"`
		Count int    `json:"count"`
		Data  *data  `json:"data,omitempty"`
		Next  string `json:"next_openid"`
	}{Total: len(all), Count: len(page)}
	if len(page) > 0 {
		out.Data, out.Next = &data{page}, page[len(page)-1]
	}
	return out, nil
}

// userInfo answers user/info. Nickname and portrait are not given any more.
// API: GET /cgi-bin/user/info, notice of 2021-12-27.
func (t *turn) userInfo(r *request) (any, *refusal) {
	u, known := t.users.rows[r.query.Get("openid")]
	if !known {
		return nil, refuse(40003)
	}
	if !u.Subscribed {
		return struct {
			Subscribe int    `json:"subscribe"`
			OpenID    string `json:"openid"`
		}{0, u.OpenID}, nil
	}
	return struct {
		Subscribe     int    `json:"subscribe"`
		OpenID        string `json:"openid"`
		Nickname      string `json:"nickname"`
		Sex           int    `json:"sex"`
		Language      string `json:"language"`
		City          string `json:"city"`
		Province      string `json:"province"`
		Country       string `json:"country"`
		Portrait      string `json:"headimgurl"`
		SubscribeTime int64  `json:"subscribe_time"`
		UnionID       string `json:"unionid,omitempty"`
		Remark        string `json:"remark"`
		GroupID       int    `json:"groupid"`
		Tags          []int  `json:"tagid_list"`
		Scene         string `json:"subscribe_scene"`
		QRScene       int    `json:"qr_scene"`
		QRSceneText   string `json:"qr_scene_str"`
	}{
		Subscribe: 1, OpenID: u.OpenID, Language: "zh_CN", SubscribeTime: u.SubscribedAt.Unix(), UnionID: u.UnionID,
		Tags: []int{}, Scene: u.SceneOf, QRSceneText: u.QRScene,
	}, nil
}
