package staff

import (
	"maps"
	"slices"
	"strings"

	"github.com/wxhospital/hospital"
)

// Role is 角色: what somebody works as. An account may have several.
type Role string

// The roles.
const (
	RoleDesk       Role = "desk"       // 服务台
	RoleFinance    Role = "finance"    // 财务
	RoleOperations Role = "operations" // 运维
	RoleAdmin      Role = "admin"      // 管理员
)

// Roles lists the roles.
func Roles() []Role { return []Role{RoleDesk, RoleFinance, RoleOperations, RoleAdmin} }

// Label is the role in Chinese.
func (r Role) Label() string {
	switch r {
	case RoleDesk:
		return "服务台"
	case RoleFinance:
		return "财务"
	case RoleOperations:
		return "运维"
	case RoleAdmin:
		return "管理员"
	}
	return string(r)
}

// Act is one thing that can be done at the desk: "appointment.cancel". Those in
// .read only look.
type Act string

// The acts.
const (
	ReadAppointments   Act = "appointment.read"
	CancelAppointment  Act = "appointment.cancel"
	ResolveAppointment Act = "appointment.resolve"
	ReadLockouts       Act = "lockout.read"
	Unlock             Act = "lockout.unlock"
	ReadSchedules      Act = "schedule.read"
	SuspendSchedule    Act = "schedule.suspend"
	ReadOrders         Act = "order.read"
	ReadCases          Act = "case.read"
	ResolveCase        Act = "case.resolve"
	ReadUnreadable     Act = "unreadable.read"
	Readmit            Act = "unreadable.readmit"
	ReadMessages       Act = "message.read"
	RepeatMessage      Act = "message.repeat"
	ReadJobs           Act = "job.read"
	ReviveJob          Act = "job.revive"
	ReadBindings       Act = "binding.read"
	Unbind             Act = "binding.unbind"
	ReadCodes          Act = "code.read"
	MakeCode           Act = "code.make"
	ReadAudit          Act = "audit.read"
	ReadPolicies       Act = "policy.read"
	CheckPolicy        Act = "policy.check"
	PublishPolicy      Act = "policy.publish"
	TryPolicy          Act = "policy.try"
	ReadKnowledge      Act = "knowledge.read"
	CheckKnowledge     Act = "knowledge.check"
	PublishKnowledge   Act = "knowledge.publish"
	RestoreKnowledge   Act = "knowledge.restore"
	ReadConsultations  Act = "consultation.read"
	ReadAccounts       Act = "account.read"
	CreateAccount      Act = "account.create"
	ChangeRoles        Act = "account.roles"
	DisableAccount     Act = "account.disable"
	EnableAccount      Act = "account.enable"
	ResetAccount       Act = "account.reset"
)

// permissions says who may do what. The administrator gives roles and keeps the
// rules and the trail; with patients and money the other roles deal.
//
//nolint:gochecknoglobals // an immutable table
var permissions = map[Act][]Role{
	ReadAppointments:   {RoleDesk, RoleOperations},
	CancelAppointment:  {RoleDesk},
	ResolveAppointment: {RoleDesk, RoleOperations},
	ReadLockouts:       {RoleDesk},
	Unlock:             {RoleDesk},
	ReadSchedules:      {RoleDesk, RoleOperations, RoleAdmin},
	SuspendSchedule:    {RoleDesk},
	ReadOrders:         {RoleFinance},
	ReadCases:          {RoleFinance, RoleOperations},
	ResolveCase:        {RoleFinance},
	ReadUnreadable:     {RoleOperations},
	Readmit:            {RoleOperations},
	ReadMessages:       {RoleDesk, RoleOperations},
	RepeatMessage:      {RoleDesk, RoleOperations},
	ReadJobs:           {RoleOperations},
	ReviveJob:          {RoleOperations},
	ReadBindings:       {RoleDesk},
	Unbind:             {RoleDesk},
	ReadCodes:          {RoleDesk},
	MakeCode:           {RoleDesk},
	ReadAudit:          {RoleAdmin},
	ReadPolicies:       {RoleDesk, RoleOperations, RoleAdmin},
	CheckPolicy:        {RoleAdmin},
	PublishPolicy:      {RoleAdmin},
	TryPolicy:          {RoleDesk},
	ReadKnowledge:      {RoleDesk, RoleOperations, RoleAdmin},
	CheckKnowledge:     {RoleAdmin},
	PublishKnowledge:   {RoleAdmin},
	RestoreKnowledge:   {RoleAdmin},
	ReadConsultations:  {RoleOperations, RoleAdmin},
	ReadAccounts:       {RoleAdmin},
	CreateAccount:      {RoleAdmin},
	ChangeRoles:        {RoleAdmin},
	DisableAccount:     {RoleAdmin},
	EnableAccount:      {RoleAdmin},
	ResetAccount:       {RoleAdmin},
}

// patientActs are those in which a patient's data is seen.
//
//nolint:gochecknoglobals // an immutable table
var patientActs = []Act{ReadAppointments, ReadLockouts, ReadOrders, ReadBindings, ReadCodes, ReadAudit, TryPolicy}

// May reports whether one of the roles may do the act. An act that the table
// does not know nobody may.
func May(roles []Role, act Act) bool {
	return slices.ContainsFunc(permissions[act], func(r Role) bool { return slices.Contains(roles, r) })
}

// Permitted returns the roles that may do the act.
func Permitted(act Act) []Role { return slices.Clone(permissions[act]) }

func joinRoles(roles []Role) string {
	var texts []string
	for _, r := range Roles() {
		if slices.Contains(roles, r) {
			texts = append(texts, string(r))
		}
	}
	return strings.Join(texts, ",")
}

func splitRoles(text string) []Role {
	var roles []Role
	for part := range strings.SplitSeq(text, ",") {
		if slices.Contains(Roles(), Role(part)) {
			roles = append(roles, Role(part))
		}
	}
	return roles
}

func roleLabels(roles []Role) string {
	var labels []string
	for _, r := range roles {
		labels = append(labels, r.Label())
	}
	return strings.Join(labels, "、")
}

// entry is the door of the desk in the audit trail.
const entry hospital.Entry = "staff"

// actorOf is how an account stands in the audit trail.
func actorOf(login string) hospital.Actor {
	return hospital.Actor{Kind: hospital.ActorStaff, ID: login, Entry: entry}
}

// Acts lists what the table knows, sorted.
func Acts() []Act { return slices.Sorted(maps.Keys(permissions)) }
