package bookingsql

import (
	"context"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// policyKind is what booking policies are called among the versions of rules.
const policyKind = "booking.policy"

// Publish implements booking.Policies.
func (s *Store) Publish(ctx context.Context, version booking.PolicyVersion, audit hospital.AuditEntry) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		var known bool
		err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM config_versions WHERE kind = $1 AND version = $2)", policyKind, version.Version).Scan(&known)
		if err != nil {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		err = sqldb.Publish(tx, sqldb.Version{
			Kind: policyKind, Version: version.Version, Body: string(version.Body), Source: version.Source,
			ValidFrom: version.ValidFrom, CreatedAt: time.UnixMilli(now),
		})
		if err != nil || known {
			return err
		}
		return sqldb.AppendAudit(tx, audit)
	})
}

// PolicyVersions implements booking.Policies.
func (s *Store) PolicyVersions(ctx context.Context) ([]booking.PolicyVersion, error) {
	stored, err := s.db.Versions(ctx, policyKind)
	if err != nil {
		return nil, err
	}
	versions := make([]booking.PolicyVersion, 0, len(stored))
	for _, v := range slices.Backward(stored) {
		versions = append(versions, booking.PolicyVersion{
			Version: v.Version, Hash: v.Hash, Body: []byte(v.Body), Source: v.Source, ValidFrom: v.ValidFrom,
		})
	}
	return versions, nil
}
