package wechat

import (
	"context"
	"net/url"
	"regexp"
	"strconv"
	"unicode/utf8"
)

const (
	// maxScene is the highest scene: "可以填0-10000的整形值".
	// API: 一次性订阅消息, 第一步 — developers.weixin.qq.com/doc/offiaccount/Message_Management/One-time_subscription_info.html.
	maxScene = 10_000
	// maxReserved is in bytes: "最多128字节".
	maxReserved = 128
	// maxOneTimeTitle and maxOneTimeText are in characters: "消息标题，15字以内",
	// "消息正文，200字以内".
	// API: POST /cgi-bin/message/template/subscribe.
	maxOneTimeTitle = 15
	maxOneTimeText  = 200
)

var (
	reservedRE = regexp.MustCompile(`^[A-Za-z0-9]*$`)
	colorRE    = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
)

// OneTimeAsk asks a user whether one message under the account's one-time
// template may come (一次性订阅消息): the older way, in which a page sends the
// browser to WeChat and WeChat sends it back.
type OneTimeAsk struct {
	Template string // the account's only one, from the console
	Scene    int    // 0 to 10000, ours: what the message will be about
	// RedirectURL is where the browser returns to; its host must be the account's
	// 业务域名. It gets openid, template_id, action ("confirm" or "cancel"), scene
	// and reserved.
	RedirectURL string
	// Reserved comes back unchanged and ties the answer to the question: at most
	// 128 letters and digits, best random.
	Reserved string
}

func badOneTime(detail string) error {
	return invalid("wechat.OneTime", "bad_one_time", detail)
}

// validate returns Invalid with code bad_one_time; the detail names the field.
func (a OneTimeAsk) validate() error {
	switch {
	case a.Template == "":
		return badOneTime("template_id: missing")
	case a.Scene < 0 || a.Scene > maxScene:
		return badOneTime("scene: want 0 to 10000")
	case !webAddress(a.RedirectURL):
		return badOneTime("redirect_url: want http:// or https:// and a host")
	case len(a.Reserved) > maxReserved || !reservedRE.MatchString(a.Reserved):
		return badOneTime("reserved: want at most 128 letters and digits")
	}
	return nil
}

// OneTimeLink returns the address to send the browser to. It returns Invalid
// with code bad_one_time.
// API: GET https://mp.weixin.qq.com/mp/subscribemsg.
func (c *Client) OneTimeLink(a OneTimeAsk) (string, error) {
	if err := a.validate(); err != nil {
		return "", err
	}
	link := c.mpURL + "/mp/subscribemsg?action=get_confirm&appid=" + url.QueryEscape(c.appID) +
		"&scene=" + strconv.Itoa(a.Scene) + "&template_id=" + url.QueryEscape(a.Template) +
		"&redirect_url=" + url.QueryEscape(a.RedirectURL)
	if a.Reserved != "" {
		link += "&reserved=" + a.Reserved
	}
	return link + "#wechat_redirect", nil
}

// OneTimeMessage is the message that a user has agreed to.
type OneTimeMessage struct {
	To       OpenID
	Template string
	Scene    int // the one that was agreed to
	Title    string
	Content  string
	Color    string // of the content, "#173177"; optional
	// URL is the page that a tap opens, and MiniProgram the mini program. Both are
	// optional.
	URL         string
	MiniProgram *MiniProgram
}

// validate returns Invalid with code bad_one_time; the detail names the field
// and never its value.
func (m OneTimeMessage) validate() error {
	title, content := utf8.RuneCountInString(m.Title), utf8.RuneCountInString(m.Content)
	switch {
	case m.To == "":
		return badOneTime("touser: missing")
	case m.Template == "":
		return badOneTime("template_id: missing")
	case m.Scene < 0 || m.Scene > maxScene:
		return badOneTime("scene: want 0 to 10000")
	case title < 1 || title > maxOneTimeTitle:
		return badOneTime("title: want 1 to 15 characters")
	case content < 1 || content > maxOneTimeText:
		return badOneTime("data.content.value: want 1 to 200 characters")
	case m.Color != "" && !colorRE.MatchString(m.Color):
		return badOneTime("data.content.color: want #RRGGBB")
	case m.URL != "" && !webAddress(m.URL):
		return badOneTime("url: want http:// or https:// and a host")
	case m.MiniProgram != nil && m.MiniProgram.AppID == "":
		return badOneTime("miniprogram.appid: missing")
	case m.MiniProgram != nil && m.MiniProgram.Page == "":
		return badOneTime("miniprogram.pagepath: missing")
	}
	return nil
}

// SendOneTime sends the message. It returns Invalid with code bad_one_time, and
// Rejected where the user has not agreed or the agreement is used up:
// [ErrNoConsent], see [Unreachable]. Indeterminate: the answer was lost, and
// the message may be on its way.
// API: POST /cgi-bin/message/template/subscribe — developers.weixin.qq.com/doc/service/api/notify/subscribe/api_templatesubscribe.html.
func (c *Client) SendOneTime(ctx context.Context, m OneTimeMessage) error {
	if err := m.validate(); err != nil {
		return err
	}
	type content struct {
		Value string `json:"value"`
		Color string `json:"color,omitempty"`
	}
	_, err := c.do(ctx, call{
		op: "wechat.SendOneTime", path: "/cgi-bin/message/template/subscribe", changes: true,
		personal: []string{string(m.To), m.Title, m.Content, m.URL},
		body: struct {
			To          OpenID             `json:"touser"`
			Template    string             `json:"template_id"`
			URL         string             `json:"url,omitempty"`
			MiniProgram *MiniProgram       `json:"miniprogram,omitempty"`
			Scene       string             `json:"scene"` // a text, as the documentation writes it
			Title       string             `json:"title"`
			Data        map[string]content `json:"data"`
		}{m.To, m.Template, m.URL, m.MiniProgram, strconv.Itoa(m.Scene), m.Title, map[string]content{"content": {m.Content, m.Color}}},
	})
	return err
}
