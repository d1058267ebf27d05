//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filelock

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"
)

// A child that this process is just starting shares its locks until the exec,
// a moment after the fork. So a lock that this process gave back a moment ago
// may look held, and is tried for again.
const (
	tries = 20
	pause = 5 * time.Millisecond
)

// Take takes the lock, or returns [ErrHeld] when another process, or this one,
// has it. Closing the file gives it back; so does the kernel when the process
// dies, however it dies, so the file may stay.
func Take(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator's own path
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if errors.Is(err, syscall.EWOULDBLOCK) {
			if try < tries {
				<-time.After(pause)
				continue
			}
			err = ErrHeld
		}
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Truncate(0); err == nil { // who holds it, for an operator's eyes
		_, _ = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	return f, nil
}
