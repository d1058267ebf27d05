//go:build !unix

package sqltest

import (
	"errors"
	"os/exec"
)

// unprivileged refuses: the cluster's script needs a POSIX shell.
func unprivileged(*exec.Cmd, string) error {
	return errors.New("set HOSPITAL_TEST_POSTGRES: a private cluster needs a POSIX system")
}
