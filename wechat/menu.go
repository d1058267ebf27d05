package wechat

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/wxhospital/hospital"
)

// The limits of a menu, in buttons and bytes.
// API: POST /cgi-bin/menu/create, 参数说明.
const (
	maxButtons    = 3
	maxSubButtons = 5
	maxButtonName = 16
	maxSubName    = 60
	maxButtonKey  = 128
	maxButtonURL  = 1024
)

// Menu is 自定义菜单: one to three buttons at the foot of the conversation.
type Menu struct {
	Buttons []Button `json:"button"`
}

// Button leads somewhere, or opens a list of one to five further buttons.
type Button struct {
	// Type is the platform's: "click" with Key; "view" with URL; "miniprogram"
	// with AppID, Page and URL for old phones; "scancode_push",
	// "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin" and
	// "location_select" with Key; "media_id" with MediaID; "article_id" and
	// "article_view_limited" with ArticleID. None for a button that opens a list.
	Type      string   `json:"type,omitempty"`
	Name      string   `json:"name"`
	Key       string   `json:"key,omitempty"`
	URL       string   `json:"url,omitempty"`
	MediaID   string   `json:"media_id,omitempty"`
	ArticleID string   `json:"article_id,omitempty"`
	AppID     string   `json:"appid,omitempty"`
	Page      string   `json:"pagepath,omitempty"`
	Sub       []Button `json:"sub_button,omitempty"`
}

// Validate checks the menu against the platform's limits. It returns Invalid
// with code bad_menu, and the detail names the field: "button[1].name".
func (m Menu) Validate() error {
	if len(m.Buttons) == 0 || len(m.Buttons) > maxButtons {
		return badMenu("button: want 1 to 3")
	}
	for i, b := range m.Buttons {
		at := "button[" + strconv.Itoa(i) + "]"
		if len(b.Sub) == 0 {
			if err := b.validate(at, maxButtonName); err != nil {
				return err
			}
			continue
		}
		switch {
		case b.Name == "" || len(b.Name) > maxButtonName:
			return badMenu(at + ".name: want 1 to 16 bytes")
		case b.Type != "":
			return badMenu(at + ".type: a button that opens a list has none")
		case len(b.Sub) > maxSubButtons:
			return badMenu(at + ".sub_button: want 1 to 5")
		}
		for j, s := range b.Sub {
			below := at + ".sub_button[" + strconv.Itoa(j) + "]"
			if len(s.Sub) > 0 {
				return badMenu(below + ".sub_button: a third level does not exist")
			}
			if err := s.validate(below, maxSubName); err != nil {
				return err
			}
		}
	}
	return nil
}

// validate checks a button that leads somewhere.
func (b Button) validate(at string, longestName int) error {
	if b.Name == "" || len(b.Name) > longestName {
		return badMenu(at + ".name: want 1 to " + strconv.Itoa(longestName) + " bytes")
	}
	badURL := !webAddress(b.URL) || len(b.URL) > maxButtonURL
	switch b.Type {
	case "click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select":
		if b.Key == "" || len(b.Key) > maxButtonKey {
			return badMenu(at + ".key: want 1 to 128 bytes")
		}
	case "view":
		if badURL {
			return badMenu(at + ".url: want http:// or https:// and a host, at most 1024 bytes")
		}
	case "miniprogram":
		switch {
		case b.AppID == "":
			return badMenu(at + ".appid: missing")
		case b.Page == "":
			return badMenu(at + ".pagepath: missing")
		case badURL:
			return badMenu(at + ".url: want a page for phones without mini programs, at most 1024 bytes")
		}
	case "media_id":
		if b.MediaID == "" {
			return badMenu(at + ".media_id: missing")
		}
	case "article_id", "article_view_limited":
		if b.ArticleID == "" {
			return badMenu(at + ".article_id: missing")
		}
	default:
		return badMenu(at + ".type: unknown")
	}
	return nil
}

func badMenu(detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "wechat.Menu", Code: "bad_menu", Detail: detail}
}

// PublishMenu replaces the account's menu; phones show it within minutes. It
// returns Invalid with code bad_menu before anything is sent. It may be
// repeated when the answer was lost.
// API: POST /cgi-bin/menu/create.
func (c *Client) PublishMenu(ctx context.Context, menu Menu) error {
	if err := menu.Validate(); err != nil {
		return err
	}
	_, err := c.do(ctx, call{op: "wechat.PublishMenu", path: "/cgi-bin/menu/create", body: menu, changes: true, idempotent: true})
	return err
}

// Menu returns the menu for everybody, NotFound ([ErrNoMenu]) for none.
// API: GET /cgi-bin/menu/get.
func (c *Client) Menu(ctx context.Context) (Menu, error) {
	ask := call{op: "wechat.Menu", path: "/cgi-bin/menu/get"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return Menu{}, err
	}
	var menu Menu
	if err := json.Unmarshal([]byte(answer.Get("menu").Raw), &menu); err != nil {
		return Menu{}, ask.bad("menu")
	}
	return menu, nil
}

// DeleteMenu takes the menu away, conditional menus included. It may be
// repeated when the answer was lost.
// API: GET /cgi-bin/menu/delete.
func (c *Client) DeleteMenu(ctx context.Context) error {
	_, err := c.do(ctx, call{op: "wechat.DeleteMenu", path: "/cgi-bin/menu/delete", changes: true, idempotent: true})
	return err
}
