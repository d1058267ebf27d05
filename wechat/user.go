package wechat

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"strconv"
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
	return readUser(ask, id, answer)
}

// readUser reads what the platform tells about the user.
func readUser(ask call, id OpenID, answer gjson.Result) (User, error) {
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
	if user.Tags, err = readTags(answer.Get("tagid_list")); err != nil {
		return User{}, ask.bad("tagid_list")
	}
	return user, nil
}

// readTags reads a list of tag ids.
func readTags(list gjson.Result) (tags []int64, err error) {
	list.ForEach(func(_, tag gjson.Result) bool {
		var id int64
		id, err = integer(tag)
		tags = append(tags, id)
		return err == nil
	})
	return tags, err
}

const (
	// maxUsers is how many users one call may ask about.
	// API: POST /cgi-bin/user/info/batchget, "最多支持一次拉取100条".
	maxUsers = 100
	// tooLongRemark is the first length, in bytes, that a remark may not have.
	// API: POST /cgi-bin/user/info/updateremark, "长度必须小于30字节".
	tooLongRemark = 30
	// maxUserPages bounds a list of openids: ten thousand times ten thousand.
	maxUserPages = 10_000
)

// checkUsers wants 1 to most openids.
func checkUsers(op, field string, ids []OpenID, most int) error {
	if len(ids) == 0 || len(ids) > most {
		return invalid(op, "bad_users", field+": want 1 to "+strconv.Itoa(most))
	}
	if at := slices.Index(ids, ""); at >= 0 {
		return invalid(op, "bad_users", field+"["+strconv.Itoa(at)+"]: empty")
	}
	return nil
}

// texts are the openids as the errors must not show them.
func texts(ids []OpenID) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = string(id)
	}
	return all
}

// FindUsers asks about one to a hundred users, in their order. It returns Invalid
// with code bad_users before anything is sent; one whom the account has never met
// is Rejected with code 40003.
// API: POST /cgi-bin/user/info/batchget.
func (c *Client) FindUsers(ctx context.Context, ids []OpenID) ([]User, error) {
	const op = "wechat.FindUsers"
	if err := checkUsers(op, "user_list", ids, maxUsers); err != nil {
		return nil, err
	}
	type wanted struct {
		OpenID   OpenID `json:"openid"`
		Language string `json:"lang"`
	}
	var body struct {
		Users []wanted `json:"user_list"`
	}
	for _, id := range ids {
		body.Users = append(body.Users, wanted{id, "zh_CN"})
	}
	ask := call{op: op, path: "/cgi-bin/user/info/batchget", body: body, personal: texts(ids)}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	rows := answer.Get("user_info_list").Array()
	if len(rows) != len(ids) {
		return nil, ask.bad("user_info_list: not as many as were asked for")
	}
	users := make([]User, len(ids))
	for i, row := range rows {
		if users[i], err = readUser(ask, ids[i], row); err != nil {
			return nil, err
		}
	}
	return users, nil
}

// RemarkUser names a follower (备注名): less than 30 bytes, nine Chinese
// characters; "" takes the name away. It may be repeated when the answer was lost.
// Invalid with code bad_remark before anything is sent.
// API: POST /cgi-bin/user/info/updateremark.
func (c *Client) RemarkUser(ctx context.Context, id OpenID, remark string) error {
	switch {
	case id == "":
		return invalid("wechat.RemarkUser", "bad_remark", "openid: missing")
	case len(remark) >= tooLongRemark:
		return invalid("wechat.RemarkUser", "bad_remark", "remark: want less than 30 bytes")
	}
	body := struct {
		OpenID OpenID `json:"openid"`
		Remark string `json:"remark"`
	}{id, remark}
	_, err := c.do(ctx, call{
		op: "wechat.RemarkUser", path: "/cgi-bin/user/info/updateremark", body: body, changes: true, idempotent: true,
		personal: []string{string(id), remark},
	})
	return err
}

// ListUsers walks over all followers, in the order in which they came, a page of
// ten thousand at a time. It ends at the first error, of the kinds of [Client].
// API: GET /cgi-bin/user/get.
func (c *Client) ListUsers(ctx context.Context) iter.Seq2[OpenID, error] {
	return c.openIDs(ctx, func(after string) call {
		ask := call{op: "wechat.ListUsers", path: "/cgi-bin/user/get"}
		if after != "" {
			ask.query, ask.personal = url.Values{"next_openid": {after}}, []string{after}
		}
		return ask
	})
}

// openIDs walks over the pages of a list of openids. page is the call for the one
// that follows an openid.
func (c *Client) openIDs(ctx context.Context, page func(after string) call) iter.Seq2[OpenID, error] {
	return func(yield func(OpenID, error) bool) {
		after := ""
		for range maxUserPages {
			ask := page(after)
			answer, err := c.do(ctx, ask)
			if err != nil {
				yield("", err)
				return
			}
			ids := answer.Get("data.openid").Array()
			for _, id := range ids {
				if !yield(OpenID(id.String()), nil) {
					return
				}
			}
			next := answer.Get("next_openid").String()
			if len(ids) == 0 || next == "" {
				return
			}
			if next == after {
				yield("", ask.bad("next_openid: the same page again"))
				return
			}
			after = next
		}
	}
}
