package sqltest

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wxhospital/hospital/internal/testneed"
)

// cluster is the server that all tests of this process share. life is the pipe
// whose end takes it down; holding it here keeps it from being collected.
type cluster struct {
	dsn  string // "" when the machine has no PostgreSQL
	life io.WriteCloser
}

var server = sync.OnceValues(func() (cluster, error) { //nolint:gochecknoglobals // one cluster per process
	if dsn := os.Getenv("HOSPITAL_TEST_POSTGRES"); dsn != "" {
		return cluster{dsn: dsn}, nil
	}
	bin := binaries()
	if bin == "" {
		return cluster{}, nil
	}
	return start(bin)
})

// Server starts a cluster of the test's own with settings that the shared one
// cannot have ("fsync=off") and returns its DSN. It ends with the test.
func Server(tb testing.TB, settings ...string) string {
	tb.Helper()
	bin := binaries()
	if bin == "" {
		testneed.Missing(tb, "postgresql")
	}
	own, err := start(bin, settings...)
	if err != nil {
		tb.Fatalf("start postgresql: %v", err)
	}
	tb.Cleanup(func() {
		if err := own.life.Close(); err != nil {
			tb.Errorf("stop postgresql: %v", err)
		}
	})
	return own.dsn
}

// binaries returns the folder with PostgreSQL's programs, the newest of
// several, "" when there is none.
func binaries() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is a constant
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(major(b), major(a)) })
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			found = append(found, real)
		}
	}
	for _, initdb := range found {
		dir := filepath.Dir(initdb)
		_, control := os.Stat(filepath.Join(dir, "pg_ctl"))
		_, server := os.Stat(filepath.Join(dir, "postgres"))
		if control == nil && server == nil {
			return dir
		}
	}
	return ""
}

// major returns the version in /usr/lib/postgresql/15/bin/initdb: 15 is newer
// than 9.6.
func major(initdb string) int {
	version, _, _ := strings.Cut(filepath.Base(filepath.Dir(filepath.Dir(initdb))), ".")
	n, _ := strconv.Atoi(version) // 0, the last choice, when it is no number
	return n
}

// clusterScript makes a cluster, says "ready" and keeps it until its standard
// input ends, which the kernel sees to when this process dies. fsync stays on:
// the tests are about durable commits.
const clusterScript = `set -e
bin=$1 dir=$2 settings=$3
trap 'rm -rf "$dir"' EXIT
"$bin/initdb" --no-sync -A trust -U hospital -E UTF8 --locale=C -D "$dir/data" >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
"$bin/pg_ctl" -s -w -t 60 -D "$dir/data" -l "$dir/log" -o "-c listen_addresses='' -k $dir -c max_connections=400 -c shared_buffers=64MB$settings" start </dev/null >>"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
echo ready
cat >/dev/null || true
"$bin/pg_ctl" -s -m immediate -D "$dir/data" stop >/dev/null 2>&1 || true
`

// start starts a private cluster.
func start(bin string, settings ...string) (cluster, error) {
	dir, err := os.MkdirTemp("", "hospital-pg-") // short: a socket's path has 107 bytes
	if err != nil {
		return cluster{}, err
	}
	options := strings.Join(append([]string{""}, settings...), " -c ")
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", clusterScript, "sh", bin, dir, options) //nolint:gosec // our script, our folders
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	if err := unprivileged(cmd, dir); err != nil {
		return cluster{}, errors.Join(err, os.RemoveAll(dir))
	}
	life, err := cmd.StdinPipe() // never written to, never closed by us
	if err != nil {
		return cluster{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return cluster{}, err
	}
	if err := cmd.Start(); err != nil {
		return cluster{}, errors.Join(err, os.RemoveAll(dir))
	}
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	if strings.TrimSpace(line) != "ready" {
		rest, _ := io.ReadAll(said) // what it said so far is the error
		return cluster{}, fmt.Errorf("%s%s: %w", line, rest, errors.Join(err, cmd.Wait()))
	}
	return cluster{"postgres://hospital@/postgres?host=" + dir, life}, nil
}
