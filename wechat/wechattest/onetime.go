package wechattest

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// The limits of a one-time subscription.
// API: 一次性订阅消息, "scene 0-10000的整形值", "reserved 最多128字节"; POST
// /cgi-bin/message/template/subscribe, "title 15字以内", "value 200字以内".
const (
	maxOneTimeScene    = 10_000
	maxOneTimeReserved = 128
	maxOneTimeTitle    = 15
	maxOneTimeText     = 200
)

// subscribePage is where the question is asked, at mp.weixin.qq.com.
const subscribePage = "/mp/subscribemsg"

func oneTimeEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/message/template/subscribe", withToken, Quota{Day: 100_000}, (*turn).sendOneTime},
	}
}

// oneTimeKey is the credit for one scene.
func oneTimeKey(openID, template, scene string) string {
	return creditKey(openID, template) + " scene " + scene
}

// AnswerOneTime opens the link of a one-time subscription (一次性订阅消息) on the
// phone, agrees or refuses, and returns the address that the browser is sent
// to. Who agrees need not follow. Rejected: the page shows an error, which the
// detail names.
func (f *Follower) AnswerOneTime(link string, agree bool) (address string, err error) {
	u, err := url.Parse(link)
	if err != nil || u.Path != subscribePage {
		return "", verbError(hospital.Invalid, "AnswerOneTime", "bad_link", "want "+subscribePage)
	}
	wrong := func(what string) (string, error) {
		return "", verbError(hospital.Rejected, "AnswerOneTime", "bad_parameter", what)
	}
	if u.Fragment != "wechat_redirect" {
		return wrong("the link does not end in #wechat_redirect")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return wrong("the query is broken")
	}
	scene, back := q.Get("scene"), q.Get("redirect_url")
	target, err := url.Parse(back)
	number, badScene := strconv.Atoi(scene)
	var no error
	failed := f.platform.act(func(t *turn) error {
		switch {
		case q.Get("action") != "get_confirm":
			_, no = wrong("action")
		case q.Get("appid") != t.ours().AppID:
			_, no = wrong("appid")
		case badScene != nil || number < 0 || number > maxOneTimeScene:
			_, no = wrong("scene")
		case q.Get("template_id") == "" || q.Get("template_id") != t.config.OneTimeTemplate:
			_, no = wrong("template_id")
		case err != nil, !webAddress(back), !t.domains.rows[target.Host]:
			_, no = wrong("redirect_url")
		case len(q.Get("reserved")) > maxOneTimeReserved:
			_, no = wrong("reserved")
		case agree:
			key := oneTimeKey(f.openID, t.config.OneTimeTemplate, scene)
			c := t.credits.rows[key]
			c.Left++
			t.credits.put(t, key, c)
		}
		return nil
	})
	if failed != nil || no != nil {
		return "", cmp.Or(failed, no)
	}
	answer := url.Values{
		"template_id": {q.Get("template_id")}, "action": {"cancel"}, "scene": {scene}, "reserved": {q.Get("reserved")},
	}
	if agree {
		answer.Set("openid", f.openID)
		answer.Set("action", "confirm")
	}
	return withQuery(back, answer), nil
}

// sendOneTime answers message/template/subscribe.
func (t *turn) sendOneTime(r *request) (any, *refusal) {
	var in struct {
		ToUser      string         `json:"touser"`
		TemplateID  string         `json:"template_id"`
		URL         string         `json:"url"`
		MiniProgram *miniProgram   `json:"miniprogram"`
		Scene       digits         `json:"scene"`
		Title       string         `json:"title"`
		Data        templateValues `json:"data"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	content := in.Data["content"].Value
	switch _, known := t.users.rows[in.ToUser]; {
	case !known:
		return nil, refuse(40003)
	case in.TemplateID == "" || in.TemplateID != t.config.OneTimeTemplate:
		return nil, refuse(40037)
	case in.Scene == "" || in.Scene.number() < 0 || in.Scene.number() > maxOneTimeScene:
		return nil, refusef(40097, "invalid args: scene")
	case in.Title == "" || utf8.RuneCountInString(in.Title) > maxOneTimeTitle:
		return nil, refusef(47003, "argument invalid! title invalid")
	case len(in.Data) != 1 || content == "" || utf8.RuneCountInString(content) > maxOneTimeText:
		return nil, refusef(47003, "argument invalid! data.content.value invalid")
	}
	card, no := t.link(in.MiniProgram, in.URL)
	if no != nil {
		return nil, no
	}
	key := oneTimeKey(in.ToUser, in.TemplateID, decimal(in.Scene.number()))
	c := t.credits.rows[key]
	if c.Left == 0 {
		return nil, refuse(43101)
	}
	c.Left--
	t.credits.put(t, key, c)
	card.Title, card.Text = in.Title, content
	t.show(in.ToUser, Bubble{From: Ours, Kind: "one-time", Cards: []Card{card}})
	return nil, nil
}
