package wechat

import (
	"context"
	"iter"
)

// maxBarred is how many followers one call bars.
// API: POST /cgi-bin/tags/members/batchblacklist, "一次最多拉黑20个用户".
const maxBarred = 20

// BarUsers puts one to twenty followers on the account's blacklist (黑名单): what
// is sent to them is refused with 43019. It is WeChat's own list and
// has nothing to do with a hospital's lockouts. It may be repeated when the answer
// was lost. Invalid with code bad_users before anything is sent.
// API: POST /cgi-bin/tags/members/batchblacklist.
func (c *Client) BarUsers(ctx context.Context, ids []OpenID) error {
	return c.setBarred(ctx, "wechat.BarUsers", "/cgi-bin/tags/members/batchblacklist", ids)
}

// UnbarUsers takes one to twenty followers off the blacklist again. It may be
// repeated when the answer was lost. Invalid with code bad_users before anything
// is sent.
// API: POST /cgi-bin/tags/members/batchunblacklist.
func (c *Client) UnbarUsers(ctx context.Context, ids []OpenID) error {
	return c.setBarred(ctx, "wechat.UnbarUsers", "/cgi-bin/tags/members/batchunblacklist", ids)
}

func (c *Client) setBarred(ctx context.Context, op, path string, ids []OpenID) error {
	if err := checkUsers(op, "openid_list", ids, maxBarred); err != nil {
		return err
	}
	body := struct {
		OpenIDs []OpenID `json:"openid_list"`
	}{ids}
	_, err := c.do(ctx, call{op: op, path: path, body: body, changes: true, idempotent: true, personal: texts(ids)})
	return err
}

// ListBarred walks over the blacklist, as [Client.ListUsers] does.
// API: POST /cgi-bin/tags/members/getblacklist.
func (c *Client) ListBarred(ctx context.Context) iter.Seq2[OpenID, error] {
	return c.openIDs(ctx, func(after string) call {
		return call{
			op: "wechat.ListBarred", path: "/cgi-bin/tags/members/getblacklist", personal: []string{after},
			body: struct {
				Begin string `json:"begin_openid"`
			}{after},
		}
	})
}
