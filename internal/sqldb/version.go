package sqldb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"time"

	"github.com/wxhospital/hospital"
)

// Version is one immutable version of a rule, a template, a menu or a
// knowledge base. What was decided under it stores Kind and Version and is
// never judged by another.
type Version struct {
	Kind      string
	Version   string
	Hash      string // SHA-256 of Body in hex; Publish computes it
	Body      string
	Source    string // where it came from: "preset wuxi2018", "import by staff 1024"
	ValidFrom time.Time
	CreatedAt time.Time
}

// maxVersions bounds the list of one kind.
const maxVersions = 1000

// Publish stores a version. The same version with the same body again is
// nothing new and keeps its first dates; with another body it is a Conflict
// with code version_exists.
func Publish(tx *Tx, v Version) error {
	if v.Kind == "" || v.Version == "" || v.CreatedAt.IsZero() {
		return &hospital.Error{Kind: hospital.Invalid, Op: "sqldb.Publish", Code: "bad_version", Detail: "kind, version and creation time are required"}
	}
	sum := sha256.Sum256([]byte(v.Body))
	hash := hex.EncodeToString(sum[:])
	n, err := tx.Exec(`INSERT INTO config_versions (kind, version, hash, body, source, valid_from, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (kind, version) DO NOTHING`,
		v.Kind, v.Version, hash, v.Body, v.Source, Millis(v.ValidFrom), Millis(v.CreatedAt))
	if err != nil || n > 0 {
		return err
	}
	var stored string
	if err := tx.QueryRow("SELECT hash FROM config_versions WHERE kind = $1 AND version = $2", v.Kind, v.Version).Scan(&stored); err != nil {
		return err
	}
	if stored != hash {
		return &hospital.Error{
			Kind: hospital.Conflict, Op: "sqldb.Publish", Code: "version_exists",
			Detail: v.Kind + " " + v.Version + " is published with another body; publish a new version",
		}
	}
	return nil
}

const versionColumns = "SELECT kind, version, hash, body, source, valid_from, created_at FROM config_versions "

// Versions lists the versions of a kind, the latest to become valid first.
func (db *DB) Versions(ctx context.Context, kind string) ([]Version, error) {
	return db.versions(ctx, "WHERE kind = $1 ORDER BY valid_from DESC, created_at DESC, version DESC LIMIT $2", kind, maxVersions)
}

// VersionAt returns the version of a kind that is valid at the instant: the
// latest to become valid, of several the latest created. It is NotFound when
// there is none.
func (db *DB) VersionAt(ctx context.Context, kind string, at time.Time) (Version, error) {
	return one(db.versions(ctx, `WHERE kind = $1 AND valid_from <= $2
		ORDER BY valid_from DESC, created_at DESC, version DESC LIMIT 1`, kind, Millis(at)))
}

// Version returns one version, NotFound when it was never published.
func (db *DB) Version(ctx context.Context, kind, version string) (Version, error) {
	return one(db.versions(ctx, "WHERE kind = $1 AND version = $2", kind, version))
}

func (db *DB) versions(ctx context.Context, where string, args ...any) (all []Version, err error) {
	err = db.Read(ctx, func(tx *Tx) (err error) {
		all, err = Collect(tx, func(rows *sql.Rows) (Version, error) {
			var v Version
			var from, created int64
			err := rows.Scan(&v.Kind, &v.Version, &v.Hash, &v.Body, &v.Source, &from, &created)
			v.ValidFrom, v.CreatedAt = Instant(from), Instant(created)
			return v, err
		}, versionColumns+where, args...)
		return err
	})
	return all, err
}

func one(all []Version, err error) (Version, error) {
	if err != nil {
		return Version{}, err
	}
	if len(all) == 0 {
		return Version{}, &hospital.Error{Kind: hospital.NotFound, Op: "sqldb.Version", Code: "no_version"}
	}
	return all[0], nil
}
