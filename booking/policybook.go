package booking

import (
	"context"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
)

// policyBook caches parsed versions, which never change, and the list of
// versions for a second of business time, so that a rule published on another
// replica holds here at once.
type policyBook struct {
	mu       sync.Mutex
	parsed   map[string]*Policy
	versions []PolicyVersion
	readAt   time.Time
}

// policyListAge is how old the list of versions may be.
const policyListAge = time.Second

// current returns the policy in force now and its version.
func (d *Desk) current(ctx context.Context) (*Policy, string, error) {
	now := d.cfg.Now()
	versions, err := d.versions(ctx, now, false)
	if err != nil {
		return nil, "", err
	}
	var version string
	for _, v := range versions {
		if !v.ValidFrom.After(now) {
			version = v.Version
		}
	}
	if version == "" {
		return nil, "", &hospital.Error{Kind: hospital.Internal, Op: "booking.Desk", Code: "no_policy", Detail: "no policy version is in force"}
	}
	policy, err := d.policy(ctx, version)
	return policy, version, err
}

// policy returns a version, whether or not it is still in force.
func (d *Desk) policy(ctx context.Context, version string) (*Policy, error) {
	book := &d.policies
	book.mu.Lock()
	policy := book.parsed[version]
	book.mu.Unlock()
	if policy != nil {
		return policy, nil
	}
	versions, err := d.versions(ctx, d.cfg.Now(), true)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		if v.Version != version {
			continue
		}
		parsed, err := ParsePolicy(v.Body)
		if err != nil {
			return nil, &hospital.Error{Kind: hospital.Internal, Op: "booking.Desk", Code: "bad_policy", Detail: "stored version " + version, Err: err}
		}
		book.mu.Lock()
		defer book.mu.Unlock()
		if book.parsed == nil {
			book.parsed = map[string]*Policy{}
		}
		book.parsed[version] = &parsed
		return &parsed, nil
	}
	return nil, &hospital.Error{Kind: hospital.Internal, Op: "booking.Desk", Code: "no_policy", Detail: "unknown version " + version}
}

func (d *Desk) versions(ctx context.Context, now time.Time, fresh bool) ([]PolicyVersion, error) {
	book := &d.policies
	book.mu.Lock()
	versions, age := book.versions, now.Sub(book.readAt)
	book.mu.Unlock()
	if !fresh && len(versions) > 0 && age >= 0 && age < policyListAge {
		return versions, nil
	}
	versions, err := d.cfg.Store.PolicyVersions(ctx)
	if err != nil {
		return nil, err
	}
	book.mu.Lock()
	defer book.mu.Unlock()
	book.versions, book.readAt = versions, now
	return versions, nil
}

// Policy returns the policy in force now and its version.
func (d *Desk) Policy(ctx context.Context) (Policy, string, error) {
	policy, version, err := d.current(ctx)
	if err != nil {
		return Policy{}, "", err
	}
	return *policy, version, nil
}

// Publish puts a policy version in force from its ValidFrom on. Appointments
// made before keep theirs. Only staff and the system's import may; it is Denied
// for others, Invalid where [ParsePolicy] is and for a version that is not what
// [NewPolicyVersion] makes, and Conflict for another body under the same version.
func (d *Desk) Publish(ctx context.Context, actor hospital.Actor, version PolicyVersion) error {
	audit := hospital.AuditEntry{
		At: d.cfg.Now(), Actor: actor, Purpose: "policy", Action: "policy.publish", Object: version.Version,
		Outcome: "ok", RuleVersion: version.Version,
	}
	if err := d.staffOnly(ctx, "booking.Publish", audit, hospital.ActorSystem); err != nil {
		return err
	}
	named, err := NewPolicyVersion(version.Body, version.Source, version.ValidFrom)
	switch {
	case err != nil:
		return err
	case named.Version != version.Version || named.Hash != version.Hash:
		return &hospital.Error{Kind: hospital.Invalid, Op: "booking.Publish", Code: "bad_version", Detail: "Version and Hash: want what NewPolicyVersion makes"}
	}
	if err := d.cfg.Store.Publish(ctx, version, audit); err != nil {
		return err
	}
	_, err = d.versions(ctx, d.cfg.Now(), true)
	return err
}
