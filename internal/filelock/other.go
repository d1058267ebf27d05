//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package filelock

import (
	"errors"
	"os"
)

// Take refuses: without flock nothing keeps a second process off the files,
// and two writers would each hand out the same number.
func Take(string) (*os.File, error) {
	return nil, errors.ErrUnsupported
}
