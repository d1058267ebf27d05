package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// slowness is how long a slow HIS waits: longer than a patient likes, shorter
// than our own patience.
const slowness = 3 * time.Second

// releasedAtOnce is how many numbers a half hour 放号 adds.
const releasedAtOnce = 2

// hospital is what the people at the hospital do, and what befalls its wires.
// The answer says in words what happened.
func (p *Page) hospital(ctx context.Context, o order) (any, error) {
	verb, known := map[string]func(context.Context, order) (string, error){
		"release": p.release, "sell": p.sell, "suspend": p.suspend,
		"arrive": p.arrive, "see": p.see, "noshow": p.noShow,
		"bill": p.bill, "rebill": p.rebill, "settle": p.settle,
		"slow": p.breakHIS, "dead": p.breakHIS, "lose": p.breakHIS,
		"wechat-dead": p.breakWeChat, "wechat-lose": p.breakWeChat, "heal": p.heal,
		"quarter": p.leap, "evening": p.leap, "tomorrow": p.leap,
	}[o.Verb]
	if !known {
		return nil, bad("verb: none of that name", "")
	}
	said, err := verb(ctx, o)
	if err != nil {
		return nil, err
	}
	return map[string]string{"said": said}, nil
}

func (p *Page) release(_ context.Context, o order) (string, error) {
	added, err := p.config.World.Hospital.Release(o.Schedule, releasedAtOnce)
	return fmt.Sprintf("已放号：每个还没开始的时段多 %d 个，共 %d 个。", releasedAtOnce, added), err
}

// sell lets the window sell the clinic's next number to somebody else.
func (p *Page) sell(ctx context.Context, o order) (string, error) {
	far := p.config.World.Hospital
	slots, err := far.Slots(ctx, o.Schedule)
	if err != nil {
		return "", err
	}
	why := bad("schedule: no number is left", "这个门诊没有号可卖了。")
	for _, slot := range slots {
		if slot.Left == 0 {
			continue
		}
		for _, other := range slices.Backward(far.People()) {
			sold, err := far.Window().Sell(slot.ID, other.ID)
			if err == nil {
				return fmt.Sprintf("窗口把 %s 的第 %d 号卖给了%s，收 %s 元现金。",
					slot.Start.In(hospital.CST).Format("15:04"), sold.QueueNo, other.Name, sold.Paid.Yuan()), nil
			}
			why = err
		}
	}
	return "", why
}

func (p *Page) suspend(_ context.Context, o order) (string, error) {
	ended, err := p.config.World.Hospital.Suspend(o.Schedule, "医生临时停诊", "")
	return fmt.Sprintf("已停诊：%d 笔挂号失效，服务端几秒钟内会查到，退费并通知患者。", len(ended)), err
}

func (p *Page) arrive(_ context.Context, o order) (string, error) {
	return o.HISNo + " 已取号。", p.config.World.Hospital.Arrive(o.HISNo)
}

func (p *Page) see(_ context.Context, o order) (string, error) {
	return o.HISNo + " 已就诊。", p.config.World.Hospital.See(o.HISNo)
}

// noShow lets the day of the visit end without the patient. The HIS has no word
// for it: a no-show is whoever was never seen.
func (p *Page) noShow(ctx context.Context, o order) (string, error) {
	for _, r := range p.config.World.Hospital.Everyone() {
		if r.HISNo != o.HISNo {
			continue
		}
		if r.State != hospital.RegistrationRegistered {
			return "", bad("his_no: not waiting for a visit", "只有已挂号、还没取号的才会爽约。")
		}
		at, err := p.place(ctx, r)
		if err != nil {
			return "", err
		}
		if err := p.config.Clock.To(at.day.At(22, 0)); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s 没有来。现在是 %s，服务端问过医院后记爽约。", o.HISNo, p.config.Clock.Now().In(hospital.CST).Format("1月2日 15:04")), nil
	}
	return "", bad("his_no: no such registration", "没有这笔挂号。")
}

// Two prescriptions of the same patient: what a doctor orders, and what is left
// when one line is struck out.
func ordered() []his.BillItem {
	return []his.BillItem{
		{Code: "ZCY001", Name: "中药饮片", Unit: "剂", Quantity: "7", Amount: 16_800},
		{Code: "ZL002", Name: "针刺治疗", Unit: "次", Quantity: "1", Amount: 4_500},
	}
}

func (p *Page) bill(_ context.Context, o order) (string, error) {
	made, err := p.config.World.Hospital.AddBill(histest.NewBill{Patient: o.Patient, Items: ordered()})
	return fmt.Sprintf("已给%s开单：%s，%s 元。", p.name(o.Patient), made.ID, made.Amount.Yuan()), err
}

// rebill lets the pharmacy change a bill: every change strikes one line out or
// puts it back, so that the sum is never the one that a page still shows.
func (p *Page) rebill(ctx context.Context, o order) (string, error) {
	far, items := p.config.World.Hospital, ordered()
	for _, who := range p.people() {
		bills, err := far.Bills(ctx, who.ID)
		if err != nil {
			return "", err
		}
		for _, b := range bills {
			if b.ID == o.Bill && b.Amount == items[0].Amount+items[1].Amount {
				items = items[:1]
			}
		}
	}
	made, err := far.ChangeBill(o.Bill, items)
	return fmt.Sprintf("账单 %s 改为 %s 元；患者页面上的旧金额不能再付。", made.ID, made.Amount.Yuan()), err
}

func (p *Page) settle(_ context.Context, o order) (string, error) {
	paid, err := p.config.World.Hospital.Window().Settle(o.Bill)
	return fmt.Sprintf("窗口已收账单 %s：%s 元。", o.Bill, paid.Amount.Yuan()), err
}

// breakHIS puts one fault on the wire to the HIS in place of those it has.
func (p *Page) breakHIS(_ context.Context, o order) (string, error) {
	faults := p.config.World.Faults
	faults.ClearAll()
	switch o.Verb {
	case "slow":
		faults.Set(histest.Any, histest.Switch{Fault: histest.Slow, Delay: slowness})
		return "HIS 变慢：每次回答晚 3 秒。", nil
	case "dead":
		faults.Set(histest.Any, histest.Switch{Fault: histest.Dead})
		return "HIS 断开：谁也连不上，直到恢复正常。", nil
	default:
		faults.Set(histest.OpConfirm, histest.Switch{Fault: histest.AnswerLost, Times: 1})
		return "HIS 会办好下一次确认，却丢掉回答。现在挂号或付款看看。", nil
	}
}

// messagePaths are the calls that bring a message to a phone.
func messagePaths() []string {
	return []string{"/cgi-bin/message/template/send", "/cgi-bin/message/subscribe/bizsend", "/cgi-bin/message/custom/send"}
}

// breakWeChat lets messages fail.
func (p *Page) breakWeChat(_ context.Context, o order) (string, error) {
	fault, name, said := wechattest.Fault{Kind: wechattest.Busy}, "微信消息发不出", "微信消息接口一直答“系统繁忙”，直到恢复正常。"
	if o.Verb == "wechat-lose" {
		fault, name, said = wechattest.Fault{Kind: wechattest.AnswerLost, Times: 1}, "微信丢一次回答", "微信会送到下一条消息，却丢掉回答。"
	}
	p.config.World.WeChat.Mend()
	for _, fault.Path = range messagePaths() {
		if err := p.config.World.WeChat.Break(fault); err != nil {
			return "", err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = []string{name}
	return said, nil
}

func (p *Page) heal(context.Context, order) (string, error) {
	p.config.World.Faults.ClearAll()
	p.config.World.WeChat.Mend()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = nil
	return "HIS 和微信都恢复正常。", nil
}

// faults are what is wrong now, in words.
func (p *Page) faults() []string {
	words := map[histest.ServiceFault]string{histest.Slow: "HIS 变慢", histest.Dead: "HIS 断开", histest.AnswerLost: "HIS 丢一次回答"}
	p.mu.Lock()
	defer p.mu.Unlock()
	found := slices.Clone(p.broken)
	for op, acting := range p.config.World.Faults.Active() {
		word, known := words[acting.Fault]
		if !known {
			word = "HIS " + string(op) + " " + acting.Fault.String()
		}
		found = append(found, word)
	}
	slices.Sort(found)
	return append([]string{}, found...)
}

// leap moves business time on. It never goes back.
func (p *Page) leap(_ context.Context, o order) (string, error) {
	clock := p.config.Clock
	now := clock.Now()
	to := now.Add(15 * time.Minute)
	switch o.Verb {
	case "evening":
		to = hospital.DateOf(now).At(22, 0)
	case "tomorrow":
		to = hospital.DateOf(now).AddDays(1).At(7, 30)
	}
	if to.Before(now) {
		return "", bad("verb: that time is over", "今晚 22:00 已经过了；时间不能倒流，请跳到明天。")
	}
	return "业务时间到了 " + to.In(hospital.CST).Format("1月2日 15:04") + "。", clock.To(to)
}
