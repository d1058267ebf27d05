package wechat

import (
	"cmp"
	"context"
	"iter"

	"github.com/tidwall/gjson"
)

const (
	// maxTagName is the longest name of a tag, in bytes: ten Chinese characters.
	// API: POST /cgi-bin/tags/create, 45158 "标签名长度超过30个字节".
	maxTagName = 30
	// maxTagged is how many followers one call tags.
	// API: POST /cgi-bin/tags/members/batchtagging, "最多50个".
	maxTagged = 50
)

// Tag is a label that the account puts on followers (用户标签): at most a hundred in
// all and twenty for one follower. Ids below 3 are the platform's own.
type Tag struct {
	ID    int64
	Name  string
	Count int // followers who bear it; [Client.ListTags] alone tells
}

func checkTagID(id int64) error {
	if id < 3 {
		return badTag("tag.id: want 3 or more, for the others are the platform's own")
	}
	return nil
}

func checkTagName(name string) error {
	if name == "" || len(name) > maxTagName {
		return badTag("tag.name: want 1 to 30 bytes")
	}
	return nil
}

func badTag(detail string) error { return invalid("wechat.Tag", "bad_tag", detail) }

// wireTag is the tag as the calls carry it.
type wireTag struct {
	ID   int64  `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

type tagBody struct {
	Tag wireTag `json:"tag"`
}

// CreateTag makes a tag. It returns Invalid with code bad_tag before anything is
// sent; a name that exists has code 45157. Indeterminate: [Client.ListTags] tells.
// API: POST /cgi-bin/tags/create.
func (c *Client) CreateTag(ctx context.Context, name string) (Tag, error) {
	if err := checkTagName(name); err != nil {
		return Tag{}, err
	}
	ask := call{op: "wechat.CreateTag", path: "/cgi-bin/tags/create", body: tagBody{wireTag{Name: name}}, changes: true}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return Tag{}, err
	}
	id, err := integer(answer.Get("tag.id"))
	if err != nil || id == 0 {
		return Tag{}, ask.bad("tag.id")
	}
	return Tag{ID: id, Name: answer.Get("tag.name").String()}, nil
}

// ListTags lists the account's tags, the platform's own included.
// API: GET /cgi-bin/tags/get.
func (c *Client) ListTags(ctx context.Context) ([]Tag, error) {
	ask := call{op: "wechat.ListTags", path: "/cgi-bin/tags/get"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	var all []Tag
	answer.Get("tags").ForEach(func(_, row gjson.Result) bool {
		var id, count int64
		if id, err = integer(row.Get("id")); err == nil {
			count, err = integer(row.Get("count"))
		}
		all = append(all, Tag{ID: id, Name: row.Get("name").String(), Count: int(count)})
		return err == nil
	})
	if err != nil {
		return nil, ask.bad("tags")
	}
	return all, nil
}

// RenameTag gives a tag another name. It returns Invalid with code bad_tag before
// anything is sent, and may be repeated when the answer was lost.
// API: POST /cgi-bin/tags/update.
func (c *Client) RenameTag(ctx context.Context, id int64, name string) error {
	if err := cmp.Or(checkTagID(id), checkTagName(name)); err != nil {
		return err
	}
	_, err := c.do(ctx, call{op: "wechat.RenameTag", path: "/cgi-bin/tags/update", body: tagBody{wireTag{id, name}}, changes: true, idempotent: true})
	return err
}

// DeleteTag deletes a tag and takes it from its followers. One with more than
// 100,000 has code 45057: take it from them first.
// API: POST /cgi-bin/tags/delete.
func (c *Client) DeleteTag(ctx context.Context, id int64) error {
	if err := checkTagID(id); err != nil {
		return err
	}
	_, err := c.do(ctx, call{op: "wechat.DeleteTag", path: "/cgi-bin/tags/delete", body: tagBody{wireTag{ID: id}}, changes: true})
	return err
}

// TagUsers puts the tag on one to fifty followers. It returns Invalid with code
// bad_tag or bad_users before anything is sent, and may be repeated when the
// answer was lost.
// API: POST /cgi-bin/tags/members/batchtagging.
func (c *Client) TagUsers(ctx context.Context, tag int64, ids []OpenID) error {
	return c.retag(ctx, call{op: "wechat.TagUsers", path: "/cgi-bin/tags/members/batchtagging"}, tag, ids)
}

// UntagUsers takes the tag from one to fifty followers. It returns Invalid with
// code bad_tag or bad_users before anything is sent, and may be repeated when the
// answer was lost.
// API: POST /cgi-bin/tags/members/batchuntagging.
func (c *Client) UntagUsers(ctx context.Context, tag int64, ids []OpenID) error {
	return c.retag(ctx, call{op: "wechat.UntagUsers", path: "/cgi-bin/tags/members/batchuntagging"}, tag, ids)
}

func (c *Client) retag(ctx context.Context, ask call, tag int64, ids []OpenID) error {
	if tag < 1 {
		return badTag("tagid: missing")
	}
	if err := checkUsers(ask.op, "openid_list", ids, maxTagged); err != nil {
		return err
	}
	ask.body = struct {
		Tag   int64    `json:"tagid"`
		Users []OpenID `json:"openid_list"`
	}{tag, ids}
	ask.changes, ask.idempotent, ask.personal = true, true, texts(ids)
	_, err := c.do(ctx, ask)
	return err
}

// TagsOf returns the ids of a user's tags, in the order in which they were given.
// API: POST /cgi-bin/tags/getidlist.
func (c *Client) TagsOf(ctx context.Context, id OpenID) ([]int64, error) {
	if id == "" {
		return nil, invalid("wechat.TagsOf", "bad_users", "openid: missing")
	}
	body := struct {
		OpenID OpenID `json:"openid"`
	}{id}
	ask := call{op: "wechat.TagsOf", path: "/cgi-bin/tags/getidlist", body: body, personal: []string{string(id)}}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	tags, err := readTags(answer.Get("tagid_list"))
	if err != nil {
		return nil, ask.bad("tagid_list")
	}
	return tags, nil
}

// ListTagged walks over the followers who bear a tag, as [Client.ListUsers] does.
// API: POST /cgi-bin/user/tag/get.
func (c *Client) ListTagged(ctx context.Context, tag int64) iter.Seq2[OpenID, error] {
	return c.openIDs(ctx, func(after string) call {
		return call{
			op: "wechat.ListTagged", path: "/cgi-bin/user/tag/get", personal: []string{after},
			body: struct {
				Tag  int64  `json:"tagid"`
				Next string `json:"next_openid"`
			}{tag, after},
		}
	})
}
