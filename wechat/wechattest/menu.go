package wechattest

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The limits of a menu, in bytes and buttons.
// API: POST /cgi-bin/menu/create, 参数说明.
const (
	maxButtons    = 3
	maxSubButtons = 5
	maxButtonName = 16
	maxSubName    = 60
	maxButtonKey  = 128
	maxButtonURL  = 1024
)

// menu is what createMenu or addConditional accepted. The one for everybody has
// the key "".
type menu struct {
	Buttons []button
	ID      int64
	Rule    *matchRule `json:",omitempty"`
}

// button is one button as the calls carry it.
type button struct {
	Type      string   `json:"type,omitempty"`
	Name      string   `json:"name"`
	Key       string   `json:"key,omitempty"`
	URL       string   `json:"url,omitempty"`
	MediaID   string   `json:"media_id,omitempty"`
	ArticleID string   `json:"article_id,omitempty"`
	AppID     string   `json:"appid,omitempty"`
	PagePath  string   `json:"pagepath,omitempty"`
	Sub       []button `json:"sub_button"`
}

// MenuEntry is a button of the menu as the phone shows it.
type MenuEntry struct {
	Name string   `json:"name"`
	Sub  []string `json:"sub,omitempty"` // the names of what it opens
}

// Menu returns the account's menu as the person sees it, none for somebody who
// does not follow.
func (f *Follower) Menu() []MenuEntry {
	f.platform.mu.Lock()
	defer f.platform.mu.Unlock()
	entries := []MenuEntry{}
	if !f.platform.users.rows[f.openID].Subscribed {
		return entries
	}
	shown, _ := (&turn{Platform: f.platform}).menuOf(f.platform.users.rows[f.openID])
	for _, b := range shown.Buttons {
		entry := MenuEntry{Name: b.Name}
		for _, s := range b.Sub {
			entry.Sub = append(entry.Sub, s.Name)
		}
		entries = append(entries, entry)
	}
	return entries
}

// find returns the button of that name, at either level.
func (m menu) find(name string) (button, bool) {
	for _, b := range m.Buttons {
		if b.Name == name {
			return b, true
		}
		for _, s := range b.Sub {
			if s.Name == name {
				return s, true
			}
		}
	}
	return button{}, false
}

func menuEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/menu/create", withToken, Quota{Day: 1000}, (*turn).createMenu},
		{http.MethodGet, "/cgi-bin/menu/get", withToken, Quota{Day: 10_000}, (*turn).getMenu},
		{http.MethodGet, "/cgi-bin/menu/delete", withToken, Quota{Day: 1000}, (*turn).deleteMenu},
		{http.MethodPost, "/cgi-bin/menu/addconditional", withToken, Quota{Day: 2000}, (*turn).addConditional},
		{http.MethodPost, "/cgi-bin/menu/delconditional", withToken, Quota{Day: 2000}, (*turn).deleteConditional},
		{http.MethodPost, "/cgi-bin/menu/trymatch", withToken, Quota{Day: 20_000}, (*turn).tryMatch},
		{http.MethodGet, "/cgi-bin/get_current_selfmenu_info", withToken, Quota{Day: 10_000}, (*turn).selfMenu},
	}
}

// createMenu replaces the menu, all or nothing.
func (t *turn) createMenu(r *request) (any, *refusal) {
	var in struct {
		Buttons []button `json:"button"`
	}
	if r.escaped {
		return nil, refuse(40033)
	}
	if no := r.decode(&in); no != nil {
		return nil, no
	}
	buttons, no := t.checkButtons(in.Buttons)
	if no != nil {
		return nil, no
	}
	t.menus.put(t, "", menu{Buttons: buttons, ID: firstMenuID + t.next("menus")})
	return nil, nil
}

// firstMenuID is where menuids begin.
const firstMenuID = 208_000_000

// checkButtons checks a menu and returns what is kept of it.
func (t *turn) checkButtons(buttons []button) ([]button, *refusal) {
	if n := len(buttons); n < 1 || n > maxButtons {
		return nil, refuse(40016)
	}
	for i := range buttons {
		b := &buttons[i]
		if no := t.checkButton(*b); no != nil {
			return nil, no
		}
		// What the platform does not know of a kind of button it does not keep.
		for j := range b.Sub {
			b.Sub[j].Sub = []button{}
		}
		if b.Sub == nil {
			b.Sub = []button{}
		}
	}
	return buttons, nil
}

// checkButton checks a button of the first level and those below it.
func (t *turn) checkButton(b button) *refusal {
	if b.Name == "" || len(b.Name) > maxButtonName {
		return refuse(40018)
	}
	if len(b.Sub) == 0 {
		return t.checkAction(b, actionCodes{40017, 40019, 40020, 40055})
	}
	if len(b.Sub) > maxSubButtons {
		return refuse(40023)
	}
	for _, s := range b.Sub {
		if s.Name == "" || len(s.Name) > maxSubName {
			return refuse(40025)
		}
		if len(s.Sub) > 0 { // there is no third level
			return refusef(40022, "invalid sub button level")
		}
		if no := t.checkAction(s, actionCodes{40024, 40026, 40027, 40054}); no != nil {
			return no
		}
	}
	return nil
}

// actionCodes are the codes of one level of the menu.
type actionCodes struct{ kind, key, url, domain int }

// checkAction checks what a button does.
func (t *turn) checkAction(b button, codes actionCodes) *refusal {
	switch b.Type {
	case "click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select":
		if b.Key == "" || len(b.Key) > maxButtonKey {
			return refuse(codes.key)
		}
	case "view":
		return checkButtonURL(b.URL, codes)
	case "miniprogram":
		if no := checkButtonURL(b.URL, codes); no != nil {
			return no
		}
		switch {
		case !slices.Contains(t.config.MiniPrograms, b.AppID):
			return refuse(40166)
		case b.PagePath == "":
			return refuse(40165)
		}
	case "media_id":
		if m, kept := t.materials.rows[b.MediaID]; !kept || m.Hidden || m.Kind == newsMaterial {
			return refuse(40007)
		}
	case "view_limited":
		if t.materials.rows[b.MediaID].Kind != newsMaterial {
			return refuse(40007)
		}
	case "article_id", "article_view_limited":
		if _, _, no := t.publication(b.ArticleID); no != nil {
			return no
		}
	default:
		return refuse(codes.kind)
	}
	return nil
}

func checkButtonURL(address string, codes actionCodes) *refusal {
	if address == "" || len(address) > maxButtonURL {
		return refuse(codes.url)
	}
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || strings.ContainsAny(address, " \t\r\n") {
		return refuse(codes.domain)
	}
	return nil
}

// getMenu answers menu/get. Conditional menus stand in it newest first, which is
// the order in which they are tried; without any, no menuid is shown.
func (t *turn) getMenu(*request) (any, *refusal) {
	m, there := t.menus.rows[""]
	if !there {
		return nil, refuse(46003)
	}
	type shown struct {
		Buttons []button   `json:"button"`
		Rule    *matchRule `json:"matchrule,omitempty"`
		ID      int64      `json:"menuid,omitempty"`
	}
	var out struct {
		Menu        shown   `json:"menu"`
		Conditional []shown `json:"conditionalmenu,omitempty"`
	}
	out.Menu.Buttons = m.Buttons
	for _, c := range t.conditional() {
		out.Menu.ID = m.ID
		out.Conditional = append(out.Conditional, shown{c.Buttons, c.Rule, c.ID})
	}
	return out, nil
}

// deleteMenu takes all menus away. Without one it answers ok as well.
func (t *turn) deleteMenu(*request) (any, *refusal) {
	t.menus.sweep(t, func(menu) bool { return true })
	return nil, nil
}

// selfMenu answers get_current_selfmenu_info, in which the buttons of the
// second level stand in a list of their own.
func (t *turn) selfMenu(*request) (any, *refusal) {
	type shown struct {
		Type     string `json:"type,omitempty"`
		Name     string `json:"name"`
		Key      string `json:"key,omitempty"`
		URL      string `json:"url,omitempty"`
		Value    string `json:"value,omitempty"` // what is sent: a media or article id
		AppID    string `json:"appid,omitempty"`
		PagePath string `json:"pagepath,omitempty"`
		Sub      any    `json:"sub_button,omitempty"`
	}
	type list struct {
		List []shown `json:"list"`
	}
	bare := func(b button) shown {
		return shown{Type: b.Type, Name: b.Name, Key: b.Key, URL: b.URL, Value: cmp.Or(b.MediaID, b.ArticleID), AppID: b.AppID, PagePath: b.PagePath}
	}
	var out struct {
		Open int `json:"is_menu_open"`
		Self struct {
			Buttons []shown `json:"button"`
		} `json:"selfmenu_info"`
	}
	out.Self.Buttons = []shown{}
	for _, b := range t.menus.rows[""].Buttons {
		out.Open = 1
		top := bare(b)
		if len(b.Sub) > 0 {
			var below list
			for _, s := range b.Sub {
				below.List = append(below.List, bare(s))
			}
			top.Sub = below
		}
		out.Self.Buttons = append(out.Self.Buttons, top)
	}
	return out, nil
}
