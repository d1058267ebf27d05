//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filelock

import (
	"errors"
	"os"
	"strconv"
	"syscall"
)

// Lock is a lock that is held.
type Lock struct{ file *os.File }

// Take takes the lock, or returns [ErrHeld] when another process, or this one,
// has it. Closing gives it back; so does the kernel when the process dies,
// however it dies, so the file may stay.
func Take(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator's own path
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrHeld
		}
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Truncate(0); err == nil { // who holds it, for an operator's eyes
		_, _ = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	return &Lock{f}, nil
}

// Close gives the lock back. It unlocks before it closes: a child that this
// process is just starting shares the open file until its exec, and would keep
// the lock as long.
func (l *Lock) Close() error {
	return errors.Join(syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN), l.file.Close())
}
