package staff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/refserver/internal/guide"
	"github.com/wxhospital/hospital/triage"
)

// The bounds of what a page shows and takes. A lexicon beyond maxKnowledge is
// kept in files beside the server, see guide.Config.Files.
const (
	maxKnowledge = 250_000 // characters; a Chinese one takes three bytes of a part of a form
	maxListed    = 100     // lines of a table
)

// knowledgePath is where the versions are.
const knowledgePath = "knowledge"

func knowledgeFields() []field {
	return []field{
		{
			Name: "knowledge", Label: "知识（JSON）", Kind: kindArea, Max: maxKnowledge, Upload: true,
			Hint: `一个 JSON 对象，按文件种类分列，例如 {"set": {"kind": "set", "version": "2026-12"}, "rules": {…}}；同名条目覆盖内置知识`,
		},
		{
			Name: "cases", Label: "本院用例", Kind: kindArea, Max: maxKnowledge, Optional: true, Upload: true,
			Hint: `每行一个，例如 {"id": "1", "text": "膝盖疼一周", "gold": ["ORTH"]}；请勿写入患者的真实信息`,
		},
	}
}

func draftOf(in values) guide.Draft {
	return guide.Draft{Knowledge: in["knowledge"], Cases: in["cases"]}
}

// knowledge is the page of 导诊知识: versions, the check with its differences
// and cases, publishing and going back.
func (d *Desk) knowledge() object {
	return object{
		Path: knowledgePath, Label: "导诊知识", Purpose: "查看、校验、发布、恢复导诊知识的版本；启用前须由本院医务人员审核", Read: ReadKnowledge,
		List: d.listKnowledge, Show: d.showKnowledge, Blank: d.inForce,
		Acts: []act{
			{
				Act: CheckKnowledge, Name: "check", Label: "校验知识", New: true, Ask: true, Fields: knowledgeFields(),
				Explain: "只校验，不发布：列出错误所在的行、值得复核之处、与现行版本的差别，并在本院用例上试评。",
				Run: func(ctx context.Context, _ session, _ string, in values) (result, error) {
					report, err := d.cfg.Guide.Check(ctx, draftOf(in))
					if err != nil {
						return result{}, wrongLines(err)
					}
					return result{Notice: "校验通过，可以发布。", Values: in, Facts: []fact{{Label: "知识", Value: report.Set}}, Tables: reportTables(report)}, nil
				},
			},
			{
				Act: PublishKnowledge, Name: "publish", Label: "发布知识", New: true, Danger: true, Whole: true, Fields: knowledgeFields(),
				Explain: "立即对所有患者生效。有错误的知识不会发布，现行版本不变。",
				Run: func(ctx context.Context, who session, _ string, in values) (result, error) {
					row := d.entry(who, "staff."+string(PublishKnowledge), "", in["reason"])
					_, err := d.cfg.Guide.Publish(ctx, draftOf(in), "staff "+who.Login, row)
					return result{}, wrongLines(err)
				},
			},
			{
				Act: RestoreKnowledge, Name: "restore", Label: "恢复这个版本", Danger: true, Whole: true,
				Explain: "以新的版本号重新发布，立即生效；期间给出的建议仍记在当时的版本下。",
				Run: func(ctx context.Context, who session, id string, in values) (result, error) {
					row := d.entry(who, "staff."+string(RestoreKnowledge), id, in["reason"])
					name, err := d.cfg.Guide.Restore(ctx, id, "staff "+who.Login+" 恢复 "+id, row)
					return result{To: name}, wrongLines(err)
				},
			},
		},
	}
}

// inForce is the draft that is in force: whoever changes a rule begins with the
// others, since a version holds them all.
func (d *Desk) inForce(ctx context.Context) (values, error) {
	versions, err := d.cfg.Guide.Versions(ctx)
	if err != nil {
		return nil, err
	}
	active := d.cfg.Guide.Knowledge(ctx).Version
	at := slices.IndexFunc(versions, func(v guide.Version) bool { return v.Name == active })
	if at < 0 {
		return nil, nil
	}
	return values{"knowledge": versions[at].Draft.Knowledge, "cases": versions[at].Draft.Cases}, nil
}

func (d *Desk) listKnowledge(ctx context.Context, who session, _ values, v *view) error {
	versions, err := d.cfg.Guide.Versions(ctx)
	if err != nil {
		return err
	}
	active := d.cfg.Guide.Knowledge(ctx)
	v.Facts = []fact{{Label: "现行知识", Value: active.Set.String()}}
	if May(who.Roles, PublishKnowledge) {
		v.Facts = append(v.Facts, fact{Label: "新版本", Value: "校验和发布", To: d.at(knowledgePath, fresh)})
	}
	t := table{Heads: []string{"版本", "生效时间", "状态", "来源"}, Empty: "还没有发布过，使用内置知识。"}
	for _, version := range versions {
		state := "已被取代"
		if version.Name == active.Version {
			state = "生效中"
		}
		t.Rows = append(t.Rows, []cell{{version.Name, d.at(knowledgePath, version.Name)}, text(moment(version.ValidFrom)), text(state), text(version.Source)})
	}
	v.Tables = append(v.Tables, t)
	return nil
}

func (d *Desk) showKnowledge(ctx context.Context, _ session, id string, v *view) ([]offer, error) {
	versions, err := d.cfg.Guide.Versions(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(versions, func(x guide.Version) bool { return x.Name == id })
	if at < 0 {
		return nil, errAccount
	}
	x := versions[at]
	v.Title = "导诊知识 " + x.Name
	v.Facts = []fact{{Label: "生效时间", Value: moment(x.ValidFrom)}, {Label: "来源", Value: x.Source}, {Label: "SHA-256", Value: x.Hash}}
	v.Text = x.Draft.Knowledge
	if x.Draft.Cases != "" {
		v.Text += "\n\n本院用例\n" + x.Draft.Cases
	}
	report, err := d.cfg.Guide.Check(ctx, x.Draft)
	if err != nil { // it can be read, and not put in force again
		v.Problem = explain(wrongLines(err))
		return nil, nil
	}
	v.Tables = reportTables(report)
	return []offer{{Act: RestoreKnowledge}}, nil
}

// reportTables show what a draft comes to.
func reportTables(r guide.Report) []table {
	changes := table{Caption: "与现行版本的差别", Heads: []string{"种类", "条目", "变化"}, Empty: "没有差别。"}
	for _, c := range r.Changes[:min(len(r.Changes), maxListed)] {
		how := "改写"
		switch {
		case c.Added:
			how = "新增"
		case c.Gone:
			how = "去掉"
		}
		changes.Rows = append(changes.Rows, []cell{text(c.Kind), text(c.Name), text(how)})
	}
	lint := table{Caption: "值得复核", Heads: []string{"位置和原因"}, Empty: "没有。"}
	for _, p := range r.Lint[:min(len(r.Lint), maxListed)] {
		lint.Rows = append(lint.Rows, []cell{text(p.String())})
	}
	row := func(name string, s triage.Score) []cell {
		of := func(n, all int) cell { return text(strconv.Itoa(n) + " / " + strconv.Itoa(all)) }
		return []cell{text(name), of(s.First, s.Cases), of(s.Three, s.Cases), of(s.Level, s.Alarms)}
	}
	score := table{
		Caption: "本院用例", Heads: []string{"知识", "首位正确", "前三正确", "警示级别正确"},
		Rows: [][]cell{row("现行", r.Before), row("本稿", r.Score)},
	}
	wrong := table{Caption: "本稿未达到的用例", Heads: []string{"用例", "应为", "得到"}, Empty: "没有。"}
	for _, m := range r.Score.Wrong[:min(len(r.Score.Wrong), maxListed)] {
		wrong.Rows = append(wrong.Rows, []cell{text(m.ID), text(m.Want), text(m.Got)})
	}
	return []table{changes, lint, score, wrong}
}

// wrongLines says where a knowledge set or a case is wrong, one a line. Nothing
// of a patient stands in either.
func wrongLines(err error) error {
	var problems triage.Problems
	if err == nil || !errors.As(err, &problems) {
		return err
	}
	return &hospital.Error{
		Kind: hospital.Invalid, Op: "staff", Code: hospital.CodeOf(err), Message: hospital.MessageFor(err) + "：\n" + problems.Error(), Err: err,
	}
}

// consultations is what was asked and advised, with nobody's identity.
func (d *Desk) consultations() object {
	return object{
		Path: "consultations", Label: "导诊记录", Purpose: "导诊都推荐了什么（不含任何身份信息），用来改进导诊知识", Read: ReadConsultations,
		Asks: []field{{Name: "from", Label: "起始日期", Kind: kindDate, Optional: true}, {Name: "to", Label: "截止日期", Kind: kindDate, Optional: true}},
		List: func(ctx context.Context, _ session, ask values, v *view) error {
			to := ask.date("to")
			if to.IsZero() {
				to = hospital.DateOf(d.cfg.Now())
			}
			const week = 6
			from := ask.date("from")
			if from.IsZero() {
				from = to.AddDays(-week)
			}
			tallies, err := d.cfg.Guide.Tallies(ctx, from, to)
			if err != nil {
				return err
			}
			count := table{Caption: from.String() + " 至 " + to.String() + " 首推科室", Heads: []string{"标准科室", "次数", "其中有警示"}, Empty: "没有记录。"}
			for _, t := range tallies {
				name := t.Department
				if name == "" {
					name = "没能推荐"
				}
				count.Rows = append(count.Rows, []cell{text(name), text(strconv.Itoa(t.Times)), text(strconv.Itoa(t.Alarms))})
			}
			all, err := d.cfg.Guide.Consultations(ctx, from, to)
			if err != nil {
				return err
			}
			rows := table{Caption: "逐次", Heads: []string{"日期", "年龄段", "性别", "部位和症状", "听懂的词", "追问", "警示", "推荐", "把握", "知识"}, Empty: "没有记录。"}
			for _, c := range all {
				sure := "确定"
				switch {
				case c.Nothing:
					sure = "没听懂"
				case !c.Sure:
					sure = "不确定"
				}
				rows.Rows = append(rows.Rows, []cell{
					text(c.Day.String()), text(c.Age), text(c.Sex), text(d.tickedNames(ctx, c)), text(strings.Join(c.Understood, "、")), text(strings.Join(c.Answers, "、")),
					text(strings.Join(slices.Concat(c.Flags, c.Checks), "、")), text(strings.Join(c.Departments, " ")), text(sure), text(c.Knowledge),
				})
			}
			if len(all) == guide.MaxRows {
				v.Notice = fmt.Sprintf("只列出最近 %d 次，请缩小日期范围。", guide.MaxRows)
			}
			v.Tables = append(v.Tables, count, rows)
			return nil
		},
	}
}

// tickedNames names what was ticked; an id that is no longer known stays an id.
func (d *Desk) tickedNames(ctx context.Context, c guide.Consultation) string {
	set := d.cfg.Guide.Knowledge(ctx).Set
	var names []string
	for _, id := range c.Ticked {
		if part, x, ok := set.Ticked(id); ok {
			names = append(names, part.Name+"·"+x.Name)
		} else {
			names = append(names, id)
		}
	}
	return strings.Join(names, "、")
}
