package wechattest

import (
	"net/http"
	"regexp"
	"slices"
	"time"
)

// assistantBusiness is the one business_id of 微信就医助手.
const assistantBusiness = 150

func assistantEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cityservice/sendchannelmsg", withToken, Quota{Day: 100_000}, (*turn).sendVisit},
	}
}

// Visit is what the user's service notices show of one order of 微信就医助手.
type Visit struct {
	Order string `json:"order"`
	// Heading is "本次门诊流程", "本次住院流程", "本次体检流程", "本次线上问诊流程", or
	// "本次就医流程" where the messages are of several kinds.
	Heading  string      `json:"heading"`
	Patient  string      `json:"patient"`
	CardNo   string      `json:"card_no"`
	Messages []VisitNews `json:"messages"`
}

// VisitNews is one message about a visit.
type VisitNews struct {
	At     time.Time         `json:"at"`
	Status int               `json:"status"`
	MsgID  string            `json:"msg_id"`
	Fields map[string]string `json:"fields"` // business_info, but for the pages
	// URL is where a tap leads, ElderURL where it leads for who uses 长辈版:
	// an address, or "appid/path" of a mini program.
	URL      string `json:"url,omitempty"`
	ElderURL string `json:"elder_url,omitempty"`
}

// visitPage is where a tap leads.
type visitPage struct {
	Type  string `json:"page_type"`
	URL   string `json:"url"`
	AppID string `json:"app_id"`
	Path  string `json:"fullpath"`
}

// link checks the page and returns where it leads.
func (p visitPage) link(t *turn) (string, *refusal) {
	switch p.Type {
	case "":
		if p != (visitPage{}) {
			return "", refusef(40097, "invalid args: page_type")
		}
		return "", nil
	case "web":
		if !webAddress(p.URL) {
			return "", refusef(40097, "invalid args: url")
		}
		return p.URL, nil
	case "mini_program":
		switch {
		case !slices.Contains(t.config.MiniPrograms, p.AppID):
			return "", refuse(40166)
		case p.Path == "":
			return "", refuse(40165)
		}
		return p.AppID + "/" + p.Path, nil
	}
	return "", refusef(40097, "invalid args: page_type")
}

var visitTime = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2}) ([01]\d|2[0-3]):[0-5]\d(-([01]\d|2[0-3]):[0-5]\d)?$`)

// sendVisit answers cityservice/sendchannelmsg. The documentation lists no
// errcode of its own, so those of other calls stand here. business_info has the
// structure of 1501001, the one that is published; other statuses may have
// further texts in it. Ours: a msg_id that the order has seen is refused, where
// the documentation says only that it must not be used again.
func (t *turn) sendVisit(r *request) (any, *refusal) {
	var in struct {
		Status   int            `json:"status"`
		OpenID   string         `json:"open_id"`
		Order    string         `json:"order_id"`
		MsgID    string         `json:"msg_id"`
		AppID    string         `json:"app_id"`
		Business int            `json:"business_id"`
		Info     map[string]any `json:"business_info"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	_, known := t.users.rows[in.OpenID]
	heading, family := visitHeading(in.Status)
	switch {
	case !t.config.Assistant:
		return nil, refuse(48001)
	case !known:
		return nil, refuse(40003)
	case in.AppID != t.ours().AppID:
		return nil, refuse(40013)
	case in.Business != assistantBusiness:
		return nil, refusef(40097, "invalid args: business_id")
	case !family:
		return nil, refusef(40097, "invalid args: status")
	case in.Order == "":
		return nil, refusef(40097, "invalid args: order_id")
	case in.MsgID == "":
		return nil, refusef(40097, "invalid args: msg_id")
	}
	news, no := t.visitNews(in.Status, in.Info)
	if no != nil {
		return nil, no
	}
	news.MsgID = in.MsgID
	key := in.OpenID + " " + in.Order
	v := t.visits.rows[key]
	if slices.ContainsFunc(v.Messages, func(before VisitNews) bool { return before.MsgID == in.MsgID }) {
		return nil, refusef(40097, "invalid args: msg_id exists")
	}
	switch {
	case v.Heading == "" || v.Heading == aftercare:
		v.Heading = heading
	case heading != aftercare && v.Heading != heading:
		v.Heading = mixedVisit
	}
	v.Order, v.Patient, v.CardNo = in.Order, news.Fields["pat_name"], news.Fields["pat_hospital_id"]
	v.Messages = append(slices.Clone(v.Messages), news)
	t.visits.put(t, key, v)
	return nil, nil
}

const (
	// aftercare is the family that says nothing about what a visit is; a page
	// with nothing else is headed like a mixed one.
	aftercare  = "诊后提醒"
	mixedVisit = "本次就医流程"
)

// visitHeading is how messages of the status alone head the page.
// Source: developers.weixin.qq.com/doc/service/guide/product/medicalassistant.html, 顶部就医场景配置.
func visitHeading(status int) (heading string, known bool) {
	if status%1000 >= 100 {
		return "", false
	}
	switch status / 1000 {
	case 1501:
		return "本次门诊流程", true
	case 1502:
		return "本次住院流程", true
	case 1503:
		return "本次体检流程", true
	case 1504:
		return "本次线上问诊流程", true
	case 1505:
		return aftercare, true
	}
	return "", false
}

// visitNews checks business_info.
func (t *turn) visitNews(code int, info map[string]any) (VisitNews, *refusal) {
	news := VisitNews{At: t.now, Status: code, Fields: map[string]string{}}
	for name, value := range info {
		switch name {
		case "redirect_page", "elder_redirect_page":
			var page visitPage
			inner := &request{body: encode(value)}
			if no := inner.decodeWhole(&page); no != nil {
				return news, no
			}
			to, no := page.link(t)
			if no != nil {
				return news, no
			}
			if name == "redirect_page" {
				news.URL = to
			} else {
				news.ElderURL = to
			}
		default:
			words, is := value.(string)
			if !is {
				return news, refuse(47001)
			}
			news.Fields[name] = words
		}
	}
	for _, name := range []string{"pat_hospital_id", "pat_name", "department_name", "appointment_time"} {
		if news.Fields[name] == "" {
			return news, refusef(40097, "invalid args: business_info.%s", name)
		}
	}
	found := visitTime.FindStringSubmatch(news.Fields["appointment_time"])
	if found == nil || !isDay(found[1]) {
		return news, refusef(40097, "invalid args: business_info.appointment_time")
	}
	if code == 1501001 {
		known := []string{"pat_hospital_id", "pat_name", "doc_name", "department_name", "department_location", "appointment_time", "memo"}
		for name := range news.Fields {
			if !slices.Contains(known, name) {
				return news, refusef(47001, "data format error: unknown field business_info.%s", name)
			}
		}
	}
	return news, nil
}

// Visits are the pages of 微信就医助手 in the person's service notices, by order.
func (f *Follower) Visits() []Visit {
	f.platform.mu.Lock()
	defer f.platform.mu.Unlock()
	all := []Visit{}
	for _, key := range f.platform.visits.keys() {
		if v := f.platform.visits.rows[key]; key == f.openID+" "+v.Order {
			if v.Heading == aftercare {
				v.Heading = mixedVisit
			}
			all = append(all, v)
		}
	}
	return all
}
