package staff

import (
	"context"
	"slices"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// bindAction is how a binding stands in the audit trail: its object is the
// handover.
const bindAction = "patient.bind"

func (d *Desk) bindings() object {
	return object{
		Path: "bindings", Label: "就诊人绑定", Purpose: "绑定与换绑记录，解除绑定", Read: ReadBindings,
		List: func(ctx context.Context, _ session, _ values, v *view) error {
			return d.handovers(ctx, sqldb.AuditQuery{Action: bindAction}, v)
		},
		Finds: []field{patientField()},
		Find: func(ctx context.Context, who session, ask values, v *view) (string, error) {
			patient := hospital.PatientID(ask["patient"])
			if _, err := d.open(ctx, who, patient, "binding.find", ""); err != nil {
				return "", err
			}
			return "", d.handovers(ctx, sqldb.AuditQuery{Action: bindAction, Pseudonym: d.cfg.Store.db.Pseudonym(patient)}, v)
		},
		Show: func(ctx context.Context, who session, id string, v *view) ([]offer, error) {
			h, err := d.cfg.Bookings.Handover(ctx, id)
			if err != nil {
				return nil, err
			}
			if _, err := d.open(ctx, who, h.Patient, "binding.read", id); err != nil {
				return nil, err
			}
			v.Title = "绑定 " + id
			v.Facts = []fact{
				{Label: "患者ID", Value: string(h.Patient)},
				{Label: "绑定用户", Value: string(h.User)},
				{Label: "原绑定用户", Value: string(h.Former)},
				{Label: "绑定时间", Value: moment(h.At)},
			}
			held, err := d.holds(ctx, h)
			if err != nil {
				return nil, err
			}
			if !held {
				v.Facts = append(v.Facts, fact{Label: "状态", Value: "已不是当前的绑定"})
				return nil, nil
			}
			v.Facts = append(v.Facts, fact{Label: "状态", Value: "当前有效"})
			return []offer{{Act: Unbind}}, nil
		},
		Acts: []act{{
			Act: Unbind, Name: "unbind", Label: "解除绑定", Danger: true,
			Explain: "解除后该用户不能再查看或代该患者预约，已有的预约不受影响。",
			Subject: func(ctx context.Context, _ session, id string, _ values) (hospital.PatientID, error) {
				h, err := d.cfg.Bookings.Handover(ctx, id)
				return h.Patient, err
			},
			Run: func(ctx context.Context, who session, id string, _ values) (result, error) {
				h, err := d.cfg.Bookings.Handover(ctx, id)
				if err != nil {
					return result{}, err
				}
				held, err := d.holds(ctx, h)
				if err == nil && !held {
					err = &hospital.Error{Kind: hospital.Conflict, Op: "staff", Code: "not_bound", Message: "该绑定已经解除或换绑，请刷新。"}
				}
				if err != nil {
					return result{}, err
				}
				return result{}, d.cfg.Booking.Unbind(ctx, who.actor(), h.User, h.Patient)
			},
		}},
	}
}

// holds reports whether the handover is the binding of today: the same user may
// have been bound again since.
func (d *Desk) holds(ctx context.Context, h booking.Handover) (bool, error) {
	bound, err := d.cfg.Bookings.Bound(ctx, h.User)
	return slices.ContainsFunc(bound, func(b booking.Binding) bool { return b.Patient == h.Patient && b.Since.Equal(h.At) }), err
}

// handovers lists what the audit trail knows of bindings, without whose.
func (d *Desk) handovers(ctx context.Context, query sqldb.AuditQuery, v *view) error {
	rows, err := d.cfg.Store.db.Trail(ctx, query)
	if err != nil {
		return err
	}
	t := table{Heads: []string{"绑定", "时间", "办理"}, Empty: "没有绑定记录。"}
	for _, row := range rows {
		if row.Entry.Outcome == "ok" {
			t.Rows = append(t.Rows, []cell{
				{row.Entry.Object, d.at("bindings", row.Entry.Object)}, text(moment(row.Entry.At)), text(string(row.Entry.Actor.Kind) + " " + row.Entry.Actor.ID),
			})
		}
	}
	v.Tables = append(v.Tables, t)
	return nil
}
