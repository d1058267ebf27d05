package hospital

import (
	"context"
	"time"
)

// AuditEntry is one row of the audit trail: who did what to whose data, why,
// and how it ended. Stores write Patient as a pseudonym.
type AuditEntry struct {
	At          time.Time
	Actor       Actor
	Purpose     string // why: "booking", "care", "reconciliation"
	Action      string // what: "appointment.book", "report.read"
	Object      string // on which object of ours
	Patient     PatientID
	Outcome     string // "ok", or the error's kind and code
	RuleVersion string // the policy version that decided, "" when none did
}

// Grants is what a [Gate] asks: may this actor see this patient, and until
// when; and the trail it writes to.
type Grants interface {
	// Granted returns until when the actor may act for the patient. It returns
	// NotFound for a foreign patient and for one that does not exist, alike.
	Granted(ctx context.Context, actor Actor, patient PatientID) (until time.Time, err error)
	// Record writes the entry durably before it returns.
	Record(ctx context.Context, entry AuditEntry) error
}

// Gate is the one place where an actor and a patient become a [PatientScope].
// Make it with [NewGate]; a zero Gate opens nothing.
type Gate struct {
	grants Grants
	now    func() time.Time
}

// NewGate returns a gate over the grants. Now is the business clock.
func NewGate(grants Grants, now func() time.Time) *Gate {
	return &Gate{grants: grants, now: now}
}

// Open returns the scope in which the actor may read the patient's data. It
// returns NotFound when the actor holds no live grant, whether or not the
// patient exists.
func (g *Gate) Open(ctx context.Context, actor Actor, patient PatientID) (PatientScope, error) {
	if g == nil || g.grants == nil || patient == "" {
		return PatientScope{}, errNoScope()
	}
	until, err := g.grants.Granted(ctx, actor, patient)
	if err != nil {
		return PatientScope{}, &Error{Kind: KindOf(err), Op: "hospital.Gate.Open", Code: CodeOf(err), Err: err}
	}
	if !g.now().Before(until) {
		return PatientScope{}, errNoScope()
	}
	return PatientScope{gate: g, actor: actor, patient: patient, until: until}, nil
}

func errNoScope() error {
	return &Error{Kind: NotFound, Op: "hospital.Gate", Code: "no_scope", Message: "没有找到相关内容，请返回后重试。"}
}

// PatientScope is the permission to read one patient's data for a while. Its
// fields are closed: the only way to the PatientID is Use. The zero value
// permits nothing.
type PatientScope struct {
	gate    *Gate
	actor   Actor
	patient PatientID
	until   time.Time
}

// Access is one use of a scope, as the audit trail will show it.
type Access struct {
	Purpose string // why: "care"
	Action  string // what: "report.read"
	Object  string // which object, "" for a list
}

// Use writes the access to the audit trail and then yields the patient. When
// the scope has expired, is the zero value, or the trail cannot be written, it
// yields nothing: reading without a trace is not possible.
func (s PatientScope) Use(ctx context.Context, access Access) (PatientID, error) {
	if s.gate == nil {
		return "", errNoScope()
	}
	now := s.gate.now()
	entry := AuditEntry{
		At: now, Actor: s.actor, Purpose: access.Purpose, Action: access.Action, Object: access.Object,
		Patient: s.patient, Outcome: "ok",
	}
	expired := !now.Before(s.until)
	if expired {
		entry.Outcome = "not_found no_scope"
	}
	if err := s.gate.grants.Record(ctx, entry); err != nil {
		return "", &Error{Kind: Unavailable, Op: "hospital.PatientScope.Use", Code: "audit_unavailable", Err: err}
	}
	if expired {
		return "", errNoScope()
	}
	return s.patient, nil
}

// Actor returns who holds the scope.
func (s PatientScope) Actor() Actor { return s.actor }
