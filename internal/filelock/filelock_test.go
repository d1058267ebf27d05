package filelock_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/filelock"
)

func TestALockIsHeldUntilItsFileIsClosed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.lock")
	held, err := filelock.Take(path)
	require.NoError(t, err)
	_, err = filelock.Take(path)
	require.ErrorIs(t, err, filelock.ErrHeld)
	require.NoError(t, held.Close())
	again, err := filelock.Take(path)
	require.NoError(t, err, "the file stays, the lock does not")
	require.NoError(t, again.Close())
}

func TestAFolderThatIsNotThereIsNotALockThatIsHeld(t *testing.T) {
	t.Parallel()
	_, err := filelock.Take(filepath.Join(t.TempDir(), "no", "x.lock"))
	require.Error(t, err)
	require.NotErrorIs(t, err, filelock.ErrHeld)
}
