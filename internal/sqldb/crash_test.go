package sqldb_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/sqldb"
)

// crashFile tells the child of TestWhatWasAcknowledgedSurvivesAKill where to write.
const crashFile = "HOSPITAL_TEST_CRASH_FILE"

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hospital.db")
	if os.Getenv(crashFile) != "" {
		t.Skip("this is the child")
	}
	acknowledged := 0
	for round := range 5 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriteUntilKilled$", "-test.v")
		child.Env = append(os.Environ(), crashFile+"="+path)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		acks := map[int]bool{}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var no int
			if n, _ := fmt.Sscanf(lines.Text(), "ack %d", &no); n == 1 {
				acks[no] = true
			}
			if len(acks) == 200+137*round {
				require.NoError(t, child.Process.Kill())
			}
		}
		require.Error(t, child.Wait())
		db, err := sqldb.Open(t.Context(), config(path))
		require.NoError(t, err, "the lock died with its process")
		stored := numbers(t, db)
		for no := range acks {
			_, found := slices.BinarySearch(stored, no)
			require.True(t, found, "number %d was acknowledged and is lost", no)
		}
		require.NoError(t, db.Read(t.Context(), func(tx *sqldb.Tx) error {
			var check string
			require.NoError(t, tx.QueryRow("PRAGMA integrity_check").Scan(&check))
			require.Equal(t, "ok", check)
			return nil
		}))
		acknowledged += len(acks)
		require.GreaterOrEqual(t, len(stored), acknowledged)
		require.NoError(t, db.Close())
	}
	t.Logf("5 kills, %d acknowledged, 0 lost", acknowledged)
}

func TestWriteUntilKilled(t *testing.T) { //nolint:paralleltest // it is the process
	path := os.Getenv(crashFile)
	if path == "" {
		t.Skip("a child of TestWhatWasAcknowledgedSurvivesAKill")
	}
	db, err := sqldb.Open(t.Context(), config(path))
	require.NoError(t, err)
	require.NoError(t, db.Migrate(t.Context(), "taken", takenFS))
	var next atomic.Int64
	if stored := numbers(t, db); len(stored) > 0 {
		next.Store(int64(slices.Max(stored)))
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for {
				no := int(next.Add(1))
				if err := db.Write(t.Context(), take(no)); err != nil {
					t.Error(err)
					return
				}
				out.Lock()
				_, err := fmt.Fprintf(os.Stdout, "ack %d\n", no)
				out.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}
