//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filelock

import "syscall"

// Share opens the lock's file once more, as a fork does.
func (l *Lock) Share() (int, error) { return syscall.Dup(int(l.file.Fd())) }
