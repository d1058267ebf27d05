package wechattest

import (
	"context"
	"net/http"

	"github.com/wxhospital/hospital"
)

// credit is what a user has agreed to receive under one template.
type credit struct {
	Left int  // messages of a one-time template
	Long bool // a long-term template: without number
}

func creditKey(openID, template string) string { return openID + " " + template }

// Subscribe lets the user answer the pop-up that asks to be notified under the
// templates (订阅通知). Each acceptance of a one-time template is one message;
// of a long-term one, as many as come. The platform pushes
// subscribe_msg_popup_event. NotFound: the account has no such subscription.
func (f *Follower) Subscribe(ctx context.Context, accept bool, templates ...string) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		for _, id := range templates {
			if _, taken := t.template(id, true); !taken {
				return nil, verbError(hospital.NotFound, "Subscribe", "no_template", "the account has no such subscription")
			}
		}
		answer := "reject"
		if accept {
			answer = "accept"
		}
		var lists []field
		for _, id := range templates {
			m, _ := t.template(id, true)
			if accept {
				c := t.credits.rows[creditKey(u.OpenID, id)]
				if c.Long = m.Kind == LongTerm; !c.Long {
					c.Left++
				}
				t.credits.put(t, creditKey(u.OpenID, id), c)
			}
			lists = append(lists, nest("List", text("TemplateId", id), text("SubscribeStatusString", answer), text("PopupScene", "0")))
		}
		if len(lists) == 0 {
			return nil, nil
		}
		return []string{t.pushEvent(u, false, "subscribe_msg_popup_event", nest("SubscribeMsgPopupEvent", lists...))}, nil
	})
}

// Unsubscribe withdraws, in the account's settings on the phone, every
// agreement under the template. The platform pushes subscribe_msg_change_event.
func (f *Follower) Unsubscribe(ctx context.Context, template string) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		if _, agreed := t.credits.rows[creditKey(u.OpenID, template)]; !agreed {
			return nil, verbError(hospital.NotFound, "Unsubscribe", "no_credit", "nothing was agreed to")
		}
		t.credits.drop(t, creditKey(u.OpenID, template))
		return []string{t.pushEvent(u, false, "subscribe_msg_change_event", nest("SubscribeMsgChangeEvent",
			nest("List", text("TemplateId", template), text("SubscribeStatusString", "reject"))))}, nil
	})
}

func subscriptionEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/message/subscribe/bizsend", withToken, Quota{Day: 100_000}, (*turn).sendSubscription},
	}
}

// sendSubscription answers message/subscribe/bizsend. A follower is not asked
// for, an agreement is.
func (t *turn) sendSubscription(r *request) (any, *refusal) {
	var in struct {
		ToUser      string         `json:"touser"`
		TemplateID  string         `json:"template_id"`
		Page        string         `json:"page"`
		MiniProgram *miniProgram   `json:"miniprogram"`
		Data        templateValues `json:"data"`
	}
	if no := r.decode(&in); no != nil {
		return nil, no
	}
	if _, known := t.users.rows[in.ToUser]; !known {
		return nil, refuse(40003)
	}
	m, taken := t.template(in.TemplateID, true)
	if !taken {
		return nil, refuse(40037)
	}
	if in.Page != "" && !webAddress(in.Page) {
		return nil, refuse(41030)
	}
	card, no := t.link(in.MiniProgram, in.Page)
	if no != nil {
		return nil, no
	}
	card.Title = m.Title
	if card.Lines, no = m.fill(in.Data); no != nil {
		return nil, no
	}
	key := creditKey(in.ToUser, in.TemplateID)
	c := t.credits.rows[key]
	switch {
	case c.Long:
	case c.Left > 0:
		c.Left--
		t.credits.put(t, key, c)
	default:
		return nil, refuse(43101)
	}
	t.later(job{
		Kind: subscriptionJob, OpenID: in.ToUser, MsgID: firstMsgID + t.next("msgid"), Template: m.ID,
		Bubble: &Bubble{From: Ours, Kind: "subscription", Cards: []Card{card}},
	})
	return nil, nil
}

// subscriptionJob ends in the event subscribe_msg_sent_event.
const subscriptionJob = "subscription"

// finishSubscription shows the card and tells the account.
func (t *turn) finishSubscription(j job) []field {
	t.show(j.OpenID, *j.Bubble)
	return t.event(t.users.rows[j.OpenID], "subscribe_msg_sent_event", nest("SubscribeMsgSentEvent", nest("List",
		text("TemplateId", j.Template), text("MsgID", decimal(j.MsgID)), text("ErrorCode", "0"), text("ErrorStatus", "success"))))
}
