package staff

import (
	"context"
	"slices"
	"strconv"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// maxMessages bounds the list of failed messages.
const maxMessages = 200

func messageLabel(state string) string {
	switch state {
	case "waiting":
		return "仍在自动重试"
	case "failed":
		return "未送达"
	case "unknown":
		return "结果不明"
	}
	return state
}

func (d *Desk) messages() object {
	return object{
		Path: "messages", Label: "失败的消息", Purpose: "没有送达的消息，可再次发送", Read: ReadMessages,
		List: func(ctx context.Context, _ session, _ values, v *view) error {
			list, err := d.cfg.Messages.Failed(ctx, maxMessages)
			if err != nil {
				return err
			}
			t := table{Heads: []string{"消息", "场景", "对象", "渠道", "状态", "失败原因", "次数", "时间"}, Empty: "没有失败的消息。"}
			for _, m := range list {
				t.Rows = append(t.Rows, []cell{
					{m.ID, d.at("messages", m.ID)}, text(m.Scene), text(m.Object), text(m.Channel), text(messageLabel(m.State)), text(m.Failure), text(strconv.Itoa(m.Tries)), text(moment(m.At)),
				})
			}
			v.Tables = append(v.Tables, t)
			return nil
		},
		Show: func(ctx context.Context, _ session, id string, v *view) ([]offer, error) {
			list, err := d.cfg.Messages.Failed(ctx, maxMessages)
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(list, func(m Message) bool { return m.ID == id })
			if at < 0 {
				return nil, errAccount
			}
			m := list[at]
			v.Facts = []fact{
				{Label: "消息", Value: m.ID},
				{Label: "场景", Value: m.Scene},
				{Label: "对象", Value: m.Object},
				{Label: "渠道", Value: m.Channel},
				{Label: "状态", Value: messageLabel(m.State)},
				{Label: "失败原因", Value: m.Failure},
				{Label: "次数", Value: strconv.Itoa(m.Tries)},
				{Label: "时间", Value: moment(m.At)},
			}
			return []offer{{Act: RepeatMessage}}, nil
		},
		Acts: []act{{
			Act: RepeatMessage, Name: "repeat", Label: "再次发送", Whole: true,
			Explain: "结果不明的消息可能已经送达，再次发送会使患者收到两次。",
			Run: func(ctx context.Context, who session, id string, in values) (result, error) {
				return result{To: fresh}, d.cfg.Messages.Repeat(ctx, id, d.entry(who, "staff."+string(RepeatMessage), id, in["reason"]))
			},
		}},
	}
}

func (d *Desk) jobs() object {
	find := func(ctx context.Context, id string) (sqldb.DeadJob, error) {
		dead, err := d.cfg.Jobs.Dead(ctx)
		if err != nil {
			return sqldb.DeadJob{}, err
		}
		at := slices.IndexFunc(dead, func(j sqldb.DeadJob) bool { return strconv.FormatInt(j.ID, 10) == id })
		if at < 0 {
			return sqldb.DeadJob{}, errAccount
		}
		return dead[at], nil
	}
	return object{
		Path: "jobs", Label: "死信任务", Purpose: "多次失败后放弃的后台任务，可重新执行", Read: ReadJobs,
		List: func(ctx context.Context, _ session, _ values, v *view) error {
			dead, err := d.cfg.Jobs.Dead(ctx)
			if err != nil {
				return err
			}
			t := table{Heads: []string{"任务", "种类", "键", "次数", "放弃时间"}, Empty: "没有放弃的任务。"}
			for _, j := range dead {
				id := strconv.FormatInt(j.ID, 10)
				t.Rows = append(t.Rows, []cell{{id, d.at("jobs", id)}, text(j.Kind), text(j.Key), text(strconv.Itoa(j.Attempts)), text(moment(j.DiedAt))})
			}
			v.Tables = append(v.Tables, t)
			return nil
		},
		Show: func(ctx context.Context, _ session, id string, v *view) ([]offer, error) {
			j, err := find(ctx, id)
			if err != nil {
				return nil, err
			}
			v.Facts = []fact{
				{Label: "任务", Value: id},
				{Label: "种类", Value: j.Kind},
				{Label: "键", Value: j.Key},
				{Label: "次数", Value: strconv.Itoa(j.Attempts)},
				{Label: "最后的错误", Value: j.LastError},
				{Label: "放弃时间", Value: moment(j.DiedAt)},
			}
			return []offer{{Act: ReviveJob}}, nil
		},
		Acts: []act{{
			Act: ReviveJob, Name: "revive", Label: "重新执行", Whole: true,
			Run: func(ctx context.Context, who session, id string, in values) (result, error) {
				j, err := find(ctx, id)
				if err != nil {
					return result{}, err
				}
				return result{To: fresh}, d.cfg.Jobs.Revive(ctx, j.ID, d.entry(who, "staff."+string(ReviveJob), id, in["reason"]))
			},
		}},
	}
}

func (d *Desk) codes() object {
	return object{
		Path: "codes", Label: "绑定码", Purpose: "为到场核验过证件的患者生成绑定码", Read: ReadCodes,
		List: func(context.Context, session, values, *view) error { return nil },
		Acts: []act{{
			Act: MakeCode, Name: "make", Label: "生成绑定码", New: true, Whole: true,
			Explain: "请先当面核验患者（或监护人）的有效证件。绑定码只显示一次、只能使用一次。",
			Fields:  []field{patientField()},
			Subject: func(ctx context.Context, who session, _ string, in values) (hospital.PatientID, error) {
				patient := hospital.PatientID(in["patient"])
				_, err := d.open(ctx, who, patient, "code.make", "")
				return patient, err
			},
			Run: func(ctx context.Context, who session, _ string, in values) (result, error) {
				row := d.entry(who, "staff."+string(MakeCode), "", in["reason"])
				row.Patient = hospital.PatientID(in["patient"])
				code, until, err := d.cfg.Codes.Make(ctx, row.Patient, row)
				if err != nil {
					return result{}, err
				}
				return result{Secret: &secret{Label: "绑定码", Value: code, Hint: "有效期至 " + moment(until) + "。请患者在“添加就诊人”页面输入；离开本页后不再显示。"}}, nil
			},
		}},
	}
}
