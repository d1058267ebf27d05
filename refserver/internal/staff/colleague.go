package staff

import (
	"context"

	"github.com/wxhospital/hospital"
)

func roleFields() []field {
	var fields []field
	for _, r := range Roles() {
		fields = append(fields, field{Name: "role_" + string(r), Label: r.Label(), Kind: kindCheck, Optional: true})
	}
	return fields
}

func pickedRoles(in values) ([]Role, error) {
	var roles []Role
	for _, r := range Roles() {
		if in["role_"+string(r)] != "" {
			roles = append(roles, r)
		}
	}
	if len(roles) == 0 {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "staff", Code: "no_role", Message: "请至少选择一个角色。"}
	}
	return roles, nil
}

func (d *Desk) accounts() object {
	link := func(token string) result {
		return result{Secret: &secret{
			Label: "一次性链接", Value: d.at("link", token),
			Hint: "请当面交给本人：在本工作台的地址后打开，30 分钟内设置密码和动态验证码，只能使用一次；离开本页后不再显示。",
		}}
	}
	return object{
		Path: "accounts", Label: "账号与角色", Purpose: "建立、停用、重置工作人员账号", Read: ReadAccounts,
		List: func(ctx context.Context, who session, _ values, v *view) error {
			all, err := d.cfg.Store.Accounts(ctx)
			if err != nil {
				return err
			}
			t := table{Heads: []string{"工号", "姓名", "角色", "状态", "建立时间"}}
			for _, a := range all {
				t.Rows = append(t.Rows, []cell{{a.Login, d.at("accounts", a.Login)}, text(a.Name), text(roleLabels(a.Roles)), text(d.standing(a)), text(moment(a.CreatedAt))})
			}
			if May(who.Roles, CreateAccount) {
				v.Facts = []fact{{Label: "新账号", Value: "建立账号", To: d.at("accounts", fresh)}}
			}
			v.Tables = append(v.Tables, t)
			return nil
		},
		Show: func(ctx context.Context, who session, id string, v *view) ([]offer, error) {
			a, err := d.cfg.Store.Account(ctx, id)
			if err != nil {
				return nil, err
			}
			v.Title = "账号 " + a.Login
			v.Facts = []fact{
				{Label: "姓名", Value: a.Name}, {Label: "角色", Value: roleLabels(a.Roles)}, {Label: "状态", Value: d.standing(a)}, {Label: "建立时间", Value: moment(a.CreatedAt)},
			}
			ticked := values{}
			for _, r := range a.Roles {
				ticked["role_"+string(r)] = "on"
			}
			offers := []offer{{Act: ChangeRoles, Values: ticked}}
			switch {
			case a.Login == who.Login:
			case a.Disabled:
				offers = append(offers, offer{Act: EnableAccount})
			default:
				offers = append(offers, offer{Act: ResetAccount}, offer{Act: DisableAccount})
			}
			return offers, nil
		},
		Acts: []act{
			{
				Act: CreateAccount, Name: "create", Label: "建立账号", New: true, Whole: true,
				Fields: append([]field{
					{Name: "login", Label: "工号", Kind: kindText, Max: maxLogin, Hint: "2–32 位小写字母、数字或 -，不能再改"},
					{Name: "name", Label: "姓名", Kind: kindText, Max: maxName},
				}, roleFields()...),
				Run: func(ctx context.Context, who session, _ string, in values) (result, error) {
					if !validLogin(in["login"]) {
						return result{}, &hospital.Error{Kind: hospital.Invalid, Op: "staff", Code: "bad_login_name", Message: "工号须为 2–32 位小写字母、数字或 -。"}
					}
					roles, err := pickedRoles(in)
					if err != nil {
						return result{}, err
					}
					token := newToken()
					err = d.cfg.Store.create(ctx, Account{Login: in["login"], Name: in["name"], Roles: roles}, token, newTOTP(),
						d.entry(who, "staff."+string(CreateAccount), in["login"], in["reason"]))
					return link(token), err
				},
			},
			{
				Act: ChangeRoles, Name: "roles", Label: "修改角色", Whole: true, Fields: roleFields(),
				Run: func(ctx context.Context, who session, id string, in values) (result, error) {
					roles, err := pickedRoles(in)
					if err != nil {
						return result{}, err
					}
					row := d.entry(who, "staff."+string(ChangeRoles), id, in["reason"])
					row.Outcome = "ok " + joinRoles(roles)
					return result{}, d.cfg.Store.setRoles(ctx, id, roles, row)
				},
			},
			{
				Act: ResetAccount, Name: "reset", Label: "重置密码和动态验证码", Danger: true, Whole: true,
				Explain: "原密码、动态验证码和已登录的页面立即失效。请先当面确认本人身份。",
				Run: func(ctx context.Context, who session, id string, in values) (result, error) {
					if id == who.Login {
						return result{}, errSelf
					}
					token := newToken()
					return link(token), d.cfg.Store.reset(ctx, id, token, newTOTP(), d.entry(who, "staff."+string(ResetAccount), id, in["reason"]))
				},
			},
			{
				Act: DisableAccount, Name: "disable", Label: "停用账号", Danger: true, Whole: true,
				Run: func(ctx context.Context, who session, id string, in values) (result, error) {
					if id == who.Login {
						return result{}, errSelf
					}
					return result{}, d.cfg.Store.disable(ctx, id, d.entry(who, "staff."+string(DisableAccount), id, in["reason"]))
				},
			},
			{
				Act: EnableAccount, Name: "enable", Label: "恢复账号", Whole: true,
				Run: func(ctx context.Context, who session, id string, in values) (result, error) {
					return result{}, d.cfg.Store.enable(ctx, id, d.entry(who, "staff."+string(EnableAccount), id, in["reason"]))
				},
			},
		},
	}
}

func (d *Desk) standing(a Account) string {
	switch {
	case a.Disabled:
		return "已停用"
	case !a.Ready:
		return "等待本人设置密码"
	case d.cfg.Store.wall().Before(a.LockedUntil):
		return "暂时锁定至 " + moment(a.LockedUntil)
	}
	return "正常"
}

// allObjects are the objects in the order of the navigation.
func (d *Desk) allObjects() []object {
	all := []object{d.appointments(), d.lockouts(), d.schedules(), d.bindings()}
	if d.cfg.Codes != nil {
		all = append(all, d.codes())
	}
	all = append(all, d.orders(), d.cases())
	if d.cfg.Messages != nil {
		all = append(all, d.messages())
	}
	if d.cfg.Jobs != nil {
		all = append(all, d.jobs())
	}
	all = append(all, d.unreadable(), d.policyObject())
	if d.cfg.Guide != nil {
		all = append(all, d.knowledge(), d.consultations())
	}
	return append(all, d.audit(), d.accounts())
}
