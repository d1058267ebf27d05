package wechattest

import (
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// The limits of the customer-service desk.
// API: POST /customservice/kfaccount/add, "每个公众号最多添加100个客服账号", "账号前缀最多10个字符",
// "客服昵称，最长16个字".
const (
	maxAgents    = 100
	maxAgentName = 16
	// inviteLife is ours: the documentation knows invitations that have expired,
	// not when.
	inviteLife = 24 * time.Hour
	// maxPicture is ours, as for a temporary picture.
	maxPicture = 2 << 20
)

var (
	agentPrefix = regexp.MustCompile(`^\w{1,10}$`)
	// weChatID is 微信号: 6 to 20 letters, digits, _ and -, a letter first.
	weChatID = regexp.MustCompile(`^[A-Za-z][\w-]{5,19}$`)
)

// agent is a seat at the desk (客服账号).
type agent struct {
	Account  string
	ID       int64
	Name     string
	Picture  string    // where it lies, "" for none
	WeChatID string    // of the person in the seat
	Invited  string    // who was asked to take it
	Expires  time.Time // the invitation
	Rejected bool
	Online   bool
}

// invite is what stands of the invitation: waiting, rejected, expired, or "".
func (a agent) invite(now time.Time) string {
	switch {
	case a.Invited == "" || a.WeChatID != "":
		return ""
	case a.Rejected:
		return "rejected"
	case !now.Before(a.Expires):
		return "expired"
	}
	return "waiting"
}

func agentEndpoints() []endpoint {
	day := Quota{Day: 100_000}
	return []endpoint{
		{http.MethodGet, "/cgi-bin/customservice/getkflist", withToken, day, (*turn).listAgents},
		{http.MethodGet, "/cgi-bin/customservice/getonlinekflist", withToken, day, (*turn).listOnline},
		{http.MethodPost, "/customservice/kfaccount/add", withToken, day, (*turn).addAgent},
		{http.MethodPost, "/customservice/kfaccount/update", withToken, day, (*turn).updateAgent},
		{http.MethodPost, "/customservice/kfaccount/inviteworker", withToken, day, (*turn).inviteAgent},
		{http.MethodPost, "/customservice/kfaccount/uploadheadimg", withToken, day, (*turn).pictureAgent},
		{anyMethod, "/customservice/kfaccount/del", withToken, day, (*turn).deleteAgent},
		{http.MethodPost, "/customservice/kfsession/create", withToken, day, (*turn).createSession},
		{http.MethodPost, "/customservice/kfsession/close", withToken, day, (*turn).closeSession},
		{http.MethodGet, "/customservice/kfsession/getsession", withToken, day, (*turn).findSession},
		{http.MethodGet, "/customservice/kfsession/getsessionlist", withToken, day, (*turn).listSessions},
		{http.MethodGet, "/customservice/kfsession/getwaitcase", withToken, day, (*turn).listWaiting},
		{http.MethodPost, "/customservice/msgrecord/getmsglist", withToken, day, (*turn).listRecords},
	}
}

// listAgents answers customservice/getkflist.
func (t *turn) listAgents(*request) (any, *refusal) {
	type row struct {
		Account string `json:"kf_account"`
		Picture string `json:"kf_headimgurl"`
		ID      int64  `json:"kf_id"` // quoted in the documentation's sample; libraries in use read a number
		Name    string `json:"kf_nick"`
		Person  string `json:"kf_wx,omitempty"`
		Invited string `json:"invite_wx,omitempty"`
		Expires int64  `json:"invite_expire_time,omitempty"`
		State   string `json:"invite_status,omitempty"`
	}
	out := struct {
		Rows []row `json:"kf_list"`
	}{[]row{}}
	for _, key := range t.agents.keys() {
		a := t.agents.rows[key]
		r := row{Account: a.Account, Picture: a.Picture, ID: a.ID, Name: a.Name, Person: a.WeChatID}
		if r.State = a.invite(t.now); r.State != "" {
			r.Invited, r.Expires = a.Invited, a.Expires.Unix()
		}
		out.Rows = append(out.Rows, r)
	}
	return out, nil
}

// listOnline answers customservice/getonlinekflist.
func (t *turn) listOnline(*request) (any, *refusal) {
	type row struct {
		Account string `json:"kf_account"`
		Status  int    `json:"status"`
		ID      int64  `json:"kf_id"` // as above
		Cases   int    `json:"accepted_case"`
	}
	out := struct {
		Rows []row `json:"kf_online_list"`
	}{[]row{}}
	for _, key := range t.agents.keys() {
		if a := t.agents.rows[key]; a.Online {
			out.Rows = append(out.Rows, row{a.Account, 1, a.ID, len(t.sessionsOf(a.Account))})
		}
	}
	return out, nil
}

// readProfile reads kf_account and nickname.
func (t *turn) readProfile(r *request) (account, name string, no *refusal) {
	var in struct {
		Account  string `json:"kf_account"`
		Name     string `json:"nickname"`
		Business string `json:"business_id"` // of a shop below the account, which nobody here is
		Password string `json:"password"`    // of the desk before 2016, and still sent
	}
	if no := r.decodeWhole(&in); no != nil {
		return "", "", no
	}
	if n := utf8.RuneCountInString(in.Name); n < 1 || n > maxAgentName {
		return "", "", refuse(65403)
	}
	return in.Account, in.Name, nil
}

// addAgent answers kfaccount/add.
func (t *turn) addAgent(r *request) (any, *refusal) {
	account, name, no := t.readProfile(r)
	if no != nil {
		return nil, no
	}
	prefix, suffix, _ := strings.Cut(account, "@")
	switch _, there := t.agents.rows[account]; {
	case !agentPrefix.MatchString(prefix), suffix != t.weChatID():
		return nil, refuse(65404)
	case there:
		return nil, refuse(65406)
	case len(t.agents.rows) >= maxAgents:
		return nil, refuse(65405)
	}
	t.agents.put(t, account, agent{Account: account, ID: 1000 + t.next("agents"), Name: name})
	return nil, nil
}

// weChatID is the account's own.
func (t *turn) weChatID() string {
	if t.config.WeChatID != "" {
		return t.config.WeChatID
	}
	return t.ours().OriginalID
}

// updateAgent answers kfaccount/update.
func (t *turn) updateAgent(r *request) (any, *refusal) {
	account, name, no := t.readProfile(r)
	if no != nil {
		return nil, no
	}
	a, there := t.agents.rows[account]
	if !there {
		return nil, refuse(65401)
	}
	a.Name = name
	t.agents.put(t, account, a)
	return nil, nil
}

// inviteAgent answers kfaccount/inviteworker.
func (t *turn) inviteAgent(r *request) (any, *refusal) {
	var in struct {
		Account string `json:"kf_account"`
		Person  string `json:"invite_wx"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	a, there := t.agents.rows[in.Account]
	switch {
	case !there:
		return nil, refuse(65401)
	case !weChatID.MatchString(in.Person):
		return nil, refuse(65409)
	case a.WeChatID != "":
		return nil, refuse(65412)
	case a.invite(t.now) == "waiting":
		return nil, refuse(65411)
	}
	for _, other := range t.agents.rows {
		switch {
		case other.WeChatID == in.Person:
			return nil, refuse(65407)
		case other.Invited == in.Person && other.invite(t.now) == "waiting":
			return nil, refuse(65408)
		}
	}
	a.Invited, a.Expires, a.Rejected = in.Person, t.now.Add(inviteLife), false
	t.agents.put(t, a.Account, a)
	return nil, nil
}

// pictureAgent answers kfaccount/uploadheadimg: a JPEG.
func (t *turn) pictureAgent(r *request) (any, *refusal) {
	a, there := t.agents.rows[r.query.Get("kf_account")]
	switch {
	case !there:
		return nil, refuse(65401)
	case len(r.form.data) > maxPicture:
		return nil, refuse(40009)
	case sniff(r.form.data) != "image/jpeg":
		return nil, refuse(40005)
	}
	a.Picture = mediaAddress(r.host, t.keepMedium(imageFile, "image/jpeg", r.form.data))
	t.agents.put(t, a.Account, a)
	return nil, nil
}

// deleteAgent answers kfaccount/del: a POST with the name in the body, or a GET
// with it in the query, as the older documentation has it.
func (t *turn) deleteAgent(r *request) (any, *refusal) {
	in := struct {
		Account  string `json:"kf_account"`
		Business string `json:"business_id"`
	}{Account: r.query.Get("kf_account")}
	if len(r.body) > 0 {
		if no := r.read(); no != nil {
			return nil, no
		}
		if no := r.decodeWhole(&in); no != nil {
			return nil, no
		}
	}
	if _, there := t.agents.rows[in.Account]; !there {
		return nil, refuse(65401)
	}
	for _, openID := range t.sessionsOf(in.Account) {
		t.endSession(openID)
	}
	t.agents.drop(t, in.Account)
	return nil, nil
}

// AnswerInvitation lets the person with the WeChat ID take the seat that was
// offered, or refuse it. NotFound: nobody waits for their answer.
func (p *Platform) AnswerInvitation(person string, accept bool) error {
	return p.act(func(t *turn) error {
		for _, key := range t.agents.keys() {
			a := t.agents.rows[key]
			if a.Invited != person || a.invite(t.now) != "waiting" {
				continue
			}
			if a.Rejected = !accept; accept {
				a.WeChatID = person
			}
			t.agents.put(t, key, a)
			return nil
		}
		return verbError(hospital.NotFound, "AnswerInvitation", "no_invitation", "nobody waits for an answer")
	})
}

// Attend lets the person in a seat come to the desk, or leave it; whoever
// leaves ends their sessions. NotFound: no such seat; Rejected: nobody sits
// there.
func (p *Platform) Attend(account string, present bool) error {
	return p.act(func(t *turn) error {
		a, there := t.agents.rows[account]
		switch {
		case !there:
			return verbError(hospital.NotFound, "Attend", "no_agent", "no such account")
		case a.WeChatID == "":
			return verbError(hospital.Rejected, "Attend", "empty", "nobody has accepted the seat")
		}
		a.Online = present
		t.agents.put(t, account, a)
		if !present {
			for _, openID := range t.sessionsOf(account) {
				t.endSession(openID)
			}
		}
		return nil
	})
}
