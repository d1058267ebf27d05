package staff

import (
	"context"
	"net/url"
	"strconv"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// auditPage is how many rows of the trail a page shows.
const auditPage = 50

func (d *Desk) audit() object {
	return object{
		Path: "audit", Label: "审计日志", Purpose: "谁、何时、为什么、对谁做了什么", Read: ReadAudit,
		Asks: []field{
			{Name: "patient", Label: "患者假名", Kind: kindText, Max: 64, Optional: true},
			{Name: "actor", Label: "操作人", Kind: kindText, Max: 64, Optional: true},
			{Name: "action", Label: "操作", Kind: kindText, Max: 64, Optional: true, Hint: "例如 patient.unlock；appointment.* 表示以此开头"},
			{Name: "from", Label: "起始日期", Kind: kindDate, Optional: true},
			{Name: "to", Label: "截止日期", Kind: kindDate, Optional: true},
			{Name: "before", Label: "序号早于", Kind: kindCode, Max: 18, Optional: true},
		},
		List:  d.listAudit,
		Finds: []field{patientField()},
		Find: func(ctx context.Context, who session, ask values, _ *view) (string, error) {
			patient := hospital.PatientID(ask["patient"])
			if _, err := d.open(ctx, who, patient, "audit.find", ""); err != nil {
				return "", err
			}
			return d.at("audit") + "?patient=" + d.cfg.Store.db.Pseudonym(patient), nil // the address names nobody
		},
	}
}

func (d *Desk) listAudit(ctx context.Context, _ session, ask values, v *view) error {
	query := sqldb.AuditQuery{Pseudonym: ask["patient"], ActorID: ask["actor"], Action: ask["action"], Limit: auditPage}
	if day := ask.date("from"); !day.IsZero() {
		query.From = day.At(0, 0)
	}
	if day := ask.date("to"); !day.IsZero() {
		query.Until = day.AddDays(1).At(0, 0)
	}
	if ask["before"] != "" {
		before, err := strconv.ParseInt(ask["before"], 10, 64)
		if err != nil {
			return &hospital.Error{Kind: hospital.Invalid, Op: "staff", Code: "bad_form", Detail: "before: want a number"}
		}
		query.Before = before
	}
	rows, err := d.cfg.Store.db.Trail(ctx, query)
	if err != nil {
		return err
	}
	t := table{Heads: []string{"序号", "时间", "操作人", "操作", "对象", "患者假名", "原因", "结果", "规则版本"}, Empty: "没有符合条件的记录。"}
	for _, row := range rows {
		e := row.Entry
		whom := text("")
		if row.Pseudonym != "" {
			whom = cell{row.Pseudonym, d.at("audit") + "?patient=" + row.Pseudonym}
		}
		t.Rows = append(t.Rows, []cell{
			text(strconv.FormatInt(row.ID, 10)), text(moment(e.At)), text(string(e.Actor.Kind) + " " + e.Actor.ID), text(e.Action), text(e.Object),
			whom, text(e.Purpose), text(e.Outcome), text(e.RuleVersion),
		})
	}
	if len(rows) == auditPage {
		next := url.Values{}
		for name, value := range ask {
			if value != "" {
				next.Set(name, value)
			}
		}
		next.Set("before", strconv.FormatInt(rows[len(rows)-1].ID, 10))
		t.More = d.at("audit") + "?" + next.Encode()
	}
	v.Tables = append(v.Tables, t)
	return nil
}
