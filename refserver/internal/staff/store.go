package staff

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"slices"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// Store keeps accounts, links and sessions. Its methods are commands, each one
// commit with its audit row.
type Store struct {
	db    *sqldb.DB
	vault vault
	wall  func() time.Time
}

//go:embed migrations
var migrations embed.FS

// StoreConfig of a Store.
type StoreConfig struct {
	DB   *sqldb.DB
	Wall func() time.Time // the clock of links, locks and sessions; default time.Now
}

// NewStore brings the tables up to date and returns the store.
func NewStore(ctx context.Context, config StoreConfig) (*Store, error) {
	if config.DB == nil {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "staff.NewStore", Code: "bad_config", Detail: "StoreConfig.DB is nil"}
	}
	if config.Wall == nil {
		config.Wall = time.Now
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "staff.NewStore", Err: err}
	}
	if err := config.DB.Migrate(ctx, "staff", files); err != nil {
		return nil, err
	}
	key, err := config.DB.DeriveKey("staff totp")
	if err != nil {
		return nil, err
	}
	vault, err := newVault(key)
	if err != nil {
		return nil, err
	}
	return &Store{db: config.DB, vault: vault, wall: config.Wall}, nil
}

// Granted is the staff's part of hospital.Grants: whoever has an account in
// use and a role that deals with patients may read a patient's data for a few
// minutes of the business clock now. NotFound for anybody else.
func (s *Store) Granted(ctx context.Context, actor hospital.Actor, now time.Time) (time.Time, error) {
	if actor.Kind != hospital.ActorStaff {
		return time.Time{}, errAccount
	}
	account, err := s.Account(ctx, actor.ID)
	if err != nil {
		return time.Time{}, err
	}
	sees := slices.ContainsFunc(patientActs, func(act Act) bool { return May(account.Roles, act) })
	if account.Disabled || !account.Ready || !sees {
		return time.Time{}, errAccount
	}
	return now.Add(scopeFor), nil
}

const accountColumns = `SELECT login, name, roles, password, totp, totp_step, locked_until, disabled, created_at FROM staff_accounts `

func scanAccount(scan func(...any) error) (Account, error) {
	var a Account
	var roles string
	var locked, disabled, created int64
	err := scan(&a.Login, &a.Name, &roles, &a.password, &a.totp, &a.step, &locked, &disabled, &created)
	a.Roles, a.Ready, a.Disabled = splitRoles(roles), a.password != "", disabled != 0
	a.LockedUntil, a.CreatedAt = sqldb.Instant(locked), sqldb.Instant(created)
	return a, err
}

func oneAccount(tx *sqldb.Tx, login, suffix string) (Account, error) {
	a, err := scanAccount(tx.QueryRow(accountColumns+"WHERE login = $1"+suffix, login).Scan)
	if missing(err) {
		return Account{}, errAccount
	}
	return a, err
}

func missing(err error) bool { return err != nil && hospital.KindOf(err) == hospital.NotFound }

// Account returns one account; NotFound.
func (s *Store) Account(ctx context.Context, login string) (account Account, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		account, err = oneAccount(tx, login, "")
		return err
	})
	return account, err
}

// maxAccounts bounds the list: one hospital's staff at this desk.
const maxAccounts = 1000

// Accounts lists the accounts by login.
func (s *Store) Accounts(ctx context.Context) (all []Account, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		all, err = sqldb.Collect(tx, func(rows *sql.Rows) (Account, error) { return scanAccount(rows.Scan) },
			accountColumns+"ORDER BY login LIMIT $1", maxAccounts)
		return err
	})
	return all, err
}

// firstLock puts in line whoever makes the first account.
const firstLock = "staff/accounts"

func noAccounts(tx *sqldb.Tx) (bool, error) {
	if err := tx.Lock(firstLock); err != nil {
		return false, err
	}
	var n int
	err := tx.QueryRow("SELECT count(*) FROM staff_accounts").Scan(&n)
	return n == 0, err
}

// firstLink stores the token of the link for the first account. Earlier ones no
// longer work. Conflict accounts_exist.
func (s *Store) firstLink(ctx context.Context, token, totp string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		none, err := noAccounts(tx)
		if err != nil {
			return err
		}
		if !none {
			return errExists
		}
		return s.putLink(tx, token, "", totp)
	})
}

// putLink stores a link in the place of earlier ones for the same account.
func (s *Store) putLink(tx *sqldb.Tx, token, login, totp string) error {
	if _, err := tx.Exec("DELETE FROM staff_links WHERE login = $1", login); err != nil {
		return err
	}
	_, err := tx.Exec("INSERT INTO staff_links (hash, login, totp, expires_at, used_at) VALUES ($1, $2, $3, $4, 0)",
		hashToken(token), login, s.vault.seal(totp), sqldb.Millis(s.wall().Add(linkFor)))
	return err
}

// link returns a link that can be used now; errLink otherwise.
func (s *Store) link(ctx context.Context, token string) (link Link, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		link, err = s.usable(tx, token, "")
		return err
	})
	return link, err
}

func (s *Store) usable(tx *sqldb.Tx, token, suffix string) (Link, error) {
	var link Link
	var expires, used int64
	err := tx.QueryRow("SELECT login, totp, expires_at, used_at FROM staff_links WHERE hash = $1"+suffix, hashToken(token)).
		Scan(&link.Login, &link.totp, &expires, &used)
	if missing(err) || err == nil && (used != 0 || expires <= sqldb.Millis(s.wall())) {
		return Link{}, errLink
	}
	link.Expires = sqldb.Instant(expires)
	return link, err
}

// taking is the command that uses a link up.
type taking struct {
	token       string
	login, name string // of the first account; a later one has them
	password    string // hashed
	step        int64  // of the code that proved the second factor
	audit       hospital.AuditEntry
}

// take uses a link up: the account has a password and a second factor from
// then on, and its sessions end. The first account has every role, because
// there is nobody else.
func (s *Store) take(ctx context.Context, t taking) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := tx.Lock(firstLock); err != nil {
			return err
		}
		link, err := s.usable(tx, t.token, tx.ForUpdate())
		if err != nil {
			return err
		}
		now := sqldb.Millis(s.wall())
		if _, err := tx.Exec("UPDATE staff_links SET used_at = $2 WHERE hash = $1", hashToken(t.token), now); err != nil {
			return err
		}
		login := link.Login
		if link.First() {
			none, err := noAccounts(tx)
			if err != nil {
				return err
			}
			if !none {
				return errLink
			}
			login = t.login
			if err := insertAccount(tx, Account{Login: login, Name: t.name, Roles: Roles()}, now); err != nil {
				return err
			}
		}
		n, err := tx.Exec(`UPDATE staff_accounts SET password = $2, totp = $3, totp_step = $4, failures = 0, locked_until = 0
			WHERE login = $1`, login, t.password, link.totp, t.step)
		if err != nil {
			return err
		}
		if n != 1 {
			return errLink
		}
		if err := endSessions(tx, login); err != nil {
			return err
		}
		t.audit.Actor, t.audit.Object = actorOf(login), login
		return sqldb.AppendAudit(tx, t.audit)
	})
}

func insertAccount(tx *sqldb.Tx, a Account, now int64) error {
	n, err := tx.Exec(`INSERT INTO staff_accounts (login, name, roles, password, totp, totp_step, failures, locked_until, disabled, created_at)
		VALUES ($1, $2, $3, '', '', 0, 0, 0, 0, $4) ON CONFLICT (login) DO NOTHING`, a.Login, a.Name, joinRoles(a.Roles), now)
	if err == nil && n == 0 {
		return errTaken
	}
	return err
}

func endSessions(tx *sqldb.Tx, login string) error {
	_, err := tx.Exec("DELETE FROM staff_sessions WHERE login = $1", login)
	return err
}

// create makes an account that waits for its link to be used.
func (s *Store) create(ctx context.Context, a Account, token, totp string, audit hospital.AuditEntry) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := insertAccount(tx, a, sqldb.Millis(s.wall())); err != nil {
			return err
		}
		if err := s.putLink(tx, token, a.Login, totp); err != nil {
			return err
		}
		return sqldb.AppendAudit(tx, audit)
	})
}

// change changes an account under lock, unless nobody would be left to give
// roles.
func (s *Store) change(ctx context.Context, login string, audit hospital.AuditEntry, apply func(tx *sqldb.Tx) error) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := tx.Lock(firstLock); err != nil {
			return err
		}
		if _, err := oneAccount(tx, login, tx.ForUpdate()); err != nil {
			return err
		}
		if err := apply(tx); err != nil {
			return err
		}
		var admins int
		err := tx.QueryRow("SELECT count(*) FROM staff_accounts WHERE disabled = 0 AND password <> '' AND ',' || roles || ',' LIKE '%,admin,%'").Scan(&admins)
		if err != nil {
			return err
		}
		if admins == 0 {
			return errLastAdmin
		}
		return sqldb.AppendAudit(tx, audit)
	})
}

func (s *Store) setRoles(ctx context.Context, login string, roles []Role, audit hospital.AuditEntry) error {
	return s.change(ctx, login, audit, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("UPDATE staff_accounts SET roles = $2 WHERE login = $1", login, joinRoles(roles))
		return err
	})
}

func (s *Store) disable(ctx context.Context, login string, audit hospital.AuditEntry) error {
	return s.change(ctx, login, audit, func(tx *sqldb.Tx) error {
		if _, err := tx.Exec("UPDATE staff_accounts SET disabled = 1 WHERE login = $1", login); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM staff_links WHERE login = $1", login); err != nil {
			return err
		}
		return endSessions(tx, login)
	})
}

func (s *Store) enable(ctx context.Context, login string, audit hospital.AuditEntry) error {
	return s.change(ctx, login, audit, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("UPDATE staff_accounts SET disabled = 0 WHERE login = $1", login)
		return err
	})
}

// reset takes password and second factor away and stores the link by which new
// ones are chosen.
func (s *Store) reset(ctx context.Context, login, token, totp string, audit hospital.AuditEntry) error {
	return s.change(ctx, login, audit, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("UPDATE staff_accounts SET password = '', totp = '', failures = 0, locked_until = 0 WHERE login = $1", login)
		if err != nil {
			return err
		}
		if err := endSessions(tx, login); err != nil {
			return err
		}
		return s.putLink(tx, token, login, totp)
	})
}

// try counts a try to log in before it is judged, so that tries at the same
// time are counted too, and returns the account; errLogin when there is none,
// or when it is locked or cannot be used.
func (s *Store) try(ctx context.Context, login string) (account Account, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		account, err = oneAccount(tx, login, tx.ForUpdate())
		if missing(err) {
			return errLogin
		}
		if err != nil {
			return err
		}
		now := s.wall()
		if account.Disabled || !account.Ready || now.Before(account.LockedUntil) {
			return errLogin
		}
		_, err = tx.Exec(`UPDATE staff_accounts SET failures = CASE WHEN failures + 1 >= $2 THEN 0 ELSE failures + 1 END,
			locked_until = CASE WHEN failures + 1 >= $2 THEN CAST($3 AS BIGINT) ELSE 0 END WHERE login = $1`,
			login, maxTries, sqldb.Millis(now.Add(lockFor)))
		return err
	})
	return account, err
}

// entering is the command that begins a session.
type entering struct {
	account Account // as it was tried
	step    int64
	token   string
	audit   hospital.AuditEntry
}

// enter begins a session. A code that was used before begins none, nor does an
// account that was reset or disabled since.
func (s *Store) enter(ctx context.Context, e entering) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		now := s.wall()
		n, err := tx.Exec(`UPDATE staff_accounts SET totp_step = $2, failures = 0, locked_until = 0
			WHERE login = $1 AND totp_step < $2 AND disabled = 0 AND password = $3`, e.account.Login, e.step, e.account.password)
		if err != nil {
			return err
		}
		if n == 0 {
			return errLogin
		}
		if _, err := tx.Exec("DELETE FROM staff_sessions WHERE expires_at <= $1", sqldb.Millis(now)); err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO staff_sessions (hash, login, seen_at, expires_at) VALUES ($1, $2, $3, $4)",
			hashToken(e.token), e.account.Login, sqldb.Millis(now), sqldb.Millis(now.Add(sessionFor)))
		if err != nil {
			return err
		}
		return sqldb.AppendAudit(tx, e.audit)
	})
}

// seenEvery is how exactly the idle time of a session is kept: every page
// would otherwise be a commit.
const seenEvery = time.Minute

// session returns whose session it is; errSession when it ended.
func (s *Store) session(ctx context.Context, token string) (Account, error) {
	hash, now := hashToken(token), s.wall()
	var account Account
	var seen, expires int64
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var login string
		err := tx.QueryRow("SELECT login, seen_at, expires_at FROM staff_sessions WHERE hash = $1", hash).Scan(&login, &seen, &expires)
		if err != nil {
			return err
		}
		account, err = oneAccount(tx, login, "")
		return err
	})
	switch {
	case missing(err):
		return Account{}, errSession
	case err != nil:
		return Account{}, err
	case !now.Before(sqldb.Instant(expires)), now.Sub(sqldb.Instant(seen)) >= sessionIdle, account.Disabled, !account.Ready:
		return Account{}, errSession
	case now.Sub(sqldb.Instant(seen)) < seenEvery:
		return account, nil
	}
	return account, s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec("UPDATE staff_sessions SET seen_at = $2 WHERE hash = $1 AND seen_at < $2", hash, sqldb.Millis(now))
		return err
	})
}

// leave ends a session.
func (s *Store) leave(ctx context.Context, token string, audit hospital.AuditEntry) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		n, err := tx.Exec("DELETE FROM staff_sessions WHERE hash = $1", hashToken(token))
		if err != nil || n == 0 {
			return err
		}
		return sqldb.AppendAudit(tx, audit)
	})
}

// record writes an audit row of its own: of an intent, a read or a refusal.
func (s *Store) record(ctx context.Context, entry hospital.AuditEntry) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error { return sqldb.AppendAudit(tx, entry) })
}
