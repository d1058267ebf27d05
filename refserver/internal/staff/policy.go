package staff

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
)

func bodyField() field {
	return field{Name: "body", Label: "规则文件（YAML）", Kind: kindArea, Max: maxArea}
}

func (d *Desk) policyObject() object {
	return object{
		Path: "policies", Label: "预约规则", Purpose: "查看、校验、导入规则版本；试算在“班次与停诊”中", Read: ReadPolicies,
		List: func(ctx context.Context, who session, _ values, v *view) error {
			versions, err := d.cfg.Bookings.PolicyVersions(ctx)
			if err != nil {
				return err
			}
			_, inForce, err := d.cfg.Booking.Policy(ctx)
			if err != nil && hospital.CodeOf(err) != "no_policy" {
				return err
			}
			t := table{Heads: []string{"版本", "生效时间", "状态", "来源"}, Empty: "还没有规则。"}
			for _, version := range slices.Backward(versions) {
				state := "已被取代"
				switch {
				case version.Version == inForce:
					state = "生效中"
				case version.ValidFrom.After(d.cfg.Now()):
					state = "待生效"
				}
				t.Rows = append(t.Rows, []cell{{version.Version, d.at("policies", version.Version)}, text(moment(version.ValidFrom)), text(state), text(version.Source)})
			}
			if May(who.Roles, PublishPolicy) {
				v.Facts = []fact{{Label: "新版本", Value: "导入规则", To: d.at("policies", fresh)}}
			}
			v.Tables = append(v.Tables, t)
			return nil
		},
		Show: func(ctx context.Context, _ session, id string, v *view) ([]offer, error) {
			versions, err := d.cfg.Bookings.PolicyVersions(ctx)
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(versions, func(p booking.PolicyVersion) bool { return p.Version == id })
			if at < 0 {
				return nil, errAccount
			}
			p := versions[at]
			v.Title = "规则 " + p.Version
			v.Facts = []fact{{Label: "生效时间", Value: moment(p.ValidFrom)}, {Label: "来源", Value: p.Source}, {Label: "SHA-256", Value: p.Hash}}
			v.Text = string(p.Body)
			return nil, nil
		},
		Acts: []act{
			{
				Act: CheckPolicy, Name: "check", Label: "校验规则", New: true, Ask: true, Fields: []field{bodyField()},
				Explain: "只校验，不发布。",
				Run: func(_ context.Context, _ session, _ string, in values) (result, error) {
					policy, err := booking.ParsePolicy([]byte(in["body"]))
					if err != nil {
						return result{}, wrongFields(err)
					}
					return result{Notice: "校验通过：" + policy.Name + "，可以发布。", Values: in}, nil
				},
			},
			{
				Act: PublishPolicy, Name: "publish", Label: "发布规则", New: true, Danger: true,
				Explain: "发布后不可修改；要恢复旧规则，请再次发布旧文件。此前的预约仍按各自的版本处理。",
				Fields: []field{bodyField(), {
					Name: "valid_from", Label: "生效时间", Kind: kindTime, Optional: true, Hint: "不填即立即生效；不能早于现在",
				}},
				Run: func(ctx context.Context, who session, _ string, in values) (result, error) {
					now := d.cfg.Now()
					from := in.time("valid_from")
					if from.IsZero() {
						from = now
					}
					if from.Before(now) {
						return result{}, &hospital.Error{Kind: hospital.Invalid, Op: "staff", Code: "valid_from", Message: "生效时间不能早于现在。"}
					}
					version, err := booking.NewPolicyVersion([]byte(in["body"]), "staff "+who.Login, from)
					if err != nil {
						return result{}, wrongFields(err)
					}
					return result{}, d.cfg.Booking.Publish(ctx, who.actor(), version)
				},
			},
		},
	}
}

// wrongFields says which fields of a policy file are wrong, one a line.
func wrongFields(err error) error {
	e, ok := errors.AsType[*hospital.Error](err)
	if !ok || e.Kind != hospital.Invalid {
		return err
	}
	var detail string
	for cause := error(e); cause != nil; cause = errors.Unwrap(cause) {
		if at, ok := errors.AsType[*hospital.Error](cause); ok && at.Detail != "" {
			detail = at.Detail
			break
		}
	}
	lines := strings.FieldsFunc(detail, func(r rune) bool { return r == '\n' })
	return &hospital.Error{Kind: hospital.Invalid, Op: e.Op, Code: e.Code, Message: "规则文件有误：\n" + strings.Join(lines, "\n"), Err: err}
}
