package wechat

import (
	"context"
	"io"
	"net/url"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
)

// maxAgentName is the longest name of an agent in characters.
// API: POST /customservice/kfaccount/add, nickname "最长16个字".
const maxAgentName = 16

// maxAgentPicture is ours, in bytes: the documentation asks for 640 by 640 and
// names no size.
const maxAgentPicture = 2 << 20

// agentAccountRE is 完整客服账号: a prefix, and the account's 微信号.
// API: POST /customservice/kfaccount/add, "账号前缀最多10个字符，必须是英文、数字字符或者下划线，
// 后缀为公众号微信号，长度不超过30个字符".
var agentAccountRE = regexp.MustCompile(`^\w{1,10}@[\w-]{1,30}$`)

const agentAccountForm = "1 to 10 letters, digits and _, then @ and the account's WeChat ID"

func agentAccount(text string) bool { return agentAccountRE.MatchString(text) }

// Agent is 客服账号, a seat at the customer-service desk.
type Agent struct {
	Account    string // "test1@account"
	Name       string // what a user sees
	ID         string // 客服编号
	PictureURL string
	// WeChatID is the person who sits there, "" while nobody has accepted.
	WeChatID string
	// Invited is who was asked to, until when, and what became of it: "waiting",
	// "rejected", "expired".
	Invited       string
	InviteExpires time.Time
	InviteState   string
}

// OnlineAgent is an agent who is at the desk.
type OnlineAgent struct {
	Account  string
	ID       string
	Sessions int // how many users are talked to
}

// AgentProfile is an agent as the account makes one.
type AgentProfile struct {
	Account string `json:"kf_account"`
	Name    string `json:"nickname"`
}

// AgentInvitation asks the owner of a WeChat ID to take a seat.
type AgentInvitation struct {
	Account  string `json:"kf_account"`
	WeChatID string `json:"invite_wx"`
}

func badAgent(detail string) error {
	return invalid("wechat.Agent", "bad_agent", detail)
}

// validate returns Invalid with code bad_agent; the detail names the field.
func (p AgentProfile) validate() error {
	if !agentAccount(p.Account) {
		return badAgent("kf_account: want " + agentAccountForm)
	}
	if n := utf8.RuneCountInString(p.Name); n < 1 || n > maxAgentName {
		return badAgent("nickname: want 1 to 16 characters")
	}
	return nil
}

// validate returns Invalid with code bad_agent; the detail names the field.
func (i AgentInvitation) validate() error {
	if !agentAccount(i.Account) {
		return badAgent("kf_account: want " + agentAccountForm)
	}
	return required(badAgent, "invite_wx", i.WeChatID)
}

// ListAgents returns every seat at the desk, taken or not.
// API: GET /cgi-bin/customservice/getkflist — developers.weixin.qq.com/doc/service/api/customer/servicermanage/api_getkflist.
func (c *Client) ListAgents(ctx context.Context) ([]Agent, error) {
	ask := call{op: "wechat.ListAgents", path: "/cgi-bin/customservice/getkflist"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	return readList(ask, answer, "kf_list", func(row gjson.Result) (Agent, string) {
		agent := Agent{
			Account: row.Get("kf_account").String(), Name: row.Get("kf_nick").String(), ID: row.Get("kf_id").String(),
			PictureURL: row.Get("kf_headimgurl").String(), WeChatID: row.Get("kf_wx").String(),
			Invited: row.Get("invite_wx").String(), InviteState: row.Get("invite_status").String(),
		}
		until, err := instant(row.Get("invite_expire_time"))
		if err != nil {
			return agent, "invite_expire_time"
		}
		agent.InviteExpires = until
		return agent, ""
	})
}

// ListOnlineAgents returns who is at the desk now.
// API: GET /cgi-bin/customservice/getonlinekflist — developers.weixin.qq.com/doc/service/api/customer/servicermanage/api_getonlinekflist.
func (c *Client) ListOnlineAgents(ctx context.Context) ([]OnlineAgent, error) {
	ask := call{op: "wechat.ListOnlineAgents", path: "/cgi-bin/customservice/getonlinekflist"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	return readList(ask, answer, "kf_online_list", func(row gjson.Result) (OnlineAgent, string) {
		cases, err := integer(row.Get("accepted_case"))
		if err != nil {
			return OnlineAgent{}, "accepted_case"
		}
		return OnlineAgent{Account: row.Get("kf_account").String(), ID: row.Get("kf_id").String(), Sessions: int(cases)}, ""
	})
}

// AddAgent makes a seat; at most 100. It returns Invalid with code bad_agent
// before anything is sent, and with code 65406 for a seat that exists.
// API: POST /customservice/kfaccount/add — developers.weixin.qq.com/doc/service/api/customer/servicermanage/api_addkfaccount.
func (c *Client) AddAgent(ctx context.Context, p AgentProfile) error {
	return c.changeAgent(ctx, "wechat.AddAgent", "/customservice/kfaccount/add", p, p.Name)
}

// UpdateAgent gives a seat another name. It returns Invalid with code bad_agent,
// and 65401 for no such seat. It may be repeated when the answer was lost.
// API: POST /customservice/kfaccount/update — developers.weixin.qq.com/doc/service/api/customer/servicermanage/api_updatekfaccount.
func (c *Client) UpdateAgent(ctx context.Context, p AgentProfile) error {
	return c.changeAgent(ctx, "wechat.UpdateAgent", "/customservice/kfaccount/update", p, p.Name)
}

// InviteAgent asks a person to take a seat; they accept on their phone. It
// returns Invalid with code bad_agent, or the platform's code:
// 65407 has a seat here, 65408 or 65411 is being asked, 65409 no such WeChat
// ID, 65410 has too many seats, 65412 the seat is taken.
// API: POST /customservice/kfaccount/inviteworker — developers.weixin.qq.com/doc/service/api/customer/servicermanage/api_invitekfworker.
func (c *Client) InviteAgent(ctx context.Context, i AgentInvitation) error {
	return c.changeAgent(ctx, "wechat.InviteAgent", "/customservice/kfaccount/inviteworker", i, i.WeChatID)
}

// DeleteAgent takes a seat away. It returns Invalid with code bad_agent, and
// 65401 for no such seat.
// API: POST /customservice/kfaccount/del — developers.weixin.qq.com/doc/service/api/customer/servicermanage/api_delkfaccount.
func (c *Client) DeleteAgent(ctx context.Context, account string) error {
	return c.changeAgent(ctx, "wechat.DeleteAgent", "/customservice/kfaccount/del", agentName{account})
}

// UploadAgentPicture gives a seat its portrait: a JPEG, best of 640 by 640, at
// most 2 MB. It returns Invalid with code bad_agent or bad_media before
// anything is sent, 40005 for no JPEG, 65401 for no such seat.
// API: POST /customservice/kfaccount/uploadheadimg.
func (c *Client) UploadAgentPicture(ctx context.Context, account string, picture io.Reader) error {
	if err := (agentName{account}).validate(); err != nil {
		return err
	}
	u := Upload{Kind: ImageMedia, Name: "portrait.jpg", Content: picture}
	if err := u.validate(); err != nil {
		return err
	}
	body, err := u.newForm(ctx, maxAgentPicture)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{
		op: "wechat.UploadAgentPicture", path: "/customservice/kfaccount/uploadheadimg", changes: true,
		query: url.Values{"kf_account": {account}}, upload: body,
	})
	return err
}

// agentName names a seat and nothing else.
type agentName struct {
	Account string `json:"kf_account"`
}

// validate returns Invalid with code bad_agent.
func (n agentName) validate() error {
	if !agentAccount(n.Account) {
		return badAgent("kf_account: want " + agentAccountForm)
	}
	return nil
}

func (c *Client) changeAgent(ctx context.Context, op, path string, body interface{ validate() error }, personal ...string) error {
	if err := body.validate(); err != nil {
		return err
	}
	_, err := c.do(ctx, call{op: op, path: path, changes: true, personal: personal, body: body})
	return err
}

// readList reads the rows of an answer; read names the field that is wrong, ""
// for none. A list that is missing is an answer that cannot be believed.
func readList[T any](ask call, answer gjson.Result, name string, read func(gjson.Result) (T, string)) ([]T, error) {
	rows := answer.Get(name)
	if !rows.IsArray() {
		return nil, ask.bad(name)
	}
	all := make([]T, 0, len(rows.Array()))
	for _, row := range rows.Array() {
		one, wrong := read(row)
		if wrong != "" {
			return nil, ask.bad(name + "." + wrong)
		}
		all = append(all, one)
	}
	return all, nil
}

// instant reads Unix seconds, bare or in quotes; none is the zero time.
func instant(value gjson.Result) (time.Time, error) {
	if value.String() == "" {
		return time.Time{}, nil
	}
	seconds, err := integer(value)
	if err != nil || seconds == 0 {
		return time.Time{}, err
	}
	return time.Unix(seconds, 0).In(hospital.CST), nil
}
