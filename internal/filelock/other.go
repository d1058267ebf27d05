//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package filelock

import "errors"

// Lock is a lock that is held.
type Lock struct{}

// Close gives the lock back.
func (*Lock) Close() error { return nil }

// Take refuses: without flock nothing keeps a second process off the files,
// and two writers would each hand out the same number.
func Take(string) (*Lock, error) {
	return nil, errors.ErrUnsupported
}
