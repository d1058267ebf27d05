package wechattest

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wxhospital/hospital"
)

// maxDomains is how many hosts all conditional menus of an account lead to.
// API: POST /cgi-bin/menu/addconditional, "最多只能设置为跳转到3个域名下的链接".
const maxDomains = 3

// Phone is what a user holds.
type Phone string

// The phones. A user who has chosen none has [Android].
const (
	IOS        Phone = "ios"
	Android    Phone = "android"
	OtherPhone Phone = "other"
)

// platformType is the phone as matchrule.client_platform_type names it.
func (p Phone) platformType() string {
	switch p {
	case IOS:
		return "1"
	case OtherPhone:
		return "3"
	default:
		return "2"
	}
}

// Use lets the user take another phone, which conditional menus look at.
// Invalid: no such phone.
func (f *Follower) Use(phone Phone) error {
	if phone != IOS && phone != Android && phone != OtherPhone {
		return verbError(hospital.Invalid, "Use", "bad_phone", "want ios, android or other")
	}
	return f.platform.act(func(t *turn) error {
		u := t.users.rows[f.openID]
		u.Phone = phone
		t.users.put(t, f.openID, u)
		return nil
	})
}

// loose is a text that calls write as a number too.
type loose string

// UnmarshalJSON takes both.
func (l *loose) UnmarshalJSON(raw []byte) error {
	var number json.Number
	if err := json.Unmarshal(raw, &number); err == nil {
		*l = loose(number)
		return nil
	}
	return json.Unmarshal(raw, (*string)(l))
}

// matchRule says who sees a conditional menu.
type matchRule struct {
	Tag   loose `json:"tag_id,omitempty"`
	Phone loose `json:"client_platform_type,omitempty"`
}

// retiredRule are the conditions that the platform took away to protect users.
// API: POST /cgi-bin/menu/addconditional, "只要匹配条件中包含隐私信息的，将被拒绝，并返回错误码 65320".
type retiredRule struct {
	Sex      loose `json:"sex"`
	Country  loose `json:"country"`
	Province loose `json:"province"`
	City     loose `json:"city"`
	Language loose `json:"language"`
}

// conditional returns the conditional menus, the newest first.
func (t *turn) conditional() []menu {
	var all []menu
	for _, m := range t.menus.rows {
		if m.Rule != nil {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b menu) int { return cmp.Compare(b.ID, a.ID) })
	return all
}

// menuOf returns the menu that the user sees. Of several tags the one given last
// counts.
// API: POST /cgi-bin/menu/addconditional, "由新到旧逐一匹配", "以最后打上的标签为匹配".
func (t *turn) menuOf(u user) (menu, bool) {
	last := ""
	if n := len(u.Tags); n > 0 {
		last = strconv.Itoa(u.Tags[n-1])
	}
	for _, m := range t.conditional() {
		if (m.Rule.Tag == "" || string(m.Rule.Tag) == last) && (m.Rule.Phone == "" || string(m.Rule.Phone) == u.Phone.platformType()) {
			return m, true
		}
	}
	m, there := t.menus.rows[""]
	return m, there
}

// addConditional answers menu/addconditional. How many menus an account may have
// (65305) is documented nowhere and not limited here.
func (t *turn) addConditional(r *request) (any, *refusal) {
	var in struct {
		Buttons []button `json:"button"`
		Rule    struct {
			matchRule
			retiredRule
		} `json:"matchrule"`
	}
	if r.escaped {
		return nil, refuse(40033)
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if _, there := t.menus.rows[""]; !there {
		return nil, refuse(65303)
	}
	rule := in.Rule.matchRule
	switch _, tagged := t.tags.rows[string(rule.Tag)]; {
	case in.Rule.retiredRule != retiredRule{}:
		return nil, refuse(65320)
	case rule == matchRule{}:
		return nil, refuse(65304)
	case rule.Tag != "" && !tagged && rule.Tag != "2":
		return nil, refuse(45159)
	case !slices.Contains([]loose{"", "1", "2", "3"}, rule.Phone):
		return nil, refuse(40035)
	}
	buttons, no := t.checkButtons(in.Buttons)
	if no != nil {
		return nil, no
	}
	made := menu{Buttons: buttons, ID: firstMenuID + t.next("menus"), Rule: &rule}
	hosts := map[string]bool{}
	for _, m := range append(t.conditional(), made) {
		m.hosts(hosts)
	}
	if len(hosts) > maxDomains {
		return nil, refuse(65316)
	}
	t.menus.put(t, decimal(made.ID), made)
	return struct {
		ID string `json:"menuid"`
	}{decimal(made.ID)}, nil
}

// hosts adds where the menu leads.
func (m menu) hosts(into map[string]bool) {
	for _, b := range m.Buttons {
		for _, leaf := range append([]button{b}, b.Sub...) {
			if u, err := url.Parse(leaf.URL); err == nil && u.Host != "" {
				into[strings.ToLower(u.Host)] = true
			}
		}
	}
}

// deleteConditional answers menu/delconditional.
func (t *turn) deleteConditional(r *request) (any, *refusal) {
	var in struct {
		ID loose `json:"menuid"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if _, there := t.menus.rows[string(in.ID)]; !there || in.ID == "" {
		return nil, refuse(65301)
	}
	t.menus.drop(t, string(in.ID))
	return nil, nil
}

// tryMatch answers menu/trymatch, by openid; this platform knows no WeChat names.
func (t *turn) tryMatch(r *request) (any, *refusal) {
	var in struct {
		User string `json:"user_id"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	u, known := t.users.rows[in.User]
	if !known || !u.Subscribed {
		return nil, refuse(65302)
	}
	m, there := t.menuOf(u)
	if !there {
		return nil, refuse(46003)
	}
	return struct {
		Buttons []button `json:"button"`
	}{m.Buttons}, nil
}
