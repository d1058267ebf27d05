package wechat

import (
	"context"
	"regexp"
	"strings"

	"github.com/wxhospital/hospital"
)

// assistantBusiness is the one business_id of the medical assistant.
// API: POST /cityservice/sendchannelmsg, business_id "固定值150".
const assistantBusiness = 150

// VisitStatus is the kind of a message of 微信就医助手: 1501001 and its like, as the
// account's console lists them. Its first five digits are the family: 15010 门诊,
// 15020 住院, 15030 体检, 15040 线上问诊, 15050 诊后提醒. The messages of one order decide
// how its page is headed: all of one family, with 诊后提醒 or without, make it
// 本次门诊流程 and so on, anything else 本次就医流程.
// Source: developers.weixin.qq.com/doc/service/guide/product/medicalassistant.html.
type VisitStatus int

// VisitBooked is 预约挂号成功通知, the one status with a published structure.
const VisitBooked VisitStatus = 1501001

// known reports whether the status is of one of the families.
func (s VisitStatus) known() bool {
	family := s / 1000
	return family >= 1501 && family <= 1505 && s%1000 < 100
}

// VisitPage is where a tap leads: to a page, or to a mini program.
type VisitPage struct {
	URL string
	// MiniProgram, in place of URL, is a linked mini program and the whole path
	// in it.
	MiniProgram *MiniProgram
}

// Visit is what a message tells about a visit.
type Visit struct {
	CardNo     string // the patient's at the hospital, 就诊卡号
	Patient    string // their name, best masked: "李*龙"
	Doctor     string // or the title, while no doctor is assigned; optional
	Department string // with building and floor: "门诊3楼五官科"
	Location   string // optional
	Time       string // "2023-06-07 10:30-11:00"
	Memo       string // 就医须知, optional
	// Page is where a tap leads, Elder where it leads for who uses 长辈版. Both
	// are optional.
	Page, Elder VisitPage
}

// VisitMessage is one message of 微信就医助手. It goes into the user's service
// notices, needs no template and no consent, and all messages of one Order
// become one page: 挂号—诊前准备—门诊缴费—检验检查—诊后提醒. Only public hospitals and
// health commissions may send it.
type VisitMessage struct {
	To     OpenID
	Status VisitStatus
	Order  string       // order_id, the same for everything about one visit
	Key    hospital.Key // msg_id, another one for every message of the order
	// Visit is what is told: the structure of [VisitBooked]. More are fields that
	// another status has beside it, by their names in the console's list.
	Visit Visit
	More  map[string]string
}

var visitTimeRE = regexp.MustCompile(`^\d{4}-\d{2}-\d{2} \d{2}:\d{2}(-\d{2}:\d{2})?$`)

func badVisit(detail string) error {
	return invalid("wechat.VisitMessage", "bad_visit", detail)
}

// validate returns Invalid with code bad_visit; the detail names the field and
// never its value.
func (m VisitMessage) validate() error {
	switch {
	case m.To == "":
		return badVisit("open_id: missing")
	case !m.Status.known():
		return badVisit("status: want 15010xx, 15020xx, 15030xx, 15040xx or 15050xx")
	case m.Order == "":
		return badVisit("order_id: missing")
	case !m.Key.Valid():
		return badVisit("msg_id: not a key")
	}
	if err := required(badVisit,
		"business_info.pat_hospital_id", m.Visit.CardNo, "business_info.pat_name", m.Visit.Patient,
		"business_info.department_name", m.Visit.Department, "business_info.appointment_time", m.Visit.Time,
	); err != nil {
		return err
	}
	if !visitTimeRE.MatchString(m.Visit.Time) || checkDays(m.Visit.Time) != "" {
		return badVisit("business_info.appointment_time: want a time such as 2023-06-07 10:30-11:00")
	}
	known := m.Visit.wire()
	for name := range m.More {
		if _, ours := known[name]; ours || !fieldRE.MatchString(name) {
			return badVisit("business_info." + strings.ToValidUTF8(name, "?") + ": not another field")
		}
	}
	if err := m.Visit.Page.validate("business_info.redirect_page"); err != nil {
		return err
	}
	return m.Visit.Elder.validate("business_info.elder_redirect_page")
}

func (p VisitPage) validate(at string) error {
	switch {
	case p.URL != "" && p.MiniProgram != nil:
		return badVisit(at + ".page_type: want one of URL and MiniProgram")
	case p.MiniProgram != nil:
		return required(badVisit, at+".app_id", p.MiniProgram.AppID, at+".fullpath", p.MiniProgram.Page)
	case p.URL != "" && !webAddress(p.URL):
		return badVisit(at + ".url: want http:// or https:// and a host")
	}
	return nil
}

// wire is business_info, with every field that the structure knows; those
// that are empty are nil.
func (v Visit) wire() map[string]any {
	info := map[string]any{"redirect_page": v.Page.wire(), "elder_redirect_page": v.Elder.wire()}
	for name, value := range map[string]string{
		"pat_hospital_id": v.CardNo, "pat_name": v.Patient, "doc_name": v.Doctor, "department_name": v.Department,
		"department_location": v.Location, "appointment_time": v.Time, "memo": v.Memo,
	} {
		info[name] = nil
		if value != "" {
			info[name] = value
		}
	}
	return info
}

func (p VisitPage) wire() any {
	switch {
	case p.MiniProgram != nil:
		return map[string]string{"page_type": "mini_program", "app_id": p.MiniProgram.AppID, "fullpath": p.MiniProgram.Page}
	case p.URL != "":
		return map[string]string{"page_type": "web", "url": p.URL}
	}
	return nil
}

// personal is what may not come back in an error.
func (v Visit) personal() []string {
	all := []string{v.CardNo, v.Patient, v.Doctor, v.Department, v.Location, v.Time, v.Memo, v.Page.URL, v.Elder.URL}
	for _, page := range []VisitPage{v.Page, v.Elder} {
		if page.MiniProgram != nil {
			all = append(all, page.MiniProgram.Page)
		}
	}
	return all
}

// SendVisit sends the message. It returns Invalid with code bad_visit before
// anything is sent, Denied with code 48001 where the account has not opened the
// assistant, and Rejected where the user cannot be reached, see [Unreachable].
// Indeterminate: the answer was lost, and the message may be there. What the
// platform does about a msg_id that it has seen is not documented, so it is not
// repeated by itself.
// API: POST /cityservice/sendchannelmsg — developers.weixin.qq.com/doc/service/api/medicalassistant/api_cityservice_sendchannelmsg.
func (c *Client) SendVisit(ctx context.Context, m VisitMessage) error {
	if err := m.validate(); err != nil {
		return err
	}
	info := m.Visit.wire()
	personal := append(m.Visit.personal(), string(m.To))
	for name, value := range info {
		if value == nil {
			delete(info, name)
		}
	}
	for name, value := range m.More {
		info[name] = value
		personal = append(personal, value)
	}
	_, err := c.do(ctx, call{
		op: "wechat.SendVisit", path: "/cityservice/sendchannelmsg", changes: true, personal: personal,
		body: struct {
			Status   VisitStatus    `json:"status"`
			To       OpenID         `json:"open_id"`
			Order    string         `json:"order_id"`
			Key      hospital.Key   `json:"msg_id"`
			AppID    string         `json:"app_id"`
			Business int            `json:"business_id"`
			Info     map[string]any `json:"business_info"`
		}{m.Status, m.To, m.Order, m.Key, c.appID, assistantBusiness, info},
	})
	return err
}
