//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filelock_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/filelock"
)

// TestAChildThatIsBeingStartedDoesNotKeepTheLock: between fork and exec it has
// the file open too, as whoever duplicates the descriptor has.
func TestAChildThatIsBeingStartedDoesNotKeepTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.lock")
	held, err := filelock.Take(path)
	require.NoError(t, err)
	child, err := held.Share()
	require.NoError(t, err)
	defer func() { require.NoError(t, os.NewFile(uintptr(child), path).Close()) }()
	_, err = filelock.Take(path)
	require.ErrorIs(t, err, filelock.ErrHeld)
	require.NoError(t, held.Close())
	again, err := filelock.Take(path)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}
