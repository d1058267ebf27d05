package guide

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/triage"
)

//go:embed migrations
var migrations embed.FS

// lookEvery is how old the answer to "is there a newer version?" may be.
const lookEvery = 2 * time.Second

// Config of a Desk.
type Config struct {
	DB *sqldb.DB // required
	// Files are the hospital's own knowledge files, below every published
	// version; nil for none.
	Files fs.FS
	// House returns the departments that the hospital has. Required. While it
	// fails the departments it gave before stay.
	House func(context.Context) ([]hospital.Department, error)

	Now    func() time.Time // the business clock; required
	Wall   func() time.Time // default time.Now
	Logger *slog.Logger     // nil discards
}

// Knowledge is the set that is active.
type Knowledge struct {
	Set     *triage.Set
	Version string // of the published version, "" while none was
}

// Desk is 导诊台. It is safe for concurrent use, also by several processes.
type Desk struct {
	cfg Config

	mu     sync.Mutex
	active Knowledge
	house  []hospital.Department
	wanted string // the version that was last tried
	looked time.Time
}

// New checks the configuration, brings the table up to date and loads the
// hospital's files. A faulty file is Invalid with the [triage.Problems]. A
// published version is looked for at the first question.
func New(ctx context.Context, cfg Config) (*Desk, error) {
	const op = "guide.New"
	if cfg.DB == nil || cfg.House == nil || cfg.Now == nil {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: op, Code: "bad_config", Detail: "DB, House and Now are required"}
	}
	if cfg.Wall == nil {
		cfg.Wall = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: op, Err: err}
	}
	if err := cfg.DB.Migrate(ctx, "guide", files); err != nil {
		return nil, err
	}
	set, err := triage.Load(cfg.Files)
	if err != nil {
		return nil, err
	}
	return &Desk{cfg: cfg, active: Knowledge{Set: set}}, nil
}

// Knowledge returns the active set, at most two seconds behind what any replica
// published. It always has one.
func (d *Desk) Knowledge(ctx context.Context) Knowledge {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Wall()
	if !d.looked.IsZero() && now.Sub(d.looked) < lookEvery {
		return d.active
	}
	d.looked = now
	house, err := d.cfg.House(ctx)
	if err != nil {
		d.cfg.Logger.WarnContext(ctx, "triage keeps the departments it knows", "error", err)
		house = d.house
	}
	wanted, err := d.current(ctx)
	if err != nil {
		d.cfg.Logger.WarnContext(ctx, "triage keeps the knowledge it has", "error", err)
		return d.active
	}
	if wanted == d.wanted && slices.Equal(house, d.house) {
		return d.active
	}
	know, err := d.newest(ctx, house)
	if err != nil {
		d.cfg.Logger.WarnContext(ctx, "triage keeps the knowledge it has", "error", err)
		return d.active
	}
	d.wanted, d.house, d.active = wanted, house, know // a version that fails is not tried every two seconds
	return d.active
}

// newest loads the latest version in force that can be used; of none, the
// hospital's files.
func (d *Desk) newest(ctx context.Context, house []hospital.Department) (Knowledge, error) {
	all, err := d.cfg.DB.Versions(ctx, kind)
	if err != nil {
		return Knowledge{}, err
	}
	now := d.cfg.Now()
	for _, v := range all {
		if v.ValidFrom.After(now) {
			continue
		}
		set, err := d.load(v, house)
		if err == nil {
			return Knowledge{Set: set, Version: v.Version}, nil
		}
		d.cfg.Logger.ErrorContext(ctx, "a version of the triage knowledge is not used", "version", v.Version, "error", err)
	}
	set, err := triage.Overlay{Files: d.cfg.Files, House: house}.Load()
	return Knowledge{Set: set}, err
}

// current is the name of the version in force, "" for none.
func (d *Desk) current(ctx context.Context) (version string, err error) {
	err = d.cfg.DB.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.QueryRow(`SELECT version FROM config_versions WHERE kind = $1 AND valid_from <= $2
			ORDER BY valid_from DESC, created_at DESC, version DESC LIMIT 1`, kind, sqldb.Millis(d.cfg.Now())).Scan(&version)
	})
	if hospital.KindOf(err) == hospital.NotFound {
		return "", nil
	}
	return version, err
}

// load compiles a version over the hospital's files and departments.
func (d *Desk) load(v sqldb.Version, house []hospital.Department) (*triage.Set, error) {
	draft, err := read(v)
	if err != nil {
		return nil, err
	}
	return triage.Overlay{Files: d.cfg.Files, House: house, Bundle: []byte(draft.Knowledge)}.Load()
}

// read opens a stored version. Its bytes must be those that were published.
func read(v sqldb.Version) (Draft, error) {
	sum := sha256.Sum256([]byte(v.Body))
	if hex.EncodeToString(sum[:]) != v.Hash {
		return Draft{}, &hospital.Error{Kind: hospital.Internal, Op: "guide", Code: "version_damaged", Detail: "version " + v.Version + ": the body is not what was published"}
	}
	return parseDraft(v.Body)
}
