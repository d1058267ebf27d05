package wechat

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"
)

// Platform is a kind of phone, as menus see it.
type Platform int

// The platforms. The zero value is any.
// API: POST /cgi-bin/menu/addconditional, client_platform_type.
const (
	PlatformIOS     Platform = 1
	PlatformAndroid Platform = 2
	PlatformOther   Platform = 3
)

// MatchRule says who sees a menu. What is not zero must fit; of a follower's tags
// the one given last counts. Sex, place and language are no conditions any more.
type MatchRule struct {
	Tag      int64
	Platform Platform
}

// ConditionalMenu is 个性化菜单: a menu for some followers. Of several that fit, the
// newest is shown. All of them together may lead to three hosts.
type ConditionalMenu struct {
	Menu
	Rule MatchRule
	ID   string // menuid, the platform's
}

func (r MatchRule) validate() error {
	switch {
	case r == MatchRule{}:
		return badMenu("matchrule: empty")
	case r.Tag < 0:
		return badMenu("matchrule.tag_id: negative")
	case r.Platform < 0 || r.Platform > PlatformOther:
		return badMenu("matchrule.client_platform_type: want 1 to 3")
	}
	return nil
}

// wireRule writes both numbers as texts, as the samples of the page do.
type wireRule struct {
	Tag      string `json:"tag_id,omitempty"`
	Platform string `json:"client_platform_type,omitempty"`
}

// AddConditionalMenu adds a menu for the followers whom the rule fits and returns
// its menuid. There must be one for everybody, see [Client.PublishMenu]. It returns Invalid with code bad_menu before anything
// is sent. Indeterminate: [Client.Menus] tells whether it is there.
// API: POST /cgi-bin/menu/addconditional.
func (c *Client) AddConditionalMenu(ctx context.Context, menu Menu, rule MatchRule) (id string, err error) {
	if err := cmp.Or(rule.validate(), menu.Validate()); err != nil {
		return "", err
	}
	body := struct {
		Menu
		Rule wireRule `json:"matchrule"`
	}{Menu: menu}
	if rule.Tag != 0 {
		body.Rule.Tag = strconv.FormatInt(rule.Tag, 10)
	}
	if rule.Platform != 0 {
		body.Rule.Platform = strconv.Itoa(int(rule.Platform))
	}
	ask := call{op: "wechat.AddConditionalMenu", path: "/cgi-bin/menu/addconditional", body: body, changes: true}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return "", err
	}
	if id = answer.Get("menuid").String(); id == "" {
		return "", ask.bad("menuid")
	}
	return id, nil
}

// DeleteConditionalMenu takes a menu for some followers away. An unknown one has
// code 65301.
// API: POST /cgi-bin/menu/delconditional.
func (c *Client) DeleteConditionalMenu(ctx context.Context, id string) error {
	if id == "" {
		return badMenu("menuid: missing")
	}
	body := struct {
		ID string `json:"menuid"`
	}{id}
	_, err := c.do(ctx, call{op: "wechat.DeleteConditionalMenu", path: "/cgi-bin/menu/delconditional", body: body, changes: true})
	return err
}

// MatchMenu returns the menu that a follower sees. Somebody else has code 65302.
// API: POST /cgi-bin/menu/trymatch.
func (c *Client) MatchMenu(ctx context.Context, id OpenID) (Menu, error) {
	if id == "" {
		return Menu{}, badMenu("user_id: missing")
	}
	body := struct {
		User OpenID `json:"user_id"`
	}{id}
	ask := call{op: "wechat.MatchMenu", path: "/cgi-bin/menu/trymatch", body: body, personal: []string{string(id)}}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return Menu{}, err
	}
	return readMenu(ask, answer)
}

// readMenu reads an object with buttons.
func readMenu(ask call, object gjson.Result) (Menu, error) {
	var menu Menu
	if err := json.Unmarshal([]byte(object.Raw), &menu); err != nil || len(menu.Buttons) == 0 {
		return Menu{}, ask.bad("button")
	}
	return menu, nil
}

// Menus returns all menus: the one for everybody, and those for some, the newest
// first. NotFound ([ErrNoMenu]): there is none.
// API: GET /cgi-bin/menu/get.
func (c *Client) Menus(ctx context.Context) (everybody Menu, some []ConditionalMenu, err error) {
	ask := call{op: "wechat.Menus", path: "/cgi-bin/menu/get"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return Menu{}, nil, err
	}
	if everybody, err = readMenu(ask, answer.Get("menu")); err != nil {
		return Menu{}, nil, err
	}
	for _, row := range answer.Get("conditionalmenu").Array() {
		one := ConditionalMenu{ID: row.Get("menuid").String()}
		if one.Menu, err = readMenu(ask, row); err != nil {
			return Menu{}, nil, err
		}
		tag, badTag := integer(row.Get("matchrule.tag_id"))
		platform, badPlatform := integer(row.Get("matchrule.client_platform_type"))
		if badTag != nil || badPlatform != nil || one.ID == "" {
			return Menu{}, nil, ask.bad("conditionalmenu")
		}
		one.Rule = MatchRule{tag, Platform(platform)}
		some = append(some, one)
	}
	return everybody, some, nil
}

// ShownButton is a button as phones show it, made by the interface or in the
// console, where a button may carry words or a file of its own.
type ShownButton struct {
	Type  string
	Name  string
	Key   string
	URL   string
	Value string // the words, or the id of what is sent
	AppID string
	Page  string
	Sub   []ShownButton
}

// ShownMenu is the menu as it is, whoever made it. Open false: it is switched
// off.
type ShownMenu struct {
	Open    bool
	Buttons []ShownButton
}

// ShownMenu returns the menu that phones show, including one that was made in the
// account's console. An account without any shows no button.
// API: GET /cgi-bin/get_current_selfmenu_info.
func (c *Client) ShownMenu(ctx context.Context) (ShownMenu, error) {
	ask := call{op: "wechat.ShownMenu", path: "/cgi-bin/get_current_selfmenu_info"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return ShownMenu{}, err
	}
	open, err := integer(answer.Get("is_menu_open"))
	if err != nil || !answer.Get("is_menu_open").Exists() {
		return ShownMenu{}, ask.bad("is_menu_open")
	}
	return ShownMenu{Open: open == 1, Buttons: shownButtons(answer.Get("selfmenu_info.button"))}, nil
}

// shownButtons reads a list of buttons; those below one stand in a list of their
// own. There is no third level.
func shownButtons(list gjson.Result) []ShownButton {
	var all []ShownButton
	for _, b := range list.Array() {
		one := shownButton(b)
		for _, s := range b.Get("sub_button.list").Array() {
			one.Sub = append(one.Sub, shownButton(s))
		}
		all = append(all, one)
	}
	return all
}

func shownButton(b gjson.Result) ShownButton {
	text := func(name string) string { return b.Get(name).String() }
	return ShownButton{
		Type: text("type"), Name: text("name"), Key: text("key"), URL: text("url"), Value: text("value"), AppID: text("appid"), Page: text("pagepath"),
	}
}
