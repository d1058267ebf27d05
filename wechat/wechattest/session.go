package wechattest

import (
	"slices"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

const (
	// maxWaiting is how many the list of those who wait names.
	// API: GET /customservice/kfsession/getwaitcase, "最多返回100条数据".
	maxWaiting = 100
	// maxRecordSpan and maxRecordCount bound one question about the records.
	// API: POST /customservice/msgrecord/getmsglist, "查询时间段不能超过24小时", "最多获取10000条".
	maxRecordSpan  = 24 * 60 * 60
	maxRecordCount = 10_000
	keptRecords    = 10_000
)

// session is a user at the desk, by their openid: with an agent, or, with an
// empty account, waiting for one.
type session struct {
	Account string
	Since   time.Time // of the session, or of the last words of who waits
}

// record is one message between an agent and a user.
type record struct {
	Account, OpenID, Text string
	Ours                  bool // the agent wrote it
	At                    time.Time
}

// record keeps a message, and drops the oldest above what is kept.
func (t *turn) record(r record) {
	r.At = t.now
	n := t.next("records")
	t.records.put(t, order(n), r)
	t.records.drop(t, order(n-keptRecords))
}

// recorded is a message as the records show it.
func recorded(b Bubble) string {
	switch b.Kind {
	case "text", "msgmenu":
		return b.Text
	}
	return "[" + b.Kind + "]"
}

// sessionsOf are the users that the agent talks to.
func (t *turn) sessionsOf(account string) []string {
	var openIDs []string
	for _, key := range t.sessions.keys() {
		if t.sessions.rows[key].Account == account {
			openIDs = append(openIDs, key)
		}
	}
	return openIDs
}

// beginSession lets the two talk and tells the account.
func (t *turn) beginSession(openID, account string) {
	t.sessions.put(t, openID, session{account, t.now})
	t.pushEvent(t.users.rows[openID], false, "kf_create_session", text("KfAccount", account))
}

// endSession ends the talk, if there is one, and tells the account.
func (t *turn) endSession(openID string) {
	s := t.sessions.rows[openID]
	t.sessions.drop(t, openID)
	t.pushEvent(t.users.rows[openID], false, "kf_close_session", text("KfAccount", s.Account))
}

// transfer is what transfer_customer_service in a reply does: the user talks to
// the agent who is named and at the desk, or waits.
func (t *turn) transfer(openID, account string) {
	if s := t.sessions.rows[openID]; s.Account != "" {
		return // they talk already
	}
	if a, named := t.agents.rows[account]; named && a.Online {
		t.beginSession(openID, account)
		return
	}
	t.sessions.put(t, openID, session{"", t.now})
}

// readSession reads kf_account and openid and checks both.
func (t *turn) readSession(r *request) (a agent, openID string, no *refusal) {
	var in struct {
		Account string `json:"kf_account"`
		OpenID  string `json:"openid"`
		Text    string `json:"text"` // of the desk before 2016, and still sent
	}
	if no := r.decodeWhole(&in); no != nil {
		return a, "", no
	}
	a, there := t.agents.rows[in.Account]
	u, known := t.users.rows[in.OpenID]
	switch {
	case !known || !u.Subscribed:
		return a, "", refuse(40003)
	case !there:
		return a, "", refuse(65401)
	case a.WeChatID == "":
		return a, "", refuse(65402)
	}
	return a, in.OpenID, nil
}

// createSession answers kfsession/create.
func (t *turn) createSession(r *request) (any, *refusal) {
	a, openID, no := t.readSession(r)
	if no != nil {
		return nil, no
	}
	switch s := t.sessions.rows[openID]; {
	case s.Account == a.Account:
		return nil, nil
	case s.Account != "":
		return nil, refuse(65414)
	case !a.Online:
		return nil, refuse(65415)
	}
	t.beginSession(openID, a.Account)
	return nil, nil
}

// closeSession answers kfsession/close.
func (t *turn) closeSession(r *request) (any, *refusal) {
	a, openID, no := t.readSession(r)
	if no != nil {
		return nil, no
	}
	switch s := t.sessions.rows[openID]; {
	case s.Account == "":
		return nil, refuse(65413)
	case s.Account != a.Account:
		return nil, refuse(65414)
	}
	t.endSession(openID)
	return nil, nil
}

// findSession answers kfsession/getsession.
func (t *turn) findSession(r *request) (any, *refusal) {
	openID := r.query.Get("openid")
	if _, known := t.users.rows[openID]; !known {
		return nil, refuse(40003)
	}
	out := struct {
		status
		Since   int64  `json:"createtime"`
		Account string `json:"kf_account"`
	}{status: okay()}
	if s := t.sessions.rows[openID]; s.Account != "" {
		out.Since, out.Account = s.Since.Unix(), s.Account
	}
	return out, nil
}

// listSessions answers kfsession/getsessionlist.
func (t *turn) listSessions(r *request) (any, *refusal) {
	account := r.query.Get("kf_account")
	if _, there := t.agents.rows[account]; !there {
		return nil, refuse(65401)
	}
	type row struct {
		Since  int64  `json:"createtime"`
		OpenID string `json:"openid"`
	}
	rows := []row{}
	for _, openID := range t.sessionsOf(account) {
		rows = append(rows, row{t.sessions.rows[openID].Since.Unix(), openID})
	}
	return struct {
		Rows []row `json:"sessionlist"`
	}{rows}, nil
}

// listWaiting answers kfsession/getwaitcase, the longest first.
func (t *turn) listWaiting(*request) (any, *refusal) {
	type row struct {
		Since  int64  `json:"latest_time"`
		OpenID string `json:"openid"`
	}
	rows := []row{}
	for _, openID := range t.sessionsOf("") {
		rows = append(rows, row{t.sessions.rows[openID].Since.Unix(), openID})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return int(a.Since - b.Since) })
	return struct {
		Count int   `json:"count"`
		Rows  []row `json:"waitcaselist"`
	}{len(rows), rows[:min(maxWaiting, len(rows))]}, nil
}

// listRecords answers msgrecord/getmsglist. A page begins at the number that
// the one before returned.
func (t *turn) listRecords(r *request) (any, *refusal) {
	var in struct {
		From   int64 `json:"starttime"`
		To     int64 `json:"endtime"`
		After  int64 `json:"msgid"`
		Number int   `json:"number"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	switch {
	case in.From <= 0, in.To < in.From, in.After < 1, in.Number < 1, in.Number > maxRecordCount:
		return nil, refuse(65416)
	case in.To-in.From > maxRecordSpan:
		return nil, refuse(65417)
	}
	type row struct {
		OpenID  string `json:"openid"`
		Oper    int    `json:"opercode"`
		Text    string `json:"text"`
		At      int64  `json:"time"`
		Account string `json:"worker"`
	}
	out := struct {
		Rows   []row `json:"recordlist"`
		Number int   `json:"number"`
		Next   int64 `json:"msgid"`
	}{Rows: []row{}}
	for _, key := range t.records.keys() {
		one, n := t.records.rows[key], digits(strings.TrimLeft(key, "0")).number()
		if at := one.At.Unix(); n < in.After || at < in.From || at > in.To {
			continue
		}
		if len(out.Rows) == in.Number {
			break
		}
		oper := 2003
		if one.Ours {
			oper = 2002
		}
		out.Rows = append(out.Rows, row{one.OpenID, oper, one.Text, one.At.Unix(), one.Account})
		out.Next = n + 1
	}
	out.Number = len(out.Rows)
	return out, nil
}

// AgentSay lets an agent, who talks to the user, write to them from the desk.
// Rejected: the two do not talk; Invalid: the words.
func (p *Platform) AgentSay(account, openID, words string) error {
	return p.act(func(t *turn) error {
		switch s := t.sessions.rows[openID]; {
		case words == "" || len(words) > maxTextBytes:
			return verbError(hospital.Invalid, "AgentSay", "bad_text", "want 1 to 2048 bytes")
		case account == "" || s.Account != account:
			return verbError(hospital.Rejected, "AgentSay", "no_session", "the two do not talk")
		}
		t.record(record{Account: account, OpenID: openID, Ours: true, Text: words})
		t.touch(openID, time.Time{})
		t.show(openID, Bubble{From: Ours, Kind: "text", Text: words, Agent: t.agents.rows[account].Name})
		return nil
	})
}
