package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"regexp"

	"github.com/pressly/goose/v3"

	"github.com/wxhospital/hospital"
)

var componentName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

// Migrate brings the component's tables up to date. fsys holds goose files
// ("00001_slots.sql") that run on both engines, or, where they must differ, a
// folder "sqlite" and a folder "postgres" with one set each. Every component
// counts its versions in a table of its own, goose_<component>. On PostgreSQL
// one process at a time migrates and the others wait for it. A failed
// migration is Internal, with the file in the detail.
func (db *DB) Migrate(ctx context.Context, component string, fsys fs.FS) error {
	if !componentName.MatchString(component) {
		return &hospital.Error{Kind: hospital.Invalid, Op: "sqldb.Migrate", Code: "bad_component", Detail: component}
	}
	if info, err := fs.Stat(fsys, db.engine.String()); err == nil && info.IsDir() {
		fsys = mustSub(fsys, db.engine.String())
	}
	db.migrating.Lock()
	defer db.migrating.Unlock()
	var err error
	if db.engine == SQLite {
		err = db.migrateSQLite(ctx, component, fsys)
	} else {
		err = db.locked(ctx, "migrate "+db.schema, func(ctx context.Context, _ *sql.Conn) error {
			return up(ctx, goose.DialectPostgres, db.pg, component, fsys)
		})
	}
	if err == nil {
		return nil
	}
	detail := component
	if partial, ok := errors.AsType[*goose.PartialError](err); ok && partial.Failed != nil && partial.Failed.Source != nil {
		detail += " " + partial.Failed.Source.Path
	}
	return &hospital.Error{Kind: hospital.Internal, Op: "sqldb.Migrate", Code: "migration_failed", Detail: detail, Err: err}
}

// migrateSQLite uses a connection of its own: the writer keeps its statements
// and waits while a migration holds the file.
func (db *DB) migrateSQLite(ctx context.Context, component string, fsys fs.FS) (err error) {
	pool, err := sql.Open("sqlite", db.dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)
	return up(ctx, goose.DialectSQLite3, pool, component, fsys)
}

func up(ctx context.Context, dialect goose.Dialect, pool *sql.DB, component string, fsys fs.FS) error {
	provider, err := goose.NewProvider(dialect, pool, fsys,
		goose.WithTableName("goose_"+component), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func mustSub(fsys fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		panic("sqldb: " + dir + " is no valid folder name") // the names are constants
	}
	return sub
}
