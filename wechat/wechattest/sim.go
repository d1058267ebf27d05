package wechattest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/simverb"
)

// simVerb is what one row of the control surface does.
type simVerb func(context.Context, *Platform, url.Values) (any, error)

// simRow is one row of the control surface: what it does, and the values that it
// takes.
type simRow struct {
	do     simVerb
	values string
}

// simVerbs is the control surface below /_sim/. Every value is a query
// parameter; answers are JSON, null where there is nothing to say, and an error
// is {"kind","code","detail"} with status 400, 404 or 409.
func simVerbs() map[string]simRow {
	return map[string]simRow{
		"GET /_sim/users":        {simUsers, ""},      // everybody with WeChat
		"GET /_sim/chat":         {simChat, "openid"}, // what the phone shows
		"POST /_sim/join":        {simJoin, "name"},   // a new user; answers the openid
		"POST /_sim/follow":      {simUser((*Follower).Follow), "openid"},
		"POST /_sim/unfollow":    {simUser((*Follower).Unfollow), "openid"},
		"POST /_sim/say":         {simText("text", (*Follower).Say), "openid text"},
		"POST /_sim/scan":        {simText("scene", (*Follower).Scan), "openid scene"},
		"POST /_sim/scancode":    {simText("code", (*Follower).ScanCode), "openid code"}, // a ticket, or what a picture says
		"POST /_sim/phone":       {simPhone, "openid phone"},                             // ios, android or other
		"POST /_sim/tap":         {simTap, "openid button"},                              // answers the address
		"POST /_sim/accept":      {simText("template", subscribe(true)), "openid template"},
		"POST /_sim/reject":      {simText("template", subscribe(false)), "openid template"},
		"POST /_sim/unsubscribe": {simText("template", (*Follower).Unsubscribe), "openid template"},
		"POST /_sim/block":       {simSwitch(blockUser), "openid on"},
		"POST /_sim/authorize":   {simAuthorize, "openid link agree"},    // answers the address
		"POST /_sim/revoke":      {simToken((*Platform).Revoke), "kind"}, // classic or stable
		"POST /_sim/spoil":       {simToken((*Platform).Spoil), "kind"},
		"POST /_sim/snapshot":    {simSwitch(setSnapshot), "on"},
		"POST /_sim/fail":        {simSwitch(setFail), "on"}, // templates end in "system failed"
		"POST /_sim/break":       {simBreak, "kind path times wait"},
		"POST /_sim/mend":        {simMend, ""},
		"POST /_sim/advance":     {simAdvance, ""}, // does what is due
		"POST /_sim/callback":    {simCallback, "url"},
		"POST /_sim/domain":      {simDomain, "host"},                              // web logins may return to it
		"GET /_sim/templates":    {simTemplates, ""},                               // the account's, with their fields
		"POST /_sim/verify":      {simVerify, ""},                                  // the console's check of the callback
		"POST /_sim/mute":        {simSwitch(muteUser), "openid on"},               // no customer-service and mass messages
		"POST /_sim/choose":      {simText("id", (*Follower).Choose), "openid id"}, // an entry of a menu message
		"POST /_sim/onetime":     {simOneTime, "openid link agree"},                // answers the address
		"GET /_sim/visits":       {simVisits, "openid"},                            // 微信就医助手
		"POST /_sim/invitation":  {simSwitch(answerInvitation), "person on"},       // takes a seat at the desk, or not
		"POST /_sim/attend":      {simSwitch(attend), "account on"},                // comes to the desk, or leaves it
		"POST /_sim/agent":       {simAgent, "account openid text"},                // an agent writes
		"POST /_sim/mass":        {simMass, "outcome"},                             // how messages to many end
		"POST /_sim/push":        {simPush, "openid event"},                        // any event, as JSON of an Event; without openid the platform's
	}
}

// serveSim answers the control surface: from this machine only, and only under
// its own name, so that no web page elsewhere can reach it through a browser.
func (p *Platform) serveSim(w http.ResponseWriter, r *http.Request) {
	if !simverb.Local(r) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	query := r.URL.Query()
	if r.Method == http.MethodGet && r.URL.Path == "/_sim/login" {
		p.simLogin(w, query)
		return
	}
	row, known := p.sims[r.Method+" "+r.URL.Path]
	if !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	for name, values := range query { // a misspelled fault would be no fault
		if !slices.Contains(strings.Fields(row.values), name) || len(values) != 1 {
			writeVerbError(w, verbError(hospital.Invalid, "sim", "bad_order", "unknown or repeated value "+strconv.Quote(name)))
			return
		}
	}
	answer, err := row.do(r.Context(), p, query)
	if err != nil {
		writeVerbError(w, err)
		return
	}
	p.write(w, encode(answer))
}

func writeVerbError(w http.ResponseWriter, err error) {
	statusOf := map[hospital.Kind]int{
		hospital.Invalid: http.StatusBadRequest, hospital.NotFound: http.StatusNotFound, hospital.Rejected: http.StatusConflict,
		hospital.Conflict: http.StatusConflict,
	}
	kind := hospital.KindOf(err)
	code, known := statusOf[kind]
	if !known {
		code = http.StatusServiceUnavailable
	}
	detail := ""
	if e, is := errors.AsType[*hospital.Error](err); is {
		detail = e.Detail
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(encode(map[string]string{"kind": kind.String(), "code": hospital.CodeOf(err), "detail": detail})) // a caller that is gone asks again
}

// simLogin makes the browser the phone of the user.
func (p *Platform) simLogin(w http.ResponseWriter, query url.Values) {
	f, err := p.Find(query.Get("openid"))
	if err != nil {
		writeVerbError(w, err)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: PhoneCookie, Value: f.openID, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // loopback has no TLS
	p.write(w, encode(nil))
}

// simPerson is a user in the list.
type simPerson struct {
	OpenID    string `json:"openid"`
	Nickname  string `json:"nickname"`
	Following bool   `json:"following"`
}

func simUsers(_ context.Context, p *Platform, _ url.Values) (any, error) {
	all := []simPerson{}
	err := p.act(func(t *turn) error {
		ids := t.users.keys()
		slices.SortFunc(ids, func(a, b string) int { return int(t.users.rows[a].Order - t.users.rows[b].Order) })
		for _, id := range ids {
			u := t.users.rows[id]
			all = append(all, simPerson{u.OpenID, u.Nickname, u.Subscribed})
		}
		return nil
	})
	return all, err
}

func simChat(_ context.Context, p *Platform, q url.Values) (any, error) {
	f, err := p.Find(q.Get("openid"))
	if err != nil {
		return nil, err
	}
	return f.Chat(), nil
}

func simJoin(_ context.Context, p *Platform, q url.Values) (any, error) {
	f, err := p.Join(q.Get("name"))
	if err != nil {
		return nil, err
	}
	return map[string]string{"openid": f.openID}, nil
}

func simUser(do func(*Follower, context.Context) error) simVerb {
	return func(ctx context.Context, p *Platform, q url.Values) (any, error) {
		f, err := p.Find(q.Get("openid"))
		if err != nil {
			return nil, err
		}
		return nil, do(f, ctx)
	}
}

func simText(name string, do func(*Follower, context.Context, string) error) simVerb {
	return func(ctx context.Context, p *Platform, q url.Values) (any, error) {
		f, err := p.Find(q.Get("openid"))
		if err != nil {
			return nil, err
		}
		return nil, do(f, ctx, q.Get(name))
	}
}

func subscribe(accept bool) func(*Follower, context.Context, string) error {
	return func(f *Follower, ctx context.Context, template string) error {
		return f.Subscribe(ctx, accept, template)
	}
}

func simPhone(_ context.Context, p *Platform, q url.Values) (any, error) {
	f, err := p.Find(q.Get("openid"))
	if err != nil {
		return nil, err
	}
	return nil, f.Use(Phone(q.Get("phone")))
}

func simTap(ctx context.Context, p *Platform, q url.Values) (any, error) {
	f, err := p.Find(q.Get("openid"))
	if err != nil {
		return nil, err
	}
	address, err := f.Tap(ctx, q.Get("button"))
	if err != nil {
		return nil, err
	}
	return map[string]string{"url": address}, nil
}

func simAuthorize(_ context.Context, p *Platform, q url.Values) (any, error) {
	f, err := p.Find(q.Get("openid"))
	if err != nil {
		return nil, err
	}
	address, err := f.Authorize(q.Get("link"), q.Get("agree") != "false")
	if err != nil {
		return nil, err
	}
	return map[string]string{"url": address}, nil
}

func simToken(do func(*Platform, TokenKind) error) simVerb {
	return func(_ context.Context, p *Platform, q url.Values) (any, error) {
		return nil, do(p, TokenKind(q.Get("kind")))
	}
}

func simSwitch(do func(*Platform, url.Values, bool) error) simVerb {
	return func(_ context.Context, p *Platform, q url.Values) (any, error) {
		on, err := strconv.ParseBool(q.Get("on"))
		if err != nil {
			return nil, verbError(hospital.Invalid, "sim", "bad_switch", "on: want true or false")
		}
		return nil, do(p, q, on)
	}
}

func blockUser(p *Platform, q url.Values, on bool) error {
	f, err := p.Find(q.Get("openid"))
	if err != nil {
		return err
	}
	return f.Block(on)
}

func muteUser(p *Platform, q url.Values, on bool) error {
	f, err := p.Find(q.Get("openid"))
	if err != nil {
		return err
	}
	return f.Mute(on)
}

func attend(p *Platform, q url.Values, on bool) error { return p.Attend(q.Get("account"), on) }

func answerInvitation(p *Platform, q url.Values, on bool) error {
	return p.AnswerInvitation(q.Get("person"), on)
}

func simAgent(_ context.Context, p *Platform, q url.Values) (any, error) {
	return nil, p.AgentSay(q.Get("account"), q.Get("openid"), q.Get("text"))
}

func simMass(_ context.Context, p *Platform, q url.Values) (any, error) {
	return nil, p.RefuseMasses(q.Get("outcome"))
}

func simOneTime(_ context.Context, p *Platform, q url.Values) (any, error) {
	f, err := p.Find(q.Get("openid"))
	if err != nil {
		return nil, err
	}
	address, err := f.AnswerOneTime(q.Get("link"), q.Get("agree") != "false")
	if err != nil {
		return nil, err
	}
	return map[string]string{"url": address}, nil
}

func simVisits(_ context.Context, p *Platform, q url.Values) (any, error) {
	f, err := p.Find(q.Get("openid"))
	if err != nil {
		return nil, err
	}
	return f.Visits(), nil
}

func setSnapshot(p *Platform, _ url.Values, on bool) error { return p.Snapshot(on) }

func setFail(p *Platform, _ url.Values, on bool) error { return p.FailTemplates(on) }

func simBreak(_ context.Context, p *Platform, q url.Values) (any, error) {
	f := Fault{Kind: FaultKind(slices.Index(faultNames(), q.Get("kind"))), Path: q.Get("path")}
	var err error
	if times := q.Get("times"); times != "" {
		if f.Times, err = strconv.Atoi(times); err != nil {
			return nil, verbError(hospital.Invalid, "sim", "bad_times", "times: want a number")
		}
	}
	if wait := q.Get("wait"); wait != "" {
		if f.Wait, err = time.ParseDuration(wait); err != nil {
			return nil, verbError(hospital.Invalid, "sim", "bad_wait", "wait: want a duration such as 3s")
		}
	}
	return nil, p.Break(f)
}

func simMend(_ context.Context, p *Platform, _ url.Values) (any, error) {
	p.Mend()
	return nil, nil //nolint:nilnil // null is the answer
}

func simAdvance(ctx context.Context, p *Platform, _ url.Values) (any, error) {
	next, err := p.Advance(ctx)
	if err != nil || next.IsZero() {
		return nil, err
	}
	return map[string]time.Time{"next": next}, nil
}

func simCallback(_ context.Context, p *Platform, q url.Values) (any, error) {
	return nil, p.SetCallback(q.Get("url"))
}

func simDomain(_ context.Context, p *Platform, q url.Values) (any, error) {
	return nil, p.AddDomain(q.Get("host"))
}

// simTemplate is a template in the list.
type simTemplate struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Lines []Line `json:"lines"`
}

func simTemplates(_ context.Context, p *Platform, _ url.Values) (any, error) {
	all := []simTemplate{}
	err := p.act(func(t *turn) error {
		for _, m := range t.allTemplates() {
			all = append(all, simTemplate{m.ID, m.Title, m.lines()})
		}
		return nil
	})
	return all, err
}

func simVerify(ctx context.Context, p *Platform, _ url.Values) (any, error) {
	return nil, p.Verify(ctx)
}

// simPush pushes an event: {"name":"kf_close_session","fields":[{"name":"KfAccount","text":"a@b"}]}.
func simPush(ctx context.Context, p *Platform, q url.Values) (any, error) {
	var e Event
	decoder := json.NewDecoder(strings.NewReader(q.Get("event")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		return nil, verbError(hospital.Invalid, "sim", "bad_event", "event: want an Event as JSON")
	}
	if q.Get("openid") == "" {
		return nil, p.Push(ctx, e)
	}
	f, err := p.Find(q.Get("openid"))
	if err != nil {
		return nil, err
	}
	return nil, f.Push(ctx, e)
}
