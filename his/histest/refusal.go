package histest

import (
	"strconv"
	"strings"

	"github.com/wxhospital/hospital"
)

// refuse builds the hospital's answer to what it will not do.
func refuse(kind hospital.Kind, op, code, detail string) error {
	return &hospital.Error{Kind: kind, Op: op, Code: code, Detail: detail, Message: wordsFor(code)}
}

// wordsFor is what the hospital prints for the patient beside a code.
func wordsFor(code string) string {
	switch code {
	case "slot_taken":
		return "该号源已被占用或锁号超时，请选择其他时段。"
	case "suspended":
		return "该门诊已停诊，请选择其他时间或医生。"
	case "over":
		return "该时段已结束，请选择其他时段。"
	case "visit_over":
		return "本次就诊已结束，不能办理。"
	case "visited":
		return "已就诊，不能退号。"
	case "wrong_amount":
		return "金额与医院应收不符，请到服务台核实。"
	case "wrong_patient":
		return "患者信息不符，请到服务台核实。"
	case "unknown_patient":
		return "未找到患者档案，请先建档。"
	case "already_paid":
		return "该笔费用已支付，请勿重复支付。"
	case "pay_at_desk":
		return "医保患者请到人工窗口结算。"
	case "bill_changed":
		return "账单已更新，请重新核对金额。"
	case "bill_paid":
		return "账单已支付，请勿重复支付。"
	case "not_today":
		return "只能在就诊当日办理。"
	case "not_registered":
		return "没有可取的号，请先挂号。"
	case "key_cancelled":
		return "该业务已撤销，请重新办理。"
	case "patient_exists":
		return "该证件已建档，请直接绑定就诊卡。"
	case "card_taken":
		return "该就诊卡已属于其他患者。"
	case "discharged":
		return "已出院，不能再交押金。"
	case "deposit_too_high":
		return "单次押金超过上限，请到住院收费处办理。"
	}
	return ""
}

// digits prints n in at least width digits.
func digits(n int64, width int) string {
	s := strconv.FormatInt(n, 10)
	if len(s) < width {
		s = strings.Repeat("0", width-len(s)) + s
	}
	return s
}
