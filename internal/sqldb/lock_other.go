//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package sqldb

import (
	"os"

	"github.com/wxhospital/hospital"
)

// lockFile refuses: without flock nothing keeps a second process off the file,
// and two writers would each hand out the same number.
func lockFile(string) (*os.File, error) {
	return nil, &hospital.Error{
		Kind: hospital.Invalid, Op: "sqldb.Open", Code: "bad_config",
		Detail: "DSN: this system has no flock, which a SQLite file needs; use PostgreSQL",
	}
}
