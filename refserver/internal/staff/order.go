package staff

import (
	"context"
	"slices"
	"strconv"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

func orderLabel(s payment.State) string {
	switch s {
	case payment.Quoted:
		return "待支付"
	case payment.Payable:
		return "支付中"
	case payment.Closing:
		return "关单中"
	case payment.Closed:
		return "已关闭"
	case payment.Paid:
		return "已支付"
	case payment.Delivering:
		return "入账中"
	case payment.Withdrawing:
		return "撤销中"
	case payment.Delivered:
		return "已入账"
	case payment.RefundDue:
		return "待退款"
	case payment.Refunding:
		return "退款中"
	case payment.Refunded:
		return "已退款"
	case payment.Manual:
		return "人工处理"
	}
	return string(s)
}

func orderStates() []choice {
	var choices []choice
	for _, s := range payment.States() {
		choices = append(choices, choice{string(s), orderLabel(s)})
	}
	return choices
}

func purposeLabel(p hospital.Purpose) string {
	names := map[hospital.PurposeKind]string{
		hospital.ForRegistration: "挂号费", hospital.ForBill: "门诊账单", hospital.ForDeposit: "住院押金",
	}
	if name := names[p.Kind]; name != "" {
		return name
	}
	return string(p.Kind)
}

func (d *Desk) orders() object {
	return object{
		Path: "orders", Label: "支付订单", Purpose: "查看订单、支付尝试、退款和分录", Read: ReadOrders,
		Asks: []field{{Name: "state", Label: "状态", Kind: kindChoice, Choices: orderStates(), Optional: true}},
		List: func(ctx context.Context, _ session, ask values, v *view) error {
			list, err := d.cfg.Cashier.Orders(ctx, payment.Filter{State: payment.State(ask["state"])})
			if err != nil {
				return err
			}
			v.Tables = append(v.Tables, d.orderTable(list))
			return nil
		},
		Finds: []field{patientField()},
		Find: func(ctx context.Context, who session, ask values, v *view) (string, error) {
			patient := hospital.PatientID(ask["patient"])
			if _, err := d.open(ctx, who, patient, "order.list", ""); err != nil {
				return "", err
			}
			list, err := d.cfg.Cashier.Orders(ctx, payment.Filter{Patient: patient})
			if err != nil {
				return "", err
			}
			v.Tables = append(v.Tables, d.orderTable(list))
			return "", nil
		},
		Show: d.showOrder,
	}
}

func (d *Desk) orderTable(list []payment.Order) table {
	t := table{Heads: []string{"订单", "状态", "用途", "金额", "建立时间", "待处理"}, Empty: "没有符合条件的订单。"}
	for _, o := range list {
		key := string(o.Charge.Key)
		t.Rows = append(t.Rows, []cell{
			{o.ID, d.at("orders", key)},
			text(orderLabel(o.State)), text(purposeLabel(o.Charge.Purpose)), text(o.Charge.Amount.String()),
			text(moment(o.Opened)), text(strconv.Itoa(len(o.OpenCases()))),
		})
	}
	return t
}

func (d *Desk) showOrder(ctx context.Context, who session, id string, v *view) ([]offer, error) {
	if !hospital.Key(id).Valid() {
		return nil, errAccount
	}
	o, err := d.cfg.Cashier.Find(ctx, hospital.Key(id))
	if err != nil {
		return nil, err
	}
	if o.Charge.Patient != "" {
		if _, err := d.open(ctx, who, o.Charge.Patient, "order.read", o.ID); err != nil {
			return nil, err
		}
	}
	postings, err := d.cfg.Cashier.Ledger(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	v.Title = "订单 " + o.ID
	v.Facts = []fact{
		{Label: "状态", Value: orderLabel(o.State)},
		{Label: "说明", Value: o.Reason},
		{Label: "用途", Value: purposeLabel(o.Charge.Purpose) + " " + o.Charge.Purpose.ID},
		{Label: "患者ID", Value: string(o.Charge.Patient)},
		{Label: "金额", Value: o.Charge.Amount.String()},
		{Label: "建立时间", Value: moment(o.Opened)},
		{Label: "支付时间", Value: moment(o.PaidAt)},
		{Label: "状态时间", Value: moment(o.Changed)},
		{Label: "待入账", Value: o.Held.String()},
		{Label: "待退回", Value: o.Owed.String()},
	}
	attempts := table{Caption: "支付尝试", Heads: []string{"商户订单号", "渠道", "状态", "金额", "渠道单号", "支付时间"}, Empty: "还没有人支付。"}
	for _, a := range o.Attempts {
		attempts.Rows = append(attempts.Rows, []cell{text(string(a.TradeNo)), text(a.Channel), text(string(a.State)), text(a.Amount.String()), text(a.TransactionID), text(moment(a.PaidAt))})
	}
	refunds := table{Caption: "退款", Heads: []string{"商户退款单号", "状态", "金额", "原因", "渠道退款单号", "完成时间"}, Empty: "没有退款。"}
	for _, r := range o.Refunds {
		refunds.Rows = append(refunds.Rows, []cell{text(string(r.No)), text(string(r.State)), text(r.Amount.String()), text(r.Cause), text(r.RefundID), text(moment(r.Done))})
	}
	books := table{Caption: "分录", Heads: []string{"凭证", "时间", "科目", "金额"}, Empty: "没有分录。"}
	for _, p := range postings {
		for _, e := range p.Entries {
			books.Rows = append(books.Rows, []cell{text(p.Key), text(moment(p.At)), text(string(e.Account)), text(e.Amount.String())})
		}
	}
	v.Tables = append(v.Tables, attempts, refunds, d.caseTable(o.Cases, "人工处理单"), books)
	return nil, nil
}

func caseLabel(r payment.CaseReason) string {
	switch r {
	case payment.CaseDeliveryUnknown:
		return "入账结果不明"
	case payment.CaseAmountMismatch:
		return "金额不符"
	case payment.CaseUnknownTrade:
		return "未知的支付或退款"
	case payment.CaseRefundRefused:
		return "退款被拒"
	case payment.CaseRefundAbnormal:
		return "退款异常"
	case payment.CaseRefundClosed:
		return "退款已关闭"
	case payment.CaseRefundOverdue:
		return "退款超时"
	case payment.CaseDeadNotice:
		return "通知无法入账"
	case payment.CaseDefect:
		return "程序异常"
	case payment.CaseUnreadable:
		return "记录无法读取"
	case payment.CaseCloseOverdue:
		return "关单超时"
	case payment.CaseRefundMismatch:
		return "退款不符"
	case payment.CaseNoChannel:
		return "渠道未配置"
	}
	return string(r)
}

func outcomes() []choice {
	return []choice{
		{string(payment.WasDelivered), "已核实：对方系统已入账"},
		{string(payment.GiveBack), "已核实：没有入账，退款"},
		{string(payment.GivenByHand), "已通过商户后台或现金退款"},
		{string(payment.CloseUnpaid), "已核实：这笔支付不入账，关闭订单"},
		{string(payment.NothingToMove), "已核实：不需要移动资金"},
	}
}

func outcomeLabel(o payment.Outcome) string {
	for _, c := range outcomes() {
		if c.Value == string(o) {
			return c.Label
		}
	}
	if o == payment.Learnt {
		return "后来的事实自动了结"
	}
	return string(o)
}

func (d *Desk) caseTable(cases []payment.Case, caption string) table {
	t := table{Caption: caption, Heads: []string{"处理单", "问题", "产生时间", "结果", "处理人", "说明"}, Empty: "没有人工处理单。"}
	for _, c := range cases {
		row := []cell{text(c.ID), text(caseLabel(c.Reason)), text(moment(c.Opened)), text(outcomeLabel(c.Outcome)), text(c.By.ID), text(c.Remark)}
		if c.Open() {
			row[0].To, row[3] = d.at("cases", c.ID), text("待处理")
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (d *Desk) cases() object {
	return object{
		Path: "cases", Label: "资金人工处理", Purpose: "只有人能了结的资金问题", Read: ReadCases,
		List: func(ctx context.Context, _ session, _ values, v *view) error {
			list, err := d.cfg.Cashier.Manual(ctx)
			if err != nil {
				return err
			}
			v.Tables = append(v.Tables, d.caseTable(list, ""))
			return nil
		},
		Show: func(ctx context.Context, _ session, id string, v *view) ([]offer, error) {
			list, err := d.cfg.Cashier.Manual(ctx)
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(list, func(c payment.Case) bool { return c.ID == id })
			if at < 0 {
				return nil, errAccount
			}
			c := list[at]
			v.Title = "人工处理单"
			v.Facts = []fact{
				{Label: "处理单", Value: c.ID},
				{Label: "问题", Value: caseLabel(c.Reason) + "（" + string(c.Reason) + "）"},
				{Label: "对象", Value: c.Subject},
				{Label: "订单", Value: c.Order},
				{Label: "详情", Value: c.Detail},
				{Label: "产生时间", Value: moment(c.Opened)},
			}
			return []offer{{Act: ResolveCase}}, nil
		},
		Acts: []act{{
			Act: ResolveCase, Name: "resolve", Label: "处理", Danger: true,
			Explain: "请先在商户后台和 HIS 中核实资金的实际去向，再选择结果。与资金状态不符的结果会被拒绝。",
			Fields:  []field{{Name: "outcome", Label: "结果", Kind: kindChoice, Choices: outcomes()}},
			Run: func(ctx context.Context, who session, id string, in values) (result, error) {
				return result{To: fresh}, d.cfg.Cashier.Resolve(ctx, payment.Resolution{
					Case: id, Outcome: payment.Outcome(in["outcome"]), Reason: in["reason"], Actor: who.actor(),
				})
			},
		}},
	}
}
