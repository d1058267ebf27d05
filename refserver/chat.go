package refserver

import (
	"context"
	"slices"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

// deskScene is the scene of the QR code at the service desk. It is the same for
// everybody: what proves that a patient stands there is the code that staff read
// out, and that is typed, never carried by a picture or an address.
const deskScene = "desk"

// maxChatText is the longest reply that a phone shows, in bytes.
const maxChatText = 2048

// topic is what the account can be asked about in the chat.
type topic struct {
	words []string // whoever writes one of these means it; the first may be a digit
	text  string
}

// chat is what the account says. It is written once, at the start.
type chat struct {
	welcome, desk, other string
	topics               []topic // the first that fits answers
}

// newChat writes the replies, with links to the pages that this server has.
func (s *Server) newChat() (chat, error) {
	n := s.config.Names
	link := func(path, words string) string {
		return `<a href="` + s.address(path) + `">` + words + `</a>`
	}
	desk := "需要帮助请致电 " + n.Phone + "。"
	urgent := "如有胸痛、呼吸困难、意识不清、大出血等紧急情况，请立即拨打 120 或到急诊"
	if n.Emergency != "" {
		urgent += "（" + n.Emergency + "）"
	}
	urgent += "。"
	where := link(s.links.Departments(), "按科室挂号")
	lines := []string{link(s.links.Departments(), "预约挂号") + "（回复 1）"}
	if s.config.Triage != nil {
		where = link(s.links.Triage(), "智能导诊") + "会按症状推荐科室，也可以直接" + where
		lines = append([]string{link(s.links.Triage(), "智能导诊") + "：不知道挂哪个科（回复 4）"}, lines...)
	}
	pay := "门诊费用请到窗口或自助机缴纳。" + desk
	if s.bills != nil {
		pay = "待缴费用在" + link(s.links.Bills(), "我的账单") + "，挂号费在" + link(s.links.Appointments(), "我的挂号") + "。"
		lines = append(lines, link(s.links.Bills(), "缴费")+"（回复 2）")
	}
	lines = append(lines, link(s.links.Home()+"?mode=care", "长辈版")+"：大字大按钮", desk)
	place := "电话 " + n.Phone + "。"
	if n.Address != "" {
		place = "地址：" + n.Address + "。" + place
	}
	c := chat{
		welcome: "您好，欢迎关注" + n.Name + "！\n" + strings.Join(lines, "\n"),
		desk: "请先在" + link(s.links.Bind(), "添加就诊人") + "填写就诊人的姓名和身份证号，点“用窗口绑定码”，再输入工作人员给您的 8 位绑定码。" +
			"绑定码 15 分钟内有效，请不要告诉别人。",
		other: "您好，这里是" + n.Name + "的自动回复，您可以点开：\n" + strings.Join(lines, "\n") + "\n" + urgent,
		topics: []topic{
			{[]string{"急诊", "急救", "120", "胸痛", "呼吸困难", "昏迷", "大出血", "抽搐", "不想活", "自杀"}, urgent + desk},
			{[]string{"取消", "退号", "改约", "我的挂号", "我的预约"}, "您的预约在" + link(s.links.Appointments(), "我的挂号") + "，可以查看和取消。" + desk},
			{[]string{"2", "缴费", "付款", "账单", "费用", "交钱", "发票"}, pay},
			{[]string{"3", "报告", "化验", "检验", "检查结果"}, "线上还不能查报告，请凭就诊卡在自助机打印或到服务台查询。" + desk},
			{[]string{"5", "停车", "电话", "地址", "怎么走", "在哪", "上班", "几点"}, place + "停车和门诊时间请看" + link(s.links.Help(), "帮助") + "或来电询问。"},
			{[]string{"绑定", "就诊人", "就诊卡", "解绑"}, "就诊人在" + link(s.links.Patients(), "就诊人管理") + "添加和解除。" + desk},
			{[]string{"长辈", "大字", "老人", "字太小"}, "点" + link(s.links.Home()+"?mode=care", "长辈版") + "，字和按钮都会变大。" + desk},
			{[]string{"4", "导诊", "哪个科", "哪科", "什么科", "不舒服", "疼", "痛", "咳", "发烧", "发热"}, where + "。" + urgent},
			{[]string{"1", "挂号", "预约", "号源", "专家", "医生", "门诊"}, "请" + link(s.links.Departments(), "选择科室和时间") + "，或看" + link(s.links.Doctors(), "医生介绍") + "。" + desk},
		},
	}
	all := []string{c.welcome + "\n" + c.desk, c.other}
	for _, t := range c.topics {
		all = append(all, t.text)
	}
	if slices.ContainsFunc(all, func(text string) bool { return len(text) > maxChatText }) {
		return chat{}, badConfig("Names, BaseURL: a reply in the chat would be above 2048 bytes")
	}
	return c, nil
}

// about answers what somebody wrote.
func (c chat) about(words string) string {
	words = strings.Map(narrow, strings.TrimSpace(words))
	for _, t := range c.topics {
		for _, word := range t.words {
			if len(word) == 1 && words == word || len(word) > 1 && strings.Contains(words, word) {
				return t.text
			}
		}
	}
	return c.other
}

// narrow makes a full-width digit (１) the one that keyboards write.
func narrow(r rune) rune {
	if r >= '０' && r <= '９' {
		return r - '０' + '0'
	}
	return r
}

// greeting is what somebody hears who has scanned the code with the scene, or
// come without one.
func (c chat) greeting(scene string, first bool) string {
	switch {
	case scene == deskScene && first:
		return c.welcome + "\n" + c.desk
	case scene == deskScene:
		return c.desk
	}
	return c.welcome
}

// hear answers what the account's users do in the chat, and takes what became of
// a notice.
func (s *Server) hear(ctx context.Context, push wechat.Push) (wechat.Reply, error) {
	say := func(text string) (wechat.Reply, error) { return wechat.TextReply{Content: text}, nil }
	switch content := push.Content.(type) {
	case wechat.TemplateSent:
		return nil, s.messages.Sent(ctx, content.MsgID, content.Status)
	case wechat.AuthorizationRevoked:
		return nil, s.forget(ctx, content.User)
	case wechat.AuthorizationCancelled:
		return nil, s.forget(ctx, content.User)
	case wechat.Subscribe:
		return say(s.chat.greeting(content.Scene, true))
	case wechat.Scan:
		return say(s.chat.greeting(content.Scene, false))
	case wechat.Text:
		return say(s.chat.about(content.Content))
	case wechat.Voice: // as text where the account has speech recognition
		return say(s.chat.about(content.Recognition))
	case wechat.Click: // a button of the hospital's own menu
		return say(s.chat.about(content.Key))
	case wechat.Image, wechat.Video, wechat.Location, wechat.Link:
		return say(s.chat.other)
	case wechat.VerificationFailed, wechat.VerificationDue:
		// Without it the interfaces close, and with them every notice.
		s.config.Logger.ErrorContext(ctx, "wechat account verification", "event", push.Event)
	}
	return nil, nil
}

// forget lets go of a user who took back what they had agreed to, or closed
// their WeChat account: every patient is unbound, the sessions end, and the
// openid is deleted. What the hospital must keep of visits and money stays.
func (s *Server) forget(ctx context.Context, openID wechat.OpenID) error {
	user, err := s.accounts.Known(ctx, openID)
	switch {
	case err != nil && hospital.KindOf(err) == hospital.NotFound:
		return nil
	case err != nil:
		return err
	}
	bound, err := s.bookings.Bound(ctx, user)
	if err != nil {
		return err
	}
	for _, b := range bound {
		err := s.desk.Unbind(ctx, hospital.System("privacy"), user, b.Patient)
		if err != nil && hospital.KindOf(err) != hospital.NotFound {
			return err
		}
	}
	return s.accounts.Forget(ctx, user)
}
