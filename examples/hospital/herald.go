package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/examples/hospital/sim"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// welcome answers whoever follows the account.
func welcome(_ context.Context, push wechat.Push) (wechat.Reply, error) {
	if _, follows := push.Content.(wechat.Subscribe); follows {
		return wechat.TextReply{Content: "欢迎关注。您可以在这里预约挂号、付款、查看就诊安排；就诊通知也会发到这里。"}, nil
	}
	return nil, nil
}

// phone is the user's WeChat, which follows the account from the first time on.
func (w *world) phone(ctx context.Context, user string) (*wechattest.Follower, error) {
	if openID := w.clock.phone(user); openID != "" {
		return w.far.WeChat.Find(openID)
	}
	f, err := w.far.WeChat.Join("")
	if err != nil {
		return nil, err
	}
	if err := f.Follow(ctx); err != nil {
		return nil, err
	}
	return f, w.clock.give(user, f.OpenID())
}

// eventsAtOnce is how many events one read takes.
const eventsAtOnce = 100

// tell sends a notice for every event since the last one told. An event's number
// is the notice's key, so one that is told again at once, by a process that
// takes over, is not sent again. What was certainly not sent is sent the next
// time; what may have been is not repeated but shown.
func (w *world) tell(ctx context.Context) error {
	for {
		events, err := w.db.Events(ctx, w.clock.told(), eventsAtOnce)
		if err != nil || len(events) == 0 {
			return errors.Join(err, w.arrive(ctx))
		}
		for _, e := range events {
			key := hospital.Key("event-" + strconv.FormatInt(e.Seq, 10))
			switch err := w.notify(ctx, e.Event, key); {
			case err == nil:
			case hospital.KindOf(err) == hospital.Unavailable:
				return nil // certainly not sent: the next time
			case hospital.KindOf(err) == hospital.Internal:
				return err
			default: // refused, or nobody knows: it is not sent twice but shown
				w.unsent = append(w.unsent, e.Event.Kind+"（"+hospital.KindOf(err).String()+" "+hospital.CodeOf(err)+"）")
			}
			if err := w.clock.tell(e.Seq); err != nil {
				return err
			}
		}
	}
}

// arrive lets WeChat show what it was sent, which takes a second.
func (w *world) arrive(ctx context.Context) error {
	next, err := w.far.WeChat.Advance(ctx)
	for err == nil && !next.IsZero() {
		if err = w.clock.To(next); err == nil {
			next, err = w.far.WeChat.Advance(ctx)
		}
	}
	return err
}

// notify sends what one event says to a patient, if it says anything.
func (w *world) notify(ctx context.Context, e hospital.Event, key hospital.Key) error {
	n := wechat.Notice{Kind: wechat.TemplateMessage, Key: key}
	id, order := e.ID, payment.Order{}
	switch e.Kind {
	case "appt.booked":
		n.Template = sim.TemplateBooked
	case "appt.cancelled":
		n.Template = sim.TemplateCancelled
	case "order.delivered", "order.refunded":
		n.Template = map[string]string{"order.delivered": sim.TemplatePaid, "order.refunded": sim.TemplateRefunded}[e.Kind]
		var err error
		if order, err = w.orders.Find(ctx, payment.Ref{ID: e.ID}); err != nil {
			return err
		}
		id = order.Charge.Purpose.ID
	default:
		return nil
	}
	a, err := w.appointments.Find(ctx, id)
	if err != nil {
		return err
	}
	phone, err := w.phone(ctx, a.Actor.ID)
	if err != nil {
		return err
	}
	n.To, n.Data = wechat.OpenID(phone.OpenID()), w.words(n.Template, a, order)
	_, err = w.account.Notify(ctx, n)
	return err
}

// words fills a template.
func (w *world) words(template string, a booking.Appointment, order payment.Order) map[string]string {
	visit := a.Start.In(hospital.CST).Format("2006年1月2日 15:04")
	fee := map[string]string{"thing1": order.Charge.Description, "amount2": order.Charge.Amount.Yuan() + "元"}
	switch template {
	case sim.TemplateBooked:
		return map[string]string{
			"thing1": w.departments[a.Department], "time2": visit, "character_string3": strconv.Itoa(a.Hold.QueueNo), "thing4": "来不了请提前取消",
		}
	case sim.TemplateCancelled:
		return map[string]string{"thing1": w.departments[a.Department], "time2": visit, "thing3": causeName(a.Cause)}
	case sim.TemplatePaid:
		fee["time3"] = order.PaidAt.In(hospital.CST).Format("2006年1月2日 15:04")
	case sim.TemplateRefunded:
		fee["thing3"] = "已原路退回"
	}
	return fee
}
