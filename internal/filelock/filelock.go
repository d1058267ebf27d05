// Package filelock keeps a second process off files that have one writer.
package filelock

import "errors"

// ErrHeld says that somebody else holds the lock.
var ErrHeld = errors.New("filelock: held by another process")
