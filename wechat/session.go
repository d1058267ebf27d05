package wechat

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/tidwall/gjson"
)

const (
	// maxRecordSpan bounds one question about the records.
	// API: POST /customservice/msgrecord/getmsglist, "查询时间段不能超过24小时".
	maxRecordSpan = 24 * time.Hour
	// recordsAtOnce keeps an answer of the longest texts below maxAnswer; the
	// platform would give 10000.
	recordsAtOnce = 200
)

// AgentSession is 客服会话: an agent talks to a user.
type AgentSession struct {
	Account string // "" where nobody talks to the user
	OpenID  OpenID
	Since   time.Time
}

func badSession(detail string) error {
	return invalid("wechat.Session", "bad_session", detail)
}

// CreateSession lets an agent, who must be at the desk, talk to a user. Where
// the two talk already nothing changes, so it may be repeated. It returns
// Invalid with code bad_session, or 65401 for no such agent, and Rejected with the
// platform's code: 65402 the seat is empty, 65414 another agent talks to the
// user, 65415 the agent is not at the desk.
// API: POST /customservice/kfsession/create — developers.weixin.qq.com/doc/service/Customer_Service/Session_control.html.
func (c *Client) CreateSession(ctx context.Context, account string, id OpenID) error {
	return c.changeSession(ctx, call{op: "wechat.CreateSession", path: "/customservice/kfsession/create", idempotent: true}, account, id)
}

// CloseSession ends a session. It returns Invalid with code bad_session, and
// Rejected with code 65413 where the two do not talk.
// API: POST /customservice/kfsession/close.
func (c *Client) CloseSession(ctx context.Context, account string, id OpenID) error {
	return c.changeSession(ctx, call{op: "wechat.CloseSession", path: "/customservice/kfsession/close"}, account, id)
}

func (c *Client) changeSession(ctx context.Context, ask call, account string, id OpenID) error {
	switch {
	case !agentAccount(account):
		return badSession("kf_account: want " + agentAccountForm)
	case id == "":
		return badSession("openid: missing")
	}
	ask.changes, ask.personal = true, []string{string(id)}
	ask.body = struct {
		Account string `json:"kf_account"`
		OpenID  OpenID `json:"openid"`
	}{account, id}
	_, err := c.do(ctx, ask)
	return err
}

// FindSession says who talks to the user; an empty Account means nobody.
// API: GET /customservice/kfsession/getsession.
func (c *Client) FindSession(ctx context.Context, id OpenID) (AgentSession, error) {
	if id == "" {
		return AgentSession{}, badSession("openid: missing")
	}
	ask := call{
		op: "wechat.FindSession", path: "/customservice/kfsession/getsession",
		query: url.Values{"openid": {string(id)}}, personal: []string{string(id)},
	}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return AgentSession{}, err
	}
	since, err := instant(answer.Get("createtime"))
	if err != nil {
		return AgentSession{}, ask.bad("createtime")
	}
	return AgentSession{Account: answer.Get("kf_account").String(), OpenID: id, Since: since}, nil
}

// ListSessions returns whom an agent talks to.
// API: GET /customservice/kfsession/getsessionlist.
func (c *Client) ListSessions(ctx context.Context, account string) ([]AgentSession, error) {
	if !agentAccount(account) {
		return nil, badSession("kf_account: want " + agentAccountForm)
	}
	ask := call{
		op: "wechat.ListSessions", path: "/customservice/kfsession/getsessionlist", query: url.Values{"kf_account": {account}},
	}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	return readList(ask, answer, "sessionlist", func(row gjson.Result) (AgentSession, string) {
		since, err := instant(row.Get("createtime"))
		if err != nil {
			return AgentSession{}, "createtime"
		}
		return AgentSession{Account: account, OpenID: OpenID(row.Get("openid").String()), Since: since}, ""
	})
}

// WaitingUser is a user who wants to talk to an agent and has none.
type WaitingUser struct {
	OpenID OpenID
	Since  time.Time // of the last message
}

// Waiting is who waits; the platform names the first hundred.
type Waiting struct {
	Count int
	Users []WaitingUser
}

// ListWaiting returns the users who wait for an agent, the longest first.
// API: GET /customservice/kfsession/getwaitcase.
func (c *Client) ListWaiting(ctx context.Context) (Waiting, error) {
	ask := call{op: "wechat.ListWaiting", path: "/customservice/kfsession/getwaitcase"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return Waiting{}, err
	}
	count, err := integer(answer.Get("count"))
	if err != nil {
		return Waiting{}, ask.bad("count")
	}
	users, err := readList(ask, answer, "waitcaselist", func(row gjson.Result) (WaitingUser, string) {
		since, err := instant(row.Get("latest_time"))
		if err != nil {
			return WaitingUser{}, "latest_time"
		}
		return WaitingUser{OpenID: OpenID(row.Get("openid").String()), Since: since}, ""
	})
	return Waiting{Count: int(count), Users: users}, err
}

// Record is one message between an agent and a user.
type Record struct {
	Account string
	OpenID  OpenID
	At      time.Time
	Ours    bool   // the agent wrote it
	Text    string // "[image]", "[voice]" and "[video]" for what is no text
}

// LogValue names the record without the person and without what was said.
func (r Record) LogValue() slog.Value {
	return slog.GroupValue(slog.String("account", r.Account), slog.Any("openid", r.OpenID), slog.Time("at", r.At), slog.Bool("ours", r.Ours))
}

// RecordQuery asks for the records of a span of at most 24 hours.
type RecordQuery struct {
	From, To time.Time
	// After is [RecordPage.Next] of the page before, 0 for the first.
	After int64
	// Limit is how many to return. Default and at most 200, the records' texts
	// being long.
	Limit int
}

// validate returns Invalid with code bad_session; the detail names the field.
func (q RecordQuery) validate() error {
	switch {
	case q.From.IsZero(), q.From.Unix() <= 0:
		return badSession("starttime: missing")
	case !q.To.After(q.From):
		return badSession("endtime: not after starttime")
	case q.To.Sub(q.From) > maxRecordSpan:
		return badSession("endtime: more than 24 hours after starttime")
	case q.After < 0:
		return badSession("msgid: negative")
	case q.Limit < 0 || q.Limit > recordsAtOnce:
		return badSession("number: want at most 200")
	}
	return nil
}

// RecordPage is one page of records.
type RecordPage struct {
	Records []Record
	Next    int64 // for the next page; 0 when this was the last
}

// ListRecords returns what agents and users have written, in order. It returns
// Invalid with code bad_session.
// API: POST /customservice/msgrecord/getmsglist — developers.weixin.qq.com/doc/service/api/customer/message/api_getmsglist.
func (c *Client) ListRecords(ctx context.Context, q RecordQuery) (RecordPage, error) {
	if err := q.validate(); err != nil {
		return RecordPage{}, err
	}
	if q.Limit == 0 {
		q.Limit = recordsAtOnce
	}
	ask := call{
		op: "wechat.ListRecords", path: "/customservice/msgrecord/getmsglist",
		body: struct {
			From   int64 `json:"starttime"`
			To     int64 `json:"endtime"`
			After  int64 `json:"msgid"`
			Number int   `json:"number"`
		}{q.From.Unix(), q.To.Unix(), max(1, q.After), q.Limit},
	}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return RecordPage{}, err
	}
	var page RecordPage
	page.Records, err = readList(ask, answer, "recordlist", readRecord)
	if err != nil {
		return RecordPage{}, err
	}
	next, err := integer(answer.Get("msgid"))
	if err != nil {
		return RecordPage{}, ask.bad("msgid")
	}
	if len(page.Records) == q.Limit { // a page that is not full is the last
		page.Next = next
	}
	return page, nil
}

func readRecord(row gjson.Result) (Record, string) {
	at, err := instant(row.Get("time"))
	if err != nil {
		return Record{}, "time"
	}
	record := Record{
		Account: row.Get("worker").String(), OpenID: OpenID(row.Get("openid").String()), At: at, Text: row.Get("text").String(),
	}
	switch row.Get("opercode").Int() {
	case 2002:
		record.Ours = true
	case 2003:
	default:
		return Record{}, "opercode"
	}
	return record, ""
}
