//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sqldb

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"github.com/wxhospital/hospital"
)

// lockFile takes the lock that keeps a second process, or a second Open, off
// the database. The kernel gives it back when the process dies, however it
// dies, so the file may stay.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator's own path
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "sqldb.Open", Code: "bad_config", Detail: "DSN: the lock file cannot be opened", Err: err}
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(&hospital.Error{
			Kind: hospital.Conflict, Op: "sqldb.Open", Code: "database_locked",
			Detail: "another process, or this one, has the database open; stop it, or use PostgreSQL for several servers (" + path + ")", Err: err,
		}, f.Close())
	}
	if err := f.Truncate(0); err == nil { // who holds it, for an operator's eyes
		_, _ = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	return f, nil
}
