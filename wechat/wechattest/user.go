package wechattest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"regexp"
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
	SceneOf      string    // subscribe_scene
	QRScene      string    `json:",omitempty"` // qr_scene_str
	QRSceneID    int64     `json:",omitempty"` // qr_scene
	Remark       string    `json:",omitempty"`
	Tags         []int     `json:",omitempty"` // in the order in which they were given
	Barred       bool      `json:",omitempty"` // on the account's blacklist
	Phone        Phone     `json:",omitempty"`
	Risky        bool      `json:",omitempty"` // mini programs do not let them in
	Blocked      bool      // refuses the account's template messages
	Muted        bool      `json:",omitempty"` // refuses customer-service and mass messages
	Touched      time.Time // when one side last wrote to the other
	Typing       time.Time // until when the phone shows that the account types
	MassMonth    string    `json:",omitempty"` // "2026-11"
	Masses       int       `json:",omitempty"` // messages to many in that month
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
		{http.MethodPost, "/cgi-bin/user/info/batchget", withToken, Quota{Day: 500_000}, (*turn).userInfos},
		{http.MethodPost, "/cgi-bin/user/info/updateremark", withToken, Quota{Day: 10_000}, (*turn).updateRemark},
	}
}

// openIDPage is a page of openids, as four calls answer it.
type openIDPage struct {
	Total *int     `json:"total,omitempty"`
	Count int      `json:"count"`
	Data  *openIDs `json:"data,omitempty"`
	Next  string   `json:"next_openid"`
}

type openIDs struct {
	OpenIDs []string `json:"openid"`
}

// pageAfter cuts the page that follows an openid, the first for "".
// API: GET /cgi-bin/user/get, "一次拉取调用最多拉取10000个关注者的OpenID".
func pageAfter(all []string, after string) (openIDPage, *refusal) {
	from := 0
	if after != "" {
		at := slices.Index(all, after)
		if at < 0 {
			return openIDPage{}, refuse(40003)
		}
		from = at + 1
	}
	ids := all[from:min(len(all), from+userPage)]
	out := openIDPage{Count: len(ids)}
	if len(ids) > 0 {
		out.Data, out.Next = &openIDs{ids}, ids[len(ids)-1]
	}
	return out, nil
}

// openIDForm is what every openid looks like.
var openIDForm = regexp.MustCompile(`^o[A-Za-z0-9_-]{27}$`)

// person finds a user whom a call names.
func (t *turn) person(openID string) (user, *refusal) {
	u, known := t.users.rows[openID]
	switch {
	case known:
		return u, nil
	case openIDForm.MatchString(openID):
		return user{}, refuse(49003) // well-formed, and of another account
	}
	return user{}, refuse(40003)
}

// listUsers answers user/get.
func (t *turn) listUsers(r *request) (any, *refusal) {
	all := t.followers()
	out, no := pageAfter(all, r.query.Get("next_openid"))
	if no != nil {
		return nil, no
	}
	total := len(all)
	out.Total = &total
	return out, nil
}

// profile is what the platform tells of a user. Nickname and portrait are not
// given any more, and of one who does not follow nothing is.
// API: GET /cgi-bin/user/info, notice of 2021-12-27.
type profile struct {
	Subscribe int    `json:"subscribe"`
	OpenID    string `json:"openid"`
	*following
}

type following struct {
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
	QRScene       int64  `json:"qr_scene"`
	QRSceneText   string `json:"qr_scene_str"`
}

func (t *turn) profile(openID, language string) (profile, *refusal) {
	if !slices.Contains([]string{"", "zh_CN", "zh_TW", "en"}, language) {
		return profile{}, refuse(40035)
	}
	u, known := t.users.rows[openID]
	switch {
	case !known:
		return profile{}, refuse(40003)
	case !u.Subscribed:
		return profile{OpenID: u.OpenID}, nil
	}
	return profile{1, u.OpenID, &following{
		Language: cmp.Or(language, "zh_CN"), SubscribeTime: u.SubscribedAt.Unix(), UnionID: u.UnionID, Remark: u.Remark,
		Tags: append([]int{}, u.Tags...), Scene: u.SceneOf, QRScene: u.QRSceneID, QRSceneText: u.QRScene,
	}}, nil
}

// userInfo answers user/info.
func (t *turn) userInfo(r *request) (any, *refusal) {
	out, no := t.profile(r.query.Get("openid"), r.query.Get("lang"))
	return out, no
}

// maxProfiles is how many users one call may ask about.
// API: POST /cgi-bin/user/info/batchget, "最多支持一次拉取100条".
const maxProfiles = 100

// userInfos answers user/info/batchget.
func (t *turn) userInfos(r *request) (any, *refusal) {
	var in struct {
		Users []struct {
			OpenID   string `json:"openid"`
			Language string `json:"lang"`
			Old      string `json:"language"` // passed over: wechat-api calls lang so
		} `json:"user_list"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if n := len(in.Users); n < 1 || n > maxProfiles {
		return nil, refuse(40032)
	}
	var out struct {
		Users []profile `json:"user_info_list"`
	}
	for _, wanted := range in.Users {
		one, no := t.profile(wanted.OpenID, wanted.Language)
		if no != nil {
			return nil, no
		}
		out.Users = append(out.Users, one)
	}
	return out, nil
}

// maxRemark is the first length, in bytes, that a remark may not have.
// API: POST /cgi-bin/user/info/updateremark, "长度必须小于30字节".
const maxRemark = 30

// updateRemark answers user/info/updateremark.
func (t *turn) updateRemark(r *request) (any, *refusal) {
	var in struct {
		OpenID string `json:"openid"`
		Remark string `json:"remark"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	u, known := t.users.rows[in.OpenID]
	switch {
	case !known, !u.Subscribed:
		return nil, refuse(40003)
	case len(in.Remark) >= maxRemark:
		return nil, refuse(40092)
	}
	u.Remark = in.Remark
	t.users.put(t, u.OpenID, u)
	return nil, nil
}
