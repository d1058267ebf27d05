package wechat

import (
	"context"
	"net/url"
	"time"

	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
)

// User is what the platform tells about one who follows, or once followed. It
// gives no name and no picture since December 2021.
type User struct {
	OpenID       OpenID
	Subscribed   bool // nothing below is known of others
	SubscribedAt time.Time
	UnionID      string // for an account bound to an Open Platform account
	Language     string
	Remark       string // 备注名, given by the account
	Tags         []int64
	// Source is subscribe_scene: "ADD_SCENE_QR_CODE", "ADD_SCENE_SEARCH" …;
	// Scene is that of the QR code.
	Source, Scene string
}

// FindUser asks about one user. A user the account has never met is Rejected
// with code 40003.
// API: GET /cgi-bin/user/info.
func (c *Client) FindUser(ctx context.Context, id OpenID) (User, error) {
	ask := call{
		op: "wechat.FindUser", path: "/cgi-bin/user/info", personal: []string{string(id)},
		query: url.Values{"openid": {string(id)}, "lang": {"zh_CN"}},
	}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return User{}, err
	}
	if answer.Get("openid").String() != string(id) {
		return User{}, ask.bad("openid: not the one that was asked for")
	}
	user := User{OpenID: id, Subscribed: answer.Get("subscribe").Int() == 1}
	if !user.Subscribed {
		return user, nil
	}
	seconds, err := integer(answer.Get("subscribe_time"))
	if err != nil {
		return User{}, ask.bad("subscribe_time")
	}
	user.SubscribedAt = time.Unix(seconds, 0).In(hospital.CST)
	user.UnionID = answer.Get("unionid").String()
	user.Language = answer.Get("language").String()
	user.Remark = answer.Get("remark").String()
	user.Source = answer.Get("subscribe_scene").String()
	user.Scene = answer.Get("qr_scene_str").String()
	if scene := answer.Get("qr_scene").String(); user.Scene == "" && scene != "0" {
		user.Scene = scene
	}
	answer.Get("tagid_list").ForEach(func(_, tag gjson.Result) bool {
		user.Tags = append(user.Tags, tag.Int())
		return true
	})
	return user, nil
}
