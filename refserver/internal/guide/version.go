package guide

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/triage"
)

// kind is what triage knowledge is called among the versions of rules.
const kind = "triage.knowledge"

// Draft is what is published: the hospital's knowledge and its own cases.
type Draft struct {
	Knowledge string `json:"knowledge"` // a bundle, see [triage.Overlay]
	Cases     string `json:"cases"`     // see [triage.ReadCases]; "" for none
}

func parseDraft(body string) (d Draft, err error) {
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		return d, &hospital.Error{Kind: hospital.Internal, Op: "guide", Code: "version_damaged", Err: err}
	}
	return d, nil
}

// Version is one published version.
type Version struct {
	Name      string
	Hash      string
	Source    string
	ValidFrom time.Time
	Draft     Draft
}

// Versions lists what was published, the latest first.
func (d *Desk) Versions(ctx context.Context) ([]Version, error) {
	stored, err := d.cfg.DB.Versions(ctx, kind)
	if err != nil {
		return nil, err
	}
	all := make([]Version, 0, len(stored))
	for _, v := range stored {
		one := Version{Name: v.Version, Hash: v.Hash, Source: v.Source, ValidFrom: v.ValidFrom}
		if one.Draft, err = read(v); err != nil { // one that is damaged is listed, not hidden
			one.Source += "（内容已损坏，不会启用）"
		}
		all = append(all, one)
	}
	return all, nil
}

// Report is what a draft comes to before it is published.
type Report struct {
	Set     string // name and hash
	Lint    triage.Problems
	Changes []triage.Change // against the version in force
	Score   triage.Score    // on the draft's cases
	Before  triage.Score    // on the same cases, of the set in force
}

// Check loads a draft as it would be used. A faulty one is Invalid with the
// [triage.Problems]: file, line and reason.
func (d *Desk) Check(ctx context.Context, draft Draft) (Report, error) {
	house, err := d.cfg.House(ctx)
	if err != nil {
		return Report{}, err
	}
	set, err := triage.Overlay{Files: d.cfg.Files, House: house, Bundle: []byte(draft.Knowledge)}.Load()
	if err != nil {
		return Report{}, err
	}
	cases, err := triage.ReadCases([]byte(draft.Cases))
	if err != nil {
		return Report{}, err
	}
	old := Draft{}
	now, err := d.current(ctx)
	if err != nil {
		return Report{}, err
	}
	if now != "" {
		v, err := d.cfg.DB.Version(ctx, kind, now)
		if err != nil {
			return Report{}, err
		}
		if old, err = read(v); err != nil {
			old = Draft{} // damaged: everything in the draft is new
		}
	}
	report := Report{Set: set.String(), Lint: set.Lint()}
	if report.Changes, err = triage.Changes([]byte(old.Knowledge), []byte(draft.Knowledge)); err != nil {
		return Report{}, err
	}
	if report.Score, err = set.Score(cases); err != nil {
		return Report{}, err
	}
	report.Before, err = d.Knowledge(ctx).Set.Score(cases)
	return report, err
}

// Publish puts a draft in force at once, with its audit row in the same
// transaction, and returns the name it got. What cannot be loaded is refused,
// and the version in force stays.
func (d *Desk) Publish(ctx context.Context, draft Draft, source string, audit hospital.AuditEntry) (name string, err error) {
	if _, err := d.Check(ctx, draft); err != nil {
		return "", err
	}
	body, err := json.Marshal(draft)
	if err != nil {
		return "", &hospital.Error{Kind: hospital.Internal, Op: "guide.Publish", Err: err}
	}
	return d.publish(ctx, string(body), source, audit)
}

// Restore publishes an earlier version again, under a new name: what was
// advised in between was advised by what was in force then.
func (d *Desk) Restore(ctx context.Context, name, source string, audit hospital.AuditEntry) (string, error) {
	v, err := d.cfg.DB.Version(ctx, kind, name)
	if err != nil {
		return "", err
	}
	draft, err := read(v)
	if err != nil {
		return "", err
	}
	return d.Publish(ctx, draft, source, audit)
}

func (d *Desk) publish(ctx context.Context, body, source string, audit hospital.AuditEntry) (name string, err error) {
	err = d.cfg.DB.Write(ctx, func(tx *sqldb.Tx) error {
		var n int
		if err := tx.QueryRow("SELECT COUNT(*) FROM config_versions WHERE kind = $1", kind).Scan(&n); err != nil {
			return err
		}
		name = fmt.Sprintf("%04d", n+1)
		now, err := tx.Now()
		if err != nil {
			return err
		}
		err = sqldb.Publish(tx, sqldb.Version{
			Kind: kind, Version: name, Body: body, Source: source, ValidFrom: d.cfg.Now(), CreatedAt: time.UnixMilli(now),
		})
		if err != nil {
			return err
		}
		audit.Object, audit.RuleVersion = name, name
		return sqldb.AppendAudit(tx, audit)
	})
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	d.looked = time.Time{} // this process looks at once, the others within lookEvery
	d.mu.Unlock()
	return name, nil
}
